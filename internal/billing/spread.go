package billing

import (
	"slices"

	"paddock/internal/id"
)

// Spread is how what belongs to no profile is divided among the profiles: what is unallocated, the plan, discounts.
type Spread string

const (
	SpreadNone Spread = "none" // it is not
	SpreadEven Spread = "even" // the same for each that was the account's in that time
	SpreadCost Spread = "cost" // in proportion to what each costs; evenly where none costs anything
)

// spread divides the lines that belong to no profile. What there is of each stays what it is, and the sum is the same; an account
// without profiles keeps them.
func (c *Cost) spread(how Spread) {
	if how == SpreadNone || how == "" || len(c.Profiles) == 0 {
		return
	}
	var ps []id.Profile
	for _, o := range c.Profiles {
		ps = append(ps, o.Profile)
	}
	slices.Sort(ps)
	ps = slices.Compact(ps)
	weights := map[string][]int64{} // by currency
	of := func(currency string) []int64 {
		w := weights[currency]
		if w == nil {
			w = make([]int64, len(ps))
			weights[currency] = w
		}
		return w
	}
	if how == SpreadCost {
		for _, l := range c.Lines {
			if i, found := slices.BinarySearch(ps, l.Profile); found {
				of(l.Currency)[i] += l.Micro
			}
		}
	}
	var split splitter
	out := make([]Line, 0, len(c.Lines))
	for _, l := range c.Lines {
		if l.Profile != "" {
			out = append(out, l)
			continue
		}
		parts := make([]int64, len(ps))
		if !split.split(l.Micro, of(l.Currency), 1, parts) {
			even := slices.Repeat([]int64{1}, len(ps))
			split.split(l.Micro, even, 1, parts)
		}
		for i, micro := range parts {
			if micro != 0 {
				out = append(out, Line{Profile: ps[i], Kind: l.Kind, Item: l.Item, Currency: l.Currency, Day: l.Day, Micro: micro})
			}
		}
	}
	c.Lines = out
}
