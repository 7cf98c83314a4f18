// Package sqldbtest opens fresh databases of both engines for tests. PostgreSQL is found by TEST_POSTGRES, a
// URL whose user may create schemas; a test that needs it fails without, it never skips.
package sqldbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
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
	ctx := context.Background()
	db, err := sqldb.Open(ctx, URL(t, engine), sqldb.Options{Readers: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx, sources...); err != nil {
		t.Fatal(err)
	}
	return db
}

// URL names a fresh, empty database that is gone when the test ends.
func URL(t testing.TB, engine sqldb.Engine) string {
	t.Helper()
	if engine == sqldb.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "paddock.db")
	}
	dsn := os.Getenv("TEST_POSTGRES")
	if dsn == "" {
		t.Fatal("TEST_POSTGRES is not set: `make test` starts a PostgreSQL and sets it")
	}
	var b [8]byte
	rand.Read(b[:])
	schema := "t_" + hex.EncodeToString(b[:])
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		admin.Close()
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
