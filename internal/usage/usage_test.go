package usage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// house is the rooms up to usage on a real database.
type house struct {
	t        *testing.T
	db       *sqldb.DB
	clock    *clock.Manual
	accounts *account.Service
	profiles *profile.Service
	usage    *usage.Service
	log      *audit.Log
}

var system = auth.SystemCaller()

// each runs f on both engines, at noon of 14 March 2026, beside other tests.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Parallel()
	sources := []sqldb.Source{audit.Migrations(), mail.Migrations(), account.Migrations(), profile.Migrations(), usage.Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &house{t: t, db: db, clock: clock.NewManual(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC))}
		h.start()
		f(t, h)
	})
}

// start makes the rooms anew, as another process on the same database would.
func (h *house) start() {
	h.t.Helper()
	mailer, err := mail.New(h.db, mail.Config{Clock: h.clock})
	if err != nil {
		h.t.Fatal(err)
	}
	files, err := blob.OpenFolder(h.t.TempDir())
	if err != nil {
		h.t.Fatal(err)
	}
	plans := plan.Builtin()
	h.log = audit.New(h.db, h.clock)
	h.accounts = account.New(h.db, h.log, mailer, account.Config{HashMemory: 64, Signup: account.Open, TermsUntil: plan.TermsUntil}, h.clock)
	h.profiles = profile.New(h.db, h.accounts, plans, h.log, files, h.clock)
	h.usage = usage.New(h.db, h.profiles, h.accounts, h.log, h.clock)
	h.accounts.OnDelete(h.profiles.DeleteAll)
	h.accounts.OnPlan(h.usage.Refit)
}

var emails atomic.Int64

// account makes an account without a profile.
func (h *house) account(planName, zone string) id.Account {
	h.t.Helper()
	a, err := h.accounts.Create(context.Background(), system, account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", emails.Add(1)), Password: "correct horse battery", Plan: planName, Timezone: zone,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return a.ID
}

func (h *house) profile(a id.Account) id.Profile {
	h.t.Helper()
	p, err := h.profiles.Create(context.Background(), system, profile.CreateInput{Name: "App", Account: a})
	if err != nil {
		h.t.Fatal(err)
	}
	return p.ID
}

// limit gives a profile of the house plan a limit; the account has a second profile, without which nothing
// can be allocated.
func (h *house) limit(a id.Account, p id.Profile, body string) {
	h.t.Helper()
	if err := h.post(a, fmt.Sprintf(`[{"profile":%q,%s}]`, p, body)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) post(a id.Account, body string) error {
	return usage.PostJSON(h.usage, context.Background(), auth.Caller{Kind: auth.Session, AccountID: a, Permission: auth.Full, Reach: auth.ReachAccount}, []byte(body))
}

func (h *house) used(p id.Profile) usage.Counter {
	h.t.Helper()
	c, err := h.usage.Used(context.Background(), p)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// clean fails when Verify finds anything.
func (h *house) clean() {
	h.t.Helper()
	fs, err := h.usage.Verify(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range fs {
		h.t.Error(f)
	}
}

// sensor is the device that sends in these tests; every unit of input is one's.
const sensor = id.Device("0123456789abcdef01234567")

func (h *house) ingest(p id.Profile, n int64) (bool, error) { return h.ingestOf(p, n, n) }

func (h *house) ingestOf(p id.Profile, input, records int64) (bool, error) {
	ok, err := h.usage.TakeIngest(sqldb.As(context.Background(), p), []usage.IngestTake{{Profile: p, Input: input, Records: records}},
		usage.DeviceInput{Profile: p, Device: sensor, Input: input})
	if err != nil {
		return false, err
	}
	return ok[0], nil
}

// takeAny takes n of any service.
func (h *house) takeAny(p id.Profile, svc plan.Service, n int64) error {
	if svc != plan.Input {
		return h.usage.Take(context.Background(), p, svc, n)
	}
	ok, err := h.ingestOf(p, n, 0)
	if err == nil && !ok {
		_, err = h.usage.RefusalOf(context.Background(), usage.IngestTake{Profile: p, Input: n})
	}
	return err
}

func TestFlowsAndStocks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p, other := h.profile(a), h.profile(a)

		t.Run("a profile of the house has no limits", func(t *testing.T) {
			c := h.used(p)
			for _, s := range plan.Metered {
				if c.Allowed.Of(s) != plan.Unlimited || c.Used.Of(s) != 0 {
					t.Errorf("%s: %d of %d", s, c.Used.Of(s), c.Allowed.Of(s))
				}
			}
			if ok, err := h.ingest(p, 1_000_000); err != nil || !ok {
				t.Fatal(ok, err)
			}
		})
		t.Run("a post of n variables adds n to input and n to data_records", func(t *testing.T) {
			if ok, err := h.ingest(other, 7); err != nil || !ok {
				t.Fatal(ok, err)
			}
			if c := h.used(other); c.Used.Of(plan.Input) != 7 || c.Used.Of(plan.DataRecords) != 7 {
				t.Fatal(c.Used)
			}
		})
		t.Run("a request that does not fit is refused whole, saying service, limit, used and reset", func(t *testing.T) {
			h.limit(a, other, `"input":10`)
			if ok, err := h.ingest(other, 4); err != nil || ok {
				t.Fatal(ok, err)
			}
			_, err := h.usage.RefusalOf(ctx, usage.IngestTake{Profile: other, Input: 4, Records: 4})
			f := fault.Of(err)
			if f.Status() != 402 || !strings.HasPrefix(f.Message, "You have exceeded the maximum limit of Data Input (10): 7 used, 4 more needed; it starts again at 2026-04-01T00:00:00.000Z") {
				t.Fatal(f.Status(), f.Message)
			}
			if c := h.used(other); c.Used.Of(plan.Input) != 7 || c.Used.Of(plan.DataRecords) != 7 {
				t.Fatal(c.Used)
			}
		})
		t.Run("a smaller one still fits, exactly to the limit", func(t *testing.T) {
			if ok, err := h.ingest(other, 3); err != nil || !ok {
				t.Fatal(ok, err)
			}
			if ok, _ := h.ingest(other, 1); ok {
				t.Fatal("passed the limit")
			}
		})
		t.Run("another profile of the account still accepts data", func(t *testing.T) {
			if ok, err := h.ingest(p, 5); err != nil || !ok {
				t.Fatal(ok, err)
			}
		})
		t.Run("raising the allocation unblocks at once", func(t *testing.T) {
			h.limit(a, other, `"input":11`)
			if ok, err := h.ingest(other, 1); err != nil || !ok {
				t.Fatal(ok, err)
			}
		})
		t.Run("exhausted data_records denies storing, releasing unblocks", func(t *testing.T) {
			h.limit(a, other, `"input":1000,"data_records":11`)
			if ok, _ := h.ingest(other, 1); ok {
				t.Fatal("stored beyond the limit")
			}
			_, err := h.usage.RefusalOf(ctx, usage.IngestTake{Profile: other, Input: 1, Records: 1})
			if !strings.HasPrefix(fault.Of(err).Message, "You have exceeded the maximum limit of Data Records (11): 11 used") {
				t.Fatal(err)
			}
			if err := h.usage.Release(ctx, other, plan.DataRecords, 2); err != nil {
				t.Fatal(err)
			}
			if ok, err := h.ingest(other, 2); err != nil || !ok {
				t.Fatal(ok, err)
			}
		})
		t.Run("lowering below what is stored keeps it and blocks more", func(t *testing.T) {
			h.limit(a, other, `"data_records":5`)
			if c := h.used(other); c.Used.Of(plan.DataRecords) != 11 || c.Allowed.Of(plan.DataRecords) != 5 {
				t.Fatal(c.Used, c.Allowed)
			}
			if err := h.usage.Take(ctx, other, plan.DataRecords, 1); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
		})
		t.Run("releasing more than is held is an error and changes nothing", func(t *testing.T) {
			if err := h.usage.Release(ctx, other, plan.DataRecords, 12); err == nil {
				t.Fatal("released")
			}
			if c := h.used(other); c.Used.Of(plan.DataRecords) != 11 {
				t.Fatal(c.Used)
			}
		})
		t.Run("an undone transaction took nothing", func(t *testing.T) {
			stop := errors.New("stop")
			before := h.used(p)
			err := h.db.Tx(ctx, func(ctx context.Context) error {
				if err := h.usage.Take(ctx, p, plan.Email, 5); err != nil {
					return err
				}
				return stop
			})
			if !errors.Is(err, stop) || h.used(p).Used != before.Used {
				t.Fatal(err)
			}
		})
		t.Run("every service can be taken", func(t *testing.T) {
			for _, s := range plan.Metered {
				before := h.used(p).Used.Of(s)
				if err := h.takeAny(p, s, 3); err != nil {
					t.Fatal(s, err)
				}
				if n := h.used(p).Used.Of(s); n != before+3 {
					t.Errorf("%s: %d after %d", s, n, before)
				}
			}
		})
		t.Run("many profiles are taken in one round, each by its own limit", func(t *testing.T) {
			h.limit(a, other, `"input":1000000,"data_records":12`)
			ok, err := h.usage.TakeIngest(ctx, []usage.IngestTake{{p, 2, 2}, {other, 2, 2}, {id.New[id.Profile](), 1, 1}},
				usage.DeviceInput{Profile: p, Device: sensor, Input: 2}, usage.DeviceInput{Profile: other, Device: sensor, Input: 2})
			if err != nil || !ok[0] || ok[1] || ok[2] {
				t.Fatal(ok, err)
			}
		})
		t.Run("a profile that is gone is not found", func(t *testing.T) {
			if err := h.usage.Take(ctx, id.New[id.Profile](), plan.Email, 1); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		})
		h.clean()
	})
}

func TestLimitIsExactUnderConcurrency(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.account("house", "UTC")
		p := h.profile(a)
		h.profile(a)
		h.limit(a, p, `"input":1000,"data_records":5000,"output":1000,"sms":1000`)
		ctx := context.Background()
		var wg sync.WaitGroup
		var stored, answered, sent atomic.Int64
		for g := range 24 {
			wg.Go(func() {
				for i := range 30 {
					n := int64(1 + (g*7+i)%5)
					if ok, err := h.ingest(p, n); err != nil {
						t.Error(err)
					} else if ok {
						stored.Add(n)
					}
					switch err := h.usage.Spend(ctx, p, plan.Output, n); {
					case err == nil:
						answered.Add(n)
					case !fault.Is(err, fault.LimitReached):
						t.Error(err)
					}
					switch err := h.usage.Take(ctx, p, plan.SMS, n); {
					case err == nil:
						sent.Add(n)
					case !fault.Is(err, fault.LimitReached):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		// What is left is smaller than what each still asked for; single units fill it to the last.
		for range 5 {
			if ok, _ := h.ingest(p, 1); ok {
				stored.Add(1)
			}
			if h.usage.Spend(ctx, p, plan.Output, 1) == nil {
				answered.Add(1)
			}
			if h.usage.Take(ctx, p, plan.SMS, 1) == nil {
				sent.Add(1)
			}
		}
		c := h.used(p)
		if stored.Load() != 1000 || answered.Load() != 1000 || sent.Load() != 1000 {
			t.Errorf("accepted %d, answered %d, sent %d; the limits are 1000", stored.Load(), answered.Load(), sent.Load())
		}
		if c.Used.Of(plan.Input) != 1000 || c.Used.Of(plan.DataRecords) != 1000 || c.Used.Of(plan.Output) != 1000 || c.Used.Of(plan.SMS) != 1000 {
			t.Error(c.Used)
		}
		h.clean()
		if err := h.usage.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		h.clean()
		if c := h.used(p); c.Used.Of(plan.Output) != 1000 {
			t.Error("after stopping:", c.Used.Of(plan.Output))
		}
	})
}

func TestCycles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "Asia/Kathmandu") // +05:45
		p := h.profile(a)
		h.profile(a)
		h.limit(a, p, `"input":100,"data_records":1000,"output":50`)

		t.Run("a cycle is the calendar month in the owner's zone", func(t *testing.T) {
			c := h.used(p)
			start, end := clock.FromMillis(c.CycleStart), clock.FromMillis(c.CycleEnd)
			if !start.Equal(time.Date(2026, 2, 28, 18, 15, 0, 0, time.UTC)) || !end.Equal(time.Date(2026, 3, 31, 18, 15, 0, 0, time.UTC)) {
				t.Fatal(start, end)
			}
		})
		if ok, err := h.ingest(p, 100); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := h.usage.Spend(ctx, p, plan.Output, 20); err != nil {
			t.Fatal(err)
		}
		t.Run("until its last millisecond nothing starts again", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 3, 31, 18, 14, 59, 999_000_000, time.UTC))
			if ok, _ := h.ingest(p, 1); ok {
				t.Fatal("accepted")
			}
		})
		t.Run("shown use starts again before anybody turns the cycle", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 3, 31, 18, 15, 0, 0, time.UTC))
			if c := h.used(p); c.Used.Of(plan.Input) != 0 || c.Used.Of(plan.DataRecords) != 100 || clock.FromMillis(c.CycleEnd) != time.Date(2026, 4, 30, 18, 15, 0, 0, time.UTC) {
				t.Fatal(c)
			}
		})
		t.Run("at the turn no request is lost and none counted twice", func(t *testing.T) {
			var wg sync.WaitGroup
			var stored, answered atomic.Int64
			for range 16 {
				wg.Go(func() {
					for range 10 {
						if ok, err := h.ingest(p, 1); err != nil {
							t.Error(err)
						} else if ok {
							stored.Add(1)
						}
						if err := h.usage.Spend(ctx, p, plan.Output, 1); err == nil {
							answered.Add(1)
						} else if !fault.Is(err, fault.LimitReached) {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			c := h.used(p)
			if stored.Load() != 100 || c.Used.Of(plan.Input) != 100 || c.Used.Of(plan.DataRecords) != 200 {
				t.Errorf("stored %d, counted %v", stored.Load(), c.Used)
			}
			if answered.Load() != 50 || c.Used.Of(plan.Output) != 50 {
				t.Errorf("answered %d, counted %d", answered.Load(), c.Used.Of(plan.Output))
			}
		})
		t.Run("the past cycle is remembered with what was truly spent", func(t *testing.T) {
			if err := h.usage.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			past, err := h.usage.PastCycles(ctx, p)
			if err != nil || len(past) != 1 {
				t.Fatal(past, err)
			}
			if u := past[0].Used; u.Of(plan.Input) != 100 || u.Of(plan.Output) != 20 || u.Of(plan.DataRecords) != 100 {
				t.Fatal(u)
			}
		})
		t.Run("months in which nothing happened are passed over", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 8, 10, 0, 0, 0, 0, time.UTC))
			if ok, err := h.ingest(p, 1); err != nil || !ok {
				t.Fatal(ok, err)
			}
			if c := h.used(p); clock.FromMillis(c.CycleStart) != time.Date(2026, 7, 31, 18, 15, 0, 0, time.UTC) || c.Used.Of(plan.Input) != 1 {
				t.Fatal(c)
			}
		})
		t.Run("a change of zone neither shortens nor repeats a month", func(t *testing.T) {
			// In Honolulu it is still August when the cycle of Kathmandu ends.
			zone := "Pacific/Honolulu"
			if _, err := h.accounts.Update(ctx, auth.Caller{Kind: auth.Session, AccountID: a}, account.Update{Timezone: &zone}); err != nil {
				t.Fatal(err)
			}
			h.clock.Set(time.Date(2026, 8, 31, 18, 15, 0, 0, time.UTC))
			if ok, err := h.ingest(p, 1); err != nil || !ok {
				t.Fatal(ok, err)
			}
			c := h.used(p)
			if clock.FromMillis(c.CycleStart) != time.Date(2026, 8, 31, 18, 15, 0, 0, time.UTC) || clock.FromMillis(c.CycleEnd) != time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC) {
				t.Fatal(clock.FromMillis(c.CycleStart), clock.FromMillis(c.CycleEnd))
			}
		})
		h.clean()
	})
}

func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p := h.profile(a)
		h.profile(a)
		h.limit(a, p, `"output":1000`)
		used := func() int64 { return h.used(p).Used.Of(plan.Output) }

		t.Run("reading n rows counts n", func(t *testing.T) {
			for range 3 {
				if err := h.usage.Spend(ctx, p, plan.Output, 10); err != nil {
					t.Fatal(err)
				}
			}
			if used() != 30 {
				t.Fatal(used())
			}
			h.clean()
		})
		t.Run("lowering the limit below what is used blocks at once", func(t *testing.T) {
			h.limit(a, p, `"output":30`)
			if err := h.usage.Spend(ctx, p, plan.Output, 1); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
			h.limit(a, p, `"output":1000`)
			if err := h.usage.Spend(ctx, p, plan.Output, 1); err != nil {
				t.Fatal(err)
			}
			if used() != 31 {
				t.Fatal(used())
			}
		})
		t.Run("an idle profile gives back what it holds", func(t *testing.T) {
			h.clock.Advance(time.Minute)
			if err := h.usage.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			c, err := h.usage.Current(ctx, p)
			if err != nil || c.Used.Of(plan.Output) != 31 {
				t.Fatal(c.Used, err)
			}
			h.clean()
		})
		t.Run("what is leased and not spent stands in nobody's way", func(t *testing.T) {
			a := h.account("starter", "UTC")
			p, q := h.profile(a), h.profile(a)
			pool := h.pool(a, plan.Output).Pool
			h.limit(a, q, `"output":1`)
			h.limit(a, p, fmt.Sprintf(`"output":%d`, pool-1))
			if err := h.usage.Spend(t.Context(), p, plan.Output, 5); err != nil {
				t.Fatal(err)
			}
			h.limit(a, p, `"output":5`)
			h.limit(a, q, fmt.Sprintf(`"output":%d`, pool-5))
			if n := h.used(p).Used.Of(plan.Output); n != 5 {
				t.Errorf("%d used, 5 were spent", n)
			}
			h.clean()
		})
		t.Run("the last unit is spent even while a part is leased", func(t *testing.T) {
			for used() < 1000 {
				if err := h.usage.Spend(ctx, p, plan.Output, 1); err != nil {
					t.Fatal(used(), err)
				}
			}
			err := h.usage.Spend(ctx, p, plan.Output, 1)
			if f := fault.Of(err); f.Code != fault.LimitReached || !strings.HasPrefix(f.Message, "You have exceeded the maximum limit of Data Output (1000): 1000 used, 1 more needed") {
				t.Fatal(err)
			}
		})
		t.Run("what a node that died had taken counts as spent", func(t *testing.T) {
			h.limit(a, p, `"output":1000000`)
			for range 50 {
				if err := h.usage.Spend(ctx, p, plan.Output, 10); err != nil {
					t.Fatal(err)
				}
			}
			true500 := used()
			h.start() // the old process is gone without a word
			h.clean()
			h.clock.Advance(2 * time.Minute)
			if err := h.usage.Reap(ctx); err != nil {
				t.Fatal(err)
			}
			if n := used(); n < true500 || n > true500+600 {
				t.Fatal(n, true500)
			}
			h.clean()
		})
		t.Run("a clock that jumps ahead does not make a node take itself for dead", func(t *testing.T) {
			before := used()
			if err := h.usage.Spend(ctx, p, plan.Output, 10); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Hour)
			if err := h.usage.Reap(ctx); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			if used() != before+10 {
				t.Fatalf("%d units were spent, %d were counted", 10, used()-before)
			}
			h.clean()
		})
		t.Run("two nodes share a limit and never pass it", func(t *testing.T) {
			start := used()
			h.limit(a, p, fmt.Sprintf(`"output":%d`, start+200))
			one := h.usage
			h.start()
			two := h.usage
			spent := start
			for range 400 {
				for _, node := range []*usage.Service{one, two} {
					if err := node.Spend(ctx, p, plan.Output, 1); err == nil {
						spent++
					}
				}
			}
			if spent > start+200 || spent < start+190 {
				t.Fatal(spent - start)
			}
			if err := errors.Join(one.Stop(ctx), two.Stop(ctx)); err != nil {
				t.Fatal(err)
			}
			if used() != spent {
				t.Fatal(used(), spent)
			}
			h.clean()
		})
	})
}

func TestHeldResources(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.profile(h.account("free", "UTC"))
		t.Run("caps hold exactly n, whoever races", func(t *testing.T) {
			var wg sync.WaitGroup
			var made atomic.Int64
			for range 12 {
				wg.Go(func() {
					err := h.usage.Hold(ctx, p, plan.Devices, 1)
					if err == nil {
						made.Add(1)
					} else if f := fault.Of(err); f.Status() != 402 || !strings.HasPrefix(f.Message, "You have exceeded the maximum limit of devices (5)") {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if made.Load() != 5 {
				t.Fatal(made.Load())
			}
		})
		t.Run("letting one go makes room for one", func(t *testing.T) {
			if err := h.usage.Unhold(ctx, p, plan.Devices, 1); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Hold(ctx, p, plan.Devices, 2); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
			if err := h.usage.Hold(ctx, p, plan.Devices, 1); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("letting go of more than there is is an error", func(t *testing.T) {
			if err := h.usage.Unhold(ctx, p, plan.Devices, 6); err == nil {
				t.Fatal("let go")
			}
		})
	})
}
