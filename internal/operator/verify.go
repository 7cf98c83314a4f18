package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const (
	verifyLease  = 30 * time.Second // after which a verification of a node that died counts as cut off
	verifyTick   = time.Second      // progress is written, and the lease renewed
	keepRuns     = 50
	keepFindings = 200 // lines of a run
	maxFinding   = 500 // characters
	dueHour      = 3   // o'clock
)

// Where a verification was asked for.
const (
	fromPage     = "page"
	fromSchedule = "schedule"
	fromCommand  = "command"
)

// run is a verification.
type run struct {
	id, origin  string
	account     id.Account
	began       int64
	finished    int64 // 0 while it runs
	held        int64
	step        string
	done, total int64
	found       int64
	findings    []string // the first ones
	checked     string
	failure     string // why it did not end
}

const runColumns = `id, origin, account, began_at, finished_at, held_until, step, done, total, found, findings, checked, failure`

func scanRun(r sqldb.Scanner) (x run, err error) {
	var findings string
	if err = r.Scan(&x.id, &x.origin, &x.account, &x.began, &x.finished, &x.held, &x.step, &x.done, &x.total, &x.found, &findings, &x.checked, &x.failure); err != nil {
		return x, err
	}
	return x, json.Unmarshal([]byte(findings), &x.findings)
}

// errRunning is the answer to a second one.
var errRunning = fault.New(fault.Conflict, "A verification is running already")

// begin makes the row of a verification. It returns conflict while one runs.
func (s *Service) begin(ctx context.Context, who auth.Caller, origin string) (run, error) {
	x := run{id: id.New[string](), origin: origin, account: who.AccountID, began: s.now()}
	x.held = x.began + verifyLease.Milliseconds()
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		// What a node that died has left is over.
		if _, err := s.db.Exec(ctx, `UPDATE verify_run SET finished_at = held_until, failure = $1 WHERE finished_at = 0 AND held_until <= $2`, "it was cut off: the server stopped", x.began); err != nil {
			return err
		}
		n, err := s.db.Exec(ctx, `INSERT INTO verify_run (`+runColumns+`) VALUES (`+sqldb.Marks(1, 13)+`) ON CONFLICT DO NOTHING`,
			x.id, x.origin, string(x.account), x.began, int64(0), x.held, "", int64(0), int64(0), int64(0), "[]", "", "")
		if err != nil {
			return fmt.Errorf("begin a verification: %w", err)
		}
		if n == 0 {
			return errRunning
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM verify_run WHERE finished_at > 0 AND id NOT IN (SELECT id FROM verify_run ORDER BY began_at DESC, id LIMIT $1)`, int64(keepRuns)); err != nil {
			return fmt.Errorf("forget verifications: %w", err)
		}
		if who.Kind != auth.Session {
			return nil
		}
		return s.record(ctx, who, "server", x.id, "Verification begun")
	})
	return x, err
}

// verify does what a row says and writes what came of it.
func (s *Service) verify(ctx context.Context, x run) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	told := func(step string, done, total int64) {
		mu.Lock()
		x.step, x.done, x.total = step, done, total
		mu.Unlock()
	}
	var ticking sync.WaitGroup
	over := make(chan struct{})
	ticking.Go(func() {
		tick := time.NewTicker(verifyTick)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			mu.Lock()
			step, done, total := x.step, x.done, x.total
			mu.Unlock()
			n, err := s.db.Exec(ctx, `UPDATE verify_run SET held_until = $1, step = $2, done = $3, total = $4 WHERE id = $5 AND finished_at = 0`,
				s.now()+verifyLease.Milliseconds(), step, done, total, x.id)
			if err == nil && n == 0 { // another node holds it for dead
				cancel()
				return
			}
		}
	})
	findings, checked, err := s.contained(sqldb.Gently(ctx), told)
	close(over)
	ticking.Wait()
	return s.end(context.WithoutCancel(ctx), x, findings, checked, err)
}

// contained is Verify whose panic is an error.
func (s *Service) contained(ctx context.Context, told Told) (findings []string, checked string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.cfg.Log.Error("verification", "error", err, "stack", string(debug.Stack()))
		}
	}()
	return s.cfg.Verify(ctx, told)
}

// end writes what came of a verification.
func (s *Service) end(ctx context.Context, x run, findings []string, checked string, failure error) error {
	x.finished, x.found, x.checked = s.now(), int64(len(findings)), checked
	if failure != nil {
		x.failure = "it failed; the log says why"
		if errors.Is(failure, context.Canceled) {
			x.failure = "it was cut off: the server stopped"
		} else {
			s.cfg.Log.Error("verification", "error", failure)
		}
	}
	kept := []string{}
	for _, f := range findings[:min(len(findings), keepFindings)] {
		if r := []rune(f); len(r) > maxFinding {
			f = string(r[:maxFinding-1]) + "…"
		}
		kept = append(kept, f)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if _, err = s.db.Exec(ctx, `UPDATE verify_run SET finished_at = $1, found = $2, findings = $3, checked = $4, failure = $5 WHERE id = $6 AND finished_at = 0`,
		x.finished, x.found, string(text), x.checked, x.failure, x.id); err != nil {
		return fmt.Errorf("note a verification: %w", err)
	}
	if x.found > 0 {
		s.cfg.Log.Error("verification", "findings", x.found, "first", kept[0])
	}
	return nil
}

// StartVerify begins a verification in the background, which ends when it is done or the server stops. It returns conflict
// while one runs.
func (s *Service) StartVerify(ctx context.Context, who auth.Caller) error {
	x, err := s.begin(ctx, who, fromPage)
	if err != nil {
		return err
	}
	s.work.Go(func() {
		if err := s.verify(s.running, x); err != nil {
			s.cfg.Log.Error("verification", "error", err)
		}
	})
	return nil
}

// NoteVerify keeps what a verification at the command line, begun then, came to.
func (s *Service) NoteVerify(ctx context.Context, began time.Time, findings []string, checked string) error {
	x, err := s.begin(ctx, auth.SystemCaller(), fromCommand)
	if fault.Is(err, fault.Conflict) {
		return nil // the page shows the one that runs
	}
	if err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `UPDATE verify_run SET began_at = $1 WHERE id = $2`, clock.Millis(began), x.id); err != nil {
		return err
	}
	return s.end(ctx, x, findings, checked, nil)
}

// due is the last instant at which a verification was due, in the zone of now.
func due(schedule Schedule, now time.Time) time.Time {
	t := time.Date(now.Year(), now.Month(), now.Day(), dueHour, 0, 0, 0, now.Location())
	for t.After(now) || schedule == Weekly && t.Weekday() != time.Sunday {
		t = time.Date(t.Year(), t.Month(), t.Day()-1, dueHour, 0, 0, 0, now.Location())
	}
	return t
}

// VerifyWhenDue runs a verification if none has begun since one was due. A new installation begins in its first night.
func (s *Service) VerifyWhenDue(ctx context.Context) error {
	if s.cfg.Schedule == Never {
		return nil
	}
	at := clock.Millis(due(s.cfg.Schedule, s.clock.Now().Local()))
	var since int64
	if err := s.db.QueryRow(ctx, `SELECT COALESCE(MIN(at), 0) FROM disk_sample`).Scan(&since); err != nil {
		return err
	}
	var last int64
	if err := s.db.QueryRow(ctx, `SELECT COALESCE(MAX(began_at), 0) FROM verify_run`).Scan(&last); err != nil {
		return err
	}
	if since == 0 || max(since, last) >= at {
		return nil
	}
	x, err := s.begin(ctx, auth.SystemCaller(), fromSchedule)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.verify(ctx, x)
}

// runs are the latest verifications, the one that runs first.
func (s *Service) runs(ctx context.Context, most int64) ([]run, error) {
	out, err := sqldb.All(ctx, s.db, scanRun, `SELECT `+runColumns+` FROM verify_run ORDER BY began_at DESC, id DESC LIMIT $1`, most)
	if err != nil {
		return nil, fmt.Errorf("list verifications: %w", err)
	}
	now := s.now()
	for i := range out {
		if x := &out[i]; x.finished == 0 && x.held <= now {
			x.finished, x.failure = x.held, "it was cut off: the server stopped"
		}
	}
	return out, nil
}

// Run is a verification on the wire.
type Run struct {
	Origin   string    `json:"origin" enum:"page,schedule,command"`
	By       *string   `json:"by" description:"the name of who asked for it on the page"`
	BeganAt  web.Time  `json:"began_at"`
	EndedAt  *web.Time `json:"ended_at" description:"null while it runs"`
	Step     string    `json:"step" description:"what it is at: owners, transfers, statements, usage, points, costs, invoices"`
	Done     int64     `json:"done"`
	Total    int64     `json:"total"`
	OK       bool      `json:"ok" description:"it ended and every figure agrees"`
	Found    int64     `json:"found" description:"figures that are off"`
	Findings []string  `json:"findings" description:"the first 200"`
	Checked  string    `json:"checked" description:"what it looked at"`
	Failure  *string   `json:"failure" description:"why it did not end"`
}

// VerifyResult is what is known of verifications.
type VerifyResult struct {
	Schedule Schedule `json:"schedule" enum:"daily,weekly,never"`
	Running  *Run     `json:"running"`
	Last     *Run     `json:"last" description:"the latest that is over"`
	Earlier  []Run    `json:"earlier" description:"those before, without their lines"`
}

func (s *Service) runRow(ctx context.Context, x run) (Run, error) {
	out := Run{Origin: x.origin, BeganAt: web.Millis(x.began), Step: x.step, Done: x.done, Total: x.total, Found: x.found, Findings: x.findings, Checked: x.checked,
		OK: x.finished != 0 && x.found == 0 && x.failure == ""}
	if x.finished != 0 {
		out.EndedAt = web.MaybeMillis(&x.finished)
	}
	if x.failure != "" {
		out.Failure = &x.failure
	}
	if x.account != "" {
		acc, err := s.rooms.Accounts.Get(ctx, x.account)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return out, err
		}
		if err == nil {
			out.By = &acc.Name
		}
	}
	return out, nil
}

// Verifications tells which verification runs, which was the last, and some before.
func (s *Service) Verifications(ctx context.Context, earlier int64) (VerifyResult, error) {
	out := VerifyResult{Schedule: s.cfg.Schedule, Earlier: []Run{}}
	xs, err := s.runs(ctx, 2+earlier)
	if err != nil {
		return out, err
	}
	for _, x := range xs {
		r, err := s.runRow(ctx, x)
		if err != nil {
			return out, err
		}
		switch {
		case x.finished == 0:
			out.Running = &r
		case out.Last == nil:
			out.Last = &r
		case int64(len(out.Earlier)) < earlier:
			r.Findings = []string{}
			out.Earlier = append(out.Earlier, r)
		}
	}
	return out, nil
}

func (s *Service) getVerify(ctx context.Context, who auth.Caller, _ struct{}) (VerifyResult, error) {
	if err := operator(who); err != nil {
		return VerifyResult{}, err
	}
	return s.Verifications(ctx, 10)
}

func (s *Service) postVerify(ctx context.Context, who auth.Caller, _ struct{}) (VerifyResult, error) {
	if err := operator(who); err != nil {
		return VerifyResult{}, err
	}
	if err := s.StartVerify(ctx, who); err != nil {
		return VerifyResult{}, err
	}
	return s.Verifications(ctx, 10)
}
