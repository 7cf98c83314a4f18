package usage

import (
	"context"
	"encoding/json"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

// Suppose is what an account's profiles would be allocated if its pool were another one, as after a change of plan, and then rows
// were posted, nil for none. It writes nothing. What has been used of the present cycle does not stand in the way, since
// it is for cycles that are over or begin afresh. Faults name a row of the field; Conflict is for rows of an account with one profile.
func (s *Service) Suppose(ctx context.Context, a id.Account, pool plan.Amounts, field string, rows []map[string]json.RawMessage) (map[id.Profile]plan.Amounts, error) {
	as, err := s.Allocations(ctx, a)
	if err != nil {
		return nil, err
	}
	b := &book{pool: pool}
	for _, x := range as {
		b.shares = append(b.shares, &share{Profile: x.Profile, Automatic: x.Automatic, Version: x.Version, alloc: x.Amounts, allowed: x.Amounts})
	}
	if len(b.shares) > 0 {
		b.fit()
	}
	if rows != nil {
		changes, err := decodeRows(field, rows)
		if err != nil {
			return nil, err
		}
		if len(b.shares) < 2 {
			return nil, fault.New(fault.Conflict, "%s: the account has one profile, which has everything", field)
		}
		if err := b.set(changes); err != nil {
			return nil, err
		}
		for i, svc := range plan.Services { // also where nothing was raised: so that what is supposed can be
			if n := b.allocated(i); n > b.pool[i] && b.pool[i] < plan.Unlimited {
				return nil, fault.Field(field, "the profiles would have %s of %s together, the account would have %s", plan.Show(svc, n), svc.Name(), plan.Show(svc, b.pool[i]))
			}
		}
	}
	return snapshot(b), nil
}

// PoliciesOfAll are the policies of several profiles; each of them is in the answer.
func (s *Service) PoliciesOfAll(ctx context.Context, ps []id.Profile) (map[id.Profile]Policies, error) {
	return s.policies(ctx, ps)
}
