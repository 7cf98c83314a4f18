package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// churn creates, empties and deletes devices over a few connections, each in a closed loop. When a burst is
// due, four of the connections take a device that is full: every second one is emptied before it is deleted.
type churn struct {
	url, token string
	full       []string
	client     *http.Client
	until      time.Time

	mu    sync.Mutex
	tally tally
	gone  int // full devices
}

const churners = 8

func (c *churn) run() tally {
	began := time.Now()
	var all sync.WaitGroup
	for n := range churners {
		all.Go(func() { c.loop(n, began) })
	}
	all.Wait()
	c.tally.Seconds = time.Since(began).Seconds()
	c.tally.Note = fmt.Sprintf("%d of %d full devices deleted", c.gone, len(c.full))
	return c.tally
}

// loop is one connection. The first of them take the full devices: the n-th takes n, n + burst, …
func (c *churn) loop(n int, began time.Time) {
	mine := n
	for time.Now().Before(c.until) {
		if n < burst && mine < len(c.full) && time.Since(began) >= time.Duration(mine/burst)*burstGap {
			id := c.full[mine]
			if mine%2 == 0 {
				c.call("POST", "/device/"+id+"/empty", nil)
			}
			if _, ok := c.call("DELETE", "/device/"+id, nil); ok {
				c.mu.Lock()
				c.gone++
				c.mu.Unlock()
			}
			mine += burst
			continue
		}
		answer, _ := c.call("POST", "/device", []byte(`{"name":"brief","type":"immutable","chunk_period":"month","chunk_retention":1}`))
		var made struct {
			Result struct {
				ID string `json:"device_id"`
			}
		}
		_ = json.Unmarshal(answer, &made)
		id := made.Result.ID
		if id == "" {
			id = "000000000000000000000000" // the bare server makes none
		}
		c.call("POST", "/device/"+id+"/empty", nil)
		c.call("DELETE", "/device/"+id, nil)
	}
}

func (c *churn) call(method, path string, body []byte) (answer []byte, ok bool) {
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		panic(err) // method and path are ours
	}
	req.Header.Set("token", c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	got, err := c.client.Do(req)
	if err == nil {
		answer, err = io.ReadAll(got.Body)
		got.Body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.tally.Broken++
		return nil, false
	}
	c.tally.Answers++
	if ok = got.StatusCode/100 == 2; ok {
		c.tally.Good++
	}
	return answer, ok
}

// churnMain is `bench churn`. It prints its tally as JSON.
func churnMain(args []string) error {
	f := flag.NewFlagSet("churn", flag.ExitOnError)
	c := &churn{client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: churners}}}
	f.StringVar(&c.url, "url", "", "the server")
	f.StringVar(&c.token, "token", "", "token of the profile")
	list := f.String("full", "", "a file with the ids of full devices, one a line")
	span := f.Duration("span", time.Minute, "how long it floods")
	f.Parse(args)
	text, err := os.ReadFile(*list)
	if err != nil {
		return err
	}
	c.full = strings.Fields(string(text))
	c.until = time.Now().Add(*span)
	return json.NewEncoder(os.Stdout).Encode(c.run())
}
