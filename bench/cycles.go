package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paddock/e2e/server"
	"paddock/internal/kit/sqldb"
)

// closingAccounts is how many accounts' cycles end at the same instant for the measurement of closing them.
const closingAccounts = 100_000

// cyclesMain is `bench cycles`: that measurement alone, printed only.
func cyclesMain(args []string) error {
	var o options
	f := flag.NewFlagSet("cycles", flag.ExitOnError)
	f.StringVar(&o.paddock, "paddock", "bin/paddock", "the `binary` to measure")
	accounts := f.Int("accounts", closingAccounts, "accounts")
	f.Parse(args)
	dir, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	figures, err := cycles(o, dir, *accounts)
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

// cycles measures what it takes to close the cycles of many accounts, each with a plan and a tier of SMS, and to write their
// invoices. The server is killed when it is half through, and must go on where it was: in the end every account has one invoice,
// numbered without a gap.
func cycles(o options, dir string, accounts int) ([]figure, error) {
	dir = filepath.Join(dir, "cycles")
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
	home.Env = append(home.Env, "PADDOCK_PAYMENT=manual")
	if _, err := home.CreateAccount("First", "free"); err != nil {
		return nil, err
	}
	db, err := sqldb.Open(context.Background(), "sqlite:"+filepath.Join(dir, "data", "paddock.db"), sqldb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	end := time.Now().UTC().Add(-time.Hour).Truncate(15 * time.Minute).UnixMilli()
	if err := writeSubscribers(db, accounts, end); err != nil {
		return nil, fmt.Errorf("write subscribers: %w", err)
	}
	count := func(q string) (n int, err error) {
		return n, db.QueryRow(context.Background(), q).Scan(&n)
	}
	left := fmt.Sprintf(`SELECT COUNT(*) FROM subscription WHERE cycle_end <= %d`, end)

	var most, seconds float64
	for _, goal := range []int{accounts / 2, 0} {
		s, err := home.Serve()
		if err != nil {
			return nil, err
		}
		var began time.Time // when the job has begun: after a kill its lease must run out first
		before, err := count(left)
		for n := before; err == nil && n > goal; n, err = count(left) {
			if began.IsZero() && n < before {
				began = time.Now()
			}
			rss, rerr := peak(s.PID())
			if most = max(most, rss); rerr != nil {
				s.Kill()
				return nil, rerr
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !began.IsZero() {
			seconds += time.Since(began).Seconds()
		}
		s.Kill()
		if err != nil {
			return nil, err
		}
	}
	for _, c := range []struct {
		what, q string
		want    int
	}{
		{"invoices", `SELECT COUNT(*) FROM invoice`, accounts},
		{"accounts with an invoice", `SELECT COUNT(DISTINCT account) FROM invoice`, accounts},
		{"numbers", `SELECT MAX(number) FROM invoice`, accounts},
		{"charges", `SELECT COUNT(*) FROM charge`, 2 * accounts},
	} {
		if n, err := count(c.q); err != nil || n != c.want {
			return nil, fmt.Errorf("after a kill there are %d %s, not %d: %v", n, c.what, c.want, err)
		}
	}
	what := fmt.Sprintf("closing the cycles of %d accounts, killed half-way", accounts)
	return []figure{
		{name: what + ": memory at most", unit: "MB", values: []float64{most}, most: 200},
		{name: what + ": time", unit: "s", values: []float64{seconds}},
	}, nil
}

// writeSubscribers copies the first account, with a plan and a tier, and subscribes the copies to a cycle that ends at an instant.
func writeSubscribers(db *sqldb.DB, accounts int, end int64) error {
	ctx := context.Background()
	rows, err := db.Query(ctx, `SELECT * FROM account LIMIT 1`)
	if err != nil {
		return err
	}
	columns, err := rows.Columns()
	rows.Close()
	if err != nil {
		return err
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		switch values[i] = c; c {
		case "id":
			values[i] = "printf('%024x', n.i)"
		case "email":
			values[i] = "'person' || n.i || '@example.test'"
		case "plan":
			values[i] = "'scale'"
		case "terms":
			values[i] = `'{"services":{"sms":100}}'`
		case "anchor":
			values[i] = fmt.Sprint(end)
		case "operator":
			values[i] = "FALSE"
		}
	}
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < `
	return db.Tx(ctx, func(ctx context.Context) error {
		if _, err := db.Exec(ctx, numbers+fmt.Sprint(accounts)+`) INSERT INTO account (`+strings.Join(columns, ", ")+`) SELECT `+strings.Join(values, ", ")+
			` FROM n, (SELECT * FROM account LIMIT 1) AS first`); err != nil {
			return err
		}
		_, err := db.Exec(ctx, numbers+fmt.Sprint(accounts)+fmt.Sprintf(`) INSERT INTO subscription (account, cycle_start, cycle_end, later, created_at, updated_at)
			SELECT printf('%%024x', n.i), %d, %d, '', %d, %d FROM n`, end-30*24*3600*1000, end, end, end))
		return err
	})
}

// peak is the most memory that a process has had, in megabytes of 1,000,000 bytes.
func peak(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kB float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kB); n == 1 {
			return kB * 1024 / 1e6, nil
		}
	}
	return 0, fmt.Errorf("the kernel says nothing of VmHWM")
}
