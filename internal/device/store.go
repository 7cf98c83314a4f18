package device

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "device", FS: files} }

const columns = `id, name, description, type, chunk_period, chunk_retention, connector, network, active, visible,
	payload_decoder, rpm_input, rpm_output, last_input, last_output, created_at, updated_at`

// lean are the columns without the payload decoder.
var lean = strings.Replace(columns, "payload_decoder", "''", 1)

func scan(r sqldb.Scanner) (d Device, err error) {
	d.Tags = []Tag{}
	return d, r.Scan(&d.Profile, &d.ID, &d.Name, &d.Description, &d.Type, &d.ChunkPeriod, &d.ChunkRetention, &d.Connector, &d.Network,
		&d.Active, &d.Visible, &d.PayloadDecoder, &d.RPMInput, &d.RPMOutput, &d.LastInput, &d.LastOutput, &d.CreatedAt, &d.UpdatedAt)
}

// insert stores new devices of one profile with their tags, many in a statement.
func (s *Service) insert(ctx context.Context, ds ...Device) error {
	for part := range slices.Chunk(ds, 100) {
		args := make([]any, 0, 19*len(part))
		for _, d := range part {
			args = append(args, d.Profile, d.ID, d.Name, strings.ToLower(d.Name), d.Description, d.Type, d.ChunkPeriod, d.ChunkRetention, d.Connector,
				d.Network, d.Active, d.Visible, d.PayloadDecoder, d.RPMInput, d.RPMOutput, d.LastInput, d.LastOutput, d.CreatedAt, d.UpdatedAt)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO device (profile_id, id, name, name_key, description, type, chunk_period, chunk_retention, connector,
				network, active, visible, payload_decoder, rpm_input, rpm_output, last_input, last_output, created_at, updated_at)
			VALUES `+sqldb.Rows(1, len(part), 19), args...); err != nil {
			return err
		}
		if err := s.insertTags(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) insertTags(ctx context.Context, ds ...Device) error {
	var args []any
	for _, d := range ds {
		for i, t := range d.Tags {
			args = append(args, d.Profile, d.ID, int64(i), t.Key, t.Value)
		}
	}
	const most = 5 * 500
	for part := range slices.Chunk(args, most) {
		if _, err := s.db.Exec(ctx, `INSERT INTO device_tag (profile_id, device_id, pos, key, value) VALUES `+sqldb.Rows(1, len(part)/5, 5), part...); err != nil {
			return err
		}
	}
	return nil
}

// lock makes this transaction the only one that changes a device; false when it is not there.
func (s *Service) lock(ctx context.Context, p id.Profile, d id.Device, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE device SET updated_at = $1 WHERE profile_id = $2 AND id = $3`, now, p, d)
	return n == 1, err
}

// find reads a device with its tags.
func (s *Service) find(ctx context.Context, p id.Profile, d id.Device) (Device, bool, error) {
	dev, ok, err := sqldb.One(ctx, s.db, scan, `SELECT profile_id, `+columns+` FROM device WHERE profile_id = $1 AND id = $2`, p, d)
	if err != nil || !ok {
		return dev, ok, err
	}
	dev.Tags, err = sqldb.All(ctx, s.db, func(r sqldb.Scanner) (t Tag, err error) { return t, r.Scan(&t.Key, &t.Value) },
		`SELECT key, value FROM device_tag WHERE profile_id = $1 AND device_id = $2 ORDER BY pos`, p, d)
	return dev, true, err
}

// update writes what an edit may change.
func (s *Service) update(ctx context.Context, d Device) error {
	_, err := s.db.Exec(ctx, `UPDATE device SET name = $1, name_key = $2, description = $3, type = $4, chunk_period = $5,
			chunk_retention = $6, connector = $7, network = $8, active = $9, visible = $10, payload_decoder = $11, rpm_input = $12,
			rpm_output = $13, updated_at = $14
		WHERE profile_id = $15 AND id = $16`,
		d.Name, strings.ToLower(d.Name), d.Description, d.Type, d.ChunkPeriod, d.ChunkRetention, d.Connector, d.Network, d.Active, d.Visible,
		d.PayloadDecoder, d.RPMInput, d.RPMOutput, d.UpdatedAt, d.Profile, d.ID)
	return err
}

func (s *Service) replaceTags(ctx context.Context, d Device) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM device_tag WHERE profile_id = $1 AND device_id = $2`, d.Profile, d.ID); err != nil {
		return err
	}
	return s.insertTags(ctx, d)
}

// remove deletes a device with its tags and parameters, which cascade, and its refusals except those of dead
// tokens, which the profile still lists.
func (s *Service) remove(ctx context.Context, p id.Profile, d id.Device) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM device_refusal WHERE profile_id = $1 AND device_id = $2 AND dead = ''`, p, d); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, `DELETE FROM device WHERE profile_id = $1 AND id = $2`, p, d)
	return err
}

// list reads a page of devices with their tags.
func (s *Service) list(ctx context.Context, w *sqldb.Where, p id.Profile, order string, decoder bool, limit, skip int64) ([]Device, error) {
	cols := lean
	if decoder {
		cols = columns
	}
	args := w.Args()
	n := len(args)
	ds, err := sqldb.All(ctx, s.db, scan, fmt.Sprintf(`SELECT profile_id, %s FROM device%s ORDER BY %s, id LIMIT $%d OFFSET $%d`,
		cols, w.SQL(), order, n+1, n+2), append(args, limit, skip)...)
	if err != nil {
		return nil, err
	}
	return ds, s.loadTags(ctx, p, ds)
}

func (s *Service) loadTags(ctx context.Context, p id.Profile, ds []Device) error {
	const most = 1000
	for len(ds) > 0 {
		part := ds[:min(most, len(ds))]
		ds = ds[len(part):]
		at := make(map[id.Device]*Device, len(part))
		args := make([]any, 0, len(part)+1)
		args = append(args, p)
		for i := range part {
			at[part[i].ID] = &part[i]
			args = append(args, part[i].ID)
		}
		type row struct {
			device id.Device
			tag    Tag
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (t row, err error) { return t, r.Scan(&t.device, &t.tag.Key, &t.tag.Value) },
			fmt.Sprintf(`SELECT device_id, key, value FROM device_tag WHERE profile_id = $1 AND device_id IN (%s) ORDER BY device_id, pos`,
				sqldb.Marks(2, len(part))), args...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			at[r.device].Tags = append(at[r.device].Tags, r.tag)
		}
	}
	return nil
}

const paramColumns = `id, key, value, sent`

func scanParam(r sqldb.Scanner) (p Param, err error) {
	return p, r.Scan(&p.ID, &p.Key, &p.Value, &p.Sent)
}

func (s *Service) params(ctx context.Context, p id.Profile, d id.Device) ([]Param, error) {
	return sqldb.All(ctx, s.db, scanParam, `SELECT `+paramColumns+` FROM device_param
		WHERE profile_id = $1 AND device_id = $2 ORDER BY pos, id`, p, d)
}

func (s *Service) insertParams(ctx context.Context, p id.Profile, d id.Device, pos int64, ps []Param) error {
	if len(ps) == 0 {
		return nil
	}
	args := make([]any, 0, 7*len(ps))
	for i, v := range ps {
		args = append(args, p, d, v.ID, pos+int64(i), v.Key, v.Value, v.Sent)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO device_param (profile_id, device_id, id, pos, key, value, sent) VALUES `+sqldb.Rows(1, len(ps), 7), args...)
	return err
}

// nextPos is the place behind the last parameter of a device.
func (s *Service) nextPos(ctx context.Context, p id.Profile, d id.Device) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COALESCE(MAX(pos), -1) + 1 FROM device_param WHERE profile_id = $1 AND device_id = $2`, p, d).Scan(&n)
	return n, err
}

func (s *Service) updateParam(ctx context.Context, p id.Profile, d id.Device, v Param) error {
	_, err := s.db.Exec(ctx, `UPDATE device_param SET key = $1, value = $2, sent = $3
		WHERE profile_id = $4 AND device_id = $5 AND id = $6`, v.Key, v.Value, v.Sent, p, d, v.ID)
	return err
}

func (s *Service) deleteParam(ctx context.Context, p id.Profile, d id.Device, v id.Param) error {
	_, err := s.db.Exec(ctx, `DELETE FROM device_param WHERE profile_id = $1 AND device_id = $2 AND id = $3`, p, d, v)
	return err
}

// writeTouches stores when devices were last heard and read, for many profiles at once; an instant never moves
// back.
func (s *Service) writeTouches(ctx context.Context, ts []touch) error {
	args := make([]any, 0, 4*len(ts))
	for _, t := range ts {
		args = append(args, t.profile, t.device, t.input, t.output)
	}
	_, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE device SET
			last_input = CASE WHEN v.column3 > device.last_input THEN v.column3 ELSE device.last_input END,
			last_output = CASE WHEN v.column4 > device.last_output THEN v.column4 ELSE device.last_output END
		FROM (VALUES %s) AS v WHERE device.profile_id = v.column1 AND device.id = v.column2`,
		sqldb.RowsOf(1, len(ts), "TEXT", "TEXT", "BIGINT", "BIGINT")), args...)
	return err
}

func (s *Service) insertRefusals(ctx context.Context, rs []Request) error {
	args := make([]any, 0, 15*len(rs))
	for _, r := range rs {
		args = append(args, r.profile, r.device, r.ID, r.At, r.tokenID, r.TokenName, r.Tail, r.Dead, r.Method, r.Path, int64(r.Status), r.Reason, r.Addr, r.Body, r.Size)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO device_refusal (profile_id, device_id, id, at, token_id, token_name, tail, dead, method, path, status, reason,
		addr, body, size) VALUES `+sqldb.Rows(1, len(rs), 15)+` ON CONFLICT DO NOTHING`, args...)
	return err
}

// trimRefusals leaves the newest of each device.
func (s *Service) trimRefusals(ctx context.Context, of []owner) error {
	args := make([]any, 0, 2*len(of)+1)
	for _, o := range of {
		args = append(args, o.profile, o.device)
	}
	_, err := s.db.Exec(ctx, fmt.Sprintf(`DELETE FROM device_refusal WHERE (profile_id, device_id, id) IN (
			SELECT profile_id, device_id, id FROM (
				SELECT profile_id, device_id, id, ROW_NUMBER() OVER (PARTITION BY profile_id, device_id ORDER BY at DESC, id DESC) AS n
				FROM device_refusal WHERE (profile_id, device_id) IN (VALUES %s)) AS r
			WHERE r.n > $%d)`, sqldb.Rows(1, len(of), 2), len(args)+1), append(args, int64(keepRequests))...)
	return err
}

const refusalColumns = `profile_id, device_id, id, at, token_id, token_name, tail, dead, method, path, status, reason, addr, body, size`

func scanRefusal(r sqldb.Scanner) (v Request, err error) {
	return v, r.Scan(&v.profile, &v.device, &v.ID, &v.At, &v.tokenID, &v.TokenName, &v.Tail, &v.Dead, &v.Method, &v.Path, &v.Status, &v.Reason, &v.Addr, &v.Body, &v.Size)
}

func (s *Service) refusals(ctx context.Context, p id.Profile, d id.Device) ([]Request, error) {
	return sqldb.All(ctx, s.db, scanRefusal, `SELECT `+refusalColumns+` FROM device_refusal
		WHERE profile_id = $1 AND device_id = $2 ORDER BY at DESC, id DESC LIMIT $3`, p, d, int64(keepRequests))
}

// deadRefusals are the newest requests that came with an ended token of a profile, as far as the caller may see.
func (s *Service) deadRefusals(ctx context.Context, who auth.Caller, p id.Profile) ([]Request, error) {
	w := sqldb.NewWhere("profile_id = ? AND dead <> ''", p)
	if cond, args := s.Within(who, p, "device_id"); cond != "" {
		w.And(cond, args...)
	}
	limit := w.Arg(int64(keepRequests))
	return sqldb.All(ctx, s.db, scanRefusal, `SELECT `+refusalColumns+` FROM device_refusal`+w.SQL()+` ORDER BY at DESC, id DESC LIMIT `+limit, w.Args()...)
}

// deleteOldRefusals forgets at most n refusals from before an instant, across profiles.
func (s *Service) deleteOldRefusals(ctx context.Context, before int64, n int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM device_refusal WHERE (profile_id, device_id, id) IN (
		SELECT profile_id, device_id, id FROM device_refusal WHERE at < $1 LIMIT $2)`, before, n)
}

func (s *Service) deleteRefusalsOf(ctx context.Context, p id.Profile, n int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM device_refusal WHERE profile_id = $1 AND (device_id, id) IN (
		SELECT device_id, id FROM device_refusal WHERE profile_id = $1 LIMIT $2)`, p, n)
}

// deleteOf deletes at most n devices of a profile; tags and parameters cascade.
func (s *Service) deleteOf(ctx context.Context, p id.Profile, n int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM device WHERE profile_id = $1 AND id IN (SELECT id FROM device WHERE profile_id = $1 LIMIT $2)`, p, n)
}

// count counts the devices of a profile; it must agree with what usage holds.
func (s *Service) count(ctx context.Context, p id.Profile) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM device WHERE profile_id = $1`, p).Scan(&n)
	return n, err
}
