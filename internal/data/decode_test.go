package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

const nowMS = 1_779_000_000_000

// bad is every body that must be refused, and the field that the refusal must name.
var bad = []struct{ name, body, field string }{
	{"nothing", ``, "body"},
	{"blanks", "  \n", "body"},
	{"null", `null`, "body"},
	{"a text", `"temperature"`, "body"},
	{"a number", `12`, "body"},
	{"an empty list", `[]`, "body"},
	{"a list of lists", `[[]]`, "[0]"},
	{"null in a list", `[{"variable":"a"},null]`, "[1]"},
	{"broken JSON", `{"variable":"a"`, "body"},
	{"broken JSON in a list", `[{"variable":"a"},{"variable":]`, "[1]"},
	{"a missing comma", `[{"variable":"a"}{"variable":"b"}]`, ""},
	{"a trailing comma", `[{"variable":"a"},]`, ""},
	{"two values", `{"variable":"a"}{"variable":"b"}`, "body"},
	{"a trailing letter", `{"variable":"a"}x`, ""},
	{"a comment", `{"variable":"a"/**/}`, ""},
	{"single quotes", `{'variable':'a'}`, ""},
	{"a byte that is not UTF-8", "{\"variable\":\"a\",\"unit\":\"\xb0C\"}", ""},
	{"half a surrogate pair", `{"variable":"a","unit":"\ud800"}`, ""},
	{"a control character in a text", "{\"variable\":\"a\",\"unit\":\"a\nb\"}", ""},
	{"a duplicate member", `[{"variable":"a","variable":"b"}]`, "[0].variable"},
	{"a duplicate in metadata", `{"variable":"a","metadata":{"x":1,"x":2}}`, "metadata.x"},
	{"a duplicate by escape", `{"variable":"a","v\u0061riable":"b"}`, "variable"},
	{"metadata nested too deep", `{"variable":"a","metadata":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "body"},
	{"an unknown member nested too deep", `{"variable":"a","x":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat("}", 40) + `}`, "body"},

	{"no variable", `{"value":1}`, "variable"},
	{"null variable", `{"variable":null}`, "variable"},
	{"empty variable", `{"variable":""}`, "variable"},
	{"variable is a number", `{"variable":5}`, "variable"},
	{"variable of 101 characters", `{"variable":"` + strings.Repeat("é", 101) + `"}`, "variable"},
	{"variable in a list", `[{"variable":"ok"},{"variable":"a b"}]`, "[1].variable"},
	{"variable with a tab", `{"variable":"a\tb"}`, "variable"},
	{"variable with a no-break space", "{\"variable\":\"a\u00a0b\"}", "variable"},
	{"variable with U+0000", `{"variable":"a\u0000b"}`, "variable"},

	{"value is an object", `{"variable":"a","value":{}}`, "value"},
	{"value is a list", `{"variable":"a","value":[1]}`, "value"},
	{"value of 6001 bytes", `{"variable":"a","value":"` + strings.Repeat("x", 6001) + `"}`, "value"},
	{"value with U+0000", `{"variable":"a","value":"\u0000"}`, "value"},
	{"value beyond floating point", `{"variable":"a","value":1e400}`, "value"},
	{"value below floating point", `{"variable":"a","value":-1e400}`, "value"},
	{"value NaN", `{"variable":"a","value":NaN}`, ""},
	{"value with a leading zero", `{"variable":"a","value":01}`, ""},
	{"value with a plus", `{"variable":"a","value":+1}`, ""},

	{"unit of 26 characters", `{"variable":"a","unit":"` + strings.Repeat("°", 26) + `"}`, "unit"},
	{"unit is a number", `{"variable":"a","unit":1}`, "unit"},
	{"group of 101 characters", `{"variable":"a","group":"` + strings.Repeat("g", 101) + `"}`, "group"},
	{"group is an object", `{"variable":"a","group":{}}`, "group"},
	{"serie of 101 characters", `{"variable":"a","serie":"` + strings.Repeat("g", 101) + `"}`, "serie"},

	{"time is a word", `{"variable":"a","time":"yesterday"}`, "time"},
	{"time is a boolean", `{"variable":"a","time":true}`, "time"},
	{"time is 30 February", `{"variable":"a","time":"2026-02-30T00:00:00Z"}`, "time"},
	{"time is 29 February of 1900", `{"variable":"a","time":"1900-02-29"}`, "time"},
	{"time in month 13", `{"variable":"a","time":"2026-13-01"}`, "time"},
	{"time at 24:00", `{"variable":"a","time":"2026-01-01T24:00:00Z"}`, "time"},
	{"time with a rest", `{"variable":"a","time":"2026-01-01T10:00:00Zzz"}`, "time"},
	{"time with an empty fraction", `{"variable":"a","time":"2026-01-01T10:00:00.Z"}`, "time"},
	{"time in the year 10000", `{"variable":"a","time":253402300800000}`, "time"},
	{"time is empty", `{"variable":"a","time":""}`, "time"},
	{"time in a zone beyond all", `{"variable":"a","time":"2026-01-01T10:00:00+15:00"}`, "time"},

	{"location is a text", `{"variable":"a","location":"here"}`, "location"},
	{"location is a list", `{"variable":"a","location":[1,2]}`, "location"},
	{"location is empty", `{"variable":"a","location":{}}`, "location"},
	{"location without lng", `{"variable":"a","location":{"lat":1}}`, "location.lng"},
	{"location without lat", `{"variable":"a","location":{"lng":1}}`, "location.lat"},
	{"lat beyond 90", `{"variable":"a","location":{"lat":90.001,"lng":0}}`, "location.lat"},
	{"lng beyond 180", `{"variable":"a","location":{"lat":0,"lng":-180.5}}`, "location.lng"},
	{"lat is a text", `{"variable":"a","location":{"lat":"1","lng":0}}`, "location.lat"},
	{"lat is null", `{"variable":"a","location":{"lat":null,"lng":0}}`, "location.lat"},
	{"one coordinate", `{"variable":"a","location":{"type":"Point","coordinates":[1]}}`, "location.coordinates"},
	{"four coordinates", `{"variable":"a","location":{"type":"Point","coordinates":[1,2,3,4]}}`, "location.coordinates"},
	{"coordinates the wrong way round", `{"variable":"a","location":{"type":"Point","coordinates":[1,100]}}`, "location.coordinates[1]"},
	{"a line string", `{"variable":"a","location":{"type":"LineString","coordinates":[1,2]}}`, "location.type"},

	{"metadata is a text", `{"variable":"a","metadata":"x"}`, "metadata"},
	{"metadata is a number", `[{"variable":"a","metadata":1}]`, "[0].metadata"},
	{"metadata of more than 10 kB", `{"variable":"a","metadata":{"x":"` + strings.Repeat("x", 9993) + `"}}`, "metadata"},
}

func init() {
	for _, c := range forbidden + " " {
		bad = append(bad, struct{ name, body, field string }{"variable with " + string(c), fmt.Sprintf(`{"variable":"a%cb"}`, c), "variable"})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range bad {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodePoints([]byte(c.body), nowMS)
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("error is %v, want invalid", err)
			}
			if f := fault.Of(err); c.field != "" && f.Field != c.field {
				t.Fatalf("field is %q (%s), want %q", f.Field, f.Message, c.field)
			}
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	point := func(change func(p *Point)) Point {
		p := Point{Variable: "a", Time: nowMS, Group: "g"}
		change(&p)
		return p
	}
	for _, c := range []struct {
		name, body string
		want       Point
	}{
		{"a variable alone", `{"variable":"a"}`, point(func(p *Point) {})},
		{"variable is lower-cased", `{"variable":"TempERATURE_É"}`, point(func(p *Point) { p.Variable = "temperature_é" })},
		{"variable of 100 characters", `{"variable":"` + strings.Repeat("é", 100) + `"}`, point(func(p *Point) { p.Variable = strings.Repeat("é", 100) })},
		{"variable with what is allowed", `{"variable":"a_b:c/d+e#f@g%h&i(j)k[l]m"}`, point(func(p *Point) { p.Variable = "a_b:c/d+e#f@g%h&i(j)k[l]m" })},
		{"escaped names", `{"\u0076ariable":"\u0061"}`, point(func(p *Point) {})},
		{"unknown members", `{"variable":"a","id":"x","device":[1,{"y":null}],"Variable":"b"}`, point(func(p *Point) {})},
		{"nulls", `{"variable":"a","value":null,"unit":null,"group":null,"serie":null,"time":null,"location":null,"metadata":null}`, point(func(p *Point) {})},
		{"a whole number", `{"variable":"a","value":-42}`, point(func(p *Point) { p.Kind, p.Num = Number, -42 })},
		{"a fraction", `{"variable":"a","value":0.1}`, point(func(p *Point) { p.Kind, p.Num = Number, 0.1 })},
		{"an exponent", `{"variable":"a","value":1.5E3}`, point(func(p *Point) { p.Kind, p.Num = Number, 1500 })},
		{"a large whole number", `{"variable":"a","value":9007199254740993}`, point(func(p *Point) { p.Kind, p.Num = Number, 9007199254740992 })},
		{"the largest number", `{"variable":"a","value":1.7976931348623157e308}`, point(func(p *Point) { p.Kind, p.Num = Number, math.MaxFloat64 })},
		{"minus nought", `{"variable":"a","value":-0}`, point(func(p *Point) { p.Kind = Number })},
		{"true", `{"variable":"a","value":true}`, point(func(p *Point) { p.Kind, p.Num = Bool, 1 })},
		{"false", `{"variable":"a","value":false}`, point(func(p *Point) { p.Kind = Bool })},
		{"a text", `{"variable":"a","value":"x\"\u00e9\ud83d\ude00"}`, point(func(p *Point) { p.Kind, p.Text = Text, "x\"é😀" })},
		{"an empty text", `{"variable":"a","value":""}`, point(func(p *Point) { p.Kind = Text })},
		{"a text of 6000 bytes", `{"variable":"a","value":"` + strings.Repeat("x", 6000) + `"}`, point(func(p *Point) { p.Kind, p.Text = Text, strings.Repeat("x", 6000) })},
		{"a unit of 25 characters", `{"variable":"a","unit":"` + strings.Repeat("°", 25) + `"}`, point(func(p *Point) { p.Unit = strings.Repeat("°", 25) })},
		{"a group of 100 characters", `{"variable":"a","group":"` + strings.Repeat("ü", 100) + `"}`, point(func(p *Point) { p.Group = strings.Repeat("ü", 100) })},
		{"serie", `{"variable":"a","serie":"s1"}`, point(func(p *Point) { p.Group = "s1" })},
		{"serie as a number", `{"variable":"a","serie":1234}`, point(func(p *Point) { p.Group = "1234" })},
		{"group before serie", `{"variable":"a","serie":"s1","group":"g1"}`, point(func(p *Point) { p.Group = "g1" })},
		{"time in ISO form", `{"variable":"a","time":"2026-01-02T03:04:05.678Z"}`, point(func(p *Point) { p.Time = at("2026-01-02T03:04:05.678Z") })},
		{"time with an offset", `{"variable":"a","time":"2026-01-02T03:04:05+02:30"}`, point(func(p *Point) { p.Time = at("2026-01-02T00:34:05Z") })},
		{"time with a short offset", `{"variable":"a","time":"2026-01-02T03:04-0300"}`, point(func(p *Point) { p.Time = at("2026-01-02T06:04:00Z") })},
		{"time with nanoseconds", `{"variable":"a","time":"2026-01-02T03:04:05.678999999Z"}`, point(func(p *Point) { p.Time = at("2026-01-02T03:04:05.678Z") })},
		{"time with a blank", `{"variable":"a","time":"2026-01-02 03:04:05"}`, point(func(p *Point) { p.Time = at("2026-01-02T03:04:05Z") })},
		{"a date", `{"variable":"a","time":"2024-02-29"}`, point(func(p *Point) { p.Time = at("2024-02-29T00:00:00Z") })},
		{"time in milliseconds", `{"variable":"a","time":1700000000123}`, point(func(p *Point) { p.Time = 1700000000123 })},
		{"time before 1970", `{"variable":"a","time":-1}`, point(func(p *Point) { p.Time = -1 })},
		{"lat and lng", `{"variable":"a","location":{"lat":-90,"lng":180}}`, point(func(p *Point) { p.Located, p.Lat, p.Lng = true, -90, 180 })},
		{"GeoJSON", `{"variable":"a","location":{"type":"Point","coordinates":[12.5,-7.25]}}`, point(func(p *Point) { p.Located, p.Lat, p.Lng = true, -7.25, 12.5 })},
		{"GeoJSON with an altitude", `{"variable":"a","location":{"coordinates":[1,2,300]}}`, point(func(p *Point) { p.Located, p.Lat, p.Lng = true, 2, 1 })},
		{"nought degrees", `{"variable":"a","location":{"lat":0,"lng":0}}`, point(func(p *Point) { p.Located = true })},
		{"metadata is kept as written, without blanks", `{"variable":"a","metadata": { "b" : 1.50 , "a":[ 1e2, "\u00e9" ] } }`, point(func(p *Point) { p.Metadata = `{"b":1.50,"a":[1e2,"\u00e9"]}` })},
		{"metadata as a list", `{"variable":"a","metadata":[1]}`, point(func(p *Point) { p.Metadata = `[1]` })},
		{"metadata of 10 kB", `{"variable":"a","metadata":{"x":"` + strings.Repeat("x", 9992) + `"}}`, point(func(p *Point) { p.Metadata = `{"x":"` + strings.Repeat("x", 9992) + `"}` })},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodePoints([]byte(c.body), nowMS)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Group == "g" {
				if !id.Valid(got[0].Group) {
					t.Fatalf("the group %q is no generated one", got[0].Group)
				}
				c.want.Group = got[0].Group
			}
			if len(got) != 1 || got[0] != c.want {
				t.Fatalf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestDecodeGroups(t *testing.T) {
	got, err := decodePoints([]byte(`[{"variable":"a"},{"variable":"b","group":"mine"},{"variable":"c"}]`), nowMS)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Group != got[2].Group || got[1].Group != "mine" || len(got[0].Group) != 24 {
		t.Fatalf("groups are %q, %q, %q", got[0].Group, got[1].Group, got[2].Group)
	}
	again, _ := decodePoints([]byte(`{"variable":"a"}`), nowMS)
	if again[0].Group == got[0].Group {
		t.Fatal("two requests share a generated group")
	}
}

// reference decodes with encoding/json, slowly and plainly: what it says is what the decoder must say.
func reference(body []byte) (points []Point, ok bool) {
	if !utf8.Valid(body) || !json.Valid(body) || repeated(body) || halves(body) {
		return nil, false
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		body = append(append([]byte("["), body...), ']')
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var rows []json.RawMessage
	if d.Decode(&rows) != nil || len(rows) == 0 {
		return nil, false
	}
	for _, raw := range rows {
		var m map[string]json.RawMessage
		if raw = bytes.TrimSpace(raw); raw[0] != '{' || json.Unmarshal(raw, &m) != nil {
			return nil, false
		}
		for _, v := range m {
			if depth(v) > maxDepth-2 {
				return nil, false
			}
		}
		p := Point{Time: nowMS}
		present := func(name string) bool { return m[name] != nil && string(m[name]) != "null" }
		str := func(name string, most int) (s string, ok bool) {
			if !present(name) {
				return "", true
			}
			if json.Unmarshal(m[name], &s) != nil {
				return "", false
			}
			return s, utf8.RuneCountInString(s) <= most && !strings.Contains(s, "\x00")
		}
		if p.Variable, ok = str("variable", 100000); !ok {
			return nil, false
		}
		p.Variable = strings.ToLower(p.Variable)
		if p.Variable == "" || utf8.RuneCountInString(p.Variable) > 100 || strings.ContainsAny(p.Variable, forbidden) ||
			strings.ContainsFunc(p.Variable, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return nil, false
		}
		if present("value") {
			var v any
			json.Unmarshal(m["value"], &v)
			switch v := v.(type) {
			case string:
				if len(v) > maxText || strings.Contains(v, "\x00") {
					return nil, false
				}
				p.Kind, p.Text = Text, v
			case bool:
				p.Kind = Bool
				if v {
					p.Num = 1
				}
			case float64:
				p.Kind, p.Num = Number, v+0
			default: // an object, a list, or a number out of range
				return nil, false
			}
		}
		if p.Unit, ok = str("unit", maxUnit); !ok {
			return nil, false
		}
		if p.Group, ok = str("group", maxGroup); !ok {
			return nil, false
		}
		if present("serie") {
			serie := string(m["serie"])
			if serie[0] == '"' {
				if serie, ok = str("serie", maxGroup); !ok {
					return nil, false
				}
			} else if strings.ContainsAny(serie[:1], "{[tf") || len(serie) > maxGroup {
				return nil, false
			}
			if p.Group == "" {
				p.Group = serie
			}
		}
		if present("time") {
			if p.Time, ok = referenceTime(m["time"]); !ok {
				return nil, false
			}
		}
		if present("location") {
			var l map[string]json.RawMessage
			if json.Unmarshal(m["location"], &l) != nil {
				return nil, false
			}
			num := func(raw json.RawMessage, most float64, to *float64) bool {
				return raw != nil && strings.ContainsAny(string(raw[:1]), "-0123456789") && json.Unmarshal(raw, to) == nil && math.Abs(*to) <= most
			}
			pair := false
			if raw, there := l["coordinates"]; there {
				var c []json.RawMessage
				var altitude float64
				if json.Unmarshal(raw, &c) != nil || len(c) < 2 || len(c) > 3 || !num(c[0], 180, &p.Lng) || !num(c[1], 90, &p.Lat) ||
					len(c) == 3 && !num(c[2], math.MaxFloat64, &altitude) {
					return nil, false
				}
				pair = true
			}
			lat, lng := 0.0, 0.0
			_, hasLat := l["lat"]
			_, hasLng := l["lng"]
			if hasLat && !num(l["lat"], 90, &lat) || hasLng && !num(l["lng"], 180, &lng) || !pair && !(hasLat && hasLng) {
				return nil, false
			}
			if kind, there := l["type"]; there && string(kind) != `"Point"` && string(kind) != "null" {
				return nil, false
			}
			p.Located = true
			if !pair {
				p.Lat, p.Lng = lat, lng
			}
			p.Lat, p.Lng = p.Lat+0, p.Lng+0
		}
		if present("metadata") {
			var b bytes.Buffer
			if !strings.ContainsAny(string(m["metadata"][:1]), "{[") || json.Compact(&b, m["metadata"]) != nil || b.Len() > maxMetadata {
				return nil, false
			}
			p.Metadata = b.String()
		}
		points = append(points, p)
	}
	return points, true
}

// referenceTime reads a time by the standard library's layouts.
func referenceTime(raw json.RawMessage) (int64, bool) {
	if raw[0] != '"' {
		var f float64
		if json.Unmarshal(raw, &f) != nil || raw[0] == 't' || raw[0] == 'f' || f < firstMoment || f > lastMoment {
			return 0, false
		}
		return int64(math.Floor(f)), true
	}
	var s string
	json.Unmarshal(raw, &s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, len(s) > 8 && n >= firstMoment && n <= lastMoment
	}
	if len(s) < 10 {
		return 0, false
	}
	digits := func(from, to int) bool {
		return strings.Trim(s[from:to], "0123456789") == ""
	}
	if !digits(0, 4) || s[:4] == "0000" {
		return 0, false
	}
	rest := strings.ReplaceAll(strings.ReplaceAll(s[10:], "t", "T"), "z", "Z")
	if len(rest) > 0 && rest[0] == ' ' {
		rest = "T" + rest[1:]
	}
	if i := strings.LastIndexAny(rest, "+-"); i > 0 { // zones: +hh, +hhmm and +hh:mm, up to 14 hours
		zone := strings.Replace(rest[i+1:], ":", "", 1)
		if len(zone) == 2 {
			zone += "00"
		}
		if h, err := strconv.Atoi(zone[:min(2, len(zone))]); err != nil || h > 14 || strings.Contains(rest[i+1:], ":") && len(rest[i+1:]) != 5 {
			return 0, false
		}
		rest = rest[:i+1] + zone
	}
	for _, layout := range []string{"", "T15:04", "T15:04Z0700", "T15:04:05", "T15:04:05Z0700"} {
		v, err := time.Parse("2006-01-02"+layout, s[:10]+rest)
		if err == nil && layout != "" && (len(rest) < 6 || rest[3] != ':') {
			return 0, false // a single digit of the hour
		}
		if err == nil {
			ms := v.UnixMilli()
			return ms, ms >= firstMoment && ms <= lastMoment
		}
	}
	return 0, false
}

// repeated looks for an object with the same name twice.
func repeated(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	type level struct {
		names map[string]bool
		name  bool // the next string is a name
	}
	var stack []level
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		top := len(stack) - 1
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				stack = append(stack, level{map[string]bool{}, true})
				continue
			case '[':
				stack = append(stack, level{})
				continue
			}
			stack = stack[:top]
			top--
		case string:
			if top >= 0 && stack[top].names != nil && stack[top].name {
				if stack[top].names[v] {
					return true
				}
				stack[top].names[v], stack[top].name = true, false
				continue
			}
		}
		if top >= 0 && stack[top].names != nil {
			stack[top].name = true
		}
	}
}

// halves looks for an escaped half of a surrogate pair, which encoding/json bends into U+FFFD.
func halves(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		i++
		if body[i] != 'u' {
			continue
		}
		r := func(at int) int64 {
			if at+4 > len(body) {
				return -1
			}
			v, err := strconv.ParseInt(string(body[at:at+4]), 16, 32)
			if err != nil {
				return -1
			}
			return v
		}
		switch v := r(i + 1); {
		case v >= 0xdc00 && v < 0xe000:
			return true
		case v >= 0xd800 && v < 0xdc00:
			if i+6 >= len(body) || body[i+5] != '\\' || body[i+6] != 'u' {
				return true
			}
			if low := r(i + 7); low < 0xdc00 || low >= 0xe000 {
				return true
			}
			i += 10
		}
	}
	return false
}

func depth(v json.RawMessage) int {
	most, level := 0, 0
	d := json.NewDecoder(bytes.NewReader(v))
	for {
		t, err := d.Token()
		if err != nil {
			return most
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			level++
			most = max(most, level)
		case json.Delim('}'), json.Delim(']'):
			level--
		}
	}
}

// FuzzPoints compares the decoder with the plain one above: both accept the same bodies and read the same.
func FuzzPoints(f *testing.F) {
	for _, c := range bad {
		f.Add([]byte(c.body))
	}
	for _, s := range []string{
		`{"variable":"temperature","value":27.5,"unit":"°C","time":"2026-01-01T00:00:00.000Z","location":{"lat":1,"lng":2},"metadata":{"color":"red"}}`,
		`[{"variable":"a","value":true},{"variable":"B","value":"x","serie":5,"time":1700000000000}]`,
		`[{"variable":"a","value":-0.0,"location":{"type":"Point","coordinates":[-0,2.5]},"time":"2026-01-01 10:11:12"}]`,
		`{"variable":"\u0061","value":"\ud83d\ude00","metadata":[{"a":[]}],"time":"2026-01-01T10:11:12.5+05:30"}`,
		`{"variable":"a","time":"170000000000","value":1E-7,"unit":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 20_000 {
			return
		}
		got, err := decodePoints(bytes.Clone(body), nowMS)
		want, ok := reference(bytes.Clone(body))
		if ok != (err == nil) {
			t.Fatalf("%q: the decoder says %v, the reference %v", body, err, ok)
		}
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%q: %v is not invalid", body, err)
			}
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d points, the reference has %d", body, len(got), len(want))
		}
		for i := range got {
			g := got[i]
			if want[i].Group == "" {
				if !id.Valid(g.Group) {
					t.Fatalf("%q: group %q", body, g.Group)
				}
				g.Group = ""
			}
			if g != want[i] {
				t.Fatalf("%q:\ngot  %+v\nwant %+v", body, g, want[i])
			}
			if !json.Valid(appendPoint(nil, &got[i], "5f5f5f5f5f5f5f5f5f5f5f5f", true)) {
				t.Fatalf("%q: the row of it is no JSON", body)
			}
		}
	})
}

func TestNumbersAreWrittenShort(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1, 27, 0.1, 1.0 / 3, 1e20, 1e21, 123456789012345680000, 1e-6, 1e-7, 1.5e-9, 1e100, -1.5e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 9007199254740993} {
		want, err := json.Marshal(f + 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendNumber(nil, f)); got != string(want) {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, k := range []int{1, 100} {
		one := `{"variable":"temperature","value":27.5,"unit":"C","time":"2026-01-01T00:00:00.000Z"}`
		body := []byte("[" + strings.TrimSuffix(strings.Repeat(one+",", k), ",") + "]")
		b.Run(fmt.Sprintf("points=%d", k), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := decodePoints(body, nowMS); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
