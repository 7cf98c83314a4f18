package limit

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
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

	rates   map[string][]planRate // by shape of the route, "GET /device/{}"
	targets sync.Map              // *web.Route → *target
	terms   *sqldb.Cache[terms]   // by profile
	waiting map[id.Profile]int    // refusals that are held back
	waits   sync.Mutex            // of waiting
	pause   func() time.Duration  // how long a repeated refusal is held back

	refusals   *refusals
	onRefusals []func(p id.Profile, groups []Refusal)
}

// planRate is a row of the catalogue.
type planRate struct {
	plan string
	plan.Rate
}

// terms are what a profile's rates depend on.
type terms struct {
	plan          string
	input, output int64 // soft limits, 0 for none
}

// New makes the service.
func New(db *sqldb.DB, plans *plan.Catalogue, profiles *profile.Service, use *usage.Service, devices *device.Service, clk clock.Clock) *Service {
	s := &Service{
		db: db, profiles: profiles, usage: use, devices: devices, clock: clk,
		counters: map[key]*counter{}, rates: map[string][]planRate{}, waiting: map[id.Profile]int{}, pause: someWhile,
		refusals: newRefusals(),
	}
	s.batch = sqldb.NewBatch(db, "rates", s.grant)
	for _, p := range plans.Plans() {
		for _, r := range p.Rates {
			k := shape(r.Method, r.Pattern)
			s.rates[k] = append(s.rates[k], planRate{p.Name, r})
		}
	}
	s.terms = sqldb.NewCache(db, profile.CacheKind, 20_000, func(ctx context.Context, key string) (terms, error) {
		p, err := profiles.Get(ctx, id.Profile(key))
		if err != nil {
			return terms{}, err
		}
		pl, err := profiles.PlanOf(ctx, p.Account)
		return terms{pl.Name, p.RPMInput, p.RPMOutput}, err
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
	byPlan map[string][]rateOf // nil when no plan has a rate for it
	soft   softKind
	device bool // its path names the device
}

// rateOf is a rate as a need.
type rateOf struct {
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
	if t, ok := s.targets.Load(r); ok {
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
	for _, pr := range s.rates[k] {
		if t.byPlan == nil {
			t.byPlan = map[string][]rateOf{}
		}
		r := rateOf{token: hardNeed(pr.Rate, false), console: hardNeed(pr.Rate, true)}
		r.query, r.value, _ = strings.Cut(pr.Query, "=")
		at := len(t.byPlan[pr.plan])
		if r.query != "" { // looked at first
			at = 0
		}
		t.byPlan[pr.plan] = slices.Insert(t.byPlan[pr.plan], at, r)
	}
	actual, _ := s.targets.LoadOrStore(r, t)
	return actual.(*target)
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
