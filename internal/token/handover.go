package token

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/team"
)

// Fate is what the new owner of a profile decides about a token whose maker loses access.
type Fate string

// The fates. A token about which nothing is said has End.
const (
	End     Fate = "end"
	Adopt   Fate = "adopt"   // it goes on as a token of the new owner, with the same permission, within the profile
	Overlap Fate = "overlap" // as Adopt, for OverlapFor at most
)

// OverlapFor is how long a token with the fate Overlap goes on.
const OverlapFor = 24 * time.Hour

// Ending is a token that ends with a change of its profile's owner.
type Ending struct {
	ID            id.Token        `json:"id"`
	Name          string          `json:"name"`
	Tail          string          `json:"tail"`
	CreatedBy     id.Account      `json:"created_by"`
	CreatedByName string          `json:"created_by_name"`
	Permission    auth.Permission `json:"permission"`
	Reach         auth.Reach      `json:"reach"`
	LastUse       *web.Time       `json:"last_use"`
	ExpiresAt     *web.Time       `json:"expires_at"`
}

// Ceiling bounds a token that a new owner took over: whoever made it may still know its secret, so in the new owner's hands
// it does no more than it did before, and never lets people in.
type Ceiling struct {
	Role   auth.Role    `json:"role"`
	Within *auth.Within `json:"within,omitempty"`
}

// lower is what is left of a grant. Two restrictions at once allow nothing, since nobody knows what they have in common.
func (c *Ceiling) lower(g auth.Grant) (auth.Grant, error) {
	if g.Role.AtLeast(c.Role) {
		g.Role = c.Role
	}
	switch {
	case g.Within == nil:
		g.Within = c.Within
	case c.Within != nil && !g.Within.Same(c.Within):
		return auth.Grant{}, auth.Denied()
	}
	return g, nil
}

func (c *Ceiling) encode() string {
	if c == nil {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}

// Left is what a change of owner did to the tokens of a profile: what UndoHandOver needs. It encodes as JSON.
type Left struct {
	At    int64      `json:"at"`
	Ended []id.Token `json:"ended"`
	Given []Given    `json:"given"`
}

// Given is a token that the new owner took over, as it was before.
type Given struct {
	ID        id.Token   `json:"id"`
	CreatedBy id.Account `json:"created_by"`
	Reach     auth.Reach `json:"reach"`
	ExpiresAt int64      `json:"expires_at"`
	Warned    int64      `json:"warned"`
	Ceiling   *Ceiling   `json:"ceiling,omitempty"`
}

// SetTeams registers who acts in profiles besides their owners; before the server starts. Without it nobody does.
func (s *Service) SetTeams(t *team.Service) { s.teams = t }

// keeps is team.Service.Keeps.
func (s *Service) keeps(ctx context.Context, p profile.Profile, to, a id.Account) (bool, error) {
	if s.teams == nil {
		return a == to, nil
	}
	return s.teams.Keeps(ctx, p, to, a)
}

// Endings lists the tokens that end when a profile goes to another account, unless their makers stay by a decision about
// them or the tokens are taken over; oldest first. Device tokens never end.
func (s *Service) Endings(ctx context.Context, p profile.Profile, to id.Account) ([]Ending, error) {
	ts, err := s.livingOf(ctx, p.ID, s.now())
	if err != nil {
		return nil, err
	}
	type maker struct {
		name  string
		keeps bool
	}
	makers := map[id.Account]maker{}
	out := []Ending{}
	for _, t := range ts {
		m, known := makers[t.CreatedBy]
		if !known {
			if m.keeps, err = s.keeps(ctx, p, to, t.CreatedBy); err != nil {
				return nil, err
			}
			a, err := s.accounts.Get(ctx, t.CreatedBy)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			m.name = a.Name
			makers[t.CreatedBy] = m
		}
		if m.keeps {
			continue
		}
		s.fresh(&t)
		out = append(out, Ending{ID: t.ID, Name: t.Name, Tail: t.Tail, CreatedBy: t.CreatedBy, CreatedByName: m.name, Permission: t.Permission,
			Reach: t.Reach, LastUse: maybe(t.LastUse), ExpiresAt: maybe(t.ExpiresAt)})
	}
	return out, nil
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}

// HandOver does to the tokens of a profile what a change of its owner asks for, in the transaction of ctx, after
// profile.Service.HandOver and team.Service.HandOver. Tokens whose makers stay go on: stays says who does, nil asks
// profile.Service.Access. The others end, unless fates say otherwise. A token that is taken over becomes the new owner's,
// reaches nothing but the profile, and may do there what its maker could, at most what a developer may. It returns Invalid for
// a fate of a token that does not end, or that nobody could act with, naming it.
func (s *Service) HandOver(ctx context.Context, who auth.Caller, h profile.Handover, stays func(a id.Account) bool, fates map[id.Token]Fate) (Left, error) {
	left := Left{At: h.At, Ended: []id.Token{}, Given: []Given{}}
	ts, err := s.livingOf(ctx, h.Profile.ID, s.now())
	if err != nil {
		return left, err
	}
	ends := map[id.Token]Token{}
	known := map[id.Token]bool{}
	for _, t := range ts {
		known[t.ID] = true
		stay := stays != nil && stays(t.CreatedBy)
		if stays == nil {
			if _, stay, err = s.profiles.Access(ctx, t.CreatedBy, h.Profile.ID); err != nil {
				return left, err
			}
		}
		if !stay {
			ends[t.ID] = t
		}
	}
	named := make([]id.Token, 0, len(fates))
	for t := range fates {
		named = append(named, t)
	}
	slices.Sort(named)
	for _, t := range named {
		field := fmt.Sprintf("tokens.%s", t)
		if _, ok := ends[t]; !ok {
			if known[t] {
				return left, fault.Field(field, "does not end: whoever made it keeps access to the profile")
			}
			return left, fault.Field(field, "is no token of this profile that ends")
		}
		if f := cmp.Or(fates[t], End); f != End && f != Adopt && f != Overlap {
			return left, fault.Field(field, "must be adopt, overlap or end")
		}
	}
	for _, t := range ts {
		if _, ok := ends[t.ID]; !ok {
			continue
		}
		f := cmp.Or(fates[t.ID], End)
		if f == End {
			if err := s.endFor(ctx, who, t, h.At, "Token %q ended with the change of owner"); err != nil {
				return left, err
			}
			left.Ended = append(left.Ended, t.ID)
			continue
		}
		given, err := s.take(ctx, who, h, t, f)
		if err != nil {
			return left, err
		}
		left.Given = append(left.Given, given)
	}
	return left, nil
}

// endFor revokes a token at an instant.
func (s *Service) endFor(ctx context.Context, who auth.Caller, t Token, at int64, message string) error {
	ok, err := s.end(ctx, t.ID, at)
	if err != nil || !ok {
		return err
	}
	if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
		return err
	}
	return s.audit.Write(ctx, who, event(t, fmt.Sprintf(message, t.Name), record(t), nil))
}

// take makes a token the new owner's.
func (s *Service) take(ctx context.Context, who auth.Caller, h profile.Handover, t Token, f Fate) (Given, error) {
	_, warned, _, err := s.byID(ctx, t.Profile, t.ID)
	if err != nil {
		return Given{}, err
	}
	given := Given{ID: t.ID, CreatedBy: t.CreatedBy, Reach: t.Reach, ExpiresAt: t.ExpiresAt, Warned: warned, Ceiling: t.Ceiling}
	before := record(t)
	if t.Ceiling, err = s.ceiling(ctx, h.Profile, t); err != nil {
		return Given{}, err
	}
	t.CreatedBy, t.Reach = h.To, auth.ReachProfile
	message := "Token %q taken over by the new owner"
	if f == Overlap {
		message = "Token %q goes on for a day as the new owner's"
		if end := h.At + OverlapFor.Milliseconds(); t.ExpiresAt == 0 || t.ExpiresAt > end {
			t.ExpiresAt = end
		}
	}
	if _, err := s.give(ctx, t, 0); err != nil {
		return Given{}, err
	}
	if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
		return Given{}, err
	}
	after := record(t)
	before["made_by"], after["made_by"] = given.CreatedBy, t.CreatedBy
	after["at_most"] = t.Ceiling
	return given, s.audit.Write(ctx, who, event(t, fmt.Sprintf(message, t.Name), before, after))
}

// ceiling is what a token could do so far; p is the profile as its former owner had it.
func (s *Service) ceiling(ctx context.Context, p profile.Profile, t Token) (*Ceiling, error) {
	g, ok := auth.Grant{Role: auth.Owner}, t.CreatedBy == p.Account
	if !ok && s.teams != nil {
		var err error
		if g, ok, err = s.teams.Was(ctx, p, t.CreatedBy); err != nil {
			return nil, err
		}
	}
	if ok && t.Ceiling != nil {
		var err error
		if g, err = t.Ceiling.lower(g); err != nil {
			ok = false
		}
	}
	if !ok {
		return nil, fault.Field(fmt.Sprintf("tokens.%s", t.ID), "cannot be taken over: whoever made it has no access to the profile any more")
	}
	if g.Role.AtLeast(auth.Developer) {
		g.Role = auth.Developer
	}
	return &Ceiling{Role: g.Role, Within: g.Within}, nil
}

// UndoHandOver gives back what HandOver took, in the transaction of ctx, after the profile has gone back (h is that) and after
// team.Service.UndoHandOver. Tokens that ended work again, as far as their time is not over; tokens that were taken over go
// back to their makers, as they were. What was revoked since stays so, and so does what belongs to somebody who has no access
// now: all tokens of such people end.
func (s *Service) UndoHandOver(ctx context.Context, who auth.Caller, h profile.Handover, left Left) error {
	now := s.now()
	for _, g := range left.Given {
		t, _, ok, err := s.byID(ctx, h.Profile.ID, g.ID)
		if err != nil {
			return err
		}
		if !ok || t.EndedAt > 0 {
			continue
		}
		before := record(t)
		before["made_by"] = t.CreatedBy
		t.CreatedBy, t.Reach, t.ExpiresAt, t.Ceiling = g.CreatedBy, g.Reach, g.ExpiresAt, g.Ceiling
		if _, err := s.give(ctx, t, g.Warned); err != nil {
			return err
		}
		if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
			return err
		}
		after := record(t)
		after["made_by"] = t.CreatedBy
		if err := s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q went back to its maker: the change of owner was undone", t.Name), before, after)); err != nil {
			return err
		}
	}
	for _, ended := range left.Ended {
		t, _, ok, err := s.byID(ctx, h.Profile.ID, ended)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if _, may, err := s.profiles.Access(ctx, t.CreatedBy, h.Profile.ID); err != nil {
			return err
		} else if !may {
			continue
		}
		if ok, err = s.revive(ctx, h.Profile.ID, t.ID, left.At, now); err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
			return err
		}
		if err := s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q works again: the change of owner was undone", t.Name), nil, record(t))); err != nil {
			return err
		}
	}
	ts, err := s.livingOf(ctx, h.Profile.ID, now)
	if err != nil {
		return err
	}
	for _, t := range ts {
		_, may, err := s.profiles.Access(ctx, t.CreatedBy, h.Profile.ID)
		if err != nil {
			return err
		}
		if may {
			continue
		}
		if err := s.endFor(ctx, who, t, h.At, "Token %q ended: the change of owner was undone"); err != nil {
			return err
		}
	}
	return nil
}
