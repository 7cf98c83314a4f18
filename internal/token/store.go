package token

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "token", FS: files} }

const columns = `id, hash, tail, kind, profile_id, device_id, created_by, name, permission, reach, serial, verification_code, sealed, expires_at, last_use, created_at, ended_at, ceiling, last_addr`

func scan(r sqldb.Scanner) (t Token, err error) {
	var ceiling string
	err = r.Scan(&t.ID, &t.hash, &t.Tail, &t.Kind, &t.Profile, &t.Device, &t.CreatedBy, &t.Name, &t.Permission, &t.Reach,
		&t.Serial, &t.VerificationCode, &t.sealed, &t.ExpiresAt, &t.LastUse, &t.CreatedAt, &t.EndedAt, &ceiling, &t.LastAddr)
	if err == nil && ceiling != "" {
		t.Ceiling = new(Ceiling)
		err = json.Unmarshal([]byte(ceiling), t.Ceiling)
	}
	return t, err
}

// insert stores a token; false when its serial number is taken.
func (s *Service) insert(ctx context.Context, t Token) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO token (`+columns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`,
		t.row()...)
	return n == 1, err
}

// row is a token as it is stored, by columns.
func (t Token) row() []any {
	return []any{t.ID, t.hash, t.Tail, t.Kind, t.Profile, t.Device, t.CreatedBy, t.Name, t.Permission, t.Reach,
		t.Serial, t.VerificationCode, t.sealed, t.ExpiresAt, t.LastUse, t.CreatedAt, t.EndedAt, t.Ceiling.encode(), t.LastAddr}
}

// freeSerial takes a serial number from tokens that expired, which would otherwise keep it for 90 days.
func (s *Service) freeSerial(ctx context.Context, p id.Profile, serial string, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE token SET serial = ''
		WHERE profile_id = $1 AND serial = $2 AND ended_at = 0 AND expires_at > 0 AND expires_at <= $3`, p, serial, now)
	return err
}

// Count is how many tokens of a profile itself, not of its devices, would authenticate now.
func (s *Service) Count(ctx context.Context, p id.Profile) (int64, error) {
	return s.countLive(ctx, p, auth.Profile, "", s.now())
}

// countLive counts the tokens that would authenticate now.
func (s *Service) countLive(ctx context.Context, p id.Profile, kind auth.Kind, d id.Device, now int64) (int64, error) {
	var n int64
	err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM token
		WHERE profile_id = $1 AND kind = $2 AND device_id = $3 AND ended_at = 0 AND (expires_at = 0 OR expires_at > $4)`,
		p, kind, d, now).Scan(&n)
	return n, err
}

func (s *Service) byHash(ctx context.Context, hash string) (Token, bool, error) {
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM token WHERE hash = $1`, hash)
}

// byRef finds a token of a profile that has not been revoked, by its id or by the hash of its secret.
func (s *Service) byRef(ctx context.Context, p id.Profile, kind auth.Kind, ref string) (Token, bool, error) {
	t := Raw(ref)
	if !id.Valid(t) {
		t = ""
	}
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM token
		WHERE profile_id = $1 AND kind = $2 AND (id = $3 OR hash = $4) AND ended_at = 0`, p, kind, t, Hash(ref))
}

func (s *Service) list(ctx context.Context, w *sqldb.Where, order string, limit, skip int64) ([]Token, error) {
	args := w.Args()
	n := len(args)
	return sqldb.All(ctx, s.db, scan, fmt.Sprintf(`SELECT `+columns+` FROM token%s ORDER BY %s, id LIMIT $%d OFFSET $%d`,
		w.SQL(), order, n+1, n+2), append(args, limit, skip)...)
}

// end revokes one token.
func (s *Service) end(ctx context.Context, t id.Token, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE token SET ended_at = $1, sealed = '' WHERE id = $2 AND ended_at = 0`, now, t)
	return n == 1, err
}

// endDevice revokes every token of a device and returns their hashes.
func (s *Service) endDevice(ctx context.Context, p id.Profile, d id.Device, now int64) ([]string, error) {
	hashes, err := sqldb.All(ctx, s.db, sqldb.Value[string],
		`SELECT hash FROM token WHERE profile_id = $1 AND device_id = $2 AND ended_at = 0`, p, d)
	if err != nil || len(hashes) == 0 {
		return nil, err
	}
	_, err = s.db.Exec(ctx, `UPDATE token SET ended_at = $1, sealed = '', serial = ''
		WHERE profile_id = $2 AND device_id = $3 AND ended_at = 0`, now, p, d)
	return hashes, err
}

// madeBy lists the living profile tokens that a person made in a profile, oldest first.
func (s *Service) madeBy(ctx context.Context, p id.Profile, a id.Account, now int64) ([]Token, error) {
	return sqldb.All(ctx, s.db, scan, `SELECT `+columns+` FROM token
		WHERE profile_id = $1 AND kind = 'profile' AND device_id = '' AND created_by = $2 AND ended_at = 0 AND (expires_at = 0 OR expires_at > $3)
		ORDER BY created_at, id`, p, a, now)
}

// livingOf lists the living tokens of a profile itself, not of its devices, oldest first.
func (s *Service) livingOf(ctx context.Context, p id.Profile, now int64) ([]Token, error) {
	return sqldb.All(ctx, s.db, scan, `SELECT `+columns+` FROM token
		WHERE profile_id = $1 AND kind = 'profile' AND device_id = '' AND ended_at = 0 AND (expires_at = 0 OR expires_at > $2)
		ORDER BY created_at, id`, p, now)
}

// byID reads a token of a profile in whatever state, and the threshold at which people were told last that it expires.
func (s *Service) byID(ctx context.Context, p id.Profile, t id.Token) (found Token, warned int64, ok bool, err error) {
	found, ok, err = sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM token WHERE profile_id = $1 AND id = $2 AND kind = 'profile'`, p, t)
	if err != nil || !ok {
		return found, 0, ok, err
	}
	err = s.db.QueryRow(ctx, `SELECT warned FROM token WHERE profile_id = $1 AND id = $2`, p, t).Scan(&warned)
	return found, warned, true, err
}

// give makes a living token another person's, with the reach, end and ceiling in t. From where it was used is not theirs to know.
func (s *Service) give(ctx context.Context, t Token, warned int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE token SET created_by = $1, reach = $2, expires_at = $3, ceiling = $4, warned = $5, last_addr = ''
		WHERE profile_id = $6 AND id = $7 AND kind = 'profile' AND ended_at = 0`, t.CreatedBy, t.Reach, t.ExpiresAt, t.Ceiling.encode(), warned, t.Profile, t.ID)
	return n == 1, err
}

// revive undoes end, if that was at the instant and the token's own time is not over. Its serial number stays behind when it
// is in use by now.
func (s *Service) revive(ctx context.Context, p id.Profile, t id.Token, endedAt, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE token SET ended_at = 0, serial = CASE WHEN EXISTS (
			SELECT 1 FROM token AS o WHERE o.profile_id = $1 AND o.serial = token.serial AND o.ended_at = 0) THEN '' ELSE serial END
		WHERE profile_id = $2 AND id = $3 AND kind = 'profile' AND ended_at = $4 AND (expires_at = 0 OR expires_at > $5)`, p, p, t, endedAt, now)
	return n == 1, err
}

// rebind moves a token to another profile. Its serial number stays behind when it is in use there.
func (s *Service) rebind(ctx context.Context, t id.Token, from, to id.Profile) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE token SET profile_id = $1, serial = CASE WHEN EXISTS (
			SELECT 1 FROM token AS o WHERE o.profile_id = $2 AND o.serial = token.serial AND o.ended_at = 0) THEN '' ELSE serial END
		WHERE id = $3 AND profile_id = $4 AND ended_at = 0`, to, to, t, from)
	return n == 1, err
}

// use is the last use of a token: when, from where, and whose it was.
type use struct {
	id   id.Token
	at   int64
	addr string
	by   id.Account
}

// writeUse stores when tokens were last used, and from where unless a token has become another person's since.
func (s *Service) writeUse(ctx context.Context, uses []use) error {
	args := make([]any, 0, 4*len(uses))
	for _, u := range uses {
		args = append(args, u.id, u.at, u.addr, u.by)
	}
	_, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE token SET last_use = v.column2, last_addr = CASE WHEN token.created_by = v.column4 THEN v.column3 ELSE '' END
		FROM (VALUES %s) AS v
		WHERE token.id = v.column1 AND token.last_use < v.column2`, sqldb.RowsOf(1, len(uses), "TEXT", "BIGINT", "TEXT", "TEXT")), args...)
	return err
}

// deleteOld forgets at most n tokens that ended or expired before an instant.
func (s *Service) deleteOld(ctx context.Context, before int64, n int) (int64, error) {
	ended, err := s.db.Exec(ctx, `DELETE FROM token WHERE id IN (
		SELECT id FROM token WHERE ended_at > 0 AND ended_at < $1 LIMIT $2)`, before, n)
	if err != nil {
		return 0, err
	}
	expired, err := s.db.Exec(ctx, `DELETE FROM token WHERE id IN (
		SELECT id FROM token WHERE expires_at > 0 AND expires_at < $1 LIMIT $2)`, before, n)
	return ended + expired, err
}

// deleteOf deletes at most n tokens of a profile.
func (s *Service) deleteOf(ctx context.Context, p id.Profile, n int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM token WHERE id IN (SELECT id FROM token WHERE profile_id = $1 LIMIT $2)`, p, n)
}

// devicesBySerial lists devices whose live tokens carry a serial number like the pattern.
func (s *Service) devicesBySerial(ctx context.Context, p id.Profile, like string, now int64, most int) ([]id.Device, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Device], `SELECT DISTINCT device_id FROM token
		WHERE profile_id = $1 AND kind = 'device' AND serial <> '' AND lower(serial) LIKE lower($2) ESCAPE '\'
		AND ended_at = 0 AND (expires_at = 0 OR expires_at > $3) LIMIT $4`, p, like, now, most)
}

// sealedAfter lists sealed tokens after an id, for resealing.
func (s *Service) sealedAfter(ctx context.Context, after id.Token, n int) ([]Token, error) {
	return sqldb.All(ctx, s.db, scan, `SELECT `+columns+` FROM token WHERE sealed <> '' AND id > $1 ORDER BY id LIMIT $2`, after, n)
}

func (s *Service) writeSealed(ctx context.Context, t id.Token, sealed string) error {
	_, err := s.db.Exec(ctx, `UPDATE token SET sealed = $1 WHERE id = $2 AND sealed <> ''`, sealed, t)
	return err
}
