package billing

import (
	"fmt"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/plan"
)

// A charge that is rated to its end is not looked at again, however many there are.
func TestRateReadsOnlyWhatIsDue(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var accounts []id.Account
		for range 3 {
			a, p := l.account(t, "house", "UTC")
			accounts = append(accounts, a.ID)
			for i, svc := range []plan.Service{plan.Input, plan.Output} {
				l.charge(t, Charge{Account: a.ID, Kind: Figure, Item: string(svc), Cents: 10, Currency: "usd", Key: fmt.Sprint(i), Start: march.UnixMilli(), End: march.Add(2 * time.Hour).UnixMilli()})
			}
			l.input(t, p, 10)
		}
		l.to(march.Add(time.Hour + 10*time.Minute))
		due, err := l.toRate(t.Context(), l.now(), rateDue{})
		ok(t, err)
		if len(due) != 3 || due[0].account != accounts[0] && due[1].account != accounts[0] && due[2].account != accounts[0] {
			t.Fatalf("%+v are due of %v", due, accounts)
		}
		if next, err := l.toRate(t.Context(), l.now(), due[2]); err != nil || len(next) > 0 {
			t.Errorf("%+v after the last, %v", next, err)
		}
		ok(t, l.Rate(t.Context()))
		if due, err = l.toRate(t.Context(), l.now(), rateDue{}); err != nil || len(due) > 0 {
			t.Errorf("%+v are due once more, %v", due, err)
		}
	})
}
