package alert

import (
	"cmp"
	"context"
	"slices"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// thresholds are when a profile is told, in per cent of a limit.
var thresholds = []int64{80, 90, 100}

const (
	fallBelow  = 5           // points of a hundred that a stock falls below a threshold to be told again
	again      = time.Minute // at least, between two tellings of one threshold of a stock
	sweepEvery = time.Hour
	sweepSlice = 5000                // profiles
	keepLevels = 62 * 24 * time.Hour // longer than any cycle
)

// mark names a threshold that was told: a row of alert_level.
type mark struct {
	cycle     int64
	service   plan.Service
	threshold int64
	allowed   int64
}

func (m mark) compare(o mark) int {
	return cmp.Or(cmp.Compare(m.cycle, o.cycle), cmp.Compare(m.service, o.service), cmp.Compare(m.threshold, o.threshold), cmp.Compare(m.allowed, o.allowed))
}

// told is what a row says.
type told struct {
	armed bool
	at    int64
}

// Look raises the alerts of profiles whose levels have moved; the first time, and once an hour, of all.
func (s *Service) Look(ctx context.Context) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	if now := s.now(); s.sweptAt == 0 || now-s.sweptAt >= sweepEvery.Milliseconds() || now < s.sweptAt {
		if err := s.sweep(ctx); err != nil {
			return err
		}
		s.sweptAt = now
	}
	moved := s.usage.Moved()
	for len(moved) > 0 {
		part := moved[:min(page, len(moved))]
		if err := s.look(ctx, part); err != nil {
			s.usage.MoveAgain(moved)
			return err
		}
		moved = moved[len(part):]
	}
	return nil
}

// sweep looks at every profile that is near a limit, or was told so and may have fallen since.
func (s *Service) sweep(ctx context.Context) error {
	for after := id.Profile(""); ; {
		near, last, err := s.usage.NearLimits(ctx, after, sweepSlice)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(near, page) {
			if err := s.look(ctx, part); err != nil {
				return err
			}
		}
		if last == "" {
			break
		}
		after = last
	}
	for after := id.Profile(""); ; {
		ps, err := s.toldProfiles(ctx, after, page)
		if err != nil || len(ps) == 0 {
			return err
		}
		if err := s.look(ctx, ps); err != nil {
			return err
		}
		after = ps[len(ps)-1]
	}
}

// look judges the levels of at most page profiles.
func (s *Service) look(ctx context.Context, ps []id.Profile) error {
	levels, err := s.usage.Levels(ctx, ps)
	if err != nil || len(levels) == 0 {
		return err
	}
	known, err := s.told(ctx, ps)
	if err != nil {
		return err
	}
	for _, l := range levels {
		if err := s.judge(ctx, l, known[l.Profile]); err != nil {
			return err
		}
	}
	return nil
}

// judge raises what a profile was not told of its levels yet.
func (s *Service) judge(ctx context.Context, l usage.Level, known map[mark]told) error {
	now := s.now()
	if l.CycleEnd <= now { // whoever turns it makes it move
		return nil
	}
	fell := s.fallen(l, known, now)
	fresh := crossed(l, known)
	if len(fresh) > 0 && slices.ContainsFunc(fresh, func(a Alert) bool { return plan.Flow(a.Service) }) {
		// Flows include what nodes have taken in advance: what this one has is told apart.
		c, err := s.usage.Used(ctx, l.Profile)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.CycleStart != l.CycleStart {
			return nil
		}
		l.Used = c.Used
		fresh = crossed(l, known)
	}
	if len(fell) == 0 && len(fresh) == 0 {
		return nil
	}
	return s.db.Tx(sqldb.Cost(sqldb.As(ctx, l.Profile), 20), func(ctx context.Context) error {
		if err := s.arm(ctx, l.Profile, fell, now-again.Milliseconds()); err != nil {
			return err
		}
		if len(fresh) == 0 {
			return nil
		}
		first, err := s.tell(ctx, l.Profile, fresh, now)
		if err != nil {
			return err
		}
		var raised []Alert
		for _, a := range fresh {
			if first[a.mark()] {
				a.ID, a.At = id.New[id.Alert](), now
				raised = append(raised, a)
			}
		}
		return s.raise(ctx, l.Profile, raised)
	})
}

func (a Alert) mark() mark { return mark{a.CycleStart, a.Service, a.Threshold, a.Allowed} }

// crossed are the thresholds that a profile has reached and was not told of, the highest of a service first.
func crossed(l usage.Level, known map[mark]told) (out []Alert) {
	for i, svc := range plan.Metered {
		used, limit := l.Used[i], l.Limit[i]
		if used <= 0 || limit >= plan.Unlimited {
			continue
		}
		for _, t := range slices.Backward(thresholds) {
			if used*100 < t*limit { // both below 2^53
				continue
			}
			a := Alert{Profile: l.Profile, Kind: Limit, Service: svc, Threshold: t, Used: used, Allowed: limit, CycleStart: l.CycleStart}
			if k, before := known[a.mark()]; !before || k.armed {
				out = append(out, a)
			}
		}
	}
	return out
}

// fallen are the thresholds that were told of a stock and lie well above it now.
func (s *Service) fallen(l usage.Level, known map[mark]told, now int64) (out []mark) {
	for m, k := range known {
		i := plan.Index(m.service)
		if i < 0 || plan.Flow(m.service) || m.cycle != l.CycleStart || k.armed || now-k.at < again.Milliseconds() {
			continue
		}
		if l.Used[i]*100 < (m.threshold-fallBelow)*m.allowed {
			out = append(out, m)
		}
	}
	return out
}
