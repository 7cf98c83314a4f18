package account

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// What operators do to accounts, on the command line and in the console. Each leaves an audit event of
// the account concerned. Each returns not_found for an e-mail without an account.

// List returns all accounts, oldest first.
func (s *Service) List(ctx context.Context) ([]Account, error) {
	out, err := sqldb.All(ctx, s.db, scan, "SELECT "+columns+" FROM account ORDER BY created_at, id")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return out, nil
}

// SendReset mails a person a link that sets a new password, because an operator was asked to. It returns conflict for a
// blocked account, and TooMany when a letter of this kind has just gone out.
func (s *Service) SendReset(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		acc, ok, err := s.byID(ctx, a)
		switch {
		case err != nil:
			return err
		case !ok:
			return notFound
		case acc.Blocked:
			return fault.New(fault.Conflict, "The account is blocked: a new password would be of no use")
		}
		send, err := s.mayMail(ctx, "reset", acc.Email, "")
		if err != nil {
			return err
		}
		if !send {
			return fault.New(fault.TooMany, "A letter with a link has just gone out; try again in two minutes").After(mailSpacing)
		}
		if err := s.sendReset(ctx, acc, "whoever runs "+s.cfg.Name+" sends you this link to set a new password with.", "If you did not ask for one, ignore this letter: nothing has changed."); err != nil {
			return err
		}
		return s.record(ctx, who, a, "Password link sent by an operator", nil, nil)
	})
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
		return s.planChanged(ctx, who, a.ID)
	})
	return a, err
}

// planChanged runs the hooks for an account that has another plan or other terms.
func (s *Service) planChanged(ctx context.Context, who auth.Caller, a id.Account) error {
	for _, h := range s.onPlan {
		if err := h(ctx, who, a); err != nil {
			return err
		}
	}
	return nil
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
	return s.edit(ctx, who, email, func(ctx context.Context, a *Account) (string, error) { return s.block(ctx, a, block) })
}

func (s *Service) block(ctx context.Context, a *Account, block bool) (string, error) {
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
}

// Block is SetBlocked for an operator who has signed in and says why. It returns conflict for the caller's own account, too.
func (s *Service) Block(ctx context.Context, who auth.Caller, a id.Account, block bool, reason string) (Account, error) {
	if block && a == who.AccountID {
		return Account{}, fault.New(fault.Conflict, "You cannot block your own account")
	}
	var acc Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		found, ok, err := s.byID(ctx, a)
		if err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		acc, err = s.edit(ctx, who, found.Email, func(ctx context.Context, a *Account) (string, error) {
			message, err := s.block(ctx, a, block)
			if message != "" && reason != "" {
				message += ": " + reason
			}
			return message, err
		})
		return err
	})
	return acc, err
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

// Unlock forgets the wrong passwords and codes of an account, which may then sign in at once. It returns whether there
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
		n, err := s.db.Exec(ctx, "DELETE FROM account_lock WHERE key = $1", factorKey(a.ID))
		if err != nil {
			return fmt.Errorf("forgive wrong codes: %w", err)
		}
		tried = tried || n > 0
		return s.record(ctx, who, a.ID, "Unlocked", nil, nil)
	})
	return tried, err
}

// PlansInUse names the plans that accounts are on, each once.
func (s *Service) PlansInUse(ctx context.Context) ([]string, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT DISTINCT plan FROM account ORDER BY plan")
}
