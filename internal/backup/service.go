package backup

import (
	"context"
	"sync"

	"paddock/internal/account"
	"paddock/internal/alert"
	"paddock/internal/audit"
	"paddock/internal/dashboard"
	"paddock/internal/data"
	"paddock/internal/device"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// Rooms are those whose records archives hold.
type Rooms struct {
	Accounts *account.Service
	Profiles *profile.Service
	Notify   *notify.Service
	Teams    *team.Service
	Tokens   *token.Service
	Usage    *usage.Service
	Devices  *device.Service
	Data     *data.Service
	Alerts   *alert.Service
	Boards   *dashboard.Service
}

// Config is what differs from server to server.
type Config struct {
	Release   string // written into archives
	Temp      string // folder for files under way, on the disk of the data; it is made when it is missing
	ImportMax int64  // bytes of an archive that POST /profile/import takes
}

// Service makes archives and profiles of archives. It is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	notify   *notify.Service
	teams    *team.Service
	tokens   *token.Service
	usage    *usage.Service
	devices  *device.Service
	data     *data.Service
	alerts   *alert.Service
	boards   *dashboard.Service
	audit    *audit.Log
	files    blob.Store
	clock    clock.Clock
	cfg      Config

	background context.Context // of imports; it ends with Stop
	stop       context.CancelFunc
	running    sync.WaitGroup
	places     chan struct{}
	cancels    sync.Map // of the imports that this process runs: id.Import → context.CancelFunc
	uploads    uploads
}

// New makes the room.
func New(db *sqldb.DB, r Rooms, log *audit.Log, files blob.Store, cfg Config, clk clock.Clock) *Service {
	background, stop := context.WithCancel(context.Background())
	return &Service{db: db, accounts: r.Accounts, profiles: r.Profiles, notify: r.Notify, teams: r.Teams, tokens: r.Tokens, usage: r.Usage, devices: r.Devices,
		data: r.Data, alerts: r.Alerts, boards: r.Boards, audit: log, files: files, clock: clk, cfg: cfg,
		background: background, stop: stop, places: make(chan struct{}, atOnce)}
}
