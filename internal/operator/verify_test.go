package operator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
)

// noon is a Tuesday's.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)

// server makes the room with a verification of the test's own.
func server(t *testing.T, db *sqldb.DB, clk clock.Clock, schedule Schedule, verify func(ctx context.Context) ([]string, error)) *Service {
	s := New(db, Rooms{}, Server{Data: t.TempDir(), Schedule: schedule, Log: slog.New(slog.DiscardHandler),
		Verify: func(ctx context.Context, told Told) ([]string, string, error) {
			told("points", 1, 2)
			found, err := verify(ctx)
			return found, "what there is", err
		}}, clk)
	t.Cleanup(s.Stop)
	return s
}

// last waits until nothing runs and returns the last verification.
func last(t *testing.T, s *Service) *Run {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		v, err := s.Verifications(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if v.Running == nil {
			return v.Last
		}
		if time.Now().After(until) {
			t.Fatalf("it does not end: %+v", v.Running)
		}
	}
}

func TestVerifications(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{Migrations()}, func(t *testing.T, db *sqldb.DB) {
		clk := clock.NewManual(noon)
		var found []string
		var fail error
		entered, go_ := make(chan bool, 1), make(chan bool, 1)
		s := server(t, db, clk, Daily, func(ctx context.Context) ([]string, error) {
			entered <- true
			select {
			case <-go_:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return found, fail
		})
		ctx, who := t.Context(), auth.SystemCaller()
		start := func() {
			t.Helper()
			clk.Set(clk.Now().Add(time.Minute))
			if err := s.StartVerify(ctx, who); err != nil {
				t.Fatal(err)
			}
			<-entered
		}
		start()
		if err := s.StartVerify(ctx, who); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second one at a time: %v", err)
		}
		go_ <- true
		if r := last(t, s); !r.OK || r.Checked != "what there is" || r.Origin != "page" {
			t.Errorf("it is %+v", r)
		}

		found = slices.Repeat([]string{strings.Repeat("x", 600)}, 300)
		start()
		go_ <- true
		if r := last(t, s); r.OK || r.Found != 300 || len(r.Findings) != 200 || len(r.Findings[0]) > 510 {
			t.Errorf("of many findings it keeps %d of %d", len(r.Findings), r.Found)
		}

		fail = errors.New("the disk is gone: secret path")
		start()
		go_ <- true
		if r := last(t, s); r.OK || r.Failure == nil || strings.Contains(*r.Failure, "secret") {
			t.Errorf("a failure is %+v", r)
		}

		start() // and the server stops
		s.Stop()
		if r := last(t, s); r.Failure == nil || !strings.Contains(*r.Failure, "the server stopped") {
			t.Errorf("one that was cut off is %+v", r)
		}

		if err := s.NoteVerify(ctx, noon, []string{}, "by hand"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestVerifyByItself(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{Migrations()}, func(t *testing.T, db *sqldb.DB) {
		clk := clock.NewManual(noon)
		ran := 0
		s := server(t, db, clk, Daily, func(context.Context) ([]string, error) { ran++; return nil, nil })
		if err := s.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			ran   int
			what  string
		}{
			{0, 0, "a new server waits for the night"}, {14 * time.Hour, 0, "it is two o'clock"}, {15*time.Hour + time.Minute, 1, "it is past three"},
			{16 * time.Hour, 1, "it has run"}, {38 * time.Hour, 1, "it ran the night before"}, {50 * time.Hour, 2, "it has been off in the night"},
		} {
			clk.Set(noon.Add(step.after))
			if err := s.VerifyWhenDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if ran != step.ran {
				t.Errorf("%s: it ran %d times, not %d", step.what, ran, step.ran)
			}
		}
		if r := last(t, s); r.Origin != "schedule" || !r.OK {
			t.Errorf("it is %+v", r)
		}
		s.cfg.Schedule = Never
		clk.Set(noon.AddDate(1, 0, 0))
		if err := s.VerifyWhenDue(t.Context()); err != nil || ran != 2 {
			t.Errorf("never: %v, %d", err, ran)
		}
		// One that a node left behind is over when nobody says it runs.
		if _, err := s.begin(t.Context(), auth.SystemCaller(), fromPage); err != nil {
			t.Fatal(err)
		}
		clk.Set(clk.Now().Add(time.Hour))
		if r := last(t, s); r.Failure == nil {
			t.Errorf("it counts as %+v", r)
		}
		if _, err := s.begin(t.Context(), auth.SystemCaller(), fromPage); err != nil {
			t.Error(err)
		}
	})
}

func TestDue(t *testing.T) {
	at := func(text string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", text, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		schedule  Schedule
		now, want string
	}{
		{Daily, "2026-11-24 03:00", "2026-11-24 03:00"}, {Daily, "2026-11-24 02:59", "2026-11-23 03:00"}, {Daily, "2026-03-01 00:10", "2026-02-28 03:00"},
		{Weekly, "2026-11-24 12:00", "2026-11-22 03:00"}, {Weekly, "2026-11-22 02:00", "2026-11-15 03:00"}, {Weekly, "2026-11-22 04:00", "2026-11-22 03:00"},
	} {
		if got := due(c.schedule, at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s at %s: %s", c.schedule, c.now, got)
		}
	}
}

func TestGrowth(t *testing.T) {
	const hour = int64(3600 * 1000)
	var xs []sample
	size := func(x sample) int64 { return x.database }
	for i := range int64(48) {
		xs = append(xs, sample{at: 1_700_000_000_000 + i*hour, database: 5e9 + i*1000 + i%2})
		g, ok := growth(xs, size)
		if want := i >= 6; ok != want {
			t.Errorf("after %d hours: %v", i, ok)
		}
		if ok && (g < 23_800 || g > 24_200) {
			t.Errorf("after %d hours it grows by %d a day", i, g)
		}
	}
}

func TestConcerns(t *testing.T) {
	now := web.Time(noon)
	ago := func(d time.Duration) *web.Time { x := web.Time(noon.Add(-d)); return &x }
	p := func(n int64) *int64 { return &n }
	text := "550 no"
	calm := func() Home {
		return Home{At: now, Disk: DiskResult{Total: p(100), Free: p(50)}, Backups: BackupsResult{Last: &ServerBackupRow{At: *ago(time.Hour)}}, Mail: MailResult{Server: &text},
			Verify: VerifyResult{Schedule: Daily, Last: &Run{OK: true, EndedAt: ago(time.Hour)}}}
	}
	few := 2.5
	for name, c := range map[string]struct {
		change func(h *Home)
		want   []string
	}{
		"all is well":                   {func(*Home) {}, nil},
		"a disk that is nearly full":    {func(h *Home) { h.Disk.Free = p(1) }, []string{"red disk"}},
		"a disk that lasts a few days":  {func(h *Home) { h.Disk.DaysLeft = &few }, []string{"red disk"}},
		"a disk nothing is known of":    {func(h *Home) { h.Disk = DiskResult{} }, nil},
		"a backup that failed":          {func(h *Home) { h.Backups.Failed = &ServerBackupRow{At: now, Failure: &text} }, []string{"red backup_failed"}},
		"an old backup":                 {func(h *Home) { h.Backups.Last.At = *ago(9 * day) }, []string{"yellow backup_old"}},
		"mail that waits for a minute":  {func(h *Home) { h.Mail.Waiting, h.Mail.Tried, h.Mail.OldestAt = 1, 1, ago(time.Minute) }, nil},
		"mail that does not leave":      {func(h *Home) { h.Mail.Waiting, h.Mail.Tried, h.Mail.OldestAt = 1, 1, ago(time.Hour) }, []string{"red mail_stuck"}},
		"a verification that found":     {func(h *Home) { h.Verify.Last = &Run{Found: 1, Findings: []string{"x"}} }, []string{"red verify_found"}},
		"none for long":                 {func(h *Home) { h.Verify.Last.EndedAt = ago(9 * day) }, []string{"yellow verify_old"}},
		"a flood":                       {func(h *Home) { h.Floods.Refused = []RefusedRow{{Requests: 5000}} }, []string{"yellow flood"}},
		"wrong passwords, red before":   {func(h *Home) { h.SignIns.Passwords = 200; h.Disk.Free = p(1); h.Tickets.Open = 2 }, []string{"red disk", "yellow tickets", "yellow sign_ins"}},
		"a transfer that waits for one": {func(h *Home) { h.Transfers.Accepted = 1 }, []string{"yellow transfers"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := calm()
			c.change(&h)
			var got []string
			for _, x := range (&Service{}).concerns(h) {
				got = append(got, string(x.Level)+" "+x.Kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestNoteBackup(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{Migrations()}, func(t *testing.T, db *sqldb.DB) {
		for i := range keepServerBackups + 5 {
			if err := NoteBackup(t.Context(), db, ServerBackup{At: noon.Add(time.Duration(i) * time.Minute), Folder: "/b", Failure: strings.Repeat("x", i*10)}); err != nil {
				t.Fatal(err)
			}
		}
		var n int64
		if err := db.QueryRow(t.Context(), "SELECT COUNT(*) FROM server_backup").Scan(&n); err != nil || n != keepServerBackups {
			t.Errorf("%d are kept: %v", n, err)
		}
	})
}
