package billing

import (
	"math/bits"
	"slices"
)

// splitter divides amounts among weights. It keeps its memory, so that one may divide many.
type splitter struct {
	w     []uint64
	sum   uint64
	rest  []uint64 // remainders; those of weights that are zero are zero
	order []int
}

// split divides micro-units in proportion to weights, by the largest remainder: everybody gets the whole part of their
// share, and what is left goes, a unit each, to those whose remainders are largest; of equal ones to who stands first. It adds times
// the result to out, which is as long as weights, and reports false, having done nothing, when all weights are zero. Weights are not negative; a
// negative amount is divided like a positive one.
func (s *splitter) split(micro int64, weights []int64, times int64, out []int64) bool {
	if !s.scale(weights) {
		return false
	}
	if micro < 0 {
		micro, times = -micro, -times
	}
	left := s.divide(uint64(micro), times, out)
	s.hand(left, times, out)
	return true
}

// splitTwo divides an amount and the one that is a unit further from zero, with one pass of divisions for both. The results
// are added to low and high; it reports false for no weight, as split.
func (s *splitter) splitTwo(micro, unit int64, weights []int64, low, high []int64) bool {
	if !s.scale(weights) {
		return false
	}
	left := s.divide(uint64(micro*unit), unit, low)
	copy(high, low)
	s.hand(left, unit, low)
	left++
	for i, w := range s.w { // another unit adds w to each remainder
		if w == 0 {
			continue
		}
		if room := s.sum - s.rest[i]; w >= room {
			s.rest[i] = w - room
			high[i] += unit
			left--
		} else {
			s.rest[i] += w
		}
	}
	s.hand(left, unit, high)
	return true
}

// divide adds the whole parts of shares to out, keeps the remainders, and says how many units are left.
func (s *splitter) divide(micro uint64, times int64, out []int64) (left uint64) {
	s.rest = slices.Grow(s.rest[:0], len(s.w))[:len(s.w)]
	left = micro
	large, _ := bits.Mul64(micro, s.sum)
	for i, w := range s.w {
		var q, r uint64
		switch {
		case w == 0:
		case large == 0:
			q = micro * w / s.sum
			r = micro*w - q*s.sum
		default:
			hi, lo := bits.Mul64(micro, w)
			q, r = bits.Div64(hi, lo, s.sum)
		}
		out[i] += int64(q) * times
		left -= q
		s.rest[i] = r
	}
	return left
}

// hand gives a unit each to those whose remainders are largest.
func (s *splitter) hand(left uint64, times int64, out []int64) {
	if left == 0 {
		return
	}
	s.order = s.order[:0]
	for i, r := range s.rest {
		if r > 0 {
			s.order = append(s.order, i)
		}
	}
	s.largest(int(left))
	for _, i := range s.order[:left] {
		out[i] += times
	}
}

// before reports whether i is given a unit before j.
func (s *splitter) before(i, j int) bool {
	return s.rest[i] > s.rest[j] || s.rest[i] == s.rest[j] && i < j
}

// largest moves the n that stand first to the front of order, in any order among themselves. (Sorting all of them takes most of the
// time of a division among a thousand.)
func (s *splitter) largest(n int) {
	for lo, hi := 0, len(s.order); hi-lo > 1 && n > lo && n < hi; {
		o := s.order[lo:hi]
		mid := len(o) / 2
		if s.before(o[len(o)-1], o[0]) {
			o[0], o[len(o)-1] = o[len(o)-1], o[0]
		}
		if s.before(o[mid], o[0]) {
			o[0], o[mid] = o[mid], o[0]
		} else if s.before(o[len(o)-1], o[mid]) {
			o[mid], o[len(o)-1] = o[len(o)-1], o[mid]
		}
		o[mid], o[len(o)-1] = o[len(o)-1], o[mid]
		pivot, at := o[len(o)-1], 0
		for i, x := range o[:len(o)-1] {
			if s.before(x, pivot) {
				o[i], o[at] = o[at], o[i]
				at++
			}
		}
		o[at], o[len(o)-1] = o[len(o)-1], o[at]
		switch at += lo; {
		case at == n || at+1 == n:
			return
		case at > n:
			hi = at
		default:
			lo = at + 1
		}
	}
}

// scale copies the weights to s.w and sums them; false when all are zero. Where the sum does not fit, all weights lose as many low bits as needed:
// only weights that come near plan.Unlimited do, and those of them that are equal stay so.
func (s *splitter) scale(weights []int64) bool {
	s.w = slices.Grow(s.w[:0], len(weights))[:len(weights)]
	var hi, carry uint64
	s.sum = 0
	for i, w := range weights {
		s.w[i] = uint64(max(w, 0))
		s.sum, carry = bits.Add64(s.sum, s.w[i], 0)
		hi += carry
	}
	if hi > 0 {
		shift := bits.Len64(hi)
		s.sum = 0
		for i := range s.w {
			s.w[i] >>= shift
			s.sum += s.w[i]
		}
	}
	return s.sum > 0
}
