package device

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Members of a list's rows that are read only when they are asked for by name, for a whole page at once.
const (
	pointsToday   = "points_today"   // stored today, in the zone of the caller's account
	refusalsToday = "refusals_today" // of the last hundred refusals those of today
	serialNumber  = "serie_number"   // null for none
)

const maxMore = 200 // rows of a list that has one of them

func asksMore(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return f == pointsToday || f == refusalsToday || f == serialNumber })
}

// extras are those members of the devices of a page; nil for those that nobody asked for.
type extras struct {
	points, refusals map[id.Device]int64
	serials          map[id.Device]string
}

// over adds to a row.
func (e extras) over(d id.Device, row map[string]any) {
	if e.points != nil {
		row[pointsToday] = e.points[d]
	}
	if e.refusals != nil {
		row[refusalsToday] = e.refusals[d]
	}
	if e.serials != nil {
		row[serialNumber] = maybe(e.serials[d])
	}
}

func (s *Service) more(ctx context.Context, who auth.Caller, fields []string, ds []Device) (e extras, err error) {
	if !asksMore(fields) {
		return e, nil
	}
	p := who.ProfileID
	ids := make([]id.Device, len(ds))
	for i, d := range ds {
		ids[i] = d.ID
	}
	if slices.Contains(fields, serialNumber) {
		if e.serials, err = s.tokens.Serials(ctx, p, ids); err != nil {
			return e, err
		}
	}
	since, err := s.usage.Midnight(ctx, who)
	if err != nil {
		return e, err
	}
	if slices.Contains(fields, pointsToday) {
		if e.points, err = s.usage.InputSince(ctx, p, ids, since); err != nil {
			return e, err
		}
	}
	if slices.Contains(fields, refusalsToday) {
		e.refusals, err = s.refusedSince(ctx, p, ids, since)
	}
	return e, err
}

// refusedSince counts the refusals of devices since an instant: at most the hundred of each that are kept, with those that
// wait here to be written.
func (s *Service) refusedSince(ctx context.Context, p id.Profile, ds []id.Device, since int64) (map[id.Device]int64, error) {
	out := make(map[id.Device]int64, len(ds))
	for _, d := range ds {
		if n := s.pending.since(owner{p, d}, since); n > 0 {
			out[d] = n
		}
	}
	w := sqldb.NewWhere("profile_id = ?", p)
	sqldb.In(w, "device_id", ds)
	w.And("at >= ?", since)
	type row struct {
		device id.Device
		n      int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.device, &x.n) },
		`SELECT device_id, COUNT(*) FROM device_refusal`+w.SQL()+` GROUP BY device_id`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("count refusals of devices: %w", err)
	}
	for _, r := range rows {
		out[r.device] = min(out[r.device]+r.n, keepRequests)
	}
	return out, nil
}

// since counts what waits of a device.
func (p *pending) since(o owner, at int64) (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.m[o] {
		if r.At >= at {
			n++
		}
	}
	return n
}

// search narrows a list to devices that have a text in their name or in a serial number.
func (s *Service) search(w *sqldb.Where, p id.Profile, text string) {
	like := web.Like("*" + text + "*")
	cond, args := s.tokens.WithSerial(p, "id", like)
	w.And(`name_key LIKE ? ESCAPE '\' OR `+cond, append([]any{strings.ToLower(like)}, args...)...)
}
