package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// OwnFigure is what an owner says that everything costs a cycle: the rent of the server, for example. It becomes a charge of
// each cycle for each service that a part of it falls to.
type OwnFigure struct {
	Amount   int64 // cents a cycle
	Currency string
	Shares   map[plan.Service]int64 // per cent; together 100
	Version  int64                  // counts changes
	Charged  int64                  // UTC milliseconds: how far it has become charges
	Updated  int64                  // UTC milliseconds
}

const mostFigure = int64(1e11) // cents: a thousand million a cycle

var currencyForm = regexp.MustCompile(`^[a-z]{3}$`)

// check returns Invalid naming the member at fault.
func (f OwnFigure) check() error {
	if f.Amount < 1 || f.Amount > mostFigure {
		return fault.Field("amount", "must be from 1 to %d cents a month", mostFigure)
	}
	if !currencyForm.MatchString(f.Currency) {
		return fault.Field("currency", "must be three letters such as eur")
	}
	if len(f.Shares) == 0 {
		return fault.Field("shares", "must say how many per cent fall to each service")
	}
	var sum int64
	for svc, n := range f.Shares {
		if !slices.Contains(plan.Services, svc) {
			return fault.Field("shares."+string(svc), "is no service that profiles share")
		}
		if n < 0 || n > 100 {
			return fault.Field("shares."+string(svc), "must be from 0 to 100 per cent")
		}
		sum += n
	}
	if sum != 100 {
		return fault.Field("shares", "must be 100 per cent together, these are %d", sum)
	}
	return nil
}

// parts are the cents that fall to each service, by the largest remainder.
func (f OwnFigure) parts(cents int64) []int64 {
	weights := make([]int64, len(plan.Services))
	for i, svc := range plan.Services {
		weights[i] = f.Shares[svc]
	}
	out := make([]int64, len(weights))
	var s splitter
	s.split(cents, weights, 1, out)
	return out
}

func (f OwnFigure) same(g OwnFigure) bool {
	if f.Amount != g.Amount || f.Currency != g.Currency {
		return false
	}
	for _, svc := range plan.Services {
		if f.Shares[svc] != g.Shares[svc] {
			return false
		}
	}
	return true
}

// view is what the audit log tells of it.
func (f OwnFigure) view() map[string]any {
	return map[string]any{"amount": f.Amount, "currency": f.Currency, "shares": f.Shares}
}

// OwnFigure is the figure of an account; false when it has none.
func (s *Service) OwnFigure(ctx context.Context, a id.Account) (OwnFigure, bool, error) {
	f, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (f OwnFigure, err error) {
		var shares string
		if err := r.Scan(&f.Amount, &f.Currency, &shares, &f.Version, &f.Charged, &f.Updated); err != nil {
			return f, err
		}
		return f, json.Unmarshal([]byte(shares), &f.Shares)
	}, `SELECT amount, currency, shares, version, charged_to, updated_at FROM cost_figure WHERE account = $1`, a)
	if err != nil {
		err = fmt.Errorf("read the figure of an account: %w", err)
	}
	return f, found && f.Version > 0 && f.Amount > 0, err
}

// SetFigure sets or changes the figure of an account. The first counts for the running cycle from its start on, a change from the next
// hour: what was charged of the rest of the cycle is given back and charged anew. It returns Invalid for what is no figure, and
// Conflict on a plan that has a price, which would then be charged twice.
func (s *Service) SetFigure(ctx context.Context, who auth.Caller, a id.Account, f OwnFigure) error {
	f.Currency = strings.ToLower(f.Currency)
	if err := f.check(); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		acc, err := s.accounts.Get(ctx, a)
		if err != nil {
			return err
		}
		if err := s.profiles.Lock(ctx, a); err != nil {
			return err
		}
		pl, err := s.profiles.PlanOf(ctx, a)
		if err != nil {
			return err
		}
		if pl.Price > 0 {
			return fault.New(fault.Conflict, "The plan of this account has a price: a figure of your own would be counted beside it")
		}
		old, had, err := s.OwnFigure(ctx, a)
		if err != nil {
			return err
		}
		if had && old.same(f) {
			return nil
		}
		if had { // those of cycles that went by count as they were
			if err := s.chargeFigure(ctx, acc, &old, s.now()); err != nil {
				return err
			}
		}
		start, end, err := s.endFigure(ctx, acc, old, had)
		if err != nil {
			return err
		}
		f.Version, f.Charged, f.Updated = old.Version+1, end, s.now()
		if err := s.writeFigure(ctx, a, f); err != nil {
			return err
		}
		from, _ := usage.Cycle(acc, start)
		whole := Charge{Start: min(from, start), End: end}
		n := Charge{Start: start, End: end}.hours()
		if err := s.addFigure(ctx, a, f, prorate(f.Amount, n, max(n, whole.hours())), start, end); err != nil {
			return err
		}
		e := audit.Event{Account: a, Resource: "figure", ResourceID: string(a), Message: "Figure of cost set", After: f.view()}
		if had {
			e.Message, e.Before = "Figure of cost changed", old.view()
		}
		return s.audit.Write(ctx, who, e)
	})
}

// EndFigure takes the figure of an account away from the next hour on; what was charged of the rest of the cycle is given
// back. It returns not_found when there is none.
func (s *Service) EndFigure(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		acc, err := s.accounts.Get(ctx, a)
		if err != nil {
			return err
		}
		if err := s.profiles.Lock(ctx, a); err != nil {
			return err
		}
		old, had, err := s.OwnFigure(ctx, a)
		if err != nil {
			return err
		}
		if !had {
			return fault.New(fault.NotFound, "Figure Not Found")
		}
		if err := s.chargeFigure(ctx, acc, &old, s.now()); err != nil {
			return err
		}
		_, end, err := s.endFigure(ctx, acc, old, true)
		if err != nil {
			return err
		}
		// The row stays: its version keeps the keys of later charges apart from those of before.
		none := OwnFigure{Currency: old.Currency, Shares: map[plan.Service]int64{}, Version: old.Version + 1, Charged: end, Updated: s.now()}
		if err := s.writeFigure(ctx, a, none); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "figure", ResourceID: string(a), Message: "Figure of cost removed", Before: old.view()})
	})
}

// PlanChanged ends the figure of an account whose new plan has a price; a hook inside the change.
func (s *Service) PlanChanged(ctx context.Context, who auth.Caller, a id.Account) error {
	pl, err := s.profiles.PlanOf(ctx, a)
	if err != nil || pl.Price == 0 {
		return err
	}
	if err := s.EndFigure(ctx, who, a); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

func (s *Service) writeFigure(ctx context.Context, a id.Account, f OwnFigure) error {
	shares, err := json.Marshal(f.Shares)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO cost_figure (account, amount, currency, shares, version, charged_to, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account) DO UPDATE SET amount = excluded.amount, currency = excluded.currency, shares = excluded.shares, version = excluded.version,
			charged_to = excluded.charged_to, updated_at = excluded.updated_at`,
		a, f.Amount, f.Currency, string(shares), f.Version, f.Charged, f.Updated)
	if err != nil {
		return fmt.Errorf("write the figure of an account: %w", err)
	}
	return nil
}

// endFigure gives back what was charged of the figure for the time after the running hour, and says from when to when the next one
// counts: to the end of the running cycle, from its start where no figure was ever charged in it.
func (s *Service) endFigure(ctx context.Context, acc account.Account, old OwnFigure, had bool) (start, end int64, err error) {
	now := s.now()
	from, to := usage.Cycle(acc, now)
	if !had && old.Charged <= from {
		return from, to, nil
	}
	running, err := s.Charges(ctx, acc.ID, now, max(to, old.Charged))
	if err != nil {
		return 0, 0, err
	}
	running = slices.DeleteFunc(running, func(c Charge) bool { return c.Kind != Figure })
	returned := map[id.Charge]bool{}
	for _, c := range running {
		returned[c.GivesBack] = true
	}
	// The grid of hours is that of the charges; all of a cycle end together.
	start, end = from+(now-from+hour)/hour*hour, max(to, old.Charged)
	if len(running) > 0 {
		first := running[0].Start
		start = first + (max(now-first, 0)+hour)/hour*hour
		if first > now {
			start = first
		}
	}
	start = min(start, end)
	var back []Charge
	for _, c := range running {
		if c.GivesBack != "" || returned[c.ID] || c.End <= start {
			continue
		}
		at := max(c.Start, start)
		back = append(back, Charge{Account: acc.ID, Kind: Figure, Item: c.Item, Cents: -c.left(at), Currency: c.Currency, Start: at, End: c.End, GivesBack: c.ID, Key: "back " + string(c.ID)})
	}
	if _, err := s.AddCharges(ctx, back...); err != nil {
		return 0, 0, err
	}
	return start, end, nil
}

// addFigure charges cents for a figure, divided among its services.
func (s *Service) addFigure(ctx context.Context, a id.Account, f OwnFigure, cents, start, end int64) error {
	if start >= end {
		return nil
	}
	var out []Charge
	for i, part := range f.parts(cents) {
		if part > 0 {
			svc := plan.Services[i]
			out = append(out, Charge{Account: a, Kind: Figure, Item: string(svc), Cents: part, Currency: f.Currency, Start: start, End: end,
				Key: fmt.Sprintf("figure %d %s %d", f.Version, svc, start)})
		}
	}
	_, err := s.AddCharges(ctx, out...)
	return err
}

// chargeFigure charges the cycles of a figure that have begun by an instant, in the transaction of ctx.
func (s *Service) chargeFigure(ctx context.Context, acc account.Account, f *OwnFigure, now int64) error {
	if f.Charged > now {
		return nil
	}
	for f.Charged <= now {
		c := nextCycle(acc, f.Charged)
		if err := s.addFigure(ctx, acc.ID, *f, f.Amount, c.from, c.to); err != nil {
			return err
		}
		f.Charged = c.to
	}
	return s.writeFigure(ctx, acc.ID, *f)
}

// ChargeFigures charges the figures of all accounts whose cycle is over for the next one, each in a transaction of its own. It may be cut
// short and run again at any time.
func (s *Service) ChargeFigures(ctx context.Context) error {
	var failed []error
	for last := id.Account(""); ; {
		accounts, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], fmt.Sprintf(`SELECT account FROM cost_figure WHERE charged_to <= $1 AND amount > 0 AND account > $2
			ORDER BY account LIMIT %d`, ratePage), s.now(), last)
		if err != nil {
			return fmt.Errorf("find figures to charge: %w", err)
		}
		for _, a := range accounts {
			last = a
			err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
				if err := s.profiles.Lock(ctx, a); err != nil {
					return err
				}
				acc, err := s.accounts.Get(ctx, a)
				if err != nil {
					return err
				}
				f, found, err := s.OwnFigure(ctx, a)
				if err != nil || !found {
					return err
				}
				return s.chargeFigure(ctx, acc, &f, s.now())
			})
			if err != nil && !fault.Is(err, fault.NotFound) {
				failed = append(failed, fmt.Errorf("charge the figure of account %s: %w", a, err))
			}
		}
		if len(accounts) < ratePage {
			return errors.Join(failed...)
		}
	}
}

// Choice is how an owner likes to see costs.
type Choice struct {
	Basis  Basis  // "" for use where there is a figure or the plan is without a price, else allocation
	Spread Spread // "" for none
}

// choiceOf is the choice of an account.
func (s *Service) choiceOf(ctx context.Context, a id.Account) (Choice, error) {
	c, _, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (c Choice, err error) { return c, r.Scan(&c.Basis, &c.Spread) },
		`SELECT basis, spread FROM cost_setting WHERE account = $1`, a)
	if err != nil {
		err = fmt.Errorf("read how costs are shown: %w", err)
	}
	return c, err
}

// choose lets change set the choice of an account.
func (s *Service) choose(ctx context.Context, who auth.Caller, a id.Account, change func(c *Choice) error) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, a); err != nil { // or one who sets the basis takes back what another says of the spread
			return err
		}
		old, err := s.choiceOf(ctx, a)
		if err != nil {
			return err
		}
		c := old
		if err := change(&c); err != nil || old == c {
			return err
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO cost_setting (account, basis, spread) VALUES ($1, $2, $3)
			ON CONFLICT (account) DO UPDATE SET basis = excluded.basis, spread = excluded.spread`, a, string(c.Basis), string(c.Spread)); err != nil {
			return fmt.Errorf("write how costs are shown: %w", err)
		}
		view := func(c Choice) map[string]any { return map[string]any{"basis": c.Basis, "spread": c.Spread} }
		return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "cost", ResourceID: string(a), Message: "How costs are shown changed", Before: view(old), After: view(c)})
	})
}

// basisOf is the basis of an account that asks for none.
func (s *Service) basisOf(ctx context.Context, a id.Account, c Choice) (Basis, error) {
	if c.Basis != "" {
		return c.Basis, nil
	}
	pl, err := s.profiles.PlanOf(ctx, a)
	if err != nil {
		return "", err
	}
	if pl.Name == "house" {
		return ByUse, nil
	}
	_, has, err := s.OwnFigure(ctx, a)
	if has {
		return ByUse, err
	}
	return ByAllocation, err
}

// forget forgets what an owner said about costs when the account goes; charges stay.
func (s *Service) forget(ctx context.Context, _ auth.Caller, a id.Account) error {
	for _, q := range []string{`DELETE FROM cost_figure WHERE account = $1`, `DELETE FROM cost_setting WHERE account = $1`} {
		if _, err := s.db.Exec(ctx, q, a); err != nil {
			return err
		}
	}
	return nil
}
