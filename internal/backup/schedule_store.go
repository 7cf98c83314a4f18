package backup

import (
	"context"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// scheduleColumns are those after profile_id, in the order of the scan.
const scheduleColumns = `active, every, weekday, hour, with_data, target, passphrase, keep_last, keep_days, account, updated_at, next_at, due_at, done_at, failed_at, reason, told_at`

func scanSchedule(r sqldb.Scanner) (s Schedule, err error) {
	var weekday, hour int64
	err = r.Scan(&s.Profile, &s.Active, &s.Every, &weekday, &hour, &s.Data, &s.Target, &s.Passphrase, &s.KeepLast, &s.KeepDays, &s.Account, &s.UpdatedAt, &s.NextAt, &s.DueAt,
		&s.DoneAt, &s.FailedAt, &s.Reason, &s.ToldAt)
	s.Weekday, s.Hour = time.Weekday(weekday), int(hour)
	return s, err
}

func (b *Backups) schedule(ctx context.Context, p id.Profile) (Schedule, bool, error) {
	return sqldb.One(ctx, b.db, scanSchedule, `SELECT profile_id, `+scheduleColumns+` FROM backup_schedule WHERE profile_id = $1`, p)
}

func (b *Backups) putSchedule(ctx context.Context, s Schedule) error {
	_, err := b.db.Exec(ctx, `INSERT INTO backup_schedule (profile_id, `+scheduleColumns+`) VALUES (`+sqldb.Marks(1, 18)+`)
		ON CONFLICT (profile_id) DO UPDATE SET active = excluded.active, every = excluded.every, weekday = excluded.weekday, hour = excluded.hour,
			with_data = excluded.with_data, target = excluded.target, passphrase = excluded.passphrase, keep_last = excluded.keep_last, keep_days = excluded.keep_days,
			account = excluded.account, updated_at = excluded.updated_at, next_at = excluded.next_at, due_at = excluded.due_at, failed_at = excluded.failed_at,
			reason = excluded.reason, told_at = excluded.told_at`,
		s.Profile, s.Active, string(s.Every), int64(s.Weekday), int64(s.Hour), s.Data, string(s.Target), s.Passphrase, s.KeepLast, s.KeepDays, s.Account, s.UpdatedAt, s.NextAt,
		s.DueAt, s.DoneAt, s.FailedAt, s.Reason, s.ToldAt)
	return err
}

func (b *Backups) dropSchedule(ctx context.Context, p id.Profile) error {
	_, err := b.db.Exec(ctx, `DELETE FROM backup_schedule WHERE profile_id = $1`, p)
	return err
}

// boundScheduled gives backups of a schedule that were to stay by number a time at which they go.
func (b *Backups) boundScheduled(ctx context.Context, p id.Profile, until int64) error {
	_, err := b.db.Exec(ctx, `UPDATE profile_backup SET expires_at = $1 WHERE profile_id = $2 AND origin = $3 AND status = $4 AND expires_at = 0`,
		until, p, string(BySchedule), string(BackupCompleted))
	return err
}

// due are active schedules across profiles whose time has come, after one in order.
func (b *Backups) due(ctx context.Context, after Schedule, limit int64) ([]Schedule, error) {
	return sqldb.All(ctx, b.db, scanSchedule, `SELECT profile_id, `+scheduleColumns+` FROM backup_schedule WHERE active = $1 AND next_at <= $2 AND profile_id > $3 ORDER BY profile_id LIMIT $4`,
		true, b.now(), after.Profile, limit)
}

// late are active schedules across profiles whose backup has been due for too long and of which nobody was told, after one in order.
func (b *Backups) late(ctx context.Context, after Schedule, limit int64) ([]Schedule, error) {
	before := b.now() - missingAfter.Milliseconds()
	return sqldb.All(ctx, b.db, scanSchedule, `SELECT profile_id, `+scheduleColumns+` FROM backup_schedule
		WHERE active = $1 AND told_at = 0 AND (due_at > done_at AND due_at <= $2 OR next_at <= $3) AND profile_id > $4 ORDER BY profile_id LIMIT $5`,
		true, before, before, after.Profile, limit)
}

// setDue moves a schedule on, unless somebody else did since it was read.
func (b *Backups) setDue(ctx context.Context, s Schedule, due, next int64) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE backup_schedule SET due_at = $1, next_at = $2 WHERE profile_id = $3 AND next_at = $4`, due, next, s.Profile, s.NextAt)
	return n == 1, err
}

func (b *Backups) setDone(ctx context.Context, p id.Profile, at int64) error {
	_, err := b.db.Exec(ctx, `UPDATE backup_schedule SET done_at = $1, failed_at = 0, reason = '', told_at = 0 WHERE profile_id = $2`, at, p)
	return err
}

// setTrouble notes why there is no backup, and tells whether people are to be told: of those who note it at once, one is.
func (b *Backups) setTrouble(ctx context.Context, p id.Profile, at int64, reason string) (first bool, err error) {
	n, err := b.db.Exec(ctx, `UPDATE backup_schedule SET failed_at = $1, reason = $2, told_at = $1 WHERE profile_id = $3 AND told_at = 0`, at, reason, p)
	if err != nil || n == 1 {
		return n == 1, err
	}
	_, err = b.db.Exec(ctx, `UPDATE backup_schedule SET failed_at = $1, reason = $2 WHERE profile_id = $3`, at, reason, p)
	return false, err
}

// sealed are schedules across profiles with a passphrase, after one in order.
func (b *Backups) sealed(ctx context.Context, after Schedule, limit int64) ([]Schedule, error) {
	return sqldb.All(ctx, b.db, scanSchedule, `SELECT profile_id, `+scheduleColumns+` FROM backup_schedule WHERE passphrase <> '' AND profile_id > $1 ORDER BY profile_id LIMIT $2`, after.Profile, limit)
}

func (b *Backups) setPassphrase(ctx context.Context, s Schedule, sealed string) (bool, error) {
	n, err := b.db.Exec(ctx, `UPDATE backup_schedule SET passphrase = $1 WHERE profile_id = $2 AND passphrase = $3`, sealed, s.Profile, s.Passphrase)
	return n == 1, err
}
