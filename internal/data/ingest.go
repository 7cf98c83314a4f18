package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/usage"
)

const (
	mutableMost = 50_000    // points of a mutable device
	chunkMost   = 1_000_000 // points of a chunk of an immutable device
	keepKeys    = 24 * time.Hour
)

// item is a request on its way through a round.
type item struct {
	profile   id.Profile
	profileNo int64
	device    id.Device
	points    []Point
	parts     []part
	most      int64  // points that each of its chunks may hold
	full      error  // what to answer when one is full
	key       string // of the Idempotency-Key header, "" for none
	body      string // hash of the body, with key
	repeated  bool   // set by the round: the answer is that of an earlier request
	stored    int64  // set by the round: points in the answer
	first     int64  // set by the round: the smallest number of its points or pieces, …
	last      int64  // … and the largest

	large    bool       // it is inserted in pieces (pieces.go)
	working  sync.Mutex // held by whoever inserts them; it guards left and finished
	left     []*piece
	finished bool
}

// part is the points of a request that fall into one chunk.
type part struct {
	start  int64
	points []*Point
}

func (it *item) n() int64 { return int64(len(it.points)) }

func (it *item) wants() []*want {
	ws := make([]*want, len(it.parts))
	for i, p := range it.parts {
		ws[i] = &want{
			chunkKey: chunkKey{it.profile, it.device, p.start}, profileNo: it.profileNo, n: int64(len(p.points)), most: it.most,
			first: it.first, last: it.last,
		}
		if !it.large {
			ws[i].points = slices.Clone(p.points)
		}
	}
	return ws
}

// Store decodes a body and stores its points: all of them or none. key is the client's Idempotency-Key, ""
// for none: a request that carries one is answered as before when it comes again within a day, and stores
// nothing then. It returns how many points were stored. Faults: Invalid naming the member; forbidden for an
// inactive device or a paused profile; limit_reached when input, data_records or the device is full; conflict
// for a key that came with another body.
func (s *Service) Store(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, body []byte, key string) (int, error) {
	it, err := s.take(ctx, who, p, d, body, key)
	if err != nil {
		return 0, err
	}
	large := it
	if it.repeated {
		large = s.unfinished.of(it)
	}
	if large != nil && large.large {
		if err := s.finish(context.WithoutCancel(ctx), large); err != nil { // who goes away now has sent it all the same
			return 0, err
		}
	}
	crash.At("points before acknowledgement")
	return int(it.stored), nil
}

// take is Store up to where the points are accepted, and stored unless they are many.
func (s *Service) take(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, body []byte, key string) (*item, error) {
	view, err := s.devices.View(ctx, who, p, d)
	if err != nil {
		return nil, err
	}
	if !view.Active {
		return nil, fault.New(fault.Forbidden, "Device not found or inactive")
	}
	if err := s.usage.CheckActive(ctx, p); err != nil {
		return nil, err
	}
	if err := web.CheckIdempotencyKey(key); err != nil {
		return nil, err
	}
	now := s.clock.Now().UnixMilli()
	points, err := decodePoints(body, now)
	if err != nil {
		return nil, err
	}
	it := &item{profile: p, profileNo: view.ProfileNo, device: d, points: points, key: key}
	if key != "" {
		sum := sha256.Sum256(body)
		it.body = hex.EncodeToString(sum[:16])
	}
	if err := s.place(it, view, now, many(body)); err != nil {
		return nil, err
	}
	cost := len(points)
	if cost > s.wholeMost {
		it.cut(s.pieceMost)
		cost = largeCost
	}
	return it, s.ingest.Submit(ctx, string(p), cost, it)
}

// many tells a list from a single object.
func many(body []byte) bool {
	for _, c := range body {
		if c > ' ' {
			return c == '['
		}
	}
	return false
}

// deviceFull is the detail of a refusal by a device or chunk that can hold no more than most points.
func deviceFull(most int64, hint string) fault.Limit {
	return fault.Limit{Limit: "points", Scope: "device", Used: float64(most), Allowed: float64(most), Hint: hint}
}

// place sorts the points into the chunks of the device.
func (s *Service) place(it *item, v device.View, now int64, many bool) error {
	if v.Type == device.Mutable {
		it.most = s.mutableMost
		it.full = fault.New(fault.LimitReached, "The device has reached the limit of %d data registers", it.most).With(deviceFull(it.most, "Delete points of the device."))
		one := part{points: make([]*Point, len(it.points))}
		for i := range it.points {
			one.points[i] = &it.points[i]
		}
		it.parts = []part{one}
		return nil
	}
	it.most = s.chunkMost
	it.full = fault.New(fault.LimitReached, "The chunk has reached the limit of %d data registers", it.most).With(deviceFull(it.most, "Points of another period still fit; or choose a shorter chunk_period."))
	from, to := window(v, now)
	at := map[int64]int{}
	for i := range it.points {
		p := &it.points[i]
		if p.Time < from || p.Time > to {
			field := "time"
			if many {
				field = fmt.Sprintf("[%d].time", i)
			}
			return outOfWindow(field, from, to)
		}
		start := periodStart(v.ChunkPeriod, p.Time)
		k, ok := at[start]
		if !ok {
			k = len(it.parts)
			at[start] = k
			it.parts = append(it.parts, part{start: start})
		}
		it.parts[k].points = append(it.parts[k].points, p)
	}
	return nil
}

// round stores the items of one round. All that fits is stored with a few statements for everybody; where a
// profile's sum does not fit, or a chunk's, the requests of that profile are judged one by one in order of
// arrival. An item is judged by input, data_records and its chunks together and before anything of it is
// written, so a refusal leaves no trace and moves nobody else.
func (s *Service) round(ctx context.Context, items []*item) ([]error, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	errs := make([]error, len(items))
	live, followers, err := s.claim(ctx, items, errs)
	if err != nil {
		return nil, err
	}
	s.number(items, live)

	granted := map[chunkKey]*want{}
	contested, err := s.together(ctx, items, live, granted)
	if err != nil {
		return nil, err
	}
	if len(contested) > 0 {
		if err := s.oneByOne(ctx, items, live, contested, granted, errs); err != nil {
			return nil, err
		}
	}
	wants := make([]*want, 0, len(granted))
	for _, w := range granted {
		if len(w.points) > 0 {
			wants = append(wants, w)
		}
	}
	if len(wants) > 0 {
		slices.SortFunc(wants, func(a, b *want) int { return a.compare(b.chunkKey) })
		if err := s.store.add(ctx, wants); err != nil {
			return nil, err
		}
	}
	var pieces []*piece
	for _, i := range live {
		if errs[i] == nil && items[i].large {
			pieces = append(pieces, items[i].left...)
		}
	}
	if err := s.store.keep(ctx, pieces); err != nil {
		return nil, err
	}
	for i, leader := range followers {
		errs[i], items[i].repeated, items[i].stored = errs[leader], true, items[leader].stored
	}
	if err := s.unclaim(ctx, items, live, errs); err != nil {
		return nil, err
	}
	sqldb.AfterCommit(ctx, func() {
		for _, i := range live {
			if errs[i] != nil {
				continue
			}
			if it := items[i]; it.large {
				s.unfinished.add(it)
			} else {
				s.told(it, it.points)
			}
		}
	})
	return errs, nil
}

// number gives the points of a round their numbers, and the pieces of large requests theirs: those points get their own
// when they are inserted.
func (s *Service) number(items []*item, live []int) {
	total := 0
	for _, i := range live {
		if items[i].large {
			total += len(items[i].left)
		} else {
			total += len(items[i].points)
		}
	}
	if total == 0 {
		return
	}
	no := s.store.numbers.take(total)
	for _, i := range live {
		it := items[i]
		it.stored, it.first = it.n(), no
		if it.large {
			for _, p := range it.left {
				p.no = no
				no += step
			}
		} else {
			for j := range it.points {
				it.points[j].no = no
				no += step
			}
		}
		it.last = no - step
	}
}

// told says that points are stored and can be read.
func (s *Service) told(it *item, points []Point) {
	s.devices.Touch(it.profile, it.device, true, false)
	for _, f := range s.onStored {
		f(it.profile, it.device, points)
	}
}

// together takes room and units for everybody at once. It returns the profiles whose sum did not fit, for
// which nothing is taken, and adds the others' chunks to granted.
func (s *Service) together(ctx context.Context, items []*item, live []int, granted map[chunkKey]*want) (map[id.Profile]bool, error) {
	byKey := map[chunkKey]*want{}
	var wants []*want
	for _, i := range live {
		for _, w := range items[i].wants() {
			sum := byKey[w.chunkKey]
			if sum == nil {
				byKey[w.chunkKey] = w
				wants = append(wants, w)
				continue
			}
			sum.n += w.n
			sum.first, sum.last = min(sum.first, w.first), max(sum.last, w.last)
			sum.points = append(sum.points, w.points...)
		}
	}
	if err := s.store.room(ctx, wants, s.devices.Present); err != nil {
		return nil, err
	}
	contested := map[id.Profile]bool{}
	sums := map[id.Profile]int64{}
	for _, w := range wants {
		sums[w.profile] += w.n
		if !w.granted {
			contested[w.profile] = true
		}
	}
	takes := make([]usage.IngestTake, 0, len(sums))
	for p, n := range sums {
		if !contested[p] {
			takes = append(takes, usage.IngestTake{Profile: p, Input: n, Records: n})
		}
	}
	slices.SortFunc(takes, func(a, b usage.IngestTake) int { return strings.Compare(string(a.Profile), string(b.Profile)) })
	if len(takes) > 0 {
		var by []usage.DeviceInput
		for _, w := range wants { // which come by profile and device
			if contested[w.profile] {
				continue
			}
			if n := len(by); n > 0 && by[n-1].Device == w.device && by[n-1].Profile == w.profile {
				by[n-1].Input += w.n
				continue
			}
			by = append(by, usage.DeviceInput{Profile: w.profile, Device: w.device, Input: w.n})
		}
		ok, err := s.usage.TakeIngest(ctx, takes, by...)
		if err != nil {
			return nil, err
		}
		for i, t := range takes {
			if !ok[i] {
				contested[t.Profile] = true
			}
		}
	}
	var back []*want
	for _, w := range wants {
		switch {
		case !contested[w.profile]:
			granted[w.chunkKey] = w
		case w.granted:
			back = append(back, w)
		}
	}
	return contested, s.store.giveBack(ctx, back)
}

// oneByOne judges the requests of contested profiles in order of arrival.
func (s *Service) oneByOne(ctx context.Context, items []*item, live []int, contested map[id.Profile]bool, granted map[chunkKey]*want, errs []error) error {
	// What was refused once is refused again to all who ask for as much, as long as nobody else makes room.
	spent := map[id.Profile]int64{}
	full := map[chunkKey]int64{}
	said := map[usage.IngestTake]error{}
	for _, i := range live {
		it := items[i]
		if !contested[it.profile] {
			continue
		}
		take := usage.IngestTake{Profile: it.profile, Input: it.n(), Records: it.n()}
		if least, ok := spent[it.profile]; ok && it.n() >= least {
			if said[take] == nil {
				if fits, refusal := s.usage.RefusalOf(ctx, take); !fits {
					said[take] = refusal
				}
			}
			if errs[i] = said[take]; errs[i] != nil {
				continue
			}
		}
		wants := it.wants()
		for _, w := range wants {
			if least, ok := full[w.chunkKey]; ok && w.n >= least {
				errs[i] = it.full
			}
		}
		if errs[i] != nil {
			continue
		}
		if err := s.store.room(ctx, wants, s.devices.Present); err != nil {
			return err
		}
		var back []*want
		for _, w := range wants {
			switch {
			case w.granted:
				back = append(back, w)
			case w.gone:
				errs[i] = fault.New(fault.Forbidden, "Device not found or inactive")
			default:
				full[w.chunkKey] = min(w.n, orMost(full, w.chunkKey))
				errs[i] = it.full
			}
		}
		if errs[i] == nil {
			refusal := s.usage.TakeOne(ctx, take, usage.DeviceInput{Profile: it.profile, Device: it.device, Input: it.n()})
			if refusal != nil && !fault.Is(refusal, fault.LimitReached) && !fault.Is(refusal, fault.NotFound) {
				return refusal
			}
			if refusal == nil {
				for _, w := range wants {
					if sum := granted[w.chunkKey]; sum != nil {
						sum.points = append(sum.points, w.points...)
						continue
					}
					granted[w.chunkKey] = w
				}
				continue
			}
			spent[it.profile] = it.n()
			said[take], errs[i] = refusal, refusal
		}
		if err := s.store.giveBack(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

func orMost(m map[chunkKey]int64, k chunkKey) int64 {
	if n, ok := m[k]; ok {
		return n
	}
	return math.MaxInt64
}

type claimKey struct {
	profile id.Profile
	device  id.Device
	key     string
}

// claim writes down the idempotency keys of a round before anything else. It returns the indexes of the items
// to be stored, and of those that follow another of the same key in this round. Items that came before are
// answered: errs and stored are set.
func (s *Service) claim(ctx context.Context, items []*item, errs []error) (live []int, followers map[int]int, err error) {
	var leaders []int
	first := map[claimKey]int{}
	for i, it := range items {
		it.repeated, it.stored = false, 0
		if it.key == "" {
			continue
		}
		k := claimKey{it.profile, it.device, it.key}
		if leader, ok := first[k]; ok {
			if items[leader].body != it.body {
				errs[i] = web.ErrOtherBody
				continue
			}
			if followers == nil {
				followers = map[int]int{}
			}
			followers[i] = leader
			continue
		}
		first[k] = i
		leaders = append(leaders, i)
	}
	if len(leaders) > 0 {
		fresh, err := s.writeKeys(ctx, items, leaders)
		if err != nil {
			return nil, nil, fmt.Errorf("write idempotency keys: %w", err)
		}
		for k, i := range first {
			if fresh[k] {
				continue
			}
			body, n, err := s.readKey(ctx, k)
			if err != nil {
				return nil, nil, fmt.Errorf("read an idempotency key: %w", err)
			}
			items[i].repeated, items[i].stored = true, n
			if body != items[i].body {
				errs[i] = web.ErrOtherBody
			}
		}
	}
	for i, it := range items {
		if _, follows := followers[i]; !follows && !it.repeated && errs[i] == nil {
			live = append(live, i)
		}
	}
	return live, followers, nil
}

// writeKeys inserts the keys that were not there, or were older than a day.
func (s *Service) writeKeys(ctx context.Context, items []*item, leaders []int) (map[claimKey]bool, error) {
	sorted := slices.Clone(leaders)
	slices.SortFunc(sorted, func(a, b int) int {
		x, y := items[a], items[b]
		return strings.Compare(string(x.profile)+string(x.device)+x.key, string(y.profile)+string(y.device)+y.key)
	})
	now := s.clock.Now()
	fresh := map[claimKey]bool{}
	for part := range slices.Chunk(sorted, 256) {
		var args []any
		for _, i := range part {
			it := items[i]
			args = append(args, it.profile, it.device, it.key, it.body, it.n(), now.UnixMilli())
		}
		args = append(args, now.Add(-keepKeys).UnixMilli())
		rows, err := s.db.Query(ctx, `INSERT INTO idempotency (profile_id, device_id, key, body, points, at) VALUES `+sqldb.Rows(1, len(part), 6)+`
			ON CONFLICT (profile_id, device_id, key) DO UPDATE SET body = excluded.body, points = excluded.points, at = excluded.at
			WHERE idempotency.at < $`+fmt.Sprint(len(part)*6+1)+` RETURNING profile_id, device_id, key`, args...)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func() error {
			var k claimKey
			err := rows.Scan(&k.profile, &k.device, &k.key)
			fresh[k] = true
			return err
		}); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

func (s *Service) readKey(ctx context.Context, k claimKey) (body string, points int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT body, points FROM idempotency WHERE profile_id = $1 AND device_id = $2 AND key = $3`,
		k.profile, k.device, k.key).Scan(&body, &points)
	return body, points, err
}

// unclaim forgets the keys of requests that were refused: the same request may succeed later.
func (s *Service) unclaim(ctx context.Context, items []*item, live []int, errs []error) error {
	for _, i := range live {
		it := items[i]
		if errs[i] == nil || it.key == "" {
			continue
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM idempotency WHERE profile_id = $1 AND device_id = $2 AND key = $3`, it.profile, it.device, it.key); err != nil {
			return fmt.Errorf("forget an idempotency key: %w", err)
		}
	}
	return nil
}

// cleanKeys forgets the keys of more than a day ago, across profiles, some at a time.
func (s *Service) cleanKeys(ctx context.Context) error {
	for {
		n, err := s.db.Exec(sqldb.Cost(ctx, 200), `DELETE FROM idempotency WHERE (profile_id, device_id, key) IN
			(SELECT profile_id, device_id, key FROM idempotency WHERE at < $1 LIMIT 500)`, s.clock.Now().Add(-keepKeys).UnixMilli())
		if n == 0 || err != nil {
			return err
		}
	}
}
