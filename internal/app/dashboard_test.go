package app_test

import (
	"strings"
	"sync"
	"testing"

	"paddock/internal/app/apptest"
)

// newDashboard makes a dashboard and returns its path.
func newDashboard(t *testing.T, s *apptest.Server, who apptest.Who, in row) string {
	t.Helper()
	var made struct{ Dashboard string }
	s.Call(t, "POST", "/dashboard", who.Token, in).Want(t, 201).Into(t, &made)
	return "/dashboard/" + made.Dashboard
}

func newWidget(t *testing.T, s *apptest.Server, who apptest.Who, dashboard string, in row) string {
	t.Helper()
	var made struct{ Widget string }
	s.Call(t, "POST", dashboard+"/widget/", who.Token, in).Want(t, 201).Into(t, &made)
	return dashboard + "/widget/" + made.Widget
}

// noFindings runs verify beside the server.
func noFindings(t *testing.T, s *apptest.Server) {
	t.Helper()
	findings, _, err := s.App.Verify(t.Context())
	if err != nil || len(findings) > 0 {
		t.Errorf("verify: %v %s", err, strings.Join(findings, "; "))
	}
}

func TestBehaviour11_DashboardsEndWithTheirProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		kept := newDashboard(t, s, a, row{"label": "Kept"})
		gone := newDashboard(t, s, b, row{"label": "Gone"})
		s.Call(t, "DELETE", "/profile/"+b.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
		s.Call(t, "GET", gone, b.Token, nil).Want(t, 401)
		s.Call(t, "GET", gone, a.Token, nil).Want(t, 404)
		s.Call(t, "GET", kept, a.Token, nil).Want(t, 200)
		noFindings(t, s)
	})
}

func TestBehaviour13_DashboardIsolation(t *testing.T) {
	const nowhere = "0123456789abcdef01234567"
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b, stranger := s.Profile(t, a, "B"), s.Account(t, "house")
		device, _ := s.Device(t, a, "Secret")
		chart := row{"label": "Chart", "type": "x", "display": row{}, "data": []row{{"origin": device}}}
		dashboard := newDashboard(t, s, a, row{"label": "Secret", "tags": []row{{"key": "secret", "value": "1"}}})
		widget := newWidget(t, s, a, dashboard, chart)
		id, wid := strings.TrimPrefix(dashboard, "/dashboard/"), widget[len(widget)-24:]
		before := s.Call(t, "GET", widget, a.Token, nil).Want(t, 200)

		for _, other := range []apptest.Who{b, stranger} {
			own := newDashboard(t, s, other, row{"label": "Own"})
			for _, x := range []struct {
				method, path string
				body         any
			}{
				{"GET", dashboard, nil}, {"PUT", dashboard, row{"label": "mine"}}, {"DELETE", dashboard, nil}, {"POST", dashboard + "/duplicate", row{}},
				{"GET", dashboard + "/devices", nil}, {"GET", dashboard + "/analysis", nil}, {"POST", dashboard + "/widget", chart},
				{"GET", widget, nil}, {"PUT", widget, row{"label": "mine"}}, {"DELETE", widget, nil},
				{"GET", own + "/widget/" + wid, nil}, {"PUT", own + "/widget/" + wid, row{"label": "mine"}}, {"DELETE", own + "/widget/" + wid, nil},
			} {
				got := s.Call(t, x.method, x.path, other.Token, x.body)
				absent := s.Call(t, x.method, strings.NewReplacer(id, nowhere, wid, nowhere).Replace(x.path), other.Token, x.body)
				if got.Status != 404 || got.Status != absent.Status || got.Message != absent.Message {
					t.Errorf("%s %s: another profile's answers %d %q, what is not there %d %q", x.method, x.path, got.Status, got.Message, absent.Status, absent.Message)
				}
			}
			// Neither lists, nor filters, nor a widget of one's own that names the other's device show anything.
			newWidget(t, s, other, own, chart)
			for path, want := range map[string]int{"/dashboard": 1, "/dashboard?filter[id]=" + id: 0, "/dashboard?filter[tags][0][key]=secret": 0, "/dashboard?filter[label]=*": 1,
				own + "/devices": 0, "/tags/keys/dashboard": 0} {
				var list []any
				s.Call(t, "GET", path, other.Token, nil).Want(t, 200).Into(t, &list)
				if len(list) != want {
					t.Errorf("%s shows %v", path, list)
				}
			}
			if n := s.Summary(t, other).Amount["dashboard"]; n != 1 {
				t.Errorf("%v dashboards are counted", n)
			}
		}
		if after := s.Call(t, "GET", widget, a.Token, nil).Want(t, 200); string(after.Result) != string(before.Result) {
			t.Errorf("%s became %s", before.Result, after.Result)
		}
		noFindings(t, s)
	})
}

// TestBehaviour64_CapOnDashboards makes and copies dashboards from many sides at once: the cap of five is five.
func TestBehaviour64_CapOnDashboards(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, neighbour := s.Account(t, "free"), s.Account(t, "free")
		first := newDashboard(t, s, a, row{"label": "First"})
		newWidget(t, s, a, first, row{"label": "W", "type": "x", "display": row{}})
		for round := range 3 {
			var mu sync.Mutex
			made := []string{}
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					path, body := "/dashboard", row{"label": "D"}
					if i%2 == 1 {
						path, body = first+"/duplicate", row{}
					}
					x := s.Call(t, "POST", path, a.Token, body)
					switch {
					case x.Status == 201:
						var m struct {
							One string `json:"dashboard"`
							Two string `json:"dashboard_id"`
						}
						x.Into(t, &m)
						mu.Lock()
						made = append(made, m.One+m.Two)
						mu.Unlock()
					case x.Status != 402 || !strings.HasPrefix(x.Message, overLimit+" of dashboards (5)"):
						t.Errorf("answered %d %q", x.Status, x.Message)
					}
				})
			}
			wg.Wait()
			var list []row
			s.Call(t, "GET", "/dashboard", a.Token, nil).Want(t, 200).Into(t, &list)
			if len(made) != 4 || len(list) != 5 || s.Summary(t, a).Amount["dashboard"] != 5 {
				t.Fatalf("round %d: %d made, %d there, %v counted", round, len(made), len(list), s.Summary(t, a).Amount["dashboard"])
			}
			for _, d := range made { // each frees one place; the same deletion twice frees no second
				wg.Go(func() { s.Call(t, "DELETE", "/dashboard/"+d, a.Token, nil) })
				wg.Go(func() { s.Call(t, "DELETE", "/dashboard/"+d, a.Token, nil) })
			}
			wg.Wait()
			if n := s.Summary(t, a).Amount["dashboard"]; n != 1 {
				t.Fatalf("%v are counted after deleting four of five", n)
			}
		}
		newDashboard(t, s, neighbour, row{"label": "of a neighbour"})
		noFindings(t, s)
	})
}

func TestBehaviour80_ProtectedDashboard(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		path := newDashboard(t, s, a, row{"label": "D", "tags": []row{{"key": "_delete_protection_", "value": "ask Mona first"}}})
		if x := s.Call(t, "DELETE", path, a.Token, nil).Want(t, 403); x.Message != "ask Mona first" {
			t.Error(x.Message)
		}
		s.Call(t, "PUT", path, a.Token, row{"tags": []row{{"key": "_deletion_protection", "value": ""}}}).Want(t, 200)
		s.Call(t, "DELETE", path, a.Token, nil).Want(t, 403)
		s.Call(t, "PUT", path, a.Token, row{"tags": []row{}}).Want(t, 200)
		s.Call(t, "DELETE", path, a.Token, nil).Want(t, 200)
	})
}
