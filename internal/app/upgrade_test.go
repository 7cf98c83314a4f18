package app_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// before shows the files of a migrations folder that were written before a minute.
type before struct {
	fs.FS
	minute string
}

func (b before) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(b.FS, name)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return e.Name() >= b.minute }), err
}

// schema describes every table, column and index, in order.
func schema(t *testing.T, db *sqldb.DB) []string {
	t.Helper()
	q := `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY type, name`
	if db.Engine() == sqldb.Postgres {
		q = `SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '')
			FROM information_schema.columns WHERE table_schema = current_schema()
			UNION ALL SELECT replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1`
	}
	lines, err := sqldb.All(context.Background(), db, sqldb.Value[string], q)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestUpgrade starts the server on a database of an earlier build that holds rows: it is copied and migrated, keeps the
// rows, serves, and is then what a new one is.
func TestUpgrade(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			url := "sqlite:" + filepath.Join(dir, "paddock.db")
			if engine == sqldb.Postgres {
				url = sqldbtest.URL(t, engine)
			}
			old, err := sqldb.Open(ctx, url, sqldb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var sources []sqldb.Source
			for _, s := range app.Sources() {
				sources = append(sources, sqldb.Source{Room: s.Room, FS: before{s.FS, "20261122_1200"}})
			}
			if err := old.Migrate(ctx, sources...); err != nil {
				t.Fatal(err)
			}
			if _, err := old.Exec(ctx, "INSERT INTO setting (name, value) VALUES ('kept', 'yes')"); err != nil {
				t.Fatal(err)
			}
			earlier := schema(t, old)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}

			s := apptest.Start(t, engine, func(set *app.Settings, _ *app.Options) {
				set.Data = dir
				if engine == sqldb.Postgres {
					set.Database = url
				}
			})
			who := s.Account(t, "house")
			if who.Token == "" {
				t.Error("the upgraded server makes no accounts")
			}
			db, err := sqldb.Open(ctx, url, sqldb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			kept, ok, err := sqldb.One(ctx, db, sqldb.Value[string], "SELECT value FROM setting WHERE name = 'kept'")
			if err != nil || !ok || kept != "yes" {
				t.Errorf("the row of the earlier build: %q, %v, %v", kept, ok, err)
			}
			fresh := schema(t, sqldbtest.Open(t, engine, app.Sources()...))
			upgraded := schema(t, db)
			if !slices.Equal(fresh, upgraded) {
				t.Errorf("an upgraded database differs from a new one:\n%s\n\nnew:\n%s", strings.Join(upgraded, "\n"), strings.Join(fresh, "\n"))
			}
			if slices.Equal(earlier, fresh) {
				t.Error("there was nothing to upgrade: the minute lies behind the last migration")
			}
			copies, err := filepath.Glob(filepath.Join(dir, "before-*.db"))
			if err != nil || engine == sqldb.SQLite && len(copies) != 1 {
				t.Errorf("copies of the earlier database: %v, %v", copies, err)
			}
			for _, c := range copies {
				if st, err := os.Stat(c); err != nil || st.Size() == 0 {
					t.Errorf("the copy: %v, %v", st, err)
				}
			}
		})
	}
}
