package notify

import (
	"context"
	"encoding/json"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

const (
	trialEvery = 10 * time.Second // of an account
	maxTrials  = 10_000           // accounts that are remembered
)

// Trial is what a test met at one channel.
type Trial struct {
	Channel Channel `json:"channel" enum:"mail,notice,webhook"`
	OK      bool    `json:"ok"`
	Detail  string  `json:"detail" description:"where it went, or what it met"`
}

// Try tells the caller something by each channel, at once and whatever was chosen, and says what happened. p is "" for
// the channels of the account. It returns too_many when the account tried a moment ago.
func (s *Service) Try(ctx context.Context, who auth.Caller, p id.Profile) ([]Trial, error) {
	if err := s.mayTry(who.AccountID); err != nil {
		return nil, err
	}
	a, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	post := Post{ID: id.New[id.Event](), Type: trialKind, CreatedAt: web.Millis(now), Installation: Installation{s.cfg.Name, s.cfg.PublicURL}, Title: "Test",
		Items: []Item{{Message: "This is a test. Alerts reach you this way."}}}
	e := Event{Profile: p, Kind: trialKind}
	owner := who.AccountID
	if p != "" {
		pr, err := s.profiles.Get(ctx, p)
		if err != nil {
			return nil, err
		}
		owner, post.Profile = pr.Account, &Named{pr.ID, pr.Name}
	}
	d := delivery{profile: p, account: a.ID, event: post.ID, kind: trialKind, title: post.Title, at: now, doneAt: now, attempts: 1}
	var out []Trial
	record := func(c Channel, target, subject string, failure string, ok string) error {
		d.id, d.channel, d.target, d.subject, d.status, d.reason = id.New[id.Delivery](), c, target, subject, Delivered, ""
		detail := ok
		if failure != "" {
			d.status, d.reason, detail = Failed, line(failure, maxReason), line(failure, maxReason)
		}
		out = append(out, Trial{c, failure == "", detail})
		return s.insertDelivery(ctx, d)
	}

	m, err := s.letter(a, e, post)
	if err != nil {
		return nil, err
	}
	failure := ""
	if err := s.mail.Now(ctx, m); err != nil {
		failure = err.Error()
	}
	if err := record(Mail, a.Email, "", failure, "sent to "+a.Email); err != nil {
		return nil, err
	}

	if _, err := s.Notify(ctx, Notification{Account: a.ID, Profile: p, Type: System, Title: s.subject(post), Message: post.Items[0].Message}); err != nil {
		return nil, err
	}
	if err := record(Notice, "", "", "", "in your notifications"); err != nil {
		return nil, err
	}

	var h hook
	var there bool
	if p != "" {
		h, there, err = s.hookFor(ctx, p, owner)
	} else {
		h, there, err = s.findHook(ctx, ofAccount(owner))
	}
	if err != nil {
		return nil, err
	}
	if !there || h.url == "" {
		return append(out, Trial{Webhook, false, "no webhook is set"}), nil
	}
	body, err := json.Marshal(post)
	if err != nil {
		return nil, err
	}
	o := s.send(ctx, h, post.ID, trialKind, id.New[id.Delivery](), body)
	d.account = owner
	return out, record(Webhook, origin(h.url), h.subject, o.reason, "taken by "+origin(h.url))
}

// mayTry lets an account test once in a while: each test posts to an address and sends a mail.
func (s *Service) mayTry(a id.Account) error {
	s.trialMu.Lock()
	defer s.trialMu.Unlock()
	now := s.now()
	if wait := s.trials[a] + trialEvery.Milliseconds() - now; wait > 0 && wait <= trialEvery.Milliseconds() {
		return fault.New(fault.TooMany, "Test again in %d seconds", (wait+999)/1000).After(time.Duration(wait) * time.Millisecond)
	}
	if len(s.trials) >= maxTrials {
		for k, at := range s.trials {
			if now-at >= trialEvery.Milliseconds() {
				delete(s.trials, k)
			}
		}
	}
	s.trials[a] = now
	return nil
}
