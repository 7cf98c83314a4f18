// Package job runs what must happen now and then: purges, alerts, expiries.
//
// Every runs a job once per interval in the whole installation: the nodes share a row of job_lease for each
// name, the one that takes it when it is due runs the job and holds the lease, renewed while it works. When
// that node dies the lease runs out and another node takes over. EachNode runs a job on every node, for
// what lives in a node's memory.
//
// A job may be cut short at any time (its context ends on Stop, or when its lease was lost) and may run
// again at once on another node, so it must be safe to repeat. A panic is logged and costs that run only.
package job

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

// DefaultLease is how long a node that died keeps its jobs from the others.
const DefaultLease = 30 * time.Second

const (
	shortPoll = 50 * time.Millisecond
	longPoll  = 2 * time.Second
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the table of leases.
func Migrations() sqldb.Source { return sqldb.Source{Room: "job", FS: migrations} }

// Runner runs the jobs of one node. Make it with New, name the jobs, then Start it.
type Runner struct {
	db    *sqldb.DB
	clock clock.Clock
	log   *slog.Logger
	node  string
	lease time.Duration

	mu      sync.Mutex
	jobs    []task
	started bool
	cancel  context.CancelFunc
	running sync.WaitGroup
}

type task struct {
	name     string
	interval time.Duration
	do       func(ctx context.Context) error
	local    bool
}

// New makes a runner for this node. A nil log is slog.Default().
func New(db *sqldb.DB, clk clock.Clock, log *slog.Logger) *Runner {
	if log == nil {
		log = slog.Default()
	}
	return &Runner{db: db, clock: clk, log: log, node: rand.Text(), lease: DefaultLease}
}

// Lease changes how long a lease lasts unrenewed. Call it before Start.
func (r *Runner) Lease(d time.Duration) { r.lease = d }

// Forget drops all leases: in a database that was restored from a backup their holders are gone, and every job is due.
func (r *Runner) Forget(ctx context.Context) error {
	_, err := r.db.Exec(ctx, "DELETE FROM job_lease")
	return err
}

// Every names a job that one node runs per interval, the first time soon after Start. It panics on a name
// used twice, on an interval that is not positive, and after Start.
func (r *Runner) Every(name string, interval time.Duration, do func(ctx context.Context) error) {
	r.add(task{name: name, interval: interval, do: do})
}

// EachNode names a job that every node runs per interval, the first time one interval after Start.
func (r *Runner) EachNode(name string, interval time.Duration, do func(ctx context.Context) error) {
	r.add(task{name: name, interval: interval, do: do, local: true})
}

func (r *Runner) add(t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || t.interval <= 0 {
		panic("job: " + t.name + ": named after Start, or without an interval")
	}
	for _, other := range r.jobs {
		if other.name == t.name {
			panic("job: " + t.name + " is named twice")
		}
	}
	r.jobs = append(r.jobs, t)
}

// Start begins to run the jobs, each in a goroutine of its own, until ctx ends or Stop.
func (r *Runner) Start(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started {
		return
	}
	r.started = true
	ctx, r.cancel = context.WithCancel(ctx)
	for _, t := range r.jobs {
		if t.local {
			r.running.Go(func() { r.tick(ctx, t) })
		} else {
			r.running.Go(func() { r.loop(ctx, t) })
		}
	}
}

// Stop ends the context of running jobs and waits until they have returned. Leases are given back.
func (r *Runner) Stop() {
	r.mu.Lock()
	cancel := r.cancel
	r.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	r.running.Wait()
}

func (r *Runner) tick(ctx context.Context, t task) {
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.run(ctx, t)
		}
	}
}

func (r *Runner) loop(ctx context.Context, t task) {
	for {
		wait, err := r.turn(ctx, t)
		if err != nil && ctx.Err() == nil {
			r.log.Error("job", "name", t.name, "at", "lease", "error", err)
			wait = longPoll
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(wait, shortPoll), longPoll)):
		}
	}
}

type leaseRow struct{ heldUntil, nextAt int64 }

func scanLease(s sqldb.Scanner) (l leaseRow, err error) {
	return l, s.Scan(&l.heldUntil, &l.nextAt)
}

// turn runs the job if it is due and free, and says how long nothing will change. It only reads when there
// is nothing to do.
func (r *Runner) turn(ctx context.Context, t task) (time.Duration, error) {
	now := clock.Millis(r.clock.Now())
	l, found, err := sqldb.One(ctx, r.db, scanLease, "SELECT held_until, next_at FROM job_lease WHERE name = $1", t.name)
	if err != nil {
		return 0, err
	}
	if !found {
		// Whoever is first makes the row; it is due at once.
		if _, err := r.db.Exec(ctx, "INSERT INTO job_lease (name, holder, held_until, next_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", t.name, "", int64(0), now); err != nil {
			return 0, err
		}
	}
	if busy := max(l.heldUntil, l.nextAt); busy > now {
		return time.Duration(busy-now) * time.Millisecond, nil
	}
	n, err := r.db.Exec(ctx, "UPDATE job_lease SET holder = $1, held_until = $2 WHERE name = $3 AND held_until <= $4 AND next_at <= $5",
		r.node, now+r.lease.Milliseconds(), t.name, now, now)
	if err != nil || n == 0 {
		return 0, err
	}
	r.leased(ctx, t)
	// The next run is counted from this one's start; a run longer than the interval is followed at once. It
	// is written even when ctx has ended, so that another node may go on.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPoll)
	defer cancel()
	next := now + t.interval.Milliseconds()
	if ctx.Err() != nil {
		next = now // cut short: not done
	}
	_, err = r.db.Exec(after, "UPDATE job_lease SET held_until = $1, next_at = $2 WHERE name = $3 AND holder = $4", int64(0), next, t.name, r.node)
	return time.Duration(next-clock.Millis(r.clock.Now())) * time.Millisecond, err
}

// leased runs the job and keeps the lease alive meanwhile. A lost lease ends the job's context.
func (r *Runner) leased(ctx context.Context, t task) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		every := time.NewTicker(r.lease / 3)
		defer every.Stop()
		renewed := time.Now()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-every.C:
			}
			n, err := r.db.Exec(ctx, "UPDATE job_lease SET held_until = $1 WHERE name = $2 AND holder = $3",
				clock.Millis(r.clock.Now())+r.lease.Milliseconds(), t.name, r.node)
			switch {
			case err == nil && n == 1:
				renewed = time.Now()
			case err == nil || time.Since(renewed) > r.lease:
				r.log.Warn("job", "name", t.name, "at", "lease lost", "error", err)
				cancel()
				return
			}
		}
	})
	r.run(ctx, t)
	close(done)
	cancel()
	renewing.Wait()
}

// run does the job once and contains what goes wrong.
func (r *Runner) run(ctx context.Context, t task) {
	began := time.Now()
	err := contain(ctx, t)
	switch {
	case err == nil:
		r.log.Debug("job", "name", t.name, "took", time.Since(began))
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
	default:
		r.log.Error("job", "name", t.name, "took", time.Since(began), "error", err)
	}
}

func contain(ctx context.Context, t task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.do(ctx)
}
