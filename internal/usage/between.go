package usage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// UsedBetween is what profiles, living or deleted, used between bounds, which ascend and are quarters of an hour: for each
// two of them what was added of flows, and of stocks what was there at the end. What is open in counters is counted. Where the
// ledger has become coarser with age, use stands at the end of its hour or day.
func (s *Service) UsedBetween(ctx context.Context, ps []id.Profile, bounds []int64) (map[id.Profile][]plan.Amounts, error) {
	out := make(map[id.Profile][]plan.Amounts, len(ps))
	if len(bounds) < 2 || len(ps) == 0 {
		return out, nil
	}
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		levels, err := s.levelsAt(ctx, part, bounds[0])
		if err != nil {
			return nil, err
		}
		found, err := s.buckets(ctx, part, bounds)
		if err != nil {
			return nil, err
		}
		for _, p := range part {
			level := held{stocks: levels[p]}
			bs := found[p]
			used := make([]plan.Amounts, len(bs))
			for i := range bs {
				level.follow(&bs[i])
				used[i] = bs[i].flows
				for _, svc := range stockServices {
					used[i][plan.Index(svc)] = level.stocks[plan.Index(svc)]
				}
			}
			out[p] = used
		}
	}
	return out, nil
}

// levelColumns are, for each stock, the last level that the ledger has of a profile_id before an instant.
func levelColumns(stocks []plan.Service) string {
	var b strings.Builder
	for _, svc := range stocks {
		fmt.Fprintf(&b, `, (SELECT l.%[1]s FROM ledger l WHERE l.profile_id = v.column1 AND l.quarter < v.column2 AND l.%[1]s IS NOT NULL
			ORDER BY l.quarter DESC LIMIT 1)`, svc)
	}
	return b.String()
}

// levelsAt is what profiles held of each stock at an instant, which is a quarter of an hour.
func (s *Service) levelsAt(ctx context.Context, ps []id.Profile, at int64) (map[id.Profile]plan.Amounts, error) {
	return s.levelsOf(ctx, ps, stockServices, at)
}

// levelsOf is levelsAt for some of the stocks.
func (s *Service) levelsOf(ctx context.Context, ps []id.Profile, stocks []plan.Service, at int64) (map[id.Profile]plan.Amounts, error) {
	out := make(map[id.Profile]plan.Amounts, len(ps))
	n := sqldb.SizeFor(len(ps))
	args := make([]any, 0, 2*n)
	for i := range n {
		p := ""
		if i < len(ps) {
			p = string(ps[i])
		}
		args = append(args, p, at)
	}
	type row struct {
		profile id.Profile
		levels  [plan.N]*int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		to := []any{&x.profile}
		for _, svc := range stocks {
			to = append(to, &x.levels[plan.Index(svc)])
		}
		return x, r.Scan(to...)
	}, `SELECT v.column1`+levelColumns(stocks)+` FROM (VALUES `+sqldb.RowsOf(1, n, "TEXT", "BIGINT")+`) AS v`, args...)
	if err != nil {
		return nil, wrap("read levels", err)
	}
	for _, r := range rows {
		var a plan.Amounts
		for i, n := range r.levels {
			if n != nil {
				a[i] = *n
			}
		}
		out[r.profile] = a
	}
	// What stands open in a counter is later than every level in the ledger.
	marks, in := inList(2, ps)
	open, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.levels[plan.Index(plan.DataRecords)])
	}, `SELECT profile_id, open_data_records FROM counter WHERE quarter < $1 AND open_data_records IS NOT NULL AND profile_id IN (`+marks+`)`,
		append([]any{at}, in...)...)
	if err != nil {
		return nil, wrap("read open levels", err)
	}
	for _, r := range open {
		a := out[r.profile]
		a[plan.Index(plan.DataRecords)] = *r.levels[plan.Index(plan.DataRecords)]
		out[r.profile] = a
	}
	return out, nil
}

// Settled is the instant before which the ledger will not change any more: what nodes have answered up to a moment ago may
// not be in it yet, nor what a node held that died, until another has booked it. It reads leases across profiles.
func (s *Service) Settled(ctx context.Context) (int64, error) {
	at := s.now() - settleAfter
	oldest, found, err := sqldb.One(ctx, s.db, sqldb.Value[*int64], `SELECT MIN(renewed_at) FROM lease`)
	if err != nil {
		return 0, wrap("find the oldest lease", err)
	}
	if found && oldest != nil {
		at = min(at, quarterOf(*oldest))
	}
	return at, nil
}

// settleAfter is how long after an hour nothing more is booked in it, as long as all nodes live.
const settleAfter = int64(5 * 60 * 1000)

// FineSince is the instant since which the ledger still has every quarter of an hour.
func (s *Service) FineSince() int64 { return s.now() - ledgerReach }

// DayOf is the day of a time zone that an instant lies in, from quarter of an hour to quarter of an hour.
func DayOf(ms int64, loc *time.Location) (from, to int64) { return dayOf(ms, loc) }
