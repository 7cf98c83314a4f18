package profile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"paddock/internal/audit"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
)

// Bounds of searches in a process.
const (
	logWait       = time.Second      // that an answer is waited for before it is Running
	logTime       = 30 * time.Second // that a search may take
	logKeep       = 5 * time.Minute  // that an answer can be asked for again
	logPerProfile = 2                // searches and downloads of a profile at once
	logAtOnce     = 4                // searches that read at once; others wait
	logBytes      = 4 << 20          // of text in an answer; the rest is for the next
	logMemory     = 32 << 20         // of text in kept answers
	logKept       = 1000             // answers kept
)

// searches are those of one process: under way, and answered lately. A kept answer may be dropped at any time, since
// its question is in the id of the query.
type searches struct {
	wait   time.Duration
	keep   func(now time.Time) time.Time
	sealer *seal.Sealer
	turns  chan struct{}

	ctx   context.Context // of all searches
	end   context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	busy    map[id.Profile]int
	known   map[string]*running
	order   []string // of known, those that ended first in front
	bytes   int      // of text in kept answers
}

// running is a search that was begun. found and err are there when done is closed.
type running struct {
	done  chan struct{}
	found found
	err   error
	ended time.Time
}

// found is what a search has found.
type found struct {
	status  LogStatus
	entries []audit.Entry
	bytes   int
	scanned int64
	read    int64
	next    string
}

func newSearches() *searches {
	key := make([]byte, seal.KeySize)
	rand.Read(key)
	sealer, err := seal.Parse(hex.EncodeToString(key))
	if err != nil {
		panic(err)
	}
	l := &searches{wait: logWait, sealer: sealer, turns: make(chan struct{}, logAtOnce), busy: map[id.Profile]int{}, known: map[string]*running{}}
	l.keep = func(now time.Time) time.Time { return now.AddDate(0, -6, 0) } // DefaultKeep
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

var (
	tooManySearches = fault.New(fault.TooMany, "%d searches in the audit log of this profile are under way; try again when one has ended", logPerProfile).After(time.Second)
	searchesStopped = fault.New(fault.Unavailable, "The server is stopping")
)

// begin returns the search of a query, which it starts unless it is known.
func (l *searches) begin(p id.Profile, query string, work func(ctx context.Context) (found, error)) (*running, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.known[query]; ok {
		return r, nil
	}
	if err := l.enter(p); err != nil {
		return nil, err
	}
	r := &running{done: make(chan struct{})}
	l.known[query] = r
	l.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, logTime)
		defer cancel()
		select {
		case l.turns <- struct{}{}:
			r.found, r.err = work(ctx)
			<-l.turns
		case <-ctx.Done():
			r.err = fault.New(fault.Unavailable, "Too many searches are under way; try again").After(time.Second)
		}
		l.ended(p, query, r)
	})
	return r, nil
}

// enter counts a search or download of a profile; leave when it has ended. The lock is held.
func (l *searches) enter(p id.Profile) error {
	if l.stopped {
		return searchesStopped
	}
	if l.busy[p] >= logPerProfile {
		return tooManySearches
	}
	l.busy[p]++
	return nil
}

// leave is the opposite of enter. The lock is held.
func (l *searches) leave(p id.Profile) {
	if l.busy[p]--; l.busy[p] == 0 {
		delete(l.busy, p)
	}
}

// ended keeps an answer, and drops old ones. One that failed is not kept: whoever asks again has it tried again.
func (l *searches) ended(p id.Profile, query string, r *running) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(p)
	if r.err != nil {
		delete(l.known, query)
	} else {
		r.ended = time.Now()
		l.order = append(l.order, query)
		l.bytes += r.found.bytes
	}
	l.drop()
	close(r.done)
}

// drop forgets answers that are old, and the oldest while they are too many or too large. The lock is held.
func (l *searches) drop() {
	for len(l.order) > 0 {
		first := l.known[l.order[0]]
		if l.bytes <= logMemory && len(l.order) <= logKept && time.Since(first.ended) < logKeep {
			return
		}
		l.bytes -= first.found.bytes
		delete(l.known, l.order[0])
		l.order = l.order[1:]
	}
}

// tidy drops what nobody may ask for any more.
func (l *searches) tidy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

// stop ends all searches and waits for their end.
func (l *searches) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.end()
	l.tasks.Wait()
}

// search reads step by step until the question's limit, the end of its range, the bytes of an answer or its time.
func search(ctx context.Context, q question, step func(ctx context.Context, f audit.Filter, most int) (audit.Part, error)) (found, error) {
	out := found{status: LogComplete, entries: []audit.Entry{}}
	f := q.filter()
	for {
		part, err := step(ctx, f, q.Limit-len(out.entries))
		if ctx.Err() == context.DeadlineExceeded {
			out.status, out.next = LogTimeout, f.After
			return out, nil
		}
		if err != nil {
			return found{}, err
		}
		out.entries = append(out.entries, part.Entries...)
		out.bytes += part.Bytes
		out.scanned += part.Scanned
		out.read += part.Read
		switch {
		case part.Done:
			return out, nil
		case len(out.entries) >= q.Limit, out.bytes >= logBytes:
			out.next = part.Last
			return out, nil
		}
		f.After = part.Last
	}
}
