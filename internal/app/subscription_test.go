package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
)

// manual is a server that issues invoices.
func manual(s *app.Settings, _ *app.Options) { s.Payment, s.PaymentDue = "manual", 14 }

// subscription is GET /account/subscription.
type subscription struct {
	Plan     string
	Services map[string]struct{ Limit float64 }
	Addons   map[string][]string
	Cycle    struct{ Start, End time.Time } `json:"current_cycle"`
	Upcoming int64                          `json:"upcoming_invoice_total"`
	PastDue  struct {
		Due int64  `json:"amount_due"`
		URL string `json:"invoice_url"`
	} `json:"past_due"`
}

func subscriptionOf(t *testing.T, s *apptest.Server, w apptest.Who) (out subscription) {
	t.Helper()
	s.Call(t, "GET", "/account/subscription", w.Token, nil).Want(t, 200).Into(t, &out)
	return out
}

type schedule struct {
	ReleaseAt *time.Time `json:"release_at"`
	Then      struct {
		Plan     string
		Services map[string]struct {
			Limit  float64
			Change float64 `json:"proportional_change"`
		}
		Addons map[string][]string
	} `json:"subscription"`
}

func scheduleOf(t *testing.T, s *apptest.Server, w apptest.Who) (out schedule) {
	t.Helper()
	s.Call(t, "GET", "/account/subscription/schedule", w.Token, nil).Want(t, 200).Into(t, &out)
	return out
}

type invoice struct {
	ID        string
	Number    int64
	Total     int64
	Status    string
	Overdue   bool
	DueAt     *time.Time `json:"due_at"`
	Corrects  *string
	Corrected *string                                     `json:"corrected_by"`
	BillTo    struct{ Name, Email, Company, City string } `json:"bill_to"`
	Lines     []struct {
		Text       string
		Cents      int64
		Start, End time.Time
	}
}

func (i invoice) String() string {
	var lines []string
	for _, l := range i.Lines {
		lines = append(lines, fmt.Sprintf("%s %d", l.Text, l.Cents))
	}
	return fmt.Sprintf("%d: %s = %d", i.Number, strings.Join(lines, ", "), i.Total)
}

// invoicesOf are those of an account with their lines, oldest first.
func invoicesOf(t *testing.T, s *apptest.Server, w apptest.Who) []invoice {
	t.Helper()
	var list []invoice
	s.Call(t, "GET", "/account/invoice", w.Token, nil).Want(t, 200).Into(t, &list)
	out := make([]invoice, len(list))
	for i, x := range list {
		s.Call(t, "GET", "/account/invoice/"+x.ID, w.Token, nil).Want(t, 200).Into(t, &out[len(list)-1-i])
	}
	return out
}

// at moves the clock and closes the cycles that are over.
func at(t *testing.T, s *apptest.Server, when time.Time) {
	t.Helper()
	s.Clock.Set(when)
	if err := s.App.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// subscribe posts to the subscription.
func subscribe(t *testing.T, s *apptest.Server, w apptest.Who, body any) apptest.Answer {
	t.Helper()
	return s.Call(t, "POST", "/account/subscription", w.Token, body)
}

func limitWish(name string, limit float64) row {
	return row{"services": row{name: row{"limit": limit}}}
}

// operatorOf makes the first account, who is operator, and calls as they do, signed in anew each time: the clock leaps.
func operatorOf(t *testing.T, s *apptest.Server) func(method, path string, body any) apptest.Answer {
	t.Helper()
	w := s.Account(t, "house")
	return func(method, path string, body any) apptest.Answer {
		t.Helper()
		return asSession(t, s, w, w.Profile)(method, path, body)
	}
}

var upgraded = time.Date(2026, 11, 3, 14, 20, 0, 0, time.UTC)

// TestSubscription walks through the life of a subscription: the worked examples of behaviour 4.8 with their figures.
func TestSubscription(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator := operatorOf(t, s)
		ada := s.Account(t, "free")
		s.Call(t, "PUT", "/account/billing", ada.Token, row{"company": "Harbour Ltd", "city": "Kiel", "zip_code": nil}).Want(t, 200)

		if a := s.Call(t, "GET", "/account/subscription/summary", ada.Token, nil).Want(t, 200); a.Result != nil {
			t.Errorf("a summary without a subscription: %s", a.Body)
		}
		if got := subscriptionOf(t, s, ada); got.Plan != "free" || got.Upcoming != 0 || got.Cycle.Start != time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) {
			t.Errorf("%+v", got)
		}
		said := subscribe(t, s, ada, row{"plan": "starter"}).Want(t, 200).Text(t)
		if said != "Subscription Successfully Updated: 49.00 USD until 3 December 2026, on invoice 1" {
			t.Error(said)
		}
		start, end := time.Date(2026, 11, 3, 14, 15, 0, 0, time.UTC), time.Date(2026, 12, 3, 14, 15, 0, 0, time.UTC)
		if got := subscriptionOf(t, s, ada); got.Plan != "starter" || got.Cycle.Start != start || got.Cycle.End != end || got.Upcoming != 4900 {
			t.Errorf("the first upgrade fixes the cycle: %+v", got)
		}
		if said := subscribe(t, s, ada, row{"plan": "starter"}).Want(t, 200).Text(t); said != "Nothing to change: the subscription is so already" {
			t.Error(said)
		}

		s.Clock.Set(end.Add(-10 * 24 * time.Hour))
		// What is overdue is told once: to owner and operator.
		for range 2 {
			if err := s.App.TellInvoices(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		told := 0
		for _, m := range s.Mails(t) {
			if m.Subject == "Paddock: Invoice 1 is overdue" {
				told++
			}
		}
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		var prorated struct {
			Plans []struct {
				Name  string
				Price int64
			}
			SMS []struct{ Amount, Price float64 }
		}
		s.Call(t, "GET", "/pricing/prorated", ada.Token, nil).Want(t, 200).Into(t, &prorated)
		if fmt.Sprint(prorated.Plans) != "[{free 0} {starter 0} {scale 5000}]" || fmt.Sprint(prorated.SMS[:3]) != "[{10 0} {100 250} {200 500}]" {
			t.Errorf("%+v", prorated)
		}
		said = subscribe(t, s, ada, row{"plan": "scale"}).Want(t, 200).Text(t)
		if said != "Subscription Successfully Updated: 50.00 USD until 3 December 2026, on invoice 2" {
			t.Error(said)
		}
		subscribe(t, s, ada, limitWish("sms", 100)).Want(t, 200)
		subscribe(t, s, ada, limitWish("sms", 500)).Want(t, 200)
		subscribe(t, s, ada, limitWish("input", 3_000_000)).Want(t, 200)
		want := []string{
			"1: Plan starter 4900 = 4900", "2: Plan scale 6633, Plan starter, given back -1633 = 5000", "3: SMS up to 100 250 = 250",
			"4: SMS up to 500 1250, SMS up to 100, given back -250 = 1000", "5: Data Input up to 3000000 667 = 667",
		}
		if got := invoicesOf(t, s, ada); fmt.Sprint(got) != fmt.Sprint(want) || got[0].BillTo.Company != "Harbour Ltd" || got[0].Status != "open" || *got[0].DueAt != upgraded.Add(14*24*time.Hour) {
			t.Errorf("%v, want %v", got, want)
		}
		if got := subscriptionOf(t, s, ada); got.Services["sms"].Limit != 500 || got.Services["input"].Limit != 3_000_000 || got.Upcoming != 19900+1250+2000 {
			t.Errorf("%+v", got)
		}

		// Less waits for the renewal, and can be changed and cancelled until then.
		if a := s.Call(t, "DELETE", "/account/subscription/schedule", ada.Token, nil).Want(t, 404); !strings.Contains(a.Message, "Nothing is scheduled") {
			t.Error(a.Message)
		}
		subscribe(t, s, ada, row{"plan": "free"}).Want(t, 200)
		s.Call(t, "DELETE", "/account/subscription/schedule", ada.Token, nil).Want(t, 200)
		if got := scheduleOf(t, s, ada); got.ReleaseAt != nil || got.Then.Plan != "scale" {
			t.Errorf("%+v", got)
		}
		subscribe(t, s, ada, row{"plan": "starter"}).Want(t, 200)
		subscribe(t, s, ada, limitWish("sms", 100)).Want(t, 200)
		if got := scheduleOf(t, s, ada); got.ReleaseAt == nil || *got.ReleaseAt != end || got.Then.Plan != "starter" || got.Then.Services["sms"].Limit != 100 ||
			got.Then.Services["sms"].Change != -400 || got.Then.Services["input"].Change != 0 {
			t.Errorf("%+v", got)
		}
		if got := subscriptionOf(t, s, ada); got.Plan != "scale" || got.Services["sms"].Limit != 500 || got.Upcoming != 4900+250+2000 {
			t.Errorf("meanwhile all stays: %+v", got)
		}
		at(t, s, end.Add(time.Second))
		if got := invoicesOf(t, s, ada); len(got) != 6 || got[5].String() != "6: Plan starter 4900, Data Input up to 3000000 2000, SMS up to 100 250 = 7150" {
			t.Errorf("%v", got)
		}
		if got := subscriptionOf(t, s, ada); got.Plan != "starter" || got.Services["sms"].Limit != 100 || got.Cycle.Start != end || got.PastDue.Due != 4900 {
			t.Errorf("%+v", got)
		}
		if got := s.Summary(t, ada); got.Limit["sms"] != 100 || got.Limit["input"] != 3_000_000 {
			t.Errorf("%+v", got.Limit)
		}

		// Two cycles that nobody closed are made up one by one; closing again does nothing.
		at(t, s, end.AddDate(0, 2, 1))
		at(t, s, end.AddDate(0, 2, 1))
		if got := invoicesOf(t, s, ada); len(got) != 8 || got[7].Total != 7150 || got[7].Lines[0].Start != end.AddDate(0, 2, 0) {
			t.Errorf("%v", got)
		}

		// Unpaid stops nothing.
		_, token := s.Device(t, ada, "D")
		s.Send(t, token, 1).Want(t, 200)
		if a := s.Call(t, "GET", "/account/subscription/summary", ada.Token, nil).Want(t, 200); !strings.Contains(string(a.Result), `"past_due":true`) {
			t.Errorf("%s", a.Body)
		}
		for _, x := range invoicesOf(t, s, ada) {
			operator("POST", "/billing/invoice/"+x.ID+"/paid", row{"note": "bank 17"}).Want(t, 200)
			operator("POST", "/billing/invoice/"+x.ID+"/paid", row{}).Want(t, 200)
		}
		if got := subscriptionOf(t, s, ada); got.PastDue.Due != 0 {
			t.Errorf("%+v", got)
		}
		var history []struct {
			ID     string `json:"stripe_id"`
			Number string `json:"invoice_number"`
			Paid   bool
			Total  int64
		}
		s.Call(t, "GET", "/account/payment_history?amount=2", ada.Token, nil).Want(t, 200).Into(t, &history)
		s.Call(t, "GET", "/account/payment_history?amount=2&last_id="+history[1].ID, ada.Token, nil).Want(t, 200).Into(t, &history)
		if len(history) != 2 || history[0].Number != "6" || !history[0].Paid || history[1].Number != "5" {
			t.Errorf("%+v", history)
		}
		if findings, _, err := s.App.Verify(t.Context()); err != nil || len(findings) > 0 {
			t.Error(findings, err)
		}
	}, apptest.AtTime(upgraded), manual)
}

// TestBehaviour60_LoweringWaitsRaisingDoesNot holds behaviour 60.
func TestBehaviour60_LoweringWaitsRaisingDoesNot(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada := s.Account(t, "starter")
		subscribe(t, s, ada, limitWish("data_records", 5_000_000)).Want(t, 200)
		if got := s.Summary(t, ada); got.Limit["data_records"] != 5_000_000 {
			t.Errorf("raised: %v", got.Limit)
		}
		subscribe(t, s, ada, limitWish("data_records", 800_000)).Want(t, 200)
		end := subscriptionOf(t, s, ada).Cycle.End
		s.Clock.Set(end.Add(-time.Minute))
		if got := s.Summary(t, ada); got.Limit["data_records"] != 5_000_000 {
			t.Errorf("lowered, before the cycle ends: %v", got.Limit)
		}
		at(t, s, end)
		if got := s.Summary(t, ada); got.Limit["data_records"] != 800_000 {
			t.Errorf("lowered, after it has: %v", got.Limit)
		}
	}, apptest.AtTime(upgraded))
}

func TestAddonsOfProfiles(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		ada := s.Account(t, "free")
		subscribe(t, s, ada, row{"plan": "scale"}).Want(t, 200)
		two := s.Profile(t, ada, "Two")
		bob := s.Account(t, "starter")
		if a := subscribe(t, s, ada, row{"addons": row{"custom_dns": []string{two.Profile, bob.Profile}}}).Want(t, 400); !strings.HasPrefix(a.Message, "addons.custom_dns[1]: ") {
			t.Error(a.Message)
		}
		end := subscriptionOf(t, s, ada).Cycle.End
		s.Clock.Set(end.Add(-15 * 24 * time.Hour))
		subscribe(t, s, ada, row{"addons": row{"mobile": []string{ada.Profile, two.Profile}}}).Want(t, 200)
		got := invoicesOf(t, s, ada)
		if last := got[len(got)-1]; last.Total != 2*(4950+200000) || len(last.Lines) != 4 {
			t.Errorf("%v", last)
		}
		var info struct{ Addons map[string]any }
		s.Call(t, "GET", "/profile/"+two.Profile, ada.Token, nil).Want(t, 200).Into(t, &info)
		if info.Addons["mobile"] != true || info.Addons["custom_dns"] != false {
			t.Errorf("%v", info.Addons)
		}
		subscribe(t, s, ada, row{"addons": row{"mobile": []string{two.Profile}}}).Want(t, 200)
		if got := scheduleOf(t, s, ada); len(got.Then.Addons["mobile"]) != 1 || len(subscriptionOf(t, s, ada).Addons["mobile"]) != 2 {
			t.Errorf("%+v", got)
		}
		// What a deleted profile had ends with it; its line stays in the cycle that runs.
		s.Call(t, "DELETE", "/profile/"+two.Profile, ada.Token, row{"password": apptest.Password}).Want(t, 200)
		if got := subscriptionOf(t, s, ada); len(got.Addons["mobile"]) != 1 || got.Upcoming != 19900 {
			t.Errorf("%+v", got)
		}
		at(t, s, end)
		got = invoicesOf(t, s, ada)
		if last := got[len(got)-1]; last.Total != 19900 || len(subscriptionOf(t, s, ada).Addons["mobile"]) != 0 {
			t.Errorf("%v", got)
		}
	}, apptest.AtTime(upgraded), manual)
}

func TestSubscriptionIsIdempotent(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Account(t, "house")
		ada := s.Account(t, "starter")
		post := func(key string, body any) apptest.Answer {
			text, _ := json.Marshal(body)
			q, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/account/subscription", strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("token", ada.Token)
			q.Header.Set("Content-Type", "application/json")
			q.Header.Set("Idempotency-Key", key)
			return s.Do(t, q)
		}
		before := len(invoicesOf(t, s, ada))
		first := post("k1", limitWish("sms", 100)).Want(t, 200).Text(t)
		subscribe(t, s, ada, limitWish("sms", 200)).Want(t, 200)
		if again := post("k1", limitWish("sms", 100)).Want(t, 200).Text(t); again != first {
			t.Errorf("%q, and first %q", again, first)
		}
		if a := post("k1", limitWish("sms", 500)).Want(t, 409); !strings.HasPrefix(a.Message, "Idempotency-Key: ") {
			t.Error(a.Message)
		}
		if got := subscriptionOf(t, s, ada); got.Services["sms"].Limit != 200 {
			t.Errorf("%+v", got)
		}
		if got := invoicesOf(t, s, ada); len(got) != before+2 {
			t.Errorf("%v", got)
		}
		// Many at once are one.
		done := make(chan int)
		for range 8 {
			go func() { done <- subscribe(t, s, ada, limitWish("sms", 1000)).Status }()
		}
		for range 8 {
			if status := <-done; status != 200 {
				t.Errorf("%d", status)
			}
		}
		if got := invoicesOf(t, s, ada); len(got) != before+3 {
			t.Errorf("%v", got)
		}
		for i, x := range invoicesOf(t, s, ada) {
			if x.Number != int64(i+1) {
				t.Errorf("number %d at %d", x.Number, i)
			}
		}
	}, apptest.AtTime(upgraded), manual)
}

func TestSubscriptionRefuses(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		house, free, starter := s.Account(t, "house"), s.Account(t, "free"), s.Account(t, "starter")
		for _, c := range []struct {
			who     apptest.Who
			body    any
			status  int
			message string
		}{
			{starter, row{}, 400, "plan: give exactly one of plan, services and addons, not 0 of them"},
			{starter, row{"plan": "scale", "addons": row{}}, 400, "plan: give exactly one of plan, services and addons, not 2 of them"},
			{starter, row{"plan": "gold"}, 400, `plan: "gold" is not on sale; there are free, starter, scale`},
			{starter, row{"plan": "scale", "coupon": "X"}, 400, `coupon: there is no coupon "X": this server has none`},
			{starter, row{"services": row{}}, 400, "services: must name at least one"},
			{starter, row{"services": row{"tea": row{"limit": 1}}}, 400, `services: "tea" is not a service that is sold`},
			{starter, row{"services": row{"input": row{}}}, 400, "services.input.limit: is missing"},
			{starter, limitWish("input", -1), 400, "services.input.limit: must be a whole number from 0 up"},
			{starter, limitWish("dashboard_output", 1), 400, `services: "dashboard_output" is not a service that is sold`},
			{free, limitWish("input", 3_000_000), 400, "services: the limits of the plan free cannot be changed: move to a plan that costs something first"},
			{free, row{"addons": row{"mobile": []string{free.Profile}}}, 400, "addons: the plan free has no add-ons: move to a plan that costs something first"},
			{house, row{"plan": "starter"}, 409, "The account is on the plan house, which whoever runs this server has given it: nothing is sold to it. Ask them for a change"},
		} {
			if a := subscribe(t, s, c.who, c.body); a.Status != c.status || a.Message != c.message {
				t.Errorf("%v: %d %s", c.body, a.Status, a.Body)
			}
		}
		for _, c := range []struct {
			method, path string
			body         any
			status       int
			message      string
		}{
			{"GET", "/account/subscription/coupon/X", nil, 404, "Coupon Not Found: this server has no coupons"},
			{"POST", "/account/subscription/pending/retry", nil, 409, "No payment is pending: changes are made at once, and invoices are paid outside of this server"},
			{"POST", "/account/subscription/pending/cancel", nil, 409, "No payment is pending: changes are made at once, and invoices are paid outside of this server"},
			{"POST", "/account/payment_method", row{"token": "tok_1"}, 409, "This server takes no cards: nothing has to be paid here"},
			{"POST", "/account/payment_method/", row{"name": "A", "token": "tok_1"}, 409, "This server takes no cards: nothing has to be paid here"},
			{"DELETE", "/account/payment_method/", row{"id": "x"}, 404, "Payment Method Not Found: this server takes no cards"},
			{"GET", "/account/payment_history?last_id=in_1", nil, 400, `last_id: "in_1" is not an invoice of this account`},
			{"POST", "/account/plan", row{"plan": "starter", "device_request": 5}, 400, "device_request: is not sold any more: change input and output by POST /account/subscription"},
		} {
			if a := s.Call(t, c.method, c.path, starter.Token, c.body); a.Status != c.status || a.Message != c.message {
				t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
			}
		}
		if a := s.Call(t, "GET", "/account/payment_method/", starter.Token, nil).Want(t, 200); string(a.Result) != `{"card":null,"balance":{"amount":0,"currency":"usd"},"balances":[]}` {
			t.Errorf("%s", a.Result)
		}
		// Without payment there are charges and no invoices.
		if got := invoicesOf(t, s, starter); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if said := s.Call(t, "POST", "/account/plan/", starter.Token, row{"plan": "scale", "sms": 100}).Want(t, 200).Text(t); !strings.HasPrefix(said, "Subscription Successfully Updated: ") {
			t.Error(said)
		}
		if got := subscriptionOf(t, s, starter); got.Plan != "scale" || got.Services["sms"].Limit != 100 {
			t.Errorf("%+v", got)
		}
	}, apptest.AtTime(upgraded))
}

func TestOperatorsSetPlansAndLimits(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator := operatorOf(t, s)
		ada := s.Account(t, "starter")
		path := "/billing/account/" + ada.Account
		stranger := asSession(t, s, ada, ada.Profile)
		for _, a := range []apptest.Answer{stranger("GET", path, nil), stranger("PUT", path+"/plan", row{"plan": "house", "reason": "r"}), stranger("GET", "/billing/invoice", nil)} {
			a.Want(t, 403)
		}
		if a := operator("PUT", path+"/plan", row{"plan": "scale"}).Want(t, 400); a.Message != "reason: is missing: the account is told why" {
			t.Error(a.Message)
		}
		operator("PUT", path+"/plan", row{"plan": "gold", "reason": "r"}).Want(t, 400)
		operator("PUT", path+"/plan", row{"plan": "scale", "charge": "sometimes", "reason": "r"}).Want(t, 400)
		operator("PUT", "/billing/account/"+ada.Profile+"/plan", row{"plan": "scale", "reason": "r"}).Want(t, 404)

		before := invoicesOf(t, s, ada)
		operator("PUT", path+"/plan", row{"plan": "scale", "charge": "none", "reason": "A present"}).Want(t, 200)
		if got := invoicesOf(t, s, ada); len(got) != len(before) || subscriptionOf(t, s, ada).Plan != "scale" || subscriptionOf(t, s, ada).Upcoming != 19900 {
			t.Errorf("%v", got)
		}
		operator("PUT", path+"/plan", row{"plan": "free", "reason": "As asked for"}).Want(t, 200)
		got := invoicesOf(t, s, ada)
		if last := got[len(got)-1]; last.Status != "credit" || last.Total >= 0 || -last.Total > before[0].Total || last.DueAt != nil {
			t.Errorf("what is left of Starter is given back: %v", got)
		}
		operator("PUT", path+"/plan", row{"plan": "starter", "reason": "Back again"}).Want(t, 200)

		// A limit beside the plan: of a service, a cap, a rate; until it ends.
		if a := operator("PUT", path+"/override/service/tea", row{"amount": 1, "reason": "r"}).Want(t, 400); !strings.HasPrefix(a.Message, "name: ") {
			t.Error(a.Message)
		}
		operator("PUT", path+"/override/service/input", row{"reason": "r"}).Want(t, 400)
		operator("PUT", path+"/override/service/input", row{"amount": 1.5, "reason": "r"}).Want(t, 400)
		operator("PUT", path+"/override/cap/device", row{"amount": 7, "reason": "A pilot", "until": "2026-11-20T00:00:00Z"}).Want(t, 200)
		operator("PUT", path+"/override/rate/data", row{"amount": "unlimited", "reason": "A pilot"}).Want(t, 200)
		operator("PUT", path+"/override/service/input", row{"amount": 1500000, "reason": "A pilot"}).Want(t, 200)
		if a := operator("PUT", path+"/override/service/input", row{"amount": 1500000, "reason": "A pilot"}).Want(t, 200); a.Text(t) != "Nothing to change: the limit is so already" {
			t.Error(a.Text(t))
		}
		if got := s.Summary(t, ada); got.Limit["input"] != 1_500_000 {
			t.Errorf("%v", got.Limit)
		}
		var seen struct {
			Overrides []struct {
				Kind, Name, Reason string
				Amount             float64
				Until              *time.Time
			}
			Subscription subscription
		}
		operator("GET", path, nil).Want(t, 200).Into(t, &seen)
		if len(seen.Overrides) != 3 || seen.Overrides[0].Amount != 7 || seen.Overrides[0].Until == nil || seen.Overrides[2].Amount != 1_500_000 || seen.Subscription.Services["input"].Limit != 1_500_000 {
			t.Errorf("%+v", seen)
		}
		operator("DELETE", path+"/override/service/input", row{"reason": "Over"}).Want(t, 200)
		operator("DELETE", path+"/override/service/input", row{"reason": "Over"}).Want(t, 404)
		if got := s.Summary(t, ada); got.Limit["input"] != 1_000_000 {
			t.Errorf("%v", got.Limit)
		}
		var told []string
		for _, m := range s.Mails(t) {
			if m.To == ada.Email && (strings.Contains(m.Text, "A pilot") || strings.Contains(m.Text, "A present")) {
				told = append(told, m.Subject)
			}
		}
		if len(told) != 4 {
			t.Errorf("%v", told)
		}
	}, apptest.AtTime(upgraded), manual)
}

// TestDueAtOnce has invoices that are due when they are issued: they are overdue at once, and told as such when a day old.
func TestDueAtOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		ada := s.Account(t, "free")
		subscribe(t, s, ada, row{"plan": "starter"}).Want(t, 200)
		if is := invoicesOf(t, s, ada); len(is) != 1 || !is[0].Overdue || *is[0].DueAt != upgraded {
			t.Errorf("%+v", is)
		}
		if got := subscriptionOf(t, s, ada); got.PastDue.Due != 4900 {
			t.Errorf("%+v", got.PastDue)
		}
		overdue := func() (n int) {
			if err := s.App.TellInvoices(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, m := range s.Mails(t) {
				if m.Subject == "Paddock: Invoice 1 is overdue" {
					n++
				}
			}
			return n
		}
		s.Clock.Set(upgraded.Add(23 * time.Hour))
		if n := overdue(); n != 0 {
			t.Errorf("told %d times within a day", n)
		}
		s.Clock.Set(upgraded.Add(24 * time.Hour))
		if n := overdue(); n != 1 {
			t.Errorf("told %d times after a day", n)
		}
	}, apptest.AtTime(upgraded), func(s *app.Settings, _ *app.Options) { s.Payment, s.PaymentDue = "manual", 0 })
}

func TestVoidInvoice(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		operator := operatorOf(t, s)
		ada := s.Account(t, "free")
		subscribe(t, s, ada, row{"plan": "starter"}).Want(t, 200)
		s.Clock.Set(upgraded.Add(100 * time.Hour))
		subscribe(t, s, ada, row{"plan": "scale"}).Want(t, 200)
		is := invoicesOf(t, s, ada)
		if a := operator("POST", "/billing/invoice/"+is[0].ID+"/void", row{"reason": "A mistake"}).Want(t, 409); a.Message != "Invoice 2 gives back a part of invoice 1: void that one first" {
			t.Error(a.Message)
		}
		operator("POST", "/billing/invoice/"+is[1].ID+"/void", row{}).Want(t, 400)
		operator("POST", "/billing/invoice/"+is[0].ID+"/paid", row{}).Want(t, 200)
		for _, want := range []string{"Invoice 2 is void; invoice 3 corrects it", "Invoice 2 is void already"} {
			if got := operator("POST", "/billing/invoice/"+is[1].ID+"/void", row{"reason": "A mistake"}).Want(t, 200).Text(t); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		operator("POST", "/billing/invoice/"+is[1].ID+"/paid", row{}).Want(t, 409)
		is = invoicesOf(t, s, ada)
		if len(is) != 3 || is[2].Total != -is[1].Total || is[1].Status != "void" || is[2].Status != "void" || *is[2].Corrects != is[1].ID || *is[1].Corrected != is[2].ID || len(is[2].Lines) != 2 {
			t.Errorf("%+v", is)
		}
		operator("POST", "/billing/invoice/"+is[2].ID+"/void", row{"reason": "r"}).Want(t, 200) // it is settled already
		// What was paid is owed back.
		operator("POST", "/billing/invoice/"+is[0].ID+"/void", row{"reason": "All of it"}).Want(t, 200)
		is = invoicesOf(t, s, ada)
		if len(is) != 4 || is[3].Status != "credit" || is[3].Total != -4900 {
			t.Errorf("%+v", is)
		}
		var method struct{ Balance struct{ Amount int64 } }
		s.Call(t, "GET", "/account/payment_method", ada.Token, nil).Want(t, 200).Into(t, &method)
		if method.Balance.Amount != 4900 {
			t.Errorf("%+v", method)
		}
		var list []invoice
		operator("GET", "/billing/invoice?status=credit", nil).Want(t, 200).Into(t, &list)
		if len(list) != 1 || list[0].Number != 4 {
			t.Errorf("%+v", list)
		}
		operator("GET", "/billing/invoice?status=tea", nil).Want(t, 400)
		operator("POST", "/billing/invoice/"+is[3].ID+"/paid", row{"note": "sent back"}).Want(t, 200)

		page := asSession(t, s, ada, ada.Profile)("GET", "/account/invoice/"+is[3].ID+"/page", nil).Want(t, 200)
		for _, text := range []string{"Credit note 4", "This takes back invoice 1.", "Plan starter, given back", "-49.00 USD", ada.Email, "<dt>Paid</dt>", "sent back"} {
			if !strings.Contains(string(page.Body), text) {
				t.Errorf("the page lacks %q: %s", text, page.Body)
			}
		}
		if findings, _, err := s.App.Verify(t.Context()); err != nil || len(findings) > 0 {
			t.Error(findings, err)
		}
		for _, q := range []string{`UPDATE charge SET cents = cents + 1 WHERE cents = 4900`, `UPDATE invoice SET cents = cents - 1 WHERE number = 3`, `DELETE FROM invoice WHERE number = 4`} {
			if n, err := s.App.Exec(t.Context(), q); err != nil || n == 0 {
				t.Fatal(q, n, err)
			}
		}
		if findings, _, err := s.App.Verify(t.Context()); err != nil || len(findings) != 6 {
			t.Errorf("%q %v", findings, err)
		}
		bob := s.Account(t, "starter")
		s.Call(t, "GET", "/account/invoice/"+is[0].ID, bob.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/account/invoice/"+is[0].ID+"/page", bob.Token, nil).Want(t, 404)
	}, apptest.AtTime(upgraded), manual)
}
