package dashboard

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// house is the rooms up to this one on a real database.
type house struct {
	*Service
	db       *sqldb.DB
	clk      *clock.Manual
	log      *audit.Log
	accounts *account.Service
	profiles *profile.Service
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(),
		device.Migrations(), Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &house{db: db, clk: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
		h.log = audit.New(db, h.clk)
		mailer, err := mail.New(db, mail.Config{Clock: h.clk})
		must(t, err)
		h.accounts = account.New(db, h.log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, h.clk)
		files, err := blob.OpenFolder(t.TempDir())
		must(t, err)
		t.Cleanup(func() { files.Close() })
		h.profiles = profile.New(db, h.accounts, plan.Builtin(), h.log, files, h.clk)
		sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
		must(t, err)
		tokens := token.New(db, h.accounts, h.profiles, h.log, sealer, h.clk)
		use := usage.New(db, h.profiles, h.accounts, h.log, h.clk)
		h.Service = New(db, use, device.New(db, h.profiles, tokens, use, h.log, h.clk), h.log, h.clk)
		f(t, h)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var people atomic.Int64

// person is an account of the plan "house" acting in a profile of its own.
func (h *house) person(t *testing.T) auth.Caller {
	t.Helper()
	a, err := h.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", people.Add(1)), Password: "correct horse battery", Plan: "house"})
	must(t, err)
	p, err := h.profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Main", Account: a.ID})
	must(t, err)
	return auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, ProfileID: p.ID, Permission: auth.Full, Reach: auth.ReachAccount}
}

func (h *house) dashboard(t *testing.T, who auth.Caller, label string) id.Dashboard {
	t.Helper()
	d, err := h.Create(t.Context(), who, who.ProfileID, CreateInput{Label: label, Tags: []tag.Tag{{Key: "k", Value: "v"}}})
	must(t, err)
	return d
}

func widget(label string) Members {
	return Members{"label": jsontext.Value(`"` + label + `"`), "type": jsontext.Value(`"x"`), "display": jsontext.Value(`{}`)}
}

// TestLastAccess: what was noted in memory reaches the database, survives, and never moves back.
func TestLastAccess(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t), h.person(t)
		one, two := h.dashboard(t, a, "One"), h.dashboard(t, b, "Two")
		stored := func(p id.Profile, d id.Dashboard) int64 {
			dash, _, err := h.find(t.Context(), p, d)
			must(t, err)
			return dash.LastAccess
		}
		now := h.now()
		h.seen.note(access{owner{a.ProfileID, one}, now})
		h.seen.note(access{owner{b.ProfileID, two}, now + 5})
		h.seen.note(access{owner{b.ProfileID, one}, now + 9}) // not b's: nothing to write
		if d, err := h.Get(t.Context(), a, a.ProfileID, one); err != nil || d.LastAccess != now {
			t.Error("memory tells of it at once:", d.LastAccess, err)
		}
		being := h.seen.take()
		if d, err := h.Get(t.Context(), a, a.ProfileID, one); err != nil || d.LastAccess != now {
			t.Error("while it is being written:", d.LastAccess, err)
		}
		for _, x := range being {
			h.seen.note(x)
		}
		if got := stored(a.ProfileID, one); got != 0 {
			t.Error(got)
		}
		must(t, h.Flush(t.Context()))
		h.seen.note(access{owner{a.ProfileID, one}, now - 1000}) // another node's clock is behind
		must(t, h.Flush(t.Context()))
		if one, two := stored(a.ProfileID, one), stored(b.ProfileID, two); one != now || two != now+5 {
			t.Error(one-now, two-now)
		}
	})
}

// TestPurgeProfile: of a deleted profile nothing stays, of its neighbour everything.
func TestPurgeProfile(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t), h.person(t)
		for i := range purgeRows + 2 {
			d := h.dashboard(t, a, fmt.Sprint(i))
			_, err := h.CreateWidget(t.Context(), a, a.ProfileID, d, widget("W"))
			must(t, err)
		}
		kept := h.dashboard(t, b, "Kept")
		w, err := h.CreateWidget(t.Context(), b, b.ProfileID, kept, widget("W"))
		must(t, err)
		slices := 0
		for done := false; !done; slices++ {
			done, err = h.PurgeProfile(t.Context(), profile.Profile{ID: a.ProfileID})
			must(t, err)
		}
		if slices != 3 {
			t.Errorf("%d slices", slices)
		}
		for _, table := range []string{"dashboard", "dashboard_tag", "dashboard_widget"} {
			var n int
			must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE profile_id = $1`, a.ProfileID).Scan(&n))
			if n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
			must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE profile_id = $1`, b.ProfileID).Scan(&n))
			if n != 1 {
				t.Errorf("the neighbour has %d rows of %s", n, table)
			}
		}
		_, err = h.Widget(t.Context(), b, b.ProfileID, kept, w)
		must(t, err)
	})
}

// TestAudit: every change has its event, a refused one none.
func TestAudit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.person(t)
		p := a.ProfileID
		d := h.dashboard(t, a, "Main")
		label := "Renamed"
		must(t, h.Update(t.Context(), a, p, d, Update{Label: &label}))
		w, err := h.CreateWidget(t.Context(), a, p, d, widget("Chart"))
		must(t, err)
		must(t, h.UpdateWidget(t.Context(), a, p, d, w, Members{"label": jsontext.Value(`"Gauge"`)}))
		must(t, h.DeleteWidget(t.Context(), a, p, d, w))
		c, err := h.Duplicate(t.Context(), a, p, d, DuplicateInput{})
		must(t, err)
		must(t, h.Delete(t.Context(), a, p, c))
		for _, err := range []error{
			h.Update(t.Context(), a, p, c, Update{Label: &label}), h.Delete(t.Context(), a, p, c), h.DeleteWidget(t.Context(), a, p, d, w),
			h.UpdateWidget(t.Context(), a, p, d, w, widget("x")), h.UpdateWidget(t.Context(), a, p, c, w, widget("x")),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
		entries, err := h.log.List(t.Context(), p, audit.Filter{Resource: "dashboard"})
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, strings.ReplaceAll(strings.ReplaceAll(e.Message, string(w), "W"), string(d), "D"))
			if e.Who != a.AccountID || (e.Before == nil && e.After == nil) {
				t.Errorf("%s: by %q, %s, %s", e.Message, e.Who, e.Before, e.After)
			}
		}
		want := []string{`Dashboard "Main" created`, `Dashboard "Renamed" edited`, `Widget "Chart" (W) of dashboard "Renamed" created`, `Widget "Gauge" (W) of dashboard "Renamed" edited`,
			`Widget "Gauge" (W) of dashboard "Renamed" deleted`, `Dashboard "Copy of Renamed" made as a duplicate of "Renamed" (D)`, `Dashboard "Copy of Renamed" deleted`}
		for _, line := range want {
			n := 0
			for _, g := range got {
				if g == line {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d events say %s", n, line)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d events: %s", len(got), strings.Join(got, "; "))
		}
	})
}
