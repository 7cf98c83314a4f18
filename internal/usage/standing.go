package usage

import (
	"context"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Standing is where a profile stands with its services.
type Standing struct {
	Counter               // as Current has it, without what nodes have taken in advance
	Allocation Allocation // what it was given; empty for a profile without
	Policies   Policies
}

// Room is what a profile may still use of a metered service within its limit, by the service's place in plan.Metered; less than 0
// when it has used more.
func (s Standing) Room(i int) int64 { return s.room(i) }

// Policy is what happens at the limit of a service.
func (s Standing) Policy(svc plan.Service) Policy { return s.Policies.of(svc) }

// Standings says where profiles stand, with a few statements however many they are. What nodes have answered in the last second or so may
// not be in it yet. A profile that is gone is not in the answer.
func (s *Service) Standings(ctx context.Context, ps []profile.Profile) (map[id.Profile]Standing, error) {
	out := make(map[id.Profile]Standing, len(ps))
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		clear(out)
		now := s.now()
		policies, err := s.policies(ctx, idsOf(ps))
		if err != nil {
			return err
		}
		for part := range slices.Chunk(ps, sqldb.MaxSize) {
			ids := idsOf(part)
			marks, in := inList(1, ids)
			cs, err := sqldb.All(ctx, s.db, scanCounter,
				`SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id IN (`+marks+`)`, in...)
			if err != nil {
				return wrap("read the counters", err)
			}
			as, err := sqldb.All(ctx, s.db, scanAllocation, `SELECT `+allocationColumns+` FROM allocation WHERE profile IN (`+marks+`)`, in...)
			if err != nil {
				return wrap("read allocations", err)
			}
			leases, err := s.leasesOf(ctx, ids)
			if err != nil {
				return err
			}
			given := make(map[id.Profile]Allocation, len(as))
			for _, a := range as {
				given[a.Profile] = a
			}
			counters := make(map[id.Profile]Counter, len(cs))
			for _, c := range cs {
				counters[c.Profile] = c
			}
			for _, p := range part {
				c, there := counters[p.ID]
				if !there {
					continue
				}
				a, allocated := given[p.ID]
				if c.CycleEnd <= now {
					acc, err := s.accounts.Get(ctx, p.Account)
					if err != nil {
						return err
					}
					c = c.begun(now, acc, a, allocated)
				}
				for i, svc := range plan.Metered {
					c.Used[i] -= leases[leaseOfCycle{p.ID, svc, c.CycleStart}]
				}
				out[p.ID] = Standing{c, a, policies[p.ID]}
			}
		}
		return nil
	})
	return out, err
}

// RunsOut says when nothing will be left of each service of profiles, at the pace of the last seven days: UTC milliseconds, 0 for
// never and for a flow whose cycle ends before. It reads the ledger of those days, so ask for those that are shown.
func (s *Service) RunsOut(ctx context.Context, ps []profile.Profile) (map[id.Profile]plan.Amounts, error) {
	var out map[id.Profile]plan.Amounts
	err := s.db.Snapshot(ctx, func(ctx context.Context) (err error) {
		out, err = s.runsOut(ctx, ps, s.now())
		return err
	})
	return out, err
}

// Today is what a profile has used in each hour of the day of its owner's time zone that runs.
func (s *Service) Today(ctx context.Context, p profile.Profile) (hours []HourUse, err error) {
	loc, err := s.zoneOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	now := s.now()
	from, _ := dayOf(now, loc)
	bounds := []int64{from}
	for at := from; at <= now; {
		_, end := hourOf(at, loc)
		bounds = append(bounds, end)
		at = end
	}
	var used []plan.Amounts
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		found, err := s.UsedBetween(ctx, []id.Profile{p.ID}, bounds)
		used = found[p.ID]
		return err
	})
	for i, u := range used {
		hours = append(hours, HourUse{bounds[i], u})
	}
	return hours, err
}

// HourUse is what was used in an hour.
type HourUse struct {
	From int64 // UTC milliseconds
	Used plan.Amounts
}

// Like gives a profile of an account what another one of it has of every service. It returns what Post does, and not_found for one that is
// not the account's.
func (s *Service) Like(ctx context.Context, who auth.Caller, p profile.Profile, like id.Profile) error {
	other, err := s.profiles.Get(ctx, like)
	if err == nil && other.Account != p.Account {
		err = profile.NotFound
	}
	if err != nil {
		return err
	}
	a, err := s.Allocation(ctx, like)
	if err != nil {
		return err
	}
	amounts := make(map[plan.Service]int64, len(plan.Services))
	for i, svc := range plan.Services {
		amounts[svc] = a.Amounts[i]
	}
	return s.Post(ctx, who, p.Account, []change{{profile: p.ID, amounts: amounts}})
}
