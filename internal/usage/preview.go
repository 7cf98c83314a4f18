package usage

import (
	"context"

	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Preview is what a new profile would have of one service, and whom it would take it from.
type Preview struct {
	Service plan.Service `json:"service"`
	Gets    float64      `json:"gets" description:"9007199254740991: no limit"`
	Pool    *float64     `json:"pool" description:"what the account has; null: no limit"`
	Free    *float64     `json:"free" description:"what is unallocated now; null without a limit"`
	Left    *float64     `json:"left" description:"what would be unallocated then; null without a limit"`
	From    []Giver      `json:"from" description:"profiles whose allocation would shrink for it"`
}

// Giver is a profile that gives a part of its allocation.
type Giver struct {
	Profile id.Profile `json:"profile"`
	Amount  float64    `json:"amount"`
}

// Preview says what a profile made like this would have of each service, by the rules that decide when it is made; it changes
// nothing. Its faults are those that making it would have.
func (s *Service) Preview(ctx context.Context, a id.Account, in profile.CreateInput) ([]Preview, error) {
	var out []Preview
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		pl, err := s.profiles.PlanOf(ctx, a)
		if err != nil {
			return err
		}
		b, err := s.look(ctx, a, pl)
		if err != nil {
			return err
		}
		before := snapshot(b)
		var free plan.Amounts
		for i := range plan.Services {
			free[i] = b.free(i)
		}
		if err := b.admit("", template{allFree: in.AllocateFree, like: in.Like}); err != nil {
			return err
		}
		fresh := b.shares[len(b.shares)-1]
		out = make([]Preview, len(plan.Services))
		for i, svc := range plan.Services {
			wire := func(n int64) *float64 { v := plan.Wire(svc, n); return &v }
			x := Preview{Service: svc, Gets: plan.Wire(svc, fresh.allowed[i]), From: []Giver{}}
			if b.pool[i] < plan.Unlimited {
				x.Pool, x.Free, x.Left = wire(b.pool[i]), wire(free[i]), wire(b.free(i))
			}
			for _, sh := range b.shares[:len(b.shares)-1] {
				if n := before[sh.Profile][i] - sh.alloc[i]; n > 0 {
					x.From = append(x.From, Giver{sh.Profile, plan.Wire(svc, n)})
				}
			}
			out[i] = x
		}
		return nil
	})
	return out, wrap("preview a profile", err)
}
