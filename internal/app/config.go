package app

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
)

// Store says where an installation keeps its things. Every verb that opens it takes these flags.
type Store struct {
	Data      string `help:"Folder for the database, files and the key." default:"./paddock-data" env:"PADDOCK_DATA" placeholder:"DIR"`
	Database  string `help:"PostgreSQL 15 or later, postgres://…; without it SQLite inside the data folder." env:"PADDOCK_DATABASE" placeholder:"URL"`
	SecretKey string `help:"Keys that seal secrets, base64, comma separated: the first seals, all open. Needed with --database; otherwise a file in the data folder." env:"PADDOCK_SECRET_KEY" placeholder:"KEYS"`
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
	Log            string   `help:"Log as text or json." enum:"text,json" default:"text" env:"PADDOCK_LOG"`
	Migrate        bool     `help:"On PostgreSQL, bring a database of an earlier release up to date." env:"PADDOCK_MIGRATE"`
	Dev            bool     `help:"Serve the console's development server from http://127.0.0.1:5173." env:"PADDOCK_DEV"`
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
	if _, err := s.proxies(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
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
func (s *Store) Check() error {
	if s.Database == "" {
		return nil
	}
	if u, err := url.Parse(s.Database); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("--database: write postgres://user:password@host:port/name")
	}
	if s.SecretKey == "" {
		return errors.New("--secret-key (PADDOCK_SECRET_KEY): needed with --database, since every node must hold the same; make one with: openssl rand -base64 32")
	}
	return nil
}

func (s *Store) url() string {
	if s.Database != "" {
		return s.Database
	}
	return "sqlite:" + filepath.Join(s.Data, "paddock.db")
}

func (s *Store) keyFile() string { return filepath.Join(s.Data, "secret.key") }

// secretFlags are never printed.
var secretFlags = map[string]bool{"secret-key": true}

// hide removes what must not be printed from a setting's value.
func hide(name, value string) string {
	if value == "" {
		return ""
	}
	if secretFlags[name] {
		return "(set)"
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}

// printConfig writes each setting with its value and where it came from.
func printConfig(w io.Writer, k *kong.Context) {
	given := map[string]bool{}
	for _, p := range k.Path {
		if p.Flag != nil {
			given[p.Flag.Name] = true
		}
	}
	for _, f := range k.Flags() {
		if len(f.Envs) == 0 {
			continue
		}
		source := "default"
		for _, e := range f.Envs {
			if _, ok := os.LookupEnv(e); ok {
				source = e
			}
		}
		if given[f.Name] {
			source = "--" + f.Name
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
