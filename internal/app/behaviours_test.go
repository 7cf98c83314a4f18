package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// The tests of this file are named by the number of the behaviour they show (docs/behaviours.md) and speak
// to the whole server over HTTP, on both engines.

const overLimit = "You have exceeded the maximum limit"

type row = map[string]any

func profileIDs(t *testing.T, s *apptest.Server, token string) []string {
	t.Helper()
	var list []struct{ ID string }
	s.Call(t, "GET", "/profile", token, nil).Want(t, 200).Into(t, &list)
	ids := make([]string, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	return ids
}

func TestBehaviour01_OneOwnerManyProfiles(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		second := s.Profile(t, a, "Second")
		if got := profileIDs(t, s, a.Token); len(got) != 2 || !slices.Contains(got, second.Profile) {
			t.Fatalf("the owner sees %v", got)
		}
		if got := profileIDs(t, s, b.Token); len(got) != 1 || got[0] != b.Profile {
			t.Fatalf("another account sees %v", got)
		}
		var info struct{ Info struct{ Account string } }
		s.Call(t, "GET", "/profile/"+second.Profile, second.Token, nil).Want(t, 200).Into(t, &info)
		if info.Info.Account != a.Account {
			t.Fatalf("owner is %s, want %s", info.Info.Account, a.Account)
		}
	})
}

func TestBehaviour02_SameNameTwice(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		one, two := s.Profile(t, a, "Twin"), s.Profile(t, a, "Twin")
		if one.Profile == two.Profile || len(one.Profile) != 24 {
			t.Fatalf("ids %s and %s", one.Profile, two.Profile)
		}
	})
}

func TestBehaviour03_CapOnProfiles(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		for plan, n := range map[string]int{"free": 1, "starter": 2, "scale": 5} {
			a := s.Account(t, plan)
			for i := 1; i < n; i++ {
				s.Profile(t, a, fmt.Sprint("P", i))
			}
			x := s.Call(t, "POST", "/profile", a.Token, row{"name": "one too many"}).Want(t, 402)
			if !strings.HasPrefix(x.Message, overLimit) || !strings.Contains(x.Message, fmt.Sprint(n)) {
				t.Errorf("%s: %s", plan, x.Message)
			}
			if got := profileIDs(t, s, a.Token); len(got) != n {
				t.Errorf("%s: %d profiles after the refusal, want %d", plan, len(got), n)
			}
		}
	})
}

func allocation(t *testing.T, s *apptest.Server, w apptest.Who) map[string]map[string]any {
	t.Helper()
	var rows []map[string]any
	s.Call(t, "GET", "/account/allocation", w.Token, nil).Want(t, 200).Into(t, &rows)
	out := map[string]map[string]any{}
	for _, r := range rows {
		out[r["profile"].(string)] = r
	}
	return out
}

func TestBehaviour04_AllocateFreeResources(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		// Give both little, so that most of the pool is unallocated.
		rows := []row{}
		for _, p := range []string{a.Profile, b.Profile} {
			rows = append(rows, row{"profile": p, "input": 1000, "output": 1000, "data_records": 1000, "analysis": 10,
				"email": 1, "sms": 1, "push_notification": 1, "run_users": 1, "file_storage": 1})
		}
		s.Call(t, "POST", "/account/allocation", a.Token, rows).Want(t, 200)
		var made struct{ ID string }
		s.Call(t, "POST", "/profile?allocate_free_resources=true", a.Token, row{"name": "C"}).Want(t, 200, 201).Into(t, &made)
		got := allocation(t, s, a)[made.ID]
		want := map[string]float64{"input": 1_000_000 - 2000, "output": 3_000_000 - 2000, "data_records": 800_000 - 2000, "analysis": 3000 - 20,
			"email": 98, "sms": 8, "push_notification": 98, "run_users": 8, "file_storage": 198}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %v, want %v", k, got[k], v)
			}
		}
	})
}

func TestBehaviour05_ListOfProfiles(t *testing.T) {
	// What is owned must not be marked shared.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		s.Profile(t, a, "Second")
		var rows []map[string]any
		s.Call(t, "GET", "/profile", a.Token, nil).Want(t, 200).Into(t, &rows)
		for _, r := range rows {
			if r["from_share"] == true {
				t.Errorf("an owned profile is marked shared: %v", r)
			}
			if _, ok := r["logo_url"]; !ok || r["id"] == "" || r["name"] == "" {
				t.Errorf("row %v", r)
			}
		}
	})
}

func TestBehaviour06_CurrentProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		for _, w := range []apptest.Who{a, b} {
			var info struct{ Info struct{ ID string } }
			s.Call(t, "GET", "/profile/current", w.Token, nil).Want(t, 200).Into(t, &info)
			if info.Info.ID != w.Profile {
				t.Errorf("current is %s, want %s", info.Info.ID, w.Profile)
			}
		}
	})
}

func TestBehaviour07_ProfileInfo(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		var p struct {
			Info       map[string]any
			Allocation map[string]float64
			Addons     map[string]any
			Plan       string `json:"account_plan"`
		}
		s.Call(t, "GET", "/profile/"+a.Profile, a.Token, nil).Want(t, 200).Into(t, &p)
		for _, k := range []string{"id", "account", "name", "logo_url", "banner_url", "created_at", "updated_at"} {
			if _, ok := p.Info[k]; !ok {
				t.Errorf("info lacks %s", k)
			}
		}
		want := map[string]float64{"input": 1_000_000, "output": 3_000_000, "analysis": 3000, "data_records": 800_000, "sms": 10,
			"email": 100, "run_users": 10, "push_notification": 100, "file_storage": 200}
		for k, v := range want {
			if p.Allocation[k] != v {
				t.Errorf("allocation of %s is %v, want %v", k, p.Allocation[k], v)
			}
		}
		if p.Plan != "starter" || p.Addons["mobile"] != false || p.Addons["custom_dns"] != false {
			t.Errorf("plan %q, add-ons %v", p.Plan, p.Addons)
		}
	})
}

func TestBehaviour08_Summary(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		_, token := s.Device(t, a, "D")
		s.Send(t, token, 3).Want(t, 200)
		var sum map[string]json.RawMessage
		s.Call(t, "GET", "/profile/"+a.Profile+"/summary", a.Token, nil).Want(t, 200).Into(t, &sum)
		for _, k := range []string{"limit", "limit_used", "amount", "addons", "tago_run"} {
			if len(sum[k]) == 0 {
				t.Errorf("the summary lacks %s", k)
			}
		}
		got := s.Summary(t, a)
		if got.Used["input"] != 3 || got.Used["data_records"] != 3 || got.Amount["device"] != 1 || got.Amount["bucket"] != 1 || got.Limit["input"] != 1_000_000 {
			t.Errorf("%+v", got)
		}
		s.Call(t, "GET", "/profile/"+a.Profile+"/summary?onlyAmount=true", a.Token, nil).Want(t, 200).Into(t, &sum)
		if len(sum["amount"]) == 0 {
			t.Error("onlyAmount lacks the amounts")
		}
	})
}

func TestBehaviour09_EditProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		read := func() (info struct {
			Info struct {
				Name      string
				LogoURL   *string   `json:"logo_url"`
				BannerURL *string   `json:"banner_url"`
				UpdatedAt time.Time `json:"updated_at"`
			}
		}) {
			s.Call(t, "GET", "/profile/"+a.Profile, a.Token, nil).Want(t, 200).Into(t, &info)
			return info
		}
		before := read()
		time.Sleep(5 * time.Millisecond)
		if got := s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, row{"name": "Renamed", "logo_url": "https://example.test/l.png",
			"banner_url": "https://example.test/b.png"}).Want(t, 200).Text(t); got != "Successfully Updated" {
			t.Errorf("answered %q", got)
		}
		after := read()
		if after.Info.Name != "Renamed" || after.Info.LogoURL == nil || *after.Info.LogoURL != "https://example.test/l.png" || after.Info.BannerURL == nil {
			t.Errorf("%+v", after)
		}
		if !after.Info.UpdatedAt.After(before.Info.UpdatedAt) {
			t.Errorf("updated_at stays %v", after.Info.UpdatedAt)
		}
	})
}

func TestBehaviour11_DeleteProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "Sibling")
		gone := s.Profile(t, a, "Gone")
		_, siblingDevice := s.Device(t, b, "D")
		device, deviceToken := s.Device(t, gone, "D")
		s.Send(t, siblingDevice, 2).Want(t, 200)
		s.Send(t, deviceToken, 2).Want(t, 200)

		s.Call(t, "DELETE", "/profile/"+gone.Profile, a.Token, row{"password": "wrong"}).Want(t, 401)
		s.Send(t, deviceToken, 1).Want(t, 200) // a wrong password deletes nothing
		if got := s.Call(t, "DELETE", "/profile/"+gone.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200).Text(t); got != "Successfully Removed" {
			t.Errorf("answered %q", got)
		}
		s.Send(t, deviceToken, 1).Want(t, 401)
		s.Call(t, "GET", "/device", gone.Token, nil).Want(t, 401)
		s.Call(t, "GET", "/device/"+device, a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/profile/"+gone.Profile, a.Token, nil).Want(t, 404)
		if slices.Contains(profileIDs(t, s, a.Token), gone.Profile) {
			t.Error("the list still shows it")
		}
		s.Send(t, siblingDevice, 1).Want(t, 200)
		if got := s.Summary(t, b).Used["data_records"]; got != 3 {
			t.Errorf("the sibling holds %v points, want 3", got)
		}
	})
}

func TestBehaviour12_LastProfileStays(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		x := s.Call(t, "DELETE", "/profile/"+a.Profile, a.Token, row{"password": apptest.Password})
		if x.Status < 400 || x.Status >= 500 || x.Message == "" {
			t.Fatalf("answered %d %s", x.Status, x.Body)
		}
		s.Call(t, "GET", "/profile/"+a.Profile, a.Token, nil).Want(t, 200)
	})
}

func TestBehaviour13_Isolation(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		deviceA, tokenA := s.Device(t, a, "Secret")
		deviceB, tokenB := s.Device(t, b, "Own")
		s.Send(t, tokenA, 3).Want(t, 200)
		var params []struct{ ID string }
		s.Call(t, "POST", "/device/"+deviceA+"/params", a.Token, row{"key": "k", "value": "v", "sent": false}).Want(t, 200, 201)
		s.Call(t, "GET", "/device/"+deviceA+"/params", a.Token, nil).Want(t, 200).Into(t, &params)
		var points []struct{ ID string }
		s.Call(t, "GET", "/data", tokenA, nil).Want(t, 200).Into(t, &points)

		for _, x := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/device/" + deviceA, nil},
			{"PUT", "/device/" + deviceA, row{"name": "mine"}},
			{"DELETE", "/device/" + deviceA, nil},
			{"GET", "/device/" + deviceA + "/params", nil},
			{"POST", "/device/" + deviceA + "/params", row{"key": "x", "value": "y", "sent": false}},
			{"DELETE", "/device/" + deviceA + "/params/" + params[0].ID, nil},
			{"GET", "/device/" + deviceA + "/data", nil},
			{"POST", "/device/" + deviceA + "/data", []row{{"variable": "x", "value": 1}}},
			{"PUT", "/device/" + deviceA + "/data", []row{{"id": points[0].ID, "value": 9}}},
			{"DELETE", "/device/" + deviceA + "/data?qty=10", nil},
			{"POST", "/device/" + deviceA + "/empty", nil},
			{"GET", "/device/" + deviceA + "/data_amount", nil},
			{"GET", "/device/" + deviceA + "/chunk", nil},
			{"GET", "/device/" + deviceA + "/requests", nil},
			{"GET", "/device/token/" + deviceA, nil},
			{"POST", "/device/token", row{"device": deviceA, "name": "t", "permission": "full"}},
			{"DELETE", "/device/token/" + tokenA, nil},
			{"GET", "/bucket/" + deviceA, nil},
		} {
			got := s.Call(t, x.method, x.path, b.Token, x.body)
			absent := s.Call(t, x.method, strings.ReplaceAll(x.path, deviceA, "0123456789abcdef01234567"), b.Token, swapDevice(x.body, deviceA))
			if got.Status < 400 || got.Status >= 500 {
				t.Errorf("%s %s with a token of B answered %d: %s", x.method, x.path, got.Status, got.Body)
			}
			if got.Status != absent.Status || got.Message != absent.Message {
				t.Errorf("%s %s: another profile's answers %d %q, what is not there %d %q", x.method, x.path, got.Status, got.Message, absent.Status, absent.Message)
			}
		}
		// Points of A named by id to B's own device change nothing either.
		s.Call(t, "PUT", "/device/"+deviceB+"/data", b.Token, []row{{"id": points[0].ID, "value": 9}}).Want(t, 400, 404)
		var list []struct{ ID string }
		s.Call(t, "GET", "/device?amount=100", b.Token, nil).Want(t, 200).Into(t, &list)
		if len(list) != 1 || list[0].ID != deviceB {
			t.Errorf("B lists %v", list)
		}
		s.Call(t, "GET", "/data?ids[0]="+points[0].ID, tokenB, nil).Want(t, 200).Into(t, &list)
		if len(list) != 0 {
			t.Errorf("B's device reads A's point: %v", list)
		}
		s.Call(t, "GET", "/data", tokenA, nil).Want(t, 200).Into(t, &points)
		if len(points) != 3 {
			t.Errorf("A holds %d points, want 3", len(points))
		}
	})
}

func swapDevice(body any, device string) any {
	if r, ok := body.(row); ok && r["device"] == device {
		return row{"device": "0123456789abcdef01234567", "name": r["name"], "permission": r["permission"]}
	}
	return body
}

func TestBehaviour14_SwitchRebindsTheToken(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, stranger := s.Account(t, "house"), s.Account(t, "house")
		b := s.Profile(t, a, "B")
		device, _ := s.Device(t, a, "D")
		s.Call(t, "PUT", "/profile/switch/"+stranger.Profile, a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/device/"+device, a.Token, nil).Want(t, 200)
		if got := s.Call(t, "PUT", "/profile/switch/"+b.Profile, a.Token, nil).Want(t, 200).Text(t); got != "Token Successfully Transferred" {
			t.Errorf("answered %q", got)
		}
		s.Call(t, "GET", "/device/"+device, a.Token, nil).Want(t, 404)
		var info struct{ Info struct{ ID string } }
		s.Call(t, "GET", "/profile/current", a.Token, nil).Want(t, 200).Into(t, &info)
		if info.Info.ID != b.Profile {
			t.Errorf("current is %s", info.Info.ID)
		}
		// A token that reaches its profile alone cannot leave it.
		narrow := profileToken(t, s, b, row{"name": "narrow", "permission": "full"})
		s.Call(t, "PUT", "/profile/switch/"+a.Profile, narrow, nil).Want(t, 401)
		s.Call(t, "GET", "/profile/"+a.Profile, narrow, nil).Want(t, 404)
		if got := profileIDs(t, s, narrow); len(got) != 1 || got[0] != b.Profile {
			t.Errorf("a narrow token lists %v", got)
		}
	})
}

// profileToken mints a token of who's profile with who's own credentials.
func profileToken(t *testing.T, s *apptest.Server, who apptest.Who, in row) string {
	t.Helper()
	in["email"], in["password"] = who.Email, apptest.Password
	var minted struct{ Token string }
	s.Call(t, "POST", "/profile/"+who.Profile+"/token", who.Token, in).Want(t, 200, 201).Into(t, &minted)
	return minted.Token
}

func TestBehaviour15_SerialPerProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		for _, w := range []apptest.Who{a, b} {
			s.Call(t, "POST", "/device", w.Token, row{"name": "D", "type": "mutable", "serie_number": "SN-1"}).Want(t, 200, 201)
		}
		x := s.Call(t, "POST", "/device", a.Token, row{"name": "E", "type": "mutable", "serie_number": "SN-1"})
		if x.Status < 400 || x.Status >= 500 || !strings.Contains(x.Message, "seri") {
			t.Errorf("the same serial twice in a profile answered %d %q", x.Status, x.Message)
		}
	})
}

func TestBehaviour16_OwnersPlanDecides(t *testing.T) {
	// Members act in the owner's profile from the team issue on; here the caller is a token of the profile.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		free := s.Account(t, "free")
		token := profileToken(t, s, free, row{"name": "t", "permission": "full"})
		for i := range 5 {
			s.Call(t, "POST", "/device", token, row{"name": fmt.Sprint(i), "type": "mutable"}).Want(t, 200, 201)
		}
		s.Call(t, "POST", "/device", token, row{"name": "6", "type": "mutable"}).Want(t, 402)
		s.Call(t, "POST", "/device", free.Token, row{"name": "6", "type": "mutable"}).Want(t, 402)
	})
}

func TestBehaviour37_TokenNeedsPassword(t *testing.T) {
	// The code of a second factor waits for the team issue.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		path := "/profile/" + a.Profile + "/token"
		count := func() int {
			var rows []row
			s.Call(t, "GET", path, a.Token, nil).Want(t, 200).Into(t, &rows)
			return len(rows)
		}
		before := count()
		s.Call(t, "POST", path, a.Token, row{"name": "t", "permission": "full", "email": a.Email, "password": "wrong"}).Want(t, 401)
		s.Call(t, "POST", path, a.Token, row{"name": "t", "permission": "full", "email": a.Email}).Want(t, 400, 401)
		s.Call(t, "POST", path, a.Token, row{"permission": "full", "email": a.Email, "password": apptest.Password}).Want(t, 400)
		s.Call(t, "POST", path, a.Token, row{"name": "t", "email": a.Email, "password": apptest.Password, "permission": "all"}).Want(t, 400)
		if got := count(); got != before {
			t.Errorf("%d tokens after refusals, want %d", got, before)
		}
		profileToken(t, s, a, row{"name": "t", "permission": "full"})
		if got := count(); got != before+1 {
			t.Errorf("%d tokens after one was made, want %d", got, before+1)
		}
	})
}

func TestBehaviour38_Permissions(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		device, _ := s.Device(t, a, "D")
		tokens := map[string]string{}
		for _, p := range []string{"full", "read", "write", "deny"} {
			tokens[p] = profileToken(t, s, a, row{"name": p, "permission": p})
		}
		for _, x := range []struct {
			method, path string
			body         any
			may          string
		}{
			{"GET", "/device/" + device, nil, "full read"},
			{"PUT", "/device/" + device, row{"name": "E"}, "full write"},
			{"POST", "/device", row{"name": "N", "type": "mutable"}, "full write"},
			{"POST", "/device/" + device + "/empty", nil, "full"},
			{"GET", "/info", nil, "full read write deny"},
			{"DELETE", "/device/" + device, nil, "full"}, // last: full removes it
		} {
			for _, p := range []string{"read", "write", "deny", "full"} {
				got := s.Call(t, x.method, x.path, tokens[p], x.body)
				if may := strings.Contains(x.may, p); may != (got.Status < 300) || (!may && got.Status != 401) {
					t.Errorf("%s %s with %s answered %d %s", x.method, x.path, p, got.Status, got.Message)
				}
			}
		}
	})
}

func TestBehaviour39_Expiry(t *testing.T) {
	start := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		tokens := map[string]string{}
		for name, in := range map[string]any{"never": "never", "iso": start.Add(2 * time.Hour).Format(time.RFC3339), "hours": "3 hours", "day": "1 day"} {
			tokens[name] = profileToken(t, s, a, row{"name": name, "permission": "full", "expire_time": in})
		}
		bad := row{"name": "bad", "permission": "full", "expire_time": "soon", "email": a.Email, "password": apptest.Password}
		if x := s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, bad).Want(t, 400); !strings.Contains(x.Message, "expire_time") {
			t.Errorf("a bad expire_time answered %q", x.Message)
		}
		for _, e := range []struct {
			after time.Duration
			alive string
		}{{time.Hour, "never iso hours day"}, {150 * time.Minute, "never hours day"}, {4 * time.Hour, "never day"}, {25 * time.Hour, "never"}} {
			s.Clock.Set(start.Add(e.after))
			for name, token := range tokens {
				want := 401
				if strings.Contains(e.alive, name) {
					want = 200
				}
				if got := s.Call(t, "GET", "/device", token, nil); got.Status != want {
					t.Errorf("%s after %v: %d, want %d", name, e.after, got.Status, want)
				}
			}
		}
	}, apptest.AtTime(start))
}

func TestBehaviour40_DeletingATokenActsAtOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		one := profileToken(t, s, a, row{"name": "one", "permission": "full"})
		two := profileToken(t, s, a, row{"name": "two", "permission": "full"})
		s.Call(t, "GET", "/device", one, nil).Want(t, 200)
		if got := s.Call(t, "DELETE", "/profile/"+a.Profile+"/token/"+one, a.Token, nil).Want(t, 200).Text(t); got != "Token Successfully Removed" {
			t.Errorf("answered %q", got)
		}
		s.Call(t, "GET", "/device", one, nil).Want(t, 401)
		s.Call(t, "GET", "/device", two, nil).Want(t, 200)
	})
}

func TestBehaviour41_TokenList(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for i := range 24 {
			profileToken(t, s, a, row{"name": fmt.Sprintf("token %02d", i), "permission": "read"})
		}
		path := "/profile/" + a.Profile + "/token"
		list := func(query string) (rows []map[string]any) {
			s.Call(t, "GET", path+query, a.Token, nil).Want(t, 200).Into(t, &rows)
			return rows
		}
		if got := len(list("")); got != 20 {
			t.Errorf("a page holds %d by default, want 20", got)
		}
		if got := len(list("?page=2")); got != 5 { // 24 and the one the account began with
			t.Errorf("the second page holds %d, want 5", got)
		}
		rows := list("?amount=3&orderBy=name,asc&filter[name]=token*&fields[0]=name&fields[1]=created_at&fields[2]=created_by&fields[3]=last_authorization")
		if len(rows) != 3 || rows[0]["name"] != "token 00" || rows[2]["name"] != "token 02" {
			t.Errorf("ordered and filtered: %v", rows)
		}
		if rows[0]["created_by"] != a.Account || rows[0]["created_at"] == nil {
			t.Errorf("who made it and when: %v", rows[0])
		}
		if _, ok := rows[0]["last_authorization"]; !ok {
			t.Errorf("last use is missing: %v", rows[0])
		}
		raw := profileToken(t, s, a, row{"name": "sought", "permission": "read"})
		if rows = list("?filter[token]=" + raw); len(rows) != 1 || rows[0]["name"] != "sought" {
			t.Errorf("found by its raw value: %v", rows)
		}
		if strings.Contains(fmt.Sprint(rows), raw) {
			t.Error("the list shows the secret")
		}
		s.Call(t, "GET", path+"?orderBy=nonsense,asc", a.Token, nil).Want(t, 400)
	})
}

func TestBehaviour42_TokenFromCredentials(t *testing.T) {
	// Shared profiles join with the team issue.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		w := s.TokenOf(t, a, a.Profile)
		if !strings.HasPrefix(w.Token, "p-") {
			t.Errorf("token %q", w.Token[:4])
		}
		s.Call(t, "GET", "/profile", w.Token, nil).Want(t, 200)
		in := row{"profile_id": b.Profile, "email": a.Email, "password": apptest.Password, "name": "t"}
		s.Call(t, "POST", "/account/profile/token", "", in).Want(t, 404)
		in["profile_id"], in["password"] = a.Profile, "wrong"
		s.Call(t, "POST", "/account/profile/token", "", in).Want(t, 401)
	})
}

func TestBehaviour44_Prefixes(t *testing.T) {
	// Analysis, run user, network and service authorization tokens wait for their rooms.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		_, device := s.Device(t, a, "D")
		raw, ok := strings.CutPrefix(a.Token, "p-")
		if !ok || len(raw) != 36 {
			t.Errorf("a profile token is %d characters long", len(a.Token))
		}
		if len(device) != 36 || strings.HasPrefix(device, "p-") {
			t.Errorf("a device token is %d characters long", len(device))
		}
		s.Call(t, "GET", "/device", raw, nil).Want(t, 200)
	})
}

func TestBehaviour45_DeviceToken(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		one, oneToken := s.Device(t, a, "One")
		_, twoToken := s.Device(t, a, "Two")
		s.Send(t, oneToken, 2).Want(t, 200)
		var points []row
		s.Call(t, "GET", "/data", twoToken, nil).Want(t, 200).Into(t, &points)
		if len(points) != 0 {
			t.Errorf("the other device reads %v", points)
		}
		for _, path := range []string{"/device", "/device/" + one, "/device/" + one + "/data", "/profile", "/account", "/profile/" + a.Profile + "/token"} {
			s.Call(t, "GET", path, oneToken, nil).Want(t, 401)
		}
		var info struct{ ID string }
		s.Call(t, "GET", "/info", oneToken, nil).Want(t, 200).Into(t, &info)
		if info.ID != one {
			t.Errorf("info names %s", info.ID)
		}
	})
}

func TestBehaviour46_InactiveDevice(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		id, token := s.Device(t, a, "D")
		s.Send(t, token, 1).Want(t, 200)
		s.Call(t, "PUT", "/device/"+id, a.Token, row{"active": false}).Want(t, 200)
		if x := s.Send(t, token, 1); x.Status < 400 || x.Status >= 500 {
			t.Errorf("an inactive device's post answered %d", x.Status)
		}
		if x := s.Call(t, "GET", "/data", token, nil); x.Status < 400 || x.Status >= 500 {
			t.Errorf("an inactive device's read answered %d", x.Status)
		}
		s.Call(t, "PUT", "/device/"+id, a.Token, row{"active": true}).Want(t, 200)
		s.Send(t, token, 1).Want(t, 200)
		if got := s.Summary(t, a).Used["input"]; got != 2 {
			t.Errorf("input %v, want 2: a refused post was metered", got)
		}
	})
}

func TestBehaviour48_InputAndRecords(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		_, token := s.Device(t, a, "D")
		if got := s.Send(t, token, 7).Want(t, 200, 201, 202).Text(t); got != "7 Data Added" {
			t.Errorf("answered %q", got)
		}
		s.Call(t, "POST", "/data", token, []row{{"variable": "ok", "value": 1}, {"variable": "", "value": 1}}).Want(t, 400)
		got := s.Summary(t, a).Used
		if got["input"] != 7 || got["data_records"] != 7 {
			t.Errorf("input %v, data_records %v, want 7 and 7", got["input"], got["data_records"])
		}
	})
}

func TestBehaviour49_Output(t *testing.T) {
	// Dashboard reads wait for the dashboard room.
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		id, token := s.Device(t, a, "D")
		s.Send(t, token, 9).Want(t, 200)
		s.Call(t, "GET", "/data?qty=4", token, nil).Want(t, 200)
		s.Call(t, "GET", "/device/"+id+"/data?query=count", a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/data?variables=nothing", token, nil).Want(t, 200)
		if got := s.Summary(t, a).Used; got["output"] != 5 || got["input"] != 9 {
			t.Errorf("output %v, want 5", got["output"])
		}
	})
}

func TestBehaviour52_CycleTurns(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		_, token := s.Device(t, a, "D")
		s.Send(t, token, 5).Want(t, 200)
		s.Call(t, "GET", "/data?qty=3", token, nil).Want(t, 200)
		s.Clock.Set(time.Date(2026, 6, 1, 0, 5, 0, 0, time.UTC))
		got := s.Summary(t, a).Used
		if got["input"] != 0 || got["output"] != 0 || got["data_records"] != 5 {
			t.Errorf("after the turn: %v", got)
		}
		s.Send(t, token, 2).Want(t, 200)
		if got = s.Summary(t, a).Used; got["input"] != 2 || got["data_records"] != 7 {
			t.Errorf("in the new cycle: %v", got)
		}
	}, apptest.AtTime(time.Date(2026, 5, 31, 23, 50, 0, 0, time.UTC)))
}

func TestBehaviour53_OneProfileBlocked(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		_, tokenA := s.Device(t, a, "D")
		_, tokenB := s.Device(t, b, "D")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 10}}).Want(t, 200)
		s.Send(t, tokenA, 8).Want(t, 200)
		s.Send(t, tokenA, 3).Want(t, 402) // does not fit whole
		s.Send(t, tokenA, 2).Want(t, 200)
		s.Send(t, tokenA, 1).Want(t, 402)
		s.Send(t, tokenB, 100).Want(t, 200)
		got := s.Summary(t, a).Used
		if got["input"] != 10 || got["data_records"] != 10 {
			t.Errorf("input %v, data_records %v, want exactly 10", got["input"], got["data_records"])
		}
	})
}

func TestBehaviour54_OutputAndRecordsApart(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		s.Profile(t, a, "B")
		_, token := s.Device(t, a, "D")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "output": 5, "data_records": 6}}).Want(t, 200)
		s.Send(t, token, 5).Want(t, 200)
		s.Call(t, "GET", "/data?qty=5", token, nil).Want(t, 200)
		if x := s.Call(t, "GET", "/data?qty=1", token, nil).Want(t, 402); !strings.HasPrefix(x.Message, overLimit) {
			t.Errorf("output refused with %q", x.Message)
		}
		s.Send(t, token, 1).Want(t, 200) // writes go on
		s.Send(t, token, 1).Want(t, 402) // data_records is full now
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "output": 50}}).Want(t, 200)
		s.Call(t, "GET", "/data?qty=6", token, nil).Want(t, 200) // reads go on
	})
}

func TestBehaviour56_Unblocking(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		s.Profile(t, a, "B")
		id, token := s.Device(t, a, "D")
		limit := func(n int) {
			s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "data_records": n}}).Want(t, 200)
		}
		limit(4)
		s.Send(t, token, 4).Want(t, 200)
		s.Send(t, token, 1).Want(t, 402)
		s.Call(t, "DELETE", "/device/"+id+"/data?qty=2", a.Token, nil).Want(t, 200)
		s.Send(t, token, 2).Want(t, 200)
		s.Send(t, token, 1).Want(t, 402)
		limit(5)
		s.Send(t, token, 1).Want(t, 200)
		s.Send(t, token, 1).Want(t, 402)
		if got := s.Summary(t, a).Used["data_records"]; got != 5 {
			t.Errorf("data_records %v, want 5", got)
		}
	})
}

func TestBehaviour57_PoolIsNeverExceeded(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		before := fmt.Sprint(allocation(t, s, a))
		x := s.Call(t, "POST", "/account/allocation", a.Token, []row{
			{"profile": a.Profile, "input": 600_000, "output": 1},
			{"profile": b.Profile, "input": 400_001},
		})
		if x.Status < 400 || x.Status >= 500 || !strings.Contains(x.Message, "input") {
			t.Errorf("answered %d %q", x.Status, x.Message)
		}
		if after := fmt.Sprint(allocation(t, s, a)); after != before {
			t.Errorf("changed from %s to %s", before, after)
		}
		s.Call(t, "POST", "/account/allocation", a.Token, []row{
			{"profile": a.Profile, "input": 600_000}, {"profile": b.Profile, "input": 400_000}}).Want(t, 200)
	})
}

func TestBehaviour58_PartialAllocation(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{
			{"profile": a.Profile, "input": 1000, "output": 2000}, {"profile": b.Profile, "input": 3000, "output": 4000}}).Want(t, 200)
		if got := s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 1111}}).Want(t, 200).Text(t); got != "Profile resource allocation Successfully Updated" {
			t.Errorf("answered %q", got)
		}
		got := allocation(t, s, a)
		if got[a.Profile]["input"] != 1111.0 || got[a.Profile]["output"] != 2000.0 || got[b.Profile]["input"] != 3000.0 || got[b.Profile]["output"] != 4000.0 {
			t.Errorf("%v", got)
		}
	})
}

func TestBehaviour59_AllocationRefusals(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, stranger := s.Account(t, "scale"), s.Account(t, "scale")
		refused := func(what string, body any) {
			t.Helper()
			x := s.Call(t, "POST", "/account/allocation", a.Token, body)
			if x.Status < 400 || x.Status >= 500 || x.Message == "" {
				t.Errorf("%s answered %d %s", what, x.Status, x.Body)
			}
		}
		refused("a single profile", []row{{"profile": a.Profile, "input": 1}})
		s.Profile(t, a, "B")
		before := fmt.Sprint(allocation(t, s, a))
		refused("a foreign profile", []row{{"profile": a.Profile, "input": 1}, {"profile": stranger.Profile, "input": 1}})
		refused("an unknown profile", []row{{"profile": "0123456789abcdef01234567", "input": 1}})
		refused("not an array", row{"profile": a.Profile, "input": 1})
		refused("a negative amount", []row{{"profile": a.Profile, "input": -1}})
		refused("half a unit", []row{{"profile": a.Profile, "input": 1.5}})
		refused("a profile twice", []row{{"profile": a.Profile, "input": 1}, {"profile": a.Profile, "input": 2}})
		if after := fmt.Sprint(allocation(t, s, a)); after != before {
			t.Errorf("changed from %s to %s", before, after)
		}
	})
}

func TestBehaviour63_WordsOfARefusal(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		s.Profile(t, a, "B")
		_, token := s.Device(t, a, "D")
		for _, service := range []string{"input", "data_records"} {
			s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 100, "data_records": 100, "output": 100}}).Want(t, 200)
			s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, service: 0}}).Want(t, 200)
			if x := s.Send(t, token, 1).Want(t, 402); !strings.HasPrefix(x.Message, overLimit) {
				t.Errorf("%s: %q", service, x.Message)
			}
		}
	})
}

func TestBehaviour64_WordsOfACap(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		for i := range 5 {
			s.Device(t, a, fmt.Sprint(i))
		}
		x := s.Call(t, "POST", "/device", a.Token, row{"name": "6", "type": "mutable"}).Want(t, 402)
		if !strings.HasPrefix(x.Message, overLimit) || !strings.Contains(strings.ToLower(x.Message), "device") || !strings.Contains(x.Message, "5") {
			t.Errorf("refused with %q", x.Message)
		}
	})
}

func TestBehaviour76_DeleteAccount(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house") // the operator stays
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		_, device := s.Device(t, b, "D")
		s.Call(t, "DELETE", "/account", a.Token, nil).Want(t, 200) // mails a link, deletes nothing
		s.Send(t, device, 1).Want(t, 200)
		if got := s.Call(t, "DELETE", "/account", a.Token, row{"password": apptest.Password}).Want(t, 200).Text(t); got != "Account Successfully Deleted" {
			t.Errorf("answered %q", got)
		}
		s.Send(t, device, 1).Want(t, 401)
		s.Call(t, "GET", "/profile", a.Token, nil).Want(t, 401)
		s.Call(t, "POST", "/account/login", "", row{"email": a.Email, "password": apptest.Password}).Want(t, 401)
		if !slices.ContainsFunc(s.Mails(t), func(m apptest.Mail) bool { return m.To == a.Email && strings.Contains(m.Subject+m.Text, "deleted") }) {
			t.Errorf("no mail says that it is deleted: %v", s.Mails(t))
		}
	})
}

func TestBehaviour77_Envelope(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for _, x := range []struct {
			method, path, token string
			body                any
			status              int
		}{
			{"GET", "/account", a.Token, nil, 200},
			{"GET", "/account/", a.Token, nil, 200},
			{"GET", "/account", "", nil, 401},
			{"GET", "/nowhere", a.Token, nil, 404},
			{"PATCH", "/account", a.Token, nil, 405},
			{"POST", "/device", a.Token, "{", 400},
			{"POST", "/device", a.Token, `{"name":"` + strings.Repeat("x", 201_000) + `"}`, 413},
			{"GET", "/device?filter[a", a.Token, nil, 400},
			{"GET", "/device/" + url.PathEscape("../x"), a.Token, nil, 404},
		} {
			got := s.Call(t, x.method, x.path, x.token, x.body)
			if got.Status != x.status {
				t.Errorf("%s %s answered %d, want %d: %s", x.method, x.path, got.Status, x.status, got.Body)
			}
			if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s %s is %s", x.method, x.path, got.Header.Get("Content-Type"))
			}
			var e map[string]any
			if json.Unmarshal(got.Body, &e) != nil || e["status"] != (x.status < 300) {
				t.Errorf("%s %s: %s", x.method, x.path, got.Body)
			}
			if _, ok := e["message"].(string); x.status >= 400 && !ok {
				t.Errorf("%s %s says nothing: %s", x.method, x.path, got.Body)
			}
		}
	})
}

func TestBehaviour80_DeletionProtection(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for _, key := range []string{"_delete_protection_", "_deletion_protection"} {
			id, _ := s.Device(t, a, "D")
			s.Call(t, "PUT", "/device/"+id, a.Token, row{"tags": []row{{"key": key, "value": "ask Mona first"}}}).Want(t, 200)
			x := s.Call(t, "DELETE", "/device/"+id, a.Token, nil)
			if x.Status < 400 || x.Status >= 500 || (key == "_delete_protection_" && x.Message != "ask Mona first") {
				t.Errorf("%s answered %d %q", key, x.Status, x.Message)
			}
			s.Call(t, "GET", "/device/"+id, a.Token, nil).Want(t, 200)
			s.Call(t, "PUT", "/device/"+id, a.Token, row{"tags": []row{}}).Want(t, 200)
			s.Call(t, "DELETE", "/device/"+id, a.Token, nil).Want(t, 200)
		}
	})
}
