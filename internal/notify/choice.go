package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// Kind is what an event is about; people choose by it.
type Kind string

const (
	Limit     Kind = "limit"     // a service has reached a threshold
	Silent    Kind = "silent"    // a device has sent nothing for longer than it should
	Recovered Kind = "recovered" // it sends again
	Token     Kind = "token"     // a token expires soon
	Team      Kind = "team"      // somebody joined, declined, left or was removed
	Billing   Kind = "billing"   // an invoice, a change of what the account may use
	Budget    Kind = "budget"    // a cost has reached a share of its budget
	Overrun   Kind = "overrun"   // a cost is expected to end above its budget
	Backup    Kind = "backup"    // a scheduled backup failed, is missing, or is made again
	Other     Kind = "system"    // anything else that Paddock tells
	trialKind Kind = "test"
)

// Kinds are those one can choose by.
var Kinds = []Kind{Limit, Silent, Recovered, Token, Team, Other, Billing, Budget, Overrun, Backup}

// Channel is how somebody is told.
type Channel string

const (
	Mail    Channel = "mail"
	Notice  Channel = "notice"
	Webhook Channel = "webhook"
)

// Choices are what somebody has said, by kind; what is absent follows what is above it, and in the end is on.
type Choices map[Kind]bool

// personal are a person's choices, as they are stored.
type personal struct {
	Mail   Choices `json:"mail,omitempty"`
	Notice Choices `json:"notice,omitempty"`
}

func (p personal) of(c Channel) Choices {
	if c == Mail {
		return p.Mail
	}
	return p.Notice
}

// wants is the choice that counts: the profile's, else that of all profiles, else on.
func wants(c Channel, k Kind, all, own personal) bool {
	if v, said := own.of(c)[k]; said {
		return v
	}
	if v, said := all.of(c)[k]; said {
		return v
	}
	return true
}

// filled is a choice for every kind.
func filled(c Channel, all, own personal) map[Kind]bool {
	out := map[Kind]bool{}
	for _, k := range Kinds {
		out[k] = wants(c, k, all, own)
	}
	return out
}

// change applies what was sent: true, false, or null to say nothing any more.
func (c Choices) change(field string, sent map[Kind]*bool) (Choices, error) {
	out := Choices{}
	for k, v := range c {
		out[k] = v
	}
	for k, v := range sent {
		if !slices.Contains(Kinds, k) {
			return nil, fault.Field(field, "%.40q is no kind; there are %s", string(k), kindNames())
		}
		if v == nil {
			delete(out, k)
		} else {
			out[k] = *v
		}
	}
	return out, nil
}

func kindNames() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// personalOf reads what a person chose for all profiles, and for one.
func (s *Service) personalOf(ctx context.Context, a id.Account, p id.Profile) (all, own personal, err error) {
	type stored struct {
		profile id.Profile
		text    string
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x stored, err error) { return x, r.Scan(&x.profile, &x.text) },
		`SELECT profile, choices FROM notify_choice WHERE account = $1 AND profile IN ('', $2)`, a, p)
	for _, r := range rows {
		to := &all
		if r.profile != "" {
			to = &own
		}
		if err := json.Unmarshal([]byte(r.text), to); err != nil {
			return all, own, fmt.Errorf("choices of %s: %w", a, err)
		}
	}
	return all, own, err
}

// choose changes what a person is told of a profile, or of all when p is "".
func (s *Service) choose(ctx context.Context, who auth.Caller, p id.Profile, mail, notice map[Kind]*bool) error {
	if len(mail) == 0 && len(notice) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		all, own, err := s.personalOf(ctx, who.AccountID, p)
		if err != nil {
			return err
		}
		was := own
		if p == "" {
			was = all
		}
		now := was
		if now.Mail, err = was.Mail.change("mail", mail); err != nil {
			return err
		}
		if now.Notice, err = was.Notice.change("notice", notice); err != nil {
			return err
		}
		text, err := json.Marshal(now)
		if err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `INSERT INTO notify_choice (account, profile, choices, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, profile) DO UPDATE SET choices = excluded.choices, updated_at = excluded.updated_at`, who.AccountID, p, string(text), s.now())
		if err != nil {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Profile: p, Account: who.AccountID, Resource: "notify", Message: "Choice of what one is told changed", Before: was, After: now})
	})
}
