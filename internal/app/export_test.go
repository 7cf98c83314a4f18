package app

import (
	"context"
	"time"

	accountroom "paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/billing"
	"paddock/internal/id"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// SetPlan moves an account to a plan, as `paddock account set EMAIL --plan` does.
func (a *App) SetPlan(ctx context.Context, email, plan string) error {
	acc, err := a.accounts.ByEmail(ctx, email)
	if err == nil {
		_, err = a.billing.SetPlan(ctx, auth.SystemCaller(), acc.ID, plan, true, "")
	}
	return err
}

// Renew closes the cycles that are over, as a job does each minute.
func (a *App) Renew(ctx context.Context) error { return a.billing.Renew(ctx) }

// Exec changes the database past every rule.
func (a *App) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	return a.db.Exec(ctx, q, args...)
}

// TellInvoices tells of invoices, as a job does each minute.
func (a *App) TellInvoices(ctx context.Context) error { return a.billing.Tell(ctx) }

// ApplyCatalogue puts a catalogue into force, as `paddock catalogue apply FILE` does.
func (a *App) ApplyCatalogue(ctx context.Context, text []byte) error {
	_, err := a.versions.Apply(ctx, text, plan.FromApply, a.accounts.PlanUsers)
	return err
}

// FitCatalogue is the job that fits allocations to another catalogue.
func (a *App) FitCatalogue(ctx context.Context) error { return a.fitCatalogue(ctx) }

// SetTerms gives an account terms beside its plan.
func (a *App) SetTerms(ctx context.Context, account string, terms plan.Terms) error {
	acc, err := a.accounts.Get(ctx, id.Account(account))
	if err != nil {
		return err
	}
	return a.accounts.SetTerms(ctx, auth.SystemCaller(), accountroom.TermsChange{Account: acc.ID, Plan: acc.Plan, Terms: terms.String(), Anchor: acc.Anchor, Message: "Terms changed"})
}

// Histories are those of an account: of its profiles, of what they were allocated, and of its pool.
func (a *App) Histories(ctx context.Context, account string, from, to int64) ([]profile.Ownership, []usage.AllocationChange, []usage.PoolChange, error) {
	owned, err := a.profiles.Ownerships(ctx, id.Account(account), from, to)
	if err != nil {
		return nil, nil, nil, err
	}
	allocated, err := a.usage.AllocationHistory(ctx, id.Account(account), from, to)
	if err != nil {
		return nil, nil, nil, err
	}
	pools, err := a.usage.PoolHistory(ctx, id.Account(account), from, to)
	return owned, allocated, pools, err
}

// Charge writes a charge, as whatever sells hosting does.
func (a *App) Charge(ctx context.Context, c billing.Charge) error {
	_, err := a.billing.AddCharges(ctx, c)
	return err
}

// Rate shares by use the hours that are over.
func (a *App) Rate(ctx context.Context) error { return a.billing.Rate(ctx) }

// Newer compares releases.
var Newer = newer

// PurgeProfiles purges what is due, as a job does each minute.
func (a *App) PurgeProfiles(ctx context.Context) error { return a.profiles.Purge(ctx, time.Minute) }

// CountOf counts the rows that a table has of a profile.
func (a *App) CountOf(ctx context.Context, table, p string) (n int64, err error) {
	column := "profile_id"
	if table == "member" {
		column = "profile"
	}
	err = a.db.QueryRow(ctx, "SELECT COUNT(*) FROM "+table+" WHERE "+column+" = $1", p).Scan(&n)
	return n, err
}
