package web

import (
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strings"
	"testing"

	"paddock/internal/kit/fault"
)

// tree is a query as plain Go values: text, lists of texts, maps.
func tree(q Query) any {
	if q.n == nil {
		return nil
	}
	if len(q.n.values) == 1 {
		return q.n.values[0]
	}
	if len(q.n.values) > 1 {
		return q.n.values
	}
	m := map[string]any{}
	for _, k := range q.Keys() {
		m[k] = tree(q.Child(k))
	}
	return m
}

func TestQuery(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a[%d]=x&", i)
		}
		return b.String()
	}
	for _, c := range []struct{ raw, want string }{
		{"", "<nil>"},
		{"&&", "<nil>"},
		{"a=1", "map[a:1]"},
		{"a=1&b=2&", "map[a:1 b:2]"},
		{"a=", "map[a:]"},
		{"a", "map[a:]"},
		{"a=b=c", "map[a:b=c]"},
		{"a=x%20y+z%2B", "map[a:x y z+]"},
		{"%61=1", "map[a:1]"},
		{"a%5Bb%5D=1", "map[a:map[b:1]]"},
		{"filter[name]=*abc*", "map[filter:map[name:*abc*]]"},
		{"filter[tags][0][key]=type&filter[tags][0][value]=x", "map[filter:map[tags:map[0:map[key:type value:x]]]]"},
		{"fields[0]=id&fields[1]=name", "map[fields:map[0:id 1:name]]"},
		{"fields[]=id&fields[]=name", "map[fields:map[0:id 1:name]]"},
		{"fields[3]=id&fields[]=name", "map[fields:map[3:id 4:name]]"},
		{"fields=id&fields=name", "map[fields:[id name]]"},
		{"a[0]=x&a[0]=y", "map[a:map[0:[x y]]]"},
		{"orderBy=name,asc", "map[orderBy:name,asc]"},
		{"a[][b]=1&a[][b]=2", "map[a:map[0:map[b:1] 1:map[b:2]]]"},
		{"a[b.c]=1&a.b=2", "map[a:map[b.c:1] a.b:2]"},
		{"a[%5B]=1", "error query:"},
		{"a=1&a[b]=2", "error a:"},
		{"a[b]=2&a=1", "error a:"},
		{"a[b]=1&a[b][c]=2", "error a[b]:"},
		{"a=1&a[]=2", "error a:"},
		{"a[b=1", "error query:"},
		{"a]b=1", "error query:"},
		{"a[b]c=1", "error query:"},
		{"a[b]]=1", "error query:"},
		{"[a]=1", "error query:"},
		{"=1", "error query:"},
		{"a=%", "error query:"},
		{"a=%2", "error query:"},
		{"a=%2x", "error query:"},
		{"%=1", "error query:"},
		{"a=%ff", "error query:"},
		{"a=%00", "error query:"},
		{"a[1][2][3][4][5][6][7]=x", "map[a:map[1:map[2:map[3:map[4:map[5:map[6:map[7:x]]]]]]]]"},
		{"a[1][2][3][4][5][6][7][8]=x", "error query:"},
		{many(1001), "error query:"},
	} {
		q, err := ParseQuery(c.raw)
		got := fmt.Sprint(tree(q))
		if err != nil {
			f := fault.Of(err)
			if f.Code != fault.Invalid || f.Field == "" {
				t.Errorf("%q: %v is not an Invalid fault with a field", c.raw, err)
			}
			got = "error " + f.Field + ":"
		}
		if got != c.want {
			t.Errorf("%.60q: %s, want %s", c.raw, got, c.want)
		}
	}
	t.Run("a thousand are read in order", func(t *testing.T) {
		q, err := ParseQuery(many(1000))
		if err != nil || len(q.Strings("a")) != 1000 {
			t.Error(err, len(q.Strings("a")))
		}
	})
	t.Run("a list keeps the order of its indexes and closes gaps", func(t *testing.T) {
		q, err := ParseQuery("a[10]=k&a[2]=c&a[0]=a&a[99999999999999999999]=z&a[25]=y")
		if got := q.Strings("a"); err != nil || !reflect.DeepEqual(got, []string{"a", "c", "k", "y", "z"}) {
			t.Error(err, got)
		}
		q, _ = ParseQuery("t[1][key]=b&t[0][key]=a")
		var keys []string
		for _, e := range q.List("t") {
			keys = append(keys, e.Get("key"))
		}
		if strings.Join(keys, "") != "ab" {
			t.Error(keys)
		}
	})
	t.Run("asking for what is not there is safe", func(t *testing.T) {
		q, _ := ParseQuery("a[b]=1&c=2")
		if q.Get("x", "y", "z") != "" || q.Get("c", "d") != "" || q.Get("a") != "" || q.Strings("a") != nil || q.List("a") != nil || q.List("c") != nil {
			t.Error("found something")
		}
		if q.Has("x") || q.Has("c", "d") || !q.Has("a") || !q.Has("a", "b") || q.IsZero() || !q.Child("x").IsZero() || (Query{}).Keys() != nil {
			t.Error("Has")
		}
		if q.Child("a", "b").Path() != "a[b]" || (Query{}).Path() != "" {
			t.Error("Path")
		}
	})
	t.Run("typed values name their bracketed path when they are wrong", func(t *testing.T) {
		q, _ := ParseQuery("f[on]=true&f[off]=0&f[bad]=x&f[n]=7&f[empty]=&f[two]=1&f[two]=2&f[deep][er]=1&f[list][0]=a")
		if b, err := q.Bool("f", "on"); err != nil || !*b {
			t.Error(b, err)
		}
		if b, err := q.Bool("f", "off"); err != nil || *b {
			t.Error(b, err)
		}
		for _, name := range []string{"empty", "absent"} {
			if b, err := q.Bool("f", name); err != nil || b != nil {
				t.Error(b, err)
			}
			if n, err := q.Int("f", name); err != nil || n != nil {
				t.Error(n, err)
			}
		}
		if n, err := q.Int("f", "n"); err != nil || *n != 7 {
			t.Error(n, err)
		}
		if _, err := q.Bool("f", "bad"); err == nil || err.Error() != "f[bad]: must be true or false" {
			t.Error(err)
		}
		if _, err := q.Int("f", "bad"); err == nil || err.Error() != "f[bad]: must be a whole number" {
			t.Error(err)
		}
		if _, err := q.Text("f", "two"); err == nil || err.Error() != "f[two]: must be given once" {
			t.Error(err)
		}
		if _, err := q.Int("f", "deep"); err == nil || err.Error() != "f[deep]: must be a single value" {
			t.Error(err)
		}
		if s, err := q.Text("f", "list"); err != nil || s != "a" {
			t.Error(s, err)
		}
	})
}

// encode writes a tree the way the client library does.
func encode(name string, v any, out *[]string) {
	switch v := v.(type) {
	case string:
		*out = append(*out, strings.ReplaceAll(url.QueryEscape(name), "+", "%20")+"="+strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
	case []string:
		for _, s := range v {
			encode(name, s, out)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if name == "" {
				encode(k, v[k], out)
			} else {
				encode(name+"["+k+"]", v[k], out)
			}
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "a=1", "a=1&a[b]=2", "filter[tags][0][key]=type&filter[tags][0][value]=x", "a[]=1&a[]=2", "a[5]=1&a[1]=2&a[]=3",
		"a=%zz", "a=%00", "a[b", "[a]=1", "page=1&amount=20&fields[0]=id&orderBy=name,asc", "a[][b]=1", "a%5B0%5D=+", "a[0][0][0][0][0][0][0][0]=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		if err != nil {
			if fault.Of(err).Code != fault.Invalid {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if _, err := ParseList(q); err != nil && fault.Of(err).Code != fault.Invalid {
			t.Fatalf("%q: %v", raw, err)
		}
		want := tree(q)
		var pairs []string
		encode("", want, &pairs)
		again, err := ParseQuery(strings.Join(pairs, "&"))
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, pairs, err)
		}
		if got := tree(again); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q: %v, want %v", raw, pairs, got, want)
		}
	})
}
