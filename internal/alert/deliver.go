package alert

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/notify"
)

// DeliverBy hands alerts to people: each moment's alerts of one kind are one event. Call it before the server starts.
func (s *Service) DeliverBy(n *notify.Service) {
	s.OnAlert(func(ctx context.Context, p id.Profile, alerts []Alert) error {
		for _, k := range []Kind{Limit, Silent, Recovered} {
			e := notify.Event{Profile: p, Kind: kinds[k], Page: "/p/" + string(p) + "/alerts", Action: "Show the alerts"}
			if k == Limit { // where its limits are raised
				e.Page, e.Action = "/p/"+string(p), "Open the profile"
			}
			for _, a := range alerts {
				if a.Kind != k {
					continue
				}
				e.Title = a.Title()
				e.Items = append(e.Items, notify.Item{Message: a.Message(), Data: a.Row()})
			}
			if len(e.Items) > 1 {
				e.Title = fmt.Sprintf(many[k], len(e.Items))
			}
			if err := n.Raise(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

var (
	kinds = map[Kind]notify.Kind{Limit: notify.Limit, Silent: notify.Silent, Recovered: notify.Recovered}
	many  = map[Kind]string{Limit: "%d service limits", Silent: "%d silent devices", Recovered: "%d devices are back"}
)
