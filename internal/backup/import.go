package backup

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/alert"
	"paddock/internal/auth"
	"paddock/internal/dashboard"
	"paddock/internal/data"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// ImportOptions say what is made of an archive.
type ImportOptions struct {
	Account  id.Account              // the owner to be
	Name     string                  // of the profile; "" as in the archive
	DryRun   bool                    // say what would happen, and write nothing
	KeepIDs  bool                    // as far as they are free; else all are new
	Tokens   bool                    // devices keep their tokens, as far as the archive has them and nobody else
	Progress func(done, total int64) // of points; nil for nobody

	template bool // a copy of a living profile: made now, heard never, told to nobody

	last func(ctx context.Context, rep Report) error // in the transaction that shows the profile; an error undoes it
}

// Report says what an import did, or would do.
type Report struct {
	Profile   id.Profile        `json:"profile" description:"the new profile; empty when nothing was imported"`
	Name      string            `json:"name"`
	From      Header            `json:"archive"`
	DryRun    bool              `json:"dry_run"`
	IDsKept   bool              `json:"ids_kept" description:"profile, devices, dashboards and the rest have the ids of the archive"`
	Map       map[string]string `json:"map" description:"from the ids of the archive to the new ones, where they are not kept"`
	Counts    Counts            `json:"counts"`
	Checks    []profile.Check   `json:"checks" description:"what the account needs room for"`
	NewTokens []NewToken        `json:"new_tokens" description:"tokens of the archive that got another secret, since a device of this server has theirs"`
	Notes     []string          `json:"notes" description:"what is not as in the archive, in sentences"`
}

// NewToken is a token that could not keep its secret.
type NewToken struct {
	Device id.Device `json:"device"` // its new id
	Name   string    `json:"name"`
	Tail   string    `json:"tail"` // the last four characters of the new secret
}

// Sizes of the slices that an import writes: each is one transaction among everybody's.
const (
	deviceSlice = 10
	boardSlice  = 10
	tokenSlice  = 100
	ruleSlice   = 200
	pointSlice  = 512
	keepEvery   = time.Minute // a draft is kept alive
)

// Import makes a profile of an archive, in slices, and shows it when it is whole. It returns limit_reached with what does not
// fit, before anything is written as far as that is known by then, and in the last step otherwise; whatever ends it,
// nothing of it stays. Points count as stored, not as input: nobody sent them. A dry run is refused by
// nothing but the archive, and what no profile of this server may be.
func (s *Service) Import(ctx context.Context, who auth.Caller, a *Archive, o ImportOptions) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Name == "" {
		o.Name = a.settings.Name
	}
	rep := Report{Name: o.Name, From: a.Header, DryRun: o.DryRun, Map: map[string]string{}, Counts: a.Counts, NewTokens: []NewToken{}, Notes: []string{}}
	if o.Tokens && !a.Header.Tokens {
		return rep, fault.Field("device_tokens", "cannot be kept: the archive was made without them")
	}
	if o.Account != who.AccountID && who.Kind != auth.System {
		return rep, auth.Denied()
	}
	if !o.Tokens {
		rep.Counts.Tokens = a.Counts.Devices // each gets a fresh one
	}
	var err error
	if rep.Checks, err = s.room(ctx, a, o.Account); err != nil {
		return rep, err
	}
	in := profile.DraftInput{Account: o.Account, Name: o.Name, Color: a.settings.Color, Reference: a.settings.Reference, Tags: a.settings.Tags, Logo: orNil(a.settings.LogoURL), Banner: orNil(a.settings.BannerURL)}
	in.RPMInput, in.RPMOutput = a.settings.RPM.Values()
	if err := s.profiles.CheckDraft(ctx, who, in); err != nil {
		return rep, err
	}
	if o.DryRun {
		if o.KeepIDs {
			rep.IDsKept, err = s.profiles.Free(ctx, a.settings.ID)
		}
		return rep, err
	}
	if missing := profile.Missing(rep.Checks); len(missing) > 0 {
		return rep, profile.NoRoom(missing)
	}
	if o.KeepIDs {
		in.ID = a.settings.ID
	}
	draft, err := s.profiles.Draft(ctx, who, in)
	if err != nil {
		return rep, err
	}
	m := &importing{Service: s, a: a, o: o, who: who, draft: draft, rep: &rep, keep: draft.ID == a.settings.ID, kept: time.Now()}
	crash.At("import has a draft")
	if err := caught(func() error { return m.all(ctx) }); err != nil {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = s.profiles.Discard(rest, who, draft.ID) // what cannot be discarded now is purged within a day
		return rep, err
	}
	rep.Profile, rep.IDsKept = draft.ID, m.keep
	return rep, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// room says what an account needs for the profile of an archive.
func (s *Service) room(ctx context.Context, a *Archive, to id.Account) ([]profile.Check, error) {
	checks, err := s.profiles.Slot(ctx, to)
	if err != nil {
		return nil, err
	}
	more, err := s.usage.FitsResting(ctx, a.resting(a.Counts.Points), to)
	return append(checks, more...), err
}

// resting is what the profile will hold.
func (a *Archive) resting(points int64) usage.Resting {
	r := usage.Resting{Held: map[plan.Resource]int64{plan.Devices: a.Counts.Devices, plan.Dashboards: a.Counts.Dashboards}, Policies: maps.Clone(a.policies)}
	r.Stocks[plan.Index(plan.DataRecords)] = points
	return r
}

// importing is an import under way.
type importing struct {
	*Service
	a     *Archive
	o     ImportOptions
	who   auth.Caller
	draft profile.Profile
	rep   *Report
	keep  bool
	kept  time.Time // when the draft was last kept alive
}

// all writes everything, and publishes it.
func (m *importing) all(ctx context.Context) error {
	if !m.keep {
		m.rep.Map[string(m.a.settings.ID)] = string(m.draft.ID)
	}
	for _, step := range []func(context.Context) error{m.devicesIn, m.tokensIn, m.boardsIn, m.widgetsIn, m.rulesIn, m.webhookIn, m.picturesIn} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	crash.At("import has resources, not points")
	stored, err := m.pointsIn(ctx)
	if err != nil {
		return err
	}
	if err := m.usage.Rest(ctx, m.draft.ID, m.a.resting(stored)); err != nil {
		return err
	}
	crash.At("import is whole, not published")
	message := fmt.Sprintf("Profile imported from an archive of %q, made %s", m.a.Header.Profile.Name, m.a.Header.CreatedAt)
	if m.o.template {
		message = fmt.Sprintf("Profile cloned from %q (%s)", m.a.Header.Profile.Name, m.a.Header.Profile.ID)
	}
	return m.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if _, err := m.profiles.Publish(ctx, m.who, m.draft.ID, message); err != nil || m.o.last == nil {
			return err
		}
		rep := *m.rep
		rep.Profile, rep.IDsKept = m.draft.ID, m.keep
		return m.o.last(ctx, rep)
	})
}

// caught is f, whose panic is an error: what an archive brings about must not end the server.
func caught(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}

// slice runs a transaction in the profile's turn, and keeps the draft alive.
func (m *importing) slice(ctx context.Context, cost int, f func(ctx context.Context) error) error {
	if err := m.alive(ctx); err != nil {
		return err
	}
	if err := m.db.Tx(sqldb.Cost(sqldb.As(ctx, m.draft.ID), cost), f); err != nil {
		return err
	}
	crash.At("import after a slice")
	return nil
}

func (m *importing) alive(ctx context.Context) error {
	if time.Since(m.kept) < keepEvery {
		return ctx.Err()
	}
	m.kept = time.Now()
	return m.profiles.KeepDraft(ctx, m.draft.ID)
}

// inSlices reads the records of an entry and hands them on, some at a time.
func inSlices[T any](a *Archive, name string, size int, put func([]T) error) error {
	var batch []T
	if err := each(a, name, func(v T) error {
		if batch = append(batch, v); len(batch) < size {
			return nil
		}
		some := batch
		batch = nil
		return put(some)
	}); err != nil || len(batch) == 0 {
		return err
	}
	return put(batch)
}

// mapped is the id that something of the archive has in the new profile.
func mapped[T ~string](m *importing, old T) T {
	if m.keep || old == "" {
		return old
	}
	now, ok := m.rep.Map[string(old)]
	if !ok {
		now = string(id.New[T]())
		m.rep.Map[string(old)] = now
	}
	return T(now)
}

var anID = regexp.MustCompile(`[0-9a-f]{24}`)

// follow puts the new ids into JSON that names things by id somewhere.
func (m *importing) follow(v jsontext.Value) jsontext.Value {
	if m.keep {
		return v
	}
	return anID.ReplaceAllFunc(v, func(old []byte) []byte {
		if now, ok := m.rep.Map[string(old)]; ok {
			return []byte(now)
		}
		return old
	})
}

func (m *importing) devicesIn(ctx context.Context) error {
	now := web.Millis(clock.Millis(m.clock.Now()))
	return inSlices(m.a, devicesEntry, deviceSlice, func(rs []device.Record) error {
		cost := 0
		for i := range rs {
			r := &rs[i]
			cost += 1 + len(r.Tags) + len(r.Params)
			r.ID = mapped(m, r.ID)
			for j := range r.Params {
				if !m.keep {
					r.Params[j].ID = id.New[id.Param]()
				}
			}
			if m.o.template {
				r.CreatedAt, r.UpdatedAt, r.LastInput, r.LastOutput = now, now, nil, nil
			}
		}
		return m.slice(ctx, cost, func(ctx context.Context) error { return m.devices.Import(ctx, m.draft.ID, rs) })
	})
}

func (m *importing) tokensIn(ctx context.Context) error {
	put := func(rs []token.Record) error {
		var done []token.Imported
		if err := m.slice(ctx, 2*len(rs), func(ctx context.Context) (err error) {
			done, err = m.tokens.Import(ctx, m.who, m.draft.ID, rs)
			return err
		}); err != nil {
			return err
		}
		for i, t := range done {
			if t.Fresh && rs[i].Token != "" {
				m.rep.NewTokens = append(m.rep.NewTokens, NewToken{Device: t.Device, Name: t.Name, Tail: t.Tail})
			}
		}
		return nil
	}
	if m.o.Tokens {
		// A device without a token was made so.
		return inSlices(m.a, tokensEntry, tokenSlice, func(rs []token.Record) error {
			for i := range rs {
				rs[i].Device = mapped(m, rs[i].Device)
			}
			return put(rs)
		})
	}
	now := web.Millis(clock.Millis(m.clock.Now()))
	ds := slices.Sorted(maps.Keys(m.a.devices))
	for part := range slices.Chunk(ds, tokenSlice) {
		rs := make([]token.Record, len(part))
		for i, d := range part {
			rs[i] = token.Record{Device: mapped(m, d), Name: "Default", Permission: auth.Full, CreatedAt: now}
		}
		if err := put(rs); err != nil {
			return err
		}
	}
	return nil
}

func (m *importing) boardsIn(ctx context.Context) error {
	now := web.Millis(clock.Millis(m.clock.Now()))
	// Widgets are named by arrangements, which come first.
	if !m.keep {
		if err := each(m.a, widgetsEntry, func(r dashboard.WidgetRecord) error {
			mapped(m, r.ID)
			return nil
		}); err != nil {
			return err
		}
		if err := each(m.a, dashboardsEntry, func(r dashboard.Record) error {
			mapped(m, r.ID)
			return nil
		}); err != nil {
			return err
		}
	}
	return inSlices(m.a, dashboardsEntry, boardSlice, func(rs []dashboard.Record) error {
		for i := range rs {
			r := &rs[i]
			r.ID = mapped(m, r.ID)
			for j := range r.Arrangement {
				if now, ok := m.rep.Map[string(r.Arrangement[j].Widget)]; ok {
					r.Arrangement[j].Widget = id.Widget(now)
				}
			}
			for name, v := range r.Look {
				r.Look[name] = m.follow(v)
			}
			if m.o.template {
				r.CreatedAt, r.UpdatedAt, r.LastAccess = now, now, nil
			}
		}
		return m.slice(ctx, 8*len(rs), func(ctx context.Context) error { return m.boards.Import(ctx, m.draft.ID, rs) })
	})
}

func (m *importing) widgetsIn(ctx context.Context) error {
	now := web.Millis(clock.Millis(m.clock.Now()))
	return inSlices(m.a, widgetsEntry, boardSlice, func(rs []dashboard.WidgetRecord) error {
		for i := range rs {
			r := &rs[i]
			r.Dashboard, r.ID = mapped(m, r.Dashboard), mapped(m, r.ID)
			if !m.keep {
				for name, v := range r.Body {
					r.Body[name] = m.follow(v)
				}
			}
			if m.o.template {
				r.CreatedAt, r.UpdatedAt = now, now
			}
		}
		return m.slice(ctx, 4*len(rs), func(ctx context.Context) error { return m.boards.ImportWidgets(ctx, m.draft.ID, rs) })
	})
}

func (m *importing) rulesIn(ctx context.Context) error {
	return inSlices(m.a, rulesEntry, ruleSlice, func(rs []alert.Record) error {
		for i := range rs {
			rs[i].ID, rs[i].Device = mapped(m, rs[i].ID), mapped(m, rs[i].Device)
		}
		return m.slice(ctx, len(rs), func(ctx context.Context) error { return m.alerts.Import(ctx, m.draft.ID, rs) })
	})
}

func (m *importing) webhookIn(ctx context.Context) error {
	h := m.a.webhook
	if h == nil || m.o.template {
		return nil
	}
	if err := m.notify.Check(*h); err != nil {
		m.rep.Notes = append(m.rep.Notes, "The webhook is left out, since this server does not post there: "+fault.Of(err).Message)
		return nil
	}
	if h.URL != "" {
		m.rep.Notes = append(m.rep.Notes, "The webhook has a new secret: rotate it to see one, and give it to whoever receives the posts.")
	}
	return m.slice(ctx, 1, func(ctx context.Context) error { return m.notify.Import(ctx, m.draft.ID, *h) })
}

func (m *importing) picturesIn(ctx context.Context) error {
	for name, kind := range map[string]profile.Picture{logoEntry: profile.Logo, bannerEntry: profile.Banner} {
		if m.a.entries[name].Name == "" {
			continue
		}
		body, err := m.a.bytes(name)
		if err != nil {
			return err
		}
		if err := m.profiles.DraftPicture(ctx, m.draft, kind, body); err != nil {
			if fault.Of(err).Code == fault.Internal {
				return err
			}
			m.rep.Notes = append(m.rep.Notes, fmt.Sprintf("The %s is left out: %s", kind, fault.Of(err).Message))
		}
	}
	return nil
}

// pointsIn stores the points that their devices still keep, and returns how many those are.
func (m *importing) pointsIn(ctx context.Context) (int64, error) {
	if !m.a.Header.Data {
		return 0, nil
	}
	in, err := m.data.Importer(ctx, m.draft.ID, m.draft.No, m.keep)
	if err != nil {
		return 0, err
	}
	total := m.a.Counts.Points
	var batch []data.Filed
	var of device.Record
	var done, old, early int64
	put := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := m.alive(ctx); err != nil {
			return err
		}
		if err := in.Add(ctx, of, batch); err != nil {
			return err
		}
		crash.At("import after a slice of points")
		batch = batch[:0]
		m.o.Progress(done, total)
		return nil
	}
	m.o.Progress(0, total)
	var source id.Device
	err = m.a.points(func(f data.Filed) error {
		if f.Device != source {
			if err := put(); err != nil {
				return err
			}
			source = f.Device
			of = m.a.devices[source].record(mapped(m, source))
		}
		done++
		switch before, after := m.data.Misses(of, f); {
		case before:
			old++
			return nil
		case after:
			early++
			return nil
		}
		if batch = append(batch, f); len(batch) < pointSlice {
			return nil
		}
		return put()
	})
	if err == nil {
		err = put()
	}
	if err != nil {
		return 0, err
	}
	m.rep.Counts.Points = in.Stored
	if old > 0 {
		m.rep.Notes = append(m.rep.Notes, fmt.Sprintf("%d points are left out: their devices keep points for a shorter time than those are old.", old))
	}
	if early > 0 {
		m.rep.Notes = append(m.rep.Notes, fmt.Sprintf("%d points are left out: their time is later than immutable devices take.", early))
	}
	if in.Renamed > 0 && m.keep {
		m.rep.Notes = append(m.rep.Notes, fmt.Sprintf("%d points have new ids: theirs are in use on this server.", in.Renamed))
	}
	return in.Stored, nil
}
