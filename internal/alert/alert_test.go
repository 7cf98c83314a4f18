package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// noon is in the middle of a cycle.
var noon = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

// node is the rooms up to this one, as one process has them.
type node struct {
	*Service
	accounts *account.Service
}

type house struct {
	t   testing.TB
	db  *sqldb.DB
	clk *clock.Manual
	node
	p   id.Profile
	who auth.Caller
}

// each runs f on both engines with a profile that may store 100 points and receive 1000.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) { f(t, open(t, db)) })
}

var sources = []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(), device.Migrations(), Migrations()}

func open(t testing.TB, db *sqldb.DB) *house {
	h := &house{t: t, db: db, clk: clock.NewManual(noon)}
	h.node = h.start()
	a, err := h.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{Name: "Ada", Email: "ada@example.test", Password: "correct horse battery", Plan: "house"})
	must(t, err)
	h.who = auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount}
	h.p = h.profile()
	h.profile()
	h.who.ProfileID = h.p
	h.allow(plan.DataRecords, 100)
	h.allow(plan.Input, 1000)
	must(t, h.Look(t.Context()))
	return h
}

// start makes the rooms anew, as another process on the same database would.
func (h *house) start() node {
	h.t.Helper()
	log := audit.New(h.db, h.clk)
	mailer, err := mail.New(h.db, mail.Config{Clock: h.clk})
	must(h.t, err)
	files, err := blob.OpenFolder(h.t.TempDir())
	must(h.t, err)
	h.t.Cleanup(func() { files.Close() })
	sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	must(h.t, err)
	accounts := account.New(h.db, log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, h.clk)
	profiles := profile.New(h.db, accounts, plan.Builtin(), log, files, h.clk)
	tokens := token.New(h.db, accounts, profiles, log, sealer, h.clk)
	use := usage.New(h.db, profiles, accounts, log, h.clk)
	devices := device.New(h.db, profiles, tokens, use, log, h.clk)
	return node{New(h.db, profiles, use, devices, log, h.clk), accounts}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) profile() id.Profile {
	h.t.Helper()
	p, err := h.profiles.Create(h.t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Main", Account: h.who.AccountID})
	must(h.t, err)
	return p.ID
}

// allow sets what the profile may use of a service, as a posted allocation would.
func (h *house) allow(svc plan.Service, n int64) {
	h.t.Helper()
	must(h.t, h.db.Tx(h.t.Context(), func(ctx context.Context) error {
		if _, err := h.db.Exec(ctx, fmt.Sprintf(`UPDATE allocation SET %s = $1 WHERE profile = $2`, svc), n, string(h.p)); err != nil {
			return err
		}
		if _, err := h.db.Exec(ctx, fmt.Sprintf(`UPDATE counter SET %s_allowed = $1, version = version + 1 WHERE profile_id = $2`, svc), n, string(h.p)); err != nil {
			return err
		}
		return h.db.Changed(ctx, "usage", string(h.p))
	}))
}

// store takes n points as the room data does; a negative n deletes.
func (h *house) store(n int64) {
	h.t.Helper()
	ctx := h.t.Context()
	if n < 0 {
		must(h.t, h.usage.Release(ctx, h.p, plan.DataRecords, -n))
		return
	}
	ok, err := h.usage.TakeIngest(ctx, []usage.IngestTake{{Profile: h.p, Input: n, Records: n}})
	must(h.t, err)
	if !ok[0] {
		h.t.Fatalf("%d points were refused", n)
	}
}

// told looks and says what was told since the last call, as "data_records 80/100" or "silent Pump".
func (h *house) told() []string {
	h.t.Helper()
	must(h.t, h.Look(h.t.Context()))
	must(h.t, h.LookSilence(h.t.Context()))
	return h.since()
}

// since is what was told since the last call. What it shows is marked by acknowledging it.
func (h *house) since() []string {
	h.t.Helper()
	no := false
	as, err := h.list(h.t.Context(), auth.SystemCaller(), h.p, listFilter{acknowledged: &no}, 1000, 0)
	must(h.t, err)
	out := []string{}
	for _, a := range as {
		must(h.t, h.Acknowledge(h.t.Context(), h.who, h.p, a.ID, true))
		if a.Kind == Limit {
			out = append(out, fmt.Sprintf("%s %d/%d", a.Service, a.Threshold, a.Allowed))
			continue
		}
		ds, err := h.devices.Heard(h.t.Context(), h.p, []id.Device{a.Device})
		must(h.t, err)
		out = append(out, fmt.Sprintf("%s %s", a.Kind, ds[0].Name))
	}
	slices.Sort(out)
	return out
}

func (h *house) want(what string, want ...string) {
	h.t.Helper()
	slices.Sort(want)
	if got := h.told(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		h.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func TestThresholds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.store(79)
		h.want("below")
		h.store(1)
		h.want("at 80 %", "data_records 80/100")
		h.store(9)
		h.want("between")
		h.store(11)
		h.want("two at once are both told", "data_records 100/100", "data_records 90/100")
		h.store(-1)
		h.clk.Advance(2 * time.Minute)
		h.want("who hovers is not told again")
		h.store(1)
		h.want("nor on the way up")
		h.store(-8) // 92: below 95
		h.want("falling tells nothing")
		h.store(8)
		h.want("a stock that fell well below a threshold tells again", "data_records 100/100")
		h.store(-50)
		h.want("not yet: within a minute of the last")
		h.store(50)
		h.want("of three, two that were told long ago", "data_records 80/100", "data_records 90/100")
		h.allow(plan.DataRecords, 120)
		h.want("another limit tells anew", "data_records 80/120")
		h.allow(plan.DataRecords, 100)
		h.want("the same limit does not")
		h.allow(plan.DataRecords, 0)
		h.want("none at all", "data_records 100/0", "data_records 80/0", "data_records 90/0")
		h.allow(plan.DataRecords, 100)
		h.allow(plan.Input, 158) // 79+1+9+11+1+8+50 = 159 received
		h.want("lowering below what was used", "input 100/158", "input 80/158", "input 90/158")
		h.clk.Advance(20 * 24 * time.Hour)
		h.want("a cycle that nobody turned")
		h.store(-1)
		h.want("a new cycle tells anew of what is held; its flows begin at zero", "data_records 80/100", "data_records 90/100")
		h.allow(plan.DataRecords, plan.Unlimited)
		h.want("no limit, no alert")
	})
}

func TestFlowsAreToldExactly(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.allow(plan.Output, 1000)
		must(t, h.usage.Spend(t.Context(), h.p, plan.Output, 780))
		for range 19 {
			must(t, h.usage.Spend(t.Context(), h.p, plan.Output, 1))
		}
		h.want("what was taken in advance is not used")
		must(t, h.usage.Spend(t.Context(), h.p, plan.Output, 1))
		must(t, h.usage.Flush(t.Context()))
		h.want("at 80 %", "output 80/1000")
	})
}

func TestOnceWithManyProcesses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var nodes []node
		var mu sync.Mutex
		heard := map[string]int{}
		for range 4 {
			n := h.start()
			n.OnAlert(func(ctx context.Context, p id.Profile, as []Alert) error {
				sqldb.AfterCommit(ctx, func() {
					mu.Lock()
					defer mu.Unlock()
					for _, a := range as {
						heard[fmt.Sprint(a.Kind, a.Service, a.Threshold, a.Device)]++
					}
				})
				return nil
			})
			nodes = append(nodes, n)
		}
		made, err := h.devices.Create(t.Context(), h.who, h.p, device.CreateInput{Name: "Pump"})
		must(t, err)
		_, err = h.CreateRule(t.Context(), h.who, h.p, RuleInput{Device: made.ID, Interval: 60})
		must(t, err)
		h.store(95)
		h.clk.Advance(2 * time.Minute)
		var wg sync.WaitGroup
		for range 3 {
			for _, n := range nodes { // each of which looks at all profiles, as after a start
				n.sweptAt = 0
				wg.Go(func() {
					if err := errors.Join(n.Look(t.Context()), n.LookSilence(t.Context())); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		h.want("once", "data_records 80/100", "data_records 90/100", "silent Pump")
		if len(heard) != 3 {
			t.Error(heard)
		}
		for what, n := range heard {
			if n != 1 {
				t.Errorf("%s was delivered %d times", what, n)
			}
		}
	})
}

func TestAHookThatFails(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		broken := true
		h.OnAlert(func(context.Context, id.Profile, []Alert) error {
			if broken {
				return errors.New("no mail today")
			}
			return nil
		})
		h.store(80)
		if err := h.Look(t.Context()); err == nil {
			t.Fatal("the failure was swallowed")
		}
		if got := h.since(); len(got) > 0 {
			t.Errorf("told %q and not delivered", got)
		}
		broken = false
		h.want("the next look tells", "data_records 80/100")
	})
}

func TestWhatADeadProcessLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.store(90)
		h.node = h.start() // which knows nothing of what moved
		h.want("found by looking at all", "data_records 80/100", "data_records 90/100")
		h.clk.Advance(2 * time.Minute)
		h.store(-60)
		h.node = h.start()
		h.want("a fall is found too")
		h.store(60)
		h.want("and tells again", "data_records 80/100", "data_records 90/100")
	})
}

func TestAcknowledge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.store(90)
		must(t, h.Look(t.Context()))
		as, err := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10, 0)
		must(t, err)
		if len(as) != 2 {
			t.Fatal(as)
		}
		for range 2 { // doing it twice changes nothing
			must(t, h.Acknowledge(t.Context(), h.who, h.p, as[0].ID, true))
			h.clk.Advance(time.Minute)
		}
		now, _ := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10, 0)
		if now[0].Acknowledged != clock.Millis(noon) || now[0].AcknowledgedBy != h.who.AccountID || now[1].Acknowledged != 0 {
			t.Errorf("%+v", now)
		}
		must(t, h.Acknowledge(t.Context(), h.who, h.p, as[0].ID, false))
		if n, err := h.AcknowledgeAll(t.Context(), h.who, h.p); n != 2 || err != nil {
			t.Error(n, err)
		}
		for _, a := range []id.Alert{"x", as[0].ID} {
			if err := h.Acknowledge(t.Context(), h.who, "aaaaaaaaaaaaaaaaaaaaaaaa", a, true); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
	})
}

// fleet makes devices by name and returns their ids.
func (h *house) fleet(tags []device.Tag, names ...string) map[string]id.Device {
	h.t.Helper()
	out := map[string]id.Device{}
	for _, n := range names {
		made, err := h.devices.Create(h.t.Context(), h.who, h.p, device.CreateInput{Name: n, Tags: tags})
		must(h.t, err)
		out[n] = made.ID
	}
	return out
}

func (h *house) hear(d id.Device) { h.devices.Touch(h.p, d, true, false) }

func (h *house) expect(in RuleInput) Rule {
	h.t.Helper()
	r, err := h.CreateRule(h.t.Context(), h.who, h.p, in)
	must(h.t, err)
	return r
}

func TestSilentDevices(t *testing.T) {
	minutes := func(n int) int64 { return int64(n) * 60 }
	each(t, func(t *testing.T, h *house) {
		site := device.Tag{Key: "Site", Value: "North"}
		d := h.fleet([]device.Tag{{Key: "site", Value: "north"}}, "A", "B")
		d["C"] = h.fleet(nil, "C")["C"]
		h.clk.Advance(time.Hour)
		byTag := h.expect(RuleInput{Tag: &site, Interval: minutes(10)})
		h.hear(d["A"])
		h.want("nobody yet")
		h.clk.Advance(10 * time.Minute)
		h.want("its interval is not longer than its interval")
		h.clk.Advance(16 * time.Second)
		h.want("A was heard, B counts from the moment of the rule", "silent A", "silent B")
		h.clk.Advance(time.Hour)
		h.want("once")
		h.hear(d["A"])
		h.want("heard again", "recovered A")
		h.want("once")
		must(t, h.devices.Flush(t.Context()))
		h.clk.Advance(9 * time.Minute)
		h.hear(d["A"])
		h.clk.Advance(9 * time.Minute)
		h.want("it keeps sending")

		t.Run("a device's own rule goes before the tag's", func(t *testing.T) {
			own := h.expect(RuleInput{Device: d["A"], Interval: minutes(60)})
			h.clk.Advance(30 * time.Minute)
			h.want("longer")
			h.clk.Advance(31 * time.Minute)
			h.want("now", "silent A")
			must(t, h.SetRule(t.Context(), h.who, h.p, own.ID, minutes(120)))
			h.want("a longer interval ends it without a recovery")
			if as := h.open(); len(as) != 1 || as[0].Device != d["B"] {
				t.Errorf("%+v", as)
			}
			h.clk.Advance(time.Hour)
			h.want("until that has passed", "silent A")
			must(t, h.DeleteRule(t.Context(), h.who, h.p, own.ID))
			h.want("without the rule the tag's holds", "silent A")
		})
		t.Run("inactive devices raise nothing, and wait anew when they are switched on", func(t *testing.T) {
			on, off := true, false
			must(t, h.devices.Update(t.Context(), h.who, h.p, d["A"], device.Update{Active: &off}))
			h.want("it ends")
			if as := h.open(); len(as) != 1 {
				t.Errorf("%+v", as)
			}
			h.clk.Advance(time.Hour)
			h.want("nothing")
			must(t, h.devices.Update(t.Context(), h.who, h.p, d["A"], device.Update{Active: &on}))
			h.clk.Advance(10 * time.Minute)
			h.want("not yet")
			h.clk.Advance(time.Minute)
			h.want("a whole interval later", "silent A")
		})
		t.Run("paused profiles raise nothing, and wait anew when they are resumed", func(t *testing.T) {
			h.hear(d["A"])
			h.want("back", "recovered A")
			must(t, h.profiles.Pause(t.Context(), h.who, string(h.p), "invoice"))
			h.clk.Advance(time.Hour)
			h.want("paused")
			must(t, h.profiles.Resume(t.Context(), h.who, string(h.p)))
			h.clk.Advance(10 * time.Minute)
			h.want("not yet")
			h.clk.Advance(time.Minute)
			h.want("a whole interval later", "silent A")
		})
		t.Run("a tag that comes and goes", func(t *testing.T) {
			none, tags := []device.Tag{}, []device.Tag{{Key: "x", Value: "y"}, {Key: "SITE", Value: "NORTH"}}
			must(t, h.devices.Update(t.Context(), h.who, h.p, d["A"], device.Update{Tags: &none}))
			h.want("it is not expected any more")
			must(t, h.devices.Update(t.Context(), h.who, h.p, d["C"], device.Update{Tags: &tags}))
			h.clk.Advance(10 * time.Minute)
			h.want("not yet")
			h.clk.Advance(time.Minute)
			h.want("a whole interval after it got the tag", "silent C")
			tags[0].Value = "z"
			must(t, h.devices.Update(t.Context(), h.who, h.p, d["C"], device.Update{Tags: &tags}))
			h.want("another tag changes nothing")
		})
		t.Run("deleted devices disappear", func(t *testing.T) {
			must(t, h.devices.Delete(t.Context(), h.who, h.p, d["C"]))
			as, err := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{device: d["C"]}, 10, 0)
			if err != nil || len(as) > 0 {
				t.Errorf("%v %v", as, err)
			}
			h.want("nothing")
		})
		t.Run("a deleted rule ends what it found", func(t *testing.T) {
			must(t, h.DeleteRule(t.Context(), h.who, h.p, byTag.ID))
			h.want("without a recovery")
			if as := h.open(); len(as) > 0 {
				t.Errorf("%+v", as)
			}
			h.hear(d["B"])
			h.want("nor later")
		})
	})
}

// open are the alerts of devices that are silent now.
func (h *house) open() []Alert {
	h.t.Helper()
	yes := true
	as, err := h.list(h.t.Context(), auth.SystemCaller(), h.p, listFilter{open: &yes}, 100, 0)
	must(h.t, err)
	return as
}

func TestTimeWithoutAServerDoesNotCount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.fleet(nil, "A")["A"]
		h.expect(RuleInput{Device: d, Interval: 600})
		h.hear(d)
		must(t, h.devices.Flush(t.Context()))
		h.clk.Advance(4 * time.Minute)
		h.want("all is well")
		h.clk.Advance(5 * time.Hour) // nobody looks: no server runs
		h.node = h.start()
		h.want("after the start")
		h.clk.Advance(6 * time.Minute)
		h.want("six minutes and the four of before")
		h.clk.Advance(time.Minute)
		h.want("a minute more", "silent A")
		h.node = h.start()
		h.want("a quick restart is none, and ends nothing")
	})
}

// TestManyDevices walks over more devices than a slice holds.
func TestManyDevices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Service.tagSlice = 50
		const n = 2*50 + 7
		h.manyDevices(n, func(i int) int64 {
			if i%10 == 9 {
				return clock.Millis(noon) - 3_600_000
			}
			return clock.Millis(noon)
		})
		h.expect(RuleInput{Tag: &device.Tag{Key: "site", Value: "a"}, Interval: 600})
		if got := h.told(); len(got) != n/10 {
			t.Errorf("%d are silent, want %d: %v", len(got), n/10, got)
		}
		h.clk.Advance(time.Hour)
		must(t, h.LookSilence(t.Context()))
		if as, err := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10_000, 0); err != nil || len(as) != n {
			t.Errorf("%d alerts, want %d: %v", len(as), n, err)
		}
	})
}

func TestRules(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.fleet(nil, "A")["A"]
		tag := func(k, v string) *device.Tag { return &device.Tag{Key: k, Value: v} }
		for want, in := range map[string]RuleInput{
			"device: name a device, or a tag":                    {Interval: 60},
			"tag: name a device or a tag, not both":              {Device: d, Tag: tag("a", "b"), Interval: 60},
			"tag.key: is required":                               {Tag: tag("", "b"), Interval: 60},
			"tag.key: must have at most 100 characters, has 101": {Tag: tag(strings.Repeat("a", 101), "b"), Interval: 60},
			"tag.value: must not contain control characters":     {Tag: tag("a", "b\a"), Interval: 60},
			"interval: must be 60 to 2678400 seconds":            {Device: d, Interval: 59},
			"interval: must be 60 to 2678400 seconds ":           {Device: d, Interval: 2678401},
			"Device Not Found":                                   {Device: "aaaaaaaaaaaaaaaaaaaaaaaa", Interval: 60},
			"Device Not Found ":                                  {Device: "x", Interval: 60},
		} {
			if _, err := h.CreateRule(t.Context(), h.who, h.p, in); err == nil || err.Error() != strings.TrimSpace(want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		r := h.expect(RuleInput{Device: d, Interval: 60})
		h.maxByTag = 5
		h.expect(RuleInput{Tag: tag("a", "b"), Interval: 2678400})
		for _, in := range []RuleInput{{Device: d, Interval: 90}, {Tag: tag("a", "b"), Interval: 90}} {
			if _, err := h.CreateRule(t.Context(), h.who, h.p, in); !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		}
		for i := 1; i < int(h.maxByTag); i++ {
			h.expect(RuleInput{Tag: tag("a", fmt.Sprint(i)), Interval: 60})
		}
		if _, err := h.CreateRule(t.Context(), h.who, h.p, RuleInput{Tag: tag("a", "one too many"), Interval: 60}); !fault.Is(err, fault.LimitReached) {
			t.Error(err)
		}
		for _, err := range []error{h.SetRule(t.Context(), h.who, "aaaaaaaaaaaaaaaaaaaaaaaa", r.ID, 60), h.DeleteRule(t.Context(), h.who, "aaaaaaaaaaaaaaaaaaaaaaaa", r.ID),
			h.SetRule(t.Context(), h.who, h.p, "x", 60)} {
			if !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
		p, err := h.profiles.Get(t.Context(), h.p)
		must(t, err)
		for done := false; !done; {
			done, err = h.PurgeProfile(t.Context(), p)
			must(t, err)
		}
		if rs, err := h.Rules(t.Context(), auth.SystemCaller(), h.p, 10, 0); err != nil || len(rs) > 0 {
			t.Errorf("%v %v", rs, err)
		}
	})
}

func TestTidy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.store(90)
		h.want("two", "data_records 80/100", "data_records 90/100")
		must(t, h.Tidy(t.Context()))
		if as, _ := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10, 0); len(as) != 2 {
			t.Error(as)
		}
		if n, err := h.trim(t.Context(), h.p, 1); n != 1 || err != nil {
			t.Error(n, err)
		}
		if as, _ := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10, 0); len(as) != 1 {
			t.Error(as)
		}
		h.clk.Advance(200 * 24 * time.Hour)
		must(t, h.Tidy(t.Context()))
		if as, _ := h.list(t.Context(), auth.SystemCaller(), h.p, listFilter{}, 10, 0); len(as) != 0 {
			t.Error(as)
		}
		if known, err := h.node.Service.told(t.Context(), []id.Profile{h.p}); len(known) != 0 || err != nil {
			t.Error(known, err)
		}
	})
}

func TestWords(t *testing.T) {
	for want, a := range map[string]Alert{
		"Data Output reached 80% of the limit: 8 of 10.":                                                {Kind: Limit, Service: plan.Output, Threshold: 80, Used: 8, Allowed: 10},
		"File Storage reached 100% of the limit: 2.5 of 2.5.":                                           {Kind: Limit, Service: plan.FileStorage, Threshold: 100, Used: 2_500_000, Allowed: 2_500_000},
		"Pump has never sent anything; it should be heard every 15 minutes.":                            {Kind: Silent, Device: "d", DeviceName: "Pump", Every: 900_000},
		"d has sent nothing since 15 November 2026, 12:00 UTC; it should be heard every day.":           {Kind: Silent, Device: "d", Every: 86_400_000, LastInput: clock.Millis(noon)},
		"Pump has sent nothing since 15 November 2026, 12:00 UTC; it should be heard every 90 seconds.": {Kind: Silent, DeviceName: "Pump", Every: 90_000, LastInput: clock.Millis(noon)},
		"Pump sends again.": {Kind: Recovered, DeviceName: "Pump"},
	} {
		if got := a.Message(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// manyDevices makes devices with the tag site=a that were last heard at what last says.
func (h *house) manyDevices(n int, last func(i int) int64) {
	h.t.Helper()
	const part = 60
	for from := 0; from < n; from += 50 * part { // of a transaction
		must(h.t, h.db.Tx(h.t.Context(), func(ctx context.Context) error {
			for from := from; from < min(n, from+50*part); from += part {
				var devices, tags []any
				rows := min(part, n-from)
				for i := range rows {
					d := fmt.Sprintf("%024x", from+i+1)
					devices = append(devices, string(h.p), d, d, d, "", "mutable", "", 0, "", "", true, true, "", 0, 0, last(from+i), 0, 1, 1)
					tags = append(tags, string(h.p), d, 0, "site", "a")
				}
				if _, err := h.db.Exec(ctx, `INSERT INTO device (profile_id, id, name, name_key, description, type, chunk_period, chunk_retention, connector,
					network, active, visible, payload_decoder, rpm_input, rpm_output, last_input, last_output, created_at, updated_at) VALUES `+sqldb.Rows(1, rows, 19)+`
					ON CONFLICT DO NOTHING`, devices...); err != nil {
					return err
				}
				if _, err := h.db.Exec(ctx, `INSERT INTO device_tag (profile_id, device_id, pos, key, value) VALUES `+sqldb.Rows(1, rows, 5)+` ON CONFLICT DO NOTHING`, tags...); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// BenchmarkLookSilence is what one server does once a minute for 20,000 devices of a tag, all of which were heard.
func BenchmarkLookSilence(b *testing.B) {
	for _, e := range sqldbtest.Engines {
		b.Run(string(e), func(b *testing.B) {
			h := open(b, sqldbtest.Open(b, e, sources...))
			h.manyDevices(20_000, func(int) int64 { return clock.Millis(noon) })
			h.expect(RuleInput{Tag: &device.Tag{Key: "site", Value: "a"}, Interval: 600})
			for b.Loop() {
				h.silence.fullAt = 0
				must(b, h.LookSilence(b.Context()))
			}
		})
	}
}

// BenchmarkSweep is the look at 20,000 profiles after a start, none of which is near a limit.
func BenchmarkSweep(b *testing.B) {
	for _, e := range sqldbtest.Engines {
		b.Run(string(e), func(b *testing.B) {
			h := open(b, sqldbtest.Open(b, e, sources...))
			list := func(services []plan.Service, format string) (out string) {
				for _, svc := range services {
					out += fmt.Sprintf(format, svc)
				}
				return out
			}
			all := list(plan.Metered[:], ", %s_used") + list(plan.Metered[:], ", %s_allowed")
			for i := range 20 {
				var args []any
				for j := range 1000 {
					args = append(args, fmt.Sprintf("%024x", i*1000+j))
				}
				_, err := h.db.Exec(b.Context(), `INSERT INTO counter (profile_id, cycle_start, cycle_end, quarter, version`+all+`)
					SELECT v.column1, c.cycle_start, c.cycle_end, c.quarter, c.version`+strings.ReplaceAll(all, ", ", ", c.")+`
					FROM counter c, (VALUES `+sqldb.RowsOf(1, 1000, "TEXT")+`) AS v WHERE c.profile_id = '`+string(h.p)+`'`, args...)
				must(b, err)
			}
			for b.Loop() {
				must(b, h.sweep(b.Context()))
			}
		})
	}
}
