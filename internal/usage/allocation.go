package usage

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Allocation is what a profile has of the account's pool.
type Allocation struct {
	Profile   id.Profile
	Automatic bool // the owner has posted nothing for it
	Version   int64
	Amounts   plan.Amounts // of plan.Services; the rest is 0
	UpdatedAt time.Time
}

var allocationColumns = "profile, automatic, version, updated_at, " + columns("%s", plan.Services)

func scanAllocation(r sqldb.Scanner) (a Allocation, err error) {
	var at int64
	to := []any{&a.Profile, &a.Automatic, &a.Version, &at}
	for i := range plan.Services {
		to = append(to, &a.Amounts[i])
	}
	err = r.Scan(to...)
	a.UpdatedAt = clock.FromMillis(at)
	return a, err
}

func (s *Service) allocationOf(ctx context.Context, p id.Profile) (Allocation, bool, error) {
	a, found, err := sqldb.One(ctx, s.db, scanAllocation, `SELECT `+allocationColumns+` FROM allocation WHERE profile = $1`, string(p))
	return a, found, wrap("read an allocation", err)
}

// Allocation is what a profile has. It returns not_found for one that is gone.
func (s *Service) Allocation(ctx context.Context, p id.Profile) (Allocation, error) {
	a, found, err := s.allocationOf(ctx, p)
	if err == nil && !found {
		err = profile.NotFound
	}
	return a, err
}

// Allocations are those of an account's profiles, oldest profile first.
func (s *Service) Allocations(ctx context.Context, a id.Account) ([]Allocation, error) {
	out, err := sqldb.All(ctx, s.db, scanAllocation, `SELECT `+allocationColumns+` FROM allocation WHERE account = $1 ORDER BY profile`, string(a))
	return out, wrap("read the allocations", err)
}

// chunk is how many profiles one statement names.
const chunk = 500

// open reads the book of an account under its lock, all counters locked and turned to the present cycle: that of
// the clock or, where the clock has stepped back or another node's is ahead, the one that a profile has already begun.
// Else what that profile used of the last cycle would be out of sight, and could be given to another in it.
func (s *Service) open(ctx context.Context, a id.Account, pl plan.Plan) (*book, error) {
	if err := s.profiles.Lock(ctx, a); err != nil {
		return nil, err
	}
	b := &book{pool: pl.Pool, most: pl.Cap(plan.Profiles)}
	as, err := s.Allocations(ctx, a)
	if err != nil {
		return nil, err
	}
	shares := map[id.Profile]*share{}
	ids := make([]id.Profile, 0, len(as))
	for _, x := range as {
		sh := &share{Profile: x.Profile, Automatic: x.Automatic, Version: x.Version, alloc: x.Amounts}
		shares[x.Profile] = sh
		ids = append(ids, x.Profile)
		b.shares = append(b.shares, sh)
	}
	now := s.now()
	for start := 0; start < len(ids); start += chunk {
		part := asAny(ids[start:min(start+chunk, len(ids))])
		begun, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `UPDATE counter SET version = version + 0 WHERE profile_id IN (`+sqldb.Marks(1, len(part))+`)
			RETURNING cycle_start`, part...)
		if err != nil {
			return nil, wrap("lock the counters", err)
		}
		for _, at := range begun {
			now = max(now, at)
		}
	}
	for start := 0; start < len(ids); start += chunk {
		part := asAny(ids[start:min(start+chunk, len(ids))])
		if _, err := s.turnEndedAt(ctx, ids[start:start+len(part)], now); err != nil {
			return nil, err
		}
		cs, err := sqldb.All(ctx, s.db, scanCounter,
			`SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id IN (`+sqldb.Marks(1, len(part))+`)`, part...)
		if err != nil {
			return nil, wrap("read the counters", err)
		}
		for _, c := range cs {
			if c.CycleEnd <= now { // of a profile that is being deleted: it is not turned any more
				c = c.anew()
			} else if b.cycleEnd == 0 || c.CycleStart < b.cycleStart { // one that came from another account began later
				b.cycleStart, b.cycleEnd = c.CycleStart, c.CycleEnd
			}
			sh := shares[c.Profile]
			sh.allowed, sh.over = c.Allowed, c.Over
			for i := range c.Used {
				sh.used[i] = c.Used[i] - c.Over[i]
			}
		}
	}
	if b.departed, err = s.departedOf(ctx, a, now); err != nil {
		return nil, err
	}
	return b, nil
}

// departedOf is what profiles that left an account had used of the present cycle.
func (s *Service) departedOf(ctx context.Context, a id.Account, now int64) (sum plan.Amounts, err error) {
	gone, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x plan.Amounts, err error) {
		var to []any
		for _, f := range flows {
			to = append(to, &x[plan.Index(f)])
		}
		return x, r.Scan(to...)
	}, `SELECT `+columns("%s", flows)+` FROM departed WHERE account = $1 AND cycle_end > $2`, string(a), now)
	for _, g := range gone {
		for i := range sum {
			sum[i] = plus(sum[i], g[i])
		}
	}
	return sum, wrap("read what left", err)
}

// flows are the services of the pool that start anew with every cycle.
var flows = func() (out []plan.Service) {
	for _, s := range plan.Services {
		if plan.Flow(s) {
			out = append(out, s)
		}
	}
	return out
}()

// save writes the shares that changed, and their copies in the counters.
func (s *Service) save(ctx context.Context, a id.Account, b *book, pl plan.Plan) error {
	now := s.now()
	var keys []string
	var written []*share
	for _, sh := range b.shares {
		if !sh.changed {
			continue
		}
		sh.Version++
		args := []any{sh.Automatic, sh.Version, now}
		var set strings.Builder
		for i, svc := range plan.Services {
			args = append(args, sh.alloc[i])
			fmt.Fprintf(&set, ", %s = $%d", svc, len(args))
		}
		args = append(args, string(sh.Profile))
		if _, err := s.db.Exec(ctx, `UPDATE allocation SET automatic = $1, version = $2, updated_at = $3`+set.String()+
			fmt.Sprintf(` WHERE profile = $%d`, len(args)), args...); err != nil {
			return wrap("write an allocation", err)
		}
		set.Reset()
		sh.allowed[plan.Index(plan.DashboardOutput)] = pl.Pool.Of(plan.DashboardOutput)
		args = []any{sh.Version}
		for i, svc := range plan.Metered {
			args = append(args, sh.allowed[i]+sh.over[i])
			fmt.Fprintf(&set, ", %s_allowed = $%d", svc, len(args))
		}
		args = append(args, string(sh.Profile))
		stmt := fmt.Sprintf(`UPDATE counter SET version = $1%s WHERE profile_id = $%d`, set.String(), len(args))
		if _, err := s.db.Exec(ctx, stmt, args...); err != nil {
			return wrap("write what is allowed", err)
		}
		if err := s.absorb(ctx, sh); err != nil {
			return err
		}
		keys, written = append(keys, string(sh.Profile)), append(written, sh)
		crash.At("allocation of one profile written")
	}
	if err := s.writeAllocations(ctx, a, written, false); err != nil {
		return err
	}
	return s.db.Changed(ctx, cacheKind, keys...)
}

// absorb makes what a profile stores beyond its limit ordinary again, as far as a larger limit has room for it: a stock is
// over by what is there now. What was used of a flow is not: it was over when it happened, and stays so.
func (s *Service) absorb(ctx context.Context, sh *share) error {
	for _, svc := range stockServices {
		i := plan.Index(svc)
		n := min(sh.over[i], max(0, sh.allowed[i]-sh.used[i]))
		if n == 0 {
			continue
		}
		sh.over[i], sh.used[i] = sh.over[i]-n, sh.used[i]+n
		if _, err := s.turnQuarters(ctx, []id.Profile{sh.Profile}, s.now()); err != nil {
			return err
		}
		at, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], fmt.Sprintf(`UPDATE counter SET %[1]s_over = %[1]s_over - $1, %[1]s_allowed = %[1]s_allowed - $2%[2]s
			WHERE profile_id = $3 RETURNING quarter`, svc, closes(svc)), n, n, string(sh.Profile))
		if err != nil {
			return wrap("absorb what was over", err)
		}
		if _, err := s.db.Exec(ctx, statements[i].ledgerLevels, string(sh.Profile), at, sh.used[i]+sh.over[i], sh.over[i]); err != nil {
			return wrap("write the ledger", err)
		}
	}
	return nil
}

// profileCreated gives a new profile its counters and its share; a hook inside its creation.
func (s *Service) profileCreated(ctx context.Context, who auth.Caller, p profile.Profile, in profile.CreateInput) error {
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return err
	}
	b := &book{pool: pl.Pool, most: pl.Cap(plan.Profiles)}
	if limited(pl.Pool) || in.Like != "" {
		if b, err = s.open(ctx, p.Account, pl); err != nil {
			return err
		}
	}
	before := snapshot(b)
	if err := b.admit(p.ID, template{allFree: in.AllocateFree, like: in.Like}); err != nil {
		return err
	}
	fresh := b.shares[len(b.shares)-1]
	fresh.changed = false // written here, not by save
	acc, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return err
	}
	now := s.now()
	from, to := b.cycleStart, b.cycleEnd
	if to == 0 { // the account's first, or one that shares nothing with the others
		from, to = Cycle(acc, now)
	}
	fresh.allowed[plan.Index(plan.DashboardOutput)] = pl.Pool.Of(plan.DashboardOutput)

	if err := s.insertShare(ctx, p.Account, fresh, Counter{CycleStart: from, CycleEnd: to}, from); err != nil {
		return err
	}
	if err := s.writePool(ctx, p.Account, pl.Pool, now); err != nil {
		return err
	}
	if err := s.writeAllocations(ctx, p.Account, []*share{fresh}, false); err != nil {
		return err
	}
	if err := s.save(ctx, p.Account, b, pl); err != nil {
		return err
	}
	return s.report(ctx, who, p.Account, b, before, "Allocation changed to make room for another profile")
}

// profileDeleted ends the share of a profile; a hook inside its deletion.
func (s *Service) profileDeleted(ctx context.Context, who auth.Caller, p profile.Profile) error {
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return err
	}
	var living int64
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM allocation WHERE account = $1`, string(p.Account)).Scan(&living); err != nil {
		return wrap("count the profiles of an account", err)
	}
	b := &book{pool: pl.Pool}
	if limited(pl.Pool) || living == 2 {
		if b, err = s.open(ctx, p.Account, pl); err != nil {
			return err
		}
	}
	before := snapshot(b)
	b.leave(p.ID)
	// Locked before it is read, or what others add in between would be in no book.
	if err := s.bookOpen(ctx, []id.Profile{p.ID}, math.MaxInt64); err != nil {
		return err
	}
	c, err := s.stored(ctx, p.ID)
	if err != nil {
		return err
	}
	if err := s.depart(ctx, p.Account, c, c.CycleEnd); err != nil {
		return err
	}
	had, _, err := sqldb.One(ctx, s.db, scanAllocation, `DELETE FROM allocation WHERE profile = $1 RETURNING `+allocationColumns, string(p.ID))
	if err != nil {
		return wrap("end an allocation", err)
	}
	if err := s.rest(ctx, p.ID, rested{automatic: had.Automatic, had: had.Amounts, used: c.Used, over: c.Over}); err != nil {
		return err
	}
	if err := s.writeAllocations(ctx, p.Account, []*share{{Profile: p.ID, Version: had.Version + 1}}, true); err != nil {
		return err
	}
	crash.At("profile left, its counters still there")
	// Without counters nothing more can be taken. The history and the ledger stay: they say what it cost.
	if err := s.remember(ctx, p.ID); err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM counter WHERE profile_id = $1`, string(p.ID)); err != nil {
		return wrap("end the counters", err)
	}
	if err := s.save(ctx, p.Account, b, pl); err != nil {
		return err
	}
	if err := s.db.Changed(ctx, cacheKind, string(p.ID)); err != nil {
		return err
	}
	return s.report(ctx, who, p.Account, b, before, "Allocation changed because another profile was deleted")
}

// Refit adapts the allocations of an account whose plan has changed, in the transaction that changed it.
func (s *Service) Refit(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		pl, err := s.profiles.PlanOf(ctx, a)
		if err != nil {
			return err
		}
		b, err := s.open(ctx, a, pl)
		if err != nil {
			return err
		}
		before := snapshot(b)
		b.fit()
		for _, sh := range b.shares { // also what is given to every profile by itself
			sh.changed = true
		}
		if err := s.save(ctx, a, b, pl); err != nil {
			return err
		}
		if err := s.writePool(ctx, a, pl.Pool, s.now()); err != nil {
			return err
		}
		return s.report(ctx, who, a, b, before, "Allocation changed with the plan of the account")
	})
}

// Proportional says what would become of an account's allocations if its pool were another one: by how many percent what is
// allocated of each service shrinks, 0 when it stays, and what each profile would have. It changes nothing, and what happens
// between now and then counts.
func (s *Service) Proportional(ctx context.Context, a id.Account, pool plan.Amounts) (map[plan.Service]float64, map[id.Profile]plan.Amounts, error) {
	as, err := s.Allocations(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	b := &book{pool: pool}
	for _, x := range as {
		b.shares = append(b.shares, &share{Profile: x.Profile, Automatic: x.Automatic, alloc: x.Amounts, allowed: x.Amounts})
	}
	b.fit()
	change, shares := map[plan.Service]float64{}, make(map[id.Profile]plan.Amounts, len(as))
	for i, svc := range plan.Services {
		var before, after float64
		for k, x := range as {
			before, after = before+float64(x.Amounts[i]), after+float64(b.shares[k].alloc[i])
		}
		change[svc] = 0
		if after < before {
			change[svc] = math.Round(10_000*(before-after)/before) / 100
		}
	}
	for _, sh := range b.shares {
		shares[sh.Profile] = sh.alloc
	}
	return change, shares, nil
}

var oneProfile = fault.New(fault.Conflict, "The account has one profile, which has everything; allocate when there are more")

// Post sets what the owner posts, all rows or none. It returns Conflict while the account has one profile and
// Invalid, naming the row, for what does not fit.
func (s *Service) Post(ctx context.Context, who auth.Caller, a id.Account, changes []change) error {
	err := s.post(ctx, who, a, changes)
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	// It may fit without what is leased for reads and was not spent.
	if err := s.recall(ctx, a); err != nil {
		return err
	}
	return s.post(ctx, who, a, changes)
}

func (s *Service) post(ctx context.Context, who auth.Caller, a id.Account, changes []change) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		pl, err := s.profiles.PlanOf(ctx, a)
		if err != nil {
			return err
		}
		b, err := s.open(ctx, a, pl)
		if err != nil {
			return err
		}
		if len(b.shares) < 2 {
			return oneProfile
		}
		before := snapshot(b)
		if err := b.set(changes); err != nil {
			return err
		}
		if err := s.save(ctx, a, b, pl); err != nil {
			return err
		}
		return s.report(ctx, who, a, b, before, "Allocation changed")
	})
}

func snapshot(b *book) map[id.Profile]plan.Amounts {
	m := map[id.Profile]plan.Amounts{}
	for _, sh := range b.shares {
		m[sh.Profile] = sh.alloc
	}
	return m
}

// report writes an audit event for every profile whose amounts are not what they were.
func (s *Service) report(ctx context.Context, who auth.Caller, a id.Account, b *book, before map[id.Profile]plan.Amounts, message string) error {
	for _, sh := range b.shares {
		old, known := before[sh.Profile]
		if !known || old == sh.alloc {
			continue
		}
		was, is := map[string]float64{}, map[string]float64{}
		for i, svc := range plan.Services {
			if old[i] != sh.alloc[i] {
				was[string(svc)], is[string(svc)] = plan.Wire(svc, old[i]), plan.Wire(svc, sh.alloc[i])
			}
		}
		if err := s.audit.Write(ctx, who, audit.Event{Profile: sh.Profile, Account: a, Resource: "profile", ResourceID: string(sh.Profile),
			Message: message, Before: was, After: is}); err != nil {
			return err
		}
	}
	return nil
}
