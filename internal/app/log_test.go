package app

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// shared is a buffer that the log's goroutine and the test may both touch.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestLog shows that a warning takes what waits along at once, and that stopping loses nothing.
func TestLog(t *testing.T) {
	for _, json := range []bool{false, true} {
		var out shared
		log, stop := openLog(&out, json)
		log = log.With("room", "test")
		log.Info("first")
		log.Warn("second")
		if text := out.String(); !strings.Contains(text, "first") || !strings.Contains(text, "second") || !strings.Contains(text, "room") {
			t.Errorf("after a warning the log holds %q", text)
		}
		log.Info("third")
		stop()
		if text := out.String(); !strings.Contains(text, "third") {
			t.Errorf("after stopping the log holds %q", text)
		}
	}
}
