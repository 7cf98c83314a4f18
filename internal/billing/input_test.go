package billing

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
)

// everything serves all routes of the room.
func (l *ledger) everything() {
	l.http = web.NewServer(web.Config{Log: slog.New(slog.DiscardHandler), Clock: l.clk,
		Authenticate: func(context.Context, web.Credential) (auth.Caller, error) { return l.who, nil }},
		slices.Concat(l.use.Routes(), l.Routes())).Handler()
}

// made asks for something that is to be made.
func (l *ledger) made(t *testing.T, path string, body any) {
	t.Helper()
	if status, message := l.call(t, "POST", path, body, nil); status != http.StatusCreated {
		t.Fatalf("POST %s: %d %s", path, status, message)
	}
}

// refused asks for something that must be refused with 400, naming the field first.
func (l *ledger) refused(t *testing.T, method, path string, body any, field string) {
	t.Helper()
	status, message := l.call(t, method, path, body, nil)
	if status != http.StatusBadRequest || !strings.HasPrefix(message, field+": ") {
		t.Errorf("%s %s: %d %q, want 400 %s: …", method, path, status, message, field)
	}
}

func TestBadInput(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.everything()
		_, theirs := l.account(t, "house", "UTC")
		a, p := l.account(t, "house", "UTC")
		t.Run("a page that is not there", func(t *testing.T) {
			l.charge(t, Charge{Account: a.ID, Kind: PlanFee, Item: "house", Cents: 744, Currency: "usd", Key: "a", Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()})
			l.to(march.Add(time.Hour))
			for _, page := range []string{"9223372036854775807", "922337203685478", "1000000001"} {
				l.refused(t, "GET", "/account/cost?page="+page, nil, "page")
			}
			var c struct {
				Lines []any
				Pages int
			}
			l.want(t, "GET", "/account/cost?page=1000000000", nil, &c)
			if c.Lines == nil || len(c.Lines) > 0 || c.Pages != 1 {
				t.Errorf("%+v", c)
			}
		})
		t.Run("a currency that is none", func(t *testing.T) {
			for _, path := range []string{"/account/cost?from=2026-01-01&to=2026-01-02&", "/account/cost?", "/profile/" + string(p) + "/cost?", "/account/cost/detail?day=2026-01-02&kind=plan&"} {
				for _, currency := range []string{"x", "euros", "%27%27%27", "-1"} {
					l.refused(t, "GET", path+"currency="+currency, nil, "currency")
				}
			}
		})
		t.Run("details of a profile that was not the account's", func(t *testing.T) {
			l.charge(t, Charge{Account: a.ID, Kind: Figure, Item: "input", Cents: 744, Currency: "usd", Key: "b", Start: march.UnixMilli(), End: march.AddDate(0, 1, 0).UnixMilli()})
			for _, basis := range []string{"use", "allocation"} {
				for _, q := range []id.Profile{theirs, "000000000000000000000000"} {
					l.refused(t, "GET", "/account/cost/detail?day=2026-03-01&service=input&basis="+basis+"&profile="+string(q), nil, "profile")
				}
				l.want(t, "GET", "/account/cost/detail?day=2026-03-01&service=input&basis="+basis+"&profile="+string(p), nil, nil)
			}
		})
		t.Run("an add-on of null", func(t *testing.T) {
			for _, path := range []string{"/account/subscription", "/account/cost/simulate"} {
				l.refused(t, "POST", path, map[string]any{"addons": map[string]any{"mobile": nil}}, "addons.mobile")
			}
		})
		t.Run("a unit price without a price", func(t *testing.T) {
			for _, price := range []any{nil, map[string]any{}, map[string]any{"price": 500}} {
				l.refused(t, "POST", "/billing/card", map[string]any{"name": "Harbour", "currency": "eur", "profile": p, "services": map[string]any{"input": price}}, "services.input.price_micro")
			}
		})
	})
}

func TestCurrencyInOneSpelling(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.everything()
		_, p := l.account(t, "house", "UTC")
		l.want(t, "PUT", "/account/cost/figure", map[string]any{"amount": 7200, "currency": "EUR", "shares": map[string]int{"input": 100}}, nil)
		l.made(t, "/account/budget", map[string]any{"amount": 100, "currency": "EUR"})
		l.made(t, "/billing/card", map[string]any{"name": "Harbour", "currency": "EUR", "profile": p, "fee_cents": 100, "markup": map[string]any{"bp": 0}})
		l.to(march.Add(2 * time.Hour))
		for path, want := range map[string]string{
			"/account/cost/figure":             `"currency":"eur"`,
			"/account/cost":                    `"currency":"eur"`,
			"/account/budget":                  `"currency":"eur"`,
			"/profile/" + string(p) + "/cost":  `"currency":"eur"`,
			"/billing/card":                    `"currency":"eur"`,
			"/billing/statement?month=2026-03": `"totals_cents":{"eur":`,
		} {
			var text rawResult
			l.want(t, "GET", path, nil, &text)
			if !strings.Contains(string(text), want) || strings.Contains(string(text), "EUR") {
				t.Errorf("%s: %s", path, text)
			}
		}
		t.Run("a budget may keep the currency of a figure that is gone", func(t *testing.T) {
			var bs []struct{ ID id.Budget }
			l.want(t, "GET", "/account/budget", nil, &bs)
			l.want(t, "DELETE", "/account/cost/figure", nil, nil)
			l.want(t, "PUT", "/account/budget/"+string(bs[0].ID), map[string]any{"amount": 200, "currency": "eur"}, nil)
			l.refused(t, "PUT", "/account/budget/"+string(bs[0].ID), map[string]any{"currency": "chf"}, "currency")
		})
	})
}

// rawResult keeps a result as it came.
type rawResult string

func (r *rawResult) UnmarshalJSON(b []byte) error {
	*r = rawResult(b)
	return nil
}

// Who sets the basis and who sets the spread at the same time both have what they set.
func TestSettingsAtOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.account(t, "house", "UTC")
		for i := range 8 {
			basis, spread := []string{"use", "allocation"}[i%2], []string{"even", "cost"}[i%2]
			var both sync.WaitGroup
			for _, body := range []map[string]any{{"basis": basis}, {"spread": spread}} {
				both.Go(func() { l.call(t, "PUT", "/account/cost/setting", body, nil) })
			}
			both.Wait()
			var got struct{ Basis, Spread string }
			l.want(t, "GET", "/account/cost/setting", nil, &got)
			if got.Basis != basis || got.Spread != spread {
				t.Fatalf("%+v, want %s and %s", got, basis, spread)
			}
		}
	})
}
