package usage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// changed is a set of profiles, in memory only: what a process did not look at before it ended is found by
// looking at all.
type changed struct {
	mu sync.Mutex
	m  map[id.Profile]struct{}
}

func (c *changed) add(ps ...id.Profile) {
	c.mu.Lock()
	for _, p := range ps {
		c.m[p] = struct{}{}
	}
	c.mu.Unlock()
}

// moved remembers, once the transaction of ctx has committed, that counters have changed.
func (s *Service) moved(ctx context.Context, ps ...id.Profile) {
	sqldb.AfterCommit(ctx, func() { s.level.add(ps...) })
}

// Moved takes the profiles whose levels may have passed a mark of 80 % or more, or fallen, since the last call: by
// what this process did, and by allocations and cycles that any process changed. Of points stored only those count
// that leave input or data_records at 80 % or above, so that others cost nothing. Whoever cannot look gives them
// back with MoveAgain.
func (s *Service) Moved() []id.Profile {
	s.level.mu.Lock()
	m := s.level.m
	s.level.m = map[id.Profile]struct{}{}
	s.level.mu.Unlock()
	out := make([]id.Profile, 0, len(m))
	for p := range m {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// MoveAgain gives back what Moved took.
func (s *Service) MoveAgain(ps []id.Profile) { s.level.add(ps...) }

// Level is a counter beside what people mean by its limit.
type Level struct {
	Counter
	Limit plan.Amounts // what the profile may use, but not more than it is allocated
}

// Levels reads the levels of profiles, at most 500; one that is gone is not in the answer. Flows include what nodes
// have taken in advance.
func (s *Service) Levels(ctx context.Context, ps []id.Profile) ([]Level, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	args := asAny(ps)
	cs, err := sqldb.All(ctx, s.db, scanCounter,
		`SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id IN (`+sqldb.Marks(1, len(args))+`)`, args...)
	if err != nil {
		return nil, wrap("read levels", err)
	}
	as, err := sqldb.All(ctx, s.db, scanAllocation, `SELECT `+allocationColumns+` FROM allocation WHERE profile IN (`+sqldb.Marks(1, len(args))+`)`, args...)
	if err != nil {
		return nil, wrap("read allocations", err)
	}
	allocated := make(map[id.Profile]*plan.Amounts, len(as))
	for i := range as {
		allocated[as[i].Profile] = &as[i].Amounts
	}
	out := make([]Level, len(cs))
	for i, c := range cs {
		out[i] = Level{c, c.Allowed}
		if a := allocated[c.Profile]; a != nil {
			for j := range plan.Services {
				out[i].Limit[j] = min(out[i].Limit[j], a[j])
			}
		}
	}
	return out, nil
}

// nearly is true of a counter with a service at 80 % of what is allowed, or above.
var nearly = func() string {
	parts := make([]string, len(plan.Metered))
	for i, svc := range plan.Metered {
		parts[i] = fmt.Sprintf("%[1]s_used > 0 AND %[1]s_used >= %[1]s_allowed - %[1]s_allowed / 5", svc)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}()

// NearLimits looks at the n profiles after one, across profiles in the order of their ids, and says which of them have
// used 80 % of a service or more. last is where to go on, "" when there is nothing after.
func (s *Service) NearLimits(ctx context.Context, after id.Profile, n int) (near []id.Profile, last id.Profile, err error) {
	last, more, err := sqldb.One(ctx, s.db, sqldb.Value[id.Profile],
		`SELECT profile_id FROM counter WHERE profile_id > $1 ORDER BY profile_id LIMIT 1 OFFSET $2`, string(after), n-1)
	if err != nil {
		return nil, "", wrap("look for levels", err)
	}
	w := sqldb.NewWhere("profile_id > ?", string(after))
	if more {
		w.And("profile_id <= ?", string(last))
	}
	near, err = sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT profile_id FROM counter`+w.SQL()+` AND `+nearly+` ORDER BY profile_id`, w.Args()...)
	return near, last, wrap("look for levels", err)
}
