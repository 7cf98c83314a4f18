package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// traffic is what wrk sends: one kind of request, its token taken from a list in turn.
type traffic struct {
	name   string
	method string
	path   string
	body   string
	points int // carried by one request
}

var (
	singles = traffic{"single points", "POST", "/data", `{"variable":"temperature","value":21.5,"unit":"C"}`, 1}
	batches = traffic{"bodies of 100 points", "POST", "/data", batch(100), 100}
	reads   = traffic{"last-value reads", "GET", "/data?query=last_value&variables=temperature", "", 0}
)

// batch is a body of n points of three variables.
func batch(n int) string {
	points := make([]string, n)
	for i := range points {
		points[i] = fmt.Sprintf(`{"variable":"%s","value":%d.5,"unit":"C"}`, []string{"temperature", "humidity", "pressure"}[i%3], i)
	}
	return "[" + strings.Join(points, ",") + "]"
}

// script makes every request beforehand, so that sending costs wrk the same whatever the traffic. Each of
// wrk's threads starts at another place of the list.
const script = `local tokens, requests, at, threads = {}, {}, 0, 0
function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end
function init(args)
  for token in io.lines(args[1]) do
    wrk.headers["token"] = token
    wrk.headers["Content-Type"] = "application/json"
    requests[#requests + 1] = wrk.format("%s", "%s", nil, %s)
  end
  at = offset * math.floor(#requests / 2)
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
`

// load says how wrk is run.
type load struct {
	threads, connections int
	duration             time.Duration
}

func (l load) String() string {
	return fmt.Sprintf("wrk -t%d -c%d -d%ds --latency", l.threads, l.connections, int(l.duration.Seconds()))
}

// result is what wrk measured.
type result struct {
	rate float64 // requests a second, all of them answered 2xx
	p99  time.Duration
}

var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	p99Line     = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	errorsLine  = regexp.MustCompile(`(Non-2xx or 3xx responses: \d+|Socket errors: .*)`)
	durationsOf = map[string]time.Duration{"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second}
)

// run sends the traffic to a server with the tokens of the list (a file, one a line). It returns an error when
// a single request was not answered with success.
func (l load) run(dir, url string, t traffic, tokens string) (result, error) {
	body := "nil"
	if t.body != "" {
		body = "[[" + t.body + "]]"
		if strings.HasPrefix(t.body, "[") {
			body = "[==[" + t.body + "]==]" // a JSON list ends in ], which would end the Lua string
		}
	}
	file := filepath.Join(dir, "traffic.lua")
	if err := os.WriteFile(file, fmt.Appendf(nil, script, t.method, t.path, body), 0o600); err != nil {
		return result{}, err
	}
	args := strings.Fields(l.String())[1:]
	cmd := exec.Command("wrk", append(args, "-s", file, url, "--", tokens)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("wrk: %w\n%s", err, out.Bytes())
	}
	if bad := errorsLine.Find(out.Bytes()); bad != nil {
		return result{}, fmt.Errorf("%s at %s: %s\n%s", t.name, url, bad, out.Bytes())
	}
	rate := rateLine.FindSubmatch(out.Bytes())
	p99 := p99Line.FindSubmatch(out.Bytes())
	if rate == nil || p99 == nil {
		return result{}, fmt.Errorf("wrk printed no rate:\n%s", out.Bytes())
	}
	var r result
	var err error
	if r.rate, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return r, err
	}
	n, err := strconv.ParseFloat(string(p99[1]), 64)
	r.p99 = time.Duration(n * float64(durationsOf[string(p99[2])]))
	return r, err
}

var (
	countLine   = regexp.MustCompile(`(\d+) requests in `)
	refusedLine = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	brokenLine  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// readWrk is what wrk counted. Its own seconds are those of its clock, in which nothing of its start counts.
func readWrk(out []byte) (tally, error) {
	var t tally
	count := countLine.FindSubmatch(out)
	rate := rateLine.FindSubmatch(out)
	if count == nil || rate == nil {
		return t, fmt.Errorf("wrk printed no rate:\n%s", out)
	}
	t.Answers, _ = strconv.Atoi(string(count[1]))
	t.Good = t.Answers
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		return t, err
	}
	if perSecond > 0 {
		t.Seconds = float64(t.Answers) / perSecond
	}
	if m := refusedLine.FindSubmatch(out); m != nil {
		refused, _ := strconv.Atoi(string(m[1]))
		t.Good -= refused
	}
	if m := brokenLine.FindSubmatch(out); m != nil {
		for _, n := range m[1:] {
			k, _ := strconv.Atoi(string(n))
			t.Broken += k
		}
	}
	return t, nil
}
