package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/clock"
)

// atRates is 37.5 seconds before the next minute.
var atRates = time.Date(2026, 11, 22, 12, 45, 22, 500_000_000, time.UTC)

const retryAfter38 = "Too many requests (Retry-After: 38)"

// explained is the body of a refusal.
type explained struct {
	Status  bool
	Message string
	Error   struct {
		Limit, Scope  string
		Used, Allowed float64
		ResetsAt      *string `json:"resets_at"`
		RequestID     string  `json:"request_id"`
		Hint          string
	}
}

func explain(t *testing.T, a apptest.Answer) (e explained) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Error.Hint == "" || e.Error.RequestID == "" || e.Error.RequestID != a.Header.Get("X-Request-Id") {
		t.Errorf("%s %s: %s", a.Method, a.Path, a.Body)
	}
	return e
}

// until sends a request until it is refused and says how many passed. The first refusal is kept.
func until429(t *testing.T, s *apptest.Server, most int, method, path, token string, body any) (int, apptest.Answer) {
	t.Helper()
	for i := 0; ; i++ {
		a := s.Call(t, method, path, token, body)
		if a.Status == http.StatusTooManyRequests {
			return i, a
		}
		if a.Status >= 500 || i > most {
			t.Fatalf("%s %s: request %d answered %d %s", method, path, i, a.Status, a.Body)
		}
	}
}

// signedIn signs a browser in and returns how it calls in a profile.
func signedIn(t *testing.T, s *apptest.Server, w apptest.Who) func(method, path string, body any) apptest.Answer {
	t.Helper()
	call := func(cookie, method, path string, body any) apptest.Answer {
		t.Helper()
		text, _ := json.Marshal(body)
		q, _ := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(string(text)))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", s.URL)
		if cookie != "" {
			q.Header.Set("Cookie", cookie)
			q.Header.Set("Profile-Id", w.Profile)
		}
		return s.Do(t, q)
	}
	x := call("", "POST", "/session", row{"email": w.Email, "password": apptest.Password}).Want(t, 200, 201)
	cookie, _, _ := strings.Cut(x.Header.Get("Set-Cookie"), ";")
	return func(method, path string, body any) apptest.Answer {
		t.Helper()
		return call(cookie, method, path, body)
	}
}

func point() row { return row{"variable": "v", "value": 1} }

func TestBehaviour65_RatesByProfileRouteMinute(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		_, one := s.Device(t, a, "One")
		_, two := s.Device(t, a, "Two")
		// 250 a minute, whoever of the profile asks and however many at once; the rest is refused.
		var passed, refused, sent atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			token := []string{one, two}[i%2]
			wg.Go(func() {
				for sent.Add(1) <= 270 {
					switch a := s.Call(t, "POST", "/data", token, point()); a.Status {
					case 200:
						passed.Add(1)
					case 429:
						refused.Add(1)
					default:
						t.Errorf("%d %s", a.Status, a.Body)
					}
				}
			})
		}
		wg.Wait()
		if passed.Load() != 250 || refused.Load() != 20 {
			t.Errorf("%d passed and %d were refused", passed.Load(), refused.Load())
		}
		if used := s.Summary(t, a).Used; used["input"] != 250 || used["data_records"] != 250 {
			t.Errorf("stored %v", used)
		}
	}, apptest.AtTime(atRates))
}

func TestBehaviour66_WordsOfARate(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		first := s.Call(t, "GET", "/device", a.Token, nil).Want(t, 200)
		if got := first.Header.Get("RateLimit-Policy"); got != `"GET /device";q=50;w=60` {
			t.Error(got)
		}
		if got := first.Header.Get("RateLimit"); got != `"GET /device";r=49;t=38` {
			t.Error(got)
		}
		n, x := until429(t, s, 60, "GET", "/device", a.Token, nil)
		if n != 49 {
			t.Errorf("%d passed after the first, want 49", n)
		}
		if !strings.HasPrefix(string(x.Body), `{"status":false,"message":"`+retryAfter38+`"`) || x.Header.Get("Retry-After") != "38" {
			t.Errorf("%s %v", x.Body, x.Header)
		}
		if got := x.Header.Get("RateLimit"); got != `"GET /device";r=0;t=38` {
			t.Error(got)
		}
		e := explain(t, x)
		if e.Error.Limit != "GET /device" || e.Error.Scope != "profile" || e.Error.Used != 50 || e.Error.Allowed != 50 ||
			e.Error.ResetsAt == nil || *e.Error.ResetsAt != "2026-11-22T12:46:00.000Z" {
			t.Errorf("%s", x.Body)
		}
		// The first was told at once, a repetition waits a little.
		began := time.Now()
		s.Call(t, "GET", "/device", a.Token, nil).Want(t, 429)
		if took := time.Since(began); took < 50*time.Millisecond || took > 2*time.Second {
			t.Errorf("a repetition took %v", took)
		}
		// The seconds are those that are left.
		s.Clock.Set(time.Date(2026, 11, 22, 12, 45, 59, 999_000_000, time.UTC))
		if x := s.Call(t, "GET", "/device", a.Token, nil).Want(t, 429); x.Message != "Too many requests (Retry-After: 1)" || x.Header.Get("Retry-After") != "1" {
			t.Error(x.Message)
		}
		// What has no rate says nothing of one, and no credential spends none.
		if h := s.Call(t, "GET", "/limits", a.Token, nil).Want(t, 200).Header; h.Get("RateLimit") != "" {
			t.Error(h)
		}
		s.Clock.Advance(time.Minute)
		for range 60 {
			if a := s.Call(t, "GET", "/device", "p-unknown", nil); a.Status != 401 || a.Header.Get("RateLimit") != "" {
				t.Fatalf("%d %v", a.Status, a.Header)
			}
		}
		if got := s.Call(t, "GET", "/device?amount=x", a.Token, nil).Want(t, 400).Header.Get("RateLimit"); !strings.Contains(got, ";r=49;") {
			t.Errorf("a bad request that passed the check spends one: %s", got)
		}
	}, apptest.AtTime(atRates))
}

func TestBehaviour67_NextMinuteAndNeighbours(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		b := s.Profile(t, a, "B")
		device, token := s.Device(t, a, "D")
		s.Clock.Advance(time.Minute)
		reads := "/device/" + device + "/data?query=aggregate&interval=hour&function=sum&start_date=1%20day&variable=v"
		if n, _ := until429(t, s, 20, "GET", reads, a.Token, nil); n != 10 {
			t.Errorf("%d aggregates passed, want 10", n)
		}
		s.Call(t, "GET", "/device/"+device+"/data", a.Token, nil).Want(t, 200)
		if n, _ := until429(t, s, 200, "GET", "/device", a.Token, nil); n != 100 {
			t.Errorf("%d lists passed, want 100", n)
		}
		for _, route := range []string{"/device/" + device, "/device/" + device + "/params", "/account", "/info", "/profile"} {
			s.Call(t, "GET", route, a.Token, nil).Want(t, 200)
		}
		s.Send(t, token, 1).Want(t, 200)
		s.Call(t, "GET", "/device", b.Token, nil).Want(t, 200) // the other profile of the same account
		console := signedIn(t, s, a)
		if x := console("GET", "/device", nil).Want(t, 200); x.Header.Get("RateLimit-Policy") != `"console GET /device";q=100;w=60` {
			t.Error(x.Header)
		}
		// What tells of limits, and what makes room, answers whatever is used up.
		for range 10 {
			s.Call(t, "GET", "/limits", a.Token, nil).Want(t, 200)
			s.Call(t, "GET", "/profile/current/summary", a.Token, nil).Want(t, 200)
			s.Call(t, "GET", "/account/allocation", a.Token, nil).Want(t, 200)
			s.Call(t, "POST", "/device/"+device+"/empty", a.Token, nil).Want(t, 200)
		}
		s.Call(t, "GET", "/device", a.Token, nil).Want(t, 429)
		s.Clock.Set(time.Date(2026, 11, 22, 12, 47, 0, 0, time.UTC))
		s.Call(t, "GET", "/device", a.Token, nil).Want(t, 200)
		s.Call(t, "GET", reads, a.Token, nil).Want(t, 200)
		// A plan without ceilings says nothing of rates, and takes hold at once.
		house := s.Account(t, "free")
		_, token = s.Device(t, house, "D")
		for range 65 { // TagoIO's own limit is 60
			s.Call(t, "DELETE", "/data?qty=1", token, nil).Want(t, 200)
		}
		until429(t, s, 60, "GET", "/device", house.Token, nil)
		if err := s.App.SetPlan(t.Context(), house.Email, "house"); err != nil {
			t.Fatal(err)
		}
		if h := s.Call(t, "GET", "/device", house.Token, nil).Want(t, 200).Header; h.Get("RateLimit-Policy") != "" {
			t.Error(h)
		}
	}, apptest.AtTime(atRates))
}

func TestBehaviour68_SoftLimits(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		idA, one := s.Device(t, a, "One")
		_, two := s.Device(t, a, "Two")
		_, three := s.Device(t, a, "Three")
		set := func(path string, rpm any) {
			t.Helper()
			s.Call(t, "PUT", path, a.Token, row{"rpm": rpm}).Want(t, 200)
		}
		profile := "/profile/" + a.Profile
		shown := func() string {
			t.Helper()
			var p struct{ Info struct{ RPM json.RawMessage } }
			s.Call(t, "GET", profile, a.Token, nil).Want(t, 200).Into(t, &p)
			return string(p.Info.RPM)
		}
		for _, bad := range []any{row{"data_input": 0}, row{"data_output": -1}, row{"data_input": 1.5}, row{"data_input": "5"}, row{"data_input": 1_000_001}, 5, []int{1}} {
			if x := s.Call(t, "PUT", profile, a.Token, row{"rpm": bad}).Want(t, 400); !strings.HasPrefix(x.Message, "rpm") {
				t.Errorf("%v: %s", bad, x.Message)
			}
		}
		if got := shown(); got != `{"data_input":null,"data_output":null}` {
			t.Error(got)
		}
		set(profile, row{"data_input": 5, "data_output": 2})
		if got := shown(); got != `{"data_input":5,"data_output":2}` {
			t.Error(got)
		}
		s.Call(t, "PUT", profile, a.Token, row{"name": "Other"}).Want(t, 200)
		if got := shown(); got != `{"data_input":5,"data_output":2}` {
			t.Error("renaming changed it:", got)
		}
		s.Clock.Advance(time.Minute)

		// All devices of the profile share its limit, for sending and reading apart.
		s.Send(t, two, 1).Want(t, 200)
		n, x := until429(t, s, 10, "POST", "/data", three, point())
		if e := explain(t, x); n != 4 || e.Error.Limit != "rpm.data_input" || e.Error.Scope != "profile" || e.Error.Allowed != 5 || x.Message != retryAfter38 {
			t.Errorf("%d passed: %s", n, x.Body)
		}
		if n, _ := until429(t, s, 10, "GET", "/data", two, nil); n != 2 {
			t.Errorf("%d reads passed", n)
		}
		// A device's own limit takes its place, higher or lower, also for a token of the profile.
		set("/device/"+idA, row{"data_input": 8})
		if n, x := until429(t, s, 20, "POST", "/data", one, point()); n != 8 || explain(t, x).Error.Scope != "device" {
			t.Errorf("%d passed: %s", n, x.Body)
		}
		s.Call(t, "POST", "/device/"+idA+"/data", a.Token, point()).Want(t, 429)
		s.Clock.Advance(time.Minute)
		if n, _ := until429(t, s, 20, "POST", "/data", two, point()); n != 5 {
			t.Errorf("%d of the others passed: the device spent the profile's", n)
		}
		x = s.Call(t, "POST", "/data", one, point()).Want(t, 200)
		if got := x.Header.Get("RateLimit-Policy"); got != `"POST /data";q=250;w=60, "device rpm.data_input";q=8;w=60` {
			t.Error(got)
		}
		if got := x.Header.Get("RateLimit"); got != `"POST /data";r=244;t=38, "device rpm.data_input";r=7;t=38` {
			t.Error("what was refused was counted: ", got)
		}
		// The lower one holds: a soft limit above the hard one has no effect.
		set("/device/"+idA, row{"data_input": 100_000})
		if n, x := until429(t, s, 300, "POST", "/data", one, point()); n != 244 || explain(t, x).Error.Limit != "POST /data" {
			t.Errorf("%d passed: %s", n, x.Body)
		}
		// Without limits of their own both are free again at once.
		s.Clock.Advance(time.Minute)
		set("/device/"+idA, nil)
		set(profile, nil)
		for range 10 {
			s.Send(t, one, 1).Want(t, 200)
		}
	}, apptest.AtTime(atRates))
}

// TestRatesSurviveARestart abandons a server, as kill -9 would, and asks another on the same database.
func TestRatesSurviveARestart(t *testing.T) {
	var mu sync.Mutex
	settings := map[*clock.Manual]app.Settings{}
	keep := func(s *app.Settings, o *app.Options) {
		mu.Lock()
		defer mu.Unlock()
		settings[o.Clock.(*clock.Manual)] = *s
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		_, token := s.Device(t, a, "D")
		for range 40 {
			s.Send(t, token, 1).Want(t, 200)
			s.Call(t, "GET", "/device", a.Token, nil).Want(t, 200)
		}
		mu.Lock()
		st := settings[s.Clock]
		mu.Unlock()
		again, err := app.Open(t.Context(), st, app.Options{Clock: s.Clock})
		if err != nil {
			t.Fatal(err)
		}
		h := httptest.NewServer(again.Handler())
		defer h.Close()
		defer again.Close()
		after := &apptest.Server{URL: h.URL, App: again, Data: s.Data, Clock: s.Clock}
		if n, _ := until429(t, after, 200, "GET", "/device", a.Token, nil); n != 60 { // leases of a limit of 100 are single
			t.Errorf("%d passed after the restart, want 60", n)
		}
		x := after.Send(t, token, 1).Want(t, 200)
		var left int
		if _, err := fmt.Sscanf(x.Header.Get("RateLimit"), `"POST /data";r=%d;`, &left); err != nil || left > 5000-41 || left < 5000-41-50 {
			t.Errorf("%d left: %v", left, x.Header)
		}
	}, apptest.AtTime(atRates), keep)
}

// limitRow is a row of GET /limits.
type limitRow struct {
	Name, Kind, Scope, Device string
	Used                      float64
	Limit                     *float64
	Window, Reset             *string
}

func limitsOf(t *testing.T, s *apptest.Server, path, token string) map[string]limitRow {
	t.Helper()
	var rows []limitRow
	s.Call(t, "GET", path, token, nil).Want(t, 200).Into(t, &rows)
	out := map[string]limitRow{}
	for _, r := range rows {
		k := r.Kind + " " + r.Name + r.Device
		if _, twice := out[k]; twice {
			t.Errorf("%s is there twice", k)
		}
		out[k] = r
	}
	return out
}

func TestLimits(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		device, token := s.Device(t, a, "D")
		s.Send(t, token, 3).Want(t, 200)
		s.Send(t, token, 4).Want(t, 200)
		s.Call(t, "PUT", "/device/"+device, a.Token, row{"rpm": row{"data_output": 9}}).Want(t, 200)
		s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, row{"rpm": row{"data_input": 90}}).Want(t, 200)
		s.Send(t, token, 1).Want(t, 200)
		signedIn(t, s, a)("GET", "/device", nil).Want(t, 200)
		got := limitsOf(t, s, "/limits", a.Token)
		minute, month := "minute", "month"
		reset, cycle := "2026-11-22T12:46:00.000Z", "2026-12-01T00:00:00.000Z"
		n := func(v float64) *float64 { return &v }
		for _, w := range []limitRow{
			{"POST /data", "rate", "profile", "", 3, n(5000), &minute, &reset},
			{"GET /device", "rate", "profile", "", 0, n(100), &minute, &reset},
			{"console GET /device", "rate", "profile", "", 1, n(100), &minute, &reset},
			{"rpm.data_input", "soft_rate", "profile", "", 1, n(90), &minute, &reset},
			{"rpm.data_output", "soft_rate", "device", device, 0, n(9), &minute, &reset},
			{"input", "service", "profile", "", 8, n(1_000_000), &month, &cycle},
			{"data_records", "service", "profile", "", 8, n(800_000), nil, nil},
			{"device", "cap", "profile", "", 1, n(100), nil, nil},
			{"profile", "cap", "account", "", 1, n(2), nil, nil},
		} {
			have, _ := json.Marshal(got[w.Kind+" "+w.Name+w.Device])
			want, _ := json.Marshal(w)
			if string(have) != string(want) {
				t.Errorf("%s: %s, want %s", w.Name, have, want)
			}
		}
		if one := limitsOf(t, s, "/limits?device="+device, a.Token); one["soft_rate rpm.data_output"+device].Limit == nil || one["soft_rate rpm.data_input"].Limit != nil {
			t.Error(one)
		}
		s.Call(t, "GET", "/limits?device=0123456789abcdef01234567", a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/limits?device=x", a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/limits", token, nil).Want(t, 401)

		// A token that reaches its profile only is not told how many others there are.
		var made struct{ Token string }
		s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": "x", "permission": "read", "email": a.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &made)
		if _, told := limitsOf(t, s, "/limits", made.Token)["cap profile"]; told {
			t.Error("a token of one profile sees the account's number of profiles")
		}

		// The house has no rates and no caps; it shows what is used.
		house := s.Account(t, "house")
		s.Device(t, house, "D")
		for k, r := range limitsOf(t, s, "/limits", house.Token) {
			if r.Kind == "rate" || r.Limit != nil || (r.Kind == "cap" && r.Used == 0) {
				t.Errorf("%s: %+v", k, r)
			}
		}
	}, apptest.AtTime(atRates))
}

// TestRefusalsExplain looks at refusals of services and caps.
func TestRefusalsExplain(t *testing.T) {
	catalogue, err := os.ReadFile("../plan/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	small := strings.NewReplacer(
		"input:             {house: unlimited, free: 1000000", "input:             {house: unlimited, free: 3",
		"output:            {house: unlimited, free: 3000000", "output:            {house: unlimited, free: 2",
	).Replace(string(catalogue))
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		var token, device string
		for i := range 5 {
			device, token = s.Device(t, a, fmt.Sprint("D", i))
		}
		e := explain(t, s.Call(t, "POST", "/device", a.Token, row{"name": "one too many", "type": "mutable"}).Want(t, 402))
		if e.Error.Limit != "device" || e.Error.Scope != "profile" || e.Error.Used != 5 || e.Error.Allowed != 5 || e.Error.ResetsAt != nil {
			t.Errorf("%+v", e)
		}
		e = explain(t, s.Call(t, "POST", "/profile", a.Token, row{"name": "one too many"}).Want(t, 402))
		if e.Error.Limit != "profile" || e.Error.Scope != "account" || e.Error.Used != 1 || e.Error.Allowed != 1 {
			t.Errorf("%+v", e)
		}
		s.Send(t, token, 3).Want(t, 200)
		e = explain(t, s.Send(t, token, 2).Want(t, 402))
		if !strings.HasPrefix(e.Message, overLimit) || e.Error.Limit != "input" || e.Error.Scope != "profile" || e.Error.Used != 3 || e.Error.Allowed != 3 ||
			e.Error.ResetsAt == nil || *e.Error.ResetsAt != "2026-12-01T00:00:00.000Z" {
			t.Errorf("%+v", e)
		}
		e = explain(t, s.Call(t, "GET", "/device/"+device+"/data", a.Token, nil).Want(t, 402))
		if e.Error.Limit != "output" || e.Error.Allowed != 2 {
			t.Errorf("%+v", e)
		}
	}, apptest.AtTime(atRates), apptest.WithCatalogue(small))
}
