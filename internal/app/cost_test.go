package app_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
	"paddock/internal/billing"
	"paddock/internal/id"
)

// costAnswer is what GET /account/cost says.
type costAnswer struct {
	From, To        string
	Basis, Currency string
	Total           int64 `json:"total_micro"`
	Charges         int64 `json:"charges_micro"`
	AddsUp          bool  `json:"adds_up"`
	Profiles        int64 `json:"profiles_micro"`
	Unallocated     int64 `json:"unallocated_micro"`
	Addons          int64 `json:"addons_micro"`
	Plan            int64 `json:"plan_micro"`
	Discounts       int64 `json:"discounts_micro"`
	Rows, Pages     int
	Lines           []costLine
}

type costLine struct {
	Kind, Profile, Name, Service, Item, Day string
	Micro                                   int64
}

func costOf(t *testing.T, s *apptest.Server, w apptest.Who, query string) costAnswer {
	t.Helper()
	var c costAnswer
	s.Call(t, "GET", "/account/cost?"+query, w.Token, nil).Want(t, 200).Into(t, &c)
	var sum int64
	for _, l := range c.Lines {
		sum += l.Micro
	}
	if !c.AddsUp || c.Total != c.Charges || c.Pages <= 1 && sum != c.Total || c.Profiles+c.Unallocated+c.Addons+c.Plan+c.Discounts != c.Total {
		t.Errorf("%s: the lines add up to %d of %+v", query, sum, c)
	}
	return c
}

// of is the sum of lines of a kind, of a profile or of none.
func (c costAnswer) of(kind, profile string) (n int64) {
	for _, l := range c.Lines {
		if l.Kind == kind && l.Profile == profile {
			n += l.Micro
		}
	}
	return n
}

func TestBehaviour71_CostWithoutThePlanAndItsGap(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "starter")
		b := s.Profile(t, a, "Second")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 500_000}, {"profile": b.Profile, "input": 250_000}}).Want(t, 200)
		// The plan, 49.00 a month, was charged when the account was made.
		if err := s.App.Charge(t.Context(), billing.Charge{Account: id.Account(a.Account), Kind: billing.ServiceFee, Item: "input", Cents: 744, Amount: 1_000_000,
			Currency: "usd", Key: "input", Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Set(march.Add(100*time.Hour + time.Minute))
		c := costOf(t, s, a, "")
		if c.Plan != 6_586_021 || c.of("service", a.Profile) != 500_000 || c.of("service", b.Profile) != 250_000 || c.of("unallocated", "") != 250_000 {
			t.Errorf("%+v", c)
		}
		var p struct {
			ToDate   int64 `json:"to_date_micro"`
			Day      int64 `json:"average_day_micro"`
			Forecast int64 `json:"forecast_micro"`
			Last     int64 `json:"last_cycle_micro"`
		}
		s.Call(t, "GET", "/profile/"+a.Profile+"/cost", a.Token, nil).Want(t, 200).Into(t, &p)
		if p.ToDate != 500_000 || p.Day != 120_000 || p.Forecast != 3_720_000 || p.Last != 0 {
			t.Errorf("the profile costs %+v", p)
		}
		s.Clock.Set(march.AddDate(0, 1, 3))
		s.Call(t, "GET", "/profile/"+a.Profile+"/cost", a.Token, nil).Want(t, 200).Into(t, &p)
		if p.ToDate != 0 || p.Day != 0 || p.Forecast != 0 || p.Last != 3_720_000 {
			t.Errorf("after the cycle the profile costs %+v", p)
		}
		t.Run("a line opens to its hours", func(t *testing.T) {
			var d struct {
				Micro  int64
				AddsUp bool `json:"adds_up"`
				Hours  []struct {
					Time       string
					Micro      int64
					Charged    int64 `json:"charged_micro"`
					Amount, Of float64
					Charges    []string
				}
			}
			s.Call(t, "GET", "/account/cost/detail?day=2026-03-05&service=input&profile="+b.Profile, a.Token, nil).Want(t, 200).Into(t, &d)
			if len(d.Hours) != 24 || !d.AddsUp || d.Micro != 60_000 || d.Hours[3].Time != "2026-03-05T03:00:00.000Z" || d.Hours[3].Micro != 2_500 || d.Hours[3].Charged != 10_000 ||
				d.Hours[3].Amount != 250_000 || d.Hours[3].Of != 1_000_000 || len(d.Hours[3].Charges) != 1 {
				t.Errorf("%+v", d)
			}
			s.Call(t, "GET", "/account/cost/detail?day=2026-03-05&kind=plan", a.Token, nil).Want(t, 200).Into(t, &d)
			if len(d.Hours) != 24 || !d.AddsUp || d.Micro != 1_580_645 {
				t.Errorf("%+v", d)
			}
			for query, want := range map[string]string{
				"service=input&profile=" + b.Profile:                    "day: must be given",
				"day=soon&service=input&profile=" + b.Profile:           "day: ",
				"day=2026-03-05&service=water&profile=" + b.Profile:     "service: must be",
				"day=2026-03-05&service=input":                          "profile: must be",
				"day=2026-03-05&kind=water":                             "kind: must be",
				"day=2026-03-05&kind=unallocated&service=input&basis=x": "basis: must be",
			} {
				if x := s.Call(t, "GET", "/account/cost/detail?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, want) {
					t.Errorf("%s: %s", query, x.Message)
				}
			}
		})
		t.Run("lines are grouped as one likes", func(t *testing.T) {
			whole := "from=2026-03-01&to=2026-03-31"
			if c := costOf(t, s, a, whole+"&group_by=service"); len(c.Lines) != 3 || c.of("service", "") != 5_580_000 || c.Total != 56_440_000 {
				t.Errorf("%+v", c)
			}
			if c := costOf(t, s, a, whole+"&group_by=day"); len(c.Lines) != 31*3 || c.Lines[0].Day != "2026-03-01" {
				t.Errorf("%+v", c)
			}
			if c := costOf(t, s, a, whole+"&group_by=day,profile,service&amount=50&page=3"); len(c.Lines) != 24 || c.Rows != 124 || c.Pages != 3 || c.Lines[23].Day != "2026-03-31" {
				t.Errorf("%+v", c)
			}
			// The plan and what is unallocated, 50.86 dollars, in the proportion 2:1.
			if c := costOf(t, s, a, whole+"&spread=cost"); c.of("plan", a.Profile) != 32_666_667 || c.of("unallocated", a.Profile) != 1_240_000 || c.of("unallocated", "") != 0 {
				t.Errorf("%+v", c)
			}
			if c := costOf(t, s, a, whole+"&spread=even"); c.of("plan", a.Profile) != 24_500_000 || c.of("plan", b.Profile) != 24_500_000 {
				t.Errorf("%+v", c)
			}
			if c := costOf(t, s, a, whole+"&basis=use"); c.Unallocated != 0 && c.Basis != "use" {
				t.Errorf("%+v", c)
			}
		})
		t.Run("as CSV", func(t *testing.T) {
			x := s.Call(t, "GET", "/account/cost?from=2026-03-01&to=2026-03-31&format=csv", a.Token, nil).Want(t, 200)
			rows, err := csv.NewReader(strings.NewReader(string(x.Body))).ReadAll()
			if err != nil || len(rows) != 5 || strings.Join(rows[0], ",") != "day,kind,profile,name,service,item,currency,cents" || rows[1][2] != a.Profile || rows[1][7] != "372.0000" || rows[4][7] != "4900.0000" {
				t.Errorf("%v %v", rows, err)
			}
			if got := x.Header.Get("Content-Disposition"); got != `attachment; filename="cost-2026-03-01-2026-03-31.csv"` {
				t.Error(got)
			}
		})
		t.Run("what makes no sense is refused by name", func(t *testing.T) {
			for query, want := range map[string]string{
				"from=never": "from: ", "to=never": "to: ", "from=2026-03-02&to=2026-03-01": "to: must be after from", "from=2024-01-01&to=2026-01-01": "from: the range is too long",
				"group_by=colour": "group_by: must be", "group_by=day,day": "group_by: has day twice", "basis=guess": "basis: must be", "spread=thin": "spread: must be",
				"group_by=day&spread=even": "spread: days", "format=pdf": "format: must be", "page=-1": "page: must not", "amount=-1": "amount: must not", "currency=eur": "currency: charges of the range are in usd",
			} {
				if query == "currency=eur" {
					query += "&from=2026-03-01"
				}
				if x := s.Call(t, "GET", "/account/cost?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, want) {
					t.Errorf("%s: %s", query, x.Message)
				}
			}
			for body, want := range map[string]string{`{"basis":"guess"}`: "basis: must be", `{"spread":"thin"}`: "spread: must be"} {
				if x := s.Call(t, "PUT", "/account/cost/setting", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, want) {
					t.Errorf("%s: %s", body, x.Message)
				}
			}
			if x := s.Call(t, "PUT", "/account/cost/figure", a.Token, row{"amount": 5, "currency": "usd", "shares": row{"input": 100}}).Want(t, 409); !strings.HasPrefix(x.Message, "The plan of this account has a price") {
				t.Error(x.Message)
			}
		})
		t.Run("an owner chooses how costs are shown", func(t *testing.T) {
			s.Call(t, "PUT", "/account/cost/setting", a.Token, row{"basis": "use", "spread": "even"}).Want(t, 200)
			if c := costOf(t, s, a, "from=2026-03-01&to=2026-03-31"); c.Basis != "use" || c.of("plan", "") != 0 {
				t.Errorf("%+v", c)
			}
			s.Call(t, "PUT", "/account/cost/setting", a.Token, row{"basis": nil, "spread": nil}).Want(t, 200)
			if c := costOf(t, s, a, "from=2026-03-01&to=2026-03-31"); c.Basis != "allocation" || c.of("plan", "") == 0 {
				t.Errorf("%+v", c)
			}
		})
		t.Run("and verify finds nothing", func(t *testing.T) {
			if err := s.App.Rate(t.Context()); err != nil {
				t.Fatal(err)
			}
			found, _, err := s.App.Verify(t.Context())
			if err != nil || len(found) > 0 {
				t.Error(found, err)
			}
		})
	}, apptest.AtTime(march))
}

// TestCostIsTheOwners asks as everybody else.
func TestCostIsTheOwners(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		s.Call(t, "POST", "/profile/"+a.Profile+"/team", a.Token, row{"email": b.Email, "role": "admin"}).Want(t, 200, 201)
		s.Call(t, "GET", "/profile/team/accept/"+s.Secret(t, b.Email, "team/accept"), "", nil).Want(t, 200)
		member := s.TokenOf(t, b, a.Profile)
		for _, path := range []string{"/profile/" + a.Profile + "/cost", "/account/cost", "/account/cost/figure"} {
			if x := s.Call(t, "GET", path, member.Token, nil); x.Status != 403 && x.Status != 401 {
				t.Errorf("an admin asks %s: %d", path, x.Status)
			}
		}
		if x := s.Call(t, "GET", "/profile/"+b.Profile+"/cost", a.Token, nil); x.Status != 404 {
			t.Errorf("somebody else asks: %d", x.Status)
		}
		s.Call(t, "GET", "/profile/"+a.Profile+"/cost", a.Token, nil).Want(t, 200)
	})
}
