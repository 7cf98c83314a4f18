package histories

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// History is what happens to one fresh account, as rapid draws it. It is plain data, so that a failing one can be
// kept as a file and run again. Numbers that name a device or profile count those that live when the step begins.
type History struct {
	Plan    int // of plans
	Zone    int // of zones
	Devices []Step
	Phases  []Phase
}

// Phase is what happens at once: its lanes run side by side, each its steps in order. What is then there is
// compared with the model.
type Phase struct {
	Jump  int    // of jumps: the clock moves before the phase
	Pass  int    // when not 0: the server ends at the pass Pass …
	Place string // … of this place of package crash, or of any when ""
	Kill  int    // when not 0: the server is killed when so many steps have ended
	End   Ending
	Lanes [][]Step // steps about profiles stand in the first lane only
}

// Ending is what happens to the server when a phase is over.
type Ending int

const (
	Stay Ending = iota
	KillIt
	StopIt
)

// Kind is what a step does.
type Kind string

// The steps. A, B and C mean what run_test.go makes of them.
const (
	Send     Kind = "send"     // A device, B points, C how
	Fill     Kind = "fill"     // A device, B largest body: sends until not one point fits
	Read     Kind = "read"     // A device, B most rows
	Count    Kind = "count"    // A device
	Delete   Kind = "delete"   // A device, B most points
	Empty    Kind = "empty"    // A device
	Make     Kind = "make"     // A profile, B type
	Remove   Kind = "remove"   // A device
	Tick     Kind = "tick"     // A jump: the clock moves in the midst of the phase
	Allocate Kind = "allocate" // A profile, B tenths of the pool, C services and a second profile
	Found    Kind = "found"    // a profile is created; A how
	End      Kind = "end"      // A profile is deleted
	Pause    Kind = "pause"    // A profile
	Resume   Kind = "resume"   // A profile
	Policy   Kind = "policy"   // A profile, B of policies, C services
)

// Step is one thing that somebody does.
type Step struct {
	Do      Kind
	A, B, C int
}

func (s Step) String() string { return fmt.Sprintf("%s(%d,%d,%d)", s.Do, s.A, s.B, s.C) }

// String is a history for people.
func (h History) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s, zone %s, devices %v\n", plans[h.Plan].name, zones[h.Zone], h.Devices)
	for i, p := range h.Phases {
		fmt.Fprintf(&b, "phase %d:", i+1)
		if p.Jump != 0 {
			fmt.Fprintf(&b, " the clock moves (%s);", jumps[p.Jump].name)
		}
		if p.Pass > 0 {
			fmt.Fprintf(&b, " ends at %q, pass %d;", cmp.Or(p.Place, "any place"), p.Pass)
		}
		if p.Kill > 0 {
			fmt.Fprintf(&b, " killed after %d steps;", p.Kill)
		}
		b.WriteString([]string{"", " then killed", " then stopped"}[p.End] + "\n")
		for _, l := range p.Lanes {
			fmt.Fprintf(&b, "    %v\n", l)
		}
	}
	return b.String()
}

// size says how much there is in a history: of failing ones the smallest is shown.
func (h History) size() int {
	n := len(h.Devices) + 3*len(h.Phases)
	for _, p := range h.Phases {
		for _, l := range p.Lanes {
			n += 1 + 2*len(l)
		}
		if p.Jump != 0 {
			n++
		}
		if p.Pass != 0 || p.Kill != 0 || p.End != Stay {
			n++
		}
	}
	return n
}

// policies are what may happen at a limit, in the order in which they refuse less.
var policies = []string{"block", "pool", "overage"}

const (
	block = iota
	pool
	overage
)

var zones = []string{"UTC", "Asia/Kathmandu", "America/St_Johns"}

// jumps are how the clock moves. Those to the end of a cycle know the account's zone.
var jumps = []struct {
	name string
	to   func(now time.Time, zone *time.Location) time.Time
}{
	{"not", func(now time.Time, _ *time.Location) time.Time { return now }},
	{"+1 ms", after(time.Millisecond)},
	{"+3 s", after(3 * time.Second)},
	{"+70 s", after(70 * time.Second)},
	{"+16 min", after(16 * time.Minute)},
	{"+1 day", after(24 * time.Hour)},
	{"to the last second of the cycle", func(now time.Time, zone *time.Location) time.Time { return cycleEnd(now, zone).Add(-time.Second) }},
	{"to the next cycle", func(now time.Time, zone *time.Location) time.Time { return cycleEnd(now, zone) }},
	{"+40 days", after(40 * 24 * time.Hour)},
	{"-200 ms", after(-200 * time.Millisecond)},
	{"-20 s", after(-20 * time.Second)},
	{"-2 min", after(-2 * time.Minute)},
}

// Some of jumps.
const (
	lastSecond = 6
	nextCycle  = 7
	back       = 10
)

func after(d time.Duration) func(time.Time, *time.Location) time.Time {
	return func(now time.Time, _ *time.Location) time.Time { return now.Add(d) }
}

func cycleEnd(now time.Time, zone *time.Location) time.Time {
	y, m, _ := now.In(zone).Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, zone).UTC()
}

// place is one at which the server may end.
type place struct {
	name   string
	passes int
}

// places are those of package crash, with the passes after which it is worth to end there.
var places = []place{
	{"round before commit", 4},
	{"round after commit", 4},
	{"transaction before commit", 3},
	{"transaction after commit", 3},
	{"points before acknowledgement", 4},
	{"large body before a piece", 3},
	{"large body after a piece", 3},
	{"points detached, not released", 2},
	{"deletion after a slice", 2},
	{"lease taken, not spent", 3},
	{"leases before they are settled", 1},
	{"leases settled, not forgotten", 1},
	{"dead lease ended, not booked", 1},
	{"cycle remembered, not turned", 2},
	{"quarter booked, still open", 2},
	{"allocation of one profile written", 2},
	{"profile marked as deleted", 1},
	{"profile left, its counters still there", 1},
	{"profile purge between slices", 2},
	{"profile purge after a slice of points", 1},
	{"purge before a slice", 2},
	{"purge between points and series", 2},
	{"rate leased, not spent", 3},
	{"last inputs taken, not written", 1},
	{"uses of tokens taken, not written", 1},
}

// below draws a number from 0 to n-1, all alike. (rapid's own ranges prefer small numbers and bounds, by far.)
func below(t *rapid.T, name string, n int) int {
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for m := 1; m < 8*n; m *= 2 {
			v *= 2
			if rapid.Bool().Draw(t, "bit") {
				v++
			}
		}
		return v % n
	}).Draw(t, name)
}

// several draws 1 to most of something, all numbers alike.
func several[T any](t *rapid.T, name string, of *rapid.Generator[T], most int) []T {
	return rapid.SliceOfN(of, 1+below(t, "number", most), most).Draw(t, name)
}

// weighted draws an index by weights.
func weighted(t *rapid.T, name string, weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := below(t, name, sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("weights")
}

func drawStep(t *rapid.T) Step {
	kinds := []Kind{Send, Send, Read, Count, Delete, Make, Remove, Empty, Fill}
	s := Step{Do: kinds[weighted(t, "step", 30, 20, 14, 4, 6, 4, 3, 2, 2)], A: below(t, "A", 8)}
	switch s.Do {
	case Send:
		s.B = 1 + below(t, "points", []int{4, 40, 400, 990}[weighted(t, "size", 28, 10, 2, 1)])
		s.C = below(t, "how", 64)
	case Fill:
		s.B = 1 + below(t, "largest", 61)
		s.C = below(t, "how", 1001)
	case Read, Delete:
		s.B = 1 + below(t, "rows", []int{6, 100}[weighted(t, "size", 1, 1)])
	case Make:
		s.B = below(t, "type", 6)
	}
	return s
}

func drawOwnerStep(t *rapid.T) Step {
	kinds := []Kind{Allocate, Found, End, Pause, Resume, Policy}
	s := Step{Do: kinds[weighted(t, "owner", 10, 6, 3, 1, 2, 5)], A: below(t, "A", 8)}
	switch s.Do {
	case Allocate:
		s.B = below(t, "tenths", 121)
		s.C = below(t, "what", 64)
	case Policy:
		s.B, s.C = below(t, "policy", len(policies)), below(t, "services", 8)
	case Found:
		s.B = below(t, "how", 4)
	}
	return s
}

func drawPhase(t *rapid.T) Phase {
	p := Phase{
		Jump: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}[weighted(t, "jump", 40, 3, 4, 6, 4, 2, 5, 6, 2, 2, 3, 1)],
		End:  []Ending{Stay, KillIt, StopIt}[weighted(t, "end", 20, 1, 2)],
	}
	switch weighted(t, "crash", 8, 3, 6, 2) {
	case 1:
		place := places[below(t, "place", len(places))]
		p.Place, p.Pass = place.name, 1+below(t, "pass", place.passes)
	case 2:
		p.Pass = 1 + below(t, "pass", 12)
	case 3:
		p.Kill = 1 + below(t, "after", 12)
	}
	owner := weighted(t, "owner lane", 3, 2) == 1
	if owner {
		p.Lanes = append(p.Lanes, several(t, "owner's steps", rapid.Custom(drawOwnerStep), 4))
	} else {
		p.Lanes = append(p.Lanes, nil)
	}
	p.Lanes = append(p.Lanes, several(t, "lanes", rapid.Custom(func(t *rapid.T) []Step {
		return several(t, "steps", rapid.Custom(drawStep), 6)
	}), 5)...)
	if weighted(t, "tick", 9, 1) == 1 {
		s := Step{Do: Tick, A: 1 + below(t, "jump", len(jumps)-1)}
		l := 1 + below(t, "lane", len(p.Lanes)-1)
		p.Lanes[l] = append(p.Lanes[l], s)
	}
	return p
}

// Motifs are beginnings that chance alone would hardly find: each needs several things in their order. Device 0 is the
// account's first, device 1 that of the profile that is made.

// stepBack uses up one profile at the end of a cycle, begins the next with it alone, and then moves the pool to the
// other one, at a time before.
func stepBack(t *rapid.T) []Phase {
	return []Phase{
		{Lanes: [][]Step{{{Do: Found, B: below(t, "how", 4)}}}},
		{Jump: lastSecond, Lanes: [][]Step{nil, {{Do: Fill, A: 0, B: 90}, {Do: Empty, A: 0}}}},
		{Lanes: [][]Step{{{Do: Allocate, A: 0, B: 1 + below(t, "low", 20), C: 1}}}},
		{Jump: nextCycle, Lanes: [][]Step{nil, {{Do: Send, A: 0, B: 1}}}},
		{Jump: back, Lanes: [][]Step{{{Do: Allocate, A: 1, B: 50 + below(t, "high", 60), C: 1}, {Do: Policy, A: 1, B: below(t, "policy", 2), C: 1}}}},
		{Lanes: [][]Step{nil, {{Do: Fill, A: 1, B: 90}, {Do: Empty, A: 1}, {Do: Fill, A: 1, B: 90}, {Do: Empty, A: 1}, {Do: Fill, A: 1, B: 90}}}},
	}
}

// lowerLeased lowers what may be read below what was, while the server holds some of it in advance.
func lowerLeased(t *rapid.T) []Phase {
	reads := func(most int) (out []Step) {
		for range 2 + below(t, "reads", 3) {
			out = append(out, Step{Do: Read, A: 0, B: 1 + below(t, "rows", most)})
		}
		return out
	}
	return []Phase{
		{Lanes: [][]Step{{{Do: Found}}, {{Do: Send, A: 0, B: 100}}}},
		{Lanes: [][]Step{nil, reads(90)}},
		{Lanes: [][]Step{{{Do: Allocate, A: 0, B: below(t, "low", 4), C: 2}}}},
		{Lanes: [][]Step{nil, reads(3)}},
	}
}

// large sends bodies that are stored in pieces on SQLite, ends the server between two of them, or takes away meanwhile
// what they are sent to.
func large(t *rapid.T) []Phase {
	end := func() Phase {
		p := Phase{Lanes: [][]Step{nil, {{Do: Send, A: 0, B: 600 + below(t, "points", 390), C: below(t, "how", 64)}}}}
		place := places[slices.IndexFunc(places, func(p place) bool { return strings.HasPrefix(p.name, "large body") })+below(t, "place", 2)]
		if weighted(t, "crash", 1, 2) == 1 {
			p.Place, p.Pass = place.name, 1+below(t, "pass", place.passes)
		}
		for range 1 + below(t, "others", 3) {
			p.Lanes = append(p.Lanes, several(t, "steps", rapid.Custom(func(t *rapid.T) Step {
				return Step{Do: []Kind{Delete, Empty, Remove, Read, Send}[weighted(t, "step", 4, 3, 1, 2, 3)], A: 0, B: 1 + below(t, "rows", 100)}
			}), 4))
		}
		return p
	}
	return []Phase{end(), {Lanes: [][]Step{nil, {{Do: Empty, A: 0}}}, Jump: nextCycle}, end()}
}

func drawHistory(t *rapid.T) History {
	h := History{
		Plan: weighted(t, "plan", 1, 2, 3, 4, 2),
		Zone: weighted(t, "zone", 4, 1, 1),
	}
	h.Devices = several(t, "devices", rapid.Custom(func(t *rapid.T) Step {
		return Step{Do: Make, B: below(t, "type", 6)}
	}), 3)
	h.Phases = several(t, "phases", rapid.Custom(drawPhase), 6)
	switch weighted(t, "motif", 10, 1, 1, 1) {
	case 1:
		h.Plan, h.Devices, h.Phases = 3, []Step{{Do: Make}}, append(stepBack(t), h.Phases...)
	case 2:
		h.Plan, h.Devices, h.Phases = 3, []Step{{Do: Make}}, append(lowerLeased(t), h.Phases...)
	case 3:
		h.Plan, h.Devices, h.Phases = 3, []Step{{Do: Make, B: below(t, "type", 6)}}, append(large(t), h.Phases...)
	}
	for i := 1; i < len(h.Phases); i++ { // a clock that steps back over the end of a cycle, more often than by chance
		if h.Phases[i-1].Jump == nextCycle && weighted(t, "back", 1, 1) == 1 {
			h.Phases[i].Jump = back
		}
	}
	return h
}
