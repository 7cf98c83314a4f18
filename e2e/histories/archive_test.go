package histories

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestImportThroughKills ends the server at each place on the way of an import: nothing of it is ever seen, it is purged within a
// day, and the next import of the same archive is whole.
func TestImportThroughKills(t *testing.T) {
	t.Parallel()
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w, err := newWorldWith(engine, binary, "")
			if err != nil {
				t.Fatal(err)
			}
			defer w.end()
			importThroughKills(&kills{t: t, world: w})
		})
	}
}

func importThroughKills(k *kills) {
	t := k.t
	a, err := k.home.CreateAccount("Owner", "house")
	k.must(err)
	var device struct{ Token string }
	for i := range 5 {
		k.must(k.post(a, "POST", "/device", map[string]any{"name": fmt.Sprint("Meter ", i)}, &device))
		k.device = device.Token
		k.send(200)
	}
	k.send(600)
	k.must(k.post(a, "POST", "/dashboard", map[string]any{"label": "D"}, nil))
	file := filepath.Join(k.home.Dir, "profile.zip")
	_, err = k.home.Run("", "profile", "export", a.Profile, file)
	k.must(err)
	archive, err := os.ReadFile(file)
	k.must(err)

	send := func() error {
		q, err := http.NewRequest("POST", k.server.URL+"/profile/import", bytes.NewReader(archive))
		if err != nil {
			return err
		}
		q.Header.Set("token", a.Token)
		answer, err := k.server.Client.Do(q)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != 202 {
			return fmt.Errorf("the import was answered %d", answer.StatusCode)
		}
		return nil
	}
	for _, p := range []struct {
		place string
		pass  int
	}{
		{"import has a draft", 1}, {"import after a slice", 1}, {"import after a slice", 3}, {"import has resources, not points", 1},
		{"import after a slice of points", 1}, {"import after a slice of points", 4}, {"import is whole, not published", 1},
		{"profile marked as restored", 1}, {"restored profile has its share, not its cycle", 1},
	} {
		k.at(p.place, p.pass, send)
		if n := k.count(`SELECT COUNT(*) FROM profile WHERE deleted_at IS NULL`); n != 1 {
			t.Fatalf("%s: %d profiles live", p.place, n)
		}
		var list []struct{ ID string }
		k.must(k.post(a, "GET", "/profile", nil, &list))
		if len(list) != 1 {
			t.Fatalf("%s: %d profiles are seen", p.place, len(list))
		}
		k.page.set(k.page.now().Add(2 * time.Minute)) // whoever ran it is known to be gone
	}
	k.page.set(k.page.now().Add(25 * time.Hour))
	k.until("drafts have not been purged", `SELECT COUNT(*) FROM profile WHERE deleted_at IS NOT NULL AND purged_at IS NULL`)
	k.none("devices of drafts are left", `SELECT COUNT(*) FROM device WHERE profile_id <> '%s'`, a.Profile)
	k.none("dashboards of drafts are left", `SELECT COUNT(*) FROM dashboard WHERE profile_id <> '%s'`, a.Profile)
	k.none("tokens of drafts are left", `SELECT COUNT(*) FROM token WHERE profile_id <> '%s'`, a.Profile)
	if n := k.count(`SELECT COUNT(*) FROM point`); n != k.sent {
		t.Errorf("%d points are stored, %d were sent", n, k.sent)
	}
	k.must(send())
	for tries := 0; k.count(`SELECT COUNT(*) FROM profile WHERE deleted_at IS NULL`) != 2; tries++ {
		if tries > 500 {
			t.Fatalf("the import does not end\n%s", k.home.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := k.count(`SELECT COUNT(*) FROM point`); n != 2*k.sent {
		t.Errorf("%d points are stored, not twice %d", n, k.sent)
	}
	k.well("imported")
}
