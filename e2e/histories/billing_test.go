package histories

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/e2e/server"
	"paddock/internal/plan"
)

// TestBillingThroughKills ends the server at each place on the way of terms, ratings, statements and budgets, and starts it again:
// what was under way is done once, whole, or not at all.
func TestBillingThroughKills(t *testing.T) {
	t.Parallel()
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w, err := newWorldWith(engine, binary, "", "PADDOCK_PAYMENT=manual")
			if err != nil {
				t.Fatal(err)
			}
			defer w.end()
			k := &kills{t: t, world: w}
			for _, step := range []func(){k.people, k.anchors, k.endsTerms, k.rates, k.fits, k.issues, k.tellsBudgets, k.voids, k.toldOnce} {
				step()
			}
			if n, last := k.count(`SELECT COUNT(*) FROM invoice`), k.count(`SELECT MAX(number) FROM invoice`); n != last {
				t.Errorf("%d invoices are numbered up to %d", n, last)
			}
		})
	}
}

// kills is a server that ends and comes back.
type kills struct {
	*world
	t        *testing.T
	operator server.Account
	owners   []server.Account
	profiles []string // of the first owner, the first one first
	device   string   // a token of a device in the first of them
	sent     int64    // points from it
}

func (k *kills) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%v\n%s", err, k.home.Log())
	}
}

func (k *kills) count(q string, args ...any) (n int64) {
	k.t.Helper()
	k.must(k.eyes.QueryRow(fmt.Sprintf(q, args...)).Scan(&n))
	return n
}

// none fails when a question counts anything.
func (k *kills) none(what, q string, args ...any) {
	k.t.Helper()
	if n := k.count(q, args...); n != 0 {
		k.t.Errorf("%d %s", n, what)
	}
}

// post calls as an owner.
func (k *kills) post(a server.Account, method, path string, body, result any) error {
	return k.server.Call(method, path, a.Token, body, result)
}

// asOperator calls as somebody who is signed in.
func (k *kills) asOperator(method, path string, body any) error {
	cookie, err := k.browse("", "POST", "/session", map[string]any{"email": k.operator.Email, "password": k.operator.Password})
	if err == nil {
		_, err = k.browse(cookie, method, path, body)
	}
	return err
}

// browse calls as a browser does, and returns the cookie of the answer.
func (k *kills) browse(cookie, method, path string, body any) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	q, err := http.NewRequest(method, k.server.URL+path, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", k.server.URL)
	if cookie != "" {
		q.Header.Set("Cookie", cookie)
	}
	answer, err := k.server.Client.Do(q)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		var b bytes.Buffer
		b.ReadFrom(answer.Body)
		return "", fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, b.Bytes())
	}
	cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return cookie, nil
}

// at ends the server at a pass of a place, which do leads to, or when do is nil its periodic work; it is started again, and everything
// is well.
func (k *kills) at(place string, pass int, do func() error) {
	k.t.Helper()
	k.page.arm(k.server.PID(), place, pass)
	var err error
	if do != nil {
		err = do()
	}
	gone := func() bool {
		select {
		case <-k.server.Gone():
			return true
		case <-time.After(20 * time.Millisecond):
			return false
		}
	}
	for tries := 0; !gone(); tries++ {
		if tries > 500 {
			k.t.Fatalf("the server did not end at %q: %v\n%s", place, err, k.home.Log())
		}
		if do == nil {
			k.page.set(k.page.now().Add(time.Minute))
		}
	}
	if fired := k.page.fired(); fired != place {
		k.t.Fatalf("ended at %q, not at %q: %v", fired, place, err)
	}
	k.must(k.restart())
	k.well(place)
}

// well is that paddock verify finds nothing.
func (k *kills) well(when string) {
	k.t.Helper()
	if err := k.verify(); err != nil {
		k.t.Errorf("%s: %v", when, err)
	}
}

// until lets time go by until a question counts nothing.
func (k *kills) until(what, q string, args ...any) {
	k.t.Helper()
	for tries := 0; k.count(q, args...) != 0; tries++ {
		if tries > 500 {
			k.t.Fatalf("%d %s\n%s", k.count(q, args...), what, k.home.Log())
		}
		k.page.set(k.page.now().Add(time.Minute))
		time.Sleep(20 * time.Millisecond)
	}
}

func (k *kills) send(n int) {
	k.t.Helper()
	points := make([]map[string]any, n)
	for i := range points {
		points[i] = map[string]any{"variable": "v", "value": i}
	}
	k.must(k.server.Call("POST", "/data", k.device, points, nil))
	k.sent += int64(n)
}

func (k *kills) people() {
	var err error
	k.operator, err = k.home.CreateAccount("Operator", "house")
	k.must(err)
	for i := range 3 {
		a, err := k.home.CreateAccount(fmt.Sprintf("Owner%d", i), "house")
		k.must(err)
		k.owners = append(k.owners, a)
	}
	a := k.owners[0]
	k.profiles = []string{a.Profile}
	for _, name := range []string{"North", "South"} {
		var made struct{ ID string }
		k.must(k.post(a, "POST", "/profile", map[string]any{"name": name}, &made))
		k.profiles = append(k.profiles, made.ID)
	}
	var device struct{ Token string }
	k.must(k.post(a, "POST", "/device", map[string]any{"name": "Meter"}, &device))
	k.device = device.Token
	k.send(7)
	k.page.set(k.page.now().Add(40 * time.Minute))
	k.send(5)
}

// anchors moves accounts to a plan that costs something, which begins their cycle anew, for all of their profiles or none.
func (k *kills) anchors() {
	a := k.owners[0]
	move := func() error {
		return k.asOperator("PUT", "/billing/account/"+a.Account+"/plan", map[string]any{"plan": "scale", "reason": "as agreed"})
	}
	k.at("cycle of one profile anchored", 2, move)
	k.none("charges of a plan that was not changed to", `SELECT COUNT(*) FROM charge`)
	k.none("profiles whose cycle was begun anew", `SELECT COUNT(*) FROM counter_history`)
	k.page.set(k.page.now().Add(20 * time.Minute))
	k.must(move())
	k.none("cycles that do not begin with the account's", `SELECT COUNT(*) FROM counter JOIN allocation ON allocation.profile = counter.profile_id JOIN account ON account.id = allocation.account
		WHERE account.id = '%s' AND (account.anchor = 0 OR counter.cycle_start <> account.anchor)`, a.Account)
	if n := k.count(`SELECT SUM(input_used) FROM counter_history`) + k.count(`SELECT SUM(input_used) FROM counter`); n != k.sent {
		k.t.Errorf("%d units of input are metered, %d were sent", n, k.sent)
	}
	if n := k.count(`SELECT COUNT(*) FROM charge WHERE kind = 'plan' AND cents = 19900 AND account = '%s'`, a.Account); n != 1 {
		k.t.Errorf("the plan was charged %d times", n)
	}
	for _, a := range k.owners[1:] {
		_, err := k.home.Run("", "account", "set", a.Email, "--plan", "scale")
		k.must(err)
	}
	k.well("anchored")
}

// endsTerms lets what an operator granted end, for one account after the other.
func (k *kills) endsTerms() {
	for _, a := range k.owners {
		k.must(k.asOperator("PUT", "/billing/account/"+a.Account+"/override/service/input", map[string]any{"amount": 5_000_000, "until": "2 hour", "reason": "a trial"}))
	}
	k.none("accounts without what was granted", `SELECT COUNT(*) FROM account WHERE plan = 'scale' AND (terms_until = 0 OR (SELECT input FROM pool_history WHERE pool_history.account = account.id ORDER BY seq DESC LIMIT 1) <> 5000000)`)
	k.page.set(k.page.now().Add(2*time.Hour + time.Second))
	k.at("terms of one account ended", 1, nil)
	k.until("terms have not ended", `SELECT COUNT(*) FROM account WHERE terms_until > 0`)
	k.none("accounts still have what was granted", `SELECT COUNT(*) FROM account WHERE plan = 'scale' AND (SELECT input FROM pool_history WHERE pool_history.account = account.id ORDER BY seq DESC LIMIT 1) <> 1000000`)
	for _, a := range k.owners {
		if n := k.count(`SELECT COUNT(*) FROM audit_account WHERE account_id = '%s' AND message = 'Terms ended as agreed'`, a.Account); n != 1 {
			k.t.Errorf("the terms of %s ended %d times", a.Email, n)
		}
	}
	k.well("terms ended")
}

// rates shares hours of charges by use.
func (k *kills) rates() {
	a := k.owners[0]
	for svc, limit := range map[string]int{"input": 3_000_000, "data_records": 1_500_000} {
		k.must(k.post(a, "POST", "/account/subscription", map[string]any{"services": map[string]any{svc: map[string]any{"limit": limit}}}, nil))
	}
	for pass := range 2 {
		for range 30 { // more than a day, so that days are gone on with and begun
			k.page.set(k.page.now().Add(time.Hour))
			if pass == 0 {
				k.send(2)
			}
		}
		k.at("hours rated, their days not written", pass+1, nil)
		k.whole()
	}
	k.until("hours are not rated", `SELECT COUNT(*) FROM cost_rated WHERE next_at <= %d`, k.page.now().Add(-time.Hour).UnixMilli())
	k.whole()
	if n := k.count(`SELECT SUM(hours) FROM cost_use`); n < 2*60 {
		k.t.Errorf("%d hours are rated", n)
	}
	k.well("rated")
}

// whole is that no hour of a charge was rated without its day, or twice.
func (k *kills) whole() {
	k.t.Helper()
	k.none("charges are rated otherwise than their days", `SELECT COUNT(*) FROM cost_rated WHERE hours <> (SELECT COALESCE(SUM(d.hours), 0) FROM cost_use d WHERE d.charge = cost_rated.charge)
		OR hours <> (SELECT COALESCE(MAX(d.first + d.hours), 0) FROM cost_use d WHERE d.charge = cost_rated.charge)`)
}

// fits puts a catalogue into force that has a smaller pool.
func (k *kills) fits() {
	file := filepath.Join(k.home.Dir, "smaller.yaml")
	text := strings.Replace(string(plan.BuiltinText()), "starter: 800000, scale: 800000", "starter: 800000, scale: 600000", 1)
	k.must(os.WriteFile(file, []byte(text), 0o600))
	before := k.count(`SELECT COUNT(*) FROM pool_history`)
	_, err := k.home.Run("", "catalogue", "apply", file)
	k.must(err)
	k.at("account fitted, not written down", 2, nil)
	k.until("versions are not fitted", `SELECT COUNT(*) FROM catalogue_version WHERE NOT fitted`)
	// The first owner has bought more than either.
	k.none("pools are not the catalogue's", `SELECT COUNT(*) FROM account WHERE plan = 'scale' AND (SELECT data_records FROM pool_history WHERE pool_history.account = account.id ORDER BY seq DESC LIMIT 1) <>
		CASE WHEN id = '%s' THEN 1500000 ELSE 600000 END`, k.owners[0].Account)
	if n := k.count(`SELECT COUNT(*) FROM pool_history`) - before; n != 2 {
		k.t.Errorf("%d pools have changed, not those of two accounts", n)
	}
	k.well("fitted")
}

// issues issues the statements of three profiles.
func (k *kills) issues() {
	a := k.owners[0]
	for _, p := range k.profiles {
		k.must(k.post(a, "POST", "/billing/card", map[string]any{"name": "Card", "profile": p, "currency": "USD", "fee_cents": 1000, "markup": map[string]any{"bp": 1000, "basis": "allocation"},
			"services": map[string]any{"input": map[string]any{"price_micro": 1_000_000, "per": 1}}}, nil))
	}
	k.page.set(time.Date(2027, 2, 1, 3, 0, 0, 0, time.UTC))
	issue := func(result any) error {
		return k.post(a, "POST", "/billing/statement", map[string]any{"month": "2027-01"}, result)
	}
	k.at("statement issued, others not", 1, func() error { return issue(nil) })
	if n := k.count(`SELECT COUNT(*) FROM statement`); n != 1 {
		k.t.Errorf("%d statements are there", n)
	}
	var got struct {
		Issued int
		Before int `json:"issued_before"`
	}
	k.must(issue(&got))
	if got.Issued != 2 || got.Before != 1 {
		k.t.Errorf("%+v", got)
	}
	k.must(issue(&got))
	if n, profiles, last := k.count(`SELECT COUNT(*) FROM statement`), k.count(`SELECT COUNT(DISTINCT profile) FROM statement WHERE month = '2027-01'`), k.count(`SELECT MAX(number) FROM statement`); n != 3 || profiles != 3 || last != 3 || got.Issued != 0 {
		k.t.Errorf("%d statements of %d profiles are numbered up to %d; %+v", n, profiles, last, got)
	}
	k.well("issued")
}

// tellsBudgets makes budgets that are passed already, of which each is told once.
func (k *kills) tellsBudgets() {
	a := k.owners[0]
	for i, place := range []string{"budget remembered as told, not told", "budget told, not committed"} {
		k.at(place, 1, func() error { // it is compared at once
			return k.post(a, "POST", "/account/budget", map[string]any{"amount": 10 + i, "currency": "usd", "shares": []int{100}}, nil)
		})
		k.none("budgets are remembered as told", `SELECT COUNT(*) FROM budget_told WHERE cents = %d`, 10+i)
	}
	k.until("budgets are not told", `SELECT 2 - COUNT(*) FROM budget_told`)
	k.page.set(k.page.now().Add(time.Hour)) // they are compared again when the server next starts
	k.toldOnce()
}

// toldOnce is that every budget was told once.
func (k *kills) toldOnce() {
	k.t.Helper()
	for _, rows := range []string{"budget", "budget_told", "notification WHERE title = 'Budget of the account: 100 % reached'"} {
		if n := k.count(`SELECT COUNT(*) FROM %s`, rows); n != 2 {
			k.t.Errorf("there are %d of %s, not 2", n, rows)
		}
	}
}

// voids takes an invoice back.
func (k *kills) voids() {
	var invoice string
	var before int64
	k.must(k.eyes.QueryRow(`SELECT id FROM invoice WHERE status = 'open' AND account = '` + k.owners[1].Account + `' ORDER BY number LIMIT 1`).Scan(&invoice))
	before = k.count(`SELECT COUNT(*) FROM invoice`)
	void := func() error {
		return k.asOperator("POST", "/billing/invoice/"+invoice+"/void", map[string]any{"reason": "a mistake"})
	}
	k.at("invoice corrected, not void", 1, void)
	k.none("invoices of a correction that was not finished", `SELECT COUNT(*) FROM invoice WHERE corrects <> ''`)
	k.must(void())
	k.must(void())
	if n := k.count(`SELECT COUNT(*) FROM invoice WHERE corrects = '%s'`, invoice); n != 1 || k.count(`SELECT COUNT(*) FROM invoice WHERE status = 'void' AND id = '%s'`, invoice) != 1 ||
		k.count(`SELECT COUNT(*) FROM invoice`) != before+1 {
		k.t.Errorf("%d invoices correct it", n)
	}
	k.well("void")
}
