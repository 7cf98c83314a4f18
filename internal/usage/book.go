package usage

import (
	"fmt"
	"math/big"
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
// account's last profile after others left: it has the whole pool, but in this cycle without what they used, or without
// what one used beyond its allocation that was restored since.
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

// refused is the detail of a refusal of allocations: each amount that was raised of a service that is then not enough. The message
// names the first of them only.
type refused struct {
	Refused []refusedCell `json:"refused"`
}

type refusedCell struct {
	Profile id.Profile   `json:"profile"`
	Service plan.Service `json:"service,omitempty"` // none when it is the profile that is not there
	Reason  string       `json:"reason"`
}

// set applies what the owner posts. It returns an Invalid fault naming the row when the profiles would have
// more of a service than there is, with all amounts of which that is so as its detail. The book is then in no usable state.
func (b *book) set(changes []change) error {
	raised := map[int][]change{}
	for _, c := range changes {
		s := b.find(c.profile)
		if s == nil {
			const why = "Profile Not Found"
			return fault.Field(c.row+".profile", why).With(refused{[]refusedCell{{c.profile, "", why}}})
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
				raised[i] = append(raised[i], c)
			case n < s.alloc[i]:
				s.allowed[i] = min(s.allowed[i], n)
			}
			s.alloc[i] = n
		}
	}
	var first *fault.Error
	var cells refused
	for i, svc := range plan.Services {
		if len(raised[i]) == 0 || b.pool[i] >= plan.Unlimited {
			continue
		}
		why := ""
		if n := b.allocated(i); n > b.pool[i] {
			why = fmt.Sprintf("the profiles would have %s of %s together, the account has %s", plan.Show(svc, n), svc.Name(), plan.Show(svc, b.pool[i]))
		} else if n := b.taken(i); n > b.pool[i] {
			held := "used in this cycle"
			if !plan.Flow(svc) {
				held = "stored"
			}
			why = fmt.Sprintf("with what was already %s, the profiles would take %s of %s together, the account has %s",
				held, plan.Show(svc, n), svc.Name(), plan.Show(svc, b.pool[i]))
		}
		if why == "" {
			continue
		}
		if first == nil {
			first = fault.Field(member(raised[i][0].row, svc), "%s", why)
		}
		for _, c := range raised[i] {
			cells.Refused = append(cells.Refused, refusedCell{c.profile, svc, why})
		}
	}
	if first != nil {
		return first.With(cells)
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

// arrival is a profile that comes with what it stores.
type arrival struct {
	profile   id.Profile
	automatic bool
	wish      plan.Amounts // what it had when it left; 0 for an equal share
	used      plan.Amounts // what it stores, and used of the cycle that it takes up; without what is over
	over      plan.Amounts
	policies  Policies
}

// needs is how much of service i it cannot do without: what it stores, and as much as a first point takes.
func (a arrival) needs(i int) int64 {
	svc := plan.Services[i]
	n := int64(0)
	if !plan.Flow(svc) {
		n = a.used[i]
	}
	if svc == plan.Input || svc == plan.DataRecords {
		n = max(n, 1)
	}
	return n
}

// lack is a service of which an arrival gets less than it needs.
type lack struct {
	service   int
	need, got int64
}

// arrive makes room for a profile as admit does, and adds its share: what it had, or what a new one would get, and at least what it
// stores. What does not fit is over where its policy accepts that, and lacking else. With anything lacking the book is in no usable state.
func (b *book) arrive(a arrival) (*share, []lack) {
	sh := &share{Profile: a.profile, Automatic: a.automatic, changed: true, used: a.used, over: a.over}
	var lacks []lack
	alone := len(b.shares) == 0
	for i := range plan.Services {
		pool, need := b.pool[i], a.needs(i)
		n, allowed := pool, pool
		switch {
		case alone:
			if allowed = plan.Unlimited; pool < plan.Unlimited {
				allowed = max(0, pool-b.departed[i])
			}
		case pool >= plan.Unlimited:
			if n = plan.Unlimited; !a.automatic && a.wish[i] > 0 {
				n = max(a.wish[i], need)
			}
			allowed = n
		default:
			wish := a.wish[i]
			if wish == 0 || wish >= plan.Unlimited {
				wish = b.wish(i, template{}, nil)
			}
			n = b.draw(i, max(wish, need), nil)
			allowed = n
		}
		sh.alloc[i], sh.allowed[i] = n, allowed
		if n >= need {
			continue
		}
		if a.policies.of(plan.Services[i]) == Overage && !plan.Flow(plan.Services[i]) {
			if extra := sh.used[i] - n; extra > 0 {
				sh.used[i], sh.over[i] = n, sh.over[i]+extra
			}
			continue
		}
		lacks = append(lacks, lack{i, need, n})
	}
	if alone {
		sh.Automatic = true
	}
	b.shares = append(b.shares, sh)
	b.regain()
	return sh, lacks
}

// regain lets profiles use what they are allocated, as far as it was only what is departed no more that kept them from it.
func (b *book) regain() {
	for i := range plan.Services {
		if b.pool[i] >= plan.Unlimited {
			continue
		}
		room := b.pool[i] - b.taken(i)
		for _, s := range b.shares {
			if s.allowed[i] >= s.alloc[i] || room <= 0 {
				continue
			}
			base := max(s.allowed[i], s.used[i])
			n := min(s.alloc[i], base+room)
			room -= max(n, base) - base
			s.allowed[i], s.changed = max(n, s.allowed[i]), true
		}
	}
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

// fit adapts the shares to another pool. Where the pool is unlimited now, automatic profiles are too. Where it is too small
// for what is allocated, what nobody chose gives first: automatic profiles, and whoever had no limit of that service. When
// that is not enough those have nothing, and what was posted gives too. Of each kind everybody keeps the same part of what
// they had. What a pool has more than before is free to allocate.
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
		first := func(s *share) bool { return s.Automatic || s.alloc[i] >= plan.Unlimited }
		var posted, rest big.Int // more than an int64 holds, with many profiles
		for _, s := range b.shares {
			sum := &posted
			if first(s) {
				sum = &rest
			}
			sum.Add(sum, big.NewInt(had(s, i, pool)))
		}
		whole := big.NewInt(pool)
		forPosted := &posted
		if posted.Cmp(whole) > 0 {
			forPosted = whole
		}
		forRest := new(big.Int).Sub(whole, forPosted)
		for _, s := range b.shares {
			n := had(s, i, pool)
			if first(s) {
				n = part(n, forRest, &rest)
			} else {
				n = part(n, forPosted, &posted)
			}
			if n != s.alloc[i] {
				s.alloc[i], s.allowed[i], s.changed = n, min(s.allowed[i], n), true
			}
		}
	}
}

// had is what a share had of a service that has a limit now: of no limit all that there is.
func had(s *share, i int, pool int64) int64 {
	if s.alloc[i] >= plan.Unlimited {
		return pool
	}
	return s.alloc[i]
}

// part is what of n is left when a sum must do with less: rounded down, so that no unit is given twice.
func part(n int64, there, sum *big.Int) int64 {
	if sum.Cmp(there) <= 0 {
		return n
	}
	x := big.NewInt(n)
	return x.Mul(x, there).Quo(x, sum).Int64()
}

// check returns what is wrong with the book; for Verify.
func (b *book) check() []string {
	var out []string
	for i, svc := range plan.Services {
		if b.pool[i] < plan.Unlimited && b.allocated(i) > b.pool[i] {
			out = append(out, fmt.Sprintf("the profiles are allocated %d of %s, the pool has %d", b.allocated(i), svc, b.pool[i]))
		}
		missing := b.departed[i] // what may keep a profile from what it is allocated
		for _, s := range b.shares {
			missing = plus(missing, max(0, s.used[i]-s.alloc[i]))
		}
		for _, s := range b.shares {
			if s.allowed[i] > s.alloc[i] || s.alloc[i]-s.allowed[i] > missing {
				out = append(out, fmt.Sprintf("profile %s may use %d of %s, it is allocated %d", s.Profile, s.allowed[i], svc, s.alloc[i]))
			}
		}
	}
	return out
}
