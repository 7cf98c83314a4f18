package usage

import (
	"context"
	"fmt"
	"math"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// The ledger of the quarter of an hour that runs stands in the counter row as far as points have written it: open_input and
// open_data_records, which belong to counter.quarter. A point then writes one row less. Whatever moves counter.quarter on
// books them first; so does what ends a cycle or a counter.
//
// Everything else writes the ledger itself. What writes a level of data_records there sets open_data_records to NULL in
// the same statement: where it is not NULL, it is later than every level in the ledger.

// closes follows _used of what is written to the ledger directly: the level of a service in the open quarter is old then.
func closes(svc plan.Service) string {
	if svc == plan.DataRecords {
		return ", open_data_records = NULL"
	}
	return ""
}

// ledgerAll is the ledger with what is open, as a table of an expression, across profiles: whoever reads it names those that are
// meant. Column latest orders what is open after what was booked of the same quarter.
var ledgerAll = func() string {
	open := "profile_id, quarter"
	for _, svc := range ledgerServices {
		switch {
		case svc == plan.Input || svc == plan.DataRecords:
			open += ", open_" + string(svc)
		case plan.Flow(svc):
			open += ", 0"
		default:
			open += ", NULL"
		}
	}
	for range plan.Services {
		open += ", NULL"
	}
	return `(SELECT ` + ledgerColumns + `, 0 AS latest FROM ledger
		UNION ALL SELECT ` + open + `, 1 FROM counter WHERE open_input > 0 OR open_data_records IS NOT NULL)`
}()

// openQuarter is what a counter has open.
type openQuarter struct {
	profile id.Profile
	quarter int64
	input   int64
	records *int64
}

// turnQuarters books what counters have open of a quarter of an hour that is over at an instant, and begins the one of that
// instant, in the transaction of ctx. It answers whose it was. Those whose cycle is over stay as they are: see turnEnded.
func (s *Service) turnQuarters(ctx context.Context, ps []id.Profile, now int64) ([]id.Profile, error) {
	q := quarterOf(now)
	return s.book(ctx, ps, q, now, q)
}

// bookOpen books what counters have open of quarters of an hour before one, in the transaction of ctx; the counters stay in theirs.
func (s *Service) bookOpen(ctx context.Context, ps []id.Profile, before int64) error {
	_, err := s.book(ctx, ps, before, math.MinInt64, 0)
	return err
}

// book books what is open of counters whose quarter is before one and whose cycle ends after an instant, and moves them on
// to a quarter unless they are there.
func (s *Service) book(ctx context.Context, ps []id.Profile, before, endsAfter, to int64) (booked []id.Profile, err error) {
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		marks, in := inList(3, part)
		// Locked before they are copied, or what another transaction adds in between would be lost.
		open, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (o openQuarter, err error) {
			return o, r.Scan(&o.profile, &o.quarter, &o.input, &o.records)
		}, `UPDATE counter SET version = version + 0 WHERE quarter < $1 AND cycle_end > $2 AND profile_id IN (`+marks+`)
			RETURNING profile_id, quarter, open_input, open_data_records`, append([]any{before, endsAfter}, in...)...)
		if err != nil {
			return nil, wrap("lock counters whose quarter is over", err)
		}
		if len(open) == 0 {
			continue
		}
		var rows []any
		ours := make([]id.Profile, len(open))
		for i, o := range open {
			ours[i] = o.profile
			if o.input > 0 || o.records != nil {
				rows = append(rows, string(o.profile), o.quarter, o.input, o.records)
			}
		}
		if len(rows) > 0 {
			if _, err := s.db.Exec(ctx, `INSERT INTO ledger (profile_id, quarter, input, data_records) VALUES `+sqldb.Rows(1, len(rows)/4, 4)+`
				ON CONFLICT (profile_id, quarter) DO UPDATE SET input = ledger.input + excluded.input,
					data_records = COALESCE(excluded.data_records, ledger.data_records)`, rows...); err != nil {
				return nil, wrap("write the ledger", err)
			}
			crash.At("quarter booked, still open")
		}
		marks, in = inList(3, ours)
		if _, err := s.db.Exec(ctx, `UPDATE counter SET open_input = 0, open_data_records = NULL,
			quarter = CASE WHEN quarter < $1 THEN $2 ELSE quarter END WHERE profile_id IN (`+marks+`)`, append([]any{to, to}, in...)...); err != nil {
			return nil, wrap("begin a quarter", err)
		}
		booked = append(booked, ours...)
	}
	return booked, nil
}

// bookIdle books what counters have open of quarters that were over an hour ago, across profiles, some at a time: of
// profiles that nobody has sent to since.
func (s *Service) bookIdle(ctx context.Context) error {
	before := quarterOf(s.now()) - hour
	for last := ""; ; {
		ps, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], fmt.Sprintf(`SELECT profile_id FROM counter
			WHERE profile_id > $1 AND quarter < $2 AND (open_input > 0 OR open_data_records IS NOT NULL) ORDER BY profile_id LIMIT %d`, sqldb.MaxSize), last, before)
		if err != nil || len(ps) == 0 {
			return wrap("find quarters that are over", err)
		}
		if err := s.db.Tx(sqldb.Cost(ctx, len(ps)), func(ctx context.Context) error { return s.bookOpen(ctx, ps, before) }); err != nil {
			return err
		}
		last = string(ps[len(ps)-1])
	}
}
