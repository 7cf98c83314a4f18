package account

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
)

// Holding is a profile that goes with its account, and how much of what it holds.
type Holding struct {
	Profile id.Profile `json:"id"`
	Name    string     `json:"name"`
	Amounts []Amount   `json:"amounts"`
}

// Amount is a number of things: 3 devices.
type Amount struct {
	What   string `json:"what" example:"devices" description:"in the plural"`
	One    string `json:"-"` // one of them: device
	Amount int64  `json:"amount"`
}

func (n Amount) String() string {
	if n.Amount == 1 {
		return "1 " + n.One
	}
	return fmt.Sprintf("%d %s", n.Amount, n.What)
}

// CountHoldings registers who knows what an account would take along; before the server starts. It is called
// inside the transaction of a deletion, too.
func (s *Service) CountHoldings(f func(ctx context.Context, a id.Account) ([]Holding, error)) {
	s.holdings = f
}

// Holdings are the profiles that an account owns with what they hold: what its deletion would take.
func (s *Service) Holdings(ctx context.Context, a id.Account) ([]Holding, error) {
	if s.holdings == nil {
		return []Holding{}, nil
	}
	return s.holdings(ctx, a)
}

// sentences tell of each holding in a letter.
func sentences(held []Holding) []string {
	out := make([]string, 0, len(held))
	for _, h := range held {
		var parts []string
		for _, n := range h.Amounts {
			parts = append(parts, n.String())
		}
		line := "Profile “" + h.Name + "”"
		if len(parts) > 0 {
			line += ": " + strings.Join(parts, ", ")
		}
		out = append(out, line+".")
	}
	return out
}

// Deletion is what deleting an account would do.
type Deletion struct {
	Email    string    `json:"email"`
	Profiles []Holding `json:"profiles"`
	Allowed  bool      `json:"allowed"`
	Reason   *string   `json:"reason" description:"why it cannot be deleted; null when it can"`
	NeedsPin bool      `json:"needs_pin_code" description:"a second factor is on"`
}

// Deletion tells what deleting an account would take and whether it may go.
func (s *Service) Deletion(ctx context.Context, a Account) (Deletion, error) {
	held, err := s.Holdings(ctx, a.ID)
	if err != nil {
		return Deletion{}, err
	}
	d := Deletion{Email: a.Email, Profiles: held, Allowed: true, NeedsPin: a.Factor}
	if a.Operator {
		others, err := s.otherOperators(ctx, a.ID)
		if err != nil {
			return Deletion{}, err
		}
		if !others {
			reason := lastOperator.Message
			d.Allowed, d.Reason = false, &reason
		}
	}
	return d, nil
}

func (s *Service) getDeletion(ctx context.Context, who auth.Caller, _ struct{}) (Deletion, error) {
	a, ok, err := s.byID(ctx, who.AccountID)
	if err != nil {
		return Deletion{}, err
	}
	if !ok {
		return Deletion{}, notFound
	}
	return s.Deletion(ctx, a)
}

// postDeletion takes the token in the body: addresses end up in logs and histories.
func (s *Service) postDeletion(ctx context.Context, _ auth.Caller, in tokenIn) (Deletion, error) {
	a, err := s.ofLink(ctx, linkDelete, in.Token)
	if err != nil {
		return Deletion{}, err
	}
	return s.Deletion(ctx, a)
}
