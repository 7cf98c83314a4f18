package support

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

// Access says whether operators may look into profiles of others.
type Access string

const (
	Never  Access = "never"  // they may not
	Ask    Access = "ask"    // when the owner allows it
	Logged Access = "logged" // at once; the owner is told
)

const (
	maxReason = 300
	maxHours  = 24
	askFor    = 7 * 24 * time.Hour // an owner can allow a look for so long
)

// LookState is how far a look has come.
type LookState string

const (
	Asked  LookState = "asked"
	Active LookState = "active"
	Denied LookState = "denied"
	Ended  LookState = "ended" // by somebody, or its time is over
)

// Look is an operator's stay in a profile of somebody else, or the wish for one.
type Look struct {
	ID        id.Look
	Profile   id.Profile
	Owner     id.Account // of the profile, when it was asked for
	Operator  id.Account
	Reason    string
	Hours     int64
	State     LookState // as it was written; see at
	AskedAt   int64     // UTC milliseconds, as all below; 0 means none
	From      int64
	Until     int64 // while it is asked for: when it can be allowed no more
	EndedAt   int64
	EndedBy   id.Account // "" when its time ran out
	DecidedBy id.Account // who allowed it; "" when nobody was asked
}

func (l Look) ref() string { return lookRef + "/" + string(l.ID) }

const lookRef = "look"

// at is the state at an instant: a look whose time is over has ended even before anybody notes that.
func (l Look) at(now int64) LookState {
	if (l.State == Active || l.State == Asked) && l.Until <= now {
		return Ended
	}
	return l.State
}

// lasts reports whether a look lets its operator into a profile.
func (l *Look) lasts(p profile.Profile, now int64) bool {
	return l != nil && l.at(now) == Active && l.Owner == p.Account
}

var (
	lookNotFound = fault.New(fault.NotFound, "Look Not Found")
	lookNever    = fault.New(fault.Forbidden, "Operators do not look into profiles on this server: it runs with --operator-access never")
	lookTwice    = fault.New(fault.Conflict, "You look into this profile already, or have asked to: end that first")
	lookOwn      = fault.New(fault.Conflict, "You have a role in this profile: you need no look")
)

// Start begins a look of an operator, or asks the owner for one, as Config.Access says. hours 0 means one. It returns Forbidden
// to others than operators and where operators may not, not_found for a profile that is not there, Invalid for a bad reason or
// time, and Conflict to who has a role there or looks already.
func (s *Service) Start(ctx context.Context, who auth.Caller, ref id.Profile, reason string, hours int64) (Look, error) {
	if !asOperator(who) {
		return Look{}, auth.LacksOperator()
	}
	if s.cfg.Access == Never {
		return Look{}, lookNever
	}
	reason = strings.TrimSpace(reason)
	if err := check.Line("reason", reason, 1, maxReason); err != nil {
		return Look{}, err
	}
	if hours == 0 {
		hours = 1
	}
	if hours < 1 || hours > maxHours {
		return Look{}, fault.Field("hours", "must be from 1 to %d", maxHours)
	}
	var l Look
	err := s.db.Tx(sqldb.As(ctx, ref), func(ctx context.Context) error {
		p, err := s.profiles.Get(ctx, ref)
		if err != nil {
			return err
		}
		if _, ok, err := s.profiles.Access(ctx, who.AccountID, ref); err != nil || ok {
			if err == nil {
				err = lookOwn
			}
			return err
		}
		now := s.now()
		if err := s.retireLooks(ctx, p, who.AccountID, now); err != nil {
			return err
		}
		l = Look{ID: id.New[id.Look](), Profile: p.ID, Owner: p.Account, Operator: who.AccountID, Reason: reason, Hours: hours, State: Asked, AskedAt: now, Until: now + askFor.Milliseconds()}
		if s.cfg.Access != Ask {
			l.begin(now)
		}
		if ok, err := s.insertLook(ctx, l); err != nil || !ok {
			if err == nil {
				err = lookTwice
			}
			return err
		}
		return s.began(ctx, who, p, l)
	})
	return l, err
}

// begin is the moment from which a look lets in.
func (l *Look) begin(now int64) {
	l.State, l.From, l.Until = Active, now, now+l.Hours*time.Hour.Milliseconds()
}

// began tells the owner of a look, or asks for it, and writes it down.
func (s *Service) began(ctx context.Context, who auth.Caller, p profile.Profile, l Look) error {
	name, err := s.person(ctx, l.Operator)
	if err != nil {
		return err
	}
	page := s.cfg.PublicURL + "/console/p/" + string(p.ID) + "/profile"
	n := notify.Notification{Account: p.Account, Profile: p.ID, Type: notify.System, Ref: l.ref(), Enabled: true}
	mayRead := "Whoever looks reads what a viewer of the profile may, sees no secrets and no costs, and changes nothing."
	var after string
	what := fmt.Sprintf("Operator %s asks to look for %s", name, hoursOf(l.Hours))
	if l.State == Active {
		n.Title = "An operator looks into " + p.Name
		n.Message = fmt.Sprintf("%s, who runs this server, looks into the profile until %s: %s", name, instant(l.Until), l.Reason)
		n.Buttons = []notify.Button{notify.Link("open", "See the looks", page)}
		what = fmt.Sprintf("Operator %s looks until %s", name, instant(l.Until))
		after = "You can end it on that page at any time."
	} else {
		n.Title = "An operator asks to look into " + p.Name
		n.Message = fmt.Sprintf("%s, who runs this server, asks to look into the profile for %s: %s", name, hoursOf(l.Hours), l.Reason)
		n.Buttons, n.Autodisable = []notify.Button{{ID: "allow", Label: "Allow", Triggers: []notify.Trigger{}}, {ID: "deny", Label: "Deny", Triggers: []notify.Trigger{}}}, true
		after = "Nobody looks unless you allow it on that page, until " + instant(l.Until) + "."
	}
	if _, err := s.notify.Notify(ctx, n); err != nil {
		return err
	}
	if err := s.mailTo(ctx, p.Account, mail.Letter{Subject: s.cfg.Name + ": " + n.Title, Paragraphs: []string{n.Message, mayRead}, Action: "See the looks", URL: page, After: []string{after}}); err != nil {
		return err
	}
	who.Kind = audit.Look
	return s.recordLook(ctx, who, l, what+" (operator look: "+l.Reason+")")
}

func (s *Service) recordLook(ctx context.Context, who auth.Caller, l Look, message string) error {
	return s.audit.Write(ctx, who, audit.Event{Profile: l.Profile, Account: l.Owner, Resource: "look", ResourceID: string(l.ID), Message: message,
		After: map[string]any{"operator": l.Operator, "reason": l.Reason, "state": l.State, "hours": l.Hours}})
}

func hoursOf(n int64) string {
	if n == 1 {
		return "an hour"
	}
	return fmt.Sprintf("%d hours", n)
}

func instant(ms int64) string { return clock.FromMillis(ms).Format("2 January 2006, 15:04 UTC") }

// mailTo writes to a person, unless they are gone or blocked.
func (s *Service) mailTo(ctx context.Context, to id.Account, l mail.Letter) error {
	a, err := s.accounts.Get(ctx, to)
	if fault.Is(err, fault.NotFound) || err == nil && a.Blocked {
		return nil
	}
	if err != nil {
		return err
	}
	l.Greeting = "Hello " + oneLine(a.Name) + ","
	m, err := l.Message(a.Email)
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	return s.mail.Send(ctx, m)
}

// Decide allows or denies a look that was asked for. Only the owner of the profile may, signed in. It returns not_found for
// one that is not there, and Conflict for one that does not wait.
func (s *Service) Decide(ctx context.Context, who auth.Caller, ref string, look id.Look, allow bool) error {
	p, err := s.profiles.Owned(ctx, who, ref)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		l, err := s.holdLook(ctx, p.ID, look)
		if err != nil {
			return err
		}
		now := s.now()
		if l.at(now) != Asked || l.Owner != p.Account {
			return fault.New(fault.Conflict, "This look does not wait for an answer: it is %s", l.at(now))
		}
		title, what := "You may look into "+p.Name, "Look of an operator allowed"
		if allow {
			l.begin(now)
			l.DecidedBy = who.AccountID
		} else {
			l.State, l.EndedAt, l.EndedBy = Denied, now, who.AccountID
			title, what = "You may not look into "+p.Name, "Look of an operator denied"
		}
		if err := s.putLook(ctx, l); err != nil {
			return err
		}
		if err := s.notify.Settle(ctx, p.Account, l.ref()); err != nil {
			return err
		}
		if err := s.tellOperator(ctx, l, title); err != nil {
			return err
		}
		return s.recordLook(ctx, who, l, what)
	})
}

// tellOperator tells an operator what became of a look.
func (s *Service) tellOperator(ctx context.Context, l Look, title string) error {
	n := notify.Notification{Account: l.Operator, Type: notify.System, Title: title, Message: "You had asked: " + l.Reason}
	if l.State == Active {
		n.Message = fmt.Sprintf("Until %s: %s", instant(l.Until), l.Reason)
		n.Buttons, n.Enabled = []notify.Button{notify.Link("open", "Open the profile", s.cfg.PublicURL+"/console/p/"+string(l.Profile))}, true
	}
	_, err := s.notify.Notify(ctx, n)
	return err
}

// End ends a look before its time, or takes back the wish for one. The owner of the profile and operators may, signed in. Of one
// that is over it does nothing.
func (s *Service) End(ctx context.Context, who auth.Caller, ref string, look id.Look) error {
	pid := id.Profile(ref)
	if !asOperator(who) {
		p, err := s.profiles.Owned(ctx, who, ref)
		if err != nil {
			return err
		}
		pid = p.ID
	} else if ref == "current" {
		pid = who.ProfileID
	}
	return s.db.Tx(sqldb.As(ctx, pid), func(ctx context.Context) error {
		l, err := s.holdLook(ctx, pid, look)
		if err != nil {
			return err
		}
		now := s.now()
		was := l.at(now)
		if was != Active && was != Asked {
			return nil
		}
		l.State, l.EndedAt, l.EndedBy = Ended, now, who.AccountID
		if err := s.putLook(ctx, l); err != nil {
			return err
		}
		if err := s.notify.Settle(ctx, l.Owner, l.ref()); err != nil {
			return err
		}
		if who.AccountID == l.Operator {
			who.Kind = audit.Look
		} else {
			if err := s.tellOperator(ctx, l, "Your look into a profile was ended"); err != nil {
				return err
			}
			who = operatorOf(who, l.Owner)
		}
		who.Look = ""
		return s.recordLook(ctx, who, l, "Look of an operator ended")
	})
}

// pressed is the answer to a look by a button of the notification.
func (s *Service) pressed(ctx context.Context, who auth.Caller, n notify.Notification, b notify.Button) error {
	if b.ID != "allow" && b.ID != "deny" {
		return nil
	}
	if err := auth.SessionOnly.Check("PUT", who); err != nil {
		return err
	}
	_, look, _ := strings.Cut(n.Ref, "/")
	return s.Decide(ctx, who, string(n.Profile), id.Look(look), b.ID == "allow")
}

// Looks lists those into a profile, the latest first. Owner and admins may see them.
func (s *Service) Looks(ctx context.Context, who auth.Caller, ref string, limit, offset int64) ([]Look, error) {
	p, _, err := s.profiles.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return nil, err
	}
	return s.looksOf(ctx, "profile", string(p.ID), limit, offset)
}

// LooksOfAll lists the looks of all operators, or of one, the latest first. It returns Forbidden to others than operators.
func (s *Service) LooksOfAll(ctx context.Context, who auth.Caller, operator id.Account, limit, offset int64) ([]Look, error) {
	if !asOperator(who) {
		return nil, auth.LacksOperator()
	}
	if operator != "" {
		return s.looksOf(ctx, "operator", string(operator), limit, offset)
	}
	return s.looksOf(ctx, "", "", limit, offset)
}

// current is the look of an operator in a profile that was allowed, from memory; it may be over. nil for none.
func (s *Service) current(ctx context.Context, operator id.Account, p id.Profile) (*Look, error) {
	return s.looks.Get(ctx, pair(p, operator))
}

// allowed reports whether somebody may look at all, now: looks end with the rights of who looks and with the setting.
func (s *Service) allowed(ctx context.Context, operator id.Account) (string, bool, error) {
	if s.cfg.Access == Never {
		return "", false, nil
	}
	a, err := s.accounts.Get(ctx, operator)
	if fault.Is(err, fault.NotFound) {
		return "", false, nil
	}
	return oneLine(a.Name), err == nil && a.Operator && !a.Blocked, err
}

// LookOf is the look of an operator that lasts in a profile. It is for profile.Service.Enter.
func (s *Service) LookOf(ctx context.Context, operator id.Account, p profile.Profile) (profile.Look, bool, error) {
	l, err := s.current(ctx, operator, p.ID)
	if err != nil || !l.lasts(p, s.now()) {
		return profile.Look{}, false, err
	}
	name, ok, err := s.allowed(ctx, operator)
	return l.toProfile(name), ok, err
}

func (l Look) toProfile(name string) profile.Look {
	return profile.Look{ID: l.ID, Profile: l.Profile, Operator: l.Operator, Name: name, Reason: l.Reason, From: l.From, Until: l.Until}
}

// LooksBy lists what an operator looks into now.
func (s *Service) LooksBy(ctx context.Context, operator id.Account) ([]profile.Look, error) {
	ls, err := s.activeLooks(ctx, "operator", string(operator))
	if err != nil {
		return nil, err
	}
	return s.lasting(ctx, ls)
}

// LooksInto lists who looks into a profile now.
func (s *Service) LooksInto(ctx context.Context, p profile.Profile) ([]profile.Look, error) {
	ls, err := s.activeLooks(ctx, "profile", string(p.ID))
	if err != nil {
		return nil, err
	}
	return s.lasting(ctx, ls)
}

// lasting are those that let in at this moment. Who has become a member meanwhile does not look any more.
func (s *Service) lasting(ctx context.Context, ls []Look) ([]profile.Look, error) {
	out := []profile.Look{}
	for _, l := range ls {
		p, err := s.profiles.Get(ctx, l.Profile)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, member, err := s.profiles.Access(ctx, l.Operator, l.Profile)
		if err != nil {
			return nil, err
		}
		name, ok, err := s.allowed(ctx, l.Operator)
		if err != nil {
			return nil, err
		}
		if ok && !member && l.lasts(p, s.now()) {
			out = append(out, l.toProfile(name))
		}
	}
	return out, nil
}

// profileDeleted is a hook.
func (s *Service) profileDeleted(ctx context.Context, _ auth.Caller, p profile.Profile) error {
	return s.EndLooks(ctx, p.ID)
}

// EndLooks ends the looks into a profile that is deleted or changes hands, in the transaction of ctx. A look that another owner was
// told of lets nobody in anyway; ended it stays so when the profile comes back.
func (s *Service) EndLooks(ctx context.Context, p id.Profile) error {
	ls, err := s.activeLooks(ctx, "profile", string(p))
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range ls {
		l.State, l.EndedAt = Ended, s.now()
		errs = append(errs, s.putLook(ctx, l))
	}
	return errors.Join(errs...)
}

// PurgeProfile deletes what a deleted profile left. It is a profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	const slice = 1000
	n, err := s.db.Exec(sqldb.As(ctx, p.ID), `DELETE FROM operator_look WHERE id IN (SELECT id FROM operator_look WHERE profile = $1 LIMIT $2)`, p.ID, int64(slice))
	return n < slice, err
}
