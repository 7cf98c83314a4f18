package web

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"paddock/internal/kit/fault"
)

// A flood of requests that are refused costs its sender nothing and everybody else processor time. So once a server
// has its hands full, whoever was refused many times in a moment hears of further refusals a little later. One who
// sends a request at a time, however many are wrong, never notices.
const (
	holdBusy   = 16                     // requests in progress from which a server is busy
	holdMoment = 100 * time.Millisecond // in which
	holdFrom   = 25                     // refusals of a tenant are answered at once
	holdMost   = 256                    // answers to a tenant that wait at once; further ones do not
)

// holds counts refusals by tenant.
type holds struct {
	mu sync.Mutex
	by map[string]*held
}

type held struct {
	moment  int64
	refused int // in moment
	waiting int
}

// enter counts a refusal and says whether its answer shall wait; leave must be called then.
func (h *holds) enter(tenant string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	moment := now.UnixNano() / int64(holdMoment)
	t := h.by[tenant]
	if t == nil {
		if len(h.by) >= 1000 { // forget those that behave again
			for k, old := range h.by {
				if old.waiting == 0 && old.moment != moment {
					delete(h.by, k)
				}
			}
		}
		t = &held{}
		h.by[tenant] = t
	}
	if t.moment != moment {
		t.moment, t.refused = moment, 0
	}
	t.refused++
	if t.refused <= holdFrom && t.waiting == 0 || t.waiting >= holdMost {
		return false
	}
	t.waiting++
	return true
}

func (h *holds) leave(tenant string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by[tenant].waiting--
}

// holdBack makes a refusal wait if it is one of a flood.
func (x *exchange) holdBack(f *fault.Error) {
	if status := f.Status(); status < 400 || status >= 500 || x.s.open.Load() < holdBusy {
		return
	}
	tenant := x.tenant()
	if !x.s.holds.enter(tenant, time.Now()) {
		return
	}
	defer x.s.holds.leave(tenant)
	wait(x.r.Context(), holdMoment/2+rand.N(3*holdMoment/2))
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
