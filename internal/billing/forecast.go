package billing

import (
	"context"
	"slices"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// Forecast is what an account's running cycle costs: so far, and in the hours that are left.
type Forecast struct {
	From, To int64  // the cycle
	Sofar    Cost   // to date
	Rest     []Line // what the charges that are known cost in the hours that are left, as profiles share them at present
}

// forecast looks ahead to the end of the running cycle. Charges are those that are made; of shared ones everybody is taken to have in
// the hours that are left what they are allocated now, or by use the part of the service that they used so far.
func (s *Service) forecast(ctx context.Context, acc account.Account, basis Basis) (Forecast, error) {
	now := s.now()
	f := Forecast{}
	f.From, f.To = usage.Cycle(acc, now)
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		var err error
		if f.Sofar, err = s.costOf(ctx, acc, f.From, f.To, basis, false); err != nil {
			return err
		}
		h, err := s.historyOf(ctx, acc.ID, f.From, now+1, basis == ByAllocation)
		if err != nil {
			return err
		}
		ps := h.profilesOf()
		t := newTally(ps, f.From, f.To, acc.Location(), false)
		var at segment
		h.walk(ps, f.From, now+1, func(_, to int64) bool { return to == now+1 }, func(g *segment) {
			at = segment{amounts: slices.Clone(g.amounts), pool: g.pool}
		})
		sofar := usedSofar(f.Sofar, ps)
		var weights []int64
		for _, c := range f.Sofar.charges {
			first, next := c.startingIn(f.From, f.To)
			done := min(max(first, c.over(now)), next)
			if basis == ByUse && c.shared() {
				if done, err = s.doneOf(ctx, c.ID); err != nil {
					return err
				}
				done = min(max(first, done), next)
			}
			if !c.shared() {
				t.own(c, done, next)
				continue
			}
			if basis == ByUse {
				weights = append(weights[:0], sofar[lineOf{item: c.Item, currency: c.Currency}]...)
			} else {
				weights = at.weights(plan.Index(plan.Service(c.Item)), weights)
			}
			sums, micro := t.of(c, 0), c.between(done, next)
			if len(weights) == 0 || !t.split.split(micro, weights, 1, sums) {
				sums[len(sums)-1] += micro
			}
		}
		f.Rest, _ = t.lines()
		return nil
	})
	return f, err
}

// usedSofar are the sums of shared lines by item and currency: of each profile, and at the end of none.
func usedSofar(c Cost, ps []id.Profile) map[lineOf][]int64 {
	out := map[lineOf][]int64{}
	for _, l := range c.Lines {
		if l.Kind != ServiceFee && l.Kind != Figure && l.Kind != Unallocated {
			continue
		}
		k := lineOf{item: l.Item, currency: l.Currency}
		if out[k] == nil {
			out[k] = make([]int64, len(ps)+1)
		}
		if i, found := slices.BinarySearch(ps, l.Profile); found {
			out[k][i] += l.Micro
		} else if l.Profile == "" {
			out[k][len(ps)] += l.Micro
		}
	}
	return out
}

// doneOf is how many hours of a charge have been rated by use.
func (s *Service) doneOf(ctx context.Context, c id.Charge) (n int64, err error) {
	return n, s.db.QueryRow(ctx, `SELECT hours FROM cost_rated WHERE charge = $1`, c).Scan(&n)
}
