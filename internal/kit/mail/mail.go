// Package mail sends letters to people, and keeps those it could not send.
//
// Send writes a message into the table mail_outbox within the caller's transaction: a letter goes out if and
// only if what it speaks of was committed. With an SMTP server configured a loop delivers what is due, as
// soon as it is committed; what fails is tried again with growing pauses until it expires. A recipient that
// the server refuses for good is tried no more. Without a server everything stays in the outbox, where an
// operator finds the links that people wait for.
//
// A delivered message is deleted at once, an undelivered one when it expires: letters carry secrets (links
// that reset a password) and are kept no longer than they are of use. Delivery is at least once: a crash
// between the server's acknowledgement and the deletion sends again, with the same Message-ID.
//
// Of many nodes each takes a message by moving its next_at, so none is sent twice at the same time.
package mail

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

const (
	defaultLife = 7 * 24 * time.Hour
	maxAddress  = 254
	maxSubject  = 200
	maxBody     = 256 << 10
	batch       = 20
	lease       = 2 * time.Minute // a message taken by a node that died is free again after this
	firstPause  = time.Minute
	longPause   = time.Hour
	idlePoll    = 5 * time.Second
	maxError    = 500
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the outbox table.
func Migrations() sqldb.Source { return sqldb.Source{Room: "mail", FS: migrations} }

// Config says how letters leave. The zero value keeps them all in the outbox.
type Config struct {
	// SMTPURL is smtp://user:password@host:port or smtps://… (TLS from the first byte); "" for none. Ports
	// default to 587 and 465. For smtp, ?starttls=required, opportunistic or off decides about encryption;
	// when unsaid it is required with a password, unless the host is this machine, else opportunistic. A
	// password never crosses another machine's network unencrypted.
	SMTPURL string
	From    string         // sender's address; required with SMTPURL
	Name    string         // sender's name; "Paddock" when empty
	RootCAs *x509.CertPool // authorities trusted for the server's certificate; the system's when nil
	Clock   clock.Clock    // clock.System when nil
	Log     *slog.Logger   // slog.Default() when nil
}

// Message is a letter to one person.
type Message struct {
	To      string        // an address, ada@example.com, without a name
	Subject string        // control characters become spaces; cut at 200 characters
	Text    string        // the plain form, required
	HTML    string        // the same in HTML; "" for none
	Life    time.Duration // how long it is of use; seven days when zero
}

// Queued is a message that has not been delivered.
type Queued struct {
	ID        string
	To        string
	Subject   string
	Text      string
	Attempts  int64
	Refused   bool      // the server refuses the recipient for good; no more attempts
	LastError string    // what the last attempt met; "" before the first
	NextAt    time.Time // of the next attempt, when a server is configured and Refused is false
	CreatedAt time.Time
	ExpiresAt time.Time // it is deleted then
}

// Mailer queues and delivers. Make it with New.
type Mailer struct {
	db     *sqldb.DB
	clock  clock.Clock
	log    *slog.Logger
	server *server // nil without SMTP
	wake   chan struct{}
	next   atomic.Uint32 // orders messages of one millisecond

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a mailer. It fails when the configuration is malformed or half set; it does not connect.
func New(db *sqldb.DB, cfg Config) (*Mailer, error) {
	m := &Mailer{db: db, clock: cfg.Clock, log: cfg.Log, wake: make(chan struct{}, 1)}
	if m.clock == nil {
		m.clock = clock.System
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if cfg.SMTPURL == "" {
		return m, nil
	}
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	m.server = s
	return m, nil
}

// Configured reports whether letters leave by SMTP. Without, they wait in the outbox for an operator.
func (m *Mailer) Configured() bool { return m.server != nil }

// Describe names the way letters take, without secrets: "smtp://mail.example.com:587" or "outbox".
func (m *Mailer) Describe() string {
	if m.server == nil {
		return "outbox"
	}
	return m.server.describe()
}

// CheckAddress returns an invalid fault for field when address is not a plain e-mail address: no name, no
// comment, no quotes, no control characters, at most 254 bytes. It does not ask whether it exists.
func CheckAddress(field, address string) error {
	if address == "" {
		return fault.Field(field, "must not be empty")
	}
	if len(address) > maxAddress {
		return fault.Field(field, "must have at most %d characters", maxAddress)
	}
	for _, r := range address {
		if unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune("\"<>(),;:\\[]", r) || r == utf8.RuneError {
			return fault.Field(field, "is not an e-mail address")
		}
	}
	a, err := netmail.ParseAddress(address)
	if err != nil || a.Name != "" || a.Address != address {
		return fault.Field(field, "is not an e-mail address")
	}
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:at], address[at+1:]
	if len(local) > 64 || domain == "" || domain[0] == '.' || domain[0] == '-' || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return fault.Field(field, "is not an e-mail address")
	}
	return nil
}

// Send queues a message in the transaction that ctx carries, or in one of its own. It returns an invalid
// fault when the address is malformed or a body too long; delivery happens later and fails in silence.
func (m *Mailer) Send(ctx context.Context, msg Message) error {
	if err := CheckAddress("to", msg.To); err != nil {
		return err
	}
	if msg.Text == "" {
		return fault.Field("text", "must not be empty")
	}
	if len(msg.Text) > maxBody || len(msg.HTML) > maxBody {
		return fault.Field("text", "must have at most %d bytes", maxBody)
	}
	life := msg.Life
	if life <= 0 {
		life = defaultLife
	}
	now := m.clock.Now()
	const q = `INSERT INTO mail_outbox (id, recipient, subject, body_text, body_html, refused, attempts, next_at, last_error, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	_, err := m.db.Exec(ctx, q, fmt.Sprintf("%012x%08x%s", clock.Millis(now), m.next.Add(1), strings.ToLower(rand.Text()[:12])), msg.To, headerText(msg.Subject, maxSubject), bodyText(msg.Text), bodyText(msg.HTML),
		false, int64(0), clock.Millis(now), "", clock.Millis(now), clock.Millis(now.Add(life)))
	if err != nil {
		return fmt.Errorf("queue a mail: %w", err)
	}
	sqldb.AfterCommit(ctx, m.nudge)
	return nil
}

func (m *Mailer) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// headerText makes any text one line: a line break in a header would begin another header.
func headerText(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > max {
		s = string(r[:max-1]) + "…"
	}
	return s
}

// bodyText drops what neither database nor mail can carry.
func bodyText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

const columns = "id, recipient, subject, body_text, body_html, refused, attempts, next_at, last_error, created_at, expires_at"

type row struct {
	Queued
	html   string
	nextMS int64
}

func scan(r sqldb.Scanner) (row, error) {
	var m row
	var created, expires int64
	err := r.Scan(&m.ID, &m.To, &m.Subject, &m.Text, &m.html, &m.Refused, &m.Attempts, &m.nextMS, &m.LastError, &created, &expires)
	m.NextAt, m.CreatedAt, m.ExpiresAt = clock.FromMillis(m.nextMS), clock.FromMillis(created), clock.FromMillis(expires)
	return m, err
}

// Outbox lists what has not been delivered, newest first, at most 1,000. It holds live links: for operators.
func (m *Mailer) Outbox(ctx context.Context) ([]Queued, error) {
	rows, err := sqldb.All(ctx, m.db, scan, "SELECT "+columns+" FROM mail_outbox WHERE expires_at > $1 ORDER BY created_at DESC, id DESC LIMIT 1000",
		clock.Millis(m.clock.Now()))
	if err != nil {
		return nil, fmt.Errorf("list the outbox: %w", err)
	}
	out := make([]Queued, len(rows))
	for i, r := range rows {
		out[i] = r.Queued
	}
	return out, nil
}

// Discard deletes an undelivered message, for an operator who passed its content on by hand. It returns
// not_found when it is not there, or was delivered meanwhile.
func (m *Mailer) Discard(ctx context.Context, id string) error {
	n, err := m.db.Exec(ctx, "DELETE FROM mail_outbox WHERE id = $1", id)
	if err != nil {
		return fmt.Errorf("discard a mail: %w", err)
	}
	if n == 0 {
		return fault.New(fault.NotFound, "Mail Not Found")
	}
	return nil
}

// Start begins to deliver, until ctx ends or Stop.
func (m *Mailer) Start(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil {
		return
	}
	ctx, m.cancel = context.WithCancel(ctx)
	m.done = make(chan struct{})
	go m.loop(ctx, m.done)
}

// Stop ends delivery and waits for the message on the wire, at most its time limit. What is left stays queued.
func (m *Mailer) Stop() {
	m.mu.Lock()
	cancel, done := m.cancel, m.done
	m.cancel = nil
	m.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-done
}

func (m *Mailer) loop(ctx context.Context, done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		sent, err := m.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			m.log.Error("mail", "at", "delivering", "error", err)
		}
		if ctx.Err() != nil {
			return
		}
		if sent == batch {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-tick.C:
		}
	}
}

// Deliver makes one pass: it deletes what expired and sends what is due, at most 20, and returns how many
// were delivered. The loop calls it; an error is the database's, a failed delivery is only recorded.
func (m *Mailer) Deliver(ctx context.Context) (int, error) {
	now := m.clock.Now()
	if err := m.expire(ctx, now); err != nil {
		return 0, err
	}
	if m.server == nil {
		return 0, nil
	}
	due, err := sqldb.All(ctx, m.db, scan, "SELECT "+columns+" FROM mail_outbox WHERE refused = $1 AND next_at <= $2 ORDER BY next_at, id LIMIT $3",
		false, clock.Millis(now), int64(batch))
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	sent := 0
	for _, r := range due {
		if ctx.Err() != nil {
			return sent, nil
		}
		mine, err := m.claim(ctx, r)
		if err != nil {
			return sent, err
		}
		if !mine {
			continue
		}
		// Once it may be on the wire, its outcome is recorded even when the process is asked to stop.
		after := context.WithoutCancel(ctx)
		if failure := m.server.send(after, r, m.clock.Now()); failure != nil {
			if err := m.failed(after, r, failure); err != nil {
				return sent, err
			}
			continue
		}
		sent++
		if _, err := m.db.Exec(after, "DELETE FROM mail_outbox WHERE id = $1", r.ID); err != nil {
			return sent, fmt.Errorf("delete a sent mail: %w", err)
		}
	}
	return sent, nil
}

// expire looks before it deletes, so that an idle server writes nothing.
func (m *Mailer) expire(ctx context.Context, now time.Time) error {
	_, any, err := sqldb.One(ctx, m.db, sqldb.Value[string], "SELECT id FROM mail_outbox WHERE expires_at <= $1 LIMIT 1", clock.Millis(now))
	if err == nil && any {
		_, err = m.db.Exec(ctx, "DELETE FROM mail_outbox WHERE id IN (SELECT id FROM mail_outbox WHERE expires_at <= $1 LIMIT 1000)", clock.Millis(now))
	}
	if err != nil {
		return fmt.Errorf("expire mails: %w", err)
	}
	return nil
}

// claim moves the message out of the reach of other nodes for as long as sending may take.
func (m *Mailer) claim(ctx context.Context, r row) (bool, error) {
	n, err := m.db.Exec(ctx, "UPDATE mail_outbox SET next_at = $1, attempts = attempts + 1 WHERE id = $2 AND next_at = $3 AND attempts = $4",
		clock.Millis(m.clock.Now().Add(lease)), r.ID, r.nextMS, r.Attempts)
	if err != nil {
		return false, fmt.Errorf("claim a mail: %w", err)
	}
	return n == 1, nil
}

func (m *Mailer) failed(ctx context.Context, r row, failure error) error {
	var perm *permanentError
	refused := errors.As(failure, &perm)
	next := m.clock.Now().Add(pause(r.Attempts))
	m.log.Warn("mail", "at", "sending", "id", r.ID, "attempt", r.Attempts+1, "refused", refused, "error", failure)
	_, err := m.db.Exec(ctx, "UPDATE mail_outbox SET next_at = $1, refused = $2, last_error = $3 WHERE id = $4",
		clock.Millis(next), refused, headerText(failure.Error(), maxError), r.ID)
	if err != nil {
		return fmt.Errorf("record a failed mail: %w", err)
	}
	return nil
}

// pause is 1, 2, 4 … minutes, at most an hour.
func pause(attempts int64) time.Duration {
	if attempts >= 6 {
		return longPause
	}
	return min(firstPause<<attempts, longPause)
}
