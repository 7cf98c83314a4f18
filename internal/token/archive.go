package token

import (
	"context"
	"fmt"
	"regexp"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Record is a device's token as a profile's archive keeps it (docs/archive.md), with its secret.
type Record struct {
	Device     id.Device       `json:"device"`
	Token      string          `json:"token,omitzero"` // the secret; "" asks for a fresh one
	Name       string          `json:"name"`
	Permission auth.Permission `json:"permission"`
	Serial     string          `json:"serie_number,omitzero"`
	Code       string          `json:"verification_code,omitzero"`
	ExpiresAt  *web.Time       `json:"expire_time,omitzero"`
	CreatedAt  web.Time        `json:"created_at"`
}

// MaxLive is how many living tokens a device has at most.
const MaxLive = maxLive

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Check returns Invalid for a record that could not be a token of a device here. Its secret must have the form that ours
// have: nobody brings one that can be guessed.
func (r Record) Check() error {
	if !id.Valid(string(r.Device)) {
		return fault.Field("device", "must be an id: 24 lower-case hex characters")
	}
	if r.Token != "" && !uuid.MatchString(r.Token) {
		return fault.Field("token", "must be a UUID")
	}
	return validate(r.Name, r.Permission, r.Serial, r.Code)
}

// Export yields the living tokens of a profile's devices with their secrets, by device; yield's error ends it.
func (s *Service) Export(ctx context.Context, p id.Profile, yield func(Record) error) error {
	const page = 500
	var last Token
	for {
		ts, err := sqldb.All(ctx, s.db, scan, `SELECT `+columns+` FROM token
			WHERE profile_id = $1 AND kind = 'device' AND (device_id, created_at, id) > ($2, $3, $4)
				AND ended_at = 0 AND (expires_at = 0 OR expires_at > $5)
			ORDER BY device_id, created_at, id LIMIT $6`, p, last.Device, last.CreatedAt, last.ID, s.now(), int64(page))
		if err != nil {
			return fmt.Errorf("read tokens: %w", err)
		}
		for _, t := range ts {
			raw, err := s.sealer.Open(t.sealed, about(t.ID))
			if err != nil {
				return fmt.Errorf("open token %s: %w", t.ID, err)
			}
			r := Record{Device: t.Device, Token: raw, Name: t.Name, Permission: t.Permission, Serial: t.Serial, Code: t.VerificationCode, CreatedAt: web.Millis(t.CreatedAt)}
			if t.ExpiresAt != 0 {
				at := web.Millis(t.ExpiresAt)
				r.ExpiresAt = &at
			}
			if err := yield(r); err != nil {
				return err
			}
		}
		if len(ts) < page {
			return nil
		}
		last = ts[len(ts)-1]
	}
}

// Imported says what became of one record.
type Imported struct {
	Record
	Fresh bool // it got a new secret, since it brought none or somebody has it
	Tail  string
}

// Import stores tokens of devices of a profile in the making, in the transaction of ctx, in the caller's name. The
// records have passed Check. It returns Conflict for a serial number that two of them share.
func (s *Service) Import(ctx context.Context, who auth.Caller, p id.Profile, rs []Record) ([]Imported, error) {
	out := make([]Imported, 0, len(rs))
	hashes := make([]string, 0, len(rs))
	for _, r := range rs {
		hashes = append(hashes, Hash(r.Token))
	}
	w := &sqldb.Where{}
	sqldb.In(w, "hash", hashes)
	known, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT hash FROM token`+w.SQL(), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("look for tokens: %w", err)
	}
	taken := map[string]bool{}
	for _, h := range known {
		taken[h] = true
	}
	for i, r := range rs {
		x := Imported{Record: r}
		if x.Token == "" || taken[hashes[i]] {
			x.Token, x.Fresh = newRaw(), true
		}
		t := Token{ID: id.New[id.Token](), Kind: auth.Device, Profile: p, Device: r.Device, CreatedBy: who.AccountID, Name: r.Name, Permission: r.Permission,
			Reach: auth.ReachProfile, Serial: r.Serial, VerificationCode: r.Code, Tail: Tail(x.Token), CreatedAt: r.CreatedAt.Time().UnixMilli(), hash: Hash(x.Token)}
		if r.ExpiresAt != nil {
			t.ExpiresAt = r.ExpiresAt.Time().UnixMilli()
		}
		t.sealed = s.sealer.Seal(x.Token, about(t.ID))
		taken[t.hash] = true
		ok, err := s.insert(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("insert a token: %w", err)
		}
		if !ok {
			return nil, fault.New(fault.Conflict, "serie_number: %q stands twice in the archive", r.Serial)
		}
		x.Tail = t.Tail
		out = append(out, x)
	}
	return out, nil
}
