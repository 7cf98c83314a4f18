package seal_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"paddock/internal/kit/seal"
	"pgregory.net/rapid"
)

func rawKey(seed byte) []byte {
	k := make([]byte, seal.KeySize)
	for i := range k {
		k[i] = seed + byte(i)
	}
	return k
}

func b64(seed byte) string { return base64.StdEncoding.EncodeToString(rawKey(seed)) }

func parse(t testing.TB, list string) *seal.Sealer {
	t.Helper()
	s, err := seal.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	t.Run("hex and every base64 of one key are the same key", func(t *testing.T) {
		want := parse(t, b64(200)).KeyID()
		for _, text := range []string{
			hex.EncodeToString(rawKey(200)),
			strings.ToUpper(hex.EncodeToString(rawKey(200))),
			base64.URLEncoding.EncodeToString(rawKey(200)),
			base64.RawStdEncoding.EncodeToString(rawKey(200)),
			base64.RawURLEncoding.EncodeToString(rawKey(200)),
		} {
			if got := parse(t, text).KeyID(); got != want {
				t.Errorf("key id %s, want %s", got, want)
			}
		}
	})
	t.Run("a bad list is refused without showing the key", func(t *testing.T) {
		cases := map[string]string{
			"":                                  "empty",
			" , ,\n":                            "empty",
			"hunter2!":                          "secret key 1: is neither hex nor base64",
			b64(1) + ",c2hvcnQ":                 "secret key 2: has 5 bytes, needs 32",
			b64(1) + " " + b64(1):               "secret key 2: repeats key 1",
			strings.Repeat("00", 32):            "placeholder",
			b64(1) + "," + b64(2) + "," + "xyz": "secret key 3",
		}
		for list, want := range cases {
			_, err := seal.Parse(list)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: error %v, want %q in it", list, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the key: %v", err)
			}
		}
	})
}

func TestSeal(t *testing.T) {
	old, both, other := parse(t, b64(1)), parse(t, b64(2)+","+b64(1)), parse(t, b64(3))

	t.Run("whatever is sealed opens again and only for the same thing", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			plain, about := rapid.String().Draw(t, "plain"), rapid.String().Draw(t, "about")
			sealed := old.Seal(plain, about)
			got, err := old.Open(sealed, about)
			if err != nil || got != plain {
				t.Fatalf("opened %q, %v", got, err)
			}
			if _, err := old.Open(sealed, about+"x"); err == nil {
				t.Fatal("opened for something else")
			}
			if old.Seal(plain, about) == sealed {
				t.Fatal("two seals of one value are equal")
			}
		})
	})
	t.Run("a new key in front opens what the old one sealed, and not the other way", func(t *testing.T) {
		sealed := old.Seal("secret", "a")
		if got, err := both.Open(sealed, "a"); err != nil || got != "secret" {
			t.Fatalf("opened %q, %v", got, err)
		}
		if !both.Stale(sealed) || old.Stale(sealed) {
			t.Error("Stale is wrong")
		}
		fresh := both.Seal("secret", "a")
		_, err := old.Open(fresh, "a")
		if err == nil || !strings.Contains(err.Error(), both.KeyID()) {
			t.Errorf("error %v does not name the missing key %s", err, both.KeyID())
		}
	})
	t.Run("a value with one changed character does not open", func(t *testing.T) {
		sealed := old.Seal("secret", "a")
		for i := range sealed {
			b := []byte(sealed)
			if b[i] == 'A' {
				b[i] = 'B'
			} else {
				b[i] = 'A'
			}
			// The last character of unpadded base64 carries bits that do not count.
			if got, err := old.Open(string(b), "a"); err == nil && i < len(sealed)-1 {
				t.Fatalf("position %d: opened %q", i, got)
			}
		}
		for _, s := range []string{"", "v1", "v1..", "v1." + old.KeyID() + ".", "v2.x.y", strings.Repeat(".", 40)} {
			if _, err := old.Open(s, "a"); err == nil {
				t.Errorf("opened %q", s)
			}
		}
	})
	t.Run("the check value fits its own keys only", func(t *testing.T) {
		check := old.Check()
		if err := old.Verify(check); err != nil {
			t.Error(err)
		}
		if err := both.Verify(check); err != nil {
			t.Error(err)
		}
		if err := other.Verify(check); err == nil || !strings.Contains(err.Error(), "needed: "+old.KeyID()) {
			t.Errorf("a foreign key: %v", err)
		}
		if err := old.Verify(both.Check()); err == nil {
			t.Error("a node without the newest key must not start")
		}
		if err := old.Verify("nonsense"); err == nil {
			t.Error("nonsense verified")
		}
		rotated := both.AddCheck(check)
		if both.Verify(rotated) != nil || both.AddCheck(rotated) != rotated || !slices.Equal(seal.CheckKeys(rotated), []string{old.KeyID(), both.KeyID()}) {
			t.Errorf("after a rotation: %q", rotated)
		}
		var m *seal.Misfit
		if err := old.Verify(rotated); !errors.As(err, &m) || !m.Some(rotated) || m.Damaged {
			t.Errorf("a node without the newer key: %v", err)
		}
	})
}

func TestLoadOrCreateFile(t *testing.T) {
	t.Run("the file is made once, for its owner alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "secret.key")
		const n = 8
		ids := make([]string, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				s, err := seal.LoadOrCreateFile(path)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = s.KeyID()
			})
		}
		wg.Wait()
		for _, got := range ids {
			if got != ids[0] {
				t.Fatalf("processes got different keys: %v", ids)
			}
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*"))
		if len(left) != 0 {
			t.Errorf("temporary files left: %v", left)
		}
	})
	t.Run("a file that others may read is refused", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "secret.key")
		if _, err := seal.LoadOrCreateFile(path); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []os.FileMode{0o640, 0o604, 0o644} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := seal.LoadOrCreateFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("mode %o: %v", mode, err)
			}
		}
	})
	t.Run("a broken file is not replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.LoadOrCreateFile(path); err == nil {
			t.Error("an empty key file was accepted")
		}
		if _, err := seal.LoadOrCreateFile(filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
			t.Error("a missing folder was accepted")
		}
		if _, err := seal.LoadOrCreateFile(t.TempDir()); err == nil {
			t.Error("a folder was accepted")
		}
	})
}

func TestSecret(t *testing.T) {
	a, b := seal.Secret(), seal.Secret()
	if a == b || len(a) != seal.SecretChars || strings.Trim(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%q and %q", a, b)
	}
	if seal.Hash(a) == seal.Hash(b) || len(seal.Hash(a)) != 64 {
		t.Errorf("%q and %q", seal.Hash(a), seal.Hash(b))
	}
}
