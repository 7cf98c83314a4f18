package billing

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// ledger is the rooms under billing on a real database, and billing.
type ledger struct {
	db       *sqldb.DB
	clk      *clock.Manual
	accounts *account.Service
	profiles *profile.Service
	use      *usage.Service
	*Service
	http http.Handler
	who  auth.Caller // of requests
}

var ledgerSources = []sqldb.Source{audit.Migrations(), mail.Migrations(), account.Migrations(), profile.Migrations(), usage.Migrations(), Migrations()}

var system = auth.SystemCaller()

// march is the first of a month, at midnight.
var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newLedger(t testing.TB, db *sqldb.DB, at time.Time) *ledger {
	t.Helper()
	l := &ledger{db: db, clk: clock.NewManual(at)}
	log := audit.New(db, l.clk)
	mailer, err := mail.New(db, mail.Config{Clock: l.clk})
	ok(t, err)
	files, err := blob.OpenFolder(t.TempDir())
	ok(t, err)
	t.Cleanup(func() { files.Close() })
	plans, err := plan.Parse(ledgerCatalogue(t))
	ok(t, err)
	l.accounts = account.New(db, log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, l.clk)
	l.profiles = profile.New(db, l.accounts, plans, log, files, l.clk)
	l.use = usage.New(db, l.profiles, l.accounts, log, l.clk)
	l.accounts.OnDelete(l.profiles.DeleteAll)
	l.accounts.OnPlan(l.use.Refit)
	l.Service = New(db, l.accounts, plans, l.profiles, l.use, nil, log, Config{Log: slog.New(slog.DiscardHandler)}, l.clk)
	l.accounts.OnPlan(l.PlanChanged)
	l.http = web.NewServer(web.Config{Log: slog.New(slog.DiscardHandler), Clock: l.clk,
		Authenticate: func(context.Context, web.Credential) (auth.Caller, error) { return l.who, nil }},
		append(l.use.Routes(), l.costRoutes()...)).Handler()
	return l
}

// ledgerCatalogue is the built-in one, where accounts on scale may have more profiles.
func ledgerCatalogue(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../plan/catalogue.yaml")
	ok(t, err)
	return bytes.Replace(text, []byte("profile:               {house: unlimited, free: 1, starter: 2, scale: 5}"), []byte("profile:               {house: unlimited, free: 1, starter: 3, scale: unlimited}"), 1)
}

func eachLedger(t *testing.T, f func(t *testing.T, l *ledger)) {
	sqldbtest.Each(t, ledgerSources, func(t *testing.T, db *sqldb.DB) { f(t, newLedger(t, db, march)) })
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// AddsUp says whether the lines are exactly the charges.
func (c Cost) AddsUp() bool {
	for currency, n := range c.Charged {
		if c.Total[currency] != n {
			return false
		}
	}
	return len(c.Total) <= len(c.Charged)
}

// cost says what an account costs from one instant to another, by days.
func (l *ledger) cost(ctx context.Context, a id.Account, from, to int64, basis Basis) (Cost, error) {
	acc, err := l.accounts.Get(ctx, a)
	if err != nil {
		return Cost{}, err
	}
	return l.costOf(ctx, acc, from, to, basis, true)
}

var ledgerEmails atomic.Int64

// account makes an account with a profile, and requests come from it from now on.
func (l *ledger) account(t testing.TB, planName, zone string) (account.Account, id.Profile) {
	t.Helper()
	a, err := l.accounts.Create(t.Context(), system, account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", ledgerEmails.Add(1)), Password: "correct horse battery", Plan: planName, Timezone: zone})
	ok(t, err)
	l.who = auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount}
	p := l.profile(t, a.ID)
	l.who.ProfileID = p
	return a, p
}

func (l *ledger) profile(t testing.TB, a id.Account) id.Profile {
	t.Helper()
	p, err := l.profiles.Create(t.Context(), system, profile.CreateInput{Name: fmt.Sprintf("App %d", ledgerEmails.Add(1)), Account: a})
	ok(t, err)
	return p.ID
}

// call sends a request of l.who and decodes the result.
func (l *ledger) call(t testing.TB, method, path string, body, into any) (status int, message string) {
	t.Helper()
	var b bytes.Buffer
	if body != nil {
		ok(t, json.NewEncoder(&b).Encode(body))
	}
	q := httptest.NewRequest(method, path, &b)
	q.Header.Set("token", "p-some")
	q.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	l.http.ServeHTTP(w, q)
	var e struct {
		Status  bool
		Message string
		Result  json.RawMessage
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		ok(t, json.Unmarshal(w.Body.Bytes(), &e))
		if into != nil && e.Status {
			ok(t, json.Unmarshal(e.Result, into))
		}
	} else if s, is := into.(*string); is {
		*s = w.Body.String()
	}
	return w.Code, e.Message
}

func (l *ledger) want(t testing.TB, method, path string, body, into any) {
	t.Helper()
	if status, message := l.call(t, method, path, body, into); status != 200 {
		t.Fatalf("%s %s answered %d: %s", method, path, status, message)
	}
}

// to moves the clock to an instant.
func (l *ledger) to(at time.Time) { l.clk.Set(at) }

func (l *ledger) ms() int64 { return l.now() }

// input lets a profile use n of input, and store as many points.
func (l *ledger) input(t testing.TB, p id.Profile, n int64) {
	t.Helper()
	done, err := l.use.TakeIngest(sqldb.As(t.Context(), p), []usage.IngestTake{{Profile: p, Input: n, Records: n}}, usage.DeviceInput{Profile: p, Device: "0123456789abcdef01234567", Input: n})
	ok(t, err)
	if !done[0] {
		t.Fatal("it did not fit")
	}
}

func (l *ledger) take(t testing.TB, p id.Profile, svc plan.Service, n int64) {
	t.Helper()
	ok(t, l.db.Tx(sqldb.As(t.Context(), p), func(ctx context.Context) error { return l.use.Take(ctx, p, svc, n) }))
}

func (l *ledger) charge(t testing.TB, cs ...Charge) []Charge {
	t.Helper()
	for i := range cs {
		if cs[i].Currency == "" {
			cs[i].Currency = "usd"
		}
		if cs[i].Key == "" {
			cs[i].Key = fmt.Sprint("test ", ledgerEmails.Add(1))
		}
	}
	made, err := l.AddCharges(t.Context(), cs...)
	ok(t, err)
	return made
}

// allocate posts shares of one service.
func (l *ledger) allocate(t testing.TB, svc plan.Service, shares map[id.Profile]int64) {
	t.Helper()
	rows := []map[string]any{}
	for _, p := range slices.Sorted(maps.Keys(shares)) {
		rows = append(rows, map[string]any{"profile": p, string(svc): plan.Wire(svc, shares[p])})
	}
	l.want(t, "POST", "/account/allocation", rows, nil)
}

// sums are lines as "kind item profile" → micro-units.
func sums(c Cost, names map[id.Profile]string) map[string]int64 {
	out := map[string]int64{}
	for _, x := range c.Lines {
		out[strings.TrimRight(fmt.Sprintf("%s %s %s", x.Kind, x.Item, names[x.Profile]), " ")] += x.Micro
	}
	maps.DeleteFunc(out, func(_ string, n int64) bool { return n == 0 }) // on days that cancel each other
	return out
}

func wantSums(t *testing.T, c Cost, names map[id.Profile]string, want map[string]int64) {
	t.Helper()
	got := sums(c, names)
	if !maps.Equal(got, want) {
		t.Errorf("it costs %v, want %v", got, want)
	}
	if !c.AddsUp() {
		t.Errorf("%v does not add up to %v", c.Total, c.Charged)
	}
}

func TestCostByAllocation(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "scale", "UTC")
		q := l.profile(t, a.ID)
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.charge(t,
			Charge{Account: a.ID, Kind: PlanFee, Item: "scale", Cents: 19900, Start: from, End: to},
			Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: 744, Start: from, End: to},
			Charge{Account: a.ID, Kind: AddonFee, Item: "custom_dns", Profile: q, Cents: 744, Start: from, End: to},
			Charge{Account: a.ID, Kind: Discount, Item: "For a year", Cents: -744, Start: from, End: to})
		l.allocate(t, plan.Input, map[id.Profile]int64{p: 500_000, q: 250_000})
		names := map[id.Profile]string{p: "p", q: "q"}
		l.to(march.Add(10*time.Hour + 30*time.Minute))
		c, err := l.cost(t.Context(), a.ID, from, to, ByAllocation)
		ok(t, err)
		// Until the second profile was there and the owner had posted, all of it was at the start of hour 0: nothing moved since.
		wantSums(t, c, names, map[string]int64{
			"plan scale": 10 * 199_000_000 / 744, "service input p": 50_000, "service input q": 25_000, "unallocated input": 25_000,
			"addon custom_dns q": 100_000, "discount For a year": -100_000,
		})
		l.allocate(t, plan.Input, map[id.Profile]int64{q: 500_000})
		l.to(march.Add(20 * time.Hour))
		c, err = l.costOf(t.Context(), a, from, to, ByAllocation, false)
		ok(t, err)
		// The change at half past ten counts from eleven on: hour 10 is shared as it began.
		wantSums(t, c, names, map[string]int64{
			"plan scale": 20 * 199_000_000 / 744, "service input p": 100_000, "service input q": 25_000 + 2_500 + 45_000, "unallocated input": 25_000 + 2_500,
			"addon custom_dns q": 200_000, "discount For a year": -200_000,
		})
		ok(t, l.profiles.Delete(t.Context(), l.who, string(q), "correct horse battery"))
		l.to(march.Add(22 * time.Hour))
		c, err = l.costOf(t.Context(), a, from+20*hour, to, ByAllocation, false)
		ok(t, err)
		wantSums(t, c, names, map[string]int64{ // whoever remains alone has the whole pool; q was there when hour 20 began
			"plan scale": 22*199_000_000/744 - 20*199_000_000/744, "service input p": 20_000, "addon custom_dns q": 20_000, "discount For a year": -20_000,
		})
	})
}

func TestCostByUse(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "house", "UTC")
		q := l.profile(t, a.ID)
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.charge(t,
			Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: 744, Start: from, End: to},
			Charge{Account: a.ID, Kind: ServiceFee, Item: "data_records", Cents: 744, Start: from, End: to})
		names := map[id.Profile]string{p: "p", q: "q"}
		l.to(march.Add(10 * time.Minute))
		l.input(t, p, 30)
		l.to(march.Add(50 * time.Minute))
		l.input(t, q, 10)
		l.to(march.Add(90 * time.Minute))
		l.input(t, q, 5) // in hour 1
		l.to(march.Add(3 * time.Hour))
		ok(t, l.Rate(t.Context()))
		cost := func() Cost {
			c, err := l.costOf(t.Context(), a, from, to, ByUse, true)
			ok(t, err)
			return c
		}
		// Hour 2 has been over for less than five minutes.
		wantSums(t, cost(), names, map[string]int64{"service input p": 7_500, "service input q": 2_500 + 10_000,
			"service data_records p": 7_500 + 30*10_000/45 + 1, "service data_records q": 2_500 + 15*10_000/45})
		l.to(march.Add(3*time.Hour + 5*time.Minute))
		for range 2 { // once more does nothing
			ok(t, l.Rate(t.Context()))
		}
		want := map[string]int64{"service input p": 7_500, "service input q": 2_500 + 10_000, "unallocated input": 10_000,
			"service data_records p": 7_500 + 2*6_667, "service data_records q": 2_500 + 2*3_333}
		wantSums(t, cost(), names, want)
		t.Run("a charge made later is rated from its start", func(t *testing.T) {
			l.charge(t, Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: -744, Start: from, End: to})
			ok(t, l.Rate(t.Context()))
			delete(want, "service input p")
			delete(want, "service input q")
			delete(want, "unallocated input")
			c := cost()
			wantSums(t, c, names, want)
		})
		t.Run("it catches up after a pause, over days and the end of the charge", func(t *testing.T) {
			l.to(march.AddDate(0, 1, 2))
			ok(t, l.Rate(t.Context()))
			c := cost()
			if !c.AddsUp() || c.Total["usd"] != 7_440_000 || len(c.Lines) != 62 {
				t.Errorf("%d lines add up to %v, the charges to %v", len(c.Lines), c.Total, c.Charged)
			}
			whole, err := l.costOf(t.Context(), a, from, to, ByUse, false)
			ok(t, err)
			if !maps.Equal(sums(whole, names), sums(c, names)) {
				t.Errorf("by day it costs %v, as a whole %v", sums(c, names), sums(whole, names))
			}
		})
		l.verified(t)
	})
}

// verified fails when anything is found wrong.
func (l *ledger) verified(t testing.TB) {
	t.Helper()
	found, err := l.VerifyCost(t.Context())
	ok(t, err)
	for _, f := range found {
		t.Error(f)
	}
}

func TestFigure(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "house", "UTC")
		l.to(march.Add(36*time.Hour + 20*time.Minute))
		put := func(amount int64, shares map[string]int64) {
			t.Helper()
			l.want(t, "PUT", "/account/cost/figure", map[string]any{"amount": amount, "currency": "EUR", "shares": shares}, nil)
		}
		charges := func() (out []string) {
			cs, err := l.Charges(t.Context(), a.ID, 0, march.AddDate(1, 0, 0).UnixMilli())
			ok(t, err)
			for _, c := range cs {
				out = append(out, fmt.Sprintf("%s %d from %d to %d", c.Item, c.Cents, (c.Start-march.UnixMilli())/hour, (c.End-march.UnixMilli())/hour))
			}
			slices.Sort(out)
			return out
		}
		same := func(want ...string) {
			t.Helper()
			if got := charges(); !slices.Equal(got, want) {
				t.Errorf("the charges are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		put(7440, map[string]int64{"input": 75, "data_records": 25})
		first := []string{"data_records 1860 from 0 to 744", "input 5580 from 0 to 744"}
		same(first...)
		put(7440, map[string]int64{"input": 75, "data_records": 25})
		same(first...)
		put(14880, map[string]int64{"input": 100})
		second := []string{"data_records -1768 from 37 to 744", "data_records 1860 from 0 to 744", "input -5303 from 37 to 744", "input 14140 from 37 to 744", "input 5580 from 0 to 744"}
		same(second...)
		put(7440, map[string]int64{"input": 100}) // in the same hour
		third := append(slices.Clone(second), "input -14140 from 37 to 744", "input 7070 from 37 to 744")
		slices.Sort(third)
		same(third...)
		ok(t, l.ChargeFigures(t.Context()))
		same(third...)
		l.to(march.AddDate(0, 1, 0).Add(time.Minute))
		for range 2 {
			ok(t, l.ChargeFigures(t.Context()))
		}
		fourth := append(slices.Clone(third), "input 7440 from 744 to 1464")
		slices.Sort(fourth)
		same(fourth...)
		l.input(t, p, 1)
		l.to(march.AddDate(0, 1, 10))
		l.want(t, "DELETE", "/account/cost/figure", nil, nil)
		fifth := append(slices.Clone(fourth), "input -4950 from 985 to 1464")
		slices.Sort(fifth)
		same(fifth...)
		if status, message := l.call(t, "DELETE", "/account/cost/figure", nil, nil); status != 404 || message != "Figure Not Found" {
			t.Error(status, message)
		}
		l.to(march.AddDate(0, 4, 0))
		ok(t, l.ChargeFigures(t.Context()))
		same(fifth...)
		l.verified(t)
		for body, want := range map[string]string{
			`{"amount":0,"currency":"EUR","shares":{"input":100}}`:                "amount: must be from 1",
			`{"amount":5,"currency":"euro","shares":{"input":100}}`:               "currency: must be",
			`{"amount":5,"currency":"EUR","shares":{}}`:                           "shares: must say",
			`{"amount":5,"currency":"EUR","shares":{"input":99}}`:                 "shares: must be 100 per cent together, these are 99",
			`{"amount":5,"currency":"EUR","shares":{"input":101,"sms":-1}}`:       "shares.",
			`{"amount":5,"currency":"EUR","shares":{"water":100}}`:                "shares.water: is no service",
			`{"amount":5,"currency":"EUR","shares":{"dashboard_output":100}}`:     "shares.dashboard_output: is no service",
			`{"amount":1000000000000000,"currency":"EUR","shares":{"input":100}}`: "amount: must be from 1",
			`{"amount":"much","currency":"EUR","shares":{"input":100}}`:           "amount",
			`{"amount":5,"currency":"EUR","shares":{"input":99.5,"sms":0.5}}`:     "shares",
			`{"amount":5,"currency":"EUR","shares":{"input":1e30,"sms":-1e30}}`:   "shares",
		} {
			if status, message := l.call(t, "PUT", "/account/cost/figure", json.RawMessage(body), nil); status != 400 || !strings.HasPrefix(message, want) {
				t.Errorf("%s: %d %s", body, status, message)
			}
		}
	})
}

// TestCostRandom is that everything always adds up: random histories of charges, allocations, profiles that come, go and change
// hands, and use, over cycles in time zones with odd hours.
func TestCostRandom(t *testing.T) {
	sqldbtest.Each(t, ledgerSources, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(t, db, march)
		other, _ := l.account(t, "scale", "UTC")
		if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue { // few where nobody asks for more: each is a long history
			ok(t, checks.Value.Set("12"))
			t.Cleanup(func() { checks.Value.Set(checks.DefValue) })
		}
		rapid.Check(t, func(r *rapid.T) { l.randomHistory(t, r, other) })
	})
}

var randomZones = []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"}

func (l *ledger) randomHistory(t *testing.T, r *rapid.T, other account.Account) {
	ctx := t.Context()
	acc, first := l.account(t, rapid.SampledFrom([]string{"scale", "house"}).Draw(r, "plan"), rapid.SampledFrom(randomZones).Draw(r, "zone"))
	living := []id.Profile{first}
	began := l.ms()
	services := []plan.Service{plan.Input, plan.DataRecords, plan.SMS}
	for range rapid.IntRange(8, 25).Draw(r, "steps") {
		now := l.ms()
		from, to := usage.Cycle(acc, now)
		grid := from + (now-from)/hour*hour
		switch rapid.SampledFrom([]string{"charge", "charge", "use", "use", "use", "allocate", "allocate", "create", "delete", "hand over", "wait", "wait", "wait", "rate", "figure", "give back"}).Draw(r, "step") {
		case "charge":
			c := Charge{Account: acc.ID, Kind: rapid.SampledFrom([]Kind{PlanFee, ServiceFee, ServiceFee, ServiceFee, AddonFee, Discount}).Draw(r, "kind"),
				Cents: rapid.Int64Range(1, 200_000).Draw(r, "cents"), Start: rapid.SampledFrom([]int64{from, grid, min(grid+hour, to-quarter)}).Draw(r, "start"), End: to}
			switch c.Kind {
			case ServiceFee:
				c.Item = string(rapid.SampledFrom(services).Draw(r, "service"))
			case AddonFee:
				c.Item, c.Profile = "mobile", living[0]
			case Discount:
				c.Cents = -c.Cents
			}
			if c.Start < c.End {
				l.charge(t, c)
			}
		case "give back":
			cs, err := l.Charges(ctx, acc.ID, now, to)
			ok(t, err)
			for _, c := range cs {
				if at := grid + hour; at < c.End && c.Cents > 0 && c.Kind != Figure {
					back := c
					back.ID, back.Key, back.Cents, back.Start, back.GivesBack = "", "back "+string(c.ID), -c.left(at), max(at, c.Start), c.ID
					l.charge(t, back)
					break
				}
			}
		case "use":
			p := rapid.SampledFrom(living).Draw(r, "profile")
			n := rapid.Int64Range(1, 50).Draw(r, "units")
			done, err := l.use.TakeIngest(sqldb.As(ctx, p), []usage.IngestTake{{Profile: p, Input: n, Records: n}}, usage.DeviceInput{Profile: p, Device: "0123456789abcdef01234567", Input: n})
			ok(t, err)
			_ = done // what does not fit is not used
			l.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error { return l.use.Take(ctx, p, plan.SMS, 1) })
		case "allocate":
			if len(living) > 1 {
				svc := rapid.SampledFrom(services).Draw(r, "service")
				l.call(t, "POST", "/account/allocation", []map[string]any{{"profile": rapid.SampledFrom(living).Draw(r, "profile"), string(svc): rapid.Int64Range(0, 10).Draw(r, "amount")}}, nil)
			}
		case "create":
			if len(living) < 5 {
				if p, err := l.profiles.Create(ctx, system, profile.CreateInput{Name: "App", Account: acc.ID}); err == nil {
					living = append(living, p.ID)
				}
			}
		case "delete":
			if len(living) > 1 {
				ok(t, l.profiles.Delete(ctx, l.who, string(living[1]), "correct horse battery"))
				living = slices.Delete(living, 1, 2)
			}
		case "hand over":
			if len(living) > 2 && l.handOver(t, living[1], other.ID) {
				living = slices.Delete(living, 1, 2)
			}
		case "figure":
			l.call(t, "PUT", "/account/cost/figure", map[string]any{"amount": rapid.Int64Range(1, 10_000).Draw(r, "amount"), "currency": "usd", "shares": map[string]any{"input": 100}}, nil)
		case "rate":
			ok(t, l.ChargeFigures(ctx))
			ok(t, l.Rate(ctx))
		}
		l.clk.Advance(time.Duration(rapid.SampledFrom([]int64{1, 7, 45, 60, 300, 3000, 20_000}).Draw(r, "minutes")) * time.Minute)
	}
	l.clk.Advance(40 * 24 * time.Hour)
	ok(t, l.Rate(ctx))
	for at := began; at < l.ms(); {
		from, to := usage.Cycle(acc, at)
		at = to
		charges, err := l.Charges(ctx, acc.ID, from, to)
		ok(t, err)
		var want int64
		for _, c := range charges {
			if c.Start < from || c.End > to {
				r.Fatalf("a charge lies across the end of a cycle")
			}
			want += c.Cents * microPerCent
		}
		for _, basis := range []Basis{ByAllocation, ByUse} {
			var last []map[string]int64
			for _, days := range []bool{true, false} {
				c, err := l.costOf(ctx, acc, from, to, basis, days)
				ok(t, err)
				if got := c.Total["usd"]; got != want || !c.AddsUp() {
					r.Fatalf("by %s, days %v: the lines add up to %d, the hours to %d, the charges to %d", basis, days, got, c.Charged["usd"], want)
				}
				names := map[id.Profile]string{}
				for _, o := range c.Profiles {
					names[o.Profile] = string(o.Profile)
				}
				last = append(last, sums(c, names))
				for _, how := range []Spread{SpreadEven, SpreadCost} {
					c.spread(how)
					var n int64
					for _, x := range c.Lines {
						n += x.Micro
						if x.Profile == "" && len(c.Profiles) > 0 {
							r.Fatalf("spread %s leaves %+v", how, x)
						}
					}
					if n != want {
						r.Fatalf("spread %s adds up to %d, not %d", how, n, want)
					}
				}
			}
			if !maps.Equal(last[0], last[1]) {
				r.Fatalf("by %s it costs %v by days, %v as a whole", basis, last[0], last[1])
			}
		}
	}
	ok(t, l.verifyAccount(ctx, acc.ID, func(format string, args ...any) { r.Fatalf(format, args...) }))
	// In another time zone days are cut elsewhere, and everything still adds up.
	acc.Timezone = rapid.SampledFrom(randomZones).Draw(r, "zone")
	for _, basis := range []Basis{ByAllocation, ByUse} {
		c, err := l.costOf(ctx, acc, began-40*24*hour, l.ms(), basis, true)
		ok(t, err)
		charges, err := l.Charges(ctx, acc.ID, 0, math.MaxInt64)
		ok(t, err)
		var want int64
		for _, x := range charges {
			want += x.upTo(x.over(l.ms()))
		}
		if got := c.Total["usd"]; got != want || !c.AddsUp() {
			r.Fatalf("by %s, seen from another zone, it adds up to %d, the charges to %d", basis, got, want)
		}
	}
}

// handOver makes a profile another account's, and says whether that had room for it.
func (l *ledger) handOver(t testing.TB, p id.Profile, to id.Account) bool {
	t.Helper()
	_, err := l.profiles.HandOver(t.Context(), system, p, to)
	if fault.Is(err, fault.LimitReached) {
		return false
	}
	ok(t, err)
	return true
}

// What adds up to nothing is no line, however lines are added up.
func TestNoLineOfNothing(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "scale", "UTC")
		q := l.profile(t, a.ID)
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.charge(t,
			Charge{Account: a.ID, Kind: AddonFee, Item: "mobile", Profile: p, Cents: 744, Start: from, End: to},
			Charge{Account: a.ID, Kind: AddonFee, Item: "mobile", Profile: q, Cents: -744, Start: from, End: to})
		l.to(march.AddDate(0, 0, 2))
		for group, want := range map[string]int{"service": 0, "service,day": 0, "profile,service": 2, "profile": 2} {
			var got costAnswer
			l.want(t, "GET", "/account/cost?from=2026-03-01&to=2026-03-31&group_by="+group, nil, &got)
			if len(got.Lines) != want || !got.AddsUp {
				t.Errorf("by %s there are %+v", group, got.Lines)
			}
		}
	})
}
