package app

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// clientCalls lists what the official client can send; see its first line.
//
//go:embed client.txt
var clientCalls string

// Call is a request of the official client.
type Call struct {
	Method, Pattern string
	Calls           string // the client's methods that send it, "devices.list, buckets.list"
	Built           bool   // a room answers it
}

var pathParam = regexp.MustCompile(`\{[^}]*\}`)

// shape is a method and pattern without the names of parameters.
func shape(method, pattern string) string {
	return method + " " + pathParam.ReplaceAllString(pattern, "{}")
}

// Calls lists every request of the official client and whether one of the routes answers it.
func Calls(routes []web.Route) ([]Call, error) {
	built := map[string]bool{}
	for _, r := range routes {
		built[shape(r.Method, r.Pattern)] = true
	}
	var out []Call
	for _, line := range strings.Split(clientCalls, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		request, calls, ok := strings.Cut(line, "\t")
		method, pattern, ok2 := strings.Cut(request, " ")
		if !ok || !ok2 {
			return nil, fmt.Errorf("client.txt: %q is not METHOD, path and calls", line)
		}
		out = append(out, Call{Method: method, Pattern: pattern, Calls: calls, Built: built[shape(method, pattern)]})
	}
	return out, nil
}

const notAvailable = "Not available yet: "

// notYet makes a route for every call that no room answers: 404 at once, saying so, since the client would
// retry a 5xx for twenty seconds.
func notYet(routes []web.Route) ([]web.Route, error) {
	calls, err := Calls(routes)
	if err != nil {
		return nil, err
	}
	var out []web.Route
	for _, c := range calls {
		if c.Built {
			continue
		}
		out = append(out, web.Handle(c.Method+" "+c.Pattern, notAvailable+c.Calls+".", auth.Anyone,
			func(context.Context, auth.Caller, struct{}) (web.None, error) {
				return web.None{}, fault.New(fault.NotFound, notAvailable+"%s (%s %s)", c.Calls, c.Method, c.Pattern)
			}))
	}
	return out, nil
}
