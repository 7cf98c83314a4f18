package account

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

// Sign-ins that failed are counted for operators, by hour, account and address. The throttle cannot tell them: it forgets within
// an hour, and knows e-mails by their hashes only.

// keepFailures is how long they are kept; operators are shown the last day.
const keepFailures = 48 * time.Hour

// Kinds of a failed sign-in.
const (
	wrongPassword = "password"
	wrongFactor   = "code"
)

// noteFailure counts a failed sign-in of an account, "" for an e-mail that has none. Both take one statement. It needs the
// transaction that counts it for the throttle.
func (s *Service) noteFailure(ctx context.Context, a id.Account, addr, kind string) error {
	now := clock.Millis(s.clock.Now())
	if addr != "" {
		_, addr, _ = strings.Cut(addrKey("addr", addr), "/")
	}
	const q = `INSERT INTO account_failure (hour, account, addr, kind, count, last_at) VALUES ($1, $2, $3, $4, 1, $5)
		ON CONFLICT (hour, account, addr, kind) DO UPDATE SET count = account_failure.count + 1, last_at = $6`
	_, err := s.db.Exec(ctx, q, now-now%time.Hour.Milliseconds(), string(a), addr, kind, now, now)
	return err
}

// Failure is how many sign-ins failed from an address, or of an account.
type Failure struct {
	Addr      string     // of failures by address; "" for the command line
	Account   id.Account // of failures by account; "" for e-mails without an account
	Passwords int64      // wrong ones
	Codes     int64      // wrong ones of a second factor, after the right password
	Others    int64      // by address: how many accounts it tried; by account: from how many addresses
	Last      int64      // UTC milliseconds
	Locked    int64      // of an account: until when its passwords are not looked at; 0 when they are
}

// Failures are the failed sign-ins of a day.
type Failures struct {
	Passwords, Codes  int64
	ByAddr, ByAccount []Failure // most first
}

// Failures counts the sign-ins that failed in the last 24 hours, with the most addresses and accounts.
func (s *Service) Failures(ctx context.Context, most int64) (Failures, error) {
	out := Failures{}
	since := clock.Millis(s.clock.Now().Add(-24 * time.Hour))
	if err := s.db.QueryRow(ctx, `SELECT CAST(COALESCE(SUM(CASE WHEN kind = 'password' THEN count ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE WHEN kind = 'code' THEN count ELSE 0 END), 0) AS BIGINT) FROM account_failure WHERE last_at > $1`, since).Scan(&out.Passwords, &out.Codes); err != nil {
		return out, fmt.Errorf("count failed sign-ins: %w", err)
	}
	by := func(column, other string) ([]Failure, error) {
		return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (f Failure, err error) {
			var key string
			err = r.Scan(&key, &f.Passwords, &f.Codes, &f.Others, &f.Last)
			if column == "addr" {
				f.Addr = key
			} else {
				f.Account = id.Account(key)
			}
			return f, err
		}, fmt.Sprintf(`SELECT %[1]s, CAST(SUM(CASE WHEN kind = 'password' THEN count ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN kind = 'code' THEN count ELSE 0 END) AS BIGINT),
			COUNT(DISTINCT %[2]s), MAX(last_at) FROM account_failure WHERE last_at > $1 GROUP BY %[1]s ORDER BY SUM(count) DESC, %[1]s LIMIT $2`, column, other), since, most)
	}
	var err error
	if out.ByAddr, err = by("addr", "account"); err != nil {
		return out, fmt.Errorf("list failed sign-ins: %w", err)
	}
	if out.ByAccount, err = by("account", "addr"); err != nil {
		return out, fmt.Errorf("list failed sign-ins: %w", err)
	}
	for i, f := range out.ByAccount {
		if f.Account == "" {
			continue
		}
		if out.ByAccount[i].Locked, err = s.LockedUntil(ctx, f.Account); err != nil {
			return out, err
		}
	}
	return out, nil
}

// LockedUntil is the instant until which neither passwords nor codes of an account are looked at, in UTC milliseconds; 0 when
// they are, or there is no such account.
func (s *Service) LockedUntil(ctx context.Context, a id.Account) (int64, error) {
	acc, ok, err := s.byID(ctx, a)
	if err != nil || !ok {
		return 0, err
	}
	var until int64
	for _, key := range []string{accountKey(acc.Email), factorKey(a)} {
		l, ok, err := s.lock(ctx, key)
		if err != nil {
			return 0, err
		}
		if ok {
			until = max(until, l.until)
		}
	}
	if until <= clock.Millis(s.clock.Now()) {
		return 0, nil
	}
	return until, nil
}
