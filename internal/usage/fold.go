package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// How long the ledger stays as fine as it was written: quarters of an hour for 62 days, so that two whole months
// are; hours for 13 months, so that a month can be compared with that of the year before; then days.
const (
	keepQuarters = 62 * day
	keepHours    = 396 * day
	foldAtOnce   = 7 * day // of quarters or hours; at most 672 rows in a transaction
	foldDays     = 28 * day
)

// Fold makes the ledger coarser with age, across profiles: rows of one hour become one, later those of one day. A
// folded row stands at the last quarter of its hour or day, so that a sum up to an instant never counts what
// came later, and the level of a stock is that at its end. Hours and days are those of the owner's time zone and
// never reach over the end of a cycle: no cycle's sum changes. Hours of devices are
// forgotten when quarters are folded. Run it every hour or so on one node; each stretch is a transaction of its
// own and can be repeated.
func (s *Service) Fold(ctx context.Context) error {
	if err := s.bookIdle(ctx); err != nil {
		return err
	}
	last := ""
	var failed []error
	for {
		p, found, err := sqldb.One(ctx, s.db, sqldb.Value[id.Profile],
			`SELECT profile_id FROM ledger WHERE profile_id > $1 ORDER BY profile_id LIMIT 1`, last)
		if err != nil {
			return wrap("find a ledger to fold", err)
		}
		if !found {
			return errors.Join(failed...)
		}
		last = string(p)
		if err := s.foldOf(ctx, p); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed = append(failed, fmt.Errorf("fold the ledger of %s: %w", p, err))
		}
	}
}

// folded is how far a profile's ledger is folded.
type folded struct{ hours, days int64 }

// foldOf folds what of a profile's ledger has become old enough, whole days only.
func (s *Service) foldOf(ctx context.Context, p id.Profile) error {
	done, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (f folded, err error) { return f, r.Scan(&f.hours, &f.days) },
		`SELECT hours_to, days_to FROM ledger_fold WHERE profile_id = $1`, string(p))
	if err != nil {
		return err
	}
	if err := s.forgetDevices(ctx, p); err != nil {
		return err
	}
	now := s.now()
	if found && done.hours > now-keepQuarters-2*day && done.days > now-keepHours-2*day {
		return nil // less than a whole day is due, in any time zone
	}
	loc := time.UTC
	switch acc, err := s.ownerOf(ctx, p); {
	case err == nil:
		loc = acc.Location()
	case !fault.Is(err, fault.NotFound): // or deleted: its ledger stays
		return err
	}
	if !found {
		first, there, err := sqldb.One(ctx, s.db, sqldb.Value[int64],
			`SELECT quarter FROM ledger WHERE profile_id = $1 ORDER BY quarter LIMIT 1`, string(p))
		if err != nil || !there {
			return err
		}
		from, _ := dayOf(first, loc)
		done = folded{from, from}
	}
	hoursTo, _ := dayOf(now-keepQuarters, loc)
	daysTo, _ := dayOf(now-keepHours, loc)
	for done.hours < hoursTo {
		to, _ := dayOf(min(done.hours+foldAtOnce, hoursTo), loc)
		if to <= done.hours {
			to = hoursTo
		}
		if err := s.foldStretch(ctx, p, done.hours, to, folded{to, done.days}, func(q int64) int64 { _, end := hourOf(q, loc); return end }); err != nil {
			return err
		}
		done.hours = to
	}
	for done.days < min(daysTo, done.hours) {
		to, _ := dayOf(min(done.days+foldDays, daysTo), loc)
		if to <= done.days {
			to = daysTo
		}
		if err := s.foldStretch(ctx, p, done.days, to, folded{done.hours, to}, func(q int64) int64 { _, end := dayOf(q, loc); return end }); err != nil {
			return err
		}
		done.days = to
	}
	return nil
}

// ledgerRow is a row of the ledger; of a stock nil means that it did not change.
type ledgerRow struct {
	quarter int64
	flows   plan.Amounts
	levels  [plan.N]*int64
	over    [plan.N]*int64 // the marked part: of flows what was added, of stocks the level
}

var (
	ledgerServices = slices.Concat(flowServices, stockServices)
	ledgerColumns  = "profile_id, quarter, " + columns("%s", ledgerServices) + ", " + overColumns
)

func (r *ledgerRow) columns() (to []any) {
	to = append(to, &r.quarter)
	for _, svc := range flowServices {
		to = append(to, &r.flows[plan.Index(svc)])
	}
	for _, svc := range stockServices {
		to = append(to, &r.levels[plan.Index(svc)])
	}
	for i := range plan.Services {
		to = append(to, &r.over[i])
	}
	return to
}

// foldInto adds folded rows to what may have been booked there meanwhile.
var foldInto = func() string {
	out := " ON CONFLICT (profile_id, quarter) DO UPDATE SET "
	for i, svc := range ledgerServices {
		if i > 0 {
			out += ", "
		}
		if plan.Flow(svc) {
			out += fmt.Sprintf("%[1]s = ledger.%[1]s + excluded.%[1]s", svc)
		} else {
			out += fmt.Sprintf("%[1]s = COALESCE(excluded.%[1]s, ledger.%[1]s)", svc)
		}
	}
	for _, svc := range plan.Services {
		out += ", " + overInto(svc)
	}
	return out
}()

// foldStretch folds the rows from … to, each into the last quarter before what end says of it, and writes down how
// far that is.
func (s *Service) foldStretch(ctx context.Context, p id.Profile, from, to int64, now folded, end func(quarter int64) int64) error {
	ctx = sqldb.Cost(sqldb.As(ctx, p), 500)
	return s.db.Tx(ctx, func(ctx context.Context) error {
		ends, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT cycle_end FROM counter_history WHERE profile_id = $1 AND cycle_end > $2 AND cycle_end < $3
			UNION SELECT cycle_end FROM counter WHERE profile_id = $4 AND cycle_end > $5 AND cycle_end < $6`,
			string(p), from, to, string(p), from, to)
		if err != nil {
			return err
		}
		ends = append(ends, to)
		slices.Sort(ends)
		if err := s.bookOpen(ctx, []id.Profile{p}, to); err != nil { // or its level would stand before those of folded rows
			return err
		}
		// What is deleted is what is added again, whatever was booked a moment ago.
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x ledgerRow, err error) {
			var p id.Profile
			return x, r.Scan(append([]any{&p}, x.columns()...)...)
		}, `DELETE FROM ledger WHERE profile_id = $1 AND quarter >= $2 AND quarter < $3 RETURNING `+ledgerColumns, string(p), from, to)
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b ledgerRow) int { return int(max(-1, min(1, a.quarter-b.quarter))) })
		var out []ledgerRow
		for _, r := range rows {
			e := end(r.quarter)
			i, _ := slices.BinarySearch(ends, r.quarter+1)
			r.quarter = max(r.quarter, quarterOf(min(e, ends[i])-1))
			if n := len(out); n > 0 && out[n-1].quarter >= r.quarter {
				out[n-1].merge(r)
				continue
			}
			out = append(out, r)
		}
		for part := range slices.Chunk(out, 256) {
			width := 2 + len(ledgerServices) + len(plan.Services)
			args := make([]any, 0, len(part)*width)
			for _, r := range part {
				args = append(args, string(p), r.quarter)
				for _, svc := range flowServices {
					args = append(args, r.flows[plan.Index(svc)])
				}
				for _, svc := range stockServices {
					args = append(args, r.levels[plan.Index(svc)])
				}
				for i := range plan.Services {
					args = append(args, r.over[i])
				}
			}
			if _, err := s.db.Exec(ctx, `INSERT INTO ledger (`+ledgerColumns+`) VALUES `+sqldb.Rows(1, len(part), width)+foldInto, args...); err != nil {
				return err
			}
		}
		_, err = s.db.Exec(ctx, `INSERT INTO ledger_fold (profile_id, hours_to, days_to) VALUES ($1, $2, $3)
			ON CONFLICT (profile_id) DO UPDATE SET hours_to = excluded.hours_to, days_to = excluded.days_to`, string(p), now.hours, now.days)
		return err
	})
}

// merge adds a later row of the same hour or day.
func (r *ledgerRow) merge(later ledgerRow) {
	for i, svc := range plan.Metered {
		r.flows[i] += later.flows[i]
		if later.levels[i] != nil {
			r.levels[i] = later.levels[i]
		}
		switch o := later.over[i]; {
		case o == nil:
		case plan.Flow(svc) && r.over[i] != nil:
			n := *r.over[i] + *o
			r.over[i] = &n
		default:
			r.over[i] = o
		}
	}
}
