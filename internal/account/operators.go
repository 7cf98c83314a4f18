package account

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Operators are the accounts that run this installation.
func (s *Service) Operators(ctx context.Context) ([]id.Account, error) {
	out, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], "SELECT id FROM account WHERE operator = $1 ORDER BY id", true)
	if err != nil {
		return nil, fmt.Errorf("list operators: %w", err)
	}
	return out, nil
}
