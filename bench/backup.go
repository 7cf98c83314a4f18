package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"paddock/e2e/server"
)

// backupMain is `bench backup`: what acknowledged points feel of `paddock backup` on the same machine, printed only.
func backupMain(args []string) error {
	var o options
	f := flag.NewFlagSet("backup", flag.ExitOnError)
	f.StringVar(&o.paddock, "paddock", "bin/paddock", "the `binary` to measure")
	f.StringVar(&o.catalogue, "catalogue", "bench/catalogue.yaml", "the plans to run with")
	f.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	f.IntVar(&o.devices, "devices", 64, "devices that send")
	f.IntVar(&o.load.threads, "threads", 2, "threads of wrk")
	f.IntVar(&o.load.connections, "connections", 64, "connections of wrk")
	f.DurationVar(&o.load.duration, "duration", 8*time.Second, "length of one measurement")
	size := f.Int("megabytes", 512, "size of the database to begin with")
	f.Parse(args)
	dir, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	figures, err := backups(o, dir, int64(*size)*1e6)
	fmt.Print(table(figures))
	return err
}

// backups measures the same traffic in turn with nothing beside it and while one backup follows the other.
func backups(o options, dir string, size int64) ([]figure, error) {
	home, err := newHome(o, filepath.Join(dir, "backup"))
	if err != nil {
		return nil, err
	}
	s, err := home.Serve()
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	account, err := home.CreateAccount("Ada", "house")
	if err != nil {
		return nil, err
	}
	tokens, err := sideBySide(o.devices, func(int) ([]string, error) { return device(s, account.Token) })
	if err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "tokens")
	if err := write(list, tokens); err != nil {
		return nil, err
	}
	if err := grow(home, s, tokens, size); err != nil {
		return nil, err
	}
	var alone, during, quick, slow, ratio, late, took, mb []float64
	one := func() error {
		made, err := backUp(home, dir)
		took, mb = append(took, made.Seconds), append(mb, float64(made.Bytes)/1e6)
		return err
	}
	for round := range o.rounds {
		r, err := o.load.run(dir, s.URL, singles, list)
		if err != nil {
			return nil, err
		}
		fmt.Printf("round %d of %d\n  alone          %9.0f requests/s   p99 %s\n", round+1, o.rounds, r.rate, r.p99)
		stop, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				if err := one(); err != nil {
					ended <- err
					return
				}
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
			}
		}()
		b, err := o.load.run(dir, s.URL, singles, list)
		close(stop)
		if berr := <-ended; berr != nil {
			return nil, berr
		}
		if err != nil {
			return nil, err
		}
		fmt.Printf("  beside backups %9.0f requests/s   p99 %s\n", b.rate, b.p99)
		alone, during, ratio = append(alone, r.rate), append(during, b.rate), append(ratio, b.rate/r.rate)
		quick, slow = append(quick, millis(r.p99)), append(slow, millis(b.p99))
		late = append(late, float64(b.p99)/float64(r.p99))
	}
	if out, err := home.Run("", "verify"); err != nil {
		return nil, fmt.Errorf("after the load: %w\n%s", err, out)
	}
	return []figure{
		{name: "acknowledged single points, alone", unit: "requests/s", values: alone},
		{name: "acknowledged single points beside backups", unit: "requests/s", values: during},
		{name: "rate beside backups ÷ alone", values: ratio},
		{name: "p99, alone", unit: "ms", values: quick},
		{name: "p99 beside backups", unit: "ms", values: slow},
		{name: "p99 beside backups ÷ alone", values: late},
		{name: "a backup, under that load", unit: "s", values: took},
		{name: "size of a backup", unit: "MB", values: mb},
	}, nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// madeBackup is what the command prints, as far as it matters here.
type madeBackup struct {
	Seconds float64
	Bytes   int64
}

func backUp(home *server.Home, dir string) (madeBackup, error) {
	var made madeBackup
	cmd := exec.Command(home.Binary, "backup", filepath.Join(dir, "backups"), "--keep", "1")
	cmd.Env = home.Env
	cmd.Stdin = strings.NewReader("a passphrase for the bench\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return made, fmt.Errorf("backup: %w", err)
	}
	return made, json.Unmarshal(out, &made)
}

// grow stores points until the database is that large.
func grow(home *server.Home, s *server.Server, tokens []string, size int64) error {
	const each = 2500
	body := []byte(batch(each))
	for {
		st, err := os.Stat(filepath.Join(home.Dir, "data", "paddock.db"))
		if err != nil {
			return err
		}
		if st.Size() >= size {
			return nil
		}
		if _, err := sideBySide(len(tokens), func(n int) ([]string, error) {
			return nil, s.Call("POST", "/data", tokens[n], json.RawMessage(body), nil)
		}); err != nil {
			return err
		}
	}
}
