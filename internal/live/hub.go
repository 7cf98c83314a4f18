package live

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/data"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/usage"
)

const (
	perProfile = 100              // listeners of a profile
	inAll      = 2000             // listeners of this process
	maxEvents  = 1024             // held by a feed
	allBytes   = 64 << 20         // held by all feeds together, in equal shares
	leastShare = 64 << 10         // of a feed, however many there are
	mostShare  = 4 << 20          // of a feed, however few there are
	linger     = 2 * time.Minute  // that a channel is recorded for after its last listener has left
	sweepEvery = 30 * time.Second // see Sweep
	atOnce     = 64 << 10         // bytes, about, that a listener takes in one go
)

// Channel is what one listens to: a name, and for some the thing.
type Channel struct{ Name, ID string }

// String is the channel as clients write it: device_data.<id>.
func (c Channel) String() string {
	if c.ID == "" || c.Name == Notification {
		return c.Name
	}
	return c.Name + "." + c.ID
}

// The channels.
const (
	DeviceData   = "device_data"  // with a device's id: the rows it has stored
	Notification = "notification" // of the person who listens; the account is in it, and a star when all profiles are
	Limits       = "limits"       // of the profile: refusals and thresholds
)

// Hub holds the feeds of all profiles. It is safe for concurrent use.
type Hub struct {
	devices *device.Service
	usage   *usage.Service
	clock   clock.Clock

	mu        sync.RWMutex // held before a feed's
	feeds     map[id.Profile]*feed
	listeners int
	share     atomic.Int64 // bytes that a feed may hold

	perProfile, inAll int // caps; tests lower them
	maxEvents         int
}

// New makes the hub and registers it with data to be told of stored points.
func New(points *data.Service, devices *device.Service, use *usage.Service, clk clock.Clock) *Hub {
	h := newHub(clk)
	h.devices, h.usage = devices, use
	points.OnStored(h.stored)
	return h
}

func newHub(clk clock.Clock) *Hub {
	h := &Hub{clock: clk, feeds: map[id.Profile]*feed{}, perProfile: perProfile, inAll: inAll, maxEvents: maxEvents}
	h.divide()
	return h
}

// feed is what a profile's listeners read: a bounded run of events.
type feed struct {
	name string // tells this feed from an earlier or a later one of the profile
	most int

	mu        sync.Mutex
	events    []*event // by number
	bytes     int64
	next      int64 // number of the next event
	channels  map[Channel]*channel
	listeners int
}

// channel is what a feed knows of one that is, or was lately, listened to. After gone the feed holds all of its
// events.
type channel struct {
	listeners []*Listener
	left      time.Time // when the last listener left
	gone      int64     // number of the last event not held any more, or from before the recording
	goneAt    int64     // its moment, UTC milliseconds
}

// event is encoded by the first listener who reads it.
type event struct {
	no      int64
	at      int64 // UTC milliseconds
	to      Channel
	about   id.Device // of other channels than the device's own: whose this is, "" for the profile's
	size    int64     // about, in bytes
	once    sync.Once
	payload func(b []byte) []byte
	frame   []byte
}

// Listener is a place in a feed. Its methods are for one goroutine.
type Listener struct {
	hub      *Hub
	profile  id.Profile
	feed     *feed
	channels []Channel
	knew     []int64                                          // of each channel, what was gone when the listening began
	at       int64                                            // number of the last event looked at
	sees     func(ds []id.Device) (map[id.Device]bool, error) // of the devices that events are about; nil for all
	first    []byte                                           // to be sent before everything else
	bell     chan struct{}
	closed   bool
}

// stored puts the points that a device has stored into the feed of its profile (data.Stored).
func (h *Hub) stored(p id.Profile, d id.Device, points []data.Point) {
	h.publish(p, Channel{DeviceData, string(d)}, "", func() (int64, func([]byte) []byte) {
		points := slices.Clone(points)
		size := int64(0)
		for i := range points {
			q := &points[i]
			size += int64(200 + len(q.Variable) + len(q.Text) + len(q.Unit) + len(q.Group) + len(q.Metadata))
		}
		return size, func(b []byte) []byte {
			b = append(b, '[')
			for i := range points {
				if i > 0 {
					b = append(b, ',')
				}
				b = data.AppendRow(b, &points[i], d)
			}
			return append(b, ']')
		}
	})
}

// Publish tells the listeners of a profile's channel something; payload is compact JSON without line breaks, and is
// kept. about is the device that it is about, "" for none: listeners who may not see that are not told. Call it after the
// commit that made it true.
func (h *Hub) Publish(p id.Profile, c Channel, about id.Device, payload jsontext.Value) {
	h.publish(p, c, about, func() (int64, func([]byte) []byte) {
		return int64(len(payload)) + 200, func(b []byte) []byte { return append(b, payload...) }
	})
}

// publish puts an event at the end of a feed if somebody listens to its channel or did lately. make is called only
// then; it says how large the event is and how to write its payload.
func (h *Hub) publish(p id.Profile, c Channel, about id.Device, make func() (int64, func([]byte) []byte)) {
	h.mu.RLock()
	f := h.feeds[p]
	h.mu.RUnlock()
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[c]
	if ch == nil {
		return
	}
	now := h.clock.Now()
	if len(ch.listeners) == 0 && now.Sub(ch.left) > linger {
		delete(f.channels, c)
		return
	}
	e := &event{no: f.next, at: clock.Millis(now), to: c, about: about}
	e.size, e.payload = make()
	f.next++
	f.events = append(f.events, e)
	f.bytes += e.size
	for len(f.events) > 1 && (len(f.events) > f.most || f.bytes > h.share.Load()) {
		old := f.events[0]
		f.events[0] = nil
		f.events = f.events[1:]
		f.bytes -= old.size
		if o := f.channels[old.to]; o != nil && old.no > o.gone {
			o.gone, o.goneAt = old.no, old.at
		}
	}
	for _, l := range ch.listeners {
		l.ring()
	}
}

func (l *Listener) ring() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

var (
	errProfileFull = fault.New(fault.TooMany, "This profile has too many listeners: at most %d at once", perProfile).After(30 * time.Second)
	errFull        = fault.New(fault.Unavailable, "The server has too many listeners: at most %d at once", inAll).After(30 * time.Second)
	errSlow        = errors.New("the listener is slower than the events")
)

// Listen begins to listen to channels of a profile, none of them twice; whether the caller may was judged before.
// last is the id of the last event that the client got, "" for none: it gets what came since, as far as the feed
// holds it. It returns too_many or unavailable when there are too many listeners. Close ends it.
func (h *Hub) Listen(p id.Profile, channels []Channel, last string) (*Listener, error) {
	now := h.clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners >= h.inAll {
		return nil, errFull
	}
	f := h.feeds[p]
	if f == nil {
		f = newFeed(h.maxEvents)
		h.feeds[p] = f
		h.divide()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners >= h.perProfile {
		return nil, errProfileFull
	}
	h.listeners++
	f.listeners++
	l := &Listener{hub: h, profile: p, feed: f, channels: channels, bell: make(chan struct{}, 1)}
	for _, c := range channels {
		ch := f.channels[c]
		if ch == nil {
			// A number of its own: whoever has read less than this may have missed something here.
			ch = &channel{gone: f.next, goneAt: clock.Millis(now)}
			f.next++
			f.channels[c] = ch
		}
		ch.listeners = append(ch.listeners, l)
		l.knew = append(l.knew, ch.gone)
	}
	l.at = f.next - 1
	l.first = append(l.first, "retry: 3000\n"...)
	if place, ok := parseID(last); ok {
		l.resume(place)
	}
	l.first = appendID(l.first, f.name, l.at, clock.Millis(now))
	l.first = append(l.first, '\n')
	l.ring()
	return l, nil
}

// resume goes back to where the client was and says what lies between that and what the feed holds.
func (l *Listener) resume(was place) {
	f := l.feed
	same := was.feed == f.name && was.no < f.next
	if same {
		l.at = was.no
	} else { // another feed, of before a restart or a long pause: only the moment tells
		l.at = 0
		for _, e := range f.events {
			if e.at <= was.at {
				l.at = e.no
			}
		}
	}
	for _, c := range l.channels {
		ch := f.channels[c]
		if same && ch.gone <= was.no || !same && ch.goneAt <= was.at {
			continue
		}
		b := append(l.first, "event: lost\ndata: {\"channel\":"...)
		b = quote(b, c.String())
		b = append(b, `,"payload":{"since":`...)
		b = appendTime(b, was.at)
		b = append(b, `,"until":`...)
		b = appendTime(b, max(was.at, ch.goneAt))
		b = append(b, "}}\n\n"...)
		l.first = b
	}
}

// Ready has a value when Take has something to give.
func (l *Listener) Ready() <-chan struct{} { return l.bell }

// Take appends what came since the last call, as frames. It does not wait; what is more than a good piece is left
// for the next call and rings again. It returns an error when the feed has let go of events that were not taken, and when
// it could not be found out which of them are for this listener.
func (l *Listener) Take(b []byte) ([]byte, error) {
	b = append(b, l.first...)
	l.first = nil
	f := l.feed
	var take []*event
	f.mu.Lock()
	for i, c := range l.channels {
		if ch := f.channels[c]; ch.gone > l.at && ch.gone > l.knew[i] {
			f.mu.Unlock()
			return b, errSlow
		}
	}
	size := int64(0)
	for _, e := range f.events[sort.Search(len(f.events), func(i int) bool { return f.events[i].no > l.at }):] {
		if size >= atOnce {
			l.ring()
			break
		}
		l.at = e.no
		if slices.Contains(l.channels, e.to) {
			take = append(take, e)
			size += e.size
		}
	}
	f.mu.Unlock()
	take, err := l.seen(take)
	if err != nil {
		return b, err
	}
	for _, e := range take {
		e.once.Do(func() { e.encode(f.name) })
		b = append(b, e.frame...)
	}
	return b, nil
}

// seen leaves the events that are not about devices which this listener may not see.
func (l *Listener) seen(take []*event) ([]*event, error) {
	if l.sees == nil {
		return take, nil
	}
	var about []id.Device
	for _, e := range take {
		if e.about != "" {
			about = append(about, e.about)
		}
	}
	if len(about) == 0 {
		return take, nil
	}
	ok, err := l.sees(about)
	return slices.DeleteFunc(take, func(e *event) bool { return e.about != "" && !ok[e.about] }), err
}

func (e *event) encode(feed string) {
	b := make([]byte, 0, e.size+100)
	b = appendID(b, feed, e.no, e.at)
	b = append(b, `data: {"channel":`...)
	b = quote(b, e.to.String())
	b = append(b, `,"payload":`...)
	b = e.payload(b)
	e.frame, e.payload = append(b, "}\n\n"...), nil
}

// Close ends the listening. It may be called again.
func (l *Listener) Close() {
	h, f := l.hub, l.feed
	h.mu.Lock()
	defer h.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	h.listeners--
	f.listeners--
	now := h.clock.Now()
	for _, c := range l.channels {
		ch := f.channels[c]
		ch.listeners = slices.DeleteFunc(ch.listeners, func(o *Listener) bool { return o == l })
		ch.left = now
	}
}

// Sweep forgets the channels nobody has listened to for a while, and the feeds without any.
func (h *Hub) Sweep(context.Context) error {
	now := h.clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, f := range h.feeds {
		f.mu.Lock()
		for c, ch := range f.channels {
			if len(ch.listeners) == 0 && now.Sub(ch.left) > linger {
				delete(f.channels, c)
			}
		}
		if len(f.channels) == 0 {
			delete(h.feeds, p)
		}
		f.mu.Unlock()
	}
	h.divide()
	return nil
}

// divide gives each feed its share of memory.
func (h *Hub) divide() {
	h.share.Store(min(mostShare, max(leastShare, allBytes/int64(max(1, len(h.feeds))))))
}

func newFeed(most int) *feed {
	var name [4]byte
	rand.Read(name[:])
	return &feed{name: hex.EncodeToString(name[:]), most: most, next: 1, channels: map[Channel]*channel{}}
}

// place is an event's id, taken apart.
type place struct {
	feed string
	no   int64
	at   int64 // UTC milliseconds
}

// appendID appends the line "id: <feed>-<number>-<milliseconds>".
func appendID(b []byte, feed string, no, at int64) []byte {
	b = append(b, "id: "...)
	b = append(b, feed...)
	b = append(b, '-')
	b = strconv.AppendInt(b, no, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, at, 10)
	return append(b, '\n')
}

// parseID takes apart what a client sends as Last-Event-ID; ok is false for what is no id of ours.
func parseID(s string) (p place, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return p, false
	}
	no, err := strconv.ParseInt(parts[1], 10, 64)
	at, err2 := strconv.ParseInt(parts[2], 10, 64)
	return place{parts[0], no, at}, err == nil && err2 == nil && no >= 0 && at >= 0 && at < 1<<47
}

func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // our own names: always UTF-8
	return b
}

func appendTime(b []byte, ms int64) []byte {
	b = append(b, '"')
	b = clock.FromMillis(ms).AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '"')
}
