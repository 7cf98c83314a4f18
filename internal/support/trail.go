package support

import (
	"context"
	"strings"
	"sync"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// trail is what operators read where they look, until it is written into the profiles' audit logs: each address once in a
// while, since a page of the console asks again every few seconds.
type trail struct {
	mu    sync.Mutex
	seen  map[string]int64 // when an address was noted, by who and where
	steps []step           // not yet written
}

type step struct {
	who     auth.Caller
	profile id.Profile
	what    string
}

const (
	trailAgain = 10 * 60_000 // milliseconds after which the same address is noted again
	trailMost  = 10_000      // addresses remembered, and steps that wait
)

// Observe notes what an operator read in a profile of somebody else. It is for web.Server.Observe.
func (s *Service) Observe(o web.Outcome) {
	who := o.Caller
	if !who.Operator || who.Kind != auth.Session || who.Act != auth.ActRead || o.Status >= 400 {
		return
	}
	p := who.ProfileID
	if strings.HasPrefix(o.Pattern, "/profile/{id}") {
		if ref := o.Path["id"]; ref != "current" && ref != string(p) { // the caller stood in it only behind the router
			p, who.Look = id.Profile(ref), ""
		}
	} else if !o.Route.Rule.Profile || who.Look == "" {
		return
	}
	if who.IsOwner() && p == who.ProfileID || !id.Valid(string(p)) {
		return
	}
	what := o.Method + " " + o.Pattern
	for name, v := range o.Path {
		if name != "id" || v != string(p) {
			what += " " + v
		}
	}
	now, key := s.now(), string(who.AccountID)+string(p)+what
	t := &s.trail
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.seen[key]; ok && now-at < trailAgain || len(t.steps) >= trailMost {
		return
	}
	if len(t.seen) >= trailMost {
		clear(t.seen)
	}
	t.seen[key] = now
	t.steps = append(t.steps, step{who, p, what})
}

// Flush writes what Observe noted.
func (s *Service) Flush(ctx context.Context) error {
	t := &s.trail
	t.mu.Lock()
	steps := t.steps
	t.steps = nil
	t.mu.Unlock()
	for _, x := range steps {
		l, err := s.current(ctx, x.who.AccountID, x.profile)
		if err != nil {
			return err
		}
		if x.who.Look == "" { // by a role of their own, unless a look lets them in
			if l == nil {
				continue
			}
			if _, member, err := s.profiles.Access(ctx, x.who.AccountID, x.profile); err != nil || member {
				if err != nil {
					return err
				}
				continue
			}
			x.who.Look = l.Reason
		}
		ref := ""
		if l != nil {
			ref = string(l.ID)
		}
		if err := s.audit.Write(sqldb.As(ctx, x.profile), x.who, audit.Event{Profile: x.profile, Resource: "look", ResourceID: ref, Message: "Read " + x.what}); err != nil {
			return err
		}
	}
	return nil
}
