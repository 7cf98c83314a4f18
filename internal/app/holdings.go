package app

import (
	"context"
	"fmt"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/plan"
)

// holdings are the profiles of an account with what they hold, for whoever is about to delete it.
func (a *App) holdings(ctx context.Context, owner id.Account) ([]account.Holding, error) {
	ps, err := a.profiles.List(ctx, owner)
	if err != nil {
		return nil, err
	}
	counters := a.counters()
	out := make([]account.Holding, len(ps))
	for i, p := range ps {
		out[i] = account.Holding{Profile: p.ID, Name: p.Name, Amounts: make([]account.Amount, 0, len(counters))}
		for _, c := range counters {
			n, err := c.count(ctx, p.ID)
			if err != nil {
				return nil, fmt.Errorf("count the %s of profile %s: %w", c.what, p.ID, err)
			}
			out[i].Amounts = append(out[i].Amounts, account.Amount{What: c.what, One: c.one, Amount: n})
		}
	}
	return out, nil
}

// counter counts one kind of thing that a profile holds. Rooms that add a kind add a line to counters.
type counter struct {
	what  string // in the plural
	one   string
	count func(ctx context.Context, p id.Profile) (int64, error)
}

func (a *App) counters() []counter {
	resource := func(r plan.Resource) func(context.Context, id.Profile) (int64, error) {
		return func(ctx context.Context, p id.Profile) (int64, error) {
			m, err := a.usage.Amounts(ctx, p)
			return m[r], err
		}
	}
	return []counter{
		{"devices", "device", resource(plan.Devices)},
		{"points", "point", func(ctx context.Context, p id.Profile) (int64, error) {
			c, err := a.usage.Current(ctx, p)
			return c.Used[plan.Index(plan.DataRecords)], err
		}},
		{"dashboards", "dashboard", resource(plan.Dashboards)},
		{"tokens", "token", a.tokens.Count},
	}
}
