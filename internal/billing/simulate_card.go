package billing

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

// supposedCard is the rate card of a scenario.
type supposedCard struct {
	terms Terms
	all   bool // one without a profile or tag: it is for every profile
}

// cardOf reads the card of a scenario: the id of one, or one as POST /billing/card takes it. It returns nil for none, and Invalid
// faults that begin with card.
func (s *Service) cardOf(ctx context.Context, a id.Account, sent json.RawMessage) (*supposedCard, error) {
	sent = bytes.TrimSpace(sent)
	if len(sent) == 0 || string(sent) == "null" {
		return nil, nil
	}
	if sent[0] == '"' {
		var which id.Card
		if err := json.Unmarshal(sent, &which); err != nil {
			return nil, fault.Field("card", "must be the id of a rate card, or one")
		}
		c, err := s.Card(ctx, a, which)
		if fault.Is(err, fault.NotFound) {
			err = fault.Field("card", "%s", fault.Of(err).Message)
		}
		return &supposedCard{terms: c.Terms}, err
	}
	var f cardFields
	if err := web.DecodeJSON(sent, &f); err != nil {
		return nil, inCard(err)
	}
	out := &supposedCard{terms: Terms{Name: "What if"}}
	t := &out.terms
	if err := f.set(t); err != nil {
		return nil, inCard(err)
	}
	if out.all = t.Profile == "" && t.Tag == nil; out.all {
		t.Profile = "-" // so that the terms are whole; it names nobody
	}
	if err := t.Check(); err != nil {
		return nil, inCard(err)
	}
	return out, nil
}

// inCard says of a fault that it lies in the member card.
func inCard(err error) error {
	f := fault.Of(err)
	if f.Code != fault.Invalid {
		return err
	}
	if f.Field == "" {
		return fault.Field("card", "%s", f.Message)
	}
	return fault.Field("card."+f.Field, "%s", strings.TrimPrefix(f.Message, f.Field+": "))
}

// isFor reports whether a profile is billed by the card.
func (c supposedCard) isFor(p profile.Profile) bool {
	if c.all {
		return true
	}
	if c.terms.Tag != nil {
		return slices.Contains(p.Tags, *c.terms.Tag)
	}
	return p.ID == c.terms.Profile
}

// suppose adds what the card would have billed for the cycle to those of the account's present profiles that it is for: measured and
// added up as statements of months are. Cost that it passes on is the simulated one.
func (s *Service) suppose(ctx context.Context, a id.Account, c supposedCard, r *simulation) error {
	living, err := s.profiles.List(ctx, a)
	if err != nil {
		return err
	}
	those := map[id.Profile]profile.Profile{}
	for _, p := range living {
		if c.isFor(p) {
			those[p.ID] = p
		}
	}
	if len(those) == 0 && !c.all && c.terms.Tag == nil {
		return fault.Field("card.profile", "Profile Not Found")
	}
	if r.until <= r.cycle.from {
		return nil
	}
	costs := map[id.Profile]int64{}
	for _, l := range r.simulated {
		if l.Currency == c.terms.Currency {
			costs[l.Profile] += l.Micro
		} else if _, billed := those[l.Profile]; billed && c.terms.Markup != nil && l.Micro != 0 {
			return otherCurrency(c.terms, l.Currency)
		}
	}
	cs, err := s.customersOf(ctx, a, r.cycle.from, r.until)
	if err != nil {
		return err
	}
	cs = slices.DeleteFunc(cs, func(x customer) bool { _, billed := those[x.profile]; return !billed })
	for part := range slices.Chunk(cs, atOnce) {
		measured, err := s.measure(ctx, part, stretch{r.cycle.from, r.until})
		if err != nil {
			return err
		}
		for _, x := range part {
			m := measured[x.profile]
			if c.terms.Markup != nil {
				m.Cost = costs[x.profile]
			}
			st, err := Card{Account: a, Terms: c.terms}.draft(m)
			if err != nil {
				return err
			}
			st.Profile, st.Name = x.profile, those[x.profile].Name
			r.statements = append(r.statements, st)
		}
	}
	return nil
}

type supposedStatement struct {
	Profile  id.Profile  `json:"profile"`
	Name     string      `json:"name"`
	Currency string      `json:"currency"`
	Lines    []entryInfo `json:"lines"`
	Subtotal int64       `json:"subtotal_cents"`
	TaxText  string      `json:"tax_text"`
	Tax      int64       `json:"tax_cents"`
	Total    int64       `json:"total_cents"`
}

func wireSupposed(sts []Statement) []supposedStatement {
	out := []supposedStatement{}
	for _, st := range sts {
		w := supposedStatement{Profile: st.Profile, Name: st.Name, Currency: st.Currency, Lines: []entryInfo{}, Subtotal: st.Subtotal, TaxText: st.TaxText, Tax: st.Tax, Total: st.Total}
		for _, e := range st.Lines {
			w.Lines = append(w.Lines, wireEntry(e, st.Currency))
		}
		out = append(out, w)
	}
	return out
}
