package billing

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// Basis is by what profiles share a charge.
type Basis string

const (
	ByAllocation Basis = "allocation" // what was allocated to them when the hour began
	ByUse        Basis = "use"        // what they used in the hour
)

// Unallocated is the kind of a line for what no profile had or used; Item is the service.
const Unallocated Kind = "unallocated"

// Line is a part of a cost. Kind is the charge's, or Unallocated.
type Line struct {
	Profile  id.Profile // whose part it is, or who has the add-on; "" for what belongs to none
	Kind     Kind
	Item     string // the charge's: a service, a plan, an add-on, a sentence
	Currency string
	Day      int64 // UTC milliseconds: the start of the day in the account's time zone; 0 where days are not asked for
	Micro    int64 // ten thousandths of a cent
}

// Cost is what an account costs in a stretch of time. What counts are the hours that start in it, are over, and, by use, have been
// rated; a day by use counts where it begins.
type Cost struct {
	From, To int64 // UTC milliseconds
	Basis    Basis
	Lines    []Line
	Total    map[string]int64 // by currency: what the lines add up to
	Charged  map[string]int64 // by currency: what the hours of the charges are worth that were counted; the same
	Profiles []profile.Ownership
	charges  []Charge
}

// costOf says what an account costs from one instant to another, by days or not.
func (s *Service) costOf(ctx context.Context, acc account.Account, from, to int64, basis Basis, days bool) (Cost, error) {
	now := s.now()
	out := Cost{From: from, To: min(to, now), Basis: basis, Total: map[string]int64{}, Charged: map[string]int64{}}
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		var err error
		if out.charges, err = s.Charges(ctx, acc.ID, from, to); err != nil {
			return err
		}
		h, err := s.historyOf(ctx, acc.ID, from, max(from+1, out.To), basis == ByAllocation && slices.ContainsFunc(out.charges, Charge.shared))
		if err != nil {
			return err
		}
		out.Profiles = h.owned
		t := newTally(h.profilesOf(), from, max(from+1, out.To), acc.Location(), days)
		var shared []Charge
		for _, c := range out.charges {
			if _, there := out.Charged[c.Currency]; !there {
				out.Charged[c.Currency] = 0
			}
			if c.shared() {
				shared = append(shared, c)
				continue
			}
			first, next := c.counted(from, to, now)
			out.Charged[c.Currency] += c.between(first, next)
			t.own(c, first, next)
		}
		if basis == ByUse {
			if err := s.rated(ctx, t, shared, from, to, out.Charged); err != nil {
				return err
			}
		} else {
			for _, c := range shared {
				out.Charged[c.Currency] += c.between(c.counted(from, to, now))
			}
			t.allocate(h, shared, from, out.To, now)
		}
		out.Lines, out.Total = t.lines()
		return nil
	})
	return out, err
}

// counted are the hours that start in a stretch of time and are over.
func (c Charge) counted(from, to, now int64) (first, next int64) {
	first, next = c.startingIn(from, to)
	next = min(next, c.over(now))
	return min(first, next), next
}

// tally adds up parts of charges by line.
type tally struct {
	profiles []id.Profile
	days     []int64 // where days begin; one, 0, when days are not asked for
	bounds   []int64 // the same, from the first to where the last ends
	shares   map[lineOf][]int64
	others   map[Line]int64
	split    splitter
}

// halves are both amounts that an hour of a charge can have, divided by weights.
type halves struct{ weights, low, high []int64 }

// lineOf is what lines of different profiles and days have in common.
type lineOf struct {
	kind     Kind
	item     string
	currency string
}

// newTally begins to add up for some profiles, ordered by id.
func newTally(ps []id.Profile, from, to int64, loc *time.Location, days bool) *tally {
	t := &tally{profiles: ps, shares: map[lineOf][]int64{}, others: map[Line]int64{}, days: []int64{0}, bounds: []int64{math.MinInt64, math.MaxInt64}}
	if days {
		t.days, t.bounds = nil, nil
		for at := from; at < to; {
			start, end := usage.DayOf(at, loc)
			t.days = append(t.days, start)
			t.bounds = append(t.bounds, start)
			at = max(end, at+quarter)
		}
		t.bounds = append(t.bounds, math.MaxInt64)
	}
	return t
}

// dayAt is the number of the day that an instant lies in.
func (t *tally) dayAt(ms int64) int {
	i, found := slices.BinarySearch(t.bounds[:len(t.days)], ms)
	if !found {
		i--
	}
	return max(i, 0)
}

// of are the sums of a shared charge's line for one day: of each profile, and at the end of none.
func (t *tally) of(c Charge, day int) []int64 {
	k := lineOf{c.Kind, c.Item, c.Currency}
	n := len(t.profiles) + 1
	sums := t.shares[k]
	if sums == nil {
		sums = make([]int64, n*len(t.days))
		t.shares[k] = sums
	}
	return sums[day*n : (day+1)*n]
}

// byDay cuts hours of a charge where days begin.
func (t *tally) byDay(c Charge, first, next int64, do func(day int, first, next int64)) {
	for first < next {
		d := t.dayAt(c.hourStart(first))
		_, end := c.startingIn(c.Start, t.bounds[d+1])
		end = min(max(end, first+1), next)
		do(d, first, end)
		first = end
	}
}

// own adds hours of a charge that is a line of its own.
func (t *tally) own(c Charge, first, next int64) {
	t.byDay(c, first, next, func(day int, first, next int64) {
		t.others[Line{Profile: c.Profile, Kind: c.Kind, Item: c.Item, Currency: c.Currency, Day: t.days[day]}] += c.between(first, next)
	})
}

// allocate adds the hours of shared charges by what was allocated. Within a segment all hours of a charge have one of two
// amounts, a micro-unit apart, so each is divided once however many hours there are.
func (t *tally) allocate(h history, shared []Charge, from, to, now int64) {
	wanted := func(gFrom, gTo int64) bool {
		for _, c := range shared {
			if first, next := c.counted(max(from, gFrom), min(to, gTo), now); first < next {
				return true
			}
		}
		return false
	}
	n := len(t.profiles) + 1
	last := make([]halves, len(shared))
	var weights []int64
	h.walk(t.profiles, from, to, wanted, func(g *segment) {
		for at, c := range shared {
			first, next := c.counted(max(from, g.from), min(to, g.to), now)
			if first == next {
				continue
			}
			weights = g.weights(plan.Index(plan.Service(c.Item)), weights)
			least, unit := c.Cents*microPerCent/c.hours(), int64(1)
			if c.Cents < 0 {
				unit = -1
			}
			x := &last[at]
			if !slices.Equal(x.weights, weights) { // else this service is shared as in the segment before
				x.weights = append(x.weights[:0], weights...)
				x.low, x.high = make([]int64, n), make([]int64, n)
				if !t.split.splitTwo(least, unit, weights, x.low, x.high) { // nobody had anything of it
					x.low[n-1], x.high[n-1] = least, least+unit
				}
			}
			low, high := x.low, x.high
			t.byDay(c, first, next, func(day int, first, next int64) {
				hours := next - first
				more := (c.between(first, next) - least*hours) * unit // hours that have a unit more
				sums := t.of(c, day)
				for j := range sums {
					sums[j] += low[j]*(hours-more) + high[j]*more
				}
			})
		}
	})
}

// lines are the sums, by day, then kind, item and profile, and what they add up to by currency. What is zero is no line.
func (t *tally) lines() ([]Line, map[string]int64) {
	total := map[string]int64{}
	keys := make([]lineOf, 0, len(t.shares))
	for k := range t.shares {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b lineOf) int {
		return cmp.Or(cmp.Compare(a.currency, b.currency), cmp.Compare(a.kind, b.kind), cmp.Compare(plan.Index(plan.Service(a.item)), plan.Index(plan.Service(b.item))))
	})
	n := len(t.profiles) + 1
	out := []Line{}
	for d, day := range t.days {
		for _, k := range keys {
			for i, micro := range t.shares[k][d*n : (d+1)*n] {
				switch {
				case micro == 0:
				case i == n-1:
					t.others[Line{Kind: Unallocated, Item: k.item, Currency: k.currency, Day: day}] += micro
				default:
					out = append(out, Line{Profile: t.profiles[i], Kind: k.kind, Item: k.item, Currency: k.currency, Day: day, Micro: micro})
					total[k.currency] += micro
				}
			}
		}
	}
	first := len(out)
	for l, micro := range t.others {
		if micro != 0 {
			l.Micro = micro
			out = append(out, l)
			total[l.Currency] += micro
		}
	}
	slices.SortFunc(out[first:], compareLines)
	if len(t.days) > 1 {
		slices.SortStableFunc(out, func(a, b Line) int { return cmp.Compare(a.Day, b.Day) })
	}
	return out, total
}

var kindOrder = []Kind{ServiceFee, Figure, Unallocated, AddonFee, PlanFee, Discount}

func compareLines(a, b Line) int {
	return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(slices.Index(kindOrder, a.Kind), slices.Index(kindOrder, b.Kind)),
		cmp.Compare(plan.Index(plan.Service(a.Item)), plan.Index(plan.Service(b.Item))), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Currency, b.Currency))
}

// rated adds what has been rated by use of shared charges: of those that lie in the range whole all of it, of others the days
// that begin in it.
func (s *Service) rated(ctx context.Context, t *tally, shared []Charge, from, to int64, charged map[string]int64) error {
	index := make(map[string]int, len(t.profiles))
	for i, p := range t.profiles {
		index[string(p)] = i
	}
	byID := map[id.Charge]Charge{}
	var whole, part []id.Charge
	for _, c := range shared {
		byID[c.ID] = c
		if len(t.days) == 1 && t.days[0] == 0 && from <= c.Start && c.End <= to {
			whole = append(whole, c.ID)
		} else {
			part = append(part, c.ID)
		}
	}
	add := func(r ratedHours) error {
		c := byID[r.charge]
		charged[c.Currency] += c.between(r.first, r.first+r.hours)
		sums := t.of(c, t.dayAt(r.at))
		return eachShare(r.shares, func(p string, micro int64) {
			if i, ok := index[p]; ok {
				sums[i] += micro
			} else if p == "" {
				sums[len(sums)-1] += micro
			} else { // somebody's who is not in the history of owners: never, unless that was tampered with
				t.others[Line{Profile: id.Profile(p), Kind: c.Kind, Item: c.Item, Currency: c.Currency, Day: t.days[t.dayAt(r.at)]}] += micro
			}
		})
	}
	for ids := range slices.Chunk(whole, sqldb.MaxSize) {
		w := &sqldb.Where{}
		sqldb.In(w, "charge", ids)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x ratedHours, err error) {
			return x, r.Scan(&x.charge, &x.hours, &x.shares)
		}, `SELECT charge, hours, shares FROM cost_rated`+w.SQL(), w.Args()...)
		if err != nil {
			return fmt.Errorf("read rated charges: %w", err)
		}
		for _, r := range rows {
			if err := add(r); err != nil {
				return err
			}
		}
	}
	for ids := range slices.Chunk(part, sqldb.MaxSize) {
		rows, err := s.ratedDays(ctx, ids, from, to)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := add(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ratedHours are hours of a charge as they were shared by use.
type ratedHours struct {
	charge       id.Charge
	at           int64 // when the first of them starts; 0 for all that are rated
	first, hours int64
	micro        int64
	shares       string
}

// ratedDays are the days of charges that begin in a stretch of time, in order.
func (s *Service) ratedDays(ctx context.Context, charges []id.Charge, from, to int64) ([]ratedHours, error) {
	w := &sqldb.Where{}
	sqldb.In(w, "charge", charges).And("at >= ?", from).And("at < ?", to)
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x ratedHours, err error) {
		return x, r.Scan(&x.charge, &x.at, &x.first, &x.hours, &x.micro, &x.shares)
	}, `SELECT charge, at, first, hours, micro, shares FROM cost_use`+w.SQL()+` ORDER BY charge, at`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read rated days: %w", err)
	}
	return rows, nil
}

// eachShare reads shares as encodeShares wrote them.
func eachShare(text string, do func(profile string, micro int64)) error {
	rest, ok := strings.CutPrefix(text, "{")
	rest, ends := strings.CutSuffix(rest, "}")
	if !ok || !ends {
		return fmt.Errorf("shares %.20q are no object", text)
	}
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(part, ":")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || len(name) < 2 {
			return fmt.Errorf("a share %.60q is none", part)
		}
		do(name[1:len(name)-1], n)
	}
	return nil
}

// encodeShares writes shares as JSON, by profile.
func encodeShares(shares map[string]int64) string {
	names := make([]string, 0, len(shares))
	for p, n := range shares {
		if n != 0 {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	b := make([]byte, 0, 40*len(names)+2)
	b = append(b, '{')
	for i, p := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, p...)
		b = append(b, '"', ':')
		b = strconv.AppendInt(b, shares[p], 10)
	}
	return string(append(b, '}'))
}
