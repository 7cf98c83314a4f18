package data

import "time"

var utc = time.UTC

// The moments that can be written: years 1 to 9999, which RFC 3339 can show.
const (
	firstMoment = -62135596800000
	lastMoment  = 253402300799999
)

// moment is a parsed ISO 8601 text. Its fields are on the clock of its zone, or of no zone when zoned is
// false: then the reader supplies one.
type moment struct {
	year, month, day     int
	hour, min, sec, msec int
	offset               int // seconds east of UTC, when zoned
	zoned, dateOnly      bool
}

// in is the instant of m; loc counts when m names no zone itself.
func (m moment) in(loc *time.Location) int64 {
	if m.zoned {
		loc = time.UTC
	}
	t := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.min, m.sec, m.msec*1e6, loc)
	return t.UnixMilli() - int64(m.offset)*1000
}

// parseMoment reads YYYY-MM-DD, then optionally T or a blank, HH:MM[:SS[.fraction]] and Z or an offset
// (+hh, +hhmm, +hh:mm). Digits of a fraction beyond the millisecond are dropped. Days that do not exist fail.
func parseMoment[S ~string | ~[]byte](s S) (m moment, ok bool) {
	p := 0
	digits := func(n int) (int, bool) {
		if len(s)-p < n {
			return 0, false
		}
		v := 0
		for range n {
			c := s[p]
			if c < '0' || c > '9' {
				return 0, false
			}
			v = v*10 + int(c-'0')
			p++
		}
		return v, true
	}
	skip := func(c byte) bool {
		if p < len(s) && s[p] == c {
			p++
			return true
		}
		return false
	}
	if m.year, ok = digits(4); !ok || !skip('-') {
		return m, false
	}
	if m.month, ok = digits(2); !ok || !skip('-') {
		return m, false
	}
	if m.day, ok = digits(2); !ok {
		return m, false
	}
	if m.year < 1 || m.month < 1 || m.month > 12 || m.day < 1 || m.day > daysIn(m.year, m.month) {
		return m, false
	}
	if p == len(s) {
		m.dateOnly = true
		return m, true
	}
	if !skip('T') && !skip('t') && !skip(' ') {
		return m, false
	}
	if m.hour, ok = digits(2); !ok || !skip(':') {
		return m, false
	}
	if m.min, ok = digits(2); !ok {
		return m, false
	}
	if skip(':') {
		if m.sec, ok = digits(2); !ok {
			return m, false
		}
		if skip('.') || skip(',') {
			n, scale := 0, 100
			for p < len(s) && s[p] >= '0' && s[p] <= '9' {
				m.msec += int(s[p]-'0') * scale
				scale /= 10
				p++
				n++
			}
			if n == 0 {
				return m, false
			}
		}
	}
	if m.hour > 23 || m.min > 59 || m.sec > 59 {
		return m, false
	}
	switch {
	case p == len(s):
	case skip('Z') || skip('z'):
		m.zoned = true
	case s[p] == '+' || s[p] == '-':
		sign := 1
		if s[p] == '-' {
			sign = -1
		}
		p++
		h, ok := digits(2)
		if !ok {
			return m, false
		}
		min := 0
		if p < len(s) {
			skip(':')
			if min, ok = digits(2); !ok {
				return m, false
			}
		}
		if h > 14 || min > 59 {
			return m, false
		}
		m.zoned, m.offset = true, sign*(h*3600+min*60)
	}
	return m, p == len(s)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// short is s for a message: its first characters.
func short(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
