package data

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/id"
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
}

func newStore(db *sqldb.DB, n *numbers) *store {
	return &store{db: db, numbers: n, cache: newSeriesCache(maxCachedSeries)}
}

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

// sizes are the numbers of rows that statements come in; shorter lists are filled up with rows that match
// nothing. Few texts mean few prepared statements.
var sizes = []int{1, 4, 16, 64, 256}

func sizeFor(n int) int {
	for _, s := range sizes {
		if n <= s {
			return s
		}
	}
	return sizes[len(sizes)-1]
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
	for part := range slices.Chunk(wants, sizes[len(sizes)-1]) {
		size := sizeFor(len(part))
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

var roomSQL = bySize(func(n int) string {
	return `UPDATE chunk SET points = chunk.points + v.column4,
			last_no = CASE WHEN chunk.last_no > v.column5 THEN chunk.last_no ELSE v.column5 END
		FROM (VALUES ` + sqldb.RowsOf(1, n, "TEXT", "TEXT", "BIGINT", "BIGINT", "BIGINT", "BIGINT") + `) AS v
		WHERE chunk.profile_id = v.column1 AND chunk.device_id = v.column2 AND chunk.start = v.column3
			AND chunk.points + v.column4 <= v.column6
		RETURNING profile_id, device_id, start, epoch`
})

func bySize(f func(n int) string) map[int]string {
	m := map[int]string{}
	for _, n := range sizes {
		m[n] = f(n)
	}
	return m
}

// present tells which wants' chunks exist.
func (s *store) present(ctx context.Context, wants []*want) (map[chunkKey]bool, error) {
	there := map[chunkKey]bool{}
	for part := range slices.Chunk(wants, sizes[len(sizes)-1]) {
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
	size = sizeFor(len(keys))
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
	for part := range slices.Chunk(known, sizes[len(sizes)-1]) {
		size := sizeFor(len(part))
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
	for part := range slices.Chunk(wants, sizes[len(sizes)-1]) {
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

// insertSizes are the numbers of rows in an INSERT, largest first.
var insertSizes = []int{200, 50, 10, 1}

// Most points are a number, perhaps with a unit. They are inserted without naming the columns they leave
// empty, which saves a third of the arguments.
var (
	insertFull  = insertBySize(`INSERT INTO point (no, profile_no, series, time, kind, num, unit, grp, txt, lat, lng, metadata) VALUES `, 12)
	insertPlain = insertBySize(`INSERT INTO point (no, profile_no, series, time, kind, num, unit, grp) VALUES `, 8)
)

func insertBySize(text string, columns int) map[int]string {
	m := map[int]string{}
	for _, n := range insertSizes {
		m[n] = text + sqldb.Rows(1, n, columns)
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
		n := 1
		for _, size := range insertSizes {
			if size <= len(batch) {
				n = size
				break
			}
		}
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
	for part := range slices.Chunk(batch, most) {
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

// ref is a series that is there, with what its chunk tells about it.
type ref struct {
	chunk    int64
	variable string
	no       int64
	points   int64 // in the whole chunk
	first    int64 // numbers of the chunk's points lie from first, about, …
	last     int64 // … to last
}

// refs lists the series of a device, all or those of the variables, in chunks that start from lo to hi, by
// chunk and variable.
func (s *store) refs(ctx context.Context, p id.Profile, d id.Device, variables []string, lo, hi int64) ([]ref, error) {
	w := sqldb.NewWhere("s.profile_id = ?", p).And("s.device_id = ?", d).And("s.chunk >= ?", lo).And("s.chunk <= ?", hi)
	if len(variables) > 0 {
		sqldb.In(w, "s.variable", variables)
	}
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (f ref, err error) {
		return f, r.Scan(&f.chunk, &f.variable, &f.no, &f.points, &f.first, &f.last)
	}, `SELECT s.chunk, s.variable, s.no, c.points, c.first_no, c.last_no
		FROM series s JOIN chunk c ON c.profile_id = s.profile_id AND c.device_id = s.device_id AND c.start = s.chunk`+w.SQL()+`
		ORDER BY s.chunk, s.variable`, w.Args()...)
}

// chunkInfo is a chunk and how many points it holds.
type chunkInfo struct {
	device id.Device
	start  int64
	points int64
}

// chunks lists what a device holds, oldest first.
func (s *store) chunks(ctx context.Context, p id.Profile, d id.Device) ([]chunkInfo, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (c chunkInfo, err error) {
		c.device = d
		return c, r.Scan(&c.start, &c.points)
	}, `SELECT start, points FROM chunk WHERE profile_id = $1 AND device_id = $2 ORDER BY start`, p, d)
}

// aged lists devices, after one and across profiles, that have a chunk which began before a time. Those of
// mutable devices, which begin at 0, are left out.
func (s *store) aged(ctx context.Context, after owner, before int64, limit int) ([]owner, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (o owner, err error) { return o, r.Scan(&o.profile, &o.device) },
		`SELECT profile_id, device_id FROM chunk WHERE (profile_id, device_id) > ($1, $2) AND start > 0 AND start < $3
		GROUP BY profile_id, device_id ORDER BY profile_id, device_id LIMIT $4`, after.profile, after.device, before, int64(limit))
}

// amount is how many points a device holds.
func (s *store) amount(ctx context.Context, p id.Profile, d id.Device) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM chunk WHERE profile_id = $1 AND device_id = $2`, p, d).Scan(&n)
	return n, err
}

// key is a place in a series: points lie by time, then number.
type key struct{ time, no int64 }

// sel says which points of a profile a read wants, besides series and place.
type sel struct {
	profileNo int64
	from, to  int64 // time, both included
	filter    *filter
}

// filter narrows by what the index does not know. A nil filter lets everything pass.
type filter struct {
	groups  []string
	values  []string // as written in a query; each stands for a text, a number or a boolean
	kind    Kind     // this kind only, unless None
	valued  bool     // with a value only
	located bool     // with a location only
	compare string   // "<", "<=", ">", ">=", "=", "<>" on numbers, with bound; "" for none
	bound   float64
}

// scope begins the condition of a read with the profile, which is $1, and the filter. Statements are written
// as "… WHERE profile_no = $1" + tail(w).
func (q sel) scope() *sqldb.Where {
	w := sqldb.NewWhere("profile_no = ?", q.profileNo)
	if f := q.filter; f != nil {
		if len(f.groups) > 0 {
			sqldb.In(w, "grp", f.groups)
		}
		if len(f.values) > 0 {
			var or []string
			marks := func(vs []any) string {
				ms := make([]string, len(vs))
				for i, v := range vs {
					ms[i] = w.Arg(v)
				}
				return strings.Join(ms, ",")
			}
			texts, nums, bools := f.split()
			or = append(or, "kind = 2 AND txt IN ("+marks(texts)+")")
			if len(nums) > 0 {
				or = append(or, "kind = 1 AND num IN ("+marks(nums)+")")
			}
			if len(bools) > 0 {
				or = append(or, "kind = 3 AND num IN ("+marks(bools)+")")
			}
			w.And("(" + strings.Join(or, " OR ") + ")")
		}
		if f.kind != None {
			w.And("kind = ?", int64(f.kind))
		}
		if f.valued {
			w.And("kind <> 0")
		}
		if f.located {
			w.And("lat IS NOT NULL")
		}
		if f.compare != "" {
			w.And("kind = 1 AND num "+f.compare+" ?", f.bound)
		}
	}
	return w
}

// tail is what w says after the profile.
func tail(w *sqldb.Where) string { return strings.TrimPrefix(w.SQL(), " WHERE profile_no = $1") }

// split sorts the values of a query into what they may stand for.
func (f *filter) split() (texts, nums, bools []any) {
	for _, v := range f.values {
		texts = append(texts, v)
		if n, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
			nums = append(nums, n)
		}
		switch v {
		case "true":
			bools = append(bools, 1.0)
		case "false":
			bools = append(bools, 0.0)
		}
	}
	return texts, nums, bools
}

// match is the filter in Go, for points that were found by their ids.
func (f *filter) match(p *Point) bool {
	if f == nil {
		return true
	}
	if len(f.groups) > 0 && !slices.Contains(f.groups, p.Group) {
		return false
	}
	if len(f.values) > 0 {
		texts, nums, bools := f.split()
		switch p.Kind {
		case Text:
			if !slices.Contains(texts, any(p.Text)) {
				return false
			}
		case Number:
			if !slices.Contains(nums, any(p.Num)) {
				return false
			}
		case Bool:
			if !slices.Contains(bools, any(p.Num)) {
				return false
			}
		default:
			return false
		}
	}
	if f.kind != None && p.Kind != f.kind || f.valued && p.Kind == None || f.located && !p.Located {
		return false
	}
	if f.compare != "" {
		if p.Kind != Number {
			return false
		}
		switch f.compare {
		case "<":
			return p.Num < f.bound
		case "<=":
			return p.Num <= f.bound
		case ">":
			return p.Num > f.bound
		case ">=":
			return p.Num >= f.bound
		case "=":
			return p.Num == f.bound
		default:
			return p.Num != f.bound
		}
	}
	return true
}

// fullColumns are what pointOf scans.
const fullColumns = "no, series, time, kind, num, txt, unit, grp, lat, lng, metadata"

func pointOf(r sqldb.Scanner) (p Point, err error) {
	var kind int64
	var num, lat, lng sql.NullFloat64
	var txt, unit, grp, meta sql.NullString
	if err := r.Scan(&p.no, &p.series, &p.Time, &kind, &num, &txt, &unit, &grp, &lat, &lng, &meta); err != nil {
		return p, err
	}
	p.Kind, p.Num, p.Text, p.Unit, p.Group, p.Metadata = Kind(kind), num.Float64, txt.String, unit.String, grp.String, meta.String
	p.Located, p.Lat, p.Lng = lat.Valid, lat.Float64, lng.Float64
	return p, nil
}

// span is a part of a series: from low (excluded) to high (excluded), both keys.
type span struct {
	series    int64
	low, high key
}

// stretch is a part of a span that the index finds by itself on both engines: all between two times, or the
// points of one instant between two numbers. All bounds are excluded.
type stretch struct {
	instant  bool
	at       int64 // of an instant
	from, to int64 // times, or the numbers of an instant
}

// stretches cuts a span into stretches, in the given order.
func (sp span) stretches(desc bool) []stretch {
	var out []stretch
	if sp.low.time == sp.high.time {
		return append(out, stretch{true, sp.low.time, sp.low.no, sp.high.no})
	}
	if sp.low.no != math.MaxInt64 {
		out = append(out, stretch{true, sp.low.time, sp.low.no, math.MaxInt64})
	}
	out = append(out, stretch{from: sp.low.time, to: sp.high.time})
	if sp.high.no != math.MinInt64 {
		out = append(out, stretch{true, sp.high.time, math.MinInt64, sp.high.no})
	}
	if desc {
		slices.Reverse(out)
	}
	return out
}

// within adds a stretch of a series to a condition.
func within(w *sqldb.Where, series int64, st stretch) string {
	if st.instant {
		return "series = " + w.Arg(series) + " AND time = " + w.Arg(st.at) + " AND no > " + w.Arg(st.from) + " AND no < " + w.Arg(st.to)
	}
	return "series = " + w.Arg(series) + " AND time > " + w.Arg(st.from) + " AND time < " + w.Arg(st.to)
}

func direction(desc bool) string {
	if desc {
		return "DESC"
	}
	return "ASC"
}

// pages reads up to limit points from each of the spans, in order of time (the newest first when desc), in one
// statement. Spans with a filter must be short enough for one statement; see windows. The answer has the
// points of each span in order; those of different spans follow each other.
func (s *store) pages(ctx context.Context, q sel, spans []span, desc bool, limit int) ([]Point, error) {
	type job struct {
		series int64
		stretch
	}
	var ranges, instants []job
	for _, sp := range spans {
		for _, st := range sp.stretches(desc) {
			if st.instant {
				instants = append(instants, job{sp.series, st})
			} else {
				ranges = append(ranges, job{sp.series, st})
			}
		}
	}
	// Few shapes of text: each kind is filled up to a size.
	fill := func(jobs []job) []job {
		if len(jobs) == 0 {
			return jobs
		}
		instant := jobs[0].instant
		for size := sizeFor(len(jobs)); len(jobs) < size; {
			jobs = append(jobs, job{-1, stretch{instant: instant}})
		}
		return jobs
	}
	w := q.scope()
	common := tail(w)
	lim := w.Arg(int64(limit))
	dir := direction(desc)
	var b strings.Builder
	for i, j := range append(fill(ranges), fill(instants)...) {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, `SELECT * FROM (SELECT `+fullColumns+` FROM point WHERE profile_no = $1%s AND %s ORDER BY time %s, no %s LIMIT %s) AS s%d`,
			common, within(w, j.series, j.stretch), dir, dir, lim, i)
	}
	points, err := sqldb.All(ctx, s.db, pointOf, b.String(), w.Args()...)
	if err != nil || len(instants) == 0 && len(spans) == 1 {
		return points, err
	}
	slices.SortStableFunc(points, func(a, b Point) int {
		if a.series != b.series {
			return cmp.Compare(a.series, b.series)
		}
		c := cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.no, b.no))
		if desc {
			return -c
		}
		return c
	})
	out, of := points[:0], 0
	for i := range points { // a span of several stretches may have brought more than its limit
		if i == 0 || points[i].series != points[i-1].series {
			of = 0
		}
		if of++; of <= limit {
			out = append(out, points[i])
		}
	}
	return out, nil
}

// ends finds the key of the n-th point of a span in the given order; false when it has fewer, and then left
// says how many.
func (s *store) ends(ctx context.Context, profileNo int64, sp span, desc bool, n int) (end key, found bool, left int64, err error) {
	dir := direction(desc)
	for _, st := range sp.stretches(desc) {
		w := sqldb.NewWhere("profile_no = ?", profileNo)
		cond := within(w, sp.series, st)
		skip := w.Arg(int64(n - 1))
		end, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (k key, err error) { return k, r.Scan(&k.time, &k.no) },
			`SELECT time, no FROM point WHERE profile_no = $1 AND `+cond+` ORDER BY time `+dir+`, no `+dir+` LIMIT 1 OFFSET `+skip, w.Args()...)
		if err != nil || found {
			return end, found, 0, err
		}
		fewer, err := s.countIn(ctx, sel{profileNo: profileNo}, sp.series, st)
		if err != nil {
			return end, false, 0, err
		}
		n -= int(fewer)
		left += fewer
	}
	return end, false, left, nil
}

// windows cuts a span into pieces of at most most points and calls f with each, in the given order, until f
// says stop. whole says that the span is known to be short.
func (s *store) windows(ctx context.Context, profileNo int64, sp span, desc, whole bool, f func(piece span, full bool) (stop bool, err error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if whole {
			_, err := f(sp, false)
			return err
		}
		end, more, _, err := s.ends(ctx, profileNo, sp, desc, most)
		if err != nil {
			return err
		}
		if !more {
			_, err := f(sp, false)
			return err
		}
		piece := sp
		if desc {
			piece.low = key{end.time, end.no - 1}
			sp.high = end
		} else {
			piece.high = key{end.time, end.no + 1}
			sp.low = end
		}
		if stop, err := f(piece, true); stop || err != nil {
			return err
		}
	}
}

// scan calls f with time and value of the numbers in a piece, in order of time.
func (s *store) scan(ctx context.Context, q sel, piece span, desc bool, f func(time int64, num float64)) error {
	dir := direction(desc)
	for _, st := range piece.stretches(desc) {
		w := q.scope()
		cond := tail(w) + " AND " + within(w, piece.series, st)
		rows, err := s.db.Query(ctx, `SELECT time, num FROM point WHERE profile_no = $1`+cond+` AND kind = 1 ORDER BY time `+dir+`, no `+dir, w.Args()...)
		if err != nil {
			return err
		}
		if err := each(rows, func() error {
			var t int64
			var v float64
			err := rows.Scan(&t, &v)
			f(t, v)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// count counts the points of a piece.
func (s *store) count(ctx context.Context, q sel, piece span) (n int64, err error) {
	for _, st := range piece.stretches(false) {
		k, err := s.countIn(ctx, q, piece.series, st)
		if err != nil {
			return 0, err
		}
		n += k
	}
	return n, nil
}

func (s *store) countIn(ctx context.Context, q sel, series int64, st stretch) (n int64, err error) {
	w := q.scope()
	cond := tail(w) + " AND " + within(w, series, st)
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM point WHERE profile_no = $1`+cond, w.Args()...).Scan(&n)
	return n, err
}

// extreme reads the point with the largest (or smallest) number of a piece, the newest of equals.
func (s *store) extreme(ctx context.Context, q sel, piece span, largest bool) (best Point, found bool, err error) {
	for _, st := range piece.stretches(false) {
		w := q.scope()
		cond := tail(w) + " AND " + within(w, piece.series, st)
		p, ok, err := sqldb.One(ctx, s.db, pointOf, `SELECT `+fullColumns+` FROM point WHERE profile_no = $1`+cond+` AND kind = 1
			ORDER BY num `+direction(largest)+`, time DESC, no DESC LIMIT 1`, w.Args()...)
		if err != nil {
			return best, false, err
		}
		// Later stretches are newer: of equals they win.
		if ok && (!found || p.Num == best.Num || p.Num > best.Num == largest) {
			best, found = p, true
		}
	}
	return best, found, nil
}

// utmost is the largest (or smallest) number of the points in a piece; 0 for none.
func (s *store) utmost(ctx context.Context, q sel, piece span, largest bool) (no int64, err error) {
	f := "MIN"
	if largest {
		f = "MAX"
	}
	for _, st := range piece.stretches(false) {
		w := q.scope()
		cond := tail(w) + " AND " + within(w, piece.series, st)
		var k int64
		if err := s.db.QueryRow(ctx, `SELECT COALESCE(`+f+`(no), 0) FROM point WHERE profile_no = $1`+cond, w.Args()...).Scan(&k); err != nil {
			return 0, err
		}
		if k != 0 && (no == 0 || k > no == largest) {
			no = k
		}
	}
	return no, nil
}

// byNo reads points by their numbers, in no order.
func (s *store) byNo(ctx context.Context, profileNo int64, nos []int64) ([]Point, error) {
	var out []Point
	for part := range slices.Chunk(nos, 256) {
		size, args := numberArgs(profileNo, part)
		ps, err := sqldb.All(ctx, s.db, pointOf, `SELECT `+fullColumns+` FROM point
			WHERE (profile_no, no) IN (VALUES `+sqldb.RowsOf(1, size, "BIGINT", "BIGINT")+`)`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	return out, nil
}

func numberArgs(profileNo int64, nos []int64) (size int, args []any) {
	size = sizeFor(len(nos))
	args = make([]any, 0, 2*size)
	for _, no := range nos {
		args = append(args, profileNo, no)
	}
	for range size - len(nos) {
		args = append(args, profileNo, int64(-1))
	}
	return size, args
}

// lock makes this transaction the only one that changes a chunk. It returns how many points it holds; false
// when it is not there.
func (s *store) lock(ctx context.Context, k chunkKey) (points int64, ok bool, err error) {
	return sqldb.One(ctx, s.db, sqldb.Value[int64], `UPDATE chunk SET points = points
		WHERE profile_id = $1 AND device_id = $2 AND start = $3 RETURNING points`, k.profile, k.device, k.start)
}

// edit overwrites a point of a locked chunk. Number and series stay.
func (s *store) edit(ctx context.Context, profileNo int64, p *Point) error {
	_, err := s.db.Exec(ctx, `UPDATE point SET time = $1, kind = $2, num = $3, txt = $4, unit = $5, grp = $6, lat = $7, lng = $8, metadata = $9
		WHERE profile_no = $10 AND no = $11`,
		p.Time, int64(p.Kind), p.num(), p.txt(), orNull(p.Unit), orNull(p.Group), p.lat(), p.lng(), orNull(p.Metadata), profileNo, p.no)
	return err
}

// remove deletes points of a locked chunk by their numbers, lowers its counter and returns how many there
// were. Points of other chunks, and of series that ended meanwhile, are left alone. Series that lose their
// last point end.
func (s *store) remove(ctx context.Context, k chunkKey, profileNo int64, nos []int64) (int64, error) {
	alive := map[int64]bool{}
	list, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM series WHERE profile_id = $1 AND device_id = $2 AND chunk = $3`, k.profile, k.device, k.start)
	if err != nil {
		return 0, err
	}
	for _, no := range list {
		alive[no] = true
	}
	var total int64
	touched := map[int64]bool{}
	for part := range slices.Chunk(nos, 256) {
		found, err := s.byNo(ctx, profileNo, part)
		if err != nil {
			return 0, err
		}
		here := make([]int64, 0, len(found))
		for _, p := range found {
			if alive[p.series] {
				here = append(here, p.no)
				touched[p.series] = true
			}
		}
		if len(here) == 0 {
			continue
		}
		n, err := s.deletePoints(ctx, profileNo, here)
		if err != nil {
			return 0, err
		}
		total += n
	}
	if total == 0 {
		return 0, nil
	}
	if err := s.room(ctx, []*want{{chunkKey: k, n: -total, most: math.MaxInt64}}, nil); err != nil {
		return 0, err
	}
	return total, s.endEmpty(ctx, k, profileNo, touched)
}

func (s *store) deletePoints(ctx context.Context, profileNo int64, nos []int64) (int64, error) {
	size, args := numberArgs(profileNo, nos)
	return s.db.Exec(ctx, `DELETE FROM point WHERE (profile_no, no) IN (VALUES `+sqldb.RowsOf(1, size, "BIGINT", "BIGINT")+`)`, args...)
}

// endEmpty deletes those of the series that have no point left.
func (s *store) endEmpty(ctx context.Context, k chunkKey, profileNo int64, series map[int64]bool) error {
	ended := false
	for no := range series {
		n, err := s.db.Exec(ctx, `DELETE FROM series WHERE profile_id = $1 AND no = $2
			AND NOT EXISTS (SELECT 1 FROM point WHERE profile_no = $3 AND series = $4)`, k.profile, no, profileNo, no)
		if err != nil {
			return err
		}
		ended = ended || n > 0
	}
	if !ended {
		return nil
	}
	_, err := s.db.Exec(ctx, `UPDATE chunk SET epoch = $1 WHERE profile_id = $2 AND device_id = $3 AND start = $4`, s.numbers.take(1), k.profile, k.device, k.start)
	return err
}

// detach takes chunks off a device, all of them when starts is nil, and returns how many points they held.
// Whoever stores into one of them waits for this transaction and then finds it gone.
func (s *store) detach(ctx context.Context, p id.Profile, d id.Device, starts []int64) (int64, error) {
	w := sqldb.NewWhere("profile_id = ?", p).And("device_id = ?", d)
	if starts != nil {
		sqldb.In(w, "start", starts)
	}
	type gone struct{ start, points, profileNo int64 }
	chunks, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (g gone, err error) { return g, r.Scan(&g.start, &g.points, &g.profileNo) },
		`DELETE FROM chunk`+w.SQL()+` RETURNING start, points, profile_no`, w.Args()...)
	if err != nil {
		return 0, fmt.Errorf("detach chunks: %w", err)
	}
	var total int64
	for part := range slices.Chunk(chunks, 256) {
		ended := make([]int64, len(part))
		for i, c := range part {
			ended[i] = c.start
			total += c.points
		}
		w := &sqldb.Where{}
		no := w.Arg(part[0].profileNo)
		w.And("profile_id = ?", p).And("device_id = ?", d)
		sqldb.In(w, "chunk", ended)
		if _, err := s.db.Exec(ctx, `INSERT INTO series_purge (profile_id, series, profile_no)
			SELECT profile_id, no, CAST(`+no+` AS BIGINT) FROM series`+w.SQL(), w.Args()...); err != nil {
			return 0, fmt.Errorf("detach series: %w", err)
		}
		w = sqldb.NewWhere("profile_id = ?", p).And("device_id = ?", d)
		sqldb.In(w, "chunk", ended)
		if _, err := s.db.Exec(ctx, `DELETE FROM series`+w.SQL(), w.Args()...); err != nil {
			return 0, fmt.Errorf("detach series: %w", err)
		}
	}
	return total, nil
}

// purgeSlice is how many points one purge deletes: small, so that whoever writes next hardly waits.
const purgeSlice = 256

// purge deletes some points of detached series, across profiles, in a transaction of its own. It returns how
// many, and whether more is left to do.
func (s *store) purge(ctx context.Context) (n int64, more bool, err error) {
	type item struct {
		profile   id.Profile
		series    int64
		profileNo int64
	}
	list, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (i item, err error) {
		return i, r.Scan(&i.profile, &i.series, &i.profileNo)
	}, `SELECT profile_id, series, profile_no FROM series_purge ORDER BY profile_id, series LIMIT 64`)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	of := list[0]
	var series []int64
	for _, i := range list {
		if i.profile == of.profile {
			series = append(series, i.series)
		}
	}
	w := sqldb.NewWhere("profile_no = ?", of.profileNo)
	sqldb.In(w, "series", series)
	lim := w.Arg(int64(purgeSlice))
	nos, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM point`+w.SQL()+` LIMIT `+lim, w.Args()...)
	if err != nil {
		return 0, false, err
	}
	err = s.db.Tx(sqldb.Cost(ctx, len(nos)+len(series)), func(ctx context.Context) (err error) {
		n = 0
		if len(nos) > 0 {
			if n, err = s.deletePoints(ctx, of.profileNo, nos); err != nil {
				return err
			}
		}
		if len(nos) == purgeSlice {
			return nil
		}
		w := sqldb.NewWhere("profile_id = ?", of.profile)
		sqldb.In(w, "series", series)
		_, err = s.db.Exec(ctx, `DELETE FROM series_purge`+w.SQL(), w.Args()...)
		return err
	})
	return n, err == nil, err
}

// wipe deletes a slice of all that a profile holds, in a transaction of its own, and says whether nothing is left.
func (s *store) wipe(ctx context.Context, p id.Profile, profileNo int64) (done bool, err error) {
	nos, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM point WHERE profile_no = $1 LIMIT $2`, profileNo, int64(purgeSlice))
	if err != nil {
		return false, err
	}
	if len(nos) > 0 {
		err = s.db.Tx(sqldb.Cost(ctx, len(nos)), func(ctx context.Context) error {
			_, err := s.deletePoints(ctx, profileNo, nos)
			return err
		})
		return false, err
	}
	var n int64
	err = s.db.Tx(sqldb.Cost(ctx, 200), func(ctx context.Context) error {
		n = 0
		for _, q := range []string{
			`DELETE FROM series WHERE profile_id = $1 AND no IN (SELECT no FROM series WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM chunk WHERE profile_id = $1 AND (device_id, start) IN (SELECT device_id, start FROM chunk WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM series_purge WHERE profile_id = $1 AND series IN (SELECT series FROM series_purge WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM idempotency WHERE profile_id = $1 AND (device_id, key) IN (SELECT device_id, key FROM idempotency WHERE profile_id = $2 LIMIT 500)`,
		} {
			k, err := s.db.Exec(ctx, q, p, p)
			if err != nil {
				return err
			}
			n += k
		}
		if n > 0 {
			return nil
		}
		_, err := s.db.Exec(ctx, `DELETE FROM series_number WHERE profile_id = $1`, p)
		return err
	})
	return n == 0, err
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
