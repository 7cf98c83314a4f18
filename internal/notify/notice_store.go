package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

const noticeColumns = `account, id, profile, type, title, message, icon, buttons, buttons_enabled, buttons_autodisable, ref, read_at, created_at`

func scanNotice(r sqldb.Scanner) (n Notification, err error) {
	var icon, buttons string
	err = r.Scan(&n.Account, &n.ID, &n.Profile, &n.Type, &n.Title, &n.Message, &icon, &buttons, &n.Enabled, &n.Autodisable, &n.Ref, &n.ReadAt, &n.CreatedAt)
	if err != nil {
		return n, err
	}
	if icon != "" {
		n.Icon = json.RawMessage(icon)
	}
	return n, json.Unmarshal([]byte(buttons), &n.Buttons)
}

func (s *Service) insert(ctx context.Context, n Notification) error {
	buttons, err := json.Marshal(n.Buttons)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO notification (`+noticeColumns+`, unread_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		n.Account, n.ID, n.Profile, n.Type, n.Title, n.Message, string(n.Icon), string(buttons), n.Enabled, n.Autodisable, n.Ref, n.ReadAt, n.CreatedAt, n.CreatedAt)
	return err
}

// find returns one that the scope reaches, or not_found.
func (s *Service) find(ctx context.Context, sc scope, nid id.Notification) (Notification, error) {
	w := sc.where().And("id = ?", nid)
	n, ok, err := sqldb.One(ctx, s.db, scanNotice, `SELECT `+noticeColumns+` FROM notification`+w.SQL(), w.Args()...)
	if err == nil && !ok {
		err = errNotFound
	}
	return n, err
}

func (s *Service) count(ctx context.Context, a id.Account) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM notification WHERE account = $1`, a).Scan(&n)
	return n, err
}

// noticeFilter narrows a list.
type noticeFilter struct {
	read    *bool
	types   Type
	profile id.Profile
	search  string
}

func (s *Service) listNotices(ctx context.Context, sc scope, f noticeFilter, order string, limit, offset int64) ([]Notification, error) {
	w := sc.where()
	if f.read != nil {
		if *f.read {
			w.And("read_at > 0")
		} else {
			w.And("read_at = 0")
		}
	}
	if f.types != "" {
		w.And("type = ?", f.types)
	}
	if f.profile != "" {
		w.And("profile = ?", f.profile)
	}
	if f.search != "" {
		like := containing(f.search)
		w.And(`lower(title) LIKE lower(?) ESCAPE '\' OR lower(message) LIKE lower(?) ESCAPE '\'`, like, like)
	}
	return sqldb.All(ctx, s.db, scanNotice, `SELECT `+noticeColumns+` FROM notification`+w.SQL()+
		` ORDER BY `+order+`, id DESC LIMIT `+w.Arg(limit)+` OFFSET `+w.Arg(offset), w.Args()...)
}

// containing is a LIKE pattern for texts that hold s, which stands for itself.
func containing(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// unread counts what a scope has not read, and what its account never will.
func (s *Service) unread(ctx context.Context, sc scope) (unread, lost, since int64, err error) {
	w := sc.where().And("read_at = 0")
	if err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM notification`+w.SQL(), w.Args()...).Scan(&unread); err != nil || sc.profile != "" {
		return unread, 0, 0, err
	}
	type gap struct{ lost, since int64 }
	g, _, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (g gap, err error) { return g, r.Scan(&g.lost, &g.since) },
		`SELECT lost, since FROM notification_lost WHERE account = $1`, sc.account)
	return unread, g.lost, g.since, err
}

// setRead marks those of the ids that the scope reaches; nil ids mean all.
func (s *Service) setRead(ctx context.Context, sc scope, ids []id.Notification, read bool) (int64, error) {
	now, at := s.now(), int64(0)
	if read {
		at = now
	}
	// The values come first in the text, so the condition's placeholders begin after them.
	w := &sqldb.Where{}
	set := fmt.Sprintf(`UPDATE notification SET read_at = %s, unread_since = %s`, w.Arg(at), w.Arg(now))
	w.And("account = ?", sc.account)
	if sc.profile != "" {
		w.And("profile = ?", sc.profile)
	}
	if read {
		w.And("read_at = 0")
	} else {
		w.And("read_at > 0")
	}
	if ids != nil {
		sqldb.In(w, "id", ids)
	}
	return s.db.Exec(ctx, set+w.SQL(), w.Args()...)
}

func (s *Service) remove(ctx context.Context, sc scope, nid id.Notification) error {
	w := sc.where().And("id = ?", nid)
	n, err := s.db.Exec(ctx, `DELETE FROM notification`+w.SQL(), w.Args()...)
	if err == nil && n == 0 {
		err = errNotFound
	}
	return err
}

// countLost remembers that a person will never read n notifications.
func (s *Service) countLost(ctx context.Context, a id.Account, n int64) error {
	_, err := s.db.Exec(ctx, `INSERT INTO notification_lost (account, lost, since) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET lost = notification_lost.lost + excluded.lost`, a, n, s.now())
	return err
}

// forgetLost says that the person knows of it.
func (s *Service) forgetLost(ctx context.Context, a id.Account) error {
	_, err := s.db.Exec(ctx, `DELETE FROM notification_lost WHERE account = $1`, a)
	return err
}

// dropIgnored removes a slice of what nobody has read since an instant, and counts it.
func (s *Service) dropIgnored(ctx context.Context, before int64) (n int64, err error) {
	type key struct {
		account id.Account
		id      id.Notification
	}
	old, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (k key, err error) { return k, r.Scan(&k.account, &k.id) },
		`SELECT account, id FROM notification WHERE read_at = 0 AND unread_since < $1 LIMIT $2`, before, int64(dropSlice))
	if err != nil || len(old) == 0 {
		return 0, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		n = 0
		lost := map[id.Account]int64{}
		for _, k := range old {
			gone, err := s.db.Exec(ctx, `DELETE FROM notification WHERE account = $1 AND id = $2 AND read_at = 0 AND unread_since < $3`, k.account, k.id, before)
			if err != nil {
				return err
			}
			lost[k.account] += gone
			n += gone
		}
		for a, l := range lost {
			if l == 0 {
				continue
			}
			if err := s.countLost(ctx, a, l); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// dropRead removes a slice of those that were read.
func (s *Service) dropRead(ctx context.Context, before int64) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE created_at < $1 AND read_at > 0 LIMIT $2)`, before, int64(dropSlice))
}

// prose drops control characters other than line ends and cuts.
func prose(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if r := []rune(text); len(r) > most {
		text = string(r[:most-1]) + "…"
	}
	return strings.TrimSpace(text)
}
