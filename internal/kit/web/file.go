package web

import (
	"io"
	"net/http"
	"time"
)

// File is an Out for a file that may be large and be asked for in parts: ranges and conditions of the request are
// answered as net/http does, with its Content-Length. Content is closed if it is an io.Closer.
type File struct {
	Type     string // the Content-Type
	Modified time.Time
	ETag     string // quoted; "" for none
	Content  io.ReadSeeker
	Header   http.Header // added to the answer; Cache-Control here replaces the default
}

// file sends a File. The client may take it as slowly as any answer that is read from a reader, see raw.
func (x *exchange) file(f File) {
	if c, ok := f.Content.(io.Closer); ok {
		defer c.Close()
	}
	x.page()
	h := x.w.Header()
	h["Content-Type"] = []string{f.Type}
	if f.ETag != "" {
		h["Etag"] = []string{f.ETag}
	}
	for k, v := range f.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	w := &partWriter{x: x, rc: http.NewResponseController(x.w)}
	content := &watched{ReadSeeker: f.Content}
	http.ServeContent(w, x.r, "", f.Modified, content)
	switch {
	case content.err != nil && !w.failed && x.r.Context().Err() == nil:
		x.cause, x.abort = content.err, true // the head promised more than came
	case w.failed:
		x.status = statusClientGone
	}
}

// partWriter gives each write time of its own.
type partWriter struct {
	x      *exchange
	rc     *http.ResponseController
	failed bool
}

func (w *partWriter) Header() http.Header { return w.x.w.Header() }

func (w *partWriter) WriteHeader(status int) {
	if status >= 200 {
		w.x.status, w.x.wrote = status, true
	}
	w.x.w.WriteHeader(status)
}

func (w *partWriter) Write(b []byte) (int, error) {
	if !w.x.wrote {
		w.WriteHeader(http.StatusOK)
	}
	_ = w.rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
	n, err := w.x.w.Write(b)
	w.x.bytes += int64(n)
	w.failed = w.failed || err != nil
	return n, err
}

// watched remembers why reading ended.
type watched struct {
	io.ReadSeeker
	err error
}

func (r *watched) Read(b []byte) (int, error) {
	n, err := r.ReadSeeker.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
