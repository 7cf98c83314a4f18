package token

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/profile"
)

// warnDays are how many days before its end people hear of a token, each once. One that lives no longer than that
// anyway is not told of then.
var warnDays = []int64{14, 3, 1}

const (
	warnSlice = 500
	day       = int64(24 * time.Hour / time.Millisecond)
)

// TellExpiry says by whom people hear that a token expires soon; before Jobs.
func (s *Service) TellExpiry(n *notify.Service) { s.notify = n }

// Expiring is a token in the data of an event.
type Expiring struct {
	Token     id.Token  `json:"token"`
	Name      string    `json:"name"`
	Type      auth.Kind `json:"type"`
	Device    id.Device `json:"device,omitempty"`
	Tail      string    `json:"tail"`
	Days      int64     `json:"days"`
	ExpiresAt web.Time  `json:"expire_time"`
}

// due is a token that reached a threshold.
type due struct {
	Token
	warned int64 // the threshold told last, 0 for none
	days   int64 // the threshold reached, the nearest
}

// Warn tells the makers of tokens and the owners of their profiles that these expire soon: one alert for each token and
// threshold. What a stopped server missed is told once, by the nearest threshold.
func (s *Service) Warn(ctx context.Context) error {
	ctx = sqldb.Cost(sqldb.As(ctx, "tokens"), 100)
	for {
		now := s.now()
		found, err := s.expiring(ctx, now)
		if err != nil || len(found) == 0 {
			return err
		}
		// One event for what belongs together: tokens of a profile with the same maker at the same threshold.
		type group struct {
			profile id.Profile
			maker   id.Account
			days    int64
		}
		groups := map[group][]due{}
		var order []group
		for _, d := range found {
			for _, n := range warnDays {
				if d.ExpiresAt-now <= n*day {
					d.days = n
				}
			}
			g := group{d.Profile, d.CreatedBy, d.days}
			if groups[g] == nil {
				order = append(order, g)
			}
			groups[g] = append(groups[g], d)
		}
		for _, g := range order {
			if err := s.warn(ctx, g.profile, g.maker, groups[g]); err != nil {
				return err
			}
		}
		if len(found) < warnSlice {
			return nil
		}
	}
}

// restored lets those be told again who could not be told while a profile was deleted. It is a hook.
func (s *Service) restored(ctx context.Context, _ auth.Caller, r profile.Restored) error {
	_, err := s.db.Exec(ctx, `UPDATE token SET warned = 0 WHERE profile_id = $1 AND warned > 0 AND ended_at = 0`, r.ID)
	return err
}

// warn marks tokens as told and tells of those whose life is longer than the threshold, in one transaction.
func (s *Service) warn(ctx context.Context, p id.Profile, maker id.Account, tokens []due) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		e := notify.Event{Profile: p, Kind: notify.Token, Page: "/p/" + string(p) + "/profile", Action: "Show the profile"}
		for _, d := range tokens {
			// Another node may have been first, or somebody has revoked it or moved it to another profile.
			mine, err := s.markWarned(ctx, d)
			if err != nil {
				return err
			}
			if !mine || d.ExpiresAt-d.CreatedAt <= d.days*day {
				continue
			}
			at := web.Millis(d.ExpiresAt)
			what := "The token"
			if d.Kind == auth.Device {
				what = "The device token"
			}
			e.Title = "Token expires soon"
			e.Items = append(e.Items, notify.Item{
				Message: fmt.Sprintf("%s %q (…%s) expires within %s, on %s. What uses it will be refused from then on.", what, d.Name, d.Tail, days(d.days), clock.FromMillis(d.ExpiresAt).Format("2 January 2006 15:04 UTC")),
				Data:    Expiring{d.ID, d.Name, d.Kind, d.Device, d.Tail, d.days, at},
			})
		}
		if len(e.Items) > 1 {
			e.Title = fmt.Sprintf("%d tokens expire soon", len(e.Items))
		}
		pr, err := s.profiles.Get(ctx, p)
		if err != nil { // gone: nobody to tell, and its tokens work no more
			return orNil(err)
		}
		e.To = []id.Account{pr.Account}
		if _, may, err := s.profiles.Access(ctx, maker, p); err != nil {
			return err
		} else if may {
			e.To = append(e.To, maker)
		}
		return s.notify.Raise(ctx, e)
	})
}

func orNil(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func days(n int64) string {
	if n == 1 {
		return "a day"
	}
	return fmt.Sprintf("%d days", n)
}

// expiring lists live tokens that have reached a threshold nearer than the one told last, the nearest end first.
func (s *Service) expiring(ctx context.Context, now int64) ([]due, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (d due, err error) {
		return d, r.Scan(&d.ID, &d.Tail, &d.Kind, &d.Profile, &d.Device, &d.CreatedBy, &d.Name, &d.ExpiresAt, &d.CreatedAt, &d.warned)
	}, `SELECT id, tail, kind, profile_id, device_id, created_by, name, expires_at, created_at, warned FROM token
		WHERE expires_at > $1 AND expires_at <= $2 AND expires_at > 0 AND ended_at = 0
		AND (warned = 0 OR warned > 3 AND expires_at <= $3 OR warned > 1 AND expires_at <= $4) ORDER BY expires_at LIMIT $5`,
		now, now+14*day, now+3*day, now+day, int64(warnSlice))
}

func (s *Service) markWarned(ctx context.Context, d due) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE token SET warned = $1 WHERE id = $2 AND profile_id = $3 AND warned = $4 AND ended_at = 0`, d.days, d.ID, d.Profile, d.warned)
	return n == 1, err
}
