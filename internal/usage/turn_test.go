package usage_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// TestCycleTurnsUnderEverybody takes, gives back, locks and reads while cycles end: whoever meets the counter first
// turns it, and nobody else is refused for that.
func TestCycleTurnsUnderEverybody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p := h.profile(a)
		h.profile(a)
		h.limit(a, p, `"input":1000,"output":1000,"data_records":1000`)
		if err := h.usage.Take(ctx, p, plan.DataRecords, 900); err != nil {
			t.Fatal(err)
		}
		const most = 25
		for range most {
			h.clock.Advance(32 * 24 * time.Hour)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					err := h.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
						switch i % 4 {
						case 0:
							return h.usage.Release(ctx, p, plan.DataRecords, 1)
						case 1:
							return h.usage.Take(ctx, p, plan.DataRecords, 1)
						case 2:
							return h.usage.Take(ctx, p, plan.SMS, 1)
						}
						return nil
					})
					if err != nil {
						t.Errorf("%d: %v", i%4, err)
					}
				})
				if i%4 == 3 {
					all.Go(func() {
						if err := h.usage.TakeOne(ctx, usage.IngestTake{Profile: p, Input: 1, Records: 1}, usage.DeviceInput{Profile: p, Device: "d", Input: 1}); err != nil {
							t.Errorf("ingest: %v", err)
						}
					})
					all.Go(func() {
						if err := h.usage.Spend(ctx, p, plan.Output, 1); err != nil {
							t.Error(err)
						}
					})
				}
			}
			all.Wait()
			if t.Failed() {
				return
			}
			if c := h.used(p); c.Used.Of(plan.Input) != 2 || c.Used.Of(plan.SMS) != 2 || c.Used.Of(plan.Output) != 2 {
				t.Fatal(c.Used)
			}
		}
		if n := h.used(p).Used.Of(plan.DataRecords); n != 900+2*most {
			t.Fatal(n)
		}
		h.clean()
	})
}
