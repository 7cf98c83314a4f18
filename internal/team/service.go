package team

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// Config is what the room must know of the installation.
type Config struct {
	PublicURL string       // where links in mails lead; no slash at the end
	Name      string       // of the installation, in mails; "Paddock" when empty
	Log       *slog.Logger // slog.Default() when nil
}

// MadeToken is a token that a person made in a profile.
type MadeToken struct {
	Profile    id.Profile
	Name       string
	Tail       string // last four characters
	Permission auth.Permission
	LastUse    int64 // UTC milliseconds; 0 for never
	CreatedAt  int64
}

// Tokens is what the room of tokens, which lies to the left, does for this one.
type Tokens interface {
	// MadeBy lists the living profile tokens that a person made in a profile.
	MadeBy(ctx context.Context, p id.Profile, a id.Account) ([]MadeToken, error)
	// EndMadeBy revokes them, in the transaction of ctx.
	EndMadeBy(ctx context.Context, who auth.Caller, p id.Profile, a id.Account) error
}

// Service knows the teams. It is safe for concurrent use once the hooks are registered.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	audit    *audit.Log
	notify   *notify.Service
	mail     *mail.Mailer
	sealer   *seal.Sealer
	cfg      Config
	clock    clock.Clock

	members *sqldb.Cache[*Member] // by profile and account; nil: none
	staffs  *sqldb.Cache[*Staff]  // by owner and account

	tokens Tokens // nil: there are none
}

// MemberKind and StaffKind name changes of members and staff, for whoever keeps what they may do; the keys are
// "<profile>/<account>" and "<owner>/<account>".
const (
	MemberKind = "member"
	StaffKind  = "staff"
)

// pair is the key of a member or of staff in the caches.
func pair(of string, a id.Account) string { return of + "/" + string(a) }

// New makes the room and tells profile.Service, account.Service and notify.Service what it knows.
func New(db *sqldb.DB, accounts *account.Service, profiles *profile.Service, notices *notify.Service, log *audit.Log, mailer *mail.Mailer, sealer *seal.Sealer, cfg Config, clk clock.Clock) *Service {
	if cfg.Name == "" {
		cfg.Name = "Paddock"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Service{db: db, accounts: accounts, profiles: profiles, notify: notices, audit: log, mail: mailer, sealer: sealer, cfg: cfg, clock: clk}
	s.members = sqldb.NewCache(db, MemberKind, 50_000, func(ctx context.Context, key string) (*Member, error) {
		p, a, _ := strings.Cut(key, "/")
		m, ok, err := s.member(ctx, id.Profile(p), id.Account(a))
		if err != nil || !ok {
			return nil, err
		}
		return &m, nil
	})
	s.staffs = sqldb.NewCache(db, StaffKind, 50_000, func(ctx context.Context, key string) (*Staff, error) {
		owner, a, _ := strings.Cut(key, "/")
		x, ok, err := s.staff(ctx, id.Account(owner), id.Account(a))
		if err != nil || !ok {
			return nil, err
		}
		return &x, nil
	})
	notices.SetAudience(s.audience)
	notices.OnButton(notify.Sharing, func(ctx context.Context, who auth.Caller, n notify.Notification, b notify.Button) error {
		return s.Answer(ctx, who, n.Ref, b.ID == "accept")
	})
	profiles.SetGrants(s.Grant)
	profiles.OnTags(s.seatsFor)
	profiles.OnDelete(s.profileDeleted)
	profiles.OnFit(s.fits)
	profiles.OnRestore(s.profileRestored)
	accounts.OnDelete(s.accountDeleted)
	accounts.Invited(func(ctx context.Context, email string) (bool, error) {
		return s.invited(ctx, strings.ToLower(email), s.now())
	})
	return s
}

// SetTokens registers the room of tokens; before the server starts.
func (s *Service) SetTokens(t Tokens) { s.tokens = t }

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) { r.Every("team expiry", 10*time.Minute, s.Expire) }

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

// live reports whether a date has not come; 0 never does.
func live(expires, now int64) bool { return expires == 0 || expires > now }

// Grant is what a person who does not own a profile may do in it. It is a profile.GrantFunc, asked for every request of
// a member.
func (s *Service) Grant(ctx context.Context, a id.Account, p id.Profile) (auth.Grant, bool, error) {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return auth.Grant{}, false, err
	}
	m, err := s.members.Get(ctx, pair(string(p), a))
	if err != nil {
		return auth.Grant{}, false, err
	}
	x, err := s.staffs.Get(ctx, pair(string(pr.Account), a))
	if err != nil {
		return auth.Grant{}, false, err
	}
	g, ok := s.grant(m, x, pr)
	return g, ok, nil
}

// grant is what a membership and a staff role, of which either may be missing, give together in a profile now.
func (s *Service) grant(m *Member, x *Staff, p profile.Profile) (auth.Grant, bool) {
	now := s.now()
	var direct, wide *auth.Grant
	if m != nil && live(m.ExpiresAt, now) {
		direct = &auth.Grant{Owner: p.Account, Role: m.Role, Within: m.Within}
	}
	if x != nil && live(x.ExpiresAt, now) && x.Reaches(p) {
		wide = &auth.Grant{Owner: p.Account, Role: x.Role}
	}
	return best(direct, wide)
}

// audience is whom to tell what happens in a profile: its owner and admins.
func (s *Service) audience(ctx context.Context, p id.Profile) ([]id.Account, error) {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return nil, err
	}
	members, err := s.membersOf(ctx, p)
	if err != nil {
		return nil, err
	}
	staff, err := s.staffOf(ctx, pr.Account)
	if err != nil {
		return nil, err
	}
	var some []id.Account
	for _, m := range members {
		some = append(some, m.Account)
	}
	for _, x := range staff {
		some = append(some, x.Account)
	}
	slices.Sort(some)
	out := []id.Account{pr.Account}
	for _, a := range slices.Compact(some) {
		g, ok, err := s.Grant(ctx, a, p)
		if err != nil {
			return nil, err
		}
		if ok && g.Role.AtLeast(auth.Admin) {
			out = append(out, a)
		}
	}
	return out, nil
}

// people are the addresses that hold a seat in a profile: members, staff who reach it, whoever is invited.
func (s *Service) people(ctx context.Context, p profile.Profile) (map[string]bool, error) {
	seats, now := map[string]bool{}, s.now()
	person := func(a id.Account, expires int64) error {
		if !live(expires, now) {
			return nil
		}
		acc, err := s.accounts.Get(ctx, a)
		if err == nil {
			seats[acc.Email] = true
		} else if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	}
	members, err := s.membersOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if err := person(m.Account, m.ExpiresAt); err != nil {
			return nil, err
		}
	}
	staff, err := s.staffOf(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	for _, x := range staff {
		if x.Reaches(p) {
			if err := person(x.Account, x.ExpiresAt); err != nil {
				return nil, err
			}
		}
	}
	asked, err := s.pending(ctx, p.ID, "")
	if err != nil {
		return nil, err
	}
	wide, err := s.pending(ctx, "", p.Account)
	if err != nil {
		return nil, err
	}
	for _, i := range append(asked, wide...) {
		if i.ExpiresAt > now && (i.Profile != "" || reaches(i.Tags, p)) {
			seats[i.address()] = true
		}
	}
	return seats, nil
}

// seat returns limit_reached when a profile has no seat for an address that holds none there yet. The lock of its owner's
// profiles must be held.
func (s *Service) seat(ctx context.Context, p profile.Profile, address string) error {
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return err
	}
	seats, err := s.people(ctx, p)
	if err != nil || seats[address] {
		return err
	}
	if most := min(pl.Cap(plan.Team), maxPeople); int64(len(seats)) >= most {
		return noSeat(p, int64(len(seats)), most)
	}
	return nil
}

// seatsFor refuses tags that would let more staff into a profile than it has seats. It is a hook of profile.Service.
func (s *Service) seatsFor(ctx context.Context, old, p profile.Profile) error {
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return err
	}
	before, err := s.people(ctx, old)
	if err != nil {
		return err
	}
	after, err := s.people(ctx, p)
	if err != nil {
		return err
	}
	most := min(pl.Cap(plan.Team), maxPeople)
	for address := range after {
		if !before[address] && int64(len(after)) > most {
			return noSeat(p, int64(len(before)), most)
		}
	}
	return nil
}

func noSeat(p profile.Profile, used, most int64) error {
	return fault.New(fault.LimitReached, "You have exceeded the maximum limit of team members (%d) of the profile %q. Invitations that wait and staff count too; remove somebody first, or change the plan of the owner.", most, p.Name).
		With(fault.Limit{Limit: string(plan.Team), Scope: "profile", Used: float64(used), Allowed: float64(most), Hint: "Remove a member or an invitation, or change the plan of the owner."})
}

// Count is how many seats of a profile are taken.
func (s *Service) Count(ctx context.Context, p id.Profile) (int64, error) {
	pr, err := s.profiles.Get(ctx, p)
	if err != nil {
		return 0, err
	}
	seats, err := s.people(ctx, pr)
	return int64(len(seats)), err
}

// profileDeleted ends the invitations to a profile and tells its people. Members stay what they were until it is purged: nobody
// can reach it meanwhile, and they can again when it is restored. It is a hook.
func (s *Service) profileDeleted(ctx context.Context, who auth.Caller, p profile.Profile) error {
	if err := s.endAll(ctx, p.ID, "", Cancelled, s.now()); err != nil {
		return err
	}
	text := fmt.Sprintf("The profile “%s” was deleted with everything in it. You have no access to it any more.", plain(p.Name))
	switch at, err := s.profiles.PurgeAt(ctx, p.ID); {
	case err != nil:
		return err
	case at > 0:
		text += fmt.Sprintf(" Its owner can restore it until %s; you would have access again then.", clock.FromMillis(at).Format("2 January 2006, 15:04 UTC"))
	}
	return s.tellPeople(ctx, who, p, "", "a profile was deleted", text)
}

// profileRestored tells people that they have access again. It is a hook.
func (s *Service) profileRestored(ctx context.Context, who auth.Caller, r profile.Restored) error {
	return s.tellPeople(ctx, who, r.Profile, r.ID, "the profile was restored", fmt.Sprintf("The profile “%s” was restored. You have access to it again, as before.", plain(r.Name)))
}

// tellPeople tells the members of a profile, the staff who reach it and its owner of something, but for the one who did it.
func (s *Service) tellPeople(ctx context.Context, who auth.Caller, p profile.Profile, where id.Profile, title, text string) error {
	members, err := s.membersOf(ctx, p.ID)
	if err != nil {
		return err
	}
	staff, err := s.staffOf(ctx, p.Account)
	if err != nil {
		return err
	}
	to, now := []id.Account{p.Account}, s.now()
	for _, m := range members {
		if live(m.ExpiresAt, now) {
			to = append(to, m.Account)
		}
	}
	for _, x := range staff {
		if live(x.ExpiresAt, now) && x.Reaches(p) {
			to = append(to, x.Account)
		}
	}
	to = slices.DeleteFunc(to, func(a id.Account) bool { return a == who.AccountID })
	if len(to) == 0 {
		return nil
	}
	return s.tell(ctx, where, title, text, to...)
}

// fits says whether a profile that is to be restored has a seat for everybody who would reach it. It is a profile.FitFunc.
func (s *Service) fits(ctx context.Context, p profile.Profile, to id.Account) ([]profile.Check, error) {
	pl, err := s.profiles.PlanOf(ctx, to)
	if err != nil {
		return nil, err
	}
	seats, err := s.people(ctx, p)
	if err != nil || len(seats) == 0 {
		return nil, err
	}
	most := min(pl.Cap(plan.Team), maxPeople)
	return []profile.Check{{Name: string(plan.Team), OK: int64(len(seats)) <= most, Blocks: true,
		Detail: fmt.Sprintf("%d people would reach it; the plan of the account allows %d.", len(seats), most)}}, nil
}

// PurgeProfile ends the memberships of a deleted profile, a slice at a time. It is a profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	members, err := s.membersOf(ctx, p.ID)
	if err != nil {
		return false, err
	}
	const slice = 200
	part := members[:min(slice, len(members))]
	err = s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		for _, m := range part {
			if _, err := s.deleteMember(ctx, p.ID, m.Account); err != nil {
				return err
			}
		}
		return nil
	})
	return err == nil && len(part) == len(members), err
}

// accountDeleted ends a person's memberships, and the staff of their account. It is a hook.
func (s *Service) accountDeleted(ctx context.Context, _ auth.Caller, a id.Account) error {
	if err := s.endAll(ctx, "", a, Cancelled, s.now()); err != nil {
		return err
	}
	members, err := s.membershipsOf(ctx, a)
	if err != nil {
		return err
	}
	for _, m := range members {
		if _, err := s.deleteMember(ctx, m.Profile, a); err != nil {
			return err
		}
	}
	own, err := s.staffOf(ctx, a)
	if err != nil {
		return err
	}
	roles, err := s.staffRolesOf(ctx, a)
	if err != nil {
		return err
	}
	for _, x := range append(own, roles...) {
		if _, err := s.deleteStaff(ctx, x.Owner, x.Account); err != nil {
			return err
		}
	}
	return nil
}

// Expire notes the invitations that nobody answered and tells who waits for an answer; it forgets old ones, and
// memberships that ended a while ago.
func (s *Service) Expire(ctx context.Context) error {
	const slice = 200
	for {
		due, err := s.due(ctx, s.now(), slice)
		if err != nil {
			return err
		}
		var errs []error
		for _, i := range due {
			errs = append(errs, s.expire(ctx, i))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("note that invitations expired: %w", err)
		}
		if len(due) < slice {
			break
		}
	}
	before := s.now() - keepEnded.Milliseconds()
	for {
		n, err := s.dropEnded(sqldb.As(ctx, ""), before, slice)
		if err != nil {
			return err
		}
		if n < slice {
			break
		}
	}
	members, err := s.expiredMembers(ctx, before, slice)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := s.db.Tx(sqldb.As(ctx, m.Profile), func(ctx context.Context) error {
			_, err := s.deleteMember(ctx, m.Profile, m.Account)
			return err
		}); err != nil {
			return err
		}
	}
	staff, err := s.expiredStaff(ctx, before, slice)
	if err != nil {
		return err
	}
	for _, x := range staff {
		if err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
			_, err := s.deleteStaff(ctx, x.Owner, x.Account)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) expire(ctx context.Context, i Invitation) error {
	return s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error {
		ok, err := s.end(ctx, i.ID, Expired, s.now())
		if err != nil || !ok {
			return err
		}
		return s.tellOutcome(ctx, i, i.Email, Expired)
	})
}

// Reseal seals with the first key what another key sealed, and returns how many invitations that were.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	const slice = 200
	changed := 0
	var after id.Invitation
	for {
		list, err := s.sealedAfter(ctx, after, slice)
		if err != nil || len(list) == 0 {
			return changed, err
		}
		after = list[len(list)-1].ID
		for _, i := range list {
			if !s.sealer.Stale(i.sealed) {
				continue
			}
			secret, err := s.sealer.Open(i.sealed, about(i.ID))
			if err != nil {
				return changed, fmt.Errorf("invitation %s: %w", i.ID, err)
			}
			if err := s.writeSealed(sqldb.As(ctx, ""), i.ID, s.sealer.Seal(secret, about(i.ID))); err != nil {
				return changed, err
			}
			changed++
		}
	}
}
