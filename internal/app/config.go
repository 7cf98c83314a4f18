package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"paddock/internal/account"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

// Store says where an installation keeps its things. Every verb that opens it takes these flags.
type Store struct {
	Data         string `help:"Folder for the database, files and the key." default:"./paddock-data" env:"PADDOCK_DATA" placeholder:"DIR"`
	Database     string `help:"PostgreSQL 15 or later, postgres://…; without it SQLite inside the data folder." env:"PADDOCK_DATABASE" placeholder:"URL"`
	Files        string `help:"Where files are kept: s3://bucket/prefix?endpoint=https://host; without it a folder in the data folder." env:"PADDOCK_FILES" placeholder:"URL"`
	BackupTarget string `name:"backup-target" help:"Another place for scheduled backups of profiles: a folder or s3://bucket/prefix?endpoint=https://host." env:"PADDOCK_BACKUP_TARGET" placeholder:"PLACE"`
	S3AccessKey  string `name:"s3-access-key" help:"Key for --files and --backup-target in S3; needs --s3-secret-key." env:"PADDOCK_S3_ACCESS_KEY" placeholder:"KEY"`
	S3SecretKey  string `name:"s3-secret-key" help:"Secret of the S3 key." env:"PADDOCK_S3_SECRET_KEY" placeholder:"KEY"`
	SecretKey    string `help:"Keys that seal secrets, base64, comma separated: the first seals, all open. Needed with --database; otherwise a file in the data folder." env:"PADDOCK_SECRET_KEY" placeholder:"KEYS"`
}

// Settings are the settings of serve.
type Settings struct {
	Store          `embed:""`
	Listen         string   `help:"Address to listen on." default:"127.0.0.1:8080" env:"PADDOCK_LISTEN" placeholder:"ADDR"`
	PublicURL      string   `name:"public-url" help:"How people reach this server, for links in mails. Default: http(s)://<listen>." env:"PADDOCK_PUBLIC_URL" placeholder:"URL"`
	Name           string   `help:"Name of this installation, in mails and the console." default:"Paddock" env:"PADDOCK_NAME"`
	SMTPURL        string   `name:"smtp-url" help:"Mail server, smtp://user:password@host:port or smtps://…; without it mail waits in the outbox." env:"PADDOCK_SMTP_URL" placeholder:"URL"`
	MailFrom       string   `help:"Sender of mails; needed with --smtp-url." env:"PADDOCK_MAIL_FROM" placeholder:"ADDRESS"`
	TLSCert        string   `name:"tls-cert" help:"Certificate file; needs --tls-key." env:"PADDOCK_TLS_CERT" placeholder:"FILE"`
	TLSKey         string   `name:"tls-key" help:"Key file of the certificate." env:"PADDOCK_TLS_KEY" placeholder:"FILE"`
	TrustedProxies []string `help:"Proxies whose X-Forwarded-* headers are believed." default:"127.0.0.0/8,::1/128" env:"PADDOCK_TRUSTED_PROXIES" placeholder:"CIDR"`
	Signup         string   `help:"Who may sign up: invite (only who was invited), open, closed." enum:"invite,open,closed" default:"invite" env:"PADDOCK_SIGNUP"`
	Catalogue      string   `help:"Plans, caps, rates and prices of your own (YAML)." env:"PADDOCK_CATALOGUE" placeholder:"FILE"`
	AuditKeep      string   `help:"How long audit logs are kept: a number of days, weeks, months or years." default:"6 months" env:"PADDOCK_AUDIT_KEEP" placeholder:"SPAN"`
	BackupKeep     string   `name:"backup-keep" help:"How long backups that people ask for are kept: a number of days, weeks, months or years." default:"12 months" env:"PADDOCK_BACKUP_KEEP" placeholder:"SPAN"`
	Log            string   `help:"Log as text or json." enum:"text,json" default:"text" env:"PADDOCK_LOG"`
	LogRequests    string   `name:"log-requests" help:"Which requests get a line in the log: failed (refused, failed, or a second and longer) or all." enum:"failed,all" default:"failed" env:"PADDOCK_LOG_REQUESTS"`
	Migrate        bool     `help:"On PostgreSQL, bring a database of an earlier release up to date." env:"PADDOCK_MIGRATE"`
	SessionIdle    Span     `help:"How long a browser stays signed in without a request." default:"3h" env:"PADDOCK_SESSION_IDLE" placeholder:"TIME"`
	SessionMax     Span     `help:"How long a browser stays signed in at most." default:"24h" env:"PADDOCK_SESSION_MAX" placeholder:"TIME"`
	ProfileGrace   Grace    `name:"profile-grace" help:"How long a deleted profile can be restored; 0 deletes for good at once." default:"7d" env:"PADDOCK_PROFILE_GRACE" placeholder:"TIME"`
	Payment        string   `help:"How accounts pay for plans that cost something: none (costs are shown, nothing is asked for) or manual (invoices, which an operator marks paid)." enum:"none,manual" default:"none" env:"PADDOCK_PAYMENT"`
	PaymentDue     int      `name:"payment-due" help:"Days between an invoice and its due date, with --payment manual; 0 for due at once." default:"14" env:"PADDOCK_PAYMENT_DUE" placeholder:"DAYS"`
	Transfer       string   `help:"When a profile changes hands: self-service (acceptance is enough) or review (an operator approves each)." enum:"self-service,review" default:"self-service" env:"PADDOCK_TRANSFER"`
	OperatorAccess string   `name:"operator-access" help:"May operators look into profiles of others: never, ask (the owner allows each look) or logged (at once, with a reason; the owner is told)." enum:"never,ask,logged" default:"logged" env:"PADDOCK_OPERATOR_ACCESS"`
	WebhookPrivate bool     `name:"webhook-private" help:"Let webhooks lead into private networks and to this machine, and use http." env:"PADDOCK_WEBHOOK_PRIVATE"`
	ImportMax      string   `name:"import-max" help:"How large an archive of a profile may be that is sent to be imported, such as 500MB or 2GB." default:"2GB" env:"PADDOCK_IMPORT_MAX" placeholder:"SIZE"`
	Verify         string   `help:"How often the server recounts by itself what is stored and compares it with what was metered, in the small hours: daily, weekly (Sundays) or never." enum:"daily,weekly,never" default:"daily" env:"PADDOCK_VERIFY"`
	Dev            bool     `help:"Serve the console's development server from http://127.0.0.1:5173." env:"PADDOCK_DEV"`

	// Sources tell where the value of each setting comes from, by its flag: see sourcesOf. Empty when no command line was read.
	Sources map[string]string `kong:"-"`
}

// Check fails on settings that are half set or do not parse, naming the flag.
func (s *Settings) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := s.Store.Check(); err != nil {
		errs = append(errs, err)
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		bad("--tls-cert and --tls-key go together: one of them is missing")
	}
	if s.SMTPURL != "" {
		u, err := url.Parse(s.SMTPURL)
		if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Host == "" {
			bad("--smtp-url: write smtp://user:password@host:port")
		}
		if s.MailFrom == "" {
			bad("--mail-from: needed with --smtp-url")
		}
	} else if s.MailFrom != "" {
		bad("--smtp-url: needed with --mail-from")
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			bad("--public-url: write http://host or https://host, without a path")
		}
	}
	if !keepSpan.MatchString(s.auditSpan()) || s.auditKeep(time.Now()).Before(time.Now().AddDate(-20, 0, -1)) {
		bad("--audit-keep: write a number of days, weeks, months or years, up to 20 years, such as %q", profile.DefaultKeep)
	}
	if _, err := s.backupUntil(time.Now()); err != nil {
		errs = append(errs, err)
	}
	if s.PaymentDue < 0 || s.PaymentDue > 365 {
		bad("--payment-due: must be from 0 to 365 days")
	}
	if _, err := parseSize(s.ImportMax); err != nil {
		bad("--import-max: %v", err)
	}
	if _, err := s.proxies(); err != nil {
		errs = append(errs, err)
	}
	if idle, most := s.SessionIdle.or(account.DefaultSessionIdle), s.SessionMax.or(account.DefaultSessionMax); idle > most {
		bad("--session-idle: %v is longer than --session-max (%v)", idle, most)
	}
	return errors.Join(errs...)
}

var keepSpan = regexp.MustCompile(`^[1-9][0-9]{0,3} ?(day|week|month|year)s?$`)

// auditSpan is --audit-keep, or its default in tests, which do not come by the command line.
func (s *Settings) auditSpan() string {
	return cmp.Or(strings.TrimSpace(s.AuditKeep), profile.DefaultKeep)
}

// defaultImportMax is --import-max in tests, which do not come by the command line.
const defaultImportMax = "2GB"

func (s *Settings) importMax() int64 {
	n, err := parseSize(cmp.Or(s.ImportMax, defaultImportMax))
	if err != nil { // Check has refused it
		return 0
	}
	return n
}

var sizeText = regexp.MustCompile(`^([0-9]{1,6}) ?(MB|GB)$`)

// parseSize reads a number of bytes such as 500MB; nothing is 0.
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	m := sizeText.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil {
		return 0, errors.New("write a number of MB or GB, such as 500MB or 2GB")
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	if m[2] == "GB" {
		n *= 1000
	}
	return n * 1_000_000, nil
}

// auditKeep is the instant before which audit logs are forgotten.
func (s *Settings) auditKeep(now time.Time) time.Time {
	t, err := web.ParseTime(s.auditSpan(), now, nil)
	if err != nil { // Check has refused it
		return time.Time{}
	}
	return t
}

// Span is a length of time of a setting, from a minute to 90 days; the zero Span is one that nobody set.
type Span time.Duration

const (
	minSpan = time.Minute
	maxSpan = 90 * 24 * time.Hour
)

// UnmarshalText reads "90m", "3h" or "24h". It fails for what is no time or out of bounds.
func (d *Span) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time such as 90m or 3h", text)
	}
	if v < minSpan || v > maxSpan {
		return fmt.Errorf("%s must be from 1m to %dh", text, int(maxSpan.Hours()))
	}
	*d = Span(v)
	return nil
}

func (d Span) String() string { return shortDuration(time.Duration(d)) }

// shortDuration is a length of time as people write it: 90m, 3h.
func shortDuration(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func (d Span) or(def time.Duration) Span {
	if d == 0 {
		return Span(def)
	}
	return d
}

// Grace is a length of time of a setting that may be none: up to 90 days. The zero Grace is one that nobody set.
type Grace time.Duration

const noGrace = Grace(-1)

// UnmarshalText reads "7d", "36h" or "0". It fails for what is no time or out of bounds.
func (g *Grace) UnmarshalText(text []byte) error {
	var v time.Duration
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 1000 {
			return fmt.Errorf("%q is not a time such as 7d or 36h", text)
		}
		v = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if v, err = time.ParseDuration(string(text)); err != nil {
			return fmt.Errorf("%q is not a time such as 7d or 36h", text)
		}
	}
	if v != 0 && (v < minSpan || v > maxSpan) {
		return fmt.Errorf("%s must be 0, or from 1m to %dd", text, int(maxSpan.Hours()/24))
	}
	*g = Grace(v)
	if v == 0 {
		*g = noGrace
	}
	return nil
}

func (g Grace) String() string {
	switch d := time.Duration(g); {
	case g == noGrace:
		return "0"
	case d > 0 && d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	default:
		return shortDuration(d)
	}
}

// span is how long that is.
func (g Grace) span() time.Duration {
	switch g {
	case 0: // in tests, which do not come by the command line
		return profile.DefaultGrace
	case noGrace:
		return 0
	}
	return time.Duration(g)
}

func (s *Settings) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, p := range s.TrustedProxies {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		n, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: %q is not a network such as 10.0.0.0/8", p)
		}
		out = append(out, n)
	}
	return out, nil
}

// publicURL is where links lead, without a slash at the end.
func (s *Settings) publicURL() string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	if s.TLSCert != "" {
		return "https://" + s.Listen
	}
	return "http://" + s.Listen
}

// Check fails when the store is half set.
func (s *Store) Check() error { return errors.Join(s.checkDatabase(), s.checkPlaces()) }

func (s *Store) checkDatabase() error {
	if s.Database == "" {
		return nil
	}
	if err := s.checkURL(); err != nil {
		return err
	}
	if s.SecretKey == "" {
		return errors.New("--secret-key (PADDOCK_SECRET_KEY): needed with --database, since every node must hold the same; make one with: openssl rand -base64 32")
	}
	return nil
}

func (s *Store) checkURL() error {
	if u, err := url.Parse(s.Database); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("--database: write postgres://user:password@host:port/name")
	}
	return nil
}

// checkPlaces looks at where files and backups go.
func (s *Store) checkPlaces() error {
	var errs []error
	if (s.S3AccessKey == "") != (s.S3SecretKey == "") {
		errs = append(errs, errors.New("--s3-access-key and --s3-secret-key go together: one of them is missing"))
	}
	for _, f := range []struct{ name, value string }{{"files", s.Files}, {"backup-target", s.BackupTarget}} {
		if f.value == "" {
			continue
		}
		w, err := blob.ParseWhere(f.value)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("--%s: %w", f.name, err))
		case w.Folder == "" && s.S3AccessKey == "":
			errs = append(errs, fmt.Errorf("--s3-access-key and --s3-secret-key (PADDOCK_S3_ACCESS_KEY, PADDOCK_S3_SECRET_KEY): needed with S3 in --%s", f.name))
		case w.Folder != "" && f.name == "files":
			errs = append(errs, errors.New("--files: write s3://bucket/prefix?endpoint=https://host; without it files are in the data folder"))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) url() string {
	if s.Database != "" {
		return s.Database
	}
	return "sqlite:" + filepath.Join(s.Data, "paddock.db")
}

func (s *Store) keyFile() string { return filepath.Join(s.Data, "secret.key") }

// printConfig writes each setting with its value and where it came from.
func printConfig(w io.Writer, k *kong.Context) {
	sources := sourcesOf(k)
	for _, f := range k.Flags() {
		source, ok := sources[f.Name]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%-16s %-44s %s\n", f.Name, hide(f.Name, valueText(k.FlagValue(f))), source)
	}
}

func valueText(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v)
}
