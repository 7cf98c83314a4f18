package usage_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

func TestAnotherPlanFitsTheAllocations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p, q := h.profile(a), h.profile(a)
		acc, err := h.accounts.Get(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		move := func(name string) {
			t.Helper()
			if _, err := h.accounts.SetPlan(ctx, system, acc.Email, name); err != nil {
				t.Fatal(err)
			}
			h.clean()
		}
		t.Run("a pool that ends is shared equally by those who had no limit", func(t *testing.T) {
			move("scale")
			for _, x := range []id.Profile{p, q} {
				c := h.used(x)
				if c.Allowed.Of(plan.Input) != 500_000 || c.Allowed.Of(plan.FileStorage) != 100_000_000 || c.Allowed.Of(plan.DashboardOutput) != 50_000_000 {
					t.Fatal(c.Allowed)
				}
			}
		})
		t.Run("a pool without an end lifts the limits of automatic profiles, and keeps what was posted", func(t *testing.T) {
			h.limit(a, p, `"input":100`)
			move("house")
			if c := h.used(p); c.Allowed.Of(plan.Input) != 100 {
				t.Fatal(c.Allowed)
			}
			if c := h.used(q); c.Allowed.Of(plan.Input) != plan.Unlimited {
				t.Fatal(c.Allowed)
			}
		})
		t.Run("over a cap after the change, what is there works and only more is refused", func(t *testing.T) {
			move("free") // one profile
			if ok, err := h.ingest(q, 5); err != nil || !ok {
				t.Fatal(ok, err)
			}
			_, err := h.profiles.Create(ctx, system, profile.CreateInput{Name: "third", Account: a})
			if !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
		})
	})
}

func TestProportional(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, q := h.profile(a), h.profile(a)
		h.setTerms(a, "scale", plan.Terms{Services: map[plan.Service]int64{plan.Input: 10_000_000}})
		h.limit(a, p, `"input":6000000`)
		h.limit(a, q, `"input":4000000`)
		pl := must(h.profiles.PlanOf(ctx, a))
		to := pl.Pool
		to[plan.Index(plan.Input)] = 1_000_000
		change, shares, err := h.usage.Proportional(ctx, a, to)
		if err != nil || change[plan.Input] != 90 || change[plan.Output] != 0 || shares[p].Of(plan.Input) != 600_000 || shares[q].Of(plan.Input) != 400_000 {
			t.Fatal(change, shares, err)
		}
		if c := h.used(p); c.Allowed.Of(plan.Input) != 6_000_000 {
			t.Fatal("the preview changed something")
		}
		h.setTerms(a, "scale", plan.Terms{})
		for x, n := range map[id.Profile]int64{p: 600_000, q: 400_000} {
			if c := h.used(x); c.Allowed.Of(plan.Input) != n {
				t.Fatal(c.Allowed)
			}
			es := must(h.log.List(ctx, x, audit.Filter{Find: "with the plan"}))
			if len(es) != 1 {
				t.Fatal(es)
			}
		}
		h.clean()
	})
}

func TestDeletingAnAccountEndsItsProfiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p, q := h.profile(a), h.profile(a)
		h.account("house", "UTC") // the first of all is operator and stays
		other := h.profile(h.account("house", "UTC"))
		acc, _ := h.accounts.Get(ctx, a)
		if _, err := h.accounts.SetOperator(ctx, system, acc.Email, false); err != nil {
			// The first account is the only operator here: hand that on first.
			next, _ := h.accounts.Get(ctx, h.account("house", "UTC"))
			if _, err := h.accounts.SetOperator(ctx, system, next.Email, true); err != nil {
				t.Fatal(err)
			}
			if _, err := h.accounts.SetOperator(ctx, system, acc.Email, false); err != nil {
				t.Fatal(err)
			}
		}
		purged := map[id.Profile]int{}
		h.profiles.OnPurge(func(_ context.Context, p profile.Profile) (bool, error) {
			purged[p.ID]++
			return purged[p.ID] == 3, nil // in slices
		})
		if ok, err := h.accounts.Delete(ctx, auth.Caller{Kind: auth.Session, AccountID: a, Reach: auth.ReachAccount}, account.Proof{Password: "correct horse battery"}); err != nil || !ok {
			t.Fatal(ok, err)
		}
		for _, x := range []id.Profile{p, q} {
			if _, err := h.profiles.Get(ctx, x); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
			if ok, err := h.ingest(x, 1); ok || err != nil {
				t.Error("a deleted profile accepts points", err)
			}
			if err := h.usage.Spend(ctx, x, plan.Output, 1); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
			// A purge that gives back what the profile held finds that nothing is counted any more.
			if err := h.usage.Release(ctx, x, plan.DataRecords, 5); err != nil {
				t.Error(err)
			}
			if err := h.usage.Unhold(ctx, x, plan.Devices, 5); err != nil {
				t.Error(err)
			}
		}
		if ok, err := h.ingest(other, 1); !ok || err != nil {
			t.Error(ok, err)
		}
		if err := h.profiles.Purge(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		if len(purged) != 2 || purged[p] != 3 || purged[q] != 3 {
			t.Error(purged)
		}
		if err := h.profiles.Purge(ctx, time.Minute); err != nil || purged[p] != 3 {
			t.Error("purged twice", purged, err)
		}
		h.clean()
	})
}

func TestNumbersAreGivenOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		h.profile(a)
		seen := map[int64]bool{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				p, err := h.profiles.Create(ctx, system, profile.CreateInput{Name: "x", Account: a})
				if err != nil {
					t.Error(err)
					return
				}
				if err := h.profiles.Delete(ctx, system, string(p.ID), ""); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if seen[p.No] {
					t.Error("given twice:", p.No)
				}
				seen[p.No] = true
			})
		}
		wg.Wait()
		if len(seen) != 8 {
			t.Error(seen)
		}
	})
}

func TestSumOfUseNeverExceedsThePool(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, q := h.profile(a), h.profile(a)
		// The pool of SMS is 10 a month: profiles race for it while the owner moves it between them.
		h.limit(a, p, `"sms":5`)
		h.limit(a, q, `"sms":5`)
		var wg sync.WaitGroup
		var mu sync.Mutex
		sent := 0
		for i := range 8 {
			wg.Go(func() {
				for j := range 10 {
					x := []id.Profile{p, q}[(i+j)%2]
					if err := h.usage.Take(ctx, x, plan.SMS, 1); err == nil {
						mu.Lock()
						sent++
						mu.Unlock()
					} else if !fault.Is(err, fault.LimitReached) {
						t.Error(err)
					}
				}
			})
		}
		for i := range 2 {
			wg.Go(func() {
				for j := range 10 {
					n := (i*3 + j*7) % 11
					err := h.post(a, fmt.Sprintf(`[{"profile":%q,"sms":%d},{"profile":%q,"sms":%d}]`, p, n, q, 10-n))
					if err != nil && !fault.Is(err, fault.Invalid) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if sent > 10 {
			t.Errorf("%d sent, the pool has 10", sent)
		}
		if n := h.used(p).Used.Of(plan.SMS) + h.used(q).Used.Of(plan.SMS); n != int64(sent) {
			t.Errorf("%d counted, %d sent", n, sent)
		}
		h.clean()
	})
}

func TestEveryChangeOfAllocationIsAudited(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p, q := h.profile(a), h.profile(a)
		h.limit(a, p, `"sms":3`)
		events, err := h.log.List(ctx, p, audit.Filter{Find: "allocation"})
		if err != nil || len(events) != 2 {
			t.Fatal(events, err)
		}
		if e := events[0]; !strings.Contains(e.Message, "make room") {
			t.Error(e)
		}
		if e := events[1]; e.Who != a || string(e.Before) != `{"sms":8}` || string(e.After) != `{"sms":3}` {
			t.Error(e.Who, string(e.Before), string(e.After))
		}
		if events, _ := h.log.List(ctx, q, audit.Filter{Find: "allocation"}); len(events) != 0 {
			t.Error(events)
		}
	})
}

func TestVerifyFindsOneWrongUnit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		h.profile(a)
		if ok, err := h.ingest(p, 5); err != nil || !ok {
			t.Fatal(ok, err)
		}
		for _, s := range plan.Metered {
			if err := h.takeAny(p, s, 2); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.usage.Spend(ctx, p, plan.Output, 3); err != nil {
			t.Fatal(err)
		}
		if err := h.usage.Hold(ctx, p, plan.Devices, 2); err != nil {
			t.Fatal(err)
		}
		h.usage.Count(plan.Devices, func(context.Context, id.Profile) (int64, error) { return 2, nil })
		h.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
		if ok, err := h.ingest(p, 1); err != nil || !ok { // turns the cycle, so that there is a past one
			t.Fatal(ok, err)
		}
		if err := h.usage.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if err := h.usage.Spend(ctx, p, plan.Output, 3); err != nil {
			t.Fatal(err)
		}
		other := h.account("scale", "UTC")
		gone, _ := h.profile(other), h.profile(other)
		if ok, err := h.ingest(gone, 5); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := h.profiles.Delete(ctx, system, string(gone), ""); err != nil {
			t.Fatal(err)
		}
		h.clean()

		type seed struct{ name, there, back string }
		seeds := []seed{
			{"a lease", "UPDATE lease SET taken = taken + 1 WHERE profile_id = $1", "UPDATE lease SET taken = taken - 1 WHERE profile_id = $1"},
			{"a held resource", "UPDATE held SET used = used + 1 WHERE profile_id = $1", "UPDATE held SET used = used - 1 WHERE profile_id = $1"},
			{"the input of a device", "UPDATE device_ledger SET input = input - 1 WHERE profile_id = $1", "UPDATE device_ledger SET input = input + 1 WHERE profile_id = $1"},
			{"the output of a device", "UPDATE device_ledger SET output = output + 99 WHERE profile_id = $1", "UPDATE device_ledger SET output = output - 99 WHERE profile_id = $1"},
			{"the dashboard output of a device", "UPDATE device_ledger SET dashboard_output = dashboard_output + 3 WHERE profile_id = $1",
				"UPDATE device_ledger SET dashboard_output = dashboard_output - 3 WHERE profile_id = $1"},
			{"what a deleted profile used", "UPDATE departed SET input = input - 1 WHERE account <> $1", "UPDATE departed SET input = input + 1 WHERE account <> $1"},
			{"a version", "UPDATE counter SET version = version + 1 WHERE profile_id = $1", "UPDATE counter SET version = version - 1 WHERE profile_id = $1"},
			{"a pool", "UPDATE allocation SET sms = sms + 1 WHERE profile = $1", "UPDATE allocation SET sms = sms - 1 WHERE profile = $1"},
		}
		for _, s := range []plan.Service{plan.Input, plan.DataRecords} {
			seeds = append(seeds, seed{"the open quarter of " + string(s), fmt.Sprintf("UPDATE counter SET open_%[1]s = open_%[1]s + 1 WHERE profile_id = $1", s),
				fmt.Sprintf("UPDATE counter SET open_%[1]s = open_%[1]s - 1 WHERE profile_id = $1", s)})
		}
		for _, s := range plan.Metered {
			seeds = append(seeds, seed{"the counter of " + string(s), fmt.Sprintf("UPDATE counter SET %[1]s_used = %[1]s_used + 1 WHERE profile_id = $1", s),
				fmt.Sprintf("UPDATE counter SET %[1]s_used = %[1]s_used - 1 WHERE profile_id = $1", s)})
			if s != plan.DataRecords { // its level is the open one, see below
				seeds = append(seeds, seed{"the ledger of " + string(s), fmt.Sprintf("UPDATE ledger SET %[1]s = %[1]s + 1 WHERE profile_id = $1", s),
					fmt.Sprintf("UPDATE ledger SET %[1]s = %[1]s - 1 WHERE profile_id = $1", s)})
			}
			if plan.Flow(s) {
				seeds = append(seeds, seed{"the history of " + string(s), fmt.Sprintf("UPDATE counter_history SET %[1]s_used = %[1]s_used - 1 WHERE profile_id = $1", s),
					fmt.Sprintf("UPDATE counter_history SET %[1]s_used = %[1]s_used + 1 WHERE profile_id = $1", s)})
			}
			seeds = append(seeds, seed{"what is allowed of " + string(s), fmt.Sprintf("UPDATE counter SET %[1]s_allowed = %[1]s_allowed + 1 WHERE profile_id = $1", s),
				fmt.Sprintf("UPDATE counter SET %[1]s_allowed = %[1]s_allowed - 1 WHERE profile_id = $1", s)})
			if s != plan.DashboardOutput {
				for _, table := range []string{"counter", "counter_history", "ledger"} {
					if table == "counter_history" && !plan.Flow(s) { // what was stored when a cycle ended is kept once
						continue
					}
					seeds = append(seeds, seed{"the overage of " + string(s) + " in " + table, fmt.Sprintf("UPDATE %[2]s SET %[1]s_over = COALESCE(%[1]s_over, 0) + 1 WHERE profile_id = $1", s, table),
						fmt.Sprintf("UPDATE %[2]s SET %[1]s_over = %[1]s_over - 1 WHERE profile_id = $1", s, table)})
				}
				seeds = append(seeds, seed{"what is not allowed of " + string(s), fmt.Sprintf("UPDATE counter SET %[1]s_allowed = %[1]s_allowed - 1 WHERE profile_id = $1", s),
					fmt.Sprintf("UPDATE counter SET %[1]s_allowed = %[1]s_allowed + 1 WHERE profile_id = $1", s)})
			}
		}
		try := func(s seed) {
			t.Run("one wrong unit in "+s.name+" is found", func(t *testing.T) {
				if n, err := h.db.Exec(ctx, s.there, string(p)); err != nil || n == 0 {
					t.Fatal(n, err)
				}
				fs, err := h.usage.Verify(ctx)
				if err != nil || len(fs) == 0 {
					t.Error(fs, err)
				}
				if _, err := h.db.Exec(ctx, s.back, string(p)); err != nil {
					t.Fatal(err)
				}
				h.clean()
			})
		}
		for _, s := range seeds {
			try(s)
		}
		if err := h.usage.Release(ctx, p, plan.DataRecords, 1); err != nil { // books its level
			t.Fatal(err)
		}
		try(seed{"the ledger of data_records", "UPDATE ledger SET data_records = data_records + 1 WHERE profile_id = $1", "UPDATE ledger SET data_records = data_records - 1 WHERE profile_id = $1"})
		t.Run("a counter without an allocation is found, and the reverse", func(t *testing.T) {
			for _, q := range []string{"DELETE FROM allocation WHERE profile = $1", "DELETE FROM counter WHERE profile_id = $1"} {
				err := h.db.Tx(ctx, func(ctx context.Context) error {
					if _, err := h.db.Exec(ctx, q, string(p)); err != nil {
						return err
					}
					fs, err := h.usage.Verify(ctx)
					if err != nil || len(fs) == 0 {
						t.Error(q, fs, err)
					}
					return fault.New(fault.Conflict, "undo")
				})
				if !fault.Is(err, fault.Conflict) {
					t.Fatal(err)
				}
			}
			h.clean()
		})
	})
}
