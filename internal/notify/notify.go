package notify

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "notify", FS: migrations} }

const tenant = "notify" // whose turn the work of jobs takes

// Config is what the installation says about itself.
type Config struct {
	Name           string       // of the installation
	PublicURL      string       // where links lead, without a slash at the end
	PrivateWebhook bool         // webhooks may lead into private networks and to this machine, and use http
	Log            *slog.Logger // slog.Default() when nil
}

// Service tells people things. Make it with New; it is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	audit    *audit.Log
	mail     *mail.Mailer
	sealer   *seal.Sealer
	clock    clock.Clock
	log      *slog.Logger
	cfg      Config
	client   *http.Client

	audience func(ctx context.Context, p id.Profile) ([]id.Account, error)
	buttons  map[Type]ButtonFunc
	byRef    map[string]ButtonFunc // by the beginning of Ref
	onNotice []func(n Notification)

	trialMu sync.Mutex
	trials  map[id.Account]int64 // when an account last tried its channels
}

// ButtonFunc does what a pressed button stands for, inside the transaction that disables it; an error undoes both.
type ButtonFunc func(ctx context.Context, who auth.Caller, n Notification, b Button) error

// New makes the service.
func New(db *sqldb.DB, accounts *account.Service, profiles *profile.Service, log *audit.Log, mailer *mail.Mailer, sealer *seal.Sealer, cfg Config, clk clock.Clock) *Service {
	s := &Service{db: db, accounts: accounts, profiles: profiles, audit: log, mail: mailer, sealer: sealer, clock: clk, log: cfg.Log, cfg: cfg,
		buttons: map[Type]ButtonFunc{}, byRef: map[string]ButtonFunc{}, trials: map[id.Account]int64{}}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.client = newClient(cfg.PrivateWebhook)
	s.audience = func(ctx context.Context, p id.Profile) ([]id.Account, error) {
		pr, err := profiles.Get(ctx, p)
		return []id.Account{pr.Account}, err
	}
	mailer.OnOutcome(s.mailed)
	profiles.OnHandover(s.handedOver)
	return s
}

// SetAudience registers who is told what happens in a profile; before the server starts. Without it that is the owner.
func (s *Service) SetAudience(f func(ctx context.Context, p id.Profile) ([]id.Account, error)) {
	s.audience = f
}

// OnButton registers what the buttons of a type of notification do; before the server starts.
func (s *Service) OnButton(t Type, f ButtonFunc) { s.buttons[t] = f }

// OnButtonOf registers what the buttons of notifications do whose Ref begins with a word and a slash, whatever their type;
// before the server starts.
func (s *Service) OnButtonOf(word string, f ButtonFunc) { s.byRef[word] = f }

// OnNotice registers who hears of new notifications when they are committed; before the server starts.
func (s *Service) OnNotice(f func(n Notification)) { s.onNotice = append(s.onNotice, f) }

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.EachNode("webhooks", time.Second, func(ctx context.Context) error { _, err := s.Deliver(ctx); return err })
	r.Every("old notifications", time.Hour, s.Tidy)
}

// Tidy removes notifications that nobody read for two weeks, those read of three months ago, and deliveries of a month
// ago.
func (s *Service) Tidy(ctx context.Context) error {
	ctx = sqldb.Cost(sqldb.As(ctx, tenant), 200)
	now := s.now()
	for _, slice := range []func(context.Context) (int64, error){
		func(ctx context.Context) (int64, error) { return s.dropIgnored(ctx, now-ignoredFor.Milliseconds()) },
		func(ctx context.Context) (int64, error) { return s.dropRead(ctx, now-readFor.Milliseconds()) },
		func(ctx context.Context) (int64, error) { return s.dropDeliveries(ctx, now-historyFor.Milliseconds()) },
	} {
		for {
			if n, err := slice(ctx); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
	}
	return nil
}

// ForgetAccount deletes what a deleted account left, inside the transaction that deletes it. It is an account.Hook.
func (s *Service) ForgetAccount(ctx context.Context, _ auth.Caller, a id.Account) error {
	for _, q := range []string{
		`DELETE FROM notification WHERE account = $1`,
		`DELETE FROM notification_lost WHERE account = $1`,
		`DELETE FROM notify_choice WHERE account = $1`,
		`DELETE FROM delivery WHERE profile_id = '' AND account = $1`,
	} {
		if _, err := s.db.Exec(ctx, q, a); err != nil {
			return err
		}
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM webhook WHERE subject = $1`, ofAccount(a)); err != nil {
		return err
	}
	return s.forgetAside(ctx, "", a)
}

// PurgeProfile deletes a slice of what a deleted profile left; done says that nothing is left. It is a
// profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	const slice = 1000
	left := int64(0)
	for _, q := range []string{
		`DELETE FROM delivery WHERE profile_id = $1 AND id IN (SELECT id FROM delivery WHERE profile_id = $2 LIMIT $3)`,
		`DELETE FROM notification WHERE profile = $1 AND id IN (SELECT id FROM notification WHERE profile = $2 LIMIT $3)`,
		`DELETE FROM notify_choice WHERE profile = $1 AND account IN (SELECT account FROM notify_choice WHERE profile = $2 LIMIT $3)`,
	} {
		n, err := s.db.Exec(sqldb.As(ctx, p.ID), q, p.ID, p.ID, int64(slice))
		if err != nil {
			return false, err
		}
		left = max(left, n)
	}
	if _, err := s.db.Exec(sqldb.As(ctx, p.ID), `DELETE FROM webhook WHERE subject = $1`, ofProfile(p.ID)); err != nil {
		return false, err
	}
	return left < slice, s.forgetAside(ctx, p.ID, "")
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// line makes any text one line of at most most characters: a name in a letter must not look like another paragraph.
func line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most-1]) + "…"
	}
	return text
}
