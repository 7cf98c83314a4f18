package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/plan"
)

// teller is a ledger whose notices go somewhere.
type teller struct {
	*ledger
	heard map[string]bool // notifications read by since
}

func newTeller(t testing.TB, db *sqldb.DB) *teller {
	t.Helper()
	l := newLedger(t, db, march)
	mailer, err := mail.New(db, mail.Config{Clock: l.clk})
	ok(t, err)
	sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	ok(t, err)
	l.notify = notify.New(db, l.accounts, l.profiles, l.audit, mailer, sealer, notify.Config{Name: "Paddock", PublicURL: "https://paddock.test"}, l.clk)
	l.http = web.NewServer(web.Config{Log: slog.New(slog.DiscardHandler), Clock: l.clk,
		Authenticate: func(context.Context, web.Credential) (auth.Caller, error) { return l.who, nil }},
		slices.Concat(l.use.Routes(), l.costRoutes(), l.budgetRoutes(), l.simulateRoutes())).Handler()
	return &teller{ledger: l, heard: map[string]bool{}}
}

func eachTeller(t *testing.T, f func(t *testing.T, l *teller)) {
	sqldbtest.Each(t, append(slices.Clone(ledgerSources), notify.Migrations()), func(t *testing.T, db *sqldb.DB) { f(t, newTeller(t, db)) })
}

// told looks and says which notifications came since the last call, ordered.
func (l *teller) told(t testing.TB) []string {
	t.Helper()
	ok(t, l.LookAtBudgets(t.Context()))
	return l.since(t)
}

// since is told without looking.
func (l *teller) since(t testing.TB) []string {
	t.Helper()
	all, err := sqldb.All(t.Context(), l.db, func(r sqldb.Scanner) (s [3]string, err error) { return s, r.Scan(&s[0], &s[1], &s[2]) },
		`SELECT id, title, account || ' ' || profile FROM notification ORDER BY title`)
	ok(t, err)
	out := []string{}
	for _, n := range all {
		if l.heard[n[0]] {
			continue
		}
		l.heard[n[0]] = true
		if n[2] != string(l.who.AccountID)+" " {
			t.Errorf("%q was told to %q, not to the owner as the account's", n[1], n[2])
		}
		out = append(out, n[1])
	}
	return out
}

func (l *teller) wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("told %q, want %q", got, want)
	}
}

type budgetRow struct {
	ID       string
	Profile  *string
	Name     string
	Amount   int64
	Currency string
	Shares   []int64
	Forecast bool
	Spent    int64 `json:"spent_micro"`
	Share    int64
	Expected int64 `json:"forecast_micro"`
	Told     *struct {
		At     time.Time
		Share  *int64
		Amount int64
	} `json:"last_told"`
}

func (l *teller) budget(t testing.TB, body any) (out budgetRow) {
	t.Helper()
	if status, message := l.call(t, "POST", "/account/budget", body, &out); status != 201 {
		t.Fatalf("a budget was answered %d: %s", status, message)
	}
	return out
}

func (l *teller) listed(t testing.TB) (out []budgetRow) {
	t.Helper()
	l.want(t, "GET", "/account/budget", nil, &out)
	return out
}

type object = map[string]any

// at moves the clock to some hours of March.
func (l *teller) at(hours int) { l.to(march.Add(time.Duration(hours) * time.Hour)) }

func TestBudgets(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		a, p := l.account(t, "scale", "UTC")
		q := l.profile(t, a.ID)
		// Ten cents an hour, seven and a half of them p's, and a plan of ten cents an hour that is the account's.
		for i, k := range []Kind{PlanFee, ServiceFee} {
			l.charge(t, Charge{Account: a.ID, Kind: k, Item: []string{"scale", "input"}[i], Cents: 7440, Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()})
		}
		l.allocate(t, plan.Input, map[id.Profile]int64{p: 750_000, q: 250_000})
		pName := l.name(t, p)
		l.at(10)
		all := l.budget(t, object{"amount": 1000, "forecast": true})
		if all.Profile != nil || all.Currency != "usd" || !slices.Equal(all.Shares, []int64{50, 80, 100}) || all.Spent != 2_000_000 || all.Share != 20 || all.Expected != 148_800_000 {
			t.Errorf("%+v", all)
		}
		l.wantTold(t, l.since(t), "Budget of the account: expected to be overrun")
		own := l.budget(t, object{"amount": 400, "profile": p, "shares": []int64{100, 20, 200}})
		other := l.budget(t, object{"amount": 1, "profile": q, "shares": []int64{}, "forecast": true})
		if own.Profile == nil || *own.Profile != string(p) || own.Name != pName || !slices.Equal(own.Shares, []int64{20, 100, 200}) || own.Spent != 750_000 || own.Share != 18 {
			t.Errorf("%+v", own)
		}
		if other.Told != nil || other.Spent != 250_000 { // what is over is over, and was never expected
			t.Errorf("%+v", other)
		}
		l.wantTold(t, l.told(t))

		l.at(26)
		for range 2 {
			l.wantTold(t, l.since(t))
		}
		l.wantTold(t, l.told(t), "Budget of "+pName+": 20 % reached", "Budget of the account: 50 % reached")
		l.wantTold(t, l.told(t))

		t.Run("the list shows how it stands and what was told last", func(t *testing.T) {
			rows := l.listed(t)
			if len(rows) != 3 {
				t.Fatalf("%+v", rows)
			}
			i := slices.IndexFunc(rows, func(b budgetRow) bool { return b.ID == all.ID })
			if b := rows[i]; b.Spent != 26*200_000 || b.Share != 52 || b.Told == nil || b.Told.Share == nil || *b.Told.Share != 50 || b.Told.Amount != 1000 || !b.Told.At.Equal(march.Add(26*time.Hour)) {
				t.Errorf("%+v", b)
			}
		})
		t.Run("another amount tells anew, a lower one at once", func(t *testing.T) {
			l.want(t, "PUT", "/account/budget/"+all.ID, object{"amount": 2000}, nil)
			l.wantTold(t, l.since(t), "Budget of the account: expected to be overrun")
			l.want(t, "PUT", "/account/budget/"+all.ID, object{"amount": 500}, nil)
			l.wantTold(t, l.since(t), "Budget of the account: 100 % reached")
			if n := l.items(t, "Budget of the account: 100 % reached"); n != 3 { // 100, 80 and 50 are one event
				t.Errorf("%d sentences", n)
			}
			l.want(t, "PUT", "/account/budget/"+all.ID, object{"shares": []int64{10, 150}}, nil)
			l.wantTold(t, l.since(t), "Budget of the account: 10 % reached")
			l.want(t, "PUT", "/account/budget/"+all.ID, object{"amount": 1000}, nil)
			l.wantTold(t, l.since(t), "Budget of the account: 10 % reached")
			l.wantTold(t, l.told(t))
		})
		t.Run("the next cycle tells anew", func(t *testing.T) {
			l.to(march.AddDate(0, 1, 1))
			l.charge(t, Charge{Account: a.ID, Kind: ServiceFee, Item: "input", Cents: 7200, Start: march.AddDate(0, 1, 0).UnixMilli(), End: march.AddDate(0, 2, 0).UnixMilli()})
			l.wantTold(t, l.told(t), "Budget of "+pName+": 20 % reached", "Budget of the account: 10 % reached", "Budget of the account: expected to be overrun")
		})
		t.Run("what cannot be is refused by name", func(t *testing.T) {
			for body, want := range map[string]string{
				`{}`:                             "amount: is required",
				`{"amount":0}`:                   "amount: must be from 1",
				`{"amount":"x"}`:                 "amount",
				`{"amount":5,"shares":[0]}`:      "shares[0]: must be from 1 to 200 per cent",
				`{"amount":5,"shares":[50,201]}`: "shares[1]: must be from 1 to 200 per cent",
				`{"amount":5,"shares":[50,50]}`:  "shares[1]: 50 is there twice",
				`{"amount":5,"shares":[]}`:       "shares: must have at least one",
				`{"amount":5,"shares":[1,2,3,4,5,6,7,8,9,10,11]}`:        "shares: has 11",
				`{"amount":5,"profile":"aaaaaaaaaaaaaaaaaaaaaaaa"}`:      "profile: Profile Not Found",
				`{"amount":5,"profile":""}`:                              "profile: must be",
				`{"amount":5,"currency":"EUR"}`:                          `currency: "EUR" is none`,
				`{"amount":5,"forecast":"yes"}`:                          "forecast",
				`{"amount":99999999999999,"shares":[1],"forecast":true}`: "amount: must be from 1",
			} {
				if status, message := l.call(t, "POST", "/account/budget", json.RawMessage(body), nil); status != 400 || !strings.HasPrefix(message, want) {
					t.Errorf("%s: %d %s", body, status, message)
				}
			}
			if status, message := l.call(t, "PUT", "/account/budget/"+all.ID, object{"profile": q}, nil); status != 400 || !strings.HasPrefix(message, "profile: cannot be changed") {
				t.Error(status, message)
			}
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				if status, message := l.call(t, method, "/account/budget/aaaaaaaaaaaaaaaaaaaaaaaa", object{}, nil); status != 404 || message != "Budget Not Found" {
					t.Error(method, status, message)
				}
			}
		})
		t.Run("another account sees none of them", func(t *testing.T) {
			mine := l.who
			l.account(t, "scale", "UTC")
			if rows := l.listed(t); len(rows) != 0 {
				t.Errorf("%+v", rows)
			}
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				if status, _ := l.call(t, method, "/account/budget/"+all.ID, object{"amount": 1}, nil); status != 404 {
					t.Error(method, status)
				}
			}
			if status, message := l.call(t, "POST", "/account/budget", object{"amount": 1, "profile": p}, nil); status != 400 {
				t.Error(status, message)
			}
			l.who = mine
		})
		t.Run("a deleted profile takes its budget along", func(t *testing.T) {
			ok(t, l.profiles.Delete(t.Context(), l.who, string(q), "correct horse battery"))
			rows := l.listed(t)
			if len(rows) != 2 || slices.ContainsFunc(rows, func(b budgetRow) bool { return b.ID == other.ID }) {
				t.Errorf("%+v", rows)
			}
		})
		t.Run("a removed one tells nothing", func(t *testing.T) {
			l.want(t, "DELETE", "/account/budget/"+own.ID, nil, nil)
			l.to(march.AddDate(0, 1, 29))
			l.wantTold(t, l.told(t), "Budget of the account: 150 % reached")
			l.want(t, "DELETE", "/account/budget/"+all.ID, nil, nil)
			n, err := sqldb.All(t.Context(), l.db, sqldb.Value[int64], `SELECT COUNT(*) FROM budget_told`)
			ok(t, err)
			if n[0] != 0 {
				t.Errorf("%d tellings are left", n[0])
			}
		})
	})
}

// name is a profile's.
func (l *teller) name(t testing.TB, p id.Profile) string {
	t.Helper()
	x, err := l.profiles.Get(t.Context(), p)
	ok(t, err)
	return x.Name
}

// items are how many sentences the only notification of some title has.
func (l *teller) items(t testing.TB, title string) int {
	t.Helper()
	var message string
	ok(t, l.db.QueryRow(t.Context(), `SELECT message FROM notification WHERE title = $1`, title).Scan(&message))
	return strings.Count(message, "\n") + 1
}

// TestBudgetToldOnce is that what was remembered was told and what was told is remembered, whatever fails between, and that many who look
// at once tell once.
func TestBudgetToldOnce(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		a, _ := l.account(t, "scale", "UTC")
		l.charge(t, Charge{Account: a.ID, Kind: PlanFee, Item: "scale", Cents: 7440, Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()})
		l.budget(t, object{"amount": 100})
		l.at(6)
		count := func() (n int64) {
			ok(t, l.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM budget_told`).Scan(&n))
			return n
		}
		for _, table := range []string{"notification", "webhook"} { // before people are told, and after, before webhooks are
			_, err := l.db.Exec(t.Context(), `ALTER TABLE `+table+` RENAME TO away`)
			ok(t, err)
			if err := l.LookAtBudgets(t.Context()); err == nil {
				t.Fatal("it told without " + table)
			}
			_, err = l.db.Exec(t.Context(), `ALTER TABLE away RENAME TO `+table)
			ok(t, err)
			if n := count(); n != 0 {
				t.Fatalf("%d tellings are remembered that nobody was told", n)
			}
			l.wantTold(t, l.since(t))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := l.LookAtBudgets(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		l.wantTold(t, l.since(t), "Budget of the account: 50 % reached")
		if n := count(); n != 1 {
			t.Errorf("%d tellings are remembered", n)
		}
	})
}

// TestBudgetOfFigure is a budget of an account that has said itself what everything costs.
func TestBudgetOfFigure(t *testing.T) {
	eachTeller(t, func(t *testing.T, l *teller) {
		a, p := l.account(t, "house", "UTC")
		q := l.profile(t, a.ID)
		l.want(t, "PUT", "/account/cost/figure", object{"amount": 7440, "currency": "EUR", "shares": object{"input": 100}}, nil)
		b := l.budget(t, object{"amount": 100, "profile": q, "shares": []int64{100}})
		if b.Currency != "eur" {
			t.Errorf("%+v", b)
		}
		l.at(1)
		l.input(t, p, 10)
		l.at(2)
		l.input(t, q, 30) // this hour is q's
		l.at(4)
		ok(t, l.Rate(t.Context()))
		l.wantTold(t, l.told(t))
		for h := 4; h < 14; h++ {
			l.at(h)
			l.input(t, q, 1)
		}
		l.at(15)
		ok(t, l.Rate(t.Context()))
		l.wantTold(t, l.told(t), "Budget of "+l.name(t, q)+": 100 % reached")
	})
}

func TestBudgetReached(t *testing.T) {
	b := Budget{Cents: 1000, Shares: []int64{50, 80, 100, 120}, Forecast: true}
	for _, c := range []struct {
		spent, expected int64
		want            []int64
	}{
		{0, 0, nil},
		{4_999_999, 10_000_000, nil},
		{5_000_000, 10_000_000, []int64{50}},
		{5_000_000, 10_000_001, []int64{50, overrun}},
		{10_000_000, 11_000_000, []int64{100, 80, 50, overrun}},
		{10_000_001, 11_000_000, []int64{100, 80, 50}},
		{12_000_000, 12_000_000, []int64{120, 100, 80, 50}},
		{-5, -5, nil},
	} {
		if got := b.reached(spent{c.spent, c.expected}); !slices.Equal(got, c.want) {
			t.Errorf("%d, expected %d: %v, want %v", c.spent, c.expected, got, c.want)
		}
	}
	if got := b.percent(9_999_999); got != 99 {
		t.Error(got)
	}
	most := Budget{Cents: mostFigure, Shares: []int64{200}}
	if got := most.reached(spent{micro: math.MaxInt64}); !slices.Equal(got, []int64{200}) || most.percent(math.MaxInt64) != 922337 {
		t.Error(got, most.percent(math.MaxInt64))
	}
	if fmt.Sprint(defaultShares) != "[50 80 100]" {
		t.Error(defaultShares)
	}
}
