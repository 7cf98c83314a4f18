package alert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

const (
	shortest  = time.Minute
	longest   = 31 * 24 * time.Hour
	maxByTag  = 100              // rules for tags, of a profile
	grace     = 15 * time.Second // inputs are in the database by then, see device.Touch
	short     = 10 * time.Minute // rules up to this are looked at each time, others each fullEvery
	fullEvery = time.Minute
	openEach  = 5000             // silent devices looked at each time
	downAfter = 90 * time.Second // without a look before a process started: no server ran
	tagSlice  = 2000             // devices of a tag
	raiseRows = 100              // devices of a transaction
)

// Rule says how often a device should be heard, or each device that has a tag.
type Rule struct {
	Profile id.Profile
	ID      id.Rule
	Device  id.Device  // "" when it is for a tag
	Tag     device.Tag // when it is for a tag
	Every   int64      // milliseconds
	SetAt   int64      // UTC milliseconds: when Every was set
	Created int64

	resumed int64 // when the profile was, 0 for never
}

// RuleInput makes a rule: for a device or for a tag.
type RuleInput struct {
	Device   id.Device   `json:"device" description:"the device, or"`
	Tag      *device.Tag `json:"tag" description:"the tag whose devices are meant; found as in lists, ignoring case"`
	Interval int64       `json:"interval" description:"seconds within which the device should be heard, 60 to 2678400" example:"900"`
}

// Validate checks the shape of the input.
func (in RuleInput) Validate() error {
	switch {
	case in.Device == "" && in.Tag == nil:
		return fault.Field("device", "name a device, or a tag")
	case in.Device != "" && in.Tag != nil:
		return fault.Field("tag", "name a device or a tag, not both")
	case in.Tag != nil:
		if err := tag.Check("rule", []tag.Tag{*in.Tag}); err != nil {
			if f := fault.Of(err); strings.HasPrefix(f.Field, "tags[0]") {
				return fault.Field("tag"+strings.TrimPrefix(f.Field, "tags[0]"), "%s", strings.TrimPrefix(f.Message, f.Field+": "))
			}
			return err
		}
	}
	return checkInterval(in.Interval)
}

func checkInterval(seconds int64) error {
	if seconds < int64(shortest/time.Second) || seconds > int64(longest/time.Second) {
		return fault.Field("interval", "must be %d to %d seconds", int64(shortest/time.Second), int64(longest/time.Second))
	}
	return nil
}

var (
	errNoRule = fault.New(fault.NotFound, "Rule Not Found")
	errTwice  = fault.New(fault.Conflict, "There is a rule for this already: change that one")
)

func (r Rule) subject() string {
	if r.Device != "" {
		return "device " + string(r.Device)
	}
	return fmt.Sprintf("tag %s=%s", r.Tag.Key, r.Tag.Value)
}

func (r Rule) event(message string, before, after any) audit.Event {
	return audit.Event{Profile: r.Profile, Resource: "silence", ResourceID: string(r.ID), Message: message + " " + r.subject(), Before: before, After: after}
}

// CreateRule begins to expect a device, or the devices of a tag. It returns not_found for a device that is not the
// profile's, conflict when there is a rule for the same, limit_reached above a hundred rules for tags, forbidden for a tag
// to a caller who does not see all of its devices.
func (s *Service) CreateRule(ctx context.Context, who auth.Caller, p id.Profile, in RuleInput) (Rule, error) {
	if err := in.Validate(); err != nil {
		return Rule{}, err
	}
	now := s.now()
	r := Rule{Profile: p, ID: id.New[id.Rule](), Device: in.Device, Every: in.Interval * 1000, SetAt: now, Created: now}
	if in.Tag != nil {
		r.Tag = *in.Tag
		if err := s.devices.MayTag(who, r.Tag); err != nil {
			return Rule{}, err
		}
	} else if _, err := s.devices.View(ctx, who, p, in.Device); err != nil {
		return Rule{}, err
	}
	return r, s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		if r.Device != "" {
			if there, err := s.devices.Present(ctx, p, r.Device); err != nil || !there {
				return cmp.Or[error](err, fault.New(fault.NotFound, "Device Not Found"))
			}
			// A silence that a tag's rule found is this rule's from now on.
			if err := s.adopt(ctx, p, r.Device, r.ID); err != nil {
				return err
			}
		} else if n, err := s.countByTag(ctx, p); err != nil || n >= s.maxByTag {
			return cmp.Or[error](err, fault.New(fault.LimitReached, "A profile has at most %d rules for tags", s.maxByTag))
		}
		if done, err := s.insertRule(ctx, r); err != nil || !done {
			return cmp.Or[error](err, errTwice)
		}
		return s.audit.Write(ctx, who, r.event("Silence is told of", nil, r.record()))
	})
}

func (r Rule) record() map[string]any { return map[string]any{"interval": r.Every / 1000} }

// SetRule changes how often a rule's devices should be heard. A silence that is none any more ends.
func (s *Service) SetRule(ctx context.Context, who auth.Caller, p id.Profile, rid id.Rule, seconds int64) error {
	if err := checkInterval(seconds); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		r, found, err := s.rule(ctx, who, p, rid)
		if err != nil || !found {
			return cmp.Or[error](err, errNoRule)
		}
		before := r.record()
		r.Every, r.SetAt = seconds*1000, s.now()
		if err := s.updateRule(ctx, r); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, r.event("Interval changed of", before, r.record()))
	})
}

// DeleteRule ends a rule. Silences that it found end within seconds, without a recovery.
func (s *Service) DeleteRule(ctx context.Context, who auth.Caller, p id.Profile, rid id.Rule) error {
	return s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		r, found, err := s.rule(ctx, who, p, rid)
		if err != nil || !found {
			return cmp.Or[error](err, errNoRule)
		}
		if err := s.deleteRule(ctx, p, rid); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, r.event("Silence is no longer told of", r.record(), nil))
	})
}

// resumed begins the waiting anew for the devices of a profile; a hook of its resumption.
func (s *Service) resumed(ctx context.Context, p id.Profile) error {
	return s.setResumed(ctx, p, s.now())
}

// deviceEdited begins the waiting anew for a device that was switched on or got a tag with a rule, and ends the
// silence of one that lost the tag; a hook of its change.
func (s *Service) deviceEdited(ctx context.Context, before, after device.Device) error {
	on := after.Active && !before.Active
	if !on && slices.Equal(before.Tags, after.Tags) {
		return nil
	}
	p := after.Profile
	rules, err := s.rulesFor(ctx, p, after.ID)
	if err != nil || len(rules) == 0 {
		return err
	}
	gained := false
	of := map[id.Rule]bool{}
	for _, r := range rules {
		if r.Device != "" || r.matches(after.Tags) {
			of[r.ID] = true
			gained = gained || r.Device == "" && !r.matches(before.Tags)
		}
	}
	w, open, err := s.waitOf(ctx, p, after.ID)
	if err != nil {
		return err
	}
	if open && !of[w.rule] {
		if _, err := s.end(ctx, w, s.now()); err != nil {
			return err
		}
		open = false
	}
	if !open && (on || gained) {
		return s.waitAnew(ctx, p, after.ID, s.now())
	}
	return nil
}

func (r Rule) matches(tags []device.Tag) bool {
	return slices.ContainsFunc(tags, func(t device.Tag) bool {
		return strings.EqualFold(t.Key, r.Tag.Key) && strings.EqualFold(t.Value, r.Tag.Value)
	})
}

// deviceDeleted forgets a device; a hook of its deletion.
func (s *Service) deviceDeleted(ctx context.Context, p id.Profile, d id.Device) error {
	return s.forgetDevice(ctx, p, d)
}

// silenceLook is what one process remembers between looks.
type silenceLook struct {
	mu      sync.Mutex
	started int64 // when this process did
	known   bool  // gap is
	gap     span  // in which no server ran, before this process or an earlier one
	fullAt  int64 // the last look at all rules
	cursor  wait  // where the look at silent devices goes on
}

// span is a piece of time; to 0 for none.
type span struct{ from, to int64 }

// wait is a row of silence.
type wait struct {
	profile   id.Profile
	device    id.Device
	from      int64
	alert     id.Alert
	rule      id.Rule
	every     int64
	lastInput int64
}

// since is when the silence of a device began, as far as a rule is concerned.
func (r Rule) since(h device.Heard, from int64, gap span) int64 {
	t := h.LastInput
	if t == 0 {
		t = max(h.CreatedAt, r.SetAt)
	}
	t = max(t, from, r.resumed)
	if t < gap.to {
		t += gap.to - max(t, gap.from)
	}
	return t
}

// LookSilence looks for devices that have become silent and for silent ones that are heard again.
func (s *Service) LookSilence(ctx context.Context) error {
	l := &s.silence
	l.mu.Lock()
	defer l.mu.Unlock()
	now := s.now()
	if !l.known {
		gap, err := s.openGap(ctx, l.started, downAfter.Milliseconds())
		if err != nil {
			return err
		}
		l.gap, l.known = gap, true
	}
	if err := s.lookAtSilent(ctx, l, now); err != nil {
		return err
	}
	full := l.fullAt == 0 || now-l.fullAt >= fullEvery.Milliseconds() || now < l.fullAt
	most := short.Milliseconds()
	if full {
		most = longest.Milliseconds()
	}
	var after Rule
	for {
		rules, err := s.rules(ctx, after, most, page)
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			break
		}
		if err := s.lookByRules(ctx, rules, l.gap, now); err != nil {
			return err
		}
		after = rules[len(rules)-1]
	}
	if !full {
		return nil
	}
	l.fullAt = now
	return s.looked(ctx, now)
}

// suspect is a device that a rule finds silent.
type suspect struct {
	rule  Rule
	heard device.Heard
	from  int64
}

// lookByRules looks for silent devices by rules of any profiles.
func (s *Service) lookByRules(ctx context.Context, rules []Rule, gap span, now int64) error {
	byProfile := map[id.Profile][]Rule{}
	var order []id.Profile
	for _, r := range rules {
		if byProfile[r.Profile] == nil {
			order = append(order, r.Profile)
		}
		byProfile[r.Profile] = append(byProfile[r.Profile], r)
	}
	for _, p := range order {
		pr, err := s.profiles.Get(ctx, p)
		if fault.Is(err, fault.NotFound) || err == nil && pr.Paused {
			continue
		}
		if err != nil {
			return err
		}
		own := map[id.Device]Rule{}
		var ds []id.Device
		for _, r := range byProfile[p] {
			if r.Device != "" {
				own[r.Device] = r
				ds = append(ds, r.Device)
				continue
			}
			if err := s.lookByTag(ctx, pr, r, gap, now); err != nil {
				return err
			}
		}
		heard, err := s.devices.Heard(ctx, p, ds)
		if err != nil {
			return err
		}
		var found []suspect
		for _, h := range heard {
			found = append(found, suspect{rule: own[h.ID], heard: h})
		}
		if err := s.suspected(ctx, pr, found, gap, now); err != nil {
			return err
		}
	}
	return nil
}

// lookByTag looks for silent devices of a tag.
func (s *Service) lookByTag(ctx context.Context, p profile.Profile, r Rule, gap span, now int64) error {
	for after := id.Device(""); ; {
		heard, last, err := s.devices.Unheard(ctx, p.ID, r.Tag, now-r.Every-grace.Milliseconds(), after, s.tagSlice)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(heard, page) {
			ds := make([]id.Device, len(part))
			for i, h := range part {
				ds[i] = h.ID
			}
			own, err := s.withRules(ctx, p.ID, ds)
			if err != nil {
				return err
			}
			var found []suspect
			for _, h := range part {
				if !own[h.ID] {
					found = append(found, suspect{rule: r, heard: h})
				}
			}
			if err := s.suspected(ctx, p, found, gap, now); err != nil {
				return err
			}
		}
		if last == "" {
			return nil
		}
		after = last
	}
}

// suspected raises the alerts of those that are silent and were not told.
func (s *Service) suspected(ctx context.Context, p profile.Profile, found []suspect, gap span, now int64) error {
	silent := func(x suspect) bool {
		return x.heard.Active && now-x.rule.since(x.heard, x.from, gap) > x.rule.Every+grace.Milliseconds()
	}
	found = slices.DeleteFunc(found, func(x suspect) bool { return !silent(x) })
	for part := range slices.Chunk(found, raiseRows) {
		ds := make([]id.Device, len(part))
		for i, x := range part {
			ds[i] = x.heard.ID
		}
		waits, err := s.waits(ctx, p.ID, ds)
		if err != nil {
			return err
		}
		var fresh []suspect
		for _, x := range part {
			w := waits[x.heard.ID]
			x.from = w.from
			if w.alert == "" && silent(x) {
				fresh = append(fresh, x)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		if err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, p.ID), 2*len(fresh)), func(ctx context.Context) error {
			return s.raiseSilent(ctx, p.ID, fresh, now)
		}); err != nil {
			return err
		}
	}
	return nil
}

// raiseSilent tells of silent devices, those that are still there, whose rule is still the same and that nobody told of
// meanwhile.
func (s *Service) raiseSilent(ctx context.Context, p id.Profile, found []suspect, now int64) error {
	slices.SortFunc(found, func(a, b suspect) int { return strings.Compare(string(a.heard.ID), string(b.heard.ID)) })
	var ws []wait
	alerts := map[id.Device]Alert{}
	same := map[id.Rule]bool{}
	for _, x := range found {
		d, r := x.heard.ID, x.rule
		if _, asked := same[r.ID]; !asked {
			kept, err := s.keepRule(ctx, r)
			if err != nil {
				return err
			}
			same[r.ID] = kept
		}
		if !same[r.ID] {
			continue
		}
		if there, err := s.devices.Present(ctx, p, d); err != nil {
			return err
		} else if !there {
			continue
		}
		a := Alert{Profile: p, ID: id.New[id.Alert](), Kind: Silent, Device: d, DeviceName: x.heard.Name, Every: r.Every, LastInput: x.heard.LastInput, At: now}
		alerts[d] = a
		ws = append(ws, wait{profile: p, device: d, from: x.from, alert: a.ID, rule: r.ID, every: r.Every, lastInput: x.heard.LastInput})
	}
	if len(ws) == 0 {
		return nil
	}
	first, err := s.openSilence(ctx, ws)
	if err != nil {
		return err
	}
	var raised []Alert
	for _, w := range ws {
		if first[w.device] {
			raised = append(raised, alerts[w.device])
		}
	}
	return s.raise(ctx, p, raised)
}

// lookAtSilent looks whether silent devices were heard again, or are not expected any more.
func (s *Service) lookAtSilent(ctx context.Context, l *silenceLook, now int64) error {
	for range openEach / page {
		open, err := s.openWaits(ctx, l.cursor, page)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			l.cursor = wait{}
			return nil
		}
		l.cursor = open[len(open)-1].wait
		for len(open) > 0 { // they come by profile
			p := open[0].profile
			n := slices.IndexFunc(open, func(w openWait) bool { return w.profile != p })
			if n < 0 {
				n = len(open)
			}
			if err := s.lookAtSilentOf(ctx, p, open[:n], now); err != nil {
				return err
			}
			open = open[n:]
		}
	}
	return nil
}

func (s *Service) lookAtSilentOf(ctx context.Context, p id.Profile, open []openWait, now int64) error {
	pr, err := s.profiles.Get(ctx, p)
	if fault.Is(err, fault.NotFound) || err == nil && pr.Paused {
		return nil
	}
	if err != nil {
		return err
	}
	ds := make([]id.Device, len(open))
	for i, w := range open {
		ds[i] = w.device
	}
	heard, err := s.devices.Heard(ctx, p, ds)
	if err != nil {
		return err
	}
	by := make(map[id.Device]device.Heard, len(heard))
	for _, h := range heard {
		by[h.ID] = h
	}
	for _, w := range open {
		h, there := by[w.device]
		back := there && h.LastInput > w.lastInput
		longer := w.now > w.every && now-max(h.LastInput, w.from) <= w.now+grace.Milliseconds() && h.LastInput > 0
		if !back && there && h.Active && w.now > 0 && !longer {
			continue
		}
		if err := s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
			ended, err := s.end(ctx, w.wait, now)
			if err != nil || !ended || !back {
				return err
			}
			return s.raise(ctx, p, []Alert{{Profile: p, ID: id.New[id.Alert](), Kind: Recovered, Device: w.device, DeviceName: h.Name,
				Every: w.every, LastInput: h.LastInput, Of: w.alert, At: now}})
		}); err != nil {
			return err
		}
	}
	return nil
}

// openGap says when no server ran lately: before this process started, if nobody had looked for a while, else what
// an earlier process wrote down.
func (s *Service) openGap(ctx context.Context, started, most int64) (span, error) {
	looked, gap, err := s.lastLook(ctx)
	if err != nil || looked == 0 || started-looked <= most {
		return gap, err
	}
	gap = span{looked, started}
	return gap, s.setGap(ctx, gap)
}

// Rules are those of a profile that the caller may see, oldest first.
func (s *Service) Rules(ctx context.Context, who auth.Caller, p id.Profile, limit, skip int64) ([]Rule, error) {
	return s.rulesOf(ctx, who, p, limit, skip)
}
