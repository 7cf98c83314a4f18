package data

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// benchRig is a rig on an engine with devices that take any number of points.
func benchRig(b *testing.B, engine sqldb.Engine, devices int) []tank {
	r := newRig(b, sqldbtest.Open(b, engine, sources...), clock.NewManual(time.Now()))
	r.chunkMost = math.MaxInt64
	p := r.profile()
	out := make([]tank, devices)
	for i := range out {
		out[i] = r.immutable(p, device.Day, 31)
	}
	return out
}

// BenchmarkIngest stores through everything but HTTP: decoding, the queue, the round, the commit.
func BenchmarkIngest(b *testing.B) {
	for _, engine := range sqldbtest.Engines {
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/points=%d", engine, size), func(b *testing.B) {
				tanks := benchRig(b, engine, 10)
				var next atomic.Int64
				b.SetParallelism(64)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := next.Add(1)
						k := tanks[i%10]
						var s strings.Builder
						s.WriteByte('[')
						for j := range size {
							if j > 0 {
								s.WriteByte(',')
							}
							fmt.Fprintf(&s, `{"variable":"v%d","value":%d.5,"unit":"C","time":%d}`, j%5, i, k.now.Now().UnixMilli()-int64(j))
						}
						s.WriteByte(']')
						if _, err := k.Store(context.Background(), auth.SystemCaller(), k.p, k.d, []byte(s.String()), ""); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "points/s")
			})
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	for _, engine := range sqldbtest.Engines {
		k := benchRig(b, engine, 1)[0]
		for range 20 {
			k.send(n(1000, "a"))
			k.send(n(10, "b"))
		}
		for _, raw := range []string{"query=last_value&variable=a", "query=last_item", "qty=15", "qty=1000&variable=a", "query=avg&start_date=1 day&variable=a", "query=aggregate&interval=hour&function=avg", "query=count"} {
			b.Run(string(engine)+"/"+strings.ReplaceAll(raw, " ", ""), func(b *testing.B) {
				for b.Loop() {
					k.answer(raw)
				}
			})
		}
	}
}

// BenchmarkRound is a round as a busy server has it: thirty requests of a point each, from thirty devices, all of one
// profile or each of its own.
func BenchmarkRound(b *testing.B) {
	for _, engine := range sqldbtest.Engines {
		for _, profiles := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/profiles=%d", engine, profiles), func(b *testing.B) {
				r := newRig(b, sqldbtest.Open(b, engine, sources...), clock.NewManual(time.Now()))
				r.chunkMost = math.MaxInt64
				var tanks []tank
				for i := range 64 {
					if i < profiles {
						tanks = append(tanks, r.immutable(r.profile(), device.Day, 31))
					} else {
						tanks = append(tanks, r.immutable(tanks[0].p, device.Day, 31))
					}
				}
				at := 0
				for b.Loop() {
					items := make([]*item, 30)
					for i := range items {
						k := tanks[at%len(tanks)]
						at++
						view, err := r.devices.View(context.Background(), auth.SystemCaller(), k.p, k.d)
						if err != nil {
							b.Fatal(err)
						}
						points, err := decodePoints([]byte(`{"variable":"temperature","value":21.5,"unit":"C"}`), k.now.Now().UnixMilli())
						if err != nil {
							b.Fatal(err)
						}
						items[i] = &item{profile: k.p, profileNo: view.ProfileNo, device: k.d, points: points}
						if err := k.place(items[i], view, k.now.Now().UnixMilli(), false); err != nil {
							b.Fatal(err)
						}
					}
					err := r.db.Tx(context.Background(), func(ctx context.Context) error {
						errs, err := r.round(ctx, items)
						for _, e := range errs {
							if e != nil {
								b.Fatal(e)
							}
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
