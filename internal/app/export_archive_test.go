package app

import (
	"bytes"
	"context"
	"io"

	"paddock/internal/auth"
	"paddock/internal/backup"
	"paddock/internal/id"
)

// Export writes the archive of a profile, as `paddock profile export` does.
func (a *App) Export(ctx context.Context, profile string, o backup.ExportOptions, passphrase string, w io.Writer) (backup.Summary, error) {
	p, err := a.profiles.Get(ctx, id.Profile(profile))
	if err != nil {
		return backup.Summary{}, err
	}
	return a.backups.ExportTo(ctx, p, o, passphrase, w)
}

// Import makes a profile of an archive, as `paddock profile import` does.
func (a *App) Import(ctx context.Context, account string, archive []byte, passphrase string, o backup.ImportOptions) (backup.Report, error) {
	x, err := backup.OpenArchive(bytes.NewReader(archive), int64(len(archive)), passphrase)
	if err != nil {
		return backup.Report{}, err
	}
	o.Account = id.Account(account)
	return a.backups.Import(ctx, auth.SystemCaller(), x, o)
}

// PurgeAll ends what is waiting for it.
func (a *App) PurgeAll(ctx context.Context) error { return a.profiles.Purge(ctx, 0) }

// Count counts by a statement.
func (a *App) Count(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = a.db.QueryRow(ctx, q, args...).Scan(&n)
	return n, err
}

// StopImports ends the imports of the server, and waits for that.
func (a *App) StopImports() { a.backups.Stop() }
