package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/e2e/server"
)

// options are the flags of a run.
type options struct {
	paddock, empty, catalogue, out string
	rounds, devices                int
	profiles, each                 int
	load                           load
	cold                           time.Duration
}

// errMissed is a run whose figures are printed and not as they should be.
var errMissed = errors.New("a target was missed")

func main() {
	run := ratesMain
	args := os.Args[1:]
	if len(args) > 0 {
		if other, ok := map[string]func([]string) error{
			"isolation": isolationMain, "quiet": quietMain, "ask": askMain, "churn": churnMain, "drip": dripMain, "cost": costMain, "cycles": cyclesMain, "backup": backupMain, "archive": archiveMain,
		}[args[0]]; ok {
			run, args = other, args[1:]
		}
	}
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// ratesMain is `bench` without a word: sizes and rates.
func ratesMain(args []string) error {
	var o options
	flag.StringVar(&o.paddock, "paddock", "bin/paddock", "the `binary` to measure")
	flag.StringVar(&o.empty, "empty", "", "the bare server's `binary` (bench/empty)")
	flag.StringVar(&o.catalogue, "catalogue", "bench/catalogue.yaml", "the plans to run with")
	flag.StringVar(&o.out, "out", "", "the `page` to write; none when empty")
	flag.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	flag.IntVar(&o.devices, "devices", 64, "devices that the rates are measured with")
	flag.IntVar(&o.profiles, "profiles", 10000, "profiles of the crowd")
	flag.IntVar(&o.each, "each", 10, "devices of each profile of the crowd")
	flag.IntVar(&o.load.threads, "threads", 2, "threads of wrk")
	flag.IntVar(&o.load.connections, "connections", 64, "connections of wrk")
	flag.DurationVar(&o.load.duration, "duration", 6*time.Second, "length of one measurement")
	flag.DurationVar(&o.cold, "cold", 20*time.Second, "length of a measurement that begins with cold caches")
	flag.CommandLine.Parse(args)
	figures, err := measure(o)
	if err != nil {
		return err
	}
	fmt.Print(table(figures))
	if o.out != "" {
		text := page(o, figures)
		if old, err := os.ReadFile(o.out); err == nil { // what `bench isolation` wrote stays
			if _, section := cutSection(string(old), isolationTitle); section != "" {
				text = withSection(text, isolationTitle, section)
			}
		}
		if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, f := range figures {
		if !f.met() {
			return errMissed
		}
	}
	return nil
}

// measure does everything, in a temporary folder.
func measure(o options) ([]figure, error) {
	dir, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	figures, err := still(o, dir)
	if err != nil {
		return nil, err
	}
	costly, err := costs(o, dir)
	if err != nil {
		return nil, err
	}
	closing, err := cycles(o, dir, closingAccounts)
	if err != nil {
		return nil, err
	}
	moving, err := underLoad(o, dir)
	return slices.Concat(figures, costly, closing, moving), err
}

// newHome makes an installation with the benchmark's catalogue.
func newHome(o options, dir string) (*server.Home, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(o.paddock)
	if err != nil {
		return nil, err
	}
	catalogue, err := filepath.Abs(o.catalogue)
	if err != nil {
		return nil, err
	}
	home, err := server.NewHome(binary, dir, "")
	if err != nil {
		return nil, err
	}
	home.Env = append(home.Env, "PADDOCK_CATALOGUE="+catalogue)
	return home, nil
}

// still measures what needs no load: size, time to start, memory at rest.
func still(o options, dir string) ([]figure, error) {
	info, err := os.Stat(o.paddock)
	if err != nil {
		return nil, err
	}
	var first, again, idle []float64
	for n := range 5 {
		home, err := newHome(o, filepath.Join(dir, "still"+strconv.Itoa(n)))
		if err != nil {
			return nil, err
		}
		for _, times := range []*[]float64{&first, &again} {
			s, err := home.Serve()
			if err != nil {
				return nil, err
			}
			*times = append(*times, float64(s.Started.Milliseconds()))
			if times == &again {
				time.Sleep(3 * time.Second)
				rss, err := resident(s.PID())
				if err != nil {
					s.Kill()
					return nil, err
				}
				idle = append(idle, rss)
			}
			if err := s.Stop(); err != nil {
				return nil, err
			}
		}
	}
	return []figure{
		{name: "size of the binary", unit: "MB", values: []float64{float64(info.Size()) / 1e6}, most: 40},
		{name: "start of an empty server", unit: "ms", values: again, most: 300},
		{name: "first start ever, which makes the database and the key", unit: "ms", values: first},
		{name: "memory of an idle server, after 3 s", unit: "MB", values: idle, most: 60},
	}, nil
}

// underLoad measures the rates: in each round every kind of traffic once, the bare server beside it.
func underLoad(o options, dir string) ([]figure, error) {
	home, err := newHome(o, filepath.Join(dir, "load"))
	if err != nil {
		return nil, err
	}
	s, err := home.Serve()
	if err != nil {
		return nil, err
	}
	defer func() { s.Kill() }()
	began := time.Now()
	tokens, err := seed(home, s, dir, o.devices, o.profiles, o.each)
	if err != nil {
		return nil, fmt.Errorf("make the profiles: %w", err)
	}
	fmt.Printf("made %d devices in one profile, %d in another, and %d profiles with %d each in %.0f s\n",
		o.devices, o.profiles*o.each, o.profiles, o.each, time.Since(began).Seconds())
	bare, _, stop, err := bareServer(o.empty)
	if err != nil {
		return nil, err
	}
	defer stop()

	restart := func() error {
		if err := s.Stop(); err != nil {
			return err
		}
		s, err = home.Serve()
		return err
	}
	run := func(l load, url string, t traffic, tokens string) (float64, error) {
		r, err := l.run(dir, url, t, tokens)
		fmt.Printf("  %-22s %9.0f requests/s   p99 %s\n", t.name, r.rate, r.p99)
		return r.rate, err
	}
	var (
		bareSingle, bareBatch, bareRead         []float64
		single, batch, read, one, crowd         []float64
		ratioSingle, ratioBatch, ratioRead, rel []float64
		costOne, costCrowd                      []float64
	)
	warm, cold := o.load, o.load
	warm.duration, cold.duration = time.Second, o.cold
	for round := range o.rounds {
		fmt.Printf("round %d of %d\n", round+1, o.rounds)
		if _, err := warm.run(dir, s.URL, singles, tokens.one); err != nil {
			return nil, err
		}
		for _, m := range []struct {
			traffic           traffic
			bare, real, ratio *[]float64
		}{
			{singles, &bareSingle, &single, &ratioSingle},
			{batches, &bareBatch, &batch, &ratioBatch},
			{reads, &bareRead, &read, &ratioRead},
		} {
			b, err := run(o.load, bare, m.traffic, tokens.one)
			if err != nil {
				return nil, err
			}
			r, err := run(o.load, s.URL, m.traffic, tokens.one)
			if err != nil {
				return nil, err
			}
			*m.bare = append(*m.bare, b)
			units := r * float64(max(1, m.traffic.points))
			*m.real, *m.ratio = append(*m.real, units), append(*m.ratio, units/b)
		}
		// The same single points from as many devices, once all of one profile and once of many, each
		// time after a restart: no cache knows a token, a device or a limit.
		var rates, costs [2]float64
		for i, list := range []string{tokens.single, tokens.crowd} {
			if err := restart(); err != nil {
				return nil, err
			}
			before, err := processor(s.PID())
			if err != nil {
				return nil, err
			}
			if rates[i], err = run(cold, s.URL, singles, list); err != nil {
				return nil, err
			}
			after, err := processor(s.PID())
			if err != nil {
				return nil, err
			}
			costs[i] = (after - before).Seconds() * 1e6 / (rates[i] * cold.duration.Seconds())
		}
		one, crowd = append(one, rates[0]), append(crowd, rates[1])
		costOne, costCrowd, rel = append(costOne, costs[0]), append(costCrowd, costs[1]), append(rel, costs[1]/costs[0])
	}
	if out, err := home.Run("", "verify"); err != nil {
		return nil, fmt.Errorf("after the load: %w\n%s", err, out)
	}
	devices, many := strconv.Itoa(o.profiles*o.each), strconv.Itoa(o.profiles)
	return []figure{
		{name: "acknowledged single points", unit: "requests/s", values: single},
		{name: "bare server, the same requests", unit: "requests/s", values: bareSingle},
		{name: "single points ÷ bare server", values: ratioSingle, least: 0.30},
		{name: "points in bodies of 100", unit: "points/s", values: batch},
		{name: "bare server, bodies of 100 points", unit: "requests/s", values: bareBatch},
		{name: "points in bodies of 100 ÷ requests of the bare server", values: ratioBatch, least: 1.5},
		{name: "reads of the last value", unit: "requests/s", values: read},
		{name: "bare server, the same reads", unit: "requests/s", values: bareRead},
		{name: "reads ÷ bare server", values: ratioRead, least: 0.25},
		{name: "single points of " + devices + " devices in one profile, caches cold", unit: "requests/s", values: one},
		{name: "single points of " + devices + " devices in " + many + " profiles, caches cold", unit: "requests/s", values: crowd},
		{name: "processor time of a point there, one profile", unit: "µs", values: costOne},
		{name: "processor time of a point there, " + many + " profiles", unit: "µs", values: costCrowd},
		{name: "cost of a point, " + many + " profiles ÷ one profile", values: rel, most: 1.2},
	}, nil
}

// bareServer starts the server to compare with, in a process of its own.
func bareServer(binary string) (url string, pid int, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", 0, nil, err
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(binary, addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for range 100 {
		if answer, err := http.Get("http://" + addr); err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return "http://" + addr, cmd.Process.Pid, stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return "", 0, nil, errors.New("the bare server did not start")
}

// processor is the time that a process has had of the processors, its work for the kernel included. Unlike a
// rate it hardly depends on what else the machine does.
func processor(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold blanks; utime and stime are the 12th and 13th field after it, in
	// ticks of a hundredth of a second.
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("the kernel's stat is too short")
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// resident is the memory of a process in megabytes, as the kernel counts it.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kB, err := strconv.ParseFloat(f[1], 64)
			return kB * 1024 / 1e6, err
		}
	}
	return 0, errors.New("the kernel says nothing of VmRSS")
}

// median of the rounds; the smaller of the two middles when their number is even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
