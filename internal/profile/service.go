package profile

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// Hooks of later rooms. They run inside the transaction of what happened; an error undoes it.
type (
	// CreateHook prepares a new profile. The caller and the input are passed on for the template.
	CreateHook func(ctx context.Context, who auth.Caller, p Profile, in CreateInput) error
	// DeleteHook ends what must end at the same instant as the profile.
	DeleteHook func(ctx context.Context, who auth.Caller, p Profile) error
	// PurgeHook removes a slice of what a deleted profile held, in transactions of its own, and says whether
	// nothing is left. It is called until it does.
	PurgeHook func(ctx context.Context, p Profile) (done bool, err error)
)

// Service knows the profiles.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	plans    *plan.Catalogue
	audit    *audit.Log
	files    blob.Store
	clock    clock.Clock
	cache    *sqldb.Cache[Profile]
	decoding chan struct{} // pictures being decoded; see picture.go

	onCreate []CreateHook
	onDelete []DeleteHook
	onPurge  []PurgeHook
	onResume []func(ctx context.Context, p id.Profile) error
}

// CacheKind names changes of profiles, for caches of later rooms; the key is the id.
const CacheKind = "profile"

// New makes the service.
func New(db *sqldb.DB, accounts *account.Service, plans *plan.Catalogue, log *audit.Log, files blob.Store, clk clock.Clock) *Service {
	s := &Service{db: db, accounts: accounts, plans: plans, audit: log, files: files, clock: clk, decoding: make(chan struct{}, 2)}
	s.cache = sqldb.NewCache(db, CacheKind, 20_000, func(ctx context.Context, key string) (Profile, error) {
		p, found, err := s.find(ctx, id.Profile(key))
		if err != nil {
			return Profile{}, err
		}
		if !found {
			return Profile{}, NotFound
		}
		return p, nil
	})
	return s
}

// OnCreate registers a hook of a later room; before the server starts.
func (s *Service) OnCreate(h CreateHook) { s.onCreate = append(s.onCreate, h) }

// OnDelete registers a hook of a later room; before the server starts.
func (s *Service) OnDelete(h DeleteHook) { s.onDelete = append(s.onDelete, h) }

// OnPurge registers a hook of a later room; before the server starts. Hooks run in the order of registration.
func (s *Service) OnPurge(h PurgeHook) { s.onPurge = append(s.onPurge, h) }

// OnResume registers a hook of a later room, called inside the transaction that ends a pause; before the server
// starts.
func (s *Service) OnResume(h func(ctx context.Context, p id.Profile) error) {
	s.onResume = append(s.onResume, h)
}

// Get returns a living profile, mostly from memory. It returns not_found for one that is unknown or deleted.
func (s *Service) Get(ctx context.Context, p id.Profile) (Profile, error) {
	return s.cache.Get(ctx, string(p))
}

// List returns the profiles that an account owns, oldest first.
func (s *Service) List(ctx context.Context, a id.Account) ([]Profile, error) {
	return s.owned(ctx, a)
}

// Plan is the plan that governs a profile: its owner's.
func (s *Service) Plan(ctx context.Context, p id.Profile) (plan.Plan, error) {
	pr, err := s.Get(ctx, p)
	if err != nil {
		return plan.Plan{}, err
	}
	return s.PlanOf(ctx, pr.Account)
}

// PlanOf is the plan of an account.
func (s *Service) PlanOf(ctx context.Context, a id.Account) (plan.Plan, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return plan.Plan{}, err
	}
	return s.plans.Plan(acc.Plan)
}

// Access tells whether an account may act in a profile, and who owns it. A profile that is not there is not
// ok, without an error.
func (s *Service) Access(ctx context.Context, a id.Account, p id.Profile) (owner id.Account, ok bool, err error) {
	if a == "" || !id.Valid(string(p)) {
		return "", false, nil
	}
	pr, err := s.Get(ctx, p)
	if fault.Is(err, fault.NotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return pr.Account, pr.Account == a, nil
}

// Resolve is the gate of every route with a profile in its path: ref is an id or "current". It returns
// not_found for a profile that is not there, not the caller's, or beyond the reach of its token, and Invalid
// for "current" without a profile.
func (s *Service) Resolve(ctx context.Context, who auth.Caller, ref string) (Profile, error) {
	if ref == "current" {
		if who.ProfileID == "" {
			return Profile{}, fault.Field("Profile-Id", "\"current\" needs a profile: name it in the header Profile-Id")
		}
		ref = string(who.ProfileID)
	}
	p := id.Profile(ref)
	if !id.Valid(ref) {
		return Profile{}, NotFound
	}
	switch {
	case who.Kind == auth.System, p == who.ProfileID && who.Kind != auth.Anonymous:
		return s.Get(ctx, p)
	case who.Kind == auth.Session, who.Kind == auth.Profile && who.Reach == auth.ReachAccount:
		if _, ok, err := s.Access(ctx, who.AccountID, p); err != nil || !ok {
			return Profile{}, orNotFound(err)
		}
		return s.Get(ctx, p)
	}
	return Profile{}, NotFound
}

// Owned is Resolve for what only the owner may do. It returns Authorization Denied for a caller who may act
// in the profile without owning it.
func (s *Service) Owned(ctx context.Context, who auth.Caller, ref string) (Profile, error) {
	p, err := s.Resolve(ctx, who, ref)
	if err != nil {
		return Profile{}, err
	}
	if who.Kind != auth.System && who.AccountID != p.Account {
		return Profile{}, auth.Denied()
	}
	return p, nil
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return NotFound
}

// Create makes a profile. It returns Invalid for a bad name, limit_reached at the plan's cap on profiles, and
// whatever a hook refuses; then nothing was made.
func (s *Service) Create(ctx context.Context, who auth.Caller, in CreateInput) (Profile, error) {
	if in.Account == "" {
		in.Account = who.AccountID
	}
	if in.Account != who.AccountID && who.Kind != auth.System {
		return Profile{}, auth.Denied()
	}
	var p Profile
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) (err error) {
		p, err = s.create(ctx, who, in)
		return err
	})
	return p, err
}

// create is Create inside a transaction.
func (s *Service) create(ctx context.Context, who auth.Caller, in CreateInput) (Profile, error) {
	name, err := cleanLine("name", in.Name, maxName)
	if err != nil {
		return Profile{}, err
	}
	in.Name = name
	pl, err := s.PlanOf(ctx, in.Account)
	if err != nil {
		return Profile{}, err
	}
	most := pl.Cap(plan.Profiles)
	ok, err := s.takeSlot(ctx, in.Account, most)
	if err != nil {
		return Profile{}, err
	}
	if !ok {
		return Profile{}, fault.New(fault.LimitReached, "You have exceeded the maximum limit of profiles (%d). Delete a profile first, or change the plan of the account.", most).With(fault.Limit{
			Limit: string(plan.Profiles), Scope: "account", Used: float64(most), Allowed: float64(most), Hint: "Delete a profile, or change the plan of the account.",
		})
	}
	now := clock.FromMillis(clock.Millis(s.clock.Now()))
	p := Profile{ID: id.New[id.Profile](), Account: in.Account, Name: name, CreatedAt: now, UpdatedAt: now}
	if p.No, err = s.nextNo(ctx); err != nil {
		return Profile{}, fmt.Errorf("number a profile: %w", err)
	}
	if err := s.insert(ctx, p); err != nil {
		return Profile{}, fmt.Errorf("insert a profile: %w", err)
	}
	for _, hook := range s.onCreate {
		if err := hook(ctx, who, p, in); err != nil {
			return Profile{}, err
		}
	}
	return p, s.write(ctx, who, p, "Profile created", nil, map[string]any{"name": p.Name})
}

// Edit changes name, pictures and soft limits. It returns not_found, Authorization Denied to others than the owner, and
// Invalid for a bad name, address or limit.
func (s *Service) Edit(ctx context.Context, who auth.Caller, ref string, up Update, public string) (Profile, error) {
	if up.Name != nil {
		name, err := cleanLine("name", *up.Name, maxName)
		if err != nil {
			return Profile{}, err
		}
		up.Name = &name
	}
	if err := up.RPM.Check(); err != nil {
		return Profile{}, err
	}
	p, err := s.Owned(ctx, who, ref)
	if err != nil {
		return Profile{}, err
	}
	err = s.change(ctx, who, p.ID, "Profile edited", func(p *Profile) error {
		if up.Name != nil {
			p.Name = *up.Name
		}
		if up.RPM != nil {
			p.RPMInput, p.RPMOutput = up.RPM.Values()
		}
		for _, pic := range []struct {
			field string
			value *string
			to    **string
		}{{"logo_url", up.Logo, &p.LogoURL}, {"banner_url", up.Banner, &p.BannerURL}} {
			if pic.value == nil {
				continue
			}
			u, err := pictureURL(pic.field, *pic.value, *pic.to, public)
			if err != nil {
				return err
			}
			*pic.to = u
		}
		return nil
	})
	if err != nil {
		return Profile{}, err
	}
	return s.Get(ctx, p.ID)
}

// change reads a profile, lets fn change it and writes it, in one transaction, with its audit event.
func (s *Service) change(ctx context.Context, who auth.Caller, pid id.Profile, message string, fn func(p *Profile) error) error {
	return s.db.Tx(sqldb.As(ctx, pid), func(ctx context.Context) error {
		old, found, err := s.find(ctx, pid)
		if err != nil || !found {
			return orNotFound(err)
		}
		p := old
		if err := fn(&p); err != nil {
			return err
		}
		p.UpdatedAt = s.clock.Now()
		if ok, err := s.set(ctx, p); err != nil || !ok {
			return orNotFound(err)
		}
		if old.Paused && !p.Paused {
			for _, h := range s.onResume {
				if err := h(ctx, pid); err != nil {
					return err
				}
			}
		}
		s.dropPictures(ctx, old, p)
		if err := s.db.Changed(ctx, CacheKind, string(pid)); err != nil {
			return err
		}
		return s.write(ctx, who, p, message, auditable(old), auditable(p))
	})
}

func auditable(p Profile) map[string]any {
	m := map[string]any{"name": p.Name, "logo_url": p.LogoURL, "banner_url": p.BannerURL}
	if r := RPMOf(p.RPMInput, p.RPMOutput); r != nil {
		m["rpm"] = r
	}
	if p.Paused {
		m["paused"] = p.PauseReason
	}
	return m
}

func (s *Service) write(ctx context.Context, who auth.Caller, p Profile, message string, before, after any) error {
	return s.audit.Write(ctx, who, audit.Event{
		Profile: p.ID, Account: p.Account, Resource: "profile", ResourceID: string(p.ID), Message: message, Before: before, After: after,
	})
}

// Pause blocks a profile with a reason that every refusal shows. The owner may, and so may an operator, whose
// pause only an operator lifts. It returns Conflict for a pause that an operator made.
func (s *Service) Pause(ctx context.Context, who auth.Caller, ref, reason string) error {
	reason, err := cleanLine("reason", reason, maxReason)
	if err != nil {
		return err
	}
	p, operator, err := s.pausable(ctx, who, ref)
	if err != nil {
		return err
	}
	return s.change(ctx, who, p.ID, "Profile paused", func(p *Profile) error {
		if p.Paused && p.ByOperator && !operator {
			return byOperator
		}
		p.Paused, p.PauseReason, p.ByOperator = true, reason, operator && who.AccountID != p.Account
		return nil
	})
}

// Resume ends a pause; of a profile that is not paused it does nothing.
func (s *Service) Resume(ctx context.Context, who auth.Caller, ref string) error {
	p, operator, err := s.pausable(ctx, who, ref)
	if err != nil || !p.Paused {
		return err
	}
	return s.change(ctx, who, p.ID, "Profile resumed", func(p *Profile) error {
		if p.Paused && p.ByOperator && !operator {
			return byOperator
		}
		p.Paused, p.PauseReason, p.ByOperator = false, "", false
		return nil
	})
}

var byOperator = fault.New(fault.Conflict, "An operator paused this profile; only an operator can change that")

// pausable resolves a profile for its owner or an operator. An operator reaches every profile here, and
// nothing more than its pause.
func (s *Service) pausable(ctx context.Context, who auth.Caller, ref string) (p Profile, operator bool, err error) {
	operator = who.Operator && who.Reach == auth.ReachAccount
	if operator && id.Valid(ref) {
		p, err = s.Get(ctx, id.Profile(ref))
		return p, operator, err
	}
	p, err = s.Owned(ctx, who, ref)
	return p, operator, err
}

// CheckActive returns Forbidden with the reason for a profile that is paused, and not_found for one that is
// gone.
func (s *Service) CheckActive(ctx context.Context, pid id.Profile) error {
	p, err := s.Get(ctx, pid)
	if err != nil {
		return err
	}
	if p.Paused {
		return fault.New(fault.Forbidden, "This profile is paused: %s", p.PauseReason)
	}
	return nil
}

// Delete ends a profile after its owner confirmed with the password. It returns 401 Invalid password,
// Conflict for the last profile of an account, not_found and Authorization Denied; then nothing changed.
func (s *Service) Delete(ctx context.Context, who auth.Caller, ref, password string) error {
	p, err := s.Owned(ctx, who, ref)
	if err != nil {
		return err
	}
	if who.Kind != auth.System {
		if err := s.accounts.VerifyPassword(ctx, who.AccountID, password, who.Addr); err != nil {
			return err
		}
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.Lock(ctx, p.Account); err != nil {
			return err
		}
		// Looked up again behind the lock: it may have been deleted meanwhile, by a request that came first.
		p, found, err := s.find(ctx, p.ID)
		if err != nil || !found {
			return orNotFound(err)
		}
		ok, err := s.giveSlot(ctx, p.Account)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "The last profile of an account cannot be deleted")
		}
		return s.end(ctx, who, p)
	})
}

// DeleteAll ends every profile of an account that is being deleted, inside the transaction that does so. It
// is a hook for account.Service.OnDelete.
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
			if err := s.end(ctx, who, p); err != nil {
				return err
			}
		}
		_, err = s.db.Exec(ctx, `DELETE FROM profile_owner WHERE account = $1`, a)
		return err
	})
}

// end marks a profile and runs the hooks.
func (s *Service) end(ctx context.Context, who auth.Caller, p Profile) error {
	if ok, err := s.mark(ctx, p.ID, clock.Millis(s.clock.Now())); err != nil || !ok {
		return orNotFound(err)
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
	return s.write(ctx, who, p, "Profile deleted", auditable(p), nil)
}

// Purge removes what deleted profiles still hold, one slice of one hook at a time, until nothing is left or
// budget is spent. It may be cut short and repeated at any point.
func (s *Service) Purge(ctx context.Context, budget time.Duration) error {
	until := time.Now().Add(budget)
	for {
		p, found, err := s.toPurge(ctx)
		if err != nil || !found {
			return err
		}
		for _, hook := range s.onPurge {
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				done, err := hook(sqldb.As(ctx, p.ID), p)
				if err != nil {
					return fmt.Errorf("purge profile %s: %w", p.ID, err)
				}
				crash.At("profile purge between slices")
				if done {
					break
				}
				if time.Now().After(until) {
					return nil
				}
			}
		}
		for _, u := range []*string{p.LogoURL, p.BannerURL} {
			if key, ok := pictureKey(u); ok {
				if err := s.files.Delete(ctx, key); err != nil {
					return fmt.Errorf("purge the pictures of profile %s: %w", p.ID, err)
				}
			}
		}
		if err := s.purged(ctx, p.ID, clock.Millis(s.clock.Now())); err != nil {
			return err
		}
	}
}

// Absolute is the address of a picture as the outside sees it: what was uploaded is below public.
func Absolute(public string, u *string) *string {
	if u == nil || !strings.HasPrefix(*u, "/") {
		return u
	}
	a := public + *u
	return &a
}

// pictureURL checks an address that is to be stored: "" for none, an http(s) address of somebody else, or the
// address (with or without host) of the upload that is there now.
func pictureURL(field, v string, now *string, public string) (*string, error) {
	v = strings.TrimSpace(v)
	if v == "" {
		return nil, nil
	}
	own := strings.TrimPrefix(v, public)
	if now != nil && own == *now {
		return now, nil
	}
	if len(v) > maxURL {
		return nil, fault.Field(field, "must have at most %d characters", maxURL)
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.ContainsAny(v, " \"<>\\^`{|}") {
		return nil, fault.Field(field, "must be null, an http or https address, or the address of the picture uploaded here")
	}
	return &v, nil
}
