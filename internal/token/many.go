package token

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// First asks for the first token of a device that is being made.
type First struct {
	Device id.Device
	Serial string // "" for none
}

// CreateFirst makes the first tokens of new devices, many in a statement: each may do everything and never expires. It
// returns conflict when a serial number is in use, by another token or twice among the new ones; see Serials. It belongs
// into the transaction that makes the devices.
func (s *Service) CreateFirst(ctx context.Context, who auth.Caller, p id.Profile, in []First) ([]Minted, error) {
	const most = 100
	now := s.now()
	out := make([]Minted, 0, len(in))
	for part := range slices.Chunk(in, most) {
		args := make([]any, 0, 18*len(part))
		events := make([]audit.Event, 0, len(part))
		var serials []string
		for _, f := range part {
			raw := newRaw()
			t := Token{ID: id.New[id.Token](), Kind: auth.Device, Profile: p, Device: f.Device, CreatedBy: who.AccountID, Name: "Default",
				Permission: auth.Full, Reach: auth.ReachProfile, Serial: f.Serial, CreatedAt: now, hash: Hash(raw), Tail: Tail(raw)}
			t.sealed = s.sealer.Seal(raw, about(t.ID))
			if err := validate(t.Name, t.Permission, t.Serial, ""); err != nil {
				return nil, err
			}
			if t.Serial != "" {
				serials = append(serials, t.Serial)
			}
			args = append(args, t.row()...)
			events = append(events, event(t, fmt.Sprintf("Token %q created", t.Name), nil, record(t)))
			out = append(out, minted(t, raw))
		}
		if err := s.freeSerials(ctx, p, serials, now); err != nil {
			return nil, err
		}
		n, err := s.db.Exec(ctx, `INSERT INTO token (`+columns+`) VALUES `+sqldb.Rows(1, len(part), 19)+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return nil, fmt.Errorf("insert tokens: %w", err)
		}
		if n != int64(len(part)) {
			return nil, fault.New(fault.Conflict, "serie_number: one of them is already used in this profile")
		}
		if err := s.audit.WriteAll(ctx, who, p, events); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// freeSerials is freeSerial for many.
func (s *Service) freeSerials(ctx context.Context, p id.Profile, serials []string, now int64) error {
	if len(serials) == 0 {
		return nil
	}
	w := sqldb.NewWhere("profile_id = ? AND ended_at = 0 AND expires_at > 0 AND expires_at <= ?", p, now)
	sqldb.In(w, "serial", serials)
	_, err := s.db.Exec(ctx, `UPDATE token SET serial = ''`+w.SQL(), w.Args()...)
	return err
}

// WithSerial is the condition that the device in a column has a token with a serial number like the pattern (LIKE, escaped
// by a backslash), with a ? for each argument.
func (s *Service) WithSerial(p id.Profile, column, like string) (cond string, args []any) {
	return column + ` IN (SELECT t.device_id FROM token t WHERE t.profile_id = ? AND t.kind = ? AND t.serial <> '' AND lower(t.serial) LIKE lower(?) ESCAPE '\'
		AND t.ended_at = 0 AND (t.expires_at = 0 OR t.expires_at > ?))`, []any{p, auth.Device, like, s.now()}
}

// serialsAt is how many serial numbers or devices one statement asks about.
const serialsAt = 500

// Taken tells which of some serial numbers belong to a token of the profile that is not expired, and to which device.
func (s *Service) Taken(ctx context.Context, p id.Profile, serials []string) (map[string]id.Device, error) {
	out := map[string]id.Device{}
	for part := range slices.Chunk(serials, serialsAt) {
		w := sqldb.NewWhere("profile_id = ? AND serial <> '' AND ended_at = 0", p).And("expires_at = 0 OR expires_at > ?", s.now())
		sqldb.In(w, "serial", part)
		if err := s.eachSerial(ctx, w, func(d id.Device, serial string) { out[serial] = d }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Serials are the serial numbers of devices of a profile, of each that has one the first that was given.
func (s *Service) Serials(ctx context.Context, p id.Profile, ds []id.Device) (map[id.Device]string, error) {
	out := map[id.Device]string{}
	for part := range slices.Chunk(ds, serialsAt) {
		w := sqldb.NewWhere("profile_id = ? AND kind = ?", p, auth.Device)
		sqldb.In(w, "device_id", part)
		w.And("serial <> '' AND ended_at = 0").And("expires_at = 0 OR expires_at > ?", s.now())
		if err := s.eachSerial(ctx, w, func(d id.Device, serial string) {
			if out[d] == "" {
				out[d] = serial
			}
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) eachSerial(ctx context.Context, w *sqldb.Where, f func(d id.Device, serial string)) error {
	type row struct {
		device id.Device
		serial string
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.device, &x.serial) },
		`SELECT device_id, serial FROM token`+w.SQL()+` ORDER BY created_at, id`, w.Args()...)
	if err != nil {
		return fmt.Errorf("read serial numbers: %w", err)
	}
	for _, r := range rows {
		f(r.device, r.serial)
	}
	return nil
}
