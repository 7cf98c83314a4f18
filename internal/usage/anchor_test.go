package usage_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// anchor is what a first upgrade does, now.
func (h *house) anchor(a id.Account, planName string, t plan.Terms) int64 {
	h.t.Helper()
	at := clock.Millis(h.clock.Now().Truncate(15 * time.Minute))
	err := h.db.Tx(context.Background(), func(ctx context.Context) error {
		if err := h.accounts.SetTerms(ctx, system, account.TermsChange{Account: a, Plan: planName, Terms: t.String(), Anchor: at, Message: "Upgraded"}); err != nil {
			return err
		}
		return h.usage.Anchor(ctx, system, a, at)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return at
}

func (h *house) set(s string) {
	h.t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		h.t.Fatal(err)
	}
	h.clock.Set(at)
}

func TestAnchorBeginsTheCycleAnew(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.set("2026-01-31T09:50:00Z")
		a := h.account("starter", "Europe/Berlin")
		p, q := h.profile(a), h.profile(a)
		take := func(n int64) {
			t.Helper()
			if ok, err := h.ingest(p, n); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		spend := func(n int64) {
			t.Helper()
			if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, n); err != nil {
				t.Fatal(err)
			}
		}
		take(100)
		spend(10)
		if err := h.usage.Take(ctx, p, plan.SMS, 2); err != nil {
			t.Fatal(err)
		}
		if err := h.usage.Take(ctx, q, plan.FileStorage, 7); err != nil {
			t.Fatal(err)
		}
		h.set("2026-01-31T10:02:00Z") // the quarter in which the anchor will be
		take(5)
		spend(3)
		h.set("2026-01-31T10:04:00Z")
		at := h.anchor(a, "starter", plan.Terms{})
		want := func(x id.Profile, from, to string, input, output, sms, records int64) {
			t.Helper()
			c := h.used(x)
			if c.CycleStart != millis(t, from) || c.CycleEnd != millis(t, to) {
				t.Fatal(clock.FromMillis(c.CycleStart), clock.FromMillis(c.CycleEnd))
			}
			if c.Used.Of(plan.Input) != input || c.Used.Of(plan.Output) != output || c.Used.Of(plan.SMS) != sms || c.Used.Of(plan.DataRecords) != records {
				t.Fatal(c.Used)
			}
			h.clean()
		}
		t.Run("what was used since the quarter began counts in the new cycle, stocks go on", func(t *testing.T) {
			if at != millis(t, "2026-01-31T10:00:00Z") {
				t.Fatal(at)
			}
			h.clean()
			if err := h.usage.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			// What was leased counts where it was granted: 13 of output in the cycle that ended.
			want(p, "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", 5, 0, 0, 105)
			want(q, "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", 0, 0, 0, 0)
			past := must(h.usage.PastCycles(ctx, p))
			if len(past) != 1 || past[0].CycleEnd != at || past[0].Used.Of(plan.Input) != 100 || past[0].Used.Of(plan.SMS) != 2 ||
				past[0].Used.Of(plan.DataRecords) != 100 || past[0].Used.Of(plan.Output) < 13 {
				t.Fatal(past)
			}
			spend(4)
			if err := h.usage.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			want(p, "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", 5, 4, 0, 105)
			if past := must(h.usage.PastCycles(ctx, p)); past[0].Used.Of(plan.Output) != 13 {
				t.Fatal(past[0].Used)
			}
		})
		t.Run("the end of a calendar month changes nothing", func(t *testing.T) {
			h.set("2026-02-05T00:00:00Z")
			take(1)
			want(p, "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", 6, 4, 0, 106)
		})
		t.Run("a profile made later is in the same cycle, and one that leaves is remembered until its end", func(t *testing.T) {
			if err := h.profiles.Delete(ctx, system, string(q), ""); err != nil {
				t.Fatal(err)
			}
			r := h.profile(a)
			want(r, "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", 0, 0, 0, 0)
		})
		t.Run("anniversaries turn it, month ends never drift", func(t *testing.T) {
			h.set("2026-02-28T09:59:59Z")
			take(1)
			h.set("2026-02-28T10:00:00Z")
			take(1)
			want(p, "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z", 1, 0, 0, 108)
			h.set("2026-04-01T00:00:00Z") // summer time began meanwhile
			want(p, "2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z", 0, 0, 0, 108)
			take(3)
			if _, end, err := h.usage.PoolOf(ctx, a); err != nil || end != millis(t, "2026-04-30T10:00:00Z") {
				t.Fatal(end, err)
			}
		})
		t.Run("another time zone moves no cycle", func(t *testing.T) {
			zone := "Pacific/Auckland"
			if _, err := h.accounts.Update(ctx, auth.Caller{Kind: auth.Session, AccountID: a}, account.Update{Timezone: &zone}); err != nil {
				t.Fatal(err)
			}
			take(1)
			want(p, "2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z", 4, 0, 0, 112)
		})
		t.Run("statistics by month are samples of cycles, as they were", func(t *testing.T) {
			h.set("2026-06-01T00:00:00Z") // nobody has turned two of them
			rows, err := usage.GetStatistics(h.usage, ctx, auth.Caller{Kind: auth.Session, AccountID: a, ProfileID: p, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount},
				string(p), usage.StatisticsParams{StartDate: "2026-01-01", EndDate: "2026-05-31", Periodicity: "month"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				at, input := r["time"], r["input"]
				if input == nil {
					input = 0.0
				}
				got = append(got, fmt.Sprint(at, " ", input))
			}
			want := []string{"2026-01-31T10:00:00.000Z 100", "2026-02-28T10:00:00.000Z 7", "2026-03-31T10:00:00.000Z 1",
				"2026-04-30T10:00:00.000Z 4", "2026-05-31T10:00:00.000Z 0", "2026-06-01T00:00:00.000Z 0"}
			if !slices.Equal(got, want) {
				t.Fatal(got)
			}
			h.clean()
		})
	})
}

// TestAnchorWithLeasesElsewhere anchors while another node holds leases of the old cycle and does not hear of it.
func TestAnchorWithLeasesElsewhere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.set("2026-03-14T12:07:00Z")
		a := h.account("starter", "UTC")
		p := h.profile(a)
		if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, 50); err != nil { // takes some in advance
			t.Fatal(err)
		}
		if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, 1); err != nil {
			t.Fatal(err)
		}
		here := h.usage
		h.start()
		h.anchor(a, "scale", plan.Terms{})
		h.clean()
		h.clock.Advance(time.Hour) // the other node is slow, and then dies or tells
		if err := here.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		h.clean()
		past := must(h.usage.PastCycles(ctx, p))
		if c := h.used(p); len(past) != 1 || past[0].Used.Of(plan.Output) != 51 || c.Used.Of(plan.Output) != 0 {
			t.Fatal(past, c.Used)
		}
	})
}

func TestAnchorAtTheBeginningOfACycle(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.set("2026-03-01T00:04:00Z")
		a := h.account("scale", "UTC")
		p, gone := h.profile(a), h.profile(a)
		if ok, err := h.ingest(p, 9); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if ok, err := h.ingest(gone, 30); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := h.profiles.Delete(ctx, system, string(gone), ""); err != nil {
			t.Fatal(err)
		}
		h.clean()
		h.anchor(a, "scale", plan.Terms{})
		c := h.used(p)
		if c.CycleStart != millis(t, "2026-03-01T00:00:00Z") || c.CycleEnd != millis(t, "2026-04-01T00:00:00Z") || c.Used.Of(plan.Input) != 9 || c.Allowed.Of(plan.Input) != 1_000_000-30 {
			t.Fatal(c)
		}
		if past := must(h.usage.PastCycles(ctx, p)); len(past) != 0 {
			t.Fatal(past)
		}
		h.clean()
	})
}

func millis(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return clock.Millis(at)
}

// TestAnchorWhateverHappens anchors accounts in the midst of random use on two nodes: every figure agrees afterwards, and
// what was used before and since adds up to what was used.
func TestAnchorWhateverHappens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		seed := rand.Uint64()
		t.Log("seed", seed)
		rnd := rand.New(rand.NewPCG(seed, 2))
		for range 6 {
			h.clock.Advance(time.Duration(rnd.IntN(40*24)) * time.Hour)
			a := h.account("scale", []string{"UTC", "Asia/Kolkata", "Pacific/Auckland"}[rnd.IntN(3)])
			ps := []id.Profile{h.profile(a), h.profile(a), h.profile(a)}
			nodes := []*usage.Service{h.usage}
			h.start()
			nodes = append(nodes, h.usage)
			var spent plan.Amounts
			use := func(times int) {
				t.Helper()
				for range times {
					h.clock.Advance(time.Duration(rnd.IntN(12)) * time.Minute)
					p, n := ps[rnd.IntN(len(ps))], int64(1+rnd.IntN(50))
					node := nodes[rnd.IntN(2)]
					var err error
					svc := plan.Output
					switch rnd.IntN(5) {
					case 0:
						err = node.SpendFor(ctx, p, sensor, plan.Output, n)
					case 1:
						svc, n = plan.Analysis, 3
						err = node.Take(ctx, p, svc, n)
					case 2:
						err, n = node.Flush(ctx), 0
					default:
						svc = plan.Input
						err = node.TakeOne(ctx, usage.IngestTake{Profile: p, Input: n, Records: n}, usage.DeviceInput{Profile: p, Device: sensor, Input: n})
					}
					if err != nil {
						t.Fatal(err)
					}
					spent[plan.Index(svc)] += n
				}
			}
			use(25)
			if rnd.IntN(2) == 0 {
				if err := h.profiles.Delete(ctx, system, string(ps[2]), ""); err != nil {
					t.Fatal(err)
				}
				ps = ps[:2]
				h.clean()
			}
			at := h.anchor(a, "scale", plan.Terms{Services: map[plan.Service]int64{plan.Input: 3_000_000}})
			h.clean()
			use(15)
			for _, n := range nodes {
				if err := n.Stop(ctx); err != nil {
					t.Fatal(err)
				}
			}
			h.clean()
			var sum plan.Amounts
			for _, o := range must(h.profiles.Ownerships(ctx, a, 0, math.MaxInt64)) {
				cs := must(h.usage.PastCycles(ctx, o.Profile))
				if o.Until == 0 {
					c := h.used(o.Profile)
					if c.CycleStart < at {
						t.Fatal("a cycle began before the anchor")
					}
					cs = append(cs, c)
				}
				for _, c := range cs {
					for i := range sum {
						sum[i] += c.Used[i]
					}
				}
			}
			for _, svc := range []plan.Service{plan.Input, plan.Output, plan.Analysis} {
				if sum.Of(svc) != spent.Of(svc) {
					t.Fatalf("%s: %d in all cycles, %d were used", svc, sum.Of(svc), spent.Of(svc))
				}
			}
		}
	})
}
