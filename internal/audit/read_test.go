package audit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

func TestStepAndPurge(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{audit.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		clk := clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
		log := audit.New(db, clk)
		a, b := id.New[id.Profile](), id.New[id.Profile]()
		who := auth.Caller{Kind: auth.Session, AccountID: id.New[id.Account]()}
		write := func(p id.Profile, n int) {
			t.Helper()
			err := db.Tx(ctx, func(ctx context.Context) error {
				for i := range n {
					if err := log.Write(ctx, who, audit.Event{Profile: p, Resource: "device", ResourceID: fmt.Sprint(i), Message: fmt.Sprintf("event %d", i)}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		write(a, 5200)
		write("", 3)
		clk.Advance(time.Hour)
		write(b, 700)
		write(a, 2)

		t.Run("a step looks at a bounded number of events, the next goes on behind it", func(t *testing.T) {
			f := audit.Filter{ResourceID: "5150"}
			part, err := log.Step(ctx, a, f, 10)
			if err != nil || len(part.Entries) != 0 || part.Done || part.Scanned != 5000 || part.Read < 5000*7 {
				t.Fatalf("%+v, %v", part, err)
			}
			f.After = part.Last
			part, err = log.Step(ctx, a, f, 10)
			if err != nil || len(part.Entries) != 1 || !part.Done || part.Scanned != 202 || part.Entries[0].ResourceID != "5150" {
				t.Fatalf("%+v, %v", part, err)
			}
			f = audit.Filter{}
			seen := 0
			for {
				part, err := log.Step(ctx, a, f, 2000)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range part.Entries {
					if want := fmt.Sprint(seen % 5200); e.ResourceID != want {
						t.Fatalf("event %d is %s", seen, e.ResourceID)
					}
					seen++
				}
				if part.Done {
					break
				}
				f.After = part.Last
			}
			if seen != 5202 {
				t.Errorf("%d events", seen)
			}
		})
		t.Run("a purge removes what is older, of all profiles and accounts, and nothing else", func(t *testing.T) {
			if err := log.Purge(ctx, clk.Now()); err != nil {
				t.Fatal(err)
			}
			inA, err := log.List(ctx, a, audit.Filter{})
			if err != nil || len(inA) != 2 {
				t.Errorf("%d, %v", len(inA), err)
			}
			inB, err := log.List(ctx, b, audit.Filter{})
			if err != nil || len(inB) != 700 {
				t.Errorf("%d, %v", len(inB), err)
			}
			own, err := log.ListAccount(ctx, who.AccountID, audit.Filter{})
			if err != nil || len(own) != 0 {
				t.Errorf("%d, %v", len(own), err)
			}
		})
	})
}
