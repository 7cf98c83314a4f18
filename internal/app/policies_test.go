package app_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// shareOut allocates 100 and 200 of a service to two profiles of the plan scale and all but 700 of the rest to a third.
func shareOut(t *testing.T, s *apptest.Server, p, q, rest apptest.Who, services ...string) {
	t.Helper()
	pools := map[string]int{"input": 1_000_000, "output": 3_000_000, "data_records": 800_000}
	rows := []row{{"profile": p.Profile}, {"profile": q.Profile}, {"profile": rest.Profile}}
	for _, svc := range services {
		rows[0][svc], rows[1][svc], rows[2][svc] = 100, 200, pools[svc]-1000
	}
	s.Call(t, "POST", "/account/allocation", p.Token, rows).Want(t, 200)
}

// fullRow is a row of GET /limits with what services and pools show besides.
type fullRow struct {
	limitRow
	Policy                             string
	Overage, Allocated, Free, Departed *float64
}

func allLimits(t *testing.T, s *apptest.Server, path, token string) map[string]fullRow {
	t.Helper()
	var rows []fullRow
	s.Call(t, "GET", path, token, nil).Want(t, 200).Into(t, &rows)
	out := map[string]fullRow{}
	for _, r := range rows {
		out[r.Kind+" "+r.Name+r.Device] = r
	}
	return out
}

func builtinCatalogue(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../plan/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func verified(t *testing.T, s *apptest.Server) {
	t.Helper()
	findings, checked, err := s.App.Verify(t.Context())
	if err != nil || len(findings) > 0 {
		t.Error(findings, err)
	}
	if !strings.Contains(checked, "ledgers can confirm what was used of input, output, ") || strings.Contains(checked, "data_records") {
		t.Error(checked)
	}
}

func TestPoliciesOnTheWire(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, stranger := s.Account(t, "scale"), s.Account(t, "scale")
		path := "/profile/" + a.Profile + "/policies"
		text := func() string { return string(s.Call(t, "GET", path, a.Token, nil).Want(t, 200).Result) }
		const none = `{"analysis":"block","data_records":"block","email":"block","file_storage":"block","input":"block","output":"block","push_notification":"block","run_users":"block","sms":"block"}`
		if got := text(); got != none {
			t.Fatal(got)
		}
		for _, tc := range []struct {
			name, message string
			body          any
		}{
			{"a list", "body: must be an object", []row{{"input": "pool"}}},
			{"no body", "body: must be an object", nil},
			{"null", "body: must be an object", "null"},
			{"a service that is none", "inputs: is not a service with a policy", row{"output": "pool", "inputs": "pool"}},
			{"dashboard output", "dashboard_output: is not a service with a policy", row{"dashboard_output": "overage"}},
			{"a word that is no policy", `input: "draw" is not block, pool or overage`, row{"input": "draw", "sms": "pool"}},
			{"a word in capitals", `input: "Pool" is not block, pool or overage`, row{"input": "Pool"}},
			{"no word", `input: "" is not block, pool or overage`, row{"input": ""}},
			{"a number", "input: must be block, pool or overage", row{"input": 1}},
			{"null as policy", "input: must be block, pool or overage", row{"input": nil}},
			{"a service twice", "input: is given twice", `{"input":"pool","input":"block"}`},
		} {
			t.Run(tc.name+" is refused and changes nothing", func(t *testing.T) {
				if x := s.Call(t, "PUT", path, a.Token, tc.body).Want(t, 400); !strings.HasPrefix(x.Message, tc.message) {
					t.Error(x.Message)
				}
				if got := text(); got != none {
					t.Error(got)
				}
			})
		}
		t.Run("what is named changes, the rest stays", func(t *testing.T) {
			if got := s.Call(t, "PUT", path, a.Token, row{"input": "pool", "sms": "overage"}).Want(t, 200).Text(t); got != "Profile policies Successfully Updated" {
				t.Error(got)
			}
			s.Call(t, "PUT", path, a.Token, row{"sms": "block", "output": "overage"}).Want(t, 200)
			s.Call(t, "PUT", path, a.Token, row{}).Want(t, 200)
			if got := text(); got != strings.NewReplacer(`"input":"block"`, `"input":"pool"`, `"output":"block"`, `"output":"overage"`).Replace(none) {
				t.Error(got)
			}
		})
		t.Run("it is the owner's, with the reach of the account", func(t *testing.T) {
			var narrow struct{ Token string }
			s.Call(t, "POST", "/profile/current/token", a.Token, row{"name": "x", "permission": "full", "password": apptest.Password}).Want(t, 200, 201).Into(t, &narrow)
			for _, method := range []string{"GET", "PUT"} {
				s.Call(t, method, path, stranger.Token, row{"input": "block"}).Want(t, 404)
				if x := s.Call(t, method, path, narrow.Token, row{"input": "block"}); x.Status != 401 && x.Status != 403 {
					t.Errorf("%s answered %d", method, x.Status)
				}
				s.Call(t, method, path, "", row{"input": "block"}).Want(t, 401)
			}
			_, device := s.Device(t, a, "D")
			s.Call(t, "PUT", path, device, row{"input": "block"}).Want(t, 401)
			if got := text(); !strings.Contains(got, `"input":"pool"`) {
				t.Error(got)
			}
		})
	})
}

// TestTwoProfilesDrawOnOnePool sends from many sides at once, bodies of random size: what both profiles get together is
// what they were allocated and what was free, to the unit.
func TestTwoProfilesDrawOnOnePool(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b, rest := s.Profile(t, a, "B"), s.Profile(t, a, "C")
		shareOut(t, s, a, b, rest, "input", "output")
		var tokens []string
		for _, w := range []apptest.Who{a, b} {
			s.Call(t, "PUT", "/profile/"+w.Profile+"/policies", a.Token, row{"input": "pool", "output": "pool"}).Want(t, 200)
			for i := range 2 {
				_, token := s.Device(t, w, fmt.Sprint(i))
				tokens = append(tokens, token)
			}
		}
		var sent, read atomic.Int64
		var wg sync.WaitGroup
		for g := range 12 {
			wg.Go(func() {
				for i := range 14 {
					token, n := tokens[(g+i)%len(tokens)], 1+(g*31+i*17)%23
					switch x := s.Send(t, token, n); x.Status {
					case http.StatusPaymentRequired:
						if !strings.HasPrefix(x.Message, overLimit) || !strings.Contains(x.Message, "free in the account's pool") {
							t.Error(x.Message)
						}
					case http.StatusOK, http.StatusCreated, http.StatusAccepted:
						sent.Add(int64(n))
					default:
						t.Errorf("%d %s", x.Status, x.Body)
					}
					var rows []row
					switch x := s.Call(t, "GET", fmt.Sprintf("/data?qty=%d", n), token, nil); x.Status {
					case http.StatusPaymentRequired:
					case http.StatusOK:
						x.Into(t, &rows)
						read.Add(int64(len(rows)))
					default:
						t.Errorf("%d %s", x.Status, x.Body)
					}
				}
			})
		}
		wg.Wait()
		for range 30 {
			for _, token := range tokens {
				if s.Send(t, token, 1).Status < 300 {
					sent.Add(1)
				}
				if s.Call(t, "GET", "/data?qty=1", token, nil).Status == 200 {
					read.Add(1)
				}
			}
		}
		if sent.Load() != 1000 || read.Load() != 1000 {
			t.Errorf("%d accepted, %d read; 1000 were there of each", sent.Load(), read.Load())
		}
		got := allLimits(t, s, "/limits", a.Token)
		for _, name := range []string{"pool input", "pool output"} {
			if r := got[name]; r.Used != 1000 || *r.Free != 0 || *r.Overage != 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		verified(t, s)
	})
}

func TestLimitsShowPoliciesAndPools(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b, rest := s.Profile(t, a, "B"), s.Profile(t, a, "C")
		shareOut(t, s, a, b, rest, "input", "data_records")
		s.Call(t, "PUT", "/profile/"+a.Profile+"/policies", a.Token, row{"input": "overage", "data_records": "pool"}).Want(t, 200)
		device, token := s.Device(t, a, "D")
		_, other := s.Device(t, b, "D")
		s.Send(t, token, 150).Want(t, 200)
		s.Send(t, other, 40).Want(t, 200)

		t.Run("a service shows its policy and what is over", func(t *testing.T) {
			got := allLimits(t, s, "/limits", a.Token)
			if r := got["service input"]; r.Policy != "overage" || r.Used != 150 || *r.Limit != 100 || *r.Overage != 50 {
				t.Errorf("%+v", r)
			}
			if r := got["service data_records"]; r.Policy != "pool" || r.Used != 150 || *r.Limit != 100 || *r.Overage != 0 {
				t.Errorf("%+v", r)
			}
			if r := got["service output"]; r.Policy != "block" {
				t.Errorf("%+v", r)
			}
			if r := got["service dashboard_output"]; r.Policy != "" || r.Overage != nil {
				t.Errorf("%+v", r)
			}
		})
		t.Run("the pool shows what is allocated, free, used and over", func(t *testing.T) {
			got := allLimits(t, s, "/limits", b.Token)
			r := got["pool input"]
			if r.Scope != "account" || *r.Limit != 1_000_000 || *r.Allocated != 999_300 || *r.Free != 700 || r.Used != 140 || *r.Overage != 50 || *r.Departed != 0 {
				t.Errorf("%+v", r)
			}
			if *r.Window != "month" || *r.Reset != "2026-06-01T00:00:00.000Z" {
				t.Errorf("%+v", r)
			}
			r = got["pool data_records"]
			if *r.Allocated != 799_300 || *r.Free != 650 || r.Used != 190 || r.Window != nil || r.Reset != nil {
				t.Errorf("%+v", r)
			}
		})
		t.Run("the account is told to nobody but its owner", func(t *testing.T) {
			var narrow struct{ Token string }
			s.Call(t, "POST", "/profile/current/token", a.Token, row{"name": "x", "permission": "full", "password": apptest.Password}).Want(t, 200, 201).Into(t, &narrow)
			got := allLimits(t, s, "/limits", narrow.Token)
			if _, told := got["pool input"]; told || got["service input"].Policy != "overage" {
				t.Error(got)
			}
		})
		t.Run("the summary and statistics mark what is over", func(t *testing.T) {
			var sum struct {
				Used    map[string]float64 `json:"limit_used"`
				Overage map[string]float64
			}
			s.Call(t, "GET", "/profile/current/summary", a.Token, nil).Want(t, 200).Into(t, &sum)
			if sum.Used["input"] != 150 || fmt.Sprint(sum.Overage) != "map[input:50]" {
				t.Error(sum)
			}
			if x := s.Call(t, "GET", "/profile/current/summary", b.Token, nil).Want(t, 200); strings.Contains(string(x.Result), "overage") {
				t.Error(string(x.Result))
			}
			s.Clock.Advance(time.Minute)
			var samples []row
			s.Call(t, "GET", "/profile/current/statistics?periodicity=month", a.Token, nil).Want(t, 200).Into(t, &samples)
			if got := samples[0]; got["input"] != 150.0 || fmt.Sprint(got["overage"]) != "map[input:50]" {
				t.Error(got)
			}
		})
		t.Run("deletion gives what was drawn of a stock back to the pool", func(t *testing.T) {
			s.Call(t, "DELETE", "/device/"+device+"/data?qty=30", a.Token, nil).Want(t, 200)
			if r := allLimits(t, s, "/limits", b.Token)["pool data_records"]; *r.Free != 680 {
				t.Errorf("%+v", r)
			}
		})
		t.Run("a profile that leaves stays counted in its month", func(t *testing.T) {
			s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
			if r := allLimits(t, s, "/limits", a.Token)["pool input"]; *r.Departed != 40 || r.Used != 140 || *r.Free != 860 {
				t.Errorf("%+v", r)
			}
			verified(t, s)
		})
		t.Run("a server without limits has pools without", func(t *testing.T) {
			house := s.Account(t, "house")
			if r, told := allLimits(t, s, "/limits", house.Token)["pool input"]; !told || r.Limit != nil || r.Free != nil {
				t.Errorf("%+v", r)
			}
		})
	}, apptest.AtTime(time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)))
}

// TestBehaviour49_ConsoleReads reads with a session: that is dashboard output and nothing else.
func TestBehaviour49_ConsoleReads(t *testing.T) {
	catalogue := apptest.WithCatalogue(strings.Replace(builtinCatalogue(t), "dashboard_output:  {house: unlimited, free: 3000000,", "dashboard_output:  {house: unlimited, free: 20,", 1))
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		device, token := s.Device(t, a, "D")
		s.Send(t, token, 12).Want(t, 200)
		console := signedIn(t, s, a)
		read := func(query string, status int) apptest.Answer {
			t.Helper()
			return console("GET", "/device/"+device+"/data?"+query, nil).Want(t, status)
		}
		read("qty=9", 200)
		read("query=count", 200)
		read("variables=nothing", 200)
		s.Call(t, "GET", "/device/"+device+"/data?qty=3", a.Token, nil).Want(t, 200)
		if got := s.Summary(t, a).Used; got["dashboard_output"] != 10 || got["output"] != 3 {
			t.Errorf("%v", got)
		}
		t.Run("what it allows is exact, and its end stops nothing else", func(t *testing.T) {
			x := read("qty=11", 402)
			if e := explain(t, x); !strings.HasPrefix(x.Message, overLimit+" of Dashboard Output (20): 10 used, 11 more needed") || e.Error.Limit != "dashboard_output" {
				t.Error(x.Message)
			}
			read("qty=10", 200)
			read("qty=1", 402)
			s.Call(t, "GET", "/data?qty=1", token, nil).Want(t, 200)
			s.Send(t, token, 1).Want(t, 200)
			if r := allLimits(t, s, "/limits", a.Token)["service dashboard_output"]; r.Used != 20 || *r.Limit != 20 {
				t.Errorf("%+v", r)
			}
		})
		t.Run("statistics have it, also by device", func(t *testing.T) {
			s.Clock.Advance(time.Minute)
			var samples []row
			s.Call(t, "GET", "/profile/current/statistics?periodicity=month", a.Token, nil).Want(t, 200).Into(t, &samples)
			if samples[0]["dashboard_output"] != 20.0 || samples[0]["output"] != 4.0 {
				t.Error(samples)
			}
			var by struct{ Devices []struct{ Used int } }
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // a server writes it down every second
				s.Call(t, "GET", "/profile/current/statistics/devices?service=dashboard_output", a.Token, nil).Want(t, 200).Into(t, &by)
				if len(by.Devices) == 1 && by.Devices[0].Used == 20 {
					break
				}
				if time.Now().After(end) {
					t.Fatal(by)
				}
			}
			verified(t, s)
		})
		t.Run("a new month starts without any used", func(t *testing.T) {
			s.Clock.Set(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
			again := signedIn(t, s, a)
			again("GET", "/device/"+device+"/data?qty=5", nil).Want(t, 200)
			if got := s.Summary(t, a).Used; got["dashboard_output"] != 5 || got["output"] != 0 {
				t.Errorf("%v", got)
			}
		})
	}, apptest.AtTime(time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)), catalogue)
}
