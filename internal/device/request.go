package device

import (
	"cmp"
	"container/list"
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const (
	keepRequests  = 100      // of each device
	ringBytes     = 32 << 20 // all rings together, about
	ringShards    = 16       // locks
	requestBytes  = 320      // a request without its body, about
	refusalsEvery = 10 * time.Second
	maxPending    = 2000 // refusals that wait to be written
	refusalRows   = 100  // of a statement
	traceTimeout  = time.Second
)

// Request is one request of a device, or one that came with a dead token of a profile.
type Request struct {
	ID        string // of a refusal; "" for what was accepted
	At        int64  // UTC milliseconds
	Method    string
	Path      string // the route, /device/params/{id}
	Addr      string
	TokenName string
	Tail      string // last four characters of the token
	Dead      string // "revoked", "expired", "withdrawn", or "" while the token lives
	Status    int    // HTTP; from 400 on it was refused
	Reason    string // of a refusal
	Body      string // first 2 kB
	Size      int64  // bytes of the whole body, as far as it was read

	profile id.Profile
	device  id.Device
	tokenID id.Token
}

// Refused reports whether the request was refused.
func (r Request) Refused() bool { return r.Status >= 400 }

// Observe is told of every request after it was answered (web.Server.Observe). It keeps those that came with
// a device's token, and refused ones that came with a dead token of a profile.
func (s *Service) Observe(o web.Outcome) {
	r := Request{At: clock.Millis(o.Time), Method: o.Method, Path: o.Pattern, Addr: o.Addr, Status: o.Status, Size: int64(o.BodySize)}
	switch {
	case o.Caller.Kind == auth.Device:
		c := o.Caller
		r.profile, r.device, r.tokenID, r.TokenName, r.Tail = c.ProfileID, c.DeviceID, c.TokenID, c.TokenName, c.TokenTail
	case o.Status < 400 || o.Credential.Token == "" || o.Caller.Kind != "" && o.Caller.Kind != auth.Anonymous:
		return
	default:
		ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
		defer cancel()
		t, ok := s.tokens.Trace(ctx, o.Credential.Token)
		if !ok || t.Kind != auth.Device && t.Dead == "" {
			return
		}
		r.profile, r.device, r.tokenID, r.TokenName, r.Tail, r.Dead = t.Profile, t.Device, t.Token, t.Name, t.Tail, t.Dead
	}
	if r.Refused() {
		r.ID, r.Reason = id.New[string](), text([]byte(o.Message))
	}
	if r.device != "" {
		s.requests.add(r, o.Body)
	}
	if r.Refused() {
		r.Body = text(o.Body)
		s.pending.add(r)
	}
}

// Sender finds whose request was refused before anybody knew: false when its token is not known, or not a
// device's.
func (s *Service) Sender(o web.Outcome) (p id.Profile, d id.Device, ok bool) {
	if o.Credential.Token == "" {
		return "", "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
	defer cancel()
	t, ok := s.tokens.Trace(ctx, o.Credential.Token)
	return t.Profile, t.Device, ok && t.Device != ""
}

// text is b as a database and a browser can hold it.
func text(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\ufffd"), "\x00", "\ufffd")
}

// Requests lists what a device asked lately, newest first: what this node remembers, and the refusals that
// were stored by any.
func (s *Service) Requests(ctx context.Context, who auth.Caller, p id.Profile, d id.Device) ([]Request, error) {
	if _, err := s.View(ctx, who, p, d); err != nil {
		return nil, err
	}
	stored, err := s.refusals(ctx, p, d)
	if err != nil {
		return nil, err
	}
	return newest(append(s.requests.of(owner{p, d}), stored...)), nil
}

// Refused lists the requests that came with revoked or expired tokens of a profile, newest first. To a caller who sees a
// part of the profile's devices it lists those that came with tokens of these devices.
func (s *Service) Refused(ctx context.Context, who auth.Caller, p id.Profile) ([]Request, error) {
	waiting := s.pending.dead(p)
	if who.Devices() != nil { // what is in memory is bounded; the stored ones are chosen by the statement
		ds := make([]id.Device, len(waiting))
		for i, r := range waiting {
			ds[i] = r.device
		}
		seen, err := s.Seen(ctx, who, p, ds)
		if err != nil {
			return nil, err
		}
		waiting = slices.DeleteFunc(waiting, func(r Request) bool { return !seen[r.device] })
	}
	stored, err := s.deadRefusals(ctx, who, p)
	if err != nil {
		return nil, err
	}
	return newest(append(waiting, stored...)), nil
}

// newest sorts by time and drops what is there twice.
func newest(rs []Request) []Request {
	slices.SortStableFunc(rs, func(a, b Request) int {
		return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(b.ID, a.ID))
	})
	out := make([]Request, 0, min(len(rs), keepRequests))
	seen := map[string]bool{}
	for _, r := range rs {
		if len(out) == keepRequests {
			break
		}
		if r.ID != "" && seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		out = append(out, r)
	}
	return out
}

// rings hold the last requests of each device under one bound of bytes. Each shard has its share of the
// bound and gives up the ring that was written longest ago.
type rings struct {
	seed   maphash.Seed
	shards [ringShards]shard
}

type shard struct {
	mu    sync.Mutex
	m     map[owner]*ring
	order *list.List // of *ring, the freshest in front
	bytes int
	bound int
}

type ring struct {
	owner owner
	slots []slot
	next  int // the slot to overwrite once there are enough
	bytes int
	elem  *list.Element
}

// slot keeps its buffer when it is overwritten.
type slot struct {
	Request
	body []byte
}

func (s *slot) size() int { return requestBytes + cap(s.body) + len(s.Reason) }

func newRings(bound int) *rings {
	r := &rings{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i] = shard{m: map[owner]*ring{}, order: list.New(), bound: bound / ringShards}
	}
	return r
}

func (r *rings) shard(o owner) *shard {
	return &r.shards[maphash.Comparable(r.seed, o)%ringShards]
}

// add keeps a request with a copy of its body.
func (r *rings) add(q Request, body []byte) {
	o := owner{q.profile, q.device}
	sh := r.shard(o)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.m[o]
	if g == nil {
		g = &ring{owner: o}
		g.elem = sh.order.PushFront(g)
		sh.m[o] = g
	} else {
		sh.order.MoveToFront(g.elem)
	}
	var at *slot
	before := 0
	if len(g.slots) < keepRequests {
		g.slots = append(g.slots, slot{})
		at = &g.slots[len(g.slots)-1]
	} else {
		at = &g.slots[g.next]
		g.next = (g.next + 1) % keepRequests
		before = at.size()
	}
	at.Request, at.body = q, append(at.body[:0], body...)
	grown := at.size() - before
	g.bytes += grown
	sh.bytes += grown
	for sh.bytes > sh.bound && sh.order.Len() > 1 {
		sh.remove(sh.order.Back().Value.(*ring))
	}
}

func (sh *shard) remove(g *ring) {
	sh.order.Remove(g.elem)
	delete(sh.m, g.owner)
	sh.bytes -= g.bytes
}

// drop forgets a device.
func (r *rings) drop(o owner) {
	sh := r.shard(o)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if g := sh.m[o]; g != nil {
		sh.remove(g)
	}
}

// of copies what is kept of a device, newest first.
func (r *rings) of(o owner) []Request {
	sh := r.shard(o)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.m[o]
	if g == nil {
		return nil
	}
	out := make([]Request, 0, len(g.slots))
	for i := range g.slots {
		at := &g.slots[(g.next+len(g.slots)-1-i)%len(g.slots)]
		q := at.Request
		q.Body = text(at.body)
		out = append(out, q)
	}
	return out
}

// pending are refusals that wait to be written. It is bounded per device and in all; when it is full, a
// device that has several gives one up for a device that has none.
type pending struct {
	mu    sync.Mutex
	m     map[owner][]Request
	total int
}

func (p *pending) add(r Request) {
	o := owner{r.profile, r.device}
	p.mu.Lock()
	defer p.mu.Unlock()
	rs := p.m[o]
	if len(rs) >= keepRequests || len(rs) > 0 && p.total >= maxPending {
		copy(rs, rs[1:])
		rs[len(rs)-1] = r
		return
	}
	if p.total >= maxPending && !p.giveUpOne() {
		return
	}
	p.m[o] = append(rs, r)
	p.total++
}

func (p *pending) giveUpOne() bool {
	for o, rs := range p.m {
		if len(rs) > 1 {
			p.m[o] = append([]Request(nil), rs[1:]...)
			p.total--
			return true
		}
	}
	return false
}

func (p *pending) take() map[owner][]Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.m
	p.m, p.total = map[owner][]Request{}, 0
	return m
}

// dead are the waiting requests that came with a dead token of a profile.
func (p *pending) dead(of id.Profile) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Request
	for o, rs := range p.m {
		if o.profile != of {
			continue
		}
		for _, r := range rs {
			if r.Dead != "" {
				out = append(out, r)
			}
		}
	}
	return out
}

// flushRefusals writes the waiting refusals, a hundred in a statement, and leaves the last hundred of each
// device. What cannot be written waits for the next time.
func (s *Service) flushRefusals(ctx context.Context) error {
	m := s.pending.take()
	var all []Request
	for _, rs := range m {
		all = append(all, rs...)
	}
	slices.SortFunc(all, func(a, b Request) int {
		return cmp.Or(strings.Compare(string(a.profile), string(b.profile)), strings.Compare(string(a.device), string(b.device)),
			cmp.Compare(a.At, b.At), strings.Compare(a.ID, b.ID))
	})
	for len(all) > 0 {
		part := all[:min(refusalRows, len(all))]
		var of []owner
		for _, r := range part {
			if o := (owner{r.profile, r.device}); len(of) == 0 || of[len(of)-1] != o {
				of = append(of, o)
			}
		}
		err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
			if err := s.insertRefusals(ctx, part); err != nil {
				return err
			}
			return s.trimRefusals(ctx, of)
		})
		if err != nil {
			for _, r := range all {
				s.pending.add(r)
			}
			return err
		}
		all = all[len(part):]
	}
	return nil
}
