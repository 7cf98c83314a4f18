package dashboard

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/tag"
)

// Record is a dashboard as a profile's archive keeps it (docs/archive.md), without its widgets.
type Record struct {
	ID          id.Dashboard              `json:"id"`
	Label       string                    `json:"label"`
	Type        Type                      `json:"type"`
	Visible     bool                      `json:"visible"`
	Arrangement []Place                   `json:"arrangement"`
	Look        map[string]jsontext.Value `json:"look"` // members that are only drawn, as the API names them
	Tags        []tag.Tag                 `json:"tags"`
	LastAccess  *web.Time                 `json:"last_access,omitzero"`
	CreatedAt   web.Time                  `json:"created_at"`
	UpdatedAt   web.Time                  `json:"updated_at"`
}

// WidgetRecord is a widget as a profile's archive keeps it.
type WidgetRecord struct {
	Dashboard id.Dashboard `json:"dashboard"`
	ID        id.Widget    `json:"id"`
	Body      Members      `json:"body"`
	CreatedAt web.Time     `json:"created_at"`
	UpdatedAt web.Time     `json:"updated_at"`
}

// Check returns Invalid for a record that could not be a dashboard here.
func (r Record) Check() error {
	if !id.Valid(string(r.ID)) {
		return fault.Field("id", "must be an id: 24 lower-case hex characters")
	}
	in := CreateInput{Label: r.Label, Type: r.Type, Arrangement: r.Arrangement, Tags: r.Tags}
	look, err := json.Marshal(r.Look)
	if err == nil {
		err = json.Unmarshal(look, &in.Look, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return fault.Field("look", "is not how a dashboard is drawn here").Because(err)
	}
	if r.Type == "" {
		return fault.Field("type", "must be dashboard or blueprint")
	}
	return in.Validate()
}

// Check returns Invalid for a record that could not be a widget here; bytes is what counts against MaxWidgetBytes.
func (r WidgetRecord) Check() (bytes int64, err error) {
	if !id.Valid(string(r.Dashboard)) || !id.Valid(string(r.ID)) {
		return 0, fault.Field("id", "must be an id: 24 lower-case hex characters")
	}
	if err := r.Body.check(true); err != nil {
		return 0, err
	}
	body, err := r.Body.encode()
	return int64(len(body)), err
}

// MaxWidgetBytes is how many bytes the widgets of a dashboard have together.
const MaxWidgetBytes = maxWidgets

// Export yields every dashboard of a profile by id; yield's error ends it.
func (s *Service) Export(ctx context.Context, p id.Profile, yield func(Record) error) error {
	const page = 20
	var after id.Dashboard
	for {
		ds, err := s.list(ctx, sqldb.NewWhere("profile_id = ?", p).And("id > ?", after), p, "profile_id", true, page, 0)
		if err != nil {
			return fmt.Errorf("read dashboards: %w", err)
		}
		for _, d := range ds {
			after = d.ID
			r := Record{ID: d.ID, Label: d.Label, Type: d.Type, Visible: d.Visible, Arrangement: d.Arrangement, Look: d.Look, Tags: d.Tags,
				CreatedAt: web.Millis(d.CreatedAt), UpdatedAt: web.Millis(d.UpdatedAt)}
			if d.LastAccess != 0 {
				at := web.Millis(d.LastAccess)
				r.LastAccess = &at
			}
			if err := yield(r); err != nil {
				return err
			}
		}
		if len(ds) < page {
			return nil
		}
	}
}

// ExportWidgets yields every widget of a profile by dashboard and age; yield's error ends it.
func (s *Service) ExportWidgets(ctx context.Context, p id.Profile, yield func(WidgetRecord) error) error {
	var after id.Dashboard
	for {
		d, ok, err := sqldb.One(ctx, s.db, sqldb.Value[id.Dashboard], `SELECT id FROM dashboard WHERE profile_id = $1 AND id > $2 ORDER BY id LIMIT 1`, p, after)
		if err != nil || !ok {
			return err
		}
		after = d
		ws, err := s.widgets(ctx, p, d)
		if err != nil {
			return fmt.Errorf("read widgets: %w", err)
		}
		for _, w := range ws {
			if err := yield(WidgetRecord{Dashboard: d, ID: w.ID, Body: w.Members, CreatedAt: web.Millis(w.CreatedAt), UpdatedAt: web.Millis(w.UpdatedAt)}); err != nil {
				return err
			}
		}
	}
}

// Import stores dashboards in a profile in the making, in the transaction of ctx; whoever publishes the profile counts
// them. The records have passed Check.
func (s *Service) Import(ctx context.Context, p id.Profile, rs []Record) error {
	for _, r := range rs {
		d := Dashboard{Profile: p, ID: r.ID, Label: r.Label, Type: r.Type, Visible: r.Visible, Arrangement: r.Arrangement, Look: maps.Clone(r.Look), Tags: r.Tags,
			CreatedAt: r.CreatedAt.Time().UnixMilli(), UpdatedAt: r.UpdatedAt.Time().UnixMilli()}
		if r.LastAccess != nil {
			d.LastAccess = r.LastAccess.Time().UnixMilli()
		}
		for name, v := range d.Look {
			v = slices.Clone(v)
			if err := v.Compact(); err != nil {
				return fmt.Errorf("compact %s: %w", name, err)
			}
			d.Look[name] = v
		}
		if err := s.insert(ctx, d); err != nil {
			return fmt.Errorf("insert a dashboard: %w", err)
		}
	}
	return nil
}

// ImportWidgets stores widgets of dashboards that Import has stored.
func (s *Service) ImportWidgets(ctx context.Context, p id.Profile, rs []WidgetRecord) error {
	for _, r := range rs {
		body, err := r.Body.tidy()
		if err != nil {
			return err
		}
		if err := s.insertWidgets(ctx, p, r.Dashboard, []Widget{{ID: r.ID, Members: body, CreatedAt: r.CreatedAt.Time().UnixMilli(), UpdatedAt: r.UpdatedAt.Time().UnixMilli()}}); err != nil {
			return err
		}
	}
	return nil
}
