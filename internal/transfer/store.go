package transfer

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "transfer", FS: migrations} }

const columns = `id, profile, name, source, address, destination, ticket, state, message, reason, choices, outcome, kept,
	requested_at, expires_at, accepted_at, completed_at, ended_at, undo_source, undo_destination`

func scan(r sqldb.Scanner) (t Transfer, err error) {
	var choices, outcome, kept string
	err = r.Scan(&t.ID, &t.Profile, &t.Name, &t.Source, &t.Address, &t.Destination, &t.Ticket, &t.State, &t.Message, &t.Reason, &choices, &outcome, &kept,
		&t.RequestedAt, &t.ExpiresAt, &t.AcceptedAt, &t.CompletedAt, &t.EndedAt, &t.UndoSource, &t.UndoDestination)
	for _, part := range []struct {
		text string
		to   any
	}{{choices, &t.Choices}, {outcome, &t.Outcome}, {kept, &t.kept}} {
		if err == nil && part.text != "" {
			err = json.Unmarshal([]byte(part.text), part.to)
		}
	}
	return t, err
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return string(b)
}

func (s *Service) insert(ctx context.Context, t Transfer) error {
	_, err := s.db.Exec(ctx, `INSERT INTO transfer (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		t.ID, t.Profile, t.Name, t.Source, t.Address, t.Destination, t.Ticket, t.State, t.Message, t.Reason, "", "", "",
		t.RequestedAt, t.ExpiresAt, t.AcceptedAt, t.CompletedAt, t.EndedAt, t.UndoSource, t.UndoDestination)
	return err
}

// move writes a transfer that was in one state into another, unless somebody else has moved it. It makes every other
// transaction that would move it wait.
func (s *Service) move(ctx context.Context, t Transfer, from State) (bool, error) {
	choices, outcome, kept := "", "", ""
	if t.AcceptedAt > 0 {
		choices = encode(t.Choices)
	}
	if t.CompletedAt > 0 {
		outcome = encode(t.Outcome)
	}
	if t.State == Completed {
		kept = encode(t.kept)
	}
	n, err := s.db.Exec(ctx, `UPDATE transfer SET destination = $1, state = $2, reason = $3, choices = $4, outcome = $5, kept = $6,
			expires_at = $7, accepted_at = $8, completed_at = $9, ended_at = $10, undo_source = $11, undo_destination = $12
		WHERE id = $13 AND state = $14`, t.Destination, t.State, t.Reason, choices, outcome, kept,
		t.ExpiresAt, t.AcceptedAt, t.CompletedAt, t.EndedAt, t.UndoSource, t.UndoDestination, t.ID, from)
	if err != nil {
		return false, fmt.Errorf("write a transfer: %w", err)
	}
	return n == 1, nil
}

// hold makes every other transaction that would move a transfer wait for this one, and reads it.
func (s *Service) hold(ctx context.Context, t id.Transfer) (Transfer, bool, error) {
	if _, err := s.db.Exec(ctx, `UPDATE transfer SET state = state WHERE id = $1`, t); err != nil {
		return Transfer{}, false, fmt.Errorf("hold a transfer: %w", err)
	}
	return s.find(ctx, t)
}

func (s *Service) find(ctx context.Context, t id.Transfer) (Transfer, bool, error) {
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM transfer WHERE id = $1`, t)
}

// openOf is the one of a profile that waits for somebody.
func (s *Service) openOf(ctx context.Context, p id.Profile) (Transfer, bool, error) {
	return sqldb.One(ctx, s.db, scan, `SELECT `+columns+` FROM transfer WHERE profile = $1 AND state IN ('requested', 'accepted')`, p)
}

// laterThan counts what has become of a profile after a hand-over of it, and stands.
func (s *Service) laterThan(ctx context.Context, t Transfer) (int64, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COUNT(*) FROM transfer WHERE profile = $1 AND state = 'completed' AND id <> $2 AND completed_at >= $3`,
		t.Profile, t.ID, t.CompletedAt)
	return n, err
}

// waitingFor counts what waits for whoever has an address.
func (s *Service) waitingFor(ctx context.Context, address string, now int64) (int64, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COUNT(*) FROM transfer WHERE address = $1 AND state = 'requested' AND expires_at > $2`, address, now)
	return n, err
}

// due lists what has waited too long.
func (s *Service) due(ctx context.Context, now, most int64) ([]id.Transfer, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Transfer], `SELECT id FROM transfer WHERE state IN ('requested', 'accepted') AND expires_at <= $1 ORDER BY expires_at, id LIMIT $2`, now, most)
}

// acceptedOf lists what waits for an operator of those that an account accepted.
func (s *Service) acceptedOf(ctx context.Context, a id.Account) ([]id.Transfer, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Transfer], `SELECT id FROM transfer WHERE destination = $1 AND state = 'accepted' ORDER BY id`, a)
}

// openBy lists what waits of those that an account asked for.
func (s *Service) openBy(ctx context.Context, a id.Account) ([]id.Transfer, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Transfer], `SELECT id FROM transfer WHERE source = $1 AND state IN ('requested', 'accepted') ORDER BY id`, a)
}

// tidy forgets a slice of what nobody needs any more: what an undo would need once its time is over; what did not come about, and
// the names of people in what did, some time after it ended.
func (s *Service) tidy(ctx context.Context, now, most int64) (int64, error) {
	var n int64
	for _, q := range []struct {
		text string
		args []any
	}{
		{`UPDATE transfer SET kept = '' WHERE id IN (SELECT id FROM transfer WHERE kept <> '' AND completed_at < $1 ORDER BY id LIMIT $2)`,
			[]any{now - undoFor.Milliseconds(), most}},
		{`DELETE FROM transfer WHERE id IN (SELECT id FROM transfer WHERE state IN ('declined', 'cancelled', 'expired') AND ended_at < $1 ORDER BY id LIMIT $2)`,
			[]any{now - keepNames.Milliseconds(), most}},
		{`UPDATE transfer SET outcome = '', choices = '' WHERE id IN (SELECT id FROM transfer WHERE outcome <> '' AND completed_at < $1 ORDER BY id LIMIT $2)`,
			[]any{now - keepNames.Milliseconds(), most}},
	} {
		k, err := s.db.Exec(ctx, q.text, q.args...)
		if err != nil {
			return n, fmt.Errorf("tidy transfers: %w", err)
		}
		n += k
	}
	return n, nil
}

// forget takes what names a person out of transfers.
func (s *Service) forget(ctx context.Context, a id.Account) error {
	if _, err := s.db.Exec(ctx, `UPDATE transfer SET address = '', kept = '' WHERE destination = $1`, a); err != nil {
		return fmt.Errorf("forget a person's transfers: %w", err)
	}
	if _, err := s.db.Exec(ctx, `UPDATE transfer SET message = '', kept = '' WHERE source = $1`, a); err != nil {
		return fmt.Errorf("forget a person's transfers: %w", err)
	}
	return nil
}

// page lists transfers, newest first.
func (s *Service) page(ctx context.Context, w *sqldb.Where, limit, offset int64) ([]Transfer, error) {
	q := `SELECT ` + columns + ` FROM transfer` + w.SQL()
	q += ` ORDER BY requested_at DESC, id DESC LIMIT ` + w.Arg(limit) + ` OFFSET ` + w.Arg(offset)
	return sqldb.All(ctx, s.db, scan, q, w.Args()...)
}
