// Package audit remembers who did what, when, from where, and what it was before and after.
//
// Every change of a room writes its event in the same transaction: there is no change without its event and
// no event without its change. Events of a profile are in audit_entry (a tenant table), those that concern
// an account only (sign-up, password, deletion) in audit_account. Nothing here alters an event once it is
// written. There are no foreign keys: an event outlives the device, the profile and the person it names, and
// stores their ids; whoever shows events looks up names.
package audit

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

// MaxJSON bounds Before and After, each, in bytes of JSON. What is larger is replaced by a note of its size.
const MaxJSON = 16 << 10

const maxMessage = 1000

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the two tables.
func Migrations() sqldb.Source { return sqldb.Source{Room: "audit", FS: migrations} }

// Event is what a room reports. Secrets never belong in one: neither tokens, nor passwords, nor their hashes.
type Event struct {
	Profile    id.Profile // where it happened; "" for what concerns an account only
	Account    id.Account // without Profile: the account concerned; the caller's when empty
	Resource   string     // the kind of thing: "device", "token", "account"
	ResourceID string
	Message    string // a sentence: `Device "Barn 3" created`
	Before     any    // the thing before, as JSON; nil when it did not exist
	After      any    // and after; nil when it is gone
}

// Entry is an event as it was written.
type Entry struct {
	ID         string
	Time       time.Time
	Profile    id.Profile // "" for account entries
	Account    id.Account // "" for profile entries
	Who        id.Account // "" for devices and for Paddock itself
	Kind       auth.Kind
	TokenID    id.Token // the token that was used; "" without one
	TokenName  string
	Addr       string
	Resource   string
	ResourceID string
	Message    string
	Before     json.RawMessage // nil when there was none
	After      json.RawMessage
}

// Filter narrows a list. The zero value lists everything.
type Filter struct {
	Resource   string
	ResourceID string
	Who        id.Account
	Find       string    // part of the message, in any case
	From, To   time.Time // From is included, To is not
	Limit      int       // 1,000 when zero or above 10,000
}

// Log writes and reads events.
type Log struct {
	db    *sqldb.DB
	clock clock.Clock
	next  atomic.Uint32 // orders entries of one millisecond
}

// New makes the log.
func New(db *sqldb.DB, clk clock.Clock) *Log { return &Log{db: db, clock: clk} }

// Write appends an event in the transaction that ctx carries; its error must undo the change it reports.
func (l *Log) Write(ctx context.Context, who auth.Caller, e Event) error {
	before, err := bounded(e.Before)
	if err != nil {
		return fmt.Errorf("audit %s: before: %w", e.Resource, err)
	}
	after, err := bounded(e.After)
	if err != nil {
		return fmt.Errorf("audit %s: after: %w", e.Resource, err)
	}
	actor := who.AccountID
	if who.Kind == auth.Device {
		actor = ""
	}
	args := []any{l.newID(), clock.Millis(l.clock.Now()), string(actor), string(who.Kind), string(who.TokenID), clean(who.TokenName),
		clean(who.Addr), e.Resource, clean(e.ResourceID), clean(e.Message), before, after}
	if e.Profile != "" {
		const q = `INSERT INTO audit_entry (profile_id, id, at, who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
		_, err = l.db.Exec(ctx, q, append([]any{string(e.Profile)}, args...)...)
	} else {
		account := e.Account
		if account == "" {
			account = who.AccountID
		}
		const q = `INSERT INTO audit_account (account_id, id, at, who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
		_, err = l.db.Exec(ctx, q, append([]any{string(account)}, args...)...)
	}
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Resource, err)
	}
	return nil
}

// newID begins with the millisecond and a running number, so that entries of one process sort as they were
// written. The rest makes it unique.
func (l *Log) newID() string {
	return fmt.Sprintf("%012x%08x%s", clock.Millis(l.clock.Now()), l.next.Add(1), strings.ToLower(rand.Text()[:8]))
}

func bounded(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	if string(b) == "null" {
		return "", nil
	}
	if len(b) > MaxJSON {
		b, err = json.Marshal(map[string]int{"omitted_bytes": len(b)})
	}
	return string(b), err
}

// clean keeps text that both databases store: valid UTF-8 without NUL, of bounded length.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) <= maxMessage {
		return s
	}
	s = s[:maxMessage]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// List reads a profile's events, oldest first.
func (l *Log) List(ctx context.Context, p id.Profile, f Filter) ([]Entry, error) {
	w := sqldb.NewWhere("profile_id = ?", string(p))
	q := `SELECT id, at, profile_id, '', who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json
		FROM audit_entry` + f.where(w) + ` ORDER BY at, id LIMIT ` + w.Arg(f.limit())
	return l.list(ctx, q, w)
}

// ListAccount reads the events that concern an account outside of its profiles, oldest first.
func (l *Log) ListAccount(ctx context.Context, a id.Account, f Filter) ([]Entry, error) {
	w := sqldb.NewWhere("account_id = ?", string(a))
	q := `SELECT id, at, '', account_id, who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json
		FROM audit_account` + f.where(w) + ` ORDER BY at, id LIMIT ` + w.Arg(f.limit())
	return l.list(ctx, q, w)
}

func (f Filter) where(w *sqldb.Where) string {
	if f.Resource != "" {
		w.And("resource = ?", f.Resource)
	}
	if f.ResourceID != "" {
		w.And("resource_id = ?", f.ResourceID)
	}
	if f.Who != "" {
		w.And("who = ?", string(f.Who))
	}
	if f.Find != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(clean(f.Find))
		w.And(`lower(message) LIKE lower(?) ESCAPE '\'`, "%"+escaped+"%")
	}
	if !f.From.IsZero() {
		w.And("at >= ?", clock.Millis(f.From))
	}
	if !f.To.IsZero() {
		w.And("at < ?", clock.Millis(f.To))
	}
	return w.SQL()
}

func (f Filter) limit() int64 {
	if f.Limit <= 0 || f.Limit > 10_000 {
		return 1000
	}
	return int64(f.Limit)
}

func (l *Log) list(ctx context.Context, q string, w *sqldb.Where) ([]Entry, error) {
	out, err := sqldb.All(ctx, l.db, scan, q, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return out, nil
}

func scan(r sqldb.Scanner) (Entry, error) {
	var e Entry
	var at int64
	var before, after string
	err := r.Scan(&e.ID, &at, &e.Profile, &e.Account, &e.Who, &e.Kind, &e.TokenID, &e.TokenName, &e.Addr, &e.Resource, &e.ResourceID, &e.Message, &before, &after)
	e.Time = clock.FromMillis(at)
	if before != "" {
		e.Before = json.RawMessage(before)
	}
	if after != "" {
		e.After = json.RawMessage(after)
	}
	return e, err
}
