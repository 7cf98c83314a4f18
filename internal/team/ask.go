package team

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
)

// asksPerHour bounds how often somebody is told that new invitations are wanted, whoever wants them.
const asksPerHour = 20

// Ask tells whoever sent an invitation that is over that its receiver wants a new one; when the inviter may not invite there
// any more, the owner. It tells once an hour. Whether there ever was such an invitation, whether anybody was told and how long
// that takes shows in nothing it returns: Conflict only for one that still waits, and TooMany as Look does.
func (s *Service) Ask(ctx context.Context, who auth.Caller, secret string) error {
	began := time.Now()
	i, _, err := s.present(ctx, who, secret)
	switch {
	case fault.Is(err, fault.NotFound):
		account.Evenly(ctx, began)
		return nil
	case err != nil:
		return err
	case i.at(s.now()) == Pending:
		return fault.New(fault.Conflict, "This invitation is still open: accept it")
	}
	err = s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error { return s.askFor(ctx, who, i) })
	if fault.Is(err, fault.TooMany) { // told already
		err = nil
	}
	if err == nil {
		account.Evenly(ctx, began)
	}
	return err
}

func (s *Service) askFor(ctx context.Context, who auth.Caller, i Invitation) error {
	owner, where, to := i.Owner, "your staff", i.Owner
	event := notify.Event{Kind: notify.Team, Title: "a new invitation is asked for", Page: "/staff", Action: "Look at the staff"}
	if i.Profile != "" {
		p, err := s.profiles.Get(ctx, i.Profile)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		g, ok, err := s.profiles.Access(ctx, i.InvitedBy, p.ID)
		if err != nil {
			return err
		}
		owner, to, where = p.Account, p.Account, fmt.Sprintf("the profile “%s”", plain(p.Name))
		if ok && g.Role.AtLeast(auth.Admin) {
			to = i.InvitedBy
		}
		event.Profile, event.Page, event.Action = p.ID, "/p/"+string(p.ID)+"/team", "Look at the team"
	}
	if acc, known, err := s.invitee(ctx, i); err != nil {
		return err
	} else if known {
		if there, err := s.there(ctx, acc.ID, i.Profile, i.Owner, owner); err != nil || there {
			return err
		}
	}
	if err := s.accounts.Allow(ctx, "invite again", string(i.ID), 1, "Told already"); err != nil {
		return err
	}
	if err := s.accounts.Allow(ctx, "invite again to", string(to), asksPerHour, "Told often enough"); err != nil {
		return err
	}
	event.To = []id.Account{to}
	event.Items = []notify.Item{{Message: fmt.Sprintf("%s asks for a new invitation to %s; the one of %s is over. Invite that address again if you want them there.",
		i.Email, where, clock.FromMillis(i.CreatedAt).Format("2 January 2006"))}}
	if err := s.notify.Raise(ctx, event); err != nil {
		return err
	}
	as := auth.Caller{Kind: auth.Anonymous, Addr: who.Addr}
	return s.record(ctx, as, i.Profile, owner, string(i.ID), i.Email+" asked for a new invitation", nil, nil)
}
