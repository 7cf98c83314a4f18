package profile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/tag"
)

const (
	// DefaultGrace is how long a deleted profile can be restored unless the settings say otherwise.
	DefaultGrace = 7 * 24 * time.Hour
	draftLife    = 24 * time.Hour
)

// Check is one condition of something that may be asked for, and whether it is met.
type Check struct {
	Name   string `json:"name"` // of what it is about: "profiles", a service or a resource
	OK     bool   `json:"ok"`
	Blocks bool   `json:"blocks" description:"not ok forbids"`
	Detail string `json:"detail" description:"a sentence"`
}

// Checks is the detail of a refusal: what stands in the way.
type Checks struct {
	Checks []Check `json:"checks"`
}

// Missing are the conditions that are not met and forbid.
func Missing(checks []Check) (out []Check) {
	for _, c := range checks {
		if c.Blocks && !c.OK {
			out = append(out, c)
		}
	}
	return out
}

// FitFunc says whether a profile, whether it lives or not, fits what an account has, in the order in which people read it.
type FitFunc func(ctx context.Context, p Profile, to id.Account) ([]Check, error)

// OnFit registers what else a profile needs to be restored or published; before the server starts.
func (s *Service) OnFit(f FitFunc) { s.onFit = append(s.onFit, f) }

// SetGrace says how long deleted profiles can be restored; before the server starts. 0, as without it, purges them as soon as may be.
func (s *Service) SetGrace(d time.Duration) { s.grace = d }

// Deleted is a profile that was deleted and can still be restored.
type Deleted struct {
	Profile
	DeletedAt time.Time
	DeletedBy id.Account // "" for Paddock itself
	PurgeAt   time.Time  // from when on it cannot be restored
}

// Deleted are the profiles of an account that can be restored, those that were deleted last first.
func (s *Service) Deleted(ctx context.Context, a id.Account) ([]Deleted, error) {
	out, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (d Deleted, err error) {
		var deleted, purge int64
		d.Profile, err = scan(scanBefore{r, []any{&deleted, &d.DeletedBy, &purge}})
		d.DeletedAt, d.PurgeAt = clock.FromMillis(deleted), clock.FromMillis(purge)
		return d, err
	}, `SELECT deleted_at, deleted_by, purge_at, `+columns+` FROM profile
		WHERE account = $1 AND deleted_at IS NOT NULL AND NOT draft AND purged_at IS NULL AND purge_at > $2 ORDER BY deleted_at DESC, id`, a, s.now())
	if err != nil {
		return nil, fmt.Errorf("read deleted profiles: %w", err)
	}
	return out, nil
}

// scanBefore scans columns that stand before those of a profile.
type scanBefore struct {
	r     sqldb.Scanner
	first []any
}

func (x scanBefore) Scan(to ...any) error { return x.r.Scan(append(x.first, to...)...) }

// Delete is Remove for whoever shows a password alone, and for Paddock itself, which shows none.
func (s *Service) Delete(ctx context.Context, who auth.Caller, ref, password string) error {
	return s.Remove(ctx, who, ref, account.Proof{Password: password, Addr: who.Addr}, false)
}

// Remove ends a profile after its owner proved who they are. It can be restored for a while, unless it is to be purged at
// once. It returns the faults of account.Service.Prove, Conflict for the last profile of an account, not_found and
// Forbidden to others than the owner; then nothing changed.
func (s *Service) Remove(ctx context.Context, who auth.Caller, ref string, proof account.Proof, purge bool) error {
	p, err := s.Owned(ctx, who, ref)
	if err != nil {
		return err
	}
	if who.Kind != auth.System {
		if err := s.accounts.Prove(ctx, who.AccountID, proof); err != nil {
			return err
		}
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.Lock(ctx, p.Account); err != nil {
			return err
		}
		// Looked up again behind the lock: it may have been deleted or handed over meanwhile, by a request that came first.
		now, found, err := s.find(ctx, p.ID)
		if err != nil || !found || now.Account != p.Account {
			return orNotFound(err)
		}
		ok, err := s.giveSlot(ctx, now.Account)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "The last profile of an account cannot be deleted")
		}
		return s.end(ctx, who, now, !purge)
	})
}

// DeleteAll ends every profile of an account that is being deleted, inside the transaction that does so, and purges also those
// that could still be restored. It is a hook for account.Service.OnDelete.
func (s *Service) DeleteAll(ctx context.Context, who auth.Caller, a id.Account) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.Lock(ctx, a); err != nil {
			return err
		}
		ps, err := s.owned(ctx, a)
		if err != nil {
			return err
		}
		for _, p := range ps {
			if err := s.end(ctx, who, p, false); err != nil {
				return err
			}
		}
		if err := s.forgetNames(ctx, a); err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `UPDATE profile SET purge_at = 0 WHERE account = $1 AND deleted_at IS NOT NULL AND purged_at IS NULL`, a); err != nil {
			return err
		}
		if err := s.unpinAll(ctx, a); err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `DELETE FROM profile_owner WHERE account = $1`, a)
		return err
	})
}

// end marks a profile and runs the hooks.
func (s *Service) end(ctx context.Context, who auth.Caller, p Profile, back bool) error {
	now, purge := s.now(), int64(0)
	var after any
	if back && s.grace > 0 {
		purge = now + s.grace.Milliseconds()
		after = map[string]any{"purged_at": web.Millis(purge)}
	}
	if ok, err := s.mark(ctx, p.ID, now, purge, who.AccountID); err != nil || !ok {
		return orNotFound(err)
	}
	if err := s.cease(ctx, p, now); err != nil {
		return err
	}
	crash.At("profile marked as deleted")
	for _, hook := range s.onDelete {
		if err := hook(ctx, who, p); err != nil {
			return err
		}
	}
	if err := s.db.Changed(ctx, CacheKind, string(p.ID)); err != nil {
		return err
	}
	return s.write(ctx, who, p, "Profile deleted", auditable(p), after)
}

// PurgeAt is from when on a deleted profile cannot be restored, in UTC milliseconds; 0 when it cannot be at all.
func (s *Service) PurgeAt(ctx context.Context, p id.Profile) (int64, error) {
	at, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT purge_at FROM profile WHERE id = $1 AND deleted_at IS NOT NULL AND purged_at IS NULL`, p)
	return at, err
}

// Restored is a profile that lives again, or for the first time.
type Restored struct {
	Profile
	Draft bool // it was a draft
}

// RestoreHook gives a restored or published profile back what its deletion took from it.
type RestoreHook func(ctx context.Context, who auth.Caller, r Restored) error

// OnRestore registers a hook of a later room; before the server starts.
func (s *Service) OnRestore(h RestoreHook) { s.onRestore = append(s.onRestore, h) }

// Restore brings a deleted profile back to its owner, all of it or nothing. It returns not_found for one that cannot be
// restored any more or is not the caller's, Conflict for one that lives, and limit_reached with Checks for what the account lacks.
func (s *Service) Restore(ctx context.Context, who auth.Caller, p id.Profile) (Profile, error) {
	return s.revive(ctx, who, p, false, "Profile restored")
}

// revive makes a profile live that is deleted or a draft.
func (s *Service) revive(ctx context.Context, who auth.Caller, pid id.Profile, draft bool, message string) (p Profile, err error) {
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		now := s.now()
		var found bool
		p, found, err = s.findGone(ctx, pid, draft, now)
		if err == nil && !found && !draft {
			if living, there, err := s.find(ctx, pid); err != nil {
				return err
			} else if there && (who.Kind == auth.System || living.Account == who.AccountID) {
				return fault.New(fault.Conflict, "The profile is not deleted")
			}
		}
		if err != nil || !found || who.Kind != auth.System && p.Account != who.AccountID {
			return orNotFound(err)
		}
		if err := s.Lock(ctx, p.Account); err != nil {
			return err
		}
		checks, most, err := s.slot(ctx, p.Account)
		if err != nil {
			return err
		}
		for _, fits := range s.onFit {
			more, err := fits(ctx, p, p.Account)
			if err != nil {
				return err
			}
			checks = append(checks, more...)
		}
		if missing := Missing(checks); len(missing) > 0 {
			return NoRoom(missing)
		}
		// Whoever purges it, and whoever restores it at the same time, takes the row by the same condition.
		if ok, err := s.unmark(ctx, pid, draft, now); err != nil || !ok {
			return orNotFound(err)
		}
		if ok, err := s.takeSlot(ctx, p.Account, most); err != nil || !ok {
			return orElse(err, NoRoom(checks))
		}
		if err := s.begin(ctx, p, now); err != nil {
			return err
		}
		crash.At("profile marked as restored")
		p.UpdatedAt = clock.FromMillis(now)
		for _, hook := range s.onRestore {
			if err := hook(ctx, who, Restored{p, draft}); err != nil {
				return err
			}
		}
		if err := s.db.Changed(ctx, CacheKind, string(pid)); err != nil {
			return err
		}
		return s.write(ctx, who, p, message, nil, auditable(p))
	})
	if err != nil {
		return Profile{}, err
	}
	return p, nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// NoRoom is the refusal of a profile for which an account lacks something.
func NoRoom(missing []Check) error {
	var parts []string
	for _, c := range missing {
		parts = append(parts, strings.TrimSuffix(c.Detail, "."))
	}
	return fault.New(fault.LimitReached, "There is no room for the profile in the account: %s.", strings.Join(parts, "; ")).With(Checks{missing})
}

// slot says whether an account may own one more profile, and how many it may own.
func (s *Service) slot(ctx context.Context, a id.Account) ([]Check, int64, error) {
	pl, err := s.PlanOf(ctx, a)
	if err != nil {
		return nil, 0, err
	}
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT profiles FROM profile_owner WHERE account = $1`, a)
	if err != nil {
		return nil, 0, fmt.Errorf("count the profiles of an account: %w", err)
	}
	most := pl.Cap(plan.Profiles)
	c := Check{Name: string(plan.Profiles), OK: n < most, Blocks: true, Detail: fmt.Sprintf("The account has %s; its plan allows %d.", plan.Profiles.Count(n), most)}
	if most >= plan.Unlimited {
		c.Detail = fmt.Sprintf("The account has %s; its plan sets no limit.", plan.Profiles.Count(n))
	}
	return []Check{c}, most, nil
}

// noSlot is the answer at the cap on profiles.
func noSlot(most int64) error {
	return fault.New(fault.LimitReached, "You have exceeded the maximum limit of profiles (%d). Delete a profile first, or change the plan of the account.", most).With(fault.Limit{
		Limit: string(plan.Profiles), Scope: "account", Used: float64(most), Allowed: float64(most), Hint: "Delete a profile, or change the plan of the account.",
	})
}

// MayAdd returns the fault that Create would have for whoever may make no profile, or has as many as the plan allows; what may
// change until then.
func (s *Service) MayAdd(ctx context.Context, who auth.Caller) error {
	if err := s.mayOwn(ctx, who, who.AccountID); err != nil {
		return err
	}
	checks, most, err := s.slot(ctx, who.AccountID)
	if err == nil && !checks[0].OK {
		err = noSlot(most)
	}
	return err
}

// DraftInput is what a profile in the making is made from.
type DraftInput struct {
	Account             id.Account // the owner to be
	ID                  id.Profile // wanted; "", or one that was ever taken: a new one
	Name                string
	Logo, Banner        *string // addresses; nil or "" for none
	RPMInput, RPMOutput int64   // soft limits; 0 for none
	Color, Reference    string  // "" for none
	Tags                []tag.Tag
}

// CheckDraft returns the faults of Draft, and makes nothing.
func (s *Service) CheckDraft(ctx context.Context, who auth.Caller, in DraftInput) error {
	if _, err := s.draft(who, in); err != nil {
		return err
	}
	return s.mayOwn(ctx, who, in.Account)
}

// draft is the profile that a draft would be.
func (s *Service) draft(who auth.Caller, in DraftInput) (Profile, error) {
	name, err := cleanLine("name", in.Name, maxName)
	if err != nil {
		return Profile{}, err
	}
	if in.Account != who.AccountID && who.Kind != auth.System {
		return Profile{}, auth.Denied()
	}
	if in.Tags == nil {
		in.Tags = []tag.Tag{}
	}
	if err := tag.Check("profile", in.Tags); err != nil {
		return Profile{}, err
	}
	if err := RPMOf(in.RPMInput, in.RPMOutput).Check(); err != nil {
		return Profile{}, err
	}
	color, err := CleanColor(in.Color)
	if err != nil {
		return Profile{}, err
	}
	reference, err := CleanReference(in.Reference)
	if err != nil {
		return Profile{}, err
	}
	now := clock.FromMillis(s.now())
	p := Profile{ID: in.ID, Account: in.Account, Name: name, Color: color, Reference: reference, RPMInput: in.RPMInput, RPMOutput: in.RPMOutput, Tags: slices.Clone(in.Tags),
		CreatedAt: now, UpdatedAt: now}
	for _, pic := range []struct {
		field string
		from  *string
		to    **string
	}{{"logo_url", in.Logo, &p.LogoURL}, {"banner_url", in.Banner, &p.BannerURL}} {
		if pic.from == nil {
			continue
		}
		if *pic.to, err = pictureURL(pic.field, *pic.from, nil, ""); err != nil {
			return Profile{}, err
		}
	}
	return p, nil
}

// Draft begins to make a profile that nobody sees before it is published: neither a slot nor an allocation is taken. It is
// purged a day after KeepDraft was called last. It returns Invalid for what no profile may have, and Forbidden to guests where
// sign-up is closed.
func (s *Service) Draft(ctx context.Context, who auth.Caller, in DraftInput) (Profile, error) {
	p, err := s.draft(who, in)
	if err != nil {
		return Profile{}, err
	}
	now := clock.Millis(p.CreatedAt)
	if !id.Valid(string(p.ID)) {
		p.ID = id.New[id.Profile]()
	}
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) (err error) {
		if err := s.mayOwn(ctx, who, in.Account); err != nil {
			return err
		}
		if p.No, err = s.nextNo(ctx); err != nil {
			return fmt.Errorf("number a profile: %w", err)
		}
		for {
			ok, err := s.insertDraft(ctx, p, now, now+draftLife.Milliseconds())
			if err != nil || ok {
				return err
			}
			p.ID = id.New[id.Profile]()
		}
	})
	if err != nil {
		return Profile{}, err
	}
	return p, nil
}

// KeepDraft puts the purge of a draft off to a day from now. It returns not_found for one that is discarded, or none.
func (s *Service) KeepDraft(ctx context.Context, p id.Profile) error {
	n, err := s.db.Exec(ctx, `UPDATE profile SET purge_at = $1 WHERE id = $2 AND draft AND deleted_at IS NOT NULL AND purged_at IS NULL AND purge_at > 0`,
		s.now()+draftLife.Milliseconds(), p)
	if err == nil && n == 0 {
		err = NotFound
	}
	return err
}

// Publish makes a draft a profile like any other: it takes a slot, an allocation with what it stores, and counters, all or
// nothing. message is what the audit log says. It returns the faults of Restore.
func (s *Service) Publish(ctx context.Context, who auth.Caller, p id.Profile, message string) (Profile, error) {
	return s.revive(ctx, who, p, true, message)
}

// Discard gives a draft up: it is purged as soon as may be. It returns not_found for one that is not the caller's, or none.
func (s *Service) Discard(ctx context.Context, who auth.Caller, p id.Profile) error {
	w := sqldb.NewWhere("id = ? AND draft AND deleted_at IS NOT NULL AND purged_at IS NULL", p)
	if who.Kind != auth.System {
		w.And("account = ?", who.AccountID)
	}
	n, err := s.db.Exec(ctx, `UPDATE profile SET purge_at = 0`+w.SQL(), w.Args()...)
	if err == nil && n == 0 {
		err = NotFound
	}
	return err
}

// DiscardAll gives every draft up: whoever made them is gone, since the database was restored from a backup.
func (s *Service) DiscardAll(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `UPDATE profile SET purge_at = 0 WHERE draft AND deleted_at IS NOT NULL AND purged_at IS NULL`)
	return err
}

// Handover is a change of owner.
type Handover struct {
	Profile Profile    // as it was: Profile.Account is the former owner
	To      id.Account // the new one
	At      int64      // UTC milliseconds: what comes from this instant on is the new owner's
}

// HandoverHook divides at a handover what must be divided at its instant.
type HandoverHook func(ctx context.Context, who auth.Caller, h Handover) error

// OnHandover registers a hook of a later room; before the server starts. Hooks run in the order of registration.
func (s *Service) OnHandover(h HandoverHook) { s.onHandover = append(s.onHandover, h) }

// LockBoth is Lock for two accounts, in the one order in which everybody takes them.
func (s *Service) LockBoth(ctx context.Context, a, b id.Account) error {
	if err := s.Lock(ctx, min(a, b)); err != nil || a == b {
		return err
	}
	return s.Lock(ctx, max(a, b))
}

// HandOver gives a living profile to another account, in the transaction of ctx. Who may see it and its tokens are the callers' to
// judge, and so are the conditions of FitsOwner that are not named here. It returns Conflict for the former owner's last profile
// and for who owns it already, limit_reached at the new owner's cap, and whatever a hook refuses; then nothing changed.
func (s *Service) HandOver(ctx context.Context, who auth.Caller, pid id.Profile, to id.Account) (Handover, error) {
	return s.handOver(ctx, who, pid, to, 1)
}

// HandBack is HandOver for one that is undone: it may leave the account without a profile that had none before.
func (s *Service) HandBack(ctx context.Context, who auth.Caller, pid id.Profile, to id.Account) (Handover, error) {
	return s.handOver(ctx, who, pid, to, 0)
}

// handOver leaves the former owner at least so many profiles.
func (s *Service) handOver(ctx context.Context, who auth.Caller, pid id.Profile, to id.Account, least int64) (Handover, error) {
	var h Handover
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		seen, found, err := s.find(ctx, pid)
		if err != nil || !found {
			return orNotFound(err)
		}
		if _, err := s.accounts.Get(ctx, to); err != nil {
			return err
		}
		if err := s.LockBoth(ctx, seen.Account, to); err != nil {
			return err
		}
		p, found, err := s.find(ctx, pid)
		if err != nil || !found {
			return orNotFound(err)
		}
		if p.Account != seen.Account {
			return fault.New(fault.Conflict, "The profile has just changed hands")
		}
		if p.Account == to {
			return fault.New(fault.Conflict, "The profile is this account's already")
		}
		if ok, err := s.leaveSlots(ctx, p.Account, least); err != nil || !ok {
			return orElse(err, fault.New(fault.Conflict, "The last profile of an account cannot be handed over"))
		}
		checks, most, err := s.slot(ctx, to)
		if err != nil {
			return err
		}
		if ok, err := s.takeSlot(ctx, to, most); err != nil || !ok {
			return orElse(err, NoRoom(checks))
		}
		h = Handover{Profile: p, To: to, At: s.now()}
		last, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT COALESCE(MAX(from_at), 0) FROM profile_owned WHERE profile = $1`, pid)
		if err != nil {
			return err
		}
		h.At = max(h.At, last+1)
		now := p
		now.Account, now.UpdatedAt = to, clock.FromMillis(h.At)
		if n, err := s.db.Exec(ctx, `UPDATE profile SET account = $1, updated_at = $2 WHERE id = $3 AND account = $4 AND deleted_at IS NULL`,
			to, h.At, pid, p.Account); err != nil || n == 0 {
			return orNotFound(err)
		}
		if err := s.cease(ctx, p, h.At); err != nil {
			return err
		}
		if err := s.begin(ctx, now, h.At); err != nil {
			return err
		}
		crash.At("profile has changed hands, nothing divided yet")
		for _, hook := range s.onHandover {
			if err := hook(ctx, who, h); err != nil {
				return err
			}
			crash.At("one hook of a handover done")
		}
		if err := s.db.Changed(ctx, CacheKind, string(pid)); err != nil {
			return err
		}
		before, after := map[string]any{"owner": p.Account}, map[string]any{"owner": to}
		if err := s.write(ctx, who, now, "Profile handed over", before, after); err != nil {
			return err
		}
		for a, message := range map[id.Account]string{p.Account: "Profile given to another account", to: "Profile received from another account"} {
			if err := s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "profile", ResourceID: string(pid), Message: message,
				Before: before, After: after}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Handover{}, err
	}
	return h, nil
}

// FitsOwner says whether a living profile may become another account's, as far as this room can tell.
func (s *Service) FitsOwner(ctx context.Context, pid id.Profile, to id.Account) ([]Check, error) {
	p, err := s.Get(ctx, pid)
	if err != nil {
		return nil, err
	}
	mine, err := s.owned(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	theirs, err := s.owned(ctx, to)
	if err != nil {
		return nil, err
	}
	out := []Check{
		{"owner", p.Account != to, true, "The profile goes to another account than the one that owns it."},
		{"last_profile", len(mine) > 1, true, "The last profile of an account stays."},
	}
	for _, x := range []struct {
		name, whose string
		account     id.Account
	}{{"plan_from", "owner's", p.Account}, {"plan_to", "receiver's", to}} {
		pl, err := s.PlanOf(ctx, x.account)
		if err != nil {
			return nil, err
		}
		c := Check{x.name, pl.Transfer, true, fmt.Sprintf("The %s plan lets profiles change hands.", x.whose)}
		if !c.OK {
			c.Detail = fmt.Sprintf("The %s plan does not let profiles change hands.", x.whose)
		}
		out = append(out, c)
	}
	if len(theirs) == 0 && s.accounts.Signup() == account.Closed {
		out = append(out, Check{"guest", false, true, "The receiver is a guest on this server, where an operator says who owns profiles."})
	}
	slots, _, err := s.slot(ctx, to)
	return append(out, slots...), err
}
