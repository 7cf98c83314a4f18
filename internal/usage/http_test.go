package usage_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

type row = map[string]any

// allocations are the rows of GET /account/allocation by profile.
func allocations(t *testing.T, s *apptest.Server, w apptest.Who) (map[string]row, string) {
	t.Helper()
	x := s.Call(t, "GET", "/account/allocation", w.Token, nil).Want(t, 200)
	var rows []row
	x.Into(t, &rows)
	out := map[string]row{}
	for _, r := range rows {
		out[r["profile"].(string)] = r
	}
	return out, string(x.Result)
}

func TestAllocationOnTheWire(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		stranger := s.Account(t, "scale")
		t.Run("an account with one profile has nothing to allocate", func(t *testing.T) {
			for path, body := range map[string]any{"/account/allocation": []row{{"profile": a.Profile, "input": 1}}, "/profile/" + a.Profile + "/services": row{"input": 1}} {
				if x := s.Call(t, "POST", path, a.Token, body).Want(t, 409); !strings.Contains(x.Message, "one profile") {
					t.Error(x.Message)
				}
			}
		})
		b := s.Profile(t, a, "B")
		t.Run("a new profile starts with an equal share, taken from the automatic one", func(t *testing.T) {
			got, _ := allocations(t, s, a)
			if got[a.Profile]["input"] != 800_000.0 || got[b.Profile]["input"] != 200_000.0 || got[b.Profile]["file_storage"] != 40.0 || got[b.Profile]["analysis"] != 600.0 {
				t.Fatal(got)
			}
			if len(got[b.Profile]) != 11 || got[b.Profile]["updated_at"] == nil {
				t.Fatal(got[b.Profile])
			}
		})
		_, before := allocations(t, s, a)
		for _, tc := range []struct {
			name    string
			body    any
			message string
		}{
			{"an object", row{"profile": a.Profile}, "body: must be a list"},
			{"no body", nil, "body: must be a list"},
			{"null", "null", "body: must be a list"},
			{"a number in the list", `[5]`, "[0]: must be an object"},
			{"a row without a profile", []row{{"input": 1}}, "[0].profile: must be the id of a profile"},
			{"a profile that is no id", []row{{"profile": "x"}}, "[0].profile: must be the id of a profile"},
			{"a profile as number", []row{{"profile": 5}}, "[0].profile: must be the id of a profile"},
			{"an unknown profile", []row{{"profile": a.Profile}, {"profile": "0123456789abcdef01234567"}}, "[1].profile: Profile Not Found"},
			{"a foreign profile", []row{{"profile": a.Profile, "input": 5}, {"profile": stranger.Profile, "input": 1}}, "[1].profile: Profile Not Found"},
			{"a profile twice", []row{{"profile": a.Profile}, {"profile": a.Profile}}, "[1].profile: is there twice"},
			{"a negative amount", []row{{"profile": a.Profile, "input": -1}}, "[0].input: must not be negative"},
			{"half a variable", []row{{"profile": a.Profile, "input": 1.5}}, "[0].input: must be a whole number"},
			{"a word", []row{{"profile": a.Profile, "input": "5"}}, "[0].input: must be a number"},
			{"null as amount", `[{"profile":"` + a.Profile + `","input":null}]`, "[0].input: must be a number"},
			{"a number beyond all", `[{"profile":"` + a.Profile + `","input":1e400}]`, "[0].input: must be a number"},
			{"a service that is none", []row{{"profile": a.Profile, "inputs": 5}}, "[0].inputs: is not a service"},
			{"dashboard output, which is not shared", []row{{"profile": a.Profile, "dashboard_output": 5}}, "[0].dashboard_output: is not a service"},
			{"a service twice", `[{"profile":"` + a.Profile + `","input":1,"input":2}]`, "[0].input: is given twice"},
			{"more than the pool", []row{{"profile": a.Profile, "input": 1_000_001}}, "[0].input: the profiles would have 1200001 of Data Input together, the account has 1000000"},
			{"more than is free", []row{{"profile": a.Profile, "input": 10}, {"profile": b.Profile, "input": 999_991}}, "[1].input: the profiles would have 1000001 of Data Input"},
			{"one bad row among good ones", []row{{"profile": a.Profile, "input": 10}, {"profile": b.Profile, "sms": 11}}, "[1].sms: "},
			{"no limit where the pool has one", []row{{"profile": b.Profile, "analysis": 9007199254740991}}, "[0].analysis: "},
		} {
			t.Run(tc.name+" is refused and changes nothing", func(t *testing.T) {
				x := s.Call(t, "POST", "/account/allocation", a.Token, tc.body).Want(t, 400)
				if !strings.HasPrefix(x.Message, tc.message) {
					t.Error(x.Message)
				}
				if _, after := allocations(t, s, a); after != before {
					t.Errorf("changed to %s", after)
				}
			})
		}
		t.Run("a partial post leaves what it does not mention", func(t *testing.T) {
			x := s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": b.Profile, "input": 150_000, "analysis": 0.5}}).Want(t, 200)
			if x.Text(t) != "Profile resource allocation Successfully Updated" {
				t.Error(x.Text(t))
			}
			got, _ := allocations(t, s, a)
			if got[b.Profile]["input"] != 150_000.0 || got[b.Profile]["analysis"] != 0.5 || got[b.Profile]["output"] != 600_000.0 || got[a.Profile]["input"] != 800_000.0 {
				t.Error(got)
			}
		})
		t.Run("what GET gives can be posted back", func(t *testing.T) {
			_, text := allocations(t, s, a)
			s.Call(t, "POST", "/account/allocation", a.Token, text).Want(t, 200)
		})
		t.Run("the services of one profile are set by number or by limit", func(t *testing.T) {
			x := s.Call(t, "POST", "/profile/"+b.Profile+"/services", a.Token, row{"input": row{"limit": 160_000}, "sms": 1}).Want(t, 200)
			if x.Text(t) != "Profile resource allocation Successfully Updated" {
				t.Error(x.Text(t))
			}
			got, _ := allocations(t, s, a)
			if got[b.Profile]["input"] != 160_000.0 || got[b.Profile]["sms"] != 1.0 {
				t.Error(got)
			}
		})
		for _, tc := range []struct {
			name    string
			body    any
			message string
		}{
			{"a list", []row{{"input": 1}}, "body: must be an object"},
			{"no body", nil, "body: must be an object"},
			{"an object without limit", row{"input": row{"max": 1}}, "input: must be a number or an object with the member limit"},
			{"a negative limit", row{"input": row{"limit": -1}}, "input: must not be negative"},
			{"a service that is none", row{"name": "x"}, "name: is not a service"},
			{"more than is free", row{"input": 200_001}, "input: the profiles would have 1000001"},
		} {
			t.Run("services as "+tc.name+" are refused", func(t *testing.T) {
				_, before := allocations(t, s, a)
				if x := s.Call(t, "POST", "/profile/"+b.Profile+"/services", a.Token, tc.body).Want(t, 400); !strings.HasPrefix(x.Message, tc.message) {
					t.Error(x.Message)
				}
				if _, after := allocations(t, s, a); after != before {
					t.Errorf("changed to %s", after)
				}
			})
		}
		t.Run("another account's profile is not found", func(t *testing.T) {
			s.Call(t, "POST", "/profile/"+stranger.Profile+"/services", a.Token, row{"input": 1}).Want(t, 404)
		})
		t.Run("the books agree", func(t *testing.T) {
			findings, _, err := s.App.Verify(t.Context())
			if err != nil || len(findings) > 0 {
				t.Error(findings, err)
			}
		})
	})
}

func TestQuotaCannotBeSpentTwiceByMovingIt(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		_, device := s.Device(t, a, "D")
		post := func(rows ...row) apptest.Answer { return s.Call(t, "POST", "/account/allocation", a.Token, rows) }
		post(row{"profile": b.Profile, "input": 0}, row{"profile": a.Profile, "input": 500}).Want(t, 200)
		s.Send(t, device, 300).Want(t, 200)
		t.Run("lowering below what was used keeps it counted", func(t *testing.T) {
			post(row{"profile": a.Profile, "input": 10}).Want(t, 200)
			x := post(row{"profile": b.Profile, "input": 999_800}).Want(t, 400)
			if !strings.Contains(x.Message, "already used in this cycle") {
				t.Fatal(x.Message)
			}
			post(row{"profile": b.Profile, "input": 999_700}).Want(t, 200)
			x = s.Send(t, device, 1).Want(t, 402)
			if !strings.HasPrefix(x.Message, "You have exceeded the maximum limit of Data Input (10): 300 used, 1 more needed") {
				t.Fatal(x.Message)
			}
		})
	})
}

func TestDeletedProfilesUseStaysCounted(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		_, device := s.Device(t, b, "D")
		s.Send(t, device, 250).Want(t, 200)
		s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
		sum := s.Summary(t, a)
		if sum.Limit["input"] != 1_000_000-250 || sum.Limit["data_records"] != 800_000 {
			t.Errorf("the last profile may use %v and hold %v", sum.Limit["input"], sum.Limit["data_records"])
		}
		got, _ := allocations(t, s, a)
		if len(got) != 1 || got[a.Profile]["input"] != 1_000_000.0 {
			t.Errorf("it has %v", got)
		}
		s.Clock.Set(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
		if sum := s.Summary(t, a); sum.Limit["input"] != 1_000_000 {
			t.Errorf("in the next cycle it may use %v", sum.Limit["input"])
		}
		_, own := s.Device(t, a, "D")
		s.Send(t, own, 1).Want(t, 200)
		if sum := s.Summary(t, a); sum.Limit["input"] != 1_000_000 || sum.Used["input"] != 1 {
			t.Errorf("after the turn: %v", sum)
		}
		if findings, _, err := s.App.Verify(t.Context()); err != nil || len(findings) > 0 {
			t.Error(findings, err)
		}
	}, apptest.AtTime(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)))
}

func TestSummaryOnTheWire(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		_, device := s.Device(t, a, "D")
		s.Send(t, device, 4).Want(t, 200)
		s.Call(t, "GET", "/data?qty=3", device, nil).Want(t, 200)
		var sum struct {
			Limit  map[string]json.Number
			Used   map[string]json.Number `json:"limit_used"`
			Amount map[string]json.Number
			Addons map[string]any
			Run    string `json:"tago_run"`
		}
		s.Call(t, "GET", "/profile/current/summary", a.Token, nil).Want(t, 200).Into(t, &sum)
		for _, k := range []string{"input", "output", "analysis", "data_records", "sms", "email", "run_users", "push_notification", "file_storage", "tcore"} {
			if sum.Limit[k] != "9007199254740991" {
				t.Errorf("limit of %s is %s", k, sum.Limit[k])
			}
		}
		for k, want := range map[string]json.Number{"input": "4", "output": "3", "data_records": "4", "analysis": "0", "dashboard_output": "0", "tcore": "0", "tcore_cluster": "0", "file_storage": "0"} {
			if sum.Used[k] != want {
				t.Errorf("use of %s is %s, want %s", k, sum.Used[k], want)
			}
		}
		for _, k := range []string{"device", "bucket", "dashboard", "dashboard_shared", "analysis", "action", "am", "run_users", "dictionary", "connectors", "networks", "tcore", "tcore_cluster"} {
			want := json.Number("0")
			if k == "device" || k == "bucket" {
				want = "1"
			}
			if sum.Amount[k] != want {
				t.Errorf("amount of %s is %s", k, sum.Amount[k])
			}
		}
		if sum.Run == "" || sum.Addons["mobile"] != false {
			t.Error(sum.Run, sum.Addons)
		}
		var only row
		s.Call(t, "GET", "/profile/current/summary?onlyAmount=true", a.Token, nil).Want(t, 200).Into(t, &only)
		if len(only) != 1 || only["amount"] == nil {
			t.Error(only)
		}
		s.Call(t, "GET", "/profile/current/summary?onlyAmount=perhaps", a.Token, nil).Want(t, 400)
	})
}

func TestExhaustedOutputDeniesReadsOnly(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		s.Profile(t, a, "B")
		_, device := s.Device(t, a, "D")
		s.Send(t, device, 30).Want(t, 200)
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "output": 25}}).Want(t, 200)
		s.Call(t, "GET", "/data?qty=20", device, nil).Want(t, 200)
		x := s.Call(t, "GET", "/data?qty=6", device, nil).Want(t, 402)
		if !strings.HasPrefix(x.Message, "You have exceeded the maximum limit of Data Output (25): 20 used, 6 more needed") {
			t.Error(x.Message)
		}
		s.Call(t, "GET", "/data?qty=5", device, nil).Want(t, 200)
		s.Call(t, "GET", "/data?qty=1", device, nil).Want(t, 402)
		s.Send(t, device, 1).Want(t, 200)
		if got := s.Summary(t, a); got.Used["output"] != 25 || got.Used["input"] != 31 {
			t.Error(got.Used)
		}
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "output": 26}}).Want(t, 200)
		s.Call(t, "GET", "/data?qty=1", device, nil).Want(t, 200)
	})
}
