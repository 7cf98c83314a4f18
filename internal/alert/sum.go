package alert

import (
	"context"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// SilentSums counts the silent devices of many profiles, those that each caller may see in theirs. A profile without any is not in the
// answer.
func (s *Service) SilentSums(ctx context.Context, callers []auth.Caller) (map[id.Profile]int64, error) {
	type row struct {
		profile id.Profile
		n       int64
	}
	out := map[id.Profile]int64{}
	for _, r := range s.devices.Reached(callers, "device_id") {
		w := sqldb.NewWhere("alert_id <> ''").And(r.Cond, r.Args...)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.n) },
			`SELECT profile_id, COUNT(*) FROM silence`+w.SQL()+` GROUP BY profile_id`, w.Args()...)
		if err != nil {
			return nil, wrap("count silent devices", err)
		}
		for _, x := range rows {
			out[x.profile] = x.n
		}
	}
	return out, nil
}

// SilentDevice is a device that was not heard as a rule expects.
type SilentDevice struct {
	Device    id.Device
	Every     int64 // milliseconds: how often it should be heard
	LastInput int64 // UTC milliseconds before the silence; 0 for never
}

// SilentDevices are the silent devices of a profile that the caller may see, those longest silent first, at most most.
func (s *Service) SilentDevices(ctx context.Context, who auth.Caller, p id.Profile, most int) ([]SilentDevice, error) {
	w := sqldb.NewWhere("profile_id = ? AND alert_id <> ''", string(p))
	if cond, args := s.devices.Within(who, p, "device_id"); cond != "" {
		w.And(cond, args...)
	}
	ds, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x SilentDevice, err error) { return x, r.Scan(&x.Device, &x.Every, &x.LastInput) },
		`SELECT device_id, every_ms, last_input FROM silence`+w.SQL()+` ORDER BY last_input, device_id LIMIT `+w.Arg(int64(most)), w.Args()...)
	return ds, wrap("read silent devices", err)
}

// FullSince says when each service of profiles reached its limit as that is now: told of 100 per cent in this cycle. cycles names the profiles, with where their cycle
// began. What was not told is not in the answer.
func (s *Service) FullSince(ctx context.Context, cycles map[id.Profile]int64) (map[id.Profile]map[plan.Service]Full, error) {
	ps := make([]id.Profile, 0, len(cycles))
	for p := range cycles {
		ps = append(ps, p)
	}
	slices.Sort(ps)
	out := map[id.Profile]map[plan.Service]Full{}
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		seen, err := s.told(ctx, part)
		if err != nil {
			return nil, err
		}
		for p, marks := range seen {
			for m, t := range marks {
				if m.threshold != 100 || m.cycle != cycles[p] {
					continue
				}
				if out[p] == nil {
					out[p] = map[plan.Service]Full{}
				}
				if f := out[p][m.service]; t.at > f.At {
					out[p][m.service] = Full{t.at, m.allowed}
				}
			}
		}
	}
	return out, nil
}

// Full is when a service reached a limit.
type Full struct {
	At    int64 // UTC milliseconds
	Limit int64 // base units
}

// Reached is when that limit was reached; 0 when it was another one that was.
func (f Full) Reached(limit int64) int64 {
	if f.Limit != limit {
		return 0
	}
	return f.At
}
