package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

type restoreCmd struct {
	Store `embed:""`
	Dir   string `arg:"" help:"The backup: a folder paddock-<UTC time>."`
	Check bool   `aliases:"dry-run" help:"Only verify: read every file, the database and the key, and change nothing."`
}

// Help is what --help says below the flags.
func (*restoreCmd) Help() string {
	return `Restores into a data folder that is empty or missing (--data). First everything is verified: the hash of every file, the release, the pages of the database, and that the key fits. The key comes out of the backup by its passphrase (PADDOCK_BACKUP_PASSPHRASE, or the first line of standard input), or is the one in PADDOCK_SECRET_KEY. Then start the server as usual; a backup of an earlier release is brought up to date by it. Prints one line of JSON.

A backup of a server on PostgreSQL holds no database: restore that first, then run this with --database (docs/backup.md).`
}

func (c *restoreCmd) Run(ctx context.Context, s streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &restore{store: c.Store, dir: c.Dir, checkOnly: c.Check, passphrase: func() (string, error) { return readPassphrase(s) }}
	did, err := r.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted: nothing was restored")
		}
		return err
	}
	if !c.Check && did.Engine == sqldb.Postgres {
		fmt.Fprintf(s.err, "paddock: start the server with --database and PADDOCK_SECRET_KEY, which is in %s\n", abs(c.Store.keyFile()))
	}
	return json.NewEncoder(s.out).Encode(did)
}

// restored is what restore prints.
type restored struct {
	Data     string       `json:"data,omitempty"` // the folder; "" when only verified
	Verified string       `json:"verified"`       // the backup
	At       web.Time     `json:"at"`             // the instant that it shows
	Paddock  string       `json:"paddock"`        // the release that made it
	Engine   sqldb.Engine `json:"engine"`
	Pending  int          `json:"migrations_pending"` // that the server will apply when it starts
	Key      string       `json:"key"`                // where it came from: passphrase, PADDOCK_SECRET_KEY
	Files    int          `json:"files"`
	Bytes    int64        `json:"bytes"`
	Seconds  float64      `json:"seconds"`
}

// restore verifies a backup and makes a data folder of it.
type restore struct {
	store      Store
	dir        string
	checkOnly  bool
	passphrase func() (string, error)
}

// restoringName is the folder, in a data folder, of a restore that is under way. Where it is, nothing else opens.
const restoringName = ".restoring"

// refuseHalf fails for a data folder into which a restore did not end.
func refuseHalf(data string) error {
	_, err := os.Lstat(filepath.Join(data, restoringName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("a restore into %s was cut off, or is under way: wait for it, or empty the folder and restore again", abs(data))
}

func (r *restore) run(ctx context.Context) (restored, error) {
	began := time.Now()
	if r.store.Database != "" {
		if err := r.store.checkURL(); err != nil {
			return restored{}, err
		}
	}
	if !r.checkOnly {
		if err := emptyFolder(r.store.Data); err != nil {
			return restored{}, err
		}
	}
	m, err := readManifest(r.dir)
	if err != nil {
		return restored{}, err
	}
	if err := m.fits(); err != nil {
		return restored{}, err
	}
	switch {
	case m.Engine == sqldb.SQLite && r.store.Database != "":
		return restored{}, errors.New("this backup holds an SQLite database: leave --database (PADDOCK_DATABASE) out")
	case m.Engine == sqldb.Postgres && r.store.Database == "" && !r.checkOnly:
		return restored{}, errors.New("the database of this backup is in PostgreSQL: restore that first, with pg_restore or point-in-time recovery, then name it with --database (docs/backup.md)")
	}
	secret, err := r.secret(m) // asked for at once, and used when the files are known to be good
	if err != nil {
		return restored{}, err
	}
	if err := r.verify(ctx, m); err != nil {
		return restored{}, err
	}
	key, from, err := r.key(secret)
	if err != nil {
		return restored{}, err
	}
	did := restored{Verified: abs(r.dir), At: m.At, Paddock: m.Paddock, Engine: m.Engine, Key: from, Files: len(m.Files), Bytes: m.Bytes}
	if did.Pending, err = r.fit(ctx, m, key); err != nil {
		return restored{}, err
	}
	if !r.checkOnly {
		if r.store.SecretKey != "" { // whoever gives it keeps it
			key.text = ""
		}
		if err := r.place(ctx, m, key.text); err != nil {
			return restored{}, err
		}
		did.Data = abs(r.store.Data)
	}
	did.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	return did, nil
}

// emptyFolder fails unless the folder is missing or empty. Disks come with a folder lost+found.
func emptyFolder(dir string) error {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	if err := refuseHalf(dir); err != nil {
		return err
	}
	for _, e := range all {
		if e.Name() != "lost+found" {
			return fmt.Errorf("the data folder %s is not empty: restore into another (--data), or move away what is there", abs(dir))
		}
	}
	return nil
}

// secret is the passphrase, "" when the key is given.
func (r *restore) secret(m *manifest) (string, error) {
	switch {
	case r.store.SecretKey != "":
		return "", nil
	case m.Key == keyWithout:
		return "", errors.New("this backup was made without the key: give the key of the server it comes from in PADDOCK_SECRET_KEY")
	}
	p, err := r.passphrase()
	if err != nil {
		return "", fmt.Errorf("%w; or give the key in PADDOCK_SECRET_KEY", err)
	}
	return p, nil
}

// key finds the key: the one given, else the one in the backup, and says which.
func (r *restore) key(passphrase string) (keySource, string, error) {
	if r.store.SecretKey != "" {
		k, err := findKey(r.store, true)
		return k, "PADDOCK_SECRET_KEY", err
	}
	f, err := os.Open(filepath.Join(r.dir, sealedKeyName))
	if err != nil {
		return keySource{}, "", err
	}
	defer f.Close()
	text, err := openText(f, passphrase)
	if err != nil {
		return keySource{}, "", err
	}
	s, err := seal.Parse(text)
	if err != nil {
		return keySource{}, "", fmt.Errorf("the key of this backup is damaged: %w", err)
	}
	return keySource{s, text, sealedKeyName}, "passphrase", nil
}

// verify compares every file with the manifest, and what is there with what should be.
func (r *restore) verify(ctx context.Context, m *manifest) error {
	listed := map[string]entry{}
	for _, e := range m.Files {
		listed[e.Path] = e
	}
	root, err := os.OpenRoot(r.dir) // not even a planted link leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || name == manifestName {
			return err
		}
		if _, ok := listed[name]; !ok || !e.Type().IsRegular() {
			return fmt.Errorf("%s is in the folder but does not belong to the backup", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range m.Files {
		f, err := root.Open(e.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing in the backup", e.Path)
		}
		if err != nil {
			return err
		}
		if err := errors.Join(same(ctx, f, e), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// same fails unless a file is the one that was backed up.
func same(ctx context.Context, f io.Reader, e entry) error {
	got, err := digest(ctx, io.Discard, f)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Path, err)
	}
	return got.is(e)
}

// is fails unless what was read is what the manifest lists.
func (got entry) is(e entry) error {
	switch {
	case got.Size != e.Size:
		return fmt.Errorf("%s is damaged: it has %d bytes, and %d were backed up", e.Path, got.Size, e.Size)
	case got.SHA256 != e.SHA256:
		return fmt.Errorf("%s is damaged: its hash is not the one that was backed up", e.Path)
	}
	return nil
}

// fit looks into the database: that it holds together, is not of a newer release, and was sealed with the key. It
// returns how many migrations wait.
func (r *restore) fit(ctx context.Context, m *manifest, key keySource) (int, error) {
	var applied []string
	var checks string
	var err error
	switch {
	case m.Engine == sqldb.SQLite:
		var db *sqldb.File
		if db, err = sqldb.OpenFile(filepath.Join(r.dir, databaseName)); err != nil {
			return 0, err
		}
		defer db.Close()
		if err := db.Check(ctx); err != nil {
			return 0, fmt.Errorf("the database of this backup does not hold together: take another backup (%w)", err)
		}
		if applied, err = db.Applied(ctx); err == nil {
			checks, err = db.Value(ctx, "SELECT value FROM setting WHERE name = $1", sealCheck)
		}
	case r.store.Database == "":
		applied = m.Migrations
		for _, kid := range m.KeyIDs {
			if !slices.Contains(key.sealer.KeyIDs(), kid) {
				return 0, fmt.Errorf("%s is not the key of this backup: key %s is needed", key.where, kid)
			}
		}
	default:
		var db *sqldb.DB
		if db, err = sqldb.Open(ctx, r.store.Database, sqldb.Options{Readers: 2}); err != nil {
			return 0, err
		}
		defer db.Close()
		if applied, err = db.Applied(ctx); err == nil && len(applied) == 0 {
			return 0, errors.New("the database is empty: restore it first, with pg_restore or point-in-time recovery (docs/backup.md)")
		}
		if err == nil {
			checks, _, err = setting(ctx, db, sealCheck)
		}
		if err == nil {
			var of string
			if of, _, err = setting(ctx, db, installation); err == nil && of != m.Installation {
				return 0, errors.New("the database is that of another installation than the files: name the right one with --database")
			}
		}
	}
	if err != nil {
		return 0, fmt.Errorf("read the database of this backup: %w", err)
	}
	if err := knows(m.Engine, applied, "the database is of a newer release"); err != nil {
		return 0, err
	}
	if err := key.fit(Store{SecretKey: r.store.SecretKey, Data: r.dir}, checks); err != nil {
		return 0, err
	}
	all, err := sqldb.Migrations(m.Engine, Sources()...)
	return len(all) - len(applied), err
}

// place makes the data folder. All is copied into a folder in it and moved up at the end; as long as that folder is
// there, nothing opens the data folder. On a failure it is as it was.
func (r *restore) place(ctx context.Context, m *manifest, key string) (err error) {
	_, serr := os.Stat(r.store.Data)
	if err := os.MkdirAll(r.store.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	os.Chmod(r.store.Data, 0o700)
	tmp := filepath.Join(r.store.Data, restoringName)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	tops := []string{filesName, "secret.key", databaseName}
	defer func() {
		if err == nil {
			return
		}
		for _, top := range tops { // the folder was empty
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.store.Data, top)))
		}
		err = errors.Join(err, os.RemoveAll(tmp))
		if errors.Is(serr, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(r.store.Data))
		}
	}()
	if err := roomFor(tmp, m.Bytes); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(tmp, filesName), 0o700); err != nil {
		return err
	}
	for _, e := range m.Files {
		if e.Path == sealedKeyName {
			continue
		}
		to := filepath.Join(tmp, filepath.FromSlash(e.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		got, err := copyFile(ctx, filepath.Join(r.dir, filepath.FromSlash(e.Path)), to)
		if err == nil {
			err = got.is(e)
		}
		if err != nil {
			return err
		}
	}
	if key != "" {
		if err := writeFile(filepath.Join(tmp, "secret.key"), func(w io.Writer) error { _, err := io.WriteString(w, key); return err }); err != nil {
			return err
		}
	}
	if err := r.mark(ctx, m, filepath.Join(tmp, databaseName)); err != nil {
		return err
	}
	if err := syncDirs(tmp); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, top := range tops {
		err := os.Rename(filepath.Join(tmp, top), filepath.Join(r.store.Data, top))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syncDir(r.store.Data); err != nil {
		return err
	}
	if err := os.Remove(tmp); err != nil {
		return err
	}
	return syncDir(r.store.Data)
}

// restoredFrom names the setting by which a restored database asks whoever opens it first to put away what must not come
// back; see afterRestore. Its value is the instant of the backup.
const restoredFrom = "restored from"

// mark leaves that note in the database.
func (r *restore) mark(ctx context.Context, m *manifest, file string) error {
	url := "sqlite:" + file
	if m.Engine == sqldb.Postgres {
		url = r.store.Database
	}
	db, err := sqldb.Open(ctx, url, sqldb.Options{Readers: 2})
	if err != nil {
		return err
	}
	err = setSetting(ctx, db, restoredFrom, time.Time(m.At).UTC().Format(time.RFC3339))
	err = errors.Join(err, db.Close())
	if m.Engine == sqldb.SQLite {
		for _, end := range []string{"-turn", "-wal", "-shm"} {
			if rerr := os.Remove(file + end); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
		f, ferr := os.OpenFile(file, os.O_RDWR, 0)
		if ferr == nil {
			ferr = errors.Join(f.Sync(), f.Close())
		}
		err = errors.Join(err, ferr)
	}
	return err
}

// afterRestore puts away, once, what a restored database must not do again: docs/backup.md lists it. It runs after the
// database has been brought up to date and before anything is served, in one transaction.
func (a *App) afterRestore(ctx context.Context) error {
	at, ok, err := setting(ctx, a.db, restoredFrom)
	if err != nil || !ok {
		return err
	}
	reason := "held back: the server was restored from the backup of " + at + ", and it may have been sent before"
	err = a.db.Tx(ctx, func(ctx context.Context) error {
		for _, step := range []func() error{
			func() error { return a.accounts.EndEverySession(ctx) },
			func() error { return a.mail.HoldBack(ctx, reason) },
			func() error { return a.notify.HoldBack(ctx, reason) },
			func() error {
				return a.backups.AfterRestore(ctx, "The server was restored from a backup of "+at+"; nothing was imported. Try again.")
			},
			func() error { return a.support.AfterRestore(ctx) },
			func() error { return a.jobs.Forget(ctx) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		_, err := a.db.Exec(ctx, "DELETE FROM setting WHERE name = $1", restoredFrom)
		return err
	})
	if err != nil {
		return fmt.Errorf("after the restore: %w", err)
	}
	a.log.Warn("this server was restored from a backup: sessions have ended, and what waited to be sent is held back", "backup", at)
	return nil
}
