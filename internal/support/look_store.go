package support

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

const lookColumns = "id, profile, owner, operator, reason, hours, state, asked_at, from_at, until_at, ended_at, ended_by, decided_by"

func scanLook(r sqldb.Scanner) (l Look, err error) {
	return l, r.Scan(&l.ID, &l.Profile, &l.Owner, &l.Operator, &l.Reason, &l.Hours, &l.State, &l.AskedAt, &l.From, &l.Until, &l.EndedAt, &l.EndedBy, &l.DecidedBy)
}

// lookKind names changes of looks in caches; the key is pair's.
const lookKind = "look"

func pair(p id.Profile, operator id.Account) string { return string(p) + "/" + string(operator) }

// activeLook reads the one of an operator in a profile that was allowed and that nobody ended.
func (s *Service) activeLook(ctx context.Context, p id.Profile, operator id.Account) (*Look, error) {
	l, ok, err := sqldb.One(ctx, s.db, scanLook, "SELECT "+lookColumns+" FROM operator_look WHERE profile = $1 AND operator = $2 AND state = $3", p, operator, string(Active))
	if err != nil || !ok {
		return nil, err
	}
	return &l, nil
}

// activeLooks reads those of one column's value ("profile", "operator") that were allowed and that nobody ended.
func (s *Service) activeLooks(ctx context.Context, column, value string) ([]Look, error) {
	ls, err := sqldb.All(ctx, s.db, scanLook, "SELECT "+lookColumns+" FROM operator_look WHERE "+column+" = $1 AND state = $2 ORDER BY asked_at, id", value, string(Active))
	if err != nil {
		return nil, fmt.Errorf("read looks: %w", err)
	}
	return ls, nil
}

func (s *Service) looksOf(ctx context.Context, column, value string, limit, offset int64) ([]Look, error) {
	w := sqldb.NewWhere("asked_at > ?", int64(0))
	if column != "" {
		w.And(column+" = ?", value)
	}
	limited, offsetBy := w.Arg(limit), w.Arg(offset)
	ls, err := sqldb.All(ctx, s.db, scanLook, "SELECT "+lookColumns+" FROM operator_look"+w.SQL()+" ORDER BY asked_at DESC, id DESC LIMIT "+limited+" OFFSET "+offsetBy, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list looks: %w", err)
	}
	return ls, nil
}

// insertLook reports false when the operator looks into the profile already, or waits to.
func (s *Service) insertLook(ctx context.Context, l Look) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO operator_look (id, profile, owner, operator, reason, hours, state, asked_at, from_at, until_at, ended_at, ended_by, decided_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
		l.ID, l.Profile, l.Owner, l.Operator, l.Reason, l.Hours, string(l.State), l.AskedAt, l.From, l.Until, l.EndedAt, l.EndedBy, l.DecidedBy)
	if err != nil || n == 0 {
		return false, err
	}
	return true, s.db.Changed(ctx, lookKind, pair(l.Profile, l.Operator))
}

// holdLook reads a look into a profile and keeps others from changing it until the transaction ends.
func (s *Service) holdLook(ctx context.Context, p id.Profile, look id.Look) (Look, error) {
	if _, err := s.db.Exec(ctx, `UPDATE operator_look SET hours = hours + 0 WHERE id = $1 AND profile = $2`, look, p); err != nil {
		return Look{}, fmt.Errorf("hold a look: %w", err)
	}
	l, ok, err := sqldb.One(ctx, s.db, scanLook, "SELECT "+lookColumns+" FROM operator_look WHERE id = $1 AND profile = $2", look, p)
	if err == nil && !ok {
		err = lookNotFound
	}
	return l, err
}

// putLook writes what of a look changes.
func (s *Service) putLook(ctx context.Context, l Look) error {
	if _, err := s.db.Exec(ctx, `UPDATE operator_look SET state = $1, from_at = $2, until_at = $3, ended_at = $4, ended_by = $5, decided_by = $6 WHERE id = $7`,
		string(l.State), l.From, l.Until, l.EndedAt, l.EndedBy, l.DecidedBy, l.ID); err != nil {
		return fmt.Errorf("write a look: %w", err)
	}
	return s.db.Changed(ctx, lookKind, pair(l.Profile, l.Operator))
}

// AfterRestore ends every look, asked for or active, across profiles: a database restored from a backup does not know which
// owners have ended or denied since.
func (s *Service) AfterRestore(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, `UPDATE operator_look SET state = $1, ended_at = $2 WHERE state IN ('asked', 'active')`, string(Ended), s.now()); err != nil {
		return fmt.Errorf("end looks: %w", err)
	}
	return nil
}

// retireLooks notes the end of those of an operator in a profile whose time is over, or that another owner was told of.
func (s *Service) retireLooks(ctx context.Context, p profile.Profile, operator id.Account, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE operator_look SET state = $1, ended_at = CASE WHEN until_at < $2 THEN until_at ELSE $3 END
		WHERE profile = $4 AND operator = $5 AND state IN ('asked', 'active') AND (until_at <= $6 OR owner <> $7)`, string(Ended), now, now, p.ID, operator, now, p.Account)
	return err
}
