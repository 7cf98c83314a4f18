package histories

import (
	"os"
	"testing"
	"time"
)

// TestProfilesThroughKills deletes, restores and purges a profile, and ends the server each time at another place on the way.
// Afterwards the profile is whole or deleted, never in between: everything that it held is there, what it used is counted once,
// and what was asked can be asked again.
func TestProfilesThroughKills(t *testing.T) {
	t.Parallel() // beside the other kills: most of the time they wait
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			profilesThroughKills(t, engine, binary)
		})
	}
}

func profilesThroughKills(t *testing.T, engine, binary string) {
	w, err := newWorldWith(engine, binary, "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\n%s", err, w.home.Log())
		}
	}
	a, err := w.home.CreateAccount("Owner", "scale")
	must(err)
	call := func(method, path, token string, body, out any) {
		t.Helper()
		must(w.server.Call(method, path, token, body, out))
	}
	var made struct{ ID, Token string }
	call("POST", "/profile", a.Token, map[string]any{"name": "App"}, &made)
	p := made.ID
	call("POST", "/account/profile/token", "", map[string]any{"profile_id": p, "email": a.Email, "password": a.Password, "name": "t", "expire_time": "never"}, &made)
	token := made.Token
	call("POST", "/device", token, map[string]any{"name": "D"}, &made)
	call("POST", "/data", made.Token, []map[string]any{{"variable": "v", "value": 1}, {"variable": "v", "value": 2}, {"variable": "v", "value": 3}}, nil)
	sound := func(what string) {
		t.Helper()
		if out, err := w.home.Run("", "verify"); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out)
		}
	}
	state := func() (living, deleted bool) {
		t.Helper()
		var rows []struct{ ID string }
		call("GET", "/profile/deleted", a.Token, nil, &rows)
		living = w.server.Call("GET", "/device", token, nil, nil) == nil
		return living, len(rows) == 1 && rows[0].ID == p
	}
	remove := func() error {
		return w.server.Call("DELETE", "/profile/"+p, a.Token, map[string]any{"password": a.Password}, nil)
	}
	restore := func() error { return w.server.Call("POST", "/profile/"+p+"/restore", a.Token, nil, nil) }
	// killed does something that ends the server at a place, and starts it again.
	killed := func(place string, do func() error) {
		t.Helper()
		w.page.arm(w.server.PID(), place, 1)
		err := do()
		select {
		case <-w.server.Gone():
		case <-time.After(10 * time.Second):
			t.Fatalf("the server did not end at %q: %v", place, err)
		}
		if fired := w.page.fired(); fired != place {
			t.Fatalf("ended at %q, not at %q: %v", fired, place, err)
		}
		must(w.restart())
		sound(place)
		if living, deleted := state(); living == deleted {
			t.Fatalf("ended at %q the profile lives: %v, is deleted: %v", place, living, deleted)
		}
	}
	whole := func() {
		t.Helper()
		var sum struct {
			Used map[string]float64 `json:"limit_used"`
		}
		call("GET", "/profile/"+p+"/summary", a.Token, nil, &sum)
		if sum.Used["data_records"] != 3 || sum.Used["input"] != 3 {
			t.Fatal(sum.Used)
		}
	}
	for _, place := range []string{"profile marked as deleted", "profile left, its counters still there", "allocation of one profile written"} {
		killed(place, remove)
		if living, _ := state(); !living {
			t.Fatalf("ended at %q it is deleted", place) // nothing was committed
		}
		whole()
	}
	for _, place := range []string{"profile marked as restored", "restored profile has its share, not its cycle", "allocation of one profile written"} {
		if living, _ := state(); living {
			must(remove())
			sound("deleted")
		}
		killed(place, restore)
		if living, _ := state(); living {
			t.Fatalf("ended at %q it lives", place)
		}
		must(restore())
		sound("restored")
		whole()
	}
	// Purged when its grace is over, and another at once: whoever starts again goes on with what is due.
	purge := func(place string) {
		t.Helper()
		for tries := 0; ; tries++ {
			if tries > 1500 {
				t.Fatalf("nothing ended at %q\n%s", place, w.home.Log())
			}
			select {
			case <-w.server.Gone():
			case <-time.After(20 * time.Millisecond):
				w.page.set(w.page.now().Add(time.Minute))
				continue
			}
			break
		}
		must(w.restart())
		sound(place)
		if err := restore(); err == nil {
			t.Fatalf("ended at %q it was restored after its time", place)
		}
	}
	must(remove())
	w.page.arm(w.server.PID(), "profile chosen to be purged", 1)
	w.page.set(w.page.now().Add(7*24*time.Hour + time.Second))
	purge("profile chosen to be purged")
	call("POST", "/profile", a.Token, map[string]any{"name": "App"}, &made)
	p = made.ID
	w.page.arm(w.server.PID(), "profile purge between slices", 1)
	w.server.Call("DELETE", "/profile/"+p, a.Token, map[string]any{"password": a.Password, "purge": true}, nil) // or it ends before the answer
	purge("profile purge between slices")
	for tries := 0; ; tries++ {
		var left int64
		must(w.eyes.QueryRow(`SELECT COUNT(*) FROM profile WHERE deleted_at IS NOT NULL AND purged_at IS NULL`).Scan(&left))
		if left == 0 {
			break
		}
		if tries > 600 {
			t.Fatalf("it was not purged\n%s", w.home.Log())
		}
		w.page.set(w.page.now().Add(time.Minute))
		time.Sleep(20 * time.Millisecond)
	}
	sound("purged")
}
