package limit

import (
	"context"
	"fmt"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Sum is what one limit refused of a profile since an instant.
type Sum struct {
	Name     string // as of Refusal
	Scope    string
	Status   int
	Requests int64
	Lost     int64 // points that did not come again
	First    int64 // UTC milliseconds
	Last     int64
}

// Sums adds up what limits refused of many profiles since an instant's minute, as far as each caller may see in theirs. What this process refused in the
// last seconds may not be in it yet.
func (s *Service) Sums(ctx context.Context, callers []auth.Caller, since int64) (map[id.Profile][]Sum, error) {
	type row struct {
		profile id.Profile
		Sum
	}
	out := map[id.Profile][]Sum{}
	for _, r := range s.devices.Reached(callers, "device_id") {
		w := sqldb.NewWhere("minute >= ?", since-since%minuteMS).And(r.Cond, r.Args...)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
			return x, r.Scan(&x.profile, &x.Name, &x.Scope, &x.Status, &x.Requests, &x.Lost, &x.First, &x.Last)
		}, `SELECT profile_id, name, scope, MAX(status), CAST(SUM(requests) AS BIGINT), CAST(SUM(CASE WHEN points > retried THEN points - retried ELSE 0 END) AS BIGINT),
				MIN(first_at), MAX(last_at)
			FROM refusal`+w.SQL()+` GROUP BY profile_id, name, scope ORDER BY profile_id, MAX(last_at) DESC, name, scope`, w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("add up refusals: %w", err)
		}
		for _, x := range rows {
			out[x.profile] = append(out[x.profile], x.Sum)
		}
	}
	return out, nil
}
