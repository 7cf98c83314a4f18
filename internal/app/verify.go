package app

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/usage"
)

// Verify recounts in one snapshot what is stored and compares it with what was metered and allocated. It
// returns a line for each figure that is off, and says what it looked at and which figures nothing but ledgers can
// confirm. It may run beside a server.
func (a *App) Verify(ctx context.Context) (findings []string, checked string, err error) {
	err = a.db.Snapshot(ctx, func(ctx context.Context) error {
		metered, err := a.usage.Verify(ctx)
		if err != nil {
			return err
		}
		stored, counts, err := a.data.Verify(ctx)
		if err != nil {
			return err
		}
		for _, f := range append(metered, stored...) {
			findings = append(findings, f.String())
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
