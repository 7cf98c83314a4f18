package app

import (
	"context"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/token"
)

// Mint makes a profile token of an account without asking for its password.
func (a *App) Mint(t testing.TB, in token.MintInput) string {
	t.Helper()
	made, err := a.tokens.Mint(t.Context(), auth.SystemCaller(), in)
	if err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// SignIn begins a session of an account without asking for its password and returns the header Cookie.
func (a *App) SignIn(t testing.TB, who string) string {
	t.Helper()
	acc, err := a.accounts.Get(t.Context(), id.Account(who))
	if err != nil {
		t.Fatal(err)
	}
	value, _, err := a.accounts.StartSession(t.Context(), acc, "127.0.0.1", "test")
	if err != nil {
		t.Fatal(err)
	}
	return "paddock_session=" + value
}

// Look does at once what jobs do by and by: alerts of silent devices, refusals written and told.
func (a *App) Look(ctx context.Context) error {
	if err := a.alerts.LookSilence(ctx); err != nil {
		return err
	}
	return a.limits.TellRefusals(ctx)
}
