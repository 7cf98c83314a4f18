package billing

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

// Budget is what an owner means to spend in a cycle, on the whole account or on one profile. It stops nothing: it tells. What counts
// is the cost to date as the account has chosen to see it (its basis): for the account all lines, for a profile its own.
type Budget struct {
	ID        id.Budget
	Account   id.Account
	Profile   id.Profile // "" for the whole account
	Cents     int64      // a cycle
	Currency  string     // three lower-case letters; what was charged in another one does not count
	Shares    []int64    // per cents of Cents at which the owner is told, ascending
	Forecast  bool       // tell also as soon as the cycle is expected to end above Cents
	CreatedAt int64      // UTC milliseconds
	UpdatedAt int64      // UTC milliseconds
}

// Bounds of budgets.
const (
	mostBudgets = 2000 // of an account
	mostShares  = 10
	mostShare   = 200 // per cent
	keepTold    = 400 * 24 * hour
	budgetPage  = 200 // accounts
)

// overrun stands for a share in what was told: that the cycle is expected to end above the amount.
const overrun = int64(0)

var defaultShares = []int64{50, 80, 100}

// check returns Invalid naming the member at fault, and puts the shares in order.
func (b *Budget) check() error {
	if b.Cents < 1 || b.Cents > mostFigure {
		return fault.Field("amount", "must be from 1 to %d cents a cycle", mostFigure)
	}
	if len(b.Shares) > mostShares {
		return fault.Field("shares", "has %d; at most %d are allowed", len(b.Shares), mostShares)
	}
	if len(b.Shares) == 0 && !b.Forecast {
		return fault.Field("shares", "must have at least one, unless forecast is true: else the budget would never tell anything")
	}
	for i, n := range b.Shares {
		if n < 1 || n > mostShare {
			return fault.Field(fmt.Sprintf("shares[%d]", i), "must be from 1 to %d per cent", mostShare)
		}
		if slices.Contains(b.Shares[:i], n) {
			return fault.Field(fmt.Sprintf("shares[%d]", i), "%d is there twice", n)
		}
	}
	b.Shares = slices.Sorted(slices.Values(b.Shares))
	return nil
}

// microOf is a share of the amount: per cent times cents is a whole number of micro-units.
func (b Budget) microOf(share int64) int64 { return share * b.Cents * (microPerCent / 100) }

// percent is what part of the amount a cost is, rounded down.
func (b Budget) percent(micro int64) int64 {
	if micro <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(micro), 100)
	q, _ := bits.Div64(hi, lo, uint64(b.Cents*microPerCent))
	return int64(q)
}

// spent is what a cycle has cost, and is expected to have cost when it ends.
type spent struct{ micro, expected int64 }

// reached are the shares that a cost has come to, the highest first, and overrun where only the forecast is above the amount.
func (b Budget) reached(x spent) []int64 {
	var out []int64
	for _, share := range slices.Backward(b.Shares) {
		if x.micro >= b.microOf(share) {
			out = append(out, share)
		}
	}
	if all := b.microOf(100); b.Forecast && x.expected > all && x.micro <= all {
		out = append(out, overrun)
	}
	return out
}

// view is what the audit log tells of it.
func (b Budget) view() map[string]any {
	return map[string]any{"profile": b.Profile, "amount": b.Cents, "currency": b.Currency, "shares": b.Shares, "forecast": b.Forecast}
}

// standing is how an account stands in its running cycle.
type standing struct {
	acc      account.Account
	from, to int64
	all      map[string]spent                // by currency
	profiles map[id.Profile]map[string]spent // the same
}

// of is what counts for a budget.
func (x standing) of(b Budget) spent {
	if b.Profile == "" {
		return x.all[b.Currency]
	}
	return x.profiles[b.Profile][b.Currency]
}

// standingOf adds up what the running cycle of an account costs.
func (s *Service) standingOf(ctx context.Context, a id.Account) (standing, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return standing{}, err
	}
	choice, err := s.choiceOf(ctx, a)
	if err != nil {
		return standing{}, err
	}
	basis, err := s.basisOf(ctx, a, choice)
	if err != nil {
		return standing{}, err
	}
	f, err := s.forecast(ctx, acc, basis)
	if err != nil {
		return standing{}, err
	}
	out := standing{acc: acc, from: f.From, to: f.To, all: map[string]spent{}, profiles: map[id.Profile]map[string]spent{}}
	add := func(lines []Line, sofar bool) {
		for _, l := range lines {
			currency := l.Currency
			plus := func(to map[string]spent) {
				x := to[currency]
				if x.expected += l.Micro; sofar {
					x.micro += l.Micro
				}
				to[currency] = x
			}
			plus(out.all)
			if l.Profile != "" {
				if out.profiles[l.Profile] == nil {
					out.profiles[l.Profile] = map[string]spent{}
				}
				plus(out.profiles[l.Profile])
			}
		}
	}
	add(f.Sofar.Lines, true)
	add(f.Rest, false)
	return out, nil
}

// budgetCurrencies are those that an account may be charged in, the one that it is first.
func (s *Service) budgetCurrencies(ctx context.Context, a id.Account) ([]string, error) {
	f, has, err := s.OwnFigure(ctx, a)
	if err != nil {
		return nil, err
	}
	out := []string{s.plans.Currency()}
	if has && f.Currency != out[0] {
		out = slices.Insert(out, 0, f.Currency)
	}
	return out, nil
}

// AddBudget makes a budget and tells at once what it has to tell. It returns Invalid for what is none, and for a profile that is not
// the account's.
func (s *Service) AddBudget(ctx context.Context, who auth.Caller, b Budget) (Budget, error) {
	if err := b.check(); err != nil {
		return b, err
	}
	b.ID = id.New[id.Budget]()
	b.CreatedAt = s.now()
	b.UpdatedAt = b.CreatedAt
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, b.Account); err != nil { // or the profile could go meanwhile, and leave its budget
			return err
		}
		if b.Profile != "" {
			p, err := s.profiles.Get(ctx, b.Profile)
			if fault.Is(err, fault.NotFound) || err == nil && p.Account != b.Account {
				return fault.Field("profile", "Profile Not Found")
			}
			if err != nil {
				return err
			}
		}
		n, err := s.countBudgets(ctx, b.Account)
		if err != nil {
			return err
		}
		if n >= mostBudgets {
			return fault.New(fault.Conflict, "The account has %d budgets, which is as many as it may have", n)
		}
		if err := s.writeBudget(ctx, b); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Account: b.Account, Resource: "budget", ResourceID: string(b.ID), Message: "Budget made", After: b.view()})
	})
	if err == nil {
		s.lookAtOnce(ctx, b.Account)
	}
	return b, err
}

// ChangeBudget changes a budget as change says, and tells at once what it has to tell then: another amount counts as never told of.
// It returns not_found for one that is not the account's.
func (s *Service) ChangeBudget(ctx context.Context, who auth.Caller, a id.Account, which id.Budget, change func(b *Budget) error) error {
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, a); err != nil {
			return err
		}
		b, err := s.budgetOf(ctx, a, which)
		if err != nil {
			return err
		}
		before := b.view()
		if err := change(&b); err != nil {
			return err
		}
		if err := b.check(); err != nil {
			return err
		}
		b.UpdatedAt = s.now()
		if err := s.writeBudget(ctx, b); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "budget", ResourceID: string(b.ID), Message: "Budget changed", Before: before, After: b.view()})
	})
	if err == nil {
		s.lookAtOnce(ctx, a)
	}
	return err
}

// RemoveBudget removes a budget. It returns not_found for one that is not the account's.
func (s *Service) RemoveBudget(ctx context.Context, who auth.Caller, a id.Account, which id.Budget) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		b, err := s.budgetOf(ctx, a, which)
		if err != nil {
			return err
		}
		if err := s.dropBudget(ctx, b.ID); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "budget", ResourceID: string(b.ID), Message: "Budget removed", Before: b.view()})
	})
}

// lookAtOnce compares the budgets of an account after one has changed. What fails here the job does again.
func (s *Service) lookAtOnce(ctx context.Context, a id.Account) {
	if err := s.lookAtBudgets(ctx, a); err != nil {
		s.log.Error("budgets not compared", "account", a, "error", err)
	}
}

func (s *Service) budgetJobs(r *job.Runner) {
	r.Every("budgets", 15*time.Minute, s.LookAtBudgets)
	r.Every("old tellings of budgets", 24*time.Hour, s.tidyBudgets)
}

// LookAtBudgets compares all budgets with the cost to date and tells the owners what they have not been told. It may be cut short and
// run again at any time, and on several nodes.
func (s *Service) LookAtBudgets(ctx context.Context) error {
	var failed []error
	for last := id.Account(""); ; {
		accounts, err := s.accountsWithBudgets(ctx, last)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			last = a
			if err := s.lookAtBudgets(ctx, a); err != nil {
				if ctx.Err() != nil {
					return err
				}
				failed = append(failed, fmt.Errorf("compare the budgets of account %s: %w", a, err))
			}
		}
		if len(accounts) < budgetPage {
			return errors.Join(failed...)
		}
	}
}

// lookAtBudgets compares the budgets of an account.
func (s *Service) lookAtBudgets(ctx context.Context, a id.Account) error {
	budgets, err := s.budgetsOf(ctx, a)
	if err != nil || len(budgets) == 0 {
		return err
	}
	x, err := s.standingOf(ctx, a)
	if fault.Is(err, fault.NotFound) { // the account is going
		return nil
	}
	if err != nil {
		return err
	}
	told, err := s.toldOf(ctx, a, x.from)
	if err != nil {
		return err
	}
	for _, b := range budgets {
		var fresh []int64
		for _, share := range b.reached(x.of(b)) {
			if !told[toldKey{b.ID, share, b.Cents}] {
				fresh = append(fresh, share)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		if err := s.tellBudget(ctx, x, b, fresh); err != nil {
			return err
		}
	}
	return nil
}

// tellBudget tells the owner which shares a budget has reached, each once: what is remembered and what is told are one transaction,
// so that nothing is lost or told twice wherever it is cut short, and two nodes do not both tell.
func (s *Service) tellBudget(ctx context.Context, x standing, b Budget, shares []int64) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		held, err := s.holdBudget(ctx, b)
		if err != nil || !held { // gone, or of another amount by now
			return err
		}
		var first []int64
		for _, share := range shares {
			fresh, err := s.remember(ctx, b, x, share)
			if err != nil {
				return err
			}
			if fresh {
				first = append(first, share)
			}
		}
		crash.At("budget remembered as told, not told")
		name := ""
		if b.Profile != "" {
			p, err := s.profiles.Get(ctx, b.Profile)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			name = p.Name
		}
		for _, e := range b.events(x, name, first) {
			if err := s.notify.Raise(ctx, e); err != nil {
				return err
			}
		}
		crash.At("budget told, not committed")
		return nil
	})
}

// events are what an owner is told of shares that a budget has reached. They are the account's, not the profile's, also where the budget
// is a profile's: its webhook and its list of deliveries are its members', and what it costs is not theirs to know.
func (b Budget) events(x standing, name string, shares []int64) []notify.Event {
	what, short := "the account", "the account"
	if b.Profile != "" {
		what, short = "the profile "+name, name
	}
	sum := x.of(b)
	data := func(share *int64) map[string]any {
		d := map[string]any{"budget": b.ID, "profile": nil, "amount": b.Cents, "currency": b.Currency, "spent_micro": sum.micro, "forecast_micro": sum.expected,
			"share": share, "cycle_start": clock.FromMillis(x.from), "cycle_end": clock.FromMillis(x.to)}
		if b.Profile != "" {
			d["profile"] = b.Profile
		}
		return d
	}
	reached := notify.Event{To: []id.Account{b.Account}, Kind: notify.Budget, Page: costPage, Action: "See the cost"}
	var out []notify.Event
	for _, share := range shares {
		if share != overrun {
			reached.Items = append(reached.Items, notify.Item{Data: data(&share), Message: fmt.Sprintf("%s has cost %s in this cycle. That is %d %% or more of its budget of %s.",
				capital(what), money(toCents(sum.micro), b.Currency), share, money(b.Cents, b.Currency))})
			continue
		}
		out = append(out, notify.Event{To: reached.To, Kind: notify.Overrun, Page: reached.Page, Action: reached.Action, Title: "Budget of " + short + ": expected to be overrun",
			Items: []notify.Item{{Data: data(nil), Message: fmt.Sprintf("%s has cost %s in this cycle and is expected to have cost %s when it ends on %s. Its budget is %s.",
				capital(what), money(toCents(sum.micro), b.Currency), money(toCents(sum.expected), b.Currency),
				clock.FromMillis(x.to).In(x.acc.Location()).Format(printedDay), money(b.Cents, b.Currency))}}})
	}
	if len(reached.Items) > 0 {
		reached.Title = fmt.Sprintf("Budget of %s: %d %% reached", short, shares[0])
		out = slices.Insert(out, 0, reached)
	}
	return out
}

// budgets joins budgets to the life of accounts and profiles.
func (s *Service) budgets() {
	end := func(ctx context.Context, who auth.Caller, p profile.Profile, message string) error {
		gone, err := s.budgetsWhere(ctx, "profile = $1", string(p.ID))
		if err != nil {
			return err
		}
		for _, b := range gone {
			if err := s.dropBudget(ctx, b.ID); err != nil {
				return err
			}
			if err := s.audit.Write(ctx, who, audit.Event{Account: b.Account, Resource: "budget", ResourceID: string(b.ID),
				Message: message, Before: b.view()}); err != nil {
				return err
			}
		}
		return nil
	}
	s.profiles.OnDelete(func(ctx context.Context, who auth.Caller, p profile.Profile) error {
		return end(ctx, who, p, fmt.Sprintf("Budget of the deleted profile %s removed", p.Name))
	})
	// Whoever owns it next may set one.
	s.profiles.OnHandover(func(ctx context.Context, who auth.Caller, h profile.Handover) error {
		return end(ctx, who, h.Profile, fmt.Sprintf("Budget of the profile %s removed, which went to another account", h.Profile.Name))
	})
	s.accounts.OnDelete(func(ctx context.Context, _ auth.Caller, a id.Account) error { return s.dropBudgets(ctx, a) })
}
