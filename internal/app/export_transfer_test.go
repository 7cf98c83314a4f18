package app

import (
	"context"

	"paddock/internal/auth"
)

// ExpireTransfers is the job that ends transfers nobody answered.
func (a *App) ExpireTransfers(ctx context.Context) error { return a.transfer.Expire(ctx) }

// TidyTransfers is the job that forgets old ones.
func (a *App) TidyTransfers(ctx context.Context) error { return a.transfer.Tidy(ctx) }

// Block blocks an account or ends that, as `paddock account set --blocked` does.
func (a *App) Block(ctx context.Context, email string, blocked bool) error {
	_, err := a.accounts.SetBlocked(ctx, auth.SystemCaller(), email, blocked)
	return err
}
