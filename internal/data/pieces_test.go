package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// small makes bodies of more than four points large, in pieces of three.
func (r *rig) small() *rig {
	r.wholeMost, r.pieceMost = 4, 3
	return r
}

// inPieces runs f on SQLite, where large bodies are inserted in pieces.
func inPieces(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	f(t, newRig(t, sqldbtest.Open(t, sqldb.SQLite, sources...), clock.NewManual(noon)).small())
}

// again is another process on the same database: the one before has crashed.
func (r *rig) again(t *testing.T) *rig {
	t.Helper()
	return newRig(t, r.db, r.now).small()
}

// numbered is a body of n points of a variable with the values 0, 1, 2, …
func numbered(n int, variable string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"variable":%q,"value":%d}`, variable, i)
	}
	return "[" + b.String()[1:] + "]"
}

// taken is a large body that is accepted and of which nothing is inserted.
func (k tank) taken(body, key string) *item {
	k.t.Helper()
	it, err := k.take(context.Background(), auth.SystemCaller(), k.p, k.d, []byte(body), key)
	if err != nil {
		k.t.Fatal(err)
	}
	if !it.large {
		k.t.Fatal("the body is not large")
	}
	return it
}

// insert inserts the next pieces of a large body.
func (k tank) insert(it *item, pieces int) {
	k.t.Helper()
	for range pieces {
		if err := k.pieces.Submit(context.Background(), string(k.p), 1, it.left[0]); err != nil {
			k.t.Fatal(err)
		}
		it.left = it.left[1:]
	}
}

func (k tank) finished(it *item) {
	k.t.Helper()
	if err := k.finish(context.Background(), it); err != nil {
		k.t.Fatal(err)
	}
	k.whole()
}

// whole fails the test unless nothing waits, nobody is at anything, and all figures agree.
func (r *rig) whole() {
	r.t.Helper()
	if n := r.count("piece"); n != 0 {
		r.t.Errorf("%d pieces wait", n)
	}
	if n := len(r.unfinished.list()); n != 0 {
		r.t.Errorf("%d large bodies are unfinished", n)
	}
	r.clean()
}

func TestLargeBody(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		if r.db.Engine() == sqldb.SQLite {
			r.small()
		}
		p := r.profile()
		k := r.mutable(p)
		var told []int
		r.OnStored(func(_ id.Profile, _ id.Device, points []Point) {
			told = append(told, len(points))
			for i := 1; i < len(points); i++ {
				if points[i].no <= points[i-1].no {
					t.Error("numbers do not grow")
				}
			}
		})
		for round := range 3 {
			if got, err := k.try(numbered(11, fmt.Sprint("v", round))); err != nil || got != 11 {
				t.Fatal(got, err)
			}
			if got := k.values(fmt.Sprintf("variable=v%d&qty=100&ordination=ascending", round)); got != "0 1 2 3 4 5 6 7 8 9 10" {
				t.Fatalf("values %s", got)
			}
		}
		k.send(n(4, "w"))
		if k.amount() != 37 || r.used(p, plan.Input) != 37 || r.used(p, plan.DataRecords) != 37 {
			t.Errorf("%d points, %d input, %d records", k.amount(), r.used(p, plan.Input), r.used(p, plan.DataRecords))
		}
		if !slices.Equal(told, []int{11, 11, 11, 4}) {
			t.Errorf("told of %v", told)
		}
		if d, err := r.devices.Get(context.Background(), auth.SystemCaller(), p, k.d); err != nil || d.LastInput != noon.UnixMilli() {
			t.Errorf("last input is %d, %v", d.LastInput, err)
		}
		r.whole()
	})
}

// On PostgreSQL nobody waits for a long transaction, so a body is stored in one.
func TestLargeBodyIsCutOnSQLiteOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		it, err := k.take(context.Background(), auth.SystemCaller(), k.p, k.d, []byte(n(3000, "a")), "")
		if err != nil {
			t.Fatal(err)
		}
		sqlite := r.db.Engine() == sqldb.SQLite
		if it.large != sqlite || (r.count("piece") > 0) != sqlite {
			t.Errorf("%s: large %v, %d pieces", r.db.Engine(), it.large, r.count("piece"))
		}
		r.clean()
		if sqlite {
			k.finished(it)
		}
		if got := k.answer("query=count"); got != "3000" {
			t.Errorf("%s points", got)
		}
		r.whole()
	})
}

func TestLargeBodyAfterCrash(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		for inserted := range 5 {
			t.Run(fmt.Sprint(inserted, " pieces inserted"), func(t *testing.T) {
				r := r.again(t)
				p := r.profile()
				k, o := r.mutable(p), r.immutable(p, device.Day, 10)
				k.insert(k.taken(numbered(11, "a"), "key"), min(inserted, 4))
				spread := func(i int) string { // over three chunks
					return fmt.Sprintf(`{"variable":"b","value":%d,"unit":"K","group":"g%d","time":%q,"metadata":{"i":[%d]},"location":{"lat":%d,"lng":-1.5}}`,
						i, i%2, noon.Add(-time.Duration(i%3)*24*time.Hour).Format(time.RFC3339), i, i)
				}
				var bodies []string
				for i := range 12 {
					bodies = append(bodies, spread(i))
				}
				it := o.taken("["+strings.Join(bodies, ",")+"]", "")
				if len(it.left) != 6 {
					t.Fatalf("%d pieces", len(it.left))
				}
				o.insert(it, inserted)
				r.clean()
				if k.amount() != 11 || o.amount() != 12 {
					t.Errorf("%d and %d points are counted", k.amount(), o.amount())
				}

				r2 := r.again(t)
				r2.clean()
				if err := r2.Finish(context.Background()); err != nil {
					t.Fatal(err)
				}
				r2.whole()
				k.rig, o.rig = r2, r2
				if got := k.values("variable=a&qty=100&ordination=ascending"); got != "0 1 2 3 4 5 6 7 8 9 10" {
					t.Errorf("values %s", got)
				}
				for i, row := range o.rows("variable=b&qty=100&ordination=ascending") {
					want := []int{2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9}[i]
					meta, _ := json.Marshal(row["metadata"])
					if row["value"] != float64(want) || row["unit"] != "K" || row["group"] != fmt.Sprintf("g%d", want%2) || string(meta) != fmt.Sprintf(`{"i":[%d]}`, want) {
						t.Errorf("row %d is %v", i, row)
					}
				}
				// The same request again is answered and stores nothing.
				if got, err := r2.Store(context.Background(), auth.SystemCaller(), p, k.d, []byte(numbered(11, "a")), "key"); err != nil || got != 11 || k.amount() != 11 {
					t.Errorf("again: %d, %v, %d points", got, err, k.amount())
				}
				k.send(n(20, "c"))
				r2.whole()
				if k.amount() != 31 || r2.used(p, plan.DataRecords) != 43 || r2.used(p, plan.Input) != 43 {
					t.Errorf("%d points, %d records, %d input", k.amount(), r2.used(p, plan.DataRecords), r2.used(p, plan.Input))
				}
			})
		}
	})
}

// Whatever ends between two pieces, the rest neither lies about nor is counted.
func TestLargeBodyAndDeletion(t *testing.T) {
	ctx := context.Background()
	who := auth.SystemCaller()
	for _, c := range []struct {
		name string
		end  func(t *testing.T, k tank)
		left int64 // points of the device
	}{
		{"emptied", func(t *testing.T, k tank) {
			if err := k.Empty(ctx, who, k.p, k.d); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"emptied and sent to again", func(t *testing.T, k tank) {
			if err := k.Empty(ctx, who, k.p, k.d); err != nil {
				t.Fatal(err)
			}
			k.send(n(2, "a"))
		}, 2},
		{"points deleted by a query", func(t *testing.T, k tank) {
			if _, err := k.delete("variable=a&qty=10000"); err != nil {
				t.Fatal(err)
			}
		}, -1}, // what was inserted is gone, what waited comes
		{"device deleted", func(t *testing.T, k tank) {
			if err := k.devices.Delete(ctx, who, k.p, k.d); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		inPieces(t, func(t *testing.T, r *rig) {
			for inserted := range 4 {
				for _, crashed := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s after %d pieces, crashed %v", c.name, inserted, crashed), func(t *testing.T) {
						r := r.again(t)
						before := r.count("point")
						k := r.mutable(r.profile())
						other := r.mutable(k.p)
						other.send(n(1, "a"))
						it := k.taken(numbered(12, "a"), "")
						k.insert(it, inserted)
						c.end(t, k)
						r.clean()
						if crashed {
							r = r.again(t)
							k.rig = r
							if err := r.Finish(ctx); err != nil {
								t.Fatal(err)
							}
							r.whole()
						} else {
							k.finished(it)
						}
						want := c.left
						if want < 0 {
							want = 12 - 3*int64(inserted)
						}
						if got, err := r.store.amount(ctx, k.p, k.d, math.MinInt64); err != nil || got != want {
							t.Errorf("the device has %d points, want %d", got, want)
						}
						if got := r.used(k.p, plan.DataRecords); got != want+1 {
							t.Errorf("%d records, want %d", got, want+1)
						}
						for {
							if _, more, err := r.store.purge(ctx); err != nil {
								t.Fatal(err)
							} else if !more {
								break
							}
						}
						r.whole()
						if n := r.count("point") - before; n != want+1 {
							t.Errorf("%d points lie about, want %d", n, want+1)
						}
					})
				}
			}
		})
	}
}

func TestLargeBodyAndChunks(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k := r.immutable(r.profile(), device.Day, 10)
		var points []string
		for i := range 18 {
			points = append(points, fmt.Sprintf(`{"variable":"a","value":%d,"time":%q}`, i, noon.Add(-time.Duration(i%3)*24*time.Hour).Format(time.RFC3339)))
		}
		it := k.taken("["+strings.Join(points, ",")+"]", "")
		k.insert(it, 3)
		chunks, err := k.Chunks(ctx, auth.SystemCaller(), k.p, k.d)
		if err != nil || len(chunks) != 3 {
			t.Fatal(chunks, err)
		}
		if err := k.DeleteChunk(ctx, auth.SystemCaller(), k.p, k.d, chunks[1].ID); err != nil {
			t.Fatal(err)
		}
		r.clean()
		// The oldest is retained no longer.
		r.now.Advance(9 * 24 * time.Hour)
		if err := r.Retain(ctx); err != nil {
			t.Fatal(err)
		}
		r.clean()
		k.finished(it)
		if k.amount() != 6 || r.used(k.p, plan.DataRecords) != 6 {
			t.Errorf("%d points, %d records", k.amount(), r.used(k.p, plan.DataRecords))
		}
	})
}

// TestDamagedPiece: what cannot be read is told of, waits, and holds up nobody.
func TestDamagedPiece(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k, o := r.mutable(r.profile()), r.mutable(r.profile())
		k.taken(numbered(12, "a"), "")
		o.taken(numbered(12, "a"), "")
		if _, err := r.db.Exec(ctx, `UPDATE piece SET packed = $1 WHERE no = (SELECT MIN(no) FROM piece)`, []byte{9}); err != nil {
			t.Fatal(err)
		}
		r2 := r.again(t)
		for range 2 {
			if err := r2.Finish(ctx); !errors.Is(err, errPacked) {
				t.Errorf("it ended with %v", err)
			}
		}
		if n := r2.count("piece"); n != 1 {
			t.Errorf("%d pieces wait", n)
		}
		r2.clean()
		k.rig, o.rig = r2, r2
		if got := len(o.rows("variable=a&qty=100")); got != 12 {
			t.Errorf("of the other body %d points are there", got)
		}
		if got := len(k.rows("variable=a&qty=100")); got != 9 {
			t.Errorf("of the damaged one %d points are there", got)
		}
	})
}

func TestLargeBodyOfDeletedProfile(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k, o := r.mutable(r.profile()), r.mutable(r.profile())
		it, other := k.taken(numbered(12, "a"), ""), o.taken(numbered(12, "a"), "")
		k.insert(it, 1)
		v, err := r.devices.View(ctx, auth.SystemCaller(), k.p, k.d)
		if err != nil {
			t.Fatal(err)
		}
		gone := profile.Profile{ID: k.p, No: v.ProfileNo}
		for step := 0; ; step++ {
			done, err := r.PurgeProfile(ctx, gone)
			if err != nil {
				t.Fatal(err)
			}
			if step == 0 {
				k.insert(it, 1)
			}
			if done {
				break
			}
		}
		if err := r.finish(ctx, it); err != nil {
			t.Fatal(err)
		}
		o.insert(other, 2)
		if a, b := r.count("piece"), r.count("point"); a != 2 || b != 6 {
			t.Errorf("%d pieces and %d points, want the other profile's 2 and 6", a, b)
		}
		if err := r.finish(ctx, other); err != nil {
			t.Fatal(err)
		}
		if r.count("piece") != 0 || r.count("point") != 12 {
			t.Error("the other profile lost points")
		}
	})
}

// Large bodies that race for the last units get exactly those that fit.
func TestLargeBodiesAtLimits(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		p := r.profile()
		r.allow(p, plan.Input, 100)
		var devices []tank
		for range 4 {
			devices = append(devices, r.mutable(p))
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var accepted int64
		for i := range 32 {
			wg.Go(func() {
				size := 1 + i%13
				_, err := devices[i%4].try(numbered(size, fmt.Sprint("v", i%3)))
				if err != nil && !fault.Is(err, fault.LimitReached) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					accepted += int64(size)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for {
			if _, err := devices[0].try(n(1, "a")); err != nil {
				break
			}
			accepted++
		}
		if accepted != 100 || r.used(p, plan.Input) != 100 || r.used(p, plan.DataRecords) != 100 || r.count("point") != 100 {
			t.Errorf("accepted %d, input %d, records %d, points %d", accepted, r.used(p, plan.Input), r.used(p, plan.DataRecords), r.count("point"))
		}
		// A device's cap counts what waits.
		r.mutableMost = 60
		k := r.mutable(r.profile())
		it := k.taken(numbered(55, "a"), "")
		_, err := k.try(numbered(6, "a"))
		refused(t, err, fault.LimitReached, "60 data registers")
		k.finished(it)
		r.whole()
	})
}

// Deletions and large bodies of many senders at once.
func TestLargeBodiesAgainstDeletion(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k, o := r.mutable(p), r.mutable(p)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := range 12 {
					to := k
					if (i+n)%3 == 0 {
						to = o
					}
					if _, err := to.try(numbered(7+n, fmt.Sprint("v", (i+n)%2))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for i := range 20 {
				switch i % 3 {
				case 0:
					if err := k.Empty(ctx, auth.SystemCaller(), p, k.d); err != nil {
						t.Error(err)
					}
				case 1:
					if _, err := k.delete("variable=v0&qty=10"); err != nil {
						t.Error(err)
					}
				case 2:
					if _, err := o.delete("variable=v1&qty=10000"); err != nil {
						t.Error(err)
					}
				}
				r.clean()
			}
		})
		wg.Wait()
		r.whole()
	})
}

// A piece that cannot be inserted is inserted later.
func TestLargeBodyWhoseDiskFails(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		p := r.profile()
		k, other := r.mutable(p), r.mutable(r.profile())
		exec := func(q string) {
			t.Helper()
			if _, err := r.db.Exec(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		fail := func() {
			exec(`CREATE TRIGGER broken BEFORE INSERT ON point WHEN new.num = 7 BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END`)
		}
		var told []int
		r.OnStored(func(_ id.Profile, _ id.Device, points []Point) { told = append(told, len(points)) })
		fail()
		send := func() (int, error) {
			return r.Store(ctx, auth.SystemCaller(), p, k.d, []byte(numbered(12, "a")), "key")
		}
		for range 2 { // the second one repeats the first, and fails alike
			_, err := send()
			refused(t, err, fault.Unavailable, "accepted")
			if got := k.answer("variable=a&query=count"); got != "6" {
				t.Fatalf("%s points can be read", got)
			}
			r.clean()
		}
		if err := r.Finish(ctx); err == nil {
			t.Error("Finish keeps silent")
		}
		other.send(n(1, "a"))
		if len(told) != 1 {
			t.Errorf("told of %v", told)
		}
		exec(`DROP TRIGGER broken`)
		// Whoever asks again hears of success when it is whole.
		if got, err := send(); err != nil || got != 12 {
			t.Fatal(got, err)
		}
		if got := k.values("variable=a&qty=100&ordination=ascending"); got != "0 1 2 3 4 5 6 7 8 9 10 11" {
			t.Errorf("values %s", got)
		}
		r.whole()

		// The job does it when nobody asks.
		fail()
		_, err := k.try(numbered(12, "b"))
		refused(t, err, fault.Unavailable, "accepted")
		exec(`DROP TRIGGER broken`)
		if err := r.Finish(ctx); err != nil {
			t.Fatal(err)
		}
		if got := k.answer("variable=b&query=count"); got != "12" {
			t.Errorf("%s points", got)
		}
		if !slices.Equal(told, []int{1, 12, 12}) {
			t.Errorf("told of %v", told)
		}
		r.whole()
	})
}

// Requests with one key at the same time are one: whoever is answered can read all of it.
func TestLargeBodyRepeated(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		k := r.mutable(r.profile())
		for round := range 5 {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					v := fmt.Sprint("v", round)
					got, err := r.Store(context.Background(), auth.SystemCaller(), k.p, k.d, []byte(numbered(50, v)), v)
					if err != nil || got != 50 {
						t.Error(got, err)
					}
					if n, err := k.ask("query=count&variable=" + v); err != nil || n != "50" {
						t.Errorf("%s of 50 can be read, %v", n, err)
					}
				})
			}
			wg.Wait()
		}
		if k.amount() != 250 {
			t.Errorf("%d points", k.amount())
		}
		r.whole()
	})
}

// Between two pieces of one profile others have their turn, also when it has sent many bodies.
func TestLargeBodiesLetOthersPass(t *testing.T) {
	r := newRig(t, sqldbtest.Open(t, sqldb.SQLite, sources...), clock.NewManual(noon))
	flood, quiet := r.mutable(r.profile()), r.mutable(r.profile())
	var left sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 4 {
		left.Go(func() {
			flood.send(n(12_000, "a"))
			mu.Lock()
			done++
			mu.Unlock()
		})
	}
	passed := 0
	for {
		quiet.send(n(1, "a"))
		mu.Lock()
		over := done > 0
		mu.Unlock()
		if over {
			break
		}
		passed++
	}
	left.Wait()
	if passed < 12 { // of 24 pieces that each body has
		t.Errorf("%d requests passed while four large bodies were stored", passed)
	}
	r.whole()
}

func TestVerifyCountsWhatWaits(t *testing.T) {
	inPieces(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k := r.mutable(r.profile())
		it := k.taken(numbered(12, "a"), "")
		k.insert(it, 1)
		for _, c := range []struct{ seed, undo, words string }{
			{"UPDATE piece SET points = points - 1", "UPDATE piece SET points = points + 1", "its counter says 12 points, 3 are stored and 6 wait to be"},
			{"UPDATE piece SET start = 7", "UPDATE piece SET start = 0", "chunk 7: 9 points wait for it, and it has no counter"},
		} {
			if _, err := r.db.Exec(ctx, c.seed); err != nil {
				t.Fatal(err)
			}
			found, _, err := r.Verify(ctx)
			if err != nil || !strings.Contains(fmt.Sprint(found), c.words) {
				t.Errorf("found %v, %v", found, err)
			}
			if _, err := r.db.Exec(ctx, c.undo); err != nil {
				t.Fatal(err)
			}
		}
		k.finished(it)
	})
}

func TestPack(t *testing.T) {
	random := func(r *rand.Rand) Point {
		pick := func(of ...string) string { return of[r.IntN(len(of))] }
		p := Point{Variable: pick("a", "a", "temperature", "é ✓"), Time: []int64{0, noon.UnixMilli(), noon.UnixMilli() + 1, math.MinInt64, math.MaxInt64}[r.IntN(5)],
			Kind: Kind(r.IntN(4)), Unit: pick("", "", "°C"), Group: pick("g", "g", "0123456789abcdef"), Metadata: pick("", `{"a":1}`, strings.Repeat("x", 300))}
		switch p.Kind {
		case Number:
			p.Num = []float64{0, math.Copysign(0, -1), 1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1)}[r.IntN(6)]
		case Bool:
			p.Num = float64(r.IntN(2))
		case Text:
			p.Text = pick("", "text", "\x00\xff")
		}
		if r.IntN(2) == 0 {
			p.Located, p.Lat, p.Lng = true, -90+r.Float64(), 180
		}
		return p
	}
	r := rand.New(rand.NewPCG(1, 2))
	for size := range 200 {
		points := make([]*Point, size)
		for i := range points {
			p := random(r)
			points[i] = &p
		}
		b := pack(points)
		got, err := unpack(b)
		if err != nil || len(got) != size {
			t.Fatal(len(got), err)
		}
		for i := range got {
			if fmt.Sprintf("%#v", got[i]) != fmt.Sprintf("%#v", *points[i]) { // which tells -0 from 0
				t.Fatalf("%#v became %#v", *points[i], got[i])
			}
		}
		for _, bad := range [][]byte{append(slices.Clone(b), 0), b[:len(b)-1], {9}, {}, {packing, 255, 255, 255, 255, 15}} {
			if _, err := unpack(bad); err == nil {
				t.Fatalf("%d points: %d bytes of %d were read", size, len(bad), len(b))
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]*Point{{Variable: "a", Time: 5, Kind: Number, Num: 1, Group: "g"}, {Variable: "b", Kind: Text, Text: "x", Located: true, Metadata: "{}"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		points, err := unpack(b)
		if err != nil {
			return
		}
		list := make([]*Point, len(points))
		for i := range points {
			list[i] = &points[i]
		}
		again, err := unpack(pack(list))
		if err != nil || fmt.Sprintf("%#v", again) != fmt.Sprintf("%#v", points) {
			t.Fatalf("%#v became %#v, %v", points, again, err)
		}
	})
}
