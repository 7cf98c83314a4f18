package plan

import (
	"context"

	"paddock/internal/auth"
	"paddock/internal/kit/web"
)

// Routes are the routes of this room.
func (c *Catalogue) Routes() []web.Route {
	rule := auth.Rule{Kinds: []auth.Kind{auth.Session, auth.Profile}}
	return []web.Route{
		web.Handle("GET /pricing", "What plans, add-ons and tiers of services cost, in whole cents a month.", rule, c.pricing, web.Tags("billing")),
	}
}

type price struct {
	Name  string `json:"name"`
	Price int64  `json:"price"`
}

type tierPrice struct {
	Amount float64 `json:"amount"`
	Price  int64   `json:"price"`
}

// pricing lists the plans the client knows; a house plan, which costs nothing and reports as another, is none
// that anybody could buy.
func (c *Catalogue) pricing(context.Context, auth.Caller, struct{}) (map[string]any, error) {
	now := c.now.Load()
	plans, addons := []price{}, []price{}
	for _, p := range now.plans {
		if p.Name == p.ReportAs {
			plans = append(plans, price{p.Name, p.Price})
		}
	}
	for _, a := range now.addons {
		addons = append(addons, price{a.Name, a.Price})
	}
	out := map[string]any{"plans": plans, "addons": addons}
	for _, s := range Services {
		tiers := []tierPrice{}
		for _, t := range now.tiers[s] {
			tiers = append(tiers, tierPrice{Wire(s, t.Amount), t.Price})
		}
		out[string(s)] = tiers
	}
	return out, nil
}
