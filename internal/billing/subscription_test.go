package billing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/usage"

	"pgregory.net/rapid"
)

// holdingOf is a holding of the built-in catalogue.
func holdingOf(t interface{ Fatal(...any) }, name string, services map[plan.Service]int64, addons map[string][]id.Profile) holding {
	p, err := plan.Builtin().Plan(name)
	if err != nil {
		t.Fatal(err)
	}
	return holding{plan: p, services: services, addons: addons}.clone()
}

// november is a cycle of 30 days.
var november = stretch{time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC).UnixMilli(), time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC).UnixMilli()}

// numbered gives charges the ids that a database would.
func numbered(cs []Charge) []Charge {
	for i := range cs {
		cs[i].ID = id.New[id.Charge]()
	}
	return cs
}

// open are those of charges of which nothing was given back.
func open(cs []Charge) (out []Charge) {
	for _, c := range cs {
		if c.GivesBack == "" && !slices.ContainsFunc(cs, func(b Charge) bool { return b.GivesBack == c.ID }) {
			out = append(out, c)
		}
	}
	return out
}

func TestStarterToScaleWithTenDaysLeft(t *testing.T) {
	cat := plan.Builtin()
	starter, scale := holdingOf(t, "starter", nil, nil), holdingOf(t, "scale", nil, nil)
	first := numbered(renewal(cat, starter, november))
	if len(first) != 1 || first[0].Cents != 4900 || first[0].Start != november.from || first[0].End != november.to {
		t.Fatalf("a month of Starter: %+v", first)
	}
	at := november.to - 240*hour
	got := price(cat, starter, scale, november, at, first)
	if len(got) != 2 || got[0].Cents != 6633 || got[1].Cents != -1633 || sumOf(got) != 5000 {
		t.Fatalf("%+v", got)
	}
	if c := got[0]; c.Kind != PlanFee || c.Item != "scale" || c.Start != at || c.End != november.to || c.GivesBack != "" {
		t.Errorf("a third of Scale: %+v", c)
	}
	if c := got[1]; c.Kind != PlanFee || c.Item != "starter" || c.Start != at || c.End != november.to || c.GivesBack != first[0].ID {
		t.Errorf("a third of Starter: %+v", c)
	}
	if next := renewal(cat, scale, stretch{november.to, november.to + 31*24*hour}); len(next) != 1 || next[0].Cents != 19900 {
		t.Errorf("the next cycle: %+v", next)
	}
}

func TestTierOfSMSInMidCycle(t *testing.T) {
	cat := plan.Builtin()
	have := holdingOf(t, "starter", nil, nil)
	paid := numbered(renewal(cat, have, november))
	at := november.from + 360*hour
	for _, c := range []struct {
		tier int64
		want []int64
	}{
		{100, []int64{250}},        // the whole price: SMS are used up, not held
		{500, []int64{1250, -250}}, // … less all that was paid
		{1000, []int64{2500, -1250}},
	} {
		to := have.clone()
		to.services[plan.SMS] = c.tier
		got := numbered(price(cat, have, to, november, at, open(paid)))
		var cents []int64
		for _, x := range got {
			cents = append(cents, x.Cents)
			if x.Kind != ServiceFee || x.Item != "sms" || x.Start != at || x.End != november.to {
				t.Errorf("%+v", x)
			}
		}
		if !slices.Equal(cents, c.want) {
			t.Errorf("to %d SMS: %v, want %v", c.tier, cents, c.want)
		}
		paid, have, at = append(paid, got...), to, at+24*hour
	}
	if next := renewal(cat, have, stretch{november.to, november.to + 31*24*hour}); sumOf(next) != 4900+2500 {
		t.Errorf("the next cycle: %+v", next)
	}
}

func TestTierOfInputInMidCycle(t *testing.T) {
	cat := plan.Builtin()
	have := holdingOf(t, "starter", nil, nil)
	to := have.clone()
	to.services[plan.Input] = 3_000_000
	half := november.from + 360*hour
	first := numbered(price(cat, have, to, november, half, nil))
	if sumOf(first) != 1000 { // half of 20.00
		t.Fatalf("%+v", first)
	}
	more := to.clone()
	more.services[plan.Input] = 10_000_000
	if got := price(cat, to, more, november, half+180*hour, first); len(got) != 2 || got[0].Cents != 1375 || got[1].Cents != -500 {
		t.Errorf("a quarter of 55.00 less a half of what half a month cost: %+v", got)
	}
	with := more.clone()
	with.addons["mobile"] = []id.Profile{"p"}
	if got := price(cat, more, with, november, half, nil); len(got) != 2 || got[0].Cents != 4950 || got[1].Cents != 200000 || got[1].Item != "mobile:once" {
		t.Errorf("half a month of an add-on, and its making: %+v", got)
	}
}

// What one upgrade after the other costs is what the hours cost: no path through a cycle is cheaper by more than rounding,
// and no charge is given back beyond what it was.
func TestUpgradesCostTheirHours(t *testing.T) {
	cat := plan.Builtin()
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.Int64Range(28*24, 31*24).Draw(t, "hours")
		cycle := stretch{november.from, november.from + length*hour - rapid.Int64Range(0, 3).Draw(t, "quarters")*quarter}
		tiers := cat.Tiers(plan.Input)
		have := holdingOf(t, "starter", nil, nil)
		all := numbered(renewal(cat, have, cycle))
		exact := new(float64)
		*exact = 4900
		at, steps := cycle.from, 0
		for i := 1; i < len(tiers) && at < cycle.to; i += rapid.IntRange(1, 4).Draw(t, "step") {
			at += rapid.Int64Range(0, 20*24*4).Draw(t, "quarters") * quarter
			if at >= cycle.to {
				break
			}
			to := have.clone()
			to.services[plan.Input] = tiers[i].Amount
			left := stretch{cycle.hourOf(at), cycle.to}.hours()
			before := tierPrice(cat, plan.Input, max(have.services[plan.Input], 1_000_000))
			*exact += float64(tiers[i].Price-before) * float64(left) / float64(length)
			made := numbered(price(cat, have, to, cycle, at, open(all)))
			for _, c := range made {
				if c.End != cycle.to || c.Start < cycle.from || (c.Start-cycle.from)%hour != 0 {
					t.Fatalf("%+v", c)
				}
			}
			all, have, steps = append(all, made...), to, steps+1
		}
		if d := float64(sumOf(all)) - *exact; d > float64(steps)+1 || d < -float64(steps)-1 {
			t.Fatalf("%d upgrades: %d cents, and %.2f by the hour", steps, sumOf(all), *exact)
		}
		back := map[id.Charge]int64{}
		for _, c := range all {
			if c.GivesBack != "" {
				back[c.GivesBack] += c.Cents
			}
		}
		for _, c := range all {
			if c.GivesBack == "" && c.Cents+back[c.ID] < 0 {
				t.Fatalf("%d given back of %d", back[c.ID], c.Cents)
			}
		}
	})
}

func TestDecide(t *testing.T) {
	cat := plan.Builtin()
	const one, two, foreign = id.Profile("aaaaaaaaaaaaaaaaaaaaaaaa"), id.Profile("bbbbbbbbbbbbbbbbbbbbbbbb"), id.Profile("cccccccccccccccccccccccc")
	base := func(name string) facts {
		f := facts{have: holdingOf(t, name, nil, nil), cat: cat, owned: map[id.Profile]bool{one: true, two: true}, limit: map[plan.Service]int64{}}
		for _, s := range plan.Services {
			f.limit[s] = f.have.limit(s)
		}
		return f
	}
	bought := base("starter")
	bought.have.services[plan.Input] = 10_000_000
	bought.have.services[plan.SMS] = 500
	bought.have.addons["custom_dns"] = []id.Profile{one}
	bought.limit[plan.Input], bought.limit[plan.SMS] = 10_000_000, 500

	services := func(s plan.Service, n int64) wish { return wish{services: map[plan.Service]int64{s: n}} }
	addon := func(name string, ps ...id.Profile) wish { return wish{addons: map[string][]id.Profile{name: ps}} }
	for _, c := range []struct {
		name  string
		facts facts
		wish  wish
		now   string // the holding, "" when it stays
		later string
		fault string
	}{
		{name: "up is at once", facts: base("starter"), wish: wish{plan: "scale"}, now: "scale"},
		{name: "down waits", facts: bought, wish: wish{plan: "free"}, later: `{"plan":"free"}`},
		{name: "the same is nothing", facts: bought, wish: wish{plan: "starter"}},
		{name: "a plan that is not there", facts: bought, wish: wish{plan: "gold"}, fault: `plan: "gold" is not on sale; there are free, starter, scale`},
		{name: "house is not on sale", facts: bought, wish: wish{plan: "house"}, fault: `plan: "house" is not on sale; there are free, starter, scale`},
		{name: "nothing is sold to who has everything", facts: base("house"), wish: wish{plan: "scale"}, fault: "The account is on the plan house, which whoever runs this server has given it: nothing is sold to it. Ask them for a change"},
		{name: "a larger tier is at once", facts: base("starter"), wish: services(plan.Analysis, 6000*60), now: "starter analysis=360000"},
		{name: "a smaller one waits", facts: bought, wish: services(plan.Input, 3_000_000), later: `{"services":{"input":3000000}}`},
		{name: "so does what the plan includes", facts: bought, wish: services(plan.Input, 1_000_000), later: `{"services":{"input":0}}`},
		{name: "one up, one down", facts: bought, wish: wish{services: map[plan.Service]int64{plan.Input: 20_000_000, plan.SMS: 100}},
			now: "starter input=20000000 sms=500 custom_dns=[aaaaaaaaaaaaaaaaaaaaaaaa]", later: `{"services":{"sms":100}}`},
		{name: "no tier", facts: bought, wish: services(plan.Input, 2_000_000), fault: "services.input.limit: Data Input is not sold in 2000000; the tiers are 1000000, 3000000, "},
		{name: "less than the plan includes", facts: bought, wish: services(plan.Input, 10), fault: "services.input.limit: the plan starter includes 1000000 already"},
		{name: "free has no tiers", facts: base("free"), wish: services(plan.Input, 3_000_000), fault: "services: the limits of the plan free cannot be changed: move to a plan that costs something first"},
		{name: "free has no add-ons", facts: base("free"), wish: addon("mobile", one), fault: "addons: the plan free has no add-ons: move to a plan that costs something first"},
		{name: "an add-on more is at once", facts: bought, wish: addon("custom_dns", one, two),
			now: "starter input=10000000 sms=500 custom_dns=[aaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbb]"},
		{name: "one less waits", facts: bought, wish: addon("custom_dns"), later: `{"ends":{"custom_dns":["aaaaaaaaaaaaaaaaaaaaaaaa"]}}`},
		{name: "one for another", facts: bought, wish: addon("custom_dns", two), now: "starter input=10000000 sms=500 custom_dns=[aaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbb]",
			later: `{"ends":{"custom_dns":["aaaaaaaaaaaaaaaaaaaaaaaa"]}}`},
		{name: "an add-on of somebody else's profile", facts: bought, wish: addon("mobile", one, foreign), fault: `addons.mobile[1]: "cccccccccccccccccccccccc" is not a profile of this account`},
		{name: "an add-on that is not there", facts: bought, wish: addon("sauna", one), fault: `addons: "sauna" is no add-on; there are custom_dns, mobile, control_tower`},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, later, err := decide(c.facts, c.wish)
			if c.fault != "" {
				if err == nil || !strings.HasPrefix(fault.Of(err).Error(), c.fault) {
					t.Fatalf("%v, want %s", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := c.now
			if want == "" {
				want = show(c.facts.have)
			}
			if show(now) != want || later.String() != c.later {
				t.Errorf("%s, then %s; want %s, then %s", show(now), later, want, c.later)
			}
		})
	}
	t.Run("a new wish takes the place of what waits", func(t *testing.T) {
		f := bought
		_, f.later, _ = decide(f, services(plan.Input, 3_000_000))
		_, f.later, _ = decide(f, wish{plan: "free"})
		if f.later.String() != `{"plan":"free","services":{"input":3000000}}` {
			t.Fatal(f.later)
		}
		_, f.later, _ = decide(f, wish{plan: "starter"})
		_, f.later, _ = decide(f, services(plan.Input, 10_000_000))
		if !f.later.empty() {
			t.Error(f.later)
		}
	})
	t.Run("free at the renewal ends everything bought", func(t *testing.T) {
		if got := show(bought.have.after(later{Plan: "free"}, cat)); got != "free" {
			t.Error(got)
		}
	})
}

// show is a holding in a line.
func show(h holding) string {
	out := h.plan.Name
	for _, s := range plan.Services {
		if n, ok := h.services[s]; ok {
			out += " " + string(s) + "=" + plan.Show("", n)
		}
	}
	for _, a := range plan.Builtin().Addons() {
		if ps := h.addons[a.Name]; len(ps) > 0 {
			out += fmt.Sprintf(" %s=%v", a.Name, ps)
		}
	}
	return out
}

func TestCyclesOfMonthEnds(t *testing.T) {
	anchor := func(text string) account.Account {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return account.Account{Anchor: at.UnixMilli()}
	}
	for _, c := range []struct {
		name string
		acc  account.Account
		ends []string
	}{
		{"the 31st", anchor("2027-01-31T10:15:00Z"), []string{"2027-02-28T10:15:00Z", "2027-03-31T10:15:00Z", "2027-04-30T10:15:00Z", "2027-05-31T10:15:00Z"}},
		{"a leap day", anchor("2028-02-29T23:45:00Z"), []string{"2028-03-29T23:45:00Z", "2028-04-29T23:45:00Z"}},
		{"through a leap February", anchor("2028-01-30T00:00:00Z"), []string{"2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"}},
		{"through a short February", anchor("2027-01-30T00:00:00Z"), []string{"2027-02-28T00:00:00Z", "2027-03-30T00:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := usage.Cycle(c.acc, c.acc.Anchor)
			cycle := stretch{from, to}
			for _, end := range c.ends {
				if got := time.UnixMilli(cycle.to).UTC().Format(time.RFC3339); got != end {
					t.Fatalf("ends %s, want %s", got, end)
				}
				if got := renewal(plan.Builtin(), holdingOf(t, "scale", nil, nil), cycle); len(got) != 1 || got[0].Cents != 19900 || got[0].End-got[0].Start != cycle.to-cycle.from {
					t.Errorf("a full month costs its price, however long: %+v", got)
				}
				cycle = nextCycle(c.acc, cycle.to)
			}
		})
	}
}
