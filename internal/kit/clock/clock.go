// Package clock gives the time as a dependency, so that tests can turn cycles and expire things.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time. Paddock keeps times as UTC milliseconds; see Millis.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock; see system.go.
var System Clock = system{}

type system struct{}

// Manual is a clock that stands still until it is moved.
type Manual struct {
	mu sync.Mutex
	t  time.Time
}

// NewManual returns a clock that shows t.
func NewManual(t time.Time) *Manual { return &Manual{t: t} }

// Now is the time last set.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.t
}

// Set moves the clock to t, forwards or backwards.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t = t
}

// Advance moves the clock by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t = m.t.Add(d)
}

// Millis is t as UTC milliseconds since 1970, the form in which the database keeps times.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// FromMillis is the inverse of Millis.
func FromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
