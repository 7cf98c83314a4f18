package web

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

// Stream is an Out for an answer that lasts: server-sent events. The head is sent at once; then, whenever Ready
// has a value, Take is asked for what to send. It ends when the client goes, when one write takes too long,
// when the caller may not listen any more (credential, rule and Check are judged again every second) or may see another
// part of the profile than when it began, when
// Take returns an error, after an hour, or when the server drains. Clients of server-sent events connect again
// by themselves after an end, but never after an answer other than 200.
//
// A second is too long where somebody has just lost access: Judge makes streams be judged at once, before they send
// anything more.
//
// A browser's EventSource sets no headers: on a route with this Out a session may name its profile by the
// query parameter "profile" too, and must come from our own pages.
type Stream struct {
	Ready <-chan struct{}                 // has a value when Take has something to give
	Take  func(b []byte) ([]byte, error)  // appends whole frames to b; does not wait
	Check func(ctx context.Context) error // nil for nothing to check beside credential and rule
	Close func()                          // called once, whatever happened; nil for nothing to do
}

var streamType = reflect.TypeFor[Stream]()

const (
	streamWrite = 10 * time.Second // that one write may take, and a second more for each 100 kB
	streamCheck = time.Second
	streamQuiet = 15 * time.Second // without a write until a comment keeps proxies from hanging up
	streamMost  = time.Hour        // then the client connects again: nobody holds a dead connection for longer
	streamFails = 5                // checks in a row that could not be made
)

var (
	hEventStream = []string{"text/event-stream; charset=utf-8"}
	hUnbuffered  = []string{"no"}
	keepAlive    = []byte(":\n\n")
)

// Drain ends all streams, and every one that begins later, so that a graceful stop need not wait for them. The
// other requests go on.
func (s *Server) Drain() { s.drainOnce.Do(func() { close(s.draining) }) }

// Listening is a stream that is open, as Judge is shown it.
type Listening struct {
	Caller     auth.Caller // as it was when the stream began
	Credential string      // Config.CredentialKey of what it presented; "" without such a function

	doubt chan struct{} // has a value when the caller is to be judged before anything more is sent
}

// listenings are the open streams.
type listenings struct {
	mu sync.Mutex
	m  map[*Listening]struct{}
}

// Judge makes every open stream that match picks be judged again before it sends anything more. It does not wait.
func (s *Server) Judge(match func(l *Listening) bool) {
	s.listening.mu.Lock()
	defer s.listening.mu.Unlock()
	for l := range s.listening.m {
		if !match(l) {
			continue
		}
		select {
		case l.doubt <- struct{}{}:
		default:
		}
	}
}

// listen adds an open stream for Judge; the caller ends that by leave. It was admitted a while ago: so it begins in doubt.
func (x *exchange) listen() (l *Listening, leave func()) {
	l = &Listening{Caller: x.who, doubt: make(chan struct{}, 1)}
	if x.s.cfg.CredentialKey != nil {
		l.Credential = x.s.cfg.CredentialKey(x.cred)
	}
	l.doubt <- struct{}{}
	all := &x.s.listening
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.m == nil {
		all.m = map[*Listening]struct{}{}
	}
	all.m[l] = struct{}{}
	return l, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		delete(all.m, l)
	}
}

// stream sends a Stream until it ends.
func (x *exchange) stream(st Stream) {
	if st.Close != nil {
		defer st.Close()
	}
	x.s.open.Add(-1) // whoever listens keeps nobody busy, see holdBusy
	defer x.s.open.Add(1)
	select {
	case <-x.s.draining:
		// An answer other than 200 would end the client for good; a connection that breaks brings it back.
		x.status, x.abort = http.StatusServiceUnavailable, true
		return
	default:
	}
	h := x.w.Header()
	h["Content-Type"] = hEventStream
	h["X-Accel-Buffering"] = hUnbuffered // else nginx holds small frames back
	x.begin(x.route.Status, 0)
	if x.r.Method == http.MethodHead {
		return
	}
	rc := http.NewResponseController(x.w)
	var buf []byte
	send := func(b []byte) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(streamWrite + time.Duration(len(b)/(100*minRate))*time.Second))
		_, err := x.w.Write(b)
		if err == nil {
			err = rc.Flush()
		}
		// In HTTP/2 a deadline that passes between two writes would end the stream.
		_ = rc.SetWriteDeadline(time.Time{})
		x.bytes += int64(len(b))
		x.abort = err != nil
		return err == nil
	}
	defer func() { _ = rc.SetWriteDeadline(time.Now().Add(streamWrite)) }() // for the last bytes net/http writes
	take := func() bool {
		var err error
		if buf, err = st.Take(buf[:0]); err != nil {
			// What waits in the connection's buffers is not worth waiting for: the client is behind.
			x.abort = true
			return false
		}
		ok := len(buf) == 0 || send(buf)
		if cap(buf) > 1<<20 {
			buf = nil
		}
		return ok
	}
	// The head goes out before anything waits for the database.
	if !send(keepAlive) {
		return
	}
	l, leave := x.listen()
	defer leave()
	ctx := x.r.Context()
	tick := time.NewTicker(streamCheck)
	defer tick.Stop()
	began := time.Now()
	last, fails := began, 0
	doubted, waiting := true, true // whether nothing may be sent before a judgement, and whether something is to be
	judge := func() bool {
		doubted = true
		err := x.again(ctx, st)
		switch {
		case err == nil:
			doubted, fails = false, 0
		case fault.Of(err).Status() < 500 && ctx.Err() == nil:
			x.message = fault.Of(err).Message
			return false
		default: // the database is away: that says nothing about the caller, for a while
			if fails++; fails == streamFails {
				return false
			}
		}
		return true
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.s.draining:
			return
		case <-l.doubt:
			if !judge() {
				return
			}
		case <-st.Ready:
			waiting = true
			select { // doubt goes first
			case <-l.doubt:
				if !judge() {
					return
				}
			default:
			}
		case now := <-tick.C:
			if !judge() {
				return
			}
			if now.Sub(began) >= streamMost {
				return
			}
			if now.Sub(last) >= streamQuiet {
				if last = now; !send(keepAlive) {
					return
				}
			}
		}
		if waiting && !doubted {
			waiting = false
			before := x.bytes
			if !take() {
				return
			}
			if x.bytes != before {
				last = time.Now()
			}
		}
	}
}

// again judges the caller of a stream as at its beginning.
func (x *exchange) again(ctx context.Context, st Stream) error {
	who, err := x.s.cfg.Authenticate(ctx, x.cred)
	if err == nil {
		err = x.route.Rule.Check(x.route.Method, who)
	}
	if err == nil && (who.Kind != x.who.Kind || who.ProfileID != x.who.ProfileID || who.DeviceID != x.who.DeviceID) {
		err = auth.Denied() // the token was moved to another profile
	}
	if err == nil && who.Look != x.who.Look {
		err = auth.Denied() // an operator's look ended, or another began
	}
	if err == nil && !who.Within.Same(x.who.Within) {
		err = auth.Denied() // who connects again gets what may be seen now
	}
	if err == nil && st.Check != nil {
		err = st.Check(ctx)
	}
	return err
}
