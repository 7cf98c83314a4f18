package billing

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

const keepRequests = int64(24 * time.Hour / time.Millisecond)

// request is what makes two requests the same one.
type request struct {
	key  string // of the header Idempotency-Key; "" for none
	body string // a digest
}

// hold is load for a transaction that will change the subscription: whoever else changes it, or the account's profiles, waits.
// A cycle that is over is renewed first.
func (s *Service) hold(ctx context.Context, a id.Account) (state, error) {
	if err := s.profiles.Lock(ctx, a); err != nil {
		return state{}, err
	}
	for {
		st, err := s.load(ctx, a, nil)
		if err != nil || !st.row || st.cycle.to > st.now {
			return st, err
		}
		if err := s.renewOne(ctx, st); err != nil {
			return st, err
		}
	}
}

// ask does what an owner asks for, and returns a sentence that says what came of it. The same wish once more changes
// nothing; a request with the same key is answered as the first was.
func (s *Service) ask(ctx context.Context, who auth.Caller, req request, w wish) (answer string, err error) {
	if err := web.CheckIdempotencyKey(req.key); err != nil {
		return "", err
	}
	op := id.New[id.Charge]()
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		st, err := s.hold(ctx, who.AccountID)
		if err != nil {
			return err
		}
		said, again, err := s.once(ctx, who.AccountID, req.key, req.body)
		if err != nil || again {
			answer = said
			return err
		}
		owned, err := s.owned(ctx, who.AccountID)
		if err != nil {
			return err
		}
		now, next, err := decide(facts{have: st.have, later: st.later, limit: st.limit, owned: owned, cat: st.cat}, w)
		if err != nil {
			return err
		}
		answer, err = s.move(ctx, who, &st, move{op: string(op), to: now, next: next, charge: true, why: "Subscription changed"})
		if err != nil {
			return err
		}
		return s.answered(ctx, who.AccountID, req.key, req.body, answer)
	})
	return answer, err
}

func (s *Service) owned(ctx context.Context, a id.Account) (map[id.Profile]bool, error) {
	ps, err := s.profiles.List(ctx, a)
	out := map[id.Profile]bool{}
	for _, p := range ps {
		out[p.ID] = true
	}
	return out, err
}

// move is a change of a subscription.
type move struct {
	op     string // makes the keys of its charges
	to     holding
	next   later
	charge bool   // ask for what it costs, and give back what was paid for what it replaces
	why    string // of the audit event
}

// move changes a subscription that is held, and returns a sentence about it. The first plan that costs something fixes the
// cycle: from that instant on, in full months.
func (s *Service) move(ctx context.Context, who auth.Caller, st *state, m move) (string, error) {
	a := st.acc.ID
	changed := differs(st.have, m.to)
	if !changed && m.next.String() == st.later.String() {
		return "Nothing to change: the subscription is so already", nil
	}
	if !changed {
		if err := s.reschedule(ctx, who, st, m.next); err != nil {
			return "", err
		}
		return sentence(*st, nil, 0), nil
	}
	acc := st.acc
	paid, err := s.paid(ctx, a, st.now)
	if err != nil {
		return "", err
	}
	change := account.TermsChange{Account: a, Plan: m.to.plan.Name, Anchor: acc.Anchor, Message: m.why, Before: words(st.have), After: words(m.to)}
	terms := st.terms
	terms.Services = m.to.services
	change.Terms = terms.String()
	if st.have.plan.Price == 0 && m.to.plan.Price > 0 && acc.Anchor == 0 {
		change.Anchor = st.now - st.now%quarter
	}
	if err := s.accounts.SetTerms(ctx, who, change); err != nil {
		return "", err
	}
	if change.Anchor != acc.Anchor {
		if err := s.usage.Anchor(ctx, who, a, change.Anchor); err != nil {
			return "", err
		}
	}
	crash.At("terms changed, not charged")
	if err := s.changeAddons(ctx, who, a, st.have, m.to, st.now); err != nil {
		return "", err
	}
	if change.Anchor != acc.Anchor {
		acc.Anchor = change.Anchor
		st.cycle.from, st.cycle.to = usage.Cycle(acc, change.Anchor)
	}
	var charges []Charge
	if m.charge {
		charges = price(st.cat, st.have, m.to, st.cycle, st.now, paid)
	}
	for i := range charges {
		charges[i].Key = fmt.Sprintf("%s:%d", m.op, i)
	}
	cost := m.to.cycle(st.cat)
	st.acc, st.have, st.later, st.row = acc, m.to, m.next, st.row || cost > 0 || !m.next.empty()
	if st.row {
		if err := s.putRow(ctx, row{account: a, cycle: st.cycle, later: m.next.String()}, st.now); err != nil {
			return "", err
		}
	}
	number, err := s.invoiceNow(ctx, *st, m.op, st.cycle, charges)
	if err != nil {
		return "", err
	}
	crash.At("subscription changed, not committed")
	return sentence(*st, charges, number), nil
}

// reschedule changes only what waits for the renewal.
func (s *Service) reschedule(ctx context.Context, who auth.Caller, st *state, next later) error {
	message := "What the subscription's renewal changes was set"
	if next.empty() {
		message = "What the subscription's renewal would have changed was cancelled"
	}
	if err := s.audit.Write(ctx, who, audit.Event{Account: st.acc.ID, Resource: "subscription", ResourceID: string(st.acc.ID), Message: message,
		Before: words(st.have.after(st.later, st.cat)), After: words(st.have.after(next, st.cat))}); err != nil {
		return err
	}
	st.later, st.row = next, true
	return s.putRow(ctx, row{account: st.acc.ID, cycle: st.cycle, later: next.String()}, st.now)
}

// changeAddons gives profiles their add-ons and takes those that have ended.
func (s *Service) changeAddons(ctx context.Context, who auth.Caller, a id.Account, from, to holding, now int64) error {
	before, after := words(from)["addons"], words(to)["addons"]
	if reflect.DeepEqual(before, after) {
		return nil
	}
	if err := s.setAddons(ctx, a, from.addons, to.addons, now); err != nil {
		return err
	}
	return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "subscription", ResourceID: string(a), Message: "Add-ons changed", Before: before, After: after})
}

// differs reports whether two holdings are not the same.
func differs(a, b holding) bool { return !reflect.DeepEqual(words(a), words(b)) }

// words is a holding for the audit log.
func words(h holding) map[string]any {
	services := map[string]float64{}
	for s, n := range h.services {
		services[string(s)] = plan.Wire(s, n)
	}
	return map[string]any{"plan": h.plan.Name, "services": services, "addons": h.clone().addons}
}

// sentence says what has come of a change.
func sentence(st state, charges []Charge, number int64) string {
	out := "Subscription Successfully Updated"
	if len(charges) > 0 {
		var sums []string
		currencies, of := byCurrencies(charges, st.cat.Currency())
		for _, currency := range currencies {
			if cs := of[currency]; len(cs) > 0 {
				sums = append(sums, money(sumOf(cs), currency))
			}
		}
		out += ": " + strings.Join(sums, " and ") + " until " + day(st.cycle.to)
	}
	if number > 0 {
		out += fmt.Sprintf(", on invoice %d", number)
	}
	if !st.later.empty() {
		out += ". What is less comes with the renewal on " + day(st.cycle.to)
	}
	return out
}

// money is cents in a sentence: "-16.33 USD".
func money(cents int64, currency string) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, cents/100, cents%100, strings.ToUpper(currency))
}

// printedDay is a day in sentences and on pages, for whatever order of day and month their readers are used to.
const printedDay = "2 January 2006"

// day is an instant in a sentence.
func day(ms int64) string { return clock.FromMillis(ms).UTC().Format(printedDay) }

// cancelLater forgets what waits for the renewal. It returns not_found when nothing does.
func (s *Service) cancelLater(ctx context.Context, who auth.Caller) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		st, err := s.hold(ctx, who.AccountID)
		if err != nil {
			return err
		}
		if st.later.empty() {
			return fault.New(fault.NotFound, "Nothing is scheduled for the renewal of this subscription")
		}
		return s.reschedule(ctx, who, &st, later{})
	})
}

// Begin subscribes a new account to the plan it was made with: where that costs something, what is left of the calendar month
// is charged. It is for the transaction that makes the account.
func (s *Service) Begin(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		st, err := s.hold(ctx, a)
		if err != nil || st.row || st.have.plan.Price == 0 {
			return err
		}
		charges := price(st.cat, holding{}, st.have, st.cycle, st.now, nil)
		op := id.New[id.Charge]()
		for i := range charges {
			charges[i].Key = fmt.Sprintf("%s:%d", op, i)
		}
		if err := s.putRow(ctx, row{account: a, cycle: st.cycle}, st.now); err != nil {
			return err
		}
		_, err = s.invoiceNow(ctx, st, string(op), st.cycle, charges)
		return err
	})
}

// endAddons ends the add-ons of a profile that leaves its account, inside that. What was paid for them stays paid, and what a profile
// pays for stays with the account.
func (s *Service) endAddons(ctx context.Context, who auth.Caller, p profile.Profile, message string) error {
	gone, err := sqldb.All(ctx, s.db, sqldb.Value[string], `DELETE FROM subscription_addon WHERE account = $1 AND profile = $2 RETURNING addon`, string(p.Account), string(p.ID))
	if err != nil {
		return fmt.Errorf("end the add-ons of a profile: %w", err)
	}
	if len(gone) == 0 {
		return nil
	}
	slices.Sort(gone)
	return s.audit.Write(ctx, who, audit.Event{Account: p.Account, Resource: "subscription", ResourceID: string(p.Account),
		Message: message, Before: map[string]any{"profile": p.ID, "addons": gone}})
}

// accountDeleted ends a subscription, inside the deletion of its account. Charges and invoices stay: they are books.
func (s *Service) accountDeleted(ctx context.Context, _ auth.Caller, a id.Account) error {
	for _, q := range []string{
		`DELETE FROM subscription WHERE account = $1`,
		`DELETE FROM subscription_addon WHERE account = $1`,
		`DELETE FROM subscription_request WHERE account = $1`,
		`DELETE FROM billing_information WHERE account = $1`,
	} {
		if _, err := s.db.Exec(ctx, q, string(a)); err != nil {
			return fmt.Errorf("end a subscription: %w", err)
		}
	}
	return nil
}
