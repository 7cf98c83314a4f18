package support

import (
	"context"
	"fmt"

	"paddock/internal/kit/sqldb"
)

// Waiting counts tickets that are not closed: open ones wait for an operator, answered ones for whoever asked. oldest is when
// the one was last changed that has waited for an operator longest, in UTC milliseconds; 0 for none.
func (s *Service) Waiting(ctx context.Context) (open, answered, oldest int64, err error) {
	type row struct {
		state     State
		n, oldest int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.state, &x.n, &x.oldest) },
		`SELECT state, COUNT(*), MIN(updated_at) FROM ticket WHERE state <> $1 AND kind = $2 GROUP BY state`, string(Closed), string(Question))
	if err != nil {
		return 0, 0, 0, fmt.Errorf("count tickets: %w", err)
	}
	for _, r := range rows {
		if r.state == Answered {
			answered = r.n
		} else {
			open, oldest = r.n, r.oldest
		}
	}
	return open, answered, oldest, nil
}
