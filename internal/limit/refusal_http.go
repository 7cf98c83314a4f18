package limit

import (
	"context"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// maxRefusals is how many groups a page has at most.
const maxRefusals = 1000

type refusalsInput struct {
	List   web.List
	From   string `query:"from" description:"groups of this instant's minute and later: ISO 8601, unix milliseconds or an age such as '1 day'"`
	To     string `query:"to" description:"groups up to this instant"`
	Device string `query:"device" description:"of this device only"`
	Limit  string `query:"limit" description:"of this reason only: the name of a limit as in GET /limits, points, paused, inactive, forbidden or other"`
	Scope  string `query:"scope" enum:"profile,device,account"`
}

// RefusalRow is a group of refusals on the wire: those of one clock minute, device, reason and route.
type RefusalRow struct {
	Minute        web.Time   `json:"minute" description:"its start"`
	Limit         string     `json:"limit" description:"what refused: the name of a limit as in the error object of a refusal; paused, inactive or forbidden for sends that were refused with 403; other for what came after a minute had 50 groups"`
	Scope         string     `json:"scope" enum:"profile,device,account"`
	Device        *id.Device `json:"device" description:"null where none was named"`
	Route         *string    `json:"route" example:"POST /data"`
	Status        int        `json:"status" example:"402"`
	Requests      int64      `json:"requests"`
	PointsLost    int64      `json:"points_lost" description:"points of refused bodies that did not come again; a body refused several times counts once"`
	PointsRetried int64      `json:"points_retried" description:"points of refused bodies that the device sent again, unchanged, and that were accepted"`
	First         web.Time   `json:"first"`
	Last          web.Time   `json:"last"`
}

// Row is the group on the wire.
func (r Refusal) Row() RefusalRow {
	row := RefusalRow{Minute: web.Millis(r.Minute), Limit: r.Name, Scope: r.Scope, Status: r.Status, Requests: r.Requests,
		PointsLost: max(0, r.Points-r.Retried), PointsRetried: r.Retried, First: web.Millis(r.First), Last: web.Millis(r.Last)}
	if r.Device != "" {
		row.Device = &r.Device
	}
	if r.Route != "" {
		row.Route = &r.Route
	}
	return row
}

func (in refusalsInput) filter(now time.Time) (f refusalFilter, err error) {
	if f.from, f.to, err = web.ParseRange(in.From, in.To, now); err != nil {
		return f, err
	}
	if in.Device != "" && !id.Valid(in.Device) {
		return f, fault.Field("device", "must be an id: 24 lower-case hex characters")
	}
	if err := check.Line("limit", in.Limit, 0, 200); err != nil {
		return f, err
	}
	switch in.Scope {
	case "", "profile", "device", "account":
	default:
		return f, fault.Field("scope", "must be profile, device or account")
	}
	f.device, f.name, f.scope = id.Device(in.Device), in.Limit, in.Scope
	return f, nil
}

func (s *Service) refusalsRoute(ctx context.Context, who auth.Caller, in refusalsInput) ([]RefusalRow, error) {
	f, err := in.filter(s.clock.Now())
	if err != nil {
		return nil, err
	}
	if keys := in.List.Filter.Keys(); len(keys) > 0 {
		return nil, fault.Field(in.List.Filter.Child(keys[0]).Path(), "is not a known filter; ask by from, to, device, limit and scope")
	}
	in.List.Cap(maxRefusals)
	groups, err := s.listRefusals(ctx, who, who.ProfileID, f, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]RefusalRow, len(groups))
	for i, g := range groups {
		out[i] = g.Row()
	}
	return out, nil
}
