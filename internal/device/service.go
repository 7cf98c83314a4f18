package device

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/token"
	"paddock/internal/usage"
)

const (
	flushEvery = 10 * time.Second
	flushRows  = 500
	purgeRows  = 200
	keepOld    = 90 * 24 * time.Hour // refusals of devices that are silent since
)

// Hook is what a later room does inside the transaction that deletes or converts a device; an error undoes it.
type Hook func(ctx context.Context, p id.Profile, d id.Device) error

// EditHook is what a later room does inside the transaction that edits a device; an error undoes it.
type EditHook func(ctx context.Context, before, after Device) error

// Service knows the devices. It is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	profiles *profile.Service
	tokens   *token.Service
	usage    *usage.Service
	audit    *audit.Log
	clk      clock.Clock

	views    *sqldb.Cache[View]
	touched  touched
	requests *rings
	pending  pending

	onDelete  []Hook
	onConvert []Hook
	onEdit    []EditHook
	empty     EmptyHook
	points    PointsHook

	few int // fewDevices; tests lower it
}

// New makes the room and registers with tokens what a device token must pass and is told about itself.
func New(db *sqldb.DB, profiles *profile.Service, tokens *token.Service, use *usage.Service, log *audit.Log, clk clock.Clock) *Service {
	s := &Service{db: db, profiles: profiles, tokens: tokens, usage: use, audit: log, clk: clk,
		touched: touched{m: map[owner]touch{}}, requests: newRings(ringBytes), pending: pending{m: map[owner][]Request{}}, few: fewDevices}
	s.views = sqldb.NewCache(db, CacheKind, cacheViews, s.loadView)
	use.Count(plan.Devices, s.count)
	use.SeeDevices(s.Within)
	use.NameDevices(s.namesOf)
	tokens.GateDevice(s.gate)
	tokens.Info(auth.Device, s.info)
	return s
}

// OnDelete registers a hook of a later room; before the server starts.
func (s *Service) OnDelete(h Hook) { s.onDelete = append(s.onDelete, h) }

// OnConvert registers a hook that refuses to convert a device which is not empty; before the server starts.
func (s *Service) OnConvert(h Hook) { s.onConvert = append(s.onConvert, h) }

// OnEdit registers a hook of a later room; before the server starts.
func (s *Service) OnEdit(h EditHook) { s.onEdit = append(s.onEdit, h) }

// EmptyHook deletes all data of a device that the caller may see, with its event in the audit log.
type EmptyHook func(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) error

// PointsHook says how many points some devices hold together.
type PointsHook func(ctx context.Context, p id.Profile, ds []id.Device) (int64, error)

// KeepsData registers what the room of data does and knows for many devices; before the server starts.
func (s *Service) KeepsData(empty EmptyHook, points PointsHook) { s.empty, s.points = empty, points }

// Jobs names the periodic work of this room: writing last inputs and refusals, forgetting old refusals. Call
// Flush once more when the server stops.
func (s *Service) Jobs(r *job.Runner) {
	r.EachNode("device last input", flushEvery, s.flushTouches)
	r.EachNode("device refusals", refusalsEvery, s.flushRefusals)
	r.Every("device purge", time.Hour, func(ctx context.Context) error {
		for {
			n, err := s.deleteOldRefusals(sqldb.As(ctx, ""), s.now()-keepOld.Milliseconds(), purgeRows)
			if n < purgeRows || err != nil {
				return err
			}
		}
	})
}

// Flush writes what is kept in memory for a moment: last inputs and outputs, refusals.
func (s *Service) Flush(ctx context.Context) error {
	if err := s.flushTouches(ctx); err != nil {
		return err
	}
	return s.flushRefusals(ctx)
}

func (s *Service) now() int64 { return clock.Millis(s.clk.Now()) }

var errNotFound = fault.New(fault.NotFound, "Device Not Found")

// Created is a new device with its first token.
type Created struct {
	ID    id.Device
	Token string
}

// Create makes a device with a token that may do everything and never expires. It returns limit_reached at
// the cap of the profile's plan, conflict for a serial number in use, and forbidden to a caller who would not see it.
func (s *Service) Create(ctx context.Context, who auth.Caller, p id.Profile, in CreateInput) (Created, error) {
	d, params, err := s.fresh(who, p, in)
	if err != nil {
		return Created{}, err
	}
	var t token.Minted
	err = s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if err := s.usage.Hold(ctx, p, plan.Devices, 1); err != nil {
			return err
		}
		if err := s.insert(ctx, d); err != nil {
			return fmt.Errorf("insert a device: %w", err)
		}
		if err := s.insertParams(ctx, p, d.ID, 0, params); err != nil {
			return fmt.Errorf("insert parameters: %w", err)
		}
		var err error
		if t, err = s.tokens.CreateDevice(ctx, who, p, d.ID, token.DeviceInput{Name: "Default", Serial: value(in.Serial)}); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(d, fmt.Sprintf("Device %q created", d.Name), nil, record(d)))
	})
	return Created{ID: d.ID, Token: t.Token}, err
}

// fresh is a new device by the input, if the caller may make it.
func (s *Service) fresh(who auth.Caller, p id.Profile, in CreateInput) (Device, []Param, error) {
	if err := in.Validate(); err != nil {
		return Device{}, nil, err
	}
	if err := tag.Made(who.Devices(), "device", in.Tags); err != nil {
		return Device{}, nil, err
	}
	now := s.now()
	d := Device{Profile: p, ID: id.New[id.Device](), Name: in.Name, Description: value(in.Description), Connector: value(in.Connector),
		Network: value(in.Network), Active: true, Visible: true, PayloadDecoder: value(in.PayloadDecoder), Tags: in.Tags, CreatedAt: now, UpdatedAt: now}
	d.Type, d.ChunkPeriod, d.ChunkRetention, _ = storage(in.Type, in.ChunkPeriod, in.ChunkRetention)
	set(&d.Active, in.Active)
	set(&d.Visible, in.Visible)
	d.RPMInput, d.RPMOutput = in.RPM.Values()
	params := make([]Param, len(in.Params))
	for i, v := range in.Params {
		params[i] = Param{ID: id.New[id.Param](), Key: *v.Key, Value: *v.Value, Sent: v.Sent != nil && *v.Sent}
	}
	return d, params, nil
}

func event(d Device, message string, before, after any) audit.Event {
	return audit.Event{Profile: d.Profile, Resource: "device", ResourceID: string(d.ID), Message: message, Before: before, After: after}
}

// record is what the audit log keeps of a device.
func record(d Device) map[string]any {
	return map[string]any{"name": d.Name, "description": d.Description, "type": d.Type, "chunk_period": d.ChunkPeriod,
		"chunk_retention": d.ChunkRetention, "connector": d.Connector, "network": d.Network, "active": d.Active, "visible": d.Visible,
		"payload_decoder": len(d.PayloadDecoder), "rpm": []int64{d.RPMInput, d.RPMOutput}, "tags": d.Tags}
}

// Get returns a device of a profile, its last input as fresh as this node knows it. One that the caller may not see is
// not there, here as everywhere in this room.
func (s *Service) Get(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) (Device, error) {
	if !id.Valid(string(d)) {
		return Device{}, errNotFound
	}
	if err := s.May(ctx, who, p, d); err != nil {
		return Device{}, err
	}
	dev, ok, err := s.find(ctx, p, d)
	if err == nil && !ok {
		err = errNotFound
	}
	s.touched.over(&dev)
	return dev, err
}

// locked reads a device inside a transaction that is about to change it and stamps updated_at; others who
// would change it wait until the transaction ends.
func (s *Service) locked(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) (Device, error) {
	if !id.Valid(string(d)) {
		return Device{}, errNotFound
	}
	if err := s.May(ctx, who, p, d); err != nil { // before the lock: nobody waits for what is not theirs
		return Device{}, err
	}
	ok, err := s.lock(ctx, p, d, s.now())
	if err != nil {
		return Device{}, err
	}
	if !ok {
		return Device{}, errNotFound
	}
	dev, _, err := s.find(ctx, p, d)
	if err == nil && !tag.In(who.Devices(), string(d), dev.Tags) { // it left the caller's part meanwhile
		err = errNotFound
	}
	return dev, err
}

// Update changes a device. It works from the next request on: also for switching it off. It returns forbidden to a
// caller who would not see it any more.
func (s *Service) Update(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, u Update) error {
	if err := u.Validate(); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dev, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		old, before := dev, record(dev)
		if err := u.apply(&dev); err != nil {
			return err
		}
		if err := tag.Changed(who.Devices(), "device", string(d), old.Tags, dev.Tags); err != nil {
			return err
		}
		if err := s.update(ctx, dev); err != nil {
			return fmt.Errorf("update a device: %w", err)
		}
		for _, h := range s.onEdit {
			if err := h(ctx, old, dev); err != nil {
				return err
			}
		}
		if u.Tags != nil {
			if err := s.replaceTags(ctx, dev); err != nil {
				return fmt.Errorf("replace tags: %w", err)
			}
		}
		if err := s.changed(ctx, p, d); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(dev, fmt.Sprintf("Device %q edited", dev.Name), before, record(dev)))
	})
}

// Convert changes the type of a device that is inactive and empty.
func (s *Service) Convert(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, t Type, period *Period, retention *int64) error {
	if t == "" {
		return fault.Field("type", "is required: mutable or immutable")
	}
	kind, per, ret, err := storage(t, period, retention)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dev, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		if dev.Active {
			return fault.New(fault.Conflict, "The device must be inactive to be converted: switch it off first")
		}
		for _, h := range s.onConvert {
			if err := h(ctx, p, d); err != nil {
				return err
			}
		}
		before := record(dev)
		dev.Type, dev.ChunkPeriod, dev.ChunkRetention = kind, per, ret
		if err := s.update(ctx, dev); err != nil {
			return fmt.Errorf("convert a device: %w", err)
		}
		if err := s.changed(ctx, p, d); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(dev, fmt.Sprintf("Device %q converted", dev.Name), before, record(dev)))
	})
}

// Delete removes a device with its tokens, its data by the hooks of later rooms, and gives the cap back. It
// returns forbidden, with the tag's own words, for a device that a tag protects.
func (s *Service) Delete(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dev, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		if err := tag.Protected("device", dev.Tags); err != nil {
			return err
		}
		for _, h := range s.onDelete {
			if err := h(ctx, p, d); err != nil {
				return err
			}
		}
		if err := s.tokens.EndDevice(ctx, p, d); err != nil {
			return fmt.Errorf("end tokens: %w", err)
		}
		if err := s.remove(ctx, p, d); err != nil {
			return fmt.Errorf("remove a device: %w", err)
		}
		if err := s.usage.Unhold(ctx, p, plan.Devices, 1); err != nil {
			return err
		}
		if err := s.changed(ctx, p, d); err != nil {
			return err
		}
		sqldb.AfterCommit(ctx, func() { s.requests.drop(owner{p, d}) })
		return s.audit.Write(ctx, who, event(dev, fmt.Sprintf("Device %q deleted", dev.Name), record(dev), nil))
	})
}

// PurgeProfile deletes a slice of the devices of a deleted profile; done says that none is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	ctx = sqldb.As(ctx, p.ID)
	if n, err := s.deleteRefusalsOf(ctx, p.ID, purgeRows); n > 0 || err != nil {
		return false, err
	}
	// A device takes up to 90 rows of tags and parameters with it.
	n, err := s.deleteOf(ctx, p.ID, purgeRows/4)
	return n == 0, err
}
