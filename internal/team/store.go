package team

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/tag"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "team", FS: migrations} }

func encodeTags(tags []tag.Tag) string {
	if len(tags) == 0 {
		return "[]"
	}
	b, err := json.Marshal(tags)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}

const memberColumns = `profile, account, role, within, invited_by, expires_at, created_at`

func scanMember(r sqldb.Scanner) (m Member, err error) {
	var within string
	if err = r.Scan(&m.Profile, &m.Account, &m.Role, &within, &m.InvitedBy, &m.ExpiresAt, &m.CreatedAt); err == nil {
		m.Within, err = decodeWithin(within)
	}
	return m, err
}

func (s *Service) member(ctx context.Context, p id.Profile, a id.Account) (Member, bool, error) {
	return sqldb.One(ctx, s.db, scanMember, `SELECT `+memberColumns+` FROM member WHERE profile = $1 AND account = $2`, p, a)
}

func (s *Service) membersOf(ctx context.Context, p id.Profile) ([]Member, error) {
	return sqldb.All(ctx, s.db, scanMember, `SELECT `+memberColumns+` FROM member WHERE profile = $1 ORDER BY created_at, account`, p)
}

func (s *Service) membershipsOf(ctx context.Context, a id.Account) ([]Member, error) {
	return sqldb.All(ctx, s.db, scanMember, `SELECT `+memberColumns+` FROM member WHERE account = $1 ORDER BY created_at, profile`, a)
}

// putMember makes a person a member, or gives a member other terms.
func (s *Service) putMember(ctx context.Context, m Member) error {
	_, err := s.db.Exec(ctx, `INSERT INTO member (`+memberColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (profile, account) DO UPDATE SET role = excluded.role, within = excluded.within, invited_by = excluded.invited_by, expires_at = excluded.expires_at`,
		m.Profile, m.Account, m.Role, encodeWithin(m.Within), m.InvitedBy, m.ExpiresAt, m.CreatedAt)
	if err != nil {
		return fmt.Errorf("store a member: %w", err)
	}
	return s.memberChanged(ctx, m.Profile, m.Account)
}

func (s *Service) memberChanged(ctx context.Context, p id.Profile, a id.Account) error {
	return s.db.Changed(ctx, MemberKind, pair(string(p), a))
}

func (s *Service) deleteMember(ctx context.Context, p id.Profile, a id.Account) (bool, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM member WHERE profile = $1 AND account = $2`, p, a)
	if err != nil {
		return false, fmt.Errorf("delete a member: %w", err)
	}
	return n == 1, s.memberChanged(ctx, p, a)
}

const staffColumns = `owner, account, role, tags, invited_by, expires_at, created_at`

func scanStaff(r sqldb.Scanner) (x Staff, err error) {
	var tags string
	if err = r.Scan(&x.Owner, &x.Account, &x.Role, &tags, &x.InvitedBy, &x.ExpiresAt, &x.CreatedAt); err == nil {
		err = json.Unmarshal([]byte(tags), &x.Tags)
	}
	return x, err
}

func (s *Service) staff(ctx context.Context, owner, a id.Account) (Staff, bool, error) {
	return sqldb.One(ctx, s.db, scanStaff, `SELECT `+staffColumns+` FROM staff WHERE owner = $1 AND account = $2`, owner, a)
}

func (s *Service) staffOf(ctx context.Context, owner id.Account) ([]Staff, error) {
	return sqldb.All(ctx, s.db, scanStaff, `SELECT `+staffColumns+` FROM staff WHERE owner = $1 ORDER BY created_at, account`, owner)
}

func (s *Service) staffRolesOf(ctx context.Context, a id.Account) ([]Staff, error) {
	return sqldb.All(ctx, s.db, scanStaff, `SELECT `+staffColumns+` FROM staff WHERE account = $1 ORDER BY created_at, owner`, a)
}

func (s *Service) putStaff(ctx context.Context, x Staff) error {
	_, err := s.db.Exec(ctx, `INSERT INTO staff (`+staffColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (owner, account) DO UPDATE SET role = excluded.role, tags = excluded.tags, invited_by = excluded.invited_by, expires_at = excluded.expires_at`,
		x.Owner, x.Account, x.Role, encodeTags(x.Tags), x.InvitedBy, x.ExpiresAt, x.CreatedAt)
	if err != nil {
		return fmt.Errorf("store staff: %w", err)
	}
	return s.staffChanged(ctx, x.Owner, x.Account)
}

func (s *Service) staffChanged(ctx context.Context, owner, a id.Account) error {
	return s.db.Changed(ctx, StaffKind, pair(string(owner), a))
}

func (s *Service) deleteStaff(ctx context.Context, owner, a id.Account) (bool, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM staff WHERE owner = $1 AND account = $2`, owner, a)
	if err != nil {
		return false, fmt.Errorf("delete staff: %w", err)
	}
	return n == 1, s.staffChanged(ctx, owner, a)
}

const invitationColumns = `id, hash, copy_hash, sealed, profile, owner, email, role, within, tags, member_until, invited_by, state, created_at, expires_at, ended_at`

func scanInvitation(r sqldb.Scanner) (i Invitation, err error) {
	var within, tags string
	if err = r.Scan(&i.ID, &i.hash, &i.copyHash, &i.sealed, &i.Profile, &i.Owner, &i.Email, &i.Role, &within, &tags, &i.MemberUntil, &i.InvitedBy,
		&i.State, &i.CreatedAt, &i.ExpiresAt, &i.EndedAt); err != nil {
		return i, err
	}
	if i.Within, err = decodeWithin(within); err != nil {
		return i, err
	}
	return i, json.Unmarshal([]byte(tags), &i.Tags)
}

func (s *Service) insertInvitation(ctx context.Context, i Invitation) error {
	_, err := s.db.Exec(ctx, `INSERT INTO invitation (`+invitationColumns+`, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		i.ID, i.hash, i.copyHash, i.sealed, i.Profile, i.Owner, i.Email, i.Role, encodeWithin(i.Within), encodeTags(i.Tags), i.MemberUntil, i.InvitedBy,
		i.State, i.CreatedAt, i.ExpiresAt, i.EndedAt, i.address())
	if err != nil {
		return fmt.Errorf("store an invitation: %w", err)
	}
	return nil
}

// bySecret finds an invitation by either of its secrets, and says whether it was the mail's.
func (s *Service) bySecret(ctx context.Context, hash string) (i Invitation, mailed, ok bool, err error) {
	i, ok, err = sqldb.One(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation WHERE hash = $1 OR copy_hash = $2`, hash, hash)
	return i, i.hash == hash, ok, err
}

func (s *Service) invitation(ctx context.Context, i id.Invitation) (Invitation, bool, error) {
	return sqldb.One(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation WHERE id = $1`, i)
}

// pending lists the invitations of a profile's team (owner "") or of an account's staff (profile ""), oldest first. It
// holds those past their date too, until somebody notes that.
func (s *Service) pending(ctx context.Context, p id.Profile, owner id.Account) ([]Invitation, error) {
	return sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation
		WHERE profile = $1 AND owner = $2 AND state = 'pending' ORDER BY created_at, id`, p, owner)
}

// end moves a pending invitation on: of two that come at once, one gets it.
func (s *Service) end(ctx context.Context, i id.Invitation, to State, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE invitation SET state = $1, ended_at = $2, sealed = '' WHERE id = $3 AND state = 'pending'`, to, now, i)
	if err != nil {
		return false, fmt.Errorf("end an invitation: %w", err)
	}
	return n == 1, nil
}

// endAll ends what is pending of a profile (owner "") or of an account's staff (profile "").
func (s *Service) endAll(ctx context.Context, p id.Profile, owner id.Account, to State, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE invitation SET state = $1, ended_at = $2, sealed = '' WHERE profile = $3 AND owner = $4 AND state = 'pending'`, to, now, p, owner)
	return err
}

// suspend is end for a change of owner, which may be undone: what sealed the secret stays for resume.
func (s *Service) suspend(ctx context.Context, i id.Invitation, at int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE invitation SET state = 'cancelled', ended_at = $1 WHERE id = $2 AND state = 'pending'`, at, i)
	if err != nil {
		return false, fmt.Errorf("suspend an invitation: %w", err)
	}
	return n == 1, nil
}

// resume undoes suspend, unless the invitation's time is over by now.
func (s *Service) resume(ctx context.Context, p id.Profile, i id.Invitation, at, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE invitation SET state = 'pending', ended_at = 0
		WHERE id = $1 AND profile = $2 AND owner = '' AND state = 'cancelled' AND ended_at = $3 AND expires_at > $4`, i, p, at, now)
	if err != nil {
		return false, fmt.Errorf("resume an invitation: %w", err)
	}
	return n == 1, nil
}

// invited reports whether an address has an invitation that can be accepted.
func (s *Service) invited(ctx context.Context, address string, now int64) (bool, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COUNT(*) FROM invitation WHERE address = $1 AND state = 'pending' AND expires_at > $2`, address, now)
	return n > 0, err
}

// due lists invitations that nobody answered in time.
func (s *Service) due(ctx context.Context, now int64, most int) ([]Invitation, error) {
	return sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation
		WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at, id LIMIT $2`, now, int64(most))
}

// dropEnded forgets at most most invitations that ended before an instant.
func (s *Service) dropEnded(ctx context.Context, before int64, most int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM invitation WHERE id IN (SELECT id FROM invitation WHERE ended_at > 0 AND ended_at < $1 LIMIT $2)`, before, int64(most))
}

// expiredMembers and expiredStaff list what was past its date before an instant.
func (s *Service) expiredMembers(ctx context.Context, before int64, most int) ([]Member, error) {
	return sqldb.All(ctx, s.db, scanMember, `SELECT `+memberColumns+` FROM member WHERE expires_at > 0 AND expires_at < $1 LIMIT $2`, before, int64(most))
}

func (s *Service) expiredStaff(ctx context.Context, before int64, most int) ([]Staff, error) {
	return sqldb.All(ctx, s.db, scanStaff, `SELECT `+staffColumns+` FROM staff WHERE expires_at > 0 AND expires_at < $1 LIMIT $2`, before, int64(most))
}

// sealedAfter lists invitations with a sealed secret after an id, for resealing.
func (s *Service) sealedAfter(ctx context.Context, after id.Invitation, most int) ([]Invitation, error) {
	return sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation WHERE sealed <> '' AND id > $1 ORDER BY id LIMIT $2`, after, int64(most))
}

func (s *Service) writeSealed(ctx context.Context, i id.Invitation, sealed string) error {
	_, err := s.db.Exec(ctx, `UPDATE invitation SET sealed = $1 WHERE id = $2 AND sealed <> ''`, sealed, i)
	return err
}
