package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"time"
)

// The write-ahead log is copied back beside the writer: PASSIVE takes no lock that a commit waits for. Only
// when nearly all of a long log is copied does a short RESTART, which gives up after restartWait, let the
// log begin anew.
const (
	checkpointEvery = time.Second
	longLog         = 16 << 20 // bytes after which copying begins to matter
	restartWait     = 40       // milliseconds
	nearlyAll       = 512      // pages that may remain for a RESTART
)

func (db *DB) checkpointer() {
	ctx := context.Background()
	v := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", restartWait), "synchronous(FULL)", "wal_autocheckpoint(0)"}}
	own, err := sql.Open("sqlite", "file:"+(&url.URL{Path: db.path}).EscapedPath()+"?"+v.Encode())
	if err != nil {
		db.log.Error("database", "at", "checkpointer", "error", err)
		return
	}
	defer own.Close()
	own.SetMaxOpenConns(1)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		st, err := os.Stat(db.path + "-wal")
		if err != nil || st.Size() < longLog/4 {
			continue
		}
		busy, pages, copied := checkpoint(ctx, own, "PASSIVE")
		if busy == 0 && st.Size() >= longLog && pages-copied < nearlyAll {
			checkpoint(ctx, own, "RESTART")
		}
	}
}

func checkpoint(ctx context.Context, db *sql.DB, mode string) (busy, pages, copied int) {
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied); err != nil {
		return 1, 0, 0
	}
	return busy, pages, copied
}
