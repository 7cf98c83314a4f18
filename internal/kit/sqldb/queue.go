package sqldb

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/kit/fault"
)

// The queue's shape (design: the ingest path). A round gives every waiting tenant quantum; one that is alone gets
// loneQuantum, since it delays nobody: alone means that for a while (quiet) nobody else came, for whoever comes while
// a large round runs waits for all of it. A round ends at maxRound so that commits stay short. A tenant that comes
// with nothing in the queue stands before those that are behind with their work, unless these were not reached in
// maxOver rounds: then whoever is there stands before whoever comes, or tenants that come again after each answer
// would keep them waiting for ever.
const (
	quantum     = 300
	loneQuantum = 3000
	maxRound    = 1500
	quiet       = time.Second
	maxOver     = 2
	maxLine     = 20_000  // jobs of one tenant that may wait
	maxQueue    = 100_000 // jobs that may wait in all
	committers  = 2       // PostgreSQL: rounds under way at once
)

// job is one unit of a round: a transaction of its own (fn) or an item of a batch.
type job struct {
	tenant string
	cost   int
	ctx    context.Context
	fn     func(ctx context.Context) error // nil for batch items
	batch  batcher
	item   any

	state atomic.Int32 // waiting, running or abandoned
	err   error
	panic any
	after []func()
	done  chan struct{}
}

const (
	waiting int32 = iota
	running
	abandoned
)

// batcher is what the queue knows of a Batch[T].
type batcher interface {
	run(ctx context.Context, jobs []*job) error // sets each job's err; an error undoes all of them
}

// line is one tenant's jobs in order of arrival.
type line struct {
	tenant  string
	jobs    []*job
	deficit int
	took    int  // what its jobs in the round cost that is under way
	busy    bool // a committer works on it
	listed  bool // stands in queue.turn
}

// queue hands out rounds by deficit round robin over tenants.
type queue struct {
	mu     sync.Mutex
	wake   *sync.Cond
	lines  map[string]*line
	turn   []*line   // tenants with jobs, next in turn first
	fresh  int       // how many of turn, from its start, stand before those that are behind
	over   int       // rounds since one of the others was reached
	last   string    // the tenant that came last
	change time.Time // when another came
	total  int
	closed bool
	load   load
}

func newQueue() *queue {
	q := &queue{lines: map[string]*line{}}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// do queues j and waits for its round. A context that ends before the round begins takes the job back.
func (q *queue) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	if err := q.put(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		<-j.done // it is running: its outcome is the truth
	}
	if j.panic != nil {
		panic(j.panic)
	}
	if j.err == nil {
		for _, f := range j.after {
			f()
		}
	}
	return j.err
}

func (q *queue) put(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fault.New(fault.Unavailable, "The server is shutting down").After(5 * time.Second)
	}
	if j.tenant != q.last {
		q.last, q.change = j.tenant, time.Now()
	}
	l := q.lines[j.tenant]
	if l == nil {
		l = &line{tenant: j.tenant}
		q.lines[j.tenant] = l
	}
	if len(l.jobs) >= maxLine || q.total >= maxQueue {
		return fault.New(fault.Unavailable, "Too many writes are waiting; try again").After(time.Second)
	}
	l.jobs = append(l.jobs, j)
	q.total++
	if !l.listed && !l.busy {
		l.listed = true
		q.turn = slices.Insert(q.turn, q.fresh, l)
		q.fresh++
	}
	q.wake.Signal()
	return nil
}

// next waits for work and takes a round. Its tenants are busy until release. nil means closed and empty.
func (q *queue) next() (round []*job, lines []*line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.turn) == 0 {
			if q.closed && q.total == 0 {
				q.wake.Broadcast()
				return nil, nil
			}
			q.wake.Wait()
		}
		round, lines = q.draw()
		if len(round) > 0 {
			return round, lines
		}
	}
}

// draw makes one pass over the tenants in turn. A job dearer than the tenant's deficit waits for passes to
// come; when a pass yields nothing, next makes another at once.
func (q *queue) draw() (round []*job, lines []*line) {
	share, budget := quantum, maxRound
	if len(q.turn) == 1 && time.Since(q.change) > quiet {
		share, budget = loneQuantum, loneQuantum
	}
	pass, fresh := len(q.turn), q.fresh
	reached := 0
	var keep []*line
	for ; reached < pass && budget > 0; reached++ {
		l := q.turn[0]
		q.turn = q.turn[1:]
		q.fresh = max(0, q.fresh-1)
		l.deficit += share
		took := false
		l.took = 0
		for len(l.jobs) > 0 && l.jobs[0].cost <= l.deficit {
			j := l.jobs[0]
			l.jobs[0] = nil
			l.jobs = l.jobs[1:]
			q.total--
			if !j.state.CompareAndSwap(waiting, running) {
				continue // its caller went away
			}
			l.deficit -= j.cost
			budget -= j.cost
			l.took += j.cost
			round = append(round, j)
			took = true
		}
		switch {
		case took:
			l.busy, l.listed = true, false
			lines = append(lines, l)
		case len(l.jobs) > 0:
			keep = append(keep, l)
		default:
			l.listed = false
			delete(q.lines, l.tenant)
		}
	}
	q.turn = append(q.turn, keep...)
	if q.over++; fresh == pass || reached > fresh {
		q.over = 0
	} else if q.over >= maxOver {
		q.over, q.fresh = 0, len(q.turn)
	}
	return round, lines
}

// release gives the tenants of a round that took so long back to the queue.
func (q *queue) release(lines []*line, spent time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.load.add(lines, spent, time.Now())
	for _, l := range lines {
		l.busy = false
		if len(l.jobs) == 0 {
			l.deficit = 0 // an idle tenant saves nothing up
			delete(q.lines, l.tenant)
			continue
		}
		l.listed = true
		q.turn = append(q.turn, l)
	}
	q.wake.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake.Broadcast()
}

// Waiting is how many writes stand in the queue, for metrics.
func (db *DB) Waiting() int {
	db.queue.mu.Lock()
	defer db.queue.mu.Unlock()
	return db.queue.total
}

// finish wakes the callers of a round. err is the round's fate: nil when it was committed.
func finish(round []*job, err error) {
	for _, j := range round {
		if err != nil && j.err == nil {
			j.err = err
		}
		close(j.done)
	}
}

// Batch gathers items of one kind and writes those of a round together.
type Batch[T any] struct {
	db   *DB
	name string
	do   func(ctx context.Context, items []T) ([]error, error)
}

// NewBatch makes a batch. do runs inside the round's transaction with the items in order of arrival and
// returns one error for each (nil: written; else: refused, and do has written nothing for it). A second
// error undoes everything do wrote and is every item's answer. do may run twice for the same items.
func NewBatch[T any](db *DB, name string, do func(ctx context.Context, items []T) ([]error, error)) *Batch[T] {
	return &Batch[T]{db: db, name: name, do: do}
}

// Submit queues an item in the tenant's line and waits until it is committed or refused. cost is in points.
func (b *Batch[T]) Submit(ctx context.Context, tenant string, cost int, item T) error {
	if txOf(ctx) != nil {
		panic("sqldb: " + b.name + ": a batch item inside a transaction would wait for itself")
	}
	return b.db.queue.do(ctx, &job{tenant: tenant, cost: max(cost, 1), ctx: ctx, batch: b, item: item})
}

func (b *Batch[T]) run(ctx context.Context, jobs []*job) error {
	items := make([]T, len(jobs))
	for i, j := range jobs {
		items[i] = j.item.(T)
	}
	errs, err := b.do(ctx, items)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.err = errs[i]
	}
	return nil
}

// byBatch splits a round into transactions of their own and the batches with their items.
func byBatch(round []*job) (single []*job, batches []batcher, items map[batcher][]*job) {
	items = map[batcher][]*job{}
	for _, j := range round {
		if j.batch == nil {
			single = append(single, j)
			continue
		}
		if _, ok := items[j.batch]; !ok {
			batches = append(batches, j.batch)
		}
		items[j.batch] = append(items[j.batch], j)
	}
	return single, batches, items
}
