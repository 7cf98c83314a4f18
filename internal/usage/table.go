package usage

import (
	"context"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// tableResult is all that somebody needs who divides a pool: one instant, so that its sums are those of its rows.
type tableResult struct {
	Reset    web.Time       `json:"reset" description:"when flows begin anew"`
	Services []tableService `json:"services"`
	Profiles []tableRow     `json:"profiles" description:"oldest first"`
}

type tableService struct {
	Service   plan.Service `json:"service"`
	Flow      bool         `json:"flow" description:"counted by the cycle; else what is held"`
	Pool      *float64     `json:"pool" description:"null: it has no limit"`
	Allocated *float64     `json:"allocated" description:"to all profiles; null where the pool has no limit"`
	Free      *float64     `json:"free" description:"what can be allocated or drawn now; null where the pool has no limit"`
	Departed  float64      `json:"departed" description:"used in this cycle by profiles that were deleted; nobody can be given it before the next one"`
}

type tableRow struct {
	ID         id.Profile          `json:"id"`
	Name       string              `json:"name"`
	Automatic  bool                `json:"automatic" description:"it has an equal share, which makes room by itself for further profiles, until an allocation is posted"`
	Allocation map[string]*float64 `json:"allocation" description:"by service; null: no limit"`
	Used       map[string]float64  `json:"used" description:"by service, in this cycle or held now, without what was accepted beyond the limit"`
	UpdatedAt  web.Time            `json:"updated_at"`
}

// limitWire is a limit on the wire: nil for none.
func limitWire(svc plan.Service, n int64) *float64 {
	if n >= plan.Unlimited {
		return nil
	}
	v := plan.Wire(svc, n)
	return &v
}

// table shows the pool of the caller's account beside what each profile has and has used of it: as many statements for a
// thousand profiles as for ten of a hundred.
func (s *Service) table(ctx context.Context, who auth.Caller, _ struct{}) (out tableResult, err error) {
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		pools, reset, err := s.PoolOf(ctx, who.AccountID)
		if err != nil {
			return err
		}
		owned, err := s.profiles.List(ctx, who.AccountID)
		if err != nil {
			return err
		}
		allocations, err := s.Allocations(ctx, who.AccountID)
		if err != nil {
			return err
		}
		has := make(map[id.Profile]Allocation, len(allocations))
		for _, a := range allocations {
			has[a.Profile] = a
		}
		used, err := s.regular(ctx, idsOf(owned))
		if err != nil {
			return err
		}
		out = tableResult{Reset: web.Millis(reset), Services: make([]tableService, len(pools)), Profiles: make([]tableRow, 0, len(owned))}
		for i, x := range pools {
			t := tableService{Service: x.Service, Flow: plan.Flow(x.Service), Pool: limitWire(x.Service, x.Pool), Departed: plan.Wire(x.Service, x.Departed)}
			if x.Pool < plan.Unlimited {
				t.Allocated, t.Free = limitWire(x.Service, x.Allocated), limitWire(x.Service, x.Free)
			}
			out.Services[i] = t
		}
		for _, p := range owned {
			a, there := has[p.ID]
			if !there {
				continue
			}
			row := tableRow{ID: p.ID, Name: p.Name, Automatic: a.Automatic, Allocation: make(map[string]*float64, len(pools)),
				Used: make(map[string]float64, len(pools)), UpdatedAt: web.Time(a.UpdatedAt)}
			for i, svc := range plan.Services {
				row.Allocation[string(svc)] = limitWire(svc, a.Amounts[i])
				row.Used[string(svc)] = plan.Wire(svc, used[p.ID][i])
			}
			out.Profiles = append(out.Profiles, row)
		}
		return nil
	})
	return out, wrap("read what profiles have", err)
}

// regular is what profiles have used of the present cycle and hold, without what is marked as beyond the limit and without what
// leases hold in advance.
func (s *Service) regular(ctx context.Context, ps []id.Profile) (map[id.Profile]plan.Amounts, error) {
	now := s.now()
	out := make(map[id.Profile]plan.Amounts, len(ps))
	for part := range slices.Chunk(ps, sqldb.MaxSize) {
		leases, err := s.leasesOf(ctx, part)
		if err != nil {
			return nil, err
		}
		marks, in := inList(1, part)
		cs, err := sqldb.All(ctx, s.db, scanCounter,
			`SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id IN (`+marks+`)`, in...)
		if err != nil {
			return nil, wrap("read the counters", err)
		}
		for _, c := range cs {
			if c.CycleEnd <= now {
				c = c.anew()
			}
			var used plan.Amounts
			for i, svc := range plan.Services {
				used[i] = max(0, c.Used[i]-c.Over[i]-leases[leaseOfCycle{c.Profile, svc, c.CycleStart}])
			}
			out[c.Profile] = used
		}
	}
	return out, nil
}
