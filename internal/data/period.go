package data

import (
	"strconv"
	"strings"
	"time"

	"paddock/internal/device"
	"paddock/internal/kit/fault"
)

// Chunks of immutable devices are calendar periods in UTC; weeks begin on Monday.

// periodStart is the start of the period that ms lies in.
func periodStart(p device.Period, ms int64) int64 {
	t := time.UnixMilli(ms).UTC()
	y, m, d := t.Date()
	switch p {
	case device.Week:
		d -= (int(t.Weekday()) + 6) % 7
	case device.Month:
		d = 1
	case device.Quarter:
		m, d = (m-1)/3*3+1, 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// periodShift moves the start of a period by n periods.
func periodShift(p device.Period, start int64, n int) int64 {
	t := time.UnixMilli(start).UTC()
	switch p {
	case device.Week:
		t = t.AddDate(0, 0, 7*n)
	case device.Month:
		t = t.AddDate(0, n, 0)
	case device.Quarter:
		t = t.AddDate(0, 3*n, 0)
	default:
		t = t.AddDate(0, 0, n)
	}
	return t.UnixMilli()
}

// oldest is the start of the oldest chunk that an immutable device keeps now: retention counts whole periods
// besides the current one.
func oldest(v device.View, now int64) int64 {
	return keeps(v.ChunkPeriod, v.ChunkRetention, now)
}

// keeps is the start of the oldest chunk that is kept now, of so many periods besides the current one.
func keeps(p device.Period, retention, now int64) int64 {
	return periodShift(p, periodStart(p, now), -int(retention))
}

// window is the range of times that an immutable device takes now: from the oldest chunk it keeps to the end
// of tomorrow.
func window(v device.View, now int64) (from, to int64) {
	return oldest(v, now), periodShift(device.Day, periodStart(device.Day, now), 2) - 1
}

func outOfWindow(field string, from, to int64) error {
	const day = "2006-01-02"
	return fault.Field(field, "Time must be between %s and %s", time.UnixMilli(from).UTC().Format(day), time.UnixMilli(to).UTC().Format(day))
}

// chunkID names a chunk on the wire: "<unix seconds>_<unix seconds>" of its first and last second. A mutable
// device has one, "0_0".
func chunkID(v device.View, start int64) string {
	if v.Type == device.Mutable {
		return "0_0"
	}
	return strconv.FormatInt(start/1000, 10) + "_" + strconv.FormatInt(chunkEnd(v, start)/1000, 10)
}

// chunkEnd is the last millisecond of a chunk.
func chunkEnd(v device.View, start int64) int64 { return periodShift(v.ChunkPeriod, start, 1) - 1 }

// parseChunkID is the start of the chunk that an id names, in milliseconds.
func parseChunkID(s string) (start int64, ok bool) {
	from, to, ok := strings.Cut(s, "_")
	if !ok {
		return 0, false
	}
	a, err := strconv.ParseInt(from, 10, 64)
	if err != nil || a < 0 || a > lastMoment/1000 {
		return 0, false
	}
	b, err := strconv.ParseInt(to, 10, 64)
	return a * 1000, err == nil && b >= a
}
