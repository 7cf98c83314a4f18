package overview_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

type m = map[string]any

// page is what GET /overview answers, as far as it is looked at here.
type page struct {
	Profiles []struct {
		ID, Name, Status string
		FromShare        bool `json:"from_share"`
		Role             string
		Reason           *struct {
			Services []string
			Text     string
		}
		Tightest *struct {
			Service string
			Share   float64
			RunsOut *string `json:"runs_out_on"`
		}
		LastInput *string `json:"last_input"`
		Devices   int64
		Members   *struct{ Members, Pending int64 }
		Cost      *struct {
			Micro    int64
			Currency string
		}
		Tags []struct{ Key, Value string }
	}
	Rows   int
	Totals struct {
		Devices  int64
		Statuses map[string]int64
		Cost     *struct {
			Profiles int64            `json:"profiles_micro"`
			Hidden   int64            `json:"hidden_micro"`
			Former   int64            `json:"former_micro"`
			Others   map[string]int64 `json:"others_micro"`
			Total    int64            `json:"total_micro"`
			AddsUp   bool             `json:"adds_up"`
		}
	}
}

func (p page) names() (out []string) {
	for _, r := range p.Profiles {
		out = append(out, r.Name)
	}
	return out
}

func overview(t *testing.T, s *apptest.Server, token, query string) (p page) {
	t.Helper()
	s.Call(t, "GET", "/overview"+query, token, nil).Want(t, 200).Into(t, &p)
	return p
}

type health struct {
	State       string
	PointsToday int64 `json:"points_today"`
	MayRaise    bool  `json:"may_raise"`
	OnlyProfile bool  `json:"only_profile"`
	Services    []struct {
		Service, State, Policy string
		Used                   float64
		Limit, Allocation      *float64
		Free                   *float64
		Spare                  []struct{ ID string }
		Asked                  *string `json:"asked_at"`
		Resets                 *string `json:"resets_at"`
	}
}

func healthOf(t *testing.T, s *apptest.Server, token, profile string) (h health) {
	t.Helper()
	s.Call(t, "GET", "/profile/"+profile+"/health", token, nil).Want(t, 200).Into(t, &h)
	return h
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestOverview(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house") // the operator
		a := s.Account(t, "scale")
		full, near, idle := s.Profile(t, a, "Full"), s.Profile(t, a, "near it"), s.Profile(t, a, "Idle")
		s.Call(t, "POST", "/account/allocation", a.Token, []m{{"profile": full.Profile, "input": 10}, {"profile": near.Profile, "input": 10}}).Want(t, 200)
		_, ft := s.Device(t, full, "F")
		_, nt := s.Device(t, near, "N")
		s.Send(t, ft, 10).Want(t, 200)
		s.Send(t, ft, 1).Want(t, 402)
		s.Send(t, nt, 8).Want(t, 200)
		s.Call(t, "PUT", "/profile/"+near.Profile, a.Token, m{"tags": []m{{"key": "site", "value": "Berlin"}}}).Want(t, 200)
		s.Call(t, "POST", "/profile/"+idle.Profile+"/team", a.Token, m{"email": "guest@example.test"}).Want(t, 200)

		s.Clock.Advance(20 * time.Minute)

		p := overview(t, s, a.Token, "")
		if got := p.names(); len(got) != 4 || got[0] != "Full" || got[1] != "near it" || p.Rows != 4 {
			t.Fatalf("the blocked profile is first, then the one near its limit: %v", got)
		}
		if r := p.Profiles[0]; r.Status != "blocked" || r.Reason == nil || !slices.Equal(r.Reason.Services, []string{"input"}) || r.Tightest.Share != 1 || r.LastInput == nil || r.Devices != 1 {
			t.Errorf("the blocked row is %+v", r)
		}
		if r := p.Profiles[1]; r.Status != "near" || r.Tightest.Service != "input" || r.Tightest.Share != 0.8 || r.Tightest.RunsOut == nil {
			t.Errorf("the near row is %+v", r)
		}
		if p.Totals.Devices != 2 || p.Totals.Statuses["new"] != 2 || p.Totals.Statuses["blocked"] != 1 {
			t.Errorf("the totals are %+v", p.Totals)
		}
		i := slices.Index(p.names(), "Idle")
		if r := p.Profiles[i]; r.Members == nil || r.Members.Pending != 1 || r.Members.Members != 0 {
			t.Errorf("an invitation waits: %+v", r.Members)
		}

		t.Run("is sorted, filtered and paged by the server", func(t *testing.T) {
			if got := overview(t, s, a.Token, "?orderBy=name,desc").names(); got[1] != "near it" || got[3] != "Full" {
				t.Errorf("by name backwards: %v", got)
			}
			if p := overview(t, s, a.Token, "?filter[name]=*EA*&amount=1"); p.Rows != 1 || p.Profiles[0].Name != "near it" {
				t.Errorf("by a part of the name: %v of %d", p.names(), p.Rows)
			}
			if p := overview(t, s, a.Token, "?filter[tag][key]=site&filter[tag][value]=Berlin"); p.Rows != 1 || p.Profiles[0].Name != "near it" {
				t.Errorf("by tag: %v", p.names())
			}
			if p := overview(t, s, a.Token, "?filter[status]=blocked,near&page=2&amount=1"); p.Rows != 2 || p.Profiles[0].Name != "near it" || p.Totals.Devices != 2 {
				t.Errorf("by status, the second page: %v %+v", p.names(), p.Totals)
			}
			for _, column := range []string{"status", "owner", "role", "tightest", "runs_out_on", "last_input", "devices", "silent_devices", "refusals_24h", "members", "cost", "tags", "created_at"} {
				if p := overview(t, s, a.Token, "?orderBy="+column); p.Rows != 4 {
					t.Errorf("by %s: %d rows", column, p.Rows)
				}
			}
			for _, bad := range []string{"?orderBy=colour", "?filter[status]=bad", "?filter[colour]=x"} {
				s.Call(t, "GET", "/overview"+bad, a.Token, nil).Want(t, 400)
			}
		})

		t.Run("a raise shows at once", func(t *testing.T) {
			h := healthOf(t, s, a.Token, full.Profile)
			if x := h.Services[0]; h.State != "blocked" || x.Service != "input" || x.State != "blocked" || *x.Allocation != 10 || x.Free == nil || x.Resets == nil || len(x.Spare) == 0 {
				t.Fatalf("the health of a blocked profile is %+v", h)
			}
			if h.PointsToday != 10 || !h.MayRaise || h.OnlyProfile {
				t.Errorf("points and rights: %+v", h)
			}
			s.Call(t, "POST", "/account/allocation", a.Token, []m{{"profile": full.Profile, "input": 100}}).Want(t, 200)
			if h := healthOf(t, s, a.Token, full.Profile); h.State != "ok" {
				t.Errorf("after the raise it is %s", h.State)
			}
			var rows []struct{ ID, Status string }
			s.Call(t, "GET", "/overview/status", a.Token, nil).Want(t, 200).Into(t, &rows)
			if i := slices.IndexFunc(rows, func(r struct{ ID, Status string }) bool { return r.ID == full.Profile }); len(rows) != 4 || rows[i].Status != "ok" {
				t.Errorf("the statuses are %+v", rows)
			}
			s.Call(t, "PUT", "/profile/"+full.Profile+"/policies", a.Token, m{"input": "overage"}).Want(t, 200)
			s.Call(t, "POST", "/account/allocation", a.Token, []m{{"profile": full.Profile, "input": 5}}).Want(t, 200)
			if h := healthOf(t, s, a.Token, full.Profile); h.State != "near" {
				t.Errorf("what may pass its limit is never blocked: %s", h.State)
			}
		})

		t.Run("another one sees what is shared, and no cost", func(t *testing.T) {
			guest := s.Account(t, "house")
			in := s.Join(t, full, guest, m{"role": "viewer"})
			p := overview(t, s, in.Token, "")
			if i := slices.Index(p.names(), "Full"); len(p.Profiles) != 2 || i < 0 || !p.Profiles[i].FromShare || p.Profiles[i].Role != "viewer" || p.Profiles[i].Members != nil || p.Profiles[i].Cost != nil {
				t.Errorf("the guest sees %+v", p.Profiles)
			}
			if h := healthOf(t, s, in.Token, full.Profile); h.MayRaise || h.Services[0].Free != nil {
				t.Errorf("the guest may raise: %+v", h)
			}
			s.Call(t, "GET", "/profile/"+near.Profile+"/health", in.Token, nil).Want(t, 404)

			s.Call(t, "PUT", "/profile/"+full.Profile+"/team/"+guest.Account, a.Token, m{"within": m{"devices": m{"tags": []m{{"key": "site", "value": "x"}}}}}).Want(t, 200)
			if p := overview(t, s, in.Token, "?filter[name]=Full"); p.Profiles[0].Devices != 0 || p.Profiles[0].LastInput != nil {
				t.Errorf("of devices outside their part the guest sees %+v", p.Profiles[0])
			}
		})
	}, apptest.AtTime(noon))
}

// TestOverviewCost compares what a page adds up to with the bill.
func TestOverviewCost(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		a := s.Account(t, "scale")
		for i := range 3 {
			s.Profile(t, a, fmt.Sprintf("P%d", i))
		}
		s.Clock.Advance(50 * time.Hour)
		var bill struct {
			Total int64 `json:"total_micro"`
		}
		for _, spread := range []string{"none", "even", "cost"} {
			s.Call(t, "PUT", "/account/cost/setting", a.Token, m{"spread": spread}).Want(t, 200)
			s.Call(t, "GET", "/account/cost", a.Token, nil).Want(t, 200).Into(t, &bill)
			for _, query := range []string{"", "?filter[name]=P1", "?amount=1&page=2"} {
				p := overview(t, s, a.Token, query)
				c := p.Totals.Cost
				if c == nil || bill.Total == 0 {
					t.Fatalf("no cost: %+v, the bill is %d", c, bill.Total)
				}
				sum := c.Profiles + c.Hidden + c.Former
				for _, n := range c.Others {
					sum += n
				}
				if c.Total != bill.Total || sum != bill.Total || !c.AddsUp {
					t.Errorf("spread %s, %q: the bill is %d, the page says %d and adds up to %d", spread, query, bill.Total, c.Total, sum)
				}
				if query == "" {
					var rows int64
					for _, r := range p.Profiles {
						rows += r.Cost.Micro
					}
					if rows != c.Profiles {
						t.Errorf("the rows add up to %d, their total is %d", rows, c.Profiles)
					}
				}
			}
		}
		var read struct{ Token string }
		s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, m{"name": "r", "permission": "read", "email": a.Email, "password": apptest.Password}).Want(t, 200).Into(t, &read)
		if p := overview(t, s, read.Token, ""); len(p.Profiles) != 1 || p.Totals.Cost != nil {
			t.Errorf("a token of one profile sees %+v", p)
		}
	}, apptest.AtTime(noon))
}

func TestAsk(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		a, person := s.Account(t, "scale"), s.Account(t, "house")
		in := s.Join(t, a, person, m{"role": "viewer"})
		ask := "/profile/" + a.Profile + "/ask"
		s.Call(t, "POST", ask, in.Token, m{"service": "input"}).Want(t, 200)
		var letter string
		for _, mail := range s.Mails(t) {
			if mail.To == a.Email && strings.Contains(mail.Text, "asks you to raise Data Input") {
				letter = mail.Text
			}
		}
		if !strings.Contains(letter, person.Email) || !strings.Contains(letter, "/console/p/"+a.Profile+"\n") {
			t.Errorf("the letter is %q", letter)
		}
		if got := s.Call(t, "POST", ask, in.Token, m{"service": "input"}).Want(t, 429); got.Header.Get("Retry-After") == "" {
			t.Error("the second question within the hour does not say when to come again")
		}
		s.Call(t, "POST", ask, in.Token, m{"service": "output"}).Want(t, 200)
		s.Call(t, "POST", ask, in.Token, m{"service": "gold"}).Want(t, 400)
		s.Call(t, "POST", ask, a.Token, m{"service": "input"}).Want(t, 409)
		_, device := s.Device(t, a, "D")
		s.Send(t, device, 1).Want(t, 200)
		h := healthOf(t, s, in.Token, a.Profile)
		asked := false
		for _, x := range h.Services {
			asked = asked || x.Service == "input" && x.Asked != nil
		}
		if !asked {
			t.Errorf("the question is not shown: %+v", h.Services)
		}
		s.Clock.Advance(time.Hour + time.Second)
		s.Call(t, "POST", ask, in.Token, m{"service": "input"}).Want(t, 200)
	}, apptest.AtTime(noon))
}

func TestBulk(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		a, other := s.Account(t, "scale"), s.Account(t, "scale")
		b, c := s.Profile(t, a, "B"), s.Profile(t, a, "C")
		all := []string{a.Profile, b.Profile, c.Profile, other.Profile}
		type answer struct {
			Done, Refused int
			Profiles      []struct {
				ID     string
				OK     bool
				Reason *string
			}
		}
		bulk := func(profiles []string, action m) (x answer) {
			t.Helper()
			s.Call(t, "POST", "/overview/bulk", a.Token, m{"profiles": profiles, "action": action}).Want(t, 200).Into(t, &x)
			return x
		}
		site := m{"key": "site", "value": "Oslo"}
		if x := bulk(all, m{"tag": m{"add": []m{site}}}); x.Done != 3 || x.Refused != 1 || x.Profiles[3].OK || x.Profiles[3].Reason == nil || *x.Profiles[3].Reason != "Profile Not Found" {
			t.Fatalf("a foreign profile is refused, the others are tagged: %+v", x)
		}
		if p := overview(t, s, a.Token, "?filter[tag][key]=site"); p.Rows != 3 {
			t.Errorf("%d profiles have the tag", p.Rows)
		}
		bulk(all[:2], m{"tag": m{"remove": []m{site}}})
		if p := overview(t, s, a.Token, "?filter[tag][key]=site"); p.Rows != 1 {
			t.Errorf("%d profiles still have the tag", p.Rows)
		}
		bulk(all[1:3], m{"pause": m{"reason": "Winter"}})
		p := overview(t, s, a.Token, "?filter[status]=paused")
		if p.Rows != 2 || p.Profiles[0].Reason.Text != "Winter" {
			t.Errorf("two are paused, and say why: %+v", p.Profiles)
		}
		bulk(all[1:3], m{"resume": m{}})
		if p := overview(t, s, a.Token, "?filter[status]=paused"); p.Rows != 0 {
			t.Errorf("%d are still paused", p.Rows)
		}

		// A template that fits one of two: the first takes what is free, the second is refused whole.
		var shares []struct {
			Profile string
			Input   float64
		}
		s.Call(t, "GET", "/account/allocation", a.Token, nil).Want(t, 200).Into(t, &shares)
		var pool float64
		for _, x := range shares {
			pool += x.Input
		}
		s.Call(t, "POST", "/account/allocation", a.Token, []m{{"profile": a.Profile, "input": pool / 2}, {"profile": b.Profile, "input": 10}, {"profile": c.Profile, "input": 10}}).Want(t, 200)
		x := bulk([]string{b.Profile, c.Profile}, m{"template": m{"like": a.Profile}})
		if x.Refused < 1 || x.Profiles[1].OK {
			t.Errorf("a second half of the pool does not fit beside two: %+v", x)
		}
		for _, bad := range []m{
			{"profiles": []string{}, "action": m{"resume": m{}}},
			{"profiles": all[:1], "action": m{}},
			{"profiles": all[:1], "action": m{"resume": m{}, "pause": m{"reason": "x"}}},
			{"profiles": []string{all[0], all[0]}, "action": m{"resume": m{}}},
			{"profiles": all[:1], "action": m{"tag": m{}}},
			{"profiles": all[:1], "action": m{"template": m{"like": "x"}}},
		} {
			s.Call(t, "POST", "/overview/bulk", a.Token, bad).Want(t, 400)
		}
	}, apptest.AtTime(noon))
}
