// Package gate shares something scarce among tenants: slots for requests in flight, memory for bodies, processors for
// long reads. A Gate lets whoever comes pass at once while there is room; else its callers wait, each tenant in a line
// of its own, and the lines are served in turn. So a tenant that wants much waits for itself, and one that wants
// little waits for one turn at most.
package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"paddock/internal/kit/fault"
)

// Config is the size of a gate. Units are what the caller counts in.
type Config struct {
	Total int // units that all tenants hold together; 0 is without end
	Each  int // units that one tenant holds
	Alone int // units that a tenant holds while for a second nobody else came; 0 is Each
	Least int // passes that a tenant may hold whatever they cost; at least 1
	Wait  int // callers of a tenant that may wait; 0 is 1,000. Further ones are refused
}

// quiet is how long nobody else must have come for a tenant to count as alone.
const quiet = time.Second

// Gate is safe for use by many goroutines.
type Gate struct {
	cfg Config

	mu     sync.Mutex
	used   int
	lines  map[string]*line
	turn   []*line   // those with somebody waiting, next in turn first
	last   string    // the tenant that came last
	change time.Time // when it was another's turn to come
}

// line is a tenant that holds something or waits.
type line struct {
	tenant string
	used   int // units
	passes int
	wait   []*waiter
	listed bool
}

type waiter struct {
	cost    int
	granted bool
	ready   chan struct{}
}

// New makes a gate.
func New(cfg Config) *Gate {
	cfg.Least = max(cfg.Least, 1)
	cfg.Alone = max(cfg.Alone, cfg.Each)
	if cfg.Wait == 0 {
		cfg.Wait = 1000
	}
	return &Gate{cfg: cfg, lines: map[string]*line{}}
}

// Pass is what Enter gives. The zero Pass holds nothing.
type Pass struct {
	g    *Gate
	l    *line
	cost int
}

// come notes that a tenant asks, takes what it asks for if that is there and nobody of it waits, and gives its line.
func (g *Gate) come(tenant string, cost int) (l *line, in bool) {
	if tenant != g.last {
		g.last, g.change = tenant, time.Now()
	}
	l = g.lines[tenant]
	if l == nil {
		l = &line{tenant: tenant}
		g.lines[tenant] = l
	}
	if len(l.wait) > 0 || !g.fits(l, cost) {
		return l, false
	}
	l.used += cost
	l.passes++
	g.used += cost
	return l, true
}

// Try is Enter for those who do not wait: false means no.
func (g *Gate) Try(tenant string, cost int) (Pass, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, in := g.come(tenant, cost)
	if !in {
		g.forget(l)
		return Pass{}, false
	}
	return Pass{g, l, cost}, true
}

// Enter takes cost units for a tenant, waiting as long as they are not there. It returns unavailable when too many
// of the tenant wait already, and the context's error when it ends first.
func (g *Gate) Enter(ctx context.Context, tenant string, cost int) (Pass, error) {
	g.mu.Lock()
	l, in := g.come(tenant, cost)
	if in {
		g.mu.Unlock()
		return Pass{g, l, cost}, nil
	}
	if len(l.wait) >= g.cfg.Wait {
		g.mu.Unlock()
		return Pass{}, fault.New(fault.Unavailable, "Too many requests of yours are waiting; try again").After(time.Second)
	}
	w := &waiter{cost: cost, ready: make(chan struct{})}
	l.wait = append(l.wait, w)
	if !l.listed {
		l.listed = true
		g.turn = append(g.turn, l)
	}
	g.mu.Unlock()
	select {
	case <-w.ready:
		return Pass{g, l, cost}, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.granted {
		g.leave(l, cost)
	} else {
		l.wait = slices.DeleteFunc(l.wait, func(x *waiter) bool { return x == w })
		g.grant() // who stood behind may want less
		g.forget(l)
	}
	return Pass{}, ctx.Err()
}

// Leave gives back what Enter took. Once is enough, and more does no harm.
func (p *Pass) Leave() {
	if p.g == nil {
		return
	}
	p.g.mu.Lock()
	p.g.leave(p.l, p.cost)
	p.g.mu.Unlock()
	p.g = nil
}

func (g *Gate) leave(l *line, cost int) {
	l.used -= cost
	l.passes--
	g.used -= cost
	g.grant()
	g.forget(l)
}

// forget drops a line that nobody stands in.
func (g *Gate) forget(l *line) {
	if l.passes == 0 && len(l.wait) == 0 && g.lines[l.tenant] == l {
		delete(g.lines, l.tenant)
	}
}

// fits says whether a tenant may take cost more units. Something always fits, or it would wait for ever.
func (g *Gate) fits(l *line, cost int) bool {
	if g.cfg.Total > 0 && g.used > 0 && g.used+cost > g.cfg.Total {
		return false
	}
	each := g.cfg.Each
	if g.cfg.Alone > each && len(g.lines) == 1 && time.Since(g.change) > quiet {
		each = g.cfg.Alone
	}
	return l.passes < g.cfg.Least || l.used+cost <= each
}

// grant lets in whom there is room for, a tenant after the other.
func (g *Gate) grant() {
	for refused := 0; refused < len(g.turn); {
		l := g.turn[0]
		g.turn = g.turn[1:]
		if len(l.wait) > 0 && !g.fits(l, l.wait[0].cost) {
			g.turn = append(g.turn, l)
			refused++
			continue
		}
		if len(l.wait) > 0 {
			w := l.wait[0]
			l.wait[0] = nil
			l.wait = l.wait[1:]
			l.used += w.cost
			l.passes++
			g.used += w.cost
			w.granted = true
			close(w.ready)
			refused = 0
		}
		if len(l.wait) == 0 {
			l.listed = false
			continue
		}
		g.turn = append(g.turn, l)
	}
}
