package profile

import (
	"context"

	"paddock/internal/id"
)

// Look is an operator's stay in a profile of somebody else.
type Look struct {
	ID       id.Look
	Profile  id.Profile
	Operator id.Account
	Name     string // of the operator
	Reason   string
	From     int64 // UTC milliseconds
	Until    int64
}

// Looks is what the room of support, which lies to the left, knows of those that last now.
type Looks interface {
	// LookOf is the one of an operator in a profile; false for none. It is asked for every request of such an operator.
	LookOf(ctx context.Context, operator id.Account, p Profile) (Look, bool, error)
	// LooksBy lists those of an operator.
	LooksBy(ctx context.Context, operator id.Account) ([]Look, error)
	// LooksInto lists those into a profile.
	LooksInto(ctx context.Context, p Profile) ([]Look, error)
}

// SetLooks registers who knows of looks; before the server starts.
func (s *Service) SetLooks(l Looks) { s.looks = l }

// LooksBy lists the looks of an operator that last now.
func (s *Service) LooksBy(ctx context.Context, operator id.Account) ([]Look, error) {
	if s.looks == nil {
		return nil, nil
	}
	return s.looks.LooksBy(ctx, operator)
}

// LooksInto lists the looks into a profile that last now.
func (s *Service) LooksInto(ctx context.Context, p Profile) ([]Look, error) {
	if s.looks == nil {
		return nil, nil
	}
	return s.looks.LooksInto(ctx, p)
}
