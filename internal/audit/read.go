package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Filter narrows what is read. The zero value is everything.
type Filter struct {
	Resource   string
	ResourceID string
	Who        id.Account
	Token      id.Token // that was used
	Kind       auth.Kind
	Find       string    // part of the message, in any case; * stands for any text
	From, To   time.Time // From is included, To is not
	After      string    // the id of an event: only what is later than it
	Limit      int       // of List: 1,000 when zero or above 10,000
}

const (
	scanStep  = 5000    // events that one Step looks at
	bytesStep = 4 << 20 // of text in the entries that one Step returns, plus one entry
)

// Part is what one Step has read.
type Part struct {
	Entries []Entry
	Bytes   int    // of text in Entries
	Last    string // the id of the last event that was looked at: After of the next Step
	Done    bool   // nothing of the range is left
	Scanned int64  // events looked at
	Read    int64  // bytes of text in these
}

// Step reads the next part of a profile's events, oldest first, and at most most of them. It looks at a bounded number
// of events, so a part may be empty with more to come.
func (l *Log) Step(ctx context.Context, p id.Profile, f Filter, most int) (Part, error) {
	w := f.within(sqldb.NewWhere("profile_id = ?", string(p)))
	part, err := l.look(ctx, `SELECT count(*), coalesce(max(id), ''), coalesce(sum(octet_length(message) + octet_length(before_json) + octet_length(after_json)), 0)
		FROM (SELECT id, message, before_json, after_json FROM audit_entry`+w.SQL()+` ORDER BY id LIMIT `+w.Arg(int64(scanStep))+`) AS seen`, w)
	if err != nil || part.Scanned == 0 {
		return part, err
	}
	w = f.matches(f.within(sqldb.NewWhere("profile_id = ?", string(p))), part.Last)
	err = l.fetch(ctx, &part, most, `SELECT id, at, profile_id, '', who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json
		FROM audit_entry`+w.SQL()+` ORDER BY id LIMIT `+w.Arg(int64(most)), w)
	return part, err
}

// StepAccount is Step for the events that concern an account outside of its profiles.
func (l *Log) StepAccount(ctx context.Context, a id.Account, f Filter, most int) (Part, error) {
	w := f.within(sqldb.NewWhere("account_id = ?", string(a)))
	part, err := l.look(ctx, `SELECT count(*), coalesce(max(id), ''), coalesce(sum(octet_length(message) + octet_length(before_json) + octet_length(after_json)), 0)
		FROM (SELECT id, message, before_json, after_json FROM audit_account`+w.SQL()+` ORDER BY id LIMIT `+w.Arg(int64(scanStep))+`) AS seen`, w)
	if err != nil || part.Scanned == 0 {
		return part, err
	}
	w = f.matches(f.within(sqldb.NewWhere("account_id = ?", string(a))), part.Last)
	err = l.fetch(ctx, &part, most, `SELECT id, at, '', account_id, who, kind, token_id, token_name, addr, resource, resource_id, message, before_json, after_json
		FROM audit_account`+w.SQL()+` ORDER BY id LIMIT `+w.Arg(int64(most)), w)
	return part, err
}

// within is the range of ids that is to be looked at.
func (f Filter) within(w *sqldb.Where) *sqldb.Where {
	after := f.After
	if !f.From.IsZero() {
		after = max(after, idAt(clock.Millis(f.From)))
	}
	if after != "" {
		w.And("id > ?", after)
	}
	if !f.To.IsZero() {
		w.And("id < ?", idAt(clock.Millis(f.To)))
	}
	return w
}

// matches is what is wanted of the range up to last.
func (f Filter) matches(w *sqldb.Where, last string) *sqldb.Where {
	w.And("id <= ?", last)
	for _, c := range []struct{ cond, value string }{
		{"resource = ?", f.Resource}, {"resource_id = ?", f.ResourceID}, {"who = ?", string(f.Who)}, {"token_id = ?", string(f.Token)}, {"kind = ?", string(f.Kind)},
	} {
		if c.value != "" {
			w.And(c.cond, c.value)
		}
	}
	if find := strings.Trim(clean(f.Find), "*"); find != "" {
		w.And(`lower(message) LIKE lower(?) ESCAPE '\'`, "%"+web.Like(find)+"%")
	}
	return w
}

// look finds out how far a Step reaches.
func (l *Log) look(ctx context.Context, q string, w *sqldb.Where) (Part, error) {
	part := Part{Entries: []Entry{}}
	if err := l.db.QueryRow(ctx, q, w.Args()...).Scan(&part.Scanned, &part.Last, &part.Read); err != nil {
		return part, fmt.Errorf("look through the audit log: %w", err)
	}
	part.Done = part.Scanned < scanStep
	return part, nil
}

// fetch reads entries up to most and up to their bytes; when it stops before the end of what was looked at, the next
// Step goes on behind the last entry.
func (l *Log) fetch(ctx context.Context, part *Part, most int, q string, w *sqldb.Where) error {
	rows, err := l.db.Query(ctx, q, w.Args()...)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		part.Entries = append(part.Entries, e)
		part.Bytes += e.size()
		if len(part.Entries) == most || part.Bytes >= bytesStep {
			part.Done = part.Done && e.ID == part.Last
			part.Last = e.ID
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	return nil
}

// size is how many bytes of text e has.
func (e *Entry) size() int {
	return len(e.Message) + len(e.Before) + len(e.After) + len(e.ResourceID) + len(e.TokenName)
}

// List reads a profile's events, oldest first.
func (l *Log) List(ctx context.Context, p id.Profile, f Filter) ([]Entry, error) {
	return all(f, func(f Filter, most int) (Part, error) { return l.Step(ctx, p, f, most) })
}

// ListAccount reads the events that concern an account outside of its profiles, oldest first.
func (l *Log) ListAccount(ctx context.Context, a id.Account, f Filter) ([]Entry, error) {
	return all(f, func(f Filter, most int) (Part, error) { return l.StepAccount(ctx, a, f, most) })
}

// all steps to the end of the range or the limit.
func all(f Filter, step func(f Filter, most int) (Part, error)) ([]Entry, error) {
	most := f.Limit
	if most <= 0 || most > 10_000 {
		most = 1000
	}
	out := []Entry{}
	for {
		part, err := step(f, most-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, part.Entries...)
		if part.Done || len(out) == most {
			return out, nil
		}
		f.After = part.Last
	}
}

// purgeStep is how many events one statement removes: few, since it shares the writing queue with everybody.
const purgeStep = 500

// Purge removes the events from before an instant, slice by slice. It may be cut short and repeated at any point.
func (l *Log) Purge(ctx context.Context, before time.Time) error {
	for _, slice := range []func(context.Context, time.Time) (int64, error){l.purgeEntries, l.purgeAccounts} {
		for {
			n, err := slice(sqldb.As(ctx, ""), before)
			if err != nil {
				return fmt.Errorf("purge the audit log: %w", err)
			}
			if n < purgeStep {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// purgeEntries removes a slice of the oldest events, across profiles.
func (l *Log) purgeEntries(ctx context.Context, before time.Time) (int64, error) {
	return l.db.Exec(ctx, `DELETE FROM audit_entry WHERE (profile_id, id) IN (
		SELECT profile_id, id FROM audit_entry WHERE at < $1 ORDER BY at LIMIT $2)`, clock.Millis(before), int64(purgeStep))
}

func (l *Log) purgeAccounts(ctx context.Context, before time.Time) (int64, error) {
	return l.db.Exec(ctx, `DELETE FROM audit_account WHERE id IN (
		SELECT id FROM audit_account WHERE id < $1 ORDER BY id LIMIT $2)`, idAt(clock.Millis(before)), int64(purgeStep))
}
