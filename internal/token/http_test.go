package token

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

const password = "correct horse battery"

// serve puts the room behind a real server.
func (h *house) serve(t *testing.T) func(method, path, token string, body any) answer {
	s := web.NewServer(web.Config{Log: slog.New(slog.DiscardHandler), Clock: h.clk,
		Authenticate: func(ctx context.Context, c web.Credential) (auth.Caller, error) {
			return h.Authenticate(ctx, c.Token, c.Addr)
		}}, h.Routes())
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	return func(method, path, token string, body any) answer {
		t.Helper()
		var r io.Reader
		if body != nil {
			b, err := json.Marshal(body)
			must(t, err)
			r = bytes.NewReader(b)
		}
		q, err := http.NewRequest(method, srv.URL+path, r)
		must(t, err)
		if token != "" {
			q.Header.Set("token", token)
		}
		p, err := http.DefaultClient.Do(q)
		must(t, err)
		defer p.Body.Close()
		a := answer{status: p.StatusCode}
		must(t, json.NewDecoder(p.Body).Decode(&a))
		return a
	}
}

type answer struct {
	status  int
	Result  any
	Message string
}

func (a answer) want(t *testing.T, status int, message string) answer {
	t.Helper()
	got := a.Message
	if s, ok := a.Result.(string); ok {
		got = s
	}
	if a.status != status || !strings.Contains(got, message) {
		t.Fatalf("got %d %q %v, want %d %q", a.status, a.Message, a.Result, status, message)
	}
	return a
}

func (a answer) row() map[string]any    { m, _ := a.Result.(map[string]any); return m }
func (a answer) rows() []any            { l, _ := a.Result.([]any); return l }
func (a answer) text(key string) string { s, _ := a.row()[key].(string); return s }

func TestTokenRoutes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		call := h.serve(t)
		who := h.person(t)
		a, err := h.accounts.Get(t.Context(), who.AccountID)
		must(t, err)
		full := h.mint(t, who, MintInput{Name: "full"})
		path := "/profile/" + string(who.ProfileID) + "/token"
		make := func(over map[string]any) map[string]any {
			m := map[string]any{"name": "ci", "permission": "read", "expire_time": "never", "email": a.Email, "password": password}
			for k, v := range over {
				if v == "absent" {
					delete(m, k)
				} else {
					m[k] = v
				}
			}
			return m
		}
		count := func() int {
			t.Helper()
			return len(call("GET", path+"?amount=1000", full.Token, nil).want(t, 200, "").rows())
		}

		t.Run("what does not fit is refused by name and makes nothing", func(t *testing.T) {
			before := count()
			for _, c := range []struct {
				over    map[string]any
				status  int
				message string
			}{
				{map[string]any{"name": "absent"}, 400, "name: is required"},
				{map[string]any{"name": 7}, 400, "name"},
				{map[string]any{"permission": "absent"}, 400, "permission: is required"},
				{map[string]any{"permission": "root"}, 400, "permission: must be"},
				{map[string]any{"reach": "moon"}, 400, "reach: must be"},
				{map[string]any{"expire_time": "soon"}, 400, "expire_time: must be never"},
				{map[string]any{"expire_time": "2020-01-01"}, 400, "expire_time: must be in the future"},
				{map[string]any{"expire_time": 12}, 400, "expire_time"},
				{map[string]any{"password": "absent"}, 400, "password: is required"},
				{map[string]any{"password": "wrong password"}, 401, "Invalid credentials"},
				{map[string]any{"password": "wrong password", "email": "absent"}, 401, "Invalid password"},
				{map[string]any{"email": "nobody@example.test"}, 401, "Invalid credentials"},
				{map[string]any{"serie_number": strings.Repeat("1", 101)}, 400, "serie_number: must have"},
			} {
				call("POST", path, full.Token, make(c.over)).want(t, c.status, c.message)
			}
			if n := count(); n != before {
				t.Errorf("%d tokens were made", n-before)
			}
		})

		t.Run("a new token is shown once, with its expiry under both names", func(t *testing.T) {
			r := call("POST", path, full.Token, make(nil)).want(t, 200, "")
			if !strings.HasPrefix(r.text("token"), "p-") || r.text("name") != "ci" || r.text("permission") != "read" ||
				r.text("expire_date") != "never" || r.text("expire_time") != "never" || r.text("reach") != "profile" || r.text("created_by") != string(a.ID) {
				t.Fatal(r.Result)
			}
			list := call("GET", path+"?filter[token]="+r.text("token"), full.Token, nil).want(t, 200, "").rows()
			if len(list) != 1 {
				t.Fatal(list)
			}
			row := list[0].(map[string]any)
			handle := row["token"].(string)
			if !strings.HasPrefix(handle, "p-") || !id.Valid(handle[2:]) || row["tail"] != Tail(r.text("token")) || row["expire_time"] != nil ||
				row["last_authorization"] != nil || row["type"] != "profile" || row["ref_id"] != string(who.ProfileID) || row["created_by"] != string(a.ID) {
				t.Fatal(row)
			}
			for _, k := range []string{"serie_number", "verification_code", "last_authorization", "expire_time"} {
				if v, ok := row[k]; !ok || v != nil {
					t.Errorf("%s is not null but %v", k, v)
				}
			}
			call("GET", "/info", handle, nil).want(t, 401, "Authorization Denied")
			call("DELETE", path+"/"+handle, full.Token, nil).want(t, 200, "Token Successfully Removed")
			call("DELETE", path+"/"+handle, full.Token, nil).want(t, 404, "Token Not Found")
			call("GET", "/info", r.text("token"), nil).want(t, 401, "Authorization Denied")
		})

		t.Run("expire_time takes never, a date, a span; left out it is a month", func(t *testing.T) {
			for in, want := range map[string]string{"never": "never", "3 month": "2027-02-22T09:00:00.000Z", "1 hour": "2026-11-22T10:00:00.000Z",
				"2027-01-02T03:04:05.006Z": "2027-01-02T03:04:05.006Z", "absent": "2026-12-22T09:00:00.000Z"} {
				if got := call("POST", path, full.Token, make(map[string]any{"expire_time": in})).want(t, 200, "").text("expire_time"); got != want {
					t.Errorf("%s: %s, want %s", in, got, want)
				}
			}
			if got := call("POST", path, full.Token, make(map[string]any{"expire_time": nil})).text("expire_date"); got != "never" {
				t.Errorf("null: %s", got)
			}
		})

		t.Run("the list filters, orders, pages and projects", func(t *testing.T) {
			h.clk.Advance(time.Minute)
			h.mint(t, who, MintInput{Name: "Zebra One", Permission: auth.Write})
			h.mint(t, who, MintInput{Name: "zebra two", Reach: auth.ReachAccount})
			names := func(q string) string {
				t.Helper()
				var out []string
				for _, r := range call("GET", path+"?"+q, full.Token, nil).want(t, 200, "").rows() {
					out = append(out, r.(map[string]any)["name"].(string))
				}
				return strings.Join(out, ",")
			}
			for q, want := range map[string]string{
				"filter[name]=*ZEBRA*&orderBy=name,asc":                   "Zebra One,zebra two",
				"filter[name]=zebra&orderBy=name,asc":                     "",
				"filter[name]=*zebra*&orderBy=name,desc&amount=1":         "zebra two",
				"filter[name]=*zebra*&orderBy=name,desc&amount=1&page=2":  "Zebra One",
				"filter[name]=*zebra*&filter[permission]=write":           "Zebra One",
				"filter[name]=*zebra*&filter[reach]=account":              "zebra two",
				"filter[created_at]=30%20seconds&orderBy=name,asc":        "Zebra One,zebra two",
				"filter[name]=*zebra*&filter[created_at]=%3C30%20seconds": "",
				"filter[name]=z%25":                                       "",
				"filter[token]=p-" + string(full.ID):                      "full",
				"filter[token]=" + full.Token:                             "full",
				"filter[token]=" + newRaw():                               "",
			} {
				if got := names(q); got != want {
					t.Errorf("%s: %q, want %q", q, got, want)
				}
			}
			r := call("GET", path+"?fields[0]=name&amount=1", full.Token, nil).rows()[0].(map[string]any)
			if len(r) != 3 || r["token"] == nil || r["tail"] == nil {
				t.Error(r)
			}
			for q, message := range map[string]string{"filter[color]=red": "filter[color]: is not a known filter", "orderBy=color,asc": "orderBy: cannot order",
				"filter[permission]=root": "filter[permission]: must be", "filter[created_at]=soon": "filter[created_at]: must be a date",
				"filter[name][x]=1": "filter[name]", "page=x": "page: must be", "amount=-1": "amount: must", "filter[name]=" + strings.Repeat("x", 300): "filter[name]: must have"} {
				call("GET", path+"?"+q, full.Token, nil).want(t, 400, message)
			}
			if l := call("GET", path+"?page=99", full.Token, nil).rows(); l == nil || len(l) != 0 {
				t.Error("an empty list is not []")
			}
		})

		t.Run("permissions: read reads, write creates, neither deletes, deny may ask what it is", func(t *testing.T) {
			read, write, deny := h.mint(t, who, MintInput{Permission: auth.Read}), h.mint(t, who, MintInput{Permission: auth.Write}), h.mint(t, who, MintInput{Permission: auth.Deny})
			call("GET", path, read.Token, nil).want(t, 200, "")
			call("POST", path, read.Token, make(nil)).want(t, 401, "Authorization Denied")
			call("DELETE", path+"/p-"+string(full.ID), read.Token, nil).want(t, 401, "Authorization Denied")
			call("GET", path, write.Token, nil).want(t, 401, "Authorization Denied")
			call("POST", path, write.Token, make(nil)).want(t, 200, "")
			call("DELETE", path+"/p-"+string(full.ID), write.Token, nil).want(t, 401, "Authorization Denied")
			call("GET", path, deny.Token, nil).want(t, 401, "Authorization Denied")
			if r := call("GET", "/info", deny.Token, nil).want(t, 200, ""); r.text("type") != "profile" || r.text("permission") != "deny" {
				t.Error(r.Result)
			}
		})

		t.Run("info tells a token about itself", func(t *testing.T) {
			r := call("GET", "/info?details=true", full.Token, nil).want(t, 200, "")
			if r.text("name") != "full" || r.text("profile") != string(who.ProfileID) || r.text("ref_id") != string(who.ProfileID) || r.text("token") != "p-"+string(full.ID) ||
				r.text("last_authorization") == "" {
				t.Error(r.Result)
			}
			call("GET", "/info", "", nil).want(t, 401, "")
		})

		t.Run("another profile's path is not found", func(t *testing.T) {
			b := h.person(t)
			other := h.mint(t, b, MintInput{Reach: auth.ReachAccount})
			for _, m := range []string{"GET", "POST"} {
				call(m, path, other.Token, make(nil)).want(t, 404, "Profile Not Found")
			}
			call("DELETE", path+"/p-"+string(full.ID), other.Token, nil).want(t, 404, "Profile Not Found")
			call("GET", "/profile/nonsense/token", full.Token, nil).want(t, 404, "Profile Not Found")
			if r := call("GET", "/profile/current/token", full.Token, nil).want(t, 200, ""); len(r.rows()) == 0 {
				t.Error("current is empty")
			}
			// The password proves who b is; b may still not act there.
			m := make(nil)
			ba, err := h.accounts.Get(t.Context(), b.AccountID)
			must(t, err)
			m["email"] = ba.Email
			call("POST", path, full.Token, m).want(t, 404, "Profile Not Found")
		})

		t.Run("strange references are not found", func(t *testing.T) {
			for _, ref := range []string{"x", "%00", "%ff", "p-", url.PathEscape("' OR 1=1"), strings.Repeat("9", 300)} {
				r := call("DELETE", path+"/"+ref, full.Token, nil)
				if r.status != 404 && r.status != 400 {
					t.Errorf("%s: %d %s", ref, r.status, r.Message)
				}
			}
		})
	})
}

func TestCredentials(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		call := h.serve(t)
		who, other := h.person(t), h.person(t)
		second := h.profile(t, who)
		a, err := h.accounts.Get(t.Context(), who.AccountID)
		must(t, err)
		body := func(p id.Profile, pass string) map[string]any {
			return map[string]any{"profile_id": p, "email": a.Email, "password": pass, "name": "cli"}
		}
		const path = "/account/profile/token"
		for field, message := range map[string]string{"profile_id": "profile_id: is required", "email": "email: is required", "password": "password: is required", "name": "name: is required"} {
			m := body(second, password)
			delete(m, field)
			call("POST", path, "", m).want(t, 400, message)
		}
		call("POST", path, "", body(second, "wrong password")).want(t, 401, "Invalid credentials")
		call("POST", path, "", body(other.ProfileID, password)).want(t, 404, "Profile Not Found")
		call("POST", path, "", body("nonsense", password)).want(t, 404, "Profile Not Found")
		r := call("POST", path, "", body(second, password)).want(t, 200, "")
		if r.text("profile") != string(second) || r.text("permission") != "full" || r.text("created_by") != string(a.ID) || r.text("name") != "cli" ||
			r.text("expire_time") != "2026-12-22T09:00:00.000Z" {
			t.Fatal(r.Result)
		}
		token := r.text("token")
		t.Run("its token reaches the account and can be switched", func(t *testing.T) {
			call("GET", "/profile/"+string(who.ProfileID)+"/token", token, nil).want(t, 200, "")
			call("PUT", "/profile/switch/"+string(other.ProfileID), token, nil).want(t, 404, "Profile Not Found")
			call("PUT", "/profile/switch/"+string(who.ProfileID), token, nil).want(t, 200, "Token Successfully Transferred")
			if r := call("GET", "/info", token, nil); r.text("profile") != string(who.ProfileID) {
				t.Error(r.Result)
			}
		})
		t.Run("a token of reach profile finds its own profile only", func(t *testing.T) {
			narrow := h.mint(t, who, MintInput{})
			call("GET", "/profile/"+string(second)+"/token", narrow.Token, nil).want(t, 404, "Profile Not Found")
			call("PUT", "/profile/switch/"+string(second), narrow.Token, nil).want(t, 401, "Authorization Denied")
		})
		t.Run("a device token manages no tokens", func(t *testing.T) {
			d := h.deviceToken(t, who, id.New[id.Device](), DeviceInput{})
			call("GET", "/profile/"+string(who.ProfileID)+"/token", d.Token, nil).want(t, 401, "Authorization Denied")
			call("PUT", "/profile/switch/"+string(second), d.Token, nil).want(t, 401, "Authorization Denied")
		})
	})
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	if got, err := Expiry(web.Opt[string]{}, now, nil); got != nil || err != nil {
		t.Error("absent without a default is not for ever", got, err)
	}
	if got, err := Expiry(web.Some(" "), now, OneMonth); err != nil || got == nil {
		t.Error("blank is not the default", got, err)
	}
	if _, err := Expiry(web.Some("yesterday"), now, nil); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "expire_time: ") {
		t.Error(err)
	}
}
