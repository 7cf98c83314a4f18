package notify

import (
	"context"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Status is how far a delivery has come.
type Status string

const (
	Waiting   Status = "waiting"   // in an outbox, tried or not
	Delivered Status = "delivered" // taken by the mail server, put into the list, answered 2xx
	Failed    Status = "failed"    // given up
	Held      Status = "held"      // not sent: too many of its kind
)

// delivery is the telling of an event to one address.
type delivery struct {
	profile  id.Profile // "" for what concerns an account only
	id       id.Delivery
	account  id.Account // to whom; of webhooks, whose
	subject  string     // of webhooks
	event    id.Event
	kind     Kind
	title    string
	channel  Channel
	target   string // an address of mail, the origin of a webhook
	body     string // what is posted
	status   Status
	attempts int64
	nextAt   int64 // UTC milliseconds
	reason   string
	at       int64
	doneAt   int64 // 0 while waiting
}

// ref names the delivery to kit/mail.
func (d delivery) ref() string { return string(d.profile) + "/" + string(d.id) }

func fromRef(ref string) (id.Profile, id.Delivery, bool) {
	p, d, ok := strings.Cut(ref, "/")
	return id.Profile(p), id.Delivery(d), ok && id.Valid(d)
}

// deliveryColumns are those after profile_id, which every statement names itself.
const deliveryColumns = `id, account, subject, event, kind, title, channel, target, body, status, attempts, next_at, reason, created_at, done_at`

func scanDelivery(r sqldb.Scanner) (d delivery, err error) {
	return d, r.Scan(&d.profile, &d.id, &d.account, &d.subject, &d.event, &d.kind, &d.title, &d.channel, &d.target, &d.body, &d.status, &d.attempts, &d.nextAt, &d.reason, &d.at, &d.doneAt)
}

func (s *Service) insertDelivery(ctx context.Context, d delivery) error {
	_, err := s.db.Exec(ctx, `INSERT INTO delivery (profile_id, `+deliveryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		d.profile, d.id, d.account, d.subject, d.event, d.kind, d.title, d.channel, d.target, d.body, d.status, d.attempts, d.nextAt, d.reason, d.at, d.doneAt)
	return err
}

// HoldBack gives up, for reason, every webhook that waits, across profiles: a database restored from a backup does not know
// which of them have been posted since. Mails are held back in their outbox.
func (s *Service) HoldBack(ctx context.Context, reason string) error {
	_, err := s.db.Exec(ctx, `UPDATE delivery SET status = 'failed', reason = $1, done_at = $2, body = '' WHERE channel = 'webhook' AND status = 'waiting'`,
		line(reason, maxReason), s.now())
	return err
}

// setDelivery records how a delivery stands; what is over keeps no body.
func (s *Service) setDelivery(ctx context.Context, p id.Profile, d id.Delivery, status Status, attempts, nextAt int64, reason string, doneAt int64) error {
	_, err := s.db.Exec(ctx, `UPDATE delivery SET status = $1, attempts = $2, next_at = $3, reason = $4, done_at = $5, body = CASE WHEN done_at > 0 OR $6 THEN '' ELSE body END
		WHERE profile_id = $7 AND id = $8`, status, attempts, nextAt, line(reason, maxReason), doneAt, doneAt > 0, p, d)
	return err
}

// mailsSince counts the mails of a kind to a person about a profile.
func (s *Service) mailsSince(ctx context.Context, d delivery, since int64) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM delivery WHERE profile_id = $1 AND created_at > $2 AND account = $3 AND channel = 'mail' AND kind = $4 AND status <> 'held'`,
		d.profile, since, d.account, d.kind).Scan(&n)
	return n, err
}

// waiting counts, across profiles, the posts that wait for a webhook.
func (s *Service) waiting(ctx context.Context, subject string) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM delivery WHERE subject = $1 AND channel = 'webhook' AND status = 'waiting'`, subject).Scan(&n)
	return n, err
}

// dueSubjects lists, across profiles, the webhooks that something waits for now, those that wait longest first.
func (s *Service) dueSubjects(ctx context.Context, now int64, most int) ([]string, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (subject string, err error) { return subject, r.Scan(&subject) },
		`SELECT subject FROM delivery WHERE channel = 'webhook' AND status = 'waiting' AND next_at <= $1 GROUP BY subject ORDER BY MIN(next_at) LIMIT $2`, now, int64(most))
}

// due lists, across profiles, what waits for a webhook now, oldest first.
func (s *Service) due(ctx context.Context, subject string, now int64, most int) ([]delivery, error) {
	return sqldb.All(ctx, s.db, scanDelivery, `SELECT profile_id, `+deliveryColumns+` FROM delivery
		WHERE subject = $1 AND channel = 'webhook' AND status = 'waiting' AND next_at <= $2 ORDER BY next_at, created_at, id LIMIT $3`, subject, now, int64(most))
}

// claim moves a post out of the reach of other nodes for as long as sending may take; false when another was first.
func (s *Service) claim(ctx context.Context, d delivery, until int64) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE delivery SET next_at = $1, attempts = attempts + 1
		WHERE profile_id = $2 AND id = $3 AND attempts = $4 AND next_at = $5 AND status = 'waiting'`, until, d.profile, d.id, d.attempts, d.nextAt)
	return n == 1, err
}

// postpone makes the others that wait for a webhook wait as long as the one that just failed, across profiles.
func (s *Service) postpone(ctx context.Context, subject string, until int64) error {
	_, err := s.db.Exec(ctx, `UPDATE delivery SET next_at = $1 WHERE subject = $2 AND channel = 'webhook' AND status = 'waiting' AND next_at < $3`, until, subject, until)
	return err
}

// deliveryFilter narrows the history.
type deliveryFilter struct {
	account id.Account // only of this person; "" for all
	channel Channel
	status  Status
	kind    Kind
}

func (s *Service) listDeliveries(ctx context.Context, p id.Profile, f deliveryFilter, limit, offset int64) ([]delivery, error) {
	w := sqldb.NewWhere("profile_id = ?", p)
	if f.account != "" {
		w.And("account = ?", f.account)
	}
	if f.channel != "" {
		w.And("channel = ?", f.channel)
	}
	if f.status != "" {
		w.And("status = ?", f.status)
	}
	if f.kind != "" {
		w.And("kind = ?", f.kind)
	}
	return sqldb.All(ctx, s.db, scanDelivery, `SELECT profile_id, `+deliveryColumns+` FROM delivery`+w.SQL()+` ORDER BY created_at DESC, id DESC LIMIT `+w.Arg(limit)+` OFFSET `+w.Arg(offset), w.Args()...)
}

// dropDeliveries deletes a slice of what was told before an instant, across profiles.
func (s *Service) dropDeliveries(ctx context.Context, before int64) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE created_at < $1 LIMIT $2)`, before, int64(dropSlice))
}
