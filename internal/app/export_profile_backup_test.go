package app

import (
	"context"
	"errors"
	"time"
)

// RunBackups does what jobs do with backups: puts what is due in line, makes what waits, and tidies up.
func (a *App) RunBackups(ctx context.Context) error {
	return errors.Join(a.stored.Schedule(ctx), a.stored.Work(ctx), a.stored.Tidy(ctx))
}

// HasFile tells whether the installation has a file.
func (a *App) HasFile(ctx context.Context, key string) bool {
	f, err := a.files.Get(ctx, key)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// Text is the one value of a query.
func (a *App) Text(ctx context.Context, q string, args ...any) (s string, err error) {
	return s, a.db.QueryRow(ctx, q, args...).Scan(&s)
}

// PurgeNow removes what deleted profiles held, as a job does.
func (a *App) PurgeNow(ctx context.Context) error { return a.profiles.Purge(ctx, 30*time.Second) }
