package auth

import (
	"fmt"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

// Role is what a person may do in a profile. The owner's and the developer's are TagoIO's (its members are all
// developers); admin and viewer are ours. docs/access.md has the table.
type Role string

const (
	Owner     Role = "owner"     // everything
	Admin     Role = "admin"     // all but owning: no billing, allocation, transfer or deletion of the profile
	Developer Role = "developer" // uses everything in the profile; the role of a member unless another is given
	Viewer    Role = "viewer"    // reads
)

// roles from the least to the most.
var roles = []Role{Viewer, Developer, Admin, Owner}

// AtLeast reports whether r may do what least may. No role may nothing.
func (r Role) AtLeast(least Role) bool {
	i := slices.Index(roles, r)
	return i >= 0 && i >= slices.Index(roles, least)
}

// Grant is what an account may do in a profile.
type Grant struct {
	Owner  id.Account // of the profile
	Role   Role
	Within *Within // nil: the whole profile
	Look   string  // why an operator of the installation, who was granted nothing, is let in to look; "" otherwise
}

// Within narrows a grant to some devices and dashboards.
type Within struct {
	Devices    *Part `json:"devices,omitempty"`    // nil: all devices
	Dashboards *Part `json:"dashboards,omitempty"` // nil: all dashboards
}

// May is the permission that is left of the caller's token in the role: a viewer writes nothing.
func (c Caller) May() Permission {
	if c.Role != Viewer || c.Permission == Read {
		return c.Permission
	}
	if c.Permission == Full {
		return Read
	}
	return Deny
}

// Part is the things with one of the ids or one of the tags. An empty part is none of them.
type Part struct {
	IDs  []string `json:"ids,omitempty"`
	Tags []Tag    `json:"tags,omitempty"`
}

// Tag is a word pair that things carry; package tag has its rules.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Devices is the part of the profile's devices that the caller may see; nil for all of them.
func (c Caller) Devices() *Part {
	if c.Within == nil {
		return nil
	}
	return c.Within.Devices
}

// Dashboards is the part of the profile's dashboards that the caller may see; nil for all of them.
func (c Caller) Dashboards() *Part {
	if c.Within == nil {
		return nil
	}
	return c.Within.Dashboards
}

// HasID reports whether the part names the thing itself. A nil part has everything.
func (p *Part) HasID(thing string) bool { return p == nil || slices.Contains(p.IDs, thing) }

// HasTag reports whether things with a tag are in the part, upper and lower case told apart. A nil part has everything.
func (p *Part) HasTag(key, value string) bool {
	return p == nil || slices.Contains(p.Tags, Tag{Key: key, Value: value})
}

// Same reports whether two restrictions say the same, word for word.
func (w *Within) Same(o *Within) bool {
	if w == nil || o == nil {
		return w == o
	}
	return w.Devices.same(o.Devices) && w.Dashboards.same(o.Dashboards)
}

func (p *Part) same(o *Part) bool {
	if p == nil || o == nil {
		return p == o
	}
	return slices.Equal(p.IDs, o.IDs) && slices.Equal(p.Tags, o.Tags)
}

// Lack says which right a caller is missing. It is the Detail of a refusal.
type Lack struct {
	Needs string `json:"needs"` // "role admin", "permission write", "reach account"
	Has   string `json:"has"`   // "role viewer"; "" for none
	Hint  string `json:"hint"`  // who can give it
}

// Outside is the refusal of a change that only those may make who see all things of a kind ("device"). why goes on after
// "You see only some of the devices of this profile".
func Outside(what, why string) error {
	hint := "The owner of the profile or one of its admins can make this change, or give you more of its " + what + "s."
	return fault.New(fault.Forbidden, "You see only some of the %ss of this profile%s. %s", what, why, hint).
		With(Lack{Needs: fmt.Sprintf("all %ss", what), Has: fmt.Sprintf("some %ss", what), Hint: hint})
}

// LacksOwner is the refusal of a token that a member made, on a route that speaks of an account.
func LacksOwner(has Role) error {
	return denied.With(Lack{Needs: "role " + string(Owner), Has: "role " + string(has), Hint: "Only a token that the owner of the profile made reaches the account."})
}

// LacksPermission is the refusal of a token whose permission is too little.
func LacksPermission(has, needs Permission) error {
	return denied.With(Lack{Needs: "permission " + string(needs), Has: "permission " + string(has),
		Hint: "Use a token with that permission; whoever may act in the profile can make one."})
}

// LacksReach is the refusal of a token that reaches its profile only.
func LacksReach(has Reach) error {
	return denied.With(Lack{Needs: "reach account", Has: "reach " + string(has), Hint: "The owner can make a token that reaches the account, or sign in."})
}

// LacksKind is the refusal of a kind of credential where others are needed.
func LacksKind(has Kind, needs ...Kind) error {
	l := Lack{Has: kindWords[has], Hint: "Sign in, or use a token of the profile; whoever may act in the profile can make one."}
	switch {
	case slices.Contains(needs, Profile):
		l.Needs = kindWords[Profile]
	case slices.Contains(needs, Session):
		l.Needs, l.Hint = kindWords[Session], "This is for people who have signed in: sign in with your own e-mail address and password."
	case slices.Contains(needs, Device):
		l.Needs, l.Hint = kindWords[Device], "Use a token of the device; whoever may change the device can make one."
	}
	return denied.With(l)
}

// LacksOperator is the refusal of a person on a route about the installation.
func LacksOperator() error {
	hint := "This is for whoever runs this server; an operator can make another one on the command line."
	return fault.New(fault.Forbidden, "Authorization Denied: this needs an operator of this server. %s", hint).With(Lack{Needs: "operator", Hint: hint})
}

// LooksOnly is the refusal of an operator who looks into a profile and would change something there, even what a viewer may.
func LooksOnly() error {
	hint := "Whoever looks into a profile as an operator reads and changes nothing; its owner can invite you."
	return fault.New(fault.Forbidden, "Authorization Denied: %s", hint).With(Lack{Needs: fmt.Sprintf("role %s", Developer), Has: "a look as an operator", Hint: hint})
}

// kindWords are the kinds as refusals name them.
var kindWords = map[Kind]string{Anonymous: "no credential", Session: "session", Profile: "profile token", Device: "device token", System: "system"}

// LacksRole is the refusal of a person whose role in the profile is too little.
func LacksRole(has, needs Role) error {
	hint := "The owner of the profile or one of its admins can give it."
	if needs == Owner {
		hint = "Only the owner of the profile can do this."
	}
	return fault.New(fault.Forbidden, "Authorization Denied: this needs the role %s in the profile, and yours is %s. %s", needs, has, hint).
		With(Lack{Needs: fmt.Sprintf("role %s", needs), Has: fmt.Sprintf("role %s", has), Hint: hint})
}
