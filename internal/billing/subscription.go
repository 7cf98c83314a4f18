package billing

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

// holding is what an account is subscribed to.
type holding struct {
	plan     plan.Plan               // as the catalogue has it, without what was granted
	services map[plan.Service]int64  // bought tiers that hold more than the plan's pool, in base units
	addons   map[string][]id.Profile // who has what; sorted, and no list is empty
}

// limit is how much the account has of a service by what it pays for.
func (h holding) limit(s plan.Service) int64 { return max(h.plan.Pool.Of(s), h.services[s]) }

func (h holding) has(addon string, p id.Profile) bool { return slices.Contains(h.addons[addon], p) }

// clone is a copy that may be changed.
func (h holding) clone() holding {
	out := holding{plan: h.plan, services: maps.Clone(h.services), addons: map[string][]id.Profile{}}
	if out.services == nil {
		out.services = map[plan.Service]int64{}
	}
	for a, ps := range h.addons {
		out.addons[a] = slices.Clone(ps)
	}
	return out
}

// tidy drops what the plan includes, and everything bought from a plan that costs nothing.
func (h *holding) tidy() {
	maps.DeleteFunc(h.services, func(s plan.Service, n int64) bool { return h.plan.Price == 0 || n <= h.plan.Pool.Of(s) })
	for a, ps := range h.addons {
		slices.Sort(ps)
		if ps = slices.Compact(ps); len(ps) == 0 || h.plan.Price == 0 {
			delete(h.addons, a)
		} else {
			h.addons[a] = ps
		}
	}
}

// orders is what the holding costs a cycle, by thing, with the prices of a catalogue. A tier that the catalogue has not any
// more costs what the next larger one does; an add-on that it has not any more costs nothing.
func (h holding) orders(c *plan.Catalogue) map[thing]order {
	out := map[thing]order{}
	add := func(o order) {
		key := o.thing
		if o.kind == PlanFee {
			key.item = ""
		}
		out[key] = o
	}
	add(order{thing: thing{kind: PlanFee, item: h.plan.Name}, cents: h.plan.Price})
	for s, n := range h.services {
		add(order{thing: thing{kind: ServiceFee, item: string(s)}, amount: n, cents: tierPrice(c, s, n), whole: !c.Prorated(s)})
	}
	for a, ps := range h.addons {
		for _, p := range ps {
			add(order{thing: thing{kind: AddonFee, item: a, profile: p}, cents: addonOf(c, a).Price})
		}
	}
	return out
}

// cycle is what the holding costs a whole cycle, in whole cents.
func (h holding) cycle(c *plan.Catalogue) (cents int64) {
	for _, o := range h.orders(c) {
		cents += o.cents
	}
	return cents
}

func tierPrice(c *plan.Catalogue, s plan.Service, n int64) int64 {
	var last int64
	for _, t := range c.Tiers(s) {
		if last = t.Price; t.Amount >= n {
			break
		}
	}
	return last
}

func addonOf(c *plan.Catalogue, name string) plan.Addon {
	for _, a := range c.Addons() {
		if a.Name == name {
			return a
		}
	}
	return plan.Addon{}
}

// onSale reports whether an account may choose a plan by itself. One that costs nothing and calls itself by another's name,
// such as house, is given by whoever runs the server.
func onSale(p plan.Plan) bool { return p.Name == p.ReportAs || p.Price > 0 }

// later is what goes when a subscription renews, and what comes in its place.
type later struct {
	Plan     string                  `json:"plan,omitempty"`
	Services map[plan.Service]int64  `json:"services,omitempty"` // base units; what the plan includes is 0
	Ends     map[string][]id.Profile `json:"ends,omitempty"`     // add-ons that profiles have no longer
}

func parseLater(s string) (l later, err error) {
	if s == "" {
		return l, nil
	}
	if err := json.Unmarshal([]byte(s), &l); err != nil {
		return l, fmt.Errorf("read what is scheduled: %w", err)
	}
	return l, nil
}

// String is how it is kept: "" for nothing.
func (l later) String() string {
	if l.empty() {
		return ""
	}
	b, err := json.Marshal(l)
	if err != nil { // there is nothing in it that could fail
		panic(err)
	}
	return string(b)
}

func (l later) empty() bool { return l.Plan == "" && len(l.Services) == 0 && len(l.Ends) == 0 }

func (l later) clone() later {
	out := later{Plan: l.Plan, Services: maps.Clone(l.Services), Ends: map[string][]id.Profile{}}
	if out.Services == nil {
		out.Services = map[plan.Service]int64{}
	}
	for a, ps := range l.Ends {
		out.Ends[a] = slices.Clone(ps)
	}
	return out
}

// tidy drops what would change nothing.
func (l *later) tidy(h holding) {
	if l.Plan == h.plan.Name {
		l.Plan = ""
	}
	maps.DeleteFunc(l.Services, func(s plan.Service, n int64) bool { return max(n, h.plan.Pool.Of(s)) >= h.limit(s) })
	for a, ps := range l.Ends {
		ps = slices.DeleteFunc(ps, func(p id.Profile) bool { return !h.has(a, p) })
		slices.Sort(ps)
		if ps = slices.Compact(ps); len(ps) == 0 {
			delete(l.Ends, a)
		} else {
			l.Ends[a] = ps
		}
	}
}

// after is the holding once what is scheduled has happened. A plan that the catalogue has not any more is not changed to.
func (h holding) after(l later, c *plan.Catalogue) holding {
	out := h.clone()
	if l.Plan != "" {
		if p, err := c.Plan(l.Plan); err == nil {
			out.plan = p
		}
	}
	for s, n := range l.Services {
		out.services[s] = n
	}
	for a, gone := range l.Ends {
		out.addons[a] = slices.DeleteFunc(out.addons[a], func(p id.Profile) bool { return slices.Contains(gone, p) })
	}
	out.tidy()
	return out
}

// wish is what an account asks for: a plan, services or add-ons.
type wish struct {
	plan     string
	services map[plan.Service]int64  // limits in base units
	addons   map[string][]id.Profile // for each one named, all profiles that are to have it
}

// facts are what a wish is judged by.
type facts struct {
	have  holding
	later later
	limit map[plan.Service]int64 // what the account has of each service with what was granted beside
	owned map[id.Profile]bool
	cat   *plan.Catalogue
}

// decide divides a wish into what happens now and what waits for the renewal: more comes now, less comes later. It
// returns Invalid, naming the field, for what cannot be had, and conflict for an account that has a plan not on sale.
func decide(f facts, w wish) (now holding, next later, err error) {
	now, next = f.have.clone(), f.later.clone()
	if !onSale(f.have.plan) {
		return now, next, fault.New(fault.Conflict, "The account is on the plan %s, which whoever runs this server has given it: nothing is sold to it. Ask them for a change", f.have.plan.Name)
	}
	if w.plan != "" {
		if err := f.decidePlan(w.plan, &now, &next); err != nil {
			return now, next, err
		}
	}
	if f.have.plan.Price == 0 && now.plan.Price == 0 {
		switch {
		case len(w.services) > 0 && !f.keeps(w.services):
			return now, next, fault.Field("services", "the limits of the plan %s cannot be changed: move to a plan that costs something first", f.have.plan.ReportAs)
		case len(w.addons) > 0:
			return now, next, fault.Field("addons", "the plan %s has no add-ons: move to a plan that costs something first", f.have.plan.ReportAs)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(w.services)) {
		if err := f.decideService(s, w.services[s], &now, &next); err != nil {
			return now, next, err
		}
	}
	for _, a := range slices.Sorted(maps.Keys(w.addons)) {
		if err := f.decideAddon(a, w.addons[a], &now, &next); err != nil {
			return now, next, err
		}
	}
	now.tidy()
	next.tidy(now)
	return now, next, nil
}

// keeps reports whether limits are those that the account has.
func (f facts) keeps(limits map[plan.Service]int64) bool {
	for s, n := range limits {
		if n != f.limit[s] && n != f.have.limit(s) {
			return false
		}
	}
	return true
}

func (f facts) decidePlan(name string, now *holding, next *later) error {
	p, err := f.cat.Plan(name)
	if err != nil || !onSale(p) {
		var names []string
		for _, p := range f.cat.Plans() {
			if onSale(p) {
				names = append(names, p.Name)
			}
		}
		return fault.Field("plan", "%.40q is not on sale; there are %s", name, strings.Join(names, ", "))
	}
	if p.Price < f.have.plan.Price {
		next.Plan = p.Name
		return nil
	}
	now.plan, next.Plan = p, ""
	return nil
}

func (f facts) decideService(s plan.Service, n int64, now *holding, next *later) error {
	field := "services." + string(s) + ".limit"
	has, included := now.limit(s), now.plan.Pool.Of(s)
	if n == f.limit[s] { // as it is, with what was granted beside
		n = has
	}
	switch {
	case n == has, n == included:
	case n < included:
		return fault.Field(field, "the plan %s includes %s already", now.plan.ReportAs, plan.Show(s, included))
	case !slices.ContainsFunc(f.cat.Tiers(s), func(t plan.Tier) bool { return t.Amount == n }):
		return fault.Field(field, "%s is not sold in %s; the tiers are %s", s.Name(), plan.Show(s, n), tiers(f.cat, s, included))
	}
	delete(next.Services, s)
	switch {
	case n > has:
		now.services[s] = n
	case n < has && n > included:
		next.Services[s] = n
	case n < has:
		next.Services[s] = 0
	}
	return nil
}

// tiers are those that hold more than a plan includes, and what it includes, in a sentence.
func tiers(c *plan.Catalogue, s plan.Service, included int64) string {
	words := []string{plan.Show(s, included)}
	for _, t := range c.Tiers(s) {
		if t.Amount > included {
			words = append(words, plan.Show(s, t.Amount))
		}
	}
	return strings.Join(words, ", ")
}

func (f facts) decideAddon(name string, want []id.Profile, now *holding, next *later) error {
	field := "addons." + name
	if addonOf(f.cat, name).Name == "" {
		var names []string
		for _, a := range f.cat.Addons() {
			names = append(names, a.Name)
		}
		return fault.Field("addons", "%.40q is no add-on; there are %s", name, cmp.Or(strings.Join(names, ", "), "none"))
	}
	for i, p := range want {
		if !f.owned[p] {
			return fault.Field(fmt.Sprintf("%s[%d]", field, i), "%.40q is not a profile of this account", string(p))
		}
	}
	delete(next.Ends, name)
	for _, p := range f.have.addons[name] {
		if !slices.Contains(want, p) {
			next.Ends[name] = append(next.Ends[name], p)
		}
	}
	now.addons[name] = append(now.addons[name], want...)
	return nil
}

// price makes the charges that take an account from one holding to another, from an instant of a cycle on. paid are charges
// of its cycle that nothing was given back of. What was paid in another currency than the catalogue's is given back in that, and
// what takes its place costs its whole share.
func price(c *plan.Catalogue, from, to holding, cycle stretch, at int64, paid []Charge) []Charge {
	had, gets := from.orders(c), to.orders(c)
	other := func(x Charge) bool { return x.Currency != "" && x.Currency != c.Currency() }
	old := byThing(paid)
	things := maps.Clone(gets)
	for t, o := range had {
		if _, still := gets[t]; !still {
			o.cents, o.amount = 0, 0
			things[t] = o
		}
	}
	keys := slices.SortedFunc(maps.Keys(things), compareThings)
	var out []Charge
	for _, t := range keys {
		o := things[t]
		before, was := had[t]
		_, is := gets[t]
		if was && is && before.item == o.item && before.amount == o.amount {
			continue // what it has, it has paid for
		}
		if !is && o.whole { // it may have been used up
			continue
		}
		foreign := map[string][]Charge{}
		for _, x := range old[t] {
			if other(x) {
				foreign[x.Currency] = append(foreign[x.Currency], x)
			}
		}
		out = append(out, settle(o, cycle, at, slices.DeleteFunc(old[t], other))...)
		for _, currency := range slices.Sorted(maps.Keys(foreign)) {
			ended := o
			ended.cents = 0
			out = append(out, settle(ended, cycle, at, foreign[currency])...)
		}
		if once := addonOf(c, t.item).Once; t.kind == AddonFee && !was && once > 0 {
			out = append(out, Charge{Kind: AddonFee, Item: t.item + onceMark, Profile: t.profile, Cents: once, Start: cycle.hourOf(at), End: cycle.to})
		}
	}
	return out
}

// onceMark tells the price of having an add-on made from that of having it.
const onceMark = ":once"

// invoiceOrder is that of the lines of an invoice.
var invoiceOrder = []Kind{PlanFee, ServiceFee, AddonFee, Figure, Discount}

// compareThings is the order of lines on an invoice.
func compareThings(a, b thing) int {
	return cmp.Or(cmp.Compare(slices.Index(invoiceOrder, a.kind), slices.Index(invoiceOrder, b.kind)),
		cmp.Compare(plan.Index(plan.Service(a.item)), plan.Index(plan.Service(b.item))), cmp.Compare(a.item, b.item), cmp.Compare(a.profile, b.profile))
}

// renewal makes the charges of a whole cycle.
func renewal(c *plan.Catalogue, h holding, cycle stretch) []Charge {
	orders := h.orders(c)
	var out []Charge
	for _, t := range slices.SortedFunc(maps.Keys(orders), compareThings) {
		o := orders[t]
		out = append(out, settle(o, cycle, cycle.from, nil)...)
	}
	return out
}
