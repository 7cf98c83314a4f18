package usage

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// Finding is a figure that does not agree with another.
type Finding struct {
	Profile id.Profile // "" for what concerns an account
	Account id.Account // "" for what concerns a profile
	What    string     // a sentence
}

func (f Finding) String() string {
	if f.Profile != "" {
		return "profile " + string(f.Profile) + ": " + f.What
	}
	return "account " + string(f.Account) + ": " + f.What
}

// Verify checks that counters, ledger, leases, allocations and counts agree:
//
//   - what a counter says of a flow is what the ledger, its open quarter included, has for the cycle and what leases hold;
//   - what it says of a stock is the level they ended with;
//   - so it is for the part of both that was accepted beyond the limit, which is never more than the whole;
//   - what devices used of an hour is what the profile's ledger has of it;
//   - so it was for cycles that are over, as far as the ledger reaches back;
//   - a counter has the limits of its profile's allocation, for dashboard output that of the plan, and allocations do
//     not exceed the pool;
//   - histories of allocations and pools end with what is;
//   - of profiles that left an account no less is remembered than they used;
//   - every living profile has both;
//   - what is held of a resource is what its room counts.
//
// It reads one instant, so it may run beside a live server. Findings are never nil.
func (s *Service) Verify(ctx context.Context) ([]Finding, error) {
	out := []Finding{}
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		for _, check := range []func(context.Context, func(Finding)) error{
			s.verifyFlows, s.verifyStocks, s.verifyHistory, s.verifyOver, s.verifyDevices, s.verifyAllocations, s.verifyAllocationHistory, s.verifyDeparted, s.verifyHeld,
		} {
			if err := check(ctx, func(f Finding) { out = append(out, f) }); err != nil {
				return err
			}
		}
		return nil
	})
	return out, wrap("verify usage", err)
}

var flowServices = func() (out []plan.Service) {
	for _, s := range plan.Metered {
		if plan.Flow(s) {
			out = append(out, s)
		}
	}
	return out
}()

type mismatch struct {
	profile    id.Profile
	have, want int64
}

func scanMismatch(r sqldb.Scanner) (m mismatch, err error) {
	return m, r.Scan(&m.profile, &m.have, &m.want)
}

func (s *Service) verifyFlows(ctx context.Context, found func(Finding)) error {
	for _, svc := range flowServices {
		stmt := fmt.Sprintf(`SELECT c.profile_id, c.%[1]s_used, CAST(COALESCE(l.n, 0) + COALESCE(t.n, 0) AS BIGINT)
			FROM counter c
			LEFT JOIN (SELECT g.profile_id, SUM(g.%[1]s) AS n FROM %[2]s g JOIN counter k ON k.profile_id = g.profile_id
				WHERE g.quarter >= k.cycle_start AND g.quarter < k.cycle_end GROUP BY g.profile_id) l ON l.profile_id = c.profile_id
			LEFT JOIN (SELECT e.profile_id, SUM(e.taken) AS n FROM lease e JOIN counter k ON k.profile_id = e.profile_id
				WHERE e.service = $1 AND e.cycle_start = k.cycle_start GROUP BY e.profile_id) t ON t.profile_id = c.profile_id
			WHERE c.%[1]s_used <> COALESCE(l.n, 0) + COALESCE(t.n, 0) ORDER BY c.profile_id`, svc, ledgerAll)
		ms, err := sqldb.All(ctx, s.db, scanMismatch, stmt, string(svc))
		if err != nil {
			return err
		}
		for _, m := range ms {
			found(Finding{Profile: m.profile, What: fmt.Sprintf("the counter says that %d of %s are used in this cycle, ledger and leases say %d", m.have, svc, m.want)})
		}
	}
	return nil
}

func (s *Service) verifyStocks(ctx context.Context, found func(Finding)) error {
	for _, svc := range plan.Metered {
		if plan.Flow(svc) {
			continue
		}
		level := fmt.Sprintf("COALESCE(g.%s, 0)", svc)
		if svc == plan.DataRecords {
			level = "COALESCE(c.open_data_records, g.data_records, 0)"
		}
		stmt := fmt.Sprintf(`SELECT c.profile_id, c.%[1]s_used, %[2]s
			FROM counter c
			LEFT JOIN (SELECT profile_id, MAX(quarter) AS quarter FROM ledger WHERE %[1]s IS NOT NULL GROUP BY profile_id) m ON m.profile_id = c.profile_id
			LEFT JOIN ledger g ON g.profile_id = m.profile_id AND g.quarter = m.quarter
			WHERE c.%[1]s_used <> %[2]s ORDER BY c.profile_id`, svc, level)
		ms, err := sqldb.All(ctx, s.db, scanMismatch, stmt)
		if err != nil {
			return err
		}
		for _, m := range ms {
			found(Finding{Profile: m.profile, What: fmt.Sprintf("the counter says that %d of %s are held, the ledger says %d", m.have, svc, m.want)})
		}
	}
	return nil
}

// ledgerReach is how far back the ledger is sure to have every quarter.
const ledgerReach = int64(60 * 24 * 60 * 60 * 1000)

func (s *Service) verifyHistory(ctx context.Context, found func(Finding)) error {
	since := s.now() - ledgerReach
	for _, svc := range flowServices {
		stmt := fmt.Sprintf(`SELECT h.profile_id, h.%[1]s_used, CAST(COALESCE(l.n, 0) + COALESCE(t.n, 0) AS BIGINT)
			FROM counter_history h
			LEFT JOIN (SELECT g.profile_id, k.cycle_start, SUM(g.%[1]s) AS n FROM ledger g JOIN counter_history k ON k.profile_id = g.profile_id
				WHERE g.quarter >= k.cycle_start AND g.quarter < k.cycle_end GROUP BY g.profile_id, k.cycle_start) l
				ON l.profile_id = h.profile_id AND l.cycle_start = h.cycle_start
			LEFT JOIN (SELECT profile_id, cycle_start, SUM(taken) AS n FROM lease WHERE service = $1 GROUP BY profile_id, cycle_start) t
				ON t.profile_id = h.profile_id AND t.cycle_start = h.cycle_start
			WHERE h.cycle_start >= $2 AND h.%[1]s_used <> COALESCE(l.n, 0) + COALESCE(t.n, 0) ORDER BY h.profile_id`, svc)
		ms, err := sqldb.All(ctx, s.db, scanMismatch, stmt, string(svc), since)
		if err != nil {
			return err
		}
		for _, m := range ms {
			found(Finding{Profile: m.profile, What: fmt.Sprintf("the history says that %d of %s were used in a past cycle, the ledger says %d", m.have, svc, m.want)})
		}
	}
	return nil
}

// verifyOver compares what counters and history say was accepted beyond limits with the ledger.
func (s *Service) verifyOver(ctx context.Context, found func(Finding)) error {
	report := func(stmt, format string, svc plan.Service, args ...any) error {
		ms, err := sqldb.All(ctx, s.db, scanMismatch, stmt, args...)
		if err != nil {
			return err
		}
		for _, m := range ms {
			found(Finding{Profile: m.profile, What: fmt.Sprintf(format, m.have, svc, m.want)})
		}
		return nil
	}
	for _, svc := range plan.Services {
		level := fmt.Sprintf(`SELECT c.profile_id, c.%[1]s_over, COALESCE(g.%[1]s_over, 0)
			FROM counter c
			LEFT JOIN (SELECT profile_id, MAX(quarter) AS quarter FROM ledger WHERE %[1]s_over IS NOT NULL GROUP BY profile_id) m ON m.profile_id = c.profile_id
			LEFT JOIN ledger g ON g.profile_id = m.profile_id AND g.quarter = m.quarter
			WHERE c.%[1]s_over <> COALESCE(g.%[1]s_over, 0) ORDER BY c.profile_id`, svc)
		sum := `SELECT c.profile_id, c.%[1]s_over, CAST(COALESCE(l.n, 0) AS BIGINT)
			FROM %[2]s c
			LEFT JOIN (SELECT g.profile_id, k.cycle_start, SUM(g.%[1]s_over) AS n FROM ledger g JOIN %[2]s k ON k.profile_id = g.profile_id
				WHERE g.quarter >= k.cycle_start AND g.quarter < k.cycle_end GROUP BY g.profile_id, k.cycle_start) l
				ON l.profile_id = c.profile_id AND l.cycle_start = c.cycle_start
			WHERE c.cycle_start >= $1 AND c.%[1]s_over <> COALESCE(l.n, 0) ORDER BY c.profile_id`
		var err error
		if plan.Flow(svc) {
			if err = report(fmt.Sprintf(sum, svc, "counter"), "the counter says that %d of %s are overage in this cycle, the ledger says %d", svc, int64(0)); err == nil {
				err = report(fmt.Sprintf(sum, svc, "counter_history"), "the history says that %d of %s were overage in a past cycle, the ledger says %d", svc, s.now()-ledgerReach)
			}
		} else {
			err = report(level, "the counter says that %d of %s are held as overage, the ledger says %d", svc)
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"counter", "counter_history"} {
			stmt := fmt.Sprintf(`SELECT profile_id, %[1]s_over, %[1]s_used FROM %[2]s WHERE %[1]s_over < 0 OR %[1]s_over > %[1]s_used ORDER BY profile_id`, svc, table)
			if err := report(stmt, "%d of %s are overage, of %d used", svc); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifyDevices compares the hours of devices with the profile's ledger: all input is a device's; of what is read,
// units that a node had leased when it died belong to none.
func (s *Service) verifyDevices(ctx context.Context, found func(Finding)) error {
	since := s.now() - ledgerReach
	since -= since % hour
	type row struct {
		mismatch
		hour int64
	}
	for _, svc := range byDevice {
		differ := "SUM(devices) > SUM(profile)"
		if svc == plan.Input {
			differ = "SUM(devices) <> SUM(profile)"
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
			return x, r.Scan(&x.profile, &x.hour, &x.have, &x.want)
		}, fmt.Sprintf(`SELECT profile_id, hour, CAST(SUM(devices) AS BIGINT), CAST(SUM(profile) AS BIGINT) FROM (
				SELECT profile_id, quarter - quarter %% 3600000 AS hour, CAST(0 AS BIGINT) AS devices, %[1]s AS profile FROM %[3]s l WHERE quarter >= $1
				UNION ALL SELECT profile_id, hour, %[1]s AS devices, CAST(0 AS BIGINT) AS profile FROM device_ledger WHERE hour >= $2) x
			GROUP BY profile_id, hour HAVING %[2]s ORDER BY profile_id, hour`, svc, differ, ledgerAll), since, since)
		if err != nil {
			return err
		}
		for _, r := range rows {
			found(Finding{Profile: r.profile, What: fmt.Sprintf("its devices used %d of %s in the hour from %s, its ledger says %d", r.have, svc, web.Millis(r.hour), r.want)})
		}
	}
	return nil
}

// verifyDeparted compares what an account remembers of profiles that left it with their history. It may be more: what a
// node had leased and gives back afterwards.
func (s *Service) verifyDeparted(ctx context.Context, found func(Finding)) error {
	type row struct {
		account    id.Account
		profile    id.Profile
		have, want int64
	}
	for _, svc := range flows {
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
			return x, r.Scan(&x.account, &x.profile, &x.have, &x.want)
		}, fmt.Sprintf(`SELECT d.account, d.profile, d.%[1]s, h.%[1]s_used - h.%[1]s_over FROM departed d
			JOIN counter_history h ON h.profile_id = d.profile AND h.cycle_start = d.cycle_start
			WHERE d.%[1]s < h.%[1]s_used - h.%[1]s_over ORDER BY d.account, d.profile`, svc))
		if err != nil {
			return err
		}
		for _, r := range rows {
			found(Finding{Account: r.account, What: fmt.Sprintf("profile %s left it after using %d of %s, it remembers %d", r.profile, r.want, svc, r.have)})
		}
	}
	return nil
}

// LedgersAlone are the services whose use nothing else can recount: their counters are checked against ledgers.
func LedgersAlone() (out []plan.Service) {
	for _, svc := range plan.Metered {
		if svc != plan.DataRecords {
			out = append(out, svc)
		}
	}
	return out
}

// verifyAllocations reads every allocation with its counter, account by account, across profiles.
func (s *Service) verifyAllocations(ctx context.Context, found func(Finding)) error {
	type row struct {
		account id.Account
		a       Allocation
	}
	now := s.now()
	var fitting bool
	if s.fitting != nil {
		var err error
		if fitting, err = s.fitting(ctx); err != nil {
			return err
		}
	}
	counters := map[id.Profile]Counter{}
	cs, err := sqldb.All(ctx, s.db, scanCounter, `SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter ORDER BY profile_id`)
	if err != nil {
		return err
	}
	for _, c := range cs {
		counters[c.Profile] = c
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		x.a, err = scanAllocation(prefixed{r, []any{&x.account}})
		return x, err
	}, `SELECT account, `+allocationColumns+` FROM allocation ORDER BY account, profile`)
	if err != nil {
		return err
	}
	for start := 0; start < len(rows); {
		end := start
		b := &book{}
		var shown []Counter
		account := rows[start].account
		for ; end < len(rows) && rows[end].account == account; end++ {
			r := rows[end]
			c, ok := counters[r.a.Profile]
			delete(counters, r.a.Profile)
			if !ok {
				found(Finding{Profile: r.a.Profile, What: "it has an allocation and no counter"})
				continue
			}
			if c.Version != r.a.Version {
				found(Finding{Profile: r.a.Profile, What: fmt.Sprintf("its counter is of version %d of the allocation, which is at %d", c.Version, r.a.Version)})
			}
			if c.CycleEnd <= now { // nobody has turned it yet; the turn takes the limits anew
				c.Allowed = r.a.Amounts
			}
			sh := &share{Profile: r.a.Profile, alloc: r.a.Amounts, allowed: c.Allowed}
			for i := range c.Used {
				sh.used[i] = c.Used[i] - c.Over[i]
			}
			b.shares = append(b.shares, sh)
			if c.CycleEnd > now {
				shown = append(shown, c)
			}
		}
		start = end
		pl, err := s.profiles.PlanOf(ctx, account)
		if err != nil {
			found(Finding{Account: account, What: "it has allocations and no plan: " + err.Error()})
			continue
		}
		b.pool = pl.Pool
		if acc, err := s.accounts.Get(ctx, account); err != nil {
			return err
		} else if fitting || acc.TermsUntil != 0 && acc.TermsUntil <= now {
			continue // the pool has just become another one, and what is allocated is about to be fitted to it
		}
		if err := s.verifyPool(ctx, account, pl.Pool, found); err != nil {
			return err
		}
		for _, c := range shown {
			if have, want := c.Allowed.Of(plan.DashboardOutput), pl.Pool.Of(plan.DashboardOutput); have != want {
				found(Finding{Profile: c.Profile, What: fmt.Sprintf("its counter allows %d of %s, the plan gives %d", have, plan.DashboardOutput, want)})
			}
		}
		if b.departed, err = s.departedOf(ctx, account, now); err != nil {
			return err
		}
		for _, what := range b.check() {
			found(Finding{Account: account, What: what})
		}
		if owned, err := s.profiles.List(ctx, account); err != nil {
			return err
		} else if len(owned) != len(b.shares) {
			found(Finding{Account: account, What: fmt.Sprintf("it has %d profiles and %d allocations with counters", len(owned), len(b.shares))})
		}
	}
	for p := range counters {
		found(Finding{Profile: p, What: "it has a counter and no allocation"})
	}
	return nil
}

// prefixed scans further columns before those of the row.
type prefixed struct {
	r     sqldb.Scanner
	first []any
}

func (p prefixed) Scan(to ...any) error { return p.r.Scan(append(p.first, to...)...) }

func (s *Service) verifyHeld(ctx context.Context, found func(Finding)) error {
	type row struct {
		profile  id.Profile
		resource plan.Resource
		used     int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.resource, &x.used)
	}, `SELECT profile_id, resource, used FROM held ORDER BY profile_id, resource`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		count, ok := s.counts[r.resource]
		if !ok {
			continue
		}
		n, err := count(ctx, r.profile)
		if err != nil {
			return err
		}
		if n != r.used {
			found(Finding{Profile: r.profile, What: fmt.Sprintf("it is said to hold %d %s and has %d", r.used, r.resource.Name(), n)})
		}
	}
	return nil
}
