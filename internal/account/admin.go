package account

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// What operators do to accounts, on the command line and later in the console. Each leaves an audit event of
// the account concerned. Each returns not_found for an e-mail without an account.

// List returns all accounts, oldest first.
func (s *Service) List(ctx context.Context) ([]Account, error) {
	out, err := sqldb.All(ctx, s.db, scan, "SELECT "+columns+" FROM account ORDER BY created_at, id")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return out, nil
}

// edit changes an account by e-mail; change returns the sentence of the audit event, or "" for no change.
func (s *Service) edit(ctx context.Context, who auth.Caller, email string, change func(ctx context.Context, a *Account) (string, error)) (Account, error) {
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		var err error
		if a, err = s.ByEmail(ctx, email); err != nil {
			return err
		}
		var ok bool
		if a, ok, err = s.hold(ctx, a.ID); err != nil {
			return err
		}
		if !ok { // deleted meanwhile
			return notFound
		}
		before := view(a)
		message, err := change(ctx, &a)
		if err != nil || message == "" {
			return err
		}
		a.UpdatedAt = s.clock.Now().UTC().Truncate(time.Millisecond)
		if err := s.save(ctx, a); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, message, before, view(a))
	})
	return a, err
}

// SetPlan moves an account to a plan of the catalogue. It returns invalid for an unknown one. What the
// account has over the caps of the new plan keeps working.
func (s *Service) SetPlan(ctx context.Context, who auth.Caller, email, plan string) (Account, error) {
	if _, ok := s.cfg.Plan(plan); !ok {
		return Account{}, fault.Field("plan", "there is no plan %q", plan)
	}
	var changed bool
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		var err error
		a, err = s.edit(ctx, who, email, func(_ context.Context, a *Account) (string, error) {
			if changed = a.Plan != plan; !changed {
				return "", nil
			}
			a.Plan = plan
			return fmt.Sprintf("Plan set to %s", plan), nil
		})
		if err != nil || !changed {
			return err
		}
		for _, h := range s.onPlan {
			if err := h(ctx, who, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return a, err
}

// SetOperator makes an account operator or takes that away. It returns conflict for the last operator.
func (s *Service) SetOperator(ctx context.Context, who auth.Caller, email string, operator bool) (Account, error) {
	return s.edit(ctx, who, email, func(ctx context.Context, a *Account) (string, error) {
		if a.Operator == operator {
			return "", nil
		}
		a.Operator = operator
		if operator {
			return "Made operator", nil
		}
		return "No longer operator", s.notLastOperator(ctx, a.ID)
	})
}

// SetBlocked bars an account from signing in and ends its sessions, or lets it in again. It returns conflict
// for the last operator.
func (s *Service) SetBlocked(ctx context.Context, who auth.Caller, email string, block bool) (Account, error) {
	return s.edit(ctx, who, email, func(ctx context.Context, a *Account) (string, error) {
		if a.Blocked == block {
			return "", nil
		}
		a.Blocked = block
		if !block {
			return "Unblocked", nil
		}
		if a.Operator {
			if err := s.notLastOperator(ctx, a.ID); err != nil {
				return "", err
			}
		}
		return "Blocked", s.endSessions(ctx, a.ID, "")
	})
}

// SetPassword sets an account's password, for people who lost it and their mailbox. It ends all sessions,
// locks and links, and counts as confirmation of the e-mail.
func (s *Service) SetPassword(ctx context.Context, who auth.Caller, email, password string) (Account, error) {
	a, err := s.ByEmail(ctx, email)
	if err != nil {
		return a, err
	}
	if err := checkPassword("password", password, a.Email); err != nil {
		return a, err
	}
	hash, err := s.hasher.hash(ctx, who.Addr, password)
	if err != nil {
		return a, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if !a.Active {
			var err error
			a, err = s.edit(ctx, who, email, func(_ context.Context, a *Account) (string, error) {
				a.Active = true
				return "E-mail confirmed by an operator", nil
			})
			if err != nil {
				return err
			}
		}
		return s.replacePassword(ctx, who, a, hash, "", "Password set by an operator")
	})
	return a, err
}

// Unlock forgets the wrong passwords of an account, which may then sign in at once. It returns whether there
// were any.
func (s *Service) Unlock(ctx context.Context, who auth.Caller, email string) (bool, error) {
	var tried bool
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		a, err := s.ByEmail(ctx, email)
		if err != nil {
			return err
		}
		if tried, err = s.forgive(ctx, a.Email); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Unlocked", nil, nil)
	})
	return tried, err
}

// PlansInUse names the plans that accounts are on, each once.
func (s *Service) PlansInUse(ctx context.Context) ([]string, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT DISTINCT plan FROM account ORDER BY plan")
}
