package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

type statisticsInput struct {
	ID string `path:"id"`
	spanInput
	Of string `query:"of" enum:"cycle,period" description:"what a sample says of flows: what the cycle had used by its time, when not given, or what its own period used"`
}

// overWire is what is over of each service, in the unit of the wire; nil when nothing is.
func overWire(over plan.Amounts) map[string]float64 {
	var m map[string]float64
	for i, svc := range plan.Services {
		if over[i] > 0 {
			if m == nil {
				m = map[string]float64{}
			}
			m[string(svc)] = plan.Wire(svc, over[i])
		}
	}
	return m
}

// wire is a sample as clients see it: {"time":…, "input":…}, without services that were not used, and with "overage" where
// a part of that was accepted beyond the limit.
func (s Sample) wire() map[string]any {
	m := map[string]any{"time": web.Millis(s.Time)}
	if over := overWire(s.Over); over != nil {
		m["overage"] = over
	}
	for i, svc := range plan.Metered {
		if s.Shown[i] {
			m[string(svc)] = plan.Wire(svc, s.Used[i])
		}
	}
	return m
}

func (s *Service) statistics(ctx context.Context, who auth.Caller, in statisticsInput) ([]map[string]any, error) {
	p, _, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return nil, err
	}
	sp, err := in.span(s.clock.Now(), time.UTC)
	if err != nil {
		return nil, err
	}
	var samples []Sample
	switch in.Of {
	case "", "cycle":
		samples, err = s.Statistics(ctx, p, sp)
	case "period":
		samples, err = s.PeriodStatistics(ctx, p, sp)
	default:
		err = fault.Field("of", "must be cycle or period")
	}
	if err != nil {
		return nil, err
	}
	return wires(samples), nil
}

func wires(samples []Sample) []map[string]any {
	out := make([]map[string]any, len(samples))
	for i, x := range samples {
		out[i] = x.wire()
	}
	return out
}

type limitsInput struct {
	ID        string `path:"id"`
	Service   string `query:"service" description:"input when not given"`
	StartDate string `query:"start_date" required:"true" description:"first day or instant of a range of at most 10 years"`
	EndDate   string `query:"end_date" description:"last day or instant; now when not given"`
	Timezone  string `query:"timezone" description:"IANA name or offset such as +05:45 in which dates are meant"`
}

// LimitStep is what a profile may use from an instant on.
type LimitStep struct {
	Time  web.Time `json:"time"`
	Limit *float64 `json:"limit" description:"null for no limit"`
}

// limitHistory answers with nothing of dashboard_output: that limit is the plan's, and of it no history is kept.
func (s *Service) limitHistory(ctx context.Context, who auth.Caller, in limitsInput) ([]LimitStep, error) {
	p, _, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return nil, err
	}
	if in.StartDate == "" {
		return nil, fault.Field("start_date", "is missing")
	}
	sp, err := spanInput{StartDate: in.StartDate, EndDate: in.EndDate, Timezone: in.Timezone, Periodicity: string(Monthly)}.span(s.clock.Now(), time.UTC)
	if err != nil {
		return nil, err
	}
	svc := cmp.Or(plan.Service(in.Service), plan.Input)
	if !slices.Contains(plan.Metered[:], svc) {
		return nil, fault.Field("service", "%.40q is no service", in.Service)
	}
	out := []LimitStep{}
	if !slices.Contains(plan.Services, svc) {
		return out, nil
	}
	changes, err := s.LimitHistory(ctx, p, svc, sp.From, sp.To+1)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		x := LimitStep{Time: web.Millis(c.At)}
		if c.Limit < plan.Unlimited {
			n := plan.Wire(svc, c.Limit)
			x.Limit = &n
		}
		out = append(out, x)
	}
	return out, nil
}

type accountStatistics struct {
	From        web.Time            `json:"from"`
	To          web.Time            `json:"to"`
	Periodicity Periodicity         `json:"periodicity"`
	Timezone    string              `json:"timezone"`
	Profiles    []profileStatistics `json:"profiles"`
	Total       usedStatistics      `json:"total"`
}

type usedStatistics struct {
	Periods []map[string]any   `json:"periods"` // by period: units used in it, stocks at its end
	Used    map[string]float64 `json:"used"`    // in the whole range
	Overage map[string]float64 `json:"overage,omitempty" description:"the part of it that was accepted beyond the limit"`
}

type profileStatistics struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name"`
	usedStatistics
	RunsOut map[string]*string `json:"runs_out"` // by service, the day on which nothing is left; null for never
}

func (s *Service) accountStatistics(ctx context.Context, who auth.Caller, in spanInput) (accountStatistics, error) {
	home, err := s.zoneOf(ctx, who.AccountID)
	if err != nil {
		return accountStatistics{}, err
	}
	now := s.clock.Now()
	if in.Date == "" && in.StartDate == "" && in.EndDate == "" && in.Periodicity == "" {
		in.Periodicity = string(Monthly) // the present cycle
	}
	sp, err := in.span(now, home)
	if err != nil {
		return accountStatistics{}, err
	}
	all, err := s.AccountStatistics(ctx, who.AccountID, sp)
	if err != nil {
		return accountStatistics{}, err
	}
	out := accountStatistics{
		From: web.Millis(sp.From), To: web.Millis(min(sp.To, clock.Millis(now))), Periodicity: sp.Periodicity, Timezone: sp.Zone.String(),
		Profiles: make([]profileStatistics, len(all.Profiles)), Total: usedWire(all.Total),
	}
	for i, p := range all.Profiles {
		x := profileStatistics{ID: p.Profile, Name: p.Name, usedStatistics: usedWire(p.Usage), RunsOut: map[string]*string{}}
		for j, svc := range plan.Metered {
			x.RunsOut[string(svc)] = nil
			if at := p.RunsOut[j]; at > 0 {
				day := clock.FromMillis(at).In(sp.Zone).Format(time.DateOnly)
				x.RunsOut[string(svc)] = &day
			}
		}
		out.Profiles[i] = x
	}
	return out, nil
}

func usedWire(u Usage) usedStatistics {
	x := usedStatistics{Periods: wires(u.Periods), Used: map[string]float64{}, Overage: overWire(u.Range.Over)}
	for i, svc := range plan.Metered {
		if u.Range.Shown[i] {
			x.Used[string(svc)] = plan.Wire(svc, u.Range.Used[i])
		}
	}
	return x
}

// tooMuch refuses a range that is too long for so many profiles.
func tooMuch(profiles, periods int) error {
	return fault.Field("end_date", "%d periods of %d profiles are too many for one answer: at most %d together", periods, profiles, mostCells)
}
