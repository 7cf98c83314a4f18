package profile

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "profile", FS: migrations} }

const columns = `id, no, account, name, logo_url, banner_url, paused, pause_reason, paused_by_operator, rpm_input, rpm_output, color, reference, tags, created_at, updated_at`

func scan(r sqldb.Scanner) (p Profile, err error) {
	var created, updated int64
	var tags string
	err = r.Scan(&p.ID, &p.No, &p.Account, &p.Name, &p.LogoURL, &p.BannerURL, &p.Paused, &p.PauseReason, &p.ByOperator, &p.RPMInput, &p.RPMOutput, &p.Color, &p.Reference, &tags, &created, &updated)
	if err == nil {
		err = json.Unmarshal([]byte(tags), &p.Tags)
	}
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
	return s.leaveSlots(ctx, a, 1)
}

// leaveSlots counts one profile less, unless that would leave fewer than least.
func (s *Service) leaveSlots(ctx context.Context, a id.Account, least int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile_owner SET profiles = profiles - 1 WHERE account = $1 AND profiles > $2`, a, least)
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
	tags, err := json.Marshal(p.Tags)
	if err != nil {
		return false, err
	}
	n, err := s.db.Exec(ctx, `UPDATE profile SET name = $1, logo_url = $2, banner_url = $3, paused = $4, pause_reason = $5,
		paused_by_operator = $6, rpm_input = $7, rpm_output = $8, color = $9, reference = $10, tags = $11, updated_at = $12 WHERE id = $13 AND deleted_at IS NULL`,
		p.Name, p.LogoURL, p.BannerURL, p.Paused, p.PauseReason, p.ByOperator, p.RPMInput, p.RPMOutput, p.Color, p.Reference, string(tags), clock.Millis(p.UpdatedAt), p.ID)
	return n == 1, err
}

// mark makes a profile disappear; its row waits for the purge.
func (s *Service) mark(ctx context.Context, p id.Profile, now, purge int64, by id.Account) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile SET deleted_at = $1, purge_at = $2, deleted_by = $3 WHERE id = $4 AND deleted_at IS NULL`, now, purge, by, p)
	return n == 1, err
}

// findGone reads a profile that can be restored or, as a draft, published.
func (s *Service) findGone(ctx context.Context, p id.Profile, draft bool, now int64) (Profile, bool, error) {
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM profile
		WHERE id = $1 AND deleted_at IS NOT NULL AND draft = $2 AND purged_at IS NULL AND purge_at > $3`, p, draft, now)
}

// wasOwned says whether a profile is an account's, whether it lives or not.
func (s *Service) wasOwned(ctx context.Context, a id.Account, p id.Profile) (bool, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COUNT(*) FROM profile WHERE id = $1 AND account = $2 AND NOT draft`, p, a)
	return n == 1, err
}

// unmark makes such a profile appear.
func (s *Service) unmark(ctx context.Context, p id.Profile, draft bool, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile SET deleted_at = NULL, purge_at = 0, deleted_by = '', draft = FALSE, updated_at = $1
		WHERE id = $2 AND deleted_at IS NOT NULL AND draft = $3 AND purged_at IS NULL AND purge_at > $4`, now, p, draft, now)
	return n == 1, err
}

// insertDraft reports false when the id is, or was, another profile's.
func (s *Service) insertDraft(ctx context.Context, p Profile, now, purge int64) (bool, error) {
	tags, err := json.Marshal(p.Tags)
	if err != nil {
		return false, err
	}
	n, err := s.db.Exec(ctx, `INSERT INTO profile (`+columns+`, deleted_at, purge_at, draft)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.No, p.Account, p.Name, p.LogoURL, p.BannerURL, false, "", false, p.RPMInput, p.RPMOutput, p.Color, p.Reference, string(tags), now, now, now, purge, true)
	if err != nil {
		return false, fmt.Errorf("insert a draft: %w", err)
	}
	return n == 1, nil
}

// toPurge is the profile whose purge is due first.
func (s *Service) toPurge(ctx context.Context, now int64) (Profile, bool, error) {
	return sqldb.One(ctx, s.db, scan,
		`SELECT `+columns+` FROM profile WHERE deleted_at IS NOT NULL AND purged_at IS NULL AND purge_at <= $1 ORDER BY purge_at, deleted_at, id LIMIT 1`, now)
}

// claim ends the time in which a profile can be restored, unless that is put off again or it was restored.
func (s *Service) claim(ctx context.Context, p id.Profile, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE profile SET purge_at = 0 WHERE id = $1 AND deleted_at IS NOT NULL AND purged_at IS NULL AND purge_at <= $2`, p, now)
	return n == 1, err
}

func (s *Service) purged(ctx context.Context, p id.Profile, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE profile SET purged_at = $1, name = '', color = '', reference = '', tags = '[]', logo_url = NULL, banner_url = NULL,
		pause_reason = '' WHERE id = $2`, now, p)
	if err == nil {
		_, err = s.db.Exec(ctx, `DELETE FROM profile_pin WHERE profile = $1`, p)
	}
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
