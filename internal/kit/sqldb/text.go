package sqldb

import (
	"strconv"
	"strings"
)

// Marks is n placeholders, "$start,$start+1,…", for an IN list.
func Marks(start, n int) string {
	var b strings.Builder
	marks(&b, start, n)
	return b.String()
}

func marks(b *strings.Builder, start, n int) {
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(start + i))
	}
}

// Rows is rows × cols placeholders, "($1,$2),($3,$4)", for INSERT … VALUES.
func Rows(start, rows, cols int) string {
	var b strings.Builder
	b.Grow(rows * cols * 6)
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		marks(&b, start+r*cols, cols)
		b.WriteByte(')')
	}
	return b.String()
}

// RowsOf is Rows for a VALUES list used as a table (UPDATE … FROM (VALUES …)): the first row casts each
// column to its type, because PostgreSQL would otherwise take every parameter there for text.
func RowsOf(start, rows int, types ...string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, t := range types {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("CAST($" + strconv.Itoa(start+i) + " AS " + t + ")")
	}
	b.WriteByte(')')
	if rows > 1 {
		b.WriteByte(',')
		b.WriteString(Rows(start+len(types), rows-1, len(types)))
	}
	return b.String()
}

// Sizes are the numbers of rows that statements over lists come in; a shorter list is filled up with rows that match
// nothing, a longer one is cut. Few texts mean few prepared statements; few rows of filling, little work for nothing.
var Sizes = []int{1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, MaxSize}

// MaxSize is the largest of Sizes: how many rows one statement has.
const MaxSize = 256

// SizeFor is the least of Sizes that n rows fit into; MaxSize for more.
func SizeFor(n int) int {
	for _, s := range Sizes {
		if n <= s {
			return s
		}
	}
	return MaxSize
}

// BySize makes the text of a statement for each of Sizes.
func BySize(text func(rows int) string) map[int]string {
	m := make(map[int]string, len(Sizes))
	for _, n := range Sizes {
		m[n] = text(n)
	}
	return m
}

var likeText = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// LikeText is text that a LIKE pattern with ESCAPE '\' takes letter for letter.
func LikeText(s string) string { return likeText.Replace(s) }

// Where collects conditions and their arguments, numbering placeholders in order of appearance.
type Where struct {
	conds []string
	args  []any
}

// NewWhere begins with a condition in which each ? stands for the next argument. Tenant conditions come
// first, so that the statement names its profile: NewWhere("profile_id = ?", p).
func NewWhere(cond string, args ...any) *Where {
	w := &Where{}
	return w.And(cond, args...)
}

// And adds a condition; each ? in it stands for the next argument.
func (w *Where) And(cond string, args ...any) *Where {
	var b strings.Builder
	n := 0
	for _, r := range cond {
		if r == '?' {
			b.WriteString(w.Arg(args[n]))
			n++
			continue
		}
		b.WriteRune(r)
	}
	if n != len(args) {
		panic("sqldb: condition " + cond + " has another number of arguments")
	}
	c := b.String()
	if strings.Contains(c, " OR ") {
		c = "(" + c + ")"
	}
	w.conds = append(w.conds, c)
	return w
}

// In adds "column IN (…)" for the values; no value matches nothing.
func In[T any](w *Where, column string, values []T) *Where {
	if len(values) == 0 {
		return w.And("1 = 0")
	}
	m := make([]string, len(values))
	for i, v := range values {
		m[i] = w.Arg(v)
	}
	w.conds = append(w.conds, column+" IN ("+strings.Join(m, ",")+")")
	return w
}

// Arg appends an argument and returns its placeholder.
func (w *Where) Arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// SQL is " WHERE a AND b", or "" without conditions.
func (w *Where) SQL() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// Args are the arguments in order.
func (w *Where) Args() []any { return w.args }
