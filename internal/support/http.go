package support

import (
	"context"
	"strconv"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

const (
	maxAmount = 100
	maxFind   = 100
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	tags := web.Tags("support")
	return append([]web.Route{
		web.Handle("GET /ticket", "List the caller's tickets, latest first.", auth.OfAccount, s.getTickets, tags),
		web.Handle("POST /ticket", "Ask whoever runs this server.", auth.OfAccount, s.postTicket, tags, web.Status(201)),
		web.Handle("GET /ticket/{id}", "A ticket with its thread: what its parties, and operators who have signed in, see of it.", auth.OfAccount, s.getTicket, tags),
		web.Handle("PUT /ticket/{id}", "Close a question, or open it again.", auth.OfAccount, s.putTicket, tags),
		web.Handle("POST /ticket/{id}/message", "Write in a ticket. A message opens a closed question again.", auth.OfAccount, s.postMessage, tags),

		web.Handle("GET /support/ticket", "The tickets of all accounts, latest first. For operators, signed in.", auth.SessionOnly, s.getAllTickets, tags),
	}, s.lookRoutes()...)
}

// Person is somebody in a ticket.
type Person struct {
	ID    *id.Account `json:"id" description:"null for Paddock itself"`
	Name  string      `json:"name" description:"of an operator with the word Operator before it"`
	Email string      `json:"email,omitempty" description:"told to operators only"`
}

// About is the profile of a ticket or look.
type About struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name" description:"empty when the profile is gone, or not the caller's"`
}

// TicketRow is a ticket in a list.
type TicketRow struct {
	ID        id.Ticket `json:"id"`
	Number    int64     `json:"number"`
	Kind      Kind      `json:"kind" enum:"question,transfer"`
	Ref       *string   `json:"ref" description:"what it is about: of a transfer its id"`
	Opener    Person    `json:"opener"`
	Profile   *About    `json:"profile"`
	Subject   string    `json:"subject"`
	State     State     `json:"state" enum:"open,answered,closed" description:"answered: an operator wrote last"`
	CreatedAt web.Time  `json:"created_at"`
	UpdatedAt web.Time  `json:"updated_at" description:"of the last message that the caller sees"`
	ClosedAt  *web.Time `json:"closed_at"`
}

// MessageRow is a message of a thread.
type MessageRow struct {
	ID       id.Message `json:"id"`
	Author   Person     `json:"author"`
	Operator bool       `json:"operator" description:"written as an operator"`
	At       web.Time   `json:"at"`
	Text     string     `json:"text"`
	To       *[]Person  `json:"to" description:"who sees it besides its author and operators; null for all parties"`
}

// TicketResult is a ticket with its thread.
type TicketResult struct {
	TicketRow
	Parties []Person     `json:"parties" description:"who sees it, besides operators"`
	Thread  []MessageRow `json:"thread" description:"oldest first"`
}

func (s *Service) personRow(ctx context.Context, who auth.Caller, a id.Account) (Person, error) {
	if a == "" {
		return Person{Name: s.cfg.Name}, nil
	}
	acc, err := s.found(ctx, a)
	p := Person{ID: &a, Name: acc.Name}
	if asOperator(who) {
		p.Email = acc.Email
	}
	return p, err
}

// about names a profile to those who may know its name: operators, and who has access.
func (s *Service) about(ctx context.Context, who auth.Caller, p id.Profile) (*About, error) {
	if p == "" {
		return nil, nil
	}
	out := &About{ID: p}
	if !asOperator(who) {
		if _, ok, err := s.profiles.Access(ctx, who.AccountID, p); err != nil || !ok {
			return out, err
		}
	}
	pr, err := s.profiles.Get(ctx, p)
	if fault.Is(err, fault.NotFound) {
		return out, nil
	}
	out.Name = pr.Name
	return out, err
}

func (s *Service) row(ctx context.Context, who auth.Caller, t Ticket) (TicketRow, error) {
	out := TicketRow{ID: t.ID, Number: t.Number, Kind: t.Kind, Subject: t.Subject, State: t.State, CreatedAt: web.Millis(t.CreatedAt), UpdatedAt: web.Millis(t.UpdatedAt), ClosedAt: maybe(t.ClosedAt)}
	if t.Ref != "" {
		out.Ref = &t.Ref
	}
	var err error
	if out.Opener, err = s.personRow(ctx, who, t.Opener); err != nil {
		return out, err
	}
	out.Profile, err = s.about(ctx, who, t.Profile)
	return out, err
}

func (s *Service) rows(ctx context.Context, who auth.Caller, ts []Ticket) ([]TicketRow, error) {
	out := make([]TicketRow, len(ts))
	for i, t := range ts {
		var err error
		if out[i], err = s.row(ctx, who, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}

// filter reads a search: words, or the number of a ticket.
func filter(state State, kind Kind, find string) (Filter, error) {
	f := Filter{State: state, Kind: kind, Text: strings.TrimSpace(find)}
	if err := check.Line("find", f.Text, 0, maxFind); err != nil {
		return f, err
	}
	if n, err := strconv.ParseInt(strings.TrimPrefix(f.Text, "#"), 10, 64); err == nil && n > 0 {
		f.Number = n
	}
	return f, nil
}

func (s *Service) getTickets(ctx context.Context, who auth.Caller, in struct {
	State State  `query:"state" enum:"open,answered,closed"`
	Kind  Kind   `query:"kind" enum:"question,transfer"`
	Find  string `query:"find" description:"a text in the subject or a message, * for any; or a number"`
	List  web.List
}) ([]TicketRow, error) {
	f, err := filter(in.State, in.Kind, in.Find)
	if err != nil {
		return nil, err
	}
	in.List.Cap(maxAmount)
	ts, err := s.List(ctx, who, f, in.List)
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, who, ts)
}

func (s *Service) getAllTickets(ctx context.Context, who auth.Caller, in struct {
	State   State      `query:"state" enum:"open,answered,closed"`
	Kind    Kind       `query:"kind" enum:"question,transfer"`
	Find    string     `query:"find" description:"a text in the subject or a message, * for any; or a number"`
	Account id.Account `query:"account" description:"a party"`
	List    web.List
}) ([]TicketRow, error) {
	f, err := filter(in.State, in.Kind, in.Find)
	if err != nil {
		return nil, err
	}
	f.Account = in.Account
	in.List.Cap(maxAmount)
	ts, err := s.ListAll(ctx, who, f, in.List)
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, who, ts)
}

func (s *Service) postTicket(ctx context.Context, who auth.Caller, in struct {
	Subject string `json:"subject" required:"true"`
	Text    string `json:"text" required:"true" description:"1 to 10,000 characters"`
	Profile string `json:"profile" description:"what it is about: a profile that the caller may act in"`
}) (TicketRow, error) {
	t, err := s.Ask(ctx, who, AskInput{in.Subject, in.Text, in.Profile})
	if err != nil {
		return TicketRow{}, err
	}
	return s.row(ctx, who, t)
}

type ticketPath struct {
	ID id.Ticket `path:"id"`
}

func (s *Service) getTicket(ctx context.Context, who auth.Caller, in ticketPath) (TicketResult, error) {
	t, thread, err := s.See(ctx, who, in.ID)
	if err != nil {
		return TicketResult{}, err
	}
	out := TicketResult{Parties: []Person{}, Thread: []MessageRow{}}
	if out.TicketRow, err = s.row(ctx, who, t); err != nil {
		return out, err
	}
	parties, err := s.parties(ctx, t)
	if err != nil {
		return out, err
	}
	for _, a := range parties {
		p, err := s.personRow(ctx, who, a)
		if err != nil {
			return out, err
		}
		out.Parties = append(out.Parties, p)
	}
	for _, m := range thread {
		r := MessageRow{ID: m.ID, Operator: m.Operator, At: web.Millis(m.At), Text: m.Text}
		if r.Author, err = s.personRow(ctx, who, m.Author); err != nil {
			return out, err
		}
		if r.Author.Name, err = s.nameOf(ctx, m); err != nil {
			return out, err
		}
		if m.Private {
			to := []Person{}
			for _, a := range m.To {
				p, err := s.personRow(ctx, who, a)
				if err != nil {
					return out, err
				}
				to = append(to, p)
			}
			r.To = &to
		}
		out.Thread = append(out.Thread, r)
	}
	return out, nil
}

func (s *Service) putTicket(ctx context.Context, who auth.Caller, in struct {
	ID    id.Ticket `path:"id"`
	State State     `json:"state" required:"true" enum:"open,closed"`
	Text  string    `json:"text" description:"a last word to the others"`
}) (string, error) {
	return "Successfully Updated", s.Move(ctx, who, in.ID, in.State, in.Text)
}

func (s *Service) postMessage(ctx context.Context, who auth.Caller, in struct {
	ID   id.Ticket     `path:"id"`
	Text string        `json:"text" required:"true" description:"1 to 10,000 characters"`
	To   *[]id.Account `json:"to" description:"parties that see it, besides operators; left out for all, empty for operators alone"`
}) (string, error) {
	var to []id.Account
	if in.To != nil {
		to = append([]id.Account{}, *in.To...)
	}
	return "Message Successfully Sent", s.Write(ctx, who, in.ID, in.Text, to)
}
