package overview

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"paddock/internal/auth"
	"paddock/internal/billing"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/team"
)

const mostRows = 200

// listInput asks for a page.
type listInput struct {
	List    web.List
	Request *web.Request
}

// listAnswer is a page of profiles with the totals of all that match.
type listAnswer struct {
	Profiles []row  `json:"profiles"`
	Rows     int    `json:"rows" description:"that match, on all pages"`
	Totals   totals `json:"totals" description:"over all that match"`
}

type row struct {
	ID        id.Profile  `json:"id"`
	Name      string      `json:"name"`
	LogoURL   *string     `json:"logo_url"`
	Color     *string     `json:"color"` // "#rrggbb"
	FromShare bool        `json:"from_share" description:"somebody else's, shared with the caller"`
	Owner     *owner      `json:"owner" description:"of a shared profile"`
	Role      auth.Role   `json:"role"`
	Tags      []tag.Tag   `json:"tags"`
	Status    Status      `json:"status" enum:"blocked,paused,near,silent,new,ok"`
	Reason    *reason     `json:"reason" description:"why it is not ok; null when it is, or new"`
	Tightest  *tight      `json:"tightest" description:"the service nearest its limit; null where none has one"`
	LastInput *web.Time   `json:"last_input" description:"of any device that the caller may see"`
	Devices   int64       `json:"devices"`
	Silent    int64       `json:"silent_devices"`
	Refusals  int64       `json:"refusals_24h" description:"requests that limits refused"`
	Members   *seats      `json:"members" description:"people besides the owner; null to roles that may not see the team"`
	Cost      *microMoney `json:"cost" description:"this cycle to date, as in GET /account/cost; for the owner"`
}

type owner struct {
	ID   id.Account `json:"id"`
	Name string     `json:"name"`
}

type reason struct {
	Services []plan.Service `json:"services,omitempty" description:"used up, of blocked; nearly so, of near"`
	ResetsAt *web.Time      `json:"resets_at,omitempty" description:"when the first of them is free again by itself"`
	Text     string         `json:"text,omitempty" description:"why it is paused"`
	Silent   int64          `json:"silent_devices,omitempty"`
}

type tight struct {
	Service   plan.Service `json:"service"`
	Used      float64      `json:"used"`
	Limit     float64      `json:"limit"`
	Share     float64      `json:"share" description:"used of limit, 1 when all is"`
	RunsOutOn *string      `json:"runs_out_on" description:"the day nothing is left at the pace of the last seven days, in the time zone of the caller's account; null for not in this cycle"`
}

type seats struct {
	Members int64  `json:"members"`
	Pending *int64 `json:"pending" description:"invitations that wait; null to roles that may not see them"`
}

type microMoney struct {
	Micro    int64  `json:"micro" description:"ten thousandths of a cent"`
	Currency string `json:"currency"`
}

type totals struct {
	Devices  int64            `json:"devices"`
	Silent   int64            `json:"silent_devices"`
	Refusals int64            `json:"refusals_24h"`
	Statuses map[Status]int64 `json:"statuses"`
	Cost     *costTotals      `json:"cost" description:"of the account, with full permission that reaches it; null for who owns no profile"`
}

// costTotals add up: profiles, hidden, former and others are total.
type costTotals struct {
	From     web.Time         `json:"from"`
	To       web.Time         `json:"to"`
	Currency string           `json:"currency"`
	Profiles int64            `json:"profiles_micro" description:"of the profiles that match"`
	Hidden   int64            `json:"hidden_micro" description:"of the account's profiles that do not match"`
	Former   int64            `json:"former_micro" description:"of profiles that were the account's in this cycle and are not any more"`
	Others   map[string]int64 `json:"others_micro" description:"what belongs to no profile: unallocated, plan, addon, discount"`
	Total    int64            `json:"total_micro" description:"what GET /account/cost has"`
	AddsUp   bool             `json:"adds_up" description:"whether that is what the charges are worth"`
}

// entry is a view with what only some pages need.
type entry struct {
	view
	owner   string
	runsOut int64
	seats   team.Seats
	cost    *int64
}

// orders are the columns of a page, ascending.
var orders = map[string]func(a, b *entry) int{
	"status": func(a, b *entry) int {
		return cmp.Compare(slices.Index(Statuses, a.status), slices.Index(Statuses, b.status))
	},
	"name":           byName,
	"role":           func(a, b *entry) int { return cmp.Compare(a.Role, b.Role) },
	"owner":          func(a, b *entry) int { return cmp.Compare(strings.ToLower(a.owner), strings.ToLower(b.owner)) },
	"tightest":       func(a, b *entry) int { return cmp.Compare(a.share(), b.share()) },
	"runs_out_on":    func(a, b *entry) int { return compareLast(a.runsOut, b.runsOut) },
	"last_input":     func(a, b *entry) int { return cmp.Compare(a.devices.LastInput, b.devices.LastInput) },
	"devices":        func(a, b *entry) int { return cmp.Compare(a.devices.Devices, b.devices.Devices) },
	"silent_devices": func(a, b *entry) int { return cmp.Compare(a.silent, b.silent) },
	"refusals_24h":   func(a, b *entry) int { return cmp.Compare(a.requests(), b.requests()) },
	"members":        func(a, b *entry) int { return cmp.Compare(a.seats.Members, b.seats.Members) },
	"cost":           func(a, b *entry) int { return cmp.Compare(a.money(), b.money()) },
	"tags":           func(a, b *entry) int { return cmp.Compare(a.tagText(), b.tagText()) },
	"created_at":     func(a, b *entry) int { return a.CreatedAt.Compare(b.CreatedAt) },
}

func byName(a, b *entry) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) }

// compareLast has 0, for never, after everything.
func compareLast(a, b int64) int {
	if (a == 0) != (b == 0) {
		return first(b == 0)
	}
	return cmp.Compare(a, b)
}

func (e *entry) share() float64 {
	if t := e.tightest(); t != nil {
		return t.share
	}
	return -1
}

func (e *entry) money() int64 {
	if e.cost == nil {
		return -1
	}
	return *e.cost
}

func (e *entry) tagText() string {
	var b strings.Builder
	for _, t := range e.Tags {
		b.WriteString(strings.ToLower(t.Key + "=" + t.Value + "\x00"))
	}
	return b.String()
}

// order reads the column and direction that a list asks for.
func order(l web.List) (name string, desc bool, err error) {
	names := map[string]string{}
	for n := range orders {
		names[n] = n
	}
	text, err := l.Order(names, "status ASC")
	if err != nil {
		return "", false, err
	}
	name, direction, _ := strings.Cut(text, " ")
	return name, direction == "DESC", nil
}

// filter says which profiles match.
type filter struct {
	name     string
	tags     []tag.Tag
	statuses []Status
}

func parseFilter(q web.Query) (f filter, err error) {
	for _, k := range q.Keys() {
		switch k {
		case "name", "tag", "tags", "status":
		default:
			return f, fault.Field(q.Child(k).Path(), "is not a known filter; ask by name, tag and status")
		}
	}
	if f.name, err = q.Text("name"); err != nil {
		return f, err
	}
	f.name = strings.ToLower(strings.Trim(f.name, "* "))
	for _, name := range []string{"tag", "tags"} {
		for _, t := range q.List(name) {
			f.tags = append(f.tags, tag.Tag{Key: t.Get("key"), Value: t.Get("value")})
		}
		if one := q.Child(name); len(q.List(name)) == 0 && one.Has("key") {
			f.tags = append(f.tags, tag.Tag{Key: one.Get("key"), Value: one.Get("value")})
		}
	}
	for _, text := range q.Strings("status") {
		for word := range strings.SplitSeq(text, ",") {
			if !slices.Contains(Statuses, Status(word)) {
				return f, fault.Field(q.Child("status").Path(), "must be blocked, paused, near, silent, new or ok")
			}
			f.statuses = append(f.statuses, Status(word))
		}
	}
	return f, nil
}

// named and is judge a view before and after it was weighed.
func (f filter) named(v view) bool {
	if f.name != "" && !strings.Contains(strings.ToLower(v.Name), f.name) && string(v.ID) != f.name {
		return false
	}
	for _, t := range f.tags {
		if !slices.ContainsFunc(v.Tags, func(x tag.Tag) bool {
			return strings.EqualFold(x.Key, t.Key) && (t.Value == "" || strings.EqualFold(x.Value, t.Value))
		}) {
			return false
		}
	}
	return true
}

func (f filter) is(v view) bool { return len(f.statuses) == 0 || slices.Contains(f.statuses, v.status) }

// list answers a page: blocked profiles first unless it is asked otherwise.
func (s *Service) list(ctx context.Context, who auth.Caller, in listInput) (listAnswer, error) {
	column, desc, err := order(in.List)
	if err != nil {
		return listAnswer{}, err
	}
	f, err := parseFilter(in.List.Filter)
	if err != nil {
		return listAnswer{}, err
	}
	in.List.Cap(mostRows)
	views, err := s.mine(ctx, who)
	if err != nil {
		return listAnswer{}, err
	}
	own := map[id.Profile]bool{}
	pays := false
	for _, v := range views {
		if v.bill {
			own[v.ID], pays = true, true
		}
	}
	views = slices.DeleteFunc(views, func(v view) bool { return !f.named(v) })
	if err := s.judge(ctx, views); err != nil {
		return listAnswer{}, err
	}
	entries := make([]*entry, 0, len(views))
	out := listAnswer{Profiles: []row{}, Totals: totals{Statuses: map[Status]int64{}}}
	for _, v := range views {
		out.Totals.Statuses[v.status]++
		if f.is(v) {
			entries = append(entries, &entry{view: v})
		}
	}
	if pays {
		cost, err := s.Billing.ThisCycle(ctx, who.AccountID)
		if err != nil {
			return listAnswer{}, err
		}
		out.Totals.Cost = priced(entries, cost, own)
	}
	for _, e := range entries {
		out.Totals.Devices += e.devices.Devices
		out.Totals.Silent += e.silent
		out.Totals.Refusals += e.requests()
		if e.who.IsOwner() {
			continue
		}
		acc, err := s.Accounts.Get(ctx, e.Account) // from memory
		if err != nil {
			return listAnswer{}, err
		}
		e.owner = acc.Name
	}
	for _, dear := range []struct {
		column string
		fill   func(context.Context, []*entry) error
	}{{"members", s.fillSeats}, {"runs_out_on", s.fillRunsOut}} {
		if column == dear.column {
			if err := dear.fill(ctx, entries); err != nil {
				return listAnswer{}, err
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b *entry) int {
		by := orders[column](a, b)
		if desc {
			by = -by
		}
		return cmp.Or(by, slices.Index(Statuses, a.status)-slices.Index(Statuses, b.status), -cmp.Compare(a.share(), b.share()), byName(a, b), cmp.Compare(a.ID, b.ID))
	})
	out.Rows = len(entries)
	from := min(int(in.List.Offset()), len(entries))
	page := entries[from:min(from+int(in.List.Limit()), len(entries))]
	if column != "members" {
		if err := s.fillSeats(ctx, page); err != nil {
			return listAnswer{}, err
		}
	}
	if column != "runs_out_on" {
		if err := s.fillRunsOut(ctx, page); err != nil {
			return listAnswer{}, err
		}
	}
	loc, err := s.zone(ctx, who)
	if err != nil {
		return listAnswer{}, err
	}
	currency := ""
	if out.Totals.Cost != nil {
		currency = out.Totals.Cost.Currency
	}
	for _, e := range page {
		out.Profiles = append(out.Profiles, e.row(in.Request.Public, currency, loc))
	}
	return out, nil
}

// zone is where days are cut for a caller.
func (s *Service) zone(ctx context.Context, who auth.Caller) (*time.Location, error) {
	acc, err := s.Accounts.Get(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	return acc.Location(), nil
}

func (s *Service) fillSeats(ctx context.Context, es []*entry) error {
	ps := make([]profile.Profile, len(es))
	for i, e := range es {
		ps[i] = e.Profile
	}
	found, err := s.Teams.SeatsOf(ctx, ps)
	if err != nil {
		return err
	}
	for _, e := range es {
		e.seats = found[e.ID]
	}
	return nil
}

// fillRunsOut finds when the tightest service of each runs out; what is barely used is not asked for.
func (s *Service) fillRunsOut(ctx context.Context, es []*entry) error {
	var ps []profile.Profile
	for _, e := range es {
		if t := e.tightest(); t != nil && t.used > 0 {
			ps = append(ps, e.Profile)
		}
	}
	if len(ps) == 0 {
		return nil
	}
	ends, err := s.Usage.RunsOut(ctx, ps)
	if err != nil {
		return err
	}
	for _, e := range es {
		if t := e.tightest(); t != nil {
			e.runsOut = ends[e.ID].Of(t.service)
		}
	}
	return nil
}

// priced gives entries their cost, and says what it adds up to.
func priced(entries []*entry, c billing.CycleCost, own map[id.Profile]bool) *costTotals {
	out := &costTotals{From: web.Millis(c.From), To: web.Millis(c.To), Currency: c.Currency, Others: map[string]int64{}, Total: c.Total, AddsUp: c.AddsUp}
	shown := map[id.Profile]bool{}
	for _, e := range entries {
		if e.bill {
			micro := c.Profiles[e.ID]
			e.cost, shown[e.ID] = &micro, true
			out.Profiles += micro
		}
	}
	for p, micro := range c.Profiles {
		switch {
		case shown[p]:
		case own[p]:
			out.Hidden += micro
		default:
			out.Former += micro
		}
	}
	for k, micro := range c.Others {
		out.Others[string(k)] = micro
	}
	return out
}

func (e *entry) row(public, currency string, loc *time.Location) row {
	r := row{ID: e.ID, Name: e.Name, LogoURL: profile.Absolute(public, e.LogoURL), Color: profile.Maybe(e.Color), Role: e.Role, Tags: e.Tags, Status: e.status, Reason: e.reason(),
		LastInput: maybe(e.devices.LastInput), Devices: e.devices.Devices, Silent: e.silent, Refusals: e.requests()}
	if e.Role != auth.Owner {
		r.FromShare, r.Owner = true, &owner{e.Account, e.owner}
	}
	if t := e.tightest(); t != nil {
		r.Tightest = &tight{Service: t.service, Used: plan.Wire(t.service, t.used), Limit: plan.Wire(t.service, t.limit), Share: t.share, RunsOutOn: dayOf(e.runsOut, loc)}
	}
	if e.Role.AtLeast(auth.Developer) {
		r.Members = &seats{Members: e.seats.Members}
		if e.Role.AtLeast(auth.Admin) {
			r.Members.Pending = &e.seats.Pending
		}
	}
	if e.cost != nil {
		r.Cost = &microMoney{*e.cost, currency}
	}
	return r
}

// reason says why a profile is not ok.
func (v view) reason() *reason {
	switch v.status {
	case Paused:
		return &reason{Text: v.PauseReason}
	case Silent:
		return &reason{Silent: v.silent}
	case Blocked, Near:
		r := &reason{}
		var resets int64
		for _, u := range v.uses {
			if u.blocked || v.status == Near && u.near {
				r.Services = append(r.Services, u.service)
				if u.resets > 0 && (resets == 0 || u.resets < resets) {
					resets = u.resets
				}
			}
		}
		r.ResetsAt = maybe(resets)
		return r
	}
	return nil
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}

func dayOf(ms int64, loc *time.Location) *string {
	if ms == 0 {
		return nil
	}
	day := clock.FromMillis(ms).In(loc).Format(time.DateOnly)
	return &day
}

// statusRow is a profile in one word.
type statusRow struct {
	ID     id.Profile `json:"id"`
	Status Status     `json:"status" enum:"blocked,paused,near,silent,new,ok"`
}

func (s *Service) statuses(ctx context.Context, who auth.Caller, _ struct{}) ([]statusRow, error) {
	views, err := s.mine(ctx, who)
	if err != nil {
		return nil, err
	}
	if err := s.judge(ctx, views); err != nil {
		return nil, err
	}
	out := make([]statusRow, len(views))
	for i, v := range views {
		out[i] = statusRow{v.ID, v.status}
	}
	return out, nil
}
