package sqldb

import (
	"context"
	"database/sql"
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
	s, err := c.c.PrepareContext(ctx, q)
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
		fresh, err := c.db.PrepareContext(context.WithoutCancel(ctx), q)
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
