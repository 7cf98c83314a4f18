package data

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// Service stores and reads points. It is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	profiles *profile.Service
	usage    *usage.Service
	devices  *device.Service
	audit    *audit.Log
	clock    clock.Clock
	store    *store
	ingest   *sqldb.Batch[*item]
	pieces   *sqldb.Batch[*piece]
	onStored []Stored
	seed     sync.Mutex
	seeded   bool
	before   int64     // a number: pieces of smaller ones are an earlier process's; set with seeded
	retained time.Time // when Retain last looked at everything; the job's alone

	unfinished unfinished

	mutableMost, chunkMost int64 // caps; tests lower them
	wholeMost, pieceMost   int   // see pieces.go; tests lower them
}

// Stored is told of points that have been committed, in the order of committing per device. It is called on
// the way of every request, so it must be quick and must not keep the slice.
type Stored func(p id.Profile, d id.Device, points []Point)

// New makes the room and registers with devices what must end with a device.
func New(db *sqldb.DB, profiles *profile.Service, use *usage.Service, devices *device.Service, log *audit.Log, clk clock.Clock) *Service {
	s := &Service{db: db, profiles: profiles, usage: use, devices: devices, audit: log, clock: clk,
		store: newStore(db, newNumbers(clk)), mutableMost: mutableMost, chunkMost: chunkMost, wholeMost: wholeMost, pieceMost: pieceMost}
	if db.Engine() != sqldb.SQLite {
		s.wholeMost = math.MaxInt // nobody waits for a long transaction of another there
	}
	s.ingest = sqldb.NewBatch(db, "ingest", s.round)
	s.pieces = sqldb.NewBatch(db, "pieces", s.join)
	devices.OnDelete(s.deviceDeleted)
	devices.OnConvert(s.deviceConverted)
	devices.KeepsData(s.Empty, s.store.amounts)
	return s
}

// OnStored registers somebody to be told of stored points; before the server starts.
func (s *Service) OnStored(f Stored) { s.onStored = append(s.onStored, f) }

// start makes the numbers of this process larger than those that are stored, once.
func (s *Service) start(ctx context.Context) error {
	s.seed.Lock()
	defer s.seed.Unlock()
	if s.seeded {
		return nil
	}
	if err := s.store.start(ctx); err != nil {
		return err
	}
	s.before = s.store.numbers.take(1)
	s.seeded = true
	return nil
}

// view is what there is to know of a device for a caller's request. It returns not_found for a device that is
// not the profile's, and forbidden to everybody but a person at the console while the profile is paused.
func (s *Service) view(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) (device.View, error) {
	v, err := s.devices.View(ctx, who, p, d)
	if err != nil {
		return v, err
	}
	if who.Kind == auth.Session {
		return v, nil
	}
	return v, s.usage.CheckActive(ctx, p)
}

// Query answers a data query: the JSON of rows or of a bare number. What it answers is charged as output, row
// by row (a number as one), or as dashboard output for a person at the console; it returns limit_reached when
// that does not fit.
func (s *Service) Query(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, q query) (Answer, error) {
	v, err := s.view(ctx, who, p, d)
	if err != nil {
		return Answer{}, err
	}
	out, n, err := s.answer(ctx, p, d, v, &q)
	if err != nil {
		return Answer{}, err
	}
	svc := plan.Output
	if who.Kind == auth.Session {
		svc = plan.DashboardOutput
	}
	if err := s.usage.SpendFor(ctx, p, d, svc, n); err != nil {
		return Answer{}, err
	}
	s.devices.Touch(p, d, false, true)
	return Answer{out}, nil
}

// answer is the JSON of a query's result and what it costs.
func (s *Service) answer(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) (jsontext.Value, int64, error) {
	switch q.mode {
	case modeCount:
		n, err := s.count(ctx, p, d, v, q)
		return strconv.AppendInt(nil, n, 10), 1, err
	case modeSum, modeAvg:
		f, err := s.total(ctx, p, d, v, q)
		return appendNumber(nil, f), 1, err
	case modeAggregate:
		rows, err := s.aggregate(ctx, p, d, v, q)
		b := make([]byte, 0, 2+len(rows)*90)
		b = append(b, '[')
		for i, r := range rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"time":`...)
			b = appendTime(b, r.start)
			b = append(b, `,"value":`...)
			b = appendNumber(b, r.value)
			b = append(b, `,"variable":`...)
			b = appendString(b, r.variable)
			b = append(b, '}')
		}
		return append(b, ']'), int64(len(rows)), err
	}
	rows, err := s.rows(ctx, p, d, v, q)
	b := make([]byte, 0, 2+len(rows)*220)
	b = append(b, '[')
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPoint(b, &rows[i], d, q.details)
	}
	return append(b, ']'), int64(len(rows)), err
}

// Amount is how many points a device holds.
func (s *Service) Amount(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) (int64, error) {
	v, err := s.devices.View(ctx, who, p, d)
	if err != nil {
		return 0, err
	}
	return s.store.amount(ctx, p, d, s.since(v))
}

// since is the start of the oldest chunk of a device that can be seen now.
func (s *Service) since(v device.View) int64 {
	if v.Type == device.Immutable {
		return oldest(v, s.clock.Now().UnixMilli())
	}
	return math.MinInt64
}

// Variable is a name that a device has points of.
type Variable struct {
	Name   string
	Points int64 // counted only when asked for
}

// Variables lists the names that a device has points of, in order.
func (s *Service) Variables(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, counted bool) ([]Variable, error) {
	v, err := s.devices.View(ctx, who, p, d)
	if err != nil {
		return nil, err
	}
	q := query{from: firstMoment, to: lastMoment}
	r, refs, err := s.reader(ctx, p, d, v, &q)
	if err != nil {
		return nil, err
	}
	out := []Variable{}
	for _, c := range r.cursors(refs) {
		one := Variable{Name: c.variable}
		if counted {
			some := q
			some.variables, some.bounded = []string{c.variable}, true
			if one.Points, err = s.count(ctx, p, d, v, &some); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// slice is how many points a deletion asked for by a client removes in one transaction.
const slice = 512

// Delete removes the points that a query finds and returns how many they were. It returns Invalid for a query
// that answers no rows, and for an immutable device.
func (s *Service) Delete(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, q query) (int64, error) {
	v, err := s.view(ctx, who, p, d)
	if err != nil {
		return 0, err
	}
	if v.Type == device.Immutable {
		return 0, fault.New(fault.Invalid, "Data in immutable devices cannot be deleted")
	}
	if q.number() || q.mode == modeAggregate {
		return 0, fault.Field("query", "%s finds no rows to delete", q.mode)
	}
	rows, err := s.rows(ctx, p, d, v, &q)
	if err != nil {
		return 0, err
	}
	var total int64
	for len(rows) > 0 {
		part := rows[:min(slice, len(rows))]
		rows = rows[len(part):]
		nos := make([]int64, len(part))
		for i := range part {
			nos[i] = part[i].no
		}
		var n int64
		err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, p), len(nos)), func(ctx context.Context) (err error) {
			n = 0
			k := chunkKey{profile: p, device: d}
			if _, there, err := s.store.lock(ctx, k); err != nil || !there {
				return err
			}
			if n, err = s.store.remove(ctx, k, v.ProfileNo, nos); err != nil {
				return fmt.Errorf("remove points: %w", err)
			}
			if n > 0 {
				if err := s.noteOfPerson(ctx, who, p, d, fmt.Sprintf("%d data registers of a device deleted", n)); err != nil {
					return err
				}
			}
			return s.usage.Release(ctx, p, plan.DataRecords, n)
		})
		if err != nil {
			return total, err
		}
		crash.At("deletion after a slice")
		total += n
	}
	return total, nil
}

const maxEdits = 25

// Edit changes points: what a change does not name stays as it is, null clears. All changes are made or none.
// It returns Invalid for an immutable device, more than 25 changes, a malformed change or an attempt to
// rename a variable, and not_found naming the id of a point that the device does not have.
func (s *Service) Edit(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, body []byte) (int, error) {
	v, err := s.view(ctx, who, p, d)
	if err != nil {
		return 0, err
	}
	if v.Type == device.Immutable {
		return 0, fault.New(fault.Invalid, "You cannot edit data on immutable device")
	}
	drafts, err := decodeDrafts(body, s.clock.Now().UnixMilli(), true)
	if err != nil {
		return 0, err
	}
	if len(drafts) > maxEdits {
		return 0, fault.New(fault.Invalid, "You have exceeded the maximum number of %d items in a single request", maxEdits)
	}
	field := func(i int, name string) string {
		if many(body) {
			return "[" + strconv.Itoa(i) + "]." + name
		}
		return name
	}
	tails := make([]uint32, len(drafts))
	nos := make([]int64, len(drafts))
	for i := range drafts {
		var ok bool
		if nos[i], tails[i], ok = parseID(drafts[i].id); !ok {
			return 0, fault.Field(field(i, "id"), "%q is not an id", short(drafts[i].id))
		}
	}
	missing := func(i int) error {
		f := fault.New(fault.NotFound, "%s: the device has no data with the id %s", field(i, "id"), drafts[i].id)
		f.Field = field(i, "id")
		return f
	}
	return len(drafts), s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if _, there, err := s.store.lock(ctx, chunkKey{profile: p, device: d}); err != nil {
			return err
		} else if !there {
			return missing(0)
		}
		refs, err := s.store.refs(ctx, p, d, nil, 0, 0)
		if err != nil {
			return err
		}
		names := make(map[int64]string, len(refs))
		for _, r := range refs {
			names[r.no] = r.variable
		}
		found, err := s.store.byNo(ctx, v.ProfileNo, nos)
		if err != nil {
			return err
		}
		points := make(map[int64]*Point, len(found))
		for i := range found {
			if name, mine := names[found[i].series]; mine {
				found[i].Variable = name
				points[found[i].no] = &found[i]
			}
		}
		for i := range drafts {
			pt := points[nos[i]]
			if pt == nil || uint32(pt.series) != tails[i] {
				return missing(i)
			}
			if drafts[i].has&hasVariable != 0 && drafts[i].Variable != "" && drafts[i].Variable != pt.Variable {
				return fault.Field(field(i, "variable"), "cannot be changed")
			}
			drafts[i].apply(pt)
			if err := s.store.edit(ctx, v.ProfileNo, pt); err != nil {
				return fmt.Errorf("edit a point: %w", err)
			}
		}
		return s.noteOfPerson(ctx, who, p, d, fmt.Sprintf("%d data registers of a device edited", len(drafts)))
	})
}

// apply writes what a change names into a point.
func (c *draft) apply(p *Point) {
	if c.has&hasValue != 0 {
		p.Kind, p.Num, p.Text = c.Kind, c.Num, c.Text
	}
	if c.has&hasUnit != 0 {
		p.Unit = c.Unit
	}
	if c.has&hasGroup != 0 {
		p.Group = c.Group
	}
	if c.has&hasTime != 0 {
		p.Time = c.Time
	}
	if c.has&hasLocation != 0 {
		p.Located, p.Lat, p.Lng = c.Located, c.Lat, c.Lng
	}
	if c.has&hasMetadata != 0 {
		p.Metadata = c.Metadata
	}
}

// Empty takes all points off a device, at once, whatever their number.
func (s *Service) Empty(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) error {
	if _, err := s.view(ctx, who, p, d); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		n, err := s.end(ctx, p, d, nil)
		if err != nil {
			return err
		}
		return s.note(ctx, who, p, d, fmt.Sprintf("Device emptied of %d data registers", n))
	})
}

// end detaches chunks (all when starts is nil) and gives their records back, inside a transaction.
func (s *Service) end(ctx context.Context, p id.Profile, d id.Device, starts []int64) (int64, error) {
	n, err := s.store.detach(ctx, p, d, starts)
	if err != nil {
		return 0, err
	}
	crash.At("points detached, not released")
	return n, s.usage.Release(ctx, p, plan.DataRecords, n)
}

func (s *Service) note(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, message string) error {
	return s.audit.Write(ctx, who, audit.Event{Profile: p, Resource: "device", ResourceID: string(d), Message: message})
}

// noteOfPerson is note for what devices do all the time, and people rarely: only what people do is an event.
func (s *Service) noteOfPerson(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, message string) error {
	if who.Kind == auth.Device {
		return nil
	}
	return s.note(ctx, who, p, d, message)
}

// Chunk is a period of an immutable device's data, or all of a mutable one's.
type Chunk struct {
	ID       string
	From, To time.Time // zero for a mutable device
	Amount   int64
}

// Chunks lists what a device holds, oldest first.
func (s *Service) Chunks(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) ([]Chunk, error) {
	v, err := s.devices.View(ctx, who, p, d)
	if err != nil {
		return nil, err
	}
	list, err := s.store.chunks(ctx, p, d)
	if err != nil {
		return nil, err
	}
	out := []Chunk{}
	if v.Type != device.Immutable {
		return out, nil
	}
	for _, c := range list {
		if c.points > 0 && c.start >= s.since(v) {
			out = append(out, Chunk{ID: chunkID(v, c.start), From: clock.FromMillis(c.start), To: clock.FromMillis(chunkEnd(v, c.start)), Amount: c.points})
		}
	}
	return out, nil
}

// DeleteChunk takes a chunk off an immutable device, at once. It returns not_found for one that is not there.
func (s *Service) DeleteChunk(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, name string) error {
	v, err := s.view(ctx, who, p, d)
	if err != nil {
		return err
	}
	start, ok := parseChunkID(name)
	if !ok {
		return fault.Field("chunk", "%q is not the id of a chunk: <unix seconds>_<unix seconds>", short(name))
	}
	none := fault.New(fault.NotFound, "Chunk Not Found")
	if v.Type != device.Immutable || chunkID(v, start) != name {
		return none
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if _, there, err := s.store.lock(ctx, chunkKey{p, d, start}); err != nil {
			return err
		} else if !there {
			return none
		}
		n, err := s.end(ctx, p, d, []int64{start})
		if err != nil {
			return err
		}
		return s.note(ctx, who, p, d, fmt.Sprintf("Chunk %s deleted with %d data registers", name, n))
	})
}

// deviceDeleted takes all points off a device that is being deleted, in the same transaction.
func (s *Service) deviceDeleted(ctx context.Context, p id.Profile, d id.Device) error {
	if _, err := s.end(ctx, p, d, nil); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, `DELETE FROM idempotency WHERE profile_id = $1 AND device_id = $2`, p, d)
	return err
}

// deviceConverted refuses to convert a device that holds points, and leaves nothing of its old form behind.
func (s *Service) deviceConverted(ctx context.Context, p id.Profile, d id.Device) error {
	n, err := s.store.amount(ctx, p, d, math.MinInt64)
	if err != nil {
		return err
	}
	if n > 0 {
		return fault.New(fault.Conflict, "The device must be empty to be converted: it holds %d data registers", n)
	}
	_, err = s.end(ctx, p, d, nil)
	return err
}
