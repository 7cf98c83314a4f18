package data

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

func TestQueryRefuses(t *testing.T) {
	for _, c := range []struct{ raw, field string }{
		{"query=newest", "query"},
		{"query[a]=x", "query"},
		{"query=count&query=sum", "query"},
		{"qty=0", "qty"},
		{"qty=-1", "qty"},
		{"qty=many", "qty"},
		{"qty=1.5", "qty"},
		{"qty=99999999999999999999", "qty"},
		{"qty[0]=1&qty[1]=2", "qty"},
		{"skip=-1", "skip"},
		{"skip=x", "skip"},
		{"ordination=up", "ordination"},
		{"details=maybe", "details"},
		{"start_date=tomorrowish", "start_date"},
		{"start_date=2026-02-30", "start_date"},
		{"end_date=1 dy", "end_date"},
		{"end_date=2026-13-01T00:00:00Z", "end_date"},
		{"start_date=2026-02-01&end_date=2026-01-01", "end_date"},
		{"timezone=Mars/Olympus", "timezone"},
		{"timezone=Local", "timezone"},
		{"timezone=../etc/passwd", "timezone"},
		{"variables[a]=x", "variables"},
		{"groups[0][x]=y", "groups"},
		{"query=sum", ""},
		{"query=avg", ""},
		{"query=conditional&function=gt&value=1", ""},
		{"query=sum&start_date=2025-01-01", ""},
		{"query=avg&start_date=2026-01-01&end_date=2026-02-10", ""},
		{"query=aggregate&function=avg", "interval"},
		{"query=aggregate&interval=fortnight&function=avg", "interval"},
		{"query=aggregate&interval=day", "function"},
		{"query=aggregate&interval=day&function=median", "function"},
		{"query=conditional&start_date=1 day&value=1", "function"},
		{"query=conditional&start_date=1 day&function=like&value=1", "function"},
		{"query=conditional&start_date=1 day&function=gt", "value"},
		{"query=conditional&start_date=1 day&function=gt&value=hot", "value"},
		{"query=conditional&start_date=1 day&function=gt&value=NaN", "value"},
	} {
		q, err := url.ParseQuery(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for k, vs := range q {
			for _, v := range vs {
				parts = append(parts, url.QueryEscape(k)+"="+url.QueryEscape(v))
			}
		}
		_, err = parse(t, strings.Join(parts, "&"), noon)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", c.raw, err)
		} else if f := fault.Of(err); c.field != "" && f.Field != c.field {
			t.Errorf("%s: field is %q (%s), want %q", c.raw, f.Field, f.Message, c.field)
		}
	}
	for raw, want := range map[string]string{
		"query=sum":                       "start_date field is required",
		"query=avg&start_date=2026-01-01": "The maximum range for avg is 1 month between start_end and end_date",
	} {
		if _, err := parse(t, raw, noon); fault.Of(err).Message != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestQueryReads(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	for _, c := range []struct {
		raw  string
		want func(q query) any
		is   any
	}{
		{"", func(q query) any {
			return fmt.Sprint(q.mode, q.qty, q.skip, q.asc, q.details, q.from == firstMoment, q.to == lastMoment)
		}, "15 0 false false true true"},
		{"query=default", func(q query) any { return q.mode }, ""},
		{"query=defaultQ", func(q query) any { return q.mode }, ""},
		{"query=", func(q query) any { return q.mode }, ""},
		{"variable=A&variables[0]=b&variables[1]=a", func(q query) any { return fmt.Sprint(q.variables) }, "[b a]"},
		{"variables[]=a&variables[]=b", func(q query) any { return fmt.Sprint(q.variables) }, "[a b]"},
		{"variables=a&variables=b", func(q query) any { return fmt.Sprint(q.variables) }, "[a b]"},
		{"group=a&serie=b&series=c&groups=d", func(q query) any { return fmt.Sprint(q.groups) }, "[d a c b]"},
		{"value=1&values[0]=x", func(q query) any { return fmt.Sprint(q.values) }, "[x 1]"},
		{"qty=20000", func(q query) any { return q.qty }, 10_000},
		{"qty=10000&variables[]=a&variables[]=b&variables[]=c", func(q query) any { return q.qty }, 3333},
		{"qty=7&skip=3&ordination=asc&details=1", func(q query) any { return fmt.Sprint(q.qty, q.skip, q.asc, q.details) }, "7 3 true true"},
		{"ordination=descending&detail=true", func(q query) any { return fmt.Sprint(q.asc, q.details) }, "false true"},
		{"start_date=2026-05-01&end_date=2026-05-01", func(q query) any { return [2]int64{q.from, q.to} }, [2]int64{at("2026-05-01T00:00:00Z"), at("2026-05-01T23:59:59.999Z")}},
		{"start_date=2026-05-01&end_date=2026-05-01&timezone=America/Sao_Paulo", func(q query) any { return [2]int64{q.from, q.to} }, [2]int64{at("2026-05-01T03:00:00Z"), at("2026-05-02T02:59:59.999Z")}},
		{"start_date=2026-03-29&end_date=2026-03-29&timezone=Europe/Berlin", func(q query) any { return (q.to - q.from + 1) / 3600_000 }, int64(23)},
		{"start_date=2026-05-01 10:00:00&timezone=Asia/Kolkata", func(q query) any { return q.from }, at("2026-05-01T04:30:00Z")},
		{"start_date=2026-05-01T10:00:00.000Z&timezone=Asia/Kolkata", func(q query) any { return q.from }, at("2026-05-01T10:00:00Z")},
		{"start_date=2 hours", func(q query) any { return q.from }, noon.Add(-2 * time.Hour).UnixMilli()},
		{"end_date=1 month", func(q query) any { return q.to }, at("2026-04-16T12:00:00Z")},
		{"start_date=1700000000000", func(q query) any { return q.from }, int64(1700000000000)},
		{"query=sum&start_date=1 month", func(q query) any { return q.mode }, "sum"},
		{"query=avg&start_date=2026-01-01&end_date=2026-02-02", func(q query) any { return q.mode }, "avg"},
		{"query=conditional&start_date=1 day&function=gte&value=-2.5e1", func(q query) any { return fmt.Sprint(q.function, q.bound, q.values) }, "gte-25 []"},
		{"query=aggregate&interval=day&function=avg", func(q query) any { return q.qty }, 10_000},
	} {
		q, err := parse(t, strings.ReplaceAll(c.raw, " ", "%20"), noon)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		if got := c.want(q); got != c.is {
			t.Errorf("%s: %v, want %v", c.raw, got, c.is)
		}
	}
}

// model is what a device holds, kept plainly beside it.
type model struct {
	tank
	points []Point // in order of storing
	loc    *time.Location
}

// keep makes a model of every device that a rig stores for.
func keep(r *rig) func(k tank) *model {
	var mu sync.Mutex
	models := map[id.Device]*model{}
	r.OnStored(func(_ id.Profile, d id.Device, points []Point) {
		mu.Lock()
		defer mu.Unlock()
		models[d].points = append(models[d].points, points...)
	})
	return func(k tank) *model {
		mu.Lock()
		defer mu.Unlock()
		models[k.d] = &model{tank: k, loc: time.UTC}
		return models[k.d]
	}
}

// ask is a query in the test's own words.
type ask struct {
	mode, function, interval string
	variables, groups        []string
	values                   []string
	from, to                 int64 // 0 for none
	qty, skip                int   // qty 0 for none
	asc                      bool
	bound                    float64
}

func (a ask) raw(loc *time.Location) string {
	v := url.Values{}
	add := func(k, s string) {
		if s != "" {
			v.Set(k, s)
		}
	}
	add("query", a.mode)
	add("function", a.function)
	add("interval", a.interval)
	for i, s := range a.variables {
		v.Set(fmt.Sprintf("variables[%d]", i), s)
	}
	for i, s := range a.groups {
		v.Set(fmt.Sprintf("groups[%d]", i), s)
	}
	for i, s := range a.values {
		v.Set(fmt.Sprintf("values[%d]", i), s)
	}
	if a.from != 0 {
		v.Set("start_date", time.UnixMilli(a.from).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if a.to != 0 {
		v.Set("end_date", time.UnixMilli(a.to).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if a.qty != 0 {
		v.Set("qty", strconv.Itoa(a.qty))
	}
	if a.skip != 0 {
		v.Set("skip", strconv.Itoa(a.skip))
	}
	if a.asc {
		v.Set("ordination", "ascending")
	}
	if a.mode == modeConditional {
		v.Set("value", strconv.FormatFloat(a.bound, 'g', -1, 64))
	}
	if a.mode == modeAggregate {
		v.Set("timezone", loc.String())
	}
	return v.Encode()
}

// pick are the points that the query speaks of, in its order.
func (m *model) pick(a ask) []Point {
	var out []Point
	for _, p := range m.points {
		ok := (len(a.variables) == 0 || slices.Contains(a.variables, p.Variable)) &&
			(len(a.groups) == 0 || slices.Contains(a.groups, p.Group)) &&
			(a.from == 0 || p.Time >= a.from) && (a.to == 0 || p.Time <= a.to)
		if len(a.values) > 0 && a.mode != modeConditional {
			var shown string
			switch p.Kind {
			case Number:
				shown = strconv.FormatFloat(p.Num, 'f', -1, 64)
			case Bool:
				shown = strconv.FormatBool(p.Num == 1)
			case Text:
				shown = p.Text
			default:
				ok = false
			}
			ok = ok && slices.Contains(a.values, shown)
		}
		switch a.mode {
		case modeLastValue, modeFirstValue:
			ok = ok && p.Kind != None
		case modeLastLocation, modeFirstLocation:
			ok = ok && p.Located
		case modeMin, modeMax, modeSum, modeAvg, modeAggregate:
			ok = ok && p.Kind == Number
		case modeConditional:
			ok = ok && p.Kind == Number && map[string]bool{"gt": p.Num > a.bound, "gte": p.Num >= a.bound, "lt": p.Num < a.bound,
				"lte": p.Num <= a.bound, "eq": p.Num == a.bound, "ne": p.Num != a.bound}[a.function]
		}
		if ok {
			out = append(out, p)
		}
	}
	m.sort(out, a.asc)
	return out
}

func (m *model) sort(ps []Point, asc bool) {
	slices.SortFunc(ps, func(a, b Point) int {
		c := cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.no, b.no))
		if !asc {
			c = -c
		}
		return c
	})
}

func page(ps []Point, skip, qty int) []Point {
	ps = ps[min(skip, len(ps)):]
	return ps[:min(qty, len(ps))]
}

// byVariable is the best point of each variable.
func byVariable(ps []Point, better func(a, b Point) bool) []Point {
	best := map[string]Point{}
	for _, p := range ps {
		if old, ok := best[p.Variable]; !ok || better(p, old) {
			best[p.Variable] = p
		}
	}
	var out []Point
	for _, p := range best {
		out = append(out, p)
	}
	return out
}

// check asks the device and compares the answer with what the model says.
func (m *model) check(t interface {
	Helper()
	Fatalf(string, ...any)
}, a ask) {
	t.Helper()
	raw := a.raw(m.loc)
	got, err := m.ask(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	ps := m.pick(a)
	near := func(want float64) {
		t.Helper()
		v, err := strconv.ParseFloat(got, 64)
		if err != nil || math.Abs(v-want) > 1e-9*math.Max(1, math.Abs(want)) {
			t.Fatalf("%s: %s, want %v", raw, got, want)
		}
	}
	qty := a.qty
	if qty == 0 {
		qty = 15
	}
	var want []Point
	switch a.mode {
	case modeCount:
		near(float64(len(ps)))
		return
	case modeSum, modeAvg:
		sum := 0.0
		for _, p := range ps {
			sum += p.Num
		}
		if a.mode == modeAvg && len(ps) > 0 {
			sum /= float64(len(ps))
		}
		near(sum)
		return
	case modeAggregate:
		m.checkAggregate(t, raw, got, a, ps)
		return
	case modeRows, modeConditional:
		if len(a.variables) < 2 {
			want = page(ps, a.skip, qty)
			break
		}
		for _, v := range a.variables {
			one := a
			one.variables = []string{v}
			want = append(want, page(m.pick(one), a.skip, min(qty, 10_000/len(a.variables)))...)
		}
		m.sort(want, a.asc)
	case modeLastItem, modeLastValue, modeLastLocation:
		want = byVariable(ps, func(a, b Point) bool { return a.Time > b.Time || a.Time == b.Time && a.no > b.no })
	case modeFirstItem, modeFirstValue, modeFirstLocation:
		want = byVariable(ps, func(a, b Point) bool { return a.Time < b.Time || a.Time == b.Time && a.no < b.no })
	case modeLastInsert:
		want = byVariable(ps, func(a, b Point) bool { return a.no > b.no })
	case modeFirstInsert:
		want = byVariable(ps, func(a, b Point) bool { return a.no < b.no })
	case modeMin, modeMax:
		want = byVariable(ps, func(x, y Point) bool {
			if x.Num != y.Num {
				return x.Num < y.Num == (a.mode == modeMin)
			}
			return x.Time > y.Time || x.Time == y.Time && x.no > y.no
		})
	}
	if a.mode == modeLastInsert || a.mode == modeFirstInsert {
		slices.SortFunc(want, func(x, y Point) int {
			if a.asc {
				return cmp.Compare(x.no, y.no)
			}
			return cmp.Compare(y.no, x.no)
		})
	} else {
		m.sort(want, a.asc)
	}
	var rows []struct {
		ID, Variable, Group, Unit string
		Time                      string
		Value                     any
		Location                  *Location
		Metadata                  json.RawMessage
	}
	if err := json.Unmarshal([]byte(got), &rows); err != nil {
		t.Fatalf("%s: %v in %s", raw, err, got)
	}
	var gotIDs, wantIDs []string
	for _, r := range rows {
		gotIDs = append(gotIDs, r.ID)
	}
	for _, p := range want {
		wantIDs = append(wantIDs, p.ID())
	}
	if !slices.Equal(gotIDs, wantIDs) {
		t.Fatalf("%s: %d rows %v\nwant %d %v\nof %d points", raw, len(gotIDs), gotIDs, len(wantIDs), wantIDs, len(m.points))
	}
	for i, p := range want {
		r := rows[i]
		value := any(nil)
		switch p.Kind {
		case Number:
			value = p.Num
		case Text:
			value = p.Text
		case Bool:
			value = p.Num == 1
		}
		at := ""
		if p.Located {
			at = fmt.Sprint([]float64{p.Lng, p.Lat})
		}
		place := ""
		if r.Location != nil {
			place = fmt.Sprint(r.Location.Coordinates)
		}
		if r.Variable != p.Variable || r.Group != p.Group || r.Unit != p.Unit || r.Value != value || place != at || string(r.Metadata) != p.Metadata ||
			r.Time != time.UnixMilli(p.Time).UTC().Format("2006-01-02T15:04:05.000Z") {
			t.Fatalf("%s: row %+v, want %+v", raw, r, p)
		}
	}
}

func (m *model) checkAggregate(t interface {
	Helper()
	Fatalf(string, ...any)
}, raw, got string, a ask, ps []Point) {
	t.Helper()
	type cell struct {
		start    int64
		variable string
	}
	values := map[cell][]float64{}
	for _, p := range ps {
		local := time.UnixMilli(p.Time).In(m.loc)
		var start time.Time
		switch a.interval {
		case "minute":
			start = local.Truncate(time.Minute)
		case "hour":
			start = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), 0, 0, 0, m.loc)
		case "day":
			start = time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, m.loc)
		case "month":
			start = time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, m.loc)
		case "quarter":
			start = time.Date(local.Year(), (local.Month()+2)/3*3-2, 1, 0, 0, 0, 0, m.loc)
		case "year":
			start = time.Date(local.Year(), 1, 1, 0, 0, 0, 0, m.loc)
		}
		c := cell{start.UnixMilli(), p.Variable}
		values[c] = append(values[c], p.Num)
	}
	var cells []cell
	for c := range values {
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(x, y cell) int {
		c := cmp.Compare(x.start, y.start)
		if !a.asc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(x.variable, y.variable))
	})
	qty := a.qty
	if qty == 0 {
		qty = 10_000
	}
	cells = cells[min(a.skip, len(cells)):]
	cells = cells[:min(qty, len(cells))]
	var rows []struct {
		Time     time.Time
		Value    float64
		Variable string
	}
	if err := json.Unmarshal([]byte(got), &rows); err != nil {
		t.Fatalf("%s: %v in %s", raw, err, got)
	}
	if len(rows) != len(cells) {
		t.Fatalf("%s: %d rows, want %d: %s", raw, len(rows), len(cells), got)
	}
	for i, c := range cells {
		vs := values[c]
		want := map[string]float64{"min": slices.Min(vs), "max": slices.Max(vs)}[a.function]
		if a.function == "sum" || a.function == "avg" {
			for _, v := range vs {
				want += v
			}
			if a.function == "avg" {
				want /= float64(len(vs))
			}
		}
		if rows[i].Time.UnixMilli() != c.start || rows[i].Variable != c.variable || math.Abs(rows[i].Value-want) > 1e-9*math.Max(1, math.Abs(want)) {
			t.Fatalf("%s: row %d is %+v, want %+v %v", raw, i, rows[i], c, want)
		}
	}
}

// randomPoints is a body of points whose times meet often; base and width say where they lie.
func randomPoints(rng *rand.Rand, count int, base, width int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"variable":"v%d","time":%d`, rng.IntN(4), base+rng.Int64N(12)*width/12)
		switch rng.IntN(6) {
		case 0:
		case 1:
			fmt.Fprintf(&b, `,"value":"t%d"`, rng.IntN(3))
		case 2:
			fmt.Fprintf(&b, `,"value":%t`, rng.IntN(2) == 0)
		default:
			fmt.Fprintf(&b, `,"value":%v`, float64(rng.IntN(2000)-1000)/8)
		}
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&b, `,"group":"g%d"`, rng.IntN(3))
		}
		if rng.IntN(4) == 0 {
			fmt.Fprintf(&b, `,"unit":"u%d","location":{"lat":%d,"lng":%d}`, rng.IntN(2), rng.IntN(90), rng.IntN(180))
		}
		if rng.IntN(5) == 0 {
			fmt.Fprintf(&b, `,"metadata":{"n":%d}`, rng.IntN(9))
		}
		b.WriteByte('}')
	}
	return b.String() + "]"
}

// randomAsk is a query of a mode.
func randomAsk(rng *rand.Rand, mode string, base, width int64) ask {
	a := ask{mode: mode, asc: rng.IntN(2) == 0}
	for _, v := range []string{"v0", "v1", "v2", "v3", "nobody"} {
		if rng.IntN(4) == 0 {
			a.variables = append(a.variables, v)
		}
	}
	if rng.IntN(4) == 0 {
		a.groups = []string{"g0", "g2"}[:1+rng.IntN(2)]
	}
	if rng.IntN(5) == 0 {
		a.values = []string{"true", "t1", "12.5", "0", "-3"}[rng.IntN(4):]
	}
	if rng.IntN(2) == 0 || mode == modeSum || mode == modeAvg || mode == modeConditional {
		a.from = base + rng.Int64N(width/2)
	}
	if rng.IntN(2) == 0 || mode == modeSum || mode == modeAvg {
		a.to = base + width/2 + rng.Int64N(width/2)
	}
	if rng.IntN(2) == 0 {
		a.qty, a.skip = 1+rng.IntN(40), rng.IntN(20)
	}
	switch mode {
	case modeConditional:
		a.function = []string{"gt", "gte", "lt", "lte", "eq", "ne"}[rng.IntN(6)]
		a.bound = float64(rng.IntN(200)-100) / 8
	case modeAggregate:
		a.function = functions[rng.IntN(4)]
		a.interval = []string{"minute", "hour", "day", "month", "quarter", "year"}[rng.IntN(6)]
	}
	return a
}

// Every query mode, with every parameter, against figures computed plainly in the test; on devices of both
// types, with pieces so small that every read is made of many.
func TestEveryQueryMode(t *testing.T) {
	all := append([]string{modeRows}, modes...)
	onBoth(t, func(t *testing.T, r *rig) {
		r.store.most = 9
		watch := keep(r)
		p := r.profile()
		rng := rand.New(rand.NewPCG(1, 2))
		zones := []string{"UTC", "America/Sao_Paulo", "Asia/Kolkata"}
		const day = 24 * 3600_000
		for name, m := range map[string]*model{
			"mutable":   watch(r.mutable(p)),
			"immutable": watch(r.immutable(p, device.Week, 4)),
			"daily":     watch(r.immutable(p, device.Day, 31)),
		} {
			base, width := noon.UnixMilli()-20*day, int64(19*day)
			for range 12 {
				r.now.Advance(time.Duration(rng.IntN(3)) * time.Millisecond)
				m.send(randomPoints(rng, 1+rng.IntN(25), base, width))
			}
			for i := range 25 {
				for _, mode := range all {
					loc, err := time.LoadLocation(zones[i%3])
					if err != nil {
						t.Fatal(err)
					}
					m.loc = loc
					m.check(t, randomAsk(rng, mode, base, width))
				}
			}
			if t.Failed() {
				t.Fatalf("on the %s device", name)
			}
		}
		r.clean()
	})
}

// TestAnyOrderOfThings stores, edits, deletes, empties and asks in any order and compares with a plain list.
func TestAnyOrderOfThings(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		watch := keep(r)
		p := r.profile()
		all := append([]string{modeRows}, modes...)
		checks := 0
		rapid.Check(t, func(rt *rapid.T) {
			if checks++; checks > 25 {
				return
			}
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
			r.store.most = 3 + rng.IntN(30)
			m := watch(r.mutable(p))
			base, width := noon.UnixMilli()-3600_000, int64(3000_000)
			for range rapid.IntRange(4, 14).Draw(rt, "steps") {
				switch rapid.IntRange(0, 6).Draw(rt, "step") {
				case 0, 1, 2:
					if _, err := m.try(randomPoints(rng, 1+rng.IntN(15), base, width)); err != nil {
						rt.Fatal(err)
					}
				case 3:
					a := randomAsk(rng, []string{modeRows, modeLastItem, modeFirstValue, modeConditional}[rng.IntN(4)], base, width)
					n, err := m.delete(a.raw(m.loc))
					if err != nil {
						rt.Fatal(err)
					}
					m.forget(a, n, rt)
				case 4:
					m.editOne(rng, rt)
				case 5:
					if rng.IntN(4) == 0 {
						if err := r.Empty(context.Background(), m.who(), m.p, m.d); err != nil {
							rt.Fatal(err)
						}
						m.points = nil
					}
				default:
					m.check(rt, randomAsk(rng, all[rng.IntN(len(all))], base, width))
				}
				if n := m.amount(); n != int64(len(m.points)) {
					rt.Fatalf("the device holds %d points, the list %d", n, len(m.points))
				}
			}
			m.check(rt, ask{qty: 1000})
		})
		r.clean()
	})
}

// forget deletes from the model what a deletion must have found.
func (m *model) forget(a ask, n int64, rt *rapid.T) {
	ps := m.pick(a)
	qty := a.qty
	if qty == 0 {
		qty = 15
	}
	var gone []Point
	switch a.mode {
	case modeLastItem:
		gone = byVariable(ps, func(a, b Point) bool { return a.Time > b.Time || a.Time == b.Time && a.no > b.no })
	case modeFirstValue:
		gone = byVariable(ps, func(a, b Point) bool { return a.Time < b.Time || a.Time == b.Time && a.no < b.no })
	default:
		if len(a.variables) < 2 {
			gone = page(ps, a.skip, qty)
			break
		}
		for _, v := range a.variables {
			one := a
			one.variables = []string{v}
			gone = append(gone, page(m.pick(one), a.skip, qty)...)
		}
	}
	if n != int64(len(gone)) {
		rt.Fatalf("%s deleted %d, want %d", a.raw(m.loc), n, len(gone))
	}
	m.points = slices.DeleteFunc(m.points, func(p Point) bool {
		return slices.ContainsFunc(gone, func(g Point) bool { return g.no == p.no })
	})
}

func (m *model) editOne(rng *rand.Rand, rt *rapid.T) {
	if len(m.points) == 0 {
		return
	}
	p := &m.points[rng.IntN(len(m.points))]
	at := noon.UnixMilli() - rng.Int64N(3000_000)
	if _, err := m.Edit(context.Background(), m.who(), m.p, m.d, fmt.Appendf(nil, `{"id":"%s","value":%d,"time":%d,"unit":null}`, p.ID(), at%1000, at)); err != nil {
		rt.Fatal(err)
	}
	p.Kind, p.Num, p.Text, p.Time, p.Unit = Number, float64(at%1000), "", at, ""
}

func TestAggregateCutsByTheZone(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		k.send(`[{"variable":"a","value":1,"time":"2026-03-28T22:30:00Z"},{"variable":"a","value":2,"time":"2026-03-28T23:30:00Z"},{"variable":"a","value":4,"time":"2026-03-29T21:59:59.999Z"},{"variable":"a","value":8,"time":"2026-03-29T22:00:00Z"}]`)
		for _, c := range []struct{ raw, want string }{
			{"interval=day&function=sum", `[{"time":"2026-03-28T00:00:00.000Z","value":3,"variable":"a"},{"time":"2026-03-29T00:00:00.000Z","value":12,"variable":"a"}]`},
			// In Berlin 29 March 2026 has 23 hours.
			{"interval=day&function=sum&timezone=Europe/Berlin", `[{"time":"2026-03-27T23:00:00.000Z","value":1,"variable":"a"},{"time":"2026-03-28T23:00:00.000Z","value":6,"variable":"a"},{"time":"2026-03-29T22:00:00.000Z","value":8,"variable":"a"}]`},
			{"interval=week&function=max&timezone=Europe/Berlin", `[{"time":"2026-03-22T23:00:00.000Z","value":4,"variable":"a"},{"time":"2026-03-29T22:00:00.000Z","value":8,"variable":"a"}]`},
			{"interval=hour&function=avg&timezone=Asia/Kolkata", `[{"time":"2026-03-28T22:30:00.000Z","value":1,"variable":"a"},{"time":"2026-03-28T23:30:00.000Z","value":2,"variable":"a"},{"time":"2026-03-29T21:30:00.000Z","value":6,"variable":"a"}]`},
			{"interval=quarter&function=min", `[{"time":"2026-01-01T00:00:00.000Z","value":1,"variable":"a"}]`},
		} {
			if got := k.answer("query=aggregate&ordination=ascending&" + c.raw); got != c.want {
				t.Errorf("%s:\ngot  %s\nwant %s", c.raw, got, c.want)
			}
		}
		// An hour that the change of clocks repeats is two.
		back := r.mutable(k.p)
		back.send(`[{"variable":"a","value":1,"time":"2026-10-25T00:30:00Z"},{"variable":"a","value":2,"time":"2026-10-25T01:30:00Z"}]`)
		if got := len(back.rows("query=aggregate&interval=hour&function=sum&timezone=Europe/Berlin")); got != 2 {
			t.Errorf("%d rows, want 2", got)
		}
		if got := k.answer("query=aggregate&interval=day&function=sum&variable=nobody"); got != "[]" {
			t.Errorf("nothing is aggregated to %s", got)
		}
		if got := k.answer("query=sum&start_date=1%20day&variable=nobody"); got != "0" {
			t.Errorf("nothing sums to %s", got)
		}
	})
}

func TestSumsBeyondNumbers(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		k.send(`[{"variable":"a","value":1.7e308},{"variable":"a","value":1.7e308},{"variable":"b","value":1e16},{"variable":"b","value":1},{"variable":"b","value":-1e16}]`)
		_, err := k.ask("query=sum&start_date=1%20day&variable=a")
		refused(t, err, fault.Invalid, "beyond the range")
		_, err = k.ask("query=aggregate&interval=day&function=avg&variable=a")
		refused(t, err, fault.Invalid, "beyond the range")
		if got := k.answer("query=sum&start_date=1%20day&variable=b"); got != "1" {
			t.Errorf("the sum lost to rounding: %s", got)
		}
		if out := r.used(k.p, plan.Output); out != 1 {
			t.Errorf("a refused answer cost %d", out-1)
		}
	})
}

func TestByIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		for i := range 30 {
			k.send(fmt.Sprintf(`{"variable":"v%d","value":%d,"time":%d,"group":"g%d"}`, i%3, i, 1000+i, i%2))
		}
		var ids []string
		for _, row := range k.rows("qty=30&ordination=ascending") {
			ids = append(ids, "ids[]="+row["id"].(string))
		}
		if got := k.values(strings.Join(ids[:20], "&") + "&ordination=asc"); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" {
			t.Errorf("all that are named: %s", got)
		}
		if got := k.values(strings.Join(ids[:6], "&") + "&variable=v1&group=g1"); got != "1" {
			t.Errorf("ids and filters: %s", got)
		}
		if got := k.values(strings.Join(ids[:6], "&") + "&qty=2&skip=1"); got != "4 3" {
			t.Errorf("ids and pages: %s", got)
		}
		if got := k.answer(strings.Join(ids[:6], "&") + "&query=count&value=3"); got != "1" {
			t.Errorf("count of ids: %s", got)
		}
		for _, bad := range []string{"ids=xyz", "ids=" + strings.Repeat("f", 24), ids[0] + "&query=last_item", ids[0] + "&query=sum&start_date=1%20day"} {
			if _, err := k.ask(bad); !fault.Is(err, fault.Invalid) || fault.Of(err).Field != "ids" {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

func TestVariables(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.immutable(r.profile(), device.Day, 3)
		k.send(`[{"variable":"b","time":"2026-05-15"},{"variable":"b"},{"variable":"a"}]`)
		got, err := r.Variables(context.Background(), auth.SystemCaller(), k.p, k.d, true)
		if err != nil || fmt.Sprint(got) != "[{a 1} {b 2}]" {
			t.Fatal(got, err)
		}
	})
}
