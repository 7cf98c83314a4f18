package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"paddock/internal/audit"
	"paddock/internal/operator"
	"paddock/internal/transfer"
)

// openOperator makes the room operator, and gives it what only the process knows.
func (a *App) openOperator(log *audit.Log) error {
	rows, err := a.settings.rows()
	if err != nil {
		return err
	}
	c := operator.Server{Name: a.settings.Name, Version: Version, Started: time.Now(), Data: abs(a.settings.Data), Files: filepath.Join(abs(a.settings.Data), filesName),
		Key: a.keyForOperators, Settings: rows, Verify: a.VerifyTold, Schedule: operator.Schedule(a.settings.Verify),
		Review: transfer.Policy(a.settings.Transfer) == transfer.Review, Log: a.log}
	if a.settings.Files != "" {
		c.Files, c.Place = "", hide("files", a.settings.Files)
	}
	a.operator = operator.New(a.db, operator.Rooms{
		Accounts: a.accounts, Plans: a.plans, Profiles: a.profiles, Limits: a.limits, Billing: a.billing, Backups: a.stored, Support: a.support, Transfer: a.transfer, Audit: log, Mail: a.mail,
	}, c, a.clock)
	return nil
}

// keyNoted names the setting that says since when the key seals: its fingerprint and UTC milliseconds.
const keyNoted = "key noted"

// keyForOperators is what operators may know of the key.
func (a *App) keyForOperators(ctx context.Context) (operator.Key, error) {
	k := operator.Key{ID: a.sealer.KeyID(), Others: len(a.sealer.KeyIDs()) - 1, From: "PADDOCK_SECRET_KEY"}
	if a.settings.SecretKey == "" {
		k.From = abs(a.settings.keyFile())
	}
	text, _, err := setting(ctx, a.db, keyNoted)
	if err != nil {
		return k, fmt.Errorf("since when the key seals: %w", err)
	}
	if ident, at, ok := strings.Cut(text, " "); ok && ident == k.ID {
		k.Since, _ = strconv.ParseInt(at, 10, 64) // 0 for what cannot be read
	}
	return k, nil
}
