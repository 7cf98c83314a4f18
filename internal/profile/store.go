package profile

import (
	"context"
	"embed"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "profile", FS: migrations} }

const columns = `id, no, account, name, logo_url, banner_url, paused, pause_reason, paused_by_operator, rpm_input, rpm_output, created_at, updated_at`

func scan(r sqldb.Scanner) (p Profile, err error) {
	var created, updated int64
	err = r.Scan(&p.ID, &p.No, &p.Account, &p.Name, &p.LogoURL, &p.BannerURL, &p.Paused, &p.PauseReason, &p.ByOperator, &p.RPMInput, &p.RPMOutput, &created, &updated)
	p.CreatedAt, p.UpdatedAt = clock.FromMillis(created), clock.FromMillis(updated)
	return p, err
}

// find reads a living profile.
func (s *Service) find(ctx context.Context, p id.Profile) (Profile, bool, error) {
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM profile WHERE id = $1 AND deleted_at IS NULL`, p)
}

func (s *Service) owned(ctx context.Context, a id.Account) ([]Profile, error) {
	return sqldb.All(ctx, s.db, scan,
		`SELECT `+columns+` FROM profile WHERE account = $1 AND deleted_at IS NULL ORDER BY created_at, id`, a)
}

// takeSlot counts one more profile of an account, unless that would pass the cap.
func (s *Service) takeSlot(ctx context.Context, a id.Account, cap int64) (bool, error) {
	if err := s.Lock(ctx, a); err != nil {
		return false, err
	}
	n, err := s.db.Exec(ctx, `UPDATE profile_owner SET profiles = profiles + 1 WHERE account = $1 AND profiles < $2`, a, cap)
	return n == 1, err
}

// giveSlot counts one profile less, unless it is the last.
func (s *Service) giveSlot(ctx context.Context, a id.Account) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile_owner SET profiles = profiles - 1 WHERE account = $1 AND profiles > 1`, a)
	return n == 1, err
}

func (s *Service) nextNo(ctx context.Context) (no int64, err error) {
	err = s.db.QueryRow(ctx, `UPDATE profile_number SET last = last + 1 WHERE id = 1 RETURNING last`).Scan(&no)
	return no, err
}

func (s *Service) insert(ctx context.Context, p Profile) error {
	_, err := s.db.Exec(ctx, `INSERT INTO profile (id, no, account, name, paused, pause_reason, paused_by_operator, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.ID, p.No, p.Account, p.Name, false, "", false, clock.Millis(p.CreatedAt), clock.Millis(p.UpdatedAt))
	return err
}

// set writes everything of p that can change. It reports false when the profile is gone.
func (s *Service) set(ctx context.Context, p Profile) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile SET name = $1, logo_url = $2, banner_url = $3, paused = $4, pause_reason = $5,
		paused_by_operator = $6, rpm_input = $7, rpm_output = $8, updated_at = $9 WHERE id = $10 AND deleted_at IS NULL`,
		p.Name, p.LogoURL, p.BannerURL, p.Paused, p.PauseReason, p.ByOperator, p.RPMInput, p.RPMOutput, clock.Millis(p.UpdatedAt), p.ID)
	return n == 1, err
}

// mark makes a profile disappear; its row waits for the purge.
func (s *Service) mark(ctx context.Context, p id.Profile, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL`, now, p)
	return n == 1, err
}

// toPurge is the profile that was deleted first and still holds things.
func (s *Service) toPurge(ctx context.Context) (Profile, bool, error) {
	return sqldb.One(ctx, s.db, scan,
		`SELECT `+columns+` FROM profile WHERE deleted_at IS NOT NULL AND purged_at IS NULL ORDER BY deleted_at, id LIMIT 1`)
}

func (s *Service) purged(ctx context.Context, p id.Profile, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE profile SET purged_at = $1, name = '', logo_url = NULL, banner_url = NULL, pause_reason = ''
		WHERE id = $2`, now, p)
	return err
}

// Lock makes this transaction wait for every other one that changes what the profiles of an account share:
// their number and their allocation. It is released with the transaction.
func (s *Service) Lock(ctx context.Context, a id.Account) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO profile_owner (account, profiles) VALUES ($1, 0) ON CONFLICT (account) DO NOTHING`, a); err != nil {
		return fmt.Errorf("lock the profiles of an account: %w", err)
	}
	if _, err := s.db.Exec(ctx, `UPDATE profile_owner SET profiles = profiles + 0 WHERE account = $1`, a); err != nil {
		return fmt.Errorf("lock the profiles of an account: %w", err)
	}
	return nil
}
