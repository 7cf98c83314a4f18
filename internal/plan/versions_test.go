package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
)

func nobody(context.Context) (map[string][]string, error) { return nil, nil }

// with is the built-in catalogue with something else in it.
func with(t *testing.T, old, new string) []byte {
	t.Helper()
	text := string(plan.BuiltinText())
	if !strings.Contains(text, old) {
		t.Fatalf("the built-in catalogue has no %q", old)
	}
	return []byte(strings.Replace(text, old, new, 1))
}

func TestVersions(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{plan.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		clk := clock.NewManual(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC))
		open := func() *plan.Versions {
			t.Helper()
			v, err := plan.Open(ctx, db, clk, nil)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		v := open()
		apply := func(text []byte, from plan.Source) plan.Version {
			t.Helper()
			x, err := v.Apply(ctx, text, from, nobody)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		dearer := with(t, "price: 4900", "price: 5900")
		t.Run("the first is the built-in one, once", func(t *testing.T) {
			if v.Catalogue().Version() != 0 {
				t.Fatal(v.Catalogue().Version())
			}
			for range 2 {
				if x := apply(plan.BuiltinText(), plan.FromBuiltin); x.Number != 1 || v.Catalogue().Version() != 1 {
					t.Fatal(x.Number)
				}
			}
		})
		t.Run("another one is in force here at once, and on other nodes within a second", func(t *testing.T) {
			other := open()
			pinned := v.Catalogue().Now()
			if x := apply(dearer, plan.FromApply); x.Number != 2 {
				t.Fatal(x.Number)
			}
			if p, _ := v.Catalogue().Plan("starter"); p.Price != 5900 {
				t.Fatal(p.Price)
			}
			if p, _ := pinned.Plan("starter"); p.Price != 4900 || pinned.Version() != 1 {
				t.Fatal(p.Price)
			}
			if err := other.Reload(ctx); err != nil { // which a notice makes it do
				t.Fatal(err)
			}
			if p, _ := other.Catalogue().Plan("starter"); p.Price != 5900 || other.Catalogue().Version() != 2 {
				t.Fatal(p.Price)
			}
		})
		t.Run("the past stays as it was", func(t *testing.T) {
			x, found, err := v.Find(ctx, 1)
			if err != nil || !found || x.Number != 1 {
				t.Fatal(x.Number, found, err)
			}
			c, err := plan.Parse([]byte(x.Text))
			if err != nil {
				t.Fatal(err)
			}
			if p, _ := c.Plan("starter"); p.Price != 4900 {
				t.Fatal(p.Price)
			}
			if _, found, err := v.Find(ctx, 77); found || err != nil {
				t.Fatal(found, err)
			}
		})
		t.Run("a release that brings a built-in one does not undo what was applied, nor an older release", func(t *testing.T) {
			if x := apply(plan.BuiltinText(), plan.FromBuiltin); x.Number != 2 {
				t.Fatal(x.Number)
			}
			if p, _ := open().Catalogue().Plan("starter"); p.Price != 5900 {
				t.Fatal(p.Price)
			}
		})
		t.Run("faults are all named, and nothing changes", func(t *testing.T) {
			bad := strings.Replace(string(with(t, "price: 4900", "price: -1")), "currency: usd", "currency: dollars", 1)
			_, err := v.Apply(ctx, []byte(bad), plan.FromApply, nobody)
			var rows *plan.ErrCatalogue
			if !errors.As(err, &rows) || len(rows.Rows) != 2 {
				t.Fatal(err)
			}
			if v.Catalogue().Version() != 2 {
				t.Fatal(v.Catalogue().Version())
			}
		})
		t.Run("a plan that accounts are on must stay", func(t *testing.T) {
			_, err := v.Apply(ctx, plan.BuiltinText(), plan.FromApply, func(context.Context) (map[string][]string, error) {
				return map[string][]string{"gold": {"ada@example.test"}, "scale": {"x@example.test"}}, nil
			})
			if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), `"gold" (ada@example.test)`) || strings.Contains(err.Error(), "scale") {
				t.Fatal(err)
			}
		})
		fitted := func() (out []id.Account, err error) {
			ids := []id.Account{"a1", "a2", "a3"}
			err = v.Fit(ctx, func(_ context.Context, plans []string, after id.Account, n int) ([]id.Account, error) {
				if len(plans) != 1 || plans[0] != "scale" {
					t.Errorf("plans %v", plans)
				}
				for _, a := range ids {
					if a > after {
						return []id.Account{a}, nil
					}
				}
				return nil, nil
			}, func(_ context.Context, a id.Account) error {
				if a == "a2" && len(out) > 0 {
					return errors.New("cut short")
				}
				out = append(out, a)
				return nil
			})
			return out, err
		}
		t.Run("prices alone fit nobody anew; pools do, and go on where they were cut short", func(t *testing.T) {
			if pending, err := v.Fitting(ctx); err != nil || pending {
				t.Fatal(pending, err)
			}
			apply([]byte(strings.Replace(string(dearer), "input:             {house: unlimited, free: 1000000, starter: 1000000, scale: 1000000}",
				"input:             {house: unlimited, free: 1000000, starter: 1000000, scale: 900000}", 1)), plan.FromApply)
			if pending, err := v.Fitting(ctx); err != nil || !pending {
				t.Fatal(pending, err)
			}
			if out, err := fitted(); err != nil || len(out) != 0 { // not all nodes have heard
				t.Fatal(out, err)
			}
			clk.Advance(time.Minute)
			if out, err := fitted(); err == nil || len(out) != 1 {
				t.Fatal(out, err)
			}
			if out, err := fitted(); err != nil || len(out) != 2 || out[0] != "a2" {
				t.Fatal(out, err)
			}
			if pending, err := v.Fitting(ctx); err != nil || pending {
				t.Fatal(pending, err)
			}
		})
		t.Run("all are listed", func(t *testing.T) {
			xs, err := v.List(ctx)
			if err != nil || len(xs) != 3 || xs[0].Number != 3 || xs[2].Source != plan.FromBuiltin || xs[1].Text != string(dearer) {
				t.Fatal(len(xs), err)
			}
		})
	})
}
