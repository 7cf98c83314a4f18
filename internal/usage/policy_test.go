package usage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

type policies = map[plan.Service]usage.Policy

func (h *house) policy(p id.Profile, changes policies) {
	h.t.Helper()
	ctx := context.Background()
	pr, err := h.profiles.Get(ctx, p)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.usage.SetPolicies(ctx, auth.Caller{Kind: auth.Session, AccountID: pr.Account}, pr, changes); err != nil {
		h.t.Fatal(err)
	}
}

// send ingests n points and says whether they were accepted.
func (h *house) send(p id.Profile, n int64) bool {
	h.t.Helper()
	ok, err := h.ingest(p, n)
	if err != nil {
		h.t.Fatal(err)
	}
	return ok
}

// read spends n of output and says whether it was answered.
func (h *house) read(p id.Profile, n int64) bool {
	h.t.Helper()
	err := h.usage.SpendFor(context.Background(), p, sensor, plan.Output, n)
	if err != nil && !fault.Is(err, fault.LimitReached) {
		h.t.Fatal(err)
	}
	return err == nil
}

// pool is a service of an account's pool.
func (h *house) pool(a id.Account, svc plan.Service) usage.PoolRow {
	h.t.Helper()
	rows, _, err := h.usage.PoolOf(context.Background(), a)
	if err != nil {
		h.t.Fatal(err)
	}
	return rows[plan.Index(svc)]
}

// leave leaves n of a service in the pool of an account of the plan scale, outside of the others' allocations.
func (h *house) leave(a id.Account, rest id.Profile, svc plan.Service, n int64, others map[id.Profile]int64) {
	h.t.Helper()
	sum := n
	var rows []string
	for p, alloc := range others {
		sum += alloc
		rows = append(rows, fmt.Sprintf(`{"profile":%q,%q:%d}`, p, svc, alloc))
	}
	rows = append(rows, fmt.Sprintf(`{"profile":%q,%q:%d}`, rest, svc, plan.Builtin().Plans()[3].Pool.Of(svc)-sum))
	if err := h.post(a, "["+strings.Join(rows, ",")+"]"); err != nil {
		h.t.Fatal(err)
	}
}

func TestPoolPolicyEndsExactlyAtThePool(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, q, rest := h.profile(a), h.profile(a), h.profile(a)
		for _, svc := range []plan.Service{plan.Input, plan.Output} {
			h.leave(a, rest, svc, 700, map[id.Profile]int64{p: 200, q: 100})
		}
		h.limit(a, rest, `"sms":0`)
		h.limit(a, p, `"data_records":100000`)
		h.limit(a, q, `"data_records":100000`)
		for _, x := range []id.Profile{p, q} {
			h.policy(x, policies{plan.Input: usage.Pool, plan.Output: usage.Pool})
		}
		var sent, answered atomic.Int64
		var wg sync.WaitGroup
		for g := range 12 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 7))
				for range 40 {
					x, n := []id.Profile{p, q}[rnd.IntN(2)], 1+rnd.Int64N(9)
					if ok, err := h.ingest(x, n); err != nil {
						t.Error(err)
					} else if ok {
						sent.Add(n)
					}
					switch err := h.usage.SpendFor(ctx, x, sensor, plan.Output, n); {
					case err == nil:
						answered.Add(n)
					case !fault.Is(err, fault.LimitReached):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		// Nothing of the reads is leased any more when what is left is asked for unit by unit.
		if err := h.usage.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			for _, x := range []id.Profile{p, q} {
				if h.send(x, 1) {
					sent.Add(1)
				}
				if h.read(x, 1) {
					answered.Add(1)
				}
			}
		}
		if sent.Load() != 1000 || answered.Load() != 1000 {
			t.Errorf("accepted %d and answered %d, of 1000", sent.Load(), answered.Load())
		}
		for _, svc := range []plan.Service{plan.Input, plan.Output} {
			if n := h.used(p).Used.Of(svc) + h.used(q).Used.Of(svc); n != 1000 {
				t.Errorf("%d of %s counted", n, svc)
			}
			if row := h.pool(a, svc); row.Free != 0 || row.Used != 1000 || row.Over != 0 {
				t.Errorf("%+v", row)
			}
		}
		_, err := h.usage.RefusalOf(ctx, usage.IngestTake{Profile: p, Input: 1, Records: 1})
		if f := fault.Of(err); !strings.HasPrefix(f.Message, "You have exceeded the maximum limit of Data Input (200): ") || !strings.Contains(f.Message, "0 free in the account's pool") {
			t.Error(f.Message)
		}
		if ok, _ := h.ingest(rest, 5); !ok {
			t.Error("a profile that has room was refused")
		}
		h.clean()
	})
}

func TestWhatWasDrawnStaysUsed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, q, rest := h.profile(a), h.profile(a), h.profile(a)
		h.leave(a, rest, plan.Input, 100, map[id.Profile]int64{p: 10, q: 20})
		h.policy(p, policies{plan.Input: usage.Pool})

		t.Run("a request that draws is accepted whole", func(t *testing.T) {
			if !h.send(p, 60) {
				t.Fatal("refused")
			}
			if row := h.pool(a, plan.Input); row.Free != 50 || row.Used != 60 {
				t.Fatalf("%+v", row)
			}
			if c := h.used(p); c.Allowed.Of(plan.Input) != 10 || c.Used.Of(plan.Input) != 60 || c.Over.Of(plan.Input) != 0 {
				t.Fatal(c)
			}
		})
		t.Run("one that the pool cannot hold is refused whole", func(t *testing.T) {
			if h.send(p, 51) || h.used(p).Used.Of(plan.Input) != 60 {
				t.Fatal(h.used(p).Used)
			}
		})
		t.Run("what was drawn cannot be allocated to somebody else", func(t *testing.T) {
			if err := h.post(a, fmt.Sprintf(`[{"profile":%q,"input":71}]`, q)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "already used") {
				t.Fatal(err)
			}
			h.limit(a, q, `"input":70`)
			if row := h.pool(a, plan.Input); row.Free != 0 {
				t.Fatalf("%+v", row)
			}
			if h.send(p, 1) {
				t.Fatal("drew what is allocated")
			}
		})
		t.Run("lowering its own allocation frees nothing that was used", func(t *testing.T) {
			h.limit(a, p, `"input":0`)
			if row := h.pool(a, plan.Input); row.Free != 0 {
				t.Fatalf("%+v", row)
			}
			h.limit(a, p, `"input":10`)
		})
		t.Run("a raised allocation covers what was drawn first", func(t *testing.T) {
			h.limit(a, q, `"input":20`)
			h.limit(a, p, `"input":70`)
			if !h.send(p, 10) {
				t.Fatal("refused")
			}
			if row := h.pool(a, plan.Input); row.Free != 40 {
				t.Fatalf("%+v", row)
			}
		})
		t.Run("a profile that leaves takes with it what it drew", func(t *testing.T) {
			if !h.send(p, 40) || h.send(p, 1) {
				t.Fatal(h.used(p).Used)
			}
			if err := h.profiles.Delete(ctx, system, string(p), ""); err != nil {
				t.Fatal(err)
			}
			if row := h.pool(a, plan.Input); row.Free != 0 || row.Departed != 110 || row.Allocated != 1_000_000-110 {
				t.Fatalf("%+v", row)
			}
			h.policy(q, policies{plan.Input: usage.Pool})
			if !h.send(q, 20) || h.send(q, 1) {
				t.Fatal(h.used(q).Used)
			}
			h.clean()
		})
		t.Run("the next cycle starts with the allocations and the whole rest", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
			if row := h.pool(a, plan.Input); row.Free != 110 || row.Used != 0 || row.Departed != 0 {
				t.Fatalf("%+v", row)
			}
			if !h.send(q, 130) || h.send(q, 1) {
				t.Fatal(h.used(q).Used)
			}
		})
		t.Run("blocking holds from the answer on", func(t *testing.T) {
			h.limit(a, rest, `"input":900000`)
			h.policy(q, policies{plan.Input: usage.Block})
			if h.send(q, 1) {
				t.Fatal("accepted")
			}
			h.policy(q, policies{plan.Input: usage.Pool})
			if !h.send(q, 1) {
				t.Fatal("refused")
			}
		})
		t.Run("an account's only profile has the pool already, and draws nothing more", func(t *testing.T) {
			b := h.account("scale", "UTC")
			x := h.profile(b)
			h.policy(x, policies{plan.SMS: usage.Pool})
			if err := h.usage.Take(ctx, x, plan.SMS, 10); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Take(ctx, x, plan.SMS, 1); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
		})
		t.Run("what is stored beyond the allocation goes back to the pool when it is deleted", func(t *testing.T) {
			h.leave(a, rest, plan.DataRecords, 100, map[id.Profile]int64{q: h.used(q).Used.Of(plan.DataRecords)})
			h.policy(q, policies{plan.DataRecords: usage.Pool})
			free := h.pool(a, plan.DataRecords).Free
			if err := h.usage.Take(ctx, q, plan.DataRecords, free); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Take(ctx, q, plan.DataRecords, 1); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
			if err := h.usage.Release(ctx, q, plan.DataRecords, 7); err != nil {
				t.Fatal(err)
			}
			if n := h.pool(a, plan.DataRecords).Free; n != 7 {
				t.Fatal(n)
			}
		})
		h.clean()
	})
}

func TestOverageIsCountedApart(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, rest := h.profile(a), h.profile(a)
		h.leave(a, rest, plan.Input, 0, map[id.Profile]int64{p: 10})
		h.leave(a, rest, plan.Output, 0, map[id.Profile]int64{p: 10})
		h.limit(a, p, `"data_records":1000`)
		h.policy(p, policies{plan.Input: usage.Overage, plan.Output: usage.Overage})
		of := func(svc plan.Service) [2]int64 { c := h.used(p); return [2]int64{c.Used.Of(svc), c.Over.Of(svc)} }

		t.Run("a request is accepted whole, and marked as far as it does not fit", func(t *testing.T) {
			if !h.send(p, 8) || !h.send(p, 5) {
				t.Fatal("refused")
			}
			if got := of(plan.Input); got != [2]int64{13, 3} {
				t.Fatal(got)
			}
			if row := h.pool(a, plan.Input); row.Used != 10 || row.Over != 3 || row.Free != 0 {
				t.Fatalf("%+v", row)
			}
		})
		t.Run("reads too, by one device and by many at once", func(t *testing.T) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 3 {
						if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, 2); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if got := of(plan.Output); got != [2]int64{48, 38} {
				t.Fatal(got)
			}
			h.clean()
		})
		t.Run("a larger allocation is used before anything more is marked", func(t *testing.T) {
			h.limit(a, rest, `"input":999000`)
			h.limit(a, p, `"input":15`)
			if got := of(plan.Input); got != [2]int64{13, 3} { // what was marked stays marked
				t.Fatal(got)
			}
			if !h.send(p, 6) {
				t.Fatal("refused")
			}
			if got := of(plan.Input); got != [2]int64{19, 4} {
				t.Fatal(got)
			}
		})
		t.Run("lowering marks nothing afterwards, only what comes", func(t *testing.T) {
			h.limit(a, p, `"input":5`)
			if got := of(plan.Input); got != [2]int64{19, 4} {
				t.Fatal(got)
			}
			if row := h.pool(a, plan.Input); row.Used != 15 || row.Free != 1_000_000-999_000-15 {
				t.Fatalf("%+v", row)
			}
			if !h.send(p, 2) {
				t.Fatal("refused")
			}
			if got := of(plan.Input); got != [2]int64{21, 6} {
				t.Fatal(got)
			}
		})
		t.Run("blocking again refuses and hides nothing", func(t *testing.T) {
			h.policy(p, policies{plan.Input: usage.Block})
			if h.send(p, 1) {
				t.Fatal("accepted")
			}
			_, err := h.usage.RefusalOf(ctx, usage.IngestTake{Profile: p, Input: 1, Records: 1})
			if !strings.HasPrefix(fault.Of(err).Message, "You have exceeded the maximum limit of Data Input (5): 21 used, 6 of them as overage, 1 more needed; ") {
				t.Fatal(err)
			}
			h.policy(p, policies{plan.Input: usage.Overage})
		})
		t.Run("what blocks is named, not what would be marked", func(t *testing.T) {
			h.limit(a, p, `"data_records":21`)
			if h.send(p, 1) {
				t.Fatal("stored beyond the limit")
			}
			_, err := h.usage.RefusalOf(ctx, usage.IngestTake{Profile: p, Input: 1, Records: 1})
			if !strings.HasPrefix(fault.Of(err).Message, "You have exceeded the maximum limit of Data Records (21): 21 used") {
				t.Fatal(err)
			}
			if got := of(plan.Input); got != [2]int64{21, 6} {
				t.Fatal("a refused request marked something", got)
			}
		})
		t.Run("statistics show it beside what was used", func(t *testing.T) {
			h.clock.Advance(time.Minute)
			got := h.statistics(p, params{Periodicity: "month"})
			h.want("used", []any{got[0]["input"], got[0]["output"]}, "[21 48]")
			h.want("overage", got[0]["overage"], "map[input:6 output:38]")
			at := func(all usage.AccountAnswer) int {
				for i, x := range all.Profiles {
					if x.ID == p {
						return i
					}
				}
				return -1
			}
			all := h.overview(a, params{})
			x := all.Profiles[at(all)]
			h.want("of the account's month", x.Overage, "map[input:6 output:38]")
			h.want("in all", all.Total.Overage, "map[input:6 output:38]")
			all = h.overview(a, params{Date: "2026-03-14"})
			h.want("of the day", all.Profiles[at(all)].Overage, "map[input:6 output:38]")
		})
		t.Run("a new cycle begins without, and the past one keeps it", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
			if got := of(plan.Input); got != [2]int64{0, 0} {
				t.Fatal(got)
			}
			h.limit(a, p, `"data_records":1000`)
			if !h.send(p, 7) {
				t.Fatal("refused")
			}
			if got := of(plan.Input); got != [2]int64{7, 2} {
				t.Fatal(got)
			}
			past, err := h.usage.PastCycles(ctx, p)
			if err != nil || len(past) != 1 || past[0].Over.Of(plan.Input) != 6 || past[0].Used.Of(plan.Input) != 21 || past[0].Allowed.Of(plan.Input) != 5 {
				t.Fatal(past, err)
			}
			h.clock.Advance(time.Minute)
			got := h.statistics(p, params{StartDate: "2026-03-01", Periodicity: "month"})
			h.want("by month", []any{got[0]["overage"], got[1]["overage"]}, "[map[input:6 output:38] map[input:2]]")
			h.clean()
		})
		t.Run("folding the ledger changes no sum", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC))
			if err := h.usage.Fold(ctx); err != nil {
				t.Fatal(err)
			}
			got := h.statistics(p, params{StartDate: "2026-03-01", EndDate: "2026-04-30", Periodicity: "month"})
			h.want("by month", []any{got[0]["overage"], got[1]["overage"]}, "[map[input:6 output:38] map[input:2]]")
			h.clean()
		})
		t.Run("a profile that leaves has used of the pool what was not marked", func(t *testing.T) {
			if !h.send(p, 9) {
				t.Fatal("refused")
			}
			if err := h.profiles.Delete(ctx, system, string(p), ""); err != nil {
				t.Fatal(err)
			}
			if row := h.pool(a, plan.Input); row.Departed != 5 || row.Over != 0 {
				t.Fatalf("%+v", row)
			}
			h.clean()
		})
	})
}

func TestOverageOfAStock(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, rest := h.profile(a), h.profile(a)
		h.leave(a, rest, plan.DataRecords, 100, map[id.Profile]int64{p: 10})
		h.policy(p, policies{plan.DataRecords: usage.Overage})
		want := func(held, over int64) {
			t.Helper()
			c := h.used(p)
			if c.Used.Of(plan.DataRecords) != held || c.Over.Of(plan.DataRecords) != over {
				t.Errorf("%d held, %d of them over; want %d and %d", c.Used.Of(plan.DataRecords), c.Over.Of(plan.DataRecords), held, over)
			}
			h.clean()
		}
		release := func(n int64) {
			t.Helper()
			if err := h.usage.Release(ctx, p, plan.DataRecords, n); err != nil {
				t.Error(err)
			}
		}
		h.send(p, 8)
		h.send(p, 12)
		want(20, 10)
		t.Run("deleting frees what is over first", func(t *testing.T) {
			release(4)
			want(16, 6)
			release(8)
			want(8, 0)
		})
		t.Run("a larger limit takes in what is over", func(t *testing.T) {
			h.send(p, 22)
			want(30, 20)
			h.limit(a, p, `"data_records":25`)
			want(30, 5)
			h.limit(a, p, `"data_records":40`)
			want(30, 0)
		})
		t.Run("a smaller one leaves what was stored within it", func(t *testing.T) {
			h.limit(a, p, `"data_records":12`)
			want(30, 0)
			h.send(p, 3)
			want(33, 3)
			release(5)
			want(28, 0)
		})
		t.Run("it stays over in the next cycle, as long as it is there", func(t *testing.T) {
			h.send(p, 5)
			want(33, 5)
			h.clock.Set(time.Date(2026, 4, 3, 9, 0, 0, 0, time.UTC))
			want(33, 5)
			h.send(p, 1)
			want(34, 6)
			h.clock.Advance(time.Minute)
			got := h.statistics(p, params{Date: "2026-04-03"})
			h.want("in the morning and now", []any{got[0]["overage"], got[9]["overage"]}, "[map[data_records:5] map[data_records:6]]")
			release(34)
			want(0, 0)
		})
		t.Run("an only profile takes it in", func(t *testing.T) {
			h.send(p, 20)
			want(20, 8)
			if err := h.profiles.Delete(ctx, system, string(rest), ""); err != nil {
				t.Fatal(err)
			}
			want(20, 0)
		})
	})
}

func TestPoliciesAreAudited(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		h.policy(p, policies{plan.Input: usage.Pool, plan.Output: usage.Block})
		h.policy(p, policies{plan.Input: usage.Pool})
		h.policy(p, policies{plan.Input: usage.Overage, plan.SMS: usage.Overage})
		events, err := h.log.List(ctx, p, audit.Filter{Find: "policies"})
		if err != nil || len(events) != 2 {
			t.Fatal(events, err)
		}
		if e := events[1]; e.Who != a || string(e.Before) != `{"input":"pool","sms":"block"}` || string(e.After) != `{"input":"overage","sms":"overage"}` {
			t.Error(e.Who, string(e.Before), string(e.After))
		}
		if err := h.usage.SetPolicies(ctx, system, profile.Profile{ID: id.New[id.Profile](), Account: a}, policies{plan.Input: usage.Pool}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}

// TestTheRulesHoldWhateverHappens lets three profiles with changing policies and allocations take, read, release and
// leave at random, and looks at the sums after every step.
func TestTheRulesHoldWhateverHappens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		rnd := rand.New(rand.NewPCG(3, 1415))
		a := h.account("scale", "UTC")
		ps := []id.Profile{h.profile(a), h.profile(a), h.profile(a)}
		services := []plan.Service{plan.SMS, plan.RunUsers} // a flow and a stock, 10 in the pool of each
		now := h.clock.Now()
		for step := range 120 {
			i := rnd.IntN(len(ps))
			p, svc, n := ps[i], services[rnd.IntN(2)], 1+rnd.Int64N(6)
			var err error
			what := ""
			switch k := rnd.IntN(12); {
			case k < 5:
				what, err = "take", h.usage.Take(ctx, p, svc, n)
			case k < 7:
				what, err = "spend", h.usage.Spend(ctx, p, plan.SMS, n)
			case k < 8:
				what = "release"
				if held := h.used(p).Used.Of(plan.RunUsers); held > 0 {
					err = h.usage.Release(ctx, p, plan.RunUsers, 1+rnd.Int64N(held))
				}
			case k < 9:
				what = "post"
				err = h.post(a, fmt.Sprintf(`[{"profile":%q,%q:%d}]`, p, svc, rnd.IntN(9)))
			case k < 11:
				what = "policy"
				h.policy(p, policies{svc: []usage.Policy{usage.Block, usage.Pool, usage.Overage}[rnd.IntN(3)]})
			case rnd.IntN(2) == 0:
				what = "leave"
				if err = h.profiles.Delete(ctx, system, string(p), ""); err == nil {
					var fresh profile.Profile
					fresh, err = h.profiles.Create(ctx, system, profile.CreateInput{Name: "App", Account: a})
					if err != nil {
						t.Fatal(err)
					}
					ps[i] = fresh.ID
				}
			default:
				what = "turn"
				if rnd.IntN(3) == 0 {
					now = now.AddDate(0, 1, 0)
					h.clock.Set(now)
				}
			}
			if err != nil && !fault.Is(err, fault.LimitReached) && !fault.Is(err, fault.Invalid) {
				t.Fatal(what, err)
			}
			for _, svc := range services {
				row := h.pool(a, svc)
				var used, over int64
				for _, p := range ps {
					c := h.used(p)
					used, over = used+c.Used.Of(svc), over+c.Over.Of(svc)
				}
				if used-over+row.Departed > row.Pool {
					t.Fatalf("step %d, %s: %d of %s used of a pool of %d (%d departed, %d over)", step, what, used-over, svc, row.Pool, row.Departed, over)
				}
			}
			fs, err := h.usage.Verify(ctx)
			if err != nil || len(fs) > 0 {
				t.Fatal(step, what, fs, err)
			}
		}
	})
}

// TestEveryFlowStartsAnew uses something of every service and turns the month.
func TestEveryFlowStartsAnew(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.profile(h.account("house", "UTC"))
		for _, svc := range plan.Metered {
			if err := h.takeAny(p, svc, 4); err != nil {
				t.Fatal(svc, err)
			}
		}
		h.clock.Set(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
		for range 2 { // as it is shown, then as it is counted
			for _, svc := range plan.Metered {
				want := int64(4)
				if plan.Flow(svc) {
					want = 0
				}
				if n := h.used(p).Used.Of(svc); n != want {
					t.Errorf("%s: %d after the turn, want %d", svc, n, want)
				}
			}
			if ok, err := h.usage.TakeIngest(sqldb.As(context.Background(), p), []usage.IngestTake{{Profile: p}}); err != nil || !ok[0] {
				t.Fatal(ok, err)
			}
		}
		h.clean()
	})
}
