package account

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

const columns = `id, name, email, company, phone, language, timezone, newsletter, developer, options, plan, terms, terms_until, anchor, operator, active, blocked,
	picture, last_login, created_at, updated_at,
	EXISTS (SELECT 1 FROM account_factor WHERE account_factor.account_id = account.id AND account_factor.confirmed_at > 0)`

func scan(r sqldb.Scanner) (Account, error) {
	a, _, err := scanWith(r, nil)
	return a, err
}

// scanWith reads the columns, and the password's hash behind them when it is asked for.
func scanWith(r sqldb.Scanner, hash *string) (Account, string, error) {
	var a Account
	var options string
	var login *int64
	var created, updated int64
	dest := []any{&a.ID, &a.Name, &a.Email, &a.Company, &a.Phone, &a.Language, &a.Timezone, &a.Newsletter, &a.Developer, &options,
		&a.Plan, &a.Terms, &a.TermsUntil, &a.Anchor, &a.Operator, &a.Active, &a.Blocked, &a.Picture, &login, &created, &updated, &a.Factor}
	var h string
	if hash != nil {
		dest = append(dest, &h)
	}
	if err := r.Scan(dest...); err != nil {
		return a, "", err
	}
	a.Options = defaultOptions() // for options younger than the row
	if err := json.Unmarshal([]byte(options), &a.Options); err != nil {
		return a, "", fmt.Errorf("options of account %s: %w", a.ID, err)
	}
	if login != nil {
		t := clock.FromMillis(*login)
		a.LastLogin = &t
	}
	a.CreatedAt, a.UpdatedAt = clock.FromMillis(created), clock.FromMillis(updated)
	return a, h, nil
}

func (s *Service) byID(ctx context.Context, a id.Account) (Account, bool, error) {
	acc, ok, err := sqldb.One(ctx, s.db, scan, "SELECT "+columns+" FROM account WHERE id = $1", string(a))
	if err != nil {
		return acc, false, fmt.Errorf("read an account: %w", err)
	}
	return acc, ok, nil
}

// hold is byID for a transaction that will save the account: whoever else changes it waits until the end, so
// that neither writes back what the other replaced.
func (s *Service) hold(ctx context.Context, a id.Account) (Account, bool, error) {
	if _, err := s.db.Exec(ctx, "UPDATE account SET updated_at = updated_at WHERE id = $1", string(a)); err != nil {
		return Account{}, false, fmt.Errorf("hold an account: %w", err)
	}
	return s.byID(ctx, a)
}

func (s *Service) byEmail(ctx context.Context, email string) (Account, bool, error) {
	acc, ok, err := sqldb.One(ctx, s.db, scan, "SELECT "+columns+" FROM account WHERE email = $1", email)
	if err != nil {
		return acc, false, fmt.Errorf("read an account: %w", err)
	}
	return acc, ok, nil
}

type withHash struct {
	Account
	hash string
}

func scanHash(r sqldb.Scanner) (w withHash, err error) {
	w.Account, w.hash, err = scanWith(r, &w.hash)
	return w, err
}

func (s *Service) hashByEmail(ctx context.Context, email string) (withHash, bool, error) {
	w, ok, err := sqldb.One(ctx, s.db, scanHash, "SELECT "+columns+", password_hash FROM account WHERE email = $1", email)
	if err != nil {
		return w, false, fmt.Errorf("read an account: %w", err)
	}
	return w, ok, nil
}

// insert reports false when the e-mail is taken.
func (s *Service) insert(ctx context.Context, a Account, hash string) (bool, error) {
	options, err := json.Marshal(a.Options)
	if err != nil {
		return false, err
	}
	const q = `INSERT INTO account (id, name, email, password_hash, company, phone, language, timezone, newsletter, developer, options, plan,
			operator, active, blocked, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`
	n, err := s.db.Exec(ctx, q, string(a.ID), a.Name, a.Email, hash, a.Company, a.Phone, a.Language, a.Timezone, a.Newsletter, a.Developer, string(options),
		a.Plan, a.Operator, a.Active, a.Blocked, clock.Millis(a.CreatedAt), clock.Millis(a.UpdatedAt))
	if err != nil {
		return false, fmt.Errorf("store an account: %w", err)
	}
	return n == 1, nil
}

// save writes what Update and the operator's verbs change.
func (s *Service) save(ctx context.Context, a Account) error {
	options, err := json.Marshal(a.Options)
	if err != nil {
		return err
	}
	const q = `UPDATE account SET name = $1, company = $2, phone = $3, language = $4, timezone = $5, newsletter = $6, options = $7, plan = $8,
		terms = $9, terms_until = $10, anchor = $11, operator = $12, active = $13, blocked = $14, updated_at = $15 WHERE id = $16`
	_, err = s.db.Exec(ctx, q, a.Name, a.Company, a.Phone, a.Language, a.Timezone, a.Newsletter, string(options), a.Plan, a.Terms, a.TermsUntil, a.Anchor, a.Operator, a.Active,
		a.Blocked, clock.Millis(a.UpdatedAt), string(a.ID))
	if err != nil {
		return fmt.Errorf("store an account: %w", err)
	}
	return s.changed(ctx, a.ID)
}

// changed drops what is cached of an account, its sessions included.
func (s *Service) changed(ctx context.Context, a id.Account) error {
	hashes, err := sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT hash FROM session WHERE account_id = $1", string(a))
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	if err := s.db.Changed(ctx, CacheKind, string(a)); err != nil {
		return err
	}
	return s.db.Changed(ctx, SessionKind, hashes...)
}

func (s *Service) setHash(ctx context.Context, a id.Account, hash string, now time.Time) error {
	if _, err := s.db.Exec(ctx, "UPDATE account SET password_hash = $1, updated_at = $2 WHERE id = $3", hash, clock.Millis(now), string(a)); err != nil {
		return fmt.Errorf("store a password: %w", err)
	}
	return s.db.Changed(ctx, CacheKind, string(a))
}

// count is how many accounts there are, up to most.
func (s *Service) count(ctx context.Context, most int64) (int64, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], "SELECT COUNT(*) FROM (SELECT id FROM account LIMIT $1) AS few", most)
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}

// A link is a one-time permission that somebody got by mail, or from the server's own screen.
type link struct {
	account id.Account
	data    string
}

type linkKind string

const (
	linkConfirm linkKind = "confirm" // prove the e-mail
	linkReset   linkKind = "reset"   // set a new password
	linkEmail   linkKind = "email"   // move to the address in data
	linkDelete  linkKind = "delete"  // delete the account
	linkSetup   linkKind = "setup"   // make the first account
)

// newLink makes a link and returns its token.
func (s *Service) newLink(ctx context.Context, kind linkKind, a id.Account, data string, life time.Duration) (string, error) {
	token := seal.Secret()
	now := s.clock.Now()
	const q = `INSERT INTO account_link (hash, kind, account_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`
	if _, err := s.db.Exec(ctx, q, seal.Hash(token), string(kind), string(a), data, clock.Millis(now), clock.Millis(now.Add(life))); err != nil {
		return "", fmt.Errorf("make a link: %w", err)
	}
	return token, nil
}

func scanLink(r sqldb.Scanner) (l link, err error) {
	return l, r.Scan(&l.account, &l.data)
}

// takeLink uses a link up: of two that come at once, one gets it. It returns an invalid fault when the token
// is unknown, used, expired or of another kind. It needs a transaction.
func (s *Service) takeLink(ctx context.Context, kind linkKind, token string) (link, error) {
	if len(token) > 2*seal.SecretChars {
		return link{}, badLink
	}
	const q = `DELETE FROM account_link WHERE hash = $1 AND kind = $2 AND expires_at > $3 RETURNING account_id, data`
	l, ok, err := sqldb.One(ctx, s.db, scanLink, q, seal.Hash(token), string(kind), clock.Millis(s.clock.Now()))
	if err != nil {
		return l, fmt.Errorf("use a link: %w", err)
	}
	if !ok {
		return l, badLink
	}
	return l, nil
}

func (s *Service) dropLinks(ctx context.Context, a id.Account) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM account_link WHERE account_id = $1", string(a)); err != nil {
		return fmt.Errorf("void links: %w", err)
	}
	return nil
}
