// Package apptest starts the whole of Paddock for a test: every room on a real database, behind a real
// HTTP server, with a clock that the test may hold.
package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/app"
	"paddock/internal/auth"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// Password is that of every account an apptest makes.
const Password = "correct horse battery"

// Server is a running Paddock.
type Server struct {
	URL  string
	App  *app.App
	Data string // its data folder

	Clock *clock.Manual // with AtTime; else nil
}

// Change adjusts the settings before the start.
type Change func(*app.Settings, *app.Options)

// AtTime gives the server a clock of its own that stands at t until the test moves it: Server.Clock.
func AtTime(t time.Time) Change {
	return func(_ *app.Settings, o *app.Options) { o.Clock = clock.NewManual(t) }
}

// WithCatalogue gives the server a catalogue of its own.
func WithCatalogue(yaml string) Change {
	return func(s *app.Settings, _ *app.Options) {
		s.Catalogue = filepath.Join(s.Data, "catalogue.yaml")
		if err := os.WriteFile(s.Catalogue, []byte(yaml), 0o600); err != nil {
			panic(err)
		}
	}
}

// Each runs f on a fresh server of each engine, beside other tests: much of their time is waiting.
func Each(t *testing.T, f func(t *testing.T, s *Server), changes ...Change) {
	t.Helper()
	t.Parallel()
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			f(t, Start(t, e, changes...))
		})
	}
}

// Start starts a fresh server that is gone when the test ends.
func Start(t testing.TB, engine sqldb.Engine, changes ...Change) *Server {
	t.Helper()
	url := sqldbtest.Migrated(t, engine, app.Sources()...)
	settings := app.Settings{
		Store:   app.Store{Data: filepath.Dir(strings.TrimPrefix(url, "sqlite:"))},
		Listen:  "127.0.0.1:0",
		Name:    "Paddock",
		Signup:  "open",
		Log:     "text",
		Migrate: true,
	}
	if engine == sqldb.Postgres {
		settings.Data, settings.Database = t.TempDir(), url
		settings.SecretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	}
	options := app.Options{HashMemory: 64, Log: slog.New(slog.NewTextHandler(&testWriter{t: t}, &slog.HandlerOptions{Level: slog.LevelError}))}
	for _, c := range changes {
		c(&settings, &options)
	}
	a, err := app.Open(t.Context(), settings, options)
	if err != nil {
		t.Fatal(err)
	}
	a.Start()
	h := httptest.NewServer(a.Handler())
	t.Cleanup(func() {
		a.Drain()
		h.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	c, _ := options.Clock.(*clock.Manual)
	return &Server{URL: h.URL, App: a, Data: settings.Data, Clock: c}
}

// testWriter shows the server's errors in the log of the test that caused them.
type testWriter struct {
	t    testing.TB
	done atomic.Bool
}

func (w *testWriter) Write(p []byte) (int, error) {
	if !w.done.Load() {
		fmt.Fprint(os.Stderr, w.t.Name(), ": ", string(p))
	}
	return len(p), nil
}

// Who is an account with one of its profiles and a token of that profile.
type Who struct {
	Account, Profile, Token, Email string
}

var made atomic.Int64

// Account makes an account on a plan, with its first profile and a token that reaches the account.
func (s *Server) Account(t testing.TB, plan string) Who {
	t.Helper()
	n := made.Add(1)
	email := fmt.Sprintf("person%d@example.test", n)
	got, err := s.App.CreateAccount(t.Context(), auth.SystemCaller(), app.NewAccount{
		CreateInput: account.CreateInput{Name: fmt.Sprintf("Person %d", n), Email: email, Password: Password},
		Plan:        plan,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Who{Account: string(got.Account), Profile: string(got.Profile), Token: got.Token, Email: email}
}

// Profile makes another profile of who and a token of reach "account" in it.
func (s *Server) Profile(t testing.TB, who Who, name string) Who {
	t.Helper()
	var made struct{ ID string }
	s.Call(t, "POST", "/profile", who.Token, map[string]any{"name": name}).Want(t, 200, 201).Into(t, &made)
	return s.TokenOf(t, who, made.ID)
}

// TokenOf makes a token from credentials, which reaches the account, in a profile of who.
func (s *Server) TokenOf(t testing.TB, who Who, profile string) Who {
	t.Helper()
	var minted struct{ Token string }
	s.Call(t, "POST", "/account/profile/token", "", map[string]any{
		"profile_id": profile, "email": who.Email, "password": Password, "name": "test",
	}).Want(t, 200, 201).Into(t, &minted)
	return Who{Account: who.Account, Profile: profile, Token: minted.Token, Email: who.Email}
}

// Device makes a device and returns its id and token.
func (s *Server) Device(t testing.TB, who Who, name string) (id, token string) {
	t.Helper()
	var made struct {
		DeviceID string `json:"device_id"`
		Token    string
	}
	s.Call(t, "POST", "/device", who.Token, map[string]any{"name": name, "type": "mutable"}).Want(t, 200, 201).Into(t, &made)
	return made.DeviceID, made.Token
}

// Send posts n points with one request.
func (s *Server) Send(t testing.TB, deviceToken string, n int) Answer {
	t.Helper()
	points := make([]map[string]any, n)
	for i := range points {
		points[i] = map[string]any{"variable": "v", "value": i}
	}
	return s.Call(t, "POST", "/data", deviceToken, points)
}

// Answer is what the server said.
type Answer struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         []byte
	OK           bool
	Message      string
	Result       json.RawMessage
}

// Call sends a request. body is encoded as JSON unless it is nil, a string or []byte.
func (s *Server) Call(t testing.TB, method, path, token string, body any) Answer {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("token", token)
	}
	if r != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	return s.Do(t, q)
}

// Do sends a request made by hand. It does not follow redirects: the server must not need any.
func (s *Server) Do(t testing.TB, q *http.Request) Answer {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	text, err := io.ReadAll(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := Answer{Method: q.Method, Path: q.URL.RequestURI(), Status: p.StatusCode, Header: p.Header, Body: text}
	if strings.Contains(p.Header.Get("Content-Type"), "application/json") {
		var e struct {
			Status  bool
			Result  json.RawMessage
			Message string
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatalf("%s %s: %v in %s", a.Method, a.Path, err, text)
		}
		a.OK, a.Result, a.Message = e.Status, e.Result, e.Message
	}
	return a
}

// Want fails the test unless the status is one of those given.
func (a Answer) Want(t testing.TB, statuses ...int) Answer {
	t.Helper()
	for _, s := range statuses {
		if a.Status == s {
			return a
		}
	}
	t.Fatalf("%s %s answered %d, want %v: %s", a.Method, a.Path, a.Status, statuses, a.Body)
	return a
}

// Into decodes the result.
func (a Answer) Into(t testing.TB, v any) Answer {
	t.Helper()
	if err := json.Unmarshal(a.Result, v); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Method, a.Path, err, a.Body)
	}
	return a
}

// Text is the result as a string.
func (a Answer) Text(t testing.TB) string {
	t.Helper()
	var s string
	a.Into(t, &s)
	return s
}

// Summary is what GET /profile/:id/summary says.
type Summary struct {
	Limit  map[string]float64
	Used   map[string]float64 `json:"limit_used"`
	Amount map[string]float64
}

// Summary reads the use of who's profile.
func (s *Server) Summary(t testing.TB, who Who) Summary {
	t.Helper()
	var sum Summary
	s.Call(t, "GET", "/profile/"+who.Profile+"/summary", who.Token, nil).Want(t, 200).Into(t, &sum)
	return sum
}

// Mail is one that waits in the outbox: the server of a test has no mail server.
type Mail struct{ To, Subject, Text string }

// Mails lists the outbox.
func (s *Server) Mails(t testing.TB) []Mail {
	t.Helper()
	list, err := s.App.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Mail, len(list))
	for i, m := range list {
		out[i] = Mail{To: m.To, Subject: m.Subject, Text: m.Text}
	}
	return out
}

// Secret is the one in the newest letter to an address whose link leads to a page of the console: "team/accept".
func (s *Server) Secret(t testing.TB, to, page string) string {
	t.Helper()
	for _, m := range s.Mails(t) { // newest first
		if m.To != to {
			continue
		}
		if _, rest, ok := strings.Cut(m.Text, "/console/"+page+"/"); ok {
			return strings.Fields(rest)[0]
		}
	}
	t.Fatalf("no letter to %s leads to %s", to, page)
	return ""
}

// Join invites a person with an account into the team of host's profile, on the terms given beside the e-mail, accepts,
// and returns the person there, with a token made from credentials.
func (s *Server) Join(t testing.TB, host, person Who, terms map[string]any) Who {
	t.Helper()
	body := map[string]any{"email": person.Email}
	for k, v := range terms {
		body[k] = v
	}
	s.Call(t, "POST", "/profile/"+host.Profile+"/team", host.Token, body).Want(t, 200)
	s.Call(t, "GET", "/profile/team/accept/"+s.Secret(t, person.Email, "team/accept"), "", nil).Want(t, 200)
	return s.TokenOf(t, person, host.Profile)
}

// Session signs a person in with the password of the test and returns how to call as them, in a profile.
func (s *Server) Session(t testing.TB, w Who, profile string) func(method, path string, body any) Answer {
	t.Helper()
	request := func(method, path string, body any, cookie *http.Cookie) *http.Request {
		text, _ := json.Marshal(body)
		q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", s.URL)
		if cookie != nil {
			q.AddCookie(cookie)
			q.Header.Set("Profile-Id", profile)
		}
		return q
	}
	in := s.Do(t, request("POST", "/session", map[string]any{"email": w.Email, "password": Password}, nil)).Want(t, 200, 201)
	cookies := (&http.Response{Header: in.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return func(method, path string, body any) Answer {
		t.Helper()
		return s.Do(t, request(method, path, body, cookies[0]))
	}
}
