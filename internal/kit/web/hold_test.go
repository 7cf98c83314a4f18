package web_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// TestListenersDoNotMakeAServerBusy has streams open and one client that sends a request at a time, all of them refused.
func TestListenersDoNotMakeAServerBusy(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{
		web.Handle("GET /listen", "Listen.", auth.AnyToken, func(context.Context, auth.Caller, struct{}) (web.Stream, error) {
			return web.Stream{Ready: make(chan struct{}), Take: func(b []byte) ([]byte, error) { return b, nil }}, nil
		}),
		web.Handle("GET /refused", "Refuse.", auth.AnyToken, func(context.Context, auth.Caller, struct{}) (string, error) {
			return "", fault.Field("x", "is wrong")
		}),
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	get := func(ctx context.Context, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", profileToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for range 20 {
		resp := get(ctx, "/listen")
		if resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		defer resp.Body.Close()
	}
	late := 0
	for range 400 {
		began := time.Now()
		resp := get(context.Background(), "/refused")
		if resp.StatusCode != 400 {
			t.Fatal(resp.Status)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if time.Since(began) >= 50*time.Millisecond {
			late++
		}
	}
	if late > 100 { // if they waited all would; a busy machine may be late by itself
		t.Errorf("%d of 400 refusals waited", late)
	}
}
