package sqldb

import "time"

const CleanSlice = cleanSlice

func (db *DB) CleanChanges(before time.Time) { db.watch.clean(before) }
