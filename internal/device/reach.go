package device

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/tag"
)

// May judges whether a caller may see a device, inside the transaction of ctx if there is one: a member can be granted a
// part of a profile's devices (auth.Caller.Devices). It returns the not_found of a device that is not there. It does not
// look whether the device is; View, Get and what changes a device do both.
func (s *Service) May(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) error {
	if who.Devices().HasID(string(d)) {
		return nil
	}
	seen, err := s.Seen(ctx, who, p, []id.Device{d})
	if err == nil && !seen[d] {
		err = errNotFound
	}
	return err
}

// Seen tells which of some devices a caller may see. For one who sees a part of the profile's devices a device that is
// gone is not among them; for others all are.
func (s *Service) Seen(ctx context.Context, who auth.Caller, p id.Profile, ds []id.Device) (map[id.Device]bool, error) {
	seen := make(map[id.Device]bool, len(ds))
	part := who.Devices()
	var judge []id.Device
	for _, d := range ds {
		if seen[d] = part.HasID(string(d)); !seen[d] && len(part.Tags) > 0 && id.Valid(string(d)) {
			judge = append(judge, d)
		}
	}
	const most = 1000
	for some := range slices.Chunk(judge, most) {
		args := make([]any, 0, len(some)+1)
		args = append(args, p)
		for _, d := range some {
			args = append(args, d)
		}
		type row struct {
			device id.Device
			tag    Tag
		}
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (t row, err error) { return t, r.Scan(&t.device, &t.tag.Key, &t.tag.Value) },
			fmt.Sprintf(`SELECT device_id, key, value FROM device_tag WHERE profile_id = $1 AND device_id IN (%s)`, sqldb.Marks(2, len(some))), args...)
		if err != nil {
			return nil, fmt.Errorf("judge who may see devices: %w", err)
		}
		for _, r := range rows {
			seen[r.device] = seen[r.device] || part.HasTag(r.tag.Key, r.tag.Value)
		}
	}
	return seen, nil
}

// Within is Seen for statements: the condition that the device in column is one that a caller may see, with a ? for each
// argument; "" for a caller who sees all. It is for lists of this room and of those that keep devices' ids.
func (s *Service) Within(who auth.Caller, p id.Profile, column string) (cond string, args []any) {
	return tag.Within(who.Devices(), column, `SELECT t.device_id FROM device_tag t WHERE t.profile_id = ?`, p)
}

// fewDevices is how many devices of a tag are found from the tag: of more a list is read in its own order.
const fewDevices = 2000

// narrow leaves the devices of a list that the caller may see. A list of few among very many begins at the tags; where the
// tags have many, their devices would all have to be sorted for one page, so it is the devices that are looked at in their
// order.
func (s *Service) narrow(ctx context.Context, w *sqldb.Where, who auth.Caller, p id.Profile) error {
	part := who.Devices()
	if part == nil {
		return nil
	}
	cond, args := s.Within(who, p, "id")
	for _, t := range part.Tags {
		_, many, err := sqldb.One(ctx, s.db, sqldb.Value[id.Device], `SELECT device_id FROM device_tag
			WHERE profile_id = $1 AND lower(key) = lower($2) AND lower(value) = lower($3) ORDER BY device_id LIMIT 1 OFFSET $4`,
			p, t.Key, t.Value, s.few)
		if err != nil {
			return fmt.Errorf("look how many devices a tag has: %w", err)
		}
		if many {
			cond, args = tag.Each(part, "id", tagsOf, p)
			break
		}
	}
	w.And(cond, args...)
	return nil
}

// tagsOf begins the search for the tags of a device in a list.
const tagsOf = `SELECT 1 FROM device_tag t WHERE t.profile_id = ? AND t.device_id = device.id`

// MayTag judges whether a caller may speak of all devices with a tag: one who sees a part of the profile's devices only
// of a tag that makes this part.
func (s *Service) MayTag(who auth.Caller, t Tag) error {
	if !who.Devices().HasTag(t.Key, t.Value) {
		return auth.Outside("device", ", and not all with the tag "+t.Key+"="+t.Value)
	}
	return nil
}

// OfTags is the condition that the tag in two columns is one of those that make the part which a caller may see; "" for a
// caller who sees all.
func (s *Service) OfTags(who auth.Caller, key, value string) (cond string, args []any) {
	part := who.Devices()
	if part == nil {
		return "", nil
	}
	cond = "1 = 0"
	for _, t := range part.Tags {
		cond += " OR " + key + " = ? AND " + value + " = ?"
		args = append(args, t.Key, t.Value)
	}
	return "(" + cond + ")", args
}
