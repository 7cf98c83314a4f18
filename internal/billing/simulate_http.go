package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

func (s *Service) simulateRoutes() []web.Route {
	return []web.Route{
		web.Handle("POST /account/cost/simulate", "Price a cycle's real use as if the account had another plan, other tiers, add-ons, allocations or a rate card, and say what would have been blocked. Nothing changes.",
			ofOwner, s.postSimulate, web.Tags("cost"), web.MaxBody(1<<20)),
	}
}

type simulateInput struct {
	Plan       *string                       `json:"plan" description:"its name in the catalogue; the present one when not given"`
	Services   map[string]float64            `json:"services" description:"limits by service, each one of its tiers or what the plan includes; the present ones when not given"`
	Addons     map[string][]id.Profile       `json:"addons" description:"by add-on all profiles that have it"`
	Allocation *[]map[string]json.RawMessage `json:"allocation" description:"rows as POST /account/allocation takes them; what is not given is as now, or as it would be in another pool"`
	Basis      string                        `json:"basis" enum:"allocation,use" description:"by what profiles share; the account's choice when not given"`
	Card       json.RawMessage               `json:"card" description:"what customers would have been billed by: the id of a rate card, or one as POST /billing/card takes it, which without profile and tag is for all profiles"`
	Cycle      string                        `json:"cycle" enum:"last,current" description:"last when not given"`
}

// scenario returns Invalid naming the member at fault.
func (in simulateInput) scenario() (x scenario, err error) {
	if in.Plan != nil {
		if x.plan = *in.Plan; x.plan == "" {
			return x, fault.Field("plan", "must not be empty")
		}
	}
	w := wish{services: map[plan.Service]int64{}}
	for _, name := range slices.Sorted(maps.Keys(in.Services)) {
		if err := w.service(name, "services."+name, "services", in.Services[name]); err != nil {
			return x, err
		}
	}
	x.services, x.addons = w.services, in.Addons
	if err := noNull(in.Addons); err != nil {
		return x, err
	}
	if in.Allocation != nil {
		if x.rows = *in.Allocation; len(x.rows) == 0 {
			return x, fault.Field("allocation", "must have at least one row")
		}
	}
	switch x.basis = Basis(in.Basis); x.basis {
	case "", ByAllocation, ByUse:
	default:
		return x, fault.Field("basis", "must be allocation or use")
	}
	switch in.Cycle {
	case "", "last":
		x.last = true
	case "current":
	default:
		return x, fault.Field("cycle", "must be last or current")
	}
	return x, nil
}

type simulateAnswer struct {
	Cycle    cycleAnswer     `json:"cycle"`
	Until    web.Time        `json:"until" description:"how far the cycle is priced: its end, or now"`
	Basis    Basis           `json:"basis"`
	Plan     supposedPlan    `json:"plan"`
	Monthly  int64           `json:"cycle_cents" description:"what a whole cycle of what is supposed costs, in cents of currency; a figure of one's own is not in it"`
	Currency string          `json:"currency" description:"of the catalogue"`
	Totals   []supposedTotal `json:"totals" description:"by currency"`
	Lines    []supposedLine  `json:"lines" description:"they add up to the totals"`
	Blocked  []blockedLine   `json:"blocked" description:"what was used beyond the supposed limits"`

	Statements []supposedStatement `json:"statements" description:"with card: what it would have billed for the cycle"`
}

type supposedPlan struct {
	Real      string `json:"real"`
	Simulated string `json:"simulated"`
}

type supposedTotal struct {
	Currency   string `json:"currency"`
	Real       int64  `json:"real_micro" description:"what it really cost, in ten thousandths of a cent"`
	Simulated  int64  `json:"simulated_micro"`
	Difference int64  `json:"difference_micro" description:"simulated less real"`
}

type supposedLine struct {
	Kind      string     `json:"kind" enum:"service,unallocated,addon,plan,discount"`
	Profile   id.Profile `json:"profile,omitempty"`
	Name      string     `json:"name,omitempty" description:"of the profile"`
	Service   string     `json:"service,omitempty"`
	Item      string     `json:"item,omitempty" description:"the plan, the add-on, or why there is a discount"`
	Currency  string     `json:"currency"`
	Real      int64      `json:"real_micro"`
	Simulated int64      `json:"simulated_micro"`
}

type blockedLine struct {
	Profile id.Profile   `json:"profile"`
	Name    string       `json:"name"`
	Service plan.Service `json:"service"`
	Limit   float64      `json:"limit"`
	Used    float64      `json:"used" description:"of a stock the highest level"`
	Over    float64      `json:"over" description:"used less limit"`
	From    web.Time     `json:"from" description:"when the quarter of an hour began in which the limit was passed; of cycles of long ago the hour"`
	AtLimit usage.Policy `json:"at_limit" description:"the profile's policy: block refuses what is over; pool draws it from what is unallocated as long as that lasts; overage takes and marks it"`
}

func (s *Service) postSimulate(ctx context.Context, who auth.Caller, in simulateInput) (simulateAnswer, error) {
	x, err := in.scenario()
	if err != nil {
		return simulateAnswer{}, err
	}
	if x.card, err = s.cardOf(ctx, who.AccountID, in.Card); err != nil {
		return simulateAnswer{}, err
	}
	r, err := s.simulate(ctx, who.AccountID, x)
	if err != nil {
		return simulateAnswer{}, err
	}
	return r.wire(), nil
}

// wire is a simulation as it is answered: lines that are the same thing stand side by side.
func (r simulation) wire() simulateAnswer {
	out := simulateAnswer{Cycle: cycleAnswer{web.Millis(r.cycle.from), web.Millis(r.cycle.to)}, Until: web.Millis(r.until), Basis: r.basis,
		Plan: supposedPlan{r.had.plan.Name, r.has.plan.Name}, Monthly: r.monthly, Currency: r.currency, Totals: []supposedTotal{}, Lines: []supposedLine{}, Blocked: []blockedLine{}, Statements: wireSupposed(r.statements)}
	lines := map[supposedLine]*supposedLine{} // by what they are, without amounts
	totals := map[string]*supposedTotal{}
	add := func(ls []Line, to func(l *supposedLine, t *supposedTotal, micro int64)) {
		for _, l := range ls {
			key := supposedLine{Kind: wireKind(l.Kind), Profile: l.Profile, Name: r.names[l.Profile], Currency: l.Currency}
			if key.Kind == string(ServiceFee) || key.Kind == string(Unallocated) {
				key.Service = l.Item
			} else {
				key.Item = l.Item
			}
			if lines[key] == nil {
				x := key
				lines[key] = &x
			}
			if totals[l.Currency] == nil {
				totals[l.Currency] = &supposedTotal{Currency: l.Currency}
			}
			to(lines[key], totals[l.Currency], l.Micro)
		}
	}
	add(r.real, func(l *supposedLine, t *supposedTotal, n int64) { l.Real += n; t.Real += n })
	add(r.simulated, func(l *supposedLine, t *supposedTotal, n int64) { l.Simulated += n; t.Simulated += n })
	for _, l := range lines {
		out.Lines = append(out.Lines, *l)
	}
	slices.SortFunc(out.Lines, func(a, b supposedLine) int {
		return cmp.Or(cmp.Compare(slices.Index(kindWords, a.Kind), slices.Index(kindWords, b.Kind)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Profile, b.Profile),
			cmp.Compare(plan.Index(plan.Service(a.Service)), plan.Index(plan.Service(b.Service))), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Currency, b.Currency))
	})
	for _, currency := range slices.Sorted(maps.Keys(totals)) {
		t := totals[currency]
		t.Difference = t.Simulated - t.Real
		out.Totals = append(out.Totals, *t)
	}
	for _, o := range r.over {
		out.Blocked = append(out.Blocked, blockedLine{Profile: o.Profile, Name: r.names[o.Profile], Service: o.Service, Limit: plan.Wire(o.Service, o.Limit),
			Used: plan.Wire(o.Service, o.Used), Over: plan.Wire(o.Service, o.Used-o.Limit), From: web.Millis(o.At), AtLimit: o.AtLimit})
	}
	slices.SortStableFunc(out.Blocked, func(a, b blockedLine) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
