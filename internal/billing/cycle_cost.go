package billing

import (
	"context"

	"paddock/internal/id"
)

// CycleCost is what an account costs in the running cycle to date, as GET /account/cost answers without parameters.
type CycleCost struct {
	From, To int64 // UTC milliseconds
	Basis    Basis
	Spread   Spread
	Currency string
	Total    int64                // micro-units; what everything below adds up to
	Profiles map[id.Profile]int64 // of each that was the account's in the cycle, its add-ons and what is spread included
	Others   map[Kind]int64       // what belongs to none: Unallocated, PlanFee, AddonFee, Discount
	AddsUp   bool                 // whether that is what the hours of the charges are worth
}

// ThisCycle says what an account costs in the running cycle.
func (s *Service) ThisCycle(ctx context.Context, a id.Account) (CycleCost, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return CycleCost{}, err
	}
	choice, err := s.choiceOf(ctx, a)
	if err != nil {
		return CycleCost{}, err
	}
	basis, err := s.parseBasis(ctx, a, "", choice)
	if err != nil {
		return CycleCost{}, err
	}
	from, to, err := s.parseRange(acc, "", "", basis)
	if err != nil {
		return CycleCost{}, err
	}
	c, err := s.costOf(ctx, acc, from, to, basis, false)
	if err != nil {
		return CycleCost{}, err
	}
	how, err := parseSpread("", choice, grouping{profile: true})
	if err != nil {
		return CycleCost{}, err
	}
	_, currency, err := s.currencies(c.charges, "")
	if err != nil {
		return CycleCost{}, err
	}
	out := CycleCost{From: c.From, To: c.To, Basis: basis, Spread: how, Currency: currency, Profiles: map[id.Profile]int64{}, Others: map[Kind]int64{}}
	c.spread(how)
	for _, l := range c.Lines {
		switch {
		case l.Currency != currency:
			continue
		case l.Profile != "":
			out.Profiles[l.Profile] += l.Micro
		default:
			out.Others[Kind(wireKind(l.Kind))] += l.Micro
		}
		out.Total += l.Micro
	}
	out.AddsUp = out.Total == c.Charged[currency]
	return out, nil
}
