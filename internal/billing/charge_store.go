package billing

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

const chargeColumns = `id, account, kind, item, profile, amount, cents, currency, start_at, end_at, gives_back, catalogue, invoice, key, made_at`

func scanCharge(r sqldb.Scanner) (c Charge, err error) {
	return c, r.Scan(&c.ID, &c.Account, &c.Kind, &c.Item, &c.Profile, &c.Amount, &c.Cents, &c.Currency, &c.Start, &c.End, &c.GivesBack, &c.Catalogue, &c.Invoice, &c.Key, &c.MadeAt)
}

// AddCharges writes charges, in the transaction of ctx or one of its own, unless their account has one of the same key. It
// fills in ids that are empty and the instant, and says which were written. Hours that are over already are rated by use
// with the next ones, as if the charge had been there.
func (s *Service) AddCharges(ctx context.Context, charges ...Charge) (made []Charge, err error) {
	now := s.now()
	for i := range charges {
		c := &charges[i]
		if c.ID == "" {
			c.ID = id.New[id.Charge]()
		}
		c.MadeAt = now
		if c.Account == "" || c.Key == "" || c.Currency == "" || c.End <= c.Start || c.Start%quarter != 0 || c.End%quarter != 0 || c.Cents > mostCents || c.Cents < -mostCents {
			return nil, fmt.Errorf("charge %q of account %s, from %d to %d over %d cents, cannot be", c.Key, c.Account, c.Start, c.End, c.Cents)
		}
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		made = nil
		for _, c := range charges {
			n, err := s.db.Exec(ctx, `INSERT INTO charge (`+chargeColumns+`) VALUES `+sqldb.Rows(1, 1, 15)+` ON CONFLICT (account, key) DO NOTHING`,
				c.ID, c.Account, string(c.Kind), c.Item, c.Profile, c.Amount, c.Cents, c.Currency, c.Start, c.End, c.GivesBack, c.Catalogue, c.Invoice, c.Key, c.MadeAt)
			if err != nil {
				return fmt.Errorf("write a charge: %w", err)
			}
			if n == 0 {
				continue
			}
			made = append(made, c)
			if !c.shared() {
				continue
			}
			if _, err := s.db.Exec(ctx, `INSERT INTO cost_rated (charge, account, hours, next_at, shares) VALUES ($1, $2, $3, $4, $5)`,
				c.ID, c.Account, int64(0), c.hourEnd(0), "{}"); err != nil {
				return fmt.Errorf("begin to rate a charge: %w", err)
			}
		}
		return nil
	})
	return made, err
}

// Charges are those of an account whose hours overlap a stretch of time, in the order in which they start.
func (s *Service) Charges(ctx context.Context, a id.Account, from, to int64) ([]Charge, error) {
	cs, err := sqldb.All(ctx, s.db, scanCharge, `SELECT `+chargeColumns+` FROM charge WHERE account = $1 AND end_at > $2 AND start_at < $3
		ORDER BY start_at, made_at, id`, a, from, to)
	if err != nil {
		return nil, fmt.Errorf("read charges: %w", err)
	}
	return cs, nil
}

// shared reports whether profiles share the charge; others are lines of their own.
func (c Charge) shared() bool { return c.Kind == ServiceFee || c.Kind == Figure }
