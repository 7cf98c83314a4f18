package app_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// billed is a statement on the wire.
type billed struct {
	ID, Profile, Month, Currency, Hash, Kind, Card string
	Number                                         int64
	Version                                        int64 `json:"card_version"`
	Hours                                          int64
	Of                                             int64 `json:"hours_of_month"`
	From, To                                       string
	Subtotal                                       int64 `json:"subtotal_cents"`
	Tax                                            int64 `json:"tax_cents"`
	Total                                          int64 `json:"total_cents"`
	Lines                                          []struct {
		Kind, Item, Text, Unit string
		Quantity, Included     float64
		Cents                  int64
	}
	Corrections []struct {
		ID, Text  string
		Cents     int64
		Statement *string
	}
}

type issuedAnswer struct {
	Issued       int
	IssuedBefore int `json:"issued_before"`
	Left         int
	Statements   []billed
	Skipped      []struct{ Profile, Reason string }
}

func issueMonth(t *testing.T, s *apptest.Server, who apptest.Who, month string, profiles ...string) (out issuedAnswer) {
	t.Helper()
	s.Call(t, "POST", "/billing/statement", who.Token, row{"month": month, "profiles": profiles}).Want(t, 200).Into(t, &out)
	return out
}

func statementOf(t *testing.T, s *apptest.Server, who apptest.Who, id string) (st billed) {
	t.Helper()
	s.Call(t, "GET", "/billing/statement/"+id, who.Token, nil).Want(t, 200).Into(t, &st)
	return st
}

func newCard(t *testing.T, s *apptest.Server, who apptest.Who, terms row) string {
	t.Helper()
	var made struct{ ID string }
	s.Call(t, "POST", "/billing/card", who.Token, terms).Want(t, 201).Into(t, &made)
	return made.ID
}

var october = time.Date(2026, 10, 20, 9, 0, 0, 0, time.UTC)

// harbour is the customer of the worked example in docs/cost.md: 1,000 points are there from October on, and 1,000 more come when half of
// November is over.
func harbour(t *testing.T, s *apptest.Server, terms row) (owner, customer apptest.Who, card string) {
	t.Helper()
	owner = s.Account(t, "house")
	customer = s.Profile(t, owner, "Harbour")
	_, device := s.Device(t, customer, "Pump")
	s.Send(t, device, 1000).Want(t, 200)
	all := row{"name": "Standard", "profile": customer.Profile, "currency": "EUR", "fee_cents": 4900, "tax_bp": 1900, "tax_text": "VAT 19 %",
		"services": row{"input": row{"price_micro": 333_000, "per": 100, "included": 400}, "data_records": row{"price_micro": 100_000, "per": 100}}}
	for k, v := range terms {
		all[k] = v
	}
	card = newCard(t, s, owner, all)
	s.Clock.Set(time.Date(2026, 11, 15, 23, 50, 0, 0, time.UTC))
	s.Send(t, device, 1000).Want(t, 200)
	return owner, customer, card
}

var decemberOne = time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)

// TestStatementWorkedExample recomputes the example of docs/cost.md.
func TestStatementWorkedExample(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, customer, card := harbour(t, s, nil)
		s.Clock.Set(decemberOne)
		got := issueMonth(t, s, owner, "2026-11", customer.Profile)
		if got.Issued != 1 || got.Left != 0 {
			t.Fatalf("%+v", got)
		}
		st := statementOf(t, s, owner, got.Statements[0].ID)
		if st.Number != 1 || st.Card != card || st.Version != 1 || st.Hours != 720 || st.Of != 720 || st.Subtotal != 5250 || st.Tax != 998 || st.Total != 6248 {
			t.Errorf("%+v", st)
		}
		want := []string{"fee  720 4900", "service input 1000 200", "service data_records 1500 150"}
		for i, l := range st.Lines {
			if have := fmt.Sprint(l.Kind, " ", l.Item, " ", l.Quantity, " ", l.Cents); i >= len(want) || have != want[i] {
				t.Errorf("line %d: %s", i, have)
			}
		}
		verified(t, s)

		text, err := os.ReadFile("../../docs/cost.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, figure := range []string{"49.00", "0.333 per 100", "(1,000 − 400) × 0.333 ÷ 100 = 1.998", "2.00", "(360 × 1,000 + 360 × 2,000) ÷ 720 = 1,500", "1.50", "52.50", "9.975", "9.98", "62.48"} {
			if !strings.Contains(string(text), figure) {
				t.Errorf("docs/cost.md does not say %s", figure)
			}
		}
	}, apptest.AtTime(october))
}

// TestStatementsOfSomeProfiles is that a month can be looked at, issued and taken along for some profiles, and that a profile which never was
// the account's is answered as one that nobody has.
func TestStatementsOfSomeProfiles(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		north, south := s.Profile(t, owner, "North"), s.Profile(t, owner, "South")
		for _, p := range []apptest.Who{owner, north, south} {
			newCard(t, s, owner, row{"name": "Card", "profile": p.Profile, "currency": "EUR", "fee_cents": 100})
		}
		foreign := s.Account(t, "house")
		s.Clock.Set(decemberOne)
		late := s.Profile(t, owner, "Late") // not in November
		newCard(t, s, owner, row{"name": "Card", "profile": late.Profile, "currency": "EUR", "fee_cents": 100})

		type month struct {
			Count    int
			Totals   map[string]int64 `json:"totals_cents"`
			Profiles []struct{ Profile, Name, Status, Reason string }
		}
		look := func(query string) (m month) {
			t.Helper()
			s.Call(t, "GET", "/billing/statement?month=2026-11"+query, owner.Token, nil).Want(t, 200).Into(t, &m)
			return m
		}
		archive := func(query string) (names []string) {
			t.Helper()
			a := s.Call(t, "GET", "/billing/statement/zip?month=2026-11"+query, owner.Token, nil).Want(t, 200)
			z, err := zip.NewReader(bytes.NewReader(a.Body), int64(len(a.Body)))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range z.File {
				names = append(names, f.Name)
			}
			return names
		}
		some := "&profiles[0]=" + south.Profile + "&profiles[1]=" + late.Profile + "&profiles[2]=" + south.Profile
		t.Run("a month is shown of those that are named, each once, also of one that came later", func(t *testing.T) {
			m := look(some)
			if m.Count != 2 || len(m.Profiles) != 2 || m.Profiles[0].Profile != south.Profile || m.Profiles[0].Status != "draft" || m.Totals["eur"] != 100 {
				t.Fatalf("%+v", m)
			}
			if p := m.Profiles[1]; p.Profile != late.Profile || p.Name != "Late" || p.Status != "none" || p.Reason != "It was not the account's in this month" {
				t.Errorf("%+v", p)
			}
			if m := look(some + "&amount=1&page=2"); m.Count != 2 || len(m.Profiles) != 1 || m.Profiles[0].Profile != late.Profile {
				t.Errorf("%+v", m)
			}
			if m := look("&profiles=" + north.Profile + "&profiles=" + south.Profile); m.Count != 2 || m.Totals["eur"] != 200 {
				t.Errorf("%+v", m)
			}
			if m := look("&profiles="); m.Count != 3 { // as the client library sends null
				t.Errorf("%+v", m)
			}
		})
		t.Run("those that are named are issued and no others", func(t *testing.T) {
			got := issueMonth(t, s, owner, "2026-11", south.Profile, late.Profile)
			if got.Issued != 1 || len(got.Statements) != 1 || got.Statements[0].Profile != south.Profile || len(got.Skipped) != 1 || got.Skipped[0].Profile != late.Profile {
				t.Fatalf("%+v", got)
			}
			if m := look(""); m.Profiles[0].Status != "draft" || m.Profiles[1].Status != "draft" || m.Profiles[2].Status != "issued" {
				t.Errorf("%+v", m)
			}
		})
		t.Run("the ZIP has those that are named", func(t *testing.T) {
			issueMonth(t, s, owner, "2026-11")
			if got := archive(some); !slices.Equal(got, []string{"summary.csv", "2026-11-0001-south.csv", "2026-11-0001-south.html"}) {
				t.Error(got)
			}
			if got := archive(""); len(got) != 7 {
				t.Error(got)
			}
			s.Call(t, "GET", "/billing/statement/zip?month=2026-11&profiles="+late.Profile, owner.Token, nil).Want(t, 404)
		})
		t.Run("what is another's, nobody's or no id is not there, alike", func(t *testing.T) {
			for _, p := range []string{foreign.Profile, "0123456789abcdef01234567", "none"} {
				for _, a := range []apptest.Answer{
					s.Call(t, "GET", "/billing/statement?month=2026-11&profiles="+north.Profile+"&profiles="+p, owner.Token, nil),
					s.Call(t, "GET", "/billing/statement/zip?month=2026-11&profiles="+north.Profile+"&profiles="+p, owner.Token, nil),
					s.Call(t, "POST", "/billing/statement", owner.Token, row{"month": "2026-11", "profiles": []string{north.Profile, p}}),
				} {
					if a.Want(t, 404); a.Message != "profiles[1]: Profile Not Found" {
						t.Errorf("%s %s: %s", a.Method, a.Path, a.Message)
					}
				}
			}
		})
		t.Run("too many are refused", func(t *testing.T) {
			many := strings.Repeat("&profiles="+north.Profile, 201)
			for _, path := range []string{"", "/zip"} {
				if a := s.Call(t, "GET", "/billing/statement"+path+"?month=2026-11"+many, owner.Token, nil).Want(t, 400); a.Message != "profiles: must have at most 200" {
					t.Error(a.Message)
				}
			}
		})
	}, apptest.AtTime(october))
}

func TestStatements(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, customer, card := harbour(t, s, row{"customer_reference": "=HYPERLINK(\"x\")", "customer_name": "Port <b>Authority</b>", "notes": "</style><script>alert(1)</script>"})
		tag := []row{{"key": "tier", "value": "small"}}
		gone := s.Profile(t, owner, "Gone")
		s.Call(t, "PUT", "/profile/"+gone.Profile, owner.Token, row{"tags": tag}).Want(t, 200)
		newCard(t, s, owner, row{"name": "Small", "tag": tag[0], "currency": "USD", "fee_cents": 2401})
		s.Clock.Set(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
		s.Call(t, "DELETE", "/profile/"+gone.Profile, owner.Token, row{"password": apptest.Password}).Want(t, 200)

		type preview struct {
			Count    int
			Totals   map[string]int64 `json:"totals_cents"`
			Profiles []struct {
				Profile, Name, Status, Reason string
				Statement                     *billed
			}
		}
		look := func(query string) (p preview) {
			t.Helper()
			s.Call(t, "GET", "/billing/statement?month=2026-11"+query, owner.Token, nil).Want(t, 200).Into(t, &p)
			return p
		}
		t.Run("the month that runs is shown as drafts, and why some have none", func(t *testing.T) {
			p := look("")
			if p.Count != 3 || len(p.Profiles) != 3 || p.Profiles[0].Status != "none" || p.Profiles[0].Reason != "It has no rate card" ||
				p.Profiles[1].Status != "draft" || p.Profiles[1].Statement.ID != "" || p.Profiles[2].Name != "Gone" || p.Profiles[2].Status != "draft" {
				t.Fatalf("%+v", p)
			}
			// From 15 November, 23:50, to 20 November, 12:00: the hour it was made in, and 108.
			if st := p.Profiles[2].Statement; st.Hours != 109 || st.Of != 720 || st.Total != 363 || st.Lines[0].Text != "Monthly fee for 109 of 720 hours" {
				t.Errorf("%+v", st)
			}
			if p := look("&amount=1&page=2"); len(p.Profiles) != 1 || p.Profiles[0].Profile != customer.Profile || len(p.Totals) != 1 || p.Totals["eur"] != p.Profiles[0].Statement.Total {
				t.Errorf("%+v", p)
			}
		})
		t.Run("a month is issued when it is over and counted, and bad ones are refused", func(t *testing.T) {
			for _, at := range []time.Time{s.Clock.Now(), decemberOne.Add(-time.Millisecond)} {
				s.Clock.Set(at)
				if a := s.Call(t, "POST", "/billing/statement", owner.Token, row{"month": "2026-11"}).Want(t, 400); !strings.HasPrefix(a.Message, "month: can be issued from 1 December 2026, 01:00 UTC on") {
					t.Error(a.Message)
				}
			}
			for _, m := range []string{"", "2026-13", "November", "2026-11-01", "1969-12", "2027-02"} {
				if a := s.Call(t, "POST", "/billing/statement", owner.Token, row{"month": m}).Want(t, 400); !strings.HasPrefix(a.Message, "month: ") {
					t.Error(a.Message)
				}
			}
			s.Call(t, "GET", "/billing/statement", owner.Token, nil).Want(t, 400)
			s.Call(t, "GET", "/billing/statement/zip?month=2026-11", owner.Token, nil).Want(t, 404)
		})
		s.Clock.Set(decemberOne)
		var first issuedAnswer
		t.Run("issuing is the same once and twice", func(t *testing.T) {
			first = issueMonth(t, s, owner, "2026-11")
			if first.Issued != 2 || first.IssuedBefore != 0 || len(first.Skipped) != 1 || first.Skipped[0].Profile != owner.Profile || first.Statements[0].Number != 1 || first.Statements[1].Number != 2 {
				t.Fatalf("%+v", first)
			}
			s.Call(t, "PUT", "/billing/card/"+card, owner.Token, row{"fee_cents": 9900}).Want(t, 200)
			again := issueMonth(t, s, owner, "2026-11")
			if again.Issued != 0 || again.IssuedBefore != 2 || len(again.Statements) != 2 || again.Statements[0].Hash != first.Statements[0].Hash || again.Statements[1].ID != first.Statements[1].ID {
				t.Errorf("%+v", again)
			}
			if p := look(""); p.Profiles[1].Status != "issued" || p.Profiles[1].Statement.Total != 6248 {
				t.Errorf("%+v", p.Profiles[1])
			}
		})
		harbourID := first.Statements[0].ID
		t.Run("the page is whole, escapes what people wrote, and allows no script", func(t *testing.T) {
			a := s.Call(t, "GET", "/billing/statement/"+harbourID+"?format=html", owner.Token, nil).Want(t, 200)
			page := string(a.Body)
			for _, want := range []string{"Statement 1 for 2026-11", "Port &lt;b&gt;Authority&lt;/b&gt;", "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;", "VAT 19 %", ">62.48<", "1 November 2026 – 30 November 2026", "1,500 record-months", "0.333 per 100"} {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if strings.Contains(page, "<script") || strings.Contains(page, "<b>") {
				t.Error("the page has what people wrote as HTML")
			}
			style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
			hash := sha256.Sum256([]byte(style[1]))
			policy := a.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") || !strings.HasPrefix(policy, "default-src 'none';") || !strings.HasSuffix(policy, "frame-ancestors 'none'") {
				t.Error(policy)
			}
			if a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("Cache-Control") != "no-store" {
				t.Error(a.Header)
			}
		})
		table := func(b []byte) [][]string {
			t.Helper()
			rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		t.Run("the CSV adds up and holds no formula", func(t *testing.T) {
			rows := table(s.Call(t, "GET", "/billing/statement/"+harbourID+"?format=csv", owner.Token, nil).Want(t, 200).Body)
			var amounts []string
			for _, r := range rows[1:] {
				amounts = append(amounts, r[7]+" "+r[15])
				if r[5] != `'=HYPERLINK("x")` {
					t.Errorf("a formula: %q", r[5])
				}
			}
			if !slices.Equal(amounts, []string{"fee 49.00", "service 2.00", "service 1.50", "tax 9.98", "total 62.48"}) {
				t.Error(amounts)
			}
			s.Call(t, "GET", "/billing/statement/"+harbourID+"?format=pdf", owner.Token, nil).Want(t, 400)
		})
		t.Run("the ZIP has a summary and each statement twice", func(t *testing.T) {
			a := s.Call(t, "GET", "/billing/statement/zip?month=2026-11", owner.Token, nil).Want(t, 200)
			z, err := zip.NewReader(bytes.NewReader(a.Body), int64(len(a.Body)))
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			var names []string
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				if files[f.Name], err = io.ReadAll(r); err != nil {
					t.Fatal(err)
				}
				names = append(names, f.Name)
			}
			if !slices.Equal(names, []string{"summary.csv", "2026-11-0001-harbour.csv", "2026-11-0001-harbour.html", "2026-11-0002-gone.csv", "2026-11-0002-gone.html"}) {
				t.Fatal(names)
			}
			if rows := table(files["summary.csv"]); len(rows) != 3 || rows[1][10] != "62.48" || rows[2][10] != "3.63" || rows[2][11] != "usd" || rows[1][12] != names[2] {
				t.Error(rows)
			}
			if page := s.Call(t, "GET", "/billing/statement/"+harbourID+"?format=html", owner.Token, nil); !bytes.Equal(page.Body, files[names[2]]) {
				t.Error("the page in the ZIP is another one")
			}
		})
		t.Run("a correction is a line of the next statement and changes nothing of the first", func(t *testing.T) {
			path := "/billing/statement/" + harbourID + "/correction"
			for _, bad := range []row{{"text": "", "cents": 1}, {"text": "a\nb", "cents": 1}, {"text": "x"}, {"text": "x", "cents": 0}, {"text": "x", "cents": 1 << 50}, {"text": "x", "cents": 1.5}} {
				s.Call(t, "POST", path, owner.Token, bad).Want(t, 400)
			}
			var one, two struct{ ID string }
			fix := row{"text": "Outage on 3 November", "cents": -500, "key": "ticket-7"}
			s.Call(t, "POST", path, owner.Token, fix).Want(t, 200).Into(t, &one)
			s.Call(t, "POST", path, owner.Token, fix).Want(t, 200).Into(t, &two)
			if one.ID != two.ID {
				t.Error("the same key made two corrections")
			}
			s.Call(t, "POST", path, owner.Token, row{"text": "Other", "cents": -500, "key": "ticket-7"}).Want(t, 409)
			if st := statementOf(t, s, owner, harbourID); st.Total != 6248 || len(st.Corrections) != 1 || st.Corrections[0].Statement != nil || st.Hash != first.Statements[0].Hash {
				t.Errorf("%+v", st)
			}
			s.Clock.Advance(time.Second)
			s.Call(t, "POST", path, owner.Token, row{"text": "At once", "cents": 100, "own": true}).Want(t, 200)
			s.Clock.Set(time.Date(2027, 1, 1, 1, 0, 0, 0, time.UTC))
			got := issueMonth(t, s, owner, "2026-12")
			if got.Issued != 1 || got.Statements[0].Number != 4 {
				t.Fatalf("%+v", got)
			}
			st := statementOf(t, s, owner, got.Statements[0].ID)
			if l := st.Lines[len(st.Lines)-1]; l.Kind != "correction" || l.Cents != -500 || l.Text != "Correction of statement 1: Outage on 3 November" || st.Version != 2 {
				t.Errorf("%+v", st)
			}
			var all []billed
			s.Call(t, "GET", "/billing/statement/issued?filter[profile]="+customer.Profile, owner.Token, nil).Want(t, 200).Into(t, &all)
			if len(all) != 3 || all[1].Kind != "correction" || all[1].Number != 3 || all[1].Total != 119 || all[2].ID != harbourID {
				t.Errorf("%+v", all)
			}
			if old := statementOf(t, s, owner, harbourID); len(old.Corrections) != 2 || *old.Corrections[0].Statement != st.ID {
				t.Errorf("%+v", old)
			}
		})
		t.Run("what is another's is not there", func(t *testing.T) {
			other := s.Account(t, "house")
			for _, path := range []string{"/billing/statement/" + harbourID, "/billing/statement/" + harbourID + "?format=html", "/billing/card/" + card, "/billing/statement/zip?month=2026-11"} {
				s.Call(t, "GET", path, other.Token, nil).Want(t, 404)
			}
			s.Call(t, "PUT", "/billing/card/"+card, other.Token, row{"fee_cents": 1}).Want(t, 404)
			s.Call(t, "DELETE", "/billing/card/"+card, other.Token, nil).Want(t, 404)
			s.Call(t, "POST", "/billing/statement/"+harbourID+"/correction", other.Token, row{"text": "x", "cents": 1}).Want(t, 404)
			s.Call(t, "POST", "/billing/statement", other.Token, row{"month": "2026-11", "profiles": []string{customer.Profile}}).Want(t, 404)
			s.Call(t, "POST", "/billing/card", other.Token, row{"name": "x", "profile": customer.Profile, "currency": "EUR"}).Want(t, 404)
			var none []row
			s.Call(t, "GET", "/billing/statement/issued", other.Token, nil).Want(t, 200).Into(t, &none)
			if len(none) > 0 {
				t.Error(none)
			}
			// An admin of the profile has an account of one's own, and no more.
			admin := s.Account(t, "house")
			member := s.Join(t, apptest.Who{Profile: customer.Profile, Token: owner.Token}, admin, row{"role": "admin"})
			s.Call(t, "GET", "/billing/statement/"+harbourID, member.Token, nil).Want(t, 401)
		})
		t.Run("a removed card leaves its statements, and verify finds nothing", func(t *testing.T) {
			s.Call(t, "DELETE", "/billing/card/"+card, owner.Token, nil).Want(t, 200)
			s.Call(t, "GET", "/billing/card/"+card, owner.Token, nil).Want(t, 404)
			if st := statementOf(t, s, owner, harbourID); st.Total != 6248 {
				t.Errorf("%+v", st)
			}
			verified(t, s)
		})
		t.Run("verify names what was changed", func(t *testing.T) {
			names := func(want string) {
				t.Helper()
				findings, _, err := s.App.Verify(t.Context())
				if err != nil || !slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, want) }) {
					t.Errorf("no finding says %q: %q %v", want, findings, err)
				}
			}
			tamper := func(q string, args ...any) {
				t.Helper()
				if err := s.App.Tamper(t.Context(), q, args...); err != nil {
					t.Fatal(err)
				}
			}
			tamper(`UPDATE statement SET document = replace(document, '"cents":200}', '"cents":100}') WHERE id = $1`, harbourID)
			names("statement 1 (" + harbourID + "): it was changed")
			names("its lines come to 5150")
			names("line 2 (service input) has quantity 1000 and 100 cents, it should have 1000 and 200")
			tamper(`UPDATE statement_correction SET cents = -600 WHERE cents = $1`, -500)
			names("(correction ")
			tamper(`UPDATE counter SET open_input = open_input + 100 WHERE profile_id = $1`, customer.Profile) // nothing came since November
			names("it should have 1100 and 233")
			tamper(`DELETE FROM statement WHERE id = $1`, first.Statements[1].ID)
			names("statement 3")
		})
	}, apptest.AtTime(october))
}

func TestRateCards(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		one, two := s.Profile(t, owner, "One"), s.Profile(t, owner, "Two")
		small, north := row{"key": "tier", "value": "small"}, row{"key": "region", "value": "north"}
		s.Call(t, "PUT", "/profile/"+one.Profile, owner.Token, row{"tags": []row{small, north}}).Want(t, 200)
		base := func(more row) row {
			r := row{"name": "Card", "profile": one.Profile, "currency": "EUR"}
			for k, v := range more {
				if v == nil && k != "logo" {
					delete(r, k)
					continue
				}
				r[k] = v
			}
			return r
		}
		t.Run("what cannot be is refused with its field", func(t *testing.T) {
			for _, c := range []struct {
				with row
				says string
			}{
				{row{"name": nil}, "name: is required"},
				{row{"name": strings.Repeat("x", 101)}, "name: must have at most 100"},
				{row{"profile": nil}, "profile: is required"},
				{row{"tag": small}, "tag: cannot be given together with profile"},
				{row{"profile": nil, "tag": row{"key": "", "value": "x"}}, "tag.key: "},
				{row{"currency": "euro"}, "currency: "},
				{row{"currency": nil}, "currency: "},
				{row{"fee_cents": -1}, "fee_cents: "},
				{row{"fee_cents": 1.5}, "fee_cents: "},
				{row{"services": row{"coffee": row{"price_micro": 1}}}, "services: has no service"},
				{row{"services": row{"input": row{"price_micro": -1}}}, "services.input.price_micro: "},
				{row{"services": row{"input": row{"price_micro": 1, "per": -1}}}, "services.input.per: "},
				{row{"services": row{"input": row{"price_micro": 1, "included": -1}}}, "services.input.included: "},
				{row{"markup": row{"bp": -1}}, "markup.bp: "},
				{row{"markup": row{"bp": 1, "basis": "guess"}}, "markup.basis: "},
				{row{"tax_bp": 10001}, "tax_bp: "},
				{row{"tax_text": "a\nb"}, "tax_text: "},
				{row{"customer_reference": strings.Repeat("x", 201)}, "customer_reference: "},
				{row{"customer_address": strings.Repeat("x", 2001)}, "customer_address: "},
				{row{"notes": "a\x01b"}, "notes: "},
				{row{"logo": "https://example.test/logo.png"}, "logo: "},
				{row{"logo": "data:image/png;base64,AAAA"}, "logo: must be a PNG"},
				{row{"logo": "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte("<svg onload=alert(1)>"))}, "logo: must be a PNG"},
				{row{"logo": "data:image/png;base64," + strings.Repeat("A", 360_000)}, "logo: must have at most"},
			} {
				if a := s.Call(t, "POST", "/billing/card", owner.Token, base(c.with)).Want(t, 400); !strings.HasPrefix(a.Message, c.says) {
					t.Errorf("%v: %s", c.with, a.Message)
				}
			}
		})
		tier := newCard(t, s, owner, base(row{"name": "Tier", "profile": nil, "tag": small}))
		t.Run("two cards for one target, and tags that tie, are refused naming the other", func(t *testing.T) {
			if a := s.Call(t, "POST", "/billing/card", owner.Token, base(row{"profile": nil, "tag": small})).Want(t, 409); !strings.Contains(a.Message, `"Tier" (`+tier+")") {
				t.Error(a.Message)
			}
			if a := s.Call(t, "POST", "/billing/card", owner.Token, base(row{"profile": nil, "tag": north})).Want(t, 409); !strings.Contains(a.Message, `"Tier" (`+tier+")") {
				t.Error(a.Message)
			}
		})
		own := newCard(t, s, owner, base(row{"name": "Own"}))
		if a := s.Call(t, "POST", "/billing/card", owner.Token, base(nil)).Want(t, 409); !strings.Contains(a.Message, own) {
			t.Error(a.Message)
		}
		newCard(t, s, owner, base(row{"name": "North", "profile": nil, "tag": north})) // the profile's own card decides
		s.Call(t, "PUT", "/profile/"+two.Profile, owner.Token, row{"tags": []row{small, north}}).Want(t, 200)
		t.Run("the narrower card wins, and a tie that tags made later is a reason", func(t *testing.T) {
			var month struct {
				Profiles []struct {
					Profile, Reason string
					Statement       *billed
				}
			}
			s.Call(t, "GET", "/billing/statement?month=2026-10", owner.Token, nil).Want(t, 200).Into(t, &month)
			for _, p := range month.Profiles {
				switch p.Profile {
				case one.Profile:
					if p.Statement == nil || p.Statement.Card != own {
						t.Errorf("%+v", p)
					}
				case two.Profile:
					if p.Statement != nil || !strings.HasPrefix(p.Reason, `Two rate cards are for tags of this profile: "North"`) {
						t.Errorf("%+v", p)
					}
				}
			}
		})
		t.Run("a change makes a version, none makes none; what is absent stays", func(t *testing.T) {
			path := "/billing/card/" + own
			s.Call(t, "PUT", path, owner.Token, row{"fee_cents": 5, "services": row{"input": row{"price_micro": 7}}, "markup": row{"bp": 100}}).Want(t, 200)
			s.Call(t, "PUT", path, owner.Token, row{"fee_cents": 5}).Want(t, 200)
			type card struct {
				Version  int64
				Name     string
				Fee      int64 `json:"fee_cents"`
				Services map[string]struct{ Per int64 }
				Markup   *struct{ Basis string }
				Logo     *string
			}
			read := func() (c card) { s.Call(t, "GET", path, owner.Token, nil).Want(t, 200).Into(t, &c); return c }
			if c := read(); c.Version != 2 || c.Name != "Own" || c.Fee != 5 || c.Services["input"].Per != 1 || c.Markup.Basis != "use" || c.Logo != nil {
				t.Errorf("%+v", c)
			}
			logo := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte(logoPNG))
			s.Call(t, "PUT", path, owner.Token, row{"logo": logo, "markup": nil}).Want(t, 200)
			if c := read(); c.Version != 3 || c.Markup != nil || c.Logo == nil || !strings.HasPrefix(*c.Logo, "data:image/png;base64,") {
				t.Errorf("%+v", c)
			}
			var list []card
			s.Call(t, "GET", "/billing/card", owner.Token, nil).Want(t, 200).Into(t, &list)
			if i := slices.IndexFunc(list, func(c card) bool { return c.Logo != nil }); len(list) != 3 || i < 0 || *list[i].Logo != "picture" {
				t.Errorf("%+v", list)
			}
			s.Call(t, "PUT", path, owner.Token, row{"logo": "picture"}).Want(t, 200)
			if c := read(); c.Version != 3 {
				t.Errorf("%+v", c)
			}
			s.Clock.Set(time.Date(2026, 11, 1, 1, 0, 0, 0, time.UTC))
			st := issueMonth(t, s, owner, "2026-10", one.Profile).Statements[0]
			if page := s.Call(t, "GET", "/billing/statement/"+st.ID+"?format=html", owner.Token, nil).Want(t, 200); !strings.Contains(string(page.Body), `src="data:image/png;base64,`) {
				t.Error("the page has no logo")
			}
		})
		t.Run("the profile's own picture is drawn into the page, one that lies elsewhere is not", func(t *testing.T) {
			twoOwn := newCard(t, s, owner, base(row{"name": "Two", "profile": two.Profile, "logo": "profile"}))
			page := func(month string) string {
				t.Helper()
				st := issueMonth(t, s, owner, month, two.Profile).Statements[0]
				if st.Profile != two.Profile || twoOwn == "" {
					t.Fatalf("%+v", st)
				}
				return string(s.Call(t, "GET", "/billing/statement/"+st.ID+"?format=html", owner.Token, nil).Want(t, 200).Body)
			}
			s.Call(t, "PUT", "/profile/"+two.Profile, owner.Token, row{"logo_url": "https://example.test/logo.png"}).Want(t, 200)
			if p := page("2026-10"); strings.Contains(p, "<img") || strings.Contains(p, "example.test") {
				t.Error("the page loads a picture from elsewhere")
			}
			s.Call(t, "PUT", "/profile/"+two.Profile+"/logo", owner.Token, logoPNG).Want(t, 200)
			s.Clock.Set(decemberOne)
			if p := page("2026-11"); !strings.Contains(p, `src="data:image/png;base64,`) {
				t.Error("the page lacks the profile's picture")
			}
		})
	}, apptest.AtTime(october))
}
