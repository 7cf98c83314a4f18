package app_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
	"paddock/internal/kit/clock"
	"paddock/internal/plan"
)

// TestCatalogueWhileServing applies a catalogue with a smaller pool and other rates beside a server.
func TestCatalogueWhileServing(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ctx := context.Background()
		text, err := os.ReadFile("../plan/catalogue.yaml")
		if err != nil {
			t.Fatal(err)
		}
		a := s.Account(t, "scale")
		limits := func() (out map[string]any) {
			t.Helper()
			out = map[string]any{}
			var rows []map[string]any
			s.Call(t, "GET", "/limits", a.Token, nil).Want(t, 200).Into(t, &rows)
			for _, r := range rows {
				out[r["kind"].(string)+" "+r["name"].(string)] = r["limit"]
			}
			return out
		}
		if l := limits(); l["service input"] != 1e6 || l["rate GET /info"] != 10000.0 {
			t.Fatal(l)
		}
		other := strings.Replace(string(text), "input:             {house: unlimited, free: 1000000, starter: 1000000, scale: 1000000}",
			"input:             {house: unlimited, free: 1000000, starter: 1000000, scale: 400000}", 1)
		other = strings.Replace(other, "per_minute: {free: 60, starter: 5000, scale: 10000}", "per_minute: {free: 60, starter: 5000, scale: 2}", 1)
		if err := s.App.ApplyCatalogue(ctx, []byte(other)); err != nil {
			t.Fatal(err)
		}
		if l := limits(); l["rate GET /info"] != 2.0 || l["pool input"] != 4e5 {
			t.Fatal(l)
		}
		clean := func() {
			t.Helper()
			if found, _, err := s.App.Verify(ctx); err != nil || len(found) > 0 {
				t.Fatal(found, err)
			}
		}
		clean() // though nobody is fitted yet
		s.Call(t, "GET", "/info", a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/info", a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/info", a.Token, nil).Want(t, 429)
		s.Clock.Advance(time.Minute)
		if err := s.App.FitCatalogue(ctx); err != nil {
			t.Fatal(err)
		}
		if l := limits(); l["service input"] != 4e5 {
			t.Fatal(l)
		}
		clean()
	}, apptest.AtTime(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)))
}

// TestGrantedRates sets rates for one account, whatever its plan says, until they end.
func TestGrantedRates(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "scale")
		now := clock.Millis(s.Clock.Now())
		minute := time.Minute.Milliseconds()
		grant := func(who apptest.Who, overrides ...plan.Override) {
			t.Helper()
			if err := s.App.SetTerms(t.Context(), who.Account, plan.Terms{Overrides: overrides}); err != nil {
				t.Fatal(err)
			}
		}
		info := func(who apptest.Who, status int) {
			t.Helper()
			s.Call(t, "GET", "/info", who.Token, nil).Want(t, status)
		}
		grant(a, plan.Override{Kind: plan.OverrideRate, Name: "info", Amount: 1, At: now, Until: now + 5*minute})
		grant(b, plan.Override{Kind: plan.OverrideRate, Name: "info", Amount: 2, At: now}, plan.Override{Kind: plan.OverrideRate, Name: "account", Amount: plan.Unlimited, At: now})
		info(a, 200)
		info(a, 429)
		info(b, 200)
		info(b, 200)
		info(b, 429)
		if h := s.Call(t, "GET", "/account", b.Token, nil).Want(t, 200).Header.Get("RateLimit"); h != "" {
			t.Fatal(h)
		}
		if h := s.Call(t, "GET", "/device", b.Token, nil).Want(t, 200).Header.Get("RateLimit-Policy"); h != `"GET /device";q=500;w=60` {
			t.Fatal(h)
		}
		s.Clock.Advance(5 * time.Minute) // over, whether the job has run or not
		for range 3 {
			info(a, 200)
		}
	}, apptest.AtTime(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)))
}
