package usage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Sample is what a profile had used and held at an instant.
type Sample struct {
	Time  int64        // UTC milliseconds: the instant up to which it counts
	Used  plan.Amounts // flows: what the cycle had used by then; stocks: what was there
	Over  plan.Amounts // the part of it that was accepted beyond the limit
	Shown [plan.N]bool // which services the cycle had used by then, or held
}

// period is a stretch of time that one sample speaks of; to is the sample's time.
type period struct{ from, to int64 }

// cut divides the time from … to into the periods that next gives, as far as they overlap it and have begun.
// The one that runs ends now.
func cut(from, to, now int64, next func(ms int64) (from, to int64)) []period {
	var out []period
	for at := from; at <= to; {
		start, end := next(at)
		if start >= now {
			break
		}
		out = append(out, period{start, min(end, now)})
		at = max(end, at+quarter)
	}
	return out
}

// periods cuts a span into hours or days of its time zone, leaving out those that ended before since.
func (sp span) periods(now, since int64) []period {
	next := dayOf
	if sp.Periodicity == Hourly {
		next = hourOf
	}
	ps := cut(max(sp.From, since), sp.To, now, func(ms int64) (int64, int64) { return next(ms, sp.Zone) })
	return slices.DeleteFunc(ps, func(p period) bool { return p.to <= since })
}

// bucket is what the ledger says of a stretch of time.
type bucket struct {
	from, to int64
	flows    plan.Amounts // what was used
	levels   plan.Amounts // of stocks, where changed
	changed  [plan.N]bool
	over     plan.Amounts // the marked part of flows and levels
	overs    [plan.N]bool // where it changed
}

// inList is a list of profiles for IN, from placeholder $start on, filled up to one of few lengths.
func inList(start int, ps []id.Profile) (marks string, args []any) {
	n := sqldb.SizeFor(len(ps))
	for i := range n {
		if i < len(ps) {
			args = append(args, string(ps[i]))
		} else {
			args = append(args, "")
		}
	}
	return sqldb.Marks(start, n), args
}

var stockServices = func() (out []plan.Service) {
	for _, s := range plan.Metered {
		if !plan.Flow(s) {
			out = append(out, s)
		}
	}
	return out
}()

// buckets reads the ledger of some profiles between bounds, which ascend: one bucket for each two. Every profile
// asked for has all of them. (Rows are added up here: joined with the bounds in SQL they take longer on SQLite and
// much longer on PostgreSQL.)
func (s *Service) buckets(ctx context.Context, profiles []id.Profile, bounds []int64) (map[id.Profile][]bucket, error) {
	out := make(map[id.Profile][]bucket, len(profiles))
	for _, p := range profiles {
		bs := make([]bucket, max(0, len(bounds)-1))
		for i := range bs {
			bs[i].from, bs[i].to = bounds[i], bounds[i+1]
		}
		out[p] = bs
	}
	if len(bounds) < 2 {
		return out, nil
	}
	for ps := range slices.Chunk(profiles, sqldb.MaxSize) {
		marks, in := inList(3, ps)
		rows, err := s.db.Query(ctx, `SELECT `+ledgerColumns+`, latest FROM `+ledgerAll+` l WHERE quarter >= $1 AND quarter < $2
			AND profile_id IN (`+marks+`) ORDER BY profile_id, quarter, latest`, append([]any{bounds[0], bounds[len(bounds)-1]}, in...)...)
		if err != nil {
			return nil, wrap("read the ledger", err)
		}
		if err := addUp(rows, out); err != nil {
			return nil, wrap("read the ledger", err)
		}
	}
	return out, nil
}

// addUp adds ledger rows, which come by profile and quarter, to the buckets they lie in.
func addUp(rows *sql.Rows, out map[id.Profile][]bucket) error {
	defer rows.Close()
	var p, last id.Profile
	var r ledgerRow
	var bs []bucket
	var latest int64
	to := append(append([]any{&p}, r.columns()...), &latest)
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		if p != last {
			last, bs = p, out[p]
		}
		for len(bs) > 0 && bs[0].to <= r.quarter {
			bs = bs[1:]
		}
		if len(bs) == 0 {
			continue
		}
		b := &bs[0]
		for i := range r.flows {
			b.flows[i] += r.flows[i]
			if l := r.levels[i]; l != nil {
				b.levels[i], b.changed[i] = *l, true
			}
			if o := r.over[i]; o != nil {
				b.addOver(i, *o)
			}
		}
	}
	return rows.Err()
}

// addOver counts what a ledger row says was over of service i: a flow adds up, of a stock the last level counts.
func (b *bucket) addOver(i int, n int64) {
	if !plan.Flow(plan.Metered[i]) {
		b.over[i] = 0
	}
	b.over[i] += n
	b.overs[i] = true
}

// held is what a profile holds of each stock, and what of it is over.
type held struct{ stocks, over plan.Amounts }

// follow takes over what a bucket changed.
func (h *held) follow(b *bucket) {
	for _, svc := range stockServices {
		i := plan.Index(svc)
		if b.changed[i] {
			h.stocks[i] = b.levels[i]
		}
		if b.overs[i] {
			h.over[i] = b.over[i]
		}
	}
}

// cycle is a cycle of a profile; held is what the profile held when it ended, or holds now.
type cycle struct {
	start, end int64
	held
}

// cycles reads the cycles of some profiles that end after from, and for each the last one before: what is over,
// then the present one as it is stored, which may be over too.
func (s *Service) cycles(ctx context.Context, profiles []id.Profile, from int64) (map[id.Profile][]cycle, error) {
	out := make(map[id.Profile][]cycle, len(profiles))
	var stocks string
	for _, svc := range stockServices {
		stocks += fmt.Sprintf(", h.%[1]s_used, h.%[1]s_over", svc)
	}
	for ps := range slices.Chunk(profiles, 100) {
		marks, args := inList(3, ps)
		read := func(q string, args []any) error {
			rows, err := s.db.Query(ctx, q, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var p id.Profile
				var c cycle
				to := []any{&p, &c.start, &c.end}
				for _, svc := range stockServices {
					to = append(to, &c.stocks[plan.Index(svc)], &c.over[plan.Index(svc)])
				}
				if err := rows.Scan(to...); err != nil {
					return err
				}
				out[p] = append(out[p], c)
			}
			return rows.Err()
		}
		if err := read(`SELECT h.profile_id, h.cycle_start, h.cycle_end`+stocks+` FROM counter_history h
			WHERE (h.cycle_end > $1 OR h.cycle_start = (SELECT MAX(x.cycle_start) FROM counter_history x
				WHERE x.profile_id = h.profile_id AND x.cycle_end <= $2))
				AND h.profile_id IN (`+marks+`) ORDER BY h.profile_id, h.cycle_start`, append([]any{from, from}, args...)); err != nil {
			return nil, wrap("read past cycles", err)
		}
		marks, args = inList(1, ps)
		if err := read(`SELECT h.profile_id, h.cycle_start, h.cycle_end`+stocks+` FROM counter h
			WHERE h.profile_id IN (`+marks+`)`, args); err != nil {
			return nil, wrap("read the counters", err)
		}
	}
	return out, nil
}

// timeline fills cycles up to now: a profile that nothing happened to has none for that time, and then its
// cycles are those of its account.
func timeline(cs []cycle, now int64, acc account.Account) []cycle {
	var out []cycle
	fill := func(until int64) {
		for len(out) > 0 && out[len(out)-1].end < until {
			last := out[len(out)-1]
			from, to := nextCycle(last.end, last.end, acc)
			out = append(out, cycle{from, to, last.held})
		}
	}
	for _, c := range cs {
		fill(c.start)
		if n := len(out); n > 0 && out[n-1].end > c.start { // filled up beyond where the next one really begins
			out[n-1].end = c.start
		}
		out = append(out, c)
	}
	fill(now)
	return out
}

// cycleAt is the index of the cycle that an instant closes or lies in: start < ms ≤ end. It is -1 before all.
func cycleAt(cs []cycle, ms int64) int {
	i, _ := slices.BinarySearchFunc(cs, ms, func(c cycle, ms int64) int {
		if c.end < ms {
			return -1
		}
		return 1
	})
	if i == len(cs) || cs[i].start >= ms {
		return -1
	}
	return i
}

// samples walks buckets in ascending order and takes a sample at each of the times, which are bounds of them.
// level is what was held at the first bound.
func samples(bs []bucket, cs []cycle, level held, times []int64) []Sample {
	out := make([]Sample, 0, len(times))
	var used, over plan.Amounts
	var touched [plan.N]bool
	at, next := -1, 0
	for _, b := range bs {
		if i := cycleAt(cs, b.to); i != at {
			at, used, over, touched = i, plan.Amounts{}, plan.Amounts{}, [plan.N]bool{}
		}
		for i, svc := range plan.Metered {
			switch {
			case plan.Flow(svc):
				used[i] += b.flows[i]
				over[i] += b.over[i]
				touched[i] = used[i] > 0
			case b.changed[i]:
				touched[i] = true
			}
		}
		level.follow(&b)
		if next == len(times) || times[next] != b.to {
			continue
		}
		next++
		sample := Sample{Time: b.to, Used: used, Over: over}
		for i, svc := range plan.Metered {
			if !plan.Flow(svc) {
				sample.Used[i], sample.Over[i] = level.stocks[i], level.over[i]
			}
			sample.Shown[i] = touched[i] || sample.Used[i] > 0
		}
		out = append(out, sample)
	}
	return out
}

// heldAt is what a profile held at a bound where one of its cycles begins.
func heldAt(cs []cycle, ms int64) (level held) {
	for _, c := range cs {
		if c.end <= ms {
			level = c.held
		}
	}
	return level
}

// Statistics are samples of a profile, ascending: one for each hour, day or cycle of the span that has begun,
// the one that runs as it stands now. What this node has answered and not yet written down is counted.
func (s *Service) Statistics(ctx context.Context, p profile.Profile, sp span) ([]Sample, error) {
	acc, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	out := []Sample{}
	err = s.quiet(ctx, p.ID, func(held map[plan.Service]leased) error {
		return s.db.Snapshot(ctx, func(ctx context.Context) error {
			now, since := s.now(), clock.Millis(p.CreatedAt)
			byProfile, err := s.cycles(ctx, []id.Profile{p.ID}, max(sp.From, since))
			if err != nil {
				return err
			}
			cs := timeline(byProfile[p.ID], now, acc)
			var periods []period
			if sp.Periodicity == Monthly {
				for _, c := range cs {
					if c.end > sp.From && c.start <= sp.To && c.start < now {
						periods = append(periods, period{c.start, min(c.end, now)})
					}
				}
			} else {
				periods = sp.periods(now, since)
			}
			if len(periods) == 0 || len(cs) == 0 {
				return nil
			}
			times := make([]int64, len(periods))
			for i, x := range periods {
				times[i] = x.to
			}
			last := times[len(times)-1]
			first := periods[0].from
			if i := cycleAt(cs, times[0]); i >= 0 {
				first = cs[i].start
			}
			bounds := append([]int64{first}, times...)
			for _, c := range cs {
				if c.start > first && c.start < last {
					bounds = append(bounds, c.start)
				}
			}
			slices.Sort(bounds)
			bounds = slices.Compact(bounds)
			found, err := s.buckets(ctx, []id.Profile{p.ID}, bounds)
			if err != nil {
				return err
			}
			bs := found[p.ID]
			for svc, l := range held {
				for q, n := range l.spent {
					if i := slices.IndexFunc(bs, func(b bucket) bool { return q >= b.from && q < b.to }); i >= 0 {
						bs[i].flows[plan.Index(svc)] += n
					}
				}
			}
			out = samples(bs, cs, heldAt(cs, first), times)
			return nil
		})
	})
	return out, err
}
