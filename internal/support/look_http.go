package support

import (
	"context"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

func (s *Service) lookRoutes() []web.Route {
	tags := web.Tags("support")
	return []web.Route{
		web.Handle("GET /profile/{id}/look", "Who looked into a profile as an operator of the server, why and when, latest first. Owner and admins may see it.", profile.OfPath, s.getLooks, tags),
		web.Handle("POST /profile/{id}/look", "Look into a profile of somebody else, or ask its owner to, as --operator-access says. For operators, signed in.", auth.SessionOnly, s.postLook, tags, web.Status(201)),
		web.Handle("POST /profile/{id}/look/{look}/allow", "Allow a look that an operator asked for. The owner may, signed in.", auth.SessionOnly, s.allowLook, tags),
		web.Handle("POST /profile/{id}/look/{look}/deny", "Deny it.", auth.SessionOnly, s.denyLook, tags),
		web.Handle("DELETE /profile/{id}/look/{look}", "End a look. The owner of the profile may, and operators, signed in.", auth.SessionOnly, s.deleteLook, tags),

		web.Handle("GET /support/look", "The looks of all operators, latest first, and whether they may look at all. For operators, signed in.", auth.SessionOnly, s.getAllLooks, tags),
	}
}

// LookRow is a look on the wire.
type LookRow struct {
	ID        id.Look   `json:"id"`
	Profile   About     `json:"profile"`
	Operator  Person    `json:"operator"`
	Reason    string    `json:"reason"`
	Hours     int64     `json:"hours"`
	State     LookState `json:"state" enum:"asked,active,denied,ended"`
	AskedAt   web.Time  `json:"asked_at"`
	From      *web.Time `json:"from"`
	Until     *web.Time `json:"until" description:"when it ends by itself; of one that is asked for: until when it can be allowed"`
	EndedAt   *web.Time `json:"ended_at"`
	EndedBy   *Person   `json:"ended_by" description:"who ended or denied it; null when its time ran out"`
	AllowedBy *Person   `json:"allowed_by" description:"null when nobody was asked"`
}

func (s *Service) lookRow(ctx context.Context, who auth.Caller, l Look) (LookRow, error) {
	now := s.now()
	out := LookRow{ID: l.ID, Reason: l.Reason, Hours: l.Hours, State: l.at(now), AskedAt: web.Millis(l.AskedAt), From: maybe(l.From), Until: maybe(l.Until), EndedAt: maybe(l.EndedAt)}
	p, err := s.about(ctx, who, l.Profile)
	if err != nil {
		return out, err
	}
	out.Profile = *p
	if l.State != Denied && out.State == Ended && l.EndedAt == 0 {
		out.EndedAt = maybe(l.Until)
	}
	if pr, err := s.profiles.Get(ctx, l.Profile); err == nil && pr.Account != l.Owner && (out.State == Active || out.State == Asked) {
		out.State = Ended // with the profile's former owner
	}
	if out.Operator, err = s.personRow(ctx, who, l.Operator); err != nil {
		return out, err
	}
	for _, x := range []struct {
		a  id.Account
		to **Person
	}{{l.EndedBy, &out.EndedBy}, {l.DecidedBy, &out.AllowedBy}} {
		if x.a == "" {
			continue
		}
		p, err := s.personRow(ctx, who, x.a)
		if err != nil {
			return out, err
		}
		*x.to = &p
	}
	return out, nil
}

func (s *Service) lookRows(ctx context.Context, who auth.Caller, ls []Look) ([]LookRow, error) {
	out := make([]LookRow, len(ls))
	for i, l := range ls {
		var err error
		if out[i], err = s.lookRow(ctx, who, l); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) getLooks(ctx context.Context, who auth.Caller, in struct {
	ID   string `path:"id"`
	List web.List
}) ([]LookRow, error) {
	in.List.Cap(maxAmount)
	ls, err := s.Looks(ctx, who, in.ID, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	return s.lookRows(ctx, who, ls)
}

// AllLooks is what operators see.
type AllLooks struct {
	Access Access    `json:"operator_access" enum:"never,ask,logged" description:"as the server was started"`
	Looks  []LookRow `json:"looks"`
}

func (s *Service) getAllLooks(ctx context.Context, who auth.Caller, in struct {
	Operator id.Account `query:"operator" description:"only this one's; current for the caller's"`
	List     web.List
}) (AllLooks, error) {
	if in.Operator == "current" {
		in.Operator = who.AccountID
	}
	in.List.Cap(maxAmount)
	ls, err := s.LooksOfAll(ctx, who, in.Operator, in.List.Limit(), in.List.Offset())
	if err != nil {
		return AllLooks{}, err
	}
	rows, err := s.lookRows(ctx, who, ls)
	return AllLooks{s.cfg.Access, rows}, err
}

func (s *Service) postLook(ctx context.Context, who auth.Caller, in struct {
	ID     id.Profile `path:"id"`
	Reason string     `json:"reason" required:"true" description:"the owner reads it"`
	Hours  int64      `json:"hours" minimum:"1" maximum:"24" description:"1 when left out"`
}) (LookRow, error) {
	l, err := s.Start(ctx, who, in.ID, in.Reason, in.Hours)
	if err != nil {
		return LookRow{}, err
	}
	return s.lookRow(ctx, who, l)
}

type lookPath struct {
	ID   string  `path:"id"`
	Look id.Look `path:"look"`
}

func (s *Service) allowLook(ctx context.Context, who auth.Caller, in lookPath) (string, error) {
	return "Look allowed", s.Decide(ctx, who, in.ID, in.Look, true)
}

func (s *Service) denyLook(ctx context.Context, who auth.Caller, in lookPath) (string, error) {
	return "Look denied", s.Decide(ctx, who, in.ID, in.Look, false)
}

func (s *Service) deleteLook(ctx context.Context, who auth.Caller, in lookPath) (string, error) {
	return "Look ended", s.End(ctx, who, in.ID, in.Look)
}
