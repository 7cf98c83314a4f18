package load

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/e2e/server"
)

// TestTransferUnderLoad hands a profile over while its devices send and read at a steady 500 requests a second, sent
// on time whether or not earlier ones were answered: none fails, what was acknowledged is stored, and what both owners are metered
// is what is stored.
func TestTransferUnderLoad(t *testing.T) {
	const (
		perSecond = 500 // one in five reads
		before    = 2 * time.Second
		after     = 2 * time.Second
		devices   = 10
	)
	each(t, func(t *testing.T, home *server.Home) {
		ada, err := home.CreateAccount("Ada", "house")
		if err != nil {
			t.Fatal(err)
		}
		bob, err := home.CreateAccount("Bob", "house")
		if err != nil {
			t.Fatal(err)
		}
		s, err := home.Serve()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Kill() })
		s.Client.Transport = &http.Transport{MaxIdleConnsPerHost: 512}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%v\n%s", err, home.Log())
			}
		}
		var profile struct{ ID string }
		must(s.Call("POST", "/profile", ada.Token, map[string]any{"name": "Harbour"}, &profile))
		mint := func(a server.Account) (token string) {
			t.Helper()
			var m struct{ Token string }
			must(s.Call("POST", "/account/profile/token", "", map[string]any{"profile_id": profile.ID, "email": a.Email, "password": a.Password, "name": "load"}, &m))
			return m.Token
		}
		inside := mint(ada)
		var tokens []string
		for i := range devices {
			var d struct{ Token string }
			must(s.Call("POST", "/device", inside, map[string]any{"name": fmt.Sprintf("device %d", i), "type": "mutable"}, &d))
			tokens = append(tokens, d.Token)
		}

		var sent, acked, reads, failed atomic.Int64
		var first sync.Once
		stop := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			began := time.Now()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Until(began.Add(time.Duration(n) * time.Second / perSecond))):
				}
				running.Go(func() {
					token := tokens[n%devices]
					var err error
					if n%5 == 4 {
						if err = s.Call("GET", "/data?query=last_value&variable=v", token, nil, nil); err == nil {
							reads.Add(1)
						}
					} else {
						sent.Add(1)
						if err = s.Call("POST", "/data", token, map[string]any{"variable": "v", "value": n}, nil); err == nil {
							acked.Add(1)
						}
					}
					if err != nil {
						failed.Add(1)
						first.Do(func() { t.Errorf("the first request that failed: %v", err) })
					}
				})
			}
		})
		time.Sleep(before)
		var made struct{ ID string }
		must(s.Call("POST", "/profile/"+profile.ID+"/transfer", ada.Token, map[string]any{"email": bob.Email, "password": ada.Password}, &made))
		began := time.Now()
		must(s.Call("POST", "/transfer/"+made.ID+"/accept", bob.Token, map[string]any{"password": bob.Password}, nil))
		took := time.Since(began)
		var refused *server.Refused
		if err := s.Call("GET", "/device", inside, nil, nil); !errors.As(err, &refused) || refused.Status != 401 {
			t.Errorf("a token of the former owner's: %v", err)
		}
		time.Sleep(after)
		close(stop)
		running.Wait()

		theirs := used(t, s, mint(bob), profile.ID)
		stored := 0
		for _, token := range tokens {
			var n int
			must(s.Call("GET", "/data?query=count", token, nil, &n))
			stored += n
		}
		source := departed(t, home, ada.Account, profile.ID)
		if failed.Load() != 0 {
			t.Errorf("%d requests failed", failed.Load())
		}
		if int64(stored) < acked.Load() || int64(stored) > sent.Load() {
			t.Errorf("sent %d, acknowledged %d, stored %d", sent.Load(), acked.Load(), stored)
		}
		if source+int(theirs["input"]) != stored || source == 0 || theirs["input"] == 0 || int(theirs["data_records"]) != stored {
			t.Errorf("the former owner is metered %d, the new one %v with %v stored; stored are %d", source, theirs["input"], theirs["data_records"], stored)
		}
		verify(t, home, "after the transfer")
		t.Logf("sent %d, acknowledged %d, stored %d (%d + %v), %d reads, %d failed; accepting took %v", sent.Load(), acked.Load(), stored, source, theirs["input"], reads.Load(), failed.Load(), took)
	})
}

// departed is the input that a profile had used of an account's cycle when it left.
func departed(t *testing.T, home *server.Home, account, profile string) (n int) {
	t.Helper()
	db := eyes(t, home)
	defer db.Close()
	if err := db.QueryRow(`SELECT input FROM departed WHERE account = $1 AND profile = $2`, account, profile).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
