package load

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paddock/e2e/server"
	"paddock/internal/plan"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// eyes is the database of an installation, beside its server.
func eyes(t *testing.T, home *server.Home) *sql.DB {
	t.Helper()
	driver, source := "pgx", home.Database
	if source == "" {
		driver, source = "sqlite", filepath.Join(home.Dir, "data", "paddock.db")
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// seeded is one unit written wrongly into a database: seed puts it there, mend takes it away again. Both take
// the profile as $1. Of what verify says about it, one line must name the profile and every word of says.
type seeded struct {
	name, seed, mend string
	says             []string
}

// seeds has one error for each figure that Paddock keeps twice.
func seeds() []seeded {
	var list []seeded
	bump := func(table, column, where string, says ...string) {
		list = append(list, seeded{
			name: table + "." + column,
			seed: fmt.Sprintf("UPDATE %s SET %s = COALESCE(%s, 0) + 1 WHERE %s", table, column, column, where),
			mend: fmt.Sprintf("UPDATE %s SET %s = %s - 1 WHERE %s", table, column, column, where),
			says: says,
		})
	}
	// The ledger has a row a quarter of an hour; the latest will do.
	latest := func(column string) string {
		return "profile_id = $1 AND quarter = (SELECT MAX(quarter) FROM ledger WHERE profile_id = $1 AND " + column + " IS NOT NULL)"
	}
	for _, s := range append(slices.Clone(plan.Services), plan.DashboardOutput) {
		bump("counter", string(s)+"_used", "profile_id = $1", string(s))
		bump("counter", string(s)+"_allowed", "profile_id = $1", string(s))
		if s != plan.DashboardOutput { // which every profile has by itself, from the plan, and which has no overage
			bump("allocation", string(s), "profile = $1", string(s))
			bump("counter", string(s)+"_over", "profile_id = $1", string(s), "overage")
			bump("ledger", string(s)+"_over", latest("quarter"), string(s), "overage")
		}
		if plan.Flow(s) {
			bump("ledger", string(s), latest(string(s)), string(s))
		}
	}
	bump("counter", "open_input", "profile_id = $1", "input")
	bump("counter", "open_data_records", "profile_id = $1", "data_records")
	for _, s := range []plan.Service{plan.Input, plan.Output, plan.DashboardOutput} {
		bump("device_ledger", string(s), "profile_id = $1 AND hour = (SELECT MAX(hour) FROM device_ledger WHERE profile_id = $1)", string(s), "devices")
	}
	bump("held", "used", "profile_id = $1 AND resource = 'device'", "device")
	bump("chunk", "points", "profile_id = $1", "data_records")
	list = append(list,
		seeded{
			name: "a point that was lost",
			seed: "UPDATE point SET profile_no = -1 WHERE no = (SELECT MIN(no) FROM point WHERE profile_no = (SELECT profile_no FROM chunk WHERE profile_id = $1))",
			mend: "UPDATE point SET profile_no = (SELECT profile_no FROM chunk WHERE profile_id = $1) WHERE profile_no = -1",
			says: []string{"point"},
		})
	return list
}

// TestVerify puts one wrong unit into each figure, straight into the database, and sees verify find it.
func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, home *server.Home) {
		owner, err := home.CreateAccount("Ada", "starter")
		if err != nil {
			t.Fatal(err)
		}
		s, err := home.Serve()
		if err != nil {
			t.Fatal(err)
		}
		var made struct {
			DeviceID string `json:"device_id"`
			Token    string
		}
		if err := s.Call("POST", "/device", owner.Token, map[string]any{"name": "d", "type": "mutable"}, &made); err != nil {
			t.Fatal(err)
		}
		points := make([]map[string]any, 100)
		for n := range points {
			points[n] = map[string]any{"variable": "v", "value": n}
		}
		if err := s.Call("POST", "/data", made.Token, points, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Call("GET", "/data?qty=10", made.Token, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		verify(t, home, "before anything is wrong")

		db := eyes(t, home)
		defer db.Close()
		exec := func(t *testing.T, statement string) {
			t.Helper()
			done, err := db.Exec(statement, owner.Profile)
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			if n, _ := done.RowsAffected(); n != 1 {
				t.Fatalf("%s: changed %d rows instead of one", statement, n)
			}
		}
		for _, wrong := range seeds() {
			t.Run(wrong.name, func(t *testing.T) {
				exec(t, wrong.seed)
				out, err := home.Run("", "verify")
				exec(t, wrong.mend)
				if err == nil {
					t.Fatalf("verify found nothing:\n%s", out)
				}
				if !finds(out, owner.Profile, wrong.says) {
					t.Errorf("no line names the profile and %q:\n%s", wrong.says, out)
				}
			})
		}
		verify(t, home, "after everything was mended")
	})
}

// finds reports whether one line of what verify printed names the profile and all the words.
func finds(out, profile string, words []string) bool {
	for line := range strings.Lines(out) {
		ok := strings.Contains(line, profile)
		for _, w := range words {
			ok = ok && strings.Contains(line, w)
		}
		if ok {
			return true
		}
	}
	return false
}
