package transfer

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/notify"
	"paddock/internal/support"
	"paddock/internal/team"
	"paddock/internal/token"
)

// The parties of the ticket read what happens there: each message is a mail in its thread and a notification, both with a
// button to the page of the transfer. The receiver is no party before answering, and so is written to apart; whether there is an
// account to the address shows in nothing but that letter.

// page is the console's page about a transfer.
func (t Transfer) page() string { return "/transfer/" + string(t.ID) }

// ref names it to notifications.
func (t Transfer) ref() string { return "transfer/" + string(t.ID) }

func date(ms int64) string { return clock.FromMillis(ms).Format("2 January 2006, 15:04 UTC") }

func subject(t Transfer) string {
	name := []rune(team.Plain(t.Name))
	if len(name) > 60 {
		name = append(name[:59], '…')
	}
	return "Transfer of the profile “" + string(name) + "”"
}

func opening(t Transfer) string {
	return fmt.Sprintf("You asked to hand the profile “%s” over to %s. We have written to that address.\n"+
		"Nothing changes before the receiver accepts. You can cancel until then; without an answer the request ends on %s.", team.Plain(t.Name), t.Address, date(t.ExpiresAt))
}

// writeToReceiver asks whoever has the address.
func (s *Service) writeToReceiver(ctx context.Context, t Transfer, source account.Account) error {
	l := mail.Letter{Subject: fmt.Sprintf("%s: %s wants to hand you the profile “%s”", s.cfg.Name, team.Plain(source.Name), team.Plain(t.Name)), Greeting: "Hello,", Life: life}
	l.Paragraphs = []string{fmt.Sprintf("%s (%s) wants to hand you the profile “%s” at %s, with its devices, their data and its dashboards. It would be yours from then on, within your limits and at your cost.",
		team.Plain(source.Name), source.Email, team.Plain(t.Name), s.cfg.Name)}
	after := fmt.Sprintf("Nothing changes before you accept, and the request ends by itself on %s. If you do not know who this is, do nothing, or decline on that page.", date(t.ExpiresAt))
	acc, known, err := s.holder(ctx, t.Address)
	if err != nil {
		return err
	}
	switch {
	case known:
		l.Greeting = "Hello " + team.Plain(acc.Name) + ","
		l.Action, l.URL = "Look at the transfer", s.link(t.page())
		if _, err := s.notify.Notify(ctx, notify.Notification{Account: acc.ID, Type: notify.System, Ref: t.ref(), Enabled: true,
			Title:   fmt.Sprintf("%s wants to hand you the profile “%s”", team.Plain(source.Name), team.Plain(t.Name)),
			Message: "Look at what would move and what would end, and accept or decline by " + date(t.ExpiresAt) + ".",
			Buttons: []notify.Button{notify.Link("open", "Look at the transfer", s.link(t.page()))}}); err != nil {
			return err
		}
	case s.accounts.Signup() == account.Closed:
		l.Paragraphs = append(l.Paragraphs, "There is no account with your address here yet, and new accounts are made by whoever runs this server: ask them for one, then look at the transfer.")
		l.Action, l.URL = "Look at the transfer", s.link(t.page())
	default:
		l.Paragraphs = append(l.Paragraphs, "There is no account with your address here yet. Sign up with this address, "+t.Address+", then look at the transfer.")
		l.Action, l.URL = "Sign up and look at the transfer", s.link("/sign-up?email="+escape(t.Address)+"&next="+escape("/console"+t.page()))
	}
	l.After = []string{after}
	return s.write(ctx, t.Address, l)
}

// tellReceiver tells whoever was asked, and has not answered, that there is nothing to answer any more.
func (s *Service) tellReceiver(ctx context.Context, t Transfer, sentence string) error {
	acc, known, err := s.holder(ctx, t.Address)
	if err != nil {
		return err
	}
	if known {
		if err := s.notify.Settle(ctx, acc.ID, t.ref()); err != nil {
			return err
		}
		if _, err := s.notify.Notify(ctx, notify.Notification{Account: acc.ID, Type: notify.System, Title: subject(t), Message: sentence + "."}); err != nil {
			return err
		}
	}
	return s.write(ctx, t.Address, mail.Letter{Subject: s.cfg.Name + ": " + subject(t), Greeting: "Hello,",
		Paragraphs: []string{sentence + ".", "There is nothing that you have to do."}, Life: life})
}

// holder is the account of an address that may read letters about it; a blocked one is none.
func (s *Service) holder(ctx context.Context, address string) (account.Account, bool, error) {
	acc, err := s.accounts.ByEmail(ctx, address)
	if fault.Is(err, fault.NotFound) {
		return acc, false, nil
	}
	return acc, err == nil, err
}

func (s *Service) link(path string) string { return s.cfg.PublicURL + "/console" + path }

func escape(s string) string {
	return strings.NewReplacer("%", "%25", "+", "%2B", "&", "%26", "#", "%23", "?", "%3F", "=", "%3D", " ", "%20", "/", "%2F", "@", "%40").Replace(s)
}

func (s *Service) write(ctx context.Context, to string, l mail.Letter) error {
	m, err := l.Message(to)
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	return s.mail.Send(ctx, m)
}

func (s *Service) name(ctx context.Context, a id.Account) (string, error) {
	acc, err := s.accounts.Get(ctx, a)
	if fault.Is(err, fault.NotFound) {
		return "Somebody who has left", nil
	}
	return team.Plain(acc.Name), err
}

// settle ends the button of the notice that asked the receiver.
func (s *Service) settle(ctx context.Context, t Transfer) error {
	if t.Destination == "" {
		return nil
	}
	return s.notify.Settle(ctx, t.Destination, t.ref())
}

func (s *Service) tellAccepted(ctx context.Context, t Transfer) error {
	name, err := s.name(ctx, t.Destination)
	if err != nil {
		return err
	}
	if err := s.settle(ctx, t); err != nil {
		return err
	}
	if err := s.support.Tell(ctx, t.Ticket, support.Message{Text: fmt.Sprintf("%s has accepted. An operator of this server approves the transfer next, by %s; until then nothing changes.", name, date(t.ExpiresAt))}); err != nil {
		return err
	}
	operators, err := s.accounts.Operators(ctx)
	if err != nil {
		return err
	}
	return s.notify.Raise(ctx, notify.Event{To: operators, Kind: notify.Other, Title: "a transfer waits for approval",
		Items: []notify.Item{{Message: fmt.Sprintf("The profile “%s” is to go to %s, who has accepted. Approve or decline it by %s.", team.Plain(t.Name), t.Address, date(t.ExpiresAt))}},
		Page:  t.page(), Action: "Look at the transfer"})
}

// tellEnded closes the ticket of a transfer in which nothing moved.
func (s *Service) tellEnded(ctx context.Context, who auth.Caller, t Transfer, sentence string) error {
	if t.Destination == "" {
		if err := s.tellReceiver(ctx, t, sentence); err != nil {
			return err
		}
	} else if err := s.settle(ctx, t); err != nil {
		return err
	}
	return s.support.Close(ctx, who, t.Ticket, sentence+". The profile stays with its owner, and nothing has changed.")
}

func (s *Service) tellCompleted(ctx context.Context, who auth.Caller, t Transfer) error {
	name, err := s.name(ctx, t.Destination)
	if err != nil {
		return err
	}
	if err := s.settle(ctx, t); err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("The profile “%s” is %s's since %s. Devices and their tokens go on as before.", team.Plain(t.Name), name, date(t.CompletedAt))}
	lines = append(lines, outcomeLines(t.Outcome)...)
	lines = append(lines, fmt.Sprintf("Both sides together, or an operator, can undo this until %s.", date(t.CompletedAt+undoFor.Milliseconds())))
	return s.support.Close(ctx, who, t.Ticket, strings.Join(lines, "\n"))
}

// outcomeLines name who and what ended and stayed, as far as a letter goes.
func outcomeLines(o Outcome) []string {
	const most = 20
	list := func(heading string, names []string) []string {
		if len(names) == 0 {
			return nil
		}
		if more := len(names) - most; more > 0 {
			names = append(names[:most:most], fmt.Sprintf("and %d more", more))
		}
		return []string{heading + ": " + strings.Join(names, ", ") + "."}
	}
	var ended, unasked, kept, taken []string
	for _, p := range o.People {
		name := team.Plain(p.Name)
		switch {
		case p.Fate != team.End:
			kept = append(kept, name+" ("+string(p.Fate)+")")
		case p.Unasked:
			unasked = append(unasked, name)
		default:
			ended = append(ended, name)
		}
	}
	out := append(list("Access has ended for", ended), list("Kept", kept)...)
	out = append(out, list("Access has ended, too, for people about whom the receiver had said nothing", unasked)...)
	ended, unasked = nil, nil
	for _, x := range o.Tokens {
		name := fmt.Sprintf("“%s” (…%s)", team.Plain(x.Name), x.Tail)
		switch {
		case x.Fate == token.Overlap:
			taken = append(taken, name+" for 24 hours")
		case x.Fate != token.End:
			taken = append(taken, name)
		case x.Unasked:
			unasked = append(unasked, name)
		default:
			ended = append(ended, name)
		}
	}
	out = append(out, list("Tokens that ended", ended)...)
	out = append(out, list("Tokens that ended, and about which the receiver had said nothing", unasked)...)
	return append(out, list("Tokens taken over by the new owner", taken)...)
}

func (s *Service) tellUndoAsked(ctx context.Context, t Transfer, by Side) error {
	a := t.Source
	if by == Destination {
		a = t.Destination
	}
	name, err := s.name(ctx, a)
	if err != nil {
		return err
	}
	return s.support.Tell(ctx, t.Ticket, support.Message{Text: fmt.Sprintf("%s agrees to undo this transfer. If the other side agrees too, by %s, the profile goes back.", name, date(t.CompletedAt+undoFor.Milliseconds()))})
}

func (s *Service) tellUndone(ctx context.Context, t Transfer, by Side) error {
	name, err := s.name(ctx, t.Source)
	if err != nil {
		return err
	}
	how := "Both sides have agreed to undo this transfer."
	if by == Operator {
		how = "An operator of this server has undone this transfer" + because(t.Reason) + "."
	}
	return s.support.Tell(ctx, t.Ticket, support.Message{Text: how + fmt.Sprintf(" The profile “%s” is %s's again since %s; tokens and people that had lost access have it again, as far as their time is not over.",
		team.Plain(t.Name), name, date(t.EndedAt))})
}
