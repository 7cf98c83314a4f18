package app_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
)

var update = flag.Bool("update", false, "write api/openapi.json and the README's table instead of comparing them")

// TestEveryRequestOfTheClient sends all that the official client can send, with and without the trailing slash
// it is fond of, with each kind of credential: nothing may be a 5xx, a redirect, slow, or not JSON.
func TestEveryRequestOfTheClient(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		_, device := s.Device(t, a, "D")
		calls, err := app.Calls(s.App.Built())
		if err != nil {
			t.Fatal(err)
		}
		if len(calls) < 250 {
			t.Fatalf("only %d calls", len(calls))
		}
		param := regexp.MustCompile(`\{[^}]*\}`)
		sent := 0
		for _, c := range calls {
			path := strings.ReplaceAll(param.ReplaceAllString(c.Pattern, "0123456789abcdef01234567"), "*", "a.txt")
			if strings.Contains(c.Pattern, "{email}") {
				path = strings.Replace(c.Pattern, "{email}", "a+b@example.test", 1)
			}
			for _, path := range []string{path, path + "/"} {
				for _, token := range []string{"", device, a.Token} {
					if c.Method == "DELETE" && c.Pattern == "/account" && token == a.Token {
						continue // the account is needed until the end
					}
					var body any
					if c.Method != "GET" {
						body = map[string]any{"name": "x", "_arg": "y"}
					}
					began := time.Now()
					got := s.Call(t, c.Method, path, token, body)
					sent++
					if time.Since(began) > time.Second { // once may be the machine, twice is us
						began = time.Now()
						got = s.Call(t, c.Method, path, token, body)
					}
					took := time.Since(began)
					if !strings.HasPrefix(c.Pattern, "/file/") && !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
						t.Errorf("%s %s is %q", c.Method, path, got.Header.Get("Content-Type"))
					}
					if got.Status >= 500 || (got.Status >= 300 && got.Status < 400) {
						t.Errorf("%s %s answered %d %s", c.Method, path, got.Status, got.Body)
					}
					if took > time.Second {
						t.Errorf("%s %s took %v", c.Method, path, took)
					}
					if !c.Built && (got.Status != http.StatusNotFound || !strings.HasPrefix(got.Message, "Not available yet: ")) {
						t.Errorf("%s %s is not built and answered %d %q", c.Method, path, got.Status, got.Message)
					}
					if c.Built && strings.HasPrefix(got.Message, "Not available yet") {
						t.Errorf("%s %s is built and answered %q", c.Method, path, got.Message)
					}
				}
			}
		}
		t.Logf("%d requests", sent)
	})
}

// TestOpenAPI compares the committed document with the routes. `make api` writes it.
func TestOpenAPI(t *testing.T) {
	s := apptest.Start(t, sqldb.SQLite)
	doc, err := s.App.Document()
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../api/openapi.json"
	if *update {
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, doc) {
		t.Error("api/openapi.json differs from the routes: run `make api`")
	}
	var parsed struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(doc, &parsed); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(parsed.OpenAPI, "3.1") {
		t.Errorf("version %s", parsed.OpenAPI)
	}
	for _, r := range s.App.Routes() {
		_, ok := parsed.Paths[r.Pattern][strings.ToLower(r.Method)]
		if later := strings.HasPrefix(r.Doc, "Not available yet"); ok == later {
			t.Errorf("%s %s: in the document %v, built %v", r.Method, r.Pattern, ok, !later)
		}
		if r.Doc == "" {
			t.Errorf("%s %s has no sentence", r.Method, r.Pattern)
		}
	}
	if got := s.Call(t, "GET", "/openapi.json", "", nil).Want(t, 200); !bytes.Equal(got.Body, have) {
		t.Error("the served document is another")
	}
	page := s.Call(t, "GET", "/docs/api", "", nil).Want(t, 200)
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !bytes.Contains(page.Body, []byte("/device/{id}/data")) {
		t.Errorf("the page is %s, %d bytes", page.Header.Get("Content-Type"), len(page.Body))
	}
}

// TestReadmeTable compares the README's table of calls with the routes. `make api` writes it.
func TestReadmeTable(t *testing.T) {
	s := apptest.Start(t, sqldb.SQLite)
	calls, err := app.Calls(s.App.Built())
	if err != nil {
		t.Fatal(err)
	}
	type group struct {
		name        string
		works, wait []string
	}
	var groups []*group
	byName := map[string]*group{}
	for _, c := range calls {
		for _, call := range strings.Split(c.Calls, ", ") {
			name, method, _ := strings.Cut(call, ".")
			if i := strings.LastIndex(call, "."); i > 0 {
				name, method = call[:i], call[i+1:]
			}
			g := byName[name]
			if g == nil {
				g = &group{name: name}
				byName[name] = g
				groups = append(groups, g)
			}
			if c.Built {
				g.works = append(g.works, method)
			} else {
				g.wait = append(g.wait, method)
			}
		}
	}
	var b strings.Builder
	b.WriteString("<!-- calls -->\n| class | works | not yet |\n|---|---|---|\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", g.name, strings.Join(g.works, ", "), strings.Join(g.wait, ", "))
	}
	b.WriteString("<!-- /calls -->")
	table := b.String()
	const file = "../../README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)<!-- calls -->.*<!-- /calls -->`)
	have := part.Find(text)
	if *update {
		if err := os.WriteFile(file, bytes.Replace(text, have, []byte(table), 1), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(have) != table {
		t.Error("the README's table differs from the routes: run `make api`")
	}
}

// TestPages shows what a browser and a machine get at the root and about the server.
func TestPages(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		q, _ := http.NewRequest("GET", s.URL+"/", nil)
		q.Header.Set("Accept", "text/html,application/xhtml+xml")
		if got := s.Do(t, q); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/console/" {
			t.Errorf("a browser at / is answered %d %s", got.Status, got.Header.Get("Location"))
		}
		s.Call(t, "GET", "/", "", nil).Want(t, 200)
		s.Call(t, "GET", "/healthz", "", nil).Want(t, 200)
		s.Call(t, "GET", "/readyz", "", nil).Want(t, 200)
		if got := s.Call(t, "GET", "/metrics", "", nil).Want(t, 200); !bytes.Contains(got.Body, []byte("go_goroutines")) {
			t.Errorf("metrics: %.200s", got.Body)
		}
		var status struct {
			Version string
			Mail    *bool
		}
		if s.Call(t, "GET", "/status", "", nil).Want(t, 200).Into(t, &status); status.Version == "" || status.Mail == nil || *status.Mail {
			t.Errorf("no version, or a mail server: %+v", status)
		}
	})
}
