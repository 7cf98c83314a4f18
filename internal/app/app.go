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
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	"paddock/internal/backup"
	"paddock/internal/billing"
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
	"paddock/internal/notify"
	"paddock/internal/operator"
	"paddock/internal/overview"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/search"
	"paddock/internal/support"
	"paddock/internal/team"
	"paddock/internal/token"
	"paddock/internal/transfer"
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
		audit.Migrations(), account.Migrations(), plan.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(), device.Migrations(), data.Migrations(), limit.Migrations(), alert.Migrations(), dashboard.Migrations(), notify.Migrations(), team.Migrations(), billing.Migrations(), backup.Migrations(), support.Migrations(), transfer.Migrations(), overview.Migrations(), operator.Migrations(),
	}
}

// Options are what only tests change.
type Options struct {
	Clock clock.Clock  // the machine's when nil
	Log   *slog.Logger // slog.Default() when nil
	Verb  bool         // opened beside a server, to do one thing

	HashMemory uint32 // of passwords, in KiB; see account.Config
}

// App is an open installation.
type App struct {
	settings   Settings
	verb       bool
	hashMemory uint32
	log        *slog.Logger
	clock      clock.Clock
	db         *sqldb.DB
	sealer     *seal.Sealer
	files      blob.Store
	places     []io.Closer // of files
	jobs       *job.Runner
	mail       *mail.Mailer
	server     *web.Server
	metrics    *prometheus.Registry

	accounts *account.Service
	plans    *plan.Catalogue
	versions *plan.Versions
	profiles *profile.Service
	teams    *team.Service
	tokens   *token.Service
	usage    *usage.Service
	devices  *device.Service
	data     *data.Service
	limits   *limit.Service
	alerts   *alert.Service
	live     *live.Hub
	boards   *dashboard.Service
	notify   *notify.Service
	billing  *billing.Service
	backups  *backup.Service
	stored   *backup.Backups
	support  *support.Service
	transfer *transfer.Service
	operator *operator.Service
	overview *overview.Service

	stopping atomic.Bool // no new work is taken
	stopOnce sync.Once
}

// Open opens the database of the settings, brings it up to date and makes the rooms. Nothing runs in the
// background until Start.
func Open(ctx context.Context, s Settings, o Options) (*App, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	a := &App{settings: s, verb: o.Verb, hashMemory: o.HashMemory, log: o.Log, clock: o.Clock}
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
	if err := refuseHalf(a.settings.Data); err != nil {
		return err
	}
	var err error
	if a.db, err = sqldb.Open(ctx, a.settings.url(), sqldb.Options{Clock: a.clock, Log: a.log}); err != nil {
		return err
	}
	if err := a.loadKey(ctx); err != nil {
		return err
	}
	if err := a.migrate(ctx); err != nil {
		return err
	}
	if err := a.noteKey(ctx); err != nil {
		return err
	}
	if a.files, err = a.openPlace(a.settings.filesPlace()); err != nil {
		return fmt.Errorf("--files: %w", err)
	}
	if err := a.rooms(ctx); err != nil {
		return err
	}
	return a.afterRestore(ctx)
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

// rooms makes every room, from the right of the order to the left.
func (a *App) rooms(ctx context.Context) error {
	var err error
	if a.versions, err = plan.Open(ctx, a.db, a.clock, a.log); err != nil {
		return err
	}
	a.plans = a.versions.Catalogue()
	if a.mail, err = mail.New(a.db, mail.Config{
		SMTPURL: a.settings.SMTPURL, From: a.settings.MailFrom, Name: a.settings.Name, Clock: a.clock, Log: a.log,
	}); err != nil {
		return err
	}
	a.jobs = job.New(a.db, a.clock, a.log)
	log := audit.New(a.db, a.clock)
	a.accounts = account.New(a.db, log, a.mail, account.Config{
		Signup: account.Signup(a.settings.Signup), PublicURL: a.settings.publicURL(), Name: a.settings.Name, Log: a.log,
		DefaultPlan: a.plans.Default, Files: a.files, TermsUntil: plan.TermsUntil, Sealer: a.sealer, HashMemory: a.hashMemory,
		SessionIdle: time.Duration(a.settings.SessionIdle), SessionMax: time.Duration(a.settings.SessionMax),
		Plan: func(name string) (string, bool) {
			p, err := a.plans.Plan(name)
			return p.ReportAs, err == nil
		},
	}, a.clock)
	if err := a.settleCatalogue(ctx); err != nil {
		return err
	}
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
	a.profiles.SealLog(a.sealer)
	a.profiles.KeepLog(a.settings.auditKeep)
	a.profiles.SetGrace(a.settings.ProfileGrace.span())
	a.notify = notify.New(a.db, a.accounts, a.profiles, log, a.mail, a.sealer, notify.Config{
		Name: a.settings.Name, PublicURL: a.settings.publicURL(), PrivateWebhook: a.settings.WebhookPrivate, Log: a.log,
	}, a.clock)
	a.teams = team.New(a.db, a.accounts, a.profiles, a.notify, log, a.mail, a.sealer, team.Config{PublicURL: a.settings.publicURL(), Name: a.settings.Name, Log: a.log}, a.clock)
	a.tokens = token.New(a.db, a.accounts, a.profiles, log, a.sealer, a.clock)
	a.teams.SetTokens(a.tokens)
	a.tokens.SetTeams(a.teams)
	a.usage = usage.New(a.db, a.profiles, a.accounts, log, a.clock)
	a.usage.Count(plan.Team, a.teams.Count)
	a.usage.Fitting(a.versions.Fitting)
	if err := a.usage.FillPools(ctx); err != nil {
		return err
	}
	a.devices = device.New(a.db, a.profiles, a.tokens, a.usage, log, a.clock)
	a.data = data.New(a.db, a.profiles, a.usage, a.devices, log, a.clock)
	a.boards = dashboard.New(a.db, a.usage, a.devices, log, a.clock)
	a.limits = limit.New(a.db, a.plans, a.profiles, a.usage, a.devices, a.clock)
	a.alerts = alert.New(a.db, a.profiles, a.usage, a.devices, log, a.clock)
	a.live = live.New(a.data, a.devices, a.usage, a.clock)
	a.live.Hear(a.limits, a.alerts)
	a.live.HearNotices(a.notify)
	a.alerts.DeliverBy(a.notify)
	payment, due, err := a.payment(ctx)
	if err != nil {
		return err
	}
	a.billing = billing.New(a.db, a.accounts, a.plans, a.profiles, a.usage, a.notify, log, billing.Config{
		PublicURL: a.settings.publicURL(), Name: a.settings.Name, Log: a.log, Payment: payment, DueDays: due,
	}, a.clock)
	a.backups = backup.New(a.db, backup.Rooms{
		Accounts: a.accounts, Profiles: a.profiles, Notify: a.notify, Teams: a.teams, Tokens: a.tokens, Usage: a.usage, Devices: a.devices, Data: a.data,
		Alerts: a.alerts, Boards: a.boards,
	}, log, a.files, backup.Config{Release: Version, Temp: filepath.Join(a.settings.Data, "tmp"), ImportMax: a.settings.importMax()}, a.clock)
	if err := a.openBackups(log); err != nil {
		return err
	}
	a.tokens.TellExpiry(a.notify)
	a.support = support.New(a.db, a.accounts, a.profiles, a.notify, log, a.mail, support.Config{
		PublicURL: a.settings.publicURL(), Name: a.settings.Name, Access: support.Access(a.settings.OperatorAccess), Log: a.log,
	}, a.clock)
	a.transfer = transfer.New(a.db, transfer.Rooms{
		Accounts: a.accounts, Profiles: a.profiles, Teams: a.teams, Tokens: a.tokens, Usage: a.usage, Billing: a.billing, Support: a.support, Notify: a.notify, Audit: log, Mail: a.mail,
	}, transfer.Config{PublicURL: a.settings.publicURL(), Name: a.settings.Name, Policy: transfer.Policy(a.settings.Transfer), Log: a.log}, a.clock)

	a.overview = overview.New(a.db, overview.Rooms{
		Accounts: a.accounts, Profiles: a.profiles, Teams: a.teams, Usage: a.usage, Devices: a.devices, Limits: a.limits, Alerts: a.alerts, Billing: a.billing,
		Notify: a.notify, Audit: log,
	}, a.clock)

	if err := a.openOperator(log); err != nil {
		return err
	}

	a.accounts.OnDelete(a.profiles.DeleteAll)
	a.accounts.CountHoldings(a.holdings)
	a.accounts.OnDelete(a.notify.ForgetAccount)
	a.accounts.OnDelete(a.backups.ForgetAccount)
	a.accounts.OnPlan(a.usage.Refit)
	a.accounts.OnPlan(a.limits.PlanChanged)
	a.accounts.OnPlan(a.billing.PlanChanged)
	a.profiles.OnPurge(a.usage.PurgeProfile) // first: the things that it counts go after
	a.profiles.OnPurge(a.limits.PurgeProfile)
	a.profiles.OnPurge(a.alerts.PurgeProfile)
	a.profiles.OnPurge(a.boards.PurgeProfile)
	a.profiles.OnPurge(a.data.PurgeProfile)
	a.profiles.OnPurge(a.devices.PurgeProfile)
	a.profiles.OnPurge(a.tokens.PurgeProfile)
	a.profiles.OnPurge(a.notify.PurgeProfile)
	a.profiles.OnPurge(a.teams.PurgeProfile)
	a.profiles.OnPurge(a.support.PurgeProfile)
	a.profiles.OnPurge(a.overview.PurgeProfile)

	a.teams.Jobs(a.jobs)
	a.tokens.Jobs(a.jobs)
	a.devices.Jobs(a.jobs)
	a.data.Jobs(a.jobs)
	a.limits.Jobs(a.jobs)
	a.alerts.Jobs(a.jobs)
	a.live.Jobs(a.jobs)
	a.boards.Jobs(a.jobs)
	a.notify.Jobs(a.jobs)
	a.billing.Jobs(a.jobs)
	a.backups.Jobs(a.jobs)
	a.stored.Jobs(a.jobs)
	a.support.Jobs(a.jobs)
	a.transfer.Jobs(a.jobs)
	a.operator.Jobs(a.jobs)
	a.jobs.Every("profile purge", time.Minute, func(ctx context.Context) error { return a.profiles.Purge(ctx, 30*time.Second) })
	a.jobs.Every("audit log purge", time.Hour, a.profiles.PurgeLog)
	a.jobs.EachNode("audit log answers", time.Minute, a.profiles.TidyLog)
	a.jobs.EachNode("session last use", 10*time.Second, a.accounts.Flush)
	a.jobs.EachNode("catalogue", time.Minute, a.versions.Reload)
	a.jobs.Every("catalogue fit", 5*time.Second, a.fitCatalogue)
	a.jobs.Every("terms that end", time.Minute, a.accounts.EndTerms)
	a.jobs.Every("account tidy", time.Hour, a.accounts.Tidy)
	a.jobs.EachNode("usage leases", time.Second, a.usage.Flush)
	a.jobs.Every("usage leases of dead nodes", time.Minute, a.usage.Reap)
	a.jobs.Every("usage ledger fold", time.Hour, a.usage.Fold)
	return a.serveRoutes()
}

// payment is how accounts pay. The server's settings are kept in the database, so that the command line, which is not given them,
// bills as the server does.
func (a *App) payment(ctx context.Context) (billing.Payment, int, error) {
	const name = "payment"
	kept, ok, err := setting(ctx, a.db, name)
	if err != nil {
		return "", 0, err
	}
	if a.settings.Payment == "" {
		if !ok {
			return billing.NoPayment, billing.DefaultDueDays, nil
		}
		payment, days, _ := strings.Cut(kept, " ")
		due, err := strconv.Atoi(days)
		if err != nil {
			return "", 0, fmt.Errorf("the database says %q of how accounts pay: start the server with --payment once", kept)
		}
		return billing.Payment(payment), due, nil
	}
	due := a.settings.PaymentDue
	if now := fmt.Sprintf("%s %d", a.settings.Payment, due); now != kept {
		if err := setSetting(ctx, a.db, name, now); err != nil {
			return "", 0, err
		}
	}
	return billing.Payment(a.settings.Payment), due, nil
}

// settleCatalogue puts the catalogue of the settings, else the one in the binary, into force where it is new; a verb beside
// a server does so only in an installation that has none yet.
func (a *App) settleCatalogue(ctx context.Context) error {
	if a.verb && a.plans.Version() > 0 {
		return nil
	}
	text, from := plan.BuiltinText(), plan.FromBuiltin
	if a.settings.Catalogue != "" {
		var err error
		if text, err = os.ReadFile(a.settings.Catalogue); err != nil {
			return fmt.Errorf("read the catalogue: %w", err)
		}
		from = plan.FromFile
	}
	if _, err := a.versions.Apply(ctx, text, from, a.accounts.PlanUsers); err != nil {
		if a.settings.Catalogue != "" {
			return fmt.Errorf("catalogue %s: %w", a.settings.Catalogue, err)
		}
		return err
	}
	return nil
}

// fitCatalogue gives accounts what the latest catalogue says.
func (a *App) fitCatalogue(ctx context.Context) error {
	return a.versions.Fit(ctx, a.accounts.OnPlans, func(ctx context.Context, acc id.Account) error {
		return a.accounts.Replan(ctx, auth.SystemCaller(), acc)
	})
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
		a.accounts, a.profiles, a.teams, a.tokens, a.usage, a.devices, a.data, a.boards, a.limits, a.alerts, a.live, a.plans, a.notify, a.billing, a.backups, a.stored, a.support, a.transfer, search.New(a.profiles, a.teams, a.tokens, a.devices), a.overview, a.operator,
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
		LogAll: a.settings.LogRequests == "all", Metrics: a.metrics, Dev: a.settings.Dev, Version: Version,
		CredentialKey: credentialKey,
	}, append(routes, later...))
	a.judgeStreams()
	a.server.Observe(a.devices.Observe)
	a.server.Observe(a.limits.Observe)
	a.server.Observe(a.support.Observe)
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
	grant, ok, err := a.profiles.Enter(ctx, who, p)
	if err != nil {
		return auth.Caller{}, err
	}
	if !ok {
		return auth.Caller{}, profile.NotFound
	}
	return who.In(p, grant), nil
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
		a.backups.Stop()
		a.operator.Stop()
		a.profiles.StopLog()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = errors.Join(a.usage.Stop(ctx), a.limits.Stop(ctx), a.tokens.Flush(ctx), a.devices.Flush(ctx), a.boards.Flush(ctx), a.accounts.Flush(ctx), a.support.Flush(ctx), a.close())
	})
	return err
}

// close releases what open took, as far as it came.
func (a *App) close() error {
	var errs []error
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	for _, c := range a.places {
		errs = append(errs, c.Close())
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
		if err := a.billing.Begin(ctx, who, acc.ID); err != nil {
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
