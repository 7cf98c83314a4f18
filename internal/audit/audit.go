// Package audit remembers who did what, when, from where, and what it was before and after.
//
// Every change of a room writes its event in the same transaction: there is no change without its event and
// no event without its change. Events of a profile are in audit_entry (a tenant table), those that concern
// an account only (sign-up, password, deletion) in audit_account. Nothing here alters an event once it is
// written. There are no foreign keys: an event outlives the device, the profile and the person it names, and
// stores their ids; whoever shows events looks up names.
//
// The id of an event begins with its millisecond: ids are the order of events, the range of a search is a range of
// ids, and an id is the place where reading goes on. Step reads a bounded part of a range, see read.go. Purge
// removes what is older than the installation keeps, in slices.
package audit

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
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

// Operator is the kind of a caller who acts as an operator of the installation, without a role in the profile.
const Operator auth.Kind = "operator"

// Look is the kind of an operator who looks into a profile of somebody else; its message ends with the reason.
const Look auth.Kind = "look"

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
	args, err := l.row(who, e)
	if err != nil {
		return err
	}
	if e.Profile != "" {
		_, err = l.db.Exec(ctx, insertEntry+`VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, append([]any{string(e.Profile)}, args...)...)
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

// WriteAll appends events of one profile as Write does, many in a statement.
func (l *Log) WriteAll(ctx context.Context, who auth.Caller, p id.Profile, es []Event) error {
	for part := range slices.Chunk(es, 100) {
		all := make([]any, 0, 13*len(part))
		for _, e := range part {
			args, err := l.row(who, e)
			if err != nil {
				return err
			}
			all = append(append(all, string(p)), args...)
		}
		if _, err := l.db.Exec(ctx, insertEntry+`VALUES `+sqldb.Rows(1, len(part), 13), all...); err != nil {
			return fmt.Errorf("audit %d events: %w", len(part), err)
		}
	}
	return nil
}

const insertEntry = `INSERT INTO audit_entry (profile_id, id, at, who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json)
	`

// row is an event as it is stored, behind the column of whose it is.
func (l *Log) row(who auth.Caller, e Event) ([]any, error) {
	before, err := bounded(e.Before)
	if err != nil {
		return nil, fmt.Errorf("audit %s: before: %w", e.Resource, err)
	}
	after, err := bounded(e.After)
	if err != nil {
		return nil, fmt.Errorf("audit %s: after: %w", e.Resource, err)
	}
	if who.Look != "" && who.Kind == auth.Session {
		who.Kind = Look
		e.Message += " (operator look: " + who.Look + ")"
	}
	actor := who.AccountID
	if who.Kind == auth.Device {
		actor = ""
	}
	now := clock.Millis(l.clock.Now())
	return []any{l.newID(now), now, string(actor), string(who.Kind), string(who.TokenID), clean(who.TokenName),
		clean(who.Addr), e.Resource, clean(e.ResourceID), clean(e.Message), before, after}, nil
}

// newID begins with the millisecond and a running number, so that entries of one process sort as they were
// written. The rest makes it unique.
func (l *Log) newID(now int64) string {
	return fmt.Sprintf("%s%08x%s", idAt(now), l.next.Add(1), strings.ToLower(rand.Text()[:8]))
}

// idAt is less than the id of every event of that millisecond and later, and greater than all before.
func idAt(ms int64) string { return fmt.Sprintf("%012x", max(ms, 0)) }

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

// scan reads the columns of an entry.
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
