package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	mrand "math/rand/v2"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/kit/fault"
	"paddock/internal/profile"
)

type demoCmd struct {
	Store `embed:""`
}

// Run fills an installation that has no account yet.
func (c *demoCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		signIns, err := a.Demo(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, "Sample data is in place. Sign in at /console/ as")
		for _, line := range signIns {
			fmt.Fprintln(s.out, "  "+line)
		}
		return nil
	})
}

// sample is a profile of the demo: devices whose variables swing around a middle with the hours of the day.
type sample struct {
	name    string
	devices []string
	curves  []curve
}

type curve struct {
	variable, unit        string
	middle, swing, jitter float64
}

var samples = []sample{
	{"Bakery Nord", []string{"Oven 1", "Oven 2", "Proofer"}, []curve{{"temperature", "°C", 180, 60, 6}, {"power", "kW", 14, 9, 1}}},
	{"City Gardens", []string{"Rose bed", "Orchard", "Pond", "Greenhouse"}, []curve{{"soil_moisture", "%", 38, 8, 1.5}, {"temperature", "°C", 16, 7, 0.8}}},
	{"Cold Store Harbour", []string{"Hall A", "Hall B", "Dock"}, []curve{{"temperature", "°C", -19, 1.2, 0.4}, {"door_open", "min", 6, 5, 2}}},
	{"School Air", []string{"Room 101", "Room 102", "Gym"}, []curve{{"co2", "ppm", 720, 260, 40}, {"humidity", "%", 44, 6, 2}}},
	{"Sandbox", []string{"Test device"}, []curve{{"value", "", 50, 30, 5}}},
}

const (
	demoDays = 7
	demoStep = 30 * time.Minute
)

// Demo makes an operator with sample profiles and a second account, and returns who can sign in with what. It
// refuses to touch an installation that has accounts.
func (a *App) Demo(ctx context.Context) ([]string, error) {
	empty, err := a.accounts.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if !empty {
		return nil, fault.New(fault.Conflict, "This installation has accounts already; the demo is for an empty one (give another --data)")
	}
	who := auth.SystemCaller()
	password := rand.Text()[:16]
	owner, err := a.CreateAccount(ctx, who, NewAccount{CreateInput: account.CreateInput{Name: "Integrator", Email: "integrator@example.com", Password: password}})
	if err != nil {
		return nil, err
	}
	other, err := a.CreateAccount(ctx, who, NewAccount{CreateInput: account.CreateInput{Name: "Customer", Email: "customer@example.com", Password: password}})
	if err != nil {
		return nil, err
	}
	as := who
	as.AccountID = owner.Account
	rnd := mrand.New(mrand.NewPCG(1, 2))
	for _, s := range samples {
		p, err := a.profiles.Create(ctx, as, profile.CreateInput{Account: owner.Account, Name: s.name})
		if err != nil {
			return nil, err
		}
		in := as
		in.ProfileID, in.OwnerID = p.ID, owner.Account
		for i, name := range s.devices {
			d, err := a.devices.Create(ctx, in, p.ID, device.CreateInput{Name: name, Type: device.Mutable,
				Tags: []device.Tag{{Key: "site", Value: s.name}}})
			if err != nil {
				return nil, err
			}
			for _, body := range history(s.curves, a.clock.Now(), float64(i), rnd) {
				if _, err := a.data.Store(ctx, p.ID, d.ID, body, ""); err != nil {
					return nil, err
				}
			}
		}
	}
	return []string{
		fmt.Sprintf("integrator@example.com   password %s   (operator, %d profiles)", password, len(samples)+1),
		fmt.Sprintf("customer@example.com     password %s   (account %s)", password, other.Account),
	}, nil
}

// history is a week of points as bodies of POST /data.
func history(curves []curve, now time.Time, shift float64, rnd *mrand.Rand) [][]byte {
	var bodies [][]byte
	var points []map[string]any
	for at := now.Add(-demoDays * 24 * time.Hour); at.Before(now); at = at.Add(demoStep) {
		day := 2 * math.Pi * (float64(at.Hour()) + float64(at.Minute())/60 - 9 - shift) / 24
		for _, c := range curves {
			value := c.middle + c.swing*math.Sin(day) + c.jitter*rnd.NormFloat64()
			points = append(points, map[string]any{"variable": c.variable, "unit": c.unit, "value": math.Round(value*100) / 100,
				"time": at.UTC().Format(time.RFC3339)})
		}
		if len(points) >= 500 {
			bodies, points = append(bodies, encode(points)), nil
		}
	}
	return append(bodies, encode(points))
}

func encode(points []map[string]any) []byte {
	for _, p := range points {
		if strings.TrimSpace(p["unit"].(string)) == "" {
			delete(p, "unit")
		}
	}
	b, err := json.Marshal(points)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return b
}
