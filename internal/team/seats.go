package team

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// Seats is how many people besides the owner are in a profile.
type Seats struct {
	Members int64 // who may act in it now, staff among them
	Pending int64 // invitations that wait, to it or to its owner's staff
}

// SeatsOf counts the people of many profiles, with three statements for every few hundred profiles or owners.
func (s *Service) SeatsOf(ctx context.Context, ps []profile.Profile) (map[id.Profile]Seats, error) {
	now := s.now()
	var owners []id.Account
	for _, p := range ps {
		owners = append(owners, p.Account)
	}
	slices.Sort(owners)
	owners = slices.Compact(owners)

	people := make(map[id.Profile]map[id.Account]bool, len(ps))
	asked := make(map[id.Profile]map[string]bool, len(ps))
	staff, wide := map[id.Account][]Staff{}, map[id.Account][]Invitation{}
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		var ids []id.Profile
		for _, p := range part {
			ids = append(ids, p.ID)
		}
		w := sqldb.NewWhere("expires_at = 0 OR expires_at > ?", now)
		sqldb.In(w, "profile", ids)
		type row struct {
			profile id.Profile
			account id.Account
		}
		ms, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.account) },
			`SELECT profile, account FROM member`+w.SQL(), w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("count members: %w", err)
		}
		for _, m := range ms {
			if people[m.profile] == nil {
				people[m.profile] = map[id.Account]bool{}
			}
			people[m.profile][m.account] = true
		}
		w = sqldb.NewWhere("state = 'pending' AND expires_at > ?", now)
		sqldb.In(w, "profile", ids)
		is, err := sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation`+w.SQL(), w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("count invitations: %w", err)
		}
		for _, i := range is {
			if asked[i.Profile] == nil {
				asked[i.Profile] = map[string]bool{}
			}
			asked[i.Profile][i.address()] = true
		}
	}
	for part := range slices.Chunk(owners, sqldb.MaxSize) {
		w := sqldb.NewWhere("expires_at = 0 OR expires_at > ?", now)
		sqldb.In(w, "owner", part)
		xs, err := sqldb.All(ctx, s.db, scanStaff, `SELECT `+staffColumns+` FROM staff`+w.SQL(), w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("count staff: %w", err)
		}
		for _, x := range xs {
			staff[x.Owner] = append(staff[x.Owner], x)
		}
		w = sqldb.NewWhere("profile = '' AND state = 'pending' AND expires_at > ?", now)
		sqldb.In(w, "owner", part)
		is, err := sqldb.All(ctx, s.db, scanInvitation, `SELECT `+invitationColumns+` FROM invitation`+w.SQL(), w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("count invitations: %w", err)
		}
		for _, i := range is {
			wide[i.Owner] = append(wide[i.Owner], i)
		}
	}
	out := make(map[id.Profile]Seats, len(ps))
	for _, p := range ps {
		x := Seats{Members: int64(len(people[p.ID])), Pending: int64(len(asked[p.ID]))}
		for _, m := range staff[p.Account] {
			if m.Reaches(p) && !people[p.ID][m.Account] {
				x.Members++
			}
		}
		for _, i := range wide[p.Account] {
			if reaches(i.Tags, p) && !asked[p.ID][i.address()] {
				x.Pending++
			}
		}
		out[p.ID] = x
	}
	return out, nil
}
