package operator

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const (
	keepServerBackups = 100
	maxFailure        = 500
	maxTroubles       = 20
)

// ServerBackup is a backup of the whole server, made or failed at the command line.
type ServerBackup struct {
	At       time.Time // the instant it shows, or when it failed
	Folder   string    // of this backup; that of all backups when it failed
	Bytes    int64
	Files    int64
	Took     time.Duration
	Database bool   // it holds the database: not of PostgreSQL
	Key      bool   // it holds the key, sealed
	Failure  string // why there is none; "" for one that was made
}

// NoteBackup keeps what became of a backup of the server. It works on a database that may be of an earlier release, or not be
// migrated at all: then it returns an error and nothing is lost but the note.
func NoteBackup(ctx context.Context, db *sqldb.DB, b ServerBackup) error {
	if r := []rune(b.Failure); len(r) > maxFailure {
		b.Failure = string(r[:maxFailure-1]) + "…"
	}
	return db.Tx(ctx, func(ctx context.Context) error {
		if _, err := db.Exec(ctx, `INSERT INTO server_backup (at, folder, bytes, files, took_ms, with_database, with_key, failure) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (at) DO NOTHING`, clock.Millis(b.At), b.Folder, b.Bytes, b.Files, b.Took.Milliseconds(), b.Database, b.Key, b.Failure); err != nil {
			return fmt.Errorf("note a backup: %w", err)
		}
		_, err := db.Exec(ctx, `DELETE FROM server_backup WHERE at NOT IN (SELECT at FROM server_backup ORDER BY at DESC LIMIT $1)`, int64(keepServerBackups))
		return err
	})
}

// ServerBackupRow is one on the wire.
type ServerBackupRow struct {
	At       web.Time `json:"at"`
	Folder   string   `json:"folder"`
	Bytes    int64    `json:"bytes"`
	Files    int64    `json:"files"`
	Seconds  float64  `json:"seconds"`
	Database bool     `json:"database" description:"it holds the database; that of PostgreSQL is backed up by other means"`
	Key      bool     `json:"key" description:"it holds the key, sealed with a passphrase"`
	Failure  *string  `json:"failure"`
}

func scanServerBackup(r sqldb.Scanner) (x ServerBackupRow, err error) {
	var at, took int64
	var failure string
	err = r.Scan(&at, &x.Folder, &x.Bytes, &x.Files, &took, &x.Database, &x.Key, &failure)
	x.At, x.Seconds = web.Millis(at), float64(took)/1000
	if failure != "" {
		x.Failure = &failure
	}
	return x, err
}

// TroubleRow is a profile whose backups fail or are missing.
type TroubleRow struct {
	Profile id.Profile `json:"profile"`
	Name    string     `json:"name"`
	At      web.Time   `json:"at" description:"when it failed, or was due"`
	Reason  *string    `json:"reason" description:"why it failed; null when it is missing"`
	DoneAt  *web.Time  `json:"done_at" description:"of the last scheduled one that was made"`
}

// BackupsResult is what is known of backups.
type BackupsResult struct {
	Last      *ServerBackupRow `json:"last" description:"the latest backup of the server that the command line made and noted here"`
	Failed    *ServerBackupRow `json:"failed" description:"the latest that failed, when that was after the last one that was made"`
	Schedules int64            `json:"schedules" description:"profiles that are backed up by themselves"`
	Troubles  []TroubleRow     `json:"troubles" description:"profiles whose backup failed or is missing, at most 20"`
}

func (s *Service) backups(ctx context.Context) (BackupsResult, error) {
	out := BackupsResult{Troubles: []TroubleRow{}}
	const columns = `at, folder, bytes, files, took_ms, with_database, with_key, failure`
	last, ok, err := sqldb.One(ctx, s.db, scanServerBackup, `SELECT `+columns+` FROM server_backup WHERE failure = '' ORDER BY at DESC LIMIT 1`)
	if err != nil {
		return out, fmt.Errorf("read backups: %w", err)
	}
	if ok {
		out.Last = &last
	}
	failed, bad, err := sqldb.One(ctx, s.db, scanServerBackup, `SELECT `+columns+` FROM server_backup WHERE failure <> '' ORDER BY at DESC LIMIT 1`)
	if err != nil {
		return out, fmt.Errorf("read backups: %w", err)
	}
	if bad && (!ok || failed.At.Time().After(last.At.Time())) {
		out.Failed = &failed
	}
	troubles, schedules, err := s.rooms.Backups.Troubles(ctx, maxTroubles)
	if err != nil {
		return out, err
	}
	out.Schedules = schedules
	for _, t := range troubles {
		p, err := s.rooms.Profiles.Get(ctx, t.Profile)
		if fault.Is(err, fault.NotFound) { // deleted: nothing is to be backed up
			continue
		}
		if err != nil {
			return out, err
		}
		r := TroubleRow{Profile: t.Profile, Name: p.Name, At: web.Millis(t.At)}
		if t.Reason != "" {
			r.Reason = &t.Reason
		}
		if t.DoneAt != 0 {
			r.DoneAt = web.MaybeMillis(&t.DoneAt)
		}
		if len(out.Troubles) < maxTroubles {
			out.Troubles = append(out.Troubles, r)
		}
	}
	return out, nil
}
