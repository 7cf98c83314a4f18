package support

import (
	"context"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// What people and operators do at the desk. An operator is one who has signed in; by a token an operator is a person like others.

// AskInput is a question.
type AskInput struct {
	Subject string
	Text    string
	Profile string // an id, or "" when it is about none
}

// Ask opens a question. It returns Invalid for a bad subject or text, not_found for a profile that the caller may not act in,
// limit_reached with too many open ones, and TooMany to who opens them too fast.
func (s *Service) Ask(ctx context.Context, who auth.Caller, in AskInput) (Ticket, error) {
	o := Opening{Kind: Question, Account: who.AccountID, Subject: in.Subject, Text: in.Text}
	if err := o.check(); err != nil {
		return Ticket{}, err
	}
	if in.Profile != "" {
		p, _, err := s.profiles.Resolve(ctx, who, in.Profile, auth.Viewer)
		if err != nil {
			return Ticket{}, err
		}
		o.Profile = p.ID
	}
	var t Ticket
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) (err error) {
		if t, err = s.open(ctx, who, o); err != nil { // numbers are given one by one, so what is counted now stays so
			return err
		}
		now := s.now()
		n, first, err := s.openedSince(ctx, who.AccountID, now-time.Hour.Milliseconds())
		if err != nil {
			return err
		}
		if n > asksPerHour {
			return tooFast("tickets", asksPerHour, left(first, now))
		}
		return s.fitsOpen(ctx, who.AccountID)
	})
	return t, err
}

// left is how long something that happened at first still counts.
func left(first, now int64) time.Duration {
	return time.Duration(max(first+time.Hour.Milliseconds()-now, 1000)) * time.Millisecond
}

// asOperator reports whether the caller may see all tickets.
func asOperator(who auth.Caller) bool { return who.Operator && who.Kind == auth.Session }

// See returns a ticket with the messages that the caller sees. It returns not_found to whoever is neither party nor operator.
func (s *Service) See(ctx context.Context, who auth.Caller, t id.Ticket) (Ticket, []Said, error) {
	x, err := s.findOf(ctx, who.AccountID, t)
	all := asOperator(who)
	if all && fault.Is(err, fault.NotFound) {
		x, err = s.find(ctx, t)
	}
	if err != nil {
		return x, nil, err
	}
	thread, err := s.thread(ctx, t)
	if err != nil {
		return x, nil, err
	}
	if !all {
		thread = slices.DeleteFunc(thread, func(m Said) bool { return !m.sees(who.AccountID) })
	}
	return x, thread, nil
}

// Filter narrows a list of tickets; zero members do not.
type Filter struct {
	State   State
	Kind    Kind
	Text    string     // in the subject or a message that the caller sees; * stands for any text
	Number  int64      // exactly this one; then Text does not count
	Account id.Account // a party; of operators' lists only
}

func (f Filter) check() error {
	if f.State != "" && !f.State.valid() {
		return fault.Field("state", "must be open, answered or closed")
	}
	if f.Kind != "" && !f.Kind.valid() {
		return fault.Field("kind", "must be question or transfer")
	}
	return nil
}

// List returns a page of the caller's own tickets, latest first.
func (s *Service) List(ctx context.Context, who auth.Caller, f Filter, l web.List) ([]Ticket, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	f.Account = ""
	return s.list(ctx, who.AccountID, f, l.Limit(), l.Offset())
}

// ListAll returns a page of the tickets of all accounts, latest first. It returns Forbidden to who is no operator.
func (s *Service) ListAll(ctx context.Context, who auth.Caller, f Filter, l web.List) ([]Ticket, error) {
	if !asOperator(who) {
		return nil, auth.LacksOperator()
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return s.list(ctx, "", f, l.Limit(), l.Offset())
}

// Write adds a message of a party or an operator. A party's opens a question again, an operator's marks it as answered. to are
// the parties that see it besides operators; nil for all, none for operators alone. It returns not_found to others, Invalid for a
// bad text or audience, limit_reached in a full thread, and TooMany to who writes too fast.
func (s *Service) Write(ctx context.Context, who auth.Caller, ticket id.Ticket, text string, to []id.Account) error {
	if err := checkText(&text); err != nil {
		return err
	}
	return s.change(ctx, who, ticket, func(ctx context.Context, t *Ticket, operator bool) error {
		all, err := s.parties(ctx, *t)
		if err != nil {
			return err
		}
		for _, a := range to {
			if !slices.Contains(all, a) {
				return fault.Field("to", "must be parties of the ticket")
			}
		}
		if t.Kind == Question {
			if t.State, t.ClosedAt = Opened, 0; operator {
				t.State = Answered
			}
		}
		if err := s.write(ctx, who, t, Message{From: who.AccountID, Text: text, To: to}, operator); err != nil {
			return err
		}
		return s.record(ctx, who, *t, "answered")
	})
}

// Move closes a question or opens it again, with a last word if there is one. It returns not_found to others than parties and
// operators, and Conflict for a ticket that belongs to a transfer.
func (s *Service) Move(ctx context.Context, who auth.Caller, ticket id.Ticket, to State, text string) error {
	if to != Opened && to != Closed {
		return fault.Field("state", "must be open or closed")
	}
	if text != "" {
		if err := checkText(&text); err != nil {
			return err
		}
	}
	return s.change(ctx, who, ticket, func(ctx context.Context, t *Ticket, operator bool) error {
		if t.Kind != Question {
			return fault.New(fault.Conflict, "This ticket belongs to a %s: it closes when that is over", t.Kind)
		}
		if (t.State == Closed) == (to == Closed) {
			if text != "" {
				return fault.New(fault.Conflict, "The ticket is %s already", t.State)
			}
			return nil
		}
		t.State, t.ClosedAt = to, 0
		what := "opened again"
		if to == Closed {
			t.ClosedAt, what = s.now(), "closed"
		}
		if text != "" {
			if err := s.write(ctx, who, t, Message{From: who.AccountID, Text: text}, operator); err != nil {
				return err
			}
		} else if err := s.put(ctx, *t); err != nil {
			return err
		}
		return s.record(ctx, who, *t, what)
	})
}

// change lets a party or an operator change a ticket, in one transaction.
func (s *Service) change(ctx context.Context, who auth.Caller, ticket id.Ticket, do func(ctx context.Context, t *Ticket, operator bool) error) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		t, err := s.hold(ctx, ticket)
		if err != nil {
			return err
		}
		_, err = s.findOf(ctx, who.AccountID, ticket)
		party := err == nil
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if !party && !asOperator(who) {
			return notFound
		}
		was := t.State
		if err := do(ctx, &t, !party); err != nil {
			return err
		}
		if was == Closed && t.State != Closed {
			return s.fitsOpen(ctx, t.Opener)
		}
		return nil
	})
}

// fitsOpen returns limit_reached when an account has too many open questions.
func (s *Service) fitsOpen(ctx context.Context, a id.Account) error {
	n, err := s.openOf(ctx, a)
	if err == nil && n > maxOpen {
		err = tooManyOpen
	}
	return err
}

var tooManyOpen error = fault.New(fault.LimitReached, "You have exceeded the maximum limit of open tickets (%d). Close one first", maxOpen).
	With(fault.Limit{Limit: "ticket", Scope: "account", Used: maxOpen, Allowed: maxOpen, Hint: "Close a ticket first."})

// write is say for people, within their bounds.
func (s *Service) write(ctx context.Context, who auth.Caller, t *Ticket, m Message, operator bool) error {
	if t.messages >= maxMessages {
		return fault.New(fault.LimitReached, "You have exceeded the maximum limit of messages of a ticket (%d). Open another one", maxMessages).
			With(fault.Limit{Limit: "message", Scope: "account", Used: maxMessages, Allowed: maxMessages, Hint: "Open another ticket."})
	}
	now := s.now()
	n, first, err := s.writtenSince(ctx, who.AccountID, now-time.Hour.Milliseconds())
	if err != nil {
		return err
	}
	if n >= writesPerHour && !operator {
		return tooFast("messages", writesPerHour, left(first, now))
	}
	return s.say(ctx, t, m, operator, false)
}
