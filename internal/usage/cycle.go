package usage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Month is the calendar month that ms lies in, in a time zone, from quarter of an hour to quarter of an hour.
func Month(ms int64, loc *time.Location) (start, end int64) {
	y, m, _ := clock.FromMillis(ms).In(loc).Date()
	return quarterOf(clock.Millis(time.Date(y, m, 1, 0, 0, 0, 0, loc))), quarterOf(clock.Millis(time.Date(y, m+1, 1, 0, 0, 0, 0, loc)))
}

// Cycle is the cycle of an account that an instant lies in: from its anchor on the stretch between two anniversaries of that,
// before it, or without one, a calendar month of the account's time zone. An anniversary is at the anchor's day and time of
// UTC, in a month that has no such day on its last one; it is reckoned from the anchor each time, so the day comes back.
func Cycle(acc account.Account, at int64) (from, to int64) {
	if acc.Anchor == 0 || at < acc.Anchor {
		from, to = Month(at, acc.Location())
		if acc.Anchor != 0 {
			to = min(to, acc.Anchor)
		}
		return from, to
	}
	a, t := clock.FromMillis(acc.Anchor).UTC(), clock.FromMillis(at).UTC()
	k := (t.Year()-a.Year())*12 + int(t.Month()) - int(a.Month())
	if from = anniversary(a, k); from > at {
		k--
		from = anniversary(a, k)
	}
	return from, anniversary(a, k+1)
}

// anniversary is the instant k months after an anchor.
func anniversary(a time.Time, k int) int64 {
	last := time.Date(a.Year(), a.Month()+time.Month(k)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return clock.Millis(time.Date(a.Year(), a.Month()+time.Month(k), min(a.Day(), last), a.Hour(), a.Minute(), a.Second(), a.Nanosecond(), time.UTC))
}

// ShortestCycle is the cycle that a change of time zone may leave; a shorter one is joined to the next, or an owner
// could move the zone to and fro and have a fresh month each time.
const ShortestCycle = int64(14 * 24 * time.Hour / time.Millisecond)

// nextCycle is the cycle of now for a profile whose last one ended at end, which is not after now. It never
// reaches back into the last one.
func nextCycle(end, now int64, acc account.Account) (from, to int64) {
	from, to = Cycle(acc, now)
	if from < end {
		from = end
		if acc.Anchor == 0 && to-from < ShortestCycle {
			_, to = Cycle(acc, to)
		}
	}
	return from, to
}

// bookedAt is the account in whose book a profile is: its owner, but in the middle of a handover. While the counter is
// locked it stays so.
func (s *Service) bookedAt(ctx context.Context, p id.Profile) (id.Account, error) {
	a, found, err := sqldb.One(ctx, s.db, sqldb.Value[id.Account], `SELECT account FROM allocation WHERE profile = $1`, string(p))
	if err == nil && !found {
		err = profile.NotFound
	}
	return a, err
}

// ownerOf is the account that a profile's cycles are cut by.
func (s *Service) ownerOf(ctx context.Context, p id.Profile) (account.Account, error) {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return account.Account{}, err
	}
	return s.accounts.Get(ctx, pr.Account)
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
	return s.turnEndedAt(ctx, ps, s.now())
}

// turnEndedAt is turnEnded at a given instant.
func (s *Service) turnEndedAt(ctx context.Context, ps []id.Profile, now int64) ([]id.Profile, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	w := sqldb.NewWhere("cycle_end <= ?", now)
	sqldb.In(w, "profile_id", asStrings(ps))
	ended, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT profile_id FROM counter`+w.SQL()+` ORDER BY profile_id`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("find cycles that are over: %w", err)
	}
	var turned []id.Profile
	for _, p := range ended {
		err := s.turn(ctx, p, now)
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

// turnAll turns the counters of those profiles whose cycle or quarter of an hour is over at an instant, in the transaction
// of ctx, and returns them, ordered.
func (s *Service) turnAll(ctx context.Context, ps []id.Profile, now int64) ([]id.Profile, error) {
	turned, err := s.turnEndedAt(ctx, ps, now)
	if err != nil {
		return nil, err
	}
	quarters, err := s.turnQuarters(ctx, ps, now)
	if err != nil {
		return nil, err
	}
	turned = append(turned, quarters...)
	slices.Sort(turned)
	return slices.Compact(turned), nil
}

// turn begins a new cycle for a counter whose cycle is over. Another transaction may have done so meanwhile.
func (s *Service) turn(ctx context.Context, p id.Profile, now int64) error {
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
	owner, err := s.bookedAt(ctx, p)
	if err != nil {
		return err
	}
	acc, err := s.accounts.Get(ctx, owner)
	if err != nil {
		return err
	}
	pl, err := s.profiles.PlanOf(ctx, owner)
	if err != nil {
		return err
	}
	if err := s.bookOpen(ctx, []id.Profile{p}, math.MaxInt64); err != nil {
		return err
	}
	if err := s.remember(ctx, p); err != nil {
		return err
	}
	crash.At("cycle remembered, not turned")
	from, to := nextCycle(end, now, acc)
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
