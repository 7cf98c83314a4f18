package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// customer is a profile that an account owned in a month, or in a part of it.
type customer struct {
	profile id.Profile
	no      int64
	name    string
	tags    []tag.Tag
	spans   []tenure // ascending
}

// tenure is a time for which a profile was the account's.
type tenure struct {
	from, until int64 // UTC ms; until 0 for still
	made        bool  // it was created then, rather than handed over or restored
	came        bool  // it was another account's until then
}

// used says whether what was used from an instant on, up to the next bound, was used while the profile was the account's. Where it was
// nobody's before, a row of the ledger may stand at the start of the quarter of an hour in which it was made or restored.
func (o tenure) used(at int64) bool {
	from := o.from
	if !o.came {
		from -= from % quarter
	}
	return from <= at && (o.until == 0 || at < o.until)
}

// hours says which of the hours between bounds are the account's: those that it owned the profile at the start of, and the one in
// which the profile was made, for that is nobody else's.
func (c customer) hours(bounds []int64) (mine []bool, n int64) {
	mine = make([]bool, len(bounds)-1)
	for i := range mine {
		for _, o := range c.spans {
			began := o.from <= bounds[i] || o.made && o.from < bounds[i+1]
			if began && (o.until == 0 || o.until > bounds[i]) {
				mine[i] = true
				n++
				break
			}
		}
	}
	return mine, n
}

// settled is how long after the end of a month statements can be issued: by then every node has written what it counted, that of a
// node that died was booked, and shares by use are computed.
const settled = hour

// drafted is what would be issued for a profile, or why nothing can be.
type drafted struct {
	customer customer
	card     Card
	state    Statement // without logo, corrections, id and number
	reason   string    // "" for none
}

// monthBill makes the statements of a month of an account.
type monthBill struct {
	s       *Service
	account account.Account
	month   time.Time // its first day
	whole   stretch   // the month in the account's zone
	cards   cardChoice
	costs   map[costKey]map[id.Profile]byCurrency
}

// byCurrency is micro-units by currency.
type byCurrency map[string]int64

type costKey struct {
	stretch
	basis Basis
}

func (s *Service) billOfMonth(ctx context.Context, a id.Account, month string) (*monthBill, error) {
	m, err := parseMonth(month)
	if err != nil {
		return nil, err
	}
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	cards, err := s.Cards(ctx, a)
	if err != nil {
		return nil, err
	}
	b := &monthBill{s: s, account: acc, month: m, cards: chooseCards(cards), costs: map[costKey]map[id.Profile]byCurrency{}}
	b.whole.from, b.whole.to = monthIn(m, acc.Location())
	if b.whole.from > s.now() {
		return nil, fault.Field("month", "has not begun")
	}
	return b, nil
}

func (b *monthBill) name() string { return b.month.Format("2006-01") }

// customers are the profiles that the account owned at any time of the month, in the order of their numbers; where some are named, just
// these, also such as were not the account's in it. It returns not_found for a named one that never was the account's.
func (b *monthBill) customers(ctx context.Context, only []id.Profile) (cs []customer, err error) {
	if len(only) > 0 {
		cs, err = b.s.named(ctx, b.account.ID, only)
	} else {
		// A day more on both sides: where the account's zone was changed a statement may begin or end there.
		cs, err = b.s.customersOf(ctx, b.account.ID, b.whole.from-24*hour, b.whole.to+24*hour)
	}
	if err != nil {
		return nil, err
	}
	living, err := b.s.profiles.List(ctx, b.account.ID)
	if err != nil {
		return nil, err
	}
	tags := map[id.Profile]profile.Profile{}
	for _, p := range living {
		tags[p.ID] = p
	}
	former, err := b.s.formerTags(ctx, b.account.ID)
	if err != nil {
		return nil, err
	}
	bounds := hoursBetween(b.whole.from, b.whole.to)
	out := []customer{}
	for _, c := range cs {
		if p, ok := tags[c.profile]; ok {
			c.name, c.tags = p.Name, p.Tags
		} else {
			c.tags = former[c.profile]
		}
		if _, n := c.hours(bounds); n > 0 || len(only) > 0 {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b customer) int { return int(max(-1, min(1, a.no-b.no))) })
	return out, nil
}

// atOnce is how many profiles are measured together: a month of hours of each is held in memory.
const atOnce = 25

// drafts measures some customers and makes what would be issued for each, in their order.
func (b *monthBill) drafts(ctx context.Context, cs []customer) ([]drafted, error) {
	out := make([]drafted, 0, len(cs))
	for part := range slices.Chunk(cs, atOnce) {
		some, err := b.some(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func (b *monthBill) some(ctx context.Context, cs []customer) ([]drafted, error) {
	out := make([]drafted, len(cs))
	groups := map[stretch][]customer{}
	periods, err := b.periods(ctx, cs)
	if err != nil {
		return nil, err
	}
	bounds := hoursBetween(b.whole.from, b.whole.to)
	for i, c := range cs {
		out[i].customer = c
		if _, n := c.hours(bounds); n == 0 {
			out[i].reason = "It was not the account's in this month"
			continue
		}
		card, found, err := b.cards.of(c.profile, c.tags)
		switch {
		case err != nil:
			out[i].reason = fault.Of(err).Message
			continue
		case !found:
			out[i].reason = "It has no rate card"
			continue
		}
		out[i].card = card
		p := periods[c.profile]
		groups[p] = append(groups[p], c)
	}
	for p, those := range groups {
		measured, err := b.s.measure(ctx, those, p)
		if err != nil {
			return nil, err
		}
		for i := range out {
			d := &out[i]
			m, ok := measured[d.customer.profile]
			if d.reason != "" || !ok || periods[d.customer.profile] != p {
				continue
			}
			if m.Cost, err = b.cost(ctx, d.card, d.customer.profile, p); err == nil {
				d.state, err = d.card.draft(m)
			}
			if fault.Is(err, fault.Conflict) {
				d.reason = fault.Of(err).Message
				continue
			}
			if err != nil {
				return nil, err
			}
			d.state.Profile, d.state.Name = d.customer.profile, d.customer.name
			d.state.Month, d.state.Zone = b.name(), b.account.Timezone
			d.state.From, d.state.To = p.from, p.to
		}
	}
	return out, nil
}

// cost is what a profile cost in a period, in micro-units, by the basis of a card; 0 for a card that does not pass it on.
func (b *monthBill) cost(ctx context.Context, c Card, p id.Profile, at stretch) (int64, error) {
	m := c.Terms.Markup
	if m == nil {
		return 0, nil
	}
	k := costKey{at, m.Basis}
	costs, ok := b.costs[k]
	if !ok {
		var err error
		if costs, err = b.s.costByProfile(ctx, b.account.ID, at, m.Basis); err != nil {
			return 0, err
		}
		b.costs[k] = costs
	}
	for currency := range costs[p] {
		if currency != c.Terms.Currency {
			return 0, otherCurrency(c.Terms, currency)
		}
	}
	return costs[p][c.Terms.Currency], nil
}

// otherCurrency is the fault of a card that would have to pass on what a profile costs in another currency: nothing is converted.
func otherCurrency(t Terms, currency string) error {
	return fault.New(fault.Conflict, "The rate card bills in %s, and cost that it would pass on is in %s", strings.ToUpper(t.Currency), strings.ToUpper(currency))
}

// measure adds up what some customers used in a period.
func (s *Service) measure(ctx context.Context, cs []customer, p stretch) (map[id.Profile]Measured, error) {
	bounds := hoursBetween(p.from, p.to)
	ids := make([]id.Profile, len(cs))
	for i, c := range cs {
		ids[i] = c.profile
	}
	// A quarter before the first hour says what was held when that began. Where a profile came, was made or left, the hour is cut.
	cuts := append([]int64{p.from - quarter}, bounds...)
	for _, c := range cs {
		for _, o := range c.spans {
			for _, at := range []int64{o.from, o.from - o.from%quarter, o.until} {
				if p.from < at && at < p.to {
					cuts = append(cuts, at)
				}
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	used, err := s.usage.UsedBetween(ctx, ids, cuts)
	if err != nil {
		return nil, err
	}
	out := make(map[id.Profile]Measured, len(cs))
	for _, c := range cs {
		out[c.profile] = c.totalOf(used[c.profile], cuts, bounds)
	}
	return out, nil
}

// totalOf adds up what is the account's: of flows what was used while the profile was, of stocks what was there at the start of each hour
// that is the account's. A stock's levels are divided by all hours of the month and rounded to the nearest base unit: what was
// held for half of it counts half. used[k] is what was used from cuts[k] on and what was there at cuts[k+1].
func (c customer) totalOf(used []plan.Amounts, cuts, bounds []int64) Measured {
	mine, n := c.hours(bounds)
	m := Measured{Hours: n, Of: int64(len(mine))}
	h := 0
	for k := 1; k < len(used); k++ {
		if h+1 < len(bounds) && bounds[h+1] <= cuts[k] {
			h++
		}
		starts := bounds[h] == cuts[k]
		ours := slices.ContainsFunc(c.spans, func(o tenure) bool { return o.used(cuts[k]) })
		for i, svc := range plan.Metered {
			switch {
			case plan.Flow(svc) && ours:
				m.Amounts[i] += used[k][i]
			case !plan.Flow(svc) && starts && mine[h]:
				m.Amounts[i] += used[k-1][i]
			}
		}
	}
	for i, svc := range plan.Metered {
		if !plan.Flow(svc) {
			m.Amounts[i] = (m.Amounts[i] + m.Of/2) / m.Of
		}
	}
	return m
}

// periods are the times that statements of the month cover: the month, but beginning where the last one ended and ending where the next one
// began, if they are issued. They meet, whatever happened to the account's time zone.
func (b *monthBill) periods(ctx context.Context, cs []customer) (map[id.Profile]stretch, error) {
	before, after := b.month.AddDate(0, -1, 0).Format("2006-01"), b.month.AddDate(0, 1, 0).Format("2006-01")
	out := make(map[id.Profile]stretch, len(cs))
	w := sqldb.NewWhere("account = ?", string(b.account.ID)).And("month IN (?, ?)", before, after).And("once = month")
	ids := make([]string, len(cs))
	for i, c := range cs {
		ids[i] = string(c.profile)
		out[c.profile] = b.whole
	}
	sqldb.In(w, "profile", ids)
	type row struct {
		profile id.Profile
		month   string
		stretch
	}
	rows, err := sqldb.All(ctx, b.s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.month, &x.from, &x.to)
	}, `SELECT profile, month, from_at, to_at FROM statement`+w.SQL(), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read the months beside: %w", err)
	}
	for _, r := range rows {
		p := out[r.profile]
		if r.month == before {
			p.from = r.to
		} else {
			p.to = r.from
		}
		out[r.profile] = p
	}
	return out, nil
}

// formerTags are the tags that profiles had when they left an account.
func (s *Service) formerTags(ctx context.Context, a id.Account) (map[id.Profile][]tag.Tag, error) {
	type row struct {
		profile id.Profile
		tags    string
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.tags) },
		`SELECT profile, tags FROM former_customer WHERE account = $1`, string(a))
	if err != nil {
		return nil, fmt.Errorf("read tags of former profiles: %w", err)
	}
	out := make(map[id.Profile][]tag.Tag, len(rows))
	for _, r := range rows {
		var tags []tag.Tag
		if err := json.Unmarshal([]byte(r.tags), &tags); err != nil {
			return nil, fmt.Errorf("tags of former profile %s: %w", r.profile, err)
		}
		out[r.profile] = tags
	}
	return out, nil
}

// profileLeft keeps the tags of a profile that is deleted or goes to another account, in the transaction of that: by them the statement of its last month finds its
// card.
func (s *Service) profileLeft(ctx context.Context, _ auth.Caller, p profile.Profile) error {
	if len(p.Tags) == 0 {
		return nil
	}
	tags, err := json.Marshal(p.Tags)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO former_customer (account, profile, tags, left_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, profile) DO UPDATE SET tags = excluded.tags, left_at = excluded.left_at`, string(p.Account), string(p.ID), string(tags), s.now())
	if err != nil {
		return fmt.Errorf("keep the tags of a profile that left: %w", err)
	}
	return nil
}
