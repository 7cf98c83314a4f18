package app

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/data"
	"paddock/internal/operator"
	"paddock/internal/usage"
)

// Verify recounts in one snapshot what is stored and compares it with what was metered and allocated. It
// returns a line for each figure that is off, and says what it looked at and which figures nothing but ledgers can
// confirm. It may run beside a server.
func (a *App) Verify(ctx context.Context) (findings []string, checked string, err error) {
	return a.VerifyTold(ctx, func(string, int64, int64) {})
}

// VerifyTold is Verify that tells the step it is at, and how much of it is done of how much in all, in thousandths.
func (a *App) VerifyTold(ctx context.Context, told operator.Told) (findings []string, checked string, err error) {
	var counts data.Counts
	add := func(n int, line func(i int) string) {
		for i := range n {
			findings = append(findings, line(i))
		}
	}
	// Recounting points takes nearly all of the time.
	steps := []struct {
		name   string
		weight int64
		do     func(ctx context.Context, part func(done, total int)) error
	}{
		{"owners", 10, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.profiles.VerifyOwned(ctx)
			add(len(fs), func(i int) string { return fs[i] })
			return err
		}},
		{"transfers", 10, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.transfer.Verify(ctx)
			add(len(fs), func(i int) string { return fs[i] })
			return err
		}},
		{"statements", 60, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.billing.VerifyStatements(ctx)
			add(len(fs), func(i int) string { return fs[i].String() })
			return err
		}},
		{"usage", 120, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.usage.Verify(ctx)
			add(len(fs), func(i int) string { return fs[i].String() })
			return err
		}},
		{"points", 700, func(ctx context.Context, part func(int, int)) error {
			fs, n, err := a.data.VerifyTold(ctx, part)
			counts = n
			add(len(fs), func(i int) string { return fs[i].String() })
			return err
		}},
		{"costs", 60, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.billing.VerifyCost(ctx)
			add(len(fs), func(i int) string { return fs[i].String() })
			return err
		}},
		{"invoices", 40, func(ctx context.Context, _ func(int, int)) error {
			fs, err := a.billing.VerifyInvoices(ctx)
			add(len(fs), func(i int) string { return fs[i].String() })
			return err
		}},
	}
	err = a.db.Snapshot(ctx, func(ctx context.Context) error {
		const all = 1000
		var done int64
		for _, s := range steps {
			told(s.name, done, all)
			if err := s.do(ctx, func(n, of int) { told(s.name, done+s.weight*int64(n)/int64(max(of, 1)), all) }); err != nil {
				return err
			}
			done += s.weight
		}
		checked = fmt.Sprintf("%d points of %d devices in %d profiles", counts.Points, counts.Devices, counts.Profiles)
		var alone []string
		for _, svc := range usage.LedgersAlone() {
			alone = append(alone, string(svc))
		}
		checked += "\nonly ledgers can confirm what was used of " + strings.Join(alone, ", ") + ", and what is overage"
		return nil
	})
	return findings, checked, err
}

// VerifyBackups reads every backup of a profile that is kept and compares it with what was written down when it was made. It returns
// a line for each that is missing or differs, and how many it read.
func (a *App) VerifyBackups(ctx context.Context) (findings []string, read int, err error) {
	return a.stored.Verify(ctx)
}
