package usage_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// BenchmarkTakeIngest is what the counters cost a round, for one profile and for a hundred, among 2,000.
func BenchmarkTakeIngest(b *testing.B) {
	for _, engine := range sqldbtest.Engines {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/%d profiles", engine, n), func(b *testing.B) {
				db := sqldbtest.Open(b, engine, audit.Migrations(), mail.Migrations(), account.Migrations(), profile.Migrations(), usage.Migrations())
				clk := clock.NewManual(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC))
				log := audit.New(db, clk)
				mailer, err := mail.New(db, mail.Config{Clock: clk})
				if err != nil {
					b.Fatal(err)
				}
				accounts := account.New(db, log, mailer, account.Config{HashMemory: 64}, clk)
				profiles := profile.New(db, accounts, plan.Builtin(), log, nil, clk)
				use := usage.New(db, profiles, accounts, log, clk)
				ctx := context.Background()
				a, err := accounts.Create(ctx, system, account.CreateInput{Name: "Ada", Email: "ada@example.test", Password: "correct horse battery"})
				if err != nil {
					b.Fatal(err)
				}
				var ps []id.Profile
				err = db.Tx(ctx, func(ctx context.Context) error {
					for range 2000 {
						p, err := profiles.Create(ctx, system, profile.CreateInput{Name: "x", Account: a.ID})
						if err != nil {
							return err
						}
						ps = append(ps, p.ID)
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				slices.Sort(ps)
				i := 0
				for b.Loop() {
					takes := make([]usage.IngestTake, n)
					for j := range takes {
						takes[j] = usage.IngestTake{Profile: ps[(i*n+j)%len(ps)], Input: 3, Records: 3}
					}
					i++
					slices.SortFunc(takes, func(x, y usage.IngestTake) int {
						if x.Profile < y.Profile {
							return -1
						}
						return 1
					})
					err := db.Tx(sqldb.As(ctx, takes[0].Profile), func(ctx context.Context) error {
						ok, err := use.TakeIngest(ctx, takes)
						if err == nil && slices.Contains(ok, false) {
							b.Fatal("refused")
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
