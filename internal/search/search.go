package search

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/token"
)

const (
	// MostAmount is how many of each kind one answer has at most.
	MostAmount    = 50
	defaultAmount = 10
	maxQuery      = 100 // characters
	candidates    = 500 // tokens that are looked at, of which some may be of devices that the caller does not see
)

// Service finds things. It is safe for concurrent use.
type Service struct {
	profiles *profile.Service
	teams    *team.Service
	tokens   *token.Service
	devices  *device.Service
}

// New makes the service.
func New(profiles *profile.Service, teams *team.Service, tokens *token.Service, devices *device.Service) *Service {
	return &Service{profiles, teams, tokens, devices}
}

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /search", "Find devices by name, serial number, id or the end of a token, people by name or address, profiles by name, id or reference: in everything the caller may see. A token finds what is in its profile.",
			profile.OfPath, s.search, web.Tags("search")),
	}
}

type searchInput struct {
	Q       string `query:"q" description:"what to look for, in any case of letters; at most 100 characters" example:"pump 7"`
	Amount  *int   `query:"amount" description:"how many of each kind, 10 unless told, at most 50"`
	Request *web.Request
}

// Result is what was found, the closest of each kind first.
type Result struct {
	Devices  []Device  `json:"devices"`
	People   []Person  `json:"people"`
	Profiles []Profile `json:"profiles"`
}

// Device is a device that was found.
type Device struct {
	ID          id.Device  `json:"id"`
	Name        string     `json:"name"`
	Profile     id.Profile `json:"profile"`
	ProfileName string     `json:"profile_name"`
	Serial      string     `json:"serial,omitempty" description:"where it is what matched"`
	Tail        string     `json:"token_tail,omitempty" description:"the end of the token that matched"`
	Active      bool       `json:"active"`
	LastInput   *web.Time  `json:"last_input"`
	Matched     string     `json:"matched" enum:"name,id,serial,token"`

	rank int
}

// Person is somebody who was found: a member, staff, or somebody who is invited.
type Person struct {
	ID          string      `json:"id" description:"of the account; of an invitation, its own"`
	Name        string      `json:"name" description:"empty for an invitation"`
	Email       string      `json:"email"`
	Role        auth.Role   `json:"role"`
	Profile     *id.Profile `json:"profile" description:"one where the person is; null for staff that reach none"`
	ProfileName string      `json:"profile_name"`
	Profiles    int         `json:"profiles" description:"in how many of the caller's"`
	Staff       bool        `json:"staff" description:"of the caller's account"`
	Pending     bool        `json:"pending" description:"invited"`
}

// Profile is a profile that was found.
type Profile struct {
	ID        id.Profile `json:"id"`
	Name      string     `json:"name"`
	LogoURL   *string    `json:"logo_url"`
	Color     *string    `json:"color"`
	Reference *string    `json:"reference"`
	Role      auth.Role  `json:"role" description:"the caller's in it"`
	FromShare bool       `json:"from_share"`
	Paused    bool       `json:"paused"`
	Matched   string     `json:"matched" enum:"name,id,reference,token"`

	rank int
}

func (s *Service) search(ctx context.Context, who auth.Caller, in searchInput) (Result, error) {
	amount := defaultAmount
	if in.Amount != nil {
		if amount = *in.Amount; amount < 1 || amount > MostAmount {
			return Result{}, fault.Field("amount", "must be 1 to %d", MostAmount)
		}
	}
	r, err := s.Find(ctx, who, in.Q, amount)
	for i := range r.Profiles {
		r.Profiles[i].LogoURL = profile.Absolute(in.Request.Public, r.Profiles[i].LogoURL)
	}
	return r, err
}

// Find looks for q in everything that the caller may see and returns at most amount of each kind. Nothing is found by "". It
// returns Invalid for text of more than 100 characters or with control characters.
func (s *Service) Find(ctx context.Context, who auth.Caller, q string, amount int) (Result, error) {
	out := Result{[]Device{}, []Person{}, []Profile{}}
	q = strings.TrimSpace(q)
	if q == "" {
		return out, nil
	}
	if err := check.Line("q", q, 1, maxQuery); err != nil {
		return out, err
	}
	places, looks, err := s.places(ctx, who)
	if err != nil {
		return out, err
	}
	names := make(map[id.Profile]string, len(places))
	callers := make(map[id.Profile]auth.Caller, len(places))
	in := make([]auth.Caller, len(places))
	for i, p := range places {
		in[i], names[p.Profile.ID], callers[p.Profile.ID] = p.Who, p.Profile.Name, p.Who
	}

	byName, err := s.devices.Search(ctx, in, q, amount)
	if err != nil {
		return out, err
	}
	byToken, err := s.tokens.Search(ctx, in, q, candidates)
	if err != nil {
		return out, err
	}
	var more []device.Hit
	of := map[id.Device]token.Hit{}
	ofToken := map[id.Profile]bool{} // a token of the profile itself
	for _, t := range byToken {
		if t.Device == "" {
			ofToken[t.Profile] = true
			continue
		}
		if _, twice := of[t.Device]; !twice {
			of[t.Device] = t
			more = append(more, device.Hit{Profile: t.Profile, ID: t.Device, By: t.By, Rank: t.Rank})
		}
	}
	if more, err = s.devices.Named(ctx, callers, more); err != nil {
		return out, err
	}
	at := map[id.Device]int{}
	for _, h := range append(byName, more...) {
		d := Device{ID: h.ID, Name: h.Name, Profile: h.Profile, ProfileName: names[h.Profile], Active: h.Active, Matched: h.By, rank: h.Rank}
		if h.LastInput > 0 {
			d.LastInput = web.MaybeMillis(&h.LastInput)
		}
		if t, ok := of[h.ID]; ok && h.By == t.By {
			d.Serial = t.Serial
			if h.By == "token" {
				d.Tail = t.Tail
			}
		}
		if i, there := at[h.ID]; !there {
			at[h.ID] = len(out.Devices)
			out.Devices = append(out.Devices, d)
		} else if d.rank < out.Devices[i].rank {
			out.Devices[i] = d
		}
	}
	slices.SortStableFunc(out.Devices, func(a, b Device) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	out.Devices = out.Devices[:min(amount, len(out.Devices))]

	self := who.AccountID // whose staff are searched, too
	if who.Kind != auth.Session {
		self = ""
	}
	people, err := s.teams.Search(ctx, self, places, q, amount)
	if err != nil {
		return out, err
	}
	for _, h := range people {
		p := Person{ID: h.ID, Name: h.Name, Email: h.Email, Role: h.Role, Profiles: h.Profiles, Staff: h.Staff, Pending: h.Pending, ProfileName: names[h.Profile]}
		if h.Profile != "" {
			p.Profile = &h.Profile
		}
		out.People = append(out.People, p)
	}

	low := strings.ToLower(q)
	for _, p := range append(places, looks...) {
		rank, by := closeness(low, p.Profile)
		if rank == 0 && ofToken[p.Profile.ID] {
			rank, by = 2, "token"
		}
		if rank == 0 {
			continue
		}
		out.Profiles = append(out.Profiles, Profile{ID: p.Profile.ID, Name: p.Profile.Name, LogoURL: p.Profile.LogoURL, Color: profile.Maybe(p.Profile.Color),
			Reference: profile.Maybe(p.Profile.Reference), Role: p.Who.Role, FromShare: p.Profile.Account != who.AccountID, Paused: p.Profile.Paused, Matched: by, rank: rank})
	}
	slices.SortStableFunc(out.Profiles, func(a, b Profile) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	out.Profiles = out.Profiles[:min(amount, len(out.Profiles))]
	return out, nil
}

// places are the profiles to look through with the caller as they stand in each, and the profiles whose names alone are found.
func (s *Service) places(ctx context.Context, who auth.Caller) (places, looks []team.Place, err error) {
	if who.Kind != auth.Session {
		p, who, err := s.profiles.Resolve(ctx, who, string(who.ProfileID), auth.Viewer)
		return []team.Place{{Profile: p, Who: who}}, nil, err
	}
	all, err := s.teams.Reachable(ctx, who.AccountID)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		g := auth.Grant{Owner: p.Account, Role: auth.Owner}
		if p.Account != who.AccountID {
			var ok bool
			// Judged again, with the restriction: what was shared a moment ago may not be any more.
			if g, ok, err = s.profiles.Access(ctx, who.AccountID, p.ID); err != nil {
				return nil, nil, err
			} else if !ok {
				continue
			}
		}
		places = append(places, team.Place{Profile: p.Profile, Who: who.In(p.ID, g)})
	}
	if !who.Operator {
		return places, nil, nil
	}
	into, err := s.profiles.LooksBy(ctx, who.AccountID)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range into {
		p, err := s.profiles.Get(ctx, l.Profile)
		if err != nil {
			return nil, nil, err
		}
		looks = append(looks, team.Place{Profile: p, Who: who.In(p.ID, auth.Grant{Owner: p.Account, Role: auth.Viewer, Look: l.Reason})})
	}
	return places, looks, nil
}

var idStart = regexp.MustCompile(`^[0-9a-f]{6,24}$`)

// closeness says what of a profile matches, and how closely; 0 for nothing.
func closeness(q string, p profile.Profile) (rank int, by string) {
	if idStart.MatchString(q) && strings.HasPrefix(string(p.ID), q) {
		return 1 + min(1, 24-len(q)), "id"
	}
	for _, x := range []struct{ by, text string }{{"name", p.Name}, {"reference", p.Reference}} {
		text := strings.ToLower(x.text)
		r := 0
		switch {
		case utf8.RuneCountInString(text) == 0:
		case text == q:
			r = 1
		case strings.HasPrefix(text, q), strings.Contains(text, " "+q):
			r = 2
		case strings.Contains(text, q):
			r = 3
		}
		if r > 0 && (rank == 0 || r < rank) {
			rank, by = r, x.by
		}
	}
	return rank, by
}
