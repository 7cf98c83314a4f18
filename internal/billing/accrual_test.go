package billing

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paddock/internal/plan"
)

func TestAccrual(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	c := Charge{Cents: 4900, Start: start, End: start + 31*24*hour}
	t.Run("the hours add up to the charge, and two of them differ by a unit at most", func(t *testing.T) {
		var total int64
		least, most := int64(math.MaxInt64), int64(0)
		for k := range c.hours() {
			n := c.between(k, k+1)
			total += n
			least, most = min(least, n), max(most, n)
		}
		if c.hours() != 744 || total != 49_000_000 || most-least != 1 || least != 65_860 {
			t.Errorf("%d hours of %d to %d add up to %d", c.hours(), least, most, total)
		}
	})
	t.Run("what is given back cancels hour by hour", func(t *testing.T) {
		back := c
		back.Cents = -c.Cents
		for k := range c.hours() {
			if c.between(k, k+1)+back.between(k, k+1) != 0 {
				t.Fatalf("hour %d is worth %d and %d", k, c.between(k, k+1), back.between(k, k+1))
			}
		}
	})
	t.Run("the last hour may be shorter", func(t *testing.T) {
		short := Charge{Cents: 3, Start: start, End: start + 2*hour + quarter}
		if short.hours() != 3 || short.hourEnd(2) != short.End || short.hourEnd(1) != start+2*hour {
			t.Errorf("%d hours, the last ends at %d", short.hours(), short.hourEnd(2)-start)
		}
		for _, x := range []struct{ now, over int64 }{{start - 1, 0}, {start, 0}, {start + hour - 1, 0}, {start + hour, 1}, {start + 2*hour, 2}, {short.End - 1, 2}, {short.End, 3}, {short.End + hour, 3}} {
			if n := short.over(x.now); n != x.over {
				t.Errorf("at %d ms %d hours are over, want %d", x.now-start, n, x.over)
			}
		}
	})
	t.Run("an hour lies where it starts", func(t *testing.T) {
		for _, x := range []struct{ from, to, first, next int64 }{
			{0, hour, 0, 1}, {1, hour, 1, 1}, {1, hour + 1, 1, 2}, {-5 * hour, 0, 0, 0}, {-hour, 1, 0, 1}, {743 * hour, 999 * hour, 743, 744}, {744 * hour, 999 * hour, 744, 744}, {5 * hour, 2 * hour, 5, 5},
		} {
			if first, next := c.startingIn(start+x.from, start+x.to); first != x.first || next != x.next {
				t.Errorf("from %d to %d ms: hours %d to %d, want %d to %d", x.from, x.to, first, next, x.first, x.next)
			}
		}
	})
	t.Run("no charge is too large", func(t *testing.T) {
		huge := Charge{Cents: mostCents, Start: start, End: start + 10*366*24*hour}
		if n := huge.between(0, huge.hours()); n != mostCents*microPerCent {
			t.Errorf("it adds up to %d", n)
		}
		if n := mulDiv(math.MaxInt64, 8783, 8784); n <= 0 {
			t.Errorf("%d", n)
		}
	})
}

func TestProrate(t *testing.T) {
	for _, x := range []struct{ cents, part, whole, want int64 }{
		{19900, 240, 720, 6633}, {4900, 240, 720, 1633}, {1, 1, 2, 1}, {-1, 1, 2, -1}, {3, 1, 2, 2}, {100, 0, 7, 0}, {100, 7, 7, 100}, {5, 0, 0, 0}, {mostCents, 743, 744, 998655913978},
	} {
		if n := prorate(x.cents, x.part, x.whole); n != x.want {
			t.Errorf("%d/%d of %d is %d, want %d", x.part, x.whole, x.cents, n, x.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, x := range []struct {
		name    string
		micro   int64
		weights []int64
		want    []int64
	}{
		{"whole parts", 10, []int64{1, 4, 0}, []int64{2, 8, 0}},
		{"the largest remainder gets what is left", 10, []int64{1, 1, 4}, []int64{2, 2, 6}},
		{"of equal remainders who stands first", 2, []int64{1, 1, 1}, []int64{1, 1, 0}},
		{"what is negative like what is positive", -10, []int64{1, 1, 4}, []int64{-2, -2, -6}},
		{"nothing", 0, []int64{1}, []int64{0}},
		{"limits without end are equal", 4, []int64{plan.Unlimited, plan.Unlimited}, []int64{2, 2}},
	} {
		t.Run(x.name, func(t *testing.T) {
			out := make([]int64, len(x.weights))
			if ok := new(splitter).split(x.micro, x.weights, 1, out); !ok || !slices.Equal(out, x.want) {
				t.Errorf("%v, want %v", out, x.want)
			}
		})
	}
	if new(splitter).split(5, []int64{0, 0}, 1, []int64{0, 0}) || new(splitter).split(5, nil, 1, nil) {
		t.Error("it was divided among nobody")
	}
	many := slices.Repeat([]int64{plan.Unlimited}, 5000)
	out := make([]int64, len(many))
	if !new(splitter).split(10_000, many, 1, out) || out[0] != 2 || out[4999] != 2 {
		t.Errorf("5000 limits without end have %d and %d", out[0], out[4999])
	}
}

// TestSplitIsExact compares with the definition, in whole numbers of any size.
func TestSplitIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micro := rapid.Int64Range(-mostCents*microPerCent, mostCents*microPerCent).Draw(t, "micro")
		weights := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, plan.Unlimited)), 1, 40).Draw(t, "weights")
		out := make([]int64, len(weights))
		ok := new(splitter).split(micro, weights, 1, out)
		all := new(big.Int)
		for _, w := range weights {
			all.Add(all, big.NewInt(w))
		}
		if ok != (all.Sign() > 0) {
			t.Fatalf("divided: %v", ok)
		}
		if !ok {
			return
		}
		abs := new(big.Int).Abs(big.NewInt(micro))
		type rest struct {
			i int
			r *big.Int
		}
		want := make([]int64, len(weights))
		left := abs.Int64()
		var rests []rest
		for i, w := range weights {
			q, r := new(big.Int).QuoRem(new(big.Int).Mul(abs, big.NewInt(w)), all, new(big.Int))
			want[i] = q.Int64()
			left -= want[i]
			rests = append(rests, rest{i, r})
		}
		slices.SortStableFunc(rests, func(a, b rest) int { return b.r.Cmp(a.r) })
		for i := range left {
			want[rests[i].i]++
		}
		if micro < 0 {
			for i := range want {
				want[i] = -want[i]
			}
		}
		if !slices.Equal(out, want) {
			t.Fatalf("%v, want %v", out, want)
		}
		unit := int64(1)
		if micro < 0 {
			unit = -1
		}
		low, high, more := make([]int64, len(weights)), make([]int64, len(weights)), make([]int64, len(weights))
		new(splitter).split(micro+unit, weights, 1, more)
		if !new(splitter).splitTwo(micro, unit, weights, low, high) || !slices.Equal(low, out) || !slices.Equal(high, more) {
			t.Fatalf("two at once: %v and %v, want %v and %v", low, high, out, more)
		}
	})
}

func TestShares(t *testing.T) {
	in := map[string]int64{"": -3, "65f1a2b3c4d5e6f708192a3b": 12, "05f1a2b3c4d5e6f708192a3b": 9_000_000_000_000_000, "gone": 0}
	text := encodeShares(in)
	if text != `{"":-3,"05f1a2b3c4d5e6f708192a3b":9000000000000000,"65f1a2b3c4d5e6f708192a3b":12}` {
		t.Error(text)
	}
	out := map[string]int64{}
	if err := eachShare(text, func(p string, n int64) { out[p] = n }); err != nil || len(out) != 3 || out[""] != -3 {
		t.Error(out, err)
	}
	if err := eachShare("{}", func(string, int64) { t.Error("nothing is something") }); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{", `{"a"}`, `{"a":x}`, `{:1}`} {
		if eachShare(bad, func(string, int64) {}) == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
