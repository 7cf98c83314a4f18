package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

var schema = sqldb.Source{Room: "test", FS: fstest.MapFS{
	"migrations/20260101_0000_test.sql": {Data: []byte(`
CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, used BIGINT NOT NULL, allowed BIGINT NOT NULL);
CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL);`)},
}}

func each(t *testing.T, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	sqldbtest.Each(t, []sqldb.Source{schema}, f)
}

func count(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "SELECT COUNT(*) FROM note").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTx(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		insert := func(ctx context.Context, n int) error {
			_, err := db.Exec(ctx, "INSERT INTO note (id, tenant) VALUES ($1, $2)", n, "a")
			return err
		}
		t.Run("an error undoes everything, nested calls included", func(t *testing.T) {
			no := errors.New("no")
			ran := false
			err := db.Tx(ctx, func(ctx context.Context) error {
				sqldb.AfterCommit(ctx, func() { ran = true })
				if err := insert(ctx, 1); err != nil {
					return err
				}
				if err := db.Tx(ctx, func(ctx context.Context) error { return insert(ctx, 2) }); err != nil {
					return err
				}
				return no
			})
			if !errors.Is(err, no) || ran || count(t, db) != 0 {
				t.Fatalf("err %v, after-commit ran %v, rows %d", err, ran, count(t, db))
			}
		})
		t.Run("a commit runs what waits for it", func(t *testing.T) {
			ran := false
			err := db.Tx(ctx, func(ctx context.Context) error {
				sqldb.AfterCommit(ctx, func() { ran = true })
				return insert(ctx, 1)
			})
			if err != nil || !ran || count(t, db) != 1 {
				t.Fatalf("err %v, after-commit ran %v, rows %d", err, ran, count(t, db))
			}
		})
		t.Run("a duplicate is told apart", func(t *testing.T) {
			if err := insert(ctx, 1); !sqldb.IsDuplicate(err) {
				t.Fatalf("got %v", err)
			}
			if sqldb.IsDuplicate(errors.New("other")) {
				t.Fatal("any error counts as duplicate")
			}
		})
		t.Run("a panic reaches its caller and undoes only its own work", func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					defer func() {
						if p := recover(); (p != nil) != (i%2 == 0) {
							t.Errorf("transaction %d: recovered %v", i, p)
						}
					}()
					err := db.Tx(sqldb.As(ctx, fmt.Sprint(i)), func(ctx context.Context) error {
						if err := insert(ctx, 100+i); err != nil {
							return err
						}
						if i%2 == 0 {
							panic("boom")
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := count(t, db); n != 11 {
				t.Fatalf("%d rows, want 11", n)
			}
		})
		t.Run("a context that ended before its turn writes nothing", func(t *testing.T) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if err := db.Tx(gone, func(ctx context.Context) error { return insert(ctx, 999) }); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		})
		t.Run("a snapshot sees one instant and refuses writes", func(t *testing.T) {
			err := db.Snapshot(ctx, func(in context.Context) error {
				read := func() (n int, err error) {
					return n, db.QueryRow(in, "SELECT COUNT(*) FROM note").Scan(&n)
				}
				before, err := read()
				if err != nil {
					return err
				}
				if err := insert(ctx, 5000); err != nil {
					return err
				}
				after, err := read()
				if err != nil {
					return err
				}
				if before != after {
					t.Errorf("the snapshot moved from %d to %d", before, after)
				}
				if err := insert(in, 5001); err == nil {
					t.Error("a write inside a snapshot passed")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestLimitIsExactUnderConcurrency(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		if _, err := db.Exec(ctx, "INSERT INTO counter (name, used, allowed) VALUES ($1, 0, 250)", "c"); err != nil {
			t.Fatal(err)
		}
		var passed atomic.Int64
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				for j := range 10 {
					err := db.Tx(sqldb.As(ctx, fmt.Sprint(i%7)), func(ctx context.Context) error {
						n, err := db.Exec(ctx, "UPDATE counter SET used = used + 1 WHERE name = $1 AND used + 1 <= allowed", "c")
						if err == nil && n == 1 {
							_, err = db.Exec(ctx, "INSERT INTO note (id, tenant) VALUES ($1, $2)", i*100+j, "x")
						}
						if err == nil && n == 0 {
							err = fault.New(fault.LimitReached, "full")
						}
						return err
					})
					switch {
					case err == nil:
						passed.Add(1)
					case !fault.Is(err, fault.LimitReached):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if passed.Load() != 250 || count(t, db) != 250 {
			t.Fatalf("%d passed, %d stored, want 250", passed.Load(), count(t, db))
		}
	})
}

func TestBatch(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		refused := fault.New(fault.Invalid, "odd ones are refused")
		var rounds, largest atomic.Int64
		b := sqldb.NewBatch(db, "notes", func(ctx context.Context, items []int) ([]error, error) {
			rounds.Add(1)
			largest.Store(max(largest.Load(), int64(len(items))))
			errs := make([]error, len(items))
			for i, n := range items {
				if n < 0 {
					return nil, fault.New(fault.Unavailable, "the whole round fails")
				}
				if n%2 == 1 {
					errs[i] = refused
					continue
				}
				if _, err := db.Exec(ctx, "INSERT INTO note (id, tenant) VALUES ($1, $2)", n, "b"); err != nil {
					return nil, err
				}
			}
			return errs, nil
		})
		var wg sync.WaitGroup
		for i := range 400 {
			wg.Go(func() {
				err := b.Submit(ctx, fmt.Sprint(i%5), 10, i)
				if want := i%2 == 1; (err != nil) != want {
					t.Errorf("item %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := count(t, db); n != 200 {
			t.Fatalf("%d stored, want 200", n)
		}
		if largest.Load() < 2 {
			t.Errorf("%d rounds, none with two items: nothing was gathered", rounds.Load())
		}
		if err := b.Submit(ctx, "x", 1, -1); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("a failed round answered %v", err)
		}
		if n := count(t, db); n != 200 {
			t.Fatalf("%d stored after a failed round, want 200", n)
		}
	})
}

func TestFairness(t *testing.T) {
	// One tenant queues 20,000 points at once, then a quiet one asks for a single point: it must be
	// served within the next rounds, not after the flood.
	each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		var flood, before atomic.Int64
		release := make(chan struct{})
		var entered atomic.Int64
		var quiet atomic.Bool
		b := sqldb.NewBatch(db, "fair", func(ctx context.Context, items []string) ([]error, error) {
			entered.Add(int64(len(items)))
			if slices.Contains(items, "quiet") {
				quiet.Store(true)
			}
			<-release
			for _, s := range items {
				if s == "flood" {
					flood.Add(1)
				} else {
					before.Store(flood.Load())
				}
			}
			return make([]error, len(items)), nil
		})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if err := b.Submit(ctx, "flood", 100, "flood"); err != nil {
					t.Error(err)
				}
			})
		}
		for entered.Load() == 0 || entered.Load()+int64(db.Waiting()) < 200 { // a first round is held, the rest waits
			time.Sleep(time.Millisecond)
		}
		waiting := db.Waiting()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := b.Submit(ctx, "quiet", 1, "quiet"); err != nil {
				t.Error(err)
			}
		}()
		for db.Waiting() <= waiting && !quiet.Load() {
			time.Sleep(time.Millisecond)
		}
		close(release)
		<-done
		wg.Wait()
		if n := before.Load(); n > 80 {
			t.Fatalf("the quiet tenant waited behind %d of 200 requests of the flood", n)
		}
	})
}

func TestLargeRequestCommitsWhole(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		b := sqldb.NewBatch(db, "large", func(ctx context.Context, items []int) ([]error, error) {
			return make([]error, len(items)), nil
		})
		if err := b.Submit(t.Context(), "a", 50_000, 1); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseDrains(t *testing.T) {
	file := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	db, err := sqldb.Open(t.Context(), file, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var acknowledged, refused atomic.Int64
	for i := range 200 {
		wg.Go(func() {
			if _, err := db.Exec(t.Context(), "INSERT INTO note (id, tenant) VALUES ($1, $2)", i, "a"); err == nil {
				acknowledged.Add(1)
			} else if fault.Is(err, fault.Unavailable) {
				refused.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	db, err = sqldb.Open(t.Context(), file, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := count(t, db); int64(n) != acknowledged.Load() || acknowledged.Load()+refused.Load() != 200 {
		t.Fatalf("%d stored, %d acknowledged, %d refused", n, acknowledged.Load(), refused.Load())
	}
}

func TestCache(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			ctx := t.Context()
			url := sqldbtest.URL(t, e)
			open := func() (*sqldb.DB, *sqldb.Cache[int64], *atomic.Int64) {
				db, err := sqldb.Open(ctx, url, sqldb.Options{Readers: 4})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				if err := db.Migrate(ctx, schema); err != nil {
					t.Fatal(err)
				}
				var loads atomic.Int64
				return db, sqldb.NewCache(db, "counter", 10, func(ctx context.Context, key string) (n int64, err error) {
					loads.Add(1)
					return n, db.QueryRow(ctx, "SELECT used FROM counter WHERE name = $1", key).Scan(&n)
				}), &loads
			}
			here, cache, loads := open()
			there, other, _ := open()
			if _, err := here.Exec(ctx, "INSERT INTO counter (name, used, allowed) VALUES ($1, 1, 9)", "c"); err != nil {
				t.Fatal(err)
			}
			get := func(c *sqldb.Cache[int64]) int64 {
				t.Helper()
				n, err := c.Get(ctx, "c")
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			get(cache)
			get(other)
			before := loads.Load()
			for range 10 {
				get(cache)
			}
			if loads.Load() != before {
				t.Fatal("a cached value was loaded again")
			}
			err := here.Tx(ctx, func(ctx context.Context) error {
				if _, err := here.Exec(ctx, "UPDATE counter SET used = 2 WHERE name = $1", "c"); err != nil {
					return err
				}
				if err := here.Changed(ctx, "counter", "c"); err != nil {
					return err
				}
				if n, err := cache.Get(ctx, "c"); err != nil || n != 2 {
					t.Errorf("inside the transaction the cache says %d, %v", n, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := get(cache); n != 2 {
				t.Fatalf("the next read on the same node says %d", n)
			}
			deadline := time.Now().Add(time.Second)
			for get(other) != 2 {
				if time.Now().After(deadline) {
					t.Fatal("the other node still says 1 after a second")
				}
				time.Sleep(20 * time.Millisecond)
			}
			_ = there
		})
	}
}

// What a transaction changed is dropped elsewhere when it commits, also when it wrote its row long before that and others
// that began later have committed meanwhile.
func TestCacheLateCommit(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			ctx := t.Context()
			url := sqldbtest.Migrated(t, e, schema)
			open := func() *sqldb.DB {
				db, err := sqldb.Open(ctx, url, sqldb.Options{Readers: 4})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				return db
			}
			here, there := open(), open()
			cache := sqldb.NewCache(there, "counter", 10, func(ctx context.Context, key string) (n int64, err error) {
				return n, there.QueryRow(ctx, "SELECT used FROM counter WHERE name = $1", key).Scan(&n)
			})
			heard := make(chan string, 100)
			there.OnChange("counter", func(key string) { heard <- key })
			for _, db := range []*sqldb.DB{here, there} {
				if err := db.Migrate(ctx, schema); err != nil {
					t.Fatal(err)
				}
			}
			set := func(ctx context.Context, name string, n int64) error {
				_, err := here.Exec(ctx, "INSERT INTO counter (name, used, allowed) VALUES ($1, $2, 9) ON CONFLICT (name) DO UPDATE SET used = excluded.used", name, n)
				return errors.Join(err, here.Changed(ctx, "counter", name))
			}
			if err := here.Tx(ctx, func(ctx context.Context) error { return set(ctx, "late", 1) }); err != nil {
				t.Fatal(err)
			}
			if n, err := cache.Get(ctx, "late"); err != nil || n != 1 {
				t.Fatalf("%d, %v", n, err)
			}
			<-heard
			err := here.Tx(ctx, func(inner context.Context) error {
				if err := set(inner, "late", 2); err != nil {
					return err
				}
				if e == sqldb.Postgres { // SQLite has one writer: nobody commits meanwhile
					for i := range 3 {
						key := fmt.Sprint("early", i)
						if err := here.Tx(ctx, func(ctx context.Context) error { return set(ctx, key, 1) }); err != nil {
							return err
						}
						if got := <-heard; got != key {
							t.Errorf("heard of %q, want %q", got, key)
						}
					}
				}
				if n, err := cache.Get(ctx, "late"); err != nil || n != 1 {
					t.Errorf("before the commit: %d, %v", n, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := <-heard; got != "late" {
				t.Errorf("heard of %q, want late", got)
			}
			if n, err := cache.Get(ctx, "late"); err != nil || n != 2 {
				t.Fatalf("after the commit: %d, %v", n, err)
			}
			select {
			case key := <-heard:
				t.Errorf("heard of %q twice", key)
			case <-time.After(600 * time.Millisecond):
			}
		})
	}
}

// A process that stood still for so long that changes it has not read may have been cleaned forgets all it has cached.
func TestCacheAfterStandstill(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			ctx := t.Context()
			db := sqldbtest.Open(t, e, schema)
			cache := sqldb.NewCache(db, "counter", 10, func(ctx context.Context, key string) (n int64, err error) {
				return n, db.QueryRow(ctx, "SELECT used FROM counter WHERE name = $1", key).Scan(&n)
			})
			if err := db.Migrate(ctx, schema); err != nil {
				t.Fatal(err)
			}
			set := func(n int64) {
				t.Helper()
				if _, err := db.Exec(ctx, "INSERT INTO counter (name, used, allowed) VALUES ($1, $2, 9) ON CONFLICT (name) DO UPDATE SET used = excluded.used", "c", n); err != nil {
					t.Fatal(err)
				}
			}
			get := func() int64 {
				t.Helper()
				n, err := cache.Get(ctx, "c")
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			set(1)
			if n := get(); n != 1 {
				t.Fatalf("got %d", n)
			}
			set(2) // by another process, whose row is gone
			if n := get(); n != 1 {
				t.Fatalf("nobody said that it changed, and it is read again: %d", n)
			}
			db.StoodStill(sqldb.KeepRows)
			for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
				if n := get(); n != 2 { // nothing is trusted until the next good read
					t.Fatalf("after a standstill the cache says %d", n)
				}
				if time.Since(began) > 600*time.Millisecond { // and forgotten with it
					return
				}
			}
		})
	}
}

// Old changes are deleted in slices, and what is younger stays.
func TestCacheClean(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			ctx := t.Context()
			db := sqldbtest.Open(t, e, schema)
			if err := db.Migrate(ctx, schema); err != nil {
				t.Fatal(err)
			}
			change := func(n int) {
				t.Helper()
				for i := range n { // in transactions of their own
					if err := db.Changed(ctx, "counter", fmt.Sprint(i), fmt.Sprint("second ", i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			rows := func() int64 {
				t.Helper()
				n, _, err := sqldb.One(ctx, db, sqldb.Value[int64], "SELECT COUNT(*) FROM cache_change")
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			change(sqldb.CleanSlice + 7) // twice as many rows
			time.Sleep(2 * time.Millisecond)
			between := time.Now()
			change(5)
			db.CleanChanges(between)
			if n := rows(); n != 10 {
				t.Fatalf("%d rows are left, want the 10 that are younger", n)
			}
			db.CleanChanges(time.Now().Add(time.Second))
			if n := rows(); n != 0 {
				t.Fatalf("%d rows are left", n)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	for _, e := range sqldbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			db := sqldbtest.Open(t, e, schema)
			t.Run("a second time does nothing", func(t *testing.T) {
				if err := db.Migrate(t.Context(), schema); err != nil {
					t.Fatal(err)
				}
			})
			t.Run("a broken migration leaves nothing behind", func(t *testing.T) {
				broken := sqldb.Source{Room: "broken", FS: fstest.MapFS{"migrations/20260102_0000_broken.sql": {
					Data: []byte("CREATE TABLE half (id BIGINT NOT NULL PRIMARY KEY); SELECT nonsense FROM nowhere;")}}}
				if err := db.Migrate(t.Context(), schema, broken); err == nil || !strings.Contains(err.Error(), "20260102_0000_broken") {
					t.Fatalf("got %v", err)
				}
				if _, err := db.Exec(t.Context(), "SELECT id FROM half"); err == nil {
					t.Fatal("half of it is there")
				}
			})
			t.Run("an engine's own file replaces the common one", func(t *testing.T) {
				pair := sqldb.Source{Room: "pair", FS: fstest.MapFS{
					"migrations/20260103_0000_pair.sqlite.sql":   {Data: []byte("CREATE TABLE pair_sqlite (id BIGINT NOT NULL PRIMARY KEY)")},
					"migrations/20260103_0000_pair.postgres.sql": {Data: []byte("CREATE TABLE pair_postgres (id BIGINT NOT NULL PRIMARY KEY)")},
				}}
				if err := db.Migrate(t.Context(), schema, pair); err != nil {
					t.Fatal(err)
				}
				if _, err := sqldb.All(t.Context(), db, sqldb.Value[int64], "SELECT id FROM pair_"+string(e)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestText(t *testing.T) {
	if got := sqldb.Rows(3, 2, 2); got != "($3,$4),($5,$6)" {
		t.Errorf("Rows: %s", got)
	}
	if got := sqldb.RowsOf(1, 2, "TEXT", "BIGINT"); got != "(CAST($1 AS TEXT),CAST($2 AS BIGINT)),($3,$4)" {
		t.Errorf("RowsOf: %s", got)
	}
	w := sqldb.NewWhere("profile_id = ?", "p").And("name = ? OR tag = ?", "n", "t")
	sqldb.In(w, "id", []string{"a", "b"})
	sqldb.In(w, "kind", []string{})
	if got, want := w.SQL(), " WHERE profile_id = $1 AND (name = $2 OR tag = $3) AND id IN ($4,$5) AND 1 = 0"; got != want || len(w.Args()) != 5 {
		t.Errorf("Where: %s %v", got, w.Args())
	}
}

func TestCopyTo(t *testing.T) {
	db := sqldbtest.Open(t, sqldb.SQLite, schema)
	ctx := context.Background()
	if _, err := db.Exec(ctx, "CREATE TABLE kept (n BIGINT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, "INSERT INTO kept (n) VALUES (42)"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := db.CopyTo(ctx, file); err != nil {
		t.Fatal(err)
	}
	copied, err := sqldb.Open(ctx, "sqlite:"+file, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var n int
	if err := copied.QueryRow(ctx, "SELECT n FROM kept").Scan(&n); err != nil || n != 42 {
		t.Errorf("the copy says %d, %v", n, err)
	}
}

// TestCopyIsOneInstant copies while two processes' worth of writers move an amount from row to row: the copy has the whole
// sum, of the instant in which Still ran.
func TestCopyIsOneInstant(t *testing.T) {
	db := sqldbtest.Open(t, sqldb.SQLite, schema)
	ctx := context.Background()
	if _, err := db.Exec(ctx, "CREATE TABLE purse (n BIGINT NOT NULL PRIMARY KEY, amount BIGINT NOT NULL, filler TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	const purses, amount = 2000, 100
	if err := db.Tx(ctx, func(ctx context.Context) error {
		for n := range purses {
			if _, err := db.Exec(ctx, "INSERT INTO purse (n, amount, filler) VALUES ($1, $2, $3)", int64(n), int64(amount), strings.Repeat("x", 2000)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var moves atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := w; ; i += 7 {
				select {
				case <-stop:
					return
				default:
				}
				err := db.Tx(ctx, func(ctx context.Context) error {
					if _, err := db.Exec(ctx, "UPDATE purse SET amount = amount - 1 WHERE n = $1", int64(i%purses)); err != nil {
						return err
					}
					_, err := db.Exec(ctx, "UPDATE purse SET amount = amount + 1 WHERE n = $1", int64((i*13+5)%purses))
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				moves.Add(1)
			}
		})
	}
	for _, gentle := range []bool{true, false} {
		file := filepath.Join(t.TempDir(), "copy.db")
		before, during := moves.Load(), int64(0)
		done, err := sqldb.Copy(ctx, db.Path(), file, sqldb.CopyOptions{Gentle: gentle, Still: func() error {
			at := moves.Load()
			time.Sleep(20 * time.Millisecond)
			if now := moves.Load(); now > at+2 { // what was committed may just be counted
				t.Errorf("%d transactions ended while all should hold still", now-at)
			}
			return nil
		}})
		during = moves.Load() - before
		if err != nil || done.Bytes < 4_000_000 || done.Held < 20*time.Millisecond {
			t.Fatal(done, err)
		}
		if gentle && during < 10 {
			t.Errorf("only %d transactions while it was copied", during)
		}
		f, err := sqldb.OpenFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Check(ctx); err != nil {
			t.Error(err)
		}
		if sum, err := f.Value(ctx, "SELECT SUM(amount) || '' FROM purse"); err != nil || sum != fmt.Sprint(purses*amount) {
			t.Errorf("the copy's sum is %s, %v", sum, err)
		}
		f.Close()
		if left, _ := filepath.Glob(file + "?*"); len(left) > 0 {
			t.Errorf("beside the copy: %v", left)
		}
	}
	close(stop)
	writers.Wait()
	t.Run("what fails leaves nothing", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "copy.db")
		over, cancel := context.WithCancel(ctx)
		_, err := sqldb.Copy(over, db.Path(), file, sqldb.CopyOptions{Still: func() error { cancel(); return nil }})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := sqldb.Copy(ctx, filepath.Join(dir, "none.db"), file, sqldb.CopyOptions{}); err == nil {
			t.Error("copied a database that is not there")
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := db.Exec(ctx, "UPDATE purse SET amount = $1 WHERE n = $2", int64(1), int64(1)); err != nil {
			t.Errorf("the writer is not free: %v", err)
		}
	})
}
