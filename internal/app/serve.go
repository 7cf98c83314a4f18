package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// gcPercent lets the heap grow to four times what lives before it is collected: what lives is small, and under
// load collecting it twice as often costs a tenth of the requests.
const gcPercent = 300

// drainFor is how long requests under way may take when the server is told to stop.
const drainFor = 25 * time.Second

// Serve runs until it is interrupted (SIGINT, SIGTERM) or ctx ends. Then it stops listening, answers what it
// has accepted, and closes.
func Serve(ctx context.Context, s Settings, out io.Writer) error {
	if err := s.Check(); err != nil {
		return err
	}
	log, stopLog := openLog(os.Stderr, s.Log == "json")
	defer stopLog()
	debug.SetGCPercent(gcPercent)
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := lockFolder(s.Data, s.Listen)
	if err != nil {
		return err
	}
	defer lock.Close()
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer l.Close()
	s.Listen = l.Addr().String() // with the port chosen for :0

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	a, err := Open(ctx, s, Options{Log: log})
	if err != nil {
		return err
	}
	h := web.HTTPServer(s.Listen, a.Handler(), log)
	if s.TLSCert != "" {
		if h.TLSConfig, err = web.TLS(s.TLSCert, s.TLSKey); err != nil {
			a.Close()
			return err
		}
	}
	if err := a.data.Finish(ctx); err != nil {
		log.Error("finishing what was accepted", "error", err) // the job of data tries again
	}
	a.Start()
	failed := make(chan error, 1)
	go func() {
		if h.TLSConfig != nil {
			failed <- h.ServeTLS(l, "", "")
		} else {
			failed <- h.Serve(l)
		}
	}()
	if err := a.greet(ctx, out); err != nil {
		log.Error("greeting", "error", err)
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("stopping: answering what was accepted")
		a.Drain()
		stop() // a second signal ends the process at once
		drain, cancel := context.WithTimeout(context.Background(), drainFor)
		err = h.Shutdown(drain)
		cancel()
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, a.Close())
}

// greet prints what the person who started the server needs to know.
func (a *App) greet(ctx context.Context, out io.Writer) error {
	s := a.settings
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(out, "Paddock %s\n", Version)
	line("console", "%s/console/", s.publicURL())
	line("API", "%s   (read about it: %s/docs/api)", s.publicURL(), s.publicURL())
	empty, err := a.accounts.Empty(ctx)
	if err != nil {
		return err
	}
	if empty {
		link, err := a.SetupLink(ctx)
		if err != nil {
			return err
		}
		line("set up", "%s   (makes the first account; works once)", link)
	}
	if a.db.Engine() == sqldb.SQLite {
		line("data", "%s", abs(a.db.Path()))
	} else {
		line("data", "PostgreSQL %s, files in %s", hide("database", s.Database), abs(s.Data))
	}
	if s.SecretKey == "" {
		line("key", "%s   (keep a copy elsewhere: without it sealed tokens are lost)", abs(s.keyFile()))
	} else {
		line("key", "given by PADDOCK_SECRET_KEY")
	}
	if a.mail.Configured() {
		line("mail", "%s", a.mail.Describe())
	} else {
		line("mail", "waits in the outbox: no --smtp-url")
	}
	if s.PublicURL == "" && a.mail.Configured() {
		line("", "links in mails begin with %s; say --public-url if people reach it otherwise", s.publicURL())
	}
	host, _, _ := net.SplitHostPort(s.Listen)
	ip := net.ParseIP(host)
	switch {
	case ip != nil && ip.IsLoopback():
		line("reach", "this machine only; for others: --listen 0.0.0.0:8080 behind a proxy with TLS, or with --tls-cert and --tls-key")
	case s.TLSCert == "":
		line("reach", "everybody who reaches %s, without TLS: tokens cross the network readable unless a proxy adds it", s.Listen)
	default:
		line("reach", "everybody who reaches %s, with TLS", s.Listen)
	}
	return nil
}

// SetupLink makes a one-time link to make the first account with.
func (a *App) SetupLink(ctx context.Context) (string, error) {
	t, err := a.accounts.SetupToken(ctx)
	if err != nil {
		return "", err
	}
	return a.settings.publicURL() + "/console/setup/" + t, nil
}

func abs(path string) string {
	if p, err := filepath.Abs(path); err == nil {
		return p
	}
	return path
}
