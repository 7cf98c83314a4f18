package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/plan"
)

// What operators do to subscriptions: any plan at once, and limits beside it. Each change has a reason, which the owner is told.

func (s *Service) operatorRoutes() []web.Route {
	billing := web.Tags("billing")
	return []web.Route{
		web.Handle("GET /billing/account/{id}", "What an account is subscribed to, what waits for its renewal, and what was granted to it. For operators, signed in.", auth.SessionOnly, s.getAccount, billing),
		web.Handle("PUT /billing/account/{id}/plan", "Moves an account to any plan at once. For operators, signed in.", auth.SessionOnly, s.putPlan, billing),
		web.Handle("PUT /billing/account/{id}/override/{kind}/{name}", "Sets a limit of an account whatever its plan says: of a service, a cap or a group of rates. For operators, signed in.", auth.SessionOnly, s.putOverride, billing),
		web.Handle("DELETE /billing/account/{id}/override/{kind}/{name}", "Ends such a limit: the plan's counts again. For operators, signed in.", auth.SessionOnly, s.deleteOverride, billing),
	}
}

// overrideResult is a plan.Override on the wire.
type overrideResult struct {
	Kind   string     `json:"kind" enum:"service,cap,rate"`
	Name   string     `json:"name"`
	Amount float64    `json:"amount" description:"of a service in its own unit"`
	Reason string     `json:"reason"`
	By     id.Account `json:"by"`
	At     web.Time   `json:"at"`
	Until  *web.Time  `json:"until"`
	Ended  bool       `json:"ended"`
}

type accountResult struct {
	Account      id.Account       `json:"account"`
	Name         string           `json:"name"`
	Email        string           `json:"email"`
	Subscription Subscription     `json:"subscription"`
	Schedule     Schedule         `json:"schedule"`
	Overrides    []overrideResult `json:"overrides"`
	Invoices     []InvoiceRow     `json:"invoices" description:"the latest ten"`
}

func (s *Service) getAccount(ctx context.Context, who auth.Caller, in invoicePath) (accountResult, error) {
	if err := operator(who); err != nil {
		return accountResult{}, err
	}
	st, err := s.read(ctx, id.Account(in.ID))
	if err != nil {
		return accountResult{}, err
	}
	out := accountResult{Account: st.acc.ID, Name: st.acc.Name, Email: st.acc.Email, Overrides: []overrideResult{}}
	for _, o := range st.terms.Overrides {
		r := overrideResult{Kind: o.Kind, Name: o.Name, Amount: float64(o.Amount), Reason: o.Reason, By: id.Account(o.By), At: web.Millis(o.At), Until: optionalTime(o.Until), Ended: o.Until != 0 && o.Until <= st.now}
		if o.Kind == plan.OverrideService {
			r.Amount = plan.Wire(plan.Service(o.Name), o.Amount)
		}
		out.Overrides = append(out.Overrides, r)
	}
	if out.Subscription, err = s.subscription(ctx, st, in.Request.Public); err != nil {
		return out, err
	}
	if out.Schedule, err = s.schedule(ctx, st); err != nil {
		return out, err
	}
	xs, err := s.invoices(ctx, st.acc.ID, "", 0, 10, 0)
	out.Invoices = []InvoiceRow{}
	for _, x := range xs {
		out.Invoices = append(out.Invoices, s.invoiceRow(x))
	}
	return out, err
}

func (s *Service) putPlan(ctx context.Context, who auth.Caller, in struct {
	ID     string `path:"id"`
	Plan   string `json:"plan" required:"true" description:"any plan of the catalogue"`
	Charge string `json:"charge" enum:"prorated,none" description:"prorated (default): what it costs for the rest of the cycle less what was paid; none: nothing before the renewal"`
	Reason string `json:"reason" required:"true" description:"the account reads it"`
}) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	reason, err := reasonOf(in.Reason)
	if err != nil {
		return "", err
	}
	if in.Charge != "" && in.Charge != "prorated" && in.Charge != "none" {
		return "", fault.Field("charge", "must be prorated or none")
	}
	return s.SetPlan(ctx, who, id.Account(in.ID), in.Plan, in.Charge != "none", reason)
}

// SetPlan moves an account to any plan of the catalogue at once, and tells it why. With charge, what the plan costs for the rest
// of the cycle is charged, and what was paid for what it replaces is given back; without, the next renewal is the first to
// charge it. What waited for the renewal is forgotten. It returns Invalid for a plan that does not exist.
func (s *Service) SetPlan(ctx context.Context, who auth.Caller, a id.Account, name string, charge bool, reason string) (string, error) {
	op := id.New[id.Charge]()
	var answer string
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		st, err := s.hold(ctx, a)
		if err != nil {
			return err
		}
		p, ok := byName(st.cat, name)
		if !ok {
			return fault.Field("plan", "there is no plan %q", name)
		}
		if st.have.plan.Name == name && st.later.Plan == "" {
			answer = fmt.Sprintf("Nothing to change: the account is on plan %s already", name)
			return nil
		}
		to := st.have.clone()
		to.plan = p
		to.tidy()
		next := st.later.clone()
		next.Plan = ""
		next.tidy(to)
		message := "Plan set to " + name
		if reason != "" {
			message += ": " + reason
		}
		was := st.have.plan.Name
		if answer, err = s.move(ctx, operatorOf(who), &st, move{op: string(op), to: to, next: next, charge: charge, why: message}); err != nil || was == name {
			return err
		}
		return s.tellOwner(ctx, a, "Your plan was changed", fmt.Sprintf("Your account was moved from the plan %s to %s by whoever runs this server%s.", was, name, because(reason)))
	})
	return answer, err
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + strings.TrimRight(reason, ".")
}

func byName(c *plan.Catalogue, name string) (plan.Plan, bool) {
	for _, p := range c.Plans() {
		if p.Name == name {
			return p, true
		}
	}
	return plan.Plan{}, false
}

func (s *Service) tellOwner(ctx context.Context, a id.Account, title, message string) error {
	return s.notify.Raise(ctx, notify.Event{To: []id.Account{a}, Kind: notify.Billing, Title: title, Items: []notify.Item{{Message: message}}, Page: subscriptionPage, Action: "See your subscription"})
}

type overridePath struct {
	ID     string `path:"id"`
	Kind   string `path:"kind" enum:"service,cap,rate"`
	Name   string `path:"name" description:"a service, a resource with a cap, or a group of rates"`
	Reason string `json:"reason" required:"true" description:"the account reads it"`
}

func (s *Service) putOverride(ctx context.Context, who auth.Caller, in struct {
	overridePath
	Amount json.RawMessage `json:"amount" required:"true" description:"in the unit of the service, things, or requests a minute; \"unlimited\" for no limit"`
	Until  *string         `json:"until" description:"when it ends by itself: a date, or an age such as 3 month; null or never for no end"`
}) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	reason, err := reasonOf(in.Reason)
	if err != nil {
		return "", err
	}
	o := plan.Override{Kind: in.Kind, Name: in.Name, Reason: reason, By: string(who.AccountID), At: s.now()}
	if o.Amount, err = amountOf(in.Kind, in.Name, in.Amount); err != nil {
		return "", err
	}
	if in.Until != nil {
		t, err := web.ParseExpire(*in.Until, s.clock.Now())
		if err != nil {
			return "", fault.Field("until", "%v", err)
		}
		if t != nil {
			o.Until = t.UnixMilli()
		}
	}
	if err := o.Check(s.plans); err != nil {
		return "", err
	}
	return s.override(ctx, who, id.Account(in.ID), o, false)
}

// amountOf reads the amount of an override into base units.
func amountOf(kind, name string, raw json.RawMessage) (int64, error) {
	text := strings.TrimSpace(string(raw))
	if text == "" || text == "null" {
		return 0, fault.Field("amount", "is missing")
	}
	if text == `"unlimited"` {
		return plan.Unlimited, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fault.Field("amount", `must be a number or "unlimited"`)
	}
	svc := plan.Service("")
	if kind == plan.OverrideService {
		svc = plan.Service(name)
	}
	n, ok := plan.FromWire(svc, v)
	if !ok {
		return 0, fault.Field("amount", `must be a whole number from 0 up, or "unlimited"`)
	}
	return n, nil
}

func (s *Service) deleteOverride(ctx context.Context, who auth.Caller, in struct{ overridePath }) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	reason, err := reasonOf(in.Reason)
	if err != nil {
		return "", err
	}
	return s.override(ctx, who, id.Account(in.ID), plan.Override{Kind: in.Kind, Name: in.Name, Reason: reason}, true)
}

// override sets or ends a limit that an operator grants, and tells the owner. It returns not_found for the end of one that there
// is not.
func (s *Service) override(ctx context.Context, who auth.Caller, a id.Account, o plan.Override, end bool) (string, error) {
	answer := "Override Successfully Set"
	if end {
		answer = "Override Successfully Removed"
	}
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		st, err := s.hold(ctx, a)
		if err != nil {
			return err
		}
		same := func(x plan.Override) bool { return x.Kind == o.Kind && x.Name == o.Name }
		terms := st.terms
		terms.Overrides = slices.Clone(terms.Overrides)
		before := any(nil)
		if i := slices.IndexFunc(terms.Overrides, same); i >= 0 {
			old := terms.Overrides[i]
			before = old
			if !end && old.Amount == o.Amount && old.Until == o.Until && old.Reason == o.Reason {
				answer = "Nothing to change: the limit is so already"
				return nil
			}
		} else if end {
			return fault.New(fault.NotFound, "Override Not Found: the account has none for the %s %s", o.Kind, o.Name)
		}
		terms.Overrides = slices.DeleteFunc(terms.Overrides, same)
		what, after := "is that of the plan again", any(nil)
		if !end {
			terms.Overrides = append(terms.Overrides, o)
			after = o
			what = "is " + showOverride(o)
			if o.Until != 0 {
				what += " until " + day(o.Until)
			}
		}
		text := fmt.Sprintf("Limit of the %s %s %s", o.Kind, o.Name, what)
		if err := s.accounts.SetTerms(ctx, operatorOf(who), account.TermsChange{Account: a, Plan: st.acc.Plan, Terms: terms.String(), Anchor: st.acc.Anchor,
			Message: text + ": " + o.Reason, Before: before, After: after}); err != nil {
			return err
		}
		return s.tellOwner(ctx, a, "A limit of your account was changed", fmt.Sprintf("%s, set by whoever runs this server%s.", text, because(o.Reason)))
	})
	return answer, err
}

func showOverride(o plan.Override) string {
	svc := plan.Service("")
	if o.Kind == plan.OverrideService {
		svc = plan.Service(o.Name)
	}
	return plan.Show(svc, o.Amount)
}
