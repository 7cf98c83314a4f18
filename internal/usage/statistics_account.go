package usage

import (
	"cmp"
	"context"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// mostCells is how many periods of all profiles together one answer holds.
const mostCells = 20_000

// Usage is what was used in each period of a range: flows are what the period added, stocks what was there at its end.
type Usage struct {
	Periods []Sample
	Range   Sample // the same of the whole range
}

// add counts a period, keeping those that are there in order. Periods of one time are added up.
func (u *Usage) add(x Sample) {
	i, found := slices.BinarySearchFunc(u.Periods, x.Time, func(s Sample, t int64) int { return cmp.Compare(s.Time, t) })
	if !found {
		u.Periods = slices.Insert(u.Periods, i, Sample{Time: x.Time})
	}
	u.Periods[i].plus(x)
}

// plus adds y, which is of another profile.
func (x *Sample) plus(y Sample) {
	for i := range x.Used {
		x.Used[i] += y.Used[i]
		x.Over[i] += y.Over[i]
		x.Shown[i] = x.Shown[i] || y.Shown[i]
	}
}

// follow adds what comes after: flows add up, stocks are the later ones.
func (x *Sample) follow(y Sample) {
	x.Time = y.Time
	for i, svc := range plan.Metered {
		if plan.Flow(svc) {
			x.Used[i] += y.Used[i]
			x.Over[i] += y.Over[i]
		} else {
			x.Used[i], x.Over[i] = y.Used[i], y.Over[i]
		}
		x.Shown[i] = x.Shown[i] || y.Shown[i]
	}
}

// ProfileUsage is what one profile used.
type ProfileUsage struct {
	Profile id.Profile
	Name    string
	Usage
	RunsOut plan.Amounts // UTC milliseconds when nothing will be left of a service; 0 for never
}

// AccountUsage is what the profiles of an account used, oldest profile first.
type AccountUsage struct {
	Profiles []ProfileUsage
	Total    Usage
}

// AccountStatistics is what each living profile of an account used in the periods of a span, and when it runs
// out. What nodes have answered in the last second or so may not be in it yet. It returns Invalid for a range
// that has too many periods for the number of profiles.
func (s *Service) AccountStatistics(ctx context.Context, a id.Account, sp span) (AccountUsage, error) {
	out := AccountUsage{Profiles: []ProfileUsage{}}
	owned, err := s.profiles.List(ctx, a)
	if err != nil {
		return out, err
	}
	now := s.now()
	since := now
	for _, p := range owned {
		since = min(since, clock.Millis(p.CreatedAt))
	}
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		var used map[id.Profile][]Sample
		var err error
		if sp.Periodicity == Monthly {
			used, err = s.usedByCycle(ctx, owned, sp, now)
		} else {
			used, err = s.usedByPeriod(ctx, owned, sp.periods(now, since), now)
		}
		if err != nil {
			return err
		}
		ends, err := s.runsOut(ctx, owned, now)
		if err != nil {
			return err
		}
		for _, p := range owned {
			u := ProfileUsage{Profile: p.ID, Name: p.Name, RunsOut: ends[p.ID]}
			u.Periods = used[p.ID]
			for _, x := range u.Periods {
				u.Range.follow(x)
				out.Total.add(x)
			}
			out.Total.Range.plus(u.Range)
			out.Profiles = append(out.Profiles, u)
		}
		return nil
	})
	return out, err
}

// PeriodStatistics is what a profile used in each period of a span: flows are what the period added, stocks what was there at its end.
// What nodes have answered in the last second or so may not be in it yet.
func (s *Service) PeriodStatistics(ctx context.Context, p profile.Profile, sp span) ([]Sample, error) {
	owned, now := []profile.Profile{p}, s.now()
	out := []Sample{}
	err := s.db.Snapshot(ctx, func(ctx context.Context) (err error) {
		var used map[id.Profile][]Sample
		if sp.Periodicity == Monthly {
			used, err = s.usedByCycle(ctx, owned, sp, now)
		} else {
			used, err = s.usedByPeriod(ctx, owned, sp.periods(now, clock.Millis(p.CreatedAt)), now)
		}
		out = append(out, used[p.ID]...)
		return err
	})
	return out, err
}

// usedByPeriod reads the ledger of profiles by hours or days.
func (s *Service) usedByPeriod(ctx context.Context, owned []profile.Profile, periods []period, now int64) (map[id.Profile][]Sample, error) {
	out := map[id.Profile][]Sample{}
	if len(periods)*len(owned) > mostCells {
		return nil, tooMuch(len(owned), len(periods))
	}
	if len(periods) == 0 {
		return out, nil
	}
	bounds := []int64{periods[0].from}
	for _, p := range periods {
		bounds = append(bounds, p.to)
	}
	found, err := s.levelled(ctx, owned, bounds)
	if err != nil {
		return nil, err
	}
	for _, p := range owned {
		created := clock.Millis(p.CreatedAt)
		for _, b := range found[p.ID].buckets {
			if b.to <= created {
				continue
			}
			x := Sample{Time: b.to, Used: b.flows, Over: b.over}
			for i, svc := range plan.Metered {
				if !plan.Flow(svc) {
					x.Used[i] = b.levels[i]
				}
				x.Shown[i] = x.Used[i] > 0 || b.changed[i]
			}
			out[p.ID] = append(out[p.ID], x)
		}
	}
	return out, nil
}

// levelled are buckets whose levels are filled in where nothing changed; before is the level at their beginning.
type levelled struct {
	before  held
	buckets []bucket
}

// levelled reads buckets together with the stocks at their beginning: those that the cycle before began with, and
// what changed since.
func (s *Service) levelled(ctx context.Context, owned []profile.Profile, bounds []int64) (map[id.Profile]levelled, error) {
	ids := idsOf(owned)
	cycles, err := s.cycles(ctx, ids, bounds[0])
	if err != nil {
		return nil, err
	}
	begin := bounds[0]
	first := begin
	for _, cs := range cycles {
		for _, c := range cs {
			if c.start < begin && c.end > begin {
				first = min(first, c.start)
			}
		}
	}
	lead := first < begin
	if lead {
		bounds = append([]int64{first}, bounds...)
	}
	found, err := s.buckets(ctx, ids, bounds)
	if err != nil {
		return nil, err
	}
	out := make(map[id.Profile]levelled, len(ids))
	for _, p := range ids {
		bs := found[p]
		// What stood at the end of the last cycle that is over by then, unless it changed since.
		level := heldAt(cycles[p], begin)
		l := levelled{before: level}
		for i := range bs {
			level.follow(&bs[i])
			for _, svc := range stockServices {
				j := plan.Index(svc)
				bs[i].levels[j], bs[i].over[j] = level.stocks[j], level.over[j]
			}
			if lead && i == 0 {
				l.before = level
			}
		}
		if lead {
			bs = bs[1:]
		}
		l.buckets = bs
		out[p] = l
	}
	return out, nil
}

// usedByCycle reads what each cycle of the profiles used: of past ones from their history, of the present one
// from the counter without what leases hold in advance.
func (s *Service) usedByCycle(ctx context.Context, owned []profile.Profile, sp span, now int64) (map[id.Profile][]Sample, error) {
	out := map[id.Profile][]Sample{}
	cells := 0
	for ps := range slices.Chunk(owned, 100) {
		ids := idsOf(ps)
		leases, err := s.leasesOf(ctx, ids)
		if err != nil {
			return nil, err
		}
		marks, in := inList(4, ids)
		for _, table := range []string{"counter_history", "counter"} {
			cs, err := sqldb.All(ctx, s.db, scanPast, `SELECT profile_id, cycle_start, cycle_end, `+amountColumns+` FROM `+table+`
				WHERE cycle_end > $1 AND cycle_start <= $2 AND cycle_start < $3 AND profile_id IN (`+marks+`)
				ORDER BY profile_id, cycle_start`, append([]any{sp.From, sp.To, now}, in...)...)
			if err != nil {
				return nil, wrap("read cycles", err)
			}
			for _, c := range cs {
				x := Sample{Time: min(c.CycleEnd, now), Used: c.Used, Over: c.Over}
				for i, svc := range plan.Metered {
					x.Used[i] -= leases[leaseOfCycle{c.Profile, svc, c.CycleStart}]
					x.Shown[i] = x.Used[i] > 0
				}
				out[c.Profile] = append(out[c.Profile], x)
				cells++
			}
			if cells > mostCells {
				return nil, tooMuch(len(owned), cells/max(1, len(out)))
			}
		}
	}
	return out, nil
}

type leaseOfCycle struct {
	profile id.Profile
	service plan.Service
	cycle   int64
}

// leasesOf is what all nodes hold of profiles and have not told of.
func (s *Service) leasesOf(ctx context.Context, ps []id.Profile) (map[leaseOfCycle]int64, error) {
	type row struct {
		leaseOfCycle
		taken int64
	}
	marks, in := inList(1, ps)
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.service, &x.cycle, &x.taken)
	}, `SELECT profile_id, service, cycle_start, taken FROM lease WHERE profile_id IN (`+marks+`)`, in...)
	if err != nil {
		return nil, wrap("read leases", err)
	}
	out := map[leaseOfCycle]int64{}
	for _, r := range rows {
		out[r.leaseOfCycle] += r.taken
	}
	return out, nil
}

func idsOf(ps []profile.Profile) []id.Profile {
	out := make([]id.Profile, len(ps))
	for i, p := range ps {
		out[i] = p.ID
	}
	return out
}

const (
	day        = 24 * hour
	paceWindow = 7 * day // the present pace is that of so long
	paceLeast  = hour    // or since the profile is there, but not of less
	farAway    = 10 * 365 * day
)

// runsOut says when nothing will be left of each service, at the pace of the last seven days: 0 for never, for a
// flow also when its cycle ends before. What is used up already ran out now.
func (s *Service) runsOut(ctx context.Context, owned []profile.Profile, now int64) (map[id.Profile]plan.Amounts, error) {
	out := map[id.Profile]plan.Amounts{}
	counters := map[id.Profile]Counter{}
	var limitedOnes []profile.Profile
	for ps := range slices.Chunk(owned, 100) {
		marks, in := inList(1, idsOf(ps))
		cs, err := sqldb.All(ctx, s.db, scanCounter,
			`SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id IN (`+marks+`)`, in...)
		if err != nil {
			return nil, wrap("read the counters", err)
		}
		for _, c := range cs {
			if c.CycleEnd <= now {
				if c, err = s.Current(ctx, c.Profile); err != nil {
					return nil, err
				}
			}
			counters[c.Profile] = c
		}
	}
	for _, p := range owned {
		c, there := counters[p.ID]
		if there && slices.ContainsFunc(c.Allowed[:], func(n int64) bool { return n < plan.Unlimited }) {
			limitedOnes = append(limitedOnes, p)
		}
	}
	if len(limitedOnes) == 0 {
		return out, nil
	}
	from := quarterOf(now - paceWindow)
	found, err := s.paces(ctx, limitedOnes, counters, from, now)
	if err != nil {
		return nil, err
	}
	for _, p := range limitedOnes {
		out[p.ID] = outlookOf(counters[p.ID], found[p.ID], clock.Millis(p.CreatedAt), now).RunsOut
	}
	return out, nil
}

// Outlook is where the use of a profile leads at the pace of the last seven days.
type Outlook struct {
	RunsOut  plan.Amounts // UTC milliseconds when nothing will be left of a service; 0 for never, and for a flow when its cycle ends before
	Expected plan.Amounts // what will have been used, or be held, at the end of the cycle, whatever the limit
}

// Outlook looks ahead for one profile: the same day that AccountStatistics tells for all.
func (s *Service) Outlook(ctx context.Context, p profile.Profile) (out Outlook, err error) {
	c, err := s.Used(ctx, p.ID)
	if err != nil {
		return out, err
	}
	now := s.now()
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		found, err := s.levelled(ctx, []profile.Profile{p}, []int64{quarterOf(now - paceWindow), now})
		if err == nil {
			l := found[p.ID]
			used := l.buckets[0].flows
			for i, svc := range plan.Metered {
				if !plan.Flow(svc) {
					used[i] = l.buckets[0].levels[i] - l.before.stocks[i]
				}
			}
			out = outlookOf(c, used, clock.Millis(p.CreatedAt), now)
		}
		return err
	})
	return out, err
}

// outlookOf tells from a profile's counter and what it used in its last seven days.
func outlookOf(c Counter, paces plan.Amounts, created, now int64) (out Outlook) {
	window := min(paceWindow, max(paceLeast, now-created))
	for i, svc := range plan.Metered {
		used := paces[i]
		comes := float64(c.Used[i]) + float64(used)/float64(window)*float64(max(0, c.CycleEnd-now))
		out.Expected[i] = int64(min(max(0, comes), float64(plan.Unlimited)))
		left := c.room(i)
		switch {
		case c.Allowed[i] >= plan.Unlimited:
		case left <= 0 && c.Used[i] > 0:
			out.RunsOut[i] = now
		case left > 0 && used > 0:
			wait := float64(left) / float64(used) * float64(window)
			if wait < float64(farAway) && (!plan.Flow(svc) || now+int64(wait) < c.CycleEnd) {
				out.RunsOut[i] = now + int64(wait)
			}
		}
	}
	return out
}

// paces is what profiles used of each service between two instants, the first of which is a quarter of an hour: of stocks, by how much they grew. Only
// services are looked at of which somebody has used something and has something left. The database adds up: a week of many profiles is many
// rows.
func (s *Service) paces(ctx context.Context, ps []profile.Profile, counters map[id.Profile]Counter, from, to int64) (map[id.Profile]plan.Amounts, error) {
	var flows, stocks []plan.Service
	for i, svc := range plan.Metered {
		if !slices.ContainsFunc(ps, func(p profile.Profile) bool {
			c := counters[p.ID]
			return c.Allowed[i] < plan.Unlimited && c.room(i) > 0 && (c.Used[i] > 0 || plan.Flow(svc))
		}) {
			continue
		}
		if plan.Flow(svc) {
			flows = append(flows, svc)
		} else {
			stocks = append(stocks, svc)
		}
	}
	type row struct {
		profile id.Profile
		plan.Amounts
	}
	scan := func(services []plan.Service) func(sqldb.Scanner) (row, error) {
		return func(r sqldb.Scanner) (x row, err error) {
			to := []any{&x.profile}
			for _, svc := range services {
				to = append(to, &x.Amounts[plan.Index(svc)])
			}
			return x, r.Scan(to...)
		}
	}
	out := make(map[id.Profile]plan.Amounts, len(ps))
	for part := range slices.Chunk(idsOf(ps), sqldb.MaxSize) {
		if len(flows) > 0 {
			marks, in := inList(3, part)
			args := append([]any{from, to}, in...)
			sums, err := sqldb.All(ctx, s.db, scan(flows), `SELECT profile_id, `+columns("CAST(COALESCE(SUM(%s), 0) AS BIGINT)", flows)+` FROM ledger
				WHERE quarter >= $1 AND quarter < $2 AND profile_id IN (`+marks+`) GROUP BY profile_id`, args...)
			if err != nil {
				return nil, wrap("add up the ledger", err)
			}
			open, err := sqldb.All(ctx, s.db, scan([]plan.Service{plan.Input}), `SELECT profile_id, open_input FROM counter
				WHERE quarter >= $1 AND quarter < $2 AND open_input > 0 AND profile_id IN (`+marks+`)`, args...)
			if err != nil {
				return nil, wrap("read open quarters", err)
			}
			for _, r := range append(sums, open...) {
				have := out[r.profile]
				for i, n := range r.Amounts {
					have[i] += n
				}
				out[r.profile] = have
			}
		}
		if len(stocks) == 0 {
			continue
		}
		before, err := s.levelsOf(ctx, part, stocks, from)
		if err != nil {
			return nil, err
		}
		for _, p := range part {
			have := out[p]
			for _, svc := range stocks {
				i := plan.Index(svc)
				have[i] = counters[p].Used[i] - before[p][i]
			}
			out[p] = have
		}
	}
	return out, nil
}
