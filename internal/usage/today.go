package usage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// Midnight is the instant (UTC milliseconds) at which the present day began in the zone of the caller's account, in UTC for
// a caller without one.
func (s *Service) Midnight(ctx context.Context, who auth.Caller) (int64, error) {
	loc := time.UTC
	if who.AccountID != "" {
		a, err := s.accounts.Get(ctx, who.AccountID)
		if err != nil {
			return 0, wrap("read the zone of an account", err)
		}
		if l, err := parseZone(a.Timezone); err == nil {
			loc = l
		}
	}
	from, _ := dayOf(s.now(), loc)
	return from, nil
}

// InputSince is how many points each of some devices of a profile stored in the hours that began at an instant or later,
// which lies at most 26 hours back; a device that stored none is not in the answer. Hours are whole in UTC, as in the statistics.
func (s *Service) InputSince(ctx context.Context, p id.Profile, ds []id.Device, since int64) (map[id.Device]int64, error) {
	out := make(map[id.Device]int64, len(ds))
	// Hour by hour and device by device, so that the primary key finds each row: other devices' rows of the day are many.
	var hours []int64
	for h := (since + hour - 1) / hour * hour; h <= s.now(); h += hour {
		hours = append(hours, h)
	}
	if len(hours) == 0 {
		return out, nil
	}
	const most = 200
	for part := range slices.Chunk(ds, most) {
		w := sqldb.NewWhere("profile_id = ?", string(p))
		sqldb.In(w, "hour", hours)
		sqldb.In(w, "device_id", part)
		type row struct {
			device id.Device
			points int64
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.device, &x.points) },
			`SELECT device_id, CAST(SUM(input) AS BIGINT) FROM device_ledger`+w.SQL()+` GROUP BY device_id`, w.Args()...)
		if err != nil {
			return nil, wrap("sum what devices stored today", err)
		}
		for _, r := range rows {
			out[r.device] = r.points
		}
	}
	return out, nil
}

// Room is how many of a resource a profile holds and how many it may.
func (s *Service) Room(ctx context.Context, p id.Profile, r plan.Resource) (used, most int64, err error) {
	pl, err := s.profiles.Plan(ctx, p)
	if err != nil {
		return 0, 0, err
	}
	held, err := s.held(ctx, p)
	if err != nil {
		return 0, 0, fmt.Errorf("room for %s: %w", r, err)
	}
	return held[r], pl.Cap(r), nil
}
