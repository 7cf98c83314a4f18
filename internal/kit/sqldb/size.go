package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Size is how many bytes the database takes: on SQLite its file with the write-ahead log, on PostgreSQL what that says of
// it, which is without the log.
func (db *DB) Size(ctx context.Context) (n int64, err error) {
	if db.engine == Postgres {
		if err := db.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n); err != nil {
			return 0, fmt.Errorf("size of the database: %w", err)
		}
		return n, nil
	}
	for _, file := range []string{db.path, db.path + "-wal"} {
		st, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("size of the database: %w", err)
		}
		n += st.Size()
	}
	return n, nil
}

// EngineVersion is the release of the database underneath, "3.50.4" or "17.6".
func (db *DB) EngineVersion(ctx context.Context) (v string, err error) {
	q := "SELECT sqlite_version()"
	if db.engine == Postgres {
		q = "SELECT current_setting('server_version')"
	}
	if err := db.QueryRow(ctx, q).Scan(&v); err != nil {
		return "", fmt.Errorf("version of the database: %w", err)
	}
	return v, nil
}

// Disk is how much room the disk of a folder has in all, and how much is free for whoever runs this, in bytes.
func Disk(dir string) (total, free int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Blocks) * int64(st.Bsize), int64(st.Bavail) * int64(st.Bsize), nil
}
