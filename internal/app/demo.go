package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/token"
)

type demoCmd struct {
	Store `embed:""`
}

// Run fills an installation that has no account yet. The installation is opened with a clock that begins five weeks ago and is
// moved through them, so that what the sample devices send was received, counted and charged when they sent it.
func (c *demoCmd) Run(ctx context.Context, s streams) error {
	now := time.Now()
	clk := clock.NewManual(now.Add(-demoSpan))
	return withClock(ctx, c.Store, s, clk, func(a *App) error {
		fmt.Fprintln(s.err, "Living through five weeks of forty sample profiles; this takes half a minute.")
		signIns, err := a.Demo(ctx, clk, now)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, "Sample data is in place. Sign in at /console/ as")
		for _, line := range signIns {
			fmt.Fprintln(s.out, "  "+line)
		}
		return nil
	})
}

const (
	demoSpan  = 34 * 24 * time.Hour
	demoFine  = 36 * time.Hour // at the end, when devices are heard each hour instead of every six
	demoSpend = 8 * time.Hour  // before the end, when some profiles are given less than they need
)

// demo is an installation while it is filled: everything is done as people and devices do it, by requests.
type demo struct {
	app      *App
	clock    *clock.Manual
	start    time.Time // when the story begins
	now      time.Time // and when it ends
	password string
	rnd      *mrand.Rand
	sites    []*demoSite

	owner, customer demoPerson
	operator        string // the cookie of the owner's browser
}

// demoPerson is one with an account.
type demoPerson struct {
	id                 id.Account
	email, home, token string // home is the first profile; the token reaches the account
}

// demoSite is a profile of the story.
type demoSite struct {
	demoSample
	id, token string
	began     time.Time
	devices   []*demoDevice
}

type demoDevice struct {
	id, name, token string
	phase           float64
	quiet           time.Time // sends nothing from then on; zero: goes on
	sent            time.Time // up to here
}

// Demo makes an operator who looks after forty profiles of customers, a customer who is about to be given one of them and a person
// who sees one, and returns who can sign in with what. The clock must be the one that the installation runs on: the story begins
// where it stands, days before now, and it stands at now when Demo is done. It refuses to touch an installation that has accounts.
func (a *App) Demo(ctx context.Context, clk *clock.Manual, now time.Time) ([]string, error) {
	empty, err := a.accounts.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if !empty {
		return nil, fault.New(fault.Conflict, "This installation has accounts already; the demo is for an empty one (give another --data)")
	}
	d := &demo{app: a, clock: clk, start: clk.Now(), now: now, password: rand.Text()[:16], rnd: mrand.New(mrand.NewPCG(1, 2))}
	for _, step := range []func(context.Context) error{d.people, d.begin, d.weeks, d.lastHours, d.end} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	line := func(email, who string) string { return fmt.Sprintf("%-26s password %s   %s", email, d.password, who) }
	return []string{
		line(d.owner.email, fmt.Sprintf("the integrator: %d profiles, also operator of this server", len(d.sites))),
		line(d.customer.email, "a customer who is offered a profile"),
		line(demoViewer, "an outsider who sees one profile"),
	}, nil
}

const demoViewer = "viewer@example.com"

// people makes the integrator and the customer, and says what the server costs and holds.
func (d *demo) people(ctx context.Context) error {
	for _, p := range []struct {
		to          *demoPerson
		name, email string
	}{{&d.owner, "Northwind Monitoring", "integrator@example.com"}, {&d.customer, "Harbour Cold Stores", "customer@example.com"}} {
		made, err := d.app.CreateAccount(ctx, auth.SystemCaller(), NewAccount{CreateInput: account.CreateInput{Name: p.name, Email: p.email, Password: d.password}})
		if err != nil {
			return err
		}
		*p.to = demoPerson{id: made.Account, email: p.email, home: string(made.Profile), token: made.Token}
	}
	cookie, err := d.signIn(ctx, d.owner.email)
	if err != nil {
		return err
	}
	d.operator = cookie
	for service, amount := range map[string]int{"input": 1_000_000, "output": 500_000, "data_records": 1_500_000, "email": 2000, "sms": 500, "file_storage": 2000} {
		err := d.do(ctx, "PUT", "/billing/account/"+string(d.owner.id)+"/override/service/"+service, d.operator, obj{"amount": amount, "reason": "What this machine is made for"}, nil)
		if err != nil {
			return err
		}
	}
	return d.do(ctx, "PUT", "/account/cost/figure", d.owner.token, obj{"amount": 48_000, "currency": "eur",
		"shares": obj{"input": 40, "output": 20, "data_records": 40}}, nil)
}

// begin makes the profiles and their devices, most of them at the beginning, the last few while the story runs.
func (d *demo) begin(ctx context.Context) error {
	for i, sample := range demoSamples {
		began := d.start
		if late := i - len(demoSamples) + 8; late >= 0 {
			began = d.start.Add(d.now.Sub(d.start) * time.Duration(late+2) / 11)
		}
		d.sites = append(d.sites, &demoSite{demoSample: sample, began: began})
	}
	return d.newSites(ctx)
}

// newSites makes those profiles whose time has come.
func (d *demo) newSites(ctx context.Context) error {
	var allocations []obj
	for i, s := range d.sites {
		if s.id != "" || s.began.After(d.clock.Now()) {
			continue
		}
		var made struct{ ID string }
		if i == 0 { // the profile that came with the account
			made.ID = d.owner.home
		} else if err := d.do(ctx, "POST", "/profile", d.owner.token, obj{"name": s.name}, &made); err != nil {
			return err
		}
		s.id = made.ID
		kind := demoKinds[s.kind]
		edit := obj{"name": s.name, "reference": fmt.Sprintf("K-%04d", 1001+i), "tags": []obj{{"key": "trade", "value": s.kind}, {"key": "region", "value": s.region}}}
		if i%3 != 2 {
			edit["color"] = kind.color
		}
		if err := d.do(ctx, "PUT", "/profile/"+s.id, d.owner.token, edit, nil); err != nil {
			return err
		}
		allocations = append(allocations, obj{"profile": s.id, "input": 12_000 + 2000*(i%4), "output": 8000, "data_records": 25_000, "email": 20, "sms": 5, "file_storage": 20})
		as := auth.SystemCaller()
		as.AccountID = d.owner.id
		minted, err := d.app.tokens.Mint(ctx, as, token.MintInput{Profile: id.Profile(s.id), Account: d.owner.id, Name: "Set-up script", Permission: auth.Full, Reach: auth.ReachProfile})
		if err != nil {
			return err
		}
		s.token = minted.Token
		for n := range s.size {
			name := kind.devices[n%len(kind.devices)]
			if n >= len(kind.devices) {
				name = fmt.Sprintf("%s %d", name, n/len(kind.devices)+1)
			}
			var dev struct {
				ID    string `json:"device_id"`
				Token string
			}
			if err := d.do(ctx, "POST", "/device", s.token, obj{"name": name, "type": "mutable", "serie_number": fmt.Sprintf("NW-%03d-%02d", i+1, n+1),
				"tags": []obj{{"key": "site", "value": s.name}, {"key": "trade", "value": s.kind}}}, &dev); err != nil {
				return err
			}
			s.devices = append(s.devices, &demoDevice{id: dev.ID, name: name, token: dev.Token, phase: float64(n), sent: d.clock.Now()})
		}
		if s.kind != "Sandbox" {
			within := 9 * time.Hour
			if kind.weekdays {
				within = 72 * time.Hour // a weekend is no silence
			}
			if err := d.do(ctx, "POST", "/alert/silence", s.token, obj{"tag": obj{"key": "trade", "value": s.kind}, "interval": int(within.Seconds())}, nil); err != nil {
				return err
			}
		}
	}
	if len(allocations) == 0 {
		return nil
	}
	return d.do(ctx, "POST", "/account/allocation", d.owner.token, allocations, nil)
}

// weeks lets the time go by: every few hours devices send what they measured, and a reader looks at it now and then.
func (d *demo) weeks(ctx context.Context) error {
	for i, s := range d.sites {
		if i == 7 || i == 19 || i == 28 { // they fall silent in the last days
			s.quiet(len(s.devices)-1, d.now.Add(-time.Duration(20+9*i%31)*time.Hour))
		}
	}
	for d.clock.Now().Before(d.now.Add(-demoFine)) {
		if err := d.step(ctx, 6*time.Hour, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// quiet has a device stop sending.
func (s *demoSite) quiet(n int, at time.Time) {
	if n >= 0 && n < len(s.devices) {
		s.devices[n].quiet = at
	}
}

// lastHours are told finer. A few hours before the end two profiles get less than they need: one ends up blocked, one near its limit.
func (d *demo) lastHours(ctx context.Context) error {
	for d.clock.Now().Before(d.now.Add(-demoSpend)) {
		if err := d.step(ctx, time.Hour, 15*time.Minute); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		site  *demoSite
		hours float64 // for which it lasts
	}{{d.sites[4], 3}, {d.sites[11], 30}} {
		used, err := d.used(ctx, x.site)
		if err != nil {
			return err
		}
		anHour := float64(4 * len(x.site.devices) * len(demoKinds[x.site.kind].curves))
		if err := d.do(ctx, "POST", "/account/allocation", d.owner.token, []obj{{"profile": x.site.id, "input": int(used + x.hours*anHour)}}, nil); err != nil {
			return err
		}
	}
	if err := d.business(ctx); err != nil {
		return err
	}
	for d.clock.Now().Before(d.now) {
		if err := d.step(ctx, time.Hour, 15*time.Minute); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) used(ctx context.Context, s *demoSite) (float64, error) {
	var sum struct {
		Used map[string]float64 `json:"limit_used"`
	}
	err := d.do(ctx, "GET", "/profile/"+s.id+"/summary", s.token, nil, &sum)
	return sum.Used["input"], err
}

// step moves the clock on by at most span, lets each device send what it measured every so often since, and does what a
// server would have done in the background meanwhile.
func (d *demo) step(ctx context.Context, span, every time.Duration) error {
	at := d.clock.Now().Add(span)
	if at.After(d.now) {
		at = d.now
	}
	d.clock.Set(at)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, s := range d.sites {
		for _, dev := range s.devices {
			points := d.points(s, dev, at, every)
			if len(points) == 0 {
				continue
			}
			wait.Go(func() {
				err := d.do(ctx, "POST", "/data", dev.token, points, nil)
				if err != nil && !fault.Is(err, fault.LimitReached) && !fault.Is(err, fault.Forbidden) { // to be refused is part of the story
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()
	if len(errs) > 0 {
		return errs[0]
	}
	for i, s := range d.sites {
		if s.token != "" && (i+at.Hour())%5 == 0 {
			if err := d.do(ctx, "GET", "/device/"+s.devices[0].id+"/data?qty=100&variables="+demoKinds[s.kind].curves[0].variable, s.token, nil, nil); err != nil && !fault.Is(err, fault.LimitReached) && !fault.Is(err, fault.Forbidden) {
				return err
			}
		}
	}
	if err := d.newSites(ctx); err != nil {
		return err
	}
	jobs := []func(context.Context) error{d.app.devices.Flush, d.app.tokens.Flush, d.app.limits.TellRefusals, d.app.alerts.Look, d.app.alerts.LookSilence}
	if every < time.Hour || at.Hour() < 6 {
		jobs = append(jobs, d.app.usage.Flush, d.app.billing.ChargeFigures, d.app.billing.Rate, d.app.billing.LookAtBudgets)
	}
	for _, job := range jobs {
		if err := job(ctx); err != nil {
			return err
		}
	}
	return nil
}

// points are what a device has measured since it last sent something.
func (d *demo) points(s *demoSite, dev *demoDevice, until time.Time, every time.Duration) []obj {
	if !dev.quiet.IsZero() && until.After(dev.quiet) {
		return nil
	}
	kind := demoKinds[s.kind]
	var out []obj
	for ; dev.sent.Before(until); dev.sent = dev.sent.Add(every) {
		at := dev.sent
		if kind.weekdays && (at.Weekday() == time.Saturday || at.Weekday() == time.Sunday) {
			continue
		}
		day := 2 * math.Pi * (float64(at.Hour()) + float64(at.Minute())/60 - 9 - dev.phase/2) / 24
		for _, c := range kind.curves {
			p := obj{"variable": c.variable, "value": math.Round(100*(c.middle+dev.phase*c.jitter+c.swing*math.Sin(day)+c.jitter*d.rnd.NormFloat64())) / 100,
				"time": at.UTC().Format(time.RFC3339)}
			if c.unit != "" {
				p["unit"] = c.unit
			}
			out = append(out, p)
		}
	}
	return out
}

// business is what the integrator did besides: prices, budgets, tokens, people, a ticket, an offer.
func (d *demo) business(ctx context.Context) error {
	var err error
	if d.operator, err = d.signIn(ctx, d.owner.email); err != nil { // the browser of the first day has been signed out long since
		return err
	}
	as := d.owner.token
	blocked, offered, seen := d.sites[4], d.sites[2], d.sites[1]
	prove := func(more obj) obj {
		more["email"], more["password"] = d.owner.email, d.password
		return more
	}
	guest := func(s *demoSite, email, role string) error {
		return d.do(ctx, "POST", "/profile/"+s.id+"/team", as, obj{"email": email, "role": role}, nil)
	}
	steps := []func() error{
		func() error {
			return d.do(ctx, "POST", "/billing/card", as, obj{"name": "Standard", "tag": obj{"key": "region", "value": "North"}, "currency": "eur", "fee_cents": 2900,
				"services": obj{"input": obj{"price_micro": 250_000, "per": 1000, "included": 2000}, "data_records": obj{"price_micro": 100_000, "per": 1000}},
				"tax_bp":   1900, "tax_text": "VAT 19 %", "sender": "Northwind Monitoring\n1 Example Street"}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/billing/card", as, obj{"name": "At cost, and a fifth", "tag": obj{"key": "region", "value": "South"}, "currency": "eur",
				"markup": obj{"basis": "use", "bp": 2000}, "tax_bp": 1900, "tax_text": "VAT 19 %"}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/account/budget", as, obj{"amount": 50_000, "currency": "eur", "shares": []int{50, 80, 100}, "forecast": true}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/account/budget", as, obj{"profile": d.sites[0].id, "amount": 2500, "currency": "eur"}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/profile/"+d.sites[0].id+"/token", d.sites[0].token, prove(obj{"name": "Dashboard of the bakery", "permission": "read", "expire_time": "5 days"}), nil)
		},
		func() error {
			return d.do(ctx, "POST", "/profile/"+d.sites[0].id+"/token", d.sites[0].token, prove(obj{"name": "Never used", "permission": "full", "expire_time": "never"}), nil)
		},
		func() error {
			return d.do(ctx, "POST", "/account/staff", as, obj{"email": "night.desk@example.com", "role": "developer"}, nil)
		},
		func() error { return guest(d.sites[0], "master.baker@example.com", "developer") },
		func() error { return guest(blocked, "facility@example.com", "admin") },
		func() error { return guest(seen, demoViewer, "viewer") },
		func() error {
			secret, err := d.invitation(ctx, demoViewer)
			if err != nil {
				return err
			}
			return d.do(ctx, "POST", "/team/invitation/"+secret+"/accept", "", obj{"name": "Robin Viewer", "password": d.password}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/profile/"+d.sites[22].id+"/pause", as, obj{"reason": "The customer has not paid for two months."}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/ticket", d.customer.token, obj{"subject": "May we keep our colleagues' access?",
				"text": "We are offered the profile of our cold store. Do the people who work in it now keep their access when we accept?"}, nil)
		},
		func() error {
			return d.do(ctx, "POST", "/profile/"+offered.id+"/transfer", d.operator, obj{"email": d.customer.email, "password": d.password,
				"message": "As agreed: from now on your cold store is yours. Everything goes on working."}, nil)
		},
		func() error {
			var old struct{ ID string }
			if err := d.do(ctx, "POST", "/profile", as, obj{"name": "Winter Market"}, &old); err != nil {
				return err
			}
			return d.do(ctx, "DELETE", "/profile/"+old.ID, d.operator, obj{"password": d.password}, nil)
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// end writes what memory holds, so that pages are right from the start.
func (d *demo) end(ctx context.Context) error {
	month := d.now.AddDate(0, 0, -d.now.Day()) // the last day of the month before
	if month.After(d.start) {
		err := d.do(ctx, "POST", "/billing/statement", d.owner.token, obj{"month": month.Format("2006-01"), "profiles": []string{d.sites[0].id}}, nil)
		if err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	if err := d.calm(ctx); err != nil {
		return err
	}
	return errors.Join(d.app.usage.Flush(ctx), d.app.devices.Flush(ctx), d.app.tokens.Flush(ctx), d.app.accounts.Flush(ctx))
}

// calm leaves the owner a few notices to read, and pins two profiles.
func (d *demo) calm(ctx context.Context) error {
	cookie, err := d.signIn(ctx, d.owner.email)
	if err != nil {
		return err
	}
	if err := d.do(ctx, "PUT", "/notification/markallread", cookie, nil, nil); err != nil {
		return err
	}
	var notices []struct{ ID string }
	if err := d.do(ctx, "GET", "/notification?amount=3", cookie, nil, &notices); err != nil {
		return err
	}
	ids := []string{}
	for _, n := range notices {
		ids = append(ids, n.ID)
	}
	if len(ids) > 0 {
		if err := d.do(ctx, "PUT", "/notification/read", cookie, obj{"notification_ids": ids, "read": false}, nil); err != nil {
			return err
		}
	}
	for _, s := range []*demoSite{d.sites[4], d.sites[0]} {
		if err := d.do(ctx, "PUT", "/profile/"+s.id+"/pin", cookie, obj{"pinned": true}, nil); err != nil {
			return err
		}
	}
	return nil
}

var invitationLink = regexp.MustCompile(`/team/accept/([^\s/?]+)`)

// invitation is the secret of the link in the letter that invites somebody.
func (d *demo) invitation(ctx context.Context, email string) (string, error) {
	letters, err := d.app.Outbox(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range slices.Backward(letters) {
		if found := invitationLink.FindStringSubmatch(l.Text); l.To == email && found != nil {
			return found[1], nil
		}
	}
	return "", fmt.Errorf("no letter invites %s", email)
}

// obj is a JSON object.
type obj = map[string]any

// signIn signs a browser in and returns its cookie.
func (d *demo) signIn(ctx context.Context, email string) (string, error) {
	_, header, err := d.request(ctx, "POST", "/session", "", obj{"email": email, "password": d.password})
	if err != nil {
		return "", err
	}
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	return cookie, nil
}

// do sends a request as the bearer of a token, or of a cookie that signIn returned, and decodes the result.
func (d *demo) do(ctx context.Context, method, path, as string, body any, into any) error {
	result, _, err := d.request(ctx, method, path, as, body)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(result, into)
}

// request has the server's own handler answer. A refusal is the fault that it tells.
func (d *demo) request(ctx context.Context, method, path, as string, body any) (json.RawMessage, http.Header, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://localhost"+path, content)
	if err != nil {
		return nil, nil, err
	}
	r.RequestURI, r.RemoteAddr, r.TLS = path, "192.0.2.10:40000", &tls.ConnectionState{}
	if public, err := url.Parse(d.app.settings.PublicURL); err == nil && public.Host != "" {
		r.Host = public.Host
	}
	if strings.Contains(as, "=") {
		r.Header.Set("Cookie", as)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	} else if as != "" {
		r.Header.Set("Token", as)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	w := &answer{header: http.Header{}}
	d.app.Handler().ServeHTTP(w, r)
	var envelope struct {
		Status  bool
		Result  json.RawMessage
		Message string
	}
	if err := json.Unmarshal(w.body.Bytes(), &envelope); err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if w.status >= 400 {
		code := fault.Internal
		switch w.status {
		case http.StatusPaymentRequired:
			code = fault.LimitReached
		case http.StatusForbidden:
			code = fault.Forbidden
		case http.StatusConflict:
			code = fault.Conflict
		}
		return nil, nil, fault.New(code, "%s %s: %d %s", method, path, w.status, envelope.Message)
	}
	return envelope.Result, w.header, nil
}

// answer keeps what the handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
