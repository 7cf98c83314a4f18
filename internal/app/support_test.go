package app_test

import (
	"bytes"
	"io"
	"net/http"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/mail/mailtest"
	"paddock/internal/support"
)

type ticketRow struct {
	ID, Kind, Subject, State string
	Number                   int
	Opener                   struct{ Name, Email string }
	Profile                  *struct{ ID, Name string }
	Parties                  []struct{ ID, Name, Email string }
	Thread                   []struct {
		Author   struct{ Name, Email string }
		Operator bool
		Text     string
		To       *[]struct{ Name string }
	}
}

func (r ticketRow) texts() []string {
	out := []string{}
	for _, m := range r.Thread {
		out = append(out, m.Text)
	}
	return out
}

// desk is a server with an operator, two people and somebody else.
type desk struct {
	*apptest.Server
	op, ada, bob, eve person
	ops, adas, bobs   apptest.Who
}

func newDesk(t *testing.T, s *apptest.Server) desk {
	t.Helper()
	op, a, b, e := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
	as := func(name string, w apptest.Who) person {
		return person{name: name, cookie: s.App.SignIn(t, w.Account)}
	}
	return desk{s, as("operator", op), as("ada", a), as("bob", b), as("eve", e), op, a, b}
}

func (d desk) ask(t *testing.T, by person, subject, text string) ticketRow {
	t.Helper()
	var r ticketRow
	by.call(t, d.Server, "POST", "/ticket", row{"subject": subject, "text": text}).Want(t, 201).Into(t, &r)
	return r
}

func (d desk) see(t *testing.T, by person, ticket string) ticketRow {
	t.Helper()
	var r ticketRow
	by.call(t, d.Server, "GET", "/ticket/"+ticket, nil).Want(t, 200).Into(t, &r)
	return r
}

func (d desk) list(t *testing.T, by person, path string) []string {
	t.Helper()
	var rs []ticketRow
	by.call(t, d.Server, "GET", path, nil).Want(t, 200).Into(t, &rs)
	out := []string{}
	for _, r := range rs {
		out = append(out, r.Subject)
	}
	return out
}

func TestTickets(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		one := d.ask(t, d.ada, "Points are late", "Since noon.\nWhy?")
		path := "/ticket/" + one.ID
		if one.Number != 1 || one.Kind != "question" || one.State != "open" {
			t.Errorf("opened %+v", one)
		}
		t.Run("operators and the opener see it, nobody else does", func(t *testing.T) {
			for _, p := range []person{d.ada, d.op} {
				if got := d.see(t, p, one.ID); !slices.Equal(got.texts(), []string{"Since noon.\nWhy?"}) || len(got.Parties) != 1 {
					t.Errorf("%s sees %+v", p.name, got)
				}
			}
			for _, call := range []struct {
				method, path string
				body         any
			}{{"GET", "", nil}, {"PUT", "", row{"state": "closed"}}, {"POST", "/message", row{"text": "hi"}}} {
				there := d.bob.call(t, s, call.method, path+call.path, call.body).Want(t, 404)
				none := d.bob.call(t, s, call.method, "/ticket/"+noThing+call.path, call.body).Want(t, 404)
				if there.Message != none.Message {
					t.Errorf("%s tells them apart: %q, %q", call.method, there.Message, none.Message)
				}
			}
			// A token of the operator is a token like others.
			s.Call(t, "GET", path, d.bobs.Token, nil).Want(t, 404)
			s.Call(t, "GET", path, d.adas.Token, nil).Want(t, 200)
			d.bob.call(t, s, "GET", "/support/ticket", nil).Want(t, 403)
		})
		t.Run("an answer is the operator's by name, and whose turn it is shows", func(t *testing.T) {
			d.op.call(t, s, "POST", path+"/message", row{"text": "We look."}).Want(t, 200)
			got := d.see(t, d.ada, one.ID)
			if got.State != "answered" || !strings.HasPrefix(got.Thread[1].Author.Name, "Operator Person") || !got.Thread[1].Operator || got.Thread[1].Author.Email != "" {
				t.Errorf("answered: %+v", got)
			}
			d.ada.call(t, s, "POST", path+"/message", row{"text": "Thanks!"}).Want(t, 200)
			if got := d.see(t, d.ada, one.ID); got.State != "open" || len(got.Thread) != 3 {
				t.Errorf("after a word of the opener: %+v", got)
			}
		})
		t.Run("closing, opening again, and by a message", func(t *testing.T) {
			d.ada.call(t, s, "PUT", path, row{"state": "closed", "text": "It was the cable."}).Want(t, 200)
			if got := d.see(t, d.op, one.ID); got.State != "closed" || got.texts()[3] != "It was the cable." {
				t.Errorf("closed: %+v", got)
			}
			d.op.call(t, s, "PUT", path, row{"state": "open"}).Want(t, 200)
			d.op.call(t, s, "PUT", path, row{"state": "closed"}).Want(t, 200)
			d.ada.call(t, s, "POST", path+"/message", row{"text": "Again!"}).Want(t, 200)
			if got := d.see(t, d.ada, one.ID); got.State != "open" {
				t.Errorf("after a message: %+v", got)
			}
			d.ada.call(t, s, "PUT", path, row{"state": "answered"}).Want(t, 400)
		})
		t.Run("bad input names the field", func(t *testing.T) {
			for _, c := range []struct {
				body  row
				field string
			}{
				{row{"subject": "", "text": "x"}, "subject"}, {row{"subject": "x", "text": " \n"}, "text"}, {row{"subject": "x\ny", "text": "x"}, "subject"},
				{row{"subject": "x", "text": strings.Repeat("ä", 10_001)}, "text"}, {row{"subject": strings.Repeat("x", 151), "text": "x"}, "subject"},
			} {
				if a := d.ada.call(t, s, "POST", "/ticket", c.body).Want(t, 400); !strings.HasPrefix(a.Message, c.field) {
					t.Errorf("%q, want %s", a.Message, c.field)
				}
			}
			d.ada.call(t, s, "POST", "/ticket", row{"subject": "x", "text": strings.Repeat("ä", 10_000)}).Want(t, 201)
			d.ada.call(t, s, "POST", "/ticket", row{"subject": "x", "text": "x", "profile": d.bobs.Profile}).Want(t, 404)
			var mine ticketRow
			d.ada.call(t, s, "POST", "/ticket", row{"subject": "Mine", "text": "x", "profile": d.adas.Profile}).Want(t, 201).Into(t, &mine)
			if mine.Profile == nil || mine.Profile.Name == "" {
				t.Errorf("about %+v", mine.Profile)
			}
			d.ada.call(t, s, "POST", path+"/message", row{"text": "x", "to": []string{d.bobs.Account}}).Want(t, 400)
			d.ada.call(t, s, "GET", "/ticket?state=odd", nil).Want(t, 400)
		})
		t.Run("operators find tickets of all accounts", func(t *testing.T) {
			d.ask(t, d.bob, "Invoice", "Where is 100% of it?")
			for path, want := range map[string][]string{
				"/support/ticket?amount=2":                  {"Invoice", "Mine"},
				"/support/ticket?amount=1&page=2":           {"Mine"},
				"/support/ticket?find=100%25":               {"Invoice"},
				"/support/ticket?find=INVOICE":              {"Invoice"},
				"/support/ticket?find=%231":                 {"Points are late"},
				"/support/ticket?find=cable&state=open":     {"Points are late"},
				"/support/ticket?find=cable&state=closed":   {},
				"/support/ticket?account=" + d.bobs.Account: {"Invoice"},
				"/support/ticket?kind=transfer":             {},
			} {
				if got := d.list(t, d.op, path); !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", path, got, want)
				}
			}
			if got := d.list(t, d.bob, "/ticket?find=cable"); len(got) != 0 {
				t.Errorf("bob finds %q", got)
			}
		})
		t.Run("every change is in the audit log of the opener, without what was said", func(t *testing.T) {
			log := d.ada.call(t, s, "GET", "/account/auditlog?resourceName=ticket", nil).Want(t, 200)
			for _, want := range []string{"Ticket #1 opened", "Ticket #1 answered", "Ticket #1 closed", "Ticket #1 opened again"} {
				if !bytes.Contains(log.Body, []byte(want)) {
					t.Errorf("no %q in %s", want, log.Body)
				}
			}
			if bytes.Contains(log.Body, []byte("cable")) {
				t.Errorf("the text is in %s", log.Body)
			}
		})
	})
}

func TestTicketBounds(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		for range 10 {
			d.ask(t, d.ada, "Q", "x")
		}
		d.ada.call(t, s, "POST", "/ticket", row{"subject": "Q", "text": "x"}).Want(t, 429)
		if got := d.list(t, d.ada, "/ticket"); len(got) != 10 {
			t.Errorf("%d tickets", len(got))
		}
		for range 40 / 10 {
			s.Clock.Advance(61 * time.Minute)
			for range 10 {
				d.ask(t, d.ada, "Q", "x")
			}
		}
		s.Clock.Advance(61 * time.Minute)
		d.ada.cookie, d.op.cookie = s.App.SignIn(t, d.adas.Account), s.App.SignIn(t, d.ops.Account) // hours have passed
		d.ada.call(t, s, "POST", "/ticket", row{"subject": "Q", "text": "x"}).Want(t, 402)
		var rs []ticketRow
		d.ada.call(t, s, "GET", "/ticket", nil).Want(t, 200).Into(t, &rs)
		d.ada.call(t, s, "PUT", "/ticket/"+rs[0].ID, row{"state": "closed"}).Want(t, 200)
		d.ask(t, d.ada, "Q", "x")
		d.ada.call(t, s, "PUT", "/ticket/"+rs[0].ID, row{"state": "open"}).Want(t, 402)
		path := "/ticket/" + rs[1].ID
		for range 59 {
			d.ada.call(t, s, "POST", path+"/message", row{"text": "x"}).Want(t, 200)
		}
		d.ada.call(t, s, "POST", path+"/message", row{"text": "x"}).Want(t, 429)
		for range 440 {
			d.op.call(t, s, "POST", path+"/message", row{"text": "x"}).Want(t, 200)
		}
		d.op.call(t, s, "POST", path+"/message", row{"text": "x"}).Want(t, 402)
		if err := s.App.Support().Tell(t.Context(), id.Ticket(rs[1].ID), support.Message{Text: "Paddock's own always fits"}); err != nil {
			t.Error(err)
		}
	}, apptest.AtTime(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)))
}

// TestTicketOfATransfer walks what the room of transfers does: it opens a ticket, lets the other side in, tells each side its own
// and closes.
func TestTicketOfATransfer(t *testing.T) {
	office := mailtest.Open(t, false, false, "", "")
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		sup, ctx, who := s.App.Support(), t.Context(), auth.SystemCaller()
		tk, err := sup.Open(ctx, who, support.Opening{Kind: support.Transfer, Ref: noThing, Account: id.Account(d.adas.Account), Profile: id.Profile(d.adas.Profile), Subject: "Barn goes to Bob", Text: "Asked."})
		if err != nil {
			t.Fatal(err)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(sup.Join(ctx, tk.ID, id.Account(d.bobs.Account)))
		must(sup.Join(ctx, tk.ID, id.Account(d.bobs.Account)))
		must(sup.Tell(ctx, tk.ID, support.Message{Text: "Only Bob: your pool is short.", To: []id.Account{id.Account(d.bobs.Account)}}))
		must(sup.Tell(ctx, tk.ID, support.Message{From: id.Account(d.bobs.Account), Text: "I accept."}))
		d.ada.call(t, s, "POST", "/ticket/"+string(tk.ID)+"/message", row{"text": "To whoever runs this", "to": []string{}}).Want(t, 200)
		must(sup.Close(ctx, who, tk.ID, "Done."))
		must(sup.Close(ctx, who, tk.ID, "Done."))

		for _, x := range []struct {
			by   person
			want []string
		}{
			{d.ada, []string{"Asked.", "I accept.", "To whoever runs this", "Done."}},
			{d.bob, []string{"Asked.", "Only Bob: your pool is short.", "I accept.", "Done."}},
			{d.op, []string{"Asked.", "Only Bob: your pool is short.", "I accept.", "To whoever runs this", "Done."}},
		} {
			if got := d.see(t, x.by, string(tk.ID)); !slices.Equal(got.texts(), x.want) || got.State != "closed" {
				t.Errorf("%s sees %q, want %q", x.by.name, got.texts(), x.want)
			}
		}
		d.eve.call(t, s, "GET", "/ticket/"+string(tk.ID), nil).Want(t, 404)
		if got := d.list(t, d.ada, "/ticket?find=pool+is+short"); len(got) != 0 {
			t.Errorf("ada finds what she does not see: %q", got)
		}
		if got := d.list(t, d.bob, "/ticket?find=pool+is+short"); len(got) != 1 {
			t.Errorf("bob finds %q", got)
		}
		d.ada.call(t, s, "PUT", "/ticket/"+string(tk.ID), row{"state": "open"}).Want(t, 409)
		if got := d.see(t, d.bob, string(tk.ID)); got.Profile == nil || got.Profile.Name != "" {
			t.Errorf("bob is told the name of a profile that is not his: %+v", got.Profile)
		}

		// Mails of one thread, to those who see each message and did not write it.
		want := map[string][]string{
			d.adas.Email: {"Asked.", "I accept.", "Done."},
			d.bobs.Email: {"Only Bob: your pool is short.", "Done."},
		}
		got := map[string][]string{}
		for deadline := time.Now().Add(20 * time.Second); len(got[d.adas.Email]) < 3 || len(got[d.bobs.Email]) < 2; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("mails: %q", got)
			}
			clear(got)
			var mails []*netmail.Message
			for _, raw := range office.Got() {
				m, err := netmail.ReadMessage(bytes.NewReader(raw.Raw))
				if err != nil {
					t.Fatal(err)
				}
				if raw.To != d.adas.Email && raw.To != d.bobs.Email {
					continue
				}
				body := string(raw.Raw)
				for _, text := range append(slices.Clone(want[d.adas.Email]), "Only Bob", "To whoever") {
					if strings.Contains(body, text) {
						if text == "Only Bob" {
							text = "Only Bob: your pool is short."
						}
						got[raw.To] = append(got[raw.To], text)
					}
				}
				if !strings.Contains(m.Header.Get("Subject"), "[#1] Barn goes to Bob") {
					t.Errorf("subject %q", m.Header.Get("Subject"))
				}
				mails = append(mails, m)
			}
			for _, m := range mails {
				first := m.Header.Get("References") == ""
				if r := m.Header.Get("References"); first != (m.Header.Get("In-Reply-To") == "") || !strings.HasSuffix(r, m.Header.Get("In-Reply-To")) || strings.Contains(r, m.Header.Get("Message-Id")) ||
					!first && !strings.HasPrefix(r, "<ticket-"+string(tk.ID)+".") || !strings.HasPrefix(m.Header.Get("Message-Id"), "<ticket-"+string(tk.ID)+".") {
					t.Errorf("References %q, In-Reply-To %q, Message-ID %q", r, m.Header.Get("In-Reply-To"), m.Header.Get("Message-Id"))
				}
			}
		}
		for to, texts := range want {
			if !slices.Equal(got[to], texts) {
				t.Errorf("%s got %q, want %q", to, got[to], texts)
			}
		}
	}, func(st *app.Settings, _ *app.Options) {
		st.SMTPURL, st.MailFrom = "smtp://"+office.Addr+"?starttls=off", "paddock@farm.test"
	})
}

// TestForsakenTickets shows that tickets end with the last account of theirs.
func TestForsakenTickets(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		gone := d.ask(t, d.bob, "Mine alone", "x")
		shared := d.ask(t, d.bob, "Shared", "x")
		sup := s.App.Support()
		if err := sup.Join(t.Context(), id.Ticket(shared.ID), id.Account(d.adas.Account)); err != nil {
			t.Fatal(err)
		}
		d.bob.call(t, s, "DELETE", "/account", row{"password": apptest.Password}).Want(t, 200)
		if err := sup.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.op.call(t, s, "GET", "/ticket/"+gone.ID, nil).Want(t, 404)
		if got := d.see(t, d.ada, shared.ID); got.Opener.Name != "Somebody who has left" || len(got.Parties) != 1 {
			t.Errorf("shared: %+v", got)
		}
	})
}

// lookRow is a row of GET /profile/:id/look.
type lookRow struct {
	ID, Reason, State string
	Operator          struct{ ID, Name, Email string }
	EndedBy           *struct{ Name string } `json:"ended_by"`
	AllowedBy         *struct{ Name string } `json:"allowed_by"`
	From, Until       *time.Time
}

func (d desk) looks(t *testing.T) []lookRow {
	t.Helper()
	var rs []lookRow
	d.ada.call(t, d.Server, "GET", "/profile/"+d.adas.Profile+"/look", nil).Want(t, 200).Into(t, &rs)
	return rs
}

// in is the operator with the profile in the header.
func (d desk) in() person { p := d.op; p.profile = d.adas.Profile; return p }

func access(mode string) apptest.Change {
	return func(s *app.Settings, _ *app.Options) { s.OperatorAccess = mode }
}

var lookTime = apptest.AtTime(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))

func TestLook(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		device, secret := s.Device(t, d.adas, "Barn")
		profile := "/profile/" + d.adas.Profile
		outside := func(t *testing.T) {
			t.Helper()
			d.in().call(t, s, "GET", "/device/"+device, nil).Want(t, 404)
			d.op.call(t, s, "GET", profile, nil).Want(t, 404)
			s.Call(t, "GET", profile, d.ops.Token, nil).Want(t, 404)
			var list []struct{ ID string }
			d.op.call(t, s, "GET", "/profile", nil).Want(t, 200).Into(t, &list)
			if len(list) != 1 {
				t.Errorf("the operator's list has %d profiles", len(list))
			}
		}
		outside(t)

		t.Run("who may start one, and with what", func(t *testing.T) {
			d.bob.call(t, s, "POST", profile+"/look", row{"reason": "curious"}).Want(t, 403)
			s.Call(t, "POST", profile+"/look", d.ops.Token, row{"reason": "curious"}).Want(t, 401)
			for body, field := range map[string]string{`{}`: "reason", `{"reason":" "}`: "reason", `{"reason":"a\nb"}`: "reason", `{"reason":"x","hours":25}`: "hours", `{"reason":"x","hours":-1}`: "hours"} {
				if a := d.op.call(t, s, "POST", profile+"/look", body).Want(t, 400); !strings.HasPrefix(a.Message, field) {
					t.Errorf("%s: %s", body, a.Message)
				}
			}
			d.op.call(t, s, "POST", "/profile/"+noThing+"/look", row{"reason": "x"}).Want(t, 404)
			d.op.call(t, s, "POST", "/profile/"+d.ops.Profile+"/look", row{"reason": "x"}).Want(t, 409)
			outside(t)
		})

		var look lookRow
		d.op.call(t, s, "POST", profile+"/look", row{"reason": "Ticket 7: points are late"}).Want(t, 201).Into(t, &look)
		d.op.call(t, s, "POST", profile+"/look", row{"reason": "again"}).Want(t, 409)
		t.Run("while it lasts the operator reads", func(t *testing.T) {
			d.in().call(t, s, "GET", "/device/"+device, nil).Want(t, 200)
			d.in().call(t, s, "GET", "/device", nil).Want(t, 200)
			d.op.call(t, s, "GET", profile, nil).Want(t, 200)
			d.op.call(t, s, "GET", profile+"/statistics", nil).Want(t, 200)
			var list []struct {
				ID, Role string
				Look     *struct{ Reason, Owner string }
			}
			d.op.call(t, s, "GET", "/profile", nil).Want(t, 200).Into(t, &list)
			if len(list) != 2 || list[1].ID != d.adas.Profile || list[1].Role != "viewer" || list[1].Look == nil || list[1].Look.Reason != "Ticket 7: points are late" || list[1].Look.Owner == "" {
				t.Errorf("the operator's list: %+v", list)
			}
			tokens := d.in().call(t, s, "GET", "/device/token/"+device, nil).Want(t, 200)
			if bytes.Contains(tokens.Body, []byte(secret)) {
				t.Errorf("the device's token is shown: %s", tokens.Body)
			}
		})
		t.Run("and nothing else: no change, no cost, no token", func(t *testing.T) {
			for _, c := range []struct {
				method, path string
				body         any
				want         int
			}{
				{"PUT", "/device/" + device, row{"name": "x"}, 403},
				{"DELETE", "/device/" + device, nil, 403},
				{"POST", "/device/" + device + "/data", row{"variable": "v", "value": 1}, 403},
				{"PUT", profile, row{"name": "x"}, 403},
				{"PUT", profile + "/notify", row{"mail": row{"silent": false}}, 403},
				{"POST", profile + "/token", row{"name": "x", "permission": "read", "email": "x", "password": apptest.Password}, 403},
				{"POST", profile + "/leave", row{"password": apptest.Password}, 403},
				{"POST", profile + "/team", row{"email": "x@example.test"}, 403},
				{"GET", profile + "/cost", nil, 403},
				{"GET", profile + "/policies", nil, 403},
				{"GET", profile + "/look", nil, 403},
				{"POST", profile + "/look/" + look.ID + "/allow", nil, 403},
				{"POST", "/ticket", row{"subject": "x", "text": "x", "profile": d.adas.Profile}, 403},
			} {
				if c.body == nil && c.method != "GET" {
					c.body = row{}
				}
				d.in().call(t, s, c.method, c.path, c.body).Want(t, c.want)
				d.op.call(t, s, c.method, c.path, c.body).Want(t, 403, 400) // 400: a route in a profile, and none is named
			}
			s.Call(t, "GET", profile, d.ops.Token, nil).Want(t, 404)
			s.Call(t, "POST", "/account/profile/token", "", row{"profile_id": d.adas.Profile, "email": d.ops.Email, "password": apptest.Password, "name": "x"}).Want(t, 404)
		})
		t.Run("what operators could do before they still can", func(t *testing.T) {
			d.in().call(t, s, "POST", profile+"/pause", row{"reason": "Abuse"}).Want(t, 200)
			d.in().call(t, s, "POST", profile+"/resume", nil).Want(t, 200)
		})
		t.Run("the owner is told, sees it, and sees what was read", func(t *testing.T) {
			var notes []struct{ Title, Message string }
			d.ada.call(t, s, "GET", "/notification", nil).Want(t, 200).Into(t, &notes)
			if !slices.ContainsFunc(notes, func(n struct{ Title, Message string }) bool {
				return strings.HasPrefix(n.Title, "An operator looks into") && strings.Contains(n.Message, "Ticket 7")
			}) {
				t.Errorf("notifications %+v", notes)
			}
			if !slices.ContainsFunc(s.Mails(t), func(m apptest.Mail) bool {
				return m.To == d.adas.Email && strings.Contains(m.Subject, "An operator looks into") && strings.Contains(m.Text, "Ticket 7")
			}) {
				t.Errorf("mails %+v", s.Mails(t))
			}
			ls := d.looks(t)
			if len(ls) != 1 || ls[0].State != "active" || ls[0].Operator.Name == "" || ls[0].Operator.Email != "" || ls[0].Until.Sub(*ls[0].From) != time.Hour {
				t.Errorf("looks %+v", ls)
			}
			var team []struct {
				Name string
				Role string
				Look *string
			}
			d.ada.call(t, s, "GET", profile+"/team", nil).Want(t, 200).Into(t, &team)
			if len(team) != 1 || team[0].Look == nil || !strings.HasPrefix(team[0].Name, "Operator ") || team[0].Role != "viewer" {
				t.Errorf("team %+v", team)
			}
			if err := s.App.Support().Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			log := string(d.ada.call(t, s, "GET", profile+"/auditlog?resourceName=look", nil).Want(t, 200).Body)
			for _, want := range []string{"(operator look: Ticket 7: points are late)", "Read GET /device/{id} " + device, "Read GET /profile/{id}/statistics", `Operator Person`} {
				if !strings.Contains(log, want) {
					t.Errorf("no %q in %s", want, log)
				}
			}
			if strings.Contains(log, "GET /notification") || strings.Contains(log, "127.0.0.1") && !strings.Contains(log, d.adas.Account) {
				t.Errorf("log %s", log)
			}
		})
		t.Run("it ends by itself", func(t *testing.T) {
			s.Clock.Advance(time.Hour)
			outside(t)
			if ls := d.looks(t); ls[0].State != "ended" || ls[0].EndedBy != nil {
				t.Errorf("looks %+v", ls)
			}
		})
		t.Run("its streams end with it", func(t *testing.T) {
			d.op.call(t, s, "POST", profile+"/look", row{"reason": "Live"}).Want(t, 201).Into(t, &look)
			q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/events?profile="+d.adas.Profile+"&channels=device_data."+device, nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Cookie", d.op.cookie)
			q.Header.Set("Sec-Fetch-Site", "same-origin")
			p, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Body.Close()
			if p.StatusCode != 200 {
				t.Fatalf("the stream answered %d", p.StatusCode)
			}
			ended := make(chan error, 1)
			go func() { _, err := io.Copy(io.Discard, p.Body); ended <- err }()
			d.ada.call(t, s, "DELETE", profile+"/look/"+look.ID, row{}).Want(t, 200)
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Error("the stream goes on")
			}
		})
		for _, by := range []*person{&d.ada, &d.op} {
			t.Run("it is ended by "+by.name, func(t *testing.T) {
				s.Clock.Advance(time.Second)
				d.op.call(t, s, "POST", profile+"/look", row{"reason": "More", "hours": 24}).Want(t, 201).Into(t, &look)
				d.in().call(t, s, "GET", "/device/"+device, nil).Want(t, 200)
				d.bob.call(t, s, "DELETE", profile+"/look/"+look.ID, row{}).Want(t, 404)
				by.call(t, s, "DELETE", profile+"/look/"+look.ID, row{}).Want(t, 200)
				by.call(t, s, "DELETE", profile+"/look/"+look.ID, row{}).Want(t, 200)
				outside(t)
				if ls := d.looks(t); ls[0].State != "ended" || ls[0].EndedBy == nil {
					t.Errorf("looks %+v", ls)
				}
			})
		}
		t.Run("a membership wins over it", func(t *testing.T) {
			d.op.call(t, s, "POST", profile+"/look", row{"reason": "More", "hours": 24}).Want(t, 201).Into(t, &look)
			member := s.Join(t, d.adas, d.ops, nil)
			d.in().call(t, s, "PUT", "/device/"+device, row{"name": "Barn 2"}).Want(t, 200)
			var team []struct{ Look *string }
			d.ada.call(t, s, "GET", profile+"/team", nil).Want(t, 200).Into(t, &team)
			if len(team) != 1 || team[0].Look != nil {
				t.Errorf("team %+v", team)
			}
			d.ada.call(t, s, "DELETE", profile+"/team/"+member.Account, row{}).Want(t, 200)
			d.in().call(t, s, "PUT", "/device/"+device, row{"name": "x"}).Want(t, 403)
			d.in().call(t, s, "GET", "/device/"+device, nil).Want(t, 200)
		})
		t.Run("it ends with the rights of who looks", func(t *testing.T) {
			if _, err := s.App.Exec(t.Context(), "UPDATE account SET operator = $1 WHERE id = $2", true, d.adas.Account); err != nil {
				t.Fatal(err)
			}
			if err := s.App.SetOperator(t.Context(), d.ops.Email, false); err != nil {
				t.Fatal(err)
			}
			d.in().call(t, s, "GET", "/device/"+device, nil).Want(t, 404)
		})
	}, lookTime)
}

func TestLookAsks(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		profile := "/profile/" + d.adas.Profile
		ask := func() (l lookRow) {
			s.Clock.Advance(time.Second)
			d.op.call(t, s, "POST", profile+"/look", row{"reason": "Why", "hours": 2}).Want(t, 201).Into(t, &l)
			if l.State != "asked" || l.From != nil {
				t.Errorf("asked %+v", l)
			}
			d.op.call(t, s, "GET", profile, nil).Want(t, 404)
			return l
		}
		// A developer and an admin see nothing to decide.
		s.Join(t, d.adas, d.bobs, row{"role": "admin"})
		l := ask()
		d.op.call(t, s, "POST", profile+"/look", row{"reason": "Why"}).Want(t, 409)
		d.bob.call(t, s, "POST", profile+"/look/"+l.ID+"/allow", row{}).Want(t, 403)
		s.Call(t, "POST", profile+"/look/"+l.ID+"/allow", d.adas.Token, row{}).Want(t, 401)
		d.ada.call(t, s, "POST", profile+"/look/"+l.ID+"/deny", row{}).Want(t, 200)
		d.op.call(t, s, "GET", profile, nil).Want(t, 404)
		d.ada.call(t, s, "POST", profile+"/look/"+l.ID+"/allow", row{}).Want(t, 409)

		l = ask()
		d.ada.call(t, s, "POST", "/profile/"+d.bobs.Profile+"/look/"+l.ID+"/allow", row{}).Want(t, 404)
		s.Clock.Advance(2 * time.Hour) // asking does not use up the time
		d.ada.call(t, s, "POST", profile+"/look/"+l.ID+"/allow", row{}).Want(t, 200)
		d.op.call(t, s, "GET", profile, nil).Want(t, 200)
		if ls := d.looks(t); ls[0].State != "active" || ls[0].AllowedBy == nil || ls[0].Until.Sub(*ls[0].From) != 2*time.Hour {
			t.Errorf("looks %+v", ls)
		}
		d.ada.call(t, s, "DELETE", profile+"/look/"+l.ID, row{}).Want(t, 200)

		// By the buttons of the notification.
		l = ask()
		var notes []struct {
			ID, Title string
			Buttons   []struct{ ID string }
			Enabled   bool `json:"buttons_enabled"`
		}
		d.ada.call(t, s, "GET", "/notification", nil).Want(t, 200).Into(t, &notes)
		if len(notes[0].Buttons) != 2 || !notes[0].Enabled {
			t.Fatalf("notification %+v", notes[0])
		}
		s.Call(t, "PUT", "/notification/"+notes[0].ID+"/allow", d.adas.Token, row{}).Want(t, 401)
		d.op.call(t, s, "GET", profile, nil).Want(t, 404)
		d.ada.call(t, s, "PUT", "/notification/"+notes[0].ID+"/allow", row{}).Want(t, 200)
		d.op.call(t, s, "GET", profile, nil).Want(t, 200)
		d.ada.call(t, s, "PUT", "/notification/"+notes[0].ID+"/deny", row{}).Want(t, 409)
		for _, n := range notes[1:] {
			if n.Enabled && len(n.Buttons) == 2 {
				t.Errorf("the buttons of %+v stay", n)
			}
		}

		log := string(d.ada.call(t, s, "GET", profile+"/auditlog?resourceName=look", nil).Want(t, 200).Body)
		for _, want := range []string{"Look of an operator allowed", "Look of an operator denied", "Look of an operator ended", "asks to look for 2 hours (operator look: Why)"} {
			if !strings.Contains(log, want) {
				t.Errorf("no %q in %s", want, log)
			}
		}

		// What nobody allows in time cannot be allowed any more.
		d.op.call(t, s, "DELETE", profile+"/look/"+l.ID, row{}).Want(t, 200)
		l = ask()
		s.Clock.Advance(8 * 24 * time.Hour)
		d.ada.cookie, d.op.cookie = s.App.SignIn(t, d.adas.Account), s.App.SignIn(t, d.ops.Account)
		d.ada.call(t, s, "POST", profile+"/look/"+l.ID+"/allow", row{}).Want(t, 409)
		ask()
	}, lookTime, access("ask"))
}

func TestLookNever(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		if a := d.op.call(t, s, "POST", "/profile/"+d.adas.Profile+"/look", row{"reason": "Why"}).Want(t, 403); !strings.Contains(a.Message, "--operator-access never") {
			t.Errorf("said %q", a.Message)
		}
		var all struct {
			Access string `json:"operator_access"`
		}
		d.op.call(t, s, "GET", "/support/look", nil).Want(t, 200).Into(t, &all)
		if all.Access != "never" {
			t.Errorf("says %q", all.Access)
		}
	}, access("never"))
}

// TestLookEndsWithTheOwner shows that a look into a profile tells its next owner's data to nobody.
func TestLookEndsWithTheOwner(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDesk(t, s)
		profile := "/profile/" + d.adas.Profile
		s.Profile(t, d.adas, "Another one") // the last profile stays
		d.op.call(t, s, "POST", profile+"/look", row{"reason": "Why", "hours": 24}).Want(t, 201)
		d.op.call(t, s, "GET", profile, nil).Want(t, 200)
		for _, to := range []string{d.bobs.Account, d.adas.Account} { // there and back
			if err := s.App.GiveAway(t.Context(), d.adas.Profile, to); err != nil {
				t.Fatal(err)
			}
			d.op.call(t, s, "GET", profile, nil).Want(t, 404)
		}
		d.op.call(t, s, "POST", profile+"/look", row{"reason": "Why"}).Want(t, 201)
		d.op.call(t, s, "GET", profile, nil).Want(t, 200)
	})
}
