package billing

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

type simulated struct {
	Cycle  struct{ From, To time.Time }
	Until  time.Time
	Basis  string
	Plan   struct{ Real, Simulated string }
	Cents  int64 `json:"cycle_cents"`
	Totals []struct {
		Real       int64 `json:"real_micro"`
		Simulated  int64 `json:"simulated_micro"`
		Difference int64 `json:"difference_micro"`
	}
	Lines []struct {
		Kind, Profile, Service, Item, Currency string
		Real                                   int64 `json:"real_micro"`
		Simulated                              int64 `json:"simulated_micro"`
	}
	Blocked []struct {
		Profile, Service  string
		Limit, Used, Over float64
		From              time.Time
		AtLimit           string `json:"at_limit"`
	}
}

// billed is what a rate card would have billed.
type billed struct {
	Name, Currency string
	Lines          []struct {
		Kind, Item string
		Cents      int64
	}
	Total int64 `json:"total_cents"`
}

// words are what a simulation says, by line, with profiles by name.
func (x simulated) words(names map[id.Profile]string) []string {
	out := []string{}
	for _, l := range x.Lines {
		what := strings.Join(strings.Fields(l.Kind+" "+l.Service+l.Item+" "+names[id.Profile(l.Profile)]), " ")
		out = append(out, fmt.Sprintf("%s: %s → %s", what, cents(l.Real), cents(l.Simulated)))
	}
	for _, b := range x.Blocked {
		out = append(out, fmt.Sprintf("%s %s: %.0f of %.0f, %.0f over from %s, %s", names[id.Profile(b.Profile)], b.Service, b.Used, b.Limit, b.Over, b.From.Format("01-02 15:04"), b.AtLimit))
	}
	return out
}

func (l *teller) simulated(t testing.TB, body any) (out simulated) {
	t.Helper()
	l.want(t, "POST", "/account/cost/simulate", body, &out)
	var real, sim int64
	for _, x := range out.Lines {
		real += x.Real
		sim += x.Simulated
	}
	var all [3]int64
	for _, x := range out.Totals {
		all[0] += x.Real
		all[1] += x.Simulated
		all[2] += x.Difference
	}
	if all != [3]int64{real, sim, sim - real} {
		t.Errorf("lines add up to %d and %d, the totals are %v", real, sim, all)
	}
	return out
}

// orchard is an account on Starter with 3 million of input in March: North has two million of it and South one.
type orchard struct {
	*teller
	a            account.Account
	north, south id.Profile
	names        map[id.Profile]string
}

func newOrchard(t *testing.T, l *teller) *orchard {
	t.Helper()
	o := &orchard{teller: l}
	o.a, o.north = l.account(t, "starter", "UTC")
	o.names = map[id.Profile]string{o.north: "North"}
	ok(t, l.accounts.SetTerms(t.Context(), system, account.TermsChange{Account: o.a.ID, Plan: "starter",
		Terms: plan.Terms{Services: map[plan.Service]int64{plan.Input: 3_000_000}}.String(), Message: "Bought"}))
	p, err := l.profiles.Create(t.Context(), system, profile.CreateInput{Name: "South", Account: o.a.ID})
	ok(t, err)
	o.south = p.ID
	o.names[p.ID] = "South"
	l.allocate(t, plan.Input, map[id.Profile]int64{o.north: 2_000_000, o.south: 1_000_000})
	from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
	l.charge(t, Charge{Account: o.a.ID, Kind: PlanFee, Item: "starter", Cents: 4900, Start: from, End: to},
		Charge{Account: o.a.ID, Kind: ServiceFee, Item: "input", Amount: 3_000_000, Cents: 2000, Start: from, End: to})
	for day := range 30 { // at noon and at half past three
		l.to(march.AddDate(0, 0, day).Add(12 * time.Hour))
		l.take(t, o.north, plan.Input, 50_000)
		l.to(march.AddDate(0, 0, day).Add(15*time.Hour + 40*time.Minute))
		l.take(t, o.south, plan.Input, 15_000)
	}
	l.to(march.AddDate(0, 1, 9))
	ok(t, l.Rate(t.Context()))
	return o
}

func (o *orchard) wantWords(t *testing.T, x simulated, want ...string) {
	t.Helper()
	if got := x.words(o.names); !slices.Equal(got, want) {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSimulate(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		o := newOrchard(t, l)
		before := l.dump(t)
		t.Run("what is supposed to be as it was costs what it did", func(t *testing.T) {
			for _, basis := range []string{"allocation", "use"} {
				x := o.simulated(t, object{"basis": basis})
				if !x.Cycle.From.Equal(march) || !x.Cycle.To.Equal(march.AddDate(0, 1, 0)) || !x.Until.Equal(x.Cycle.To) || x.Basis != basis || x.Plan.Real != "starter" || x.Plan.Simulated != "starter" || x.Cents != 6900 {
					t.Errorf("%+v", x)
				}
				for _, line := range x.Lines {
					if line.Real != line.Simulated || line.Real == 0 {
						t.Errorf("by %s: %+v", basis, line)
					}
				}
				if len(x.Blocked) != 0 || len(x.Lines) < 3 {
					t.Errorf("%+v", x)
				}
			}
		})
		t.Run("a smaller tier, divided by hand", func(t *testing.T) {
			x := o.simulated(t, object{"services": object{"input": 1_000_000}, "allocation": []object{{"profile": o.north, "input": 700_000}, {"profile": o.south, "input": 300_000}}})
			o.wantWords(t, x,
				"service input North: 1333.3224 → 0.0000", "service input South: 666.6776 → 0.0000", "plan starter: 4900.0000 → 4900.0000",
				"North input: 1500000 of 700000, 800000 over from 03-15 12:00, block", "South input: 450000 of 300000, 150000 over from 03-21 15:30, block")
			if x.Cents != 4900 {
				t.Errorf("%+v", x)
			}
		})
		t.Run("the same by itself: who has two thirds keeps them", func(t *testing.T) {
			o.wantWords(t, o.simulated(t, object{"services": object{"input": 1_000_000}}),
				"service input North: 1333.3224 → 0.0000", "service input South: 666.6776 → 0.0000", "plan starter: 4900.0000 → 4900.0000",
				"North input: 1500000 of 666666, 833334 over from 03-14 12:00, block", "South input: 450000 of 333333, 116667 over from 03-23 15:30, block")
		})
		t.Run("another division of the same", func(t *testing.T) {
			o.wantWords(t, o.simulated(t, object{"allocation": []object{{"profile": o.south, "input": 0}, {"profile": o.north, "input": 3_000_000}}}),
				"service input North: 1333.3224 → 2000.0000", "service input South: 666.6776 → 0.0000", "plan starter: 4900.0000 → 4900.0000",
				"South input: 450000 of 0, 450000 over from 03-01 15:30, block")
		})
		t.Run("another plan, a larger tier and an add-on, by use", func(t *testing.T) {
			x := o.simulated(t, object{"plan": "scale", "services": object{"input": 10_000_000}, "addons": object{"custom_dns": []any{o.south}}, "basis": "use"})
			if x.Plan.Simulated != "scale" || x.Cents != 19900+5500+9900 {
				t.Errorf("%+v", x)
			}
			got := map[string]int64{}
			for _, line := range x.Lines {
				got[line.Kind+line.Item] += line.Simulated
				// 55.00 for 20.00, and each hour shared the same but for what is left of a micro-unit.
				if d := line.Real*11/4 - line.Simulated; line.Kind == "service" && (d > 2*744 || d < -2*744) {
					t.Errorf("%+v", line)
				}
			}
			if got["planscale"] != 199_000_000 || got["addoncustom_dns"] != 99_000_000 || got["planstarter"] != 0 || got["service"]+got["unallocated"] != 55_000_000 {
				t.Errorf("%v", got)
			}
		})
		t.Run("a plan that costs nothing", func(t *testing.T) {
			x := o.simulated(t, object{"plan": "free"})
			if x.Cents != 0 || x.Plan.Simulated != "free" || len(x.Blocked) != 2 {
				t.Errorf("%+v", x)
			}
		})
		t.Run("a rate card, inline and kept", func(t *testing.T) {
			var x struct{ Statements []billed }
			card := object{"currency": "USD", "fee_cents": 1000, "services": object{"input": object{"price_micro": 2_000_000, "per": 100_000, "included": 50_000}},
				"markup": object{"bp": 1000, "basis": "allocation"}, "tax_bp": 1000}
			// 10.00 and 2.00 for each 100,000 beyond 50,000; a tenth more than what the profile would have cost: all of the input.
			l.want(t, "POST", "/account/cost/simulate", object{"card": card, "allocation": []object{{"profile": o.south, "input": 0}, {"profile": o.north, "input": 3_000_000}}}, &x)
			slices.SortFunc(x.Statements, func(a, b billed) int { return strings.Compare(a.Name, b.Name) })
			if len(x.Statements) != 2 || x.Statements[1].Name != "South" || fmt.Sprint(x.Statements[1].Lines) != "[{fee  1000} {service input 800} {cost  0}]" || x.Statements[1].Total != 1980 ||
				fmt.Sprint(x.Statements[0].Lines) != "[{fee  1000} {service input 2900} {cost  2200}]" {
				t.Errorf("%+v", x)
			}
			kept, err := l.AddCard(t.Context(), l.who, Terms{Name: "South", Profile: o.south, Currency: "eur", Fee: 500})
			ok(t, err)
			before = l.dump(t)
			l.want(t, "POST", "/account/cost/simulate", object{"card": kept.ID}, &x)
			if len(x.Statements) != 1 || x.Statements[0].Name != "South" || x.Statements[0].Total != 500 || x.Statements[0].Currency != "eur" {
				t.Errorf("%+v", x)
			}
			for body, want := range map[string]string{
				`{"card":"aaaaaaaaaaaaaaaaaaaaaaaa"}`:                              "400 card: ",
				`{"card":5}`:                                                       "400 card",
				`{"card":{"currency":"dollars"}}`:                                  "400 card.currency: must be three",
				`{"card":{"currency":"USD","services":{"water":{}}}}`:              `400 card.services: has no service "water"`,
				`{"card":{"currency":"USD","profile":"aaaaaaaaaaaaaaaaaaaaaaaa"}}`: "400 card.profile: Profile Not Found",
				`{"card":{"currency":"EUR","markup":{"bp":0}}}`:                    "409 The rate card bills in EUR",
			} {
				status, message := l.call(t, "POST", "/account/cost/simulate", json.RawMessage(body), nil)
				if got := fmt.Sprint(status, " ", message); !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s", body, got)
				}
			}
		})
		t.Run("the running cycle to date", func(t *testing.T) {
			l.take(t, o.north, plan.Input, 400_000)
			before = l.dump(t)
			l.to(march.AddDate(0, 1, 9).Add(20 * time.Minute))
			x := o.simulated(t, object{"cycle": "current", "plan": "scale", "allocation": []object{{"profile": o.north, "input": 100_000}}})
			if !x.Cycle.From.Equal(march.AddDate(0, 1, 0)) || !x.Until.Equal(march.AddDate(0, 1, 9).Add(15*time.Minute)) {
				t.Errorf("%+v", x)
			}
			// 216 of 720 hours are over; no charge was really made in April.
			o.wantWords(t, x, "service input North: 0.0000 → 20.0016", "service input South: 0.0000 → 199.9944", "unallocated input: 0.0000 → 380.0040",
				"plan scale: 0.0000 → 5970.0000", "North input: 400000 of 100000, 300000 over from 04-10 00:00, block")
		})
		t.Run("what cannot be is refused by name", func(t *testing.T) {
			for body, want := range map[string]string{
				`{"plan":"gold"}`:                                         `plan: "gold" is not on sale`,
				`{"plan":"house"}`:                                        `plan: "house" is not on sale`,
				`{"plan":""}`:                                             "plan: must not be empty",
				`{"services":{"input":5}}`:                                "services.input.limit: the plan starter includes 1000000 already",
				`{"services":{"input":2000001}}`:                          "services.input.limit: Data Input is not sold in 2000001",
				`{"services":{"input":-1}}`:                               "services.input: must be a whole number",
				`{"services":{"water":1}}`:                                `services: "water" is not a service`,
				`{"plan":"free","services":{"input":3000000}}`:            "services: the limits of the plan free cannot be changed",
				`{"addons":{"crown":[]}}`:                                 `addons: "crown" is no add-on`,
				`{"addons":{"mobile":["aaaaaaaaaaaaaaaaaaaaaaaa"]}}`:      "addons.mobile[0]: ",
				`{"basis":"luck"}`:                                        "basis: must be allocation or use",
				`{"cycle":"next"}`:                                        "cycle: must be last or current",
				`{"allocation":[]}`:                                       "allocation: must have at least one row",
				`{"allocation":[{"input":5}]}`:                            "allocation[0].profile: must be the id",
				`{"allocation":[{"profile":"aaaaaaaaaaaaaaaaaaaaaaaa"}]}`: "allocation[0].profile: Profile Not Found",
				`{"allocation":[{"profile":"` + string(o.north) + `","water":1}]}`:       "allocation[0].water: is not a service",
				`{"allocation":[{"profile":"` + string(o.north) + `","input":2000001}]}`: "allocation[0].input: the profiles would have 3000001",
				`{"allocation":{"profile":1}}`:                                           "allocation",
			} {
				if status, message := l.call(t, "POST", "/account/cost/simulate", json.RawMessage(body), nil); status != 400 || !strings.HasPrefix(message, want) {
					t.Errorf("%s: %d %s", body, status, message)
				}
			}
		})
		t.Run("nothing has changed", func(t *testing.T) {
			if after := l.dump(t); after != before {
				t.Errorf("the database was\n%s\nand is\n%s", before, after)
			}
		})
	})
}

// TestSimulateFigure is an account without a plan that has a price: its figure ends under one that has.
func TestSimulateFigure(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		_, p := l.account(t, "house", "UTC")
		names := map[id.Profile]string{p: "p"}
		l.want(t, "PUT", "/account/cost/figure", object{"amount": 7440, "currency": "EUR", "shares": object{"input": 100}}, nil)
		l.at(12)
		l.take(t, p, plan.Input, 1_200_000)
		l.to(march.AddDate(0, 1, 2))
		ok(t, l.ChargeFigures(t.Context()))
		ok(t, l.Rate(t.Context()))
		x := l.simulated(t, object{})
		if got := x.words(names); !slices.Equal(got, []string{"service input p: 10.0000 → 10.0000", "unallocated input: 7430.0000 → 7430.0000"}) {
			t.Error(got)
		}
		x = l.simulated(t, object{"plan": "starter"})
		if got := x.words(names); !slices.Equal(got, []string{"service input p: 10.0000 → 0.0000", "unallocated input: 7430.0000 → 0.0000", "plan starter: 0.0000 → 4900.0000",
			"p input: 1200000 of 1000000, 200000 over from 03-01 12:00, block"}) {
			t.Error(got)
		}
		x = l.simulated(t, object{"plan": "free"})
		if got := x.words(names); !slices.Equal(got, []string{"service input p: 10.0000 → 10.0000", "unallocated input: 7430.0000 → 7430.0000",
			"p input: 1200000 of 1000000, 200000 over from 03-01 12:00, block"}) {
			t.Error(got)
		}
		for body, want := range map[string]string{
			`{"services":{"input":3000000}}`:                             "The account is on the plan house",
			`{"allocation":[{"profile":"` + string(p) + `","input":5}]}`: "allocation: the account has one profile",
		} {
			if status, message := l.call(t, "POST", "/account/cost/simulate", json.RawMessage(body), nil); status != 409 || !strings.HasPrefix(message, want) {
				t.Errorf("%s: %d %s", body, status, message)
			}
		}
	})
}

// TestSimulateUnrated is a figure that was just set: its hours are not shared by use yet, and still the cycle has cost what it has.
func TestSimulateUnrated(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		_, p := l.account(t, "house", "UTC")
		names := map[id.Profile]string{p: "p"}
		l.at(12)
		l.take(t, p, plan.Input, 1_200_000)
		l.to(march.AddDate(0, 0, 10).Add(30 * time.Minute))
		l.want(t, "PUT", "/account/cost/figure", object{"amount": 7440, "currency": "EUR", "shares": object{"input": 100}}, nil)
		for _, rated := range []bool{false, true} {
			if rated {
				ok(t, l.Rate(t.Context()))
			}
			x := l.simulated(t, object{"cycle": "current", "basis": "use"})
			if got := x.words(names); !slices.Equal(got, []string{"service input p: 10.0000 → 10.0000", "unallocated input: 2390.0000 → 2390.0000"}) {
				t.Errorf("rated %t: %v", rated, got)
			}
			x = l.simulated(t, object{"cycle": "current", "basis": "use", "plan": "starter"})
			if got := x.words(names); !slices.Contains(got, "service input p: 10.0000 → 0.0000") {
				t.Errorf("rated %t: %v", rated, got)
			}
		}
	})
}

// TestWhatIfOfTheManual recomputes the example of docs/cost.md.
func TestWhatIfOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/cost.md")
	ok(t, err)
	eachTeller(t, func(t *testing.T, l *teller) {
		o := newOrchard(t, l)
		x := o.simulated(t, object{"services": object{"input": 1_000_000}, "allocation": []object{{"profile": o.north, "input": 700_000}, {"profile": o.south, "input": 300_000}}})
		var rows []string
		for _, line := range x.Lines {
			what := line.Item
			if line.Profile != "" {
				what = o.names[id.Profile(line.Profile)] + ", " + line.Service
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |", what, cents(line.Real), cents(line.Simulated)))
		}
		for _, b := range x.Blocked {
			rows = append(rows, fmt.Sprintf("| %s | %s | %.0f | %.0f | %.0f | %s |", o.names[id.Profile(b.Profile)], b.Service, b.Limit, b.Used, b.Over, b.From.Format("2006-01-02 15:04")))
		}
		for _, row := range rows {
			if !strings.Contains(string(text), row) {
				t.Errorf("docs/cost.md lacks %s", row)
			}
		}
	})
}

// dump is all that the database holds.
func (l *teller) dump(t testing.TB) string {
	t.Helper()
	names := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
	if l.db.Engine() == sqldb.Postgres {
		names = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	tables, err := sqldb.All(t.Context(), l.db, sqldb.Value[string], names)
	ok(t, err)
	var out strings.Builder
	for _, table := range tables {
		rows, err := l.db.Query(t.Context(), `SELECT * FROM `+table)
		ok(t, err)
		columns, err := rows.Columns()
		ok(t, err)
		var lines []string
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			ok(t, rows.Scan(values...))
			line := table
			for _, v := range values {
				line += fmt.Sprintf(" %v", *v.(*any))
			}
			lines = append(lines, line)
		}
		ok(t, rows.Err())
		rows.Close()
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return out.String()
}

func TestLimitWatch(t *testing.T) {
	const p, gone = id.Profile("p"), id.Profile("q")
	var have, pool plan.Amounts
	have[plan.Index(plan.Input)], have[plan.Index(plan.DataRecords)] = 10, 5
	pool[plan.Index(plan.DashboardOutput)] = 3
	w := newLimitWatch(map[id.Profile]plan.Amounts{p: have}, pool)
	step := func(input, records, shown int64) plan.Amounts {
		var a plan.Amounts
		a[plan.Index(plan.Input)], a[plan.Index(plan.DataRecords)], a[plan.Index(plan.DashboardOutput)] = input, records, shown
		return a
	}
	steps := []plan.Amounts{step(4, 5, 0), step(6, 7, 3), step(1, 6, 1), step(9, 4, 0)}
	u := &use{profiles: []id.Profile{p, gone}, bounds: []int64{0, 10, 20, 30, 40}, used: [][]plan.Amounts{steps, steps},
		owner: owner{{{Profile: p, From: 0, Until: 30}}, {{Profile: gone, From: 0}}}}
	w.look(u, 0, 20)
	w.look(u, 20, 40)
	got := w.over()
	want := []overLimit{ // what comes after the profile has left is not the account's
		{Profile: p, Service: plan.Input, Limit: 10, Used: 11, At: 20},
		{Profile: p, Service: plan.DataRecords, Limit: 5, Used: 7, At: 10},
		{Profile: p, Service: plan.DashboardOutput, Limit: 3, Used: 4, At: 20},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
