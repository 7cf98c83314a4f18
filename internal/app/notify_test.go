package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/mail/mailtest"
)

// deliveryRow is a row of GET /profile/:id/notify/deliveries.
type deliveryRow struct {
	ID, Event, Kind, Title, Channel, Status string
	Target, Reason                          *string
	Attempts                                int64
}

func deliveriesOf(t *testing.T, s *apptest.Server, w apptest.Who, query string) []deliveryRow {
	t.Helper()
	var rows []deliveryRow
	s.Call(t, "GET", "/profile/"+w.Profile+"/notify/deliveries?amount=1000&"+query, w.Token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

// noticeRow is a row of GET /notification.
type noticeRow struct {
	ID, Type, Title, Message string
	Profile                  *string
	Read                     bool
	Buttons                  []struct {
		ID, Label string
		Triggers  []struct{ URL, Method string }
	}
	Enabled bool `json:"buttons_enabled"`
}

func noticesOf(t *testing.T, s *apptest.Server, token, query string) []noticeRow {
	t.Helper()
	var rows []noticeRow
	s.Call(t, "GET", "/notification?"+query, token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

func TestBehaviour61_AlertsReachPeople(t *testing.T) {
	var mu sync.Mutex
	var posts []http.Header
	var bodies [][]byte
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posts, bodies = append(posts, r.Header), append(bodies, body)
	}))
	t.Cleanup(hook.Close)
	office := mailtest.Open(t, false, false, "", "")
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		allocate(t, s, a, row{"input": 10, "data_records": 1000})
		var set struct {
			Secret string `json:"webhook_secret"`
		}
		path := "/in/" + a.Profile
		s.Call(t, "PUT", "/profile/"+a.Profile+"/notify", a.Token, row{"webhook": row{"url": hook.URL + path, "kinds": row{"recovered": false}}, "mail": row{"silent": false}}).Want(t, 200).Into(t, &set)
		_, token := s.Device(t, a, "D")
		s.Send(t, token, 8).Want(t, 200)
		var got []deliveryRow
		soon(t, "everything was delivered", func() bool {
			got = deliveriesOf(t, s, a, "status=delivered")
			return len(got) == 3
		})
		event := got[0].Event
		for _, d := range got {
			if d.Event != event || d.Kind != "limit" || d.Title != "Service limit" || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		const sentence = "Data Input reached 80% of the limit: 8 of 10."
		mails := 0
		for _, m := range office.Got() {
			if m.To != a.Email {
				continue
			}
			mails++
			// Lines are folded anywhere, also in a link. The profile's home comes first, then where one chooses what one is told.
			text := strings.NewReplacer("=\r\n", "", "=\n", "").Replace(string(m.Raw))
			if !strings.Contains(text, "Subject: Paddock: Person") || !strings.Contains(text, sentence) || !strings.Contains(text, "/console/p/"+a.Profile+"\r") && !strings.Contains(text, "/console/p/"+a.Profile+"\n") || !strings.Contains(text, "/console/p/"+a.Profile+"/alerts") {
				t.Errorf("%s", text)
			}
		}
		if mails != 1 {
			t.Errorf("%d mails", mails)
		}
		ns := noticesOf(t, s, a.Token, "filter[read]=false")
		if len(ns) != 1 || ns[0].Type != "system" || ns[0].Message != sentence || *ns[0].Profile != a.Profile || len(ns[0].Buttons) != 1 || ns[0].Buttons[0].Triggers[0].Method != "REDIRECT" {
			t.Errorf("%+v", ns)
		}
		mu.Lock()
		found := 0
		for i, h := range posts {
			if h.Get("Paddock-Event-Id") != event {
				continue
			}
			found++
			at, sig, _ := strings.Cut(strings.TrimPrefix(h.Get("Paddock-Signature"), "t="), ",v1=")
			mac := hmac.New(sha256.New, []byte(set.Secret))
			fmt.Fprintf(mac, "%s.%s", at, bodies[i])
			var post struct {
				ID, Type string
				Profile  struct{ ID string }
				Items    []struct {
					Message string
					Data    alertRow
				}
			}
			if err := json.Unmarshal(bodies[i], &post); err != nil || hex.EncodeToString(mac.Sum(nil)) != sig || post.ID != event || post.Profile.ID != a.Profile ||
				post.Items[0].Message != sentence || post.Items[0].Data.Threshold != 80 || post.Items[0].Data.Service != "input" {
				t.Errorf("%v %v %s", err, h, bodies[i])
			}
		}
		mu.Unlock()
		if found != 1 {
			t.Errorf("%d posts", found)
		}
		// What platform mails and posts cost the profile: nothing.
		if sum := s.Summary(t, a); sum.Used["email"] != 0 || sum.Used["push_notification"] != 0 {
			t.Errorf("%+v", sum.Used)
		}

		var settings struct {
			Mail, Notice map[string]bool
			Own          struct{ Mail map[string]*bool }
			Webhook      struct {
				URL, Origin, From string
				Kinds             map[string]bool
			}
			Recipients []struct{ ID string }
		}
		answer := s.Call(t, "GET", "/profile/"+a.Profile+"/notify", a.Token, nil).Want(t, 200).Into(t, &settings)
		if settings.Mail["silent"] || !settings.Mail["limit"] || !settings.Notice["silent"] || *settings.Own.Mail["silent"] || settings.Own.Mail["limit"] != nil ||
			settings.Webhook.URL != hook.URL+path || settings.Webhook.Kinds["recovered"] || len(settings.Recipients) != 1 || strings.Contains(string(answer.Body), set.Secret) {
			t.Errorf("%s", answer.Body)
		}
		var trials []struct {
			Channel, Detail string
			OK              bool
		}
		s.Call(t, "POST", "/profile/"+a.Profile+"/notify/test", a.Token, nil).Want(t, 200).Into(t, &trials)
		if len(trials) != 3 || !trials[0].OK || !trials[1].OK || !trials[2].OK {
			t.Errorf("%+v", trials)
		}
		s.Call(t, "POST", "/profile/"+a.Profile+"/notify/test", a.Token, nil).Want(t, 429)
		if n := len(deliveriesOf(t, s, a, "kind=test")); n != 3 {
			t.Error(n)
		}
		for field, body := range map[string]row{"mail": {"mail": row{"x": true}}, "webhook.url": {"webhook": row{"url": "gopher://x"}}, "webhook.kinds": {"webhook": row{"url": hook.URL, "kinds": row{"x": true}}}} {
			if x := s.Call(t, "PUT", "/account/notify", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%v: %s", body, x.Message)
			}
		}
		for field, query := range map[string]string{"channel": "channel=x", "status": "status=x", "kind": "kind=x", "filter[x]": "filter[x]=1"} {
			if x := s.Call(t, "GET", "/profile/"+a.Profile+"/notify/deliveries?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%s: %s", query, x.Message)
			}
		}
		// Who may write and not read does not have events sent out.
		var writer struct{ Token string }
		s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": "w", "permission": "write", "reach": "account", "email": a.Email, "password": apptest.Password}).Want(t, 200).Into(t, &writer)
		for _, path := range []string{"/account/notify", "/profile/" + a.Profile + "/notify"} {
			s.Call(t, "PUT", path, writer.Token, row{"webhook": row{"url": hook.URL}}).Want(t, 401)
			s.Call(t, "PUT", path, writer.Token, row{"mail": row{"silent": false}}).Want(t, 200)
		}
		// A stranger, a sibling's list, a device.
		c := s.Account(t, "house")
		s.Call(t, "GET", "/profile/"+a.Profile+"/notify", c.Token, nil).Want(t, 404)
		s.Call(t, "PUT", "/profile/"+a.Profile+"/notify", c.Token, row{"mail": row{}}).Want(t, 404)
		s.Call(t, "GET", "/profile/"+a.Profile+"/notify/deliveries", c.Token, nil).Want(t, 404)
		s.Call(t, "POST", "/profile/"+a.Profile+"/notify/test", c.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/notification", token, nil).Want(t, 401)
		if n := len(deliveriesOf(t, s, b, "")); n != 0 {
			t.Errorf("the sibling has %d", n)
		}
	}, apptest.AtTime(atRates), func(set *app.Settings, _ *app.Options) {
		set.WebhookPrivate, set.SMTPURL, set.MailFrom = true, "smtp://"+office.Addr+"?starttls=off", "no-reply@farm.test"
	})
}

func TestNotifications(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		stranger := s.Account(t, "house")
		var minted struct{ Token string }
		signed := signedIn(t, s, a)
		signed("POST", "/profile/"+a.Profile+"/token", row{"name": "narrow", "permission": "full", "reach": "profile", "password": apptest.Password}).Want(t, 200, 201).Into(t, &minted)
		narrow := minted.Token
		x := listen(t, s, narrow, "notification")
		y := listen(t, s, b.Token, "notification")
		z := listen(t, s, stranger.Token, "notification")
		button := []row{{"id": "go", "label": "Look", "triggers": []row{{"url": "https://example.com/x", "method": "REDIRECT"}}}}
		var one, two struct{ ID string }
		s.Call(t, "POST", "/notification", a.Token, row{"title": "Pump <b>", "message": "is\nhot", "buttons": button, "buttons_autodisable": true}).Want(t, 201).Into(t, &one)
		s.Call(t, "POST", "/notification", b.Token, row{"title": "Other 100%", "message": "m"}).Want(t, 201).Into(t, &two)
		var heard noticeRow
		if err := json.Unmarshal(x.next(t).Payload, &heard); err != nil || heard.ID != one.ID || heard.Type != "application" {
			t.Errorf("%v %+v", err, heard)
		}
		for _, want := range []string{one.ID, two.ID} {
			if err := json.Unmarshal(y.next(t).Payload, &heard); err != nil || heard.ID != want {
				t.Errorf("%v %+v, want %s", err, heard, want)
			}
		}
		select {
		case f := <-x.frames:
			t.Errorf("a token of one profile hears of another: %s", f.Payload)
		case f := <-z.frames:
			t.Errorf("a stranger hears %s", f.Payload)
		default:
		}
		unread := func(token string, want int64) {
			t.Helper()
			var u struct{ Unread int64 }
			s.Call(t, "GET", "/notification/unread", token, nil).Want(t, 200).Into(t, &u)
			if u.Unread != want {
				t.Errorf("%d unread, want %d", u.Unread, want)
			}
		}
		unread(a.Token, 2)
		unread(narrow, 1)
		unread(stranger.Token, 0)
		for query, want := range map[string]int{"": 2, "search=PUMP": 1, "search=100%25": 1, "search=%25%25": 0, "type=system": 0, "filter[type]=application": 2, "filter[profile]=" + b.Profile: 1,
			"filter[read]=true": 0, "page=2": 0, "amount=1": 1, "orderBy=title,asc": 2} {
			if got := noticesOf(t, s, a.Token, query); len(got) != want {
				t.Errorf("%s: %d", query, len(got))
			}
		}
		if got := noticesOf(t, s, narrow, ""); len(got) != 1 || got[0].ID != one.ID {
			t.Errorf("%+v", got)
		}
		for field, query := range map[string]string{"type": "type=x", "filter[x]": "filter[x]=1", "filter[read]": "filter[read]=perhaps", "filter[profile]": "filter[profile]=x", "orderBy": "orderBy=x",
			"search": "search=" + strings.Repeat("x", 201)} {
			if x := s.Call(t, "GET", "/notification?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field) {
				t.Errorf("%s: %s", query, x.Message)
			}
		}
		// Read, unread, and nobody else's.
		s.Call(t, "PUT", "/notification/read", narrow, row{"notification_ids": []string{one.ID, two.ID}, "read": true}).Want(t, 200)
		unread(a.Token, 1)
		s.Call(t, "PUT", "/notification/read", stranger.Token, row{"notification_ids": []string{two.ID}, "read": true}).Want(t, 200)
		unread(a.Token, 1)
		s.Call(t, "PUT", "/notification/read", a.Token, row{"notification_ids": []string{one.ID}, "read": false}).Want(t, 200)
		unread(a.Token, 2)
		if got := s.Call(t, "PUT", "/notification/markallread", a.Token, nil).Want(t, 200).Text(t); got != "All TagoIO Notification Run Successfully Updated" {
			t.Error(got)
		}
		unread(a.Token, 0)
		s.Call(t, "PUT", "/notification/"+one.ID+"/go", stranger.Token, nil).Want(t, 404)
		s.Call(t, "PUT", "/notification/"+two.ID+"/go", narrow, nil).Want(t, 404)
		s.Call(t, "PUT", "/notification/"+one.ID+"/stay", a.Token, nil).Want(t, 404)
		s.Call(t, "PUT", "/notification/"+one.ID+"/go", a.Token, nil).Want(t, 200)
		s.Call(t, "PUT", "/notification/"+one.ID+"/go", a.Token, nil).Want(t, 409)
		s.Call(t, "DELETE", "/notification/"+two.ID, narrow, nil).Want(t, 404)
		s.Call(t, "DELETE", "/notification/"+two.ID, stranger.Token, nil).Want(t, 404)
		s.Call(t, "DELETE", "/notification/"+two.ID, a.Token, nil).Want(t, 200)
		s.Call(t, "DELETE", "/notification/"+two.ID, a.Token, nil).Want(t, 404)
		if x := s.Call(t, "POST", "/notification/push/register", a.Token, row{"device_token": "x", "platform": "ios"}).Want(t, 409); !strings.Contains(x.Message, "nothing was registered") {
			t.Error(x.Message)
		}
		s.Call(t, "POST", "/notification/push/unregister", a.Token, row{"device_token": "x"}).Want(t, 200)
		ok := row{"title": "t", "message": "m"}
		with := func(k string, v any) row { return row{"title": ok["title"], "message": ok["message"], k: v} }
		for field, body := range map[string]any{
			"title": with("title", ""), "message": with("message", ""), "title: must": with("title", "a\nb"), "buttons": with("buttons", make([]row, 11)),
			"buttons[0].id": with("buttons", []row{{"id": "a b", "label": "x"}}), "buttons[0].label": with("buttons", []row{{"id": "a"}}),
			"buttons[0].triggers[0].url":           with("buttons", []row{{"id": "a", "label": "x", "triggers": []row{{"url": "javascript:alert(1)", "method": "REDIRECT"}}}}),
			"buttons[0].triggers[0].method":        with("buttons", []row{{"id": "a", "label": "x", "triggers": []row{{"url": "https://x.test", "method": "POST"}}}}),
			"buttons[0].triggers[0].share_profile": with("buttons", []row{{"id": "a", "label": "x", "triggers": []row{{"share_profile": "accept"}}}}),
			"buttons[0].triggers[0].analysis_id":   with("buttons", []row{{"id": "a", "label": "x", "triggers": []row{{"analysis_id": a.Profile}}}}),
			"icon":                                 with("icon", row{}), "icon.image_url": with("icon", row{"image_url": "x"}), "icon.bg_color": with("icon", row{"svg_url": "https://x.test/a.svg", "bg_color": "red;"}),
		} {
			if x := s.Call(t, "POST", "/notification", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, field) {
				t.Errorf("%s: %s", field, x.Message)
			}
		}
		for field, body := range map[string]any{"read": row{"notification_ids": []string{one.ID}}, "notification_ids": row{"read": true}, "notification_ids[0]": row{"read": true, "notification_ids": []string{"x"}}} {
			if x := s.Call(t, "PUT", "/notification/read", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, field+":") {
				t.Errorf("%s: %s", field, x.Message)
			}
		}
	})
}

func TestTokensThatExpire(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		signed := signedIn(t, s, a)
		mint := func(name, expires string) {
			t.Helper()
			signed("POST", "/profile/"+a.Profile+"/token", row{"name": name, "permission": "full", "expire_time": expires, "password": apptest.Password}).Want(t, 200, 201)
		}
		mint("long", "20 day")
		mint("week", "7 day")
		mint("hours", "5 hour")
		mint("never", "never")
		// told asks until the events of the kind are those, then sees that no other comes.
		told := func(what string, want ...string) {
			t.Helper()
			var got []string
			soon(t, what, func() bool {
				got = nil
				for _, n := range noticesOf(t, s, a.Token, "amount=100&orderBy=created_at,asc&search=expire") {
					got = append(got, n.Message)
				}
				return len(got) >= len(want)
			})
			if len(got) != len(want) {
				t.Fatalf("%s: %q", what, got)
			}
			for _, w := range want { // what is told in one pass comes in any order
				i := slices.IndexFunc(got, func(g string) bool {
					return !slices.ContainsFunc(strings.Split(w, "|"), func(part string) bool { return !strings.Contains(g, part) })
				})
				if i < 0 {
					t.Errorf("%s: none of %q has %q", what, got, w)
					continue
				}
				got = slices.Delete(got, i, i+1)
			}
		}
		s.Clock.Advance(5 * 24 * time.Hour)
		s.Clock.Advance(24*time.Hour + time.Minute)
		// long: 14 days less a minute; week: a day less a minute, and the threshold of three was missed.
		told("two tokens", `"week"|within a day`, `"long"|within 14 days|12 December 2026 12:45`)
		s.Clock.Advance(24 * time.Hour)
		s.Clock.Advance(10 * 24 * time.Hour)
		told("the next threshold", `"week"`, `"long"|within 14 days`, `"long"|within 3 days`)
		s.Clock.Advance(2 * 24 * time.Hour)
		told("the last", `"week"`, `"long"|within 14 days`, `"long"|within 3 days`, `"long"|within a day`)
		s.Clock.Advance(2 * time.Hour)
		s.Clock.Advance(10 * 24 * time.Hour)
		if n := len(deliveriesOf(t, s, a, "kind=token&channel=mail")); n != 4 {
			t.Errorf("%d mails", n)
		}
	}, apptest.AtTime(atRates))
}

func TestOutbox(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		first := s.Account(t, "house") // an operator, being the first
		other := s.Account(t, "house")
		operator, person := signedIn(t, s, first), signedIn(t, s, other)
		s.Call(t, "GET", "/account/passwordreset/"+other.Email, "", nil).Want(t, 200)
		var box struct {
			Server *string `json:"mail_server"`
			Mails  []struct {
				ID, To, Subject string
				HasLink         bool `json:"has_link"`
				Attempts        int64
				Reason          *string
			}
		}
		x := operator("GET", "/outbox?amount=10", nil).Want(t, 200).Into(t, &box)
		if box.Server != nil || len(box.Mails) != 1 || box.Mails[0].To != other.Email || !box.Mails[0].HasLink || strings.Contains(string(x.Body), "/console/reset/") {
			t.Fatalf("%s", x.Body)
		}
		id := box.Mails[0].ID
		var one struct{ Link string }
		operator("GET", "/outbox/"+id, nil).Want(t, 200).Into(t, &one)
		if !strings.Contains(one.Link, "/console/reset/") {
			t.Error(one.Link)
		}
		for _, path := range []string{"GET /outbox", "GET /outbox/" + id, "POST /outbox/" + id + "/retry", "DELETE /outbox/" + id} {
			method, path, _ := strings.Cut(path, " ")
			person(method, path, nil).Want(t, 403)
			s.Call(t, method, path, first.Token, nil).Want(t, 401) // an operator's token is no session
			s.Call(t, method, path, "", nil).Want(t, 401)
		}
		if x := operator("POST", "/outbox/"+id+"/retry", nil).Want(t, 409); !strings.Contains(x.Message, "--smtp-url") {
			t.Error(x.Message)
		}
		operator("POST", "/outbox/nothing/retry", nil).Want(t, 404)
		operator("DELETE", "/outbox/"+id, nil).Want(t, 200)
		operator("DELETE", "/outbox/"+id, nil).Want(t, 404)
		if x := operator("GET", "/outbox?filter[x]=1", nil).Want(t, 400); !strings.HasPrefix(x.Message, "filter[x]") {
			t.Error(x.Message)
		}
	})
}
