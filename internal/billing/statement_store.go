package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

var statementNotFound = fault.New(fault.NotFound, "Statement Not Found")

func scanStatement(r sqldb.Scanner) (st Statement, err error) {
	var doc string
	if err = r.Scan(&doc, &st.hash); err == nil {
		err = json.Unmarshal([]byte(doc), &st)
	}
	return st, err
}

func (s *Service) statementWhere(ctx context.Context, cond string, args ...any) (Statement, bool, error) {
	st, found, err := sqldb.One(ctx, s.db, scanStatement, `SELECT document, hash FROM statement WHERE `+cond, args...)
	if err != nil {
		return st, false, fmt.Errorf("read a statement: %w", err)
	}
	return st, found, nil
}

// Statement is an issued one of an account. It returns not_found for what is another's.
func (s *Service) Statement(ctx context.Context, a id.Account, statement id.Statement) (Statement, error) {
	st, found, err := s.statementWhere(ctx, `id = $1 AND account = $2`, string(statement), string(a))
	if err == nil && !found {
		err = statementNotFound
	}
	return st, err
}

func (s *Service) numberOf(ctx context.Context, a id.Account, statement id.Statement) (int64, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT number FROM statement WHERE id = $1 AND account = $2`, string(statement), string(a))
	if err != nil {
		return 0, fmt.Errorf("read the number of a statement: %w", err)
	}
	return n, nil
}

// issuedOf are the statements of a month of some customers, as far as they are issued.
func (s *Service) issuedOf(ctx context.Context, a id.Account, month string, cs []customer) (map[id.Profile]Statement, error) {
	w := sqldb.NewWhere("account = ?", string(a)).And("month = ?", month).And("once = month")
	ids := make([]string, len(cs))
	for i, c := range cs {
		ids[i] = string(c.profile)
	}
	sqldb.In(w, "profile", ids)
	sts, err := sqldb.All(ctx, s.db, scanStatement, `SELECT document, hash FROM statement`+w.SQL(), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	out := make(map[id.Profile]Statement, len(sts))
	for _, st := range sts {
		out[st.Profile] = st
	}
	return out, nil
}

// statementsOf are the statements of an account: of a month or, for "", of all, and of some profiles or, when none is named, of all.
func statementsOf(a id.Account, month string, profiles []id.Profile) *sqldb.Where {
	w := sqldb.NewWhere("account = ?", string(a))
	if month != "" {
		w.And("month = ?", month)
	}
	if len(profiles) > 0 {
		ids := make([]string, len(profiles))
		for i, p := range profiles {
			ids[i] = string(p)
		}
		sqldb.In(w, "profile", ids)
	}
	return w
}

// pageAfter is some of statementsOf in the order of their numbers.
func (s *Service) pageAfter(ctx context.Context, a id.Account, month string, profiles []id.Profile, after, upTo int64, n int) ([]Statement, error) {
	w := statementsOf(a, month, profiles).And("number > ?", after).And("number <= ?", upTo)
	sts, err := sqldb.All(ctx, s.db, scanStatement, `SELECT document, hash FROM statement`+w.SQL()+` ORDER BY number LIMIT `+w.Arg(int64(n)), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	return sts, nil
}

const selectCorrection = `SELECT id, statement, key, text, cents, currency, made_at, on_statement FROM statement_correction`

func scanCorrection(r sqldb.Scanner) (c Correction, err error) {
	return c, r.Scan(&c.ID, &c.Of, &c.Key, &c.Text, &c.Cents, &c.Currency, &c.MadeAt, &c.On)
}

// correctionsOf are those of a statement, oldest first.
func (s *Service) correctionsOf(ctx context.Context, a id.Account, statement id.Statement) ([]Correction, error) {
	cs, err := sqldb.All(ctx, s.db, scanCorrection, selectCorrection+` WHERE statement = $1 AND account = $2 ORDER BY made_at, id`, string(statement), string(a))
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	return cs, nil
}

// waiting are the corrections of a profile that no statement has as a line yet, oldest first.
func (s *Service) waiting(ctx context.Context, a id.Account, p id.Profile, currency string) ([]Correction, error) {
	cs, err := sqldb.All(ctx, s.db, scanCorrection, selectCorrection+` WHERE account = $1 AND profile = $2 AND on_statement = $3 AND currency = $4 ORDER BY made_at, id`,
		string(a), string(p), "", currency)
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	return cs, nil
}

// statementHooks joins statements to the life of profiles and accounts.
func (s *Service) statementHooks() {
	s.profiles.OnDelete(s.profileLeft)
	s.profiles.OnHandover(func(ctx context.Context, who auth.Caller, h profile.Handover) error {
		return s.profileLeft(ctx, who, h.Profile)
	})
	s.accounts.OnDelete(s.accountGone)
}

func (s *Service) statementJobs(r *job.Runner) {
	r.Every("statement purge", time.Hour, s.purgeStatements)
}

// accountGone marks the cards and statements of an account that is deleted, in the transaction of that. Nobody can reach them any
// more; purgeStatements removes them.
func (s *Service) accountGone(ctx context.Context, _ auth.Caller, a id.Account) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO statement_purge (account) VALUES ($1) ON CONFLICT (account) DO NOTHING`, string(a)); err != nil {
		return fmt.Errorf("mark the statements of an account: %w", err)
	}
	return nil
}

const (
	purgeAtOnce = 500
	keepFormer  = 400 * 24 * hour // months older than that are billed by no tag
)

// purgeStatements removes what accounts that are gone had, and tags of profiles that left long ago, some rows at a time.
func (s *Service) purgeStatements(ctx context.Context) error {
	for {
		a, found, err := sqldb.One(ctx, s.db, sqldb.Value[string], `SELECT account FROM statement_purge ORDER BY account LIMIT 1`)
		if err != nil {
			return fmt.Errorf("find statements to purge: %w", err)
		}
		if !found {
			break
		}
		for _, q := range []string{
			`DELETE FROM statement_correction WHERE id IN (SELECT id FROM statement_correction WHERE account = $1 LIMIT $2)`,
			`DELETE FROM statement WHERE id IN (SELECT id FROM statement WHERE account = $1 LIMIT $2)`,
			`DELETE FROM rate_card WHERE id IN (SELECT id FROM rate_card WHERE account = $1 LIMIT $2)`,
			`DELETE FROM statement_picture WHERE hash IN (SELECT hash FROM statement_picture WHERE account = $1 LIMIT $2) AND account = $3`,
			`DELETE FROM former_customer WHERE profile IN (SELECT profile FROM former_customer WHERE account = $1 LIMIT $2) AND account = $3`,
			`DELETE FROM statement_number WHERE account IN (SELECT account FROM statement_number WHERE account = $1 LIMIT $2)`,
		} {
			args := []any{a, int64(purgeAtOnce)}
			if q[len(q)-2:] == "$3" {
				args = append(args, a)
			}
			for n := int64(purgeAtOnce); n == purgeAtOnce; {
				if n, err = s.db.Exec(sqldb.Cost(ctx, purgeAtOnce), q, args...); err != nil {
					return fmt.Errorf("purge statements: %w", err)
				}
			}
		}
		// Versions by card, since one card may have many.
		for n := int64(1); n > 0; {
			if n, err = s.db.Exec(sqldb.Cost(ctx, purgeAtOnce), `DELETE FROM rate_card_version WHERE account = $1 AND card IN
				(SELECT card FROM rate_card_version WHERE account = $2 ORDER BY card LIMIT 1)`, a, a); err != nil {
				return fmt.Errorf("purge rate cards: %w", err)
			}
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM statement_purge WHERE account = $1`, a); err != nil {
			return fmt.Errorf("purge statements: %w", err)
		}
	}
	_, err := s.db.Exec(ctx, `DELETE FROM former_customer WHERE left_at < $1`, s.now()-keepFormer)
	return err
}
