package limit

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "limit", FS: migrations} }

// maxRows is how many counters a statement touches at most.
const maxRows = 500

// request asks the row of a counter for n units; the answer is written into it.
type request struct {
	key
	minute  int64
	n       int64
	allowed int64

	granted bool
	taken   int64 // what the row then says
}

// grant serves requests of different counters in the transaction of a round, with one statement for many.
func (s *Service) grant(ctx context.Context, requests []*request) ([]error, error) {
	byKey := make(map[key]*request, len(requests))
	for _, r := range requests {
		r.granted = false
		byKey[r.key] = r
	}
	sorted := slices.SortedFunc(slices.Values(requests), func(a, b *request) int { return a.compare(b.key) })
	for part := range slices.Chunk(sorted, maxRows) {
		args := make([]any, 0, 5*len(part))
		for _, r := range part {
			args = append(args, string(r.profile), r.name, r.minute, r.n, r.allowed)
		}
		// The row may be a minute ahead, on another node's clock: then it counts there. Any other minute is over.
		done, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x request, err error) {
			return x, r.Scan(&x.profile, &x.name, &x.minute, &x.taken)
		}, `INSERT INTO rate (profile_id, name, minute, taken, allowed) VALUES `+sqldb.Rows(1, len(part), 5)+`
			ON CONFLICT (profile_id, name) DO UPDATE SET
				minute = CASE WHEN rate.minute = excluded.minute + 1 THEN rate.minute ELSE excluded.minute END,
				taken = CASE WHEN rate.minute = excluded.minute OR rate.minute = excluded.minute + 1 THEN rate.taken + excluded.taken ELSE excluded.taken END,
				allowed = excluded.allowed
			WHERE (rate.minute <> excluded.minute AND rate.minute <> excluded.minute + 1) OR rate.taken + excluded.taken <= excluded.allowed
			RETURNING profile_id, name, minute, taken`, args...)
		if err != nil {
			return nil, fmt.Errorf("take rates: %w", err)
		}
		for _, d := range done {
			r := byKey[d.key]
			r.granted, r.minute, r.taken = true, d.minute, d.taken
		}
	}
	return make([]error, len(requests)), nil
}

// giveBack subtracts from rows that are still of the same minute.
func (s *Service) giveBack(ctx context.Context, part []request) error {
	args := make([]any, 0, 4*len(part))
	for _, r := range part {
		args = append(args, string(r.profile), r.name, r.minute, r.n)
	}
	_, err := s.db.Exec(ctx, `UPDATE rate SET taken = rate.taken - v.column4
		FROM (VALUES `+sqldb.RowsOf(1, len(part), "TEXT", "TEXT", "BIGINT", "BIGINT")+`) AS v
		WHERE rate.profile_id = v.column1 AND rate.name = v.column2 AND rate.minute = v.column3`, args...)
	if err != nil {
		return fmt.Errorf("give back rates: %w", err)
	}
	return nil
}

// taken reads what the counters of a profile have handed out in a minute, by name.
func (s *Service) taken(ctx context.Context, p id.Profile, minute int64) (map[string]int64, error) {
	type row struct {
		name  string
		taken int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.name, &x.taken) },
		`SELECT name, taken FROM rate WHERE profile_id = $1 AND minute = $2`, string(p), minute)
	if err != nil {
		return nil, fmt.Errorf("read rates: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.name] = r.taken
	}
	return out, nil
}

// forget deletes a slice of the rows of minutes before one, across profiles, and says how many.
func (s *Service) forget(ctx context.Context, before int64) (int64, error) {
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (k key, err error) { return k, r.Scan(&k.profile, &k.name) },
		`SELECT profile_id, name FROM rate WHERE minute < $1 ORDER BY minute LIMIT 500`, before)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	slices.SortFunc(rows, key.compare)
	args := []any{before}
	for _, k := range rows {
		args = append(args, string(k.profile), k.name)
	}
	return s.db.Exec(ctx, `DELETE FROM rate WHERE minute < $1 AND (profile_id, name) IN (VALUES `+sqldb.Rows(2, len(rows), 2)+`)`, args...)
}

func (s *Service) deleteOf(ctx context.Context, p id.Profile) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM rate WHERE profile_id = $1 AND name IN (SELECT name FROM rate WHERE profile_id = $2 LIMIT 500)`,
		string(p), string(p))
}

// key names a counter.
type key struct {
	profile id.Profile
	name    string
}

func (k key) compare(o key) int {
	if c := strings.Compare(string(k.profile), string(o.profile)); c != 0 {
		return c
	}
	return strings.Compare(k.name, o.name)
}
