package support

import (
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
)

const (
	maxSubject  = 150
	maxText     = 10_000
	maxMessages = 500 // of a ticket, by people; Paddock's own always fit
	maxOpen     = 50  // questions of an account that are not closed
	maxParties  = 20

	asksPerHour   = 10 // questions opened by an account
	writesPerHour = 60 // messages written by an account
)

// Kind is what a ticket is about.
type Kind string

const (
	Question Kind = "question" // somebody asks whoever runs the server
	Transfer Kind = "transfer" // a profile goes to another account; Ref is the transfer
)

func (k Kind) valid() bool { return k == Question || k == Transfer }

// State is whose turn it is.
type State string

const (
	Opened   State = "open"     // a party wrote last
	Answered State = "answered" // an operator wrote last
	Closed   State = "closed"
)

func (s State) valid() bool { return s == Opened || s == Answered || s == Closed }

// Ticket is a conversation.
type Ticket struct {
	ID        id.Ticket
	Number    int64 // counted over the installation, from 1
	Kind      Kind
	Ref       string // of a transfer its id
	Opener    id.Account
	Profile   id.Profile // what it is about; "" for none
	Subject   string
	State     State
	CreatedAt int64 // UTC milliseconds
	UpdatedAt int64 // of the last message that the caller sees
	ClosedAt  int64 // 0 while it is not closed

	messages int64
}

// ref names the ticket to notifications.
func (t Ticket) ref() string { return "ticket/" + string(t.ID) }

// page is the console's page about it.
func (t Ticket) page() string { return "/support/" + string(t.ID) }

// button is where a message of the ticket leads and what it says there: of a transfer the page where it is answered.
func (t Ticket) button() (action, page string) {
	if t.Kind == Transfer {
		return "Look at the transfer", "/transfer/" + t.Ref
	}
	return "Open the ticket", t.page()
}

// Opening makes a ticket.
type Opening struct {
	Kind    Kind
	Ref     string
	Account id.Account // the opener, its first party
	Profile id.Profile
	Subject string // a line of up to 150 characters
	Text    string // the first message: of a question the opener's, else Paddock's own
}

func (o *Opening) check() error {
	o.Subject = strings.TrimSpace(o.Subject)
	if !o.Kind.valid() {
		return fault.Field("kind", "must be question or transfer")
	}
	if err := check.Line("subject", o.Subject, 1, maxSubject); err != nil {
		return err
	}
	return checkText(&o.Text)
}

// checkText tidies what somebody wrote and bounds it.
func checkText(text *string) error {
	*text = strings.TrimSpace(strings.ReplaceAll(*text, "\r\n", "\n"))
	if *text == "" {
		return fault.Field("text", "is required")
	}
	return check.Prose("text", *text, maxText)
}

// Message is what is to be said in a ticket.
type Message struct {
	From id.Account   // "" for Paddock itself
	Text string       // 1 to 10,000 characters
	To   []id.Account // who sees it, besides the author and operators; nil for all parties
}

// Said is a message of a thread.
type Said struct {
	ID       id.Message
	Author   id.Account // "" for Paddock itself
	Operator bool       // written as an operator
	Text     string
	At       int64 // UTC milliseconds
	Private  bool  // only To, the author and operators see it
	To       []id.Account

	seq int64
}

// sees reports whether a party sees a message.
func (m Said) sees(a id.Account) bool {
	if !m.Private || m.Author == a {
		return true
	}
	for _, b := range m.To {
		if a == b {
			return true
		}
	}
	return false
}

// encodeAudience keeps an audience in one text; "" is everybody, "," nobody but operators.
func encodeAudience(to []id.Account) string {
	if to == nil {
		return ""
	}
	var b strings.Builder
	b.WriteByte(',')
	for _, a := range to {
		b.WriteString(string(a))
		b.WriteByte(',')
	}
	return b.String()
}

func decodeAudience(s string) (to []id.Account, private bool) {
	if s == "" {
		return nil, false
	}
	for a := range strings.SplitSeq(s, ",") {
		if a != "" {
			to = append(to, id.Account(a))
		}
	}
	return to, true
}

var notFound = fault.New(fault.NotFound, "Ticket Not Found")

func tooFast(what string, most int, after time.Duration) error {
	return fault.New(fault.TooMany, "At most %d %s an hour: try again later", most, what).After(after)
}
