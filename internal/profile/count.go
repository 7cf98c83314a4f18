package profile

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// CountOf tells how many living profiles accounts own. Who owns none is not in the answer.
func (s *Service) CountOf(ctx context.Context, of []id.Account) (map[id.Account]int64, error) {
	out := make(map[id.Account]int64, len(of))
	if len(of) == 0 {
		return out, nil
	}
	args := make([]any, len(of))
	for i, a := range of {
		args[i] = string(a)
	}
	type row struct {
		account id.Account
		n       int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.account, &x.n) },
		`SELECT account, profiles FROM profile_owner WHERE account IN (`+sqldb.Marks(1, len(of))+`)`, args...)
	if err != nil {
		return nil, fmt.Errorf("count profiles: %w", err)
	}
	for _, r := range rows {
		out[r.account] = r.n
	}
	return out, nil
}
