package sqldb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
)

// sqliteWriter runs rounds on the one writing connection until the queue is closed and empty.
func (db *DB) sqliteWriter() {
	for {
		round, lines := db.queue.next()
		if round == nil {
			return
		}
		began := time.Now()
		err := db.sqliteRound(round)
		db.queue.release(lines, time.Since(began))
		finish(round, err)
		// Whoever was just answered goes first: their answers, and requests that have come meanwhile, then wait for
		// no round, and the next round is larger. Under load that is a fifth less work a write.
		runtime.Gosched()
	}
}

// errLost says that SQLite has dropped the round's transaction by itself (a full disk, an I/O error).
var errLost = errors.New("the transaction was lost")

func (db *DB) sqliteRound(round []*job) error {
	ctx := context.Background()
	if err := db.beginSQLite(ctx); err != nil {
		return db.failed("begin", err)
	}
	single, batches, items := byBatch(round)
	var batchAfter []func()
	alone := len(single)+len(batches) == 1
	for _, j := range single {
		err := db.sqliteStep(alone, func() error {
			t := &tx{db: db, conn: db.writer}
			var err error
			if j.panic, err = guard(func() error {
				return j.fn(context.WithValue(context.WithoutCancel(j.ctx), txKey{}, t))
			}); err == nil {
				j.after = t.after
			}
			return err
		})
		if errors.Is(err, errLost) {
			return db.abandon(err)
		}
		j.err = err
	}
	for _, b := range batches {
		err := db.sqliteStep(alone, func() error {
			t := &tx{db: db, conn: db.writer}
			p, err := guard(func() error { return b.run(context.WithValue(ctx, txKey{}, t), items[b]) })
			if p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			if err == nil {
				batchAfter = append(batchAfter, t.after...)
			}
			return err
		})
		if errors.Is(err, errLost) {
			return db.abandon(err)
		}
		if err != nil {
			err = db.failed("batch", err)
			for _, j := range items[b] {
				j.err = err
			}
		}
	}
	if alone && !anyWritten(round) {
		// The only work of the round was undone: there is nothing to commit.
		if _, err := db.writer.exec(ctx, "ROLLBACK"); err != nil {
			return db.abandon(err)
		}
		return nil
	}
	crash.At("round before commit")
	if _, err := db.writer.exec(ctx, "COMMIT"); err != nil {
		return db.abandon(err)
	}
	crash.At("round after commit")
	for _, f := range batchAfter {
		f()
	}
	return nil
}

// anyWritten reports whether a job of the round succeeded.
func anyWritten(round []*job) bool {
	for _, j := range round {
		if j.err == nil && j.panic == nil {
			return true
		}
	}
	return false
}

// sqliteStep runs f under a savepoint, so that its failure undoes nothing else of the round. Work that is
// alone in its round needs none: the round itself is rolled back.
func (db *DB) sqliteStep(alone bool, f func() error) error {
	ctx := context.Background()
	if alone {
		return f()
	}
	if _, err := db.writer.exec(ctx, "SAVEPOINT step"); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	ferr := f()
	if ferr != nil {
		if _, err := db.writer.exec(ctx, "ROLLBACK TO step"); err != nil {
			return fmt.Errorf("%w: %w", errLost, errors.Join(ferr, err))
		}
	}
	if _, err := db.writer.exec(ctx, "RELEASE step"); err != nil {
		return fmt.Errorf("%w: %w", errLost, errors.Join(ferr, err))
	}
	return ferr
}

// abandon rolls the round back after the engine failed, and says so to everybody in it.
func (db *DB) abandon(cause error) error {
	db.writer.exec(context.Background(), "ROLLBACK") // fails when SQLite has done so already
	return db.failed("round", cause)
}

// failed logs an engine's failure and makes the answer that everybody it hit is given. Faults pass.
func (db *DB) failed(what string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	db.log.Error("database", "at", what, "error", err)
	return fault.New(fault.Unavailable, "The database failed; nothing was stored").Because(err).After(2 * time.Second)
}

// guard runs f and catches its panic, which the caller of the job meets again in its own goroutine.
func guard(f func() error) (panicked any, err error) {
	defer func() {
		if p := recover(); p != nil {
			panicked, err = fmt.Sprintf("%v\n%s", p, debug.Stack()), errors.New("panic")
		}
	}()
	return nil, f()
}

// postgresCommitter runs rounds of batch items; the queue holds nothing else on PostgreSQL.
func (db *DB) postgresCommitter() {
	for {
		round, lines := db.queue.next()
		if round == nil {
			return
		}
		began := time.Now()
		_, batches, items := byBatch(round)
		for _, b := range batches {
			err := db.postgresRound(b, items[b])
			if err != nil {
				err = db.failed("batch", err)
			}
			for _, j := range items[b] {
				if err != nil {
					j.err = err
				}
			}
		}
		db.queue.release(lines, time.Since(began))
		finish(round, nil)
	}
}

func (db *DB) postgresRound(b batcher, jobs []*job) error {
	for attempt := 1; ; attempt++ {
		err := db.postgresAttempt(b, jobs)
		if attempt < 8 && wantsRetry(err) {
			time.Sleep(time.Duration(attempt*3) * time.Millisecond)
			continue
		}
		return err
	}
}

func (db *DB) postgresAttempt(b batcher, jobs []*job) error {
	ctx := context.Background()
	p, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer p.Rollback()
	t := &tx{db: db, pg: p}
	inner := context.WithValue(ctx, txKey{}, t)
	id := roundID()
	if _, err := p.ExecContext(ctx, "INSERT INTO round (id, at) VALUES ($1, $2)", id, clock.Millis(time.Now())); err != nil {
		return err
	}
	panicked, err := guard(func() error { return b.run(inner, jobs) })
	if panicked != nil {
		return fmt.Errorf("panic: %v", panicked)
	}
	if err != nil {
		return err
	}
	crash.At("round before commit")
	if err := p.Commit(); err != nil {
		if wantsRetry(err) {
			return err
		}
		if !db.roundCommitted(id) {
			return err
		}
	}
	crash.At("round after commit")
	for _, f := range t.after {
		f()
	}
	return nil
}

func roundID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// roundCommitted settles a COMMIT whose outcome is unknown. Writing the same id waits for the lost
// transaction if it still runs: when the id can be written, that one has not committed and never will.
func (db *DB) roundCommitted(id string) bool {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		r, err := db.read.ExecContext(ctx, "INSERT INTO round (id, at) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, clock.Millis(time.Now()))
		cancel()
		if err == nil {
			n, err := r.RowsAffected()
			if err == nil {
				return n == 0
			}
		}
		db.log.Error("database", "at", "settling a commit", "error", err)
		select {
		case <-db.stop:
			return false // going down: the client hears an error and, as after a crash, may ask again
		case <-time.After(500 * time.Millisecond):
		}
	}
}
