package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

type named struct {
	Name string `json:"name"`
}

type echoIn struct {
	ID id.Device `path:"id"`
}

func echoID(_ context.Context, _ auth.Caller, in echoIn) (string, error) { return string(in.ID), nil }

func TestStatuses(t *testing.T) {
	var items []named
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /ok", "", auth.Anyone, give("All good", nil)),
		web.Handle("POST /made", "", auth.Anyone, give(named{"x"}, nil), web.Status(201)),
		web.Handle("GET /list", "", auth.Anyone, give(items, nil)),
		web.Handle("GET /nested", "", auth.Anyone, give(struct {
			Tags  []named           `json:"tags"`
			Map   map[string]string `json:"map"`
			Phone *string           `json:"phone"`
		}{}, nil)),
		web.Handle("GET /none", "", auth.Anyone, give(web.None{}, nil)),
		web.Handle("GET /null", "", auth.Anyone, give[any](nil, nil)),
		web.Handle("GET /number", "", auth.Anyone, give(0, nil)),
		web.Handle("GET /lone", "", auth.Anyone, give(map[string]string{"error": "Fehler"}, nil)),
		web.Handle("GET /reply", "", auth.Anyone, give(web.Reply{Status: 202, Result: 5, Message: "Mind the gap", Header: http.Header{"X-A": {"b"}}}, nil)),
		web.Handle("GET /raw", "", auth.Anyone, give(web.Raw{Type: "text/plain", Body: []byte("hi"), Header: http.Header{"Cache-Control": {"max-age=60"}}}, nil)),
		web.Handle("GET /from", "", auth.Anyone, give(web.Raw{Type: "text/plain", From: strings.NewReader("streamed")}, nil)),
		web.Handle("GET /bytes", "", auth.Anyone, give("not utf-8: \xff", nil)),
		web.Handle("GET /400", "", auth.Anyone, give("", fault.Field("name", "must not be empty"))),
		web.Handle("GET /401", "", auth.Anyone, give("", auth.Denied())),
		web.Handle("GET /402", "", auth.Anyone, give("", fault.New(fault.LimitReached, "You have exceeded the maximum limit of Input (5).").With(map[string]int{"limit": 5}))),
		web.Handle("GET /403", "", auth.Anyone, give("", fault.New(fault.Forbidden, "No"))),
		web.Handle("GET /404", "", auth.Anyone, give("", fault.New(fault.NotFound, "Device Not Found"))),
		web.Handle("GET /409", "", auth.Anyone, give("", fault.New(fault.Conflict, "Taken"))),
		web.Handle("GET /429", "", auth.Anyone, give("", fault.New(fault.TooMany, "Too many requests (Retry-After: 8)").After(8*time.Second))),
		web.Handle("GET /503", "", auth.Anyone, give("", fault.New(fault.Unavailable, "Busy").After(200*time.Millisecond))),
		web.Handle("GET /500", "", auth.Anyone, give("", errors.New("password of the database is 1234"))),
		web.Handle("GET /panic", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (string, error) { panic("secret thing") }),
	})
	for _, c := range []struct {
		path   string
		status int
		body   string // whole body for successes, a part of it for refusals
	}{
		{"/ok", 200, `{"status":true,"result":"All good"}`},
		{"/list", 200, `{"status":true,"result":[]}`},
		{"/nested", 200, `{"status":true,"result":{"tags":[],"map":{},"phone":null}}`},
		{"/none", 200, `{"status":true}`},
		{"/null", 200, `{"status":true,"result":null}`},
		{"/number", 200, `{"status":true,"result":0}`},
		{"/lone", 200, `{"status":true,"result":{"error":"Fehler","_":null}}`},
		{"/reply", 202, `{"status":true,"result":5,"message":"Mind the gap"}`},
		{"/raw", 200, `hi`},
		{"/from", 200, `streamed`},
		{"/bytes", 200, `{"status":true,"result":"not utf-8: �"}`},
		{"/400", 400, `{"status":false,"message":"name: must not be empty","code":"invalid","field":"name","request_id":"`},
		{"/401", 401, `{"status":false,"message":"Authorization Denied","code":"unauthorized"`},
		{"/402", 402, `"message":"You have exceeded the maximum limit of Input (5).","code":"limit_reached","error":{"limit":5}`},
		{"/403", 403, `"message":"No"`},
		{"/404", 404, `"message":"Device Not Found"`},
		{"/409", 409, `"message":"Taken"`},
		{"/429", 429, `"message":"Too many requests (Retry-After: 8)"`},
		{"/503", 503, `"message":"Busy"`},
		{"/500", 500, `"message":"An internal error has occurred","code":"internal","request_id":"`},
		{"/panic", 500, `"message":"An internal error has occurred","code":"internal","request_id":"`},
		{"/nowhere", 404, `"message":"Not Found","code":"not_found"`},
	} {
		a := s.call("GET", c.path, "")
		if a.Status != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.path, a.Status, c.status, a.Body)
		}
		if c.status < 300 && a.Body != c.body || !strings.Contains(a.Body, c.body) {
			t.Errorf("%s: body %s, want %s", c.path, a.Body, c.body)
		}
		if c.path != "/raw" && c.path != "/from" {
			a.json(t)
		}
		if strings.Contains(a.Body, "1234") || strings.Contains(a.Body, "secret thing") {
			t.Errorf("%s: the cause leaked: %s", c.path, a.Body)
		}
	}
	if a := s.call("POST", "/made", ""); a.Status != 201 || a.Body != `{"status":true,"result":{"name":"x"}}` {
		t.Errorf("POST /made: %d %s", a.Status, a.Body)
	}
	if h := s.call("GET", "/429", "").Header.Get("Retry-After"); h != "8" {
		t.Errorf("Retry-After of 429 is %q", h)
	}
	if h := s.call("GET", "/503", "").Header.Get("Retry-After"); h != "1" {
		t.Errorf("Retry-After of 503 is %q", h)
	}
	if h := s.call("GET", "/reply", "").Header.Get("X-A"); h != "b" {
		t.Errorf("X-A is %q", h)
	}
	if h := s.call("GET", "/raw", "").Header; h.Get("Cache-Control") != "max-age=60" || h.Get("Content-Type") != "text/plain" {
		t.Errorf("raw headers %v", h)
	}
	log := s.log.String()
	for _, want := range []string{`"level":"ERROR"`, "password of the database", "panic: secret thing", "server_test.go", `"status":500`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestRouting(t *testing.T) {
	word := func(w string) func(context.Context, auth.Caller, struct{}) (string, error) { return give(w, nil) }
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /device/{id}", "", auth.Anyone, echoID),
		web.Handle("GET /device/{id}/data", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in echoIn) (string, error) {
			return "data of " + string(in.ID), nil
		}),
		web.Handle("GET /device/token/{token}", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Token string `path:"token"`
		}) (string, error) {
			return "token " + in.Token, nil
		}),
		web.Handle("DELETE /device/token/{token}", "", auth.Anyone, word("deleted")),
		web.Handle("PUT /device/params/{id}", "", auth.Anyone, word("params")),
		web.Handle("PUT /device/{id}/data", "", auth.Anyone, word("put data")),
		web.Handle("POST /profile/", "", auth.Anyone, word("made")),
		web.Handle("GET /profile/current", "", auth.Anyone, word("current")),
		web.Handle("GET /profile/{id}", "", auth.Anyone, echoID),
		web.Handle("GET /account/passwordreset/{id}", "", auth.Anyone, echoID),
		web.Handle("GET /", "", auth.Anyone, word("root")),
		web.Handle("GET /run/users/{id}", "", auth.Anyone, echoID),
		web.Handle("GET /run/{url}/info", "", auth.Anyone, word("info")),
	})
	for _, c := range []struct {
		method, path string
		status       int
		result       string
	}{
		{"GET", "/device/abc", 200, "abc"},
		{"GET", "/device/abc/", 200, "abc"},
		{"GET", "/device/abc//", 404, ""},
		{"GET", "/device/abc/data", 200, "data of abc"},
		{"GET", "/device/token/data", 200, "token data"},
		{"GET", "/device/token/xyz", 200, "token xyz"},
		{"PUT", "/device/params/data", 200, "params"},
		{"PUT", "/device/abc/data", 200, "put data"},
		{"POST", "/profile/", 200, "made"},
		{"POST", "/profile", 200, "made"},
		{"GET", "/profile/current", 200, "current"},
		{"GET", "/profile/current2", 200, "current2"},
		{"GET", "/account/passwordreset/a+b@x.com", 200, "a+b@x.com"},
		{"GET", "/account/passwordreset/a%2Bb%40x.com", 200, "a+b@x.com"},
		{"GET", "/account/passwordreset/100%25", 200, "100%"},
		{"GET", "/account/passwordreset/a%252Fb", 200, "a%2Fb"},
		{"GET", "/account/passwordreset/a%2Fb", 200, "a/b"},
		{"GET", "/account/passwordreset/a%2fb%20c", 200, "a/b c"},
		{"GET", "/account/passwordreset/sm%C3%B8rebr%C3%B8d", 200, "smørebrød"},
		{"GET", "/d%65vice/abc", 200, "abc"},
		{"GET", "/account/passwordreset/%FF", 400, ""},
		{"GET", "/account/passwordreset/%00", 400, ""},
		{"GET", "/", 200, "root"},
		{"GET", "/run/users/7", 200, "7"},
		{"GET", "/run/users/info", 200, "info"},
		{"GET", "/run/app.example.com/info", 200, "info"},
		{"GET", "/device//data", 404, ""},
		{"GET", "//device/abc", 404, ""},
		{"GET", "/device", 404, ""},
		{"PATCH", "/device/abc", 405, ""},
		{"POST", "/device/token/abc", 405, ""},
	} {
		a := s.call(c.method, c.path, "")
		m := a.json(t)
		if a.Status != c.status {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, a.Status, c.status, a.Body)
			continue
		}
		if a.Status == 200 && m["result"] != c.result && c.path != "/run/users/info" {
			t.Errorf("%s %s: %v, want %q", c.method, c.path, m["result"], c.result)
		}
	}
	t.Run("405 names the methods that would do", func(t *testing.T) {
		a := s.call("POST", "/device/token/abc", "")
		if got := a.Header.Get("Allow"); got != "GET, HEAD, DELETE, OPTIONS" {
			t.Errorf("Allow is %q", got)
		}
		if a := s.call("BREW", "/device/abc", ""); a.Status != 405 || a.Header.Get("Allow") == "" {
			t.Errorf("an unknown method: %d %q", a.Status, a.Header.Get("Allow"))
		}
	})
	t.Run("HEAD is answered by the GET route without a body", func(t *testing.T) {
		a := s.call("HEAD", "/device/abc", "")
		if a.Status != 200 || a.Body != "" || a.Header.Get("Content-Length") != "30" {
			t.Errorf("%d %q %v", a.Status, a.Body, a.Header)
		}
		if a := s.call("HEAD", "/nowhere", ""); a.Status != 404 {
			t.Errorf("%d", a.Status)
		}
	})
	t.Run("a + in the path of a raw request stays", func(t *testing.T) {
		got := s.wire("GET /account/passwordreset/a+b@x.com HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5*time.Second)
		if !strings.Contains(got, `"result":"a+b@x.com"`) {
			t.Errorf("%s", got)
		}
	})
	t.Run("OPTIONS * is answered", func(t *testing.T) {
		got := s.wire("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5*time.Second)
		if !strings.HasPrefix(got, "HTTP/1.1 204") && !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("%s", got)
		}
	})
}

func TestNewServerRefusesBadRoutes(t *testing.T) {
	cfg := web.Config{Authenticate: authenticate, Clock: clockSystem, Log: discard}
	for name, routes := range map[string][]web.Route{
		"the same pattern twice":           {web.Handle("GET /a/{x}", "", auth.Anyone, give(1, nil)), web.Handle("GET /a/{y}", "", auth.Anyone, give(2, nil))},
		"a rule that admits nobody":        {web.Handle("GET /a", "", auth.Rule{}, give(1, nil))},
		"a route that Handle did not make": {{Method: "GET", Pattern: "/a", Rule: auth.Anyone}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			web.NewServer(cfg, routes)
		})
	}
}

func TestCORS(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /data", "", auth.OfDevice, give("1 Data Added", nil)),
		web.Handle("GET /device/{id}", "", auth.InProfile, echoID),
	})
	for _, path := range []string{"/data", "/device/1", "/nowhere"} {
		a := s.call("OPTIONS", path, "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "token,content-type")
		if a.Status != 204 {
			t.Errorf("preflight of %s: %d", path, a.Status)
		}
		allowed := "," + strings.ReplaceAll(a.Header.Get("Access-Control-Allow-Headers"), " ", "") + ","
		for _, h := range []string{"token", "content-type", "pragma", "cache-control", "authorization", "account-token", "profile-token", "device-token", "profile-id", "idempotency-key"} {
			if !strings.Contains(allowed, ","+h+",") {
				t.Errorf("preflight does not allow %s: %s", h, allowed)
			}
		}
		for _, m := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
			if !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), m) {
				t.Errorf("preflight does not allow %s", m)
			}
		}
	}
	for _, a := range []answer{
		s.call("POST", "/data", "", "token", deviceToken, "Origin", "https://app.example.com"),
		s.call("POST", "/data", "", "token", "wrong", "Origin", "https://app.example.com"),
		s.call("GET", "/nowhere", "", "Origin", "https://app.example.com"),
		s.call("PUT", "/data", "", "Origin", "https://app.example.com"),
	} {
		if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%d: %v", a.Status, a.Header)
		}
		expose := a.Header.Get("Access-Control-Expose-Headers")
		for _, h := range []string{"RateLimit", "Retry-After", "X-Request-Id"} {
			if !strings.Contains(expose, h) {
				t.Errorf("%s is not exposed", h)
			}
		}
	}
	if got := s.call("OPTIONS", "/data", "").Header.Get("Allow"); got != "POST, OPTIONS" {
		t.Errorf("Allow of OPTIONS is %q", got)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := start(t, web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, []web.Route{
		web.Handle("GET /ok", "", auth.Anyone, give(1, nil)),
		web.Handle("GET /raw", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (web.Raw, error) {
			return web.Raw{Type: "text/html", Body: []byte("<p>")}, nil
		}),
		web.Handle("GET /panic", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (string, error) { panic(1) }),
	}, func(s *web.Server) {
		s.Mount("/console", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=5")
			io.WriteString(w, "page "+r.URL.Path)
		}))
	})
	for _, path := range []string{"/ok", "/raw", "/nowhere", "/panic", "/console/", "/console/x.js"} {
		a := s.call("GET", path, "")
		h := a.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, h)
		}
		if page := path == "/raw" || strings.HasPrefix(path, "/console"); page != (h.Get("Referrer-Policy") == "no-referrer") || page != (h.Get("X-Frame-Options") == "DENY") {
			t.Errorf("%s: %v", path, h)
		}
		if h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS over http", path)
		}
		if strings.HasPrefix(path, "/console") {
			if a.Body != "page "+path || h.Get("Cache-Control") != "max-age=5" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %q %v", path, a.Body, h)
			}
		} else if h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", path, h)
		}
	}
	if h := s.call("GET", "/ok", "", "X-Forwarded-Proto", "https").Header; h.Get("Strict-Transport-Security") == "" {
		t.Errorf("no HSTS behind a proxy that speaks https")
	}
	if a := s.call("GET", "/consolexyz", ""); a.Status != 404 {
		t.Errorf("/consolexyz: %d", a.Status)
	}
}

func TestTokens(t *testing.T) {
	who := func(_ context.Context, who auth.Caller, _ struct{}) (string, error) { return string(who.Kind), nil }
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /me", "", auth.AnyToken, who),
		web.Handle("POST /write", "", auth.InProfile, who),
		web.Handle("GET /device", "", auth.InProfile, who),
		web.Handle("GET /data", "", auth.OfDevice, who),
		web.Handle("GET /open", "", auth.Anyone, who),
	})
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		kind               string
	}{
		{"no token", "GET", "/me", nil, 401, ""},
		{"a wrong token", "GET", "/me", []string{"token", "wrong"}, 401, ""},
		{"token", "GET", "/me", []string{"token", profileToken}, 200, "profile"},
		{"authorization raw", "GET", "/me", []string{"authorization", profileToken}, 200, "profile"},
		{"authorization with Bearer", "GET", "/me", []string{"Authorization", "Bearer " + profileToken}, 200, "profile"},
		{"authorization with a password for a proxy", "GET", "/me", []string{"Authorization", "Basic eHg6eXk="}, 401, ""},
		{"account-token", "GET", "/me", []string{"Account-Token", profileToken}, 200, "profile"},
		{"profile-token", "GET", "/me", []string{"profile-token", profileToken}, 200, "profile"},
		{"device-token", "GET", "/me", []string{"device-token", deviceToken}, 200, "device"},
		{"analysis-token", "GET", "/me", []string{"analysis-token", deviceToken}, 200, "device"},
		{"network-token", "GET", "/me", []string{"network-token", deviceToken}, 200, "device"},
		{"public-token", "GET", "/me", []string{"public-token", deviceToken}, 200, "device"},
		{"authorized", "GET", "/me", []string{"authorized", deviceToken}, 200, "device"},
		{"query token", "GET", "/me?token=" + profileToken, nil, 200, "profile"},
		{"query authorization", "GET", "/me?x=1&authorization=" + profileToken, nil, 200, "profile"},
		{"query account_token", "GET", "/me?account_token=" + profileToken, nil, 200, "profile"},
		{"query device_token", "GET", "/me?device_token=" + deviceToken, nil, 200, "device"},
		{"a filter called token is no credential", "GET", "/me?filter[token]=" + profileToken, nil, 401, ""},
		{"header before query", "GET", "/me?token=wrong", []string{"token", profileToken}, 200, "profile"},
		{"a token of the wrong kind", "GET", "/data", []string{"token", profileToken}, 401, ""},
		{"a device where a profile is asked", "GET", "/device", []string{"token", deviceToken}, 401, ""},
		{"a reading token that writes", "POST", "/write", []string{"token", readToken}, 401, ""},
		{"a reading token that reads", "GET", "/device", []string{"token", readToken}, 200, "profile"},
		{"HEAD with a reading token", "HEAD", "/device", []string{"token", readToken}, 200, ""},
		{"anonymous on an open route", "GET", "/open", nil, 200, "none"},
		{"a bad token on an open route", "GET", "/open", []string{"token", "wrong"}, 200, "none"},
		{"a good token on an open route", "GET", "/open", []string{"token", profileToken}, 200, "profile"},
		{"a token without end", "GET", "/me", []string{"token", strings.Repeat("x", 5000)}, 401, ""},
		{"an authenticator that cannot work", "GET", "/open", []string{"token", "the-database-is-away-right-now"}, 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.call(c.method, c.path, "", c.headers...)
			if a.Status != c.status {
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
			if c.status == 401 && a.message(t) != "Authorization Denied" {
				t.Errorf("message %q", a.message(t))
			}
			if c.kind != "" && a.json(t)["result"] != c.kind {
				t.Errorf("result %v", a.Body)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, profileToken) || strings.Contains(log, deviceToken) || strings.Contains(log, "token=") {
		t.Error("a token is in the log")
	}
}

func TestCookies(t *testing.T) {
	who := func(_ context.Context, who auth.Caller, _ struct{}) (string, error) {
		return string(who.Kind) + " " + string(who.ProfileID), nil
	}
	routes := []web.Route{
		web.Handle("GET /device", "", auth.InProfile, who),
		web.Handle("POST /device", "", auth.InProfile, who),
		web.Handle("GET /profile", "", auth.InProfile, who, web.NoProfile),
		web.Handle("POST /open", "", auth.Anyone, who),
		web.Handle("POST /login", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct{ R *web.Request }) (web.Reply, error) {
			c, err := in.R.SessionCookie(sessionValue, 3600)
			if err != nil {
				return web.Reply{}, err
			}
			return web.Reply{Result: "in", Cookies: []*http.Cookie{c}}, nil
		}),
	}
	s := start(t, web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, PublicURL: "https://iot.example.com/"}, routes)
	own := "http://" + s.addr
	plain, secure := "paddock_session="+sessionValue, "__Host-paddock_session="+sessionValue
	https := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "iot.example.com"}
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		result             string
	}{
		{"reads with a profile", "GET", "/device", []string{"Cookie", plain, "Profile-Id", "64b0"}, 200, "session 64b0"},
		{"names no profile", "GET", "/device", []string{"Cookie", plain}, 400, ""},
		{"names no profile where none is needed", "GET", "/profile", []string{"Cookie", plain}, 200, "session "},
		{"writes from its own page", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Origin", own, "Sec-Fetch-Site", "same-origin"}, 200, "session 64b0"},
		{"writes with Origin only", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Origin", own}, 200, "session 64b0"},
		{"writes with Sec-Fetch-Site only", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Sec-Fetch-Site", "same-origin"}, 200, "session 64b0"},
		{"writes with neither", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0"}, 403, ""},
		{"writes from another site", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Origin", "https://evil.example.com"}, 403, ""},
		{"writes from a frame without origin", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Origin", "null"}, 403, ""},
		{"writes cross-site", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Sec-Fetch-Site", "cross-site", "Origin", own}, 403, ""},
		{"writes from another port of the same site", "POST", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "Sec-Fetch-Site", "same-site"}, 403, ""},
		{"writes from another site to an open route", "POST", "/open", []string{"Cookie", plain, "Origin", "https://evil.example.com"}, 200, "none "},
		{"a token beside the cookie wins and needs no origin", "POST", "/device", []string{"Cookie", plain, "token", profileToken}, 200, "profile " + string(theProfile)},
		{"a bad token beside a good cookie is a bad token", "GET", "/device", []string{"Cookie", plain, "Profile-Id", "64b0", "token", "wrong"}, 401, ""},
		{"a wrong cookie", "GET", "/device", []string{"Cookie", "paddock_session=nonsense", "Profile-Id", "64b0"}, 401, ""},
		{"another cookie", "GET", "/device", []string{"Cookie", "theme=dark"}, 401, ""},
		{"the plain cookie over https", "GET", "/device", append([]string{"Cookie", plain, "Profile-Id", "64b0"}, https...), 401, ""},
		{"the secure cookie over https", "GET", "/device", append([]string{"Cookie", secure, "Profile-Id", "64b0"}, https...), 200, "session 64b0"},
		{"writes over https", "POST", "/device", append([]string{"Cookie", secure, "Profile-Id", "64b0", "Origin", "https://iot.example.com"}, https...), 200, "session 64b0"},
		{"writes over https behind a proxy that hides the host", "POST", "/device", []string{"X-Forwarded-Proto", "https", "Cookie", secure, "Profile-Id", "64b0", "Origin", "https://iot.example.com"}, 200, "session 64b0"},
		{"writes over https from an http page", "POST", "/device", append([]string{"Cookie", secure, "Profile-Id", "64b0", "Origin", "http://iot.example.com"}, https...), 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.call(c.method, c.path, "", c.headers...)
			m := a.json(t)
			if a.Status != c.status || c.status == 200 && m["result"] != c.result {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("the cookie of http on this machine", func(t *testing.T) {
		got := s.call("POST", "/login", "", "Origin", own).Header.Get("Set-Cookie")
		if got != "paddock_session="+sessionValue+"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax" {
			t.Error(got)
		}
	})
	t.Run("the cookie of https", func(t *testing.T) {
		got := s.call("POST", "/login", "", https...).Header.Get("Set-Cookie")
		if got != "__Host-paddock_session="+sessionValue+"; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax" {
			t.Error(got)
		}
	})
	t.Run("http to another machine is told why it cannot sign in", func(t *testing.T) {
		a := s.call("POST", "/login", "", "Host", "192.168.1.5:8080")
		if a.Status != 403 || !strings.Contains(a.message(t), "https") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("another site cannot sign a browser in", func(t *testing.T) {
		if a := s.call("POST", "/login", "", "Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"); a.Status != 403 || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("in development the console's server may stand before us", func(t *testing.T) {
		s := start(t, web.Config{Dev: true}, routes)
		a := s.call("POST", "/device", "", "Cookie", plain, "Profile-Id", "64b0", "Origin", "http://localhost:5173", "Sec-Fetch-Site", "same-origin")
		if a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := s.call("POST", "/device", "", "Cookie", plain, "Profile-Id", "64b0", "Origin", "http://evil.example.com"); a.Status != 403 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func TestProxies(t *testing.T) {
	show := func(_ context.Context, who auth.Caller, in struct{ R *web.Request }) (string, error) {
		return who.Addr + " " + in.R.Public, nil
	}
	routes := []web.Route{web.Handle("GET /", "", auth.Anyone, show)}
	trusting := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		headers []string
		want    string
	}{
		{"nobody forwards", trusting, nil, "127.0.0.1 http://h:1"},
		{"nobody is trusted", nil, []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https"}, "127.0.0.1 http://h:1"},
		{"the peer is not trusted", trusting[1:], []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil"}, "127.0.0.1 http://h:1"},
		{"one proxy", trusting, []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "iot.example.com"}, "1.2.3.4 https://iot.example.com"},
		{"a client that lies", trusting, []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4"}, "1.2.3.4 http://h:1"},
		{"two proxies", trusting, []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4, 10.1.1.1"}, "1.2.3.4 http://h:1"},
		{"everybody is trusted", trusting, []string{"X-Forwarded-For", "10.2.2.2, 10.1.1.1"}, "10.2.2.2 http://h:1"},
		{"IPv6 with a port", trusting, []string{"X-Forwarded-For", "[2001:db8::1]:4711, fd00::2"}, "2001:db8::1 http://h:1"},
		{"nonsense before a proxy", trusting, []string{"X-Forwarded-For", "unknown, 10.1.1.1"}, "10.1.1.1 http://h:1"},
		{"a host that is none", trusting, []string{"X-Forwarded-Host", "a/b\"><script>"}, "127.0.0.1 http://h:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, web.Config{TrustedProxies: c.trusted}, routes)
			if got := s.call("GET", "/", "", append([]string{"Host", "h:1"}, c.headers...)...).json(t)["result"]; got != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{web.Handle("GET /", "", auth.Anyone, give("", fault.New(fault.Conflict, "x")))})
	a := s.call("GET", "/", "", "X-Request-Id", "mine-1")
	if a.Header.Get("X-Request-Id") != "mine-1" || a.json(t)["request_id"] != "mine-1" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	seen := map[string]bool{}
	for _, sent := range []string{"", "a b", strings.Repeat("x", 65), "é", "<x>"} {
		got := s.call("GET", "/", "", "X-Request-Id", sent).Header.Get("X-Request-Id")
		if got == "" || got == sent || seen[got] {
			t.Errorf("for %q: %q", sent, got)
		}
		seen[got] = true
	}
}

func TestLogLeavesOutWhatWentWell(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /quick", "", auth.Anyone, give("", nil)),
		web.Handle("GET /refused", "", auth.Anyone, give("", fault.New(fault.Conflict, "x"))),
		web.Handle("GET /slow", "", auth.Anyone, func(context.Context, auth.Caller, struct{}) (string, error) {
			time.Sleep(time.Second)
			return "", nil
		}),
	})
	for _, path := range []string{"/quick", "/refused", "/slow", "/nowhere"} {
		s.call("GET", path, "")
	}
	log := s.log.String()
	if strings.Contains(log, "/quick") || strings.Count(log, "\n") != 3 {
		t.Errorf("%s", log)
	}
}

func TestLogAndMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := start(t, web.Config{Metrics: reg, Version: "1.2", LogAll: true}, []web.Route{web.Handle("GET /device/{id}", "", auth.InProfile, echoID)})
	s.call("GET", "/device/secret-id?token="+profileToken, "")
	s.call("GET", "/device/secret-id", "")
	s.call("GET", "/secret-path", "")
	log := s.log.String()
	for _, want := range []string{`"route":"/device/{id}","status":200,"kind":"profile","profile":"` + string(theProfile) + `"`, `"route":"/device/{id}","status":401,"kind":"none"`, `"route":"unmatched","status":404`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") || strings.Contains(log, profileToken) {
		t.Errorf("the log tells a path or a token:\n%s", log)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			switch {
			case m.Counter != nil:
				got[key] = m.GetCounter().GetValue()
			case m.Gauge != nil:
				got[key] = m.GetGauge().GetValue()
			case m.Histogram != nil:
				got[key] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	for key, want := range map[string]float64{
		"http_requests_total GET /device/{id} 200":       1,
		"http_requests_total GET /device/{id} 401":       1,
		"http_requests_total  unmatched 404":             1,
		"http_request_duration_seconds GET /device/{id}": 2,
		"http_requests_in_flight":                        0,
		"build_info 1.2":                                 1,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v; all: %v", key, got[key], want, got)
		}
	}
}

func TestOutcome(t *testing.T) {
	outcomes := make(chan web.Outcome, 10)
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /device/{id}/data", "", auth.InProfile, func(_ context.Context, _ auth.Caller, in struct {
			ID   id.Device `path:"id"`
			Body []byte    `body:"json"`
		}) (string, error) {
			if len(in.Body) > 3000 {
				return "", fault.Field("[0].variable", "must be a string")
			}
			return "1 Data Added", nil
		}),
	}, func(s *web.Server) {
		s.Observe(func(o web.Outcome) { o.Body = append([]byte(nil), o.Body...); outcomes <- o })
	})
	s.call("POST", "/device/d1/data", `{"variable":"a"}`, "token", profileToken)
	o := <-outcomes
	if o.Status != 200 || o.Pattern != "/device/{id}/data" || o.Path["id"] != "d1" || string(o.Body) != `{"variable":"a"}` || o.BodySize != 16 ||
		o.Caller.Kind != auth.Profile || o.Credential.Tail() != "5555" || o.Credential.Kind() != "token" || o.Addr != "127.0.0.1" || o.Message != "" {
		t.Errorf("%+v", o)
	}
	if o.Credential.Hash() == "" || strings.Contains(o.Credential.String(), "1111") {
		t.Errorf("credential %v", o.Credential)
	}
	s.call("POST", "/device/d1/data", strings.Repeat(" ", 4000), "token", profileToken)
	if o := <-outcomes; o.Status != 400 || o.Message != "[0].variable: must be a string" || len(o.Body) != web.OutcomeBody || o.BodySize != 4000 {
		t.Errorf("%d %q %d %d", o.Status, o.Message, len(o.Body), o.BodySize)
	}
	s.call("POST", "/device/d1/data", `{"variable":"b"}`, "token", "p-revoked-2222-4333-8444-555555557777")
	if o := <-outcomes; o.Status != 401 || o.Caller.Kind != auth.Anonymous || string(o.Body) != `{"variable":"b"}` || o.Credential.Tail() != "7777" {
		t.Errorf("a refused one: %+v", o)
	}
}

func TestAdmit(t *testing.T) {
	s := start(t, web.Config{Admit: func(_ context.Context, a web.Attempt) error {
		a.Header.Set("RateLimit", "1;w=60")
		if a.Route.Group == "data" && a.Caller.Kind == auth.Device {
			return fault.New(fault.TooMany, "Too many requests (Retry-After: 3)").After(3 * time.Second).With(fault.Limit{Limit: "data", Allowed: 1})
		}
		if a.Path("id") == "d1" && a.Query("query") == "aggregate" && a.Query("none") == "" && a.Path("none") == "" {
			return fault.New(fault.TooMany, "an aggregate")
		}
		return nil
	}}, []web.Route{
		web.Handle("POST /data", "", auth.AnyToken, give(1, nil), web.Group("data")),
		web.Handle("GET /device/{id}/data", "", auth.AnyToken, give(1, nil)),
	})
	if a := s.call("GET", "/device/d1/data?query=aggregate", "", "token", profileToken); a.Status != 429 {
		t.Errorf("%d", a.Status)
	}
	if a := s.call("GET", "/device/d1/data?query=last_value", "", "token", profileToken); a.Status != 200 {
		t.Errorf("%d", a.Status)
	}
	if a := s.call("POST", "/data", "{}", "token", deviceToken, "X-Request-Id", "abc"); !strings.Contains(string(a.Body), `"error":{"limit":"data","scope":"","used":0,"allowed":1,"resets_at":null,"request_id":"abc","hint":""}`) {
		t.Errorf("%s", a.Body)
	}
	if a := s.call("POST", "/data", "{}", "token", deviceToken); a.Status != 429 || a.Header.Get("Retry-After") != "3" || a.Header.Get("RateLimit") == "" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	if a := s.call("POST", "/data", "{}", "token", profileToken); a.Status != 200 {
		t.Errorf("%d", a.Status)
	}
	if a := s.call("POST", "/data", "{}"); a.Status != 401 || a.Header.Get("RateLimit") != "" {
		t.Errorf("a caller without token was asked for its rate: %d %v", a.Status, a.Header)
	}
}

func TestClientGone(t *testing.T) {
	began, ended := make(chan bool), make(chan bool)
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /slow", "", auth.Anyone, func(ctx context.Context, _ auth.Caller, _ struct{}) (string, error) {
			began <- true
			<-ctx.Done()
			defer close(ended)
			return "", ctx.Err()
		}),
		web.Handle("POST /body", "", auth.Anyone, func(context.Context, auth.Caller, named2) (string, error) { return "", nil }),
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/slow", nil)
	go client.Do(req)
	<-began
	cancel()
	<-ended
	got := s.wire("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 100*time.Millisecond)
	if got != "" {
		t.Errorf("half a body was answered: %s", got)
	}
	for range 100 {
		if strings.Count(s.log.String(), `"status":499`) == 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	log := s.log.String()
	if strings.Count(log, `"status":499`) != 2 || strings.Contains(log, `"ERROR"`) {
		t.Error(log)
	}
}

type named2 struct {
	Name string `json:"name"`
}

func TestSlowBodies(t *testing.T) {
	t.Parallel() // it mostly waits
	type result struct {
		status int
		took   time.Duration
		body   string
	}
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /data", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (int, error) {
			return len(in.Body), nil
		}),
	})
	// send writes size bytes in chunks with pauses and tells what came back.
	send := func(size, chunk int, pause time.Duration) (r result) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		begin := time.Now()
		io.WriteString(c, "POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: "+itoa(size)+"\r\n\r\n")
		go func() {
			for sent := 0; sent < size; sent += chunk {
				if _, err := io.WriteString(c, strings.Repeat(" ", min(chunk, size-sent))); err != nil {
					return
				}
				time.Sleep(pause)
			}
		}()
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(res.Body)
		return result{res.StatusCode, time.Since(begin), string(b)}
	}
	t.Run("a body that drips is refused after the grace", func(t *testing.T) {
		t.Parallel()
		r := send(10_000, 10, 200*time.Millisecond)
		if r.status != 408 || r.took < 4*time.Second || r.took > 8*time.Second || !strings.Contains(r.body, `"status":false`) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a body that never comes is refused after the grace", func(t *testing.T) {
		t.Parallel()
		r := send(10_000, 100, time.Hour)
		if r.status != 408 || r.took > 8*time.Second {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a slow line is served", func(t *testing.T) {
		t.Parallel()
		r := send(16_000, 400, 200*time.Millisecond)
		if r.status != 200 || r.took < 7*time.Second || !strings.Contains(r.body, "16000") {
			t.Errorf("%+v", r)
		}
	})
}

func TestSlowHandler(t *testing.T) {
	t.Parallel()
	// The deadline for reading must be gone when a handler works longer than it.
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /data", "", auth.Anyone, func(ctx context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (string, error) {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(6 * time.Second):
				return strings.Repeat("x", 300_000), nil
			}
		}),
	})
	if a := s.call("POST", "/data", "[]"); a.Status != 200 || len(a.Body) < 300_000 {
		t.Errorf("%d, %d bytes", a.Status, len(a.Body))
	}
}

func TestBodyBudget(t *testing.T) {
	hold, held := make(chan bool), make(chan bool)
	s := start(t, web.Config{BodyBudget: 100_000, BodyWait: 300 * time.Millisecond}, []web.Route{
		web.Handle("POST /data", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (int, error) {
			if len(in.Body) > 50_000 {
				held <- true
				<-hold
			}
			return 1, nil
		}),
	})
	done, late := make(chan answer), make(chan answer)
	go func() { done <- s.call("POST", "/data", strings.Repeat(" ", 90_000)) }()
	<-held
	if a := s.call("POST", "/data", strings.Repeat(" ", 2_000)); a.Status != 200 {
		t.Errorf("within the budget: %d", a.Status)
	}
	if a := s.call("POST", "/data", strings.Repeat(" ", 20_000)); a.Status != 503 || a.Header.Get("Retry-After") != "1" {
		t.Errorf("past the budget for too long: %d %v", a.Status, a.Header)
	}
	go func() { late <- s.call("POST", "/data", strings.Repeat(" ", 20_000)) }()
	time.Sleep(50 * time.Millisecond)
	close(hold)
	if a := <-done; a.Status != 200 {
		t.Errorf("the large one: %d", a.Status)
	}
	if a := <-late; a.Status != 200 {
		t.Errorf("the one that waited: %d", a.Status)
	}
	go func() { <-held }()
	if a := s.call("POST", "/data", strings.Repeat(" ", 90_000)); a.Status != 200 {
		t.Errorf("the budget was not given back: %d", a.Status)
	}
}
