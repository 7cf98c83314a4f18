package team

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

const maxSecret = 100 // bytes of a presented secret that are looked at

// about binds a sealed secret to its invitation.
func about(i id.Invitation) string { return "invitation/" + string(i) }

func (s *Service) link(secret string) string {
	return s.cfg.PublicURL + "/console/team/accept/" + secret
}

// Invite asks a person into the team of a profile. It returns not_found and Forbidden to others than owner and admins,
// Invalid for a bad address or terms, limit_reached without a free seat, and TooMany to who invites all too much. Whether
// the address has an account or is a member makes no difference to what it returns and to the time that takes.
func (s *Service) Invite(ctx context.Context, who auth.Caller, ref string, in InviteInput) error {
	began := time.Now()
	if len(in.Tags) > 0 {
		return fault.Field("tags", "are for staff of an account")
	}
	if err := in.check(s.clock.Now()); err != nil {
		return err
	}
	p, who, err := s.profiles.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return err
	}
	err = s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, p.Account); err != nil {
			return err
		}
		p, err := s.profiles.Get(ctx, p.ID) // behind the lock
		if err != nil {
			return err
		}
		return s.invite(ctx, who, in, p.ID, "", p.Account, []profile.Profile{p}, p.Name)
	})
	if err != nil {
		return err
	}
	account.Evenly(ctx, began)
	return nil
}

// invite makes an invitation into a profile's team, or to the staff of owner, behind the lock of payer's profiles.
func (s *Service) invite(ctx context.Context, who auth.Caller, in InviteInput, pid id.Profile, owner, payer id.Account, reached []profile.Profile, where string) error {
	now := s.now()
	i := Invitation{ID: id.New[id.Invitation](), Profile: pid, Owner: owner, Email: in.Email, Role: in.Role, Within: narrow(in.Within), Tags: in.Tags,
		InvitedBy: who.AccountID, State: Pending, CreatedAt: now, ExpiresAt: now + inviteLife.Milliseconds()}
	if in.Expires != nil {
		i.MemberUntil = clock.Millis(*in.Expires)
	}
	if err := s.accounts.Allow(ctx, "invite", string(who.AccountID), invitesPerHour, "Too many invitations in an hour; try again later"); err != nil {
		return err
	}
	if err := s.accounts.Allow(ctx, "invite mailbox", i.address(), mailsPerHour, "Too many invitations of this person in an hour; try again later"); err != nil {
		return err
	}
	inviter, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	if inviter.Email == i.address() {
		return fault.Field("email", "is your own address")
	}
	acc, err := s.accounts.ByEmail(ctx, i.Email)
	known := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if known {
		there, err := s.there(ctx, acc.ID, pid, owner, payer)
		if err != nil || there {
			return err
		}
	}
	earlier, err := s.pending(ctx, pid, owner)
	if err != nil {
		return err
	}
	for _, e := range earlier {
		if e.address() != i.address() {
			continue
		}
		if _, err := s.end(ctx, e.ID, Replaced, now); err != nil {
			return err
		}
		if err := s.settle(ctx, acc.ID, e); err != nil {
			return err
		}
	}
	for _, p := range reached {
		if err := s.seat(ctx, p, i.address()); err != nil {
			return err
		}
	}
	secret, copied := seal.Secret(), seal.Secret()
	i.hash, i.copyHash, i.sealed = seal.Hash(secret), seal.Hash(copied), s.sealer.Seal(copied, about(i.ID))
	if err := s.insertInvitation(ctx, i); err != nil {
		return err
	}
	if err := s.mailInvitation(ctx, i, inviter, acc.Name, where, secret); err != nil {
		return err
	}
	if known { // about the account alone: who is asked is not in the profile yet
		if _, err := s.notify.Notify(ctx, notify.Notification{Account: acc.ID, Type: notify.Sharing, Buttons: notify.Share(), Enabled: true, Autodisable: true,
			Ref: i.ref(), Title: s.invitesTo(i, plain(inviter.Name), where),
			Message: "As " + string(i.Role) + ". The invitation ends on " + clock.FromMillis(i.ExpiresAt).Format("2 January 2006") + "."}); err != nil {
			return err
		}
	}
	return s.record(ctx, who, i.Profile, payer, string(i.ID), fmt.Sprintf("Invited %s as %s", i.Email, i.Role), nil, auditableInvitation(i))
}

// there reports whether a person is already where an invitation would bring them.
func (s *Service) there(ctx context.Context, a id.Account, p id.Profile, owner, payer id.Account) (bool, error) {
	if a == payer {
		return true, nil
	}
	if owner != "" {
		x, ok, err := s.staff(ctx, owner, a)
		return ok && live(x.ExpiresAt, s.now()), err
	}
	m, ok, err := s.member(ctx, p, a)
	return ok && live(m.ExpiresAt, s.now()), err
}

// settle ends the buttons of the notice that told of an invitation.
func (s *Service) settle(ctx context.Context, a id.Account, i Invitation) error {
	if a == "" {
		return nil
	}
	return s.notify.Settle(ctx, a, i.ref())
}

// record leaves an audit event in a profile, or for what concerns staff in the account.
func (s *Service) record(ctx context.Context, who auth.Caller, p id.Profile, owner id.Account, what, message string, before, after any) error {
	return s.audit.Write(ctx, who, audit.Event{Profile: p, Account: owner, Resource: "team", ResourceID: what, Message: message, Before: before, After: after})
}

func auditableInvitation(i Invitation) map[string]any {
	m := map[string]any{"email": i.Email, "role": i.Role, "expires_at": i.ExpiresAt}
	if i.Within != nil {
		m["within"] = i.Within
	}
	if i.Profile == "" {
		m["tags"] = i.Tags
	}
	if i.MemberUntil > 0 {
		m["member_until"] = i.MemberUntil
	}
	return m
}

var (
	invitationNotFound = fault.New(fault.NotFound, "Invitation Not Found")
	memberNotFound     = fault.New(fault.NotFound, "Team Member Not Found")
)

// ended is the refusal of an invitation that is over.
func ended(st State) error {
	switch st {
	case Accepted:
		return fault.New(fault.Conflict, "This invitation was accepted already")
	case Declined:
		return fault.New(fault.Conflict, "This invitation was declined")
	case Replaced:
		return fault.New(fault.Conflict, "This invitation was replaced by a newer one; use the link of that")
	case Expired:
		return fault.New(fault.Conflict, "This invitation has expired; ask for a new one")
	}
	return fault.New(fault.Conflict, "This invitation was withdrawn")
}

// present finds the invitation of a secret. What exists nowhere counts against the address that presents it, which after
// too many of them is refused with TooMany whatever it presents.
func (s *Service) present(ctx context.Context, who auth.Caller, secret string) (i Invitation, mailed bool, err error) {
	if err := s.accounts.MayGuess(ctx, "invitation", who.Addr); err != nil {
		return i, false, err
	}
	ok := false
	if secret != "" && len(secret) <= maxSecret {
		if i, mailed, ok, err = s.bySecret(ctx, seal.Hash(secret)); err != nil {
			return i, false, err
		}
	}
	if ok {
		return i, mailed, nil
	}
	if err := s.accounts.Guessed(ctx, "invitation", who.Addr); err != nil {
		return i, false, err
	}
	return i, false, invitationNotFound
}

// Next is what the person who opened an invitation's link has to do to accept it.
type Next string

const (
	NextAccept Next = "accept"  // press accept
	NextSignIn Next = "sign_in" // sign in as the person invited
	NextSignUp Next = "sign_up" // choose a name and a password
	NextLetter Next = "letter"  // sign in as the person invited, or open the link in the letter instead
	NextClosed Next = "closed"  // nothing: new people do not sign up on this server
	NextWait   Next = "confirm" // confirm the e-mail of the account first
	NextNone   Next = "none"    // it is over
)

// View is an invitation as the holder of a link sees it. Of one that is over only the state is told.
type View struct {
	State State
	Next  Next
	Invitation
	Profile   string // its name; "" for staff
	Account   string // of staff: whose, by name
	Inviter   string // by name; "" when the account is gone
	Reached   int    // of staff: how many profiles now
	ProfileID id.Profile
}

// Look shows an invitation to whoever holds one of its links and changes nothing. It returns not_found for what is none,
// and TooMany to who guesses.
func (s *Service) Look(ctx context.Context, who auth.Caller, secret string) (View, error) {
	i, mailed, err := s.present(ctx, who, secret)
	if err != nil {
		return View{}, err
	}
	v := View{State: i.at(s.now()), Next: NextNone}
	if v.State != Pending {
		return v, nil
	}
	v.Invitation, v.ProfileID = i, i.Profile
	acc, known, err := s.invitee(ctx, i)
	if err != nil {
		return v, err
	}
	if v.Next, err = s.next(who, acc, known, mailed); err != nil {
		return v, err
	}
	if by, err := s.accounts.Get(ctx, i.InvitedBy); err == nil {
		v.Inviter = by.Name
	} else if !fault.Is(err, fault.NotFound) {
		return v, err
	}
	if i.Profile != "" {
		p, err := s.profiles.Get(ctx, i.Profile)
		v.Profile = p.Name
		return v, err
	}
	owner, err := s.accounts.Get(ctx, i.Owner)
	if err != nil {
		return v, err
	}
	v.Account = owner.Name
	ps, err := s.reached(ctx, i.Owner, i.Tags)
	v.Reached = len(ps)
	return v, err
}

// invitee is the account of an invitation's address, if there is one.
func (s *Service) invitee(ctx context.Context, i Invitation) (account.Account, bool, error) {
	acc, err := s.accounts.ByEmail(ctx, i.Email)
	if fault.Is(err, fault.NotFound) {
		return acc, false, nil
	}
	return acc, err == nil, err
}

// next says what is left to do. See the package comment for what each of the two links proves. A copied link does not
// tell whether the address has an account, unless the server tells that at every sign-up anyway, being without mail.
func (s *Service) next(who auth.Caller, acc account.Account, known, mailed bool) (Next, error) {
	switch {
	case known && who.Kind == auth.Session && who.AccountID == acc.ID:
		return NextAccept, nil
	case !mailed && s.accounts.MailProves():
		return NextLetter, nil
	case !known:
		if s.accounts.Signup() == account.Closed {
			return NextClosed, nil
		}
		return NextSignUp, nil
	case !acc.Active:
		return NextWait, nil
	case mailed:
		return NextAccept, nil
	}
	return NextSignIn, nil
}

// Joined is what accepting an invitation made of a person.
type Joined struct {
	Account account.Account
	Profile id.Profile // where to go; "" when staff reach no profile yet
	Guest   bool       // the account was made by accepting
}

// Accept makes the person invited a member, or staff. guest is for a person without an account and makes one; nil for
// others. It returns not_found and TooMany as Look does, Conflict for an invitation that is over, Forbidden when the link
// does not prove who presents it, and what account.Service.Join returns.
func (s *Service) Accept(ctx context.Context, who auth.Caller, secret string, guest *account.CreateInput) (Joined, error) {
	i, mailed, err := s.present(ctx, who, secret)
	if err != nil {
		return Joined{}, err
	}
	if st := i.at(s.now()); st != Pending {
		return Joined{}, ended(st)
	}
	acc, known, err := s.invitee(ctx, i)
	if err != nil {
		return Joined{}, err
	}
	next, err := s.next(who, acc, known, mailed)
	if err != nil {
		return Joined{}, err
	}
	switch next {
	case NextAccept:
		err = s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error { return s.join(ctx, who, i, acc) })
	case NextSignUp:
		if guest == nil {
			return Joined{}, fault.New(fault.Conflict, "There is no account with this address yet: open %s/console/team/accept/… in a browser and choose a name and a password", s.cfg.PublicURL)
		}
		in := *guest
		in.Email = i.Email
		if in, err = s.accounts.Prepare(ctx, who, in); err != nil { // slow on purpose: outside the transaction
			return Joined{}, err
		}
		err = s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error {
			if acc, err = s.accounts.Join(ctx, who, in); err != nil {
				return err
			}
			return s.join(ctx, who, i, acc)
		})
	case NextClosed:
		err = fault.New(fault.Forbidden, "There is no account with this address, and signing up is closed; ask whoever runs this server for an account")
	case NextWait:
		err = fault.New(fault.Conflict, "The account of this address waits for confirmation: open the link in the letter that you got when you signed up, then come back")
	case NextLetter:
		err = fault.New(fault.Forbidden, "Sign in as the person invited, or open the link in the letter that was sent to that address: this one does not prove who you are")
	default:
		err = fault.New(fault.Forbidden, "Sign in as the person invited: this link does not prove who you are")
	}
	if err != nil {
		return Joined{}, err
	}
	j := Joined{Account: acc, Profile: i.Profile, Guest: next == NextSignUp}
	if i.Profile == "" {
		ps, err := s.reached(ctx, i.Owner, i.Tags)
		if err != nil {
			return j, err
		}
		if len(ps) > 0 {
			j.Profile = ps[0].ID
		}
	}
	return j, nil
}

// join uses an invitation up for an account, inside a transaction.
func (s *Service) join(ctx context.Context, who auth.Caller, i Invitation, acc account.Account) error {
	now := s.now()
	if acc.Blocked {
		return fault.New(fault.Forbidden, "This account is blocked; ask whoever runs this server")
	}
	if i.MemberUntil > 0 && i.MemberUntil <= now {
		return fault.New(fault.Conflict, "The membership would have ended already; ask for a new invitation")
	}
	ok, err := s.end(ctx, i.ID, Accepted, now)
	if err != nil {
		return err
	}
	if !ok { // another one was first
		now, _, err := s.invitation(ctx, i.ID)
		if err != nil {
			return err
		}
		return ended(now.State)
	}
	owner := i.Owner
	if i.Profile != "" {
		p, err := s.profiles.Get(ctx, i.Profile)
		if err != nil {
			return err
		}
		owner = p.Account
	}
	if owner == acc.ID {
		return fault.New(fault.Conflict, "This is your own")
	}
	if i.Profile != "" {
		err = s.putMember(ctx, Member{Profile: i.Profile, Account: acc.ID, Role: i.Role, Within: i.Within, InvitedBy: i.InvitedBy, ExpiresAt: i.MemberUntil, CreatedAt: now})
	} else {
		err = s.putStaff(ctx, Staff{Owner: i.Owner, Account: acc.ID, Role: i.Role, Tags: i.Tags, InvitedBy: i.InvitedBy, ExpiresAt: i.MemberUntil, CreatedAt: now})
	}
	if err != nil {
		return err
	}
	if err := s.settle(ctx, acc.ID, i); err != nil {
		return err
	}
	if err := s.tellOutcome(ctx, i, plain(acc.Name)+" ("+acc.Email+")", Accepted); err != nil {
		return err
	}
	as := auth.Caller{Kind: auth.Session, AccountID: acc.ID, SessionID: who.SessionID, Addr: who.Addr}
	return s.record(ctx, as, i.Profile, owner, string(acc.ID), fmt.Sprintf("%s accepted the invitation", acc.Email), nil, auditableInvitation(i))
}

// Decline ends an invitation; either link will do. It returns what Look returns, and Conflict for one that is over.
func (s *Service) Decline(ctx context.Context, who auth.Caller, secret string) error {
	i, _, err := s.present(ctx, who, secret)
	if err != nil {
		return err
	}
	return s.decline(ctx, who, i)
}

func (s *Service) decline(ctx context.Context, who auth.Caller, i Invitation) error {
	if st := i.at(s.now()); st != Pending {
		return ended(st)
	}
	acc, known, err := s.invitee(ctx, i)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error {
		ok, err := s.end(ctx, i.ID, Declined, s.now())
		if err != nil {
			return err
		}
		if !ok {
			now, _, err := s.invitation(ctx, i.ID)
			if err != nil {
				return err
			}
			return ended(now.State)
		}
		if known {
			if err := s.settle(ctx, acc.ID, i); err != nil {
				return err
			}
		}
		if err := s.tellOutcome(ctx, i, i.Email, Declined); err != nil {
			return err
		}
		as := auth.Caller{Kind: auth.Anonymous, Addr: who.Addr}
		return s.record(ctx, as, i.Profile, i.Owner, string(i.ID), i.Email+" declined the invitation", auditableInvitation(i), nil)
	})
}

// Answer accepts or declines an invitation by the Ref of its notice, for the person who got it. It returns not_found for
// somebody else's, and Conflict for one that is over.
func (s *Service) Answer(ctx context.Context, who auth.Caller, ref string, accept bool) error {
	iid, ok := strings.CutPrefix(ref, refPrefix)
	if !ok {
		return invitationNotFound
	}
	i, ok, err := s.invitation(ctx, id.Invitation(iid))
	if err != nil {
		return err
	}
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	if !ok || i.address() != acc.Email {
		return invitationNotFound
	}
	if st := i.at(s.now()); st != Pending {
		return ended(st)
	}
	if !accept {
		return s.decline(ctx, who, i)
	}
	return s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error { return s.join(ctx, who, i, acc) })
}

// Link is the link to copy of an invitation that waits, for owner and admins; of staff, for the owner of the account.
func (s *Service) Link(ctx context.Context, who auth.Caller, i Invitation) (string, error) {
	if st := i.at(s.now()); st != Pending {
		return "", ended(st)
	}
	secret, err := s.sealer.Open(i.sealed, about(i.ID))
	if err != nil {
		return "", fmt.Errorf("open an invitation: %w", err)
	}
	err = s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error {
		return s.record(ctx, who, i.Profile, i.Owner, string(i.ID), "Link of the invitation of "+i.Email+" copied", nil, nil)
	})
	return s.link(secret), err
}

// ofProfile finds an invitation of a profile, in whatever state, or returns not_found.
func (s *Service) ofProfile(ctx context.Context, p id.Profile, ref string) (Invitation, error) {
	i, ok, err := s.invitation(ctx, id.Invitation(ref))
	if err == nil && (!ok || i.Profile != p) {
		err = invitationNotFound
	}
	return i, err
}

// ofAccount is ofProfile for staff.
func (s *Service) ofAccount(ctx context.Context, owner id.Account, ref string) (Invitation, error) {
	i, ok, err := s.invitation(ctx, id.Invitation(ref))
	if err == nil && (!ok || i.Profile != "" || i.Owner != owner) {
		err = invitationNotFound
	}
	return i, err
}

// cancel withdraws an invitation.
func (s *Service) cancel(ctx context.Context, who auth.Caller, i Invitation) error {
	acc, known, err := s.invitee(ctx, i)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, i.Profile), func(ctx context.Context) error {
		ok, err := s.end(ctx, i.ID, Cancelled, s.now())
		if err != nil {
			return err
		}
		if !ok {
			return memberNotFound
		}
		if known {
			if err := s.settle(ctx, acc.ID, i); err != nil {
				return err
			}
		}
		return s.record(ctx, who, i.Profile, i.Owner, string(i.ID), "Invitation of "+i.Email+" withdrawn", auditableInvitation(i), nil)
	})
}
