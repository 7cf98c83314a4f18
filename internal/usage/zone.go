package usage

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
)

// offsetForm is a fixed offset from UTC. A "+" that nobody escaped in a URL arrives as a space.
var offsetForm = regexp.MustCompile(`^(?:UTC|GMT)?([+\- ])(\d{1,2})(?::?(\d{2}))?$`)

// zones are the named zones that were asked for; there are as many as the time zone database has.
var zones sync.Map

// parseZone reads a time zone: a name of the IANA database or an offset such as +05:45, of whole quarters of an
// hour up to 14 hours, since that is how finely use is written down. It returns Invalid naming timezone.
func parseZone(s string) (*time.Location, error) {
	bad := fault.Field("timezone", "must be a time zone such as Europe/Berlin, or an offset in quarters of an hour such as +05:45")
	name := strings.ReplaceAll(strings.TrimRight(s, " "), "\u2212", "-")
	if name == "Z" || name == "" {
		return time.UTC, nil
	}
	if m := offsetForm.FindStringSubmatch(name); m != nil {
		h, _ := strconv.Atoi(m[2])
		minutes := 0
		if m[3] != "" {
			minutes, _ = strconv.Atoi(m[3])
		}
		total := h*60 + minutes
		if minutes > 59 || minutes%15 != 0 || total > 14*60 {
			return nil, bad
		}
		if m[1] == "-" {
			total = -total
		}
		return time.FixedZone(name, total*60), nil
	}
	if l, ok := zones.Load(name); ok {
		return l.(*time.Location), nil
	}
	if name == "Local" || len(name) > 64 {
		return nil, bad
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, bad
	}
	zones.Store(name, l)
	return l, nil
}

// midnight is the first instant of a day, whose month and day may be out of range as for time.Date. Where
// clocks are put forward at midnight it is the first hour there is; where they are put back to it, the first of
// both midnights.
func midnight(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	day := time.Date(y, m, d, 12, 0, 0, 0, loc).Day()
	from, to := t.ZoneBounds()
	if t.Day() != day { // the hour before the gap
		return to
	}
	if t.Hour() != 0 || t.Minute() != 0 { // the hour behind it
		return from
	}
	if !from.IsZero() {
		_, off := t.Zone()
		_, before := from.Add(-time.Nanosecond).Zone()
		first := t.Add(-time.Duration(before-off) * time.Second)
		if first.Before(from) && first.Day() == day {
			return first
		}
	}
	return t
}

// dayOf is the day of loc that ms lies in.
func dayOf(ms int64, loc *time.Location) (from, to int64) {
	y, m, d := clock.FromMillis(ms).In(loc).Date()
	return quarterOf(clock.Millis(midnight(y, m, d, loc))), quarterOf(clock.Millis(midnight(y, m, d+1, loc)))
}

const hour = int64(time.Hour / time.Millisecond)

// hourOf is the hour on the clocks of loc that ms lies in. It is shorter than an hour where clocks move by half
// of one.
func hourOf(ms int64, loc *time.Location) (from, to int64) {
	t := clock.FromMillis(ms).In(loc)
	_, seconds := t.Zone()
	off := int64(seconds) * 1000
	from = ms - (((ms+off)%hour)+hour)%hour
	to = from + hour
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		from = max(from, clock.Millis(start))
	}
	if !end.IsZero() {
		to = min(to, clock.Millis(end))
	}
	return quarterOf(from), quarterOf(to)
}
