package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

var (
	clockSystem = clock.System
	discard     = slog.New(slog.DiscardHandler)
)

func itoa(n int) string { return strconv.Itoa(n) }

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// createInput is embedded in an In, as rooms do.
type createInput struct {
	Name   string           `json:"name"`
	Tags   []tag            `json:"tags"`
	Count  *int             `json:"count"`
	Phone  web.Opt[string]  `json:"phone"`
	Limit  web.Opt[float64] `json:"limit"`
	Active bool             `json:"active"`
	At     *web.Time        `json:"at"`
}

func (in createInput) Validate() error {
	if in.Name == "" {
		return fault.Field("name", "must not be empty")
	}
	return nil
}

type editIn struct {
	ID   id.Device `path:"id"`
	Dry  bool      `query:"dry"`
	Hide string    `json:"-"`
	createInput
}

func TestBodies(t *testing.T) {
	dump := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	s := start(t, web.Config{}, []web.Route{
		web.Handle("PUT /device/{id}", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in editIn) (string, error) {
			return fmt.Sprintf("%s %v %q %s", in.ID, in.Dry, in.Hide, dump(in.createInput)), nil
		}),
		web.Handle("POST /plain", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in createInput) (string, error) { return dump(in), nil }),
		web.Handle("POST /list", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Points []struct {
				Variable string   `json:"variable"`
				Value    *float64 `json:"value"`
			} `body:"json"`
		}) (int, error) {
			return len(in.Points), nil
		}),
		web.Handle("POST /raw", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Body json.RawMessage `body:"json"`
		}) (string, error) {
			return string(in.Body), nil
		}),
		web.Handle("POST /maybe", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Body *tag `body:"json"`
		}) (bool, error) {
			return in.Body != nil, nil
		}),
		web.Handle("POST /bytes", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (string, error) {
			return string(in.Body), nil
		}),
		web.Handle("DELETE /with", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in tag) (string, error) { return in.Key, nil }),
		web.Handle("POST /nothing", "", auth.Anyone, give("done", nil)),
		web.Handle("POST /small", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in tag) (string, error) { return in.Key, nil }, web.MaxBody(20)),
	})
	js := []string{"Content-Type", "application/json"}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // part of result or message
	}{
		{"members beside a path and a query", "PUT", "/device/d1?dry=true", `{"name":"a","count":3,"_arg":"x","ID":5,"Hide":"no"}`, js, 200, `d1 true "" {"name":"a"`},
		{"a body cannot fill the path", "PUT", "/device/d1", `{"name":"a","id":"d2","ID":"d2","Dry":true}`, js, 200, `d1 false ""`},
		{"absent, null and value are three things", "POST", "/plain", `{"name":"a","phone":null,"limit":2.5}`, js, 200, `"phone":null,"limit":2.5`},
		{"Validate comes last", "POST", "/plain", `{}`, js, 400, "name: must not be empty"},
		{"no body is an empty object", "POST", "/plain", ``, nil, 400, "name: must not be empty"},
		{"blanks are an empty object", "POST", "/plain", "  \n", js, 400, "name: must not be empty"},
		{"no content type", "POST", "/plain", `{"name":"a"}`, nil, 200, `"name":"a"`},
		{"text/plain", "POST", "/plain", `{"name":"a"}`, []string{"Content-Type", "text/plain;charset=UTF-8"}, 200, `"name":"a"`},
		{"charset and case", "POST", "/plain", `{"name":"a"}`, []string{"Content-Type", "Application/JSON; charset=utf8"}, 200, `"name":"a"`},
		{"problem+json", "POST", "/plain", `{"name":"a"}`, []string{"Content-Type", "application/merge-patch+json"}, 200, `"name":"a"`},
		{"a form", "POST", "/plain", `name=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "Content-Type: must be application/json"},
		{"XML", "POST", "/plain", `<a/>`, []string{"Content-Type", "application/xml"}, 415, "Content-Type:"},
		{"another charset", "POST", "/plain", `{}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "charset must be utf-8"},
		{"a content type that is none", "POST", "/plain", `{}`, []string{"Content-Type", ";;"}, 415, "Content-Type:"},
		{"gzip", "POST", "/plain", `xx`, []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415, "Content-Encoding:"},
		{"broken JSON", "POST", "/plain", `{"name":`, js, 400, "body: is not valid JSON at byte 8"},
		{"trailing text", "POST", "/plain", `{"name":"a"} x`, js, 400, "body: is not valid JSON at byte 13"},
		{"a repeated member", "POST", "/plain", `{"name":"a","name":"b"}`, js, 400, "name: is given twice"},
		{"a repeated member deep inside", "POST", "/plain", `{"name":"a","tags":[{"key":"a"},{"key":"a","key":"b"}]}`, js, 400, "tags[1].key: is given twice"},
		{"an unknown repeated member", "POST", "/plain", `{"name":"a","zz":1,"zz":2}`, js, 400, "zz: is given twice"},
		{"a list for an object", "POST", "/plain", `[]`, js, 400, "body: must be an object"},
		{"null for an object", "POST", "/plain", `null`, js, 400, "body: must be an object"},
		{"a number for text", "POST", "/plain", `{"name":5}`, js, 400, "name: must be a string"},
		{"text for a number", "POST", "/plain", `{"name":"a","count":"3"}`, js, 400, "count: must be a whole number"},
		{"a fraction for a whole number", "POST", "/plain", `{"name":"a","count":3.5}`, js, 400, "count: must be a whole number"},
		{"a number too large", "POST", "/plain", `{"name":"a","count":99999999999999999999}`, js, 400, "count: must be a whole number"},
		{"text for a truth value", "POST", "/plain", `{"name":"a","active":"true"}`, js, 400, "active: must be true or false"},
		{"an object for a list", "POST", "/plain", `{"name":"a","tags":{}}`, js, 400, "tags: must be a list"},
		{"a number in a list of objects", "POST", "/plain", `{"name":"a","tags":[{"key":"a"},7]}`, js, 400, "tags[1]: must be an object"},
		{"a wrong member in a list", "POST", "/plain", `{"name":"a","tags":[{"key":"a"},{"key":true}]}`, js, 400, "tags[1].key: must be a string"},
		{"a wrong optional", "POST", "/plain", `{"name":"a","phone":5}`, js, 400, "phone: must be a string"},
		{"a wrong optional number", "POST", "/plain", `{"name":"a","limit":"5"}`, js, 400, "limit: must be a number"},
		{"a wrong date", "POST", "/plain", `{"name":"a","at":"yesterday"}`, js, 400, "at: must be an ISO date"},
		{"a wrong date type", "POST", "/plain", `{"name":"a","at":true}`, js, 400, "at: must be an ISO date"},
		{"text that is not UTF-8", "POST", "/plain", "{\"name\":\"\xff\"}", js, 400, "body: is not valid JSON"},
		{"NUL", "POST", "/plain", `{"name":"a\u0000b"}`, js, 400, "NUL"},
		{"an escaped backslash before u0000", "POST", "/plain", `{"name":"a\\u0000b"}`, js, 200, `a\\u0000b`},
		{"too deep", "POST", "/raw", deep(33), js, 400, "body: is nested deeper than 32 levels"},
		{"just not too deep", "POST", "/raw", deep(32), js, 200, "[["},
		{"brackets in text do not count", "POST", "/raw", `"` + strings.Repeat("[", 50) + `"`, js, 200, "[["},
		{"too deep in bytes", "POST", "/bytes", deep(33), js, 400, "body: is nested deeper"},
		{"plain text in bytes is not judged", "POST", "/bytes", strings.Repeat("[", 50), []string{"Content-Type", "text/plain"}, 200, "[["},
		{"bytes come as they are", "POST", "/bytes", `{"a": 1 }`, js, 200, `{"a": 1 }`},
		{"raw JSON is checked", "POST", "/raw", `{"a":}`, js, 400, "body: is not valid JSON at byte 5"},
		{"raw JSON may be absent", "POST", "/raw", ``, nil, 200, ""},
		{"a list", "POST", "/list", `[{"variable":"a"},{"variable":"b","value":1}]`, js, 200, "2"},
		{"an object for a list as the body", "POST", "/list", `{}`, js, 400, "body: must be a list"},
		{"an absent list", "POST", "/list", ``, js, 400, "body: must not be empty"},
		{"a wrong member in the fourth item", "POST", "/list", `[{},{},{},{"variable":5}]`, js, 400, "[3].variable: must be a string"},
		{"an optional whole body", "POST", "/maybe", ``, nil, 200, "false"},
		{"an optional whole body that is there", "POST", "/maybe", `{}`, js, 200, "true"},
		{"DELETE with a body", "DELETE", "/with", `{"key":"k"}`, js, 200, "k"},
		{"DELETE without", "DELETE", "/with", ``, nil, 200, ""},
		{"a body nobody wants", "POST", "/nothing", `{"a":`, js, 200, "done"},
		{"201 kB", "POST", "/plain", `{"name":"` + strings.Repeat("x", 201_000) + `"}`, js, 413, "body: must be at most 200000 bytes"},
		{"201 kB nobody wants", "POST", "/nothing", strings.Repeat("x", 201_000), js, 413, "body: must be at most 200000 bytes"},
		{"200 kB", "POST", "/plain", `{"name":"` + strings.Repeat("x", 200_000-11) + `"}`, js, 200, "xx"},
		{"5 MB", "POST", "/plain", strings.Repeat("x", 5<<20), js, 413, "body:"},
		{"a limit of its own", "POST", "/small", `{"key":"0123456789abcdef"}`, js, 413, "at most 20 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.call(c.method, c.path, c.body, c.headers...)
			m := a.json(t)
			got := fmt.Sprint(m["result"])
			if c.status >= 400 {
				got = a.message(t)
			}
			if a.Status != c.status || !strings.Contains(got, c.want) {
				t.Errorf("%d %.300s", a.Status, a.Body)
			}
			if c.status == 400 && m["field"] == nil {
				t.Errorf("no field in %s", a.Body)
			}
		})
	}
	t.Run("a chunked body past the limit", func(t *testing.T) {
		req, _ := http.NewRequest("POST", s.url+"/plain", io.MultiReader(strings.NewReader(`{"name":"`), strings.NewReader(strings.Repeat("x", 300_000))))
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("%d", res.StatusCode)
		}
	})
	t.Run("a broken chunk", func(t *testing.T) {
		got := s.wire("POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 5*time.Second)
		if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, `"message":"body: is not correctly transmitted"`) {
			t.Error(got)
		}
	})
}

func TestParameters(t *testing.T) {
	type in struct {
		Text   string    `query:"text"`
		On     bool      `query:"on"`
		N      int       `query:"n"`
		Maybe  *int      `query:"maybe"`
		F      float64   `query:"f"`
		Vars   []string  `query:"variables"`
		Sub    web.Query `query:"filter"`
		All    web.Query `query:"*"`
		When   *web.Time `query:"when"`
		Device id.Device `query:"device"`
	}
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in in) (string, error) {
			maybe := "nil"
			if in.Maybe != nil {
				maybe = itoa(*in.Maybe)
			}
			when := "nil"
			if in.When != nil {
				when = in.When.String()
			}
			return fmt.Sprintf("%s|%v|%d|%s|%v|%v|%s|%v|%s|%s", in.Text, in.On, in.N, maybe, in.F, in.Vars, in.Sub.Get("name"), in.All.Keys(), when, in.Device), nil
		}),
		web.Handle("GET /list", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct{ web.List }) (string, error) {
			order, err := in.Order(map[string]string{"name": "d.name", "created_at": "d.created"}, "name ASC")
			return fmt.Sprintf("%d|%d|%d|%v|%s|%s", in.Page, in.Amount, in.Offset(), in.Fields, in.Filter.Get("name"), order), err
		}),
	})
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "|false|0|nil|0|[]||[]|nil|"},
		{"/?text=a%20b+c&on=true&n=-5&maybe=7&f=2.5", 200, "a b c|true|-5|7|2.5|[]|"},
		{"/?on=1&maybe=&text=", 200, "|true|0|nil|0|"},
		{"/?variables=t", 200, "[t]"},
		{"/?variables=t&variables=u", 200, "[t u]"},
		{"/?variables[]=t&variables[]=u", 200, "[t u]"},
		{"/?variables%5B0%5D=t&variables%5B1%5D=u", 200, "[t u]"},
		{"/?variables[1]=u&variables[0]=t", 200, "[t u]"},
		{"/?filter[name]=*abc*&filter[tags][0][key]=x", 200, "|*abc*|[filter]"},
		{"/?when=2026-01-31T10:00:00%2B02:00", 200, "2026-01-31T08:00:00.000Z"},
		{"/?device=64b0c0ffee00000000000001", 200, "64b0c0ffee00000000000001"},
		{"/?n=x", 400, "n: must be a whole number"},
		{"/?n=1.5", 400, "n: must be a whole number"},
		{"/?n=99999999999999999999", 400, "n: must be a whole number"},
		{"/?n=1&n=2", 400, "n: must be given once"},
		{"/?n[a]=1", 400, "n: must be a single value"},
		{"/?text[a][b]=1", 400, "text: must be a single value"},
		{"/?on=maybe", 400, "on: must be true or false"},
		{"/?f=NaN", 400, "f: must be a number"},
		{"/?f=1e999", 400, "f: must be a number"},
		{"/?maybe=x", 400, "maybe: must be a whole number"},
		{"/?variables[a]=t", 400, "variables: must be a value or a list of values"},
		{"/?when=soon", 400, "when: must be an ISO date"},
		{"/?text=%zz", 400, "query:"},
		{"/?text=%ff", 400, "query: must be UTF-8"},
		{"/?text=%00", 400, "query: must not contain"},
		{"/?a=1&a[b]=2", 400, "a: is given both"},
		{"/list", 200, "1|20|0|[]||name ASC"},
		{"/list?page=3&amount=50&fields[0]=id&fields[1]=name&filter[name]=x*&orderBy=created_at,desc", 200, "3|50|100|[id name]|x*|d.created DESC"},
		{"/list?page=0&amount=0", 200, "1|20|0|"},
		{"/list?page=-3", 200, "1|20|0|"},
		{"/list?amount=99999", 200, "1|10000|"},
		{"/list?amount=99999999999999999999", 200, "1|10000|"},
		{"/list?orderBy=name", 200, "d.name ASC"},
		{"/list?orderBy[0]=name&orderBy[1]=desc", 200, "d.name DESC"},
		{"/list?orderBy=", 200, "name ASC"},
		{"/list?filter=", 200, "1|20|0|[]||"},
		{"/list?fields=id", 200, "[id]"},
		{"/list?page=x", 400, "page: must be a whole number"},
		{"/list?page=99999999999", 400, "page: must be at most"},
		{"/list?page=99999999999999999999", 400, "page: must be at most"},
		{"/list?amount=-1", 400, "amount: must not be negative"},
		{"/list?amount[x]=1", 400, "amount: must be a single value"},
		{"/list?orderBy=name;drop,asc", 400, "orderBy: cannot order by"},
		{"/list?orderBy=name,up", 400, "orderBy: direction"},
		{"/list?orderBy=a,b,c", 400, "orderBy: must be"},
		{"/list?orderBy[a]=1", 400, "orderBy: must be"},
		{"/list?fields[a]=1", 400, "fields: must be"},
		{"/list?filter=x", 400, "filter: must be given by parts"},
	} {
		a := s.call("GET", c.path, "")
		m := a.json(t)
		got := fmt.Sprint(m["result"])
		if c.status >= 400 {
			got = a.message(t)
		}
		if a.Status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s, want %s", c.path, a.Status, a.Body, c.want)
		}
	}
}

func TestHandlePanics(t *testing.T) {
	for name, make := range map[string]func(){
		"a pattern without method":   func() { web.Handle("/a", "", auth.Anyone, give(1, nil)) },
		"a parameter without braces": func() { web.Handle("GET /a", "", auth.Anyone, echoID) },
		"an untagged field": func() {
			web.Handle("GET /a", "", auth.Anyone, func(context.Context, auth.Caller, struct{ X int }) (int, error) { return 0, nil })
		},
		"a body on GET": func() {
			web.Handle("GET /a", "", auth.Anyone, func(context.Context, auth.Caller, tag) (int, error) { return 0, nil })
		},
		"members and a whole body": func() {
			web.Handle("POST /a", "", auth.Anyone, func(context.Context, auth.Caller, struct {
				A int    `json:"a"`
				B []byte `body:"json"`
			}) (int, error) {
				return 0, nil
			})
		},
		"a type no text can fill": func() {
			web.Handle("GET /a", "", auth.Anyone, func(context.Context, auth.Caller, struct {
				A map[string]int `query:"a"`
			}) (int, error) {
				return 0, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			make()
		})
	}
}

func TestMultipart(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /logo", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct{ R *web.Request }) (int64, error) {
			files := in.R.Form.File["file"]
			if len(files) != 1 {
				return 0, fault.Field("file", "must be given once")
			}
			return files[0].Size, nil
		}, web.Multipart(2_000_000)),
	})
	form := func(size int) (string, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		f, _ := w.CreateFormFile("file", "a.png")
		f.Write(bytes.Repeat([]byte("x"), size))
		w.Close()
		return b.String(), w.FormDataContentType()
	}
	body, ct := form(1_500_000)
	if a := s.call("POST", "/logo", body, "Content-Type", ct); a.Status != 200 || !strings.Contains(a.Body, "1500000") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	big, bigCT := form(2_100_000)
	for _, c := range []struct {
		name, body, ct string
		status         int
	}{
		{"too large", big, bigCT, 413},
		{"JSON", `{}`, "application/json", 415},
		{"no body", "", ct, 400},
		{"a broken form", "xx", ct, 400},
		{"half a form", body[:1000], ct, 400},
		{"no boundary", body, "multipart/form-data", 415},
	} {
		if a := s.call("POST", "/logo", c.body, "Content-Type", c.ct); a.Status != c.status {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		} else {
			a.json(t)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	var v struct {
		Name string `json:"name"`
	}
	if err := web.DecodeJSON([]byte(`{"name":"x"}`), &v); err != nil || v.Name != "x" {
		t.Error(err, v)
	}
	if err := web.DecodeJSON([]byte(`{"name":1}`), &v); !fault.Is(err, fault.Invalid) || err == nil || fault.Of(err).Message != "name: must be a string" {
		t.Error(err)
	}
}

func TestPick(t *testing.T) {
	type inner struct {
		ID   string `json:"id"`
		Tags []tag  `json:"tags"`
	}
	type row struct {
		inner
		Name   string    `json:"name"`
		Note   string    `json:"note,omitempty"`
		Seen   *web.Time `json:"seen"`
		Secret string    `json:"-"`
	}
	r := row{inner: inner{ID: "1"}, Name: "n", Secret: "s"}
	got := web.Pick([]string{"name", "nonsense"}, []string{"id"}, r)
	if !reflect.DeepEqual(got, map[string]any{"name": "n", "id": "1"}) {
		t.Error(got)
	}
	all := web.Pick(nil, nil, &r)
	if len(all) != 4 || all["seen"] != (*web.Time)(nil) {
		t.Error(all)
	}
}

func TestLike(t *testing.T) {
	for in, want := range map[string]string{
		"abc": "abc", "*abc*": "%abc%", "50%_a\\": `50\%\_a\\`, "": "", "**": "%%",
	} {
		if got := web.Like(in); got != want {
			t.Errorf("Like(%q) = %q, want %q", in, got, want)
		}
	}
}
