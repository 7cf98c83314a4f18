package data

import (
	"math/rand/v2"
	"sync"

	"paddock/internal/kit/clock"
)

// numbers gives points their numbers: strictly increasing, the millisecond of storing first, so that a
// point's number is also its age and the order of storing. 41 bits count milliseconds since 2020, twelve the
// points of a millisecond, ten tell processes apart that share a database. Should two processes draw the same
// ten bits and meet in one millisecond, the primary key refuses the later and redraw is called.
type numbers struct {
	clock clock.Clock
	mu    sync.Mutex
	last  int64 // the number last given
	tag   int64
}

const (
	numberEpoch = 1577836800000 // 2020-01-01 UTC
	tagBits     = 10
	countBits   = 12
	timeShift   = tagBits + countBits
)

func newNumbers(c clock.Clock) *numbers {
	return &numbers{clock: c, tag: rand.Int64N(1 << tagBits)}
}

// take returns the first of n numbers; the others follow at the distance step.
func (s *numbers) take(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(s.clock.Now().UnixMilli()-numberEpoch, 1)<<timeShift | s.tag
	if first <= s.last {
		first = s.last + step
	}
	s.last = first + int64(n-1)*step
	return first
}

// step is the distance between two numbers of a process. Counting past the last of a millisecond runs into
// the next one, which is then given later.
const step = 1 << tagBits

// seed makes numbers larger than the largest that is stored, whatever the clock says.
func (s *numbers) seed(stored int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored > s.last {
		s.last = stored>>tagBits<<tagBits | s.tag
	}
}

// redraw chooses other bits to tell this process apart.
func (s *numbers) redraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag = rand.Int64N(1 << tagBits)
	s.last = (s.last>>tagBits+1)<<tagBits | s.tag
}

// millisOf is when a number was given, in UTC milliseconds.
func millisOf(no int64) int64 { return no>>timeShift + numberEpoch }
