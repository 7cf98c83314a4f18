package sqldb_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// BenchmarkRounds measures what a commit costs when 64 callers write at once: as transactions of their own
// and gathered by a batch, from one tenant and from many.
func BenchmarkRounds(b *testing.B) {
	for _, e := range sqldbtest.Engines {
		for _, tenants := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s/tenants=%d/tx", e, tenants), func(b *testing.B) {
				db := sqldbtest.Open(b, e, schema)
				flood(b, func(ctx context.Context, n int64) error {
					_, err := db.Exec(sqldb.As(ctx, fmt.Sprint(n%int64(tenants))), "INSERT INTO note (id, tenant) VALUES ($1, $2)", n, "a")
					return err
				})
			})
			b.Run(fmt.Sprintf("%s/tenants=%d/batch", e, tenants), func(b *testing.B) {
				db := sqldbtest.Open(b, e, schema)
				batch := sqldb.NewBatch(db, "note", func(ctx context.Context, items []int64) ([]error, error) {
					errs := make([]error, len(items))
					for part := range slices.Chunk(items, 100) {
						args := make([]any, 0, 200)
						for _, n := range part {
							args = append(args, n, "a")
						}
						if _, err := db.Exec(ctx, "INSERT INTO note (id, tenant) VALUES "+sqldb.Rows(1, len(part), 2), args...); err != nil {
							return nil, err
						}
					}
					return errs, nil
				})
				flood(b, func(ctx context.Context, n int64) error {
					return batch.Submit(ctx, fmt.Sprint(n%int64(tenants)), 1, n)
				})
			})
		}
	}
}

func flood(b *testing.B, f func(ctx context.Context, n int64) error) {
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := f(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
