package app_test

import (
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// Whoever loses access hears nothing that is stored after the answer to what took it: the stream ends before the next event.
func TestLostAccessEndsStreams(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		device, sends := s.Device(t, owner, "D")
		channel := "device_data." + device
		all := t // what outlasts a part of the test belongs to the whole
		stays := listen(all, s, owner.Token, channel)
		sent := 0.0
		send := func() {
			t.Helper()
			sent++
			s.Call(t, "POST", "/data", sends, value(sent)).Want(t, 200)
			if got := stays.values(t); got[0] != sent {
				t.Errorf("the owner heard %v, want %v", got, sent)
			}
		}
		quiet := func(x *stream) {
			t.Helper()
			send()
			if err := x.ended(t, 6*time.Second); err != io.EOF {
				t.Errorf("the stream ended by %v", err)
			}
			select {
			case f := <-x.frames:
				t.Errorf("heard %s after access was lost", f.Payload)
			default:
			}
		}
		session := func(who apptest.Who) *stream {
			t.Helper()
			v := signIn(t, s, who.Email, apptest.Password, owner.Profile)
			return follow(open(t, s, url.Values{"channels": {channel}, "profile": {owner.Profile}}, "Cookie", v.cookie.Name+"="+v.cookie.Value, "Sec-Fetch-Site", "same-origin"))
		}
		member := func() apptest.Who {
			t.Helper()
			return s.Join(t, owner, s.Account(t, "house"), row{"role": "viewer"})
		}

		t.Run("a member who is removed, signed in and by a token", func(t *testing.T) {
			m := member()
			x, y := session(m), listen(t, s, m.Token, channel)
			s.Call(t, "DELETE", "/profile/"+owner.Profile+"/team/"+m.Account, owner.Token, nil).Want(t, 200)
			quiet(x)
			quiet(y)
		})
		t.Run("a member who sees a part only", func(t *testing.T) {
			m := member()
			x := session(m)
			s.Call(t, "PUT", "/profile/"+owner.Profile+"/team/"+m.Account, owner.Token, row{"within": row{"devices": row{"ids": []string{}}}}).Want(t, 200)
			quiet(x)
		})
		t.Run("staff who are removed", func(t *testing.T) {
			m := s.Account(t, "house")
			s.Call(t, "POST", "/account/staff", owner.Token, row{"email": m.Email, "role": "viewer"}).Want(t, 200)
			s.Call(t, "GET", "/profile/team/accept/"+s.Secret(t, m.Email, "team/accept"), "", nil).Want(t, 200)
			x := session(m)
			s.Call(t, "DELETE", "/account/staff/"+m.Account, owner.Token, nil).Want(t, 200)
			quiet(x)
		})
		t.Run("a token that is revoked", func(t *testing.T) {
			revoked := mint(t, s, owner, "read")
			x := listen(t, s, revoked, channel)
			s.Call(t, "DELETE", "/profile/"+owner.Profile+"/token/"+revoked, owner.Token, nil).Want(t, 200)
			quiet(x)
		})
		t.Run("a browser that is signed out", func(t *testing.T) {
			m := member()
			v := signIn(t, s, m.Email, apptest.Password, owner.Profile)
			x := follow(open(t, s, url.Values{"channels": {channel}, "profile": {owner.Profile}}, "Cookie", v.cookie.Name+"="+v.cookie.Value, "Sec-Fetch-Site", "same-origin"))
			v.call(t, "DELETE", "/session", "").Want(t, 200)
			quiet(x)
		})
		t.Run("a profile that is paused: programs, not people, and nobody can send", func(t *testing.T) {
			x, y := listen(t, s, mint(t, s, owner, "read"), channel), session(owner)
			s.Call(t, "POST", "/profile/"+owner.Profile+"/pause", owner.Token, row{"reason": "unpaid"}).Want(t, 200)
			x.ended(t, 6*time.Second)
			stays.ended(t, 6*time.Second)
			v := signIn(t, s, owner.Email, apptest.Password, owner.Profile)
			v.call(t, "POST", "/profile/"+owner.Profile+"/resume", "").Want(t, 200)
			stays = listen(all, s, owner.Token, channel)
			send()
			if got := y.values(t); got[0] != sent {
				t.Errorf("heard %v, want %v", got, sent)
			}
		})
		t.Run("everybody of a profile that changes hands", func(t *testing.T) {
			m, to := member(), s.Account(t, "house")
			s.Profile(t, owner, "Second")
			x, y, z := session(m), listen(t, s, m.Token, channel), session(owner)
			undo, err := s.App.HandOver(t.Context(), owner.Profile, to.Account, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Call(t, "POST", "/data", sends, value(-1)).Want(t, 200)
			for _, x := range []*stream{x, y, z, stays} {
				if err := x.ended(t, 6*time.Second); err != io.EOF {
					t.Errorf("a stream ended by %v", err)
				}
				select {
				case f := <-x.frames:
					t.Errorf("heard %s after access was lost", f.Payload)
				default:
				}
			}
			if err := undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			stays = listen(all, s, owner.Token, channel)
			send()
		})
		t.Run("a profile that is deleted", func(t *testing.T) {
			m := member()
			s.Profile(t, owner, "Second")
			x, y := session(m), listen(t, s, m.Token, channel)
			v := signIn(t, s, owner.Email, apptest.Password, "")
			v.call(t, "DELETE", "/profile/"+owner.Profile, fmt.Sprintf(`{"password":%q}`, apptest.Password)).Want(t, 200)
			x.ended(t, 6*time.Second)
			y.ended(t, 6*time.Second)
			stays.ended(t, 6*time.Second)
		})
	})
}

// TestHandOverIsSeenAtOnce warms what the server keeps of a profile, gives it away, and asks the same again.
func TestHandOverIsSeenAtOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, to := s.Account(t, "scale"), s.Account(t, "house")
		s.Profile(t, owner, "Second")
		s.Profile(t, to, "Own") // so that it can be given back
		device, sends := s.Device(t, owner, "D")
		member := s.Join(t, owner, s.Account(t, "house"), nil)
		var hook struct{ Secret string }
		s.Call(t, "PUT", "/profile/"+owner.Profile+"/notify", owner.Token, row{"webhook": row{"url": "https://former.example/hook"}}).Want(t, 200).Into(t, &hook)
		was, has, had := signIn(t, s, owner.Email, apptest.Password, owner.Profile), signIn(t, s, to.Email, apptest.Password, owner.Profile), signIn(t, s, member.Email, apptest.Password, owner.Profile)
		caps := func(v visitor) (used string) {
			t.Helper()
			return string(v.call(t, "GET", "/limits", "").Want(t, 200).Result)
		}
		origin := func(v visitor) string {
			t.Helper()
			var out struct {
				Webhook *struct{ URL string }
			}
			v.call(t, "GET", "/profile/"+owner.Profile+"/notify", "").Want(t, 200).Into(t, &out)
			if out.Webhook == nil {
				return ""
			}
			return out.Webhook.URL
		}
		theirs := func(v visitor) {
			t.Helper()
			for _, path := range []string{"/device", "/device/" + device, "/device/" + device + "/data", "/profile/" + owner.Profile, "/limits",
				"/profile/" + owner.Profile + "/team", "/profile/" + owner.Profile + "/auditlog", "/profile/" + owner.Profile + "/notify"} {
				v.call(t, "GET", path, "").Want(t, 200)
			}
		}
		none := func(v visitor) {
			t.Helper()
			for _, path := range []string{"/device", "/device/" + device, "/device/" + device + "/data", "/profile/" + owner.Profile, "/limits",
				"/profile/" + owner.Profile + "/team", "/profile/" + owner.Profile + "/auditlog", "/profile/" + owner.Profile + "/notify"} {
				v.call(t, "GET", path, "").Want(t, 404)
			}
			v.profile = ""
			var list []struct{ ID string }
			v.call(t, "GET", "/profile", "").Want(t, 200).Into(t, &list)
			for _, p := range list {
				if p.ID == owner.Profile {
					t.Error("the profile is still listed")
				}
			}
		}
		for range 2 {
			theirs(was)
			theirs(had)
			none(has)
			s.Call(t, "GET", "/device", owner.Token, nil).Want(t, 200)
			s.Call(t, "GET", "/device", member.Token, nil).Want(t, 200)
		}
		before := caps(was)
		if origin(was) != "https://former.example/hook" {
			t.Fatalf("the webhook goes to %q", origin(was))
		}

		undo, err := s.App.HandOver(t.Context(), owner.Profile, to.Account, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs(has)
		none(was)
		none(had)
		s.Call(t, "GET", "/device", owner.Token, nil).Want(t, 401)
		s.Call(t, "GET", "/device", member.Token, nil).Want(t, 401)
		s.Call(t, "POST", "/data", sends, value(1)).Want(t, 200)
		if caps(has) == before {
			t.Error("the limits are those of the former owner's plan")
		}
		if got := origin(has); got != "" {
			t.Errorf("events are posted to %s", got)
		}
		has.call(t, "PUT", "/profile/"+owner.Profile+"/notify", `{"webhook":{"url":"https://new.example/hook"}}`).Want(t, 200)

		if err := undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		theirs(was)
		theirs(had)
		none(has)
		s.Call(t, "GET", "/device", owner.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/device", member.Token, nil).Want(t, 200)
		s.Call(t, "POST", "/data", sends, value(2)).Want(t, 200)
		if got := origin(was); got != "https://former.example/hook" {
			t.Errorf("the former owner's events are posted to %q", got)
		}
	})
}

// On another node of the same installation a stream ends, and the next request is refused.
func TestLostAccessElsewhere(t *testing.T) {
	database := sqldbtest.URL(t, sqldb.Postgres)
	same := func(s *app.Settings, _ *app.Options) { s.Database = database }
	here, there := apptest.Start(t, sqldb.Postgres, same), apptest.Start(t, sqldb.Postgres, same)
	owner := here.Account(t, "house")
	device, _ := here.Device(t, owner, "D")
	m := here.Join(t, owner, here.Account(t, "house"), row{"role": "viewer"})
	v := signIn(t, there, m.Email, apptest.Password, owner.Profile)
	v.call(t, "GET", "/device", "").Want(t, 200)
	x, y := listen(t, there, m.Token, "device_data."+device), listen(t, there, owner.Token, "device_data."+device)
	here.Call(t, "DELETE", "/profile/"+owner.Profile+"/team/"+m.Account, owner.Token, nil).Want(t, 200)
	if err := x.ended(t, 6*time.Second); err != io.EOF {
		t.Errorf("the stream ended by %v", err)
	}
	v.call(t, "GET", "/device", "").Want(t, 404)
	there.Call(t, "GET", "/device", m.Token, nil).Want(t, 401)
	select {
	case err := <-y.end:
		t.Errorf("the owner's stream ended: %v", err)
	default:
	}
}
