package web

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"paddock/internal/kit/fault"
)

// Bounds of a list query.
const (
	DefaultAmount = 20
	MaxAmount     = 10_000
	maxPage       = 1_000_000_000
)

// List is what every list route takes: page, amount, fields, filter and orderBy.
type List struct {
	Page   int      // from 1; absent, 0 and negative are 1
	Amount int      // rows of a page; absent and 0 are 20, more than 10,000 is 10,000
	Fields []string // members wanted; empty means the resource's own choice
	Filter Query    // the tree below "filter"

	order []string // orderBy as given: field, direction
}

// ParseList reads the list parameters of a query. It returns Invalid faults for a page, an amount or an
// order that makes no sense.
func ParseList(q Query) (List, error) {
	l := List{Page: 1, Amount: DefaultAmount, Filter: q.Child("filter")}
	page, err := listNumber(q, "page")
	if err != nil {
		return l, err
	}
	if page > maxPage {
		return l, fault.Field("page", "must be at most %d", maxPage)
	}
	if page > 0 {
		l.Page = int(page)
	}
	amount, err := listNumber(q, "amount")
	if err != nil {
		return l, err
	}
	if amount < 0 {
		return l, fault.Field("amount", "must not be negative")
	}
	if amount > 0 {
		l.Amount = int(min(amount, MaxAmount))
	}
	if l.Filter.n != nil && len(l.Filter.n.values) > 0 {
		if l.Filter.Get() != "" {
			return l, fault.Field("filter", "must be given by parts, as in filter[name]=…")
		}
		l.Filter = Query{}
	}
	if l.Fields, err = queryStrings(q, "fields"); err != nil {
		return l, err
	}
	l.Fields = slices.DeleteFunc(slices.Clone(l.Fields), func(s string) bool { return s == "" })
	order, err := queryStrings(q, "orderBy")
	if err != nil {
		return l, err
	}
	if len(order) == 1 {
		order = strings.Split(order[0], ",")
	}
	if len(order) == 1 && order[0] == "" {
		order = nil
	}
	if len(order) > 2 {
		return l, fault.Field("orderBy", "must be a field and a direction, as in name,asc")
	}
	l.order = order
	return l, nil
}

// listNumber is a whole number of the query; absent is 0, and numbers too large to hold are the largest.
func listNumber(q Query, name string) (int64, error) {
	s, err := q.Text(name)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return n, nil
		}
		return 0, fault.Field(name, "must be a whole number")
	}
	return n, nil
}

// queryStrings are the values of a name, or a fault when it is a parent of names.
func queryStrings(q Query, name string) ([]string, error) {
	c := q.Child(name)
	s := c.Strings()
	if s == nil && c.n != nil {
		return nil, fault.Field(printable(c.n.path), "must be a value or a list of values")
	}
	return s, nil
}

// Cap lowers Amount to at most n.
func (l *List) Cap(n int) { l.Amount = min(l.Amount, n) }

// Limit is the number of rows to read.
func (l List) Limit() int64 { return int64(l.Amount) }

// Offset is the number of rows to pass over.
func (l List) Offset() int64 {
	if l.Page <= 1 {
		return 0
	}
	if int64(l.Page-1) > math.MaxInt64/int64(max(l.Amount, 1)) {
		return math.MaxInt64
	}
	return int64(l.Page-1) * int64(l.Amount)
}

// Order is the SQL to order by: "name ASC". allowed maps the fields of the wire to columns; def is used
// when the client asks for none. It returns an Invalid fault for another field or direction.
func (l List) Order(allowed map[string]string, def string) (string, error) {
	if len(l.order) == 0 {
		return def, nil
	}
	column, ok := allowed[l.order[0]]
	if !ok {
		names := make([]string, 0, len(allowed))
		for name := range allowed {
			names = append(names, name)
		}
		slices.Sort(names)
		return "", fault.Field("orderBy", "cannot order by %q; possible are %s", printable(l.order[0]), strings.Join(names, ", "))
	}
	dir := "asc"
	if len(l.order) == 2 && l.order[1] != "" {
		dir = l.order[1]
	}
	switch strings.ToLower(dir) {
	case "asc":
		return column + " ASC", nil
	case "desc":
		return column + " DESC", nil
	}
	return "", fault.Field("orderBy", "direction must be asc or desc")
}

// Like turns a filter of the wire into a pattern for LIKE … ESCAPE '\': * stands for any text, everything
// else for itself.
func Like(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '%', '_', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '*':
			b.WriteByte('%')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Pick projects a row to the members in fields and always, named as in its JSON. Empty fields mean all of
// them; names that the row does not have are ignored. row is a struct or a pointer to one.
func Pick(fields []string, always []string, row any) map[string]any {
	v := reflect.ValueOf(row)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	members := membersOf(v.Type())
	out := make(map[string]any, len(members))
	for _, m := range members {
		if len(fields) > 0 && !slices.Contains(fields, m.name) && !slices.Contains(always, m.name) {
			continue
		}
		f, err := v.FieldByIndexErr(m.index)
		if err != nil || m.omit && isEmpty(f) {
			continue
		}
		if m.omitZero && isZero(f) {
			continue
		}
		out[m.name] = f.Interface()
	}
	return out
}

type member struct {
	name           string
	index          []int
	omit, omitZero bool
}

var memberCache sync.Map // reflect.Type → []member

func membersOf(t reflect.Type) []member {
	if m, ok := memberCache.Load(t); ok {
		return m.([]member)
	}
	if t.Kind() != reflect.Struct {
		panic("web: Pick needs a struct, not " + t.String())
	}
	var out []member
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("json")
		name, rest, _ := strings.Cut(tag, ",")
		if !f.IsExported() || tag == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		options := strings.Split(rest, ",")
		out = append(out, member{name, f.Index, slices.Contains(options, "omitempty"), slices.Contains(options, "omitzero")})
	}
	memberCache.Store(t, out)
	return out
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero()
}
