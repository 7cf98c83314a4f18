package billing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// Card is a rate card: the prices by which an owner bills the customer behind a profile, or behind each of the profiles
// that carry a tag. Every change makes a new version, and a statement names the one it was made by.
type Card struct {
	ID      id.Card
	Account id.Account
	Version int64 // from 1
	Terms   Terms
	MadeAt  int64 // UTC ms
	SetAt   int64 // of this version
}

// Terms are what a card says. Their JSON is what a version keeps.
type Terms struct {
	Name     string                     `json:"name"`
	Profile  id.Profile                 `json:"profile,omitempty"` // one profile,
	Tag      *tag.Tag                   `json:"tag,omitempty"`     // or all that carry this, letter for letter
	Currency string                     `json:"currency"`          // three letters
	Fee      int64                      `json:"fee_cents"`         // a month
	Services map[plan.Service]UnitPrice `json:"services"`
	Markup   *Markup                    `json:"markup"` // nil: what the profile costs is not passed on
	TaxText  string                     `json:"tax_text"`
	TaxBP    int64                      `json:"tax_bp"` // hundredths of a percent of the lines' sum
	Logo     string                     `json:"logo"`   // "", LogoOfProfile, or the hash of a picture
	Customer Customer                   `json:"customer"`
	Sender   string                     `json:"sender"` // name and address of who bills
	Notes    string                     `json:"notes"`
}

// UnitPrice is the price of a service. Units are those of the wire: minutes of analysis, megabytes of files. A stock is
// billed by its average level in the month.
type UnitPrice struct {
	Price    int64 `json:"price_micro" description:"millionths of the currency for as many units as per says"`
	Per      int64 `json:"per" description:"1 when absent"`
	Included int64 `json:"included" description:"units of the month that are free"`
}

// Markup passes on what a profile costs the account, with something on top.
type Markup struct {
	BP    int64 `json:"bp" description:"hundredths of a percent that are added: 2000 is 20 %; 0 passes the cost on as it is"`
	Basis Basis `json:"basis" description:"allocation or use: how the cost is shared among the profiles"`
}

// Customer is who is billed.
type Customer struct {
	Reference string `json:"reference"`
	Name      string `json:"name"`
	Address   string `json:"address"`
}

// LogoOfProfile means the profile's own picture, as it is when a statement is issued.
const LogoOfProfile = "profile"

// Bounds of a card.
const (
	maxCards    = 1000 // of an account
	maxCardName = 100
	maxFee      = 100_000_000_000   // cents
	maxPrice    = 1_000_000_000_000 // micro: a million of the currency
	maxPer      = 1_000_000_000     // units
	maxIncluded = 1_000_000_000_000 // units
	maxMarkup   = 1_000_000         // 10,000 %
	maxTax      = 10_000            // 100 %
	maxLine     = 200               // characters of a line
	maxProse    = 2000              // characters of a text
)

// Check returns Invalid for the first member at fault. It fills in what may be absent.
func (t *Terms) Check() error {
	t.Name = strings.TrimSpace(t.Name)
	if err := check.Line("name", t.Name, 1, maxCardName); err != nil {
		return err
	}
	switch {
	case t.Profile != "" && t.Tag != nil:
		return fault.Field("tag", "cannot be given together with profile: a card is for one profile or for a tag")
	case t.Profile == "" && t.Tag == nil:
		return fault.Field("profile", "is required, unless the card is for a tag")
	case t.Tag != nil:
		if err := check.Line("tag.key", t.Tag.Key, 1, 100); err != nil {
			return err
		}
		if err := check.Prose("tag.value", t.Tag.Value, 1000); err != nil {
			return err
		}
	}
	t.Currency = strings.ToLower(t.Currency)
	if !currencyForm.MatchString(t.Currency) {
		return fault.Field("currency", "must be three letters such as eur")
	}
	if err := within("fee_cents", t.Fee, 0, maxFee); err != nil {
		return err
	}
	for _, svc := range slices.Sorted(maps.Keys(t.Services)) {
		p, field := t.Services[svc], "services."+string(svc)
		if plan.Index(svc) < 0 {
			names := make([]string, plan.N)
			for i, s := range plan.Metered {
				names[i] = string(s)
			}
			return fault.Field("services", "has no service %.40q; there are %s", string(svc), strings.Join(names, ", "))
		}
		if p.Per == 0 {
			p.Per = 1
		}
		for _, b := range []struct {
			name      string
			n         int64
			from, max int64
		}{{"price_micro", p.Price, 0, maxPrice}, {"per", p.Per, 1, maxPer}, {"included", p.Included, 0, maxIncluded}} {
			if err := within(field+"."+b.name, b.n, b.from, b.max); err != nil {
				return err
			}
		}
		t.Services[svc] = p
	}
	if t.Services == nil {
		t.Services = map[plan.Service]UnitPrice{}
	}
	if m := t.Markup; m != nil {
		if err := within("markup.bp", m.BP, 0, maxMarkup); err != nil {
			return err
		}
		if m.Basis == "" {
			m.Basis = ByUse
		}
		if m.Basis != ByUse && m.Basis != ByAllocation {
			return fault.Field("markup.basis", "must be allocation or use")
		}
	}
	if err := within("tax_bp", t.TaxBP, 0, maxTax); err != nil {
		return err
	}
	for _, l := range []struct{ field, text string }{{"tax_text", t.TaxText}, {"customer_reference", t.Customer.Reference}, {"customer_name", t.Customer.Name}} {
		if err := check.Line(l.field, l.text, 0, maxLine); err != nil {
			return err
		}
	}
	for _, l := range []struct{ field, text string }{{"customer_address", t.Customer.Address}, {"sender", t.Sender}, {"notes", t.Notes}} {
		if err := check.Prose(l.field, l.text, maxProse); err != nil {
			return err
		}
	}
	return nil
}

func within(field string, n, from, to int64) error {
	if n < from || n > to {
		return fault.Field(field, "must be %d to %d", from, to)
	}
	return nil
}

// target is what a card is for, as text that no other target has.
func (t Terms) target() string {
	if t.Tag == nil {
		return "profile " + string(t.Profile)
	}
	b, _ := json.Marshal([]string{t.Tag.Key, t.Tag.Value})
	return "tag " + string(b)
}

// For is a card's target in a sentence.
func (t Terms) For() string {
	if t.Tag == nil {
		return "profile " + string(t.Profile)
	}
	return fmt.Sprintf("tag %s = %s", t.Tag.Key, t.Tag.Value)
}

// cardChoice finds the card of a profile: its own before one of a tag. Two tags that both have a card are a tie, which
// nobody decides for the owner.
type cardChoice struct {
	byProfile map[id.Profile]Card
	byTag     map[tag.Tag]Card
}

func chooseCards(cards []Card) cardChoice {
	c := cardChoice{map[id.Profile]Card{}, map[tag.Tag]Card{}}
	for _, card := range cards {
		if card.Terms.Tag == nil {
			c.byProfile[card.Terms.Profile] = card
		} else {
			c.byTag[*card.Terms.Tag] = card
		}
	}
	return c
}

// of returns the card of a profile with some tags; false for none. A tie is a Conflict that names both cards.
func (c cardChoice) of(p id.Profile, tags []tag.Tag) (Card, bool, error) {
	if card, ok := c.byProfile[p]; ok {
		return card, true, nil
	}
	var found Card
	for _, t := range tags {
		card, ok := c.byTag[t]
		switch {
		case !ok || card.ID == found.ID:
		case found.ID != "":
			a, b := found, card
			if b.Terms.Name < a.Terms.Name {
				a, b = b, a
			}
			return Card{}, false, fault.New(fault.Conflict, "Two rate cards are for tags of this profile: %q (%s) and %q (%s). Give it one of its own, or take a tag off",
				a.Terms.Name, a.ID, b.Terms.Name, b.ID)
		default:
			found = card
		}
	}
	return found, found.ID != "", nil
}

// passOn says that some card passes on cost by a basis.
func (c cardChoice) passOn(basis Basis) bool {
	for _, card := range slices.Concat(slices.Collect(maps.Values(c.byProfile)), slices.Collect(maps.Values(c.byTag))) {
		if m := card.Terms.Markup; m != nil && m.Basis == basis {
			return true
		}
	}
	return false
}

// tie returns a fault that names another card when a card for a tag would leave a profile with two of them.
func (c cardChoice) tie(t Terms, ps []profile.Profile) error {
	if t.Tag == nil {
		return nil
	}
	for _, p := range ps {
		if _, own := c.byProfile[p.ID]; own || !slices.Contains(p.Tags, *t.Tag) {
			continue
		}
		for _, other := range p.Tags {
			if card, ok := c.byTag[other]; ok && other != *t.Tag {
				return fault.New(fault.Conflict, "tag: profile %q (%s) also has the tag of rate card %q (%s); give it a card of its own first",
					p.Name, p.ID, card.Terms.Name, card.ID)
			}
		}
	}
	return nil
}
