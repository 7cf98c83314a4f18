package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// logEvery is how long a line about a request may wait in memory. Warnings and errors never wait.
const logEvery = 200 * time.Millisecond

// openLog makes the server's log. A line for each request would cost a system call each; they are written
// together. stop writes what waits.
func openLog(w io.Writer, json bool) (log *slog.Logger, stop func()) {
	b := &logBuffer{w: bufio.NewWriterSize(w, 64<<10)}
	var h slog.Handler = slog.NewTextHandler(b, nil)
	if json {
		h = slog.NewJSONHandler(b, nil)
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(logEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				b.flush()
			}
		}
	}()
	return slog.New(urgent{h, b}), func() {
		close(done)
		b.flush()
	}
}

// logBuffer is a buffered writer for many goroutines.
type logBuffer struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Write(p)
}

func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.w.Flush() // a log that cannot be written has nobody to tell
}

// urgent is a handler that does not let warnings wait.
type urgent struct {
	slog.Handler
	b *logBuffer
}

func (u urgent) Handle(ctx context.Context, r slog.Record) error {
	err := u.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		u.b.flush()
	}
	return err
}

func (u urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgent{u.Handler.WithAttrs(attrs), u.b}
}
func (u urgent) WithGroup(name string) slog.Handler { return urgent{u.Handler.WithGroup(name), u.b} }
