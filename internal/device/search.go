package device

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Hit is a device that a search found.
type Hit struct {
	Profile   id.Profile
	ID        id.Device
	Name      string
	Active    bool
	LastInput int64  // UTC milliseconds; 0 never
	By        string // what of it matched: "name" or "id"
	Rank      int    // the lower, the closer: 0 the very id, 1 the very name, 2 how one of them begins, 3 in the middle of the name

	key string // the name as it is sorted
}

// searchChunk is how many profiles one statement of a search looks through.
const searchChunk = sqldb.MaxSize

// idStart is what a search takes for the beginning of an id: shorter ones begin too many.
var idStart = regexp.MustCompile(`^[0-9a-f]{6,24}$`)

// Search finds at most most devices by a part of their name, in any case of letters, or by the beginning of their id, the
// closest first. in is the caller in each profile to look through; of one who sees a part of a profile's devices only that part
// is. A name is looked for in the index by which devices are listed, so a search reads each name once and no row but those it
// returns.
func (s *Service) Search(ctx context.Context, in []auth.Caller, q string, most int) ([]Hit, error) {
	var whole []auth.Caller
	var out []Hit
	for _, who := range in {
		if who.Devices() == nil {
			whole = append(whole, who)
			continue
		}
		hits, err := s.matching(ctx, []auth.Caller{who}, q, most)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	for some := range slices.Chunk(whole, searchChunk) {
		hits, err := s.matching(ctx, some, q, most)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	slices.SortFunc(out, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.key, b.key), cmp.Compare(a.ID, b.ID))
	})
	return s.complete(ctx, out[:min(most, len(out))])
}

// matching finds devices in profiles that are all seen whole, or in one of which a part is seen.
func (s *Service) matching(ctx context.Context, in []auth.Caller, q string, most int) ([]Hit, error) {
	low := strings.ToLower(q)
	part := sqldb.LikeText(low)
	w := new(sqldb.Where) // the closeness stands first in the text
	rank := fmt.Sprintf(`CASE WHEN id = %s THEN 0 WHEN name_key = %s THEN 1 WHEN name_key LIKE %s ESCAPE '\' OR NOT name_key LIKE %s ESCAPE '\' THEN 2 ELSE 3 END`,
		w.Arg(low), w.Arg(low), w.Arg(part+"%"), w.Arg("%"+part+"%"))
	w.And("profile_id IN (?"+strings.Repeat(", ?", sqldb.SizeFor(len(in))-1)+")", profilesOf(in)...)
	begin, end := low, low+"g" // the ids that begin so: digits and letters to f stand before a g in every collation
	if !idStart.MatchString(low) {
		begin, end = "", ""
	}
	w.And(`name_key LIKE ? ESCAPE '\' OR (id >= ? AND id < ?)`, "%"+part+"%", begin, end)
	if cond, args := s.Within(in[0], in[0].ProfileID, "id"); cond != "" {
		w.And(cond, args...)
	}
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (h Hit, err error) {
		err = r.Scan(&h.Profile, &h.ID, &h.key, &h.Rank)
		h.By = "name"
		if h.Rank == 0 || !strings.Contains(h.key, low) {
			h.By = "id"
		}
		return h, err
	}, `SELECT profile_id, id, name_key, `+rank+` AS closeness FROM device`+w.SQL()+` ORDER BY closeness, name_key, id LIMIT `+w.Arg(int64(most)), w.Args()...)
}

// profilesOf are the profiles of callers, filled up with what no profile is to one of sqldb.Sizes.
func profilesOf(in []auth.Caller) []any {
	out := make([]any, sqldb.SizeFor(len(in)))
	for i := range out {
		out[i] = ""
		if i < len(in) {
			out[i] = in[i].ProfileID
		}
	}
	return out
}

// Named reads what a list shows of devices that were found by something else, in the order given. One that the caller in its
// profile does not see, or that is gone, is left out. in must have a caller for each profile.
func (s *Service) Named(ctx context.Context, in map[id.Profile]auth.Caller, hits []Hit) ([]Hit, error) {
	of := map[id.Profile][]id.Device{}
	for _, h := range hits {
		of[h.Profile] = append(of[h.Profile], h.ID)
	}
	seen := map[id.Profile]map[id.Device]bool{}
	for p, ds := range of {
		var err error
		if seen[p], err = s.Seen(ctx, in[p], p, ds); err != nil {
			return nil, err
		}
	}
	return s.complete(ctx, slices.DeleteFunc(hits, func(h Hit) bool { return !seen[h.Profile][h.ID] }))
}

// complete fills in what hits lack, and drops those that are gone.
func (s *Service) complete(ctx context.Context, hits []Hit) ([]Hit, error) {
	type key struct {
		p id.Profile
		d id.Device
	}
	found := map[key]Hit{}
	for some := range slices.Chunk(hits, 50) {
		var ps, ds []any
		for _, h := range some {
			ps, ds = append(ps, h.Profile), append(ds, h.ID)
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (h Hit, err error) {
			return h, r.Scan(&h.Profile, &h.ID, &h.Name, &h.Active, &h.LastInput)
		}, fmt.Sprintf(`SELECT profile_id, id, name, active, last_input FROM device WHERE profile_id IN (%s) AND id IN (%s)`,
			sqldb.Marks(1, len(ps)), sqldb.Marks(1+len(ps), len(ds))), append(ps, ds...)...)
		if err != nil {
			return nil, fmt.Errorf("read devices that were found: %w", err)
		}
		for _, h := range rows {
			found[key{h.Profile, h.ID}] = h
		}
	}
	out := make([]Hit, 0, len(hits))
	for _, h := range hits {
		if f, ok := found[key{h.Profile, h.ID}]; ok {
			f.By, f.Rank = h.By, h.Rank
			out = append(out, f)
		}
	}
	return out, nil
}
