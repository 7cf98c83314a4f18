package plan

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the table of versions.
func Migrations() sqldb.Source { return sqldb.Source{Room: "plan", FS: migrations} }

// Source is where a version came from.
type Source string

const (
	FromBuiltin Source = "builtin" // the binary
	FromFile    Source = "file"    // serve --catalogue FILE
	FromApply   Source = "apply"   // paddock catalogue apply FILE
)

// Version is a catalogue that was in force from an instant on.
type Version struct {
	Number int64
	Source Source
	At     int64 // UTC milliseconds
	Text   string
}

// Versions keeps every catalogue that was in force, so that a bill of the past is explained by the prices of its day, and
// makes the latest one that of Catalogue: on the node that writes it at once, on others within a second.
type Versions struct {
	db        *sqldb.DB
	clock     clock.Clock
	log       *slog.Logger
	catalogue *Catalogue
	reading   sync.Mutex
}

const (
	changeKind = "catalogue"
	lockName   = "latest"
	// heard is how long after a version was written every node has it.
	heard = 2 * time.Second
)

// Open reads the catalogue in force; the built-in one where none was stored yet. log is slog.Default() when nil.
func Open(ctx context.Context, db *sqldb.DB, clk clock.Clock, log *slog.Logger) (*Versions, error) {
	if log == nil {
		log = slog.Default()
	}
	v := &Versions{db: db, clock: clk, log: log, catalogue: Builtin()}
	if err := v.Reload(ctx); err != nil {
		return nil, err
	}
	db.OnChange(changeKind, func(string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := v.Reload(ctx); err != nil {
			v.log.Error("catalogue", "at", "reading another version", "error", err)
		}
	})
	return v, nil
}

// Catalogue is the one in force, always.
func (v *Versions) Catalogue() *Catalogue { return v.catalogue }

// Reload takes over the latest version, when it is not in force here already. One that cannot be read changes nothing.
func (v *Versions) Reload(ctx context.Context) error {
	v.reading.Lock()
	defer v.reading.Unlock()
	n, _, err := sqldb.One(ctx, v.db, sqldb.Value[int64], `SELECT COALESCE(MAX(version), 0) FROM catalogue_version`)
	if err != nil || n == v.catalogue.Version() {
		return err
	}
	last, found, err := v.Find(ctx, n)
	if err != nil || !found {
		return err
	}
	c, err := last.parse()
	if err != nil {
		return err
	}
	v.catalogue.now.Store(c.now.Load())
	return nil
}

// parse is the catalogue that a version is.
func (x Version) parse() (*Catalogue, error) {
	c, err := Parse([]byte(x.Text))
	if err != nil {
		return nil, fmt.Errorf("version %d of the catalogue: %w", x.Number, err)
	}
	c.now.Load().version = x.Number // nobody else has it yet
	return c, nil
}

const versionColumns = `version, source, at, text`

func scanVersion(r sqldb.Scanner) (x Version, err error) {
	return x, r.Scan(&x.Number, &x.Source, &x.At, &x.Text)
}

// Find is the version of a number.
func (v *Versions) Find(ctx context.Context, n int64) (Version, bool, error) {
	x, found, err := sqldb.One(ctx, v.db, scanVersion, `SELECT `+versionColumns+` FROM catalogue_version WHERE version = $1`, n)
	if err != nil {
		err = fmt.Errorf("read a version of the catalogue: %w", err)
	}
	return x, found, err
}

// List are all versions, the latest first.
func (v *Versions) List(ctx context.Context) ([]Version, error) {
	out, err := sqldb.All(ctx, v.db, scanVersion, `SELECT `+versionColumns+` FROM catalogue_version ORDER BY version DESC`)
	if err != nil {
		return nil, fmt.Errorf("list the versions of the catalogue: %w", err)
	}
	return out, nil
}

// Users names, by plan, some of the accounts that are on it; a plan that nobody is on is not there.
type Users func(ctx context.Context) (map[string][]string, error)

// BuiltinText is the file of the built-in catalogue.
func BuiltinText() []byte { return slices.Clone(builtin) }

// Apply puts a catalogue into force as the next version, unless it is in force already. It returns an *ErrCatalogue that names
// every row at fault, or conflict when the catalogue lacks a plan that accounts are on, naming both; then nothing changed.
//
// A built-in catalogue counts as known once it was stored, so that of two releases that run beside one another, or after one
// another, the older one does not bring its own back.
func (v *Versions) Apply(ctx context.Context, text []byte, from Source, users Users) (Version, error) {
	c, err := Parse(text)
	if err != nil {
		return Version{}, err
	}
	x := Version{Source: from, Text: string(text)}
	err = v.db.Tx(ctx, func(ctx context.Context) error {
		last, found, err := sqldb.One(ctx, v.db, scanVersion, `SELECT `+versionColumns+` FROM catalogue_version ORDER BY version DESC LIMIT 1`)
		if err != nil {
			return err
		}
		if found && last.Text == x.Text {
			x = last
			return nil
		}
		if from == FromBuiltin && found {
			_, known, err := sqldb.One(ctx, v.db, sqldb.Value[int64], `SELECT version FROM catalogue_version WHERE source = $1 AND text = $2 LIMIT 1`, string(from), x.Text)
			if err != nil {
				return err
			}
			if known || last.Source != FromBuiltin {
				x = last
				return nil
			}
		}
		on, err := users(ctx)
		if err != nil {
			return err
		}
		var lacking []string
		for _, name := range slices.Sorted(maps.Keys(on)) {
			if _, err := c.Plan(name); err != nil {
				lacking = append(lacking, fmt.Sprintf("%q (%s)", name, strings.Join(on[name], ", ")))
			}
		}
		if len(lacking) > 0 {
			return fault.New(fault.Conflict, "The catalogue lacks plans that accounts are on: %s. Add them, or move the accounts first with `paddock account set --plan`",
				strings.Join(lacking, "; "))
		}
		x.Number, x.At = last.Number+1, clock.Millis(v.clock.Now())
		pending, err := v.Fitting(ctx)
		if err != nil {
			return err
		}
		fitted := !pending
		if found && fitted {
			old, err := last.parse()
			fitted = err == nil && len(poolsDiffer(old, c)) == 0
		}
		n, err := v.db.Exec(ctx, `INSERT INTO catalogue_version (version, source, text, at, fitted_to, fitted) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (version) DO NOTHING`,
			x.Number, string(x.Source), x.Text, x.At, "", fitted)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "Somebody else has just put another catalogue into force; look at that one first")
		}
		return v.db.Changed(ctx, changeKind, lockName)
	})
	if err != nil {
		return Version{}, err
	}
	return x, v.Reload(ctx)
}

// poolsDiffer names the plans of next whose pools are not what they were.
func poolsDiffer(old, next *Catalogue) (names []string) {
	for _, p := range next.Plans() {
		if was, err := old.Plan(p.Name); err != nil || was.Pool != p.Pool {
			names = append(names, p.Name)
		}
	}
	return names
}

// Fitting reports whether accounts may still have what an earlier version of the catalogue gave them.
func (v *Versions) Fitting(ctx context.Context) (bool, error) {
	n, _, err := sqldb.One(ctx, v.db, sqldb.Value[int64], `SELECT COUNT(*) FROM catalogue_version WHERE NOT fitted`)
	return n > 0, err
}

// Fit calls fit for every account on a plan whose pool the latest version changed, in the order of their ids, which next
// tells: some after one. It begins when every node has the version, writes down how far it came, and goes on there when it was
// cut short; fit may therefore be called twice for an account.
func (v *Versions) Fit(ctx context.Context, next func(ctx context.Context, plans []string, after id.Account, n int) ([]id.Account, error), fit func(ctx context.Context, a id.Account) error) error {
	if pending, err := v.Fitting(ctx); err != nil || !pending {
		return err
	}
	if err := v.Reload(ctx); err != nil {
		return err
	}
	type row struct {
		Version
		after id.Account
	}
	last, found, err := sqldb.One(ctx, v.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.Number, &x.Source, &x.At, &x.Text, &x.after)
	}, `SELECT `+versionColumns+`, fitted_to FROM catalogue_version WHERE version = (SELECT MAX(version) FROM catalogue_version)`)
	if err != nil || !found || clock.Millis(v.clock.Now()) < last.At+heard.Milliseconds() {
		return err
	}
	// Compared with the version before, unless some accounts have that and some the one before it.
	plans := v.catalogue.Names()
	before, found, err := sqldb.One(ctx, v.db, scanVersion, `SELECT `+versionColumns+` FROM catalogue_version WHERE version = (SELECT MAX(version) FROM catalogue_version WHERE fitted)`)
	if err != nil {
		return err
	}
	between, _, err := sqldb.One(ctx, v.db, sqldb.Value[int64], `SELECT COUNT(*) FROM catalogue_version WHERE NOT fitted`)
	if err != nil {
		return err
	}
	if found && between == 1 {
		if old, err := before.parse(); err == nil {
			plans = poolsDiffer(old, v.catalogue)
		}
	}
	for len(plans) > 0 {
		accounts, err := next(ctx, plans, last.after, 100)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if err := fit(ctx, a); err != nil {
				return fmt.Errorf("fit account %s to another catalogue: %w", a, err)
			}
			crash.At("account fitted, not written down")
			last.after = a
		}
		if len(accounts) == 0 {
			break
		}
		if _, err := v.db.Exec(ctx, `UPDATE catalogue_version SET fitted_to = $1 WHERE version = $2`, string(last.after), last.Number); err != nil {
			return err
		}
	}
	_, err = v.db.Exec(ctx, `UPDATE catalogue_version SET fitted = $1 WHERE version <= $2`, true, last.Number)
	return err
}
