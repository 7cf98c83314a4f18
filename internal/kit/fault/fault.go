// Package fault is the one error type of Paddock: a code that decides the HTTP status, a message that a
// customer may read, and a cause that only the log sees.
//
// Any error that is not a fault is internal: its text never leaves the server.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code says what kind of refusal an error is. Each has exactly one HTTP status.
type Code string

const (
	Invalid          Code = "invalid"            // 400: the request is malformed; Field names the part
	Unauthorized     Code = "unauthorized"       // 401: no credential, a bad one, or one that may not do this
	LimitReached     Code = "limit_reached"      // 402: a service or a cap is used up
	Forbidden        Code = "forbidden"          // 403: known caller, not allowed
	NotFound         Code = "not_found"          // 404: not there, or another profile's
	MethodNotAllowed Code = "method_not_allowed" // 405
	Timeout          Code = "timeout"            // 408: the client was too slow to send its request
	Conflict         Code = "conflict"           // 409: clashes with what is there
	TooLarge         Code = "too_large"          // 413: body above its bound
	Unsupported      Code = "unsupported"        // 415: wrong media type
	TooMany          Code = "too_many"           // 429: a rate is used up; RetryAfter says when it frees
	Internal         Code = "internal"           // 500: ours; the message is hidden
	Unavailable      Code = "unavailable"        // 503: overloaded or shutting down; RetryAfter when known
)

var statuses = map[Code]int{
	Invalid:          http.StatusBadRequest,
	Unauthorized:     http.StatusUnauthorized,
	LimitReached:     http.StatusPaymentRequired,
	Forbidden:        http.StatusForbidden,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Timeout:          http.StatusRequestTimeout,
	Conflict:         http.StatusConflict,
	TooLarge:         http.StatusRequestEntityTooLarge,
	Unsupported:      http.StatusUnsupportedMediaType,
	TooMany:          http.StatusTooManyRequests,
	Internal:         http.StatusInternalServerError,
	Unavailable:      http.StatusServiceUnavailable,
}

// Error is a refusal. The zero value is not useful; use New or Field.
type Error struct {
	Code       Code
	Message    string        // public, one sentence
	Field      string        // the part of the input at fault, "" when none
	RetryAfter time.Duration // for TooMany and Unavailable; 0 when unknown
	Detail     any           // shown as "error" beside the message; nil when the message says all
	cause      error
}

// Limit is the Detail of a refusal at a limit, of LimitReached and TooMany: what a person needs to know to do
// something about it.
type Limit struct {
	Limit     string  `json:"limit"`            // its name: "input", "device", "data send"
	Scope     string  `json:"scope"`            // whose it is: profile, device or account
	Used      float64 `json:"used"`             // in the unit of the wire
	Allowed   float64 `json:"allowed"`          // likewise
	Needed    float64 `json:"needed,omitempty"` // what the request asked for, where that is not 1
	ResetsAt  *string `json:"resets_at"`        // when it starts again, RFC 3339; null for what frees only by deletion
	RequestID string  `json:"request_id"`       // filled in when the answer is written
	Hint      string  `json:"hint"`             // what to do
}

// New makes a fault with a public message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Invalid fault about one part of the input. Its message is "<field>: <reason>", so that
// clients which show the message alone still name the field.
func Field(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: field + ": " + fmt.Sprintf(format, args...)}
}

// Because attaches the cause, which is logged and never shown.
func (e *Error) Because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// With attaches a detail that is shown to the client beside the message.
func (e *Error) With(detail any) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// After says when the same request may succeed.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// Status is the HTTP status of the fault's code.
func (e *Error) Status() int {
	if s, ok := statuses[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Of finds the fault in err. An error without one becomes Internal with a message that tells nothing.
// Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return &Error{Code: Internal, Message: "An internal error has occurred", cause: err}
}

// Is reports whether err carries a fault of the given code.
func Is(err error, code Code) bool {
	var f *Error
	return errors.As(err, &f) && f.Code == code
}
