package histories

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

type rateKey struct {
	prof   *prof
	route  string
	minute int64
}

// rate is what is known of a rate in one clock minute.
type rate struct {
	passed, maybe, refused int64
	lost                   int64 // at most, with servers that were killed
}

// summary is what the API says about a profile.
type summary struct {
	Limit map[string]float64 `json:"limit"`
	Used  map[string]float64 `json:"limit_used"`
}

// observe reads what every profile may use and has used. After the clock has moved, and nothing else has
// happened, that is what it was, or a new cycle.
func (r *run) observe(moved bool) {
	var s *sight
	var err error
	if s, err = r.w.look(r.owner.Account); err != nil {
		r.must(err, "look at the database")
	}
	for _, p := range r.living() {
		used, limit := r.summary(p)
		seen := s.profiles[p.id]
		if seen == nil || seen.cycle == nil {
			r.fail("a profile is lost", "profile %s is not in the database", p.name)
		}
		now := r.w.page.now().UnixMilli()
		if moved && !(p.over && seen.cycle.end > now) { // back in a cycle that was over for a moment
			over := p.cycleEnd <= now
			for _, svc := range services {
				want := p.used[svc]
				if over && svc != "data_records" {
					want = 0
				}
				if svc == "data_records" && r.volatile(p) {
					continue // retention may have had some
				}
				if used[svc] != want {
					r.fail("time alone changes what is used", "profile %s has used %d of %s after the clock moved, before %d; cycle over: %v",
						p.name, used[svc], svc, p.used[svc], over)
				}
				if over && limit[svc] != seen.alloc[svc] {
					r.fail("a new cycle has another limit than the allocation", "profile %s may use %d of %s, it is allocated %d", p.name, limit[svc], svc, seen.alloc[svc])
				}
			}
		}
		r.adopt(p, seen, used, limit)
	}
	r.departed = s.departed
	r.behind = s.behind(r.w.page.now())
}

// adopt takes what was seen as the base of the next phase.
func (r *run) adopt(p *prof, seen *row, used, limit map[string]int64) {
	p.used, p.limit = used, limit
	p.cycleEnd, p.over, p.leased = seen.cycle.end, seen.cycle.end <= r.w.page.now().UnixMilli(), seen.leased
	p.total = map[string]int64{}
	for _, svc := range services {
		p.total[svc] = seen.total(svc)
	}
	p.count = int64(len(seen.devices))
	p.marked = map[string]int64{}
	for _, svc := range services {
		if !p.over || svc == "data_records" {
			p.marked[svc] = seen.cycle.over[svc]
		}
	}
	p.auto = seen.auto
	p.alloc, p.first = map[string]int64{}, seen.alloc
	for svc, n := range seen.alloc {
		p.alloc[svc] = n
	}
}

// total is what a profile has used of a flow in all its cycles.
func (s *row) total(svc string) (n int64) {
	if s.cycle != nil {
		n = s.cycle.used[svc]
	}
	for _, c := range s.past {
		if s.cycle != nil && c.start == s.cycle.start {
			continue
		}
		n += c.used[svc]
	}
	return n
}

func (r *run) summary(p *prof) (used, limit map[string]int64) {
	var out summary
	a := &act{kind: "summary", prof: p}
	r.call(a, "GET", "/profile/"+p.id+"/summary", r.ownerToken(nil), nil, "", &out)
	if a.status != 200 {
		r.fail("a summary is refused", "profile %s: %d %s", p.name, a.status, a.message)
	}
	used, limit = map[string]int64{}, map[string]int64{}
	for _, svc := range services {
		used[svc], limit[svc] = int64(out.Used[svc]), int64(out.Limit[svc])
	}
	for svc, n := range out.Used {
		if n != 0 && !slices.Contains(services, svc) {
			r.fail("a service that nobody uses is used", "profile %s: %v of %s", p.name, n, svc)
		}
	}
	return used, limit
}

// volatile says that retention may take points off a device of the profile.
func (r *run) volatile(p *prof) bool {
	for _, d := range r.devices {
		if d.prof == p && d.ages(r.w.page.now()) {
			return true
		}
	}
	return false
}

// ages says that retention may have taken points of the device that it still held.
func (d *dev) ages(now time.Time) bool {
	for _, s := range d.sends {
		if s.aged(now) && (s.kept > 0 || s.fresh) {
			return true
		}
	}
	return false
}

func (s *send) aged(now time.Time) bool {
	return !s.dev.mutable() && now.Sub(s.oldest) > s.dev.keeps()
}

// lose counts what a killed server may have held of rates.
func (r *run) lose() {
	for _, m := range []struct {
		route string
		limit int64
	}{{"POST /data", r.plan.posts}, {"GET /data", r.plan.gets}} {
		if m.limit == 0 {
			continue
		}
		for _, p := range r.profiles {
			r.rateOf(p, m.route, r.w.page.now()).lost += max(1, m.limit/100)
		}
	}
}

func (r *run) rateOf(p *prof, route string, t time.Time) *rate {
	k := rateKey{p, route, t.Unix() / 60}
	if r.rates[k] == nil {
		r.rates[k] = &rate{}
	}
	return r.rates[k]
}

// check compares what is there with what was asked and answered. lost says that a server was killed.
func (r *run) check(lost bool) {
	defer r.fig.time("check")()
	s, err := r.w.look(r.owner.Account)
	r.must(err, "look at the database")
	acts := r.acts
	r.behind = r.behind || s.behind(r.w.page.now())
	defer func() { r.behind = s.behind(r.w.page.now()) }()
	r.asked = acts
	r.story = append(r.story, acts)
	r.summaries = map[*prof][2]map[string]int64{}
	r.acts = nil
	r.settle(s)
	for _, p := range r.living() {
		if p.token == "" {
			if a := r.mint(p); a.status/100 != 2 {
				r.fail("a token is refused", "profile %s: %d %s", p.name, a.status, a.message)
			}
		}
	}
	for _, a := range acts {
		r.judge(a, acts)
	}
	r.judgeRates(acts)
	r.wholeAllocations(s, acts)
	r.account(s)
	for _, p := range r.profiles {
		if seen := s.profiles[p.id]; seen != nil {
			r.points(p, seen)
			r.figures(p, seen, acts, lost)
		}
	}
	for _, a := range acts {
		for _, v := range a.values {
			tag, _, _ := strings.Cut(v, ".")
			if sent := r.sends[tag]; sent == nil || sent.dev != a.dev || sent.state == refused {
				r.fail("a point is read that was never stored", "%v of device %s answers %q", a.step, a.dev.name, v)
			}
		}
	}
	for _, d := range r.devices {
		d.removing = false
	}
	for _, sent := range r.sends {
		sent.fresh = false
	}
	for _, p := range r.profiles {
		if p.gone {
			p.fresh = false
		}
	}
}

// settle finds out what became of profiles and devices that nobody was told of.
func (r *run) settle(s *sight) {
	known := map[string]*prof{}
	for _, p := range r.profiles {
		if p.id == "" { // its creation was not answered
			for id, seen := range s.profiles {
				if seen.name == p.name {
					p.id = id
				}
			}
			if p.id == "" {
				p.gone, p.alive = true, at(0)
				continue
			}
		}
		known[p.id] = p
		seen := s.profiles[p.id]
		if seen == nil {
			r.fail("a profile is lost", "profile %s is not in the database", p.name)
		}
		lo, hi := p.alive.over(r.seq, r.seq)
		switch {
		case seen.deleted && hi == 1 && lo == 1 && !p.gone:
			r.fail("a profile is deleted that nobody deleted", "profile %s", p.name)
		case !seen.deleted && hi == 0:
			r.fail("a deleted profile lives", "profile %s", p.name)
		}
		p.gone = seen.deleted
		p.paused = false
		if !p.gone {
			lo, hi := p.active.over(r.seq, r.seq)
			paused, err := r.isPaused(p)
			r.must(err, "look at a profile")
			if paused && lo == 1 || !paused && hi == 0 {
				r.fail("a pause is lost", "profile %s: paused %v", p.name, paused)
			}
			p.paused = paused
			r.settlePolicies(p)
		}
	}
	for id, seen := range s.profiles {
		if known[id] == nil {
			r.fail("a profile is there that was refused", "profile %s", seen.name)
		}
	}
	byName := map[string]*dev{}
	for _, d := range r.devices {
		byName[d.name] = d
	}
	here := map[*dev]bool{}
	for _, seen := range s.profiles {
		for id, name := range seen.devices {
			d := byName[name]
			if d == nil || d.prof.id != seen.id {
				r.fail("a device is there that was refused", "device %s", name)
			}
			d.id = id
			here[d] = true
		}
	}
	for _, d := range r.devices {
		if d.prof.gone || d.gone {
			d.gone = true
			continue
		}
		lo, hi := d.alive.over(r.seq, r.seq)
		switch {
		case here[d] && hi == 0:
			r.fail("a deleted device lives", "device %s", d.name)
		case !here[d] && lo == 1 && d.token != "":
			r.fail("a device is lost", "device %s", d.name)
		}
		d.gone = !here[d]
	}
}

// settlePolicies looks which policies a profile has.
func (r *run) settlePolicies(p *prof) {
	a := &act{kind: "policies", prof: p}
	var out map[string]string
	if r.call(a, "GET", "/profile/"+p.id+"/policies", r.ownerToken(nil), nil, "", &out); a.status != 200 {
		r.fail("policies are refused", "profile %s: %d %s", p.name, a.status, a.message)
	}
	for _, svc := range services {
		is := int64(slices.Index(policies, out[svc]))
		if !p.policies[svc].may(is, r.seq) {
			r.fail("a policy is not what was set", "profile %s: %s is %s", p.name, svc, out[svc])
		}
		p.policy[svc] = is
	}
}

func (r *run) isPaused(p *prof) (paused bool, err error) {
	err = r.w.eyes.QueryRow("SELECT paused FROM profile WHERE id = $1", p.id).Scan(&paused)
	return paused, err
}

// bounds are what a profile may have used of a service when a request came and when it was answered, without
// that request and without what was marked as overage.
func (r *run) bounds(p *prof, svc string, a *act, acts []*act) (lo, hi int64) {
	lo, hi = p.used[svc]-p.marked[svc], p.used[svc]-p.marked[svc]
	_, policy := p.policies[svc].over(0, a.end)
	removed := false
	for _, o := range acts {
		if o == a || o.prof != p || o.after {
			continue
		}
		switch {
		case (svc == "output") != (o.kind == Read || o.kind == Count) && o.kind != Delete && o.kind != Empty && o.kind != Remove:
			continue
		case o.kind == Delete || o.kind == Empty || o.kind == Remove:
			removed = removed || o.start < a.end
		case o.kind != Send && o.kind != Read && o.kind != Count && o.kind != "repeated":
			continue
		case o.status/100 == 2:
			if o.start < a.end {
				hi += o.n
			}
			if o.end < a.start && policy != overage {
				lo += o.n
			}
		case o.status == 0 && o.start < a.end:
			hi += max(o.n, o.most)
		}
	}
	if svc == "data_records" && (removed || r.volatile(p)) {
		lo = 0
	}
	return lo, hi
}

// judge says whether an answer was right.
func (r *run) judge(a *act, acts []*act) {
	if a.status <= 0 {
		return
	}
	wrong := func(rule, format string, args ...any) {
		r.fail(rule, "%v: %d %s\n%s", a.step, a.status, a.message, fmt.Sprintf(format, args...))
	}
	if a.status >= 500 {
		wrong("an answer is 5xx", "\n%s", r.w.log())
	}
	p := a.prof
	aliveLo, aliveHi := int64(1), int64(1)
	if p.alive != nil {
		aliveLo, aliveHi = p.alive.over(a.start, a.end)
	}
	if a.dev != nil && a.kind != Make {
		lo, hi := a.dev.alive.over(a.start, a.end)
		aliveLo, aliveHi = min(aliveLo, lo), min(aliveHi, hi)
	}
	activeLo, activeHi := p.active.over(a.start, a.end)
	if a.after && p.paused {
		activeLo, activeHi = 0, 0
	}
	switch a.kind {
	case Send, Read, Count, Delete, Empty, Remove, Make, "repeated":
		ok := a.status/100 == 2
		if ok && aliveHi == 0 {
			wrong("what is deleted answers", "")
		}
		if ok && activeHi == 0 && a.kind != Make && a.kind != Remove {
			wrong("what is paused answers", "")
		}
		switch a.status {
		case 401, 404:
			if aliveLo == 1 {
				wrong("what lives is not found", "")
			}
			return
		case 403:
			if aliveLo == 1 && activeLo == 1 {
				wrong("what lives is forbidden", "")
			}
			return
		case 400:
			if a.kind != Delete || a.dev.mutable() {
				wrong("a good request is called bad", "")
			}
			return
		case 429:
			if a.kind == Send && r.plan.posts > 0 || (a.kind == Read || a.kind == Count) && r.plan.gets > 0 {
				return
			}
			wrong("a request is refused by a rate that is not there", "")
		case 402:
		default:
			if !ok {
				wrong("an answer is unexpected", "")
			}
		}
		r.judgeLimit(a, acts, wrong)
	case Allocate:
		r.judgeAllocation(a, acts, wrong)
	case Found:
		n := r.countAt(a)
		if a.status == 402 && a.limit == "profile" && n < r.plan.profiles {
			wrong("a profile is refused below the cap", "there are %d of %d", n, r.plan.profiles)
		}
		if a.status/100 == 2 && n >= r.plan.profiles {
			wrong("a profile is made beyond the cap", "there are %d of %d", n, r.plan.profiles)
		}
		if a.status/100 != 2 && a.status != 402 && !(a.status == 400 && a.like != nil && !a.like.alive.is(1, a.start)) {
			wrong("an answer is unexpected", "")
		}
	case End:
		if a.status/100 != 2 && a.status != 409 && !(a.status == 404 && aliveLo == 0) {
			wrong("an answer is unexpected", "")
		}
		if n := r.countAt(a); a.status/100 == 2 && n < 2 || a.status == 409 && n > 1 {
			wrong("the last profile goes, or another stays", "there are %d", n)
		}
	case Pause, Resume, Policy:
		if a.status/100 != 2 && !(a.status == 404 && aliveLo == 0) {
			wrong("an answer is unexpected", "")
		}
	}
}

// countAt is how many profiles there are when a request about one comes.
func (r *run) countAt(a *act) (n int64) {
	for _, q := range r.profiles {
		if !(q == a.prof && a.kind == Found) && q.known(a.start) && !q.alive.is(0, a.start) {
			n++
		}
	}
	return n
}

// is says that a figure was v for sure at a time.
func (t *timeline) is(v, when int64) bool {
	lo, hi := t.over(when, when)
	return lo == v && hi == v
}

// known says that a profile was there before a time of this phase.
func (p *prof) known(when int64) bool { return !p.fresh || p.born < when }

// judgeLimit says whether a request was rightly taken or refused by services and caps.
func (r *run) judgeLimit(a *act, acts []*act, wrong func(string, string, ...any)) {
	ok := a.status/100 == 2
	if a.kind == Make {
		lo, hi := a.prof.count, a.prof.count
		for _, o := range acts {
			if o == a || o.prof != a.prof {
				continue
			}
			switch {
			case o.kind == Make && (o.status/100 == 2 || o.status == 0):
				if o.start < a.end {
					hi++
				}
				if o.end < a.start && o.status != 0 {
					lo++
				}
			case o.kind == Remove && (o.status/100 == 2 || o.status == 0) && o.start < a.end:
				lo--
			}
		}
		if ok && lo >= r.plan.devices {
			wrong("a device is made beyond the cap", "profile %s has %d to %d of %d", a.prof.name, lo, hi, r.plan.devices)
		}
		if !ok && (a.limit != "device" || hi < r.plan.devices) {
			wrong("a device is refused below the cap", "profile %s has %d to %d of %d", a.prof.name, lo, hi, r.plan.devices)
		}
		return
	}
	if r.tick || r.behind || a.after || a.kind == Delete || a.kind == Empty || a.kind == Remove {
		if a.status == 402 && (a.kind == Delete || a.kind == Empty || a.kind == Remove) {
			wrong("a deletion is refused by a limit", "")
		}
		return
	}
	of := []string{"input", "data_records"}
	n := a.n
	if a.kind == Read || a.kind == Count {
		of = []string{"output"}
		if !ok {
			n = a.needed
		}
	}
	if !ok && !slices.Contains(of, a.limit) {
		wrong("a request is refused by the limit of another service", "limit %q", a.limit)
	}
	for _, svc := range of {
		usedLo, usedHi := r.bounds(a.prof, svc, a, acts)
		allowedLo, allowedHi := a.prof.allowed[svc].over(a.start, a.end)
		policyLo, policyHi := a.prof.policies[svc].over(a.start, a.end)
		if policyHi == pool {
			allowedHi = max(allowedHi, r.pool(svc))
		}
		if policyHi == overage {
			allowedHi = 1 << 60
		}
		if !ok && svc == a.limit && policyLo == overage {
			wrong("overage is refused", "profile %s: %s", a.prof.name, svc)
		}
		if ok && n > 0 && usedLo+n > allowedHi {
			wrong("a limit is passed", "profile %s: %d more of %s after at least %d of at most %d", a.prof.name, n, svc, usedLo, allowedHi)
		}
		if !ok && svc == a.limit && usedHi+n <= allowedLo {
			wrong("what fits is refused", "profile %s: %d more of %s after at most %d of at least %d", a.prof.name, n, svc, usedHi, allowedLo)
		}
	}
}

func (r *run) judgeAllocation(a *act, acts []*act, wrong func(string, string, ...any)) {
	alive := 0
	for _, q := range r.profiles {
		if q.known(a.start) {
			lo, hi := q.alive.over(a.start, a.end)
			if lo != hi {
				return // somebody comes or goes: too much may be right
			}
			if hi == 1 && q.allowed != nil {
				alive++
			}
		}
	}
	for _, o := range acts {
		if (o.kind == Found || o.kind == End) && o.start < a.end && (o.status/100 == 2 || o.status == 0) {
			return
		}
	}
	if a.status == 409 && alive == 1 {
		return
	}
	if a.status/100 != 2 && a.status != 400 {
		wrong("an answer is unexpected", "%d profiles live", alive)
	}
	if alive == 1 {
		wrong("the only profile is allocated", "")
	}
	if r.tick || r.behind {
		return
	}
	// Judged as docs/limits.md says: what is raised must fit into the pool, with what is allocated and with what was used.
	fits, mayFit := true, true
	for _, svc := range services {
		raised := false
		var allocated, takenLo, takenHi int64
		for _, q := range r.profiles {
			if q.allowed == nil || q.fresh || q.alive.is(0, a.start) {
				continue
			}
			before, after := q.allocAt(svc, a, acts)
			if after > before {
				raised = true
			}
			allocated += after
			lo, hi := r.bounds(q, svc, a, acts)
			allowedLo, allowedHi := q.allowedBefore(svc, a.start)
			switch {
			case after > before:
				allowedLo, allowedHi = after, after
			case after < before:
				allowedLo, allowedHi = min(allowedLo, after), min(allowedHi, after)
			}
			takenLo += max(lo, allowedLo)
			takenHi += max(hi+q.marked[svc], allowedHi) // a larger limit takes in what was marked of a stock
		}
		if !raised {
			continue
		}
		takenLo += r.departed[svc]
		takenHi += r.departed[svc]
		if allocated > r.pool(svc) || takenHi > r.pool(svc) {
			fits = false
		}
		if allocated > r.pool(svc) || takenLo > r.pool(svc) {
			mayFit = false
		}
	}
	if a.status == 400 && fits {
		wrong("an allocation that fits is refused", "")
	}
	if a.status/100 == 2 && !mayFit {
		wrong("an allocation is taken that does not fit", "")
	}
}

// allowedBefore is what a profile may have used when a request came.
func (p *prof) allowedBefore(svc string, when int64) (lo, hi int64) {
	return p.allowed[svc].over(when-1, when-1)
}

// allocAt is what a profile had before and would have after an allocation.
func (p *prof) allocAt(svc string, a *act, acts []*act) (before, after int64) {
	before = p.first[svc]
	for _, o := range acts {
		if o.kind != Allocate || o.status/100 != 2 || o.end > a.start {
			continue
		}
		for _, row := range o.rows {
			if n, ok := row.amounts[svc]; ok && row.prof == p {
				before = n
			}
		}
	}
	after = before
	for _, row := range a.rows {
		if n, ok := row.amounts[svc]; ok && row.prof == p {
			after = n
		}
	}
	return before, after
}

// judgeRates counts what passed in each minute.
func (r *run) judgeRates(acts []*act) {
	if r.plan.posts == 0 {
		return
	}
	limits := map[string]int64{"POST /data": r.plan.posts, "GET /data": r.plan.gets}
	for _, a := range acts {
		route := ""
		switch a.kind {
		case Send, "repeated":
			route = "POST /data"
		case Read, Count:
			route = "GET /data"
		default:
			continue
		}
		m := a.from.Unix() / 60
		if a.to.Unix()/60 != m {
			for ; m <= a.to.Unix()/60; m++ {
				r.doubt[m] = true
			}
			continue
		}
		k := r.rateOf(a.prof, route, a.from)
		lo := int64(1)
		if a.dev != nil {
			lo, _ = a.dev.alive.over(a.start, a.end)
			plo, _ := a.prof.alive.over(a.start, a.end)
			lo = min(lo, plo)
		}
		switch {
		case a.status == neverSent:
		case a.status == 429:
			k.refused++
		case a.status == 0, lo == 0 && a.status/100 != 2:
			k.maybe++
		case a.status == 401:
		default:
			k.passed++
		}
	}
	for k, v := range r.rates {
		if r.doubt[k.minute] {
			continue
		}
		limit := limits[k.route]
		if v.passed > limit {
			r.fail("a rate is passed", "profile %s: %d requests %s in a minute, %d are allowed", k.prof.name, v.passed, k.route, limit)
		}
		if v.refused > 0 && v.passed+v.maybe+v.lost < limit {
			r.fail("a rate refuses what fits", "profile %s: %d requests %s in a minute passed, %d perhaps, %d lost at most, %d were refused; %d are allowed",
				k.prof.name, v.passed, k.route, v.maybe, v.lost, v.refused, limit)
		}
	}
}

// account compares what the profiles of the account share.
func (r *run) account(s *sight) {
	now := r.w.page.now().UnixMilli()
	for _, svc := range services {
		var allocated, taken int64
		perCycle := map[int64]int64{}
		mixed := false
		for _, p := range s.profiles {
			for _, c := range p.past {
				if p.cycle == nil || c.start != p.cycle.start {
					perCycle[c.end] += c.regular(svc)
				}
			}
			if p.cycle == nil {
				continue
			}
			perCycle[p.cycle.end] += p.cycle.regular(svc)
			used, allowed := p.cycle.regular(svc), p.cycle.allowed[svc]
			if p.cycle.end <= now {
				allowed = p.alloc[svc]
				if svc != "data_records" {
					used = 0
				}
			}
			mixed = mixed || p.cycle.start > now
			allocated += p.alloc[svc]
			taken += max(used, allowed)
		}
		if allocated > r.pool(svc) {
			r.fail("allocations exceed the pool", "%d of %s are allocated, the pool has %d", allocated, svc, r.pool(svc))
		}
		if taken += s.departed[svc]; taken > r.pool(svc) && !mixed {
			r.fail("more may be used than there is", "%d of %s, the pool has %d", taken, svc, r.pool(svc))
		}
		if svc == "data_records" {
			continue
		}
		for end, n := range perCycle {
			if n > r.pool(svc) {
				r.fail("an account uses more than its pool in a cycle", "%d of %s in the cycle to %s, the pool has %d; %s",
					n, svc, time.UnixMilli(end).UTC(), r.pool(svc), show(s))
			}
		}
	}
	r.departed = s.departed
}

func show(s *sight) string {
	var b strings.Builder
	for _, p := range s.profiles {
		fmt.Fprintf(&b, "\n  %s deleted=%v alloc=%v", p.name, p.deleted, p.alloc)
		for _, c := range append(slices.Clone(p.past), p.current()...) {
			fmt.Fprintf(&b, "\n    %s – %s used %v over %v allowed %v", time.UnixMilli(c.start).UTC(), time.UnixMilli(c.end).UTC(), c.used, c.over, c.allowed)
		}
	}
	return b.String()
}

// behind says that a profile has begun a cycle which a clock has not reached. Others may be in the one before, and go
// to that one whenever somebody looks at the account as a whole.
func (s *sight) behind(now time.Time) bool {
	for _, p := range s.profiles {
		if p.cycle != nil && p.cycle.start > now.UnixMilli() {
			return true
		}
	}
	return false
}

func (s *row) current() []cycle {
	if s.cycle == nil {
		return nil
	}
	return []cycle{*s.cycle}
}

// points compares the points that are there with those that were sent.
func (r *run) points(p *prof, seen *row) {
	if p.gone {
		return
	}
	if seen.held != int64(len(seen.devices)) {
		r.fail("devices are counted wrongly", "profile %s has %d, held says %d", p.name, len(seen.devices), seen.held)
	}
	if int64(len(seen.devices)) > r.plan.devices {
		r.fail("a cap is passed", "profile %s has %d devices of %d", p.name, len(seen.devices), r.plan.devices)
	}
	var all int64
	now := r.w.page.now()
	for _, d := range r.devices {
		if d.prof != p || d.gone {
			continue
		}
		there := map[string]int64{}
		once := map[string]bool{}
		for _, v := range seen.points[d.id] {
			if once[v] {
				r.fail("a point is stored twice", "device %s: %q", d.name, v)
			}
			once[v] = true
			tag, _, _ := strings.Cut(v, ".")
			there[tag]++
			if s := r.sends[tag]; s == nil || s.dev != d {
				r.fail("a point is stored that nobody sent", "device %s: %q", d.name, v)
			}
		}
		n := int64(len(seen.points[d.id]))
		all += n
		if seen.chunks[d.id] != n {
			r.fail("a device counts its points wrongly", "device %s holds %d, its chunks say %d", d.name, n, seen.chunks[d.id])
		}
		var before, fresh int64
		for _, s := range d.sends {
			k := there[s.tag]
			loose := d.removing || s.aged(now)
			if !s.fresh {
				before += s.kept
				if k != s.kept && !(loose && k < s.kept) {
					r.fail("stored points change", "device %s: request %s had %d of %d points stored, now %d", d.name, s.tag, s.kept, s.n, k)
				}
				s.kept = k
				continue
			}
			switch s.state {
			case stored:
				fresh += s.n
				if k != s.n && !(loose && k < s.n) {
					r.fail("an acknowledged request is not stored whole", "device %s: request %s has %d of %d points stored", d.name, s.tag, k, s.n)
				}
			case refused:
				if k != 0 {
					r.fail("a refused request is stored", "device %s: request %s has %d of %d points stored", d.name, s.tag, k, s.n)
				}
			case unknown:
				if k != 0 && k != s.n && !loose {
					r.fail("a request is stored in part", "device %s: request %s has %d of %d points stored", d.name, s.tag, k, s.n)
				}
			}
			s.kept = k
		}
		r.deletions(d, before, fresh, n, now)
	}
	if seen.cycle == nil {
		r.fail("a profile has no counter", "profile %s", p.name)
	}
	if got := seen.cycle.used["data_records"]; got != all {
		r.fail("stored points and data_records differ", "profile %s holds %d, data_records says %d", p.name, all, got)
	}
}

// deletions compares what deletions said with what is gone, where nothing else can have taken points away.
func (r *run) deletions(d *dev, before, fresh, n int64, now time.Time) {
	if !d.removing || d.ages(now) {
		return
	}
	var removed int64
	for _, a := range r.asked {
		if a.dev != d {
			continue
		}
		if a.status == 0 || a.kind == "repeated" || (a.kind == Empty && a.status/100 == 2) {
			return
		}
		if a.kind == Delete && a.status/100 == 2 {
			removed += a.n
		}
	}
	if before+fresh-removed != n {
		r.fail("a deletion says another number than it deletes", "device %s held %d, %d were added and %d removed, %d are there", d.name, before, fresh, removed, n)
	}
}

// figures compares what is metered with what was answered.
func (r *run) figures(p *prof, seen *row, acts []*act, lost bool) {
	for _, svc := range []string{"input", "output"} {
		var sure, perhaps int64
		for _, a := range acts {
			if a.prof != p || (svc == "output") != (a.kind == Read || a.kind == Count) || svc == "input" && a.kind != Send {
				continue
			}
			switch {
			case a.status/100 == 2:
				sure += a.n
			case a.status == 0 && svc == "output":
				perhaps += a.most
			case a.status == 0 && a.dev.removing || a.status == 0 && a.dev.gone || a.status == 0 && a.send.aged(r.w.page.now()):
				perhaps += a.n
			case a.status == 0:
				sure += a.send.kept
			}
		}
		if svc == "input" {
			got := seen.total(svc) - p.total[svc]
			if got < sure || got > sure+perhaps {
				r.fail("input is not what was stored", "profile %s was metered %d more of input; %d were stored, %d perhaps%s", p.name, got, sure, perhaps, show(&sight{profiles: map[string]*row{p.id: seen}}))
			}
			continue
		}
		if lost {
			perhaps += max(1, r.pool(svc)/100)
		}
		if got := seen.total(svc); got-p.total[svc]+p.leased < sure { // leases are in it
			r.fail("output is less than what was answered", "profile %s was metered %d more of output, %d were answered", p.name, got-p.total[svc], sure)
		}
		if p.gone || r.tick || r.behind {
			continue
		}
		used, _ := r.summaryOnce(p)
		if got := used[svc] - p.used[svc]; got < sure || got > sure+perhaps {
			r.fail("output is not what was answered", "profile %s was metered %d more of output; %d were answered, %d perhaps", p.name, got, sure, perhaps)
		}
	}
	for _, svc := range services {
		p.total[svc] = seen.total(svc)
	}
	p.leased = seen.leased
	if p.gone {
		return
	}
	used, limit := r.summaryOnce(p)
	steady := true
	for _, svc := range services {
		_, most := p.allowed[svc].over(0, r.seq)
		if r.tick || r.behind {
			most = r.pool(svc)
		}
		before := p.used[svc]
		if lost && svc == "output" {
			before += max(1, r.pool(svc)/100) // what the server that was killed had leased was counted before
		}
		if _, policy := p.policies[svc].over(0, r.seq); policy != block {
			most = 1 << 60 // the account's pool is looked at elsewhere
		}
		most += p.marked[svc]
		if used[svc] > limit[svc] && used[svc] > before && used[svc] > most {
			r.fail("a limit is passed", "profile %s has used %d of %s, before %d; at most %d were allowed", p.name, used[svc], svc, p.used[svc], most)
		}
		if want, known := p.alloc[svc]; known && seen.alloc[svc] != want && !r.openAllocation(p, acts) {
			r.fail("an allocation is not what was set", "profile %s has %d of %s, set were %d", p.name, seen.alloc[svc], svc, want)
		}
		steady = steady && p.allowed[svc].steady() && p.policies[svc].steady() && p.policies[svc].is(block, r.seq)
		r.marks(p, svc, seen, acts)
	}
	if svc := "input"; used[svc] != seen.cycle.used[svc] && seen.cycle.end > r.w.page.now().UnixMilli() {
		r.fail("the API and the database differ", "profile %s has used %d of input by the API, %d in the database", p.name, used[svc], seen.cycle.used[svc])
	}
	if used["data_records"] != seen.cycle.used["data_records"] && !r.volatile(p) {
		r.fail("the API and the database differ", "profile %s holds %d by the API, %d in the database", p.name, used["data_records"], seen.cycle.used["data_records"])
	}
	// Whoever was refused a single point is at the limit, exactly.
	for _, a := range acts {
		if !a.full || a.prof != p || !steady || r.tick || r.behind || a.limit == "" {
			continue
		}
		emptied := false
		for _, o := range acts {
			emptied = emptied || o.prof == p && (o.kind == Delete || o.kind == Empty || o.kind == Remove || o.kind == End)
		}
		if a.limit == "data_records" && (emptied || r.volatile(p)) {
			continue
		}
		if used[a.limit]-seen.cycle.over[a.limit] < limit[a.limit] {
			r.fail("a limit is not used up", "profile %s was refused one point by %s at %d of %d", p.name, a.limit, used[a.limit], limit[a.limit])
		}
	}
	r.adopt(p, seen, used, limit)
}

// marks looks at what was marked as overage: what did not fit, to the unit, and nothing when the policy is another.
func (r *run) marks(p *prof, svc string, seen *row, acts []*act) {
	now := r.w.page.now().UnixMilli()
	if r.tick || r.behind || p.fresh || p.over || seen.cycle.end <= now || r.volatile(p) || !p.allowed[svc].steady() || !p.policies[svc].steady() {
		return
	}
	for _, a := range acts {
		if a.prof == p && (a.kind == Delete || a.kind == Empty || a.kind == Remove) || a.kind == Found || a.kind == End || a.kind == Allocate {
			return
		}
	}
	want := p.marked[svc]
	if p.policy[svc] == overage {
		if svc == "output" { // which is leased ahead
			return
		}
		before := p.used[svc] - p.marked[svc]
		want = seen.cycle.used[svc] - max(before, min(p.limit[svc], before+seen.cycle.used[svc]-p.used[svc]))
	}
	if got := seen.cycle.over[svc]; got != want {
		r.fail("overage is not what did not fit", "profile %s: %d of %s are marked, %d are over: used %d, before %d with %d marked, allowed %d",
			p.name, got, svc, want, seen.cycle.used[svc], p.used[svc], p.marked[svc], p.limit[svc])
	}
}

// openAllocation says that an allocation of this phase was not answered.
func (r *run) openAllocation(p *prof, acts []*act) bool {
	for _, a := range acts {
		if a.status == 0 && (a.kind == Allocate || a.kind == Found || a.kind == End) {
			return true
		}
	}
	return false
}

// wholeAllocations looks at allocations that were not answered: all rows are there or none.
func (r *run) wholeAllocations(s *sight, acts []*act) {
	open := 0
	for _, a := range acts {
		if a.kind == Allocate && a.status == 0 {
			open++
		}
	}
	if open > 1 {
		return // each may have been made after the other
	}
	for _, a := range acts {
		if a.kind != Allocate || a.status != 0 {
			continue
		}
		set, unset := 0, 0
		for _, row := range a.rows {
			seen := s.profiles[row.prof.id]
			if seen == nil || seen.alloc == nil {
				continue
			}
			for svc, n := range row.amounts {
				old, known := row.before[svc]
				switch {
				case !known || old == n:
				case seen.alloc[svc] == n:
					set++
				case seen.alloc[svc] == old:
					unset++
				default:
					r.fail("an allocation is not what was set", "profile %s has %d of %s, had %d, set were %d", row.prof.name, seen.alloc[svc], svc, old, n)
				}
			}
		}
		if set > 0 && unset > 0 {
			r.fail("an allocation is made in part", "%v: %d rows are set, %d not", a.step, set, unset)
		}
	}
}

// summaryOnce is the summary of a profile after the phase.
func (r *run) summaryOnce(p *prof) (used, limit map[string]int64) {
	if c, ok := r.summaries[p]; ok {
		return c[0], c[1]
	}
	used, limit = r.summary(p)
	r.summaries[p] = [2]map[string]int64{used, limit}
	return used, limit
}
