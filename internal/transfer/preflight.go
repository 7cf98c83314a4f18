package transfer

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Check is a condition of a hand-over as one side sees it.
type Check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Blocks  bool   `json:"blocks" description:"not met it stands in the way"`
	Waiting bool   `json:"waiting" description:"not known before the receiver accepts"`
	Detail  string `json:"detail"`
}

// Checks is the detail of a refusal.
type Checks struct {
	Checks []Check `json:"checks"`
}

func shown(cs []profile.Check) []Check {
	out := make([]Check, len(cs))
	for i, c := range cs {
		out[i] = Check{Name: c.Name, OK: c.OK, Blocks: c.Blocks, Detail: c.Detail}
	}
	return out
}

// hidden are checks without what they tell about an account: only whether they are met.
func hidden(cs []profile.Check) []profile.Check {
	out := make([]profile.Check, len(cs))
	for i, c := range cs {
		c.Detail = "met"
		if !c.OK {
			c.Detail = "not met"
		}
		out[i] = c
	}
	return out
}

// refusal is Conflict when a check that blocks is not met. Its detail has all of them.
func refusal(own, theirs []profile.Check) error {
	var why []string
	for _, c := range append(append([]profile.Check{}, own...), theirs...) {
		if !c.OK && c.Blocks {
			if c.Detail == "not met" {
				c.Detail = c.Name + " is not met"
			}
			why = append(why, strings.TrimRight(c.Detail, "."))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "The profile cannot be handed over as things are: %s", strings.Join(why, "; ")).
		With(Checks{append(shown(own), shown(theirs)...)})
}

// fits returns Conflict with the checks when one that blocks is not met, for the receiver's eyes.
func (s *Service) fits(ctx context.Context, t Transfer, to id.Account) error {
	p, err := s.profiles.Get(ctx, t.Profile)
	if fault.Is(err, fault.NotFound) {
		return over(Cancelled)
	}
	if err != nil {
		return err
	}
	own, theirs, err := s.checks(ctx, p, to)
	if err != nil {
		return err
	}
	return refusal(hidden(own), theirs)
}

// checks are all conditions: those about the one who gives, and those about the receiver.
func (s *Service) checks(ctx context.Context, p profile.Profile, to id.Account) (own, theirs []profile.Check, err error) {
	if own, err = s.ownChecks(ctx, p); err != nil {
		return nil, nil, err
	}
	receiver, err := s.accounts.Get(ctx, to)
	if err != nil {
		return nil, nil, err
	}
	theirs = append(theirs, profile.Check{Name: "receiver", OK: !receiver.Blocked && receiver.Active, Blocks: true, Detail: receiverDetail(receiver)})
	all, err := s.profiles.FitsOwner(ctx, p.ID, to)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		switch c.Name {
		case "owner", "last_profile", "plan_from": // ownChecks says them
			continue
		case "guest": // who owns profiles is for operators to say, as they do by approving
			c.Blocks = s.cfg.Policy != Review
		}
		theirs = append(theirs, c)
	}
	more, err := s.usage.Fits(ctx, p.ID, to)
	return own, append(theirs, more...), err
}

func receiverDetail(a account.Account) string {
	switch {
	case a.Blocked:
		return "The receiver's account is blocked."
	case !a.Active:
		return "The receiver's e-mail address is not confirmed."
	}
	return "The receiver's account is active."
}

// backChecks are the conditions on who takes a profile back: room for it. The receiver may be left without one, as before.
func (s *Service) backChecks(ctx context.Context, p profile.Profile, to id.Account) ([]profile.Check, error) {
	all, err := s.profiles.FitsOwner(ctx, p.ID, to)
	if err != nil {
		return nil, err
	}
	out := []profile.Check{}
	for _, c := range all {
		if c.Name == string(plan.Profiles) {
			out = append(out, c)
		}
	}
	more, err := s.usage.Fits(ctx, p.ID, to)
	return append(out, more...), err
}

// ownChecks are the conditions that the owner can know before anybody answers.
func (s *Service) ownChecks(ctx context.Context, p profile.Profile) ([]profile.Check, error) {
	source, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	ps, err := s.profiles.List(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	out := []profile.Check{
		{Name: "last_profile", OK: len(ps) > 1, Blocks: true, Detail: "The owner keeps another profile."},
		{Name: "plan_from", OK: pl.Transfer, Blocks: true, Detail: "The owner's plan allows transfers."},
		{Name: "owner_active", OK: !source.Blocked, Blocks: true, Detail: "The owner's account is active."},
		{Name: "not_paused", OK: !p.Paused, Blocks: p.ByOperator, Detail: "The profile is not paused."},
	}
	if !out[0].OK {
		out[0].Detail = "The last profile of an account cannot be handed over."
	}
	if !pl.Transfer {
		out[1].Detail = fmt.Sprintf("The plan %s does not allow transfers.", pl.Name)
	}
	if source.Blocked {
		out[2].Detail = "The owner's account is blocked."
	}
	switch {
	case p.Paused && p.ByOperator:
		out[3].Detail = "An operator of this server paused the profile: it stays where it is until that is lifted."
	case p.Paused:
		out[3].Detail = "The profile is paused, and stays so: the new owner can resume it."
	}
	return out, nil
}

// Amount is a number of things that move.
type Amount = account.Amount

// moves counts what goes along.
func (s *Service) moves(ctx context.Context, p id.Profile) ([]Amount, error) {
	held, err := s.usage.Amounts(ctx, p)
	if err != nil {
		return nil, err
	}
	now, err := s.usage.Current(ctx, p)
	if err != nil {
		return nil, err
	}
	return []Amount{
		{What: "devices", Amount: held[plan.Devices]},
		{What: "points", Amount: now.Used[plan.Index(plan.DataRecords)]},
		{What: "dashboards", Amount: held[plan.Dashboards]},
	}, nil
}

// stays are sentences on what does not go along.
func (s *Service) stays(ctx context.Context, p profile.Profile) ([]string, error) {
	out := []string{
		"What the profile used and cost before the hand-over stays with its former owner's account; from then on it is the new owner's.",
		"Plan, pools, budgets, prices for customers, statements and the account's webhook stay with the former owner's account; the profile lives by the new owner's.",
	}
	addons, err := s.billing.AddonsOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range addons {
		out = append(out, fmt.Sprintf("The add-on %q stays with the account that pays for it: the profile does not have it any more.", a))
	}
	return out, nil
}

// alsoEnds are sentences on what ends beside tokens and people's access.
func (s *Service) alsoEnds(ctx context.Context, p id.Profile) ([]string, error) {
	n, err := s.teams.Waiting(ctx, p)
	if err != nil {
		return nil, err
	}
	invitations := fmt.Sprintf("%d invitations to the team end.", n)
	switch n {
	case 0:
		invitations = "No invitation to the team waits; one made until then ends."
	case 1:
		invitations = "1 invitation to the team ends."
	}
	return []string{invitations, "Tokens of people who keep access go on as theirs. Tokens of devices go on whatever is chosen."}, nil
}
