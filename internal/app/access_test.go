package app_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"paddock/internal/app/apptest"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
	"paddock/internal/token"
)

// accessGroups are the rows of the table in docs/access.md: which routes each of them is.
var accessGroups = map[string]string{
	"server: look":        "GET /, GET /status, GET /healthz, GET /readyz, GET /metrics, GET /openapi.json, GET /docs/api, GET /profile/{id}/logo/{name}, GET /profile/{id}/banner/{name}, GET /account/{id}/picture/{name}",
	"sign up, sign in":    "POST /account, POST /account/login, POST /setup, POST /session, POST /account/profile/token, POST /account/delete, GET /account/passwordreset/{email}, POST /account/recover, GET /account/confirm/{token}, GET /account/resend_confirmation/{email}, POST /account/email/confirm, POST /account/deletion, POST /account/login/otp",
	"invitations: answer": "GET /profile/team/accept/{token}, GET /profile/team/decline/{token}, GET /team/invitation/{token}, POST /team/invitation/{token}/accept, POST /team/invitation/{token}/decline, POST /team/invitation/{token}/ask",
	"own sign-ins":        "GET /session, DELETE /session, GET /session/list, DELETE /session/others, DELETE /session/{id}",
	"own token: look":     "GET /info",
	"prices: look":        "GET /pricing",
	"own device: read":    "GET /data, GET /device/params",
	"own device: send":    "POST /data, PUT /data, PUT /device/params/{id}",
	"own device: erase":   "DELETE /data",

	"account: look":   "GET /account",
	"account: read":   "GET /account/allocation, GET /statistics, GET /account/deletion, GET /account/otp, GET /account/auditlog, GET /account/notify, GET /account/notify/deliveries, GET /profile/import, GET /profile/import/{import}, GET /profile/deleted, GET /profile/preview, GET /account/allocation/table",
	"account: change": "PUT /account, POST /account/passwordreset, POST /account/email, POST /account/allocation, POST /profile, POST /profile/import, POST /account/otp/{type}/enable, POST /account/otp/{type}/confirm, POST /account/otp/{type}/disable, POST /account/otp/{type}/recovery, PUT /account/notify, POST /account/notify/test, PUT /account/picture",
	"account: delete": "DELETE /account, DELETE /profile/import/{import}, DELETE /account/picture",

	"profiles: list":             "GET /profile, GET /overview, GET /overview/status",
	"search":                     "GET /search",
	"profile: read":              "GET /profile/{id}, GET /profile/{id}/summary, GET /profile/{id}/statistics, GET /profile/{id}/statistics/devices, GET /profile/{id}/statistics/limits, GET /profile/{id}/refused, GET /profile/{id}/health",
	"profiles: many at once":     "POST /overview/bulk",
	"profile: ask its owner":     "POST /profile/{id}/ask",
	"profile: edit, pause":       "PUT /profile/{id}, POST /profile/{id}/pause, POST /profile/{id}/resume, PUT /profile/{id}/logo, PUT /profile/{id}/banner",
	"profile: pin":               "PUT /profile/{id}/pin",
	"profile: remove pictures":   "DELETE /profile/{id}/logo, DELETE /profile/{id}/banner",
	"profile: delete":            "DELETE /profile/{id}",
	"profile: restore":           "POST /profile/{id}/restore",
	"policies: read":             "GET /profile/{id}/policies",
	"profile: clone":             "POST /profile/{id}/clone",
	"policies, shares: change":   "PUT /profile/{id}/policies, POST /profile/{id}/services",
	"tokens of profiles: list":   "GET /profile/{id}/token",
	"tokens of profiles: make":   "POST /profile/{id}/token",
	"tokens of profiles: revoke": "DELETE /profile/{id}/token/{token}",
	"tokens of profiles: switch": "PUT /profile/switch/{id}",

	"devices: read":   "GET /device, GET /device/{id}, GET /device/{id}/params, GET /device/{id}/requests, GET /device/token/{id}, GET /bucket, GET /bucket/{id}, GET /bucket/{id}/device",
	"devices: change": "POST /device, POST /device/bulk, POST /device/import, PUT /device/{id}, POST /device/{id}/convert, POST /device/{id}/params, POST /device/token",
	"devices: delete": "DELETE /device/{id}, DELETE /device/{id}/params/{param}, DELETE /device/token/{token}",
	"data: read":      "GET /device/{id}/data, GET /device/{id}/data_amount, GET /device/{id}/chunk, GET /bucket/{id}/data_amount, GET /bucket/{id}/variable",
	"data: send":      "POST /device/{id}/data, PUT /device/{id}/data",
	"data: erase":     "DELETE /device/{id}/data, POST /device/{id}/empty, DELETE /device/{id}/chunk/{chunk}",
	"live: listen":    "GET /events",

	"dashboards: read":   "GET /dashboard, GET /dashboard/{id}, GET /dashboard/{id}/devices, GET /dashboard/{id}/analysis, GET /dashboard/{id}/widget/{widget}, GET /tags/keys/{type}",
	"dashboards: change": "POST /dashboard, PUT /dashboard/{id}, POST /dashboard/{id}/duplicate, POST /dashboard/{id}/widget, PUT /dashboard/{id}/widget/{widget}",
	"dashboards: delete": "DELETE /dashboard/{id}, DELETE /dashboard/{id}/widget/{widget}",
	"limits: read":       "GET /limits, GET /limits/refusals",
	"alerts: read":       "GET /alert, GET /alert/silence",
	"alerts: change":     "PUT /alert/{id}, POST /alert/acknowledge, POST /alert/silence, PUT /alert/silence/{id}",
	"alerts: delete":     "DELETE /alert/silence/{id}",

	"team: look":            "GET /profile/{id}/team",
	"team: what would end":  "GET /profile/{id}/team/{account}/ends",
	"team: invite, change":  "POST /profile/{id}/team, PUT /profile/{id}/team/{account}, DELETE /profile/{id}/team/{account}, GET /profile/{id}/team/{account}/link",
	"team: leave":           "POST /profile/{id}/leave",
	"staff: look":           "GET /account/staff, GET /account/staff/{account}/ends",
	"staff: invite, change": "POST /account/staff, PUT /account/staff/{account}, DELETE /account/staff/{account}, GET /account/staff/{account}/link",
	"audit log: read":       "GET /profile/{id}/auditlog, GET /profile/{id}/auditlog/{query}, GET /profile/{id}/auditlog/export",
	"notifications: read":   "GET /notification, GET /notification/unread",
	"notifications: change": "POST /notification, PUT /notification/read, PUT /notification/markallread, PUT /notification/{id}/{button}, POST /notification/push/register, POST /notification/push/unregister",
	"notifications: delete": "DELETE /notification/{id}",
	"notify: look":          "GET /profile/{id}/notify, GET /profile/{id}/notify/deliveries",
	"notify: choose":        "PUT /profile/{id}/notify",
	"notify: test":          "POST /profile/{id}/notify/test",
	"cost: look":            "GET /account/cost, GET /account/cost/detail, GET /account/cost/figure, GET /account/cost/setting, GET /account/cost/check",
	"cost: change":          "PUT /account/cost/figure, DELETE /account/cost/figure, PUT /account/cost/setting",
	"budgets, what if":      "GET /account/budget, POST /account/budget, GET /account/budget/{id}, PUT /account/budget/{id}, DELETE /account/budget/{id}, POST /account/cost/simulate",
	"cost of a profile":     "GET /profile/{id}/cost",
	"statements: look":      "GET /billing/card, GET /billing/card/{id}, GET /billing/statement, GET /billing/statement/issued, GET /billing/statement/zip, GET /billing/statement/{id}",
	"statements: change":    "POST /billing/card, PUT /billing/card/{id}, DELETE /billing/card/{id}, POST /billing/statement, POST /billing/statement/{id}/correction",
	"outbox of the server":  "GET /outbox, GET /outbox/{id}, POST /outbox/{id}/retry, DELETE /outbox/{id}",

	"subscription, invoices":      "GET /account/subscription, POST /account/subscription, GET /account/subscription/schedule, DELETE /account/subscription/schedule, GET /account/subscription/summary, GET /account/subscription/coupon/{code}, POST /account/subscription/pending/retry, POST /account/subscription/pending/cancel, GET /pricing/prorated, GET /account/plan, POST /account/plan, GET /account/payment_method, POST /account/payment_method, DELETE /account/payment_method, GET /account/billing, PUT /account/billing, GET /account/payment_history, GET /account/invoice, GET /account/invoice/{id}, GET /account/invoice/{id}/page",
	"backups: look":               "GET /profile/{id}/backup, GET /profile/{id}/backup/schedule",
	"backups: make":               "POST /profile/{id}/backup",
	"backups: take, delete, plan": "POST /profile/{id}/backup/{backup}/download, DELETE /profile/{id}/backup/{backup}, PUT /profile/{id}/backup/schedule, DELETE /profile/{id}/backup/schedule",
	"backups: by a link":          "GET /profile/{id}/backup/{backup}/file/{secret}",

	"billing of the server":   "GET /billing/account/{id}, PUT /billing/account/{id}/plan, PUT /billing/account/{id}/override/{kind}/{name}, DELETE /billing/account/{id}/override/{kind}/{name}, GET /billing/invoice, GET /billing/invoice/{id}, POST /billing/invoice/{id}/paid, POST /billing/invoice/{id}/void",
	"tickets: read":           "GET /ticket, GET /ticket/{id}",
	"tickets: write":          "POST /ticket, PUT /ticket/{id}, POST /ticket/{id}/message",
	"looks: list":             "GET /profile/{id}/look",
	"looks: allow, end":       "POST /profile/{id}/look/{look}/allow, POST /profile/{id}/look/{look}/deny, DELETE /profile/{id}/look/{look}",
	"support of the server":   "GET /support/ticket, GET /support/look, POST /profile/{id}/look",
	"profile: hand over":      "POST /profile/{id}/transfer",
	"transfers: look":         "GET /transfer, GET /transfer/{id}",
	"transfers: answer":       "POST /transfer/{id}/accept, POST /transfer/{id}/decline, POST /transfer/{id}/cancel, POST /transfer/{id}/undo",
	"transfers of the server": "POST /transfer/{id}/approve",
	"the server itself":       "GET /operator, POST /operator/mail, GET /operator/verify, POST /operator/verify, GET /operator/settings",
	"accounts of the server":  "GET /operator/accounts, GET /operator/accounts/{id}, POST /operator/accounts/{id}/block, POST /operator/accounts/{id}/unblock, POST /operator/accounts/{id}/unlock, POST /operator/accounts/{id}/reset",
}

// accessBodies are what a request needs beside an empty object, so that whoever may make it is known to be let in: a
// body that is refused before the room looks whose the thing is would hide that.
var accessBodies = map[string]any{
	"POST /profile/{id}/pause":            map[string]any{"reason": "walk"},
	"PUT /profile/{id}/pin":               map[string]any{"pinned": true},
	"DELETE /profile/{id}":                map[string]any{"password": "not the password"},
	"POST /device/{id}/convert":           map[string]any{"type": "mutable"},
	"POST /device/{id}/params":            map[string]any{"key": "k", "value": "v"},
	"PUT /device/params/{id}":             map[string]any{"sent": true},
	"POST /device/token":                  map[string]any{"device": "{device}", "name": "n", "permission": "deny"},
	"POST /dashboard/{id}/widget":         map[string]any{"label": "W", "type": "t", "display": map[string]any{}},
	"PUT /alert/{id}":                     map[string]any{"acknowledged": true},
	"PUT /alert/silence/{id}":             map[string]any{"interval": 60},
	"PUT /dashboard/{id}/widget/{widget}": map[string]any{"label": "W"},
	"POST /profile/{id}/team":             map[string]any{"email": "somebody@new.test"},
	"POST /account/budget":                map[string]any{"amount": 100},
	"POST /profile/{id}/ask":              map[string]any{"service": "input"},
	"POST /overview/bulk":                 map[string]any{"profiles": []string{noThing}, "action": map[string]any{"resume": map[string]any{}}},
	"PUT /account/cost/figure":            map[string]any{"amount": 100, "currency": "usd", "shares": map[string]any{"input": 100}},
	"POST /profile/{id}/transfer":         map[string]any{"email": "somebody@new.test", "password": "not the password"},
	"POST /account/staff":                 map[string]any{"email": "somebody@new.test"},
}

// accessRow is a row of the table.
type accessRow struct {
	cells map[string]string // by column
	needs auth.Permission   // of a token; "" for any, deny included
	reach bool              // the token must reach the account
	none  bool              // no token will do
}

var accessColumns = []string{"nobody", "device", "viewer", "developer", "admin", "owner", "stranger"}

// accessTable reads the table of docs/access.md.
func accessTable(t *testing.T) map[string]accessRow {
	t.Helper()
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)<!-- access -->(.*)<!-- /access -->`).FindSubmatch(text)
	if part == nil {
		t.Fatal("docs/access.md has no table between its marks")
	}
	rows := map[string]accessRow{}
	lines := bufio.NewScanner(strings.NewReader(string(part[1])))
	for n := 0; lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		if n++; n <= 2 { // the heading
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != len(accessColumns)+2 {
			t.Fatalf("a row has %d cells: %s", len(cells), line)
		}
		row := accessRow{cells: map[string]string{}}
		for i, c := range accessColumns {
			cell := cells[i+1]
			if !slices.Contains([]string{"yes", "own", "401", "403", "404"}, cell) {
				t.Fatalf("%q is no outcome: %s", cell, line)
			}
			row.cells[c] = cell
		}
		for word := range strings.SplitSeq(cells[len(cells)-1], " + ") {
			switch word {
			case "any":
			case "–":
				row.none = true
			case "account":
				row.reach = true
			case "read", "write", "full":
				row.needs = auth.Permission(word)
			default:
				t.Fatalf("%q is nothing that a token has: %s", word, line)
			}
		}
		if _, twice := rows[cells[0]]; twice {
			t.Errorf("the table has %q twice", cells[0])
		}
		rows[cells[0]] = row
	}
	return rows
}

// accessCaller is one who walks over all routes.
type accessCaller struct {
	person
	kind       string // nobody, device, session, token
	role       string // a column of the table
	permission auth.Permission
	reach      auth.Reach
}

// want is what the table says of a caller.
func (row accessRow) want(c accessCaller) string {
	cell := row.cells[c.role]
	allows := row.needs == "" || c.permission == auth.Full || c.permission == row.needs
	switch {
	case c.kind == "nobody", c.kind == "session":
	case cell == "401", row.none && row.cells["nobody"] != "yes" && c.kind == "token", !allows:
		return "401"
	case c.kind == "device":
	case cell == "403", cell == "404":
		return cell
	case cell == "own" && c.role != "stranger": // a member's token does not speak for an account; a stranger's for its own
		return "401"
	case row.reach && c.reach != auth.ReachAccount:
		return "401"
	}
	if cell == "own" {
		return "yes"
	}
	return cell
}

// outcome is the class of an answer. A refusal by what a thing is (a tag that protects it, a wrong password) is none of
// who may: whoever hears it was let in. So is a thing within the thing that is not there; but not for a stranger.
func outcome(t *testing.T, a apptest.Answer, stranger bool) string {
	gate := a.Message == "Profile Not Found" || a.Message == "Device Not Found" || a.Message == "Dashboard Not Found"
	switch {
	case a.Status == 401 && strings.HasPrefix(a.Message, "Authorization Denied"):
		return "401"
	case a.Status == 403 && lack(t, a).Needs != "":
		return "403"
	case a.Status == 404 && (gate || stranger):
		return "404"
	case a.Status >= 500:
		return fmt.Sprint(a.Status)
	}
	return "yes"
}

// TestAccess asks every route as everybody and compares what is answered with the table of docs/access.md.
func TestAccess(t *testing.T) {
	table := accessTable(t)
	groupOf := map[string]string{}
	for group, routes := range accessGroups {
		if _, ok := table[group]; !ok {
			t.Errorf("docs/access.md has no row %q", group)
		}
		for r := range strings.SplitSeq(routes, ", ") {
			if other := groupOf[r]; other != "" {
				t.Errorf("%s is in %q and in %q", r, other, group)
			}
			groupOf[r] = group
		}
	}
	for group := range table {
		if _, ok := accessGroups[group]; !ok {
			t.Errorf("no route is of the row %q of docs/access.md", group)
		}
	}
	if t.Failed() {
		return
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		walk := newAccessWalk(t, s)
		known := maps.Clone(groupOf)
		var routes []web.Route
		for _, r := range s.App.Built() {
			name := r.Method + " " + r.Pattern
			if groupOf[name] == "" {
				t.Errorf("%s has no row in docs/access.md: put it into one of accessGroups", name)
				continue
			}
			delete(known, name)
			routes = append(routes, r)
		}
		for name := range known {
			t.Errorf("there is no route %s", name)
		}
		// What ends a session comes last. What pauses the profile is asked by one after the other.
		slices.SortStableFunc(routes, func(a, b web.Route) int { return accessOrder(a) - accessOrder(b) })
		alone := func(r web.Route) bool {
			return strings.HasSuffix(r.Pattern, "/pause") || strings.HasSuffix(r.Pattern, "/resume")
		}
		t.Run("everybody", func(t *testing.T) {
			for _, c := range walk.callers {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					for _, r := range routes {
						if !alone(r) {
							walk.ask(t, c, r, table[groupOf[r.Method+" "+r.Pattern]])
						}
					}
				})
			}
		})
		for _, c := range walk.callers {
			if c.kind == "session" {
				c.cookie = s.App.SignIn(t, walk.account[c.role])
			}
			for _, r := range routes {
				if alone(r) {
					walk.ask(t, c, r, table[groupOf[r.Method+" "+r.Pattern]])
				}
			}
		}
		// Somebody who was granted nothing cannot name the profile at all.
		in := person{cookie: s.App.SignIn(t, walk.account["stranger"]), profile: walk.profile}
		for _, r := range routes {
			if !slices.Contains(r.Rule.Kinds, auth.Anonymous) {
				if a := walk.send(t, in, r); outcome(t, a, true) != "404" {
					t.Errorf("%s %s by a stranger in the profile: %d %s", r.Method, r.Pattern, a.Status, a.Body)
				}
			}
		}
	})
}

func accessOrder(r web.Route) int {
	switch r.Method + " " + r.Pattern {
	case "DELETE /session/others":
		return 1
	case "DELETE /session":
		return 2
	}
	return 0
}

// accessWalk is a profile with a member of each role.
type accessWalk struct {
	*apptest.Server
	profile string
	account map[string]string // by role
	values  *strings.Replacer
	callers []accessCaller
}

func newAccessWalk(t *testing.T, s *apptest.Server) *accessWalk {
	t.Helper()
	s.Account(t, "house") // the first is an operator, who may more
	owner := s.Account(t, "house")
	w := &accessWalk{Server: s, profile: owner.Profile, account: map[string]string{"owner": owner.Account}}
	for _, role := range []auth.Role{auth.Viewer, auth.Developer, auth.Admin} {
		a := s.Account(t, "house")
		w.account[string(role)] = a.Account
		s.Call(t, "GET", "/profile/team/accept/"+invite(t, s, owner, a.Email, map[string]any{"role": role}), "", nil).Want(t, 200)
	}
	stranger := s.Account(t, "house")
	w.account["stranger"] = stranger.Account

	protected := []map[string]string{{"key": "_deletion_protection", "value": ""}}
	var device struct {
		ID string `json:"device_id"`
	}
	s.Call(t, "POST", "/device", owner.Token, map[string]any{"name": "D", "tags": protected}).Want(t, 201).Into(t, &device)
	var board struct{ Dashboard string }
	s.Call(t, "POST", "/dashboard", owner.Token, map[string]any{"label": "B", "tags": protected}).Want(t, 201).Into(t, &board)
	w.values = strings.NewReplacer("{device}", device.ID, "/profile/{id}", "/profile/"+owner.Profile, "/switch/{id}", "/switch/"+owner.Profile,
		"/device/{id}", "/device/"+device.ID, "/device/token/{id}", "/device/token/"+device.ID, "/bucket/{id}", "/bucket/"+device.ID,
		"/dashboard/{id}", "/dashboard/"+board.Dashboard, "/otp/{type}", "/otp/authenticator", "{type}", "device", "{email}", "nobody@example.test", "{chunk}", "1773100800_1773187199",
		"{name}", noThing+".png")

	w.callers = append(w.callers, accessCaller{kind: "nobody", role: "nobody", person: person{name: "nobody"}})
	permissions := []auth.Permission{auth.Full, auth.Read, auth.Write, auth.Deny}
	// Of the tokens only those are there that a row of the table can tell apart: what reaches the account is the owner's
	// alone, and what may do nothing may do nothing whoever made it.
	tells := func(role string, p auth.Permission, reach auth.Reach) bool {
		switch {
		case p == auth.Deny:
			return role == "owner" && reach == auth.ReachAccount
		case role == "owner":
			return true
		case p == auth.Full:
			return reach == auth.ReachAccount || role == "stranger"
		}
		return reach == auth.ReachProfile && role == "developer"
	}
	for _, p := range permissions {
		var made struct{ Token string }
		s.Call(t, "POST", "/device/token", owner.Token, map[string]any{"device": device.ID, "name": "n", "permission": p}).Want(t, 201).Into(t, &made)
		w.callers = append(w.callers, accessCaller{kind: "device", role: "device", permission: p, person: person{name: "device token " + string(p), token: made.Token}})
	}
	for _, role := range slices.Sorted(maps.Keys(w.account)) {
		in := owner.Profile
		if role == "stranger" {
			in = stranger.Profile
		}
		w.callers = append(w.callers, accessCaller{kind: "session", role: role, permission: auth.Full, reach: auth.ReachAccount,
			person: person{name: role + " signed in", cookie: s.App.SignIn(t, w.account[role]), profile: in}})
		for _, p := range permissions {
			for _, reach := range []auth.Reach{auth.ReachProfile, auth.ReachAccount} {
				if !tells(role, p, reach) {
					continue
				}
				w.callers = append(w.callers, accessCaller{kind: "token", role: role, permission: p, reach: reach, person: person{
					name:  fmt.Sprintf("%s's token, %s, %s", role, p, reach),
					token: s.App.Mint(t, token.MintInput{Profile: id.Profile(in), Account: id.Account(w.account[role]), Name: "n", Permission: p, Reach: reach})}})
			}
		}
	}
	return w
}

// send makes the request of a route.
func (w *accessWalk) send(t *testing.T, by person, r web.Route) apptest.Answer {
	t.Helper()
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(w.values.Replace(r.Pattern), noThing)
	var body any
	if r.Method != "GET" {
		var there bool
		if body, there = accessBodies[r.Method+" "+r.Pattern]; !there {
			body = map[string]any{}
		}
		if m, ok := body.(map[string]any); ok && m["device"] != nil {
			m = maps.Clone(m)
			m["device"] = w.values.Replace("{device}")
			body = m
		}
	}
	if r.Pattern == "/events" {
		return w.listen(t, by, path+"?profile="+by.profile+"&channels=device_data."+w.values.Replace("{device}"))
	}
	return by.call(t, w.Server, r.Method, path, body)
}

// listen asks for a stream and leaves it when it has begun.
func (w *accessWalk) listen(t *testing.T, by person, path string) apptest.Answer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, "GET", w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	if by.cookie != "" {
		q.Header.Set("Cookie", by.cookie)
		q.Header.Set("Profile-Id", by.profile)
	}
	if by.token != "" {
		q.Header.Set("token", by.token)
	}
	p, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	p.Body.Close()
	if p.StatusCode == 200 {
		return apptest.Answer{Method: "GET", Path: path, Status: 200}
	}
	return w.Do(t, q.Clone(t.Context()))
}

// ask compares an answer with the table.
func (w *accessWalk) ask(t *testing.T, c accessCaller, r web.Route, row accessRow) {
	t.Helper()
	want := row.want(c)
	if c.role == "stranger" && want == "404" {
		switch {
		case r.Pattern == "/device/token", r.Pattern == "/events": // they name a device elsewhere
		case !strings.Contains(r.Pattern, "{"), r.Pattern == "/tags/keys/{type}": // of their own profile
			want = "yes"
		case strings.Contains(r.Pattern, "/switch/") && c.kind == "session": // whichever profile they name: only tokens switch
			want = "yes"
		case strings.Contains(r.Pattern, "/switch/") && c.reach != auth.ReachAccount:
			want = "401"
		}
	}
	a := w.send(t, c.person, r)
	got := outcome(t, a, c.role == "stranger" && want == "404")
	if got != want {
		t.Errorf("%s %s by %s: %s, and docs/access.md says %s: %d %.200s", r.Method, r.Pattern, c.name, got, want, a.Status, a.Body)
		return
	}
	if (got == "401" || got == "403") && c.kind != "nobody" {
		if l := lack(t, a); l.Needs == "" || l.Hint == "" {
			t.Errorf("%s %s by %s is refused without saying what is missing and who can give it: %s", r.Method, r.Pattern, c.name, a.Body)
		}
	}
}

// TestWhatAViewerIsNotTold shows what reading does not include: secrets of devices, tokens of others, and the account.
func TestWhatAViewerIsNotTold(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		d, secret := s.Device(t, owner, "D")
		g := grantsOf(s)
		for _, role := range []auth.Role{auth.Viewer, auth.Developer, auth.Admin, auth.Owner} {
			a := owner.Account
			if role != auth.Owner {
				a = s.Account(t, "house").Account
				g.set(a, owner.Profile, role, nil)
			}
			mint := func(p auth.Permission) string {
				return s.App.Mint(t, token.MintInput{Profile: id.Profile(owner.Profile), Account: id.Account(a), Name: string(role), Permission: p, Reach: auth.ReachAccount})
			}
			full := mint(auth.Full)
			for _, who := range []person{{name: "session", cookie: s.App.SignIn(t, a), profile: owner.Profile}, {name: "token", token: full}} {
				var tokens []struct{ Token string }
				who.call(t, s, "GET", "/device/token/"+d, nil).Want(t, 200).Into(t, &tokens)
				if shown := len(tokens) == 1 && tokens[0].Token == secret; shown != role.AtLeast(auth.Developer) {
					t.Errorf("%s by %s is shown the secret of a device: %v", role, who.name, shown)
				}
				var limits []struct{ Scope string }
				who.call(t, s, "GET", "/limits", nil).Want(t, 200).Into(t, &limits)
				if told := slices.ContainsFunc(limits, func(l struct{ Scope string }) bool { return l.Scope == "account" }); told != (role == auth.Owner) {
					t.Errorf("%s by %s is told of the account: %v", role, who.name, told)
				}
				other := s.App.Mint(t, token.MintInput{Profile: id.Profile(owner.Profile), Account: id.Account(owner.Account), Name: "other"})
				got := who.call(t, s, "DELETE", "/profile/"+owner.Profile+"/token/"+other, nil)
				if role == auth.Viewer && (got.Status != 403 || lack(t, got).Needs != "role developer") || role != auth.Viewer && got.Status != 200 {
					t.Errorf("%s by %s revokes a token of the owner: %d %s", role, who.name, got.Status, got.Body)
				}
				who.call(t, s, "DELETE", "/profile/"+owner.Profile+"/token/"+mint(auth.Read), nil).Want(t, 200) // the own ones
			}
		}
	})
}
