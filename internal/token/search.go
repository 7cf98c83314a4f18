package token

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Hit is a token that a search found.
type Hit struct {
	Profile id.Profile
	Device  id.Device // "" for a token of the profile itself
	Serial  string    // "" when it has none
	Tail    string    // last four characters of the secret
	By      string    // what of it matched: "serial" or "token"
	Rank    int       // the lower, the closer: 0 the very one, 2 how it begins or ends, 3 in the middle
}

var tailOf = regexp.MustCompile(`^[0-9a-f-]{4,36}$`)

// Search finds at most most living tokens by a part of the serial number, in any case of letters, by the end of the secret
// (four characters or more) or by the whole of it. in is the caller in each profile to look through. More than the last four characters, which lists
// show to everybody, are compared only for a caller who may read the secret anyway: nobody guesses it here letter by letter.
func (s *Service) Search(ctx context.Context, in []auth.Caller, q string, most int) ([]Hit, error) {
	callers := make(map[id.Profile]auth.Caller, len(in))
	for _, who := range in {
		callers[who.ProfileID] = who
	}
	now := s.now()
	if len(q) > 30 && len(q) <= maxRaw {
		t, ok, err := s.byHash(ctx, Hash(q))
		if err != nil {
			return nil, err
		}
		if _, mine := callers[t.Profile]; ok && mine && t.EndedAt == 0 && (t.ExpiresAt == 0 || t.ExpiresAt > now) {
			return []Hit{{t.Profile, t.Device, t.Serial, t.Tail, "token", 0}}, nil
		}
	}
	var out []Hit
	for some := range slices.Chunk(in, sqldb.MaxSize) {
		hits, err := s.bySerial(ctx, some, q, now, most)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
		if low := strings.ToLower(q); tailOf.MatchString(low) {
			hits, err := s.byTail(ctx, some, callers, low, now)
			if err != nil {
				return nil, err
			}
			out = append(out, hits...)
		}
	}
	slices.SortStableFunc(out, func(a, b Hit) int { return a.Rank - b.Rank })
	return out[:min(most, len(out))], nil
}

// among adds the condition of a search in some profiles.
func among(w *sqldb.Where, in []auth.Caller) *sqldb.Where {
	n := sqldb.SizeFor(len(in))
	ps := make([]any, n)
	for i := range ps {
		ps[i] = ""
		if i < len(in) {
			ps[i] = in[i].ProfileID
		}
	}
	return w.And("profile_id IN (?"+strings.Repeat(", ?", n-1)+")", ps...)
}

func (s *Service) bySerial(ctx context.Context, in []auth.Caller, q string, now int64, most int) ([]Hit, error) {
	w := new(sqldb.Where) // the closeness stands first in the text
	rank := fmt.Sprintf(`CASE WHEN lower(serial) = lower(%s) THEN 0 WHEN lower(serial) LIKE lower(%s) ESCAPE '\' THEN 2 ELSE 3 END`,
		w.Arg(q), w.Arg(sqldb.LikeText(q)+"%"))
	among(w, in)
	w.And(`lower(serial) LIKE lower(?) ESCAPE '\'`, "%"+sqldb.LikeText(q)+"%")
	w.And(`serial <> '' AND ended_at = 0 AND kind = 'device'`)
	w.And(`expires_at = 0 OR expires_at > ?`, now)
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (h Hit, err error) {
		h.By = "serial"
		return h, r.Scan(&h.Profile, &h.Device, &h.Serial, &h.Tail, &h.Rank)
	}, `SELECT profile_id, device_id, serial, tail, `+rank+` AS closeness FROM token`+w.SQL()+` ORDER BY closeness, serial, id LIMIT `+w.Arg(int64(most)), w.Args()...)
}

// maxTails bounds the tokens whose ends are compared: of 65,536 ends that there are, four million tokens have some sixty each.
const maxTails = 500

func (s *Service) byTail(ctx context.Context, in []auth.Caller, callers map[id.Profile]auth.Caller, q string, now int64) ([]Hit, error) {
	w := among(new(sqldb.Where), in)
	w.And(`tail = ? AND ended_at = 0`, q[len(q)-4:])
	w.And(`expires_at = 0 OR expires_at > ?`, now)
	ts, err := s.list(ctx, w, "last_use DESC", maxTails, 0)
	if err != nil {
		return nil, err
	}
	var out []Hit
	for _, t := range ts {
		if len(q) > 4 {
			if t.sealed == "" || callers[t.Profile].May() != auth.Full {
				continue
			}
			raw, err := s.sealer.Open(t.sealed, about(t.ID))
			if err != nil {
				return nil, fmt.Errorf("open token %s: %w", t.ID, err)
			}
			if !strings.HasSuffix(raw, q) {
				continue
			}
		}
		out = append(out, Hit{t.Profile, t.Device, t.Serial, t.Tail, "token", 2})
	}
	return out, nil
}
