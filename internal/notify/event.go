package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/web"
)

const (
	mailLines   = 20
	noticeLines = 5
	mailLife    = 3 * 24 * time.Hour
	mailsAnHour = 30   // of one kind, to one person about one profile
	maxWaiting  = 1000 // posts that wait for one webhook
	maxBody     = 1 << 20
	historyFor  = 30 * 24 * time.Hour
)

// Event is something that happened to a profile or an account, to be told.
type Event struct {
	Profile id.Profile   // "" for what concerns an account only
	To      []id.Account // whom to tell; nil for the audience of the profile
	Kind    Kind
	Title   string // in a few words
	Items   []Item // what happened, at least one: many things of one moment are one event
	Page    string // path of the console's page about it: "/p/<id>"; "" for none
	Action  string // what the link to it says
}

// Item is one thing that happened: a sentence for people, data for webhooks (anything that encodes as JSON, nil for
// none).
type Item struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// Post is the body that a webhook gets.
type Post struct {
	ID           id.Event     `json:"id"`
	Type         Kind         `json:"type"`
	CreatedAt    web.Time     `json:"created_at"`
	Installation Installation `json:"installation"`
	Profile      *Named       `json:"profile"`
	Title        string       `json:"title"`
	Items        []Item       `json:"items"`
}

// Installation says which Paddock posts.
type Installation struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Named is a profile in a post.
type Named struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name"`
}

// Raise tells an event, in the transaction of ctx or one of its own: what it writes is the mails, notifications and
// posts themselves, so they go out if and only if that commits. Of a profile that is gone nothing is told.
func (s *Service) Raise(ctx context.Context, e Event) error {
	if len(e.Items) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		now := s.now()
		post := Post{ID: id.New[id.Event](), Type: e.Kind, CreatedAt: web.Millis(now), Installation: Installation{s.cfg.Name, s.cfg.PublicURL},
			Title: line(e.Title, maxTitle), Items: slices.Clone(e.Items)}
		for i := range post.Items {
			post.Items[i].Message = line(post.Items[i].Message, maxMessage)
		}
		to := e.To
		var owner id.Account
		if e.Profile != "" {
			p, err := s.profiles.Get(ctx, e.Profile)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			owner, post.Profile = p.Account, &Named{p.ID, p.Name}
			if to == nil {
				if to, err = s.audience(ctx, e.Profile); err != nil {
					return err
				}
			}
		}
		told := map[id.Account]bool{}
		for _, a := range to {
			if a == "" || told[a] {
				continue
			}
			told[a] = true
			if err := s.tell(ctx, a, e, post); err != nil {
				return err
			}
		}
		crash.At("event told to people, not to webhooks")
		return s.postAll(ctx, e, post, owner, told)
	})
}

// tell gives an event to one person, as that person chose.
func (s *Service) tell(ctx context.Context, to id.Account, e Event, post Post) error {
	a, err := s.accounts.Get(ctx, to)
	if fault.Is(err, fault.NotFound) || err == nil && a.Blocked {
		return nil
	}
	if err != nil {
		return err
	}
	all, own, err := s.personalOf(ctx, to, e.Profile)
	if err != nil {
		return err
	}
	d := delivery{profile: e.Profile, account: to, event: post.ID, kind: e.Kind, title: post.Title, at: s.now()}
	if wants(Notice, e.Kind, all, own) {
		n := Notification{Account: to, Profile: e.Profile, Type: System, Title: s.subject(post), Message: lines(post.Items, noticeLines, "\n")}
		if e.Page != "" {
			n.Buttons, n.Enabled = []Button{Link("open", e.Action, s.page(e.Page))}, true
		}
		if n, err = s.Notify(ctx, n); err != nil {
			return err
		}
		d.id, d.channel, d.status, d.attempts, d.doneAt = id.New[id.Delivery](), Notice, Delivered, 1, d.at
		if err := s.insertDelivery(ctx, d); err != nil {
			return err
		}
	}
	if !wants(Mail, e.Kind, all, own) {
		return nil
	}
	d.id, d.channel, d.target, d.status, d.attempts, d.doneAt = id.New[id.Delivery](), Mail, a.Email, Waiting, 0, 0
	sent, err := s.mailsSince(ctx, d, d.at-time.Hour.Milliseconds())
	if err != nil {
		return err
	}
	if sent >= mailsAnHour {
		d.status, d.doneAt, d.reason = Held, d.at, fmt.Sprintf("more than %d mails of this kind in an hour", mailsAnHour)
		return s.insertDelivery(ctx, d)
	}
	if !s.mail.Configured() {
		d.reason = "waits in the outbox of whoever runs this server: no mail server is configured"
	}
	if err := s.insertDelivery(ctx, d); err != nil {
		return err
	}
	m, err := s.letter(a, e, post)
	if err != nil {
		return err
	}
	m.Ref = d.ref()
	return s.mail.Send(ctx, m)
}

// subject names the profile before what happened.
func (s *Service) subject(post Post) string {
	if post.Profile == nil {
		return post.Title
	}
	return line(post.Profile.Name, 100) + ": " + post.Title
}

// letter writes an event to a person. It names the installation and the profile; every text in it is one line.
func (s *Service) letter(a account.Account, e Event, post Post) (mail.Message, error) {
	l := mail.Letter{Subject: line(s.cfg.Name, 100) + ": " + s.subject(post), Greeting: "Hello " + line(a.Name, 100) + ",", Life: mailLife}
	where := "your account at " + line(s.cfg.Name, 100)
	choose := "/notifications"
	if post.Profile != nil {
		where = fmt.Sprintf("the profile %s at %s", line(post.Profile.Name, 100), line(s.cfg.Name, 100))
		choose = "/p/" + string(post.Profile.ID) + "/alerts"
	}
	l.Paragraphs = append(l.Paragraphs, "This is about "+where+".")
	for _, i := range post.Items[:min(mailLines, len(post.Items))] {
		l.Paragraphs = append(l.Paragraphs, i.Message)
	}
	if more := len(post.Items) - mailLines; more > 0 {
		l.Paragraphs = append(l.Paragraphs, fmt.Sprintf("And %d more.", more))
	}
	if e.Page != "" {
		l.Action, l.URL = line(e.Action, 100), s.page(e.Page)
	}
	l.After = append(l.After, "Choose what you are told: "+s.page(choose))
	return l.Message(a.Email)
}

// page is the address of a page of the console.
func (s *Service) page(path string) string { return s.cfg.PublicURL + "/console" + path }

// lines joins the sentences of items.
func lines(items []Item, most int, sep string) string {
	var out []string
	for _, i := range items[:min(most, len(items))] {
		out = append(out, i.Message)
	}
	if more := len(items) - most; more > 0 {
		out = append(out, fmt.Sprintf("And %d more.", more))
	}
	return strings.Join(out, sep)
}

// postAll gives an event to the webhook of its profile, else to that of the profile's owner; what concerns accounts
// only, to theirs.
func (s *Service) postAll(ctx context.Context, e Event, post Post, owner id.Account, told map[id.Account]bool) error {
	var hooks []hook
	if e.Profile != "" {
		h, ok, err := s.hookFor(ctx, e.Profile, owner)
		if err != nil {
			return err
		}
		if ok {
			hooks = append(hooks, h)
		}
	} else {
		for a := range told {
			h, ok, err := s.findHook(ctx, ofAccount(a))
			if err != nil {
				return err
			}
			if ok {
				h.account = a
				hooks = append(hooks, h)
			}
		}
	}
	for _, h := range hooks {
		if v, said := h.kinds[e.Kind]; said && !v || h.url == "" {
			continue
		}
		body, err := json.Marshal(post)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		d := delivery{id: id.New[id.Delivery](), profile: e.Profile, account: h.account, subject: h.subject, event: post.ID, kind: e.Kind, title: post.Title,
			channel: Webhook, target: origin(h.url), body: string(body), status: Waiting, at: s.now(), nextAt: s.now()}
		waiting, err := s.waiting(ctx, h.subject)
		if err != nil {
			return err
		}
		switch {
		case waiting >= maxWaiting:
			d.status, d.doneAt, d.body, d.reason = Held, d.at, "", fmt.Sprintf("more than %d posts wait for this address", maxWaiting)
		case len(body) > maxBody:
			d.status, d.doneAt, d.body, d.reason = Failed, d.at, "", "the event is too large to be posted"
		}
		if err := s.insertDelivery(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// hookFor is where events of a profile are posted to.
func (s *Service) hookFor(ctx context.Context, p id.Profile, owner id.Account) (hook, bool, error) {
	h, ok, err := s.findHook(ctx, ofProfile(p))
	if err == nil && !ok {
		h, ok, err = s.findHook(ctx, ofAccount(owner))
	}
	h.account = owner
	return h, ok, err
}

// mailed records what became of a mail, inside the transaction that does so. It is for mail.Mailer.OnOutcome.
func (s *Service) mailed(ctx context.Context, o mail.Outcome) error {
	p, d, ok := fromRef(o.Ref)
	if !ok {
		return nil
	}
	status, done := Waiting, int64(0)
	if o.Over {
		status, done = Failed, s.now()
		if o.Sent {
			status = Delivered
		}
	}
	return s.setDelivery(ctx, p, d, status, o.Attempts, 0, o.Reason, done)
}
