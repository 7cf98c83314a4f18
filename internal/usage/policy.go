package usage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Policy says what happens to a request that does not fit into what a profile may use of a service.
type Policy string

const (
	Block   Policy = "block"   // it is refused; what a service has when nothing else is said
	Pool    Policy = "pool"    // it draws on what the account has not allocated, and is refused when that is not enough
	Overage Policy = "overage" // it is accepted, and what does not fit is marked
)

// Policies is one for each of plan.Services, in that order.
type Policies [plan.N - 1]Policy

// blocking are the policies of a profile whose owner has said nothing.
func blocking() (p Policies) {
	for i := range p {
		p[i] = Block
	}
	return p
}

// of is the policy of a service; dashboard output has none that could be set.
func (p Policies) of(svc plan.Service) Policy {
	if i := plan.Index(svc); i < len(p) {
		return p[i]
	}
	return Block
}

// overColumns are the columns of Over, in the order of plan.Services.
var overColumns = columns("%s_over", plan.Services)

// PoliciesOf are the policies of a profile. A profile that is gone has the default.
func (s *Service) PoliciesOf(ctx context.Context, p id.Profile) (Policies, error) {
	m, err := s.policies(ctx, []id.Profile{p})
	return m[p], err
}

// policies reads the policies of some profiles; each of them is in the answer.
func (s *Service) policies(ctx context.Context, ps []id.Profile) (map[id.Profile]Policies, error) {
	type row struct {
		profile id.Profile
		service plan.Service
		policy  Policy
	}
	out := make(map[id.Profile]Policies, len(ps))
	for _, p := range ps {
		out[p] = blocking()
	}
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		marks, args := inList(1, part)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.service, &x.policy) },
			`SELECT profile_id, service, policy FROM limit_policy WHERE profile_id IN (`+marks+`)`, args...)
		if err != nil {
			return nil, wrap("read policies", err)
		}
		for _, r := range rows {
			if i := plan.Index(r.service); i >= 0 && i < len(Policies{}) {
				set := out[r.profile]
				set[i] = r.policy
				out[r.profile] = set
			}
		}
	}
	return out, nil
}

// SetPolicies changes the policies of a profile that changes names; the others stay. It holds for every request
// that is judged after it returns.
func (s *Service) SetPolicies(ctx context.Context, who auth.Caller, p profile.Profile, changes map[plan.Service]Policy) error {
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		// Whoever goes beyond a limit holds this row while reading the policy.
		if there, err := s.db.Exec(ctx, `UPDATE counter SET version = version + 0 WHERE profile_id = $1`, string(p.ID)); err != nil {
			return wrap("lock a counter", err)
		} else if there == 0 {
			return profile.NotFound
		}
		old, err := s.PoliciesOf(ctx, p.ID)
		if err != nil {
			return err
		}
		was, is := map[string]Policy{}, map[string]Policy{}
		for i, svc := range plan.Services {
			to, named := changes[svc]
			if !named || to == old[i] {
				continue
			}
			was[string(svc)], is[string(svc)] = old[i], to
			if to == Block {
				_, err = s.db.Exec(ctx, `DELETE FROM limit_policy WHERE profile_id = $1 AND service = $2`, string(p.ID), string(svc))
			} else {
				_, err = s.db.Exec(ctx, `INSERT INTO limit_policy (profile_id, service, policy) VALUES ($1, $2, $3)
					ON CONFLICT (profile_id, service) DO UPDATE SET policy = excluded.policy`, string(p.ID), string(svc), string(to))
			}
			if err != nil {
				return wrap("write a policy", err)
			}
		}
		if len(is) == 0 {
			return nil
		}
		if err := s.db.Changed(ctx, cacheKind, string(p.ID)); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Profile: p.ID, Account: p.Account, Resource: "profile", ResourceID: string(p.ID),
			Message: "Policies at the limit changed", Before: was, After: is})
	})
}

// want is what one profile asks for at once: all of it or nothing.
type want struct {
	profile id.Profile
	needs   []Need // of different services, each more than 0 or left out
}

// beyond takes what did not fit into limits, as far as policies accept it, in the transaction of ctx, and writes
// the ledger. It answers the quarter of those that were taken; of the others nothing was.
//
// What is used never grows past max(allowed, used) but here, and what is drawn only while the pool is locked: what is
// free in it is read and drawn without another profile drawing the same. Counters are locked before pools, and nobody
// who has a pool locked here waits for another's counter: neither rounds nor reads meet crosswise.
func (s *Service) beyond(ctx context.Context, wants []want) (map[id.Profile]int64, error) {
	ps := make([]id.Profile, len(wants))
	for i, w := range wants {
		ps[i] = w.profile
	}
	policies, err := s.policies(ctx, ps)
	if err != nil {
		return nil, err
	}
	var ready []*excess
	var accounts []id.Account
	for _, w := range wants {
		x, err := s.excessOf(ctx, w, policies[w.profile])
		if err != nil {
			return nil, err
		}
		if x != nil {
			ready = append(ready, x)
		}
	}
	for _, x := range ready {
		if x.draws {
			accounts = append(accounts, x.account)
		}
	}
	slices.Sort(accounts)
	for _, a := range slices.Compact(accounts) {
		if err := s.lockPool(ctx, a); err != nil {
			return nil, err
		}
	}
	taken := map[id.Profile]int64{}
	for _, x := range ready {
		quarter, done, err := s.takeBeyond(ctx, x)
		if err != nil {
			return nil, wrap("take beyond a limit", err)
		}
		if done {
			taken[x.profile] = quarter
			s.moved(ctx, x.profile)
		}
	}
	return taken, nil
}

// lockPool makes this transaction, which has locked a counter of the account, wait for others that draw on its pool. It
// is not the lock of profile.Lock: whoever has that one waits for counters. Nor need it keep out those who change what
// is allocated or who shares it: they lock every counter of the account first (open). So the first profile stays the
// first until this transaction ends.
func (s *Service) lockPool(ctx context.Context, a id.Account) error {
	_, err := s.db.Exec(ctx, `UPDATE allocation SET version = version + 0
		WHERE profile = (SELECT MIN(profile) FROM allocation WHERE account = $1)`, string(a))
	return wrap("lock a pool", err)
}

// excess is a want that policies do not refuse, with its counter, which is locked.
type excess struct {
	want
	counter  Counter
	policies Policies
	draws    bool
	account  id.Account // where it draws
}

// excessOf locks the counter of a want that its policies do not refuse; nil for one that they do. Most are blocked:
// those are found without a lock.
func (s *Service) excessOf(ctx context.Context, w want, policies Policies) (*excess, error) {
	if !slices.ContainsFunc(w.needs, func(n Need) bool { return policies.of(n.Service) != Block }) {
		return nil, nil
	}
	c, err := s.stored(ctx, w.profile)
	if err != nil {
		return nil, ifThere(err)
	}
	if refused, _ := w.judge(c, policies); refused {
		return nil, nil
	}
	x := &excess{want: w}
	var there, refused bool
	if x.counter, there, err = s.lockCounter(ctx, w.profile); err != nil || !there {
		return nil, err
	}
	if x.policies, err = s.PoliciesOf(ctx, w.profile); err != nil { // as they stand now that the counter is ours
		return nil, err
	}
	if refused, x.draws = w.judge(x.counter, x.policies); refused {
		return nil, nil
	}
	if x.draws {
		if x.account, err = s.bookedAt(ctx, w.profile); err != nil {
			return nil, ifThere(err)
		}
	}
	return x, nil
}

// judge says whether a need that does not fit is refused for its policy alone, and else whether one draws on the pool.
func (w want) judge(c Counter, policies Policies) (refused, draws bool) {
	for _, n := range w.needs {
		if n.N <= c.room(plan.Index(n.Service)) {
			continue
		}
		switch policies.of(n.Service) {
		case Block:
			return true, false
		case Pool:
			draws = true
		}
	}
	return false, draws
}

// takeBeyond takes an excess, unless it draws more than its account's pool, which is locked, has free.
func (s *Service) takeBeyond(ctx context.Context, w *excess) (quarter int64, done bool, err error) {
	c, policies := w.counter, w.policies
	for _, n := range w.needs {
		i := plan.Index(n.Service)
		if n.N <= c.room(i) || policies.of(n.Service) != Pool {
			continue
		}
		free, err := s.freeOf(ctx, w.account, n.Service, c.CycleEnd)
		if err != nil {
			return 0, false, err
		}
		if c.draw(i, n.N) > free {
			return 0, false, nil
		}
	}
	set := make([]string, 0, 1+3*len(w.needs))
	var args []any
	add := func(format string, svc plan.Service, v int64) {
		args = append(args, v)
		set = append(set, fmt.Sprintf(format, svc, len(args)))
	}
	over := make([]int64, len(w.needs))
	for k, n := range w.needs {
		i := plan.Index(n.Service)
		add("%[1]s_used = %[1]s_used + $%[2]d"+closes(n.Service), n.Service, n.N)
		if n.Service == plan.DashboardOutput {
			continue // it fits, or is refused
		}
		if policies.of(n.Service) == Overage {
			over[k] = max(0, n.N-max(0, c.room(i)))
		}
		add("%[1]s_allowed = %[1]s_allowed + $%[2]d", n.Service, over[k])
		add("%[1]s_over = %[1]s_over + $%[2]d", n.Service, over[k])
	}
	args = append(args, string(w.profile))
	stmt := fmt.Sprintf(`UPDATE counter SET %s WHERE profile_id = $%d RETURNING quarter`, strings.Join(set, ", "), len(args))
	quarter, done, err = sqldb.One(ctx, s.db, sqldb.Value[int64], stmt, args...)
	if err != nil || !done {
		return 0, false, err
	}
	var l ledgerRow
	for k, n := range w.needs {
		i := plan.Index(n.Service)
		l.add(n.Service, n.N, c.Used[i]+n.N)
		if over[k] > 0 {
			l.addOver(n.Service, over[k], c.Over[i]+over[k])
		}
	}
	return quarter, true, s.bookRow(ctx, w.profile, quarter, l, w.needs)
}

// ahead says whether a profile of an account is in a cycle that begins at an instant or later.
func (s *Service) ahead(ctx context.Context, a id.Account, at int64) (bool, error) {
	_, found, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT c.cycle_start FROM allocation a JOIN counter c ON c.profile_id = a.profile
		WHERE a.account = $1 AND c.cycle_start >= $2 LIMIT 1`, string(a), at)
	return found, wrap("look for profiles that are ahead", err)
}

// lockCounter reads the counter of a profile and keeps it from changing until the transaction ends, turned to the
// present cycle and quarter. Without a counter found is false.
func (s *Service) lockCounter(ctx context.Context, p id.Profile) (c Counter, found bool, err error) {
	now := s.now()
	for turned := false; ; turned = true {
		c, found, err = sqldb.One(ctx, s.db, scanCounter, `UPDATE counter SET version = version + 0 WHERE profile_id = $1 AND cycle_end > $2 AND quarter >= $3
			RETURNING profile_id, cycle_start, cycle_end, version, `+amountColumns, string(p), now, quarterOf(now))
		if err != nil || found || turned {
			return c, found, wrap("lock a counter", err)
		}
		if _, err := s.turnAll(ctx, []id.Profile{p}, now); err != nil { // or another transaction has turned it meanwhile
			return c, false, err
		}
	}
}

// room is what a profile may still use of service i within its limit; less than 0 when it has used more.
func (c Counter) room(i int) int64 { return c.Allowed[i] + c.Over[i] - c.Used[i] }

// draw is how much n more of service i would take from the pool beyond what the profile has or has drawn.
func (c Counter) draw(i int, n int64) int64 {
	regular := c.Used[i] - c.Over[i]
	return max(c.Allowed[i], regular+n) - max(c.Allowed[i], regular)
}

// add books n of a service, of a stock the level that it has then.
func (r *ledgerRow) add(svc plan.Service, n, level int64) {
	i := plan.Index(svc)
	if plan.Flow(svc) {
		r.flows[i] += n
	} else {
		r.levels[i] = &level
	}
}

// addOver is add for what was marked of it.
func (r *ledgerRow) addOver(svc plan.Service, n, level int64) {
	if !plan.Flow(svc) {
		n = level
	}
	r.over[plan.Index(svc)] = &n
}

// bookRow adds a row to the ledger: the columns of some services, and of those the marked part where there is one.
func (s *Service) bookRow(ctx context.Context, p id.Profile, quarter int64, r ledgerRow, needs []Need) error {
	names, args := []string{"profile_id", "quarter"}, []any{string(p), quarter}
	var set []string
	for _, n := range needs {
		i := plan.Index(n.Service)
		name := string(n.Service)
		names = append(names, name)
		if plan.Flow(n.Service) {
			args, set = append(args, r.flows[i]), append(set, fmt.Sprintf("%[1]s = ledger.%[1]s + excluded.%[1]s", name))
		} else {
			args, set = append(args, *r.levels[i]), append(set, fmt.Sprintf("%[1]s = excluded.%[1]s", name))
		}
		if r.over[i] != nil {
			names, args = append(names, name+"_over"), append(args, *r.over[i])
			set = append(set, overInto(n.Service))
		}
	}
	_, err := s.db.Exec(ctx, `INSERT INTO ledger (`+strings.Join(names, ", ")+`) VALUES `+sqldb.Rows(1, 1, len(args))+
		` ON CONFLICT (profile_id, quarter) DO UPDATE SET `+strings.Join(set, ", "), args...)
	return wrap("write the ledger", err)
}

// overInto adds what was marked of a service to what the ledger has: a flow adds up, of a stock the later level stays.
func overInto(svc plan.Service) string {
	if plan.Flow(svc) {
		return fmt.Sprintf("%[1]s_over = COALESCE(ledger.%[1]s_over, 0) + COALESCE(excluded.%[1]s_over, 0)", svc)
	}
	return fmt.Sprintf("%[1]s_over = COALESCE(excluded.%[1]s_over, ledger.%[1]s_over)", svc)
}

// PoolRow is a service of an account's pool.
type PoolRow struct {
	Service   plan.Service
	Pool      int64
	Allocated int64 // Σ allocations; Unlimited where the pool is
	Free      int64 // what can be allocated or drawn now
	Used      int64 // by living profiles, what is marked left out
	Departed  int64 // by profiles that were deleted in this cycle; 0 of stocks
	Over      int64 // marked, beyond the pool
}

// PoolOf shows an account's pool at one instant: the services in order, and the end of the cycle, the earliest when the
// profiles have different ones.
func (s *Service) PoolOf(ctx context.Context, a id.Account) (rows []PoolRow, cycleEnd int64, err error) {
	pl, err := s.profiles.PlanOf(ctx, a)
	if err != nil {
		return nil, 0, err
	}
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return nil, 0, err
	}
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		sums, err := s.sums(ctx, a, pl.Pool, plan.Services)
		if err != nil {
			return err
		}
		gone, err := s.departedOf(ctx, a, s.now())
		if err != nil {
			return err
		}
		rows = nil
		for i, svc := range plan.Services {
			r := PoolRow{Service: svc, Pool: pl.Pool[i], Allocated: sums[i].allocated, Used: sums[i].used, Departed: gone[i], Over: sums[i].over}
			r.Free = sums[i].free(pl.Pool[i], gone[i])
			rows = append(rows, r)
		}
		cycleEnd, _, err = sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MIN(c.cycle_end), 0) FROM counter c
			JOIN allocation a ON a.profile = c.profile_id WHERE a.account = $1 AND c.cycle_end > $2`, string(a), s.now())
		return err
	})
	if err == nil && cycleEnd == 0 {
		_, cycleEnd = Cycle(acc, s.now())
	}
	return rows, cycleEnd, wrap("read the pool", err)
}

// freeOf is what of a service is free in an account's pool for a profile whose cycle ends at end. Lock the pool to draw on it.
func (s *Service) freeOf(ctx context.Context, a id.Account, svc plan.Service, end int64) (int64, error) {
	pl, err := s.profiles.PlanOf(ctx, a)
	if err != nil {
		return 0, err
	}
	pool := pl.Pool.Of(svc)
	if pool >= plan.Unlimited {
		return plan.Unlimited, nil
	}
	sums, err := s.sums(ctx, a, pl.Pool, []plan.Service{svc})
	if err != nil {
		return 0, err
	}
	gone, err := s.departedOf(ctx, a, s.now())
	if err != nil {
		return 0, err
	}
	// Where the clock has stepped back, or another node's is ahead, a profile may have begun the next cycle, and what
	// it used of this one is out of sight. Looked at after the sum: whoever begins later was in it.
	if ahead, err := s.ahead(ctx, a, end); err != nil || ahead {
		return 0, err
	}
	return sums[0].free(pool, gone.Of(svc)), nil
}

// sum is what the profiles of an account have of a service together.
type sum struct {
	allocated int64
	taken     int64 // Σ max(allowed, used)
	used      int64
	over      int64
}

// free is book.free, from sums.
func (x sum) free(pool, departed int64) int64 {
	if pool >= plan.Unlimited {
		return plan.Unlimited
	}
	return max(0, min(pool-x.allocated, pool-x.taken-departed))
}

// sums adds up the profiles of an account in the database, without locking them: one statement, however many there are.
// Counters whose cycle is over count as they will when they are turned.
func (s *Service) sums(ctx context.Context, a id.Account, pool plan.Amounts, services []plan.Service) ([]sum, error) {
	var parts []string
	var args []any
	now := s.now()
	for _, svc := range services {
		base, used, over := fmt.Sprintf("(c.%[1]s_allowed - c.%[1]s_over)", svc), fmt.Sprintf("(c.%[1]s_used - c.%[1]s_over)", svc), fmt.Sprintf("c.%s_over", svc)
		if plan.Flow(svc) {
			turned := func(then, otherwise string) string {
				args = append(args, now)
				return fmt.Sprintf("(CASE WHEN c.cycle_end > $%d THEN %s ELSE %s END)", len(args), then, otherwise)
			}
			allocated, taken := "a."+string(svc), ""
			if pool.Of(svc) >= plan.Unlimited { // which no sum could hold
				allocated, taken = "0", "0"
			} else {
				taken = turned(fmt.Sprintf("CASE WHEN %[1]s > %[2]s THEN %[1]s ELSE %[2]s END", base, used), "a."+string(svc))
			}
			parts = append(parts, allocated, taken, turned(used, "0"), turned(over, "0"))
			continue
		}
		if pool.Of(svc) >= plan.Unlimited {
			parts = append(parts, "0", "0", used, over)
			continue
		}
		parts = append(parts, "a."+string(svc), fmt.Sprintf("CASE WHEN %[1]s > %[2]s THEN %[1]s ELSE %[2]s END", base, used), used, over)
	}
	for i, p := range parts {
		parts[i] = "CAST(COALESCE(SUM(" + p + "), 0) AS BIGINT)"
	}
	args = append(args, string(a))
	out, _, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) ([]sum, error) {
		xs := make([]sum, len(services))
		var to []any
		for i := range xs {
			to = append(to, &xs[i].allocated, &xs[i].taken, &xs[i].used, &xs[i].over)
		}
		return xs, r.Scan(to...)
	}, `SELECT `+strings.Join(parts, ", ")+fmt.Sprintf(` FROM allocation a JOIN counter c ON c.profile_id = a.profile WHERE a.account = $%d`, len(args)), args...)
	if err != nil {
		return nil, wrap("add up the profiles of an account", err)
	}
	for i, svc := range services {
		if pool.Of(svc) >= plan.Unlimited {
			out[i].allocated, out[i].taken = plan.Unlimited, plan.Unlimited
		}
	}
	return out, nil
}
