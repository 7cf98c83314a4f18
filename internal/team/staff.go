package team

import (
	"context"
	"fmt"
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

var staffNotFound = fault.New(fault.NotFound, "Staff Not Found")

// StaffPerson is a row of the list of staff: a person or an invitation that waits.
type StaffPerson struct {
	Person
	Tags     []tag.Tag
	Profiles []profile.Profile // that it reaches now
}

// StaffList lists the staff of the caller's account, oldest first, then the invitations that wait.
func (s *Service) StaffList(ctx context.Context, who auth.Caller) ([]StaffPerson, error) {
	staff, err := s.staffOf(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	out, now := []StaffPerson{}, s.now()
	for _, x := range staff {
		acc, err := s.accounts.Get(ctx, x.Account)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ps, err := s.reached(ctx, x.Owner, x.Tags)
		if err != nil {
			return nil, err
		}
		out = append(out, StaffPerson{Person{ID: string(x.Account), Name: acc.Name, Email: acc.Email, Picture: acc.PictureURL(), Staff: true, Role: x.Role,
			ExpiresAt: x.ExpiresAt, Over: !live(x.ExpiresAt, now), CreatedAt: x.CreatedAt}, x.Tags, ps})
	}
	asked, err := s.pending(ctx, "", who.AccountID)
	if err != nil {
		return nil, err
	}
	for _, i := range asked {
		if i.ExpiresAt <= now {
			continue
		}
		ps, err := s.reached(ctx, i.Owner, i.Tags)
		if err != nil {
			return nil, err
		}
		row := asPerson(i)
		row.Staff = true
		out = append(out, StaffPerson{row, i.Tags, ps})
	}
	return out, nil
}

// InviteStaff asks a person into all profiles of the caller's account, or those with one of the tags. Its faults are those
// of Invite; every profile that the tags reach needs a seat.
func (s *Service) InviteStaff(ctx context.Context, who auth.Caller, in InviteInput) error {
	began := time.Now()
	if in.Within != nil {
		return fault.Field("within", "is for the team of one profile; staff see all of theirs")
	}
	if err := in.check(s.clock.Now()); err != nil {
		return err
	}
	owner, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, owner.ID); err != nil {
			return err
		}
		own, err := s.profiles.List(ctx, owner.ID)
		if err != nil {
			return err
		}
		if len(own) == 0 {
			return fault.New(fault.Conflict, "You own no profile that staff could work in")
		}
		if err := s.roomForStaff(ctx, owner.ID); err != nil {
			return err
		}
		ps, err := s.reached(ctx, owner.ID, in.Tags)
		if err != nil {
			return err
		}
		return s.invite(ctx, who, in, "", owner.ID, owner.ID, ps, owner.Name)
	})
	if err != nil {
		return err
	}
	account.Evenly(ctx, began)
	return nil
}

// roomForStaff bounds the staff of an account, whose tags may reach nothing yet.
func (s *Service) roomForStaff(ctx context.Context, owner id.Account) error {
	staff, err := s.staffOf(ctx, owner)
	if err != nil {
		return err
	}
	asked, err := s.pending(ctx, "", owner)
	if err != nil {
		return err
	}
	if n := len(staff) + len(asked); n >= maxPeople {
		return fault.New(fault.LimitReached, "You have exceeded the maximum limit of staff (%d)", maxPeople).
			With(fault.Limit{Limit: "staff", Scope: "account", Used: float64(n), Allowed: maxPeople, Hint: "Remove staff first."})
	}
	return nil
}

// StaffTerms changes what staff may do; nil and absent leave things as they are.
type StaffTerms struct {
	Role    *auth.Role
	Tags    *[]tag.Tag
	Expires web.Opt[string]
}

// ChangeStaff gives staff other terms, from the next request on. It returns not_found, Invalid for bad terms, and
// limit_reached when a profile that is reached now has no seat.
func (s *Service) ChangeStaff(ctx context.Context, who auth.Caller, a id.Account, t StaffTerms) error {
	if t.Tags != nil {
		if err := tag.Check("staff member", *t.Tags); err != nil {
			return err
		}
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, who.AccountID); err != nil {
			return err
		}
		x, ok, err := s.staff(ctx, who.AccountID, a)
		if err != nil {
			return err
		}
		if !ok {
			return staffNotFound
		}
		before, now := x, s.clock.Now()
		if t.Role != nil {
			x.Role = *t.Role
		}
		if t.Tags != nil {
			x.Tags = *t.Tags
		}
		var expires *time.Time
		if t.Expires.Set {
			if expires, err = until(t.Expires, now); err != nil {
				return err
			}
			x.ExpiresAt = 0
			if expires != nil {
				x.ExpiresAt = clock.Millis(*expires)
			}
		}
		if err := checkTerms(x.Role, nil, expires, now); err != nil {
			return err
		}
		acc, err := s.accounts.Get(ctx, a)
		if err != nil {
			return err
		}
		own, err := s.profiles.List(ctx, who.AccountID)
		if err != nil {
			return err
		}
		was := live(before.ExpiresAt, clock.Millis(now))
		for _, p := range own {
			// Who keeps a seat keeps it, also above the cap.
			if x.Reaches(p) && live(x.ExpiresAt, clock.Millis(now)) && !(was && before.Reaches(p)) {
				if err := s.seat(ctx, p, acc.Email); err != nil {
					return err
				}
			}
		}
		if err := s.putStaff(ctx, x); err != nil {
			return err
		}
		for _, p := range own {
			if before.Reaches(p) && !x.Reaches(p) {
				if err := s.endTokens(ctx, who, p, a); err != nil {
					return err
				}
			}
		}
		return s.record(ctx, who, "", who.AccountID, string(a), fmt.Sprintf("Staff changed to %s", x.Role), auditableStaff(before), auditableStaff(x))
	})
}

func auditableStaff(x Staff) map[string]any {
	m := map[string]any{"account": x.Account, "role": x.Role, "tags": x.Tags}
	if x.ExpiresAt > 0 {
		m["expires_at"] = x.ExpiresAt
	}
	return m
}

// everywhere lists the owner's profiles that a person may act in, as staff or as a member, and whether they are anything.
func (s *Service) everywhere(ctx context.Context, owner, a id.Account) ([]profile.Profile, bool, error) {
	_, found, err := s.staff(ctx, owner, a)
	if err != nil {
		return nil, false, err
	}
	own, err := s.profiles.List(ctx, owner)
	if err != nil {
		return nil, false, err
	}
	ps := []profile.Profile{}
	for _, p := range own {
		_, direct, err := s.member(ctx, p.ID, a)
		if err != nil {
			return nil, false, err
		}
		_, ok, err := s.Grant(ctx, a, p.ID)
		if err != nil {
			return nil, false, err
		}
		if ok || direct {
			ps = append(ps, p)
		}
		found = found || direct
	}
	return ps, found, nil
}

// StaffEnds lists what would end with RemoveStaff.
func (s *Service) StaffEnds(ctx context.Context, who auth.Caller, a id.Account) (Ends, error) {
	ps, found, err := s.everywhere(ctx, who.AccountID, a)
	if err != nil {
		return Ends{}, err
	}
	if !found {
		return Ends{}, staffNotFound
	}
	return s.ends(ctx, a, ps)
}

// RemoveStaff takes a person out of every profile of the caller's account at once, the teams they are members of included,
// or withdraws an invitation. It returns what ended, and not_found for who is nowhere.
func (s *Service) RemoveStaff(ctx context.Context, who auth.Caller, target string) (Ends, error) {
	i, err := s.ofAccount(ctx, who.AccountID, target)
	if err == nil {
		return Ends{Profiles: []profile.Profile{}, Tokens: []MadeToken{}, Sessions: []account.Session{}}, s.cancel(ctx, who, i)
	}
	if !fault.Is(err, fault.NotFound) {
		return Ends{}, err
	}
	a := id.Account(target)
	var e Ends
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, who.AccountID); err != nil {
			return err
		}
		var err error
		if e, err = s.StaffEnds(ctx, who, a); err != nil {
			return err
		}
		x, ok, err := s.staff(ctx, who.AccountID, a)
		if err != nil {
			return err
		}
		if ok {
			if err := s.dropStaff(ctx, who, x); err != nil {
				return err
			}
			if err := s.record(ctx, who, "", who.AccountID, string(a), "Staff removed", auditableStaff(x), nil); err != nil {
				return err
			}
		}
		for _, p := range e.Profiles {
			m, direct, err := s.member(ctx, p.ID, a)
			if err != nil {
				return err
			}
			if !direct {
				continue
			}
			if err := s.drop(ctx, who, p, a); err != nil {
				return err
			}
			if err := s.record(ctx, who, p.ID, who.AccountID, string(a), "Member removed", auditableMember(m), nil); err != nil {
				return err
			}
		}
		owner, err := s.accounts.Get(ctx, who.AccountID)
		if err != nil {
			return err
		}
		return s.tellRemoved(ctx, a, "the profiles of "+plain(owner.Name))
	})
	return e, err
}

// dropStaff ends a staff role, and the tokens made by it.
func (s *Service) dropStaff(ctx context.Context, who auth.Caller, x Staff) error {
	ps, err := s.reached(ctx, x.Owner, x.Tags)
	if err != nil {
		return err
	}
	if _, err := s.deleteStaff(ctx, x.Owner, x.Account); err != nil {
		return err
	}
	for _, p := range ps {
		if err := s.endTokens(ctx, who, p, x.Account); err != nil {
			return err
		}
	}
	return nil
}
