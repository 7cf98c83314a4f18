package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

const (
	lease       = 30 * time.Second // that a process which died keeps a backup from others
	heartbeat   = time.Second
	maxAttempts = 5 // of a backup that processes die over
	maxTries    = 3 // of a scheduled one that fails
)

// retries are how long a scheduled backup that failed waits before the second and third try.
var retries = []time.Duration{time.Minute, 10 * time.Minute}

// errLost ends the making of a backup that was deleted, or that another process has taken up.
var errLost = errors.New("the backup is not this node's any more")

// lostPassphrase is why an interrupted backup with a passphrase is not taken up.
const lostPassphrase = "The server stopped before this backup was made, and its passphrase is kept nowhere. Ask for it again."

func (b *Backups) remember(x id.Backup, passphrase string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets[x] = passphrase
}

func (b *Backups) forget(x id.Backup) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.secrets, x)
}

func (b *Backups) passphrase(x id.Backup) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.secrets[x]
	return s, ok
}

// Work makes the backups that wait, one after the other, until there is none for this node.
func (b *Backups) Work(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := b.keepSecrets(ctx); err != nil {
			return err
		}
		did, err := b.workOnce(ctx)
		if err != nil || !did {
			return err
		}
	}
	return ctx.Err()
}

// keepSecrets tells the other nodes that backups with a passphrase still wait for this one.
func (b *Backups) keepSecrets(ctx context.Context) error {
	b.mu.Lock()
	some := len(b.secrets) > 0
	b.mu.Unlock()
	if !some {
		return nil
	}
	return b.keepWaiting(ctx, b.now()+lease.Milliseconds())
}

// workOnce makes the backup whose turn it is; false when none waits.
func (b *Backups) workOnce(ctx context.Context) (bool, error) {
	xs, err := b.waiting(ctx, 500)
	if err != nil || len(xs) == 0 {
		return false, err
	}
	b.mu.Lock()
	served := maps.Clone(b.served)
	b.mu.Unlock()
	byTurn(xs, served)
	for _, x := range xs {
		took, err := b.take1(ctx, &x)
		if err != nil {
			return false, err
		}
		if !took {
			continue
		}
		b.mu.Lock()
		b.served[x.Account] = b.clock.Now()
		b.mu.Unlock()
		return true, b.run(ctx, x)
	}
	return false, nil
}

// take1 takes a backup up, or ends one that cannot be; then, and when another node was faster, it is false.
func (b *Backups) take1(ctx context.Context, x *Backup) (took bool, err error) {
	ctx = sqldb.As(ctx, x.Profile)
	_, known := b.passphrase(x.ID)
	switch {
	case x.Origin == ByRequest && x.Encrypted && !known:
		return false, b.fail(ctx, *x, lostPassphrase)
	case x.Status == BackupProcessing && x.Attempts >= maxAttempts:
		return false, b.fail(ctx, *x, fmt.Sprintf("The server stopped %d times while it made this backup.", x.Attempts))
	}
	file := fileKey(*x)
	err = b.db.Tx(ctx, func(ctx context.Context) error {
		now := b.now()
		until := now + lease.Milliseconds()
		if took, err = b.take(ctx, *x, file, now, until); err != nil || !took {
			return err
		}
		return b.trash(ctx, x.Target, x.File) // of whoever was interrupted
	})
	if err != nil || !took {
		return false, err
	}
	x.Status, x.Node, x.File, x.Attempts = BackupProcessing, b.node, file, x.Attempts+1
	crash.At("backup taken up")
	return true, nil
}

// fileKey is where an archive goes. Each attempt has a place of its own: a process that comes back must not write over what
// another has completed.
func fileKey(x Backup) string {
	name := fmt.Sprintf("%s-%s-%d.zip", clock.FromMillis(x.CreatedAt).UTC().Format("20060102T150405Z"), x.ID, x.Attempts+1)
	if x.Encrypted {
		name += ".age"
	}
	return "backup/" + string(x.Profile) + "/" + name
}

// run makes a backup that this node has taken and writes down how it ended.
func (b *Backups) run(ctx context.Context, x Backup) error {
	defer func() {
		if x.Origin == ByRequest {
			b.forget(x.ID)
		}
	}()
	after := sqldb.As(context.WithoutCancel(ctx), x.Profile) // what ended is written down, also while the server stops
	p, err := b.profiles.Get(ctx, x.Profile)
	if fault.Is(err, fault.NotFound) {
		return b.fail(after, x, "The profile was deleted.")
	}
	if err != nil {
		return b.back(after, x, err)
	}
	passphrase, reason, err := b.passphraseOf(ctx, x)
	if err != nil {
		return b.back(after, x, err)
	}
	if reason != "" {
		return b.fail(after, x, reason)
	}
	made, err := b.produce(ctx, x, p, passphrase)
	switch {
	case err == nil:
		return b.finish(after, made)
	case errors.Is(err, errLost):
		return b.throwAway(after, x)
	case ctx.Err() != nil:
		return b.back(after, x, nil)
	}
	b.log.Warn("make a backup", "profile", x.Profile, "backup", x.ID, "origin", x.Origin, "target", x.Target, "attempt", x.Attempts, "error", err)
	reason = "Something went wrong in the server; its log says what."
	var broken *storeError
	if errors.As(err, &broken) {
		reason = broken.sentence(x.Target)
	} else if f := fault.Of(err); f.Code != fault.Internal {
		reason = f.Message
	}
	if x.Origin == BySchedule && x.Attempts < maxTries {
		return b.again(after, x, reason, b.now()+retries[x.Attempts-1].Milliseconds())
	}
	return b.fail(after, x, reason)
}

// storeError is a failure of the place where archives go.
type storeError struct{ cause error }

func (e *storeError) Error() string { return e.cause.Error() }
func (e *storeError) Unwrap() error { return e.cause }

// sentence is for the owner of a profile, who need not know where the operator keeps files.
func (e *storeError) sentence(t Target) string {
	if t == External {
		return "The place for backups that whoever runs this server has set up could not be reached, or did not take the file."
	}
	return "The server could not store the file."
}

// back returns a backup to the line: the server stops, or its database is away. One with a passphrase ends.
func (b *Backups) back(ctx context.Context, x Backup, cause error) error {
	if x.Origin == ByRequest && x.Encrypted {
		return errors.Join(cause, b.fail(ctx, x, lostPassphrase))
	}
	return errors.Join(cause, b.again(ctx, x, "", 0))
}

// again puts a backup back into the line, not to be taken up before an instant.
func (b *Backups) again(ctx context.Context, x Backup, reason string, at int64) error {
	return b.db.Tx(ctx, func(ctx context.Context) error {
		if ok, err := b.setEnd(ctx, x, BackupQueued, reason, at, 0, 0); err != nil || !ok {
			return err
		}
		return b.trash(ctx, x.Target, x.File)
	})
}

// fail ends a backup without an archive.
func (b *Backups) fail(ctx context.Context, x Backup, reason string) error {
	return b.db.Tx(ctx, func(ctx context.Context) error {
		now := b.now()
		ok, err := b.setEnd(ctx, x, BackupFailed, reason, 0, now, now+failedLife.Milliseconds())
		if err != nil || !ok {
			return err
		}
		if err := b.trash(ctx, x.Target, x.File); err != nil {
			return err
		}
		if x.Origin == BySchedule {
			if err := b.scheduleFailed(ctx, x, reason); err != nil {
				return err
			}
		}
		return b.write(ctx, auth.SystemCaller(), x, "Backup failed", nil, map[string]any{"reason": reason, "origin": x.Origin})
	})
}

// finish completes a backup whose archive is stored. One that was deleted meanwhile loses its archive.
func (b *Backups) finish(ctx context.Context, x Backup) error {
	crash.At("backup stored, not recorded")
	now := b.clock.Now()
	x.FinishedAt = clock.Millis(now)
	if x.Origin == ByRequest {
		x.ExpiresAt = clock.Millis(b.cfg.Until(now))
	}
	var mine bool
	err := b.db.Tx(ctx, func(ctx context.Context) error {
		var s Schedule
		var err error
		if x.Origin == BySchedule {
			if s, _, err = b.schedule(ctx, x.Profile); err != nil {
				return err
			}
			x.ExpiresAt = s.expires(now)
		}
		if mine, err = b.setMade(ctx, x); err != nil || !mine {
			return err
		}
		if x.Origin == BySchedule {
			if err := b.scheduleDone(ctx, s, x); err != nil {
				return err
			}
		}
		return b.write(ctx, auth.SystemCaller(), x, "Backup made", nil, auditable(x))
	})
	if err == nil && !mine {
		err = b.throwAway(ctx, x)
	}
	crash.At("backup completed")
	return err
}

// throwAway removes the archive of a backup that is not this node's any more.
func (b *Backups) throwAway(ctx context.Context, x Backup) error {
	return b.trash(ctx, x.Target, x.File)
}

// passphraseOf is what a backup is encrypted to; reason is why it cannot be.
func (b *Backups) passphraseOf(ctx context.Context, x Backup) (passphrase, reason string, err error) {
	switch {
	case !x.Encrypted:
		return "", "", nil
	case x.Origin == ByRequest:
		if s, ok := b.passphrase(x.ID); ok {
			return s, "", nil
		}
		return "", lostPassphrase, nil
	}
	s, found, err := b.schedule(ctx, x.Profile)
	if err != nil {
		return "", "", err
	}
	if !found || s.Passphrase == "" {
		return "", "The schedule has no passphrase any more.", nil
	}
	passphrase, err = b.sealer.Open(s.Passphrase, aboutSchedule(x.Profile))
	return passphrase, "", err
}

// progress is how far an export has come.
type progress struct{ done, total atomic.Int64 }

// sum counts and hashes what goes to a file.
type sum struct {
	to   io.Writer
	hash hash.Hash
	size int64
}

func (s *sum) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// produce streams the archive of a profile to its place, encrypted if there is a passphrase, and tells every second how far it
// has come. Memory is bounded by the pipe. It returns the backup with size and hash, a *storeError, errLost, or what the export
// failed with; then nothing is at the place.
func (b *Backups) produce(ctx context.Context, x Backup, p profile.Profile, passphrase string) (Backup, error) {
	target := b.store(x.Target)
	if target == nil {
		return x, &storeError{errors.New("this server has no --backup-target")}
	}
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var at progress
	var beating sync.WaitGroup
	beating.Go(func() { b.beat(ctx, x, &at, cancel) })
	from, to := io.Pipe()
	out := &sum{to: to, hash: sha256.New()}
	exported := make(chan error, 1)
	go func() {
		err := b.export(ctx, x, p, passphrase, &at, out)
		to.CloseWithError(err) // nil is the end of the file
		exported <- err
	}()
	stored := target.Put(ctx, x.File, from)
	from.CloseWithError(io.ErrClosedPipe)
	made := <-exported
	lost := errors.Is(context.Cause(ctx), errLost)
	cancel(nil)
	beating.Wait()
	switch {
	case lost:
		return x, errLost
	case outer.Err() != nil:
		return x, outer.Err()
	case made != nil && !errors.Is(made, io.ErrClosedPipe):
		return x, made
	case stored != nil:
		return x, &storeError{stored}
	}
	x.Size, x.SHA256 = out.size, hex.EncodeToString(out.hash.Sum(nil))
	x.Done, x.Total = at.total.Load(), at.total.Load()
	return x, nil
}

func (b *Backups) export(ctx context.Context, x Backup, p profile.Profile, passphrase string, at *progress, w io.Writer) (err error) {
	defer func() { // this runs in a goroutine of its own: nobody else would catch it
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	var lock io.WriteCloser
	if passphrase != "" {
		if lock, err = Encrypt(w, passphrase); err != nil {
			return err
		}
		w = lock
	}
	_, err = b.archives.Export(ctx, p, ExportOptions{Data: x.Data, Progress: func(done, total int64) {
		at.done.Store(done)
		at.total.Store(total)
	}}, w)
	if err == nil && lock != nil {
		err = lock.Close()
	}
	return err
}

// beat says every second that this node still makes a backup, and ends the making when it may not, or when nobody heard for as long
// as a lease lasts.
func (b *Backups) beat(ctx context.Context, x Backup, at *progress, lost context.CancelCauseFunc) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		mine, err := b.hold(sqldb.As(ctx, x.Profile), x, at.done.Load(), at.total.Load(), b.now()+lease.Milliseconds())
		if err == nil && mine {
			heard = time.Now()
			err = b.keepSecrets(ctx)
		}
		if ctx.Err() == nil && (err == nil && !mine || time.Since(heard) > lease) {
			lost(errLost)
			return
		}
	}
}

// Verify reads every archive that is kept and compares it with what was written down when it was made. It returns a line for each that
// is missing or differs, and how many it read.
func (b *Backups) Verify(ctx context.Context) (findings []string, read int, err error) {
	for after := (Backup{}); ; {
		xs, err := b.completed(ctx, after, 100)
		if err != nil || len(xs) == 0 {
			return findings, read, err
		}
		for _, x := range xs {
			why := b.verify(ctx, x)
			if why != "" { // unless it was deleted meanwhile
				now, found, err := b.findBackup(ctx, x.Profile, x.ID)
				if err != nil {
					return findings, read, err
				}
				if !found || now.File != x.File {
					continue
				}
				findings = append(findings, fmt.Sprintf("backup %s of profile %s of %s (%s %s): %s", x.ID, x.Profile, clock.FromMillis(x.CreatedAt).UTC().Format(time.RFC3339), x.Target, x.File, why))
			}
			if err := ctx.Err(); err != nil {
				return findings, read, err
			}
			read++
		}
		after = xs[len(xs)-1]
	}
}

func (b *Backups) verify(ctx context.Context, x Backup) string {
	s := b.store(x.Target)
	if s == nil {
		return "this server has no --backup-target"
	}
	f, err := s.Get(ctx, x.File)
	if fault.Is(err, fault.NotFound) {
		return "the file is missing"
	}
	if err != nil {
		return "cannot be read: " + err.Error()
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	switch {
	case err != nil:
		return "cannot be read: " + err.Error()
	case n != x.Size:
		return fmt.Sprintf("has %d bytes and should have %d", n, x.Size)
	case !strings.EqualFold(hex.EncodeToString(h.Sum(nil)), x.SHA256):
		return "its content was changed: another SHA-256"
	}
	return ""
}
