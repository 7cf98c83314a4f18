package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"paddock/e2e/server"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
)

// What one account has for the measurement of costs.
const (
	costProfiles = 1000
	costDays     = 31
	costChanges  = 60 // of allocations in that time, each at another hour
	costRounds   = 15 // questions of each kind
)

// costMain is `bench cost`: that measurement alone, printed only.
func costMain(args []string) error {
	var o options
	f := flag.NewFlagSet("cost", flag.ExitOnError)
	f.StringVar(&o.paddock, "paddock", "bin/paddock", "the `binary` to measure")
	f.Parse(args)
	dir, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	figures, err := costs(o, dir)
	if err != nil {
		return err
	}
	fmt.Print(table(figures))
	for _, f := range figures {
		if !f.met() {
			return errMissed
		}
	}
	return nil
}

// costs measures what it takes to say what an account costs: a thousand profiles that use every service in every hour of 31 days, and
// allocations that change. Their past is written into the database of a server that is stopped; the server then rates it by
// itself, and is asked over HTTP.
func costs(o options, dir string) ([]figure, error) {
	dir = filepath.Join(dir, "cost")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(o.paddock)
	if err != nil {
		return nil, err
	}
	home, err := server.NewHome(binary, dir, "")
	if err != nil {
		return nil, err
	}
	s, err := home.Serve()
	if err != nil {
		return nil, err
	}
	defer func() { s.Kill() }()
	account, err := home.CreateAccount("Payer", "house")
	if err != nil {
		return nil, err
	}
	profiles := []string{account.Profile}
	made, err := sideBySide(costProfiles-1, func(n int) ([]string, error) {
		var p struct{ ID string }
		err := s.Call("POST", "/profile", account.Token, map[string]string{"name": fmt.Sprintf("profile %d", n)}, &p)
		return []string{p.ID}, err
	})
	if err != nil {
		return nil, err
	}
	profiles = append(profiles, made...)
	if err := s.Stop(); err != nil {
		return nil, err
	}
	to := time.Now().UTC().Truncate(24 * time.Hour)
	from := to.AddDate(0, 0, -costDays)
	if err := writePast(filepath.Join(dir, "data", "paddock.db"), account.Account, profiles, from.UnixMilli(), to.UnixMilli()); err != nil {
		return nil, fmt.Errorf("write the past: %w", err)
	}
	if s, err = home.Serve(); err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/account/cost?from=%s&to=%s&basis=", from.Format(time.RFC3339), to.Format(time.RFC3339))
	began := time.Now()
	for {
		var c struct {
			RatedTo *string `json:"rated_to"`
		}
		if err := s.Call("GET", path+"use", account.Token, nil, &c); err != nil {
			return nil, err
		}
		if c.RatedTo == nil {
			break
		}
		if time.Since(began) > 10*time.Minute {
			return nil, fmt.Errorf("after ten minutes use is shared up to %s only", *c.RatedTo)
		}
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Printf("shared %d hours of %d profiles by use in %.0f s\n", costDays*24, costProfiles, time.Since(began).Seconds())
	times := map[string][]float64{}
	for range costRounds {
		for _, basis := range []string{"allocation", "use"} {
			took, err := askCost(s, path+basis, account.Token)
			if err != nil {
				return nil, err
			}
			times[basis] = append(times[basis], took)
		}
	}
	what := fmt.Sprintf("cost of one account with %d profiles over a %d-day cycle", costProfiles, costDays)
	return []figure{
		{name: what + ", by allocation", unit: "ms", values: times["allocation"], most: 50},
		{name: what + ", by use", unit: "ms", values: times["use"], most: 50},
	}, nil
}

// askCost sends one question and says how many milliseconds its whole answer took.
func askCost(s *server.Server, path, token string) (float64, error) {
	q, err := http.NewRequest("GET", s.URL+path, nil)
	if err != nil {
		return 0, err
	}
	q.Header.Set("token", token)
	began := time.Now()
	answer, err := s.Client.Do(q)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	took := float64(time.Since(began).Microseconds()) / 1000
	if err == nil && (answer.StatusCode != 200 || len(text) < 50*costProfiles || !bytes.Contains(text, []byte(`"adds_up":true`))) {
		err = fmt.Errorf("%s answered %d with %d bytes: %.300s", path, answer.StatusCode, len(text), text)
	}
	return took, err
}

// writePast lets the profiles of an account have been there from one instant to another: owned, with allocations that changed, use in
// every hour, and a charge for the plan and for every service.
func writePast(file, account string, profiles []string, from, to int64) error {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite:"+file, sqldb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer db.Close()
	random := rand.New(rand.NewPCG(1, 2))
	const hour = 3_600_000
	set := func(ctx context.Context, q string, args ...any) error {
		_, err := db.Exec(ctx, q, args...)
		return err
	}
	insert := func(ctx context.Context, into string, width int, rows []any) error {
		for len(rows) > 0 {
			n := min(len(rows)/width, 500)
			if err := set(ctx, "INSERT INTO "+into+" VALUES "+sqldb.Rows(1, n, width), rows[:n*width]...); err != nil {
				return err
			}
			rows = rows[n*width:]
		}
		return nil
	}
	if err := db.Tx(ctx, func(ctx context.Context) error {
		for _, q := range []string{`UPDATE profile SET created_at = $1 WHERE account = $2`, `UPDATE profile_owned SET from_at = $1 WHERE account = $2`,
			`UPDATE allocation_history SET at = $1 WHERE account = $2`, `UPDATE pool_history SET at = $1 WHERE account = $2`} { // before what is made up below
			if err := set(ctx, q, from-hour, account); err != nil {
				return err
			}
		}
		if err := set(ctx, `DELETE FROM job_lease`); err != nil { // or the next turn of rating would be due in some minutes only
			return err
		}
		width := 5 + len(plan.Services)
		var rows []any
		amounts := func(n int64) {
			for range plan.Services {
				rows = append(rows, n+random.Int64N(1000))
			}
		}
		// History before the present, unlimited allocation of each: versions count down from it.
		for i, p := range profiles {
			rows = append(rows, p, int64(-costChanges-i), account, from, false)
			amounts(1000)
		}
		for n := range int64(costChanges) {
			rows = append(rows, profiles[random.IntN(len(profiles))], n-costChanges+1_000_000, account, from+random.Int64N(to-from), false)
			amounts(5000)
		}
		if err := insert(ctx, "allocation_history (profile, version, account, at, gone, input, output, analysis, data_records, sms, email, run_users, push_notification, file_storage)", width, rows); err != nil {
			return err
		}
		rows = []any{account, int64(1_000_000), from}
		amounts(10_000_000)
		if err := insert(ctx, "pool_history (account, seq, at, input, output, analysis, data_records, sms, email, run_users, push_notification, file_storage)", 3+len(plan.Services), rows); err != nil {
			return err
		}
		rows = nil
		var rated []any
		charge := func(id, kind, item string, cents int64) {
			rows = append(rows, id, account, kind, item, "", int64(0), cents, "usd", from, to, "", int64(1), "", id, from)
		}
		charge("0123456789abcdef01234567", "plan", "scale", 19900)
		for i, svc := range plan.Services {
			id := fmt.Sprintf("0123456789abcdef0123%04d", i)
			charge(id, "service", string(svc), 2000+int64(i))
			rated = append(rated, id, account, int64(0), from+hour, "{}")
		}
		if err := insert(ctx, "charge (id, account, kind, item, profile, amount, cents, currency, start_at, end_at, gives_back, catalogue, invoice, key, made_at)", 15, rows); err != nil {
			return err
		}
		return insert(ctx, "cost_rated (charge, account, hours, next_at, shares)", 5, rated)
	}); err != nil {
		return err
	}
	for _, p := range profiles {
		if err := db.Tx(ctx, func(ctx context.Context) error {
			var rows []any
			for at := from; at < to; at += hour {
				rows = append(rows, p, at)
				for range plan.Services {
					rows = append(rows, 1+random.Int64N(100))
				}
			}
			return insert(ctx, "ledger (profile_id, quarter, input, output, analysis, data_records, sms, email, run_users, push_notification, file_storage)", 2+len(plan.Services), rows)
		}); err != nil {
			return err
		}
	}
	return nil
}
