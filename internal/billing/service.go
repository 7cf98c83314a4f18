package billing

import (
	"log/slog"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// Pages of the console that notices of this room lead to.
const (
	costPage         = "/cost"
	invoicePage      = "/cost/invoices"
	subscriptionPage = "/cost/subscription"
)

// Config is what the settings say about billing.
type Config struct {
	PublicURL string  // of the console, for links in notices
	Name      string  // of the installation
	Payment   Payment // NoPayment when empty
	DueDays   int     // between an invoice and its due date; 0 for due at once
	Log       *slog.Logger
}

// Service says what everything costs. It is safe for concurrent use. Make it with New.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	plans    *plan.Catalogue
	profiles *profile.Service
	usage    *usage.Service
	notify   *notify.Service
	audit    *audit.Log
	config   Config
	log      *slog.Logger
	clock    clock.Clock
	checking chan struct{} // one for each cost that is being checked; see cost_check.go
}

// New makes the room.
func New(db *sqldb.DB, accounts *account.Service, plans *plan.Catalogue, profiles *profile.Service, use *usage.Service, tell *notify.Service,
	log *audit.Log, c Config, clk clock.Clock) *Service {
	s := &Service{db: db, accounts: accounts, plans: plans, profiles: profiles, usage: use, notify: tell, audit: log, config: c, log: c.Log, clock: clk,
		checking: make(chan struct{}, 2)}
	if s.log == nil {
		s.log = slog.Default()
	}
	accounts.OnDelete(s.forget)
	s.subscribe()
	s.budgets()
	s.statementHooks()
	return s
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// Routes are those of this room.
func (s *Service) Routes() []web.Route {
	var out []web.Route
	out = append(out, s.costRoutes()...)
	out = append(out, s.subscriptionRoutes()...)
	out = append(out, s.paymentRoutes()...)
	out = append(out, s.invoiceRoutes()...)
	out = append(out, s.operatorRoutes()...)
	out = append(out, s.budgetRoutes()...)
	out = append(out, s.simulateRoutes()...)
	out = append(out, s.cardRoutes()...)
	out = append(out, s.statementRoutes()...)
	return out
}

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	s.costJobs(r)
	s.subscriptionJobs(r)
	s.budgetJobs(r)
	s.statementJobs(r)
}
