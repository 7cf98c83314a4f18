package app

import (
	"context"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/team"
	"paddock/internal/token"
)

// HandOver gives a profile to another account with its team and tokens, about whom nothing is decided but this.
func (a *App) HandOver(ctx context.Context, p, to string, people map[id.Account]team.Fate, tokens map[id.Token]token.Fate) (func(ctx context.Context) error, error) {
	var left team.Left
	var ended token.Left
	var from id.Account
	err := a.db.Tx(ctx, func(ctx context.Context) error {
		h, err := a.profiles.HandOver(ctx, auth.SystemCaller(), id.Profile(p), id.Account(to))
		if err != nil {
			return err
		}
		from = h.Profile.Account
		if left, err = a.teams.HandOver(ctx, auth.SystemCaller(), h, people); err != nil {
			return err
		}
		ended, err = a.tokens.HandOver(ctx, auth.SystemCaller(), h, nil, tokens)
		return err
	})
	return func(ctx context.Context) error {
		return a.db.Tx(ctx, func(ctx context.Context) error {
			h, err := a.profiles.HandOver(ctx, auth.SystemCaller(), id.Profile(p), from)
			if err != nil {
				return err
			}
			if err := a.teams.UndoHandOver(ctx, auth.SystemCaller(), h, left); err != nil {
				return err
			}
			return a.tokens.UndoHandOver(ctx, auth.SystemCaller(), h, ended)
		})
	}, err
}
