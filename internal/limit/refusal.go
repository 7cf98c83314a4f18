package limit

import (
	"cmp"
	"container/list"
	"context"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const (
	tellEvery      = 3 * time.Second // refusals are written and told
	groupsAMinute  = 50              // of a profile, at this node; what comes after goes into one more
	openGroups     = 20_000          // that wait to be written; what comes after goes into the one of its profile
	bodiesPer      = 1000            // refused bodies remembered of a profile
	bodiesInAll    = 50_000          // likewise of all
	rememberFor    = 24 * time.Hour
	keepRefusals   = 31 * 24 * time.Hour
	groupsPer      = 20_000 // kept of a profile
	refusalRows    = 100    // of a statement
	refusalsTenant = "refusals"
)

// Refusal is a group of a profile's refusals: of one clock minute, device, reason and route.
type Refusal struct {
	Minute   int64     // its start, UTC milliseconds
	Device   id.Device // "" where none was named
	Name     string    // of the limit: "input", "POST /data", "points"; "paused", "inactive", "forbidden"; "other"
	Scope    string    // profile, device, account
	Route    string    // "POST /data"; "" of "other"
	Status   int
	Requests int64
	Points   int64 // of refused bodies, each body once
	Retried  int64 // the part of Points that the device sent again and that was accepted
	First    int64 // UTC milliseconds
	Last     int64
}

// groupKey names a group in memory.
type groupKey struct {
	profile id.Profile
	minute  int64
	device  id.Device
	name    string
	scope   string
	route   string
}

func (k groupKey) compare(o groupKey) int {
	return cmp.Or(strings.Compare(string(k.profile), string(o.profile)), cmp.Compare(k.minute, o.minute),
		strings.Compare(string(k.device), string(o.device)), strings.Compare(k.name, o.name), strings.Compare(k.scope, o.scope), strings.Compare(k.route, o.route))
}

// tally is what is to be added to a group.
type tally struct {
	status                    int
	requests, points, retried int64
	first, last               int64
}

func (t *tally) add(o tally) {
	if t.status == 0 || o.requests > 0 {
		t.status = o.status
	}
	if t.first == 0 || o.first < t.first {
		t.first = o.first
	}
	t.last = max(t.last, o.last)
	t.requests += o.requests
	t.points += o.points
	t.retried += o.retried
}

// body names a refused body in memory.
type body struct {
	device id.Device
	hash   uint64
}

// refused is a body that may come again.
type refused struct {
	body
	group  groupKey
	status int
	points int64
	at     int64
}

// bodies are the refused ones of a profile, the latest in front.
type bodies struct {
	m     map[body]*list.Element // of *refused
	order *list.List
}

// refusals are those that wait to be written, and the bodies that may come again. A profile without refusals costs
// an atomic load for each of its requests while nobody has any, and a look into a map while others have.
type refusals struct {
	seed       maphash.Seed
	remembered atomic.Int64 // bodies, of all profiles

	mu      sync.Mutex
	pending map[groupKey]*tally
	minutes map[id.Profile]*minuteGroups
	bodies  map[id.Profile]*bodies
	written map[id.Profile]bool // since rows were last counted
}

// minuteGroups are the groups that a profile has in a minute.
type minuteGroups struct {
	minute int64
	keys   map[groupKey]bool
}

func newRefusals() *refusals {
	return &refusals{seed: maphash.MakeSeed(), pending: map[groupKey]*tally{}, minutes: map[id.Profile]*minuteGroups{},
		bodies: map[id.Profile]*bodies{}, written: map[id.Profile]bool{}}
}

// OnRefusals registers a listener, told after each commit of the groups of a profile that changed, as they then
// stand; before the server starts. It must be quick.
func (s *Service) OnRefusals(f func(p id.Profile, groups []Refusal)) {
	s.onRefusals = append(s.onRefusals, f)
}

// sends reports whether a request sends points.
func sends(o *web.Outcome) bool {
	return o.Method == http.MethodPost && (o.Pattern == "/data" || o.Pattern == "/device/{id}/data")
}

// deviceOf is the device that a request is from or about, "" for none.
func deviceOf(o *web.Outcome) id.Device {
	if o.Caller.DeviceID != "" {
		return o.Caller.DeviceID
	}
	if d := o.Path["id"]; strings.HasPrefix(o.Pattern, "/device/{id}") && id.Valid(d) {
		return id.Device(d)
	}
	return ""
}

// Observe is told of every request after it was answered (web.Server.Observe). It counts what a limit has refused,
// and sends that a pause or a switched-off device has; nothing is written here.
func (s *Service) Observe(o web.Outcome) {
	if o.Status < 400 {
		if s.refusals.remembered.Load() > 0 && sends(&o) {
			s.refusals.accepted(o.Caller.ProfileID, deviceOf(&o), o.Read)
		}
		return
	}
	send := sends(&o)
	if o.Status != http.StatusPaymentRequired && o.Status != http.StatusTooManyRequests && (o.Status != http.StatusForbidden || !send) {
		return
	}
	p, d := o.Caller.ProfileID, deviceOf(&o)
	if p == "" {
		var ok bool
		if p, d, ok = s.devices.Sender(o); !ok {
			return
		}
	}
	at := clock.Millis(o.Time)
	k := groupKey{profile: p, minute: at - at%minuteMS, device: d, route: o.Method + " " + o.Pattern}
	k.name, k.scope = s.reason(p, d, &o)
	t := tally{status: o.Status, requests: 1, first: at, last: at}
	if !send {
		s.refusals.count(k, t)
		return
	}
	s.refusals.refuse(k, t, o.Read, o.Partial)
}

// reason says which limit refused a request, and whose that is.
func (s *Service) reason(p id.Profile, d id.Device, o *web.Outcome) (name, scope string) {
	if o.Limit != nil {
		return o.Limit.Limit, o.Limit.Scope
	}
	if o.Status != http.StatusForbidden {
		return o.Method + " " + o.Pattern, "profile"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if pr, err := s.profiles.Get(ctx, p); err == nil && pr.Paused {
		return "paused", "profile"
	}
	if v, err := s.devices.View(ctx, auth.SystemCaller(), p, d); err != nil || !v.Active {
		return "inactive", "device"
	}
	return "forbidden", "device"
}

// count adds to a group that waits to be written.
func (r *refusals) count(k groupKey, t tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(k, t)
}

// add puts a tally to its group, or to the profile's group of all others, and says to which.
func (r *refusals) add(k groupKey, t tally) groupKey {
	g := r.minutes[k.profile]
	if g == nil || g.minute < k.minute {
		g = &minuteGroups{minute: k.minute, keys: map[groupKey]bool{}}
		r.minutes[k.profile] = g
	}
	if !g.keys[k] {
		if len(g.keys) >= groupsAMinute || len(r.pending) >= openGroups {
			k = groupKey{profile: k.profile, minute: k.minute, name: "other", scope: "profile"}
		} else {
			g.keys[k] = true
		}
	}
	r.put(k, t)
	return k
}

func (r *refusals) put(k groupKey, t tally) {
	have := r.pending[k]
	if have == nil {
		have = &tally{}
		r.pending[k] = have
	}
	have.add(t)
}

// refuse counts a refused body and its points; a body that was refused before and comes again brings no points
// anew. Of one that was not read to its end only the points seen are counted, and it is not known again.
func (r *refusals) refuse(k groupKey, t tally, sent []byte, partial bool) {
	b, points := body{k.device, maphash.Bytes(r.seed, sent)}, countPoints(sent)
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.bodies[k.profile]
	if of != nil && !partial {
		if e := of.m[b]; e != nil {
			r.add(k, t)
			return
		}
	}
	t.points = points
	k = r.add(k, t)
	if partial || t.points == 0 {
		return
	}
	if of == nil {
		of = &bodies{m: map[body]*list.Element{}, order: list.New()}
		r.bodies[k.profile] = of
	}
	switch {
	case of.order.Len() >= bodiesPer || of.order.Len() > 0 && r.remembered.Load() >= bodiesInAll:
		r.forget(k.profile, of, of.order.Back())
	case r.remembered.Load() >= bodiesInAll:
		r.makeRoom()
	}
	r.bodies[k.profile] = of // which may have been dropped while it was empty
	of.m[b] = of.order.PushFront(&refused{body: b, group: k, status: t.status, points: t.points, at: t.last})
	r.remembered.Add(1)
}

// makeRoom forgets the oldest body of a profile that has several.
func (r *refusals) makeRoom() {
	for p, of := range r.bodies {
		if of.order.Len() > 1 {
			r.forget(p, of, of.order.Back())
			return
		}
	}
}

func (r *refusals) forget(p id.Profile, of *bodies, e *list.Element) {
	delete(of.m, of.order.Remove(e).(*refused).body)
	r.remembered.Add(-1)
	if of.order.Len() == 0 {
		delete(r.bodies, p)
	}
}

// accepted looks whether a body that was stored had been refused before.
func (r *refusals) accepted(p id.Profile, d id.Device, sent []byte) {
	r.mu.Lock()
	of := r.bodies[p]
	r.mu.Unlock()
	if of == nil {
		return
	}
	hash := maphash.Bytes(r.seed, sent)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := of.m[body{d, hash}]
	if e == nil {
		return
	}
	b := e.Value.(*refused)
	r.forget(p, of, e)
	r.put(b.group, tally{status: b.status, retried: b.points, first: b.at, last: b.at})
}

// countPoints says how many points a body holds: the elements of a list, or one. It looks at brackets, commas
// and quotes only; what the body would be worth if it were read does not matter here.
func countPoints(b []byte) (n int64) {
	depth, quoted, escaped, something := 0, false, false, false
	for _, c := range b {
		switch {
		case quoted:
			if escaped {
				escaped = false
			} else if c == '\\' {
				escaped = true
			} else if c == '"' {
				quoted = false
			}
			continue
		case c <= ' ':
			continue
		case depth == 0 && c != '[':
			return 1
		}
		switch c {
		case '"':
			quoted = true
		case '[', '{':
			depth++
			if depth == 1 {
				continue
			}
		case ']', '}':
			if depth--; depth == 0 {
				if something {
					n++
				}
				return n
			}
		case ',':
			if depth == 1 {
				n++
				something = false
				continue
			}
		}
		something = true
	}
	if something { // cut off
		n++
	}
	return n
}

// TellRefusals writes what was refused since the last time and tells the listeners. What cannot be written waits
// for the next time. Run it every few seconds on every node.
func (s *Service) TellRefusals(ctx context.Context) error {
	r := s.refusals
	now := s.now()
	r.mu.Lock()
	pending := r.pending
	r.pending = map[groupKey]*tally{}
	for p, g := range r.minutes {
		if g.minute < now-2*minuteMS {
			delete(r.minutes, p)
		}
	}
	for p, of := range r.bodies {
		for e := of.order.Back(); e != nil && e.Value.(*refused).at < now-rememberFor.Milliseconds(); e = of.order.Back() {
			r.forget(p, of, e)
		}
	}
	r.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	keys := make([]groupKey, 0, len(pending))
	for k := range pending {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, groupKey.compare)
	for len(keys) > 0 {
		part := keys[:min(refusalRows, len(keys))]
		if err := s.tellSome(ctx, part, pending); err != nil {
			r.mu.Lock()
			for _, k := range keys {
				r.put(k, *pending[k])
			}
			r.mu.Unlock()
			return err
		}
		keys = keys[len(part):]
	}
	return nil
}

func (s *Service) tellSome(ctx context.Context, keys []groupKey, pending map[groupKey]*tally) error {
	var groups map[id.Profile][]Refusal
	err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, refusalsTenant), 4*len(keys)), func(ctx context.Context) (err error) {
		groups, err = s.writeRefusals(ctx, keys, pending)
		return err
	})
	if err != nil {
		return err
	}
	for p, gs := range groups {
		s.refusals.mu.Lock()
		s.refusals.written[p] = true
		s.refusals.mu.Unlock()
		for _, f := range s.onRefusals {
			f(p, gs)
		}
	}
	return nil
}

// ForgetRefusals deletes refusals of more than a month ago, and of profiles with very many the oldest.
func (s *Service) ForgetRefusals(ctx context.Context) error {
	ctx = sqldb.Cost(sqldb.As(ctx, refusalsTenant), 200)
	for {
		if n, err := s.deleteOldRefusals(ctx, s.now()-keepRefusals.Milliseconds()); n == 0 || err != nil {
			return err
		}
	}
}

// trimRefusals leaves so many groups of each profile that this node has written of since the last time.
func (s *Service) trimRefusals(ctx context.Context) error {
	r := s.refusals
	r.mu.Lock()
	written := r.written
	r.written = map[id.Profile]bool{}
	r.mu.Unlock()
	ctx = sqldb.Cost(sqldb.As(ctx, refusalsTenant), 200)
	for p := range written {
		before, found, err := s.minuteAt(ctx, p, groupsPer)
		if err != nil {
			return err
		}
		for found {
			n, err := s.deleteRefusalsOf(ctx, p, before)
			if err != nil {
				return err
			}
			found = n > 0
		}
	}
	return nil
}
