package team

import (
	"cmp"
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
)

// Fate is what the new owner of a profile decides about somebody who would lose access to it.
type Fate string

// The fates. A person about whom nothing is said has End.
const (
	End         Fate = "end"
	Adopt       Fate = "adopt"     // a member or former staff stays, with the role and restriction that counted so far
	Overlap     Fate = "overlap"   // as Adopt, for OverlapFor
	AsDeveloper Fate = "developer" // the former owner stays with that role
	AsViewer    Fate = "viewer"
)

// OverlapFor is how long somebody with the fate Overlap stays.
const OverlapFor = 24 * time.Hour

// Affected is a person who loses access to a profile with a change of its owner.
type Affected struct {
	Account id.Account `json:"account"`
	Name    string     `json:"name"`
	Email   string     `json:"email"`
	Role    auth.Role  `json:"role"`
	Staff   bool       `json:"staff"`    // acts in it by the former owner's staff role, perhaps beside a membership
	Owner   bool       `json:"owner"`    // the former owner
	Until   *web.Time  `json:"until"`    // when access would end anyway; nil for never
	LastUse *web.Time  `json:"last_use"` // of a living session of the account; nil when none is known
}

// wasKey is where HandOver notes for Was who might do what.
type wasKey id.Profile

// Left is what a change of owner did to a team: what UndoHandOver needs. It encodes as JSON.
type Left struct {
	At          int64           `json:"at"`
	Members     []Member        `json:"members"`     // as they were, all of them
	Kept        []id.Account    `json:"kept"`        // who was given a membership by a fate
	Invitations []id.Invitation `json:"invitations"` // that ended
}

// loser is who loses access, with what counted so far.
type loser struct {
	account account.Account
	owner   bool
	staff   bool
	grant   auth.Grant
	until   int64 // when access would end anyway; 0 never
	terms   int64 // when the grant would
}

// Affected lists who loses access when a profile goes to another account: its owner first, then members and staff, by the
// date they came. Who would act in it as staff of the new owner is not among them, and neither is the new owner.
func (s *Service) Affected(ctx context.Context, p profile.Profile, to id.Account) ([]Affected, error) {
	losers, err := s.losers(ctx, p, to)
	if err != nil {
		return nil, err
	}
	out := make([]Affected, len(losers))
	for i, l := range losers {
		out[i] = Affected{Account: l.account.ID, Name: l.account.Name, Email: l.account.Email, Role: l.grant.Role, Staff: l.staff, Owner: l.owner, Until: maybe(l.until)}
		sessions, err := s.accounts.SessionsOf(ctx, l.account.ID)
		if err != nil {
			return nil, err
		}
		if len(sessions) > 0 {
			out[i].LastUse = maybe(clock.Millis(sessions[0].LastUsedAt))
		}
	}
	return out, nil
}

// Keeps reports whether an account may act in a profile once that is another account's, whatever anybody decides: the new
// owner, and staff of it.
func (s *Service) Keeps(ctx context.Context, p profile.Profile, to, a id.Account) (bool, error) {
	if a == to {
		return true, nil
	}
	x, ok, err := s.staff(ctx, to, a)
	p.Account = to
	return ok && live(x.ExpiresAt, s.now()) && x.Reaches(p), err
}

// Was is what an account might do in a profile before that changed hands, in the transaction in which it does; p is the
// profile as its former owner had it.
func (s *Service) Was(ctx context.Context, p profile.Profile, a id.Account) (auth.Grant, bool, error) {
	if a == p.Account {
		return auth.Grant{Owner: a, Role: auth.Owner}, true, nil
	}
	if before, ok := sqldb.Noted(ctx, wasKey(p.ID)).(map[id.Account]auth.Grant); ok {
		g, ok := before[a]
		return g, ok, nil
	}
	var m *Member
	var x *Staff
	if row, ok, err := s.member(ctx, p.ID, a); err != nil {
		return auth.Grant{}, false, err
	} else if ok {
		m = &row
	}
	if row, ok, err := s.staff(ctx, p.Account, a); err != nil {
		return auth.Grant{}, false, err
	} else if ok {
		x = &row
	}
	g, ok := s.grant(m, x, p)
	return g, ok, nil
}

// losers computes Affected; p is the profile as its former owner has it, also when it is somebody else's by now.
func (s *Service) losers(ctx context.Context, p profile.Profile, to id.Account) ([]loser, error) {
	owner, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	out := []loser{{account: owner, owner: true, grant: auth.Grant{Role: auth.Owner}}}
	members, err := s.membersOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	staff, err := s.staffOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	wide := map[id.Account]*Staff{}
	for i := range staff {
		if staff[i].Reaches(p) {
			wide[staff[i].Account] = &staff[i]
		}
	}
	add := func(a id.Account, m *Member, x *Staff) error {
		g, ok := s.grant(m, x, p)
		if !ok || a == p.Account {
			return nil
		}
		if keeps, err := s.Keeps(ctx, p, to, a); err != nil || keeps {
			return err
		}
		acc, err := s.accounts.Get(ctx, a)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if m != nil && !live(m.ExpiresAt, s.now()) {
			m = nil
		}
		if x != nil && !live(x.ExpiresAt, s.now()) {
			x = nil
		}
		l := loser{account: acc, staff: x != nil, grant: g}
		l.until, l.terms = lasts(m, x)
		out = append(out, l)
		return nil
	}
	for i := range members {
		m := &members[i]
		if err := add(m.Account, m, wide[m.Account]); err != nil {
			return nil, err
		}
		delete(wide, m.Account)
	}
	for _, x := range staff {
		if x := wide[x.Account]; x != nil {
			if err := add(x.Account, nil, x); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// lasts is when what a living membership and a living staff role give, of which either may be missing, ends, and when the
// better of the two does; 0 for never.
func lasts(m *Member, x *Staff) (until, better int64) {
	switch {
	case m == nil:
		return x.ExpiresAt, x.ExpiresAt
	case x == nil:
		return m.ExpiresAt, m.ExpiresAt
	}
	until = max(m.ExpiresAt, x.ExpiresAt)
	if m.ExpiresAt == 0 || x.ExpiresAt == 0 {
		until = 0
	}
	switch {
	case m.Role == x.Role && m.Within == nil:
		return until, until
	case m.Role != x.Role && m.Role.AtLeast(x.Role):
		return until, m.ExpiresAt
	}
	return until, x.ExpiresAt
}

// checkFates refuses what was decided about people who do not lose access, and decisions that are none.
func checkFates(losers []loser, fates map[id.Account]Fate) error {
	by := map[id.Account]loser{}
	for _, l := range losers {
		by[l.account.ID] = l
	}
	named := make([]id.Account, 0, len(fates))
	for a := range fates {
		named = append(named, a)
	}
	slices.Sort(named)
	for _, a := range named {
		l, ok := by[a]
		field, f := fmt.Sprintf("people.%s", a), cmp.Or(fates[a], End)
		switch {
		case !ok:
			return fault.Field(field, "is nobody who loses access to this profile")
		case l.owner && f != AsDeveloper && f != AsViewer && f != End:
			return fault.Field(field, "must be developer, viewer or end: this is the former owner")
		case !l.owner && f != Adopt && f != Overlap && f != End:
			return fault.Field(field, "must be adopt, overlap or end")
		}
	}
	return nil
}

// HandOver does to a team what a change of its profile's owner asks for, in the transaction of ctx and after
// profile.Service.HandOver, which holds the locks of both owners: members lose access unless fates say otherwise, the
// former owner too, invitations end, and the new owner's own membership with them. Staff come and go with the owner. It
// returns Invalid for a fate of somebody who does not lose access, and limit_reached when the plan of the new owner has no
// seat for somebody who is to stay; both name the person.
func (s *Service) HandOver(ctx context.Context, who auth.Caller, h profile.Handover, fates map[id.Account]Fate) (Left, error) {
	left := Left{At: h.At, Members: []Member{}, Kept: []id.Account{}, Invitations: []id.Invitation{}}
	losers, err := s.losers(ctx, h.Profile, h.To)
	if err != nil {
		return left, err
	}
	if err := checkFates(losers, fates); err != nil {
		return left, err
	}
	before := map[id.Account]auth.Grant{}
	for _, l := range losers {
		before[l.account.ID] = l.grant
	}
	sqldb.Note(ctx, wasKey(h.Profile.ID), before)
	if left.Members, err = s.membersOf(ctx, h.Profile.ID); err != nil {
		return left, err
	}
	for _, m := range left.Members {
		if _, err := s.deleteMember(ctx, m.Profile, m.Account); err != nil {
			return left, err
		}
	}
	if left.Invitations, err = s.suspendAll(ctx, who, h, "Invitation of %s ended with the change of owner"); err != nil {
		return left, err
	}
	p := h.Profile
	p.Account = h.To
	was := map[id.Account]Member{}
	for _, m := range left.Members {
		was[m.Account] = m
	}
	for _, l := range losers {
		a := l.account.ID
		m := Member{Profile: p.ID, Account: a, Role: l.grant.Role, Within: l.grant.Within, InvitedBy: h.To, ExpiresAt: l.terms, CreatedAt: h.At}
		message := "%s stays as %s, by decision of the new owner"
		switch fates[a] {
		case Adopt:
		case AsDeveloper, AsViewer:
			m.Role = auth.Role(fates[a])
		case Overlap:
			end := h.At + OverlapFor.Milliseconds()
			if m.ExpiresAt == 0 || m.ExpiresAt > end {
				m.ExpiresAt = end
			}
			message = "%s stays as %s for a day, by decision of the new owner"
		default:
			if l.owner {
				if keeps, err := s.Keeps(ctx, h.Profile, h.To, a); err != nil || keeps { // as staff of the new owner
					if err != nil {
						return left, err
					}
					continue
				}
			}
			if err := s.lost(ctx, who, h, l, was); err != nil {
				return left, err
			}
			continue
		}
		if err := s.seatFor(ctx, p, l.account); err != nil {
			return left, err
		}
		if err := s.putMember(ctx, m); err != nil {
			return left, err
		}
		left.Kept = append(left.Kept, a)
		if err := s.record(ctx, who, p.ID, "", string(a), fmt.Sprintf(message, l.account.Email, m.Role), nil, auditableMember(m)); err != nil {
			return left, err
		}
	}
	return left, nil
}

// Waiting counts the invitations to a profile's team that can be accepted: what HandOver ends.
func (s *Service) Waiting(ctx context.Context, p id.Profile) (int, error) {
	asked, err := s.pending(ctx, p, "")
	n := 0
	for _, i := range asked {
		if live(i.ExpiresAt, s.now()) {
			n++
		}
	}
	return n, err
}

// seatFor is seat, naming the person.
func (s *Service) seatFor(ctx context.Context, p profile.Profile, acc account.Account) error {
	err := s.seat(ctx, p, acc.Email)
	if fault.Is(err, fault.LimitReached) {
		f := fault.Of(err)
		return fault.New(fault.LimitReached, "people.%s: there is no seat for %s. %s", acc.ID, acc.Email, f.Message).With(f.Detail)
	}
	return err
}

// lost notes that somebody has lost access, and tells them. The former owner hears of it as a party to the change.
func (s *Service) lost(ctx context.Context, who auth.Caller, h profile.Handover, l loser, was map[id.Account]Member) error {
	a := l.account.ID
	before := map[string]any{"account": a, "role": l.grant.Role}
	if m, ok := was[a]; ok {
		before = auditableMember(m)
	}
	if l.staff {
		before["staff"] = true
	}
	if err := s.record(ctx, who, h.Profile.ID, "", string(a), l.account.Email+" lost access with the change of owner", before, nil); err != nil || l.owner {
		return err
	}
	return s.tell(ctx, "", "you have lost access to a profile", fmt.Sprintf("The profile “%s” has another owner now, and you have no access to it any more. "+
		"Tokens that you made there have ended, but for those that the new owner has taken over.", plain(h.Profile.Name)), a)
}

// suspendAll ends the invitations to a profile's team that wait.
func (s *Service) suspendAll(ctx context.Context, who auth.Caller, h profile.Handover, message string) ([]id.Invitation, error) {
	asked, err := s.pending(ctx, h.Profile.ID, "")
	if err != nil {
		return nil, err
	}
	out := []id.Invitation{}
	for _, i := range asked {
		ok, err := s.suspend(ctx, i.ID, h.At)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		out = append(out, i.ID)
		if err := s.record(ctx, who, h.Profile.ID, "", string(i.ID), fmt.Sprintf(message, i.Email), auditableInvitation(i), nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// UndoHandOver gives a team back what HandOver took, in the transaction of ctx and after the profile has gone back (h is
// that). Memberships and invitations that ended are there again, as far as their time is not over; memberships given by
// fates are what they were before. Who has joined otherwise since, and who was removed since by somebody's decision, is left
// alone. Invitations made since end. Nobody needs a seat for coming back.
func (s *Service) UndoHandOver(ctx context.Context, who auth.Caller, h profile.Handover, left Left) error {
	now, err := s.membersOf(ctx, h.Profile.ID)
	if err != nil {
		return err
	}
	was := map[id.Account]Member{}
	for _, m := range left.Members {
		if m.Profile == h.Profile.ID {
			was[m.Account] = m
		}
	}
	settled := map[id.Account]bool{h.To: true}
	for _, a := range left.Kept {
		settled[a] = true
	}
	for _, m := range now {
		kept := settled[m.Account] && m.CreatedAt == left.At
		settled[m.Account] = true
		if !kept && m.Account != h.To {
			continue
		}
		if before, ok := was[m.Account]; ok && m.Account != h.To {
			if err := s.restore(ctx, who, before, auditableMember(m)); err != nil {
				return err
			}
			continue
		}
		if _, err := s.deleteMember(ctx, m.Profile, m.Account); err != nil {
			return err
		}
		if err := s.record(ctx, who, m.Profile, "", string(m.Account), "Membership ended: the change of owner was undone", auditableMember(m), nil); err != nil {
			return err
		}
	}
	for _, m := range left.Members {
		if settled[m.Account] || m.Profile != h.Profile.ID {
			continue
		}
		_, err := s.accounts.Get(ctx, m.Account)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.restore(ctx, who, m, nil); err != nil {
			return err
		}
		if !live(m.ExpiresAt, s.now()) {
			continue
		}
		if err := s.tell(ctx, m.Profile, "you are back in a team", fmt.Sprintf("The profile “%s” is its former owner's again, and you have access to it as before.", plain(h.Profile.Name)), m.Account); err != nil {
			return err
		}
	}
	if _, err := s.suspendAll(ctx, who, h, "Invitation of %s ended: the change of owner was undone"); err != nil {
		return err
	}
	for _, i := range left.Invitations {
		ok, err := s.resume(ctx, h.Profile.ID, i, left.At, s.now())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := s.record(ctx, who, h.Profile.ID, "", string(i), "Invitation holds again: the change of owner was undone", nil, map[string]any{"state": Pending}); err != nil {
			return err
		}
	}
	return nil
}

// restore makes a member what they were before a change of owner.
func (s *Service) restore(ctx context.Context, who auth.Caller, m Member, before any) error {
	if err := s.putMember(ctx, m); err != nil {
		return err
	}
	return s.record(ctx, who, m.Profile, "", string(m.Account), "Member as before: the change of owner was undone", before, auditableMember(m))
}
