package operator

import (
	"context"
	"slices"
	"strings"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

const (
	maxAccounts = 200 // of a page
	maxFind     = 100
	maxReason   = 500
	maxPastDue  = 2000 // accounts that a filter by what is past due looks at
)

// AccountRow is an account in the list.
type AccountRow struct {
	ID        id.Account `json:"id"`
	Name      string     `json:"name"`
	Email     string     `json:"email"`
	Company   *string    `json:"company"`
	Plan      string     `json:"plan" description:"its name in the catalogue"`
	Profiles  int64      `json:"profiles" description:"that it owns"`
	Blocked   bool       `json:"blocked"`
	Active    bool       `json:"active" description:"its e-mail is confirmed"`
	Operator  bool       `json:"operator"`
	Factor    bool       `json:"second_factor"`
	LastLogin *web.Time  `json:"last_login"`
	CreatedAt web.Time   `json:"created_at"`
	PastDue   []Money    `json:"past_due" description:"what it has not paid in time, by currency"`
}

// Money is whole cents.
type Money struct {
	Cents    int64    `json:"cents"`
	Currency string   `json:"currency"`
	Since    web.Time `json:"since"`
}

// AccountsResult is a page of accounts.
type AccountsResult struct {
	Total    int64        `json:"total" description:"that the filter lets through"`
	Billing  bool         `json:"billing" description:"accounts pay here, so something may be past due"`
	Plans    []string     `json:"plans" description:"of the catalogue"`
	Accounts []AccountRow `json:"accounts"`
}

// rows adds to accounts what other rooms know, with a statement for each room.
func (s *Service) rows(ctx context.Context, accs []account.Account) ([]AccountRow, error) {
	ids := make([]id.Account, len(accs))
	for i, a := range accs {
		ids[i] = a.ID
	}
	profiles, err := s.rooms.Profiles.CountOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]AccountRow, len(accs))
	for i, a := range accs {
		out[i] = AccountRow{ID: a.ID, Name: a.Name, Email: a.Email, Company: a.Company, Plan: a.Plan, Profiles: profiles[a.ID], Blocked: a.Blocked, Active: a.Active,
			Operator: a.Operator, Factor: a.Factor, LastLogin: web.MaybeTime(a.LastLogin), CreatedAt: web.Time(a.CreatedAt)}
	}
	if len(ids) == 0 {
		return out, nil
	}
	due, err := s.rooms.Billing.PastDue(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for i, a := range accs {
		out[i].PastDue = []Money{}
		for _, d := range due[a.ID] {
			out[i].PastDue = append(out[i].PastDue, Money{d.Cents, d.Currency, web.Millis(d.Since)})
		}
	}
	return out, nil
}

func (s *Service) getAccounts(ctx context.Context, who auth.Caller, in struct {
	Find  string `query:"find" description:"a text in name, e-mail or company, * for any; or an id"`
	Plan  string `query:"plan"`
	State string `query:"state" enum:"blocked,operator,unconfirmed,past_due"`
	List  web.List
}) (AccountsResult, error) {
	if err := operator(who); err != nil {
		return AccountsResult{}, err
	}
	f := account.Filter{Find: strings.TrimSpace(in.Find), Plan: in.Plan, State: in.State}
	if err := check.Line("find", f.Find, 0, maxFind); err != nil {
		return AccountsResult{}, err
	}
	switch in.State {
	case "", "blocked", "operator", "unconfirmed":
	case "past_due":
		due, err := s.rooms.Billing.PastDue(ctx)
		if err != nil {
			return AccountsResult{}, err
		}
		f.State, f.IDs = "", []id.Account{}
		for a := range due {
			if len(f.IDs) < maxPastDue {
				f.IDs = append(f.IDs, a)
			}
		}
		slices.Sort(f.IDs)
	default:
		return AccountsResult{}, fault.Field("state", "must be blocked, operator, unconfirmed or past_due")
	}
	in.List.Cap(maxAccounts)
	accs, total, err := s.rooms.Accounts.Page(ctx, f, in.List)
	if err != nil {
		return AccountsResult{}, err
	}
	out := AccountsResult{Total: total, Billing: s.rooms.Billing.Asks(), Plans: s.rooms.Plans.Names()}
	out.Accounts, err = s.rows(ctx, accs)
	return out, err
}

type accountPath struct {
	ID id.Account `path:"id"`
}

// AccountProfile is a profile of an account.
type AccountProfile struct {
	ID        id.Profile `json:"id"`
	Name      string     `json:"name"`
	Paused    bool       `json:"paused"`
	CreatedAt web.Time   `json:"created_at"`
}

// LimitRow is a limit of an account that an operator may set.
type LimitRow struct {
	Kind string   `json:"kind" enum:"service,cap,rate"`
	Name string   `json:"name"`
	Plan *float64 `json:"plan" description:"what its plan and what it bought give: of a service in its unit, things, or requests a minute; null for no limit"`
	Now  *float64 `json:"now" description:"what counts, with what operators set; null for no limit"`
}

// AccountResult is an account as operators see it.
type AccountResult struct {
	AccountRow
	Phone    *string          `json:"phone"`
	Language string           `json:"language"`
	Timezone string           `json:"timezone"`
	Locked   *web.Time        `json:"locked_until" description:"too many wrong passwords or codes; null when it may try"`
	Sessions int              `json:"sessions" description:"browsers that are signed in"`
	Self     bool             `json:"self" description:"the caller's own"`
	Owned    []AccountProfile `json:"owned" description:"its profiles"`
	Limits   []LimitRow       `json:"limits" description:"every limit that an operator may set"`
	Plans    []string         `json:"plans" description:"of the catalogue"`
	Billing  bool             `json:"billing" description:"accounts pay here"`
}

func (s *Service) getAccount(ctx context.Context, who auth.Caller, in accountPath) (AccountResult, error) {
	if err := operator(who); err != nil {
		return AccountResult{}, err
	}
	acc, err := s.rooms.Accounts.Get(ctx, in.ID)
	if err != nil {
		return AccountResult{}, err
	}
	rows, err := s.rows(ctx, []account.Account{acc})
	if err != nil {
		return AccountResult{}, err
	}
	out := AccountResult{AccountRow: rows[0], Phone: acc.Phone, Language: acc.Language, Timezone: acc.Timezone, Self: acc.ID == who.AccountID, Owned: []AccountProfile{},
		Plans: s.rooms.Plans.Names(), Billing: s.rooms.Billing.Asks()}
	locked, err := s.rooms.Accounts.LockedUntil(ctx, acc.ID)
	if err != nil {
		return out, err
	}
	out.Locked = maybe(locked)
	sessions, err := s.rooms.Accounts.SessionsOf(ctx, acc.ID)
	if err != nil {
		return out, err
	}
	out.Sessions = len(sessions)
	owned, err := s.rooms.Profiles.List(ctx, acc.ID)
	if err != nil {
		return out, err
	}
	for _, p := range owned {
		out.Owned = append(out.Owned, AccountProfile{p.ID, p.Name, p.Paused, web.Time(p.CreatedAt)})
	}
	out.Limits, err = s.limits(ctx, acc)
	return out, err
}

// limits are those of an account, by its plan and as they are now.
func (s *Service) limits(ctx context.Context, acc account.Account) ([]LimitRow, error) {
	now, terms, err := s.rooms.Profiles.TermsOf(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	cat := s.rooms.Plans.Now()
	bare, err := cat.Plan(acc.Plan)
	if err != nil {
		return nil, err
	}
	bare = bare.With(plan.Terms{Services: terms.Services}, s.now())
	amount := func(svc plan.Service, n int64) *float64 {
		if n >= plan.Unlimited {
			return nil
		}
		v := float64(n)
		if svc != "" {
			v = plan.Wire(svc, n)
		}
		return &v
	}
	out := []LimitRow{}
	for _, svc := range plan.Metered {
		out = append(out, LimitRow{plan.OverrideService, string(svc), amount(svc, bare.Pool.Of(svc)), amount(svc, now.Pool.Of(svc))})
	}
	for _, r := range plan.Resources {
		out = append(out, LimitRow{plan.OverrideCap, string(r), amount("", bare.Cap(r)), amount("", now.Cap(r))})
	}
	rate := func(p plan.Plan, group string) *float64 {
		for _, r := range p.Rates {
			if r.Group == group {
				return amount("", r.PerMinute)
			}
		}
		return nil
	}
	for _, g := range cat.Groups() {
		out = append(out, LimitRow{plan.OverrideRate, g, rate(bare, g), rate(now, g)})
	}
	return out, nil
}

type reasonIn struct {
	accountPath
	Reason string `json:"reason" required:"true" description:"for the audit log"`
}

func (s *Service) block(ctx context.Context, who auth.Caller, in reasonIn, block bool) error {
	if err := operator(who); err != nil {
		return err
	}
	reason := strings.TrimSpace(in.Reason)
	if err := check.Line("reason", reason, 1, maxReason); err != nil {
		return err
	}
	_, err := s.rooms.Accounts.Block(ctx, as(who, in.ID), in.ID, block, reason)
	return err
}

func (s *Service) postBlock(ctx context.Context, who auth.Caller, in reasonIn) (string, error) {
	return "Account Successfully Blocked", s.block(ctx, who, in, true)
}

func (s *Service) postUnblock(ctx context.Context, who auth.Caller, in reasonIn) (string, error) {
	return "Account Successfully Unblocked", s.block(ctx, who, in, false)
}

func (s *Service) postUnlock(ctx context.Context, who auth.Caller, in accountPath) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	acc, err := s.rooms.Accounts.Get(ctx, in.ID)
	if err != nil {
		return "", err
	}
	_, err = s.rooms.Accounts.Unlock(ctx, as(who, in.ID), acc.Email)
	return "The person may try again at once", err
}

func (s *Service) postReset(ctx context.Context, who auth.Caller, in accountPath) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	return "A letter with a link is on its way", s.rooms.Accounts.SendReset(ctx, as(who, in.ID), in.ID)
}
