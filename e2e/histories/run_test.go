package histories

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"paddock/e2e/server"
)

// failure is how a history goes wrong. rule is short and the same for the same cause, so that rapid can tell
// whether a smaller history fails alike; text has the figures.
type failure struct {
	rule, text string
	trace      string // what was asked and answered
}

// figures are what a test run did.
type figures struct {
	histories, requests, points, kills, stops, verifies atomic.Int64
	mu                                                  sync.Mutex
	places                                              map[string]int // how often the server ended at each
	spent                                               map[string]time.Duration
}

// time adds what passes until the returned function is called.
func (f *figures) time(what string) func() {
	began := time.Now()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.spent[what] += time.Since(began)
	}
}

func (f *figures) ended(place string) {
	f.kills.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places[place]++
}

// run is a history under way, with what the test knows of it.
type run struct {
	w     *world
	h     History
	fig   *figures
	plan  planSize
	zone  *time.Location
	owner server.Account

	mu       sync.Mutex
	seq      int64 // counts beginnings and ends of what is asked
	profiles []*prof
	devices  []*dev
	sends    map[string]*send
	acts     []*act // of the present phase
	ended    int    // steps of the present phase that have ended
	killed   bool   // by Phase.Kill
	names    int

	number int // of the present phase, for messages
	tick   bool
	rates  map[rateKey]*rate
	doubt  map[int64]bool // minutes of which nothing is expected, because the clock went back

	behind    bool             // a profile is in a cycle that the clock has not reached: it has stepped back
	departed  map[string]int64 // what profiles that left had used of the cycle, at the beginning of the phase
	asked     []*act           // of the phase that is being checked
	story     [][]*act         // of all phases
	summaries map[*prof][2]map[string]int64
}

// prof is a profile as the test knows it.
type prof struct {
	id, name, token string
	gone            bool
	paused          bool
	auto            bool
	alloc           map[string]int64 // what is expected; lacks what cannot be known
	fresh           bool             // made in this phase

	// At the beginning of the phase, as the API and the database say.
	used, limit, total map[string]int64
	first              map[string]int64 // allocated
	leased             int64            // of output, in total
	count              int64            // devices
	cycleEnd           int64
	over               bool  // the cycle is over, and nobody has turned it
	born               int64 // when it was made, in this phase

	alive, active *timeline
	allowed       map[string]*timeline

	policy   map[string]int64 // of policies
	policies map[string]*timeline
	marked   map[string]int64 // of used, at the beginning of the phase
}

// dev is a device as the test knows it.
type dev struct {
	prof      *prof
	id, token string
	name      string
	kind      int
	gone      bool
	alive     *timeline
	sends     []*send
	removing  bool // something of it was deleted in this phase
}

func (d *dev) mutable() bool { return d.kind%2 == 0 }

// deviceKinds are the types of devices; all but the first keep data for a time.
var deviceKinds = []map[string]any{
	{"type": "mutable"},
	{"type": "immutable", "chunk_period": "day", "chunk_retention": 31},
	{"type": "mutable"},
	{"type": "immutable", "chunk_period": "month", "chunk_retention": 36},
	{"type": "mutable"},
	{"type": "immutable", "chunk_period": "week", "chunk_retention": 26},
}

// keeps is how long a device is sure to keep a point.
func (d *dev) keeps() time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{0, 30 * day, 0, 900 * day, 0, 170 * day}[d.kind]
}

// send is a body of points and what has become of it.
type send struct {
	dev    *dev
	tag    string
	n      int64
	body   []byte
	key    string
	oldest time.Time // of its points
	state  sendState
	kept   int64 // how many of its points were there when one looked last
	fresh  bool  // of this phase
}

type sendState int

const (
	refused sendState = iota
	stored
	unknown
)

// act is a request and its answer.
type act struct {
	kind       Kind
	step       Step
	prof       *prof
	dev        *dev
	send       *send
	start, end int64
	from, to   time.Time
	status     int // 0: nobody knows; or neverSent
	message    string
	limit      string // of a refusal
	needed     int64
	n          int64 // points sent, rows read, points deleted
	most       int64 // of rows read
	values     []string
	rows       []posted
	full       bool  // of Fill: not one more point fits
	like       *prof // of Found: what it shall be like
	after      bool  // asked when the phase was over
}

// neverSent is the status of what no server has heard of.
const neverSent = -1

// posted is a row of an allocation.
type posted struct {
	prof    *prof
	amounts map[string]int64
	before  map[string]int64
}

// timeline is a figure that changes while requests run: what it may be when.
type timeline struct{ entries []entry }

type entry struct {
	start, end int64
	lo, hi     int64
	sure       bool // what was before is over at end
}

func at(v int64) *timeline { return &timeline{[]entry{{0, 0, v, v, true}}} }

func between(lo, hi int64) *timeline { return &timeline{[]entry{{0, 0, lo, hi, true}}} }

func (t *timeline) change(start, end, lo, hi int64, sure bool) {
	t.entries = append(t.entries, entry{start, end, lo, hi, sure})
}

// over is the range of what the figure may have been from a to b.
func (t *timeline) over(a, b int64) (lo, hi int64) {
	lo, hi = 1<<60, -1
	for _, e := range t.within(a, b) {
		lo, hi = min(lo, e.lo), max(hi, e.hi)
	}
	return lo, hi
}

// may says whether the figure may have been v at an instant: after two changes that nobody knows of it is what it was, or
// either.
func (t *timeline) may(v, at int64) bool {
	return slices.ContainsFunc(t.within(at, at), func(e entry) bool { return e.lo <= v && v <= e.hi })
}

// within are the entries that may have held from a to b.
func (t *timeline) within(a, b int64) (out []entry) {
	for i, e := range t.entries {
		if e.start > b {
			continue
		}
		past := false
		for _, later := range t.entries[i+1:] {
			if later.sure && later.end < a {
				past = true
			}
		}
		if !past {
			out = append(out, e)
		}
	}
	return out
}

func (t *timeline) steady() bool { return len(t.entries) == 1 && t.entries[0].lo == t.entries[0].hi }

func (r *run) fail(rule, format string, args ...any) {
	panic(failure{rule: rule, text: fmt.Sprintf("phase %d: ", r.number) + fmt.Sprintf(format, args...)})
}

// trace lists what was asked and answered.
func (r *run) trace() string {
	var b strings.Builder
	line := func(a *act) {
		device := "-"
		if a.dev != nil {
			device = a.dev.name
		}
		fmt.Fprintf(&b, "  %4d–%-4d %s %-18v %-8s %s %-6s %3d n=%d %s %.120s\n", a.start, a.end, a.from.Format("01-02 15:04:05.000"), cmp.Or(a.step.String(), string(a.kind)), a.kind, a.prof.name, device, a.status, a.n, a.limit, a.message)
	}
	for i, phase := range r.story {
		fmt.Fprintf(&b, "phase %d\n", i)
		for _, a := range phase {
			line(a)
		}
	}
	b.WriteString("then\n")
	for _, a := range r.acts {
		line(a)
	}
	return b.String()
}

func (r *run) must(err error, doing string) {
	if err != nil {
		r.fail("the test could not go on", "%s: %v", doing, err)
	}
}

func (r *run) name(prefix string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names++
	return fmt.Sprintf("%s%d", prefix, r.names)
}

var accounts atomic.Int64

// runHistory makes an account, lets the history happen to it, and returns what was wrong.
func runHistory(w *world, h History, fig *figures) (failed *failure) {
	r := &run{w: w, h: h, fig: fig, plan: plans[h.Plan], sends: map[string]*send{}, rates: map[rateKey]*rate{}, doubt: map[int64]bool{}}
	w.mark()
	defer func() {
		w.page.disarm()
		switch p := recover().(type) {
		case nil:
		case failure:
			p.trace = r.trace()
			failed = &p
		default:
			panic(p)
		}
	}()
	fig.histories.Add(1)
	w.age++
	r.begin()
	for i, p := range h.Phases {
		r.number = i + 1
		r.phase(p)
	}
	r.verify("at the end")
	return nil
}

func (r *run) begin() {
	defer r.fig.time("begin")()
	// Every history has a cycle of its own time to begin in, and never the last days of one.
	now := r.w.page.now().Add(2 * time.Minute)
	if now.Day() > 20 || now.Day() < 3 {
		now = time.Date(now.Year(), now.Month()+1, 4+now.Second()%10, 7, 3, 20, 0, time.UTC)
	}
	r.w.page.set(now)
	var err error
	r.zone, err = time.LoadLocation(zones[r.h.Zone])
	r.must(err, "load a zone")
	name := fmt.Sprintf("A%d", accounts.Add(1))
	r.owner, err = r.w.home.CreateAccount(name, r.plan.name, "--timezone", zones[r.h.Zone])
	r.must(err, "make an account")
	p := &prof{id: r.owner.Profile, name: name, token: r.owner.Token, auto: true, alive: at(1), active: at(1), policy: map[string]int64{}}
	p.alloc = map[string]int64{"input": r.plan.input, "output": r.plan.output, "data_records": r.plan.records}
	r.profiles = []*prof{p}
	for _, d := range r.h.Devices {
		if a := r.makeDevice(p, d.B); a.status/100 != 2 && !(a.status == 402 && int64(len(r.devices)) >= r.plan.devices) {
			r.fail("a first device is refused", "%d %s", a.status, a.message)
		}
	}
	r.acts = nil
	r.observe(false)
}

func (r *run) pool(svc string) int64 {
	switch svc {
	case "input":
		return r.plan.input
	case "output":
		return r.plan.output
	}
	return r.plan.records
}

func (r *run) living() (out []*prof) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.profiles {
		if !p.gone {
			out = append(out, p)
		}
	}
	return out
}

func (r *run) present() (out []*dev) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.devices {
		if !d.gone && !d.prof.gone && d.token != "" {
			out = append(out, d)
		}
	}
	return out
}

// phase lets one phase happen and looks at what is left.
func (r *run) phase(p Phase) {
	if p.Jump != 0 {
		r.jump(p.Jump)
		r.observe(true)
	}
	r.acts, r.ended, r.killed, r.tick = nil, 0, false, false
	for _, l := range p.Lanes {
		for _, s := range l {
			r.tick = r.tick || s.Do == Tick
		}
	}
	for _, pr := range r.living() {
		pr.fresh = false
		pr.alive, pr.active = at(1), at(1)
		if pr.paused {
			pr.active = at(0)
		}
		pr.allowed, pr.policies = map[string]*timeline{}, map[string]*timeline{}
		for _, svc := range services {
			pr.allowed[svc], pr.policies[svc] = at(pr.limit[svc]), at(pr.policy[svc])
		}
	}
	for _, d := range r.present() {
		d.alive, d.removing = at(1), false
	}
	s := r.w.server
	if p.Pass > 0 {
		r.w.page.arm(s.PID(), p.Place, p.Pass)
	}
	var lanes sync.WaitGroup
	profiles, devices := r.living(), r.present()
	for i, steps := range p.Lanes {
		lanes.Go(func() {
			l := &lane{run: r, profiles: profiles, devices: devices, rng: rand.New(rand.NewPCG(uint64(i), uint64(len(steps))))}
			for _, step := range steps {
				l.step(step)
				r.mu.Lock()
				r.ended++
				kill := p.Kill > 0 && r.ended == p.Kill
				r.mu.Unlock()
				if kill {
					r.mu.Lock()
					r.killed = true
					r.mu.Unlock()
					s.Kill()
				}
			}
		})
	}
	end := r.fig.time("lanes")
	lanes.Wait()
	end()
	// A place that was passed for the last time has ended the server, even if that shows in a moment only.
	fired := false
	if p.Pass > 0 {
		if place := r.w.page.fired(); place != "" {
			fired = true
			<-s.Gone()
			r.fig.ended(place)
		}
	}
	select {
	case <-s.Gone():
		if !fired && !r.killed {
			r.fail("the server ended by itself", "\n%s", r.w.log())
		}
	default:
		for _, a := range r.acts {
			if a.status <= 0 {
				r.fail("a request to a living server fails", "%v: %s", a.step, a.message)
			}
		}
	}
	lost := fired || r.killed
	if r.killed && !fired {
		r.fig.ended("(any moment)")
	}
	if !lost {
		switch p.End {
		case KillIt:
			s.Kill()
			r.fig.ended("(idle)")
			lost = true
		case StopIt:
			end := r.fig.time("stop")
			s.Client.CloseIdleConnections() // a connection that was never used holds a graceful stop up for seconds
			err := s.Stop()
			end()
			if err != nil {
				r.fail("SIGTERM does not end the server well", "%v\n%s", err, r.w.log())
			}
			r.fig.stops.Add(1)
		}
	}
	select {
	case <-s.Gone():
		end := r.fig.time("restart")
		r.must(r.w.restart(), "start the server again")
		end()
		if lost {
			r.lose()
		}
		r.retry()
		r.check(lost)
		if lost && r.number < len(r.h.Phases) {
			r.verify("after a kill")
		}
	default:
		r.check(false)
	}
}

func (r *run) verify(when string) {
	r.fig.verifies.Add(1)
	defer r.fig.time("verify")()
	if err := r.w.verify(); err != nil {
		r.fail("verify finds something", "%s: %v", when, err)
	}
}

// jump moves the clock.
func (r *run) jump(j int) (from, to time.Time) {
	from = r.w.page.now()
	to = jumps[j].to(from, r.zone)
	r.w.page.set(to)
	if to.Before(from) {
		r.mu.Lock()
		for m := to.Unix()/60 - 1; m <= from.Unix()/60+1; m++ {
			r.doubt[m] = true
		}
		r.mu.Unlock()
	}
	return from, to
}

// lane is one who does steps in order.
type lane struct {
	*run
	profiles []*prof
	devices  []*dev
	rng      *rand.Rand
}

func (l *lane) device(n int) *dev {
	if len(l.devices) == 0 {
		return nil
	}
	return l.devices[n%len(l.devices)]
}

func (l *lane) profile(n int) *prof { return l.profiles[n%len(l.profiles)] }

func (l *lane) step(s Step) {
	if l.w.closed() {
		return
	}
	d := l.device(s.A)
	switch s.Do {
	case Send, Fill, Read, Count, Delete, Empty, Remove:
		if d == nil {
			return
		}
	}
	switch s.Do {
	case Send:
		l.send(d, int64(s.B), s.C, s)
	case Fill:
		l.fill(d, s)
	case Read:
		l.read(d, s)
	case Count:
		l.read(d, s)
	case Delete:
		l.removal(d, s, func(a *act) {
			var out string
			l.call(a, "DELETE", fmt.Sprintf("/data?qty=%d", s.B), d.token, nil, "", &out)
			fmt.Sscanf(out, "%d", &a.n)
		})
	case Empty:
		l.removal(d, s, func(a *act) { l.call(a, "POST", "/device/"+d.id+"/empty", d.prof.token, nil, "", nil) })
	case Remove:
		l.removal(d, s, func(a *act) {
			l.call(a, "DELETE", "/device/"+d.id, d.prof.token, nil, "", nil)
			l.mu.Lock()
			defer l.mu.Unlock()
			if a.status/100 == 2 || a.status == 0 {
				d.alive.change(a.start, a.end, 0, 0, a.status != 0)
			}
		})
	case Make:
		if p := l.profile(s.A); p.token != "" {
			if a := l.makeDevice(p, s.B); a.dev != nil && a.dev.token != "" {
				l.devices = append(append([]*dev{}, l.devices...), a.dev)
			}
		}
	case Tick:
		l.jump(s.A)
	case Allocate:
		l.allocate(s)
	case Found:
		l.found(s)
	case End:
		l.end(s)
	case Pause, Resume:
		l.pause(s)
	case Policy:
		l.setPolicy(s)
	}
}

// closed says that the server has ended: the rest of a phase is not tried.
func (w *world) closed() bool {
	select {
	case <-w.server.Gone():
		return true
	default:
		return false
	}
}

// call sends a request and writes the answer down in a.
func (r *run) call(a *act, method, path, token string, body any, key string, result any) {
	r.mu.Lock()
	r.seq++
	a.start = r.seq
	r.acts = append(r.acts, a)
	r.mu.Unlock()
	r.fig.requests.Add(1)
	a.from = r.w.page.now()
	defer func() {
		a.to = r.w.page.now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seq++
		a.end = r.seq
	}()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		payload = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			a.message = err.Error()
			return
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, r.w.server.URL+path, payload)
	if err != nil {
		a.message = err.Error()
		return
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	req.Header.Set("token", token)
	answer, err := r.w.server.Client.Do(req)
	if err != nil {
		// The client itself repeats reads and what carries a key: those may have been heard the first time.
		if a.message = err.Error(); errors.Is(err, syscall.ECONNREFUSED) && method != "GET" && key == "" {
			a.status = neverSent
		}
		return
	}
	raw, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		a.message = err.Error()
		return
	}
	var envelope struct {
		Status  bool
		Message string
		Result  json.RawMessage
		Error   struct {
			Limit  string
			Needed float64
		}
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		a.status, a.message = 599, fmt.Sprintf("not JSON: %.200s", raw)
		return
	}
	a.message, a.limit, a.needed = envelope.Message, envelope.Error.Limit, int64(envelope.Error.Needed)
	if a.needed == 0 {
		a.needed = 1
	}
	if answer.StatusCode/100 == 2 && result != nil {
		if err := json.Unmarshal(envelope.Result, result); err != nil {
			a.status, a.message = 599, err.Error()
			return
		}
	}
	a.status = answer.StatusCode
}

// newSend makes a body of n points with values of their own.
func (r *run) newSend(d *dev, n int64, how int) *send {
	s := &send{dev: d, tag: r.name("s"), n: n, fresh: true, oldest: r.w.page.now(), state: unknown}
	points := make([]map[string]any, n)
	for i := range points {
		name := fmt.Sprintf("v%d", i%3)
		if how&2 != 0 {
			name = fmt.Sprintf("%sx%d", s.tag, i%2)
		}
		points[i] = map[string]any{"variable": name, "value": fmt.Sprintf("%s.%d", s.tag, i)}
		if how&4 != 0 && !r.tick {
			points[i]["time"] = r.w.page.now().Add(-time.Duration(i%3) * 24 * time.Hour).Format(time.RFC3339Nano)
			s.oldest = r.w.page.now().Add(-48 * time.Hour)
		}
	}
	if how&1 != 0 {
		s.key = s.tag
	}
	s.body, _ = json.Marshal(points)
	if n == 1 && how&8 != 0 {
		s.body, _ = json.Marshal(points[0])
	}
	r.mu.Lock()
	r.sends[s.tag] = s
	d.sends = append(d.sends, s)
	r.mu.Unlock()
	return s
}

func (r *run) send(d *dev, n int64, how int, step Step) *act {
	s := r.newSend(d, n, how)
	a := &act{kind: Send, step: step, prof: d.prof, dev: d, send: s, n: n}
	r.post(a)
	return a
}

func (r *run) post(a *act) {
	r.call(a, "POST", "/data", a.dev.token, a.send.body, a.send.key, nil)
	switch {
	case a.status/100 == 2:
		a.send.state = stored
		r.fig.points.Add(a.n)
	case a.status == 0:
		a.send.state = unknown
	default:
		a.send.state = refused
	}
}

func (l *lane) fill(d *dev, s Step) {
	largest := int64(s.B)
	for range 80 {
		n := 1 + l.rng.Int64N(largest)
		a := l.send(d, n, s.C, s)
		switch {
		case a.status/100 == 2:
		case a.status == 402 && n > 1:
			largest = max(1, n/2)
		case a.status == 402:
			a.full = true
			return
		default:
			return
		}
	}
}

func (r *run) read(d *dev, s Step) {
	a := &act{kind: s.Do, step: s, prof: d.prof, dev: d}
	if s.Do == Count {
		a.most = 1
		r.call(a, "GET", "/data?query=count", d.token, nil, "", nil)
		if a.status/100 == 2 {
			a.n = 1
		}
		return
	}
	a.most = int64(s.B)
	var rows []struct{ Value string }
	r.call(a, "GET", fmt.Sprintf("/data?qty=%d", s.B), d.token, nil, "", &rows)
	a.n = int64(len(rows))
	for _, row := range rows {
		a.values = append(a.values, row.Value)
	}
}

// removal runs something that takes points away.
func (r *run) removal(d *dev, s Step, do func(a *act)) {
	r.mu.Lock()
	if !(s.Do == Delete && !d.mutable()) {
		d.removing = true
	}
	r.mu.Unlock()
	if s.Do != Delete && d.prof.token == "" {
		return
	}
	do(&act{kind: s.Do, step: s, prof: d.prof, dev: d})
}

func (r *run) makeDevice(p *prof, kind int) *act {
	d := &dev{prof: p, name: r.name("d"), kind: kind % len(deviceKinds)}
	body := map[string]any{"name": d.name}
	for k, v := range deviceKinds[d.kind] {
		body[k] = v
	}
	a := &act{kind: Make, step: Step{Do: Make, B: kind}, prof: p}
	var made struct {
		DeviceID string `json:"device_id"`
		Token    string
	}
	r.call(a, "POST", "/device", p.token, body, "", &made)
	if a.status/100 == 2 || a.status == 0 {
		d.id, d.token = made.DeviceID, made.Token
		d.alive = at(1)
		a.dev = d
		r.mu.Lock()
		r.devices = append(r.devices, d)
		r.mu.Unlock()
	}
	return a
}

// ownerToken is one of a profile that lives on.
func (r *run) ownerToken(but *prof) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	token, best := "", int64(-1)
	for _, p := range r.profiles {
		if p.token == "" || p.gone {
			continue
		}
		sure, perhaps := p.alive.over(r.seq, r.seq)
		rank := 2 * (sure + perhaps) // who may be gone is asked last
		if p == but {
			rank--
		}
		if rank > best || token == "" {
			token, best = p.token, rank
		}
	}
	return token
}

func (l *lane) allocate(s Step) {
	p := l.profile(s.A)
	a := &act{kind: Allocate, step: s, prof: p}
	first := posted{prof: p, amounts: map[string]int64{}}
	for i, svc := range services {
		if s.C&7 == 0 || s.C>>i&1 == 1 {
			first.amounts[svc] = l.pool(svc) * int64(s.B) / 100
		}
	}
	a.rows = []posted{first}
	if q := l.profile(s.A + 1); q != p && s.C&8 != 0 {
		second := posted{prof: q, amounts: map[string]int64{}}
		for svc, n := range first.amounts {
			second.amounts[svc] = max(0, l.pool(svc)-n)
			if s.C&16 != 0 {
				second.amounts[svc] = min(n, second.amounts[svc])
			}
		}
		a.rows = append(a.rows, second)
	}
	var body []map[string]any
	for i := range a.rows {
		row := map[string]any{"profile": a.rows[i].prof.id}
		for svc, n := range a.rows[i].amounts {
			row[svc] = n
		}
		body = append(body, row)
		a.rows[i].before = map[string]int64{}
		for svc, n := range a.rows[i].prof.alloc {
			a.rows[i].before[svc] = n
		}
	}
	l.call(a, "POST", "/account/allocation", l.ownerToken(nil), body, "", nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status/100 != 2 && a.status != 0 {
		return
	}
	sure := a.status != 0
	for _, row := range a.rows {
		for svc, n := range row.amounts {
			old, known := row.prof.alloc[svc]
			t := row.prof.allowed[svc]
			_, hi := t.over(l.seq, l.seq)
			switch {
			case !known:
				t.change(a.start, a.end, 0, n, sure)
			case n > old:
				t.change(a.start, a.end, n, n, sure)
			case n < old:
				lo, _ := t.over(l.seq, l.seq)
				t.change(a.start, a.end, min(lo, n), min(hi, n), sure)
			}
			if sure {
				row.prof.alloc[svc] = n
				row.prof.auto = false
			}
		}
	}
}

// blur says that nothing is known about what a profile may use from start on.
func (r *run) blur(p *prof, start, end int64) {
	for _, svc := range services {
		p.allowed[svc].change(start, end, 0, r.pool(svc), true)
		delete(p.alloc, svc)
	}
}

func (l *lane) found(s Step) {
	p := &prof{name: l.name("p"), auto: true, fresh: true, alive: at(1), active: at(1), alloc: map[string]int64{},
		used: map[string]int64{}, limit: map[string]int64{}, total: map[string]int64{}, policy: map[string]int64{}, marked: map[string]int64{}}
	p.allowed, p.policies = map[string]*timeline{}, map[string]*timeline{}
	for _, svc := range services {
		p.allowed[svc], p.policies[svc] = between(0, l.pool(svc)), at(block)
	}
	body, path := map[string]any{"name": p.name}, "/profile"
	var like *prof
	switch s.B {
	case 1:
		path += "?allocate_free_resources=true"
	case 2:
		like = l.profile(s.A)
		body["template"] = map[string]any{"like": like.id}
	}
	a := &act{kind: Found, step: s, prof: p, like: like}
	var made struct{ ID string }
	l.call(a, "POST", path, l.ownerToken(nil), body, "", &made)
	if a.status/100 != 2 && a.status != 0 {
		return
	}
	p.id, p.born = made.ID, a.end
	l.mu.Lock()
	for _, q := range l.run.profiles {
		if !q.gone && q.auto && q.allowed != nil {
			l.blur(q, a.start, a.end)
		}
	}
	l.run.profiles = append(l.run.profiles, p)
	l.mu.Unlock()
	if a.status == 0 {
		return
	}
	if l.mint(p); p.token != "" {
		l.profiles = append(append([]*prof{}, l.profiles...), p)
		if m := l.makeDevice(p, s.A); m.dev != nil && m.dev.token != "" {
			l.devices = append(append([]*dev{}, l.devices...), m.dev)
		}
	}
}

// mint makes a token of a profile.
func (r *run) mint(p *prof) *act {
	a := &act{kind: "mint", prof: p}
	var minted struct{ Token string }
	r.call(a, "POST", "/account/profile/token", "", map[string]any{
		"profile_id": p.id, "email": r.owner.Email, "password": r.owner.Password, "name": p.name, "expire_time": "never",
	}, "", &minted)
	p.token = minted.Token
	return a
}

func (l *lane) end(s Step) {
	p := l.profile(s.A)
	a := &act{kind: End, step: s, prof: p}
	l.call(a, "DELETE", "/profile/"+p.id, l.ownerToken(p), map[string]any{"password": l.owner.Password, "purge": s.A%2 == 0}, "", nil) // else it waits for the end of its grace
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status/100 != 2 && a.status != 0 {
		return
	}
	p.alive.change(a.start, a.end, 0, 0, a.status != 0)
	for _, q := range l.run.profiles {
		if q != p && !q.gone && q.allowed != nil { // the last one has everything
			l.blur(q, a.start, a.end)
		}
	}
	for _, d := range l.run.devices {
		if d.prof == p {
			d.removing = true
		}
	}
}

func (l *lane) pause(s Step) {
	p := l.profile(s.A)
	a := &act{kind: s.Do, step: s, prof: p}
	if s.Do == Pause {
		l.call(a, "POST", "/profile/"+p.id+"/pause", l.ownerToken(nil), map[string]any{"reason": "because"}, "", nil)
	} else {
		l.call(a, "POST", "/profile/"+p.id+"/resume", l.ownerToken(nil), nil, "", nil)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status/100 == 2 || a.status == 0 {
		v := int64(1)
		if s.Do == Pause {
			v = 0
		}
		p.active.change(a.start, a.end, v, v, a.status != 0)
	}
}

func (l *lane) setPolicy(s Step) {
	p := l.profile(s.A)
	a := &act{kind: Policy, step: s, prof: p}
	body := map[string]string{}
	for i, svc := range services {
		if s.C == 0 || s.C>>i&1 == 1 {
			body[svc] = policies[s.B]
		}
	}
	l.call(a, "PUT", "/profile/"+p.id+"/policies", l.ownerToken(nil), body, "", nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status/100 != 2 && a.status != 0 {
		return
	}
	for svc := range body {
		p.policies[svc].change(a.start, a.end, int64(s.B), int64(s.B), a.status != 0)
	}
}

// retry repeats what was sent with an Idempotency-Key and not answered: it must be there once.
func (r *run) retry() {
	for _, a := range append([]*act{}, r.acts...) {
		if a.kind != Send || a.status != 0 || a.send.key == "" {
			continue
		}
		if r.w.page.now().Sub(a.from).Abs() > 20*time.Hour {
			continue // keys are forgotten after a day
		}
		again := &act{kind: Send, step: a.step, prof: a.prof, dev: a.dev, send: a.send, n: a.n, after: true}
		r.post(again)
		switch {
		case again.status <= 0:
			r.fail("a request to a living server fails", "retry of %s: %s", a.send.tag, again.message)
		case again.status/100 == 2:
			a.send.state = stored
			a.kind = "repeated" // counted by the other
		case again.status == 402:
			a.kind = "repeated" // the first was not stored, or this one would have been told so
		default: // paused, gone, too many: nobody knows still
			a.send.state = unknown
		}
	}
}
