package app_test

import (
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

func TestSimulateOverHTTP(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		spendMarch(t, s, a)
		s.Clock.Set(march.Add(36*time.Hour + 20*time.Minute))
		_, device := s.Device(t, a, "Pump")
		s.Send(t, device, 7).Want(t, 200, 201, 202)
		s.Clock.Set(march.AddDate(0, 1, 3))
		var x struct {
			Plan   struct{ Real, Simulated string }
			Totals []struct {
				Currency   string
				Real       int64 `json:"real_micro"`
				Simulated  int64 `json:"simulated_micro"`
				Difference int64 `json:"difference_micro"`
			}
			Blocked []struct {
				Profile, Service string
				Used, Over       float64
				From             time.Time
			}
		}
		s.Call(t, "POST", "/account/cost/simulate", a.Token, map[string]any{"plan": "starter", "services": map[string]any{"input": 3_000_000}}).Want(t, 200).Into(t, &x)
		if x.Plan.Real != "scale" || x.Plan.Simulated != "starter" || len(x.Totals) != 1 || x.Totals[0].Currency != "usd" || x.Totals[0].Simulated != 69_000_000 ||
			x.Totals[0].Difference != x.Totals[0].Simulated-x.Totals[0].Real || len(x.Blocked) != 0 {
			t.Errorf("%+v", x)
		}
		second := s.Profile(t, a, "Second")
		s.Call(t, "POST", "/account/cost/simulate", a.Token, map[string]any{"allocation": []map[string]any{{"profile": a.Profile, "input": 5}, {"profile": second.Profile, "input": 5}}}).Want(t, 200).Into(t, &x)
		if len(x.Blocked) != 1 || x.Blocked[0].Profile != a.Profile || x.Blocked[0].Service != "input" || x.Blocked[0].Used != 7 || x.Blocked[0].Over != 2 ||
			!x.Blocked[0].From.Equal(march.Add(36*time.Hour+15*time.Minute)) {
			t.Errorf("%+v", x.Blocked)
		}
		s.Call(t, "POST", "/account/cost/simulate", a.Token, map[string]any{"plan": "gold"}).Want(t, 400)
	}, apptest.AtTime(march.Add(-time.Hour)))
}
