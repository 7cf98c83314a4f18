package app

import (
	"context"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/support"
)

// Support is the room of tickets and looks.
func (a *App) Support() *support.Service { return a.support }

// SetOperator makes an account operator or takes that away, as `paddock account operator` does.
func (a *App) SetOperator(ctx context.Context, email string, operator bool) error {
	_, err := a.accounts.SetOperator(ctx, auth.SystemCaller(), email, operator)
	return err
}

// GiveAway hands a profile over without asking anybody.
func (a *App) GiveAway(ctx context.Context, p, to string) error {
	_, err := a.profiles.HandOver(ctx, auth.SystemCaller(), id.Profile(p), id.Account(to))
	return err
}
