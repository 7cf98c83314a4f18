package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// TestStoreSuite says what a store must do, whatever lies behind it.
func TestStoreSuite(t *testing.T) {
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		var nextTag int64
		for name, f := range map[string]func(t *testing.T, a, b *shelf){
			"room is taken up to the most and given back":    suiteRoom,
			"a chunk is made only where its device is":       suiteDevice,
			"series are shared by stores that do not talk":   suiteSeries,
			"an error undoes everything":                     suiteUndo,
			"points are found in order, in pieces":           suiteFind,
			"detached points are gone at once, purged later": suiteDetach,
			"removing counts exactly and ends empty series":  suiteRemove,
			"wiping a profile leaves its neighbour alone":    suiteWipe,
			"the cache forgets when it is full":              suiteCache,
			"pieces are counted, and inserted once":          suitePieces,
		} {
			t.Run(name, func(t *testing.T) {
				// Two stores on one database, as two nodes have. Their clock stands still, so no two may number alike.
				p, no := id.New[id.Profile](), nextProfile.Add(1)
				one := func() *shelf {
					n := newNumbers(fixed(noon))
					n.tag = nextTag
					nextTag++
					return &shelf{newStore(db, n), t, p, no}
				}
				f(t, one(), one())
			})
		}
	})
}

var nextProfile = &people

// shelf is a store with a profile to try it with.
type shelf struct {
	*store
	t  *testing.T
	p  id.Profile
	no int64
}

var here = func(context.Context, id.Profile, id.Device) (bool, error) { return true, nil }

func (s *shelf) key(d id.Device, start int64) chunkKey { return chunkKey{s.p, d, start} }

// want is room for points of variables, at times 1, 2, 3, …
func (s *shelf) want(k chunkKey, variables ...string) *want {
	no := s.numbers.take(len(variables))
	w := &want{chunkKey: k, profileNo: s.no, n: int64(len(variables)), most: 100, first: no, last: no + int64(len(variables)-1)*step}
	for i, v := range variables {
		w.points = append(w.points, &Point{Variable: v, Time: int64(i + 1), Kind: Number, Num: float64(i), Group: "g", no: no + int64(i)*step})
	}
	return w
}

// put stores wants in a transaction and returns which were granted.
func (s *shelf) put(wants ...*want) (granted []bool) {
	s.t.Helper()
	err := s.db.Tx(context.Background(), func(ctx context.Context) error {
		if err := s.room(ctx, slices.Clone(wants), here); err != nil {
			return err
		}
		var ok []*want
		granted = nil
		for _, w := range wants {
			granted = append(granted, w.granted)
			if w.granted {
				ok = append(ok, w)
			}
		}
		return s.add(ctx, ok)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return granted
}

func (s *shelf) have(d id.Device) int64 {
	s.t.Helper()
	n, err := s.amount(context.Background(), s.p, d, math.MinInt64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// names lists the series of a device with the points that lie in them.
func (s *shelf) names(d id.Device) (out []string) {
	s.t.Helper()
	refs, err := s.refs(context.Background(), s.p, d, nil, math.MinInt64, math.MaxInt64)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range refs {
		n, err := s.count(context.Background(), sel{profileNo: s.no}, all(r.no))
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d/%s:%d", r.chunk, r.variable, n))
	}
	return out
}

func (s *shelf) expect(d id.Device, amount int64, names ...string) {
	s.t.Helper()
	if n := s.have(d); n != amount {
		s.t.Errorf("the device has %d points, want %d", n, amount)
	}
	if got := s.names(d); !slices.Equal(got, names) {
		s.t.Errorf("series are %v, want %v", got, names)
	}
}

func suiteRoom(t *testing.T, a, b *shelf) {
	d, e := id.New[id.Device](), id.New[id.Device]()
	full, small, other := a.want(a.key(d, 0), "a", "a", "a"), a.want(a.key(d, 5), "a", "b"), a.want(a.key(e, 0), "a")
	full.most = 3
	if got := a.put(full, small, other); !slices.Equal(got, []bool{true, true, true}) {
		t.Fatalf("granted %v", got)
	}
	over, more := b.want(b.key(d, 0), "a"), b.want(b.key(d, 5), "c")
	over.most = 3
	if got := b.put(over, more); !slices.Equal(got, []bool{false, true}) {
		t.Fatalf("granted %v", got)
	}
	a.expect(d, 6, "0/a:3", "5/a:1", "5/b:1", "5/c:1")
	a.expect(e, 1, "0/a:1")
	// Many chunks at once, and given back.
	var wants []*want
	for i := range 700 {
		wants = append(wants, a.want(a.key(e, int64(i)), "a"))
	}
	err := a.db.Tx(context.Background(), func(ctx context.Context) error {
		if err := a.room(ctx, wants, here); err != nil {
			return err
		}
		for _, w := range wants {
			if !w.granted {
				t.Errorf("chunk %d is not granted", w.start)
			}
		}
		return a.giveBack(ctx, wants)
	})
	if err != nil {
		t.Fatal(err)
	}
	a.expect(e, 1, "0/a:1")
	tooMuch := a.want(a.key(id.New[id.Device](), 0), "a", "a")
	tooMuch.most = 1
	if got := a.put(tooMuch); got[0] {
		t.Error("a first request beyond the most is granted")
	}
}

func suiteDevice(t *testing.T, a, _ *shelf) {
	w := a.want(a.key(id.New[id.Device](), 0), "a")
	err := a.db.Tx(context.Background(), func(ctx context.Context) error {
		return a.room(ctx, []*want{w}, func(context.Context, id.Profile, id.Device) (bool, error) { return false, nil })
	})
	if err != nil || w.granted || !w.gone {
		t.Fatalf("%v, granted %v, gone %v", err, w.granted, w.gone)
	}
	a.expect(w.device, 0)
}

func suiteSeries(t *testing.T, a, b *shelf) {
	d := id.New[id.Device]()
	a.put(a.want(a.key(d, 0), "a", "b"))
	b.put(b.want(b.key(d, 0), "b", "c"))
	a.put(a.want(a.key(d, 0), "c", "d", "d")) // a has not heard of c
	b.put(b.want(b.key(d, 0), "d", "a"))
	a.expect(d, 9, "0/a:2", "0/b:2", "0/c:2", "0/d:3")
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprintf("v%03d", i))
	}
	w := a.want(a.key(d, 7), many...)
	w.most = 1000
	a.put(w)
	if n := len(b.names(d)); n != 604 {
		t.Errorf("%d series, want 604", n)
	}
}

func suiteUndo(t *testing.T, a, _ *shelf) {
	d := id.New[id.Device]()
	stop := errors.New("stop")
	for range 2 {
		w := a.want(a.key(d, 0), "a")
		err := a.db.Tx(context.Background(), func(ctx context.Context) error {
			if err := a.room(ctx, []*want{w}, here); err != nil {
				return err
			}
			if err := a.add(ctx, []*want{w}); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		a.expect(d, 0)
	}
	a.put(a.want(a.key(d, 0), "a")) // nothing is remembered of what was undone
	a.expect(d, 1, "0/a:1")
}

func suiteFind(t *testing.T, a, _ *shelf) {
	ctx := context.Background()
	d := id.New[id.Device]()
	a.most = 4
	for range 3 { // times 1 to 10, each three times
		a.put(a.want(a.key(d, 0), slices.Repeat([]string{"a"}, 10)...))
	}
	refs, err := a.refs(ctx, a.p, d, []string{"a"}, 0, 0)
	if err != nil || len(refs) != 1 || refs[0].points != 30 {
		t.Fatal(refs, err)
	}
	series, q := refs[0].no, sel{profileNo: a.no}
	for _, desc := range []bool{false, true} {
		var read []Point
		pieces := 0
		err := a.windows(ctx, a.no, all(series), desc, false, func(piece span, full bool) (bool, error) {
			ps, err := a.pages(ctx, q, []span{piece}, desc, 100)
			if pieces++; full != (len(ps) == 4) || len(ps) > 4 {
				t.Errorf("a piece has %d points, full %v", len(ps), full)
			}
			if n, err := a.count(ctx, q, piece); err != nil || n != int64(len(ps)) {
				t.Errorf("a piece counts %d points and has %d, %v", n, len(ps), err)
			}
			read = append(read, ps...)
			return false, err
		})
		if err != nil || len(read) != 30 || pieces != 8 {
			t.Fatalf("%d points in %d pieces, %v", len(read), pieces, err)
		}
		for i := 1; i < len(read); i++ {
			x, y := read[i-1], read[i]
			if desc {
				x, y = y, x
			}
			if x.Time > y.Time || x.Time == y.Time && x.no >= y.no {
				t.Fatalf("desc %v: %d/%d before %d/%d", desc, x.Time, x.no, y.Time, y.no)
			}
		}
		// Any page of any part is the same part of the whole.
		for from := range 30 {
			for _, to := range []int{from + 1, from + 2, from + 7, 29} {
				if to > 29 || to <= from {
					continue
				}
				low, high := read[from], read[to]
				if desc {
					low, high = high, low
				}
				part := span{series, key{low.Time, low.no}, key{high.Time, high.no}}
				ps, err := a.pages(ctx, q, []span{part, {series: -5}}, desc, 3)
				if err != nil {
					t.Fatal(err)
				}
				want := read[from+1 : to]
				if !slices.Equal(ps, want[:min(3, len(want))]) {
					t.Fatalf("desc %v, %d to %d: %d points, want %d", desc, from, to, len(ps), min(3, len(want)))
				}
			}
		}
	}
	nos := []int64{}
	ps, _ := a.pages(ctx, q, []span{all(series)}, true, 2)
	for _, p := range ps {
		nos = append(nos, p.no)
	}
	if found, err := a.byNo(ctx, a.no, append(nos, -7, 12345)); err != nil || len(found) != 2 {
		t.Errorf("%d points by number, %v", len(found), err)
	}
	if found, err := a.byNo(ctx, a.no+1, nos); err != nil || len(found) != 0 {
		t.Errorf("%d points by number for another profile, %v", len(found), err)
	}
}

func suiteDetach(t *testing.T, a, b *shelf) {
	ctx := context.Background()
	d, e := id.New[id.Device](), id.New[id.Device]()
	a.put(a.want(a.key(d, 0), "a", "b"), a.want(a.key(d, 9), "a"), a.want(a.key(e, 0), "a"))
	b.put(b.want(b.key(d, 0), "a")) // b knows the series now
	detach := func(d id.Device, starts []int64, want int64) {
		t.Helper()
		err := a.db.Tx(ctx, func(ctx context.Context) error {
			n, err := a.detach(ctx, a.p, d, starts)
			if n != want {
				t.Errorf("%d points detached, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	detach(d, []int64{0, 4}, 3)
	a.expect(d, 1, "9/a:1")
	b.put(b.want(b.key(d, 0), "a", "a")) // into a series of the same name, not the one b knew
	a.expect(d, 3, "0/a:2", "9/a:1")
	detach(d, nil, 3)
	detach(d, nil, 0)
	detach(d, []int64{}, 0)
	a.expect(d, 0)
	a.expect(e, 1, "0/a:1")
	var purged int64
	for {
		n, more, err := b.purge(ctx)
		if err != nil {
			t.Fatal(err)
		}
		purged += n
		if !more {
			break
		}
	}
	if purged != 6 {
		t.Errorf("%d points purged, want 6", purged)
	}
	a.expect(e, 1, "0/a:1")
}

func suiteRemove(t *testing.T, a, b *shelf) {
	ctx := context.Background()
	d, e := id.New[id.Device](), id.New[id.Device]()
	w, foreign := a.want(a.key(d, 0), "a", "a", "b"), a.want(a.key(e, 0), "a")
	a.put(w, foreign)
	b.put(b.want(b.key(d, 0), "b")) // b knows the series
	remove := func(want int64, nos ...int64) {
		t.Helper()
		err := a.db.Tx(ctx, func(ctx context.Context) error {
			if _, there, err := a.lock(ctx, a.key(d, 0)); err != nil || !there {
				return fmt.Errorf("no chunk: %w", err)
			}
			n, err := a.remove(ctx, a.key(d, 0), a.no, nos)
			if n != want {
				t.Errorf("%d removed, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	remove(0, foreign.points[0].no, 99)
	remove(1, w.points[0].no, w.points[0].no, foreign.points[0].no)
	a.expect(d, 3, "0/a:1", "0/b:2")
	remove(1, w.points[1].no)
	a.expect(d, 2, "0/b:2")
	b.put(b.want(b.key(d, 0), "a")) // the series that b knew has ended
	a.expect(d, 3, "0/a:1", "0/b:2")
	a.expect(e, 1, "0/a:1")
}

func suiteWipe(t *testing.T, a, b *shelf) {
	ctx := context.Background()
	b.p, b.no = id.New[id.Profile](), nextProfile.Add(1)
	d, e := id.New[id.Device](), id.New[id.Device]()
	for i := range 4 {
		a.put(a.want(a.key(d, int64(i)), slices.Repeat([]string{"a"}, 100)...))
	}
	b.put(b.want(b.key(e, 0), "a", "b"))
	for i := 0; ; i++ {
		done, err := a.wipe(ctx, a.p, a.no)
		if err != nil || i > 20 {
			t.Fatal(i, err)
		}
		if done {
			break
		}
	}
	a.expect(d, 0)
	b.expect(e, 2, "0/a:1", "0/b:1")
	var n int
	if err := a.db.QueryRow(ctx, `SELECT COUNT(*) FROM point WHERE profile_no = $1`, a.no).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d points are left, %v", n, err)
	}
}

func suiteCache(t *testing.T, a, _ *shelf) {
	a.cache = newSeriesCache(20)
	d := id.New[id.Device]()
	for round := range 3 {
		for i := range 10 {
			a.put(a.want(a.key(d, int64(i)), "a", "b", fmt.Sprint("c", round)))
		}
		if a.cache.size > 20 {
			t.Fatalf("the cache holds %d", a.cache.size)
		}
	}
	if n := a.have(d); n != 90 {
		t.Errorf("%d points, want 90", n)
	}
	if got := a.names(d)[:5]; !slices.Equal(got, []string{"0/a:3", "0/b:3", "0/c0:1", "0/c1:1", "0/c2:1"}) {
		t.Errorf("series are %v", got)
	}
}

func suitePieces(t *testing.T, a, b *shelf) {
	ctx := context.Background()
	d := id.New[id.Device]()
	a.put(a.want(a.key(d, 0), "a"))
	// Six points are counted in two chunks, and wait as three pieces.
	w, v := a.want(a.key(d, 0), "a", "b", "c", "a"), a.want(a.key(d, 9), "a", "a")
	part := func(w *want, from, to int) *piece {
		ps := w.points[from:to]
		return &piece{chunkKey: w.chunkKey, profileNo: a.no, no: ps[0].no, points: ps, packed: pack(ps)}
	}
	pieces := []*piece{part(w, 0, 2), part(w, 2, 4), part(v, 0, 2)}
	tx := func(f func(ctx context.Context) error) {
		t.Helper()
		if err := a.db.Tx(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	tx(func(ctx context.Context) error {
		if err := a.room(ctx, []*want{w, v}, here); err != nil {
			return err
		}
		return a.keep(ctx, pieces)
	})
	a.expect(d, 7, "0/a:1")
	waits := func(want ...int64) {
		t.Helper()
		got, err := b.waits(ctx, a.p)
		if err != nil || got[w.chunkKey] != want[0] || got[v.chunkKey] != want[1] {
			t.Errorf("%v wait, want %v, %v", got, want, err)
		}
	}
	waits(4, 2)
	var mine []waitingPiece
	list, err := b.waiting(ctx, math.MaxInt64)
	for _, w := range list {
		if w.profile == a.p {
			mine = append(mine, w)
		}
	}
	if err != nil || len(mine) != 3 || mine[0].no != pieces[0].no || mine[2].start != 9 {
		t.Fatal(mine, err)
	}
	got, err := b.fetch(ctx, mine[1])
	if err != nil || len(got.points) != 2 || got.points[0].Variable != "c" || got.points[1].Num != 3 || got.points[0].Time != 3 {
		t.Fatal(got, err)
	}
	for range 2 { // once is enough
		tx(func(ctx context.Context) error { return b.join(ctx, []*piece{got}) })
		b.expect(d, 7, "0/a:2", "0/c:1")
		waits(2, 2)
	}
	if none, err := b.fetch(ctx, mine[1]); none != nil || err != nil {
		t.Error(none, err)
	}
	tx(func(ctx context.Context) error {
		n, err := a.detach(ctx, a.p, d, []int64{9})
		if n != 2 {
			t.Errorf("%d detached", n)
		}
		return err
	})
	waits(2, 0)
	tx(func(ctx context.Context) error { return a.join(ctx, pieces) })
	waits(0, 0)
	a.expect(d, 5, "0/a:3", "0/b:1", "0/c:1")
}
