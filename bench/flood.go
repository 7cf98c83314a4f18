package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"paddock/e2e/server"
)

// flood is what one profile does while another wants its peace.
type flood struct {
	number  int
	name    string
	unit    string // of what it does
	most    float64
	points  int  // that one accepted request counts for
	refused bool // every answer counts as done, not only those with 2xx
	// prepare fills a profile before the clock starts and says how to flood it for that long.
	prepare func(g *ground) (sender, error)
}

// done is what a flood achieved, a second.
func (f flood) done(t tally) float64 {
	if t.Seconds == 0 {
		return 0
	}
	if f.refused {
		return float64(t.Answers) / t.Seconds
	}
	return (float64(t.Good) + t.Part) * float64(f.points) / t.Seconds
}

// ground is where a flood prepares: a running server and the account that floods it.
type ground struct {
	server  *server.Server
	account server.Account
	dir     string        // for files that the sender reads
	span    time.Duration // how long the flood will last
}

// tally is what a flood's sender counted.
type tally struct {
	Answers int     // all of them
	Good    int     // those with 2xx
	Part    float64 // of those that ended after the time was up, the parts that lay before
	Broken  int     // connections that failed or timed out
	Seconds float64 // that it sent
	Note    string  // what else there is to say, such as how often the dear part was done
}

// sender floods a server from a process of its own.
type sender struct {
	command func(url string, span time.Duration) *exec.Cmd
	read    func(out []byte) (tally, error)
}

// largest is the most points that a body of 200,000 bytes holds: each with a name of one letter and nothing
// else. [{"variable":"a"},…] is 17 bytes a point, and one for the brackets less a comma.
const (
	maxBody = 200_000
	largest = (maxBody - 1) / 17
)

var floods = []flood{
	{number: 1, name: "64 connections, bodies of 100 points", unit: "points/s", most: 2, points: 100, prepare: bodies(64, 64, batch(100), 100)},
	{number: 2, name: "16 connections, bodies of " + strconv.Itoa(largest) + " points", unit: "points/s", most: 3, points: largest,
		prepare: bodies(16, 32, list(largest, `{"variable":"a"}`), largest)},
	{number: 3, name: "8 connections, aggregates over 1,000,000 points", unit: "answers/s", most: 2, points: 1, prepare: aggregates},
	{number: 4, name: "8 connections create, empty and delete devices; every 4 s four with 100,000 points go", unit: "answers/s", most: 3, points: 1, prepare: deletions},
	{number: 5, name: "64 connections, refused: 400, 401, 402 and 429", unit: "answers/s", most: 2, points: 1, refused: true, prepare: refusals},
	{number: 6, name: "64 connections, bodies dripping a byte each 20 ms", unit: "answers/s", most: 2, points: 1, refused: true, prepare: drips},
}

// list is a body of n equal points.
func list(n int, point string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(point+",", n), ",") + "]"
}

// shot is one of the requests that wrk sends in turn.
type shot struct{ method, path, token, body string }

// lua quotes a string so that whatever it holds ends nothing.
func lua(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// volley is a script that makes every request beforehand; equal bodies are held once. Each of wrk's threads
// starts at another place of the list.
func volley(shots []shot) string {
	var b strings.Builder
	b.WriteString("local bodies, requests, at, threads = {}, {}, 0, 0\n")
	known := map[string]int{}
	for _, s := range shots {
		if s.body != "" && known[s.body] == 0 {
			known[s.body] = len(known) + 1
			fmt.Fprintf(&b, "bodies[%d] = %s\n", known[s.body], lua(s.body))
		}
	}
	b.WriteString(`local function add(method, path, token, body)
  requests[#requests + 1] = wrk.format(method, path, {["token"] = token, ["Content-Type"] = body and "application/json"}, body)
end
function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end
function init(args)
`)
	for _, s := range shots {
		body := "nil"
		if s.body != "" {
			body = fmt.Sprintf("bodies[%d]", known[s.body])
		}
		fmt.Fprintf(&b, "  add(%s, %s, %s, %s)\n", lua(s.method), lua(s.path), lua(s.token), body)
	}
	b.WriteString(`  at = offset * math.floor(#requests / 2)
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`)
	return b.String()
}

// byWrk floods with wrk: a closed loop over that many connections.
func byWrk(dir string, connections int, shots []shot) (sender, error) {
	file := filepath.Join(dir, "flood.lua")
	if err := os.WriteFile(file, []byte(volley(shots)), 0o600); err != nil {
		return sender{}, err
	}
	return sender{
		command: func(url string, span time.Duration) *exec.Cmd {
			return exec.Command("wrk", "-t2", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(int(span.Seconds()))+"s", "--timeout", "120s", "-s", file, url)
		},
		read: readWrk,
	}, nil
}

// bySelf floods with a client of this program: `bench NAME --url … --span … ARGS`.
func bySelf(name string, args ...string) sender {
	return sender{
		command: func(url string, span time.Duration) *exec.Cmd {
			return exec.Command(os.Args[0], append([]string{name, "--url", url, "--span", span.String()}, args...)...)
		},
		read: func(out []byte) (t tally, err error) { return t, json.Unmarshal(out, &t) },
	}
}

// bodies floods with one body, sent with the tokens of some immutable devices in turn.
func bodies(connections, devices int, body string, points int) func(*ground) (sender, error) {
	return func(g *ground) (sender, error) {
		tokens, err := sideBySide(devices, func(int) ([]string, error) { return device(g.server, g.account.Token) })
		if err != nil {
			return sender{}, err
		}
		if err := stores(g, tokens[0], body, points); err != nil {
			return sender{}, err
		}
		var shots []shot
		for _, token := range tokens {
			shots = append(shots, shot{"POST", "/data", token, body})
		}
		return byWrk(g.dir, connections, shots)
	}
}

// stores sends a body once and checks that the server counted all its points.
func stores(g *ground, token, body string, points int) error {
	var said string
	if err := g.server.Call("POST", "/data", token, json.RawMessage(body), &said); err != nil {
		return fmt.Errorf("a body of %d points: %w", points, err)
	}
	if want := fmt.Sprintf("%d Data Added", points); said != want {
		return fmt.Errorf("a body of %d points was answered %q", points, said)
	}
	return nil
}

// million is how many points the aggregates go over, spread over the last days.
const (
	million = 1_000_000
	days    = 20
)

// aggregates fills one device with a million points and asks for sums, averages and buckets of all of them.
func aggregates(g *ground) (sender, error) {
	var made struct{ Token string }
	if err := g.server.Call("POST", "/device", g.account.Token, map[string]any{
		"name": "million", "type": "immutable", "chunk_period": "week", "chunk_retention": 5,
	}, &made); err != nil {
		return sender{}, err
	}
	from := time.Now().Add(-days * 24 * time.Hour)
	const each = 2500
	step := days * 24 * time.Hour / million
	if _, err := sideBySide(million/each, func(n int) ([]string, error) {
		points := make([]string, each)
		for i := range points {
			at := from.Add(time.Duration(n*each+i) * step)
			points[i] = fmt.Sprintf(`{"variable":"temperature","value":%d.5,"time":%d}`, i%40, at.UnixMilli())
		}
		return nil, stores(g, made.Token, "["+strings.Join(points, ",")+"]", each)
	}); err != nil {
		return sender{}, err
	}
	var count int
	if err := g.server.Call("GET", "/data?query=count", made.Token, nil, &count); err != nil || count != million {
		return sender{}, fmt.Errorf("the device holds %d points: %w", count, err)
	}
	since := "&start_date=" + from.Add(-time.Hour).UTC().Format("2006-01-02T15:04:05Z")
	args := []string{"--token", made.Token}
	for _, q := range []string{"query=avg", "query=aggregate&interval=day&function=avg", "query=sum", "query=aggregate&interval=hour&function=max"} {
		path := "/data?" + q + "&variables=temperature" + since
		var answer json.RawMessage
		if err := g.server.Call("GET", path, made.Token, nil, &answer); err != nil {
			return sender{}, fmt.Errorf("%s: %w", q, err)
		}
		args = append(args, path)
	}
	return bySelf("ask", args...), nil
}

// Full devices go in bursts: four at once, each burst this long after the last.
const (
	burst    = 4
	burstGap = 4 * time.Second
	full     = 100_000
)

// deletions fills as many devices as the bursts of the flood will take. They are immutable: a mutable device
// holds no more than 50,000 points.
func deletions(g *ground) (sender, error) {
	n := burst * int((g.span+burstGap-1)/burstGap)
	const each = 6250
	body := list(each, `{"variable":"a","value":1}`)
	ids, err := sideBySide(n, func(int) ([]string, error) {
		var made struct {
			ID    string `json:"device_id"`
			Token string
		}
		if err := g.server.Call("POST", "/device", g.account.Token, map[string]any{
			"name": "full", "type": "immutable", "chunk_period": "month", "chunk_retention": 1,
		}, &made); err != nil {
			return nil, err
		}
		for range full / each {
			if err := stores(g, made.Token, body, each); err != nil {
				return nil, err
			}
		}
		return []string{made.ID}, nil
	})
	if err != nil {
		return sender{}, err
	}
	file := filepath.Join(g.dir, "full")
	if err := os.WriteFile(file, []byte(strings.Join(ids, "\n")), 0o600); err != nil {
		return sender{}, err
	}
	return bySelf("churn", "--token", g.account.Token, "--full", file), nil
}

// refusals mixes requests that are refused for four reasons, in turn. The account is on the plan tight; every
// token that nobody has is another one, since a server may remember those it has refused.
func refusals(g *ground) (sender, error) {
	made, err := device(g.server, g.account.Token)
	if err != nil {
		return sender{}, err
	}
	token := made[0]
	if err := stores(g, token, list(10, `{"variable":"a","value":1}`), 10); err != nil {
		return sender{}, err
	}
	kinds := []struct {
		status int
		shot
	}{
		{400, shot{"POST", "/data", token, `{"value":21.5,"unit":"C"}`}},
		{401, shot{"POST", "/data", "", singles.body}},
		{402, shot{"POST", "/data", token, singles.body}},
		{429, shot{"GET", "/data", token, ""}},
	}
	var shots []shot
	for n := range 256 {
		for _, k := range kinds {
			s := k.shot
			if s.token == "" {
				s.token = fmt.Sprintf("%08x-0000-4000-8000-%012x", n*7919, n)
			}
			shots = append(shots, s)
		}
	}
	for i, k := range kinds {
		for try := 0; ; try++ {
			var body any
			if k.body != "" {
				body = json.RawMessage(k.body)
			}
			err := g.server.Call(k.method, k.path, shots[i].token, body, nil)
			if r, ok := err.(*server.Refused); ok && r.Status == k.status {
				break
			}
			if k.status != 429 || try == 2 { // the minute's one read may have to be spent, or the minute may end
				return sender{}, fmt.Errorf("%s %s should be refused with %d: %v", k.method, k.path, k.status, err)
			}
		}
	}
	return byWrk(g.dir, 64, shots)
}

// drips needs nothing but a device.
func drips(g *ground) (sender, error) {
	made, err := device(g.server, g.account.Token)
	if err != nil {
		return sender{}, err
	}
	return bySelf("drip", "--token", made[0]), nil
}
