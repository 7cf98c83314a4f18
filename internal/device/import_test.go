package device

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/usage"
)

func (h *house) table(t *testing.T, path, token, text string) answer {
	t.Helper()
	return h.call(t, "POST", "/device/import"+path, token, text)
}

// errors are "row column: reason" of a report.
func (a answer) errors() []string {
	var out []string
	list, _ := a.row()["errors"].([]any)
	for _, e := range list {
		m := e.(map[string]any)
		out = append(out, fmt.Sprintf("%v %s: %s", m["row"], m["column"], m["reason"]))
	}
	return out
}

func TestImportTable(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		h.device(t, p, CreateInput{Name: "There", Serial: ptr("SN-0")})
		count := func() int { return len(h.call(t, "GET", "/device?amount=100", p.token, nil).rows(t)) }
		t.Run("a dry run names every bad row and column, and makes nothing", func(t *testing.T) {
			text := "Name;Serial number;type;chunk_period;chunk_retention;tags;tag:site;param:interval;active\n" +
				"One;SN-1;;;;kind=probe;north;10;yes\n" +
				";SN-2;;;;;;;\n" +
				"Three;SN-1;;;;;;;\n" +
				"Four;SN-0;;;;;;;\n" +
				"Five;SN-1;hybrid;;;;;;\n" +
				"Six;;immutable;day;many;;;;\n" +
				"Seven;;immutable;day;99;;;;\n" +
				"Eight;;;;;probe;;;maybe\n" +
				"Nine;;;;;;;;;more\n"
			got := h.table(t, "?dry_run=true", p.token, text).want(t, 200, "")
			want := []string{"3 name: ", `4 serial: "SN-1" stands in row 2 already`, `5 serial: "SN-0" is already used`, `6 type: "hybrid" is not available`, `6 serial: "SN-1" stands in row 2`,
				`7 chunk_retention: "many" is not a whole number`, "8 chunk_retention: must be 0 to 31", `9 tags: "probe" is no tag`,
				`9 active: "maybe" is neither`, `10 : has more cells`}
			errors := got.errors()
			if len(errors) != len(want) {
				t.Fatalf("got %q", errors)
			}
			for i, w := range want {
				if !strings.HasPrefix(errors[i], w) {
					t.Errorf("got %q, want %q", errors[i], w)
				}
			}
			if n := count(); n != 1 {
				t.Errorf("%v devices", n)
			}
			h.table(t, "", p.token, text).want(t, 400, "row 3, name: is required")
			if n := count(); n != 1 {
				t.Errorf("%v devices", n)
			}
		})
		t.Run("a good one makes all, with tags, parameters and a token each", func(t *testing.T) {
			text := "\xef\xbb\xbfname,serial,type,chunk_period,chunk_retention,tags,tag:site,param:interval,active\r\n" +
				"Barn,SN-1,,,,kind=probe; room = 1,north,10,no\r\n\"Shed, red\",,immutable,month,12,,,,\r\n"
			dry := h.table(t, "?dry_run=true", p.token, text).want(t, 200, "")
			if e := dry.errors(); len(e) > 0 || dry.row()["rows"] != 2.0 || len(dry.row()["preview"].([]any)) != 2 {
				t.Fatalf("%s", dry.raw)
			}
			made := h.table(t, "", p.token, text).want(t, 201, "").row()["devices"].([]any)
			first := made[0].(map[string]any)
			d := h.call(t, "GET", "/device/"+first["id"].(string), p.token, nil).want(t, 200, "").row()
			if d["active"] != false || fmt.Sprint(d["tags"]) != "[map[key:kind value:probe] map[key:room value:1] map[key:site value:north]]" {
				t.Errorf("%v", d)
			}
			if ps := h.call(t, "GET", "/device/"+first["id"].(string)+"/params", p.token, nil).rows(t); len(ps) != 1 || ps[0]["value"] != "10" {
				t.Errorf("%v", ps)
			}
			second := made[1].(map[string]any)
			if info := h.call(t, "GET", "/info", second["token"].(string), nil).want(t, 200, ""); info.text("name") != "Shed, red" || info.text("type") != "immutable" {
				t.Errorf("%s", info.raw)
			}
			if n := count(); n != 3 {
				t.Errorf("%v devices", n)
			}
			h.table(t, "?dry_run=true", p.token, text).want(t, 200, "")
		})
		t.Run("what a spreadsheet would take for a formula goes out as text", func(t *testing.T) {
			q, err := http.NewRequest("POST", h.url+"/device/import?format=csv", strings.NewReader("name,serial\n=1+1,@SUM\n+49,-1\n"))
			must(t, err)
			q.Header.Set("token", p.token)
			x, err := http.DefaultClient.Do(q)
			must(t, err)
			defer x.Body.Close()
			rows, err := csv.NewReader(x.Body).ReadAll()
			must(t, err)
			if x.StatusCode != 201 || len(rows) != 3 || rows[1][1] != "'=1+1" || rows[1][2] != "'@SUM" || rows[2][1] != "'+49" || rows[2][2] != "'-1" || len(rows[1][3]) != 36 {
				t.Errorf("%d %q", x.StatusCode, rows)
			}
			if x.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(x.Header.Get("Content-Type"), "text/csv") {
				t.Errorf("%v", x.Header)
			}
		})
		t.Run("hostile tables are refused with a reason", func(t *testing.T) {
			many := "name\n" + strings.Repeat("x\n", 100_000)
			for text, reason := range map[string]string{
				" \n\n":                             "is empty",
				"name\n":                            "no row below",
				"serial\nx\n":                       "1 name: is missing",
				"name,color\nx,red\n":               "1 color: is no column",
				"name,Name\nx,y\n":                  "1 Name: stands twice",
				"name,tag:\nx,y\n":                  "1 tag:: names no key",
				"\xff\xfen\x00a\x00m\x00e\x00":      "UTF-16",
				"name\nGarage\nB\xfcro\n":           "3 : has characters that are not UTF-8",
				"name\x00\n":                        "no table of text",
				"name\n\"open\n":                    "quotation mark",
				"name\na\"b\n":                      "quotation mark",
				many:                                "has 100000 rows: at most 1000",
				"name\n" + strings.Repeat("x", 1e5): "2 name: must have at most 100 characters",
				strings.Repeat("tag:a,", 500) + "name\nx\n": "has 501 columns",
				"name\n\"a\nb\"\n":                          "2 name:",
			} {
				got := h.table(t, "?dry_run=1", p.token, text).want(t, 200, "")
				if e := strings.Join(got.errors(), "\n"); !strings.Contains(e, reason) {
					t.Errorf("%.40q: %q, want %q", text, e, reason)
				}
				h.table(t, "", p.token, text).want(t, 400, "")
			}
			h.table(t, "?dry_run=1", p.token, "name\n"+strings.Repeat("x", maxImport)).want(t, 413, "")
			h.table(t, "?format=xls", p.token, "name\nx\n").want(t, 400, "format")
			if e := h.table(t, "?dry_run=1", p.token, "name,type\n"+strings.Repeat("x,y\n", 900)).row(); len(e["errors"].([]any)) != 200 || e["error_count"] != 900.0 {
				t.Errorf("%v", e["error_count"])
			}
		})
		t.Run("the cap of the plan holds for all of it", func(t *testing.T) {
			small := h.person(t, "free")
			_, most, err := h.usage.Room(t.Context(), small.ProfileID, "device")
			must(t, err)
			text := "name\n" + strings.Repeat("x\n", int(most)+1)
			if e := h.table(t, "?dry_run=1", small.token, text).errors(); len(e) != 1 || !strings.Contains(e[0], fmt.Sprintf("room for %d more", most)) {
				t.Errorf("%q", e)
			}
			h.table(t, "", small.token, text).want(t, 400, "room for")
			h.table(t, "", small.token, "name\n"+strings.Repeat("x\n", int(most))).want(t, 201, "")
		})
		t.Run("who sees some of the devices makes such as they see", func(t *testing.T) {
			part := p.Caller
			part.Role, part.Within = auth.Developer, &auth.Within{Devices: &auth.Part{Tags: []auth.Tag{{Key: "site", Value: "north"}}}}
			x, err := h.readTable(t.Context(), part, []byte("name,tag:site\na,north\nb,south\n"))
			must(t, err)
			if len(x.Errors) != 1 || x.Errors[0].Row != 3 || x.Errors[0].Column != "tags" {
				t.Errorf("%v", x.Errors)
			}
		})
	})
}

func TestListToday(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		a := h.device(t, p, CreateInput{Name: "A", Serial: ptr("SN-77")})
		b := h.device(t, p, CreateInput{Name: "B", Active: ptr(false)})
		take := func(n int64) {
			t.Helper()
			must(t, h.db.Tx(t.Context(), func(ctx ctx) error {
				return h.usage.TakeOne(ctx, usage.IngestTake{Profile: p.ProfileID, Input: n}, usage.DeviceInput{Profile: p.ProfileID, Device: a.ID, Input: n})
			}))
		}
		take(5)
		h.call(t, "GET", "/device/params", b.Token, nil).want(t, 403, "")
		h.call(t, "GET", "/device/params", b.Token, nil).want(t, 403, "")
		list := func() []map[string]any {
			return h.call(t, "GET", "/device?fields[]=name&fields[]=points_today&fields[]=refusals_today&fields[]=serie_number", p.token, nil).rows(t)
		}
		rows := list()
		if rows[0]["points_today"] != 5.0 || rows[0]["refusals_today"] != 0.0 || rows[0]["serie_number"] != "SN-77" ||
			rows[1]["points_today"] != 0.0 || rows[1]["refusals_today"] != 2.0 || rows[1]["serie_number"] != nil {
			t.Errorf("%v", rows)
		}
		must(t, h.Flush(t.Context()))
		if rows := list(); rows[1]["refusals_today"] != 2.0 {
			t.Errorf("written: %v", rows)
		}
		if rows := h.call(t, "GET", "/device", p.token, nil).rows(t); rows[0]["points_today"] != nil || rows[0]["refusals_today"] != nil {
			t.Error("nobody asked for it")
		}
		h.clk.Advance(15 * time.Hour) // midnight in UTC: it is 00:00
		take(3)
		if rows := list(); rows[0]["points_today"] != 3.0 || rows[1]["refusals_today"] != 0.0 {
			t.Errorf("the next day: %v", rows)
		}
		for search, n := range map[string]int{"sn-7": 1, "b": 1, "zz": 0, "%": 0} {
			if got := h.call(t, "GET", "/device?filter[search]="+strings.ReplaceAll(search, "%", "%25"), p.token, nil).rows(t); len(got) != n {
				t.Errorf("%s: %d", search, len(got))
			}
		}
		if got := h.call(t, "GET", "/device/"+string(b.ID)+"/requests", p.token, nil).rows(t); len(got) != 2 || got[0]["size"] != 0.0 {
			t.Errorf("%v", got)
		}
	})
}
