package operator_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/mail/mailtest"
	"paddock/internal/operator"
)

type row = map[string]any

// signIn signs a person in, in a browser.
func signIn(t *testing.T, s *apptest.Server, w apptest.Who) func(method, path string, body any) apptest.Answer {
	t.Helper()
	var cookie *http.Cookie
	request := func(method, path string, body any) apptest.Answer {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", s.URL)
		if cookie != nil {
			q.AddCookie(cookie)
		}
		return s.Do(t, q)
	}
	in := request("POST", "/session", row{"email": w.Email, "password": apptest.Password}).Want(t, 200, 201)
	cookie = (&http.Response{Header: in.Header}).Cookies()[0]
	return request
}

func home(t *testing.T, as func(method, path string, body any) apptest.Answer) (h operator.Home) {
	t.Helper()
	as("GET", "/operator", nil).Want(t, 200).Into(t, &h)
	return h
}

// kinds are the concerns but that about the disk: the one that the tests run on may really be full.
func kinds(h operator.Home) (out []string) {
	for _, c := range h.Concerns {
		if c.Kind != "disk" {
			out = append(out, string(c.Level)+" "+c.Kind)
		}
	}
	return out
}

// routes are all of the room's.
var routes = []string{"GET /operator", "POST /operator/mail", "GET /operator/verify", "POST /operator/verify", "GET /operator/settings", "GET /operator/accounts"}

func TestNobodyButOperatorsWhoSignedIn(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss, ada := s.Account(t, "house"), s.Account(t, "house") // the first is operator
		own := slices.Clone(routes)
		for _, do := range []string{"", "/block", "/unblock", "/unlock", "/reset"} {
			verb := "POST"
			if do == "" {
				verb = "GET"
			}
			own = append(own, verb+" /operator/accounts/"+ada.Account+do)
		}
		person := signIn(t, s, ada)
		for _, r := range own {
			method, path, _ := strings.Cut(r, " ")
			body := row{"reason": "x"}
			if method == "GET" {
				body = nil
			}
			person(method, path, body).Want(t, 403)
			s.Call(t, method, path, boss.Token, body).Want(t, 401) // an operator's token is not a person
			s.Call(t, method, path, "", body).Want(t, 401)
		}
	})
}

func TestHome(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss, ada := s.Account(t, "house"), s.Account(t, "house")
		as := signIn(t, s, boss)
		h := home(t, as)
		if got := kinds(h); !slices.Equal(got, []string{"yellow backup_none"}) {
			t.Errorf("a fresh server has the concerns %v", got)
		}
		if h.Key.Fingerprint == "" || h.Key.Since == nil || h.Disk.Database == 0 || h.Disk.Free == nil || h.Server.EngineVersion == "" || h.Mail.Server != nil {
			t.Errorf("the home lacks something: %+v", h)
		}
		if len(h.Sessions) != 1 || !h.Sessions[0].Current || h.Sessions[0].Email != boss.Email {
			t.Errorf("sessions of operators: %+v", h.Sessions)
		}

		// What people do shows: a wrong password of one who has an account and one who has none, a ticket, a mail that waits.
		for _, email := range []string{ada.Email, ada.Email, "nobody@example.test"} {
			s.Call(t, "POST", "/session", "", row{"email": email, "password": "not the password"}).Want(t, 401, 403)
		}
		signIn(t, s, ada)("POST", "/ticket", row{"subject": "Help", "text": "Please"}).Want(t, 201)
		h = home(t, as)
		if h.SignIns.Passwords != 3 || len(h.SignIns.ByAddr) != 1 || h.SignIns.ByAddr[0].Others != 2 || len(h.SignIns.ByAccount) != 2 || h.SignIns.ByAccount[0].Email != ada.Email {
			t.Errorf("failed sign-ins: %+v", h.SignIns)
		}
		if text, _ := json.Marshal(h); strings.Contains(string(text), "not the password") || strings.Contains(string(text), "nobody@") {
			t.Errorf("what was typed shows: %s", text)
		}
		if h.Tickets.Open != 1 || h.Mail.Waiting == 0 || !slices.Equal(kinds(h), []string{"yellow backup_none", "yellow mail_waiting", "yellow tickets"}) {
			t.Errorf("tickets %+v, mail %+v, concerns %v", h.Tickets, h.Mail, kinds(h))
		}

		// A flood: a device is refused, and is written for.
		_, device := s.Device(t, ada, "Barn")
		s.Send(t, device, 3).Want(t, 200, 202)
		s.Call(t, "POST", "/profile/"+ada.Profile+"/pause", ada.Token, row{"reason": "Winter"}).Want(t, 200)
		s.Send(t, device, 9).Want(t, 403)
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if h = home(t, as); len(h.Floods.Refused) == 1 {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("no refusal shows: %+v", h.Floods)
			}
		}
		if f := h.Floods.Refused[0]; string(f.Profile.Owner) != ada.Account || f.Requests != 1 || f.Points != 9 || f.Throttled != 0 {
			t.Errorf("refused: %+v", f)
		}
		if w := h.Floods.Writing; len(w) > 0 && (w[0].Share <= 0 || w[0].Share > 1) {
			t.Errorf("writing: %+v", w)
		}
	})
}

func TestVerifyInTheBackground(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss := s.Account(t, "house")
		as := signIn(t, s, boss)
		_, device := s.Device(t, boss, "Barn")
		s.Send(t, device, 3).Want(t, 200, 202)
		as("POST", "/operator/verify", nil).Want(t, 201)
		var v operator.VerifyResult
		for until := time.Now().Add(20 * time.Second); v.Last == nil; time.Sleep(30 * time.Millisecond) {
			as("GET", "/operator/verify", nil).Want(t, 200).Into(t, &v)
			if time.Now().After(until) {
				t.Fatalf("it does not end: %+v", v)
			}
		}
		if !v.Last.OK || v.Last.By == nil || !strings.HasPrefix(v.Last.Checked, "3 points of 1 devices in 1 profiles") || v.Schedule != operator.Daily {
			t.Errorf("the result is %+v", v.Last)
		}
	})
}

func TestTestMail(t *testing.T) {
	office := mailtest.Open(t, false, false, "", "")
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss := s.Account(t, "house")
		as := signIn(t, s, boss)
		var got operator.MailTest
		as("POST", "/operator/mail", nil).Want(t, 200).Into(t, &got)
		if !got.Sent || got.To != boss.Email || !strings.Contains(got.Answer, "OK") && !strings.Contains(got.Answer, "250") {
			t.Errorf("the answer is %+v", got)
		}
		if !slices.ContainsFunc(office.Got(), func(d mailtest.Delivered) bool { return d.To == boss.Email }) {
			t.Error("no mail came")
		}
	}, func(s *app.Settings, _ *app.Options) {
		s.SMTPURL, s.MailFrom = "smtp://"+office.Addr, "paddock@example.test"
	})
}

func TestTestMailThatIsRefused(t *testing.T) {
	office := mailtest.Open(t, false, false, "", "")
	office.Refuse(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "We do not like you"})
	s := apptest.Start(t, "sqlite", func(s *app.Settings, _ *app.Options) {
		s.SMTPURL, s.MailFrom = "smtp://"+office.Addr, "paddock@example.test"
	})
	var got operator.MailTest
	signIn(t, s, s.Account(t, "house"))("POST", "/operator/mail", nil).Want(t, 200).Into(t, &got)
	if got.Sent || !strings.Contains(got.Answer, "We do not like you") {
		t.Errorf("the refusal does not show: %+v", got)
	}
}

func TestAccounts(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss, ada := s.Account(t, "house"), s.Account(t, "house")
		as := signIn(t, s, boss)
		list := func(query string) (r operator.AccountsResult) {
			t.Helper()
			as("GET", "/operator/accounts?"+query, nil).Want(t, 200).Into(t, &r)
			return r
		}
		if r := list("orderBy=created_at,desc&amount=1"); r.Total != 2 || len(r.Accounts) != 1 || r.Accounts[0].Email != ada.Email || r.Accounts[0].Profiles != 1 {
			t.Errorf("the newest is %+v", r)
		}
		for _, order := range []string{"name,asc", "email,desc", "plan,asc", "last_login,desc"} {
			if r := list("orderBy=" + order); len(r.Accounts) != 2 {
				t.Errorf("by %s: %+v", order, r)
			}
		}
		if r := list("find=" + ada.Email[:8] + "*&state=blocked"); r.Total != 0 {
			t.Errorf("nobody is blocked: %+v", r)
		}
		as("GET", "/operator/accounts?orderBy=password_hash", nil).Want(t, 400)
		as("GET", "/operator/accounts?state=happy", nil).Want(t, 400)

		one := "/operator/accounts/" + ada.Account
		as("POST", one+"/block", row{"reason": " "}).Want(t, 400)
		as("POST", "/operator/accounts/"+boss.Account+"/block", row{"reason": "me"}).Want(t, 409)
		as("POST", one+"/block", row{"reason": "Sends spam"}).Want(t, 200)
		s.Call(t, "GET", "/account", ada.Token, nil).Want(t, 401)
		if r := list("state=blocked"); r.Total != 1 || string(r.Accounts[0].ID) != ada.Account {
			t.Errorf("blocked: %+v", r)
		}
		as("POST", one+"/reset", nil).Want(t, 409)
		as("POST", one+"/unblock", row{"reason": "Was a mistake"}).Want(t, 200)
		s.Call(t, "GET", "/account", ada.Token, nil).Want(t, 200)
		as("POST", one+"/reset", nil).Want(t, 200)
		if s.Secret(t, ada.Email, "reset") == "" {
			t.Error("no link was mailed")
		}
		as("POST", one+"/reset", nil).Want(t, 429)

		as("PUT", "/billing/account/"+ada.Account+"/override/cap/device", row{"amount": 7, "reason": "Small", "until": "3 month"}).Want(t, 200)
		var a operator.AccountResult
		as("GET", one, nil).Want(t, 200).Into(t, &a)
		i := slices.IndexFunc(a.Limits, func(l operator.LimitRow) bool { return l.Kind == "cap" && l.Name == "device" })
		if i < 0 || a.Limits[i].Plan != nil || a.Limits[i].Now == nil || *a.Limits[i].Now != 7 || len(a.Owned) != 1 || a.Self {
			t.Errorf("the account is %+v", a)
		}
		as("GET", "/operator/accounts/000000000000000000000000", nil).Want(t, 404)
		as("GET", "/operator/accounts/x", nil).Want(t, 404)
	})
}

func TestUnlock(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		boss, ada := s.Account(t, "house"), s.Account(t, "house")
		as := signIn(t, s, boss)
		for range 5 {
			s.Call(t, "POST", "/session", "", row{"email": ada.Email, "password": "not the password"}).Want(t, 401, 403)
		}
		if h := home(t, as); !slices.Contains(kinds(h), "yellow sign_ins") || h.SignIns.ByAccount[0].Locked == nil {
			t.Errorf("a locked account is no concern: %v %+v", kinds(h), h.SignIns)
		}
		as("POST", "/operator/accounts/"+ada.Account+"/unlock", nil).Want(t, 200)
		signIn(t, s, ada)
	})
}

func TestSettings(t *testing.T) {
	const secret, smtpPassword = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "s3cr3t-mail"
	s := apptest.Start(t, "sqlite", func(s *app.Settings, _ *app.Options) {
		s.SecretKey, s.S3AccessKey, s.S3SecretKey = secret, "access", "s3cr3t-files"
		s.SMTPURL, s.MailFrom = "smtp://ada:"+smtpPassword+"@mail.example.test:587", "paddock@example.test"
		s.AuditKeep = "3 months"
		if err := errors.Join(s.ProfileGrace.UnmarshalText([]byte("168h")), s.SessionMax.UnmarshalText([]byte("36h")), s.SessionIdle.UnmarshalText([]byte("90m"))); err != nil {
			t.Fatal(err)
		}
		s.Sources = map[string]string{"audit-keep": "--audit-keep", "smtp-url": "PADDOCK_SMTP_URL", "listen": "default", "secret-key": "PADDOCK_SECRET_KEY"}
	})
	answer := signIn(t, s, s.Account(t, "house"))("GET", "/operator/settings", nil).Want(t, 200)
	for _, word := range []string{secret, smtpPassword, "s3cr3t-files"} {
		if strings.Contains(string(answer.Body), word) {
			t.Errorf("%s shows", word)
		}
	}
	var rows []operator.Setting
	answer.Into(t, &rows)
	by := map[string]operator.Setting{}
	for _, r := range rows {
		by[r.Env] = r
		if r.Meaning == "" || r.Env == "" {
			t.Errorf("%s says nothing", r.Name)
		}
	}
	var envs func(v reflect.Type)
	envs = func(v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Anonymous {
				envs(f.Type)
			} else if f.Tag.Get("kong") != "-" {
				if _, ok := by[f.Tag.Get("env")]; !ok {
					t.Errorf("%s is not shown", f.Name)
				}
			}
		}
	}
	envs(reflect.TypeFor[app.Settings]())
	if r := by["PADDOCK_AUDIT_KEEP"]; r.Value != "3 months" || r.Source != "flag" || r.Line != "PADDOCK_AUDIT_KEEP='3 months'" || r.Default != "6 months" {
		t.Errorf("audit-keep: %+v", r)
	}
	if r := by["PADDOCK_SMTP_URL"]; r.Source != "env" || !strings.Contains(r.Value, "ada:xxxxx@") {
		t.Errorf("smtp-url: %+v", r)
	}
	if r := by["PADDOCK_SECRET_KEY"]; !r.Secret || !r.Set || r.Value != "" || r.Line != "PADDOCK_SECRET_KEY=" {
		t.Errorf("secret-key: %+v", r)
	}
	for env, want := range map[string]string{"PADDOCK_PROFILE_GRACE": "7d", "PADDOCK_SESSION_MAX": "36h", "PADDOCK_SESSION_IDLE": "1h30m", "PADDOCK_BACKUP_KEEP": "12 months"} {
		if r := by[env]; r.Value != want { // as the server reads it back
			t.Errorf("%s: %+v", env, r)
		}
	}
}
