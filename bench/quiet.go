package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies is what the quiet profile saw. Times are counted from the moment at which a request was due, so a
// server that stalls is charged for every request that became due meanwhile.
type latencies struct {
	P50, P99, P999, Max time.Duration
	Late                time.Duration  // p99 of the delay between due and sent, which is this client's own fault
	Sent, Answered      int            // of the measured requests; Answered are those with 200
	Warm                int            // points acknowledged before the measurement
	Errors              map[string]int // what the others got
	Nice                int            // the priority that the client ran at
}

// failed is how many measured requests were not answered 200.
func (l latencies) failed() int { return l.Sent - l.Answered }

// quiet is an open loop: a request is due every Every, whatever became of those before it.
type quiet struct {
	addr    string // host:port
	request []byte
	every   time.Duration
	start   time.Time // requests due from here on are measured
	span    time.Duration
	patient time.Duration // how long an answer may take

	idle chan *wire
	mu   sync.Mutex
	took *hdrhistogram.Histogram
	late *hdrhistogram.Histogram
	out  latencies
}

// wire is a connection that waits for its next request.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func newQuiet(server, token string, every time.Duration, start time.Time, span time.Duration) (*quiet, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	const longest = int64(time.Minute / time.Microsecond)
	body := singles.body
	return &quiet{
		addr: u.Host,
		request: fmt.Appendf(nil, "POST /data HTTP/1.1\r\nHost: %s\r\ntoken: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			u.Host, token, len(body), body),
		every: every, start: start, span: span, patient: 30 * time.Second,
		idle: make(chan *wire, 4096),
		took: hdrhistogram.New(1, longest, 3), late: hdrhistogram.New(1, longest, 3),
		out: latencies{Errors: map[string]int{}},
	}, nil
}

// run sends until the span is over and waits for what is still to be answered.
//
// It keeps a thread for itself and sleeps by the kernel's clock: a goroutine's sleep ends up to a millisecond
// late, which at times is more than the answer takes.
func (q *quiet) run() latencies {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all sync.WaitGroup
	first := -max(0, int(time.Until(q.start)/q.every)) // warm-up: connections, caches
	for i := first; i < int(q.span/q.every); i++ {
		due := q.start.Add(time.Duration(i) * q.every)
		for wait := time.Until(due); wait > 0; wait = time.Until(due) {
			pause := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&pause, nil) // a signal ends it early: the loop sleeps on
		}
		r := sending{due: due, measured: i >= 0}
		select {
		case w := <-q.idle:
			r.send(q, w)
			all.Go(func() { r.receive(q) })
		default:
			all.Go(func() { r.dial(q); r.receive(q) })
		}
	}
	all.Wait()
	at := func(h *hdrhistogram.Histogram, p float64) time.Duration {
		return time.Duration(h.ValueAtQuantile(p)) * time.Microsecond
	}
	q.out.P50, q.out.P99, q.out.P999 = at(q.took, 50), at(q.took, 99), at(q.took, 99.9)
	q.out.Max, q.out.Late = time.Duration(q.took.Max())*time.Microsecond, at(q.late, 99)
	return q.out
}

// sending is one request on its way.
type sending struct {
	due, sent time.Time
	measured  bool
	wire      *wire
	err       error
}

func (r *sending) dial(q *quiet) {
	c, err := net.DialTimeout("tcp", q.addr, q.patient)
	if err != nil {
		r.err = err
		return
	}
	r.send(q, &wire{c, bufio.NewReader(c)})
}

func (r *sending) send(q *quiet, w *wire) {
	r.wire = w
	if r.err = w.SetDeadline(time.Now().Add(q.patient)); r.err != nil {
		return
	}
	if _, r.err = w.Write(q.request); r.err == nil {
		r.sent = time.Now()
	}
}

// receive waits for the answer, keeps the connection if it can be kept, and notes what came.
func (r *sending) receive(q *quiet) {
	status, keep := 0, false
	if r.err == nil {
		var answer *http.Response
		if answer, r.err = http.ReadResponse(r.wire.in, nil); r.err == nil {
			status, keep = answer.StatusCode, !answer.Close
			_, r.err = io.Copy(io.Discard, answer.Body)
		}
	}
	took := time.Since(r.due)
	if r.wire != nil {
		if keep && r.err == nil && len(q.idle) < cap(q.idle) {
			q.idle <- r.wire
		} else {
			r.wire.Close()
		}
	}
	q.note(r, status, took)
}

func (q *quiet) note(r *sending, status int, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !r.measured {
		if r.err == nil && status == http.StatusOK {
			q.out.Warm++
		}
		return
	}
	q.out.Sent++
	if !r.sent.IsZero() {
		_ = q.late.RecordValue(max(1, r.sent.Sub(r.due).Microseconds()))
	}
	switch {
	case r.err != nil:
		q.out.Errors[short(r.err)]++
	case status != http.StatusOK:
		q.out.Errors[fmt.Sprint(status)]++
	default:
		q.out.Answered++
	}
	// One that failed is counted with the time it took to fail.
	_ = q.took.RecordValue(max(1, took.Microseconds()))
}

// short is an error without addresses, so that equal ones are counted together.
func short(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// quietMain is `bench quiet`: the client in a process of its own, so that no flood shares its threads. It
// prints latencies as JSON.
func quietMain(args []string) error {
	f := flag.NewFlagSet("quiet", flag.ExitOnError)
	server := f.String("url", "", "the server")
	token := f.String("token", "", "token of a device")
	every := f.Duration("every", 20*time.Millisecond, "a request is due this often")
	at := f.Int64("at", 0, "when the measurement begins, in Unix nanoseconds; until then it warms up")
	span := f.Duration("span", time.Minute, "how long it measures")
	f.Parse(args)
	runtime.GOMAXPROCS(4)  // one for the thread that sleeps, whatever the machine has
	debug.SetGCPercent(-1) // a few megabytes in all: no pauses of our own
	q, err := newQuiet(*server, *token, *every, time.Unix(0, *at), *span)
	if err != nil {
		return err
	}
	l := q.run()
	if p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
		l.Nice = 20 - p // as the kernel's call has it
	}
	return json.NewEncoder(os.Stdout).Encode(l)
}
