package team

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// Person is a row of a team's list: a member, a person who is there as staff, or an invitation that waits.
type Person struct {
	ID        string // the account's; of an invitation, the invitation's
	Name      string // "" of an invitation, whoever has that address
	Email     string
	Picture   *string // where the person's picture is, on this server; nil without one
	Pending   bool
	Staff     bool // reaches the profile as staff; a membership of its own may be there too
	Direct    bool // has a membership of this profile
	Role      auth.Role
	Within    *auth.Within
	ExpiresAt int64  // of the membership; of an invitation, of itself
	Over      bool   // past its date: may do nothing
	Look      string // why an operator of the installation looks into the profile now; "" for the team
	CreatedAt int64
}

// People lists the team of a profile without its owner: members and staff, oldest first, then the invitations that wait.
// Developers do not see invitations, viewers see nobody but themselves. It returns what Resolve returns.
func (s *Service) People(ctx context.Context, who auth.Caller, ref string) ([]Person, error) {
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Viewer)
	if err != nil {
		return nil, err
	}
	now := s.now()
	members, err := s.membersOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	staff, err := s.staffOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	both := map[id.Account]*Staff{}
	for i := range staff {
		if staff[i].Reaches(p) {
			both[staff[i].Account] = &staff[i]
		}
	}
	out := []Person{}
	add := func(a id.Account, m *Member, x *Staff) error {
		if who.Kind != auth.System && !who.Role.AtLeast(auth.Developer) && a != who.AccountID {
			return nil
		}
		acc, err := s.accounts.Get(ctx, a)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		row := Person{ID: string(a), Name: acc.Name, Email: acc.Email, Picture: acc.PictureURL(), Staff: x != nil, Direct: m != nil}
		// What counts now; past all dates, what counted last.
		g, ok := s.grant(m, x, p)
		row.Over = !ok
		if !ok {
			g, _ = best(grantOf(m, p), wideOf(x, p))
		}
		row.Role, row.Within = g.Role, g.Within
		if m != nil {
			row.ExpiresAt, row.CreatedAt = m.ExpiresAt, m.CreatedAt
		} else {
			row.ExpiresAt, row.CreatedAt = x.ExpiresAt, x.CreatedAt
		}
		out = append(out, row)
		return nil
	}
	for i := range members {
		m := &members[i]
		if err := add(m.Account, m, both[m.Account]); err != nil {
			return nil, err
		}
		delete(both, m.Account)
	}
	for i := range staff {
		if x := both[staff[i].Account]; x != nil {
			if err := add(x.Account, nil, x); err != nil {
				return nil, err
			}
		}
	}
	looks, err := s.profiles.LooksInto(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, l := range looks {
		if who.Kind == auth.System || who.Role.AtLeast(auth.Developer) || l.Operator == who.AccountID {
			out = append(out, Person{ID: string(l.Operator), Name: "Operator " + l.Name, Role: auth.Viewer, Look: l.Reason, ExpiresAt: l.Until, CreatedAt: l.From})
		}
	}
	if who.Kind != auth.System && !who.Role.AtLeast(auth.Admin) {
		return out, nil
	}
	asked, err := s.pending(ctx, p.ID, "")
	if err != nil {
		return nil, err
	}
	for _, i := range asked {
		if i.ExpiresAt > now {
			out = append(out, asPerson(i))
		}
	}
	return out, nil
}

func asPerson(i Invitation) Person {
	return Person{ID: string(i.ID), Email: i.Email, Pending: true, Role: i.Role, Within: i.Within, ExpiresAt: i.ExpiresAt, CreatedAt: i.CreatedAt}
}

func grantOf(m *Member, p profile.Profile) *auth.Grant {
	if m == nil {
		return nil
	}
	return &auth.Grant{Owner: p.Account, Role: m.Role, Within: m.Within}
}

func wideOf(x *Staff, p profile.Profile) *auth.Grant {
	if x == nil {
		return nil
	}
	return &auth.Grant{Owner: p.Account, Role: x.Role}
}

// Terms changes what a member may do; nil and absent leave things as they are.
type Terms struct {
	Role    *auth.Role
	Within  web.Opt[auth.Within] // null: the whole profile
	Expires web.Opt[string]      // null and "never": for good
}

// until reads an end of a membership: nil for none.
func until(o web.Opt[string], now time.Time) (*time.Time, error) {
	v, ok := o.Get()
	if !ok || v == "" {
		return nil, nil
	}
	t, err := web.ParseExpire(v, now)
	if err != nil {
		return nil, fault.Field("expires", "%v", err)
	}
	return t, nil
}

// Change gives a member other terms, from the next request on. Owner and admins may; nobody changes the owner. It returns
// not_found for who is no member, Conflict for who is there as staff only, Invalid for bad terms, and limit_reached when
// a member past the date is let in again and there is no seat.
func (s *Service) Change(ctx context.Context, who auth.Caller, ref string, a id.Account, t Terms) error {
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return err
	}
	if a == p.Account {
		return ownerStays
	}
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, p.Account); err != nil {
			return err
		}
		m, ok, err := s.member(ctx, p.ID, a)
		if err != nil {
			return err
		}
		if !ok {
			return s.notDirect(ctx, p, a)
		}
		before, now := m, s.clock.Now()
		if t.Role != nil {
			m.Role = *t.Role
		}
		if t.Within.Set {
			m.Within = narrow(t.Within.Ptr())
		}
		var expires *time.Time
		if t.Expires.Set {
			if expires, err = until(t.Expires, now); err != nil {
				return err
			}
			m.ExpiresAt = 0
			if expires != nil {
				m.ExpiresAt = clock.Millis(*expires)
			}
		}
		if err := checkTerms(m.Role, m.Within, expires, now); err != nil {
			return err
		}
		if !live(before.ExpiresAt, clock.Millis(now)) && live(m.ExpiresAt, clock.Millis(now)) {
			acc, err := s.accounts.Get(ctx, a)
			if err != nil {
				return err
			}
			if err := s.seat(ctx, p, acc.Email); err != nil {
				return err
			}
		}
		if err := s.putMember(ctx, m); err != nil {
			return err
		}
		return s.record(ctx, who, p.ID, p.Account, string(a), fmt.Sprintf("Member changed to %s", m.Role), auditableMember(before), auditableMember(m))
	})
}

var ownerStays = fault.New(fault.Forbidden, "The owner of a profile can be neither changed nor removed; ownership is transferred")

// notDirect is the refusal of a change to who is no member of the profile.
func (s *Service) notDirect(ctx context.Context, p profile.Profile, a id.Account) error {
	x, ok, err := s.staff(ctx, p.Account, a)
	if err != nil {
		return err
	}
	if ok && x.Reaches(p) {
		return fault.New(fault.Conflict, "This person is here as staff of the owner's account, who changes and removes staff (/account/staff)")
	}
	return memberNotFound
}

func auditableMember(m Member) map[string]any {
	out := map[string]any{"account": m.Account, "role": m.Role}
	if m.Within != nil {
		out["within"] = m.Within
	}
	if m.ExpiresAt > 0 {
		out["expires_at"] = m.ExpiresAt
	}
	return out
}

// Remove takes a person out of a profile's team from the next request on, or withdraws an invitation. Owner and admins
// may; nobody removes the owner, and members leave (Leave) rather than remove themselves. It returns not_found for who is
// neither, and Conflict for who is there as staff only.
func (s *Service) Remove(ctx context.Context, who auth.Caller, ref, target string) error {
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return err
	}
	a := id.Account(target)
	switch {
	case a == p.Account:
		return ownerStays
	case a == who.AccountID && who.Kind != auth.System:
		return fault.New(fault.Conflict, "Leave the profile instead: POST /profile/%s/leave, with your password", p.ID)
	}
	i, err := s.ofProfile(ctx, p.ID, target)
	if err == nil {
		return s.cancel(ctx, who, i)
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		m, ok, err := s.member(ctx, p.ID, a)
		if err != nil {
			return err
		}
		if !ok {
			return s.notDirect(ctx, p, a)
		}
		if err := s.drop(ctx, who, p, a); err != nil {
			return err
		}
		if err := s.tellRemoved(ctx, a, "the profile “"+plain(p.Name)+"”"); err != nil {
			return err
		}
		return s.record(ctx, who, p.ID, p.Account, string(a), "Member removed", auditableMember(m), nil)
	})
}

// drop ends a membership, and the tokens that the person made there unless staff reach the profile all the same.
func (s *Service) drop(ctx context.Context, who auth.Caller, p profile.Profile, a id.Account) error {
	if _, err := s.deleteMember(ctx, p.ID, a); err != nil {
		return err
	}
	return s.endTokens(ctx, who, p, a)
}

// endTokens ends what a person made in a profile, when nothing lets them act there any more. They would do nothing anyway;
// but they must not come back to life with the person.
func (s *Service) endTokens(ctx context.Context, who auth.Caller, p profile.Profile, a id.Account) error {
	if s.tokens == nil {
		return nil
	}
	_, ok, err := s.Grant(ctx, a, p.ID)
	if err != nil || ok {
		return err
	}
	return s.tokens.EndMadeBy(ctx, who, p.ID, a)
}

// Leave takes the caller out of a profile, after the password. Who is there as staff leaves all profiles that this
// reaches. It returns "Invalid password", and Conflict to the owner.
func (s *Service) Leave(ctx context.Context, who auth.Caller, ref, password string) error {
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Viewer)
	if err != nil {
		return err
	}
	if who.IsOwner() {
		return fault.New(fault.Conflict, "The owner cannot leave a profile; transfer or delete it")
	}
	if err := s.accounts.VerifyPassword(ctx, who.AccountID, password, who.Addr); err != nil {
		return err
	}
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		m, direct, err := s.member(ctx, p.ID, acc.ID)
		if err != nil {
			return err
		}
		x, wide, err := s.staff(ctx, p.Account, acc.ID)
		if err != nil {
			return err
		}
		if wide = wide && x.Reaches(p); wide {
			if err := s.dropStaff(ctx, who, x); err != nil {
				return err
			}
			if err := s.record(ctx, who, "", p.Account, string(acc.ID), acc.Email+" is staff no more: left", auditableStaff(x), nil); err != nil {
				return err
			}
		}
		if direct {
			if err := s.drop(ctx, who, p, acc.ID); err != nil {
				return err
			}
			if err := s.record(ctx, who, p.ID, p.Account, string(acc.ID), acc.Email+" left", auditableMember(m), nil); err != nil {
				return err
			}
		}
		if !direct && !wide {
			return memberNotFound
		}
		return s.tellLeft(ctx, p, acc, wide)
	})
}

// Ends is what a person loses with a membership.
type Ends struct {
	Profiles []profile.Profile
	Tokens   []MadeToken
	Sessions []account.Session // signed-in browsers, which go on without these profiles
}

// EndsIn lists what would end with a person's place in a profile: for owner and admins, and for the person ("current").
func (s *Service) EndsIn(ctx context.Context, who auth.Caller, ref, target string) (Ends, error) {
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Viewer)
	if err != nil {
		return Ends{}, err
	}
	a := id.Account(target)
	if target == "current" {
		a = who.AccountID
	}
	if a != who.AccountID && !who.Role.AtLeast(auth.Admin) {
		return Ends{}, auth.LacksRole(who.Role, auth.Admin)
	}
	_, direct, err := s.member(ctx, p.ID, a)
	if err != nil {
		return Ends{}, err
	}
	x, wide, err := s.staff(ctx, p.Account, a)
	if err != nil {
		return Ends{}, err
	}
	wide = wide && x.Reaches(p)
	ps := []profile.Profile{p}
	switch {
	case !direct && !wide:
		return Ends{}, memberNotFound
	case wide && a == who.AccountID: // leaving ends both
		if ps, err = s.reached(ctx, p.Account, x.Tags); err != nil {
			return Ends{}, err
		}
	}
	return s.ends(ctx, a, ps)
}

func (s *Service) ends(ctx context.Context, a id.Account, ps []profile.Profile) (Ends, error) {
	e := Ends{Profiles: ps, Tokens: []MadeToken{}}
	if s.tokens != nil {
		for _, p := range ps {
			ts, err := s.tokens.MadeBy(ctx, p.ID, a)
			if err != nil {
				return e, err
			}
			e.Tokens = append(e.Tokens, ts...)
		}
	}
	var err error
	e.Sessions, err = s.accounts.SessionsOf(ctx, a)
	return e, err
}

// Shared is a profile that somebody else shares with a person.
type Shared struct {
	profile.Profile
	auth.Grant
}

// SharedWith lists the profiles that an account was given, oldest first.
func (s *Service) SharedWith(ctx context.Context, a id.Account) ([]Shared, error) {
	members, err := s.membershipsOf(ctx, a)
	if err != nil {
		return nil, err
	}
	roles, err := s.staffRolesOf(ctx, a)
	if err != nil {
		return nil, err
	}
	found := map[id.Profile]profile.Profile{}
	direct, wide := map[id.Profile]*Member{}, map[id.Account]*Staff{}
	for i, m := range members {
		p, err := s.profiles.Get(ctx, m.Profile)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[p.ID], direct[p.ID] = p, &members[i]
	}
	for i, x := range roles {
		ps, err := s.reached(ctx, x.Owner, x.Tags)
		if err != nil {
			return nil, err
		}
		wide[x.Owner] = &roles[i]
		for _, p := range ps {
			found[p.ID] = p
		}
	}
	out := []Shared{}
	for _, p := range found {
		g, ok := s.grant(direct[p.ID], wide[p.Account], p)
		if ok && p.Account != a {
			g.Owner = p.Account
			out = append(out, Shared{p, g})
		}
	}
	slices.SortFunc(out, func(x, y Shared) int {
		if c := x.CreatedAt.Compare(y.CreatedAt); c != 0 {
			return c
		}
		return int(x.No - y.No)
	})
	return out, nil
}

// reached are the profiles of an account with one of the tags, or all without tags.
func (s *Service) reached(ctx context.Context, owner id.Account, tags []tag.Tag) ([]profile.Profile, error) {
	ps, err := s.profiles.List(ctx, owner)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ps, func(p profile.Profile) bool { return !reaches(tags, p) }), nil
}
