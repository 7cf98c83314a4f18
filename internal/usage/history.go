package usage

import (
	"context"
	"fmt"
	"math"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Two histories say what an account's profiles shared at any instant: what each was allocated, and the pool. They are written
// in the transaction of each change, under the lock of the account's profiles, and only ever appended to: what a past hour
// cost is computed from them. Times in them never fall within an account, however its clock steps.

// AllocationChange is what a profile has from an instant on.
type AllocationChange struct {
	At      int64 // UTC milliseconds
	Profile id.Profile
	Gone    bool         // it left the account; Amounts are 0
	Amounts plan.Amounts // of plan.Services
}

// PoolChange is what an account has from an instant on.
type PoolChange struct {
	At      int64        // UTC milliseconds
	Amounts plan.Amounts // of plan.Services
}

var serviceColumns = columns("%s", plan.Services)

func serviceFields(a *plan.Amounts) []any {
	to := make([]any, len(plan.Services))
	for i := range to {
		to[i] = &a[i]
	}
	return to
}

// writeAllocations appends what profiles of an account have now, in the transaction that makes it so. Shares stand with the
// version that the allocation has; gone is what a profile that left is appended as.
func (s *Service) writeAllocations(ctx context.Context, a id.Account, shares []*share, gone bool) error {
	if len(shares) == 0 {
		return nil
	}
	last, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(at), 0) FROM allocation_history WHERE account = $1`, string(a))
	if err != nil {
		return wrap("read the history of allocations", err)
	}
	at := max(s.now(), last)
	for start := 0; start < len(shares); start += chunk {
		part := shares[start:min(start+chunk, len(shares))]
		width := 5 + len(plan.Services)
		args := make([]any, 0, len(part)*width)
		for _, sh := range part {
			args = append(args, string(sh.Profile), sh.Version, string(a), at, gone)
			for i := range plan.Services {
				n := sh.alloc[i]
				if gone {
					n = 0
				}
				args = append(args, n)
			}
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO allocation_history (profile, version, account, at, gone, `+serviceColumns+`) VALUES `+
			sqldb.Rows(1, len(part), width), args...); err != nil {
			return wrap("write the history of allocations", err)
		}
	}
	return nil
}

// writePool appends the pool of an account, unless it is what the history ends with. The account's profiles are locked.
func (s *Service) writePool(ctx context.Context, a id.Account, pool plan.Amounts, at int64) error {
	pool[plan.Index(plan.DashboardOutput)] = 0 // each profile has its own
	type entry struct {
		seq int64
		PoolChange
	}
	last, found, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (e entry, err error) {
		return e, r.Scan(append([]any{&e.seq, &e.At}, serviceFields(&e.Amounts)...)...)
	}, `SELECT seq, at, `+serviceColumns+` FROM pool_history WHERE account = $1 ORDER BY seq DESC LIMIT 1`, string(a))
	if err != nil {
		return wrap("read the history of a pool", err)
	}
	if found && last.Amounts == pool {
		return nil
	}
	args := []any{string(a), last.seq + 1, max(at, last.At)}
	for i := range plan.Services {
		args = append(args, pool[i])
	}
	_, err = s.db.Exec(ctx, `INSERT INTO pool_history (account, seq, at, `+serviceColumns+`) VALUES `+sqldb.Rows(1, 1, len(args)), args...)
	return wrap("write the history of a pool", err)
}

// FillPools begins the history of pools for accounts that were there before it was kept: as if each had had what it has now
// since its first allocation. Run it once when the server starts; it may be cut short and repeated.
func (s *Service) FillPools(ctx context.Context) error {
	for last := ""; ; {
		accounts, err := sqldb.All(ctx, s.db, sqldb.Value[id.Account], `SELECT DISTINCT account FROM allocation a
			WHERE account > $1 AND NOT EXISTS (SELECT 1 FROM pool_history p WHERE p.account = a.account) ORDER BY account LIMIT 100`, last)
		if err != nil || len(accounts) == 0 {
			return wrap("find accounts without a history of their pool", err)
		}
		for _, a := range accounts {
			err := s.db.Tx(ctx, func(ctx context.Context) error {
				if err := s.profiles.Lock(ctx, a); err != nil {
					return err
				}
				pl, err := s.profiles.PlanOf(ctx, a)
				if err != nil {
					return err
				}
				first, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MIN(at), 0) FROM allocation_history WHERE account = $1`, string(a))
				if err != nil {
					return err
				}
				return s.writePool(ctx, a, pl.Pool, first)
			})
			if err != nil {
				return fmt.Errorf("begin the history of the pool of account %s: %w", a, err)
			}
		}
		last = string(accounts[len(accounts)-1])
	}
}

// AllocationHistory is what an account's profiles had at an instant, each with that instant as At, and every change after it
// and before another one, in the order in which they were made.
func (s *Service) AllocationHistory(ctx context.Context, a id.Account, from, to int64) ([]AllocationChange, error) {
	scan := func(r sqldb.Scanner) (c AllocationChange, err error) {
		return c, r.Scan(append([]any{&c.Profile, &c.At, &c.Gone}, serviceFields(&c.Amounts)...)...)
	}
	// The version goes up with the time, so the last entry of a profile is the one with the highest.
	out, err := sqldb.All(ctx, s.db, scan, `SELECT h.profile, h.at, h.gone, `+columns("h.%s", plan.Services)+` FROM allocation_history h
		JOIN (SELECT profile, MAX(version) AS version FROM allocation_history WHERE account = $1 AND at <= $2 GROUP BY profile) m
			ON m.profile = h.profile AND m.version = h.version
		WHERE NOT h.gone ORDER BY h.profile`, string(a), from)
	if err != nil {
		return nil, wrap("read the history of allocations", err)
	}
	for i := range out {
		out[i].At = from
	}
	changes, err := sqldb.All(ctx, s.db, scan, `SELECT profile, at, gone, `+serviceColumns+` FROM allocation_history
		WHERE account = $1 AND at > $2 AND at < $3 ORDER BY at, version, profile`, string(a), from, to)
	return append(out, changes...), wrap("read the history of allocations", err)
}

// LimitChange is what a profile may use of a service from an instant on.
type LimitChange struct {
	At    int64 // UTC milliseconds
	Limit int64 // in the unit of the service's counter; plan.Unlimited for none
}

// mostLimitChanges is how many changes one question is answered with: the latest.
const mostLimitChanges = 1000

// LimitHistory is what a profile was allocated of a service of plan.Services at an instant, with that instant as At, and every change after it
// and before another one, in order: only what the account that has it now gave it. What is not known, before the profile came to that
// account, is not there.
func (s *Service) LimitHistory(ctx context.Context, p profile.Profile, svc plan.Service, from, to int64) ([]LimitChange, error) {
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (c LimitChange, err error) { return c, r.Scan(&c.At, &c.Limit) },
		fmt.Sprintf(`SELECT at, %s FROM allocation_history WHERE profile = $1 AND account = $2 AND at < $3
			AND version >= COALESCE((SELECT MAX(version) FROM allocation_history WHERE profile = $4 AND account = $5 AND at <= $6), 0)
			ORDER BY version DESC LIMIT %d`, svc, 10*mostLimitChanges), string(p.ID), string(p.Account), to, string(p.ID), string(p.Account), from)
	if err != nil {
		return nil, wrap("read the history of allocations", err)
	}
	out := []LimitChange{}
	for _, c := range slices.Backward(rows) {
		c.At = max(c.At, from)
		if n := len(out); n > 0 && out[n-1].At == c.At { // the last one at an instant counts
			out = out[:n-1]
		}
		if n := len(out); n == 0 || out[n-1].Limit != c.Limit {
			out = append(out, c)
		}
	}
	return out[max(0, len(out)-mostLimitChanges):], nil
}

// PoolHistory is what an account had at an instant, with that instant as At, and every change after it and before another
// one, in order. Before its first allocation an account has no pool.
func (s *Service) PoolHistory(ctx context.Context, a id.Account, from, to int64) ([]PoolChange, error) {
	scan := func(r sqldb.Scanner) (c PoolChange, err error) {
		return c, r.Scan(append([]any{&c.At}, serviceFields(&c.Amounts)...)...)
	}
	out := []PoolChange{}
	first, found, err := sqldb.One(ctx, s.db, scan, `SELECT at, `+serviceColumns+` FROM pool_history WHERE account = $1 AND at <= $2 ORDER BY seq DESC LIMIT 1`, string(a), from)
	if err != nil {
		return nil, wrap("read the history of a pool", err)
	}
	if found {
		first.At = from
		out = append(out, first)
	}
	changes, err := sqldb.All(ctx, s.db, scan, `SELECT at, `+serviceColumns+` FROM pool_history WHERE account = $1 AND at > $2 AND at < $3 ORDER BY seq`, string(a), from, to)
	return append(out, changes...), wrap("read the history of a pool", err)
}

// verifyAllocationHistory compares what the history of allocations ends with with what is allocated, across profiles.
func (s *Service) verifyAllocationHistory(ctx context.Context, found func(Finding)) error {
	differ := ""
	for _, svc := range plan.Services {
		differ += fmt.Sprintf(" OR h.%[1]s <> a.%[1]s", svc)
	}
	ps, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT a.profile FROM allocation a
		LEFT JOIN allocation_history h ON h.profile = a.profile AND h.version = a.version
		WHERE h.profile IS NULL OR h.account <> a.account OR h.gone`+differ+`
		UNION SELECT x.profile FROM allocation_history x
		JOIN (SELECT profile, MAX(version) AS version FROM allocation_history GROUP BY profile) m ON m.profile = x.profile AND m.version = x.version
		WHERE NOT x.gone AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.profile = x.profile AND a.version = x.version) ORDER BY 1`)
	for _, p := range ps {
		found(Finding{Profile: p, What: "what it is allocated is not what the history of allocations ends with"})
	}
	return err
}

// verifyPool compares what the history of an account's pool ends with with the pool.
func (s *Service) verifyPool(ctx context.Context, a id.Account, pool plan.Amounts, found func(Finding)) error {
	var last plan.Amounts
	there := false
	h, err := s.PoolHistory(ctx, a, math.MaxInt64, math.MaxInt64)
	for _, c := range h {
		last, there = c.Amounts, true
	}
	if err != nil {
		return err
	}
	for i, svc := range plan.Services {
		if !there || last[i] != pool[i] {
			found(Finding{Account: a, What: fmt.Sprintf("its pool has %d of %s, the history of the pool ends with %d", pool[i], svc, last[i])})
			if !there {
				break
			}
		}
	}
	return nil
}
