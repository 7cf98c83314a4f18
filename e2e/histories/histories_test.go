// Package histories lets random histories happen to the real server, and compares what is there with a model.
//
// A history is a fresh account with small limits and what happens to it: phases in which devices send, read and
// delete side by side while an owner lowers and raises allocations, makes, pauses and deletes profiles; the clock
// jumps, cycles turn, and the server is killed with SIGKILL, at any moment or at one of the places that the
// binary marks (internal/kit/crash, built with -tags fault), and started again on the same data.
//
// After every phase the test looks at the database itself and at what the API says. What it expects it works out
// from the answers alone, with no code of the product (check_test.go): what was accepted is stored and metered,
// whole, once, to the unit; what was refused left no trace and did not fit; nothing passes a limit, an allocation
// or the account's pool; `paddock verify` is content.
//
//	HISTORY_SECONDS   how long each engine has, default 30
//	HISTORY_ENGINE    sqlite or postgres; both when not given
//	HISTORY_SEED      the first history; at random when not given. The next ones count on
//	HISTORY           a file of a failed history: runs that one only
//	HISTORY_REPEAT    how often it runs, default 20
//	HISTORY_SHRINK    seconds to look for a smaller history that fails, default 45
//	HISTORY_KEEP      folder for failed histories; the temporary folder when not given
package histories

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paddock/e2e/server"
)

func env[T any](t *testing.T, name string, otherwise T, parse func(string) (T, error)) T {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return v
}

// faultBinary is the server with places to end it at, built once for all tests.
func faultBinary(t *testing.T) string {
	binary := os.Getenv("PADDOCK_FAULT_BIN")
	if binary == "" {
		built, err := buildFault()
		if err != nil {
			t.Fatal(err)
		}
		binary = built
	}
	return binary
}

var removeFault = func() {}

var buildFault = sync.OnceValues(func() (string, error) {
	built, remove, err := server.Build("-tags", "fault")
	if err == nil {
		removeFault = remove
	}
	return built, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	removeFault()
	os.Exit(code)
}

func TestHistories(t *testing.T) {
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) { histories(t, engine, binary) })
	}
}

// tester runs histories on one engine.
type tester struct {
	t       *testing.T
	engine  string
	binary  string
	w       *world
	fig     *figures
	worst   History // the smallest that failed
	failure *failure
	log     string
	home    string
	tries   int // how often a history runs; more once something has failed, because failures come and go
	seed    uint64
	until   time.Time // when looking for a smaller one ends
}

func histories(t *testing.T, engine, binary string) {
	r := &tester{t: t, engine: engine, binary: binary, fig: &figures{places: map[string]int{}, spent: map[string]time.Duration{}}, tries: 1}
	defer func() {
		if r.w != nil {
			r.w.end()
		}
	}()
	began := time.Now()
	if file := os.Getenv("HISTORY"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var h History
		if err := json.Unmarshal(text, &h); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		r.tries = env(t, "HISTORY_REPEAT", 20, strconv.Atoi)
		r.prop(h)
	} else {
		seed := env(t, "HISTORY_SEED", rand.Uint64N(1<<40), func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
		r.tries = env(t, "HISTORY_REPEAT", 1, strconv.Atoi)
		seconds := env(t, "HISTORY_SECONDS", 30, strconv.Atoi)
		limit := began.Add(time.Duration(seconds) * time.Second)
		next := began.Add(10 * time.Minute)
		for ; r.failure == nil && time.Now().Before(limit); seed++ {
			r.check(seed)
			if time.Now().After(next) {
				next = next.Add(10 * time.Minute)
				fmt.Printf("%s after %s: %s\n", engine, time.Since(began).Round(time.Second), r.fig)
			}
		}
	}
	t.Logf("%s: %s in %s", engine, r.fig, time.Since(began).Round(time.Second))
	fmt.Printf("%s: %s in %s\n", engine, r.fig, time.Since(began).Round(time.Second))
	if r.failure != nil {
		r.report()
	}
}

func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var places []string
	for name, n := range f.places {
		places = append(places, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(places)
	for name, d := range f.spent {
		places = append(places, fmt.Sprintf("%s %s", name, d.Round(time.Millisecond)))
	}
	return fmt.Sprintf("%d histories, %d requests, %d points, %d kills, %d graceful stops, %d times verify\n    kills by place: %s",
		f.histories.Load(), f.requests.Load(), f.points.Load(), f.kills.Load(), f.stops.Load(), f.verifies.Load(), strings.Join(places, "; "))
}

// quiet is what rapid is told of the test: its words are replaced by the report.
type quiet struct {
	*testing.T
	failed bool
}

func (q *quiet) Logf(string, ...any)   {}
func (q *quiet) Log(...any)            {}
func (q *quiet) Errorf(string, ...any) { q.failed = true }
func (q *quiet) Error(...any)          { q.failed = true }
func (q *quiet) Fatalf(string, ...any) { q.FailNow() }
func (q *quiet) Fatal(...any)          { q.FailNow() }
func (q *quiet) Fail()                 { q.failed = true }
func (q *quiet) Failed() bool          { return q.failed }
func (q *quiet) FailNow()              { q.failed = true; runtime.Goexit() }

// check lets rapid draw the history of a seed, run it and, if it fails, look for a smaller one that fails.
func (r *tester) check(seed uint64) {
	r.seed = seed
	for name, value := range map[string]string{"rapid.seed": strconv.FormatUint(seed, 10), "rapid.checks": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			r.t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var broken any
	go func() {
		defer close(done)
		defer func() { broken = recover() }()
		rapid.Check(&quiet{T: r.t}, func(rt *rapid.T) {
			end := r.fig.time("draw")
			h := rapid.Custom(drawHistory).Draw(rt, "history")
			end()
			if f := r.prop(h); f != nil {
				rt.Fatalf("%s", f.rule)
			}
		})
	}()
	<-done
	if broken != nil {
		r.t.Fatal(broken)
	}
}

// prop runs a history as often as need be and returns how it failed.
func (r *tester) prop(h History) *failure {
	for range r.tries {
		if r.failure != nil && time.Now().After(r.until) {
			return nil // it is small enough
		}
		w := r.world()
		f := runHistory(w, h, r.fig)
		if f == nil {
			continue
		}
		if r.failure == nil || h.size() < r.worst.size() {
			if r.home != "" {
				os.RemoveAll(r.home)
			}
			r.worst, r.failure, r.log, r.home = h, f, w.log(), w.home.Dir
			w.close()
		} else {
			w.end()
		}
		if r.until.IsZero() {
			r.until = time.Now().Add(time.Duration(env(r.t, "HISTORY_SHRINK", 45, strconv.Atoi)) * time.Second)
		}
		r.w = nil
		r.tries = max(r.tries, 6)
		return f
	}
	return nil
}

// world is an installation, made anew when it has become large or old.
func (r *tester) world() *world {
	if r.w != nil && (r.w.age > 150 || r.w.page.now().Year() > 2080) {
		r.w.end()
		r.w = nil
	}
	if r.w == nil {
		w, err := newWorld(r.engine, r.binary)
		if err != nil {
			r.t.Fatal(err)
		}
		r.w = w
	}
	return r.w
}

// report says what failed and how to see it again.
func (r *tester) report() {
	dir := os.Getenv("HISTORY_KEEP")
	if dir == "" {
		dir = os.TempDir()
	}
	file := filepath.Join(dir, fmt.Sprintf("history-%s-%d.json", r.engine, r.seed))
	text, _ := json.Marshal(r.worst)
	story := fmt.Sprintf("%s\n%s\n\n%s\n%s\n%s", r.failure.rule, r.failure.text, r.worst, r.failure.trace, r.log)
	for name, text := range map[string]string{file: string(text), strings.TrimSuffix(file, "json") + "txt": story} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			r.t.Error(err)
		}
	}
	r.t.Errorf("%s\n%s\nthe smallest history found that fails:\n%s\nagain:      HISTORY=%s make soak ENGINE=%s\nfrom seed:  HISTORY_SEED=%d make soak ENGINE=%s\ndata:       %s\nin full:    %s",
		r.failure.rule, r.failure.text, r.worst, file, r.engine, r.seed, r.engine, r.home, strings.TrimSuffix(file, "json")+"txt")
}
