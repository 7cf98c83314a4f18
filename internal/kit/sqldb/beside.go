package sqldb

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"modernc.org/sqlite"
)

// Processes that write to one SQLite file take turns by a file beside it, the turnstile: whoever wants to begin
// locks it, begins as soon as the one before has committed, and unlocks it. SQLite alone knows no order: a server
// that commits round after round leaves gaps of microseconds, and a command beside it, which sleeps up to a tenth
// of a second between two looks, might find none for longer than it waits. With the turnstile the server stands
// behind the command after its next commit. Without contention that costs two system calls a round.
const (
	busyFor   = 10 * time.Second // then the database counts as locked
	lookEvery = 500 * time.Microsecond
)

// turnstile is the file, nil where it could not be opened: then SQLite's own lock must do.
func openTurnstile(path string) *os.File {
	f, err := os.OpenFile(path+"-turn", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	return f
}

// beginSQLite begins a write transaction on the writing connection, which itself never waits.
func (db *DB) beginSQLite(ctx context.Context) error {
	return beginInTurn(db.turn, func() error {
		_, err := db.writer.exec(ctx, "BEGIN IMMEDIATE")
		return err
	})
}

// beginInTurn begins a write transaction on a connection that never waits, when it is its turn.
func beginInTurn(turn *os.File, begin func() error) error {
	until := time.Now().Add(busyFor)
	if turn != nil {
		fd := int(turn.Fd())
		for errors.Is(syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) && time.Now().Before(until) {
			time.Sleep(lookEvery)
		}
		defer syscall.Flock(fd, syscall.LOCK_UN) // of a lock we do not have: nothing
	}
	for {
		err := begin()
		if !isBusy(err) || time.Now().After(until) {
			return err
		}
		time.Sleep(lookEvery)
	}
}

// isBusy reports whether another process or connection holds the lock (SQLITE_BUSY and its kinds).
func isBusy(err error) bool {
	var s *sqlite.Error
	return errors.As(err, &s) && s.Code()&0xff == 5
}
