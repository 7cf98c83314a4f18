package sqldb

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"sync"
)

// maxStmts bounds the prepared statements kept for a connection or pool. Texts with a variable number of
// rows come in many lengths; the oldest make room.
const maxStmts = 512

// conn is the writing connection of SQLite with its prepared statements. One goroutine uses it.
type conn struct {
	c     *sql.Conn
	stmts map[string]*sql.Stmt
	order []string
}

func newConn(c *sql.Conn) *conn { return &conn{c: c, stmts: map[string]*sql.Stmt{}} }

func (c *conn) prepare(ctx context.Context, q string) (*sql.Stmt, error) {
	if s, ok := c.stmts[q]; ok {
		return s, nil
	}
	s, err := c.c.PrepareContext(ctx, forSQLite(q))
	if err != nil {
		return nil, err
	}
	if len(c.order) >= maxStmts {
		old := c.order[0]
		c.order = c.order[1:]
		c.stmts[old].Close()
		delete(c.stmts, old)
	}
	c.stmts[q] = s
	c.order = append(c.order, q)
	return s, nil
}

func (c *conn) exec(ctx context.Context, q string, args ...any) (sql.Result, error) {
	s, err := c.prepare(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (c *conn) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s, err := c.prepare(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// script runs several statements at once, unprepared: migrations.
func (c *conn) script(ctx context.Context, text string) error {
	_, err := c.c.ExecContext(ctx, text)
	return err
}

func (c *conn) close() {
	for _, s := range c.stmts {
		s.Close()
	}
	c.c.Close()
}

// stmtCache keeps prepared statements of the reading pool; database/sql prepares each once a connection.
type stmtCache struct {
	db    *sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newStmtCache(db *sql.DB) *stmtCache { return &stmtCache{db: db, stmts: map[string]*sql.Stmt{}} }

func (c *stmtCache) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	c.mu.RLock()
	s := c.stmts[q]
	full := len(c.stmts) >= maxStmts
	c.mu.RUnlock()
	if s == nil {
		if full { // rare texts are read unprepared rather than closing one that is in use
			return c.db.QueryContext(ctx, q, args...)
		}
		fresh, err := c.db.PrepareContext(context.WithoutCancel(ctx), forSQLite(q))
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if s = c.stmts[q]; s == nil {
			c.stmts[q], s = fresh, fresh
			fresh = nil
		}
		c.mu.Unlock()
		if fresh != nil {
			fresh.Close()
		}
	}
	return s.QueryContext(ctx, args...)
}

var limit = regexp.MustCompile(`(?i)\b(LIMIT\s+)(\$\d+)`)

// forSQLite is a text as SQLite runs it best. It plans a statement anew for each value of a bare LIMIT $1, but
// not for that of an expression.
func forSQLite(q string) string { return plain(limit.ReplaceAllString(q, "${1}0+${2}")) }

// plain writes the placeholders $1, $2, … of a text as ? when each appears once and in order, so that ? means
// the same. SQLite takes $1 for a name, and the driver looks the name of every argument up in a list: a
// statement of a thousand arguments would spend most of its time on that.
func plain(q string) string {
	var b strings.Builder
	next, from := 1, 0
	for i := 0; i < len(q); i++ {
		switch q[i] {
		case '\'', '"':
			end := strings.IndexByte(q[i+1:], q[i])
			if end < 0 {
				return q
			}
			i += end + 1
		case '?':
			return q
		case '-':
			if i+1 < len(q) && q[i+1] == '-' {
				return q
			}
		case '/':
			if i+1 < len(q) && q[i+1] == '*' {
				return q
			}
		case '$':
			n, j := 0, i+1
			for ; j < len(q) && q[j] >= '0' && q[j] <= '9'; j++ {
				n = n*10 + int(q[j]-'0')
			}
			if n != next {
				return q
			}
			next++
			b.WriteString(q[from:i])
			b.WriteByte('?')
			from, i = j, j-1
		}
	}
	if from == 0 {
		return q
	}
	b.WriteString(q[from:])
	return b.String()
}
