package alert

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "alert", FS: migrations} }

// Kind is what an alert is about.
type Kind string

const (
	Limit     Kind = "limit"     // a service has reached a threshold
	Silent    Kind = "silent"    // a device has sent nothing for longer than it should
	Recovered Kind = "recovered" // it sends again
)

const (
	keepFor = 180 * 24 * time.Hour
	keepPer = 10_000 // alerts of a profile
	page    = 500    // profiles, rules or devices of a statement
	tenant  = "alerts"
)

// Alert is one thing told. Times are UTC milliseconds, 0 for none.
type Alert struct {
	Profile id.Profile
	ID      id.Alert
	Kind    Kind

	Service    plan.Service // of Limit
	Threshold  int64        // per cent
	Used       int64        // base units, at that moment
	Allowed    int64        // the limit
	CycleStart int64

	Device     id.Device // of Silent and Recovered
	DeviceName string
	Every      int64    // milliseconds: how often it should be heard
	LastInput  int64    // before the silence; of Recovered the first after it
	Of         id.Alert // of Recovered: the alert that ended

	At             int64
	Ended          int64 // of Silent: when the silence ended, or stopped to matter
	Acknowledged   int64
	AcknowledgedBy id.Account
}

// Title is the alert in a few words.
func (a Alert) Title() string {
	switch a.Kind {
	case Silent:
		return "Silent device"
	case Recovered:
		return "Device is back"
	}
	return "Service limit"
}

// Message is the alert in a sentence.
func (a Alert) Message() string {
	name := a.DeviceName
	if name == "" {
		name = string(a.Device)
	}
	switch a.Kind {
	case Silent:
		every := time.Duration(a.Every) * time.Millisecond
		if a.LastInput == 0 {
			return fmt.Sprintf("%s has never sent anything; it should be heard every %s.", name, words(every))
		}
		return fmt.Sprintf("%s has sent nothing since %s; it should be heard every %s.", name, clock.FromMillis(a.LastInput).Format("2 January 2006, 15:04 UTC"), words(every))
	case Recovered:
		return fmt.Sprintf("%s sends again.", name)
	}
	return fmt.Sprintf("%s reached %d%% of the limit: %s of %s.", a.Service.Name(), a.Threshold, plan.Show(a.Service, a.Used), plan.Show(a.Service, a.Allowed))
}

// words is a duration of whole seconds as people say it after "every": "15 minutes", "day", "90 seconds".
func words(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / u.d; d%u.d == 0 && n > 0 {
			if n == 1 {
				return u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return d.String()
}

// Hook is what a later room does with alerts of one profile that were raised together, inside the transaction that
// raises them; an error undoes it, and it is tried again. What leaves the database waits for sqldb.AfterCommit.
type Hook func(ctx context.Context, p id.Profile, alerts []Alert) error

// Service raises alerts. Make it with New.
type Service struct {
	db       *sqldb.DB
	profiles *profile.Service
	usage    *usage.Service
	devices  *device.Service
	audit    *audit.Log
	clock    clock.Clock
	onAlert  []Hook

	looking sync.Mutex // one look at levels at a time
	sweptAt int64      // when all profiles were looked at

	silence  silenceLook
	maxByTag int64 // tests lower it
	tagSlice int   // likewise
}

// New makes the service and registers its hooks with profiles and devices.
func New(db *sqldb.DB, profiles *profile.Service, use *usage.Service, devices *device.Service, log *audit.Log, clk clock.Clock) *Service {
	s := &Service{db: db, profiles: profiles, usage: use, devices: devices, audit: log, clock: clk, maxByTag: maxByTag, tagSlice: tagSlice}
	s.silence.started = s.now()
	profiles.OnResume(s.resumed)
	profiles.OnRestore(func(ctx context.Context, _ auth.Caller, r profile.Restored) error { return s.resumed(ctx, r.ID) })
	devices.OnEdit(s.deviceEdited)
	devices.OnDelete(s.deviceDeleted)
	return s
}

// OnAlert registers a hook of a later room; before the server starts.
func (s *Service) OnAlert(h Hook) { s.onAlert = append(s.onAlert, h) }

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.EachNode("alerts of services", 2*time.Second, s.Look)
	r.Every("alerts of silent devices", 10*time.Second, s.LookSilence)
	r.Every("old alerts", time.Hour, s.Tidy)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// raise writes alerts of a profile and runs the hooks, in the transaction of ctx.
func (s *Service) raise(ctx context.Context, p id.Profile, alerts []Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	if err := s.insert(ctx, alerts); err != nil {
		return err
	}
	for _, h := range s.onAlert {
		if err := h(ctx, p, alerts); err != nil {
			return err
		}
	}
	return nil
}

var errNotFound = fault.New(fault.NotFound, "Alert Not Found")

// Acknowledge says that somebody has seen an alert, or takes that back. It returns not_found for an alert that is
// not the profile's.
func (s *Service) Acknowledge(ctx context.Context, who auth.Caller, p id.Profile, a id.Alert, seen bool) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		at, by := int64(0), id.Account("")
		if seen {
			at, by = s.now(), who.AccountID
		}
		there, changed, err := s.acknowledge(ctx, who, p, a, at, by)
		if err != nil || there && !changed {
			return err
		}
		if !there {
			return errNotFound
		}
		what := "Alert acknowledged"
		if !seen {
			what = "Alert no longer acknowledged"
		}
		return s.audit.Write(ctx, who, audit.Event{Profile: p, Resource: "alert", ResourceID: string(a), Message: what})
	})
}

// AcknowledgeAll does so for all alerts of a profile that were raised until now and that the caller may see, and says for how many.
func (s *Service) AcknowledgeAll(ctx context.Context, who auth.Caller, p id.Profile) (n int64, err error) {
	err = s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if n, err = s.acknowledgeAll(ctx, who, p, s.now(), who.AccountID); err != nil || n == 0 {
			return err
		}
		return s.audit.Write(ctx, who, audit.Event{Profile: p, Resource: "alert", Message: fmt.Sprintf("%d alerts acknowledged", n)})
	})
	return n, err
}

// Tidy deletes alerts of half a year ago, the oldest of profiles that have very many, and what has no meaning any more.
func (s *Service) Tidy(ctx context.Context) error {
	ctx = sqldb.Cost(sqldb.As(ctx, tenant), 200)
	now := s.now()
	for _, f := range []func(context.Context) (int64, error){
		func(ctx context.Context) (int64, error) { return s.deleteOld(ctx, now-keepFor.Milliseconds()) },
		func(ctx context.Context) (int64, error) { return s.deleteOldLevels(ctx, now-keepLevels.Milliseconds()) },
		func(ctx context.Context) (int64, error) { return s.deleteOldWaits(ctx, now-longest.Milliseconds()) },
	} {
		for {
			if n, err := f(ctx); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
	}
	crowded, err := s.crowded(ctx, keepPer)
	if err != nil {
		return err
	}
	for _, p := range crowded {
		for {
			if n, err := s.trim(ctx, p, keepPer); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
	}
	return nil
}

// PurgeProfile deletes a slice of what a deleted profile left; done says that nothing is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	n, err := s.deleteOf(sqldb.As(ctx, p.ID), p.ID)
	return n == 0, err
}
