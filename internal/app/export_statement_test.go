package app

import "context"

// Tamper runs a statement behind the back of all rooms, as somebody with the database's password could.
func (a *App) Tamper(ctx context.Context, q string, args ...any) error {
	_, err := a.db.Exec(ctx, q, args...)
	return err
}
