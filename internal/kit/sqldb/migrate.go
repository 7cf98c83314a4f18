package sqldb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"paddock/internal/kit/clock"
)

// Source is a room's migrations: files migrations/<minute>_<name>.sql for both engines, or a pair
// <name>.sqlite.sql and <name>.postgres.sql where one text cannot serve.
type Source struct {
	Room string
	FS   fs.FS
}

//go:embed migrations/*.sql
var own embed.FS

// Migration is one file, named without its ending and engine.
type Migration struct {
	Name string // 20261122_0904_profile
	Room string
	SQL  string
}

// Migrations lists what the sources and this package hold for an engine, in the one global order: by name,
// which begins with the minute it was written in.
func Migrations(engine Engine, sources ...Source) ([]Migration, error) {
	var out []Migration
	seen := map[string]string{}
	for _, s := range append([]Source{{Room: "sqldb", FS: own}}, sources...) {
		files, err := fs.Glob(s.FS, "migrations/*.sql")
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := strings.TrimSuffix(path.Base(f), ".sql")
			switch {
			case strings.HasSuffix(name, "."+string(engine)):
				name = strings.TrimSuffix(name, "."+string(engine))
			case strings.HasSuffix(name, ".sqlite"), strings.HasSuffix(name, ".postgres"):
				continue
			}
			if room, ok := seen[name]; ok {
				return nil, fmt.Errorf("migration %s of %s exists already in %s", name, s.Room, room)
			}
			seen[name] = s.Room
			text, err := fs.ReadFile(s.FS, f)
			if err != nil {
				return nil, err
			}
			out = append(out, Migration{Name: name, Room: s.Room, SQL: string(text)})
		}
	}
	slices.SortFunc(out, func(a, b Migration) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Pending lists the migrations that have not been applied.
func (db *DB) Pending(ctx context.Context, sources ...Source) ([]Migration, error) {
	all, err := Migrations(db.engine, sources...)
	if err != nil {
		return nil, err
	}
	done, err := db.applied(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m Migration) bool { return done[m.Name] }), nil
}

// Known reports whether the database holds any migration at all: false for an empty one.
func (db *DB) Known(ctx context.Context) (bool, error) {
	done, err := db.applied(ctx)
	return len(done) > 0, err
}

// Applied are the names of the migrations that made the database what it is, in order; none for an empty one.
func (db *DB) Applied(ctx context.Context) ([]string, error) {
	done, err := db.applied(ctx)
	return slices.Sorted(maps.Keys(done)), err
}

func (db *DB) applied(ctx context.Context) (map[string]bool, error) {
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'migration'"
	if db.engine == Postgres {
		exists = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'migration'"
	}
	var n int
	if err := db.QueryRow(ctx, exists).Scan(&n); err != nil {
		return nil, err
	}
	done := map[string]bool{}
	if n == 0 {
		return done, nil
	}
	names, err := All(ctx, db, Value[string], "SELECT name FROM migration")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		done[name] = true
	}
	return done, nil
}

// Migrate applies what is pending, all in one transaction, and begins to watch for changes of caches. A
// database that knows migrations this build does not is newer and left alone: that is fine as long as each
// release leaves the one before it working.
func (db *DB) Migrate(ctx context.Context, sources ...Source) error {
	pending, err := db.Pending(ctx, sources...)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		err = db.Tx(ctx, func(ctx context.Context) error {
			if db.engine == Postgres { // of nodes that start at once, one migrates
				if _, err := db.Exec(ctx, "SELECT pg_advisory_xact_lock(7233683)"); err != nil {
					return err
				}
			}
			if _, err := db.Exec(ctx, "CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL)"); err != nil {
				return err
			}
			pending, err := db.Pending(ctx, sources...)
			if err != nil {
				return err
			}
			for _, m := range pending {
				if err := db.script(ctx, m.SQL); err != nil {
					return fmt.Errorf("migration %s: %w", m.Name, err)
				}
				if _, err := db.Exec(ctx, "INSERT INTO migration (name, at) VALUES ($1, $2)", m.Name, clock.Millis(time.Now())); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	db.watch.start()
	return nil
}

// script runs a file of several statements inside the transaction of ctx.
func (db *DB) script(ctx context.Context, text string) error {
	t := txOf(ctx)
	if t.conn != nil {
		return t.conn.script(ctx, text)
	}
	_, err := t.pg.ExecContext(ctx, text)
	return err
}
