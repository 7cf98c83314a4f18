package web

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"paddock/internal/kit/fault"
)

// Bounds of a query. A query past them is a fault, never cut.
const (
	maxQueryPairs = 1000
	maxQueryDepth = 8
)

// Query is a decoded query string, or the part of one below some name. The client library writes nested
// values with brackets, filter[tags][0][key]=type, lists as a[0]=x, and others write a[]=x or repeat a=x:
// all of these are read. The zero Query is empty, and so is every part that is not there; asking deeper
// into it is safe.
type Query struct{ n *node }

// node is one name of the tree. It has values or kids, never both.
type node struct {
	path   string   // as written by the client: filter[tags][0]
	values []string // more than one when the name was repeated
	keys   []string // names of kids, in order of appearance
	kids   map[string]*node
	next   int // index that a[]= takes next
}

// ParseQuery decodes a raw query string (without the "?"). It returns Invalid faults for broken
// percent-escapes, text that is not UTF-8, brackets that do not match, a name that is both a value and a
// parent, more than 1,000 pairs and more than 8 levels.
func ParseQuery(raw string) (Query, error) {
	if raw == "" {
		return Query{}, nil
	}
	root := &node{}
	pairs := 0
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if pairs++; pairs > maxQueryPairs {
			return Query{}, fault.Field("query", "has more than %d parameters", maxQueryPairs)
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err := unescapeQuery(k)
		if err != nil {
			return Query{}, err
		}
		value, err := unescapeQuery(v)
		if err != nil {
			return Query{}, err
		}
		if err := root.add(key, value); err != nil {
			return Query{}, err
		}
	}
	if len(root.keys) == 0 {
		return Query{}, nil
	}
	return Query{root}, nil
}

// unescapeQuery undoes percent-escapes and turns + into a space.
func unescapeQuery(s string) (string, error) {
	if i := strings.IndexAny(s, "%+"); i >= 0 {
		b := make([]byte, 0, len(s))
		b = append(b, s[:i]...)
		for ; i < len(s); i++ {
			switch c := s[i]; c {
			case '+':
				b = append(b, ' ')
			case '%':
				if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
					return "", fault.Field("query", "%q is not a percent-escape", printable(s[i:min(i+3, len(s))]))
				}
				b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
				i += 2
			default:
				b = append(b, c)
			}
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		return "", fault.Field("query", "must be UTF-8 text")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", fault.Field("query", "must not contain the character NUL")
	}
	return s, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// printable shortens a client's text for a message.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// add puts one pair into the tree.
func (root *node) add(key, value string) error {
	end := strings.IndexByte(key, '[')
	if end < 0 {
		end = len(key)
	}
	if end == 0 {
		return fault.Field("query", "%q does not start with a name", printable(key))
	}
	if strings.IndexByte(key[:end], ']') >= 0 {
		return unmatched(key)
	}
	n, err := root.kid(key[:end], key[:end])
	if err != nil {
		return err
	}
	for depth := 1; end < len(key); depth++ {
		if depth >= maxQueryDepth {
			return fault.Field("query", "%q is nested deeper than %d levels", printable(key), maxQueryDepth)
		}
		if key[end] != '[' {
			return unmatched(key)
		}
		size := strings.IndexByte(key[end:], ']')
		if size < 0 {
			return unmatched(key)
		}
		name := key[end+1 : end+size]
		if strings.IndexByte(name, '[') >= 0 {
			return unmatched(key)
		}
		end += size + 1
		if name == "" {
			name = strconv.Itoa(n.next)
		}
		if n, err = n.kid(name, key[:end]); err != nil {
			return err
		}
	}
	if len(n.keys) > 0 {
		return twoWays(n.path)
	}
	n.values = append(n.values, value)
	return nil
}

func unmatched(key string) error {
	return fault.Field("query", "the brackets of %q do not match", printable(key))
}

func twoWays(path string) error {
	return fault.Field(printable(path), "is given both as a value and as a parent of values")
}

// kid finds or makes the child of a name.
func (n *node) kid(name, path string) (*node, error) {
	if len(n.values) > 0 {
		return nil, twoWays(n.path)
	}
	if k, ok := n.kids[name]; ok {
		return k, nil
	}
	k := &node{path: path}
	if n.kids == nil {
		n.kids = make(map[string]*node)
	}
	n.kids[name] = k
	n.keys = append(n.keys, name)
	if isIndex(name) && len(name) < 10 {
		if i, _ := strconv.Atoi(name); i >= n.next {
			n.next = i + 1
		}
	}
	return k, nil
}

// isIndex reports whether a name is a list index as the client writes it.
func isIndex(s string) bool {
	if s == "" || len(s) > 1 && s[0] == '0' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// IsZero reports whether nothing was given.
func (q Query) IsZero() bool { return q.n == nil }

// Path is the part's name as the client wrote it, filter[tags][0]; "" for the whole query.
func (q Query) Path() string {
	if q.n == nil {
		return ""
	}
	return q.n.path
}

// Child is the part below the given names: Child("filter", "tags").
func (q Query) Child(names ...string) Query {
	n := q.n
	for _, name := range names {
		if n == nil {
			return Query{}
		}
		n = n.kids[name]
	}
	return Query{n}
}

// Has reports whether a name was given at all, even with an empty value.
func (q Query) Has(names ...string) bool { return q.Child(names...).n != nil }

// Keys are the names right below, in order of appearance.
func (q Query) Keys() []string {
	if q.n == nil {
		return nil
	}
	return q.n.keys
}

// Get is the text of a value: the first when there are several, "" when there is none. Text also tells
// a value from a parent.
func (q Query) Get(names ...string) string {
	s := q.Child(names...).Strings()
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// Text is the text of a single value; "" when it is absent. It returns an Invalid fault for a list of
// several or a parent of values.
func (q Query) Text(names ...string) (string, error) {
	c := q.Child(names...)
	if c.n == nil {
		return "", nil
	}
	s := c.Strings()
	if s == nil && len(c.n.keys) > 0 {
		return "", fault.Field(printable(c.n.path), "must be a single value")
	}
	switch len(s) {
	case 0:
		return "", nil
	case 1:
		return s[0], nil
	}
	return "", fault.Field(printable(c.n.path), "must be given once")
}

// Strings are the values of a name, however the client wrote them: x=a, x=a&x=b, x[]=a, x[0]=a in the
// order of their indexes. It is nil when the name is absent or is a parent of names.
func (q Query) Strings(names ...string) []string {
	c := q.Child(names...)
	if c.n == nil {
		return nil
	}
	if len(c.n.values) > 0 {
		return c.n.values
	}
	var out []string
	for _, item := range c.List() {
		if len(item.n.values) == 0 {
			return nil
		}
		out = append(out, item.n.values...)
	}
	return out
}

// List are the items of a list in the order of their indexes, gaps closed. It is empty when the part is
// not a list.
func (q Query) List(names ...string) []Query {
	c := q.Child(names...)
	if c.n == nil || len(c.n.keys) == 0 {
		return nil
	}
	for _, k := range c.n.keys {
		if !isIndex(k) {
			return nil
		}
	}
	keys := slices.Clone(c.n.keys)
	sort.Slice(keys, func(i, j int) bool {
		if len(keys[i]) != len(keys[j]) {
			return len(keys[i]) < len(keys[j])
		}
		return keys[i] < keys[j]
	})
	out := make([]Query, len(keys))
	for i, k := range keys {
		out[i] = Query{c.n.kids[k]}
	}
	return out
}

// Bool is a truth value: true, false, 1 or 0; nil when absent or empty. It returns an Invalid fault naming
// the bracketed path for anything else.
func (q Query) Bool(names ...string) (*bool, error) {
	s, err := q.Text(names...)
	if err != nil || s == "" {
		return nil, err
	}
	b, err := parseBool(s)
	if err != nil {
		return nil, fault.Field(q.Child(names...).n.path, "%v", err)
	}
	return &b, nil
}

// Int is a whole number; nil when absent or empty. It returns an Invalid fault naming the bracketed path
// for anything else.
func (q Query) Int(names ...string) (*int, error) {
	s, err := q.Text(names...)
	if err != nil || s == "" {
		return nil, err
	}
	i, err := strconv.Atoi(s)
	if err != nil {
		return nil, fault.Field(q.Child(names...).n.path, "must be a whole number")
	}
	return &i, nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false")
}
