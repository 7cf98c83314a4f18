package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"paddock/internal/backup"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/operator"
)

// A backup of a whole server is a folder paddock-<instant>: the database (of SQLite), the files, the key, and a manifest
// with the hash of each. It is made under another name, flushed and renamed at the end, so that whatever is cut off never
// looks whole. docs/backup.md tells operators all of it.

type backupCmd struct {
	Store      `embed:""`
	Dir        string `arg:"" help:"Folder of backups; each gets a folder of its own in it, paddock-<UTC time>. Made when missing."`
	Keep       int    `help:"Keep this many backups of this installation there, and remove older ones once the new one is whole. 0 keeps all." default:"0" placeholder:"N"`
	WithoutKey bool   `name:"without-key" help:"Leave the secret key out: you keep it elsewhere, and nothing can be restored without it."`
}

// Help is what --help says below the flags.
func (*backupCmd) Help() string {
	return `Works beside a running server, which it disturbs little. The key is sealed with a passphrase of at least 12 characters, taken from PADDOCK_BACKUP_PASSPHRASE or the first line of standard input. Prints one line of JSON. Exit code 0: a whole backup is there; 1: it failed and says why; 2: wrong usage.

With --database the database is not in the backup: use pg_dump or point-in-time recovery (docs/backup.md).`
}

func (c *backupCmd) Run(ctx context.Context, s streams) error {
	if c.Keep < 0 {
		return errors.New("--keep: must not be negative")
	}
	b := &copying{store: c.Store, dir: c.Dir, keep: c.Keep}
	if !c.WithoutKey {
		var err error
		if b.passphrase, err = readPassphrase(s); err != nil {
			return fmt.Errorf("%w; or leave the key out: --without-key", err)
		}
		if err := backup.CheckPassphrase(b.passphrase); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	made, err := b.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted: no backup was made")
		}
		b.note(s, operator.ServerBackup{At: time.Now(), Folder: abs(c.Dir), Failure: sentence(err)})
		return err
	}
	b.note(s, operator.ServerBackup{At: made.At.Time(), Folder: abs(made.Backup), Bytes: made.Bytes, Files: int64(made.Files), Took: time.Duration(made.Seconds * float64(time.Second)),
		Database: made.Engine == sqldb.SQLite, Key: made.Key == keySealed})
	if made.Key == keyWithout {
		fmt.Fprintln(s.err, "paddock: the secret key is NOT in this backup: without it nothing can be restored from it. Keep it elsewhere.")
	}
	if made.Engine == sqldb.Postgres {
		fmt.Fprintln(s.err, "paddock: the database is NOT in this backup: back PostgreSQL up by pg_dump or point-in-time recovery, see docs/backup.md.")
	}
	return json.NewEncoder(s.out).Encode(made)
}

// note tells the database what became of a backup, for the operator's page. A backup is none the worse without.
func (b *copying) note(s streams, x operator.ServerBackup) {
	if b.store.Check() != nil || refuseHalf(b.store.Data) != nil {
		return
	}
	if _, err := os.Stat(filepath.Join(b.store.Data, databaseName)); b.store.Database == "" && err != nil {
		return // SQLite would make one
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // also of one that was interrupted
	defer cancel()
	db, err := sqldb.Open(ctx, b.store.url(), sqldb.Options{Readers: 1, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = errors.Join(operator.NoteBackup(ctx, db, x), db.Close())
	}
	if err != nil {
		fmt.Fprintln(s.err, "paddock: the operator's page will not know of this backup:", sentence(err))
	}
}

// backedUp is what backup prints.
type backedUp struct {
	Backup   string       `json:"backup"` // the folder
	At       web.Time     `json:"at"`
	Engine   sqldb.Engine `json:"engine"`
	Database string       `json:"database"`
	LSN      string       `json:"lsn,omitempty"`
	Key      string       `json:"key"`
	Files    int          `json:"files"`
	Bytes    int64        `json:"bytes"`
	Seconds  float64      `json:"seconds"`
	HeldMS   float64      `json:"held_ms"` // for how long writers had to wait
	Removed  []string     `json:"removed"` // older backups
}

// copying makes one.
type copying struct {
	store      Store
	dir        string
	keep       int
	passphrase string // "" leaves the key out

	part     string            // the unfinished folder
	links    string            // a folder beside the files with a second name for each
	linked   map[string]string // blob key to its name in links
	manifest manifest
}

const (
	partPrefix = ".partial-"
	linkPrefix = ".backup-"
	dbInPG     = "not in this backup: restore it with pg_restore or point-in-time recovery, see docs/backup.md"
)

func (b *copying) run(ctx context.Context) (backedUp, error) {
	began := time.Now()
	if err := b.prepare(); err != nil {
		return backedUp{}, err
	}
	checks, held, err := b.fill(ctx)
	if err == nil {
		err = b.finish(ctx, checks)
	}
	if b.links != "" {
		err = errors.Join(err, os.RemoveAll(b.links))
	}
	if err != nil {
		if b.part != "" {
			err = errors.Join(err, os.RemoveAll(b.part))
		}
		return backedUp{}, err
	}
	name, err := b.publish(began)
	if err != nil {
		return backedUp{}, errors.Join(err, os.RemoveAll(b.part))
	}
	m := b.manifest
	made := backedUp{Backup: name, At: m.At, Engine: m.Engine, Database: m.Database, LSN: m.LSN, Key: m.Key, Files: len(m.Files), Bytes: m.Bytes,
		HeldMS: float64(held.Microseconds()) / 1000, Removed: []string{}}
	if b.keep > 0 {
		if made.Removed, err = b.prune(filepath.Base(name)); err != nil {
			return backedUp{}, fmt.Errorf("%s is whole, but older backups could not be removed: %w", name, err)
		}
	}
	made.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	return made, nil
}

// prepare checks what can be checked beforehand and makes the unfinished folder.
func (b *copying) prepare() error {
	if err := b.store.Check(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.store.Data, databaseName)); b.store.Database == "" && err != nil {
		return fmt.Errorf("there is no database to back up: %w; name the data folder with --data", err)
	}
	if err := refuseHalf(b.store.Data); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of backups: %w", err)
	}
	data, err := filepath.EvalSymlinks(abs(b.store.Data))
	if err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	if b.dir, err = filepath.EvalSymlinks(abs(b.dir)); err != nil {
		return err
	}
	if within, err := filepath.Rel(data, b.dir); err == nil && within != ".." && !strings.HasPrefix(within, "../") {
		return fmt.Errorf("%s lies in the data folder and would be lost with it: name another", b.dir)
	}
	removeStale(b.dir, partPrefix)
	removeStale(b.store.Data, linkPrefix)
	if b.part, err = lockedDir(b.dir, partPrefix); err != nil {
		return err
	}
	b.links, err = lockedDir(b.store.Data, linkPrefix)
	if err == nil {
		err = b.room()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(b.part), os.RemoveAll(cmp.Or(b.links, b.part)))
	}
	return nil
}

// lockedDir makes a folder of one's own that counts as in use while this process lives.
func lockedDir(dir, prefix string) (string, error) {
	name := filepath.Join(dir, prefix+strings.ToLower(rand.Text()[:12]))
	if err := os.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	d, err := os.Open(name) // stays open: the lock ends with the process
	if err == nil {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		keepOpen = append(keepOpen, d)
	}
	if err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK) && !errors.Is(err, syscall.EBADF) {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// keepOpen holds locks; without a reference a file is closed when it is collected.
var keepOpen []*os.File

// removeStale removes what a backup left that was killed. What is in use, or cannot be told, stays.
func removeStale(dir, prefix string) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range all {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		d, err := os.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(name)
		}
		d.Close()
	}
}

// room fails when the disk is too small for what there is now.
func (b *copying) room() error {
	var need int64 = 1 << 20
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		if st, err := os.Stat(filepath.Join(b.store.Data, name)); err == nil && b.store.Database == "" {
			need += st.Size()
		}
	}
	if err := b.eachFile(func(_, _ string, st fs.FileInfo) error { need += st.Size(); return nil }); err != nil {
		return err
	}
	return roomFor(b.dir, need)
}

// roomFor fails when a disk cannot take that many bytes and a fiftieth more.
func roomFor(dir string, need int64) error {
	free, err := sqldb.Free(dir)
	if err != nil {
		return fmt.Errorf("how much room is left in %s: %w", dir, err)
	}
	if need += need / 50; free < need {
		return fmt.Errorf("too little room in %s: %s are needed and %s are free", dir, megabytes(need), megabytes(free))
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// eachFile walks over the blobs that are there.
func (b *copying) eachFile(f func(key, name string, st fs.FileInfo) error) error {
	root := filepath.Join(b.store.Data, filesName)
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted since the folder was read, or none was ever uploaded
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".") && name != root:
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		key := filepath.ToSlash(rel)
		if err != nil || blob.CheckKey(key) != nil {
			return nil // not ours
		}
		return f(key, name, st)
	})
	if err != nil {
		return fmt.Errorf("read the files: %w", err)
	}
	return nil
}

// link gives every blob a second name, under which it stays as it is whatever the server deletes or replaces. Called
// again it does what has changed since.
func (b *copying) link(ctx context.Context) error {
	there := map[string]string{}
	err := b.eachFile(func(key, name string, st fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if old, ok := b.linked[key]; ok {
			if o, err := os.Lstat(old); err == nil && os.SameFile(o, st) {
				there[key] = old
				return nil
			}
		}
		as := filepath.Join(b.links, strings.ToLower(rand.Text()))
		err := os.Link(name, as)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EMLINK) { // a disk without second names
			_, err = copyFile(ctx, name, as)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		there[key] = as
		return err
	})
	b.linked = there
	return err
}

// fill puts everything but key and manifest into the unfinished folder.
func (b *copying) fill(ctx context.Context) (checks string, held time.Duration, err error) {
	// What is linked before the instant makes the part short that must hold still. At the instant itself the rest is
	// linked, while nobody can commit: what the database refers to then is there, since it is stored before it is
	// referred to and deleted after.
	if err := b.link(ctx); err != nil {
		return "", 0, err
	}
	m := &b.manifest
	m.Format, m.Paddock = manifestFormat, Version
	if b.store.Database != "" {
		checks, err = b.lookAtPostgres(ctx)
	} else {
		checks, held, err = b.copySQLite(ctx)
	}
	if err != nil {
		return "", 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(b.linked)) {
		if err := b.add(ctx, b.linked[key], path.Join(filesName, key)); err != nil {
			return "", 0, err
		}
	}
	return checks, held, nil
}

func (b *copying) copySQLite(ctx context.Context) (checks string, held time.Duration, err error) {
	m := &b.manifest
	m.Engine, m.Database = sqldb.SQLite, databaseName
	file := filepath.Join(b.part, databaseName)
	done, err := sqldb.Copy(ctx, filepath.Join(b.store.Data, databaseName), file, sqldb.CopyOptions{
		Still: func() error {
			m.At = web.Time(time.Now())
			return b.link(ctx)
		},
		Gentle: served(b.store.Data),
	})
	if err != nil {
		return "", 0, err
	}
	if err := b.list(ctx, databaseName); err != nil {
		return "", 0, err
	}
	db, err := sqldb.OpenFile(file)
	if err != nil {
		return "", 0, err
	}
	defer db.Close()
	if m.Migrations, err = db.Applied(ctx); err != nil {
		return "", 0, fmt.Errorf("%s is no database of Paddock: %w", filepath.Join(b.store.Data, databaseName), err)
	}
	if m.Installation, err = db.Value(ctx, "SELECT value FROM setting WHERE name = $1", installation); err != nil {
		return "", 0, err
	}
	checks, err = db.Value(ctx, "SELECT value FROM setting WHERE name = $1", sealCheck)
	return checks, done.Held, err
}

// lookAtPostgres notes what belongs to the files: the instant, and how far the write-ahead log was then.
func (b *copying) lookAtPostgres(ctx context.Context) (checks string, err error) {
	m := &b.manifest
	m.Engine, m.Database = sqldb.Postgres, dbInPG
	db, err := sqldb.Open(ctx, b.store.Database, sqldb.Options{Readers: 2})
	if err != nil {
		return "", err
	}
	defer db.Close()
	if m.Migrations, err = db.Applied(ctx); err != nil {
		return "", err
	}
	if len(m.Migrations) == 0 {
		return "", errors.New("there is no database to back up: this one is empty; name the right one with --database")
	}
	if err := b.link(ctx); err != nil {
		return "", err
	}
	m.At = web.Time(time.Now())
	if err := db.QueryRow(ctx, "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_current_wal_lsn()::text END").Scan(&m.LSN); err != nil {
		return "", err
	}
	if m.Installation, _, err = setting(ctx, db, installation); err != nil {
		return "", err
	}
	checks, _, err = setting(ctx, db, sealCheck)
	return checks, err
}

// served reports whether a server runs on a data folder.
func served(data string) bool {
	f, err := os.Open(filepath.Join(data, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// finish adds the key and writes the manifest, the last of all.
func (b *copying) finish(ctx context.Context, checks string) error {
	m := &b.manifest
	m.KeyIDs, m.Key = seal.CheckKeys(checks), keyWithout
	if b.passphrase != "" {
		m.Key = keySealed
		k, err := findKey(b.store, checks != "")
		if err == nil {
			err = k.fit(b.store, checks)
		}
		if err != nil {
			return fmt.Errorf("the key: %w", err)
		}
		name := filepath.Join(b.part, sealedKeyName)
		err = writeFile(name, func(w io.Writer) error { return sealText(w, strings.TrimSpace(k.text)+"\n", b.passphrase) })
		if err == nil {
			err = b.list(ctx, sealedKeyName)
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(m.Files, func(x, y entry) int { return strings.Compare(x.Path, y.Path) })
	text, err := m.encode()
	if err != nil {
		return err
	}
	if err := syncDirs(b.part); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = writeFile(filepath.Join(b.part, manifestName), func(w io.Writer) error { _, err := w.Write(text); return err })
	if err != nil {
		return err
	}
	return syncDirs(b.part)
}

// publish gives the backup its name.
func (b *copying) publish(began time.Time) (string, error) {
	base := filepath.Join(b.dir, "paddock-"+began.UTC().Format("20060102T150405Z"))
	name := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
	if err := os.Rename(b.part, name); err != nil {
		return "", err
	}
	return name, syncDir(b.dir)
}

// prune removes all but the newest backups of this installation, and nothing that is not certainly one.
func (b *copying) prune(newest string) ([]string, error) {
	all, err := backupsIn(b.dir)
	if err != nil {
		return nil, err
	}
	removed := []string{}
	kept := 0
	for _, name := range slices.Backward(all) {
		dir := filepath.Join(b.dir, name)
		m, err := readManifest(dir)
		if err != nil || m.Installation != b.manifest.Installation || b.manifest.Installation == "" {
			continue
		}
		if kept++; kept <= b.keep || name == newest {
			continue
		}
		// Without its manifest it is no backup any more, should the rest be cut off.
		if err := os.Remove(filepath.Join(dir, manifestName)); err != nil {
			return removed, err
		}
		if err := os.RemoveAll(dir); err != nil {
			return removed, err
		}
		removed = append(removed, dir)
	}
	slices.Sort(removed)
	return removed, nil
}

// add copies a file to a place in the backup and lists it.
func (b *copying) add(ctx context.Context, from, to string) error {
	name := filepath.Join(b.part, filepath.FromSlash(to))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	e, err := copyFile(ctx, from, name)
	if err != nil {
		return err
	}
	e.Path = to
	b.manifest.Files = append(b.manifest.Files, e)
	b.manifest.Bytes += e.Size
	return nil
}

// list lists a file that is in the backup already.
func (b *copying) list(ctx context.Context, name string) error {
	f, err := os.Open(filepath.Join(b.part, name))
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := digest(ctx, io.Discard, f)
	if err != nil {
		return err
	}
	e.Path = name
	b.manifest.Files = append(b.manifest.Files, e)
	b.manifest.Bytes += e.Size
	return nil
}

// digest copies r to w and describes what passed.
func digest(ctx context.Context, w io.Writer, r io.Reader) (entry, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(w, h), untilDone{ctx, r}, make([]byte, 256<<10))
	return entry{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// untilDone ends a copy when its context does.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// copyFile copies a file to a new one and flushes it.
func copyFile(ctx context.Context, from, to string) (e entry, err error) {
	f, err := os.Open(from)
	if err != nil {
		return e, err
	}
	defer f.Close()
	err = writeFile(to, func(w io.Writer) error {
		e, err = digest(ctx, w, f)
		return err
	})
	return e, err
}

// writeFile writes a new file for its owner alone and flushes it.
func writeFile(name string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDirs flushes a folder and all folders in it.
func syncDirs(root string) error {
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(name)
	})
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
