package dashboard

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/tag"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "dashboard", FS: files} }

const columns = `id, label, type, visible, arrangement, look, last_access, created_at, updated_at`

// lean are the columns without arrangement and look.
var lean = strings.Replace(columns, "arrangement, look", "'[]', '{}'", 1)

func scan(r sqldb.Scanner) (d Dashboard, err error) {
	d.Tags, d.Look = []tag.Tag{}, map[string]jsontext.Value{}
	var arrangement, look string
	if err := r.Scan(&d.Profile, &d.ID, &d.Label, &d.Type, &d.Visible, &arrangement, &look, &d.LastAccess, &d.CreatedAt, &d.UpdatedAt); err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(arrangement), &d.Arrangement); err != nil {
		return d, fmt.Errorf("arrangement of dashboard %s: %w", d.ID, err)
	}
	if err := json.Unmarshal([]byte(look), &d.Look); err != nil {
		return d, fmt.Errorf("look of dashboard %s: %w", d.ID, err)
	}
	return d, nil
}

// drawn are the two columns of JSON. An arrangement is never null.
func drawn(d Dashboard) (arrangement, look string, err error) {
	if d.Arrangement == nil {
		d.Arrangement = []Place{}
	}
	if arrangement, err = encode(d.Arrangement); err != nil {
		return "", "", fmt.Errorf("encode an arrangement: %w", err)
	}
	if look, err = encode(d.Look); err != nil {
		return "", "", fmt.Errorf("encode a look: %w", err)
	}
	return arrangement, look, nil
}

func (s *Service) insert(ctx context.Context, d Dashboard) error {
	arrangement, look, err := drawn(d)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO dashboard (profile_id, id, label, label_key, type, visible, arrangement, look, last_access, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		d.Profile, d.ID, d.Label, strings.ToLower(d.Label), d.Type, d.Visible, arrangement, look, d.LastAccess, d.CreatedAt, d.UpdatedAt)
	if err != nil {
		return err
	}
	return s.insertTags(ctx, d)
}

func (s *Service) insertTags(ctx context.Context, d Dashboard) error {
	if len(d.Tags) == 0 {
		return nil
	}
	args := make([]any, 0, 5*len(d.Tags))
	for i, t := range d.Tags {
		args = append(args, d.Profile, d.ID, int64(i), t.Key, t.Value)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO dashboard_tag (profile_id, dashboard_id, pos, key, value) VALUES `+sqldb.Rows(1, len(d.Tags), 5), args...)
	return err
}

func (s *Service) replaceTags(ctx context.Context, d Dashboard) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM dashboard_tag WHERE profile_id = $1 AND dashboard_id = $2`, d.Profile, d.ID); err != nil {
		return err
	}
	return s.insertTags(ctx, d)
}

// lock makes this transaction the only one that changes a dashboard; false when it is not there.
func (s *Service) lock(ctx context.Context, p id.Profile, d id.Dashboard, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE dashboard SET updated_at = $1 WHERE profile_id = $2 AND id = $3`, now, p, d)
	return n == 1, err
}

// still makes those wait who would change a dashboard, without changing it; not_found when it is not there.
func (s *Service) still(ctx context.Context, p id.Profile, d id.Dashboard) error {
	n, err := s.db.Exec(ctx, `UPDATE dashboard SET updated_at = updated_at WHERE profile_id = $1 AND id = $2`, p, d)
	if err == nil && n == 0 {
		err = errNotFound
	}
	return err
}

// find reads a dashboard with its tags.
func (s *Service) find(ctx context.Context, p id.Profile, d id.Dashboard) (Dashboard, bool, error) {
	dash, ok, err := sqldb.One(ctx, s.db, scan, `SELECT profile_id, `+columns+` FROM dashboard WHERE profile_id = $1 AND id = $2`, p, d)
	if err != nil || !ok {
		return dash, ok, err
	}
	dash.Tags, err = sqldb.All(ctx, s.db, func(r sqldb.Scanner) (t tag.Tag, err error) { return t, r.Scan(&t.Key, &t.Value) },
		`SELECT key, value FROM dashboard_tag WHERE profile_id = $1 AND dashboard_id = $2 ORDER BY pos`, p, d)
	return dash, true, err
}

// update writes what an edit may change.
func (s *Service) update(ctx context.Context, d Dashboard) error {
	arrangement, look, err := drawn(d)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `UPDATE dashboard SET label = $1, label_key = $2, type = $3, visible = $4, arrangement = $5, look = $6, updated_at = $7
		WHERE profile_id = $8 AND id = $9`,
		d.Label, strings.ToLower(d.Label), d.Type, d.Visible, arrangement, look, d.UpdatedAt, d.Profile, d.ID)
	return err
}

// remove deletes a dashboard; its tags and widgets cascade.
func (s *Service) remove(ctx context.Context, p id.Profile, d id.Dashboard) error {
	_, err := s.db.Exec(ctx, `DELETE FROM dashboard WHERE profile_id = $1 AND id = $2`, p, d)
	return err
}

// list reads a page of dashboards with their tags, and with arrangement and look when full.
func (s *Service) list(ctx context.Context, w *sqldb.Where, p id.Profile, order string, full bool, limit, skip int64) ([]Dashboard, error) {
	cols := lean
	if full {
		cols = columns
	}
	args := w.Args()
	n := len(args)
	ds, err := sqldb.All(ctx, s.db, scan, fmt.Sprintf(`SELECT profile_id, %s FROM dashboard%s ORDER BY %s, id LIMIT $%d OFFSET $%d`,
		cols, w.SQL(), order, n+1, n+2), append(args, limit, skip)...)
	if err != nil {
		return nil, err
	}
	return ds, s.loadTags(ctx, p, ds)
}

func (s *Service) loadTags(ctx context.Context, p id.Profile, ds []Dashboard) error {
	const most = 1000
	for part := range slices.Chunk(ds, most) {
		at := make(map[id.Dashboard]*Dashboard, len(part))
		args := make([]any, 0, len(part)+1)
		args = append(args, p)
		for i := range part {
			at[part[i].ID] = &part[i]
			args = append(args, part[i].ID)
		}
		type row struct {
			dashboard id.Dashboard
			tag       tag.Tag
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (t row, err error) { return t, r.Scan(&t.dashboard, &t.tag.Key, &t.tag.Value) },
			fmt.Sprintf(`SELECT dashboard_id, key, value FROM dashboard_tag WHERE profile_id = $1 AND dashboard_id IN (%s) ORDER BY dashboard_id, pos`,
				sqldb.Marks(2, len(part))), args...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			at[r.dashboard].Tags = append(at[r.dashboard].Tags, r.tag)
		}
	}
	return nil
}

// within is the condition that the dashboard in column is one that a caller may see, "" for all; see tag.Within.
func within(who auth.Caller, p id.Profile, column string) (cond string, args []any) {
	return tag.Within(who.Dashboards(), column, `SELECT t.dashboard_id FROM dashboard_tag t WHERE t.profile_id = ?`, p)
}

func (s *Service) tagKeys(ctx context.Context, who auth.Caller, p id.Profile) ([]string, error) {
	w := sqldb.NewWhere("profile_id = ?", p)
	if cond, args := within(who, p, "dashboard_id"); cond != "" {
		w.And(cond, args...)
	}
	keys, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT DISTINCT key FROM dashboard_tag`+w.SQL()+` ORDER BY key LIMIT 10000`, w.Args()...)
	slices.Sort(keys) // the engines collate differently
	return keys, err
}

// writeAccesses stores when dashboards were last asked for, for many profiles at once; an instant never moves
// back.
func (s *Service) writeAccesses(ctx context.Context, as []access) error {
	args := make([]any, 0, 3*len(as))
	for _, a := range as {
		args = append(args, a.profile, a.dashboard, a.at)
	}
	_, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE dashboard SET
			last_access = CASE WHEN v.column3 > dashboard.last_access THEN v.column3 ELSE dashboard.last_access END
		FROM (VALUES %s) AS v WHERE dashboard.profile_id = v.column1 AND dashboard.id = v.column2`,
		sqldb.RowsOf(1, len(as), "TEXT", "TEXT", "BIGINT")), args...)
	return err
}

// count counts the dashboards of a profile; it must agree with what usage holds.
func (s *Service) count(ctx context.Context, p id.Profile) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM dashboard WHERE profile_id = $1`, p).Scan(&n)
	return n, err
}

// deleteOf deletes at most n dashboards of a profile; tags and widgets cascade.
func (s *Service) deleteOf(ctx context.Context, p id.Profile, n int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM dashboard WHERE profile_id = $1 AND id IN (SELECT id FROM dashboard WHERE profile_id = $1 LIMIT $2)`, p, n)
}

func scanWidget(r sqldb.Scanner) (w Widget, err error) {
	var body string
	if err := r.Scan(&w.ID, &body, &w.CreatedAt, &w.UpdatedAt); err != nil {
		return w, err
	}
	if err := json.Unmarshal([]byte(body), &w.Members); err != nil {
		return w, fmt.Errorf("body of widget %s: %w", w.ID, err)
	}
	return w, nil
}

func (s *Service) findWidget(ctx context.Context, p id.Profile, d id.Dashboard, w id.Widget) (Widget, bool, error) {
	return sqldb.One(ctx, s.db, scanWidget, `SELECT id, body, created_at, updated_at FROM dashboard_widget
		WHERE profile_id = $1 AND dashboard_id = $2 AND id = $3`, p, d, w)
}

// widgets reads all widgets of a dashboard, oldest first.
func (s *Service) widgets(ctx context.Context, p id.Profile, d id.Dashboard) ([]Widget, error) {
	return sqldb.All(ctx, s.db, scanWidget, `SELECT id, body, created_at, updated_at FROM dashboard_widget
		WHERE profile_id = $1 AND dashboard_id = $2 ORDER BY created_at, id`, p, d)
}

// widgetSum counts the widgets of a dashboard and their bytes.
func (s *Service) widgetSum(ctx context.Context, p id.Profile, d id.Dashboard) (n, bytes int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM dashboard_widget
		WHERE profile_id = $1 AND dashboard_id = $2`, p, d).Scan(&n, &bytes)
	return n, bytes, err
}

func (s *Service) insertWidgets(ctx context.Context, p id.Profile, d id.Dashboard, ws []Widget) error {
	if len(ws) == 0 {
		return nil
	}
	args := make([]any, 0, 7*len(ws))
	for _, w := range ws {
		body, err := w.Members.encode()
		if err != nil {
			return err
		}
		args = append(args, p, d, w.ID, body, int64(len(body)), w.CreatedAt, w.UpdatedAt)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO dashboard_widget (profile_id, dashboard_id, id, body, bytes, created_at, updated_at) VALUES `+
		sqldb.Rows(1, len(ws), 7), args...)
	if err != nil {
		return fmt.Errorf("insert widgets: %w", err)
	}
	return nil
}

func (s *Service) updateWidget(ctx context.Context, p id.Profile, d id.Dashboard, w Widget) error {
	body, err := w.Members.encode()
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `UPDATE dashboard_widget SET body = $1, bytes = $2, updated_at = $3 WHERE profile_id = $4 AND dashboard_id = $5 AND id = $6`,
		body, int64(len(body)), w.UpdatedAt, p, d, w.ID)
	if err != nil {
		return fmt.Errorf("update a widget: %w", err)
	}
	return nil
}

func (s *Service) removeWidget(ctx context.Context, p id.Profile, d id.Dashboard, w id.Widget) error {
	_, err := s.db.Exec(ctx, `DELETE FROM dashboard_widget WHERE profile_id = $1 AND dashboard_id = $2 AND id = $3`, p, d, w)
	return err
}
