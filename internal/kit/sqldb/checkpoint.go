package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"
)

// The write-ahead log is copied back beside the writer, when much has come or nothing was copied for a while: PASSIVE takes
// no lock that a commit waits for, but its fsyncs are felt. Only a long log, once nearly all of it is copied, is begun anew
// by a short RESTART, for which everybody who writes waits: for two fsyncs, and for those who still read the log, at
// first firstWait at most. While that fails the log grows, and after each failure it may wait twice as long. Mostly
// there is no need: when all is copied and nobody reads the log, whoever writes next begins it anew.
const (
	lookAtLog   = time.Second
	copyEvery   = 30 * time.Second
	muchToCopy  = 2048  // pages, 8 MB
	longLog     = 16384 // pages, 64 MB
	nearlyAll   = 512   // pages that may remain for a RESTART
	firstWait   = 4 * time.Millisecond
	longestWait = 64 * time.Millisecond
)

func (db *DB) checkpointer() {
	ctx := context.Background()
	v := url.Values{"_pragma": {"synchronous(FULL)", "wal_autocheckpoint(0)"}}
	own, err := sql.Open("sqlite", "file:"+(&url.URL{Path: db.path}).EscapedPath()+"?"+v.Encode())
	if err != nil {
		db.log.Error("database", "at", "checkpointer", "error", err)
		return
	}
	defer own.Close()
	own.SetMaxOpenConns(1)
	tick := time.NewTicker(lookAtLog)
	defer tick.Stop()
	last, wait := time.Now(), firstWait
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		_, pages, copied, err := checkpoint(ctx, own, "NOOP")
		if err != nil || pages == copied || pages-copied < muchToCopy && time.Since(last) < copyEvery {
			continue
		}
		last = time.Now()
		if _, pages, _, err = checkpoint(ctx, own, "PASSIVE"); err != nil || pages < longLog {
			continue
		}
		// What was written during the first is copied by a second one, so that little is left for RESTART.
		if _, pages, copied, err = checkpoint(ctx, own, "PASSIVE"); err != nil || pages-copied > nearlyAll {
			continue
		}
		if _, err := own.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", wait.Milliseconds())); err != nil {
			continue
		}
		if busy, _, _, err := checkpoint(ctx, own, "RESTART"); err != nil || busy {
			wait = min(2*wait, longestWait)
		} else {
			wait = firstWait
		}
	}
}

// checkpoint copies the log back, NOOP nothing of it. It returns whether somebody was in the way, how many pages the log has, and how many of
// them are in the database file.
func checkpoint(ctx context.Context, db *sql.DB, mode string) (busy bool, pages, copied int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return busy, pages, copied, err
}
