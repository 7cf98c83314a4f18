package limit

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// Service judges rates. Make it with New.
type Service struct {
	db       *sqldb.DB
	profiles *profile.Service
	usage    *usage.Service
	devices  *device.Service
	clock    clock.Clock

	batch    *sqldb.Batch[*request]
	mu       sync.RWMutex
	counters map[key]*counter

	plans   *plan.Catalogue
	rates   atomic.Pointer[rateTable] // of the catalogue's version
	terms   *sqldb.Cache[terms]       // by profile
	waiting map[id.Profile]int        // refusals that are held back
	waits   sync.Mutex                // of waiting
	pause   func() time.Duration      // how long a repeated refusal is held back

	refusals   *refusals
	onRefusals []func(p id.Profile, groups []Refusal)
}

// rateTable is what one version of the catalogue says of rates.
type rateTable struct {
	version int64
	plans   map[string][]planRate // by shape of the route, "GET /device/{}"
	all     map[string][]plan.Rate
	targets sync.Map // *web.Route → *target
}

// planRate is a row of the catalogue.
type planRate struct {
	plan string
	plan.Rate
}

// terms are what a profile's rates depend on.
type terms struct {
	plan          string
	ceilings      map[string]plan.Ceiling // an operator's, by group, in place of the plan's
	input, output int64                   // soft limits, 0 for none
}

// table is that of the catalogue as it is now.
func (s *Service) table() *rateTable {
	old := s.rates.Load()
	if old != nil && old.version == s.plans.Version() {
		return old
	}
	now := s.plans.Now()
	t := &rateTable{version: now.Version(), plans: map[string][]planRate{}, all: map[string][]plan.Rate{}}
	for _, r := range now.Rated() {
		k := shape(r.Method, r.Pattern)
		t.all[k] = append(t.all[k], r)
	}
	for _, p := range now.Plans() {
		for _, r := range p.Rates {
			k := shape(r.Method, r.Pattern)
			t.plans[k] = append(t.plans[k], planRate{p.Name, r})
		}
	}
	s.rates.CompareAndSwap(old, t) // or somebody else was first
	return t
}

// New makes the service.
func New(db *sqldb.DB, plans *plan.Catalogue, profiles *profile.Service, use *usage.Service, devices *device.Service, clk clock.Clock) *Service {
	s := &Service{
		db: db, profiles: profiles, usage: use, devices: devices, clock: clk,
		plans: plans, counters: map[key]*counter{}, waiting: map[id.Profile]int{}, pause: someWhile,
		refusals: newRefusals(),
	}
	s.batch = sqldb.NewBatch(db, "rates", s.grant)
	db.OnChange(anewKind, func(p string) { s.anew(id.Profile(p)) })
	profiles.OnHandover(s.handedOver)
	s.terms = sqldb.NewCache(db, profile.CacheKind, 20_000, func(ctx context.Context, key string) (terms, error) {
		p, err := profiles.Get(ctx, id.Profile(key))
		if err != nil {
			return terms{}, err
		}
		pl, t, err := profiles.TermsOf(ctx, p.Account)
		return terms{pl.Name, t.Ceilings(s.now()), p.RPMInput, p.RPMOutput}, err
	})
	return s
}

// PlanChanged makes the new plan of an account hold for its profiles at once. It is a hook for
// account.Service.OnPlan.
func (s *Service) PlanChanged(ctx context.Context, _ auth.Caller, a id.Account) error {
	ps, err := s.profiles.List(ctx, a)
	if err != nil {
		return err
	}
	keys := make([]string, len(ps))
	for i, p := range ps {
		keys[i] = string(p.ID)
	}
	return s.db.Changed(ctx, profile.CacheKind, keys...)
}

// anewKind names profiles whose minute begins anew.
const anewKind = "rates anew"

// handedOver begins the minute anew for a profile that has another owner: what it sent for the former one is not held against the
// new one's rates. It is a hook of profile.Service.
func (s *Service) handedOver(ctx context.Context, _ auth.Caller, h profile.Handover) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM rate WHERE profile_id = $1`, string(h.Profile.ID)); err != nil {
		return fmt.Errorf("begin rates anew: %w", err)
	}
	return s.db.Changed(ctx, anewKind, string(h.Profile.ID))
}

// PurgeProfile deletes a slice of what a deleted profile left; done says that nothing is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	ctx = sqldb.As(ctx, p.ID)
	if n, err := s.deleteRefusalsOf(ctx, p.ID, math.MaxInt64); n > 0 || err != nil {
		return false, err
	}
	n, err := s.deleteOf(ctx, p.ID)
	return n == 0, err
}

// Jobs names the periodic work of this room. Call Stop when the server stops.
func (s *Service) Jobs(r *job.Runner) {
	r.EachNode("rate counters", time.Minute, s.Tidy)
	r.Every("rate rows", 10*time.Minute, s.Forget)
	r.EachNode("refusals", tellEvery, s.TellRefusals)
	r.EachNode("refusals of busy profiles", time.Hour, s.trimRefusals)
	r.Every("old refusals", time.Hour, s.ForgetRefusals)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// shape is a route without the names of its parameters.
func shape(method, pattern string) string {
	return method + " " + parameter.ReplaceAllString(pattern, "{}")
}

// target is what Admit needs to know of a route.
type target struct {
	byPlan map[string][]rateOf // what plans have for it
	all    []rateOf            // the same with no ceiling yet, for those that an operator set; nil when it has no rate
	soft   softKind
	device bool // its path names the device
}

// rateOf is a rate as a need.
type rateOf struct {
	group        string
	query, value string // applies to requests with this parameter, else to all others
	token        need   // without profile
	console      need
}

type softKind int

const (
	softNone softKind = iota
	softInput
	softOutput
)

func (k softKind) String() string { return [...]string{"", "data_input", "data_output"}[k] }

func (s *Service) targetOf(r *web.Route) *target {
	table := s.table()
	if t, ok := table.targets.Load(r); ok {
		return t.(*target)
	}
	t := &target{device: strings.HasPrefix(r.Pattern, "/device/{")}
	k := shape(r.Method, r.Pattern)
	switch k {
	case "POST /data", "POST /device/{}/data":
		t.soft = softInput
	case "GET /data", "GET /device/{}/data":
		t.soft = softOutput
	}
	into := func(rs []rateOf, rate plan.Rate) []rateOf {
		r := rateOf{group: rate.Group, token: hardNeed(rate, false), console: hardNeed(rate, true)}
		r.query, r.value, _ = strings.Cut(rate.Query, "=")
		at := len(rs)
		if r.query != "" { // looked at first
			at = 0
		}
		return slices.Insert(rs, at, r)
	}
	for _, r := range table.all[k] {
		t.all = into(t.all, r)
	}
	for _, pr := range table.plans[k] {
		if t.byPlan == nil {
			t.byPlan = map[string][]rateOf{}
		}
		t.byPlan[pr.plan] = into(t.byPlan[pr.plan], pr.Rate)
	}
	actual, _ := table.targets.LoadOrStore(r, t)
	return actual.(*target)
}

// hard is the rate that a request falls under, and its ceiling: the plan's, or what an operator set for the account.
func (t *target) hard(v *terms, a *web.Attempt, now func() int64) (*rateOf, int64) {
	rates := t.byPlan[v.plan]
	if v.ceilings != nil {
		rates = t.all
	}
	for i := range rates {
		r := &rates[i]
		if r.query != "" && a.Query(r.query) != r.value {
			continue
		}
		if v.ceilings == nil {
			return r, r.token.limit
		}
		if limit := t.ceiling(v, r, now()); limit < plan.Unlimited {
			return r, limit
		}
	}
	return nil, 0
}

// ceiling is that of one rate for an account some of whose rates an operator set.
func (t *target) ceiling(v *terms, r *rateOf, now int64) int64 {
	if c, set := v.ceilings[r.group]; set && (c.Until == 0 || c.Until > now) {
		return c.PerMinute
	}
	for _, x := range t.byPlan[v.plan] {
		if x.group == r.group && x.query == r.query && x.value == r.value {
			return x.token.limit
		}
	}
	return plan.Unlimited
}

// rateName names the counter of a catalogue row.
func rateName(r plan.Rate, console bool) string {
	name := r.Method + " " + r.Pattern
	if r.Query != "" {
		name += "?" + r.Query
	}
	if console {
		name = "console " + name
	}
	return name
}

func hardNeed(r plan.Rate, console bool) need {
	name := rateName(r, console)
	return need{
		key: key{name: name}, limit: r.PerMinute, policy: quoted(name),
		limits: limitName{name, "profile", "Wait until the next minute, send several points in one request, or change the plan of the profile's owner."},
	}
}

// softName names the counter of a soft limit; of a device when d is not "".
func softName(k softKind, d id.Device) string {
	if d == "" {
		return k.String() + " rpm"
	}
	return k.String() + " rpm " + string(d)
}
