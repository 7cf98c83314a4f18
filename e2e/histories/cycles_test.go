package histories

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"paddock/e2e/server"
)

// TestCyclesThroughKills closes the cycles of a few subscriptions, month after month, and ends the server each time at another
// place on the way. Whatever it was, every cycle has its charges and its invoice once, and invoices are numbered without a gap.
func TestCyclesThroughKills(t *testing.T) {
	t.Parallel() // beside the other kills: most of the time they wait
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			cyclesThroughKills(t, engine, binary)
		})
	}
}

func cyclesThroughKills(t *testing.T, engine, binary string) {
	w, err := newWorldWith(engine, binary, "", "PADDOCK_PAYMENT=manual")
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
	count := func(q string) (n int64) {
		t.Helper()
		must(w.eyes.QueryRow(q).Scan(&n))
		return n
	}
	var owners []server.Account
	for i := range 4 {
		a, err := w.home.CreateAccount(fmt.Sprintf("Owner%d", i), "starter")
		must(err)
		owners = append(owners, a)
	}
	post := func(a server.Account, body any) error {
		return w.server.Call("POST", "/account/subscription", a.Token, body, nil)
	}
	limit := func(n int) any {
		return map[string]any{"services": map[string]any{"sms": map[string]any{"limit": n}}}
	}
	alive := func() bool {
		select {
		case <-w.server.Gone():
			return false
		default:
			return true
		}
	}

	month := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	places := []struct {
		name   string
		passes int
	}{{"cycles closed, not charged", 1}, {"cycles charged, not committed", 1}, {"slice of cycles closed", 1}, {"terms changed, not charged", 1},
		{"subscription changed, not committed", 1}, {"invoice told", 2}, {"", 40}, {"", 90}}
	for i, place := range places {
		// An upgrade and a downgrade in each month, so that renewals have something to change.
		a := owners[i%len(owners)]
		onPost := slices.Contains([]string{"terms changed, not charged", "subscription changed, not committed"}, place.name)
		if onPost {
			w.page.arm(w.server.PID(), place.name, place.passes)
		}
		err := post(a, limit([]int{100, 500}[i/len(owners)]))
		if onPost {
			select {
			case <-w.server.Gone():
			case <-time.After(10 * time.Second):
				t.Fatalf("the server did not end at %q: %v", place.name, err)
			}
			if fired := w.page.fired(); fired != place.name {
				t.Fatalf("ended at %q, not at %q: %v", fired, place.name, err)
			}
			must(w.restart())
			must(post(a, limit(100))) // it may have been done, or not: nothing is asked twice
		}
		must(post(a, limit(10)))
		w.page.set(month.Add(time.Second))
		if !onPost {
			w.page.arm(w.server.PID(), place.name, place.passes)
		}
		ended := false
		for tries := 0; ; tries++ {
			if tries > 600 {
				t.Fatalf("month %d: the cycles were not closed\n%s", i, w.home.Log())
			}
			if !alive() {
				ended = true
				must(w.restart())
			}
			if count(fmt.Sprintf(`SELECT COUNT(*) FROM subscription WHERE cycle_end <= %d`, w.page.now().UnixMilli())) == 0 &&
				count(`SELECT COUNT(*) FROM invoice WHERE told = 0`) == 0 && (ended || onPost || tries > 300) {
				break
			}
			w.page.set(w.page.now().Add(time.Minute))
			time.Sleep(20 * time.Millisecond)
		}
		w.page.disarm()
		if !ended && !onPost {
			t.Errorf("month %d: nothing ended at %q", i, place.name)
		}
		// People do not keep what they are told for ever, so this is looked at each month.
		for what, q := range map[string]string{
			"invoices were not told":   `SELECT COUNT(*) FROM invoice WHERE issued_at >= %d AND NOT EXISTS (SELECT 1 FROM notification WHERE title LIKE 'Invoice ' || CAST(number AS TEXT) || ' over %%')`,
			"invoices were told twice": `SELECT COUNT(*) FROM (SELECT title FROM notification WHERE created_at >= %d AND title LIKE 'Invoice %% over %%' GROUP BY title HAVING COUNT(*) > 1) AS twice`,
		} {
			if n := count(fmt.Sprintf(q, month.UnixMilli())); n != 0 {
				t.Errorf("month %d: %d %s", i, n, what)
			}
		}
		month = month.AddDate(0, 1, 0)
	}

	for _, a := range owners {
		for m := range places {
			from := time.Date(2027, time.Month(2+m), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
			for what, q := range map[string]string{
				"fees of the plan": `SELECT COUNT(*) FROM charge WHERE account = '%s' AND kind = 'plan' AND start_at = %d AND cents = 4900`,
				"invoices":         `SELECT COUNT(*) FROM invoice WHERE account = '%s' AND key = 'cycle:%d'`,
			} {
				if n := count(fmt.Sprintf(q, a.Account, from)); n != 1 {
					t.Errorf("%s has %d %s of month %d", a.Email, n, what, m)
				}
			}
		}
	}
	if n, last := count(`SELECT COUNT(DISTINCT number) FROM invoice`), count(`SELECT MAX(number) FROM invoice`); n != last {
		t.Errorf("%d invoices are numbered up to %d", n, last)
	}
	for what, q := range map[string]string{
		"invoices are not the sum of their lines": `SELECT COUNT(*) FROM invoice WHERE cents <> (SELECT COALESCE(SUM(cents), 0) FROM charge WHERE charge.invoice = invoice.id)`,
		"charges are on no invoice":               `SELECT COUNT(*) FROM charge WHERE invoice = '' OR NOT EXISTS (SELECT 1 FROM invoice WHERE invoice.id = charge.invoice)`,
	} {
		if n := count(q); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	if out, err := w.home.Run("", "verify"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
