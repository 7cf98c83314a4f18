package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// app2FA is the authenticator app of a person: it shows the code of a step once and then waits for the next.
type app2FA struct {
	s        *apptest.Server
	secret   string
	recovery []string
}

func (a *app2FA) code(t *testing.T) string {
	t.Helper()
	a.s.Clock.Advance(30 * time.Second)
	c, err := totp.GenerateCode(a.secret, a.s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// factorOn turns the second factor of who on, as the client does.
func factorOn(t *testing.T, s *apptest.Server, who apptest.Who) *app2FA {
	t.Helper()
	var setup struct{ Secret, URL, QR string }
	s.Call(t, "POST", "/account/otp/authenticator/enable", who.Token, row{"email": who.Email, "password": apptest.Password}).Want(t, 200).Into(t, &setup)
	a := &app2FA{s: s, secret: setup.Secret}
	if !strings.HasPrefix(setup.URL, "otpauth://totp/") || !strings.HasPrefix(setup.QR, "<svg ") {
		t.Fatalf("set up with %+v", setup)
	}
	var done struct {
		Codes []string `json:"recovery_codes"`
	}
	s.Call(t, "POST", "/account/otp/authenticator/confirm", who.Token, row{"pin_code": a.code(t)}).Want(t, 200).Into(t, &done)
	if a.recovery = done.Codes; len(a.recovery) != 10 {
		t.Fatalf("recovery codes %v", done.Codes)
	}
	return a
}

// asked fails the test unless the answer is the client's sign that a code is needed.
func asked(t *testing.T, a apptest.Answer) {
	t.Helper()
	a.Want(t, 401)
	var said map[string]any
	if err := json.Unmarshal([]byte(a.Message), &said); err != nil || said["otp_autosend"] != "authenticator" || fmt.Sprint(said["otp_enabled"]) != "[authenticator]" {
		t.Errorf("%s %s answered %q", a.Method, a.Path, a.Message)
	}
}

func TestBehaviour10_DeleteProfileWithCode(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		gone := s.Profile(t, a, "Gone")
		phone := factorOn(t, s, a)
		path := "/profile/" + gone.Profile
		asked(t, s.Call(t, "DELETE", path, a.Token, row{"password": apptest.Password}))
		if x := s.Call(t, "DELETE", path, a.Token, row{"password": "wrong", "pin_code": phone.code(t)}).Want(t, 401); x.Message != "Invalid password" {
			t.Errorf("answered %q", x.Message)
		}
		if x := s.Call(t, "DELETE", path, a.Token, row{"password": apptest.Password, "pin_code": "000000"}).Want(t, 401); x.Message != "Invalid pin code" {
			t.Errorf("answered %q", x.Message)
		}
		s.Call(t, "GET", path, a.Token, nil).Want(t, 200) // nothing was deleted
		s.Call(t, "DELETE", path, a.Token, row{"password": apptest.Password, "pin_code": phone.code(t)}).Want(t, 200)
		s.Call(t, "GET", path, a.Token, nil).Want(t, 404)
	}, apptest.AtTime(noon))
}

func TestBehaviour37_TokenNeedsCode(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		phone := factorOn(t, s, a)
		count := func() int {
			var rows []row
			s.Call(t, "GET", "/profile/"+a.Profile+"/token", a.Token, nil).Want(t, 200).Into(t, &rows)
			return len(rows)
		}
		before := count()
		ways := map[string]row{
			"/profile/" + a.Profile + "/token": {"name": "t", "permission": "full", "email": a.Email},
			"/account/profile/token":           {"name": "t", "profile_id": a.Profile, "email": a.Email},
		}
		for path, body := range ways {
			body["password"] = apptest.Password
			asked(t, s.Call(t, "POST", path, a.Token, body))
			used := phone.code(t)
			body["pin_code"], body["otp_type"] = used, "authenticator"
			s.Call(t, "POST", path, a.Token, body).Want(t, 200, 201)
			s.Call(t, "POST", path, a.Token, body).Want(t, 401) // the same code again
			body["password"], body["pin_code"] = "wrong", phone.code(t)
			s.Call(t, "POST", path, a.Token, body).Want(t, 401)
			body["password"], body["pin_code"], body["otp_type"] = apptest.Password, phone.recovery[0], ""
			s.Call(t, "POST", path, a.Token, body).Want(t, 200, 201)
			phone.recovery = phone.recovery[1:]
		}
		if got := count(); got != before+4 {
			t.Errorf("%d tokens, want %d", got, before+4)
		}
		// So does signing in, with and without a browser.
		for _, path := range []string{"/account/login", "/session"} {
			body := row{"email": a.Email, "password": apptest.Password}
			asked(t, s.Call(t, "POST", path, "", body))
			body["pin_code"] = phone.code(t)
			s.Call(t, "POST", path, "", body).Want(t, 200)
		}
	}, apptest.AtTime(noon))
}

func TestSecondFactorRoutes(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		otp := func() bool {
			var info struct{ OTP map[string]bool }
			s.Call(t, "GET", "/account", a.Token, nil).Want(t, 200).Into(t, &info)
			if info.OTP["sms"] || info.OTP["email"] {
				t.Errorf("otp %v", info.OTP)
			}
			return info.OTP["authenticator"]
		}
		for _, kind := range []string{"sms", "email"} {
			for _, verb := range []string{"enable", "confirm", "disable"} {
				x := s.Call(t, "POST", "/account/otp/"+kind+"/"+verb, a.Token, row{"email": a.Email, "password": apptest.Password, "pin_code": "123456"}).Want(t, 400)
				if !strings.Contains(x.Message, "not offered here") {
					t.Errorf("%s %s: %q", kind, verb, x.Message)
				}
			}
		}
		s.Call(t, "POST", "/account/otp/pigeon/enable", a.Token, row{"password": apptest.Password}).Want(t, 400)
		s.Call(t, "POST", "/account/otp/authenticator/enable", "", row{"email": a.Email, "password": apptest.Password}).Want(t, 401)
		login := func(kind string) apptest.Answer {
			return s.Call(t, "POST", "/account/login/otp", "", row{"email": a.Email, "password": apptest.Password, "otp_type": kind}).Want(t, 400)
		}
		if x := login("email"); !strings.Contains(x.Message, "not offered here") {
			t.Errorf("%q", x.Message)
		}
		if x := login("authenticator"); !strings.Contains(x.Message, "the app shows the code") {
			t.Errorf("%q", x.Message)
		}
		s.Call(t, "POST", "/account/login/otp", "", row{"email": a.Email, "password": "wrong", "otp_type": "sms"}).Want(t, 401)

		if otp() {
			t.Error("on before it was enabled")
		}
		phone := factorOn(t, s, a)
		if !otp() {
			t.Error("not shown as on")
		}
		var state struct {
			Authenticator struct {
				Enabled bool
				Left    int `json:"recovery_codes_left"`
			}
		}
		s.Call(t, "GET", "/account/otp", a.Token, nil).Want(t, 200).Into(t, &state)
		if !state.Authenticator.Enabled || state.Authenticator.Left != 10 {
			t.Errorf("%+v", state)
		}
		s.Call(t, "POST", "/account/otp/authenticator/recovery", a.Token, row{"password": apptest.Password, "pin_code": phone.code(t)}).Want(t, 200)
		s.Call(t, "POST", "/account/otp/authenticator/disable", a.Token, row{"email": a.Email, "password": apptest.Password, "pin_code": phone.recovery[0]}).Want(t, 401)
		asked(t, s.Call(t, "POST", "/account/otp/authenticator/disable", a.Token, row{"email": a.Email, "password": apptest.Password}))
		s.Call(t, "POST", "/account/otp/authenticator/disable", a.Token, row{"email": a.Email, "password": apptest.Password, "pin_code": phone.code(t)}).Want(t, 200)
		if otp() {
			t.Error("shown as on after it was disabled")
		}
	}, apptest.AtTime(noon))
}

// TestReset2FA runs the verb beside the server.
func TestReset2FA(t *testing.T) {
	s := apptest.Start(t, "sqlite", apptest.AtTime(noon))
	a := s.Account(t, "house")
	factorOn(t, s, a)
	verb := func(email string) (int, string) {
		var out bytes.Buffer
		code := app.Main([]string{"account", "reset-2fa", email, "--data", s.Data}, strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	if code, said := verb(a.Email); code != 0 || !strings.Contains(said, "has no second factor any more") {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := verb(a.Email); code != 0 || !strings.Contains(said, "had no second factor") {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := verb("nobody@example.test"); code != 1 || !strings.Contains(said, "Account Not Found") {
		t.Errorf("%d: %s", code, said)
	}
	s.Call(t, "POST", "/account/login", "", row{"email": a.Email, "password": apptest.Password}).Want(t, 200)
}

// browser keeps the cookie of one signed-in browser.
type browser struct {
	s      *apptest.Server
	cookie string // name=value
}

func (b *browser) call(t *testing.T, method, path string, body any, header ...string) apptest.Answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, b.s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		q.Body, q.ContentLength = nil, 0
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", b.s.URL)
	if b.cookie != "" {
		q.Header.Set("Cookie", b.cookie)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	return b.s.Do(t, q)
}

// signIn makes the browser a signed-in one.
func (b *browser) signIn(t *testing.T, who apptest.Who, more row, header ...string) {
	t.Helper()
	body := row{"email": who.Email, "password": apptest.Password}
	for k, v := range more {
		body[k] = v
	}
	x := b.call(t, "POST", "/session", body, header...).Want(t, 200)
	b.cookie, _, _ = strings.Cut(x.Header.Get("Set-Cookie"), ";")
}

func (b *browser) alive(t *testing.T, want bool) {
	t.Helper()
	status := 401
	if want {
		status = 200
	}
	b.call(t, "GET", "/session", nil).Want(t, status)
}

func TestBehaviour43_SessionsEnd(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		signedIn := func() *browser {
			b := &browser{s: s}
			b.signIn(t, a, nil)
			b.alive(t, true)
			return b
		}
		out := signedIn()
		out.call(t, "DELETE", "/session", nil).Want(t, 200)
		out.alive(t, false)

		idle := signedIn()
		s.Clock.Advance(3*time.Hour - time.Second)
		idle.alive(t, true)
		s.Clock.Advance(3 * time.Hour)
		idle.alive(t, false)

		busy := signedIn()
		for range 23 {
			s.Clock.Advance(time.Hour)
			busy.alive(t, true)
		}
		s.Clock.Advance(time.Hour)
		busy.alive(t, false)

		// One of a list, all others, and what else ends them.
		one, two, three := signedIn(), signedIn(), signedIn()
		var list []struct {
			ID      string
			Current bool
		}
		one.call(t, "GET", "/session/list", nil).Want(t, 200).Into(t, &list)
		if len(list) != 3 {
			t.Fatalf("%v", list)
		}
		var mine struct{ Session struct{ ID string } }
		two.call(t, "GET", "/session", nil).Want(t, 200).Into(t, &mine)
		one.call(t, "DELETE", "/session/"+mine.Session.ID, nil).Want(t, 200)
		two.alive(t, false)
		three.alive(t, true)
		one.call(t, "DELETE", "/session/others", nil).Want(t, 200)
		three.alive(t, false)

		other := signedIn()
		var setup struct{ Secret string }
		one.call(t, "POST", "/account/otp/authenticator/enable", row{"password": apptest.Password}).Want(t, 200).Into(t, &setup)
		phone := &app2FA{s: s, secret: setup.Secret}
		other.alive(t, true) // nothing has changed yet
		one.call(t, "POST", "/account/otp/authenticator/confirm", row{"pin_code": phone.code(t)}).Want(t, 200)
		other.alive(t, false)
		one.alive(t, true)
		other.signIn(t, a, row{"pin_code": phone.code(t)})
		one.call(t, "POST", "/account/otp/authenticator/disable", row{"password": apptest.Password, "pin_code": phone.code(t)}).Want(t, 200)
		other.alive(t, false)
		other.signIn(t, a, nil)
		one.call(t, "POST", "/account/passwordreset", row{"password": "another password", "current_password": apptest.Password}).Want(t, 200)
		other.alive(t, false)
		one.alive(t, true)
	}, apptest.AtTime(noon))
}

// TestSessionFixation shows that whoever puts a cookie into somebody's browser gains nothing by their signing in.
func TestSessionFixation(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada, eve := s.Account(t, "house"), s.Account(t, "house")
		attacker := &browser{s: s}
		attacker.signIn(t, eve, nil)
		victim := &browser{s: s, cookie: attacker.cookie}
		victim.signIn(t, ada, nil)
		if victim.cookie == attacker.cookie {
			t.Fatal("the planted cookie was kept")
		}
		attacker.alive(t, false) // it ended, and did not become Ada's
		victim.alive(t, true)

		name, _, _ := strings.Cut(victim.cookie, "=")
		made := name + "=" + strings.Repeat("A", 43)
		guest := &browser{s: s, cookie: made}
		guest.signIn(t, ada, nil)
		if guest.cookie == made {
			t.Error("a made-up cookie was taken over")
		}
		(&browser{s: s, cookie: made}).alive(t, false)
		victim.alive(t, true)
		// A sign-in that fails ends nothing: another page could otherwise sign people out.
		victim.call(t, "POST", "/session", row{"email": ada.Email, "password": "wrong password"}).Want(t, 401)
		victim.alive(t, true)
	})
}

func TestBehaviour76_WhatWillBeLost(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator := s.Account(t, "house")
		a := s.Account(t, "house")
		b := s.Profile(t, a, "Greenhouse")
		_, device := s.Device(t, b, "D")
		s.Send(t, device, 7).Want(t, 200)
		type deletion struct {
			Email    string
			Allowed  bool
			Reason   *string
			Pin      bool `json:"needs_pin_code"`
			Profiles []struct {
				ID, Name string
				Amounts  []struct {
					What   string
					Amount int64
				}
			}
		}
		check := func(d deletion) {
			t.Helper()
			if !d.Allowed || d.Reason != nil || d.Email != a.Email || len(d.Profiles) != 2 {
				t.Fatalf("%+v", d)
			}
			for _, p := range d.Profiles {
				if p.ID != b.Profile {
					continue
				}
				got := map[string]int64{}
				for _, n := range p.Amounts {
					got[n.What] = n.Amount
				}
				if p.Name != "Greenhouse" || got["devices"] != 1 || got["points"] != 7 || got["tokens"] != 1 {
					t.Errorf("%+v", p)
				}
			}
		}
		var d deletion
		s.Call(t, "GET", "/account/deletion", a.Token, nil).Want(t, 200).Into(t, &d)
		check(d)
		s.Call(t, "GET", "/account/deletion", operator.Token, nil).Want(t, 200).Into(t, &d)
		if d.Allowed || d.Reason == nil || !strings.Contains(*d.Reason, "last operator") {
			t.Errorf("the last operator: %+v", d)
		}
		s.Call(t, "DELETE", "/account", operator.Token, row{"password": apptest.Password}).Want(t, 409)

		phone := factorOn(t, s, a)
		asked(t, s.Call(t, "DELETE", "/account", a.Token, row{"password": apptest.Password}))
		s.Call(t, "DELETE", "/account", a.Token, nil).Want(t, 200) // mails a link
		link := linkIn(t, s, a.Email, "delete-account")
		d = deletion{}
		s.Call(t, "POST", "/account/deletion", "", row{"token": link}).Want(t, 200).Into(t, &d)
		check(d)
		if !d.Pin {
			t.Error("it does not say that a code is needed")
		}
		s.Call(t, "POST", "/account/deletion", "", row{"token": link[1:] + "A"}).Want(t, 400)
		asked(t, s.Call(t, "POST", "/account/delete", "", row{"token": link}))
		s.Send(t, device, 1).Want(t, 200) // nothing is deleted yet
		s.Call(t, "POST", "/account/delete", "", row{"token": link, "pin_code": phone.code(t)}).Want(t, 200)
		s.Send(t, device, 1).Want(t, 401)
		if !slices.ContainsFunc(s.Mails(t), func(m apptest.Mail) bool {
			return m.To == a.Email && strings.Contains(m.Subject, "was deleted") && strings.Contains(m.Text, "Greenhouse") && strings.Contains(m.Text, "1 device, 8 points")
		}) {
			t.Errorf("no mail says what went: %v", s.Mails(t))
		}
	}, apptest.AtTime(noon))
}

// linkIn is the token of the youngest letter to an address that leads to a page of the console.
func linkIn(t *testing.T, s *apptest.Server, to, page string) string {
	t.Helper()
	re := regexp.MustCompile(`/console/` + page + `/([A-Za-z0-9_-]{43})`)
	for _, m := range s.Mails(t) {
		if found := re.FindStringSubmatch(m.Text); m.To == to && found != nil {
			return found[1]
		}
	}
	t.Fatalf("no letter to %s leads to %s", to, page)
	return ""
}

// TestForgedAddress shows that X-Forwarded-For hides nobody unless a trusted proxy wrote it.
func TestForgedAddress(t *testing.T) {
	addresses := func(t *testing.T, s *apptest.Server, forged string) string {
		t.Helper()
		b := &browser{s: s}
		b.signIn(t, s.Account(t, "house"), nil, "X-Forwarded-For", forged)
		var list []struct{ Address string }
		b.call(t, "GET", "/session/list", nil).Want(t, 200).Into(t, &list)
		return list[0].Address
	}
	s := apptest.Start(t, "sqlite", apptest.AtTime(noon))
	if got := addresses(t, s, "203.0.113.9"); got != "127.0.0.1" {
		t.Errorf("without a trusted proxy the address is %s", got)
	}
	// The share of letters that one address may ask for is not a new one for each made-up address.
	var refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 31 {
		wg.Go(func() {
			b := &browser{s: s}
			x := b.call(t, "GET", fmt.Sprintf("/account/passwordreset/user%d@example.test", i), nil, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
			if x.Status == 429 {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if refused.Load() != 1 {
		t.Errorf("%d of 31 refused", refused.Load())
	}
	behind := apptest.Start(t, "sqlite", apptest.AtTime(noon), func(c *app.Settings, _ *app.Options) { c.TrustedProxies = []string{"127.0.0.0/8"} })
	if got := addresses(t, behind, "6.6.6.6, 203.0.113.9"); got != "203.0.113.9" {
		t.Errorf("behind a trusted proxy the address is %s", got)
	}
}

// TestNoOpenRedirect shows that no address leads to another site.
func TestNoOpenRedirect(t *testing.T) {
	s := apptest.Start(t, "sqlite")
	for _, path := range []string{"/", "//evil.test", "//evil.test/..", "/%2F%2Fevil.test", "/\\evil.test", "/%5Cevil.test", "/console", "/console//evil.test", "/console/%2F/evil.test",
		"/console/..//evil.test", "/console/login?next=https://evil.test", "/console/login?next=//evil.test", "/session?next=https://evil.test", "/account/confirm/x?redirect=https://evil.test",
		"/docs/api?url=https://evil.test", "/?next=https://evil.test", "/https://evil.test", "/.//evil.test", "/device/?redirect_uri=//evil.test"} {
		q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.URL.Opaque = "//" + q.URL.Host + path // as it is written, not tidied up
		for _, host := range []string{"", "evil.test"} {
			q.Host = host
			q.Header.Set("X-Forwarded-Host", "evil.test")
			q.Header.Set("Accept", "text/html")
			to := s.Do(t, q).Header.Get("Location")
			if to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\")) {
				t.Errorf("%s leads to %q", path, to)
			}
		}
	}
}

// lockedBuffer takes the server's log from many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestNoSecretInLogs goes every way on which a secret comes or leaves, with a mail server that cannot be reached,
// and looks for each of the secrets in all that the server logged.
func TestNoSecretInLogs(t *testing.T) {
	var logs sync.Map
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		var secrets []string
		add := func(more ...string) string {
			secrets = append(secrets, more...)
			return more[0]
		}
		a := s.Account(t, "house")
		add(a.Token, strings.TrimPrefix(a.Token, "p-"), apptest.Password)
		phone := factorOn(t, s, a)
		add(phone.secret)
		add(phone.recovery...)
		b := &browser{s: s}
		wrong := add("wrong password with salt")
		b.call(t, "POST", "/session", row{"email": a.Email, "password": wrong}).Want(t, 401)
		b.call(t, "POST", "/session", row{"email": a.Email, "password": apptest.Password, "pin_code": add("918273")}).Want(t, 401)
		b.call(t, "POST", "/session", "{\"password\": \""+wrong).Want(t, 400)
		b.signIn(t, a, row{"pin_code": add(phone.code(t))})
		_, cookie, _ := strings.Cut(b.cookie, "=")
		add(cookie)
		b.call(t, "GET", "/session", nil).Want(t, 200)
		b.call(t, "GET", "/account/"+cookie, nil).Want(t, 404)

		// Tokens: made, used in each place that takes one, shown, revoked by secret.
		var minted struct{ Token string }
		s.Call(t, "POST", "/account/profile/token", "", row{"profile_id": a.Profile, "email": a.Email, "password": apptest.Password, "name": "t", "pin_code": add(phone.code(t))}).Want(t, 200, 201).Into(t, &minted)
		add(minted.Token, strings.TrimPrefix(minted.Token, "p-"))
		device, deviceToken := s.Device(t, a, "D")
		add(deviceToken)
		s.Send(t, deviceToken, 1).Want(t, 200)
		s.Call(t, "GET", "/device/token/"+device, a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/info?token="+minted.Token, "", nil).Want(t, 200)
		q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+minted.Token)
		s.Do(t, q).Want(t, 200)
		s.Call(t, "DELETE", "/profile/"+a.Profile+"/token/"+minted.Token, a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/info?token="+minted.Token, "", nil).Want(t, 401)
		s.Call(t, "DELETE", "/device/token/"+deviceToken, a.Token, nil).Want(t, 200)

		// Links: confirm, recover, move, delete.
		fresh := add("a password of somebody new")
		s.Call(t, "POST", "/account", "", row{"name": "New", "email": "new@example.test", "password": fresh, "cpassword": fresh, "timezone": "UTC"}).Want(t, 200)
		s.Call(t, "GET", "/account/confirm/"+add(linkIn(t, s, "new@example.test", "confirm")), "", nil).Want(t, 200)
		s.Call(t, "GET", "/account/passwordreset/new@example.test", "", nil).Want(t, 200)
		reset := add(linkIn(t, s, "new@example.test", "reset"))
		s.Call(t, "POST", "/account/recover", "", row{"token": reset, "password": add("a newer password")}).Want(t, 200)
		s.Call(t, "POST", "/account/recover", "", row{"token": reset, "password": "a newer password"}).Want(t, 400)
		b.call(t, "POST", "/account/email", row{"email": "moved@example.test", "password": apptest.Password}).Want(t, 200)
		s.Call(t, "POST", "/account/email/confirm", "", row{"token": add(linkIn(t, s, "moved@example.test", "email"))}).Want(t, 200)
		b.call(t, "POST", "/account/passwordreset", row{"password": add("the last password"), "current_password": apptest.Password}).Want(t, 200)
		link, err := s.App.SetupLink(t.Context())
		if err == nil {
			t.Errorf("a set-up link beside accounts: %s", link)
		}
		b.call(t, "DELETE", "/profile/"+a.Profile, row{"password": "the last password", "pin_code": phone.recovery[0]}).Want(t, 409)
		b.call(t, "DELETE", "/account", nil).Want(t, 409) // the operator
		if err := s.App.Close(); err != nil {
			t.Error(err)
		}
		log, _ := logs.Load(s.Data)
		text := log.(*lockedBuffer).String()
		if !strings.Contains(text, "route=/session") || !strings.Contains(text, "127.0.0.1:1") {
			t.Errorf("the log tells neither of requests nor of the mail server: %.2000s", text)
		}
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("the log holds %q: …%s…", secret, text[max(at-200, 0):min(at+200, len(text))])
			}
		}
	}, apptest.AtTime(noon), func(c *app.Settings, o *app.Options) {
		c.SMTPURL, c.MailFrom = "smtp://someone:p4ssw0rd@127.0.0.1:1", "paddock@example.test"
		log := &lockedBuffer{}
		logs.Store(c.Data, log)
		c.LogRequests = "all"
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
}

// TestSessionSettings shows which lengths of sessions serve takes.
func TestSessionSettings(t *testing.T) {
	for _, c := range []struct{ idle, most, want string }{
		{"90m", "12h", ""},
		{"", "", ""},
		{"12h", "12h", ""},
		{"25h", "", "--session-idle: 25h is longer than --session-max (24h)"},
		{"", "1h", "--session-idle: 3h is longer than --session-max (1h)"},
		{"0s", "", "must be from 1m"},
		{"-3h", "", "must be from 1m"},
		{"", "9999h", "must be from 1m to 2160h"},
		{"three hours", "", "not a time such as 90m or 3h"},
	} {
		args := []string{"config", "--data", t.TempDir()}
		if c.idle != "" {
			args = append(args, "--session-idle="+c.idle)
		}
		if c.most != "" {
			args = append(args, "--session-max="+c.most)
		}
		var out bytes.Buffer
		code := app.Main(args, os.Stdin, &out, &out)
		if (code == 0) != (c.want == "") || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: %d, %s", args, code, out.String())
		}
		if c.want == "" && c.idle == "90m" && !strings.Contains(out.String(), "1h30m") {
			t.Errorf("%s", out.String())
		}
	}
}
