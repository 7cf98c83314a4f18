package billing

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
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
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

var randomHistories = flag.Int("histories", 9, "random histories of TestBillingRandom on each engine")

// market is a ledger with everything around it that an installation has: versions of the catalogue, terms that end, invoices and notices.
type market struct {
	*ledger
	versions   *plan.Versions
	catalogues [][]byte // that are put into force one for another
}

func newMarket(t testing.TB, db *sqldb.DB) *market {
	t.Helper()
	l := &ledger{db: db, clk: clock.NewManual(march)}
	m := &market{ledger: l, catalogues: marketCatalogues(t)}
	quiet := slog.New(slog.DiscardHandler)
	log := audit.New(db, l.clk)
	mailer, err := mail.New(db, mail.Config{Clock: l.clk})
	ok(t, err)
	sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	ok(t, err)
	files, err := blob.OpenFolder(t.TempDir())
	ok(t, err)
	t.Cleanup(func() { files.Close() })
	m.versions, err = plan.Open(t.Context(), db, l.clk, quiet)
	ok(t, err)
	plans := m.versions.Catalogue()
	l.accounts = account.New(db, log, mailer, account.Config{HashMemory: 64, Signup: account.Open, DefaultPlan: plans.Default, TermsUntil: plan.TermsUntil, Log: quiet,
		Plan: func(name string) (string, bool) {
			p, err := plans.Plan(name)
			return p.ReportAs, err == nil
		}}, l.clk)
	l.profiles = profile.New(db, l.accounts, plans, log, files, l.clk)
	tell := notify.New(db, l.accounts, l.profiles, log, mailer, sealer, notify.Config{Name: "Paddock", PublicURL: "https://paddock.test", Log: quiet}, l.clk)
	l.use = usage.New(db, l.profiles, l.accounts, log, l.clk)
	l.use.Fitting(m.versions.Fitting)
	l.Service = New(db, l.accounts, plans, l.profiles, l.use, tell, log, Config{Log: quiet}, l.clk)
	l.accounts.OnDelete(l.profiles.DeleteAll)
	l.accounts.OnDelete(tell.ForgetAccount)
	l.accounts.OnPlan(l.use.Refit)
	l.accounts.OnPlan(l.PlanChanged)
	l.http = web.NewServer(web.Config{Log: quiet, Clock: l.clk,
		Authenticate: func(context.Context, web.Credential) (auth.Caller, error) { return l.who, nil }},
		slices.Concat(l.use.Routes(), l.Routes())).Handler()
	m.apply(t, 0)
	return m
}

// marketCatalogues are the ledger's, one with other prices, one with other pools, one that sells less, and one in another currency.
func marketCatalogues(t testing.TB) [][]byte {
	t.Helper()
	base := ledgerCatalogue(t)
	with := func(changes ...string) []byte {
		out := base
		for i := 0; i < len(changes); i += 2 {
			if !bytes.Contains(out, []byte(changes[i])) {
				t.Fatalf("the catalogue has no %q", changes[i])
			}
			out = bytes.Replace(out, []byte(changes[i]), []byte(changes[i+1]), 1)
		}
		return out
	}
	return [][]byte{base,
		with("price: 4900", "price: 5311", "price: 19900", "price: 21103", "[3000000, 2000]", "[3000000, 2207]", "[100, 250]", "[100, 333]", "price: 9900", "price: 8801", "once: 200000", "once: 150001", "sms: false", "sms: true"),
		with("free: 1000000, starter: 1000000, scale: 1000000", "free: 500000, starter: 2000000, scale: 3000000", "starter: 800000", "starter: 600000", "starter: 10, scale: 10", "starter: 100, scale: 20"),
		with("    - {name: mobile, price: 9900, once: 200000}\n", "", "[3000000, 2000], ", "", "[100, 250], ", ""),
		with("currency: usd", "currency: eur", "price: 4900", "price: 4500"),
	}
}

func (m *market) apply(t testing.TB, n int) {
	t.Helper()
	_, err := m.versions.Apply(t.Context(), m.catalogues[n], plan.FromApply, m.accounts.PlanUsers)
	ok(t, err)
}

// jobs does all that servers do beside requests.
func (m *market) jobs(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	for _, job := range []func(context.Context) error{m.accounts.EndTerms, m.fit, m.Adopt, m.Renew, m.Tell, m.ChargeFigures, m.Rate, m.LookAtBudgets} {
		ok(t, job(ctx))
	}
}

func (m *market) fit(ctx context.Context) error {
	return m.versions.Fit(ctx, m.accounts.OnPlans, func(ctx context.Context, a id.Account) error { return m.accounts.Replan(ctx, system, a) })
}

// TestBillingRandom is that whatever happens to an account, its books are right: what owners and operators do to its plan, tiers, add-ons and
// limits, prices that change, allocations, profiles that come and go, use, invoices paid and taken back, statements, and a clock
// that runs over ends of cycles, months, and hours that summer time takes or gives.
func TestBillingRandom(t *testing.T) {
	sqldbtest.Each(t, append(slices.Clone(ledgerSources), plan.Migrations(), notify.Migrations()), func(t *testing.T, db *sqldb.DB) {
		m := newMarket(t, db)
		m.account(t, "house", "UTC") // the first runs the server
		operator := m.who
		operator.Operator = true
		checks := flag.Lookup("rapid.checks")
		was := checks.Value.String()
		ok(t, checks.Value.Set(fmt.Sprint(*randomHistories)))
		t.Cleanup(func() { checks.Value.Set(was) })
		rapid.Check(t, func(r *rapid.T) {
			h := &marketHistory{market: m, t: t, r: r, operator: operator, seen: map[id.Charge]Charge{}, cycles: map[stretch]bool{}}
			h.run()
		})
		m.verified(t)
		var steps []string
		for _, name := range slices.Sorted(maps.Keys(stepsDone)) {
			steps = append(steps, fmt.Sprintf("%s %d", name, stepsDone[name]))
		}
		t.Logf("%d histories so far: %s", stepsDone["history"], strings.Join(steps, ", "))
	})
}

// stepsDone counts what happened in histories, and what was refused.
var stepsDone = map[string]int{}

// marketHistory is one of an account.
type marketHistory struct {
	*market
	t        *testing.T
	r        *rapid.T
	operator auth.Caller
	acc      account.Account
	first    id.Profile
	began    int64
	seen     map[id.Charge]Charge
	cycles   map[stretch]bool
}

var marketSteps = []string{
	"use", "plan", "use", "tier", "use", "add-ons", "allocate", "create", "plan", "tier", "catalogue", "override", "delete", "plan by the operator", "cancel", "allocate",
	"release", "end of an override", "override", "zone", "figure", "pay", "void", "card", "statements", "correction", "jobs", "rate", "renew", "wait", "wait",
}

func (h *marketHistory) run() {
	t, r := h.t, h.r
	defer func() { stepsDone["history"]++ }()
	// A history begins where others do, in a later year, so that it comes out again.
	next := time.Date(clock.FromMillis(h.ms()).Year()+1, 3, 1, 0, 0, 0, 0, time.UTC)
	h.apply(t, 0)
	h.to(next)
	h.jobs(t)
	h.config.Payment = rapid.SampledFrom([]Payment{ManualPayment, ManualPayment, NoPayment}).Draw(r, "payment")
	h.acc, h.first = h.account(t, rapid.SampledFrom([]string{"house", "free", "starter", "scale"}).Draw(r, "plan at first"), rapid.SampledFrom(randomZones).Draw(r, "zone at first"))
	ok(t, h.Begin(t.Context(), system, h.acc.ID))
	h.began = h.ms()
	for range rapid.IntRange(15, 40).Draw(r, "steps") {
		step := rapid.SampledFrom(marketSteps).Draw(r, "step")
		err := h.step(step)
		stepsDone[step+map[bool]string{true: "", false: " (refused)"}[err == nil]]++
		if err != nil {
			for _, code := range []fault.Code{fault.Invalid, fault.Conflict, fault.LimitReached, fault.NotFound} {
				if fault.Is(err, code) {
					err = nil
				}
			}
			if err != nil {
				r.Fatalf("%s: %v", step, err)
			}
		}
		h.remember()
		h.wait()
	}
	h.clk.Set(clock.FromMillis((h.ms()+40*24*hour)/quarter*quarter + 7*60_000)) // no hour has been over for less than five minutes
	h.jobs(t)
	h.jobs(t) // another time there is nothing to do
	h.remember()
	h.check()
	h.checkOnce()
	h.rateAnew()
	if h.config.Payment == ManualPayment {
		h.checkInvoices()
	}
	h.findings()
	// It goes, so that no other history renews it.
	_, err := h.accounts.Delete(t.Context(), h.who, account.Proof{Password: "correct horse battery"})
	ok(t, err)
	h.findings()
}

// wait moves the clock: within an hour, over hours, to the end of the cycle or just before it, to one of the days on which hours are
// taken or given, or over months.
func (h *marketHistory) wait() {
	st, err := h.read(h.t.Context(), h.acc.ID)
	ok(h.t, err)
	h.cycles[st.cycle] = true
	now := h.ms()
	to := now
	switch rapid.SampledFrom([]string{"minutes", "minutes", "minutes", "hours", "hours", "days", "just before the end", "the end", "after the end", "summer time", "months"}).Draw(h.r, "wait") {
	case "minutes":
		to += rapid.Int64Range(0, 50).Draw(h.r, "minutes") * 60_000
	case "hours":
		to += rapid.Int64Range(1, 40).Draw(h.r, "hours") * hour
	case "days":
		to += rapid.Int64Range(1, 12).Draw(h.r, "days") * 24 * hour
	case "just before the end":
		to = st.cycle.to - 1
	case "the end":
		to = st.cycle.to
	case "after the end":
		to = st.cycle.to + rapid.Int64Range(1, 200).Draw(h.r, "minutes")*60_000
	case "summer time":
		if _, end := clock.FromMillis(now).In(st.acc.Location()).ZoneBounds(); !end.IsZero() && end.UnixMilli() < now+70*24*hour {
			to = end.UnixMilli() - rapid.Int64Range(-3, 3).Draw(h.r, "quarters")*quarter
		}
	case "months":
		if rapid.IntRange(0, 3).Draw(h.r, "long") == 0 {
			to += rapid.Int64Range(30, 100).Draw(h.r, "days") * 24 * hour
		}
	}
	h.clk.Set(clock.FromMillis(max(now, to)))
}

func (h *marketHistory) living() []id.Profile {
	ps, err := h.profiles.List(h.t.Context(), h.acc.ID)
	ok(h.t, err)
	var out []id.Profile
	for _, p := range ps {
		out = append(out, p.ID)
	}
	slices.Sort(out)
	return out
}

func (h *marketHistory) step(name string) error {
	ctx, r, a := h.t.Context(), h.r, h.acc.ID
	living := h.living()
	someone := func() id.Profile { return rapid.SampledFrom(living).Draw(r, "profile") }
	asked := func(w wish) error { // now and then again with the same key
		req := request{}
		if rapid.Bool().Draw(r, "key") {
			req = request{key: fmt.Sprint("key ", ledgerEmails.Add(1)), body: "x"}
		}
		answer, err := h.ask(ctx, h.who, req, w)
		if req.key != "" && err == nil {
			if again, err := h.ask(ctx, h.who, req, w); err != nil || again != answer {
				r.Fatalf("a repeated request is answered %q, %v, not %q", again, err, answer)
			}
		}
		return err
	}
	services := []plan.Service{plan.Input, plan.DataRecords, plan.SMS}
	switch name {
	case "plan":
		return asked(wish{plan: rapid.SampledFrom([]string{"free", "starter", "scale", "scale"}).Draw(r, "plan")})
	case "tier":
		svc := rapid.SampledFrom(services).Draw(r, "service")
		tiers := h.plans.Tiers(svc)
		return asked(wish{services: map[plan.Service]int64{svc: tiers[rapid.IntRange(0, min(4, len(tiers)-1)).Draw(r, "tier")].Amount}})
	case "add-ons":
		who := rapid.SliceOfNDistinct(rapid.SampledFrom(living), 0, len(living), func(p id.Profile) id.Profile { return p }).Draw(r, "profiles")
		return asked(wish{addons: map[string][]id.Profile{rapid.SampledFrom([]string{"custom_dns", "mobile"}).Draw(r, "add-on"): who}})
	case "cancel":
		return h.cancelLater(ctx, h.who)
	case "plan by the operator":
		_, err := h.SetPlan(ctx, h.operator, a, rapid.SampledFrom([]string{"house", "free", "starter", "scale"}).Draw(r, "plan"), rapid.Bool().Draw(r, "charge"), "Because")
		return err
	case "override", "end of an override":
		o := plan.Override{Kind: plan.OverrideService, Name: string(rapid.SampledFrom(services).Draw(r, "service")), Reason: "Because", By: string(h.operator.AccountID), At: h.ms(),
			Amount: rapid.SampledFrom([]int64{0, 40, 1000, 2_000_000, plan.Unlimited}).Draw(r, "amount")}
		if days := rapid.Int64Range(-3, 20).Draw(r, "days"); days > 0 {
			o.Until = h.ms() + days*24*hour + 60_000
		}
		_, err := h.override(ctx, h.operator, a, o, name != "override")
		return err
	case "catalogue":
		h.apply(h.t, rapid.IntRange(0, len(h.catalogues)-1).Draw(r, "catalogue"))
	case "allocate":
		svc := rapid.SampledFrom(services).Draw(r, "service")
		row := map[string]any{"profile": someone(), string(svc): rapid.Int64Range(0, 30).Draw(r, "amount")}
		if status, message := h.call(h.t, "POST", "/account/allocation", []any{row}, nil); status >= 500 {
			r.Fatalf("allocate: %d %s", status, message)
		}
	case "create":
		if len(living) < 5 {
			_, err := h.profiles.Create(ctx, h.who, profile.CreateInput{Name: "App", Account: a, AllocateFree: rapid.Bool().Draw(r, "free resources")})
			return err
		}
	case "delete":
		for _, p := range living {
			if p != h.first {
				return h.profiles.Delete(ctx, h.who, string(p), "correct horse battery")
			}
		}
	case "use":
		p, n := someone(), rapid.Int64Range(1, 50).Draw(r, "units")
		_, err := h.use.TakeIngest(sqldb.As(ctx, p), []usage.IngestTake{{Profile: p, Input: n, Records: n}}, usage.DeviceInput{Profile: p, Device: "0123456789abcdef01234567", Input: n})
		if err != nil {
			return err // what does not fit is not used
		}
		return h.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error { return h.use.Take(ctx, p, plan.SMS, 1) })
	case "release":
		p := someone()
		return h.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
			c, _, err := sqldb.One(ctx, h.db, sqldb.Value[int64], `SELECT data_records_used FROM counter WHERE profile_id = $1`, string(p))
			if n := min(c, 10); err == nil && n > 0 {
				err = h.use.Release(ctx, p, plan.DataRecords, n)
			}
			return err
		})
	case "jobs":
		h.market.jobs(h.t)
	case "rate":
		return h.Rate(ctx)
	case "renew":
		return h.Renew(ctx)
	case "zone":
		zone := rapid.SampledFrom(randomZones).Draw(r, "zone")
		_, err := h.accounts.Update(ctx, h.who, account.Update{Timezone: &zone})
		return err
	case "figure":
		return h.SetFigure(ctx, h.who, a, OwnFigure{Amount: rapid.Int64Range(1, 10_000).Draw(r, "amount"), Currency: "usd", Shares: map[plan.Service]int64{plan.Input: 60, plan.DataRecords: 40}})
	case "pay", "void":
		xs, err := h.invoices(ctx, a, "", 0, 5, 0)
		if err != nil || len(xs) == 0 {
			return err
		}
		x := rapid.SampledFrom(xs).Draw(r, "invoice")
		if name == "pay" {
			_, err = h.markPaid(ctx, h.operator, x.ID, "")
		} else {
			_, err = h.void(ctx, h.operator, x.ID, "Because")
		}
		return err
	case "card":
		terms := Terms{Name: "Card", Profile: someone(), Currency: "USD", Fee: rapid.Int64Range(0, 10_000).Draw(r, "fee"), TaxBP: 1900,
			Services: map[plan.Service]UnitPrice{plan.Input: {Price: 12_345, Per: 7, Included: 3}, plan.DataRecords: {Price: 999, Per: 1}}}
		if rapid.Bool().Draw(r, "passes cost on") {
			terms.Markup = &Markup{BP: 1250, Basis: rapid.SampledFrom([]Basis{ByUse, ByAllocation}).Draw(r, "basis")}
		}
		_, err := h.AddCard(ctx, h.who, terms)
		return err
	case "statements":
		_, err := h.Issue(ctx, h.who, clock.FromMillis(h.ms()).AddDate(0, -rapid.IntRange(1, 3).Draw(r, "months ago"), 0).Format("2006-01"), nil)
		return err
	case "correction":
		of, found, err := sqldb.One(ctx, h.db, sqldb.Value[id.Statement], `SELECT id FROM statement WHERE account = $1 ORDER BY number DESC LIMIT 1`, string(a))
		if err != nil || !found {
			return err
		}
		_, err = h.Correct(ctx, h.who, of, Correction{Text: "Because", Cents: rapid.Int64Range(-500, 500).Draw(r, "cents")}, rapid.Bool().Draw(r, "own"))
		return err
	}
	return nil
}

func (h *marketHistory) charges() []Charge {
	cs, err := h.Charges(h.t.Context(), h.acc.ID, 0, math.MaxInt64)
	ok(h.t, err)
	return cs
}

// remember compares charges with what they were: none is ever changed.
func (h *marketHistory) remember() {
	now := map[id.Charge]Charge{}
	for _, c := range h.charges() {
		now[c.ID] = c
	}
	for i, c := range h.seen {
		if now[i] != c {
			h.r.Fatalf("charge %+v has become %+v", c, now[i])
		}
	}
	h.seen = now
	for _, c := range now {
		of, gives := now[c.GivesBack]
		switch {
		case c.GivesBack == "":
		case !gives:
			h.r.Fatalf("%+v gives back what is not there", c)
		case of.Currency != c.Currency || of.Kind != c.Kind || of.Item != c.Item || of.Profile != c.Profile || of.End != c.End || c.Start < of.Start:
			h.r.Fatalf("%+v gives back of %+v", c, of)
		}
	}
}

// check is that cycles cost what their charges are worth, by whatever they are shared.
func (h *marketHistory) check() {
	ctx, r, now := h.t.Context(), h.r, h.ms()
	acc, err := h.accounts.Get(ctx, h.acc.ID)
	ok(h.t, err)
	st, err := h.load(ctx, acc.ID, nil)
	ok(h.t, err)
	if st.row && st.cycle.to <= now {
		r.Fatalf("the cycle until %d was not renewed", st.cycle.to)
	}
	for at := h.began; at < now; {
		from, to := usage.Cycle(acc, at)
		h.cycles[stretch{from, to}] = true
		at = to
	}
	for _, c := range h.seen {
		h.cycles[stretch{c.Start, c.End}] = true
	}
	h.cycles[stretch{h.began - 62*24*hour, now + 62*24*hour}] = true
	for _, cycle := range slices.SortedFunc(maps.Keys(h.cycles), func(a, b stretch) int { return int((a.from-b.from)/hour + (a.to-b.to)/hour) }) {
		want, inside := map[string]int64{}, true
		for _, c := range h.seen {
			if c.End <= cycle.from || c.Start >= cycle.to {
				continue
			}
			inside = inside && cycle.from <= c.Start && c.End <= cycle.to
			for k := range c.hours() { // one by one, and nothing clever
				if at := c.Start + k*hour; cycle.from <= at && at < cycle.to && min(at+hour, c.End) <= now {
					want[c.Currency] += mulDiv(c.Cents*microPerCent, k+1, c.hours()) - mulDiv(c.Cents*microPerCent, k, c.hours())
				}
			}
		}
		for _, basis := range []Basis{ByAllocation, ByUse} {
			var last map[string]int64
			for _, days := range []bool{true, false} {
				c, err := h.costOf(ctx, acc, cycle.from, cycle.to, basis, days)
				ok(h.t, err)
				got := map[string]int64{}
				for _, line := range c.Lines {
					if !slices.Contains(kindOrder, line.Kind) || line.Micro == 0 {
						r.Fatalf("%+v is no line", line)
					}
					got[line.Currency] += line.Micro
				}
				// By use a day counts where it begins: where charges lie across, days do.
				if !c.AddsUp() || (inside || basis == ByAllocation) && !equalSums(got, want) {
					r.Fatalf("by %s, days %v, from %d to %d: the lines add up to %v, the charges to %v", basis, days, cycle.from, cycle.to, got, want)
				}
				names := map[id.Profile]string{}
				for _, o := range c.Profiles {
					names[o.Profile] = string(o.Profile)
				}
				s := sums(c, names)
				if last != nil && !maps.Equal(last, s) {
					r.Fatalf("by %s, from %d to %d it costs %v by days, %v as a whole", basis, cycle.from, cycle.to, last, s)
				}
				last = s
			}
		}
	}
	// What counts is the plan with its terms.
	p, err := h.plans.Plan(acc.Plan)
	ok(h.t, err)
	terms, err := plan.ParseTerms(acc.Terms)
	ok(h.t, err)
	pools, err := h.use.PoolHistory(ctx, acc.ID, now, now+1)
	ok(h.t, err)
	for _, svc := range plan.Services {
		want := max(p.Pool.Of(svc), terms.Services[svc])
		for _, o := range terms.Overrides {
			if o.Kind == plan.OverrideService && o.Name == string(svc) && (o.Until == 0 || o.Until > now) {
				want = o.Amount
			}
		}
		if got := pools[len(pools)-1].Amounts.Of(svc); got != want || st.limit[svc] != want {
			r.Fatalf("the pool of %s is %d, the subscription shows %d; plan and terms say %d", svc, got, st.limit[svc], want)
		}
		if bought, there := terms.Services[svc]; there && bought != st.have.services[svc] && bought > p.Pool.Of(svc) && p.Price > 0 {
			r.Fatalf("%d of %s were bought, the subscription has %v", bought, svc, st.have.services)
		}
	}
}

func equalSums(a, b map[string]int64) bool {
	for k := range maps.Keys(a) {
		if a[k] != b[k] {
			return false
		}
	}
	for k := range maps.Keys(b) {
		if a[k] != b[k] {
			return false
		}
	}
	return true
}

// checkOnce is that nothing is paid for twice at a time, and no more given back than was paid: whatever was changed and taken back, the plan, a
// service that is prorated, and an add-on of a profile cost in each hour what one charge for it costs, or nothing.
func (h *marketHistory) checkOnce() {
	of := map[thing][]Charge{}
	for _, c := range h.seen {
		t := thing{c.Kind, c.Item, c.Profile}
		switch {
		case c.Kind == Figure || c.Item == string(plan.SMS) || strings.HasSuffix(c.Item, onceMark):
			continue
		case c.Kind == PlanFee:
			t.item = ""
		}
		of[t] = append(of[t], c)
	}
	for t, cs := range of {
		for _, x := range cs {
			// Cents an hour. A cent is lost to rounding, and an hour where a cycle that begins anew cuts those of the old one.
			var most, sum, rounded float64
			for _, c := range cs {
				if c.Start > x.Start || x.Start >= c.End {
					continue
				}
				rate := float64(c.Cents) / float64(c.hours())
				sum += rate
				rounded += (1 + math.Abs(rate)) / float64(c.hours())
				if c.GivesBack == "" {
					most = max(most, rate)
				}
			}
			if sum > most+rounded || sum < -rounded {
				h.r.Fatalf("from %d on %v costs %.3f cents an hour, where no charge is over more than %.3f", x.Start, t, sum, most)
			}
		}
	}
}

// rateAnew forgets what has been rated and rates everything once more, which comes to the same.
func (h *marketHistory) rateAnew() {
	ctx := h.t.Context()
	rated := func() []string {
		out, err := sqldb.All(ctx, h.db, sqldb.Value[string], `SELECT charge || ' ' || CAST(hours AS TEXT) || ' ' || shares FROM cost_rated WHERE account = $1 ORDER BY charge`, string(h.acc.ID))
		ok(h.t, err)
		return out
	}
	before := rated()
	ok(h.t, h.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := h.db.Exec(ctx, `DELETE FROM cost_use WHERE charge IN (SELECT charge FROM cost_rated WHERE account = $1)`, string(h.acc.ID)); err != nil {
			return err
		}
		_, err := h.db.Exec(ctx, `UPDATE cost_rated SET hours = $1, shares = $2, next_at = (SELECT CASE WHEN start_at + $3 < end_at THEN start_at + $4 ELSE end_at END FROM charge WHERE charge.id = cost_rated.charge)
			WHERE account = $5`, int64(0), "{}", hour, hour, string(h.acc.ID))
		return err
	}))
	ok(h.t, h.Rate(ctx))
	if after := rated(); !slices.Equal(before, after) {
		h.r.Fatalf("rated once more it is\n%v\nnot\n%v", after, before)
	}
}

// checkInvoices is that every charge for which one is asked is on one invoice, and invoices are their lines.
func (h *marketHistory) checkInvoices() {
	ctx := h.t.Context()
	on := map[id.Charge]int{}
	xs, err := h.invoices(ctx, h.acc.ID, "", 0, 1000, 0)
	ok(h.t, err)
	for _, x := range xs {
		lines, err := h.lines(ctx, x.ID)
		ok(h.t, err)
		var sum int64
		for _, c := range lines {
			on[c.ID]++
			sum += c.Cents
			if c.Currency != x.Currency || c.Account != x.Account {
				h.r.Fatalf("a line of invoice %+v is %+v", x, c)
			}
		}
		if sum != x.Cents || len(lines) == 0 {
			h.r.Fatalf("invoice %+v has %d lines over %d cents", x, len(lines), sum)
		}
	}
	for _, c := range h.seen {
		if want := map[bool]int{true: 0, false: 1}[c.Kind == Figure]; on[c.ID] != want {
			h.r.Fatalf("charge %+v is on %d invoices", c, on[c.ID])
		}
	}
}

// findings are those of paddock verify: none.
func (h *marketHistory) findings() {
	ctx, r := h.t.Context(), h.r
	ok(h.t, h.verifyAccount(ctx, h.acc.ID, func(format string, args ...any) { r.Fatalf(format, args...) }))
	statements, err := h.VerifyStatements(ctx)
	ok(h.t, err)
	invoices, err := h.VerifyInvoices(ctx)
	ok(h.t, err)
	for _, f := range append(statements, invoices...) {
		r.Fatal(f)
	}
	used, err := h.use.Verify(ctx)
	ok(h.t, err)
	for _, f := range used {
		r.Fatal(f)
	}
	owned, err := h.profiles.VerifyOwned(ctx)
	ok(h.t, err)
	for _, f := range owned {
		r.Fatal(f)
	}
}

// TestGivesBackInTheCurrencyThatWasPaid upgrades with ten of thirty days left, after the catalogue has come to another currency: what was
// paid is given back in that, on an invoice of its own.
func TestGivesBackInTheCurrencyThatWasPaid(t *testing.T) {
	sqldbtest.Each(t, append(slices.Clone(ledgerSources), plan.Migrations(), notify.Migrations()), func(t *testing.T, db *sqldb.DB) {
		m := newMarket(t, db)
		m.config.Payment = ManualPayment
		m.to(march.AddDate(0, 1, 0)) // April has thirty days
		a, _ := m.account(t, "starter", "UTC")
		ok(t, m.Begin(t.Context(), system, a.ID))
		m.apply(t, 4)
		m.to(march.AddDate(0, 1, 20))
		answer, err := m.ask(t.Context(), m.who, request{}, wish{plan: "scale"})
		ok(t, err)
		if want := "Subscription Successfully Updated: 66.33 EUR and -16.33 USD until 1 May 2026, on invoice 2"; answer != want {
			t.Errorf("%q, want %q", answer, want)
		}
		xs, err := m.invoices(t.Context(), a.ID, "", 0, 10, 0)
		ok(t, err)
		var got []string
		for _, x := range xs {
			lines, err := m.lines(t.Context(), x.ID)
			ok(t, err)
			got = append(got, fmt.Sprintf("%d %s %d %s, %d line in %s", x.Number, x.Status, x.Cents, x.Currency, len(lines), lines[0].Currency))
		}
		if want := []string{"3 credit -1633 usd, 1 line in usd", "2 open 6633 eur, 1 line in eur", "1 open 4900 usd, 1 line in usd"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		// Nothing is added up across them.
		var method methodResult
		m.want(t, "GET", "/account/payment_method", nil, &method)
		if want := (methodResult{Balance: balance{0, "eur"}, Balances: []balance{{1633, "usd"}}}); !reflect.DeepEqual(method, want) {
			t.Errorf("%+v, want %+v", method, want)
		}
		var now Subscription
		m.want(t, "GET", "/account/subscription", nil, &now)
		if want := []balance{{4900, "usd"}, {6633, "eur"}}; now.PastDue.Due != 4900 || now.PastDue.Currency != "usd" || !slices.Equal(now.PastDue.Amounts, want) ||
			!strings.HasSuffix(now.PastDue.URL, "/account/invoice/"+string(xs[2].ID)+"/page") {
			t.Errorf("%+v, want %v", now.PastDue, want)
		}
		due, err := m.PastDue(t.Context(), a.ID)
		ok(t, err)
		if want := []Due{{4900, "usd", xs[2].DueAt}, {6633, "eur", xs[1].DueAt}}; !slices.Equal(due[a.ID], want) {
			t.Errorf("%+v, want %+v", due[a.ID], want)
		}
		var prorated struct{ Addons []priceOf }
		m.want(t, "GET", "/pricing/prorated", nil, &prorated)
		if got := prorated.Addons[0]; got.Price != 3300 {
			t.Errorf("an add-on costs %+v more", got)
		}
		m.to(march.AddDate(0, 2, 3))
		m.jobs(t)
		m.verified(t)
		found, err := m.VerifyInvoices(t.Context())
		ok(t, err)
		if len(found) > 0 {
			t.Error(found)
		}
	})
}
