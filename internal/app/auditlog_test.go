package app_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/auth"
	"paddock/internal/id"
)

type logAnswer struct {
	QueryID    string
	Status     string
	Events     []logEvent
	Statistics struct{ RecordsMatched, RecordsScanned, BytesScanned int64 }
	Next       *string
}

type logEvent struct {
	Date, ResourceName, ResourceID, Who, Message, ID, Name, Kind string

	You           bool
	Token, Addr   *string
	Before, After json.RawMessage
}

func (l logAnswer) messages() string {
	var m []string
	for _, e := range l.Events {
		m = append(m, e.Message)
	}
	return strings.Join(m, "; ")
}

// auditLog asks for the log of a profile with a query such as "limit=2".
func auditLog(t *testing.T, s *apptest.Server, profile, token, query string) (l logAnswer) {
	t.Helper()
	s.Call(t, "GET", "/profile/"+profile+"/auditlog?"+query, token, nil).Want(t, 200).Into(t, &l)
	return l
}

// download is the file of the export of who's profile.
func download(t *testing.T, s *apptest.Server, who apptest.Who, query string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/profile/"+who.Profile+"/auditlog/export?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("token", who.Token)
	x, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Body.Close()
	text, err := io.ReadAll(x.Body)
	if err != nil || x.StatusCode != 200 {
		t.Fatalf("%d %s %v", x.StatusCode, text, err)
	}
	return string(text)
}

// asSession signs somebody in and returns how they call in a profile.
func asSession(t *testing.T, s *apptest.Server, w apptest.Who, profile string) func(method, path string, body any) apptest.Answer {
	t.Helper()
	return s.Session(t, w, profile)
}

// grant makes people members of one profile for as long as their entry stands in the map.
func grant(s *apptest.Server, profile string) map[id.Account]auth.Role {
	members := map[id.Account]auth.Role{}
	s.App.SetGrants(func(_ context.Context, a id.Account, p id.Profile) (auth.Grant, bool, error) {
		role, ok := members[a]
		return auth.Grant{Role: role}, ok && string(p) == profile, nil
	})
	return members
}

func TestBehaviour28_RemovedMemberIsUnknown(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada, bob := s.Account(t, "house"), s.Account(t, "house")
		s.Join(t, ada, bob, nil)
		asSession(t, s, bob, ada.Profile)("POST", "/device", row{"name": "Bob's"}).Want(t, 201)

		find := func() logEvent {
			t.Helper()
			l := auditLog(t, s, ada.Profile, ada.Token, "find=bob&resourceName=device")
			if len(l.Events) != 1 {
				t.Fatalf("%+v", l)
			}
			return l.Events[0]
		}
		var name struct{ Name string }
		s.Call(t, "GET", "/account", bob.Token, nil).Want(t, 200).Into(t, &name)
		if e := find(); e.Name != name.Name || e.Who != bob.Account || e.Kind != "session" || e.You {
			t.Errorf("while a member: %+v", e)
		}
		s.Call(t, "DELETE", "/profile/"+ada.Profile+"/team/"+bob.Account, ada.Token, nil).Want(t, 200)
		if e := find(); e.Name != "Unknown user" || e.Who != bob.Account {
			t.Errorf("once removed: %+v", e)
		}
		for _, form := range []string{"csv", "json"} {
			if text := download(t, s, ada, "find=bob&resourceName=device&format="+form); !strings.Contains(text, "Unknown user") || strings.Contains(text, name.Name) || strings.Contains(text, bob.Email) {
				t.Errorf("%s: %s", form, text)
			}
		}
		// Also where the team tells of itself: who did something is unknown, though whom it was done to is named.
		for _, e := range auditLog(t, s, ada.Profile, ada.Token, "").Events {
			if e.Name == name.Name {
				t.Errorf("%q is by %s", e.Message, e.Name)
			}
		}
	})
}

func TestBehaviour74_WhoReadsTheAuditLogAndForHowLong(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada, bob, stranger := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		members := grant(s, ada.Profile)
		path := "/profile/" + ada.Profile + "/auditlog"
		s.Device(t, ada, "Ada's")
		me := id.Account(bob.Account)
		members[me] = auth.Developer
		asSession(t, s, bob, ada.Profile)("POST", "/device", row{"name": "Bob's"}).Want(t, 201)

		t.Run("a stranger is told that there is no such profile", func(t *testing.T) {
			s.Call(t, "GET", path, stranger.Token, nil).Want(t, 404)
			s.Call(t, "GET", path+"/export", stranger.Token, nil).Want(t, 404)
		})
		t.Run("a member sees the own actions only", func(t *testing.T) {
			for _, role := range []auth.Role{auth.Developer, auth.Viewer} {
				members[me] = role
				l := auditLog(t, s, ada.Profile, bob.Token, "")
				if got := l.messages(); !strings.Contains(got, "Bob's") || strings.Contains(got, "Ada's") {
					t.Errorf("%s: %s", role, got)
				}
				for _, e := range l.Events {
					if e.Who != bob.Account || !e.You {
						t.Errorf("%s sees %+v", role, e)
					}
				}
				for _, who := range []string{ada.Account, "system", "operator"} {
					x := s.Call(t, "GET", path+"?who="+who, bob.Token, nil).Want(t, 403)
					if !strings.Contains(string(x.Body), `"needs":"role admin"`) {
						t.Errorf("%s", x.Body)
					}
				}
				in := apptest.Who{Profile: ada.Profile, Token: bob.Token}
				if text := download(t, s, in, "format=json"); strings.Contains(text, "Ada's") || !strings.Contains(text, "Bob's") {
					t.Errorf("%s downloads %s", role, text)
				}
			}
		})
		t.Run("owner and admins see all", func(t *testing.T) {
			members[me] = auth.Admin
			for _, token := range []string{ada.Token, bob.Token} {
				if got := auditLog(t, s, ada.Profile, token, "").messages(); !strings.Contains(got, "Ada's") || !strings.Contains(got, "Bob's") {
					t.Error(got)
				}
			}
			if l := auditLog(t, s, ada.Profile, bob.Token, "who="+ada.Account+"&resourceName=device&find=Ada"); len(l.Events) != 1 || l.Events[0].You {
				t.Errorf("%+v", l)
			}
		})
		t.Run("what an admin asked is no answer for who is none any more, nor for anybody else", func(t *testing.T) {
			members[me] = auth.Admin
			query := auditLog(t, s, ada.Profile, bob.Token, "").QueryID
			s.Call(t, "GET", path+"/"+query, bob.Token, nil).Want(t, 200)
			s.Call(t, "GET", path+"/"+query, ada.Token, nil).Want(t, 404)
			s.Call(t, "GET", "/profile/"+bob.Profile+"/auditlog/"+query, bob.Token, nil).Want(t, 404)
			members[me] = auth.Developer
			s.Call(t, "GET", path+"/"+query, bob.Token, nil).Want(t, 404)
			delete(members, me)
			s.Call(t, "GET", path+"/"+query, bob.Token, nil).Want(t, 404)
		})
	})

	start := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	t.Run("kept", func(t *testing.T) {
		apptest.Each(t, func(t *testing.T, s *apptest.Server) {
			a := s.Account(t, "house")
			b := s.Profile(t, a, "Second")
			s.Device(t, a, "Old")
			s.Device(t, b, "Of a profile that goes")
			s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
			s.Clock.Advance(8 * 24 * time.Hour)
			s.Device(t, a, "New")

			if got := auditLog(t, s, a.Profile, a.Token, "resourceName=device").messages(); strings.Contains(got, "Old") || !strings.Contains(got, "New") {
				t.Errorf("without a range: %s", got)
			}
			all := "resourceName=device&start_date=2026-01-01"
			if got := auditLog(t, s, a.Profile, a.Token, all).messages(); !strings.Contains(got, "Old") || !strings.Contains(got, "New") {
				t.Errorf("of more than seven days: %s", got)
			}
			if got := auditLog(t, s, a.Profile, a.Token, all+"&end_date=2026-04-01").messages(); !strings.Contains(got, "Old") || strings.Contains(got, "New") {
				t.Errorf("up to a date: %s", got)
			}
			if got := auditLog(t, s, b.Profile, a.Token, "start_date=2026-01-01").messages(); !strings.Contains(got, "Of a profile that goes") || !strings.Contains(got, "Profile deleted") {
				t.Errorf("of a profile that was deleted: %s", got)
			}

			// Old is six months old, but for a second; then it is.
			s.Clock.Advance(time.Date(2026, 9, 30, 11, 59, 59, 0, time.UTC).Sub(s.Clock.Now()))
			if got := auditLog(t, s, a.Profile, a.Token, all).messages(); !strings.Contains(got, "Old") {
				t.Errorf("before the end of retention: %s", got)
			}
			s.Clock.Advance(2 * time.Hour * 24)
			if got := auditLog(t, s, a.Profile, a.Token, all).messages(); strings.Contains(got, "Old") || !strings.Contains(got, "New") {
				t.Errorf("after the end of retention: %s", got)
			}
			if err := s.App.PurgeLog(t.Context()); err != nil {
				t.Fatal(err)
			}
			texts, err := s.App.AuditTexts(t.Context())
			if err != nil || strings.Contains(strings.Join(texts, "\n"), "Old") || !strings.Contains(strings.Join(texts, "\n"), "New") {
				t.Errorf("after the purge: %v %v", texts, err)
			}
		}, apptest.AtTime(start))
	})
}

func TestBehaviour75_AuditEventsAndQueries(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		path := "/profile/" + a.Profile + "/auditlog"
		device, _ := s.Device(t, a, "Barn")
		s.Call(t, "PUT", "/device/"+device, a.Token, row{"name": "Shed"}).Want(t, 200)

		t.Run("an event says who, what, which, when, from where, with what, before and after", func(t *testing.T) {
			l := auditLog(t, s, a.Profile, a.Token, "find=device&resourceName=device&resourceID="+device)
			if l.Status != "Complete" || l.QueryID == "" || len(l.Events) != 2 || l.Next != nil {
				t.Fatalf("%+v", l)
			}
			if st := l.Statistics; st.RecordsMatched != 2 || st.RecordsScanned < 2 || st.BytesScanned < 50 {
				t.Errorf("%+v", st)
			}
			e := l.Events[1]
			at, err := time.Parse(time.RFC3339, e.Date)
			if err != nil || time.Since(at) > time.Hour || e.ResourceName != "device" || e.ResourceID != device || e.Who != a.Account ||
				e.Message != `Device "Shed" edited` || e.Kind != "profile" || e.Token == nil || *e.Token == "" || e.Addr == nil || *e.Addr != "127.0.0.1" || !e.You {
				t.Errorf("%+v", e)
			}
			if !strings.Contains(string(e.Before), "Barn") || !strings.Contains(string(e.After), "Shed") || string(l.Events[0].Before) != "null" {
				t.Errorf("%s → %s", e.Before, e.After)
			}
		})
		t.Run("a query is polled by its id", func(t *testing.T) {
			first := auditLog(t, s, a.Profile, a.Token, "resourceName=device")
			s.Device(t, a, "Later")
			var again logAnswer
			s.Call(t, "GET", path+"/"+first.QueryID, a.Token, nil).Want(t, 200).Into(t, &again)
			if again.Status != "Complete" || again.QueryID != first.QueryID || again.messages() != first.messages() {
				t.Errorf("%+v", again)
			}
			if auditLog(t, s, a.Profile, a.Token, "").QueryID == first.QueryID {
				t.Error("two queries have one id")
			}
			other := s.Account(t, "house")
			for _, query := range []string{"x", "0123456789abcdef01234567", first.QueryID + "A", first.QueryID[:len(first.QueryID)-2], "v1..", "export%00"} {
				s.Call(t, "GET", path+"/"+query, a.Token, nil).Want(t, 404, 400)
			}
			s.Call(t, "GET", path+"/"+first.QueryID, other.Token, nil).Want(t, 404)
			s.Call(t, "GET", path+"/"+first.QueryID, "", nil).Want(t, 401)
		})
		t.Run("pages join without a gap or a repetition", func(t *testing.T) {
			all := auditLog(t, s, a.Profile, a.Token, "").messages()
			var parts []string
			after := ""
			for range 100 {
				l := auditLog(t, s, a.Profile, a.Token, "limit=2&after="+after)
				if len(l.Events) > 0 {
					parts = append(parts, l.messages())
				}
				if l.Next == nil {
					break
				}
				after = *l.Next
			}
			if strings.Join(parts, "; ") != all || len(parts) < 3 {
				t.Errorf("%v, want %s", parts, all)
			}
		})
		t.Run("a wrong filter is refused by name", func(t *testing.T) {
			for query, field := range map[string]string{
				"start_date=soon": "start_date", "end_date=x": "end_date", "start_date=2026-02-01&end_date=2026-01-01": "end_date", "limit=-1": "limit", "limit=x": "limit",
				"after=x": "after", "who=x": "who", "resourceName=a%20b": "resourceName", "find=" + strings.Repeat("x", 201): "find",
				"resourceID=" + strings.Repeat("x", 201): "resourceID", "start_date=-5": "start_date",
			} {
				for _, p := range []string{path, path + "/export", "/account/auditlog"} {
					if x := s.Call(t, "GET", p+"?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field+": ") {
						t.Errorf("%s?%s: %s", p, query, x.Message)
					}
				}
			}
			s.Call(t, "GET", path+"/export?format=pdf", a.Token, nil).Want(t, 400)
			if l := auditLog(t, s, a.Profile, a.Token, "find=*&limit=100000000&resourceName=Device"); len(l.Events) < 2 {
				t.Errorf("%+v", l)
			}
			for _, query := range []string{"find=%25", "find=' OR 1=1", "resourceID=' OR 1=1", "resourceName=network"} {
				if l := auditLog(t, s, a.Profile, a.Token, strings.ReplaceAll(query, " ", "+")); l.Events == nil || len(l.Events) != 0 {
					t.Errorf("%s: %+v", query, l)
				}
			}
		})
		t.Run("a table is safe to open in a spreadsheet", func(t *testing.T) {
			const bad = `=HYPERLINK("http://x","y")`
			var made struct{ Token string }
			s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": bad, "permission": "full", "email": a.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &made)
			s.Call(t, "PUT", "/device/"+device, made.Token, row{"name": "-1+1, \"quoted\"\nline"}).Want(t, 200, 400)
			s.Call(t, "PUT", "/device/"+device, made.Token, row{"name": "+1, \"quoted\""}).Want(t, 200)
			x := s.Call(t, "GET", path+"/export", made.Token, nil).Want(t, 200)
			if got := x.Header.Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
				t.Error(got)
			}
			if got := x.Header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="auditlog-20`) || !strings.HasSuffix(got, `.csv"`) {
				t.Error(got)
			}
			rows, err := csv.NewReader(strings.NewReader(string(x.Body))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range rows {
				for _, c := range r {
					if c != "" && strings.ContainsRune("=+-@", rune(c[0])) {
						t.Errorf("a cell begins with %q", c)
					}
					found = found || c == "'"+bad
				}
			}
			if !found || rows[0][0] != "date" {
				t.Errorf("%v", rows)
			}
		})
		t.Run("a download has every event, as JSON too", func(t *testing.T) {
			for i := range 30 {
				s.Call(t, "PUT", "/device/"+device, a.Token, row{"name": fmt.Sprint(i)}).Want(t, 200)
			}
			events := func(query string) (got []logEvent) {
				t.Helper()
				text := download(t, s, a, "format=json&"+query)
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatalf("%v in %s", err, text)
				}
				return got
			}
			all := auditLog(t, s, a.Profile, a.Token, "")
			if got := events(""); len(got) != len(all.Events) || got[5].ID != all.Events[5].ID {
				t.Errorf("%d, want %d", len(got), len(all.Events))
			}
			if got := events("limit=3&find=edited"); len(got) != 3 {
				t.Errorf("%d", len(got))
			}
			if got := events("find=nothing+is+called+so"); len(got) != 0 {
				t.Errorf("%d", len(got))
			}
		})
		t.Run("the account has a log of its own", func(t *testing.T) {
			s.Call(t, "PUT", "/account", a.Token, row{"company": "Barns Ltd"}).Want(t, 200)
			var l logAnswer
			s.Call(t, "GET", "/account/auditlog", a.Token, nil).Want(t, 200).Into(t, &l)
			if got := l.messages(); !strings.Contains(got, "Account edited") || strings.Contains(got, "Device") || l.Status != "Complete" {
				t.Errorf("%+v", l)
			}
			if e := l.Events[0]; e.Message != "Account created" || e.Name != "Paddock" || e.Who != "system" || e.Kind != "system" {
				t.Errorf("%+v", e)
			}
			var other logAnswer
			s.Call(t, "GET", "/account/auditlog", s.Account(t, "house").Token, nil).Want(t, 200).Into(t, &other)
			if strings.Contains(fmt.Sprint(other), a.Account) {
				t.Errorf("%+v", other)
			}
		})
	})
}

// TestOperatorsPauseInTheAuditLog shows what a profile learns of an operator who paused it.
func TestOperatorsPauseInTheAuditLog(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator, a := s.Account(t, "house"), s.Account(t, "house") // the first account runs the installation
		session := asSession(t, s, operator, operator.Profile)
		session("POST", "/profile/"+a.Profile+"/pause", row{"reason": "Unpaid"}).Want(t, 200)
		session("POST", "/profile/"+a.Profile+"/resume", nil).Want(t, 200)
		s.Call(t, "POST", "/profile/"+a.Profile+"/pause", a.Token, row{"reason": "Holidays"}).Want(t, 200)
		l := auditLog(t, s, a.Profile, a.Token, "find=profile+*ed&resourceName=profile")
		var paused []logEvent
		for _, e := range l.Events {
			if e.Message == "Profile paused" {
				paused = append(paused, e)
			}
		}
		if len(paused) != 2 || paused[0].Name != "Operator" || paused[0].Who != "operator" || paused[0].Addr != nil || paused[1].Who != a.Account {
			t.Fatalf("%+v", l.Events)
		}
		if strings.Contains(fmt.Sprint(l), operator.Account) {
			t.Error("who the operator is shows")
		}
		if l := auditLog(t, s, a.Profile, a.Token, "who=operator"); len(l.Events) != 2 {
			t.Errorf("%+v", l)
		}
		own := auditLog(t, s, operator.Profile, operator.Token, "")
		if len(own.Events) == 0 || strings.Contains(fmt.Sprint(own), "Operator") {
			t.Errorf("%+v", own)
		}
	})
}

// unlogged are the routes that change something and write no event of their own, and why.
var unlogged = map[string]string{
	"POST /data":                     "a device sends",
	"PUT /data":                      "a device corrects what it sent",
	"DELETE /data":                   "a device removes what it sent",
	"POST /device/{id}/data":         "data, as if the device had sent it",
	"PUT /device/params/{id}":        "a device says that it has seen a parameter",
	"PUT /alert/{id}":                "a mark that something was seen",
	"POST /alert/acknowledge":        "a mark that something was seen",
	"POST /account":                  "the account's own log begins with it, unless the e-mail is taken",
	"POST /account/login":            "checks a password and changes nothing",
	"POST /account/cost/simulate":    "computes and changes nothing",
	"POST /setup":                    "as POST /account",
	"DELETE /account":                "shown by the rooms' tests: nobody is left to ask here",
	"POST /account/delete":           "by a mailed link, which DELETE /account asked for",
	"POST /account/email/confirm":    "by a mailed link, which POST /account/email asked for",
	"POST /account/passwordreset":    "by a mailed link, which POST /account/recover asked for",
	"POST /account/recover":          "answers the same for everybody; the event is the account's",
	"POST /account/deletion":         "shows by a mailed link what would be deleted",
	"POST /account/login/otp":        "is always refused: no code is sent",
	"POST /account/payment_method":   "is always refused: there are no cards",
	"DELETE /account/payment_method": "is always refused: there are no cards",

	"POST /account/subscription/pending/retry":  "is always refused: no payment is pending",
	"POST /account/subscription/pending/cancel": "is always refused: no payment is pending",

	"DELETE /profile/import/{import}": "needs one that runs: shown by TestImportIsCancelled",
	"POST /profile/import":            "is answered before it is done: the event is there when the profile is, shown by TestImportOverHTTP",

	"DELETE /session":                    "the end of the session it came with",
	"POST /notification":                 "a person's own list",
	"PUT /notification/read":             "a mark that something was read",
	"PUT /notification/markallread":      "a mark that something was read",
	"PUT /notification/{id}/{button}":    "a person's own list; what a button does to an invitation writes its event, see below",
	"DELETE /notification/{id}":          "a person's own list",
	"POST /notification/push/register":   "is always refused",
	"POST /notification/push/unregister": "no phone is registered",
	"POST /account/notify/test":          "a test of delivery, which stands in the list of deliveries",
	"POST /account/otp/{type}/enable":    "begins what confirm ends; until then nothing has changed",
	"POST /profile/{id}/notify/test":     "a test of delivery, which stands in the list of deliveries",
	"DELETE /session/others":             "shown by account's tests",
	"DELETE /session/{id}":               "shown by account's tests",

	"POST /transfer/{id}/approve":          "where an operator approves: see TestTransferReview",
	"POST /profile/{id}/look/{look}/allow": "where the server asks the owner: see TestLookAsks",
	"POST /profile/{id}/look/{look}/deny":  "where the server asks the owner: see TestLookAsks",
}

// TestEveryChangeIsLogged calls every route that changes something, and fails for one that leaves no trace in the audit
// log and is not named above.
func TestEveryChangeIsLogged(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		seen := map[string]bool{}
		count := func() int {
			n, err := s.App.CountEvents(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		token := a.Token
		change := func(pattern, path string, body any) apptest.Answer {
			t.Helper()
			seen[pattern] = true
			method, _, _ := strings.Cut(pattern, " ")
			before := count()
			x := s.Call(t, method, path, token, body).Want(t, 200, 201)
			if count() == before {
				t.Errorf("%s writes no event", pattern)
			}
			return x
		}
		made := func(x apptest.Answer) string {
			t.Helper()
			var m struct {
				ID, DashboardID, Widget, Token string
				DeviceID                       string `json:"device_id"`
			}
			x.Into(t, &m)
			for _, v := range []string{m.DeviceID, m.ID, m.Widget, m.Token} {
				if v != "" {
					return v
				}
			}
			t.Fatalf("%s made nothing: %s", x.Path, x.Body)
			return ""
		}

		// The account.
		change("PUT /account", "/account", row{"name": "Ada"})
		change("PUT /account/picture", "/account/picture", logoPNG)
		change("DELETE /account/picture", "/account/picture", nil)
		change("POST /account/email", "/account/email", row{"email": "else@example.test", "password": apptest.Password})
		change("POST /session", "/session", row{"email": a.Email, "password": apptest.Password})
		change("POST /account/profile/token", "/account/profile/token", row{"profile_id": a.Profile, "email": a.Email, "password": apptest.Password, "name": "x"})

		// The profile.
		second := made(change("POST /profile", "/profile", row{"name": "Second"}))
		profile := "/profile/" + a.Profile
		change("PUT /profile/{id}", profile, row{"name": "First"})
		change("PUT /profile/{id}/policies", profile+"/policies", row{"input": "pool"})
		change("PUT /profile/{id}/policies", profile+"/policies", row{"input": "block"})
		change("POST /account/allocation", "/account/allocation", []row{{"profile": a.Profile, "input": 10}})
		change("POST /profile/{id}/services", profile+"/services", row{"input": row{"limit": 20_000}})
		change("POST /overview/bulk", "/overview/bulk", row{"profiles": []string{second}, "action": row{"tag": row{"add": []row{{"key": "a", "value": "b"}}}}})
		token = s.Join(t, a, s.Account(t, "house"), nil).Token
		change("POST /profile/{id}/ask", profile+"/ask", row{"service": "input"})
		token = a.Token
		change("PUT /profile/{id}/logo", profile+"/logo", logoPNG)
		change("DELETE /profile/{id}/logo", profile+"/logo", nil)
		change("PUT /profile/{id}/banner", profile+"/banner", logoPNG)
		change("DELETE /profile/{id}/banner", profile+"/banner", nil)
		change("POST /profile/{id}/pause", profile+"/pause", row{"reason": "x"})
		change("POST /profile/{id}/resume", profile+"/resume", nil)
		minted := made(change("POST /profile/{id}/token", profile+"/token", row{"name": "x", "permission": "full", "email": a.Email, "password": apptest.Password}))
		change("DELETE /profile/{id}/token/{token}", profile+"/token/"+minted, nil)

		// Devices and their data.
		device := made(change("POST /device", "/device", row{"name": "D", "type": "mutable"}))
		path := "/device/" + device
		change("POST /device/bulk", "/device/bulk", row{"action": "tag", "ids": []string{device}, "key": "site", "value": "north"})
		change("POST /device/import", "/device/import", "name,serial\nFrom a table,SN-1\n")
		change("PUT /device/{id}", path, row{"name": "E"})
		change("POST /device/{id}/params", path+"/params", row{"key": "k", "value": "v", "sent": false})
		var params []struct{ ID string }
		s.Call(t, "GET", path+"/params", token, nil).Want(t, 200).Into(t, &params)
		change("DELETE /device/{id}/params/{param}", path+"/params/"+params[0].ID, nil)
		deviceToken := made(change("POST /device/token", "/device/token", row{"device": device, "name": "t", "permission": "full"}))
		s.Send(t, deviceToken, 3).Want(t, 200)
		var points []struct{ ID string }
		s.Call(t, "GET", "/data", deviceToken, nil).Want(t, 200).Into(t, &points)
		change("PUT /device/{id}/data", path+"/data", row{"id": points[0].ID, "value": 2})
		change("DELETE /device/{id}/data", path+"/data?ids[0]="+points[0].ID, nil)
		change("DELETE /device/token/{token}", "/device/token/"+deviceToken, nil)
		change("POST /device/{id}/empty", path+"/empty", nil)
		change("PUT /device/{id}", path, row{"active": false})
		change("POST /device/{id}/convert", path+"/convert", row{"type": "immutable", "chunk_period": "day", "chunk_retention": 2})
		change("PUT /device/{id}", path, row{"active": true})
		s.Call(t, "POST", path+"/data", token, row{"variable": "v", "value": 1}).Want(t, 200)
		var chunks []struct{ ID string }
		s.Call(t, "GET", path+"/chunk", token, nil).Want(t, 200).Into(t, &chunks)
		change("DELETE /device/{id}/chunk/{chunk}", path+"/chunk/"+url.PathEscape(chunks[0].ID), nil)

		// What stands on them.
		rule := made(change("POST /alert/silence", "/alert/silence", row{"device": device, "interval": 900}))
		change("PUT /alert/silence/{id}", "/alert/silence/"+rule, row{"interval": 1800})
		change("DELETE /alert/silence/{id}", "/alert/silence/"+rule, nil)
		change("POST /dashboard", "/dashboard", row{"label": "B"})
		board := newDashboard(t, s, a, row{"label": "C"})
		change("PUT /dashboard/{id}", board, row{"label": "D"})
		change("POST /dashboard/{id}/duplicate", board+"/duplicate", row{})
		chart := row{"label": "Chart", "type": "x", "display": row{}, "data": []row{{"origin": device}}}
		change("POST /dashboard/{id}/widget", board+"/widget", chart)
		widget := newWidget(t, s, a, board, chart)
		change("PUT /dashboard/{id}/widget/{widget}", widget, row{"label": "Other"})
		change("DELETE /dashboard/{id}/widget/{widget}", widget, nil)
		change("DELETE /dashboard/{id}", board, nil)
		change("DELETE /device/{id}", path, nil)

		// Backups.
		stored := profile + "/backup"
		change("POST /profile/{id}/backup", stored, row{})
		kept := madeBackup(t, s, a)
		change("POST /profile/{id}/backup/{backup}/download", stored+"/"+kept.ID+"/download", row{"password": apptest.Password})
		change("DELETE /profile/{id}/backup/{backup}", stored+"/"+kept.ID, row{"password": apptest.Password})
		change("PUT /profile/{id}/backup/schedule", stored+"/schedule", row{"every": "day", "keep_last": 2})
		change("DELETE /profile/{id}/backup/schedule", stored+"/schedule", nil)

		// What one is told.
		change("PUT /account/notify", "/account/notify", row{"mail": row{"silent": false}})
		change("PUT /profile/{id}/notify", profile+"/notify", row{"notice": row{"limit": false}})
		change("PUT /profile/{id}/notify", profile+"/notify", row{"webhook": row{"url": "https://example.com/hook"}})
		change("PUT /profile/{id}/notify", profile+"/notify", row{"webhook": nil})

		// Who else is there. Links act for whoever holds them.
		bob := s.Account(t, "house")
		members := profile + "/team/"
		ask := func(pattern, path string) string {
			t.Helper()
			change(pattern, path, row{"email": bob.Email})
			return s.Secret(t, bob.Email, "team/accept")
		}
		change("GET /profile/team/decline/{token}", "/profile/team/decline/"+ask("POST /profile/{id}/team", profile+"/team"), nil)
		over := "/team/invitation/" + ask("POST /profile/{id}/team", profile+"/team")
		change("POST /team/invitation/{token}/decline", over+"/decline", nil)
		change("POST /team/invitation/{token}/ask", over+"/ask", nil)
		change("GET /profile/team/accept/{token}", "/profile/team/accept/"+ask("POST /profile/{id}/team", profile+"/team"), nil)
		change("PUT /profile/{id}/team/{account}", members+bob.Account, row{"role": "viewer"})
		change("DELETE /profile/{id}/team/{account}", members+bob.Account, nil)
		change("POST /team/invitation/{token}/accept", "/team/invitation/"+ask("POST /profile/{id}/team", profile+"/team")+"/accept", row{})
		token = bob.Token
		change("POST /profile/{id}/leave", profile+"/leave", row{"password": apptest.Password})
		token = a.Token
		for _, answer := range []string{"refuse", "accept"} {
			ask("POST /profile/{id}/team", profile+"/team")
			var waits struct{ ID string }
			for _, r := range team(t, s, a) {
				if r.Pending {
					waits.ID = r.ID
				}
			}
			change("GET /profile/{id}/team/{account}/link", members+waits.ID+"/link", nil)
			before := count()
			for _, n := range noticesOf(t, s, bob.Token, "type=sharing") {
				if n.Enabled {
					s.Call(t, "PUT", "/notification/"+n.ID+"/"+answer, bob.Token, nil).Want(t, 200)
				}
			}
			if count() == before {
				t.Errorf("the button %s writes no event", answer)
			}
		}
		ask("POST /account/staff", "/account/staff")
		var staff []teamRow
		s.Call(t, "GET", "/account/staff", token, nil).Want(t, 200).Into(t, &staff)
		change("GET /account/staff/{account}/link", "/account/staff/"+staff[0].ID+"/link", nil)
		change("GET /profile/team/accept/{token}", "/profile/team/accept/"+s.Secret(t, bob.Email, "team/accept"), nil)
		change("PUT /account/staff/{account}", "/account/staff/"+bob.Account, row{"role": "viewer"})
		change("DELETE /account/staff/{account}", "/account/staff/"+bob.Account, nil)

		// Mails that wait are an operator's.
		session := asSession(t, s, a, a.Profile) // the first account
		type queued struct {
			ID   string
			Link bool `json:"has_link"`
		}
		var box struct{ Mails []queued }
		session("GET", "/outbox?amount=100", nil).Want(t, 200).Into(t, &box)
		mail := "/outbox/" + box.Mails[slices.IndexFunc(box.Mails, func(m queued) bool { return m.Link })].ID
		asOperator := func(pattern, path string) {
			t.Helper()
			seen[pattern] = true
			method, _, _ := strings.Cut(pattern, " ")
			before := count()
			if session(method, path, nil).Want(t, 200); count() == before {
				t.Errorf("%s writes no event", pattern)
			}
		}
		asOperator("GET /outbox/{id}", mail)
		asOperator("POST /outbox/{id}/retry", mail+"/retry")
		asOperator("DELETE /outbox/{id}", mail)
		before := count()
		seen["PUT /profile/{id}/pin"] = true
		if session("PUT", profile+"/pin", row{"pinned": true}).Want(t, 200); count() == before {
			t.Error("a pin writes no event")
		}

		// What an account buys, and what operators do about it.
		buyer := s.Account(t, "starter")
		token = buyer.Token
		change("POST /account/subscription", "/account/subscription", row{"plan": "scale"})
		change("POST /account/subscription", "/account/subscription", row{"services": row{"sms": row{"limit": 100}}})
		change("POST /account/subscription", "/account/subscription", row{"addons": row{"mobile": []string{buyer.Profile}}})
		change("POST /account/plan", "/account/plan", row{"plan": "starter"})
		change("DELETE /account/subscription/schedule", "/account/subscription/schedule", nil)
		change("PUT /account/billing", "/account/billing", row{"city": "Kiel"})
		var billed []struct{ ID string }
		s.Call(t, "GET", "/account/invoice", token, nil).Want(t, 200).Into(t, &billed)
		asOperator = func(pattern, path string) {
			t.Helper()
			seen[pattern] = true
			method, _, _ := strings.Cut(pattern, " ")
			before := count()
			if session(method, path, row{"plan": "starter", "reason": "r", "amount": 5}).Want(t, 200, 201); count() == before {
				t.Errorf("%s writes no event", pattern)
			}
		}
		asOperator("PUT /billing/account/{id}/plan", "/billing/account/"+buyer.Account+"/plan")
		asOperator("PUT /billing/account/{id}/override/{kind}/{name}", "/billing/account/"+buyer.Account+"/override/cap/device")
		asOperator("DELETE /billing/account/{id}/override/{kind}/{name}", "/billing/account/"+buyer.Account+"/override/cap/device")
		asOperator("POST /operator/mail", "/operator/mail")
		asOperator("POST /operator/accounts/{id}/reset", "/operator/accounts/"+buyer.Account+"/reset")
		asOperator("POST /operator/accounts/{id}/unlock", "/operator/accounts/"+buyer.Account+"/unlock")
		asOperator("POST /operator/accounts/{id}/block", "/operator/accounts/"+buyer.Account+"/block")
		asOperator("POST /operator/accounts/{id}/unblock", "/operator/accounts/"+buyer.Account+"/unblock")
		asOperator("POST /operator/verify", "/operator/verify")
		asOperator("POST /billing/invoice/{id}/paid", "/billing/invoice/"+billed[0].ID+"/paid")
		s.Call(t, "GET", "/account/invoice", token, nil).Want(t, 200).Into(t, &billed)
		asOperator("POST /billing/invoice/{id}/void", "/billing/invoice/"+billed[0].ID+"/void")
		token = a.Token

		// What is said to whoever runs the server, and how an operator looks in.
		asked := "/ticket/" + made(change("POST /ticket", "/ticket", row{"subject": "Q", "text": "x"}))
		change("POST /ticket/{id}/message", asked+"/message", row{"text": "x"})
		change("PUT /ticket/{id}", asked, row{"state": "closed"})
		asOperator("POST /profile/{id}/look", "/profile/"+buyer.Profile+"/look")
		var looks []struct{ ID string }
		s.Call(t, "GET", "/profile/"+buyer.Profile+"/look", buyer.Token, nil).Want(t, 200).Into(t, &looks)
		asOperator("DELETE /profile/{id}/look/{look}", "/profile/"+buyer.Profile+"/look/"+looks[0].ID)

		// A profile for somebody else.
		giver, taker := s.Account(t, "house"), s.Account(t, "house")
		gift := s.Profile(t, giver, "Gift")
		offer := func() string {
			token = giver.Token
			return "/transfer/" + made(change("POST /profile/{id}/transfer", "/profile/"+gift.Profile+"/transfer", row{"email": taker.Email, "password": apptest.Password}))
		}
		change("POST /transfer/{id}/cancel", offer()+"/cancel", row{})
		offered := offer()
		token = taker.Token
		change("POST /transfer/{id}/decline", offered+"/decline", row{})
		offered = offer()
		token = taker.Token
		change("POST /transfer/{id}/accept", offered+"/accept", row{"password": apptest.Password})
		change("POST /transfer/{id}/undo", offered+"/undo", row{"password": apptest.Password})
		token = a.Token

		// What it costs.
		change("PUT /account/cost/figure", "/account/cost/figure", row{"amount": 1000, "currency": "eur", "shares": row{"input": 100}})
		change("PUT /account/cost/figure", "/account/cost/figure", row{"amount": 2000, "currency": "eur", "shares": row{"input": 100}})
		change("DELETE /account/cost/figure", "/account/cost/figure", nil)
		change("PUT /account/cost/setting", "/account/cost/setting", row{"basis": "use"})
		budget := made(change("POST /account/budget", "/account/budget", row{"amount": 1000}))
		change("PUT /account/budget/{id}", "/account/budget/"+budget, row{"amount": 2000})
		change("DELETE /account/budget/{id}", "/account/budget/"+budget, nil)

		// The second factor.
		phone := &app2FA{s: s}
		var setup struct{ Secret string }
		proof := func() row { return row{"email": a.Email, "password": apptest.Password, "pin_code": phone.code(t)} }
		otp := "/account/otp/authenticator/"
		s.Call(t, "POST", otp+"enable", token, row{"email": a.Email, "password": apptest.Password}).Want(t, 200).Into(t, &setup)
		phone.secret = setup.Secret
		change("POST /account/otp/{type}/confirm", otp+"confirm", proof())
		change("POST /account/otp/{type}/recovery", otp+"recovery", proof())
		change("POST /account/otp/{type}/disable", otp+"disable", proof())

		change("POST /profile/{id}/clone", profile+"/clone", row{"name": "Clone"})

		// The end.
		change("DELETE /profile/{id}", "/profile/"+second, row{"password": apptest.Password})
		change("POST /profile/{id}/restore", "/profile/"+second+"/restore", nil)
		third := s.Profile(t, a, "Third")
		change("PUT /profile/switch/{id}", "/profile/switch/"+third.Profile, nil)

		// What customers are billed.
		card := made(change("POST /billing/card", "/billing/card", row{"name": "C", "profile": a.Profile, "currency": "EUR", "fee_cents": 100}))
		change("PUT /billing/card/{id}", "/billing/card/"+card, row{"name": "D"})
		month := s.Clock.Now().Format("2006-01")
		s.Clock.Advance(32 * 24 * time.Hour)
		var issued struct{ Statements []struct{ ID string } }
		change("POST /billing/statement", "/billing/statement", row{"month": month, "profiles": []string{a.Profile}}).Into(t, &issued)
		change("POST /billing/statement/{id}/correction", "/billing/statement/"+issued.Statements[0].ID+"/correction", row{"text": "x", "cents": -1})
		change("DELETE /billing/card/{id}", "/billing/card/"+card, nil)

		for _, r := range s.App.Built() {
			if pattern := r.Method + " " + r.Pattern; r.Method != "GET" && !seen[pattern] && unlogged[pattern] == "" {
				t.Errorf("%s changes something: call it in this test, or name it in unlogged with the reason", pattern)
			}
		}
		for pattern := range unlogged {
			if seen[pattern] {
				t.Errorf("%s is named in unlogged and called", pattern)
			}
		}
	}, apptest.AtTime(noon), func(set *app.Settings, _ *app.Options) {
		set.SMTPURL, set.MailFrom = "smtp://127.0.0.1:1", "no-reply@farm.test"
		set.Payment = "manual"
	}) // mails wait
}

// TestAuditLogHoldsNoSecrets makes changes with secrets in them and looks for those in every column of the log.
func TestAuditLogHoldsNoSecrets(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		secrets := []string{apptest.Password, a.Token}
		secret := func(x apptest.Answer) string {
			t.Helper()
			var m struct{ Token string }
			if x.Want(t, 200, 201).Into(t, &m); m.Token == "" {
				t.Fatalf("no token in %s", x.Body)
			}
			secrets = append(secrets, m.Token)
			return m.Token
		}
		credentials := row{"profile_id": a.Profile, "email": a.Email, "password": apptest.Password, "name": "x"}
		secret(s.Call(t, "POST", "/account/profile/token", "", credentials))
		gone := secret(s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": "y", "permission": "full", "email": a.Email, "password": apptest.Password}))
		s.Call(t, "DELETE", "/profile/"+a.Profile+"/token/"+gone, a.Token, nil).Want(t, 200)
		device, first := s.Device(t, a, "D")
		secrets = append(secrets, first)
		second := secret(s.Call(t, "POST", "/device/token", a.Token, row{"device": device, "name": "t", "permission": "full"}))
		s.Call(t, "DELETE", "/device/token/"+second, a.Token, nil).Want(t, 200)
		s.Call(t, "DELETE", "/device/"+device, a.Token, nil).Want(t, 200)

		asSession(t, s, a, a.Profile) // a session's cookie is in no event either: its hash would not be in the log of another
		const next = "another horse, another battery"
		secrets = append(secrets, next)
		s.Call(t, "PUT", "/account", a.Token, row{"password": next, "current_password": apptest.Password}).Want(t, 200, 400)
		s.Call(t, "POST", "/account/email", a.Token, row{"email": "new@example.test", "password": apptest.Password})
		s.Call(t, "POST", "/account/recover", "", row{"email": a.Email})
		for _, m := range s.Mails(t) { // links in mails are secrets
			for _, word := range strings.Fields(m.Text) {
				if i := strings.LastIndex(word, "/"); i > 0 && len(word)-i > 40 {
					secrets = append(secrets, word[i+1:])
				}
			}
		}
		other := s.Profile(t, a, "Second")
		secrets = append(secrets, other.Token)
		s.Call(t, "DELETE", "/profile/"+other.Profile, a.Token, row{"password": apptest.Password})

		texts, err := s.App.AuditTexts(t.Context())
		if err != nil || len(texts) < 10 {
			t.Fatalf("%d entries, %v", len(texts), err)
		}
		for _, text := range texts {
			for _, secret := range secrets {
				if strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(secret, "p-")) {
					t.Errorf("%q is in %s", secret, text)
				}
			}
		}
	})
}

// TestAuditKeep shows which spans --audit-keep takes.
func TestAuditKeep(t *testing.T) {
	for span, ok := range map[string]bool{
		"": true, "6 months": true, "1 day": true, "90days": true, "20 years": true,
		"0 days": false, "forever": false, "2026-01-01": false, "6": false, "5 hours": false, "21 years": false, "9999 years": false, "-1 day": false,
	} {
		err := (&app.Settings{AuditKeep: span}).Check()
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "--audit-keep") {
			t.Errorf("%q: %v", span, err)
		}
	}
}

// logoPNG is a picture of one pixel.
var logoPNG = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()
