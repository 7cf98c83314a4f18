package dashboard

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/tag"
	"paddock/internal/token"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /dashboard", "List the dashboards of the profile.", auth.InProfile, s.listRoute),
		web.Handle("POST /dashboard", "Create a dashboard.", auth.InProfile, s.createRoute, web.Status(201)),
		web.Handle("GET /dashboard/{id}", "Show a dashboard.", auth.InProfile, s.getRoute),
		web.Handle("PUT /dashboard/{id}", "Edit a dashboard; what is absent stays as it is.", auth.InProfile, s.updateRoute),
		web.Handle("DELETE /dashboard/{id}", "Delete a dashboard with its widgets.", auth.InProfile, s.deleteRoute),
		web.Handle("POST /dashboard/{id}/duplicate", "Make a dashboard like another, with widgets of its own.", auth.InProfile, s.duplicateRoute, web.Status(201)),
		web.Handle("GET /dashboard/{id}/devices", "List the devices that a dashboard's widgets name.", auth.InProfile, s.devicesRoute),
		web.Handle("GET /dashboard/{id}/analysis", "List the analyses that a dashboard's widgets run.", auth.InProfile, s.analysesRoute),
		web.Handle("POST /dashboard/{id}/widget", "Create a widget: an object with label, type, display and what its type needs (data, resource, realtime, analysis_run). The arrangement is left alone.",
			auth.InProfile, s.createWidgetRoute, web.Status(201)),
		web.Handle("GET /dashboard/{id}/widget/{widget}", "Show a widget.", auth.InProfile, s.widgetRoute),
		web.Handle("PUT /dashboard/{id}/widget/{widget}", "Edit a widget: each member given is replaced whole; without analysis_run the analysis is detached.", auth.InProfile, s.updateWidgetRoute),
		web.Handle("DELETE /dashboard/{id}/widget/{widget}", "Delete a widget. The arrangement is left alone.", auth.InProfile, s.deleteWidgetRoute),
		web.Handle("GET /tags/keys/{type}", "List the keys of the tags of devices or dashboards.", auth.InProfile, s.tagKeysRoute),
	}
}

// Info is a dashboard on the wire.
type Info struct {
	ID               id.Dashboard   `json:"id"`
	Profile          id.Profile     `json:"profile"`
	Label            string         `json:"label"`
	Type             Type           `json:"type"`
	Visible          bool           `json:"visible"`
	Arrangement      []Place        `json:"arrangement"`
	Tags             []tag.Tag      `json:"tags"`
	Tabs             jsontext.Value `json:"tabs"`
	GroupBy          jsontext.Value `json:"group_by"`
	Icon             jsontext.Value `json:"icon"`
	Background       jsontext.Value `json:"background"`
	Setup            jsontext.Value `json:"setup"`
	Theme            jsontext.Value `json:"theme"`
	BlueprintDevices jsontext.Value `json:"blueprint_devices"`
	DeviceBehavior   jsontext.Value `json:"blueprint_device_behavior"`
	SelectorBehavior jsontext.Value `json:"blueprint_selector_behavior"`
	CreatedAt        web.Time       `json:"created_at"`
	UpdatedAt        web.Time       `json:"updated_at"`
	LastAccess       *web.Time      `json:"last_access"`
}

var (
	null  = jsontext.Value("null")
	empty = jsontext.Value("[]")
)

func infoOf(d Dashboard) Info {
	member := func(name string, absent jsontext.Value) jsontext.Value {
		if v := d.Look[name]; v != nil {
			return v
		}
		return absent
	}
	return Info{
		ID: d.ID, Profile: d.Profile, Label: d.Label, Type: d.Type, Visible: d.Visible, Arrangement: d.Arrangement, Tags: d.Tags,
		Tabs: member("tabs", empty), GroupBy: member("group_by", empty), Icon: member("icon", null), Background: member("background", null),
		Setup: member("setup", null), Theme: member("theme", null), BlueprintDevices: member("blueprint_devices", empty),
		DeviceBehavior: member("blueprint_device_behavior", null), SelectorBehavior: member("blueprint_selector_behavior", null),
		CreatedAt: web.Millis(d.CreatedAt), UpdatedAt: web.Millis(d.UpdatedAt), LastAccess: token.Maybe(d.LastAccess),
	}
}

// heavy are the members that can be large: a list has them only when asked for by name, and then fewer rows.
var heavy = []string{"arrangement", "tabs", "group_by", "icon", "background", "setup", "theme", "blueprint_devices", "blueprint_device_behavior", "blueprint_selector_behavior"}

const maxHeavy = 200 // rows

// orders are what a list can be ordered by; older clients call the label a name.
var orders = map[string]string{"label": "label_key", "name": "label_key", "id": "id", "type": "type", "visible": "visible",
	"created_at": "created_at", "updated_at": "updated_at", "last_access": "last_access"}

type listIn struct {
	List web.List
}

func (s *Service) listRoute(ctx context.Context, who auth.Caller, in listIn) ([]map[string]any, error) {
	l := in.List
	order, err := l.Order(orders, "label_key ASC")
	if err != nil {
		return nil, err
	}
	w, err := s.where(who, l.Filter)
	if err != nil {
		return nil, err
	}
	full := slices.ContainsFunc(heavy, func(name string) bool { return slices.Contains(l.Fields, name) })
	if full {
		l.Cap(maxHeavy)
	}
	ds, err := s.list(ctx, w, who.ProfileID, order, full, l.Limit(), l.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(ds))
	for i := range ds {
		s.seen.over(&ds[i])
		m := web.Pick(l.Fields, []string{"id", "label", "tags"}, infoOf(ds[i]))
		if !full {
			maps.DeleteFunc(m, func(name string, _ any) bool { return slices.Contains(heavy, name) })
		}
		out = append(out, m)
	}
	return out, nil
}

const maxFilter = 200 // bytes of a filter's value

// where builds the conditions of a list. An unknown filter is refused: a script that deletes what a list
// answers must not be given more than it asked for.
func (s *Service) where(who auth.Caller, q web.Query) (*sqldb.Where, error) {
	p := who.ProfileID
	w := sqldb.NewWhere("profile_id = ?", p)
	if cond, args := within(who, p, "id"); cond != "" {
		w.And(cond, args...)
	}
	for _, key := range q.Keys() {
		path := q.Child(key).Path()
		switch key {
		case "tags":
			if err := tag.Filter(w, q, "SELECT 1 FROM dashboard_tag t WHERE t.profile_id = ? AND t.dashboard_id = dashboard.id", p); err != nil {
				return nil, err
			}
			continue
		case "id":
			ids := q.Strings(key)
			if ids == nil {
				return nil, fault.Field(path, "must be an id or a list of ids")
			}
			sqldb.In(w, "id", ids)
			continue
		case "visible":
			b, err := q.Bool(key)
			if err != nil {
				return nil, err
			}
			if b != nil {
				w.And("visible = ?", *b)
			}
			continue
		}
		v, err := q.Text(key)
		if err != nil {
			return nil, err
		}
		if len(v) > maxFilter {
			return nil, fault.Field(path, "must have at most %d bytes", maxFilter)
		}
		switch key {
		case "label", "name":
			if v != "" {
				w.And(`label_key LIKE ? ESCAPE '\'`, web.Like(strings.ToLower(v)))
			}
		case "type":
			w.And(`type LIKE ? ESCAPE '\'`, web.Like(strings.ToLower(v)))
		case "created_at", "updated_at", "last_access":
			if err := token.Since(w, key, path, v, s.clk.Now()); err != nil {
				return nil, err
			}
		default:
			return nil, fault.Field(path, "is not a known filter; known are id, label, name, type, visible, tags, created_at, updated_at, last_access")
		}
	}
	return w, nil
}

type createOut struct {
	Dashboard id.Dashboard `json:"dashboard"`
}

func (s *Service) createRoute(ctx context.Context, who auth.Caller, in CreateInput) (createOut, error) {
	d, err := s.Create(ctx, who, who.ProfileID, in)
	return createOut{d}, err
}

// Ref is a dashboard named in the path.
type Ref struct {
	ID id.Dashboard `path:"id"`
}

func (s *Service) getRoute(ctx context.Context, who auth.Caller, in Ref) (Info, error) {
	d, err := s.Get(ctx, who, who.ProfileID, in.ID)
	if err != nil {
		return Info{}, err
	}
	s.seen.note(access{owner{who.ProfileID, in.ID}, s.now()})
	return infoOf(d), nil
}

func (s *Service) updateRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Update
}) (string, error) {
	if err := s.Update(ctx, who, who.ProfileID, in.ID, in.Update); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) deleteRoute(ctx context.Context, who auth.Caller, in Ref) (string, error) {
	if err := s.Delete(ctx, who, who.ProfileID, in.ID); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

type duplicateOut struct {
	Dashboard id.Dashboard `json:"dashboard_id"`
	Message   string       `json:"message"`
}

func (s *Service) duplicateRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	DuplicateInput
}) (duplicateOut, error) {
	d, err := s.Duplicate(ctx, who, who.ProfileID, in.ID, in.DuplicateInput)
	return duplicateOut{d, "Dashboard Successfully Duplicated"}, err
}

// related is a device with its bucket, which is the device by its older name.
type related struct {
	device.Named
	Bucket id.Device `json:"bucket"`
}

func (s *Service) devicesRoute(ctx context.Context, who auth.Caller, in Ref) ([]related, error) {
	ds, err := s.Devices(ctx, who, who.ProfileID, in.ID)
	if err != nil {
		return nil, err
	}
	out := make([]related, len(ds))
	for i, d := range ds {
		out[i] = related{d, d.ID}
	}
	return out, nil
}

// analysisRef is an analysis by its name.
type analysisRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// analysesRoute lists analyses that exist in the profile; it has none.
func (s *Service) analysesRoute(ctx context.Context, who auth.Caller, in Ref) ([]analysisRef, error) {
	return []analysisRef{}, s.present(ctx, who, who.ProfileID, in.ID)
}

type widgetOut struct {
	Widget id.Widget `json:"widget"`
}

func (s *Service) createWidgetRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Members Members `body:"json"`
}) (widgetOut, error) {
	w, err := s.CreateWidget(ctx, who, who.ProfileID, in.ID, in.Members)
	return widgetOut{w}, err
}

// WidgetRef is a widget named in the path.
type WidgetRef struct {
	Ref
	Widget id.Widget `path:"widget"`
}

func (s *Service) widgetRoute(ctx context.Context, who auth.Caller, in WidgetRef) (map[string]any, error) {
	w, err := s.Widget(ctx, who, who.ProfileID, in.ID, in.Widget)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"realtime": nil, "analysis_run": nil}
	for name, v := range w.Members {
		out[name] = v
	}
	out["id"], out["dashboard"], out["profile"] = w.ID, in.ID, who.ProfileID
	out["created_at"], out["updated_at"] = web.Millis(w.CreatedAt), web.Millis(w.UpdatedAt)
	return out, nil
}

func (s *Service) updateWidgetRoute(ctx context.Context, who auth.Caller, in struct {
	WidgetRef
	Members Members `body:"json"`
}) (string, error) {
	if err := s.UpdateWidget(ctx, who, who.ProfileID, in.ID, in.Widget, in.Members); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) deleteWidgetRoute(ctx context.Context, who auth.Caller, in WidgetRef) (string, error) {
	if err := s.DeleteWidget(ctx, who, who.ProfileID, in.ID, in.Widget); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

func (s *Service) tagKeysRoute(ctx context.Context, who auth.Caller, in struct {
	Type string `path:"type"`
}) ([]string, error) {
	return s.TagKeys(ctx, who, who.ProfileID, in.Type)
}
