package app

import (
	"context"

	"paddock/internal/profile"
)

// SetGrants replaces who knows what owners have granted.
func (a *App) SetGrants(f profile.GrantFunc) { a.profiles.SetGrants(f) }

// PurgeLog removes what the audit log does not keep any longer, as the job does.
func (a *App) PurgeLog(ctx context.Context) error { return a.profiles.PurgeLog(ctx) }

// CountEvents counts all entries of the audit log, across profiles.
func (a *App) CountEvents(ctx context.Context) (n int, err error) {
	err = a.db.QueryRow(ctx, `SELECT (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM audit_account)`).Scan(&n)
	return n, err
}

// AuditTexts is every column of every entry, across profiles.
func (a *App) AuditTexts(ctx context.Context) (out []string, err error) {
	rows, err := a.db.Query(ctx, `SELECT profile_id || '|' || who || '|' || kind || '|' || token_id || '|' || token_name || '|' || addr || '|' || resource || '|' || resource_id || '|' || message || '|' || before_json || '|' || after_json FROM audit_entry
		UNION ALL SELECT account_id || '|' || who || '|' || kind || '|' || token_id || '|' || token_name || '|' || addr || '|' || resource || '|' || resource_id || '|' || message || '|' || before_json || '|' || after_json FROM audit_account`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
