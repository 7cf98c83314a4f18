package app

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"paddock/internal/audit"
	"paddock/internal/backup"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/web"
)

// filesPlace is where the installation's own files are.
func (s *Store) filesPlace() string {
	return cmp.Or(s.Files, filepath.Join(s.Data, "files"))
}

// openPlace opens a place for files until the installation is closed.
func (a *App) openPlace(place string) (blob.Store, error) {
	w, err := blob.ParseWhere(place)
	if err != nil {
		return nil, err
	}
	s, err := w.Open(blob.Keys{Access: a.settings.S3AccessKey, Secret: a.settings.S3SecretKey})
	if c, ok := s.(io.Closer); ok && err == nil {
		a.places = append(a.places, c)
	}
	return s, err
}

// defaultBackupKeep is TagoIO's.
const defaultBackupKeep = "12 months"

// backupUntil is when a backup that is made on an instant goes, by --backup-keep.
func (s *Settings) backupUntil(from time.Time) (time.Time, error) {
	span := cmp.Or(strings.TrimSpace(s.BackupKeep), defaultBackupKeep)
	if keepSpan.MatchString(span) {
		if t, err := web.ParseExpire(span, from); err == nil && t != nil && t.Before(from.AddDate(20, 0, 1)) {
			return *t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--backup-keep: write a number of days, weeks, months or years, up to 20 years, such as %q", defaultBackupKeep)
}

// openBackups makes the part of the room backup that keeps archives.
func (a *App) openBackups(log *audit.Log) error {
	c := backup.BackupsConfig{Files: a.files, Log: a.log, Until: func(from time.Time) time.Time {
		t, err := a.settings.backupUntil(from)
		if err != nil { // Check has refused it
			return from.AddDate(1, 0, 0)
		}
		return t
	}}
	if place := a.settings.BackupTarget; place != "" {
		var err error
		if c.External, err = a.openPlace(place); err != nil {
			return fmt.Errorf("--backup-target: %w", err)
		}
		c.Kind = "folder"
		if strings.HasPrefix(place, "s3:") {
			c.Kind = "s3"
		}
	}
	a.stored = backup.NewBackups(a.db, a.backups, a.accounts, a.profiles, a.notify, log, a.sealer, c, a.clock)
	return nil
}
