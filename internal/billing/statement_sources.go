package billing

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// customersOf are the profiles that were an account's at some time from … to, each once, with the times.
func (s *Service) customersOf(ctx context.Context, a id.Account, from, to int64) ([]customer, error) {
	os, err := s.profiles.Ownerships(ctx, a, from, to)
	if err != nil {
		return nil, err
	}
	var out []customer
	at := map[id.Profile]int{}
	for _, o := range os {
		i, ok := at[o.Profile]
		if !ok {
			i = len(out)
			at[o.Profile] = i
			out = append(out, customer{profile: o.Profile, no: o.No})
		}
		out[i].name = o.Name
		out[i].spans = append(out[i].spans, tenure{o.From, o.Until, o.Made, o.Came})
	}
	return out, nil
}

// named are those of some profiles that are or were an account's, each once, with all times of that. For any other profile, another account's or
// nobody's, it returns the same not_found.
func (s *Service) named(ctx context.Context, a id.Account, profiles []id.Profile) ([]customer, error) {
	ever, err := s.customersOf(ctx, a, 0, s.now()+1)
	if err != nil {
		return nil, err
	}
	wanted := make(map[id.Profile]bool, len(profiles))
	for i, p := range profiles {
		if !slices.ContainsFunc(ever, func(c customer) bool { return c.profile == p }) {
			field := fmt.Sprintf("profiles[%d]", i)
			return nil, &fault.Error{Code: fault.NotFound, Field: field, Message: field + ": " + fault.Of(profile.NotFound).Message}
		}
		wanted[p] = true
	}
	return slices.DeleteFunc(ever, func(c customer) bool { return !wanted[c.profile] }), nil
}

// everOwned says whether a profile is or was an account's.
func (s *Service) everOwned(ctx context.Context, a id.Account, p id.Profile) (bool, error) {
	cs, err := s.customersOf(ctx, a, 0, s.now()+1)
	for _, c := range cs {
		if c.profile == p {
			return true, err
		}
	}
	return false, err
}

// unrated says that shares by use of hours of a period that are over are not all computed yet.
func (s *Service) unrated(ctx context.Context, a id.Account, p stretch) (bool, error) {
	charges, err := s.Charges(ctx, a, p.from, p.to)
	if err != nil {
		return false, err
	}
	now := s.now()
	for _, c := range charges {
		first, next := c.counted(p.from, p.to, now)
		if !c.shared() || first >= next {
			continue
		}
		hours, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT hours FROM cost_rated WHERE charge = $1`, string(c.ID))
		if err != nil {
			return false, fmt.Errorf("read rated charges: %w", err)
		}
		if hours < next {
			return true, nil
		}
	}
	return false, nil
}

// costByProfile is what the profiles of an account cost in a period: their parts of services and of the owner's own figure, and their add-ons.
func (s *Service) costByProfile(ctx context.Context, a id.Account, p stretch, basis Basis) (map[id.Profile]byCurrency, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	c, err := s.costOf(ctx, acc, p.from, p.to, basis, false)
	if err != nil {
		return nil, err
	}
	out := map[id.Profile]byCurrency{}
	for _, l := range c.Lines {
		if l.Profile == "" || l.Micro == 0 {
			continue
		}
		if out[l.Profile] == nil {
			out[l.Profile] = byCurrency{}
		}
		out[l.Profile][l.Currency] += l.Micro
	}
	return out, nil
}
