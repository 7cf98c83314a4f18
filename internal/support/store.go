package support

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const ticketColumns = "t.id, t.number, t.kind, t.ref, t.opener, t.profile, t.subject, t.state, t.messages, t.created_at, t.closed_at"

// scanTicket reads ticketColumns and the instant it was last changed as the caller sees it.
func scanTicket(r sqldb.Scanner) (t Ticket, err error) {
	return t, r.Scan(&t.ID, &t.Number, &t.Kind, &t.Ref, &t.Opener, &t.Profile, &t.Subject, &t.State, &t.messages, &t.CreatedAt, &t.ClosedAt, &t.UpdatedAt)
}

// nextNumber counts a ticket. Until the transaction ends nobody else opens one.
func (s *Service) nextNumber(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRow(ctx, `UPDATE ticket_number SET last = last + 1 WHERE id = 1 RETURNING last`).Scan(&n)
	return n, err
}

func (s *Service) insert(ctx context.Context, t Ticket) error {
	_, err := s.db.Exec(ctx, `INSERT INTO ticket (id, number, kind, ref, opener, profile, subject, state, messages, created_at, updated_at, closed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		t.ID, t.Number, string(t.Kind), t.Ref, t.Opener, t.Profile, t.Subject, string(t.State), int64(0), t.CreatedAt, t.UpdatedAt, int64(0))
	return err
}

// find reads a ticket as operators see it.
func (s *Service) find(ctx context.Context, t id.Ticket) (Ticket, error) {
	x, ok, err := sqldb.One(ctx, s.db, scanTicket, "SELECT "+ticketColumns+", t.updated_at FROM ticket t WHERE t.id = $1", t)
	if err != nil {
		return x, fmt.Errorf("find a ticket: %w", err)
	}
	if !ok {
		return x, notFound
	}
	return x, nil
}

// findOf reads a ticket as one of its parties sees it.
func (s *Service) findOf(ctx context.Context, a id.Account, t id.Ticket) (Ticket, error) {
	x, ok, err := sqldb.One(ctx, s.db, scanTicket, "SELECT "+ticketColumns+", p.updated_at FROM ticket t JOIN ticket_party p ON p.ticket = t.id WHERE p.account = $1 AND t.id = $2", a, t)
	if err != nil {
		return x, fmt.Errorf("find a ticket: %w", err)
	}
	if !ok {
		return x, notFound
	}
	return x, nil
}

// hold reads a ticket and keeps others from changing it until the transaction ends.
func (s *Service) hold(ctx context.Context, t id.Ticket) (Ticket, error) {
	if n, err := s.db.Exec(ctx, `UPDATE ticket SET messages = messages + 0 WHERE id = $1`, t); err != nil || n == 0 {
		if err != nil {
			return Ticket{}, fmt.Errorf("hold a ticket: %w", err)
		}
		return Ticket{}, notFound
	}
	return s.find(ctx, t)
}

// put writes what of a ticket changes.
func (s *Service) put(ctx context.Context, t Ticket) error {
	_, err := s.db.Exec(ctx, `UPDATE ticket SET state = $1, messages = $2, updated_at = $3, closed_at = $4 WHERE id = $5`, string(t.State), t.messages, t.UpdatedAt, t.ClosedAt, t.ID)
	return err
}

func (s *Service) insertParty(ctx context.Context, t id.Ticket, a id.Account, now int64) error {
	_, err := s.db.Exec(ctx, `INSERT INTO ticket_party (account, ticket, updated_at) VALUES ($1, $2, $3) ON CONFLICT (account, ticket) DO NOTHING`, a, t, now)
	return err
}

// parties of a ticket, the opener first.
func (s *Service) parties(ctx context.Context, t Ticket) ([]id.Account, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Account], `SELECT account FROM ticket_party WHERE ticket = $1
		ORDER BY CASE WHEN account = $2 THEN 0 ELSE 1 END, account`, t.ID, t.Opener)
}

// touch notes for a party that something it sees has happened.
func (s *Service) touch(ctx context.Context, t id.Ticket, a id.Account, now int64) error {
	_, err := s.db.Exec(ctx, `UPDATE ticket_party SET updated_at = $1 WHERE account = $2 AND ticket = $3`, now, a, t)
	return err
}

func (s *Service) insertMessage(ctx context.Context, t id.Ticket, m Said) error {
	audience := ""
	if m.Private {
		audience = encodeAudience(append([]id.Account{}, m.To...))
	}
	_, err := s.db.Exec(ctx, `INSERT INTO ticket_message (ticket, seq, id, author, operator, text, audience, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t, m.seq, m.ID, m.Author, m.Operator, m.Text, audience, m.At)
	return err
}

// thread reads all messages of a ticket, oldest first.
func (s *Service) thread(ctx context.Context, t id.Ticket) ([]Said, error) {
	return s.said(ctx, `SELECT seq, id, author, operator, text, audience, at FROM ticket_message WHERE ticket = $1 ORDER BY seq`, t)
}

// outline is thread without the texts.
func (s *Service) outline(ctx context.Context, t id.Ticket) ([]Said, error) {
	return s.said(ctx, `SELECT seq, id, author, operator, '', audience, at FROM ticket_message WHERE ticket = $1 ORDER BY seq`, t)
}

func (s *Service) said(ctx context.Context, q string, t id.Ticket) ([]Said, error) {
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (m Said, err error) {
		var audience string
		err = r.Scan(&m.seq, &m.ID, &m.Author, &m.Operator, &m.Text, &audience, &m.At)
		m.To, m.Private = decodeAudience(audience)
		return m, err
	}, q, t)
	if err != nil {
		return nil, fmt.Errorf("read a thread: %w", err)
	}
	return out, nil
}

// writtenSince counts what an account wrote, and tells when the first of that was.
func (s *Service) writtenSince(ctx context.Context, a id.Account, since int64) (n, first int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM ticket_message WHERE author = $1 AND at > $2`, a, since).Scan(&n, &first)
	return n, first, err
}

func (s *Service) openedSince(ctx context.Context, a id.Account, since int64) (n, first int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM ticket WHERE opener = $1 AND created_at > $2 AND kind = $3`, a, since, string(Question)).Scan(&n, &first)
	return n, first, err
}

func (s *Service) openOf(ctx context.Context, a id.Account) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM ticket WHERE opener = $1 AND kind = $2 AND state <> $3`, a, string(Question), string(Closed)).Scan(&n)
	return n, err
}

// list reads a page of the tickets of one party, or with party "" of all, latest first.
func (s *Service) list(ctx context.Context, party id.Account, f Filter, limit, offset int64) ([]Ticket, error) {
	w, from, at := sqldb.NewWhere("t.number > ?", int64(0)), "ticket t", "t.updated_at"
	if party != "" {
		from, at = "ticket t JOIN ticket_party p ON p.ticket = t.id", "p.updated_at"
		w.And("p.account = ?", party)
	}
	if f.State != "" {
		w.And("t.state = ?", string(f.State))
	}
	if f.Kind != "" {
		w.And("t.kind = ?", string(f.Kind))
	}
	if f.Account != "" {
		w.And("EXISTS (SELECT 1 FROM ticket_party a WHERE a.ticket = t.id AND a.account = ?)", f.Account)
	}
	if f.Number > 0 {
		w.And("t.number = ?", f.Number)
	} else if f.Text != "" {
		like := "%" + web.Like(f.Text) + "%"
		if party == "" {
			w.And(`(lower(t.subject) LIKE lower(?) ESCAPE '\' OR EXISTS (SELECT 1 FROM ticket_message m WHERE m.ticket = t.id AND lower(m.text) LIKE lower(?) ESCAPE '\'))`, like, like)
		} else { // what a party does not see it does not find
			w.And(`(lower(t.subject) LIKE lower(?) ESCAPE '\' OR EXISTS (SELECT 1 FROM ticket_message m WHERE m.ticket = t.id AND lower(m.text) LIKE lower(?) ESCAPE '\'
				AND (m.audience = '' OR m.author = ? OR m.audience LIKE ?)))`, like, like, party, "%,"+string(party)+",%")
		}
	}
	limited, offsetBy := w.Arg(limit), w.Arg(offset)
	out, err := sqldb.All(ctx, s.db, scanTicket, "SELECT "+ticketColumns+", "+at+" FROM "+from+w.SQL()+" ORDER BY "+at+" DESC, t.number DESC LIMIT "+limited+" OFFSET "+offsetBy, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list tickets: %w", err)
	}
	return out, nil
}

// forsaken are tickets whose parties are all gone.
func (s *Service) forsaken(ctx context.Context, most int64) ([]id.Ticket, error) {
	return sqldb.All(ctx, s.db, sqldb.Value[id.Ticket], `SELECT t.id FROM ticket t WHERE NOT EXISTS (SELECT 1 FROM ticket_party p WHERE p.ticket = t.id) ORDER BY t.id LIMIT $1`, most)
}
