package sqldb

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// loadMinutes is how many clock minutes of Load are kept.
const loadMinutes = 10

// load says whom rounds worked for: the time of each round is shared among its tenants by what their jobs cost. It is
// guarded by the queue's mutex. A round costs it one addition for each of its tenants.
type load struct {
	minutes [loadMinutes]loadMinute
}

type loadMinute struct {
	minute int64 // of the clock, since 1970
	spent  map[string]time.Duration
}

// add shares a round that has just ended.
func (l *load) add(lines []*line, spent time.Duration, now time.Time) {
	cost := 0
	for _, x := range lines {
		cost += x.took
	}
	if cost == 0 {
		return
	}
	minute := now.Unix() / 60
	m := &l.minutes[minute%loadMinutes]
	if m.minute != minute || m.spent == nil {
		m.minute, m.spent = minute, map[string]time.Duration{}
	}
	for _, x := range lines {
		m.spent[x.tenant] += spent * time.Duration(x.took) / time.Duration(cost)
	}
}

// Load is how long rounds of this process worked for a tenant.
type Load struct {
	Tenant string
	Spent  time.Duration
}

// Loads are the tenants that rounds worked for since the start of the clock minute that began minutes-1 before the present one,
// at most ten, the greatest first; and how long that is ago. On PostgreSQL rounds are batches only: other transactions stand
// in no queue there.
func (db *DB) Loads(minutes int) (loads []Load, window time.Duration) {
	now := time.Now()
	from := now.Unix()/60 - int64(min(minutes, loadMinutes)) + 1
	sums := map[string]time.Duration{}
	db.queue.mu.Lock()
	for _, m := range db.queue.load.minutes {
		if m.minute >= from {
			for t, d := range m.spent {
				sums[t] += d
			}
		}
	}
	db.queue.mu.Unlock()
	loads = make([]Load, 0, len(sums))
	for t, d := range sums {
		loads = append(loads, Load{t, d})
	}
	slices.SortFunc(loads, func(a, b Load) int { return cmp.Or(cmp.Compare(b.Spent, a.Spent), strings.Compare(a.Tenant, b.Tenant)) })
	return loads, now.Sub(time.Unix(from*60, 0))
}
