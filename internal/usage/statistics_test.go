package usage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

type params = usage.StatisticsParams

// statistics asks for samples of a profile as its owner would.
func (h *house) statistics(p id.Profile, in params) []map[string]any {
	h.t.Helper()
	got, err := usage.GetStatistics(h.usage, context.Background(), system, string(p), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) overview(a id.Account, in params) usage.AccountAnswer {
	h.t.Helper()
	got, err := usage.GetAccountStatistics(h.usage, context.Background(), owner(a), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func owner(a id.Account) auth.Caller {
	return auth.Caller{Kind: auth.Session, AccountID: a, Permission: auth.Full, Reach: auth.ReachAccount}
}

// times are those of samples, shortened: "14T15:00".
func times(samples []map[string]any) []string {
	out := []string{}
	for _, s := range samples {
		out = append(out, s["time"].(web.Time).String()[8:16])
	}
	return out
}

// values are those of one service, -1 where it is absent.
func values(samples []map[string]any, svc plan.Service) []float64 {
	out := []float64{}
	for _, s := range samples {
		v, there := s[string(svc)].(float64)
		if !there {
			v = -1
		}
		out = append(out, v)
	}
	return out
}

func (h *house) want(what string, got, want any) {
	h.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		i := 0
		for i < min(len(g), len(w)) && g[i] == w[i] {
			i++
		}
		i = max(0, i-100)
		h.t.Errorf("%s: …%.300s, want …%.300s", what, g[i:], w[i:])
	}
}

func (h *house) take(p id.Profile, svc plan.Service, n int64) {
	h.t.Helper()
	if err := h.takeAny(p, svc, n); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) release(p id.Profile, svc plan.Service, n int64) {
	h.t.Helper()
	if err := h.usage.Release(sqldb.As(context.Background(), p), p, svc, n); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) spend(p id.Profile, n int64) {
	h.t.Helper()
	if err := h.usage.Spend(context.Background(), p, plan.Output, n); err != nil {
		h.t.Fatal(err)
	}
}

func TestStatistics(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.account("house", "UTC")
		p := h.profile(a) // at noon of 14 March
		h.clock.Set(at("2026-03-14T12:10:00Z"))
		h.ingest(p, 3)
		h.clock.Set(at("2026-03-14T13:59:00Z"))
		h.ingest(p, 4)
		h.clock.Set(at("2026-03-14T14:00:00Z"))
		h.release(p, plan.DataRecords, 5)
		h.spend(p, 6)
		h.clock.Set(at("2026-03-14T15:20:00Z"))

		t.Run("the day has a sample for each hour since the profile is there, the last one now", func(t *testing.T) {
			got := h.statistics(p, params{})
			h.want("times", times(got), "[14T13:00 14T14:00 14T15:00 14T15:20]")
			h.want("input", values(got, plan.Input), "[3 7 7 7]")
			h.want("data_records", values(got, plan.DataRecords), "[3 7 2 2]")
		})
		t.Run("a flow counts from its first unit on, also what is not written down yet", func(t *testing.T) {
			h.want("output", values(h.statistics(p, params{Date: "2026-03-14"}), plan.Output), "[-1 -1 6 6]")
			if err := h.usage.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			h.want("output", values(h.statistics(p, params{Date: "2026-03-14"}), plan.Output), "[-1 -1 6 6]")
		})
		t.Run("services that were never used are absent", func(t *testing.T) {
			for _, s := range h.statistics(p, params{}) {
				for _, svc := range []plan.Service{plan.SMS, plan.Email, plan.FileStorage, plan.RunUsers, plan.Analysis, plan.DashboardOutput} {
					if _, there := s[string(svc)]; there {
						t.Errorf("%s is in %v", svc, s)
					}
				}
			}
		})
		t.Run("units are those of the wire", func(t *testing.T) {
			h.take(p, plan.Analysis, 90)
			h.take(p, plan.FileStorage, 2_500_000)
			got := h.statistics(p, params{})
			last := got[len(got)-1]
			h.want("analysis and file_storage", []any{last["analysis"], last["file_storage"]}, "[1.5 2.5]")
		})
		t.Run("there is nothing before the profile and nothing in the future", func(t *testing.T) {
			h.want("yesterday", len(h.statistics(p, params{Date: "2026-03-13"})), 0)
			h.want("tomorrow", len(h.statistics(p, params{Date: "2026-03-15"})), 0)
			h.want("years", len(h.statistics(p, params{StartDate: "2026-03-01", EndDate: "2027-01-01", Periodicity: "month"})), 1)
		})
		t.Run("a gauge that falls to nothing shows 0 in its cycle", func(t *testing.T) {
			h.release(p, plan.DataRecords, 2)
			h.clock.Set(at("2026-03-14T15:30:00Z"))
			h.want("data_records", values(h.statistics(p, params{}), plan.DataRecords), "[3 7 2 0]")
		})

		h.ingest(p, 5)
		h.clock.Set(at("2026-04-01T00:00:00Z"))
		h.ingest(p, 2)
		h.clock.Set(at("2026-04-02T07:00:00Z"))
		t.Run("flows begin anew with a cycle, stocks stay", func(t *testing.T) {
			got := h.statistics(p, params{StartDate: "2026-03-31", EndDate: "2026-04-02", Periodicity: "day"})
			h.want("times", times(got), "[01T00:00 02T00:00 02T07:00]")
			h.want("input", values(got, plan.Input), "[12 2 2]")
			h.want("data_records", values(got, plan.DataRecords), "[5 7 7]")
			h.want("output", values(got, plan.Output), "[6 -1 -1]")
		})
		t.Run("a month is one point per cycle", func(t *testing.T) {
			got := h.statistics(p, params{StartDate: "2026-01-01", EndDate: "2026-04-30", Periodicity: "month"})
			h.want("times", times(got), "[01T00:00 02T07:00]")
			h.want("input", values(got, plan.Input), "[12 2]")
			h.want("file_storage", values(got, plan.FileStorage), "[2.5 2.5]")
		})
		h.clock.Set(at("2026-07-05T00:00:00Z"))
		t.Run("cycles in which nothing happened show what stands", func(t *testing.T) {
			got := h.statistics(p, params{StartDate: "2026-04-01", Periodicity: "month"})
			h.want("times", times(got), "[01T00:00 01T00:00 01T00:00 05T00:00]")
			h.want("input", values(got, plan.Input), "[2 -1 -1 -1]")
			h.want("data_records", values(got, plan.DataRecords), "[7 7 7 7]")
		})
		h.ingest(p, 1)
		h.clock.Set(at("2026-07-05T03:00:00Z"))
		t.Run("also when another has begun since", func(t *testing.T) {
			got := h.statistics(p, params{StartDate: "2026-04-01", Periodicity: "month"})
			h.want("input", values(got, plan.Input), "[2 -1 -1 1]")
			h.want("data_records", values(got, plan.DataRecords), "[7 7 7 8]")
			got = h.statistics(p, params{Date: "2026-06-10"})
			h.want("hours of a quiet day", []int{len(got), int(values(got, plan.DataRecords)[0])}, "[24 7]")
		})
		t.Run("the present day and cycle need no dates", func(t *testing.T) {
			h.want("day", values(h.statistics(p, params{Periodicity: "day"}), plan.Input), "[1]")
			h.want("month", values(h.statistics(p, params{Periodicity: "month"}), plan.Input), "[1]")
		})
		h.clean()
	})
}

func TestStatisticsAcrossZones(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.account("house", "Asia/Kathmandu") // +05:45: its months begin at a quarter past six in the evening, UTC
		p := h.profile(a)
		// One unit in every quarter of an hour around the end of March.
		ctx := sqldb.As(context.Background(), p)
		for now := at("2026-03-28T00:00:00Z"); now.Before(at("2026-04-02T00:00:00Z")); {
			if err := h.db.Tx(ctx, func(ctx context.Context) error {
				for range 96 {
					h.clock.Set(now.Add(7 * time.Minute))
					if err := h.usage.Take(ctx, p, plan.SMS, 1); err != nil {
						return err
					}
					now = now.Add(15 * time.Minute)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		h.clock.Set(at("2026-04-03T00:00:00Z"))

		t.Run("hours at +05:45 end at a quarter past of UTC", func(t *testing.T) {
			got := h.statistics(p, params{Date: "2026-03-30", Timezone: "+05:45"})
			h.want("hours", len(got), 24)
			h.want("first", times(got)[0], "29T19:15")
			h.want("last", times(got)[23], "30T18:15")
			v := values(got, plan.SMS)
			h.want("used by the first", v[0], 96+77)
			h.want("used by the last", v[23]-v[0], 23*4)
			h.want("the same of the named zone", got, h.statistics(p, params{Date: "2026-03-30", Timezone: "Asia/Kathmandu"}))
		})
		t.Run("the cycle turns at the owner's midnight, not at that of the zone asked for", func(t *testing.T) {
			got := h.statistics(p, params{StartDate: "2026-03-31", EndDate: "2026-04-01", Periodicity: "day", Timezone: " 05:45"})
			h.want("at the owner's", values(got, plan.SMS), "[361 96]")
			got = h.statistics(p, params{StartDate: "2026-03-31", EndDate: "2026-04-01", Periodicity: "day"})
			h.want("times in UTC", times(got), "[01T00:00 02T00:00]")
			h.want("in UTC", values(got, plan.SMS), "[23 119]")
			got = h.statistics(p, params{StartDate: "2026-03-01", EndDate: "2026-04-30", Periodicity: "month"})
			h.want("months", values(got, plan.SMS), "[361 119]")
			h.want("end", times(got)[0], "31T18:15")
		})
		t.Run("hours at −03:30 end at the half of UTC", func(t *testing.T) {
			got := h.statistics(p, params{Date: "2026-03-30", Timezone: "-03:30"})
			h.want("first and last", []string{times(got)[0], times(got)[23]}, "[30T04:30 31T03:30]")
			h.want("the sign of print", got, h.statistics(p, params{Date: "2026-03-30", Timezone: "\u221203:30"}))
		})
		t.Run("a day on which clocks go forward has 23 hours", func(t *testing.T) {
			got := h.statistics(p, params{Date: "2026-03-29", Timezone: "Europe/Berlin"})
			h.want("hours", len(got), 23)
			h.want("ends", []string{times(got)[0], times(got)[22]}, "[29T00:00 29T22:00]")
			v := values(got, plan.SMS)
			for i := 1; i < len(v); i++ {
				if v[i]-v[i-1] != 4 {
					t.Errorf("hour %d has %v", i, v[i]-v[i-1])
				}
			}
			days := h.statistics(p, params{StartDate: "2026-03-28", EndDate: "2026-03-30", Periodicity: "day", Timezone: "Europe/Berlin"})
			d := values(days, plan.SMS)
			h.want("units of the day", d[1]-d[0], 92)
		})
		h.clean()

		t.Run("a day on which clocks go back has 25 hours", func(t *testing.T) {
			h.clock.Set(at("2026-10-25T00:50:00Z"))
			h.take(p, plan.SMS, 1)
			h.clock.Set(at("2026-10-25T01:50:00Z"))
			h.take(p, plan.SMS, 1)
			h.clock.Set(at("2026-10-27T00:00:00Z"))
			got := h.statistics(p, params{Date: "2026-10-25", Timezone: "Europe/Berlin"})
			h.want("hours", len(got), 25)
			h.want("both hours of two to three o'clock", values(got, plan.SMS)[1:5], "[-1 1 2 2]")
			h.want("range over it", len(h.statistics(p, params{StartDate: "2026-10-01", EndDate: "2026-10-31", Timezone: "Europe/Berlin"})), 26*24+1+1)
		})
	})
}

func TestDaysAndHours(t *testing.T) {
	for _, x := range []struct {
		name, zone, at string
		hours          float64
		from           string
	}{
		{"an ordinary day", "Europe/Berlin", "2026-11-22T10:00:00Z", 24, "2026-11-21T23:00:00Z"},
		{"a day that lacks an hour", "Europe/Berlin", "2026-03-29T10:00:00Z", 23, "2026-03-28T23:00:00Z"},
		{"a day whose midnight does not exist", "America/Havana", "2026-03-08T15:00:00Z", 23, "2026-03-08T05:00:00Z"},
		{"the day before", "America/Havana", "2026-03-07T15:00:00Z", 24, "2026-03-07T05:00:00Z"},
		{"a day with two midnights begins at the first", "America/Havana", "2026-11-01T15:00:00Z", 25, "2026-11-01T04:00:00Z"},
		{"a shift of half an hour", "Australia/Lord_Howe", "2026-10-04T10:00:00Z", 23.5, "2026-10-03T13:30:00Z"},
		{"an offset", "+05:45", "2026-11-22T20:00:00Z", 24, "2026-11-22T18:15:00Z"},
	} {
		t.Run(x.name, func(t *testing.T) {
			loc, err := usage.ParseZone(x.zone)
			if err != nil {
				t.Fatal(err)
			}
			from, to := usage.DayOf(clock.Millis(at(x.at)), loc)
			if got := clock.FromMillis(to).Sub(clock.FromMillis(from)).Hours(); got != x.hours || !clock.FromMillis(from).Equal(at(x.from)) {
				t.Errorf("%v hours from %v", got, clock.FromMillis(from))
			}
			// Hours fill the day without a gap.
			last := from
			for at := from; at < to; {
				f, e := usage.HourOf(at, loc)
				if f != last || e <= f {
					t.Fatalf("an hour from %v to %v after %v", clock.FromMillis(f), clock.FromMillis(e), clock.FromMillis(last))
				}
				at, last = e, e
			}
			if last != to {
				t.Errorf("the last hour ends at %v", clock.FromMillis(last))
			}
		})
	}
	t.Run("what is no zone is refused by name", func(t *testing.T) {
		for _, s := range []string{"Local", "Mars/Base", "+5:40", "+15:00", "+05:75", "../etc/passwd", "+", "05:45", strings.Repeat("x", 100)} {
			_, err := usage.ParseZone(s)
			if f := fault.Of(err); err == nil || f.Status() != 400 || !strings.HasPrefix(f.Message, "timezone: ") {
				t.Errorf("%q: %v", s, err)
			}
		}
		for _, s := range []string{"", "Z", "UTC", "UTC+2", "GMT-03:30", "-0330", "+5"} {
			if _, err := usage.ParseZone(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}

func TestStatisticsBadInput(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.profile(h.account("house", "UTC"))
		for _, x := range []struct {
			field string
			in    params
		}{
			{"date", params{Date: "yesterday"}},
			{"date", params{Date: "2026-03-01", StartDate: "2026-03-01"}},
			{"periodicity", params{Periodicity: "week"}},
			{"periodicity", params{Date: "2026-03-01", Periodicity: "day"}},
			{"start_date", params{EndDate: "2026-03-01"}},
			{"start_date", params{StartDate: "soon"}},
			{"start_date", params{StartDate: "2026-01-01"}},
			{"end_date", params{StartDate: "2026-03-01", EndDate: "x"}},
			{"end_date", params{StartDate: "2026-03-02", EndDate: "2026-03-01"}},
			{"end_date", params{StartDate: "2026-01-01", EndDate: "2026-02-05", Periodicity: "hour"}},
			{"end_date", params{StartDate: "2020-01-01", EndDate: "2021-02-01", Periodicity: "day"}},
			{"end_date", params{StartDate: "0001-01-01", EndDate: "9999-01-01", Periodicity: "month"}},
			{"timezone", params{Timezone: "Nowhere"}},
		} {
			_, err := usage.GetStatistics(h.usage, context.Background(), system, string(p), x.in)
			if f := fault.Of(err); err == nil || f.Status() != 400 || !strings.HasPrefix(f.Message, x.field+": ") {
				t.Errorf("%+v: %v, want a fault of %s", x.in, err, x.field)
			}
		}
	})
}

// TestFold runs two years of use through the ledger, folding as time goes by.
func TestFold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const zone = "Asia/Kathmandu"
		a := h.account("house", zone)
		p, gone := h.profile(a), h.profile(a)
		rnd := rand.New(rand.NewPCG(1, 2))
		ctx := context.Background()
		use := func(until time.Time, pause time.Duration) {
			t.Helper()
			for h.clock.Now().Before(until) {
				err := h.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
					for range 200 {
						h.clock.Advance(time.Duration(rnd.Int64N(int64(pause))))
						var err error
						switch rnd.IntN(4) {
						case 0:
							err = h.usage.Take(ctx, p, plan.SMS, 1+rnd.Int64N(9))
						case 1:
							err = h.usage.Take(ctx, gone, plan.DataRecords, 1)
						case 2:
							err = h.usage.Take(ctx, p, plan.DataRecords, 2)
						default:
							if err = h.usage.Release(ctx, p, plan.DataRecords, 1); err != nil && strings.Contains(err.Error(), "holds less") {
								err = nil
							}
						}
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		rows := func() (n int64) {
			t.Helper()
			if err := h.db.QueryRow(ctx, `SELECT COUNT(*) FROM ledger WHERE profile_id = $1`, string(p)).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		fold := func() {
			t.Helper()
			if err := h.usage.Fold(ctx); err != nil {
				t.Fatal(err)
			}
		}
		begin := h.clock.Now()
		use(begin.Add(100*24*time.Hour), 3*time.Hour)
		if err := h.profiles.Delete(ctx, system, string(gone), ""); err != nil {
			t.Fatal(err)
		}
		gone = h.profile(a)

		days := params{StartDate: begin.Format(time.DateOnly), EndDate: h.clock.Now().Add(-48 * time.Hour).Format(time.DateOnly), Periodicity: "day", Timezone: zone}
		months := params{StartDate: "2026-03-01", EndDate: "2030-01-01", Periodicity: "month"}
		old := params{Date: "2026-03-20", Timezone: zone}
		byDay, byMonth, byHour, n := h.statistics(p, days), h.statistics(p, months), h.statistics(p, old), rows()
		fold()
		t.Run("quarters older than 62 days become hours, and no sum changes", func(t *testing.T) {
			if m := rows(); m >= n {
				t.Errorf("%d rows became %d", n, m)
			}
			h.want("days", h.statistics(p, days), byDay)
			h.want("months", h.statistics(p, months), byMonth)
			h.want("hours of the owner's zone", h.statistics(p, old), byHour)
			h.clean()
		})
		t.Run("folding again changes nothing", func(t *testing.T) {
			n := rows()
			fold()
			h.want("rows", rows(), n)
		})
		use(begin.Add(500*24*time.Hour), 12*time.Hour)
		byMonth, n = h.statistics(p, months), rows()
		fold()
		t.Run("hours older than 13 months become days, and no sum changes", func(t *testing.T) {
			if m := rows(); m >= n {
				t.Errorf("%d rows became %d", n, m)
			}
			h.want("months", h.statistics(p, months), byMonth)
			h.want("days", h.statistics(p, days), byDay)
			var most int64
			if err := h.db.QueryRow(ctx, `SELECT COUNT(*) FROM ledger WHERE profile_id = $1 AND quarter < $2`,
				string(p), clock.Millis(begin.Add(80*24*time.Hour))).Scan(&most); err != nil {
				t.Fatal(err)
			}
			if most > 83 {
				t.Errorf("the first 80 days have %d rows", most)
			}
			h.clean()
		})
		t.Run("samples never fall within a cycle", func(t *testing.T) {
			now := h.clock.Now()
			got := h.statistics(p, params{StartDate: now.Add(-300 * 24 * time.Hour).Format(time.RFC3339), EndDate: now.Format(time.RFC3339), Periodicity: "day", Timezone: zone})
			fell, v := 0, values(got, plan.SMS)
			for i := 1; i < len(v); i++ {
				if v[i] < v[i-1] {
					fell++
					// the first day of a month in the owner's zone
					if day := got[i]["time"].(web.Time).Time().Add(-time.Minute).Add(345 * time.Minute).Day(); day != 1 {
						t.Errorf("%v after %v", got[i], got[i-1])
					}
				}
			}
			if fell < 8 {
				t.Errorf("only %d cycles turned", fell)
			}
		})
	})
}

func TestAccountStatistics(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.account("house", "UTC")
		one, two := h.profile(a), h.profile(a)
		other := h.profile(h.account("house", "UTC"))
		h.limit(a, one, `"input":100,"data_records":1000,"sms":10`)
		h.clock.Set(at("2026-03-14T13:00:00Z"))
		h.ingest(one, 10)
		h.ingest(two, 1)
		h.ingest(other, 77)
		h.clock.Set(at("2026-03-15T09:30:00Z"))
		h.ingest(one, 5)
		h.spend(two, 3)
		if err := h.usage.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.release(one, plan.DataRecords, 1)
		h.clock.Set(at("2026-03-16T12:00:00Z")) // two days after the beginning

		byProfile := func(x usage.AccountAnswer, p id.Profile) int {
			i := 0
			for ; i < len(x.Profiles) && x.Profiles[i].ID != p; i++ {
			}
			return i
		}
		t.Run("every profile of the account by day, what each day used", func(t *testing.T) {
			got := h.overview(a, params{StartDate: "2026-03-14", EndDate: "2026-03-16", Periodicity: "day"})
			h.want("profiles", len(got.Profiles), 2)
			x, y := got.Profiles[byProfile(got, one)], got.Profiles[byProfile(got, two)]
			h.want("times", times(x.Periods), "[15T00:00 16T00:00 16T12:00]")
			h.want("input", values(x.Periods, plan.Input), "[10 5 -1]")
			h.want("data_records", values(x.Periods, plan.DataRecords), "[10 14 14]")
			h.want("output of the other", values(y.Periods, plan.Output), "[-1 3 -1]")
			h.want("used", []float64{x.Used["input"], x.Used["data_records"], y.Used["output"]}, "[15 14 3]")
			h.want("total by day", values(got.Total.Periods, plan.Input), "[11 5 -1]")
			h.want("total", []float64{got.Total.Used["input"], got.Total.Used["data_records"]}, "[16 15]")
		})
		t.Run("stocks that stood before the range show in it", func(t *testing.T) {
			got := h.overview(a, params{Date: "2026-03-16"})
			x := got.Profiles[byProfile(got, one)]
			h.want("data_records", []any{len(x.Periods), x.Periods[0]["data_records"]}, "[12 14]")
		})
		t.Run("by cycle when nothing is asked for", func(t *testing.T) {
			got := h.overview(a, params{})
			x := got.Profiles[byProfile(got, one)]
			h.want("input", values(x.Periods, plan.Input), "[15]")
			h.want("total", values(got.Total.Periods, plan.Input), "[16]")
			h.want("output", values(got.Total.Periods, plan.Output), "[3]")
		})
		t.Run("the day on which a service runs out at the present pace", func(t *testing.T) {
			// 15 of 100 in two days: 85 more take 11.3 days.
			got := h.overview(a, params{})
			x := got.Profiles[byProfile(got, one)].RunsOut
			if x["input"] == nil || *x["input"] != "2026-03-27" {
				t.Errorf("input: %v", x["input"])
			}
			// 14 held after two days: 986 more take 140 days.
			if x["data_records"] == nil || *x["data_records"] != "2026-08-04" {
				t.Errorf("data_records: %v", x["data_records"])
			}
			for svc, day := range got.Profiles[byProfile(got, two)].RunsOut {
				if day != nil {
					t.Errorf("what is unlimited runs out: %s on %s", svc, *day)
				}
			}
			if day, there := x["sms"]; !there || day != nil {
				t.Errorf("sms, which nobody uses: %v", day)
			}
		})
		t.Run("never when the cycle ends before, at once when it is used up", func(t *testing.T) {
			h.limit(a, one, `"input":1000`)
			got := h.overview(a, params{})
			if day := got.Profiles[byProfile(got, one)].RunsOut["input"]; day != nil {
				t.Errorf("input: %s", *day)
			}
			h.limit(a, one, `"input":15`)
			got = h.overview(a, params{})
			if day := got.Profiles[byProfile(got, one)].RunsOut["input"]; day == nil || *day != "2026-03-16" {
				t.Errorf("input: %v", day)
			}
		})
		h.clock.Set(at("2026-05-02T00:00:00Z"))
		t.Run("cycles over months", func(t *testing.T) {
			h.ingest(two, 9)
			h.clock.Set(at("2026-05-02T06:00:00Z"))
			got := h.overview(a, params{StartDate: "2026-01-01", Periodicity: "month"})
			y := got.Profiles[byProfile(got, two)]
			h.want("input", values(y.Periods, plan.Input), "[1 9]")
			i := slices.IndexFunc(got.Total.Periods, func(x map[string]any) bool { return x["time"].(web.Time).String()[5:7] == "04" })
			h.want("total of March", got.Total.Periods[i]["input"], 16)
			got = h.overview(a, params{Date: "2026-05-02"})
			x := got.Profiles[byProfile(got, one)]
			h.want("what stands since March", x.Periods[0]["data_records"], 14)
		})
		t.Run("a range with too many periods is refused", func(t *testing.T) {
			_, err := usage.GetAccountStatistics(h.usage, context.Background(), owner(a), params{StartDate: "2026-01-01"})
			if f := fault.Of(err); err == nil || f.Status() != 400 || !strings.HasPrefix(f.Message, "start_date: ") {
				t.Error(err)
			}
		})
		h.clean()
	})
}

func TestDeviceStatistics(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a := h.account("house", "UTC")
		p, q := h.profile(a), h.profile(a)
		one, two := id.New[id.Device](), id.New[id.Device]()
		ingest := func(ok bool, uses ...usage.DeviceInput) {
			t.Helper()
			var takes []usage.IngestTake
			for _, u := range uses {
				if n := len(takes); n > 0 && takes[n-1].Profile == u.Profile {
					takes[n-1].Input, takes[n-1].Records = takes[n-1].Input+u.Input, takes[n-1].Records+u.Input
					continue
				}
				takes = append(takes, usage.IngestTake{Profile: u.Profile, Input: u.Input, Records: u.Input})
			}
			got, err := h.usage.TakeIngest(sqldb.As(ctx, p), takes, uses...)
			if err != nil || got[0] != ok {
				t.Fatal(got, err)
			}
		}
		devices := func(in usage.DevicesParams) usage.DevicesAnswer {
			t.Helper()
			in.ID = string(p)
			got, err := usage.GetDevices(h.usage, ctx, system, in)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		show := func(x usage.DevicesAnswer) string {
			var out []string
			for _, d := range x.Devices {
				line := fmt.Sprint(map[id.Device]string{one: "one", two: "two"}[d.Device], " ", d.Used, ":")
				for _, hr := range d.Hours {
					line += fmt.Sprint(" ", hr.Time.String()[11:16], " ", hr.Used)
				}
				out = append(out, line)
			}
			return fmt.Sprint(x.Used, " by ", strings.Join(out, "; "), ", others ", x.Others)
		}
		h.clock.Set(at("2026-03-14T12:50:00Z"))
		ingest(true, usage.DeviceInput{Profile: p, Device: one, Input: 3}, usage.DeviceInput{Profile: p, Device: two, Input: 4}, usage.DeviceInput{Profile: q, Device: one, Input: 9})
		ingest(true, usage.DeviceInput{Profile: p, Device: one, Input: 1})
		h.clock.Set(at("2026-03-14T14:10:00Z"))
		ingest(true, usage.DeviceInput{Profile: p, Device: one, Input: 2})

		t.Run("a day by device and hour", func(t *testing.T) {
			h.want("input", show(devices(usage.DevicesParams{})), "10 by one 6: 13:00 4 14:10 2; two 4: 13:00 4, others 0")
			most := 1
			h.want("the device that used most", show(devices(usage.DevicesParams{Amount: &most})), "10 by one 6: 13:00 4 14:10 2, others 1")
			h.want("another day", show(devices(usage.DevicesParams{Date: "2026-03-13"})), "0 by , others 0")
			h.want("a day that begins later", show(devices(usage.DevicesParams{Date: "2026-03-14", Timezone: "-13:00"})), "2 by one 2: 14:10 2, others 0")
		})
		t.Run("what is refused counts for no device", func(t *testing.T) {
			h.limit(a, p, `"input":12`)
			ingest(false, usage.DeviceInput{Profile: p, Device: two, Input: 3})
			h.want("input", devices(usage.DevicesParams{}).Used, 10)
		})
		t.Run("what is rolled back counts for no device", func(t *testing.T) {
			undo := errors.New("undo")
			err := h.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
				if _, err := h.usage.TakeIngest(ctx, []usage.IngestTake{{Profile: p, Input: 1, Records: 1}}, usage.DeviceInput{Profile: p, Device: one, Input: 1}); err != nil {
					return err
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
			h.want("input", devices(usage.DevicesParams{}).Used, 10)
		})
		t.Run("reads count for the device that was read", func(t *testing.T) {
			for _, x := range []struct {
				d id.Device
				n int64
			}{{one, 5}, {two, 1}, {one, 2}, {"", 50}} {
				if err := h.usage.SpendFor(ctx, p, x.d, plan.Output, x.n); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.usage.SpendFor(ctx, p, two, plan.DashboardOutput, 8); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := h.usage.Flush(ctx); err != nil {
					t.Fatal(err)
				}
			}
			h.want("output", show(devices(usage.DevicesParams{Service: "output"})), "8 by one 7: 14:10 7; two 1: 14:10 1, others 0")
			h.want("dashboard output", show(devices(usage.DevicesParams{Service: "dashboard_output"})), "8 by two 8: 14:10 8, others 0")
			h.want("the profile's", values(h.statistics(p, params{}), plan.Output)[2], 58)
		})
		t.Run("what nobody can answer is refused by name", func(t *testing.T) {
			none := 0
			for field, in := range map[string]usage.DevicesParams{
				"service": {Service: "sms"}, "amount": {Amount: &none}, "date": {Date: "2025-12-01"}, "timezone": {Timezone: "x"},
			} {
				in.ID = string(p)
				_, err := usage.GetDevices(h.usage, ctx, system, in)
				if f := fault.Of(err); err == nil || f.Status() != 400 || !strings.HasPrefix(f.Message, field+": ") {
					t.Errorf("%s: %v", field, err)
				}
			}
		})
		h.clean()
		t.Run("hours of devices are forgotten after 62 days", func(t *testing.T) {
			rows := func() (n int64) {
				t.Helper()
				if err := h.db.QueryRow(ctx, `SELECT COUNT(*) FROM device_ledger WHERE profile_id = $1`, string(p)).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			h.clock.Set(at("2026-05-15T12:00:00Z"))
			if err := h.usage.Fold(ctx); err != nil || rows() != 4 {
				t.Fatal(rows(), err)
			}
			h.clock.Set(at("2026-05-15T15:00:00Z"))
			if err := h.usage.Fold(ctx); err != nil || rows() != 0 {
				t.Fatal(rows(), err)
			}
		})
	})
}
