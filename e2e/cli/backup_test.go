package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paddock/e2e/server"
)

const passphrase = "twelve words are better than one"

// drill is a server with several profiles whose devices send all the time.
type drill struct {
	*server.Home
	t        *testing.T
	server   *server.Server
	accounts []server.Account
	devices  []string       // their tokens
	sent     []atomic.Int64 // by device: points that were acknowledged
	stop     chan struct{}
	sending  sync.WaitGroup
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	binary, remove, err := server.Binary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	home, err := server.NewHome(binary, t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	d := &drill{Home: home, t: t, stop: make(chan struct{})}
	if d.server, err = home.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.server.Kill)
	for _, name := range []string{"Ada", "Bob", "Cem"} {
		a, err := home.CreateAccount(name, "house")
		if err != nil {
			t.Fatal(err)
		}
		d.accounts = append(d.accounts, a)
		for n := range 4 {
			var made struct{ Token string }
			if err := d.server.Call("POST", "/device", a.Token, map[string]any{"name": fmt.Sprint("device ", n), "type": "immutable",
				"chunk_period": "month", "chunk_retention": 1}, &made); err != nil {
				t.Fatal(err)
			}
			d.devices = append(d.devices, made.Token)
		}
	}
	d.sent = make([]atomic.Int64, len(d.devices))
	return d
}

// send lets every device send point after point until halt.
func (d *drill) send() {
	for i, token := range d.devices {
		d.sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-d.stop:
					return
				default:
				}
				if err := d.server.Call("POST", "/data", token, map[string]any{"variable": "n", "value": n}, nil); err != nil {
					d.t.Error("a device: ", err)
					return
				}
				d.sent[i].Add(1)
			}
		})
	}
}

func (d *drill) halt() {
	close(d.stop)
	d.sending.Wait()
}

// made is what backup prints.
type made struct {
	Backup  string
	At      time.Time
	Key     string
	Files   int
	Removed []string
}

// backup makes one in Dir/backups.
func (d *drill) backup(flags ...string) made {
	d.t.Helper()
	cmd := exec.Command(d.Binary, append([]string{"backup", filepath.Join(d.Dir, "backups")}, flags...)...)
	cmd.Env, cmd.Stdin = d.Env, strings.NewReader(passphrase+"\n")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("backup: %v\n%s", err, complaint.String())
	}
	var m made
	if err := json.Unmarshal(out, &m); err != nil || strings.Count(string(out), "\n") != 1 {
		d.t.Fatalf("backup printed %q, %v", out, err)
	}
	return m
}

// restore restores into Dir/name and returns the home of that.
func (d *drill) restore(backup, name string) (*server.Home, error) {
	home, err := server.NewHome(d.Binary, filepath.Join(d.Dir, name), "")
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.MkdirAll(home.Dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	_, err = home.Run(passphrase+"\n", "restore", backup)
	return home, err
}

// signIn signs an account in and returns a client that holds the session.
func signIn(t *testing.T, s *server.Server, a server.Account) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	answer, err := c.Post(s.URL+"/session", "application/json", strings.NewReader(fmt.Sprintf(`{"email":%q,"password":%q}`, a.Email, a.Password)))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		t.Fatal("sign in: ", answer.Status)
	}
	return c
}

// signedIn is the status of a request with the session of a client.
func signedIn(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	answer, err := c.Get(url + "/session")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestBackupDrill backs a server up while its devices send, restores the backup into an empty folder and serves it there.
// Every device's token works, every point that was acknowledged before the backup began is there, the figures agree, and
// people sign in again.
func TestBackupDrill(t *testing.T) {
	d := newDrill(t)
	browser := signIn(t, d.server, d.accounts[0])
	if got := signedIn(t, browser, d.server.URL); got != 200 {
		t.Fatal("signed in: ", got)
	}
	logo := picture(t, d.server, d.accounts[0])
	d.send()
	time.Sleep(500 * time.Millisecond)
	least := make([]int64, len(d.devices))
	for i := range d.sent {
		least[i] = d.sent[i].Load()
	}
	m := d.backup()
	d.halt()
	if m.Key != "sealed" || m.Files != 3 || time.Since(m.At) > time.Minute {
		t.Errorf("backup says %+v", m)
	}
	modes(t, m.Backup)

	if out, err := d.Run(passphrase, "restore", m.Backup, "--check", "--data", filepath.Join(d.Dir, "nowhere")); err != nil || !strings.Contains(out, `"key":"passphrase"`) {
		t.Fatalf("restore --check: %s, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "nowhere")); !os.IsNotExist(err) {
		t.Error("--check made the folder")
	}
	home, err := d.restore(m.Backup, "again")
	if err != nil {
		t.Fatal(err)
	}
	modes(t, filepath.Join(home.Dir, "data"))
	s, err := home.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	var total int64
	for i, token := range d.devices {
		var count int64
		if err := s.Call("GET", "/data?query=count", token, nil, &count); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		if sent := d.sent[i].Load(); least[i] == 0 || count < least[i] || count > sent {
			t.Errorf("device %d: %d points, of %d acknowledged before the backup and %d in all", i, count, least[i], sent)
		}
		total += count
		if err := s.Call("POST", "/data", token, map[string]any{"variable": "n", "value": 1}, nil); err != nil {
			t.Errorf("device %d sends: %v", i, err)
		}
	}
	t.Logf("%d points restored", total)
	for _, a := range d.accounts { // the sealed copies open: the key is the right one
		var devices []struct{ ID string }
		if err := s.Call("GET", "/device", a.Token, nil, &devices); err != nil || len(devices) != 4 {
			t.Fatal(devices, err)
		}
		var tokens []struct{ Token string }
		if err := s.Call("GET", "/device/token/"+devices[0].ID, a.Token, nil, &tokens); err != nil || len(tokens) != 1 || !slices.Contains(d.devices, tokens[0].Token) {
			t.Errorf("tokens of a device: %v, %v", tokens, err)
		}
	}
	if got := signedIn(t, browser, s.URL); got != 401 {
		t.Errorf("a session of before the backup: %d", got)
	}
	if got := signedIn(t, signIn(t, s, d.accounts[0]), s.URL); got != 200 {
		t.Errorf("signed in again: %d", got)
	}
	if answer, err := http.Get(s.URL + logo); err != nil || answer.StatusCode != 200 {
		t.Errorf("the logo: %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	if out, err := home.Run("", "verify"); err != nil {
		t.Error(out)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if out, err := home.Run("", "verify"); err != nil {
		t.Error(out)
	}
	if out, err := home.Run(passphrase, "restore", m.Backup); err == nil || !strings.Contains(out, "is not empty") {
		t.Errorf("a restore over what is there: %s, %v", out, err)
	}
}

// picture gives a profile a logo and returns its path.
func picture(t *testing.T, s *server.Server, a server.Account) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/logo.png")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("PUT", s.URL+"/profile/"+a.Profile+"/logo", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", a.Token)
	req.Header.Set("Content-Type", "image/png")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out struct{ Result struct{ URL string } }
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode/100 != 2 || out.Result.URL == "" {
		t.Fatal("upload a logo: ", answer.Status, out, err)
	}
	return strings.TrimPrefix(out.Result.URL, s.URL)
}

// modes fails for a file or folder that others than its owner may look at.
func modes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err == nil && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", name, st.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBackupRefused restores what is no whole backup: a flipped bit in any of its files, one that is missing, added or
// of another backup. Each is refused with its reason, and nothing is left.
func TestBackupRefused(t *testing.T) {
	d := newDrill(t)
	picture(t, d.server, d.accounts[0])
	first := d.backup().Backup
	for i := range d.devices {
		if err := d.server.Call("POST", "/data", d.devices[i], map[string]any{"variable": "n", "value": 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	second := d.backup().Backup
	if err := d.server.Stop(); err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(first, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(first, name)
			files = append(files, rel)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Fatalf("a backup of %v", files)
	}
	tries := 0
	// refused changes the backup, tries to restore it, and puts it right again.
	refused := func(what string, change func(dir string), reason string) {
		t.Helper()
		t.Run(what, func(t *testing.T) {
			tries++
			dir := filepath.Join(d.Dir, "changed")
			if out, err := exec.Command("cp", "-a", first, dir).CombinedOutput(); err != nil {
				t.Fatalf("%s", out)
			}
			defer os.RemoveAll(dir)
			change(dir)
			home, err := d.restore(dir, fmt.Sprint("try", tries))
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("restored, or refused without saying %q: %v", reason, err)
			}
			if _, err := os.Stat(filepath.Join(home.Dir, "data")); !os.IsNotExist(err) {
				t.Error("it left a data folder")
			}
		})
	}
	edit := func(name string, f func([]byte) []byte) func(string) {
		return func(dir string) {
			raw, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), f(raw), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range files {
		for _, at := range []float64{0.4, 1} {
			refused(fmt.Sprintf("a flipped bit in %s at %v", filepath.Base(name), at), edit(name, func(b []byte) []byte {
				b[int(at*float64(len(b)-1))] ^= 4
				return b
			}), filepath.Base(name))
		}
		refused("a missing "+filepath.Base(name), func(dir string) { os.Remove(filepath.Join(dir, name)) }, filepath.Base(name))
		refused("a shorter "+filepath.Base(name), edit(name, func(b []byte) []byte { return b[:len(b)-1] }), filepath.Base(name))
		refused("a longer "+filepath.Base(name), edit(name, func(b []byte) []byte { return append(b, '\n') }), filepath.Base(name))
		refused("an empty "+filepath.Base(name), edit(name, func([]byte) []byte { return nil }), filepath.Base(name))
	}
	refused("a file too many", func(dir string) { os.WriteFile(filepath.Join(dir, "files", "more"), nil, 0o600) }, "does not belong")
	refused("a link in place of a file", func(dir string) {
		os.Remove(filepath.Join(dir, "paddock.db"))
		os.Symlink(filepath.Join(second, "paddock.db"), filepath.Join(dir, "paddock.db"))
	}, "does not belong")
	other, err := os.ReadFile(filepath.Join(second, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	refused("the manifest of another backup", edit("manifest.json", func([]byte) []byte { return other }), "damaged")
	refused("something else that is JSON", edit("manifest.json", func([]byte) []byte { return []byte(`{"format":1}` + "\n") }), "manifest")
	refused("a later format", edit("manifest.json", func(b []byte) []byte {
		return []byte(strings.Replace(string(b), `"format": 1`, `"format": 2`, 1))
	}), "newer release")

	t.Run("the wrong passphrase", func(t *testing.T) {
		_, err := d.Run("some other passphrase\n", "restore", first, "--check")
		if err == nil || !strings.Contains(err.Error(), "passphrase does not open") {
			t.Error(err)
		}
	})
	t.Run("no passphrase", func(t *testing.T) {
		_, err := d.Run("", "restore", first, "--check")
		if err == nil || !strings.Contains(err.Error(), "no passphrase") || !strings.Contains(err.Error(), "PADDOCK_SECRET_KEY") {
			t.Error(err)
		}
	})
	t.Run("the folder of backups", func(t *testing.T) {
		_, err := d.Run("", "restore", filepath.Dir(first), "--check")
		if err == nil || !strings.Contains(err.Error(), "name one of them, such as "+second) {
			t.Error(err)
		}
	})
	t.Run("no backup at all", func(t *testing.T) {
		_, err := d.Run("", "restore", t.TempDir(), "--check")
		if err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Error(err)
		}
	})
	t.Run("the key given, right and wrong", func(t *testing.T) {
		raw, err := os.ReadFile(filepath.Join(d.Dir, "data", "secret.key"))
		if err != nil {
			t.Fatal(err)
		}
		for key, reason := range map[string]string{strings.TrimSpace(string(raw)): "", "YW5vdGhlciBrZXkgZm9yIHRlc3RzLCAzMiBieXRlISE=": "does not hold the key"} {
			home := *d.Home
			home.Env = append(slices.Clone(d.Env), "PADDOCK_SECRET_KEY="+key)
			_, err := home.Run("", "restore", first, "--check")
			if (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
				t.Errorf("%q: %v", reason, err)
			}
		}
	})
}

// TestBackupIsWholeOrNothing ends the command at any moment, by SIGTERM and by SIGKILL: no folder that looks like a backup is
// left unless it is one, the next backup clears up, and --keep counts whole ones only.
func TestBackupIsWholeOrNothing(t *testing.T) {
	d := newDrill(t)
	d.send()
	defer d.halt()
	picture(t, d.server, d.accounts[0])
	whole := 0
	for n := range 24 {
		cmd := exec.Command(d.Binary, "backup", filepath.Join(d.Dir, "backups"), "--without-key")
		cmd.Env = d.Env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(n) * 5 * time.Millisecond)
		cmd.Process.Signal([]os.Signal{syscall.SIGTERM, syscall.SIGKILL}[n%2])
		if cmd.Wait() == nil {
			whole++
		}
		if n%2 == 0 { // told to stop it clears up itself
			if left, _ := filepath.Glob(filepath.Join(d.Dir, "data", ".backup-*")); n < 2 && len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
	all, err := filepath.Glob(filepath.Join(d.Dir, "backups", "paddock-*"))
	if err != nil || len(all) < whole {
		t.Fatalf("%d ended well, and there are %v, %v", whole, all, err)
	}
	t.Logf("%d of 24 were whole", len(all))
	key, err := os.ReadFile(filepath.Join(d.Dir, "data", "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	home := *d.Home
	home.Env = append(slices.Clone(d.Env), "PADDOCK_SECRET_KEY="+strings.TrimSpace(string(key)))
	for _, b := range all {
		if out, err := home.Run("", "restore", b, "--check"); err != nil {
			t.Error(out)
		}
	}
	m := d.backup("--keep", "2")
	left, err := os.ReadDir(filepath.Join(d.Dir, "backups"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != min(2, len(all)+1) || left[len(left)-1].Name() != filepath.Base(m.Backup) || len(m.Removed) != len(all)+1-len(left) {
		t.Errorf("with --keep 2 there are %v, and %v went", left, m.Removed)
	}
	if links, _ := filepath.Glob(filepath.Join(d.Dir, "data", ".backup-*")); len(links) > 0 {
		t.Errorf("left behind: %v", links)
	}
}
