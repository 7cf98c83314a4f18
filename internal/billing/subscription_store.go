package billing

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// row is a subscription as it is kept.
type row struct {
	account id.Account
	cycle   stretch
	later   string
}

const rowColumns = `account, cycle_start, cycle_end, later`

func scanRow(r sqldb.Scanner) (x row, err error) {
	return x, r.Scan(&x.account, &x.cycle.from, &x.cycle.to, &x.later)
}

// state is an account with what it is subscribed to.
type state struct {
	acc   account.Account
	terms plan.Terms
	have  holding
	later later
	cycle stretch // that runs, as far as anybody has turned it
	row   bool    // there is something to renew
	limit map[plan.Service]int64
	cat   *plan.Catalogue
	now   int64
}

// read is the state of an account. It writes nothing: a cycle that is over is shown as it will have been renewed.
func (s *Service) read(ctx context.Context, a id.Account) (state, error) {
	st, err := s.load(ctx, a, nil)
	if err != nil {
		return st, err
	}
	for st.row && st.cycle.to <= st.now {
		st.have, st.later = st.have.after(st.later, st.cat), later{}
		st.cycle = nextCycle(st.acc, st.cycle.to)
	}
	return st, nil
}

// load is the state of an account as it is kept, in the transaction of ctx if there is one. addons are those of the account
// if the caller has read them already.
func (s *Service) load(ctx context.Context, a id.Account, addons map[string][]id.Profile) (st state, err error) {
	if st.acc, err = s.accounts.Get(ctx, a); err != nil {
		return st, err
	}
	r, ok, err := sqldb.One(ctx, s.db, scanRow, `SELECT `+rowColumns+` FROM subscription WHERE account = $1`, string(a))
	if err != nil {
		return st, fmt.Errorf("read a subscription: %w", err)
	}
	if addons == nil {
		if addons, err = s.addonsOf(ctx, a); err != nil {
			return st, err
		}
	}
	return s.stateOf(st.acc, r, ok, addons)
}

func (s *Service) stateOf(acc account.Account, r row, ok bool, addons map[string][]id.Profile) (state, error) {
	st := state{acc: acc, now: s.now(), cat: s.plans.Now(), row: ok, limit: map[plan.Service]int64{}}
	p, err := st.cat.Plan(acc.Plan)
	if err != nil {
		return st, err
	}
	if st.terms, err = plan.ParseTerms(acc.Terms); err != nil {
		return st, fmt.Errorf("account %s: %w", acc.ID, err)
	}
	granted := p.With(st.terms, st.now)
	for _, svc := range plan.Services {
		st.limit[svc] = granted.Pool.Of(svc)
	}
	st.have = holding{plan: p, services: st.terms.Services, addons: addons}.clone()
	st.have.tidy()
	if st.later, err = parseLater(r.later); err != nil {
		return st, fmt.Errorf("account %s: %w", acc.ID, err)
	}
	if st.cycle = r.cycle; !ok {
		st.cycle.from, st.cycle.to = usage.Cycle(acc, st.now)
	}
	return st, nil
}

// nextCycle is the cycle of an account that begins where another ended. One that a change of time zone left short is joined to
// the next, as that of the counters is.
func nextCycle(acc account.Account, end int64) stretch {
	_, to := usage.Cycle(acc, end)
	if to-end < usage.ShortestCycle {
		_, to = usage.Cycle(acc, to)
	}
	return stretch{end, to}
}

func (s *Service) addonsOf(ctx context.Context, a id.Account) (map[string][]id.Profile, error) {
	many, err := s.addonsOfAll(ctx, []id.Account{a})
	return many[a], err
}

// addonsOfAll are the add-ons of at most 500 accounts.
func (s *Service) addonsOfAll(ctx context.Context, as []id.Account) (map[id.Account]map[string][]id.Profile, error) {
	type entry struct {
		account id.Account
		addon   string
		profile id.Profile
	}
	w := sqldb.NewWhere("account <> ?", "")
	sqldb.In(w, "account", as)
	es, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (e entry, err error) { return e, r.Scan(&e.account, &e.addon, &e.profile) },
		`SELECT account, addon, profile FROM subscription_addon`+w.SQL()+` ORDER BY account, addon, profile`, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read add-ons: %w", err)
	}
	out := map[id.Account]map[string][]id.Profile{}
	for _, a := range as {
		out[a] = map[string][]id.Profile{}
	}
	for _, e := range es {
		out[e.account][e.addon] = append(out[e.account][e.addon], e.profile)
	}
	return out, nil
}

// AddonsOf names the add-ons that a profile has, in order.
func (s *Service) AddonsOf(ctx context.Context, p id.Profile) ([]string, error) {
	out, err := sqldb.All(ctx, s.db, sqldb.Value[string], `SELECT addon FROM subscription_addon WHERE profile = $1 ORDER BY addon`, string(p))
	if err != nil {
		return nil, fmt.Errorf("read add-ons: %w", err)
	}
	return out, nil
}

// setAddons makes the add-ons of an account those of to.
func (s *Service) setAddons(ctx context.Context, a id.Account, from, to map[string][]id.Profile, now int64) error {
	for addon, ps := range from {
		for _, p := range ps {
			if slices.Contains(to[addon], p) {
				continue
			}
			if _, err := s.db.Exec(ctx, `DELETE FROM subscription_addon WHERE account = $1 AND addon = $2 AND profile = $3`, string(a), addon, string(p)); err != nil {
				return fmt.Errorf("end an add-on: %w", err)
			}
		}
	}
	for addon, ps := range to {
		for _, p := range ps {
			if _, err := s.db.Exec(ctx, `INSERT INTO subscription_addon (account, addon, profile, since) VALUES ($1, $2, $3, $4) ON CONFLICT (account, addon, profile) DO NOTHING`,
				string(a), addon, string(p), now); err != nil {
				return fmt.Errorf("add an add-on: %w", err)
			}
		}
	}
	return nil
}

// putRow writes a subscription.
func (s *Service) putRow(ctx context.Context, r row, now int64) error {
	_, err := s.db.Exec(ctx, `INSERT INTO subscription (`+rowColumns+`, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account) DO UPDATE SET cycle_start = excluded.cycle_start, cycle_end = excluded.cycle_end, later = excluded.later, updated_at = excluded.updated_at`,
		string(r.account), r.cycle.from, r.cycle.to, r.later, now, now)
	if err != nil {
		return fmt.Errorf("write a subscription: %w", err)
	}
	return nil
}

// paid are the charges of an account for plan, services and add-ons that reach beyond an instant and of which nothing was given
// back, or what was has been taken back with its invoice.
func (s *Service) paid(ctx context.Context, a id.Account, at int64) ([]Charge, error) {
	out, err := sqldb.All(ctx, s.db, scanCharge, `SELECT `+chargeColumns+` FROM charge WHERE account = $1 AND end_at > $2 AND cents > 0 AND gives_back = ''
		AND kind IN ('plan', 'service', 'addon') AND NOT EXISTS (SELECT 1 FROM charge AS back WHERE back.account = charge.account AND back.end_at = charge.end_at
		AND back.gives_back = charge.id AND NOT EXISTS (SELECT 1 FROM charge AS undo WHERE undo.account = back.account AND undo.end_at = back.end_at
		AND undo.gives_back = back.id)) ORDER BY start_at, id`, string(a), at)
	if err != nil {
		return nil, fmt.Errorf("read what is paid: %w", err)
	}
	return out, nil
}

// once makes the answer to a request that came with a key the answer to all that come with it, for a day. It returns the
// answer that was given, if any. It needs a transaction.
func (s *Service) once(ctx context.Context, a id.Account, key, body string) (answer string, again bool, err error) {
	if key == "" {
		return "", false, nil
	}
	type request struct{ body, answer string }
	r, ok, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x request, err error) { return x, r.Scan(&x.body, &x.answer) },
		`SELECT body, answer FROM subscription_request WHERE account = $1 AND key = $2 AND made_at > $3`, string(a), key, s.now()-keepRequests)
	if err != nil {
		return "", false, fmt.Errorf("read a request: %w", err)
	}
	if ok && r.body != body {
		return "", false, web.ErrOtherBody
	}
	return r.answer, ok, nil
}

// answered keeps the answer to a request that came with a key.
func (s *Service) answered(ctx context.Context, a id.Account, key, body, answer string) error {
	if key == "" {
		return nil
	}
	_, err := s.db.Exec(ctx, `INSERT INTO subscription_request (account, key, body, answer, made_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, key) DO UPDATE SET body = excluded.body, answer = excluded.answer, made_at = excluded.made_at`, string(a), key, body, answer, s.now())
	if err != nil {
		return fmt.Errorf("keep a request: %w", err)
	}
	return nil
}
