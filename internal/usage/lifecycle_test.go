package usage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

const grace = 7 * 24 * time.Hour

// sound is clean with the histories of owners.
func (h *house) sound(what any) {
	h.t.Helper()
	fs, err := h.usage.Verify(context.Background())
	if err != nil {
		h.t.Fatal(what, err)
	}
	owned, err := h.profiles.VerifyOwned(context.Background())
	if err != nil {
		h.t.Fatal(what, err)
	}
	if len(fs)+len(owned) > 0 {
		h.t.Fatal(what, fs, owned)
	}
}

func (h *house) mustRestore(p id.Profile) {
	h.t.Helper()
	if _, err := h.profiles.Restore(context.Background(), system, p); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) mustDelete(p id.Profile) {
	h.t.Helper()
	if err := h.profiles.Delete(context.Background(), system, string(p), ""); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) mustTake(p id.Profile, svc plan.Service, n int64) {
	h.t.Helper()
	if err := h.takeAny(p, svc, n); err != nil {
		h.t.Fatal(err)
	}
}

func TestRestore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.profiles.SetGrace(grace)
		a := h.account("scale", "UTC")
		p, q := h.profile(a), h.profile(a)
		h.policy(p, policies{plan.RunUsers: usage.Overage})
		if err := h.usage.Hold(ctx, p, plan.Devices, 3); err != nil {
			t.Fatal(err)
		}
		if ok, err := h.ingest(p, 40); !ok || err != nil {
			t.Fatal(err)
		}
		h.mustTake(p, plan.SMS, 2)
		h.mustTake(p, plan.RunUsers, 7) // 5 are its own
		if err := h.usage.Spend(ctx, p, plan.Output, 11); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Second)
		before, had := h.used(p), must(h.usage.Allocation(ctx, p)).Amounts
		t.Run("a deleted profile has no counters, and what it used is departed", func(t *testing.T) {
			h.mustDelete(p)
			h.sound("deleted")
			if ok, err := h.ingest(p, 1); ok || err != nil {
				t.Fatal(ok, err)
			}
			if row := h.pool(a, plan.SMS); row.Departed != 2 || row.Used != 0 || row.Allocated != row.Pool {
				t.Fatal(row)
			}
			if err := h.usage.Stop(ctx); err != nil { // what was leased is given back to a cycle of the past
				t.Fatal(err)
			}
			h.sound("leases settled")
			r := must(h.usage.Holds(ctx, p))
			if r.Stocks.Of(plan.DataRecords) != 40 || r.Stocks.Of(plan.RunUsers) != 7 || r.Held[plan.Devices] != 3 || r.Policies[plan.RunUsers] != "overage" {
				t.Fatal(r)
			}
			if err := h.profiles.Purge(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("within the cycle everything comes back, once", func(t *testing.T) {
			h.clock.Advance(26 * time.Hour)
			h.mustRestore(p)
			h.sound("restored")
			c := h.used(p)
			if c.Used != before.Used || c.Over != before.Over || c.CycleStart != before.CycleStart || c.CycleEnd != before.CycleEnd {
				t.Fatal(c, before)
			}
			if now := must(h.usage.Allocation(ctx, p)).Amounts; now != had {
				t.Fatal(now, had)
			}
			if row := h.pool(a, plan.SMS); row.Departed != 0 || row.Used != 2 {
				t.Fatal(row)
			}
			if past := must(h.usage.PastCycles(ctx, p)); len(past) != 0 {
				t.Fatal(past)
			}
			if n := must(h.usage.Amounts(ctx, p))[plan.Devices]; n != 3 {
				t.Fatal(n)
			}
			if set := must(h.usage.PoliciesOf(ctx, p)); set[plan.Index(plan.RunUsers)] != usage.Overage {
				t.Fatal(set)
			}
			os := must(h.profiles.Ownerships(ctx, a, 0, clock.Millis(h.clock.Now())+1))
			os = slices.DeleteFunc(os, func(o profile.Ownership) bool { return o.Profile != p })
			if len(os) != 2 || os[0].Until == 0 || os[1].From-os[0].Until != (26*time.Hour).Milliseconds() || os[1].Until != 0 || os[1].Made {
				t.Fatal(os)
			}
		})
		t.Run("what is removed meanwhile is missing afterwards", func(t *testing.T) {
			h.mustDelete(p)
			if err := h.usage.Release(ctx, p, plan.DataRecords, 15); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Unhold(ctx, p, plan.Devices, 1); err != nil {
				t.Fatal(err)
			}
			h.mustRestore(p)
			h.sound("restored")
			if c := h.used(p); c.Used.Of(plan.DataRecords) != 25 {
				t.Fatal(c.Used)
			}
			if n := must(h.usage.Amounts(ctx, p))[plan.Devices]; n != 2 {
				t.Fatal(n)
			}
		})
		t.Run("after the end of the cycle flows begin at zero", func(t *testing.T) {
			h.clock.Set(time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC))
			h.mustDelete(p)
			h.clock.Set(time.Date(2026, 4, 2, 12, 0, 0, 0, time.UTC))
			h.mustRestore(p)
			h.sound("restored")
			if c := h.used(p); c.Used.Of(plan.SMS) != 0 || c.Used.Of(plan.DataRecords) != 25 || c.CycleStart != millis(t, "2026-04-01T00:00:00Z") {
				t.Fatal(c)
			}
			h.mustTake(p, plan.SMS, 1)
			h.sound("used")
		})
		t.Run("in a cycle that was begun anew meanwhile counts what was used since", func(t *testing.T) {
			h.clock.Advance(time.Hour)
			h.mustTake(p, plan.SMS, 2)
			h.mustDelete(p)
			h.anchor(a, "scale", plan.Terms{})
			h.sound("anchored")
			h.mustRestore(p)
			h.sound("restored")
			c := h.used(p)
			if c.Used.Of(plan.SMS) != 2 || c.CycleStart != h.used(q).CycleStart || c.CycleEnd != h.used(q).CycleEnd {
				t.Fatal(c, h.used(q))
			}
			if row := h.pool(a, plan.SMS); row.Departed != 0 || row.Used != 2 {
				t.Fatal(row)
			}
		})
		t.Run("everything that is missing is named", func(t *testing.T) {
			h.policy(p, policies{plan.RunUsers: usage.Block})
			h.mustDelete(p)
			h.mustTake(q, plan.RunUsers, 6) // it has the whole pool of 10, and what is deleted stores 5 of its own
			for range 4 {
				h.profile(a)
			}
			if _, err := h.profiles.Create(ctx, system, profile.CreateInput{Name: "App", Account: a}); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
			_, err := h.profiles.Restore(ctx, system, p)
			f := fault.Of(err)
			checks, _ := f.Detail.(profile.Checks)
			var names []string
			for _, c := range checks.Checks {
				names = append(names, c.Name)
			}
			if f.Code != fault.LimitReached || len(names) != 2 || names[0] != string(plan.Profiles) || names[1] != string(plan.RunUsers) {
				t.Fatal(err, names)
			}
			h.sound("refused")
		})
		t.Run("when the time is over it is gone", func(t *testing.T) {
			h.clock.Advance(grace)
			if _, err := h.profiles.Restore(ctx, system, p); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			if err := h.profiles.Purge(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
			h.sound("purged")
			if list := must(h.profiles.Deleted(ctx, a)); len(list) != 0 {
				t.Fatal(list)
			}
		})
	})
}

func TestHandOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.set("2026-03-14T12:07:30Z")
		a, b := h.account("scale", "UTC"), h.account("scale", "Asia/Kolkata")
		p, rest := h.profile(a), h.profile(a)
		other := h.profile(b)
		h.policy(p, policies{plan.RunUsers: usage.Overage})
		take := func(n int64) {
			t.Helper()
			if ok, err := h.ingest(p, n); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		take(30)
		h.mustTake(p, plan.SMS, 3)
		h.mustTake(p, plan.RunUsers, 6)
		if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, 5); err != nil {
			t.Fatal(err)
		}
		var over profile.Handover
		t.Run("use is divided at the instant", func(t *testing.T) {
			h.clock.Advance(time.Second)
			over = must(h.profiles.HandOver(ctx, system, p, b))
			h.sound("handed over")
			if over.At != millis(t, "2026-03-14T12:07:31Z") || over.Profile.Account != a || over.To != b {
				t.Fatal(over)
			}
			c := h.used(p)
			if c.CycleStart != over.At || c.CycleEnd != h.used(other).CycleEnd || c.Used.Of(plan.Input) != 0 || c.Used.Of(plan.SMS) != 0 || c.Used.Of(plan.DataRecords) != 30 || c.Used.Of(plan.RunUsers) != 6 {
				t.Fatal(c)
			}
			take(7) // in the same quarter of an hour
			if err := h.usage.SpendFor(ctx, p, sensor, plan.Output, 2); err != nil {
				t.Fatal(err)
			}
			if err := h.usage.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			h.sound("used by the new owner")
			past := must(h.usage.PastCycles(ctx, p))
			if len(past) != 1 || past[0].Used.Of(plan.Input) != 30 || past[0].Used.Of(plan.Output) != 5 || past[0].CycleEnd != over.At {
				t.Fatal(past)
			}
			if c := h.used(p); c.Used.Of(plan.Input) != 7 || c.Used.Of(plan.Output) != 2 {
				t.Fatal(c)
			}
			between := must(h.usage.UsedBetween(ctx, []id.Profile{p}, []int64{over.At - 1000_000, over.At, over.At + 1000_000}))[p]
			if between[0].Of(plan.Input) != 30 || between[1].Of(plan.Input) != 7 || between[0].Of(plan.DataRecords) != 30 || between[1].Of(plan.DataRecords) != 37 {
				t.Fatal(between)
			}
		})
		t.Run("the former owner's pool has the rest, without what was used", func(t *testing.T) {
			if row := h.pool(a, plan.SMS); row.Departed != 3 || row.Used != 0 || row.Allocated != row.Pool {
				t.Fatal(row)
			}
			if c := h.used(rest); c.Allowed.Of(plan.SMS) != 7 {
				t.Fatal(c.Allowed)
			}
			if row := h.pool(b, plan.SMS); row.Departed != 0 || row.Used != 0 {
				t.Fatal(row)
			}
		})
		t.Run("months turn as the new owner's do", func(t *testing.T) {
			h.set("2026-03-31T18:45:00Z") // April in Kolkata
			take(1)
			h.sound("turned")
			if c := h.used(p); c.CycleStart != millis(t, "2026-03-31T18:30:00Z") || c.Used.Of(plan.Input) != 1 {
				t.Fatal(c)
			}
		})
		t.Run("it comes back in the same instant and quarter", func(t *testing.T) {
			h.profile(b)
			must(h.profiles.HandOver(ctx, system, p, a))
			h.sound("back")
			take(2)
			must(h.profiles.HandOver(ctx, system, p, b))
			h.sound("and away")
			if row := h.pool(a, plan.Input); row.Departed != 32 { // both stays, in UTC still in March
				t.Fatal(row)
			}
			if c := h.used(p); c.Used.Of(plan.Input) != 0 || c.Used.Of(plan.DataRecords) != 40 {
				t.Fatal(c)
			}
		})
		t.Run("the ledger folds without mixing them", func(t *testing.T) {
			h.clock.Advance(70 * 24 * time.Hour)
			if err := h.usage.Fold(ctx); err != nil {
				t.Fatal(err)
			}
			h.sound("folded")
			between := must(h.usage.UsedBetween(ctx, []id.Profile{p}, []int64{over.At - 3_600_000, over.At, over.At + 3_600_000}))[p]
			if between[0].Of(plan.Input) != 30 || between[1].Of(plan.Input) != 7 {
				t.Fatal(between)
			}
		})
		t.Run("what does not fit stays", func(t *testing.T) {
			c := h.account("scale", "UTC")
			full := h.profile(c)
			h.mustTake(full, plan.RunUsers, 8)
			h.policy(p, policies{plan.RunUsers: usage.Block})
			checks := must(h.usage.Fits(ctx, p, c))
			missing := profile.Missing(checks)
			if len(missing) != 1 || missing[0].Name != string(plan.RunUsers) {
				t.Fatal(checks)
			}
			if _, err := h.profiles.HandOver(ctx, system, p, c); !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
			h.sound("refused")
			if _, err := h.profiles.HandOver(ctx, system, rest, c); !fault.Is(err, fault.Conflict) {
				t.Fatal("the last profile of an account changed hands", err)
			}
		})
	})
}

// A draft is invisible until it is published, and then has what it was said to hold.
func TestDraft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("scale", "UTC")
		p := h.profile(a)
		draft := func(want id.Profile) profile.Profile {
			t.Helper()
			return must(h.profiles.Draft(ctx, system, profile.DraftInput{Account: a, ID: want, Name: "Import"}))
		}
		wanted := id.New[id.Profile]()
		d := draft(wanted)
		if again := draft(wanted); d.ID != wanted || again.ID == wanted {
			t.Fatal(d.ID, again.ID)
		}
		if _, err := h.profiles.Get(ctx, d.ID); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		h.sound("a draft")
		h.clock.Advance(23 * time.Hour)
		if err := h.profiles.KeepDraft(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(23 * time.Hour)
		if err := h.profiles.Purge(ctx, time.Minute); err != nil { // the other one
			t.Fatal(err)
		}
		r := usage.Resting{Held: map[plan.Resource]int64{plan.Devices: 2}, Policies: map[plan.Service]string{plan.Input: "pool", plan.SMS: "block"}}
		r.Stocks[plan.Index(plan.DataRecords)] = 12
		r.Stocks[plan.Index(plan.RunUsers)] = 11
		if err := h.usage.Rest(ctx, d.ID, r); err != nil {
			t.Fatal(err)
		}
		if _, err := h.profiles.Publish(ctx, system, d.ID, "Profile imported"); !fault.Is(err, fault.LimitReached) || profile.Missing(fault.Of(err).Detail.(profile.Checks).Checks)[0].Name != "run_users" {
			t.Fatal(err)
		}
		r.Stocks[plan.Index(plan.RunUsers)] = 9
		if err := h.usage.Rest(ctx, d.ID, r); err != nil {
			t.Fatal(err)
		}
		must(h.profiles.Publish(ctx, system, d.ID, "Profile imported"))
		h.sound("published")
		if c := h.used(d.ID); c.Used.Of(plan.DataRecords) != 12 || c.Used.Of(plan.RunUsers) != 9 || c.Allowed.Of(plan.RunUsers) != 9 {
			t.Fatal(c)
		}
		if c := h.used(p); c.Allowed.Of(plan.RunUsers) != 1 {
			t.Fatal(c)
		}
		other := draft("")
		if err := h.profiles.Discard(ctx, system, other.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.profiles.KeepDraft(ctx, other.ID); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if _, err := h.profiles.Publish(ctx, system, other.ID, "no"); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if err := h.profiles.Purge(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		h.sound("discarded")
	})
}

// TestOwnersWhateverHappens deletes, restores, purges and hands over profiles of three accounts in the midst of random use on two
// nodes. After each step every figure agrees, no pool is exceeded, and each account has used in its month what its profiles
// used while they were its own: nothing is lost and nothing counted twice.
func TestOwnersWhateverHappens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		seed := rand.Uint64()
		t.Log("seed", seed)
		rnd := rand.New(rand.NewPCG(seed, 7))
		as := []id.Account{h.account("scale", "UTC"), h.account("scale", "UTC"), h.account("house", "UTC")}
		owner, gone := map[id.Profile]id.Account{}, map[id.Profile]id.Account{}
		var ps []id.Profile
		add := func(a id.Account) {
			if p, err := h.profiles.Create(ctx, system, profile.CreateInput{Name: "App", Account: a}); err == nil {
				owner[p.ID] = a
				ps = append(ps, p.ID)
			} else if !fault.Is(err, fault.LimitReached) {
				t.Fatal(err)
			}
		}
		for _, a := range as {
			add(a)
			add(a)
		}
		nodes := []*usage.Service{h.usage}
		h.start()
		h.profiles.SetGrace(grace)
		nodes = append(nodes, h.usage)
		used := map[id.Account]map[plan.Service]int64{}
		var month time.Month
		var devices = map[id.Profile]int64{}
		allowed := func(err error) bool {
			return fault.Is(err, fault.LimitReached) || fault.Is(err, fault.Conflict)
		}
		for step := range 150 {
			if m := h.clock.Now().Month(); m != month {
				month, used = m, map[id.Account]map[plan.Service]int64{}
			}
			node := nodes[rnd.IntN(2)]
			p := ps[rnd.IntN(len(ps))]
			_, living := owner[p]
			n := int64(1 + rnd.IntN(4))
			count := func(svc plan.Service, err error) error {
				if err == nil {
					a := owner[p]
					if used[a] == nil {
						used[a] = map[plan.Service]int64{}
					}
					used[a][svc] += n
				}
				return err
			}
			what := ""
			var err error
			switch k := rnd.IntN(24); {
			case k < 4 && living:
				what = "ingest"
				err = count(plan.Input, node.TakeOne(ctx, usage.IngestTake{Profile: p, Input: n, Records: n}, usage.DeviceInput{Profile: p, Device: sensor, Input: n}))
			case k < 6 && living:
				what, err = "sms", count(plan.SMS, node.Take(ctx, p, plan.SMS, n))
			case k < 8 && living:
				what, err = "spend", count(plan.Output, node.SpendFor(ctx, p, sensor, plan.Output, n))
			case k < 10 && living:
				what, err = "users", node.Take(ctx, p, plan.RunUsers, n)
			case k < 11 && living:
				what = "hold"
				if err = node.Hold(ctx, p, plan.Devices, 1); err == nil {
					devices[p]++
				}
			case k < 12:
				what = "release" // also of what is deleted
				err = node.Release(ctx, p, plan.RunUsers, min(1, must(node.Holds(ctx, p)).Stocks.Of(plan.RunUsers)))
			case k < 13 && living:
				what = "policy"
				h.policy(p, policies{plan.RunUsers: []usage.Policy{usage.Block, usage.Pool, usage.Overage}[rnd.IntN(3)]})
			case k < 14 && living:
				what = "post"
				if err = h.post(owner[p], fmt.Sprintf(`[{"profile":%q,"sms":%d,"run_users":%d}]`, p, rnd.IntN(6), rnd.IntN(6))); fault.Is(err, fault.Invalid) {
					err = nil
				}
			case k < 16 && living:
				what = "delete"
				purge := rnd.IntN(5) == 0
				if err = h.profiles.Remove(ctx, system, string(p), account.Proof{}, purge); err == nil {
					if !purge {
						gone[p] = owner[p]
					}
					delete(owner, p)
				}
			case k < 18:
				if a, ok := gone[p]; ok {
					what = "restore"
					_, err = h.profiles.Restore(ctx, system, p)
					if fault.Is(err, fault.NotFound) {
						err = nil
						delete(gone, p)
					} else if err == nil {
						owner[p] = a
						delete(gone, p)
					}
				}
			case k < 20 && living:
				what = "hand over"
				to := as[rnd.IntN(len(as))]
				fits := profile.Missing(must(h.usage.Fits(ctx, p, to)))
				if _, err = h.profiles.HandOver(ctx, system, p, to); err == nil {
					if len(fits) > 0 {
						t.Fatal("it was said not to fit", fits)
					}
					owner[p] = to
				} else if len(fits) == 0 && fault.Is(err, fault.LimitReached) && fault.Of(err).Detail.(profile.Checks).Checks[0].Name != string(plan.Profiles) {
					t.Fatal("it was said to fit", err)
				}
			case k < 21:
				what = "create"
				add(as[rnd.IntN(len(as))])
			case k < 22:
				what, err = "flush", node.Flush(ctx)
			case k < 23:
				what, err = "purge", h.profiles.Purge(ctx, time.Minute)
			default:
				what, err = "stop", node.Stop(ctx)
			}
			if err != nil && !allowed(err) {
				t.Fatal(step, what, err)
			}
			h.sound(fmt.Sprint(step, " ", what))
			for _, a := range as {
				for _, svc := range []plan.Service{plan.Input, plan.SMS, plan.RunUsers} {
					row := h.pool(a, svc)
					if row.Pool < plan.Unlimited && row.Used+row.Departed > row.Pool {
						t.Fatalf("step %d, %s: %d of %s used of a pool of %d, %d departed", step, what, row.Used, svc, row.Pool, row.Departed)
					}
					if plan.Flow(svc) && row.Used+row.Departed != used[a][svc] {
						t.Fatalf("step %d, %s: account %s has used %d of %s and %d are departed, its profiles used %d", step, what, a, row.Used, svc, row.Departed, used[a][svc])
					}
				}
			}
			for p := range owner {
				if n := must(h.usage.Amounts(ctx, p))[plan.Devices]; n != devices[p] {
					t.Fatalf("step %d, %s: %d devices, not %d", step, what, n, devices[p])
				}
			}
			switch rnd.IntN(12) {
			case 0:
				h.clock.Advance(time.Duration(rnd.IntN(5*24)) * time.Hour)
			case 1, 2, 3:
			default:
				h.clock.Advance(time.Duration(rnd.IntN(9*60)) * time.Second)
			}
		}
		for _, n := range nodes {
			if err := n.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		}
		h.sound("the end")
	})
}
