package profile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
)

type row = map[string]any

type info struct {
	Info struct {
		Name        string
		LogoURL     *string `json:"logo_url"`
		BannerURL   *string `json:"banner_url"`
		Paused      bool
		PauseReason *string `json:"pause_reason"`
	}
	Plan string `json:"account_plan"`
}

func read(t *testing.T, s *apptest.Server, w apptest.Who) (i info) {
	t.Helper()
	s.Call(t, "GET", "/profile/"+w.Profile, w.Token, nil).Want(t, 200).Into(t, &i)
	return i
}

// profileToken makes a token of reach "profile", as the Tokens tab does by default.
func profileToken(t *testing.T, s *apptest.Server, w apptest.Who, permission string) string {
	t.Helper()
	var made struct{ Token string }
	s.Call(t, "POST", "/profile/"+w.Profile+"/token", w.Token, row{"name": "x", "permission": permission, "email": w.Email, "password": apptest.Password}).
		Want(t, 200, 201).Into(t, &made)
	return made.Token
}

func TestCreate(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		for _, tc := range []struct {
			name, query string
			body        any
			status      int
			message     string
		}{
			{"without a name", "", row{}, 400, "name: must not be empty"},
			{"with a blank name", "", row{"name": " \t "}, 400, "name: must not be empty"},
			{"with a number for a name", "", row{"name": 7}, 400, "name: must be a string"},
			{"with 101 characters", "", row{"name": strings.Repeat("é", 101)}, 400, "name: must have at most 100 characters"},
			{"with a line break", "", row{"name": "a\nb"}, 400, "name: must not contain control characters"},
			{"with a list for a body", "", []string{"x"}, 400, "body: must be an object"},
			{"like nobody", "", row{"name": "x", "template": row{"like": "nobody"}}, 400, "template.like: must be the id of a profile"},
			{"like somebody else's", "", row{"name": "x", "template": row{"like": "0123456789abcdef01234567"}}, 400, "template.like: Profile Not Found"},
			{"with a strange flag", "?allocate_free_resources=maybe", row{"name": "x"}, 400, "allocate_free_resources: must be true or false"},
			{"with both templates", "?allocate_free_resources=true", row{"name": "x", "template": row{"like": a.Profile}}, 400, "template: cannot be given together"},
		} {
			t.Run("a profile "+tc.name+" is refused", func(t *testing.T) {
				x := s.Call(t, "POST", "/profile/"+tc.query, a.Token, tc.body).Want(t, tc.status)
				if !strings.HasPrefix(x.Message, tc.message) {
					t.Fatal(x.Message)
				}
			})
		}
		var rows []row
		s.Call(t, "GET", "/profile", a.Token, nil).Into(t, &rows)
		if len(rows) != 1 {
			t.Fatalf("a refusal made a profile: %v", rows)
		}
		t.Run("a name is trimmed", func(t *testing.T) {
			if got := read(t, s, s.Profile(t, a, "  Barn 3  ")); got.Info.Name != "Barn 3" {
				t.Fatal(got.Info.Name)
			}
		})
	})
}

func TestCapHoldsWhoeverRaces(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		var made atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				x := s.Call(t, "POST", "/profile", a.Token, row{"name": fmt.Sprint(i)})
				if x.Status == 200 {
					made.Add(1)
				} else if x.Status != 402 || !strings.HasPrefix(x.Message, "You have exceeded the maximum limit of profiles (5)") {
					t.Errorf("%d %s", x.Status, x.Body)
				}
			})
		}
		wg.Wait()
		var rows []row
		s.Call(t, "GET", "/profile", a.Token, nil).Into(t, &rows)
		if made.Load() != 4 || len(rows) != 5 {
			t.Fatalf("%d made, %d there", made.Load(), len(rows))
		}

		t.Run("of profiles deleted at once, one stays", func(t *testing.T) {
			var wg sync.WaitGroup
			for _, r := range rows {
				wg.Go(func() {
					x := s.Call(t, "DELETE", "/profile/"+r["id"].(string), a.Token, row{"password": apptest.Password})
					// The profile of the calling token may be among the first to go, and the token with it.
					if x.Status != 200 && x.Status != 409 && x.Status != 401 && x.Status != 404 {
						t.Errorf("%d %s", x.Status, x.Body)
					}
				})
			}
			wg.Wait()
			var login struct{ Profiles []row }
			s.Call(t, "POST", "/account/login", "", row{"email": a.Email, "password": apptest.Password}).Want(t, 200).Into(t, &login)
			if len(login.Profiles) < 1 {
				t.Fatal("no profile is left")
			}
		})
	})
}

func TestEdit(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, other := s.Account(t, "house"), s.Account(t, "house")
		for _, tc := range []struct {
			name    string
			body    any
			message string
		}{
			{"an empty name", row{"name": ""}, "name: must not be empty"},
			{"a control character", row{"name": "a\u0007b"}, "name: must not contain control characters"},
			{"an address that runs code", row{"logo_url": "javascript:alert(1)"}, "logo_url: must be null, an http or https address"},
			{"a data address", row{"banner_url": "data:image/png;base64,AA=="}, "banner_url: must be null, an http or https address"},
			{"an address with a password in it", row{"logo_url": "https://a:b@example.test/"}, "logo_url: must be null"},
			{"a path that is no upload", row{"logo_url": "/profile/x/logo/y"}, "logo_url: must be null"},
			{"a number as address", row{"logo_url": 5}, "logo_url: must be a string"},
			{"an address without end", row{"logo_url": "https://example.test/" + strings.Repeat("x", 2000)}, "logo_url: must have at most 2000 characters"},
			{"a nested bad name", row{"info": row{"name": " "}}, "name: must not be empty"},
		} {
			t.Run(tc.name+" is refused and changes nothing", func(t *testing.T) {
				before := read(t, s, a)
				if x := s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, tc.body).Want(t, 400); !strings.HasPrefix(x.Message, tc.message) {
					t.Fatal(x.Message)
				}
				if after := read(t, s, a); after.Info.Name != before.Info.Name || after.Info.LogoURL != nil {
					t.Fatal(after)
				}
			})
		}
		t.Run("members come flat or below info", func(t *testing.T) {
			s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, row{"info": row{"name": "Nested", "logo_url": "http://example.test/l.png"}}).Want(t, 200)
			s.Call(t, "PUT", "/profile/current", a.Token, row{"banner_url": "https://example.test/b.png"}).Want(t, 200)
			if got := read(t, s, a); got.Info.Name != "Nested" || *got.Info.LogoURL != "http://example.test/l.png" || *got.Info.BannerURL != "https://example.test/b.png" {
				t.Fatal(got)
			}
		})
		t.Run("null removes a picture and absence keeps it", func(t *testing.T) {
			s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, `{"logo_url":null}`).Want(t, 200)
			if got := read(t, s, a); got.Info.LogoURL != nil || got.Info.BannerURL == nil {
				t.Fatal(got)
			}
		})
		for _, id := range []string{other.Profile, "0123456789abcdef01234567", "nonsense", "CURRENT", "..%2f" + a.Profile} {
			t.Run("not there and not yours are the same: "+id, func(t *testing.T) {
				for _, call := range []struct{ method, path string }{
					{"GET", ""}, {"GET", "/summary"}, {"PUT", ""}, {"DELETE", ""}, {"POST", "/services"}, {"POST", "/pause"}, {"POST", "/resume"},
					{"PUT", "/logo"}, {"DELETE", "/banner"},
				} {
					var body any = row{"name": "x", "password": apptest.Password, "reason": "because"}
					if call.path == "/services" {
						body = row{"input": 1}
					}
					if call.method == "GET" {
						body = nil
					}
					x := s.Call(t, call.method, "/profile/"+id+call.path, a.Token, body)
					if x.Status != 404 || x.Message != "Profile Not Found" {
						t.Errorf("%s %s: %d %s", call.method, call.path, x.Status, x.Body)
					}
				}
			})
		}
		t.Run("a token of reach profile sees its own and nothing more of the account", func(t *testing.T) {
			b := s.Profile(t, a, "B")
			token := profileToken(t, s, a, "full")
			var rows []row
			s.Call(t, "GET", "/profile", token, nil).Want(t, 200).Into(t, &rows)
			if len(rows) != 1 || rows[0]["id"] != a.Profile {
				t.Fatal(rows)
			}
			s.Call(t, "GET", "/profile/"+a.Profile, token, nil).Want(t, 200)
			s.Call(t, "GET", "/profile/"+b.Profile, token, nil).Want(t, 404)
			s.Call(t, "GET", "/profile/"+b.Profile+"/summary", token, nil).Want(t, 404)
			s.Call(t, "DELETE", "/profile/"+b.Profile, token, row{"password": apptest.Password}).Want(t, 404)
			s.Call(t, "POST", "/profile", token, row{"name": "x"}).Want(t, 401)
			s.Call(t, "GET", "/account/allocation", token, nil).Want(t, 401)
			s.Call(t, "POST", "/account/allocation", token, []row{}).Want(t, 401)
			s.Call(t, "POST", "/profile/"+a.Profile+"/services", token, row{"input": 1}).Want(t, 401)
		})
		t.Run("a token that reads changes nothing, one that writes deletes nothing", func(t *testing.T) {
			reading, writing := profileToken(t, s, a, "read"), profileToken(t, s, a, "write")
			s.Call(t, "PUT", "/profile/"+a.Profile, reading, row{"name": "x"}).Want(t, 401)
			s.Call(t, "GET", "/profile/"+a.Profile, writing, nil).Want(t, 401)
			s.Call(t, "PUT", "/profile/"+a.Profile, writing, row{"name": "Written"}).Want(t, 200)
			s.Call(t, "DELETE", "/profile/"+a.Profile, writing, row{"password": apptest.Password}).Want(t, 401)
		})
		t.Run("a device knows no profile route", func(t *testing.T) {
			_, device := s.Device(t, a, "D")
			s.Call(t, "GET", "/profile/"+a.Profile, device, nil).Want(t, 401)
			s.Call(t, "GET", "/profile", device, nil).Want(t, 401)
			s.Call(t, "GET", "/pricing", device, nil).Want(t, 401)
		})
	})
}

func TestDelete(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		for name, body := range map[string]any{"no body": nil, "no password": row{}, "a number": row{"password": 5}} {
			t.Run(name+" is refused", func(t *testing.T) {
				if x := s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, "password: ") {
					t.Fatal(x.Message)
				}
			})
		}
		t.Run("a wrong password is told so and deletes nothing", func(t *testing.T) {
			if x := s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": "wrong"}).Want(t, 401); x.Message != "Invalid password" {
				t.Fatal(x.Message)
			}
			read(t, s, b)
		})
		t.Run("a profile is gone at once, its pictures too", func(t *testing.T) {
			var up struct{ URL string }
			upload(t, s, b, "logo", "image/png", pngOf(t, 10, 10)).Want(t, 200).Into(t, &up)
			s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
			s.Call(t, "GET", "/profile/"+b.Profile, a.Token, nil).Want(t, 404)
			s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 404)
			get(t, s, up.URL).Want(t, 404)
		})
	})
}

func TestPause(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator := s.Account(t, "house") // the first account of a server
		a := s.Account(t, "house")
		_, device := s.Device(t, a, "D")
		t.Run("a pause needs a reason of one line", func(t *testing.T) {
			for _, reason := range []any{"", " ", "a\nb", strings.Repeat("x", 201), 5} {
				s.Call(t, "POST", "/profile/"+a.Profile+"/pause", a.Token, row{"reason": reason}).Want(t, 400)
			}
		})
		t.Run("a paused profile refuses with the reason, and loses nothing", func(t *testing.T) {
			s.Send(t, device, 2).Want(t, 200)
			s.Call(t, "POST", "/profile/"+a.Profile+"/pause", a.Token, row{"reason": "Moving house"}).Want(t, 200)
			if x := s.Send(t, device, 1); x.Status < 400 || x.Status > 499 || !strings.Contains(x.Message, "Moving house") {
				t.Fatalf("%d %s", x.Status, x.Body)
			}
			got := read(t, s, a)
			if !got.Info.Paused || *got.Info.PauseReason != "Moving house" {
				t.Fatal(got)
			}
			s.Call(t, "POST", "/profile/"+a.Profile+"/resume", a.Token, nil).Want(t, 200)
			s.Send(t, device, 1).Want(t, 200)
			if n := s.Summary(t, a).Used["data_records"]; n != 3 {
				t.Fatal(n)
			}
		})
		t.Run("another account cannot pause", func(t *testing.T) {
			other := s.Account(t, "house")
			s.Call(t, "POST", "/profile/"+a.Profile+"/pause", other.Token, row{"reason": "no"}).Want(t, 404)
		})
		t.Run("what an operator pauses only an operator resumes", func(t *testing.T) {
			session := signIn(t, s, operator)
			session("POST", "/profile/"+a.Profile+"/pause", row{"reason": "Bill"}).Want(t, 200)
			s.Call(t, "POST", "/profile/"+a.Profile+"/resume", a.Token, nil).Want(t, 409)
			s.Call(t, "POST", "/profile/"+a.Profile+"/pause", a.Token, row{"reason": "mine"}).Want(t, 409)
			s.Send(t, device, 1).Want(t, 403)
			session("POST", "/profile/"+a.Profile+"/resume", nil).Want(t, 200)
			s.Send(t, device, 1).Want(t, 200)
			// And an operator reaches nothing else of it.
			session("PUT", "/profile/"+a.Profile, row{"name": "taken"}).Want(t, 404)
			session("GET", "/profile/"+a.Profile, nil).Want(t, 404)
		})
	})
}

// signIn signs a browser in and returns how it calls.
func signIn(t *testing.T, s *apptest.Server, w apptest.Who) func(method, path string, body any) apptest.Answer {
	t.Helper()
	call := func(cookie, method, path string, body any) apptest.Answer {
		t.Helper()
		text, _ := json.Marshal(body)
		q, _ := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(text))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", s.URL)
		if cookie != "" {
			q.Header.Set("Cookie", cookie)
		}
		return s.Do(t, q)
	}
	x := call("", "POST", "/session", row{"email": w.Email, "password": apptest.Password}).Want(t, 200, 201)
	cookie, _, _ := strings.Cut(x.Header.Get("Set-Cookie"), ";")
	return func(method, path string, body any) apptest.Answer {
		t.Helper()
		return call(cookie, method, path, body)
	}
}

func TestSetUpMakesTheFirstAccount(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		link, err := s.App.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		token := u.Query().Get("token")
		if token == "" {
			token = link[strings.LastIndexAny(link, "=/#")+1:]
		}
		person := func(token string) row {
			return row{"token": token, "name": "Ada", "email": "ada@example.test", "password": apptest.Password, "timezone": "Asia/Kathmandu"}
		}
		s.Call(t, "POST", "/setup", "", person("wrong")).Want(t, 400)
		s.Call(t, "POST", "/setup", "", row{"token": token}).Want(t, 400)
		s.Call(t, "POST", "/account", "", person("")).Want(t, 403) // nobody else can claim an empty server
		var made struct{ Account, Profile string }
		x := s.Call(t, "POST", "/setup", "", person(token)).Want(t, 200).Into(t, &made)
		if made.Account == "" || made.Profile == "" || !strings.Contains(x.Header.Get("Set-Cookie"), "HttpOnly") {
			t.Fatal(string(x.Body), x.Header)
		}
		s.Call(t, "POST", "/setup", "", person(token)).Want(t, 409)
		var login struct{ Profiles []row }
		s.Call(t, "POST", "/account/login", "", row{"email": "ada@example.test", "password": apptest.Password}).Want(t, 200).Into(t, &login)
		if len(login.Profiles) != 1 || login.Profiles[0]["id"] != made.Profile || login.Profiles[0]["name"] != "Ada" || login.Profiles[0]["from_share"] != false {
			t.Fatal(login)
		}
	})
}

func TestSignUpMakesAccountAndProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		person := row{"name": "Bob", "email": "Bob@Example.test", "password": apptest.Password, "cpassword": apptest.Password, "timezone": "UTC", "country": "BR"}
		s.Call(t, "POST", "/account", "", row{"name": "Bob", "email": "bob@example.test", "password": apptest.Password, "cpassword": "another one"}).Want(t, 400)
		s.Call(t, "POST", "/account", "", person).Want(t, 200)
		s.Call(t, "POST", "/account", "", person).Want(t, 409)
		var login struct{ Profiles []row }
		s.Call(t, "POST", "/account/login", "", row{"email": "bob@example.test", "password": apptest.Password}).Want(t, 200).Into(t, &login)
		if len(login.Profiles) != 1 || login.Profiles[0]["name"] != "Bob" {
			t.Fatal(login)
		}
		if x := s.Call(t, "POST", "/account/login", "", row{"email": "bob@example.test", "password": "wrong"}).Want(t, 401); x.Message != "Invalid credentials" {
			t.Fatal(x.Message)
		}
	})
	for _, mode := range []string{"invite", "closed"} {
		t.Run("in the mode "+mode+" a stranger makes nothing", func(t *testing.T) {
			s := apptest.Start(t, "sqlite", func(a *app.Settings, _ *app.Options) { a.Signup = mode })
			s.Account(t, "house")
			s.Call(t, "POST", "/account", "", row{"name": "Eve", "email": "eve@example.test", "password": apptest.Password}).Want(t, 403)
			s.Call(t, "POST", "/account/login", "", row{"email": "eve@example.test", "password": apptest.Password}).Want(t, 401)
		})
	}
}

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	img.Set(0, 0, color.NRGBA{255, 0, 0, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func upload(t *testing.T, s *apptest.Server, w apptest.Who, kind, mime string, body []byte) apptest.Answer {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/profile/"+w.Profile+"/"+kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("token", w.Token)
	q.Header.Set("Content-Type", mime)
	return s.Do(t, q)
}

func get(t *testing.T, s *apptest.Server, address string) apptest.Answer {
	t.Helper()
	if !strings.HasPrefix(address, s.URL+"/profile/") {
		t.Fatalf("%s is not below %s", address, s.URL)
	}
	return s.Call(t, "GET", strings.TrimPrefix(address, s.URL), "", nil)
}

func TestPictures(t *testing.T) {
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 3000, 100)), nil); err != nil {
		t.Fatal(err)
	}
	webp, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		t.Fatal(err)
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, other := s.Account(t, "house"), s.Account(t, "house")
		for _, tc := range []struct {
			name, kind, mime string
			body             []byte
			w, h             int
		}{
			{"a PNG", "logo", "image/png", pngOf(t, 20, 10), 20, 10},
			{"a large PNG", "logo", "image/png", pngOf(t, 2000, 1000), 512, 256},
			{"a JPEG", "banner", "image/jpeg", jpg.Bytes(), 2048, 68},
			{"a WebP", "banner", "image/webp", webp, 1, 1},
		} {
			t.Run(tc.name+" is stored as PNG within bounds and public", func(t *testing.T) {
				var up struct{ URL string }
				upload(t, s, a, tc.kind, tc.mime, tc.body).Want(t, 200).Into(t, &up)
				x := get(t, s, up.URL).Want(t, 200)
				if x.Header.Get("Content-Type") != "image/png" || !strings.Contains(x.Header.Get("Cache-Control"), "immutable") {
					t.Error(x.Header)
				}
				img, err := png.Decode(bytes.NewReader(x.Body))
				if err != nil {
					t.Fatal(err)
				}
				if size := img.Bounds().Size(); size.X != tc.w || size.Y != tc.h {
					t.Error(size)
				}
				got := read(t, s, a)
				if tc.kind == "logo" && *got.Info.LogoURL != up.URL || tc.kind == "banner" && *got.Info.BannerURL != up.URL {
					t.Error(got)
				}
				t.Run("sending its address back keeps it", func(t *testing.T) {
					s.Call(t, "PUT", "/profile/"+a.Profile, a.Token, row{tc.kind + "_url": up.URL}).Want(t, 200)
					get(t, s, up.URL).Want(t, 200)
				})
				t.Run("another profile cannot show it as its own", func(t *testing.T) {
					s.Call(t, "GET", strings.Replace(strings.TrimPrefix(up.URL, s.URL), a.Profile, other.Profile, 1), "", nil).Want(t, 404)
				})
			})
		}
		t.Run("a new upload ends the old address, removal ends it too", func(t *testing.T) {
			var one, two struct{ URL string }
			upload(t, s, a, "logo", "image/png", pngOf(t, 5, 5)).Want(t, 200).Into(t, &one)
			upload(t, s, a, "logo", "image/png", pngOf(t, 5, 5)).Want(t, 200).Into(t, &two)
			get(t, s, one.URL).Want(t, 404)
			get(t, s, two.URL).Want(t, 200)
			s.Call(t, "DELETE", "/profile/"+a.Profile+"/logo", a.Token, nil).Want(t, 200)
			get(t, s, two.URL).Want(t, 404)
			if got := read(t, s, a); got.Info.LogoURL != nil {
				t.Fatal(got)
			}
		})
		bomb := pngOf(t, 1, 1)
		copy(bomb[16:24], []byte{0, 0, 0x40, 0, 0, 0, 0x40, 0}) // says 16384 × 16384; the checksum of the header is wrong as well
		for _, tc := range []struct {
			name   string
			body   []byte
			status int
		}{
			{"nothing", nil, 415},
			{"text", []byte("<svg onload=alert(1)>"), 415},
			{"a GIF", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), 415},
			{"half a PNG", pngOf(t, 300, 300)[:80], 400},
			{"a picture that says it is enormous", bomb, 415},
			{"a picture with a side too long", pngOf(t, 9000, 1), 400},
			{"more than 2 MB", bytes.Repeat([]byte{0}, 2<<20+1), 413},
		} {
			t.Run(tc.name+" is refused and changes nothing", func(t *testing.T) {
				if x := upload(t, s, a, "logo", "application/octet-stream", tc.body); x.Status != tc.status || x.Message == "" {
					t.Fatalf("%d %s", x.Status, x.Body)
				}
				if got := read(t, s, a); got.Info.LogoURL != nil {
					t.Fatal(got)
				}
			})
		}
		t.Run("another account's profile is not found", func(t *testing.T) {
			upload(t, s, apptest.Who{Profile: other.Profile, Token: a.Token}, "logo", "image/png", pngOf(t, 5, 5)).Want(t, 404)
		})
	})
}

func TestPricing(t *testing.T) {
	s := apptest.Start(t, "sqlite")
	a := s.Account(t, "house")
	var prices map[string][]row
	s.Call(t, "GET", "/pricing", a.Token, nil).Want(t, 200).Into(t, &prices)
	if len(prices["plans"]) != 3 || prices["plans"][1]["name"] != "starter" || prices["plans"][1]["price"] != 4900.0 {
		t.Error(prices["plans"])
	}
	if prices["addons"][0]["name"] != "custom_dns" || prices["addons"][0]["price"] != 9900.0 {
		t.Error(prices["addons"])
	}
	if prices["file_storage"][1]["amount"] != 10000.0 || prices["input"][1]["price"] != 2000.0 {
		t.Error(prices["file_storage"], prices["input"])
	}
}
