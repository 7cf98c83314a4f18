package live

import (
	"context"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/alert"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/limit"
	"paddock/internal/notify"
)

// Told is an event of the channel limits: an alert, or a group of refusals as it now stands. Of those that are
// delivered as notifications the channel notification tells too.
type Told struct {
	Type    string            `json:"type"` // alert, refusal
	Alert   *alert.Row        `json:"alert,omitempty"`
	Refusal *limit.RefusalRow `json:"refusal,omitempty"`
}

// Hear registers the hub to be told of refusals and alerts.
func (h *Hub) Hear(limits *limit.Service, alerts *alert.Service) {
	limits.OnRefusals(h.refused)
	alerts.OnAlert(h.alerted)
}

// refused tells of groups of refusals that have changed.
func (h *Hub) refused(p id.Profile, groups []limit.Refusal) {
	for _, g := range groups {
		row := g.Row()
		h.tell(p, Channel{Name: Limits}, g.Device, Told{Type: "refusal", Refusal: &row})
	}
}

// alerted tells of alerts when they are committed.
func (h *Hub) alerted(ctx context.Context, p id.Profile, alerts []alert.Alert) error {
	sqldb.AfterCommit(ctx, func() {
		for _, a := range alerts {
			row := a.Row()
			h.tell(p, Channel{Name: Limits}, a.Device, Told{Type: "alert", Alert: &row})
		}
	})
	return nil
}

// HearNotices registers the hub to be told of notifications, which go to their person alone: to whoever listens for that
// account in the profile concerned, and in every other profile to those who may see all of the account's.
func (h *Hub) HearNotices(n *notify.Service) {
	n.OnNotice(func(n notify.Notification) {
		row := n.Row()
		if n.Profile != "" {
			h.tell(n.Profile, ofPerson(n.Account, false), "", row)
		}
		all := ofPerson(n.Account, true)
		h.mu.RLock()
		feeds := slices.Collect(maps.Keys(h.feeds))
		h.mu.RUnlock()
		for _, p := range feeds {
			h.tell(p, all, "", row)
		}
	})
}

// ofPerson is the channel of an account's notifications: of all, or of those about the profile listened in.
func ofPerson(a id.Account, all bool) Channel {
	if all {
		return Channel{Notification, "*" + string(a)}
	}
	return Channel{Notification, string(a)}
}

// tell publishes v, which is about a device or "" for none, as JSON if somebody listens.
func (h *Hub) tell(p id.Profile, c Channel, about id.Device, v any) {
	h.publish(p, c, about, func() (int64, func([]byte) []byte) {
		text, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
		if err != nil { // our own structs: cannot happen
			text = []byte("null")
		}
		return int64(len(text)) + 200, func(b []byte) []byte { return append(b, text...) }
	})
}
