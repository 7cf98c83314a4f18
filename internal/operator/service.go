package operator

import (
	"context"
	"embed"
	"log/slog"
	"sync"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/backup"
	"paddock/internal/billing"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/limit"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/support"
	"paddock/internal/transfer"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "operator", FS: migrations} }

// Rooms are those that the operator's pages are gathered from.
type Rooms struct {
	Accounts *account.Service
	Plans    *plan.Catalogue
	Profiles *profile.Service
	Limits   *limit.Service
	Billing  *billing.Service
	Backups  *backup.Backups
	Support  *support.Service
	Transfer *transfer.Service
	Audit    *audit.Log
	Mail     *mail.Mailer
}

// Told hears how far a verification has come: the step it is at, and how much of all is done.
type Told func(step string, done, total int64)

// Schedule says how often a verification runs by itself.
type Schedule string

// The schedules. Both begin in the first hours after three o'clock by the server's clock, weekly on Sundays.
const (
	Daily  Schedule = "daily"
	Weekly Schedule = "weekly"
	Never  Schedule = "never"
)

// Key is the key that seals secrets, as far as anybody may know.
type Key struct {
	ID     string // its fingerprint
	Others int    // further keys, which open only
	From   string // where it is given: a file, or PADDOCK_SECRET_KEY
	Since  int64  // when this server first saw it, UTC milliseconds; 0 when that was before it took notes
}

// Server is what only the process knows.
type Server struct {
	Name     string
	Version  string
	Started  time.Time
	Data     string // the data folder
	Files    string // the folder of files; "" when they are elsewhere
	Place    string // where else, without secrets
	Key      func(ctx context.Context) (Key, error)
	Settings []Setting
	Verify   func(ctx context.Context, told Told) (findings []string, checked string, err error)
	Schedule Schedule // Daily when empty
	Review   bool     // transfers wait for an operator
	Log      *slog.Logger
}

// Service gathers what operators see. It is safe for concurrent use.
type Service struct {
	db    *sqldb.DB
	rooms Rooms
	cfg   Server
	clock clock.Clock

	stop    context.CancelFunc
	running context.Context
	work    sync.WaitGroup
}

// New makes the room.
func New(db *sqldb.DB, rooms Rooms, cfg Server, clk clock.Clock) *Service {
	if cfg.Schedule == "" {
		cfg.Schedule = Daily
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Service{db: db, rooms: rooms, cfg: cfg, clock: clk}
	s.running, s.stop = context.WithCancel(context.Background())
	return s
}

// Stop ends a verification that this process runs and waits for it.
func (s *Service) Stop() {
	s.stop()
	s.work.Wait()
}

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.Every("disk sample", time.Hour, s.Sample)
	r.Every("verification", 10*time.Minute, s.VerifyWhenDue)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// operator refuses every session but those of operators.
func operator(who auth.Caller) error {
	if !who.Operator || who.Kind != auth.Session {
		return auth.LacksOperator()
	}
	return nil
}

// record leaves an event of what an operator did to the server.
func (s *Service) record(ctx context.Context, who auth.Caller, resource, ref, message string) error {
	return s.rooms.Audit.Write(ctx, who, audit.Event{Account: who.AccountID, Resource: resource, ResourceID: ref, Message: message})
}

// as is the caller for the audit log of another account.
func as(who auth.Caller, a id.Account) auth.Caller {
	if who.AccountID != a {
		who.Kind = audit.Operator
	}
	return who
}

// Routes are those of this room.
func (s *Service) Routes() []web.Route {
	tags := web.Tags("operator")
	return []web.Route{
		web.Handle("GET /operator", "How the server stands, and what needs a hand. For operators, signed in.", auth.SessionOnly, s.getHome, tags),
		web.Handle("POST /operator/mail", "Sends a test mail to the caller at once, and tells what the mail server said. For operators, signed in.", auth.SessionOnly, s.postMail, tags),
		web.Handle("GET /operator/verify", "The verification that runs, and the last ones. For operators, signed in.", auth.SessionOnly, s.getVerify, tags),
		web.Handle("POST /operator/verify", "Begins a verification in the background. For operators, signed in.", auth.SessionOnly, s.postVerify, tags, web.Status(201)),
		web.Handle("GET /operator/settings", "Every setting of the server with its value, where it comes from and what it means; no secrets. For operators, signed in.", auth.SessionOnly, s.getSettings, tags),
		web.Handle("GET /operator/accounts", "Lists accounts. For operators, signed in.", auth.SessionOnly, s.getAccounts, tags),
		web.Handle("GET /operator/accounts/{id}", "An account with its profiles and limits. For operators, signed in.", auth.SessionOnly, s.getAccount, tags),
		web.Handle("POST /operator/accounts/{id}/block", "Bars an account from signing in, ends its sessions and stops its tokens. For operators, signed in.", auth.SessionOnly, s.postBlock, tags),
		web.Handle("POST /operator/accounts/{id}/unblock", "Lets a blocked account in again. For operators, signed in.", auth.SessionOnly, s.postUnblock, tags),
		web.Handle("POST /operator/accounts/{id}/unlock", "Forgets wrong passwords and codes, so that the person may try again at once. For operators, signed in.", auth.SessionOnly, s.postUnlock, tags),
		web.Handle("POST /operator/accounts/{id}/reset", "Mails the person a link that sets a new password. For operators, signed in.", auth.SessionOnly, s.postReset, tags),
	}
}
