package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// Correction puts an issued statement right: a line of the next statement of the profile, or of one of its own.
type Correction struct {
	ID       id.Correction
	Of       id.Statement
	Key      string
	Text     string
	Cents    int64
	Currency string
	MadeAt   int64
	On       id.Statement // that has it as a line; "" while none has
}

// Bounds of statements.
const (
	mostIssued      = 1000 // new ones by one request; it says what is left
	mostCorrections = 100  // that wait, of a profile
	maxCorrection   = 100_000_000_000
)

// Skipped is a profile for which no statement could be made.
type Skipped struct {
	Profile id.Profile `json:"profile"`
	Name    string     `json:"name"`
	Reason  string     `json:"reason"`
}

// Issued is what Issue did.
type Issued struct {
	Statements []Statement // in the order of profiles, at most a thousand; also those that were issued before
	New, Old   int
	Left       int // profiles that another call will come to
	Skipped    []Skipped
}

// Issue issues the statements of a month that is over, of some profiles or, when none is named, of all. What was issued before
// stays as it is and is given back. Each statement is a transaction: whoever is interrupted asks again. It returns Invalid for a month
// that is not over and not_found for a profile that never was the account's; one that was not in that month is skipped.
func (s *Service) Issue(ctx context.Context, who auth.Caller, month string, profiles []id.Profile) (Issued, error) {
	out := Issued{Statements: []Statement{}, Skipped: []Skipped{}}
	b, err := s.billOfMonth(ctx, who.AccountID, month)
	if err != nil {
		return out, err
	}
	cs, err := b.customers(ctx, profiles)
	if err != nil {
		return out, err
	}
	if ends := b.whole.to + settled; s.now() < ends {
		return out, fault.Field("month", "can be issued from %s on, when every hour of it is counted", clock.FromMillis(ends).Format(printedDay+", 15:04 UTC"))
	}
	if b.cards.passOn(ByUse) {
		waits, err := s.unrated(ctx, b.account.ID, b.whole)
		if err != nil {
			return out, err
		}
		if waits {
			return out, fault.New(fault.Conflict, "What profiles cost in this month by use is still being computed; try again in a minute").After(time.Minute)
		}
	}
	for part := range slices.Chunk(cs, atOnce) {
		if out.New >= mostIssued {
			out.Left += len(part)
			continue
		}
		old, err := s.issuedOf(ctx, b.account.ID, b.name(), part)
		if err != nil {
			return out, err
		}
		ds, err := b.drafts(ctx, slices.DeleteFunc(slices.Clone(part), func(c customer) bool { _, ok := old[c.profile]; return ok }))
		if err != nil {
			return out, err
		}
		for _, c := range part {
			st, ok := old[c.profile]
			if ok {
				out.Old++
			} else {
				d := ds[slices.IndexFunc(ds, func(d drafted) bool { return d.customer.profile == c.profile })]
				if d.reason != "" {
					out.Skipped = append(out.Skipped, Skipped{c.profile, c.name, d.reason})
					continue
				}
				var fresh bool
				if st, fresh, err = s.issue(ctx, who, d); err != nil {
					return out, err
				}
				if fresh {
					out.New++
				} else {
					out.Old++
				}
				crash.At("statement issued, others not")
			}
			if len(out.Statements) < mostIssued {
				out.Statements = append(out.Statements, st)
			}
		}
	}
	return out, nil
}

// issue writes a draft down, with the corrections that wait and the next number. It reports false when somebody else was faster.
func (s *Service) issue(ctx context.Context, who auth.Caller, d drafted) (st Statement, fresh bool, err error) {
	logo, err := s.logoFor(ctx, d.card, d.customer.profile)
	if err != nil {
		return st, false, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		st, fresh = d.state, false
		number, err := s.nextNumber(ctx, st.Account)
		if err != nil {
			return err
		}
		if old, found, err := s.statementWhere(ctx, `account = $1 AND profile = $2 AND once = $3`, string(st.Account), string(st.Profile), st.Month); err != nil || found {
			st = old
			return err
		}
		waiting, err := s.waiting(ctx, st.Account, st.Profile, st.Currency)
		if err != nil {
			return err
		}
		st.Lines = slices.Clone(st.Lines)
		for _, c := range waiting {
			of, err := s.numberOf(ctx, st.Account, c.Of)
			if err != nil {
				return err
			}
			st.Lines = append(st.Lines, c.entry(of))
		}
		st.Logo = logo
		if err := s.write(ctx, who, &st, number, st.Month); err != nil {
			return err
		}
		fresh = true
		for _, c := range waiting {
			if err := s.settleCorrection(ctx, c.ID, st.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return st, fresh, err
}

// entry is the correction as a line, of a statement that has a number.
func (c Correction) entry(number int64) Entry {
	return Entry{Kind: EntryCorrection, Item: string(c.ID), Text: fmt.Sprintf("Correction of statement %d: %s", number, c.Text), Cents: c.Cents}
}

// write adds a statement up, numbers it and inserts it, in the transaction of ctx.
func (s *Service) write(ctx context.Context, who auth.Caller, st *Statement, number int64, once string) error {
	if err := st.sum(); err != nil {
		return err
	}
	st.ID, st.Number, st.IssuedAt = id.New[id.Statement](), number, s.now()
	doc, err := st.document()
	if err != nil {
		return err
	}
	st.hash = hashOf(doc)
	if _, err := s.db.Exec(ctx, `UPDATE statement_number SET last = $1 WHERE account = $2`, number, string(st.Account)); err != nil {
		return fmt.Errorf("number a statement: %w", err)
	}
	_, err = s.db.Exec(ctx, `INSERT INTO statement (account, number, id, once, profile, month, from_at, to_at, document, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, string(st.Account), number, string(st.ID), once, string(st.Profile), st.Month, st.From, st.To, doc, st.hash)
	if err != nil {
		return fmt.Errorf("issue a statement: %w", err)
	}
	return s.audit.Write(ctx, who, audit.Event{Account: st.Account, Resource: "statement", ResourceID: string(st.ID),
		Message: fmt.Sprintf("Statement %d of %q for %s issued", st.Number, st.Name, st.Month),
		After:   map[string]any{"number": st.Number, "profile": st.Profile, "month": st.Month, "total_cents": st.Total, "currency": st.Currency, "hash": st.hash}})
}

// nextNumber is the number that comes next. It makes this transaction wait for every other that issues for the account.
func (s *Service) nextNumber(ctx context.Context, a id.Account) (int64, error) {
	if _, err := s.db.Exec(ctx, `INSERT INTO statement_number (account, last) VALUES ($1, 0) ON CONFLICT (account) DO NOTHING`, string(a)); err != nil {
		return 0, fmt.Errorf("number statements: %w", err)
	}
	last, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `UPDATE statement_number SET last = last + 0 WHERE account = $1 RETURNING last`, string(a))
	if err != nil {
		return 0, fmt.Errorf("number statements: %w", err)
	}
	return last + 1, nil
}

// Correct notes what puts an issued statement right. It is a line of the next statement of the profile in that currency, taxed as
// that one is; with own it is issued at once as a statement of its own, with the tax of the corrected one. key, when given, makes the same request,
// sent again, the same correction; with other words or cents it is a Conflict.
func (s *Service) Correct(ctx context.Context, who auth.Caller, statement id.Statement, c Correction, own bool) (Correction, error) {
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		st, err := s.Statement(ctx, who.AccountID, statement)
		if err != nil {
			return err
		}
		number, err := s.nextNumber(ctx, st.Account)
		if err != nil {
			return err
		}
		c.ID, c.Of, c.Currency, c.MadeAt, c.On = id.New[id.Correction](), st.ID, st.Currency, s.now(), ""
		if c.Key == "" {
			c.Key = string(c.ID)
		}
		of, err := s.correctionsOf(ctx, st.Account, st.ID)
		if err != nil {
			return err
		}
		for _, o := range of {
			if o.Key != c.Key {
				continue
			}
			if o.Text != c.Text || o.Cents != c.Cents {
				return fault.New(fault.Conflict, "key: was used for another correction of this statement")
			}
			c = o
			return nil
		}
		waiting, err := s.waiting(ctx, st.Account, st.Profile, st.Currency)
		if err != nil {
			return err
		}
		if !own && len(waiting) >= mostCorrections {
			return fault.New(fault.Conflict, "%d corrections wait for the next statement of this profile already", len(waiting))
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO statement_correction (id, account, profile, statement, key, text, cents, currency, made_at, on_statement)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, string(c.ID), string(st.Account), string(st.Profile), string(st.ID), c.Key, c.Text, c.Cents, c.Currency, c.MadeAt, ""); err != nil {
			return fmt.Errorf("note a correction: %w", err)
		}
		if err := s.audit.Write(ctx, who, audit.Event{Account: st.Account, Resource: "statement", ResourceID: string(st.ID),
			Message: fmt.Sprintf("Statement %d of %q corrected", st.Number, st.Name), After: map[string]any{"correction": c.ID, "text": c.Text, "cents": c.Cents}}); err != nil || !own {
			return err
		}
		st.Kind, st.Corrects, st.Lines = OfCorrected, st.ID, []Entry{c.entry(st.Number)}
		if err := s.write(ctx, who, &st, number, "correction "+string(c.ID)); err != nil {
			return err
		}
		c.On = st.ID
		return s.settleCorrection(ctx, c.ID, st.ID)
	})
	return c, err
}

func (s *Service) settleCorrection(ctx context.Context, c id.Correction, on id.Statement) error {
	if _, err := s.db.Exec(ctx, `UPDATE statement_correction SET on_statement = $1 WHERE id = $2`, string(on), string(c)); err != nil {
		return fmt.Errorf("settle a correction: %w", err)
	}
	return nil
}
