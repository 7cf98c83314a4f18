package usage

import (
	"context"
	"fmt"
	"math"
	"strings"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// Anchor ends the present cycle of an account's profiles at an instant and begins the one that its anchor says, in the
// transaction of ctx, in which account.SetTerms has set that anchor: the same instant, a quarter of an hour that has begun.
// Flows start at zero then; what was used since counts in the new cycle, as the ledger has it, also what profiles used
// that left meanwhile. What nodes have leased they go on to use from the old one until they hear of
// it, within a second.
func (s *Service) Anchor(ctx context.Context, who auth.Caller, a id.Account, at int64) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		acc, err := s.accounts.Get(ctx, a)
		if err != nil {
			return err
		}
		now := s.now()
		if acc.Anchor != at || at%quarter != 0 || at > now {
			return fmt.Errorf("anchor account %s at %d, now %d: its anchor is %d", a, at, now, acc.Anchor)
		}
		pl, err := s.profiles.PlanOf(ctx, a)
		if err != nil {
			return err
		}
		b, err := s.open(ctx, a, pl)
		if err != nil {
			return err
		}
		from, to := Cycle(acc, now)
		for _, sh := range b.shares {
			if err := s.cut(ctx, sh, from, to); err != nil {
				return fmt.Errorf("anchor profile %s: %w", sh.Profile, err)
			}
			crash.At("cycle of one profile anchored")
		}
		if err := s.cutDeparted(ctx, a, from, to); err != nil {
			return wrap("anchor what left", err)
		}
		// Read again and saved with a new version, by which leases end.
		if b, err = s.open(ctx, a, pl); err != nil {
			return err
		}
		for _, sh := range b.shares {
			sh.changed = true
		}
		if err := s.save(ctx, a, b, pl); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "account", ResourceID: string(a), Message: "Cycle begun anew",
			After: map[string]any{"from": web.Millis(from), "to": web.Millis(to)}})
	})
}

// cut ends the cycle of a counter, which is locked and turned, at an instant and begins one that lasts until another. One
// that has begun since then lasts until that.
func (s *Service) cut(ctx context.Context, sh *share, from, to int64) error {
	p := sh.Profile
	c, err := s.stored(ctx, p)
	if err != nil {
		return err
	}
	if c.CycleStart >= from {
		if _, err := s.db.Exec(ctx, `UPDATE counter SET cycle_end = $1 WHERE profile_id = $2`, to, string(p)); err != nil {
			return err
		}
		_, err := s.db.Exec(ctx, `UPDATE lease SET cycle_end = $1 WHERE profile_id = $2 AND cycle_start = $3`, to, string(p), c.CycleStart)
		return err
	}
	if err := s.bookOpen(ctx, []id.Profile{p}, math.MaxInt64); err != nil {
		return err
	}
	since, err := s.since(ctx, p, from, c.CycleEnd)
	if err != nil {
		return err
	}
	before, err := s.levelsBefore(ctx, p, from)
	if err != nil {
		return err
	}
	if err := s.remember(ctx, p); err != nil {
		return err
	}
	var past, present strings.Builder
	pastArgs, presentArgs := []any{from}, []any{from, to, from, from}
	set := func(to *strings.Builder, args *[]any, format string, svc plan.Service, v int64) {
		*args = append(*args, v)
		fmt.Fprintf(to, format, svc, len(*args))
	}
	for i, svc := range plan.Metered {
		limited := i < len(plan.Services) // dashboard output has neither allocation nor overage
		if !plan.Flow(svc) {
			set(&past, &pastArgs, ", %s_used = $%d", svc, before.stocks[i])
			set(&past, &pastArgs, ", %s_over = $%d", svc, before.over[i])
			set(&past, &pastArgs, ", %s_allowed = $%d", svc, c.Allowed[i]+before.over[i])
			continue
		}
		set(&past, &pastArgs, ", %s_used = $%d", svc, c.Used[i]-since.flows[i])
		set(&present, &presentArgs, ", %s_used = $%d", svc, since.flows[i])
		if !limited {
			continue
		}
		set(&past, &pastArgs, ", %s_over = $%d", svc, c.Over[i]-since.over[i])
		set(&past, &pastArgs, ", %s_allowed = $%d", svc, c.Allowed[i]+c.Over[i]-since.over[i])
		set(&present, &presentArgs, ", %s_over = $%d", svc, since.over[i])
		set(&present, &presentArgs, ", %s_allowed = $%d", svc, sh.alloc[i]+since.over[i])
	}
	pastArgs = append(pastArgs, string(p), c.CycleStart)
	if _, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE counter_history SET cycle_end = $1%s WHERE profile_id = $%d AND cycle_start = $%d`,
		past.String(), len(pastArgs)-1, len(pastArgs)), pastArgs...); err != nil {
		return err
	}
	presentArgs = append(presentArgs, string(p))
	if _, err := s.db.Exec(ctx, fmt.Sprintf(`UPDATE counter SET cycle_start = $1, cycle_end = $2, quarter = CASE WHEN quarter < $3 THEN $4 ELSE quarter END%s WHERE profile_id = $%d`,
		present.String(), len(presentArgs)), presentArgs...); err != nil {
		return err
	}
	// What is leased stays with the cycle it was taken from.
	_, err = s.db.Exec(ctx, `UPDATE lease SET cycle_end = $1 WHERE profile_id = $2 AND cycle_start = $3`, from, string(p), c.CycleStart)
	return err
}

// cutDeparted divides what profiles that left had used of the cycle that ends: what was before an instant counts until then,
// what came after until the end of the new cycle.
func (s *Service) cutDeparted(ctx context.Context, a id.Account, from, to int64) error {
	type row struct {
		profile           id.Profile
		start, end, until int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.start, &x.end, &x.until) },
		`SELECT profile, cycle_start, cycle_end, until_at FROM departed WHERE account = $1 AND cycle_end > $2 ORDER BY profile, cycle_start`, string(a), from)
	if err != nil {
		return err
	}
	for _, r := range rows {
		end := from
		if r.start >= from {
			end = to
		}
		if _, err := s.db.Exec(ctx, `UPDATE departed SET cycle_end = $1 WHERE account = $2 AND profile = $3 AND cycle_start = $4`, end, string(a), string(r.profile), r.start); err != nil {
			return err
		}
		if end == to || r.until <= from {
			continue
		}
		since, err := s.since(ctx, r.profile, from, min(r.end, r.until))
		if err != nil {
			return err
		}
		args := []any{string(a), string(r.profile), from, to, r.until}
		used := int64(0)
		for _, svc := range flows {
			n := since.flows.Of(svc) - since.over.Of(svc)
			args, used = append(args, n), used+n
		}
		if used == 0 {
			continue
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO departed (account, profile, cycle_start, cycle_end, until_at, `+columns("%s", flows)+`) VALUES `+sqldb.Rows(1, 1, len(args)), args...); err != nil {
			return err
		}
	}
	return nil
}

// since is what the ledger of a profile has from an instant to before another one; nothing is open.
func (s *Service) since(ctx context.Context, p id.Profile, from, to int64) (bucket, error) {
	found, err := s.buckets(ctx, []id.Profile{p}, []int64{from, to})
	if err != nil {
		return bucket{}, err
	}
	return found[p][0], nil
}

// levelsBefore are the stocks that the ledger of a profile has before an instant.
func (s *Service) levelsBefore(ctx context.Context, p id.Profile, at int64) (h held, err error) {
	for _, svc := range stockServices {
		i := plan.Index(svc)
		for column, to := range map[string]*int64{string(svc): &h.stocks[i], string(svc) + "_over": &h.over[i]} {
			*to, _, err = sqldb.One(ctx, s.db, sqldb.Value[int64], fmt.Sprintf(`SELECT %[1]s FROM ledger
				WHERE profile_id = $1 AND quarter < $2 AND %[1]s IS NOT NULL ORDER BY quarter DESC LIMIT 1`, column), string(p), at)
			if err != nil {
				return h, wrap("read levels", err)
			}
		}
	}
	return h, nil
}
