package transfer

import (
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/team"
	"paddock/internal/token"
)

// State is how far a hand-over has come.
type State string

// The states; docs/transfer.md tells what each means to whom.
const (
	Requested State = "requested" // waits for the receiver
	Accepted  State = "accepted"  // waits for an operator
	Completed State = "completed" // the profile is the receiver's
	Declined  State = "declined"  // by the receiver or an operator
	Cancelled State = "cancelled" // by the owner, or because profile or account are gone
	Expired   State = "expired"   // nobody answered in time
	Undone    State = "undone"    // the profile is back
)

var states = []State{Requested, Accepted, Completed, Declined, Cancelled, Expired, Undone}

func (s State) open() bool { return s == Requested || s == Accepted }

// Policy says whether acceptance is enough.
type Policy string

// The policies of an installation.
const (
	SelfService Policy = "self-service" // it is
	Review      Policy = "review"       // an operator approves each
)

const (
	life       = 7 * 24 * time.Hour // of a request, and of an acceptance that waits for an operator
	undoFor    = 24 * time.Hour
	keepNames  = 90 * 24 * time.Hour // names of people in what has ended, and what did not come about
	maxMessage = 1000                // characters
	maxReason  = 500
	maxChoices = 3000 // tokens and people, of each kind

	requestsPerHour = 20 // by one account
	mailsPerHour    = 5  // to one mailbox, from wherever
)

// Transfer is one hand-over.
type Transfer struct {
	ID          id.Transfer
	Profile     id.Profile
	Name        string     // of the profile when it was asked for
	Source      id.Account // gives
	Address     string     // where the receiver reads mail, lower case
	Destination id.Account // receives; "" until somebody with that address has answered
	Ticket      id.Ticket
	State       State
	Message     string
	Reason      string
	Choices     Choices
	Outcome     Outcome
	kept        kept

	RequestedAt     int64 // UTC milliseconds; 0 for what has not happened
	ExpiresAt       int64
	AcceptedAt      int64
	CompletedAt     int64
	EndedAt         int64
	UndoSource      int64 // when the one who gave agreed to undo it
	UndoDestination int64
}

// at is the state at an instant: what is past its date has expired even before anybody notes that.
func (t Transfer) at(now int64) State {
	if t.State.open() && t.ExpiresAt <= now {
		return Expired
	}
	return t.State
}

// Choices are what a receiver says of those who would lose access. Who is not named loses it.
type Choices struct {
	FormerOwner team.Fate                `json:"former_owner"`
	Tokens      map[id.Token]token.Fate  `json:"tokens,omitempty"`
	People      map[id.Account]team.Fate `json:"people,omitempty"`
}

// check fills in what is left out and returns Invalid for a fate that is none.
func (c *Choices) check() error {
	if c.FormerOwner == "" {
		c.FormerOwner = team.End
	}
	switch c.FormerOwner {
	case team.End, team.AsDeveloper, team.AsViewer:
	default:
		return fault.Field("former_owner", "must be developer, viewer or end")
	}
	if len(c.Tokens) > maxChoices {
		return fault.Field("tokens", "must be at most %d", maxChoices)
	}
	if len(c.People) > maxChoices {
		return fault.Field("people", "must be at most %d", maxChoices)
	}
	for t, f := range c.Tokens {
		if !id.Valid(string(t)) {
			return fault.Field("tokens", "%q is not the id of a token", clip(string(t)))
		}
		if f != token.End && f != token.Adopt && f != token.Overlap {
			return fault.Field("tokens."+string(t), "must be end, adopt or overlap")
		}
	}
	for a, f := range c.People {
		if !id.Valid(string(a)) {
			return fault.Field("people", "%q is not the id of an account", clip(string(a)))
		}
		if f != team.End && f != team.Adopt && f != team.Overlap {
			return fault.Field("people."+string(a), "must be end, adopt or overlap")
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// Outcome names who and what stayed and ended, after a hand-over.
type Outcome struct {
	Tokens []TokenFate  `json:"tokens"`
	People []PersonFate `json:"people"`
}

// TokenFate is what became of a token of the profile.
type TokenFate struct {
	ID      id.Token   `json:"id"`
	Name    string     `json:"name"`
	Tail    string     `json:"tail" description:"its last four characters"`
	Fate    token.Fate `json:"fate" enum:"end,adopt,overlap"`
	Unasked bool       `json:"unasked" description:"the receiver had not been asked about it: it appeared after looking"`
}

// PersonFate is what became of a person's access.
type PersonFate struct {
	Account id.Account `json:"account"`
	Name    string     `json:"name"`
	Fate    team.Fate  `json:"fate" enum:"end,adopt,overlap,developer,viewer"`
	Unasked bool       `json:"unasked"`
}

// kept is what an undo needs of the rooms that ended something.
type kept struct {
	Tokens *token.Left `json:"tokens,omitempty"`
	Team   *team.Left  `json:"team,omitempty"`
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}
