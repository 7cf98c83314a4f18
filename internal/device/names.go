package device

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Named is a device by its name.
type Named struct {
	ID   id.Device `json:"id"`
	Name string    `json:"name"`
}

// Names returns those of the ids that are devices of the profile, ordered by name.
func (s *Service) Names(ctx context.Context, p id.Profile, ids []id.Device) ([]Named, error) {
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
	slices.SortFunc(out, func(a, b Named) int {
		if c := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out, nil
}

// TagKeys lists the keys of the tags of a profile's devices, each once, in order; at most 10,000.
func (s *Service) TagKeys(ctx context.Context, p id.Profile) ([]string, error) {
	keys, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT DISTINCT key FROM device_tag WHERE profile_id = $1 ORDER BY key LIMIT 10000`, p)
	slices.Sort(keys) // the engines collate differently
	return keys, err
}
