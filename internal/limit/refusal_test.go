package limit

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// outcome is a POST of points by a device of a profile.
func outcome(clk clock.Clock, p id.Profile, d id.Device, status int, body string) web.Outcome {
	o := web.Outcome{Method: "POST", Pattern: "/data", Status: status, Caller: auth.Caller{Kind: auth.Device, ProfileID: p, DeviceID: d},
		Read: []byte(body), Time: clk.Now()}
	if status == http.StatusPaymentRequired {
		o.Limit = &fault.Limit{Limit: "input", Scope: "profile"}
	}
	return o
}

func refusalsOf(t *testing.T, s *Service, p id.Profile) []string {
	t.Helper()
	if err := s.TellRefusals(t.Context()); err != nil {
		t.Fatal(err)
	}
	gs, err := s.listRefusals(t.Context(), auth.SystemCaller(), p, refusalFilter{}, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, g := range gs {
		r := g.Row()
		out = append(out, fmt.Sprintf("%s %s %s: %d, lost %d, retried %d", g.Device, g.Name, clock.FromMillis(g.Minute).Format("15:04"), r.Requests, r.PointsLost, r.PointsRetried))
	}
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		s := node(db, clk)
		var told []string
		s.OnRefusals(func(p id.Profile, gs []Refusal) {
			for _, g := range gs {
				told = append(told, fmt.Sprintf("%s %s %d", p, g.Device, g.Requests))
			}
		})
		two, three := `[{"variable":"a"},{"variable":"b"}]`, `[{},{},{"x":[1,2]}]`
		t.Run("a body that is refused again brings no points anew", func(t *testing.T) {
			s.Observe(outcome(clk, "p", "d", 402, two))
			s.Observe(outcome(clk, "p", "d", 402, two))
			s.Observe(outcome(clk, "p", "e", 402, two))
			s.Observe(outcome(clk, "q", "d", 402, `{"variable":"a"}`))
			same(t, refusalsOf(t, s, "p"), "d input 12:00: 2, lost 2, retried 0", "e input 12:00: 1, lost 2, retried 0")
			slices.Sort(told)
			same(t, told, "p d 2", "p e 1", "q d 1")
			told = nil
			if err := s.TellRefusals(t.Context()); err != nil || told != nil {
				t.Error("nothing changed and it was told: ", told, err)
			}
		})
		t.Run("what comes again and is accepted is no loss, in the minute in which it was refused", func(t *testing.T) {
			clk.Advance(time.Minute)
			s.Observe(outcome(clk, "p", "d", 402, three))
			s.Observe(outcome(clk, "p", "d", 200, two))
			s.Observe(outcome(clk, "p", "d", 200, two)) // another time, which is new data
			s.Observe(outcome(clk, "q", "d", 200, two))
			same(t, refusalsOf(t, s, "p"), "d input 12:01: 1, lost 3, retried 0", "d input 12:00: 2, lost 0, retried 2", "e input 12:00: 1, lost 2, retried 0")
			slices.Sort(told)
			same(t, told, "p d 1", "p d 2")
		})
		t.Run("a body cut off is counted as far as it was seen", func(t *testing.T) {
			o := outcome(clk, "r", "d", 402, `[{"a":1},{"b`)
			o.Partial = true
			s.Observe(o)
			s.Observe(outcome(clk, "r", "d", 200, `[{"a":1},{"b`))
			same(t, refusalsOf(t, s, "r"), "d input 12:01: 1, lost 2, retried 0")
		})
		t.Run("rates have names too, reads lose no points, and other refusals are none of ours", func(t *testing.T) {
			o := outcome(clk, "t", "", 429, "")
			o.Method, o.Pattern, o.Limit = "GET", "/device", &fault.Limit{Limit: "GET /device", Scope: "profile"}
			s.Observe(o)
			o.Limit, o.Pattern = nil, "/events"
			s.Observe(o)
			for _, status := range []int{400, 401, 403, 404, 500, 503} {
				o.Status = status
				s.Observe(o)
			}
			same(t, refusalsOf(t, s, "t"), " GET /device 12:01: 1, lost 0, retried 0", " GET /events 12:01: 1, lost 0, retried 0")
		})
		t.Run("a minute has so many groups and one more", func(t *testing.T) {
			for i := range groupsAMinute + 10 {
				for range 2 {
					s.Observe(outcome(clk, "u", id.Device(fmt.Sprintf("%03d", i)), 402, two))
				}
			}
			got := refusalsOf(t, s, "u")
			if len(got) != groupsAMinute+1 || got[0] != " other 12:01: 20, lost 20, retried 0" {
				t.Errorf("%d groups: %v", len(got), got[:1])
			}
			s.Observe(outcome(clk, "u", "055", 200, two))
			if got := refusalsOf(t, s, "u"); got[0] != " other 12:01: 20, lost 18, retried 2" {
				t.Error(got[0])
			}
		})
		t.Run("what cannot be written waits", func(t *testing.T) {
			s.Observe(outcome(clk, "v", "d", 402, two))
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.TellRefusals(gone); err == nil {
				t.Fatal("written after its context ended")
			}
			s.Observe(outcome(clk, "v", "d", 402, three))
			same(t, refusalsOf(t, s, "v"), "d input 12:01: 2, lost 5, retried 0")
		})
		t.Run("a month later it is forgotten, of a deleted profile at once", func(t *testing.T) {
			if n, err := s.deleteRefusalsOf(t.Context(), "v", 1<<62); n != 1 || err != nil {
				t.Error(n, err)
			}
			clk.Advance(30 * 24 * time.Hour)
			if err := s.ForgetRefusals(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := refusalsOf(t, s, "p"); len(got) != 3 {
				t.Error(got)
			}
			if s.refusals.remembered.Load() != 0 || len(s.refusals.bodies) != 0 || len(s.refusals.minutes) != 0 {
				t.Errorf("%d bodies are still remembered, minutes of %d profiles", s.refusals.remembered.Load(), len(s.refusals.minutes))
			}
			clk.Advance(2 * 24 * time.Hour)
			if err := s.ForgetRefusals(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, refusalsOf(t, s, "p"))
		})
	})
}

func TestRememberedBodiesAreBounded(t *testing.T) {
	r := newRefusals()
	refuse := func(p id.Profile, i int) {
		r.refuse(groupKey{profile: p, device: "d"}, tally{requests: 1, first: 1, last: 1}, []byte(fmt.Sprintf(`{"v":%d}`, i)), false)
	}
	for i := range bodiesPer + 5 {
		refuse("p", i)
	}
	if n := r.remembered.Load(); n != bodiesPer {
		t.Errorf("%d of a profile", n)
	}
	for p := range bodiesInAll / bodiesPer {
		for i := range bodiesPer {
			refuse(id.Profile(fmt.Sprint(p)), i)
		}
	}
	refuse("late", 1)
	if n := r.remembered.Load(); n != bodiesInAll || r.bodies["late"].order.Len() != 1 {
		t.Errorf("%d in all, %v", n, r.bodies["late"])
	}
	r.accepted("late", "d", []byte(`{"v":1}`))
	if r.bodies["late"] != nil || r.pending[groupKey{profile: "late", device: "d"}].retried != 1 {
		t.Error("what came last was forgotten first")
	}
}

func TestCountPoints(t *testing.T) {
	for body, want := range map[string]int64{
		``: 0, ` `: 0, `{}`: 1, ` {"a":[1,2,3]}`: 1, `[]`: 0, `[ ]`: 0, `[{}]`: 1, `[{},{}]`: 2, `[{"a":[1,{"b":2}],"c":"],[\",{"},{}] `: 2,
		`[1,2,3`: 3, `[1,2,`: 2, `"x"`: 1, `[{"a":"\\"},{}]`: 2, `]`: 1, `["a"]`: 1,
	} {
		if got := countPoints([]byte(body)); got != want {
			t.Errorf("%s: %d points, want %d", body, got, want)
		}
	}
}

// BenchmarkObserveAccepted is what an accepted request of a profile without refusals costs while another has some.
func BenchmarkObserveAccepted(b *testing.B) {
	s := &Service{refusals: newRefusals()}
	clk := clock.NewManual(noon)
	s.Observe(outcome(clk, "q", "d", 402, "{}"))
	o := outcome(clk, "p", "d", 200, strings.Repeat(`{"variable":"a"},`, 100))
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(o)
	}
}
