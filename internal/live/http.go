package live

import (
	"context"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/web"
)

const maxChannels = 100 // of a listener

// later are TagoIO's channels whose rooms are not built yet.
var later = map[string]bool{"analysis_trigger": true, "analysis_console": true, "device_inspector": true, "entity_data": true, "ui_dashboard": true, "ui": true}

// Routes are the routes of this room.
func (h *Hub) Routes() []web.Route {
	rule := auth.Rule{Kinds: []auth.Kind{auth.Session, auth.Profile, auth.Device}}
	return []web.Route{
		web.Handle("GET /events", "Listen to what happens, as server-sent events. The token may stand in the query.", rule, h.events),
	}
}

// Jobs names the periodic work of this room.
func (h *Hub) Jobs(r *job.Runner) { r.EachNode("live feeds", sweepEvery, h.Sweep) }

type eventsIn struct {
	Channels []string `query:"channels" description:"One or more, between commas: device_data.<device id>, notification, limits. A device's token may name its own device."`
	Channel  []string `query:"channel" description:"The same, by its older name."`
	Profile  string   `query:"profile" description:"The profile to act in; needed with a session, ignored with a token."`
	Request  *web.Request
}

// events opens a stream. It returns not_found for a device that is not the caller's, Invalid for a channel that
// nobody knows.
func (h *Hub) events(ctx context.Context, who auth.Caller, in eventsIn) (web.Stream, error) {
	if who.ProfileID == "" {
		return web.Stream{}, fault.Field("profile", "name the profile to listen in: profile=<id>")
	}
	channels, err := parseChannels(append(in.Channels, in.Channel...))
	if err != nil {
		return web.Stream{}, err
	}
	for i, c := range channels {
		if c.Name == Notification {
			// As in GET /notification: a token of one profile hears of that profile only.
			person := who.AccountID
			if who.Adopted {
				person = ""
			}
			channels[i] = ofPerson(person, who.Kind == auth.Session || who.Reach == auth.ReachAccount)
		}
	}
	check := func(ctx context.Context) error { return h.check(ctx, who, channels) }
	if err := check(ctx); err != nil {
		return web.Stream{}, err
	}
	if in.Request.HTTP.Method == "HEAD" {
		return web.Stream{}, nil
	}
	l, err := h.Listen(who.ProfileID, channels, in.Request.HTTP.Header.Get("Last-Event-ID"))
	if err != nil {
		return web.Stream{}, err
	}
	if who.Devices() != nil {
		l.sees = func(ds []id.Device) (map[id.Device]bool, error) { return h.devices.Seen(ctx, who, who.ProfileID, ds) }
	}
	return web.Stream{Ready: l.Ready(), Take: l.Take, Check: check, Close: l.Close}, nil
}

// parseChannels reads names between commas; the same one twice counts once.
func parseChannels(lists []string) ([]Channel, error) {
	var out []Channel
	seen := map[Channel]bool{}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			var c Channel
			c.Name, c.ID, _ = strings.Cut(name, ".")
			switch {
			case later[c.Name]:
				return nil, fault.New(fault.NotFound, "Not available yet: the channel %s", c.Name)
			case c.Name == DeviceData && c.ID == "":
				return nil, fault.Field("channels", "device_data needs the device: device_data.<device id>")
			case c.Name != DeviceData && (c.Name != Notification && c.Name != Limits || c.ID != ""):
				return nil, fault.Field("channels", "there is no channel %.60q; there are device_data.<device id>, notification and limits", name)
			}
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
			if len(out) > maxChannels {
				return nil, fault.Field("channels", "names more than %d channels; open another stream for the rest", maxChannels)
			}
		}
	}
	if len(out) == 0 {
		return nil, fault.Field("channels", "name at least one, as in device_data.<device id>")
	}
	return out, nil
}

var errNoDevice = fault.New(fault.NotFound, "Device Not Found")

// devicesOf are the devices whose data channels tell.
func devicesOf(channels []Channel) []id.Device {
	var ds []id.Device
	for _, c := range channels {
		if c.Name == DeviceData {
			ds = append(ds, id.Device(c.ID))
		}
	}
	return ds
}

// check judges whether the caller may listen to the channels now: as for reading a device's data. A caller whose
// restriction has changed does not come here: web ends the stream, and the client that connects again does.
func (h *Hub) check(ctx context.Context, who auth.Caller, channels []Channel) error {
	if who.Devices() != nil { // all with one statement: it is asked again and again
		seen, err := h.devices.Seen(ctx, who, who.ProfileID, devicesOf(channels))
		if err != nil {
			return err
		}
		for _, ok := range seen {
			if !ok {
				return errNoDevice
			}
		}
		who.Within = nil // and here it is judged
	}
	for _, c := range channels {
		if c.Name != DeviceData {
			if who.Kind == auth.Device {
				return auth.LacksKind(who.Kind, auth.Profile)
			}
			continue
		}
		if who.Kind == auth.Device && c.ID != string(who.DeviceID) {
			return errNoDevice
		}
		if _, err := h.devices.View(ctx, who, who.ProfileID, id.Device(c.ID)); err != nil {
			return err
		}
	}
	if who.Kind == auth.Session {
		return nil
	}
	return h.usage.CheckActive(ctx, who.ProfileID)
}
