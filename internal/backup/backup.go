package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

const (
	tenant     = "backup"            // whose turn the work of jobs takes
	maxKept    = 100                 // backups that were asked for, of one profile
	failedLife = 30 * 24 * time.Hour // of the row of one that failed
	traceLife  = 48 * time.Hour      // of the row of one that was deleted: longer than any day
	retryTrash = 10 * time.Minute
)

var (
	errNoBackup  = fault.New(fault.NotFound, "Backup Not Found")
	errNotReady  = fault.New(fault.Invalid, "The backup is not ready to be downloaded")
	errRunning   = fault.New(fault.Conflict, "Another backup of this profile is being made; wait until it is done")
	errNotInPlan = fault.New(fault.Forbidden, "Backups are not available on the plan of this profile")
)

// RequestInput is what a backup is to be like.
type RequestInput struct {
	Data       bool   // with the points of devices
	Passphrase string // to encrypt it to; "" for none. It is kept in memory alone, until the backup is made
}

// Request puts a backup of a profile in line. Only its owner may. It returns Forbidden on a plan without backups and for more than the
// plan allows on a day of the owner's time zone, Conflict while another is being made or too many are kept, and Invalid for a bad
// passphrase.
func (b *Backups) Request(ctx context.Context, who auth.Caller, ref string, in RequestInput) (Backup, error) {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err == nil {
		err = checkPassphrase(in.Passphrase)
	}
	if err != nil {
		return Backup{}, err
	}
	x := Backup{Profile: p.ID, ID: id.New[id.Backup](), Status: BackupQueued, Origin: ByRequest, Data: in.Data, Encrypted: in.Passphrase != "", Target: OnServer,
		Account: p.Account, By: who.AccountID, CreatedAt: b.now()}
	if x.Encrypted { // only this process can make it
		x.Node, x.HeldUntil = b.node, x.CreatedAt+lease.Milliseconds()
		b.remember(x.ID, in.Passphrase)
	}
	err = b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if err := b.profiles.Lock(ctx, p.Account); err != nil { // so that two requests at once are counted one after the other
			return err
		}
		if err := b.mayRequest(ctx, p); err != nil {
			return err
		}
		if err := b.insertBackup(ctx, x); sqldb.IsDuplicate(err) {
			return errRunning
		} else if err != nil {
			return fmt.Errorf("insert a backup: %w", err)
		}
		return b.write(ctx, who, x, "Backup asked for", nil, map[string]any{"data": x.Data, "encrypted": x.Encrypted})
	})
	if err != nil {
		b.forget(x.ID)
		return Backup{}, err
	}
	return x, nil
}

// mayRequest judges whether a profile may have another backup now, inside a transaction.
func (b *Backups) mayRequest(ctx context.Context, p profile.Profile) error {
	pl, err := b.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return err
	}
	most := pl.Cap(plan.Backups)
	if most == 0 {
		return errNotInPlan
	}
	if _, open, err := b.openBackup(ctx, p.ID); err != nil || open {
		return cmp.Or[error](err, errRunning)
	}
	loc, err := b.zone(ctx, p.Account)
	if err != nil {
		return err
	}
	now := b.clock.Now().In(loc)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, loc)
	tomorrow := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, loc)
	n, err := b.countRequested(ctx, p.ID, clock.Millis(today))
	if err != nil {
		return err
	}
	if n >= most {
		wait := tomorrow.Sub(now)
		hours := int64((wait + time.Hour - 1) / time.Hour)
		return fault.New(fault.Forbidden, "You have reached the daily limit of backups (%d). Please try again in %s.", most, count(hours, "hour")).After(wait)
	}
	kept, err := b.countKept(ctx, p.ID)
	if err == nil && kept >= maxKept {
		err = fault.New(fault.Conflict, "This profile keeps %d backups already; delete one first", kept)
	}
	return err
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkPassphrase is CheckPassphrase for a form: "" is none, and it is one line, since people type it again.
func checkPassphrase(s string) error {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") {
		return fault.Field("passphrase", "must be one line of UTF-8")
	}
	return CheckPassphrase(s)
}

// orders are the columns by which lists of backups are sorted.
var orders = map[string]string{"created_at": "created_at", "status": "status", "file_size": "size"}

// List returns a page of a profile's backups; order is SQL of orders. Only its owner may.
func (b *Backups) List(ctx context.Context, who auth.Caller, ref, order string, limit, skip int64) ([]Backup, error) {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	return b.listBackups(ctx, p.ID, order, limit, skip)
}

// owned finds a backup for the owner of its profile.
func (b *Backups) owned(ctx context.Context, who auth.Caller, ref string, bid id.Backup) (profile.Profile, Backup, error) {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err != nil {
		return p, Backup{}, err
	}
	x, found, err := b.findBackup(ctx, p.ID, bid)
	if err == nil && !found {
		err = errNoBackup
	}
	return p, x, err
}

// prove asks for the password and code of whoever acts, who owns the profile: a stolen token or session must not be enough.
func (b *Backups) prove(ctx context.Context, who auth.Caller, proof account.Proof) error {
	return b.accounts.Prove(ctx, who.AccountID, proof)
}

// Delete removes a backup, one that is being made included. It returns not_found, and Unauthorized unless proof is the owner's.
func (b *Backups) Delete(ctx context.Context, who auth.Caller, ref string, bid id.Backup, proof account.Proof) error {
	p, _, err := b.owned(ctx, who, ref, bid)
	if err != nil {
		return err
	}
	if err := b.prove(ctx, who, proof); err != nil {
		return err
	}
	err = b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		x, found, err := b.findBackup(ctx, p.ID, bid)
		if err != nil || !found {
			return cmp.Or[error](err, errNoBackup)
		}
		if err := b.remove(ctx, x); err != nil {
			return err
		}
		return b.write(ctx, who, x, "Backup deleted", auditable(x), nil)
	})
	if err == nil {
		b.forget(bid)
	}
	return err
}

// remove makes a backup invisible and its file one to be removed, in the transaction of ctx. One that changed meanwhile is a Conflict.
func (b *Backups) remove(ctx context.Context, x Backup) error {
	now := b.now()
	ok, err := b.setEnd(ctx, x, backupDeleted, "", 0, now, max(x.CreatedAt, now)+traceLife.Milliseconds())
	if err == nil && !ok {
		err = fault.New(fault.Conflict, "The backup changes at this moment; try again")
	}
	if err != nil {
		return err
	}
	if err := b.dropLinks(ctx, x.Profile, x.ID); err != nil {
		return err
	}
	return b.trash(ctx, x.Target, x.File)
}

func auditable(x Backup) map[string]any {
	m := map[string]any{"created_at": clock.FromMillis(x.CreatedAt), "origin": x.Origin, "data": x.Data, "encrypted": x.Encrypted, "target": x.Target}
	if x.Size > 0 {
		m["size"], m["sha256"] = x.Size, x.SHA256
	}
	return m
}

func (b *Backups) write(ctx context.Context, who auth.Caller, x Backup, message string, before, after any) error {
	return b.audit.Write(ctx, who, audit.Event{Profile: x.Profile, Account: x.Account, Resource: "backup", ResourceID: string(x.ID), Message: message, Before: before, After: after})
}

// Tidy ends backups whose time is over, forgets what is left of old ones, and removes files that nothing names any more.
func (b *Backups) Tidy(ctx context.Context) error {
	ctx = sqldb.As(ctx, tenant)
	const slice = 200
	for {
		xs, err := b.expired(ctx, slice)
		if err != nil {
			return err
		}
		for _, x := range xs {
			if err := b.expire(sqldb.As(ctx, x.Profile), x); err != nil {
				return err
			}
		}
		if len(xs) < slice {
			break
		}
	}
	if err := b.dropOldLinks(ctx); err != nil {
		return err
	}
	return b.emptyTrash(ctx)
}

func (b *Backups) expire(ctx context.Context, x Backup) error {
	if x.Status != BackupCompleted {
		return b.dropBackup(ctx, x)
	}
	return b.db.Tx(ctx, func(ctx context.Context) error {
		if err := b.remove(ctx, x); fault.Is(err, fault.Conflict) {
			return nil // somebody was faster
		} else if err != nil {
			return err
		}
		return b.write(ctx, auth.SystemCaller(), x, "Backup deleted: its time is over", auditable(x), nil)
	})
}

// emptyTrash removes files. One whose target is away is tried again later, and holds nothing else up.
func (b *Backups) emptyTrash(ctx context.Context) error {
	for {
		xs, err := b.dueTrash(ctx, 100)
		if err != nil || len(xs) == 0 {
			return err
		}
		for _, x := range xs {
			if err := ctx.Err(); err != nil {
				return err
			}
			crash.At("backup deleted, its file is there")
			err := errors.New("this server has no --backup-target")
			if s := b.store(x.target); s != nil {
				err = s.Delete(ctx, x.file)
			}
			crash.At("file of a backup removed, still remembered")
			if err == nil {
				err = b.emptied(ctx, x)
				if err != nil {
					return err
				}
				continue
			}
			b.log.Warn("remove the file of a backup", "target", x.target, "file", x.file, "error", err)
			// The longer it has been away, the less often it is asked.
			wait := max(retryTrash.Milliseconds(), min((b.now()-x.since)/4, (24*time.Hour).Milliseconds()))
			if err := b.postpone(ctx, x, b.now()+wait); err != nil {
				return err
			}
		}
	}
}

// purgeProfile forgets a slice of what a deleted profile had and leaves its files to emptyTrash. It is a profile.PurgeHook.
func (b *Backups) purgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	err = b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		xs, err := b.dropAll(ctx, p.ID)
		if err != nil {
			return err
		}
		for _, x := range xs {
			if err := b.trash(ctx, x.Target, x.File); err != nil {
				return err
			}
		}
		done = len(xs) < purgeSlice
		if done {
			return b.dropRest(ctx, p.ID)
		}
		return nil
	})
	return done, err
}

// byTurn sorts backups that wait: the account that was served longest ago first, then what somebody waits for, then the oldest.
func byTurn(xs []Backup, served map[id.Account]time.Time) {
	slices.SortStableFunc(xs, func(x, y Backup) int {
		return cmp.Or(served[x.Account].Compare(served[y.Account]), cmp.Compare(x.Origin, y.Origin), cmp.Compare(x.CreatedAt, y.CreatedAt))
	})
}
