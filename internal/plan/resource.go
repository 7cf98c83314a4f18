package plan

import (
	"fmt"
	"strings"
)

// Resource is a thing whose number is capped; its value is the key in a catalogue.
type Resource string

const (
	Actions               Resource = "action"
	Analyses              Resource = "analysis"
	Dashboards            Resource = "dashboard"
	Entities              Resource = "entity"
	Devices               Resource = "device"
	Profiles              Resource = "profile" // per account; all others per profile
	Team                  Resource = "team"    // members besides the owner
	TagoCores             Resource = "tcore"
	TagoCoreClusters      Resource = "tcore_cluster"
	Connectors            Resource = "connector"
	Networks              Resource = "network"
	ServiceAuthorizations Resource = "service_authorization"
	AccessPolicies        Resource = "am"
	Dictionaries          Resource = "dictionary"
	Backups               Resource = "backup" // a day, not in all
)

// Resources is every resource a catalogue must give a cap for.
var Resources = []Resource{
	Actions, Analyses, Dashboards, Entities, Devices, Profiles, Team, TagoCores, TagoCoreClusters,
	Connectors, Networks, ServiceAuthorizations, AccessPolicies, Dictionaries, Backups,
}

// names are the resources in refusals, in the plural that TagoIO's messages use.
var names = map[Resource]string{
	Actions: "actions", Analyses: "analyses", Dashboards: "dashboards", Entities: "entities", Devices: "devices",
	Profiles: "profiles", Team: "team members", TagoCores: "TagoCores", TagoCoreClusters: "TagoCore clusters",
	Connectors: "connectors", Networks: "networks", ServiceAuthorizations: "service authorizations",
	AccessPolicies: "Access management", Dictionaries: "dictionaries", Backups: "backups",
}

// one are the names of a single one, where that is not the plural without its last letter.
var one = map[Resource]string{
	Analyses: "analysis", Entities: "entity", AccessPolicies: "access policy", Dictionaries: "dictionary",
}

// Count is a number of r in a sentence: "1 device", "2 devices".
func (r Resource) Count(n int64) string {
	name := r.Name()
	switch {
	case n == 1 && one[r] != "":
		name = one[r]
	case n == 1:
		name = strings.TrimSuffix(name, "s")
	case r == AccessPolicies:
		name = "access policies"
	}
	return fmt.Sprintf("%d %s", n, name)
}

// Name is r in a sentence: "devices".
func (r Resource) Name() string {
	if n, ok := names[r]; ok {
		return n
	}
	return string(r)
}
