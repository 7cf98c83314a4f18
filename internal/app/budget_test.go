package app_test

import (
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
	"paddock/internal/billing"
	"paddock/internal/id"
)

// spendMarch charges an account ten cents an hour for March, which begins in a moment.
func spendMarch(t *testing.T, s *apptest.Server, w apptest.Who) {
	t.Helper()
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if err := s.App.Charge(t.Context(), billing.Charge{Account: id.Account(w.Account), Kind: billing.ServiceFee, Item: "input", Cents: 7440, Currency: "usd",
		Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli(), Key: "march"}); err != nil {
		t.Fatal(err)
	}
}

type toldLine struct {
	Title   string
	Message string
	Profile *string
}

func toldTitles(t *testing.T, s *apptest.Server, w apptest.Who) (titles []string) {
	t.Helper()
	var ns []toldLine
	s.Call(t, "GET", "/notification", w.Token, nil).Want(t, 200).Into(t, &ns)
	for _, n := range ns {
		titles = append(titles, n.Title)
	}
	return titles
}

func TestBudgetIsToldToTheOwnerAlone(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		admin := s.Join(t, a, s.Account(t, "scale"), map[string]any{"role": "admin"})
		spendMarch(t, s, a)
		s.Clock.Set(march.Add(100 * time.Hour)) // 10.00
		var b struct {
			ID       string
			Name     string
			Amount   int64
			Currency string
			Share    int64
			Spent    int64                   `json:"spent_micro"`
			Expected int64                   `json:"forecast_micro"`
			Told     *struct{ Share *int64 } `json:"last_told"`
		}
		before := len(toldTitles(t, s, admin))
		s.Call(t, "POST", "/account/budget", a.Token, map[string]any{"amount": 1200, "profile": a.Profile}).Want(t, 201).Into(t, &b)
		if b.Amount != 1200 || b.Currency != "usd" || b.Spent != 10_000_000 || b.Share != 83 || b.Expected != 74_400_000 || b.Told == nil || b.Told.Share == nil || *b.Told.Share != 80 {
			t.Errorf("%+v", b)
		}
		if got := strings.Join(toldTitles(t, s, a), "\n"); !strings.Contains(got, "80 % reached") {
			t.Errorf("the owner was told %q", got)
		}
		if after := toldTitles(t, s, admin); len(after) != before {
			t.Errorf("an admin was told %q", after)
		}
		for _, m := range s.Mails(t) {
			if strings.Contains(m.Subject, "Budget") && m.To != a.Email {
				t.Errorf("%q went to %s", m.Subject, m.To)
			}
		}
		var deliveries []struct{ Kind string }
		s.Call(t, "GET", "/profile/"+a.Profile+"/notify/deliveries", admin.Token, nil).Want(t, 200).Into(t, &deliveries)
		for _, d := range deliveries {
			if d.Kind == "budget" {
				t.Error("an admin sees that something was told of the profile's budget")
			}
		}
		// A member's token is for the profile, not for the account.
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			s.Call(t, method, "/account/budget/"+b.ID, admin.Token, map[string]any{"amount": 1}).Want(t, 401)
		}
		s.Call(t, "POST", "/account/budget", admin.Token, map[string]any{"amount": 1, "profile": a.Profile}).Want(t, 401)
		s.Call(t, "POST", "/account/cost/simulate", admin.Token, map[string]any{}).Want(t, 401)
		var narrow struct{ Token string }
		s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, map[string]any{"name": "n", "permission": "full", "email": a.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &narrow)
		s.Call(t, "GET", "/account/budget", narrow.Token, nil).Want(t, 401)
		s.Call(t, "POST", "/account/cost/simulate", narrow.Token, map[string]any{}).Want(t, 401)
		s.Call(t, "PUT", "/account/budget/"+b.ID, a.Token, map[string]any{"amount": 900}).Want(t, 200)
		if got := strings.Join(toldTitles(t, s, a), "\n"); !strings.Contains(got, "100 % reached") {
			t.Errorf("after the amount was lowered the owner was told %q", got)
		}
		s.Call(t, "DELETE", "/account/budget/"+b.ID, a.Token, nil).Want(t, 200)
	}, apptest.AtTime(march.Add(-time.Hour)))
}
