package team

import (
	"context"
	"fmt"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

// write queues a letter in the transaction of ctx.
func (s *Service) write(ctx context.Context, to string, l mail.Letter) error {
	l.Subject = s.cfg.Name + ": " + l.Subject
	m, err := l.Message(to)
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	return s.mail.Send(ctx, m)
}

// invitesTo is an invitation in one sentence; inviter is plain already.
func (s *Service) invitesTo(i Invitation, inviter, where string) string {
	if i.Profile == "" {
		return fmt.Sprintf("%s invites you to work in the profiles of %s", inviter, plain(where))
	}
	return fmt.Sprintf("%s invites you to the profile “%s”", inviter, plain(where))
}

// does says what a role may do.
func does(i Invitation) string {
	switch i.Role {
	case "admin":
		return "As an admin you could do everything in it but what is the owner's alone: billing, transfer and deletion."
	case "viewer":
		return "As a viewer you could look at everything in it and change nothing."
	}
	return "As a developer you could use and change everything in it but settings, team and billing."
}

func (s *Service) mailInvitation(ctx context.Context, i Invitation, inviter account.Account, name, where, secret string) error {
	greeting := "Hello,"
	if name != "" {
		greeting = "Hello " + plain(name) + ","
	}
	return s.write(ctx, i.Email, mail.Letter{
		Subject: s.invitesTo(i, plain(inviter.Name), where), Greeting: greeting,
		Paragraphs: []string{s.invitesTo(i, plain(inviter.Name)+" ("+inviter.Email+")", where) + " at " + s.cfg.Name + ". " + does(i)},
		Action:     "Look at the invitation", URL: s.link(secret),
		After: []string{"The link leads to a page where you accept or decline. It works once, until " + clock.FromMillis(i.ExpiresAt).Format("2 January 2006, 15:04 UTC") +
			". If you do not know who this is, ignore this letter: nothing happens."},
		Life: inviteLife,
	})
}

// tell tells people of a change in a team, as they chose. p is "" for staff, and for who has no access to it any more.
func (s *Service) tell(ctx context.Context, p id.Profile, title, text string, to ...id.Account) error {
	e := notify.Event{Profile: p, To: to, Kind: notify.Team, Title: title, Items: []notify.Item{{Message: text}}}
	if p != "" {
		e.Page, e.Action = "/p/"+string(p)+"/team", "Look at the team"
	}
	return s.notify.Raise(ctx, e)
}

// tellOutcome tells the owner, and who invited if that was another, what became of an invitation. person is plain already.
func (s *Service) tellOutcome(ctx context.Context, i Invitation, person string, outcome State) error {
	owner, where := i.Owner, "your staff"
	if i.Profile != "" {
		p, err := s.profiles.Get(ctx, i.Profile)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		owner, where = p.Account, fmt.Sprintf("the profile “%s”", plain(p.Name))
	}
	title, text := "", ""
	switch outcome {
	case Accepted:
		title, text = "invitation accepted", fmt.Sprintf("%s accepted the invitation to %s and is there now, as %s.", person, where, i.Role)
	case Declined:
		title, text = "invitation declined", fmt.Sprintf("%s declined the invitation to %s.", person, where)
	default:
		title, text = "invitation expired", fmt.Sprintf("%s did not answer the invitation to %s within 7 days. You can send a new one.", person, where)
	}
	return s.tell(ctx, i.Profile, title, text, owner, i.InvitedBy)
}

func (s *Service) tellRemoved(ctx context.Context, a id.Account, where string) error {
	return s.tell(ctx, "", "you were removed from a team", fmt.Sprintf("You have no access to %s any more. Tokens that you made there have ended.", where), a)
}

func (s *Service) tellLeft(ctx context.Context, p profile.Profile, acc account.Account, staff bool) error {
	person, where := plain(acc.Name)+" ("+acc.Email+")", fmt.Sprintf("the profile “%s”", plain(p.Name))
	if staff {
		where = "your staff"
	}
	return s.tell(ctx, p.ID, "somebody left a team", fmt.Sprintf("%s left %s. Tokens that were made by this person there have ended.", person, where), p.Account)
}
