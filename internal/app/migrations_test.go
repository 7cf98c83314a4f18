package app

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"paddock/internal/kit/sqldb"
)

// TestMigrationPairs finds a file for one engine whose other half is missing, and names out of form.
func TestMigrationPairs(t *testing.T) {
	form := regexp.MustCompile(`^migrations/\d{8}_\d{4}_[a-z_]+(\.sqlite|\.postgres)?\.sql$`)
	for _, s := range Sources() {
		files, err := fs.Glob(s.FS, "migrations/*")
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no migrations: %v", s.Room, err)
		}
		have := map[string]bool{}
		for _, f := range files {
			have[f] = true
		}
		for _, f := range files {
			if !form.MatchString(f) {
				t.Errorf("%s: %s is not named by minute", s.Room, f)
			}
			for one, other := range map[string]string{".sqlite.sql": ".postgres.sql", ".postgres.sql": ".sqlite.sql"} {
				if name, ok := strings.CutSuffix(f, one); ok && !have[name+other] {
					t.Errorf("%s: %s lacks its other half", s.Room, f)
				}
			}
		}
	}
	for _, e := range []sqldb.Engine{sqldb.SQLite, sqldb.Postgres} {
		if _, err := sqldb.Migrations(e, Sources()...); err != nil {
			t.Error(err)
		}
	}
}
