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
	OwnerID    id.Account // the account that owns ProfileID; "" when ProfileID is
	ProfileID  id.Profile // the profile acted in; "" for a session that named none
	DeviceID   id.Device  // for Kind Device
	TokenID    id.Token   // the token presented; "" for sessions
	TokenName  string     // its name, for the audit log
	TokenTail  string     // last four characters of the secret, for request lists
	SessionID  id.Session // for Kind Session
	Permission Permission // Full for sessions
	Reach      Reach      // ReachAccount for sessions
	Operator   bool       // the account runs this installation
	Addr       string     // client address, after trusted proxies
}

// IsOwner reports whether the person acting owns the profile acted in.
func (c Caller) IsOwner() bool { return c.AccountID != "" && c.AccountID == c.OwnerID }

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
	Owner   bool   // needs the person acting to own the profile acted in
	Profile bool   // needs a profile: a session must name one by the Profile-Id header
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

// ByOwner is r for a route only the profile's owner may call.
func (r Rule) ByOwner() Rule { r.Owner = true; return r }

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

// Check judges a caller. It returns an Unauthorized fault for a wrong kind, permission or reach, and Invalid
// for a session that named no profile.
func (r Rule) Check(method string, c Caller) error {
	if !slices.Contains(r.Kinds, c.Kind) {
		return denied
	}
	if c.Kind == Anonymous {
		return nil
	}
	if !c.Permission.allows(r.ActionFor(method)) {
		return denied
	}
	if r.Account {
		if c.Kind == Profile && (c.Reach != ReachAccount || !c.IsOwner()) {
			return denied
		}
	}
	if r.Profile && c.ProfileID == "" {
		return fault.Field("Profile-Id", "this route acts in a profile: name it in the header Profile-Id")
	}
	if r.Owner && !c.IsOwner() {
		return denied
	}
	return nil
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
