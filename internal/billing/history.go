package billing

import (
	"context"
	"slices"

	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// history is what the rooms on the right remember of an account for a stretch of time: whose profiles were, what was allocated to
// them, and what there was to allocate.
type history struct {
	owned     []profile.Ownership
	allocated []usage.AllocationChange
	pools     []usage.PoolChange
}

// historyOf reads the histories of an account. Without allocations only ownership is read.
func (s *Service) historyOf(ctx context.Context, a id.Account, from, to int64, allocations bool) (h history, err error) {
	if h.owned, err = s.profiles.Ownerships(ctx, a, from, to); err != nil || !allocations {
		return h, err
	}
	if h.allocated, err = s.usage.AllocationHistory(ctx, a, from, to); err != nil {
		return h, err
	}
	h.pools, err = s.usage.PoolHistory(ctx, a, from, to)
	return h, err
}

// profilesOf are the profiles of a history, by id, each once.
func (h history) profilesOf() []id.Profile {
	out := make([]id.Profile, 0, len(h.owned))
	for _, o := range h.owned {
		out = append(out, o.Profile)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// owner answers whether profiles, by their place among profilesOf, were the account's at an instant.
type owner [][]profile.Ownership

func (h history) owner(ps []id.Profile) owner {
	o := make(owner, len(ps))
	for _, x := range h.owned {
		if i, found := slices.BinarySearch(ps, x.Profile); found {
			o[i] = append(o[i], x)
		}
	}
	return o
}

func (o owner) at(i int, ms int64) bool {
	for _, x := range o[i] {
		if x.From <= ms && (x.Until == 0 || ms < x.Until) {
			return true
		}
	}
	return false
}

// segment is a stretch of time in which shares by allocation are the same for all that starts in it.
type segment struct {
	from, to int64
	amounts  []plan.Amounts // of each profile; zero where it was not the account's
	pool     plan.Amounts
}

// weights are what each profile had of service i, and at the end what nobody had: nothing where the pool has no limit.
func (g *segment) weights(i int, to []int64) []int64 {
	to = to[:0]
	free := g.pool[i]
	for _, a := range g.amounts {
		to = append(to, a[i])
		free -= min(a[i], max(free, 0))
	}
	if g.pool[i] >= plan.Unlimited {
		free = 0
	}
	return append(to, max(free, 0))
}

// walk calls do for every segment from … to in which wanted says that something starts. The segment is valid until do returns.
func (h history) walk(ps []id.Profile, from, to int64, wanted func(from, to int64) bool, do func(g *segment)) {
	cuts := []int64{from, to}
	cut := func(ms int64) {
		if ms > from && ms < to {
			cuts = append(cuts, ms)
		}
	}
	for _, c := range h.allocated {
		cut(c.At)
	}
	for _, c := range h.pools {
		cut(c.At)
	}
	for _, o := range h.owned {
		cut(o.From)
		cut(o.Until)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	own := h.owner(ps)
	has := make([]plan.Amounts, len(ps))
	g := segment{amounts: make([]plan.Amounts, len(ps))}
	ai, pi := 0, 0
	for n := 0; n+1 < len(cuts); n++ {
		g.from, g.to = cuts[n], cuts[n+1]
		for ; ai < len(h.allocated) && h.allocated[ai].At <= g.from; ai++ {
			c := &h.allocated[ai]
			i, found := slices.BinarySearch(ps, c.Profile)
			switch {
			case !found:
			case c.Gone:
				has[i] = plan.Amounts{}
			default:
				has[i] = c.Amounts
			}
		}
		for ; pi < len(h.pools) && h.pools[pi].At <= g.from; pi++ {
			g.pool = h.pools[pi].Amounts
		}
		if !wanted(g.from, g.to) {
			continue
		}
		for i := range ps {
			if own.at(i, g.from) {
				g.amounts[i] = has[i]
			} else {
				g.amounts[i] = plan.Amounts{}
			}
		}
		do(&g)
	}
}
