package profile

import (
	"context"
	"fmt"
	"net/url"
	"slices"
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
	"paddock/internal/tag"
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
	// GrantFunc tells what an account that does not own a profile was granted in it, without its owner.
	GrantFunc func(ctx context.Context, a id.Account, p id.Profile) (g auth.Grant, ok bool, err error)
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

	granted GrantFunc // nil: owners only
	looks   Looks     // nil: operators look into nothing
	log     *searches // in the audit log; see auditlog.go

	grace time.Duration // how long a deleted profile can be restored

	onCreate   []CreateHook
	onDelete   []DeleteHook
	onPurge    []PurgeHook
	onResume   []func(ctx context.Context, p id.Profile) error
	onTags     []func(ctx context.Context, old, p Profile) error
	onFit      []FitFunc
	onRestore  []RestoreHook
	onHandover []HandoverHook
}

// CacheKind names changes of profiles, for caches of later rooms; the key is the id.
const CacheKind = "profile"

// New makes the service.
func New(db *sqldb.DB, accounts *account.Service, plans *plan.Catalogue, log *audit.Log, files blob.Store, clk clock.Clock) *Service {
	s := &Service{db: db, accounts: accounts, plans: plans, audit: log, files: files, clock: clk, log: newSearches()}
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

// OnTags registers a hook of a later room, called with the profile as it was and as it has become inside the transaction
// that changes its tags, which holds the lock of its owner; before the server starts.
func (s *Service) OnTags(h func(ctx context.Context, old, p Profile) error) {
	s.onTags = append(s.onTags, h)
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

// PlanOf is the plan of an account with the terms it has now: all that bounds it.
func (s *Service) PlanOf(ctx context.Context, a id.Account) (plan.Plan, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return plan.Plan{}, err
	}
	pl, _, err := s.planOf(acc)
	return pl, err
}

// TermsOf is PlanOf with the terms as they are kept.
func (s *Service) TermsOf(ctx context.Context, a id.Account) (plan.Plan, plan.Terms, error) {
	acc, err := s.accounts.Get(ctx, a)
	if err != nil {
		return plan.Plan{}, plan.Terms{}, err
	}
	return s.planOf(acc)
}

func (s *Service) planOf(acc account.Account) (plan.Plan, plan.Terms, error) {
	pl, err := s.plans.Plan(acc.Plan)
	if err != nil || acc.Terms == "" {
		return pl, plan.Terms{}, err
	}
	t, err := plan.ParseTerms(acc.Terms)
	if err != nil {
		return pl, t, fmt.Errorf("account %s: %w", acc.ID, err)
	}
	return pl.With(t, clock.Millis(s.clock.Now())), t, nil
}

// SetGrants registers who knows what owners have granted to others; before the server starts.
func (s *Service) SetGrants(f GrantFunc) { s.granted = f }

// Access tells what an account may do in a profile. A profile that is not there is not ok, without an error.
func (s *Service) Access(ctx context.Context, a id.Account, p id.Profile) (g auth.Grant, ok bool, err error) {
	if a == "" || !id.Valid(string(p)) {
		return g, false, nil
	}
	pr, err := s.Get(ctx, p)
	if fault.Is(err, fault.NotFound) {
		return g, false, nil
	}
	if err != nil {
		return g, false, err
	}
	if pr.Account == a {
		return auth.Grant{Owner: a, Role: auth.Owner}, true, nil
	}
	if s.granted == nil {
		return g, false, nil
	}
	g, ok, err = s.granted(ctx, a, p)
	g.Owner = pr.Account
	return g, ok && err == nil, err
}

// Enter is Access for a request of who: somebody who has signed in, is an operator and has no role in the profile is let in by a
// look. A token never is, whoever made it, and a membership wins.
func (s *Service) Enter(ctx context.Context, who auth.Caller, p id.Profile) (g auth.Grant, ok bool, err error) {
	g, ok, err = s.Access(ctx, who.AccountID, p)
	if ok || err != nil || s.looks == nil || !who.Operator || who.Kind != auth.Session || !id.Valid(string(p)) {
		return g, ok, err
	}
	pr, err := s.Get(ctx, p)
	if fault.Is(err, fault.NotFound) {
		return g, false, nil
	}
	if err != nil {
		return g, false, err
	}
	l, ok, err := s.looks.LookOf(ctx, who.AccountID, pr)
	if err != nil || !ok {
		return g, false, err
	}
	return auth.Grant{Owner: pr.Account, Role: auth.Viewer, Look: l.Reason}, true, nil
}

// Resolve is the gate of every route with a profile in its path: ref is an id or "current". It returns the profile and
// the caller acting in it. A profile that is not there, not the caller's, or beyond the reach of its token is
// not_found; "current" without a profile is Invalid; a role below least is Forbidden.
func (s *Service) Resolve(ctx context.Context, who auth.Caller, ref string, least auth.Role) (Profile, auth.Caller, error) {
	if ref == "current" {
		if who.ProfileID == "" {
			return Profile{}, who, fault.Field("Profile-Id", "\"current\" needs a profile: name it in the header Profile-Id")
		}
		ref = string(who.ProfileID)
	}
	p := id.Profile(ref)
	if !id.Valid(ref) {
		return Profile{}, who, NotFound
	}
	switch {
	case who.Kind == auth.System, p == who.ProfileID && who.Kind != auth.Anonymous:
	case who.Kind == auth.Session, who.Kind == auth.Profile && who.Reach == auth.ReachAccount:
		g, ok, err := s.Enter(ctx, who, p)
		if err != nil || !ok {
			return Profile{}, who, orNotFound(err)
		}
		who = who.In(p, g)
	default:
		return Profile{}, who, NotFound
	}
	pr, err := s.Get(ctx, p)
	if err == nil && who.Look != "" && who.Act != auth.ActRead {
		return pr, who, auth.LooksOnly()
	}
	if err == nil && who.Kind != auth.System && !who.Role.AtLeast(least) {
		err = auth.LacksRole(who.Role, least)
	}
	return pr, who, err
}

// Owned is Resolve for what only the owner may do.
func (s *Service) Owned(ctx context.Context, who auth.Caller, ref string) (Profile, error) {
	p, _, err := s.Resolve(ctx, who, ref, auth.Owner)
	return p, err
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return NotFound
}

// Create makes a profile. It returns Invalid for a bad name, Forbidden to guests where sign-up is closed, limit_reached at the plan's cap on profiles, and
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
		if err := s.mayOwn(ctx, who, in.Account); err != nil {
			return err
		}
		p, err = s.create(ctx, who, in)
		return err
	})
	return p, err
}

// mayOwn refuses a guest, who came by an invitation and owns nothing yet, where sign-up is closed: who owns profiles there
// is for operators to say.
func (s *Service) mayOwn(ctx context.Context, who auth.Caller, a id.Account) error {
	if who.Kind == auth.System || s.accounts.Signup() != account.Closed {
		return nil
	}
	ps, err := s.owned(ctx, a)
	if err == nil && len(ps) == 0 {
		err = fault.New(fault.Forbidden, "You are a guest here: ask whoever runs this server if you want to own a profile")
	}
	return err
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
		return Profile{}, noSlot(most)
	}
	now := clock.FromMillis(clock.Millis(s.clock.Now()))
	p := Profile{ID: id.New[id.Profile](), Account: in.Account, Name: name, Tags: []tag.Tag{}, CreatedAt: now, UpdatedAt: now}
	if p.No, err = s.nextNo(ctx); err != nil {
		return Profile{}, fmt.Errorf("number a profile: %w", err)
	}
	if err := s.insert(ctx, p); err != nil {
		return Profile{}, fmt.Errorf("insert a profile: %w", err)
	}
	if err := s.begin(ctx, p, clock.Millis(now)); err != nil {
		return Profile{}, err
	}
	for _, hook := range s.onCreate {
		if err := hook(ctx, who, p, in); err != nil {
			return Profile{}, err
		}
	}
	return p, s.write(ctx, who, p, "Profile created", nil, map[string]any{"name": p.Name})
}

// Edit changes name, pictures, colour, reference, soft limits and tags. It returns not_found, Forbidden to others than the owner and admins, and
// Invalid for a bad name, address, colour, reference, limit or tag.
func (s *Service) Edit(ctx context.Context, who auth.Caller, ref string, up Update, public string) (Profile, error) {
	if up.Name != nil {
		name, err := cleanLine("name", *up.Name, maxName)
		if err != nil {
			return Profile{}, err
		}
		up.Name = &name
	}
	for _, x := range []struct {
		value **string
		clean func(string) (string, error)
	}{{&up.Color, CleanColor}, {&up.Reference, CleanReference}} {
		if *x.value != nil {
			clean, err := x.clean(**x.value)
			if err != nil {
				return Profile{}, err
			}
			*x.value = &clean
		}
	}
	if err := up.RPM.Check(); err != nil {
		return Profile{}, err
	}
	if up.Tags != nil {
		if err := tag.Check("profile", *up.Tags); err != nil {
			return Profile{}, err
		}
	}
	p, who, err := s.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return Profile{}, err
	}
	edit := func(p *Profile) error {
		if up.Tags != nil {
			p.Tags = slices.Clone(*up.Tags)
		}
		if up.Name != nil {
			p.Name = *up.Name
		}
		if up.Color != nil {
			p.Color = *up.Color
		}
		if up.Reference != nil {
			p.Reference = *up.Reference
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
	}
	err = s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if up.Tags != nil { // before the row: whoever deletes the profile takes them in this order
			if err := s.Lock(ctx, p.Account); err != nil {
				return err
			}
		}
		return s.change(ctx, who, p.ID, "Profile edited", edit)
	})
	if err != nil {
		return Profile{}, err
	}
	return s.Get(ctx, p.ID)
}

// ChangeTags takes tags from a profile and adds others, whatever else changes them at the same time. It returns what Edit does.
func (s *Service) ChangeTags(ctx context.Context, who auth.Caller, ref string, add, remove []tag.Tag) error {
	p, who, err := s.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if err := s.Lock(ctx, p.Account); err != nil { // before the row, as Edit has it
			return err
		}
		old, found, err := s.find(ctx, p.ID)
		if err != nil || !found {
			return orNotFound(err)
		}
		tags := slices.DeleteFunc(slices.Clone(old.Tags), func(t tag.Tag) bool { return slices.Contains(remove, t) })
		for _, t := range add {
			if !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
		if slices.Equal(tags, old.Tags) {
			return nil
		}
		if err := tag.Check("profile", tags); err != nil {
			return err
		}
		return s.change(ctx, who, p.ID, "Profile edited", func(p *Profile) error {
			p.Tags = tags
			return nil
		})
	})
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
		if !slices.Equal(old.Tags, p.Tags) {
			for _, h := range s.onTags {
				if err := h(ctx, old, p); err != nil {
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
	if p.Color != "" {
		m["color"] = p.Color
	}
	if p.Reference != "" {
		m["reference"] = p.Reference
	}
	if len(p.Tags) > 0 {
		m["tags"] = p.Tags
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
	p, who, operator, err := s.pausable(ctx, who, ref)
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
	p, who, operator, err := s.pausable(ctx, who, ref)
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

// pausable resolves a profile for its owner, an admin or an operator. An operator reaches every profile here, and
// nothing more than its pause; by is the caller as the audit log is to know it.
func (s *Service) pausable(ctx context.Context, who auth.Caller, ref string) (p Profile, by auth.Caller, operator bool, err error) {
	operator = who.Operator && who.Reach == auth.ReachAccount
	p, by, err = s.Resolve(ctx, who, ref, auth.Admin)
	if err == nil || !operator || !id.Valid(ref) {
		return p, by, operator, err
	}
	by = who
	by.Kind = audit.Operator
	p, err = s.Get(ctx, id.Profile(ref))
	return p, by, operator, err
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

// Purge removes what profiles still hold that were deleted and cannot be restored any more, and drafts that nobody published,
// one slice of one hook at a time, until nothing is left or budget is spent. It may be cut short and repeated at any point.
func (s *Service) Purge(ctx context.Context, budget time.Duration) error {
	until := time.Now().Add(budget)
	for {
		p, found, err := s.toPurge(ctx, s.now())
		if err != nil || !found {
			return err
		}
		crash.At("profile chosen to be purged")
		// From here on nobody restores it; who did so a moment ago, or kept the draft, was first.
		if ours, err := s.claim(ctx, p.ID, s.now()); err != nil {
			return err
		} else if !ours {
			continue
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
