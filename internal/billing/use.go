package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// What one turn of rating reads at most.
const (
	rateCells  = 24_000    // hours of profiles, but a day at least and a month at most
	ratePage   = 500       // accounts
	longestDay = 50 * hour // of a charge whose account changed its time zone within it
)

// allRated is when the next hour ends of a charge that has none left to rate.
const allRated = int64(math.MaxInt64)

// Rate shares by use those hours of charges that are over, all exactly once, and returns when there are none left. Run it
// often enough that hours do not pile up; it catches up after any pause. Each charge is written in a transaction of its own, together with
// how far it has been rated, so that whatever cuts it short, the next run goes on there.
func (s *Service) Rate(ctx context.Context) error {
	until, err := s.usage.Settled(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for last := (rateDue{}); ; {
		due, err := s.toRate(ctx, until, last)
		if err != nil {
			return err
		}
		for _, d := range due {
			last = d
			if err := s.rateAccount(ctx, d.account, until); err != nil {
				if ctx.Err() != nil {
					return err
				}
				failed = append(failed, fmt.Errorf("rate the charges of account %s: %w", d.account, err))
			}
		}
		if len(due) < ratePage {
			return errors.Join(failed...)
		}
	}
}

// rateDue is an account that has charges of which an hour was over at an instant.
type rateDue struct {
	at      int64
	account id.Account
}

// toRate are the next ones after another whose hour was over by an instant, in the order in which hours were. It reads those and no
// others: of all charges that there ever were most are rated to their end.
func (s *Service) toRate(ctx context.Context, until int64, after rateDue) ([]rateDue, error) {
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (d rateDue, err error) { return d, r.Scan(&d.at, &d.account) },
		fmt.Sprintf(`SELECT DISTINCT next_at, account FROM cost_rated WHERE next_at <= $1 AND (next_at, account) > ($2, $3) ORDER BY next_at, account LIMIT %d`, ratePage),
		until, after.at, string(after.account))
	if err != nil {
		return nil, fmt.Errorf("find charges to rate: %w", err)
	}
	return out, nil
}

// rating is a charge as far as it has been rated by use.
type rating struct {
	Charge
	done   int64            // hours
	shares map[string]int64 // what each profile has of them; "" what nobody has
}

// due are the charges of an account that have an hour over by an instant which has not been rated.
func (s *Service) due(ctx context.Context, a id.Account, until int64) ([]rating, error) {
	type row struct {
		hours  int64
		shares string
		Charge
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		x.Charge, err = scanCharge(scanAfter{r, []any{&x.hours, &x.shares}})
		return x, err
	}, `SELECT r.hours, r.shares, c.id, c.account, c.kind, c.item, c.profile, c.amount, c.cents, c.currency, c.start_at, c.end_at, c.gives_back, c.catalogue, c.invoice, c.key, c.made_at
		FROM cost_rated r JOIN charge c ON c.id = r.charge WHERE r.account = $1 AND r.next_at <= $2 ORDER BY r.next_at, c.id`, a, until)
	if err != nil {
		return nil, fmt.Errorf("read charges to rate: %w", err)
	}
	out := make([]rating, len(rows))
	for i, r := range rows {
		out[i] = rating{Charge: r.Charge, done: r.hours, shares: map[string]int64{}}
		if err := eachShare(r.shares, func(p string, micro int64) { out[i].shares[p] = micro }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scanAfter scans columns that stand before those of a charge.
type scanAfter struct {
	r     sqldb.Scanner
	first []any
}

func (x scanAfter) Scan(to ...any) error { return x.r.Scan(append(x.first, to...)...) }

// rateAccount rates the charges of an account, some days of the oldest at a time.
func (s *Service) rateAccount(ctx context.Context, a id.Account, until int64) error {
	loc, err := s.zoneOf(ctx, a)
	if err != nil {
		return err
	}
	for {
		due, err := s.due(ctx, a, until)
		if err != nil || len(due) == 0 {
			return err
		}
		first := due[0].hourStart(due[0].done)
		for _, r := range due {
			first = min(first, r.hourStart(r.done))
		}
		ps, err := s.profiles.Ownerships(ctx, a, first, until)
		if err != nil {
			return err
		}
		end := min(until, first+min(max(rateCells/int64(max(len(ps), 1)), 24), 31*24)*hour)
		use, err := s.useOf(ctx, a, due, end)
		if err != nil {
			return err
		}
		moved := false
		for _, r := range due {
			next := r.over(end)
			if next <= r.done {
				continue
			}
			moved = true
			if err := s.writeRated(ctx, r, use.share(r.Charge, r.done, next), loc); err != nil {
				return err
			}
		}
		if !moved {
			return nil
		}
	}
}

// zoneOf is the time zone that an account's days are cut in; UTC for one that is gone.
func (s *Service) zoneOf(ctx context.Context, a id.Account) (*time.Location, error) {
	acc, err := s.accounts.Get(ctx, a)
	if fault.Is(err, fault.NotFound) {
		return time.UTC, nil
	}
	return acc.Location(), err
}

// use is what the profiles of an account used between bounds.
type use struct {
	profiles []id.Profile
	owner    owner
	bounds   []int64
	used     [][]plan.Amounts // of each profile, between each two bounds
}

// useOf reads what the profiles of an account used in the hours of charges that are to be rated up to an instant.
func (s *Service) useOf(ctx context.Context, a id.Account, due []rating, end int64) (*use, error) {
	var bounds []int64
	for _, r := range due {
		next := r.over(end)
		for k := r.done; k < next; k++ {
			bounds = append(bounds, r.hourStart(k), r.hourEnd(k))
		}
	}
	return s.useBetween(ctx, a, bounds)
}

// useBetween reads what the profiles of an account used between instants, in any order.
func (s *Service) useBetween(ctx context.Context, a id.Account, bounds []int64) (*use, error) {
	slices.Sort(bounds)
	u := &use{bounds: slices.Compact(bounds)}
	if len(u.bounds) == 0 {
		return u, nil
	}
	first, last := u.bounds[0], u.bounds[len(u.bounds)-1]
	h, err := s.historyOf(ctx, a, first, last, false)
	if err != nil {
		return nil, err
	}
	for _, o := range h.owned { // what a profile is used for from when on it is another's is not the account's
		if first < o.Until && o.Until < last {
			u.bounds = append(u.bounds, o.Until)
		}
	}
	slices.Sort(u.bounds)
	u.bounds = slices.Compact(u.bounds)
	u.profiles = h.profilesOf()
	u.owner = h.owner(u.profiles)
	used, err := s.usage.UsedBetween(ctx, u.profiles, u.bounds)
	if err != nil {
		return nil, err
	}
	u.used = make([][]plan.Amounts, len(u.profiles))
	for i, p := range u.profiles {
		u.used[i] = used[p]
	}
	return u, nil
}

// weights are what each profile used of service i from one bound to another as long as it was the account's, and nothing of those
// that were not at the first.
func (u *use) weights(i int, from, to int64, out []int64) []int64 {
	out = out[:0]
	a, _ := slices.BinarySearch(u.bounds, from)
	b, _ := slices.BinarySearch(u.bounds, to)
	flow := plan.Flow(plan.Metered[i])
	for p := range u.profiles {
		var n int64
		if u.used[p] != nil && u.owner.at(p, from) {
			for k := a; k < b && u.owner.at(p, u.bounds[k]); k++ {
				if flow {
					n += u.used[p][k][i]
				} else {
					n = u.used[p][k][i]
				}
			}
		}
		out = append(out, max(n, 0))
	}
	return out
}

// sharedHours are hours of a charge as profiles share them, one after the other.
type sharedHours struct {
	profiles []id.Profile
	first    int64
	hours    [][]int64 // of each hour what each profile has, and at the end what nobody has
}

// share shares hours of a charge by use.
func (u *use) share(c Charge, first, next int64) sharedHours {
	out := sharedHours{profiles: u.profiles, first: first}
	i := plan.Index(plan.Service(c.Item))
	var split splitter
	var weights []int64
	for k := first; k < next; k++ {
		weights = u.weights(i, c.hourStart(k), c.hourEnd(k), weights)
		parts := make([]int64, len(weights)+1)
		if micro := c.between(k, k+1); !split.split(micro, weights, 1, parts[:len(weights)]) {
			parts[len(weights)] = micro
		}
		out.hours = append(out.hours, parts)
	}
	return out
}

// add adds hour k to shares by profile.
func (h sharedHours) add(k int64, to map[string]int64) {
	for i, n := range h.hours[k-h.first] {
		switch {
		case n == 0:
		case i < len(h.profiles):
			to[string(h.profiles[i])] += n
		default:
			to[""] += n
		}
	}
}

// writeRated writes how hours of a charge are shared, unless another node has meanwhile.
func (s *Service) writeRated(ctx context.Context, r rating, hours sharedHours, loc *time.Location) error {
	days, err := s.ratedDays(ctx, []id.Charge{r.ID}, r.hourStart(r.done)-longestDay, math.MaxInt64)
	if err != nil {
		return err
	}
	next := r.done + int64(len(hours.hours))
	var changed []ratedHours
	shares := map[string]int64{}
	keep := func() {
		if n := len(changed); n > 0 {
			changed[n-1].shares = encodeShares(shares)
		}
	}
	for k := r.done; k < next; k++ {
		start := r.hourStart(k)
		day, _ := usage.DayOf(start, loc)
		switch {
		case k == 0 || start-hour < day: // the first hour of a day
			keep()
			shares = map[string]int64{}
			changed = append(changed, ratedHours{charge: r.ID, at: start, first: k})
		case k == r.done: // goes on with a day
			if len(days) == 0 {
				return fmt.Errorf("charge %s has %d rated hours and no rated day", r.ID, r.done)
			}
			changed = append(changed, days[len(days)-1])
			if err := eachShare(days[len(days)-1].shares, func(p string, micro int64) { shares[p] = micro }); err != nil {
				return err
			}
		}
		hours.add(k, shares)
		hours.add(k, r.shares)
		d := &changed[len(changed)-1]
		d.hours++
		d.micro += r.between(k, k+1)
	}
	keep()
	nextAt := allRated
	if next < r.hours() {
		nextAt = r.hourEnd(next)
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `UPDATE cost_rated SET hours = $1, next_at = $2, shares = $3 WHERE charge = $4 AND hours = $5`,
			next, nextAt, encodeShares(r.shares), r.ID, r.done)
		if err != nil || n == 0 {
			return err
		}
		crash.At("hours rated, their days not written")
		for part := range slices.Chunk(changed, 30) {
			var args []any
			for _, d := range part {
				args = append(args, r.ID, d.at, d.first, d.hours, d.micro, d.shares)
			}
			if _, err := s.db.Exec(ctx, `INSERT INTO cost_use (charge, at, first, hours, micro, shares) VALUES `+sqldb.Rows(1, len(part), 6)+`
				ON CONFLICT (charge, at) DO UPDATE SET hours = excluded.hours, micro = excluded.micro, shares = excluded.shares`, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write rated hours: %w", err)
	}
	return nil
}
