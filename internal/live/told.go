package live

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/alert"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/limit"
)

// Told is an event of the channel limits: an alert, or a group of refusals as it now stands. Alerts are told on the
// channel notification too, without this around them.
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
		h.tell(p, Limits, Told{Type: "refusal", Refusal: &row})
	}
}

// alerted tells of alerts when they are committed.
func (h *Hub) alerted(ctx context.Context, p id.Profile, alerts []alert.Alert) error {
	sqldb.AfterCommit(ctx, func() {
		for _, a := range alerts {
			row := a.Row()
			h.tell(p, Limits, Told{Type: "alert", Alert: &row})
			h.tell(p, Notification, row)
		}
	})
	return nil
}

// tell publishes v as JSON if somebody listens.
func (h *Hub) tell(p id.Profile, channel string, v any) {
	h.publish(p, Channel{Name: channel}, func() (int64, func([]byte) []byte) {
		text, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
		if err != nil { // our own structs: cannot happen
			text = []byte("null")
		}
		return int64(len(text)) + 200, func(b []byte) []byte { return append(b, text...) }
	})
}
