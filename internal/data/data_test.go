package data

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
)

func TestStoreAndRead(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		k.send(`{"variable":"Temperature","value":27,"unit":"C","group":"g","time":"2024-01-01T00:00:00.000Z","location":{"lat":1.5,"lng":2},"metadata":{"color":"red", "n":[1.50]}}`)
		row := k.rows("variable=TEMPERATURE&details=true")[0]
		id := row["id"].(string)
		want := fmt.Sprintf(`[{"id":"%s","device":"%s","variable":"temperature","value":27,"unit":"C","group":"g","location":{"type":"Point","coordinates":[2,1.5]},`+
			`"metadata":{"color":"red","n":[1.50]},"time":"2024-01-01T00:00:00.000Z","created_at":"2026-05-16T12:00:00.000Z"}]`, id, k.d)
		if got := k.answer("details=true"); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if len(id) != 24 {
			t.Fatalf("id is %q", id)
		}
		if got := k.answer(""); strings.Contains(got, "created_at") {
			t.Fatalf("created_at without details: %s", got)
		}
		for _, c := range []struct{ body, want string }{
			{`{"variable":"s","value":"a\"b é"}`, `"value":"a\"b é"`},
			{`{"variable":"t","value":true}`, `"value":true`},
			{`{"variable":"f","value":false}`, `"value":false`},
			{`{"variable":"n","value":0.1}`, `"value":0.1`},
			{`{"variable":"big","value":1e21}`, `"value":1e+21`},
			{`{"variable":"empty","value":""}`, `"value":""`},
			{`{"variable":"zero","value":0}`, `"value":0`},
		} {
			k.send(c.body)
			if got := k.answer("query=last_insert&qty=1&variables=" + strings.Split(c.body, `"`)[3]); !strings.Contains(got, c.want) {
				t.Errorf("%s was answered as %s", c.body, got)
			}
		}
		k.send(`{"variable":"bare"}`)
		if got := k.answer("variable=bare"); strings.Contains(got, "value") || strings.Contains(got, "null") || strings.Contains(got, "location") {
			t.Errorf("what is not there is shown: %s", got)
		}
		r.clean()
	})
}

func TestRefusedStoresNothingMetersNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		for _, c := range bad {
			if _, err := k.try(c.body); !fault.Is(err, fault.Invalid) {
				t.Fatalf("%s: %v", c.name, err)
			}
			// One bad point among good ones refuses all of them.
			if strings.HasPrefix(c.body, "{") && json.Valid([]byte(c.body)) {
				if _, err := k.try(`[{"variable":"good"},` + c.body + `]`); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.Of(err).Message, "[1].") && fault.Of(err).Field != "body" {
					t.Fatalf("%s in a list: %v", c.name, err)
				}
			}
		}
		if n := k.amount(); n != 0 {
			t.Errorf("%d points are stored", n)
		}
		if in, rec := r.used(p, plan.Input), r.used(p, plan.DataRecords); in != 0 || rec != 0 {
			t.Errorf("input is %d, data_records %d", in, rec)
		}
		if _, err := k.Store(context.Background(), auth.SystemCaller(), p, k.d, []byte(n(1, "a")), strings.Repeat("k", 256)); !fault.Is(err, fault.Invalid) {
			t.Errorf("a key of 256 characters: %v", err)
		}
		if _, err := k.Store(context.Background(), auth.SystemCaller(), p, k.d, []byte(n(1, "a")), "é"); !fault.Is(err, fault.Invalid) {
			t.Errorf("a key that is not ASCII: %v", err)
		}
		r.clean()
	})
}

func TestMetering(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		k.send(n(7, "a"))
		k.send(n(3, "b"))
		if in, rec := r.used(p, plan.Input), r.used(p, plan.DataRecords); in != 10 || rec != 10 {
			t.Fatalf("input is %d, data_records %d, want 10 and 10", in, rec)
		}
		k.rows("qty=4")
		k.answer("query=count")
		k.rows("variable=nobody")
		if out := r.used(p, plan.Output); out != 5 {
			t.Fatalf("output is %d, want 4 rows and a number", out)
		}
		q, _ := parse(t, "qty=2", r.now.Now())
		if _, err := r.Query(context.Background(), auth.Caller{Kind: auth.Session, ProfileID: p, Permission: auth.Full}, p, k.d, q); err != nil {
			t.Fatal(err)
		}
		if out, shown := r.used(p, plan.Output), r.used(p, plan.DashboardOutput); out != 5 || shown != 2 {
			t.Fatalf("a read at the console costs output %d and dashboard output %d", out-5, shown)
		}
		if _, err := k.delete("variable=a&qty=2"); err != nil {
			t.Fatal(err)
		}
		if in, rec := r.used(p, plan.Input), r.used(p, plan.DataRecords); in != 10 || rec != 8 {
			t.Fatalf("after deleting two: input is %d, data_records %d", in, rec)
		}
		r.clean()
	})
}

func TestOutputLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		k.send(n(10, "a"))
		r.allow(p, plan.Output, 12)
		k.rows("qty=8")
		_, err := k.ask("qty=5")
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Output")
		k.rows("qty=4") // a whole request that fits is answered
		_, err = k.ask("query=count")
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Output")
		k.send(n(1, "a")) // reading is denied, writing is not
		if out := r.used(p, plan.Output); out != 12 {
			t.Fatalf("output is %d, want 12", out)
		}
	})
}

func TestInputLimitIsWholeAndLocal(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p, other := r.profile(), r.profile()
		k, free := r.mutable(p), r.mutable(other)
		r.allow(p, plan.Input, 10)
		k.send(n(8, "a"))
		_, err := k.try(n(3, "a"))
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Input")
		if k.amount() != 8 || r.used(p, plan.Input) != 8 || r.used(p, plan.DataRecords) != 8 {
			t.Fatalf("a refused request left traces: %d points, input %d, records %d", k.amount(), r.used(p, plan.Input), r.used(p, plan.DataRecords))
		}
		k.send(n(2, "a"))
		_, err = k.try(n(1, "a"))
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Input")
		free.send(n(5, "a"))
		k.rows("qty=1") // input does not deny reading
		r.allow(p, plan.Input, 11)
		k.send(n(1, "a"))
		r.clean()
	})
}

func TestRecordsLimitFreesByDeleting(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		r.allow(p, plan.DataRecords, 5)
		k.send(n(5, "a"))
		_, err := k.try(n(1, "a"))
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Records")
		k.rows("")
		if _, err := k.delete("query=last_item"); err != nil {
			t.Fatal(err)
		}
		k.send(n(1, "b"))
		_, err = k.try(n(1, "a"))
		refused(t, err, fault.LimitReached, "You have exceeded the maximum limit of Data Records")
		if err := r.Empty(context.Background(), k.who(), p, k.d); err != nil {
			t.Fatal(err)
		}
		k.send(n(5, "a"))
		if in := r.used(p, plan.Input); in != 11 {
			t.Fatalf("input is %d, want 11: a refusal spends nothing", in)
		}
		r.clean()
	})
}

// Many send at once to profiles at their limits: what is accepted is what is stored is what is metered, the
// limit is reached to the unit by single points, and a neighbour loses nothing.
func TestConcurrencyAtLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p, neighbour := r.profile(), r.profile()
		devices := []tank{r.mutable(p), r.mutable(p), r.immutable(p, device.Day, 1)}
		quiet := r.mutable(neighbour)
		r.allow(p, plan.Input, 200)
		r.allow(p, plan.DataRecords, 180)
		var accepted, answered atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				for j := range 10 {
					k, size := devices[(i+j)%len(devices)], 1+(i*j)%4
					got, err := k.try(n(size, fmt.Sprintf("v%d", i%7)))
					switch {
					case err == nil && got == size:
						accepted.Add(int64(size))
					case !fault.Is(err, fault.LimitReached):
						t.Errorf("%d, %v", got, err)
					}
					answered.Add(1)
				}
			})
			wg.Go(func() { quiet.send(n(2, "q")) })
		}
		wg.Wait()
		var stored int64
		for _, k := range devices {
			stored += k.amount()
		}
		if a := accepted.Load(); a != 180 || stored != a || r.used(p, plan.Input) != a || r.used(p, plan.DataRecords) != a {
			t.Errorf("accepted %d, stored %d, input %d, records %d; all must be 180", a, stored, r.used(p, plan.Input), r.used(p, plan.DataRecords))
		}
		if quiet.amount() != 80 {
			t.Errorf("the neighbour has %d of its 80 points", quiet.amount())
		}
		r.clean()
	})
}

func TestMutableCap(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k, other := r.mutable(p), r.mutable(p)
		for range 49 {
			k.send(n(1000, "a"))
		}
		_, err := k.try(n(1001, "a"))
		refused(t, err, fault.LimitReached, "The device has reached the limit of 50000 data registers")
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 24 {
			wg.Go(func() {
				switch got, err := k.try(n(50+i%3, "b")); {
				case err == nil:
					accepted.Add(int64(got))
				case !fault.Is(err, fault.LimitReached):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for {
			if _, err := k.try(n(1, "c")); err != nil {
				refused(t, err, fault.LimitReached, "The device has reached the limit of 50000 data registers")
				break
			}
			accepted.Add(1)
		}
		if a := k.amount(); a != 50_000 || accepted.Load() != 1000 {
			t.Fatalf("the device holds %d points, %d were accepted beyond 49000", a, accepted.Load())
		}
		other.send(n(10, "a"))
		if in, rec := r.used(p, plan.Input), r.used(p, plan.DataRecords); in != 50_010 || rec != 50_010 {
			t.Fatalf("input is %d, records %d", in, rec)
		}
		if got, err := k.delete("variable=c&qty=1"); err != nil || got > 1 {
			t.Fatal(got, err)
		}
		if got := k.answer("query=count&variable=a"); got != "49000" {
			t.Fatalf("count is %s", got)
		}
		k.deep(t)
		r.clean()
	})
}

// deep reads far into a full device: filters and skips walk it in pieces.
func (k tank) deep(t *testing.T) {
	if got := len(k.rows("variable=a&skip=48990&qty=100&ordination=ascending")); got != 10 {
		t.Fatalf("%d rows after skipping 48990 of 49000", got)
	}
	if got := len(k.rows("skip=49990&qty=100")); got > 10 {
		t.Fatalf("%d rows after skipping 49990", got)
	}
	group := k.rows("variable=a&qty=1&ordination=ascending")[0]["group"].(string)
	if got := len(k.rows("variable=a&qty=10000&group=" + group)); got != 1000 {
		t.Fatalf("%d rows of a group of 1000", got)
	}
	if got := k.answer("query=count&group=" + group); got != "1000" {
		t.Fatalf("count of a group of 1000 is %s", got)
	}
	if got := len(k.rows("variable=a&qty=10&skip=995&group=" + group)); got != 5 {
		t.Fatalf("%d rows after skipping 995 of a group of 1000", got)
	}
	if got := k.answer("query=sum&start_date=" + esc("1 day") + "&variable=a"); got != "49000" {
		t.Fatalf("sum is %s", got)
	}
	if got := len(k.rows("qty=10000")); got != 10_000 {
		t.Fatalf("%d rows of 10000", got)
	}
}

func TestImmutable(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.immutable(p, device.Month, 2) // from 1 March to the end of 17 May
		at := func(s string) string { return fmt.Sprintf(`{"variable":"a","value":1,"time":%q}`, s) }
		for _, s := range []string{"2026-02-28T23:59:59.999Z", "2026-05-18T00:00:00.000Z", "1970-01-01"} {
			_, err := k.try(at(s))
			refused(t, err, fault.Invalid, "Time must be between 2026-03-01 and 2026-05-17")
			if f := fault.Of(err).Field; f != "time" {
				t.Errorf("field is %q", f)
			}
		}
		_, err := k.try(`[` + at("2026-05-01") + `,` + at("2020-01-01") + `]`)
		refused(t, err, fault.Invalid, "[1].time: Time must be between")
		k.send(`[` + at("2026-03-01T00:00:00.000Z") + `,` + at("2026-03-31T23:59:59.999Z") + `,` + at("2026-04-01T00:00:00.000Z") + `,` + at("2026-05-17T23:59:59.999Z") + `,` + at("2026-05-02") + `,` + at("2026-05-03") + `]`)
		chunks, err := k.Chunks(context.Background(), auth.SystemCaller(), p, k.d)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range chunks {
			got = append(got, fmt.Sprintf("%s %s %s %d", c.ID, c.From.Format(time.DateOnly), c.To.Format(time.RFC3339), c.Amount))
		}
		want := "1772323200_1775001599 2026-03-01 2026-03-31T23:59:59Z 2, 1775001600_1777593599 2026-04-01 2026-04-30T23:59:59Z 1, 1777593600_1780271999 2026-05-01 2026-05-31T23:59:59Z 3"
		if s := strings.Join(got, ", "); s != want {
			t.Fatalf("chunks are\n%s\nwant\n%s", s, want)
		}
		if rows := k.rows("qty=3&skip=1"); rows[0]["time"] != "2026-05-03T00:00:00.000Z" || rows[2]["time"] != "2026-04-01T00:00:00.000Z" {
			t.Fatalf("rows across chunks: %v", rows)
		}
		if rows := k.rows("start_date=2026-03-31&end_date=2026-04-01&ordination=ascending"); len(rows) != 2 || rows[0]["time"] != "2026-03-31T23:59:59.999Z" {
			t.Fatalf("rows of a range across chunks: %v", rows)
		}
		if _, err := k.delete("query=last_item"); err == nil || fault.Of(err).Message != "Data in immutable devices cannot be deleted" {
			t.Errorf("deleting: %v", err)
		}
		one := k.rows("qty=1")[0]["id"].(string)
		if _, err := r.Edit(context.Background(), k.who(), p, k.d, []byte(`{"id":"`+one+`","value":2}`)); err == nil || fault.Of(err).Message != "You cannot edit data on immutable device" {
			t.Errorf("editing: %v", err)
		}
		if _, err := k.ask("ids=" + one); err == nil || fault.Of(err).Message != "Filter using ID(s) is not supported on Immutable Storage Type" {
			t.Errorf("asking by id: %v", err)
		}
		// A chunk goes at once.
		if err := r.DeleteChunk(context.Background(), k.who(), p, k.d, "1775001600_1777593599"); err != nil {
			t.Fatal(err)
		}
		if k.amount() != 5 || k.answer("query=count&start_date=2026-04-01&end_date=2026-04-30") != "0" || r.used(p, plan.DataRecords) != 5 {
			t.Errorf("after deleting a chunk of one: %d points, records %d", k.amount(), r.used(p, plan.DataRecords))
		}
		for _, c := range []struct {
			name string
			code fault.Code
		}{{"1775001600_1777593599", fault.NotFound}, {"1775001601_1777593599", fault.NotFound}, {"1772323200_1772323201", fault.NotFound}, {"x", fault.Invalid}, {"1_", fault.Invalid}, {"-1_5", fault.Invalid}, {"99999999999999999999_1", fault.Invalid}} {
			if err := r.DeleteChunk(context.Background(), k.who(), p, k.d, c.name); !fault.Is(err, c.code) {
				t.Errorf("deleting chunk %s: %v", c.name, err)
			}
		}
		k.send(at("2026-04-05"))
		if k.amount() != 6 {
			t.Error("a chunk that was deleted takes no points")
		}
		// When June begins, March is over: out of sight at midnight, uncounted by the job.
		r.now.Set(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
		if got := len(k.rows("ordination=ascending")); got != 4 {
			t.Errorf("%d rows after March ended", got)
		}
		if err := r.Retain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if k.amount() != 4 || r.used(p, plan.DataRecords) != 4 {
			t.Errorf("after retention: %d points, records %d", k.amount(), r.used(p, plan.DataRecords))
		}
		r.clean()
		if err := r.Purge(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := r.count("point"); n != 4 {
			t.Errorf("%d points are left after the purge", n)
		}
		if n := r.count("series_purge"); n != 0 {
			t.Errorf("%d series wait after the purge", n)
		}
		r.clean()
	})
}

// count counts the rows of a table.
func (r *rig) count(table string) (n int64) {
	r.t.Helper()
	if err := r.db.QueryRow(context.Background(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestChunkCap(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.chunkMost = 10
		k := r.immutable(r.profile(), device.Day, 3)
		today, before := `{"variable":"a","time":"2026-05-16"}`, `{"variable":"a","time":"2026-05-15"}`
		k.send(`[` + strings.Repeat(today+",", 8) + today + `]`)
		_, err := k.try(`[` + before + `,` + today + `,` + today + `]`)
		refused(t, err, fault.LimitReached, "The chunk has reached the limit of 10 data registers")
		if k.amount() != 9 {
			t.Fatalf("a refusal left %d points", k.amount()-9)
		}
		k.send(`[` + before + `,` + today + `]`)
		r.clean()
	})
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		period     device.Period
		at, want   string
		next, back string
	}{
		{device.Day, "2026-05-16T12:00:00Z", "2026-05-16", "2026-05-17", "2026-05-14"},
		{device.Week, "2026-05-17T23:59:59Z", "2026-05-11", "2026-05-18", "2026-04-27"}, // a Sunday
		{device.Week, "2026-05-18T00:00:00Z", "2026-05-18", "2026-05-25", "2026-05-04"}, // a Monday
		{device.Month, "2024-02-29T12:00:00Z", "2024-02-01", "2024-03-01", "2023-12-01"},
		{device.Quarter, "2026-03-31T12:00:00Z", "2026-01-01", "2026-04-01", "2025-07-01"},
		{device.Quarter, "2026-12-31T23:00:00Z", "2026-10-01", "2027-01-01", "2026-04-01"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02") }
		start := periodStart(c.period, at.UnixMilli())
		if day(start) != c.want || day(periodShift(c.period, start, 1)) != c.next || day(periodShift(c.period, start, -2)) != c.back {
			t.Errorf("%s of %s: %s, then %s, two before %s", c.period, c.at, day(start), day(periodShift(c.period, start, 1)), day(periodShift(c.period, start, -2)))
		}
	}
}

func TestInactiveAndForeign(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p, other := r.profile(), r.profile()
		k := r.mutable(p)
		k.send(n(3, "a"))
		one := k.rows("qty=1")[0]["id"].(string)
		off := false
		if err := r.devices.Update(context.Background(), auth.SystemCaller(), p, k.d, device.Update{Active: &off}); err != nil {
			t.Fatal(err)
		}
		_, err := k.try(n(1, "a"))
		refused(t, err, fault.Forbidden, "Device not found or inactive")
		// Another profile does not see the device, nor its points through a device of its own.
		for _, thief := range []tank{{r, other, k.d}, {r, p, id.New[id.Device]()}} {
			if _, err := thief.try(n(1, "a")); !fault.Is(err, fault.NotFound) {
				t.Errorf("sending: %v", err)
			}
			if _, err := thief.ask(""); !fault.Is(err, fault.NotFound) {
				t.Errorf("reading: %v", err)
			}
			if _, err := thief.delete(""); !fault.Is(err, fault.NotFound) {
				t.Errorf("deleting: %v", err)
			}
			if _, err := r.Amount(context.Background(), auth.SystemCaller(), thief.p, thief.d); !fault.Is(err, fault.NotFound) {
				t.Errorf("counting: %v", err)
			}
			if err := r.Empty(context.Background(), thief.who(), thief.p, thief.d); !fault.Is(err, fault.NotFound) {
				t.Errorf("emptying: %v", err)
			}
		}
		for _, own := range []tank{r.mutable(other), r.mutable(p)} {
			own.send(n(1, "a"))
			if got := own.rows("ids=" + one); len(got) != 0 {
				t.Errorf("a foreign point is read by its id: %v", got)
			}
			if got, err := own.delete("ids=" + one); err != nil || got != 0 {
				t.Errorf("a foreign point is deleted by its id: %d, %v", got, err)
			}
			_, err := r.Edit(context.Background(), own.who(), own.p, own.d, []byte(`{"id":"`+one+`","value":9}`))
			refused(t, err, fault.NotFound, one)
		}
		r.clean()
	})
}

func TestEdit(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		edit := func(body string) (int, error) {
			return r.Edit(context.Background(), k.who(), p, k.d, []byte(body))
		}
		k.send(`{"variable":"a","value":1,"unit":"C","group":"g","time":"2026-01-01","location":{"lat":1,"lng":2},"metadata":{"x":1}}`)
		k.send(`{"variable":"b","value":"text","time":"2026-01-02"}`)
		a, b := k.rows("variable=a")[0]["id"].(string), k.rows("variable=b")[0]["id"].(string)
		if got, err := edit(`{"id":"` + a + `","value":2.5}`); err != nil || got != 1 {
			t.Fatal(got, err)
		}
		head := fmt.Sprintf(`[{"id":"%s","device":"%s","variable":"a",`, a, k.d)
		if got := k.answer("variable=a"); got != head+`"value":2.5,"unit":"C","group":"g","location":{"type":"Point","coordinates":[2,1]},"metadata":{"x":1},"time":"2026-01-01T00:00:00.000Z"}]` {
			t.Fatalf("after editing the value: %s", got)
		}
		if got, err := edit(`[{"id":"` + a + `","variable":"A","value":"now a text","unit":null,"location":null,"metadata":null,"serie":"h","time":"2026-02-01T00:00:00Z","device":"x"},{"id":"` + b + `","value":true}]`); err != nil || got != 2 {
			t.Fatal(got, err)
		}
		if got := k.answer("variable=a"); got != head+`"value":"now a text","group":"h","time":"2026-02-01T00:00:00.000Z"}]` {
			t.Fatalf("after clearing: %s", got)
		}
		if got, err := edit(`{"id":"` + a + `","time":null,"variable":null}`); err != nil || got != 1 {
			t.Fatal(got, err)
		}
		if got := k.values(""); got != "now a text true" {
			t.Fatalf("the order by the new times is %s", got)
		}
		other := "0" // than the digit that stands there
		if b[15] == '0' {
			other = "1"
		}
		unknown := b[:15] + other + b[16:]
		for _, c := range []struct {
			body, words string
			code        fault.Code
		}{
			{`[{"id":"` + b + `","value":5},{"id":"` + unknown + `","value":6}]`, "[1].id: the device has no data with the id " + unknown, fault.NotFound},
			{`{"id":"` + b[:23] + `x","value":6}`, "id:", fault.Invalid},
			{`[{"value":6}]`, "[0].id: is required", fault.Invalid},
			{`{"id":"` + b + `","variable":"c"}`, "variable: cannot be changed", fault.Invalid},
			{`{"id":"` + b + `","value":{}}`, "value:", fault.Invalid},
			{`{"id":"` + b + `","unit":"` + strings.Repeat("u", 26) + `"}`, "unit:", fault.Invalid},
			{`[` + strings.Repeat(`{"id":"`+b+`","value":1},`, 25) + `{"id":"` + b + `","value":1}]`, "You have exceeded the maximum number of 25 items in a single request", fault.Invalid},
			{`[]`, "body:", fault.Invalid},
		} {
			_, err := edit(c.body)
			refused(t, err, c.code, c.words)
		}
		last := "0" // the id of a point with another series at its end
		if b[23] == '0' {
			last = "1"
		}
		_, err := edit(`{"id":"` + b[:23] + last + `","value":6}`)
		refused(t, err, fault.NotFound, "no data with the id")
		if got := k.values("variable=b"); got != "true" {
			t.Fatalf("a refused edit changed a value to %s", got)
		}
		if got, err := edit(`[` + strings.TrimSuffix(strings.Repeat(`{"id":"`+b+`","value":7},`, 25), ",") + `]`); err != nil || got != 25 {
			t.Fatal(got, err)
		}
		if in, rec := r.used(p, plan.Input), r.used(p, plan.DataRecords); in != 2 || rec != 2 {
			t.Fatalf("edits cost input %d, records %d", in-2, rec-2)
		}
		r.clean()
	})
}

func TestDelete(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		for i := range 40 {
			k.send(fmt.Sprintf(`[{"variable":"a","value":%d,"time":%d},{"variable":"b","value":%d,"time":%d}]`, i, 1000+i, i, 5000+i))
		}
		check := func(raw string, want int64, left int64) {
			t.Helper()
			got, err := k.delete(raw)
			if err != nil || got != want {
				t.Fatalf("delete %s: %d, %v; want %d", raw, got, err, want)
			}
			if a := k.amount(); a != left || r.used(p, plan.DataRecords) != left {
				t.Fatalf("after delete %s: %d points and %d records, want %d", raw, a, r.used(p, plan.DataRecords), left)
			}
		}
		check("", 15, 65) // the newest 15
		if got := k.values("variable=b&qty=1"); got != "24" {
			t.Fatalf("the newest is now %s", got)
		}
		check("query=last_item", 2, 63)
		check("query=last_item&variable=a", 1, 62)
		check("variable=a&qty=5&ordination=ascending", 5, 57)
		check("values=30&variable=a", 1, 56)
		check("query=conditional&function=gte&value=20&start_date=1970-01-01&variables=b", 4, 52)
		check("variables=a&variables=b&qty=2", 4, 48)
		ids := []string{}
		for _, row := range k.rows("qty=20") {
			ids = append(ids, row["id"].(string))
		}
		check("ids[]="+strings.Join(ids, "&ids[]="), 20, 28)
		check("ids="+ids[0], 0, 28)
		check("variable=nobody", 0, 28)
		for _, mode := range []string{"count", "sum&start_date=" + esc("1 day"), "avg&start_date=" + esc("1 day"), "aggregate&interval=day&function=avg"} {
			if _, err := k.delete("query=" + mode); !fault.Is(err, fault.Invalid) {
				t.Errorf("delete by %s: %v", mode, err)
			}
		}
		check("qty=10000", 28, 0)
		if n := r.count("series"); n != 0 {
			t.Errorf("%d series are left without points", n)
		}
		k.send(n(1, "a")) // the series that ended are made anew
		if k.values("") != "1" {
			t.Error("a point after the last is not seen")
		}
		r.clean()
	})
}

func TestEmptyIsAtOnceAndPurgedLater(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k, other := r.mutable(p), r.mutable(p)
		k.send(n(1500, "a"))
		for i := range 100 {
			k.send(fmt.Sprintf(`{"variable":"v%d"}`, i))
		}
		other.send(n(10, "a"))
		if err := r.Empty(context.Background(), auth.SystemCaller(), p, k.d); err != nil {
			t.Fatal(err)
		}
		if k.amount() != 0 || k.answer("") != "[]" || k.answer("query=count") != "0" || r.used(p, plan.DataRecords) != 10 {
			t.Fatalf("after emptying: %d points, %s, records %d", k.amount(), k.answer(""), r.used(p, plan.DataRecords))
		}
		r.clean()
		if n := r.count("point"); n != 1610 {
			t.Fatalf("emptying deleted %d points by itself", 1610-n)
		}
		k.send(n(3, "a"))
		if k.amount() != 3 || len(k.rows("")) != 3 {
			t.Fatal("points after emptying are not seen alone")
		}
		if err := r.Purge(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := r.count("point"); n != 13 {
			t.Fatalf("%d points are left after the purge, want 13", n)
		}
		r.clean()
		if err := r.Empty(context.Background(), auth.SystemCaller(), p, k.d); err != nil {
			t.Fatal(err)
		}
		if err := r.Empty(context.Background(), auth.SystemCaller(), p, k.d); err != nil {
			t.Fatalf("emptying what is empty: %v", err)
		}
	})
}

func TestDeviceAndProfileDeletion(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k, other := r.mutable(p), r.immutable(p, device.Day, 2)
		k.send(n(300, "a"))
		other.send(n(20, "a"))
		if err := r.devices.Delete(ctx, auth.SystemCaller(), p, k.d); err != nil {
			t.Fatal(err)
		}
		if r.used(p, plan.DataRecords) != 20 {
			t.Fatalf("records after deleting a device: %d", r.used(p, plan.DataRecords))
		}
		r.clean()
		if err := r.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := r.count("point"); n != 20 {
			t.Fatalf("%d points are left", n)
		}
		pr, err := r.profiles.Get(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.profiles.Create(ctx, auth.SystemCaller(), profileOf(pr.Account)); err != nil {
			t.Fatal(err)
		}
		if err := r.profiles.Delete(ctx, auth.SystemCaller(), string(p), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := other.try(n(1, "a")); !fault.Is(err, fault.NotFound) {
			t.Fatalf("sending to a deleted profile: %v", err)
		}
		r.clean()
		if err := r.profiles.Purge(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"point", "series", "chunk", "series_purge", "series_number", "idempotency", "device"} {
			if n := r.count(table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}

func TestConvert(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k := r.mutable(p)
		k.send(n(2, "a"))
		off, on, day, keep := false, true, device.Day, int64(1)
		if err := r.devices.Update(ctx, auth.SystemCaller(), p, k.d, device.Update{Active: &off}); err != nil {
			t.Fatal(err)
		}
		err := r.devices.Convert(ctx, auth.SystemCaller(), p, k.d, device.Immutable, &day, &keep)
		refused(t, err, fault.Conflict, "holds 2 data registers")
		if _, err := k.delete("qty=2"); err != nil {
			t.Fatal(err)
		}
		if err := r.devices.Convert(ctx, auth.SystemCaller(), p, k.d, device.Immutable, &day, &keep); err != nil {
			t.Fatal(err)
		}
		if err := r.devices.Update(ctx, auth.SystemCaller(), p, k.d, device.Update{Active: &on}); err != nil {
			t.Fatal(err)
		}
		k.send(n(1, "a"))
		if cs, err := r.Chunks(ctx, auth.SystemCaller(), p, k.d); err != nil || len(cs) != 1 {
			t.Fatal(cs, err)
		}
		r.clean()
	})
}

func TestIdempotency(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k, other := r.mutable(p), r.mutable(p)
		send := func(k tank, body, key string) (int, error) {
			return r.Store(ctx, auth.SystemCaller(), p, k.d, []byte(body), key)
		}
		for range 3 {
			if got, err := send(k, n(4, "a"), "one"); err != nil || got != 4 {
				t.Fatal(got, err)
			}
		}
		if k.amount() != 4 || r.used(p, plan.Input) != 4 || r.used(p, plan.DataRecords) != 4 {
			t.Fatalf("repeats were stored: %d points, input %d", k.amount(), r.used(p, plan.Input))
		}
		_, err := send(k, n(5, "a"), "one")
		refused(t, err, fault.Conflict, "Idempotency-Key")
		if got, err := send(other, n(4, "a"), "one"); err != nil || got != 4 || other.amount() != 4 {
			t.Fatal("the key of one device is another's", got, err)
		}
		// Many at once: one of them stores.
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if got, err := send(k, n(2, "b"), "two"); err != nil || got != 2 {
					t.Error(got, err)
				}
			})
		}
		wg.Wait()
		if k.amount() != 6 {
			t.Fatalf("%d points, want 6", k.amount())
		}
		// A refusal is not remembered.
		r.allow(p, plan.Input, 10)
		_, err = send(k, n(3, "a"), "three")
		refused(t, err, fault.LimitReached, "You have exceeded")
		r.allow(p, plan.Input, 100)
		if got, err := send(k, n(3, "a"), "three"); err != nil || got != 3 {
			t.Fatal(got, err)
		}
		// After a day the key is free.
		r.now.Advance(24*time.Hour + time.Millisecond)
		if got, err := send(k, n(5, "a"), "one"); err != nil || got != 5 || k.amount() != 14 {
			t.Fatal(got, err, k.amount())
		}
		if err := r.cleanKeys(ctx); err != nil {
			t.Fatal(err)
		}
		if n := r.count("idempotency"); n != 1 {
			t.Fatalf("%d keys are left, want the fresh one", n)
		}
		r.clean()
	})
}

// Emptying and deleting points while others send: a point never goes into a series that has been taken off.
func TestDetachAgainstIngest(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k := r.mutable(p)
		second := newRig(t, r.db, r.now) // another process: it has a cache of its own
		senders := []tank{k, {second, p, k.d}}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 6 {
			wg.Go(func() {
				for j := 0; ; j++ {
					select {
					case <-stop:
						return
					default:
					}
					got, err := senders[i%2].try(fmt.Sprintf(`[{"variable":"a"},{"variable":"v%d"}]`, j%5))
					if err != nil {
						t.Error(err)
						return
					}
					accepted.Add(int64(got))
				}
			})
		}
		for i := range 25 {
			time.Sleep(3 * time.Millisecond)
			if i%2 == 0 {
				if err := r.Empty(ctx, k.who(), p, k.d); err != nil {
					t.Error(err)
				}
			} else if _, err := k.delete("qty=50"); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		wg.Wait()
		r.clean()
		if in := r.used(p, plan.Input); in != accepted.Load() {
			t.Errorf("input is %d, accepted %d", in, accepted.Load())
		}
		if int64(len(k.rows("qty=10000"))) != min(k.amount(), 10_000) {
			t.Errorf("%d rows of %d points", len(k.rows("qty=10000")), k.amount())
		}
		if err := r.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := r.count("point"); n != k.amount() {
			t.Errorf("%d points are left after the purge, %d are counted", n, k.amount())
		}
		r.clean()
	})
}

func TestDeviceDeletedWhileSending(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		for range 5 {
			k := r.mutable(p)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for {
						if _, err := k.try(n(2, "a")); err != nil {
							if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Forbidden) {
								t.Error(err)
							}
							return
						}
					}
				})
			}
			time.Sleep(5 * time.Millisecond)
			if err := r.devices.Delete(context.Background(), auth.SystemCaller(), p, k.d); err != nil {
				t.Error(err)
			}
			wg.Wait()
		}
		if n := r.used(p, plan.DataRecords); n != 0 {
			t.Errorf("%d records are left of deleted devices", n)
		}
		r.clean()
	})
}

func TestOnStored(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		var told []string
		var mu sync.Mutex
		r.OnStored(func(q id.Profile, d id.Device, points []Point) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintln(q == p, d == k.d, len(points), points[0].Variable, points[0].ID()))
		})
		k.send(n(1, "a"))
		if _, err := k.try(`{}`); err == nil {
			t.Error("a bad body was stored")
		}
		mu.Lock()
		defer mu.Unlock()
		if want := fmt.Sprintln(true, true, 1, "a", k.rows("")[0]["id"]); len(told) != 1 || told[0] != want {
			t.Fatalf("told %q, want %q", told, want)
		}
		if d, err := r.devices.Get(context.Background(), auth.SystemCaller(), p, k.d); err != nil || d.LastInput != noon.UnixMilli() {
			t.Fatalf("last input is %d, %v", d.LastInput, err)
		}
	})
}

func TestVerifyFindsOneUnit(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k := r.mutable(p)
		k.send(n(5, "a"))
		exec := func(q string, args ...any) {
			t.Helper()
			if _, err := r.db.Exec(ctx, q, args...); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ name, seed, undo, words string }{
			{"a point too few", "UPDATE point SET series = 999 WHERE no = (SELECT MIN(no) FROM point)", "UPDATE point SET series = (SELECT MAX(no) FROM series) WHERE series = 999", "its counter says 5 points, 4 are stored"},
			{"a counter too high", "UPDATE chunk SET points = 6", "UPDATE chunk SET points = 5", "its counter says 6 points, 5 are stored"},
			{"records too low", "UPDATE counter SET data_records_used = 4", "UPDATE counter SET data_records_used = 5", "data_records says 4, the counters of its devices 5"},
			{"a counter that is gone", "UPDATE chunk SET start = 7", "UPDATE chunk SET start = 0", "it has series with 5 points, and no counter"},
		} {
			exec(c.seed)
			found, _, err := r.Verify(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprint(found); !strings.Contains(all, c.words) {
				t.Errorf("%s: found %s", c.name, all)
			}
			exec(c.undo)
		}
		found, counts, err := r.Verify(ctx)
		if err != nil || len(found) != 0 || counts.Points != 5 || counts.Devices != 1 || counts.Profiles != 1 {
			t.Fatal(found, counts, err)
		}
	})
}

// A process that starts with a clock that is behind still gives larger numbers than those stored.
func TestNumbersGrowAcrossProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := r.profile()
		k := r.mutable(p)
		k.send(`{"variable":"a","value":"first"}`)
		r.now.Set(noon.Add(-time.Hour))
		again := tank{newRig(t, r.db, r.now), p, k.d}
		again.send(`{"variable":"a","value":"second"}`)
		if got := again.values("query=last_insert"); got != "second" {
			t.Fatalf("the last insert is %q", got)
		}
	})
}

func TestNumbers(t *testing.T) {
	r := newNumbers(fixed(noon))
	a := r.take(3)
	b := r.take(1)
	if b != a+3*step || millisOf(a) != noon.UnixMilli() {
		t.Fatalf("numbers are %d and %d", a, b)
	}
	r.take(5000) // more than a millisecond holds
	if c := r.take(1); c <= b+5000*step-step || millisOf(c)-noon.UnixMilli() > 2 {
		t.Fatalf("after many: %d", c)
	}
	if c := math.MaxInt64 >> timeShift; c < 40*365*24*3600*1000 {
		t.Fatalf("numbers last for %d ms", c)
	}
	no, series, ok := parseID(string(appendID(nil, b, 5)))
	if !ok || no != b || series != 5 {
		t.Fatal(no, series, ok)
	}
	for _, bad := range []string{"", "x", strings.Repeat("f", 24), strings.Repeat("F", 24), strings.Repeat("0", 23)} {
		if _, _, ok := parseID(bad); ok {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

type fixed time.Time

func (f fixed) Now() time.Time { return time.Time(f) }

func TestPausedProfile(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k := r.mutable(p)
		k.send(n(2, "a"))
		if err := r.profiles.Pause(ctx, auth.SystemCaller(), string(p), "unpaid bill"); err != nil {
			t.Fatal(err)
		}
		_, err := k.try(n(1, "a"))
		refused(t, err, fault.Forbidden, "unpaid bill")
		_, err = k.ask("")
		refused(t, err, fault.Forbidden, "unpaid bill")
		_, err = k.delete("")
		refused(t, err, fault.Forbidden, "unpaid bill")
		q, _ := parse(t, "", r.now.Now())
		if _, err := r.Query(ctx, auth.Caller{Kind: auth.Session, ProfileID: p, Permission: auth.Full}, p, k.d, q); err != nil {
			t.Errorf("a person at the console: %v", err)
		}
		if err := r.profiles.Resume(ctx, auth.SystemCaller(), string(p)); err != nil {
			t.Fatal(err)
		}
		k.send(n(1, "a"))
		if k.amount() != 3 {
			t.Errorf("%d points, want 3", k.amount())
		}
	})
}

// Retention runs when a day begins, and a device whose retention was shortened does not wait for that.
func TestRetentionIsDue(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k := r.immutable(p, device.Day, 3)
		k.send(`[{"variable":"a","time":"2026-05-13"},{"variable":"a","time":"2026-05-15"},{"variable":"a"}]`)
		step := func(at time.Time, want int64) {
			t.Helper()
			r.now.Set(at)
			if err := r.retainDue(ctx); err != nil {
				t.Fatal(err)
			}
			if got := r.used(p, plan.DataRecords); got != want {
				t.Errorf("at %s: %d records, want %d", at.Format(time.DateTime), got, want)
			}
		}
		step(noon, 3)
		step(noon.Add(12*time.Hour-time.Millisecond), 3)
		step(noon.Add(12*time.Hour), 2)
		keep := int64(0)
		if err := r.devices.Update(ctx, auth.SystemCaller(), p, k.d, device.Update{ChunkRetention: &keep}); err != nil {
			t.Fatal(err)
		}
		if got := len(k.rows("")); got != 0 {
			t.Errorf("%d rows are seen of what is no longer kept", got)
		}
		step(noon.Add(12*time.Hour+time.Minute), 2)
		step(noon.Add(12*time.Hour+15*time.Minute), 0)
		r.clean()
	})
}
