package live

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
)

var (
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	one   = Channel{Name: Notification}
	two   = Channel{Name: Limits}
	some  = id.Profile("64b0c0ffee00000000000001")
	other = id.Profile("64b0c0ffee00000000000002")
)

func rig() (*Hub, *clock.Manual) {
	c := clock.NewManual(noon)
	return newHub(c), c
}

func (h *Hub) must(t *testing.T, p id.Profile, last string, channels ...Channel) *Listener {
	t.Helper()
	l, err := h.Listen(p, channels, last)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func (h *Hub) say(p id.Profile, c Channel, n int) { h.Publish(p, c, "", fmt.Appendf(nil, "%d", n)) }

// read takes all there is and tells it in short: payloads, and "lost" with its span. last is the last id.
func read(t *testing.T, l *Listener) (got []string, last string) {
	t.Helper()
	for {
		select {
		case <-l.Ready():
		default:
			return got, last
		}
		b, err := l.Take(nil)
		if err != nil {
			return append(got, "dropped"), last
		}
		for _, f := range strings.Split(string(b), "\n\n") {
			lost := false
			for _, line := range strings.Split(f, "\n") {
				name, text, _ := strings.Cut(line, ": ")
				switch name {
				case "id":
					last = text
				case "event":
					lost = text == "lost"
				case "data":
					_, text, _ = strings.Cut(text, `"payload":`)
					text = strings.TrimSuffix(text, "}")
					if lost {
						text = "lost " + text
					}
					got = append(got, text)
				}
			}
		}
	}
}

func want(t *testing.T, l *Listener, want ...string) (last string) {
	t.Helper()
	got, last := read(t, l)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	return last
}

func TestFeed(t *testing.T) {
	t.Run("everybody gets what is published on their channels of their profile, in order", func(t *testing.T) {
		h, _ := rig()
		a, b, c := h.must(t, some, "", one), h.must(t, some, "", one, two), h.must(t, other, "", one)
		h.say(some, one, 1)
		h.say(some, two, 2)
		h.say(some, one, 3)
		want(t, a, "1", "3")
		want(t, b, "1", "2", "3")
		want(t, c)
	})
	t.Run("nothing is kept while nobody listens", func(t *testing.T) {
		h, _ := rig()
		h.say(some, one, 1)
		l := h.must(t, some, "", two)
		h.say(some, one, 2)
		want(t, l)
		if len(h.feeds[some].events) != 0 {
			t.Error("an event without a channel is held")
		}
	})
	t.Run("a large heap is taken in pieces", func(t *testing.T) {
		h, _ := rig()
		l := h.must(t, some, "", one)
		big := []byte(`"` + strings.Repeat("x", atOnce/2) + `"`)
		for range 5 {
			h.Publish(some, one, "", big)
		}
		pieces, total := 0, 0
		for {
			select {
			case <-l.Ready():
				b, err := l.Take(nil)
				if err != nil || len(b) > 2*atOnce {
					t.Fatal(len(b), err)
				}
				pieces++
				total += bytes.Count(b, []byte("data: "))
				continue
			default:
			}
			break
		}
		if pieces < 3 || total != 5 {
			t.Errorf("%d pieces, %d events", pieces, total)
		}
	})
	t.Run("who falls behind the feed is dropped, a neighbour on another channel is not", func(t *testing.T) {
		h, _ := rig()
		h.maxEvents = 10
		slow, fast, quiet := h.must(t, some, "", one), h.must(t, some, "", one), h.must(t, some, "", two)
		for i := range 30 {
			h.say(some, one, i)
			if got, _ := read(t, fast); !slices.Equal(got, []string{fmt.Sprint(i)}) {
				t.Fatal(got)
			}
		}
		if _, err := slow.Take(nil); !errors.Is(err, errSlow) {
			t.Errorf("the slow one: %v", err)
		}
		h.say(some, two, 99)
		want(t, quiet, "99")
	})
	t.Run("a feed holds its share of bytes", func(t *testing.T) {
		h, _ := rig()
		h.must(t, some, "", one)
		for range 200 {
			h.Publish(some, one, "", []byte(`"`+strings.Repeat("x", 100_000)+`"`))
		}
		if f := h.feeds[some]; f.bytes > mostShare || len(f.events) < 10 {
			t.Errorf("%d events, %d bytes", len(f.events), f.bytes)
		}
		for i := range 2000 {
			h.must(t, id.Profile(fmt.Sprintf("%024x", i)), "", one)
			if len(h.feeds) > 1024 && h.share.Load() != leastShare {
				t.Fatalf("%d feeds have %d bytes each", len(h.feeds), h.share.Load())
			}
			if h.listeners == inAll {
				break
			}
		}
		if _, err := h.Listen(other, []Channel{one}, ""); !fault.Is(err, fault.Unavailable) {
			t.Errorf("one too many: %v", err)
		}
	})
	t.Run("a listener too many is refused and takes nobody's place", func(t *testing.T) {
		h, _ := rig()
		h.perProfile = 2
		a := h.must(t, some, "", one)
		h.must(t, some, "", one)
		if _, err := h.Listen(some, []Channel{one}, ""); !fault.Is(err, fault.TooMany) {
			t.Errorf("%v", err)
		}
		h.must(t, other, "", one)
		a.Close()
		a.Close()
		h.must(t, some, "", one)
		if h.listeners != 3 || h.feeds[some].listeners != 2 {
			t.Errorf("%d, %d", h.listeners, h.feeds[some].listeners)
		}
	})
}

func TestResume(t *testing.T) {
	t.Run("what came meanwhile is given", func(t *testing.T) {
		h, _ := rig()
		l := h.must(t, some, "", one, two)
		h.say(some, one, 1)
		last := want(t, l, "1")
		h.say(some, two, 2)
		l.Close()
		h.say(some, one, 3)
		want(t, h.must(t, some, last, one, two), "2", "3")
	})
	t.Run("also when nothing had come before", func(t *testing.T) {
		h, _ := rig()
		l := h.must(t, some, "", one)
		last := want(t, l)
		l.Close()
		h.say(some, one, 1)
		want(t, h.must(t, some, last, one), "1")
	})
	t.Run("what the feed let go of is said with its time, once, and the rest is given", func(t *testing.T) {
		h, c := rig()
		h.maxEvents = 3
		l := h.must(t, some, "", one, two)
		h.say(some, one, 1)
		h.say(some, two, 2)
		last := want(t, l, "1", "2")
		l.Close()
		for i := 3; i < 8; i++ {
			c.Advance(time.Second)
			h.say(some, one, i)
		}
		l = h.must(t, some, last, one, two)
		last = want(t, l, `lost {"since":"2026-05-04T12:00:00.000Z","until":"2026-05-04T12:00:02.000Z"}`, "5", "6", "7")
		l.Close()
		want(t, h.must(t, some, last, one, two))
	})
	t.Run("a channel that was not recorded is said", func(t *testing.T) {
		h, c := rig()
		l := h.must(t, some, "", one)
		h.say(some, one, 1)
		last := want(t, l, "1")
		c.Advance(time.Minute)
		want(t, h.must(t, some, last, one, two), `lost {"since":"2026-05-04T12:00:00.000Z","until":"2026-05-04T12:01:00.000Z"}`)
	})
	t.Run("after the pause nothing is held", func(t *testing.T) {
		for _, sweep := range []bool{false, true} {
			h, c := rig()
			stays := h.must(t, some, "", two)
			l := h.must(t, some, "", one)
			h.say(some, one, 1)
			last := want(t, l, "1")
			l.Close()
			if sweep {
				stays.Close()
			}
			c.Advance(linger + time.Second)
			h.say(some, one, 2)
			if err := h.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if sweep && len(h.feeds) != 0 {
				t.Error("an empty feed stays")
			}
			want(t, h.must(t, some, last, one), `lost {"since":"2026-05-04T12:00:00.000Z","until":"2026-05-04T12:02:01.000Z"}`)
		}
	})
	t.Run("after a restart the time tells", func(t *testing.T) {
		h, c := rig()
		h.must(t, some, "", one) // somebody was back earlier
		c.Advance(time.Second)
		last := fmt.Sprintf("deadbeef-900-%d", noon.Add(500*time.Millisecond).UnixMilli())
		h.say(some, one, 1)
		want(t, h.must(t, some, last, one), "1")
		early := fmt.Sprintf("deadbeef-900-%d", noon.Add(-time.Minute).UnixMilli())
		want(t, h.must(t, some, early, one), `lost {"since":"2026-05-04T11:59:00.000Z","until":"2026-05-04T12:00:00.000Z"}`, "1")
	})
	t.Run("an id that is none counts as none", func(t *testing.T) {
		h, _ := rig()
		h.must(t, some, "", one)
		h.say(some, one, 1)
		for _, bad := range []string{"x", "a-b-c", "a-1", "a--1-5", "a-1-99999999999999999999", strings.Repeat("-", 100)} {
			want(t, h.must(t, some, bad, one))
		}
	})
}
