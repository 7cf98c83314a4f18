package billing

import (
	"context"
	"encoding/json"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

const budgetColumns = `id, account, profile, cents, currency, shares, forecast, created_at, updated_at`

func scanBudget(r sqldb.Scanner) (b Budget, err error) {
	var shares string
	if err := r.Scan(&b.ID, &b.Account, &b.Profile, &b.Cents, &b.Currency, &shares, &b.Forecast, &b.CreatedAt, &b.UpdatedAt); err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(shares), &b.Shares)
}

func (s *Service) budgetsWhere(ctx context.Context, cond string, args ...any) ([]Budget, error) {
	bs, err := sqldb.All(ctx, s.db, scanBudget, `SELECT `+budgetColumns+` FROM budget WHERE `+cond+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	return bs, nil
}

// budgetsOf are the budgets of an account, the oldest first.
func (s *Service) budgetsOf(ctx context.Context, a id.Account) ([]Budget, error) {
	return s.budgetsWhere(ctx, "account = $1", string(a))
}

// budgetOf returns not_found for a budget that is not the account's.
func (s *Service) budgetOf(ctx context.Context, a id.Account, which id.Budget) (Budget, error) {
	bs, err := s.budgetsWhere(ctx, "account = $1 AND id = $2", string(a), string(which))
	if err == nil && len(bs) == 0 {
		err = fault.New(fault.NotFound, "Budget Not Found")
	}
	if err != nil {
		return Budget{}, err
	}
	return bs[0], nil
}

func (s *Service) countBudgets(ctx context.Context, a id.Account) (n int64, err error) {
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM budget WHERE account = $1`, string(a)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count budgets: %w", err)
	}
	return n, nil
}

// accountsWithBudgets are the next ones after an account.
func (s *Service) accountsWithBudgets(ctx context.Context, after id.Account) ([]id.Account, error) {
	as, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], fmt.Sprintf(`SELECT DISTINCT account FROM budget WHERE account > $1 ORDER BY account LIMIT %d`, budgetPage), string(after))
	if err != nil {
		return nil, fmt.Errorf("find accounts with budgets: %w", err)
	}
	return as, nil
}

func (s *Service) writeBudget(ctx context.Context, b Budget) error {
	shares, err := json.Marshal(b.Shares)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO budget (`+budgetColumns+`) VALUES `+sqldb.Rows(1, 1, 9)+`
		ON CONFLICT (id) DO UPDATE SET cents = excluded.cents, currency = excluded.currency, shares = excluded.shares, forecast = excluded.forecast, updated_at = excluded.updated_at`,
		string(b.ID), string(b.Account), string(b.Profile), b.Cents, b.Currency, string(shares), b.Forecast, b.CreatedAt, b.UpdatedAt)
	if err != nil {
		return fmt.Errorf("write a budget: %w", err)
	}
	return nil
}

func (s *Service) dropBudget(ctx context.Context, b id.Budget) error {
	for _, q := range []string{`DELETE FROM budget WHERE id = $1`, `DELETE FROM budget_told WHERE budget = $1`} {
		if _, err := s.db.Exec(ctx, q, string(b)); err != nil {
			return fmt.Errorf("remove a budget: %w", err)
		}
	}
	return nil
}

func (s *Service) dropBudgets(ctx context.Context, a id.Account) error {
	for _, q := range []string{`DELETE FROM budget WHERE account = $1`, `DELETE FROM budget_told WHERE account = $1`} {
		if _, err := s.db.Exec(ctx, q, string(a)); err != nil {
			return fmt.Errorf("remove budgets: %w", err)
		}
	}
	return nil
}

// holdBudget locks a budget, and reports whether it is still there with that amount. It needs a transaction.
func (s *Service) holdBudget(ctx context.Context, b Budget) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE budget SET updated_at = updated_at WHERE id = $1 AND account = $2 AND cents = $3`, string(b.ID), string(b.Account), b.Cents)
	if err != nil {
		return false, fmt.Errorf("hold a budget: %w", err)
	}
	return n > 0, nil
}

// toldKey is what was told of a budget in a cycle.
type toldKey struct {
	budget       id.Budget
	share, cents int64
}

// toldOf is what an owner was told in a cycle.
func (s *Service) toldOf(ctx context.Context, a id.Account, cycle int64) (map[toldKey]bool, error) {
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (k toldKey, err error) { return k, r.Scan(&k.budget, &k.share, &k.cents) },
		`SELECT budget, share, cents FROM budget_told WHERE account = $1 AND cycle = $2`, string(a), cycle)
	if err != nil {
		return nil, fmt.Errorf("read what was told of budgets: %w", err)
	}
	out := map[toldKey]bool{}
	for _, k := range rows {
		out[k] = true
	}
	return out, nil
}

// lastTold is what an owner was told last of a budget.
type lastTold struct {
	budget           id.Budget
	share, cents, at int64
}

// lastToldOf are the latest tellings of an account's budgets: of several at one moment the highest share.
func (s *Service) lastToldOf(ctx context.Context, a id.Account) (map[id.Budget]lastTold, error) {
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x lastTold, err error) { return x, r.Scan(&x.budget, &x.share, &x.cents, &x.at) },
		`SELECT t.budget, t.share, t.cents, t.at FROM budget_told t JOIN (SELECT budget, MAX(at) AS at FROM budget_told WHERE account = $1 GROUP BY budget) m
			ON m.budget = t.budget AND m.at = t.at ORDER BY t.budget, t.share`, string(a))
	if err != nil {
		return nil, fmt.Errorf("read what was told last of budgets: %w", err)
	}
	out := map[id.Budget]lastTold{}
	for _, x := range rows {
		out[x.budget] = x
	}
	return out, nil
}

// remember writes that a share is told of, and reports false when it was before.
func (s *Service) remember(ctx context.Context, b Budget, x standing, share int64) (bool, error) {
	micro := x.of(b).micro
	if share == overrun {
		micro = x.of(b).expected
	}
	n, err := s.db.Exec(ctx, `INSERT INTO budget_told (budget, cycle, share, cents, account, micro, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (budget, cycle, share, cents) DO NOTHING`, string(b.ID), x.from, share, b.Cents, string(b.Account), micro, s.now())
	if err != nil {
		return false, fmt.Errorf("remember what is told of a budget: %w", err)
	}
	return n > 0, nil
}

// tidyBudgets forgets what was told long ago.
func (s *Service) tidyBudgets(ctx context.Context) error {
	_, err := s.db.Exec(sqldb.As(ctx, tenant), `DELETE FROM budget_told WHERE at < $1`, s.now()-keepTold)
	return err
}
