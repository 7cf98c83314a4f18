package blob_test

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"paddock/internal/kit/blob"
	"paddock/internal/kit/fault"
)

// bucket is a store in an S3 server of its own.
func bucket(t *testing.T) (blob.Store, *httptest.Server, *s3mem.Backend) {
	t.Helper()
	back := s3mem.New()
	if err := back.CreateBucket("farm"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(back).Server())
	t.Cleanup(server.Close)
	return bucketAt(t, "s3://farm/some/where?region=us-east-1&endpoint="+server.URL), server, back
}

func bucketAt(t *testing.T, address string) blob.Store {
	t.Helper()
	w, err := blob.ParseWhere(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Open(blob.Keys{Access: "key", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBucket(t *testing.T) {
	t.Run("what is put is got, replaced and deleted, below the prefix", func(t *testing.T) {
		s, _, back := bucket(t)
		put(t, s, "profile/a/logo.png", "one")
		put(t, s, "profile/a/logo.png", "two")
		if got := get(t, s, "profile/a/logo.png"); got != "two" {
			t.Errorf("got %q", got)
		}
		if _, err := back.HeadObject("farm", "some/where/profile/a/logo.png"); err != nil {
			t.Errorf("not below the prefix: %v", err)
		}
		for range 2 {
			if err := s.Delete(t.Context(), "profile/a/logo.png"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Get(t.Context(), "profile/a/logo.png"); !fault.Is(err, fault.NotFound) {
			t.Errorf("after deletion: %v", err)
		}
	})
	t.Run("a large file goes in parts, and a part of it is read without the rest", func(t *testing.T) {
		s, _, _ := bucket(t)
		body := bytes.Repeat([]byte("0123456789abcdef"), (33<<20)/16)
		if err := s.Put(t.Context(), "big", bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), "big")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		seeker, ok := r.(io.ReadSeeker)
		if !ok {
			t.Fatal("the file cannot seek")
		}
		if n, err := seeker.Seek(0, io.SeekEnd); err != nil || n != int64(len(body)) {
			t.Fatal(n, err)
		}
		if _, err := seeker.Seek(32<<20, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, body[32<<20:]) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
	t.Run("a body that breaks off leaves the former file", func(t *testing.T) {
		s, _, _ := bucket(t)
		put(t, s, "a", "good")
		broken := io.MultiReader(bytes.NewReader(make([]byte, 17<<20)), iotest.ErrReader(errors.New("gone")))
		if err := s.Put(t.Context(), "a", broken); err == nil {
			t.Fatal("stored a broken body")
		}
		if got := get(t, s, "a"); got != "good" {
			t.Errorf("got %d bytes", len(got))
		}
	})
	t.Run("a bucket that is not there and a server that is gone take nothing", func(t *testing.T) {
		_, server, _ := bucket(t)
		s := bucketAt(t, "s3://other?region=us-east-1&endpoint="+server.URL)
		if err := s.Put(t.Context(), "a", strings.NewReader("x")); err == nil {
			t.Error("stored in no bucket")
		}
		server.Close()
		if err := s.Put(t.Context(), "a", strings.NewReader("x")); err == nil {
			t.Error("stored in a server that is gone")
		}
		if _, err := s.Get(t.Context(), "a"); err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("get: %v", err)
		}
	})
	t.Run("malformed keys are refused", func(t *testing.T) {
		s, _, _ := bucket(t)
		for _, key := range []string{"", "../a", "/a", ".a", "a b"} {
			if err := s.Put(t.Context(), key, strings.NewReader("x")); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", key, err)
			}
		}
	})
}

func TestParseWhere(t *testing.T) {
	for text, want := range map[string]blob.Where{
		"/srv/backups/": {Folder: "/srv/backups"},
		"s3://b":        {Bucket: "b", Endpoint: "s3.amazonaws.com"},
		"s3://b/x/y/?endpoint=http://127.0.0.1:9000&region=eu": {Bucket: "b", Prefix: "x/y", Endpoint: "127.0.0.1:9000", Plain: true, Region: "eu"},
	} {
		if got, err := blob.ParseWhere(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"s3:b", "s3://", "s3://key:secret@b", "s3://b?endpoint=ftp://h", "s3://b?endpoint=h", "s3://b?colour=red", "s3://b/../c", "gs://b", "s3://b?endpoint=http://h/path"} {
		if w, err := blob.ParseWhere(text); err == nil {
			t.Errorf("%s: %+v", text, w)
		}
	}
	if _, err := (blob.Where{Bucket: "b", Endpoint: "h"}).Open(blob.Keys{}); err == nil {
		t.Error("opened S3 without keys")
	}
}
