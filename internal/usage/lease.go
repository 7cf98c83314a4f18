package usage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

const (
	idleAfter   = 10 * time.Second // a lease nobody spends from is given back
	abandoned   = time.Minute      // a lease its node has not renewed for so long was spent
	renewEvery  = abandoned / 4
	rateWindow  = 5 * time.Second
	settleBatch = 200
)

type leaseKey struct {
	profile id.Profile
	service plan.Service
}

// lease is what this node has taken of a profile's flow and not yet told the database about. The counter
// includes left; the lease row holds left and what is in spent.
type lease struct {
	lock chan struct{} // holds one token when free

	cycleStart, cycleEnd int64
	version              int64
	left                 int64
	spent                map[int64]int64      // by quarter
	devices              map[deviceHour]int64 // the part of spent that was for a device
	recent               float64              // units of about the last five seconds
	usedAt               int64                // when it was last spent from
	renewedAt            int64                // when its row was last written
	dead                 bool                 // no longer in the map: look again
}

// terms are what a lease depends on: when version or cycle change, it ends.
type terms struct {
	version, cycleEnd int64
	policies          Policies
}

func (s *Service) loadTerms(ctx context.Context, key string) (terms, error) {
	t, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (t terms, err error) {
		return t, r.Scan(&t.version, &t.cycleEnd)
	}, `SELECT version, cycle_end FROM counter WHERE profile_id = $1`, key)
	if err != nil {
		return t, wrap("read the terms of a lease", err)
	}
	if !found {
		return t, profile.NotFound
	}
	t.policies, err = s.PoliciesOf(ctx, id.Profile(key))
	return t, err
}

// leaseOf locks the lease of a key, making one when there is none.
func (s *Service) leaseOf(ctx context.Context, k leaseKey) (*lease, error) {
	for {
		s.mu.Lock()
		l := s.leases[k]
		if l == nil {
			l = &lease{lock: make(chan struct{}, 1), spent: map[int64]int64{}}
			l.lock <- struct{}{}
			s.leases[k] = l
		}
		s.mu.Unlock()
		select {
		case <-l.lock:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !l.dead {
			return l, nil
		}
		l.unlock()
	}
}

func (l *lease) unlock() { l.lock <- struct{}{} }

// spend books n units from what is left.
func (l *lease) spend(d id.Device, n, now int64) {
	l.left -= n
	q := max(quarterOf(now), l.cycleStart)
	l.spent[q] += n
	if d != "" {
		if l.devices == nil {
			l.devices = map[deviceHour]int64{}
		}
		l.devices[deviceHour{d, q - q%hour}] += n
	}
	l.recent = l.decayed(now) + float64(n)
	l.usedAt = now
}

func (l *lease) decayed(now int64) float64 {
	return l.recent * math.Exp(-float64(max(0, now-l.usedAt))/float64(rateWindow.Milliseconds()))
}

// Spend charges n units of a flow for something that is answered and stores nothing. Call it outside of any
// transaction, when the answer is known and before its first byte. It returns limit_reached when the n do not
// fit, and then spent nothing; not_found for a profile that is gone.
func (s *Service) Spend(ctx context.Context, p id.Profile, svc plan.Service, n int64) error {
	return s.SpendFor(ctx, p, "", svc, n)
}

// SpendFor is Spend for what a device was read for; "" for none.
func (s *Service) SpendFor(ctx context.Context, p id.Profile, d id.Device, svc plan.Service, n int64) error {
	if n < 0 || !plan.Flow(svc) {
		return fmt.Errorf("spend %d of %s", n, svc)
	}
	if n == 0 {
		return nil
	}
	t, err := s.terms.Get(ctx, string(p))
	if err != nil {
		return err
	}
	k := leaseKey{p, svc}
	l, err := s.leaseOf(ctx, k)
	if err != nil {
		return err
	}
	defer l.unlock()
	now := s.now()
	if l.version != t.version || now >= l.cycleEnd || l.left < n {
		charged, err := s.renew(ctx, k, l, d, n, t.policies.of(svc))
		if err != nil || charged {
			return err
		}
		now = min(now, l.cycleEnd-1)
	}
	l.spend(d, n, now)
	return nil
}

// leaseStatements take from a counter in advance, per service.
var leaseStatements = func() (out [plan.N]string) {
	for i, svc := range plan.Metered {
		out[i] = fmt.Sprintf(`UPDATE counter SET %[1]s_used = %[1]s_used + $1 WHERE profile_id = $2 AND cycle_end > $3
			AND %[1]s_used + $4 <= %[1]s_allowed RETURNING cycle_start, cycle_end, version`, svc)
	}
	return out
}()

// renew settles a lease, which is locked, and takes a new one of at least n units in the same transaction. What
// goes beyond the limit by the profile's policy is never leased: it is charged there and then, and charged says so.
func (s *Service) renew(ctx context.Context, k leaseKey, l *lease, d id.Device, n int64, policy Policy) (charged bool, err error) {
	i := plan.Index(k.service)
	// A profile whose service is used up asks again and again: it is refused by a read, without a turn in the
	// writing queue.
	c, err := s.Current(ctx, k.profile)
	if err != nil {
		return false, err
	}
	if l.cycleStart == c.CycleStart {
		c.Used[i] -= l.left
	}
	room := c.room(i) - n
	var sizes []int64
	switch {
	case room >= 0:
		ahead := min(room, max(1, min(room/100, int64(l.decayed(s.now())+float64(n)))))
		sizes = []int64{n + ahead, n}
	case policy == Block:
		return false, exceeded(c, Need{k.service, n}, Block, 0)
	case policy == Pool:
		pr, err := s.profiles.Get(ctx, k.profile)
		if err != nil {
			return false, err
		}
		free, err := s.freeOf(ctx, pr.Account, k.service, c.CycleEnd)
		if err != nil {
			return false, err
		}
		if c.draw(i, n) > free {
			return false, exceeded(c, Need{k.service, n}, Pool, free)
		}
	}

	type grant struct{ start, end, version, units int64 }
	var g grant
	err = s.db.Tx(sqldb.As(ctx, k.profile), func(ctx context.Context) error {
		charged, g = false, grant{}
		if _, err := s.settle(ctx, []settlement{l.settlement(k, true)}); err != nil {
			return err
		}
		if _, err := s.turnEnded(ctx, []id.Profile{k.profile}); err != nil {
			return err
		}
		q := int64(0)
		err := s.judge(ctx, k.profile, func() (bool, error) {
			for _, units := range sizes {
				now := s.now()
				got, done, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (g grant, err error) {
					return g, r.Scan(&g.start, &g.end, &g.version)
				}, leaseStatements[i], units, string(k.profile), now, units)
				if err != nil {
					return false, wrap("take a lease", err)
				}
				if !done {
					continue
				}
				g = got
				g.units = units
				_, err = s.db.Exec(ctx, `INSERT INTO lease (profile_id, node, service, cycle_start, cycle_end, taken, renewed_at)
					VALUES ($1, $2, $3, $4, $5, $6, $7)
					ON CONFLICT (profile_id, node, service, cycle_start) DO UPDATE SET taken = lease.taken + excluded.taken, renewed_at = excluded.renewed_at`,
					string(k.profile), s.node, string(k.service), g.start, g.end, units, now)
				return true, wrap("write a lease", err)
			}
			taken, err := s.beyond(ctx, []want{{k.profile, []Need{{k.service, n}}}})
			if err != nil {
				return false, err
			}
			q, charged = taken[k.profile]
			return charged, nil
		}, Need{k.service, n})
		if err != nil || !charged || d == "" {
			return err
		}
		u := deviceUse{profile: k.profile, deviceHour: deviceHour{d, q - q%hour}}
		u.used[i] = n
		return s.bookDevices(ctx, []deviceUse{u})
	})
	if err != nil {
		return false, err
	}
	crash.At("lease taken, not spent")
	s.level.add(k.profile)
	l.left, l.spent, l.devices, l.renewedAt = g.units, map[int64]int64{}, nil, s.now()
	if charged {
		l.recent, l.usedAt = l.decayed(l.renewedAt)+float64(n), l.renewedAt
	} else {
		l.cycleStart, l.cycleEnd, l.version = g.start, g.end, g.version
	}
	return charged, nil
}

// settlement is what a lease tells the database: what was spent, and what is given back.
type settlement struct {
	key   leaseKey
	cycle int64
	spent map[int64]int64
	by    map[deviceHour]int64
	ends  bool  // the lease ends: what is left goes back
	back  int64 // what is left
}

func (l *lease) settlement(k leaseKey, ends bool) settlement {
	s := settlement{key: k, cycle: l.cycleStart, spent: l.spent, by: l.devices, ends: ends}
	if ends {
		s.back = l.left
	}
	return s
}

func (t settlement) sum() (n int64) {
	for _, v := range t.spent {
		n += v
	}
	return n
}

// settle writes what leases of this node have spent to the ledger and gives back what they return, in the
// transaction of ctx. It says which leases were not there any more: another node took this one for dead and
// booked all it held as spent. The leases are locked, all of different keys, and in order.
func (s *Service) settle(ctx context.Context, all []settlement) (lost map[leaseKey]bool, err error) {
	lost = map[leaseKey]bool{}
	bySvc := map[plan.Service][]settlement{}
	for _, t := range all {
		if t.back > 0 || len(t.spent) > 0 {
			bySvc[t.key.service] = append(bySvc[t.key.service], t)
		}
	}
	var uses []deviceUse
	for _, svc := range plan.Metered {
		ts := bySvc[svc]
		if len(ts) == 0 {
			continue
		}
		args := []any{s.now(), s.node, string(svc)}
		for _, t := range ts {
			args = append(args, string(t.key.profile), t.cycle, t.sum()+t.back)
		}
		type own struct {
			profile  id.Profile
			cycleEnd int64
		}
		there, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (o own, err error) { return o, r.Scan(&o.profile, &o.cycleEnd) }, `UPDATE lease SET taken = lease.taken - v.column3, renewed_at = $1
			FROM (VALUES `+sqldb.RowsOf(4, len(ts), "TEXT", "BIGINT", "BIGINT")+`) AS v
			WHERE lease.profile_id = v.column1 AND lease.node = $2 AND lease.service = $3 AND lease.cycle_start = v.column2
				AND lease.taken >= v.column3
			RETURNING profile_id, cycle_end`, args...)
		if err != nil {
			return nil, wrap("settle leases", err)
		}
		ends := make(map[id.Profile]int64, len(there))
		for _, o := range there {
			ends[o.profile] = o.cycleEnd
		}
		var ledger, back []any
		for _, t := range ts {
			end, ours := ends[t.key.profile]
			if !ours {
				lost[t.key] = true
				continue
			}
			// What a cycle granted is used in it, also when the cycle was cut short before this node heard of it.
			last := max(t.cycle, quarterOf(end-1))
			spent := make(map[int64]int64, len(t.spent))
			for q, n := range t.spent {
				spent[min(q, last)] += n
			}
			for q, n := range spent {
				ledger = append(ledger, string(t.key.profile), q, n)
			}
			for d, n := range t.by {
				d.hour = min(d.hour, last-last%hour)
				u := deviceUse{profile: t.key.profile, deviceHour: d}
				u.used[plan.Index(svc)] = n
				uses = append(uses, u)
			}
			if t.ends { // even with nothing to give back: the row is locked before the ledger, as everywhere
				back = append(back, string(t.key.profile), t.cycle, t.back)
			}
		}
		if err := s.giveBack(ctx, svc, back); err != nil {
			return nil, err
		}
		if err := s.bookSpent(ctx, svc, ledger); err != nil {
			return nil, err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM lease WHERE node = $1 AND service = $2 AND taken = 0 AND profile_id IN (`+
			sqldb.Marks(3, len(ts))+`)`, append([]any{s.node, string(svc)}, profilesOf(ts)...)...); err != nil {
			return nil, wrap("end leases", err)
		}
	}
	return lost, s.bookDevices(ctx, uses)
}

func profilesOf(ts []settlement) []any {
	out := make([]any, len(ts))
	for i, t := range ts {
		out[i] = string(t.key.profile)
	}
	return out
}

// bookSpent adds rows of profile, quarter and units to the ledger.
func (s *Service) bookSpent(ctx context.Context, svc plan.Service, rows []any) error {
	if len(rows) == 0 {
		return nil
	}
	stmt := fmt.Sprintf(`INSERT INTO ledger (profile_id, quarter, %[1]s) VALUES %[2]s
		ON CONFLICT (profile_id, quarter) DO UPDATE SET %[1]s = ledger.%[1]s + excluded.%[1]s`, svc, sqldb.Rows(1, len(rows)/3, 3))
	_, err := s.db.Exec(ctx, stmt, rows...)
	return wrap("write the ledger", err)
}

// giveBack subtracts rows of profile, cycle and units from the counters, or from the history of a cycle that is
// over.
func (s *Service) giveBack(ctx context.Context, svc plan.Service, rows []any) error {
	if len(rows) == 0 {
		return nil
	}
	for _, table := range []string{"counter", "counter_history"} {
		stmt := fmt.Sprintf(`UPDATE %[1]s SET %[2]s_used = %[1]s.%[2]s_used - v.column3 FROM (VALUES %[3]s) AS v
			WHERE %[1]s.profile_id = v.column1 AND %[1]s.cycle_start = v.column2 RETURNING profile_id`,
			table, svc, sqldb.RowsOf(1, len(rows)/3, "TEXT", "BIGINT", "BIGINT"))
		done, err := sqldb.All(ctx, s.db, sqldb.Value[string], stmt, rows...)
		if err != nil {
			return wrap("give back", err)
		}
		var rest []any
		for i := 0; i < len(rows); i += 3 {
			if !slices.Contains(done, rows[i].(string)) {
				rest = append(rest, rows[i:i+3]...)
			}
		}
		if rows = rest; len(rows) == 0 {
			return nil
		}
	}
	return nil // the profile is gone, and its history with it
}

// Flush tells the database what this node has spent, gives back what idle profiles hold and renews the rest.
// Run it every few seconds on every node.
func (s *Service) Flush(ctx context.Context) error { return s.flush(ctx, false, nil) }

// Stop gives back everything. Spend may be called again afterwards.
func (s *Service) Stop(ctx context.Context) error { return s.flush(ctx, true, nil) }

// recall gives back what this node holds for an account's profiles, outside of any transaction.
func (s *Service) recall(ctx context.Context, a id.Account) error {
	ps, err := s.profiles.List(ctx, a)
	if err != nil {
		return err
	}
	of := make(map[id.Profile]bool, len(ps))
	for _, p := range ps {
		of[p.ID] = true
	}
	return s.flush(ctx, true, of)
}

// flush tells of the leases of some profiles, nil for everybody's; all of them end, or those that are idle.
func (s *Service) flush(ctx context.Context, all bool, of map[id.Profile]bool) error {
	s.mu.Lock()
	keys := make([]leaseKey, 0, len(s.leases))
	for k := range s.leases {
		if of == nil || of[k.profile] {
			keys = append(keys, k)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(keys, compareKeys)
	for start := 0; start < len(keys); start += settleBatch {
		if err := s.flushSome(ctx, keys[start:min(start+settleBatch, len(keys))], all); err != nil {
			return err
		}
	}
	return nil
}

// compareKeys is the order in which leases are locked when there are several.
func compareKeys(a, b leaseKey) int {
	return cmp.Or(cmp.Compare(a.profile, b.profile), cmp.Compare(plan.Index(a.service), plan.Index(b.service)))
}

func (s *Service) flushSome(ctx context.Context, keys []leaseKey, all bool) error {
	now := s.now()
	var held []*lease
	var heldKeys []leaseKey
	defer func() {
		for _, l := range held {
			l.unlock()
		}
	}()
	var work []settlement
	var live []any
	for _, k := range keys {
		l, err := s.leaseOf(ctx, k)
		if err != nil {
			return err
		}
		t := l.settlement(k, all || now >= l.cycleEnd || now-l.usedAt >= idleAfter.Milliseconds())
		if len(t.spent) == 0 && !t.ends {
			if now-l.renewedAt < renewEvery.Milliseconds() {
				l.unlock() // nothing to tell
				continue
			}
			live = append(live, string(k.profile))
		}
		held, heldKeys, work = append(held, l), append(heldKeys, k), append(work, t)
	}
	if len(held) == 0 {
		return nil
	}
	var lost map[leaseKey]bool
	crash.At("leases before they are settled")
	err := s.db.Tx(ctx, func(ctx context.Context) (err error) {
		if lost, err = s.settle(ctx, work); err != nil || len(live) == 0 {
			return err
		}
		_, err = s.db.Exec(ctx, `UPDATE lease SET renewed_at = $1 WHERE node = $2 AND profile_id IN (`+sqldb.Marks(3, len(live))+`)`,
			append([]any{now, s.node}, live...)...)
		return wrap("renew leases", err)
	})
	if err != nil {
		return err
	}
	crash.At("leases settled, not forgotten")
	for i, l := range held {
		if len(work[i].spent) > 0 {
			s.level.add(heldKeys[i].profile)
		}
		l.spent, l.devices, l.renewedAt = map[int64]int64{}, nil, now
		l.left -= work[i].back
		if lost[heldKeys[i]] {
			l.left = 0
		}
		if l.left == 0 && now-l.usedAt >= idleAfter.Milliseconds() || all {
			l.dead = true
			s.mu.Lock()
			delete(s.leases, heldKeys[i])
			s.mu.Unlock()
		}
	}
	return nil
}

// keepDeparted is how long what left an account is remembered after its cycle: a clock may step back into that.
const keepDeparted = 62 * day

// Reap books what other nodes held that have not renewed their leases, across profiles: they are dead, and what they
// had taken counts as spent. This one lives, however far its clock has jumped. It also forgets what left accounts in cycles
// that are long over. Run it every minute or so on one node.
func (s *Service) Reap(ctx context.Context) error {
	type row struct {
		profile    id.Profile
		node       string
		service    plan.Service
		start, end int64
		renewed    int64
	}
	now := s.now()
	if _, err := s.db.Exec(ctx, `DELETE FROM departed WHERE cycle_end <= $1`, now-keepDeparted); err != nil {
		return wrap("forget what left", err)
	}
	before := now - abandoned.Milliseconds()
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.node, &x.service, &x.start, &x.end, &x.renewed)
	}, `SELECT profile_id, node, service, cycle_start, cycle_end, renewed_at FROM lease WHERE renewed_at < $1 AND node <> $2 ORDER BY profile_id`, before, s.node)
	if err != nil {
		return wrap("find leases of dead nodes", err)
	}
	for _, r := range rows {
		if plan.Index(r.service) < 0 {
			return fmt.Errorf("a lease of the unknown service %q", r.service)
		}
		err := s.db.Tx(sqldb.As(ctx, r.profile), func(ctx context.Context) error {
			taken, found, err := sqldb.One(ctx, s.db, sqldb.Value[int64],
				`DELETE FROM lease WHERE profile_id = $1 AND node = $2 AND service = $3 AND cycle_start = $4 AND renewed_at < $5 RETURNING taken`,
				string(r.profile), r.node, string(r.service), r.start, before)
			if err != nil || !found {
				return err
			}
			crash.At("dead lease ended, not booked")
			q := max(r.start, min(quarterOf(r.renewed), quarterOf(r.end-1)))
			return s.bookSpent(ctx, r.service, []any{string(r.profile), q, taken})
		})
		if err != nil {
			return wrap("book a lease of a dead node", err)
		}
	}
	return nil
}

// leased is what this node holds of a service.
type leased struct {
	cycleStart, left int64
	spent            map[int64]int64 // by quarter, not yet in the ledger
}

// quiet runs fn while none of a profile's leases on this node moves.
func (s *Service) quiet(ctx context.Context, p id.Profile, fn func(held map[plan.Service]leased) error) error {
	held := map[plan.Service]leased{}
	for _, svc := range plan.Metered {
		k := leaseKey{p, svc}
		s.mu.Lock()
		_, there := s.leases[k]
		s.mu.Unlock()
		if !there {
			continue
		}
		l, err := s.leaseOf(ctx, k)
		if err != nil {
			return err
		}
		defer l.unlock()
		held[svc] = leased{l.cycleStart, l.left, l.spent}
	}
	return fn(held)
}
