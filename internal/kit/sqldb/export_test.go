package sqldb

import "time"

const CleanSlice = cleanSlice

func (db *DB) CleanChanges(before time.Time) { db.watch.clean(before) }

const KeepRows = keepRows

// StoodStill makes the process one that has read no changes for d.
func (db *DB) StoodStill(d time.Duration) {
	db.watch.lastGood.Store(time.Now().Add(-d).UnixNano())
}
