package limit

import (
	"context"
	"errors"
	"slices"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
)

const (
	minuteMS  = int64(time.Minute / time.Millisecond)
	leasePart = 100 // a lease is this part of what remains
)

// counter is what this node knows of a row.
type counter struct {
	lock chan struct{} // holds one token when free

	minute  int64 // since 1970
	taken   int64 // what the row said last, by all nodes; 0 when it was not asked in this minute
	left    int64 // of that, leased here and not spent
	fullAt  int64 // the row had no more under this limit; 0 when it has
	refused bool  // somebody was refused in this minute
	dead    bool  // no longer in the map: look again
}

func (c *counter) unlock() { c.lock <- struct{}{} }

// used is how many requests of the minute have passed, as far as this node knows.
func (c *counter) used() int64 { return c.taken - c.left }

// turn begins the minute of now, unless the counter is in it or, by a clock that stepped back, just ahead of it.
func (c *counter) turn(now int64) {
	m := now / minuteMS
	if c.minute == m || c.minute == m+1 {
		return
	}
	c.minute, c.taken, c.left, c.fullAt, c.refused = m, 0, 0, 0, false
}

// need is a unit of one rate.
type need struct {
	key
	limit  int64
	policy string // its name in headers
	limits limitName
}

// limitName says whose limit it is, for people.
type limitName struct {
	name  string
	scope string
	hint  string
}

// state is what a rate looks like after a request.
type state struct {
	used, minute int64
}

// take takes a unit of each need, or of none. refused is the index of the need that has no unit, else -1; first
// says that it is the first refusal of that counter in its minute. A caller gives needs in one order, the hard rate before the
// soft one, which no two requests can lock crosswise.
func (s *Service) take(ctx context.Context, needs []need, states []state) (refused int, first bool, err error) {
	var held [2]*counter
	n := 0
	defer func() {
		for i := range n {
			held[i].unlock()
		}
	}()
	refused = -1
	for i := range needs {
		c, err := s.counterOf(ctx, needs[i].key)
		if err != nil {
			return -1, false, err
		}
		held[i] = c
		n++
		c.turn(s.now())
		ok, err := s.ready(ctx, c, &needs[i])
		if err != nil {
			return -1, false, err
		}
		states[i] = state{min(c.used(), needs[i].limit), c.minute}
		if !ok {
			states[i].used = needs[i].limit
			first, c.refused = !c.refused, true
			refused = i
			return refused, first, nil
		}
	}
	for i := range n {
		held[i].left--
		states[i].used = held[i].used()
	}
	return -1, false, nil
}

// ready makes sure that a locked counter has a unit under the limit, by a new lease when it has none left.
func (s *Service) ready(ctx context.Context, c *counter, d *need) (bool, error) {
	if c.used() >= d.limit {
		return false, nil
	}
	if c.left > 0 {
		return true, nil
	}
	if c.fullAt >= d.limit {
		return false, nil
	}
	for _, units := range []int64{max(1, (d.limit-c.taken)/leasePart), 1} {
		r := request{key: d.key, minute: c.minute, n: units, allowed: d.limit}
		if err := s.batch.Submit(sqldb.As(ctx, d.profile), string(d.profile), 1, &r); err != nil {
			return false, err
		}
		if r.granted {
			crash.At("rate leased, not spent")
			c.minute, c.taken, c.left, c.fullAt = r.minute, r.taken, units, 0
			return true, nil
		}
		if units == 1 {
			break
		}
	}
	c.fullAt = d.limit
	return false, nil
}

// counterOf locks the counter of a key, making one when there is none.
func (s *Service) counterOf(ctx context.Context, k key) (*counter, error) {
	for {
		s.mu.RLock()
		c := s.counters[k]
		s.mu.RUnlock()
		if c == nil {
			s.mu.Lock()
			if c = s.counters[k]; c == nil {
				c = &counter{lock: make(chan struct{}, 1)}
				c.lock <- struct{}{}
				s.counters[k] = c
			}
			s.mu.Unlock()
		}
		select {
		case <-c.lock:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !c.dead {
			return c, nil
		}
		c.unlock()
	}
}

// Tidy forgets counters of minutes that are over. Run it every minute or so on every node.
func (s *Service) Tidy(context.Context) error {
	m := s.now() / minuteMS
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.counters {
		select {
		case <-c.lock: // else it is in use
			if c.minute < m || c.minute > m+1 {
				c.dead = true
				delete(s.counters, k)
			}
			c.unlock()
		default:
		}
	}
	return nil
}

// anew forgets what this node counted and leased of a profile. A request that holds a counter this moment goes on with it.
func (s *Service) anew(p id.Profile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.counters {
		if k.profile == p {
			delete(s.counters, k)
		}
	}
}

// Forget deletes what the database keeps of minutes that are over, across profiles. Run it now and then on one node.
func (s *Service) Forget(ctx context.Context) error {
	for {
		n, err := s.forget(sqldb.As(ctx, ""), s.now()/minuteMS-10)
		if n == 0 || err != nil {
			return err
		}
	}
}

// Stop gives back what this node has leased and not spent, and writes the refusals that wait. Admit may be called
// again afterwards.
func (s *Service) Stop(ctx context.Context) error {
	return errors.Join(s.stopLeases(ctx), s.TellRefusals(ctx))
}

func (s *Service) stopLeases(ctx context.Context) error {
	s.mu.RLock()
	keys := make([]key, 0, len(s.counters))
	for k := range s.counters {
		keys = append(keys, k)
	}
	s.mu.RUnlock()
	slices.SortFunc(keys, key.compare)
	for part := range slices.Chunk(keys, maxRows) {
		if err := s.stopSome(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) stopSome(ctx context.Context, keys []key) error {
	var held []*counter
	defer func() {
		for _, c := range held {
			c.unlock()
		}
	}()
	var back []request
	for _, k := range keys {
		c, err := s.counterOf(ctx, k)
		if err != nil {
			return err
		}
		if c.left == 0 {
			c.unlock()
			continue
		}
		held = append(held, c)
		back = append(back, request{key: k, minute: c.minute, n: c.left})
	}
	if len(back) == 0 {
		return nil
	}
	if err := s.giveBack(sqldb.As(ctx, ""), back); err != nil {
		return err
	}
	for _, c := range held {
		c.taken, c.left = c.taken-c.left, 0
	}
	return nil
}

// used is what each counter of a profile that was asked in this minute has let pass, by name.
func (s *Service) used(ctx context.Context, p id.Profile) (map[string]int64, error) {
	out, err := s.taken(ctx, p, s.now()/minuteMS)
	if err != nil {
		return nil, err
	}
	for name := range out {
		s.mu.RLock()
		_, there := s.counters[key{p, name}]
		s.mu.RUnlock()
		if !there {
			continue
		}
		c, err := s.counterOf(ctx, key{p, name})
		if err != nil {
			return nil, err
		}
		if c.turn(s.now()); c.taken > 0 {
			out[name] = max(c.used(), out[name]-c.left)
		}
		c.unlock()
	}
	return out, nil
}
