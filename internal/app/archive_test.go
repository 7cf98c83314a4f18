package app_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/backup"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/profile"
)

const passphrase = "an orange cat on the roof"

// random is a profile of which anything may be there or not.
type random struct {
	t       *testing.T
	s       *apptest.Server
	r       *rand.Rand
	who     apptest.Who
	devices []string
	tokens  []string
}

func (x *random) call(method, path string, body any) apptest.Answer {
	x.t.Helper()
	return x.s.Call(x.t, method, path, x.who.Token, body).Want(x.t, 200, 201)
}

func (x *random) text() string {
	words := []string{"Süd", "a\"b", "x\\y", "<tag>&", "日本", "line", "\u2028", "0", "  spaced", "{}"}
	var out []string
	for range 1 + x.r.IntN(3) {
		out = append(out, words[x.r.IntN(len(words))])
	}
	return "n" + strings.ReplaceAll(strings.Join(out, " "), "\u2028", "·")
}

func (x *random) tags() []row {
	out := []row{}
	for i := range x.r.IntN(4) {
		out = append(out, row{"key": fmt.Sprint("k", i), "value": x.text()})
	}
	return out
}

func (x *random) maybe() bool { return x.r.IntN(2) == 0 }

func (x *random) value() any {
	switch x.r.IntN(5) {
	case 0:
		return x.text()
	case 1:
		return x.maybe()
	case 2:
		return x.r.IntN(100)
	}
	return []float64{0, -1.5, 1e300, 5e-324, 0.1, 1.0 / 3, -1e21, 123456789.123}[x.r.IntN(8)]
}

func (x *random) points(n int, now time.Time, immutable bool) []row {
	var out []row
	for range n {
		p := row{"variable": []string{"t", "höhe", "a_b"}[x.r.IntN(3)]}
		if x.r.IntN(5) > 0 {
			p["value"] = x.value()
		}
		if x.maybe() {
			p["time"] = now.Add(-time.Duration(x.r.Int64N(int64(6 * 24 * time.Hour)))).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		if !immutable && x.r.IntN(10) == 0 {
			p["time"] = "0003-02-01T00:00:00.000Z"
		}
		if x.maybe() {
			p["unit"] = "°C"
		}
		if x.maybe() {
			p["group"] = fmt.Sprint("g", x.r.IntN(4))
		}
		if x.maybe() {
			p["location"] = row{"lat": x.r.Float64()*180 - 90, "lng": x.r.Float64()*360 - 180}
		}
		if x.maybe() {
			p["metadata"] = row{"z": []any{1, x.text(), nil, row{"deep": 1.50}}, "a": x.value()}
		}
		out = append(out, p)
	}
	return out
}

// fill makes everything that an archive keeps.
func (x *random) fill() {
	profile := "/profile/" + x.who.Profile
	x.call("PUT", profile, row{"tags": x.tags(), "color": "#2F6F4f", "reference": x.text(), "rpm": row{"data_input": 100 + x.r.IntN(1000), "data_output": nil}}) // more than is sent here and there
	if x.maybe() {
		x.call("PUT", profile+"/logo", logoPNG)
	}
	if x.maybe() {
		x.call("PUT", profile, row{"banner_url": "https://example.com/b.png?a=1&b=2"})
	}
	if x.maybe() {
		x.call("PUT", profile+"/policies", row{"data_records": "overage", "input": "pool"})
	}
	if x.maybe() {
		x.call("PUT", profile+"/notify", row{"webhook": row{"url": "https://example.com/hook?secret=1", "kinds": row{}}})
	}
	for range x.r.IntN(6) {
		d := row{"name": x.text(), "type": "mutable", "tags": x.tags(), "active": x.r.IntN(4) > 0, "visible": x.maybe(), "description": x.text()}
		immutable := x.maybe()
		if immutable {
			d["type"], d["chunk_period"], d["chunk_retention"] = "immutable", []string{"day", "week", "month", "quarter"}[x.r.IntN(4)], 10
		}
		if x.maybe() {
			d["payload_decoder"] = base64.StdEncoding.EncodeToString([]byte(x.text()))
		}
		if x.maybe() {
			d["rpm"] = row{"data_input": nil, "data_output": 5}
		}
		if x.maybe() {
			d["serie_number"] = fmt.Sprint("s", len(x.devices))
		}
		var params []row
		for i := range x.r.IntN(4) {
			params = append(params, row{"key": fmt.Sprint("p", i), "value": x.text(), "sent": x.maybe()})
		}
		d["configuration_params"] = params
		var made struct {
			DeviceID string `json:"device_id"`
			Token    string
		}
		x.call("POST", "/device", d).Into(x.t, &made)
		x.devices = append(x.devices, made.DeviceID)
		if x.maybe() {
			x.call("POST", "/device/token", row{"device": made.DeviceID, "name": "second", "permission": "read", "expire_time": "3 month"})
		}
		if d["active"] == false {
			continue
		}
		x.tokens = append(x.tokens, made.Token)
		for range x.r.IntN(4) {
			x.s.Call(x.t, "POST", "/data", made.Token, x.points(1+x.r.IntN(60), time.Now(), immutable)).Want(x.t, 200)
		}
		if !immutable && x.maybe() { // holes, and points that were changed
			x.call("DELETE", "/device/"+made.DeviceID+"/data?variables=t&qty=3", nil)
			var ps []struct{ ID string }
			x.call("GET", "/device/"+made.DeviceID+"/data?qty=2", nil).Into(x.t, &ps)
			for _, p := range ps {
				x.call("PUT", "/device/"+made.DeviceID+"/data", []row{{"id": p.ID, "value": "edited", "group": nil, "time": "2026-01-01T00:00:00.001Z"}})
			}
		}
	}
	for range x.r.IntN(3) {
		var board struct{ Dashboard string }
		x.call("POST", "/dashboard", row{"label": x.text(), "tags": x.tags(), "visible": x.maybe(), "tabs": []row{{"key": "t1", "value": x.text()}}, "type": "dashboard"}).Into(x.t, &board)
		var arrangement []row
		for i := range x.r.IntN(3) {
			w := row{"label": fmt.Sprint("w", i), "type": "dial", "display": row{"numbers": []any{1, 2.5}, "text": x.text()}}
			if len(x.devices) > 0 {
				d := x.devices[x.r.IntN(len(x.devices))]
				w["data"] = []row{{"origin": d, "query": "last_value", "variables": []string{"t"}, "url": "/devices/" + d + "?x"}}
			}
			var made struct{ Widget string }
			x.call("POST", "/dashboard/"+board.Dashboard+"/widget", w).Into(x.t, &made)
			arrangement = append(arrangement, row{"widget_id": made.Widget, "x": i, "y": 0, "width": 2, "height": 1.5, "tab": "t1"})
		}
		x.call("PUT", "/dashboard/"+board.Dashboard, row{"arrangement": arrangement})
	}
	if len(x.devices) > 0 && x.maybe() {
		x.call("POST", "/alert/silence", row{"device": x.devices[0], "interval": 900})
	}
	if x.maybe() {
		x.call("POST", "/alert/silence", row{"tag": row{"key": "k0", "value": "v"}, "interval": 86400})
	}
}

// logical is what an archive says of a profile besides which profile it is and when it was made: an entry's text by its name.
func logical(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		switch f.Name {
		case "header.json", "manifest.json", "team.jsonl":
			continue
		case "profile.jsonl":
			text = text[:strings.Index(text, `"created_at"`)]
		case "allocation.jsonl":
			var lines []string
			for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
				lines = append(lines, l[strings.Index(l, `"policy"`):])
			}
			text = strings.Join(lines, "\n")
		}
		out[f.Name] = text
	}
	return out
}

func same(t *testing.T, a, b map[string]string) {
	t.Helper()
	for name := range b {
		if _, ok := a[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
	for name, text := range a {
		if b[name] == text {
			continue
		}
		was, is := strings.Split(text, "\n"), strings.Split(b[name], "\n")
		for i := range was {
			if i >= len(is) || was[i] != is[i] {
				t.Errorf("%s line %d of %d (%d):\n%.400s\n%.400s", name, i+1, len(was), len(is), was[i], strings.Join(is[i:min(i+1, len(is))], ""))
				break
			}
		}
	}
}

func export(t *testing.T, s *apptest.Server, profile string, o backup.ExportOptions, passphrase string) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.App.Export(t.Context(), profile, o, passphrase, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addsUp(t *testing.T, s *apptest.Server) {
	t.Helper()
	found, _, err := s.App.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("verify: %+v", f)
	}
}

// TestExportImportExport takes random profiles to an empty server, of the same engine and of the other, and wants
// the archive of what came out there to say the same.
func TestExportImportExport(t *testing.T) {
	profiles := 2
	if n, err := strconv.Atoi(os.Getenv("ARCHIVES")); err == nil {
		profiles = n
	}
	for _, from := range sqldbtest.Engines {
		for _, to := range sqldbtest.Engines {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				t.Parallel()
				here, there := apptest.Start(t, from), apptest.Start(t, to)
				a, b := here.Account(t, "house"), there.Account(t, "house")
				for range profiles {
					seed := rand.Uint64()
					if n, err := strconv.ParseUint(os.Getenv("ARCHIVE_SEED"), 10, 64); err == nil {
						seed = n
					}
					x := &random{t: t, s: here, r: rand.New(rand.NewPCG(seed, 0)), who: here.Profile(t, a, "Über <uns>")}
					x.fill()
					all := backup.ExportOptions{Data: true, Tokens: true}
					sealed := export(t, here, x.who.Profile, all, passphrase)
					rep, err := there.App.Import(t.Context(), b.Account, sealed, passphrase, backup.ImportOptions{KeepIDs: true, Tokens: true})
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					if string(rep.Profile) != x.who.Profile || !rep.IDsKept || len(rep.Map) > 0 || len(rep.NewTokens) > 0 {
						t.Errorf("seed %d: %+v", seed, rep)
					}
					same(t, logical(t, export(t, here, x.who.Profile, all, "")), logical(t, export(t, there, string(rep.Profile), all, "")))
					for _, token := range x.tokens { // devices go on there
						there.Call(t, "POST", "/data", token, row{"variable": "after", "value": 1}).Want(t, 200)
					}
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
				addsUp(t, there)
			})
		}
	}
}

// TestImportBeside imports where the profile is still there: everything gets new ids, and what names something follows.
func TestImportBeside(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		device, token := s.Device(t, a, "one")
		s.Send(t, token, 20).Want(t, 200)
		var board struct{ Dashboard string }
		s.Call(t, "POST", "/dashboard", a.Token, row{"label": "D"}).Want(t, 200, 201).Into(t, &board)
		s.Call(t, "POST", "/dashboard/"+board.Dashboard+"/widget", a.Token, row{"label": "w", "type": "dial", "display": row{"link": "/device/" + device}, "data": []row{{"origin": device}}}).Want(t, 200, 201)
		s.Call(t, "POST", "/alert/silence", a.Token, row{"device": device, "interval": 900}).Want(t, 200, 201)

		archive := export(t, s, a.Profile, backup.ExportOptions{Data: true, Tokens: true}, "")
		before, err := s.App.CountEvents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dry, err := s.App.Import(t.Context(), a.Account, archive, "", backup.ImportOptions{KeepIDs: true, Tokens: true, DryRun: true})
		if err != nil || dry.IDsKept || dry.Counts.Points != 20 || dry.Profile != "" {
			t.Fatalf("dry run: %+v, %v", dry, err)
		}
		if n, err := s.App.CountEvents(t.Context()); err != nil || n != before {
			t.Errorf("a dry run wrote: %d events, %v", n-before, err)
		}
		rep, err := s.App.Import(t.Context(), a.Account, archive, "", backup.ImportOptions{KeepIDs: true, Tokens: true, Name: "Beside"})
		if err != nil {
			t.Fatal(err)
		}
		now := rep.Map[device]
		if rep.IDsKept || now == "" || now == device || rep.Map[a.Profile] != string(rep.Profile) {
			t.Fatalf("%+v", rep)
		}
		if len(rep.NewTokens) != 1 || string(rep.NewTokens[0].Device) != now || rep.NewTokens[0].Name != "Default" {
			t.Errorf("tokens that could not be kept: %+v", rep.NewTokens)
		}
		there := s.TokenOf(t, a, string(rep.Profile))
		widgets := s.Call(t, "GET", "/dashboard/"+rep.Map[board.Dashboard], there.Token, nil).Want(t, 200)
		if !strings.Contains(string(s.Call(t, "GET", "/dashboard/"+rep.Map[board.Dashboard]+"/devices", there.Token, nil).Want(t, 200).Body), now) {
			t.Errorf("the widget does not name the new device: %s", widgets.Body)
		}
		var rules []struct{ Device string }
		s.Call(t, "GET", "/alert/silence", there.Token, nil).Want(t, 200).Into(t, &rules)
		if len(rules) != 1 || rules[0].Device != now {
			t.Errorf("rules %+v", rules)
		}
		// The old one goes on, and what is stored is counted, not what was sent.
		s.Send(t, token, 1).Want(t, 200)
		sum := s.Summary(t, there)
		if sum.Used["data_records"] != 20 || sum.Used["input"] != 0 {
			t.Errorf("the import used %+v", sum.Used)
		}
		addsUp(t, s)
	})
}

// TestImportWithoutRoom is refused with what there is not enough of, and leaves nothing behind.
func TestImportWithoutRoom(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for i := range 6 {
			_, token := s.Device(t, a, fmt.Sprint("d", i))
			s.Send(t, token, 10).Want(t, 200)
		}
		archive := export(t, s, a.Profile, backup.ExportOptions{Data: true}, "")
		small := s.Account(t, "free") // one profile, five devices
		_, err := s.App.Import(t.Context(), small.Account, archive, "", backup.ImportOptions{})
		f := fault.Of(err)
		if f.Code != fault.LimitReached || !strings.Contains(f.Message, "1 profile;") || !strings.Contains(f.Message, "devices") {
			t.Errorf("refused with %v", err)
		}
		dry, err := s.App.Import(t.Context(), small.Account, archive, "", backup.ImportOptions{DryRun: true})
		if err != nil || !slices.ContainsFunc(dry.Checks, func(c profileCheck) bool { return c.Name == "device" && !c.OK }) {
			t.Errorf("dry run: %+v, %v", dry.Checks, err)
		}
		nothingLeft(t, s, small)
	})
}

// TestCloneOverHTTP makes a profile like another one, without its data.
func TestCloneOverHTTP(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		x := &random{t: t, s: s, r: rand.New(rand.NewPCG(7, 7)), who: a}
		for len(x.devices) == 0 {
			x.fill()
		}
		var source struct{ Name string }
		s.Call(t, "GET", "/account", a.Token, nil).Want(t, 200).Into(t, &source) // which its first profile is named after
		var rep backup.Report
		s.Call(t, "POST", "/profile/"+a.Profile+"/clone", a.Token, row{"name": "Template"}).Want(t, 200).Into(t, &rep)
		there := s.TokenOf(t, a, string(rep.Profile))
		was, is := logical(t, export(t, s, a.Profile, backup.ExportOptions{}, "")), logical(t, export(t, s, there.Profile, backup.ExportOptions{}, ""))
		for _, m := range []map[string]string{was, is} {
			for name := range m {
				if m[name] = plainly(strings.Replace(m[name], `"name":"Template"`, `"name":"`+source.Name+`"`, 1)); name == "webhook.jsonl" {
					delete(m, name)
				}
			}
		}
		same(t, was, is)
		var list []struct{ ID string }
		s.Call(t, "GET", "/device?amount=1000", there.Token, nil).Want(t, 200).Into(t, &list)
		if len(list) != len(x.devices) {
			t.Errorf("%d devices of %d", len(list), len(x.devices))
		}
		for _, d := range list {
			if slices.Contains(x.devices, d.ID) {
				t.Errorf("device %s is in both", d.ID)
			}
			var tokens []struct{ Token, Name string }
			s.Call(t, "GET", "/device/token/"+d.ID, there.Token, nil).Want(t, 200).Into(t, &tokens)
			if len(tokens) != 1 || slices.Contains(x.tokens, tokens[0].Token) {
				t.Errorf("device %s has %+v", d.ID, tokens)
			}
		}
		if n := s.Summary(t, there).Used["data_records"]; n != 0 {
			t.Errorf("the clone stores %v points", n)
		}
		addsUp(t, s)
	})
}

// TestImportOverHTTP sends an archive, and asks how far it has come.
func TestImportOverHTTP(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		_, token := s.Device(t, a, "one")
		s.Send(t, token, 30).Want(t, 200)
		sealed := export(t, s, a.Profile, backup.ExportOptions{Data: true}, passphrase)
		send := func(query, key string, body []byte) apptest.Answer {
			q, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/profile/import"+query, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("token", a.Token)
			q.Header.Set("Archive-Passphrase", base64.StdEncoding.EncodeToString([]byte(key)))
			return s.Do(t, q)
		}
		end := func(x apptest.Answer) backup.Run {
			var made struct{ ID string }
			x.Want(t, 202).Into(t, &made)
			for range 600 {
				var run backup.Run
				s.Call(t, "GET", "/profile/import/"+made.ID, a.Token, nil).Want(t, 200).Into(t, &run)
				if run.State != backup.Running {
					return run
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Fatal("it does not end")
			return backup.Run{}
		}
		if run := end(send("?dry_run=true&name=Again", passphrase, sealed)); run.State != backup.Done || run.Report.Name != "Again" || run.Report.Profile != "" || !run.Report.DryRun {
			t.Errorf("dry run: %+v", run)
		}
		run := end(send("?name=Again", passphrase, sealed))
		if run.State != backup.Done || run.Report.Counts.Points != 30 {
			t.Fatalf("%+v", run)
		}
		there := s.TokenOf(t, a, string(run.Report.Profile))
		if n := s.Summary(t, there).Used["data_records"]; n != 30 {
			t.Errorf("%v points arrived", n)
		}
		if n, err := s.App.Count(t.Context(), "SELECT COUNT(*) FROM audit_entry WHERE profile_id = $1 AND message LIKE 'Profile imported%'", there.Profile); err != nil || n != 1 {
			t.Errorf("%d events tell of the import, %v", n, err)
		}
		if run := end(send("", "another passphrase", sealed)); run.State != backup.Failed || !strings.Contains(run.Error, "passphrase") {
			t.Errorf("wrong passphrase: %+v", run)
		}
		if run := end(send("", "", sealed[:len(sealed)-1])); run.State != backup.Failed {
			t.Errorf("no passphrase: %+v", run)
		}
		send("", "", nil).Want(t, 400)
		var runs []backup.Run
		s.Call(t, "GET", "/profile/import", a.Token, nil).Want(t, 200).Into(t, &runs)
		if len(runs) != 4 || runs[0].State != backup.Failed {
			t.Errorf("%d imports are listed", len(runs))
		}
		other := s.Account(t, "house")
		s.Call(t, "GET", "/profile/import/"+string(run.ID), other.Token, nil).Want(t, 404)
	})
}

// TestImportIsBounded refuses what is larger than the setting, by its length and by counting.
func TestImportIsBounded(t *testing.T) {
	s := apptest.Start(t, sqldbtest.Engines[0], func(st *settings, _ *options) { st.ImportMax = "1MB" })
	a := s.Account(t, "house")
	large := bytes.Repeat([]byte("x"), 1_000_001)
	s.Call(t, "POST", "/profile/import", a.Token, large).Want(t, 413)
	q, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/profile/import", io.NopCloser(bytes.NewReader(large)))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("token", a.Token)
	s.Do(t, q).Want(t, 413)
}

// nothingLeft fails when anything of an import that failed can be seen, and after its purge when anything is there.
func nothingLeft(t *testing.T, s *apptest.Server, who apptest.Who) {
	t.Helper()
	var list []struct{ ID string }
	s.Call(t, "GET", "/profile", who.Token, nil).Want(t, 200).Into(t, &list)
	if len(list) != 1 {
		t.Errorf("%d profiles", len(list))
	}
	if err := s.App.PurgeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	addsUp(t, s)
}

// plainly is a text without ids and times.
func plainly(s string) string {
	s = idText.ReplaceAllString(s, "ID")
	s = timeText.ReplaceAllString(s, "AT")
	s = lastText.ReplaceAllString(s, "")
	lines := strings.Split(s, "\n")
	slices.Sort(lines) // ids give the order
	return strings.Join(lines, "\n")
}

var (
	idText   = regexp.MustCompile(`[0-9a-f]{24}`)
	timeText = regexp.MustCompile(`"20[0-9-]{8}T[0-9:.]{12}Z"`)
	lastText = regexp.MustCompile(`"last_[a-z]+":"?AT"?,`)
)

type (
	profileCheck = profile.Check
	settings     = app.Settings
	options      = app.Options
)

// rewritten is an archive whose text somebody has changed by hand, with a manifest that fits.
func rewritten(t *testing.T, archive []byte, change func(name, text string) string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	var m backup.Manifest
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text := change(f.Name, string(raw))
		if f.Name == "manifest.json" {
			list, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			text = string(list)
		} else {
			sum := sha256.Sum256([]byte(text))
			m.Entries = append(m.Entries, backup.Entry{Name: f.Name, Records: max(1, int64(strings.Count(text, "\n"))) * min(1, int64(len(text))), Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
		}
		to, err := w.Create(f.Name)
		if err == nil {
			_, err = io.WriteString(to, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestImportTakesWhatTheAPITakes leaves out points of immutable devices that lie in the future, which would stay for ever, and
// refuses by a dry run what the import would refuse.
func TestImportTakesWhatTheAPITakes(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		var made struct{ Token string }
		s.Call(t, "POST", "/device", a.Token, row{"name": "one", "type": "immutable", "chunk_period": "day", "chunk_retention": 10}).Want(t, 201).Into(t, &made)
		s.Send(t, made.Token, 3).Want(t, 200)
		archive := export(t, s, a.Profile, backup.ExportOptions{Data: true}, "")
		first := true
		late := rewritten(t, archive, func(name, text string) string {
			if !strings.HasPrefix(name, "points/") {
				return text
			}
			return regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllStringFunc(text, func(at string) string {
				if first {
					first, at = false, `"time":"9999-12-31T23:59:59.999Z"`
				}
				return at
			})
		})
		rep, err := s.App.Import(t.Context(), a.Account, late, "", backup.ImportOptions{})
		if err != nil || rep.Counts.Points != 2 || len(rep.Notes) != 1 || !strings.HasPrefix(rep.Notes[0], "1 points are left out: their time is later") {
			t.Errorf("a point of the year 9999: %+v, %v", rep, err)
		}
		addsUp(t, s)
		picture := rewritten(t, archive, func(name, text string) string {
			if name == "profile.jsonl" {
				return strings.Replace(text, `"tags"`, `"logo_url":"javascript:alert(1)","tags"`, 1)
			}
			return text
		})
		for what, o := range map[string]struct {
			archive []byte
			name    string
		}{"logo_url": {picture, ""}, "name": {archive, strings.Repeat("x", 101)}} {
			for _, dry := range []bool{true, false} {
				if _, err := s.App.Import(t.Context(), a.Account, o.archive, "", backup.ImportOptions{Name: o.name, DryRun: dry}); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), what) {
					t.Errorf("%s, dry run %v: %v", what, dry, err)
				}
			}
		}
	})
}

// TestImportIsCancelled ends an import that runs: it says so, another may begin at once, and nothing of it stays.
func TestImportIsCancelled(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, other := s.Account(t, "house"), s.Account(t, "house")
		_, token := s.Device(t, a, "one")
		s.Send(t, token, 30).Want(t, 200)
		sealed := export(t, s, a.Profile, backup.ExportOptions{Data: true}, passphrase)
		start := func() string { // the passphrase alone takes a while
			q, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/profile/import", bytes.NewReader(sealed))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("token", a.Token)
			q.Header.Set("Archive-Passphrase", base64.StdEncoding.EncodeToString([]byte(passphrase)))
			var made struct{ ID string }
			s.Do(t, q).Want(t, 202).Into(t, &made)
			return "/profile/import/" + made.ID
		}
		for range 2 {
			run := start()
			s.Call(t, "DELETE", run, other.Token, nil).Want(t, 404)
			s.Call(t, "DELETE", run, a.Token, nil).Want(t, 200)
			s.Call(t, "DELETE", run, a.Token, nil).Want(t, 409)
			var is backup.Run
			s.Call(t, "GET", run, a.Token, nil).Want(t, 200).Into(t, &is)
			if is.State != backup.Failed || !strings.Contains(is.Error, "cancelled") {
				t.Errorf("%+v", is)
			}
		}
		s.App.StopImports()
		if n, err := s.App.Count(t.Context(), "SELECT COUNT(*) FROM import_run WHERE account = $1 AND state = 'failed' AND error LIKE '%cancelled%' AND report = ''", a.Account); err != nil || n != 2 {
			t.Errorf("%d imports were cancelled, %v", n, err)
		}
		var events struct{ Events []struct{ Message string } }
		s.Call(t, "GET", "/account/auditlog", a.Token, nil).Want(t, 200).Into(t, &events)
		n := 0
		for _, e := range events.Events {
			if e.Message == "Import of a profile cancelled" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d events tell of it", n)
		}
		nothingLeft(t, s, a)
	})
}
