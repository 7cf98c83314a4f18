package backup

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

// Status is where a backup stands. The words are TagoIO's.
type Status string

const (
	BackupQueued     Status = "queued"
	BackupProcessing Status = "processing"
	BackupCompleted  Status = "completed"
	BackupFailed     Status = "failed"
	backupDeleted    Status = "deleted" // shown to nobody; it still counts for its day
)

// Origin is why a backup was made.
type Origin string

const (
	ByRequest  Origin = "request"
	BySchedule Origin = "schedule"
)

// Target is where the archive of a backup is kept.
type Target string

const (
	OnServer Target = "server"   // with the installation's other files
	External Target = "external" // where --backup-target leads
)

// Backup is an archive of a profile that the server keeps, or is about to make.
type Backup struct {
	Profile    id.Profile
	ID         id.Backup
	Status     Status
	Origin     Origin
	Data       bool // with the points of devices
	Encrypted  bool
	Target     Target
	File       string // the key of the archive in its target
	Size       int64  // in bytes, once completed
	SHA256     string // of the file, in hex, once completed
	Done       int64  // of Total, while it is made
	Total      int64  // 0 until known
	Attempts   int64
	Reason     string // of a failure, for people
	Node       string // that makes it, until HeldUntil; or holds its passphrase
	HeldUntil  int64
	Account    id.Account // who owned the profile when it began
	By         id.Account // who asked for it; "" for a schedule
	CreatedAt  int64
	StartedAt  int64
	FinishedAt int64
	ExpiresAt  int64
}

// BackupsConfig says where backups go and how long they stay.
type BackupsConfig struct {
	Files    blob.Store                     // the installation's own
	External blob.Store                     // nil: there is no other place
	Kind     string                         // of the external one, for people: "folder" or "s3"
	Until    func(from time.Time) time.Time // when a backup that was asked for on an instant expires; nil: 12 months later
	Log      *slog.Logger                   // slog.Default() when nil
}

// Backups makes backups of profiles, keeps them and hands them out. Make it with NewBackups; it is safe for
// concurrent use.
type Backups struct {
	db       *sqldb.DB
	archives *Service
	accounts *account.Service
	profiles *profile.Service
	notify   *notify.Service
	audit    *audit.Log
	sealer   *seal.Sealer
	clock    clock.Clock
	cfg      BackupsConfig
	log      *slog.Logger
	node     string // this process, among those that make backups

	mu      sync.Mutex
	secrets map[id.Backup]string     // passphrases of backups that wait here; nowhere else
	served  map[id.Account]time.Time // when this node last began a backup for an account
}

// NewBackups makes the part of the room that keeps backups; archives makes what is in them.
func NewBackups(db *sqldb.DB, archives *Service, accounts *account.Service, profiles *profile.Service, tell *notify.Service, log *audit.Log, sealer *seal.Sealer,
	cfg BackupsConfig, clk clock.Clock) *Backups {
	b := &Backups{db: db, archives: archives, accounts: accounts, profiles: profiles, notify: tell, audit: log, sealer: sealer, clock: clk, cfg: cfg, log: cfg.Log,
		node: rand.Text(), secrets: map[id.Backup]string{}, served: map[id.Account]time.Time{}}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.cfg.Until == nil {
		b.cfg.Until = func(from time.Time) time.Time { return from.AddDate(1, 0, 0) }
	}
	profiles.OnPurge(b.purgeProfile)
	return b
}

// Routes are those of backups, their links and schedules.
func (b *Backups) Routes() []web.Route { return b.routes() }

// Jobs names the periodic work.
func (b *Backups) Jobs(r *job.Runner) {
	r.EachNode("profile backups", time.Second, b.Work)
	r.Every("backup schedules", 10*time.Second, b.Schedule)
	r.Every("old backups", time.Minute, b.Tidy)
}

func (b *Backups) now() int64 { return clock.Millis(b.clock.Now()) }

// store is where a target's files are; nil when this server has no such place any more.
func (b *Backups) store(t Target) blob.Store {
	if t == External {
		return b.cfg.External
	}
	return b.cfg.Files
}

// zone is the time zone of a profile's owner.
func (b *Backups) zone(ctx context.Context, owner id.Account) (*time.Location, error) {
	a, err := b.accounts.Get(ctx, owner)
	if err != nil {
		return nil, err
	}
	return a.Location(), nil
}
