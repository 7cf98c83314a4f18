package plan

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/goccy/go-yaml"
)

//go:embed catalogue.yaml
var builtin []byte

// Plan is what an account may have.
type Plan struct {
	Name        string
	ReportAs    string             // free, starter or scale: the word the client of TagoIO is told
	Price       int64              // whole cents a month
	Pool        Amounts            // per account; dashboard_output is per profile
	Caps        map[Resource]int64 // Unlimited when there is none; never lacks a resource
	Rates       []Rate             // a route that is not here has no ceiling
	Transfer    bool               // profiles may be handed to another account
	AuditFilter bool               // the audit log may be filtered
	MessageOTP  bool               // one-time codes by SMS and e-mail, besides the authenticator
	RunSSO      bool               // single sign-on for end users

	of *content // where it stands; nil for one that With or the catalogue has not given out
}

// Cap is how many of r a profile (an account, for profiles) may have.
func (p Plan) Cap(r Resource) int64 { return p.Caps[r] }

// Rate is a ceiling on requests to one route, counted per profile and clock minute. What must answer when
// everything is used up has none.
type Rate struct {
	Group     string // the catalogue row it comes from
	Method    string // GET, POST, PUT, DELETE; MQTT and TIP for messages
	Pattern   string // /device/{id}
	Query     string // "query=aggregate": only requests with this parameter; "" for all others
	PerMinute int64
}

// Tier is an amount of a service and what it costs.
type Tier struct {
	Amount int64 // base units
	Price  int64 // whole cents a month
}

// Addon is bought for one profile at a time.
type Addon struct {
	Name  string
	Price int64 // whole cents a month
	Once  int64 // whole cents, when it is bought; usually 0
}

// Catalogue is every plan and price of an installation. Another version may take its place while the server runs (see
// Versions), so whoever needs several of its figures to be of one version asks for Now first.
type Catalogue struct{ now atomic.Pointer[content] }

// content is one version. It is never changed.
type content struct {
	version  int64 // 0 for one that is not stored
	fallback string
	currency string
	plans    []Plan
	addons   []Addon
	tiers    map[Service][]Tier
	routes   []Rate // of every row of rates, PerMinute left out
	whole    map[Service]bool
}

func catalogueOf(c *content) *Catalogue {
	out := &Catalogue{}
	out.now.Store(c)
	return out
}

// Now is the catalogue as it is at this instant; it stays so.
func (c *Catalogue) Now() *Catalogue { return catalogueOf(c.now.Load()) }

// Version numbers what is stored, from 1 on. It is 0 for a catalogue that is not.
func (c *Catalogue) Version() int64 { return c.now.Load().version }

// Default is the plan of an account that was given none.
func (c *Catalogue) Default() string { return c.now.Load().fallback }

// Currency is what prices are in: three lower-case letters.
func (c *Catalogue) Currency() string { return c.now.Load().currency }

// Prorated reports whether a larger tier of s, bought in mid-cycle, costs only the part of the cycle that is left. What is
// used up rather than held, such as SMS, costs the whole difference.
func (c *Catalogue) Prorated(s Service) bool { return !c.now.Load().whole[s] }

// group is the routes of a row of rates.
func (c *content) group(name string) (out []Rate) {
	for _, r := range c.routes {
		if r.Group == name {
			out = append(out, r)
		}
	}
	return out
}

// Groups are the rows of rates, each once, in the order of the catalogue.
func (c *Catalogue) Groups() []string {
	var out []string
	for _, r := range c.now.Load().routes {
		if len(out) == 0 || out[len(out)-1] != r.Group {
			out = append(out, r.Group)
		}
	}
	return out
}

// Rated are the routes that a row of rates names, with PerMinute 0.
func (c *Catalogue) Rated() []Rate { return slices.Clone(c.now.Load().routes) }

// Plan is the plan of that name; "" means the default. It returns an error for a name that the catalogue does
// not have, which happens when a catalogue file drops a plan that accounts still carry.
func (c *Catalogue) Plan(name string) (Plan, error) {
	now := c.now.Load()
	if name == "" {
		name = now.fallback
	}
	for _, p := range now.plans {
		if p.Name == name {
			p.of = now
			return p, nil
		}
	}
	return Plan{}, fmt.Errorf("the catalogue has no plan %q (it has %s)", name, strings.Join(now.names(), ", "))
}

// Names are the plans in the order of the catalogue.
func (c *Catalogue) Names() []string { return c.now.Load().names() }

func (c *content) names() []string {
	var names []string
	for _, p := range c.plans {
		names = append(names, p.Name)
	}
	return names
}

// Plans are the plans in the order of the catalogue.
func (c *Catalogue) Plans() []Plan { return slices.Clone(c.now.Load().plans) }

// Addons are what may be bought per profile.
func (c *Catalogue) Addons() []Addon { return slices.Clone(c.now.Load().addons) }

// Tiers are the amounts in which s is sold, smallest first.
func (c *Catalogue) Tiers(s Service) []Tier { return slices.Clone(c.now.Load().tiers[s]) }

// Builtin is the catalogue inside the binary. It panics if that is broken, which a test rules out.
func Builtin() *Catalogue {
	c, err := Parse(builtin)
	if err != nil {
		panic("built-in catalogue: " + err.Error())
	}
	return c
}

// columns is a row of the file: a value for each plan. Values stay untyped so that a wrong one is reported
// with its row, not with a type of ours.
type columns map[string]any

type file struct {
	Default    string             `yaml:"default"`
	Currency   string             `yaml:"currency"`
	Plans      []filePlan         `yaml:"plans"`
	Pool       map[string]columns `yaml:"pool"`
	PerProfile map[string]columns `yaml:"per_profile"`
	Caps       map[string]columns `yaml:"caps"`
	Rates      []fileRate         `yaml:"rates"`
	Prices     filePrices         `yaml:"prices"`
}

type filePlan struct {
	Name        string `yaml:"name"`
	ReportAs    string `yaml:"report_as"`
	Price       any    `yaml:"price"`
	Transfer    bool   `yaml:"transfer"`
	AuditFilter bool   `yaml:"audit_filter"`
	MessageOTP  bool   `yaml:"message_otp"`
	RunSSO      bool   `yaml:"run_sso"`
}

type fileRate struct {
	Group     string   `yaml:"group"`
	Routes    []string `yaml:"routes"`
	PerMinute columns  `yaml:"per_minute"`
}

type filePrices struct {
	Addons []struct {
		Name  string `yaml:"name"`
		Price any    `yaml:"price"`
		Once  any    `yaml:"once"`
	} `yaml:"addons"`
	Services map[string][][]any `yaml:"services"`
	Prorated map[string]bool    `yaml:"prorated"`
}

// ErrCatalogue lists everything wrong with a catalogue, a row each.
type ErrCatalogue struct{ Rows []string }

func (e *ErrCatalogue) Error() string { return strings.Join(e.Rows, "; ") }

// Parse reads and checks a catalogue. It returns an *ErrCatalogue that names every row at fault, or an error
// of the YAML itself with its line.
func Parse(text []byte) (*Catalogue, error) {
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s", yaml.FormatError(err, false, true))
	}
	r := &reader{file: f}
	c := r.catalogue()
	if len(r.faults) > 0 {
		return nil, &ErrCatalogue{Rows: r.faults}
	}
	return catalogueOf(c), nil
}

type reader struct {
	file   file
	faults []string
}

func (r *reader) fault(row, format string, args ...any) {
	r.faults = append(r.faults, row+": "+fmt.Sprintf(format, args...))
}

var planName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
var currency = regexp.MustCompile(`^[a-z]{3}$`)
var groupName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,63}$`)
var routeForm = regexp.MustCompile(`^(GET|POST|PUT|DELETE|MQTT|TIP) (/[A-Za-z0-9_{}/.-]*)(?:\?([a-z_]+=[a-z_]+))?$`)

func (r *reader) catalogue() *content {
	f := r.file
	c := &content{fallback: f.Default, currency: "usd", tiers: map[Service][]Tier{}}
	if f.Currency != "" {
		if c.currency = f.Currency; !currency.MatchString(f.Currency) {
			r.fault("currency", "%q must be three lower-case letters, such as usd", f.Currency)
		}
	}
	if len(f.Plans) == 0 {
		r.fault("plans", "there must be at least one")
	}
	at := map[string]int{}
	for i, p := range f.Plans {
		row := fmt.Sprintf("plans[%d]", i)
		if !planName.MatchString(p.Name) {
			r.fault(row+".name", "%q must be 1 to 32 lower-case letters, digits, - and _, a letter first", p.Name)
			continue
		}
		if _, twice := at[p.Name]; twice {
			r.fault(row+".name", "%q is there twice", p.Name)
			continue
		}
		if !slices.Contains([]string{"free", "starter", "scale"}, p.ReportAs) {
			r.fault(row+".report_as", "%q must be free, starter or scale, the words the client knows", p.ReportAs)
		}
		at[p.Name] = len(c.plans)
		c.plans = append(c.plans, Plan{
			Name: p.Name, ReportAs: p.ReportAs, Price: r.cents(row+".price", p.Price), Caps: map[Resource]int64{},
			Transfer: p.Transfer, AuditFilter: p.AuditFilter, MessageOTP: p.MessageOTP, RunSSO: p.RunSSO,
		})
	}
	if _, ok := at[f.Default]; !ok {
		r.fault("default", "%q is not one of the plans", f.Default)
	}

	pool := func(section string, rows map[string]columns, services []Service) {
		r.rows(section, rows, words(services))
		for _, s := range services {
			row := section + "." + string(s)
			r.each(row, rows[string(s)], at, func(plan string, v any) {
				n := r.quantity(row+"."+plan, v)
				if n < Unlimited {
					if n > Unlimited/Unit(s) {
						r.fault(row+"."+plan, "%d is too large: say unlimited", n)
						return
					}
					n *= Unit(s)
				}
				c.plans[at[plan]].Pool[Index(s)] = n
			})
		}
	}
	pool("pool", f.Pool, Services)
	pool("per_profile", f.PerProfile, []Service{DashboardOutput})

	r.rows("caps", f.Caps, words(Resources))
	for _, res := range Resources {
		row := "caps." + string(res)
		r.each(row, f.Caps[string(res)], at, func(plan string, v any) {
			n := r.quantity(row+"."+plan, v)
			if res == Profiles && n < 1 {
				r.fault(row+"."+plan, "must be at least 1: every account has a profile")
			}
			c.plans[at[plan]].Caps[res] = n
		})
	}

	r.rates(c, at)
	r.prices(c)
	return c
}

// rates turns each row into one Rate per route and plan.
func (r *reader) rates(c *content, at map[string]int) {
	groups, routes := map[string]bool{}, map[string]string{}
	for i, in := range r.file.Rates {
		row := fmt.Sprintf("rates[%d]", i)
		if !groupName.MatchString(in.Group) {
			r.fault(row+".group", "%q must be 1 to 64 letters, digits, spaces, - and _, a letter first", in.Group)
		} else {
			row += " (" + in.Group + ")"
			if groups[in.Group] {
				r.fault(row+".group", "is there twice")
			}
			groups[in.Group] = true
		}
		if len(in.Routes) == 0 {
			r.fault(row+".routes", "there must be at least one")
		}
		if len(in.PerMinute) == 0 {
			r.fault(row+".per_minute", "there must be a value for at least one plan")
		}
		var made []Rate
		for _, route := range in.Routes {
			m := routeForm.FindStringSubmatch(route)
			if m == nil {
				r.fault(row+".routes", "%q must look like \"GET /device/{id}\"", route)
				continue
			}
			if other, twice := routes[route]; twice {
				r.fault(row+".routes", "%q is already in %s", route, other)
				continue
			}
			routes[route] = row
			if answersAlways(m[1], m[2]) {
				r.fault(row+".routes", "%q must answer when everything is used up: it has no rate", route)
				continue
			}
			made = append(made, Rate{Group: in.Group, Method: m[1], Pattern: m[2], Query: m[3]})
		}
		c.routes = append(c.routes, made...)
		for _, plan := range slices.Sorted(maps.Keys(in.PerMinute)) {
			at, ok := at[plan]
			if !ok {
				r.fault(row+".per_minute", "%q is not one of the plans", plan)
				continue
			}
			n := r.quantity(row+".per_minute."+plan, in.PerMinute[plan])
			if n == Unlimited {
				continue
			}
			for _, rate := range made {
				rate.PerMinute = n
				c.plans[at].Rates = append(c.plans[at].Rates, rate)
			}
		}
	}
}

// always are the beginnings of routes that must answer when everything is used up: by them people see what is
// used up, and make room.
var always = []string{
	"GET /limits", "GET /statistics", "GET /profile/{}/summary", "GET /profile/{}/statistics", "GET /account/allocation", "POST /account/allocation",
	"POST /profile/{}/services", "GET /pricing", "GET /account/subscription", "POST /account/subscription", "GET /account/billing",
	"GET /account/payment", "GET /account/plan", "GET /account/cost", "GET /profile/{}/cost", "GET /profile/{}/team", "POST /profile/{}/team", "PUT /profile/{}/team", "DELETE /profile/{}/team",
	"DELETE /data", "DELETE /device/{}/data", "POST /device/{}/empty", "DELETE /device/{}/chunk",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func answersAlways(method, pattern string) bool {
	route := method + " " + parameter.ReplaceAllString(pattern, "{}")
	return slices.ContainsFunc(always, func(a string) bool {
		rest, ok := strings.CutPrefix(route, a)
		return ok && (rest == "" || rest[0] == '/' || rest[0] == '_')
	})
}

func (r *reader) prices(c *content) {
	in := r.file.Prices
	seen := map[string]bool{}
	for i, a := range in.Addons {
		row := fmt.Sprintf("prices.addons[%d]", i)
		if !planName.MatchString(a.Name) {
			r.fault(row+".name", "%q must be 1 to 32 lower-case letters, digits, - and _, a letter first", a.Name)
		}
		if seen[a.Name] {
			r.fault(row+".name", "%q is there twice", a.Name)
		}
		seen[a.Name] = true
		add := Addon{Name: a.Name, Price: r.cents(row+".price", a.Price)}
		if a.Once != nil {
			add.Once = r.cents(row+".once", a.Once)
		}
		c.addons = append(c.addons, add)
	}
	c.whole = map[Service]bool{SMS: true, Email: true, PushNotification: true}
	for _, name := range slices.Sorted(maps.Keys(in.Prorated)) {
		if !slices.Contains(Services, Service(name)) {
			r.fault("prices.prorated."+name, "is unknown (known: %s)", strings.Join(words(Services), ", "))
			continue
		}
		c.whole[Service(name)] = !in.Prorated[name]
	}
	r.rows("prices.services", in.Services, words(Services))
	for _, s := range Services {
		row := "prices.services." + string(s)
		tiers := []Tier{}
		for i, pair := range in.Services[string(s)] {
			row := fmt.Sprintf("%s[%d]", row, i)
			if len(pair) != 2 {
				r.fault(row, "must be [amount, cents]")
				continue
			}
			n := r.quantity(row+"[0]", pair[0])
			if n > Unlimited/Unit(s) {
				r.fault(row+"[0]", "a tier has a number")
				continue
			}
			t := Tier{Amount: n * Unit(s), Price: r.cents(row+"[1]", pair[1])}
			if last := len(tiers) - 1; last >= 0 && (t.Amount <= tiers[last].Amount || t.Price < tiers[last].Price) {
				r.fault(row, "a tier must hold more than the one before it and cost no less")
			}
			tiers = append(tiers, t)
		}
		c.tiers[s] = tiers
	}
}

// rows checks that a section has exactly the rows wanted.
func (r *reader) rows(section string, have any, want []string) {
	var names []string
	switch m := have.(type) {
	case map[string]columns:
		names = slices.Sorted(maps.Keys(m))
	case map[string][][]any:
		names = slices.Sorted(maps.Keys(m))
	}
	for _, n := range names {
		if !slices.Contains(want, n) {
			r.fault(section+"."+n, "is unknown (known: %s)", strings.Join(want, ", "))
		}
	}
	for _, n := range want {
		if !slices.Contains(names, n) {
			r.fault(section+"."+n, "is missing")
		}
	}
}

// each calls fn for every plan's value in a row and reports a missing or unknown plan. A missing row was
// reported by rows.
func (r *reader) each(row string, have columns, plans map[string]int, fn func(plan string, v any)) {
	if have == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := plans[name]; !ok {
			r.fault(row, "%q is not one of the plans", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		if v, ok := have[name]; ok {
			fn(name, v)
		} else {
			r.fault(row+"."+name, "is missing")
		}
	}
}

// quantity is a whole number from 0 up, or Unlimited for the word.
func (r *reader) quantity(row string, v any) int64 {
	if v == "unlimited" {
		return Unlimited
	}
	return r.whole(row, v, `or "unlimited"`)
}

func (r *reader) cents(row string, v any) int64 { return r.whole(row, v, "of cents") }

func (r *reader) whole(row string, v any, what string) int64 {
	switch n := v.(type) {
	case uint64:
		if n <= uint64(Unlimited) {
			return int64(n)
		}
	case int64:
		if n >= 0 && n <= Unlimited {
			return n
		}
	case int:
		if n >= 0 && int64(n) <= Unlimited {
			return int64(n)
		}
	}
	r.fault(row, "%v must be a whole number from 0 to %d %s", v, Unlimited, what)
	return 0
}

func words[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, w := range in {
		out[i] = string(w)
	}
	return out
}
