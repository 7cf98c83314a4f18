package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

func (s *Service) subscriptionRoutes() []web.Route {
	billing := web.Tags("billing")
	return []web.Route{
		web.Handle("GET /account/subscription", "What the account is subscribed to, the cycle that runs, and what the next one will cost.", ofOwner, s.getSubscription, billing),
		web.Handle("POST /account/subscription", "Changes exactly one of plan, services and add-ons. What is more comes at once and is charged for the rest of the cycle; what is less waits for the renewal. A retry with the same Idempotency-Key is answered as the first time.", ofOwner, s.postSubscription, billing),
		web.Handle("GET /account/subscription/schedule", "What the subscription will be after its renewal, where that changes it.", ofOwner, s.getSchedule, billing),
		web.Handle("DELETE /account/subscription/schedule", "Cancels what waits for the renewal.", ofOwner, s.deleteSchedule, billing),
		web.Handle("GET /account/subscription/summary", "Whether something of the subscription needs attention. Without a subscription there is no result.", ofOwner, s.getSummary, billing),
		web.Handle("GET /account/subscription/coupon/{code}", "A coupon: there are none.", ofOwner, s.getCoupon, billing),
		web.Handle("POST /account/subscription/pending/retry", "Would retry a payment by card: none is ever pending.", ofOwner, s.noPending, billing),
		web.Handle("POST /account/subscription/pending/cancel", "Would cancel a payment by card: none is ever pending.", ofOwner, s.noPending, billing),
		web.Handle("GET /pricing/prorated", "What each plan, add-on and tier would cost the account if it bought it now, for the rest of the cycle, less what it has paid for what that replaces.", ofOwner, s.getProrated, billing),
		web.Handle("GET /account/plan", "The plan of the account.", ofOwner, s.getPlan, billing),
		web.Handle("POST /account/plan", "Changes the plan and the limits of some services, as POST /account/subscription does for each.", ofOwner, s.postPlan, billing),
	}
}

type limitOf struct {
	Limit  float64  `json:"limit"`
	Change *float64 `json:"proportional_change,omitempty" description:"by how much the allocations of all profiles will change in sum; 0 when they fit already"`
}

type cycleResult struct {
	Start web.Time `json:"start"`
	End   web.Time `json:"end"`
}

type paymentError struct {
	Message *string `json:"message"`
	Details *string `json:"details"`
}

type pastDueResult struct {
	Due      int64     `json:"amount_due" description:"in the currency of the invoice that was due first"`
	Currency string    `json:"currency" description:"of amount_due"`
	Amounts  []balance `json:"amounts" description:"what is due in every currency, that of amount_due first; empty for nothing"`
	Attempts int64     `json:"attempt_count"`
	URL      string    `json:"invoice_url" description:"of the invoice that was due first"`
}

// Subscription is GET /account/subscription.
type Subscription struct {
	Account    id.Account              `json:"account"`
	Plan       string                  `json:"plan" description:"free, starter or scale: what the client knows"`
	PlanName   string                  `json:"plan_name" description:"as the catalogue calls it"`
	Services   map[string]limitOf      `json:"services"`
	Addons     map[string][]id.Profile `json:"addons"`
	Cycle      cycleResult             `json:"current_cycle"`
	Processing bool                    `json:"processing"`
	Error      paymentError            `json:"payment_error"`
	PastDue    pastDueResult           `json:"past_due"`
	Upcoming   int64                   `json:"upcoming_invoice_total" description:"whole cents, of the next renewal"`
	Currency   string                  `json:"currency"`
	Payment    Payment                 `json:"payment" description:"none: nothing is asked for; manual: by invoice"`
	TrialEnd   *web.Time               `json:"trial_end"`
}

// limits are those of a holding, with what was granted beside where grants is not nil.
func limits(h holding, granted map[plan.Service]int64) map[string]limitOf {
	out := map[string]limitOf{}
	for _, svc := range plan.Services {
		n := h.limit(svc)
		if g, ok := granted[svc]; ok {
			n = g
		}
		out[string(svc)] = limitOf{Limit: plan.Wire(svc, n)}
	}
	return out
}

// allAddons are those of a holding, with an empty list for each that nobody has.
func allAddons(c *plan.Catalogue, h holding) map[string][]id.Profile {
	out := map[string][]id.Profile{}
	for _, a := range c.Addons() {
		out[a.Name] = []id.Profile{}
	}
	maps.Copy(out, h.addons)
	return out
}

func (s *Service) getSubscription(ctx context.Context, who auth.Caller, in struct{ Request *web.Request }) (Subscription, error) {
	st, err := s.read(ctx, who.AccountID)
	if err != nil {
		return Subscription{}, err
	}
	return s.subscription(ctx, st, in.Request.Public)
}

func (s *Service) subscription(ctx context.Context, st state, public string) (Subscription, error) {
	due, first, err := s.pastDue(ctx, st.acc.ID)
	if err != nil {
		return Subscription{}, err
	}
	out := Subscription{Account: st.acc.ID, Plan: st.have.plan.ReportAs, PlanName: st.have.plan.Name, Services: limits(st.have, st.limit), Addons: allAddons(st.cat, st.have),
		Cycle: cycleResult{web.Millis(st.cycle.from), web.Millis(st.cycle.to)}, Upcoming: st.have.after(st.later, st.cat).cycle(st.cat),
		Currency: st.cat.Currency(), Payment: s.config.Payment, PastDue: pastDueResult{Currency: st.cat.Currency(), Amounts: append([]balance{}, due...)}}
	if len(due) > 0 {
		out.PastDue.Due, out.PastDue.Currency = due[0].Amount, due[0].Currency
		out.PastDue.URL = public + "/account/invoice/" + string(first) + "/page"
	}
	return out, nil
}

type subscriptionInput struct {
	Plan     *string `json:"plan" description:"its name in the catalogue"`
	Services *map[string]struct {
		Limit *float64 `json:"limit"`
	} `json:"services" description:"limits by service, each one of its tiers or what the plan includes"`
	Addons  *map[string][]id.Profile `json:"addons" description:"by add-on all profiles that are to have it"`
	Coupon  *string                  `json:"coupon" description:"there are none"`
	Request *web.Request
}

func (s *Service) postSubscription(ctx context.Context, who auth.Caller, in subscriptionInput) (string, error) {
	given := 0
	for _, there := range []bool{in.Plan != nil, in.Services != nil, in.Addons != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return "", fault.Field("plan", "give exactly one of plan, services and addons, not %d of them", given)
	}
	if in.Coupon != nil && *in.Coupon != "" {
		return "", fault.Field("coupon", "there is no coupon %.40q: this server has none", *in.Coupon)
	}
	var w wish
	switch {
	case in.Plan != nil:
		if w.plan = *in.Plan; w.plan == "" {
			return "", fault.Field("plan", "must not be empty")
		}
	case in.Services != nil:
		w.services = map[plan.Service]int64{}
		for _, name := range slices.Sorted(maps.Keys(*in.Services)) {
			limit := (*in.Services)[name].Limit
			if limit == nil {
				return "", fault.Field("services."+name+".limit", "is missing")
			}
			if err := w.service(name, "services."+name+".limit", "services", *limit); err != nil {
				return "", err
			}
		}
		if len(w.services) == 0 {
			return "", fault.Field("services", "must name at least one")
		}
	default:
		if w.addons = *in.Addons; len(w.addons) == 0 {
			return "", fault.Field("addons", "must name at least one")
		}
		if err := noNull(w.addons); err != nil {
			return "", err
		}
	}
	return s.ask(ctx, who, requestOf(in.Request), w)
}

// noNull returns Invalid for an add-on with null where the list of its profiles must be: it would end for all of them.
func noNull(addons map[string][]id.Profile) error {
	for _, name := range slices.Sorted(maps.Keys(addons)) {
		if addons[name] == nil {
			return fault.Field("addons."+name, "must be a list of profiles; [] for none")
		}
	}
	return nil
}

// service adds the limit of a service to a wish.
func (w *wish) service(name, field, unknown string, limit float64) error {
	svc := plan.Service(name)
	if !slices.Contains(plan.Services, svc) {
		return fault.Field(unknown, "%.40q is not a service that is sold", name)
	}
	n, ok := plan.FromWire(svc, limit)
	if !ok {
		return fault.Field(field, "must be a whole number from 0 up")
	}
	w.services[svc] = n
	return nil
}

// requestOf is what makes a request the same as another.
func requestOf(r *web.Request) request {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", r.Route.Method, r.Route.Pattern)
	h.Write(r.Body)
	return request{key: r.HTTP.Header.Get("Idempotency-Key"), body: hex.EncodeToString(h.Sum(nil))}
}

// Schedule is GET /account/subscription/schedule.
type Schedule struct {
	Account   id.Account    `json:"account"`
	ReleaseAt *web.Time     `json:"release_at" description:"when the subscription renews; null when that changes nothing"`
	Then      scheduledPart `json:"subscription"`
}

type scheduledPart struct {
	Plan     string                  `json:"plan"`
	PlanName string                  `json:"plan_name"`
	Services map[string]limitOf      `json:"services"`
	Addons   map[string][]id.Profile `json:"addons"`
}

func (s *Service) getSchedule(ctx context.Context, who auth.Caller, _ struct{}) (Schedule, error) {
	st, err := s.read(ctx, who.AccountID)
	if err != nil {
		return Schedule{}, err
	}
	return s.schedule(ctx, st)
}

func (s *Service) schedule(ctx context.Context, st state) (Schedule, error) {
	then := st.have.after(st.later, st.cat)
	out := Schedule{Account: st.acc.ID, Then: scheduledPart{Plan: then.plan.ReportAs, PlanName: then.plan.Name, Services: limits(then, nil), Addons: allAddons(st.cat, then)}}
	if !st.later.empty() {
		t := web.Millis(st.cycle.to)
		out.ReleaseAt = &t
	}
	allocations, err := s.usage.Allocations(ctx, st.acc.ID)
	if err != nil {
		return out, err
	}
	pool := then.plan.With(plan.Terms{Services: then.services, Overrides: st.terms.Overrides}, st.cycle.to).Pool
	for i, svc := range plan.Services {
		var sum int64
		for _, a := range allocations {
			sum = min(sum+a.Amounts[i], plan.Unlimited)
		}
		var change float64
		if sum > pool[i] {
			change = -plan.Wire(svc, sum-pool[i])
		}
		l := out.Then.Services[string(svc)]
		l.Limit, l.Change = plan.Wire(svc, pool[i]), &change
		out.Then.Services[string(svc)] = l
	}
	return out, nil
}

func (s *Service) deleteSchedule(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	return "Scheduled changes Successfully Cancelled", s.cancelLater(ctx, who)
}

type summaryResult struct {
	Processing bool          `json:"processing"`
	Error      *paymentError `json:"payment_error"`
	PastDue    bool          `json:"past_due"`
	NoBalance  bool          `json:"not_enough_balance"`
	Schedule   bool          `json:"schedule"`
}

func (s *Service) getSummary(ctx context.Context, who auth.Caller, _ struct{}) (web.Reply, error) {
	st, err := s.read(ctx, who.AccountID)
	if err != nil {
		return web.Reply{}, err
	}
	due, _, err := s.pastDue(ctx, who.AccountID)
	if err != nil || !st.row && len(due) == 0 {
		return web.Reply{}, err
	}
	return web.Reply{Result: summaryResult{PastDue: len(due) > 0, Schedule: !st.later.empty()}}, nil
}

func (s *Service) getCoupon(_ context.Context, _ auth.Caller, in struct {
	Code string `path:"code"`
}) (web.None, error) {
	return web.None{}, fault.New(fault.NotFound, "Coupon Not Found: this server has no coupons")
}

func (s *Service) noPending(context.Context, auth.Caller, struct{}) (string, error) {
	return "", fault.New(fault.Conflict, "No payment is pending: changes are made at once, and invoices are paid outside of this server")
}

type priceOf struct {
	Name  string `json:"name"`
	Price int64  `json:"price"`
}

type tierOf struct {
	Amount float64 `json:"amount"`
	Price  int64   `json:"price"`
}

// getProrated answers like GET /pricing. What the account has, or more, costs nothing.
func (s *Service) getProrated(ctx context.Context, who auth.Caller, _ struct{}) (map[string]any, error) {
	st, err := s.read(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	paid, err := s.paid(ctx, who.AccountID, st.now)
	if err != nil {
		return nil, err
	}
	cost := func(to holding) int64 {
		cycle := st.cycle
		if st.have.plan.Price == 0 && st.acc.Anchor == 0 { // it would begin now
			cycle.from = st.now - st.now%quarter
		}
		_, of := byCurrencies(price(st.cat, st.have, to, cycle, st.now, paid), st.cat.Currency())
		return sumOf(of[st.cat.Currency()])
	}
	plans, addons := []priceOf{}, []priceOf{}
	for _, p := range st.cat.Plans() {
		if !onSale(p) {
			continue
		}
		to := st.have.clone()
		if p.Price >= st.have.plan.Price {
			to.plan = p
			to.tidy()
		}
		plans = append(plans, priceOf{p.Name, cost(to)})
	}
	out := map[string]any{}
	// On a plan that costs nothing the others can be bought once one has a plan that does: for a whole cycle.
	base := st.have.clone()
	for _, a := range st.cat.Addons() {
		to := base.clone()
		to.addons[a.Name] = append(to.addons[a.Name], "a profile that has it not")
		addons = append(addons, priceOf{a.Name, cost(to)})
	}
	for _, svc := range plan.Services {
		tiers := []tierOf{}
		for _, t := range st.cat.Tiers(svc) {
			to := base.clone()
			if t.Amount > base.limit(svc) {
				to.services[svc] = t.Amount
			}
			tiers = append(tiers, tierOf{plan.Wire(svc, t.Amount), cost(to)})
		}
		out[string(svc)] = tiers
	}
	out["plans"], out["addons"] = plans, addons
	return out, nil
}

type planResult struct {
	Plan      string    `json:"plan"`
	Name      string    `json:"plan_name"`
	CreatedAt web.Time  `json:"created_at" description:"of the cycle that runs"`
	EndDate   *web.Time `json:"end_date" description:"when it renews; null for a plan that costs nothing"`
}

func (s *Service) getPlan(ctx context.Context, who auth.Caller, _ struct{}) (planResult, error) {
	st, err := s.read(ctx, who.AccountID)
	if err != nil {
		return planResult{}, err
	}
	out := planResult{Plan: st.have.plan.ReportAs, Name: st.have.plan.Name, CreatedAt: web.Millis(st.cycle.from)}
	if st.row {
		t := web.Millis(st.cycle.to)
		out.EndDate = &t
	}
	return out, nil
}

type planInput struct {
	Plan     string   `json:"plan" required:"true"`
	SMS      *float64 `json:"sms"`
	Email    *float64 `json:"email"`
	Records  *float64 `json:"data_records"`
	Requests *float64 `json:"device_request" description:"is not sold any more: input and output are"`
	Analysis *float64 `json:"analysis"`
	Request  *web.Request
}

func (s *Service) postPlan(ctx context.Context, who auth.Caller, in planInput) (string, error) {
	if in.Plan == "" {
		return "", fault.Field("plan", "is missing")
	}
	if in.Requests != nil {
		return "", fault.Field("device_request", "is not sold any more: change input and output by POST /account/subscription")
	}
	w := wish{plan: in.Plan, services: map[plan.Service]int64{}}
	for _, v := range []struct {
		name  string
		limit *float64
	}{{"sms", in.SMS}, {"email", in.Email}, {"data_records", in.Records}, {"analysis", in.Analysis}} {
		if v.limit != nil {
			if err := w.service(v.name, v.name, v.name, *v.limit); err != nil {
				return "", err
			}
		}
	}
	return s.ask(ctx, who, requestOf(in.Request), w)
}
