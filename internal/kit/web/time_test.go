package web_test

import (
	"encoding/json"
	"testing"
	"time"

	v2 "github.com/go-json-experiment/json"

	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

func TestTime(t *testing.T) {
	at := web.Millis(1_700_000_000_120)
	type both struct {
		A web.Time  `json:"a"`
		B *web.Time `json:"b"`
		C web.Time  `json:"c"`
	}
	const want = `{"a":"2023-11-14T22:13:20.120Z","b":null,"c":null}`
	if b, err := json.Marshal(both{A: at}); err != nil || string(b) != want {
		t.Errorf("%s %v", b, err)
	}
	if b, err := v2.Marshal(both{A: at}); err != nil || string(b) != want {
		t.Errorf("%s %v", b, err)
	}
	for in, want := range map[string]string{
		`"2023-11-14T22:13:20.120Z"`:      "2023-11-14T22:13:20.120Z",
		`"2023-11-15T00:13:20.120+02:00"`: "2023-11-14T22:13:20.120Z",
		`"2023-11-14"`:                    "2023-11-14T00:00:00.000Z",
		`1700000000120`:                   "2023-11-14T22:13:20.120Z",
	} {
		var got web.Time
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.String() != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	ms := int64(1)
	if web.MaybeMillis(nil) != nil || web.MaybeMillis(&ms).String() != "1970-01-01T00:00:00.001Z" || web.MaybeTime(nil) != nil {
		t.Error("Maybe…")
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 30, 0, 0, time.UTC)
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	const layout = "2006-01-02T15:04:05.000Z"
	for _, c := range []struct {
		in         string
		loc        *time.Location
		start, end string // end "" when the same
	}{
		{"2026-01-31T10:00:00.000Z", nil, "2026-01-31T10:00:00.000Z", ""},
		{"2026-01-31T10:00:00Z", paris, "2026-01-31T10:00:00.000Z", ""},
		{"2026-01-31T10:00:00.123456+02:00", nil, "2026-01-31T08:00:00.123Z", ""},
		{"2026-01-31T10:00:00 02:00", nil, "2026-01-31T08:00:00.000Z", ""},
		{"2026-01-31T10:00:00+0200", nil, "2026-01-31T08:00:00.000Z", ""},
		{"2026-01-31 10:00:00", nil, "2026-01-31T10:00:00.000Z", ""},
		{"2026-01-31 10:00:00", paris, "2026-01-31T09:00:00.000Z", ""},
		{"2026-01-31T10:00", paris, "2026-01-31T09:00:00.000Z", ""},
		{"2026-01-31", nil, "2026-01-31T00:00:00.000Z", "2026-01-31T23:59:59.999Z"},
		{"2026-07-01", paris, "2026-06-30T22:00:00.000Z", "2026-07-01T21:59:59.999Z"},
		{"2026-03-29", paris, "2026-03-28T23:00:00.000Z", "2026-03-29T21:59:59.999Z"},
		{"1700000000000", nil, "2023-11-14T22:13:20.000Z", ""},
		{"1 day", nil, "2026-03-30T12:30:00.000Z", ""},
		{"2 hours", nil, "2026-03-31T10:30:00.000Z", ""},
		{"30 minutes", nil, "2026-03-31T12:00:00.000Z", ""},
		{"15min", nil, "2026-03-31T12:15:00.000Z", ""},
		{"10 seconds", nil, "2026-03-31T12:29:50.000Z", ""},
		{"2 weeks", nil, "2026-03-17T12:30:00.000Z", ""},
		{"1 month", nil, "2026-02-28T12:30:00.000Z", ""},
		{"1 quarter", nil, "2025-12-31T12:30:00.000Z", ""},
		{"1 year", nil, "2025-03-31T12:30:00.000Z", ""},
		{" 1 Day ", nil, "2026-03-30T12:30:00.000Z", ""},
	} {
		if c.end == "" {
			c.end = c.start
		}
		got, err := web.ParseTime(c.in, now, c.loc)
		if err != nil || got.Format(layout) != c.start {
			t.Errorf("ParseTime(%q) = %s %v, want %s", c.in, got.Format(layout), err, c.start)
		}
		got, err = web.ParseTimeEnd(c.in, now, c.loc)
		if err != nil || got.Format(layout) != c.end {
			t.Errorf("ParseTimeEnd(%q) = %s %v, want %s", c.in, got.Format(layout), err, c.end)
		}
	}
	for _, in := range []string{
		"", "x", "yesterday", "2026", "20260131", "2026-13-01", "2026-02-30", "2026-01-31T25:00:00Z", "0000-01-01", "99999-01-01",
		"99999999999999999999", "9999999999999999", "-1700000000000", "1 fortnight", "day", "99999999999 days", "9999 years", "1 day 2 hours", "2026-01-31T10:00:00.000Zjunk",
	} {
		if got, err := web.ParseTime(in, now, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseTime(%q) = %v %v", in, got, err)
		}
	}
}

func TestParseExpire(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, in := range []string{"", "never", "Never", "null", " "} {
		if got, err := web.ParseExpire(in, now); got != nil || err != nil {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"3 month": "2026-04-30", "1 month": "2026-02-28", "2 years": "2028-01-31", "2026-05-01": "2026-05-01", "2026-05-01T00:00:00.000Z": "2026-05-01",
	} {
		if got, err := web.ParseExpire(in, now); err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"soon", "2025-01-01", "0 days", "3", "2026-01-31"} {
		if got, err := web.ParseExpire(in, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
}

func TestOpt(t *testing.T) {
	type in struct {
		A web.Opt[string]    `json:"a,omitzero"`
		B web.Opt[int]       `json:"b,omitzero"`
		C web.Opt[[]string]  `json:"c,omitzero"`
		D web.Opt[*web.Time] `json:"d,omitzero"`
	}
	for _, text := range []string{`{}`, `{"a":null}`, `{"a":"x","b":0,"c":["y"]}`, `{"d":"2026-01-31T10:00:00.000Z"}`} {
		for _, name := range []string{"encoding/json", "v2"} {
			var v in
			var b []byte
			var err error
			if name == "v2" {
				if err = v2.Unmarshal([]byte(text), &v); err == nil {
					b, err = v2.Marshal(v)
				}
			} else if err = json.Unmarshal([]byte(text), &v); err == nil {
				b, err = json.Marshal(v)
			}
			if err != nil || string(b) != text {
				t.Errorf("%s: %s became %s (%v)", name, text, b, err)
			}
		}
	}
	var v in
	if err := json.Unmarshal([]byte(`{"a":null,"b":5}`), &v); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.A.Get(); ok || !v.A.Set || !v.A.Null || v.A.Ptr() != nil || v.A.Or("z") != "z" {
		t.Errorf("null: %+v", v.A)
	}
	if n, ok := v.B.Get(); !ok || n != 5 || *v.B.Ptr() != 5 || v.B.Or(7) != 5 {
		t.Errorf("value: %+v", v.B)
	}
	if v.C.Set || v.C.Or(nil) != nil || !web.Some(1).Set {
		t.Errorf("absent: %+v", v.C)
	}
}
