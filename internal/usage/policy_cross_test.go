package usage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// TestDrawsAndAllocationsDoNotMeetCrosswise draws on the pool while its owner allocates: on PostgreSQL two that locked
// crosswise would stand for a second, and the round with everybody in it.
func TestDrawsAndAllocationsDoNotMeetCrosswise(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, rest := h.profile(a), h.profile(a)
		h.leave(a, rest, plan.Input, 400_000, map[id.Profile]int64{p: 10})
		h.policy(p, policies{plan.Input: usage.Pool})
		if !h.send(p, 10) {
			t.Fatal("the allocation was refused")
		}
		draw := func(int) error { return h.usage.Take(ctx, p, plan.Input, 1) }
		allocate := func(i int) error { return h.post(a, fmt.Sprintf(`[{"profile":%q,"input":%d}]`, p, 10+i%2)) }
		// A machine that is busy may be slow once; who locks crosswise is slow each time.
		var longest time.Duration
		for range 3 {
			if longest = longestOf(t, 1500*time.Millisecond, draw, draw, allocate); longest < 800*time.Millisecond {
				return
			}
		}
		t.Errorf("the longest took %v", longest)
	})
}

// longestOf repeats each of some calls for a while, all at once, and returns how long the longest took.
func longestOf(t *testing.T, span time.Duration, calls ...func(i int) error) time.Duration {
	until := time.Now().Add(span)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var longest time.Duration
	for _, call := range calls {
		wg.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				began := time.Now()
				if err := call(i); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				longest = max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return longest
}
