package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/kit/web"
)

// worn is a file that cannot be read beyond its first bytes.
type worn struct{ *strings.Reader }

func (w worn) Read(b []byte) (int, error) {
	if at, _ := w.Seek(0, io.SeekCurrent); at >= 4 {
		return 0, errors.New("bad sector")
	}
	return w.Reader.Read(b[:min(len(b), 4)])
}

func TestFile(t *testing.T) {
	const body = "0123456789"
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /file", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (web.File, error) {
			return web.File{Type: "application/zip", ETag: `"x"`, Content: strings.NewReader(body), Header: http.Header{"Cache-Control": {"private, no-store"}}}, nil
		}),
		web.Handle("GET /worn", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (web.File, error) {
			return web.File{Type: "application/zip", Content: worn{strings.NewReader(body)}}, nil
		}),
	})
	for _, c := range []struct {
		name, method, ranged, match string
		status                      int
		body, length                string
	}{
		{"the whole file", "GET", "", "", 200, body, "10"},
		{"a part", "GET", "bytes=2-4", "", 206, "234", "3"},
		{"what is left of it", "GET", "bytes=7-", "", 206, "789", "3"},
		{"a part that it does not have", "GET", "bytes=20-", "", 416, "", ""},
		{"only its head", "HEAD", "", "", 200, "", "10"},
		{"one that the client has", "GET", "", `"x"`, 304, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := http.NewRequestWithContext(t.Context(), c.method, s.url+"/file", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.ranged != "" {
				q.Header.Set("Range", c.ranged)
			}
			if c.match != "" {
				q.Header.Set("If-None-Match", c.match)
			}
			r, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			got, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != c.status || c.status != 416 && string(got) != c.body || c.length != "" && r.Header.Get("Content-Length") != c.length {
				t.Errorf("%d %q %v %v", r.StatusCode, got, r.Header, err)
			}
			if r.Header.Get("X-Content-Type-Options") != "nosniff" || c.status == 200 && (r.Header.Get("Cache-Control") != "private, no-store" || r.Header.Get("Content-Type") != "application/zip") {
				t.Errorf("headers %v", r.Header)
			}
		})
	}
	t.Run("one that breaks off does not look whole", func(t *testing.T) {
		r, err := http.Get(s.url + "/worn")
		if err != nil { // not even the head came
			return
		}
		defer r.Body.Close()
		if got, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("got %q as if that were all", got)
		}
	})
}
