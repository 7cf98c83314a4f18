package team

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

const (
	inviteLife = 7 * 24 * time.Hour
	keepEnded  = 30 * 24 * time.Hour // ended invitations and memberships past their date
	maxPeople  = 1000                // in a profile and as staff of an account, whatever the plan
	maxIDs     = 200                 // of a restriction, of each kind

	invitesPerHour = 100 // by one account
	mailsPerHour   = 20  // invitations to one mailbox, from wherever
)

// Member is a person in the team of a profile. As JSON it is part of what Left keeps.
type Member struct {
	Profile   id.Profile   `json:"profile"`
	Account   id.Account   `json:"account"`
	Role      auth.Role    `json:"role"`
	Within    *auth.Within `json:"within,omitempty"` // nil: the whole profile
	InvitedBy id.Account   `json:"invited_by"`
	ExpiresAt int64        `json:"expires_at"` // UTC milliseconds; 0 never
	CreatedAt int64        `json:"created_at"`
}

// Staff is a person in the teams of many profiles of an account.
type Staff struct {
	Owner     id.Account
	Account   id.Account
	Role      auth.Role
	Tags      []tag.Tag // of the profiles, any of them; none for all profiles
	InvitedBy id.Account
	ExpiresAt int64
	CreatedAt int64
}

// Reaches reports whether the person is staff in a profile of the owner.
func (s Staff) Reaches(p profile.Profile) bool {
	return p.Account == s.Owner && reaches(s.Tags, p)
}

func reaches(tags []tag.Tag, p profile.Profile) bool {
	return len(tags) == 0 || slices.ContainsFunc(tags, func(t tag.Tag) bool { return slices.Contains(p.Tags, t) })
}

// State is how far an invitation has come.
type State string

const (
	Pending   State = "pending"
	Accepted  State = "accepted"
	Declined  State = "declined"
	Cancelled State = "cancelled" // by owner or admins, or because the profile is gone
	Replaced  State = "replaced"  // by a newer one
	Expired   State = "expired"
)

// Invitation asks a person into the team of a profile, or to be staff of an account.
type Invitation struct {
	ID          id.Invitation
	Profile     id.Profile // "" for staff
	Owner       id.Account // of the staff; "" for a profile's team
	Email       string     // as it was typed
	Role        auth.Role
	Within      *auth.Within
	Tags        []tag.Tag // of staff
	MemberUntil int64     // 0: for good
	InvitedBy   id.Account
	State       State
	CreatedAt   int64
	ExpiresAt   int64
	EndedAt     int64

	hash, copyHash, sealed string
}

func (i Invitation) address() string { return strings.ToLower(i.Email) }

// ref names an invitation to notifications.
func (i Invitation) ref() string { return refPrefix + string(i.ID) }

const refPrefix = "invitation/"

// at is the state at an instant: an invitation past its date has expired even before anybody notes that.
func (i Invitation) at(now int64) State {
	if i.State == Pending && i.ExpiresAt <= now {
		return Expired
	}
	return i.State
}

// InviteInput asks a person. Role Developer when empty.
type InviteInput struct {
	Email   string
	Role    auth.Role
	Within  *auth.Within // nil: the whole profile
	Tags    []tag.Tag    // for staff: in the profiles with one of these; none for all
	Expires *time.Time   // when the membership ends; nil never
}

func (in *InviteInput) check(now time.Time) error {
	in.Email = strings.TrimSpace(in.Email)
	if err := mail.CheckAddress("email", in.Email); err != nil {
		return err
	}
	in.Role = cmp.Or(in.Role, auth.Developer)
	if err := checkTerms(in.Role, in.Within, in.Expires, now); err != nil {
		return err
	}
	return tag.Check("staff member", in.Tags)
}

// checkTerms judges a role, its restriction and its end together.
func checkTerms(role auth.Role, within *auth.Within, expires *time.Time, now time.Time) error {
	switch role {
	case auth.Admin, auth.Developer, auth.Viewer:
	case auth.Owner:
		return fault.Field("role", "a profile has one owner; ownership is transferred, not given")
	default:
		return fault.Field("role", "must be admin, developer or viewer")
	}
	if expires != nil && !expires.After(now) {
		return fault.Field("expires", "must be in the future")
	}
	if within == nil {
		return nil
	}
	if role == auth.Admin {
		return fault.Field("within", "an admin sees the whole profile: leave it out, or send null")
	}
	for field, p := range map[string]*auth.Part{"within.devices": within.Devices, "within.dashboards": within.Dashboards} {
		if err := checkPart(field, p); err != nil {
			return err
		}
	}
	return nil
}

func checkPart(field string, p *auth.Part) error {
	if p == nil {
		return nil
	}
	if len(p.IDs) > maxIDs {
		return fault.Field(field+".ids", "must be at most %d", maxIDs)
	}
	for i, x := range p.IDs {
		if !id.Valid(x) {
			return fault.Field(fmt.Sprintf("%s.ids[%d]", field, i), "must be an id")
		}
	}
	if len(p.Tags) > tag.Max {
		return fault.Field(field+".tags", "must be at most %d", tag.Max)
	}
	for i, t := range p.Tags {
		if err := check.Line(fmt.Sprintf("%s.tags[%d].key", field, i), t.Key, 1, 100); err != nil {
			return err
		}
		if err := check.Line(fmt.Sprintf("%s.tags[%d].value", field, i), t.Value, 0, 200); err != nil {
			return err
		}
	}
	return nil
}

// narrow is a restriction that restricts: nil when it leaves everything.
func narrow(w *auth.Within) *auth.Within {
	if w == nil || w.Devices == nil && w.Dashboards == nil {
		return nil
	}
	return w
}

func encodeWithin(w *auth.Within) string {
	if w = narrow(w); w == nil {
		return ""
	}
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}

func decodeWithin(s string) (*auth.Within, error) {
	if s == "" {
		return nil, nil
	}
	w := new(auth.Within)
	return w, json.Unmarshal([]byte(s), w)
}

// best is the grant of a person who may have two: the higher role with what restricts it, of equal ones the wider.
func best(a, b *auth.Grant) (auth.Grant, bool) {
	switch {
	case a == nil && b == nil:
		return auth.Grant{}, false
	case a == nil:
		return *b, true
	case b == nil:
		return *a, true
	case a.Role == b.Role && b.Within == nil, !a.Role.AtLeast(b.Role):
		return *b, true
	}
	return *a, true
}

var domain = regexp.MustCompile(`([\pL\pN-])\.(\pL)`)

// Plain is a name that somebody chose, as it may stand in a letter to somebody else.
func Plain(name string) string { return plain(name) }

// plain is a name that somebody chose, for a letter to somebody else: without characters that turn text around, and
// without anything that a mail program would make a link of.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
	name = strings.NewReplacer("://", ": //", "@", " @ ").Replace(name)
	return domain.ReplaceAllString(name, "$1 .$2")
}
