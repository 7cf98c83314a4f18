package web

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"paddock/internal/kit/fault"
)

// statusClientGone is logged when nobody waits for the answer any more.
const statusClientGone = 499

// outOptions encode results: lists and maps that are nil are empty, never null; maps are sorted so that
// equal answers are equal bytes; omitempty means what it means in encoding/json.
var outOptions = json.JoinOptions(
	json.Deterministic(true),
	jsontext.AllowInvalidUTF8(true),
	jsonv1.OmitEmptyWithLegacySemantics(true),
)

// Header values that every answer shares. They are slices of one so that appending copies.
var (
	hJSON      = []string{"application/json; charset=utf-8"}
	hNoSniff   = []string{"nosniff"}
	hNoRefer   = []string{"no-referrer"}
	hDeny      = []string{"DENY"}
	hNoStore   = []string{"no-store"}
	hCSP       = []string{"default-src 'none'; frame-ancestors 'none'"}
	hHSTS      = []string{"max-age=31536000"}
	hStar      = []string{"*"}
	hExpose    = []string{"RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"}
	hMethods   = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
	hMaxAge    = []string{"7200"}
	hAllowThem = []string{"token, content-type, pragma, cache-control, authorization, account-token, profile-token, device-token, " +
		"analysis-token, network-token, public-token, authorized, profile-id, idempotency-key, x-request-id, accept, accept-language, last-event-id"}
)

// baseHeaders sets what every answer carries. Each header costs every answer, so what only browsers read is left out where no
// browser asks, and what only pages need where there is no page: see page.
func (x *exchange) baseHeaders(api bool) {
	h := x.w.Header()
	h["X-Request-Id"] = []string{x.id}
	h["X-Content-Type-Options"] = hNoSniff
	if x.secure {
		h["Strict-Transport-Security"] = hHSTS
	}
	if api {
		h["Content-Security-Policy"] = hCSP
		h["Cache-Control"] = hNoStore
		if len(x.r.Header["Origin"]) > 0 {
			h["Access-Control-Allow-Origin"] = hStar
			h["Access-Control-Expose-Headers"] = hExpose
		}
		return
	}
	x.page()
}

// page sets what an answer needs that a browser may show by itself.
func (x *exchange) page() {
	h := x.w.Header()
	h["Referrer-Policy"] = hNoRefer
	h["X-Frame-Options"] = hDeny
}

// respond writes what a handler returned.
func (x *exchange) respond(out any) {
	status := x.route.Status
	var result any
	var message string
	switch o := out.(type) {
	case Raw:
		x.raw(o)
		return
	case File:
		x.file(o)
		return
	case Stream:
		x.stream(o)
		return
	case None:
		result = nil
	case Reply:
		for k, v := range o.Header {
			x.w.Header()[http.CanonicalHeaderKey(k)] = v
		}
		for _, c := range o.Cookies {
			http.SetCookie(x.w, c)
		}
		if o.Status != 0 {
			status = o.Status
		}
		result, message = o.Result, o.Message
		if result == nil {
			out = None{}
		}
	default:
		result = out
	}
	b := &x.out
	b.WriteString(`{"status":true`)
	if _, none := out.(None); !none {
		b.WriteString(`,"result":`)
		at := b.Len()
		if s, ok := result.(string); ok {
			quote(b.AvailableBuffer, b.Write, s)
		} else if made, ok := result.(JSON); ok {
			b.Write(made.JSON())
		} else if err := json.MarshalWrite(b, result, outOptions); err != nil {
			b.Reset()
			x.fail(err)
			return
		}
		if err := x.avoidLoneError(at); err != nil {
			b.Reset()
			x.fail(err)
			return
		}
	}
	if message != "" {
		b.WriteString(`,"message":`)
		quote(b.AvailableBuffer, b.Write, message)
	}
	b.WriteString("}")
	x.message = message
	x.send(status)
}

// JSON is a result that is JSON already: it goes out as it is, without being read again.
type JSON interface{ JSON() []byte }

// quote appends s to a buffer as a JSON string.
func quote(spare func() []byte, write func([]byte) (int, error), s string) {
	b, err := jsontext.AppendQuote(spare(), s)
	if err != nil { // not UTF-8: the broken parts are replaced
		b, _ = jsontext.AppendQuote(spare()[:0], toValid(s))
	}
	_, _ = write(b)
}

// avoidLoneError adds an empty member to a result whose only one is "error": the client library takes such
// a result for a broken answer and sends the request again.
func (x *exchange) avoidLoneError(at int) error {
	b := x.out.Bytes()[at:]
	const lone = `{"error":`
	if len(b) < len(lone) || string(b[:len(lone)]) != lone {
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(b, &members, jsontext.AllowInvalidUTF8(true)); err != nil {
		return err
	}
	if len(members) == 1 {
		x.out.Truncate(x.out.Len() - 1)
		x.out.WriteString(`,"_":null}`)
	}
	return nil
}

// fail writes an error.
func (x *exchange) fail(err error) {
	f := fault.Of(err)
	gone := x.r.Context().Err() != nil && (errors.Is(err, context.Canceled) || f.Status() >= 500)
	if gone || errors.Is(err, errGone) {
		// Without abort net/http would send an empty 200 to whoever still listens.
		x.status, x.cause, x.abort = statusClientGone, err, true
		return
	}
	if f.Status() >= 500 {
		x.cause = err
	}
	h := x.w.Header()
	if f.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64(math.Ceil(f.RetryAfter.Seconds())), 10)}
	}
	if f.Code == fault.Unauthorized {
		h["Www-Authenticate"] = []string{`Token realm="Paddock"`}
	}
	b := &x.out
	b.Reset()
	b.WriteString(`{"status":false,"message":`)
	quote(b.AvailableBuffer, b.Write, f.Message)
	b.WriteString(`,"code":`)
	quote(b.AvailableBuffer, b.Write, string(f.Code))
	if f.Field != "" {
		b.WriteString(`,"field":`)
		quote(b.AvailableBuffer, b.Write, f.Field)
	}
	if l, ok := f.Detail.(fault.Limit); ok {
		l.RequestID = x.id
		x.limit = &l
		f = f.With(l)
	}
	if f.Detail != nil {
		at := b.Len()
		b.WriteString(`,"error":`)
		if err := json.MarshalWrite(b, f.Detail, outOptions); err != nil {
			b.Truncate(at)
			x.cause = err
		}
	}
	b.WriteString(`,"request_id":`)
	quote(b.AvailableBuffer, b.Write, x.id)
	b.WriteString("}")
	x.message = f.Message
	x.send(f.Status())
}

// send writes the envelope in x.out.
func (x *exchange) send(status int) {
	h := x.w.Header()
	h["Content-Type"] = hJSON
	n := x.out.Len()
	if n > 1024 || x.r.Method == http.MethodHead {
		h["Content-Length"] = []string{strconv.Itoa(n)}
	}
	x.begin(status, int64(n))
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(x.out.Bytes())
	}
}

// begin sends the head of the answer. A large answer gets time to be taken slowly, down to ten times minRate,
// and one that comes late because its body did gets its time from now.
func (x *exchange) begin(status int, size int64) {
	x.status, x.bytes, x.wrote = status, size, true
	if size > 64<<10 || time.Since(x.start) > writeTimeout/4 {
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writeTimeout + time.Duration(size/(10*minRate))*time.Second))
	}
	x.w.WriteHeader(status)
}

// raw writes an answer without envelope.
func (x *exchange) raw(o Raw) {
	if c, ok := o.From.(io.Closer); ok {
		defer c.Close()
	}
	x.page()
	h := x.w.Header()
	if o.Type != "" {
		h["Content-Type"] = []string{o.Type}
	}
	for k, v := range o.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	status := o.Status
	if status == 0 {
		status = x.route.Status
	}
	if o.From == nil {
		if status != http.StatusNoContent && status != http.StatusNotModified {
			h["Content-Length"] = []string{strconv.Itoa(len(o.Body))}
		}
		x.begin(status, int64(len(o.Body)))
		if x.r.Method != http.MethodHead {
			_, _ = x.w.Write(o.Body)
		}
		return
	}
	x.begin(status, 0)
	if x.r.Method == http.MethodHead {
		return
	}
	rc := http.NewResponseController(x.w)
	buf := make([]byte, 32<<10)
	var err error
	for err == nil {
		var n int
		n, err = o.From.Read(buf)
		if n > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
			if _, werr := x.w.Write(buf[:n]); werr != nil {
				err = errGone
			}
			x.bytes += int64(n)
		}
	}
	if err == errGone {
		x.status = statusClientGone
		return
	}
	if err != io.EOF && x.r.Context().Err() == nil {
		// The head is gone: ending the connection is the only way left to say that this is not all.
		x.cause = err
		x.abort = true
	}
}
