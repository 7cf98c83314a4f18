package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// soon asks until ok, for ten seconds.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// alertRow is a row of GET /alert.
type alertRow struct {
	ID, Kind, Title, Message string
	Service, Device          string
	Threshold                int64
	Used, Limit              float64
	CreatedAt                string  `json:"created_at"`
	EndedAt                  *string `json:"ended_at"`
	AcknowledgedAt           *string `json:"acknowledged_at"`
	SilentAlert              string  `json:"silent_alert"`
}

func alertsOf(t *testing.T, s *apptest.Server, token, query string) []alertRow {
	t.Helper()
	var rows []alertRow
	s.Call(t, "GET", "/alert?"+query, token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

// thresholds are the alerts of a service as "80/10", in order.
func thresholds(t *testing.T, s *apptest.Server, token, service string) string {
	t.Helper()
	var out []string
	for _, a := range alertsOf(t, s, token, "amount=1000&service="+service) {
		out = append(out, fmt.Sprintf("%d/%v", a.Threshold, a.Limit))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// allocate posts what a profile may use.
func allocate(t *testing.T, s *apptest.Server, w apptest.Who, of row) {
	t.Helper()
	of["profile"] = w.Profile
	s.Call(t, "POST", "/account/allocation", w.Token, []row{of}).Want(t, 200)
}

func TestBehaviour61_AlertsOncePerThreshold(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		allocate(t, s, a, row{"input": 10, "data_records": 1000})
		_, token := s.Device(t, a, "D")
		is := func(what, want string) {
			t.Helper()
			got := ""
			for end := time.Now().Add(10 * time.Second); got != want; time.Sleep(30 * time.Millisecond) {
				if got = thresholds(t, s, a.Token, "input"); time.Now().After(end) {
					t.Fatalf("%s: told %q, want %q", what, got, want)
				}
			}
		}
		s.Send(t, token, 8).Want(t, 200)
		is("80 %", "80/10")
		s.Send(t, token, 1).Want(t, 200)
		is("90 %", "80/10 90/10")
		s.Send(t, token, 1).Want(t, 200)
		s.Send(t, token, 1).Want(t, 402)
		is("100 %", "100/10 80/10 90/10")
		allocate(t, s, a, row{"input": 12})
		is("a raised limit tells anew", "100/10 80/10 80/12 90/10")
		s.Clock.Set(time.Date(2026, 12, 1, 0, 0, 1, 0, time.UTC))
		s.Send(t, token, 10).Want(t, 200)
		is("so does a new cycle", "100/10 80/10 80/12 80/12 90/10")
		row0 := alertsOf(t, s, a.Token, "kind=limit&from=2026-12-01")[0]
		if row0.Title != "Service limit" || row0.Message != "Data Input reached 80% of the limit: 10 of 12." || row0.Used != 10 ||
			!strings.HasPrefix(row0.CreatedAt, "2026-12-01T00:00:0") || row0.AcknowledgedAt != nil {
			t.Errorf("%+v", row0)
		}
		// Seen is seen, and by nobody else's profile.
		s.Call(t, "PUT", "/alert/"+row0.ID, b.Token, row{"acknowledged": true}).Want(t, 404)
		s.Call(t, "PUT", "/alert/"+row0.ID, a.Token, row{}).Want(t, 400)
		s.Call(t, "PUT", "/alert/"+row0.ID, a.Token, row{"acknowledged": true}).Want(t, 200)
		if n := len(alertsOf(t, s, a.Token, "acknowledged=true")); n != 1 {
			t.Error(n)
		}
		if got := s.Call(t, "POST", "/alert/acknowledge", a.Token, nil).Want(t, 200).Text(t); got != "4 Alerts Acknowledged" {
			t.Error(got)
		}
		if n := len(alertsOf(t, s, b.Token, "")); n != 0 {
			t.Errorf("the sibling sees %d", n)
		}
		for field, query := range map[string]string{"kind": "kind=x", "service": "service=x", "device": "device=x", "from": "from=x", "to": "from=2026-12-01&to=2026-11-01",
			"filter[x]": "filter[x]=1", "open": "open=perhaps", "amount": "amount=-1"} {
			if x := s.Call(t, "GET", "/alert?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%s: %s", query, x.Message)
			}
		}
		s.Call(t, "GET", "/alert", token, nil).Want(t, 401)
	}, apptest.AtTime(atRates))
}

// refusalRow is a row of GET /limits/refusals.
type refusalRow struct {
	Minute, Limit, Scope, Route, First, Last string
	Device                                   *string
	Status                                   int
	Requests                                 int64
	PointsLost                               int64 `json:"points_lost"`
	PointsRetried                            int64 `json:"points_retried"`
}

func refusalsOf(t *testing.T, s *apptest.Server, token, query string) map[string]refusalRow {
	t.Helper()
	var rows []refusalRow
	s.Call(t, "GET", "/limits/refusals?amount=1000&"+query, token, nil).Want(t, 200).Into(t, &rows)
	out := map[string]refusalRow{}
	for _, r := range rows {
		k := r.Minute[11:16] + " " + r.Limit + " " + r.Route
		if _, twice := out[k]; twice {
			t.Errorf("%s is there twice", k)
		}
		out[k] = r
	}
	return out
}

func TestGroupsOfRefusals(t *testing.T) {
	catalogue, err := os.ReadFile("../plan/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	roomy := strings.NewReplacer("profile:               {house: unlimited, free: 1", "profile:               {house: unlimited, free: 2").Replace(string(catalogue))
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		b := s.Profile(t, a, "B")
		allocate(t, s, a, row{"input": 5})
		device, token := s.Device(t, a, "D")
		_, other := s.Device(t, b, "D")
		s.Send(t, token, 4).Want(t, 200)
		// A service: the device repeats three points, then raises its voice no more; two others are lost.
		for range 3 {
			s.Send(t, token, 3).Want(t, 402)
		}
		s.Call(t, "POST", "/device/"+device+"/data", a.Token, []row{{"variable": "w"}, {"variable": "w"}}).Want(t, 402)
		s.Clock.Advance(time.Minute)
		allocate(t, s, a, row{"input": 500_000})
		s.Send(t, token, 3).Want(t, 200)
		// A rate, with a body that is longer than what is shown of it, refused before it was read.
		long := make([]row, 60)
		for i := range long {
			long[i] = row{"variable": "temperature", "value": i, "unit": strings.Repeat("°", 20)}
		}
		until429(t, s, 300, "POST", "/data", token, point())
		s.Call(t, "POST", "/data", token, long).Want(t, 429)
		until429(t, s, 60, "GET", "/device", a.Token, nil)
		s.Clock.Advance(time.Minute)
		s.Call(t, "POST", "/data", token, long).Want(t, 200)
		s.Call(t, "POST", "/data", token, point()).Want(t, 200)
		// Caps, pauses, devices that are switched off.
		for range 5 {
			s.Call(t, "POST", "/device", a.Token, row{"name": "x", "type": "mutable"})
		}
		s.Call(t, "PUT", "/device/"+device, a.Token, row{"active": false}).Want(t, 200)
		s.Send(t, token, 1).Want(t, 403)
		s.Call(t, "POST", "/device/"+device+"/data", a.Token, point()).Want(t, 403)
		s.Call(t, "PUT", "/device/"+device, a.Token, row{"active": true}).Want(t, 200)
		s.Call(t, "POST", "/profile/"+a.Profile+"/pause", a.Token, row{"reason": "unpaid"}).Want(t, 200)
		s.Send(t, token, 2).Want(t, 403)
		s.Send(t, other, 2).Want(t, 200)
		signed := signedIn(t, s, a)
		signed("POST", "/profile/"+a.Profile+"/resume", nil).Want(t, 200)

		var got map[string]refusalRow
		soon(t, "everything is written", func() bool {
			got = refusalsOf(t, s, a.Token, "")
			return got["12:47 paused POST /data"].Requests == 1 && len(got) >= 6
		})
		soon(t, "everything that came again", func() bool {
			var rows []refusalRow
			s.Call(t, "GET", "/limits/refusals?limit=POST%20/data", a.Token, nil).Want(t, 200).Into(t, &rows)
			return len(rows) == 1 && rows[0].PointsRetried == 61
		})
		var rows []refusalRow
		s.Call(t, "GET", "/limits/refusals?to="+url.QueryEscape("2026-11-22T12:45:59Z"), a.Token, nil).Want(t, 200).Into(t, &rows)
		slices.SortFunc(rows, func(a, b refusalRow) int { return strings.Compare(a.Route, b.Route) })
		if len(rows) != 2 || rows[0].Requests != 3 || rows[0].PointsLost != 0 || rows[0].PointsRetried != 3 || rows[0].Route != "POST /data" ||
			rows[1].Route != "POST /device/{id}/data" || rows[1].PointsLost != 2 || rows[1].PointsRetried != 0 || rows[0].Status != 402 || *rows[0].Device != device ||
			rows[0].Limit != "input" || rows[0].Scope != "profile" || rows[0].Minute != "2026-11-22T12:45:00.000Z" || rows[0].First != "2026-11-22T12:45:22.500Z" {
			t.Errorf("%+v", rows)
		}
		got = refusalsOf(t, s, a.Token, "from=2026-11-22T12:46:00Z")
		for k, want := range map[string][4]int64{"12:46 POST /data POST /data": {429, 2, 0, 61}, "12:46 GET /device GET /device": {429, 1, 0, 0}, "12:47 device POST /device": {402, 1, 0, 0},
			"12:47 paused POST /data": {403, 1, 2, 0}, "12:47 inactive POST /data": {403, 1, 1, 0}, "12:47 inactive POST /device/{id}/data": {403, 1, 1, 0}} {
			if g := got[k]; int64(g.Status) != want[0] || g.Requests != want[1] || g.PointsLost != want[2] || g.PointsRetried != want[3] {
				t.Errorf("%s: %+v", k, g)
			}
		}
		// One page after the other, each group once.
		seen := map[string]bool{}
		for page := 1; ; page++ {
			var rows []refusalRow
			s.Call(t, "GET", fmt.Sprintf("/limits/refusals?amount=2&page=%d&scope=profile", page), a.Token, nil).Want(t, 200).Into(t, &rows)
			for _, r := range rows {
				seen[r.Minute+r.Limit+r.Route] = true
			}
			if len(rows) < 2 {
				break
			}
		}
		if len(seen) != 6 {
			t.Errorf("%d groups in pages: %v", len(seen), seen)
		}
		if got := refusalsOf(t, s, a.Token, "scope=device&limit=inactive&device="+device+"&from=1%20day"); len(got) != 2 {
			t.Error(got)
		}
		if got := refusalsOf(t, s, b.Token, ""); len(got) != 0 {
			t.Errorf("the sibling sees %v", got)
		}
		for field, query := range map[string]string{"from": "from=x", "to": "from=2026-12-01&to=2026-11-01", "device": "device=x", "scope": "scope=x", "limit": "limit=%07",
			"page": "page=x", "filter[x]": "filter[x]=1"} {
			if x := s.Call(t, "GET", "/limits/refusals?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%s: %s", query, x.Message)
			}
		}
		s.Call(t, "GET", "/limits/refusals", token, nil).Want(t, 401)
	}, apptest.AtTime(atRates), apptest.WithCatalogue(roomy))
}

func TestSilentDevices(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		device, token := s.Device(t, a, "Pump")
		s.Call(t, "PUT", "/device/"+device, a.Token, row{"tags": []row{{"key": "site", "value": "north"}}}).Want(t, 200)
		var rule, own struct{ ID string }
		s.Call(t, "POST", "/alert/silence", a.Token, row{"tag": row{"key": "Site", "value": "North"}, "interval": 120}).Want(t, 201).Into(t, &rule)
		s.Send(t, token, 1).Want(t, 200)
		s.Clock.Advance(2*time.Minute + 16*time.Second)
		var told []alertRow
		soon(t, "the silence", func() bool { told = alertsOf(t, s, a.Token, "open=true&device="+device); return len(told) == 1 })
		if told[0].Kind != "silent" || told[0].Message != "Pump has sent nothing since 22 November 2026, 12:45 UTC; it should be heard every 2 minutes." {
			t.Errorf("%+v", told[0])
		}
		x := listen(t, s, a.Token, "limits,notification")
		s.Send(t, token, 1).Want(t, 200)
		s.Clock.Advance(10 * time.Second)
		channels := map[string]alertRow{}
		for len(channels) < 2 {
			f := x.next(t)
			var event struct {
				Type  string
				Alert alertRow
			}
			var err error
			if f.Channel == "limits" {
				err = json.Unmarshal(f.Payload, &event)
				if event.Type != "alert" {
					t.Errorf("%s", f.Payload)
				}
			} else {
				err = json.Unmarshal(f.Payload, &event.Alert)
			}
			if err != nil {
				t.Fatal(err)
			}
			channels[f.Channel] = event.Alert
		}
		if got := channels["limits"]; got.Kind != "recovered" || got.Message != "Pump sends again." || got.SilentAlert != told[0].ID || got.Device != device {
			t.Errorf("%+v", got)
		}
		if got := channels["notification"]; !strings.HasSuffix(got.Title, ": Device is back") || got.Message != "Pump sends again." {
			t.Errorf("%+v", got)
		}
		if got := alertsOf(t, s, a.Token, ""); len(got) != 2 || got[0].Kind != "recovered" || got[1].EndedAt == nil {
			t.Errorf("%+v", got)
		}
		if got := alertsOf(t, s, a.Token, "open=false"); len(got) != 1 {
			t.Errorf("%+v", got)
		}

		s.Call(t, "POST", "/alert/silence", a.Token, row{"device": device, "interval": 600}).Want(t, 201).Into(t, &own)
		var rules []struct {
			ID, Device string
			Name       string `json:"device_name"`
			Tag        *struct{ Key, Value string }
			Interval   int64
		}
		s.Call(t, "GET", "/alert/silence", a.Token, nil).Want(t, 200).Into(t, &rules)
		if len(rules) != 2 || rules[0].Tag.Key != "Site" || rules[0].Interval != 120 || rules[1].Device != device || rules[1].Name != "Pump" || rules[1].Tag != nil {
			t.Errorf("%+v", rules)
		}
		s.Call(t, "POST", "/alert/silence", a.Token, row{"device": device, "interval": 600}).Want(t, 409)
		for field, body := range map[string]any{"interval": row{"device": device, "interval": 1}, "device": row{"interval": 60}, "tag.key": row{"tag": row{"value": "x"}, "interval": 60},
			"body": "[]"} {
			if x := s.Call(t, "POST", "/alert/silence", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%v: %s", body, x.Message)
			}
		}
		s.Call(t, "POST", "/alert/silence", b.Token, row{"device": device, "interval": 600}).Want(t, 404)
		s.Call(t, "PUT", "/alert/silence/"+own.ID, b.Token, row{"interval": 60}).Want(t, 404)
		s.Call(t, "DELETE", "/alert/silence/"+own.ID, b.Token, nil).Want(t, 404)
		s.Call(t, "PUT", "/alert/silence/"+own.ID, a.Token, row{"interval": 60.5}).Want(t, 400)
		s.Call(t, "PUT", "/alert/silence/"+own.ID, a.Token, row{"interval": 60}).Want(t, 200)
		s.Call(t, "DELETE", "/alert/silence/"+rule.ID, a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/alert/silence", token, nil).Want(t, 401)
		s.Call(t, "DELETE", "/device/"+device, a.Token, nil).Want(t, 200)
		if got := alertsOf(t, s, a.Token, ""); len(got) != 0 {
			t.Errorf("of a deleted device: %+v", got)
		}
		s.Call(t, "GET", "/alert/silence", a.Token, nil).Want(t, 200).Into(t, &rules)
		if len(rules) != 0 {
			t.Errorf("%+v", rules)
		}
	}, apptest.AtTime(atRates))
}

func TestRefusalsAreTold(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		allocate(t, s, a, row{"input": 5})
		device, token := s.Device(t, a, "D")
		x, sibling := listen(t, s, a.Token, "limits"), listen(t, s, b.Token, "limits,notification")
		s.Send(t, token, 6).Want(t, 402)
		var event struct {
			Type    string
			Refusal refusalRow
		}
		if err := json.Unmarshal(x.next(t).Payload, &event); err != nil || event.Type != "refusal" || event.Refusal.Limit != "input" || event.Refusal.Requests != 1 ||
			event.Refusal.PointsLost != 6 || *event.Refusal.Device != device || event.Refusal.Minute != "2026-11-22T12:45:00.000Z" {
			t.Errorf("%v %+v", err, event)
		}
		for range 5 {
			s.Send(t, token, 7).Want(t, 402)
		}
		if err := json.Unmarshal(x.next(t).Payload, &event); err != nil || event.Refusal.Requests < 2 || event.Refusal.PointsLost != 13 {
			t.Errorf("%v %+v", err, event)
		}
		select {
		case f := <-sibling.frames:
			t.Errorf("the sibling hears %s", f.Payload)
		default:
		}
	}, apptest.AtTime(atRates))
}
