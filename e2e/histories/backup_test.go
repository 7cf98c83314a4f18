package histories

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackupsThroughKills ends the server at each place on the way of a profile's backup, and starts it again: the backup is made, or has
// failed with the reason; no archive is there that nobody knows of, and none is known that is not there, whole.
func TestBackupsThroughKills(t *testing.T) {
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
			k := &kills{t: t, world: w}
			k.backups()
		})
	}
}

func (k *kills) backups() {
	owner, err := k.home.CreateAccount("Owner", "house")
	k.must(err)
	var made struct{ Token string }
	k.must(k.post(owner, "POST", "/device", map[string]any{"name": "Pump", "type": "mutable"}, &made))
	k.device = made.Token
	k.send(50)
	path := "/profile/" + owner.Profile + "/backup"
	completed := func() int64 {
		return k.count(`SELECT COUNT(*) FROM profile_backup WHERE status = 'completed'`)
	}
	// settle lets time go by until nothing is under way, and compares what is stored with what is known.
	settle := func(when string, want int64) {
		k.t.Helper()
		k.until("backups under way", `SELECT COUNT(*) FROM profile_backup WHERE status IN ('queued', 'processing')`)
		k.until("files to remove", `SELECT COUNT(*) FROM backup_trash`)
		if n := completed(); n != want {
			k.t.Errorf("%s: %d backups, want %d", when, n, want)
		}
		files := int64(0)
		k.must(filepath.WalkDir(filepath.Join(k.home.Dir, "data", "files", "backup"), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files++
			}
			return err
		}))
		if files != want {
			k.t.Errorf("%s: %d archives are stored, want %d", when, files, want)
		}
		if out, err := k.home.Run("", "verify", "--backups"); err != nil {
			k.t.Errorf("%s: %v\n%s", when, err, out)
		}
	}
	n := int64(0)
	for _, place := range []string{"backup taken up", "backup stored, not recorded", "backup completed"} {
		k.at(place, 1, func() error { return k.post(owner, "POST", path, map[string]any{"data": true}, nil) })
		n++
		settle(place, n)
	}

	// A passphrase is kept nowhere: whoever is left cannot go on.
	k.at("backup taken up", 1, func() error {
		return k.post(owner, "POST", path, map[string]any{"passphrase": "staple of the farm"}, nil)
	})
	settle("with a passphrase", n)
	var rows []struct {
		ID, Status   string
		ErrorMessage string `json:"error_message"`
	}
	k.must(k.post(owner, "GET", path, nil, &rows))
	if rows[0].Status != "failed" || !strings.Contains(rows[0].ErrorMessage, "kept nowhere") {
		k.t.Errorf("with a passphrase: %+v", rows[0])
	}

	for i, place := range []string{"backup deleted, its file is there", "file of a backup removed, still remembered"} {
		k.must(k.post(owner, "DELETE", path+"/"+rows[1+i].ID, map[string]any{"password": owner.Password}, nil))
		k.at(place, 1, nil)
		n--
		settle(place, n)
	}

	k.must(k.post(owner, "PUT", path+"/schedule", map[string]any{"every": "day", "hour": k.page.now().Add(time.Hour).Hour(), "keep_last": 1}, nil))
	k.at("scheduled backup in line", 1, nil)
	k.until("scheduled backups missing", `SELECT CASE WHEN COUNT(*) > 0 THEN 0 ELSE 1 END FROM profile_backup WHERE origin = 'schedule' AND status = 'completed'`)
	settle("by schedule", n+1)
}
