package main

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// ask reads in a closed loop over a few connections. Answers may take seconds each, so one that is under way
// when the time is up is waited for, and counted by the part of it that lay within the time.
type ask struct {
	url, token  string
	paths       []string
	connections int
	client      *http.Client
}

func (a *ask) run(span time.Duration) tally {
	began := time.Now()
	until := began.Add(span)
	out := tally{Seconds: span.Seconds()}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range a.connections {
		all.Go(func() {
			for i := n; time.Now().Before(until); i++ {
				from := time.Now()
				status, err := a.one(a.paths[i%len(a.paths)])
				to := time.Now()
				mu.Lock()
				switch {
				case err != nil:
					out.Broken++
				case to.After(until):
					if status/100 == 2 {
						out.Part += until.Sub(from).Seconds() / to.Sub(from).Seconds()
					}
				default:
					out.Answers++
					if status/100 == 2 {
						out.Good++
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return out
}

func (a *ask) one(path string) (status int, err error) {
	req, err := http.NewRequest("GET", a.url+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("token", a.token)
	answer, err := a.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// askMain is `bench ask … PATH…`. It prints its tally as JSON.
func askMain(args []string) error {
	f := flag.NewFlagSet("ask", flag.ExitOnError)
	a := &ask{client: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	f.StringVar(&a.url, "url", "", "the server")
	f.StringVar(&a.token, "token", "", "token of a device")
	f.IntVar(&a.connections, "connections", 8, "how many ask at once")
	span := f.Duration("span", time.Minute, "how long it floods")
	f.Parse(args)
	a.paths = f.Args()
	return json.NewEncoder(os.Stdout).Encode(a.run(*span))
}
