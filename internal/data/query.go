package data

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are known on machines that have none installed

	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

const (
	defaultQty = 15
	maxQty     = 10_000
)

// Modes of a query, by their names on the wire.
const (
	modeRows          = "" // rows by time
	modeLastItem      = "last_item"
	modeLastValue     = "last_value"
	modeLastLocation  = "last_location"
	modeLastInsert    = "last_insert"
	modeFirstItem     = "first_item"
	modeFirstValue    = "first_value"
	modeFirstLocation = "first_location"
	modeFirstInsert   = "first_insert"
	modeMin           = "min"
	modeMax           = "max"
	modeCount         = "count"
	modeSum           = "sum"
	modeAvg           = "avg"
	modeAggregate     = "aggregate"
	modeConditional   = "conditional"
)

var modes = []string{modeLastItem, modeLastValue, modeLastLocation, modeLastInsert, modeFirstItem, modeFirstValue, modeFirstLocation,
	modeFirstInsert, modeMin, modeMax, modeCount, modeSum, modeAvg, modeAggregate, modeConditional}

// query is a checked data query.
type query struct {
	mode      string
	variables []string // lower case, each once; empty for all
	groups    []string
	ids       []string
	values    []string
	from, to  int64 // UTC milliseconds, both included
	bounded   bool  // a start_date or end_date was given
	qty, skip int
	asc       bool
	details   bool
	interval  string // of aggregate
	function  string // of aggregate or conditional
	bound     float64
	loc       *time.Location
}

// parseQuery reads the parameters of a GET or DELETE. It returns Invalid faults that name the parameter.
func parseQuery(q web.Query, now time.Time) (query, error) {
	out := query{from: firstMoment, to: lastMoment, qty: defaultQty, loc: time.UTC}
	mode, err := text(q, "query")
	if err != nil {
		return out, err
	}
	switch {
	case mode == "" || mode == "default" || mode == "defaultQ":
	case slices.Contains(modes, mode):
		out.mode = mode
	default:
		return out, fault.Field("query", "%q is not one of %s", short(mode), strings.Join(modes, ", "))
	}
	if zone, err := text(q, "timezone"); err != nil {
		return out, err
	} else if zone != "" {
		if out.loc, err = location(zone); err != nil {
			return out, err
		}
	}
	if out.variables, err = list(q, "variables", "variable"); err != nil {
		return out, err
	}
	for i, v := range out.variables {
		out.variables[i] = strings.ToLower(v)
	}
	out.variables = unique(out.variables)
	if out.groups, err = list(q, "groups", "group", "series", "serie"); err != nil {
		return out, err
	}
	if out.ids, err = list(q, "ids", "id"); err != nil {
		return out, err
	}
	out.ids = unique(out.ids)
	if err := out.dates(q, now); err != nil {
		return out, err
	}
	if err := out.page(q); err != nil {
		return out, err
	}
	if d, err := q.Bool(first(q, "details", "detail")); err != nil {
		return out, err
	} else if d != nil {
		out.details = *d
	}
	if out.mode != modeConditional {
		if out.values, err = list(q, "values", "value"); err != nil {
			return out, err
		}
	}
	return out, out.special(q, now)
}

func (o *query) dates(q web.Query, now time.Time) error {
	start, err := text(q, "start_date")
	if err != nil {
		return err
	}
	end, err := text(q, "end_date")
	if err != nil {
		return err
	}
	if start != "" {
		t, err := web.ParseTime(start, now, o.loc)
		if err != nil {
			return fault.Field("start_date", "%v", err)
		}
		o.from, o.bounded = t.UnixMilli(), true
	}
	if end != "" {
		t, err := web.ParseTimeEnd(end, now, o.loc)
		if err != nil {
			return fault.Field("end_date", "%v", err)
		}
		o.to, o.bounded = t.UnixMilli(), true
	}
	if start != "" && end != "" && o.from > o.to {
		return fault.Field("end_date", "lies before start_date")
	}
	return nil
}

func (o *query) page(q web.Query) error {
	if n, err := whole(q, "qty"); err != nil {
		return err
	} else if n != nil {
		if *n < 1 {
			return fault.Field("qty", "must be at least 1")
		}
		o.qty = min(*n, maxQty)
	} else if len(o.ids) > 0 {
		o.qty = max(defaultQty, len(o.ids)) // who names them means all of them
	} else if o.mode == modeAggregate {
		o.qty = maxQty // buckets
	}
	if n := len(o.variables); n > 1 && o.mode != modeAggregate {
		o.qty = max(1, min(o.qty, maxQty/n))
	}
	if n, err := whole(q, "skip"); err != nil {
		return err
	} else if n != nil {
		if *n < 0 {
			return fault.Field("skip", "must be at least 0")
		}
		o.skip = *n
	}
	ordination, err := text(q, "ordination")
	if err != nil {
		return err
	}
	switch strings.ToLower(ordination) {
	case "", "descending", "desc":
	case "ascending", "asc":
		o.asc = true
	default:
		return fault.Field("ordination", "must be ascending or descending")
	}
	return nil
}

// special reads what single modes need.
func (o *query) special(q web.Query, now time.Time) error {
	switch o.mode {
	case modeSum, modeAvg:
		if o.from == firstMoment {
			return startRequired()
		}
		from := time.UnixMilli(o.from).UTC()
		one, two := addMonths(from, 1), addMonths(from, 2)
		latest := one.Add(two.Sub(one) / 10) // a month, and a tenth of the next for clocks and zones
		end := now
		if o.to != lastMoment {
			end = time.UnixMilli(o.to)
		}
		if end.After(latest) {
			return fault.New(fault.Invalid, "The maximum range for %s is 1 month between start_end and end_date", o.mode)
		}
	case modeAggregate:
		var err error
		if o.interval, err = text(q, "interval"); err != nil {
			return err
		}
		if !slices.Contains(intervals, o.interval) {
			return fault.Field("interval", "must be one of %s", strings.Join(intervals, ", "))
		}
		if o.function, err = text(q, "function"); err != nil {
			return err
		}
		if !slices.Contains(functions, o.function) {
			return fault.Field("function", "must be one of %s", strings.Join(functions, ", "))
		}
	case modeConditional:
		if o.from == firstMoment {
			return startRequired()
		}
		var err error
		if o.function, err = text(q, "function"); err != nil {
			return err
		}
		if _, ok := comparisons[o.function]; !ok {
			return fault.Field("function", "must be one of gt, gte, lt, lte, eq, ne")
		}
		v, err := text(q, "value")
		if err != nil {
			return err
		}
		if o.bound, err = strconv.ParseFloat(v, 64); err != nil || math.IsNaN(o.bound) || math.IsInf(o.bound, 0) {
			return fault.Field("value", "must be a number")
		}
	}
	return nil
}

func startRequired() error { return fault.New(fault.Invalid, "start_date field is required") }

var (
	intervals   = []string{"minute", "hour", "day", "week", "month", "quarter", "year"}
	functions   = []string{modeAvg, modeSum, modeMin, modeMax}
	comparisons = map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "ne": "<>"}
)

// number tells whether the answer is a bare number.
func (o *query) number() bool { return o.mode == modeCount || o.mode == modeSum || o.mode == modeAvg }

// lastOfOne says that the query asks for the last point of one variable, whenever that was.
func (o *query) lastOfOne() bool {
	last := o.mode == modeLastItem || o.mode == modeLastValue || o.mode == modeLastLocation
	return last && len(o.variables) == 1 && len(o.ids) == 0 && !o.bounded
}

// filter is what the query asks beyond variables and time; nil for nothing.
func (o *query) filter() *filter {
	f := &filter{groups: o.groups, values: o.values}
	switch o.mode {
	case modeLastValue, modeFirstValue:
		f.valued = true
	case modeLastLocation, modeFirstLocation:
		f.located = true
	case modeConditional:
		f.compare, f.bound = comparisons[o.function], o.bound
	}
	if len(f.groups) == 0 && len(f.values) == 0 && !f.valued && !f.located && f.compare == "" {
		return nil
	}
	return f
}

// first is the one of the names that the query has, or the first of them.
func first(q web.Query, names ...string) string {
	for _, n := range names {
		if q.Has(n) {
			return n
		}
	}
	return names[0]
}

func text(q web.Query, name string) (string, error) {
	s, err := q.Text(name)
	return strings.TrimSpace(s), err
}

func whole(q web.Query, name string) (*int, error) {
	n, err := q.Int(name)
	if err == nil && n != nil && (*n > math.MaxInt32 || *n < math.MinInt32) {
		return nil, fault.Field(name, "is out of range")
	}
	return n, err
}

// list reads the values of a name and its other spellings. Empty values, which stand for null, are left out.
func list(q web.Query, names ...string) ([]string, error) {
	var out []string
	for _, n := range names {
		if !q.Has(n) {
			continue
		}
		vs := q.Strings(n)
		if vs == nil {
			return nil, fault.Field(n, "must be a value or a list of values")
		}
		for _, v := range vs {
			if v != "" {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

func unique(in []string) []string {
	seen := make(map[string]bool, len(in))
	return slices.DeleteFunc(in, func(s string) bool {
		if seen[s] {
			return true
		}
		seen[s] = true
		return false
	})
}

var zones sync.Map // by name; as many as there are zones

// location finds a time zone by its IANA name.
func location(name string) (*time.Location, error) {
	if l, ok := zones.Load(name); ok {
		return l.(*time.Location), nil
	}
	if name == "Local" || len(name) > 64 {
		return nil, fault.Field("timezone", "%q is not a time zone such as Europe/Berlin", short(name))
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fault.Field("timezone", "%q is not a time zone such as Europe/Berlin", short(name))
	}
	zones.Store(name, l)
	return l, nil
}

// addMonths moves t by calendar months; a day that the month does not have becomes its last.
func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, t.Location())
	h, mi, s := t.Clock()
	return time.Date(first.Year(), first.Month(), min(d, daysIn(first.Year(), int(first.Month()))), h, mi, s, t.Nanosecond(), t.Location())
}
