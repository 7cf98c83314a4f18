package usage_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

// TestRefusalsTellTheTruth refuses while somebody else makes room: what a refusal says must not fit does not fit,
// and what has begun to fit is taken.
func TestRefusalsTellTheTruth(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p := h.profile(a)
		h.profile(a)
		h.limit(a, p, `"data_records":10`)
		if err := h.usage.Take(ctx, p, plan.DataRecords, 9); err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(700 * time.Millisecond)
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for time.Now().Before(until) {
					err := h.usage.Take(ctx, p, plan.DataRecords, 1)
					if err == nil {
						err = h.usage.Release(ctx, p, plan.DataRecords, 1)
					}
					if err == nil {
						continue
					}
					l, ok := fault.Of(err).Detail.(fault.Limit)
					if !ok {
						t.Error(err)
						return
					}
					if l.Used+l.Needed <= l.Allowed {
						t.Errorf("refused although it fits: %v", err)
						return
					}
				}
			})
		}
		all.Wait()
		h.clean()
	})
}
