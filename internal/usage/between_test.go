package usage_test

import (
	"context"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/plan"
)

func TestUsedBetween(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p, q := h.profile(a), h.profile(a)
		noon := clock.Millis(h.clock.Now())
		const hour = int64(time.Hour / time.Millisecond)
		for _, n := range []int64{5, 7} {
			if _, err := h.ingest(p, n); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(40 * time.Minute)
		}
		if _, err := h.ingest(q, 3); err != nil { // stays open in its counter
			t.Fatal(err)
		}
		between := func(who id.Profile, bounds ...int64) []plan.Amounts {
			t.Helper()
			out, err := h.usage.UsedBetween(ctx, []id.Profile{p, q}, bounds)
			if err != nil {
				t.Fatal(err)
			}
			return out[who]
		}
		check := func(what string, got []plan.Amounts, want ...[2]int64) {
			t.Helper()
			for i, w := range want {
				if len(got) != len(want) || got[i].Of(plan.Input) != w[0] || got[i].Of(plan.DataRecords) != w[1] {
					t.Errorf("%s: %v, want %v", what, got, want)
					return
				}
			}
		}
		check("hours with the open quarter", between(p, noon, noon+hour, noon+2*hour), [2]int64{12, 12}, [2]int64{0, 12})
		check("what is open", between(q, noon, noon+hour, noon+2*hour), [2]int64{0, 0}, [2]int64{3, 3})
		check("a level from before", between(p, noon+hour, noon+2*hour), [2]int64{0, 12})
		check("a level open from before", between(q, noon+2*hour, noon+3*hour), [2]int64{0, 3})
		if err := h.profiles.Delete(ctx, auth.Caller{Kind: auth.Session, AccountID: a, Permission: auth.Full, Reach: auth.ReachAccount}, string(q), "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		check("of a profile that was deleted", between(q, noon, noon+hour, noon+2*hour), [2]int64{0, 0}, [2]int64{3, 3})
		if at, err := h.usage.Settled(ctx); err != nil || at != clock.Millis(h.clock.Now())-5*60*1000 {
			t.Errorf("the ledger is settled up to %d, %v", at, err)
		}
	})
}
