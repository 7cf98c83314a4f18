package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/kit/blob"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// What a backup of a server is made of; docs/backup.md describes it for people.
const (
	manifestName   = "manifest.json"
	manifestFormat = 1
	databaseName   = "paddock.db"
	sealedKeyName  = "key.age"
	filesName      = "files"
)

// Kinds of manifest.Key.
const (
	keySealed  = "sealed"  // in key.age, with a passphrase
	keyWithout = "without" // left out on demand
)

// manifest says what a backup holds. It is written last, so a backup without one was cut off.
type manifest struct {
	Format       int          `json:"format"`
	Paddock      string       `json:"paddock"` // the release that made it
	Installation string       `json:"installation"`
	At           web.Time     `json:"at"`       // the instant that database and files show
	Engine       sqldb.Engine `json:"engine"`   // sqlite: the database is in it; postgres: it is not
	Database     string       `json:"database"` // the file, or where the database is to be had from
	LSN          string       `json:"lsn,omitempty"`
	Migrations   []string     `json:"migrations"` // that made the database what it is, in order
	Key          string       `json:"key"`        // sealed or without
	KeyIDs       []string     `json:"key_ids"`    // of the keys that the database needs
	Bytes        int64        `json:"bytes"`      // of all files together
	Files        []entry      `json:"files"`      // all but this one, by path
	Sum          string       `json:"sum"`        // SHA-256 of this manifest with sum ""
}

// entry is a file of a backup.
type entry struct {
	Path   string `json:"path"` // in the backup, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// encode writes the manifest in its one form and fills Sum.
func (m *manifest) encode() ([]byte, error) {
	m.Sum = ""
	bare, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bare)
	m.Sum = hex.EncodeToString(sum[:])
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// errNoBackup is for a folder without a manifest.
var errNoBackup = errors.New("no whole backup: it has no " + manifestName + ", so it was cut off, or it is something else")

const maxManifest = 256 << 20 // a line of 150 bytes for each picture and archive

// readManifest reads the manifest of a backup and checks that no bit of it has changed and that it could be ours.
// Whatever is wrong with what it lists is not its business.
func readManifest(dir string) (*manifest, error) {
	st, err := os.Stat(filepath.Join(dir, manifestName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, derr := os.Stat(dir); derr != nil {
			return nil, derr
		}
		if all, lerr := backupsIn(dir); lerr == nil && len(all) > 0 {
			return nil, fmt.Errorf("%s holds backups and is none itself: name one of them, such as %s", dir, filepath.Join(dir, all[len(all)-1]))
		}
		return nil, fmt.Errorf("%s is %w", dir, errNoBackup)
	case err != nil:
		return nil, err
	case st.Size() > maxManifest || !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: no manifest of a backup", manifestName)
	}
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: damaged, or no manifest of a server's backup (%w)", manifestName, err)
	}
	if m.Format > manifestFormat {
		return nil, fmt.Errorf("the backup is of format %d, and this is Paddock %s, which reads %d: take a newer release", m.Format, Version, manifestFormat)
	}
	again := m
	if whole, err := again.encode(); err != nil || !bytes.Equal(whole, text) {
		return nil, fmt.Errorf("%s: damaged, or no manifest of a server's backup (its sum does not fit)", manifestName)
	}
	return &m, m.check()
}

// check refuses what no backup of ours says.
func (m *manifest) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{manifestName}, args...)...)
	}
	if m.Format < 1 || m.Engine != sqldb.SQLite && m.Engine != sqldb.Postgres || m.Key != keySealed && m.Key != keyWithout {
		return bad("no manifest of a server's backup")
	}
	var total int64
	seen := map[string]bool{}
	for _, f := range m.Files {
		key, isBlob := strings.CutPrefix(f.Path, filesName+"/")
		switch {
		case isBlob && blob.CheckKey(key) == nil:
		case f.Path == databaseName && m.Engine == sqldb.SQLite, f.Path == sealedKeyName && m.Key == keySealed:
		default:
			return bad("%q has no place in a backup", f.Path)
		}
		if seen[f.Path] || f.Size < 0 {
			return bad("%q is listed wrongly", f.Path)
		}
		seen[f.Path] = true
		total += f.Size
	}
	if total != m.Bytes {
		return bad("the sizes do not add up")
	}
	if m.Engine == sqldb.SQLite && !seen[databaseName] || m.Key == keySealed && !seen[sealedKeyName] {
		return bad("database or key are missing")
	}
	return nil
}

// fits refuses a backup that a newer release made. What an older one made is migrated at the first start.
func (m *manifest) fits() error {
	if newer(m.Paddock, Version) {
		return fmt.Errorf("the backup is of Paddock %s, and this is the older %s: restore it with that release or a newer one", m.Paddock, Version)
	}
	return knows(m.Engine, m.Migrations, "the backup is of Paddock "+m.Paddock)
}

// knows refuses a database that has seen a migration which this release lacks.
func knows(engine sqldb.Engine, applied []string, what string) error {
	all, err := sqldb.Migrations(engine, Sources()...)
	if err != nil {
		return err
	}
	for _, name := range applied {
		if !slices.ContainsFunc(all, func(m sqldb.Migration) bool { return m.Name == name }) {
			return fmt.Errorf("%s and knows the migration %s, which this release (%s) lacks: take a newer release", what, name, Version)
		}
	}
	return nil
}

var release = regexp.MustCompile(`^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].*)?$`)

// newer reports whether release a comes after b; false when one of them has no number, as builds of one's own.
func newer(a, b string) bool {
	x, y := release.FindStringSubmatch(a), release.FindStringSubmatch(b)
	if x == nil || y == nil {
		return false
	}
	for i := 1; i <= 3; i++ {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m > n
		}
	}
	return false
}

var backupName = regexp.MustCompile(`^paddock-\d{8}T\d{6}Z(-\d+)?$`)

// backupsIn lists the backups in a folder by their names, oldest first. They may be damaged.
func backupsIn(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range all {
		if !e.IsDir() || !backupName.MatchString(e.Name()) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, e.Name(), manifestName)); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil // ReadDir sorts
}
