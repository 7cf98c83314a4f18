package app

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	console "paddock/web"
)

// Status is what anybody may know of a server.
type Status struct {
	Version string `json:"version" description:"of the server"`
	Name    string `json:"name" description:"of the installation"`
	Signup  string `json:"signup" enum:"invite,open,closed" description:"who may sign up"`
	Setup   bool   `json:"setup" description:"the first account is still to be made"`
	Mail    bool   `json:"mail" description:"false: no mail server is configured, and letters wait in the operator's outbox"`
	Grace   int64  `json:"profile_grace" description:"for how many seconds a deleted profile can be restored"`
}

// ownRoutes are those that belong to no room: about the server itself.
func (a *App) ownRoutes() []web.Route {
	return append(web.DocsRoutes(a.Document),
		web.Handle("GET /", "Sends a browser to the console; tells others what this is.", auth.Anyone, a.root, web.Tags("server")),
		web.Handle("GET /status", "The server's version and who may sign up.", auth.Anyone, a.status, web.Tags("server")),
		web.Handle("GET /healthz", "Answers as long as the process lives.", auth.Anyone,
			func(context.Context, auth.Caller, struct{}) (string, error) { return "alive", nil }, web.Tags("server")),
		web.Handle("GET /readyz", "Answers 200 while requests can be served: the database answers and the server is not stopping.", auth.Anyone, a.ready, web.Tags("server")),
		web.Handle("GET /metrics", "Metrics in the form of Prometheus, for this machine and for operators.", auth.Anyone, a.metricsRoute, web.Tags("server")),
	)
}

type rootIn struct {
	Request *web.Request
}

func (a *App) root(_ context.Context, _ auth.Caller, in rootIn) (web.Reply, error) {
	if wantsPage(in.Request.HTTP) {
		return web.Reply{Status: http.StatusSeeOther, Header: http.Header{"Location": {console.Base}}}, nil
	}
	return web.Reply{Result: map[string]string{"name": a.settings.Name, "version": Version, "console": console.Base, "api": "/docs/api"}}, nil
}

// wantsPage tells a browser from the client, which accepts anything.
func wantsPage(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept") {
		if len(v) >= 9 && v[:9] == "text/html" {
			return true
		}
	}
	return false
}

func (a *App) status(ctx context.Context, _ auth.Caller, _ struct{}) (Status, error) {
	empty, err := a.accounts.Empty(ctx)
	return Status{Version: Version, Name: a.settings.Name, Signup: a.settings.Signup, Setup: empty, Mail: a.mail.Configured(), Grace: int64(a.settings.ProfileGrace.span().Seconds())}, err
}

func (a *App) ready(ctx context.Context, _ auth.Caller, _ struct{}) (string, error) {
	if a.stopping.Load() {
		return "", fault.New(fault.Unavailable, "The server is stopping")
	}
	if err := a.db.Ping(ctx); err != nil {
		return "", fault.New(fault.Unavailable, "The database does not answer").Because(err)
	}
	return "ready", nil
}

func (a *App) metricsRoute(_ context.Context, who auth.Caller, in rootIn) (web.Raw, error) {
	addr, err := netip.ParseAddr(in.Request.Addr)
	if (err != nil || !addr.IsLoopback()) && !who.Operator {
		return web.Raw{}, auth.Denied()
	}
	w := &recorder{header: http.Header{}}
	promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, in.Request.HTTP)
	return web.Raw{Status: w.status, Type: w.header.Get("Content-Type"), Body: w.body}, nil
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { r.body = append(r.body, p...); return len(p), nil }
