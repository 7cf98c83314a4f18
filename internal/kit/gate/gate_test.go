package gate

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/kit/fault"
)

func enter(t *testing.T, g *Gate, tenant string, cost int) Pass {
	t.Helper()
	p, err := g.Enter(context.Background(), tenant, cost)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// waits starts a caller that must not get in, and returns a channel that tells when it does.
func waits(t *testing.T, g *Gate, tenant string, cost int) chan Pass {
	t.Helper()
	in := make(chan Pass, 1)
	go func() {
		if p, err := g.Enter(context.Background(), tenant, cost); err == nil {
			in <- p
		}
	}()
	synctest.Wait()
	select {
	case <-in:
		t.Fatalf("%s got in", tenant)
	default:
	}
	return in
}

func got(t *testing.T, in chan Pass) Pass {
	t.Helper()
	synctest.Wait()
	select {
	case p := <-in:
		return p
	default:
		t.Fatal("still waiting")
		return Pass{}
	}
}

func TestGate(t *testing.T) {
	t.Run("a tenant that holds its share waits for itself, another does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Each: 10})
			a := enter(t, g, "a", 6)
			in := waits(t, g, "a", 5)
			b := enter(t, g, "b", 10)
			a.Leave()
			c := got(t, in)
			b.Leave()
			c.Leave()
			if len(g.lines) != 0 || g.used != 0 {
				t.Fatalf("%d tenants hold %d units", len(g.lines), g.used)
			}
		})
	})
	t.Run("a few passes are let in whatever they cost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Each: 10, Least: 2})
			a, b := enter(t, g, "a", 50), enter(t, g, "a", 50)
			in := waits(t, g, "a", 1)
			a.Leave()
			c := got(t, in)
			c.Leave()
			b.Leave()
		})
	})
	t.Run("tenants take turns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Total: 1, Each: 1})
			first := enter(t, g, "a", 1)
			a1, a2 := waits(t, g, "a", 1), waits(t, g, "a", 1)
			b := waits(t, g, "b", 1)
			first.Leave()
			p := got(t, a1)
			p.Leave()
			p = got(t, b)
			p.Leave()
			p = got(t, a2)
			p.Leave()
		})
	})
	t.Run("who is alone for a second may have more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Each: 1, Alone: 3})
			a := enter(t, g, "a", 1)
			in := waits(t, g, "a", 1)
			time.Sleep(2 * quiet)
			a.Leave()
			p, q, r := got(t, in), enter(t, g, "a", 1), enter(t, g, "a", 1)
			b := enter(t, g, "b", 1)
			p.Leave()
			late := waits(t, g, "a", 1)
			q.Leave()
			r.Leave()
			b.Leave()
			last := got(t, late)
			last.Leave()
		})
	})
	t.Run("who gives up stands in nobody's way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Each: 10})
			a := enter(t, g, "a", 8)
			ctx, cancel := context.WithCancel(context.Background())
			var err error
			go func() { _, err = g.Enter(ctx, "a", 9) }()
			synctest.Wait()
			in := waits(t, g, "a", 2)
			cancel()
			b := got(t, in)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("gave up with %v", err)
			}
			a.Leave()
			b.Leave()
			b.Leave()
			if g.used != 0 {
				t.Fatalf("%d units are held by nobody", g.used)
			}
		})
	})
	t.Run("a line has an end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New(Config{Each: 1, Wait: 1})
			a := enter(t, g, "a", 1)
			in := waits(t, g, "a", 1)
			if _, err := g.Enter(context.Background(), "a", 1); !fault.Is(err, fault.Unavailable) {
				t.Fatalf("the second in line heard %v", err)
			}
			a.Leave()
			b := got(t, in)
			b.Leave()
		})
	})
}

func TestTry(t *testing.T) {
	g := New(Config{Total: 2, Each: 2})
	p, in := g.Try("a", 2)
	if !in {
		t.Fatal("an empty gate is full")
	}
	if _, in := g.Try("b", 1); in {
		t.Fatal("a full gate let somebody in")
	}
	p.Leave()
	if q, in := g.Try("b", 1); !in {
		t.Fatal("what was given back is not there")
	} else {
		q.Leave()
	}
	if len(g.lines) != 0 {
		t.Fatalf("%d lines are left", len(g.lines))
	}
}

func TestGateNeverHoldsMore(t *testing.T) {
	g := New(Config{Total: 8, Each: 4, Wait: 10_000})
	var all sync.WaitGroup
	var held, most atomic.Int64
	var of [4]atomic.Int64
	for i := range 64 {
		all.Go(func() {
			tenant := i % 4
			for n := range 200 {
				cost := 1 + (i+n)%3
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+n%5)*time.Millisecond)
				p, err := g.Enter(ctx, string(rune('a'+tenant)), cost)
				cancel()
				if err != nil {
					continue
				}
				now := held.Add(int64(cost))
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				if mine := of[tenant].Add(int64(cost)); mine > 4 {
					t.Errorf("tenant %d holds %d", tenant, mine)
				}
				of[tenant].Add(int64(-cost))
				held.Add(int64(-cost))
				p.Leave()
			}
		})
	}
	all.Wait()
	if most.Load() > 8 {
		t.Errorf("%d units were held at once", most.Load())
	}
	if g.used != 0 || len(g.lines) != 0 || len(g.turn) != 0 {
		t.Errorf("left behind: %d units, %d tenants, %d in turn", g.used, len(g.lines), len(g.turn))
	}
}
