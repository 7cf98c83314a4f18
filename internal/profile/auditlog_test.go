package profile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
)

func TestSearches(t *testing.T) {
	p, other := id.New[id.Profile](), id.New[id.Profile]()
	quick := func(context.Context) (found, error) { return found{status: LogComplete, bytes: 1}, nil }

	t.Run("only so many of a profile run at once, and another profile's run beside", func(t *testing.T) {
		l := newSearches()
		defer l.stop()
		hold := make(chan struct{})
		wait := func(ctx context.Context) (found, error) {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return found{}, nil
		}
		var first *running
		for i := range logPerProfile {
			r, err := l.begin(p, fmt.Sprint(i), wait)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = r
			}
		}
		if _, err := l.begin(p, "more", wait); !fault.Is(err, fault.TooMany) {
			t.Errorf("one more: %v", err)
		}
		if again, err := l.begin(p, "0", wait); err != nil || again != first {
			t.Errorf("the first asked for again is another: %v", err)
		}
		r, err := l.begin(other, "theirs", quick)
		if err != nil {
			t.Fatal(err)
		}
		<-r.done
		close(hold)
		<-first.done
	})
	t.Run("kept answers are bounded in bytes, the oldest go first", func(t *testing.T) {
		l := newSearches()
		defer l.stop()
		for i := range 20 {
			r, err := l.begin(p, fmt.Sprint(i), func(context.Context) (found, error) { return found{bytes: logMemory / 10}, nil })
			if err != nil {
				t.Fatal(err)
			}
			<-r.done
		}
		if l.bytes > logMemory || len(l.known) != 10 || len(l.order) != 10 || l.known["19"] == nil || l.known["0"] != nil {
			t.Errorf("%d bytes, %d answers", l.bytes, len(l.known))
		}
	})
	t.Run("one that failed is tried again when it is asked for again", func(t *testing.T) {
		l := newSearches()
		defer l.stop()
		boom := errors.New("boom")
		r, err := l.begin(p, "x", func(context.Context) (found, error) { return found{}, boom })
		if err != nil {
			t.Fatal(err)
		}
		if <-r.done; r.err != boom {
			t.Fatal(r.err)
		}
		if r, err = l.begin(p, "x", quick); err != nil {
			t.Fatal(err)
		}
		if <-r.done; r.err != nil || r.found.status != LogComplete {
			t.Error(r.err)
		}
	})
	t.Run("the end of the server ends them", func(t *testing.T) {
		l := newSearches()
		r, err := l.begin(p, "x", func(ctx context.Context) (found, error) { <-ctx.Done(); return found{}, ctx.Err() })
		if err != nil {
			t.Fatal(err)
		}
		l.stop()
		<-r.done
		if _, err := l.begin(p, "y", quick); !fault.Is(err, fault.Unavailable) {
			t.Error(err)
		}
	})
}

func TestSearch(t *testing.T) {
	q := question{Limit: 3}
	step := func(parts ...audit.Part) func(context.Context, audit.Filter, int) (audit.Part, error) {
		return func(context.Context, audit.Filter, int) (audit.Part, error) {
			part := parts[0]
			parts = parts[1:]
			return part, nil
		}
	}
	two := audit.Part{Entries: make([]audit.Entry, 2), Scanned: 5, Last: "b", Bytes: 10}
	none := audit.Part{Scanned: 5000, Last: "a"}
	end := audit.Part{Entries: make([]audit.Entry, 1), Scanned: 1, Last: "c", Done: true}
	one := audit.Part{Entries: make([]audit.Entry, 1), Scanned: 1, Last: "d"}

	got, err := search(t.Context(), q, step(none, two, end))
	if err != nil || got.status != LogComplete || len(got.entries) != 3 || got.scanned != 5006 || got.next != "" {
		t.Errorf("to the end: %+v, %v", got, err)
	}
	got, err = search(t.Context(), q, step(two, one))
	if err != nil || len(got.entries) != 3 || got.next != "d" {
		t.Errorf("to the limit: %+v, %v", got, err)
	}
	large := two
	large.Bytes = logBytes
	if got, err = search(t.Context(), q, step(large)); err != nil || len(got.entries) != 2 || got.next != "b" {
		t.Errorf("to the bytes of an answer: %+v, %v", got, err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	calls := 0
	got, err = search(late, question{Limit: 3, After: "z"}, func(ctx context.Context, f audit.Filter, _ int) (audit.Part, error) {
		calls++
		return audit.Part{}, ctx.Err()
	})
	if err != nil || got.status != LogTimeout || got.next != "z" || calls != 1 {
		t.Errorf("out of time: %+v, %v", got, err)
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for in, want := range map[string]string{"": "", "x": "x", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\r": "'\r", "1-1": "1-1", `{"a":1}`: `{"a":1}`} {
		if got := web.Cell(in); got != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}

// TestLogQueryThatRuns shows the two steps of a search that is not done at once.
func TestLogQueryThatRuns(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{audit.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		clk := clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
		log := audit.New(db, clk)
		s := New(db, nil, nil, log, nil, clk)
		defer s.StopLog()
		s.log.wait = time.Millisecond
		v := view{profile: id.New[id.Profile](), who: auth.Caller{Kind: auth.System}, all: true}
		if err := log.Write(t.Context(), v.who, audit.Event{Profile: v.profile, Resource: "device", Message: "Device made"}); err != nil {
			t.Fatal(err)
		}
		for range logAtOnce { // as if others were searching
			s.log.turns <- struct{}{}
		}
		clk.Advance(time.Second)
		q, err := s.question(v, LogFilter{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.ask(t.Context(), v, "query", q)
		if err != nil || a.Status != LogRunning || a.QueryID != "query" || a.Events == nil || len(a.Events) != 0 {
			t.Fatalf("at first: %+v, %v", a, err)
		}
		for range logAtOnce {
			<-s.log.turns
		}
		<-s.log.known["query"].done
		a, err = s.ask(t.Context(), v, "query", q)
		if err != nil || a.Status != LogComplete || len(a.Events) != 1 || a.Events[0].Name != "Paddock" {
			t.Fatalf("in the end: %+v, %v", a, err)
		}
	})
}
