package overview

import (
	"context"
	"embed"
	"slices"

	"paddock/internal/account"
	"paddock/internal/alert"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/billing"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/limit"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/usage"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "overview", FS: migrations} }

// Rooms are those that know what is put together here.
type Rooms struct {
	Accounts *account.Service
	Profiles *profile.Service
	Teams    *team.Service
	Usage    *usage.Service
	Devices  *device.Service
	Limits   *limit.Service
	Alerts   *alert.Service
	Billing  *billing.Service
	Notify   *notify.Service
	Audit    *audit.Log
}

// Service looks at many profiles. It is safe for concurrent use. Make it with New.
type Service struct {
	db *sqldb.DB
	Rooms
	clock clock.Clock
}

// New makes the room.
func New(db *sqldb.DB, r Rooms, clk clock.Clock) *Service {
	return &Service{db: db, Rooms: r, clock: clk}
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// Status is how a profile is, in one word.
type Status string

const (
	Blocked Status = "blocked" // a service is used up: what needs it is refused
	Paused  Status = "paused"  // by a person
	Near    Status = "near"    // 80 % of a service are used, or more
	Silent  Status = "silent"  // a device that should be heard is not
	Fresh   Status = "new"     // nothing has ever come
	OK      Status = "ok"
)

// Statuses are all of them, what needs somebody first.
var Statuses = []Status{Blocked, Paused, Near, Silent, Fresh, OK}

const (
	dayMS  = 24 * 60 * 60 * 1000
	hourMS = 60 * 60 * 1000
)

// view is a profile as one person may see it, with all that is needed to judge it.
type view struct {
	team.Shared
	who      auth.Caller // the person in this profile
	bill     bool        // what it costs is the person's to see: as the owner, signed in or with a full token that reaches the account
	standing usage.Standing
	devices  device.Sum
	silent   int64
	refusals []limit.Sum // of 24 hours
	uses     []use       // of services in use or limited, the tightest first

	status Status
}

// use is where a view stands with one service.
type use struct {
	service   plan.Service
	used      int64 // base units
	limit     int64 // plan.Unlimited for none
	share     float64
	policy    usage.Policy
	blocked   bool
	near      bool
	resets    int64 // UTC milliseconds when used starts again; 0 of stocks
	refusedAt int64 // when something was last refused for it in these 24 hours; 0 for not
	refused   int64 // when first, since what it may use was last changed; 0 for not
}

// mine are the profiles that a caller may act in: as GET /profile lists them, without an operator's looks, which leave a trace in each profile
// and so begin there.
func (s *Service) mine(ctx context.Context, who auth.Caller) ([]view, error) {
	var ps []team.Shared
	if who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		p, err := s.Profiles.Get(ctx, who.ProfileID)
		if err != nil {
			return nil, err
		}
		ps = []team.Shared{{Profile: p, Grant: auth.Grant{Owner: p.Account, Role: who.Role, Within: who.Within}}}
	} else {
		var err error
		if ps, err = s.Teams.Reachable(ctx, who.AccountID); err != nil {
			return nil, err
		}
	}
	views := make([]view, len(ps))
	for i, p := range ps {
		v := view{Shared: p, who: who.In(p.ID, p.Grant)}
		v.bill = v.who.IsOwner() && (who.Kind == auth.Session || who.IsOwner()) && who.Permission == auth.Full && who.Reach == auth.ReachAccount
		views[i] = v
	}
	return views, nil
}

// judge reads how profiles are: some statements for all of them.
func (s *Service) judge(ctx context.Context, views []view) error {
	if len(views) == 0 {
		return nil
	}
	now := s.now()
	ps := make([]profile.Profile, len(views))
	callers := make([]auth.Caller, len(views))
	for i, v := range views {
		ps[i], callers[i] = v.Profile, v.who
	}
	standings, err := s.Usage.Standings(ctx, ps)
	if err != nil {
		return err
	}
	devices, err := s.Devices.Sums(ctx, callers)
	if err != nil {
		return err
	}
	silent, err := s.Alerts.SilentSums(ctx, callers)
	if err != nil {
		return err
	}
	refusals, err := s.Limits.Sums(ctx, callers, now-dayMS)
	if err != nil {
		return err
	}
	pools := map[id.Account]map[plan.Service]int64{}
	for i := range views {
		v := &views[i]
		v.standing, v.devices, v.silent, v.refusals = standings[v.ID], devices[v.ID], silent[v.ID], refusals[v.ID]
		if err := s.weigh(ctx, v, now, pools); err != nil {
			return err
		}
	}
	return nil
}

// weigh finds the uses and the status of a view. pools remembers what owners have free, for policies that draw on it.
func (s *Service) weigh(ctx context.Context, v *view, now int64, pools map[id.Account]map[plan.Service]int64) error {
	st := v.standing
	var blocked, near bool
	for i, svc := range plan.Metered {
		u := use{service: svc, used: max(0, st.Used[i]), limit: st.Allowed[i], policy: usage.Block}
		if svc != plan.DashboardOutput {
			u.policy = st.Policy(svc)
		}
		if plan.Flow(svc) {
			u.resets = st.CycleEnd
		}
		changed := clock.Millis(st.Allocation.UpdatedAt)
		for _, r := range v.refusals {
			if r.Name != string(svc) || r.Scope != "profile" {
				continue
			}
			u.refusedAt = max(u.refusedAt, r.Last)
			if r.First >= changed && (u.refused == 0 || r.First < u.refused) {
				u.refused = r.First
			}
		}
		if u.limit >= plan.Unlimited {
			if u.used > 0 {
				v.uses = append(v.uses, u)
			}
			continue
		}
		if u.used == 0 && u.refusedAt == 0 && u.limit == 0 {
			continue
		}
		switch {
		case u.limit > 0:
			u.share = float64(u.used) / float64(u.limit)
		case u.used > 0 || u.refusedAt > 0:
			u.share = 1
		}
		u.near = u.share >= 0.8
		if st.Room(i) <= 0 || s.wontFit(v, i, u, changed, now) {
			switch u.policy {
			case usage.Block:
				u.blocked = true
			case usage.Pool:
				free, err := s.free(ctx, v.Account, svc, pools)
				if err != nil {
					return err
				}
				u.blocked = free == 0
			}
		}
		blocked, near = blocked || u.blocked, near || u.near
		v.uses = append(v.uses, u)
	}
	slices.SortStableFunc(v.uses, func(a, b use) int {
		switch {
		case a.blocked != b.blocked:
			return first(a.blocked)
		case a.limit >= plan.Unlimited && b.limit >= plan.Unlimited:
			return 0
		case a.share != b.share:
			return first(a.share > b.share)
		}
		return 0
	})
	switch {
	case v.Paused:
		v.status = Paused
	case blocked:
		v.status = Blocked
	case near:
		v.status = Near
	case v.silent > 0:
		v.status = Silent
	case v.devices.LastInput == 0 && st.Used.Of(plan.Input) == 0 && st.Used.Of(plan.DataRecords) == 0:
		v.status = Fresh
	default:
		v.status = OK
	}
	return nil
}

func first(b bool) int {
	if b {
		return -1
	}
	return 1
}

// wontFit reports whether what a profile's devices send does not fit into what little is left: something of it was refused within the hour,
// after the limit was last changed, and nothing was accepted since.
func (s *Service) wontFit(v *view, i int, u use, changed, now int64) bool {
	svc := plan.Metered[i]
	if svc != plan.Input && svc != plan.DataRecords {
		return false
	}
	return u.refusedAt > max(changed, v.devices.LastInput, now-hourMS) && v.standing.Room(i) < u.limit/20
}

// free is what an owner's pool has free of a service.
func (s *Service) free(ctx context.Context, owner id.Account, svc plan.Service, pools map[id.Account]map[plan.Service]int64) (int64, error) {
	pool := pools[owner]
	if pool == nil {
		rows, _, err := s.Usage.PoolOf(ctx, owner)
		if err != nil {
			return 0, err
		}
		pool = map[plan.Service]int64{}
		for _, r := range rows {
			pool[r.Service] = r.Free
		}
		pools[owner] = pool
	}
	return pool[svc], nil
}

// tightest is the service that comes first to its limit; nil where none has one.
func (v view) tightest() *use {
	for i, u := range v.uses {
		if u.limit < plan.Unlimited {
			return &v.uses[i]
		}
	}
	return nil
}

// requests is how many requests of a view limits refused in 24 hours.
func (v view) requests() (n int64) {
	for _, r := range v.refusals {
		n += r.Requests
	}
	return n
}

// raises reports whether a caller may give the profile more: as POST /profile/{id}/services judges it.
func (v view) raises() bool { return v.who.IsOwner() && v.who.Reach == auth.ReachAccount }
