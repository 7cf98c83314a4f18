package support

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/notify"
)

const noticeText = 300 // characters of a message that a notification shows

// deliver tells a message to everybody who sees it and did not write it: parties, those it is meant for, the operators who
// wrote in the thread, and of a fresh question all operators.
func (s *Service) deliver(ctx context.Context, t Ticket, m Said, parties []id.Account, fresh bool) error {
	thread, err := s.outline(ctx, t.ID)
	if err != nil {
		return err
	}
	to := slices.Clone(parties)
	if m.Private {
		to = slices.DeleteFunc(to, func(a id.Account) bool { return !m.sees(a) })
		to = append(to, m.To...)
	}
	operators, err := s.accounts.Operators(ctx)
	if err != nil {
		return err
	}
	took := false
	for _, x := range thread {
		if x.Operator && slices.Contains(operators, x.Author) {
			to, took = append(to, x.Author), true
		}
	}
	if fresh && t.Kind == Question || t.Kind == Question && !took && m.Author != "" {
		to = append(to, operators...)
	}
	told := map[id.Account]bool{m.Author: true, "": true}
	for _, a := range to {
		if told[a] {
			continue
		}
		told[a] = true
		if err := s.tell(ctx, t, m, thread, a, slices.Contains(operators, a) && !slices.Contains(parties, a)); err != nil {
			return err
		}
	}
	return nil
}

// tell gives a message to one person, by a notification and a mail that stands in one thread with those before it.
func (s *Service) tell(ctx context.Context, t Ticket, m Said, thread []Said, to id.Account, operator bool) error {
	a, err := s.accounts.Get(ctx, to)
	if fault.Is(err, fault.NotFound) || err == nil && a.Blocked {
		return nil
	}
	if err != nil {
		return err
	}
	author, err := s.nameOf(ctx, m)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("[#%d] %s", t.Number, t.Subject)
	action, page := t.button()
	page = s.cfg.PublicURL + "/console" + page
	if _, err := s.notify.Notify(ctx, notify.Notification{Account: to, Type: notify.System, Title: title, Message: author + ": " + cut(m.Text, noticeText), Ref: t.ref(),
		Buttons: []notify.Button{notify.Link("open", action, page)}, Enabled: true}); err != nil {
		return err
	}
	l := mail.Letter{Subject: title, Greeting: "Hello " + oneLine(a.Name) + ",", Action: action, URL: page,
		Paragraphs: []string{fmt.Sprintf("%s wrote in the ticket #%d at %s:", author, t.Number, s.cfg.Name)},
		After:      []string{"Answer on that page: nobody reads answers to this mail."}}
	for p := range strings.SplitSeq(m.Text, "\n") {
		if p = strings.TrimSpace(p); p != "" {
			l.Paragraphs = append(l.Paragraphs, p)
		}
	}
	msg, err := l.Message(a.Email)
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	msg.Thread = place(t, m, thread, func(x Said) bool { return operator || x.sees(to) })
	return s.mail.Send(ctx, msg)
}

// place is where a message stands in the thread of mails that one reader has: behind the first and the last few that the
// reader sees.
func place(t Ticket, m Said, thread []Said, sees func(Said) bool) mail.Thread {
	const most = 5
	name := func(m Said) string { return "ticket-" + string(t.ID) + "." + string(m.ID) }
	var before []string
	for _, x := range thread {
		if x.seq < m.seq && sees(x) {
			before = append(before, name(x))
		}
	}
	if len(before) > most {
		before = append(before[:1], before[len(before)-most+1:]...)
	}
	return mail.Thread{ID: name(m), Answers: before}
}

// nameOf is how the author of a message is called to others.
func (s *Service) nameOf(ctx context.Context, m Said) (string, error) {
	if m.Author == "" {
		return s.cfg.Name, nil
	}
	name, err := s.person(ctx, m.Author)
	if m.Operator {
		name = "Operator " + name
	}
	return name, err
}

// gone is the name of somebody who deleted the account.
const gone = "Somebody who has left"

func (s *Service) person(ctx context.Context, a id.Account) (string, error) {
	acc, err := s.found(ctx, a)
	return acc.Name, err
}

// found is an account, or one named gone.
func (s *Service) found(ctx context.Context, a id.Account) (account.Account, error) {
	acc, err := s.accounts.Get(ctx, a)
	if fault.Is(err, fault.NotFound) {
		return account.Account{ID: a, Name: gone}, nil
	}
	acc.Name = oneLine(acc.Name)
	return acc, err
}

// oneLine drops from a name what turns text around or begins another line.
func oneLine(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
