package sqldb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/kit/clock"
)

const (
	watchEvery = 250 * time.Millisecond
	trustFor   = time.Second // without a good read for so long, no cache is believed
	keepRows   = time.Minute // for processes that could not read meanwhile
	cleanEvery = 10 * time.Second
	cleanSlice = 256 // rows deleted at a time
)

// Changed says, inside the transaction that changes them, that what is cached under the keys is stale.
func (db *DB) Changed(ctx context.Context, kind string, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	const most = 500
	for len(keys) > 0 {
		part := keys[:min(most, len(keys))]
		keys = keys[len(part):]
		args := make([]any, 0, len(part)*3)
		at := clock.Millis(time.Now())
		for _, k := range part {
			args = append(args, at, kind, k)
		}
		if _, err := db.Exec(ctx, "INSERT INTO cache_change (at, kind, key) VALUES "+Rows(1, len(part), 3), args...); err != nil {
			return err
		}
		AfterCommit(ctx, func() {
			for _, k := range part {
				db.watch.drop(kind, k)
			}
		})
	}
	return nil
}

// watcher reads what other processes changed, each row about once however many there are: whatever was committed when it
// last looked lies below mark.
type watcher struct {
	db       *DB
	once     sync.Once
	lastGood atomic.Int64 // unix nanoseconds of the last read of cache_change
	mu       sync.Mutex
	caches   map[string][]dropper

	// Of the goroutine that reads.
	mark int64
	seen map[change]bool // rows not below mark that were read already
}

// dropper forgets a key. forget is drop of every key; it does nothing where no key means anything without its name.
type dropper interface {
	drop(key string)
	forget()
}

func newWatcher(db *DB) *watcher {
	return &watcher{db: db, caches: map[string][]dropper{}, seen: map[change]bool{}}
}

func (w *watcher) add(kind string, c dropper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caches[kind] = append(w.caches[kind], c)
}

func (w *watcher) drop(kind, key string) {
	w.mu.Lock()
	cs := w.caches[kind]
	w.mu.Unlock()
	for _, c := range cs {
		c.drop(key)
	}
}

func (w *watcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cs := range w.caches {
		for _, c := range cs {
			c.forget()
		}
	}
}

func (w *watcher) trusted() bool {
	return time.Now().UnixNano()-w.lastGood.Load() < int64(trustFor)
}

// start begins to watch; Migrate calls it once the table exists.
func (w *watcher) start() {
	w.once.Do(func() {
		w.read()
		w.db.background.Go(func() { w.every(watchEvery, w.read) })
		w.db.background.Go(func() {
			w.every(cleanEvery, func() { w.clean(time.Now().Add(-keepRows)) })
		})
	})
}

// every calls f until the database is closed.
func (w *watcher) every(d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-w.db.stop:
			return
		case <-tick.C:
			f()
		}
	}
}

type change struct {
	seq       int64
	kind, key string
}

// settled is a number below which no row will be committed any more: behind the last one where there is one writer, the
// oldest transaction that still writes where there are many.
func (w *watcher) settled(ctx context.Context) (int64, error) {
	q := "SELECT COALESCE(MAX(seq), 0) + 1 FROM cache_change"
	if w.db.engine == Postgres {
		q = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
	}
	n, _, err := One(ctx, w.db, Value[int64], q)
	return n, err
}

func (w *watcher) read() {
	ctx, cancel := context.WithTimeout(context.Background(), trustFor)
	defer cancel()
	began := time.Now()
	next, err := w.settled(ctx) // first: whatever ends between the two statements is read now or again
	if err == nil {
		err = w.readFrom(ctx, next)
	}
	if err != nil {
		w.db.log.Warn("database", "at", "reading cache changes", "error", err)
		return
	}
	if last := w.lastGood.Load(); last > 0 && began.UnixNano()-last > int64(keepRows/2) {
		w.forget() // rows may have been cleaned meanwhile
	}
	w.lastGood.Store(began.UnixNano())
}

func (w *watcher) readFrom(ctx context.Context, next int64) error {
	rows, err := All(ctx, w.db, func(r Scanner) (c change, err error) {
		return c, r.Scan(&c.seq, &c.kind, &c.key)
	}, "SELECT seq, kind, key FROM cache_change WHERE seq >= $1", w.mark)
	if err != nil {
		return err
	}
	seen := map[change]bool{}
	for _, c := range rows {
		if !w.seen[c] {
			w.drop(c.kind, c.key)
		}
		if c.seq >= next {
			seen[c] = true
		}
	}
	w.mark, w.seen = next, seen
	return nil
}

// clean deletes old rows, a few at a time, so that whoever writes next hardly waits.
func (w *watcher) clean(before time.Time) {
	ctx, cancel := context.WithTimeout(As(context.Background(), "cache changes"), cleanEvery)
	defer cancel()
	if err := w.cleanTo(ctx, clock.Millis(before)); err != nil {
		w.db.log.Warn("database", "at", "cleaning cache changes", "error", err)
	}
	if _, err := w.db.Exec(ctx, "DELETE FROM round WHERE at < $1", clock.Millis(before.Add(-time.Hour))); err != nil {
		w.db.log.Warn("database", "at", "cleaning rounds", "error", err)
	}
}

func (w *watcher) cleanTo(ctx context.Context, at int64) error {
	for {
		first, err := All(ctx, w.db, func(r Scanner) (c struct{ seq, at int64 }, err error) {
			return c, r.Scan(&c.seq, &c.at)
		}, "SELECT seq, at FROM cache_change ORDER BY seq LIMIT $1", int64(cleanSlice))
		if err != nil {
			return err
		}
		n := 0
		for n < len(first) && first[n].at < at {
			n++
		}
		if n == 0 {
			return nil
		}
		_, err = w.db.Exec(Cost(ctx, n), "DELETE FROM cache_change WHERE seq >= $1 AND seq <= $2 AND at < $3", first[0].seq, first[n-1].seq, at)
		if err != nil || n < cleanSlice {
			return err
		}
	}
}

// OnChange calls f for every key of a kind that Changed named: here when it commits, elsewhere within a second, and
// perhaps more than once. f must be quick. Call it before Migrate.
func (db *DB) OnChange(kind string, f func(key string)) { db.watch.add(kind, dropFunc(f)) }

type dropFunc func(key string)

func (f dropFunc) drop(key string) { f(key) }
func (f dropFunc) forget()         {}

// Cache keeps what load read, until Changed says that it is stale. Safe for concurrent use.
type Cache[V any] struct {
	db   *DB
	load func(ctx context.Context, key string) (V, error)
	max  int
	mu   sync.RWMutex
	m    map[string]V
	gen  uint64 // grows with every drop: a value read before a drop is not kept after it
}

// NewCache makes a cache of at most max values under a kind. load's errors are not cached.
func NewCache[V any](db *DB, kind string, max int, load func(ctx context.Context, key string) (V, error)) *Cache[V] {
	c := &Cache[V]{db: db, load: load, max: max, m: map[string]V{}}
	db.watch.add(kind, c)
	return c
}

// Get returns the value of key, from memory when it may be trusted. Inside a transaction it always loads,
// since the transaction may have changed what is cached.
func (c *Cache[V]) Get(ctx context.Context, key string) (V, error) {
	if txOf(ctx) != nil {
		return c.load(ctx, key)
	}
	c.mu.RLock()
	v, ok := c.m[key]
	gen := c.gen
	c.mu.RUnlock()
	if ok && c.db.watch.trusted() {
		return v, nil
	}
	v, err := c.load(ctx, key)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen == gen {
		if _, replaced := c.m[key]; !replaced && len(c.m) >= c.max {
			n := c.max/10 + 1
			for k := range c.m { // any tenth: no bookkeeping on the way that hits
				delete(c.m, k)
				if n--; n == 0 {
					break
				}
			}
		}
		c.m[key] = v
	}
	return v, nil
}

func (c *Cache[V]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, key)
	c.gen++
}

func (c *Cache[V]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
	c.gen++
}
