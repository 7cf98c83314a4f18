package backup

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Every is how often a schedule makes a backup.
type Every string

const (
	Day  Every = "day"
	Week Every = "week"
)

const (
	// missingAfter is how long a backup may be late until people are told that it is missing.
	missingAfter = 6 * time.Hour
	maxKeepLast  = 365
	maxKeepDays  = 3650
	// noBoundLife is that of a backup whose schedule has been removed meanwhile.
	noBoundLife = 30 * 24 * time.Hour
)

// Schedule says when a profile is backed up by itself, and how that goes. The zero Schedule is that of a profile without one.
type Schedule struct {
	Profile    id.Profile
	Active     bool
	Every      Every
	Weekday    time.Weekday // with Week
	Hour       int          // of the owner's time zone
	Data       bool
	Target     Target
	Passphrase string // sealed; "" for none
	KeepLast   int64  // 0: no such bound
	KeepDays   int64
	Account    id.Account // who owned the profile when this was set
	UpdatedAt  int64
	NextAt     int64
	DueAt      int64 // when the last one was due
	DoneAt     int64 // when the last one was made
	FailedAt   int64 // when the last one failed; 0 when it did not
	Reason     string
	ToldAt     int64 // when people were told that backups fail or are missing; 0 when all is well
}

// aboutSchedule is what a sealed passphrase belongs to.
func aboutSchedule(p id.Profile) string { return "backup schedule/" + string(p) }

// after is the first instant after now at which a backup is due, in a time zone. An hour that a day does not have, since the clocks
// are put forward, is the one that follows.
func (s Schedule) after(now time.Time, loc *time.Location) time.Time {
	local := now.In(loc)
	for days := 0; ; days++ {
		t := time.Date(local.Year(), local.Month(), local.Day()+days, s.Hour, 0, 0, 0, loc)
		if t.After(now) && (s.Every != Week || t.Weekday() == s.Weekday) {
			return t
		}
	}
}

// expires is when a backup that is made now goes; 0 for not by time.
func (s Schedule) expires(now time.Time) int64 {
	switch {
	case s.KeepDays > 0:
		return clock.Millis(now.AddDate(0, 0, int(s.KeepDays)))
	case s.KeepLast > 0:
		return 0
	}
	return clock.Millis(now.Add(noBoundLife))
}

// ScheduleInput is a change of a schedule: the whole of it but the passphrase, which stays when nil and goes when "".
type ScheduleInput struct {
	Active     bool
	Every      Every
	Weekday    time.Weekday
	Hour       int
	Data       bool
	Target     Target
	Passphrase *string
	KeepLast   int64
	KeepDays   int64
}

func (b *Backups) checkSchedule(in ScheduleInput) error {
	switch {
	case in.Every != Day && in.Every != Week:
		return fault.Field("every", "must be day or week")
	case in.Hour < 0 || in.Hour > 23:
		return fault.Field("hour", "must be 0 to 23")
	case in.Weekday < time.Sunday || in.Weekday > time.Saturday:
		return fault.Field("weekday", "must be a day of the week, such as monday")
	case in.Target != OnServer && in.Target != External:
		return fault.Field("target", "must be server or external")
	case in.Target == External && b.cfg.External == nil:
		return fault.Field("target", "this server has no place for backups but its own")
	case in.KeepLast < 0 || in.KeepLast > maxKeepLast:
		return fault.Field("keep_last", "must be 1 to %d backups, or null", maxKeepLast)
	case in.KeepDays < 0 || in.KeepDays > maxKeepDays:
		return fault.Field("keep_days", "must be 1 to %d days, or null", maxKeepDays)
	case in.KeepLast == 0 && in.KeepDays == 0:
		return fault.Field("keep_last", "give keep_last or keep_days: else backups would grow for ever")
	}
	if in.Passphrase != nil {
		return checkPassphrase(*in.Passphrase)
	}
	return nil
}

// ScheduleOf returns the schedule of a profile; without one Active is false and the rest is what a form begins with. Only the owner
// of the profile may.
func (b *Backups) ScheduleOf(ctx context.Context, who auth.Caller, ref string) (Schedule, *time.Location, error) {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err != nil {
		return Schedule{}, nil, err
	}
	loc, err := b.zone(ctx, p.Account)
	if err != nil {
		return Schedule{}, nil, err
	}
	s, found, err := b.schedule(ctx, p.ID)
	if err == nil && !found {
		s = Schedule{Profile: p.ID, Every: Day, Weekday: time.Sunday, Hour: 3, Target: OnServer, KeepLast: 7}
	}
	return s, loc, err
}

// SetSchedule sets when a profile is backed up by itself. Only its owner may. It returns Invalid for what makes no sense and Forbidden on
// a plan without backups.
func (b *Backups) SetSchedule(ctx context.Context, who auth.Caller, ref string, in ScheduleInput) error {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err == nil {
		err = b.checkSchedule(in)
	}
	if err != nil {
		return err
	}
	if in.Active {
		if err := b.inPlan(ctx, p); err != nil {
			return err
		}
	}
	loc, err := b.zone(ctx, p.Account)
	if err != nil {
		return err
	}
	return b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		old, found, err := b.schedule(ctx, p.ID)
		if err != nil {
			return err
		}
		s := old
		s.Profile, s.Active, s.Every, s.Weekday, s.Hour, s.Data, s.Target, s.KeepLast, s.KeepDays = p.ID, in.Active, in.Every, in.Weekday, in.Hour, in.Data, in.Target, in.KeepLast, in.KeepDays
		if in.Passphrase != nil {
			if s.Passphrase = ""; *in.Passphrase != "" {
				s.Passphrase = b.sealer.Seal(*in.Passphrase, aboutSchedule(p.ID))
			}
		} else if s.Passphrase != "" && s.Account != p.Account {
			return fault.Field("passphrase", "the former owner of the profile set the one there is: give another, or null for none")
		}
		s.Account, s.UpdatedAt = p.Account, b.now()
		s.NextAt = clock.Millis(s.after(b.clock.Now(), loc))
		if !s.Active { // nothing is missing where nothing is due
			s.DueAt, s.FailedAt, s.Reason, s.ToldAt = 0, 0, "", 0
		}
		if err := b.putSchedule(ctx, s); err != nil {
			return fmt.Errorf("set a backup schedule: %w", err)
		}
		var before any
		if found {
			before = old.record()
		}
		return b.writeSchedule(ctx, who, p, "Backup schedule set", before, s.record())
	})
}

// DeleteSchedule ends a schedule; its backups stay as long as they would have.
func (b *Backups) DeleteSchedule(ctx context.Context, who auth.Caller, ref string) error {
	p, err := b.profiles.Owned(ctx, who, ref)
	if err != nil {
		return err
	}
	return b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		s, found, err := b.schedule(ctx, p.ID)
		if err != nil || !found {
			return cmp.Or[error](err, fault.New(fault.NotFound, "The profile has no backup schedule"))
		}
		if err := b.dropSchedule(ctx, p.ID); err != nil {
			return err
		}
		// What the schedule kept by number would stay for ever.
		if err := b.boundScheduled(ctx, p.ID, clock.Millis(b.clock.Now().Add(noBoundLife))); err != nil {
			return err
		}
		return b.writeSchedule(ctx, who, p, "Backup schedule removed", s.record(), nil)
	})
}

func (b *Backups) inPlan(ctx context.Context, p profile.Profile) error {
	pl, err := b.profiles.PlanOf(ctx, p.Account)
	if err == nil && pl.Cap(plan.Backups) == 0 {
		err = errNotInPlan
	}
	return err
}

// record is a schedule for the audit log.
func (s Schedule) record() map[string]any {
	m := map[string]any{"active": s.Active, "every": s.Every, "hour": s.Hour, "data": s.Data, "target": s.Target, "encrypted": s.Passphrase != ""}
	if s.Every == Week {
		m["weekday"] = s.Weekday.String()
	}
	if s.KeepLast > 0 {
		m["keep_last"] = s.KeepLast
	}
	if s.KeepDays > 0 {
		m["keep_days"] = s.KeepDays
	}
	return m
}

func (b *Backups) writeSchedule(ctx context.Context, who auth.Caller, p profile.Profile, message string, before, after any) error {
	return b.audit.Write(ctx, who, audit.Event{Profile: p.ID, Account: p.Account, Resource: "backup", ResourceID: string(p.ID), Message: message, Before: before, After: after})
}

// Schedule puts backups that are due in line and tells of those that are missing.
func (b *Backups) Schedule(ctx context.Context) error {
	ctx = sqldb.As(ctx, tenant)
	var failed error
	for _, find := range []struct {
		rows func(context.Context, Schedule, int64) ([]Schedule, error)
		do   func(context.Context, Schedule) error
	}{{b.due, b.enqueue}, {b.late, b.missing}} {
		for last := (Schedule{}); ; {
			ss, err := find.rows(ctx, last, 200)
			if err != nil {
				return err
			}
			for _, s := range ss {
				// What one profile has wrong must not keep others from their backups.
				if err := find.do(sqldb.As(ctx, s.Profile), s); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					failed = fmt.Errorf("backup schedule of profile %s: %w", s.Profile, err)
					b.log.Error("backup schedule", "profile", s.Profile, "error", err)
				}
			}
			if len(ss) == 0 {
				break
			}
			last = ss[len(ss)-1]
		}
	}
	return failed
}

// enqueue puts the backup that is due in line. While another is made it waits. A profile that is deleted, or whose plan has no backups
// any more, gets none.
func (b *Backups) enqueue(ctx context.Context, found Schedule) error {
	p, err := b.profiles.Get(ctx, found.Profile)
	gone := fault.Is(err, fault.NotFound)
	if err != nil && !gone {
		return err
	}
	loc := time.UTC
	if !gone {
		if loc, err = b.zone(ctx, p.Account); err != nil {
			return err
		}
	}
	return b.db.Tx(ctx, func(ctx context.Context) error {
		s, there, err := b.schedule(ctx, found.Profile)
		if err != nil || !there || !s.Active || s.NextAt != found.NextAt {
			return err
		}
		next := clock.Millis(s.after(b.clock.Now(), loc))
		if gone {
			_, err := b.setDue(ctx, s, s.DueAt, next)
			return err
		}
		if _, open, err := b.openBackup(ctx, s.Profile); err != nil || open {
			return err
		}
		due := s.NextAt
		x := Backup{Profile: s.Profile, ID: id.New[id.Backup](), Status: BackupQueued, Origin: BySchedule, Data: s.Data, Encrypted: s.Passphrase != "", Target: s.Target, Account: p.Account, CreatedAt: b.now()}
		reason := ""
		switch err := b.inPlan(ctx, p); {
		case fault.Is(err, fault.Forbidden):
			reason = "The plan of the profile has no backups."
		case err != nil:
			return err
		}
		if s.Passphrase != "" && s.Account != p.Account {
			reason = "The former owner of the profile set the passphrase. Set the schedule again, with another one or without."
		}
		if first, err := b.setDue(ctx, s, due, next); err != nil || !first {
			return err
		}
		if reason != "" {
			x.Status, x.Reason, x.FinishedAt, x.ExpiresAt = BackupFailed, reason, x.CreatedAt, x.CreatedAt+failedLife.Milliseconds()
		}
		if err := b.insertBackup(ctx, x); err != nil {
			return fmt.Errorf("insert a backup: %w", err)
		}
		crash.At("scheduled backup in line")
		if reason != "" {
			return b.scheduleFailed(ctx, x, reason)
		}
		return nil
	})
}

// missing tells that a backup was due and is not there.
func (b *Backups) missing(ctx context.Context, found Schedule) error {
	if _, err := b.profiles.Get(ctx, found.Profile); fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return b.db.Tx(ctx, func(ctx context.Context) error {
		s, there, err := b.schedule(ctx, found.Profile)
		if err != nil || !there || !s.Active || s.ToldAt != 0 || s.DoneAt != found.DoneAt || s.DueAt != found.DueAt {
			return err
		}
		// After the server was away it is in line late: it gets its time.
		if x, open, err := b.openBackup(ctx, s.Profile); err != nil || open && b.now()-x.CreatedAt < missingAfter.Milliseconds() {
			return err
		}
		due := s.DueAt
		if due <= s.DoneAt {
			due = s.NextAt // it did not even come into line
		}
		reason := fmt.Sprintf("The backup that was due on %s is not there.", b.when(ctx, s.Profile, due))
		if first, err := b.setTrouble(ctx, s.Profile, b.now(), reason); err != nil || !first {
			return err
		}
		return b.tell(ctx, s.Profile, "A backup is missing", reason, map[string]any{"state": "missing", "due_at": clock.FromMillis(due).UTC()})
	})
}

// when is an instant for the people of a profile.
func (b *Backups) when(ctx context.Context, p id.Profile, ms int64) string {
	loc := time.UTC
	if pr, err := b.profiles.Get(ctx, p); err == nil {
		if l, err := b.zone(ctx, pr.Account); err == nil {
			loc = l
		}
	}
	return clock.FromMillis(ms).In(loc).Format("2 January 2006, 15:04 MST")
}

// scheduleFailed remembers that a scheduled backup failed, and tells it unless people know that they do, in the transaction of ctx.
func (b *Backups) scheduleFailed(ctx context.Context, x Backup, reason string) error {
	first, err := b.setTrouble(ctx, x.Profile, b.now(), reason)
	if err != nil || !first {
		return err
	}
	return b.tell(ctx, x.Profile, "A scheduled backup failed", reason, map[string]any{"state": "failed", "backup": x.ID, "reason": reason})
}

// scheduleDone remembers that a scheduled backup was made, tells it where people know of trouble, and removes those beyond the number
// that is kept, in the transaction of ctx.
func (b *Backups) scheduleDone(ctx context.Context, s Schedule, x Backup) error {
	if s.Profile == "" { // removed while the backup was made
		return nil
	}
	if err := b.setDone(ctx, x.Profile, x.FinishedAt); err != nil {
		return err
	}
	if s.KeepLast > 0 {
		old, err := b.surplus(ctx, x.Profile, s.KeepLast)
		if err != nil {
			return err
		}
		for _, o := range old {
			if err := b.remove(ctx, o); err != nil {
				return err
			}
		}
	}
	if s.ToldAt == 0 {
		return nil
	}
	return b.tell(ctx, x.Profile, "Backups are made again", "A scheduled backup was made on "+b.when(ctx, x.Profile, x.FinishedAt)+".", map[string]any{"state": "recovered", "backup": x.ID})
}

func (b *Backups) tell(ctx context.Context, p id.Profile, title, message string, data any) error {
	return b.notify.Raise(ctx, notify.Event{Profile: p, Kind: notify.Backup, Title: title, Items: []notify.Item{{Message: message, Data: data}},
		Page: "/p/" + string(p) + "/backups", Action: "Show the backups"})
}

// Reseal seals with the first key what another key sealed, and returns how many passphrases that were.
func (b *Backups) Reseal(ctx context.Context) (changed int, err error) {
	for last := (Schedule{}); ; {
		ss, err := b.sealed(ctx, last, 200)
		if err != nil || len(ss) == 0 {
			return changed, err
		}
		for _, s := range ss {
			if !b.sealer.Stale(s.Passphrase) {
				continue
			}
			plain, err := b.sealer.Open(s.Passphrase, aboutSchedule(s.Profile))
			if err != nil {
				return changed, fmt.Errorf("passphrase of the backups of profile %s: %w", s.Profile, err)
			}
			ok, err := b.setPassphrase(sqldb.As(ctx, s.Profile), s, b.sealer.Seal(plain, aboutSchedule(s.Profile)))
			if err != nil {
				return changed, err
			}
			if ok { // else somebody has just set another one
				changed++
			}
		}
		last = ss[len(ss)-1]
	}
}
