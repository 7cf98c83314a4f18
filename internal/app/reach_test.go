package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/app/apptest"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/token"
)

// grants is a table of who was granted what, in the place of the room that keeps it.
type grants struct {
	mu sync.Mutex
	m  map[[2]string]auth.Grant // by account and profile
}

func grantsOf(s *apptest.Server) *grants {
	g := &grants{m: map[[2]string]auth.Grant{}}
	s.App.SetGrants(func(_ context.Context, a id.Account, p id.Profile) (auth.Grant, bool, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		x, ok := g.m[[2]string{string(a), string(p)}]
		return x, ok, nil
	})
	return g
}

func (g *grants) set(a, p string, role auth.Role, within *auth.Within) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.m[[2]string{a, p}] = auth.Grant{Role: role, Within: within}
}

// person is how somebody calls: with a token, or as a session in a profile.
type person struct {
	name, token, cookie, profile string
}

func (p person) call(t testing.TB, s *apptest.Server, method, path string, body any) apptest.Answer {
	t.Helper()
	if p.cookie == "" {
		return s.Call(t, method, path, p.token, body)
	}
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
		if b, ok := body.(string); ok {
			text = b
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Cookie", p.cookie)
	q.Header.Set("Origin", s.URL)
	q.Header.Set("Content-Type", "application/json")
	if p.profile != "" {
		q.Header.Set("Profile-Id", p.profile)
	}
	return s.Do(t, q)
}

// lack is what a refusal says.
func lack(t testing.TB, a apptest.Answer) auth.Lack {
	t.Helper()
	var e struct{ Error auth.Lack }
	if err := json.Unmarshal(a.Body, &e); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Method, a.Path, err, a.Body)
	}
	return e.Error
}

// cellar is a profile with things of two sites: M may see those of site A, and the devices and dashboards named one by one.
type cellar struct {
	*apptest.Server
	grants     *grants
	owner      apptest.Who
	member     apptest.Who
	callers    []person
	in, named  string // devices that M sees, by tag and by id
	out        string // one that M does not
	inToken    string
	outToken   string
	board      string // dashboards likewise
	outBoard   string
	outWidget  string
	outParam   string
	part       *auth.Within
	tokenOfOut string // its handle
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

const noThing = "ffffffffffffffffffffffff"

func newCellar(t *testing.T, s *apptest.Server) *cellar {
	t.Helper()
	c := &cellar{Server: s, grants: grantsOf(s), owner: s.Account(t, "house"), member: s.Account(t, "house")}
	thing := func(path string, body map[string]any, key string) (string, string) {
		var made map[string]any
		s.Call(t, "POST", path, c.owner.Token, body).Want(t, 201).Into(t, &made)
		secret, _ := made["token"].(string)
		return made[key].(string), secret
	}
	tags := func(pairs ...string) []map[string]string {
		out := []map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, map[string]string{"key": pairs[i], "value": pairs[i+1]})
		}
		return out
	}
	param := []map[string]any{{"key": "k", "value": "v"}}
	c.in, c.inToken = thing("/device", map[string]any{"name": "In", "tags": tags("site", "A", "floor", "1"), "serie_number": "IN"}, "device_id")
	c.named, _ = thing("/device", map[string]any{"name": "Named"}, "device_id")
	c.out, c.outToken = thing("/device", map[string]any{"name": "Out", "tags": tags("site", "B", "secret", "x"), "configuration_params": param, "serie_number": "OUT"}, "device_id")
	thing("/device", map[string]any{"name": "Other case", "tags": tags("site", "a", "Site", "A")}, "device_id")
	widget := map[string]any{"label": "W", "type": "dial", "display": map[string]any{}, "data": []map[string]any{{"origin": c.in}, {"origin": c.out}}}
	c.board, _ = thing("/dashboard", map[string]any{"label": "In", "tags": tags("site", "A", "wing", "x")}, "dashboard")
	c.outBoard, _ = thing("/dashboard", map[string]any{"label": "Out", "tags": tags("site", "B", "secret", "x")}, "dashboard")
	thing("/dashboard/"+c.board+"/widget", widget, "widget")
	c.outWidget, _ = thing("/dashboard/"+c.outBoard+"/widget", widget, "widget")
	var params []struct{ ID string }
	s.Call(t, "GET", "/device/"+c.out+"/params", c.owner.Token, nil).Want(t, 200).Into(t, &params)
	c.outParam = params[0].ID
	var tokens []struct{ ID string }
	s.Call(t, "GET", "/device/token/"+c.out+"?fields=id", c.owner.Token, nil).Want(t, 200).Into(t, &tokens)
	c.tokenOfOut = tokens[0].ID
	c.part = &auth.Within{
		Devices:    &auth.Part{IDs: []string{c.named}, Tags: []auth.Tag{{Key: "site", Value: "A"}}},
		Dashboards: &auth.Part{Tags: []auth.Tag{{Key: "site", Value: "A"}}},
	}
	c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, c.part)
	c.callers = []person{
		{name: "session", cookie: s.App.SignIn(t, c.member.Account), profile: c.owner.Profile},
		{name: "token", token: s.App.Mint(t, token.MintInput{Profile: id.Profile(c.owner.Profile), Account: id.Account(c.member.Account), Name: "m"})},
		{name: "token that reaches the account", token: s.App.Mint(t, token.MintInput{Profile: id.Profile(c.owner.Profile), Account: id.Account(c.member.Account), Name: "m", Reach: auth.ReachAccount})},
	}
	return c
}

func (c *cellar) names(t *testing.T, who person, path, member string) []string {
	t.Helper()
	var rows []map[string]any
	who.call(t, c.Server, "GET", path, nil).Want(t, 200).Into(t, &rows)
	out := []string{}
	for _, r := range rows {
		v, _ := r[member].(string)
		out = append(out, v)
	}
	return out
}

// TestRestriction shows that what lies outside a member's part of a profile is not there for that member.
func TestRestriction(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		c := newCellar(t, s)
		var rule, alert struct{ ID string }
		s.Call(t, "POST", "/alert/silence", c.owner.Token, map[string]any{"device": c.in, "interval": 60}).Want(t, 201)
		s.Call(t, "POST", "/alert/silence", c.owner.Token, map[string]any{"device": c.out, "interval": 60}).Want(t, 201).Into(t, &rule)
		for _, v := range []string{"A", "B"} {
			s.Call(t, "POST", "/alert/silence", c.owner.Token, map[string]any{"tag": map[string]string{"key": "site", "value": v}, "interval": 3600}).Want(t, 201)
		}
		for _, d := range []string{c.in, c.out} {
			s.Call(t, "PUT", "/device/"+d, c.owner.Token, map[string]any{"rpm": map[string]any{"data_input": 2}}).Want(t, 200)
		}
		for _, d := range []string{c.inToken, c.outToken} {
			s.Send(t, d, 1).Want(t, 200, 201, 202)
			s.Send(t, d, 1).Want(t, 200, 201, 202)
			s.Send(t, d, 1).Want(t, 429)
		}
		s.Clock.Advance(5 * time.Minute)
		if err := s.App.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		var alerts []struct{ ID, Device string }
		s.Call(t, "GET", "/alert?kind=silent", c.owner.Token, nil).Want(t, 200).Into(t, &alerts)
		for _, a := range alerts {
			if a.Device == c.out {
				alert.ID = a.ID
			}
		}
		if len(alerts) != 2 || alert.ID == "" {
			t.Fatalf("alerts for the owner: %+v", alerts)
		}
		for _, d := range []string{c.in, c.out} { // a token of each is revoked and used
			var made struct{ Token string }
			s.Call(t, "POST", "/device/token", c.owner.Token, map[string]any{"device": d, "name": "dead", "permission": "full"}).Want(t, 201).Into(t, &made)
			s.Call(t, "DELETE", "/device/token/"+made.Token, c.owner.Token, nil).Want(t, 200)
			s.Send(t, made.Token, 1).Want(t, 401)
		}
		gone := s.App.Mint(t, token.MintInput{Profile: id.Profile(c.owner.Profile), Account: id.Account(c.owner.Account), Name: "gone"})
		s.Call(t, "DELETE", "/profile/current/token/"+gone, c.owner.Token, nil).Want(t, 200)
		s.Call(t, "POST", "/device/"+c.out+"/data", gone, `[{"variable":"secret"}]`).Want(t, 401)

		for _, who := range c.callers {
			t.Run("by "+who.name, func(t *testing.T) { c.absent(t, who, rule.ID, alert.ID); c.lists(t, who) })
		}
		c.changes(t, c.callers[0])
		c.changes(t, c.callers[1])

		// A device's token acts for the device, and a restriction that ends is over at once.
		s.Call(t, "GET", "/data", c.outToken, nil).Want(t, 200)
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, nil)
		for _, who := range c.callers {
			who.call(t, s, "GET", "/device/"+c.out, nil).Want(t, 200)
		}
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, &auth.Within{Devices: &auth.Part{}, Dashboards: &auth.Part{}})
		for _, who := range c.callers {
			who.call(t, s, "GET", "/device/"+c.in, nil).Want(t, 404)
			if got := c.names(t, who, "/device", "name"); len(got) > 0 {
				t.Errorf("nothing was granted, and the list has %v", got)
			}
			if got := c.names(t, who, "/dashboard", "label"); len(got) > 0 {
				t.Errorf("nothing was granted, and the list has %v", got)
			}
		}
	}, apptest.AtTime(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)))
}

// absent asks every route that names a device or dashboard for one outside and for one that does not exist: the answers
// are the same, and nothing has changed.
func (c *cellar) absent(t *testing.T, who person, rule, alert string) {
	type request struct {
		method, path string // * stands for what is outside
		body         any
		there        string
	}
	bodies := map[string]any{
		"PUT /device/{id}": map[string]any{"name": "Taken"}, "POST /device/{id}/convert": map[string]any{"type": "mutable"},
		"POST /device/{id}/params": []map[string]any{{"key": "a", "value": "b"}}, "POST /device/{id}/data": []map[string]any{{"variable": "a"}},
		"PUT /device/{id}/data": []map[string]any{{"id": noThing, "value": 1}}, "PUT /dashboard/{id}": map[string]any{"label": "Taken"},
		"POST /dashboard/{id}/widget": map[string]any{"label": "W", "type": "t", "display": map[string]any{}}, "PUT /dashboard/{id}/widget/{widget}": map[string]any{"label": "Taken"},
	}
	chunk := "1773100800_1773187199"
	var all []request
	seen := 0
	for _, r := range c.App.Built() {
		there := ""
		switch {
		case slices.Contains(r.Rule.Kinds, auth.Device): // a device's own
		case strings.HasPrefix(r.Pattern, "/device/") && strings.Contains(r.Pattern, "{id}"), strings.HasPrefix(r.Pattern, "/bucket/{id}"):
			there = c.out
		case strings.HasPrefix(r.Pattern, "/dashboard/{id}"):
			there = c.outBoard
		}
		if there == "" {
			continue
		}
		seen++
		path := strings.NewReplacer("{id}", "*", "{param}", c.outParam, "{widget}", c.outWidget, "{chunk}", chunk).Replace(r.Pattern)
		if strings.Contains(path, "{") {
			t.Fatalf("no value for %s", path)
		}
		all = append(all, request{r.Method, path, bodies[r.Method+" "+r.Pattern], there})
	}
	if seen < 25 {
		t.Fatalf("only %d routes: the test has lost its way", seen)
	}
	d := c.out
	all = append(all,
		request{"GET", "/limits?device=*", nil, d}, request{"GET", "/limits/refusals?device=*", nil, d}, request{"GET", "/alert?device=*", nil, d},
		request{"GET", "/device?filter[id]=*", nil, d}, request{"GET", "/bucket?filter[id]=*", nil, d}, request{"GET", "/dashboard?filter[id]=*", nil, c.outBoard},
		request{"GET", "/events?profile=" + c.owner.Profile + "&channels=device_data.*", nil, d},
		request{"POST", "/device/token", map[string]any{"device": "*", "name": "n", "permission": "full"}, d},
		request{"POST", "/alert/silence", map[string]any{"device": "*", "interval": 60}, d},
		request{"DELETE", "/device/token/*", nil, c.tokenOfOut}, request{"DELETE", "/device/token/*", nil, c.outToken},
		request{"PUT", "/alert/*", map[string]any{"acknowledged": true}, alert},
		request{"PUT", "/alert/silence/*", map[string]any{"interval": 61}, rule}, request{"DELETE", "/alert/silence/*", nil, rule},
	)
	for _, r := range all {
		ask := func(thing string) apptest.Answer {
			body := r.body
			if body != nil {
				b, _ := json.Marshal(body)
				body = strings.ReplaceAll(string(b), "*", thing)
			}
			a := who.call(t, c.Server, r.method, strings.ReplaceAll(r.path, "*", thing), body)
			a.Body = requestID.ReplaceAll(bytes.ReplaceAll(a.Body, []byte(thing), []byte("*")), nil)
			return a
		}
		missing := noThing
		if strings.Contains(r.path, "/token/") && len(r.there) > 24 {
			missing = "6f1e9d1c-3a64-4c0a-9a70-3f0f5a6e7b11"
		}
		there, absent := ask(r.there), ask(missing)
		if there.Status != absent.Status || string(there.Body) != string(absent.Body) {
			t.Errorf("%s %s: outside it answers %d %.200s, absent %d %.200s", r.method, r.path, there.Status, there.Body, absent.Status, absent.Body)
		}
		if there.Status != 404 && (r.method != "GET" || !strings.Contains(r.path, "?")) {
			t.Errorf("%s %s answers %d %.200s", r.method, r.path, there.Status, there.Body)
		}
	}
	// Nothing was done to what is outside.
	var dev struct{ Name string }
	c.Call(t, "GET", "/device/"+c.out, c.owner.Token, nil).Want(t, 200).Into(t, &dev)
	var board struct{ Label string }
	c.Call(t, "GET", "/dashboard/"+c.outBoard, c.owner.Token, nil).Want(t, 200).Into(t, &board)
	c.Call(t, "GET", "/dashboard/"+c.outBoard+"/widget/"+c.outWidget, c.owner.Token, nil).Want(t, 200)
	if dev.Name != "Out" || board.Label != "Out" {
		t.Errorf("outside things are now %+v %+v", dev, board)
	}
	c.Call(t, "GET", "/data", c.outToken, nil).Want(t, 200)
}

// lists shows that lists, and what is summed up by device, have what the member may see and nothing else.
func (c *cellar) lists(t *testing.T, who person) {
	in, named, board := c.in, c.named, c.board
	p := "/profile/" + c.owner.Profile
	for _, x := range []struct {
		path, member string
		want         []string
	}{
		{"/device", "id", []string{in, named}},
		{"/device?amount=1&page=2", "id", []string{named}},
		{"/device?amount=1&page=3", "id", []string{}},
		{"/device?orderBy=name,desc", "id", []string{named, in}},
		{"/device?filter[tags][0][key]=site", "id", []string{in}},
		{"/device?filter[tags][0][key]=secret", "id", []string{}},
		{"/device?serial=*", "id", []string{in}},
		{"/bucket", "id", []string{in, named}},
		{"/dashboard", "id", []string{board}},
		{"/dashboard?amount=1&page=2", "id", []string{}},
		{"/dashboard/" + board + "/devices", "id", []string{in}},
		{"/limits/refusals", "device", []string{in}},
		{"/alert", "device", []string{in}},
		{"/alert/silence", "device", []string{in, ""}},
		{p + "/refused", "device", []string{in}},
	} {
		got := c.names(t, who, x.path, x.member)
		if x.path == "/alert/silence" { // made in the same instant
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(b, a) })
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("GET %s has %v, want %v", x.path, got, x.want)
		}
	}
	for kind, want := range map[string][]string{"device": {"floor", "site"}, "dashboard": {"site", "wing"}} {
		var keys []string
		if who.call(t, c.Server, "GET", "/tags/keys/"+kind, nil).Want(t, 200).Into(t, &keys); !slices.Equal(keys, want) {
			t.Errorf("keys of tags of %ss are %v, want %v", kind, keys, want)
		}
	}
	var rows []struct {
		Kind, Device string
	}
	who.call(t, c.Server, "GET", "/limits", nil).Want(t, 200).Into(t, &rows)
	soft := []string{}
	for _, r := range rows {
		if r.Kind == "soft_rate" {
			soft = append(soft, r.Device)
		}
	}
	if !slices.Equal(soft, []string{in}) {
		t.Errorf("soft limits of devices %v, want %s", soft, in)
	}
	var used struct {
		Used, Others int64
		Devices      []struct{ Device string }
	}
	who.call(t, c.Server, "GET", p+"/statistics/devices", nil).Want(t, 200).Into(t, &used)
	if used.Used != 4 || used.Others != 1 || len(used.Devices) != 1 || used.Devices[0].Device != in {
		t.Errorf("what devices used: %+v", used)
	}
	var sum struct{ Amount map[string]int64 }
	if who.call(t, c.Server, "GET", p+"/summary", nil).Want(t, 200).Into(t, &sum); sum.Amount["device"] < 4 {
		t.Errorf("the summary is of the whole profile, and counts %d devices", sum.Amount["device"])
	}
	if got := who.call(t, c.Server, "GET", "/device/"+named+"/data_amount", nil).Want(t, 200); string(got.Result) != "0" {
		t.Errorf("the device that was named holds %s", got.Result)
	}
}

// changes shows what a restricted developer may make and change.
func (c *cellar) changes(t *testing.T, who person) {
	type m = map[string]any
	tag := func(k, v string) m { return m{"key": k, "value": v} }
	refused := func(what, method, path string, body any) {
		t.Helper()
		got := who.call(t, c.Server, method, path, body)
		if l := lack(t, got); got.Status != 403 || l.Needs == "" || l.Hint == "" || !strings.Contains(got.Message, "some of the") {
			t.Errorf("%s answers %d %s", what, got.Status, got.Body)
		}
	}
	for _, k := range []struct{ path, label, id, key string }{{"/device", "name", c.in, "device_id"}, {"/dashboard", "label", c.board, "dashboard"}} {
		refused("a thing without a tag", "POST", k.path, m{k.label: "N"})
		refused("a thing with another tag", "POST", k.path, m{k.label: "N", "tags": []m{tag("site", "B")}})
		refused("a thing with the tag in other letters", "POST", k.path, m{k.label: "N", "tags": []m{tag("Site", "a")}})
		refused("a thing that is protected", "POST", k.path, m{k.label: "N", "tags": []m{tag("site", "A"), tag("_delete_protection_", "no")}})
		refused("a thing that leaves", "PUT", k.path+"/"+k.id, m{"tags": []m{}})
		refused("a thing that moves", "PUT", k.path+"/"+k.id, m{"tags": []m{tag("site", "B")}})
		refused("a thing that becomes protected", "PUT", k.path+"/"+k.id, m{"tags": []m{tag("site", "A"), tag("_deletion_protection", "")}})
		var made m
		who.call(t, c.Server, "POST", k.path, m{k.label: "Mine", "tags": []m{tag("site", "A")}}).Want(t, 201).Into(t, &made)
		mine := k.path + "/" + made[k.key].(string)
		who.call(t, c.Server, "PUT", mine, m{"tags": []m{tag("floor", "2"), tag("site", "A")}}).Want(t, 200)
		c.Call(t, "PUT", mine, c.owner.Token, m{"tags": []m{tag("site", "A"), tag("_deletion_protection", "")}}).Want(t, 200)
		refused("taking the protection off", "PUT", mine, m{"tags": []m{tag("site", "A")}})
		if got := who.call(t, c.Server, "DELETE", mine, nil); got.Status != 403 {
			t.Errorf("a protected thing is deleted: %d", got.Status)
		}
		c.Call(t, "PUT", mine, c.owner.Token, m{"tags": []m{tag("site", "A")}}).Want(t, 200)
		who.call(t, c.Server, "DELETE", mine, nil).Want(t, 200)
	}
	who.call(t, c.Server, "PUT", "/device/"+c.named, m{"tags": []m{tag("any", "thing")}}).Want(t, 200) // it is named by its id
	c.Call(t, "PUT", "/device/"+c.named, c.owner.Token, m{"tags": []m{}}).Want(t, 200)
	refused("a rule for another tag", "POST", "/alert/silence", m{"tag": tag("secret", "x"), "interval": 60})
	var rule struct{ ID string }
	who.call(t, c.Server, "POST", "/alert/silence", m{"device": c.named, "interval": 60}).Want(t, 201).Into(t, &rule)
	who.call(t, c.Server, "DELETE", "/alert/silence/"+rule.ID, nil).Want(t, 200)

	// Where nothing is granted by a tag, nothing can be made.
	only := *c.part
	only.Devices, only.Dashboards = &auth.Part{IDs: []string{c.named}}, &auth.Part{IDs: []string{c.board}}
	c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, &only)
	refused("a device where only ids were granted", "POST", "/device", m{"name": "N", "tags": []m{tag("site", "A")}})
	refused("a dashboard where only ids were granted", "POST", "/dashboard", m{"label": "N", "tags": []m{tag("site", "A")}})
	refused("a duplicate where only ids were granted", "POST", "/dashboard/"+c.board+"/duplicate", m{})
	c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, c.part)
	var copied struct {
		ID string `json:"dashboard_id"`
	}
	who.call(t, c.Server, "POST", "/dashboard/"+c.board+"/duplicate", m{}).Want(t, 201).Into(t, &copied)
	who.call(t, c.Server, "DELETE", "/dashboard/"+copied.ID, nil).Want(t, 200)

	// Seeing all alerts at once leaves those of others as they are.
	who.call(t, c.Server, "POST", "/alert/acknowledge", nil).Want(t, 200)
	var alerts []struct {
		Device       string
		Acknowledged *string `json:"acknowledged_at"`
	}
	c.Call(t, "GET", "/alert?kind=silent", c.owner.Token, nil).Want(t, 200).Into(t, &alerts)
	for _, a := range alerts {
		if (a.Device == c.in) != (a.Acknowledged != nil) {
			t.Errorf("the alert of %s is acknowledged: %v", a.Device, a.Acknowledged != nil)
		}
	}
}

// TestRestrictedStream shows that a stream tells a restricted member of what that member may see, and ends when that is
// another part.
func TestRestrictedStream(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		c := newCellar(t, s)
		member := c.callers[1].token
		all := listen(t, s, c.owner.Token, "limits,notification")
		some := listen(t, s, member, "limits,notification,device_data."+c.in)
		for _, d := range []string{c.out, c.in} {
			s.Call(t, "PUT", "/device/"+d, c.owner.Token, map[string]any{"rpm": map[string]any{"data_input": 1}}).Want(t, 200)
		}
		refuse := func(token string) {
			t.Helper()
			for range 2 { // one more when the minute turns in between
				if s.Send(t, token, 1); s.Send(t, token, 1).Status == 429 {
					break
				}
			}
			if err := s.App.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		refuse(c.outToken)
		if f := all.next(t); f.Channel != "limits" || !strings.Contains(string(f.Payload), c.out) {
			t.Errorf("the owner is told of %s %s", f.Channel, f.Payload)
		}
		refuse(c.inToken)
		for told := false; !told; {
			f := some.next(t)
			if told = f.Channel == "limits"; strings.Contains(string(f.Payload), c.out) || told && !strings.Contains(string(f.Payload), c.in) {
				t.Errorf("the member is told of %s %s", f.Channel, f.Payload)
			}
		}
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, &auth.Within{Devices: &auth.Part{}})
		some.ended(t, 10*time.Second)

		// Also when the device leaves the part.
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, c.part)
		again := listen(t, s, member, "device_data."+c.in)
		s.Call(t, "PUT", "/device/"+c.in, c.owner.Token, map[string]any{"tags": []any{}}).Want(t, 200)
		again.ended(t, 10*time.Second)

		// And when an unrestricted member is restricted.
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, nil)
		whole := listen(t, s, member, "device_data."+c.out)
		c.grants.set(c.member.Account, c.owner.Profile, auth.Developer, c.part)
		whole.ended(t, 10*time.Second)
	})
}

// TestRestrictedPages shows pages of a long list.
func TestRestrictedPages(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		c := newCellar(t, s)
		want := []string{"In", "Named"}
		for i := range 12 {
			site, name := "B", fmt.Sprintf("D%02d", i)
			if i%2 == 0 {
				site, want = "A", append(want, name)
			}
			s.Call(t, "POST", "/device", c.owner.Token, map[string]any{"name": name, "tags": []map[string]string{{"key": "site", "value": site}, {"key": "site", "value": site}}}).Want(t, 201)
		}
		slices.Sort(want)
		var got []string
		for page := 1; page < 10; page++ {
			names := c.names(t, c.callers[1], fmt.Sprintf("/device?amount=3&page=%d", page), "name")
			if len(names) > 3 || len(names) < 3 && len(got)+len(names) < len(want) {
				t.Errorf("page %d has %v", page, names)
			}
			got = append(got, names...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages have %v, want %v", got, want)
		}
	})
}
