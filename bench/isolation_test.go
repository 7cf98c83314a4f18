package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/plan"
)

// TestQuiet checks the open loop: what is due while a server stalls is charged with the stall.
func TestQuiet(t *testing.T) {
	var stalled atomic.Bool
	var gate sync.RWMutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("token") != "mine" || string(body) != singles.body {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		if stalled.CompareAndSwap(true, false) {
			gate.Lock()
			time.Sleep(400 * time.Millisecond)
			gate.Unlock()
		}
		gate.RLock()
		defer gate.RUnlock()
		io.WriteString(w, "{}")
	}))
	defer s.Close()
	const every, span = 10 * time.Millisecond, time.Second
	run := func(token string) latencies {
		q, err := newQuiet(s.URL, token, every, time.Now().Add(100*time.Millisecond), span)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(300*time.Millisecond, func() { stalled.Store(true) })
		return q.run()
	}
	t.Run("every request that was due in a stall waited for its end", func(t *testing.T) {
		l := run("mine")
		if l.Sent != 100 || l.failed() != 0 || l.Warm < 5 || l.Warm > 10 {
			t.Fatalf("sent %+v", l)
		}
		// 40 of 100 requests were due in the stall. A closed loop would have seen one slow answer.
		if l.P99 < 350*time.Millisecond || l.Max < l.P999 || l.P999 < l.P99 {
			t.Errorf("a stall of 400 ms was seen as %+v", l)
		}
		if l.P50 > 350*time.Millisecond {
			t.Errorf("the median is %v", l.P50)
		}
	})
	t.Run("an answer that is not 200 is a failure", func(t *testing.T) {
		if l := run("other"); l.Sent != 100 || l.failed() != 100 || l.Errors["418"] != 100 {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("a server that is not there is a failure", func(t *testing.T) {
		s.Close()
		if l := run("mine"); l.Sent != 100 || l.failed() != 100 || len(l.Errors) == 0 {
			t.Errorf("got %+v", l)
		}
	})
}

// TestVolley lets wrk send a mix to a server that looks at what arrives.
func TestVolley(t *testing.T) {
	shots := []shot{
		{"POST", "/data", "one", `{"text":"quo\"tes, \\ and ]] "}`},
		{"GET", "/data?query=last_value&variables=a", "two", ""},
		{"DELETE", "/device/3", "three", ""},
	}
	var mu sync.Mutex
	seen := map[shot]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen[shot{r.Method, r.URL.RequestURI(), r.Header.Get("token"), string(body)}]++
		if r.Method == "DELETE" {
			w.WriteHeader(http.StatusPaymentRequired)
		}
	}))
	defer s.Close()
	f, err := byWrk(t.TempDir(), 4, shots)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.command(s.URL, time.Second).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.read(out)
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // wrk leaves with requests under way
	for _, want := range shots {
		if seen[want] == 0 {
			t.Errorf("%v was not sent", want)
		}
	}
	if len(seen) != len(shots) {
		t.Errorf("sent %v", seen)
	}
	if got.Answers == 0 || got.Good > got.Answers*7/10 || got.Good < got.Answers*6/10 || got.Seconds < 0.9 || got.Broken != 0 {
		t.Errorf("counted %+v", got)
	}
}

func TestReadWrk(t *testing.T) {
	for _, c := range []struct {
		name, out string
		want      tally
	}{
		{"all accepted", "  2000 requests in 1.00m, 1.2MB read\nRequests/sec:     33.33\n", tally{Answers: 2000, Good: 2000, Seconds: 60}},
		{"some refused, some broken", "  100 requests in 10.00s, 1.2MB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 40\nRequests/sec:     10.00\n",
			tally{Answers: 100, Good: 60, Broken: 10, Seconds: 10}},
		{"none answered", "  0 requests in 10.00s, 0.00B read\nRequests/sec:      0.00\n", tally{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readWrk([]byte(c.out))
			got.Seconds = float64(int(got.Seconds + 0.5))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("no output is an error", func(t *testing.T) {
		if _, err := readWrk([]byte("unable to connect")); err == nil {
			t.Error("no error")
		}
	})
}

func TestAsk(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(400 * time.Millisecond) }))
	defer s.Close()
	a := &ask{url: s.URL, token: "t", paths: []string{"/a", "/b"}, connections: 2, client: s.Client()}
	got := a.run(time.Second)
	// Each connection: two answers, and half of the third.
	if got.Good != 4 || got.Part < 0.8 || got.Part > 1.1 || got.Broken != 0 {
		t.Errorf("counted %+v", got)
	}
}

func TestChurn(t *testing.T) {
	var mu sync.Mutex
	made, there, emptied, problems := 0, map[string]bool{"full0": true, "full1": true}, map[string]bool{}, []string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/device/"), "/empty")
		switch {
		case r.Method == "POST" && r.URL.Path == "/device":
			made++
			id = fmt.Sprintf("brief%d", made)
			there[id] = true
			fmt.Fprintf(w, `{"status":true,"result":{"device_id":%q}}`, id)
		case !there[id]:
			problems = append(problems, r.Method+" "+r.URL.Path)
			w.WriteHeader(http.StatusNotFound)
		case r.Method == "POST":
			emptied[id] = true
		default:
			delete(there, id)
		}
	}))
	defer s.Close()
	c := &churn{url: s.URL, token: "t", full: []string{"full0", "full1"}, client: s.Client(), until: time.Now().Add(300 * time.Millisecond)}
	got := c.run()
	if len(problems) > 0 || len(there) > 0 || c.gone != 2 || !emptied["full0"] || emptied["full1"] {
		t.Errorf("left %v, emptied of the full %v %v, problems %v", there, emptied["full0"], emptied["full1"], problems)
	}
	if got.Answers < 3*made || got.Good != got.Answers || got.Broken != 0 {
		t.Errorf("counted %+v for %d devices", got, made)
	}
}

func TestDrip(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var bytes atomic.Int64
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, _ := io.Copy(io.Discard, r.Body)
		bytes.Add(n)
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestTimeout)
	})}
	go s.Serve(l)
	defer s.Close()
	d, err := newDrip("http://"+l.Addr().String(), "t", 10*time.Millisecond, time.Now().Add(1100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	got := d.run(2)
	// One begins at once, the other after half a second; each is cut off every 200 ms.
	if got.Answers < 5 || got.Answers > 9 || d.by[408] != got.Answers || got.Good != 0 {
		t.Errorf("counted %+v", got)
	}
	if per := bytes.Load() / int64(got.Answers); per < 8 || per > 25 {
		t.Errorf("%d bytes came before each cut", per)
	}
}

func TestLargest(t *testing.T) {
	if n := len(list(largest, `{"variable":"a"}`)); n > maxBody || n+17 <= maxBody {
		t.Errorf("the largest body has %d bytes", n)
	}
}

func TestChosen(t *testing.T) {
	for list, want := range map[string]string{"": "1 2 3 4 5 6", "1,3": "1 3", " 6 , 2,6": "6 2"} {
		got, err := chosen(list)
		var numbers []string
		for _, f := range got {
			numbers = append(numbers, fmt.Sprint(f.number))
		}
		if s := strings.Join(numbers, " "); err != nil || s != want {
			t.Errorf("%q: %s, %v", list, s, err)
		}
	}
	for _, list := range []string{"0", "7", "one", "1,,2"} {
		if _, err := chosen(list); err == nil {
			t.Errorf("%q was accepted", list)
		}
	}
}

// TestCatalogue keeps the benchmark's plans readable by the server, and tight where the floods need it.
func TestCatalogue(t *testing.T) {
	text, err := os.ReadFile("catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := plan.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	house, err := c.Plan("house")
	if err != nil {
		t.Fatal(err)
	}
	tight, err := c.Plan("tight")
	if err != nil {
		t.Fatal(err)
	}
	if n := tight.Pool[plan.Index(plan.Input)]; n != 10 {
		t.Errorf("tight has an input of %d", n)
	}
	rated := func(p plan.Plan, method, pattern string) int64 {
		for _, r := range p.Rates {
			if r.Method == method && r.Pattern == pattern && r.Query == "" {
				return r.PerMinute
			}
		}
		return -1
	}
	if a, b, c := rated(tight, "GET", "/data"), rated(tight, "POST", "/data"), rated(house, "GET", "/data"); a != 1 || b < 1e8 || c < 1e8 {
		t.Errorf("rates are %d, %d and %d", a, b, c)
	}
}

// sample is a trial with these p99 in milliseconds and these answers of the flood.
func sample(floor, beside, failed, alone, kept int) trial {
	at := func(p99, failed, answers int) phase {
		l := &latencies{P50: time.Millisecond, P99: time.Duration(p99) * time.Millisecond, P999: time.Second, Max: time.Second, Sent: 100, Answered: 100 - failed}
		return phase{quiet: l, flood: &tally{Answers: answers, Good: answers, Seconds: 10}}
	}
	t := trial{floor: at(floor, 0, 1000), beside: at(beside, failed, kept), alone: at(0, 0, alone)}
	t.alone.quiet = nil
	return t
}

func TestIsolationTables(t *testing.T) {
	three := floods[2:3]
	alone := []phase{sample(3, 3, 0, 1, 1).floor}
	for _, c := range []struct {
		name   string
		trials []trial
		met    bool
		rows   []string
	}{
		{"medians of ratios within a run", []trial{sample(10, 30, 0, 1000, 500), sample(10, 15, 0, 1000, 700), sample(20, 20, 0, 1000, 800)}, true,
			[]string{"| 3 beside | 1.00 | 20.0 | 1,000 | 1,000 | 0.00 | 0 | 1.50 (1.00 – 3.00) | ≤ 2, 0 failed | met |", "| 0.70 (0.50 – 0.80) | ≥ 0.6 | met |"}},
		{"too slow", []trial{sample(10, 21, 0, 1000, 1000)}, false, []string{"| 2.10 | ≤ 2, 0 failed | **missed** |"}},
		{"one failure of the quiet profile is too many", []trial{sample(10, 10, 1, 1000, 1000)}, false, []string{"| 1 | 1.00 | ≤ 2, 0 failed | **missed** |"}},
		{"a flood that is throttled too much", []trial{sample(10, 10, 0, 1000, 500)}, false, []string{"| 100 | 50.00 | 0.50 | ≥ 0.6 | **missed** |"}},
		{"a flood that did nothing", []trial{sample(10, 10, 0, 0, 0)}, false, []string{"| 0.00 | 0.00 | 0.00 | ≥ 0.6 | **missed** |"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := isolation{alone: alone, trials: map[int][]trial{3: c.trials}}
			if r.met(three) != c.met {
				t.Errorf("met is %v", r.met(three))
			}
			text := isolationTables(three, r)
			for _, want := range c.rows {
				if !strings.Contains(text, want) {
					t.Errorf("lacks %s\n%s", want, text)
				}
			}
		})
	}
	t.Run("points count as many as a request carries", func(t *testing.T) {
		if n := floods[0].done(tally{Answers: 30, Good: 20, Seconds: 10}); n != 200 {
			t.Errorf("%v points/s", n)
		}
		if n := floods[4].done(tally{Answers: 30, Good: 0, Seconds: 10}); n != 3 {
			t.Errorf("%v answers/s", n)
		}
	})
	t.Run("refused requests of a flood are told", func(t *testing.T) {
		one := sample(10, 10, 0, 1000, 1000)
		one.beside.flood.Good -= 7
		text := isolationTables(three, isolation{alone: alone, trials: map[int][]trial{3: {one}}})
		if !strings.Contains(text, "Flood 3, run 1, beside: 7 of its 1000 requests were not answered 2xx.") {
			t.Error(text)
		}
	})
}

func TestIsolationCommand(t *testing.T) {
	for _, c := range []struct {
		o    isolationOptions
		want string
	}{
		{isolationOptions{seconds: 60, runs: 3, floods: floods}, "make bench isolation"},
		{isolationOptions{seconds: 15, runs: 1, floods: []flood{floods[0], floods[2]}}, "make bench isolation ARGS='-seconds 15 -runs 1 -flood 1,3'"},
	} {
		if got := c.o.command(); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}

func TestSection(t *testing.T) {
	const mine = "## Isolation\n\nnew\n"
	for _, c := range []struct{ name, page, want string }{
		{"a page without it gets it at the end", "# Benchmarks\n\ntext\n", "# Benchmarks\n\ntext\n\n## Isolation\n\nnew\n"},
		{"the old one is replaced, the rest is kept", "# B\n\n## A\n\na\n\n## Isolation\n\nold\n### inner\n\n## Z\n\nz\n", "# B\n\n## A\n\na\n\n## Isolation\n\nnew\n\n## Z\n\nz\n"},
		{"at the end", "# B\n\n## Isolation\n\nold\n", "# B\n\n## Isolation\n\nnew\n"},
		{"a longer title is another section", "# B\n\n## Isolation of all\n\nx\n", "# B\n\n## Isolation of all\n\nx\n\n## Isolation\n\nnew\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			once := withSection(c.page, isolationTitle, mine)
			if once != c.want {
				t.Errorf("got %q", once)
			}
			if again := withSection(once, isolationTitle, mine); again != once {
				t.Errorf("a second time gives %q", again)
			}
		})
	}
	t.Run("the page of the repository can be written", func(t *testing.T) {
		page, err := os.ReadFile(filepath.Join("..", "docs", "benchmarks.md"))
		if err != nil {
			t.Fatal(err)
		}
		before, _ := cutSection(string(page), isolationTitle)
		got := withSection(string(page), isolationTitle, mine)
		if !strings.HasPrefix(got, strings.TrimRight(before, "\n")) || !strings.Contains(got, mine) {
			t.Error("lost something")
		}
	})
}
