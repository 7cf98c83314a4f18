package limit

import (
	"context"
	"fmt"
	"math"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// writeRefusals adds what is pending of the keys to their groups, for many profiles at once, and returns the groups
// as they then stand.
func (s *Service) writeRefusals(ctx context.Context, keys []groupKey, pending map[groupKey]*tally) (map[id.Profile][]Refusal, error) {
	args := make([]any, 0, 12*len(keys))
	for _, k := range keys {
		t := pending[k]
		args = append(args, string(k.profile), k.minute, string(k.device), k.name, k.scope, k.route, int64(t.status), t.requests, t.points, t.retried, t.first, t.last)
	}
	type row struct {
		profile id.Profile
		Refusal
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(append([]any{&x.profile}, x.Refusal.columns()...)...)
	}, `INSERT INTO refusal (profile_id, `+refusalColumns+`) VALUES `+sqldb.Rows(1, len(keys), 12)+`
		ON CONFLICT (profile_id, minute, device_id, name, scope, route) DO UPDATE SET
			status = CASE WHEN excluded.requests > 0 THEN excluded.status ELSE refusal.status END,
			requests = refusal.requests + excluded.requests, points = refusal.points + excluded.points, retried = refusal.retried + excluded.retried,
			first_at = CASE WHEN excluded.first_at < refusal.first_at THEN excluded.first_at ELSE refusal.first_at END,
			last_at = CASE WHEN excluded.last_at > refusal.last_at THEN excluded.last_at ELSE refusal.last_at END
		RETURNING profile_id, `+refusalColumns, args...)
	if err != nil {
		return nil, fmt.Errorf("write refusals: %w", err)
	}
	out := map[id.Profile][]Refusal{}
	for _, r := range rows {
		out[r.profile] = append(out[r.profile], r.Refusal)
	}
	return out, nil
}

const refusalColumns = `minute, device_id, name, scope, route, status, requests, points, retried, first_at, last_at`

func (r *Refusal) columns() []any {
	return []any{&r.Minute, &r.Device, &r.Name, &r.Scope, &r.Route, &r.Status, &r.Requests, &r.Points, &r.Retried, &r.First, &r.Last}
}

// refusalFilter says which groups to list; zero values ask for all.
type refusalFilter struct {
	from, to int64 // UTC milliseconds
	device   id.Device
	name     string
	scope    string
}

// listRefusals reads a page of the groups of a profile, the latest minute first: of no device, and of those that the
// caller may see.
func (s *Service) listRefusals(ctx context.Context, who auth.Caller, p id.Profile, f refusalFilter, limit, skip int64) ([]Refusal, error) {
	w := sqldb.NewWhere("profile_id = ?", string(p))
	if cond, args := s.devices.Within(who, p, "device_id"); cond != "" {
		w.And("device_id = '' OR "+cond, args...)
	}
	if f.from > 0 {
		w.And("minute >= ?", f.from-f.from%minuteMS)
	}
	if f.to > 0 && f.to < math.MaxInt64 {
		w.And("minute <= ?", f.to)
	}
	if f.device != "" {
		w.And("device_id = ?", string(f.device))
	}
	if f.name != "" {
		w.And("name = ?", f.name)
	}
	if f.scope != "" {
		w.And("scope = ?", f.scope)
	}
	limitAt := w.Arg(limit)
	skipAt := w.Arg(skip)
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x Refusal, err error) { return x, r.Scan(x.columns()...) },
		`SELECT `+refusalColumns+` FROM refusal`+w.SQL()+` ORDER BY minute DESC, last_at DESC, device_id, name, scope, route LIMIT `+limitAt+` OFFSET `+skipAt, w.Args()...)
}

// deleteOldRefusals deletes a slice of the groups from before an instant, across profiles, and says how many.
func (s *Service) deleteOldRefusals(ctx context.Context, before int64) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM refusal WHERE (profile_id, minute) IN (
		SELECT profile_id, minute FROM refusal WHERE minute < $1 ORDER BY minute LIMIT 50)`, before)
}

// minuteAt is the minute of the group of a profile that has n later ones; false when there are fewer.
func (s *Service) minuteAt(ctx context.Context, p id.Profile, n int64) (int64, bool, error) {
	return sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT minute FROM refusal WHERE profile_id = $1 ORDER BY minute DESC LIMIT 1 OFFSET $2`, string(p), n)
}

// deleteRefusalsOf deletes a slice of a profile's groups of a minute and before.
func (s *Service) deleteRefusalsOf(ctx context.Context, p id.Profile, until int64) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM refusal WHERE profile_id = $1 AND minute IN (
		SELECT minute FROM refusal WHERE profile_id = $2 AND minute <= $3 ORDER BY minute LIMIT 100)`, string(p), string(p), until)
}
