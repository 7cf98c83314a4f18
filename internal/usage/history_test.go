package usage_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// setTerms gives an account another plan and terms.
func (h *house) setTerms(a id.Account, planName string, t plan.Terms) {
	h.t.Helper()
	acc, err := h.accounts.Get(context.Background(), a)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.accounts.SetTerms(context.Background(), system, account.TermsChange{Account: a, Plan: planName, Terms: t.String(), Anchor: acc.Anchor, Message: "Terms changed"}); err != nil {
		h.t.Fatal(err)
	}
}

// replay is what an account's profiles are allocated at the end of a history.
func replay(cs []usage.AllocationChange) map[id.Profile]plan.Amounts {
	m := map[id.Profile]plan.Amounts{}
	for _, c := range cs {
		if c.Gone {
			delete(m, c.Profile)
		} else {
			m[c.Profile] = c.Amounts
		}
	}
	return m
}

// TestHistoriesSayWhatWas changes allocations, plans, terms and profiles at random and compares histories with what was there
// at each instant.
func TestHistoriesSayWhatWas(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		seed := rand.Uint64()
		t.Log("seed", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		a := h.account("scale", "UTC")
		other := h.account("starter", "UTC")
		h.profile(other)
		type seen struct {
			at     int64
			shares map[id.Profile]plan.Amounts
			pool   plan.Amounts
		}
		var all []seen
		owned := map[id.Profile][2]int64{}
		begun := clock.Millis(h.clock.Now())
		living := []id.Profile{h.profile(a)}
		owned[living[0]] = [2]int64{begun}
		for range 40 {
			h.clock.Advance(time.Duration(rnd.IntN(3)) * 20 * time.Minute)
			now := clock.Millis(h.clock.Now())
			switch step := rnd.IntN(6); {
			case step == 0 && len(living) < 5:
				p, err := h.profiles.Create(ctx, system, profile.CreateInput{Name: "App", Account: a})
				if err == nil {
					living = append(living, p.ID)
					owned[p.ID] = [2]int64{now}
				}
			case step == 1 && len(living) > 1:
				i := rnd.IntN(len(living))
				p := living[i]
				if err := h.profiles.Delete(ctx, system, string(p), ""); err != nil {
					t.Fatal(err)
				}
				owned[p] = [2]int64{owned[p][0], max(now, owned[p][0]+1)}
				living = append(living[:i:i], living[i+1:]...)
			case step == 2:
				h.setTerms(a, []string{"scale", "starter", "house"}[rnd.IntN(3)], plan.Terms{Services: map[plan.Service]int64{plan.Input: int64(1+rnd.IntN(5)) * 1_000_000}})
			default: // most do not fit
				h.post(a, fmt.Sprintf(`[{"profile":%q,"input":%d}]`, living[rnd.IntN(len(living))], rnd.IntN(600_000)))
			}
			as, err := h.usage.Allocations(ctx, a)
			if err != nil {
				t.Fatal(err)
			}
			pl, err := h.profiles.PlanOf(ctx, a)
			if err != nil {
				t.Fatal(err)
			}
			s := seen{at: now, shares: map[id.Profile]plan.Amounts{}, pool: pl.Pool}
			s.pool[plan.Index(plan.DashboardOutput)] = 0
			for _, x := range as {
				s.shares[x.Profile] = x.Amounts
			}
			if n := len(all); n > 0 && all[n-1].at == now { // the last one at an instant counts
				all = all[:n-1]
			}
			all = append(all, s)
		}
		h.clean()
		if what, err := h.profiles.VerifyOwned(ctx); err != nil || len(what) > 0 {
			t.Fatal(what, err)
		}
		full, err := h.usage.AllocationHistory(ctx, a, 0, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range all {
			var until []usage.AllocationChange
			for _, c := range full {
				if c.At <= s.at {
					until = append(until, c)
				}
			}
			for name, cs := range map[string][]usage.AllocationChange{"replayed": until, "asked": must(h.usage.AllocationHistory(ctx, a, s.at, s.at))} {
				if got := replay(cs); fmt.Sprint(got) != fmt.Sprint(s.shares) {
					t.Fatalf("after change %d, %s: %v, it was %v", i, name, got, s.shares)
				}
			}
			pools := must(h.usage.PoolHistory(ctx, a, s.at, s.at+1))
			if len(pools) != 1 || pools[0].Amounts != s.pool {
				t.Fatalf("after change %d: pool %v, it was %v", i, pools, s.pool)
			}
		}
		os := must(h.profiles.Ownerships(ctx, a, begun, math.MaxInt64))
		if len(os) != len(owned) {
			t.Fatal(os)
		}
		for _, o := range os {
			if want := owned[o.Profile]; o.From != want[0] || o.Until != want[1] || o.Name != "App" || o.No == 0 {
				t.Fatalf("%+v, want %v", o, want)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestVerifyFindsHistoriesThatDiffer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		h.clean()
		for _, q := range []string{
			`UPDATE allocation_history SET input = input + 1`,
			`UPDATE allocation_history SET input = input - 1, version = version + 1`,
			`UPDATE pool_history SET input = input + 1`,
		} {
			if _, err := h.db.Exec(ctx, q); err != nil {
				t.Fatal(err)
			}
			if fs, err := h.usage.Verify(ctx); err != nil || len(fs) == 0 {
				t.Error(q, fs, err)
			}
		}
		if _, err := h.db.Exec(ctx, `UPDATE profile_owned SET until_at = 5 WHERE profile = $1`, string(p)); err != nil {
			t.Fatal(err)
		}
		if what, err := h.profiles.VerifyOwned(ctx); err != nil || len(what) != 1 {
			t.Error(what, err)
		}
	})
}

func TestFillPoolsBeginsTheHistoryOfEarlierAccounts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		h.profile(a)
		made := clock.Millis(h.clock.Now())
		if _, err := h.db.Exec(ctx, `DELETE FROM pool_history`); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(24 * time.Hour)
		for range 2 {
			if err := h.usage.FillPools(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got := must(h.usage.PoolHistory(ctx, a, 0, math.MaxInt64))
		if len(got) != 1 || got[0].At != made || got[0].Amounts.Of(plan.Input) != 1_000_000 {
			t.Fatal(got)
		}
		h.clean()
	})
}

// TestGrantsEndByThemselves is an operator's override with an end, seen by the allocation, before and after the job has run.
func TestGrantsEndByThemselves(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		now := clock.Millis(h.clock.Now())
		hour := time.Hour.Milliseconds()
		h.setTerms(a, "scale", plan.Terms{Overrides: []plan.Override{
			{Kind: plan.OverrideService, Name: "input", Amount: 9_000_000, At: now, Until: now + hour, Reason: "a fair"},
			{Kind: plan.OverrideService, Name: "sms", Amount: 500, At: now, Until: now + 2*hour, Reason: "a fair"},
			{Kind: plan.OverrideCap, Name: "device", Amount: 3, At: now, Reason: "a favour"},
		}})
		want := func(input, sms int64) {
			t.Helper()
			if c := h.used(p); c.Allowed.Of(plan.Input) != input || c.Allowed.Of(plan.SMS) != sms {
				t.Fatal(c.Allowed)
			}
			h.clean()
		}
		pool := func() int64 { t.Helper(); return must(h.profiles.PlanOf(ctx, a)).Pool.Of(plan.Input) }
		want(9_000_000, 500)
		if pl := must(h.profiles.PlanOf(ctx, a)); pl.Cap(plan.Devices) != 3 {
			t.Fatal(pl.Cap(plan.Devices))
		}
		if err := h.accounts.EndTerms(ctx); err != nil {
			t.Fatal(err)
		}
		want(9_000_000, 500)
		h.clock.Advance(time.Hour)
		if n := pool(); n != 1_000_000 {
			t.Fatal(n)
		}
		h.clean() // though the job has not run
		for range 2 {
			if err := h.accounts.EndTerms(ctx); err != nil {
				t.Fatal(err)
			}
			want(1_000_000, 500)
		}
		h.clock.Advance(time.Hour)
		if err := h.accounts.EndTerms(ctx); err != nil {
			t.Fatal(err)
		}
		want(1_000_000, 10)
		if got := must(h.usage.PoolHistory(ctx, a, 0, math.MaxInt64)); len(got) != 4 {
			t.Fatal(got)
		}
	})
}

// TestLimitHistory changes the allocation of a profile within cycles and asks for what held when.
func TestLimitHistory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		h.profile(a)
		limits := func(in usage.LimitsParams) string {
			t.Helper()
			in.ID = string(p)
			got, err := usage.GetLimits(h.usage, ctx, system, in)
			if err != nil {
				return err.Error()
			}
			var out []string
			for _, x := range got {
				limit := "none"
				if x.Limit != nil {
					limit = fmt.Sprint(*x.Limit)
				}
				out = append(out, x.Time.String()[:16]+" "+limit)
			}
			return strings.Join(out, ", ")
		}
		at := func(s string) { h.clock.Set(at(s)) }
		h.limit(a, p, `"input":200,"file_storage":5`)
		at("2026-03-20T08:00:00Z")
		h.limit(a, p, `"input":500`)
		h.limit(a, p, `"input":300`) // at one instant the last counts
		at("2026-03-25T08:00:00Z")
		h.limit(a, p, `"output":70`) // nothing of input
		at("2026-04-02T08:00:00Z")
		h.limit(a, p, `"input":50`)
		at("2026-04-10T00:00:00Z")
		march := usage.LimitsParams{StartDate: "2026-03-01T00:00:00Z", EndDate: "2026-04-01T00:00:00Z"}
		h.want("a cycle in which it changed", limits(march), "2026-03-14T12:00 200, 2026-03-20T08:00 300")
		h.want("one that began with another limit", limits(usage.LimitsParams{StartDate: "2026-04-01"}), "2026-04-01T00:00 300, 2026-04-02T08:00 50")
		h.want("before the profile", limits(usage.LimitsParams{StartDate: "2026-01-01", EndDate: "2026-02-01"}), "")
		h.want("days of another zone", limits(usage.LimitsParams{StartDate: "2026-04-02", EndDate: "2026-04-02", Timezone: "+10:00"}), "2026-04-01T14:00 300, 2026-04-02T08:00 50")
		files := march
		files.Service = "file_storage"
		h.want("in the unit of the wire", limits(files), "2026-03-14T12:00 5")
		files.Service = "dashboard_output"
		h.want("of the plan", limits(files), "")
		files.Service = "tea"
		h.want("no service", limits(files), `service: "tea" is no service`)
		h.want("no start", limits(usage.LimitsParams{}), "start_date: is missing")
		h.setTerms(a, "house", plan.Terms{})
		at("2026-04-11T00:00:00Z")
		h.want("no limit", limits(usage.LimitsParams{StartDate: "2026-04-10T12:00:00Z"}), "2026-04-10T12:00 "+map[bool]string{true: "none", false: "50"}[h.used(p).Allowed[plan.Index(plan.Input)] >= plan.Unlimited])
	})
}
