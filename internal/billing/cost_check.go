package billing

import (
	"context"
	"fmt"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// What a check takes at most; two are made at a time.
const (
	mostChecked  = 62 * 24 * hour // of a range
	checkCharges = 2_000
	checkUse     = 8 * rateCells // hours of profiles whose use is read once more
	mostFound    = 20            // findings that are told
)

type checkInput struct {
	From string `query:"from" description:"first instant or day; the start of the running cycle when not given"`
	To   string `query:"to" description:"where it ends, or its last day; now when not given"`
}

// CostCheck is what came out when a cost was computed again.
type CostCheck struct {
	OK        bool     `json:"ok" description:"nothing differs"`
	CheckedAt web.Time `json:"checked_at"`
	From      web.Time `json:"from"`
	To        web.Time `json:"to"`
	Charges   int      `json:"charges" description:"that have hours in the range; each was shared twice by allocation"`
	Days      int      `json:"days" description:"of charges, as they are kept by use; each was added up"`
	Again     int      `json:"days_again" description:"of those, the latest, whose use was read and shared once more"`
	Found     []string `json:"found" description:"a sentence for each difference; at most 20"`
}

func (s *Service) getCheck(ctx context.Context, who auth.Caller, in checkInput) (CostCheck, error) {
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return CostCheck{}, err
	}
	from, to, err := s.parseRange(acc, in.From, in.To, ByUse)
	if err != nil {
		return CostCheck{}, err
	}
	if to-from > mostChecked {
		return CostCheck{}, fault.Field("from", "the range is too long to be computed again: at most two months")
	}
	select {
	case s.checking <- struct{}{}:
	case <-ctx.Done():
		return CostCheck{}, ctx.Err()
	}
	defer func() { <-s.checking }()
	out := CostCheck{CheckedAt: web.Millis(s.now()), From: web.Millis(from), To: web.Millis(min(to, s.now())), Found: []string{}}
	n := 0
	found := func(format string, args ...any) {
		if n++; n <= mostFound {
			out.Found = append(out.Found, fmt.Sprintf(format, args...))
		}
	}
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		charges, err := s.Charges(ctx, acc.ID, from, to)
		if err != nil {
			return err
		}
		if len(charges) > checkCharges {
			return fault.Field("from", "%d charges are too many to be computed again at once: ask for fewer days", len(charges))
		}
		for _, basis := range []Basis{ByAllocation, ByUse} {
			c, err := s.costOf(ctx, acc, from, to, basis, false)
			if err != nil {
				return err
			}
			for currency, want := range c.Charged {
				if c.Total[currency] != want {
					found("by %s the lines of the range add up to %d micro-units of %s, its charges to %d", basis, c.Total[currency], currency, want)
				}
			}
		}
		again, err := s.verifyCharges(ctx, acc.ID, charges, checkUse, found)
		out.Charges, out.Days, out.Again = len(charges), again.days, again.shared
		return err
	})
	out.OK = n == 0
	return out, err
}
