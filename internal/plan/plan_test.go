package plan

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestBuiltinCatalogue(t *testing.T) {
	c := Builtin()
	plan := func(name string) Plan {
		p, err := c.Plan(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Run("an account without a plan has the house plan", func(t *testing.T) {
		if p := plan(""); p.Name != "house" {
			t.Fatalf("default is %q", p.Name)
		}
	})
	t.Run("the house has no bounds and calls itself scale", func(t *testing.T) {
		p := plan("house")
		for _, s := range Metered {
			if p.Pool.Of(s) != Unlimited {
				t.Errorf("pool of %s is %d", s, p.Pool.Of(s))
			}
		}
		for _, r := range Resources {
			if p.Cap(r) != Unlimited {
				t.Errorf("cap on %s is %d", r, p.Cap(r))
			}
		}
		if len(p.Rates) != 0 || p.ReportAs != "scale" || p.Price != 0 || !p.Transfer {
			t.Errorf("%+v", p)
		}
	})
	t.Run("caps are TagoIO's", func(t *testing.T) {
		for r, want := range map[Resource][3]int64{
			Actions: {5, 100, 200}, Analyses: {5, 100, 200}, Dashboards: {5, 100, 1000}, Entities: {5, 50, 80},
			Devices: {5, 100, 10000}, Profiles: {1, 2, 5}, Team: {0, 1, 5}, TagoCores: {10, 10, 10},
			TagoCoreClusters: {3, 3, 3}, Connectors: {3, 20, 50}, Networks: {1, 5, 10},
			ServiceAuthorizations: {10, 50, 200}, AccessPolicies: {5, 30, 100}, Dictionaries: {2, 10, 50}, Backups: {0, 1, 1},
		} {
			if got := [3]int64{plan("free").Cap(r), plan("starter").Cap(r), plan("scale").Cap(r)}; got != want {
				t.Errorf("%s: %v, want %v", r, got, want)
			}
		}
	})
	t.Run("the pool of the three plans is the base bundle", func(t *testing.T) {
		want := map[string]float64{"input": 1e6, "output": 3e6, "analysis": 3000, "data_records": 8e5, "sms": 10, "email": 100,
			"run_users": 10, "push_notification": 100, "file_storage": 200}
		for _, name := range []string{"free", "starter", "scale"} {
			got := plan(name).Pool.WireMap()
			if len(got) != len(want) {
				t.Errorf("%s: %v", name, got)
			}
			for s, v := range want {
				if got[s] != v {
					t.Errorf("%s: %s is %v, want %v", name, s, got[s], v)
				}
			}
		}
	})
	t.Run("rates are per route", func(t *testing.T) {
		find := func(plan Plan, method, pattern, query string) int64 {
			for _, r := range plan.Rates {
				if r.Method == method && r.Pattern == pattern && r.Query == query {
					return r.PerMinute
				}
			}
			return -1
		}
		for _, w := range []struct {
			method, pattern, query string
			free, starter, scale   int64
		}{
			{"POST", "/data", "", 250, 5000, 15000}, {"PUT", "/data", "", 60, 250, 1000}, {"DELETE", "/data", "", -1, -1, -1}, {"POST", "/device/{id}/empty", "", -1, -1, -1},
			{"GET", "/data", "query=aggregate", 5, 10, 100}, {"POST", "/device", "", 10, 250, 5000},
			{"GET", "/device", "", 50, 100, 500}, {"GET", "/device/{id}", "", 100, 1000, 5000},
			{"PUT", "/device/{id}", "", 50, 250, 2000}, {"GET", "/account", "", 50, 100, 500},
			{"POST", "/profile", "", 60, 100, 200}, {"GET", "/info", "", 60, 5000, 10000},
			{"POST", "/analysis", "", 60, 100, 1000}, {"POST", "/integration/network", "", 60, 100, 500},
			{"POST", "/profile/{id}/backup", "", 5, 5, 5},
		} {
			got := [3]int64{find(plan("free"), w.method, w.pattern, w.query), find(plan("starter"), w.method, w.pattern, w.query),
				find(plan("scale"), w.method, w.pattern, w.query)}
			if got != [3]int64{w.free, w.starter, w.scale} {
				t.Errorf("%s %s %s: %v", w.method, w.pattern, w.query, got)
			}
		}
	})
	t.Run("prices are whole cents and begin with what is included", func(t *testing.T) {
		if plan("free").Price != 0 || plan("starter").Price != 4900 || plan("scale").Price != 19900 {
			t.Error("plan prices")
		}
		for _, s := range Services {
			tiers := c.Tiers(s)
			if len(tiers) < 8 || tiers[0].Price != 0 || tiers[0].Amount != plan("starter").Pool.Of(s) {
				t.Errorf("%s: %v", s, tiers)
			}
		}
		if tiers := c.Tiers(FileStorage); tiers[1] != (Tier{Amount: 10_000 * 1_000_000, Price: 2000}) {
			t.Errorf("file_storage: %v", tiers[1])
		}
	})
	t.Run("a plan that is not there is an error that names those that are", func(t *testing.T) {
		if _, err := c.Plan("gold"); err == nil || !strings.Contains(err.Error(), "house, free, starter, scale") {
			t.Fatal(err)
		}
	})
}

func TestCatalogueFile(t *testing.T) {
	good := string(builtin)
	for _, tc := range []struct{ name, old, new, want string }{
		{"an unknown key is refused", "default: house", "default: house\nextra: 1", "extra"},
		{"broken YAML names its line", "plans:", "plans: [", "["},
		{"a key that is there twice is refused", "default: house", "default: house\ndefault: free", "default"},
		{"a default that is no plan is refused", "default: house", "default: gold", `default: "gold"`},
		{"a plan that is there twice is refused", "- name: free", "- name: house", `plans[1].name: "house" is there twice`},
		{"a word the client does not know is refused", "report_as: starter", "report_as: gold", `plans[2].report_as: "gold"`},
		{"a price of half a cent is refused", "price: 4900\n", "price: 4900.5\n", "plans[2].price: 4900.5"},
		{"a negative cap is refused", "device:                {house: unlimited, free: 5,", "device: {house: unlimited, free: -5,", "caps.device.free: -5"},
		{"a word as a cap is refused", "device:                {house: unlimited, free: 5,", "device: {house: unlimited, free: many,", "caps.device.free: many"},
		{"a cap left out for a plan is refused", "device:                {house: unlimited, free: 5,", "device: {house: unlimited,", "caps.device.free: is missing"},
		{"a cap for an unknown plan is refused", "device:                {house: unlimited, free: 5,", "device: {house: unlimited, gold: 1, free: 5,", `caps.device: "gold"`},
		{"an unknown resource is refused", "  device:    ", "  gadget: {house: 1, free: 1, starter: 1, scale: 1}\n  device:    ", "caps.gadget: is unknown"},
		{"no profile at all is refused", "profile:               {house: unlimited, free: 1,", "profile: {house: unlimited, free: 0,", "caps.profile.free: must be at least 1"},
		{"a service left out is refused", "  sms:               {house: unlimited, free: 10, starter: 10, scale: 10}\n", "", "pool.sms: is missing"},
		{"a pool past every number is refused", "analysis:          {house: unlimited, free: 3000,", "analysis: {house: unlimited, free: 9007199254740990,", "pool.analysis.free"},
		{"a rate without a plan's name is refused", "per_minute: {free: 50, starter: 100, scale: 500}", "per_minute: {gold: 50}", `rates[4] (device list).per_minute: "gold"`},
		{"a route that is none is refused", "routes: [GET /device]", "routes: [LOOK /device]", `rates[4] (device list).routes: "LOOK /device"`},
		{"a route in two rows is refused", "routes: [GET /device]", "routes: [GET /data]", "is already in rates[0] (data)"},
		{"a group without a name is refused", "group: device list", "group: ''", `rates[4].group: "" must be`},
		{"a rate on what must always answer is refused", "routes: [GET /device]", "routes: [\"DELETE /device/{x}/data\"]", "must answer when everything is used up"},
		{"a rate on the page of limits is refused", "routes: [GET /device]", "routes: [GET /limits]", "must answer when everything is used up"},
		{"tiers out of order are refused", "sms: [[10, 0], [100, 250],", "sms: [[100, 0], [100, 250],", "prices.services.sms[1]"},
		{"a tier without a price is refused", "sms: [[10, 0],", "sms: [[10],", "prices.services.sms[0]"},
		{"an add-on price as a word is refused", "name: mobile, price: 9900", "name: mobile, price: dear", "prices.addons[1].price: dear"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(good, tc.old) {
				t.Fatalf("the test expects %q in the catalogue", tc.old)
			}
			_, err := Parse([]byte(strings.Replace(good, tc.old, tc.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("want %q in: %v", tc.want, err)
			}
		})
	}
	t.Run("every wrong row is reported at once", func(t *testing.T) {
		text := strings.Replace(good, "price: 4900", "price: x", 1)
		text = strings.Replace(text, "sms: [[10, 0],", "sms: [[10],", 1)
		_, err := Parse([]byte(text))
		var rows *ErrCatalogue
		if !errors.As(err, &rows) || len(rows.Rows) != 2 {
			t.Fatal(err)
		}
	})
	t.Run("an empty file is refused", func(t *testing.T) {
		if _, err := Parse(nil); err == nil {
			t.Fatal("accepted")
		}
	})
}

func TestWireNumbers(t *testing.T) {
	for _, tc := range []struct {
		s    Service
		v    float64
		n    int64
		fine bool
	}{
		{Input, 5, 5, true}, {Input, 0, 0, true}, {Input, 1.5, 1, false}, {Input, -1, 0, false},
		{Input, math.NaN(), 0, false}, {Input, math.Inf(1), Unlimited, true}, {Input, 1e300, Unlimited, true},
		{Input, float64(Unlimited), Unlimited, true},
		{Analysis, 1.5, 90, true}, {Analysis, 3000, 180000, true}, {Analysis, float64(Unlimited), Unlimited, true},
		{FileStorage, 49.89, 49_890_000, true}, {FileStorage, 200, 200_000_000, true},
	} {
		n, ok := FromWire(tc.s, tc.v)
		if ok != tc.fine || (ok && n != tc.n) {
			t.Errorf("%s %v: %d %v", tc.s, tc.v, n, ok)
		}
	}
	t.Run("what is shown reads back as the same amount", func(t *testing.T) {
		for _, s := range Metered {
			for _, n := range []int64{0, 1, 7, 59, 61, 12345, 999999, 1000001, 987654321, Unlimited} {
				if back, ok := FromWire(s, Wire(s, n)); !ok || back != n {
					t.Errorf("%s %d reads back as %d (%v)", s, n, back, ok)
				}
			}
		}
	})
}
