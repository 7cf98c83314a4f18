package billing

import (
	"cmp"
	"slices"

	"paddock/internal/id"
)

// stretch is part of time that something is paid for.
type stretch struct{ from, to int64 }

// hours is how many there are; the last may be shorter.
func (s stretch) hours() int64 { return Charge{Start: s.from, End: s.to}.hours() }

// hourOf is the start of the hour of s that at lies in.
func (s stretch) hourOf(at int64) int64 {
	if at <= s.from {
		return s.from
	}
	return at - (at-s.from)%hour
}

// toCents rounds micro-units to whole cents, halves away from zero.
func toCents(micro int64) int64 {
	if micro < 0 {
		return -toCents(-micro)
	}
	return (micro + microPerCent/2) / microPerCent
}

// thing is what a charge pays for, apart from how much of it.
type thing struct {
	kind    Kind
	item    string
	profile id.Profile
}

// order is something that an account has, or is to have, from an instant of a cycle on.
type order struct {
	thing
	amount int64 // of a service: the tier's base units
	cents  int64 // a cycle
	whole  bool  // not prorated: the price counts in full, and so does what was paid
}

// settle makes the charges by which an account that has paid old for a thing pays for o from at to the end of the cycle:
// one for what it gets, and one that gives back of each old charge. They add up to the share of the new price less what
// was paid of it, rounded once, so that an upgrade costs what one expects to the cent. Without a price what is left is
// given back. Lines of no cents are left out; those that have no currency are in the catalogue's.
func settle(o order, cycle stretch, at int64, old []Charge) []Charge {
	at = cycle.hourOf(at)
	left := stretch{at, cycle.to}
	price := o.cents * microPerCent
	if !o.whole && left.from > cycle.from {
		price = mulDiv(price, left.hours(), cycle.hours())
	}
	var rests int64
	rest := make([]int64, len(old))
	for i, c := range old {
		if at >= c.End {
			continue
		}
		gone, all := c.startingIn(at, c.End)
		if rest[i] = c.between(gone, all); o.whole {
			rest[i] = c.Cents * microPerCent
		}
		rests += rest[i]
	}
	charge := toCents(price)
	back := charge - toCents(price-rests) // in all
	var out []Charge
	if charge != 0 {
		out = append(out, Charge{Kind: o.kind, Item: o.item, Profile: o.profile, Amount: o.amount, Cents: charge, Start: at, End: cycle.to})
	}
	for i, c := range old {
		cents := back
		if i < len(old)-1 {
			cents = min(back, toCents(rest[i]))
		}
		if back -= cents; cents != 0 {
			out = append(out, Charge{Kind: c.Kind, Item: c.Item, Profile: c.Profile, Amount: c.Amount, Cents: -cents, Currency: c.Currency, Start: at, End: c.End, GivesBack: c.ID})
		}
	}
	return out
}

// sumOf is what charges come to, in cents.
func sumOf(cs []Charge) (cents int64) {
	for _, c := range cs {
		cents += c.Cents
	}
	return cents
}

// byCurrencies divides charges by currency, where they have none by another; that one comes first.
func byCurrencies(cs []Charge, otherwise string) (currencies []string, of map[string][]Charge) {
	currencies, of = []string{otherwise}, map[string][]Charge{}
	for _, c := range cs {
		currency := cmp.Or(c.Currency, otherwise)
		if !slices.Contains(currencies, currency) {
			currencies = append(currencies, currency)
		}
		of[currency] = append(of[currency], c)
	}
	return currencies, of
}

// byThing sorts charges by what they pay for.
func byThing(cs []Charge) map[thing][]Charge {
	out := map[thing][]Charge{}
	for _, c := range cs {
		t := thing{c.Kind, c.Item, c.Profile}
		if c.Kind == PlanFee { // there is one plan
			t.item = ""
		}
		out[t] = append(out[t], c)
	}
	for t := range out {
		slices.SortFunc(out[t], func(a, b Charge) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) })
	}
	return out
}
