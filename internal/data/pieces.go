package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// SQLite has one writer: who inserts 10,000 points at once lets everybody wait for 40 ms. So a body of more than wholeMost
// points is taken whole in one round, and inserted in pieces of at most pieceMost, between which the others have their
// turn; see the comment of this package.
const (
	wholeMost = 512
	pieceMost = 512
	largeCost = 150 // what taking a large body counts as in a round, in points: it writes a row for each piece
)

// piece is a part of a large body, in one chunk: a row of the table piece until its points are inserted.
type piece struct {
	chunkKey
	profileNo int64
	no        int64 // given when it is taken; see numbers
	points    []*Point
	packed    []byte // as they wait
}

// cut makes pieces of a large request, of about equal size in each chunk.
func (it *item) cut(most int) {
	it.large = true
	for i := range it.parts {
		p := &it.parts[i]
		n := (len(p.points) + most - 1) / most
		for points := range slices.Chunk(p.points, (len(p.points)+n-1)/n) {
			it.left = append(it.left, &piece{chunkKey: chunkKey{it.profile, it.device, p.start}, profileNo: it.profileNo, points: points, packed: pack(points)})
		}
	}
}

// unfinished are the large requests of this process that were taken and are not inserted yet.
type unfinished struct {
	mu    sync.Mutex
	items map[*item]bool
}

func (u *unfinished) add(it *item) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.items == nil {
		u.items = map[*item]bool{}
	}
	u.items[it] = true
}

func (u *unfinished) remove(it *item) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.items, it)
}

func (u *unfinished) list() []*item {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]*item, 0, len(u.items))
	for it := range u.items {
		out = append(out, it)
	}
	return out
}

// of finds the request that one with an Idempotency-Key repeats.
func (u *unfinished) of(again *item) *item {
	u.mu.Lock()
	defer u.mu.Unlock()
	for it := range u.items {
		if it.profile == again.profile && it.device == again.device && it.key == again.key {
			return it
		}
	}
	return nil
}

// finish inserts what is left of a large request, a piece in a round, and then tells of it. Whoever comes while another
// is at it waits for that one. It returns unavailable when a piece could not be inserted: then the rest waits for Finish.
func (s *Service) finish(ctx context.Context, it *item) error {
	it.working.Lock()
	defer it.working.Unlock()
	return s.insertLeft(ctx, it)
}

// insertLeft is finish for the one who is at it.
func (s *Service) insertLeft(ctx context.Context, it *item) error {
	if it.finished {
		return nil
	}
	for len(it.left) > 0 {
		crash.At("large body before a piece")
		if err := s.pieces.Submit(ctx, string(it.profile), len(it.left[0].points), it.left[0]); err != nil {
			return fault.New(fault.Unavailable, "The points are accepted, and will be stored when the database works again: do not send them again").Because(err)
		}
		crash.At("large body after a piece")
		it.left = it.left[1:]
	}
	it.finished = true
	s.unfinished.remove(it)
	there := slices.DeleteFunc(it.points, func(p Point) bool { return p.no == 0 }) // those whose chunk was detached meanwhile
	if len(there) > 0 {
		s.told(it, there)
	}
	return nil
}

// Finish inserts what an earlier process took and did not come to insert, and what failed in this one. It is to be
// called before requests are served, and now and then.
func (s *Service) Finish(ctx context.Context) error {
	for _, it := range s.unfinished.list() {
		if !it.working.TryLock() {
			continue // its request is at it
		}
		err := s.insertLeft(ctx, it)
		it.working.Unlock()
		if err != nil {
			return fmt.Errorf("finish a large body: %w", err)
		}
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	list, err := s.store.waiting(ctx, s.before)
	if err != nil {
		return fmt.Errorf("look for unfinished bodies: %w", err)
	}
	var damaged []error // those hold up nobody
	for _, w := range list {
		p, err := s.store.fetch(ctx, w)
		if errors.Is(err, errPacked) {
			damaged = append(damaged, fmt.Errorf("piece %d of profile %s, device %s: %w", w.no, w.profile, w.device, err))
			continue
		}
		if err != nil {
			return fmt.Errorf("read a piece of a large body: %w", err)
		}
		if p == nil {
			continue // its chunk was detached
		}
		crash.At("large body of before, before a piece")
		if err := s.pieces.Submit(ctx, string(p.profile), len(p.points), p); err != nil {
			return fmt.Errorf("finish a large body: %w", err)
		}
	}
	return errors.Join(damaged...)
}

// join is what a round does with pieces.
func (s *Service) join(ctx context.Context, pieces []*piece) ([]error, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return make([]error, len(pieces)), s.store.join(ctx, pieces)
}

// keep writes pieces down. Their points are counted in their chunks by the same transaction.
func (s *store) keep(ctx context.Context, pieces []*piece) error {
	for part := range slices.Chunk(pieces, 32) {
		args := make([]any, 0, 7*len(part))
		for _, p := range part {
			args = append(args, p.profile, p.device, p.start, p.no, p.profileNo, int64(len(p.points)), p.packed)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO piece (profile_id, device_id, start, no, profile_no, points, packed) VALUES `+sqldb.Rows(1, len(part), 7), args...); err != nil {
			return fmt.Errorf("keep a large body: %w", err)
		}
	}
	return nil
}

// join inserts the points of pieces that still wait, into the series that their chunks have now, under fresh numbers: so
// points lie in the order of inserting. Points of the others keep the number 0.
func (s *store) join(ctx context.Context, pieces []*piece) error {
	byKey := map[chunkKey]*want{}
	var wants []*want
	total := 0
	for _, p := range pieces {
		for _, q := range p.points {
			q.no = 0
		}
		n, err := s.db.Exec(ctx, `DELETE FROM piece WHERE profile_id = $1 AND device_id = $2 AND start = $3 AND no = $4`, p.profile, p.device, p.start, p.no)
		if err != nil {
			return fmt.Errorf("take a piece: %w", err)
		}
		if n == 0 {
			continue // its chunk was detached, and it with it
		}
		w := byKey[p.chunkKey]
		if w == nil {
			w = &want{chunkKey: p.chunkKey, profileNo: p.profileNo, most: math.MaxInt64}
			byKey[p.chunkKey] = w
			wants = append(wants, w)
		}
		w.points = append(w.points, p.points...)
		total += len(p.points)
	}
	if len(wants) == 0 {
		return nil
	}
	no := s.numbers.take(total)
	for _, w := range wants {
		for _, p := range w.points {
			p.no = no
			no += step
		}
		w.last = w.points[len(w.points)-1].no
	}
	// Nothing is counted a second time: this learns the epoch, locks the chunk and raises the last number.
	if err := s.room(ctx, wants, nil); err != nil {
		return err
	}
	there := wants[:0]
	for _, w := range wants {
		if w.granted {
			there = append(there, w)
			continue
		}
		for _, p := range w.points { // never, as long as chunks go with their pieces; nobody counts these
			p.no = 0
		}
	}
	return s.add(ctx, there)
}

// place of a piece among those that wait.
type waitingPiece struct {
	chunkKey
	no int64
}

// waiting lists the pieces that were taken before a number, oldest first, across profiles.
func (s *store) waiting(ctx context.Context, before int64) ([]waitingPiece, error) {
	return sqldb.All(ctx, s.db, func(r sqldb.Scanner) (w waitingPiece, err error) {
		return w, r.Scan(&w.profile, &w.device, &w.start, &w.no)
	}, `SELECT profile_id, device_id, start, no FROM piece WHERE no < $1 ORDER BY no`, before)
}

// fetch reads a piece; nil when it waits no more.
func (s *store) fetch(ctx context.Context, w waitingPiece) (*piece, error) {
	p := &piece{chunkKey: w.chunkKey, no: w.no}
	packed, ok, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (b []byte, err error) { return b, r.Scan(&p.profileNo, &b) },
		`SELECT profile_no, packed FROM piece WHERE profile_id = $1 AND device_id = $2 AND start = $3 AND no = $4`, w.profile, w.device, w.start, w.no)
	if err != nil || !ok {
		return nil, err
	}
	points, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	for i := range points {
		p.points = append(p.points, &points[i])
	}
	return p, nil
}

// waits is how many points of each chunk of a profile are counted and not inserted yet.
func (s *store) waits(ctx context.Context, p id.Profile) (map[chunkKey]int64, error) {
	type sum struct {
		chunkKey
		points int64
	}
	list, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x sum, err error) {
		x.profile = p
		return x, r.Scan(&x.device, &x.start, &x.points)
	}, `SELECT device_id, start, CAST(SUM(points) AS BIGINT) FROM piece WHERE profile_id = $1 GROUP BY device_id, start`, p)
	out := make(map[chunkKey]int64, len(list))
	for _, x := range list {
		out[x.chunkKey] = x.points
	}
	return out, err
}
