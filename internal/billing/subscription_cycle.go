package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// subscribe fills in the settings and joins subscriptions to the life of accounts and profiles.
func (s *Service) subscribe() {
	s.config.Payment = cmp.Or(s.config.Payment, NoPayment)
	s.profiles.OnDelete(func(ctx context.Context, who auth.Caller, p profile.Profile) error {
		return s.endAddons(ctx, who, p, fmt.Sprintf("Add-ons of the deleted profile %s ended", p.Name))
	})
	s.profiles.OnHandover(func(ctx context.Context, who auth.Caller, h profile.Handover) error {
		return s.endAddons(ctx, who, h.Profile, fmt.Sprintf("Add-ons of the profile %s ended, which went to another account", h.Profile.Name))
	})
	s.accounts.OnDelete(s.accountDeleted)
	s.usage.Addons(s.AddonsOf)
}

func (s *Service) subscriptionJobs(r *job.Runner) {
	r.Every("subscriptions", time.Minute, s.Renew)
	r.Every("invoices to tell", time.Minute, s.Tell)
	r.Every("plans without a subscription", time.Hour, s.Adopt)
	r.Every("requests of subscriptions", time.Hour, s.forgetRequests)
}

// slice is how many subscriptions are renewed in one transaction.
const slice = 100

// Renew closes the cycles that are over, one after the other: what was scheduled happens, and the next cycle is charged. It
// walks over subscriptions in the order in which their cycles end, a slice at a time, so it holds a slice in memory however
// many there are, and goes on from wherever it was cut short: a cycle and its charges begin in one transaction. What cannot be
// renewed is logged and left to the next run.
func (s *Service) Renew(ctx context.Context) error {
	ctx = sqldb.Cost(sqldb.As(ctx, tenant), slice)
	var last row
	for {
		due, err := sqldb.All(ctx, s.db, scanRow, `SELECT `+rowColumns+` FROM subscription WHERE cycle_end <= $1 AND (cycle_end, account) > ($2, $3)
			ORDER BY cycle_end, account LIMIT `+fmt.Sprint(slice), s.now(), last.cycle.to, string(last.account))
		if err != nil {
			return fmt.Errorf("find cycles that are over: %w", err)
		}
		if len(due) == 0 {
			return nil
		}
		last = due[len(due)-1]
		if err := s.renew(ctx, due); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, r := range due {
				if err := s.renew(ctx, []row{r}); err != nil {
					s.log.Error("subscription not renewed", "account", r.account, "error", err)
				}
			}
		}
		crash.At("slice of cycles closed")
	}
}

// renew begins the next cycle of subscriptions, all or none.
func (s *Service) renew(ctx context.Context, due []row) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		as := make([]id.Account, len(due))
		for i, r := range due {
			as[i] = r.account
			if r.later == "" {
				continue
			}
			if err := s.profiles.Lock(ctx, r.account); err != nil { // its shares will change
				return err
			}
		}
		slices.Sort(as)
		w := sqldb.NewWhere("cycle_end <= ?", s.now())
		sqldb.In(w, "account", as)
		held, err := sqldb.All(ctx, s.db, scanRow, `UPDATE subscription SET updated_at = updated_at`+w.SQL()+` RETURNING `+rowColumns, w.Args()...)
		if err != nil {
			return fmt.Errorf("hold subscriptions: %w", err)
		}
		addons, err := s.addonsOfAll(ctx, as)
		if err != nil {
			return err
		}
		slices.SortFunc(held, func(a, b row) int { return slices.Index(as, a.account) - slices.Index(as, b.account) })
		var bills []dues
		for _, r := range held {
			acc, err := s.accounts.Get(ctx, r.account)
			if fault.Is(err, fault.NotFound) {
				err = s.accountDeleted(ctx, auth.SystemCaller(), r.account)
				if err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			st, err := s.stateOf(acc, r, true, addons[r.account])
			if err != nil {
				return err
			}
			b, err := s.advance(ctx, &st)
			if err != nil {
				return err
			}
			bills = append(bills, b)
		}
		crash.At("cycles closed, not charged")
		_, err = s.invoiceAll(ctx, bills)
		crash.At("cycles charged, not committed")
		return err
	})
}

// renewOne is renew for one that the caller holds.
func (s *Service) renewOne(ctx context.Context, st state) error {
	b, err := s.advance(ctx, &st)
	if err != nil {
		return err
	}
	_, err = s.invoiceAll(ctx, []dues{b})
	return err
}

// advance begins the next cycle of a subscription that is held, and returns what it costs. One that costs nothing ends.
func (s *Service) advance(ctx context.Context, st *state) (dues, error) {
	next := nextCycle(st.acc, st.cycle.to)
	a := st.acc.ID
	if !st.later.empty() {
		to := st.have.after(st.later, st.cat)
		if differs(st.have, to) {
			who := auth.SystemCaller()
			terms := st.terms
			terms.Services = to.services
			if err := s.accounts.SetTerms(ctx, who, account.TermsChange{Account: a, Plan: to.plan.Name, Terms: terms.String(), Anchor: st.acc.Anchor,
				Message: "Subscription renewed with what was scheduled", Before: words(st.have), After: words(to)}); err != nil {
				return dues{}, err
			}
			if err := s.changeAddons(ctx, who, a, st.have, to, st.now); err != nil {
				return dues{}, err
			}
		}
		st.have, st.later = to, later{}
	}
	charges := renewal(st.cat, st.have, next)
	st.cycle = next
	if len(charges) == 0 {
		if _, err := s.db.Exec(ctx, `DELETE FROM subscription WHERE account = $1`, string(a)); err != nil {
			return dues{}, fmt.Errorf("end a subscription: %w", err)
		}
		st.row = false
		return dues{st: *st, period: next}, nil
	}
	if _, err := s.db.Exec(ctx, `UPDATE subscription SET cycle_start = $1, cycle_end = $2, later = $3, updated_at = $4 WHERE account = $5`,
		next.from, next.to, "", st.now, string(a)); err != nil {
		return dues{}, fmt.Errorf("renew a subscription: %w", err)
	}
	for i := range charges {
		c := &charges[i]
		c.Key = fmt.Sprintf("cycle:%d:%s:%s:%s", next.from, c.Kind, c.Item, c.Profile)
	}
	return dues{st: *st, key: fmt.Sprintf("cycle:%d", next.from), period: next, charges: charges}, nil
}

// Adopt finds accounts on plans that cost something and have no subscription: made before there were any, by a sign-up, or on a
// plan that has begun to cost. They pay from the next calendar month, or cycle, on.
func (s *Service) Adopt(ctx context.Context) error {
	ctx = sqldb.As(ctx, tenant)
	var plans []string
	for _, p := range s.plans.Plans() {
		if p.Price > 0 {
			plans = append(plans, p.Name)
		}
	}
	for last := id.Account(""); len(plans) > 0; {
		as, err := s.accounts.OnPlans(ctx, plans, last, 500)
		if err != nil || len(as) == 0 {
			return err
		}
		last = as[len(as)-1]
		w := sqldb.NewWhere("cycle_end > ?", int64(0))
		sqldb.In(w, "account", as)
		known, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], `SELECT account FROM subscription`+w.SQL(), w.Args()...)
		if err != nil {
			return fmt.Errorf("find subscriptions: %w", err)
		}
		for _, a := range as {
			if slices.Contains(known, a) {
				continue
			}
			err := s.db.Tx(ctx, func(ctx context.Context) error {
				st, err := s.hold(ctx, a)
				if err != nil || st.row || st.have.plan.Price == 0 {
					return err
				}
				return s.putRow(ctx, row{account: a, cycle: st.cycle}, st.now)
			})
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
	}
	return nil
}

// forgetRequests drops requests that are older than a day.
func (s *Service) forgetRequests(ctx context.Context) error {
	_, err := s.db.Exec(sqldb.As(ctx, tenant), `DELETE FROM subscription_request WHERE made_at <= $1`, s.now()-keepRequests)
	return err
}
