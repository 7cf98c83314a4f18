package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

// sealCheck names the setting by which a database recognises its keys; see seal.Verify.
const sealCheck = "seal check"

// keySource is the list of keys of an installation, and where it comes from.
type keySource struct {
	sealer *seal.Sealer
	text   string // the keys as they are written there
	where  string // for messages: PADDOCK_SECRET_KEY or the file
}

// findKey loads the keys that a store names: those given to it, else those in its file. sealed says that its database
// was sealed before, so that another key would be of no use: the error is then that one is missing, and it is
// fs.ErrNotExist when there may be none yet. Every error names the remedy.
func findKey(st Store, sealed bool) (keySource, error) {
	if st.SecretKey != "" {
		s, err := seal.Parse(st.SecretKey)
		if err != nil {
			return keySource{}, fmt.Errorf("PADDOCK_SECRET_KEY: %w", err)
		}
		return keySource{s, st.SecretKey, "PADDOCK_SECRET_KEY"}, nil
	}
	file := abs(st.keyFile())
	back := "put it back, from your copy or out of a backup (`paddock restore`), or give the key in PADDOCK_SECRET_KEY"
	s, text, err := seal.LoadFile(file)
	switch {
	case err == nil:
		return keySource{s, text, "the file " + file}, nil
	case errors.Is(err, fs.ErrNotExist) && sealed:
		return keySource{}, fmt.Errorf("the key file %s is missing, and another key would not open what this database holds: %s", file, back)
	case errors.Is(err, fs.ErrNotExist):
		return keySource{}, err
	case errors.Is(err, seal.ErrEmpty) && sealed:
		return keySource{}, fmt.Errorf("the key file %s is empty: %s", file, back)
	case errors.Is(err, seal.ErrEmpty):
		return keySource{}, fmt.Errorf("the key file %s is empty: remove it, and a key is made", file)
	case strings.Contains(err.Error(), "chmod"):
		return keySource{}, err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return keySource{}, fmt.Errorf("the key file %s cannot be read: give it to the account that runs paddock, with mode 600 (%w)", file, err)
	}
	return keySource{}, fmt.Errorf("the key file is damaged: %s (%w)", back, err)
}

// fit compares keys with the check values of a database. Its error names the remedy.
func (k keySource) fit(st Store, checks string) error {
	err := k.sealer.Verify(checks)
	var m *seal.Misfit
	if err == nil || !errors.As(err, &m) {
		return err
	}
	switch {
	case m.Damaged:
		return fmt.Errorf("the database does not say reliably which key it was sealed with: restore it from a backup (%w)", err)
	case m.Some(checks):
		return fmt.Errorf("%s lacks a key that this database was also sealed with: keys were rotated and one is gone too early. Give all of them, "+
			"PADDOCK_SECRET_KEY=new,old, run `paddock migrate --reseal`, then drop the old one (%w)", k.where, err)
	}
	remedy := "put the key that belongs to it there; if this is the database of another installation, name the right one with --data or --database"
	if st.SecretKey != "" {
		remedy = "give the key that belongs to it; if this is the database of another installation, name the right one with --data or --database"
		if s, _, ferr := seal.LoadFile(st.keyFile()); ferr == nil && s.Verify(checks) == nil {
			remedy = fmt.Sprintf("the file %s does: unset PADDOCK_SECRET_KEY, or give that key", abs(st.keyFile()))
		}
	}
	return fmt.Errorf("%s does not hold the key this database was sealed with: %s (%w)", k.where, remedy, err)
}

// loadKey loads the keys and compares them with the database, before anything there is changed.
func (a *App) loadKey(ctx context.Context) error {
	checks := ""
	known, err := a.db.Known(ctx)
	if err != nil {
		return err
	}
	if known {
		if checks, _, err = setting(ctx, a.db, sealCheck); err != nil {
			return err
		}
	}
	k, err := findKey(a.settings.Store, checks != "")
	if errors.Is(err, fs.ErrNotExist) && checks == "" {
		a.sealer, err = seal.LoadOrCreateFile(a.settings.keyFile())
		return err
	}
	if err != nil {
		return err
	}
	a.sealer = k.sealer
	if err := k.fit(a.settings.Store, checks); err != nil {
		return err
	}
	if a.settings.SecretKey != "" && a.db.Engine() == sqldb.SQLite {
		if s, _, err := seal.LoadFile(a.settings.keyFile()); err == nil && s.Verify(a.sealer.Check()) != nil {
			a.log.Warn("the key file is not used, and does not hold the key that seals: PADDOCK_SECRET_KEY is given", "file", abs(a.settings.keyFile()))
		}
	}
	return nil
}

// installation names the setting that tells an installation from others: random letters, the same in all its
// backups.
const installation = "installation"

// noteKey keeps in the database that the first key may seal something from now on, and who it is.
func (a *App) noteKey(ctx context.Context) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		checks, _, err := setting(ctx, a.db, sealCheck)
		if err != nil {
			return err
		}
		if err := a.sealer.Verify(checks); err != nil { // another process was quicker with another key
			return err
		}
		if now := a.sealer.AddCheck(checks); now != checks {
			if err := setSetting(ctx, a.db, sealCheck, now); err != nil {
				return err
			}
			if err := setSetting(ctx, a.db, keyNoted, fmt.Sprintf("%s %d", a.sealer.KeyID(), clock.Millis(a.clock.Now()))); err != nil {
				return err
			}
		}
		if _, ok, err := setting(ctx, a.db, installation); err != nil || ok {
			return err
		}
		_, err = a.db.Exec(ctx, "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", installation, strings.ToLower(rand.Text()))
		return err
	})
}

// setting reads a setting that the database keeps; false when it has none of that name.
func setting(ctx context.Context, db *sqldb.DB, name string) (string, bool, error) {
	return sqldb.One(ctx, db, sqldb.Value[string], "SELECT value FROM setting WHERE name = $1", name)
}

// setSetting keeps a setting in the database.
func setSetting(ctx context.Context, db *sqldb.DB, name, value string) error {
	_, err := db.Exec(ctx, "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}
