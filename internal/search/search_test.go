package search_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"paddock/internal/app/apptest"
)

type row = map[string]any

type result struct {
	Devices []struct {
		ID, Name, Profile, Serial, Matched string
		ProfileName                        string `json:"profile_name"`
		Tail                               string `json:"token_tail"`
	}
	People []struct {
		ID, Name, Email, Role, Profile string
		Profiles                       int
		Staff, Pending                 bool
	}
	Profiles []struct {
		ID, Name, Role, Matched string
		FromShare               bool `json:"from_share"`
	}
}

type caller func(method, path string, body any) apptest.Answer

func find(t *testing.T, call caller, q string) (r result) {
	t.Helper()
	call("GET", "/search?q="+url.QueryEscape(q), nil).Want(t, 200).Into(t, &r)
	return r
}

// said is a result as words, sorted.
func (r result) said() string {
	var out []string
	for _, d := range r.Devices {
		out = append(out, "device "+d.Name+" by "+d.Matched)
	}
	for _, p := range r.People {
		out = append(out, strings.TrimSpace("person "+p.Name)+" "+p.Role)
	}
	for _, p := range r.Profiles {
		out = append(out, "profile "+p.Name+" by "+p.Matched)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func device(t *testing.T, s *apptest.Server, w apptest.Who, name, serial, site string) (id, token string) {
	t.Helper()
	body := row{"name": name, "type": "mutable"}
	if serial != "" {
		body["serie_number"] = serial
	}
	if site != "" {
		body["tags"] = []row{{"key": "site", "value": site}}
	}
	var made struct {
		DeviceID string `json:"device_id"`
		Token    string
	}
	s.Call(t, "POST", "/device", w.Token, body).Want(t, 201).Into(t, &made)
	return made.DeviceID, made.Token
}

func TestSearch(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada, bob, eve := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		barn, yard := s.Profile(t, ada, "Barn of Müller"), s.Profile(t, ada, "Yard")
		s.Call(t, "PUT", "/profile/"+yard.Profile, yard.Token, row{"reference": "C-1042"}).Want(t, 200)
		pump, pumpToken := device(t, s, barn, "Pump 7", "SN-00_7/Ä", "north")
		device(t, s, barn, "Old pump", "", "south")
		gate, gateToken := device(t, s, yard, "Gate 100%", "", "")
		theirs, theirToken := device(t, s, eve, "Pump of Eve", "SN-EVE", "")
		bobs := s.Join(t, barn, bob, row{"role": "viewer", "within": row{"devices": row{"tags": []row{{"key": "site", "value": "south"}}}}})
		s.Call(t, "POST", "/profile/"+yard.Profile+"/team", yard.Token, row{"email": "guest@new.test", "role": "admin"}).Want(t, 200)
		s.Call(t, "POST", "/account/staff", ada.Token, row{"email": "cleo@new.test"}).Want(t, 200)
		owner, member, stranger := caller(s.Session(t, ada, "")), caller(s.Session(t, bob, "")), caller(s.Session(t, eve, ""))
		byToken := func(w apptest.Who) caller {
			return func(method, path string, body any) apptest.Answer { return s.Call(t, method, path, w.Token, body) }
		}

		for _, tc := range []struct{ name, q, want string }{
			{"nothing by nothing", " ", ""},
			{"by the beginning of a name before its middle, in any case", "PUMP", "device Old pump by name, device Pump 7 by name"},
			{"letter for letter, not by wildcards", "0%", "device Gate 100% by name"},
			{"nothing by a wildcard alone", "P_mp", ""},
			{"by serial number", "sn-00_7/Ä", "device Pump 7 by serial"},
			{"by a part of it", "00_7", "device Pump 7 by serial"},
			{"by id", pump, "device Pump 7 by id"},
			{"by the beginning of an id", gate[:23], "device Gate 100% by id"},
			{"by a whole token", gateToken, "device Gate 100% by token"},
			{"by the end of a token", gateToken[len(gateToken)-9:], "device Gate 100% by token"},
			{"by its last four characters", pumpToken[len(pumpToken)-4:], "device Pump 7 by token"},
			{"a profile by its token", yard.Token, "profile Yard by token"},
			{"a profile by its name", "müll", "profile Barn of Müller by name"},
			{"a profile by its id", yard.Profile, "profile Yard by id"},
			{"a profile by the customer's reference", "c-10", "profile Yard by reference"},
			{"a member by address", bob.Email, "person " + nameOf(t, s, bob) + " viewer"},
			{"who is invited", "guest@", "person admin"},
			{"whom staff were asked to be", "cleo", "person developer"},
			{"nothing of somebody else by name", "of eve", ""},
			{"nor by serial", "SN-EVE", ""},
			{"nor by id", theirs, ""},
			{"nor by token", theirToken, ""},
			{"nor by its end", theirToken[len(theirToken)-8:], ""},
			{"nor a profile", eve.Profile, ""},
			{"nor a person", eve.Email, ""},
		} {
			t.Run(tc.name, func(t *testing.T) {
				r := find(t, owner, tc.q)
				if len(tc.q) == 4 { // another token may end so
					if !strings.Contains(r.said(), tc.want) {
						t.Errorf("%q finds %s", tc.q, r.said())
					}
				} else if got := r.said(); got != tc.want {
					t.Errorf("%q finds %s", tc.q, got)
				}
			})
		}
		if r := find(t, owner, "pump"); r.Devices[0].Name != "Pump 7" || r.Devices[0].Profile != barn.Profile || r.Devices[0].ProfileName != "Barn of Müller" {
			t.Errorf("%+v", r.Devices)
		}
		if r := find(t, owner, bob.Email); r.People[0].Profile != barn.Profile || r.People[0].Profiles != 1 || r.People[0].Staff {
			t.Errorf("%+v", r.People)
		}

		t.Run("a member finds the part that was granted, and no people", func(t *testing.T) {
			for q, want := range map[string]string{
				"pump": "device Old pump by name", pump: "", "sn-00": "", pumpToken: "", pumpToken[len(pumpToken)-8:]: "", "gate": "", "Yard": "", "guest@": "", "müller": "profile Barn of Müller by name",
			} {
				if got := find(t, member, q).said(); got != want {
					t.Errorf("%q finds %s", q, got)
				}
				if got := find(t, byToken(bobs), q).said(); got != want {
					t.Errorf("%q by a token finds %s", q, got)
				}
			}
		})
		t.Run("a viewer cannot guess a token letter by letter", func(t *testing.T) {
			s.Call(t, "PUT", "/profile/"+barn.Profile+"/team/"+bob.Account, barn.Token, row{"within": nil}).Want(t, 200)
			for n, want := range map[int]string{4: "device Pump 7 by token", 5: "", 12: "", len(pumpToken): "device Pump 7 by token"} {
				if got := find(t, member, pumpToken[len(pumpToken)-n:]).said(); n == 4 && !strings.Contains(got, want) || n > 4 && got != want {
					t.Errorf("%d characters find %s", n, got)
				}
			}
		})
		t.Run("a token finds what is in its profile", func(t *testing.T) {
			for q, want := range map[string]string{"gate": "device Gate 100% by name", "pump": "", "Barn": "", bob.Email: "", "guest@": "person admin", "cleo": "", "yard": "profile Yard by name"} {
				if got := find(t, byToken(yard), q).said(); got != want {
					t.Errorf("%q finds %s", q, got)
				}
			}
		})
		t.Run("a stranger finds the own things", func(t *testing.T) {
			for q, want := range map[string]string{"pump": "device Pump of Eve by name", pump: "", "Yard": "", "c-1042": "", bob.Email: "", pumpToken: "", yard.Token: ""} {
				if got := find(t, stranger, q).said(); got != want {
					t.Errorf("%q finds %s", q, got)
				}
			}
		})
		t.Run("who was removed finds nothing from the next search on", func(t *testing.T) {
			s.Call(t, "DELETE", "/profile/"+barn.Profile+"/team/"+bob.Account, barn.Token, nil).Want(t, 200)
			if got := find(t, member, "pump").said(); got != "" {
				t.Error(got)
			}
		})
		t.Run("answers are bounded, and so are questions", func(t *testing.T) {
			for i := range 12 {
				device(t, s, yard, fmt.Sprintf("Trough %02d", i), "", "")
			}
			if r := find(t, owner, "trough"); len(r.Devices) != 10 || r.Devices[0].Name != "Trough 00" {
				t.Errorf("%+v", r.Devices)
			}
			for path, reason := range map[string]string{
				"?q=x&amount=0": "amount: must be 1 to 50", "?q=x&amount=51": "amount: must be 1 to 50", "?q=" + strings.Repeat("x", 101): "q:", "?q=a%0Ab": "q:",
			} {
				if a := owner("GET", "/search"+path, nil).Want(t, 400); !strings.HasPrefix(a.Message, reason) {
					t.Error(path, a.Message)
				}
			}
		})
		t.Run("a deleted profile is not found", func(t *testing.T) {
			s.Call(t, "DELETE", "/profile/"+yard.Profile, ada.Token, row{"password": apptest.Password}).Want(t, 200)
			for _, q := range []string{"yard", "gate", gateToken, "guest@"} {
				if got := find(t, owner, q).said(); got != "" {
					t.Errorf("%q finds %s", q, got)
				}
			}
		})
	})
}

func nameOf(t *testing.T, s *apptest.Server, w apptest.Who) string {
	t.Helper()
	var a struct{ Name string }
	s.Call(t, "GET", "/account", w.Token, nil).Want(t, 200).Into(t, &a)
	return a.Name
}
