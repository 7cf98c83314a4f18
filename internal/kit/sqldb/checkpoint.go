package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"time"
)

// The write-ahead log is copied back beside the writer: PASSIVE takes no lock that a commit waits for. Only a long log,
// once nearly all of it is copied, is begun anew by a short RESTART, for which everybody who writes waits: for two fsyncs,
// and for those who still read the log, at first firstWait at most. While that fails the log grows, and after each
// failure it may wait twice as long.
const (
	checkpointEvery = time.Second
	longLog         = 16384 // pages, 64 MB, after which copying begins to matter
	nearlyAll       = 512   // pages that may remain for a RESTART
	firstWait       = 4 * time.Millisecond
	longestWait     = 64 * time.Millisecond
	shortLog        = 4 << 20 // bytes of the log's file that are not worth a look
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
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	wait := firstWait
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		st, err := os.Stat(db.path + "-wal")
		if err != nil || st.Size() < shortLog {
			continue
		}
		_, pages, _, err := checkpoint(ctx, own, "PASSIVE")
		if err != nil || pages < longLog {
			continue
		}
		// What was written during the first is copied by a second one, so that little is left for RESTART.
		_, pages, copied, err := checkpoint(ctx, own, "PASSIVE")
		if err != nil || pages-copied > nearlyAll {
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

// checkpoint copies the log back. It returns whether somebody was in the way, how many pages the log has, and how many of
// them are in the database file.
func checkpoint(ctx context.Context, db *sql.DB, mode string) (busy bool, pages, copied int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return busy, pages, copied, err
}
