package data

import "sync"

// maxCachedSeries bounds the series whose numbers are kept in memory.
const maxCachedSeries = 500_000

// seriesCache remembers the series of chunks, so that storing into a known series reads nothing. It needs no
// news from other processes: an epoch stands for one set of series, whoever stores learns the chunk's epoch
// from the counter it raises, and an entry of another epoch is not used.
type seriesCache struct {
	mu    sync.Mutex
	most  int
	size  int
	known map[chunkKey]seriesEntry
}

type seriesEntry struct {
	epoch  int64
	series map[string]int64 // never changed once here
}

func newSeriesCache(most int) *seriesCache {
	return &seriesCache{most: most, known: map[chunkKey]seriesEntry{}}
}

// get sets to to the series of a chunk as they are at an epoch.
func (c *seriesCache) get(k chunkKey, epoch int64, to *map[string]int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[k]
	if !ok || e.epoch != epoch {
		return false
	}
	*to = e.series
	return true
}

// put remembers the series of a chunk at an epoch, once the transaction that knew them has committed.
func (c *seriesCache) put(k chunkKey, epoch int64, series map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.known[k]
	if ok && old.epoch == epoch {
		return
	}
	c.size += len(series) + 1
	if ok {
		c.size -= len(old.series) + 1
	}
	c.known[k] = seriesEntry{epoch, series}
	for other, e := range c.known {
		if c.size <= c.most {
			break
		}
		if other != k {
			delete(c.known, other)
			c.size -= len(e.series) + 1
		}
	}
}
