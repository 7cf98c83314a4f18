package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/sync/errgroup"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

type backupRow struct {
	ID, Status, Origin, Target string
	Progress                   int
	FileSize                   int64   `json:"file_size"`
	ErrorMessage               string  `json:"error_message"`
	SHA256                     string  `json:"sha256"`
	ExpiresAt                  *string `json:"expires_at"`
	Data, Encrypted            bool
}

type backupLink struct {
	URL        string
	FileSizeMB string    `json:"file_size_mb"`
	ExpireAt   time.Time `json:"expire_at"`
	FileName   string    `json:"file_name"`
	SHA256     string    `json:"sha256"`
}

func backups(t *testing.T, s *apptest.Server, who apptest.Who) []backupRow {
	t.Helper()
	var rows []backupRow
	s.Call(t, "GET", "/profile/"+who.Profile+"/backup?orderBy=created_at,desc", who.Token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

// madeBackup waits until the latest backup is finished, as a job of the server does it.
func madeBackup(t *testing.T, s *apptest.Server, who apptest.Who) backupRow {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if rows := backups(t, s, who); len(rows) > 0 && (rows[0].Status == "completed" || rows[0].Status == "failed") {
			return rows[0]
		}
	}
	t.Fatal("the backup does not end")
	return backupRow{}
}

func fetch(t *testing.T, url, ranged string) (int, http.Header, []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranged != "" {
		q.Header.Set("Range", ranged)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Header, b.Bytes()
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestBehaviour78_BackupsOfAProfile: without data, in the background, at most one a day, password and code to download, and a link
// that dies after two hours.
func TestBehaviour78_BackupsOfAProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		who := s.Account(t, "scale")
		_, device := s.Device(t, who, "Pump")
		s.Send(t, device, 3).Want(t, 200, 202)
		path := "/profile/" + who.Profile + "/backup"
		if rows := backups(t, s, who); rows == nil || len(rows) != 0 {
			t.Fatalf("at first %v", rows)
		}
		if said := s.Call(t, "POST", path, who.Token, "{}").Want(t, 200).Text(t); said == "" {
			t.Error("nothing said")
		}
		x := madeBackup(t, s, who)
		if x.Status != "completed" || x.Progress != 100 || x.FileSize == 0 || x.Data || x.Encrypted || x.Origin != "request" || x.ExpiresAt == nil || !strings.HasPrefix(*x.ExpiresAt, "2027-05-01") {
			t.Fatalf("made %+v", x)
		}
		if a := s.Call(t, "POST", path, who.Token, nil).Want(t, 403); !strings.HasSuffix(a.Message, "Please try again in 12 hours.") {
			t.Errorf("a second on the same day: %s", a.Message)
		}

		t.Run("the link needs password and code, works without signing in, in parts too, and dies", func(t *testing.T) {
			download := path + "/" + x.ID + "/download"
			s.Call(t, "POST", path+"/0123456789abcdef01234567/download", who.Token, row{"password": apptest.Password}).Want(t, 404)
			if a := s.Call(t, "POST", download, who.Token, row{"password": "wrong password"}).Want(t, 401); a.Message != "Invalid password" {
				t.Error(a.Message)
			}
			code := factorOn(t, s, who)
			if a := s.Call(t, "POST", download, who.Token, row{"password": apptest.Password}).Want(t, 401); !strings.Contains(a.Message, "otp_enabled") {
				t.Error(a.Message)
			}
			var l backupLink
			s.Call(t, "POST", download, who.Token, row{"password": apptest.Password, "pin_code": code.code(t), "otp_type": "authenticator"}).Want(t, 200).Into(t, &l)
			if !l.ExpireAt.Equal(s.Clock.Now().Add(2 * time.Hour)) {
				t.Errorf("expires at %v, now is %v", l.ExpireAt, s.Clock.Now())
			}
			status, h, body := fetch(t, l.URL, "")
			if status != 200 || int64(len(body)) != x.FileSize || hashOf(body) != x.SHA256 || !bytes.HasPrefix(body, []byte("PK\x03\x04")) {
				t.Errorf("downloaded %d, %d bytes", status, len(body))
			}
			if h.Get("Content-Length") == "" || h.Get("Accept-Ranges") != "bytes" || !strings.Contains(h.Get("Content-Disposition"), l.FileName) || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Content-Security-Policy") == "" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "private, no-store" {
				t.Errorf("headers %v", h)
			}
			if status, h, part := fetch(t, l.URL, "bytes=2-5"); status != 206 || !bytes.Equal(part, body[2:6]) || h.Get("Content-Length") != "4" {
				t.Errorf("a part: %d %q", status, part)
			}
			if status, _, _ := fetch(t, l.URL[:len(l.URL)-1]+"?", ""); status != 404 {
				t.Errorf("a link with another end answers %d", status)
			}
			s.Clock.Advance(2*time.Hour - time.Second)
			if status, _, _ := fetch(t, l.URL, ""); status != 200 {
				t.Errorf("just before its end it answers %d", status)
			}
			s.Clock.Advance(time.Second)
			if status, _, _ := fetch(t, l.URL, ""); status != 404 {
				t.Errorf("after two hours it answers %d", status)
			}
			if n, err := s.App.Text(t.Context(), `SELECT CAST(COUNT(*) AS TEXT) FROM audit_entry WHERE profile_id = $1 AND message = 'Backup downloaded by a link'`, who.Profile); err != nil || n != "1" {
				t.Errorf("%s downloads in the audit log, %v", n, err)
			}

			t.Run("deletion needs both as well, takes the file and does not give the day back", func(t *testing.T) {
				var l backupLink
				s.Call(t, "POST", download, who.Token, row{"password": apptest.Password, "pin_code": code.code(t)}).Want(t, 200).Into(t, &l)
				if a := s.Call(t, "DELETE", path+"/"+x.ID, who.Token, row{"password": "wrong password"}).Want(t, 401); a.Message != "Invalid password" {
					t.Error(a.Message)
				}
				file, err := s.App.Text(t.Context(), `SELECT file FROM profile_backup WHERE profile_id = $1 AND id = $2`, who.Profile, x.ID)
				if err != nil || !s.App.HasFile(t.Context(), file) {
					t.Fatalf("no file %s, %v", file, err)
				}
				s.Call(t, "DELETE", path+"/"+x.ID, who.Token, row{"password": apptest.Password, "pin_code": code.code(t)}).Want(t, 200)
				s.Call(t, "DELETE", path+"/"+x.ID, who.Token, row{"password": apptest.Password, "pin_code": code.code(t)}).Want(t, 404)
				if rows := backups(t, s, who); len(rows) != 0 {
					t.Errorf("left %v", rows)
				}
				if status, _, _ := fetch(t, l.URL, ""); status != 404 {
					t.Errorf("its link answers %d", status)
				}
				if err := s.App.RunBackups(t.Context()); err != nil {
					t.Fatal(err)
				}
				if s.App.HasFile(t.Context(), file) {
					t.Error("the file is still there")
				}
				s.Call(t, "POST", path, who.Token, nil).Want(t, 403)
			})
		})

		t.Run("the day is that of the owner's time zone", func(t *testing.T) {
			s.Clock.Set(time.Date(2026, 5, 1, 23, 30, 0, 0, time.UTC))
			if a := s.Call(t, "POST", path, who.Token, nil).Want(t, 403); !strings.HasSuffix(a.Message, "Please try again in 1 hour.") {
				t.Error(a.Message)
			}
			s.Call(t, "PUT", "/account", who.Token, row{"timezone": "Europe/Berlin"}).Want(t, 200) // there it is tomorrow already
			s.Call(t, "POST", path, who.Token, row{"data": true, "passphrase": "correct horse"}).Want(t, 200)
			x := madeBackup(t, s, who)
			if x.Status != "completed" || !x.Data || !x.Encrypted {
				t.Fatalf("made %+v", x)
			}
			if n, err := s.App.Text(t.Context(), `SELECT CAST(COUNT(*) AS TEXT) FROM audit_entry WHERE after_json LIKE '%correct horse%'`); err != nil || n != "0" {
				t.Errorf("the passphrase is in the audit log: %s %v", n, err)
			}
			a := s.Call(t, "POST", path, who.Token, nil).Want(t, 403)
			if !strings.Contains(a.Message, "Please try again in ") {
				t.Error(a.Message)
			}
			// One that is not ready.
			if _, err := s.App.Exec(t.Context(), `UPDATE profile_backup SET status = 'queued', node = 'x', held_until = 9000000000000 WHERE profile_id = $1 AND id = $2`, who.Profile, x.ID); err != nil {
				t.Fatal(err)
			}
			s.Call(t, "POST", path+"/"+x.ID+"/download", who.Token, row{"password": apptest.Password}).Want(t, 400)
			s.Call(t, "POST", path, who.Token, nil).Want(t, 409)
		})

		t.Run("others may not, and a free plan has none", func(t *testing.T) {
			admin := s.Join(t, who, s.Account(t, "scale"), row{"role": "admin"})
			s.Call(t, "GET", path, admin.Token, nil).Want(t, 403)
			s.Call(t, "POST", path, admin.Token, nil).Want(t, 403)
			s.Call(t, "GET", path, s.Account(t, "scale").Token, nil).Want(t, 404)
			free := s.Account(t, "free")
			s.Call(t, "POST", "/profile/"+free.Profile+"/backup", free.Token, nil).Want(t, 403)
			s.Call(t, "PUT", "/profile/"+free.Profile+"/backup/schedule", free.Token, row{"every": "day", "keep_last": 3}).Want(t, 403)
		})

		t.Run("bad input is refused by name", func(t *testing.T) {
			own := s.Account(t, "house")
			p := "/profile/" + own.Profile + "/backup"
			for field, body := range map[string]row{
				"passphrase": {"passphrase": "short"}, "every": {"every": "hour", "keep_last": 1}, "hour": {"every": "day", "hour": 24, "keep_last": 1}, "keep_last": {"every": "day"},
				"keep_days": {"every": "day", "keep_days": -1}, "weekday": {"every": "week", "keep_last": 1}, "target": {"every": "day", "keep_last": 1, "target": "external"},
			} {
				method, at := "PUT", p+"/schedule"
				if field == "passphrase" {
					method, at = "POST", p
				}
				if a := s.Call(t, method, at, own.Token, body).Want(t, 400); !strings.HasPrefix(a.Message, field+": ") {
					t.Errorf("%s: %s", field, a.Message)
				}
			}
		})
	}, apptest.AtTime(noon))
}

// withTarget gives the server another place for backups.
func withTarget(place string) apptest.Change {
	return func(s *app.Settings, _ *app.Options) {
		s.BackupTarget, s.S3AccessKey, s.S3SecretKey = place, "key", "secret"
	}
}

// backupLetters are the subjects of the mails about backups, by address.
func backupLetters(t *testing.T, s *apptest.Server) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, m := range s.Mails(t) {
		if strings.Contains(strings.ToLower(m.Subject), "backup") {
			out[m.To] = append([]string{m.Subject}, out[m.To]...)
		}
	}
	return out
}

// TestBackupSchedule backs a profile up each night to another place, which is away for some nights.
func TestBackupSchedule(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		for _, kind := range []string{"folder", "s3"} {
			t.Run(string(e)+" "+kind, func(t *testing.T) {
				t.Parallel()
				testSchedule(t, e, kind)
			})
		}
	}
}

func testSchedule(t *testing.T, e sqldb.Engine, kind string) {
	var place string
	var away, back func()
	var stored func() int
	if kind == "folder" {
		dir := filepath.Join(t.TempDir(), "backups")
		place = dir
		away = func() {
			if err := os.Rename(dir, dir+".gone"); err != nil {
				t.Fatal(err)
			}
			// What was opened would still be written to: nothing may be there any more.
			if err := os.Chmod(dir+".gone/.tmp", 0o500); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir+".gone/.tmp", dir+".gone/.away"); err != nil {
				t.Fatal(err)
			}
		}
		back = func() {
			if err := os.Rename(dir+".gone/.away", dir+".gone/.tmp"); err != nil {
				t.Fatal(err)
			}
			os.Chmod(dir+".gone/.tmp", 0o700)
			if err := os.Rename(dir+".gone", dir); err != nil {
				t.Fatal(err)
			}
		}
		stored = func() int {
			files, err := filepath.Glob(filepath.Join(dir, "backup", "*", "*.zip.age"))
			if err != nil {
				t.Fatal(err)
			}
			return len(files)
		}
	} else {
		mem := s3mem.New()
		if err := mem.CreateBucket("vault"); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(gofakes3.New(mem).Server())
		t.Cleanup(server.Close)
		place = "s3://vault/paddock?region=us-east-1&endpoint=" + server.URL
		away = func() {
			if err := mem.ForceDeleteBucket("vault"); err != nil {
				t.Fatal(err)
			}
		}
		back = func() {
			if err := mem.CreateBucket("vault"); err != nil {
				t.Fatal(err)
			}
		}
		stored = func() int {
			l, err := mem.ListBucket("vault", nil, gofakes3.ListBucketPage{})
			if err != nil {
				t.Fatal(err)
			}
			return len(l.Contents)
		}
	}
	s := apptest.Start(t, e, apptest.AtTime(noon), withTarget(place))
	who := s.Account(t, "house")
	s.Call(t, "PUT", "/account", who.Token, row{"timezone": "Europe/Berlin"}).Want(t, 200)
	admin := s.Join(t, who, s.Account(t, "house"), row{"role": "admin"})
	viewer := s.Join(t, who, s.Account(t, "house"), row{"role": "viewer"})
	path := "/profile/" + who.Profile + "/backup/schedule"
	type schedule struct {
		Active           bool
		Every, Timezone  string
		Hour             int
		NextAt, FailedAt *time.Time
		Next             *time.Time `json:"next_at"`
		Failed           *time.Time `json:"failed_at"`
		Reason, External string
		Encrypted        bool
	}
	get := func() (x schedule) {
		t.Helper()
		s.Call(t, "GET", path, who.Token, nil).Want(t, 200).Into(t, &x)
		return x
	}
	if x := get(); x.Active || x.External != kind || x.Every != "day" {
		t.Fatalf("at first %+v", x)
	}
	s.Call(t, "PUT", path, who.Token, row{"every": "day", "hour": 3, "target": "external", "passphrase": "correct horse", "keep_last": 2, "data": true}).Want(t, 200)
	x := get()
	if x.Next == nil || !x.Next.Equal(time.Date(2026, 5, 2, 1, 0, 0, 0, time.UTC)) || !x.Encrypted || x.Timezone != "Europe/Berlin" {
		t.Fatalf("set %+v", x)
	}
	if sealed, err := s.App.Text(t.Context(), `SELECT passphrase FROM backup_schedule WHERE profile_id = $1`, who.Profile); err != nil || strings.Contains(sealed, "horse") || sealed == "" {
		t.Errorf("kept as %q, %v", sealed, err)
	}
	run := func() {
		t.Helper()
		if err := s.App.RunBackups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	night := func(n int) {
		t.Helper()
		s.Clock.Set(time.Date(2026, 5, n, 1, 0, 0, 0, time.UTC))
		run()
		for range 3 { // tries again, where the first failed
			s.Clock.Advance(11 * time.Minute)
			run()
		}
	}
	run()
	if rows := backups(t, s, who); len(rows) != 0 {
		t.Fatalf("before its time: %+v", rows)
	}
	for n := 2; n <= 4; n++ {
		night(n)
	}
	rows := backups(t, s, who)
	if len(rows) != 2 || rows[0].Status != "completed" || rows[0].Origin != "schedule" || rows[0].Target != "external" || !rows[0].Encrypted || !rows[0].Data {
		t.Fatalf("after three nights %+v", rows)
	}
	if n := stored(); n != 2 {
		t.Errorf("%d files", n)
	}
	var l backupLink
	s.Call(t, "POST", "/profile/"+who.Profile+"/backup/"+rows[0].ID+"/download", who.Token, row{"password": apptest.Password}).Want(t, 200).Into(t, &l)
	status, h, body := fetch(t, l.URL, "")
	if status != 200 || hashOf(body) != rows[0].SHA256 || !bytes.HasPrefix(body, []byte("age-encryption.org/v1")) || h.Get("Content-Length") == "" {
		t.Errorf("downloaded %d, %d bytes", status, len(body))
	}
	if status, _, part := fetch(t, l.URL, "bytes=4-7"); status != 206 || string(part) != "encr" {
		t.Errorf("a part: %d %q", status, part)
	}
	if findings, read, err := s.App.VerifyBackups(t.Context()); err != nil || len(findings) != 0 || read != 2 {
		t.Errorf("verify: %v, %d read, %v", findings, read, err)
	}
	if letters := backupLetters(t, s); len(letters) != 0 {
		t.Errorf("told %v", letters)
	}

	away()
	night(5)
	night(6)
	if rows := backups(t, s, who); len(rows) != 4 || rows[0].Status != "failed" || !strings.Contains(rows[0].ErrorMessage, "could not be reached") || strings.Contains(rows[0].ErrorMessage, "127.0.0.1") {
		t.Errorf("without its place: %+v", rows)
	}
	if x := get(); x.Failed == nil || x.Reason == "" {
		t.Errorf("the schedule says %+v", x)
	}
	people := []string{who.Email, admin.Email}
	letters := backupLetters(t, s)
	for _, to := range people {
		if got := letters[to]; len(got) != 1 || !strings.Contains(got[0], "A scheduled backup failed") {
			t.Errorf("after two nights without %s was told %q", to, got)
		}
	}
	s.Clock.Advance(3 * 24 * time.Hour) // the letters are gone
	if findings, _, err := s.App.VerifyBackups(t.Context()); err != nil || kind == "s3" && len(findings) != 2 {
		t.Errorf("verify: %v, %v", findings, err)
	}
	back()
	night(10)
	if x := get(); x.Failed != nil || x.Reason != "" {
		t.Errorf("the schedule still says %+v", x)
	}
	night(11)
	letters = backupLetters(t, s)
	for _, to := range people {
		if got := letters[to]; len(got) != 1 || !strings.Contains(got[0], "Backups are made again") {
			t.Errorf("%s was told %q", to, got)
		}
	}
	if len(letters[viewer.Email]) != 0 {
		t.Errorf("a viewer was told %q", letters[viewer.Email])
	}

	s.Call(t, "DELETE", path, who.Token, nil).Want(t, 200)
	s.Call(t, "DELETE", path, who.Token, nil).Want(t, 404)
	s.Clock.Advance(31 * 24 * time.Hour)
	run()
	if rows := backups(t, s, who); len(rows) != 0 || stored() != 0 {
		t.Errorf("long after its end: %+v, %d files", rows, stored())
	}
}

// TestBackupThatIsInterrupted: what a process that died had begun is taken up by another, or failed with the reason; nothing half is ever
// there to download.
func TestBackupThatIsInterrupted(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		who := s.Account(t, "house")
		path := "/profile/" + who.Profile + "/backup"
		s.Call(t, "POST", path, who.Token, nil).Want(t, 200)
		x := madeBackup(t, s, who)
		file := func() string {
			t.Helper()
			f, err := s.App.Text(t.Context(), `SELECT file FROM profile_backup WHERE profile_id = $1 AND id = $2`, who.Profile, x.ID)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		// died puts the backup where a process that was killed would have left it.
		died := func(more string) {
			t.Helper()
			if _, err := s.App.Exec(t.Context(), `UPDATE profile_backup SET status = 'processing', node = 'dead', sha256 = '', size = 0, expires_at = 0, held_until = $1`+more+` WHERE profile_id = $2 AND id = $3`,
				s.Clock.Now().UnixMilli()-1, who.Profile, x.ID); err != nil {
				t.Fatal(err)
			}
		}
		first := file()
		died(``)
		again := madeBackup(t, s, who)
		if again.Status != "completed" || again.ID != x.ID || file() == first {
			t.Errorf("taken up: %+v at %s", again, file())
		}
		if err := s.App.RunBackups(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.App.HasFile(t.Context(), first) || !s.App.HasFile(t.Context(), file()) {
			t.Error("the file of the one that died is there, or that of the other is not")
		}
		died(`, attempts = 5`)
		if got := madeBackup(t, s, who); got.Status != "failed" || !strings.Contains(got.ErrorMessage, "stopped 5 times") {
			t.Errorf("over and over: %+v", got)
		}
		if s.Call(t, "POST", path+"/"+x.ID+"/download", who.Token, row{"password": apptest.Password}).Status != 400 {
			t.Error("one that failed gets a link")
		}
		died(`, attempts = 1, encrypted = true`)
		if got := madeBackup(t, s, who); got.Status != "failed" || !strings.Contains(got.ErrorMessage, "passphrase is kept nowhere") {
			t.Errorf("with a passphrase: %+v", got)
		}

		t.Run("a backup that is not there after six hours is told of, once, and its return", func(t *testing.T) {
			s.Call(t, "PUT", path+"/schedule", who.Token, row{"every": "day", "hour": 13, "keep_last": 3}).Want(t, 200)
			// Somebody else makes a backup for ever.
			if _, err := s.App.Exec(t.Context(), `UPDATE profile_backup SET status = 'processing', node = 'elsewhere', encrypted = false, held_until = 9000000000000 WHERE profile_id = $1`, who.Profile); err != nil {
				t.Fatal(err)
			}
			for range 8 {
				s.Clock.Advance(time.Hour)
				var nodes errgroup.Group
				for range 4 { // several nodes find it at once
					nodes.Go(func() error { return s.App.RunBackups(t.Context()) })
				}
				if err := nodes.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			if got := backupLetters(t, s)[who.Email]; len(got) != 1 || !strings.Contains(got[0], "A backup is missing") {
				t.Errorf("told %q", got)
			}
			if _, err := s.App.Exec(t.Context(), `DELETE FROM profile_backup WHERE profile_id = $1`, who.Profile); err != nil {
				t.Fatal(err)
			}
			if err := s.App.RunBackups(t.Context()); err != nil {
				t.Fatal(err)
			}
			if x := madeBackup(t, s, who); x.Status != "completed" || x.Origin != "schedule" {
				t.Errorf("made %+v", x)
			}
			if got := backupLetters(t, s)[who.Email]; len(got) != 2 || !strings.Contains(got[1], "Backups are made again") {
				t.Errorf("told %q", got)
			}
		})

		t.Run("verify finds a file that was changed and one that is missing", func(t *testing.T) {
			x := backups(t, s, who)[0]
			key, err := s.App.Text(t.Context(), `SELECT file FROM profile_backup WHERE profile_id = $1 AND id = $2`, who.Profile, x.ID)
			if err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(s.Data, "files", filepath.FromSlash(key))
			content, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			if err := os.WriteFile(at, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if f, _, err := s.App.VerifyBackups(t.Context()); err != nil || len(f) != 1 || !strings.Contains(f[0], "another SHA-256") {
				t.Errorf("changed: %q, %v", f, err)
			}
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			if f, _, err := s.App.VerifyBackups(t.Context()); err != nil || len(f) != 1 || !strings.Contains(f[0], "missing") {
				t.Errorf("removed: %q, %v", f, err)
			}
		})

		t.Run("a profile that is deleted keeps its backups for as long as it can come back, and no longer", func(t *testing.T) {
			second := s.Profile(t, who, "Second")
			s.Call(t, "POST", "/profile/"+second.Profile+"/backup", second.Token, nil).Want(t, 200)
			x := madeBackup(t, s, second)
			key, err := s.App.Text(t.Context(), `SELECT file FROM profile_backup WHERE profile_id = $1 AND id = $2`, second.Profile, x.ID)
			if err != nil {
				t.Fatal(err)
			}
			var l backupLink
			s.Call(t, "POST", "/profile/"+second.Profile+"/backup/"+x.ID+"/download", who.Token, row{"password": apptest.Password}).Want(t, 200).Into(t, &l)
			s.Call(t, "DELETE", "/profile/"+second.Profile, who.Token, row{"password": apptest.Password}).Want(t, 200)
			if status, _, _ := fetch(t, l.URL, ""); status != 404 {
				t.Errorf("its link answers %d", status)
			}
			gone := func() bool {
				t.Helper()
				if err := s.App.PurgeNow(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := s.App.RunBackups(t.Context()); err != nil {
					t.Fatal(err)
				}
				return !s.App.HasFile(t.Context(), key)
			}
			if gone() {
				t.Fatal("the file went at once")
			}
			s.Clock.Advance(8 * 24 * time.Hour)
			if !gone() {
				t.Error("the file is still there")
			}
			if n, err := s.App.Text(t.Context(), `SELECT CAST(COUNT(*) AS TEXT) FROM profile_backup WHERE profile_id = $1`, second.Profile); err != nil || n != "0" {
				t.Errorf("%s rows are left, %v", n, err)
			}
		})
	}, apptest.AtTime(noon))
}
