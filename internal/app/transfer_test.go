package app_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// transferView is what GET /transfer/:id says.
type transferView struct {
	ID, State, Role, Message string
	Ticket, Reason           *string
	Review                   bool
	Profile                  struct{ ID, Name string }
	From, To                 struct{ Name, Email string }
	ExpiresAt                *time.Time `json:"expires_at"`
	Moves                    []struct {
		What   string
		Amount int64
	}
	Stays []string
	Ends  struct {
		Tokens []struct {
			ID, Name, Tail string
			MadeBy         string     `json:"made_by"`
			LastUse        *time.Time `json:"last_use"`
		}
		People []struct {
			Account, Name, Email, Role string
			Staff, Owner               bool
		}
		Also []string
	}
	Checks  []transferCheck
	Outcome *struct {
		Tokens []struct {
			ID, Name, Fate string
			Unasked        bool
		}
		People []struct {
			Account, Fate string
			Unasked       bool
		}
	}
	Undo *struct {
		Until               time.Time
		Source, Destination *time.Time
	}
	May []string
}

type transferCheck struct {
	Name, Detail        string
	OK, Blocks, Waiting bool
}

func (v transferView) check(name string) transferCheck {
	for _, c := range v.Checks {
		if c.Name == name {
			return c
		}
	}
	return transferCheck{}
}

func (v transferView) token(name string) string {
	for _, x := range v.Ends.Tokens {
		if x.Name == name {
			return x.ID
		}
	}
	return ""
}

// deal is a profile that is to go from one account to another.
type deal struct {
	*apptest.Server
	t        *testing.T
	operator apptest.Who
	from, to apptest.Who // from.Token acts in profile
	first    apptest.Who // from's other profile
	profile  string
	device   string // a token of a device in it
}

func newDeal(t *testing.T, s *apptest.Server) *deal {
	t.Helper()
	d := &deal{Server: s, t: t, operator: s.Account(t, "house")}
	d.first, d.to = s.Account(t, "house"), s.Account(t, "house")
	d.from = s.Profile(t, d.first, "Harbour")
	d.profile = d.from.Profile
	_, d.device = s.Device(t, d.from, "Meter")
	s.Send(t, d.device, 3).Want(t, 200)
	return d
}

func (d *deal) ask(email string) apptest.Answer {
	d.t.Helper()
	return d.Call(d.t, "POST", "/profile/"+d.profile+"/transfer", d.first.Token, row{"email": email, "password": apptest.Password, "message": "All yours."})
}

func (d *deal) asked() string {
	d.t.Helper()
	var made struct{ ID string }
	d.ask(d.to.Email).Want(d.t, 201).Into(d.t, &made)
	return made.ID
}

func (d *deal) act(who apptest.Who, id, verb string, body row) apptest.Answer {
	d.t.Helper()
	if body == nil {
		body = row{}
	}
	if body["password"] == nil {
		body["password"] = apptest.Password
	}
	return d.Call(d.t, "POST", "/transfer/"+id+"/"+verb, who.Token, body)
}

func (d *deal) view(who apptest.Who, id string) (v transferView) {
	d.t.Helper()
	d.Call(d.t, "GET", "/transfer/"+id, who.Token, nil).Want(d.t, 200).Into(d.t, &v)
	return v
}

// asOperator signs in as the one who runs the server.
func (d *deal) asOperator() person {
	return person{cookie: d.App.SignIn(d.t, d.operator.Account), profile: d.operator.Profile}
}

func (d *deal) owner() string {
	d.t.Helper()
	for _, who := range []apptest.Who{d.first, d.to} {
		for _, p := range profileRows(d.t, d.Server, who.Token) {
			if p.ID == d.profile && !p.FromShare {
				return who.Account
			}
		}
	}
	return ""
}

func (d *deal) wantOwner(who apptest.Who) {
	d.t.Helper()
	if got := d.owner(); got != who.Account {
		d.t.Errorf("the profile is %s's, not %s's", got, who.Account)
	}
	findings, _, err := d.App.Verify(d.t.Context())
	if err != nil || len(findings) > 0 {
		d.t.Errorf("verify: %v %v", findings, err)
	}
}

func TestBehaviour12_LastProfileIsNotHandedOver(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		a, b := s.Account(t, "house"), s.Account(t, "house")
		x := s.Call(t, "POST", "/profile/"+a.Profile+"/transfer", a.Token, row{"email": b.Email, "password": apptest.Password}).Want(t, 409)
		if !strings.Contains(x.Message, "last profile") {
			t.Errorf("refused with %q", x.Message)
		}
		// And it stays when it becomes the last one while the receiver thinks.
		second := s.Profile(t, a, "Second")
		var made struct{ ID string }
		s.Call(t, "POST", "/profile/"+second.Profile+"/transfer", a.Token, row{"email": b.Email, "password": apptest.Password}).Want(t, 201).Into(t, &made)
		s.Call(t, "DELETE", "/profile/"+a.Profile, second.Token, row{"password": apptest.Password}).Want(t, 200)
		d := &deal{Server: s, t: t, first: second, to: b, profile: second.Profile}
		d.act(b, made.ID, "accept", nil).Want(t, 409)
		d.wantOwner(second)
		if v := d.view(b, made.ID); v.State != "requested" || v.check("last_profile").OK {
			t.Errorf("it is %s, %+v", v.State, v.Checks)
		}
	})
}

func TestBehaviour72_TransferIsConfirmed(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		free := s.Account(t, "free")
		s.Call(t, "POST", "/profile/"+free.Profile+"/transfer", free.Token, row{"email": d.to.Email, "password": apptest.Password}).Want(t, 409)
		path := "/profile/" + d.profile + "/transfer"
		s.Call(t, "POST", path, d.first.Token, row{"email": d.to.Email, "password": "wrong"}).Want(t, 401)
		s.Call(t, "POST", path, d.first.Token, row{"email": d.first.Email, "password": apptest.Password}).Want(t, 400)
		s.Call(t, "POST", path, d.first.Token, row{"email": "nobody", "password": apptest.Password}).Want(t, 400)
		s.Call(t, "POST", path, d.to.Token, row{"email": d.to.Email, "password": apptest.Password}).Want(t, 404)

		var made struct {
			ID, Ticket, State string
			Checks            []transferCheck
		}
		d.ask(d.to.Email).Want(t, 201).Into(t, &made)
		if made.State != "requested" || made.Ticket == "" || !slices.ContainsFunc(made.Checks, func(c transferCheck) bool { return c.Waiting }) {
			t.Errorf("asking answers %+v", made)
		}
		d.ask(d.to.Email).Want(t, 409)
		d.wantOwner(d.first)
		if v := d.view(d.first, made.ID); v.Role != "source" || v.To.Name != "" || !slices.Equal(v.May, []string{"cancel"}) || len(v.Ends.Tokens) != 1 || v.Ticket == nil {
			t.Errorf("the owner sees %+v", v)
		}
		v := d.view(d.to, made.ID)
		if v.Role != "destination" || v.From.Email != d.first.Email || v.Message != "All yours." || v.Ticket != nil || !slices.Equal(v.May, []string{"accept", "decline"}) {
			t.Errorf("the receiver sees %+v", v)
		}
		if len(v.Moves) == 0 || v.Moves[0].Amount != 1 || v.Moves[1].Amount != 3 || len(v.Ends.People) != 1 || !v.Ends.People[0].Owner || v.Ends.Tokens[0].LastUse == nil {
			t.Errorf("the receiver is told %+v", v)
		}
		stranger := s.Account(t, "house")
		for _, verb := range []string{"accept", "decline", "cancel", "undo"} {
			d.act(stranger, made.ID, verb, nil).Want(t, 404)
		}
		d.act(d.first, made.ID, "accept", nil).Want(t, 403)
		d.act(d.to, made.ID, "cancel", nil).Want(t, 403)
		d.act(d.to, made.ID, "undo", nil).Want(t, 409)
		d.act(d.to, made.ID, "accept", row{"password": "wrong"}).Want(t, 401)
		d.act(d.to, made.ID, "accept", row{"former_owner": "admin"}).Want(t, 400)
		d.wantOwner(d.first)

		d.act(d.to, made.ID, "accept", nil).Want(t, 200)
		d.act(d.to, made.ID, "accept", row{"password": "wrong"}).Want(t, 200) // told where it stands
		d.wantOwner(d.to)
		s.Send(t, d.device, 2).Want(t, 200)
		s.Call(t, "GET", "/data", d.device, nil).Want(t, 200)
		s.Call(t, "GET", "/profile/current", d.from.Token, nil).Want(t, 401)
		s.Call(t, "GET", "/profile/"+d.profile, d.first.Token, nil).Want(t, 404)
		for _, who := range []apptest.Who{d.first, d.to} {
			v := d.view(who, made.ID)
			if v.State != "completed" || v.Ticket == nil || v.Undo == nil || v.Outcome == nil || len(v.Outcome.Tokens) != 1 || v.Outcome.Tokens[0].Fate != "end" || v.To.Name == "" {
				t.Errorf("%s is shown %+v", who.Email, v)
			}
			var ticket struct{ State string }
			s.Call(t, "GET", "/ticket/"+*v.Ticket, who.Token, nil).Want(t, 200).Into(t, &ticket)
			if ticket.State != "closed" {
				t.Errorf("the ticket is %s", ticket.State)
			}
			var list []transferView
			s.Call(t, "GET", "/transfer?state=completed", who.Token, nil).Want(t, 200).Into(t, &list)
			if len(list) != 1 || list[0].ID != made.ID {
				t.Errorf("%s lists %+v", who.Email, list)
			}
		}
		inside := s.TokenOf(t, d.to, d.profile)
		if sum := s.Summary(t, inside); sum.Used["input"] != 2 || sum.Used["data_records"] != 5 {
			t.Errorf("the new owner has used %v", sum.Used)
		}
	})
}

// TestBehaviour72_NobodyLearnsWhoHasAnAccount compares everything that the owner sees of a request to an address with an account,
// to one without, and to one whose account is blocked or not confirmed.
func TestBehaviour72_NobodyLearnsWhoHasAnAccount(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		blocked := s.Account(t, "house")
		if err := s.App.Block(t.Context(), blocked.Email, true); err != nil {
			t.Fatal(err)
		}
		ids := regexp.MustCompile(`[0-9a-f]{24}|\d{4}-\d\d-\d\dT[0-9:.]+Z|"number":\d+|[0-9]{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC`)
		var seen []string
		for _, email := range []string{d.to.Email, "nobody@else.test", blocked.Email} {
			began := time.Now()
			x := d.ask(email).Want(t, 201)
			if took := time.Since(began); took < 250*time.Millisecond {
				t.Errorf("asking took %v: it must not tell", took)
			}
			var made struct{ ID, Ticket string }
			x.Into(t, &made)
			all := []string{string(x.Body)}
			for _, path := range []string{"/transfer/" + made.ID, "/transfer", "/ticket/" + made.Ticket, "/ticket"} {
				all = append(all, string(s.Call(t, "GET", path+"?amount=1", d.first.Token, nil).Want(t, 200).Body))
			}
			all = append(all, string(d.act(d.first, made.ID, "cancel", nil).Want(t, 200).Body))
			seen = append(seen, strings.ReplaceAll(ids.ReplaceAllString(strings.Join(all, "\n"), "·"), email, "ADDRESS"))
		}
		for _, other := range seen[1:] {
			if other != seen[0] {
				t.Errorf("what the owner sees differs:\n%s\n\n%s", seen[0], other)
			}
		}
	})
}

func TestBehaviour72_TheLetterLeadsThroughSignUp(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, engine, func(set *app.Settings, _ *app.Options) { set.Signup = "invite" })
			d := newDeal(t, s)
			const email = "new@person.test"
			signUp := row{"name": "New", "email": email, "password": apptest.Password}
			s.Call(t, "POST", "/account", "", signUp).Want(t, 403)
			var made struct{ ID string }
			d.ask(email).Want(t, 201).Into(t, &made)
			i := slices.IndexFunc(s.Mails(t), func(m apptest.Mail) bool { return m.To == email })
			if i < 0 {
				t.Fatal("no letter")
			}
			letter := s.Mails(t)[i].Text
			if !strings.Contains(letter, "/console/sign-up?email="+url.QueryEscape(email)+"&next="+url.QueryEscape("/console/transfer/"+made.ID)) || strings.Contains(letter, "All yours.") {
				t.Errorf("the letter says:\n%s", letter)
			}
			s.Call(t, "POST", "/account", "", signUp).Want(t, 200)
			var in struct {
				Profiles []struct{ ID string }
			}
			s.Call(t, "POST", "/account/login", "", row{"email": email, "password": apptest.Password}).Want(t, 200).Into(t, &in)
			d.to = s.TokenOf(t, apptest.Who{Email: email}, in.Profiles[0].ID)
			var acc struct{ ID string }
			s.Call(t, "GET", "/account", d.to.Token, nil).Want(t, 200).Into(t, &acc)
			d.to.Account = acc.ID
			d.act(d.to, made.ID, "accept", row{"former_owner": "viewer"}).Want(t, 200)
			d.wantOwner(d.to)
			if p := profileRows(t, s, d.first.Token)[d.profile]; p.Role != "viewer" {
				t.Errorf("the former owner is %+v", p)
			}
		})
	}
}

func TestBehaviour73_WhatDoesNotFitIsFlagged(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		small := s.Account(t, "starter") // two profiles
		s.Profile(t, small, "Second")
		d.to = small
		id := d.asked()
		v := d.view(d.to, id)
		c := v.check("profile")
		if c.OK || !c.Blocks || !strings.Contains(c.Detail, "2") {
			t.Errorf("the receiver is shown %+v", v.Checks)
		}
		x := d.act(d.to, id, "accept", nil).Want(t, 409)
		if !strings.Contains(string(x.Body), `"checks"`) || !strings.Contains(x.Message, strings.TrimRight(c.Detail, ".")) {
			t.Errorf("refused with %s", x.Body)
		}
		for _, c := range d.view(d.first, id).Checks {
			if strings.Contains(c.Detail, "2") {
				t.Errorf("the owner reads %q of the receiver", c.Detail)
			}
		}
		d.wantOwner(d.first)
		// A plan that forbids it, seen by the receiver too.
		d.act(d.first, id, "cancel", nil).Want(t, 200)
		d.to = s.Account(t, "free")
		id = d.asked()
		if c := d.view(d.to, id).check("plan_to"); c.OK || !c.Blocks {
			t.Errorf("the plan is %+v", c)
		}
		d.act(d.to, id, "accept", nil).Want(t, 409)
		d.wantOwner(d.first)
	})
}

func TestTransferChoices(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		host := d.from
		keep := s.Join(t, host, s.Account(t, "house"), row{"role": "developer"})
		day := s.Join(t, host, s.Account(t, "house"), row{"role": "viewer"})
		goes := s.Join(t, host, s.Account(t, "house"), row{"role": "admin"})
		mint := func(name string) (token string) {
			var m struct{ Token string }
			s.Call(t, "POST", "/profile/"+d.profile+"/token", d.from.Token, row{"name": name, "permission": "full", "email": d.first.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &m)
			return m.Token
		}
		adopted, lapsing, ending := mint("adopted"), mint("lapsing"), mint("ending")
		s.Call(t, "POST", "/profile/"+d.profile+"/team", d.from.Token, row{"email": "asked@else.test"}).Want(t, 200)
		id := d.asked()
		v := d.view(d.to, id)
		if len(v.Ends.People) != 4 || len(v.Ends.Tokens) < 4 {
			t.Fatalf("the receiver is shown %+v", v.Ends)
		}
		for _, p := range v.Ends.People {
			if whole := strings.Contains(p.Email, "person"); whole != p.Owner {
				t.Errorf("the receiver reads the address %q", p.Email)
			}
		}
		later := mint("later") // the receiver has not seen it
		d.act(d.to, id, "accept", row{"former_owner": "developer",
			"people": row{keep.Account: "adopt", day.Account: "overlap", goes.Account: "end"}, "tokens": row{v.token("adopted"): "keep"}}).Want(t, 400)
		if v.State != "requested" {
			t.Fatal(v.State)
		}
		d.act(d.to, id, "accept", row{"former_owner": "end", "people": row{keep.Account: "adopt", day.Account: "overlap", goes.Account: "end"},
			"tokens": row{v.token("adopted"): "adopt", v.token("lapsing"): "overlap", v.token("ending"): "end"}}).Want(t, 200)
		d.wantOwner(d.to)
		for token, want := range map[string]int{adopted: 200, lapsing: 200, ending: 401, later: 401, keep.Token: 200, day.Token: 200, goes.Token: 401, d.from.Token: 401} {
			if x := s.Call(t, "GET", "/device", token, nil); x.Status != want {
				t.Errorf("a token got %d, not %d: %s", x.Status, want, x.Message)
			}
		}
		for _, path := range []string{"/account", "/profile/" + d.to.Profile} { // a token that was adopted reaches nothing else
			if x := s.Call(t, "GET", path, adopted, nil); path != "/account" && x.Status != 404 {
				t.Errorf("%s: %d", path, x.Status)
			}
		}
		out := d.view(d.to, id).Outcome
		unasked := slices.IndexFunc(out.Tokens, func(x struct {
			ID, Name, Fate string
			Unasked        bool
		}) bool {
			return x.Name == "later" && x.Unasked && x.Fate == "end"
		})
		if unasked < 0 || len(out.People) != 4 {
			t.Errorf("the outcome is %+v", out)
		}
		told := false
		for _, m := range s.Mails(t) {
			told = told || m.To == d.to.Email && strings.Contains(m.Text, "later")
		}
		if !told {
			t.Error("no letter names the token that appeared after looking")
		}
	})
}

func TestTransferReview(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, engine, func(set *app.Settings, _ *app.Options) { set.Transfer = "review" })
			d := newDeal(t, s)
			operator, receiver := d.asOperator(), person{cookie: s.App.SignIn(t, d.to.Account), profile: d.to.Profile}
			id := d.asked()
			operator.call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 409)
			d.act(d.to, id, "accept", nil).Want(t, 200)
			d.act(d.to, id, "accept", nil).Want(t, 200)
			d.wantOwner(d.first)
			if v := d.view(d.first, id); v.State != "accepted" || v.To.Name == "" || v.check("receiver").Detail != "met" {
				t.Errorf("the owner sees %+v", v)
			}
			receiver.call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 403)
			d.act(d.operator, id, "approve", nil).Want(t, 401) // a token is not signed in
			receiver.call(t, s, "GET", "/transfer?role=all", nil).Want(t, 403)
			var list []transferView
			operator.call(t, s, "GET", "/transfer?role=all&state=accepted", nil).Want(t, 200).Into(t, &list)
			if len(list) != 1 || list[0].Role != "operator" {
				t.Errorf("the operator lists %+v", list)
			}
			operator.call(t, s, "POST", "/transfer/"+id+"/decline", row{"reason": "not yet paid"}).Want(t, 200)
			d.wantOwner(d.first)
			if v := d.view(d.to, id); v.State != "declined" || v.Reason == nil || *v.Reason != "not yet paid" {
				t.Errorf("the receiver sees %+v", v)
			}
			id = d.asked()
			d.act(d.to, id, "accept", row{"former_owner": "viewer"}).Want(t, 200)
			operator.call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 200)
			operator.call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 200)
			d.wantOwner(d.to)
			// The operator alone gives it back, and says why.
			operator.call(t, s, "POST", "/transfer/"+id+"/undo", row{"reason": "by mistake"}).Want(t, 200)
			d.wantOwner(d.first)
			s.Call(t, "GET", "/device", d.from.Token, nil).Want(t, 200)
			if v := d.view(d.to, id); v.State != "undone" || v.Reason == nil || *v.Reason != "by mistake" {
				t.Errorf("the receiver sees %+v", v)
			}
		})
	}
}

// TestTransferEnds is every way in which a request comes to nothing.
func TestTransferEnds(t *testing.T) {
	start := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		over := func(id, state string) {
			t.Helper()
			d.wantOwner(d.first)
			if v := d.view(d.first, id); v.State != state || len(v.May) != 0 {
				t.Errorf("it is %s, and one may %v", v.State, v.May)
			}
			d.act(d.to, id, "accept", nil).Want(t, 404, 409)
		}
		t.Run("declined, cancelled, and heard twice", func(t *testing.T) {
			id := d.asked()
			d.act(d.to, id, "decline", row{"reason": "no room"}).Want(t, 200)
			d.act(d.to, id, "decline", nil).Want(t, 200)
			over(id, "declined")
			d.act(d.first, id, "cancel", nil).Want(t, 409)
			id = d.asked()
			d.act(d.first, id, "cancel", nil).Want(t, 200)
			d.act(d.first, id, "cancel", nil).Want(t, 200)
			over(id, "cancelled")
		})
		t.Run("the address goes to another account", func(t *testing.T) {
			id := d.asked()
			was := d.to
			const moved = "moved@else.test"
			s.Call(t, "POST", "/account/email", was.Token, row{"email": moved, "password": apptest.Password}).Want(t, 200)
			s.Call(t, "POST", "/account/email/confirm", "", row{"token": s.Secret(t, moved, "email")}).Want(t, 200)
			s.Call(t, "GET", "/transfer/"+id, was.Token, nil).Want(t, 404)
			s.Call(t, "POST", "/account", "", row{"name": "Else", "email": was.Email, "password": apptest.Password}).Want(t, 200)
			who := signIn(t, s, was.Email, apptest.Password, "")
			var v transferView
			who.call(t, "GET", "/transfer/"+id, "").Want(t, 200).Into(t, &v)
			if v.Role != "destination" {
				t.Errorf("who has the address now is %+v", v)
			}
			d.to.Email = moved
			d.act(d.first, id, "cancel", nil).Want(t, 200)
		})
		t.Run("paused", func(t *testing.T) {
			operator := d.asOperator()
			operator.call(t, s, "POST", "/profile/"+d.profile+"/pause", row{"reason": "abuse"}).Want(t, 200)
			d.ask(d.to.Email).Want(t, 409)
			operator.call(t, s, "POST", "/profile/"+d.profile+"/resume", row{}).Want(t, 200)
			id := d.asked()
			operator.call(t, s, "POST", "/profile/"+d.profile+"/pause", row{"reason": "abuse"}).Want(t, 200)
			d.act(d.to, id, "accept", nil).Want(t, 409)
			operator.call(t, s, "POST", "/profile/"+d.profile+"/resume", row{}).Want(t, 200)
			d.act(d.first, id, "cancel", nil).Want(t, 200)
		})
		t.Run("the receiver or the owner is blocked", func(t *testing.T) {
			id := d.asked()
			for _, who := range []apptest.Who{d.to, d.first} {
				if err := s.App.Block(t.Context(), who.Email, true); err != nil {
					t.Fatal(err)
				}
				if x := d.act(d.to, id, "accept", nil); x.Status != 401 && x.Status != 409 {
					t.Errorf("answered %d %s", x.Status, x.Body)
				}
				if err := s.App.Block(t.Context(), who.Email, false); err != nil {
					t.Fatal(err)
				}
			}
			d.wantOwner(d.first)
			d.act(d.first, id, "cancel", nil).Want(t, 200)
		})
		t.Run("expired", func(t *testing.T) {
			id := d.asked()
			s.Clock.Advance(7 * 24 * time.Hour)
			over(id, "expired") // before the job has noted it
			if err := s.App.ExpireTransfers(t.Context()); err != nil {
				t.Fatal(err)
			}
			over(id, "expired")
			id = d.asked()
			s.Clock.Advance(8 * 24 * time.Hour)
			second := d.asked() // the old one is noted on the way
			if v := d.view(d.first, id); v.State != "expired" {
				t.Errorf("the old one is %s", v.State)
			}
			d.act(d.first, second, "cancel", nil).Want(t, 200)
		})
		t.Run("the profile is deleted", func(t *testing.T) {
			id := d.asked()
			s.Call(t, "DELETE", "/profile/"+d.profile, d.first.Token, row{"password": apptest.Password}).Want(t, 200)
			if v := d.view(d.first, id); v.State != "cancelled" || v.Reason == nil || !strings.Contains(*v.Reason, "deleted") {
				t.Errorf("it is %s %v", v.State, v.Reason)
			}
			d.act(d.to, id, "accept", nil).Want(t, 409)
			if findings, _, err := s.App.Verify(t.Context()); err != nil || len(findings) > 0 {
				t.Errorf("verify: %v %v", findings, err)
			}
		})
		t.Run("the owner deletes the account", func(t *testing.T) {
			d := newDeal(t, s)
			id := d.asked()
			s.Call(t, "DELETE", "/account", d.first.Token, row{"password": apptest.Password}).Want(t, 200)
			if v := d.view(d.to, id); v.State != "cancelled" {
				t.Errorf("it is %s", v.State)
			}
		})
		t.Run("the one with the address deletes the account: the request is for the address still", func(t *testing.T) {
			d := newDeal(t, s)
			id := d.asked()
			s.Call(t, "DELETE", "/account", d.to.Token, row{"password": apptest.Password}).Want(t, 200)
			if v := d.view(d.first, id); v.State != "requested" {
				t.Errorf("it is %s", v.State)
			}
		})
		t.Run("old ones are forgotten", func(t *testing.T) {
			s.Clock.Advance(100 * 24 * time.Hour)
			for _, job := range []error{s.App.ExpireTransfers(t.Context()), s.App.TidyTransfers(t.Context())} {
				if job != nil {
					t.Fatal(job)
				}
			}
			var list []transferView
			d.asOperator().call(t, s, "GET", "/transfer?role=all&state=cancelled", nil).Want(t, 200).Into(t, &list)
			if len(list) != 0 {
				t.Errorf("there are %+v", list)
			}
		})
	}, apptest.AtTime(start))
}

// TestTransferReviewEnds is what can come between acceptance and approval.
func TestTransferReviewEnds(t *testing.T) {
	start := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		operator := d.asOperator()
		accepted := func(d *deal) string {
			id := d.asked()
			d.act(d.to, id, "accept", nil).Want(t, 200)
			return id
		}
		id := accepted(d)
		d.act(d.first, id, "cancel", nil).Want(t, 200)
		operator.call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 409)
		id = accepted(d)
		d.act(d.to, id, "decline", nil).Want(t, 200)
		id = accepted(d)
		s.Clock.Advance(8 * 24 * time.Hour)
		d.asOperator().call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 409)
		if err := s.App.ExpireTransfers(t.Context()); err != nil {
			t.Fatal(err)
		}
		id = accepted(d)
		s.Call(t, "DELETE", "/account", d.to.Token, row{"password": apptest.Password}).Want(t, 200)
		if v := d.view(d.first, id); v.State != "cancelled" || v.Reason == nil {
			t.Errorf("it is %+v", v)
		}
	}, apptest.AtTime(start), func(set *app.Settings, _ *app.Options) { set.Transfer = "review" })
}

// TestTransferGuest hands a profile to somebody who owns none, where sign-up is closed and where it is not, and takes it back.
func TestTransferGuest(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		for _, c := range []struct {
			signup, policy string
			accept         int
		}{{"open", "", 200}, {"closed", "", 409}, {"closed", "review", 200}} {
			t.Run(fmt.Sprintf("%s %s %s", engine, c.signup, c.policy), func(t *testing.T) {
				t.Parallel()
				s := apptest.Start(t, engine, func(set *app.Settings, _ *app.Options) { set.Signup, set.Transfer = c.signup, c.policy })
				d := newDeal(t, s)
				// Nobody deletes the last profile: this one goes past the rules.
				for _, q := range []string{`UPDATE profile SET deleted_at = 1, purged_at = 1 WHERE account = $1`, `DELETE FROM profile_owned WHERE account = $1`,
					`UPDATE profile_owner SET profiles = 0 WHERE account = $1`, `DELETE FROM allocation WHERE account = $1`} {
					if _, err := s.App.Exec(t.Context(), q, d.to.Account); err != nil {
						t.Fatal(err)
					}
				}
				by := person{cookie: s.App.SignIn(t, d.to.Account)}
				id := d.asked()
				by.call(t, s, "POST", "/transfer/"+id+"/accept", row{"password": apptest.Password}).Want(t, c.accept)
				if c.accept != 200 {
					return
				}
				if c.policy == "review" {
					d.asOperator().call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 200)
				}
				var rows []profileRow
				by.call(t, s, "GET", "/profile", nil).Want(t, 200).Into(t, &rows)
				if !slices.ContainsFunc(rows, func(p profileRow) bool { return p.ID == d.profile && !p.FromShare }) {
					t.Errorf("the guest has %+v", rows)
				}
				d.asOperator().call(t, s, "POST", "/transfer/"+id+"/undo", row{}).Want(t, 200)
				if rows := profileRows(t, s, d.first.Token); rows[d.profile].FromShare || rows[d.profile].ID == "" {
					t.Errorf("the former owner has %+v", rows)
				}
			})
		}
	}
}

func TestTransferUndo(t *testing.T) {
	start := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		member := s.Join(t, d.from, s.Account(t, "house"), row{"role": "developer"})
		id := d.asked()
		d.act(d.to, id, "accept", row{"former_owner": "developer"}).Want(t, 200)
		s.Send(t, d.device, 2).Want(t, 200)
		d.act(d.first, id, "undo", row{"password": "wrong"}).Want(t, 401)
		d.act(d.first, id, "undo", nil).Want(t, 200)
		d.act(d.first, id, "undo", nil).Want(t, 200)
		d.wantOwner(d.to)
		if v := d.view(d.to, id); v.Undo == nil || v.Undo.Source == nil || v.Undo.Destination != nil || !slices.Equal(v.May, []string{"undo"}) {
			t.Errorf("the receiver sees %+v", v)
		}
		inside := s.TokenOf(t, d.to, d.profile)
		s.Call(t, "GET", "/device", member.Token, nil).Want(t, 401)
		s.Clock.Advance(time.Hour)
		// A transfer onwards that waits is in the way of nothing.
		var onwards struct{ ID string }
		s.Call(t, "POST", "/profile/"+d.profile+"/transfer", inside.Token, row{"email": "onwards@else.test", "password": apptest.Password}).Want(t, 201).Into(t, &onwards)
		d.act(d.to, id, "undo", nil).Want(t, 200)
		d.wantOwner(d.first)
		if v := d.view(d.to, onwards.ID); v.State != "cancelled" {
			t.Errorf("the transfer onwards is %s", v.State)
		}
		for token, want := range map[string]int{d.from.Token: 200, member.Token: 200, inside.Token: 401, d.device: 401} {
			if x := s.Call(t, "GET", "/device", token, nil); x.Status != want {
				t.Errorf("a token got %d, not %d: %s", x.Status, want, x.Message)
			}
		}
		s.Send(t, d.device, 1).Want(t, 200)
		if sum := s.Summary(t, d.from); sum.Used["data_records"] != 6 {
			t.Errorf("it holds %v", sum.Used)
		}
		if v := d.view(d.first, id); v.State != "undone" || v.Undo != nil || len(v.May) != 0 {
			t.Errorf("the former owner sees %+v", v)
		}

		// Too late, handed on, deleted.
		id = d.asked()
		d.act(d.to, id, "accept", nil).Want(t, 200)
		d.act(d.to, id, "undo", nil).Want(t, 200)
		s.Clock.Advance(24*time.Hour + time.Second)
		d.act(d.first, id, "undo", nil).Want(t, 409)
		d.wantOwner(d.to)
		back, third := d.to, s.Account(t, "house")
		inside = s.TokenOf(t, back, d.profile)
		hand := func(to apptest.Who, token string) string {
			var made struct{ ID string }
			s.Call(t, "POST", "/profile/"+d.profile+"/transfer", token, row{"email": to.Email, "password": apptest.Password}).Want(t, 201).Into(t, &made)
			d.act(to, made.ID, "accept", nil).Want(t, 200)
			return made.ID
		}
		one := hand(third, inside.Token)
		inside = s.TokenOf(t, third, d.profile)
		two := hand(d.first, inside.Token)
		d.asOperator().call(t, s, "POST", "/transfer/"+one+"/undo", row{}).Want(t, 409)
		d.from = s.TokenOf(t, d.first, d.profile)
		s.Call(t, "DELETE", "/profile/"+d.profile, d.from.Token, row{"password": apptest.Password}).Want(t, 200)
		d.asOperator().call(t, s, "POST", "/transfer/"+two+"/undo", row{}).Want(t, 409)
	}, apptest.AtTime(start))
}
