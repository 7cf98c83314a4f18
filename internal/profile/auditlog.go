package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

// Bounds of a question to the audit log.
const (
	logRange   = 7 * 24 * time.Hour // without start_date
	logDefault = 1000               // events of an answer
	logMost    = 10_000
	logFind    = 200 // characters
)

// DefaultKeep is how long the audit log is kept unless the operator says otherwise.
const DefaultKeep = "6 months"

// LogFilter is what somebody wants to see of the audit log.
type LogFilter struct {
	Resource   string // the kind of thing: "device", "token"
	ResourceID string
	Who        string    // an account's id, "current", or one of: system, operator, device
	Find       string    // part of the message; * stands for any text
	From, To   time.Time // both included; the last seven days when zero
	After      string    // the id of an event: only later ones
	Limit      int       // events of an answer; 1,000 when 0
}

// LogStatus is how far a search is.
type LogStatus string

// The states of a search.
const (
	LogRunning  LogStatus = "Running"
	LogComplete LogStatus = "Complete"
	LogTimeout  LogStatus = "Timeout" // what was found in time; it can be continued
)

// LogEvent is an event with the name of who did it.
type LogEvent struct {
	audit.Entry
	Name string
	You  bool // the caller did it
}

// LogAnswer is what a search has found.
type LogAnswer struct {
	QueryID string // "" for what cannot be asked for again
	Status  LogStatus
	Events  []LogEvent
	Scanned int64  // events looked at
	Bytes   int64  // of text in these
	Next    string // After of a question that goes on; "" when nothing is left
}

// unknownUser is whoever has no role in the profile any more.
const unknownUser = "Unknown user"

var queryNotFound = fault.New(fault.NotFound, "Query Not Found")

// KeepLog sets how long events are kept: back is the instant that lies so far before now. Before the server starts.
func (s *Service) KeepLog(back func(now time.Time) time.Time) { s.log.keep = back }

// SealLog gives the key that seals questions into the ids of their queries; without, one that lasts as long as the
// process. Before the server starts.
func (s *Service) SealLog(sealer *seal.Sealer) { s.log.sealer = sealer }

// PurgeLog removes the events that are too old, of profiles and of accounts. It may be cut short and repeated.
func (s *Service) PurgeLog(ctx context.Context) error {
	return s.audit.Purge(ctx, s.log.keep(s.clock.Now()))
}

// TidyLog forgets answers that nobody may ask for any more.
func (s *Service) TidyLog(context.Context) error {
	s.log.tidy()
	return nil
}

// StopLog ends the searches under way.
func (s *Service) StopLog() { s.log.stop() }

// AuditLog searches the audit log of a profile. Owner and admins see everything in it, other members what they did
// themselves. The owner of a profile that was deleted can still read what happened in it. A search that takes longer
// than a second goes on in the background: ask AuditLogQuery with the answer's QueryID. It returns Invalid for a bad
// filter, Forbidden for a member who asks for what others did, and too_many while several searches of the profile run.
func (s *Service) AuditLog(ctx context.Context, who auth.Caller, ref string, f LogFilter) (LogAnswer, error) {
	v, err := s.logView(ctx, who, ref)
	if err != nil {
		return LogAnswer{}, err
	}
	q, err := s.question(v, f)
	if err != nil {
		return LogAnswer{}, err
	}
	text, err := json.Marshal(q)
	if err != nil {
		return LogAnswer{}, err
	}
	return s.ask(ctx, v, s.log.sealer.Seal(string(text), v.about()), q)
}

// AuditLogQuery returns the answer to a question that was asked some minutes ago. It returns not_found for a query of
// somebody else, of another profile, and one that is too old.
func (s *Service) AuditLogQuery(ctx context.Context, who auth.Caller, ref, query string) (LogAnswer, error) {
	v, err := s.logView(ctx, who, ref)
	if err != nil {
		return LogAnswer{}, err
	}
	text, err := s.log.sealer.Open(query, v.about())
	if err != nil {
		return LogAnswer{}, queryNotFound
	}
	var q question
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		return LogAnswer{}, queryNotFound
	}
	// Whoever was an admin when asking and is none now gets no answer to what an admin asked.
	if age := s.clock.Now().Sub(clock.FromMillis(q.Asked)); age > logKeep || age < 0 || !v.all && (q.Who != v.who.AccountID || v.who.Adopted && q.Token != v.who.TokenID) {
		return LogAnswer{}, queryNotFound
	}
	return s.ask(ctx, v, query, q)
}

// AccountLog searches the events that concern the caller's account outside of its profiles: sign-ins, password, plan.
func (s *Service) AccountLog(ctx context.Context, who auth.Caller, f LogFilter) (LogAnswer, error) {
	v := view{who: who, all: true}
	q, err := s.question(v, f)
	if err != nil {
		return LogAnswer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, logTime/3)
	defer cancel()
	found, err := search(limited, q, func(ctx context.Context, f audit.Filter, most int) (audit.Part, error) {
		return s.audit.StepAccount(ctx, who.AccountID, f, most)
	})
	if err != nil {
		return LogAnswer{}, err
	}
	return s.answer(ctx, v, "", found)
}

// view is somebody's view of the log of a profile.
type view struct {
	profile id.Profile
	who     auth.Caller // acting in the profile
	all     bool        // else what the caller did
}

// about is what a query belongs to: nobody else and no other profile can open its id.
func (v view) about() string { return "auditlog/" + string(v.profile) + "/" + string(v.who.AccountID) }

// logView is the gate of the audit log.
func (s *Service) logView(ctx context.Context, who auth.Caller, ref string) (view, error) {
	p, by, err := s.Resolve(ctx, who, ref, auth.Viewer)
	switch {
	case err == nil:
		// Whoever sees a part of the profile only would read of the rest here.
		return view{p.ID, by, by.Kind == auth.System || by.Role.AtLeast(auth.Admin) && by.Within == nil}, nil
	case fault.Is(err, fault.NotFound) && who.Reach == auth.ReachAccount && id.Valid(ref):
		mine, lookup := s.deletedOf(ctx, who.AccountID, id.Profile(ref))
		if lookup != nil {
			return view{}, lookup
		}
		if mine {
			return view{id.Profile(ref), who, true}, nil
		}
	}
	return view{}, err
}

// deletedOf reports whether p is a deleted profile of an account.
func (s *Service) deletedOf(ctx context.Context, a id.Account, p id.Profile) (bool, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64],
		`SELECT count(*) FROM profile WHERE id = $1 AND account = $2 AND deleted_at IS NOT NULL`, string(p), string(a))
	return n == 1, err
}

// question is a filter that has been checked, as it is sealed into the id of its query: every process can answer it
// again, whichever was asked first.
type question struct {
	Asked      int64      `json:"t"`
	From       int64      `json:"f"`
	Until      int64      `json:"u"` // not included
	Resource   string     `json:"r,omitempty"`
	ResourceID string     `json:"i,omitempty"`
	Who        id.Account `json:"w,omitempty"`
	Token      id.Token   `json:"o,omitempty"`
	Kind       auth.Kind  `json:"k,omitempty"`
	Find       string     `json:"s,omitempty"`
	After      string     `json:"a,omitempty"`
	Limit      int        `json:"l"`
}

// filter is the question in the words of audit.
func (q question) filter() audit.Filter {
	return audit.Filter{Resource: q.Resource, ResourceID: q.ResourceID, Who: q.Who, Token: q.Token, Kind: q.Kind, Find: q.Find, After: q.After,
		From: clock.FromMillis(q.From), To: clock.FromMillis(q.Until)}
}

var (
	resourceName = regexp.MustCompile(`^[a-z_]{1,40}$`)
	eventID      = regexp.MustCompile(`^[0-9a-f]{20}[a-z2-7]{8}$`)
	kindsByName  = []auth.Kind{auth.System, audit.Operator, audit.Look, auth.Device}
)

// question checks a filter and fills in what it leaves open.
func (s *Service) question(v view, f LogFilter) (question, error) {
	now := s.clock.Now()
	if f.To.IsZero() {
		f.To = now
	}
	if f.From.IsZero() {
		f.From = f.To.Add(-logRange)
	}
	if f.From.After(f.To) {
		return question{}, fault.Field("end_date", "must not be before start_date")
	}
	if oldest := s.log.keep(now); f.From.Before(oldest) { // what the next purge will remove is gone already
		f.From = oldest
	}
	q := question{Asked: clock.Millis(now), From: clock.Millis(f.From), Until: clock.Millis(f.To) + 1, ResourceID: f.ResourceID, Find: f.Find, After: f.After, Limit: f.Limit}
	if f.Resource != "" {
		if q.Resource = strings.ToLower(f.Resource); !resourceName.MatchString(q.Resource) {
			return q, fault.Field("resourceName", "must be the kind of a resource, such as device")
		}
	}
	for _, x := range []struct{ name, text string }{{"resourceID", f.ResourceID}, {"find", f.Find}} {
		if utf8.RuneCountInString(x.text) > logFind {
			return q, fault.Field(x.name, "must have at most %d characters", logFind)
		}
	}
	if f.After != "" && !eventID.MatchString(f.After) {
		return q, fault.Field("after", "must be the id of an event, or next of an answer")
	}
	switch {
	case f.Limit < 0:
		return q, fault.Field("limit", "must not be negative")
	case f.Limit == 0:
		q.Limit = logDefault
	default:
		q.Limit = min(f.Limit, logMost)
	}
	switch {
	case f.Who == "":
	case f.Who == "current":
		q.Who = v.who.AccountID
	case slices.Contains(kindsByName, auth.Kind(f.Who)):
		q.Kind = auth.Kind(f.Who)
	case id.Valid(f.Who):
		q.Who = id.Account(f.Who)
	default:
		return q, fault.Field("who", "must be the id of an account, current, system, operator or device")
	}
	if v.all {
		return q, nil
	}
	if f.Who != "" && q.Who != v.who.AccountID {
		return q, fault.New(fault.Forbidden, "Authorization Denied: you see what you did yourself; the owner and the admins of the profile see all").
			With(auth.Lack{Needs: "role " + string(auth.Admin), Has: "role " + string(v.who.Role), Hint: "The owner of the profile or one of its admins can give it."})
	}
	q.Who = v.who.AccountID
	if v.who.Adopted { // of what the new owner does it learns nothing
		q.Token = v.who.TokenID
	}
	return q, nil
}

// ask waits for the answer of a search for a moment, and begins it when this process does not know it.
func (s *Service) ask(ctx context.Context, v view, query string, q question) (LogAnswer, error) {
	run, err := s.log.begin(v.profile, query, func(ctx context.Context) (found, error) {
		return search(ctx, q, func(ctx context.Context, f audit.Filter, most int) (audit.Part, error) {
			return s.audit.Step(ctx, v.profile, f, most)
		})
	})
	if err != nil {
		return LogAnswer{}, err
	}
	wait := time.NewTimer(s.log.wait)
	defer wait.Stop()
	select {
	case <-run.done:
	case <-wait.C:
		return LogAnswer{QueryID: query, Status: LogRunning, Events: []LogEvent{}}, nil
	case <-ctx.Done():
		return LogAnswer{}, ctx.Err()
	}
	if run.err != nil {
		return LogAnswer{}, run.err
	}
	return s.answer(ctx, v, query, run.found)
}

// answer gives names to what was found.
func (s *Service) answer(ctx context.Context, v view, query string, f found) (LogAnswer, error) {
	a := LogAnswer{QueryID: query, Status: f.status, Events: make([]LogEvent, len(f.entries)), Scanned: f.scanned, Bytes: f.read, Next: f.next}
	n := s.naming(v)
	for i, e := range f.entries {
		var err error
		if a.Events[i], err = n.event(ctx, e); err != nil {
			return LogAnswer{}, err
		}
	}
	return a, nil
}

// naming finds the names of those who did things, each once.
type naming struct {
	s     *Service
	v     view
	known map[id.Account]string
}

func (s *Service) naming(v view) *naming { return &naming{s, v, map[id.Account]string{}} }

func (n *naming) event(ctx context.Context, e audit.Entry) (LogEvent, error) {
	out := LogEvent{Entry: e, You: e.Who != "" && e.Who == n.v.who.AccountID}
	switch {
	case e.Kind == auth.System:
		out.Name = "Paddock"
		return out, nil
	case e.Kind == audit.Operator && !out.You:
		// An operator is no member: who that is and from where concerns nobody in the profile.
		out.Name, out.Who, out.Addr = "Operator", "", ""
		return out, nil
	case e.Kind == audit.Look && e.Who != "":
		// Who looks into a profile is told to its people by name.
		acc, err := n.s.accounts.Get(ctx, e.Who)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return out, fmt.Errorf("name somebody in the audit log: %w", err)
		}
		out.Name = strings.TrimSpace("Operator " + acc.Name)
		if !out.You {
			out.Addr = ""
		}
		return out, nil
	case e.Kind == auth.Device:
		out.Name = "Device"
		return out, nil
	case e.Who == "":
		out.Name = "Nobody signed in"
		return out, nil
	}
	name, ok := n.known[e.Who]
	if !ok {
		var err error
		if name, err = n.person(ctx, e.Who); err != nil {
			return out, err
		}
		n.known[e.Who] = name
	}
	out.Name = name
	if n.v.profile == "" && !out.You {
		// The other side of a transfer, say: from where and with what they did it is theirs to know.
		out.Addr, out.TokenID, out.TokenName = "", "", ""
	}
	return out, nil
}

// person is the name of somebody who has a role in the profile now.
func (n *naming) person(ctx context.Context, a id.Account) (string, error) {
	if a != n.v.who.AccountID {
		if n.v.profile == "" {
			return unknownUser, nil
		}
		if _, ok, err := n.s.Access(ctx, a, n.v.profile); err != nil || !ok {
			return unknownUser, err
		}
	}
	acc, err := n.s.accounts.Get(ctx, a)
	if fault.Is(err, fault.NotFound) {
		return unknownUser, nil
	}
	if err != nil {
		return "", fmt.Errorf("name somebody in the audit log: %w", err)
	}
	return acc.Name, nil
}
