package usage_test

import (
	"reflect"
	"testing"

	"paddock/internal/app/apptest"
)

type previewed struct {
	Service string
	Gets    float64
	Pool    *float64
	Free    *float64
	Left    *float64
	From    []struct {
		Profile string
		Amount  float64
	}
}

func TestPreviewIsWhatIsMade(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		s.Call(t, "POST", "/profile/"+b.Profile+"/services", a.Token, row{"input": 10_000}).Want(t, 200)
		for _, tc := range []struct {
			name, query string
			body        row
		}{
			{"an equal share", "", row{"name": "C"}},
			{"like another profile", "?like=" + b.Profile, row{"name": "D", "template": row{"like": b.Profile}}},
			{"all that is free", "?allocate_free_resources=true", row{"name": "E"}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				before, _ := allocations(t, s, a)
				var said []previewed
				s.Call(t, "GET", "/profile/preview"+tc.query, a.Token, nil).Want(t, 200).Into(t, &said)
				if same, _ := allocations(t, s, a); !reflect.DeepEqual(same, before) {
					t.Fatal("asking changed an allocation")
				}
				path := "/profile"
				if tc.body["template"] == nil {
					path += tc.query
				}
				var made struct{ ID string }
				s.Call(t, "POST", path, a.Token, tc.body).Want(t, 200).Into(t, &made)
				after, _ := allocations(t, s, a)
				if len(said) != 9 {
					t.Fatal(said)
				}
				for _, x := range said {
					if after[made.ID][x.Service] != x.Gets {
						t.Errorf("%s: said %v, made %v", x.Service, x.Gets, after[made.ID][x.Service])
					}
					gave := map[string]float64{}
					for _, g := range x.From {
						gave[g.Profile] = g.Amount
					}
					for p, r := range before {
						if n := r[x.Service].(float64) - after[p][x.Service].(float64); n != gave[p] {
							t.Errorf("%s: said that %s gives %v, it gave %v", x.Service, p, gave[p], n)
						}
					}
				}
			})
		}
		t.Run("what cannot be made is refused with the same words", func(t *testing.T) {
			free := s.Account(t, "free")
			made := s.Call(t, "POST", "/profile", free.Token, row{"name": "more"}).Want(t, 402)
			if said := s.Call(t, "GET", "/profile/preview", free.Token, nil).Want(t, 402); said.Message != made.Message {
				t.Errorf("%q, making it says %q", said.Message, made.Message)
			}
		})
		t.Run("bad input names the field", func(t *testing.T) {
			a := s.Account(t, "scale")
			for query, message := range map[string]string{
				"like=x":                        "like: must be the id of a profile",
				"like=0123456789abcdef01234567": "template.like: Profile Not Found",
				"like=" + b.Profile + "&allocate_free_resources=true": "like: cannot be given together with allocate_free_resources",
			} {
				if x := s.Call(t, "GET", "/profile/preview?"+query, a.Token, nil).Want(t, 400); x.Message != message {
					t.Errorf("%s: %s", query, x.Message)
				}
			}
		})
	})
}
