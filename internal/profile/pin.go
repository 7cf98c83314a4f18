package profile

import (
	"context"
	"fmt"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// maxPins bounds how many profiles a person keeps at the top: with more, nothing is at the top.
const maxPins = 100

// Pin keeps a profile that the caller may act in at the top of that person's own list, or no longer. Neither the profile
// nor anybody else is concerned, so it stands in the log of the account alone. It returns not_found for a profile that is not the
// caller's and Conflict beyond 100 of them.
func (s *Service) Pin(ctx context.Context, who auth.Caller, ref string, pinned bool) error {
	p, who, err := s.Resolve(ctx, who, ref, auth.Viewer)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		var n int64
		var err error
		if pinned {
			n, err = s.db.Exec(ctx, `INSERT INTO profile_pin (account, profile, pinned_at) VALUES ($1, $2, $3) ON CONFLICT (account, profile) DO NOTHING`,
				who.AccountID, p.ID, s.now())
		} else {
			n, err = s.db.Exec(ctx, `DELETE FROM profile_pin WHERE account = $1 AND profile = $2`, who.AccountID, p.ID)
		}
		if err != nil {
			return fmt.Errorf("pin a profile: %w", err)
		}
		if n == 0 {
			return nil
		}
		if pinned {
			pins, err := s.Pins(ctx, who)
			if err != nil {
				return err
			}
			if len(pins) > maxPins {
				return fault.New(fault.Conflict, "At most %d profiles can be pinned", maxPins)
			}
		}
		message := "Profile unpinned"
		if pinned {
			message = "Profile pinned"
		}
		return s.audit.Write(ctx, who, audit.Event{Account: who.AccountID, Resource: "profile", ResourceID: string(p.ID), Message: message,
			Before: map[string]any{"pinned": !pinned}, After: map[string]any{"pinned": pinned}})
	})
}

// Pins are the profiles that the caller keeps at the top. Some may be no longer the caller's to see.
func (s *Service) Pins(ctx context.Context, who auth.Caller) (map[id.Profile]bool, error) {
	ids, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT profile FROM profile_pin WHERE account = $1 LIMIT 1000`, who.AccountID)
	if err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	out := make(map[id.Profile]bool, len(ids))
	for _, p := range ids {
		out[p] = true
	}
	return out, nil
}

// unpinAll forgets the pins of an account that is being deleted.
func (s *Service) unpinAll(ctx context.Context, a id.Account) error {
	_, err := s.db.Exec(ctx, `DELETE FROM profile_pin WHERE account = $1`, a)
	return err
}
