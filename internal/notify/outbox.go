package notify

import (
	"context"
	"regexp"
	"strings"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/web"
)

// The outbox holds every mail that has not been delivered: all of them where no mail server is configured. Operators
// pass links on by hand, so the list says which mails hold one; the link itself, which may let somebody in, is asked for
// one by one and leaves a line in the audit log of the operator.

// Queued is a mail in the outbox.
type Queued struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Attempts  int64     `json:"attempts"`
	Refused   bool      `json:"refused" description:"the server refuses the recipient for good: no more attempts by themselves"`
	Reason    *string   `json:"reason" description:"what the last attempt met"`
	HasLink   bool      `json:"has_link" description:"GET /outbox/{id} shows it"`
	CreatedAt web.Time  `json:"created_at"`
	NextAt    *web.Time `json:"next_at" description:"of the next attempt; null when there will be none"`
	ExpiresAt web.Time  `json:"expires_at" description:"it is deleted then"`
}

// Outbox is the operator's view.
type Outbox struct {
	MailServer *string  `json:"mail_server" description:"null when none is configured: then mails wait until they expire"`
	Mails      []Queued `json:"mails"`
}

// link finds the address that a letter asks its reader to open: one of ours on a line of its own.
func (s *Service) link(text string) string {
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, s.cfg.PublicURL+"/") && ourLink.MatchString(l) {
			return l
		}
	}
	return ""
}

var ourLink = regexp.MustCompile(`^https?://[^\s]+$`)

func (s *Service) queued(m mail.Queued) Queued {
	q := Queued{ID: m.ID, To: m.To, Subject: m.Subject, Attempts: m.Attempts, Refused: m.Refused, HasLink: s.link(m.Text) != "",
		CreatedAt: web.Time(m.CreatedAt), ExpiresAt: web.Time(m.ExpiresAt)}
	if m.LastError != "" {
		q.Reason = &m.LastError
	}
	if s.mail.Configured() && !m.Refused {
		t := web.Time(m.NextAt)
		q.NextAt = &t
	}
	return q
}

// operator refuses every session but those of operators.
func operator(who auth.Caller) error {
	if !who.Operator { // the rule of the routes lets sessions only in
		return auth.LacksOperator()
	}
	return nil
}

func (s *Service) outboxRoute(ctx context.Context, who auth.Caller, in struct{ List web.List }) (Outbox, error) {
	if err := operator(who); err != nil {
		return Outbox{}, err
	}
	if err := unfiltered(in.List); err != nil {
		return Outbox{}, err
	}
	in.List.Cap(maxAmount)
	ms, err := s.mail.Page(ctx, in.List.Limit(), in.List.Offset())
	if err != nil {
		return Outbox{}, err
	}
	out := Outbox{Mails: make([]Queued, len(ms))}
	for i, m := range ms {
		out.Mails[i] = s.queued(m)
	}
	if s.mail.Configured() {
		d := s.mail.Describe()
		out.MailServer = &d
	}
	return out, nil
}

type mailPath struct {
	ID string `path:"id"`
}

// QueuedLink is a mail with its link.
type QueuedLink struct {
	Queued
	Link *string `json:"link" description:"what the reader is asked to open; whoever has it may act on it"`
}

func (s *Service) mailRoute(ctx context.Context, who auth.Caller, in mailPath) (QueuedLink, error) {
	if err := operator(who); err != nil {
		return QueuedLink{}, err
	}
	m, err := s.mail.Find(ctx, in.ID)
	if err != nil {
		return QueuedLink{}, err
	}
	out := QueuedLink{Queued: s.queued(m)}
	if l := s.link(m.Text); l != "" {
		out.Link = &l
		err = s.auditMail(ctx, who, m, "Link of a mail read")
	}
	return out, err
}

func (s *Service) retryRoute(ctx context.Context, who auth.Caller, in mailPath) (string, error) {
	return "Tried again at once", s.onMail(ctx, who, in.ID, "Mail tried again", s.mail.Retry)
}

func (s *Service) discardRoute(ctx context.Context, who auth.Caller, in mailPath) (string, error) {
	return "Successfully Removed", s.onMail(ctx, who, in.ID, "Mail discarded", s.mail.Discard)
}

func (s *Service) onMail(ctx context.Context, who auth.Caller, id, message string, do func(ctx context.Context, id string) error) error {
	if err := operator(who); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		m, err := s.mail.Find(ctx, id)
		if err != nil {
			return err
		}
		if err := do(ctx, id); err != nil {
			return err
		}
		return s.auditMail(ctx, who, m, message)
	})
}

func (s *Service) auditMail(ctx context.Context, who auth.Caller, m mail.Queued, message string) error {
	return s.audit.Write(ctx, who, audit.Event{Account: who.AccountID, Resource: "mail", ResourceID: m.ID, Message: message, After: map[string]any{"to": m.To, "subject": m.Subject}})
}
