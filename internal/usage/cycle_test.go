package usage

import (
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/kit/clock"
)

func at(t *testing.T, s string) int64 {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return clock.Millis(v)
}

func TestCycle(t *testing.T) {
	for _, c := range []struct{ name, zone, anchor, at, from, to string }{
		{"without an anchor it is the month of the zone", "Europe/Berlin", "", "2026-03-14T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"before the anchor it is that month, up to the anchor", "Europe/Berlin", "2026-03-20T10:15:00Z", "2026-03-14T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-20T10:15:00Z"},
		{"it begins with the anchor", "Europe/Berlin", "2026-03-20T10:15:00Z", "2026-03-20T10:15:00Z", "2026-03-20T10:15:00Z", "2026-04-20T10:15:00Z"},
		{"clocks that are put forward in it move nothing", "Europe/Berlin", "2026-03-20T10:15:00Z", "2026-04-20T10:14:59Z", "2026-03-20T10:15:00Z", "2026-04-20T10:15:00Z"},
		{"an anniversary begins the next", "Europe/Berlin", "2026-03-20T10:15:00Z", "2026-04-20T10:15:00Z", "2026-04-20T10:15:00Z", "2026-05-20T10:15:00Z"},
		{"a year later it is the same day", "Asia/Kolkata", "2026-03-20T10:15:00Z", "2027-03-25T00:00:00Z", "2027-03-20T10:15:00Z", "2027-04-20T10:15:00Z"},
		{"a month without the day has its last", "UTC", "2026-01-31T08:30:00Z", "2026-02-28T08:29:59Z", "2026-01-31T08:30:00Z", "2026-02-28T08:30:00Z"},
		{"and the next one has the day again", "UTC", "2026-01-31T08:30:00Z", "2026-03-01T00:00:00Z", "2026-02-28T08:30:00Z", "2026-03-31T08:30:00Z"},
		{"thirty days are thirty days", "UTC", "2026-01-31T08:30:00Z", "2026-04-30T08:30:00Z", "2026-04-30T08:30:00Z", "2026-05-31T08:30:00Z"},
		{"a leap year has the 29th", "UTC", "2027-10-31T00:00:00Z", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
		{"an anchor on the 29th of February comes back in four years", "UTC", "2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z", "2029-02-28T12:00:00Z", "2029-03-29T12:00:00Z"},
		{"and then it is the 29th", "UTC", "2028-02-29T12:00:00Z", "2032-02-29T11:00:00Z", "2032-01-29T12:00:00Z", "2032-02-29T12:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			acc := account.Account{Timezone: c.zone}
			if c.anchor != "" {
				acc.Anchor = at(t, c.anchor)
			}
			from, to := Cycle(acc, at(t, c.at))
			if from != at(t, c.from) || to != at(t, c.to) {
				t.Fatalf("%s to %s", clock.FromMillis(from).UTC(), clock.FromMillis(to).UTC())
			}
		})
	}
	t.Run("cycles follow on one another without a gap, whatever the day", func(t *testing.T) {
		for day := 1; day <= 31; day++ {
			acc := account.Account{Timezone: "UTC", Anchor: clock.Millis(time.Date(2026, 1, day, 23, 45, 0, 0, time.UTC))}
			next := acc.Anchor
			for range 50 {
				from, to := Cycle(acc, next)
				if _, end := Cycle(acc, to-1); from != next || end != to || clock.FromMillis(from).UTC().Day() > day {
					t.Fatal(day, clock.FromMillis(next).UTC())
				}
				next = to
			}
		}
	})
}
