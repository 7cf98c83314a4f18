package usage_test

import (
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// TestClockStepsBackOverACycle turns the counter of one profile and steps back into the cycle that was over, where
// the other's still is: what the first used of that cycle cannot be used again by the second.
func TestClockStepsBackOverACycle(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, move := range map[string]func(a id.Account, p, q id.Profile){
			"by an allocation": func(a id.Account, p, q id.Profile) { h.limit(a, q, `"input":999999`) },
			"by drawing":       func(a id.Account, p, q id.Profile) { h.policy(q, policies{plan.Input: usage.Pool}) },
			"by being alone": func(a id.Account, p, q id.Profile) {
				if err := h.profiles.Delete(t.Context(), system, string(p), ""); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				a := h.account("starter", "UTC") // input: 1,000,000
				p, q := h.profile(a), h.profile(a)
				h.limit(a, q, `"input":100000`)
				h.limit(a, p, `"input":900000`)
				if ok, err := h.ingestOf(p, 700_000, 0); err != nil || !ok {
					t.Fatal(ok, err)
				}
				h.limit(a, p, `"input":1`)
				end := time.UnixMilli(h.used(p).CycleEnd)
				h.clock.Set(end.Add(time.Second))
				if ok, err := h.ingestOf(p, 1, 0); err != nil || !ok { // turns it
					t.Fatal(ok, err)
				}
				h.clock.Set(end.Add(-time.Second))
				move(a, p, q)
				for range 9 {
					ok, err := h.ingestOf(q, 100_000, 0)
					if err != nil {
						t.Fatal(err)
					}
					if fits, refusal := h.usage.RefusalOf(t.Context(), usage.IngestTake{Profile: q, Input: 100_000}); fits && !ok {
						t.Fatalf("refused although it fits: %v", refusal)
					}
				}
				past, err := h.usage.PastCycles(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				c, err := h.usage.Current(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				sums := map[int64]int64{c.CycleStart: c.Used.Of(plan.Input)}
				for _, c := range past {
					sums[c.CycleStart] += c.Used.Of(plan.Input)
				}
				for at, n := range sums {
					if n > 1_000_000 {
						t.Errorf("the account used %d of input in the cycle from %s, it has 1,000,000", n, time.UnixMilli(at).UTC())
					}
				}
				h.clean()
			})
		}
	})
}

// TestClockStepsBackOverWhatLeft steps back into a cycle of which a deleted profile had used a part: it stays used.
func TestClockStepsBackOverWhatLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.account("starter", "UTC") // input: 1,000,000
		p, q := h.profile(a), h.profile(a)
		h.limit(a, q, `"input":100000`)
		h.limit(a, p, `"input":900000`)
		if ok, err := h.ingestOf(p, 700_000, 0); err != nil || !ok {
			t.Fatal(ok, err)
		}
		end := time.UnixMilli(h.used(p).CycleEnd)
		if err := h.profiles.Delete(t.Context(), system, string(p), ""); err != nil {
			t.Fatal(err)
		}
		h.clock.Set(end.Add(time.Second))
		if err := h.usage.Reap(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.Set(end.Add(-time.Second))
		h.clean()
		h.profile(a) // takes from what is free
		for range 10 {
			if _, err := h.ingestOf(q, 100_000, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.used(q).Used.Of(plan.Input); n > 300_000 {
			t.Errorf("%d of input used where 300,000 are left", n)
		}
		h.clean()
	})
}
