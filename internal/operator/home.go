package operator

import (
	"context"
	"runtime"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// When something needs a hand.
const (
	fewDays     = 14      // of disk
	hardlyDays  = 3       // likewise
	littleFree  = 0.05    // of the disk
	hardlyFree  = 0.02    // likewise
	oldBackup   = 8 * day // of the server
	oldVerify   = 8 * day
	stuckMail   = 15 * time.Minute
	manyWrong   = 100  // sign-ins that failed in a day
	manyRefused = 1000 // requests of a profile within floodMinutes
	muchWriting = 0.5  // of the time
	day         = 24 * time.Hour

	floodMinutes = 5
	mostFloods   = 5
	mostFailures = 10
)

// Level says how soon a concern needs a hand.
type Level string

const (
	Red    Level = "red"    // something is broken or about to be
	Yellow Level = "yellow" // something waits
)

// Concern is something that needs a hand. The console words it.
type Concern struct {
	Kind   string    `json:"kind" enum:"disk,backup_failed,backup_none,backup_old,profile_backups,mail_stuck,mail_refused,mail_waiting,verify_found,verify_failed,verify_old,flood,transfers,tickets,sign_ins,past_due"`
	Level  Level     `json:"level" enum:"red,yellow"`
	Count  int64     `json:"count" description:"of what there are several of, else 0; of disk the days it lasts, rounded down, -1 when that is not known"`
	At     *web.Time `json:"at" description:"since when, where that is known"`
	Detail string    `json:"detail" description:"a name or a reason, as it is"`
}

// ServerResult is what runs.
type ServerResult struct {
	Name          string   `json:"name"`
	Version       string   `json:"version"`
	Go            string   `json:"go"`
	Engine        string   `json:"engine" enum:"sqlite,postgres"`
	EngineVersion string   `json:"engine_version"`
	StartedAt     web.Time `json:"started_at" description:"of the process that answers"`
}

// KeyResult is the key that seals secrets.
type KeyResult struct {
	Fingerprint string    `json:"fingerprint"`
	Others      int       `json:"others" description:"further keys, which only open; after a rotation they can go"`
	From        string    `json:"from"`
	Since       *web.Time `json:"since" description:"when it was made or put first; null when that was before servers took note of it"`
}

// MailResult is how mail stands.
type MailResult struct {
	Server   *string   `json:"server" description:"null when none is configured: mails wait in the outbox"`
	Waiting  int64     `json:"waiting"`
	Tried    int64     `json:"tried" description:"of those, what was tried and has failed so far"`
	Refused  int64     `json:"refused" description:"for good, or held back"`
	OldestAt *web.Time `json:"oldest_at"`
	Reason   *string   `json:"reason" description:"what the latest failed attempt met"`
}

// ProfileName names a profile to an operator.
type ProfileName struct {
	ID    id.Profile `json:"id"`
	Name  string     `json:"name" description:"empty when it is gone"`
	Owner id.Account `json:"owner"`
}

// RefusedRow is a profile that is refused much.
type RefusedRow struct {
	Profile   ProfileName `json:"profile"`
	Requests  int64       `json:"requests" description:"that limits refused"`
	Throttled int64       `json:"throttled" description:"of those, by rates of requests"`
	Points    int64       `json:"points"`
}

// WritingRow is a profile that is written for much.
type WritingRow struct {
	Profile ProfileName `json:"profile"`
	Share   float64     `json:"share" description:"of the time, 0 to 1"`
}

// FloodsResult is who takes much just now.
type FloodsResult struct {
	Minutes int          `json:"minutes" description:"of which this speaks"`
	Refused []RefusedRow `json:"refused" description:"most refused first"`
	Writing []WritingRow `json:"writing" description:"by their share of the time this process spent writing in turns, greatest first"`
}

// TransfersResult counts transfers under way.
type TransfersResult struct {
	Requested int64 `json:"requested" description:"wait for who receives"`
	Accepted  int64 `json:"accepted" description:"wait for an operator"`
	Review    bool  `json:"review" description:"operators approve each"`
}

// TicketsResult counts tickets that are not closed.
type TicketsResult struct {
	Open     int64     `json:"open" description:"wait for an operator"`
	Answered int64     `json:"answered" description:"wait for who asked"`
	OldestAt *web.Time `json:"oldest_at" description:"of the open ones"`
}

// FailureRow is failed sign-ins from an address, or of an account.
type FailureRow struct {
	Addr      *string     `json:"addr,omitempty"`
	Account   *id.Account `json:"account,omitempty"`
	Name      string      `json:"name,omitempty"`
	Email     string      `json:"email,omitempty" description:"empty for all e-mails without an account together"`
	Passwords int64       `json:"passwords"`
	Codes     int64       `json:"codes"`
	Others    int64       `json:"others" description:"by address: accounts it tried; by account: addresses that tried it"`
	LastAt    web.Time    `json:"last_at"`
	Locked    *web.Time   `json:"locked_until"`
}

// SignInsResult is the sign-ins that failed.
type SignInsResult struct {
	Passwords int64        `json:"passwords" description:"wrong ones in the last 24 hours"`
	Codes     int64        `json:"codes" description:"wrong ones of second factors, after the right password"`
	ByAddr    []FailureRow `json:"by_address"`
	ByAccount []FailureRow `json:"by_account"`
}

// SessionRow is a browser in which an operator is signed in.
type SessionRow struct {
	ID         id.Session `json:"id"`
	Account    id.Account `json:"account"`
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	Addr       string     `json:"address"`
	Agent      string     `json:"agent"`
	CreatedAt  web.Time   `json:"created_at"`
	LastUsedAt web.Time   `json:"last_used_at"`
	Current    bool       `json:"current" description:"the one that asks"`
}

// Home is how the server stands.
type Home struct {
	At        web.Time        `json:"at"`
	Concerns  []Concern       `json:"concerns" description:"what needs a hand, red first; empty when all is well"`
	Server    ServerResult    `json:"server"`
	Key       KeyResult       `json:"key"`
	Disk      DiskResult      `json:"disk"`
	Backups   BackupsResult   `json:"backups"`
	Mail      MailResult      `json:"mail"`
	Verify    VerifyResult    `json:"verify"`
	Floods    FloodsResult    `json:"floods"`
	Transfers TransfersResult `json:"transfers"`
	Tickets   TicketsResult   `json:"tickets"`
	SignIns   SignInsResult   `json:"sign_ins"`
	Sessions  []SessionRow    `json:"sessions" description:"of operators"`
	PastDue   int64           `json:"past_due" description:"accounts that have not paid in time"`
}

func (s *Service) getHome(ctx context.Context, who auth.Caller, _ struct{}) (Home, error) {
	if err := operator(who); err != nil {
		return Home{}, err
	}
	return s.Home(ctx, who)
}

// Home gathers how the server stands, for an operator.
func (s *Service) Home(ctx context.Context, who auth.Caller) (Home, error) {
	h := Home{At: web.Time(s.clock.Now())}
	for _, part := range []func(ctx context.Context, who auth.Caller, h *Home) error{
		s.server, s.key, func(ctx context.Context, _ auth.Caller, h *Home) (err error) { h.Disk, err = s.disk(ctx); return err },
		func(ctx context.Context, _ auth.Caller, h *Home) (err error) {
			h.Backups, err = s.backups(ctx)
			return err
		},
		func(ctx context.Context, _ auth.Caller, h *Home) (err error) {
			h.Verify, err = s.Verifications(ctx, 0)
			return err
		},
		s.mail, s.floods, s.waiting, s.signIns, s.sessions,
	} {
		if err := part(ctx, who, &h); err != nil {
			return Home{}, err
		}
	}
	h.Concerns = s.concerns(h)
	return h, nil
}

func (s *Service) server(ctx context.Context, _ auth.Caller, h *Home) error {
	v, err := s.db.EngineVersion(ctx)
	h.Server = ServerResult{Name: s.cfg.Name, Version: s.cfg.Version, Go: runtime.Version(), Engine: string(s.db.Engine()), EngineVersion: v, StartedAt: web.Time(s.cfg.Started)}
	return err
}

func (s *Service) key(ctx context.Context, _ auth.Caller, h *Home) error {
	k, err := s.cfg.Key(ctx)
	h.Key = KeyResult{Fingerprint: k.ID, Others: k.Others, From: k.From, Since: maybe(k.Since)}
	return err
}

// maybe is an instant; nil for 0.
func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}

func (s *Service) mail(ctx context.Context, _ auth.Caller, h *Home) error {
	l, err := s.rooms.Mail.Line(ctx)
	h.Mail = MailResult{Waiting: l.Waiting, Tried: l.Tried, Refused: l.Refused, OldestAt: maybe(l.Oldest)}
	if l.Reason != "" {
		h.Mail.Reason = &l.Reason
	}
	if s.rooms.Mail.Configured() {
		d := s.rooms.Mail.Describe()
		h.Mail.Server = &d
	}
	return err
}

// profileName names a profile; one that is gone by its id alone.
func (s *Service) profileName(ctx context.Context, p id.Profile) (ProfileName, error) {
	pr, err := s.rooms.Profiles.Get(ctx, p)
	if fault.Is(err, fault.NotFound) {
		return ProfileName{ID: p}, nil
	}
	return ProfileName{ID: p, Name: pr.Name, Owner: pr.Account}, err
}

func (s *Service) floods(ctx context.Context, _ auth.Caller, h *Home) error {
	h.Floods = FloodsResult{Minutes: floodMinutes, Refused: []RefusedRow{}, Writing: []WritingRow{}}
	refused, err := s.rooms.Limits.MostRefused(ctx, floodMinutes*time.Minute, mostFloods)
	if err != nil {
		return err
	}
	for _, r := range refused {
		p, err := s.profileName(ctx, r.Profile)
		if err != nil {
			return err
		}
		h.Floods.Refused = append(h.Floods.Refused, RefusedRow{p, r.Requests, r.Throttled, r.Points})
	}
	loads, window := s.db.Loads(floodMinutes)
	for _, l := range loads {
		share := l.Spent.Seconds() / max(window.Seconds(), 1)
		if len(h.Floods.Writing) == mostFloods || share < 0.001 {
			break
		}
		if !id.Valid(l.Tenant) { // the server's own work
			continue
		}
		p, err := s.profileName(ctx, id.Profile(l.Tenant))
		if err != nil {
			return err
		}
		h.Floods.Writing = append(h.Floods.Writing, WritingRow{p, min(share, 1)})
	}
	return nil
}

// waiting is what waits for people.
func (s *Service) waiting(ctx context.Context, _ auth.Caller, h *Home) (err error) {
	h.Transfers.Review = s.cfg.Review
	if h.Transfers.Requested, h.Transfers.Accepted, err = s.rooms.Transfer.Open(ctx); err != nil {
		return err
	}
	var oldest int64
	if h.Tickets.Open, h.Tickets.Answered, oldest, err = s.rooms.Support.Waiting(ctx); err != nil {
		return err
	}
	h.Tickets.OldestAt = maybe(oldest)
	due, err := s.rooms.Billing.PastDue(ctx)
	h.PastDue = int64(len(due))
	return err
}

func (s *Service) signIns(ctx context.Context, _ auth.Caller, h *Home) error {
	f, err := s.rooms.Accounts.Failures(ctx, mostFailures)
	if err != nil {
		return err
	}
	h.SignIns = SignInsResult{Passwords: f.Passwords, Codes: f.Codes, ByAddr: []FailureRow{}, ByAccount: []FailureRow{}}
	for _, x := range f.ByAddr {
		h.SignIns.ByAddr = append(h.SignIns.ByAddr, FailureRow{Addr: &x.Addr, Passwords: x.Passwords, Codes: x.Codes, Others: x.Others, LastAt: web.Millis(x.Last)})
	}
	for _, x := range f.ByAccount {
		r := FailureRow{Passwords: x.Passwords, Codes: x.Codes, Others: x.Others, LastAt: web.Millis(x.Last), Locked: maybe(x.Locked)}
		if x.Account != "" {
			acc, err := s.rooms.Accounts.Get(ctx, x.Account)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			r.Account, r.Name, r.Email = &x.Account, acc.Name, acc.Email
		}
		h.SignIns.ByAccount = append(h.SignIns.ByAccount, r)
	}
	return nil
}

func (s *Service) sessions(ctx context.Context, who auth.Caller, h *Home) error {
	xs, err := s.rooms.Accounts.OperatorSessions(ctx)
	h.Sessions = make([]SessionRow, len(xs))
	for i, x := range xs {
		h.Sessions[i] = SessionRow{ID: x.ID, Account: x.Account, Name: x.Name, Email: x.Email, Addr: x.Addr, Agent: x.Agent, CreatedAt: web.Time(x.CreatedAt),
			LastUsedAt: web.Time(x.LastUsedAt), Current: x.ID == who.SessionID}
	}
	return err
}

// concerns are what needs a hand, red first.
func (s *Service) concerns(h Home) []Concern {
	out := []Concern{}
	say := func(l Level, kind string, count int64, at *web.Time, detail string) {
		out = append(out, Concern{kind, l, count, at, detail})
	}
	now := h.At.Time()
	older := func(t *web.Time, than time.Duration) bool { return t != nil && now.Sub(t.Time()) > than }

	days, free := int64(-1), 1.0
	if h.Disk.DaysLeft != nil {
		days = int64(min(*h.Disk.DaysLeft, 1e6))
	}
	if h.Disk.Free != nil && h.Disk.Total != nil && *h.Disk.Total > 0 {
		free = float64(*h.Disk.Free) / float64(*h.Disk.Total)
	}
	switch {
	case free < hardlyFree || days >= 0 && days < hardlyDays:
		say(Red, "disk", days, nil, "")
	case free < littleFree || days >= 0 && days < fewDays:
		say(Yellow, "disk", days, nil, "")
	}

	b := h.Backups
	switch {
	case b.Failed != nil:
		say(Red, "backup_failed", 0, &b.Failed.At, *b.Failed.Failure)
	case b.Last == nil:
		say(Yellow, "backup_none", 0, nil, "")
	case older(&b.Last.At, oldBackup):
		say(Yellow, "backup_old", 0, &b.Last.At, "")
	}
	if n := len(b.Troubles); n > 0 {
		say(Yellow, "profile_backups", int64(n), nil, b.Troubles[0].Name)
	}

	m := h.Mail
	reason := ""
	if m.Reason != nil {
		reason = *m.Reason
	}
	switch {
	case m.Server == nil && m.Waiting > 0:
		say(Yellow, "mail_waiting", m.Waiting, m.OldestAt, "")
	case m.Server != nil && m.Waiting > 0 && older(m.OldestAt, stuckMail) && m.Tried > 0:
		say(Red, "mail_stuck", m.Waiting, m.OldestAt, reason)
	}
	if m.Refused > 0 {
		say(Yellow, "mail_refused", m.Refused, nil, reason)
	}

	switch v := h.Verify.Last; {
	case v == nil:
	case v.Found > 0:
		say(Red, "verify_found", v.Found, v.EndedAt, v.Findings[0])
	case v.Failure != nil:
		say(Yellow, "verify_failed", 0, v.EndedAt, *v.Failure)
	case h.Verify.Schedule != Never && h.Verify.Running == nil && older(v.EndedAt, oldVerify):
		say(Yellow, "verify_old", 0, v.EndedAt, "")
	}

	floods, who := int64(0), ""
	for _, r := range h.Floods.Refused {
		if r.Requests >= manyRefused {
			if floods++; who == "" {
				who = r.Profile.Name
			}
		}
	}
	for _, w := range h.Floods.Writing {
		if w.Share >= muchWriting && !slices.ContainsFunc(h.Floods.Refused, func(r RefusedRow) bool { return r.Requests >= manyRefused && r.Profile.ID == w.Profile.ID }) {
			if floods++; who == "" {
				who = w.Profile.Name
			}
		}
	}
	if floods > 0 {
		say(Yellow, "flood", floods, nil, who)
	}
	if h.Transfers.Accepted > 0 {
		say(Yellow, "transfers", h.Transfers.Accepted, nil, "")
	}
	if h.Tickets.Open > 0 {
		say(Yellow, "tickets", h.Tickets.Open, h.Tickets.OldestAt, "")
	}
	locked := slices.ContainsFunc(h.SignIns.ByAccount, func(r FailureRow) bool { return r.Locked != nil })
	if n := h.SignIns.Passwords + h.SignIns.Codes; n >= manyWrong || locked {
		say(Yellow, "sign_ins", n, nil, "")
	}
	if h.PastDue > 0 {
		say(Yellow, "past_due", h.PastDue, nil, "")
	}
	slices.SortStableFunc(out, func(a, b Concern) int {
		switch {
		case a.Level == b.Level:
			return 0
		case a.Level == Red:
			return -1
		}
		return 1
	})
	return out
}
