package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// drip holds connections open with bodies that come a byte at a time, and connects again when it is cut off.
type drip struct {
	addr   string
	header []byte
	every  time.Duration // between two bytes
	until  time.Time

	mu    sync.Mutex
	tally tally
	by    map[int]int // answers by status
}

const drippers = 64

func newDrip(server, token string, every time.Duration, until time.Time) (*drip, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	return &drip{
		addr: u.Host, every: every, until: until, by: map[int]int{},
		header: fmt.Appendf(nil, "POST /data HTTP/1.1\r\nHost: %s\r\ntoken: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", u.Host, token, maxBody),
	}, nil
}

func (d *drip) run(connections int) tally {
	began := time.Now()
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(connections)) // all of them within a second
			for time.Now().Before(d.until) {
				d.one()
			}
		})
	}
	all.Wait()
	d.tally.Seconds = time.Since(began).Seconds()
	d.tally.Note = fmt.Sprintf("answers by status: %v", d.by)
	return d.tally
}

// one is a connection, until it is answered, cut off or out of time.
func (d *drip) one() {
	c, err := net.DialTimeout("tcp", d.addr, 5*time.Second)
	if err != nil {
		d.broken()
		time.Sleep(d.every)
		return
	}
	defer c.Close()
	if c.SetDeadline(d.until) != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		switch {
		case err == nil:
			d.mu.Lock()
			d.tally.Answers++
			d.by[answer.StatusCode]++
			if answer.StatusCode/100 == 2 {
				d.tally.Good++
			}
			d.mu.Unlock()
		case time.Now().Before(d.until):
			d.broken()
		}
	}()
	if _, err := c.Write(d.header); err != nil {
		<-ended
		return
	}
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			if _, err := c.Write([]byte{' '}); err != nil {
				<-ended
				return
			}
		}
	}
}

func (d *drip) broken() {
	d.mu.Lock()
	d.tally.Broken++
	d.mu.Unlock()
}

// dripMain is `bench drip`. It prints its tally as JSON.
func dripMain(args []string) error {
	f := flag.NewFlagSet("drip", flag.ExitOnError)
	server := f.String("url", "", "the server")
	token := f.String("token", "", "token of a device")
	span := f.Duration("span", time.Minute, "how long it floods")
	every := f.Duration("every", 20*time.Millisecond, "between two bytes")
	f.Parse(args)
	d, err := newDrip(*server, *token, *every, time.Now().Add(*span))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(d.run(drippers))
}
