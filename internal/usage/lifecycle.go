package usage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// A profile leaves an account by deletion or by going to another one, and arrives in one when it is restored, published or received.
// Who leaves takes its share out of the book, and what it used of the cycle stays counted as departed. Who arrives gets a share as a
// new profile does, at least what it stores.
//
// A deleted profile rests: its counter is a cycle of the past, and what it stores is kept in resting, where whatever still removes
// some of it writes it down. Restored within the cycle, that counter is taken up again and nothing is departed.
//
// A profile that goes to another account is never without a counter: the row is cut at the instant, after everything that the ledger
// has, and goes on in the new account's cycle. A cycle may therefore begin at any millisecond; the ledger's first row in it stands
// there.

// Resting is what a profile that is deleted or in the making holds.
type Resting struct {
	Stocks   plan.Amounts            // of each stock, in base units; flows are ignored
	Held     map[plan.Resource]int64 // of capped resources
	Policies map[plan.Service]string // at the limit; block for what is not named
}

// Rest says what a draft holds, before it is published; what was said before is forgotten. Call it in the transaction that
// writes the last of what it says, or after that.
func (s *Service) Rest(ctx context.Context, p id.Profile, r Resting) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if _, err := s.stored(ctx, p); err == nil {
			return fmt.Errorf("profile %s lives: it has counters", p)
		} else if err := ifThere(err); err != nil {
			return err
		}
		rest := rested{automatic: true}
		for _, svc := range stockServices {
			n := r.Stocks.Of(svc)
			if n < 0 {
				return fmt.Errorf("profile %s rests with %d of %s", p, n, svc)
			}
			rest.used[plan.Index(svc)] = n
		}
		if err := s.rest(ctx, p, rest); err != nil {
			return err
		}
		for _, q := range []string{`DELETE FROM held WHERE profile_id = $1`, `DELETE FROM limit_policy WHERE profile_id = $1`} {
			if _, err := s.db.Exec(ctx, q, string(p)); err != nil {
				return wrap("forget what a profile held", err)
			}
		}
		for res, n := range r.Held {
			if _, err := s.db.Exec(ctx, `INSERT INTO held (profile_id, resource, used) VALUES ($1, $2, $3)`, string(p), string(res), n); err != nil {
				return wrap("write what a profile holds", err)
			}
		}
		for svc, policy := range r.Policies {
			if i := plan.Index(svc); i < 0 || i >= len(Policies{}) || policy != string(Pool) && policy != string(Overage) {
				continue
			}
			if _, err := s.db.Exec(ctx, `INSERT INTO limit_policy (profile_id, service, policy) VALUES ($1, $2, $3)`, string(p), string(svc), policy); err != nil {
				return wrap("write a policy", err)
			}
		}
		return nil
	})
}

// rested is a row of resting.
type rested struct {
	automatic bool
	had       plan.Amounts // what it was allocated
	used      plan.Amounts // of stocks, also what is over
	over      plan.Amounts
}

var restingColumns = columns("%s_used", stockServices) + ", " + columns("%s_over", stockServices) + ", automatic, " + columns("%s", plan.Services)

func (r *rested) fields() (to []any) {
	for _, svc := range stockServices {
		to = append(to, &r.used[plan.Index(svc)])
	}
	for _, svc := range stockServices {
		to = append(to, &r.over[plan.Index(svc)])
	}
	return append(append(to, &r.automatic), serviceFields(&r.had)...)
}

// rest writes a row.
func (s *Service) rest(ctx context.Context, p id.Profile, r rested) error {
	args := []any{string(p)}
	for _, svc := range stockServices {
		args = append(args, r.used[plan.Index(svc)])
	}
	for _, svc := range stockServices {
		args = append(args, r.over[plan.Index(svc)])
	}
	args = append(args, r.automatic)
	for i := range plan.Services {
		args = append(args, r.had[i])
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM resting WHERE profile_id = $1`, string(p)); err != nil {
		return wrap("forget what a profile stored", err)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO resting (profile_id, `+restingColumns+`) VALUES `+sqldb.Rows(1, 1, len(args)), args...)
	return wrap("write what a profile stores", err)
}

// restingOf reads a row; of a profile without one nothing is stored.
func (s *Service) restingOf(ctx context.Context, p id.Profile) (rested, error) {
	r, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x rested, err error) { return x, r.Scan(x.fields()...) },
		`SELECT `+restingColumns+` FROM resting WHERE profile_id = $1`, string(p))
	if !found {
		r.automatic = true
	}
	return r, wrap("read what a profile stores", err)
}

// releaseResting gives back a stock of a profile that rests.
func (s *Service) releaseResting(ctx context.Context, p id.Profile, svc plan.Service, n int64) error {
	_, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE resting SET %[1]s_used = %[1]s_used - $1, %[1]s_over = CASE WHEN %[1]s_over < $2 THEN 0 ELSE %[1]s_over - $3 END
		WHERE profile_id = $4 AND %[1]s_used >= $5`, svc), n, n, n, string(p), n)
	return wrap("release what a deleted profile stores", err)
}

// Holds is what a profile holds that is deleted or in the making: stocks, in base units, and capped resources.
func (s *Service) Holds(ctx context.Context, p id.Profile) (Resting, error) {
	r, err := s.restingOf(ctx, p)
	if err != nil {
		return Resting{}, err
	}
	out := Resting{Stocks: r.used, Policies: map[plan.Service]string{}}
	if out.Held, err = s.held(ctx, p); err != nil {
		return Resting{}, err
	}
	set, err := s.PoliciesOf(ctx, p)
	for i, policy := range set {
		if policy != Block {
			out.Policies[plan.Services[i]] = string(policy)
		}
	}
	return out, err
}

// PurgeProfile forgets what a deleted profile held. It comes before the purges of the rooms that keep the things. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	err = s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		for _, q := range []string{`DELETE FROM resting WHERE profile_id = $1`, `DELETE FROM held WHERE profile_id = $1`, `DELETE FROM limit_policy WHERE profile_id = $1`} {
			if _, err := s.db.Exec(ctx, q, string(p.ID)); err != nil {
				return wrap("forget what a profile held", err)
			}
		}
		return nil
	})
	return err == nil, err
}

// burden is what a profile brings to an account.
func (s *Service) burden(ctx context.Context, p id.Profile) (a arrival, held map[plan.Resource]int64, err error) {
	a = arrival{profile: p, automatic: true}
	switch c, err := s.stored(ctx, p); {
	case err == nil:
		for _, svc := range stockServices {
			i := plan.Index(svc)
			a.over[i], a.used[i] = c.Over[i], c.Used[i]-c.Over[i]
		}
	case ifThere(err) == nil:
		r, err := s.restingOf(ctx, p)
		if err != nil {
			return a, nil, err
		}
		a.automatic, a.wish, a.over = r.automatic, r.had, r.over
		for i := range r.used {
			a.used[i] = r.used[i] - r.over[i]
		}
	default:
		return a, nil, err
	}
	if a.policies, err = s.PoliciesOf(ctx, p); err != nil {
		return a, nil, err
	}
	held, err = s.held(ctx, p)
	return a, held, err
}

// Fits says whether another account, or that of a profile that is deleted or in the making, has room for what it stores and holds. The
// same decides when it arrives.
func (s *Service) Fits(ctx context.Context, p id.Profile, to id.Account) ([]profile.Check, error) {
	return s.fit(ctx, to, func(ctx context.Context) (arrival, map[plan.Resource]int64, error) { return s.burden(ctx, p) })
}

// FitsResting is Fits for a profile that is to be made, of what it will hold.
func (s *Service) FitsResting(ctx context.Context, r Resting, to id.Account) ([]profile.Check, error) {
	a := arrival{automatic: true, used: r.Stocks, policies: blocking()}
	for i, svc := range plan.Services {
		if policy := r.Policies[svc]; policy != "" {
			a.policies[i] = Policy(policy)
		}
	}
	return s.fit(ctx, to, func(context.Context) (arrival, map[plan.Resource]int64, error) { return a, r.Held, nil })
}

// fit looks whether an account has room for what arrives, with what it holds of capped resources.
func (s *Service) fit(ctx context.Context, to id.Account, arrives func(ctx context.Context) (arrival, map[plan.Resource]int64, error)) (checks []profile.Check, err error) {
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		pl, err := s.profiles.PlanOf(ctx, to)
		if err != nil {
			return err
		}
		b, err := s.look(ctx, to, pl)
		if err != nil {
			return err
		}
		a, held, err := arrives(ctx)
		if err != nil {
			return err
		}
		_, lacks := b.arrive(a)
		checks = arrivalChecks(pl, a, lacks, held)
		return nil
	})
	return checks, wrap("look whether a profile fits", err)
}

// fits is Fits as a profile.FitFunc.
func (s *Service) fits(ctx context.Context, p profile.Profile, to id.Account) ([]profile.Check, error) {
	return s.Fits(ctx, p.ID, to)
}

// arrivalChecks words what an arrival needs, as far as anything could be lacking.
func arrivalChecks(pl plan.Plan, a arrival, lacks []lack, held map[plan.Resource]int64) []profile.Check {
	out := []profile.Check{}
	for i, svc := range plan.Services {
		need := a.needs(i)
		if need == 0 {
			continue
		}
		c := profile.Check{Name: string(svc), OK: true, Blocks: true}
		for _, l := range lacks {
			if l.service == i {
				c.OK = false
				need = l.need
				c.Detail = fmt.Sprintf("Of %[2]s the account can give it %[1]s; it needs %[3]s.", plan.Show(svc, l.got), svc.Name(), plan.Show(svc, need))
			}
		}
		if c.OK {
			c.Detail = fmt.Sprintf("It needs %s of %s, which the account can give it.", plan.Show(svc, need), svc.Name())
		}
		out = append(out, c)
	}
	for _, r := range plan.Resources {
		n := held[r]
		if n == 0 {
			continue
		}
		most := pl.Cap(r)
		c := profile.Check{Name: string(r), OK: n <= most, Blocks: true, Detail: fmt.Sprintf("It has %s; the plan of the account allows %d.", r.Count(n), most)}
		if most >= plan.Unlimited {
			c.Detail = fmt.Sprintf("It has %s; the plan of the account sets no limit.", r.Count(n))
		}
		out = append(out, c)
	}
	return out
}

// look reads the book of an account without locking anything, for a question.
func (s *Service) look(ctx context.Context, a id.Account, pl plan.Plan) (*book, error) {
	b := &book{pool: pl.Pool, most: pl.Cap(plan.Profiles)}
	as, err := s.Allocations(ctx, a)
	if err != nil {
		return nil, err
	}
	cs, err := sqldb.All(ctx, s.db, scanCounter, `SELECT c.profile_id, c.cycle_start, c.cycle_end, c.version, `+counterAmounts+`
		FROM allocation a JOIN counter c ON c.profile_id = a.profile WHERE a.account = $1`, string(a))
	if err != nil {
		return nil, wrap("read the counters", err)
	}
	counters := make(map[id.Profile]Counter, len(cs))
	now := s.now()
	for _, c := range cs {
		counters[c.Profile] = c
		now = max(now, c.CycleStart)
	}
	for _, x := range as {
		sh := &share{Profile: x.Profile, Automatic: x.Automatic, Version: x.Version, alloc: x.Amounts}
		c := counters[x.Profile]
		if sh.allowed = c.Allowed; c.CycleEnd <= now {
			c, sh.allowed = c.anew(), x.Amounts
		}
		sh.over = c.Over
		for i := range c.Used {
			sh.used[i] = c.Used[i] - c.Over[i]
		}
		b.shares = append(b.shares, sh)
	}
	b.departed, err = s.departedOf(ctx, a, now)
	return b, err
}

var counterAmounts = columns("c.%s_used", plan.Metered[:]) + ", " + columns("c.%s_allowed", plan.Metered[:]) + ", " + columns("c.%s_over", plan.Services)

// depart remembers what a profile used of an account's cycle that still runs, up to an instant, when it leaves. An account without
// limits keeps it too: the plan may change.
func (s *Service) depart(ctx context.Context, a id.Account, c Counter, until int64) error {
	if c.CycleEnd <= s.now() {
		return nil
	}
	args := []any{string(a), string(c.Profile), c.CycleStart, c.CycleEnd, until}
	set := ""
	for _, svc := range flows {
		i := plan.Index(svc)
		args = append(args, c.Used[i]-c.Over[i])
		set += fmt.Sprintf(", %[1]s = excluded.%[1]s", svc)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO departed (account, profile, cycle_start, cycle_end, until_at, `+columns("%s", flows)+`) VALUES `+sqldb.Rows(1, 1, len(args))+`
		ON CONFLICT (account, profile, cycle_start) DO UPDATE SET cycle_end = excluded.cycle_end, until_at = excluded.until_at`+set, args...)
	return wrap("remember what left", err)
}

// lastVersion is that of the last entry that the history has of a profile's allocation.
func (s *Service) lastVersion(ctx context.Context, p id.Profile) (int64, error) {
	v, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(version), 0) FROM allocation_history WHERE profile = $1`, string(p))
	return v, wrap("read the history of allocations", err)
}

// insertShare writes an allocation and a counter in quarter that has what c says, with the limits of the share.
func (s *Service) insertShare(ctx context.Context, a id.Account, sh *share, c Counter, quarter int64) error {
	args := []any{string(sh.Profile), sh.Automatic, sh.Version, s.now()}
	for i := range plan.Services {
		args = append(args, sh.alloc[i])
	}
	args = append(args, string(a))
	if _, err := s.db.Exec(ctx, `INSERT INTO allocation (`+allocationColumns+`, account) VALUES `+sqldb.Rows(1, 1, len(args)), args...); err != nil {
		return wrap("write an allocation", err)
	}
	args = []any{string(sh.Profile), c.CycleStart, c.CycleEnd, quarter, sh.Version}
	for i := range plan.Metered {
		args = append(args, c.Used[i])
	}
	for i := range plan.Metered {
		args = append(args, sh.allowed[i]+c.Over[i])
	}
	for i := range plan.Services {
		args = append(args, c.Over[i])
	}
	_, err := s.db.Exec(ctx, `INSERT INTO counter (profile_id, cycle_start, cycle_end, quarter, version, `+amountColumns+`) VALUES `+sqldb.Rows(1, 1, len(args)), args...)
	return wrap("write a counter", err)
}

// bookLevels writes to the ledger what a profile stores, at an instant that is no earlier than any row of it.
func (s *Service) bookLevels(ctx context.Context, p id.Profile, at int64, used, over plan.Amounts) error {
	var row ledgerRow
	var needs []Need
	for _, svc := range stockServices {
		i := plan.Index(svc)
		row.add(svc, 0, used[i])
		row.addOver(svc, 0, over[i])
		needs = append(needs, Need{Service: svc})
	}
	return s.bookRow(ctx, p, at, row, needs)
}

// lastBooked is where the last row of a profile's ledger stands; 0 without any.
func (s *Service) lastBooked(ctx context.Context, p id.Profile) (int64, error) {
	at, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(quarter), 0) FROM ledger WHERE profile_id = $1`, string(p))
	return at, wrap("read the ledger", err)
}

// profileRestored gives a restored or published profile its counters and its share; a hook inside that.
func (s *Service) profileRestored(ctx context.Context, who auth.Caller, r profile.Restored) error {
	p, a := r.ID, r.Account
	pl, err := s.profiles.PlanOf(ctx, a)
	if err != nil {
		return err
	}
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return err
	}
	b, err := s.open(ctx, a, pl)
	if err != nil {
		return err
	}
	before := snapshot(b)
	bring, held, err := s.burden(ctx, p)
	if err != nil {
		return err
	}
	now := s.now()
	c, err := s.takeUp(ctx, a, p, now, b, &bring)
	if err != nil {
		return err
	}
	anew := c.CycleEnd == 0
	if anew {
		if c.CycleStart, c.CycleEnd, err = s.beginAnew(ctx, acc, p, now, b); err != nil {
			return err
		}
	}
	sh, lacks := b.arrive(bring)
	if missing := profile.Missing(arrivalChecks(pl, bring, lacks, held)); len(missing) > 0 {
		return profile.NoRoom(missing)
	}
	sh.changed = false // written here, not by save
	sh.allowed[plan.Index(plan.DashboardOutput)] = pl.Pool.Of(plan.DashboardOutput)
	if sh.Version, err = s.lastVersion(ctx, p); err != nil {
		return err
	}
	sh.Version++
	for _, svc := range stockServices {
		i := plan.Index(svc)
		c.Over[i], c.Used[i] = sh.over[i], sh.used[i]+sh.over[i]
	}
	last, err := s.lastBooked(ctx, p)
	if err != nil {
		return err
	}
	quarter := max(quarterOf(now), c.CycleStart, last)
	if err := s.insertShare(ctx, a, sh, c, quarter); err != nil {
		return err
	}
	if err := s.bookLevels(ctx, p, quarter, c.Used, c.Over); err != nil {
		return err
	}
	crash.At("restored profile has its share, not its cycle")
	if !anew && acc.Anchor > c.CycleStart && acc.Anchor <= now { // the account's cycle was begun anew meanwhile
		from, to := Cycle(acc, now)
		if err := s.cut(ctx, sh, from, to); err != nil {
			return fmt.Errorf("cut the cycle of a restored profile: %w", err)
		}
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM resting WHERE profile_id = $1`, string(p)); err != nil {
		return wrap("forget what a profile stored", err)
	}
	if err := s.writePool(ctx, a, pl.Pool, now); err != nil {
		return err
	}
	if err := s.writeAllocations(ctx, a, []*share{sh}, false); err != nil {
		return err
	}
	if err := s.save(ctx, a, b, pl); err != nil {
		return err
	}
	if err := s.db.Changed(ctx, cacheKind, string(p)); err != nil {
		return err
	}
	s.moved(ctx, p)
	return s.report(ctx, who, a, b, before, "Allocation changed to make room for another profile")
}

// takeUp takes up the cycle in which a profile was deleted, if it still runs: what it used of it is its own again and departed no
// more. The counter is the zero one when it is over.
func (s *Service) takeUp(ctx context.Context, a id.Account, p id.Profile, now int64, b *book, bring *arrival) (Counter, error) {
	past, err := sqldb.All(ctx, s.db, scanPast, `SELECT profile_id, cycle_start, cycle_end, `+amountColumns+` FROM counter_history
		WHERE profile_id = $1 ORDER BY cycle_start DESC LIMIT 1`, string(p))
	if err != nil || len(past) == 0 || past[0].CycleEnd <= now {
		return Counter{}, wrap("read the last cycle of a profile", err)
	}
	c := past[0]
	if _, err := s.db.Exec(ctx, `DELETE FROM counter_history WHERE profile_id = $1 AND cycle_start = $2`, string(p), c.CycleStart); err != nil {
		return Counter{}, wrap("take up a cycle", err)
	}
	back, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x plan.Amounts, err error) {
		var to []any
		for _, f := range flows {
			to = append(to, &x[plan.Index(f)])
		}
		return x, r.Scan(to...)
	}, `DELETE FROM departed WHERE account = $1 AND profile = $2 AND cycle_start >= $3 AND cycle_end > $4 RETURNING `+columns("%s", flows),
		string(a), string(p), c.CycleStart, now)
	if err != nil {
		return Counter{}, wrap("take back what left", err)
	}
	for _, x := range back {
		for _, f := range flows {
			i := plan.Index(f)
			b.departed[i] -= x[i]
			bring.used[i] += x[i]
		}
	}
	return c, nil
}

// beginAnew is the cycle that a profile begins which has none: that of the account's others, after its own last one.
func (s *Service) beginAnew(ctx context.Context, acc account.Account, p id.Profile, now int64, b *book) (from, to int64, err error) {
	end, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(cycle_end), 0) FROM counter_history WHERE profile_id = $1`, string(p))
	if err != nil {
		return 0, 0, wrap("read the last cycle of a profile", err)
	}
	if from, to = b.cycleStart, b.cycleEnd; to == 0 {
		from, to = Cycle(acc, now)
	}
	return max(from, end), to, nil
}

// handedOver moves a profile from an account's book to another's; a hook inside its change of hands.
func (s *Service) handedOver(ctx context.Context, who auth.Caller, h profile.Handover) error {
	p, from, to := h.Profile.ID, h.Profile.Account, h.To
	plFrom, err := s.profiles.PlanOf(ctx, from)
	if err != nil {
		return err
	}
	plTo, err := s.profiles.PlanOf(ctx, to)
	if err != nil {
		return err
	}
	acc, err := s.accounts.Get(ctx, to)
	if err != nil {
		return err
	}
	here, err := s.open(ctx, from, plFrom)
	if err != nil {
		return err
	}
	there, err := s.open(ctx, to, plTo)
	if err != nil {
		return err
	}
	beforeHere, beforeThere := snapshot(here), snapshot(there)
	if err := s.bookOpen(ctx, []id.Profile{p}, math.MaxInt64); err != nil {
		return err
	}
	c, err := s.stored(ctx, p)
	if err != nil {
		return err
	}
	bring, held, err := s.burden(ctx, p)
	if err != nil {
		return err
	}
	sh, lacks := there.arrive(bring)
	if missing := profile.Missing(arrivalChecks(plTo, bring, lacks, held)); len(missing) > 0 {
		return profile.NoRoom(missing)
	}
	// Everything that the ledger has is before the cut, whatever clocks say.
	at, err := s.lastBooked(ctx, p)
	if err != nil {
		return err
	}
	at = max(h.At, c.CycleStart+1, at+1)
	end := there.cycleEnd
	if end <= at {
		_, end = Cycle(acc, at)
	}
	if err := s.depart(ctx, from, c, at); err != nil {
		return err
	}
	here.leave(p)
	if err := s.remember(ctx, p); err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `UPDATE counter_history SET cycle_end = $1 WHERE profile_id = $2 AND cycle_start = $3`, at, string(p), c.CycleStart); err != nil {
		return wrap("end the cycle of a former owner", err)
	}
	// What is leased stays with the cycle it was taken from.
	if _, err := s.db.Exec(ctx, `UPDATE lease SET cycle_end = $1 WHERE profile_id = $2 AND cycle_start = $3`, at, string(p), c.CycleStart); err != nil {
		return wrap("end the leases of a former owner", err)
	}
	crash.At("profile left its former owner's book, not yet in the new one")
	version, err := s.lastVersion(ctx, p)
	if err != nil {
		return err
	}
	if err := s.writeAllocations(ctx, from, []*share{{Profile: p, Version: version + 1}}, true); err != nil {
		return err
	}
	sh.changed, sh.Version = false, version+2
	sh.allowed[plan.Index(plan.DashboardOutput)] = plTo.Pool.Of(plan.DashboardOutput)
	if err := s.moveShare(ctx, to, sh, at, end); err != nil {
		return err
	}
	used := sh.used
	for i := range used {
		used[i] += sh.over[i]
	}
	if err := s.bookLevels(ctx, p, at, used, sh.over); err != nil {
		return err
	}
	if err := s.writePool(ctx, to, plTo.Pool, h.At); err != nil {
		return err
	}
	if err := s.writeAllocations(ctx, to, []*share{sh}, false); err != nil {
		return err
	}
	if err := s.save(ctx, from, here, plFrom); err != nil {
		return err
	}
	if err := s.save(ctx, to, there, plTo); err != nil {
		return err
	}
	if err := s.db.Changed(ctx, cacheKind, string(p)); err != nil {
		return err
	}
	s.moved(ctx, p)
	if err := s.report(ctx, who, from, here, beforeHere, "Allocation changed because a profile went to another account"); err != nil {
		return err
	}
	return s.report(ctx, who, to, there, beforeThere, "Allocation changed to make room for another profile")
}

// moveShare makes a living profile's allocation another account's, and begins a cycle of its counter.
func (s *Service) moveShare(ctx context.Context, to id.Account, sh *share, from, end int64) error {
	args := []any{string(to), sh.Automatic, sh.Version, s.now()}
	var set strings.Builder
	for i, svc := range plan.Services {
		args = append(args, sh.alloc[i])
		fmt.Fprintf(&set, ", %s = $%d", svc, len(args))
	}
	args = append(args, string(sh.Profile))
	if _, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE allocation SET account = $1, automatic = $2, version = $3, updated_at = $4%s WHERE profile = $%d`, set.String(), len(args)), args...); err != nil {
		return wrap("move an allocation", err)
	}
	set.Reset()
	args = []any{from, end, from, sh.Version}
	for i, svc := range plan.Metered {
		args = append(args, sh.used[i]+sh.over[i], sh.allowed[i]+sh.over[i])
		fmt.Fprintf(&set, ", %[1]s_used = $%[2]d, %[1]s_allowed = $%[3]d", svc, len(args)-1, len(args))
		if slices.Contains(plan.Services, svc) {
			args = append(args, sh.over[i])
			fmt.Fprintf(&set, ", %s_over = $%d", svc, len(args))
		}
	}
	args = append(args, string(sh.Profile))
	_, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE counter SET cycle_start = $1, cycle_end = $2, quarter = $3, version = $4%s WHERE profile_id = $%d`, set.String(), len(args)), args...)
	return wrap("begin the cycle of a new owner", err)
}
