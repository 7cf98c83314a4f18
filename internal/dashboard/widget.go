package dashboard

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// Members are the members of a widget's JSON object, each as it was sent.
type Members map[string]jsontext.Value

// Widget is one widget. Times are UTC milliseconds.
type Widget struct {
	ID        id.Widget
	Members   Members
	CreatedAt int64
	UpdatedAt int64
}

// label is what a widget is called in the audit log.
func (w Widget) label() (s string) {
	json.Unmarshal(w.Members["label"], &s) // judged when it was stored
	return s
}

var errWidgetNotFound = fault.New(fault.NotFound, "Widget Not Found")

// ours are members that the server decides; clients send them back as they were read.
var ours = []string{"id", "dashboard", "profile", "created_at", "updated_at"}

// tidy is what is kept of what was sent: without our own members, without spaces, without an analysis that is
// null or "".
func (m Members) tidy() (Members, error) {
	out := make(Members, len(m))
	for name, v := range m {
		if slices.Contains(ours, name) || name == "analysis_run" && (v.Kind() == 'n' || string(v) == `""`) {
			continue
		}
		v = v.Clone()
		if err := v.Compact(); err != nil {
			return nil, fault.Field("body", "must be JSON").Because(err)
		}
		out[name] = v
	}
	return out, nil
}

// check judges the members that are there; a new widget needs some.
func (m Members) check(fresh bool) error {
	if m == nil {
		return fault.Field("body", "must be an object")
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := check.Line("body", name, 1, maxMemberName); err != nil {
			return fault.Field("body", "has a member whose name is empty, too long or not text")
		}
	}
	for _, name := range []string{"label", "type"} {
		if m[name] == nil && !fresh {
			continue
		}
		var s string
		if m[name] != nil {
			if m[name].Kind() != '"' {
				return fault.Field(name, "must be a string")
			}
			if err := json.Unmarshal(m[name], &s); err != nil {
				return fault.Field(name, "must be a string").Because(err)
			}
		}
		if err := check.Line(name, s, 1, maxLabel); err != nil {
			return err
		}
	}
	if m["display"] == nil && fresh {
		return fault.Field("display", "is required: an object")
	}
	if v := m["display"]; v != nil && v.Kind() != '{' {
		return fault.Field("display", "must be an object")
	}
	for _, name := range []string{"data", "resource"} {
		if v := m[name]; v != nil && v.Kind() != 'n' {
			if _, err := list(name, v, maxItems, true); err != nil {
				return err
			}
		}
	}
	if v := m["realtime"]; v != nil && v.Kind() != 't' && v.Kind() != 'f' && v.Kind() != 'n' {
		return fault.Field("realtime", "must be true, false or null")
	}
	if v := m["analysis_run"]; v != nil && v.Kind() != 'n' {
		var s string
		if v.Kind() == '"' {
			if err := json.Unmarshal(v, &s); err != nil {
				return fault.Field("analysis_run", "must be an id or null").Because(err)
			}
		}
		if !id.Valid(s) && string(v) != `""` {
			return fault.Field("analysis_run", "must be an id or null")
		}
	}
	return nil
}

// encode is a widget's members as they are stored. It returns Invalid for one that is too large.
func (m Members) encode() (string, error) {
	if len(m) > maxMembers {
		return "", fault.Field("body", "a widget has at most %d members, this one %d", maxMembers, len(m))
	}
	b, err := json.Marshal(map[string]jsontext.Value(m), json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("encode a widget: %w", err)
	}
	if len(b) > maxWidget {
		return "", fault.Field("body", "a widget has at most %d bytes, this one %d", maxWidget, len(b))
	}
	return string(b), nil
}

// CreateWidget makes a widget; the arrangement is left alone. It returns not_found for a dashboard that is not
// there and Invalid past the bounds of one.
func (s *Service) CreateWidget(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, m Members) (id.Widget, error) {
	if err := m.check(true); err != nil {
		return "", err
	}
	m, err := m.tidy()
	if err != nil {
		return "", err
	}
	now := s.now()
	w := Widget{ID: id.New[id.Widget](), Members: m, CreatedAt: now, UpdatedAt: now}
	err = s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dash, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		if err := s.insertWidgets(ctx, p, d, []Widget{w}); err != nil {
			return err
		}
		if err := s.room(ctx, p, d); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, widgetEvent(dash, w, "created", nil, w.Members))
	})
	return w.ID, err
}

// room refuses what has made a dashboard's widgets too many or too large; its transaction is undone.
func (s *Service) room(ctx context.Context, p id.Profile, d id.Dashboard) error {
	n, bytes, err := s.widgetSum(ctx, p, d)
	if err != nil {
		return err
	}
	if n > MaxWidgets {
		return fault.Field("widget", "a dashboard holds at most %d widgets", MaxWidgets)
	}
	if bytes > maxWidgets {
		return fault.Field("widget", "the widgets of a dashboard have together at most %d bytes, these %d", maxWidgets, bytes)
	}
	return nil
}

func widgetEvent(d Dashboard, w Widget, what string, before, after any) audit.Event {
	return audit.Event{Profile: d.Profile, Resource: "dashboard", ResourceID: string(d.ID),
		Message: fmt.Sprintf("Widget %q (%s) of dashboard %q %s", w.label(), w.ID, d.Label, what), Before: before, After: after}
}

// Widget returns a widget of a dashboard that the caller may see.
func (s *Service) Widget(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, w id.Widget) (Widget, error) {
	if !id.Valid(string(d)) || !id.Valid(string(w)) {
		return Widget{}, errWidgetNotFound
	}
	if who.Dashboards() != nil {
		if err := s.present(ctx, who, p, d); fault.Is(err, fault.NotFound) {
			return Widget{}, errWidgetNotFound
		} else if err != nil {
			return Widget{}, err
		}
	}
	found, ok, err := s.findWidget(ctx, p, d, w)
	if err == nil && !ok {
		err = errWidgetNotFound
	}
	return found, err
}

// UpdateWidget replaces each member that is named, whole; analysis_run, when it is not, is let go.
func (s *Service) UpdateWidget(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, wid id.Widget, m Members) error {
	if err := m.check(false); err != nil {
		return err
	}
	m, err := m.tidy()
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dash, w, err := s.lockedWidget(ctx, who, p, d, wid)
		if err != nil {
			return err
		}
		before := maps.Clone(w.Members)
		maps.Copy(w.Members, m)
		if m["analysis_run"] == nil {
			delete(w.Members, "analysis_run")
		}
		w.UpdatedAt = s.now()
		if err := s.updateWidget(ctx, p, d, w); err != nil {
			return err
		}
		if err := s.room(ctx, p, d); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, widgetEvent(dash, w, "edited", before, w.Members))
	})
}

// DeleteWidget removes a widget; its place in the arrangement stays.
func (s *Service) DeleteWidget(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, wid id.Widget) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dash, w, err := s.lockedWidget(ctx, who, p, d, wid)
		if err != nil {
			return err
		}
		if err := s.removeWidget(ctx, p, d, wid); err != nil {
			return fmt.Errorf("remove a widget: %w", err)
		}
		return s.audit.Write(ctx, who, widgetEvent(dash, w, "deleted", w.Members, nil))
	})
}

// lockedWidget reads a widget inside a transaction that is about to change it. Like what does not belong to
// the profile, a widget of another dashboard is not there.
func (s *Service) lockedWidget(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, wid id.Widget) (Dashboard, Widget, error) {
	dash, err := s.locked(ctx, who, p, d)
	if fault.Is(err, fault.NotFound) {
		err = errWidgetNotFound
	}
	if err != nil {
		return Dashboard{}, Widget{}, err
	}
	w, err := s.Widget(ctx, who, p, d, wid)
	return dash, w, err
}

// Devices lists the devices of the profile that the data and resources of a dashboard's widgets name and that the caller
// may see.
func (s *Service) Devices(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard) ([]device.Named, error) {
	if err := s.present(ctx, who, p, d); err != nil {
		return nil, err
	}
	ws, err := s.widgets(ctx, p, d)
	if err != nil {
		return nil, err
	}
	named := map[id.Device]bool{}
	for _, w := range ws {
		for _, member := range []string{"data", "resource"} {
			for s := range texts(w.Members[member]) {
				if id.Valid(s) {
					named[id.Device(s)] = true
				}
			}
		}
	}
	return s.devices.Names(ctx, who, p, slices.Sorted(maps.Keys(named)))
}

// texts yields every string in a JSON value, member names included.
func texts(v jsontext.Value) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for at := 0; at < len(v); at++ {
			if v[at] != '"' {
				continue
			}
			end := at + 1
			for end < len(v) && v[end] != '"' {
				if v[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(v) || !yield(string(v[at+1:end])) {
				return
			}
			at = end
		}
	}
}
