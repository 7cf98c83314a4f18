// Package auth is the vocabulary of "who": the caller that every service method takes and the rule that
// every route states. It decides nothing by itself except Rule.Check.
package auth

import (
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

// Kind is what a caller presented.
type Kind string

const (
	Anonymous Kind = "none"    // no credential
	Session   Kind = "session" // a signed-in browser: an account, and a profile by the Profile-Id header
	Profile   Kind = "profile" // a profile token, p-…
	Device    Kind = "device"  // a device token, unprefixed
	System    Kind = "system"  // Paddock itself or its command line; never over HTTP
)

// Permission is what a token may do. The words are TagoIO's.
type Permission string

const (
	Full  Permission = "full"  // everything
	Read  Permission = "read"  // GET
	Write Permission = "write" // POST and PUT; neither GET, nor DELETE, nor routes that delete
	Deny  Permission = "deny"  // nothing but GET /info
)

// ValidPermission reports whether p is one of the four.
func ValidPermission(p Permission) bool {
	return p == Full || p == Read || p == Write || p == Deny
}

// Reach is how far a profile token goes beyond its profile. It is ours; TagoIO's tokens always have
// the reach "account".
type Reach string

const (
	ReachProfile Reach = "profile" // its own profile only
	ReachAccount Reach = "account" // also the account's routes, switch, and its creator's other profiles
)

// Caller is who makes a request. It is an explicit argument of every service method.
type Caller struct {
	Kind       Kind
	AccountID  id.Account // the person acting: session's account or token's creator; "" for devices
	ProfileID  id.Profile // the profile acted in; "" for a session that named none
	OwnerID    id.Account // the account that owns ProfileID; "" when ProfileID is
	Role       Role       // the person's in ProfileID; "" for devices and without a profile
	Within     *Within    // the part of ProfileID that the person may see; nil for all of it
	DeviceID   id.Device  // for Kind Device
	TokenID    id.Token   // the token presented; "" for sessions
	TokenName  string     // its name, for the audit log
	TokenTail  string     // last four characters of the secret, for request lists
	SessionID  id.Session // for Kind Session
	Permission Permission // Full for sessions
	Reach      Reach      // ReachAccount for sessions
	Adopted    bool       // the token was taken over by a new owner of the profile: AccountID's by name, perhaps in a former owner's hands
	Operator   bool       // the account runs this installation
	Look       string     // why an operator is in ProfileID without a role of their own; "" for everybody else
	Act        Action     // of the route being answered; "" outside of a request
	Addr       string     // client address, after trusted proxies
}

// IsOwner reports whether the person acting owns the profile acted in. A token that a new owner took over never acts for that person.
func (c Caller) IsOwner() bool { return c.AccountID != "" && c.AccountID == c.OwnerID && !c.Adopted }

// SystemCaller is Paddock acting by itself, or an operator at the command line.
func SystemCaller() Caller {
	return Caller{Kind: System, Permission: Full, Reach: ReachAccount, Operator: true}
}

// Action is what a route does with things; a token's permission is judged against it.
type Action string

const (
	ActRead   Action = "read"
	ActWrite  Action = "write"
	ActDelete Action = "delete" // removes; needs Full
	ActAny    Action = "any"    // open to every live token, Deny included: GET /info
)

// Rule says who may call a route. The zero Rule refuses everybody.
type Rule struct {
	Kinds   []Kind // callers admitted; Anonymous means that no credential is needed
	Action  Action // "" means by method: GET read, POST and PUT write, DELETE delete
	Account bool   // needs a session or a token of reach "account" made by the profile's owner
	Profile bool   // needs a profile: a session must name one by the Profile-Id header
	Role    Role   // the least role in that profile; "" means by action: viewer to read, developer for the rest
}

// The rules most routes use.
var (
	Anyone      = Rule{Kinds: []Kind{Anonymous, Session, Profile, Device}, Action: ActAny}
	AnyToken    = Rule{Kinds: []Kind{Session, Profile, Device}, Action: ActAny}
	InProfile   = Rule{Kinds: []Kind{Session, Profile}, Profile: true}
	OfAccount   = Rule{Kinds: []Kind{Session, Profile}, Account: true}
	SessionOnly = Rule{Kinds: []Kind{Session}}
	OfDevice    = Rule{Kinds: []Kind{Device}}
)

// Deleting is r for a route that deletes under a verb other than DELETE.
func (r Rule) Deleting() Rule { r.Action = ActDelete; return r }

// Reading is r for a route that only reads, whatever its verb or reach.
func (r Rule) Reading() Rule { r.Action = ActRead; return r }

// By is r for a route that needs another role in the profile than its action says.
func (r Rule) By(least Role) Rule { r.Role = least; return r }

// RoleFor is the least role in the profile that a route with the given method needs; "" when it acts in none.
func (r Rule) RoleFor(method string) Role {
	switch {
	case !r.Profile:
		return ""
	case r.Role != "":
		return r.Role
	case r.ActionFor(method) == ActRead:
		return Viewer
	}
	return Developer
}

// ActionFor is the action of a route with the given method.
func (r Rule) ActionFor(method string) Action {
	if r.Action != "" {
		return r.Action
	}
	switch method {
	case "GET", "HEAD":
		return ActRead
	case "DELETE":
		return ActDelete
	}
	return ActWrite
}

// denied is the one answer to a caller that may not do something; it tells nothing about what exists.
var denied = fault.New(fault.Unauthorized, "Authorization Denied")

// Denied is that answer, for rooms that judge more than a Rule can say.
func Denied() error { return denied }

// In is c acting in a profile with what it was granted there.
func (c Caller) In(p id.Profile, g Grant) Caller {
	c.ProfileID, c.OwnerID, c.Role, c.Within, c.Look = p, g.Owner, g.Role, g.Within, g.Look
	return c
}

// Check judges a caller. It returns an Unauthorized fault for a wrong kind, permission or reach, Forbidden for a role
// that is too little, and Invalid for a session that named no profile.
func (r Rule) Check(method string, c Caller) error {
	if !slices.Contains(r.Kinds, c.Kind) {
		return LacksKind(c.Kind, r.Kinds...)
	}
	if c.Kind == Anonymous {
		return nil
	}
	if a := r.ActionFor(method); !c.Permission.allows(a) {
		return LacksPermission(c.Permission, a.permission())
	}
	if r.Account && c.Kind == Profile {
		switch {
		case !c.IsOwner():
			return LacksOwner(c.Role)
		case c.Reach != ReachAccount:
			return LacksReach(c.Reach)
		}
	}
	if r.Profile && c.ProfileID == "" {
		return fault.Field("Profile-Id", "this route acts in a profile: name it in the header Profile-Id")
	}
	if r.Profile && c.Look != "" && r.ActionFor(method) != ActRead {
		return LooksOnly()
	}
	if least := r.RoleFor(method); least != "" && c.Kind != Device && c.Kind != System && !c.Role.AtLeast(least) {
		return LacksRole(c.Role, least)
	}
	return nil
}

// permission is the least that allows a.
func (a Action) permission() Permission {
	switch a {
	case ActRead:
		return Read
	case ActWrite:
		return Write
	}
	return Full
}

func (p Permission) allows(a Action) bool {
	if a == ActAny {
		return true
	}
	switch p {
	case Full:
		return true
	case Read:
		return a == ActRead
	case Write:
		return a == ActWrite
	}
	return false
}
