package usage

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
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
//   - what a counter says of a flow is what the ledger has for the cycle and what leases hold;
//   - what it says of a stock is the level the ledger ended with;
//   - so it was for cycles that are over, as far as the ledger reaches back;
//   - a counter has the limits of its profile's allocation, and allocations do not exceed the pool;
//   - every living profile has both;
//   - what is held of a resource is what its room counts.
//
// It reads one instant, so it may run beside a live server. Findings are never nil.
func (s *Service) Verify(ctx context.Context) ([]Finding, error) {
	out := []Finding{}
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		for _, check := range []func(context.Context, func(Finding)) error{s.verifyFlows, s.verifyStocks, s.verifyHistory, s.verifyAllocations, s.verifyHeld} {
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
			LEFT JOIN (SELECT g.profile_id, SUM(g.%[1]s) AS n FROM ledger g JOIN counter k ON k.profile_id = g.profile_id
				WHERE g.quarter >= k.cycle_start AND g.quarter < k.cycle_end GROUP BY g.profile_id) l ON l.profile_id = c.profile_id
			LEFT JOIN (SELECT e.profile_id, SUM(e.taken) AS n FROM lease e JOIN counter k ON k.profile_id = e.profile_id
				WHERE e.service = $1 AND e.cycle_start = k.cycle_start GROUP BY e.profile_id) t ON t.profile_id = c.profile_id
			WHERE c.%[1]s_used <> COALESCE(l.n, 0) + COALESCE(t.n, 0) ORDER BY c.profile_id`, svc)
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
		stmt := fmt.Sprintf(`SELECT c.profile_id, c.%[1]s_used, COALESCE(g.%[1]s, 0)
			FROM counter c
			LEFT JOIN (SELECT profile_id, MAX(quarter) AS quarter FROM ledger WHERE %[1]s IS NOT NULL GROUP BY profile_id) m ON m.profile_id = c.profile_id
			LEFT JOIN ledger g ON g.profile_id = m.profile_id AND g.quarter = m.quarter
			WHERE c.%[1]s_used <> COALESCE(g.%[1]s, 0) ORDER BY c.profile_id`, svc)
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

// verifyAllocations reads every allocation with its counter, account by account, across profiles.
func (s *Service) verifyAllocations(ctx context.Context, found func(Finding)) error {
	type row struct {
		account id.Account
		a       Allocation
	}
	now := s.now()
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
			b.shares = append(b.shares, &share{Profile: r.a.Profile, alloc: r.a.Amounts, allowed: c.Allowed, used: c.Used})
		}
		start = end
		pl, err := s.profiles.PlanOf(ctx, account)
		if err != nil {
			found(Finding{Account: account, What: "it has allocations and no plan: " + err.Error()})
			continue
		}
		b.pool = pl.Pool
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
