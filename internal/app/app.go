// Package app puts the rooms together: it opens the database, makes each room in order, registers the hooks by
// which a room reaches one on its left, and serves the routes of all. It also holds the command line.
//
// What a person reads first is Open; the rest is one file each: config (settings), serve, cli (verbs), lock.
package app

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"paddock/internal/account"
	"paddock/internal/alert"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/dashboard"
	"paddock/internal/data"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/limit"
	"paddock/internal/live"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/token"
	"paddock/internal/usage"
	console "paddock/web"
)

// Version is set when a release is built.
var Version = "dev"

//go:embed migrations/*.sql
var migrations embed.FS

// Sources are the migrations of all rooms.
func Sources() []sqldb.Source {
	return []sqldb.Source{
		{Room: "app", FS: migrations},
		mail.Migrations(), job.Migrations(),
		audit.Migrations(), account.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(), device.Migrations(), data.Migrations(), limit.Migrations(), alert.Migrations(), dashboard.Migrations(),
	}
}

// Options are what only tests change.
type Options struct {
	Clock clock.Clock  // the machine's when nil
	Log   *slog.Logger // slog.Default() when nil
}

// App is an open installation.
type App struct {
	settings Settings
	log      *slog.Logger
	clock    clock.Clock
	db       *sqldb.DB
	sealer   *seal.Sealer
	files    *blob.Folder
	jobs     *job.Runner
	mail     *mail.Mailer
	server   *web.Server
	metrics  *prometheus.Registry

	accounts *account.Service
	plans    *plan.Catalogue
	profiles *profile.Service
	tokens   *token.Service
	usage    *usage.Service
	devices  *device.Service
	data     *data.Service
	limits   *limit.Service
	alerts   *alert.Service
	live     *live.Hub
	boards   *dashboard.Service

	stopping atomic.Bool // no new work is taken
	stopOnce sync.Once
}

// Open opens the database of the settings, brings it up to date and makes the rooms. Nothing runs in the
// background until Start.
func Open(ctx context.Context, s Settings, o Options) (*App, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	a := &App{settings: s, log: o.Log, clock: o.Clock}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.clock == nil {
		a.clock = clock.System
	}
	if err := a.open(ctx); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if err := os.MkdirAll(a.settings.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	var err error
	if a.db, err = sqldb.Open(ctx, a.settings.url(), sqldb.Options{Clock: a.clock, Log: a.log}); err != nil {
		return err
	}
	if err := a.migrate(ctx); err != nil {
		return err
	}
	if err := a.openSealer(ctx); err != nil {
		return err
	}
	if a.files, err = blob.OpenFolder(filepath.Join(a.settings.Data, "files")); err != nil {
		return err
	}
	return a.rooms(ctx)
}

// migrate brings the database up to date: at once when it is empty or this is SQLite, where a copy is kept;
// on PostgreSQL only with --migrate, since other nodes may still run the earlier release.
func (a *App) migrate(ctx context.Context) error {
	pending, err := a.db.Pending(ctx, Sources()...)
	if err != nil {
		return err
	}
	known, err := a.db.Known(ctx)
	if err != nil {
		return err
	}
	if known && len(pending) > 0 {
		if a.db.Engine() == sqldb.Postgres && !a.settings.Migrate {
			return fmt.Errorf("the database waits for %d migrations, beginning with %s: run `paddock migrate`, or serve with --migrate", len(pending), pending[0].Name)
		}
		if a.db.Engine() == sqldb.SQLite {
			file := filepath.Join(a.settings.Data, "before-"+pending[0].Name+".db")
			if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if err := a.db.CopyTo(ctx, file); err != nil {
				return fmt.Errorf("copy the database before migrating: %w", err)
			}
			os.Chmod(file, 0o600)
			a.log.Info("copied the database before migrating", "file", file)
		}
	}
	return a.db.Migrate(ctx, Sources()...)
}

// openSealer loads the keys and compares them with the value that the database keeps for that purpose.
func (a *App) openSealer(ctx context.Context) error {
	var err error
	if a.settings.SecretKey != "" {
		a.sealer, err = seal.Parse(a.settings.SecretKey)
	} else {
		a.sealer, err = seal.LoadOrCreateFile(a.settings.keyFile())
	}
	if err != nil {
		return err
	}
	check, ok, err := sqldb.One(ctx, a.db, sqldb.Value[string], "SELECT value FROM setting WHERE name = $1", "seal check")
	if err != nil {
		return err
	}
	if !ok {
		_, err := a.db.Exec(ctx, "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", "seal check", a.sealer.Check())
		return err
	}
	if err := a.sealer.Verify(check); err != nil {
		where := "the file " + a.settings.keyFile()
		if a.settings.SecretKey != "" {
			where = "PADDOCK_SECRET_KEY"
		}
		return fmt.Errorf("%s does not hold the key this database was sealed with: bring the key that belongs to it (%w)", where, err)
	}
	if a.sealer.Stale(check) { // keys were rotated: a node with only the old one must not start any more
		_, err := a.db.Exec(ctx, "UPDATE setting SET value = $1 WHERE name = $2", a.sealer.Check(), "seal check")
		return err
	}
	return nil
}

// rooms makes every room, from the right of the order to the left.
func (a *App) rooms(ctx context.Context) error {
	var err error
	a.plans = plan.Builtin()
	if a.settings.Catalogue != "" {
		if a.plans, err = plan.Load(a.settings.Catalogue); err != nil {
			return err
		}
	}
	if a.mail, err = mail.New(a.db, mail.Config{
		SMTPURL: a.settings.SMTPURL, From: a.settings.MailFrom, Name: a.settings.Name, Clock: a.clock, Log: a.log,
	}); err != nil {
		return err
	}
	a.jobs = job.New(a.db, a.clock, a.log)
	log := audit.New(a.db, a.clock)
	a.accounts = account.New(a.db, log, a.mail, account.Config{
		Signup: account.Signup(a.settings.Signup), PublicURL: a.settings.publicURL(), Name: a.settings.Name, Log: a.log,
		DefaultPlan: a.plans.Default,
		Plan: func(name string) (string, bool) {
			p, err := a.plans.Plan(name)
			return p.ReportAs, err == nil
		},
	}, a.clock)
	used, err := a.accounts.PlansInUse(ctx)
	if err != nil {
		return err
	}
	for _, name := range used {
		if _, err := a.plans.Plan(name); err != nil {
			return fmt.Errorf("the catalogue lacks plan %q, which accounts are on: add it, or move them first with `paddock account set --plan`", name)
		}
	}
	a.profiles = profile.New(a.db, a.accounts, a.plans, log, a.files, a.clock)
	a.tokens = token.New(a.db, a.accounts, a.profiles, log, a.sealer, a.clock)
	a.usage = usage.New(a.db, a.profiles, a.accounts, log, a.clock)
	a.devices = device.New(a.db, a.profiles, a.tokens, a.usage, log, a.clock)
	a.data = data.New(a.db, a.profiles, a.usage, a.devices, log, a.clock)
	a.boards = dashboard.New(a.db, a.usage, a.devices, log, a.clock)
	a.limits = limit.New(a.db, a.plans, a.profiles, a.usage, a.devices, a.clock)
	a.alerts = alert.New(a.db, a.profiles, a.usage, a.devices, log, a.clock)
	a.live = live.New(a.data, a.devices, a.usage, a.clock)
	a.live.Hear(a.limits, a.alerts)

	a.accounts.OnDelete(a.profiles.DeleteAll)
	a.accounts.OnPlan(a.usage.Refit)
	a.accounts.OnPlan(a.limits.PlanChanged)
	a.profiles.OnPurge(a.limits.PurgeProfile)
	a.profiles.OnPurge(a.alerts.PurgeProfile)
	a.profiles.OnPurge(a.boards.PurgeProfile)
	a.profiles.OnPurge(a.data.PurgeProfile)
	a.profiles.OnPurge(a.devices.PurgeProfile)
	a.profiles.OnPurge(a.tokens.PurgeProfile)

	a.tokens.Jobs(a.jobs)
	a.devices.Jobs(a.jobs)
	a.data.Jobs(a.jobs)
	a.limits.Jobs(a.jobs)
	a.alerts.Jobs(a.jobs)
	a.live.Jobs(a.jobs)
	a.boards.Jobs(a.jobs)
	a.jobs.Every("profile purge", time.Minute, func(ctx context.Context) error { return a.profiles.Purge(ctx, 30*time.Second) })
	a.jobs.EachNode("session last use", 10*time.Second, a.accounts.Flush)
	a.jobs.Every("account tidy", time.Hour, a.accounts.Tidy)
	a.jobs.EachNode("usage leases", time.Second, a.usage.Flush)
	a.jobs.Every("usage leases of dead nodes", time.Minute, a.usage.Reap)
	a.jobs.Every("usage ledger fold", time.Hour, a.usage.Fold)
	return a.serveRoutes()
}

// Routes are those of every room, then those that no room answers yet.
func (a *App) Routes() []web.Route { return a.server.Routes() }

func (a *App) serveRoutes() error {
	proxies, err := a.settings.proxies()
	if err != nil {
		return err
	}
	a.metrics = prometheus.NewRegistry()
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "writes_waiting", Help: "Writes that stand in the queue of rounds."},
			func() float64 { return float64(a.db.Waiting()) }))
	var routes []web.Route
	for _, room := range []interface{ Routes() []web.Route }{
		a.accounts, a.profiles, a.tokens, a.usage, a.devices, a.data, a.boards, a.limits, a.alerts, a.live, a.plans,
	} {
		routes = append(routes, room.Routes()...)
	}
	routes = append(routes, a.ownRoutes()...)
	later, err := notYet(routes)
	if err != nil {
		return err
	}
	a.server = web.NewServer(web.Config{
		Log: a.log, Clock: a.clock, TrustedProxies: proxies, PublicURL: a.settings.PublicURL, Authenticate: a.authenticate, Admit: a.limits.Admit,
		Metrics: a.metrics, Dev: a.settings.Dev, Version: Version,
	}, append(routes, later...))
	a.server.Observe(a.devices.Observe)
	a.server.Observe(a.limits.Observe)
	a.server.Mount(console.Base, console.Handler())
	return nil
}

// Built are the routes that a room answers.
func (a *App) Built() []web.Route {
	return slices.DeleteFunc(slices.Clone(a.Routes()), func(r web.Route) bool { return strings.HasPrefix(r.Doc, notAvailable) })
}

// Document makes the OpenAPI document of what the rooms answer; what no room answers yet is not in it.
func (a *App) Document() ([]byte, error) {
	return web.OpenAPI(web.Info{
		Title: "Paddock", Version: "1",
		Description: "TagoIO's HTTP API, and what Paddock adds to it. Every answer is an envelope: {status:true, result} or {status:false, message}. " +
			"A token goes into the header `token`. Routes without a device or account in their path act in the token's profile.",
	}, a.Built())
}

// authenticate finds who presented a credential: a token, or a session that may name a profile.
func (a *App) authenticate(ctx context.Context, c web.Credential) (auth.Caller, error) {
	if c.Token != "" {
		return a.tokens.Authenticate(ctx, c.Token, c.Addr)
	}
	who, err := a.accounts.Session(ctx, c.Cookie)
	if err != nil {
		return auth.Caller{}, err
	}
	who.Addr = c.Addr
	if c.ProfileHeader == "" {
		return who, nil
	}
	p := id.Profile(c.ProfileHeader)
	owner, ok, err := a.profiles.Access(ctx, who.AccountID, p)
	if err != nil {
		return auth.Caller{}, err
	}
	if !ok {
		return auth.Caller{}, profile.NotFound
	}
	who.ProfileID, who.OwnerID = p, owner
	return who, nil
}

// Handler answers HTTP.
func (a *App) Handler() http.Handler { return a.server.Handler() }

// Start begins the work in the background: jobs and mail.
func (a *App) Start() {
	a.jobs.Start(context.Background())
	a.mail.Start(context.Background())
}

// Drain is for before a graceful stop: the server is not ready any more and streams of events end, since nobody
// could wait for those. All other requests go on.
func (a *App) Drain() {
	a.stopping.Store(true)
	a.server.Drain()
}

// Close stops the work in the background, writes what memory holds, and closes the database. Call it after
// the last request has been answered.
func (a *App) Close() error {
	var err error
	a.stopOnce.Do(func() {
		a.jobs.Stop()
		a.mail.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = errors.Join(a.usage.Stop(ctx), a.limits.Stop(ctx), a.tokens.Flush(ctx), a.devices.Flush(ctx), a.boards.Flush(ctx), a.accounts.Flush(ctx), a.close())
	})
	return err
}

// close releases what open took, as far as it came.
func (a *App) close() error {
	var errs []error
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.files != nil {
		errs = append(errs, a.files.Close())
	}
	return errors.Join(errs...)
}

// Outbox lists the mails that have not been delivered.
func (a *App) Outbox(ctx context.Context) ([]mail.Queued, error) { return a.mail.Outbox(ctx) }

// NewAccount is an account made by an operator: account create, or a test.
type NewAccount struct {
	account.CreateInput
	Plan string // of the catalogue; the default when empty
}

// Made is what CreateAccount made.
type Made struct {
	Account id.Account `json:"account"`
	Profile id.Profile `json:"profile"`
	Token   string     `json:"token"`
}

// CreateAccount makes an account with its first profile and a token that reaches the account, all or nothing.
// The first account is an operator.
func (a *App) CreateAccount(ctx context.Context, who auth.Caller, in NewAccount) (Made, error) {
	in.CreateInput.Plan = in.Plan
	prepared, err := a.accounts.Prepare(ctx, who, in.CreateInput)
	if err != nil {
		return Made{}, err
	}
	var made Made
	err = a.db.Tx(ctx, func(ctx context.Context) error {
		acc, err := a.accounts.Create(ctx, who, prepared)
		if err != nil {
			return err
		}
		p, err := a.profiles.Create(ctx, who, profile.CreateInput{Account: acc.ID, Name: acc.Name})
		if err != nil {
			return err
		}
		as := who
		as.AccountID = acc.ID
		t, err := a.tokens.Mint(ctx, as, token.MintInput{Profile: p.ID, Account: acc.ID, Name: "Made with the account", Permission: auth.Full, Reach: auth.ReachAccount})
		if err != nil {
			return err
		}
		made = Made{Account: acc.ID, Profile: p.ID, Token: t.Token}
		return nil
	})
	return made, err
}
