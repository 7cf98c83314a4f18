package support

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "support", FS: migrations} }

// Config is what the room must know of the installation.
type Config struct {
	PublicURL string       // where links in mails lead; no slash at the end
	Name      string       // of the installation; "Paddock" when empty
	Access    Access       // whether operators may look into profiles; Logged when empty
	Log       *slog.Logger // slog.Default() when nil
}

// Service knows tickets and looks. It is safe for concurrent use once the hooks are registered.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	notify   *notify.Service
	audit    *audit.Log
	mail     *mail.Mailer
	cfg      Config
	clock    clock.Clock

	looks *sqldb.Cache[*Look] // by pair; nil: none
	trail trail
}

// New makes the room.
func New(db *sqldb.DB, accounts *account.Service, profiles *profile.Service, notices *notify.Service, log *audit.Log, mailer *mail.Mailer, cfg Config, clk clock.Clock) *Service {
	if cfg.Name == "" {
		cfg.Name = "Paddock"
	}
	if cfg.Access == "" {
		cfg.Access = Logged
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Service{db: db, accounts: accounts, profiles: profiles, notify: notices, audit: log, mail: mailer, cfg: cfg, clock: clk, trail: trail{seen: map[string]int64{}}}
	s.looks = sqldb.NewCache(db, lookKind, 10_000, func(ctx context.Context, key string) (*Look, error) {
		p, a, _ := strings.Cut(key, "/")
		return s.activeLook(ctx, id.Profile(p), id.Account(a))
	})
	profiles.SetLooks(s)
	profiles.OnDelete(s.profileDeleted)
	profiles.OnHandover(func(ctx context.Context, _ auth.Caller, h profile.Handover) error {
		return s.EndLooks(ctx, h.Profile.ID)
	})
	notices.OnButtonOf(lookRef, s.pressed)
	accounts.OnDelete(s.accountDeleted)
	return s
}

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.Every("tickets of nobody", time.Hour, s.Tidy)
	r.EachNode("what operators looked at", time.Second, s.Flush)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// Open makes a ticket with its first message, in the transaction of ctx or one of its own. Of a question the opener wrote that
// and all operators are told; of anything else Paddock did and the opener is told. It returns Invalid for a bad kind, subject
// or text.
func (s *Service) Open(ctx context.Context, who auth.Caller, o Opening) (Ticket, error) {
	if err := o.check(); err != nil {
		return Ticket{}, err
	}
	var t Ticket
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) (err error) {
		t, err = s.open(ctx, who, o)
		return err
	})
	return t, err
}

func (s *Service) open(ctx context.Context, who auth.Caller, o Opening) (Ticket, error) {
	now := s.now()
	number, err := s.nextNumber(ctx)
	if err != nil {
		return Ticket{}, fmt.Errorf("number a ticket: %w", err)
	}
	t := Ticket{ID: id.New[id.Ticket](), Number: number, Kind: o.Kind, Ref: o.Ref, Opener: o.Account, Profile: o.Profile, Subject: o.Subject, State: Opened, CreatedAt: now, UpdatedAt: now}
	if err := s.insert(ctx, t); err != nil {
		return Ticket{}, fmt.Errorf("insert a ticket: %w", err)
	}
	if err := s.insertParty(ctx, t.ID, t.Opener, now); err != nil {
		return Ticket{}, err
	}
	m := Message{Text: o.Text}
	if o.Kind == Question {
		m.From = o.Account
	}
	if err := s.say(ctx, &t, m, false, true); err != nil {
		return Ticket{}, err
	}
	return t, s.record(ctx, who, t, "opened")
}

// Join makes an account a party of a ticket, in the transaction of ctx or one of its own: from now on it sees the thread, the
// earlier messages too but for those with an audience of others, and is told what is new. Whoever is a party stays one.
func (s *Service) Join(ctx context.Context, ticket id.Ticket, a id.Account) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		t, err := s.hold(ctx, ticket)
		if err != nil {
			return err
		}
		all, err := s.parties(ctx, t)
		if err != nil || slices.Contains(all, a) {
			return err
		}
		if len(all) >= maxParties {
			return fault.New(fault.LimitReached, "A ticket has at most %d parties", maxParties)
		}
		return s.insertParty(ctx, t.ID, a, s.now())
	})
}

// Tell writes a message, in the transaction of ctx or one of its own, and tells those who see it. It changes no state. It
// returns Invalid for a bad text, and not_found.
func (s *Service) Tell(ctx context.Context, ticket id.Ticket, m Message) error {
	if err := checkText(&m.Text); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		t, err := s.hold(ctx, ticket)
		if err != nil {
			return err
		}
		return s.say(ctx, &t, m, false, false)
	})
}

// Close ends a ticket with a last word of Paddock's to all parties, in the transaction of ctx or one of its own. Closing one
// that is closed does nothing.
func (s *Service) Close(ctx context.Context, who auth.Caller, ticket id.Ticket, text string) error {
	if err := checkText(&text); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		t, err := s.hold(ctx, ticket)
		if err != nil || t.State == Closed {
			return err
		}
		t.State, t.ClosedAt = Closed, s.now()
		if err := s.say(ctx, &t, Message{Text: text}, false, false); err != nil {
			return err
		}
		return s.record(ctx, who, t, "closed")
	})
}

// say writes a message into a ticket that the transaction holds, with whatever else of it has changed, and tells those who see
// it. A fresh question is told to all operators.
func (s *Service) say(ctx context.Context, t *Ticket, m Message, operator, fresh bool) error {
	now := s.now()
	t.messages++
	t.UpdatedAt = now
	said := Said{ID: id.New[id.Message](), Author: m.From, Operator: operator, Text: m.Text, At: now, Private: m.To != nil, To: m.To, seq: t.messages}
	if err := s.insertMessage(ctx, t.ID, said); err != nil {
		return fmt.Errorf("insert a message: %w", err)
	}
	if err := s.put(ctx, *t); err != nil {
		return err
	}
	all, err := s.parties(ctx, *t)
	if err != nil {
		return err
	}
	for _, a := range all {
		if said.sees(a) {
			if err := s.touch(ctx, t.ID, a, now); err != nil {
				return err
			}
		}
	}
	return s.deliver(ctx, *t, said, all, fresh)
}

// record writes what happened to a ticket into the audit log of its opener. What was said stays in the thread.
func (s *Service) record(ctx context.Context, who auth.Caller, t Ticket, what string) error {
	return s.audit.Write(ctx, operatorOf(who, t.Opener), audit.Event{Account: t.Opener, Resource: "ticket", ResourceID: string(t.ID), Message: fmt.Sprintf("Ticket #%d %s", t.Number, what),
		After: map[string]any{"number": t.Number, "kind": t.Kind, "state": t.State}})
}

// operatorOf is the caller as the audit log of an account is to know it.
func operatorOf(who auth.Caller, a id.Account) auth.Caller {
	if who.Operator && who.Kind == auth.Session && who.AccountID != a {
		who.Kind = audit.Operator
	}
	return who
}

// accountDeleted takes a person out of all tickets. It is a hook. Tickets that nobody is left in are removed by Tidy.
func (s *Service) accountDeleted(ctx context.Context, _ auth.Caller, a id.Account) error {
	_, err := s.db.Exec(ctx, `DELETE FROM ticket_party WHERE account = $1`, a)
	return err
}

// Tidy removes the tickets whose parties have all deleted their accounts.
func (s *Service) Tidy(ctx context.Context) error {
	const slice = 50
	for {
		ts, err := s.forsaken(ctx, slice)
		if err != nil || len(ts) == 0 {
			return err
		}
		for _, t := range ts {
			err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, ""), maxMessages), func(ctx context.Context) error {
				if _, err := s.db.Exec(ctx, `DELETE FROM ticket_message WHERE ticket = $1`, t); err != nil {
					return err
				}
				_, err := s.db.Exec(ctx, `DELETE FROM ticket WHERE id = $1`, t)
				return err
			})
			if err != nil {
				return fmt.Errorf("remove a ticket of nobody: %w", err)
			}
		}
	}
}
