package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/usage"
)

const (
	flushEvery = 10 * time.Second
	flushRows  = 500
	purgeRows  = 5 // dashboards, each with up to 100 widgets
)

// Service knows the dashboards. It is safe for concurrent use.
type Service struct {
	db      *sqldb.DB
	usage   *usage.Service
	devices *device.Service
	audit   *audit.Log
	clk     clock.Clock

	seen seen
}

// New makes the room and tells usage how many dashboards a profile has.
func New(db *sqldb.DB, use *usage.Service, devices *device.Service, log *audit.Log, clk clock.Clock) *Service {
	s := &Service{db: db, usage: use, devices: devices, audit: log, clk: clk, seen: seen{m: map[owner]int64{}}}
	use.Count(plan.Dashboards, s.count)
	return s
}

// Jobs names the periodic work of this room: writing when dashboards were last asked for. Call Flush once more
// when the server stops.
func (s *Service) Jobs(r *job.Runner) { r.EachNode("dashboard last access", flushEvery, s.Flush) }

func (s *Service) now() int64 { return clock.Millis(s.clk.Now()) }

var errNotFound = fault.New(fault.NotFound, "Dashboard Not Found")

// Create makes a dashboard. It returns limit_reached at the cap of the profile's plan, and forbidden to a caller who would
// not see it.
func (s *Service) Create(ctx context.Context, who auth.Caller, p id.Profile, in CreateInput) (id.Dashboard, error) {
	if err := in.Validate(); err != nil {
		return "", err
	}
	if err := tag.Made(who.Dashboards(), "dashboard", in.Tags); err != nil {
		return "", err
	}
	now := s.now()
	d := Dashboard{Profile: p, ID: id.New[id.Dashboard](), Label: in.Label, Type: cmp.Or(in.Type, Plain), Visible: in.Visible == nil || *in.Visible,
		Arrangement: in.Arrangement, Look: map[string]jsontext.Value{}, Tags: in.Tags, CreatedAt: now, UpdatedAt: now}
	if err := in.Look.over(d.Look); err != nil {
		return "", err
	}
	err := s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if err := s.usage.Hold(ctx, p, plan.Dashboards, 1); err != nil {
			return err
		}
		if err := s.insert(ctx, d); err != nil {
			return fmt.Errorf("insert a dashboard: %w", err)
		}
		return s.audit.Write(ctx, who, event(d, fmt.Sprintf("Dashboard %q created", d.Label), nil, record(d)))
	})
	return d.ID, err
}

func event(d Dashboard, message string, before, after any) audit.Event {
	return audit.Event{Profile: d.Profile, Resource: "dashboard", ResourceID: string(d.ID), Message: message, Before: before, After: after}
}

// record is what the audit log keeps of a dashboard.
func record(d Dashboard) map[string]any {
	return map[string]any{"label": d.Label, "type": d.Type, "visible": d.Visible, "tags": d.Tags, "arrangement": d.Arrangement, "look": maps.Clone(d.Look)}
}

// Get returns a dashboard of a profile. One that the caller may not see is not there, here as everywhere in this room.
func (s *Service) Get(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard) (Dashboard, error) {
	if !id.Valid(string(d)) {
		return Dashboard{}, errNotFound
	}
	dash, ok, err := s.find(ctx, p, d)
	if err == nil && (!ok || !tag.In(who.Dashboards(), string(d), dash.Tags)) {
		return Dashboard{}, errNotFound
	}
	s.seen.over(&dash)
	return dash, err
}

// present returns not_found for a dashboard that is not there.
func (s *Service) present(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard) error {
	_, err := s.Get(ctx, who, p, d)
	return err
}

// locked reads a dashboard inside a transaction that is about to change it or its widgets, and stamps
// updated_at; others who would change it wait until the transaction ends.
func (s *Service) locked(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard) (Dashboard, error) {
	if who.Dashboards() != nil { // before the lock: nobody waits for what is not theirs
		if err := s.present(ctx, who, p, d); err != nil {
			return Dashboard{}, err
		}
	}
	if !id.Valid(string(d)) {
		return Dashboard{}, errNotFound
	}
	ok, err := s.lock(ctx, p, d, s.now())
	if err != nil {
		return Dashboard{}, err
	}
	if !ok {
		return Dashboard{}, errNotFound
	}
	dash, _, err := s.find(ctx, p, d)
	if err == nil && !tag.In(who.Dashboards(), string(d), dash.Tags) { // it left the caller's part meanwhile
		return Dashboard{}, errNotFound
	}
	return dash, err
}

// Update changes a dashboard. It returns forbidden to a caller who would not see it any more.
func (s *Service) Update(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, u Update) error {
	if err := u.Validate(); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dash, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		old, before := dash.Tags, record(dash)
		if err := u.apply(&dash); err != nil {
			return err
		}
		if err := tag.Changed(who.Dashboards(), "dashboard", string(d), old, dash.Tags); err != nil {
			return err
		}
		if err := s.update(ctx, dash); err != nil {
			return fmt.Errorf("update a dashboard: %w", err)
		}
		if u.Tags.Set {
			if err := s.replaceTags(ctx, dash); err != nil {
				return fmt.Errorf("replace tags: %w", err)
			}
		}
		return s.audit.Write(ctx, who, event(dash, fmt.Sprintf("Dashboard %q edited", dash.Label), before, record(dash)))
	})
}

// Delete removes a dashboard with its widgets and gives the cap back. It returns forbidden, with the tag's own
// words, for one that a tag protects.
func (s *Service) Delete(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dash, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		if err := tag.Protected("dashboard", dash.Tags); err != nil {
			return err
		}
		if err := s.remove(ctx, p, d); err != nil {
			return fmt.Errorf("remove a dashboard: %w", err)
		}
		if err := s.usage.Unhold(ctx, p, plan.Dashboards, 1); err != nil {
			return err
		}
		sqldb.AfterCommit(ctx, func() { s.seen.drop(owner{p, d}) })
		return s.audit.Write(ctx, who, event(dash, fmt.Sprintf("Dashboard %q deleted", dash.Label), record(dash), nil))
	})
}

// DuplicateInput changes a duplicate while it is made.
type DuplicateInput struct {
	Label *string                 `json:"new_label" description:"Copy of … when not given"`
	Setup web.Opt[jsontext.Value] `json:"setup" description:"replaces the setup of the original"`
}

// Validate checks the shape of the input.
func (in DuplicateInput) Validate() error {
	if in.Label != nil {
		if err := check.Line("new_label", *in.Label, 1, maxLabel); err != nil {
			return err
		}
	}
	return Look{Setup: in.Setup}.check()
}

// Duplicate makes a dashboard like another, with widgets of its own. It returns limit_reached at the cap, and
// forbidden to a caller who would not see the duplicate.
func (s *Service) Duplicate(ctx context.Context, who auth.Caller, p id.Profile, d id.Dashboard, in DuplicateInput) (id.Dashboard, error) {
	if err := in.Validate(); err != nil {
		return "", err
	}
	to := id.New[id.Dashboard]()
	err := s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if err := s.present(ctx, who, p, d); err != nil {
			return err
		}
		if err := s.still(ctx, p, d); err != nil {
			return err
		}
		dash, err := s.Get(ctx, who, p, d)
		if err != nil {
			return err
		}
		if err := tag.Made(who.Dashboards(), "dashboard", dash.Tags); err != nil {
			return err
		}
		ws, err := s.widgets(ctx, p, d)
		if err != nil {
			return err
		}
		if err := s.usage.Hold(ctx, p, plan.Dashboards, 1); err != nil {
			return err
		}
		from := dash.Label
		if err := dash.renew(to, ws, s.now()); err != nil {
			return err
		}
		dash.Label = copyLabel(from)
		if in.Label != nil {
			dash.Label = *in.Label
		}
		if err := (Look{Setup: in.Setup}).over(dash.Look); err != nil {
			return err
		}
		if err := s.insert(ctx, dash); err != nil {
			return fmt.Errorf("insert a dashboard: %w", err)
		}
		if err := s.insertWidgets(ctx, p, to, ws); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(dash, fmt.Sprintf("Dashboard %q made as a duplicate of %q (%s)", dash.Label, from, d), nil, record(dash)))
	})
	return to, err
}

// renew turns d and its widgets into a copy with ids of its own. Ids are 24 random characters, so that a string
// equal to one names that thing wherever it stands.
func (d *Dashboard) renew(to id.Dashboard, ws []Widget, now int64) error {
	fresh := make(map[id.Widget]id.Widget, len(ws))
	pairs := []string{`"` + string(d.ID) + `"`, `"` + string(to) + `"`}
	for _, w := range ws {
		fresh[w.ID] = id.New[id.Widget]()
		pairs = append(pairs, `"`+string(w.ID)+`"`, `"`+string(fresh[w.ID])+`"`)
	}
	r := strings.NewReplacer(pairs...)
	rewrite := func(members map[string]jsontext.Value) {
		for name, v := range members {
			members[name] = jsontext.Value(r.Replace(string(v)))
		}
	}
	rewrite(d.Look)
	places := []Place{}
	for _, p := range d.Arrangement {
		if n, ok := fresh[p.Widget]; ok {
			p.Widget = n
			places = append(places, p)
		}
	}
	for i := range ws {
		ws[i].ID, ws[i].CreatedAt, ws[i].UpdatedAt = fresh[ws[i].ID], now, now
		rewrite(ws[i].Members)
	}
	d.ID, d.Arrangement, d.LastAccess, d.CreatedAt, d.UpdatedAt = to, places, 0, now, now
	return nil
}

// TagKeys lists the keys of the tags of a profile's things of a kind that the caller may see, each once, in order. It returns Invalid
// for a word that is no kind of thing, not_found for a kind that has no room yet.
func (s *Service) TagKeys(ctx context.Context, who auth.Caller, p id.Profile, kind string) ([]string, error) {
	switch kind {
	case "device", "bucket": // a bucket is its device
		return s.devices.TagKeys(ctx, who, p)
	case "dashboard":
		return s.tagKeys(ctx, who, p)
	case "action", "analysis", "tcore", "run_users", "secrets":
		return nil, fault.New(fault.NotFound, "Not available yet: tags of the kind %s", kind)
	}
	return nil, fault.Field("type", "must be device, bucket or dashboard")
}

// PurgeProfile deletes a slice of the dashboards of a deleted profile; done says that none is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	n, err := s.deleteOf(sqldb.As(ctx, p.ID), p.ID, purgeRows)
	return n == 0, err
}

// encode is v as it is stored.
func encode(v any) (string, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	return string(b), err
}
