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
	"regexp"
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
	maxAnswers  = 10
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
	Ref     string        // names the message to OnOutcome; "" when nobody asks what became of it
	Thread  Thread        // the conversation it belongs to; the zero Thread for none
}

// Thread is a message's place in a conversation, so that mail programs show the letters of one together. Ids are of our
// own choice, up to 60 letters, digits, dots and dashes: the sender's domain is put behind them.
type Thread struct {
	ID      string   // of this message; a random one when empty
	Answers []string // the messages before it, oldest first; the last is what it answers
}

var threadID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,59}$`)

func (t Thread) check() error {
	if t.ID != "" && !threadID.MatchString(t.ID) {
		return fault.Field("thread.id", "must be up to 60 letters, digits, dots and dashes")
	}
	if len(t.Answers) > maxAnswers {
		return fault.Field("thread.answers", "must be at most %d", maxAnswers)
	}
	for _, a := range t.Answers {
		if !threadID.MatchString(a) {
			return fault.Field("thread.answers", "must be up to 60 letters, digits, dots and dashes each")
		}
	}
	return nil
}

// Outcome is what became of a message that carries a Ref, so far.
type Outcome struct {
	Ref      string
	To       string
	Attempts int64
	Sent     bool   // the server took it
	Over     bool   // nothing more will happen: it was sent, refused for good, discarded, or expired
	Reason   string // what the last attempt met, or why it is over; "" when sent
}

// Queued is a message that has not been delivered.
type Queued struct {
	ID        string
	To        string
	Subject   string
	Text      string
	Attempts  int64
	Refused   bool      // the server refuses the recipient for good, or it was held back; no more attempts
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
	told   func(ctx context.Context, o Outcome) error

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

// OnOutcome registers who is told what became of messages with a Ref, inside the transaction that records it; before
// Start. An error undoes the record: of a message that was sent, it is sent again.
func (m *Mailer) OnOutcome(f func(ctx context.Context, o Outcome) error) { m.told = f }

// tell calls what OnOutcome registered.
func (m *Mailer) tell(ctx context.Context, r row, o Outcome) error {
	if m.told == nil || r.ref == "" {
		return nil
	}
	o.Ref, o.To = r.ref, r.To
	return m.told(ctx, o)
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
	if err := msg.check(); err != nil {
		return err
	}
	life := msg.Life
	if life <= 0 {
		life = defaultLife
	}
	now := m.clock.Now()
	const q = `INSERT INTO mail_outbox (id, recipient, subject, body_text, body_html, refused, attempts, next_at, last_error, created_at, expires_at, ref, thread_id, answers)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	_, err := m.db.Exec(ctx, q, fmt.Sprintf("%012x%08x%s", clock.Millis(now), m.next.Add(1), strings.ToLower(rand.Text()[:12])), msg.To, headerText(msg.Subject, maxSubject), bodyText(msg.Text), bodyText(msg.HTML),
		false, int64(0), clock.Millis(now), "", clock.Millis(now), clock.Millis(now.Add(life)), msg.Ref, msg.Thread.ID, strings.Join(msg.Thread.Answers, " "))
	if err != nil {
		return fmt.Errorf("queue a mail: %w", err)
	}
	sqldb.AfterCommit(ctx, m.nudge)
	return nil
}

func (msg Message) check() error {
	if err := CheckAddress("to", msg.To); err != nil {
		return err
	}
	if msg.Text == "" {
		return fault.Field("text", "must not be empty")
	}
	if len(msg.Text) > maxBody || len(msg.HTML) > maxBody {
		return fault.Field("text", "must have at most %d bytes", maxBody)
	}
	return msg.Thread.check()
}

// Now sends a message past the outbox, for somebody who wants to see whether mail works. Its error says what the
// server answered, in one line; without a server, that there is none.
func (m *Mailer) Now(ctx context.Context, msg Message) error {
	_, err := m.Try(ctx, msg)
	return err
}

// Try is Now that returns what the server said when it took the message, in one line, such as "250 2.0.0 Ok: queued as 4B2".
func (m *Mailer) Try(ctx context.Context, msg Message) (answer string, err error) {
	if err := msg.check(); err != nil {
		return "", err
	}
	if m.server == nil {
		return "", errors.New("no mail server is configured: mails wait in the outbox of whoever runs this server")
	}
	now := m.clock.Now()
	r := row{Queued: Queued{ID: fmt.Sprintf("%012x%08x%s", clock.Millis(now), m.next.Add(1), strings.ToLower(rand.Text()[:12])), To: msg.To,
		Subject: headerText(msg.Subject, maxSubject), Text: bodyText(msg.Text)}, html: bodyText(msg.HTML), thread: msg.Thread}
	answer, err = m.server.say(ctx, r, now)
	if err != nil {
		return "", errors.New(headerText(err.Error(), maxError))
	}
	return headerText(answer, maxError), nil
}

// Line says how the outbox stands.
type Line struct {
	Waiting int64  // to be sent, or, without a server, for an operator
	Tried   int64  // of those, what was tried and has failed so far
	Refused int64  // for good, or held back: nothing more is tried
	Oldest  int64  // UTC milliseconds when the oldest of all was written; 0 for none
	Reason  string // what the latest attempt of one of them met; "" for none
}

// Line counts what has not been delivered.
func (m *Mailer) Line(ctx context.Context) (l Line, err error) {
	now := clock.Millis(m.clock.Now())
	err = m.db.QueryRow(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN refused THEN 0 WHEN attempts > 0 AND last_error <> '' THEN 1 ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE WHEN refused THEN 1 ELSE 0 END), 0) AS BIGINT), COALESCE(MIN(created_at), 0) FROM mail_outbox WHERE expires_at > $1`, now).
		Scan(&l.Waiting, &l.Tried, &l.Refused, &l.Oldest)
	if err != nil {
		return l, fmt.Errorf("count mails: %w", err)
	}
	l.Waiting -= l.Refused
	l.Reason, _, err = sqldb.One(ctx, m.db, sqldb.Value[string], `SELECT last_error FROM mail_outbox WHERE expires_at > $1 AND last_error <> '' ORDER BY next_at DESC, id DESC LIMIT 1`, now)
	return l, err
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

const columns = "id, recipient, subject, body_text, body_html, refused, attempts, next_at, last_error, created_at, expires_at, ref, thread_id, answers"

type row struct {
	Queued
	html   string
	ref    string
	thread Thread
	nextMS int64
}

func scan(r sqldb.Scanner) (row, error) {
	var m row
	var created, expires int64
	var answers string
	err := r.Scan(&m.ID, &m.To, &m.Subject, &m.Text, &m.html, &m.Refused, &m.Attempts, &m.nextMS, &m.LastError, &created, &expires, &m.ref, &m.thread.ID, &answers)
	m.thread.Answers = strings.Fields(answers)
	m.NextAt, m.CreatedAt, m.ExpiresAt = clock.FromMillis(m.nextMS), clock.FromMillis(created), clock.FromMillis(expires)
	return m, err
}

// Outbox lists what has not been delivered, newest first, at most 1,000. It holds live links: for operators.
func (m *Mailer) Outbox(ctx context.Context) ([]Queued, error) { return m.Page(ctx, 1000, 0) }

// Page is a part of the outbox, newest first.
func (m *Mailer) Page(ctx context.Context, limit, offset int64) ([]Queued, error) {
	rows, err := sqldb.All(ctx, m.db, scan, "SELECT "+columns+" FROM mail_outbox WHERE expires_at > $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
		clock.Millis(m.clock.Now()), limit, offset)
	if err != nil {
		return nil, fmt.Errorf("list the outbox: %w", err)
	}
	out := make([]Queued, len(rows))
	for i, r := range rows {
		out[i] = r.Queued
	}
	return out, nil
}

var errNotFound = fault.New(fault.NotFound, "Mail Not Found")

// Find returns an undelivered message. It returns not_found when it is not there, or was delivered meanwhile.
func (m *Mailer) Find(ctx context.Context, id string) (Queued, error) {
	r, err := m.find(ctx, id)
	return r.Queued, err
}

func (m *Mailer) find(ctx context.Context, id string) (row, error) {
	r, ok, err := sqldb.One(ctx, m.db, scan, "SELECT "+columns+" FROM mail_outbox WHERE id = $1", id)
	if err != nil {
		return row{}, fmt.Errorf("find a mail: %w", err)
	}
	if !ok {
		return row{}, errNotFound
	}
	return r, nil
}

// Retry makes an undelivered message due now, also one that was refused for good. It returns not_found when it is
// not there, and conflict when no mail server is configured.
func (m *Mailer) Retry(ctx context.Context, id string) error {
	return m.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := m.find(ctx, id); err != nil {
			return err
		}
		if m.server == nil {
			return fault.New(fault.Conflict, "No mail server is configured: start the server with --smtp-url")
		}
		if _, err := m.db.Exec(ctx, "UPDATE mail_outbox SET next_at = $1, refused = $2 WHERE id = $3", clock.Millis(m.clock.Now()), false, id); err != nil {
			return fmt.Errorf("retry a mail: %w", err)
		}
		sqldb.AfterCommit(ctx, m.nudge)
		return nil
	})
}

// HoldBack stops every message from being sent, for reason, until somebody retries or discards it: a database restored
// from a backup does not know which of them have been sent since.
func (m *Mailer) HoldBack(ctx context.Context, reason string) error {
	if _, err := m.db.Exec(ctx, "UPDATE mail_outbox SET refused = $1, last_error = $2 WHERE refused = $3", true, headerText(reason, maxError), false); err != nil {
		return fmt.Errorf("hold mails back: %w", err)
	}
	return nil
}

// Discard deletes an undelivered message, for an operator who passed its content on by hand. It returns
// not_found when it is not there, or was delivered meanwhile.
func (m *Mailer) Discard(ctx context.Context, id string) error {
	return m.db.Tx(ctx, func(ctx context.Context) error {
		r, err := m.find(ctx, id)
		if err != nil {
			return err
		}
		n, err := m.db.Exec(ctx, "DELETE FROM mail_outbox WHERE id = $1", id)
		if err != nil {
			return fmt.Errorf("discard a mail: %w", err)
		}
		if n == 0 {
			return errNotFound
		}
		return m.tell(ctx, r, Outcome{Attempts: r.Attempts, Over: true, Reason: "discarded by whoever runs this server"})
	})
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
		err = m.db.Tx(after, func(ctx context.Context) error {
			if _, err := m.db.Exec(ctx, "DELETE FROM mail_outbox WHERE id = $1", r.ID); err != nil {
				return fmt.Errorf("delete a sent mail: %w", err)
			}
			return m.tell(ctx, r, Outcome{Attempts: r.Attempts + 1, Sent: true, Over: true})
		})
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// expire looks before it deletes, so that an idle server writes nothing.
func (m *Mailer) expire(ctx context.Context, now time.Time) error {
	const most = 500
	for {
		old, err := sqldb.All(ctx, m.db, scan, "SELECT "+columns+" FROM mail_outbox WHERE expires_at <= $1 LIMIT $2", clock.Millis(now), int64(most))
		if err != nil {
			return fmt.Errorf("expire mails: %w", err)
		}
		if len(old) == 0 {
			return nil
		}
		err = m.db.Tx(ctx, func(ctx context.Context) error {
			for _, r := range old {
				if n, err := m.db.Exec(ctx, "DELETE FROM mail_outbox WHERE id = $1", r.ID); err != nil {
					return fmt.Errorf("expire mails: %w", err)
				} else if n == 0 {
					continue // another node was first
				}
				reason := "it was not delivered in time"
				if r.LastError != "" {
					reason += ": " + r.LastError
				}
				if err := m.tell(ctx, r, Outcome{Attempts: r.Attempts, Over: true, Reason: reason}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(old) < most {
			return err
		}
	}
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
	return m.db.Tx(ctx, func(ctx context.Context) error {
		reason := headerText(failure.Error(), maxError)
		_, err := m.db.Exec(ctx, "UPDATE mail_outbox SET next_at = $1, refused = $2, last_error = $3 WHERE id = $4", clock.Millis(next), refused, reason, r.ID)
		if err != nil {
			return fmt.Errorf("record a failed mail: %w", err)
		}
		return m.tell(ctx, r, Outcome{Attempts: r.Attempts + 1, Over: refused, Reason: reason})
	})
}

// pause is 1, 2, 4 … minutes, at most an hour.
func pause(attempts int64) time.Duration {
	if attempts >= 6 {
		return longPause
	}
	return min(firstPause<<attempts, longPause)
}
