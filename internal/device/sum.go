package device

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Sum is what the devices of a profile are together, those that a caller may see.
type Sum struct {
	Devices   int64
	LastInput int64 // UTC milliseconds of the latest; 0 for never. From other nodes ten seconds old
}

// Reached divides callers, each acting in a profile of their own, into statements: conditions on profile_id, each with its arguments, of which
// every row matches one at most. Who sees a part of a profile's devices is narrowed to the rows of those; a row of no device ("") is seen by
// everybody.
func (s *Service) Reached(callers []auth.Caller, column string) (conds []Reached) {
	var whole, narrowed []auth.Caller
	for _, c := range callers {
		if c.Devices() == nil {
			whole = append(whole, c)
		} else {
			narrowed = append(narrowed, c)
		}
	}
	for part := range slices.Chunk(whole, sqldb.MaxSize) {
		r := Reached{}
		for range sqldb.SizeFor(len(part)) - len(part) {
			r.Args = append(r.Args, "")
		}
		for _, c := range part {
			r.Args = append(r.Args, string(c.ProfileID))
		}
		r.Cond = "profile_id IN (" + strings.TrimSuffix(strings.Repeat("?,", len(r.Args)), ",") + ")"
		conds = append(conds, r)
	}
	const few = 20 // a restriction has many arguments
	for part := range slices.Chunk(narrowed, few) {
		r := Reached{}
		var each []string
		for _, c := range part {
			cond, args := s.Within(c, c.ProfileID, column)
			each = append(each, "(profile_id = ? AND ("+column+" = '' OR "+cond+"))")
			r.Args = append(append(r.Args, string(c.ProfileID)), args...)
		}
		r.Cond = strings.Join(each, " OR ")
		conds = append(conds, r)
	}
	return conds
}

// Reached is a condition on rows of many profiles, with a ? for each argument.
type Reached struct {
	Cond string
	Args []any
}

// Sums adds up the devices of many profiles, those that each caller may see in theirs. A profile without devices is not in the answer.
func (s *Service) Sums(ctx context.Context, callers []auth.Caller) (map[id.Profile]Sum, error) {
	type row struct {
		profile id.Profile
		Sum
	}
	out := make(map[id.Profile]Sum, len(callers))
	for _, r := range s.Reached(callers, "id") {
		w := sqldb.NewWhere(r.Cond, r.Args...)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.profile, &x.Devices, &x.LastInput) },
			`SELECT profile_id, COUNT(*), MAX(last_input) FROM device`+w.SQL()+` GROUP BY profile_id`, w.Args()...)
		if err != nil {
			return nil, fmt.Errorf("add up devices: %w", err)
		}
		for _, x := range rows {
			out[x.profile] = x.Sum
		}
	}
	whole := make(map[id.Profile]bool, len(callers))
	for _, c := range callers {
		whole[c.ProfileID] = c.Devices() == nil
	}
	s.touched.mu.Lock()
	defer s.touched.mu.Unlock()
	for _, m := range []map[owner]touch{s.touched.last, s.touched.m} {
		for _, t := range m {
			if sum, there := out[t.profile]; there && whole[t.profile] && t.input > sum.LastInput {
				sum.LastInput = t.input
				out[t.profile] = sum
			}
		}
	}
	return out, nil
}
