package job_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

func runner(t *testing.T, db *sqldb.DB, clk clock.Clock) (*job.Runner, *logged) {
	l := &logged{}
	r := job.New(db, clk, slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(r.Stop)
	return r, l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestEvery(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{job.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()

		t.Run("of many nodes one runs it per interval", func(t *testing.T) {
			clk := clock.NewManual(time.Now())
			var runs, atOnce, most atomic.Int32
			for range 3 {
				r, _ := runner(t, db, clk)
				r.Every("count", time.Hour, func(context.Context) error {
					if n := atOnce.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(20 * time.Millisecond)
					atOnce.Add(-1)
					runs.Add(1)
					return nil
				})
				r.Start(ctx)
				defer r.Stop()
			}
			eventually(t, "the first run", func() bool { return runs.Load() == 1 })
			time.Sleep(200 * time.Millisecond)
			if runs.Load() != 1 {
				t.Fatalf("%d runs in the first hour", runs.Load())
			}
			clk.Advance(time.Hour)
			eventually(t, "the second run", func() bool { return runs.Load() == 2 })
			time.Sleep(200 * time.Millisecond)
			if runs.Load() != 2 || most.Load() != 1 {
				t.Errorf("%d runs, %d at once", runs.Load(), most.Load())
			}
		})
		t.Run("a panic or an error costs one run only", func(t *testing.T) {
			r, log := runner(t, db, clock.System)
			var n atomic.Int32
			r.Every("fragile", time.Millisecond, func(context.Context) error {
				switch n.Add(1) {
				case 1:
					panic("at the disco")
				case 2:
					return errors.New("bad luck")
				}
				return nil
			})
			r.Start(ctx)
			eventually(t, "a third run", func() bool { return n.Load() >= 3 })
			r.Stop()
			if !log.has("at the disco") || !log.has("bad luck") {
				t.Error("not logged")
			}
		})
		t.Run("Stop ends the job's context, waits for it, and frees the lease for another node", func(t *testing.T) {
			r, _ := runner(t, db, clock.System)
			var began, ended atomic.Bool
			r.Every("long", time.Hour, func(ctx context.Context) error {
				began.Store(true)
				<-ctx.Done()
				time.Sleep(30 * time.Millisecond)
				ended.Store(true)
				return ctx.Err()
			})
			r.Start(ctx)
			eventually(t, "a start", began.Load)
			r.Stop()
			if !ended.Load() {
				t.Error("Stop did not wait")
			}
			other, _ := runner(t, db, clock.System)
			var took atomic.Bool
			other.Every("long", time.Hour, func(context.Context) error { took.Store(true); return nil })
			other.Start(ctx)
			eventually(t, "another node takes over", took.Load)
		})
		t.Run("a long job keeps its lease, and loses it with its context when another node has it", func(t *testing.T) {
			r, log := runner(t, db, clock.System)
			r.Lease(time.Second)
			var runs atomic.Int32
			var lost atomic.Bool
			r.Every("slow", time.Hour, func(ctx context.Context) error {
				runs.Add(1)
				<-ctx.Done()
				lost.Store(true)
				return ctx.Err()
			})
			r.Start(ctx)
			second, _ := runner(t, db, clock.System)
			var stolen atomic.Int32
			second.Every("slow", time.Hour, func(context.Context) error { stolen.Add(1); return nil })
			eventually(t, "a start", func() bool { return runs.Load() == 1 })
			second.Start(ctx)
			time.Sleep(2500 * time.Millisecond) // more than two leases
			if stolen.Load() != 0 || lost.Load() {
				t.Fatal("the lease was not renewed")
			}
			if _, err := db.Exec(ctx, "UPDATE job_lease SET holder = $1, held_until = $2 WHERE name = $3", "somebody", int64(0), "slow"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the end of the context", lost.Load)
			eventually(t, "the other node's run", func() bool { return stolen.Load() == 1 })
			if !log.has("lease lost") {
				t.Error("not logged")
			}
		})
		t.Run("a job on each node runs on each", func(t *testing.T) {
			var a, b atomic.Int32
			for _, n := range []*atomic.Int32{&a, &b} {
				r, _ := runner(t, db, clock.System)
				r.EachNode("flush", 10*time.Millisecond, func(context.Context) error { n.Add(1); return nil })
				r.Start(ctx)
				defer r.Stop()
			}
			eventually(t, "runs on both", func() bool { return a.Load() > 2 && b.Load() > 2 })
		})
	})
}

func TestNaming(t *testing.T) {
	db := sqldbtest.Open(t, sqldb.SQLite, job.Migrations())
	nothing := func(context.Context) error { return nil }
	for name, f := range map[string]func(r *job.Runner){
		"a name used twice panics":   func(r *job.Runner) { r.Every("a", 1, nothing); r.EachNode("a", 1, nothing) },
		"no interval panics":         func(r *job.Runner) { r.Every("a", 0, nothing) },
		"naming after Start panics":  func(r *job.Runner) { r.Start(t.Context()); r.Every("a", 1, nothing) },
		"Stop without Start is fine": func(r *job.Runner) { r.Stop(); panic("as expected") },
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := runner(t, db, clock.System)
			defer func() {
				if recover() == nil {
					t.Error("it did not")
				}
			}()
			f(r)
		})
	}
}
