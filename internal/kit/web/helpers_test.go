package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

const (
	profileToken = "p-11111111-2222-4333-8444-555555555555"
	deviceToken  = "99999999-2222-4333-8444-555555555555"
	readToken    = "p-22222222-2222-4333-8444-555555555555"
	sessionValue = "session-value-0123456789"
)

var theProfile = id.Profile("64b0c0ffee00000000000001")

// authenticate knows two tokens and one session, as the token and account rooms would.
func authenticate(_ context.Context, c web.Credential) (auth.Caller, error) {
	switch {
	case c.Token == profileToken:
		return auth.Caller{Kind: auth.Profile, ProfileID: theProfile, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachProfile}, nil
	case c.Token == readToken:
		return auth.Caller{Kind: auth.Profile, ProfileID: theProfile, Role: auth.Owner, Permission: auth.Read, Reach: auth.ReachProfile}, nil
	case c.Token == deviceToken:
		return auth.Caller{Kind: auth.Device, ProfileID: theProfile, Role: auth.Owner, DeviceID: "64b0c0ffee00000000000002", Permission: auth.Full}, nil
	case c.Token == "the-database-is-away-right-now":
		return auth.Caller{}, fault.New(fault.Unavailable, "Try again").After(1500 * time.Millisecond)
	case c.Cookie == sessionValue:
		return auth.Caller{Kind: auth.Session, AccountID: "64b0c0ffee00000000000003", ProfileID: id.Profile(c.ProfileHeader), Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount}, nil
	}
	return auth.Caller{}, auth.Denied()
}

// logBuffer is a log that a test may read while the server writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server is a real one on a port of its own.
type server struct {
	*web.Server
	t    *testing.T
	url  string
	addr string
	log  *logBuffer
}

func start(t *testing.T, cfg web.Config, routes []web.Route, before ...func(*web.Server)) *server {
	t.Helper()
	log := &logBuffer{}
	cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Authenticate == nil {
		cfg.Authenticate = authenticate
	}
	s := &server{Server: web.NewServer(cfg, routes), t: t, log: log}
	for _, f := range before {
		f(s.Server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := web.HTTPServer("", s.Handler(), cfg.Log)
	go h.Serve(l)
	t.Cleanup(func() { h.Close() })
	s.addr = l.Addr().String()
	s.url = "http://" + s.addr
	return s
}

type answer struct {
	Status int
	Header http.Header
	Body   string
}

// json is the body as an object; the test fails when it is not the envelope.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	if ct := a.Header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", ct)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatalf("not JSON: %v: %s", err, a.Body)
	}
	if _, ok := m["status"].(bool); !ok {
		t.Errorf("no status in %s", a.Body)
	}
	return m
}

func (a answer) message(t *testing.T) string {
	t.Helper()
	m, _ := a.json(t)["message"].(string)
	return m
}

var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// call sends a request; headers are name, value pairs.
func (s *server) call(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// wire sends raw bytes and gives everything that comes back until the server closes or the wait ends.
func (s *server) wire(raw string, wait time.Duration) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		s.t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(wait))
	b, _ := io.ReadAll(c)
	return string(b)
}

// give is a handler that returns out.
func give[Out any](out Out, err error) func(context.Context, auth.Caller, struct{}) (Out, error) {
	return func(context.Context, auth.Caller, struct{}) (Out, error) { return out, err }
}
