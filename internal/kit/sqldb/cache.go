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
	trustFor   = time.Second      // without a good read for so long, no cache is believed
	lookBack   = 10 * time.Second // a transaction may commit this long after it wrote its row
	keepRows   = time.Minute
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
		args := make([]any, 0, len(part)*4)
		at := clock.Millis(time.Now())
		for _, k := range part {
			args = append(args, roundID(), at, kind, k)
		}
		if _, err := db.Exec(ctx, "INSERT INTO cache_change (id, at, kind, key) VALUES "+Rows(1, len(part), 4), args...); err != nil {
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

// watcher reads what other processes changed.
type watcher struct {
	db       *DB
	once     sync.Once
	lastGood atomic.Int64 // unix nanoseconds of the last read of cache_change
	mu       sync.Mutex
	caches   map[string][]dropper
	seen     map[string]int64
}

type dropper interface{ drop(key string) }

func newWatcher(db *DB) *watcher {
	return &watcher{db: db, caches: map[string][]dropper{}, seen: map[string]int64{}}
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

func (w *watcher) trusted() bool {
	return time.Now().UnixNano()-w.lastGood.Load() < int64(trustFor)
}

// start begins to watch; Migrate calls it once the table exists.
func (w *watcher) start() {
	w.once.Do(func() {
		w.read()
		w.db.background.Go(func() {
			tick := time.NewTicker(watchEvery)
			defer tick.Stop()
			clean := time.Now()
			for {
				select {
				case <-w.db.stop:
					return
				case <-tick.C:
				}
				w.read()
				if time.Since(clean) > keepRows {
					clean = time.Now()
					w.clean()
				}
			}
		})
	})
}

type change struct {
	id, kind, key string
	at            int64
}

func (w *watcher) read() {
	ctx, cancel := context.WithTimeout(context.Background(), trustFor)
	defer cancel()
	began := time.Now()
	since := clock.Millis(began.Add(-lookBack))
	rows, err := All(ctx, w.db, func(r Scanner) (c change, err error) {
		return c, r.Scan(&c.id, &c.at, &c.kind, &c.key)
	}, "SELECT id, at, kind, key FROM cache_change WHERE at > $1", since)
	if err != nil {
		w.db.log.Warn("database", "at", "reading cache changes", "error", err)
		return
	}
	for _, c := range rows {
		w.mu.Lock()
		_, known := w.seen[c.id]
		w.seen[c.id] = c.at
		w.mu.Unlock()
		if !known {
			w.drop(c.kind, c.key)
		}
	}
	w.mu.Lock()
	for id, at := range w.seen {
		if at <= since {
			delete(w.seen, id)
		}
	}
	w.mu.Unlock()
	w.lastGood.Store(began.UnixNano())
}

func (w *watcher) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	before := clock.Millis(time.Now().Add(-keepRows))
	if _, err := w.db.Exec(ctx, "DELETE FROM cache_change WHERE at < $1", before); err != nil {
		w.db.log.Warn("database", "at", "cleaning cache changes", "error", err)
		return
	}
	if _, err := w.db.Exec(ctx, "DELETE FROM round WHERE at < $1", clock.Millis(time.Now().Add(-time.Hour))); err != nil {
		w.db.log.Warn("database", "at", "cleaning rounds", "error", err)
	}
}

// OnChange calls f for every key of a kind that Changed named: here when it commits, elsewhere within a second, and
// perhaps more than once. f must be quick. Call it before Migrate.
func (db *DB) OnChange(kind string, f func(key string)) { db.watch.add(kind, dropFunc(f)) }

type dropFunc func(key string)

func (f dropFunc) drop(key string) { f(key) }

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
