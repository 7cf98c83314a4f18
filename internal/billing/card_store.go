package billing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

var cardNotFound = fault.New(fault.NotFound, "Rate Card Not Found")

const selectCard = `SELECT c.id, c.account, c.version, v.terms, c.made_at, v.set_at FROM rate_card c
	JOIN rate_card_version v ON v.card = c.id AND v.version = c.version`

func scanCard(r sqldb.Scanner) (c Card, err error) {
	var terms string
	if err = r.Scan(&c.ID, &c.Account, &c.Version, &terms, &c.MadeAt, &c.SetAt); err != nil {
		return c, err
	}
	err = json.Unmarshal([]byte(terms), &c.Terms)
	return c, err
}

// Cards are the rate cards of an account, oldest first.
func (s *Service) Cards(ctx context.Context, a id.Account) ([]Card, error) {
	cs, err := sqldb.All(ctx, s.db, scanCard, selectCard+` WHERE c.account = $1 ORDER BY c.id`, string(a))
	if err != nil {
		return nil, fmt.Errorf("read rate cards: %w", err)
	}
	return cs, nil
}

// Card is one of an account. It returns not_found for what is another's.
func (s *Service) Card(ctx context.Context, a id.Account, card id.Card) (Card, error) {
	c, found, err := sqldb.One(ctx, s.db, scanCard, selectCard+` WHERE c.id = $1 AND c.account = $2`, string(card), string(a))
	if err != nil {
		return Card{}, fmt.Errorf("read a rate card: %w", err)
	}
	if !found {
		return Card{}, cardNotFound
	}
	return c, nil
}

// cardAt is a card as a version of it said, also when the card is gone.
func (s *Service) cardAt(ctx context.Context, card id.Card, version int64) (Card, bool, error) {
	return sqldb.One(ctx, s.db, scanCard, `SELECT v.card, v.account, v.version, v.terms, v.set_at, v.set_at FROM rate_card_version v
		WHERE v.card = $1 AND v.version = $2`, string(card), version)
}

// AddCard makes a rate card of the caller's account. It returns Invalid for terms that cannot be, not_found for a profile that
// is not the account's, and Conflict, naming the other card, where two would be for one profile.
func (s *Service) AddCard(ctx context.Context, who auth.Caller, t Terms) (Card, error) {
	c := Card{ID: id.New[id.Card](), Account: who.AccountID, Version: 1, Terms: t, MadeAt: s.now()}
	c.SetAt = c.MadeAt
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		others, err := s.othersOf(ctx, &c)
		if err != nil {
			return err
		}
		if len(others) >= maxCards {
			return fault.New(fault.Conflict, "An account has at most %d rate cards", maxCards)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO rate_card (id, account, version, target, made_at) VALUES ($1, $2, $3, $4, $5)`,
			string(c.ID), string(c.Account), c.Version, c.Terms.target(), c.MadeAt); err != nil {
			return fmt.Errorf("make a rate card: %w", err)
		}
		if err := s.keepVersion(ctx, c); err != nil {
			return err
		}
		return s.logCard(ctx, who, c, "created", nil, c.Terms)
	})
	return c, err
}

// EditCard lets change set the terms of a card anew, which makes a new version unless nothing changes. Statements that were issued
// keep the version they name. Its faults are those of AddCard.
func (s *Service) EditCard(ctx context.Context, who auth.Caller, card id.Card, change func(t *Terms) error) (Card, error) {
	var c Card
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, who.AccountID); err != nil {
			return err
		}
		var err error
		if c, err = s.Card(ctx, who.AccountID, card); err != nil {
			return err
		}
		before := termsText(c.Terms)
		if err := change(&c.Terms); err != nil {
			return err
		}
		if _, err := s.othersOf(ctx, &c); err != nil {
			return err
		}
		if termsText(c.Terms) == before {
			return nil
		}
		c.Version++
		c.SetAt = s.now()
		if _, err := s.db.Exec(ctx, `UPDATE rate_card SET version = $1, target = $2 WHERE id = $3`, c.Version, c.Terms.target(), string(c.ID)); err != nil {
			return fmt.Errorf("edit a rate card: %w", err)
		}
		if err := s.keepVersion(ctx, c); err != nil {
			return err
		}
		return s.logCard(ctx, who, c, "edited", json.RawMessage(before), c.Terms)
	})
	return c, err
}

// RemoveCard ends a card. Its versions stay, since statements name them.
func (s *Service) RemoveCard(ctx context.Context, who auth.Caller, card id.Card) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		c, err := s.Card(ctx, who.AccountID, card)
		if err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM rate_card WHERE id = $1`, string(c.ID)); err != nil {
			return fmt.Errorf("remove a rate card: %w", err)
		}
		return s.logCard(ctx, who, c, "removed", c.Terms, nil)
	})
}

// othersOf checks a card against its account, whose profiles it locks, and returns the account's other cards.
func (s *Service) othersOf(ctx context.Context, c *Card) ([]Card, error) {
	if err := c.Terms.Check(); err != nil {
		return nil, err
	}
	if err := s.profiles.Lock(ctx, c.Account); err != nil {
		return nil, err
	}
	if p := c.Terms.Profile; p != "" {
		if had, err := s.everOwned(ctx, c.Account, p); err != nil {
			return nil, err
		} else if !had {
			return nil, profile.NotFound
		}
	}
	others, err := s.Cards(ctx, c.Account)
	if err != nil {
		return nil, err
	}
	others = slices.DeleteFunc(others, func(o Card) bool { return o.ID == c.ID })
	for _, o := range others {
		if o.Terms.target() == c.Terms.target() {
			return nil, fault.New(fault.Conflict, "%s already has the rate card %q (%s)", capital(c.Terms.For()), o.Terms.Name, o.ID)
		}
	}
	ps, err := s.profiles.List(ctx, c.Account)
	if err != nil {
		return nil, err
	}
	return others, chooseCards(others).tie(c.Terms, ps)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (s *Service) keepVersion(ctx context.Context, c Card) error {
	_, err := s.db.Exec(ctx, `INSERT INTO rate_card_version (card, version, account, terms, set_at) VALUES ($1, $2, $3, $4, $5)`,
		string(c.ID), c.Version, string(c.Account), termsText(c.Terms), c.SetAt)
	if err != nil {
		return fmt.Errorf("keep a version of a rate card: %w", err)
	}
	return nil
}

// text is the JSON of terms, which always has one.
func termsText(t Terms) string {
	b, err := json.Marshal(t)
	if err != nil {
		panic("terms of a rate card have no JSON: " + err.Error())
	}
	return string(b)
}

func (s *Service) logCard(ctx context.Context, who auth.Caller, c Card, what string, before, after any) error {
	return s.audit.Write(ctx, who, audit.Event{Account: c.Account, Resource: "card", ResourceID: string(c.ID),
		Message: fmt.Sprintf("Rate card %q %s", c.Terms.Name, what), Before: before, After: after})
}

// Bounds of a logo.
const (
	maxLogo = 256 << 10 // bytes of the file as it comes
	logoX   = 400       // pixels of what is kept
	logoY   = 160
)

// keepPicture draws a picture anew within bounds, as those of profiles are, and keeps it under its hash, which it returns. It is
// kept in the database, for it belongs to documents that never change.
func (s *Service) keepPicture(ctx context.Context, a id.Account, body []byte) (string, error) {
	png, err := picture.Redraw(ctx, body, image.Pt(logoX, logoY))
	if err != nil {
		return "", err
	}
	b64 := base64.StdEncoding.EncodeToString(png)
	hash := hashOf(b64)
	_, err = s.db.Exec(ctx, `INSERT INTO statement_picture (account, hash, png) VALUES ($1, $2, $3) ON CONFLICT (account, hash) DO NOTHING`,
		string(a), hash, b64)
	if err != nil {
		return "", fmt.Errorf("keep a picture: %w", err)
	}
	return hash, nil
}

// pictureOf is a kept picture as an address of its data; "" for none.
func (s *Service) pictureOf(ctx context.Context, a id.Account, hash string) (string, error) {
	if hash == "" {
		return "", nil
	}
	b64, found, err := sqldb.One(ctx, s.db, sqldb.Value[string], `SELECT png FROM statement_picture WHERE account = $1 AND hash = $2`, string(a), hash)
	if err != nil || !found {
		return "", err
	}
	return dataPNG + b64, nil
}

const dataPNG = "data:image/png;base64,"

// logoFor is the hash of the picture that a statement shows: that of the card, or the profile's own if it was uploaded here. A picture that
// lies elsewhere is not fetched.
func (s *Service) logoFor(ctx context.Context, c Card, p id.Profile) (string, error) {
	if c.Terms.Logo != LogoOfProfile {
		return c.Terms.Logo, nil
	}
	pr, err := s.profiles.Get(ctx, p)
	if fault.Is(err, fault.NotFound) || err == nil && (pr.LogoURL == nil || pr.Account != c.Account) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name := (*pr.LogoURL)[strings.LastIndexByte(*pr.LogoURL, '/')+1:]
	file, err := s.profiles.OpenPicture(ctx, string(p), name, profile.Logo)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, picture.MaxBytes*4))
	if err != nil {
		return "", err
	}
	return s.keepPicture(ctx, c.Account, body)
}

// readLogo reads what a client sends as a logo: nothing, LogoOfProfile, or an address of data.
func readLogo(v string) (word string, picture []byte, err error) {
	bad := fault.Field("logo", "must be null, \"profile\", or a PNG, JPEG or WebP file as data:image/…;base64,…")
	switch {
	case v == "" || v == LogoOfProfile:
		return v, nil, nil
	case !strings.HasPrefix(v, "data:image/"):
		return "", nil, bad
	}
	_, b64, ok := strings.Cut(v, ";base64,")
	if !ok {
		return "", nil, bad
	}
	if len(b64) > maxLogo*4/3+4 {
		return "", nil, fault.Field("logo", "must have at most %d kB", maxLogo>>10)
	}
	picture, err = base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return "", nil, bad
	}
	return "", bytes.TrimSpace(picture), nil
}
