package overview_test

import (
	"fmt"
	"testing"
	"time"

	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// BenchmarkOverview is what the pages ask for, of an account with so many profiles, each with limits, some with devices and points, and a
// figure that all share.
func BenchmarkOverview(b *testing.B) {
	for _, engine := range sqldbtest.Engines {
		for _, n := range []int{1, 40, 1000} {
			s := apptest.Start(b, engine, apptest.AtTime(noon))
			s.Account(b, "house")
			a := s.Account(b, "house")
			var last string
			s.Call(b, "PUT", "/account/cost/figure", a.Token, m{"amount": 100_000, "currency": "eur", "shares": m{"input": 50, "data_records": 50}}).Want(b, 200)
			rows := []m{{"profile": a.Profile, "input": 1000, "data_records": 1000}}
			for i := range n {
				p := a
				if i > 0 {
					var made struct{ ID string }
					s.Call(b, "POST", "/profile", a.Token, m{"name": fmt.Sprintf("Profile %d", i)}).Want(b, 200, 201).Into(b, &made)
					p.Profile = made.ID
					rows = append(rows, m{"profile": made.ID, "input": 1000, "data_records": 1000})
					if n == 40 || i%50 == 0 {
						p = s.TokenOf(b, a, made.ID)
					} else {
						continue
					}
				}
				for range 2 {
					_, device := s.Device(b, p, "D")
					s.Send(b, device, 20).Want(b, 200)
				}
				last = p.Profile
			}
			if n > 1 {
				s.Call(b, "POST", "/account/allocation", a.Token, rows).Want(b, 200)
			}
			s.Clock.Advance(50 * time.Hour)
			for _, path := range []string{"/overview", "/overview?orderBy=runs_out_on", "/overview/status", "/profile/" + last + "/health"} {
				name := path
				if path == "/profile/"+last+"/health" {
					name = "/health"
				}
				b.Run(fmt.Sprintf("%s/%d profiles%s", engine, n, name), func(b *testing.B) {
					for b.Loop() {
						s.Call(b, "GET", path, a.Token, nil).Want(b, 200)
					}
				})
			}
		}
	}
}
