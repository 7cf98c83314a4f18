package plan

import (
	"testing"

	"paddock/internal/kit/fault"
)

func TestTerms(t *testing.T) {
	c := Builtin()
	starter, err := c.Plan("starter")
	if err != nil {
		t.Fatal(err)
	}
	terms := Terms{
		Services: map[Service]int64{Input: 3_000_000, SMS: 5},
		Overrides: []Override{
			{Kind: OverrideService, Name: "output", Amount: 7, Until: 100},
			{Kind: OverrideService, Name: "email", Amount: 1},
			{Kind: OverrideService, Name: "email", Amount: Unlimited},
			{Kind: OverrideCap, Name: "device", Amount: 12, Until: 200},
			{Kind: OverrideRate, Name: "data", Amount: 9},
			{Kind: OverrideRate, Name: "info", Amount: Unlimited},
		},
	}
	rate := func(p Plan, group string) (n, per int64) {
		for _, r := range p.Rates {
			if r.Group == group {
				n, per = n+1, r.PerMinute
			}
		}
		return n, per
	}
	t.Run("are kept as text and read back", func(t *testing.T) {
		back, err := ParseTerms(terms.String())
		if err != nil || back.String() != terms.String() {
			t.Fatal(back, err)
		}
		if s := (Terms{}).String(); s != "" {
			t.Fatal(s)
		}
		if _, err := ParseTerms("{"); err == nil {
			t.Fatal("half a text was read")
		}
	})
	t.Run("a tier takes the pool's place where it holds more, an override always", func(t *testing.T) {
		p := starter.With(terms, 50)
		for svc, want := range map[Service]int64{Input: 3_000_000, SMS: 10, Output: 7, Email: Unlimited, Analysis: 180_000} {
			if got := p.Pool.Of(svc); got != want {
				t.Errorf("%s: %d, want %d", svc, got, want)
			}
		}
		if p.Cap(Devices) != 12 || p.Cap(Dashboards) != 100 {
			t.Error(p.Caps)
		}
	})
	t.Run("rates of a group change together, of a plan that has none too", func(t *testing.T) {
		if n, per := rate(starter.With(terms, 50), "data"); n != 4 || per != 9 {
			t.Error(n, per)
		}
		if n, _ := rate(starter.With(terms, 50), "info"); n != 0 {
			t.Error(n)
		}
		house, _ := c.Plan("house")
		if n, per := rate(house.With(terms, 50), "data"); n != 4 || per != 9 {
			t.Error(n, per)
		}
	})
	t.Run("what is over counts no more", func(t *testing.T) {
		p := starter.With(terms, 200)
		if p.Pool.Of(Output) != starter.Pool.Of(Output) || p.Cap(Devices) != starter.Cap(Devices) {
			t.Error(p.Pool, p.Caps)
		}
		for now, want := range map[int64]int64{0: 100, 99: 100, 100: 200, 200: 0} {
			if got := terms.Until(now); got != want {
				t.Errorf("at %d: %d, want %d", now, got, want)
			}
		}
	})
	t.Run("the catalogue's plan stays as it was", func(t *testing.T) {
		if again, _ := c.Plan("starter"); again.Cap(Devices) != 100 || again.Pool.Of(Output) != 3_000_000 {
			t.Error(again)
		}
	})
	t.Run("what no limit is called is refused", func(t *testing.T) {
		good := Override{Kind: OverrideCap, Name: "device", Amount: 1, At: 5, Until: 6}
		if err := good.Check(c); err != nil {
			t.Fatal(err)
		}
		for _, o := range []Override{
			{Kind: "x", Name: "device"}, {Kind: OverrideCap, Name: "input"}, {Kind: OverrideService, Name: "device"}, {Kind: OverrideRate, Name: "GET /data"},
			{Kind: OverrideCap, Name: "device", Amount: -1}, {Kind: OverrideCap, Name: "profile"}, {Kind: OverrideCap, Name: "device", At: 5, Until: 5},
		} {
			if err := o.Check(c); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}

func TestCurrencyAndProration(t *testing.T) {
	c := Builtin()
	if c.Currency() != "usd" || c.Version() != 0 {
		t.Error(c.Currency(), c.Version())
	}
	for _, svc := range Services {
		want := svc != SMS && svc != Email && svc != PushNotification
		if c.Prorated(svc) != want {
			t.Error(svc, c.Prorated(svc))
		}
	}
}
