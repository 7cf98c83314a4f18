package usage

import (
	"context"
	"crypto/rand"
	"embed"
	"sync"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "usage", FS: migrations} }

// Service counts. Make it with New, which joins it to the life of profiles.
type Service struct {
	db       *sqldb.DB
	profiles *profile.Service
	accounts *account.Service
	audit    *audit.Log
	clock    clock.Clock
	node     string // names this process in the lease table; a new one at every start

	terms  *sqldb.Cache[terms] // what a lease depends on
	mu     sync.Mutex
	leases map[leaseKey]*lease

	level  changed // profiles whose counters changed since somebody looked
	counts map[plan.Resource]CountFunc
	addons func(ctx context.Context, p id.Profile) ([]string, error)

	fitting     func(ctx context.Context) (bool, error) // see Fitting
	seeDevices  func(who auth.Caller, p id.Profile, column string) (cond string, args []any)
	nameDevices func(ctx context.Context, p id.Profile, ids []id.Device) (map[id.Device]string, error)
}

// CountFunc counts what a profile has of a resource.
type CountFunc func(ctx context.Context, p id.Profile) (int64, error)

const cacheKind = "usage"

// New makes the service and registers its hooks with profiles, so that no profile exists without counters.
func New(db *sqldb.DB, profiles *profile.Service, accounts *account.Service, log *audit.Log, clk clock.Clock) *Service {
	s := &Service{
		db: db, profiles: profiles, accounts: accounts, audit: log, clock: clk, node: rand.Text(),
		leases: map[leaseKey]*lease{}, counts: map[plan.Resource]CountFunc{},
	}
	s.SeeDevices(func(auth.Caller, id.Profile, string) (string, []any) { return "", nil }) // no room of devices, no ids
	s.NameDevices(func(context.Context, id.Profile, []id.Device) (map[id.Device]string, error) { return nil, nil })
	s.level.m = map[id.Profile]struct{}{}
	db.OnChange(cacheKind, func(key string) { s.level.add(id.Profile(key)) })
	s.terms = sqldb.NewCache(db, cacheKind, 20_000, s.loadTerms)
	profiles.OnCreate(s.profileCreated)
	profiles.OnDelete(s.profileDeleted)
	profiles.OnFit(s.fits)
	profiles.OnRestore(s.profileRestored)
	profiles.OnHandover(s.handedOver)
	return s
}

// Count lets a room count a resource itself, for the summary and for Verify. Without it the number is what the
// room holds; see Hold. Call it before the server starts.
func (s *Service) Count(r plan.Resource, f CountFunc) { s.counts[r] = f }

// Addons registers who knows which add-ons a profile has. Call it before the server starts; without it there are none.
func (s *Service) Addons(f func(ctx context.Context, p id.Profile) ([]string, error)) { s.addons = f }

// Fitting tells Verify who knows that allocations are about to be fitted to another catalogue. Call it before the server starts.
func (s *Service) Fitting(f func(ctx context.Context) (bool, error)) { s.fitting = f }

// CheckActive returns Forbidden with the reason for a profile that is paused, and not_found for one that is gone.
func (s *Service) CheckActive(ctx context.Context, p id.Profile) error {
	return s.profiles.CheckActive(ctx, p)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

const quarter = int64(15 * time.Minute / time.Millisecond)

// quarterOf is the start of the quarter of an hour that ms lies in.
func quarterOf(ms int64) int64 { return ms - ((ms%quarter)+quarter)%quarter }
