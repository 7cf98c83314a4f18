package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"paddock/internal/kit/fault"
)

// Terms are what an account has beyond its plan: what it bought, and what an operator granted or took.
type Terms struct {
	// Services are the tiers it bought, in base units, where they hold more than the plan's pool.
	Services  map[Service]int64 `json:"services,omitempty"`
	Overrides []Override        `json:"overrides,omitempty"` // of several for the same limit the last one counts
}

// Override is a limit that an operator set for one account, whatever its plan says.
type Override struct {
	Kind   string `json:"kind"`   // OverrideService, OverrideCap or OverrideRate
	Name   string `json:"name"`   // a service, a capped resource, or a group of rates
	Amount int64  `json:"amount"` // base units, things, or requests a minute; Unlimited for no limit
	Reason string `json:"reason"`
	By     string `json:"by"`    // the account of the operator
	At     int64  `json:"at"`    // UTC milliseconds when it was set
	Until  int64  `json:"until"` // UTC milliseconds from which on it counts no more; 0 for no end
}

// Kinds of Override.
const (
	OverrideService = "service" // of dashboard_output what each profile has, else the account's pool
	OverrideCap     = "cap"
	OverrideRate    = "rate"
)

// Check returns an Invalid fault that names the member at fault: a limit that there is not, or a number that none can have.
func (o Override) Check(c *Catalogue) error {
	switch o.Kind {
	case OverrideService:
		if Index(Service(o.Name)) < 0 {
			return fault.Field("name", "%q is not a service", o.Name)
		}
	case OverrideCap:
		if !slices.Contains(Resources, Resource(o.Name)) {
			return fault.Field("name", "%q is not a resource with a cap", o.Name)
		}
		if o.Name == string(Profiles) && o.Amount < 1 {
			return fault.Field("amount", "must be at least 1: every account has a profile")
		}
	case OverrideRate:
		if !slices.Contains(c.Groups(), o.Name) {
			return fault.Field("name", "%q is not a group of rates", o.Name)
		}
	default:
		return fault.Field("kind", "must be service, cap or rate")
	}
	if o.Amount < 0 || o.Amount > Unlimited {
		return fault.Field("amount", "must be from 0 to %d", Unlimited)
	}
	if o.Until != 0 && o.Until <= o.At {
		return fault.Field("until", "must be in the future")
	}
	return nil
}

// ended reports whether o counts no more at an instant.
func (o Override) ended(now int64) bool { return o.Until != 0 && o.Until <= now }

// ParseTerms reads what String wrote; "" are no terms.
func ParseTerms(s string) (Terms, error) {
	var t Terms
	if s == "" {
		return t, nil
	}
	if err := json.Unmarshal([]byte(s), &t); err != nil {
		return Terms{}, fmt.Errorf("read terms: %w", err)
	}
	return t, nil
}

// String is the terms as they are kept with an account: "" for none.
func (t Terms) String() string {
	if len(t.Services) == 0 && len(t.Overrides) == 0 {
		return ""
	}
	b, err := json.Marshal(t)
	if err != nil { // there is nothing in it that could fail
		panic(err)
	}
	return string(b)
}

// Until is when the terms change by themselves next after an instant: the end of the first override that has not ended yet.
// It is 0 for never.
func (t Terms) Until(now int64) int64 {
	next := int64(math.MaxInt64)
	for _, o := range t.Overrides {
		if o.Until > now {
			next = min(next, o.Until)
		}
	}
	if next == math.MaxInt64 {
		return 0
	}
	return next
}

// TermsUntil is ParseTerms and Until, for whoever keeps terms without knowing them.
func TermsUntil(terms string, now int64) (int64, error) {
	t, err := ParseTerms(terms)
	return t.Until(now), err
}

// Ceiling is an override of a group of rates.
type Ceiling struct{ PerMinute, Until int64 }

// Ceilings are the overrides of rates that have not ended at an instant, by group; nil when there are none.
func (t Terms) Ceilings(now int64) map[string]Ceiling {
	var out map[string]Ceiling
	for _, o := range t.Overrides {
		if o.Kind == OverrideRate && !o.ended(now) {
			if out == nil {
				out = map[string]Ceiling{}
			}
			out[o.Name] = Ceiling{o.Amount, o.Until}
		}
	}
	return out
}

// With is the plan as it is for an account with these terms at an instant: tiers that hold more than the plan's pool take
// its place, then overrides that have not ended. Whether a plan has room for what exists is for others to see.
func (p Plan) With(t Terms, now int64) Plan {
	if len(t.Services) == 0 && len(t.Overrides) == 0 {
		return p
	}
	for svc, n := range t.Services {
		if i := Index(svc); i >= 0 && i < len(Services) {
			p.Pool[i] = max(p.Pool[i], min(n, Unlimited))
		}
	}
	p.Caps, p.Rates = maps.Clone(p.Caps), slices.Clone(p.Rates)
	for _, o := range t.Overrides {
		if o.ended(now) {
			continue
		}
		switch o.Kind {
		case OverrideService:
			if i := Index(Service(o.Name)); i >= 0 {
				p.Pool[i] = o.Amount
			}
		case OverrideCap:
			p.Caps[Resource(o.Name)] = o.Amount
		case OverrideRate:
			p.Rates = slices.DeleteFunc(p.Rates, func(r Rate) bool { return r.Group == o.Name })
			if o.Amount >= Unlimited || p.of == nil {
				continue
			}
			for _, r := range p.of.group(o.Name) {
				r.PerMinute = o.Amount
				p.Rates = append(p.Rates, r)
			}
		}
	}
	return p
}
