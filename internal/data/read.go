package data

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
	"time"

	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

// maxAnswer bounds the texts and metadata of one answer, in bytes.
const maxAnswer = 32_000_000

// reader reads the points of one device for one query.
type reader struct {
	store *store
	sel   sel
	desc  bool
	bytes int
}

// reader prepares a query on a device: it says which series the query speaks of.
func (s *Service) reader(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) (*reader, []ref, error) {
	r := &reader{store: s.store, desc: !q.asc, sel: sel{profileNo: v.ProfileNo, from: q.from, to: q.to, filter: q.filter()}}
	lo, hi := s.since(v), int64(math.MaxInt64)
	if v.Type == device.Immutable {
		hi = q.to
		if q.from > lo {
			lo = periodStart(v.ChunkPeriod, q.from)
		}
	}
	refs, err := s.store.refs(ctx, p, d, q.variables, lo, hi)
	return r, refs, err
}

// span is all of a series that lies in the query's range of time.
func (r *reader) span(f ref) span {
	return span{series: f.no, low: key{r.sel.from - 1, math.MaxInt64}, high: key{r.sel.to + 1, math.MinInt64}}
}

// short says that a series can be read by one statement whatever the filter.
func (r *reader) short(f ref) bool { return f.points <= int64(r.store.most) }

// cursor walks the series of one variable, chunk after chunk, in the order of the reader.
type cursor struct {
	variable string
	refs     []ref // in reading order, the current one first
	left     span  // what is to be read of the current one
	probed   bool  // the next points of the current one have been looked at; see fill
	buf      []Point
}

func (c *cursor) done() bool { return len(c.refs) == 0 && len(c.buf) == 0 }

// cursors makes one cursor for each variable, by name.
func (r *reader) cursors(refs []ref) []*cursor {
	by := map[string]*cursor{}
	var out []*cursor
	for _, f := range refs { // oldest chunk first
		c := by[f.variable]
		if c == nil {
			c = &cursor{variable: f.variable}
			by[f.variable] = c
			out = append(out, c)
		}
		c.refs = append(c.refs, f)
	}
	slices.SortFunc(out, func(a, b *cursor) int { return cmp.Compare(a.variable, b.variable) })
	for _, c := range out {
		if r.desc {
			slices.Reverse(c.refs)
		}
		c.left = r.span(c.refs[0])
	}
	return out
}

// next goes on to the next chunk.
func (r *reader) next(c *cursor) {
	c.refs, c.probed = c.refs[1:], false
	if len(c.refs) > 0 {
		c.left = r.span(c.refs[0])
	}
}

// past leaves everything up to k behind.
func (r *reader) past(c *cursor, k key) {
	if r.desc {
		c.left.high = k
	} else {
		c.left.low = k
	}
}

// probe is how many points of a long series are looked at before a filter searches it window by window.
const probe = 64

// fill reads on for every cursor whose buffer is empty, up to limit points each, until each has at least one
// or has nothing left. Cursors are read together where one statement can. Of a long series that is filtered
// the next few points are read without the filter first: often they are what is looked for.
func (r *reader) fill(ctx context.Context, cs []*cursor, limit int) error {
	for {
		var direct, long []*cursor
		for _, c := range cs {
			for len(c.buf) == 0 && len(c.refs) > 0 && r.long(c) && c.probed {
				if err := r.search(ctx, c, min(limit, r.store.most)); err != nil {
					return err
				}
			}
			switch {
			case len(c.buf) > 0 || len(c.refs) == 0:
			case r.long(c):
				long = append(long, c)
			default:
				direct = append(direct, c)
			}
		}
		if len(direct)+len(long) == 0 {
			return nil
		}
		if err := r.pages(ctx, direct, r.sel, limit); err != nil {
			return err
		}
		bare := r.sel
		bare.filter = nil
		if err := r.pages(ctx, long, bare, min(limit, probe)); err != nil {
			return err
		}
		for _, c := range long {
			c.probed = true
			c.buf = slices.DeleteFunc(c.buf, func(p Point) bool { return !r.sel.filter.match(&p) })
		}
	}
}

// long says that what the cursor reads now is filtered and too long for one statement.
func (r *reader) long(c *cursor) bool { return r.sel.filter != nil && !r.short(c.refs[0]) }

// pages reads the next points of cursors whose buffers are empty.
func (r *reader) pages(ctx context.Context, cs []*cursor, q sel, limit int) error {
	for group := range slices.Chunk(cs, 64) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := max(1, min(limit, r.store.most/len(group)))
		spans := make([]span, len(group))
		by := make(map[int64]*cursor, len(group))
		for i, c := range group {
			spans[i] = c.left
			by[c.left.series] = c
		}
		points, err := r.store.pages(ctx, q, spans, r.desc, n)
		if err != nil {
			return err
		}
		for _, p := range points {
			c := by[p.series]
			p.Variable = c.variable
			c.buf = append(c.buf, p)
		}
		for _, c := range group {
			if len(c.buf) < n {
				r.next(c)
				continue
			}
			last := c.buf[len(c.buf)-1]
			r.past(c, key{last.Time, last.no})
		}
	}
	return nil
}

// search looks for filtered points in a long series, window by window, until it has some or the series ends.
func (r *reader) search(ctx context.Context, c *cursor, limit int) error {
	ended := true
	err := r.store.windows(ctx, r.sel.profileNo, c.left, r.desc, false, func(piece span, full bool) (bool, error) {
		points, err := r.store.pages(ctx, r.sel, []span{piece}, r.desc, limit)
		if err != nil {
			return false, err
		}
		for i := range points {
			points[i].Variable = c.variable
		}
		c.buf = points
		switch {
		case len(points) == limit:
			last := points[limit-1]
			r.past(c, key{last.Time, last.no})
			ended = false
		case len(points) > 0 && full && r.desc:
			r.past(c, key{piece.low.time, piece.low.no + 1})
			ended = false
		case len(points) > 0 && full:
			r.past(c, key{piece.high.time, piece.high.no - 1})
			ended = false
		}
		return len(points) > 0, nil
	})
	if ended {
		r.next(c)
	}
	return err
}

// skip leaves n points of an unfiltered cursor behind without reading them.
func (r *reader) skip(ctx context.Context, c *cursor, n int) error {
	for n > 0 && len(c.refs) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := min(n, r.store.most)
		end, enough, rest, err := r.store.ends(ctx, r.sel.profileNo, c.left, r.desc, step)
		if err != nil {
			return err
		}
		if enough {
			r.past(c, end)
			n -= step
			continue
		}
		n -= int(rest)
		r.next(c)
	}
	return nil
}

// before is the order of reading.
func (r *reader) before(a, b *Point) bool {
	if r.desc {
		a, b = b, a
	}
	return a.Time < b.Time || a.Time == b.Time && a.no < b.no
}

// heads is a heap of cursors by their first point.
type heads struct {
	r  *reader
	cs []*cursor
}

func (h *heads) Len() int           { return len(h.cs) }
func (h *heads) Less(i, j int) bool { return h.r.before(&h.cs[i].buf[0], &h.cs[j].buf[0]) }
func (h *heads) Swap(i, j int)      { h.cs[i], h.cs[j] = h.cs[j], h.cs[i] }
func (h *heads) Push(x any)         { h.cs = append(h.cs, x.(*cursor)) }
func (h *heads) Pop() any {
	c := h.cs[len(h.cs)-1]
	h.cs = h.cs[:len(h.cs)-1]
	return c
}

// merge reads cursors as one list in order of time: qty points after the first skip.
func (r *reader) merge(ctx context.Context, cs []*cursor, skip, qty int) ([]Point, error) {
	if len(cs) == 1 && r.sel.filter == nil {
		if err := r.skip(ctx, cs[0], skip); err != nil {
			return nil, err
		}
		skip = 0
	}
	limit := min(r.store.most, skip+qty)
	if len(cs) > 1 {
		limit = min(r.store.most, 2*(skip+qty)/len(cs)+4)
	}
	if err := r.fill(ctx, cs, limit); err != nil {
		return nil, err
	}
	h := &heads{r: r}
	for _, c := range cs {
		if !c.done() {
			h.cs = append(h.cs, c)
		}
	}
	heap.Init(h)
	out := make([]Point, 0, min(qty, 1000))
	for h.Len() > 0 && len(out) < qty {
		c := h.cs[0]
		if skip > 0 {
			skip--
		} else {
			out = append(out, c.buf[0])
			if err := r.weigh(&c.buf[0]); err != nil {
				return nil, err
			}
		}
		c.buf = c.buf[1:]
		if len(c.buf) == 0 && len(out) < qty {
			if err := r.fill(ctx, []*cursor{c}, min(r.store.most, skip+qty-len(out))); err != nil {
				return nil, err
			}
		}
		if c.done() || len(c.buf) == 0 {
			heap.Pop(h)
			continue
		}
		heap.Fix(h, 0)
	}
	return out, nil
}

// weigh counts what an answer holds and refuses one that is too large.
func (r *reader) weigh(p *Point) error {
	if r.bytes += len(p.Text) + len(p.Metadata); r.bytes > maxAnswer {
		return fault.Field("qty", "the answer would have more than %d MB; ask for fewer rows", maxAnswer/1_000_000)
	}
	return nil
}

// order sorts rows for an answer.
func (r *reader) order(points []Point) []Point {
	slices.SortFunc(points, func(a, b Point) int {
		if r.before(&a, &b) {
			return -1
		}
		return 1
	})
	return points
}

// rows reads the rows of a query: every mode that answers points.
func (s *Service) rows(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) ([]Point, error) {
	if q.lastOfOne() {
		// What devices and dashboards ask most: one statement answers it, if the newest point is what is meant.
		newest, ok, err := s.store.newest(ctx, p, d, v.ProfileNo, q.variables[0], s.since(v))
		if err != nil {
			return nil, err
		}
		if ok && q.filter().match(&newest) {
			return []Point{newest}, nil
		}
	}
	r, refs, err := s.reader(ctx, p, d, v, q)
	if err != nil {
		return nil, err
	}
	if len(q.ids) > 0 {
		return s.named(ctx, r, refs, v, q)
	}
	if len(refs) == 0 {
		return []Point{}, nil
	}
	switch q.mode {
	case modeRows, modeConditional:
		cs := r.cursors(refs)
		if len(q.variables) < 2 {
			return r.merge(ctx, cs, q.skip, q.qty)
		}
		if q.skip == 0 { // the first pages of all variables together
			if err := r.fill(ctx, cs, min(r.store.most, q.qty)); err != nil {
				return nil, err
			}
		}
		out := []Point{}
		for _, c := range cs {
			var part []Point
			if q.skip == 0 && len(c.buf) >= q.qty {
				part = c.buf[:q.qty]
				for i := range part {
					if err := r.weigh(&part[i]); err != nil {
						return nil, err
					}
				}
			} else if part, err = r.merge(ctx, []*cursor{c}, q.skip, q.qty); err != nil {
				return nil, err
			}
			out = append(out, part...)
		}
		return r.order(out), nil
	case modeMin, modeMax:
		return s.extremes(ctx, r, refs, q)
	case modeLastInsert, modeFirstInsert:
		return s.byInsert(ctx, r, refs, q)
	}
	r.desc = q.mode == modeLastItem || q.mode == modeLastValue || q.mode == modeLastLocation
	cs := r.cursors(refs)
	if err := r.fill(ctx, cs, 1); err != nil {
		return nil, err
	}
	out := make([]Point, 0, len(cs))
	for _, c := range cs {
		if len(c.buf) > 0 && len(out) < maxQty {
			out = append(out, c.buf[0])
			if err := r.weigh(&c.buf[0]); err != nil {
				return nil, err
			}
		}
	}
	r.desc = !q.asc
	return r.order(out), nil
}

// named reads points by their ids.
func (s *Service) named(ctx context.Context, r *reader, refs []ref, v device.View, q *query) ([]Point, error) {
	if v.Type == device.Immutable {
		return nil, fault.New(fault.Invalid, "Filter using ID(s) is not supported on Immutable Storage Type")
	}
	if q.mode != modeRows {
		return nil, fault.Field("ids", "cannot be combined with query=%s", q.mode)
	}
	tails := make(map[int64]uint32, len(q.ids))
	nos := make([]int64, 0, len(q.ids))
	for _, name := range q.ids {
		no, series, ok := parseID(name)
		if !ok {
			return nil, fault.Field("ids", "%q is not an id", short(name))
		}
		if _, twice := tails[no]; !twice {
			nos = append(nos, no)
		}
		tails[no] = series
	}
	found, err := r.store.byNo(ctx, r.sel.profileNo, nos)
	if err != nil {
		return nil, err
	}
	names := make(map[int64]string, len(refs))
	for _, f := range refs {
		names[f.no] = f.variable
	}
	out := []Point{}
	for _, p := range found {
		variable, mine := names[p.series]
		if !mine || tails[p.no] != uint32(p.series) || p.Time < q.from || p.Time > q.to || !r.sel.filter.match(&p) {
			continue
		}
		p.Variable = variable
		out = append(out, p)
	}
	r.order(out)
	out = out[min(q.skip, len(out)):]
	out = out[:min(q.qty, len(out))]
	for i := range out {
		if err := r.weigh(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// extremes reads for each variable the point with its smallest or largest number, the newest of equals.
func (s *Service) extremes(ctx context.Context, r *reader, refs []ref, q *query) ([]Point, error) {
	largest := q.mode == modeMax
	best := map[string]Point{}
	for _, f := range refs {
		err := r.store.windows(ctx, r.sel.profileNo, r.span(f), true, r.short(f), func(piece span, _ bool) (bool, error) {
			p, ok, err := r.store.extreme(ctx, r.sel, piece, largest)
			if err != nil || !ok {
				return false, err
			}
			p.Variable = f.variable
			old, known := best[f.variable]
			better := !known || p.Num > old.Num == largest && p.Num != old.Num || p.Num == old.Num && (p.Time > old.Time || p.Time == old.Time && p.no > old.no)
			if better {
				best[f.variable] = p
			}
			return false, nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]Point, 0, len(best))
	for _, p := range best {
		out = append(out, p)
	}
	return r.order(out), nil
}

// byInsert reads for each variable the point that was stored last or first. Chunks tell the range of numbers
// of their points, so most need not be looked into.
func (s *Service) byInsert(ctx context.Context, r *reader, refs []ref, q *query) ([]Point, error) {
	last := q.mode == modeLastInsert
	slices.SortFunc(refs, func(a, b ref) int {
		if last {
			return cmp.Compare(b.last, a.last)
		}
		return cmp.Compare(a.first, b.first)
	})
	best := map[string]int64{}
	for _, f := range refs {
		old, known := best[f.variable]
		// Clocks of nodes differ: a number may be some seconds older than the first of its chunk.
		const slack = 10_000 << timeShift
		if known && (last && old >= f.last || !last && old < f.first-slack) {
			continue
		}
		err := r.store.windows(ctx, r.sel.profileNo, r.span(f), true, r.short(f), func(piece span, _ bool) (bool, error) {
			no, err := r.store.utmost(ctx, r.sel, piece, last)
			if err != nil || no == 0 {
				return false, err
			}
			if old, known := best[f.variable]; !known || no > old == last {
				best[f.variable] = no
			}
			return false, nil
		})
		if err != nil {
			return nil, err
		}
	}
	nos := make([]int64, 0, len(best))
	names := make(map[int64]string, len(best))
	for variable, no := range best {
		nos = append(nos, no)
		names[no] = variable
	}
	out, err := r.store.byNo(ctx, r.sel.profileNo, nos)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Variable = names[out[i].no]
	}
	slices.SortFunc(out, func(a, b Point) int {
		if r.desc {
			return cmp.Compare(b.no, a.no)
		}
		return cmp.Compare(a.no, b.no)
	})
	return out, nil
}

// count counts the points of a query.
func (s *Service) count(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) (int64, error) {
	if len(q.ids) > 0 {
		some := *q
		some.mode, some.qty, some.skip = modeRows, maxQty, 0
		points, err := s.rows(ctx, p, d, v, &some)
		return int64(len(points)), err
	}
	if len(q.variables) == 0 && !q.bounded && q.filter() == nil {
		return s.store.amount(ctx, p, d, s.since(v))
	}
	r, refs, err := s.reader(ctx, p, d, v, q)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, f := range refs {
		err := r.store.windows(ctx, r.sel.profileNo, r.span(f), true, r.short(f), func(piece span, full bool) (bool, error) {
			if full && r.sel.filter == nil {
				n += int64(r.store.most)
				return false, nil
			}
			k, err := r.store.count(ctx, r.sel, piece)
			n += k
			return false, err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// numbers calls f with every number of the query's points, variable by variable, in order of time, until f
// says that the variable has had enough.
func (r *reader) numbers(ctx context.Context, refs []ref, f func(variable string, time int64, num float64) (enough bool)) error {
	for _, c := range r.cursors(refs) {
		enough := false
		for _, ref := range c.refs {
			err := r.store.windows(ctx, r.sel.profileNo, r.span(ref), r.desc, r.short(ref), func(piece span, _ bool) (bool, error) {
				err := r.store.scan(ctx, r.sel, piece, r.desc, func(t int64, num float64) {
					enough = enough || f(c.variable, t, num)
				})
				return enough, err
			})
			if err != nil {
				return err
			}
			if enough {
				break
			}
		}
	}
	return nil
}

// tally is a running sum that loses nothing to rounding (Neumaier), and the extremes.
type tally struct {
	n             int64
	sum, lost     float64
	least, utmost float64
}

func (t *tally) add(v float64) {
	if t.n == 0 {
		t.least, t.utmost = v, v
	}
	t.least, t.utmost = min(t.least, v), max(t.utmost, v)
	t.n++
	s := t.sum + v
	if math.Abs(t.sum) >= math.Abs(v) {
		t.lost += (t.sum - s) + v
	} else {
		t.lost += (v - s) + t.sum
	}
	t.sum = s
}

// value is the result of a function; a sum beyond all numbers is a fault.
func (t *tally) value(function string) (float64, error) {
	var v float64
	switch {
	case t.n == 0:
		return 0, nil
	case function == modeMin:
		v = t.least
	case function == modeMax:
		v = t.utmost
	default:
		v = t.sum
		if !math.IsNaN(t.lost) {
			v += t.lost
		}
		if function == modeAvg {
			v /= float64(t.n)
		}
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fault.Field("query", "the %s of these points is beyond the range of numbers", function)
	}
	return v, nil
}

// total is the sum or average of all numbers of a query; 0 when there are none.
func (s *Service) total(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) (float64, error) {
	if len(q.ids) > 0 {
		return 0, fault.Field("ids", "cannot be combined with query=%s", q.mode)
	}
	r, refs, err := s.reader(ctx, p, d, v, q)
	if err != nil {
		return 0, err
	}
	var t tally
	if err := r.numbers(ctx, refs, func(_ string, _ int64, num float64) bool { t.add(num); return false }); err != nil {
		return 0, err
	}
	return t.value(q.mode)
}

// bucket is a row of an aggregate.
type bucket struct {
	variable string
	start    int64
	value    float64
}

// aggregate reads one row for each variable and interval that holds numbers. Intervals are cut on the clock
// of the query's time zone and bear their start.
func (s *Service) aggregate(ctx context.Context, p id.Profile, d id.Device, v device.View, q *query) ([]bucket, error) {
	if len(q.ids) > 0 {
		return nil, fault.Field("ids", "cannot be combined with query=aggregate")
	}
	r, refs, err := s.reader(ctx, p, d, v, q)
	if err != nil {
		return nil, err
	}
	out := []bucket{}
	var now bucket
	var t tally
	var bad error
	mine := 0 // buckets of the variable
	flush := func() {
		if t.n == 0 {
			return
		}
		var err error
		if now.value, err = t.value(q.function); err != nil {
			bad = err
		}
		out = append(out, now)
		mine++
		t = tally{}
	}
	if err := r.numbers(ctx, refs, func(variable string, at int64, num float64) bool {
		start := bucketStart(q.interval, at, q.loc)
		if t.n == 0 || start != now.start || variable != now.variable {
			flush()
			if variable != now.variable {
				mine = 0
			}
			now = bucket{variable: variable, start: start}
			if mine == q.skip+q.qty {
				return true
			}
		}
		t.add(num)
		return false
	}); err != nil {
		return nil, err
	}
	flush()
	if bad != nil {
		return nil, bad
	}
	slices.SortStableFunc(out, func(a, b bucket) int {
		c := cmp.Compare(a.start, b.start)
		if r.desc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.variable, b.variable))
	})
	out = out[min(q.skip, len(out)):]
	return out[:min(q.qty, len(out))], nil
}

// bucketStart is the start of the interval that a moment lies in, on the clock of loc.
func bucketStart(interval string, ms int64, loc *time.Location) int64 {
	t := time.UnixMilli(ms).In(loc)
	switch interval {
	case "minute":
		return ms - int64(t.Second())*1000 - int64(t.Nanosecond()/1e6)
	case "hour": // not by the calendar: an hour that a change of clocks repeats is two
		return ms - int64(t.Minute())*60_000 - int64(t.Second())*1000 - int64(t.Nanosecond()/1e6)
	}
	y, m, d := t.Date()
	switch interval {
	case "week":
		d -= (int(t.Weekday()) + 6) % 7
	case "month":
		d = 1
	case "quarter":
		m, d = (m-1)/3*3+1, 1
	case "year":
		m, d = 1, 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, loc).UnixMilli()
}
