package transfer

import (
	"context"
	"fmt"

	"paddock/internal/kit/sqldb"
)

// Open counts transfers that are under way: those that wait for who receives, and those that wait for an operator.
func (s *Service) Open(ctx context.Context) (requested, accepted int64, err error) {
	type row struct {
		state State
		n     int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.state, &x.n) },
		`SELECT state, COUNT(*) FROM transfer WHERE state IN ($1, $2) GROUP BY state`, string(Requested), string(Accepted))
	if err != nil {
		return 0, 0, fmt.Errorf("count transfers: %w", err)
	}
	for _, r := range rows {
		if r.state == Requested {
			requested = r.n
		} else {
			accepted = r.n
		}
	}
	return requested, accepted, nil
}
