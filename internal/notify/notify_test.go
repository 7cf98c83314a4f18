package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/mail/mailtest"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

var noon = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

type house struct {
	t   testing.TB
	db  *sqldb.DB
	clk *clock.Manual
	cfg Config
	mc  mail.Config
	*Service
	who auth.Caller
	p   id.Profile
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &house{t: t, db: db, clk: clock.NewManual(noon), cfg: Config{Name: "Farm", PublicURL: "https://farm.test", PrivateWebhook: true, Log: slog.New(slog.DiscardHandler)}}
		h.mc = mail.Config{Clock: h.clk, Log: h.cfg.Log}
		h.start()
		a, err := h.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{Name: "Ada", Email: "ada@example.test", Password: "correct horse battery", Plan: "house"})
		must(t, err)
		h.who = auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Permission: auth.Full, Reach: auth.ReachAccount}
		p, err := h.profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Main", Account: a.ID})
		must(t, err)
		h.p = p.ID
		h.who.ProfileID = p.ID
		f(t, h)
	})
}

var sealer, _ = seal.Parse("dGhpcyBpcyBhIGtleSBvZiB0aGlydHktdHdvIGJ5dGU=")

// start makes the rooms anew, as another process on the same database would.
func (h *house) start() {
	log := audit.New(h.db, h.clk)
	mailer, err := mail.New(h.db, h.mc)
	must(h.t, err)
	files, err := blob.OpenFolder(h.t.TempDir())
	must(h.t, err)
	h.t.Cleanup(func() { files.Close() })
	accounts := account.New(h.db, log, mailer, account.Config{HashMemory: 64, PublicURL: h.cfg.PublicURL, Name: h.cfg.Name}, h.clk)
	profiles := profile.New(h.db, accounts, plan.Builtin(), log, files, h.clk)
	h.Service = New(h.db, accounts, profiles, log, mailer, sealer, h.cfg, h.clk)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) raise(e Event) {
	h.t.Helper()
	if e.Kind == "" {
		e.Kind = Silent
	}
	if e.Profile == "" && e.To == nil {
		e.Profile = h.p
	}
	if e.Items == nil {
		e.Items = []Item{{Message: "Pump is silent.", Data: map[string]any{"device": "d"}}}
	}
	if e.Title == "" {
		e.Title = "Silent device"
	}
	must(h.t, h.Raise(h.t.Context(), e))
}

// history is the deliveries as "channel status attempts reason", the latest first.
func (h *house) history(f deliveryFilter) []delivery {
	h.t.Helper()
	ds, err := h.listDeliveries(h.t.Context(), h.p, f, 1000, 0)
	must(h.t, err)
	return ds
}

func (h *house) notices() []Notification {
	h.t.Helper()
	ns, err := h.listNotices(h.t.Context(), scopeOf(h.who), noticeFilter{}, "created_at DESC", 2000, 0)
	must(h.t, err)
	return ns
}

// receiver is a real server that keeps what is posted to it.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(w http.ResponseWriter, r *http.Request)
}

type received struct {
	header http.Header
	body   []byte
}

func receive(t testing.TB) *receiver {
	x := &receiver{}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.got = append(x.got, received{r.Header, body})
		answer := x.answer
		x.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) answers(f func(w http.ResponseWriter, r *http.Request)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = f
}

func (x *receiver) take() []received {
	x.mu.Lock()
	defer x.mu.Unlock()
	got := x.got
	x.got = nil
	return got
}

// verify is what docs/notifications.md tells receivers to do.
func verify(secret string, r received) bool {
	t, sig, _ := strings.Cut(strings.TrimPrefix(r.header.Get("Paddock-Signature"), "t="), ",v1=")
	at, err := strconv.ParseInt(t, 10, 64)
	return err == nil && sig == Sign(secret, at, r.body)
}

func (h *house) hook(in *HookInput) string {
	h.t.Helper()
	secret, err := h.setHook(h.t.Context(), h.who, ofProfile(h.p), h.p, in)
	must(h.t, err)
	return secret
}

func (h *house) deliver() {
	h.t.Helper()
	_, err := h.Deliver(h.t.Context())
	must(h.t, err)
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestWebhook(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		x := receive(t)
		secret := h.hook(&HookInput{URL: x.URL + "/in?key=hush"})
		if !strings.HasPrefix(secret, "whsec_") || len(secret) < 36 {
			t.Fatal(secret)
		}
		t.Run("a signed post, once", func(t *testing.T) {
			h.raise(Event{})
			h.deliver()
			h.deliver()
			got := x.take()
			if len(got) != 1 || !verify(secret, got[0]) || verify("whsec_x", got[0]) {
				t.Fatalf("%+v", got)
			}
			var post struct {
				ID, Type, Title string
				CreatedAt       string `json:"created_at"`
				Profile         struct{ ID, Name string }
				Installation    struct{ Name, URL string }
				Items           []struct {
					Message string
					Data    map[string]any
				}
			}
			must(t, json.Unmarshal(got[0].body, &post))
			if post.Type != "silent" || post.Profile.ID != string(h.p) || post.Profile.Name != "Main" || post.Installation.Name != "Farm" || post.CreatedAt != "2026-11-15T12:00:00.000Z" ||
				len(post.Items) != 1 || post.Items[0].Message != "Pump is silent." || post.Items[0].Data["device"] != "d" || got[0].header.Get("Paddock-Event-Id") != post.ID {
				t.Errorf("%s", got[0].body)
			}
			ds := h.history(deliveryFilter{channel: Webhook})
			if len(ds) != 1 || ds[0].status != Delivered || ds[0].attempts != 1 || ds[0].body != "" || ds[0].target != x.URL || string(ds[0].event) != post.ID {
				t.Errorf("%+v", ds)
			}
		})
		t.Run("what fails is tried again after growing pauses, by any process, and given up after a day", func(t *testing.T) {
			x.answers(status(503))
			h.raise(Event{})
			h.raise(Event{Title: "Another"})
			var at []time.Duration
			began := h.clk.Now()
			for h.clk.Now().Sub(began) < 24*time.Hour {
				h.deliver()
				if got := x.take(); len(got) > 0 {
					at = append(at, h.clk.Now().Sub(began))
					if len(got) > 1 {
						t.Fatal("the second was posted although the first had just failed")
					}
					h.start()
				}
				if h.clk.Now().Sub(began) < 5*time.Minute {
					h.clk.Advance(30 * time.Second)
				} else {
					h.clk.Advance(5 * time.Minute)
				}
			}
			want := []time.Duration{0, 30 * time.Second, 90 * time.Second, 210 * time.Second}
			if len(at) < 25 || len(at) > 40 || fmt.Sprint(at[:4]) != fmt.Sprint(want) {
				t.Errorf("tried at %v", at)
			}
			h.clk.Advance(time.Minute)
			h.deliver()
			h.deliver()
			for _, d := range h.history(deliveryFilter{channel: Webhook, status: Failed}) {
				if d.reason != "given up after a day: answered 503 Service Unavailable" || d.doneAt == 0 || d.body != "" {
					t.Errorf("%+v", d)
				}
			}
			if n := len(h.history(deliveryFilter{channel: Webhook, status: Failed})); n != 2 {
				t.Errorf("%d were given up", n)
			}
			x.answers(nil)
			x.take()
		})
		t.Run("a receiver that is back gets all that waited, the oldest first", func(t *testing.T) {
			x.answers(status(500))
			for i := range 3 {
				h.raise(Event{Title: fmt.Sprint("No ", i)})
				h.clk.Advance(time.Second)
			}
			h.deliver()
			x.take()
			x.answers(nil)
			h.clk.Advance(time.Minute)
			h.deliver()
			got := x.take()
			if len(got) != 3 {
				t.Fatalf("%d", len(got))
			}
			for i, r := range got {
				if !strings.Contains(string(r.body), fmt.Sprint("No ", i)) || !verify(secret, r) {
					t.Errorf("%d: %s", i, r.body)
				}
			}
		})
		t.Run("redirects, endless answers and 410", func(t *testing.T) {
			elsewhere := receive(t)
			for _, c := range []struct {
				answer func(http.ResponseWriter, *http.Request)
				status Status
				reason string
			}{
				{func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
				}, Waiting, "answered 307: redirects are not followed"},
				{func(w http.ResponseWriter, r *http.Request) {
					for r.Context().Err() == nil {
						if _, err := w.Write(make([]byte, 4096)); err != nil {
							return
						}
					}
				}, Delivered, ""},
				{status(410), Failed, "answered 410 Gone"},
			} {
				x.answers(c.answer)
				h.raise(Event{})
				h.deliver()
				if d := h.history(deliveryFilter{channel: Webhook})[0]; d.status != c.status || d.reason != c.reason {
					t.Errorf("%+v", d)
				}
				h.clk.Advance(time.Hour)
				x.answers(nil)
				h.deliver()
			}
			if len(elsewhere.take()) > 0 {
				t.Error("a redirect was followed")
			}
			x.take()
		})
		t.Run("another address has another secret and gets what waited; the same keeps it", func(t *testing.T) {
			if again := h.hook(&HookInput{URL: x.URL + "/in?key=hush"}); again != "" {
				t.Error("a new secret for the same address")
			}
			x.answers(status(500))
			h.raise(Event{})
			h.deliver()
			x.answers(nil)
			x.take()
			y := receive(t)
			other := h.hook(&HookInput{URL: y.URL})
			h.clk.Advance(2 * time.Minute)
			h.deliver()
			if got := y.take(); len(got) != 1 || !verify(other, got[0]) || len(x.take()) > 0 {
				t.Error("what waited did not follow")
			}
			if turned := h.hook(&HookInput{URL: y.URL, Rotate: true}); turned == other || turned == "" {
				t.Error("not rotated")
			}
		})
		t.Run("kinds that are off are not posted", func(t *testing.T) {
			off := false
			h.hook(&HookInput{URL: x.URL, Kinds: map[Kind]*bool{Recovered: &off}})
			h.raise(Event{Kind: Recovered})
			h.raise(Event{Kind: Limit})
			h.deliver()
			if got := x.take(); len(got) != 1 || got[0].header.Get("Paddock-Event") != "limit" {
				t.Errorf("%d", len(got))
			}
		})
		t.Run("the profile's goes before its owner's, and none is none", func(t *testing.T) {
			y := receive(t)
			_, err := h.setHook(t.Context(), h.who, ofAccount(h.who.AccountID), "", &HookInput{URL: y.URL})
			must(t, err)
			h.raise(Event{})
			h.deliver()
			if len(x.take()) != 1 || len(y.take()) != 0 {
				t.Error("not the profile's")
			}
			h.hook(&HookInput{URL: ""})
			h.raise(Event{})
			h.deliver()
			if len(x.take()) != 0 || len(y.take()) != 0 {
				t.Error("posted although the profile wants none")
			}
			h.hook(nil)
			h.raise(Event{})
			h.raise(Event{Kind: Other, To: []id.Account{h.who.AccountID}})
			h.deliver()
			if len(x.take()) != 0 || len(y.take()) != 2 {
				t.Error("not the owner's")
			}
		})
		t.Run("the history is kept for 30 days", func(t *testing.T) {
			h.clk.Advance(historyFor + time.Hour)
			must(t, h.Tidy(t.Context()))
			if ds := h.history(deliveryFilter{}); len(ds) > 0 {
				t.Errorf("%+v", ds)
			}
		})
	})
}

func TestNothingIsToldOfWhatWasNotCommitted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		x := receive(t)
		h.hook(&HookInput{URL: x.URL})
		heard := 0
		h.OnNotice(func(Notification) { heard++ })
		err := h.db.Tx(t.Context(), func(ctx context.Context) error {
			must(t, h.Raise(ctx, Event{Profile: h.p, Kind: Limit, Title: "x", Items: []Item{{Message: "y"}}}))
			return errors.New("no")
		})
		if err == nil {
			t.Fatal("it was swallowed")
		}
		h.deliver()
		out, err := h.mail.Outbox(t.Context())
		must(t, err)
		if len(x.take()) != 0 || heard != 0 || len(out) != 0 || len(h.history(deliveryFilter{})) != 0 || len(h.notices()) != 0 {
			t.Error("something was told")
		}
		h.raise(Event{})
		if out, _ = h.mail.Outbox(t.Context()); heard != 1 || len(out) != 1 || len(h.history(deliveryFilter{})) != 3 {
			t.Errorf("%d %d %+v", heard, len(out), h.history(deliveryFilter{}))
		}
	})
}

func TestTwoProcessesPostOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		x := receive(t)
		h.hook(&HookInput{URL: x.URL})
		for range 20 {
			h.raise(Event{})
		}
		first := h.Service
		h.start()
		var all sync.WaitGroup
		for _, s := range []*Service{first, h.Service, first, h.Service} {
			all.Go(func() {
				for range 3 {
					if _, err := s.Deliver(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		seen := map[string]int{}
		for _, r := range x.take() {
			seen[r.header.Get("Paddock-Delivery")]++
		}
		if len(seen) != 20 {
			t.Errorf("%d of 20", len(seen))
		}
		for d, n := range seen {
			if n != 1 {
				t.Errorf("%s was posted %d times", d, n)
			}
		}
	})
}

func TestPrivateNetworks(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1",
		"::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "::127.0.0.1", "fec0::1"} {
		if public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is taken for public", ip)
		}
	}
	for _, ip := range []string{"1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1", "172.32.0.1", "100.128.0.1"} {
		if !public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is taken for private", ip)
		}
	}
	each(t, func(t *testing.T, h *house) {
		x := receive(t)
		h.cfg.PrivateWebhook = false
		h.start()
		for _, u := range []string{"", "x", "ftp://a.test/", "http://example.com/", "https://", "https://u:p@example.com/", "https://10.0.0.1/", "https://[::1]:8443/", "https://[::ffff:127.0.0.1]/",
			"https://example.com:0/", "https://example.com/#x", "https://exa\nmple.com/", "https://example.com/" + strings.Repeat("x", 2000), "javascript:alert(1)", "//example.com"} {
			_, err := h.setHook(t.Context(), h.who, ofAccount(h.who.AccountID), "", &HookInput{URL: u})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "webhook.url") {
				t.Errorf("%q: %v", u, err)
			}
		}
		// A name passes, and what it resolves to is judged when connecting.
		h.hook(&HookInput{URL: strings.Replace(strings.Replace(x.URL, "http:", "https:", 1), "127.0.0.1", "localhost", 1)})
		h.raise(Event{})
		h.deliver()
		if d := h.history(deliveryFilter{channel: Webhook})[0]; d.reason != errPrivate.Error() || len(x.take()) > 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestFullList(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		put := func(ctx context.Context, typ Type, title string, read bool) error {
			h.clk.Advance(time.Second)
			n := Notification{Account: h.who.AccountID, Type: typ, Title: title, Message: "m"}
			if read {
				n.ReadAt = h.now()
			}
			_, err := h.Notify(ctx, n)
			return err
		}
		must(t, h.db.Tx(ctx, func(ctx context.Context) error {
			for i := range keepPer {
				if err := put(ctx, Application, fmt.Sprint(i), i == 5 || i == 9); err != nil {
					return err
				}
			}
			return nil
		}))
		gone := func(what string, want ...string) {
			t.Helper()
			have := map[string]bool{}
			for _, n := range h.notices() {
				have[n.Title] = true
			}
			if len(have) != keepPer {
				t.Errorf("%s: %d are left", what, len(have))
			}
			for _, w := range want {
				if have[w] {
					t.Errorf("%s: %s is still there", what, w)
				}
			}
			if !have["0"] && want[len(want)-1] != "0" {
				t.Errorf("%s: an unread one was lost", what)
			}
		}
		must(t, put(ctx, Application, "new 1", false))
		must(t, put(ctx, System, "new 2", false))
		gone("read ones make room, the oldest first", "5", "9")
		err := put(ctx, Application, "new 3", false)
		if !fault.Is(err, fault.LimitReached) {
			t.Fatalf("a script filled a full list: %v", err)
		}
		must(t, put(ctx, System, "new 4", false))
		gone("what Paddock tells takes the place of the oldest", "0")
		n, lost, since, err := h.unread(ctx, scopeOf(h.who))
		must(t, err)
		if n != keepPer || lost != 1 || since != h.now() {
			t.Errorf("%d unread, %d lost since %d", n, lost, since)
		}

		// Ignored ones go after two weeks, counted from when they were last made unread; read ones later.
		ns := h.notices()
		_, err = h.setRead(ctx, scopeOf(h.who), []id.Notification{ns[0].ID, ns[1].ID}, true)
		must(t, err)
		h.clk.Advance(10 * 24 * time.Hour)
		_, err = h.setRead(ctx, scopeOf(h.who), []id.Notification{ns[1].ID}, false)
		must(t, err)
		h.clk.Advance(5 * 24 * time.Hour)
		must(t, h.Tidy(ctx))
		left := h.notices()
		if len(left) != 2 {
			t.Fatalf("%d are left", len(left))
		}
		if _, lost, _, _ := h.unread(ctx, scopeOf(h.who)); lost != 999 {
			t.Errorf("%d lost", lost)
		}
		h.clk.Advance(readFor)
		must(t, h.Tidy(ctx))
		if left := h.notices(); len(left) != 0 {
			t.Errorf("%d are left", len(left))
		}
		if _, err := h.allReadRoute(ctx, h.who, struct{}{}); err != nil {
			t.Fatal(err)
		}
		if _, lost, _, _ := h.unread(ctx, scopeOf(h.who)); lost != 0 {
			t.Errorf("%d lost, after it was seen", lost)
		}
	})
}

func TestButtons(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		var mu sync.Mutex
		pressed := []string{}
		var refuse error
		h.OnButton(Sharing, func(ctx context.Context, who auth.Caller, n Notification, b Button) error {
			if refuse != nil {
				return refuse
			}
			mu.Lock()
			defer mu.Unlock()
			pressed = append(pressed, n.Ref+" "+b.Triggers[0].ShareProfile)
			return nil
		})
		share := func(ref string) Notification {
			n, err := h.Notify(ctx, Notification{Account: h.who.AccountID, Type: Sharing, Title: "Join", Message: "m", Buttons: Share(), Enabled: true, Ref: ref})
			must(t, err)
			return n
		}
		n := share("one")
		refuse = fault.New(fault.Conflict, "no seat")
		if err := h.Press(ctx, h.who, n.ID, "accept"); !fault.Is(err, fault.Conflict) || !h.notices()[0].Enabled {
			t.Errorf("%v: a refused press ended the buttons", err)
		}
		refuse = nil
		narrow := h.who
		narrow.Kind, narrow.Reach = auth.Profile, auth.ReachProfile
		if err := h.Press(ctx, narrow, n.ID, "accept"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a token of one profile accepted: %v", err)
		}
		if err := h.Press(ctx, h.who, n.ID, "perhaps"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		stranger := h.who
		stranger.AccountID = id.New[id.Account]()
		if err := h.Press(ctx, stranger, n.ID, "accept"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		var all sync.WaitGroup
		var took, late int
		for i := range 6 {
			all.Go(func() {
				err := h.Press(ctx, h.who, n.ID, []string{"accept", "refuse"}[i%2])
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					took++
				case fault.Is(err, fault.Conflict):
					late++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took != 1 || late != 5 || len(pressed) != 1 {
			t.Errorf("%d took, %d came late, %v", took, late, pressed)
		}
		if got := h.notices()[0]; got.Enabled || got.ReadAt == 0 {
			t.Errorf("%+v", got)
		}
		m := share("two")
		must(t, h.Settle(ctx, h.who.AccountID, "two"))
		if err := h.Press(ctx, h.who, m.ID, "accept"); !fault.Is(err, fault.Conflict) {
			t.Errorf("decided elsewhere: %v", err)
		}
	})
}

func TestChoices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		on, off := true, false
		count := func() (mails, notices int) {
			t.Helper()
			h.raise(Event{Kind: Silent})
			for _, d := range h.history(deliveryFilter{}) {
				if d.at == h.now() && d.channel == Mail {
					mails++
				} else if d.at == h.now() {
					notices++
				}
			}
			h.clk.Advance(time.Minute)
			return mails, notices
		}
		for _, c := range []struct {
			p             id.Profile
			mail, notice  map[Kind]*bool
			mails, inList int
		}{
			{"", nil, nil, 1, 1},
			{"", map[Kind]*bool{Silent: &off, Limit: &off}, nil, 0, 1},
			{h.p, map[Kind]*bool{Silent: &on}, map[Kind]*bool{Silent: &off}, 1, 0},
			{"", nil, map[Kind]*bool{Silent: &off}, 1, 0},
			{h.p, map[Kind]*bool{Silent: nil}, map[Kind]*bool{Silent: nil}, 0, 0},
			{"", map[Kind]*bool{Silent: nil}, map[Kind]*bool{Silent: nil}, 1, 1},
		} {
			must(t, h.choose(t.Context(), h.who, c.p, c.mail, c.notice))
			if m, n := count(); m != c.mails || n != c.inList {
				t.Errorf("%+v: %d mails, %d notices", c, m, n)
			}
		}
		if err := h.choose(t.Context(), h.who, "", map[Kind]*bool{"x": &on}, nil); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		for range mailsAnHour + 3 {
			h.raise(Event{})
		}
		if n := len(h.history(deliveryFilter{status: Held})); n == 0 {
			t.Error("a flood of mails was not held")
		}
		h.raise(Event{Kind: Limit})
		if d := h.history(deliveryFilter{channel: Mail, kind: Limit}); len(d) > 0 {
			t.Errorf("%+v", d)
		}
		must(t, h.choose(t.Context(), h.who, "", map[Kind]*bool{Limit: nil}, nil))
		h.raise(Event{Kind: Limit})
		if d := h.history(deliveryFilter{channel: Mail, kind: Limit}); len(d) != 1 || d[0].status != Waiting {
			t.Errorf("a flood of one kind holds another: %+v", d)
		}
	})
}

func TestLettersCarryNothingForeign(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		o := mailtest.Open(t, false, false, "", "")
		h.mc.SMTPURL, h.mc.From, h.mc.Name = "smtp://"+o.Addr+"?starttls=off", "no-reply@farm.test", "Farm"
		h.cfg.Name = "Farm\r\nBcc: eve@evil.test"
		h.start()
		evil := "a\r\nBcc: eve@evil.test\r\n\r\n<script>alert(1)</script> {{.}} {{template \"x\"}} \u202e\u2028 \x00"
		if _, err := h.db.Exec(t.Context(), `UPDATE profile SET name = $1`, strings.ReplaceAll(evil, "\x00", "")); err != nil {
			t.Fatal(err)
		}
		must(t, h.db.Changed(t.Context(), profile.CacheKind, string(h.p)))
		h.raise(Event{Title: evil, Items: []Item{{Message: evil}}, Page: "/p/" + string(h.p), Action: evil})
		n, err := h.mail.Deliver(t.Context())
		must(t, err)
		got := o.Got()
		if n != 1 || len(got) != 1 || got[0].To != "ada@example.test" {
			t.Fatalf("%d %+v", n, got)
		}
		head, body, _ := strings.Cut(string(got[0].Raw), "\r\n\r\n")
		for _, l := range strings.Split(head, "\r\n") {
			if strings.HasPrefix(strings.ToLower(l), "bcc") || strings.HasPrefix(l, "\r") {
				t.Errorf("a header came in: %q", l)
			}
		}
		for _, l := range strings.Split(body, "\r\n") {
			if strings.HasPrefix(l, "Bcc") {
				t.Errorf("a line came in: %q", l)
			}
		}
		html := body[strings.Index(body, "text/html"):]
		if strings.Contains(html, "<script") || !strings.Contains(body, "{{.}}") {
			t.Error(html)
		}
		if notice := h.notices()[0]; strings.ContainsAny(notice.Title, "\r\n\u202e\u2028") {
			t.Errorf("%q", notice.Title)
		}
		if d := h.history(deliveryFilter{channel: Mail}); d[0].status != Delivered || d[0].attempts != 1 || d[0].doneAt == 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestWhatBecomesOfMails(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.raise(Event{Page: "/p/x", Action: "Look"})
		d := h.history(deliveryFilter{channel: Mail})[0]
		if d.status != Waiting || !strings.Contains(d.reason, "no mail server") {
			t.Errorf("%+v", d)
		}
		out, err := h.mail.Outbox(t.Context())
		must(t, err)
		if l := h.link(out[0].Text); l != "https://farm.test/console/p/x" {
			t.Errorf("link %q in %s", l, out[0].Text)
		}
		must(t, h.mail.Discard(t.Context(), out[0].ID))
		h.clk.Advance(time.Second)
		if d := h.history(deliveryFilter{channel: Mail})[0]; d.status != Failed || !strings.Contains(d.reason, "discarded") {
			t.Errorf("%+v", d)
		}
		h.raise(Event{})
		h.clk.Advance(mailLife + time.Minute)
		_, err = h.mail.Deliver(t.Context())
		must(t, err)
		if d := h.history(deliveryFilter{channel: Mail})[0]; d.status != Failed || !strings.Contains(d.reason, "not delivered in time") {
			t.Errorf("%+v", d)
		}
	})
}

func TestForgetting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		x := receive(t)
		h.hook(&HookInput{URL: x.URL})
		_, err := h.setHook(t.Context(), h.who, ofAccount(h.who.AccountID), "", &HookInput{URL: x.URL})
		must(t, err)
		off := false
		must(t, h.choose(t.Context(), h.who, h.p, map[Kind]*bool{Limit: &off}, nil))
		must(t, h.choose(t.Context(), h.who, "", map[Kind]*bool{Limit: &off}, nil))
		h.raise(Event{})
		h.raise(Event{To: []id.Account{h.who.AccountID}})
		if n, err := h.Reseal(t.Context()); n != 0 || err != nil {
			t.Error(n, err)
		}
		rows := func(table string) (n int) {
			must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n))
			return n
		}
		for {
			done, err := h.PurgeProfile(t.Context(), profile.Profile{ID: h.p})
			must(t, err)
			if done {
				break
			}
		}
		if rows("delivery") != 3 || rows("notification") != 1 || rows("notify_choice") != 1 || rows("webhook") != 1 {
			t.Error(rows("delivery"), rows("notification"), rows("notify_choice"), rows("webhook"))
		}
		must(t, h.ForgetAccount(t.Context(), h.who, h.who.AccountID))
		for _, table := range []string{"delivery", "notification", "notify_choice", "webhook", "notification_lost"} {
			if n := rows(table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}
