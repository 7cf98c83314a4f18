package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// exportPage is how many points of an export one statement reads: few, since each may have 16 kB.
const exportPage = 1000

// Horizon is a number such that every point that was stored here before Horizon was called has a smaller one, and can be
// read when it returns. It is what an export of immutable devices is as of.
func (s *Service) Horizon(ctx context.Context) (int64, error) {
	if err := s.start(ctx); err != nil {
		return 0, err
	}
	no := s.store.numbers.take(1)
	if s.db.Engine() == sqldb.Postgres { // other nodes' rounds that hold smaller numbers are committed by then
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return no, nil
	}
	// The one writer commits what it has begun before it comes to this.
	return no, s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `UPDATE series_number SET last = last WHERE profile_id = $1`, "")
		return err
	})
}

// Held counts the points of a profile that Export would yield now, nearly.
func (s *Service) Held(ctx context.Context, p id.Profile) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM chunk WHERE profile_id = $1`, p).Scan(&n)
	return n, err
}

// Export yields the points of a device as lines of an archive (docs/archive.md), by chunk, variable, time and order of
// storing. Those of a mutable device are of one instant: yield is called while a snapshot is held, so it must not wait.
// Those of an immutable one are all that were stored before horizon, and that are kept: of a chunk that ends meanwhile a
// part may be missing. Reading takes turns with whoever else reads long, and is not charged as output: nothing that the
// profile's people asked for by the row leaves by it, and a backup that an exhausted limit forbids is none.
func (s *Service) Export(ctx context.Context, p profile.Profile, d device.Record, horizon int64, yield func(line []byte) error) error {
	v := viewOf(p.No, d)
	if d.Type == device.Immutable {
		return s.export(ctx, p.ID, d.ID, v, horizon, yield)
	}
	pass, err := s.store.still.Enter(ctx, strconv.FormatInt(p.No, 10), 1)
	if err != nil {
		return err
	}
	defer pass.Leave()
	return s.db.Snapshot(ctx, func(ctx context.Context) error { return s.export(ctx, p.ID, d.ID, v, math.MaxInt64, yield) })
}

func viewOf(no int64, d device.Record) device.View {
	return device.View{ProfileNo: no, Type: d.Type, ChunkPeriod: d.ChunkPeriod, ChunkRetention: d.ChunkRetention}
}

func (s *Service) export(ctx context.Context, p id.Profile, d id.Device, v device.View, horizon int64, yield func(line []byte) error) error {
	refs, err := s.store.refs(ctx, p, d, nil, s.since(v), math.MaxInt64)
	if err != nil {
		return fmt.Errorf("read series: %w", err)
	}
	var line []byte
	for _, f := range refs {
		for left := all(f.no); ; {
			points, err := s.store.leaf(ctx, v.ProfileNo, left)
			if err != nil {
				return fmt.Errorf("read points: %w", err)
			}
			for i := range points {
				pt := &points[i]
				if pt.no >= horizon {
					continue
				}
				pt.Variable = f.variable
				line = appendPoint(line[:0], pt, d, false)
				if err := yield(line); err != nil {
					return err
				}
			}
			if len(points) < exportPage {
				break
			}
			last := points[len(points)-1]
			left.low = key{last.Time, last.no}
		}
	}
	return nil
}

// leaf reads the next points of a series in the turn of whoever reads long.
func (s *store) leaf(ctx context.Context, profileNo int64, sp span) ([]Point, error) {
	pass, err := s.far.Enter(ctx, strconv.FormatInt(profileNo, 10), 1)
	if err != nil {
		return nil, err
	}
	defer pass.Leave()
	return s.pages(ctx, sel{profileNo: profileNo}, []span{sp}, false, min(exportPage, s.most))
}

// Filed is a point as an archive holds it.
type Filed struct {
	Device id.Device // in the archive
	Point  Point
	tail   uint32 // the end of its id, which names its series
}

// ParseFiled reads a line of an archive. It returns Invalid naming what is wrong with it.
func ParseFiled(line []byte) (Filed, error) {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	*d.buf = *bytes.NewBuffer(line)
	d.json.Reset(d.buf)
	d.now, d.many, d.filed, d.i = 0, false, true, 0
	if d.json.PeekKind() != '{' {
		return Filed{}, fault.Field("point", "must be an object")
	}
	var p draft
	if err := d.point(&p, true); err != nil {
		return Filed{}, err
	}
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		return Filed{}, fault.Field("point", "has more after its end")
	}
	out := Filed{Device: id.Device(p.device), Point: p.Point}
	var ok bool
	if out.Point.no, out.tail, ok = parseID(p.id); !ok {
		return out, fault.Field("id", "%q is not the id of a point", short(p.id))
	}
	switch {
	case !id.Valid(p.device):
		return out, fault.Field("device", "%q is not an id", short(p.device))
	case p.Variable == "":
		return out, fault.Field("variable", "is required")
	case p.has&hasTime == 0:
		return out, fault.Field("time", "is required")
	case p.has&hasSerie != 0:
		return out, fault.Field("serie", "is no member of a point in an archive")
	}
	return out, nil
}

// ChunkOf is the start of the chunk that a point of a device lies in, and how many points it may hold.
func ChunkOf(d device.Record, f Filed) (start, most int64) {
	if d.Type == device.Mutable {
		return 0, mutableMost
	}
	return periodStart(d.ChunkPeriod, f.Point.Time), chunkMost
}

// Misses reports whether a device keeps a point no more (old), or does not take it yet (early), as when it is sent: an
// immutable one would else hold a chunk that never ends.
func (s *Service) Misses(d device.Record, f Filed) (old, early bool) {
	if d.Type == device.Mutable {
		return false, false
	}
	from, to := window(viewOf(0, d), s.clock.Now().UnixMilli())
	return f.Point.Time < from, f.Point.Time > to
}

// Importer stores the points of an archive in a profile in the making. It is for one goroutine.
type Importer struct {
	s       *Service
	profile id.Profile
	no      int64
	keep    bool
	device  id.Device
	chunks  map[int64]*filedChunk // of the device
	Stored  int64                 // points
	Renamed int64                 // of them, those that could not keep their ids
}

// filedChunk is what an Importer knows of a chunk it has begun.
type filedChunk struct{ series map[string]int64 }

// Importer begins an import. keep says that points keep their ids, as far as those are free and older than now.
func (s *Service) Importer(ctx context.Context, p id.Profile, profileNo int64, keep bool) (*Importer, error) {
	return &Importer{s: s, profile: p, no: profileNo, keep: keep}, s.start(ctx)
}

// Add stores points of one device, in a transaction of their own. They come device by device, and are not counted in
// usage: whoever publishes the profile does that.
func (m *Importer) Add(ctx context.Context, d device.Record, points []Filed) error {
	if d.ID != m.device {
		m.device, m.chunks = d.ID, map[int64]*filedChunk{}
	}
	var renamed int64
	var chunks map[int64]*filedChunk
	err := m.s.db.Tx(sqldb.Cost(sqldb.As(ctx, m.profile), len(points)), func(ctx context.Context) error {
		renamed, chunks = 0, make(map[int64]*filedChunk, len(m.chunks)) // it may run twice
		for start, c := range m.chunks {
			chunks[start] = c
		}
		by := map[int64][]*Filed{}
		for i := range points {
			start, _ := ChunkOf(d, points[i])
			by[start] = append(by[start], &points[i])
		}
		now := m.s.clock.Now().UnixMilli() - numberEpoch
		for start, ps := range by {
			k := chunkKey{m.profile, d.ID, start}
			batch := make([]row, len(ps))
			for i, f := range ps {
				pt := f.Point // a copy: its number may change
				if !m.keep || pt.no <= 0 || pt.no>>timeShift >= now {
					pt.no = m.s.store.numbers.take(1)
					renamed++
				}
				batch[i] = row{m.no, &pt}
			}
			c, err := m.place(ctx, k, chunks[start], ps, batch)
			if err != nil {
				return err
			}
			chunks[start] = c
			for i, f := range ps {
				batch[i].series = c.series[f.Point.Variable]
				if m.keep && batch[i].no == f.Point.no && uint32(batch[i].series) != f.tail {
					renamed++
				}
			}
			n, err := m.s.store.insertFree(ctx, batch)
			if err != nil {
				return fmt.Errorf("insert points: %w", err)
			}
			renamed += n
			if err := m.s.store.fill(ctx, k, m.no, batch); err != nil {
				return fmt.Errorf("count points: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.chunks = chunks
	m.Stored += int64(len(points))
	m.Renamed += renamed
	return nil
}

// place finds or makes the series of points that come into a chunk. A series keeps its number where that is free.
func (m *Importer) place(ctx context.Context, k chunkKey, was *filedChunk, ps []*Filed, batch []row) (*filedChunk, error) {
	c := &filedChunk{series: map[string]int64{}}
	if was != nil {
		for v, no := range was.series {
			c.series[v] = no
		}
	}
	for _, f := range ps {
		v := f.Point.Variable
		if _, ok := c.series[v]; ok {
			continue
		}
		no, err := m.s.store.makeSeries(ctx, k, v, int64(f.tail), m.keep && f.tail > 0)
		if err != nil {
			return nil, fmt.Errorf("make a series: %w", err)
		}
		c.series[v] = no
	}
	return c, nil
}

// makeSeries makes a series in a chunk, with a wanted number if that is free.
func (s *store) makeSeries(ctx context.Context, k chunkKey, variable string, wanted int64, want bool) (int64, error) {
	const text = `INSERT INTO series (profile_id, device_id, chunk, variable, no) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (profile_id, no) DO NOTHING`
	if want {
		n, err := s.db.Exec(ctx, text, k.profile, k.device, k.start, variable, wanted)
		if err != nil {
			return 0, err
		}
		if n == 1 {
			_, err = s.db.Exec(ctx, `INSERT INTO series_number (profile_id, last) VALUES ($1, $2)
				ON CONFLICT (profile_id) DO UPDATE SET last = CASE WHEN series_number.last > excluded.last THEN series_number.last ELSE excluded.last END`, k.profile, wanted)
			return wanted, err
		}
	}
	first, err := s.takeSeries(ctx, []id.Profile{k.profile}, map[id.Profile]int64{k.profile: 1})
	if err != nil {
		return 0, err
	}
	_, err = s.db.Exec(ctx, text, k.profile, k.device, k.start, variable, first[k.profile])
	return first[k.profile], err
}

// insertFree inserts points under the numbers they have; those whose number somebody has get a fresh one. It returns how
// many those were.
func (s *store) insertFree(ctx context.Context, batch []row) (renamed int64, err error) {
	slices.SortFunc(batch, func(a, b row) int { return compareNo(a.no, b.no) })
	var again []row
	// A number that stands twice among them is free for one.
	for i := 1; i < len(batch); i++ {
		if batch[i].no <= batch[i-1].no {
			batch[i].no = s.numbers.take(1)
			renamed++
		}
	}
	for part := range slices.Chunk(batch, 256) {
		args := make([]any, 0, 12*len(part))
		for _, p := range part {
			args = append(args, p.no, p.profileNo, p.series, p.Time, int64(p.Kind), p.num(), orNull(p.Unit), orNull(p.Group), p.txt(), p.lat(), p.lng(), orNull(p.Metadata))
		}
		text, ok := insertFree[len(part)]
		if !ok {
			text = insertFreeText(len(part))
		}
		done, err := sqldb.All(ctx, s.db, sqldb.Value[int64], text, args...)
		if err != nil {
			return 0, err
		}
		if len(done) == len(part) {
			continue
		}
		in := make(map[int64]bool, len(done))
		for _, no := range done {
			in[no] = true
		}
		for _, p := range part {
			if !in[p.no] {
				again = append(again, p)
			}
		}
	}
	for _, p := range again {
		p.no = s.numbers.take(1)
		renamed++
	}
	if len(again) > 0 {
		err = s.insert(ctx, again)
	}
	return renamed, err
}

func compareNo(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// insertFree are the texts for whole statements; the last one of a slice is made when it is needed.
var insertFree = map[int]string{256: insertFreeText(256)}

func insertFreeText(n int) string {
	types := []string{"BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "DOUBLE PRECISION", "TEXT", "TEXT", "TEXT", "DOUBLE PRECISION", "DOUBLE PRECISION", "TEXT"}
	return `INSERT INTO point (no, profile_no, series, time, kind, num, unit, grp, txt, lat, lng, metadata) VALUES ` +
		sqldb.RowsOf(1, n, types...) + ` ON CONFLICT DO NOTHING RETURNING no`
}

// fill counts points that were inserted into a chunk, and makes it when it is not there.
func (s *store) fill(ctx context.Context, k chunkKey, profileNo int64, batch []row) error {
	first, last := batch[0].no, batch[0].no
	for _, p := range batch {
		first, last = min(first, p.no), max(last, p.no)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO chunk (profile_id, device_id, start, profile_no, points, epoch, first_no, last_no)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (profile_id, device_id, start) DO UPDATE SET points = chunk.points + excluded.points, epoch = excluded.epoch,
			first_no = CASE WHEN chunk.first_no < excluded.first_no THEN chunk.first_no ELSE excluded.first_no END,
			last_no = CASE WHEN chunk.last_no > excluded.last_no THEN chunk.last_no ELSE excluded.last_no END`,
		k.profile, k.device, k.start, profileNo, int64(len(batch)), s.numbers.take(1), first, last)
	return err
}
