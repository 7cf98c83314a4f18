package overview

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// askEvery is how often somebody may ask for the same, in milliseconds.
const askEvery = hourMS

type askInput struct {
	ID      string       `path:"id"`
	Service plan.Service `json:"service" required:"true" example:"input" description:"what there should be more of"`
}

func (s *Service) ask(ctx context.Context, who auth.Caller, in askInput) (string, error) {
	if err := s.Ask(ctx, who, in.ID, in.Service); err != nil {
		return "", err
	}
	return "The owner has been asked", nil
}

// Ask asks the owner of a profile for more of a service: the owner alone can give it. It returns conflict to the owner and where the service has no
// limit, too_many within an hour of the same question, and Invalid for a word that is no service one can be given.
func (s *Service) Ask(ctx context.Context, who auth.Caller, ref string, svc plan.Service) error {
	i := plan.Index(svc)
	if i < 0 || svc == plan.DashboardOutput {
		return fault.Field("service", "must be a service that profiles are allocated, such as input")
	}
	p, who, err := s.Profiles.Resolve(ctx, who, ref, auth.Viewer)
	if err != nil {
		return err
	}
	if who.IsOwner() {
		return fault.New(fault.Conflict, "You own this profile: raise its allocation yourself")
	}
	c, err := s.Usage.Used(ctx, p.ID)
	if err != nil {
		return err
	}
	if c.Allowed[i] >= plan.Unlimited {
		return fault.New(fault.Conflict, "%s has no limit in this profile", svc.Name())
	}
	person, err := s.Accounts.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	now := s.now()
	return s.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		first, err := s.noteAsk(ctx, p.ID, who.AccountID, svc, now)
		if err != nil {
			return err
		}
		if !first {
			return fault.New(fault.TooMany, "You have asked for this within the hour; the owner has your question").After(time.Hour)
		}
		used, allowed := plan.Show(svc, c.Used[i]), plan.Show(svc, c.Allowed[i])
		if err := s.Notify.Raise(ctx, notify.Event{
			Profile: p.ID, To: []id.Account{p.Account}, Kind: notify.Other, Title: "Somebody asks for more " + svc.Name(),
			Items: []notify.Item{{
				Message: fmt.Sprintf("%s (%s) asks you to raise %s of this profile: %s of %s are used.", person.Name, person.Email, svc.Name(), used, allowed),
				Data:    map[string]any{"account": person.ID, "service": svc, "used": plan.Wire(svc, c.Used[i]), "limit": plan.Wire(svc, c.Allowed[i])},
			}},
			Page: "/p/" + string(p.ID), Action: "Open the profile",
		}); err != nil {
			return err
		}
		return s.Audit.Write(ctx, who, audit.Event{Profile: p.ID, Account: p.Account, Resource: "profile", ResourceID: string(p.ID),
			Message: "Owner asked for more " + svc.Name(), After: map[string]any{"service": svc}})
	})
}

// noteAsk notes a question, unless the same was asked within the hour.
func (s *Service) noteAsk(ctx context.Context, p id.Profile, a id.Account, svc plan.Service, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO ask (profile_id, account, service, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (profile_id, account, service) DO UPDATE SET at = excluded.at WHERE ask.at <= $5`, string(p), string(a), string(svc), now, now-askEvery)
	if err != nil {
		return false, fmt.Errorf("note a question: %w", err)
	}
	return n == 1, nil
}

// asked is when a person asked for services of a profile, since an instant.
func (s *Service) asked(ctx context.Context, p id.Profile, a id.Account, since int64) (map[plan.Service]int64, error) {
	type row struct {
		service plan.Service
		at      int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.service, &x.at) },
		`SELECT service, at FROM ask WHERE profile_id = $1 AND account = $2 AND at > $3`, string(p), string(a), since)
	if err != nil {
		return nil, fmt.Errorf("read questions: %w", err)
	}
	out := map[plan.Service]int64{}
	for _, r := range rows {
		out[r.service] = r.at
	}
	return out, nil
}

// PurgeProfile deletes what a deleted profile left. It is a profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	_, err = s.db.Exec(sqldb.As(ctx, p.ID), `DELETE FROM ask WHERE profile_id = $1`, string(p.ID))
	return err == nil, err
}
