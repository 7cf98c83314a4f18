package limit

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// maxWaiting is how many refusals of a profile are held back at once.
const maxWaiting = 16

// someWhile is 50 to 200 ms.
func someWhile() time.Duration { return 50*time.Millisecond + rand.N(150*time.Millisecond) }

// Admit takes a unit of every rate that a request falls under and says in the headers RateLimit and
// RateLimit-Policy what is left. It returns too_many with the seconds to the next minute when one has none, and
// then took nothing. It is for web.Config.
func (s *Service) Admit(ctx context.Context, a web.Attempt) error {
	t := s.targetOf(a.Route)
	if t.all == nil && t.soft == softNone || a.Caller.ProfileID == "" {
		return nil
	}
	var needs [2]need
	n, err := s.needs(ctx, t, a, &needs)
	if err != nil || n == 0 {
		return err
	}
	var states [2]state
	refused, first, err := s.take(ctx, needs[:n], states[:n])
	if err != nil {
		return err
	}
	if refused >= 0 {
		if !first {
			if err := s.holdBack(ctx, a.Caller.ProfileID); err != nil {
				return err
			}
		}
		n = refused + 1 // what comes after was not looked at
	}
	s.tell(a.Header, needs[:n], states[:n])
	if refused >= 0 {
		return s.refusal(needs[refused], states[refused])
	}
	return nil
}

// needs fills in the rates of a request, the hard one first, and says how many there are.
func (s *Service) needs(ctx context.Context, t *target, a web.Attempt, out *[2]need) (n int, err error) {
	who := a.Caller
	p := who.ProfileID
	v, err := s.terms.Get(ctx, string(p))
	if fault.Is(err, fault.NotFound) {
		return 0, nil // gone between the look at the token and now: the route will say so
	}
	if err != nil {
		return 0, err
	}
	if r, limit := t.hard(&v, &a, s.now); r != nil {
		out[n] = r.token
		if who.Kind == auth.Session {
			out[n] = r.console
		}
		out[n].profile, out[n].limit = p, limit
		n++
	}
	if t.soft == softNone || who.Kind == auth.Session {
		return n, nil
	}
	d := who.DeviceID
	if t.device {
		d = id.Device(a.Path("id"))
	}
	limits := [...]int64{softInput: v.input, softOutput: v.output}
	of := id.Device("")
	if d != "" {
		view, err := s.devices.View(ctx, who, p, d)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return 0, err
		}
		own := [...]int64{softInput: view.RPMInput, softOutput: view.RPMOutput}
		if own[t.soft] > 0 {
			limits[t.soft], of = own[t.soft], d
		}
	}
	if limits[t.soft] > 0 {
		out[n] = softNeed(t.soft, of, limits[t.soft])
		out[n].profile = p
		n++
	}
	return n, nil
}

// softNeed is a unit of a soft limit; of a device when d is not "".
func softNeed(k softKind, d id.Device, limit int64) need {
	scope := "profile"
	if d != "" {
		scope = "device"
	}
	name := "rpm." + k.String()
	return need{key: key{name: softName(k, d)}, limit: limit, policy: quoted(scope + " " + name), limits: limitName{
		name, scope, "The owner of the profile set this limit: wait until the next minute, or change " + name + " of the " + scope + ".",
	}}
}

// quoted is name as a string of a structured field. Names have neither quotes nor backslashes.
func quoted(name string) string { return `"` + name + `"` }

// holdBack makes a client that repeats at once wait a little, while few of the profile do.
func (s *Service) holdBack(ctx context.Context, p id.Profile) error {
	s.waits.Lock()
	full := s.waiting[p] >= maxWaiting
	if !full {
		s.waiting[p]++
	}
	s.waits.Unlock()
	if full {
		return nil
	}
	defer func() {
		s.waits.Lock()
		if s.waiting[p]--; s.waiting[p] == 0 {
			delete(s.waiting, p)
		}
		s.waits.Unlock()
	}()
	timer := time.NewTimer(s.pause())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seconds is how long the minute of a state lasts from now, at least one.
func (s *Service) seconds(m int64) int64 {
	ms := (m+1)*minuteMS - s.now()
	return min(max((ms+999)/1000, 1), 60)
}

// tell sets the headers of draft-ietf-httpapi-ratelimit-headers: the policies, and what is left of each.
func (s *Service) tell(h http.Header, needs []need, states []state) {
	policy, now := make([]byte, 0, 96), make([]byte, 0, 96)
	for i := range needs {
		if i > 0 {
			policy, now = append(policy, ", "...), append(now, ", "...)
		}
		policy = append(append(policy, needs[i].policy...), ";q="...)
		policy = append(strconv.AppendInt(policy, needs[i].limit, 10), ";w=60"...)
		now = append(append(now, needs[i].policy...), ";r="...)
		now = append(strconv.AppendInt(now, max(0, needs[i].limit-states[i].used), 10), ";t="...)
		now = strconv.AppendInt(now, s.seconds(states[i].minute), 10)
	}
	h["Ratelimit-Policy"] = []string{string(policy)}
	h["Ratelimit"] = []string{string(now)}
}

func (s *Service) refusal(d need, st state) error {
	left := s.seconds(st.minute)
	reset := web.Millis((st.minute + 1) * minuteMS).String()
	return fault.New(fault.TooMany, "Too many requests (Retry-After: %d)", left).After(time.Duration(left) * time.Second).With(fault.Limit{
		Limit: d.limits.name, Scope: d.limits.scope, Used: float64(st.used), Allowed: float64(d.limit), ResetsAt: &reset, Hint: d.limits.hint,
	})
}
