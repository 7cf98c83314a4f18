package data

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/gate"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "data", FS: files} }

// most is how many points one statement may walk over, so that neither a reader nor a writer keeps the others
// waiting.
const most = 5000

// store is the seam between the rules of this room and the way points lie in the database. It knows chunks,
// series and points and decides nothing:
//
//	room    makes room in chunks, counting exactly, or gives it back
//	add     stores points into chunks in which there is room
//	find    reads: refs and chunks say what is there; page, ends, scan, count and byNo read points
//	edit    overwrites points
//	remove  deletes points
//	detach  takes whole chunks off a device: out of sight and uncounted in this transaction
//	purge   deletes the points of what was detached, a slice at a time
//
// One suite (store_test.go) says what they must do on either engine. What writes runs inside the caller's
// transaction.
type store struct {
	db      *sqldb.DB
	numbers *numbers
	cache   *seriesCache
	far     *gate.Gate // reads that walk over many points
	still   *gate.Gate // exports that hold a snapshot while they wait for far: one, so that connections are left for the others
	most    int        // see most; tests make it small
}

func newStore(db *sqldb.DB, n *numbers) *store {
	return &store{db: db, numbers: n, cache: newSeriesCache(maxCachedSeries), far: gate.New(gate.Config{Total: farReaders(), Each: farReaders()}), still: gate.New(gate.Config{Total: 1, Each: 1}), most: most}
}

// farReaders is how many reads that walk over many points run at once: as many as half the processors, so that the
// other half is there for everybody else.
func farReaders() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// start makes the numbers of this process larger than every number that is stored.
func (s *store) start(ctx context.Context) error {
	last, err := s.lastNo(ctx)
	if err != nil {
		return fmt.Errorf("read the last point's number: %w", err)
	}
	s.numbers.seed(last)
	return nil
}

// lastNo is the largest number given to a point that may still be stored, across profiles. Chunks remember it.
func (s *store) lastNo(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.QueryRow(ctx, `SELECT COALESCE(MAX(last_no), 0) FROM chunk`).Scan(&n)
	return n, err
}

// chunkKey names a chunk.
type chunkKey struct {
	profile id.Profile
	device  id.Device
	start   int64 // UTC milliseconds; 0 for a mutable device
}

func (k chunkKey) compare(o chunkKey) int {
	if c := strings.Compare(string(k.profile), string(o.profile)); c != 0 {
		return c
	}
	if c := strings.Compare(string(k.device), string(o.device)); c != 0 {
		return c
	}
	switch {
	case k.start < o.start:
		return -1
	case k.start > o.start:
		return 1
	}
	return 0
}

// want is room asked for in one chunk.
type want struct {
	chunkKey
	profileNo   int64
	n           int64 // points; negative gives room back
	most        int64 // points that the chunk may hold
	first, last int64 // smallest and largest number of the points
	granted     bool  // set by room
	gone        bool  // set by room: the chunk is not there and neither is the device
	epoch       int64 // of the chunk; set by room
	fresh       bool  // the chunk was made by this want: it has no series yet
	points      []*Point
	series      map[string]int64 // by variable; set by add
	added       map[string]int64 // the part of series that add made
}

// room adds each want's n to its chunk's counter where the sum stays within most, and makes chunks that are
// not there when exists says that the device is. It sets granted and, where granted, epoch. wants name each
// chunk once.
func (s *store) room(ctx context.Context, wants []*want, exists func(ctx context.Context, p id.Profile, d id.Device) (bool, error)) error {
	slices.SortFunc(wants, func(a, b *want) int { return a.compare(b.chunkKey) })
	byKey := make(map[chunkKey]*want, len(wants))
	for _, w := range wants {
		w.granted, w.gone, w.fresh = false, false, false
		byKey[w.chunkKey] = w
	}
	for part := range slices.Chunk(wants, sqldb.MaxSize) {
		size := sqldb.SizeFor(len(part))
		args := make([]any, 0, size*6)
		for _, w := range part {
			args = append(args, w.profile, w.device, w.start, w.n, w.last, w.most)
		}
		for range size - len(part) {
			args = append(args, "", "", int64(0), int64(0), int64(0), int64(0))
		}
		rows, err := s.db.Query(ctx, roomSQL[size], args...)
		if err != nil {
			return fmt.Errorf("make room: %w", err)
		}
		if err := each(rows, func() error {
			var k chunkKey
			var epoch int64
			if err := rows.Scan(&k.profile, &k.device, &k.start, &epoch); err != nil {
				return err
			}
			w := byKey[k]
			w.granted, w.epoch = true, epoch
			return nil
		}); err != nil {
			return fmt.Errorf("make room: %w", err)
		}
	}
	if exists == nil {
		return nil
	}
	var missing []*want
	for _, w := range wants {
		if !w.granted {
			missing = append(missing, w)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	there, err := s.present(ctx, missing)
	if err != nil {
		return err
	}
	for _, w := range missing {
		if there[w.chunkKey] || w.n > w.most {
			continue // it is full
		}
		if ok, err := exists(ctx, w.profile, w.device); err != nil {
			return err
		} else if !ok {
			w.gone = true
			continue
		}
		if err := s.make(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

var roomSQL = sqldb.BySize(func(n int) string {
	return `UPDATE chunk SET points = chunk.points + v.column4,
			last_no = CASE WHEN chunk.last_no > v.column5 THEN chunk.last_no ELSE v.column5 END
		FROM (VALUES ` + sqldb.RowsOf(1, n, "TEXT", "TEXT", "BIGINT", "BIGINT", "BIGINT", "BIGINT") + `) AS v
		WHERE chunk.profile_id = v.column1 AND chunk.device_id = v.column2 AND chunk.start = v.column3
			AND chunk.points + v.column4 <= v.column6
		RETURNING profile_id, device_id, start, epoch`
})

// present tells which wants' chunks exist.
func (s *store) present(ctx context.Context, wants []*want) (map[chunkKey]bool, error) {
	there := map[chunkKey]bool{}
	for part := range slices.Chunk(wants, sqldb.MaxSize) {
		keys := make([]chunkKey, len(part))
		for i, w := range part {
			keys[i] = w.chunkKey
		}
		size, args := keyArgs(keys)
		rows, err := s.db.Query(ctx, `SELECT profile_id, device_id, start FROM chunk
			WHERE (profile_id, device_id, start) IN (VALUES `+sqldb.RowsOf(1, size, "TEXT", "TEXT", "BIGINT")+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("look for chunks: %w", err)
		}
		if err := each(rows, func() error {
			var k chunkKey
			err := rows.Scan(&k.profile, &k.device, &k.start)
			there[k] = true
			return err
		}); err != nil {
			return nil, fmt.Errorf("look for chunks: %w", err)
		}
	}
	return there, nil
}

func keyArgs(keys []chunkKey) (size int, args []any) {
	size = sqldb.SizeFor(len(keys))
	args = make([]any, 0, size*3)
	for _, k := range keys {
		args = append(args, k.profile, k.device, k.start)
	}
	for range size - len(keys) {
		args = append(args, "", "", int64(0))
	}
	return size, args
}

// make inserts a chunk that was not there. Another node may have been quicker: then its row is added to.
func (s *store) make(ctx context.Context, w *want) error {
	epoch := s.numbers.take(1)
	got, ok, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `INSERT INTO chunk
			(profile_id, device_id, start, profile_no, points, epoch, first_no, last_no)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (profile_id, device_id, start) DO UPDATE SET points = chunk.points + excluded.points,
			last_no = CASE WHEN chunk.last_no > excluded.last_no THEN chunk.last_no ELSE excluded.last_no END
		WHERE chunk.points + excluded.points <= $9
		RETURNING epoch`,
		w.profile, w.device, w.start, w.profileNo, w.n, epoch, w.first, w.last, w.most)
	if err != nil {
		return fmt.Errorf("make a chunk: %w", err)
	}
	if ok {
		w.granted, w.epoch, w.fresh = true, got, got == epoch
	}
	return nil
}

// giveBack undoes what room granted.
func (s *store) giveBack(ctx context.Context, wants []*want) error {
	if len(wants) == 0 {
		return nil
	}
	back := make([]*want, len(wants))
	for i, w := range wants {
		back[i] = &want{chunkKey: w.chunkKey, n: -w.n, most: math.MaxInt64}
	}
	return s.room(ctx, back, nil)
}

// add stores the points of wants to which room was granted. Each point has its number already.
func (s *store) add(ctx context.Context, wants []*want) error {
	if err := s.resolve(ctx, wants); err != nil {
		return err
	}
	n := 0
	for _, w := range wants {
		n += len(w.points)
	}
	batch := make([]row, 0, n)
	for _, w := range wants {
		for _, p := range w.points {
			p.series = w.series[p.Variable]
			batch = append(batch, row{w.profileNo, p})
		}
	}
	slices.SortFunc(batch, func(a, b row) int { return cmp.Compare(a.no, b.no) }) // rows are appended, not put between
	if err := s.insert(ctx, batch); err != nil {
		if sqldb.IsDuplicate(err) {
			s.numbers.redraw()
		}
		return fmt.Errorf("insert points: %w", err)
	}
	sqldb.AfterCommit(ctx, func() {
		for _, w := range wants {
			s.cache.put(w.chunkKey, w.epoch, w.series)
		}
	})
	return nil
}

// resolve finds the number of every series that the wants' points belong to, and makes those that are not
// there. The counters that room raised lock the chunks, so nobody else makes or ends series of theirs meanwhile.
func (s *store) resolve(ctx context.Context, wants []*want) error {
	var cold []*want
	for _, w := range wants {
		w.added = nil
		switch {
		case w.fresh:
			w.series = map[string]int64{}
		case s.cache.get(w.chunkKey, w.epoch, &w.series):
		default:
			w.series = map[string]int64{}
			cold = append(cold, w)
		}
	}
	if err := s.loadSeries(ctx, cold); err != nil {
		return fmt.Errorf("load series: %w", err)
	}
	fresh := map[id.Profile]int64{}
	var profiles []id.Profile
	var makers []*want
	for _, w := range wants {
		for _, p := range w.points {
			if _, ok := w.series[p.Variable]; ok {
				continue
			}
			if _, ok := w.added[p.Variable]; ok {
				continue
			}
			if w.added == nil {
				w.added = map[string]int64{}
			}
			w.added[p.Variable] = 0
			if fresh[w.profile] == 0 {
				profiles = append(profiles, w.profile)
			}
			fresh[w.profile]++
		}
		if len(w.added) > 0 {
			makers = append(makers, w)
		}
	}
	if len(makers) == 0 {
		return nil
	}
	next, err := s.takeSeries(ctx, profiles, fresh)
	if err != nil {
		return fmt.Errorf("number series: %w", err)
	}
	var args []any
	var count int
	flush := func() error {
		if count == 0 {
			return nil
		}
		_, err := s.db.Exec(ctx, `INSERT INTO series (profile_id, device_id, chunk, variable, no) VALUES `+sqldb.Rows(1, count, 5), args...)
		args, count = nil, 0
		return err
	}
	for _, w := range makers {
		names := make([]string, 0, len(w.added))
		for v := range w.added {
			names = append(names, v)
		}
		slices.Sort(names)
		all := make(map[string]int64, len(w.series)+len(names))
		for v, no := range w.series {
			all[v] = no
		}
		for _, v := range names {
			no := next[w.profile]
			next[w.profile]++
			w.added[v], all[v] = no, no
			args = append(args, w.profile, w.device, w.start, v, no)
			if count++; count == 256 {
				if err := flush(); err != nil {
					return fmt.Errorf("insert series: %w", err)
				}
			}
		}
		w.series = all
	}
	if err := flush(); err != nil {
		return fmt.Errorf("insert series: %w", err)
	}
	return s.turn(ctx, makers)
}

// turn gives chunks that got new series a new epoch, so that nobody who knows the old series believes to know
// them all.
func (s *store) turn(ctx context.Context, wants []*want) error {
	known := slices.DeleteFunc(slices.Clone(wants), func(w *want) bool { return w.fresh })
	for part := range slices.Chunk(known, sqldb.MaxSize) {
		size := sqldb.SizeFor(len(part))
		args := make([]any, 0, 4*size)
		for _, w := range part {
			w.epoch = s.numbers.take(1)
			args = append(args, w.profile, w.device, w.start, w.epoch)
		}
		for range size - len(part) {
			args = append(args, "", "", int64(0), int64(0))
		}
		if _, err := s.db.Exec(ctx, `UPDATE chunk SET epoch = v.column4
			FROM (VALUES `+sqldb.RowsOf(1, size, "TEXT", "TEXT", "BIGINT", "BIGINT")+`) AS v
			WHERE chunk.profile_id = v.column1 AND chunk.device_id = v.column2 AND chunk.start = v.column3`, args...); err != nil {
			return fmt.Errorf("turn epochs: %w", err)
		}
	}
	return nil
}

// loadSeries reads all series of the wants' chunks.
func (s *store) loadSeries(ctx context.Context, wants []*want) error {
	byKey := make(map[chunkKey]*want, len(wants))
	for _, w := range wants {
		byKey[w.chunkKey] = w
	}
	for part := range slices.Chunk(wants, sqldb.MaxSize) {
		keys := make([]chunkKey, len(part))
		for i, w := range part {
			keys[i] = w.chunkKey
		}
		size, args := keyArgs(keys)
		rows, err := s.db.Query(ctx, `SELECT profile_id, device_id, chunk, variable, no FROM series
			WHERE (profile_id, device_id, chunk) IN (VALUES `+sqldb.RowsOf(1, size, "TEXT", "TEXT", "BIGINT")+`)`, args...)
		if err != nil {
			return err
		}
		if err := each(rows, func() error {
			var k chunkKey
			var variable string
			var no int64
			if err := rows.Scan(&k.profile, &k.device, &k.start, &variable, &no); err != nil {
				return err
			}
			byKey[k].series[variable] = no
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// takeSeries gives each profile as many fresh series numbers as it needs and returns the first of each.
func (s *store) takeSeries(ctx context.Context, profiles []id.Profile, need map[id.Profile]int64) (map[id.Profile]int64, error) {
	slices.Sort(profiles)
	first := make(map[id.Profile]int64, len(profiles))
	for part := range slices.Chunk(profiles, 256) {
		args := make([]any, 0, 2*len(part))
		for _, p := range part {
			args = append(args, p, need[p])
		}
		rows, err := s.db.Query(ctx, `INSERT INTO series_number (profile_id, last) VALUES `+sqldb.Rows(1, len(part), 2)+`
			ON CONFLICT (profile_id) DO UPDATE SET last = series_number.last + excluded.last
			RETURNING profile_id, last`, args...)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func() error {
			var p id.Profile
			var last int64
			err := rows.Scan(&p, &last)
			first[p] = last - need[p] + 1
			return err
		}); err != nil {
			return nil, err
		}
	}
	return first, nil
}

// row is a point with the profile it is stored for.
type row struct {
	profileNo int64
	*Point
}

// insertSize is how many of n rows the next INSERT takes. A round of a busy server has some dozens: those fit into one.
func insertSize(n int) int {
	switch {
	case n >= 256:
		return 256
	case n >= 128:
		return 128
	}
	return min(n, 64)
}

// Most points are a number, perhaps with a unit. They are inserted without naming the columns they leave
// empty, which saves a third of the arguments.
var (
	insertFull  = insertBySize(`INSERT INTO point (no, profile_no, series, time, kind, num, unit, grp, txt, lat, lng, metadata) VALUES `, 12)
	insertPlain = insertBySize(`INSERT INTO point (no, profile_no, series, time, kind, num, unit, grp) VALUES `, 8)
)

func insertBySize(text string, columns int) map[int]string {
	m := map[int]string{}
	for n := 1; n <= 256; n++ {
		if insertSize(n) == n {
			m[n] = text + sqldb.Rows(1, n, columns)
		}
	}
	return m
}

// plain tells a point that has neither text nor location nor metadata.
func (p *Point) plain() bool { return p.Kind != Text && !p.Located && p.Metadata == "" }

func (s *store) insert(ctx context.Context, batch []row) error {
	if s.db.Engine() == sqldb.Postgres {
		return s.insertColumns(ctx, batch)
	}
	plain := make([]row, 0, len(batch))
	full := batch[:0]
	for _, p := range batch {
		if p.plain() {
			plain = append(plain, p)
		} else {
			full = append(full, p)
		}
	}
	if err := s.insertRows(ctx, plain, insertPlain, false); err != nil {
		return err
	}
	return s.insertRows(ctx, full, insertFull, true)
}

func (s *store) insertRows(ctx context.Context, batch []row, texts map[int]string, full bool) error {
	var args []any
	for len(batch) > 0 {
		n := insertSize(len(batch))
		args = args[:0]
		for _, p := range batch[:n] {
			args = append(args, p.no, p.profileNo, p.series, p.Time, int64(p.Kind), p.num(), orNull(p.Unit), orNull(p.Group))
			if full {
				args = append(args, p.txt(), p.lat(), p.lng(), orNull(p.Metadata))
			}
		}
		if _, err := s.db.Exec(ctx, texts[n], args...); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// insertColumns is insert for PostgreSQL: one statement, one prepared text, whatever the number of rows.
func (s *store) insertColumns(ctx context.Context, batch []row) error {
	for part := range slices.Chunk(batch, s.most) {
		n := len(part)
		nos, profiles, series, times, kinds := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
		nums, lats, lngs := make([]*float64, n), make([]*float64, n), make([]*float64, n)
		txts, units, groups, metas := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
		for i, p := range part {
			nos[i], profiles[i], series[i], times[i], kinds[i] = p.no, p.profileNo, p.series, p.Time, int64(p.Kind)
			switch p.Kind {
			case Number, Bool:
				nums[i] = &p.Num
			case Text:
				txts[i] = &p.Text
			}
			if p.Located {
				lats[i], lngs[i] = &p.Lat, &p.Lng
			}
			if p.Unit != "" {
				units[i] = &p.Unit
			}
			if p.Group != "" {
				groups[i] = &p.Group
			}
			if p.Metadata != "" {
				metas[i] = &p.Metadata
			}
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO point (no, profile_no, series, time, kind, num, txt, unit, grp, lat, lng, metadata)
			SELECT * FROM unnest(CAST($1 AS BIGINT[]), CAST($2 AS BIGINT[]), CAST($3 AS BIGINT[]), CAST($4 AS BIGINT[]), CAST($5 AS BIGINT[]),
				CAST($6 AS DOUBLE PRECISION[]), CAST($7 AS TEXT[]), CAST($8 AS TEXT[]), CAST($9 AS TEXT[]),
				CAST($10 AS DOUBLE PRECISION[]), CAST($11 AS DOUBLE PRECISION[]), CAST($12 AS TEXT[]))`,
			nos, profiles, series, times, kinds, nums, txts, units, groups, lats, lngs, metas); err != nil {
			return err
		}
	}
	return nil
}

func (p *Point) num() any {
	if p.Kind == Number || p.Kind == Bool {
		return p.Num
	}
	return nil
}

func (p *Point) txt() any {
	if p.Kind == Text {
		return p.Text
	}
	return nil
}

func (p *Point) lat() any {
	if p.Located {
		return p.Lat
	}
	return nil
}

func (p *Point) lng() any {
	if p.Located {
		return p.Lng
	}
	return nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// each reads rows to their end and closes them.
func each(rows *sql.Rows, f func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}
