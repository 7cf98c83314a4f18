package web

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

// Stream is an Out for an answer that lasts: server-sent events. The head is sent at once; then, whenever Ready
// has a value, Take is asked for what to send. It ends when the client goes, when one write takes too long,
// when the caller may not listen any more (credential, rule and Check are judged again every two seconds), when
// Take returns an error, after an hour, or when the server drains. Clients of server-sent events connect again
// by themselves after an end, but never after an answer other than 200.
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
	streamCheck = 2 * time.Second
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
	if !take() { // also sends the head
		return
	}
	if x.bytes == 0 && !send(keepAlive) {
		return
	}
	ctx := x.r.Context()
	tick := time.NewTicker(streamCheck)
	defer tick.Stop()
	began := time.Now()
	last, fails := began, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.s.draining:
			return
		case <-st.Ready:
			before := x.bytes
			if !take() {
				return
			}
			if x.bytes != before {
				last = time.Now()
			}
		case now := <-tick.C:
			err := x.again(ctx, st)
			switch {
			case err == nil:
				fails = 0
			case fault.Of(err).Status() < 500 && ctx.Err() == nil:
				x.message = fault.Of(err).Message
				return
			default: // the database is away: that says nothing about the caller, for a while
				if fails++; fails == streamFails {
					return
				}
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
	if err == nil && st.Check != nil {
		err = st.Check(ctx)
	}
	return err
}
