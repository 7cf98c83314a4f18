package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

const backupPassphrase = "a passphrase of several words"

// verb runs the command line and returns what it prints on standard output, decoded.
func verb(t *testing.T, input string, args ...string) (out map[string]any, complaint string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = app.Main(args, strings.NewReader(input), &stdout, &stderr)
	if code == 0 {
		if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
			t.Fatalf("%v printed %q: %v", args, stdout.Bytes(), err)
		}
	}
	return out, stderr.String(), code
}

// backUp backs an installation up and returns the folder.
func backUp(t *testing.T, flags ...string) string {
	t.Helper()
	out, complaint, code := verb(t, backupPassphrase, append([]string{"backup", t.TempDir()}, flags...)...)
	if code != 0 {
		t.Fatal(complaint)
	}
	dir, _ := out["backup"].(string)
	return dir
}

func clearEnv(t *testing.T) {
	for _, name := range []string{"PADDOCK_DATA", "PADDOCK_DATABASE", "PADDOCK_SECRET_KEY", "PADDOCK_BACKUP_PASSPHRASE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
}

// TestRestorePutsAway restores a backup and starts the server on it: sessions and mailed links have ended, mails and
// webhooks that waited are held back, jobs are due; what confirms an e-mail, keys of idempotency and tokens stay.
func TestRestorePutsAway(t *testing.T) {
	clearEnv(t)
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			ctx := context.Background()
			var set app.Settings
			first := apptest.Start(t, engine, func(s *app.Settings, _ *app.Options) { set = *s })
			who := first.Account(t, "house")
			for _, q := range []string{
				`INSERT INTO session (hash, id, account_id, addr, agent, created_at, last_used_at) VALUES ('h', 'aaaaaaaaaaaaaaaaaaaaaaaa', '` + who.Account + `', '', '', 1, 1)`,
				`INSERT INTO account_link (hash, kind, account_id, data, created_at, expires_at) VALUES ('r', 'reset', 'x', '', 1, 99999999999999), ('d', 'delete', 'x', '', 1, 99999999999999), ('c', 'confirm', 'x', '', 1, 99999999999999)`,
				`INSERT INTO mail_outbox (id, recipient, subject, body_text, body_html, refused, attempts, next_at, last_error, created_at, expires_at, ref) VALUES ('m', 'a@example.test', 's', 't', '', FALSE, 0, 1, '', 1, 99999999999999, '')`,
				`INSERT INTO delivery (profile_id, id, account, subject, event, kind, title, channel, target, body, status, attempts, next_at, reason, created_at, done_at)
					VALUES ('` + who.Profile + `', 'w', '` + who.Account + `', 's', 'e', 'k', 't', 'webhook', 'https://example.test', '{}', 'waiting', 0, 99999999999999, '', 99999999999999, 0)`,
				`INSERT INTO idempotency (profile_id, device_id, key, body, points, at) VALUES ('` + who.Profile + `', 'd', 'k', '', 1, 99999999999999)`,
				`INSERT INTO job_lease (name, holder, held_until, next_at) VALUES ('a job', 'another node', 99999999999999, 99999999999999)`,
				`INSERT INTO import_run (id, account, state, points, total, report, error, created_at, beat_at) VALUES ('i', '` + who.Account + `', 'running', 1, 2, '', '', 99999999999999, 99999999999999)`, // an old run would be cleared away,
				`INSERT INTO profile (id, no, account, name, paused, pause_reason, paused_by_operator, created_at, updated_at, deleted_at, purge_at, draft)
					VALUES ('bbbbbbbbbbbbbbbbbbbbbbbb', 99, '` + who.Account + `', 'half', FALSE, '', FALSE, 1, 1, 1, 99999999999999, TRUE)`,
				`INSERT INTO backup_link (profile_id, backup_id, hash, account, expires_at, used_at) VALUES ('` + who.Profile + `', 'b', 'h', '` + who.Account + `', 99999999999999, 0)`,
				`INSERT INTO operator_look (id, profile, owner, operator, reason, hours, state, asked_at, from_at, until_at, ended_at, ended_by, decided_by)
					VALUES ('l', '` + who.Profile + `', '` + who.Account + `', 'o', 'r', 1, 'active', 1, 1, 99999999999999, 0, '', ''), ('m', '` + who.Profile + `', '` + who.Account + `', 'p', 'r', 1, 'asked', 1, 0, 99999999999999, 0, '', '')`,
			} {
				if _, err := first.App.Exec(ctx, q); err != nil {
					t.Fatal(q, err)
				}
			}
			flags := []string{"--data", set.Data}
			again := t.TempDir()
			into := []string{"--data", again}
			if engine == sqldb.Postgres {
				flags = append(flags, "--database", set.Database, "--secret-key", set.SecretKey)
				into = append(into, "--database", set.Database)
			}
			dir := backUp(t, flags...)
			if err := first.App.Close(); err != nil {
				t.Fatal(err)
			}
			if engine == sqldb.Postgres {
				if _, complaint, code := verb(t, backupPassphrase, "restore", dir, "--data", again); code != 1 || !strings.Contains(complaint, "pg_restore") {
					t.Errorf("without --database: %d %s", code, complaint)
				}
				if _, complaint, code := verb(t, backupPassphrase, "restore", dir, "--data", again, "--database", sqldbtest.URL(t, engine)); code != 1 || !strings.Contains(complaint, "empty") {
					t.Errorf("into an empty database: %d %s", code, complaint)
				}
				other := sqldbtest.URL(t, engine)
				if err := opens(t.TempDir(), other, set.SecretKey); err != nil {
					t.Fatal(err)
				}
				if _, complaint, code := verb(t, backupPassphrase, "restore", dir, "--data", again, "--database", other); code != 1 || !strings.Contains(complaint, "another installation") {
					t.Errorf("with the database of another installation: %d %s", code, complaint)
				}
			}
			did, complaint, code := verb(t, backupPassphrase, append([]string{"restore", dir}, into...)...)
			if code != 0 || did["migrations_pending"] != 0.0 {
				t.Fatal(did, complaint)
			}
			second := apptest.Start(t, engine, func(s *app.Settings, _ *app.Options) {
				s.Data, s.Database = again, set.Database
				if engine == sqldb.Postgres {
					raw, err := os.ReadFile(filepath.Join(again, "secret.key"))
					if err != nil {
						t.Fatal(err)
					}
					s.SecretKey = strings.TrimSpace(string(raw))
				}
			})
			url := "sqlite:" + filepath.Join(again, "paddock.db")
			if engine == sqldb.Postgres {
				url = set.Database
			}
			db, err := sqldb.Open(ctx, url, sqldb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for q, want := range map[string]string{
				`SELECT COUNT(*) || '' FROM session`: "0",
				`SELECT kind FROM account_link`:      "confirm",
				`SELECT COUNT(*) || '' FROM mail_outbox WHERE id = 'm' AND refused = TRUE AND last_error LIKE 'held back: the server was restored%'`: "1",
				`SELECT status || ' ' || body || ' ' || substr(reason, 1, 9) FROM delivery WHERE id = 'w' AND profile_id = '` + who.Profile + `'`:    "failed  held back",
				`SELECT COUNT(*) || '' FROM idempotency WHERE key = 'k' AND profile_id = '` + who.Profile + `'`:                                      "1",
				`SELECT COUNT(*) || '' FROM job_lease WHERE name = 'a job'`:                                                                          "0",
				`SELECT state || ' ' || substr(error, 1, 51) FROM import_run WHERE id = 'i'`:                                                         `failed {"message":"The server was restored from a backup o`,
				`SELECT COUNT(*) || '' FROM profile WHERE id = 'bbbbbbbbbbbbbbbbbbbbbbbb' AND purge_at > 0`:                                          "0",
				`SELECT COUNT(*) || '' FROM backup_link`:                                                                                             "0",
				`SELECT COUNT(*) || '' FROM operator_look WHERE state = 'ended' AND ended_at > 0`:                                                    "2",
				`SELECT COUNT(*) || '' FROM setting WHERE name = 'restored from'`:                                                                    "0",
			} {
				if got, _, err := sqldb.One(ctx, db, sqldb.Value[string], q); err != nil || got != want {
					t.Errorf("%s: %q, %v; want %q", q, got, err, want)
				}
			}
			second.Call(t, "GET", "/device", who.Token, nil).Want(t, 200)
		})
	}
}

// TestRestoreOfAnEarlierRelease backs up a database of an earlier build, restores it and starts this one on it; what a later
// one made is refused.
func TestRestoreOfAnEarlierRelease(t *testing.T) {
	clearEnv(t)
	ctx := context.Background()
	dir := t.TempDir()
	sealer, err := seal.LoadOrCreateFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "paddock.db"), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sources []sqldb.Source
	for _, s := range app.Sources() {
		sources = append(sources, sqldb.Source{Room: s.Room, FS: before{s.FS, "20261122_1200"}})
	}
	if err := old.Migrate(ctx, sources...); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(ctx, "INSERT INTO setting (name, value) VALUES ('seal check', $1)", sealer.Check()); err != nil {
		t.Fatal(err)
	}
	backup := backUp(t, "--data", dir)
	if _, err := old.Exec(ctx, "INSERT INTO migration (name, at) VALUES ('20990101_0000_later', 1)"); err != nil {
		t.Fatal(err)
	}
	later := backUp(t, "--data", dir)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "made", "here")
	if _, complaint, code := verb(t, backupPassphrase, "restore", later, "--data", again); code != 1 || !strings.Contains(complaint, "20990101_0000_later") || !strings.Contains(complaint, "newer release") {
		t.Errorf("a later release's: %d %s", code, complaint)
	}
	did, complaint, code := verb(t, backupPassphrase, "restore", backup, "--data", again)
	if n, _ := did["migrations_pending"].(float64); code != 0 || n < 10 {
		t.Fatal(did, complaint)
	}
	s := apptest.Start(t, sqldb.SQLite, func(set *app.Settings, _ *app.Options) { set.Data = again })
	if who := s.Account(t, "house"); who.Token == "" {
		t.Error("the restored server makes no accounts")
	}
	for release, newer := range map[string]bool{"v1.3.0": true, "v1.2.4-rc1": true, "v1.2.3-5-gabcdef": false, "v0.9.9": false, "dev": false} {
		if app.Newer(release, "v1.2.3") != newer {
			t.Errorf("%s is newer than v1.2.3: %v", release, !newer)
		}
	}
}

// TestBackupRefusesWhatIsNoInstallation names what is wrong before anything is written.
func TestBackupRefusesWhatIsNoInstallation(t *testing.T) {
	clearEnv(t)
	empty, to := t.TempDir(), filepath.Join(t.TempDir(), "backups")
	data := t.TempDir()
	if err := opens(data, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		input, reason string
		args          []string
	}{
		{backupPassphrase, "no database to back up", []string{to, "--data", empty}},
		{"", "no passphrase", []string{to, "--data", data}},
		{"", "--without-key", []string{to, "--data", data}},
		{"short", "must have 12", []string{to, "--data", data}},
		{backupPassphrase, "lies in the data folder", []string{filepath.Join(data, "backups"), "--data", data}},
		{backupPassphrase, "--keep", []string{to, "--data", data, "--keep=-1"}},
		{backupPassphrase, "does not hold the key", []string{to, "--data", data, "--secret-key", keyOne}},
	} {
		if _, complaint, code := verb(t, c.input, append([]string{"backup"}, c.args...)...); code != 1 || !strings.Contains(complaint, c.reason) {
			t.Errorf("%v: %d %s", c.args, code, complaint)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(to, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(to, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	dir := backUp(t, "--data", data, "--without-key")
	if _, complaint, code := verb(t, backupPassphrase, "restore", dir, "--check"); code != 1 || !strings.Contains(complaint, "made without the key") {
		t.Errorf("a backup without the key: %d %s", code, complaint)
	}
}
