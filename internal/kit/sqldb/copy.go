package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"syscall"
	"time"

	"modernc.org/sqlite"
)

// A copy is made with SQLite's backup API inside one read transaction: page by page what that transaction sees,
// however much is written meanwhile. VACUUM INTO may give a smaller file, but builds every table and index anew: 1.6
// times the processor where the pages are packed already, and in one statement that cannot pause. Both keep the
// write-ahead log from beginning anew until they end, so it grows by what is written meanwhile.
const (
	copyPages  = 64       // of one step: 256 KiB, within which other work waits for a processor
	copyFlush  = 16 << 20 // bytes after which the copy is flushed, so that no commit stands behind gigabytes of it
	copyRests  = 2        // a gentle copy rests this many times as long as it works
	restAtMost = 100 * time.Millisecond
)

// CopyOptions tune Copy; the zero value copies as fast as it can.
type CopyOptions struct {
	// Still runs at the very instant that the copy shows, while nobody can commit. Writers wait for it.
	Still func() error
	// Gentle rests between steps, so that a server on the same machine keeps most of processor and disk.
	Gentle bool
}

// Copied says what Copy did.
type Copied struct {
	Bytes int64         // of the copy
	Held  time.Duration // for how long nobody could begin to write: locking and Still
}

// Copy writes the SQLite database in the file from as it is at one instant to a new file, while any process reads and
// writes. It fails when from does not exist. A file that it could not finish it removes.
func Copy(ctx context.Context, from, to string, o CopyOptions) (Copied, error) {
	var done Copied
	if _, err := os.Stat(from); err != nil { // SQLite would make an empty one
		return done, err
	}
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return done, err
	}
	defer f.Close()
	if err = copyInto(ctx, from, f, o, &done); err != nil {
		os.Remove(to)
		os.Remove(to + "-journal")
		return done, fmt.Errorf("copy the database: %w", err)
	}
	return done, nil
}

func copyInto(ctx context.Context, from string, to *os.File, o CopyOptions, done *Copied) error {
	v := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "wal_autocheckpoint(0)"}}
	own, err := sql.Open("sqlite", fileURI(from)+"?"+v.Encode())
	if err != nil {
		return err
	}
	defer own.Close()
	c, err := own.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if done.Held, err = beginCopy(ctx, own, c, from, o.Still); err != nil {
		return err
	}
	defer c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	if err := c.Raw(func(driver any) error { return copySteps(ctx, driver, to, o.Gentle) }); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	st, err := to.Stat()
	if err == nil {
		done.Bytes = st.Size()
	}
	return err
}

// beginCopy begins the read transaction on c. When something must hold still for that, another connection takes the
// right to write, in turn with everybody, and gives it back unused. It returns how long it had that.
func beginCopy(ctx context.Context, own *sql.DB, c *sql.Conn, path string, still func() error) (time.Duration, error) {
	begin := func() error {
		if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		var n int // only now does the transaction see anything, and from now on the same
		return c.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master").Scan(&n)
	}
	if still == nil {
		return 0, begin()
	}
	w, err := own.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	if _, err := w.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return 0, err
	}
	turn := openTurnstile(path)
	if turn != nil {
		defer turn.Close()
	}
	if err := beginInTurn(turn, func() error {
		_, err := w.ExecContext(ctx, "BEGIN IMMEDIATE")
		return err
	}); err != nil {
		return 0, err
	}
	from := time.Now()
	err = still()
	if err == nil {
		err = begin()
	}
	_, rerr := w.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return time.Since(from), errors.Join(err, rerr)
}

// copySteps copies all pages on the driver's connection.
func copySteps(ctx context.Context, driver any, to *os.File, gentle bool) error {
	source, ok := driver.(interface {
		NewBackup(string) (*sqlite.Backup, error)
	})
	if !ok {
		return errors.New("the driver knows no backup")
	}
	b, err := source.NewBackup(fileURI(to.Name()))
	if err != nil {
		return err
	}
	more, left := true, 0
	for n := 0; more && err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		began := time.Now()
		if more, err = b.Step(copyPages); err != nil {
			break
		}
		if left = b.Remaining(); n == 0 || (n-left)*4096 >= copyFlush {
			if n != 0 {
				err = to.Sync()
			}
			n = left
		}
		if gentle && more {
			time.Sleep(min(copyRests*time.Since(began), restAtMost))
		}
	}
	return errors.Join(err, b.Finish())
}

// CopyTo writes a consistent copy of an SQLite database to a new file, while others read and write.
func (db *DB) CopyTo(ctx context.Context, file string) error {
	_, err := Copy(ctx, db.path, file, CopyOptions{})
	return err
}

// File is an SQLite database that nobody writes to, such as a copy in a backup. Reading leaves no trace beside it.
type File struct{ db *sql.DB }

// OpenFile opens a file to look at it.
func OpenFile(path string) (*File, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&immutable=1")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &File{db}, nil
}

// Close closes it.
func (f *File) Close() error { return f.db.Close() }

// Applied are the names of the migrations that made it what it is, in order. It fails for what is no such database.
func (f *File) Applied(ctx context.Context) ([]string, error) {
	rows, err := f.db.QueryContext(ctx, "SELECT name FROM migration ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := []string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Value reads one text; "" when there is no row.
func (f *File) Value(ctx context.Context, q string, args ...any) (string, error) {
	var v string
	err := f.db.QueryRowContext(ctx, forSQLite(q), args...).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return v, err
}

// Check looks at every page, and fails for what does not hold together.
func (f *File) Check(ctx context.Context) error {
	said, err := f.Value(ctx, "PRAGMA quick_check(1)")
	if err == nil && said != "ok" {
		err = errors.New(said)
	}
	return err
}

// Free is how many bytes an unprivileged writer may still put on the disk that holds dir.
func Free(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

func fileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }
