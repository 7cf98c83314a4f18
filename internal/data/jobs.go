package data

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// purger is whose turn the purge takes in the queue of writes: its own, so that it delays nobody's profile.
const purger = "purge"

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.Every("data retention", time.Minute, s.retainDue)
	r.Every("large bodies", 10*time.Second, s.Finish)
	r.Every("data purge", 10*time.Second, s.Purge)
	r.Every("idempotency keys", 10*time.Minute, func(ctx context.Context) error { return s.cleanKeys(sqldb.As(ctx, purger)) })
}

// Purge deletes the points of what was detached, in small slices, and rests as long as it works, until
// nothing is left.
func (s *Service) Purge(ctx context.Context) error {
	ctx = sqldb.As(ctx, purger)
	for {
		began := time.Now()
		_, more, err := s.store.purge(ctx)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
}

// PurgeProfile deletes a slice of what a deleted profile holds; done says that nothing is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	return s.store.wipe(sqldb.As(ctx, purger), p.ID, p.No)
}

// retainDue retains when a day has begun, and now and then between for devices whose retention was shortened.
func (s *Service) retainDue(ctx context.Context) error {
	now := s.clock.Now().UTC()
	if now.Sub(s.retained) < 15*time.Minute && now.YearDay() == s.retained.YearDay() {
		return nil
	}
	if err := s.Retain(ctx); err != nil {
		return err
	}
	s.retained = now
	return nil
}

// Retain takes the chunks that their devices keep no longer off them. Readers do not see them from the moment
// the period ends (midnight UTC); here they stop counting.
func (s *Service) Retain(ctx context.Context) error {
	now := s.clock.Now().UnixMilli()
	var at owner
	for {
		list, err := s.store.aging(ctx, at, periodStart(device.Day, now), 500)
		if err != nil {
			return fmt.Errorf("look for old chunks: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		places := make([]device.Place, len(list))
		for i, a := range list {
			places[i] = device.Place{Profile: a.profile, Device: a.device}
		}
		found, err := s.devices.Chunkings(ctx, places)
		if err != nil {
			return fmt.Errorf("read how long devices keep their chunks: %w", err)
		}
		for i, a := range list {
			at = a.owner
			c := found[places[i]]
			if c.Type != device.Immutable || a.start >= keeps(c.Period, c.Retention, now) {
				continue
			}
			if err := s.retain(ctx, a, now); err != nil {
				return err
			}
		}
	}
}

// owner names a device.
type owner struct {
	profile id.Profile
	device  id.Device
}

func (s *Service) retain(ctx context.Context, o aged, now int64) error {
	v, err := s.devices.View(ctx, auth.SystemCaller(), o.profile, o.device)
	if fault.Is(err, fault.NotFound) { // its profile is being purged
		return nil
	}
	if err != nil || v.Type != device.Immutable || o.start >= oldest(v, now) {
		return err
	}
	chunks, err := s.store.chunks(ctx, o.profile, o.device)
	if err != nil {
		return err
	}
	keep := oldest(v, now)
	old := []int64{}
	for _, c := range chunks {
		if c.start < keep {
			old = append(old, c.start)
		}
	}
	if len(old) == 0 {
		return nil
	}
	return s.db.Tx(sqldb.As(ctx, purger), func(ctx context.Context) error {
		_, err := s.end(ctx, o.profile, o.device, old)
		return err
	})
}
