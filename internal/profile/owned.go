package profile

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

// Ownership is a stretch of time in which a profile was an account's.
type Ownership struct {
	Profile id.Profile
	No      int64
	Name    string // now, or when it ended
	From    int64  // UTC milliseconds
	Until   int64  // UTC milliseconds; 0: it still is
	Made    bool   // it began with the profile itself, not with a change of owner or a restoration
	Came    bool   // it began when another account's ended
}

// Ownerships are the profiles that were an account's at any instant from one to before another, in the order of From: also
// those that are deleted or somebody else's by now.
func (s *Service) Ownerships(ctx context.Context, a id.Account, from, to int64) ([]Ownership, error) {
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (o Ownership, err error) {
		return o, r.Scan(&o.Profile, &o.No, &o.Name, &o.From, &o.Until, &o.Made, &o.Came)
	}, `SELECT o.profile, p.no, CASE WHEN o.until_at = 0 THEN p.name ELSE o.name END, o.from_at, o.until_at,
			NOT EXISTS (SELECT 1 FROM profile_owned x WHERE x.profile = o.profile AND x.from_at < o.from_at),
			EXISTS (SELECT 1 FROM profile_owned x WHERE x.profile = o.profile AND x.until_at = o.from_at AND x.account <> o.account)
		FROM profile_owned o JOIN profile p ON p.id = o.profile
		WHERE o.account = $1 AND o.from_at < $2 AND (o.until_at = 0 OR o.until_at > $3) ORDER BY o.from_at, o.profile`, string(a), to, from)
	if err != nil {
		return nil, fmt.Errorf("read who owned profiles: %w", err)
	}
	return out, nil
}

// begin says that p is its account's from an instant on, in the transaction that makes it so.
func (s *Service) begin(ctx context.Context, p Profile, at int64) error {
	// Nor does a stretch begin before the last one has ended.
	last, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(until_at), 0) FROM profile_owned WHERE profile = $1`, string(p.ID))
	if err != nil {
		return fmt.Errorf("read who owned a profile: %w", err)
	}
	_, err = s.db.Exec(ctx, `INSERT INTO profile_owned (profile, from_at, account, until_at, name) VALUES ($1, $2, $3, $4, $5)`,
		string(p.ID), max(at, last), string(p.Account), int64(0), "")
	if err != nil {
		return fmt.Errorf("write who owns a profile: %w", err)
	}
	return nil
}

// cease says that p is its account's no more, in the transaction that makes it so.
func (s *Service) cease(ctx context.Context, p Profile, at int64) error {
	// A clock that has stepped back makes no stretch that ends before it began, and none that seems to last.
	_, err := s.db.Exec(ctx, `UPDATE profile_owned SET until_at = CASE WHEN from_at >= $1 THEN from_at + 1 ELSE $2 END, name = $3 WHERE profile = $4 AND until_at = 0`,
		at, at, p.Name, string(p.ID))
	if err != nil {
		return fmt.Errorf("write who owned a profile: %w", err)
	}
	return nil
}

// VerifyOwned compares who owns profiles now with the last entry of its history, across profiles. It returns a sentence for
// each that differs.
func (s *Service) VerifyOwned(ctx context.Context) ([]string, error) {
	rows, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT p.id FROM profile p
		LEFT JOIN profile_owned o ON o.profile = p.id AND o.account = p.account
			AND NOT EXISTS (SELECT 1 FROM profile_owned x WHERE x.profile = p.id AND x.from_at > o.from_at)
		WHERE NOT p.draft AND (o.profile IS NULL OR (o.until_at = 0) <> (p.deleted_at IS NULL)) ORDER BY p.id`)
	if err != nil {
		return nil, fmt.Errorf("verify who owns profiles: %w", err)
	}
	for i, p := range rows {
		rows[i] = "profile " + p + ": who owns it is not what its history of owners ends with"
	}
	return rows, nil
}

// forgetNames takes the names of an account's former profiles out of the history, when the account goes.
func (s *Service) forgetNames(ctx context.Context, a id.Account) error {
	_, err := s.db.Exec(ctx, `UPDATE profile_owned SET name = '' WHERE account = $1`, string(a))
	return err
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }
