package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"paddock/internal/kit/blob"
	"paddock/internal/kit/fault"
)

func open(t *testing.T, dir string) *blob.Folder {
	t.Helper()
	f, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func get(t *testing.T, s blob.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, s blob.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	t.Run("what is put is got, replaced and deleted", func(t *testing.T) {
		f := open(t, filepath.Join(t.TempDir(), "files"))
		put(t, f, "profile/a/logo.png", "one")
		put(t, f, "profile/b/logo.png", "other")
		put(t, f, "profile/a/logo.png", "two")
		if got := get(t, f, "profile/a/logo.png"); got != "two" {
			t.Errorf("got %q", got)
		}
		for range 2 { // deleting twice is no error
			if err := f.Delete(t.Context(), "profile/a/logo.png"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Get(t.Context(), "profile/a/logo.png"); !fault.Is(err, fault.NotFound) {
			t.Errorf("after deletion: %v", err)
		}
		if got := get(t, f, "profile/b/logo.png"); got != "other" {
			t.Errorf("the sibling has %q", got)
		}
	})
	t.Run("a folder is not a file", func(t *testing.T) {
		f := open(t, t.TempDir())
		put(t, f, "a/b", "x")
		if _, err := f.Get(t.Context(), "a"); !fault.Is(err, fault.NotFound) {
			t.Errorf("get of a folder: %v", err)
		}
		if err := f.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := f.Put(t.Context(), "a", strings.NewReader("y")); err == nil {
			t.Error("a file replaced a folder")
		}
		if got := get(t, f, "a/b"); got != "x" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a body that breaks off leaves the former file and no debris", func(t *testing.T) {
		dir := t.TempDir()
		f := open(t, dir)
		put(t, f, "a", "good")
		broken := io.MultiReader(strings.NewReader("ba"), iotest.ErrReader(errors.New("gone")))
		if err := f.Put(t.Context(), "a", broken); err == nil {
			t.Fatal("stored a broken body")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Put(ctx, "a", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if got := get(t, f, "a"); got != "good" {
			t.Errorf("got %q", got)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".tmp", "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("keys that are malformed or lead out are refused", func(t *testing.T) {
		dir := t.TempDir()
		f := open(t, filepath.Join(dir, "files"))
		if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{
			"", "/", "/a", "a/", "a//b", ".", "..", "../outside", "a/../../outside", "a/./b", ".tmp/x", "a\\b", "a\x00b",
			"a b", "ä", "%2e%2e/outside", "a\nb", strings.Repeat("x", 129), strings.Repeat("a/", 16) + "a",
			strings.Repeat("abcdefgh/", 60) + "a",
		} {
			if err := f.Put(t.Context(), key, strings.NewReader("x")); !fault.Is(err, fault.Invalid) {
				t.Errorf("put %q: %v", key, err)
			}
			if _, err := f.Get(t.Context(), key); !fault.Is(err, fault.Invalid) {
				t.Errorf("get %q: %v", key, err)
			}
			if err := f.Delete(t.Context(), key); !fault.Is(err, fault.Invalid) {
				t.Errorf("delete %q: %v", key, err)
			}
		}
	})
	t.Run("a symbolic link does not lead out of the folder", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		files := filepath.Join(dir, "files")
		f := open(t, files)
		if err := os.Symlink("../outside", filepath.Join(files, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..", filepath.Join(files, "up")); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"link", "up/outside"} {
			if r, err := f.Get(t.Context(), key); err == nil {
				r.Close()
				t.Errorf("%s was followed", key)
			}
		}
		if err := f.Put(t.Context(), "up/outside", strings.NewReader("x")); err == nil {
			t.Error("wrote outside")
		}
		if b, _ := os.ReadFile(filepath.Join(dir, "outside")); string(b) != "secret" {
			t.Errorf("outside has %q", b)
		}
	})
	t.Run("readers see a whole file while writers replace it", func(t *testing.T) {
		f := open(t, t.TempDir())
		put(t, f, "k", strings.Repeat("0", 4096))
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				for i := range 10 {
					body := strings.Repeat(fmt.Sprint((w+i)%10), 4096)
					if err := f.Put(t.Context(), "k", strings.NewReader(body)); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				for range 50 {
					b := []byte(get(t, f, "k"))
					if len(b) != 4096 || !bytes.Equal(b, bytes.Repeat(b[:1], 4096)) {
						t.Error("a torn file")
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("old unfinished files are swept at start, young ones are not", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		old, young := filepath.Join(dir, ".tmp", "old"), filepath.Join(dir, ".tmp", "young")
		for _, p := range []string{old, young} {
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		past := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(old, past, past); err != nil {
			t.Fatal(err)
		}
		open(t, dir)
		if _, err := os.Stat(old); !os.IsNotExist(err) {
			t.Error("the old one is still there")
		}
		if _, err := os.Stat(young); err != nil {
			t.Error("the young one is gone")
		}
	})
}
