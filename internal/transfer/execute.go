package transfer

import (
	"context"
	"fmt"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/token"
)

// run gives the profile to its new owner: all of it in the transaction of ctx, which holds the locks of both owners and the transfer.
// t says what was chosen and by whom; from is the state it is in. It returns the faults of fits, and limit_reached without a seat
// for somebody who is to stay; then nothing has changed.
func (s *Service) run(ctx context.Context, who auth.Caller, t Transfer, from State) error {
	// What happened since the receiver looked counts: the checks once more, now that nothing they look at can change.
	if err := s.fits(ctx, t, t.Destination); err != nil {
		return err
	}
	p, err := s.profiles.Get(ctx, t.Profile)
	if err != nil {
		return err
	}
	if p.Account != t.Source {
		return notTheirs
	}
	ending, err := s.tokens.Endings(ctx, p, t.Destination)
	if err != nil {
		return err
	}
	affected, err := s.teams.Affected(ctx, p, t.Destination)
	if err != nil {
		return err
	}
	crash.At("transfer checked")
	h, err := s.profiles.HandOver(ctx, who, t.Profile, t.Destination)
	if err != nil {
		return err
	}
	if h.Profile.Account != t.Source { // what memory had of it was older
		return notTheirs
	}
	crash.At("transfer changed the owner")
	people, outcomes := peopleFates(t, affected)
	leftTeam, err := s.teams.HandOver(ctx, who, h, people)
	if err != nil {
		return err
	}
	crash.At("transfer changed the team")
	// Tokens that ended meanwhile have no fate any more; those of people who stay have none of their own.
	stays := map[id.Account]bool{}
	for a, f := range people {
		stays[a] = f != team.End
	}
	fates, tokens := tokenFates(t, ending, stays)
	leftTokens, err := s.tokens.HandOver(ctx, who, h, nil, fates)
	if err != nil {
		return err
	}
	crash.At("transfer changed the tokens")
	t.State, t.CompletedAt, t.EndedAt = Completed, h.At, h.At
	t.Outcome = Outcome{Tokens: tokens, People: outcomes}
	t.kept = kept{Tokens: &leftTokens, Team: &leftTeam}
	if err := s.mustMove(ctx, t, from); err != nil {
		return err
	}
	crash.At("transfer completed")
	if err := s.tellCompleted(ctx, who, t); err != nil {
		return err
	}
	crash.At("transfer told")
	return s.recordBoth(ctx, who, t, fmt.Sprintf("Profile %q handed over to %s", t.Name, t.Address))
}

var notTheirs = fault.New(fault.Conflict, "The profile is not its owner's any more who asked for this transfer")

// peopleFates are the choices about people who do lose access now, and what becomes of each.
func peopleFates(t Transfer, affected []team.Affected) (map[id.Account]team.Fate, []PersonFate) {
	fates := map[id.Account]team.Fate{}
	out := []PersonFate{}
	for _, a := range affected {
		f, asked := t.Choices.People[a.Account]
		if a.Owner {
			f, asked = t.Choices.FormerOwner, true
		}
		if f == "" {
			f = team.End
		}
		fates[a.Account] = f
		out = append(out, PersonFate{Account: a.Account, Name: a.Name, Fate: f, Unasked: !asked})
	}
	return fates, out
}

// agree returns Invalid for a choice about a token whose maker is to stay by another choice, as the hand-over itself would: whoever
// approves it later could not mend that.
func (s *Service) agree(ctx context.Context, t Transfer) error {
	p, err := s.profiles.Get(ctx, t.Profile)
	if err != nil {
		return err
	}
	ending, err := s.tokens.Endings(ctx, p, t.Destination)
	if err != nil {
		return err
	}
	affected, err := s.teams.Affected(ctx, p, t.Destination)
	if err != nil {
		return err
	}
	people, _ := peopleFates(t, affected)
	for _, e := range ending {
		f := people[e.CreatedBy]
		if _, asked := t.Choices.Tokens[e.ID]; asked && f != "" && f != team.End {
			return fault.Field("tokens."+string(e.ID), "does not end: whoever made it keeps access to the profile")
		}
	}
	return nil
}

// tokenFates is the same of tokens. One whose maker stays goes on as that person's, unless there is a choice about it, which is then
// passed on to be refused.
func tokenFates(t Transfer, ending []token.Ending, stays map[id.Account]bool) (map[id.Token]token.Fate, []TokenFate) {
	fates := map[id.Token]token.Fate{}
	out := []TokenFate{}
	for _, e := range ending {
		f, asked := t.Choices.Tokens[e.ID]
		if asked {
			fates[e.ID] = f
		}
		if f == "" {
			f = token.End
		}
		if !asked && stays[e.CreatedBy] {
			continue
		}
		out = append(out, TokenFate{ID: e.ID, Name: e.Name, Tail: e.Tail, Fate: f, Unasked: !asked})
	}
	return fates, out
}

// UndoInput asks for a hand-over to be undone.
type UndoInput struct {
	Proof    account.Proof // of a side
	Operator bool          // by an operator who is a side, too: as operator
	Reason   string        // of an operator
}

// Undo gives the profile back within a day, when both sides have agreed or an operator says so. The first side's call notes that it
// agrees, the second's does it. It returns not_found to strangers, Conflict past the day, when something stands in the way and for
// what was not completed, and the faults of account.Service.Prove. What comes again is told where it stands.
func (s *Service) Undo(ctx context.Context, who auth.Caller, tid id.Transfer, in UndoInput) error {
	reason, err := cleanReason(in.Reason)
	if err != nil {
		return err
	}
	t, as, err := s.see(ctx, who, tid)
	if err != nil {
		return err
	}
	if in.Operator {
		if !asOperator(who) {
			return auth.LacksOperator()
		}
		as = Operator
	}
	agreed := func(t Transfer) bool {
		return t.State == Undone || as == Source && t.UndoSource > 0 || as == Destination && t.UndoDestination > 0
	}
	if agreed(t) {
		return nil
	}
	if err := s.undoable(t); err != nil {
		return err
	}
	if as != Operator {
		if err := s.accounts.Prove(ctx, who.AccountID, in.Proof); err != nil {
			return err
		}
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.lockBoth(ctx, t.Source, t.Destination); err != nil {
			return err
		}
		t, ok, err := s.hold(ctx, tid)
		if err != nil || !ok {
			return orNotFound(err)
		}
		if agreed(t) {
			return nil
		}
		if err := s.undoable(t); err != nil {
			return err
		}
		now := s.now()
		switch as {
		case Source:
			t.UndoSource = now
		case Destination:
			t.UndoDestination = now
		}
		if as == Operator || t.UndoSource > 0 && t.UndoDestination > 0 {
			t.Reason = reason
			return s.back(ctx, asStaff(who, t), t, as)
		}
		if err := s.mustMove(ctx, t, Completed); err != nil {
			return err
		}
		crash.At("transfer undo asked for")
		if err := s.tellUndoAsked(ctx, t, as); err != nil {
			return err
		}
		return s.recordBoth(ctx, who, t, "Agreed to undo the transfer")
	})
}

// undoable judges what the transfer itself says about its being undone.
func (s *Service) undoable(t Transfer) error {
	switch {
	case t.State != Completed:
		return over(t.at(s.now()))
	case s.now() >= t.CompletedAt+undoFor.Milliseconds():
		return fault.New(fault.Conflict, "A transfer can be undone for 24 hours, and they are over; the new owner can hand the profile back by another transfer")
	case t.kept.Tokens == nil || t.kept.Team == nil:
		return fault.New(fault.Conflict, "This transfer cannot be undone any more: one of the two accounts is gone")
	}
	return nil
}

// back gives the profile back, all of it in the transaction of ctx, which holds the locks of both owners and the transfer.
func (s *Service) back(ctx context.Context, who auth.Caller, t Transfer, as Side) error {
	later, err := s.laterThan(ctx, t)
	if err != nil {
		return err
	}
	p, err := s.profiles.Get(ctx, t.Profile)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "The profile was deleted: there is nothing to give back")
	}
	if err != nil {
		return err
	}
	if later > 0 || p.Account != t.Destination {
		return fault.New(fault.Conflict, "The profile was handed on: it is not the receiver's to give back any more")
	}
	if err := s.fitsBack(ctx, p, t, as); err != nil {
		return err
	}
	if open, waits, err := s.openOf(ctx, p.ID); err != nil {
		return err
	} else if waits {
		if err := s.cancel(ctx, who, open.ID, "The transfer was cancelled: the profile has gone back to its former owner"); err != nil {
			return err
		}
	}
	crash.At("transfer undo checked")
	by := who
	if who.AccountID != t.Source { // what follows is in a log that the former owner reads
		by = nowhere(who)
	}
	h, err := s.profiles.HandBack(ctx, by, p.ID, t.Source)
	if err != nil {
		return err
	}
	crash.At("transfer undo changed the owner")
	if err := s.teams.UndoHandOver(ctx, by, h, *t.kept.Team); err != nil {
		return err
	}
	crash.At("transfer undo changed the team")
	if err := s.tokens.UndoHandOver(ctx, by, h, *t.kept.Tokens); err != nil {
		return err
	}
	crash.At("transfer undo changed the tokens")
	t.State, t.EndedAt, t.kept = Undone, h.At, kept{}
	if err := s.mustMove(ctx, t, Completed); err != nil {
		return err
	}
	crash.At("transfer undone")
	if err := s.tellUndone(ctx, t, as); err != nil {
		return err
	}
	crash.At("transfer undo told")
	return s.recordBoth(ctx, who, t, fmt.Sprintf("Transfer of the profile %q undone", t.Name)+because(t.Reason))
}

// fitsBack returns Conflict when the former owner cannot take the profile back. Its account is told why, others which checks.
func (s *Service) fitsBack(ctx context.Context, p profile.Profile, t Transfer, as Side) error {
	source, err := s.accounts.Get(ctx, t.Source)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "This transfer cannot be undone any more: one of the two accounts is gone")
	}
	if err != nil {
		return err
	}
	if source.Blocked {
		return fault.New(fault.Conflict, "This transfer cannot be undone now: an account is blocked")
	}
	cs, err := s.backChecks(ctx, p, t.Source)
	if err != nil {
		return err
	}
	if as == Destination {
		cs = hidden(cs)
	}
	return refusal(nil, cs)
}
