package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// What if: a cycle that was really used, priced as if the account had been subscribed to something else, or its pool been allocated
// otherwise. Nothing here has a price or a way to share an hour of its own: holdings are decided as a change of the subscription is,
// charged as a renewal is, and shared as charges are, only that all of it stays in memory. It is read in one snapshot, and
// writes nothing.

// scenario is what is supposed to have been otherwise. Without plan, services and addons the charges of the cycle are those that were made.
type scenario struct {
	plan     string
	services map[plan.Service]int64  // base units
	addons   map[string][]id.Profile // for each one named, all profiles that have it
	// rows are allocations as POST /account/allocation takes them; nil for the present ones, or what a change of the pool makes of
	// them.
	rows  []map[string]json.RawMessage
	basis Basis // "" for the account's
	last  bool  // the cycle before the running one
	card  *supposedCard
}

// sells reports whether another subscription is supposed.
func (x scenario) sells() bool { return x.plan != "" || len(x.services) > 0 || len(x.addons) > 0 }

// simulation is what comes of a scenario.
type simulation struct {
	cycle     stretch
	until     int64 // how far use counts: the end of the cycle, or now
	basis     Basis
	had, has  holding
	monthly   int64  // cents of a whole cycle of what is supposed to be had
	currency  string // of the catalogue
	real      []Line
	simulated []Line
	over      []overLimit
	names     map[id.Profile]string

	statements []Statement // of a card, one for each profile that it is for
}

// overLimit says that a profile used more of a service than it is supposed to be allocated.
type overLimit struct {
	Profile id.Profile
	Service plan.Service
	Limit   int64        // base units
	Used    int64        // of a stock the highest level
	At      int64        // when the quarter of an hour began in which it passed the limit; of a cycle of long ago the hour
	AtLimit usage.Policy // what happens there
}

// simulate prices a cycle. It returns Invalid, naming the member, for what cannot be had, and conflict for services or add-ons of an
// account on a plan that is not sold.
func (s *Service) simulate(ctx context.Context, a id.Account, x scenario) (out simulation, err error) {
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		st, err := s.read(ctx, a)
		if err != nil {
			return err
		}
		if out.basis = x.basis; out.basis == "" {
			choice, err := s.choiceOf(ctx, a)
			if err != nil {
				return err
			}
			if out.basis, err = s.basisOf(ctx, a, choice); err != nil {
				return err
			}
		}
		from, to := usage.Cycle(st.acc, st.now)
		if x.last {
			from, to = usage.Cycle(st.acc, from-1)
		}
		out.cycle, out.until, out.currency = stretch{from, to}, min(to, st.now-st.now%quarter), st.cat.Currency()
		owned, err := s.owned(ctx, a)
		if err != nil {
			return err
		}
		out.had = st.have
		if out.has, err = x.holding(st, owned); err != nil {
			return err
		}
		out.monthly = out.has.cycle(st.cat)
		pool := out.has.plan.With(plan.Terms{Services: out.has.services, Overrides: st.terms.Overrides}, st.now).Pool
		shares, err := s.usage.Suppose(ctx, a, pool, "allocation", x.rows)
		if err != nil {
			return err
		}
		real, err := s.costOf(ctx, st.acc, from, to, out.basis, false)
		if err != nil {
			return err
		}
		out.real = real.Lines
		h, err := s.historyOf(ctx, a, from, max(from+1, out.until), out.basis == ByAllocation)
		if err != nil {
			return err
		}
		out.names = map[id.Profile]string{}
		for _, o := range h.owned {
			out.names[o.Profile] = o.Name
		}
		if out.basis == ByUse {
			// Hours that are over are shared a while later: what is not yet is shared here, or it would seem to have cost nothing.
			waits, err := s.unrated(ctx, a, out.cycle)
			if err != nil {
				return err
			}
			if waits {
				today := simulation{cycle: out.cycle, until: out.until, basis: out.basis}
				if err := s.rateSupposed(ctx, a, &today, h, real.charges, newLimitWatch(nil, pool), st.now); err != nil {
					return err
				}
				out.real = today.simulated
			}
		}
		if x.sells() || x.rows != nil {
			h.allocated, h.pools = nil, []usage.PoolChange{{At: from, Amounts: pool}}
			for _, p := range h.profilesOf() {
				if n, there := shares[p]; there {
					h.allocated = append(h.allocated, usage.AllocationChange{At: from, Profile: p, Amounts: n})
				}
			}
		}
		charges := real.charges
		if x.sells() {
			charges = renewalCharges(st, out.has, out.cycle, real.charges)
		}
		limits := newLimitWatch(shares, pool)
		if err := s.rateSupposed(ctx, a, &out, h, charges, limits, st.now); err != nil {
			return err
		}
		if x.card != nil {
			if err := s.suppose(ctx, a, *x.card, &out); err != nil {
				return err
			}
		}
		if out.over = limits.over(); len(out.over) > 0 {
			var ps []id.Profile
			for _, o := range out.over {
				ps = append(ps, o.Profile)
			}
			policies, err := s.usage.PoliciesOfAll(ctx, slices.Compact(ps))
			if err != nil {
				return err
			}
			for i := range out.over {
				o := &out.over[i]
				if o.AtLimit = usage.Block; o.Service != plan.DashboardOutput {
					o.AtLimit = policies[o.Profile][plan.Index(o.Service)]
				}
			}
		}
		return nil
	})
	return out, err
}

// holding is what the account is supposed to have: what it has, and then the plan, and then services and add-ons, as if
// all that waits for a renewal had happened.
func (x scenario) holding(st state, owned map[id.Profile]bool) (holding, error) {
	has := st.have
	if x.plan != "" && x.plan != has.plan.Name {
		now, next := has.clone(), later{}.clone()
		if err := (facts{have: has, owned: owned, cat: st.cat}).decidePlan(x.plan, &now, &next); err != nil {
			return has, err
		}
		now.tidy()
		has = now.after(next, st.cat)
	}
	if len(x.services) == 0 && len(x.addons) == 0 {
		return has, nil
	}
	f := facts{have: has, owned: owned, cat: st.cat, limit: st.limit}
	if x.plan != "" {
		f.limit = map[plan.Service]int64{}
		for _, svc := range plan.Services {
			f.limit[svc] = has.limit(svc)
		}
	}
	now, next, err := decide(f, wish{services: x.services, addons: x.addons})
	if err != nil {
		return has, err
	}
	return now.after(next, st.cat), nil
}

// renewalCharges are the charges of a whole cycle of a holding at full prices. An owner's own figure stays what it was, unless a plan
// with a price is supposed, which would end it.
func renewalCharges(st state, h holding, cycle stretch, real []Charge) []Charge {
	out := renewal(st.cat, h, cycle)
	for i := range out {
		out[i].Currency = st.cat.Currency()
	}
	if h.plan.Price > 0 {
		return out
	}
	for _, c := range real {
		if c.Kind == Figure {
			out = append(out, c)
		}
	}
	return out
}

// cellsAtOnce bounds what is read of use at once: quarters of an hour times profiles.
const cellsAtOnce = 200_000

// rateSupposed shares charges among the profiles of a history and looks at what they used, a stretch of the cycle at a time.
func (s *Service) rateSupposed(ctx context.Context, a id.Account, out *simulation, h history, charges []Charge, limits *limitWatch, now int64) error {
	from, to := out.cycle.from, out.cycle.to
	ps := h.profilesOf()
	t := newTally(ps, from, max(from+1, out.until), nil, false)
	var shared []Charge
	for _, c := range charges {
		if c.shared() {
			shared = append(shared, c)
			continue
		}
		first, next := c.counted(from, to, now)
		t.own(c, first, next)
	}
	settled, err := s.usage.Settled(ctx)
	if err != nil {
		return err
	}
	if out.basis == ByAllocation {
		t.allocate(h, shared, from, out.until, now)
		shared = nil
	}
	step := quarter
	if from < s.usage.FineSince() {
		step = hour
	}
	stretchOf := max(hour, int64(cellsAtOnce)/max(1, int64(len(ps)))*step/hour*hour)
	for at := from; at < out.until; at += stretchOf {
		end := min(at+stretchOf, out.until)
		var bounds []int64
		for b := at; b < end; b += step {
			bounds = append(bounds, b)
		}
		bounds = append(bounds, end)
		for _, c := range shared {
			first, next := c.counted(at, end, settled)
			for k := first; k < next; k++ {
				bounds = append(bounds, c.hourStart(k), c.hourEnd(k))
			}
		}
		u, err := s.useBetween(ctx, a, bounds)
		if err != nil {
			return err
		}
		for _, c := range shared {
			first, next := c.counted(at, end, settled)
			sums := t.of(c, 0)
			hours := u.share(c, first, next)
			for k := first; k < next; k++ {
				parts := map[string]int64{}
				hours.add(k, parts)
				for p, micro := range parts {
					if i, found := slices.BinarySearch(ps, id.Profile(p)); found {
						sums[i] += micro
					} else {
						sums[len(ps)] += micro
					}
				}
			}
		}
		limits.look(u, at, end)
	}
	out.simulated, _ = t.lines()
	return nil
}

// limitWatch watches what profiles use against what they are allocated.
type limitWatch struct {
	shares    map[id.Profile]plan.Amounts // of those that are the account's now; others have no limit
	dashboard int64                       // of each profile
	used      map[id.Profile]*plan.Amounts
	passed    map[passing]int64 // when the stretch began in which a limit was passed
}

// passing is a limit of a profile.
type passing struct {
	profile id.Profile
	service int
}

func newLimitWatch(shares map[id.Profile]plan.Amounts, pool plan.Amounts) *limitWatch {
	return &limitWatch{shares: shares, dashboard: pool.Of(plan.DashboardOutput), used: map[id.Profile]*plan.Amounts{}, passed: map[passing]int64{}}
}

// limit is how much of the service of a place a profile has; false for one that has no limit.
func (l *limitWatch) limit(p id.Profile, service int) (int64, bool) {
	amounts, known := l.shares[p]
	if plan.Metered[service] == plan.DashboardOutput {
		return l.dashboard, known
	}
	return amounts[service], known
}

// look adds what was used in a stretch of time to what was used before: flows are summed, of stocks the highest level counts.
func (l *limitWatch) look(u *use, from, to int64) {
	for i, p := range u.profiles {
		if u.used[i] == nil {
			continue
		}
		sum := l.used[p]
		if sum == nil {
			sum = &plan.Amounts{}
			l.used[p] = sum
		}
		for b, at := range u.bounds[:len(u.bounds)-1] {
			if at < from || at >= to || !u.owner.at(i, at) {
				continue
			}
			for k, n := range u.used[i][b] {
				if n <= 0 {
					continue
				}
				if plan.Flow(plan.Metered[k]) {
					sum[k] += n
				} else {
					sum[k] = max(sum[k], n)
				}
				limit, known := l.limit(p, k)
				if _, before := l.passed[passing{p, k}]; known && !before && sum[k] > limit {
					l.passed[passing{p, k}] = at
				}
			}
		}
	}
}

// over are the limits that were passed, by profile and service.
func (l *limitWatch) over() []overLimit {
	out := make([]overLimit, 0, len(l.passed))
	for x, at := range l.passed {
		limit, _ := l.limit(x.profile, x.service)
		out = append(out, overLimit{Profile: x.profile, Service: plan.Metered[x.service], Limit: limit, Used: l.used[x.profile][x.service], At: at})
	}
	slices.SortFunc(out, func(a, b overLimit) int {
		return cmp.Or(cmp.Compare(a.Profile, b.Profile), cmp.Compare(plan.Index(a.Service), plan.Index(b.Service)))
	})
	return out
}
