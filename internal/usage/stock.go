package usage

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// Stocks is what every profile's counter says that it holds of a stock, across profiles, and what is kept of those that are deleted or in the making. The room that keeps
// the things compares it with what it has; inside a snapshot both are of one instant.
func (s *Service) Stocks(ctx context.Context, svc plan.Service) (map[id.Profile]int64, error) {
	if plan.Index(svc) < 0 || plan.Flow(svc) {
		return nil, fmt.Errorf("%s is no stock", svc)
	}
	type row struct {
		p id.Profile
		n int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.p, &x.n) },
		`SELECT profile_id, `+string(svc)+`_used FROM counter UNION ALL SELECT profile_id, `+string(svc)+`_used FROM resting`)
	if err != nil {
		return nil, fmt.Errorf("read stocks: %w", err)
	}
	out := make(map[id.Profile]int64, len(rows))
	for _, r := range rows {
		out[r.p] = r.n
	}
	return out, nil
}
