package dashboard

import (
	"context"
	"slices"
	"strings"
	"sync"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// owner names a dashboard in memory.
type owner struct {
	profile   id.Profile
	dashboard id.Dashboard
}

// access is when a dashboard was asked for, in UTC milliseconds.
type access struct {
	owner
	at int64
}

// seen are accesses not written yet.
type seen struct {
	mu      sync.Mutex
	m, last map[owner]int64 // last: those of the writing before, for who read the database before they were committed
}

func (t *seen) note(a access) {
	t.mu.Lock()
	t.m[a.owner] = max(t.m[a.owner], a.at)
	t.mu.Unlock()
}

// over puts what memory knows over what the database knew.
func (t *seen) over(d *Dashboard) {
	t.mu.Lock()
	d.LastAccess = max(d.LastAccess, t.m[owner{d.Profile, d.ID}], t.last[owner{d.Profile, d.ID}])
	t.mu.Unlock()
}

func (t *seen) drop(o owner) {
	t.mu.Lock()
	delete(t.m, o)
	delete(t.last, o)
	t.mu.Unlock()
}

func (t *seen) take() []access {
	t.mu.Lock()
	t.m, t.last = make(map[owner]int64, len(t.m)), t.m
	out := make([]access, 0, len(t.last))
	for o, at := range t.last {
		out = append(out, access{o, at})
	}
	t.mu.Unlock()
	// In the order of their keys, so that two nodes never wait for each other.
	slices.SortFunc(out, func(a, b access) int {
		if c := strings.Compare(string(a.profile), string(b.profile)); c != 0 {
			return c
		}
		return strings.Compare(string(a.dashboard), string(b.dashboard))
	})
	return out
}

// Flush writes when dashboards were last asked for; what cannot be written is kept for the next time.
func (s *Service) Flush(ctx context.Context) error {
	all := s.seen.take()
	for len(all) > 0 {
		n := min(flushRows, len(all))
		if err := s.writeAccesses(sqldb.As(ctx, ""), all[:n]); err != nil {
			for _, a := range all {
				s.seen.note(a)
			}
			return err
		}
		all = all[n:]
	}
	return nil
}
