package billing

import (
	"context"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

func (s *Service) budgetRoutes() []web.Route {
	cost := web.Tags("cost")
	return []web.Route{
		web.Handle("GET /account/budget", "List the budgets of the account, with what the running cycle has cost and is expected to.", ofOwner, s.listBudgets, cost),
		web.Handle("POST /account/budget", "Make a budget, for the account or one profile: its owner is told when the cost of a cycle reaches shares of it.", ofOwner, s.postBudget, cost, web.Status(201)),
		web.Handle("GET /account/budget/{id}", "Show a budget.", ofOwner, s.getBudget, cost),
		web.Handle("PUT /account/budget/{id}", "Change a budget; what is absent stays. Another amount tells anew.", ofOwner, s.putBudget, cost),
		web.Handle("DELETE /account/budget/{id}", "Remove a budget.", ofOwner, s.deleteBudget, cost),
	}
}

type budgetInfo struct {
	ID        id.Budget   `json:"id"`
	Profile   *id.Profile `json:"profile" description:"null for the whole account"`
	Name      string      `json:"name,omitempty" description:"of the profile"`
	Amount    int64       `json:"amount" description:"whole cents a cycle"`
	Currency  string      `json:"currency"`
	Shares    []int64     `json:"shares" description:"per cents of the amount at which the owner is told"`
	Forecast  bool        `json:"forecast" description:"the owner is told as soon as the cycle is expected to end above the amount"`
	Cycle     cycleAnswer `json:"cycle" description:"that runs"`
	Spent     int64       `json:"spent_micro" description:"what it has cost to date, in ten thousandths of a cent"`
	Share     int64       `json:"share" description:"per cent of the amount that is, rounded down"`
	Expected  int64       `json:"forecast_micro" description:"what it is expected to have cost at its end"`
	Told      *toldInfo   `json:"last_told" description:"null when nothing was ever told of it"`
	CreatedAt web.Time    `json:"created_at"`
	UpdatedAt web.Time    `json:"updated_at"`
}

type toldInfo struct {
	At     web.Time `json:"at"`
	Share  *int64   `json:"share" description:"null: that the amount is expected to be overrun"`
	Amount int64    `json:"amount" description:"of the budget at that time"`
}

// wireBudgets are budgets of an account as they stand.
func (s *Service) wireBudgets(ctx context.Context, a id.Account, bs []Budget) ([]budgetInfo, error) {
	out := []budgetInfo{}
	if len(bs) == 0 {
		return out, nil
	}
	x, err := s.standingOf(ctx, a)
	if err != nil {
		return nil, err
	}
	told, err := s.lastToldOf(ctx, a)
	if err != nil {
		return nil, err
	}
	ps, err := s.profiles.List(ctx, a)
	if err != nil {
		return nil, err
	}
	names := map[id.Profile]string{}
	for _, p := range ps {
		names[p.ID] = p.Name
	}
	for _, b := range bs {
		sum := x.of(b)
		w := budgetInfo{ID: b.ID, Amount: b.Cents, Currency: b.Currency, Shares: b.Shares, Forecast: b.Forecast, Cycle: cycleAnswer{web.Millis(x.from), web.Millis(x.to)},
			Spent: sum.micro, Share: b.percent(sum.micro), Expected: sum.expected, CreatedAt: web.Millis(b.CreatedAt), UpdatedAt: web.Millis(b.UpdatedAt)}
		if b.Profile != "" {
			w.Profile, w.Name = &b.Profile, names[b.Profile]
		}
		if t, ok := told[b.ID]; ok {
			w.Told = &toldInfo{At: web.Millis(t.at), Amount: t.cents}
			if t.share != overrun {
				w.Told.Share = &t.share
			}
		}
		out = append(out, w)
	}
	return out, nil
}

func (s *Service) listBudgets(ctx context.Context, who auth.Caller, _ struct{}) ([]budgetInfo, error) {
	bs, err := s.budgetsOf(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	return s.wireBudgets(ctx, who.AccountID, bs)
}

type budgetPath struct {
	ID id.Budget `path:"id"`
}

func (s *Service) getBudget(ctx context.Context, who auth.Caller, in budgetPath) (budgetInfo, error) {
	b, err := s.budgetOf(ctx, who.AccountID, in.ID)
	if err != nil {
		return budgetInfo{}, err
	}
	return s.oneBudget(ctx, b)
}

func (s *Service) oneBudget(ctx context.Context, b Budget) (budgetInfo, error) {
	ws, err := s.wireBudgets(ctx, b.Account, []Budget{b})
	if err != nil {
		return budgetInfo{}, err
	}
	return ws[0], nil
}

// budgetFields are the members that may be set.
type budgetFields struct {
	Amount   *int64   `json:"amount" description:"whole cents a cycle"`
	Currency *string  `json:"currency" description:"one that the account is charged in; by itself that of its own figure, else of the catalogue"`
	Shares   *[]int64 `json:"shares" description:"per cents of the amount, 1 to 200, at most 10; 50, 80 and 100 when not given"`
	Forecast *bool    `json:"forecast" description:"tell also as soon as the cycle is expected to end above the amount; false when not given"`
}

// set changes a budget; what is absent stays.
func (s *Service) set(ctx context.Context, f budgetFields, b *Budget) error {
	if f.Amount != nil {
		b.Cents = *f.Amount
	}
	if f.Shares != nil {
		b.Shares = *f.Shares
	}
	if f.Forecast != nil {
		b.Forecast = *f.Forecast
	}
	known, err := s.budgetCurrencies(ctx, b.Account)
	switch {
	case err != nil:
		return err
	case f.Currency != nil:
		had := b.Currency // may be that of a figure which is gone
		if b.Currency = strings.ToLower(*f.Currency); b.Currency != had && !slices.Contains(known, b.Currency) {
			return fault.Field("currency", "%.10q is none that the account is charged in: %s", *f.Currency, strings.Join(known, ", "))
		}
	case b.Currency == "":
		b.Currency = known[0]
	}
	return nil
}

type newBudgetInput struct {
	Profile web.Opt[id.Profile] `json:"profile" description:"null or absent for the whole account"`
	budgetFields
}

func (s *Service) postBudget(ctx context.Context, who auth.Caller, in newBudgetInput) (budgetInfo, error) {
	if in.Amount == nil {
		return budgetInfo{}, fault.Field("amount", "is required: whole cents a cycle")
	}
	b := Budget{Account: who.AccountID, Profile: in.Profile.Or(""), Shares: slices.Clone(defaultShares)}
	if p, given := in.Profile.Get(); given && p == "" {
		return budgetInfo{}, fault.Field("profile", "must be the id of a profile, or null for the whole account")
	}
	if err := s.set(ctx, in.budgetFields, &b); err != nil {
		return budgetInfo{}, err
	}
	b, err := s.AddBudget(ctx, who, b)
	if err != nil {
		return budgetInfo{}, err
	}
	return s.oneBudget(ctx, b)
}

type budgetInput struct {
	ID      id.Budget           `path:"id"`
	Profile web.Opt[id.Profile] `json:"profile" description:"cannot be changed"`
	budgetFields
}

func (s *Service) putBudget(ctx context.Context, who auth.Caller, in budgetInput) (string, error) {
	return "Budget Successfully Updated", s.ChangeBudget(ctx, who, who.AccountID, in.ID, func(b *Budget) error {
		if in.Profile.Set && in.Profile.Or("") != b.Profile {
			return fault.Field("profile", "cannot be changed: make another budget")
		}
		return s.set(ctx, in.budgetFields, b)
	})
}

func (s *Service) deleteBudget(ctx context.Context, who auth.Caller, in budgetPath) (string, error) {
	return "Budget Successfully Removed", s.RemoveBudget(ctx, who, who.AccountID, in.ID)
}
