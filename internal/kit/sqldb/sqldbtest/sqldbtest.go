// Package sqldbtest opens fresh databases of both engines for tests. PostgreSQL is found by TEST_POSTGRES, a
// URL whose user may create databases; a test that needs it fails without, it never skips.
package sqldbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"paddock/internal/kit/sqldb"
)

// Engines are the two that every rule is tested on.
var Engines = []sqldb.Engine{sqldb.SQLite, sqldb.Postgres}

// Each runs f once per engine, as subtests, on a fresh database with the sources' migrations.
func Each(t *testing.T, sources []sqldb.Source, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(string(e), func(t *testing.T) { f(t, Open(t, e, sources...)) })
	}
}

// Open opens a fresh, migrated database that is gone when the test ends.
func Open(t testing.TB, engine sqldb.Engine, sources ...sqldb.Source) *sqldb.DB {
	t.Helper()
	url := URL
	if len(sources) > 0 {
		url = func(t testing.TB, engine sqldb.Engine) string { return Migrated(t, engine, sources...) }
	}
	db, err := sqldb.Open(context.Background(), url(t, engine), sqldb.Options{Readers: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Migrated names a fresh database that has the sources' migrations and nothing else, and is gone when the test ends. It is a copy
// of one that was migrated once: in this process on SQLite, in the server on PostgreSQL, where the copied one stays.
func Migrated(t testing.TB, engine sqldb.Engine, sources ...sqldb.Source) string {
	t.Helper()
	if engine == sqldb.SQLite {
		file := filepath.Join(t.TempDir(), "paddock.db")
		if err := os.WriteFile(file, migratedFile(t, sources), 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + file
	}
	admin := postgres(t)
	template := "paddock_" + digest(t, engine, sources)[:20]
	migrateTemplate(t, admin, template, sources)
	name := "t_" + random()
	if _, err := admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		admin.Close()
	})
	return database(t, name)
}

// files holds the migrated SQLite databases of this process by their digest.
var files = struct {
	sync.Mutex
	of map[string][]byte
}{of: map[string][]byte{}}

func migratedFile(t testing.TB, sources []sqldb.Source) []byte {
	t.Helper()
	files.Lock()
	defer files.Unlock()
	key := digest(t, sqldb.SQLite, sources)
	if b, ok := files.of[key]; ok {
		return b
	}
	file := filepath.Join(t.TempDir(), "template.db")
	migrate(t, "sqlite:"+file, sources)
	b, err := os.ReadFile(file) // closing has put everything into it
	if err != nil {
		t.Fatal(err)
	}
	files.of[key] = b
	return b
}

// migrateTemplate makes the database that others are copies of, unless it is there. One process does it at a time.
func migrateTemplate(t testing.TB, admin *sql.DB, name string, sources []sqldb.Source) {
	t.Helper()
	ctx := context.Background()
	conn, err := admin.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	there := func() bool {
		var n int
		if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM pg_database WHERE datname = $1", name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	if there() {
		return
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(7106)"); err != nil {
		t.Fatal(err)
	}
	defer conn.ExecContext(ctx, "SELECT pg_advisory_unlock(7106)")
	if there() {
		return
	}
	draft := "draft_" + random() // gets its name when it is whole
	if _, err := conn.ExecContext(ctx, "CREATE DATABASE "+draft); err != nil {
		t.Fatal(err)
	}
	migrate(t, database(t, draft), sources)
	if _, err := conn.ExecContext(ctx, "ALTER DATABASE "+draft+" RENAME TO "+name); err != nil {
		t.Fatal(err)
	}
}

func migrate(t testing.TB, url string, sources []sqldb.Source) {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.Open(ctx, url, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx, sources...); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// digest is of every migration for an engine.
func digest(t testing.TB, engine sqldb.Engine, sources []sqldb.Source) string {
	t.Helper()
	all, err := sqldb.Migrations(engine, sources...)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, m := range all {
		fmt.Fprintf(h, "%s %s %d\n%s", m.Room, m.Name, len(m.SQL), m.SQL)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// URL names a fresh, empty database that is gone when the test ends.
func URL(t testing.TB, engine sqldb.Engine) string {
	t.Helper()
	if engine == sqldb.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "paddock.db")
	}
	admin := postgres(t)
	schema := "t_" + random()
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		admin.Close()
	})
	u, err := url.Parse(os.Getenv("TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// postgres opens the server of TEST_POSTGRES.
func postgres(t testing.TB) *sql.DB {
	t.Helper()
	dsn := os.Getenv("TEST_POSTGRES")
	if dsn == "" {
		t.Fatal("TEST_POSTGRES is not set: `make test` starts a PostgreSQL and sets it")
	}
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// database is the URL of another database of that server.
func database(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(os.Getenv("TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func random() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
