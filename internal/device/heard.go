package device

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Heard is when a device was last heard. Times are UTC milliseconds, 0 for never.
type Heard struct {
	ID        id.Device
	Name      string
	Active    bool
	LastInput int64 // as fresh as this node knows it; from other nodes ten seconds old
	CreatedAt int64
}

const heardColumns = `id, name, active, last_input, created_at`

func scanHeard(r sqldb.Scanner) (h Heard, err error) {
	return h, r.Scan(&h.ID, &h.Name, &h.Active, &h.LastInput, &h.CreatedAt)
}

func (s *Service) freshen(p id.Profile, hs []Heard) {
	s.touched.mu.Lock()
	defer s.touched.mu.Unlock()
	for i := range hs {
		hs[i].LastInput = max(hs[i].LastInput, s.touched.of(owner{p, hs[i].ID}).input)
	}
}

// Heard says when devices of a profile were last heard, at most 1,000; one that is gone is not in the answer.
func (s *Service) Heard(ctx context.Context, p id.Profile, ds []id.Device) ([]Heard, error) {
	if len(ds) == 0 {
		return nil, nil
	}
	args := []any{p}
	for _, d := range ds {
		args = append(args, d)
	}
	hs, err := sqldb.All(ctx, s.db, scanHeard, `SELECT `+heardColumns+` FROM device WHERE profile_id = $1 AND id IN (`+sqldb.Marks(2, len(ds))+`)`, args...)
	if err != nil {
		return nil, fmt.Errorf("read when devices were heard: %w", err)
	}
	s.freshen(p, hs)
	return hs, nil
}

// Unheard looks at the n devices after one, in the order of their ids, that have a tag (as lists find them: ignoring
// case) and says which of them are active and were not heard since an instant. last is where to go on, "" when there
// is nothing after.
func (s *Service) Unheard(ctx context.Context, p id.Profile, t Tag, since int64, after id.Device, n int) (unheard []Heard, last id.Device, err error) {
	last, more, err := sqldb.One(ctx, s.db, sqldb.Value[id.Device], `SELECT device_id FROM device_tag
		WHERE profile_id = $1 AND lower(key) = lower($2) AND lower(value) = lower($3) AND device_id > $4 ORDER BY device_id LIMIT 1 OFFSET $5`,
		p, t.Key, t.Value, after, n-1)
	if err != nil {
		return nil, "", fmt.Errorf("walk over the devices of a tag: %w", err)
	}
	w := sqldb.NewWhere("profile_id = ?", p)
	w.And("last_input < ?", since)
	w.And("active = ?", true)
	of := `profile_id = ? AND lower(key) = lower(?) AND lower(value) = lower(?) AND device_id > ?`
	args := []any{p, t.Key, t.Value, after}
	if more {
		of, args = of+` AND device_id <= ?`, append(args, last)
	}
	w.And(`id IN (SELECT device_id FROM device_tag WHERE `+of+`)`, args...)
	if unheard, err = sqldb.All(ctx, s.db, scanHeard, `SELECT `+heardColumns+` FROM device`+w.SQL()+` ORDER BY id`, w.Args()...); err != nil {
		return nil, "", fmt.Errorf("look for devices that were not heard: %w", err)
	}
	s.freshen(p, unheard)
	if !more {
		last = ""
	}
	return unheard, last, nil
}
