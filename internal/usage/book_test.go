package usage

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

// sound fails when a book breaks the rules that its comment states.
func sound(t *rapid.T, b *book, when string) {
	if wrong := b.check(); len(wrong) > 0 {
		t.Fatal(when, wrong)
	}
	for i, svc := range plan.Services {
		if b.pool[i] >= plan.Unlimited {
			continue
		}
		if b.allocated(i) > b.pool[i] {
			t.Fatalf("%s: %s: %d allocated, the pool has %d", when, svc, b.allocated(i), b.pool[i])
		}
		if b.taken(i) > b.pool[i] {
			t.Fatalf("%s: %s: %d can be used in this cycle, the pool has %d", when, svc, b.taken(i), b.pool[i])
		}
		for _, s := range b.shares {
			if s.alloc[i] < 0 || s.allowed[i] < 0 || s.allowed[i] > s.alloc[i] {
				t.Fatalf("%s: %s: %s is allocated %d and allowed %d", when, svc, s.Profile, s.alloc[i], s.allowed[i])
			}
		}
	}
}

// copyBook is what a transaction that fails leaves behind: the book as it was.
func copyBook(b *book) *book {
	c := *b
	c.shares = nil
	for _, s := range b.shares {
		x := *s
		c.shares = append(c.shares, &x)
	}
	return &c
}

func TestAllocationNeverExceedsPoolWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Drawn from lists: ranges favour small numbers, with which hardly anything happens.
		b := &book{most: rapid.SampledFrom([]int64{2, 3, 5, plan.Unlimited}).Draw(t, "cap")}
		for i := range plan.Services {
			b.pool[i] = rapid.SampledFrom([]int64{0, 1, 7, 20, 40, 60, plan.Unlimited}).Draw(t, "pool")
		}
		b.pool[plan.Index(plan.Input)] = rapid.SampledFrom([]int64{10, 30, 60}).Draw(t, "pool of input")
		b.pool[plan.Index(plan.DataRecords)] = rapid.SampledFrom([]int64{10, 30, 60}).Draw(t, "pool of data_records")
		// Units ever used of each flow in this cycle: what the whole thing is for.
		var spent plan.Amounts
		next := 0
		amounts := rapid.SampledFrom([]int64{1, 2, 5, 10, 30, 50})
		pick := func() *share {
			return rapid.SampledFrom(b.shares).Draw(t, "profile")
		}
		for range 40 {
			before := copyBook(b)
			switch step := rapid.SampledFrom([]int{0, 1, 2, 2, 3, 3, 3}).Draw(t, "step"); {
			case step == 0 || len(b.shares) == 0:
				next++
				tpl := template{allFree: rapid.Bool().Draw(t, "all free")}
				if len(b.shares) > 0 && !tpl.allFree && rapid.Bool().Draw(t, "like") {
					tpl.like = pick().Profile
				}
				if err := b.admit(id.Profile(fmt.Sprintf("p%02d", next)), tpl); err != nil {
					b = before
				} else if f := b.shares[len(b.shares)-1]; f.allowed.Of(plan.Input) < 1 || f.allowed.Of(plan.DataRecords) < 1 {
					t.Fatalf("a new profile could not accept a first point: %v", f.allowed)
				}
			case step == 1 && len(b.shares) > 1:
				b.leave(pick().Profile)
			case step == 2 && len(b.shares) > 1:
				var cs []change
				for i, s := range b.shares {
					if i > 0 && rapid.Bool().Draw(t, "left out") {
						continue
					}
					c := change{row: fmt.Sprintf("[%d]", i), profile: s.Profile, amounts: map[plan.Service]int64{}}
					// Few and small, or hardly any post would fit.
					svc := rapid.SampledFrom(plan.Services).Draw(t, "posted")
					c.amounts[svc] = rapid.SampledFrom([]int64{0, 1, 5, 10, 15, 20, 30, 50}).Draw(t, "amount")
					cs = append(cs, c)
				}
				if err := b.set(cs); err != nil {
					if !fault.Is(err, fault.Invalid) {
						t.Fatal(err)
					}
					b = before
					break
				}
				for _, c := range cs {
					for svc, n := range c.amounts {
						if got := b.find(c.profile).alloc.Of(svc); got != n {
							t.Fatalf("posted %d of %s, got %d", n, svc, got)
						}
					}
				}
			default: // use or free some
				s := pick()
				i := plan.Index(rapid.SampledFrom(plan.Services).Draw(t, "service"))
				n := amounts.Draw(t, "units")
				if !plan.Flow(plan.Services[i]) && n > 35 {
					s.used[i] = max(0, s.used[i]-n)
				} else if s.used[i]+n <= s.allowed[i] {
					s.used[i] += n
					spent[i] += n
				}
			}
			sound(t, b, "after a step")
		}
		for i, svc := range plan.Services {
			if plan.Flow(svc) && b.pool[i] < plan.Unlimited && spent[i] > b.pool[i] {
				t.Fatalf("%d of %s were used in one cycle, the pool has %d", spent[i], svc, b.pool[i])
			}
		}
		// A plan that shrinks scales everybody down, within the new pool.
		for i := range plan.Services {
			b.pool[i] = rapid.Int64Range(0, 60).Draw(t, "new pool")
		}
		b.fit()
		for i, svc := range plan.Services {
			if b.allocated(i) > b.pool[i] {
				t.Fatalf("after another plan: %d of %s allocated, the pool has %d", b.allocated(i), svc, b.pool[i])
			}
		}
	})
}

// amountsOf gives every service of the pool the same number.
func amountsOf(n int64) (a plan.Amounts) {
	for i := range plan.Services {
		a[i] = n
	}
	return a
}

func TestStartingTemplates(t *testing.T) {
	in := plan.Index(plan.Input)
	two := func() *book {
		b := &book{pool: amountsOf(1000), most: 5}
		if err := b.admit("a", template{}); err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("the first profile has the whole pool", func(t *testing.T) {
		if b := two(); b.shares[0].alloc[in] != 1000 || b.shares[0].allowed[in] != 1000 || !b.shares[0].Automatic {
			t.Fatalf("%+v", b.shares[0])
		}
	})
	t.Run("a further one has an equal share, taken from the automatic one", func(t *testing.T) {
		b := two()
		if err := b.admit("b", template{}); err != nil {
			t.Fatal(err)
		}
		if b.shares[0].alloc[in] != 800 || b.shares[1].alloc[in] != 200 {
			t.Fatal(b.shares[0].alloc[in], b.shares[1].alloc[in])
		}
	})
	t.Run("what was used is never taken away", func(t *testing.T) {
		b := two()
		b.shares[0].used[in] = 900
		if err := b.admit("b", template{}); err != nil {
			t.Fatal(err)
		}
		if b.shares[0].alloc[in] != 900 || b.shares[1].alloc[in] != 100 {
			t.Fatal(b.shares[0].alloc[in], b.shares[1].alloc[in])
		}
	})
	t.Run("unallocated amounts go first", func(t *testing.T) {
		b := two()
		b.admit("b", template{})
		if err := b.set([]change{{profile: "b", amounts: map[plan.Service]int64{plan.Input: 50}}}); err != nil {
			t.Fatal(err)
		}
		b.admit("c", template{})
		if b.shares[0].alloc[in] != 750 || b.shares[2].alloc[in] != 200 {
			t.Fatal(b.shares[0].alloc[in], b.shares[2].alloc[in])
		}
	})
	t.Run("allocate_free_resources gives all that is unallocated and no more", func(t *testing.T) {
		b := two()
		b.admit("b", template{})
		b.set([]change{{profile: "a", amounts: map[plan.Service]int64{plan.Input: 100}}})
		if err := b.admit("c", template{allFree: true}); err != nil {
			t.Fatal(err)
		}
		if b.shares[2].alloc[in] != 700 || b.shares[0].alloc[in] != 100 || b.shares[1].alloc[in] != 200 {
			t.Fatal(b.shares[0].alloc[in], b.shares[1].alloc[in], b.shares[2].alloc[in])
		}
	})
	t.Run("like another profile takes as much as that one has, if it is there", func(t *testing.T) {
		b := two()
		b.admit("b", template{})
		b.set([]change{{profile: "b", amounts: map[plan.Service]int64{plan.Input: 300, plan.Output: 10}}, {profile: "a", amounts: map[plan.Service]int64{plan.Input: 400, plan.DataRecords: 500}}})
		if err := b.admit("c", template{like: "b"}); err != nil {
			t.Fatal(err)
		}
		if b.shares[2].alloc[in] != 300 || b.shares[2].alloc.Of(plan.DataRecords) != 200 {
			t.Fatal(b.shares[2].alloc)
		}
	})
	t.Run("like the one that has everything is half and half", func(t *testing.T) {
		b := two()
		if err := b.admit("b", template{like: "a"}); err != nil || b.shares[0].alloc[in] != 500 || b.shares[1].alloc[in] != 500 {
			t.Fatal(err, b.shares[0].alloc[in], b.shares[1].alloc[in])
		}
	})
	t.Run("like a profile that is not there is refused", func(t *testing.T) {
		if err := two().admit("b", template{like: "x"}); !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	})
	t.Run("a profile that could not take a first point is refused before it is made", func(t *testing.T) {
		b := two()
		b.admit("b", template{})
		b.set([]change{{profile: "a", amounts: map[plan.Service]int64{plan.Input: 800}}, {profile: "b", amounts: map[plan.Service]int64{plan.Input: 200}}})
		err := b.admit("c", template{})
		if !fault.Is(err, fault.LimitReached) {
			t.Fatal(err)
		}
	})
	t.Run("without a limit everybody has no limit", func(t *testing.T) {
		b := &book{pool: amountsOf(plan.Unlimited), most: plan.Unlimited}
		b.admit("a", template{})
		b.admit("b", template{})
		b.admit("c", template{allFree: true})
		for _, s := range b.shares {
			if s.alloc[in] != plan.Unlimited || s.allowed[in] != plan.Unlimited {
				t.Fatal(s)
			}
		}
	})
}

func TestAPoolThatShrinks(t *testing.T) {
	in := plan.Index(plan.Input)
	fit := func(pool int64, shares ...share) []int64 {
		b := &book{pool: amountsOf(1 << 40)}
		b.pool[in] = pool
		for i := range shares {
			shares[i].Profile = id.Profile(fmt.Sprint("p", i))
			b.shares = append(b.shares, &shares[i])
		}
		b.fit()
		var out []int64
		for _, s := range b.shares {
			out = append(out, s.alloc[in])
		}
		return out
	}
	of := func(n int64, automatic bool) (s share) {
		s.alloc[in], s.allowed[in], s.Automatic = n, n, automatic
		return s
	}
	for _, c := range []struct {
		name   string
		pool   int64
		shares []share
		want   []int64
	}{
		{"what still fits stays", 100, []share{of(40, true), of(60, false)}, []int64{40, 60}},
		{"automatic ones give first, each the same part", 100, []share{of(40, true), of(80, true), of(40, false)}, []int64{20, 40, 40}},
		{"when they have nothing left, posted ones give in proportion", 50, []share{of(40, true), of(80, false), of(20, false)}, []int64{0, 40, 10}},
		{"parts are rounded down", 10, []share{of(7, false), of(7, false), of(7, false)}, []int64{3, 3, 3}},
		{"nothing is nothing", 0, []share{of(7, true), of(7, false)}, []int64{0, 0}},
		{"who had no limit gives as an automatic one does", 100, []share{of(plan.Unlimited, false), of(30, false)}, []int64{70, 30}},
		{"the only one has it all", 30, []share{of(50, false)}, []int64{30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fit(c.pool, c.shares...); !slices.Equal(got, c.want) {
				t.Fatal(got)
			}
		})
	}
	t.Run("five thousand profiles are no more difficult", func(t *testing.T) {
		var many []share
		for range 5000 {
			many = append(many, of(plan.Unlimited, true))
		}
		if got := fit(plan.Unlimited-1, many...); got[0] != (plan.Unlimited-1)/5000 || got[4999] != got[0] {
			t.Fatal(got[0])
		}
	})
}
