package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	isolationTitle = "Isolation"
	keepsLeast     = 0.6 // of what the flood does alone
)

// of gives a number of each trial.
func of(trials []trial, f func(trial) float64) []float64 {
	out := make([]float64, len(trials))
	for i, t := range trials {
		out[i] = f(t)
	}
	return out
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// times is how many times the floor's p99 the quiet profile's was.
func times(trials []trial) []float64 {
	return of(trials, func(t trial) float64 { return ratio(t.beside.quiet.P99.Seconds(), t.floor.quiet.P99.Seconds()) })
}

// kept is the part of what a flood does alone that it did beside the quiet profile.
func (f flood) kept(trials []trial) []float64 {
	return of(trials, func(t trial) float64 { return ratio(f.done(*t.beside.flood), f.done(*t.alone.flood)) })
}

// failures are the requests of the quiet profile that were not answered 200, over all runs.
func failures(trials []trial) int {
	n := 0
	for _, t := range trials {
		n += t.beside.quiet.failed()
	}
	return n
}

func (r isolation) met(floods []flood) bool {
	for _, f := range floods {
		t := r.trials[f.number]
		if median(times(t)) > f.most || median(f.kept(t)) < keepsLeast || failures(t) > 0 {
			return false
		}
	}
	return true
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

// ms prints a time in milliseconds, finer when it is short.
func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(v)
}

// thousands prints a rate: whole, or with two places when it is small.
func thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.2f", v)
	}
	return figure{unit: "a second"}.number(float64(int64(v + 0.5)))
}

// spread is the median of ratios, with the least and the largest when there are several.
func spread(values []float64) string {
	f := figure{values: values}
	if s := f.spread(); s != "" {
		return f.number(median(values)) + " (" + s + ")"
	}
	return f.number(median(values))
}

// quietRow is the medians of what the quiet profile saw, as cells.
func quietRow(ls []latencies) string {
	var cells []string
	for _, f := range []func(latencies) time.Duration{
		func(l latencies) time.Duration { return l.P50 }, func(l latencies) time.Duration { return l.P99 },
		func(l latencies) time.Duration { return l.P999 }, func(l latencies) time.Duration { return l.Max },
		func(l latencies) time.Duration { return l.Late },
	} {
		values := make([]time.Duration, len(ls))
		for i, l := range ls {
			values[i] = f(l)
		}
		slices.SortFunc(values, cmp.Compare[time.Duration])
		cells = append(cells, ms(values[(len(values)-1)/2]))
	}
	failed := 0
	for _, l := range ls {
		failed += l.failed()
	}
	return strings.Join(append(cells, fmt.Sprint(failed)), " | ")
}

func quiets(ps []phase) []latencies {
	out := make([]latencies, len(ps))
	for i, p := range ps {
		out[i] = *p.quiet
	}
	return out
}

// phases takes one phase of each trial.
func phases(trials []trial, f func(trial) phase) []phase {
	out := make([]phase, len(trials))
	for i, t := range trials {
		out[i] = f(t)
	}
	return out
}

// isolationTables are what a quiet profile sees, and what the floods get done, as Markdown.
func isolationTables(floods []flood, r isolation) string {
	var b strings.Builder
	b.WriteString("| quiet profile, ms | p50 | p99 | p99.9 | max | sent late, p99 | failed | p99 ÷ floor | target | |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	if len(r.disk) > 0 {
		fmt.Fprintf(&b, "| the disk: 4 kB and fsync | %s | | | |\n", quietRow(r.disk))
	}
	fmt.Fprintf(&b, "| alone | %s | | | |\n", quietRow(quiets(r.alone)))
	for _, f := range floods {
		t := r.trials[f.number]
		fmt.Fprintf(&b, "| %d floor | %s | | | |\n", f.number, quietRow(quiets(phases(t, func(t trial) phase { return t.floor }))))
		fmt.Fprintf(&b, "| %d beside | %s | %s | ≤ %g, 0 failed | %s |\n", f.number, quietRow(quiets(phases(t, func(t trial) phase { return t.beside }))),
			spread(times(t)), f.most, verdict(median(times(t)) <= f.most && failures(t) == 0))
	}
	b.WriteString("\n| flood | unit | bare server | alone | beside | kept | target | | processors beside: server + sender |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |\n")
	for _, f := range floods {
		t := r.trials[f.number]
		does := func(p func(trial) phase) string {
			return thousands(median(of(t, func(t trial) float64 { return f.done(*p(t).flood) })))
		}
		fmt.Fprintf(&b, "| %d: %s | %s | %s | %s | %s | %s | ≥ %g | %s | %.2f + %.2f |\n", f.number, f.name, f.unit,
			does(func(t trial) phase { return t.floor }), does(func(t trial) phase { return t.alone }), does(func(t trial) phase { return t.beside }),
			spread(f.kept(t)), keepsLeast, verdict(median(f.kept(t)) >= keepsLeast),
			median(of(t, func(t trial) float64 { return t.beside.server })), median(of(t, func(t trial) float64 { return t.beside.sender })))
	}
	if remarks := remarks(floods, r); len(remarks) > 0 {
		b.WriteString("\n- " + strings.Join(remarks, "\n- ") + "\n")
	}
	return b.String()
}

// remarks are what the tables have no column for.
func remarks(floods []flood, r isolation) []string {
	var out []string
	for _, f := range floods {
		for i, t := range r.trials[f.number] {
			for _, p := range []struct {
				name  string
				phase phase
			}{{"beside", t.beside}, {"alone", t.alone}} {
				var said []string
				if bad := p.phase.flood.Answers - p.phase.flood.Good; bad > 0 && !f.refused {
					said = append(said, fmt.Sprintf("%d of its %d requests were not answered 2xx", bad, p.phase.flood.Answers))
				}
				if p.phase.flood.Broken > 0 {
					said = append(said, fmt.Sprintf("%d of its connections broke", p.phase.flood.Broken))
				}
				if p.phase.flood.Note != "" {
					said = append(said, p.phase.flood.Note)
				}
				if q := p.phase.quiet; q != nil && len(q.Errors) > 0 {
					said = append(said, fmt.Sprintf("the quiet profile's failures: %v", q.Errors))
				}
				if len(said) > 0 {
					out = append(out, fmt.Sprintf("Flood %d, run %d, %s: %s.", f.number, i+1, p.name, strings.Join(said, "; ")))
				}
			}
		}
	}
	return out
}

// command is how to measure the same elsewhere.
func (o isolationOptions) command() string {
	c := "make bench isolation"
	var args []string
	if o.seconds != 60 {
		args = append(args, fmt.Sprintf("-seconds %d", o.seconds))
	}
	if o.runs != 3 {
		args = append(args, fmt.Sprintf("-runs %d", o.runs))
	}
	if len(o.floods) != len(floods) {
		var numbers []string
		for _, f := range o.floods {
			numbers = append(numbers, fmt.Sprint(f.number))
		}
		args = append(args, "-flood "+strings.Join(numbers, ","))
	}
	if len(args) > 0 {
		c += " ARGS='" + strings.Join(args, " ") + "'"
	}
	return c
}

// isolationSection is the section of docs/benchmarks.md.
func isolationSection(o isolationOptions, r isolation) string {
	nice := 0
	if len(r.alone) > 0 {
		nice = r.alone[0].quiet.Nice
	}
	return fmt.Sprintf(`## %s

Written by `+"`%s`"+`; do not edit. A quiet profile sends 50 points a second, one a request, while another profile floods the same server.

%s
| | |
| --- | --- |
| date | %s |
| machine | %d cores, %s, %s of memory; server, flood and quiet client share them |
| system | %s |
| built with | %s |
| version | %s |
| engine | SQLite, `+"`synchronous=FULL`"+` |
| plans | `+"`%s`"+`: house; tight for the account of floods 5 and 6 |
| flags | `+"`-seconds %d -runs %d`"+`; %d done, in %.0f minutes |
| quiet client | a process of its own at nice %d |

**Elsewhere.** `+"`%s`"+` measures the same on another machine: it needs Go, Node for the console and wrk, and nothing else that runs.
It takes about %d minutes; `+"`make bench isolation ARGS='-seconds 15 -runs 1 -flood 1,3'`"+` looks at two floods for two minutes and writes nothing here.

**How.** The quiet client is an open loop: a request is due every 20 ms whatever became of those before, on as many connections as that takes, and its
latency counts from the moment it was *due* to the end of its answer. "Sent late" is the part of that which the client itself was late; it is in both
floor and beside. *The disk* is a write of 4 kB and its fsync at the same pace, with no server: the least that an acknowledgement waits for, which the
floor does not have. The *floor* is the same client beside the same flood, sent to the bare server (`+"`bench/empty`"+`) in the same run. Each measurement
of Paddock begins with a fresh copy of an installation prepared before the clock starts, and a server just started; the quiet profile's points must
all be stored at the end. Floods 1, 2 and 5 are wrk, which sends requests made beforehand in a closed loop; 3, 4 and 6 are small clients. In 3, an answer
under way when the time is up counts by the part that lay within it. A flood keeps what it
does beside the quiet profile ÷ what it does alone: accepted points or answers with 2xx, for 5 and 6 any answers. The bare server lets bodies drip for
ever, so flood 6 has no answers there. In flood 4 each of eight connections creates, empties and deletes a device over and over, and every four seconds four of
them take an immutable device that holds 100,000 points, empty every second one, and delete it; purging goes on behind them. A table has the median of the runs, and ratios are taken within
a run.
`,
		isolationTitle, o.command(), isolationTables(o.floods, r),
		time.Now().UTC().Format("2006-01-02"),
		runtime.NumCPU(), model(), memory(),
		said("uname", "-sr"),
		runtime.Version(),
		said(o.paddock, "version"),
		o.catalogue,
		o.seconds, o.runs, len(r.alone), r.took.Minutes(),
		nice,
		o.command(), int(r.took.Minutes()+1))
}

// withSection puts a section, which begins with "## title", into a page in place of the one of that title, or
// at its end.
func withSection(page, title, section string) string {
	before, old := cutSection(page, title)
	after := strings.TrimPrefix(page[len(before):], old)
	out := strings.TrimRight(before, "\n") + "\n\n" + strings.TrimRight(section, "\n") + "\n"
	if after = strings.TrimLeft(after, "\n"); after != "" {
		out += "\n" + after
	}
	return out
}

// cutSection finds the section of that title: what is before it, and itself up to the next heading of its
// level. Without such a section all of the page is before it.
func cutSection(page, title string) (before, section string) {
	at := strings.Index("\n"+page, "\n## "+title+"\n")
	if at < 0 {
		return page, ""
	}
	section = page[at:]
	if end := strings.Index(section[1:], "\n## "); end >= 0 {
		section = section[:end+2]
	}
	return page[:at], section
}
