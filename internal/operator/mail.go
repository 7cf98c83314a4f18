package operator

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/mail"
)

const mailsPerHour = 20 // test mails of an operator

// MailTest is what came of a test mail.
type MailTest struct {
	Sent    bool    `json:"sent"`
	To      string  `json:"to"`
	Server  string  `json:"server"`
	Answer  string  `json:"answer" description:"what the mail server said, or why it said nothing"`
	Seconds float64 `json:"seconds"`
}

// postMail sends a mail past the outbox, to the operator who asks and nobody else. That the server refuses it is no failure of
// the request: it is the answer.
func (s *Service) postMail(ctx context.Context, who auth.Caller, _ struct{}) (MailTest, error) {
	if err := operator(who); err != nil {
		return MailTest{}, err
	}
	acc, err := s.rooms.Accounts.Get(ctx, who.AccountID)
	if err != nil {
		return MailTest{}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.rooms.Accounts.Allow(ctx, "test mail", string(who.AccountID), mailsPerHour, "Too many test mails within an hour"); err != nil {
			return err
		}
		return s.record(ctx, who, "server", "", "Test mail sent to "+acc.Email)
	})
	if err != nil {
		return MailTest{}, err
	}
	l := mail.Letter{Subject: s.cfg.Name + ": a test mail", Greeting: "Hello " + acc.Name + ",",
		Paragraphs: []string{"you asked for this mail on the operator's page of " + s.cfg.Name + ". It came, so mail works."}}
	m, err := l.Message(acc.Email)
	if err != nil {
		return MailTest{}, fmt.Errorf("write a letter: %w", err)
	}
	began := time.Now()
	out := MailTest{To: acc.Email, Server: s.rooms.Mail.Describe()}
	out.Answer, err = s.rooms.Mail.Try(ctx, m)
	out.Sent = err == nil
	if err != nil {
		out.Answer = err.Error()
	}
	out.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	return out, nil
}
