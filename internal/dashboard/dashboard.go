package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/tag"
)

// Type is what a dashboard is drawn for.
type Type string

const (
	Plain     Type = "dashboard" // the devices its widgets name
	Blueprint Type = "blueprint" // devices that are chosen when it is opened
)

// Bounds of a dashboard.
const (
	MaxWidgets     = 100
	maxWidget      = 64_000    // bytes of a widget
	maxWidgets     = 1_000_000 // bytes of all widgets of a dashboard
	maxLook        = 64_000    // bytes of all that is only drawn
	maxMembers     = 50        // of a widget
	maxLabel       = 100       // characters
	maxPlaces      = 200       // rows of an arrangement; those of deleted widgets stay until somebody tidies
	maxCoordinate  = 100_000
	maxItems       = 100 // of a list of the look or of a widget
	maxBlueprints  = 50
	maxMemberName  = 100
	maxCopiedLabel = maxLabel - len("Copy of ")
)

// Place is where a widget stands, in units of the grid.
type Place struct {
	Widget id.Widget       `json:"widget_id"`
	X      *float64        `json:"x"`
	Y      *float64        `json:"y"`
	Width  *float64        `json:"width"`
	Height *float64        `json:"height"`
	Tab    web.Opt[string] `json:"tab,omitzero"`
}

// Look is what only those who draw need to understand. Null clears a member.
type Look struct {
	Tabs             web.Opt[jsontext.Value] `json:"tabs" description:"a list of objects"`
	GroupBy          web.Opt[jsontext.Value] `json:"group_by" description:"a list"`
	Icon             web.Opt[jsontext.Value] `json:"icon" description:"an object: url, color"`
	Background       web.Opt[jsontext.Value] `json:"background"`
	Setup            web.Opt[jsontext.Value] `json:"setup"`
	Theme            web.Opt[jsontext.Value] `json:"theme"`
	BlueprintDevices web.Opt[jsontext.Value] `json:"blueprint_devices" description:"a list of objects: id, name, label, conditions, filter_conditions"`
	DeviceBehavior   web.Opt[string]         `json:"blueprint_device_behavior" enum:"more_than_one,always"`
	SelectorBehavior web.Opt[string]         `json:"blueprint_selector_behavior" enum:"open,closed,always_open,always_closed"`
}

// Dashboard is one dashboard. Times are UTC milliseconds, 0 for none.
type Dashboard struct {
	Profile     id.Profile
	ID          id.Dashboard
	Label       string
	Type        Type
	Visible     bool
	Arrangement []Place
	Look        map[string]jsontext.Value // members that are set
	Tags        []tag.Tag
	LastAccess  int64
	CreatedAt   int64
	UpdatedAt   int64
}

// CreateInput makes a dashboard. Only a label is required.
type CreateInput struct {
	Label       string    `json:"label" required:"true"`
	Type        Type      `json:"type" enum:"dashboard,blueprint"`
	Arrangement []Place   `json:"arrangement"`
	Tags        []tag.Tag `json:"tags"`
	Visible     *bool     `json:"visible"`
	Look
}

// Validate checks the shape of the input.
func (in CreateInput) Validate() error {
	if err := check.Line("label", in.Label, 1, maxLabel); err != nil {
		return err
	}
	if in.Type != "" {
		if err := in.Type.check(); err != nil {
			return err
		}
	}
	if err := places(in.Arrangement); err != nil {
		return err
	}
	if err := tag.Check("dashboard", in.Tags); err != nil {
		return err
	}
	return in.Look.check()
}

// Update is a change of a dashboard; what is absent stays as it is.
type Update struct {
	Label       *string            `json:"label"`
	Type        *Type              `json:"type" enum:"dashboard,blueprint"`
	Arrangement web.Opt[[]Place]   `json:"arrangement"`
	Tags        web.Opt[[]tag.Tag] `json:"tags"`
	Visible     *bool              `json:"visible"`
	Look
}

// Validate checks the shape of the change.
func (u Update) Validate() error {
	if u.Label != nil {
		if err := check.Line("label", *u.Label, 1, maxLabel); err != nil {
			return err
		}
	}
	if u.Type != nil {
		if err := u.Type.check(); err != nil {
			return err
		}
	}
	if err := places(u.Arrangement.Value); err != nil {
		return err
	}
	if err := tag.Check("dashboard", u.Tags.Value); err != nil {
		return err
	}
	return u.Look.check()
}

// apply changes d. It returns Invalid when all that is drawn becomes too large.
func (u Update) apply(d *Dashboard) error {
	if u.Label != nil {
		d.Label = *u.Label
	}
	if u.Type != nil {
		d.Type = *u.Type
	}
	if u.Visible != nil {
		d.Visible = *u.Visible
	}
	if u.Arrangement.Set {
		d.Arrangement = u.Arrangement.Value
	}
	if u.Tags.Set {
		d.Tags = u.Tags.Value
	}
	return u.Look.over(d.Look)
}

func (t Type) check() error {
	if t != Plain && t != Blueprint {
		return fault.Field("type", "must be dashboard or blueprint")
	}
	return nil
}

// places judges an arrangement. Whether a widget is there is not asked: an editor may save either first.
func places(ps []Place) error {
	if len(ps) > maxPlaces {
		return fault.Field("arrangement", "holds at most %d places, got %d", maxPlaces, len(ps))
	}
	for i, p := range ps {
		at := fmt.Sprintf("arrangement[%d].", i)
		if !id.Valid(string(p.Widget)) {
			return fault.Field(at+"widget_id", "must be the id of a widget")
		}
		for _, n := range []struct {
			name  string
			v     *float64
			least float64
		}{{"x", p.X, 0}, {"y", p.Y, 0}, {"width", p.Width, math.SmallestNonzeroFloat64}, {"height", p.Height, math.SmallestNonzeroFloat64}} {
			switch {
			case n.v == nil:
				return fault.Field(at+n.name, "is required")
			case *n.v < n.least && n.least > 0:
				return fault.Field(at+n.name, "must be above 0")
			case *n.v < n.least:
				return fault.Field(at+n.name, "must not be negative")
			case *n.v > maxCoordinate:
				return fault.Field(at+n.name, "must be at most %d", maxCoordinate)
			}
		}
		if err := check.Line(at+"tab", p.Tab.Value, 0, maxLabel); err != nil {
			return err
		}
	}
	return nil
}

// members are those that were sent; a nil value clears one.
func (l Look) members() map[string]jsontext.Value {
	out := map[string]jsontext.Value{}
	for name, v := range map[string]web.Opt[jsontext.Value]{"tabs": l.Tabs, "group_by": l.GroupBy, "icon": l.Icon, "background": l.Background,
		"setup": l.Setup, "theme": l.Theme, "blueprint_devices": l.BlueprintDevices} {
		if v.Set {
			out[name] = v.Value.Clone() // it is compacted in place
		}
	}
	for name, v := range map[string]web.Opt[string]{"blueprint_device_behavior": l.DeviceBehavior, "blueprint_selector_behavior": l.SelectorBehavior} {
		switch {
		case v.Or("") != "":
			out[name] = jsontext.Value(`"` + v.Value + `"`) // one of a few words: check
		case v.Set:
			out[name] = nil
		}
	}
	return out
}

func (l Look) check() error {
	for _, m := range []struct {
		name    string
		v       web.Opt[jsontext.Value]
		most    int
		objects bool
	}{{"tabs", l.Tabs, maxItems, true}, {"group_by", l.GroupBy, maxItems, false}, {"blueprint_devices", l.BlueprintDevices, maxBlueprints, true}} {
		if v, ok := m.v.Get(); ok {
			if _, err := list(m.name, v, m.most, m.objects); err != nil {
				return err
			}
		}
	}
	if v, ok := l.Icon.Get(); ok && v.Kind() != '{' {
		return fault.Field("icon", "must be an object")
	}
	if v := l.DeviceBehavior.Or(""); v != "" && v != "more_than_one" && v != "always" {
		return fault.Field("blueprint_device_behavior", "must be more_than_one or always")
	}
	if v := l.SelectorBehavior.Or(""); v != "" && !slices.Contains([]string{"open", "closed", "always_open", "always_closed"}, v) {
		return fault.Field("blueprint_selector_behavior", "must be open, closed, always_open or always_closed")
	}
	return l.over(map[string]jsontext.Value{})
}

// over lays the members that were sent over those of a dashboard.
func (l Look) over(to map[string]jsontext.Value) error {
	for name, v := range l.members() {
		if v == nil {
			delete(to, name)
			continue
		}
		if err := v.Compact(); err != nil {
			return fmt.Errorf("compact %s: %w", name, err)
		}
		to[name] = v
	}
	size, largest := 0, ""
	for name, v := range to {
		size += len(v)
		if largest == "" || len(v) > len(to[largest]) {
			largest = name
		}
	}
	if size > maxLook {
		return fault.Field(largest, "makes the dashboard too large: what is drawn besides widgets has at most %d bytes, this is %d", maxLook, size)
	}
	return nil
}

// list reads a list and judges its items.
func list(field string, v jsontext.Value, most int, objects bool) ([]jsontext.Value, error) {
	if v.Kind() != '[' {
		return nil, fault.Field(field, "must be a list")
	}
	var items []jsontext.Value
	if err := json.Unmarshal(v, &items); err != nil {
		return nil, fault.Field(field, "must be a list").Because(err)
	}
	if len(items) > most {
		return nil, fault.Field(field, "holds at most %d items, got %d", most, len(items))
	}
	for i, item := range items {
		if objects && item.Kind() != '{' {
			return nil, fault.Field(fmt.Sprintf("%s[%d]", field, i), "must be an object")
		}
	}
	return items, nil
}

// copyLabel is the label of a duplicate that was given none.
func copyLabel(label string) string {
	if r := []rune(label); len(r) > maxCopiedLabel {
		label = strings.TrimSpace(string(r[:maxCopiedLabel]))
	}
	return "Copy of " + label
}
