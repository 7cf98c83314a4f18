package account

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Filter narrows the list of accounts; zero members do not.
type Filter struct {
	Find  string       // in name, e-mail or company, in any case of letters, * for any text; or a whole id
	Plan  string       // exactly
	State string       // "blocked", "operator", "unconfirmed"
	IDs   []id.Account // among these; nil for all
}

// orders are the columns that accounts can be listed by. Each has an index.
var orders = map[string]string{
	"name": "lower(name)", "email": "email", "plan": "plan", "created_at": "created_at", "last_login": "COALESCE(last_login, 0)",
}

// Page lists accounts, with how many there are in all. It returns Invalid for an order or state that there is not.
func (s *Service) Page(ctx context.Context, f Filter, l web.List) ([]Account, int64, error) {
	order, err := l.Order(orders, orders["name"]+" ASC")
	if err != nil {
		return nil, 0, err
	}
	if order += ", id"; strings.HasSuffix(order, " DESC, id") { // as an index is walked
		order += " DESC"
	}
	w := sqldb.NewWhere("id <> ?", "")
	if f.Find != "" {
		like := "%" + web.Like(f.Find) + "%"
		w.And(`(lower(name || ' ' || email || ' ' || COALESCE(company, '')) LIKE ? ESCAPE '\' OR id = ?)`, strings.ToLower(like), f.Find)
	}
	if f.Plan != "" {
		w.And("plan = ?", f.Plan)
	}
	switch f.State {
	case "":
	case "blocked":
		w.And("blocked = ?", true)
	case "operator":
		w.And("operator = ?", true)
	case "unconfirmed":
		w.And("active = ?", false)
	default:
		return nil, 0, fault.Field("state", "must be blocked, operator or unconfirmed")
	}
	if f.IDs != nil {
		args := make([]any, len(f.IDs))
		marks := ""
		for i, a := range f.IDs {
			args[i] = string(a)
			if marks += "?"; i < len(f.IDs)-1 {
				marks += ","
			}
		}
		if len(args) == 0 {
			return []Account{}, 0, nil
		}
		w.And("id IN ("+marks+")", args...)
	}
	var total int64
	if err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM account"+w.SQL(), w.Args()...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count accounts: %w", err)
	}
	limit, offset := w.Arg(l.Limit()), w.Arg(l.Offset())
	out, err := sqldb.All(ctx, s.db, scan, "SELECT "+columns+" FROM account WHERE id IN (SELECT id FROM account"+w.SQL()+" ORDER BY "+order+
		" LIMIT "+limit+" OFFSET "+offset+") ORDER BY "+order, w.Args()...)
	if err != nil {
		return nil, 0, fmt.Errorf("list accounts: %w", err)
	}
	return out, total, nil
}

// OperatorSession is a browser in which an operator is signed in.
type OperatorSession struct {
	Session
	Name, Email string
}

// OperatorSessions lists the living sessions of operators, the last used first, as far as their use has been written.
func (s *Service) OperatorSessions(ctx context.Context) ([]OperatorSession, error) {
	now := s.clock.Now()
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x OperatorSession, err error) {
		var created, used int64
		err = r.Scan(&x.ID, &x.Account, &x.Addr, &x.Agent, &created, &used, &x.Name, &x.Email)
		x.CreatedAt, x.LastUsedAt = clock.FromMillis(created), clock.FromMillis(used)
		x.ExpiresAt = x.CreatedAt.Add(s.cfg.SessionMax)
		return x, err
	}, `SELECT s.id, s.account_id, s.addr, s.agent, s.created_at, s.last_used_at, a.name, a.email FROM account a JOIN session s ON s.account_id = a.id
		WHERE a.operator = $1 AND a.blocked = $2 AND s.created_at > $3 AND s.last_used_at > $4 ORDER BY s.last_used_at DESC, s.id LIMIT 100`,
		true, false, clock.Millis(now.Add(-s.cfg.SessionMax)), clock.Millis(now.Add(-s.cfg.SessionIdle)))
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return out, nil
}
