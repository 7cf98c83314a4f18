package backup

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// Trouble is a profile whose backups fail or are missing.
type Trouble struct {
	Profile id.Profile
	Reason  string // why the last one failed; "" when it is missing
	DueAt   int64  // of the scheduled one that is not there, UTC milliseconds; 0 for one that somebody asked for
	DoneAt  int64  // of the last scheduled one that was made; 0 for none
	At      int64  // when it failed, or was due
}

// Troubles lists profiles, across all, whose scheduled backups fail or are missing, and those of the last day whose backup failed
// that somebody asked for; and how many schedules there are. At most most of each are named, latest first.
func (b *Backups) Troubles(ctx context.Context, most int64) (troubles []Trouble, schedules int64, err error) {
	now := b.now()
	before := now - missingAfter.Milliseconds()
	troubles, err = sqldb.All(ctx, b.db, func(r sqldb.Scanner) (t Trouble, err error) {
		var failed, due, next int64
		err = r.Scan(&t.Profile, &t.Reason, &failed, &due, &t.DoneAt, &next)
		if t.DueAt = due; t.DueAt <= t.DoneAt {
			t.DueAt = next
		}
		if t.At = failed; failed == 0 {
			t.At = t.DueAt
		}
		return t, err
	}, `SELECT profile_id, reason, failed_at, due_at, done_at, next_at FROM backup_schedule
		WHERE active = $1 AND (failed_at > 0 OR due_at > done_at AND due_at <= $2 OR next_at <= $3) ORDER BY failed_at DESC, due_at DESC, profile_id LIMIT $4`, true, before, before, most)
	if err != nil {
		return nil, 0, fmt.Errorf("list backups in trouble: %w", err)
	}
	asked, err := sqldb.All(ctx, b.db, func(r sqldb.Scanner) (t Trouble, err error) { return t, r.Scan(&t.Profile, &t.Reason, &t.At) },
		`SELECT profile_id, reason, finished_at FROM profile_backup WHERE status = $1 AND origin <> $2 AND finished_at > $3 ORDER BY finished_at DESC, profile_id LIMIT $4`,
		string(BackupFailed), string(BySchedule), now-24*60*60*1000, most)
	if err != nil {
		return nil, 0, fmt.Errorf("list backups in trouble: %w", err)
	}
	if err := b.db.QueryRow(ctx, `SELECT COUNT(*) FROM backup_schedule WHERE active = $1 AND profile_id <> ''`, true).Scan(&schedules); err != nil {
		return nil, 0, fmt.Errorf("count backup schedules: %w", err)
	}
	return append(troubles, asked...), schedules, nil
}
