package data

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

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

// aged is a device with the start of its oldest chunk.
type aged struct {
	owner
	start int64
}

// aging lists devices, after one and across profiles, that have a chunk which began before a time. Those of
// mutable devices, which begin at 0, are left out.
func (s *store) aging(ctx context.Context, after owner, before int64, limit int) ([]aged, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (a aged, err error) { return a, r.Scan(&a.profile, &a.device, &a.start) },
		`SELECT profile_id, device_id, MIN(start) FROM chunk WHERE (profile_id, device_id) > ($1, $2) AND start > 0 AND start < $3
		GROUP BY profile_id, device_id ORDER BY profile_id, device_id LIMIT $4`, after.profile, after.device, before, int64(limit))
}

// amount is how many points a device holds in chunks that start at from or later.
func (s *store) amount(ctx context.Context, p id.Profile, d id.Device, from int64) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM chunk WHERE profile_id = $1 AND device_id = $2 AND start >= $3`,
		p, d, from).Scan(&n)
	return n, err
}

// amounts is how many points some devices hold together, those included that retention is about to end.
func (s *store) amounts(ctx context.Context, p id.Profile, ds []id.Device) (int64, error) {
	var sum int64
	for part := range slices.Chunk(ds, 500) {
		w := sqldb.NewWhere("profile_id = ?", p)
		sqldb.In(w, "device_id", part)
		var n int64
		if err := s.db.QueryRow(ctx, `SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM chunk`+w.SQL(), w.Args()...).Scan(&n); err != nil {
			return 0, fmt.Errorf("count the points of devices: %w", err)
		}
		sum += n
	}
	return sum, nil
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

// all is the whole of a series.
func all(series int64) span {
	return span{series: series, low: key{math.MinInt64, math.MaxInt64}, high: key{math.MaxInt64, math.MinInt64}}
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
		for size := sqldb.SizeFor(len(jobs)); len(jobs) < size; {
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

// newest reads the newest point of a variable in the last chunk, of those that start from lo, that has it. false
// says that there is none, or that others are making it.
func (s *store) newest(ctx context.Context, p id.Profile, d id.Device, profileNo int64, variable string, lo int64) (Point, bool, error) {
	point, ok, err := sqldb.One(ctx, s.db, pointOf, `SELECT `+fullColumns+` FROM point WHERE profile_no = $1 AND series =
			(SELECT no FROM series WHERE profile_id = $2 AND device_id = $3 AND chunk >= $4 AND variable = $5 ORDER BY chunk DESC LIMIT 1)
		ORDER BY time DESC, no DESC LIMIT 1`, profileNo, p, d, lo, variable)
	point.Variable = variable
	return point, ok, err
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

// windows cuts a span into pieces of at most s.most points and calls f with each, in the given order, until f
// says stop. whole says that the span is known to be short.
func (s *store) windows(ctx context.Context, profileNo int64, sp span, desc, whole bool, f func(piece span, full bool) (stop bool, err error)) error {
	for {
		done, err := s.window(ctx, profileNo, &sp, desc, whole, f)
		if done || err != nil {
			return err
		}
	}
}

// window is one piece of windows. Before it there is a gate: a reader that walks far leaves processors to others
// and, when others walk far too, takes turns with them.
func (s *store) window(ctx context.Context, profileNo int64, sp *span, desc, whole bool, f func(piece span, full bool) (stop bool, err error)) (done bool, err error) {
	pass, err := s.far.Enter(ctx, strconv.FormatInt(profileNo, 10), 1)
	if err != nil {
		return false, err
	}
	defer pass.Leave()
	if whole {
		_, err := f(*sp, false)
		return true, err
	}
	end, more, _, err := s.ends(ctx, profileNo, *sp, desc, s.most)
	if err != nil {
		return false, err
	}
	if !more {
		_, err := f(*sp, false)
		return true, err
	}
	piece := *sp
	if desc {
		piece.low = key{end.time, end.no - 1}
		sp.high = end
	} else {
		piece.high = key{end.time, end.no + 1}
		sp.low = end
	}
	return f(piece, true)
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
		// no + 0: else PostgreSQL would walk the primary key for the first that lies in the piece.
		if err := s.db.QueryRow(ctx, `SELECT COALESCE(`+f+`(no + 0), 0) FROM point WHERE profile_no = $1`+cond, w.Args()...).Scan(&k); err != nil {
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
	size = sqldb.SizeFor(len(nos))
	args = make([]any, 0, 2*size)
	for _, no := range nos {
		args = append(args, profileNo, no)
	}
	for range size - len(nos) {
		args = append(args, profileNo, int64(-1))
	}
	return size, args
}
