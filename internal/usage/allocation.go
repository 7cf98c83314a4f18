package usage

import (
	"context"
	"fmt"
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

// open reads the book of an account under its lock, all counters locked and turned to the present cycle.
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
		if _, err := s.db.Exec(ctx, `UPDATE counter SET version = version + 0 WHERE profile_id IN (`+sqldb.Marks(1, len(part))+`)`, part...); err != nil {
			return nil, wrap("lock the counters", err)
		}
		if _, err := s.turnEnded(ctx, ids[start:start+len(part)]); err != nil {
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
			} else {
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
func (s *Service) save(ctx context.Context, b *book, pl plan.Plan) error {
	now := s.now()
	var keys []string
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
		keys = append(keys, string(sh.Profile))
		crash.At("allocation of one profile written")
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
		q := quarterOf(s.now())
		at, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], fmt.Sprintf(`UPDATE counter SET %[1]s_over = %[1]s_over - $1, %[1]s_allowed = %[1]s_allowed - $2,
			quarter = CASE WHEN quarter < $3 THEN $4 ELSE quarter END WHERE profile_id = $5 RETURNING quarter`, svc), n, n, q, q, string(sh.Profile))
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
	loc, err := s.zoneOf(ctx, p.Account)
	if err != nil {
		return err
	}
	now := s.now()
	from, to := b.cycleStart, b.cycleEnd
	if to == 0 { // the account's first, or one that shares nothing with the others
		from, to = month(now, loc)
	}
	fresh.allowed[plan.Index(plan.DashboardOutput)] = pl.Pool.Of(plan.DashboardOutput)

	args := []any{string(p.ID), fresh.Automatic, fresh.Version, now}
	for i := range plan.Services {
		args = append(args, fresh.alloc[i])
	}
	args = append(args, string(p.Account))
	if _, err := s.db.Exec(ctx, `INSERT INTO allocation (`+allocationColumns+`, account) VALUES `+sqldb.Rows(1, 1, len(args)), args...); err != nil {
		return wrap("write an allocation", err)
	}
	args = []any{string(p.ID), from, to, from, fresh.Version}
	for range plan.Metered {
		args = append(args, int64(0))
	}
	for i := range plan.Metered {
		args = append(args, fresh.allowed[i])
	}
	for range plan.Services {
		args = append(args, int64(0))
	}
	if _, err := s.db.Exec(ctx, `INSERT INTO counter (profile_id, cycle_start, cycle_end, quarter, version, `+amountColumns+`)
		VALUES `+sqldb.Rows(1, 1, len(args)), args...); err != nil {
		return wrap("write a counter", err)
	}
	if err := s.save(ctx, b, pl); err != nil {
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
	// What it used of a cycle that still runs. An account without limits keeps it too: the plan may change.
	if _, err := s.db.Exec(ctx, `INSERT INTO departed (account, profile, cycle_end, `+columns("%s", flows)+`)
		SELECT $1, profile_id, cycle_end, `+columns("%[1]s_used - %[1]s_over", flows)+` FROM counter WHERE profile_id = $2 AND cycle_end > $3
		ON CONFLICT (account, profile, cycle_end) DO NOTHING`, string(p.Account), string(p.ID), s.now()); err != nil {
		return wrap("remember what left", err)
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM allocation WHERE profile = $1`, string(p.ID)); err != nil {
		return wrap("end an allocation", err)
	}
	crash.At("profile left, its counters still there")
	// Without counters nothing more can be taken. The history and the ledger stay: they say what it cost.
	if err := s.remember(ctx, p.ID); err != nil {
		return err
	}
	for _, q := range []string{`DELETE FROM counter WHERE profile_id = $1`, `DELETE FROM held WHERE profile_id = $1`, `DELETE FROM limit_policy WHERE profile_id = $1`} {
		if _, err := s.db.Exec(ctx, q, string(p.ID)); err != nil {
			return wrap("end the counters", err)
		}
	}
	if err := s.save(ctx, b, pl); err != nil {
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
		if err := s.save(ctx, b, pl); err != nil {
			return err
		}
		return s.report(ctx, who, a, b, before, "Allocation changed with the plan of the account")
	})
}

var oneProfile = fault.New(fault.Conflict, "The account has one profile, which has everything; allocate when there are more")

// Post sets what the owner posts, all rows or none. It returns Conflict while the account has one profile and
// Invalid, naming the row, for what does not fit.
func (s *Service) Post(ctx context.Context, who auth.Caller, a id.Account, changes []change) error {
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
		if err := s.save(ctx, b, pl); err != nil {
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
