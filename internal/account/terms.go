package account

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// TermsChange is what an account gets from now on: all of it, not what differs.
type TermsChange struct {
	Account       id.Account
	Plan          string
	Terms         string // "" for nothing beyond the plan
	Anchor        int64  // UTC milliseconds; 0 for calendar months
	Message       string // of the audit event
	Before, After any    // of the audit event, in the words of whoever changes it
}

// SetTerms gives an account another plan, other terms or another anchor, in the transaction of ctx, and runs the hooks of
// OnPlan, also when only the terms differ. Without any difference it does nothing. It returns invalid for a plan that does
// not exist and not_found for an account that is gone.
func (s *Service) SetTerms(ctx context.Context, who auth.Caller, c TermsChange) error {
	if _, ok := s.cfg.Plan(c.Plan); !ok {
		return fault.Field("plan", "there is no plan %q", c.Plan)
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		a, ok, err := s.hold(ctx, c.Account)
		if err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		if a.Plan == c.Plan && a.Terms == c.Terms && a.Anchor == c.Anchor {
			return nil
		}
		now := s.clock.Now().UTC().Truncate(time.Millisecond)
		if a.TermsUntil, err = s.cfg.TermsUntil(c.Terms, clock.Millis(now)); err != nil {
			return fmt.Errorf("set the terms of an account: %w", err)
		}
		a.Plan, a.Terms, a.Anchor, a.UpdatedAt = c.Plan, c.Terms, c.Anchor, now
		if err := s.save(ctx, a); err != nil {
			return err
		}
		if err := s.record(ctx, who, a.ID, c.Message, c.Before, c.After); err != nil {
			return err
		}
		return s.planChanged(ctx, who, a.ID)
	})
}

// EndTerms runs the hooks of OnPlan for accounts whose terms have changed by themselves, each in a transaction of its own:
// what was granted until an instant ends then, and what profiles share must fit again. Whatever cuts it short, the next
// run goes on.
func (s *Service) EndTerms(ctx context.Context) error {
	for {
		now := clock.Millis(s.clock.Now())
		due, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account],
			"SELECT id FROM account WHERE terms_until > 0 AND terms_until <= $1 ORDER BY terms_until, id LIMIT 100", now)
		if err != nil {
			return fmt.Errorf("find terms that have ended: %w", err)
		}
		for _, a := range due {
			if err := s.endTerms(ctx, a, now); err != nil {
				return fmt.Errorf("end terms of account %s: %w", a, err)
			}
			crash.At("terms of one account ended")
		}
		if len(due) < 100 {
			return nil
		}
	}
}

func (s *Service) endTerms(ctx context.Context, account id.Account, now int64) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		a, ok, err := s.hold(ctx, account)
		if err != nil || !ok || a.TermsUntil == 0 || a.TermsUntil > now { // gone, or changed meanwhile
			return err
		}
		ended := a.TermsUntil
		if a.TermsUntil, err = s.cfg.TermsUntil(a.Terms, now); err != nil {
			return err
		}
		if err := s.save(ctx, a); err != nil {
			return err
		}
		who := auth.SystemCaller()
		if err := s.record(ctx, who, a.ID, "Terms ended as agreed", nil, map[string]any{"ended": clock.FromMillis(ended)}); err != nil {
			return err
		}
		return s.planChanged(ctx, who, a.ID)
	})
}

// OnPlans are the accounts on some plans whose id comes after one, at most n, in the order of their ids.
func (s *Service) OnPlans(ctx context.Context, plans []string, after id.Account, n int) ([]id.Account, error) {
	w := sqldb.NewWhere("id > ?", string(after))
	sqldb.In(w, "plan", plans)
	out, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], "SELECT id FROM account"+w.SQL()+fmt.Sprintf(" ORDER BY id LIMIT %d", n), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list accounts on plans: %w", err)
	}
	return out, nil
}

// PlanUsers names by plan the first few accounts that are on it, by e-mail.
func (s *Service) PlanUsers(ctx context.Context) (map[string][]string, error) {
	type row struct {
		plan, email string
		rank        int64
	}
	const few = 5
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.plan, &x.email, &x.rank) },
		`SELECT plan, email, n FROM (SELECT plan, email, ROW_NUMBER() OVER (PARTITION BY plan ORDER BY id) AS n FROM account) AS x WHERE n <= $1 ORDER BY plan, n`, int64(few+1))
	if err != nil {
		return nil, fmt.Errorf("list the plans of accounts: %w", err)
	}
	out := map[string][]string{}
	for _, r := range rows {
		if r.rank > few {
			r.email = "…"
		}
		out[r.plan] = append(out[r.plan], r.email)
	}
	return out, nil
}

// Replan runs the hooks of OnPlan for an account whose plan means something else now.
func (s *Service) Replan(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		_, ok, err := s.hold(ctx, a)
		if err != nil || !ok { // gone meanwhile
			return err
		}
		return s.planChanged(ctx, who, a)
	})
}
