package profile_test

import (
	"strings"
	"testing"

	"paddock/internal/app/apptest"
)

type look struct {
	ID        string
	Color     *string
	Reference *string
	Pinned    bool
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

// listed is the profile's row in what the caller lists.
func listed(t *testing.T, a apptest.Answer, profile string) (l look) {
	t.Helper()
	var rows []look
	a.Want(t, 200).Into(t, &rows)
	for _, r := range rows {
		if r.ID == profile {
			return r
		}
	}
	t.Fatalf("%s is not in %s", profile, a.Body)
	return l
}

func TestColorAndReference(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for _, tc := range []struct {
			name    string
			body    any
			status  int
			message string
			color   string
			ref     string
		}{
			{"are none at first", row{}, 200, "", "none", "none"},
			{"are set together, the colour in small letters", row{"color": "#2F6f4F", "reference": "  C-1042 "}, 200, "", "#2f6f4f", "C-1042"},
			{"come below info too", row{"info": row{"reference": "C-7"}}, 200, "", "#2f6f4f", "C-7"},
			{"refuse a name of a colour", row{"color": "green"}, 400, `color: must be "#rrggbb"`, "#2f6f4f", "C-7"},
			{"refuse a short colour", row{"color": "#fff"}, 400, `color: must be "#rrggbb"`, "#2f6f4f", "C-7"},
			{"refuse 101 characters", row{"reference": strings.Repeat("é", 101)}, 400, "reference: must have at most 100 characters", "#2f6f4f", "C-7"},
			{"refuse a line break", row{"reference": "a\nb"}, 400, "reference: must not contain control characters", "#2f6f4f", "C-7"},
			{"refuse a number", row{"reference": 7}, 400, "reference: must be a string", "#2f6f4f", "C-7"},
			{"go with null and with nothing", row{"color": nil, "reference": " "}, 200, "", "none", "none"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				x := s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, tc.body).Want(t, tc.status)
				if !strings.HasPrefix(x.Message, tc.message) {
					t.Error(x.Message)
				}
				var p struct{ Info look }
				s.Call(t, "GET", "/profile/"+a.Profile, a.Token, nil).Want(t, 200).Into(t, &p)
				for _, l := range []look{p.Info, listed(t, s.Call(t, "GET", "/profile", a.Token, nil), a.Profile)} {
					if text(l.Color) != tc.color || text(l.Reference) != tc.ref {
						t.Errorf("color %s, reference %s", text(l.Color), text(l.Reference))
					}
				}
			})
		}
		t.Run("stand in the audit log", func(t *testing.T) {
			s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, row{"color": "#112233", "reference": "C-9"}).Want(t, 200)
			body := string(s.Call(t, "GET", "/profile/"+a.Profile+"/auditlog", a.Token, nil).Want(t, 200).Body)
			if !strings.Contains(body, "#112233") || !strings.Contains(body, "C-9") {
				t.Error(body)
			}
		})
		t.Run("stay with a profile that changes hands", func(t *testing.T) {
			b := s.Account(t, "house")
			gift := s.Profile(t, a, "Gift")
			s.Call(t, "PUT", "/profile/"+gift.Profile, gift.Token, row{"color": "#445566", "reference": "C-1"}).Want(t, 200)
			var made struct{ ID string }
			s.Call(t, "POST", "/profile/"+gift.Profile+"/transfer", a.Token, row{"email": b.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &made)
			s.Call(t, "POST", "/transfer/"+made.ID+"/accept", b.Token, row{"password": apptest.Password}).Want(t, 200)
			if l := listed(t, s.Call(t, "GET", "/profile", b.Token, nil), gift.Profile); text(l.Color) != "#445566" || text(l.Reference) != "C-1" {
				t.Error(text(l.Color), text(l.Reference))
			}
		})
	})
}

func TestPins(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		second := s.Profile(t, a, "Second")
		s.Join(t, second, b, row{"role": "viewer"})
		owner, member := s.Session(t, a, a.Profile), s.Session(t, b, b.Profile)
		path := "/profile/" + second.Profile + "/pin"

		for range 2 { // once more changes nothing
			owner("PUT", path, row{"pinned": true}).Want(t, 200)
		}
		if !listed(t, owner("GET", "/profile", nil), second.Profile).Pinned || listed(t, owner("GET", "/profile", nil), a.Profile).Pinned {
			t.Error("the pinned profile, and no other, is at the top")
		}
		if listed(t, member("GET", "/profile", nil), second.Profile).Pinned {
			t.Error("a pin is seen by somebody else")
		}
		member("PUT", path, row{"pinned": true}).Want(t, 200)
		owner("PUT", path, row{"pinned": false}).Want(t, 200)
		if listed(t, owner("GET", "/profile", nil), second.Profile).Pinned || !listed(t, member("GET", "/profile", nil), second.Profile).Pinned {
			t.Error("who unpins concerns nobody else")
		}
		member("PUT", "/profile/"+a.Profile+"/pin", row{"pinned": true}).Want(t, 404)
		owner("PUT", path, row{}).Want(t, 400)
		s.Call(t, "PUT", path, a.Token, row{"pinned": true}).Want(t, 401)
		if log := string(owner("GET", "/profile/"+second.Profile+"/auditlog", nil).Want(t, 200).Body); strings.Contains(log, "pinned") {
			t.Error("the profile's log tells of a person's pins")
		}
		if log := string(owner("GET", "/account/auditlog", nil).Want(t, 200).Body); !strings.Contains(log, "Profile pinned") {
			t.Error("the account's log does not tell of the pin:", log)
		}
	})
}
