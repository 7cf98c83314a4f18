package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// sample is a point of statistics as the client sees it.
type sample struct {
	Time    string
	Input   *float64
	Output  *float64
	Records *float64 `json:"data_records"`
	SMS     *float64
}

// show is samples in a line: time, input, output, data_records; "-" for what is absent.
func show(samples []sample) string {
	n := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprint(*v)
	}
	var out []string
	for _, s := range samples {
		out = append(out, s.Time[5:16]+" "+n(s.Input)+" "+n(s.Output)+" "+n(s.Records))
	}
	return strings.Join(out, ", ")
}

func statistics(t *testing.T, s *apptest.Server, w apptest.Who, params ...string) []sample {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	var out []sample
	s.Call(t, "GET", "/profile/"+w.Profile+"/statistics?"+q.Encode(), w.Token, nil).Want(t, 200).Into(t, &out)
	return out
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestBehaviour69_Statistics(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		_, token := s.Device(t, a, "D")
		s.Clock.Set(instant("2026-03-28T22:40:00Z"))
		s.Send(t, token, 3).Want(t, 200)
		s.Clock.Set(instant("2026-03-29T00:50:00Z"))
		s.Send(t, token, 2).Want(t, 200)
		s.Clock.Set(instant("2026-03-29T02:10:00Z"))
		s.Send(t, token, 4).Want(t, 200)
		s.Clock.Set(instant("2026-03-30T12:30:00Z"))

		t.Run("a date gives the hours of that day, in UTC by default", func(t *testing.T) {
			got := statistics(t, s, a, "date", "2026-03-29")
			if len(got) != 24 || got[0].Time != "2026-03-29T01:00:00.000Z" || got[23].Time != "2026-03-30T00:00:00.000Z" {
				t.Fatal(show(got))
			}
			if x := show(got[:3]); x != "03-29T01:00 5 - 5, 03-29T02:00 5 - 5, 03-29T03:00 9 - 9" {
				t.Error(x)
			}
		})
		t.Run("a time zone moves the day, and its clocks shorten it", func(t *testing.T) {
			got := statistics(t, s, a, "date", "2026-03-29", "timezone", "Europe/Berlin")
			if len(got) != 23 || got[0].Time != "2026-03-29T00:00:00.000Z" || *got[0].Input != 3 || *got[1].Input != 5 {
				t.Error(show(got))
			}
			got = statistics(t, s, a, "date", "2026-03-29", "timezone", "+05:45")
			if len(got) != 24 || got[0].Time != "2026-03-28T19:15:00.000Z" || got[0].Input != nil || *got[4].Input != 3 {
				t.Error(show(got))
			}
			got = statistics(t, s, a, "date", "2026-03-28", "timezone", "-03:30")
			if len(got) != 24 || got[23].Time != "2026-03-29T03:30:00.000Z" || *got[23].Input != 9 {
				t.Error(show(got))
			}
		})
		t.Run("a range gives hours, days or months, and nothing of the future", func(t *testing.T) {
			between := []string{"start_date", "2026-03-28", "end_date", "2026-12-31"}
			if got := show(statistics(t, s, a, append(between, "periodicity", "day")...)); got != "03-29T00:00 3 - 3, 03-30T00:00 9 - 9, 03-30T12:30 9 - 9" {
				t.Error(got)
			}
			if got := show(statistics(t, s, a, append(between, "periodicity", "month")...)); got != "03-30T12:30 9 - 9" {
				t.Error(got)
			}
			got := statistics(t, s, a, "start_date", "2026-03-29T00:00:00.000Z", "end_date", "2026-03-29T03:00:00.000Z")
			if x := show(got); x != "03-29T01:00 5 - 5, 03-29T02:00 5 - 5, 03-29T03:00 9 - 9" {
				t.Error(x)
			}
		})
		t.Run("parameters that make no sense are refused by name", func(t *testing.T) {
			for q, field := range map[string]string{
				"date=someday": "date", "periodicity=year": "periodicity", "timezone=Mars": "timezone", "end_date=2026-03-01": "start_date",
				"start_date=2026-03-02&end_date=2026-03-01": "end_date", "start_date=2025-01-01&end_date=2026-03-01": "end_date",
				"start_date=2024-01-01&end_date=2026-03-01&periodicity=day": "end_date",
			} {
				if x := s.Call(t, "GET", "/profile/"+a.Profile+"/statistics?"+q, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, field+": ") {
					t.Errorf("%s: %s", q, x.Message)
				}
			}
		})
		t.Run("who may not see the profile may not see its statistics", func(t *testing.T) {
			other := s.Account(t, "house")
			s.Call(t, "GET", "/profile/"+a.Profile+"/statistics", other.Token, nil).Want(t, 404)
			s.Call(t, "GET", "/profile/"+a.Profile+"/statistics", "", nil).Want(t, 401)
			s.Call(t, "GET", "/profile/"+a.Profile+"/statistics", token, nil).Want(t, 401)
			s.Call(t, "GET", "/profile/current/statistics", a.Token, nil).Want(t, 200)
		})
		t.Run("the account sees all its profiles in one answer", func(t *testing.T) {
			second := s.Profile(t, a, "Second")
			_, token := s.Device(t, second, "D")
			s.Send(t, token, 5).Want(t, 200)
			s.Clock.Advance(time.Hour)
			var all struct {
				Profiles []struct {
					ID, Name string
					Periods  []sample
					Used     map[string]float64
					RunsOut  map[string]*string `json:"runs_out"`
				}
				Total struct {
					Periods []sample
					Used    map[string]float64
				}
			}
			s.Call(t, "GET", "/statistics?start_date=2026-03-28&end_date=2026-03-30&periodicity=day", a.Token, nil).Want(t, 200).Into(t, &all)
			if len(all.Profiles) != 2 || all.Total.Used["input"] != 14 || all.Total.Used["data_records"] != 14 {
				t.Fatalf("%+v", all)
			}
			for _, p := range all.Profiles {
				want := map[string]string{a.Profile: "03-29T00:00 3 - 3, 03-30T00:00 6 - 9, 03-30T13:30 - - 9", second.Profile: "03-30T13:30 5 - 5"}[p.ID]
				if got := show(p.Periods); got != want {
					t.Errorf("%s: %s, want %s", p.Name, got, want)
				}
				if day, there := p.RunsOut["input"]; !there || day != nil {
					t.Errorf("the unlimited runs out: %v", p.RunsOut)
				}
			}
			if got := show(all.Total.Periods); got != "03-29T00:00 3 - 3, 03-30T00:00 6 - 9, 03-30T13:30 5 - 14" {
				t.Error(got)
			}
			s.Call(t, "GET", "/statistics", token, nil).Want(t, http.StatusUnauthorized)
		})
	}, apptest.AtTime(instant("2026-03-27T12:00:00Z")))
}

func TestBehaviour70_CumulativeWithinTheCycle(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		d, token := s.Device(t, a, "D")
		s.Clock.Set(instant("2026-03-31T21:20:00Z"))
		s.Send(t, token, 6).Want(t, 200)
		s.Clock.Set(instant("2026-03-31T22:20:00Z"))
		s.Call(t, "GET", "/device/"+d+"/data?qty=2", a.Token, nil).Want(t, 200)
		s.Clock.Set(instant("2026-03-31T23:20:00Z"))
		s.Call(t, "DELETE", "/device/"+d+"/data?qty=4", a.Token, nil).Want(t, 200)
		s.Send(t, token, 1).Want(t, 200)
		s.Clock.Set(instant("2026-04-01T01:10:00Z"))
		s.Send(t, token, 2).Want(t, 200)
		s.Clock.Set(instant("2026-04-01T02:30:00Z"))

		got := show(statistics(t, s, a, "start_date", "2026-03-31T21:00:00Z", "end_date", "2026-04-01T23:00:00Z"))
		// A cycle turns at midnight: input and output begin anew, what is stored stays and may fall.
		want := "03-31T22:00 6 - 6, 03-31T23:00 6 2 6, 04-01T00:00 7 2 3, 04-01T01:00 - - 3, 04-01T02:00 2 - 5, 04-01T02:30 2 - 5"
		if got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if got := show(statistics(t, s, a, "start_date", "2026-03-01", "end_date", "2026-04-30", "periodicity", "month")); got != "04-01T00:00 7 2 3, 04-01T02:30 2 - 5" {
			t.Errorf("months: %s", got)
		}
		// The last sample says what the summary says.
		sum := s.Summary(t, a)
		if sum.Used["input"] != 2 || sum.Used["output"] != 0 || sum.Used["data_records"] != 5 {
			t.Errorf("%+v", sum.Used)
		}
	}, apptest.AtTime(instant("2026-03-31T21:00:00Z")))
}

// TestDevicesOfADay divides a day into hours and devices: whatever was refused among what was accepted, the sum is
// what the profile used.
func TestDevicesOfADay(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		s.Profile(t, a, "Second")
		s.Call(t, "POST", "/account/allocation", a.Token, []row{{"profile": a.Profile, "input": 25}}).Want(t, 200)
		var wg sync.WaitGroup
		var accepted [4]atomic.Int64
		var ids [4]string
		for i := range ids {
			id, token := s.Device(t, a, fmt.Sprint("D", i))
			ids[i] = id
			for n := 1; n <= 4; n++ {
				wg.Go(func() {
					if s.Send(t, token, n).Want(t, 200, 402).Status == 200 {
						accepted[i].Add(int64(n))
					}
				})
			}
		}
		wg.Wait()
		s.Clock.Advance(20 * time.Minute)
		var day struct {
			Used    float64
			Devices []struct {
				Device string
				Used   int64
				Hours  []struct {
					Time string
					Used int64
				}
			}
		}
		s.Call(t, "GET", "/profile/"+a.Profile+"/statistics/devices", a.Token, nil).Want(t, 200).Into(t, &day)
		hours := statistics(t, s, a)
		if last := hours[len(hours)-1]; last.Input == nil || *last.Input != day.Used || day.Used > 25 || day.Used < 22 {
			t.Errorf("the devices used %v, the profile %s", day.Used, show(hours))
		}
		for i, id := range ids {
			var got int64
			for _, d := range day.Devices {
				if d.Device == id {
					got = d.Used
					if len(d.Hours) != 1 || d.Hours[0].Used != got || d.Hours[0].Time != "2026-03-14T12:20:00.000Z" {
						t.Errorf("%+v", d)
					}
				}
			}
			if got != accepted[i].Load() {
				t.Errorf("device %d used %d, %d were accepted", i, got, accepted[i].Load())
			}
		}
		other := s.Account(t, "house")
		s.Call(t, "GET", "/profile/"+a.Profile+"/statistics/devices", other.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/profile/"+a.Profile+"/statistics/devices?service=x", a.Token, nil).Want(t, 400)
	}, apptest.AtTime(instant("2026-03-14T12:00:00Z")))
}
