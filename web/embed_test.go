package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// The files a build leaves, small enough to compare.
var built = fstest.MapFS{
	".keep":                 {},
	"index.html":            {Data: []byte(`<meta property="csp-nonce" nonce="PADDOCK_NONCE"><div id="root"></div>`)},
	"favicon.svg":           {Data: []byte("<svg/>")},
	"assets/index-a1.js.gz": {Data: gzipped("plain script")},
	"assets/tiny-b2.js":     {Data: []byte("tiny")},
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory: neither fails
	_ = w.Close()
	return b.Bytes()
}

func TestHandler(t *testing.T) {
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		contentType, cache, coding string
		body                       string // contained in the answer
	}{
		{"the root is the application", "GET", "/console/", "", 200, "text/html; charset=utf-8", "no-cache", "", `id="root"`},
		{"a page falls back to the application", "GET", "/console/p/65f0c0ffee0000000000b001/devices", "gzip", 200, "text/html; charset=utf-8", "no-cache", "", `id="root"`},
		{"a set-up link falls back to the application", "GET", "/console/setup/Zk3-_x", "", 200, "text/html; charset=utf-8", "no-cache", "", `id="root"`},
		{"index.html by name has its nonce too", "GET", "/console/index.html", "", 200, "text/html; charset=utf-8", "no-cache", "", `id="root"`},
		{"a hashed file is cached for ever", "GET", "/console/assets/index-a1.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "plain script"},
		{"a hashed file goes gzipped to whoever accepts it", "GET", "/console/assets/index-a1.js", "gzip, deflate, br", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "gzip", string(gzipped("plain script"))},
		{"gzip refused by weight is not sent", "GET", "/console/assets/index-a1.js", "gzip;q=0", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "plain script"},
		{"a file that was not worth gzipping goes plain", "GET", "/console/assets/tiny-b2.js", "gzip", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "tiny"},
		{"a file without a hash is asked for again", "GET", "/console/favicon.svg", "", 200, "image/svg+xml", "no-cache", "", "<svg/>"},
		{"a missing file is not the application", "GET", "/console/assets/gone-c3.js", "", 404, "text/plain; charset=utf-8", "no-store", "", "no such file"},
		{"the gzipped twin has no address of its own", "GET", "/console/assets/index-a1.js.gz", "", 404, "text/plain; charset=utf-8", "no-store", "", "no such file"},
		{"a dot file is not served", "GET", "/console/.keep", "", 404, "text/plain; charset=utf-8", "no-store", "", "no such file"},
		{"climbing out ends inside", "GET", "/console/../embed.go", "", 404, "text/plain; charset=utf-8", "no-store", "", "no such file"},
		{"the API's paths are not the console's", "GET", "/device", "", 404, "text/plain; charset=utf-8", "no-store", "", "Not found"},
		{"nothing is posted to the console", "POST", "/console/", "", 405, "text/plain; charset=utf-8", "no-store", "", "use GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, nil)
			if c.accept != "" {
				r.Header.Set("Accept-Encoding", c.accept)
			}
			w := httptest.NewRecorder()
			handler{built}.ServeHTTP(w, r)
			h := w.Result().Header
			if w.Code != c.status || h.Get("Content-Type") != c.contentType || h.Get("Cache-Control") != c.cache || h.Get("Content-Encoding") != c.coding {
				t.Errorf("got %d %q %q %q", w.Code, h.Get("Content-Type"), h.Get("Cache-Control"), h.Get("Content-Encoding"))
			}
			if !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("body %q lacks %q", w.Body, c.body)
			}
		})
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	get := func() (policy, body string) {
		w := httptest.NewRecorder()
		handler{built}.ServeHTTP(w, httptest.NewRequest("GET", "/console/login", nil))
		return w.Result().Header.Get("Content-Security-Policy"), w.Body.String()
	}
	policy, body := get()
	_, rest, ok := strings.Cut(policy, "style-src 'self' 'nonce-")
	if !ok {
		t.Fatalf("no nonce in %q", policy)
	}
	nonce, _, _ := strings.Cut(rest, "'")
	if len(nonce) < 22 || !strings.Contains(body, `nonce="`+nonce+`"`) || strings.Contains(body, nonceWord) {
		t.Errorf("nonce %q is not the one in the page %q", nonce, body)
	}
	if !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy is not strict: %q", policy)
	}
	if again, _ := get(); again == policy {
		t.Error("the nonce was used twice")
	}
}

func TestWithoutBuild(t *testing.T) {
	w := httptest.NewRecorder()
	handler{fstest.MapFS{".keep": {}}}.ServeHTTP(w, httptest.NewRequest("GET", "/console/", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "make web") || strings.Count(w.Body.String(), "\n") != 1 {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestBaseWithoutSlash(t *testing.T) {
	w := httptest.NewRecorder()
	handler{built}.ServeHTTP(w, httptest.NewRequest("GET", "/console", nil))
	if w.Code != http.StatusPermanentRedirect || w.Result().Header.Get("Location") != Base {
		t.Errorf("got %d to %q", w.Code, w.Result().Header.Get("Location"))
	}
}

func TestHead(t *testing.T) {
	for _, path := range []string{"/console/", "/console/assets/index-a1.js"} {
		w := httptest.NewRecorder()
		handler{built}.ServeHTTP(w, httptest.NewRequest("HEAD", path, nil))
		if w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("%s: got %d and %d bytes", path, w.Code, w.Body.Len())
		}
	}
}
