package billing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Finding is a figure of an account that does not agree with another.
type Finding struct {
	Account id.Account
	What    string // a sentence
}

func (f Finding) String() string { return "account " + string(f.Account) + ": " + f.What }

// VerifyCost checks, for every account with charges:
//
//   - that by allocation the shares of every charge's hours that are over add up to what those hours are worth, and come out the
//     same when they are computed again;
//   - that by use, days follow each other without a gap, what is stored of each adds up to what its hours are worth, and all days
//     together are what the charge has in all;
//   - that what is stored of a day is what comes out again, as far as the ledger of usage still has its hours.
//
// Findings are never nil.
func (s *Service) VerifyCost(ctx context.Context) ([]Finding, error) {
	out := []Finding{}
	for last := id.Account(""); ; {
		accounts, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], fmt.Sprintf(`SELECT DISTINCT account FROM charge WHERE account > $1 ORDER BY account LIMIT %d`, ratePage), last)
		if err != nil {
			return nil, fmt.Errorf("verify costs: %w", err)
		}
		for _, a := range accounts {
			last = a
			found := func(format string, args ...any) { out = append(out, Finding{a, fmt.Sprintf(format, args...)}) }
			if err := s.db.Snapshot(ctx, func(ctx context.Context) error { return s.verifyAccount(ctx, a, found) }); err != nil {
				return nil, fmt.Errorf("verify the costs of account %s: %w", a, err)
			}
		}
		if len(accounts) < ratePage {
			return out, nil
		}
	}
}

func (s *Service) verifyAccount(ctx context.Context, a id.Account, found func(format string, args ...any)) error {
	charges, err := s.Charges(ctx, a, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	_, err = s.verifyCharges(ctx, a, charges, 0, found)
	return err
}

// again is how many days by use there were to check, and how many of them were shared once more.
type again struct{ days, shared int }

// verifyCharges checks charges of an account. Of days by use it shares only as many once more, the latest first, as take
// the use of so many hours of profiles; all of them where that is 0.
func (s *Service) verifyCharges(ctx context.Context, a id.Account, charges []Charge, most int, found func(format string, args ...any)) (again, error) {
	if len(charges) == 0 {
		return again{}, nil
	}
	from, to := charges[0].Start, charges[0].End
	for _, c := range charges {
		to = max(to, c.End)
		if n := c.upTo(c.hours()); n != c.Cents*microPerCent {
			found("the hours of charge %s add up to %d micro-units, it has %d cents", c.ID, n, c.Cents)
		}
	}
	now := s.now()
	loc, err := s.zoneOf(ctx, a)
	if err != nil {
		return again{}, err
	}
	h, err := s.historyOf(ctx, a, from, max(from+1, min(to, now)), true)
	if err != nil {
		return again{}, err
	}
	ps := h.profilesOf()
	var stored []storedDay
	for _, c := range charges {
		if !c.shared() {
			continue
		}
		var want int64
		var first map[Line]int64
		for range 2 {
			t := newTally(ps, c.Start, c.End, loc, false)
			t.allocate(h, []Charge{c}, c.Start, min(c.End, now), now)
			lines, total := t.lines()
			if want = c.upTo(c.over(now)); total[c.Currency] != want {
				found("by allocation the shares of charge %s add up to %d micro-units, its hours to %d", c.ID, total[c.Currency], want)
			}
			anew := map[Line]int64{}
			for _, l := range lines {
				anew[l]++
			}
			if first != nil && !maps.Equal(first, anew) {
				found("by allocation charge %s is shared in another way when it is computed again", c.ID)
			}
			first = anew
		}
		if err := s.verifyUse(ctx, c, &stored, found); err != nil {
			return again{}, err
		}
	}
	n, err := s.verifyDays(ctx, a, stored, most/max(len(ps), 1), found)
	return again{len(stored), n}, err
}

// storedDay is a day of a charge as it is stored.
type storedDay struct {
	Charge
	ratedHours
}

// verifyDays shares days by use once more, the latest first, as far as the ledger still has their hours, and compares; it
// returns how many. Use is read once for charges that have the same hours, and no more of it once that were so many hours; 0
// for all.
func (s *Service) verifyDays(ctx context.Context, a id.Account, days []storedDay, most int, found func(format string, args ...any)) (n int, err error) {
	slices.SortFunc(days, func(x, y storedDay) int {
		return cmp.Or(cmp.Compare(y.at, x.at), cmp.Compare(x.ratedHours.hours, y.ratedHours.hours), cmp.Compare(x.ID, y.ID))
	})
	fine := s.usage.FineSince()
	var u *use
	var of []int64
	read := 0
	for _, d := range days {
		if d.at < fine {
			break
		}
		var bounds []int64
		for k := d.first; k < d.first+d.ratedHours.hours; k++ {
			bounds = append(bounds, d.hourStart(k), d.hourEnd(k))
		}
		if u == nil || !slices.Equal(bounds, of) {
			if most > 0 && read >= most {
				break
			}
			read += int(d.ratedHours.hours)
			of = slices.Clone(bounds)
			if u, err = s.useBetween(ctx, a, bounds); err != nil {
				return n, err
			}
		}
		n++
		anew := map[string]int64{}
		hours := u.share(d.Charge, d.first, d.first+d.ratedHours.hours)
		for k := d.first; k < d.first+d.ratedHours.hours; k++ {
			hours.add(k, anew)
		}
		if encodeShares(anew) != d.shares {
			found("by use the shares of charge %s in the day from %s are not what use says they are", d.ID, web.Millis(d.at))
		}
	}
	return n, nil
}

// verifyUse checks what is stored of a charge by use, and adds its days to those that are to be shared once more.
func (s *Service) verifyUse(ctx context.Context, c Charge, all *[]storedDay, found func(format string, args ...any)) error {
	whole, there, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x ratedHours, err error) { return x, r.Scan(&x.hours, &x.shares) },
		`SELECT hours, shares FROM cost_rated WHERE charge = $1`, c.ID)
	if err != nil {
		return err
	}
	if !there {
		found("charge %s is not being rated by use", c.ID)
		return nil
	}
	days, err := s.ratedDays(ctx, []id.Charge{c.ID}, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	sums := map[string]int64{}
	next := int64(0)
	for _, d := range days {
		if d.first != next || d.at != c.hourStart(d.first) {
			found("by use charge %s lacks hours, or has some twice, before %s", c.ID, web.Millis(d.at))
		}
		next = d.first + d.hours
		var n int64
		if err := eachShare(d.shares, func(p string, micro int64) { n += micro; sums[p] += micro }); err != nil {
			found("by use charge %s on %s: %v", c.ID, web.Millis(d.at), err)
		}
		if want := c.between(d.first, next); n != want || d.micro != want {
			found("by use the shares of charge %s in the day from %s add up to %d micro-units, its hours to %d", c.ID, web.Millis(d.at), n, want)
		}
		*all = append(*all, storedDay{c, d})
	}
	total := map[string]int64{}
	if err := eachShare(whole.shares, func(p string, micro int64) { total[p] = micro }); err != nil {
		found("by use charge %s: %v", c.ID, err)
	}
	if whole.hours != next || encodeShares(total) != encodeShares(sums) {
		found("by use the days of charge %s are not what it has in all", c.ID)
	}
	return nil
}
