package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is a line of the table: what each round measured, and the target for their median.
type figure struct {
	name, unit  string
	values      []float64
	least, most float64 // 0: no such bound
}

func (f figure) met() bool {
	m := median(f.values)
	return (f.least == 0 || m >= f.least) && (f.most == 0 || m <= f.most)
}

func (f figure) target() string {
	switch {
	case f.least != 0:
		return "≥ " + f.number(f.least)
	case f.most != 0:
		return "≤ " + f.number(f.most)
	}
	return ""
}

func (f figure) verdict() string {
	switch {
	case f.target() == "":
		return ""
	case f.met():
		return "met"
	}
	return "missed"
}

// number prints ratios with two places, small amounts with one and rates with none.
func (f figure) number(v float64) string {
	switch {
	case f.unit == "":
		return fmt.Sprintf("%.2f", v)
	case v < 1000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func (f figure) spread() string {
	if len(f.values) < 2 {
		return ""
	}
	return f.number(slices.Min(f.values)) + " – " + f.number(slices.Max(f.values))
}

// table is the figures as Markdown.
func table(figures []figure) string {
	var b strings.Builder
	b.WriteString("| figure | median | all rounds | target | |\n| --- | ---: | ---: | ---: | --- |\n")
	for _, f := range figures {
		value := strings.TrimSpace(f.number(median(f.values)) + " " + f.unit)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.name, value, f.spread(), f.target(), f.verdict())
	}
	return b.String()
}

// page is docs/benchmarks.md.
func page(o options, figures []figure) string {
	return fmt.Sprintf(`# Benchmarks

Written by `+"`make bench`"+`; do not edit. The figures are those of the machine below: compare ratios, not rates.

%s
| | |
| --- | --- |
| date | %s |
| machine | %d cores, %s, %s of memory |
| system | %s |
| built with | %s |
| version | %s |
| engine | SQLite, `+"`synchronous=FULL`"+`: a point is acknowledged when it is on the disk |
| plans | `+"`%s`"+`: every check is made, the numbers are never reached |
| server | `+"`paddock serve --listen 127.0.0.1:…`"+` with default settings; the data folder is empty for start and memory, and holds the profiles below for the rest |
| load | `+"`%s -s traffic.lua URL`"+`, %d rounds, wrk on the same machine |
| devices | %d in one profile for the rates; for the last five lines %d, in one profile and in %d |

**How.** In every round each kind of request goes to the bare server (`+"`bench/empty`"+`: reads the body, answers {}) and
then to Paddock, so that both see the same machine; a ratio is taken within a round. A single answer other than 2xx
fails the run, and `+"`paddock verify`"+` must find nothing wrong at the end. The wrk requests are built beforehand and take
the devices' tokens in turn. For the last five lines the same number of devices sends, once all of one profile
and once %d of each of %d profiles, in an order that is drawn once; the server is restarted before each measurement, so that every token, device and limit is read from the database once, and they last %d seconds. Cost is the
processor time of the server per acknowledged point, which does not depend on what else the machine does.
`,
		table(figures),
		time.Now().UTC().Format("2006-01-02"),
		runtime.NumCPU(), model(), memory(),
		said("uname", "-sr"),
		runtime.Version(),
		said(o.paddock, "version"),
		o.catalogue,
		o.load, o.rounds,
		o.devices, o.profiles*o.each, o.profiles, o.each, o.profiles, int(o.cold.Seconds()))
}

// said is the first line that a command prints.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func model() string { return field("/proc/cpuinfo", "model name") }

func memory() string {
	var kB float64
	fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f", &kB)
	return fmt.Sprintf("%.0f GB", kB*1024/1e9)
}

// field is the value of the first line "name : value" of a file in /proc.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
