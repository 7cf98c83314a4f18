package billing

import (
	"context"
	"maps"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/tag"
)

// cardRoutes are those of rate cards.
func (s *Service) cardRoutes() []web.Route {
	tags, size := web.Tags("billing"), web.MaxBody(1<<19)
	return []web.Route{
		web.Handle("GET /billing/card", "List the rate cards of the account.", ofOwner, s.listCards, tags),
		web.Handle("POST /billing/card", "Make a rate card: prices by which the customer behind a profile, or behind each profile with a tag, is billed.", ofOwner, s.postCard, tags, size, web.Status(201)),
		web.Handle("GET /billing/card/{id}", "A rate card, with its logo.", ofOwner, s.getCard, tags),
		web.Handle("PUT /billing/card/{id}", "Change a rate card; what is absent stays. Statements that were issued keep the version they name.", ofOwner, s.putCard, tags, size),
		web.Handle("DELETE /billing/card/{id}", "Remove a rate card. Its statements stay.", ofOwner, s.deleteCard, tags),
	}
}

// cardFields are the members of a card as a client sends them.
type cardFields struct {
	Name      *string                     `json:"name"`
	Profile   web.Opt[id.Profile]         `json:"profile" description:"the profile it is for; or else tag"`
	Tag       web.Opt[tag.Tag]            `json:"tag" description:"it is for all profiles with this tag; a card of the profile itself comes before it"`
	Currency  *string                     `json:"currency" example:"eur"`
	Fee       *int64                      `json:"fee_cents" description:"a month"`
	Services  *map[plan.Service]unitPrice `json:"services" description:"all unit prices, by service"`
	Markup    web.Opt[Markup]             `json:"markup" description:"passes the cost of the profile on; null for not"`
	TaxText   *string                     `json:"tax_text" example:"VAT 19 %"`
	TaxBP     *int64                      `json:"tax_bp" description:"hundredths of a percent"`
	Logo      web.Opt[string]             `json:"logo" description:"null, profile for the picture of the profile, or a PNG, JPEG or WebP file as data:image/…;base64,…"`
	Reference *string                     `json:"customer_reference"`
	Customer  *string                     `json:"customer_name"`
	Address   *string                     `json:"customer_address"`
	Sender    *string                     `json:"sender" description:"name and address of who bills"`
	Notes     *string                     `json:"notes"`
}

// unitPrice is a UnitPrice as a client sends it. A price that is absent is a mistake, not nothing to pay.
type unitPrice struct {
	Price    *int64 `json:"price_micro" required:"true" description:"millionths of the currency for as many units as per says"`
	Per      int64  `json:"per" description:"1 when absent"`
	Included int64  `json:"included" description:"units of the month that are free"`
}

// set changes terms; what is absent stays. The logo is set by who keeps pictures. It returns Invalid for a unit price without a price.
func (f cardFields) set(t *Terms) error {
	to := func(p *string, v *string) {
		if v != nil {
			*p = *v
		}
	}
	to(&t.Name, f.Name)
	to(&t.Currency, f.Currency)
	to(&t.TaxText, f.TaxText)
	to(&t.Customer.Reference, f.Reference)
	to(&t.Customer.Name, f.Customer)
	to(&t.Customer.Address, f.Address)
	to(&t.Sender, f.Sender)
	to(&t.Notes, f.Notes)
	if f.Profile.Set {
		t.Profile = f.Profile.Or("")
		if t.Profile != "" && !f.Tag.Set {
			t.Tag = nil
		}
	}
	if f.Tag.Set {
		t.Tag = f.Tag.Ptr()
		if t.Tag != nil && !f.Profile.Set {
			t.Profile = ""
		}
	}
	if f.Fee != nil {
		t.Fee = *f.Fee
	}
	if f.Services != nil {
		t.Services = map[plan.Service]UnitPrice{}
		for _, svc := range slices.Sorted(maps.Keys(*f.Services)) {
			p := (*f.Services)[svc]
			if p.Price == nil && plan.Index(svc) >= 0 {
				return fault.Field("services."+string(svc)+".price_micro", "is missing; 0 for nothing to pay")
			}
			u := UnitPrice{Per: p.Per, Included: p.Included}
			if p.Price != nil {
				u.Price = *p.Price
			}
			t.Services[svc] = u
		}
	}
	if f.Markup.Set {
		t.Markup = f.Markup.Ptr()
	}
	if f.TaxBP != nil {
		t.TaxBP = *f.TaxBP
	}
	return nil
}

// cardInfo is a card on the wire.
type cardInfo struct {
	ID        id.Card                    `json:"id"`
	Version   int64                      `json:"version"`
	Name      string                     `json:"name"`
	Profile   *id.Profile                `json:"profile"`
	Tag       *tag.Tag                   `json:"tag"`
	Currency  string                     `json:"currency"`
	Fee       int64                      `json:"fee_cents"`
	Services  map[plan.Service]UnitPrice `json:"services"`
	Markup    *Markup                    `json:"markup"`
	TaxText   string                     `json:"tax_text"`
	TaxBP     int64                      `json:"tax_bp"`
	Logo      *string                    `json:"logo" description:"null, profile, or data:image/png;base64,…; in lists just picture"`
	Reference string                     `json:"customer_reference"`
	Customer  string                     `json:"customer_name"`
	Address   string                     `json:"customer_address"`
	Sender    string                     `json:"sender"`
	Notes     string                     `json:"notes"`
	MadeAt    web.Time                   `json:"created_at"`
	SetAt     web.Time                   `json:"updated_at"`
}

// keptPicture stands for a logo that a list does not spell out; sent back it leaves the logo as it is.
const keptPicture = "picture"

func wireCard(c Card) cardInfo {
	t := c.Terms
	w := cardInfo{ID: c.ID, Version: c.Version, Name: t.Name, Tag: t.Tag, Currency: t.Currency, Fee: t.Fee, Services: t.Services, Markup: t.Markup,
		TaxText: t.TaxText, TaxBP: t.TaxBP, Reference: t.Customer.Reference, Customer: t.Customer.Name, Address: t.Customer.Address, Sender: t.Sender, Notes: t.Notes,
		MadeAt: web.Millis(c.MadeAt), SetAt: web.Millis(c.SetAt)}
	if t.Profile != "" {
		w.Profile = &t.Profile
	}
	logo := t.Logo
	switch logo {
	case "":
	case LogoOfProfile:
		w.Logo = &logo
	default:
		logo = keptPicture
		w.Logo = &logo
	}
	return w
}

type listIn struct{ web.List }

func (s *Service) listCards(ctx context.Context, who auth.Caller, in listIn) ([]cardInfo, error) {
	cs, err := s.Cards(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	out := []cardInfo{}
	for _, c := range cs[min(int64(len(cs)), in.Offset()):] {
		if len(out) == in.Amount {
			break
		}
		out = append(out, wireCard(c))
	}
	return out, nil
}

type cardPath struct {
	ID id.Card `path:"id"`
}

func (s *Service) getCard(ctx context.Context, who auth.Caller, in cardPath) (cardInfo, error) {
	c, err := s.Card(ctx, who.AccountID, in.ID)
	if err != nil {
		return cardInfo{}, err
	}
	w := wireCard(c)
	if w.Logo != nil && *w.Logo == keptPicture {
		data, err := s.pictureOf(ctx, c.Account, c.Terms.Logo)
		if err != nil {
			return cardInfo{}, err
		}
		w.Logo = &data
	}
	return w, nil
}

type cardMade struct {
	ID id.Card `json:"id"`
}

// logo turns the logo that was sent into what terms keep; false when it was not sent or stays as it is.
func (s *Service) logo(ctx context.Context, who auth.Caller, f cardFields) (string, bool, error) {
	v := f.Logo.Or("")
	if !f.Logo.Set || v == keptPicture {
		return "", false, nil
	}
	word, picture, err := readLogo(v)
	if err != nil || picture == nil {
		return word, true, err
	}
	hash, err := s.keepPicture(ctx, who.AccountID, picture)
	if fault.Is(err, fault.Unsupported) {
		return "", false, fault.Field("logo", "must be a PNG, JPEG or WebP file").Because(err)
	}
	return hash, true, err
}

func (s *Service) postCard(ctx context.Context, who auth.Caller, in cardFields) (cardMade, error) {
	var t Terms
	if err := in.set(&t); err != nil {
		return cardMade{}, err
	}
	if err := t.Check(); err != nil { // before a picture is kept
		return cardMade{}, err
	}
	logo, _, err := s.logo(ctx, who, in)
	if err != nil {
		return cardMade{}, err
	}
	t.Logo = logo
	c, err := s.AddCard(ctx, who, t)
	return cardMade{c.ID}, err
}

type putCardIn struct {
	ID id.Card `path:"id"`
	cardFields
}

func (s *Service) putCard(ctx context.Context, who auth.Caller, in putCardIn) (string, error) {
	if _, err := s.Card(ctx, who.AccountID, in.ID); err != nil {
		return "", err
	}
	logo, set, err := s.logo(ctx, who, in.cardFields)
	if err != nil {
		return "", err
	}
	_, err = s.EditCard(ctx, who, in.ID, func(t *Terms) error {
		if set {
			t.Logo = logo
		}
		return in.set(t)
	})
	if err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) deleteCard(ctx context.Context, who auth.Caller, in cardPath) (string, error) {
	if err := s.RemoveCard(ctx, who, in.ID); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}
