package backup

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this room.
func Migrations() sqldb.Source { return sqldb.Source{Room: "backup", FS: migrations} }

// State is how far an import has come.
type State string

// The states of an import.
const (
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Run is an import that somebody asked for.
type Run struct {
	ID        id.Import       `json:"id"`
	State     State           `json:"state" enum:"running,done,failed"`
	Points    int64           `json:"points" description:"imported so far"`
	Total     int64           `json:"total" description:"points of the archive; 0 while it is being verified"`
	Report    *Report         `json:"report" description:"when it is done; not in lists"`
	Error     string          `json:"error" description:"why it failed: a sentence"`
	Checks    []profile.Check `json:"checks" description:"when it failed for want of room: what there is not enough of"`
	CreatedAt web.Time        `json:"created_at"`
	BeatAt    web.Time        `json:"updated_at"`
}

const (
	beatEvery = 2 * time.Second
	silent    = time.Minute         // without a beat: whoever ran it is gone
	keepRuns  = 30 * 24 * time.Hour // reports
	atOnce    = 2                   // imports of a process; others wait
)

// failure is what is kept of a fault.
type failure struct {
	Message string          `json:"message"`
	Checks  []profile.Check `json:"checks,omitempty"`
}

const runColumns = `id, state, points, total, report, error, created_at, beat_at`

func (s *Service) scanRun(r sqldb.Scanner) (x Run, err error) {
	var report, failed string
	var created, beat int64
	if err := r.Scan(&x.ID, &x.State, &x.Points, &x.Total, &report, &failed, &created, &beat); err != nil {
		return x, err
	}
	x.CreatedAt, x.BeatAt, x.Checks = web.Millis(created), web.Millis(beat), []profile.Check{}
	if report != "" {
		x.Report = new(Report)
		if err := json.Unmarshal([]byte(report), x.Report); err != nil {
			return x, fmt.Errorf("report of import %s: %w", x.ID, err)
		}
	}
	if failed != "" {
		var f failure
		if err := json.Unmarshal([]byte(failed), &f); err != nil {
			return x, fmt.Errorf("failure of import %s: %w", x.ID, err)
		}
		x.Error = f.Message
		x.Checks = append(x.Checks, f.Checks...)
	}
	if x.State == Running && beat < s.now()-silent.Milliseconds() {
		x.State, x.Error = Failed, stopped
	}
	return x, nil
}

var errImporting = fault.New(fault.Conflict, "Another import of this account is running: wait for it")

const (
	stopped   = "The server stopped meanwhile; nothing was imported. Try again."
	cancelled = "The import was cancelled; nothing was imported."
)

// errOver ends an import that was cancelled, or that was silent for too long; what is written down of it stays.
var errOver = fault.New(fault.Conflict, "The import is over")

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// StartImport begins to import a file, which it closes, in the background, for the account of o. It returns Conflict while
// another import of that account runs. Ask Run how far it has come.
func (s *Service) StartImport(ctx context.Context, who auth.Caller, file *os.File, size int64, passphrase string, o ImportOptions) (id.Import, error) {
	run := id.New[id.Import]()
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		now := s.now()
		gone, err := json.Marshal(failure{Message: stopped})
		if err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `UPDATE import_run SET state = $1, error = $2 WHERE account = $3 AND state = 'running' AND beat_at < $4`,
			string(Failed), string(gone), string(o.Account), now-silent.Milliseconds()); err != nil {
			return err
		}
		n, err := s.db.Exec(ctx, `INSERT INTO import_run (id, account, state, points, total, report, error, created_at, beat_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`, string(run), string(o.Account), string(Running), int64(0), int64(0), "", "", now, now)
		if err == nil && n == 0 {
			err = errImporting
		}
		return err
	})
	if err != nil {
		return "", errors.Join(err, file.Close())
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer file.Close()
		s.runImport(run, who, file, size, passphrase, o)
	}()
	return run, nil
}

func (s *Service) runImport(run id.Import, who auth.Caller, file *os.File, size int64, passphrase string, o ImportOptions) {
	ctx, cancel := context.WithCancel(s.background)
	defer cancel()
	s.cancels.Store(run, cancel)
	defer s.cancels.Delete(run)
	var points, total atomic.Int64
	o.Progress = func(done, of int64) {
		points.Store(done)
		total.Store(of)
	}
	go func() { // beats
		t := time.NewTicker(beatEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				n, err := s.db.Exec(sqldb.As(ctx, ""), `UPDATE import_run SET points = $1, total = $2, beat_at = $3 WHERE id = $4 AND state = 'running'`,
					points.Load(), total.Load(), s.now(), string(run))
				if err == nil && n == 0 { // cancelled, perhaps at another node
					cancel()
				} else if err != nil && ctx.Err() == nil {
					slog.Warn("an import could not say how far it is", "import", run, "error", err)
				}
			}
		}
	}()
	// The profile is there if and only if this is written down of it.
	o.last = func(ctx context.Context, rep Report) error {
		report, err := json.Marshal(rep)
		if err != nil {
			return err
		}
		ok, err := s.endRun(ctx, run, Done, rep.Counts.Points, total.Load(), report, nil)
		if err == nil && !ok {
			err = errOver
		}
		return err
	}
	var rep Report
	err := caught(func() error {
		select { // a passphrase alone takes 64 MB
		case s.places <- struct{}{}:
			defer func() { <-s.places }()
		case <-ctx.Done():
			return ctx.Err()
		}
		a, err := OpenArchive(readerUntil{ctx, file}, size, passphrase)
		if err != nil {
			return err
		}
		total.Store(a.Counts.Points)
		rep, err = s.Import(ctx, who, a, o)
		return err
	})
	cancel()
	state, report, failed := Done, []byte(nil), []byte(nil)
	var encode error
	if err == nil {
		points.Store(rep.Counts.Points)
		report, encode = json.Marshal(rep)
	} else {
		f := failure{Message: fault.Of(err).Message}
		switch {
		case s.background.Err() != nil:
			f.Message = stopped
		case fault.Of(err).Code == fault.Internal:
			slog.Error("an import failed", "import", run, "error", err)
			f.Message = "The server failed; its log says more. Nothing was imported."
		}
		if d, ok := fault.Of(err).Detail.(profile.Checks); ok {
			f.Checks = d.Checks
		}
		state = Failed
		failed, encode = json.Marshal(f)
	}
	end, done := context.WithTimeout(context.WithoutCancel(s.background), 10*time.Second)
	defer done()
	_, err = s.endRun(sqldb.As(end, ""), run, state, points.Load(), total.Load(), report, failed)
	if err := errors.Join(encode, err); err != nil {
		slog.Error("the end of an import could not be written", "import", run, "error", err)
	}
}

// readerUntil reads a file until a context ends.
type readerUntil struct {
	ctx  context.Context
	file io.ReaderAt
}

func (r readerUntil) ReadAt(p []byte, at int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.ReadAt(p, at)
}

// endRun writes down how an import ended; false when that has been written already.
func (s *Service) endRun(ctx context.Context, run id.Import, state State, points, total int64, report, failed []byte) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE import_run SET state = $1, points = $2, total = $3, report = $4, error = $5, beat_at = $6 WHERE id = $7 AND state = 'running'`,
		string(state), points, total, string(report), string(failed), s.now(), string(run))
	return n == 1, err
}

// CancelImport ends an import of the caller's account that is running; what it had written is purged. Once it returns the
// profile will not appear. It returns not_found for one that is not the account's and Conflict for one that is over.
func (s *Service) CancelImport(ctx context.Context, who auth.Caller, run id.Import) error {
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		x, err := s.Run(ctx, who.AccountID, run)
		if err != nil {
			return err
		}
		failed, err := json.Marshal(failure{Message: cancelled})
		if err != nil {
			return err
		}
		if ok, err := s.endRun(ctx, run, Failed, x.Points, x.Total, nil, failed); err != nil || !ok {
			return cmp.Or[error](err, errOver)
		}
		return s.audit.Write(ctx, who, audit.Event{Account: who.AccountID, Resource: "profile", ResourceID: string(run), Message: "Import of a profile cancelled"})
	})
	if err != nil {
		return err
	}
	if cancel, ok := s.cancels.Load(run); ok { // another node finds out by its next beat
		cancel.(context.CancelFunc)()
	}
	return nil
}

// AfterRestore ends what a database restored from a backup cannot go on with: imports, whose archives are gone, with what they
// had written, and links to backups, across profiles, which may have ended since. reason is a sentence for the owners of imports. Backups that
// were being made are made anew by themselves.
func (s *Service) AfterRestore(ctx context.Context, reason string) error {
	failed, err := json.Marshal(failure{Message: reason})
	if err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `UPDATE import_run SET state = $1, error = $2 WHERE state = 'running'`, string(Failed), string(failed)); err != nil {
		return fmt.Errorf("end imports: %w", err)
	}
	if err := s.profiles.DiscardAll(ctx); err != nil {
		return fmt.Errorf("discard drafts: %w", err)
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM backup_link`); err != nil {
		return fmt.Errorf("end links to backups: %w", err)
	}
	return nil
}

// Run is an import of an account. It returns not_found for one that is not the account's.
func (s *Service) Run(ctx context.Context, a id.Account, run id.Import) (Run, error) {
	x, ok, err := sqldb.One(ctx, s.db, s.scanRun, `SELECT `+runColumns+` FROM import_run WHERE id = $1 AND account = $2`, string(run), string(a))
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "Import Not Found")
	}
	return x, err
}

// Runs are the latest imports of an account, newest first, without their reports, which can be long.
func (s *Service) Runs(ctx context.Context, a id.Account) ([]Run, error) {
	return sqldb.All(ctx, s.db, s.scanRun, `SELECT id, state, points, total, '', error, created_at, beat_at FROM import_run WHERE account = $1 ORDER BY created_at DESC, id LIMIT 20`, string(a))
}

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.Every("old imports", time.Hour, func(ctx context.Context) error {
		_, err := s.db.Exec(sqldb.As(ctx, ""), `DELETE FROM import_run WHERE created_at < $1`, s.now()-keepRuns.Milliseconds())
		return err
	})
}

// Stop ends the imports of this process, and waits for that. What they had written is discarded.
func (s *Service) Stop() {
	s.stop()
	s.running.Wait()
}

// ForgetAccount deletes what is kept of an account's imports; a hook of its deletion.
func (s *Service) ForgetAccount(ctx context.Context, _ auth.Caller, a id.Account) error {
	_, err := s.db.Exec(ctx, `DELETE FROM import_run WHERE account = $1`, string(a))
	return err
}
