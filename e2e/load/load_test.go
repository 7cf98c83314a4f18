// Package load kills the real server under load and looks at what is left.
//
// Several writers send points, each point with a value of its own. The server is killed with SIGKILL at a
// random moment, started again on the same data, and asked what it has. Whatever the moment: every
// acknowledged request is there whole, nothing is there that was not sent, nothing is there twice, half a
// request is never there, what is stored is what was metered, and `paddock verify` finds nothing to say,
// beside the dead server, beside the live one and in the midst of the load.
package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/e2e/server"
)

// rounds is how often each engine is killed (KILL_ROUNDS, default 5).
func rounds(t *testing.T) int {
	text := os.Getenv("KILL_ROUNDS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KILL_ROUNDS=%q is not a number of rounds", text)
	}
	return n
}

// each runs a test on an installation of each engine.
func each(t *testing.T, fn func(t *testing.T, home *server.Home)) {
	binary, remove, err := server.Binary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	t.Run("sqlite", func(t *testing.T) {
		home, err := server.NewHome(binary, t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		fn(t, home)
	})
	t.Run("postgres", func(t *testing.T) {
		url, drop, err := server.NewDatabase(context.Background(), os.Getenv("TEST_POSTGRES"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := drop(); err != nil {
				t.Error(err)
			}
		})
		home, err := server.NewHome(binary, t.TempDir(), url)
		if err != nil {
			t.Fatal(err)
		}
		fn(t, home)
	})
}

// fact is one request as its writer knows it: the points it carried and whether it was acknowledged.
type fact struct {
	points int
	acked  bool
}

// device is a device under load. Point n of request r has the value "r.n".
type device struct {
	profile   int // index into the test's profiles
	id, token string
	room      int // points it may send before a kill: a mutable device holds 50,000 (wire §D.2)
	mu        sync.Mutex
	requests  []fact
}

// write sends requests of 1 to 40 points, and now and then one of up to 2,000, until the server is gone or the device has had its share of what it
// can hold. Anything but an acknowledgement or a dead connection is a failure: nothing here is over a limit.
func (d *device) write(t *testing.T, s *server.Server, stop <-chan struct{}) {
	for left := d.room; left >= 2000; {
		select {
		case <-stop:
			return
		default:
		}
		d.mu.Lock()
		r := len(d.requests)
		f := fact{points: 1 + rand.N(40)}
		switch {
		case r%40 == 20:
			f.points = 500 + rand.N(1500) // which SQLite stores in pieces
		case r%3 == 0:
			f.points = 1
		}
		d.requests = append(d.requests, f)
		d.mu.Unlock()
		left -= f.points
		points := make([]map[string]any, f.points)
		for n := range points {
			points[n] = map[string]any{"variable": fmt.Sprintf("v%d", n%3), "value": fmt.Sprintf("%d.%d", r, n)}
		}
		err := s.Call("POST", "/data", d.token, points, nil)
		var refused *server.Refused
		if errors.As(err, &refused) {
			t.Errorf("device %s: %v", d.id, err)
			return
		}
		if err != nil {
			return
		}
		d.mu.Lock()
		d.requests[r].acked = true
		d.mu.Unlock()
	}
}

// stored compares what the server has with what was sent and returns how many points there are.
func (d *device) stored(t *testing.T, s *server.Server) int {
	got := map[int]map[int]bool{}
	total := 0
	for skip := 0; ; skip += 10000 {
		var rows []struct{ Value string }
		path := fmt.Sprintf("/data?qty=10000&ordination=ascending&skip=%d", skip)
		if err := s.Call("GET", path, d.token, nil, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			var r, n int
			if _, err := fmt.Sscanf(row.Value, "%d.%d", &r, &n); err != nil || r >= len(d.requests) || n >= d.requests[r].points {
				t.Fatalf("device %s has a point that nobody sent: %q", d.id, row.Value)
			}
			if got[r] == nil {
				got[r] = map[int]bool{}
			}
			if got[r][n] {
				t.Fatalf("device %s has point %q twice", d.id, row.Value)
			}
			got[r][n] = true
		}
		total += len(rows)
		if len(rows) < 10000 {
			break
		}
	}
	for r, f := range d.requests {
		switch n := len(got[r]); {
		case f.acked && n != f.points:
			t.Errorf("device %s: request %d of %d points was acknowledged, %d are there", d.id, r, f.points, n)
		case n != 0 && n != f.points:
			t.Errorf("device %s: request %d of %d points is there in part: %d", d.id, r, f.points, n)
		}
	}
	return total
}

// churn makes devices in a profile, fills them, and empties or deletes them, until the server is gone: so that
// the kill also falls into purges. It returns how many points it sent and how many were acknowledged.
func churn(t *testing.T, s *server.Server, token string, stop <-chan struct{}) (sent, acked int) {
	points := make([]map[string]any, 400)
	for n := range points {
		points[n] = map[string]any{"variable": "v", "value": n}
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return sent, acked
		default:
		}
		var made struct {
			DeviceID string `json:"device_id"`
			Token    string
		}
		err := s.Call("POST", "/device", token, map[string]any{"name": "short-lived", "type": "mutable"}, &made)
		if err == nil {
			sent += len(points)
			if err = s.Call("POST", "/data", made.Token, points, nil); err == nil {
				acked += len(points)
			}
		}
		if err == nil && i%3 != 0 {
			err = s.Call("POST", "/device/"+made.DeviceID+"/empty", token, nil, nil)
		}
		if err == nil && i%4 != 0 {
			err = s.Call("DELETE", "/device/"+made.DeviceID, token, nil, nil)
		}
		var refused *server.Refused
		if errors.As(err, &refused) {
			t.Errorf("short-lived device: %v", err)
		}
		if err != nil {
			return sent, acked
		}
	}
}

// used is limit_used of a profile's summary.
func used(t *testing.T, s *server.Server, token, profile string) map[string]float64 {
	var summary struct {
		Used map[string]float64 `json:"limit_used"`
	}
	if err := s.Call("GET", "/profile/"+profile+"/summary", token, nil, &summary); err != nil {
		t.Fatal(err)
	}
	return summary.Used
}

// amounts is the sum of what the devices of the token's profile say they hold.
func amounts(t *testing.T, s *server.Server, token string) int {
	total := 0
	for page := 1; ; page++ {
		var rows []struct{ ID string }
		if err := s.Call("GET", fmt.Sprintf("/device?amount=1000&page=%d", page), token, nil, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			var n int
			if err := s.Call("GET", "/device/"+row.ID+"/data_amount", token, nil, &n); err != nil {
				t.Fatal(err)
			}
			total += n
		}
		if len(rows) < 1000 {
			return total
		}
	}
}

func verify(t *testing.T, home *server.Home, when string) {
	t.Helper()
	if out, err := home.Run("", "verify"); err != nil {
		t.Errorf("%s: %v", when, err)
	} else if strings.TrimSpace(out) == "" {
		t.Errorf("%s: verify says nothing", when)
	}
}

func TestKill(t *testing.T) {
	each(t, func(t *testing.T, home *server.Home) {
		owner, err := home.CreateAccount("Ada", "house")
		if err != nil {
			t.Fatal(err)
		}
		s, err := home.Serve()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Kill() })

		// Two profiles; the second also has the short-lived devices.
		type profile struct{ id, token string }
		profiles := []profile{{owner.Profile, owner.Token}}
		var second struct{ ID string }
		if err := s.Call("POST", "/profile/", owner.Token, map[string]any{"name": "B"}, &second); err != nil {
			t.Fatal(err)
		}
		var minted struct{ Token string }
		if err := s.Call("POST", "/account/profile/token", "", map[string]any{
			"profile_id": second.ID, "email": owner.Email, "password": owner.Password, "name": "B",
		}, &minted); err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, profile{second.ID, minted.Token})

		var devices []*device
		for i := range 8 {
			d := &device{profile: i % 2, room: 45_000 / rounds(t)}
			spec := map[string]any{"name": fmt.Sprintf("device %d", i), "type": "mutable"}
			if i >= 4 {
				maps.Copy(spec, map[string]any{"type": "immutable", "chunk_period": "day", "chunk_retention": 7})
				d.room = 1_000_000
			}
			var made struct {
				DeviceID string `json:"device_id"`
				Token    string
			}
			if err := s.Call("POST", "/device", profiles[d.profile].token, spec, &made); err != nil {
				t.Fatal(err)
			}
			d.id, d.token = made.DeviceID, made.Token
			devices = append(devices, d)
		}

		var churnSent, churnAcked int
		for round := range rounds(t) {
			stop := make(chan struct{})
			var writers sync.WaitGroup
			for _, d := range devices {
				writers.Go(func() { d.write(t, s, stop) })
			}
			writers.Go(func() {
				sent, acked := churn(t, s, profiles[1].token, stop)
				churnSent += sent
				churnAcked += acked
			})
			time.Sleep(200 * time.Millisecond)
			verify(t, home, "in the midst of the load")
			time.Sleep(rand.N(1200 * time.Millisecond))
			s.Kill()
			close(stop)
			writers.Wait()

			verify(t, home, "beside the dead server")
			if s, err = home.Serve(); err != nil {
				t.Fatal(err)
			}
			sent, acked, held := make([]int, 2), make([]int, 2), make([]int, 2)
			for _, d := range devices {
				for _, f := range d.requests {
					sent[d.profile] += f.points
					if f.acked {
						acked[d.profile] += f.points
					}
				}
				n := d.stored(t, s)
				var amount int
				if err := s.Call("GET", "/device/"+d.id+"/data_amount", profiles[d.profile].token, nil, &amount); err != nil {
					t.Fatal(err)
				}
				if amount != n {
					t.Errorf("device %s holds %d points and says %d", d.id, n, amount)
				}
				held[d.profile] += n
			}
			quiet := used(t, s, profiles[0].token, profiles[0].id)
			if int(quiet["input"]) != held[0] || int(quiet["data_records"]) != held[0] {
				t.Errorf("profile A holds %d points, was metered input %v and data_records %v", held[0], quiet["input"], quiet["data_records"])
			}
			busy := used(t, s, profiles[1].token, profiles[1].id)
			if n := amounts(t, s, profiles[1].token); int(busy["data_records"]) != n {
				t.Errorf("the devices of profile B hold %d points, data_records is %v", n, busy["data_records"])
			}
			if in := int(busy["input"]); in < held[1]+churnAcked || in > held[1]+churnSent {
				t.Errorf("profile B was metered input %d; stored %d, and %d to %d in short-lived devices", in, held[1], churnAcked, churnSent)
			}
			verify(t, home, "beside the live server")
			t.Logf("round %d: sent %v, acknowledged %v, stored %v; short-lived devices: sent %d, acknowledged %d",
				round+1, sent, acked, held, churnSent, churnAcked)
			if acked[0] == 0 || acked[1] == 0 {
				t.Error("there was no load to speak of")
			}
			if t.Failed() {
				t.Logf("the servers said:\n%s", home.Log())
				return
			}
		}
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

// TestDrain stops a server under load by SIGTERM: what it took it finishes, so every request was either
// acknowledged and stored, or not stored.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, home *server.Home) {
		owner, err := home.CreateAccount("Ada", "house")
		if err != nil {
			t.Fatal(err)
		}
		s, err := home.Serve()
		if err != nil {
			t.Fatal(err)
		}
		var made struct {
			DeviceID string `json:"device_id"`
			Token    string
		}
		if err := s.Call("POST", "/device", owner.Token, map[string]any{"name": "d", "type": "mutable"}, &made); err != nil {
			t.Fatal(err)
		}
		// One device, several writers: each has a list of its own, told apart by the variable.
		var writers sync.WaitGroup
		stop := make(chan struct{})
		acked := make([]int, 6)
		for w := range acked {
			writers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					point := map[string]any{"variable": fmt.Sprintf("w%d", w), "value": acked[w]}
					if s.Call("POST", "/data", made.Token, point, nil) != nil {
						return
					}
					acked[w]++
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		if err := s.Stop(); err != nil {
			t.Errorf("SIGTERM: %v\n%s", err, home.Log())
		}
		close(stop)
		writers.Wait()
		verify(t, home, "after the drain")
		if s, err = home.Serve(); err != nil {
			t.Fatal(err)
		}
		defer s.Kill()
		for w, n := range acked {
			var got int
			if err := s.Call("GET", fmt.Sprintf("/data?query=count&variables=w%d", w), made.Token, nil, &got); err != nil {
				t.Fatal(err)
			}
			if n == 0 || got != n {
				t.Errorf("writer %d: %d acknowledged, %d stored: an accepted request was lost or not answered", w, n, got)
			}
		}
	})
}
