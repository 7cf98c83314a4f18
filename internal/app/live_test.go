package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
)

// stream is a client of GET /events.
type stream struct {
	answer *http.Response
	frames chan frame
	end    chan error // io.EOF for an orderly end
}

// frame is one event as it came.
type frame struct {
	ID, Event, Channel string
	Payload            json.RawMessage
}

// open asks for a stream and returns the answer whatever it is.
func open(t *testing.T, s *apptest.Server, query url.Values, header ...string) *http.Response {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/events?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	p, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Body.Close() })
	return p
}

// listen opens a stream that must work and reads it in the background.
func listen(t *testing.T, s *apptest.Server, token, channels string, header ...string) *stream {
	t.Helper()
	p := open(t, s, url.Values{"channels": {channels}, "token": {token}}, header...)
	if p.StatusCode != 200 || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/event-stream") {
		text, _ := io.ReadAll(p.Body)
		t.Fatalf("listening to %s was answered %d %s: %s", channels, p.StatusCode, p.Header.Get("Content-Type"), text)
	}
	return follow(p)
}

func follow(p *http.Response) *stream {
	x := &stream{answer: p, frames: make(chan frame, 10_000), end: make(chan error, 1)}
	go func() {
		r := bufio.NewReaderSize(p.Body, 1<<20)
		var f frame
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				x.end <- err
				return
			}
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch name {
			case "id":
				f.ID = value
			case "event":
				f.Event = value
			case "data":
				var body struct {
					Channel string
					Payload json.RawMessage
				}
				if err := json.Unmarshal([]byte(value), &body); err != nil {
					x.end <- err
					return
				}
				f.Channel, f.Payload = body.Channel, body.Payload
			case "":
				if f.Payload != nil {
					x.frames <- f
				}
				f = frame{}
			}
		}
	}()
	return x
}

// next is the next event.
func (x *stream) next(t *testing.T) frame {
	t.Helper()
	select {
	case f := <-x.frames:
		return f
	case err := <-x.end:
		t.Fatalf("the stream ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 seconds")
	}
	return frame{}
}

// values are those of the rows of the next event.
func (x *stream) values(t *testing.T) []float64 {
	t.Helper()
	return valuesOf(t, x.next(t))
}

func valuesOf(t *testing.T, f frame) []float64 {
	t.Helper()
	var rows []struct{ Value float64 }
	if err := json.Unmarshal(f.Payload, &rows); err != nil || f.Event != "" {
		t.Fatalf("%v in event %q %s", err, f.Event, f.Payload)
	}
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	return out
}

// ended waits for the end of the stream.
func (x *stream) ended(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-x.end:
		return err
	case <-time.After(within):
		t.Fatalf("the stream goes on after %v", within)
	}
	return nil
}

func value(v float64) row { return row{"variable": "v", "value": v} }

func TestLiveRowsAsTheyAreStored(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		device, token := s.Device(t, a, "D")
		other, otherToken := s.Device(t, a, "E")
		_, strangerToken := s.Device(t, b, "F")
		channel := "device_data." + device
		streams := []*stream{
			listen(t, s, a.Token, channel),
			listen(t, s, a.Token, "notification,limits,"+channel),
			listen(t, s, token, channel),
		}
		both := listen(t, s, a.Token, channel+",device_data."+other)
		s.Send(t, strangerToken, 3).Want(t, 200)
		s.Call(t, "POST", "/data", otherToken, value(-1)).Want(t, 200)
		s.Call(t, "POST", "/data", token, row{"variable": "broken", "time": "never"}).Want(t, 400)
		s.Call(t, "POST", "/data", token, []row{
			{"variable": "temperature", "value": 21.5, "unit": "°C", "metadata": row{"a": "line\nbreak"}, "location": row{"lat": 1, "lng": 2}},
			{"variable": "state", "value": "on\r\n\r\nid: 5"},
		}).Want(t, 200)
		want := s.Call(t, "GET", "/device/"+device+"/data?qty=10&ordination=ascending", a.Token, nil).Want(t, 200)
		for i, x := range streams {
			f := x.next(t)
			if f.Channel != channel || f.ID == "" || f.Event != "" {
				t.Errorf("stream %d: %+v", i, f)
			}
			var got, rows []map[string]any
			want.Into(t, &rows)
			if err := json.Unmarshal(f.Payload, &got); err != nil {
				t.Fatal(err)
			}
			byID := func(x, y map[string]any) int { return strings.Compare(x["id"].(string), y["id"].(string)) }
			slices.SortFunc(got, byID)
			slices.SortFunc(rows, byID)
			if fmt.Sprint(got) != fmt.Sprint(rows) {
				t.Errorf("stream %d: %v, want %v", i, got, rows)
			}
		}
		if f := both.next(t); f.Channel != "device_data."+other {
			t.Errorf("the second device's came as %s", f.Channel)
		}
		both.next(t)
		// Events of many senders come once each, in one order for all, that of the ids.
		var wg sync.WaitGroup
		const senders, each = 8, 20
		for n := range senders {
			wg.Go(func() {
				for i := range each {
					s.Call(t, "POST", "/device/"+device+"/data", a.Token, value(float64(n*each+i))).Want(t, 200)
				}
			})
		}
		wg.Wait()
		var first []float64
		for i, x := range append(streams, both) {
			var got []float64
			last := make([]float64, senders)
			for range senders * each {
				v := x.values(t)[0]
				if n := int(v) / each; v < last[n] {
					t.Errorf("stream %d: sender %d's %v came after %v", i, n, v, last[n])
				} else {
					last[n] = v
				}
				got = append(got, v)
			}
			if i == 0 {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("stream %d has another order", i)
			}
			if len(x.frames) > 0 {
				t.Errorf("stream %d has %d events too many", i, len(x.frames))
			}
		}
	})
}

func TestLiveRefusals(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		device, token := s.Device(t, a, "D")
		sibling, _ := s.Device(t, a, "E")
		foreign, _ := s.Device(t, b, "F")
		write := mint(t, s, a, "write")
		for name, c := range map[string]struct {
			token, channels string
			status          int
			says            string
		}{
			"no token":                       {"", "device_data." + device, 401, "Authorization Denied"},
			"an unknown token":               {"p-11111111-2222-4333-8444-555555555555", "device_data." + device, 401, "Authorization Denied"},
			"a token that may not read":      {write, "device_data." + device, 401, "Authorization Denied"},
			"no channel":                     {a.Token, "", 400, "channels: "},
			"an unknown channel":             {a.Token, "device_data." + device + ",weather", 400, "channels: there is no channel"},
			"a channel without its device":   {a.Token, "device_data", 400, "channels: "},
			"a channel with one too many":    {a.Token, "notification." + device, 400, "channels: "},
			"a channel of a later room":      {a.Token, "analysis_trigger", 404, "Not available yet"},
			"another profile's device":       {a.Token, "device_data." + foreign, 404, "Device Not Found"},
			"a device that is not there":     {a.Token, "device_data.0123456789abcdef01234567", 404, "Device Not Found"},
			"a device that cannot be":        {a.Token, "device_data.x", 404, "Device Not Found"},
			"a device that asks for another": {token, "device_data." + sibling, 404, "Device Not Found"},
			"a device that asks for more":    {token, "notification", 401, "Authorization Denied"},
			"too many channels":              {a.Token, strings.Repeat("limits,", 10) + hundred(), 400, "channels: names more than 100"},
		} {
			query := url.Values{"channels": {c.channels}}
			if c.token != "" {
				query.Set("token", c.token)
			}
			got := s.Call(t, "GET", "/events?"+query.Encode(), "", nil)
			if got.Status != c.status || got.OK || !strings.HasPrefix(got.Message, c.says) {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
		head, _ := http.NewRequest("HEAD", s.URL+"/events?channel=device_data."+device, nil)
		head.Header.Set("token", token)
		if got := s.Do(t, head); got.Status != 200 || len(got.Body) > 0 {
			t.Errorf("HEAD is answered %d %q", got.Status, got.Body)
		}
		s.Call(t, "POST", "/profile/"+b.Profile+"/pause", b.Token, row{"reason": "unpaid"}).Want(t, 200)
		if got := s.Call(t, "GET", "/events?channels=device_data."+foreign, b.Token, nil).Want(t, 403); !strings.Contains(got.Message, "unpaid") {
			t.Errorf("paused: %s", got.Body)
		}

		// 100 listeners of a profile are enough; another profile is not concerned.
		for range 100 {
			listen(t, s, a.Token, "device_data."+device)
		}
		s.Call(t, "GET", "/events?channels=notification", a.Token, nil).Want(t, 429)
		c := s.Account(t, "house")
		listen(t, s, c.Token, "notification")
	})
}

func hundred() string {
	var names []string
	for i := range 101 {
		names = append(names, fmt.Sprintf("device_data.%024x", i))
	}
	return strings.Join(names, ",")
}

// mint makes a profile token of a permission.
func mint(t *testing.T, s *apptest.Server, a apptest.Who, permission string) string {
	t.Helper()
	var made struct{ Token string }
	s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": permission, "permission": permission, "expire_time": "never",
		"email": a.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &made)
	return made.Token
}

func TestLiveSession(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		device, token := s.Device(t, a, "D")
		q, _ := http.NewRequest("POST", s.URL+"/session", strings.NewReader(fmt.Sprintf(`{"email":%q,"password":%q}`, a.Email, apptest.Password)))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", s.URL)
		signed := s.Do(t, q).Want(t, 200)
		cookie, _, _ := strings.Cut(signed.Header.Get("Set-Cookie"), ";")
		query := url.Values{"channels": {"device_data." + device}}
		if p := open(t, s, query, "Cookie", cookie); p.StatusCode != 400 {
			t.Errorf("without a profile: %d", p.StatusCode)
		}
		query.Set("profile", b.Profile)
		if p := open(t, s, query, "Cookie", cookie); p.StatusCode != 404 {
			t.Errorf("another account's profile: %d", p.StatusCode)
		}
		query.Set("profile", a.Profile)
		if p := open(t, s, query, "Cookie", cookie, "Sec-Fetch-Site", "same-site"); p.StatusCode != 403 {
			t.Errorf("from another site's page: %d", p.StatusCode)
		}
		x := follow(open(t, s, query, "Cookie", cookie, "Sec-Fetch-Site", "same-origin"))
		s.Call(t, "POST", "/data", token, value(7)).Want(t, 200)
		if got := x.values(t); !slices.Equal(got, []float64{7}) {
			t.Errorf("%v", got)
		}
		out, _ := http.NewRequest("DELETE", s.URL+"/session", nil)
		out.Header.Set("Cookie", cookie)
		out.Header.Set("Origin", s.URL)
		s.Do(t, out).Want(t, 200)
		x.ended(t, 6*time.Second)
	})
}

func TestLiveResume(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		device, token := s.Device(t, a, "D")
		channel := "device_data." + device
		x := listen(t, s, a.Token, channel)
		s.Call(t, "POST", "/data", token, value(1)).Want(t, 200)
		seen := x.next(t)
		x.answer.Body.Close()
		x.ended(t, 5*time.Second)
		for i := 2; i < 5; i++ {
			s.Call(t, "POST", "/data", token, value(float64(i))).Want(t, 200)
		}
		x = listen(t, s, a.Token, channel, "Last-Event-ID", seen.ID)
		for i := 2; i < 5; i++ {
			if got := x.values(t); got[0] != float64(i) {
				t.Errorf("%v came, want %d", got, i)
			}
		}
		// An id of before a restart: what was missed is said, not invented.
		before := time.Now().Add(-time.Minute)
		x = listen(t, s, a.Token, channel, "Last-Event-ID", fmt.Sprintf("0badf00d-17-%d", before.UnixMilli()))
		lost := x.next(t)
		var span struct{ Since, Until time.Time }
		if err := json.Unmarshal(lost.Payload, &span); err != nil || lost.Event != "lost" || lost.Channel != channel ||
			span.Since.UnixMilli() != before.UnixMilli() || span.Until.Before(span.Since) || span.Until.After(time.Now()) {
			t.Errorf("%v: %+v %s", err, lost, lost.Payload)
		}
		// An id that is none of ours is as good as none.
		x = listen(t, s, a.Token, channel, "Last-Event-ID", "what-is-this")
		s.Call(t, "POST", "/data", token, value(9)).Want(t, 200)
		if got := x.values(t); got[0] != 9 {
			t.Errorf("%v", got)
		}
	})
}

func TestLiveEndsWithTheRight(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, b := s.Account(t, "house"), s.Account(t, "house")
		second := s.Profile(t, a, "Second")
		d, _ := s.Device(t, a, "D")
		gone, _ := s.Device(t, a, "E")
		off, offToken := s.Device(t, a, "F")
		moved, _ := s.Device(t, second, "G")
		paused, pausedToken := s.Device(t, b, "H")
		revoked := mint(t, s, a, "read")
		streams := map[string]*stream{
			"a revoked token":          listen(t, s, revoked, "device_data."+d),
			"a deleted device":         listen(t, s, a.Token, "device_data."+d+",device_data."+gone),
			"a device switched off":    listen(t, s, offToken, "device_data."+off),
			"a token moved elsewhere":  listen(t, s, second.Token, "device_data."+moved),
			"a profile that is paused": listen(t, s, pausedToken, "device_data."+paused),
		}
		stays := listen(t, s, a.Token, "device_data."+d)
		s.Call(t, "DELETE", "/profile/"+a.Profile+"/token/"+revoked, a.Token, nil).Want(t, 200)
		s.Call(t, "DELETE", "/device/"+gone, a.Token, nil).Want(t, 200)
		s.Call(t, "PUT", "/device/"+off, a.Token, row{"active": false}).Want(t, 200)
		s.Call(t, "PUT", "/profile/switch/"+a.Profile, second.Token, nil).Want(t, 200)
		s.Call(t, "POST", "/profile/"+b.Profile+"/pause", b.Token, row{"reason": "unpaid"}).Want(t, 200)
		for name, x := range streams {
			if err := x.ended(t, 6*time.Second); err != io.EOF {
				t.Errorf("%s: %v", name, err)
			}
		}
		select {
		case err := <-stays.end:
			t.Errorf("the neighbour's stream ended: %v", err)
		default:
		}
	})
}

// logged is a log that a test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLiveStopsAtOnceAndLogsNoToken(t *testing.T) {
	log := &logged{}
	s := apptest.Start(t, sqldb.SQLite, func(c *app.Settings, o *app.Options) {
		c.LogRequests, o.Log = "all", slog.New(slog.NewTextHandler(log, nil))
	})
	a := s.Account(t, "house")
	device, token := s.Device(t, a, "D")
	streams := make([]*stream, 20)
	for i := range streams {
		streams[i] = listen(t, s, token, "device_data."+device)
	}
	s.Call(t, "GET", "/events?channels=weather&token="+token, "", nil).Want(t, 400)
	began := time.Now()
	s.App.Drain()
	for _, x := range streams {
		if err := x.ended(t, 10*time.Second); err != io.EOF {
			t.Errorf("ended by %v", err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the streams took %v to end", took)
	}
	// Who comes now must come again: an answer other than 200 would end an EventSource for good.
	if p, err := http.Get(s.URL + "/events?channels=device_data." + device + "&token=" + token); err == nil {
		t.Errorf("a stream was answered %d while draining", p.StatusCode)
	}
	s.Call(t, "POST", "/data", token, value(1)).Want(t, 200) // everything else goes on
	for range 50 {
		if strings.Count(log.String(), "route=/events") >= 21 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if text := log.String(); strings.Count(text, "route=/events") < 21 || strings.Contains(text, token) || strings.Contains(text, "token=") {
		t.Errorf("the log has %d lines of streams, the token in it: %v", strings.Count(text, "route=/events"), strings.Contains(text, token))
	}
}

// TestLiveSlowListener lets one listener stop reading while another goes on: the first is dropped, and who sends
// data notices neither of them.
func TestLiveSlowListener(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		device, token := s.Device(t, a, "D")
		points := make([]row, 19)
		for i := range points {
			points[i] = row{"variable": "v", "value": i, "metadata": row{"text": strings.Repeat("x", 9900)}}
		}
		body, _ := json.Marshal(points)
		post := func() time.Duration {
			began := time.Now()
			s.Call(t, "POST", "/data", token, body).Want(t, 200)
			return time.Since(began)
		}
		const n = 60 // 11 MB: more than the feed and the connection hold
		alone := make([]time.Duration, n/3)
		for i := range alone {
			alone[i] = post()
		}
		address := strings.TrimPrefix(s.URL, "http://")
		slow, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		slow.(*net.TCPConn).SetReadBuffer(128 << 10)
		fmt.Fprintf(slow, "GET /events?channels=device_data.%s&token=%s HTTP/1.1\r\nHost: %s\r\n\r\n", device, token, address)
		if head := make([]byte, 12); !readFull(slow, head) || string(head) != "HTTP/1.1 200" {
			t.Fatalf("%q", head)
		}
		fast := listen(t, s, a.Token, "device_data."+device)
		beside := make([]time.Duration, n)
		for i := range beside {
			beside[i] = post()
		}
		for range n {
			if got := fast.values(t); len(got) != len(points) {
				t.Fatalf("%d rows", len(got))
			}
		}
		slices.Sort(alone)
		slices.Sort(beside)
		t.Logf("median %v alone, %v beside; longest %v, %v", alone[n/6], beside[n/2], alone[n/3-1], beside[n-1])
		if beside[n/2] > 3*alone[n/6]+200*time.Millisecond || beside[n-1] > 10*time.Second {
			t.Errorf("an acknowledgement took %v (at most %v); alone %v", beside[n/2], beside[n-1], alone[n/6])
		}
		// What the connection's buffers hold still comes, then it ends before the last event.
		slow.SetReadDeadline(time.Now().Add(15 * time.Second))
		rest, err := io.ReadAll(slow)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Fatalf("the slow listener is still there after %d bytes", len(rest))
		}
		if got := bytes.Count(rest, []byte("\ndata: ")); got >= n {
			t.Errorf("the slow listener got all %d events", got)
		}
	})
}

func readFull(r io.Reader, b []byte) bool {
	_, err := io.ReadFull(r, b)
	return err == nil
}
