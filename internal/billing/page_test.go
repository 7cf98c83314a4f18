package billing

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
)

// TestCostPage recomputes every figure of the worked examples in docs/cost.md.
func TestCostPage(t *testing.T) {
	l := newLedger(t, sqldbtest.Open(t, sqldbtest.Engines[0], ledgerSources...), march)
	var b strings.Builder
	a, port := l.account(t, "starter", "UTC")
	yard := l.profile(t, a.ID)
	port, yard = min(port, yard), max(port, yard) // ties go by id
	names := map[id.Profile]string{port: "Port", yard: "Yard"}
	from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
	l.allocate(t, plan.Input, map[id.Profile]int64{port: 500_000, yard: 200_000})
	l.charge(t,
		Charge{Account: a.ID, Kind: PlanFee, Item: "starter", Cents: 4900, Start: from, End: to},
		Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Amount: 3_000_000, Cents: 2000, Start: from, End: to},
		Charge{Account: a.ID, Kind: AddonFee, Item: "custom_dns", Profile: yard, Cents: 9900, Start: from, End: to},
		Charge{Account: a.ID, Kind: Discount, Item: "Ten per cent off the plan", Cents: -490, Start: from, End: to})
	l.to(march.Add(372*time.Hour - 10*time.Minute))
	l.allocate(t, plan.Input, map[id.Profile]int64{yard: 500_000})
	l.to(march.AddDate(0, 1, 0))
	c, err := l.costOf(t.Context(), a, from, to, ByAllocation, false)
	ok(t, err)
	row := func(cells ...any) {
		for _, x := range cells {
			fmt.Fprintf(&b, "| %v ", x)
		}
		b.WriteString("|\n")
	}
	row("line", "cents")
	row("---", "---:")
	var total int64
	for _, x := range c.Lines {
		row(strings.TrimSpace(fmt.Sprintf("%s %s %s", wireKind(x.Kind), x.Item, names[x.Profile])), cents(x.Micro))
		total += x.Micro
	}
	row("**together**", cents(total))
	charges := slices.DeleteFunc(c.charges, func(c Charge) bool { return c.Item != "input" })
	d := detailAnswer{Basis: ByAllocation}
	parts, err := l.parts(t.Context(), a.ID, charges, yard, from, to, &d)
	ok(t, err)
	b.WriteString("\n")
	row("hour of Yard's input", "the charge in it", "Yard was allocated", "of", "Yard's part")
	row("---", "---:", "---:", "---:", "---:")
	for _, p := range []part{parts[371], parts[372]} {
		row(time.UnixMilli(p.from).UTC().Format("02 January 15:04"), cents(p.charged), p.amount, p.of, cents(p.micro))
	}

	h, field := l.account(t, "house", "UTC")
	barn := l.profile(t, h.ID)
	field, barn = min(field, barn), max(field, barn)
	names[field], names[barn] = "Field", "Barn"
	april := march.AddDate(0, 1, 0)
	l.want(t, "PUT", "/account/cost/figure", map[string]any{"amount": 7200, "currency": "eur", "shares": map[string]any{"input": 50, "data_records": 50}}, nil)
	l.to(april.Add(10 * time.Minute))
	l.input(t, field, 300)
	l.to(april.Add(20 * time.Minute))
	l.input(t, barn, 100)
	l.to(april.Add(2*time.Hour + 5*time.Minute))
	ok(t, l.Rate(t.Context()))
	c, err = l.costOf(t.Context(), h, april.UnixMilli(), april.AddDate(0, 1, 0).UnixMilli(), ByUse, false)
	ok(t, err)
	b.WriteString("\n")
	row("line", "cents")
	row("---", "---:")
	total = 0
	for _, x := range c.Lines {
		row(strings.TrimSpace(fmt.Sprintf("%s %s %s", wireKind(x.Kind), x.Item, names[x.Profile])), cents(x.Micro))
		total += x.Micro
	}
	row("**together**", cents(total))

	page, err := os.ReadFile("../../docs/cost.md")
	ok(t, err)
	for part := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n\n") {
		if !strings.Contains(string(page), part) {
			t.Errorf("docs/cost.md should have\n%s", part)
		}
	}
}
