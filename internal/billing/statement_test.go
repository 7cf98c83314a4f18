package billing

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/usage"
)

func TestQuotient(t *testing.T) {
	for _, c := range []struct{ a, b, c, d, want int64 }{
		{1, 1, 2, 1, 1}, {-1, 1, 2, 1, -1}, {1, 1, 3, 1, 0}, {2, 1, 3, 1, 1}, {-5, 1, 3, 1, -2}, {5250, 1900, 10_000, 1, 998}, {-5250, 1900, 10_000, 1, -998},
		{0, 5, 7, 9, 0}, {plan.Unlimited, maxPrice, maxPer, 10_000 * 1_000_000_000, 900720},
	} {
		if got, err := quotient(c.a, c.b, c.c, c.d); err != nil || got != c.want {
			t.Errorf("%d × %d ÷ (%d × %d) = %d, %v; want %d", c.a, c.b, c.c, c.d, got, err, c.want)
		}
	}
	if _, err := quotient(plan.Unlimited, maxPrice, 1, 1); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

// drawTerms are terms of any card.
func drawTerms(r *rapid.T) Terms {
	t := Terms{Name: "Card", Currency: "eur", Fee: rapid.Int64Range(0, 1_000_000).Draw(r, "fee"), Services: map[plan.Service]UnitPrice{}, TaxBP: rapid.Int64Range(0, maxTax).Draw(r, "tax")}
	for _, svc := range rapid.SliceOfDistinct(rapid.SampledFrom(plan.Metered[:]), func(s plan.Service) plan.Service { return s }).Draw(r, "services") {
		t.Services[svc] = UnitPrice{rapid.Int64Range(0, 10_000_000).Draw(r, "price"), rapid.SampledFrom([]int64{1, 3, 1000}).Draw(r, "per"), rapid.Int64Range(0, 1000).Draw(r, "included")}
	}
	if rapid.Bool().Draw(r, "passes cost on") {
		t.Markup = &Markup{rapid.Int64Range(0, 5000).Draw(r, "markup"), rapid.SampledFrom([]Basis{ByUse, ByAllocation}).Draw(r, "basis")}
	}
	return t
}

// TestStatementLinesAddUp is that a statement's lines are each the exact product, rounded once, and add up to its total.
func TestStatementLinesAddUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Card{Terms: drawTerms(r)}
		m := Measured{Of: rapid.Int64Range(1, 745).Draw(r, "hours"), Cost: rapid.Int64Range(-1_000_000_000, 1_000_000_000_000).Draw(r, "cost")}
		m.Hours = rapid.Int64Range(0, m.Of).Draw(r, "mine")
		for i := range m.Amounts {
			m.Amounts[i] = rapid.Int64Range(0, 1<<36).Draw(r, "amount")
		}
		st, err := c.draft(m)
		if err != nil {
			r.Fatal(err)
		}
		var sum int64
		for _, e := range st.Lines {
			var exact *big.Rat
			switch e.Kind {
			case EntryFee:
				exact = big.NewRat(c.Terms.Fee*m.Hours, m.Of)
			case EntryService:
				p := c.Terms.Services[plan.Service(e.Item)]
				u := plan.Unit(plan.Service(e.Item))
				exact = new(big.Rat).Mul(big.NewRat(max(0, m.Amounts[plan.Index(plan.Service(e.Item))]-p.Included*u), u), big.NewRat(p.Price, p.Per*microPerCent))
			case EntryCost:
				exact = new(big.Rat).Mul(big.NewRat(m.Cost, microPerCent), big.NewRat(10_000+c.Terms.Markup.BP, 10_000))
			}
			off := new(big.Rat).Sub(exact, big.NewRat(e.Cents, 1))
			if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
				r.Fatalf("%+v is %s from %s", e, off, exact)
			}
			sum += e.Cents
		}
		if st.Subtotal != sum || st.Total != st.Subtotal+st.Tax {
			r.Fatalf("%+v", st)
		}
		if m2 := st.measured(); len(c.Terms.Services) == 0 && c.Terms.Markup == nil && m2.Hours != m.Hours {
			r.Fatalf("%+v", m2)
		}
	})
}

func TestCardsOfAProfile(t *testing.T) {
	small, north := tag.Tag{Key: "tier", Value: "small"}, tag.Tag{Key: "region", Value: "north"}
	own, byTier, byRegion := Card{ID: "a", Terms: Terms{Name: "Own", Profile: "p"}}, Card{ID: "b", Terms: Terms{Name: "Tier", Tag: &small}}, Card{ID: "c", Terms: Terms{Name: "Region", Tag: &north}}
	c := chooseCards([]Card{own, byTier, byRegion})
	both := []tag.Tag{north, small}
	if card, ok, err := c.of("p", both); card.ID != "a" || !ok || err != nil {
		t.Error(card, ok, err)
	}
	if card, ok, err := c.of("q", []tag.Tag{{Key: "x"}, small}); card.ID != "b" || !ok || err != nil {
		t.Error(card, ok, err)
	}
	if _, ok, err := c.of("q", both); ok || !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), `"Region" (c) and "Tier" (b)`) {
		t.Error(ok, err)
	}
	if _, ok, err := c.of("q", nil); ok || err != nil {
		t.Error(ok, err)
	}
	without := chooseCards([]Card{own, byTier})
	if err := without.tie(byRegion.Terms, []profile.Profile{{ID: "p", Tags: both}, {ID: "q", Tags: both[:1]}}); err != nil {
		t.Error(err)
	}
	if err := without.tie(byRegion.Terms, []profile.Profile{{ID: "q", Tags: both}}); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

func TestMonthsInZones(t *testing.T) {
	for _, c := range []struct {
		zone, month, from string
		hours             int
	}{
		{"UTC", "2026-11", "2026-11-01T00:00:00Z", 720},
		{"Europe/Berlin", "2026-10", "2026-09-30T22:00:00Z", 745},
		{"Europe/Berlin", "2026-03", "2026-02-28T23:00:00Z", 743},
		{"Asia/Kathmandu", "2028-02", "2028-01-31T18:15:00Z", 696},
		{"Australia/Lord_Howe", "2026-10", "2026-09-30T13:30:00Z", 744}, // half an hour less: the last hour is shorter
	} {
		m, err := parseMonth(c.month)
		ok(t, err)
		loc, err := time.LoadLocation(c.zone)
		ok(t, err)
		from, to := monthIn(m, loc)
		if got := time.UnixMilli(from).UTC().Format(time.RFC3339); got != c.from || len(hoursBetween(from, to))-1 != c.hours {
			t.Errorf("%s in %s: from %s, %d hours", c.month, c.zone, got, len(hoursBetween(from, to))-1)
		}
	}
}

func TestMoneyInWords(t *testing.T) {
	for _, c := range [][2]string{{decimal(0, 2), "0.00"}, {decimal(-5, 2), "-0.05"}, {decimal(123456, 2), "1234.56"}, {decimal(333_000, 6), "0.333"}, {decimal(150, 6), "0.00015"}, {decimal(2_000_000, 6), "2.00"},
		{grouped("1234567.50"), "1,234,567.50"}, {grouped("-999"), "-999"}, {grouped("-1000"), "-1,000"}, {grouped(""), ""}, {percent(1900), "19 %"}, {percent(1950), "19.5 %"}, {percent(5), "0.05 %"},
		{Statement{Month: "2026-11", Number: 7, Name: "../Ünter /Häfen\n"}.file("csv"), "2026-11-0007-nter-h-fen.csv"}, {Statement{Month: "2026-11", Number: 12345, Name: "日本"}.file("csv"), "2026-11-12345.csv"}} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}

// card makes a card of l.who.
func (l *ledger) card(t testing.TB, terms Terms) Card {
	t.Helper()
	if terms.Name == "" {
		terms.Name = "Card"
	}
	if terms.Currency == "" {
		terms.Currency = "usd"
	}
	c, err := l.AddCard(t.Context(), l.who, terms)
	ok(t, err)
	return c
}

func (l *ledger) issueAll(t testing.TB, month string) Issued {
	t.Helper()
	got, err := l.Issue(t.Context(), l.who, month, nil)
	ok(t, err)
	return got
}

// right fails when a statement does not come out again.
func (l *ledger) right(t testing.TB) {
	t.Helper()
	found, err := l.VerifyStatements(t.Context())
	ok(t, err)
	for _, f := range found {
		t.Error(f)
	}
}

func TestStatementPassesCostOn(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a, p := l.account(t, "house", "UTC")
		q := l.profile(t, a.ID)
		from, to := march.UnixMilli(), march.AddDate(0, 1, 0).UnixMilli()
		l.charge(t, Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: 74_400, Start: from, End: to}, Charge{Account: a.ID, Kind: AddonFee, Item: "custom_dns", Profile: q, Cents: 1000, Start: from, End: to})
		l.card(t, Terms{Profile: p, Markup: &Markup{BP: 2000, Basis: ByUse}})
		l.card(t, Terms{Profile: q, Markup: &Markup{Basis: ByUse}, Fee: 500})
		l.to(march.Add(time.Hour))
		l.input(t, p, 30) // hour 1: 100 cents, three quarters of it
		l.input(t, q, 10)
		l.to(march.AddDate(0, 1, 0).Add(time.Hour))
		if _, err := l.Issue(t.Context(), l.who, "2026-03", nil); !fault.Is(err, fault.Conflict) {
			t.Fatalf("issued before it was rated: %v", err)
		}
		ok(t, l.Rate(t.Context()))
		got := l.issueAll(t, "2026-03")
		if len(got.Statements) != 2 || got.Statements[0].Total != 90 || got.Statements[1].Total != 25+1000+500 {
			t.Fatalf("%+v", got)
		}
		l.right(t)
		t.Run("a card in another currency is a reason", func(t *testing.T) {
			b, r := l.account(t, "house", "UTC")
			from, to := to, march.AddDate(0, 2, 0).UnixMilli()
			l.charge(t, Charge{Account: b.ID, Kind: AddonFee, Item: "custom_dns", Profile: r, Cents: 1000, Start: from, End: to})
			l.card(t, Terms{Profile: r, Currency: "eur", Markup: &Markup{Basis: ByAllocation}})
			l.to(march.AddDate(0, 2, 0).Add(time.Hour))
			if got := l.issueAll(t, "2026-04"); len(got.Skipped) != 1 || got.Skipped[0].Reason != "The rate card bills in EUR, and cost that it would pass on is in USD" {
				t.Errorf("%+v", got)
			}
		})
		t.Run("a charge made later is none of an issued statement", func(t *testing.T) {
			l.charge(t, Charge{Account: a.ID, Kind: AddonFee, Item: "custom_dns", Profile: p, Cents: 1000, Start: from, End: to})
			l.right(t)
		})
		t.Run("a charge that was changed is found", func(t *testing.T) {
			_, err := l.db.Exec(t.Context(), `DELETE FROM charge WHERE profile = $1`, string(p))
			ok(t, err)
			_, err = l.db.Exec(t.Context(), `UPDATE charge SET cents = 2000 WHERE profile = $1`, string(q))
			ok(t, err)
			found, err := l.VerifyStatements(t.Context())
			ok(t, err)
			if len(found) != 1 || !strings.Contains(found[0].What, "statement 2 (") {
				t.Errorf("%v", found)
			}
		})
	})
}

func TestStatementOfAPartOfTheMonth(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		seller, _ := l.account(t, "house", "UTC")
		l.to(march.AddDate(0, 1, 14).Add(9*time.Hour + 30*time.Minute))
		p := l.profile(t, seller.ID)
		l.input(t, p, 7) // in the hour that it was made in
		sells := l.who
		buyer, _ := l.account(t, "house", "UTC")
		buys := l.who
		l.to(march.AddDate(0, 1, 19).Add(15*time.Hour + 20*time.Minute))
		l.input(t, p, 5)
		spare := l.profile(t, seller.ID)
		if !l.handOver(t, p, buyer.ID) {
			t.Fatal("there is no room for it")
		}
		ok(t, l.profiles.Delete(t.Context(), system, string(spare), ""))
		l.to(march.AddDate(0, 1, 19).Add(15*time.Hour + 40*time.Minute))
		l.input(t, p, 11) // the hour is still the seller's, what is used in it is not
		l.to(march.AddDate(0, 1, 19).Add(16 * time.Hour))
		l.input(t, p, 100)
		terms := Terms{Profile: p, Fee: 7200, Services: map[plan.Service]UnitPrice{plan.Input: {Price: 10_000, Per: 1}, plan.DataRecords: {Price: 10_000, Per: 1}}}
		l.to(march.AddDate(0, 2, 0).Add(time.Hour))
		var hours int64
		for _, c := range []struct {
			who  string
			want []string
		}{
			{"seller", []string{"fee 127 1270", "service 12 12", "service 1 1"}},    // 7 × 126 ÷ 720 records
			{"buyer", []string{"fee 248 2480", "service 111 111", "service 42 42"}}, // (23 + 247 × 123) ÷ 720 records
		} {
			l.who = sells
			if c.who == "buyer" {
				l.who = buys
			}
			l.card(t, terms)
			got, err := l.Issue(t.Context(), l.who, "2026-04", []id.Profile{p})
			ok(t, err)
			st := got.Statements[0]
			var lines []string
			for _, e := range st.Lines {
				lines = append(lines, fmt.Sprint(e.Kind, " ", e.Quantity, " ", e.Cents))
			}
			if !slices.Equal(lines, c.want) {
				t.Errorf("the %s's statement is %v, want %v", c.who, lines, c.want)
			}
			hours += st.Hours
		}
		if hours != 30*24-14*24-9 {
			t.Errorf("both have %d hours", hours)
		}
		l.right(t)
	})
}

func TestStatementsMeetWhenTheZoneMoves(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		_, p := l.account(t, "house", "America/Los_Angeles")
		l.card(t, Terms{Profile: p, Fee: 100})
		zone := "Asia/Kathmandu"
		l.to(march.AddDate(0, 1, 2))
		first := l.issueAll(t, "2026-03").Statements[0]
		_, err := l.accounts.Update(t.Context(), l.who, account.Update{Timezone: &zone})
		ok(t, err)
		l.to(march.AddDate(0, 3, 2))
		third := l.issueAll(t, "2026-05").Statements[0]
		second := l.issueAll(t, "2026-04").Statements[0]
		if second.From != first.To || second.To != third.From || first.Zone == second.Zone {
			t.Errorf("%+v %+v %+v", first, second, third)
		}
		l.right(t)
	})
}

func TestStatementsGoWithTheirAccount(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.account(t, "house", "UTC") // the first runs the server, and stays
		a, p := l.account(t, "house", "UTC")
		c := l.card(t, Terms{Profile: p, Fee: 100})
		_, err := l.EditCard(t.Context(), l.who, c.ID, func(t *Terms) error { t.Fee = 200; return nil })
		ok(t, err)
		l.to(march.AddDate(0, 1, 1))
		st := l.issueAll(t, "2026-03").Statements[0]
		_, err = l.Correct(t.Context(), l.who, st.ID, Correction{Text: "x", Cents: 1}, false)
		ok(t, err)
		other, q := l.account(t, "house", "UTC")
		l.card(t, Terms{Profile: q, Fee: 100})
		l.who.AccountID = a.ID
		_, err = l.accounts.Delete(t.Context(), l.who, account.Proof{Password: "correct horse battery"})
		ok(t, err)
		l.right(t)
		ok(t, l.purgeStatements(t.Context()))
		for _, table := range []string{"rate_card", "rate_card_version", "statement", "statement_number", "statement_correction", "former_customer", "statement_picture", "statement_purge"} {
			var n int
			ok(t, l.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE account = $1`, string(a.ID)).Scan(&n))
			if n > 0 {
				t.Errorf("%s still has %d rows of it", table, n)
			}
		}
		if cs, err := l.Cards(t.Context(), other.ID); err != nil || len(cs) != 1 {
			t.Error(cs, err)
		}
		l.right(t)
	})
}

// mostHistories bounds the random histories of an engine, each of which is two months.
const mostHistories = 12

// TestStatementsOfRandomHistories issues months of random histories, again and in parts, and wants the same statements every time, numbers
// without gaps, and nothing that verify finds.
func TestStatementsOfRandomHistories(t *testing.T) {
	sqldbtest.Each(t, ledgerSources, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(t, db, march)
		runs := 0
		rapid.Check(t, func(r *rapid.T) {
			if runs++; runs > mostHistories {
				return
			}
			ctx := t.Context()
			a, first := l.account(t, "house", rapid.SampledFrom(randomZones).Draw(r, "zone"))
			other, _ := l.account(t, "house", "UTC")
			l.who.AccountID = a.ID
			living, all := []id.Profile{first}, []id.Profile{first}
			month, err := parseMonth(time.UnixMilli(l.ms()).In(a.Location()).Format("2006-01"))
			ok(t, err)
			for range rapid.IntRange(3, 12).Draw(r, "steps") {
				switch rapid.SampledFrom([]string{"use", "use", "use", "create", "delete", "hand over", "charge"}).Draw(r, "step") {
				case "use":
					l.input(t, rapid.SampledFrom(living).Draw(r, "profile"), rapid.Int64Range(1, 500).Draw(r, "units"))
				case "create":
					living = append(living, l.profile(t, a.ID))
					all = append(all, living[len(living)-1])
				case "delete":
					if len(living) > 1 {
						ok(t, l.profiles.Delete(ctx, l.who, string(living[1]), "correct horse battery"))
						living = slices.Delete(living, 1, 2)
					}
				case "hand over":
					if len(living) > 1 {
						if l.handOver(t, living[1], other.ID) {
							living = slices.Delete(living, 1, 2)
						}
					}
				case "charge":
					from, to := usage.Cycle(a, l.ms())
					l.charge(t, Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: rapid.Int64Range(1, 100_000).Draw(r, "cents"), Start: from, End: to, Currency: "eur"})
				}
				l.clk.Advance(time.Duration(rapid.SampledFrom([]int64{5, 60, 700, 5000}).Draw(r, "minutes")) * time.Minute)
			}
			for _, p := range all {
				if rapid.IntRange(0, 4).Draw(r, "card") > 0 {
					terms := drawTerms(r)
					terms.Profile = p
					l.card(t, terms)
				}
			}
			_, end := monthIn(month, a.Location())
			if at := time.UnixMilli(end + settled); l.clk.Now().Before(at) {
				l.to(at)
			}
			ok(t, l.Rate(ctx))
			name := month.Format("2006-01")
			if rapid.Bool().Draw(r, "one first") {
				_, err := l.Issue(ctx, l.who, name, []id.Profile{first})
				ok(t, err)
			}
			once := l.issueAll(t, name)
			for i, st := range once.Statements {
				var sum int64
				for _, e := range st.Lines {
					sum += e.Cents
				}
				if sum != st.Subtotal || st.Subtotal+st.Tax != st.Total {
					r.Fatalf("%+v does not add up", st)
				}
				if rapid.IntRange(0, 3).Draw(r, "correct") == 0 {
					_, err := l.Correct(ctx, l.who, st.ID, Correction{Text: "x", Cents: int64(i) - 7, Key: "k"}, rapid.Bool().Draw(r, "own"))
					if int64(i) != 7 {
						ok(t, err)
					}
				}
			}
			twice := l.issueAll(t, name)
			if twice.New != 0 || !reflect.DeepEqual(once.Statements, twice.Statements) {
				r.Fatalf("issued again they are\n%+v\nnot\n%+v", twice.Statements, once.Statements)
			}
			_, end = monthIn(month.AddDate(0, 1, 0), a.Location())
			if at := time.UnixMilli(end + settled); l.clk.Now().Before(at) {
				l.to(at)
			}
			ok(t, l.Rate(ctx))
			l.issueAll(t, month.AddDate(0, 1, 0).Format("2006-01"))
			found, err := l.VerifyStatements(ctx)
			ok(t, err)
			if len(found) > 0 {
				r.Fatalf("%v", found)
			}
		})
	})
}

// many makes an account with n profiles that a tag's card bills.
func (l *ledger) many(t testing.TB, n int) id.Account {
	t.Helper()
	a, _ := l.account(t, "house", "UTC")
	tags := []tag.Tag{{Key: "tier", Value: "small"}}
	for range n {
		_, err := l.profiles.Edit(t.Context(), l.who, string(l.profile(t, a.ID)), profile.Update{Tags: &tags}, "")
		ok(t, err)
	}
	l.card(t, Terms{Tag: &tags[0], Fee: 100, Notes: strings.Repeat("All work and no play. ", 90)})
	l.to(march.AddDate(0, 1, 1))
	return a.ID
}

func TestStatementsOfSeveralAtOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		a := l.many(t, 10)
		results := make(chan error)
		for range 4 {
			go func() {
				got, err := l.Issue(t.Context(), l.who, "2026-03", nil)
				if err == nil && len(got.Statements) != 10 {
					err = fmt.Errorf("%d statements", len(got.Statements))
				}
				results <- err
			}()
		}
		for range 4 {
			ok(t, <-results)
		}
		sts, err := l.pageAfter(t.Context(), a, "", nil, 0, 1000, 1000)
		ok(t, err)
		if len(sts) != 10 || sts[9].Number != 10 {
			t.Errorf("%d statements", len(sts))
		}
		l.right(t)
	})
}

func TestArchiveIsMadeWhileItIsSent(t *testing.T) {
	sqldbtest.Each(t, ledgerSources, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(t, db, march)
		a := l.many(t, 60)
		l.issueAll(t, "2026-03")
		r, err := l.Archive(t.Context(), a, "2026-03", nil)
		ok(t, err)
		x := r.(*archive)
		var whole bytes.Buffer
		most := 0
		for buf := make([]byte, 4<<10); ; {
			n, err := x.Read(buf)
			whole.Write(buf[:n])
			most = max(most, x.buf.Len())
			if err == io.EOF {
				break
			}
			ok(t, err)
		}
		z, err := zip.NewReader(bytes.NewReader(whole.Bytes()), int64(whole.Len()))
		ok(t, err)
		if len(z.File) != 1+2*60 || most > whole.Len()/2 {
			t.Errorf("%d files, %d of %d bytes were in memory", len(z.File), most, whole.Len())
		}
	})
}
