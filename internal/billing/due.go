package billing

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Due is what an account has not paid in time, of one currency: invoices keep that of the catalogue they were issued under.
type Due struct {
	Cents    int64
	Currency string
	Since    int64 // UTC milliseconds when the first of it fell due
}

// PastDue tells what accounts have not paid in time, of those given, or of all when there are none given: by currency, that
// which fell due first before the others.
func (s *Service) PastDue(ctx context.Context, of ...id.Account) (map[id.Account][]Due, error) {
	if !s.Asks() {
		return map[id.Account][]Due{}, nil
	}
	w := sqldb.NewWhere("status = ?", string(Open)).And("due_at > 0").And("due_at <= ?", s.now())
	if len(of) > 0 {
		marks, args := "", make([]any, len(of))
		for i, a := range of {
			if marks += "?"; i < len(of)-1 {
				marks += ", "
			}
			args[i] = string(a)
		}
		w.And("account IN ("+marks+")", args...)
	}
	type row struct {
		account id.Account
		Due
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.account, &x.Cents, &x.Currency, &x.Since)
	},
		`SELECT account, CAST(SUM(cents) AS BIGINT), currency, MIN(due_at) AS since FROM invoice`+w.SQL()+` GROUP BY account, currency ORDER BY account, since, currency`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list what is past due: %w", err)
	}
	out := make(map[id.Account][]Due, len(rows))
	for _, r := range rows {
		out[r.account] = append(out[r.account], r.Due)
	}
	return out, nil
}

// Asks reports whether accounts pay here, so that something may be past due.
func (s *Service) Asks() bool { return s.config.Payment != NoPayment && s.config.Payment != "" }
