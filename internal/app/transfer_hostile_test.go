package app_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// A token that a new owner took over may be in the former owner's hands: it speaks for the profile as before, never for the person
// whose it is now.
func TestAdoptedTokenIsNotItsOwner(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		id := d.asked()
		d.act(d.to, id, "accept", row{"tokens": row{d.view(d.to, id).Ends.Tokens[0].ID: "adopt"}}).Want(t, 200)
		adopted, now := d.from.Token, s.TokenOf(t, d.to, d.profile)
		path := "/profile/" + d.profile
		s.Call(t, "POST", path+"/notify/test", now.Token, row{}).Want(t, 200)
		s.Call(t, "GET", "/device", adopted, nil).Want(t, 200)
		s.Call(t, "POST", "/device", adopted, row{"name": "By the token", "type": "mutable"}).Want(t, 200, 201)
		for _, what := range []string{"/account", path + "/notify"} {
			if x := s.Call(t, "GET", what, adopted, nil); x.Status != 401 {
				t.Errorf("%s: %d %s", what, x.Status, x.Body)
			}
		}
		s.Call(t, "PUT", path+"/notify", adopted, row{"mail": row{"limit": false}}).Want(t, 401)
		s.Call(t, "PUT", "/profile/switch/"+d.to.Profile, adopted, row{}).Want(t, 401)
		var notices, own []row
		s.Call(t, "GET", "/notification", adopted, nil).Want(t, 200).Into(t, &notices)
		s.Call(t, "GET", "/notification", now.Token, nil).Want(t, 200).Into(t, &own)
		if len(notices) != 0 || len(own) == 0 {
			t.Errorf("it reads %d notices of its owner's %d", len(notices), len(own))
		}
		var log struct{ Events []struct{ Message string } }
		s.Call(t, "GET", path+"/auditlog", adopted, nil).Want(t, 200).Into(t, &log)
		if last := len(log.Events) - 1; last != 1 || !strings.Contains(log.Events[last].Message, "By the token") { // the device, and the token that came with it
			t.Errorf("of the audit log it reads %+v", log.Events)
		}
	})
}

// Neither side learns from the audit logs from where and with which token the other acted.
func TestTransferAuditTellsNoAddresses(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		quiet := func(who apptest.Who, path string) {
			t.Helper()
			var log struct {
				Events []struct {
					Who, Message string
					You          bool
					Addr, Token  *string
				}
			}
			s.Call(t, "GET", path, who.Token, nil).Want(t, 200).Into(t, &log)
			theirs := 0
			for _, e := range log.Events {
				if e.Who == "system" || e.You {
					continue
				}
				theirs++
				if e.Addr != nil || e.Token != nil {
					t.Errorf("%s tells %+v", path, e)
				}
			}
			if theirs == 0 {
				t.Errorf("%s tells nothing: %+v", path, log)
			}
		}
		id := d.asked()
		d.act(d.to, id, "decline", nil).Want(t, 200)
		if v := d.view(d.first, id); v.To.Name != "" { // who says no stays unknown
			t.Errorf("the owner reads that it was %q who declined", v.To.Name)
		}
		quiet(d.first, "/profile/"+d.profile+"/auditlog")
		quiet(d.first, "/account/auditlog")
		id = d.asked()
		d.act(d.to, id, "accept", nil).Want(t, 200)
		quiet(d.first, "/account/auditlog")
		d.act(d.first, id, "undo", nil).Want(t, 200)
		d.act(d.to, id, "undo", nil).Want(t, 200)
		quiet(d.to, "/account/auditlog")
	})
}

// What is decided about tokens and people at acceptance must fit together then, also where an operator approves it later.
func TestTransferReviewRefusesWhatCannotBeApproved(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, engine, func(set *app.Settings, _ *app.Options) { set.Transfer = "review" })
			d := newDeal(t, s)
			id := d.asked()
			token := d.view(d.to, id).Ends.Tokens[0].ID
			x := d.act(d.to, id, "accept", row{"former_owner": "developer", "tokens": row{token: "adopt"}}).Want(t, 400)
			if !strings.Contains(x.Message, token) {
				t.Errorf("refused with %q", x.Message)
			}
			d.act(d.to, id, "accept", row{"former_owner": "developer"}).Want(t, 200)
			d.asOperator().call(t, s, "POST", "/transfer/"+id+"/approve", row{}).Want(t, 200)
			d.wantOwner(d.to)
		})
	}
}

func TestTransferNeedsTheSecondFactor(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		gives, takes := factorOn(t, s, d.first), factorOn(t, s, d.to)
		path := "/profile/" + d.profile + "/transfer"
		ask := row{"email": d.to.Email, "password": apptest.Password}
		asked(t, s.Call(t, "POST", path, d.first.Token, ask))
		ask["pin_code"] = gives.code(t)
		var made struct{ ID string }
		s.Call(t, "POST", path, d.first.Token, ask).Want(t, 201).Into(t, &made)

		asked(t, d.act(d.to, made.ID, "accept", nil))
		d.act(d.to, made.ID, "accept", row{"pin_code": "000000"}).Want(t, 401)
		d.act(d.to, made.ID, "accept", row{"pin_code": gives.code(t)}).Want(t, 401) // the other's
		d.wantOwner(d.first)
		d.act(d.to, made.ID, "accept", row{"pin_code": takes.code(t)}).Want(t, 200)
		d.wantOwner(d.to)

		for _, x := range []struct {
			who   apptest.Who
			phone *app2FA
		}{{d.first, gives}, {d.to, takes}} {
			asked(t, d.act(x.who, made.ID, "undo", nil))
			d.act(x.who, made.ID, "undo", row{"pin_code": "000000"}).Want(t, 401)
			d.wantOwner(d.to)
			d.act(x.who, made.ID, "undo", row{"pin_code": x.phone.code(t)}).Want(t, 200)
		}
		d.wantOwner(d.first)
	}, apptest.AtTime(noon))
}

func TestTransferEndsAddons(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		ada, bob := s.Account(t, "free"), s.Account(t, "scale")
		subscribe(t, s, ada, row{"plan": "scale"}).Want(t, 200)
		two := s.Profile(t, ada, "Two")
		subscribe(t, s, ada, row{"addons": row{"mobile": []string{ada.Profile, two.Profile}}}).Want(t, 200)
		var made struct{ ID string }
		s.Call(t, "POST", "/profile/"+two.Profile+"/transfer", ada.Token, row{"email": bob.Email, "password": apptest.Password}).Want(t, 201).Into(t, &made)
		d := &deal{Server: s, t: t, first: ada, to: bob, profile: two.Profile}
		if stays := strings.Join(d.view(bob, made.ID).Stays, "\n"); !strings.Contains(stays, "mobile") {
			t.Errorf("the receiver reads %s", stays)
		}
		d.act(bob, made.ID, "accept", nil).Want(t, 200)
		d.wantOwner(bob)
		var info struct{ Addons map[string]any }
		s.Call(t, "GET", "/profile/"+two.Profile, bob.Token, nil).Want(t, 200).Into(t, &info)
		if info.Addons["mobile"] != false {
			t.Errorf("the new owner has %v", info.Addons)
		}
		if got := subscriptionOf(t, s, ada).Addons["mobile"]; len(got) != 1 || got[0] != ada.Profile {
			t.Errorf("the former owner pays for %v", got)
		}
	}, apptest.AtTime(upgraded), manual)
}

// TestTransferPreflightReadsWell looks at the sentences of a preflight.
func TestTransferPreflightReadsWell(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		d.to = s.Account(t, "starter")
		also := func(want string) {
			t.Helper()
			id := d.asked()
			v := d.view(d.to, id)
			if v.Ends.Also[0] != want {
				t.Errorf("it says %q, not %q", v.Ends.Also[0], want)
			}
			for _, c := range v.Checks {
				if strings.Contains(c.Detail, " 1 devices") || strings.Contains(c.Detail, " 1 profiles") || strings.Contains(c.Detail, " the 1 of") {
					t.Errorf("a check says %q", c.Detail)
				}
			}
			if c := v.check("device"); !strings.HasPrefix(c.Detail, "It has 1 device; ") {
				t.Errorf("of devices it says %q", c.Detail)
			}
			d.act(d.first, id, "cancel", nil).Want(t, 200)
		}
		invite := func(email string) {
			t.Helper()
			s.Call(t, "POST", "/profile/"+d.profile+"/team", d.from.Token, row{"email": email}).Want(t, 200)
		}
		also("No invitation to the team waits; one made until then ends.")
		invite("one@else.test")
		also("1 invitation to the team ends.")
		invite("two@else.test")
		also("2 invitations to the team end.")
	})
}

// TestTransferRaces lets everybody answer at once: whatever wins, there is one owner and nothing but the words of the API.
func TestTransferRaces(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		both := func(id string, calls map[string]apptest.Who) {
			t.Helper()
			var wg sync.WaitGroup
			for verb, who := range calls {
				for range 2 {
					wg.Go(func() {
						body, _ := json.Marshal(row{"password": apptest.Password})
						if x := s.Call(t, "POST", "/transfer/"+id+"/"+verb[1:], who.Token, body); x.Status >= 500 {
							t.Errorf("%s: %d %s", verb, x.Status, x.Body)
						}
					})
				}
			}
			wg.Wait()
		}
		id := d.asked()
		both(id, map[string]apptest.Who{"1accept": d.to, "2decline": d.to, "3cancel": d.first})
		if v := d.view(d.first, id); v.State != "completed" {
			d.wantOwner(d.first)
			id = d.asked()
			both(id, map[string]apptest.Who{"1accept": d.to})
		}
		d.wantOwner(d.to)
		both(id, map[string]apptest.Who{"1undo": d.first, "2undo": d.to})
		d.wantOwner(d.first)
	})
}

// TestTransferBackAndForth gives a profile away and gets it back within one cycle, twice, with use in between and an undo of the last.
func TestTransferBackAndForth(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		d := newDeal(t, s)
		inside, from, to := d.from, d.first, d.to
		var last string
		for range 3 {
			var made struct{ ID string }
			s.Call(t, "POST", "/profile/"+d.profile+"/transfer", inside.Token, row{"email": to.Email, "password": apptest.Password}).Want(t, 201).Into(t, &made)
			d.act(to, made.ID, "accept", row{"former_owner": "developer"}).Want(t, 200)
			s.Send(t, d.device, 2).Want(t, 200)
			d.wantOwner(to)
			if last != "" {
				d.asOperator().call(t, s, "POST", "/transfer/"+last+"/undo", row{}).Want(t, 409) // it was handed on
			}
			s.Clock.Advance(time.Minute)
			inside, last = s.TokenOf(t, to, d.profile), made.ID
			from, to = to, from
		}
		d.asOperator().call(t, s, "POST", "/transfer/"+last+"/undo", row{}).Want(t, 200)
		d.wantOwner(to)
	}, apptest.AtTime(noon))
}
