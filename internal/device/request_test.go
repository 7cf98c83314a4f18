package device

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/web"
	"paddock/internal/token"
)

// eventually waits for what an observer does after the answer is sent.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestRequests(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{})
		path := "/device/" + string(c.ID) + "/requests"
		list := func(n int) []map[string]any {
			t.Helper()
			var l []map[string]any
			eventually(t, fmt.Sprint(n, " requests"), func() bool {
				l = h.call(t, "GET", path, p.token, nil).want(t, 200, "").rows(t)
				return len(l) == n
			})
			return l
		}
		t.Run("an untouched device has none", func(t *testing.T) { list(0) })
		t.Run("accepted and refused requests are listed, newest first", func(t *testing.T) {
			h.call(t, "GET", "/device/params", c.Token, nil).want(t, 200, "")
			list(1)
			h.clk.Advance(time.Second)
			h.call(t, "PUT", "/device/params/x", c.Token, `{"sent":"maybe"}`).want(t, 400, "sent")
			l := list(2)
			r, first := l[0], l[1]
			if first["verdict"] != "accepted" || first["status"] != 200.0 || first["reason"] != nil || first["method"] != "GET" || first["path"] != "/device/params" ||
				first["address"] != "127.0.0.1" || first["token"] != token.Tail(c.Token) || first["token_name"] != "Default" || first["time"] != "2026-11-22T09:00:00.000Z" || first["body"] != "" {
				t.Error(first)
			}
			if r["verdict"] != "refused" || r["status"] != 400.0 || !strings.Contains(fmt.Sprint(r["reason"]), "sent") || r["path"] != "/device/params/{id}" || r["body"] != `{"sent":"maybe"}` {
				t.Error(r)
			}
		})
		t.Run("only refusals are stored, and only by the flush", func(t *testing.T) {
			stored := func() int {
				t.Helper()
				l, err := h.refusals(t.Context(), p.ProfileID, c.ID)
				must(t, err)
				return len(l)
			}
			if n := stored(); n != 0 {
				t.Error(n)
			}
			must(t, h.Flush(t.Context()))
			if n := stored(); n != 1 {
				t.Error(n)
			}
			list(2) // not twice
		})
		t.Run("refusals survive a restart", func(t *testing.T) {
			h.requests = newRings(ringBytes)
			l := list(1)
			if l[0]["verdict"] != "refused" || l[0]["body"] != `{"sent":"maybe"}` || l[0]["token"] != token.Tail(c.Token) {
				t.Error(l)
			}
		})
		t.Run("a switched-off device sees its refused requests", func(t *testing.T) {
			h.call(t, "PUT", "/device/"+string(c.ID), p.token, `{"active":false}`).want(t, 200, "")
			h.clk.Advance(time.Second)
			h.call(t, "GET", "/info", c.Token, nil).want(t, 403, "")
			if l := list(2); l[0]["reason"] != "Device not found or inactive" || l[0]["token_state"] != nil {
				t.Error(l[0])
			}
		})
		t.Run("bodies that are no text can be stored and shown", func(t *testing.T) {
			h.clk.Advance(time.Second)
			h.call(t, "PUT", "/device/params/x", c.Token, "\xff\x00{").want(t, 403, "")
			l := list(3)
			if l[0]["body"] != "\ufffd\ufffd{" {
				t.Errorf("%q", l[0]["body"])
			}
			must(t, h.Flush(t.Context()))
			list(3)
		})
		t.Run("the last hundred are kept, in memory and in the database", func(t *testing.T) {
			for i := range 250 {
				h.clk.Advance(time.Millisecond)
				h.Observe(web.Outcome{Method: "POST", Pattern: "/data", Status: 402, Message: fmt.Sprint("no ", i), Time: h.clk.Now(), Addr: "192.0.2.1", Body: []byte(strings.Repeat("x", 2048)),
					Caller: auth.Caller{Kind: auth.Device, ProfileID: p.ProfileID, DeviceID: c.ID}})
				if i%40 == 0 {
					must(t, h.Flush(t.Context()))
				}
			}
			must(t, h.Flush(t.Context()))
			check := func() {
				t.Helper()
				l := list(keepRequests)
				if l[0]["reason"] != "no 249" || l[99]["reason"] != "no 150" || len(l[0]["body"].(string)) != 2048 {
					t.Error(l[0]["reason"], l[99]["reason"])
				}
			}
			check()
			h.requests = newRings(ringBytes)
			check()
			l, err := h.refusals(t.Context(), p.ProfileID, c.ID)
			must(t, err)
			if len(l) != keepRequests {
				t.Error(len(l))
			}
		})
		t.Run("after 90 days refusals are forgotten", func(t *testing.T) {
			h.clk.Advance(keepOld + time.Hour)
			n, err := h.deleteOldRefusals(t.Context(), h.now()-keepOld.Milliseconds(), 1000)
			must(t, err)
			if n != keepRequests {
				t.Error(n)
			}
		})
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p, q := h.person(t, "house"), h.person(t, "house")
		c := h.device(t, p, CreateInput{})
		list := func(of person, n int) []map[string]any {
			t.Helper()
			var l []map[string]any
			eventually(t, fmt.Sprint(n, " refused"), func() bool {
				l = h.call(t, "GET", "/profile/"+string(of.ProfileID)+"/refused", of.token, nil).want(t, 200, "").rows(t)
				return len(l) == n
			})
			return l
		}
		list(p, 0)
		at := h.clk.Now().Add(time.Hour)
		old, err := h.tokens.CreateDevice(t.Context(), p.Caller, p.ProfileID, c.ID, token.DeviceInput{Name: "old", Expires: &at})
		must(t, err)
		own, err := h.tokens.Mint(t.Context(), p.Caller, token.MintInput{Profile: p.ProfileID, Name: "ci"})
		must(t, err)
		must(t, h.tokens.DeleteProfileToken(t.Context(), p.Caller, p.ProfileID, own.Token))
		gone := h.device(t, p, CreateInput{})
		h.call(t, "DELETE", "/device/"+string(gone.ID), p.token, nil).want(t, 200, "")
		h.clk.Advance(time.Hour)

		h.call(t, "GET", "/device/params", old.Token, nil).want(t, 401, "Token expired")
		list(p, 1)
		h.clk.Advance(time.Second)
		h.call(t, "GET", "/device", own.Token, nil).want(t, 401, "Authorization Denied")
		list(p, 2)
		h.clk.Advance(time.Second)
		h.call(t, "GET", "/info", gone.Token, nil).want(t, 401, "Authorization Denied")
		h.call(t, "GET", "/info", "p-"+strings.Repeat("0", 36), nil).want(t, 401, "")  // a stranger
		h.call(t, "GET", "/device", c.Token, nil).want(t, 401, "Authorization Denied") // a live token where it may not go
		check := func() {
			t.Helper()
			l := list(p, 3)
			for i, want := range []struct {
				name, state string
				device      any
			}{{"Default", "revoked", string(gone.ID)}, {"ci", "revoked", nil}, {"old", "expired", string(c.ID)}} {
				if l[i]["token_name"] != want.name || l[i]["token_state"] != want.state || l[i]["device"] != want.device || l[i]["verdict"] != "refused" {
					t.Error(i, l[i])
				}
			}
			if l[1]["token"] != token.Tail(own.Token) {
				t.Error(l[1])
			}
		}
		check()
		must(t, h.Flush(t.Context()))
		check()
		list(q, 0)
		if l := h.call(t, "GET", "/profile/"+string(p.ProfileID)+"/refused", q.token, nil); l.status != 404 {
			t.Error(l.status)
		}
		eventually(t, "both of the device's own", func() bool {
			return len(h.call(t, "GET", "/device/"+string(c.ID)+"/requests", p.token, nil).rows(t)) == 2 // expired, and where it may not go
		})
	})
}

func TestRings(t *testing.T) {
	t.Run("all rings together stay under their bound, the quietest device loses its own", func(t *testing.T) {
		const bound = 1 << 20
		r := newRings(bound)
		body := make([]byte, 2000)
		for round := range 3 {
			for d := range 2000 {
				r.add(Request{profile: "p", device: id.Device(fmt.Sprint(d)), At: int64(round)}, body)
			}
		}
		total, kept := 0, 0
		for i := range r.shards {
			sh := &r.shards[i]
			sum := 0
			for _, g := range sh.m {
				n := 0
				for j := range g.slots {
					n += g.slots[j].size()
				}
				if n != g.bytes {
					t.Fatalf("a ring of %d bytes counts %d", n, g.bytes)
				}
				sum += n
			}
			if sum != sh.bytes || len(sh.m) != sh.order.Len() {
				t.Fatalf("a shard of %d bytes counts %d", sum, sh.bytes)
			}
			total += sum
			kept += len(sh.m)
		}
		if total > bound || kept < 200 {
			t.Errorf("%d bytes of %d devices", total, kept)
		}
		if r.of(owner{"p", "1999"}) == nil || r.of(owner{"p", "0"}) != nil {
			t.Error("not the quietest lost its own")
		}
	})
	t.Run("a ring keeps the last hundred, each with its own body", func(t *testing.T) {
		r := newRings(ringBytes)
		buf := make([]byte, 8)
		for i := range 230 {
			copy(buf, fmt.Sprintf("%08d", i))
			r.add(Request{profile: "p", device: "d", At: int64(i)}, buf)
		}
		got := r.of(owner{"p", "d"})
		if len(got) != keepRequests {
			t.Fatal(len(got))
		}
		for i, q := range got {
			if want := 229 - i; q.At != int64(want) || q.Body != fmt.Sprintf("%08d", want) {
				t.Fatal(i, q)
			}
		}
		if r.of(owner{"q", "d"}) != nil {
			t.Error("another profile sees them")
		}
	})
	t.Run("many may write at once", func(t *testing.T) {
		r := newRings(1 << 18)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					r.add(Request{profile: "p", device: id.Device(fmt.Sprint(i % 50)), At: int64(g)}, []byte("body"))
					r.of(owner{"p", "7"})
				}
			})
		}
		wg.Wait()
	})
}

func TestPending(t *testing.T) {
	p := pending{m: map[owner][]Request{}}
	for i := range 3 * maxPending {
		p.add(Request{profile: "loud", device: id.Device(fmt.Sprint(i % 30)), At: int64(i)})
	}
	p.add(Request{profile: "quiet", device: "d", Dead: "revoked", At: 7})
	sum := 0
	for _, rs := range p.m {
		if len(rs) > keepRequests {
			t.Error(len(rs))
		}
		sum += len(rs)
	}
	if sum != p.total || sum > maxPending {
		t.Error(sum, p.total)
	}
	if got := p.dead("quiet"); len(got) != 1 {
		t.Error("a flood of one took the place of another", got)
	}
	if rs := p.m[owner{"loud", "29"}]; rs[len(rs)-1].At != 3*maxPending-1 {
		t.Error("the newest was dropped")
	}
}

func BenchmarkObserve(b *testing.B) {
	s := &Service{requests: newRings(ringBytes), pending: pending{m: map[owner][]Request{}}, clk: clock.System}
	body := []byte(`[{"variable":"temperature","value":21.5,"unit":"C"}]`)
	var callers [1000]auth.Caller
	for i := range callers {
		callers[i] = auth.Caller{Kind: auth.Device, ProfileID: "65f0c0ffee0000000000b001", DeviceID: id.New[id.Device](), TokenTail: "89ab"}
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Observe(web.Outcome{Method: "POST", Pattern: "/data", Status: 202, Caller: callers[i%len(callers)], Body: body, Time: now, Addr: "192.0.2.1"})
	}
}
