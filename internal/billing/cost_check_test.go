package billing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/plan"
)

func TestCostCheck(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, first := l.account(t, "starter", "UTC")
		second := l.profile(t, a.ID)
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.allocate(t, plan.Input, map[id.Profile]int64{first: 300_000, second: 200_000})
		l.charge(t,
			Charge{Account: a.ID, Kind: PlanFee, Item: "starter", Cents: 4900, Start: from, End: to},
			Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Amount: 3_000_000, Cents: 2001, Start: from, End: to})
		for range 3 {
			l.input(t, first, 3)
			l.input(t, second, 4)
			l.to(l.clk.Now().Add(25 * time.Hour))
			ok(t, l.Rate(t.Context()))
		}
		check := func(query string) (out CostCheck) {
			t.Helper()
			l.want(t, "GET", "/account/cost/check"+query, nil, &out)
			return out
		}

		t.Run("a cost that adds up", func(t *testing.T) {
			c := check("")
			if !c.OK || len(c.Found) > 0 || c.Charges != 2 || c.Days != 4 || c.Again != 4 || c.CheckedAt.Time() != l.clk.Now() || c.From.Time() != march {
				t.Errorf("%+v", c)
			}
		})
		t.Run("a share that somebody wrote over is found, and only in its range", func(t *testing.T) {
			days, err := l.ratedDays(t.Context(), l.ids(t, a.ID), from, to)
			ok(t, err)
			shares := map[string]int64{}
			ok(t, eachShare(days[1].shares, func(p string, micro int64) { shares[p] = micro }))
			shares[string(first)]++
			shares[string(second)]--
			_, err = l.db.Exec(t.Context(), `UPDATE cost_use SET shares = $1 WHERE charge = $2 AND at = $3`, encodeShares(shares), days[1].charge, days[1].at)
			ok(t, err)
			c := check("?from=2026-03-01&to=2026-03-31")
			if c.OK || !slices.ContainsFunc(c.Found, func(s string) bool { return strings.Contains(s, "are not what use says they are") }) {
				t.Errorf("%+v", c)
			}
			if c := check("?from=2026-02-01&to=2026-02-28"); !c.OK || c.Charges != 0 {
				t.Errorf("in February %+v", c)
			}
		})
		t.Run("two months at most", func(t *testing.T) {
			if status, message := l.call(t, "GET", "/account/cost/check?from=2026-01-01&to=2026-03-10", nil, nil); status != 400 || !strings.HasPrefix(message, "from: ") {
				t.Errorf("%d %s", status, message)
			}
		})
	})
}

// TestCheckOfMany reads no more use again than a check may take.
func TestCheckOfMany(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "starter", "UTC")
		l.charge(t, Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Amount: 3_000_000, Cents: 2001, Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()})
		l.input(t, p, 1)
		l.to(march.AddDate(0, 0, 6).Add(10 * time.Minute))
		ok(t, l.Rate(t.Context()))
		charges, err := l.Charges(t.Context(), a.ID, 0, march.AddDate(0, 1, 0).UnixMilli())
		ok(t, err)
		got, err := l.verifyCharges(t.Context(), a.ID, charges, 48, func(format string, args ...any) { t.Errorf(format, args...) })
		ok(t, err)
		if got.days != 6 || got.shared != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// ids are the charges of an account.
func (l *ledger) ids(t testing.TB, a id.Account) (out []id.Charge) {
	t.Helper()
	charges, err := l.Charges(t.Context(), a, 0, l.now())
	ok(t, err)
	for _, c := range charges {
		out = append(out, c.ID)
	}
	return out
}

func TestCostLinesOfOne(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, first := l.account(t, "starter", "UTC")
		second := l.profile(t, a.ID)
		l.allocate(t, plan.Input, map[id.Profile]int64{first: 300_000, second: 200_000})
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.charge(t,
			Charge{Account: a.ID, Kind: PlanFee, Item: "starter", Cents: 4900, Start: from, End: to},
			Charge{Account: a.ID, Kind: ServiceFee, Item: "sms", Amount: 1_000, Cents: 1000, Start: from, End: to},
			Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Amount: 3_000_000, Cents: 2000, Start: from, End: to})
		l.to(march.Add(30 * time.Hour))
		for query, want := range map[string]func(x costLine) bool{
			"&profile=" + string(first): func(x costLine) bool { return x.Profile == first },
			"&profile=none":             func(x costLine) bool { return x.Profile == "" },
			"&service=input":            func(x costLine) bool { return x.Service == "input" },
		} {
			var all, some costAnswer
			const path = "/account/cost?basis=allocation&group_by=profile,service"
			l.want(t, "GET", path, nil, &all)
			l.want(t, "GET", path+query, nil, &some)
			lines := slices.DeleteFunc(slices.Clone(all.Lines), func(x costLine) bool { return !want(x) })
			if !slices.Equal(some.Lines, lines) || len(lines) == 0 || some.Total != all.Total || !some.AddsUp || some.Rows != len(lines) {
				t.Errorf("%s: %+v of %+v", query, some.Lines, all.Lines)
			}
		}
		for query, want := range map[string]string{"profile=x": "profile: must be", "group_by=service&profile=none": "profile: takes", "service=input": "service: takes"} {
			if status, message := l.call(t, "GET", "/account/cost?"+query, nil, nil); status != 400 || !strings.HasPrefix(message, want) {
				t.Errorf("%s: %d %s", query, status, message)
			}
		}
	})
}
