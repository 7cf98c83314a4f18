// Package web is the console: a single-page application in TypeScript, built by Vite into dist and carried inside
// the binary.
//
// What the browser gets, all under /console/:
//
//   - assets/ holds files whose names carry a hash of their content: they never change, so they are cached for ever.
//     The build leaves those worth it gzipped only, and so they are sent; whoever accepts no gzip has them unpacked;
//   - every path that does not look like a file is a page of the application and gets index.html, which is never
//     cached without asking, so that a new release is seen at the next load;
//   - index.html leaves with a Content-Security-Policy that admits scripts from this server only. Mantine and the
//     scroll lock of dialogs add style elements at run time; they carry the nonce that each index.html is given.
//
// A clone without Node has no build in dist (only .keep, so that this package compiles). Then every page answers one
// sentence saying what to run.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// Base is where the console lives. Vite's base and the router's basepath say the same.
const Base = "/console/"

// nonceWord is what the build leaves in index.html in place of the nonce (vite.config.ts, html.cspNonce).
const nonceWord = "PADDOCK_NONCE"

// Handler serves the console as it was built into this binary. It expects requests whose path begins with Base, or is Base
// without its last slash, which it redirects; anything else is not found.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: fs.Sub has nothing to complain of
	}
	return handler{files}
}

type handler struct{ files fs.FS }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		sentence(w, http.StatusMethodNotAllowed, "The console is only read: use GET.")
		return
	}
	if r.URL.Path == strings.TrimSuffix(Base, "/") { // as people type it
		http.Redirect(w, r, Base, http.StatusPermanentRedirect)
		return
	}
	name, inside := strings.CutPrefix(r.URL.Path, Base)
	if !inside {
		sentence(w, http.StatusNotFound, "Not found.")
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); looksLikeFile(name) {
		h.file(w, r, name)
		return
	}
	h.index(w, r)
}

// looksLikeFile tells a file from a page of the application: pages have no dot in their last word, with the exception of
// links that carry a token after a slash, and tokens have no dots.
func looksLikeFile(name string) bool { return path.Ext(name) != "" && name != "index.html" }

func (h handler) file(w http.ResponseWriter, r *http.Request, name string) {
	header := w.Header()
	content, gzipped, err := h.read(name, acceptsGzip(r))
	if err != nil || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".gz") {
		sentence(w, http.StatusNotFound, "The console has no such file.")
		return
	}
	if gzipped {
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Type", contentType(name))
	header.Set("Vary", "Accept-Encoding")
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// read is a file's content: as it is, or of one that the build left gzipped, gzipped or unpacked.
func (h handler) read(name string, acceptsGzip bool) (content []byte, gzipped bool, err error) {
	content, err = fs.ReadFile(h.files, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return content, false, err
	}
	content, err = fs.ReadFile(h.files, name+".gz")
	if err != nil || acceptsGzip {
		return content, true, err
	}
	plain, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, false, err
	}
	content, err = io.ReadAll(plain)
	return content, false, err
}

func (h handler) index(w http.ResponseWriter, r *http.Request) {
	page, err := fs.ReadFile(h.files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		sentence(w, http.StatusNotFound, "This binary was built without the console: run `make web` and build it again.")
		return
	}
	if err != nil {
		sentence(w, http.StatusInternalServerError, "The console could not be read.")
		return
	}
	nonce := freshNonce()
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", policy(nonce))
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer") // the paths of set-up and reset links are secrets
	if r.Method != http.MethodHead {
		_, _ = w.Write(bytes.ReplaceAll(page, []byte(nonceWord), []byte(nonce)))
	}
}

// policy admits nothing but this server. Logos may be shown from a data or blob address while they are chosen.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self' data: blob:; " +
		"font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

func freshNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// acceptsGzip reads Accept-Encoding as far as browsers use it: a list of words, each perhaps with a weight; q=0 refuses.
func acceptsGzip(r *http.Request) bool {
	for word := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(word), ";")
		if coding != "gzip" && coding != "*" {
			continue
		}
		weight = strings.TrimSpace(weight)
		return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000"
	}
	return false
}

// contentType is fixed here because the table in package mime depends on the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case ".json", ".map":
		return "application/json"
	}
	return "application/octet-stream"
}

func sentence(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
