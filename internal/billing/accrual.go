package billing

import (
	"math/bits"
	"time"
)

// A cent is 10,000 micro-units; everything below a cent is counted in these.
const microPerCent = 10_000

const (
	quarter = int64(15 * time.Minute / time.Millisecond)
	hour    = int64(time.Hour / time.Millisecond)
)

// mostCents bounds a charge, so that micro-units of many of them add up without overflow.
const mostCents = int64(1e12)

// hours is how many hours the charge pays for; the last may be shorter.
func (c Charge) hours() int64 { return max(0, (c.End-c.Start+hour-1)/hour) }

// hourStart is when hour k begins; the first is 0.
func (c Charge) hourStart(k int64) int64 { return c.Start + k*hour }

// hourEnd is when hour k ends.
func (c Charge) hourEnd(k int64) int64 { return min(c.Start+(k+1)*hour, c.End) }

// upTo is what the first k hours are worth, in micro-units. A charge and one that gives all of it back cancel hour by hour.
func (c Charge) upTo(k int64) int64 {
	n := c.hours()
	if n == 0 {
		return 0
	}
	return mulDiv(c.Cents*microPerCent, min(max(k, 0), n), n)
}

// between is what the hours from first up to, not including, next are worth.
func (c Charge) between(first, next int64) int64 { return c.upTo(next) - c.upTo(first) }

// startingIn are the hours that start in a stretch of time: from first up to, not including, next.
func (c Charge) startingIn(from, to int64) (first, next int64) {
	n := c.hours()
	index := func(ms int64) int64 {
		if ms <= c.Start {
			return 0
		}
		return min((ms-c.Start+hour-1)/hour, n)
	}
	first, next = index(from), index(to)
	return first, max(first, next)
}

// over is how many hours have ended by an instant.
func (c Charge) over(now int64) int64 {
	switch {
	case now >= c.End:
		return c.hours()
	case now < c.Start:
		return 0
	}
	return (now - c.Start) / hour
}

// left is what the hours from an instant on are worth, in whole cents: what is given back when the charge ends then. It is
// rounded to the nearest cent, half a cent away from zero.
func (c Charge) left(from int64) int64 {
	first, n := c.startingIn(from, c.End)
	return prorate(c.Cents, n-first, c.hours())
}

// prorate is part/whole of some cents, rounded to the nearest, half a cent away from zero.
func prorate(cents, part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	if cents < 0 {
		return -prorate(-cents, part, whole)
	}
	hi, lo := bits.Mul64(uint64(cents), 2*uint64(part))
	lo, carry := bits.Add64(lo, uint64(whole), 0)
	q, _ := bits.Div64(hi+carry, lo, 2*uint64(whole))
	return int64(q)
}

// mulDiv is m·k/n rounded towards zero, for 0 ≤ k ≤ n and n > 0, without overflow.
func mulDiv(m, k, n int64) int64 {
	if m < 0 {
		return -mulDiv(-m, k, n)
	}
	hi, lo := bits.Mul64(uint64(m), uint64(k))
	q, _ := bits.Div64(hi, lo, uint64(n))
	return int64(q)
}
