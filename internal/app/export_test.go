package app

import (
	"context"

	"paddock/internal/auth"
)

// SetPlan moves an account to a plan, as `paddock account set EMAIL --plan` does.
func (a *App) SetPlan(ctx context.Context, email, plan string) error {
	_, err := a.accounts.SetPlan(ctx, auth.SystemCaller(), email, plan)
	return err
}
