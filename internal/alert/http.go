package alert

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// maxAmount is how many alerts or rules a page has at most.
const maxAmount = 1000

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /alert", "What the profile was told, the latest first: services at 80, 90 and 100 % of their limits, silent devices and those that are back. Kept for 180 days.", auth.InProfile, s.listRoute),
		web.Handle("PUT /alert/{id}", "Say that an alert was seen, or take that back.", auth.InProfile, s.acknowledgeRoute),
		web.Handle("POST /alert/acknowledge", "Say that all alerts until now were seen.", auth.InProfile, s.acknowledgeAllRoute),
		web.Handle("GET /alert/silence", "List how often devices, or those of a tag, should be heard.", auth.InProfile, s.rulesRoute),
		web.Handle("POST /alert/silence", "Be told when a device, or one of those with a tag, has sent nothing for longer than an interval.", auth.InProfile, s.createRuleRoute, web.Status(201)),
		web.Handle("PUT /alert/silence/{id}", "Change the interval of a rule.", auth.InProfile, s.setRuleRoute),
		web.Handle("DELETE /alert/silence/{id}", "Delete a rule; silences that it found end.", auth.InProfile, s.deleteRuleRoute),
	}
}

// Row is an alert on the wire; members that its kind does not have are null.
type Row struct {
	ID             id.Alert      `json:"id"`
	Kind           Kind          `json:"kind" enum:"limit,silent,recovered"`
	Title          string        `json:"title"`
	Message        string        `json:"message"`
	CreatedAt      web.Time      `json:"created_at"`
	Service        *plan.Service `json:"service" description:"of limit" example:"input"`
	Threshold      *int64        `json:"threshold" description:"of limit: 80, 90 or 100"`
	Used           *float64      `json:"used" description:"of limit: at that moment"`
	Limit          *float64      `json:"limit"`
	Device         *id.Device    `json:"device" description:"of silent and recovered"`
	DeviceName     *string       `json:"device_name"`
	Interval       *int64        `json:"interval" description:"seconds within which the device should be heard"`
	LastInput      *web.Time     `json:"last_input" description:"of silent: the last before it, null for never; of recovered: the first after it"`
	SilentAlert    *id.Alert     `json:"silent_alert" description:"of recovered: the alert that ended"`
	EndedAt        *web.Time     `json:"ended_at" description:"of silent: when the device was heard again or was not expected any more"`
	AcknowledgedAt *web.Time     `json:"acknowledged_at"`
	AcknowledgedBy *id.Account   `json:"acknowledged_by"`
}

// Row is the alert on the wire.
func (a Alert) Row() Row {
	r := Row{ID: a.ID, Kind: a.Kind, Title: a.Title(), Message: a.Message(), CreatedAt: web.Millis(a.At), EndedAt: maybeTime(a.Ended),
		AcknowledgedAt: maybeTime(a.Acknowledged)}
	if a.AcknowledgedBy != "" {
		r.AcknowledgedBy = &a.AcknowledgedBy
	}
	if a.Kind == Limit {
		used, limit := plan.Wire(a.Service, a.Used), plan.Wire(a.Service, a.Allowed)
		r.Service, r.Threshold, r.Used, r.Limit = &a.Service, &a.Threshold, &used, &limit
		return r
	}
	every := a.Every / 1000
	r.Device, r.Interval, r.LastInput = &a.Device, &every, maybeTime(a.LastInput)
	if a.DeviceName != "" {
		r.DeviceName = &a.DeviceName
	}
	if a.Of != "" {
		r.SilentAlert = &a.Of
	}
	return r
}

func maybeTime(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	t := web.Millis(ms)
	return &t
}

type listInput struct {
	List         web.List
	From         string `query:"from" description:"alerts of this instant and later: ISO 8601, unix milliseconds or an age such as '1 day'"`
	To           string `query:"to" description:"alerts up to this instant"`
	Kind         Kind   `query:"kind" enum:"limit,silent,recovered"`
	Service      string `query:"service" description:"of this service only" example:"input"`
	Device       string `query:"device" description:"of this device only"`
	Open         *bool  `query:"open" description:"true: devices that are silent now; false: silences that ended"`
	Acknowledged *bool  `query:"acknowledged"`
}

func (in listInput) filter(now time.Time) (f listFilter, err error) {
	if f.from, f.to, err = web.ParseRange(in.From, in.To, now); err != nil {
		return f, err
	}
	switch in.Kind {
	case "", Limit, Silent, Recovered:
	default:
		return f, fault.Field("kind", "must be limit, silent or recovered")
	}
	if in.Service != "" && plan.Index(plan.Service(in.Service)) < 0 {
		return f, fault.Field("service", "must be a service, as in GET /limits")
	}
	if in.Device != "" && !id.Valid(in.Device) {
		return f, fault.Field("device", "must be an id: 24 lower-case hex characters")
	}
	f.kind, f.service, f.device, f.open, f.acknowledged = in.Kind, in.Service, id.Device(in.Device), in.Open, in.Acknowledged
	return f, nil
}

func unfiltered(l web.List) error {
	if keys := l.Filter.Keys(); len(keys) > 0 {
		return fault.Field(l.Filter.Child(keys[0]).Path(), "is not a known filter")
	}
	return nil
}

func (s *Service) listRoute(ctx context.Context, who auth.Caller, in listInput) ([]Row, error) {
	f, err := in.filter(s.clock.Now())
	if err != nil {
		return nil, err
	}
	if err := unfiltered(in.List); err != nil {
		return nil, err
	}
	in.List.Cap(maxAmount)
	as, err := s.list(ctx, who, who.ProfileID, f, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	var ds []id.Device
	for _, a := range as {
		if a.Device != "" {
			ds = append(ds, a.Device)
		}
	}
	names, err := s.names(ctx, who, who.ProfileID, ds)
	if err != nil {
		return nil, err
	}
	out := make([]Row, len(as))
	for i, a := range as {
		a.DeviceName = names[a.Device]
		out[i] = a.Row()
	}
	return out, nil
}

func (s *Service) names(ctx context.Context, who auth.Caller, p id.Profile, ds []id.Device) (map[id.Device]string, error) {
	out := map[id.Device]string{}
	named, err := s.devices.Names(ctx, who, p, ds)
	for _, n := range named {
		out[n.ID] = n.Name
	}
	return out, err
}

func (s *Service) acknowledgeRoute(ctx context.Context, who auth.Caller, in struct {
	ID           id.Alert `path:"id"`
	Acknowledged *bool    `json:"acknowledged" description:"false takes it back"`
}) (string, error) {
	if in.Acknowledged == nil {
		return "", fault.Field("acknowledged", "is required: true or false")
	}
	if err := s.Acknowledge(ctx, who, who.ProfileID, in.ID, *in.Acknowledged); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) acknowledgeAllRoute(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	n, err := s.AcknowledgeAll(ctx, who, who.ProfileID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d Alerts Acknowledged", n), nil
}

// RuleRow is a rule on the wire.
type RuleRow struct {
	ID         id.Rule     `json:"id"`
	Device     *id.Device  `json:"device" description:"null when it is for a tag"`
	DeviceName *string     `json:"device_name"`
	Tag        *device.Tag `json:"tag" description:"null when it is for a device"`
	Interval   int64       `json:"interval" description:"seconds"`
	SetAt      web.Time    `json:"set_at" description:"when the interval was set"`
	CreatedAt  web.Time    `json:"created_at"`
}

func (s *Service) rulesRoute(ctx context.Context, who auth.Caller, in struct{ List web.List }) ([]RuleRow, error) {
	if err := unfiltered(in.List); err != nil {
		return nil, err
	}
	in.List.Cap(maxAmount)
	rs, err := s.Rules(ctx, who, who.ProfileID, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	var ds []id.Device
	for _, r := range rs {
		if r.Device != "" {
			ds = append(ds, r.Device)
		}
	}
	names, err := s.names(ctx, who, who.ProfileID, ds)
	if err != nil {
		return nil, err
	}
	out := make([]RuleRow, len(rs))
	for i, r := range rs {
		out[i] = RuleRow{ID: r.ID, Interval: r.Every / 1000, SetAt: web.Millis(r.SetAt), CreatedAt: web.Millis(r.Created)}
		if r.Device == "" {
			out[i].Tag = &rs[i].Tag
			continue
		}
		out[i].Device = &rs[i].Device
		if name, there := names[r.Device]; there {
			out[i].DeviceName = &name
		}
	}
	return out, nil
}

func (s *Service) createRuleRoute(ctx context.Context, who auth.Caller, in RuleInput) (map[string]id.Rule, error) {
	r, err := s.CreateRule(ctx, who, who.ProfileID, in)
	if err != nil {
		return nil, err
	}
	return map[string]id.Rule{"id": r.ID}, nil
}

func (s *Service) setRuleRoute(ctx context.Context, who auth.Caller, in struct {
	ID       id.Rule `path:"id"`
	Interval int64   `json:"interval" description:"seconds within which the device should be heard, 60 to 2678400"`
}) (string, error) {
	if err := s.SetRule(ctx, who, who.ProfileID, in.ID, in.Interval); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) deleteRuleRoute(ctx context.Context, who auth.Caller, in struct {
	ID id.Rule `path:"id"`
}) (string, error) {
	if err := s.DeleteRule(ctx, who, who.ProfileID, in.ID); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}
