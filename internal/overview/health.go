package overview

import (
	"cmp"
	"context"
	"slices"

	"paddock/internal/alert"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/usage"
)

const (
	fewSilent = 5
	fewDonors = 5
)

type pathInput struct {
	ID string `path:"id"`
}

// health is what one sentence about a profile is made of, and what can be done about it.
type health struct {
	State       Status        `json:"state" enum:"blocked,paused,near,silent,new,ok"`
	Paused      *pause        `json:"paused" description:"null for a profile that is not"`
	PointsToday int64         `json:"points_today" description:"since midnight in the time zone of the profile's owner"`
	Hours       []hourPoints  `json:"hours" description:"points of each hour of that day"`
	LastInput   *web.Time     `json:"last_input"`
	Devices     int64         `json:"devices"`
	Silent      silentDevices `json:"silent"`
	Services    []serviceUse  `json:"services" description:"those in use or limited: used up first, then by share of the limit"`
	Refusals    refusalSums   `json:"refusals"`
	MayRaise    bool          `json:"may_raise" description:"the caller may give the profile more"`
	OnlyProfile bool          `json:"only_profile" description:"the account has no other profile, so this one has all there is"`
	Owner       owner         `json:"owner"`
}

type pause struct {
	Reason     string `json:"reason"`
	ByOperator bool   `json:"by_operator" description:"only an operator ends it"`
}

type hourPoints struct {
	Time   web.Time `json:"time" description:"when the hour begins"`
	Points int64    `json:"points"`
}

type silentDevices struct {
	Count   int64          `json:"count"`
	Devices []silentDevice `json:"devices" description:"the five that are longest silent"`
}

type silentDevice struct {
	ID        id.Device `json:"id"`
	Name      string    `json:"name"`
	LastInput *web.Time `json:"last_input" description:"null for never"`
	Interval  int64     `json:"interval" description:"seconds within which it should be heard"`
}

type serviceUse struct {
	Service    plan.Service `json:"service"`
	State      Status       `json:"state" enum:"blocked,near,ok"`
	Used       float64      `json:"used"`
	Limit      *float64     `json:"limit" description:"null: there is none"`
	Share      *float64     `json:"share" description:"used of limit, 1 when all is; null without a limit"`
	Policy     usage.Policy `json:"policy" enum:"block,pool,overage" description:"what happens at the limit"`
	ResetsAt   *web.Time    `json:"resets_at" description:"null for what is stored"`
	Since      *web.Time    `json:"since" description:"of blocked: when the limit was reached, where that is known"`
	RunsOutOn  *string      `json:"runs_out_on" description:"the day nothing is left at the pace of the last seven days; null for not in this cycle"`
	Requests   int64        `json:"refused_24h" description:"requests that were refused for it"`
	Allocation *float64     `json:"allocation" description:"what the owner gave; null for what is not given"`
	Free       *float64     `json:"free" description:"what the account's pool has free to give; null to who may not raise, and without a limit"`
	Spare      []donor      `json:"spare,omitempty" description:"profiles of the account that have most of it unused, to who may raise"`
	AskedAt    *web.Time    `json:"asked_at" description:"when the caller asked the owner for more, within the last hour"`
}

// donor is a profile that has something to spare.
type donor struct {
	ID         id.Profile `json:"id"`
	Name       string     `json:"name"`
	Allocation float64    `json:"allocation"`
	Spare      float64    `json:"spare" description:"allocated and not used"`
}

type refusalSums struct {
	Requests int64        `json:"requests_24h"`
	Lost     int64        `json:"points_lost_24h" description:"points of refused requests that did not come again"`
	Groups   []refusalSum `json:"groups" description:"by what refused them, the latest first"`
	Rates    []refusalSum `json:"rates_1h" description:"limits on requests a minute that refused something within the hour"`
}

type refusalSum struct {
	Limit    string   `json:"limit" description:"as in GET /limits/refusals"`
	Scope    string   `json:"scope" enum:"profile,device,account"`
	Status   int      `json:"status"`
	Requests int64    `json:"requests"`
	Lost     int64    `json:"points_lost"`
	First    web.Time `json:"first"`
	Last     web.Time `json:"last"`
}

// health answers how a profile is.
func (s *Service) health(ctx context.Context, who auth.Caller, in pathInput) (health, error) {
	p, who, err := s.Profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return health{}, err
	}
	g := auth.Grant{Owner: p.Account, Role: who.Role, Within: who.Within, Look: who.Look}
	views := []view{{Shared: team.Shared{Profile: p, Grant: g}, who: who.In(p.ID, g)}}
	if err := s.judge(ctx, views); err != nil {
		return health{}, err
	}
	v := views[0]
	out := health{State: v.status, LastInput: maybe(v.devices.LastInput), Devices: v.devices.Devices, MayRaise: v.raises(), Hours: []hourPoints{}}
	if p.Paused {
		out.Paused = &pause{p.PauseReason, p.ByOperator}
	}
	acc, err := s.Accounts.Get(ctx, p.Account)
	if err != nil {
		return health{}, err
	}
	out.Owner = owner{acc.ID, acc.Name}
	hours, err := s.Usage.Today(ctx, p)
	if err != nil {
		return health{}, err
	}
	for _, h := range hours {
		n := h.Used.Of(plan.Input)
		out.PointsToday += n
		out.Hours = append(out.Hours, hourPoints{web.Millis(h.From), n})
	}
	if out.Silent, err = s.silent(ctx, v); err != nil {
		return health{}, err
	}
	out.Refusals = s.refusals(v)
	out.Services, out.OnlyProfile, err = s.services(ctx, v)
	return out, err
}

func (s *Service) silent(ctx context.Context, v view) (silentDevices, error) {
	out := silentDevices{Count: v.silent, Devices: []silentDevice{}}
	if v.silent == 0 {
		return out, nil
	}
	ds, err := s.Alerts.SilentDevices(ctx, v.who, v.ID, fewSilent)
	if err != nil {
		return out, err
	}
	ids := make([]id.Device, len(ds))
	for i, d := range ds {
		ids[i] = d.Device
	}
	heard, err := s.Devices.Heard(ctx, v.ID, ids)
	if err != nil {
		return out, err
	}
	for _, d := range ds {
		for _, h := range heard {
			if h.ID == d.Device {
				out.Devices = append(out.Devices, silentDevice{h.ID, h.Name, maybe(d.LastInput), d.Every / 1000})
			}
		}
	}
	return out, nil
}

func (s *Service) refusals(v view) refusalSums {
	out := refusalSums{Groups: []refusalSum{}, Rates: []refusalSum{}}
	since := s.now() - hourMS
	for _, r := range v.refusals {
		x := refusalSum{r.Name, r.Scope, r.Status, r.Requests, r.Lost, web.Millis(r.First), web.Millis(r.Last)}
		out.Requests += r.Requests
		out.Lost += r.Lost
		out.Groups = append(out.Groups, x)
		if r.Status == 429 && r.Last >= since {
			out.Rates = append(out.Rates, x)
		}
	}
	slices.SortStableFunc(out.Groups, func(a, b refusalSum) int { return b.Last.Time().Compare(a.Last.Time()) })
	return out
}

// services are the uses of a view with what can be done about each.
func (s *Service) services(ctx context.Context, v view) (out []serviceUse, alone bool, err error) {
	out = []serviceUse{}
	now := s.now()
	full, err := s.Alerts.FullSince(ctx, map[id.Profile]int64{v.ID: v.standing.CycleStart})
	if err != nil {
		return nil, false, err
	}
	asked, err := s.asked(ctx, v.ID, v.who.AccountID, now-askEvery)
	if err != nil {
		return nil, false, err
	}
	ends, err := s.Usage.RunsOut(ctx, []profile.Profile{v.Profile})
	if err != nil {
		return nil, false, err
	}
	acc, err := s.Accounts.Get(ctx, v.Account)
	if err != nil {
		return nil, false, err
	}
	var siblings map[id.Profile]usage.Standing
	var owned []profile.Profile
	pools := map[id.Account]map[plan.Service]int64{}
	if v.raises() {
		if owned, err = s.Profiles.List(ctx, v.Account); err != nil {
			return nil, false, err
		}
		alone = len(owned) < 2
	}
	for _, u := range v.uses {
		wire := func(n int64) *float64 { x := plan.Wire(u.service, n); return &x }
		x := serviceUse{Service: u.service, State: OK, Used: plan.Wire(u.service, u.used), Policy: u.policy, ResetsAt: maybe(u.resets), AskedAt: maybe(asked[u.service]),
			RunsOutOn: dayOf(ends[v.ID].Of(u.service), acc.Location())}
		for _, r := range v.refusals {
			if r.Name == string(u.service) {
				x.Requests += r.Requests
			}
		}
		switch {
		case u.blocked:
			x.State = Blocked
			x.RunsOutOn = nil
			x.Since = maybe(since(u, full[v.ID][u.service], v.standing))
		case u.near:
			x.State = Near
		}
		if u.limit < plan.Unlimited {
			share := u.share
			x.Limit, x.Share = wire(u.limit), &share
			if u.service != plan.DashboardOutput {
				x.Allocation = wire(v.standing.Allocation.Amounts.Of(u.service))
			}
		}
		if v.raises() && x.Allocation != nil && !alone {
			free, err := s.free(ctx, v.Account, u.service, pools)
			if err != nil {
				return nil, false, err
			}
			x.Free = wire(free)
			if u.near || u.blocked {
				if siblings == nil {
					if siblings, err = s.Usage.Standings(ctx, owned); err != nil {
						return nil, false, err
					}
				}
				x.Spare = spare(u.service, v.ID, owned, siblings)
			}
		}
		out = append(out, x)
	}
	return out, alone, nil
}

// since is when what is used up was: when people were told so of the limit as it is now, or else when something was first refused for it.
func since(u use, told alert.Full, st usage.Standing) int64 {
	given := u.limit
	if u.service != plan.DashboardOutput {
		given = min(given, st.Allocation.Amounts.Of(u.service))
	}
	if at := told.Reached(given); at > 0 {
		return at
	}
	return u.refused
}

// spare are the profiles with most of a service that they were given and have not used.
func spare(svc plan.Service, of id.Profile, owned []profile.Profile, standings map[id.Profile]usage.Standing) []donor {
	type candidate struct {
		donor
		left int64
	}
	var found []candidate
	i := plan.Index(svc)
	for _, p := range owned {
		st, there := standings[p.ID]
		given := st.Allocation.Amounts[i]
		left := min(given-max(0, st.Used[i]-st.Over[i]), given)
		if !there || p.ID == of || left <= 0 {
			continue
		}
		found = append(found, candidate{donor{p.ID, p.Name, plan.Wire(svc, given), plan.Wire(svc, left)}, left})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.left, a.left) })
	out := []donor{}
	for _, c := range found[:min(fewDonors, len(found))] {
		out = append(out, c.donor)
	}
	return out
}
