package backup

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// backupColumns are those after profile_id, in the order of the scan.
const backupColumns = `id, status, origin, with_data, encrypted, target, file, size, sha256, done, total, attempts, reason, node, held_until,
	account, created_by, created_at, started_at, finished_at, expires_at`

func scanBackup(r sqldb.Scanner) (x Backup, err error) {
	return x, r.Scan(&x.Profile, &x.ID, &x.Status, &x.Origin, &x.Data, &x.Encrypted, &x.Target, &x.File, &x.Size, &x.SHA256, &x.Done, &x.Total, &x.Attempts,
		&x.Reason, &x.Node, &x.HeldUntil, &x.Account, &x.By, &x.CreatedAt, &x.StartedAt, &x.FinishedAt, &x.ExpiresAt)
}

// insertBackup writes a new backup. The error of a second one that is not finished is a duplicate's.
func (b *Backups) insertBackup(ctx context.Context, x Backup) error {
	_, err := b.db.Exec(ctx, `INSERT INTO profile_backup (profile_id, `+backupColumns+`) VALUES (`+sqldb.Marks(1, 22)+`)`,
		x.Profile, x.ID, string(x.Status), string(x.Origin), x.Data, x.Encrypted, string(x.Target), x.File, x.Size, x.SHA256, x.Done, x.Total, x.Attempts, x.Reason,
		x.Node, x.HeldUntil, x.Account, x.By, x.CreatedAt, x.StartedAt, x.FinishedAt, x.ExpiresAt)
	return err
}

// findBackup returns one that is not deleted.
func (b *Backups) findBackup(ctx context.Context, p id.Profile, bid id.Backup) (Backup, bool, error) {
	return sqldb.One(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE profile_id = $1 AND id = $2 AND status <> $3`, p, bid, string(backupDeleted))
}

// openBackup returns the one that is not finished.
func (b *Backups) openBackup(ctx context.Context, p id.Profile) (Backup, bool, error) {
	return sqldb.One(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE profile_id = $1 AND status IN ($2, $3)`, p, string(BackupQueued), string(BackupProcessing))
}

// listBackups returns a page of those that are not deleted; order is SQL.
func (b *Backups) listBackups(ctx context.Context, p id.Profile, order string, limit, skip int64) ([]Backup, error) {
	return sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE profile_id = $1 AND status <> $2 ORDER BY `+order+` LIMIT $3 OFFSET $4`,
		p, string(backupDeleted), limit, skip)
}

// countRequested is how many backups were asked for since an instant, without those that failed.
func (b *Backups) countRequested(ctx context.Context, p id.Profile, since int64) (n int64, err error) {
	return n, b.db.QueryRow(ctx, `SELECT COUNT(*) FROM profile_backup WHERE profile_id = $1 AND origin = $2 AND status <> $3 AND created_at >= $4`,
		p, string(ByRequest), string(BackupFailed), since).Scan(&n)
}

// countKept is how many backups that were asked for are kept.
func (b *Backups) countKept(ctx context.Context, p id.Profile) (n int64, err error) {
	return n, b.db.QueryRow(ctx, `SELECT COUNT(*) FROM profile_backup WHERE profile_id = $1 AND origin = $2 AND status = $3`, p, string(ByRequest), string(BackupCompleted)).Scan(&n)
}

// waiting are backups across profiles that somebody might take up now, the oldest first: those that nobody holds, and those whose
// passphrase this node has.
func (b *Backups) waiting(ctx context.Context, limit int64) ([]Backup, error) {
	return sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup
		WHERE status IN ($1, $2) AND (held_until <= $3 OR node = $4 AND status = $5) ORDER BY created_at, profile_id LIMIT $6`,
		string(BackupQueued), string(BackupProcessing), b.now(), b.node, string(BackupQueued), limit)
}

// keepWaiting says that this node still has the passphrases of what waits for it, across profiles.
func (b *Backups) keepWaiting(ctx context.Context, until int64) error {
	_, err := b.db.Exec(sqldb.As(ctx, tenant), `UPDATE profile_backup SET held_until = $1 WHERE status = $2 AND node = $3`, until, string(BackupQueued), b.node)
	return err
}

// take makes this node the one that makes a backup, if it stands as x says.
func (b *Backups) take(ctx context.Context, x Backup, file string, now, until int64) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE profile_backup SET status = $1, node = $2, held_until = $3, file = $4, attempts = attempts + 1, started_at = $5, done = 0, total = 0
		WHERE profile_id = $6 AND id = $7 AND status = $8 AND node = $9 AND held_until = $10`,
		string(BackupProcessing), b.node, until, file, now, x.Profile, x.ID, string(x.Status), x.Node, x.HeldUntil)
	return n == 1, err
}

// hold says how far the making has come, and that this node goes on; false when it may not.
func (b *Backups) hold(ctx context.Context, x Backup, done, total, until int64) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE profile_backup SET done = $1, total = $2, held_until = $3 WHERE profile_id = $4 AND id = $5 AND status = $6 AND node = $7 AND file = $8`,
		done, total, until, x.Profile, x.ID, string(BackupProcessing), b.node, x.File)
	return n == 1, err
}

// setMade completes a backup; false when it is not this node's any more.
func (b *Backups) setMade(ctx context.Context, x Backup) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE profile_backup SET status = $1, size = $2, sha256 = $3, done = $4, total = $5, node = '', held_until = 0, finished_at = $6, expires_at = $7, reason = ''
		WHERE profile_id = $8 AND id = $9 AND status = $10 AND node = $11 AND file = $12`,
		string(BackupCompleted), x.Size, x.SHA256, x.Done, x.Total, x.FinishedAt, x.ExpiresAt, x.Profile, x.ID, string(BackupProcessing), b.node, x.File)
	return n == 1, err
}

// setEnd puts a backup that stands as x says into another status without a file.
func (b *Backups) setEnd(ctx context.Context, x Backup, to Status, reason string, held, finished, expires int64) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE profile_backup SET status = $1, reason = $2, node = '', held_until = $3, file = '', finished_at = $4, expires_at = $5
		WHERE profile_id = $6 AND id = $7 AND status = $8 AND node = $9 AND file = $10`,
		string(to), reason, held, finished, expires, x.Profile, x.ID, string(x.Status), x.Node, x.File)
	return n == 1, err
}

// expired are backups and what is left of them, across profiles, whose time is over.
func (b *Backups) expired(ctx context.Context, limit int64) ([]Backup, error) {
	return sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE expires_at > 0 AND expires_at <= $1 ORDER BY expires_at, profile_id LIMIT $2`, b.now(), limit)
}

// dropBackup removes the last trace of one that is over.
func (b *Backups) dropBackup(ctx context.Context, x Backup) error {
	_, err := b.db.Exec(ctx, `DELETE FROM profile_backup WHERE profile_id = $1 AND id = $2 AND status = $3`, x.Profile, x.ID, string(x.Status))
	return err
}

// surplus are backups of a profile's schedule beyond the last most.
func (b *Backups) surplus(ctx context.Context, p id.Profile, most int64) ([]Backup, error) {
	return sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE profile_id = $1 AND origin = $2 AND status = $3
		ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $4`, p, string(BySchedule), string(BackupCompleted), most)
}

// completed is a page of finished backups across profiles, after one in order.
func (b *Backups) completed(ctx context.Context, after Backup, limit int64) ([]Backup, error) {
	return sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE (profile_id > $1 OR profile_id = $2 AND id > $3) AND status = $4
		ORDER BY profile_id, id LIMIT $5`, after.Profile, after.Profile, after.ID, string(BackupCompleted), limit)
}

// trash remembers a file that is to be removed once the transaction of ctx is committed.
func (b *Backups) trash(ctx context.Context, t Target, file string) error {
	if file == "" {
		return nil
	}
	now := b.now()
	_, err := b.db.Exec(ctx, `INSERT INTO backup_trash (target, file, since, next_at) VALUES ($1, $2, $3, $4) ON CONFLICT (target, file) DO NOTHING`, string(t), file, now, now)
	if err != nil {
		return fmt.Errorf("remember a file to remove: %w", err)
	}
	return nil
}

type trashed struct {
	target Target
	file   string
	since  int64
}

func (b *Backups) dueTrash(ctx context.Context, limit int64) ([]trashed, error) {
	return sqldb.All(ctx, b.db, func(r sqldb.Scanner) (x trashed, err error) { return x, r.Scan(&x.target, &x.file, &x.since) },
		`SELECT target, file, since FROM backup_trash WHERE next_at <= $1 ORDER BY next_at, target, file LIMIT $2`, b.now(), limit)
}

func (b *Backups) emptied(ctx context.Context, x trashed) error {
	_, err := b.db.Exec(ctx, `DELETE FROM backup_trash WHERE target = $1 AND file = $2`, string(x.target), x.file)
	return err
}

func (b *Backups) postpone(ctx context.Context, x trashed, until int64) error {
	_, err := b.db.Exec(ctx, `UPDATE backup_trash SET next_at = $1 WHERE target = $2 AND file = $3`, until, string(x.target), x.file)
	return err
}

// purgeSlice is how many backups of a deleted profile one transaction forgets.
const purgeSlice = 500

// dropAll forgets a slice of a profile's backups and returns them.
func (b *Backups) dropAll(ctx context.Context, p id.Profile) ([]Backup, error) {
	xs, err := sqldb.All(ctx, b.db, scanBackup, `SELECT profile_id, `+backupColumns+` FROM profile_backup WHERE profile_id = $1 ORDER BY id LIMIT $2`, p, int64(purgeSlice))
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	_, err = b.db.Exec(ctx, `DELETE FROM profile_backup WHERE profile_id = $1 AND id <= $2`, p, xs[len(xs)-1].ID)
	return xs, err
}

func (b *Backups) dropRest(ctx context.Context, p id.Profile) error {
	for _, q := range []string{`DELETE FROM backup_link WHERE profile_id = $1`, `DELETE FROM backup_schedule WHERE profile_id = $1`} {
		if _, err := b.db.Exec(ctx, q, p); err != nil {
			return err
		}
	}
	return nil
}
