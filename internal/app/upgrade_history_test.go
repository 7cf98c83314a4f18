package app_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// TestUpgradeFillsHistories starts on a database of a build that kept no histories: what is not known of the past counts as
// having been so since each profile was made.
func TestUpgradeFillsHistories(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			url := "sqlite:" + filepath.Join(dir, "paddock.db")
			if engine == sqldb.Postgres {
				url = sqldbtest.URL(t, engine)
			}
			change := func(set *app.Settings, _ *app.Options) {
				set.Data = dir
				if engine == sqldb.Postgres {
					set.Database = url
				}
			}
			s := apptest.Start(t, engine, change)
			a, b := s.Account(t, "scale"), s.Account(t, "house")
			second := s.Profile(t, a, "Second")
			gone := s.Profile(t, b, "Gone")
			s.Call(t, "DELETE", "/profile/"+gone.Profile, b.Token, map[string]any{"password": apptest.Password}).Want(t, 200)
			if err := s.App.Close(); err != nil {
				t.Fatal(err)
			}
			db, err := sqldb.Open(ctx, url, sqldb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{
				"DROP TABLE allocation_history", "DROP TABLE pool_history", "DROP TABLE profile_owned",
				"DELETE FROM migration WHERE name IN ('20261125_0903_history', '20261125_0904_owned')",
			} {
				if _, err := db.Exec(ctx, q); err != nil {
					t.Fatal(q, err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s = apptest.Start(t, engine, change)
			if found, _, err := s.App.Verify(ctx); err != nil || len(found) > 0 {
				t.Fatal(found, err)
			}
			owned, allocated, pools, err := s.App.Histories(ctx, a.Account, 0, math.MaxInt64)
			if err != nil || len(owned) != 2 || len(allocated) != 2 || len(pools) != 1 || owned[1].Name != "Second" || string(owned[1].Profile) != second.Profile {
				t.Fatal(owned, allocated, pools, err)
			}
			for i, o := range owned {
				if allocated[i].Profile != o.Profile || allocated[i].At != o.From || pools[0].At != owned[0].From {
					t.Errorf("%+v: %+v, %+v", o, allocated[i], pools[0])
				}
			}
			owned, _, _, err = s.App.Histories(ctx, b.Account, 0, math.MaxInt64)
			if err != nil || len(owned) != 2 || owned[1].Name != "Gone" || owned[1].Until <= owned[1].From || owned[0].Until != 0 {
				t.Fatal(owned, err)
			}
		})
	}
}
