package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

// How slowly a body may come. After the grace it must have come at minRate since its start: whoever drips
// bytes to hold a connection is answered 408.
const (
	bodyGrace = 5 * time.Second
	minRate   = 1000 // bytes a second
)

// Buffers of bodies are reused up to this size; larger ones are left to the collector.
const pooledBody = 256 << 10

// Memory for bodies: all of them, those of one tenant, and how long a request waits for some. A body counts with the
// length it announces, or else with the most its route takes.
const (
	defaultBodyBudget = 256 << 20
	bodyEach          = 4 << 20
	defaultBodyWait   = 10 * time.Second
)

// Slots for requests in flight, from the body to the answer. A request takes one, and one more for every half kilobyte
// of its body: many small requests of a tenant then meet in one round of writes, and large ones wait for each other
// instead of standing before everybody else's. See docs/decisions/0005.
const (
	slotBytes  = 512
	slotsEach  = 64
	slotsAlone = 64 * slotsEach
	slotsLeast = 4
)

// tenant is who shares with nobody: a person at the console, else the profile a request is for, else the account that
// sent it, else the address. So whoever looks for the cause of a flood does not stand in its line.
func (x *exchange) tenant() string {
	switch {
	case x.who.Kind == auth.Session:
		return "session " + string(x.who.AccountID)
	case x.who.ProfileID != "":
		return string(x.who.ProfileID)
	case x.who.AccountID != "":
		return string(x.who.AccountID)
	}
	return x.addr
}

// reserve takes memory for a body of n bytes, waiting for some if there is none.
func (x *exchange) reserve(n int64) error {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.s.cfg.BodyWait)
	defer cancel()
	var err error
	if x.memory, err = x.s.bodies.Enter(ctx, x.tenant(), int(n)); err != nil {
		if x.r.Context().Err() != nil {
			return errGone
		}
		x.discard()
		return errMemory
	}
	return nil
}

var bodyPool = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

var (
	errSlow   = fault.New(fault.Timeout, "The request body came too slowly")
	errMemory = fault.New(fault.Unavailable, "The server is handling too many large requests").After(time.Second)
	errBroken = fault.Field("body", "is not correctly transmitted")
	errGone   = errors.New("web: the client went away")
)

// rateReader reads a body and fails with a timeout once it has come slower than minRate.
type rateReader struct {
	x     *exchange
	body  io.Reader
	start time.Time
	until time.Time // deadline set on the connection
	n     int64
}

func (x *exchange) rated(body io.Reader) *rateReader {
	return &rateReader{x: x, body: body, start: time.Now()}
}

func (r *rateReader) Read(p []byte) (int, error) {
	until := r.start.Add(bodyGrace + time.Duration(r.n)*(time.Second/minRate))
	if until.Sub(r.until) >= time.Second { // spares a call for every read of a fast body
		r.until = until
		// A writer without deadlines is a test's; there is nothing to hold open there.
		_ = http.NewResponseController(r.x.w).SetReadDeadline(until)
	}
	n, err := r.body.Read(p)
	r.n += int64(n)
	return n, err
}

// done lifts the deadline, which would otherwise end the request while its handler works.
func (r *rateReader) done() {
	if !r.until.IsZero() {
		_ = http.NewResponseController(r.x.w).SetReadDeadline(time.Time{})
	}
}

// hasBody reports whether the request announces a body.
func (x *exchange) hasBody() bool {
	return x.r.ContentLength != 0 && x.r.Body != nil && x.r.Body != http.NoBody
}

// readBody takes the whole body into a buffer from the pool.
func (x *exchange) readBody(limit int64) error {
	if !x.hasBody() {
		return nil
	}
	if x.r.ContentLength > limit {
		x.discard()
		return tooLarge(limit)
	}
	size := x.r.ContentLength
	if size < 0 {
		size = limit
	}
	if err := x.reserve(size); err != nil {
		return err
	}
	if x.buf == nil {
		x.buf = bodyPool.Get().(*[]byte)
	}
	b := (*x.buf)[:0]
	rr := x.rated(x.r.Body)
	defer func() { *x.buf = b }()
	for {
		if len(b) == cap(b) {
			grown := cap(b) * 2
			if want := x.r.ContentLength + 1; want > int64(cap(b)) && want < int64(grown) {
				grown = int(want)
			}
			nb := make([]byte, len(b), grown)
			copy(nb, b)
			b = nb
		}
		n, err := rr.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			rr.done()
			x.discard()
			return tooLarge(limit)
		}
		if err == io.EOF {
			rr.done()
			x.body = b
			return nil
		}
		if err != nil {
			return x.readFault(err)
		}
	}
}

// readFault tells what ended the reading of a body.
func (x *exchange) readFault(err error) error {
	x.w.Header().Set("Connection", "close")
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case x.r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF):
		return errGone
	}
	return errBroken.Because(err)
}

// release gives the buffer and its budget back.
func (x *exchange) release() {
	x.memory.Leave()
	if x.buf != nil && cap(*x.buf) <= pooledBody {
		*x.buf = (*x.buf)[:0]
		bodyPool.Put(x.buf)
	}
}

// discard reads on for a moment after a refusal, because a client that is still sending when the
// connection closes never sees the answer.
func (x *exchange) discard() {
	x.w.Header().Set("Connection", "close")
	rc := http.NewResponseController(x.w)
	if rc.SetReadDeadline(time.Now().Add(2*time.Second)) == nil {
		_, _ = io.CopyN(io.Discard, x.r.Body, 8<<20)
		_ = rc.SetReadDeadline(time.Time{})
	}
}

// peekBody takes the first bytes of the body of a request that was refused before it was read, for
// whoever observes refusals; all of it, when its length is known and fits, where the same body may pass another
// time.
func (x *exchange) peekBody(refusal error) {
	if !x.hasBody() || x.body != nil || len(x.s.observers) == 0 || x.r.Header.Get("Expect") != "" {
		return
	}
	rc := http.NewResponseController(x.w)
	if rc.SetReadDeadline(time.Now().Add(2*time.Second)) != nil {
		return
	}
	if x.buf == nil {
		x.buf = bodyPool.Get().(*[]byte)
	}
	n := OutcomeBody
	again := fault.Is(refusal, fault.TooMany) || fault.Is(refusal, fault.Forbidden)
	if size := x.r.ContentLength; again && size > OutcomeBody && size <= min(x.route.MaxBody, pooledBody) {
		var in bool
		if x.memory, in = x.s.bodies.Try(x.tenant(), int(size)); in {
			n = int(size)
		}
	}
	if cap(*x.buf) < n {
		*x.buf = make([]byte, 0, n)
	}
	b := (*x.buf)[:n]
	got, err := io.ReadFull(x.r.Body, b)
	x.body = b[:got]
	size := x.r.ContentLength
	x.partial = int64(got) != size && (size >= 0 || err != io.EOF && err != io.ErrUnexpectedEOF)
	_ = rc.SetReadDeadline(time.Time{})
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "body: must be at most %d bytes", limit)
}

// checkType refuses media types that the route cannot read. A missing one is taken for JSON, and plain text
// too: the client library and many devices send JSON without saying so.
func (x *exchange) checkType(form bool) error {
	if !x.hasBody() {
		return nil
	}
	if enc := x.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return fault.New(fault.Unsupported, "Content-Encoding: %q is not supported; send the body as it is", printable(enc))
	}
	full := x.r.Header.Get("Content-Type")
	if full == "application/json" && !form {
		return nil
	}
	if full == "" && !form {
		return nil
	}
	media, params, err := mime.ParseMediaType(full)
	if err != nil {
		return fault.New(fault.Unsupported, "Content-Type: %q is not a media type", printable(full))
	}
	if form {
		if media != "multipart/form-data" || params["boundary"] == "" {
			return fault.New(fault.Unsupported, "Content-Type: must be multipart/form-data")
		}
		return nil
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "utf8") {
		return fault.New(fault.Unsupported, "Content-Type: the charset must be utf-8, not %q", printable(c))
	}
	switch {
	case media == "application/json", media == "text/plain", media == "text/json", strings.HasSuffix(media, "+json"):
		x.text = media == "text/plain"
		return nil
	}
	return fault.New(fault.Unsupported, "Content-Type: must be application/json, not %q", printable(media))
}

// isText reports whether the body was announced as plain text, which may be something else than JSON.
func (x *exchange) isText() bool { return x.text }

// readForm parses a multipart body; large files wait in temporary files.
func (x *exchange) readForm(limit int64) error {
	if !x.hasBody() {
		return fault.Field("body", "must be a form (multipart/form-data)")
	}
	if x.r.ContentLength > limit {
		x.discard()
		return tooLarge(limit)
	}
	orig := x.r.Body
	rr := x.rated(http.MaxBytesReader(x.w, orig, limit))
	x.r.Body = io.NopCloser(rr)
	err := x.r.ParseMultipartForm(1 << 20)
	x.r.Body = orig
	rr.done()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		x.discard()
		return tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded), x.r.Context().Err() != nil:
		return x.readFault(err)
	case err != nil:
		return fault.Field("body", "is not a valid form").Because(err)
	}
	return nil
}

// upload is the body of a route that reads it itself.
type upload struct {
	x     *exchange
	in    *rateReader
	limit int64
	ended bool
}

// openUpload makes the body one that is bounded and must not drip.
func (x *exchange) openUpload(limit int64) error {
	switch {
	case !x.hasBody():
		return fault.Field("body", "is required")
	case x.r.ContentLength > limit:
		x.discard()
		return tooLarge(limit)
	}
	if enc := x.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return fault.New(fault.Unsupported, "Content-Encoding: %q is not supported; send the body as it is", printable(enc))
	}
	x.upload = &upload{x: x, in: x.rated(http.MaxBytesReader(x.w, x.r.Body, limit)), limit: limit}
	x.r.Body = io.NopCloser(x.upload)
	return nil
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		u.ended = true
		u.in.done()
		return n, io.EOF
	case errors.As(err, &large):
		return n, tooLarge(u.limit)
	}
	return n, u.x.readFault(err)
}

// close takes the rest of a body that was refused, for a moment: see discard.
func (u *upload) close() {
	u.in.done()
	if !u.ended {
		u.x.w.Header().Set("Connection", "close")
		_ = http.NewResponseController(u.x.w).SetReadDeadline(time.Now().Add(2 * time.Second))
		_, _ = io.CopyN(io.Discard, u.in.body, 8<<20)
		_ = http.NewResponseController(u.x.w).SetReadDeadline(time.Time{})
	}
}
