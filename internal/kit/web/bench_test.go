package web_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/kit/web"
)

// BenchmarkIngest is what this layer costs a POST /data: routing, token, body, plan, envelope, log.
func BenchmarkIngest(b *testing.B) {
	s := web.NewServer(web.Config{Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Clock: clockSystem, Authenticate: authenticate}, []web.Route{
		web.Handle("POST /data", "", auth.OfDevice, func(_ context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (string, error) {
			return "1 Data Added", nil
		}),
	})
	body := `{"variable":"temperature","value":21.5,"unit":"C"}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/data", strings.NewReader(body))
		r.Header["Token"] = []string{deviceToken}
		r.Header["Content-Type"] = []string{"application/json"}
		s.ServeHTTP(discardWriter{http.Header{}}, r)
	}
}

// BenchmarkEmpty is the harness of BenchmarkIngest alone.
func BenchmarkEmpty(b *testing.B) {
	body := `{"variable":"temperature","value":21.5,"unit":"C"}`
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "{}")
	})
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/data", strings.NewReader(body))
		r.Header["Token"] = []string{deviceToken}
		r.Header["Content-Type"] = []string{"application/json"}
		h.ServeHTTP(discardWriter{http.Header{}}, r)
	}
}

type discardWriter struct{ h http.Header }

func (w discardWriter) Header() http.Header         { return w.h }
func (w discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w discardWriter) WriteHeader(int)             {}
