package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 20, 0, time.UTC)

// node is a service with counters and nothing else.
func node(db *sqldb.DB, clk clock.Clock) *Service {
	s := &Service{db: db, clock: clk, counters: map[key]*counter{}, waiting: map[id.Profile]int{}, pause: someWhile, refusals: newRefusals()}
	s.batch = sqldb.NewBatch(db, "rates", s.grant)
	return s
}

func each(t *testing.T, f func(t *testing.T, db *sqldb.DB, clk *clock.Manual)) {
	sqldbtest.Each(t, []sqldb.Source{Migrations()}, func(t *testing.T, db *sqldb.DB) { f(t, db, clock.NewManual(noon)) })
}

func one(p id.Profile, name string, limit int64) need {
	return need{key: key{p, name}, limit: limit}
}

// passes says how many of n requests at once pass.
func passes(t *testing.T, s *Service, n, workers int, needs ...need) int64 {
	t.Helper()
	var passed, next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			states := make([]state, len(needs))
			for next.Add(1) <= int64(n) {
				refused, _, err := s.take(t.Context(), needs, states)
				if err != nil {
					t.Error(err)
					return
				}
				if refused < 0 {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return passed.Load()
}

func TestARateEndsExactly(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		t.Run("whatever the concurrency", func(t *testing.T) {
			for limit, workers := range map[int64]int{1: 8, 7: 1, 250: 16, 400: 3} {
				clk.Advance(time.Minute)
				s := node(db, clk)
				if got := passes(t, s, int(limit)+100, workers, one("p", "a", limit)); got != limit {
					t.Errorf("%d of %d passed with %d workers", got, limit, workers)
				}
			}
		})
		t.Run("over two nodes", func(t *testing.T) {
			clk.Advance(time.Minute)
			a, b := node(db, clk), node(db, clk)
			var wg sync.WaitGroup
			var sum atomic.Int64
			for _, s := range []*Service{a, b} {
				wg.Go(func() { sum.Add(passes(t, s, 300, 4, one("p", "a", 200))) })
			}
			wg.Wait()
			if sum.Load() != 200 {
				t.Errorf("%d of 200 passed", sum.Load())
			}
		})
		t.Run("and leaves other counters and profiles alone", func(t *testing.T) {
			s := node(db, clk)
			for _, n := range []need{one("p", "b", 5), one("q", "a", 5)} {
				if got := passes(t, s, 9, 3, n); got != 5 {
					t.Errorf("%v: %d of 5", n.key, got)
				}
			}
		})
		t.Run("and a limit of none lets nothing pass", func(t *testing.T) {
			if got := passes(t, node(db, clk), 3, 1, one("p", "zero", 0)); got != 0 {
				t.Error(got)
			}
		})
	})
}

func TestARateSurvives(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		t.Run("a stop: what was not spent is there again", func(t *testing.T) {
			s := node(db, clk)
			passes(t, s, 123, 3, one("p", "a", 600))
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := passes(t, s, 100, 3, one("p", "a", 600)); got != 100 { // it still works
				t.Error(got)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := passes(t, node(db, clk), 700, 8, one("p", "a", 600)); got != 600-223 {
				t.Errorf("%d after the stop, want %d", got, 600-223)
			}
		})
		t.Run("kill -9: it costs at most a lease, and never lets more pass", func(t *testing.T) {
			spent := passes(t, node(db, clk), 77, 3, one("q", "a", 600))
			got := passes(t, node(db, clk), 700, 8, one("q", "a", 600))
			if sum := spent + got; sum > 600 || sum < 600-600/leasePart {
				t.Errorf("%d passed in all", sum)
			}
		})
	})
}

func TestMinutes(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		s := node(db, clk)
		n := one("p", "a", 3)
		want := func(what string, want int64) {
			t.Helper()
			if got := passes(t, s, 10, 2, n); got != want {
				t.Errorf("%s: %d passed, want %d", what, got, want)
			}
		}
		want("a fresh minute", 3)
		clk.Set(noon.Truncate(time.Minute).Add(time.Minute - time.Millisecond))
		want("its last millisecond", 0)
		clk.Advance(time.Millisecond)
		want("the next minute", 3)
		clk.Advance(-time.Second)
		want("a clock that stepped back over the boundary", 0)
		s = node(db, clk)
		want("which a restarted node knows too", 0)
		clk.Advance(time.Second)
		want("and back again", 0)
		clk.Advance(-time.Hour)
		want("a clock that jumped", 3)
		clk.Advance(25 * time.Hour)
		want("the next day", 3)
		if err := s.Tidy(t.Context()); err != nil || len(s.counters) != 1 {
			t.Errorf("%v, %d counters", err, len(s.counters))
		}
		clk.Advance(time.Hour)
		if err := s.Tidy(t.Context()); err != nil || len(s.counters) != 0 {
			t.Errorf("%v, %d counters after an hour", err, len(s.counters))
		}
		if err := s.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := sqldb.All(t.Context(), db, sqldb.Value[string], "SELECT name FROM rate WHERE profile_id = $1", "p")
		if err != nil || len(rows) != 0 {
			t.Errorf("%v %v", rows, err)
		}
		want("after all was forgotten", 3)
	})
}

func TestTogetherOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		s := node(db, clk)
		hard, soft := one("p", "GET /x", 100), one("p", "rpm", 10)
		if got := passes(t, s, 50, 8, hard, soft); got != 10 {
			t.Errorf("%d passed both", got)
		}
		if used, err := s.used(t.Context(), "p"); err != nil || used["GET /x"] != 10 || used["rpm"] != 10 {
			t.Errorf("%v %v: a refusal was counted", used, err)
		}
		if got := passes(t, s, 200, 8, hard); got != 90 {
			t.Errorf("%d were left of the hard rate", got)
		}
		states := make([]state, 2)
		if refused, first, err := s.take(t.Context(), []need{hard, one("p", "other", 5)}, states); refused != 0 || first || err != nil {
			t.Errorf("%d %v %v", refused, first, err)
		}
		if got := passes(t, s, 20, 8, one("p", "other", 5)); got != 5 {
			t.Errorf("%d of 5: a refusal by the hard rate spent the soft one", got)
		}
	})
}

func TestALimitThatChanges(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		s := node(db, clk)
		for _, step := range []struct{ limit, want int64 }{{1000, 100}, {50, 0}, {101, 1}, {101, 0}, {150, 49}, {150, 0}, {100, 0}, {160, 10}} {
			n := int(step.want) + 5
			if step.limit == 1000 {
				n = 100
			}
			if got := passes(t, s, n, 1, one("p", "a", step.limit)); got > step.want || got < step.want-10 {
				t.Errorf("under %d: %d passed, want %d", step.limit, got, step.want)
			}
		}
		if used, _ := s.used(t.Context(), "p"); used["a"] > 160 {
			t.Error(used)
		}
	})
}

func TestRefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{waiting: map[id.Profile]int{}, pause: func() time.Duration { return 100 * time.Millisecond }}
		var wg sync.WaitGroup
		var quick atomic.Int64
		for range maxWaiting + 30 {
			wg.Go(func() {
				began := time.Now()
				if err := s.holdBack(t.Context(), "p"); err != nil {
					t.Error(err)
				}
				if time.Since(began) == 0 {
					quick.Add(1)
				}
			})
		}
		wg.Wait()
		if quick.Load() != 30 {
			t.Errorf("%d were answered at once, want 30", quick.Load())
		}
		if len(s.waiting) != 0 {
			t.Errorf("%v still wait", s.waiting)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.holdBack(gone, "p"); err == nil || len(s.waiting) != 0 {
			t.Errorf("a client that left: %v %v", err, s.waiting)
		}
	})
	for range 1000 {
		if d := someWhile(); d < 50*time.Millisecond || d > 200*time.Millisecond {
			t.Fatal(d)
		}
	}
}

// BenchmarkTake is the way of a request under a hard and a soft rate; all but a few leases stay in memory.
func BenchmarkTake(b *testing.B) {
	s := node(sqldbtest.Open(b, sqldb.SQLite, Migrations()), clock.NewManual(noon))
	needs := []need{one("p", "POST /data", 1_000_000_000), one("p", "data_input rpm", 1_000_000_000)}
	b.RunParallel(func(pb *testing.PB) {
		states := make([]state, 2)
		for pb.Next() {
			if refused, _, err := s.take(b.Context(), needs, states); refused >= 0 || err != nil {
				b.Error(refused, err)
				return
			}
		}
	})
}
