package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
)

// wire is the room behind a real router. Sessions are the room's own; a token is one of tokens, whose room
// lies to the left.
type wire struct {
	*room
	url    string
	tokens map[string]auth.Caller
}

type answer struct {
	code    int
	status  bool
	message string
	result  any
	raw     string
	cookie  *http.Cookie
}

func serve(t *testing.T, r *room) *wire {
	w := &wire{room: r, tokens: map[string]auth.Caller{}}
	srv := web.NewServer(web.Config{Log: quiet, Clock: r.clock, Authenticate: func(ctx context.Context, c web.Credential) (auth.Caller, error) {
		if c.Token != "" {
			if who, ok := w.tokens[c.Token]; ok {
				return who, nil
			}
			return auth.Caller{}, auth.Denied()
		}
		return r.Session(ctx, c.Cookie)
	}}, r.Routes())
	h := httptest.NewServer(srv.Handler())
	t.Cleanup(h.Close)
	w.url = h.URL
	return w
}

// call sends a request with a token, a cookie (as a page of our own would) or neither.
func (w *wire) call(t *testing.T, method, path string, cred any, body string, header ...string) answer {
	t.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, w.url+path, b)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("User-Agent", "test browser")
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	switch c := cred.(type) {
	case string:
		q.Header.Set("token", c)
	case *http.Cookie:
		q.AddCookie(c)
		q.Header.Set("Origin", w.url)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	p, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	text, err := io.ReadAll(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Status  bool
		Message string
		Result  any
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&e); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	a := answer{code: p.StatusCode, status: e.Status, message: e.Message, result: e.Result, raw: string(text)}
	if c := p.Cookies(); len(c) > 0 {
		a.cookie = c[0]
	}
	return a
}

func (a answer) want(t *testing.T, code int, part string) answer {
	t.Helper()
	text := a.message
	if s, ok := a.result.(string); ok {
		text = s
	}
	if a.code != code || a.status != (code < 300) || !strings.Contains(text, part) {
		t.Errorf("answered %d %s, want %d with %q", a.code, a.raw, code, part)
	}
	return a
}

func TestAccountRoutes(t *testing.T) {
	t.Parallel()
	each(t, setup{Config: account.Config{Signup: account.Open}}, func(t *testing.T, r *room) {
		ctx := t.Context()
		w := serve(t, r)
		ada := r.person(t, "Ada")
		full := token(ada)
		w.tokens["full"] = full
		for name, change := range map[string]func(c *auth.Caller){
			"narrow": func(c *auth.Caller) { c.Reach = auth.ReachProfile },
			"read":   func(c *auth.Caller) { c.Permission = auth.Read },
			"write":  func(c *auth.Caller) { c.Permission = auth.Write },
			"deny":   func(c *auth.Caller) { c.Permission = auth.Deny },
			"member": func(c *auth.Caller) { c.OwnerID = id.New[id.Account]() },
			"device": func(c *auth.Caller) { c.Kind = auth.Device },
		} {
			c := full
			change(&c)
			w.tokens[name] = c
		}

		t.Run("info has the shape that the client knows", func(t *testing.T) {
			if _, err := r.Login(ctx, ada.Email, account.Proof{Password: pw, Addr: ""}); err != nil {
				t.Fatal(err)
			}
			a := w.call(t, "GET", "/account", "full", "").want(t, 200, "")
			want := map[string]any{
				"id": string(ada.ID), "name": "Ada", "email": "ada@example.com", "active": true, "blocked": false, "type": "user", "plan": "scale", "company": nil,
				"language": "en", "timezone": "UTC", "phone": nil, "newsletter": false, "developer": false, "send_invoice": false, "stripe_id": nil,
				"options": map[string]any{"user_view_welcome": true, "decimal_separator": ".", "thousand_separator": ",", "date_format": "YYYY-MM-DD",
					"time_format": "24", "show_last_updated_at": "footer", "last_whats_new": nil},
				"otp":         map[string]any{"authenticator": false, "sms": false, "email": false},
				"picture_url": nil, "last_login": "2026-05-01T12:00:00.000Z", "created_at": "2026-05-01T12:00:00.000Z", "updated_at": "2026-05-01T12:00:00.000Z",
			}
			if d := cmp.Diff(want, a.result); d != "" {
				t.Error(d)
			}
		})
		t.Run("who may", func(t *testing.T) {
			for cred, allowed := range map[string]string{"full": "GET PUT", "narrow": "GET", "read": "GET", "write": "PUT", "deny": "", "member": "", "device": "", "unknown": ""} {
				for _, method := range []string{"GET", "PUT"} {
					code := 401
					if strings.Contains(allowed, method) {
						code = 200
					}
					body := ""
					if method == "PUT" {
						body = `{"newsletter":false}`
					}
					a := w.call(t, method, "/account", cred, body)
					if a.code != code || code == 401 && a.message != "Authorization Denied" {
						t.Errorf("%s by %s: %d %s", method, cred, a.code, a.raw)
					}
				}
			}
			w.call(t, "GET", "/account", nil, "").want(t, 401, "Authorization Denied")
			w.call(t, "DELETE", "/account", "write", "").want(t, 401, "Authorization Denied")
			w.call(t, "POST", "/account/passwordreset", "narrow", `{"password":"new password"}`).want(t, 401, "Authorization Denied")
			w.call(t, "POST", "/account/email", "member", `{}`).want(t, 401, "Authorization Denied")
		})
		t.Run("edit merges, clears with null, and takes the whole account back", func(t *testing.T) {
			w.call(t, "PUT", "/account", "full", `{"company":"Example Ltd","phone":"+49 30 1","options":{"time_format":"12"},"unknown":1}`).want(t, 200, "Account Successfully Updated")
			info := w.call(t, "GET", "/account", "full", "").result.(map[string]any)
			whole, err := json.Marshal(info)
			must(t, err)
			w.call(t, "PUT", "/account", "full", string(whole)).want(t, 200, "Account Successfully Updated")
			w.call(t, "PUT", "/account", "full", `{"phone":null,"name":"Ada L."}`).want(t, 200, "Account Successfully Updated")
			info = w.call(t, "GET", "/account", "full", "").result.(map[string]any)
			if info["company"] != "Example Ltd" || info["phone"] != nil || info["name"] != "Ada L." || info["options"].(map[string]any)["time_format"] != "12" {
				t.Errorf("%v", info)
			}
		})
		t.Run("bad input names its field", func(t *testing.T) {
			for body, want := range map[string]string{
				`{"name":""}`:                             "name:",
				`{"name":7}`:                              "name",
				`{"timezone":"Mars/Olympus"}`:             "timezone:",
				`{"newsletter":"yes"}`:                    "newsletter",
				`{"options":{"time_format":"13"}}`:        "options.time_format:",
				`{"options":[]}`:                          "options",
				`{"email":"other@example.com"}`:           "email:",
				`{"name":"a","name":"b"}`:                 "name",
				`{"name":"x\r\nBcc: eve@evil.test"}`:      "name:",
				`{"company":"` + strings.Repeat("x", 101): "",
				`[]`: "",
				`{`:  "",
			} {
				a := w.call(t, "PUT", "/account", "full", body)
				if a.code != 400 || !strings.Contains(a.message, want) {
					t.Errorf("%s: %d %s, want %q", body, a.code, a.raw, want)
				}
			}
		})
		t.Run("recovery from the letter to the new password", func(t *testing.T) {
			const same = "If this e-mail has an account"
			known := w.call(t, "GET", "/account/passwordreset/ADA@example.com", nil, "").want(t, 200, same)
			unknown := w.call(t, "GET", "/account/passwordreset/a+b@x.com", nil, "").want(t, 200, same)
			if known.raw != unknown.raw {
				t.Errorf("%s, %s", known.raw, unknown.raw)
			}
			w.call(t, "GET", "/account/passwordreset/nobody", nil, "").want(t, 400, "email:")
			tok := r.link(t, ada.Email, "reset")
			w.call(t, "POST", "/account/recover", nil, `{"password":"new password"}`).want(t, 400, "token:")
			w.call(t, "POST", "/account/recover", nil, fmt.Sprintf(`{"token":%q,"password":"short"}`, tok)).want(t, 400, "password:")
			w.call(t, "POST", "/account/recover", nil, fmt.Sprintf(`{"token":%q,"password":"new password"}`, tok)).want(t, 200, "Password Successfully Changed")
			w.call(t, "POST", "/account/recover", nil, fmt.Sprintf(`{"token":%q,"password":"new password"}`, tok)).want(t, 400, "token:")
			w.call(t, "POST", "/account/passwordreset", "full", `{"password":"short"}`).want(t, 400, "password: must have at least 8 characters")
			w.call(t, "POST", "/account/passwordreset", "full", fmt.Sprintf(`{"password":%q}`, pw)).want(t, 200, "Password Successfully Changed")
			w.call(t, "POST", "/account/passwordreset", "full", `{"password":"new password","current_password":"wrong password"}`).want(t, 401, "Invalid password")
		})
		t.Run("confirmation from the letter", func(t *testing.T) {
			if _, err := r.SignUp(ctx, stranger("192.0.2.9"), account.CreateInput{Name: "Bob", Email: "bob@example.com", Password: pw},
				func(context.Context, account.Account) error { return nil }); err != nil {
				t.Fatal(err)
			}
			tok := r.link(t, "bob@example.com", "confirm")
			known := w.call(t, "GET", "/account/resend_confirmation/bob@example.com", nil, "").want(t, 200, "If this e-mail")
			if unknown := w.call(t, "GET", "/account/resend_confirmation/eve@example.com", nil, ""); unknown.raw != known.raw {
				t.Errorf("%s, %s", known.raw, unknown.raw)
			}
			w.call(t, "POST", "/session", nil, `{"email":"bob@example.com","password":"`+pw+`"}`).want(t, 403, "Confirm your e-mail")
			w.call(t, "GET", "/account/confirm/"+tok, nil, "").want(t, 200, "Account Successfully Confirmed")
			w.call(t, "GET", "/account/confirm/"+tok, nil, "").want(t, 400, "token:")
			w.call(t, "GET", "/account/confirm/"+strings.Repeat("x", 5000), nil, "").want(t, 400, "token:")
			w.call(t, "POST", "/session", nil, `{"email":"bob@example.com","password":"`+pw+`"}`).want(t, 200, "")
		})
		t.Run("e-mail moves by the letter to the new address", func(t *testing.T) {
			w.call(t, "POST", "/account/email", "full", `{"email":"ada2@example.com"}`).want(t, 400, "password:")
			w.call(t, "POST", "/account/email", "full", `{"email":"ada2@example.com","password":"wrong password"}`).want(t, 401, "Invalid password")
			w.call(t, "POST", "/account/email", "full", fmt.Sprintf(`{"email":"ada2@example.com","password":%q}`, pw)).want(t, 200, "Nothing has changed yet")
			tok := r.link(t, "ada2@example.com", "email")
			w.call(t, "POST", "/account/email/confirm", nil, `{"token":"`+tok+`"}`).want(t, 200, "E-mail Successfully Changed")
			w.call(t, "POST", "/account/email/confirm", nil, `{}`).want(t, 400, "token:")
			if a, err := r.Get(ctx, ada.ID); err != nil || a.Email != "ada2@example.com" {
				t.Errorf("%+v, %v", a, err)
			}
		})
		t.Run("deletion asks for a password or a letter", func(t *testing.T) {
			w.call(t, "DELETE", "/account", "full", "").want(t, 409, "last operator")
			bob, err := r.ByEmail(ctx, "bob@example.com")
			must(t, err)
			w.tokens["bob"] = token(bob)
			w.call(t, "DELETE", "/account", "bob", "").want(t, 200, "Nothing has been deleted yet")
			w.call(t, "DELETE", "/account", "bob", `{"password":"wrong password"}`).want(t, 401, "Invalid password")
			tok := r.link(t, "bob@example.com", "delete-account")
			w.call(t, "POST", "/account/delete", nil, `{"token":"`+tok+`"}`).want(t, 200, "Account Successfully Deleted")
			w.call(t, "GET", "/account", "bob", "").want(t, 404, "Account Not Found")
			cy := r.person(t, "Cy")
			w.tokens["cy"] = token(cy)
			w.call(t, "DELETE", "/account", "cy", `{"password":"`+pw+`"}`).want(t, 200, "Account Successfully Deleted")
		})
	})
}

func TestSessionRoutes(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		w := serve(t, r)
		r.person(t, "Ada")
		good := fmt.Sprintf(`{"email":"Ada@example.com","password":%q}`, pw)
		signIn := func(t *testing.T) *http.Cookie {
			t.Helper()
			a := w.call(t, "POST", "/session", nil, good, "Origin", w.url).want(t, 200, "")
			if a.cookie == nil || !a.cookie.HttpOnly || a.cookie.SameSite != http.SameSiteLaxMode || a.cookie.Secure || a.cookie.MaxAge != 86400 || a.cookie.Path != "/" {
				t.Fatalf("cookie %v", a.cookie)
			}
			if strings.Contains(a.raw, a.cookie.Value) {
				t.Error("the secret is in the body")
			}
			return a.cookie
		}
		t.Run("sign in, see who, sign out", func(t *testing.T) {
			c := signIn(t)
			a := w.call(t, "GET", "/session", c, "").want(t, 200, "")
			res := a.result.(map[string]any)
			if res["plan"] != "house" || res["operator"] != true || res["account"].(map[string]any)["email"] != "ada@example.com" ||
				res["session"].(map[string]any)["current"] != true || res["session"].(map[string]any)["agent"] != "test browser" ||
				res["session"].(map[string]any)["expires_at"] != "2026-05-02T12:00:00.000Z" {
				t.Errorf("%v", res)
			}
			w.call(t, "GET", "/account", c, "").want(t, 200, "")
			out := w.call(t, "DELETE", "/session", c, "").want(t, 200, "Signed out")
			if out.cookie == nil || out.cookie.MaxAge >= 0 || out.cookie.Value != "" {
				t.Errorf("cookie %v", out.cookie)
			}
			w.call(t, "GET", "/session", c, "").want(t, 401, "Authorization Denied")
			// An ended session does not stand in the way of the next.
			w.call(t, "POST", "/session", c, good).want(t, 200, "")
		})
		t.Run("wrong or missing credentials", func(t *testing.T) {
			w.call(t, "POST", "/session", nil, `{"email":"ada@example.com","password":"wrong password"}`).want(t, 401, "Invalid credentials")
			w.call(t, "POST", "/session", nil, `{"email":"eve@example.com","password":"wrong password"}`).want(t, 401, "Invalid credentials")
			w.call(t, "POST", "/session", nil, `{"password":"x"}`).want(t, 400, "email:")
			w.call(t, "POST", "/session", nil, `{"email":"ada@example.com"}`).want(t, 400, "password:")
			w.call(t, "POST", "/session", nil, `{"email":5}`).want(t, 400, "email")
			w.call(t, "GET", "/session", nil, "").want(t, 401, "Authorization Denied")
			w.call(t, "GET", "/session", "token", "").want(t, 401, "Authorization Denied")
		})
		t.Run("a page of another site can neither sign in nor act", func(t *testing.T) {
			w.call(t, "POST", "/session", nil, good, "Origin", "https://evil.test").want(t, 403, "console")
			c := signIn(t)
			w.call(t, "DELETE", "/session", c, "", "Origin", "https://evil.test").want(t, 403, "console")
			w.call(t, "GET", "/session", c, "").want(t, 200, "")
		})
		t.Run("browsers are listed and ended", func(t *testing.T) {
			a, b := signIn(t), signIn(t)
			r.clock.Advance(time.Second)
			list := w.call(t, "GET", "/session/list", a, "").want(t, 200, "").result.([]any)
			if len(list) < 2 || list[0].(map[string]any)["current"] != true {
				t.Fatalf("%v", list)
			}
			other := w.call(t, "GET", "/session", b, "").result.(map[string]any)["session"].(map[string]any)["id"].(string)
			w.call(t, "DELETE", "/session/"+other, a, "").want(t, 200, "Session ended")
			w.call(t, "DELETE", "/session/"+other, a, "").want(t, 404, "Session Not Found")
			w.call(t, "GET", "/session", b, "").want(t, 401, "Authorization Denied")
			signIn(t)
			w.call(t, "DELETE", "/session/others", a, "").want(t, 200, "Other sessions ended")
			if list := w.call(t, "GET", "/session/list", a, "").result.([]any); len(list) != 1 {
				t.Errorf("%v", list)
			}
		})
		t.Run("a password changed in one browser signs the others out", func(t *testing.T) {
			a, b := signIn(t), signIn(t)
			w.call(t, "POST", "/account/passwordreset", a, `{"password":"new password"}`).want(t, 400, "current_password:")
			w.call(t, "POST", "/account/passwordreset", a, fmt.Sprintf(`{"password":"new password","current_password":%q}`, pw)).want(t, 200, "Password Successfully Changed")
			w.call(t, "GET", "/session", a, "").want(t, 200, "")
			w.call(t, "GET", "/session", b, "").want(t, 401, "Authorization Denied")
		})
		t.Run("too many wrong passwords say when to come back", func(t *testing.T) {
			for range 5 {
				w.call(t, "POST", "/session", nil, `{"email":"mallory@example.com","password":"wrong password"}`).want(t, 401, "Invalid credentials")
			}
			w.call(t, "POST", "/session", nil, `{"email":"mallory@example.com","password":"wrong password"}`).want(t, 429, "try again in 60 seconds")
		})
	})
}
