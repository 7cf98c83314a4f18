package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paddock/e2e/server"
)

// isolationOptions are the flags of `bench isolation`.
type isolationOptions struct {
	options
	seconds, runs int
	floods        []flood
}

const (
	quietEvery = 20 * time.Millisecond   // 50 requests a second
	warmUp     = 1500 * time.Millisecond // the quiet client's, before the clock starts
)

// phase is what was measured while the clock ran once.
type phase struct {
	quiet  *latencies // nil when the flood was alone
	flood  *tally     // nil when the quiet profile was alone
	server float64    // processors that the server was given
	sender float64    // processors that the flood's sender was given
}

// trial is a flood in one run.
type trial struct{ floor, beside, alone phase }

// isolation is everything that was measured.
type isolation struct {
	disk   []latencies     // a write of 4 kB and its fsync, with no server at all, one a run
	alone  []phase         // the quiet profile's, one a run
	trials map[int][]trial // by number of the flood, one a run
	took   time.Duration
}

// isolationMain is `bench isolation`.
func isolationMain(args []string) error {
	var o isolationOptions
	f := flag.NewFlagSet("isolation", flag.ExitOnError)
	f.StringVar(&o.paddock, "paddock", "bin/paddock", "the `binary` to measure")
	f.StringVar(&o.empty, "empty", "", "the bare server's `binary` (bench/empty)")
	f.StringVar(&o.catalogue, "catalogue", "bench/catalogue.yaml", "the plans to run with")
	f.StringVar(&o.out, "out", "", "the `page` whose section Isolation to write, when every flood is run")
	f.IntVar(&o.seconds, "seconds", 60, "length of one measurement")
	f.IntVar(&o.runs, "runs", 3, "how often everything is measured")
	which := f.String("flood", "", "`numbers` of the floods to run, such as 1,3; all when empty")
	f.Parse(args)
	var err error
	if o.floods, err = chosen(*which); err != nil {
		return err
	}
	if o.seconds < 10 || o.runs < 1 {
		return errors.New("-seconds must be at least 10 and -runs at least 1")
	}
	result, err := measureIsolation(o, func(sofar isolation) error { // what was measured is kept, whatever becomes of the runs to come
		if o.out == "" || len(o.floods) != len(floods) {
			return nil
		}
		old, err := os.ReadFile(o.out)
		if err != nil {
			return err
		}
		return os.WriteFile(o.out, []byte(withSection(string(old), isolationTitle, isolationSection(o, sofar))), 0o644)
	})
	if err != nil {
		return err
	}
	fmt.Print("\n" + isolationSection(o, result))
	if !result.met(o.floods) {
		return errMissed
	}
	return nil
}

// chosen are the floods of a list of numbers.
func chosen(list string) ([]flood, error) {
	if list == "" {
		return floods, nil
	}
	var out []flood
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 || n > len(floods) {
			return nil, fmt.Errorf("-flood: %q is not a number from 1 to %d", word, len(floods))
		}
		if !slices.ContainsFunc(out, func(f flood) bool { return f.number == n }) {
			out = append(out, floods[n-1])
		}
	}
	return out, nil
}

// measureIsolation does everything, in a temporary folder, and calls each after every run with what there is by then.
func measureIsolation(o isolationOptions, each func(isolation) error) (isolation, error) {
	began := time.Now()
	out := isolation{trials: map[int][]trial{}}
	dir, err := os.MkdirTemp("", "paddock-isolation-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	bare, pid, stop, err := bareServer(o.empty)
	if err != nil {
		return out, err
	}
	defer stop()
	span := time.Duration(o.seconds) * time.Second

	var seeds []*planted
	for _, f := range o.floods {
		at := time.Now()
		s, err := sow(o, f, filepath.Join(dir, "seed"+strconv.Itoa(f.number)), span)
		if err != nil {
			return out, fmt.Errorf("flood %d: %w", f.number, err)
		}
		seeds = append(seeds, s)
		fmt.Printf("prepared flood %d in %.0f s: %s\n", f.number, time.Since(at).Seconds(), f.name)
	}
	for run := range o.runs {
		fmt.Printf("run %d of %d\n", run+1, o.runs)
		l, err := disk(dir, span)
		if err != nil {
			return out, err
		}
		out.disk = append(out.disk, l)
		// The one in which the quiet profile is alone has the installation of the first flood.
		p, err := seeds[0].measure(o, dir, nil, true, span)
		if err != nil {
			return out, err
		}
		out.alone = append(out.alone, p)
		say("alone", nil, p)
		for i, f := range o.floods {
			var t trial
			if t.floor, err = clocked(bare, pid, "none", &seeds[i].sender, true, span); err != nil {
				return out, fmt.Errorf("flood %d, the bare server: %w", f.number, err)
			}
			say("floor", &f, t.floor)
			if t.beside, err = seeds[i].measure(o, dir, &seeds[i].sender, true, span); err != nil {
				return out, fmt.Errorf("flood %d: %w", f.number, err)
			}
			say("beside", &f, t.beside)
			if t.alone, err = seeds[i].measure(o, dir, &seeds[i].sender, false, span); err != nil {
				return out, fmt.Errorf("flood %d alone: %w", f.number, err)
			}
			say("flood alone", &f, t.alone)
			out.trials[f.number] = append(out.trials[f.number], t)
		}
		out.took = time.Since(began)
		if err := each(out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// disk is how long the disk takes for the least that an acknowledged write needs: 4 kB and an fsync, at the quiet client's pace.
func disk(dir string, span time.Duration) (latencies, error) {
	f, err := os.CreateTemp(dir, "disk-")
	if err != nil {
		return latencies{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(quietEvery) {
		at := time.Now()
		if _, err := f.WriteAt(page, int64(len(took)%1000)*4096); err != nil {
			return latencies{}, err
		}
		if err := f.Sync(); err != nil {
			return latencies{}, err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	part := func(p float64) time.Duration { return took[min(len(took)-1, int(float64(len(took))*p))] }
	return latencies{Sent: len(took), Answered: len(took), P50: part(.5), P99: part(.99), P999: part(.999), Max: took[len(took)-1]}, nil
}

// say prints a phase while the others are still to come.
func say(name string, f *flood, p phase) {
	var b strings.Builder
	number := " "
	if f != nil {
		number = strconv.Itoa(f.number)
	}
	fmt.Fprintf(&b, "  %s %-12s", number, name)
	if q := p.quiet; q != nil {
		fmt.Fprintf(&b, "  quiet p50 %s  p99 %s  p99.9 %s  max %s  failed %d  sent late p99 %s", ms(q.P50), ms(q.P99), ms(q.P999), ms(q.Max), q.failed(), ms(q.Late))
		if len(q.Errors) > 0 {
			fmt.Fprintf(&b, " %v", q.Errors)
		}
	}
	if t := p.flood; t != nil {
		fmt.Fprintf(&b, "  flood %s %s", thousands(f.done(*t)), f.unit)
		if bad := t.Answers - t.Good; bad > 0 && !f.refused {
			fmt.Fprintf(&b, ", %d refused", bad)
		}
		if t.Broken > 0 {
			fmt.Fprintf(&b, ", %d broken", t.Broken)
		}
		if t.Note != "" {
			fmt.Fprintf(&b, " (%s)", t.Note)
		}
	}
	fmt.Fprintf(&b, "  processors: server %.2f, sender %.2f", p.server, p.sender)
	fmt.Println(b.String())
}

// planted is an installation as it is before the clock starts. Every measurement begins with a copy of it.
type planted struct {
	dir    string
	quiet  string // token of the quiet profile's device
	sender sender
}

// sow makes the installation of a flood: the account that floods, the quiet profile, and what the flood needs.
// Both profiles belong to one account, but where the flood needs a plan that the quiet one must not have.
func sow(o isolationOptions, f flood, dir string, span time.Duration) (*planted, error) {
	home, err := newHome(o.options, dir)
	if err != nil {
		return nil, err
	}
	s, err := home.Serve()
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	out := &planted{dir: dir}
	owner, err := home.CreateAccount("Owner", "house")
	if err != nil {
		return nil, err
	}
	flooder := owner
	if f.refused {
		if flooder, err = home.CreateAccount("Tight", "tight"); err != nil {
			return nil, err
		}
	}
	if out.quiet, err = sibling(s, owner); err != nil {
		return nil, err
	}
	if out.sender, err = f.prepare(&ground{server: s, account: flooder, dir: dir, span: span}); err != nil {
		return nil, err
	}
	return out, s.Stop()
}

// sibling makes a second profile with a device, whose token it returns; the account's token stays in the first.
func sibling(s *server.Server, owner server.Account) (string, error) {
	var made struct{ ID string }
	if err := s.Call("POST", "/profile", owner.Token, map[string]string{"name": "quiet"}, &made); err != nil {
		return "", err
	}
	if err := s.Call("PUT", "/profile/switch/"+made.ID, owner.Token, nil, nil); err != nil {
		return "", err
	}
	tokens, err := device(s, owner.Token)
	if err != nil {
		return "", err
	}
	return tokens[0], s.Call("PUT", "/profile/switch/"+owner.Profile, owner.Token, nil, nil)
}

// measure starts a server on a copy of the seed and measures there. What the quiet profile was told is stored
// must be stored.
func (d *planted) measure(o isolationOptions, dir string, flood *sender, quiet bool, span time.Duration) (phase, error) {
	var p phase
	at := filepath.Join(dir, "now")
	if err := os.Mkdir(at, 0o700); err != nil {
		return p, err
	}
	defer os.RemoveAll(at)
	if out, err := exec.Command("cp", "-a", filepath.Join(d.dir, "data"), at).CombinedOutput(); err != nil {
		return p, fmt.Errorf("copy the installation: %w\n%s", err, out)
	}
	syscall.Sync() // or the kernel would write the copy while we measure
	home, err := newHome(o.options, at)
	if err != nil {
		return p, err
	}
	s, err := home.Serve()
	if err != nil {
		return p, err
	}
	defer s.Kill()
	token := ""
	if quiet {
		token = d.quiet
	}
	if p, err = clocked(s.URL, s.PID(), token, flood, quiet, span); err != nil {
		return p, err
	}
	if quiet && p.quiet.failed() == 0 {
		var stored int
		if err := s.Call("GET", "/data?query=count", token, nil, &stored); err != nil {
			return p, err
		}
		if want := p.quiet.Warm + p.quiet.Answered; stored != want {
			return p, fmt.Errorf("%d points were acknowledged to the quiet profile and %d are stored", want, stored)
		}
	}
	return p, nil
}

// clocked measures for a span at a server that runs: the quiet profile, a flood, or both. Both begin when the
// clock starts; before that the quiet client warms up.
func clocked(url string, pid int, token string, flood *sender, quiet bool, span time.Duration) (phase, error) {
	var p phase
	start := time.Now().Add(warmUp)
	client := quietCommand(url, token, start, span)
	var said, complaint bytes.Buffer
	client.Stdout, client.Stderr = &said, &complaint
	if quiet {
		if err := client.Start(); err != nil {
			return p, err
		}
		defer client.Process.Kill()
	}
	time.Sleep(time.Until(start))
	before, err := processor(pid)
	if err != nil {
		return p, err
	}
	if flood != nil {
		cmd := flood.command(url, span)
		var wrong bytes.Buffer
		cmd.Stderr = &wrong
		out, err := cmd.Output()
		if err != nil {
			return p, fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, out, wrong.Bytes())
		}
		t, err := flood.read(out)
		if err != nil {
			return p, err
		}
		p.flood = &t
		p.sender = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() / span.Seconds()
	} else {
		time.Sleep(span)
	}
	after, err := processor(pid)
	if err != nil {
		return p, err
	}
	p.server = (after - before).Seconds() / time.Since(start).Seconds()
	if quiet {
		if err := client.Wait(); err != nil {
			return p, fmt.Errorf("the quiet client: %w\n%s", err, complaint.Bytes())
		}
		p.quiet = &latencies{}
		if err := json.Unmarshal(said.Bytes(), p.quiet); err != nil {
			return p, fmt.Errorf("the quiet client said %q: %w", said.Bytes(), err)
		}
	}
	return p, nil
}

// quietCommand is the quiet client, with priority over server and flood where that is permitted: devices do
// not wait for the processors of their server, and what the client waits for its own would count as latency.
func quietCommand(url, token string, start time.Time, span time.Duration) *exec.Cmd {
	return exec.Command("nice", "-n", "-10", os.Args[0], "quiet", "--url", url, "--token", token, "--every", quietEvery.String(),
		"--at", strconv.FormatInt(start.UnixNano(), 10), "--span", span.String())
}
