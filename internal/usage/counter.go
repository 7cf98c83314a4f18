package usage

import (
	"context"
	"fmt"
	"math"
	"strings"

	"paddock/internal/account"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

// IngestTake is what one profile's part of a round stores. Both numbers are at least 0.
type IngestTake struct {
	Profile id.Profile
	Input   int64 // variables received
	Records int64 // points stored
}

// Need is an amount of a service in base units.
type Need struct {
	Service plan.Service
	N       int64
}

// maxRows is how many profiles a statement touches at most.
const maxRows = 1000

// TakeIngest takes input and data_records for every profile of a round, with one statement for all: the ledger of the
// quarter of an hour that runs stands in the same row. It joins the transaction of ctx, which must be the one that stores
// the points. The answer says, in the order of takes, which were taken; of the others nothing was, and Refusal says why.
// A profile may be in takes only once; they are best sorted by profile, so that rounds do not meet crosswise.
//
// by divides the takes' input among devices: of those that are taken it is written to the device ledger.
func (s *Service) TakeIngest(ctx context.Context, takes []IngestTake, by ...DeviceInput) (ok []bool, err error) {
	ok = make([]bool, len(takes))
	at := make(map[id.Profile]int, len(takes))
	for i, t := range takes {
		if _, twice := at[t.Profile]; twice || t.Input < 0 || t.Records < 0 {
			return nil, fmt.Errorf("take for ingest: profile %s is given twice or takes less than nothing", t.Profile)
		}
		at[t.Profile] = i
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		clear(ok)
		for start := 0; start < len(takes); start += maxRows {
			part := takes[start:min(start+maxRows, len(takes))]
			now := s.now()
			if err := s.takeIngest(ctx, part, by, at, ok, now); err != nil {
				return err
			}
			var rest []id.Profile
			for _, t := range part {
				if !ok[at[t.Profile]] {
					rest = append(rest, t.Profile)
				}
			}
			turned, err := s.turnAll(ctx, rest, now)
			if err != nil {
				return err
			}
			if len(turned) > 0 {
				again := make([]IngestTake, len(turned))
				for i, p := range turned {
					again[i] = takes[at[p]]
				}
				if err := s.takeIngest(ctx, again, by, at, ok, now); err != nil {
					return err
				}
			}
			if err := s.ingestBeyond(ctx, part, by, at, ok); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take for ingest: %w", err)
	}
	return ok, nil
}

type ingested struct {
	profile id.Profile
	quarter int64
	near    bool // input or data_records are at 80 % of what is allowed, or above
}

func (s *Service) takeIngest(ctx context.Context, takes []IngestTake, by []DeviceInput, at map[id.Profile]int, ok []bool, now int64) error {
	n := len(takes)
	args := make([]any, 0, 3*n+2)
	for _, t := range takes {
		args = append(args, string(t.Profile), t.Input, t.Records)
	}
	args = append(args, now, quarterOf(now))
	// Columns of VALUES are called column1, … on both engines.
	stmt := `UPDATE counter SET
			input_used = counter.input_used + v.column2,
			data_records_used = counter.data_records_used + v.column3,
			open_input = counter.open_input + v.column2,
			open_data_records = counter.data_records_used + v.column3
		FROM (VALUES ` + sqldb.RowsOf(1, n, "TEXT", "BIGINT", "BIGINT") + `) AS v
		WHERE counter.profile_id = v.column1 AND counter.cycle_end > $` + fmt.Sprint(1+3*n) + ` AND counter.quarter >= $` + fmt.Sprint(2+3*n) + `
			AND counter.input_used + v.column2 <= counter.input_allowed
			AND counter.data_records_used + v.column3 <= counter.data_records_allowed
		RETURNING profile_id, quarter,
			input_used >= input_allowed - input_allowed / 5 OR data_records_used >= data_records_allowed - data_records_allowed / 5`
	done, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (i ingested, err error) {
		return i, r.Scan(&i.profile, &i.quarter, &i.near)
	}, stmt, args...)
	if err != nil || len(done) == 0 {
		return err
	}
	var near []id.Profile
	quarters := make(map[id.Profile]int64, len(done))
	for _, d := range done {
		ok[at[d.profile]], quarters[d.profile] = true, d.quarter
		if d.near {
			near = append(near, d.profile)
		}
	}
	if len(near) > 0 {
		s.moved(ctx, near...)
	}
	return s.bookInput(ctx, by, func(p id.Profile) (int64, bool) { q, taken := quarters[p]; return q, taken })
}

// bookInput writes to the device ledger what devices have of the input of those profiles that taken knows the quarter of.
func (s *Service) bookInput(ctx context.Context, by []DeviceInput, taken func(id.Profile) (quarter int64, ok bool)) error {
	uses := make([]deviceUse, 0, len(by))
	for _, x := range by {
		if q, ok := taken(x.Profile); ok && x.Input > 0 {
			u := deviceUse{profile: x.Profile, deviceHour: deviceHour{x.Device, q - q%hour}}
			u.used[inputIndex] = x.Input
			uses = append(uses, u)
		}
	}
	return s.bookDevices(ctx, uses)
}

// ingestBeyond takes, as policies allow, what did not fit into the limits.
func (s *Service) ingestBeyond(ctx context.Context, takes []IngestTake, by []DeviceInput, at map[id.Profile]int, ok []bool) error {
	var wants []want
	for _, t := range takes {
		if ok[at[t.Profile]] {
			continue
		}
		w := want{profile: t.Profile}
		for _, n := range []Need{{plan.Input, t.Input}, {plan.DataRecords, t.Records}} {
			if n.N > 0 {
				w.needs = append(w.needs, n)
			}
		}
		wants = append(wants, w)
	}
	if len(wants) == 0 {
		return nil
	}
	taken, err := s.beyond(ctx, wants)
	if err != nil || len(taken) == 0 {
		return err
	}
	for p := range taken {
		ok[at[p]] = true
	}
	return s.bookInput(ctx, by, func(p id.Profile) (int64, bool) { q, there := taken[p]; return q, there })
}

var inputIndex = plan.Index(plan.Input)

// perService are statements that differ by a column; the column comes from our own list.
type perService struct{ take, release, ledger, ledgerLevels string }

var statements = func() (out [plan.N]perService) {
	for i, s := range plan.Metered {
		sum := fmt.Sprintf("excluded.%s", s)
		if plan.Flow(s) {
			sum = fmt.Sprintf("ledger.%s + excluded.%s", s, s)
		}
		out[i] = perService{
			take: fmt.Sprintf(`UPDATE counter SET %[1]s_used = %[1]s_used + $1%[2]s
				WHERE profile_id = $2 AND cycle_end > $3 AND quarter >= $4 AND %[1]s_used + $5 <= %[1]s_allowed RETURNING quarter, %[1]s_used`, s, closes(s)),
			// What was accepted beyond the limit goes first.
			release: fmt.Sprintf(`UPDATE counter SET %[1]s_used = %[1]s_used - $1,
				%[1]s_allowed = %[1]s_allowed - CASE WHEN %[1]s_over < $2 THEN %[1]s_over ELSE $3 END,
				%[1]s_over = %[1]s_over - CASE WHEN %[1]s_over < $4 THEN %[1]s_over ELSE $5 END%[2]s
				WHERE profile_id = $6 AND cycle_end > $7 AND quarter >= $8 AND %[1]s_used >= $9 RETURNING quarter, %[1]s_used, %[1]s_over`, s, closes(s)),
			ledgerLevels: fmt.Sprintf(`INSERT INTO ledger (profile_id, quarter, %[1]s, %[1]s_over) VALUES ($1, $2, $3, $4)
				ON CONFLICT (profile_id, quarter) DO UPDATE SET %[1]s = excluded.%[1]s, %[1]s_over = excluded.%[1]s_over`, s),
			ledger: fmt.Sprintf(`INSERT INTO ledger (profile_id, quarter, %[1]s) VALUES ($1, $2, $3)
				ON CONFLICT (profile_id, quarter) DO UPDATE SET %[1]s = %[2]s`, s, sum),
		}
	}
	return out
}()

// Take takes n base units of a service for a profile, in the transaction of ctx. It returns limit_reached when
// they do not fit, and then took nothing; not_found when the profile has no counters.
func (s *Service) Take(ctx context.Context, p id.Profile, svc plan.Service, n int64) error {
	if n < 0 {
		return fmt.Errorf("take %d of %s", n, svc)
	}
	if n == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		return s.judge(ctx, p, func() (bool, error) {
			done, err := s.take(ctx, p, svc, n)
			if err != nil || done {
				return done, err
			}
			taken, err := s.beyond(ctx, []want{{p, []Need{{svc, n}}}})
			return len(taken) > 0, err
		}, Need{svc, n})
	})
}

// Release gives back n base units of a stock, in the transaction of ctx: what was marked as overage first. Giving back more than is held is a
// mistake in our code, and an error; of a profile that is deleted it is what is kept for its return.
func (s *Service) Release(ctx context.Context, p id.Profile, svc plan.Service, n int64) error {
	if n < 0 || plan.Flow(svc) {
		return fmt.Errorf("release %d of %s", n, svc)
	}
	if n == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		done, err := s.release(ctx, p, svc, n)
		if err != nil || done {
			return err
		}
		if _, err := s.stored(ctx, p); ifThere(err) != nil {
			return err
		} else if err != nil {
			return s.releaseResting(ctx, p, svc, n)
		}
		return fmt.Errorf("release %d of %s: the profile holds less", n, svc)
	})
}

// take runs the statement that takes what fits, and writes the ledger.
func (s *Service) take(ctx context.Context, p id.Profile, svc plan.Service, n int64) (bool, error) {
	type result struct{ quarter, used int64 }
	return s.inCycle(ctx, p, func(now, q int64) (bool, error) {
		r, done, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x result, err error) {
			return x, r.Scan(&x.quarter, &x.used)
		}, statements[plan.Index(svc)].take, n, string(p), now, q, n)
		if err != nil || !done {
			return false, wrap("take "+string(svc), err)
		}
		v := n
		if !plan.Flow(svc) {
			v = r.used
		}
		s.moved(ctx, p)
		_, err = s.db.Exec(ctx, statements[plan.Index(svc)].ledger, string(p), r.quarter, v)
		return true, wrap("write the ledger", err)
	})
}

// release runs the statement that gives back a stock, and writes the ledger.
func (s *Service) release(ctx context.Context, p id.Profile, svc plan.Service, n int64) (bool, error) {
	type result struct{ quarter, used, over int64 }
	return s.inCycle(ctx, p, func(now, q int64) (bool, error) {
		r, done, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x result, err error) {
			return x, r.Scan(&x.quarter, &x.used, &x.over)
		}, statements[plan.Index(svc)].release, n, n, n, n, n, string(p), now, q, n)
		if err != nil || !done {
			return false, wrap("release "+string(svc), err)
		}
		s.moved(ctx, p)
		_, err = s.db.Exec(ctx, statements[plan.Index(svc)].ledgerLevels, string(p), r.quarter, r.used, r.over)
		return true, wrap("write the ledger", err)
	})
}

// inCycle runs what needs a counter of the present cycle and quarter, again when it did nothing because those were over. On
// PostgreSQL another transaction may have turned it in between, which looks like a counter that was never over: so
// it runs again in any case.
func (s *Service) inCycle(ctx context.Context, p id.Profile, run func(now, quarter int64) (bool, error)) (bool, error) {
	now := s.now() // the same again, or a quarter could end in between
	for turned := false; ; turned = true {
		done, err := run(now, quarterOf(now))
		if err != nil || done || turned {
			return done, err
		}
		if _, err := s.turnAll(ctx, []id.Profile{p}, now); err != nil {
			return false, err
		}
	}
}

// Counter is a counter row.
type Counter struct {
	Profile    id.Profile
	CycleStart int64 // UTC milliseconds
	CycleEnd   int64
	Version    int64        // of the allocation it was copied from; 0 for a past cycle
	Used       plan.Amounts // all of it, also what was accepted beyond the limit
	Allowed    plan.Amounts
	Over       plan.Amounts // the part of Used that was accepted beyond the limit and marked
}

// amountColumns are the columns of a counter's amounts: of used and allowed in the order of plan.Metered, of over in that of
// plan.Services. The column allowed includes what is over, so that a take compares two columns only.
var amountColumns = columns("%s_used", plan.Metered[:]) + ", " + columns("%s_allowed", plan.Metered[:]) + ", " + overColumns

func columns(format string, services []plan.Service) string {
	parts := make([]string, len(services))
	for i, s := range services {
		parts[i] = fmt.Sprintf(format, s)
	}
	return strings.Join(parts, ", ")
}

func (c *Counter) amounts() (to []any) {
	for i := range c.Used {
		to = append(to, &c.Used[i])
	}
	for i := range c.Allowed {
		to = append(to, &c.Allowed[i])
	}
	for i := range plan.Services {
		to = append(to, &c.Over[i])
	}
	return to
}

// read turns columns that were scanned into what they mean.
func (c *Counter) read() {
	for i := range c.Allowed {
		c.Allowed[i] -= c.Over[i]
	}
}

func scanCounter(r sqldb.Scanner) (c Counter, err error) {
	err = r.Scan(append([]any{&c.Profile, &c.CycleStart, &c.CycleEnd, &c.Version}, c.amounts()...)...)
	c.read()
	return c, err
}

// stored reads a counter row as it is.
func (s *Service) stored(ctx context.Context, p id.Profile) (Counter, error) {
	c, found, err := sqldb.One(ctx, s.db, scanCounter, `SELECT profile_id, cycle_start, cycle_end, version, `+amountColumns+` FROM counter WHERE profile_id = $1`, string(p))
	if err != nil {
		return c, fmt.Errorf("read the counters: %w", err)
	}
	if !found {
		return c, profile.NotFound
	}
	return c, nil
}

// Current is what a profile has used and may use now. A cycle that is over and that nobody has turned yet
// shows as a new one: nothing used of the flows, and the whole allocation allowed.
func (s *Service) Current(ctx context.Context, p id.Profile) (Counter, error) {
	c, err := s.stored(ctx, p)
	if err != nil {
		return c, err
	}
	now := s.now()
	if c.CycleEnd > now {
		return c, nil
	}
	acc, err := s.ownerOf(ctx, p)
	if err != nil {
		return c, err
	}
	a, found, err := s.allocationOf(ctx, p)
	if err != nil {
		return c, err
	}
	return c.begun(now, acc, a, found), nil
}

// begun is a counter whose cycle is over as it will be when somebody turns it: of an allocation, where the profile has one.
func (c Counter) begun(now int64, acc account.Account, a Allocation, allocated bool) Counter {
	c.CycleStart, c.CycleEnd = nextCycle(c.CycleEnd, now, acc)
	c = c.anew()
	for i, svc := range plan.Services {
		if allocated && plan.Flow(svc) {
			c.Allowed[i] = a.Amounts[i]
		}
	}
	return c
}

// Used is Current without what this node has taken in advance and not spent: what people are shown.
func (s *Service) Used(ctx context.Context, p id.Profile) (Counter, error) {
	var c Counter
	err := s.quiet(ctx, p, func(held map[plan.Service]leased) (err error) {
		if c, err = s.Current(ctx, p); err != nil {
			return err
		}
		for svc, l := range held {
			if l.cycleStart == c.CycleStart {
				c.Used[plan.Index(svc)] -= l.left
			}
		}
		return nil
	})
	return c, err
}

// judge takes needs by take, in the transaction of ctx, or returns why they do not fit. Where another transaction has
// made room between the two, as happens on PostgreSQL, they are judged once more behind the counter's lock: else
// the refusal would show figures by which they fit.
func (s *Service) judge(ctx context.Context, p id.Profile, take func() (bool, error), needs ...Need) error {
	for locked := false; ; locked = true {
		done, err := take()
		if err != nil || done {
			return err
		}
		fits, refusal := s.refusal(ctx, p, needs...)
		if !fits || locked {
			return refusal
		}
		if _, _, err := s.lockCounter(ctx, p); err != nil {
			return err
		}
	}
}

// Refusal is the limit_reached fault for a request that was not taken: for the first of its needs that does
// not fit or, when room was made meanwhile, for the one that had least. It decides nothing, Take does. It
// returns not_found for a profile that is gone.
func (s *Service) Refusal(ctx context.Context, p id.Profile, needs ...Need) error {
	_, err := s.refusal(ctx, p, needs...)
	return err
}

// refusal is Refusal, and whether all needs fit by now.
func (s *Service) refusal(ctx context.Context, p id.Profile, needs ...Need) (fits bool, refusal error) {
	c, err := s.Current(ctx, p)
	if err != nil {
		return false, err
	}
	policies, err := s.PoliciesOf(ctx, p)
	if err != nil {
		return false, err
	}
	worst, least, free := needs[0], int64(math.MaxInt64), int64(0)
	for _, n := range needs {
		i := plan.Index(n.Service)
		left := c.room(i) - n.N
		f := int64(0)
		switch policy := policies.of(n.Service); {
		case policy == Overage:
			left = plan.Unlimited
		case policy == Pool && left < 0:
			pr, err := s.profiles.Get(ctx, p)
			if err != nil {
				return false, err
			}
			if f, err = s.freeOf(ctx, pr.Account, n.Service, c.CycleEnd); err != nil {
				return false, err
			}
			left = f - c.draw(i, n.N)
		}
		if left < least {
			worst, least, free = n, left, f
		}
		if left < 0 {
			break
		}
	}
	return least >= 0, exceeded(c, worst, policies.of(worst.Service), free)
}

// RefusalOf is Refusal for a take of ingest, in the order in which requests are judged. fits says that room was made
// meanwhile: take again.
func (s *Service) RefusalOf(ctx context.Context, t IngestTake) (fits bool, refusal error) {
	return s.refusal(ctx, t.Profile, Need{plan.Input, t.Input}, Need{plan.DataRecords, t.Records})
}

// TakeOne is TakeIngest for the request of one device. It returns the refusal when it was not taken.
func (s *Service) TakeOne(ctx context.Context, t IngestTake, by DeviceInput) error {
	return s.judge(ctx, t.Profile, func() (bool, error) {
		ok, err := s.TakeIngest(ctx, []IngestTake{t}, by)
		return err == nil && ok[0], err
	}, Need{plan.Input, t.Input}, Need{plan.DataRecords, t.Records})
}

// exceeded words a refusal; free is what the account's pool has left where the policy is to draw on it.
func exceeded(c Counter, n Need, policy Policy, free int64) error {
	i, svc := plan.Index(n.Service), n.Service
	d := fault.Limit{Limit: string(svc), Scope: "profile", Used: plan.Wire(svc, c.Used[i]), Allowed: plan.Wire(svc, c.Allowed[i]),
		Needed: plan.Wire(svc, n.N), Hint: "Raise the profile's allocation of " + string(svc) + ", or delete some of what it holds."}
	text := fmt.Sprintf("You have exceeded the maximum limit of %s (%s): %s used, ", svc.Name(), plan.Show(svc, c.Allowed[i]), plan.Show(svc, c.Used[i]))
	if over := c.Over[i]; over > 0 {
		text += plan.Show(svc, over) + " of them as overage, "
	}
	text += plan.Show(svc, n.N) + " more needed"
	if policy == Pool {
		text += ", " + plan.Show(svc, free) + " free in the account's pool"
	}
	text += "; "
	if plan.Flow(svc) {
		reset := web.Millis(c.CycleEnd).String()
		d.ResetsAt = &reset
		d.Hint = "Raise the profile's allocation of " + string(svc) + ", or wait until it starts again."
		text += "it starts again at " + reset
	} else {
		text += "delete some or raise the limit of the profile"
	}
	return fault.New(fault.LimitReached, "%s", text).With(d)
}

// Hold counts n more of a capped resource, in the transaction that makes them. It returns limit_reached when
// the plan of the profile's owner allows no more, and then counted nothing.
func (s *Service) Hold(ctx context.Context, p id.Profile, r plan.Resource, n int64) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		pl, err := s.profiles.Plan(ctx, p)
		if err != nil {
			return err
		}
		most := pl.Cap(r)
		if _, err := s.db.Exec(ctx, `INSERT INTO held (profile_id, resource, used) VALUES ($1, $2, 0)
			ON CONFLICT (profile_id, resource) DO NOTHING`, string(p), string(r)); err != nil {
			return fmt.Errorf("hold %s: %w", r, err)
		}
		done, err := s.db.Exec(ctx, `UPDATE held SET used = used + $1 WHERE profile_id = $2 AND resource = $3 AND used + $4 <= $5`,
			n, string(p), string(r), n, most)
		if err != nil {
			return fmt.Errorf("hold %s: %w", r, err)
		}
		if done == 1 {
			return nil
		}
		used, err := s.held(ctx, p)
		if err != nil {
			return err
		}
		return fault.New(fault.LimitReached, "You have exceeded the maximum limit of %s (%d): the profile has %d. Delete some, or change the plan of its owner.",
			r.Name(), most, used[r]).With(fault.Limit{
			Limit: string(r), Scope: "profile", Used: float64(used[r]), Allowed: float64(most), Needed: float64(n),
			Hint: "Delete some, or change the plan of the profile's owner.",
		})
	})
}

// Unhold counts n fewer, in the transaction that removes them. A profile that is gone holds nothing.
func (s *Service) Unhold(ctx context.Context, p id.Profile, r plan.Resource, n int64) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		done, err := s.db.Exec(ctx, `UPDATE held SET used = used - $1 WHERE profile_id = $2 AND resource = $3 AND used >= $4`,
			n, string(p), string(r), n)
		if err != nil {
			return fmt.Errorf("let go of %d %s: %w", n, r, err)
		}
		if done == 1 || n == 0 {
			return nil
		}
		if _, err := s.stored(ctx, p); err != nil {
			return ifThere(err)
		}
		return fmt.Errorf("let go of %d %s: the profile holds fewer", n, r)
	})
}

// ifThere is err unless it says that the profile is gone.
func ifThere(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (s *Service) held(ctx context.Context, p id.Profile) (map[plan.Resource]int64, error) {
	type row struct {
		r    plan.Resource
		used int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.r, &x.used) },
		`SELECT resource, used FROM held WHERE profile_id = $1`, string(p))
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	m := map[plan.Resource]int64{}
	for _, r := range rows {
		m[r.r] = r.used
	}
	return m, nil
}
