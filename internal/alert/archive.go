package alert

import (
	"context"

	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Record is a rule about silence as a profile's archive keeps it (docs/archive.md).
type Record struct {
	ID        id.Rule     `json:"id"`
	Device    id.Device   `json:"device,omitzero"`
	Tag       *device.Tag `json:"tag,omitzero"`
	Interval  int64       `json:"interval"` // seconds
	SetAt     web.Time    `json:"set_at"`
	CreatedAt web.Time    `json:"created_at"`
}

// MaxByTag is how many rules for tags a profile has at most.
const MaxByTag = maxByTag

// Check returns Invalid for a record that could not be a rule here.
func (r Record) Check() error {
	if !id.Valid(string(r.ID)) {
		return fault.Field("id", "must be an id: 24 lower-case hex characters")
	}
	if r.Device != "" && !id.Valid(string(r.Device)) {
		return fault.Field("device", "must be an id: 24 lower-case hex characters")
	}
	return RuleInput{Device: r.Device, Tag: r.Tag, Interval: r.Interval}.Validate()
}

// Export yields the rules of a profile by id; yield's error ends it. Alerts are history, and stay behind.
func (s *Service) Export(ctx context.Context, p id.Profile, yield func(Record) error) error {
	const page = 500
	var after id.Rule
	for {
		rs, err := sqldb.All(ctx, s.db, scanRule, ofRules+`WHERE r.profile_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3`, string(p), string(after), int64(page))
		if err != nil {
			return wrap("read rules", err)
		}
		for _, r := range rs {
			after = r.ID
			x := Record{ID: r.ID, Device: r.Device, Interval: r.Every / 1000, SetAt: web.Millis(r.SetAt), CreatedAt: web.Millis(r.Created)}
			if r.Device == "" {
				x.Tag = &r.Tag
			}
			if err := yield(x); err != nil {
				return err
			}
		}
		if len(rs) < page {
			return nil
		}
	}
}

// Import stores rules in a profile in the making, in the transaction of ctx. The waiting begins now: no device is
// silent because its archive is old. The records have passed Check. It returns Conflict for two rules about the same.
func (s *Service) Import(ctx context.Context, p id.Profile, rs []Record) error {
	for _, r := range rs {
		x := Rule{Profile: p, ID: r.ID, Device: r.Device, Every: r.Interval * 1000, SetAt: r.SetAt.Time().UnixMilli(), Created: r.CreatedAt.Time().UnixMilli()}
		if r.Tag != nil {
			x.Tag = *r.Tag
		}
		if done, err := s.insertRule(ctx, x); err != nil {
			return err
		} else if !done {
			return fault.New(fault.Conflict, "rules.jsonl: two rules are about %s", x.subject())
		}
	}
	return s.setResumed(ctx, p, s.now())
}
