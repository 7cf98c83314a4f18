package billing

import (
	"cmp"
	"context"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

type detailInput struct {
	Kind     string     `query:"kind" enum:"service,unallocated,addon,plan,discount" description:"of the line; service when not given"`
	Profile  id.Profile `query:"profile" description:"of a service: whose part; of an add-on: who has it"`
	Service  string     `query:"service" description:"of service and unallocated"`
	Item     string     `query:"item" description:"of addon, plan and discount: one of them"`
	Day      string     `query:"day" required:"true" description:"of the account's time zone"`
	Basis    string     `query:"basis" enum:"allocation,use"`
	Currency string     `query:"currency"`
}

type detailAnswer struct {
	Day      string       `json:"day"`
	From     web.Time     `json:"from"`
	To       web.Time     `json:"to"`
	Timezone string       `json:"timezone"`
	Basis    Basis        `json:"basis"`
	Kind     string       `json:"kind"`
	Profile  id.Profile   `json:"profile,omitempty"`
	Service  string       `json:"service,omitempty"`
	Item     string       `json:"item,omitempty"`
	Currency string       `json:"currency"`
	Micro    int64        `json:"micro" description:"of the line"`
	AddsUp   bool         `json:"adds_up" description:"whether the hours below are exactly that"`
	Folded   bool         `json:"folded" description:"by use: the ledger has become too coarse for hours, so a row is a day"`
	Hours    []detailHour `json:"hours"`
}

type detailHour struct {
	Time    web.Time    `json:"time" description:"when it begins"`
	Until   web.Time    `json:"until"`
	Micro   int64       `json:"micro" description:"of this line"`
	Charged int64       `json:"charged_micro" description:"what all of its charges are worth in it"`
	Amount  *float64    `json:"amount" description:"what was allocated to the profile when it began, or what it used in it; what is left of the pool for what is unallocated; null without a service"`
	Of      *float64    `json:"of" description:"the same of all together, what is unallocated included"`
	Charges []id.Charge `json:"charges"`
}

// part is one hour of one charge, as a line has it.
type part struct {
	from, to       int64
	micro, charged int64
	amount, of     int64
	counted        bool // amount and of mean something
	charge         id.Charge
}

func (s *Service) getDetail(ctx context.Context, who auth.Caller, in detailInput) (detailAnswer, error) {
	out := detailAnswer{Kind: cmp.Or(in.Kind, string(ServiceFee)), Profile: in.Profile, Service: in.Service, Item: in.Item, Hours: []detailHour{}}
	if !slices.Contains(kindWords, out.Kind) {
		return out, fault.Field("kind", "must be service, unallocated, addon, plan or discount")
	}
	shared := out.Kind == string(ServiceFee) || out.Kind == string(Unallocated)
	if shared && !slices.Contains(plan.Services, plan.Service(in.Service)) {
		return out, fault.Field("service", "must be a service that profiles share")
	}
	if out.Kind == string(ServiceFee) && !id.Valid(string(in.Profile)) {
		return out, fault.Field("profile", "must be the id of a profile")
	}
	if out.Kind == string(Unallocated) && in.Profile != "" {
		return out, fault.Field("profile", "what is unallocated is no profile's")
	}
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return out, err
	}
	if in.Day == "" {
		return out, fault.Field("day", "must be given, as in 2026-03-14")
	}
	at, err := web.ParseTime(in.Day, s.clock.Now(), acc.Location())
	if err != nil {
		return out, fault.Field("day", "%v", err)
	}
	choice, err := s.choiceOf(ctx, acc.ID)
	if err != nil {
		return out, err
	}
	if out.Basis, err = s.parseBasis(ctx, acc.ID, in.Basis, choice); err != nil {
		return out, err
	}
	loc := acc.Location()
	from, to := usage.DayOf(clock.Millis(at), loc)
	out.Day, out.From, out.To, out.Timezone = at.In(loc).Format("2006-01-02"), web.Millis(from), web.Millis(to), loc.String()
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		c, err := s.costOf(ctx, acc, from, to, out.Basis, true)
		if err != nil {
			return err
		}
		if out.Kind == string(ServiceFee) && !ownedIn(c, in.Profile) {
			return fault.Field("profile", "was no profile of this account on that day")
		}
		if _, out.Currency, err = s.currencies(c.charges, in.Currency); err != nil {
			return err
		}
		for _, l := range c.Lines {
			if wireKind(l.Kind) == out.Kind && l.Currency == out.Currency && out.has(l.Profile, l.Item, shared) {
				out.Micro += l.Micro
			}
		}
		charges := slices.DeleteFunc(slices.Clone(c.charges), func(x Charge) bool {
			if x.Currency != out.Currency || x.shared() != shared {
				return true
			}
			if shared {
				return x.Item != in.Service
			}
			return wireKind(x.Kind) != out.Kind || !out.has(x.Profile, x.Item, false)
		})
		parts, err := s.parts(ctx, acc.ID, charges, in.Profile, from, to, &out)
		if err != nil {
			return err
		}
		out.rows(parts, plan.Service(in.Service))
		return nil
	})
	return out, err
}

func ownedIn(c Cost, p id.Profile) bool {
	return slices.ContainsFunc(c.Profiles, func(o profile.Ownership) bool { return o.Profile == p })
}

// has reports whether a line with that profile and item is meant.
func (d *detailAnswer) has(p id.Profile, item string, shared bool) bool {
	if shared {
		return p == d.Profile && item == d.Service
	}
	return (d.Profile == "" || p == d.Profile) && (d.Item == "" || item == d.Item)
}

// parts are the hours of charges on a day, as the line has them.
func (s *Service) parts(ctx context.Context, a id.Account, charges []Charge, p id.Profile, from, to int64, d *detailAnswer) ([]part, error) {
	now := s.now()
	var out []part
	shared := slices.ContainsFunc(charges, Charge.shared)
	switch {
	case !shared:
		for _, c := range charges {
			first, next := c.counted(from, to, now)
			for k := first; k < next; k++ {
				n := c.between(k, k+1)
				out = append(out, part{from: c.hourStart(k), to: c.hourEnd(k), micro: n, charged: n, charge: c.ID})
			}
		}
	case d.Basis == ByAllocation:
		h, err := s.historyOf(ctx, a, from, to, true)
		if err != nil {
			return nil, err
		}
		ps := h.profilesOf()
		me := len(ps)
		if i, found := slices.BinarySearch(ps, p); found {
			me = i
		} else if p != "" {
			return nil, nil
		}
		var split splitter
		var weights []int64
		h.walk(ps, from, to, func(int64, int64) bool { return true }, func(g *segment) {
			for _, c := range charges {
				first, next := c.counted(max(from, g.from), min(to, g.to), now)
				for k := first; k < next; k++ {
					weights = g.weights(plan.Index(plan.Service(c.Item)), weights)
					sums := make([]int64, len(weights))
					micro := c.between(k, k+1)
					if !split.split(micro, weights, 1, sums) {
						sums[len(ps)] = micro
					}
					out = append(out, part{c.hourStart(k), c.hourEnd(k), sums[me], micro, weights[me], sum(weights), true, c.ID})
				}
			}
		})
	default:
		return s.usedParts(ctx, a, charges, p, from, to, d)
	}
	return out, nil
}

func sum(ns []int64) (n int64) {
	for _, x := range ns {
		n = min(n+x, plan.Unlimited)
	}
	return n
}

// usedParts are the rated hours of charges on a day: each hour, or the day as it is stored where the ledger no longer has hours.
func (s *Service) usedParts(ctx context.Context, a id.Account, charges []Charge, p id.Profile, from, to int64, d *detailAnswer) ([]part, error) {
	byID := map[id.Charge]Charge{}
	var ids []id.Charge
	for _, c := range charges {
		byID[c.ID] = c
		ids = append(ids, c.ID)
	}
	days, err := s.ratedDays(ctx, ids, from, to)
	if err != nil {
		return nil, err
	}
	d.Folded = from < s.usage.FineSince()
	var bounds []int64
	for _, r := range days {
		c := byID[r.charge]
		if d.Folded {
			bounds = append(bounds, r.at, c.hourEnd(r.first+r.hours-1))
			continue
		}
		for k := r.first; k < r.first+r.hours; k++ {
			bounds = append(bounds, c.hourStart(k), c.hourEnd(k))
		}
	}
	u, err := s.useBetween(ctx, a, bounds)
	if err != nil {
		return nil, err
	}
	me, found := slices.BinarySearch(u.profiles, p)
	if !found {
		me = len(u.profiles)
		if p != "" {
			return nil, nil
		}
	}
	var out []part
	var weights []int64
	add := func(c Charge, from, to, micro, charged int64) {
		weights = u.weights(plan.Index(plan.Service(c.Item)), from, to, weights)
		x := part{from: from, to: to, micro: micro, charged: charged, of: sum(weights), counted: true, charge: c.ID}
		if me < len(weights) {
			x.amount = weights[me]
		}
		out = append(out, x)
	}
	for _, r := range days {
		c := byID[r.charge]
		if d.Folded {
			var mine int64
			if err := eachShare(r.shares, func(q string, n int64) {
				if q == string(p) {
					mine = n
				}
			}); err != nil {
				return nil, err
			}
			add(c, r.at, c.hourEnd(r.first+r.hours-1), mine, r.micro)
			continue
		}
		hours := u.share(c, r.first, r.first+r.hours)
		for k := r.first; k < r.first+r.hours; k++ {
			add(c, c.hourStart(k), c.hourEnd(k), hours.hours[k-r.first][me], c.between(k, k+1))
		}
	}
	return out, nil
}

// rows puts parts of the same hour together.
func (d *detailAnswer) rows(parts []part, svc plan.Service) {
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var total int64
	for i, x := range parts {
		total += x.micro
		if n := len(d.Hours); i > 0 && parts[i-1].from == x.from && parts[i-1].to == x.to {
			h := &d.Hours[n-1]
			h.Micro += x.micro
			h.Charged += x.charged
			h.Charges = append(h.Charges, x.charge)
			continue
		}
		h := detailHour{Time: web.Millis(x.from), Until: web.Millis(x.to), Micro: x.micro, Charged: x.charged, Charges: []id.Charge{x.charge}}
		if x.counted {
			amount, of := plan.Wire(svc, x.amount), plan.Wire(svc, x.of)
			h.Amount, h.Of = &amount, &of
		}
		d.Hours = append(d.Hours, h)
	}
	d.AddsUp = total == d.Micro
}
