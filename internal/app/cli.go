package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/token"
)

// cli is the command line: one field a verb.
type cli struct {
	Serve     serveCmd     `cmd:"" help:"Serve console and API."`
	Account   accountCmd   `cmd:"" help:"Make and care for accounts, also beside a running server."`
	Token     tokenCmd     `cmd:"" help:"Make tokens."`
	Profile   profileCmd   `cmd:"" help:"Export a profile to an archive, import one, copy one; also beside a running server."`
	SetupLink setupLinkCmd `cmd:"" help:"Print a one-time link to make the first account with."`
	Demo      demoCmd      `cmd:"" help:"Fill an empty installation with believable sample data and print who can sign in."`
	Catalogue catalogueCmd `cmd:"" help:"Check, apply and look at catalogues of plans and prices, also beside a running server."`
	Verify    verifyCmd    `cmd:"" help:"Recount what is stored and compare it with what was metered, also beside a running server."`
	Backup    backupCmd    `cmd:"" help:"Back up the whole server into a folder: database, files and key, beside a running server."`
	Restore   restoreCmd   `cmd:"" help:"Verify a backup and restore it into an empty data folder."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database up to date."`
	Config    configCmd    `cmd:"" help:"Print the effective settings of serve and where each comes from; fail when they are half set."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
	OpenAPI   openapiCmd   `cmd:"" name:"openapi" hidden:"" help:"Print the OpenAPI document."`
}

// streams are what a verb reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line and returns the exit code: 0, 1 for a failure, 2 for wrong usage.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	exit := -1
	k, err := kong.New(&c, kong.Name("paddock"), kong.Writers(out, errOut), kong.Exit(func(code int) { exit = code }),
		kong.Description("A self-hosted home for many IoT applications."), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(errOut, "paddock:", err)
		return 1
	}
	parsed, err := k.Parse(args)
	if exit >= 0 { // help was asked for
		return exit
	}
	if err != nil {
		fmt.Fprintln(errOut, "paddock:", err)
		return 2
	}
	ctx := context.Background()
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(streams{in, out, errOut}, parsed); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(errOut, "paddock:", sentence(err))
		}
		return 1
	}
	return 0
}

// errSaid is a failure whose reason has been printed.
var errSaid = errors.New("said")

// sentence is what a person at the terminal reads of an error: a fault's message, with its cause when ours.
func sentence(err error) string {
	f := fault.Of(err)
	if f.Code == fault.Internal {
		return err.Error()
	}
	return f.Error()
}

type serveCmd struct {
	Settings `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, s streams, k *kong.Context) error {
	c.Sources = sourcesOf(k)
	return Serve(ctx, c.Settings, s.out)
}

// with opens the installation of a store for one verb. Warnings go to standard error.
func with(ctx context.Context, st Store, s streams, f func(a *App) error) error {
	return withClock(ctx, st, s, nil, f)
}

// withClock is with on another clock than the machine's.
func withClock(ctx context.Context, st Store, s streams, clk clock.Clock, f func(a *App) error) error {
	settings := Settings{Store: st, Listen: "127.0.0.1:8080", Name: "Paddock", Signup: "invite", Log: "text",
		PublicURL: os.Getenv("PADDOCK_PUBLIC_URL"), SMTPURL: os.Getenv("PADDOCK_SMTP_URL"), MailFrom: os.Getenv("PADDOCK_MAIL_FROM"),
		Catalogue: os.Getenv("PADDOCK_CATALOGUE")}
	if v := os.Getenv("PADDOCK_LISTEN"); v != "" {
		settings.Listen = v
	}
	if v := os.Getenv("PADDOCK_NAME"); v != "" {
		settings.Name = v
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := Open(ctx, settings, Options{Log: log, Verb: true, Clock: clk})
	if err != nil {
		return err
	}
	return errors.Join(f(a), a.Close())
}

type accountCmd struct {
	Create   accountCreateCmd   `cmd:"" help:"Make an account with its first profile; prints one line of JSON. The first account is operator."`
	List     accountListCmd     `cmd:"" help:"List accounts."`
	Set      accountSetCmd      `cmd:"" help:"Change an account."`
	Password accountPasswordCmd `cmd:"" help:"Set a password, read from standard input; ends the account's sessions."`
	Unlock   accountUnlockCmd   `cmd:"" help:"Forget wrong passwords and codes, so that the person may try again at once."`
	Reset2FA accountReset2FACmd `cmd:"" name:"reset-2fa" help:"Take the second factor off an account whose owner lost it; ends its sessions."`
	Operator accountOperatorCmd `cmd:"" help:"Make an account operator of this installation, or take it back."`
}

type accountCreateCmd struct {
	Store         `embed:""`
	Name          string `required:"" help:"Name of the person or firm."`
	Email         string `required:"" help:"E-mail to sign in with."`
	Plan          string `help:"Plan of the catalogue." default:"house"`
	Timezone      string `help:"Time zone, such as Europe/Berlin." default:"UTC"`
	PasswordStdin bool   `required:"" name:"password-stdin" help:"Read the password from standard input."`
}

func (c *accountCreateCmd) Run(ctx context.Context, s streams) error {
	password, err := readPassword(s.in)
	if err != nil {
		return err
	}
	return with(ctx, c.Store, s, func(a *App) error {
		made, err := a.CreateAccount(ctx, auth.SystemCaller(), NewAccount{
			CreateInput: account.CreateInput{Name: c.Name, Email: c.Email, Password: password, Timezone: c.Timezone}, Plan: c.Plan,
		})
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(made)
	})
}

// readPassword takes the first line.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("no password on standard input")
	}
	return line, nil
}

type accountListCmd struct {
	Store `embed:""`
	JSON  bool `name:"json" help:"One JSON object a line."`
}

func (c *accountListCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		list, err := a.accounts.List(ctx)
		if err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintf(s.out, "%-24s  %-32s  %-24s  %-8s  %-8s  %s\n", "ID", "E-MAIL", "NAME", "PLAN", "PROFILES", "NOTES")
		}
		for _, acc := range list {
			profiles, err := a.profiles.List(ctx, acc.ID)
			if err != nil {
				return err
			}
			if c.JSON {
				err = json.NewEncoder(s.out).Encode(map[string]any{"id": acc.ID, "email": acc.Email, "name": acc.Name, "plan": acc.Plan,
					"profiles": len(profiles), "operator": acc.Operator, "blocked": acc.Blocked, "active": acc.Active, "created_at": web.Time(acc.CreatedAt)})
				if err != nil {
					return err
				}
				continue
			}
			var notes []string
			for _, note := range []struct {
				on   bool
				text string
			}{{acc.Operator, "operator"}, {acc.Blocked, "blocked"}, {!acc.Active, "not confirmed"}, {acc.Factor, "second factor"}} {
				if note.on {
					notes = append(notes, note.text)
				}
			}
			fmt.Fprintf(s.out, "%-24s  %-32s  %-24s  %-8s  %-8d  %s\n", acc.ID, acc.Email, acc.Name, acc.Plan, len(profiles), strings.Join(notes, ", "))
		}
		return nil
	})
}

type accountSetCmd struct {
	Store   `embed:""`
	Email   string  `arg:"" help:"E-mail of the account."`
	Plan    *string `help:"Plan of the catalogue."`
	Blocked *bool   `negatable:"" help:"Whether the account may sign in and its tokens work."`
}

func (c *accountSetCmd) Run(ctx context.Context, s streams) error {
	if c.Plan == nil && c.Blocked == nil {
		return errors.New("nothing to set: give --plan, --blocked or --no-blocked")
	}
	return with(ctx, c.Store, s, func(a *App) error {
		if c.Plan != nil {
			acc, err := a.accounts.ByEmail(ctx, c.Email)
			if err != nil {
				return err
			}
			if _, err := a.billing.SetPlan(ctx, auth.SystemCaller(), acc.ID, *c.Plan, true, ""); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s is on plan %s\n", acc.Email, *c.Plan)
		}
		if c.Blocked != nil {
			acc, err := a.accounts.SetBlocked(ctx, auth.SystemCaller(), c.Email, *c.Blocked)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s is %s\n", acc.Email, map[bool]string{true: "blocked", false: "not blocked"}[*c.Blocked])
		}
		return nil
	})
}

type accountPasswordCmd struct {
	Store `embed:""`
	Email string `arg:"" help:"E-mail of the account."`
}

func (c *accountPasswordCmd) Run(ctx context.Context, s streams) error {
	password, err := readPassword(s.in)
	if err != nil {
		return err
	}
	return with(ctx, c.Store, s, func(a *App) error {
		acc, err := a.accounts.SetPassword(ctx, auth.SystemCaller(), c.Email, password)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s has a new password; its sessions have ended\n", acc.Email)
		return nil
	})
}

type accountUnlockCmd struct {
	Store `embed:""`
	Email string `arg:"" help:"E-mail of the account."`
}

func (c *accountUnlockCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		locked, err := a.accounts.Unlock(ctx, auth.SystemCaller(), c.Email)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s %s\n", c.Email, map[bool]string{true: "may try again", false: "was not locked"}[locked])
		return nil
	})
}

type accountReset2FACmd struct {
	Store `embed:""`
	Email string `arg:"" help:"E-mail of the account."`
}

func (c *accountReset2FACmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		had, err := a.accounts.ResetFactor(ctx, auth.SystemCaller(), c.Email)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s %s\n", c.Email, map[bool]string{true: "has no second factor any more; its sessions have ended", false: "had no second factor"}[had])
		return nil
	})
}

type accountOperatorCmd struct {
	Store  `embed:""`
	Email  string `arg:"" help:"E-mail of the account."`
	Revoke bool   `help:"Take it back; the last operator stays."`
}

func (c *accountOperatorCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		acc, err := a.accounts.SetOperator(ctx, auth.SystemCaller(), c.Email, !c.Revoke)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s is %s\n", acc.Email, map[bool]string{true: "operator", false: "not an operator any more"}[!c.Revoke])
		return nil
	})
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token of a profile; prints one line of JSON."`
}

type tokenCreateCmd struct {
	Store      `embed:""`
	Profile    string `required:"" help:"Id of the profile." placeholder:"ID"`
	Name       string `help:"Name of the token." default:"Made on the command line"`
	Permission string `enum:"full,read,write" default:"full" help:"What it may do: full, read, write."`
	Expire     string `default:"never" help:"never, a date, or an age such as '3 month'."`
	Reach      string `enum:"profile,account" default:"profile" help:"profile: its own profile only; account: also the owner's account and other profiles."`
}

func (c *tokenCreateCmd) Run(ctx context.Context, s streams) error {
	expires, err := web.ParseExpire(c.Expire, time.Now())
	if err != nil {
		return fmt.Errorf("--expire: %v", err) // plain: a fault would hide the flag
	}
	return with(ctx, c.Store, s, func(a *App) error {
		t, err := a.tokens.Mint(ctx, auth.SystemCaller(), token.MintInput{Profile: id.Profile(c.Profile), Name: c.Name,
			Permission: auth.Permission(c.Permission), Reach: auth.Reach(c.Reach), Expires: expires})
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(map[string]any{"token": t.Token, "profile": c.Profile, "permission": c.Permission, "reach": c.Reach})
	})
}

type setupLinkCmd struct {
	Store     `embed:""`
	PublicURL string `name:"public-url" env:"PADDOCK_PUBLIC_URL" help:"How people reach the server." default:"http://127.0.0.1:8080"`
}

func (c *setupLinkCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		a.settings.PublicURL = c.PublicURL
		link, err := a.SetupLink(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, link)
		return nil
	})
}

type verifyCmd struct {
	Store   `embed:""`
	Backups bool `help:"Also read the file of every backup of a profile and compare its SHA-256."`
}

func (c *verifyCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		began := time.Now()
		findings, checked, err := a.Verify(ctx)
		if err != nil {
			return err
		}
		if c.Backups {
			files, read, err := a.VerifyBackups(ctx)
			if err != nil {
				return err
			}
			findings = append(findings, files...)
			checked += fmt.Sprintf("\nthe files of %d backups of profiles", read)
		}
		if err := a.operator.NoteVerify(ctx, began, findings, checked); err != nil {
			fmt.Fprintln(s.err, "paddock: what was found could not be noted for the operator's page:", err)
		}
		for _, f := range findings {
			fmt.Fprintln(s.out, f)
		}
		if len(findings) > 0 {
			fmt.Fprintf(s.out, "%d findings\n", len(findings))
			return errSaid
		}
		fmt.Fprintf(s.out, "all figures agree: %s\n", checked)
		return nil
	})
}

type migrateCmd struct {
	Store  `embed:""`
	Reseal bool `help:"Also seal every secret anew with the first key of PADDOCK_SECRET_KEY."`
}

func (c *migrateCmd) Run(ctx context.Context, s streams) error {
	if err := c.Store.Check(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, c.url(), sqldb.Options{})
	if err != nil {
		return err
	}
	pending, err := db.Pending(ctx, Sources()...)
	db.Close()
	if err != nil {
		return err
	}
	settings := Settings{Store: c.Store, Listen: "127.0.0.1:8080", Name: "Paddock", Signup: "invite", Log: "text", Migrate: true,
		Catalogue: os.Getenv("PADDOCK_CATALOGUE")}
	a, err := Open(ctx, settings, Options{Log: slog.New(slog.NewTextHandler(s.err, nil)), Verb: true})
	if err != nil {
		return err
	}
	for _, m := range pending {
		fmt.Fprintln(s.out, "applied", m.Name)
	}
	if len(pending) == 0 {
		fmt.Fprintln(s.out, "the database is up to date")
	}
	if c.Reseal {
		n, rerr := a.Reseal(ctx)
		err = rerr
		if err == nil {
			fmt.Fprintf(s.out, "sealed %d secrets with key %s\n", n, a.sealer.KeyID())
		}
	}
	return errors.Join(err, a.Close())
}

// Reseal seals every secret with the first key, so that the others may be dropped from the list.
func (a *App) Reseal(ctx context.Context) (int, error) {
	n, err := a.tokens.Reseal(ctx)
	if err != nil {
		return n, err
	}
	factors, err := a.accounts.Reseal(ctx)
	n += factors
	if err != nil {
		return n, err
	}
	hooks, err := a.notify.Reseal(ctx)
	n += hooks
	if err != nil {
		return n, err
	}
	invitations, err := a.teams.Reseal(ctx)
	n += invitations
	if err != nil {
		return n, err
	}
	schedules, err := a.stored.Reseal(ctx)
	n += schedules
	if err != nil {
		return n, err
	}
	return n, setSetting(ctx, a.db, sealCheck, a.sealer.Check())
}

type configCmd struct {
	Settings `embed:""`
}

func (c *configCmd) Run(s streams, k *kong.Context) error {
	printConfig(s.out, k)
	return c.Settings.Check()
}

type versionCmd struct{}

func (c *versionCmd) Run(s streams) error {
	fmt.Fprintf(s.out, "paddock %s (%s, %s/%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

type openapiCmd struct{}

func (c *openapiCmd) Run(ctx context.Context, s streams) error {
	dir, err := os.MkdirTemp("", "paddock-openapi")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return with(ctx, Store{Data: dir}, s, func(a *App) error {
		doc, err := a.Document()
		if err != nil {
			return err
		}
		_, err = s.out.Write(doc)
		return err
	})
}
