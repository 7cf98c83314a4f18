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

// Named is a device by its name.
type Named struct {
	ID   id.Device `json:"id"`
	Name string    `json:"name"`
}

// Names returns those of the ids that are devices of the profile and that the caller may see, ordered by name.
func (s *Service) Names(ctx context.Context, who auth.Caller, p id.Profile, ids []id.Device) ([]Named, error) {
	seen, err := s.Seen(ctx, who, p, ids)
	if err != nil {
		return nil, err
	}
	out, err := s.named(ctx, p, slices.DeleteFunc(slices.Clone(ids), func(d id.Device) bool { return !seen[d] }))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Named) int {
		if c := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out, nil
}

// named reads the names of those ids that are devices of the profile, whoever may see them.
func (s *Service) named(ctx context.Context, p id.Profile, ids []id.Device) ([]Named, error) {
	const most = 1000
	out := []Named{}
	for part := range slices.Chunk(ids, most) {
		args := make([]any, 0, len(part)+1)
		args = append(args, p)
		for _, d := range part {
			args = append(args, d)
		}
		named, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (n Named, err error) { return n, r.Scan(&n.ID, &n.Name) },
			fmt.Sprintf(`SELECT id, name FROM device WHERE profile_id = $1 AND id IN (%s)`, sqldb.Marks(2, len(part))), args...)
		if err != nil {
			return nil, err
		}
		out = append(out, named...)
	}
	return out, nil
}

// namesOf are those names by id.
func (s *Service) namesOf(ctx context.Context, p id.Profile, ids []id.Device) (map[id.Device]string, error) {
	named, err := s.named(ctx, p, ids)
	out := make(map[id.Device]string, len(named))
	for _, n := range named {
		out[n.ID] = n.Name
	}
	return out, err
}

// TagKeys lists the keys of the tags of a profile's devices that the caller may see, each once, in order; at most 10,000.
func (s *Service) TagKeys(ctx context.Context, who auth.Caller, p id.Profile) ([]string, error) {
	w := sqldb.NewWhere("profile_id = ?", p)
	if cond, args := s.Within(who, p, "device_id"); cond != "" {
		w.And(cond, args...)
	}
	keys, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT DISTINCT key FROM device_tag`+w.SQL()+` ORDER BY key LIMIT 10000`, w.Args()...)
	slices.Sort(keys) // the engines collate differently
	return keys, err
}
