package device

import (
	"context"
	"slices"
	"strings"
	"sync"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// CacheKind names changes of devices, for whoever keeps what may be done with them; the key is "<profile>/<device>".
const CacheKind = "device"

const cacheViews = 100_000

// View is what the way of a point needs to know of a device, kept in memory.
type View struct {
	ProfileNo      int64 // the number points are keyed by
	Type           Type
	ChunkPeriod    Period // immutable
	ChunkRetention int64  // immutable: whole periods kept besides the current one
	Active         bool
	RPMInput       int64 // soft limits on requests per minute; 0 for none
	RPMOutput      int64
}

func viewKey(p id.Profile, d id.Device) string { return string(p) + "/" + string(d) }

func (s *Service) loadView(ctx context.Context, key string) (View, error) {
	ps, ds, _ := strings.Cut(key, "/")
	p, d := id.Profile(ps), id.Device(ds)
	v, ok, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (v View, err error) {
		return v, r.Scan(&v.Type, &v.ChunkPeriod, &v.ChunkRetention, &v.Active, &v.RPMInput, &v.RPMOutput)
	}, `SELECT type, chunk_period, chunk_retention, active, rpm_input, rpm_output FROM device WHERE profile_id = $1 AND id = $2`, p, d)
	if err != nil {
		return v, err
	}
	if !ok {
		return v, errNotFound
	}
	pr, err := s.profiles.Get(ctx, p)
	v.ProfileNo = pr.No
	return v, err
}

// changed drops a device's view here at commit, on other nodes within a second.
func (s *Service) changed(ctx context.Context, p id.Profile, d id.Device) error {
	return s.db.Changed(ctx, CacheKind, viewKey(p, d))
}

// View returns what is known of a device, switched off or not. It returns not_found for a device that is not
// the profile's or that the caller may not see.
func (s *Service) View(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) (View, error) {
	if who.Within != nil {
		if err := s.May(ctx, who, p, d); err != nil {
			return View{}, err
		}
	}
	return s.view(ctx, p, d)
}

// view is View for the server's own work.
func (s *Service) view(ctx context.Context, p id.Profile, d id.Device) (View, error) {
	if !id.Valid(string(d)) {
		return View{}, errNotFound
	}
	return s.views.Get(ctx, viewKey(p, d))
}

// Place names a device of any profile.
type Place struct {
	Profile id.Profile
	Device  id.Device
}

// Chunking is how a device divides its points by time, and how long it keeps them.
type Chunking struct {
	Type      Type
	Period    Period // immutable
	Retention int64  // immutable: whole periods kept besides the current one
}

// Chunkings reads those of many devices at once, past the memory of views: for who looks at all devices and would push those
// that send out of it. A device that is not there is not in the answer.
func (s *Service) Chunkings(ctx context.Context, places []Place) (map[Place]Chunking, error) {
	type row struct {
		Place
		Chunking
	}
	out := make(map[Place]Chunking, len(places))
	for part := range slices.Chunk(places, sqldb.MaxSize) {
		n := sqldb.SizeFor(len(part))
		args := make([]any, 0, 2*n)
		for _, p := range part {
			args = append(args, string(p.Profile), string(p.Device))
		}
		for range n - len(part) {
			args = append(args, "", "")
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
			return x, r.Scan(&x.Profile, &x.Device, &x.Type, &x.Period, &x.Retention)
		}, `SELECT profile_id, id, type, chunk_period, chunk_retention FROM device
			WHERE (profile_id, id) IN (VALUES `+sqldb.RowsOf(1, n, "TEXT", "TEXT")+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, x := range rows {
			out[x.Place] = x.Chunking
		}
	}
	return out, nil
}

// Present reports whether a device is there and, inside a transaction, makes sure that it stays until the
// transaction ends: a deletion waits for it. It is for rooms that store the first thing below a device.
func (s *Service) Present(ctx context.Context, p id.Profile, d id.Device) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE device SET updated_at = updated_at WHERE profile_id = $1 AND id = $2`, p, d)
	return n == 1, err
}

// Limited is a device with soft limits of its own, 0 for none.
type Limited struct {
	ID                  id.Device
	Name                string
	RPMInput, RPMOutput int64
}

// Limited lists the devices of a profile that have soft limits of their own and that the caller may see, at most most of
// them, oldest first.
func (s *Service) Limited(ctx context.Context, who auth.Caller, p id.Profile, most int) ([]Limited, error) {
	w := sqldb.NewWhere("profile_id = ? AND (rpm_input > 0 OR rpm_output > 0)", p)
	if cond, args := s.Within(who, p, "id"); cond != "" {
		w.And(cond, args...)
	}
	limit := w.Arg(most)
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (l Limited, err error) {
		return l, r.Scan(&l.ID, &l.Name, &l.RPMInput, &l.RPMOutput)
	}, `SELECT id, name, rpm_input, rpm_output FROM device`+w.SQL()+` ORDER BY id LIMIT `+limit, w.Args()...)
}

var errInactive = fault.New(fault.Forbidden, "Device not found or inactive")

// Ingest is View for a device that must be switched on. It returns forbidden "Device not found or inactive"
// for one that is not, and for one that is not there.
func (s *Service) Ingest(ctx context.Context, p id.Profile, d id.Device) (View, error) {
	v, err := s.view(ctx, p, d)
	if fault.Is(err, fault.NotFound) || err == nil && !v.Active {
		return v, errInactive
	}
	return v, err
}

// gate is asked at each use of a device token.
func (s *Service) gate(ctx context.Context, p id.Profile, d id.Device) error {
	_, err := s.Ingest(ctx, p, d)
	return err
}

// owner names a device in memory; device "" stands for the profile's own tokens.
type owner struct {
	profile id.Profile
	device  id.Device
}

type touch struct {
	profile       id.Profile
	device        id.Device
	input, output int64 // UTC milliseconds, 0 for not touched
}

// touched are last inputs and outputs not written yet, and those of the writing before: until the next one, who read the
// database before they were committed finds them here.
type touched struct {
	mu      sync.Mutex
	m, last map[owner]touch
}

// of is what memory knows of a device. The caller holds mu.
func (t *touched) of(o owner) touch {
	v, w := t.m[o], t.last[o]
	v.input, v.output = max(v.input, w.input), max(v.output, w.output)
	return v
}

func (t *touched) note(v touch) {
	o := owner{v.profile, v.device}
	t.mu.Lock()
	old := t.m[o]
	v.input, v.output = max(v.input, old.input), max(v.output, old.output)
	t.m[o] = v
	t.mu.Unlock()
}

// over puts what memory knows over what the database knew.
func (t *touched) over(d *Device) {
	t.mu.Lock()
	v := t.of(owner{d.Profile, d.ID})
	t.mu.Unlock()
	d.LastInput, d.LastOutput = max(d.LastInput, v.input), max(d.LastOutput, v.output)
}

func (t *touched) take() []touch {
	t.mu.Lock()
	t.m, t.last = make(map[owner]touch, len(t.m)), t.m
	out := make([]touch, 0, len(t.last))
	for _, v := range t.last {
		out = append(out, v)
	}
	t.mu.Unlock()
	slices.SortFunc(out, func(a, b touch) int {
		if c := strings.Compare(string(a.profile), string(b.profile)); c != 0 {
			return c
		}
		return strings.Compare(string(a.device), string(b.device))
	})
	return out
}

// Touch notes that a device sent data now (input), was read now (output), or both. It costs no write: the
// instants reach the database within ten seconds.
func (s *Service) Touch(p id.Profile, d id.Device, input, output bool) {
	v := touch{profile: p, device: d}
	now := s.now()
	if input {
		v.input = now
	}
	if output {
		v.output = now
	}
	s.touched.note(v)
}

// flushTouches writes the noted instants; what cannot be written is kept for the next time.
func (s *Service) flushTouches(ctx context.Context) error {
	all := s.touched.take()
	crash.At("last inputs taken, not written")
	for len(all) > 0 {
		n := min(flushRows, len(all))
		if err := s.writeTouches(sqldb.As(ctx, ""), all[:n]); err != nil {
			for _, v := range all {
				s.touched.note(v)
			}
			return err
		}
		all = all[n:]
	}
	return nil
}
