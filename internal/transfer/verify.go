package transfer

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// Verify compares what transfers say with whose the profiles are, or were. It returns a sentence for each that differs.
func (s *Service) Verify(ctx context.Context) ([]string, error) {
	var out []string
	var after id.Transfer
	const slice = 1000
	for {
		ts, err := sqldb.All(ctx, s.db, scan, `SELECT `+columns+` FROM transfer WHERE state IN ('requested', 'accepted', 'completed', 'undone') AND id > $1 ORDER BY id LIMIT $2`, after, int64(slice))
		if err != nil {
			return nil, fmt.Errorf("verify transfers: %w", err)
		}
		for _, t := range ts {
			after = t.ID
			wrong, err := s.verify(ctx, t)
			if err != nil {
				return nil, fmt.Errorf("verify transfers: %w", err)
			}
			if wrong != "" {
				out = append(out, fmt.Sprintf("transfer %s of profile %s is %s: %s", t.ID, t.Profile, t.State, wrong))
			}
		}
		if len(ts) < slice {
			return out, nil
		}
	}
}

func (s *Service) verify(ctx context.Context, t Transfer) (string, error) {
	if t.State.open() {
		p, err := s.profiles.Get(ctx, t.Profile)
		if fault.Is(err, fault.NotFound) {
			return "the profile is gone", nil
		}
		if err == nil && p.Account != t.Source {
			return "the profile is not the owner's who asked for it", nil
		}
		return "", err
	}
	// What the history of owners says of the instant of the change, and of the one back. An account that is gone has none.
	for _, x := range []struct {
		account id.Account
		at      int64
	}{{t.Destination, t.CompletedAt}, {t.Source, t.EndedAt}} {
		if x.account == t.Source && t.State != Undone {
			continue
		}
		if _, err := s.accounts.Get(ctx, x.account); fault.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return "", err
		}
		owned, err := s.profiles.Ownerships(ctx, x.account, x.at, x.at+1)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(owned, func(o profile.Ownership) bool { return o.Profile == t.Profile && o.From == x.at }) {
			return fmt.Sprintf("the history of its owners has no change to %s at that instant", x.account), nil
		}
	}
	return "", nil
}
