package web

import (
	"strconv"
	"strings"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
)

// Time is an instant on the wire: "2026-11-22T09:01:00.000Z", RFC 3339 in UTC with milliseconds. The zero
// Time is null. For members that may be null use *Time.
type Time time.Time

const timeFormat = "2006-01-02T15:04:05.000Z"

// Millis is the Time of UTC milliseconds since 1970.
func Millis(ms int64) Time { return Time(clock.FromMillis(ms)) }

// MaybeMillis is Millis for a column that may be NULL.
func MaybeMillis(ms *int64) *Time {
	if ms == nil {
		return nil
	}
	t := Millis(*ms)
	return &t
}

// MaybeTime is t as a *Time; nil stays nil.
func MaybeTime(t *time.Time) *Time {
	if t == nil {
		return nil
	}
	w := Time(*t)
	return &w
}

// Time is t in the standard library's type, UTC.
func (t Time) Time() time.Time { return time.Time(t).UTC() }

// IsZero reports whether t is the zero Time.
func (t Time) IsZero() bool { return time.Time(t).IsZero() }

func (t Time) String() string { return t.Time().Format(timeFormat) }

// MarshalJSON writes t; the zero Time is null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(timeFormat)+2)
	b = append(b, '"')
	b = t.Time().AppendFormat(b, timeFormat)
	return append(b, '"'), nil
}

// UnmarshalJSON reads an ISO date with or without zone (UTC then), or a number of UTC milliseconds. null
// leaves t as it is.
func (t *Time) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if u, err := strconv.Unquote(s); err == nil && s[0] == '"' {
		s = u
	}
	v, _, ok := absolute(s, time.UTC)
	if !ok {
		return badISO()
	}
	*t = Time(v)
	return nil
}

// UnmarshalText is UnmarshalJSON for parameters.
func (t *Time) UnmarshalText(b []byte) error {
	v, _, ok := absolute(string(b), time.UTC)
	if !ok {
		return badISO()
	}
	*t = Time(v)
	return nil
}

func badISO() error {
	return fault.New(fault.Invalid, "must be an ISO date such as 2026-01-31T10:00:00.000Z")
}

// badTime is the reason of every refused time; callers name the field.
func badTime() error {
	return fault.New(fault.Invalid, "must be a date (2026-01-31, 2026-01-31 10:00:00 or ISO 8601), unix milliseconds, or an age such as 1 day")
}

// ParseTime reads a time as the wire writes it: ISO 8601, "YYYY-MM-DD", "YYYY-MM-DD HH:mm:ss", unix
// milliseconds, or an age before now such as "1 day" or "2 hours". Times without a zone are in loc, which
// may be nil for UTC. The result is UTC, between the years 1 and 9999. It returns an Invalid fault whose
// text has no field name: wrap it as fault.Field(name, "%v", err).
func ParseTime(s string, now time.Time, loc *time.Location) (time.Time, error) {
	t, _, err := parseTime(s, now, loc)
	return t, err
}

// ParseRange reads the parameters from and to of a list as UTC milliseconds; 0 for one that was not given, so they
// must lie after 1970. It returns Invalid faults that name the parameter.
func ParseRange(from, to string, now time.Time) (first, last int64, err error) {
	for _, x := range []struct {
		name, text string
		to         *int64
		parse      func(string, time.Time, *time.Location) (time.Time, error)
	}{{"from", from, &first, ParseTime}, {"to", to, &last, ParseTimeEnd}} {
		if x.text == "" {
			continue
		}
		t, err := x.parse(x.text, now, nil)
		if err != nil {
			return 0, 0, fault.Field(x.name, "%v", err)
		}
		if t.UnixMilli() < 1 {
			return 0, 0, fault.Field(x.name, "must be after 1970")
		}
		*x.to = t.UnixMilli()
	}
	if last > 0 && first > last {
		return 0, 0, fault.Field("to", "must not be before from")
	}
	return first, last, nil
}

// ParseTimeEnd is ParseTime for the end of a range: a date alone means its last millisecond.
func ParseTimeEnd(s string, now time.Time, loc *time.Location) (time.Time, error) {
	t, dateOnly, err := parseTime(s, now, loc)
	if err == nil && dateOnly {
		if loc == nil {
			loc = time.UTC
		}
		y, m, d := t.In(loc).Date()
		t = time.Date(y, m, d+1, 0, 0, 0, 0, loc).Add(-time.Millisecond).UTC()
	}
	return t, err
}

func parseTime(s string, now time.Time, loc *time.Location) (t time.Time, dateOnly bool, err error) {
	s = strings.TrimSpace(s)
	if t, dateOnly, ok := absolute(s, loc); ok {
		return t, dateOnly, nil
	}
	if t, ok := relative(s, now, -1); ok {
		return t, false, nil
	}
	return time.Time{}, false, badTime()
}

// ParseExpire reads when something ends: "never", "null" and "" are nil, else an ISO date or a span from
// now such as "3 months". It returns an Invalid fault, without a field name, for other text and for times
// that are past.
func ParseExpire(s string, now time.Time) (*time.Time, error) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "", "never", "null":
		return nil, nil
	}
	t, _, ok := absolute(s, time.UTC)
	if !ok {
		t, ok = relative(s, now, +1)
	}
	if !ok {
		return nil, fault.New(fault.Invalid, "must be never, an ISO date or a span such as 3 months")
	}
	if !t.After(now) {
		return nil, fault.New(fault.Invalid, "must be in the future")
	}
	return &t, nil
}

var zoned = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 Z07:00",
}

var zoneless = []string{
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
}

// absolute reads every form of time that does not depend on now.
func absolute(s string, loc *time.Location) (t time.Time, dateOnly, ok bool) {
	if loc == nil {
		loc = time.UTC
	}
	if len(s) < 9 || len(s) > 40 || s[0] < '0' || s[0] > '9' {
		return t, false, false
	}
	if isIndex(s) {
		ms, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return t, false, false
		}
		t = clock.FromMillis(ms)
		return t, false, sane(t)
	}
	if len(s) == len(time.DateOnly) {
		t, err := time.ParseInLocation(time.DateOnly, s, loc)
		return t.UTC(), true, err == nil && sane(t)
	}
	for _, f := range zoned {
		if t, err := time.Parse(f, s); err == nil {
			return t.UTC(), false, sane(t)
		}
	}
	for _, f := range zoneless {
		if t, err := time.ParseInLocation(f, s, loc); err == nil {
			return t.UTC(), false, sane(t)
		}
	}
	// A "+" in a query that nobody escaped arrives as a space: 2026-01-31T10:00:00 02:00.
	if i := strings.LastIndexByte(s, ' '); i > len(time.DateOnly) {
		if t, err := time.Parse(time.RFC3339Nano, s[:i]+"+"+s[i+1:]); err == nil {
			return t.UTC(), false, sane(t)
		}
	}
	return time.Time{}, false, false
}

func sane(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1 && y <= 9999
}

// relative reads "3 months" as that far from now, sign +1 ahead and -1 back.
func relative(s string, now time.Time, sign int) (time.Time, bool) {
	digits := strings.TrimLeft(s, "0123456789")
	n, err := strconv.Atoi(s[:len(s)-len(digits)])
	if err != nil || n > 10_000_000 {
		return time.Time{}, false
	}
	unit := strings.ToLower(strings.TrimSpace(digits))
	n *= sign
	now = now.UTC()
	var t time.Time
	switch strings.TrimSuffix(unit, "s") {
	case "second", "sec":
		t = now.Add(time.Duration(n) * time.Second)
	case "minute", "min":
		t = now.Add(time.Duration(n) * time.Minute)
	case "hour", "hr", "h":
		t = now.Add(time.Duration(n) * time.Hour)
	case "day", "d":
		t = now.AddDate(0, 0, n)
	case "week", "w":
		t = now.AddDate(0, 0, 7*n)
	case "month":
		t = addMonths(now, n)
	case "quarter":
		t = addMonths(now, 3*n)
	case "year", "y":
		t = addMonths(now, 12*n)
	default:
		return time.Time{}, false
	}
	return t, sane(t)
}

// addMonths moves t by months and stays in the month it lands in: a month before 31 March is 28 February.
func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, t.Location()).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}
