package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"modernc.org/sqlite"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
)

// Engine names the database underneath. Only this package and tests branch on it.
type Engine string

const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Options tune Open. The zero value is right for tests.
type Options struct {
	Clock   clock.Clock  // clock.System when nil
	Log     *slog.Logger // slog.Default() when nil
	Readers int          // reading connections on SQLite, connections in all on PostgreSQL; 0 chooses
}

// DB is an open database.
type DB struct {
	engine  Engine
	path    string   // SQLite file, "" on PostgreSQL
	read    *sql.DB  // pool for reads; on PostgreSQL the only pool
	write   *sql.DB  // SQLite: one connection
	writer  *conn    // SQLite: that connection with its prepared statements
	turn    *os.File // SQLite: see beside.go
	readers *stmtCache
	clock   clock.Clock
	log     *slog.Logger
	queue   *queue
	watch   *watcher

	background sync.WaitGroup
	stop       chan struct{}
	closeOnce  sync.Once
}

// Open opens "sqlite:/path/to/file" (created when missing) or "postgres://…". It does not migrate.
func Open(ctx context.Context, dsn string, opt Options) (*DB, error) {
	db := &DB{clock: opt.Clock, log: opt.Log, stop: make(chan struct{})}
	if db.clock == nil {
		db.clock = clock.System
	}
	if db.log == nil {
		db.log = slog.Default()
	}
	db.watch = newWatcher(db)
	var err error
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		err = db.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), opt)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		err = db.openPostgres(ctx, dsn, opt)
	default:
		err = errors.New("a database is named sqlite:FILE or postgres://…")
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

func (db *DB) openSQLite(ctx context.Context, path string, opt Options) error {
	db.engine, db.path = SQLite, path
	dsn := func(pragmas ...string) string {
		v := url.Values{}
		for _, p := range append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)"}, pragmas...) {
			v.Add("_pragma", p)
		}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
	}
	var err error
	// Checkpoints run beside the writer (checkpoint.go), never inside a commit.
	if db.write, err = sql.Open("sqlite", dsn("wal_autocheckpoint(0)", "cache_size(-16000)")); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.write.SetMaxOpenConns(1)
	c, err := db.write.Conn(ctx)
	if err != nil {
		db.write.Close()
		return fmt.Errorf("open %s: %w", path, err)
	}
	// From here on it does not wait for locks by itself; see beside.go.
	if _, err := c.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		db.write.Close()
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.turn = openTurnstile(path)
	os.Chmod(path, 0o600) // it holds hashes of secrets; the folder's owner alone reads it
	db.writer = newConn(c)
	if db.read, err = sql.Open("sqlite", dsn("query_only(1)", "wal_autocheckpoint(0)")); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	n := opt.Readers
	if n <= 0 {
		n = max(4, 2*runtime.NumCPU())
	}
	db.read.SetMaxOpenConns(n)
	db.read.SetMaxIdleConns(n)
	db.readers = newStmtCache(db.read)
	db.queue = newQueue()
	db.background.Go(db.sqliteWriter)
	db.background.Go(db.checkpointer)
	return nil
}

func (db *DB) openPostgres(ctx context.Context, dsn string, opt Options) error {
	db.engine = Postgres
	var err error
	if db.read, err = sql.Open("pgx", dsn); err != nil {
		return errors.New("open the database: the URL does not parse") // the cause could show the password
	}
	n := opt.Readers
	if n <= 0 {
		n = 24
	}
	db.read.SetMaxOpenConns(n)
	db.read.SetMaxIdleConns(n)
	db.read.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.read.PingContext(ctx); err != nil {
		db.read.Close()
		return fmt.Errorf("open the database: %w", err)
	}
	db.queue = newQueue()
	for range committers {
		db.background.Go(db.postgresCommitter)
	}
	return nil
}

// Engine tells which database is underneath; for tests and for what an operator is shown.
func (db *DB) Engine() Engine { return db.engine }

// Path is the SQLite file, "" on PostgreSQL.
func (db *DB) Path() string { return db.path }

// Close lets what is queued commit, then closes. Writes that come later are refused.
func (db *DB) Close() error {
	var err error
	db.closeOnce.Do(func() {
		close(db.stop)
		db.queue.close()
		db.background.Wait()
		if db.engine == SQLite {
			db.writer.exec(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)") // as far as nobody else is at it
			db.writer.close()
			err = db.write.Close()
			if db.turn != nil {
				db.turn.Close()
			}
		}
		err = errors.Join(err, db.read.Close())
	})
	return err
}

// Ping fails when the database does not answer.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.read.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// tx is the transaction that a context carries.
type tx struct {
	db       *DB
	conn     *conn   // SQLite writer
	pg       *sql.Tx // PostgreSQL
	readOnly bool    // of Snapshot
	after    []func()
	notes    map[any]any
}

type txKey struct{}

func txOf(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{}).(*tx)
	return t
}

type tenantKey struct{}

// As names whose turn a write takes in the queue: a profile's id, or "" for account-level work.
func As[T ~string](ctx context.Context, tenant T) context.Context {
	return context.WithValue(ctx, tenantKey{}, string(tenant))
}

func tenantOf(ctx context.Context) string {
	t, _ := ctx.Value(tenantKey{}).(string)
	return t
}

type costKey struct{}

// Cost says how many points' worth of work a Tx is, for the fairness of the queue; DefaultCost when unsaid.
func Cost(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, costKey{}, n)
}

// DefaultCost is the share of a round that a transaction takes when it says nothing.
const DefaultCost = 150

func costOf(ctx context.Context) int {
	if n, ok := ctx.Value(costKey{}).(int); ok {
		return n
	}
	return DefaultCost
}

// Tx runs fn in a write transaction and commits when it returns nil. Inside another Tx it joins that one.
// It returns fn's error, Unavailable when the queue is full or the database fails, or the context's error
// when it ended before fn began.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := txOf(ctx); t != nil {
		if t.readOnly {
			return errors.New("sqldb: a write inside a snapshot")
		}
		return fn(ctx)
	}
	if db.engine == SQLite {
		return db.queue.do(ctx, &job{tenant: tenantOf(ctx), cost: costOf(ctx), fn: fn, ctx: ctx})
	}
	for attempt := 1; ; attempt++ {
		err := db.postgresTx(ctx, fn)
		if attempt < 8 && wantsRetry(err) {
			time.Sleep(time.Duration(rand.IntN(attempt*10)+1) * time.Millisecond)
			continue
		}
		return err
	}
}

func (db *DB) postgresTx(ctx context.Context, fn func(ctx context.Context) error) error {
	p, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(ctx, err)
	}
	t := &tx{db: db, pg: p}
	defer p.Rollback()
	if err := fn(context.WithValue(ctx, txKey{}, t)); err != nil {
		return err
	}
	crash.At("transaction before commit")
	if err := p.Commit(); err != nil {
		return unavailable(ctx, err)
	}
	crash.At("transaction after commit")
	for _, f := range t.after {
		f()
	}
	return nil
}

// unavailable turns an engine's failure into a fault; the end of the caller's context stays what it is.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil || wantsRetry(err) {
		return err
	}
	return fault.New(fault.Unavailable, "The database does not answer; try again").Because(err).After(2 * time.Second)
}

func wantsRetry(err error) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && (p.Code == "40001" || p.Code == "40P01")
}

// Snapshot runs fn so that all its reads see the database at one instant. Writes inside fail.
func (db *DB) Snapshot(ctx context.Context, fn func(ctx context.Context) error) error {
	if txOf(ctx) != nil {
		return fn(ctx)
	}
	opt := &sql.TxOptions{ReadOnly: true}
	if db.engine == Postgres {
		opt.Isolation = sql.LevelRepeatableRead
	}
	p, err := db.read.BeginTx(ctx, opt)
	if err != nil {
		return unavailable(ctx, err)
	}
	defer p.Rollback()
	return fn(context.WithValue(ctx, txKey{}, &tx{db: db, pg: p, readOnly: true}))
}

// AfterCommit runs f when the transaction in ctx has committed, or at once when there is none.
func AfterCommit(ctx context.Context, f func()) {
	if t := txOf(ctx); t != nil {
		t.after = append(t.after, f)
		return
	}
	f()
}

// Note leaves a value in the transaction of ctx for who comes later in it; Noted finds it. It is gone with the transaction,
// however that ends. Outside a transaction nothing is kept.
func Note(ctx context.Context, key, value any) {
	t := txOf(ctx)
	if t == nil {
		return
	}
	if t.notes == nil {
		t.notes = map[any]any{}
	}
	t.notes[key] = value
}

// Noted is what Note has left under a key in the transaction of ctx; nil for nothing.
func Noted(ctx context.Context, key any) any {
	if t := txOf(ctx); t != nil {
		return t.notes[key]
	}
	return nil
}

// Exec runs a statement and returns how many rows it touched. Outside Tx it is a transaction of its own.
func (db *DB) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	t := txOf(ctx)
	if t == nil {
		var n int64
		err := db.Tx(ctx, func(ctx context.Context) (err error) {
			n, err = db.Exec(ctx, q, args...)
			return err
		})
		return n, err
	}
	var r sql.Result
	var err error
	switch {
	case t.readOnly:
		return 0, errors.New("sqldb: a write inside a snapshot")
	case t.conn != nil:
		r, err = t.conn.exec(ctx, q, args...)
	default:
		r, err = t.pg.ExecContext(ctx, q, args...)
	}
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Query reads rows. The caller closes them; All does it for you.
func (db *DB) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	t := txOf(ctx)
	switch {
	case t == nil && db.engine == SQLite:
		return db.readers.query(ctx, q, args...)
	case t == nil:
		return db.read.QueryContext(ctx, q, args...)
	case t.conn != nil:
		return t.conn.query(ctx, q, args...)
	}
	return t.pg.QueryContext(ctx, q, args...)
}

// Row is one row to scan; see QueryRow.
type Row struct {
	rows *sql.Rows
	err  error
}

// Scan copies the row's columns. It returns sql.ErrNoRows when there is none.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
}

// QueryRow reads one row. Scan must be called, or the connection stays taken.
func (db *DB) QueryRow(ctx context.Context, q string, args ...any) *Row {
	rows, err := db.Query(ctx, q, args...)
	return &Row{rows, err}
}

// Scanner is what a scan function reads from: one row.
type Scanner interface{ Scan(dest ...any) error }

// All reads every row through scan. It never returns a nil slice without an error.
func All[T any](ctx context.Context, db *DB, scan func(Scanner) (T, error), q string, args ...any) ([]T, error) {
	defer rest(ctx, time.Now())
	rows, err := db.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// One reads the first row through scan; false when there is none.
func One[T any](ctx context.Context, db *DB, scan func(Scanner) (T, error), q string, args ...any) (T, bool, error) {
	var none T
	defer rest(ctx, time.Now())
	rows, err := db.Query(ctx, q, args...)
	if err != nil {
		return none, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return none, false, rows.Err()
	}
	v, err := scan(rows)
	if err != nil {
		return none, false, err
	}
	return v, true, rows.Close()
}

// Value is a scan function for rows of a single column.
func Value[T any](r Scanner) (T, error) {
	var v T
	err := r.Scan(&v)
	return v, err
}

// IsDuplicate reports whether err says that a unique key exists already. On PostgreSQL the transaction is
// then lost: inside a larger one prefer ON CONFLICT DO NOTHING and look at the row count.
func IsDuplicate(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == "23505"
	}
	var s *sqlite.Error
	if errors.As(err, &s) {
		return s.Code() == 2067 || s.Code() == 1555 // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
	}
	return false
}
