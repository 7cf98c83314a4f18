package team

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// Hit is a person that a search found, once for all profiles.
type Hit struct {
	ID       string // the account's; of an invitation that waits, the invitation's
	Name     string // "" of an invitation
	Email    string
	Role     auth.Role  // in Profile
	Profile  id.Profile // one of those where the person is; "" when staff reach none now
	Profiles int        // how many of them there are
	Staff    bool       // of the caller's account
	Pending  bool       // invited
	Rank     int        // the lower, the closer: 1 the whole, 2 how name or address begins, 3 in the middle
}

// Place is a profile and the caller in it.
type Place struct {
	Profile profile.Profile
	Who     auth.Caller
}

// mostPeople bounds how many rows of each kind a search looks through.
const mostPeople = 20_000

// Search finds at most most people by a part of name or address, the closest first: those whom the lists of team and staff show to the
// caller, of the staff of account a ("" for none) also those who reach nothing now. So viewers find nobody, and developers no invitations.
func (s *Service) Search(ctx context.Context, a id.Account, in []Place, q string, most int) ([]Hit, error) {
	q = strings.ToLower(q)
	now := s.now()
	places, invites := map[id.Profile]Place{}, map[id.Profile]bool{}
	owners := map[id.Account][]profile.Profile{}
	for _, p := range in {
		if p.Who.Role.AtLeast(auth.Developer) {
			places[p.Profile.ID] = p
			owners[p.Profile.Account] = append(owners[p.Profile.Account], p.Profile)
		}
		if p.Who.Role.AtLeast(auth.Admin) {
			invites[p.Profile.ID] = true
		}
	}
	found := map[string]*Hit{}
	add := func(key, name, email string, h Hit) {
		if h.Rank = rank(q, name, email); h.Rank == 0 {
			return
		}
		if was := found[key]; was != nil {
			was.Profiles += h.Profiles
			was.Staff = was.Staff || h.Staff
			was.Profile = cmp.Or(was.Profile, h.Profile)
			return
		}
		h.Name, h.Email = name, email
		found[key] = &h
	}
	person := func(of id.Account, h Hit) error {
		acc, err := s.accounts.Get(ctx, of)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err == nil {
			h.ID = string(of)
			add(h.ID, acc.Name, acc.Email, h)
		}
		return err
	}

	reached := map[id.Account]map[id.Profile]bool{} // by staff, so that a membership beside it is not counted again
	for owner, ps := range owners {
		staff, err := s.staffOf(ctx, owner)
		if err != nil {
			return nil, err
		}
		for _, x := range staff {
			if !live(x.ExpiresAt, now) {
				continue
			}
			h := Hit{Role: x.Role, Staff: owner == a}
			reached[x.Account] = map[id.Profile]bool{}
			for _, p := range ps {
				if x.Reaches(p) {
					h.Profile = cmp.Or(h.Profile, p.ID)
					h.Profiles++
					reached[x.Account][p.ID] = true
				}
			}
			if h.Profiles == 0 && !h.Staff {
				continue
			}
			if err := person(x.Account, h); err != nil {
				return nil, err
			}
		}
	}
	members, asked, err := s.peopleOf(ctx, slices.Sorted(keys(places)))
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if !live(m.ExpiresAt, now) || reached[m.Account][m.Profile] {
			continue
		}
		if err := person(m.Account, Hit{Role: m.Role, Profile: m.Profile, Profiles: 1}); err != nil {
			return nil, err
		}
	}
	own, err := s.pending(ctx, "", a)
	if err != nil {
		return nil, err
	}
	if len(owners[a]) == 0 { // a token of a profile, or somebody who owns nothing
		own = nil
	}
	for _, i := range append(asked, own...) {
		if i.ExpiresAt <= now || i.Profile != "" && !invites[i.Profile] {
			continue
		}
		h := Hit{ID: string(i.ID), Role: i.Role, Profile: i.Profile, Staff: i.Profile == "", Pending: true}
		if i.Profile != "" {
			h.Profiles = 1
		}
		add("invited "+i.address(), "", i.Email, h)
	}
	out := make([]Hit, 0, len(found))
	for _, h := range found {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(x, y Hit) int {
		return cmp.Or(cmp.Compare(x.Rank, y.Rank), cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), cmp.Compare(x.Email, y.Email), cmp.Compare(x.ID, y.ID))
	})
	return out[:min(most, len(out))], nil
}

func keys(m map[id.Profile]Place) func(yield func(id.Profile) bool) {
	return func(yield func(id.Profile) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// rank is how close what is searched for is to a name or an address; 0 for not at all.
func rank(q, name, email string) int {
	best := 0
	for _, s := range []string{strings.ToLower(name), strings.ToLower(email)} {
		r := 0
		switch {
		case s == q:
			r = 1
		case strings.HasPrefix(s, q), strings.Contains(s, " "+q):
			r = 2
		case strings.Contains(s, q):
			r = 3
		}
		if r > 0 && (best == 0 || r < best) {
			best = r
		}
	}
	return best
}

// peopleOf lists the members of some profiles and the invitations that wait in them.
func (s *Service) peopleOf(ctx context.Context, ps []id.Profile) (members []Member, asked []Invitation, err error) {
	for some := range slices.Chunk(ps, sqldb.MaxSize) {
		n := sqldb.SizeFor(len(some))
		args := make([]any, n, n+1)
		for i := range args {
			args[i] = "-" // no profile; "" is where staff are invited
			if i < len(some) {
				args[i] = some[i]
			}
		}
		args = append(args, int64(mostPeople))
		marks, limit := sqldb.Marks(1, n), fmt.Sprintf("$%d", n+1)
		m, err := sqldb.All(ctx, s.db, scanMember, `SELECT `+memberColumns+` FROM member WHERE profile IN (`+marks+`) ORDER BY created_at, account LIMIT `+limit, args...)
		if err != nil {
			return nil, nil, err
		}
		i, err := sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation
			WHERE profile IN (`+marks+`) AND state = 'pending' ORDER BY created_at, id LIMIT `+limit, args...)
		if err != nil {
			return nil, nil, err
		}
		members, asked = append(members, m...), append(asked, i...)
	}
	return members, asked, nil
}
