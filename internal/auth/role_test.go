package auth_test

import (
	"strings"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

func TestRoles(t *testing.T) {
	order := []auth.Role{"", auth.Viewer, auth.Developer, auth.Admin, auth.Owner}
	for i, has := range order {
		for j, least := range order[1:] {
			if got := has.AtLeast(least); got != (i >= j+1) {
				t.Errorf("%q at least %q: %v", has, least, got)
			}
		}
	}
	for _, c := range []struct {
		rule   auth.Rule
		method string
		least  auth.Role
	}{
		{auth.InProfile, "GET", auth.Viewer},
		{auth.InProfile, "POST", auth.Developer},
		{auth.InProfile, "DELETE", auth.Developer},
		{auth.InProfile.Reading(), "POST", auth.Viewer},
		{auth.InProfile.By(auth.Admin), "GET", auth.Admin},
		{auth.OfAccount, "POST", ""},
	} {
		for _, has := range order[1:] {
			who := auth.Caller{Kind: auth.Session, AccountID: "a", ProfileID: "p", Role: has, Permission: auth.Full, Reach: auth.ReachAccount}
			err := c.rule.Check(c.method, who)
			if allowed := c.least == "" || has.AtLeast(c.least); allowed != (err == nil) {
				t.Errorf("%s by %s: %v", c.method, has, err)
			} else if !allowed && (!fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), string(c.least))) {
				t.Errorf("%s by %s does not name what it lacks: %v", c.method, has, err)
			}
		}
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	member := auth.Caller{Kind: auth.Profile, AccountID: "a", OwnerID: "o", ProfileID: "p", Role: auth.Developer, Permission: auth.Full, Reach: auth.ReachAccount}
	reader, near := member, member
	reader.Permission = auth.Read
	near.OwnerID, near.Role, near.Reach = "a", auth.Owner, auth.ReachProfile
	for _, c := range []struct {
		rule  auth.Rule
		who   auth.Caller
		needs string
	}{
		{auth.InProfile, reader, "permission write"},
		{auth.InProfile.Deleting(), reader, "permission full"},
		{auth.OfAccount, member, "role owner"},
		{auth.OfAccount, near, "reach account"},
	} {
		f := fault.Of(c.rule.Check("POST", c.who))
		if f == nil || f.Code != fault.Unauthorized || f.Message != "Authorization Denied" {
			t.Fatalf("%s: %v", c.needs, f)
		}
		if lack, ok := f.Detail.(auth.Lack); !ok || lack.Needs != c.needs || lack.Hint == "" {
			t.Errorf("%s: %+v", c.needs, f.Detail)
		}
	}
}
