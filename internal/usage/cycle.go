package usage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// month is the calendar month that ms lies in, in a time zone, from quarter of an hour to quarter of an hour.
func month(ms int64, loc *time.Location) (start, end int64) {
	y, m, _ := clock.FromMillis(ms).In(loc).Date()
	return quarterOf(clock.Millis(time.Date(y, m, 1, 0, 0, 0, 0, loc))), quarterOf(clock.Millis(time.Date(y, m+1, 1, 0, 0, 0, 0, loc)))
}

// shortest is the cycle that a change of time zone may leave; a shorter one is joined to the next, or an owner
// could move the zone to and fro and have a fresh month each time.
const shortest = int64(14 * 24 * time.Hour / time.Millisecond)

// nextCycle is the cycle of now for a profile whose last one ended at end, which is not after now. It never
// reaches back into the last one.
func nextCycle(end, now int64, loc *time.Location) (from, to int64) {
	from, to = month(now, loc)
	if from < end {
		from = end
		if to-from < shortest {
			_, to = month(to, loc)
		}
	}
	return from, to
}

// zone is the time zone that a profile's cycles are cut in: its owner's.
func (s *Service) zone(ctx context.Context, p id.Profile) (*time.Location, error) {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.zoneOf(ctx, pr.Account)
}

func (s *Service) zoneOf(ctx context.Context, a id.Account) (*time.Location, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	return acc.Location(), nil
}

// turnEnded turns the counters of those profiles whose cycle is over, in the transaction of ctx, and returns
// them. A profile that was deleted stays as it is.
func (s *Service) turnEnded(ctx context.Context, ps []id.Profile) ([]id.Profile, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	w := sqldb.NewWhere("cycle_end <= ?", s.now())
	sqldb.In(w, "profile_id", asStrings(ps))
	ended, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT profile_id FROM counter`+w.SQL()+` ORDER BY profile_id`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("find cycles that are over: %w", err)
	}
	var turned []id.Profile
	for _, p := range ended {
		err := s.turn(ctx, p)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		turned = append(turned, p)
	}
	return turned, nil
}

// turn begins a new cycle for a counter whose cycle is over. Another transaction may have done so meanwhile.
func (s *Service) turn(ctx context.Context, p id.Profile) error {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return err
	}
	loc, err := s.zoneOf(ctx, pr.Account)
	if err != nil {
		return err
	}
	pl, err := s.profiles.PlanOf(ctx, pr.Account)
	if err != nil {
		return err
	}
	now := s.now()
	// The row is locked before it is copied, or what another transaction adds in between would be in neither.
	end, found, err := sqldb.One(ctx, s.db, sqldb.Value[int64],
		`UPDATE counter SET version = version + 0 WHERE profile_id = $1 AND cycle_end <= $2 RETURNING cycle_end`, string(p), now)
	if err != nil || !found {
		return wrap("lock a counter", err)
	}
	a, found, err := s.allocationOf(ctx, p)
	if err != nil {
		return err
	}
	if !found {
		return profile.NotFound
	}
	if err := s.remember(ctx, p); err != nil {
		return err
	}
	crash.At("cycle remembered, not turned")
	from, to := nextCycle(end, now, loc)
	var set strings.Builder
	args := []any{from, to, from, a.Version}
	for i, svc := range plan.Metered {
		if plan.Flow(svc) {
			set.WriteString(", " + string(svc) + "_used = 0")
		}
		if svc == plan.DashboardOutput {
			args = append(args, pl.Pool[i])
			fmt.Fprintf(&set, ", %s_allowed = $%d", svc, len(args))
			continue
		}
		args = append(args, a.Amounts[i])
		if plan.Flow(svc) {
			fmt.Fprintf(&set, ", %[1]s_over = 0, %[1]s_allowed = $%[2]d", svc, len(args))
		} else { // what is stored beyond the limit still is
			fmt.Fprintf(&set, ", %[1]s_allowed = %[1]s_over + $%[2]d", svc, len(args))
		}
	}
	args = append(args, string(p))
	stmt := fmt.Sprintf(`UPDATE counter SET cycle_start = $1, cycle_end = $2, quarter = $3, version = $4%s WHERE profile_id = $%d`, set.String(), len(args))
	if _, err := s.db.Exec(ctx, stmt, args...); err != nil {
		return wrap("turn a counter", err)
	}
	return s.db.Changed(ctx, cacheKind, string(p))
}

// remember copies a counter to the history of its cycle.
func (s *Service) remember(ctx context.Context, p id.Profile) error {
	_, err := s.db.Exec(ctx, `INSERT INTO counter_history (profile_id, cycle_start, cycle_end, `+amountColumns+`)
		SELECT profile_id, cycle_start, cycle_end, `+amountColumns+` FROM counter WHERE profile_id = $1
		ON CONFLICT (profile_id, cycle_start) DO NOTHING`, string(p))
	return wrap("keep the history of a cycle", err)
}

// PastCycles are the cycles of a profile that are over, latest first.
func (s *Service) PastCycles(ctx context.Context, p id.Profile) ([]Counter, error) {
	cs, err := sqldb.All(ctx, s.db, scanPast,
		`SELECT profile_id, cycle_start, cycle_end, `+amountColumns+` FROM counter_history WHERE profile_id = $1 ORDER BY cycle_start DESC`, string(p))
	return cs, wrap("read past cycles", err)
}

func scanPast(r sqldb.Scanner) (c Counter, err error) {
	err = r.Scan(append([]any{&c.Profile, &c.CycleStart, &c.CycleEnd}, c.amounts()...)...)
	c.read()
	return c, err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// anew is a counter whose cycle is over, as its flows stand in the next one.
func (c Counter) anew() Counter {
	for i, svc := range plan.Metered {
		if plan.Flow(svc) {
			c.Used[i], c.Over[i] = 0, 0
		}
	}
	return c
}

func asAny[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func asStrings[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
