package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/app"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

const (
	keyOne = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	keyTwo = "YW5vdGhlciBrZXkgZm9yIHRlc3RzLCAzMiBieXRlISE="
)

// opens opens an installation and closes it again.
func opens(dir, database, key string) error {
	a, err := app.Open(context.Background(), app.Settings{
		Store:  app.Store{Data: dir, Database: database, SecretKey: key},
		Listen: "127.0.0.1:0", Name: "Paddock", Signup: "open", Log: "text", Migrate: true,
	}, app.Options{})
	if err != nil {
		return err
	}
	return a.Close()
}

// refused fails unless err holds every one of the words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it opened")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// TestKeyThatDoesNotFit opens databases whose key is missing, wrong, rotated or damaged. Each time the reason names the
// remedy, and nothing is changed.
func TestKeyThatDoesNotFit(t *testing.T) {
	// made is an installation on SQLite with a key file.
	made := func(t *testing.T) (dir, file string) {
		dir = t.TempDir()
		if err := opens(dir, "", ""); err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, "secret.key")
	}
	write := func(t *testing.T, file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a missing key file is not made anew", func(t *testing.T) {
		dir, file := made(t)
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		refused(t, opens(dir, "", ""), "secret.key is missing", "put it back", "PADDOCK_SECRET_KEY", "paddock restore")
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Fatalf("there is a key file now: %v", err)
		}
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
		if err := opens(dir, "", ""); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a file with another key", func(t *testing.T) {
		dir, file := made(t)
		write(t, file, keyOne)
		refused(t, opens(dir, "", ""), "secret.key does not hold the key this database was sealed with", "put the key that belongs to it there", "--data")
	})
	t.Run("the database of another installation", func(t *testing.T) {
		dir, _ := made(t)
		other, _ := made(t)
		raw, err := os.ReadFile(filepath.Join(other, "paddock.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "paddock.db"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, opens(dir, "", ""), "does not hold the key", "another installation")
	})
	t.Run("an empty key file", func(t *testing.T) {
		dir, file := made(t)
		write(t, file, "\n")
		err := opens(dir, "", "")
		refused(t, err, "secret.key", "empty", "put it back")
		if strings.Contains(err.Error(), "openssl") {
			t.Errorf("%q advises another key", err)
		}
	})
	t.Run("an empty key file without a database", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "secret.key"), "")
		refused(t, opens(dir, "", ""), "empty", "remove it")
	})
	t.Run("a damaged key file", func(t *testing.T) {
		dir, file := made(t)
		write(t, file, "AAECAwQFBgcICQoL")
		refused(t, opens(dir, "", ""), "secret.key", "has 12 bytes", "put it back")
	})
	t.Run("a key file that cannot be read", func(t *testing.T) {
		dir, file := made(t)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, file); err != nil {
			t.Fatal(err)
		}
		refused(t, opens(dir, "", ""), "secret.key", "cannot be read", "account that runs paddock")
	})
	t.Run("a key file that others may read", func(t *testing.T) {
		dir, file := made(t)
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, opens(dir, "", ""), "chmod 600")
	})
	t.Run("a variable that does not fit beside a file that does", func(t *testing.T) {
		dir, _ := made(t)
		refused(t, opens(dir, "", keyOne), "PADDOCK_SECRET_KEY does not hold the key", "secret.key", "does: unset PADDOCK_SECRET_KEY")
	})
	t.Run("a variable that fits beside a file that does not", func(t *testing.T) {
		dir, file := made(t)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, keyTwo)
		if err := opens(dir, "", strings.TrimSpace(string(raw))); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a key is checked before the database is migrated", func(t *testing.T) {
		dir, file := made(t)
		db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(dir, "paddock.db"), sqldb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"DROP TABLE point", "DELETE FROM migration WHERE name LIKE '%_point'"} {
			if _, err := db.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, file, keyOne)
		refused(t, opens(dir, "", ""), "does not hold the key")
		if copies, _ := filepath.Glob(filepath.Join(dir, "before-*")); len(copies) > 0 {
			t.Errorf("it was migrated: %v", copies)
		}
	})
	for _, engine := range sqldbtest.Engines {
		t.Run("a rotated key on "+string(engine), func(t *testing.T) {
			dir, database := t.TempDir(), ""
			if engine == sqldb.Postgres {
				database = sqldbtest.URL(t, engine)
			}
			for _, keys := range []string{keyOne, keyTwo + "," + keyOne, keyOne + "," + keyTwo} {
				if err := opens(dir, database, keys); err != nil {
					t.Fatal(keys, err)
				}
			}
			refused(t, opens(dir, database, keyOne), "lacks a key", "new,old", "paddock migrate --reseal")
			// Both keys may have sealed something by now: neither may be dropped before all is sealed anew.
			refused(t, opens(dir, database, keyTwo), "lacks a key", "new,old", "paddock migrate --reseal")
			a, err := app.Open(t.Context(), app.Settings{Store: app.Store{Data: dir, Database: database, SecretKey: keyTwo + "," + keyOne},
				Listen: "127.0.0.1:0", Name: "Paddock", Signup: "open", Log: "text"}, app.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Reseal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if err := opens(dir, database, keyTwo); err != nil {
				t.Fatal(err)
			}
			refused(t, opens(dir, database, keyOne), "does not hold the key")
		})
	}
	t.Run("a folder in which a restore was cut off", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, ".restoring"), 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, opens(dir, "", ""), "restore into", "cut off", "empty the folder")
		if _, err := os.Stat(filepath.Join(dir, "paddock.db")); !os.IsNotExist(err) {
			t.Error("a database was made there")
		}
	})
}
