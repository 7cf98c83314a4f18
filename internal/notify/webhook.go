package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

const (
	maxURL       = 2000
	maxReason    = 300
	maxAnswer    = 16 << 10 // bytes of an answer that are read
	sendTimeout  = 10 * time.Second
	turnFor      = 10 * time.Second // of one webhook, before others have theirs
	turnRows     = 20
	atOnce       = 16 // webhooks posted to at the same time
	lease        = 2 * time.Minute
	firstPause   = 30 * time.Second
	longestPause = time.Hour
	giveUpAfter  = 24 * time.Hour
	secretPrefix = "whsec_"
)

// SignatureHeader carries when a post was signed and its signature: t=<unix seconds>,v1=<hex>.
const SignatureHeader = "Paddock-Signature"

// Sign is the signature of a body at a moment: HMAC-SHA-256, by the secret as it was shown, of the decimal seconds, a
// dot, and the body.
func Sign(secret string, unix int64, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%d.", unix)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func ofAccount(a id.Account) string { return "account/" + string(a) }
func ofProfile(p id.Profile) string { return "profile/" + string(p) }

// hook is where events are posted to.
type hook struct {
	subject string
	url     string // "" when a profile wants none
	sealed  string
	kinds   Choices // absent: on
	created int64
	updated int64

	account id.Account // whose it is; not stored
}

func scanHook(r sqldb.Scanner) (h hook, err error) {
	var kinds string
	if err = r.Scan(&h.subject, &h.url, &h.sealed, &kinds, &h.created, &h.updated); err != nil {
		return h, err
	}
	return h, json.Unmarshal([]byte(kinds), &h.kinds)
}

func (s *Service) findHook(ctx context.Context, subject string) (hook, bool, error) {
	return sqldb.One(ctx, s.db, scanHook, `SELECT subject, url, sealed, kinds, created_at, updated_at FROM webhook WHERE subject = $1`, subject)
}

// HookInput sets a webhook.
type HookInput struct {
	URL    string         `json:"url" description:"https://…; of a profile \"\" means none although the account has one"`
	Kinds  map[Kind]*bool `json:"kinds" description:"which kinds are posted; what is not said is"`
	Rotate bool           `json:"rotate" description:"make another secret for the same address"`
}

// newSecret is what the posts of a webhook are signed by.
func newSecret() string { return secretPrefix + strings.ToLower(rand.Text()+rand.Text()[:6]) }

// about binds a sealed secret to its row.
func about(subject string) string { return "webhook/" + subject }

// setHook sets or, with nil, removes a webhook. It returns the secret when it is new, the only time it is at hand: for
// another address, and when asked to rotate.
func (s *Service) setHook(ctx context.Context, who auth.Caller, subject string, p id.Profile, in *HookInput) (secret string, err error) {
	if in != nil {
		if err := s.checkURL(in.URL, p != ""); err != nil {
			return "", err
		}
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		secret = ""
		was, there, err := s.findHook(ctx, subject)
		if err != nil {
			return err
		}
		event := audit.Event{Profile: p, Account: who.AccountID, Resource: "notify", Message: "Webhook set"}
		if there {
			event.Before = map[string]any{"origin": origin(was.url), "kinds": was.kinds}
		}
		if in == nil {
			if !there {
				return nil
			}
			event.Message = "Webhook removed"
			if _, err := s.db.Exec(ctx, `DELETE FROM webhook WHERE subject = $1`, subject); err != nil {
				return err
			}
			return s.audit.Write(ctx, who, event)
		}
		now := s.now()
		h := hook{subject: subject, url: in.URL, sealed: was.sealed, created: was.created, updated: now}
		if h.kinds, err = was.kinds.change("webhook.kinds", in.Kinds); err != nil {
			return err
		}
		switch {
		case h.url == "":
			h.sealed = ""
		case h.url != was.url || in.Rotate || was.sealed == "":
			secret = newSecret()
			h.sealed, h.created = s.sealer.Seal(secret, about(subject)), now
		}
		if h.created == 0 {
			h.created = now
		}
		kinds, err := json.Marshal(h.kinds)
		if err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `INSERT INTO webhook (subject, url, sealed, kinds, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (subject) DO UPDATE SET url = excluded.url, sealed = excluded.sealed, kinds = excluded.kinds, created_at = excluded.created_at, updated_at = excluded.updated_at`,
			h.subject, h.url, h.sealed, string(kinds), h.created, h.updated)
		if err != nil {
			return err
		}
		if secret != "" { // a corrected address gets what waited for the old one at once
			if _, err := s.wakeHook(ctx, subject, now); err != nil {
				return err
			}
		}
		event.After = map[string]any{"origin": origin(h.url), "kinds": h.kinds, "new_secret": secret != ""}
		return s.audit.Write(ctx, who, event)
	})
	return secret, err
}

// wakeHook makes due, across profiles, what waits for a webhook and is not being sent just now.
func (s *Service) wakeHook(ctx context.Context, subject string, now int64) (int64, error) {
	return s.db.Exec(ctx, `UPDATE delivery SET next_at = $1 WHERE subject = $2 AND channel = 'webhook' AND status = 'waiting' AND next_at > $3`, now, subject, now+lease.Milliseconds())
}

// checkURL says early what sending would refuse; what a name resolves to is judged at each connection.
func (s *Service) checkURL(raw string, mayBeEmpty bool) error {
	const field = "webhook.url"
	if raw == "" && mayBeEmpty {
		return nil
	}
	if err := check.Line(field, raw, 1, maxURL); err != nil {
		return err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return fault.Field(field, "must be an address such as https://example.com/alerts")
	case u.User != nil:
		return fault.Field(field, "must not carry a user or password; verify the signature instead")
	case u.Fragment != "":
		return fault.Field(field, "must not have a part after #")
	case u.Scheme == "http" && !s.cfg.PrivateWebhook:
		return fault.Field(field, "must begin with https:// (whoever runs this server can allow http with --webhook-private)")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return fault.Field(field, "has a port that is none")
		}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !s.cfg.PrivateWebhook && !public(ip) {
		return fault.Field(field, "leads into a private network; whoever runs this server can allow that with --webhook-private")
	}
	return nil
}

// origin is an address without its path and query, which may be secrets of the receiver.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// notPublic are the networks that no post goes to, besides what netip names itself: shared and reserved ones, and those
// in which an IPv4 address hides in an IPv6 one.
var notPublic = func() (out []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10", "5f00::/16", "3fff::/20",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// public reports whether an address is one that anybody on the Internet could be posted to.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

var errPrivate = errors.New("the address leads into a private network, which this server does not post to")

// newClient posts to public addresses only, judged at the moment of connecting, so that a name that resolves
// differently the second time gains nothing. It follows no redirect and knows no proxy.
func newClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !private && !public(to.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			ResponseHeaderTimeout: sendTimeout, MaxResponseHeaderBytes: maxAnswer,
		},
	}
}

// outcome is what a post met.
type outcome struct {
	ok     bool
	final  bool   // another attempt is useless
	reason string // "" when ok
}

// send posts a body once.
func (s *Service) send(ctx context.Context, h hook, event id.Event, kind Kind, d id.Delivery, body []byte) outcome {
	secret, err := s.sealer.Open(h.sealed, about(h.subject))
	if err != nil {
		s.log.Error("webhook", "at", "opening a secret", "subject", h.subject, "error", err)
		return outcome{reason: "its secret cannot be opened: set the webhook again"}
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return outcome{reason: "the address does not parse", final: true}
	}
	now := s.clock.Now().Unix()
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "Paddock-Webhook")
	q.Header.Set("Paddock-Event", string(kind))
	q.Header.Set("Paddock-Event-Id", string(event))
	q.Header.Set("Paddock-Delivery", string(d))
	q.Header.Set(SignatureHeader, fmt.Sprintf("t=%d,v1=%s", now, Sign(secret, now, body)))
	p, err := s.client.Do(q)
	if err != nil {
		return outcome{reason: reasonOf(err)}
	}
	defer p.Body.Close()
	io.Copy(io.Discard, io.LimitReader(p.Body, maxAnswer)) // what it says does not matter
	switch {
	case p.StatusCode >= 200 && p.StatusCode < 300:
		return outcome{ok: true}
	case p.StatusCode >= 300 && p.StatusCode < 400:
		return outcome{reason: fmt.Sprintf("answered %d: redirects are not followed", p.StatusCode)}
	case p.StatusCode == http.StatusGone:
		return outcome{reason: "answered 410 Gone", final: true}
	}
	return outcome{reason: strings.TrimSpace(fmt.Sprintf("answered %d %s", p.StatusCode, http.StatusText(p.StatusCode)))}
}

// reasonOf is an error of sending without the address, which is known, and without what it resolved to.
func reasonOf(err error) string {
	var dns *net.DNSError
	var u *url.Error
	switch {
	case errors.Is(err, errPrivate):
		return errPrivate.Error()
	case errors.As(err, &dns):
		return "its name does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &u) && u.Timeout():
		return fmt.Sprintf("no answer within %d seconds", int(sendTimeout.Seconds()))
	case errors.As(err, &u):
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return line(err.Error(), maxReason)
}

// Deliver makes one pass over the posts that are due, several webhooks at the same time and each for a bounded while,
// and returns how many were taken. An error is the database's.
func (s *Service) Deliver(ctx context.Context) (int, error) {
	subjects, err := s.dueSubjects(ctx, s.now(), 4*atOnce)
	if err != nil || len(subjects) == 0 {
		return 0, err
	}
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		sent int
		errs []error
		slot = make(chan struct{}, atOnce)
	)
	for _, subject := range subjects {
		slot <- struct{}{}
		all.Go(func() {
			defer func() { <-slot }()
			n, err := s.deliverTo(ctx, subject)
			mu.Lock()
			defer mu.Unlock()
			sent += n
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return sent, errors.Join(errs...)
}

// deliverTo posts what is due to one webhook, until it is all taken, one fails, or its turn is over.
func (s *Service) deliverTo(ctx context.Context, subject string) (sent int, err error) {
	began := time.Now()
	h, there, err := s.findHook(ctx, subject)
	if err != nil {
		return 0, err
	}
	due, err := s.due(ctx, subject, s.now(), turnRows)
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		if ctx.Err() != nil || time.Since(began) > turnFor {
			return sent, nil
		}
		until := s.now() + lease.Milliseconds()
		mine, err := s.claim(ctx, d, until)
		if err != nil {
			return sent, err
		}
		if !mine {
			continue
		}
		crash.At("webhook claimed, not posted")
		var o outcome
		switch {
		case !there || h.url == "":
			o = outcome{reason: "the webhook was removed", final: true}
		default:
			o = s.send(ctx, h, d.event, d.kind, d.id, []byte(d.body))
		}
		// What was on the wire is recorded even when the process is asked to stop.
		after := sqldb.As(context.WithoutCancel(ctx), tenant)
		now := s.now()
		switch {
		case o.ok:
			sent++
			crash.At("webhook answered, not recorded")
			err = s.setDelivery(after, d.profile, d.id, Delivered, d.attempts+1, 0, "", now)
		case ctx.Err() != nil: // not the receiver's fault
			err = s.setDelivery(after, d.profile, d.id, Waiting, d.attempts, now, d.reason, 0)
		case o.final:
			err = s.setDelivery(after, d.profile, d.id, Failed, d.attempts+1, 0, o.reason, now)
		case now-d.at >= giveUpAfter.Milliseconds():
			err = s.setDelivery(after, d.profile, d.id, Failed, d.attempts+1, 0, "given up after a day: "+o.reason, now)
		default:
			next := min(now+pause(d.attempts).Milliseconds(), d.at+giveUpAfter.Milliseconds())
			if err = s.setDelivery(after, d.profile, d.id, Waiting, d.attempts+1, next, o.reason, 0); err == nil {
				err = s.postpone(after, subject, next)
			}
			return sent, err
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// pause is half a minute, one, two, four … minutes, at most an hour.
func pause(attempts int64) time.Duration {
	if attempts >= 7 {
		return longestPause
	}
	return min(firstPause<<attempts, longestPause)
}

// Reseal seals with the first key what another key sealed, and returns how many secrets that were.
func (s *Service) Reseal(ctx context.Context) (changed int, err error) {
	const slice = 200
	for after := ""; ; {
		hooks, err := sqldb.All(ctx, s.db, scanHook, `SELECT subject, url, sealed, kinds, created_at, updated_at FROM webhook WHERE subject > $1 ORDER BY subject LIMIT $2`, after, int64(slice))
		if err != nil || len(hooks) == 0 {
			return changed, err
		}
		after = hooks[len(hooks)-1].subject
		for _, h := range hooks {
			if h.sealed == "" || !s.sealer.Stale(h.sealed) {
				continue
			}
			secret, err := s.sealer.Open(h.sealed, about(h.subject))
			if err != nil {
				return changed, fmt.Errorf("webhook of %s: %w", h.subject, err)
			}
			n, err := s.db.Exec(ctx, `UPDATE webhook SET sealed = $1 WHERE subject = $2 AND sealed = $3`, s.sealer.Seal(secret, about(h.subject)), h.subject, h.sealed)
			if err != nil {
				return changed, err
			}
			changed += int(n)
		}
	}
}
