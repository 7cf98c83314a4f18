package limit

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Refused is how many requests of a profile limits have refused.
type Refused struct {
	Profile   id.Profile
	Requests  int64
	Throttled int64 // of those, by rates (429); the others by amounts, pauses and switched-off devices
	Points    int64
}

// MostRefused are the profiles with the most refused requests in the clock minutes that began within the last ones, across
// profiles, as far as that has been written: a few seconds ago.
func (s *Service) MostRefused(ctx context.Context, last time.Duration, most int64) ([]Refused, error) {
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x Refused, err error) {
		return x, r.Scan(&x.Profile, &x.Requests, &x.Throttled, &x.Points)
	}, `SELECT profile_id, CAST(SUM(requests) AS BIGINT), CAST(SUM(CASE WHEN status = 429 THEN requests ELSE 0 END) AS BIGINT), CAST(SUM(points) AS BIGINT)
		FROM refusal WHERE minute > $1 GROUP BY profile_id HAVING SUM(requests) > 0 ORDER BY SUM(requests) DESC, profile_id LIMIT $2`, s.now()-last.Milliseconds(), most)
	if err != nil {
		return nil, fmt.Errorf("list floods: %w", err)
	}
	return out, nil
}
