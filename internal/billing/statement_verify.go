package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// VerifyStatements recomputes every issued statement and returns what differs, never nil:
//
//   - its document has the hash that was kept, and says what the row says;
//   - numbers of an account have no gap, and the last is the one that was given last;
//   - its lines are those that the version of the card it names makes of the quantities, its sums those of the lines;
//   - its quantities are what the ledger of usage, who owned the profile, and the charges say, as far as those can say it still;
//   - the corrections on it are those that were noted for it.
//
// Statements are read some at a time. Inside a snapshot it sees one instant.
func (s *Service) VerifyStatements(ctx context.Context) ([]Finding, error) {
	out := []Finding{}
	err := s.verifyStatements(ctx, func(a id.Account, what string) { out = append(out, Finding{a, what}) })
	return out, err
}

func (s *Service) verifyStatements(ctx context.Context, found func(a id.Account, what string)) error {
	var last struct {
		account id.Account
		number  int64
	}
	v := &verifier{s: s}
	for {
		rows, err := sqldb.All(ctx, s.db, scanKept, `SELECT account, number, id, once, profile, month, from_at, to_at, document, hash FROM statement
			WHERE account > $1 OR (account = $2 AND number > $3) ORDER BY account, number LIMIT 50`, string(last.account), string(last.account), last.number)
		if err != nil {
			return fmt.Errorf("read statements: %w", err)
		}
		for _, r := range rows {
			report := func(format string, args ...any) {
				found(r.account, fmt.Sprintf("statement %d (%s): ", r.number, r.id)+fmt.Sprintf(format, args...))
			}
			if r.account != last.account {
				last.account, last.number = r.account, 0
				acc, err := s.accounts.Get(ctx, r.account)
				if err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
				*v = verifier{s: s, account: acc, living: err == nil, costs: map[costKey]map[id.Profile]byCurrency{}, customers: map[stretch][]customer{}}
			}
			if r.number != last.number+1 {
				report("the one before has number %d", last.number)
			}
			last.number = r.number
			if err := v.statement(ctx, r, report); err != nil {
				return err
			}
		}
		if len(rows) < 50 {
			return s.verifyNumbers(ctx, found)
		}
	}
}

// verifier remembers of one account what several statements are compared with.
type verifier struct {
	s         *Service
	account   account.Account
	living    bool
	costs     map[costKey]map[id.Profile]byCurrency
	customers map[stretch][]customer
}

// keptStatement is the row of a statement.
type keptStatement struct {
	account        id.Account
	number         int64
	id             id.Statement
	once           string
	profile        id.Profile
	month          string
	from, to       int64
	document, hash string
}

func scanKept(r sqldb.Scanner) (k keptStatement, err error) {
	return k, r.Scan(&k.account, &k.number, &k.id, &k.once, &k.profile, &k.month, &k.from, &k.to, &k.document, &k.hash)
}

func (s *Service) verifyNumbers(ctx context.Context, found func(a id.Account, what string)) error {
	type row struct {
		account    id.Account
		last, most int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.account, &x.last, &x.most) },
		`SELECT n.account, n.last, COALESCE((SELECT MAX(t.number) FROM statement t WHERE t.account = n.account), 0) FROM statement_number n
			WHERE n.account NOT IN (SELECT account FROM statement_purge) ORDER BY n.account`)
	if err != nil {
		return fmt.Errorf("read numbers of statements: %w", err)
	}
	for _, r := range rows {
		if r.last != r.most {
			found(r.account, fmt.Sprintf("statement %d was numbered, the last one there is %d", r.last, r.most))
		}
	}
	return nil
}

func (v *verifier) statement(ctx context.Context, k keptStatement, report func(format string, args ...any)) error {
	s := v.s
	if hashOf(k.document) != k.hash {
		report("it was changed: its hash is not the one that was kept")
	}
	st, err := scanStatement(texts{k.document, k.hash})
	if err != nil {
		report("it cannot be read: %v", err)
		return nil
	}
	if st.Account != k.account || st.Number != k.number || st.ID != k.id || st.Profile != k.profile || st.Month != k.month || st.From != k.from || st.To != k.to ||
		st.Kind == OfMonth && k.once != st.Month {
		report("its row and its document name different things")
	}
	sums := st
	if err := sums.sum(); err != nil || sums.Subtotal != st.Subtotal || sums.Tax != st.Tax || sums.Total != st.Total {
		report("its lines come to %d and %d tax, it says %d and %d, total %d", sums.Subtotal, sums.Tax, st.Subtotal, st.Tax, st.Total)
	}
	fixes, err := sqldb.All(ctx, s.db, scanCorrection, selectCorrection+` WHERE on_statement = $1 ORDER BY made_at, id`, string(k.id))
	if err != nil {
		return fmt.Errorf("read corrections: %w", err)
	}
	var want []Entry
	if st.Kind == OfMonth {
		card, ok, err := s.cardAt(ctx, st.Card, st.Version)
		if err != nil {
			return err
		}
		if !ok {
			report("version %d of rate card %s, which it names, is not there", st.Version, st.Card)
			return nil
		}
		m := st.measured()
		if v.living {
			if err := v.measure(ctx, st, card, &m); err != nil {
				return err
			}
		}
		if want, err = card.Terms.entries(m); err != nil {
			report("its lines cannot be computed: %v", err)
			return nil
		}
		if st.Hours != m.Hours || st.Of != m.Of {
			report("it is for %d of %d hours, the profile was the account's for %d of %d", st.Hours, st.Of, m.Hours, m.Of)
		}
		if st.Currency != card.Terms.Currency || st.TaxBP != card.Terms.TaxBP {
			report("its currency and tax are not those of the rate card")
		}
	}
	for _, c := range fixes {
		want = append(want, Entry{Kind: EntryCorrection, Item: string(c.ID), Cents: c.Cents})
	}
	for i := range max(len(want), len(st.Lines)) {
		switch {
		case i >= len(st.Lines):
			report("line %d (%s %s) is missing", i+1, want[i].Kind, want[i].Item)
		case i >= len(want):
			report("line %d (%s %s) should not be there", i+1, st.Lines[i].Kind, st.Lines[i].Item)
		default:
			have, want := st.Lines[i], want[i]
			have.Text, want.Text = "", "" // words are covered by the hash
			if have != want {
				report("line %d (%s %s) has quantity %d and %d cents, it should have %d and %d (%s %s)", i+1, have.Kind, have.Item, have.Quantity, have.Cents,
					want.Quantity, want.Cents, want.Kind, want.Item)
			}
		}
	}
	return nil
}

// texts give scan functions what was read already.
type texts [2]string

func (r texts) Scan(to ...any) error {
	for i := range to {
		*to[i].(*string) = r[i]
	}
	return nil
}

// measured is what a statement says was measured.
func (s Statement) measured() Measured {
	m := Measured{Hours: s.Hours, Of: s.Of}
	for _, e := range s.Lines {
		switch e.Kind {
		case EntryService:
			if i := plan.Index(plan.Service(e.Item)); i >= 0 {
				m.Amounts[i] = e.Quantity
			}
		case EntryCost:
			m.Cost = e.Quantity
		}
	}
	return m
}

// How long the ledger is sure to have every quarter of an hour, and every hour; a few days less than usage keeps.
const (
	haveQuarters = 60 * 24 * hour
	haveHours    = 390 * 24 * hour
)

// measure reads anew what a statement billed, as far as that can still be read: use while the ledger is fine enough, cost unless a charge
// was made for the month after the statement was issued.
func (v *verifier) measure(ctx context.Context, st Statement, card Card, m *Measured) (err error) {
	s, acc := v.s, v.account
	age := s.now() - st.From
	fine := age < haveQuarters || age < haveHours && wholeHours(st.Zone, st.From, st.To) && wholeHours(acc.Timezone, st.From, st.To)
	p := stretch{st.From, st.To}
	if fine {
		cs, ok := v.customers[p]
		if !ok {
			if cs, err = s.customersOf(ctx, acc.ID, st.From, st.To); err != nil {
				return err
			}
			v.customers[p] = cs
		}
		i := slices.IndexFunc(cs, func(c customer) bool { return c.profile == st.Profile })
		cost := m.Cost
		*m = Measured{Of: int64(len(hoursBetween(st.From, st.To)) - 1)}
		if i >= 0 {
			got, err := s.measure(ctx, cs[i:i+1], p)
			if err != nil {
				return err
			}
			*m = got[st.Profile]
		}
		m.Cost = cost
	}
	if card.Terms.Markup == nil {
		return nil
	}
	var later int64
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM charge WHERE account = $1 AND start_at < $2 AND end_at > $3 AND made_at > $4`,
		string(acc.ID), st.To, st.From, st.IssuedAt).Scan(&later); err != nil {
		return fmt.Errorf("look for later charges: %w", err)
	}
	if later > 0 {
		return nil
	}
	key := costKey{p, card.Terms.Markup.Basis}
	costs, ok := v.costs[key]
	if !ok {
		if costs, err = s.costByProfile(ctx, acc.ID, p, key.basis); err != nil {
			return err
		}
		v.costs[key] = costs
	}
	m.Cost = costs[st.Profile][st.Currency]
	return nil
}

// wholeHours says that a time zone is whole hours from UTC at both ends of a period, so that hours folded in it are those of any other such.
func wholeHours(zone string, from, to int64) bool {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return false
	}
	for _, ms := range []int64{from, to} {
		if _, offset := clock.FromMillis(ms).In(loc).Zone(); offset%3600 != 0 {
			return false
		}
	}
	return true
}
