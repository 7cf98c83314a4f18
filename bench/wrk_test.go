package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTraffic lets wrk send every kind of traffic to a server that looks at what arrives.
func TestTraffic(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	quick := load{threads: 2, connections: 4, duration: time.Second}
	for _, kind := range []traffic{singles, batches, reads} {
		t.Run(kind.name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]int{}
			wrong := ""
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return // wrk stopped in the middle of it: its time was over
				}
				mu.Lock()
				defer mu.Unlock()
				seen[r.Header.Get("token")]++
				if r.Method != kind.method || r.URL.RequestURI() != kind.path || string(body) != kind.body {
					wrong = r.Method + " " + r.URL.RequestURI() + " " + string(body)
				}
			}))
			defer s.Close()
			r, err := quick.run(dir, s.URL, kind, tokens)
			if err != nil {
				t.Fatal(err)
			}
			if r.rate < 1 || r.p99 <= 0 {
				t.Errorf("measured %+v", r)
			}
			s.Close() // waits for what wrk left unanswered
			if wrong != "" {
				t.Errorf("sent %.300s", wrong)
			}
			if len(seen) != 3 || seen["two"] == 0 {
				t.Errorf("tokens sent: %v", seen)
			}
		})
	}
	t.Run("an answer that is not 2xx fails the measurement", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		if _, err := quick.run(dir, s.URL, singles, tokens); err == nil || !strings.Contains(err.Error(), "Non-2xx") {
			t.Errorf("got %v", err)
		}
	})
}
