package overview

import (
	"context"
	"errors"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// mostProfiles is how many one request changes.
const mostProfiles = 1000

// Action is what is done to each of many profiles. One of its members is set.
type Action struct {
	Tag      *TagAction      `json:"tag" description:"adds and removes tags"`
	Pause    *PauseAction    `json:"pause" description:"blocks them"`
	Resume   *struct{}       `json:"resume" description:"ends their pause"`
	Template *TemplateAction `json:"template" description:"gives each what another profile of the account has of every service"`
}

// TagAction changes tags.
type TagAction struct {
	Add    []tag.Tag `json:"add"`
	Remove []tag.Tag `json:"remove"`
}

// PauseAction pauses.
type PauseAction struct {
	Reason string `json:"reason" required:"true"`
}

// TemplateAction allocates.
type TemplateAction struct {
	Like id.Profile `json:"like" required:"true"`
}

// Validate checks that one thing is to be done.
func (a Action) Validate() error {
	n := 0
	for _, set := range []bool{a.Tag != nil, a.Pause != nil, a.Resume != nil, a.Template != nil} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return fault.Field("action", "must have one of tag, pause, resume and template")
	case a.Tag != nil && len(a.Tag.Add)+len(a.Tag.Remove) == 0:
		return fault.Field("action.tag", "must add or remove something")
	case a.Tag != nil:
		return tag.Check("profile", a.Tag.Add)
	case a.Template != nil && !id.Valid(string(a.Template.Like)):
		return fault.Field("action.template.like", "must be the id of a profile")
	}
	return nil
}

type bulkInput struct {
	Profiles []id.Profile `json:"profiles" required:"true" description:"their ids, at most 1000"`
	Action   Action       `json:"action" required:"true"`
}

type bulkAnswer struct {
	Done     int       `json:"done"`
	Refused  int       `json:"refused"`
	Profiles []bulkRow `json:"profiles" description:"in the order they were named"`
}

type bulkRow struct {
	ID     id.Profile `json:"id"`
	OK     bool       `json:"ok"`
	Reason *string    `json:"reason" description:"why nothing was changed; null when it was done"`
}

// bulk does one thing to many profiles, one after the other.
func (s *Service) bulk(ctx context.Context, who auth.Caller, in bulkInput) (bulkAnswer, error) {
	switch {
	case len(in.Profiles) == 0:
		return bulkAnswer{}, fault.Field("profiles", "must name a profile")
	case len(in.Profiles) > mostProfiles:
		return bulkAnswer{}, fault.Field("profiles", "must be at most %d", mostProfiles)
	}
	if err := in.Action.Validate(); err != nil {
		return bulkAnswer{}, err
	}
	seen := map[id.Profile]bool{}
	out := bulkAnswer{Profiles: make([]bulkRow, 0, len(in.Profiles))}
	for _, p := range in.Profiles {
		if seen[p] {
			return bulkAnswer{}, fault.Field("profiles", "has %s twice", p)
		}
		seen[p] = true
	}
	for _, p := range in.Profiles {
		if err := ctx.Err(); err != nil {
			return bulkAnswer{}, err
		}
		err := s.do(ctx, who, p, in.Action)
		row := bulkRow{ID: p, OK: err == nil}
		if err != nil {
			f := fault.Of(err)
			if f == nil || f.Code == fault.Internal || errors.Is(err, context.Canceled) {
				return bulkAnswer{}, err
			}
			row.Reason = &f.Message
			out.Refused++
		} else {
			out.Done++
		}
		out.Profiles = append(out.Profiles, row)
	}
	return out, nil
}

// do does it to one profile, whole or not at all.
func (s *Service) do(ctx context.Context, who auth.Caller, p id.Profile, a Action) error {
	ref := string(p)
	switch {
	case a.Tag != nil:
		return s.Profiles.ChangeTags(ctx, who, ref, a.Tag.Add, a.Tag.Remove)
	case a.Pause != nil:
		return s.Profiles.Pause(ctx, who, ref, a.Pause.Reason)
	case a.Resume != nil:
		return s.Profiles.Resume(ctx, who, ref)
	}
	pr, by, err := s.Profiles.Resolve(ctx, who, ref, auth.Owner)
	if err != nil {
		return err
	}
	if who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		return auth.LacksReach(who.Reach)
	}
	if pr.ID == a.Template.Like {
		return nil
	}
	err = s.Usage.Like(ctx, by, pr, a.Template.Like)
	if errors.Is(err, profile.NotFound) {
		err = fault.Field("action.template.like", "is no profile of the same account")
	}
	return err
}

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	tags := web.Tags("overview")
	return []web.Route{
		web.Handle("GET /overview", "All profiles the caller may act in, with how each is: what is blocked first. Totals are over all that match, and the costs add up to the account's.", profile.OfPath, s.list, tags),
		web.Handle("GET /overview/status", "How every profile of the caller is, in one word each.", profile.OfPath, s.statuses, tags),
		web.Handle("POST /overview/bulk", "Do one thing to many profiles: tag, pause, resume, or allocate like another one. Each is done whole or refused with a reason.", profile.OfPath, s.bulk, tags, web.MaxBody(200<<10)),
		web.Handle("GET /profile/{id}/health", "How a profile is: what arrives, what is used up or nearly so and since when, what was refused, who is silent, and what can be done.", profile.OfPath, s.health, tags),
		web.Handle("POST /profile/{id}/ask", "Ask the owner of a profile for more of a service: a notification and a mail, once an hour for each service.", profile.OfPath, s.ask, tags),
	}
}
