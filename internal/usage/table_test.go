package usage_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// TestTable walks the figures that the console's pages about use are made of: the table of allocations, what each period used, the
// names of devices, and where services lead.
func TestTable(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		b := s.Profile(t, a, "B")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 100, "sms": 8}, {"profile": b.Profile, "input": 500, "sms": 2}}).Want(t, 200)
		device, token := s.Device(t, a, "Pump")
		s.Send(t, token, 7).Want(t, 200)
		s.Clock.Advance(2 * time.Hour)
		s.Send(t, token, 3).Want(t, 200)
		s.Clock.Advance(22 * time.Hour)

		type part struct {
			ID, Name   string
			Automatic  bool
			Allocation map[string]*float64
			Used       map[string]float64
		}
		type service struct {
			Service               string
			Flow                  bool
			Pool, Allocated, Free *float64
			Departed              float64
		}
		var x struct {
			Reset    string
			Services []service
			Profiles []part
		}
		t.Run("the table has the pool and each profile's part of it", func(t *testing.T) {
			s.Call(t, "GET", "/account/allocation/table", a.Token, nil).Want(t, 200).Into(t, &x)
			if len(x.Services) != 9 || len(x.Profiles) != 2 || x.Reset == "" {
				t.Fatalf("%+v", x)
			}
			sv := x.Services[0]
			if sv.Service != "input" || !sv.Flow || *sv.Pool != 1_000_000 || *sv.Allocated != 600 || *sv.Free != 999_400 || sv.Departed != 0 {
				t.Errorf("%+v", sv)
			}
			slices.SortFunc(x.Profiles, func(p, q part) int { return strings.Compare(q.Name, p.Name) }) // "Person …" before "B"
			p := x.Profiles[0]
			if p.ID != a.Profile || p.Automatic || *p.Allocation["input"] != 100 || p.Used["input"] != 10 || p.Used["data_records"] != 10 || len(p.Allocation) != 9 || len(p.Used) != 9 {
				t.Errorf("%+v", p)
			}
			if q := x.Profiles[1]; q.Name != "B" || q.Used["input"] != 0 || *q.Allocation["input"] != 500 {
				t.Errorf("%+v", q)
			}
		})
		t.Run("what has no limit is null", func(t *testing.T) {
			h := s.Account(t, "house")
			s.Call(t, "GET", "/account/allocation/table", h.Token, nil).Want(t, 200).Into(t, &x)
			if len(x.Profiles) != 1 || x.Services[0].Pool != nil || x.Services[0].Free != nil || x.Profiles[0].Allocation["file_storage"] != nil {
				t.Errorf("%+v", x)
			}
		})
		t.Run("a refusal names every amount that does not fit", func(t *testing.T) {
			got := s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 900_000, "sms": 9}, {"profile": b.Profile, "input": 200_000, "output": 1}}).Want(t, 400)
			if !strings.HasPrefix(got.Message, "[0].input: the profiles would have 1100000") {
				t.Error(got.Message)
			}
			var detail struct {
				Error struct {
					Refused []struct{ Profile, Service, Reason string }
				}
			}
			inside(t, got, &detail)
			var cells []string
			for _, c := range detail.Error.Refused {
				cells = append(cells, map[string]string{a.Profile: "A", b.Profile: "B"}[c.Profile]+" "+c.Service)
				if !strings.Contains(c.Reason, "together, the account has") {
					t.Error(c.Reason)
				}
			}
			if fmt.Sprint(cells) != "[A input B input A sms]" {
				t.Error(cells)
			}
			got = s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": "0123456789abcdef01234567", "input": 1}}).Want(t, 400)
			detail.Error.Refused = nil
			inside(t, got, &detail)
			if r := detail.Error.Refused; len(r) != 1 || r[0].Profile != "0123456789abcdef01234567" || r[0].Service != "" {
				t.Errorf("%+v", r)
			}
		})
		t.Run("periods of one profile are what each of them used", func(t *testing.T) {
			of := func(query string) string {
				var samples []struct{ Input float64 }
				s.Call(t, "GET", "/profile/"+a.Profile+"/statistics?"+query, a.Token, nil).Want(t, 200).Into(t, &samples)
				var out []float64
				for _, x := range samples {
					out = append(out, x.Input)
				}
				return fmt.Sprint(out)
			}
			for query, want := range map[string]string{
				"date=2026-03-14":                                 "[7 7 10 10 10 10 10 10 10 10 10 10]",
				"date=2026-03-14&of=period":                       "[7 0 3 0 0 0 0 0 0 0 0 0]",
				"periodicity=month&of=period":                     "[10]",
				"start_date=2026-03-14&periodicity=day&of=period": "[10 0]",
			} {
				if got := of(query); got != want {
					t.Errorf("%s: %s, want %s", query, got, want)
				}
			}
			if got := s.Call(t, "GET", "/profile/"+a.Profile+"/statistics?of=day", a.Token, nil).Want(t, 400); !strings.HasPrefix(got.Message, "of: ") {
				t.Error(got.Message)
			}
		})
		t.Run("devices have names until they are deleted", func(t *testing.T) {
			var day struct {
				Devices []struct{ Device, Name string }
			}
			s.Call(t, "GET", "/profile/"+a.Profile+"/statistics/devices?date=2026-03-14", a.Token, nil).Want(t, 200).Into(t, &day)
			if len(day.Devices) != 1 || day.Devices[0].Device != device || day.Devices[0].Name != "Pump" {
				t.Errorf("%+v", day)
			}
			s.Call(t, "DELETE", "/device/"+device, a.Token, nil).Want(t, 200)
			s.Call(t, "GET", "/profile/"+a.Profile+"/statistics/devices?date=2026-03-14", a.Token, nil).Want(t, 200).Into(t, &day)
			if len(day.Devices) != 1 || day.Devices[0].Name != "" && day.Devices[0].Name != "Pump" {
				t.Errorf("%+v", day)
			}
		})
		t.Run("limits say where services lead, at the pace of the account's statistics", func(t *testing.T) {
			type limit struct {
				Name, Kind string
				RunsOut    *string `json:"runs_out"`
				Expected   *float64
			}
			var rows []limit
			s.Call(t, "GET", "/limits?forecast=true", a.Token, nil).Want(t, 200).Into(t, &rows)
			var account struct {
				Profiles []struct {
					ID      string
					RunsOut map[string]*string `json:"runs_out"`
				}
			}
			s.Call(t, "GET", "/statistics", a.Token, nil).Want(t, 200).Into(t, &account)
			for _, r := range rows {
				if r.Kind != "service" {
					if r.Expected != nil || r.RunsOut != nil {
						t.Errorf("%+v", r)
					}
					continue
				}
				// 10 of 100 in a day: 90 more take nine. Until the first of April there are 16 and a half days: 165 more.
				if r.Name == "input" && (r.RunsOut == nil || !strings.HasPrefix(*r.RunsOut, "2026-03-24T") || *r.Expected != 175) {
					t.Errorf("%+v", r)
				}
				for _, p := range account.Profiles {
					if day := p.RunsOut[r.Name]; p.ID == a.Profile && ((day == nil) != (r.RunsOut == nil) || day != nil && !strings.HasPrefix(*r.RunsOut, *day)) {
						t.Errorf("%s: %v and %v", r.Name, day, r.RunsOut)
					}
				}
			}
			s.Call(t, "GET", "/limits", a.Token, nil).Want(t, 200).Into(t, &rows)
			rows = nil
			s.Call(t, "GET", "/limits", a.Token, nil).Want(t, 200).Into(t, &rows)
			for _, r := range rows {
				if r.Expected != nil || r.RunsOut != nil {
					t.Errorf("%+v", r)
				}
			}
		})
	}, apptest.AtTime(at("2026-03-14T12:00:00Z")))
}

// inside decodes all of an answer, not its result only.
func inside(t *testing.T, a apptest.Answer, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatal(err)
	}
}
