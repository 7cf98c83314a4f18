package usage

import (
	"fmt"
	"math/bits"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

// book is how the profiles of one account share its pool, read and decided in memory under the account's lock.
// It holds the rules of allocation and no SQL.
//
// For every service whose pool is not unlimited:
//
//	Σ alloc                       ≤ pool    what is allocated never exceeds what there is
//	Σ max(allowed, used) + departed ≤ pool  and no unit of this cycle can be used twice by moving it
//
// alloc is what a profile has every cycle; allowed is what it may use in this one. They differ only for an
// account's last profile after others left: it has the whole pool, but in this cycle without what they used.
// A pool that shrinks (another plan) may leave the account outside these rules; then nothing can be raised.
type book struct {
	pool     plan.Amounts
	most     int64        // cap on profiles
	departed plan.Amounts // used this cycle by profiles that left; 0 for stocks
	shares   []*share     // of living profiles, ordered by profile

	cycleStart, cycleEnd int64 // the present cycle of the shares; 0 without any
}

type share struct {
	Profile   id.Profile
	Automatic bool // the owner has posted nothing for it
	Version   int64
	Updated   int64
	alloc     plan.Amounts
	allowed   plan.Amounts
	used      plan.Amounts // of this cycle, or held now, without what is over
	over      plan.Amounts // accepted beyond the limit and marked: no part of the pool
	changed   bool
}

// limited reports whether any service of the pool runs out.
func limited(pool plan.Amounts) bool {
	for i := range plan.Services {
		if pool[i] < plan.Unlimited {
			return true
		}
	}
	return false
}

// taken is Σ max(allowed, used) + departed.
func (b *book) taken(i int) int64 {
	n := b.departed[i]
	for _, s := range b.shares {
		n = plus(n, max(s.allowed[i], s.used[i]))
	}
	return n
}

func (b *book) allocated(i int) int64 {
	var n int64
	for _, s := range b.shares {
		n = plus(n, s.alloc[i])
	}
	return n
}

// plus adds without passing Unlimited.
func plus(a, b int64) int64 { return min(a+b, plan.Unlimited) }

// free is what can be given to a profile without taking it from another.
func (b *book) free(i int) int64 {
	if b.pool[i] >= plan.Unlimited {
		return plan.Unlimited
	}
	return max(0, min(b.pool[i]-b.allocated(i), b.pool[i]-b.taken(i)))
}

func (b *book) find(p id.Profile) *share {
	for _, s := range b.shares {
		if s.Profile == p {
			return s
		}
	}
	return nil
}

// change is what the owner posts for one profile; services that are not in amounts stay.
type change struct {
	row     string // how messages name it: "[0]"
	profile id.Profile
	amounts map[plan.Service]int64
}

// set applies what the owner posts. It returns an Invalid fault naming the row when the profiles would have
// more of a service than there is. The book is then in no usable state.
func (b *book) set(changes []change) error {
	raised := map[int]change{}
	for _, c := range changes {
		s := b.find(c.profile)
		if s == nil {
			return fault.Field(c.row+".profile", "Profile Not Found")
		}
		for i, svc := range plan.Services {
			n, ok := c.amounts[svc]
			if !ok {
				continue
			}
			s.changed = true
			s.Automatic = false
			switch {
			case n > s.alloc[i]:
				s.allowed[i] = n
				if _, named := raised[i]; !named {
					raised[i] = c
				}
			case n < s.alloc[i]:
				s.allowed[i] = min(s.allowed[i], n)
			}
			s.alloc[i] = n
		}
	}
	for i, svc := range plan.Services {
		c, up := raised[i]
		if !up || b.pool[i] >= plan.Unlimited {
			continue
		}
		if n := b.allocated(i); n > b.pool[i] {
			return fault.Field(member(c.row, svc), "the profiles would have %s of %s together, the account has %s",
				plan.Show(svc, n), svc.Name(), plan.Show(svc, b.pool[i]))
		}
		if n := b.taken(i); n > b.pool[i] {
			held := "used in this cycle"
			if !plan.Flow(svc) {
				held = "stored"
			}
			return fault.Field(member(c.row, svc), "with what was already %s, the profiles would take %s of %s together, the account has %s",
				held, plan.Show(svc, n), svc.Name(), plan.Show(svc, b.pool[i]))
		}
	}
	return nil
}

// member names a service of a row; a row without a name is the body itself.
func member(row string, svc plan.Service) string {
	if row == "" {
		return string(svc)
	}
	return row + "." + string(svc)
}

// template says what a new profile asks for.
type template struct {
	allFree bool
	like    id.Profile // "" for an equal share
}

// admit makes room for a new profile and adds its share. An account's first profile gets the pool. Others get
// what the template asks for as far as it is there: first from what is unallocated, then from the automatic
// profile that has most left, never below what that one used or stores. It returns limit_reached when the new
// profile could not accept a first point, and not_found for an unknown profile to be like.
func (b *book) admit(p id.Profile, t template) error {
	fresh := &share{Profile: p, Automatic: true, Version: 1, changed: true}
	var like *share
	if t.like != "" {
		if like = b.find(t.like); like == nil {
			return fault.Field("template.like", "Profile Not Found")
		}
	}
	for i := range plan.Services {
		switch {
		case len(b.shares) == 0:
			fresh.alloc[i] = b.pool[i]
			fresh.allowed[i] = plan.Unlimited
			if b.pool[i] < plan.Unlimited {
				fresh.allowed[i] = max(0, b.pool[i]-b.departed[i])
			}
		case b.pool[i] >= plan.Unlimited:
			n := plan.Unlimited
			if like != nil {
				n = like.alloc[i]
			}
			fresh.alloc[i], fresh.allowed[i] = n, n
		default:
			n := b.draw(i, b.wish(i, t, like), like)
			fresh.alloc[i], fresh.allowed[i] = n, n
		}
	}
	b.shares = append(b.shares, fresh)
	for _, svc := range []plan.Service{plan.Input, plan.DataRecords} {
		if i := plan.Index(svc); fresh.allowed[i] < 1 {
			return fault.New(fault.LimitReached, "You have exceeded the maximum limit of %s (%s): all of it is allocated or used, and a new profile could not accept a single point. Lower the allocation of another profile first.",
				svc.Name(), plan.Show(svc, b.pool[i])).With(fault.Limit{
				Limit: string(svc), Scope: "account", Used: plan.Wire(svc, b.pool[i]), Allowed: plan.Wire(svc, b.pool[i]),
				Hint: "Lower the allocation of another profile first.",
			})
		}
	}
	return nil
}

// wish is how much of a limited service the template asks for.
func (b *book) wish(i int, t template, like *share) int64 {
	if like != nil {
		return min(like.alloc[i], b.pool[i])
	}
	if t.allFree {
		// All that is unallocated. When nothing is, because an automatic profile has it all, an equal share.
		if n := b.free(i); n > 0 {
			return n
		}
	}
	parts := b.most
	if parts >= plan.Unlimited {
		parts = int64(len(b.shares)) + 1
	}
	return b.pool[i] / max(parts, 1)
}

// draw collects up to n of service i and takes it from whoever gives it. The profile that the new one shall be
// like gives half of what it has left at most.
func (b *book) draw(i int, n int64, like *share) int64 {
	got := min(n, b.free(i))
	var givers []*share
	left := func(s *share) int64 { return min(s.alloc[i], s.allowed[i]) - s.used[i] }
	for _, s := range b.shares {
		if s.Automatic && left(s) > 0 {
			givers = append(givers, s)
		}
	}
	slices.SortStableFunc(givers, func(x, y *share) int {
		if d := left(y) - left(x); d != 0 {
			return int(max(-1, min(1, d)))
		}
		return 0
	})
	for _, s := range givers {
		give := min(left(s), n-got)
		if s == like {
			give = min(give, left(s)/2)
		}
		if give <= 0 {
			continue
		}
		s.alloc[i] -= give
		s.allowed[i] -= give
		s.changed = true
		got += give
	}
	return got
}

// leave takes a profile out: what it had is free again, what it used of this cycle is not. A profile that
// remains alone has the whole pool.
func (b *book) leave(p id.Profile) {
	s := b.find(p)
	if s == nil {
		return
	}
	b.shares = slices.DeleteFunc(b.shares, func(x *share) bool { return x == s })
	for i, svc := range plan.Services {
		if plan.Flow(svc) {
			b.departed[i] = plus(b.departed[i], s.used[i])
		}
	}
	if len(b.shares) == 1 {
		b.whole(b.shares[0])
	}
}

// whole gives the only profile everything.
func (b *book) whole(s *share) {
	s.Automatic, s.changed = true, true
	for i := range plan.Services {
		s.alloc[i], s.allowed[i] = b.pool[i], b.pool[i]
		if b.pool[i] < plan.Unlimited {
			s.allowed[i] = max(0, b.pool[i]-b.departed[i])
		}
	}
}

// fit adapts the shares to another pool. Where the pool is unlimited now, automatic profiles are too; where it
// is too small for what is allocated, everybody gets the same part of what they had. What a pool has more than
// before is free to allocate.
func (b *book) fit() {
	if len(b.shares) == 1 {
		b.whole(b.shares[0])
		return
	}
	for i := range plan.Services {
		pool := b.pool[i]
		if pool >= plan.Unlimited {
			for _, s := range b.shares {
				if s.Automatic && s.alloc[i] < plan.Unlimited {
					s.alloc[i], s.allowed[i], s.changed = plan.Unlimited, plan.Unlimited, true
				}
			}
			continue
		}
		var sum int64
		for _, s := range b.shares {
			sum += min(s.alloc[i], pool) // at most 2^53 each: no overflow below a thousand profiles
		}
		for _, s := range b.shares {
			n := min(s.alloc[i], pool)
			if sum > pool {
				hi, lo := bits.Mul64(uint64(n), uint64(pool))
				q, _ := bits.Div64(hi, lo, uint64(sum))
				n = int64(q)
			}
			if n != s.alloc[i] {
				s.alloc[i], s.allowed[i], s.changed = n, min(s.allowed[i], n), true
			}
		}
	}
}

// check returns what is wrong with the book; for Verify.
func (b *book) check() []string {
	var out []string
	for i, svc := range plan.Services {
		if b.pool[i] < plan.Unlimited && b.allocated(i) > b.pool[i] {
			out = append(out, fmt.Sprintf("the profiles are allocated %d of %s, the pool has %d", b.allocated(i), svc, b.pool[i]))
		}
		for _, s := range b.shares {
			if s.allowed[i] > s.alloc[i] || s.alloc[i]-s.allowed[i] > b.departed[i] {
				out = append(out, fmt.Sprintf("profile %s may use %d of %s, it is allocated %d", s.Profile, s.allowed[i], svc, s.alloc[i]))
			}
		}
	}
	return out
}
