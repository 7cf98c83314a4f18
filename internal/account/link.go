package account

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

// How long links work. Without a mail server an operator passes them on by hand, which takes longer.
const (
	confirmLife    = 7 * 24 * time.Hour
	resetLife      = 2 * time.Hour
	resetLifeSlow  = 24 * time.Hour
	emailLife      = 24 * time.Hour
	deleteLife     = 24 * time.Hour
	unconfirmedFor = 8 * 24 * time.Hour // an account that nobody confirmed goes after this
)

// evenTime is what an answer takes that must not tell, by its speed, whether an e-mail has an account.
const evenTime = 250 * time.Millisecond

// evenly waits until evenTime after began.
func evenly(ctx context.Context, began time.Time) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(began.Add(evenTime))):
	}
}

// Evenly waits until an answer that began then takes as long as every one that must not tell, by its speed, whether an
// e-mail has an account.
func Evenly(ctx context.Context, began time.Time) { evenly(ctx, began) }

// page is the address of a page of the console that acts on a token.
func (s *Service) page(name, token string) string {
	return s.cfg.PublicURL + "/console/" + name + "/" + token
}

// write queues a letter in the transaction of ctx.
func (s *Service) write(ctx context.Context, to string, l mail.Letter) error {
	l.Subject = s.cfg.Name + ": " + l.Subject
	m, err := l.Message(to)
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	return s.mail.Send(ctx, m)
}

func hours(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
	return fmt.Sprintf("%d hours", int(d/time.Hour))
}

func (s *Service) sendConfirmation(ctx context.Context, a Account) error {
	token, err := s.newLink(ctx, linkConfirm, a.ID, "", confirmLife)
	if err != nil {
		return err
	}
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "confirm your e-mail", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{"somebody, hopefully you, made an account at " + s.cfg.Name + " with this address."},
		Action:     "Confirm my e-mail", URL: s.page("confirm", token),
		After: []string{"The link works once, within " + hours(confirmLife) + ". If it was not you, ignore this letter: the account goes by itself."},
		Life:  confirmLife,
	})
}

// tellTaken tells a mailbox that it has an account already, when somebody signed up with it.
func (s *Service) tellTaken(ctx context.Context, who auth.Caller, email string) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		send, err := s.mayMail(ctx, "taken", email, "")
		if err != nil || !send {
			return err
		}
		a, ok, err := s.byEmail(ctx, email)
		if err != nil || !ok {
			return err
		}
		if !a.Active {
			return s.sendConfirmation(ctx, a)
		}
		return s.write(ctx, email, mail.Letter{
			Subject: "you have an account already", Greeting: "Hello " + a.Name + ",",
			Paragraphs: []string{"somebody, perhaps you, tried to sign up at " + s.cfg.Name + " with this address, which has an account already. Nothing changed."},
			Action:     "Sign in", URL: s.cfg.PublicURL + "/console/login",
			After: []string{"If you forgot your password, the sign-in page lets you set a new one."},
			Life:  deleteLife,
		})
	})
}

func (s *Service) tellPassword(ctx context.Context, a Account, addr string) error {
	from := ""
	if addr != "" {
		from = " from the address " + addr
	}
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "your password was changed", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{"the password of your account at " + s.cfg.Name + " was changed" + from + ". Browsers that were signed in with the old one are not any more."},
		Action:     "Sign in", URL: s.cfg.PublicURL + "/console/login",
		After: []string{"If it was not you, set a new password on the sign-in page at once, and look through your tokens."},
	})
}

func (s *Service) tellDeleted(ctx context.Context, a Account, gone []Holding) error {
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "your account was deleted", Greeting: "Hello " + a.Name + ",",
		Paragraphs: append([]string{"your account at " + s.cfg.Name + " was deleted, with all of its profiles and their data."}, sentences(gone)...),
	})
}

// Confirm proves the e-mail of an account with the token of its letter. It returns invalid for a token that
// does not work.
func (s *Service) Confirm(ctx context.Context, who auth.Caller, token string) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		l, err := s.takeLink(ctx, linkConfirm, token)
		if err != nil {
			return err
		}
		a, ok, err := s.hold(ctx, l.account)
		if err != nil {
			return err
		}
		if !ok {
			return badLink
		}
		if !a.Active {
			a.Active, a.UpdatedAt = true, s.clock.Now()
			if err := s.save(ctx, a); err != nil {
				return err
			}
		}
		return s.record(ctx, who, a.ID, "E-mail confirmed", nil, nil)
	})
}

// ResendConfirmation mails another link to an account that is not confirmed yet. It returns nil for every
// other address too, after the same time; invalid for what is no address, TooMany past the caller's share.
func (s *Service) ResendConfirmation(ctx context.Context, who auth.Caller, email string) error {
	return s.quietly(ctx, who, "confirm", email, func(ctx context.Context, a Account) error {
		if a.Active || a.Blocked {
			return nil
		}
		if err := s.sendConfirmation(ctx, a); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Confirmation sent again", nil, nil)
	})
}

// Recover mails a link that sets a new password. It returns nil for unknown addresses too, after the same
// time; invalid for what is no address, TooMany past the caller's share.
func (s *Service) Recover(ctx context.Context, who auth.Caller, email string) error {
	return s.quietly(ctx, who, "reset", email, func(ctx context.Context, a Account) error {
		if a.Blocked {
			return nil
		}
		if err := s.sendReset(ctx, a, "somebody, hopefully you, asked for a new password of your account at "+s.cfg.Name+".", "If it was not you, ignore this letter: nothing has changed."); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Password recovery asked for", nil, nil)
	})
}

// sendReset mails a link that sets a new password.
func (s *Service) sendReset(ctx context.Context, a Account, why, otherwise string) error {
	life := resetLife
	if !s.mail.Configured() {
		life = resetLifeSlow
	}
	token, err := s.newLink(ctx, linkReset, a.ID, "", life)
	if err != nil {
		return err
	}
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "set a new password", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{why},
		Action:     "Set a new password", URL: s.page("reset", token),
		After: []string{"The link works once, within " + hours(life) + ". " + otherwise},
		Life:  life,
	})
}

// quietly does work for the account of an e-mail, and takes as long when there is none.
func (s *Service) quietly(ctx context.Context, who auth.Caller, kind, email string, work func(ctx context.Context, a Account) error) error {
	began := time.Now()
	email, err := checkEmail("email", email)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		send, err := s.mayMail(ctx, kind, email, who.Addr)
		if err != nil {
			return err
		}
		a, ok, err := s.byEmail(ctx, email)
		if err != nil || !ok || !send {
			return err
		}
		return work(ctx, a)
	})
	if err != nil {
		return err
	}
	evenly(ctx, began)
	return nil
}

// ResetPassword sets a new password with the token of a recovery letter, which also proves the e-mail. It ends
// all sessions and locks. It returns invalid for a token that does not work, which a password that is
// refused does not use up.
func (s *Service) ResetPassword(ctx context.Context, who auth.Caller, token, password string) error {
	if err := checkPassword("password", password, ""); err != nil {
		return err
	}
	// Looked up first: hashing for whoever sends a made-up token would be a gift.
	a, err := s.ofLink(ctx, linkReset, token)
	if err != nil {
		return err
	}
	if err := checkPassword("password", password, a.Email); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, who.Addr, password)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		l, err := s.takeLink(ctx, linkReset, token)
		if err != nil {
			return err
		}
		a, ok, err := s.hold(ctx, l.account)
		if err != nil {
			return err
		}
		if !ok || a.Blocked {
			return badLink
		}
		if !a.Active {
			a.Active = true
			if err := s.save(ctx, a); err != nil {
				return err
			}
		}
		return s.replacePassword(ctx, who, a, hash, "", "Password set by recovery link")
	})
}

// ofLink is the account of a link, without using it up.
func (s *Service) ofLink(ctx context.Context, kind linkKind, token string) (Account, error) {
	account, ok, err := sqldb.One(ctx, s.db, sqldb.Value[string], "SELECT account_id FROM account_link WHERE hash = $1 AND kind = $2 AND expires_at > $3",
		seal.Hash(token), string(kind), clock.Millis(s.clock.Now()))
	if err != nil {
		return Account{}, fmt.Errorf("read a link: %w", err)
	}
	if !ok {
		return Account{}, badLink
	}
	a, ok, err := s.byID(ctx, id.Account(account))
	if err == nil && !ok {
		err = badLink
	}
	return a, err
}

// ChangeEmail begins to move the caller's account to another address: a link goes to the new one, a notice to
// the old one, and nothing changes before the link is used. An address that has an account already gets a
// notice instead of a link, and the caller the same answer.
func (s *Service) ChangeEmail(ctx context.Context, who auth.Caller, email, password string) error {
	began := time.Now()
	email, err := checkEmail("email", email)
	if err != nil {
		return err
	}
	if err := s.VerifyPassword(ctx, who.AccountID, password, who.Addr); err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		a, ok, err := s.byID(ctx, who.AccountID)
		if err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		if a.Email == email {
			return fault.Field("email", "is your address already")
		}
		send, err := s.mayMail(ctx, "email", email, who.Addr)
		if err != nil {
			return err
		}
		other, taken, err := s.byEmail(ctx, email)
		switch {
		case err != nil:
			return err
		case !send:
			return nil
		case taken:
			err = s.write(ctx, email, mail.Letter{
				Subject: "somebody else wanted to use your address", Greeting: "Hello " + other.Name + ",",
				Paragraphs: []string{"the owner of another account at " + s.cfg.Name + " wanted to move it to this address, which is yours. Nothing changed."},
				Life:       emailLife,
			})
		default:
			err = s.sendEmailLink(ctx, a, email)
		}
		if err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Change of e-mail asked for", nil, map[string]string{"email": email})
	})
	if err != nil {
		return err
	}
	evenly(ctx, began)
	return nil
}

func (s *Service) sendEmailLink(ctx context.Context, a Account, email string) error {
	token, err := s.newLink(ctx, linkEmail, a.ID, email, emailLife)
	if err != nil {
		return err
	}
	err = s.write(ctx, email, mail.Letter{
		Subject: "confirm your new e-mail", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{"you want to move your account at " + s.cfg.Name + " to this address."},
		Action:     "Use this address", URL: s.page("email", token),
		After: []string{"The link works once, within " + hours(emailLife) + ". If it was not you, ignore this letter."},
		Life:  emailLife,
	})
	if err != nil {
		return err
	}
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "your e-mail is about to change", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{"somebody who is signed in as you and knows your password wants to move your account at " + s.cfg.Name + " to " + email + "."},
		After:      []string{"If it was not you, set a new password on the sign-in page at once: that also voids the change."},
		Life:       emailLife,
	})
}

// ConfirmEmail moves an account to the address that a letter's token was sent to. It returns invalid for a
// token that does not work and conflict when the address got an account meanwhile.
func (s *Service) ConfirmEmail(ctx context.Context, who auth.Caller, token string) error {
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		l, err := s.takeLink(ctx, linkEmail, token)
		if err != nil {
			return err
		}
		a, ok, err := s.hold(ctx, l.account)
		if err != nil {
			return err
		}
		if !ok {
			return badLink
		}
		now := s.clock.Now()
		n, err := s.db.Exec(ctx, `UPDATE account SET email = $1, active = $2, updated_at = $3 WHERE id = $4
			AND NOT EXISTS (SELECT 1 FROM account AS other WHERE other.email = $5)`, l.data, true, clock.Millis(now), string(a.ID), l.data)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTaken
		}
		if err := s.changed(ctx, a.ID); err != nil {
			return err
		}
		if err := s.dropLinks(ctx, a.ID); err != nil {
			return err
		}
		err = s.write(ctx, a.Email, mail.Letter{
			Subject: "your e-mail was changed", Greeting: "Hello " + a.Name + ",",
			Paragraphs: []string{"your account at " + s.cfg.Name + " is now reached at " + l.data + ". Letters will not come here any more."},
		})
		if err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "E-mail changed", map[string]string{"email": a.Email}, map[string]string{"email": l.data})
	})
	if sqldb.IsDuplicate(err) {
		return ErrTaken
	}
	return err
}

// askDelete mails the link that deletes an account.
func (s *Service) askDelete(ctx context.Context, who auth.Caller, a Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if a.Operator {
			if err := s.notLastOperator(ctx, a.ID); err != nil {
				return err
			}
		}
		send, err := s.mayMail(ctx, "delete", a.Email, who.Addr)
		if err != nil || !send {
			return err
		}
		token, err := s.newLink(ctx, linkDelete, a.ID, "", deleteLife)
		if err != nil {
			return err
		}
		err = s.write(ctx, a.Email, mail.Letter{
			Subject: "delete your account?", Greeting: "Hello " + a.Name + ",",
			Paragraphs: []string{"somebody, hopefully you, asked to delete your account at " + s.cfg.Name + ". All of its profiles, devices and data would go with it, for good. Nothing has been deleted yet."},
			Action:     "Delete my account", URL: s.page("delete-account", token),
			After: []string{"The link leads to a page that asks once more. It works once, within " + hours(deleteLife) +
				". If it was not you, ignore this letter and look through your tokens: one of them was used."},
			Life: deleteLife,
		})
		if err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Deletion asked for", nil, nil)
	})
}

// ConfirmDelete deletes an account with the token of the letter that Delete sent. It returns invalid for a
// token that does not work and conflict for the last operator. An account with a second factor needs a code of it,
// too: a mailbox alone must not do what a password alone may not. The faults for that are those of Prove, and the
// token still works after them.
func (s *Service) ConfirmDelete(ctx context.Context, who auth.Caller, token, code string) error {
	a, err := s.ofLink(ctx, linkDelete, token)
	if err != nil {
		return err
	}
	if err := s.judge(ctx, a, Proof{Code: code, Addr: who.Addr}); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		l, err := s.takeLink(ctx, linkDelete, token)
		if err != nil {
			return err
		}
		return s.remove(ctx, who, l.account, true)
	})
}

// Tidy removes what is of no use any more: expired links, dead sessions, forgotten wrong passwords, and
// accounts that nobody confirmed. Call it every hour.
func (s *Service) Tidy(ctx context.Context) error {
	now := s.clock.Now() // before last uses are written: what is used from here on is not judged by what was
	if err := s.Flush(ctx); err != nil {
		return err
	}
	ms := func(d time.Duration) int64 { return clock.Millis(now.Add(-d)) }
	for _, d := range []struct {
		q    string
		args []any
	}{
		{"DELETE FROM account_link WHERE hash IN (SELECT hash FROM account_link WHERE expires_at <= $1 LIMIT 5000)", []any{ms(0)}},
		{"DELETE FROM account_lock WHERE key IN (SELECT key FROM account_lock WHERE updated_at < $1 AND until <= $2 LIMIT 5000)", []any{ms(forgetAfter), ms(0)}},
		{"DELETE FROM account_failure WHERE hour < $1", []any{ms(keepFailures)}},
		{"DELETE FROM account_factor WHERE confirmed_at = 0 AND expires_at <= $1", []any{ms(0)}},
		// Another node may not have written the last use of a living session yet, hence the hour on top.
		{"DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE created_at <= $1 OR last_used_at <= $2 LIMIT 5000)", []any{ms(s.cfg.SessionMax), ms(s.cfg.SessionIdle + time.Hour)}},
	} {
		for {
			n, err := s.db.Exec(ctx, d.q, d.args...)
			if err != nil {
				return fmt.Errorf("tidy accounts: %w", err)
			}
			if n < 5000 {
				break
			}
		}
	}
	stale, err := sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT id FROM account WHERE active = $1 AND created_at < $2 ORDER BY created_at LIMIT 1000", false, ms(unconfirmedFor))
	if err != nil {
		return fmt.Errorf("tidy accounts: %w", err)
	}
	for _, a := range stale {
		if err := s.removeUnconfirmed(ctx, id.Account(a)); err != nil {
			return fmt.Errorf("remove unconfirmed account %s: %w", a, err)
		}
	}
	return nil
}

func (s *Service) removeUnconfirmed(ctx context.Context, account id.Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		a, ok, err := s.hold(ctx, account)
		if err != nil || !ok || a.Active { // confirmed at the last moment
			return err
		}
		return s.remove(ctx, auth.SystemCaller(), account, false)
	})
}
