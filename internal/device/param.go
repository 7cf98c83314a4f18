package device

import (
	"context"
	"fmt"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

var errParamNotFound = fault.New(fault.NotFound, "Parameter Not Found")

// Params lists the configuration parameters of a device in the order they were made; sent narrows the list
// to those that are marked so or not.
func (s *Service) Params(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, sent *bool) ([]Param, error) {
	if _, err := s.View(ctx, who, p, d); err != nil {
		return nil, err
	}
	all, err := s.params(ctx, p, d)
	if err != nil || sent == nil {
		return all, err
	}
	out := make([]Param, 0, len(all))
	for _, v := range all {
		if v.Sent == *sent {
			out = append(out, v)
		}
	}
	return out, nil
}

// SetParams makes parameters, and changes those that are given by id; all of them or none. It returns
// not_found for an id that is not the device's and Invalid above 60 parameters.
func (s *Service) SetParams(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, in []ParamInput) error {
	if len(in) == 0 {
		return fault.Field("params", "needs at least one parameter")
	}
	if len(in) > MaxParams {
		return fault.Field("params", "a device holds at most %d parameters, got %d", MaxParams, len(in))
	}
	for i, v := range in {
		if err := v.check("params"+index(i), v.ID == ""); err != nil {
			return err
		}
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dev, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		before, err := s.params(ctx, p, d)
		if err != nil {
			return err
		}
		at := make(map[id.Param]Param, len(before))
		for _, v := range before {
			at[v.ID] = v
		}
		var fresh []Param
		for _, v := range in {
			if v.ID == "" {
				fresh = append(fresh, Param{ID: id.New[id.Param](), Key: *v.Key, Value: *v.Value, Sent: v.Sent != nil && *v.Sent})
				continue
			}
			old, ok := at[v.ID]
			if !ok {
				return errParamNotFound
			}
			set(&old.Key, v.Key)
			set(&old.Value, v.Value)
			set(&old.Sent, v.Sent)
			at[v.ID] = old
			if err := s.updateParam(ctx, p, d, old); err != nil {
				return err
			}
		}
		if len(before)+len(fresh) > MaxParams {
			return fault.Field("params", "a device holds at most %d parameters; it has %d", MaxParams, len(before))
		}
		pos, err := s.nextPos(ctx, p, d)
		if err != nil {
			return err
		}
		if err := s.insertParams(ctx, p, d, pos, fresh); err != nil {
			return err
		}
		after, err := s.params(ctx, p, d)
		if err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(dev, fmt.Sprintf("Parameters of device %q changed", dev.Name), before, after))
	})
}

// DeleteParam removes a parameter of a device.
func (s *Service) DeleteParam(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, v id.Param) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		dev, err := s.locked(ctx, who, p, d)
		if err != nil {
			return err
		}
		all, err := s.params(ctx, p, d)
		if err != nil {
			return err
		}
		for _, old := range all {
			if old.ID != v {
				continue
			}
			if err := s.deleteParam(ctx, p, d, v); err != nil {
				return err
			}
			return s.audit.Write(ctx, who, event(dev, fmt.Sprintf("Parameter %q of device %q deleted", old.Key, dev.Name), old, nil))
		}
		return errParamNotFound
	})
}
