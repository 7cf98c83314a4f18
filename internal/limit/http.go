package limit

import (
	"context"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /limits", "Every limit that bounds the profile, with what is used of it: rates, services, caps.", auth.InProfile, s.list),
		web.Handle("GET /limits/refusals", "What limits refused, by clock minute, device, reason and route, the latest minute first; kept for 31 days.", auth.InProfile, s.refusalsRoute),
	}
}

// maxDevices is how many devices with limits of their own are listed.
const maxDevices = 200

type listInput struct {
	Device   id.Device `query:"device" description:"show the soft limits of this device only"`
	Forecast bool      `query:"forecast" description:"say of services where they lead at the pace of the last seven days"`
}

// Row is one limit.
type Row struct {
	Name   string     `json:"name" description:"the route of a rate, the key of a service or a capped resource, rpm.data_input, rpm.data_output" example:"POST /data"`
	Kind   string     `json:"kind" enum:"rate,soft_rate,service,pool,cap"`
	Scope  string     `json:"scope" enum:"profile,device,account"`
	Device *id.Device `json:"device,omitempty"`
	Called string     `json:"device_name,omitempty" description:"of a device's limit, in a list of the profile's"`
	Group  string     `json:"group,omitempty" description:"of a rate: what it belongs to in the catalogue; each of its routes has a rate of its own"`
	Used   float64    `json:"used"`
	Limit  *float64   `json:"limit" description:"null: there is none"`
	Window *string    `json:"window" enum:"minute,month" description:"after which it starts again; null for what is held"`
	Reset  *web.Time  `json:"reset" description:"when the window ends"`

	Policy    usage.Policy `json:"policy,omitempty" enum:"block,pool,overage" description:"of a service: what happens at the limit"`
	Overage   *float64     `json:"overage,omitempty" description:"of a service or pool: what was accepted beyond the limit; part of used for a service, beside used for a pool"`
	Allocated *float64     `json:"allocated,omitempty" description:"of a pool that has a limit: what its profiles are allocated"`
	Free      *float64     `json:"free,omitempty" description:"of a pool that has a limit: what can be allocated or drawn now"`
	RunsOut   *web.Time    `json:"runs_out,omitempty" description:"of a service, with forecast: when nothing will be left of it; absent for never, and when it begins anew before"`
	Expected  *float64     `json:"expected,omitempty" description:"of a service, with forecast: what will have been used, or be held, at the end of the cycle, whatever the limit"`

	Departed *float64 `json:"departed,omitempty" description:"of a pool: the part of used that is of profiles deleted in this month"`
}

var (
	windowMinute = "minute"
	windowMonth  = "month"
)

// finite is a limit on the wire: nil for none.
func finite(n int64, wire float64) *float64 {
	if n >= plan.Unlimited {
		return nil
	}
	return &wire
}

func (s *Service) list(ctx context.Context, who auth.Caller, in listInput) ([]Row, error) {
	p, err := s.profiles.Get(ctx, who.ProfileID)
	if err != nil {
		return nil, err
	}
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	rows, err := s.rateRows(ctx, who, p, pl, in.Device)
	if err != nil {
		return nil, err
	}
	services, err := s.serviceRows(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if in.Forecast {
		if err := s.lookAhead(ctx, p, services); err != nil {
			return nil, err
		}
	}
	pools, err := s.poolRows(ctx, who, p)
	if err != nil {
		return nil, err
	}
	caps, err := s.capRows(ctx, who, p, pl)
	return slices.Concat(rows, services, pools, caps), err
}

// rateRows are the rates of the plan, then the console's where it has asked for something in this minute, then soft
// limits.
func (s *Service) rateRows(ctx context.Context, who auth.Caller, p profile.Profile, pl plan.Plan, only id.Device) ([]Row, error) {
	minute := s.now() / minuteMS
	reset := web.Millis((minute + 1) * minuteMS)
	used, err := s.used(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	add := func(kind, name, counter string, limit int64, d *id.Device) {
		l := float64(limit)
		scope := "profile"
		if d != nil {
			scope = "device"
		}
		rows = append(rows, Row{Name: name, Kind: kind, Scope: scope, Device: d, Used: float64(used[counter]), Limit: &l, Window: &windowMinute, Reset: &reset})
	}
	for _, r := range pl.Rates {
		add("rate", rateName(r, false), rateName(r, false), r.PerMinute, nil)
		rows[len(rows)-1].Group = r.Group
		if name := rateName(r, true); used[name] > 0 {
			add("rate", name, name, r.PerMinute, nil)
			rows[len(rows)-1].Group = r.Group
		}
	}
	soft := func(d *id.Device, input, output int64) {
		of := id.Device("")
		if d != nil {
			of = *d
		}
		for _, l := range []struct {
			kind  softKind
			limit int64
		}{{softInput, input}, {softOutput, output}} {
			if l.limit > 0 {
				add("soft_rate", "rpm."+l.kind.String(), softName(l.kind, of), l.limit, d)
			}
		}
	}
	if only == "" {
		soft(nil, p.RPMInput, p.RPMOutput)
	} else {
		v, err := s.devices.View(ctx, who, p.ID, only)
		if err != nil {
			return nil, err
		}
		soft(&only, v.RPMInput, v.RPMOutput)
		return rows, nil
	}
	limited, err := s.devices.Limited(ctx, who, p.ID, maxDevices)
	if err != nil {
		return nil, err
	}
	for _, d := range limited {
		before := len(rows)
		soft(&d.ID, d.RPMInput, d.RPMOutput)
		for i := range rows[before:] {
			rows[before+i].Called = d.Name
		}
	}
	return rows, nil
}

func (s *Service) serviceRows(ctx context.Context, p id.Profile) ([]Row, error) {
	c, err := s.usage.Used(ctx, p)
	if err != nil {
		return nil, err
	}
	policies, err := s.usage.PoliciesOf(ctx, p)
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	for i, svc := range plan.Metered {
		r := Row{Name: string(svc), Kind: "service", Scope: "profile", Used: plan.Wire(svc, c.Used[i]), Limit: finite(c.Allowed[i], plan.Wire(svc, c.Allowed[i]))}
		if plan.Flow(svc) {
			reset := web.Millis(c.CycleEnd)
			r.Window, r.Reset = &windowMonth, &reset
		}
		if i < len(policies) { // dashboard output has none
			over := plan.Wire(svc, c.Over[i])
			r.Policy, r.Overage = policies[i], &over
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// lookAhead adds to the rows of services where they lead.
func (s *Service) lookAhead(ctx context.Context, p profile.Profile, rows []Row) error {
	ahead, err := s.usage.Outlook(ctx, p)
	if err != nil {
		return err
	}
	for i := range rows {
		at := plan.Index(plan.Service(rows[i].Name))
		expected := plan.Wire(plan.Metered[at], ahead.Expected[at])
		rows[i].Expected = &expected
		if end := ahead.RunsOut[at]; end > 0 {
			t := web.Millis(end)
			rows[i].RunsOut = &t
		}
	}
	return nil
}

// seesAccount reports whether a caller may be told of more than the profile: the owner, with the reach of the account.
func seesAccount(who auth.Caller) bool { return who.IsOwner() && who.Reach == auth.ReachAccount }

// poolRows are what the account has of each service and its profiles share, for those who may see the account.
func (s *Service) poolRows(ctx context.Context, who auth.Caller, p profile.Profile) ([]Row, error) {
	if !seesAccount(who) {
		return nil, nil
	}
	pools, cycleEnd, err := s.usage.PoolOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	reset := web.Millis(cycleEnd)
	rows := make([]Row, 0, len(pools))
	for _, x := range pools {
		wire := func(n int64) *float64 { v := plan.Wire(x.Service, n); return &v }
		r := Row{
			Name: string(x.Service), Kind: "pool", Scope: "account", Used: plan.Wire(x.Service, x.Used+x.Departed),
			Limit: finite(x.Pool, plan.Wire(x.Service, x.Pool)), Overage: wire(x.Over), Departed: wire(x.Departed),
		}
		if x.Pool < plan.Unlimited {
			r.Allocated, r.Free = wire(x.Allocated), wire(x.Free)
		}
		if plan.Flow(x.Service) {
			r.Window, r.Reset = &windowMonth, &reset
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// capRows are the caps that the plan sets, and what is held of others. How many profiles the account has is told
// to those who may see them.
func (s *Service) capRows(ctx context.Context, who auth.Caller, p profile.Profile, pl plan.Plan) ([]Row, error) {
	held, err := s.usage.Amounts(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	for _, res := range plan.Resources {
		r := Row{Name: string(res), Kind: "cap", Scope: "profile", Used: float64(held[res]), Limit: finite(pl.Cap(res), float64(pl.Cap(res)))}
		if res == plan.Profiles {
			if !seesAccount(who) {
				continue
			}
			ps, err := s.profiles.List(ctx, p.Account)
			if err != nil {
				return nil, err
			}
			r.Scope, r.Used = "account", float64(len(ps))
		}
		if r.Limit != nil || r.Used > 0 {
			rows = append(rows, r)
		}
	}
	return rows, nil
}
