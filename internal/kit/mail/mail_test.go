package mail_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/mail/mailtest"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

var quiet = slog.New(slog.DiscardHandler)

func mailer(t *testing.T, db *sqldb.DB, cfg mail.Config) *mail.Mailer {
	t.Helper()
	cfg.Log = quiet
	m, err := mail.New(db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func outbox(t *testing.T, m *mail.Mailer) []mail.Queued {
	t.Helper()
	q, err := m.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func deliver(t *testing.T, m *mail.Mailer, want int) {
	t.Helper()
	n, err := m.Deliver(t.Context())
	if err != nil || n != want {
		t.Fatalf("delivered %d (%v), want %d", n, err, want)
	}
}

var hello = mail.Message{To: "bob@example.com", Subject: "Grüße", Text: "Hello Bob\n", HTML: "<p>Hello Bob</p>"}

func TestOutbox(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{mail.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		clk := clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
		m := mailer(t, db, mail.Config{Clock: clk})
		ctx := t.Context()

		t.Run("without a server messages wait until they expire", func(t *testing.T) {
			if m.Configured() || m.Describe() != "outbox" {
				t.Error("says that it is configured")
			}
			short := hello
			short.Life = time.Hour
			if err := errors.Join(m.Send(ctx, hello), m.Send(ctx, short)); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 0)
			q := outbox(t, m)
			if len(q) != 2 || q[0].To != "bob@example.com" || q[0].Text != "Hello Bob\n" || q[0].Attempts != 0 || !q[0].CreatedAt.Equal(clk.Now()) {
				t.Fatalf("outbox: %+v", q)
			}
			clk.Advance(time.Hour)
			if q := outbox(t, m); len(q) != 1 {
				t.Errorf("after an hour: %+v", q)
			}
			clk.Advance(7 * 24 * time.Hour)
			deliver(t, m, 0)
			var left int
			if err := db.QueryRow(ctx, "SELECT COUNT(*) FROM mail_outbox").Scan(&left); err != nil || left != 0 {
				t.Errorf("%d rows are left (%v)", left, err)
			}
		})
		t.Run("a message is queued only if its transaction commits", func(t *testing.T) {
			boom := errors.New("boom")
			err := db.Tx(ctx, func(ctx context.Context) error {
				if err := m.Send(ctx, hello); err != nil {
					return err
				}
				return boom
			})
			if !errors.Is(err, boom) || len(outbox(t, m)) != 0 {
				t.Errorf("%v, outbox %v", err, outbox(t, m))
			}
		})
		t.Run("an operator discards a message", func(t *testing.T) {
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			for _, q := range outbox(t, m) {
				if err := m.Discard(ctx, q.ID); err != nil {
					t.Fatal(err)
				}
				if err := m.Discard(ctx, q.ID); !fault.Is(err, fault.NotFound) {
					t.Errorf("twice: %v", err)
				}
			}
		})
		t.Run("bad messages are refused", func(t *testing.T) {
			for _, to := range []string{"", "bob", "@x", "bob@", "Bob <bob@x.y>", "bob@x.y\r\nBcc: eve@x.y", "bob@x.y,eve@x.y", "a b@x.y",
				"\"a b\"@x.y", "bob@x..y", "bob@.x", "bob@x\x00y", strings.Repeat("a", 65) + "@x.y", strings.Repeat("a", 250) + "@x.y", "bob@[1.2.3.4]"} {
				bad := hello
				bad.To = to
				if err := m.Send(ctx, bad); !fault.Is(err, fault.Invalid) {
					t.Errorf("%q: %v", to, err)
				}
			}
			empty, long := hello, hello
			empty.Text, long.Text = "", strings.Repeat("x", 300<<10)
			for _, bad := range []mail.Message{empty, long} {
				if err := m.Send(ctx, bad); !fault.Is(err, fault.Invalid) {
					t.Errorf("%v", err)
				}
			}
		})
	})
}

func TestDelivery(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{mail.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		t.Run("by STARTTLS with a password, and nothing is left behind", func(t *testing.T) {
			o := mailtest.Open(t, true, false, "paddock", "s3cr/t")
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://paddock:s3cr%2Ft@" + o.Addr + "?starttls=required", From: "no-reply@farm.test", Name: "The Farm", RootCAs: o.CA})
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 1)
			got := o.Got()
			if len(got) != 1 || !got[0].TLS || !got[0].Authed || got[0].From != "no-reply@farm.test" || got[0].To != "bob@example.com" {
				t.Fatalf("got %+v", got)
			}
			msg, err := netmail.ReadMessage(bytes.NewReader(got[0].Raw))
			if err != nil {
				t.Fatal(err)
			}
			if f, err := msg.Header.AddressList("From"); err != nil || f[0].Name != "The Farm" {
				t.Errorf("From %v, %v", f, err)
			}
			if !strings.HasPrefix(msg.Header.Get("Content-Type"), "multipart/alternative") {
				t.Errorf("Content-Type %q", msg.Header.Get("Content-Type"))
			}
			if !strings.HasSuffix(msg.Header.Get("Message-Id"), "@farm.test>") {
				t.Errorf("Message-ID %q", msg.Header.Get("Message-Id"))
			}
			if q := outbox(t, m); len(q) != 0 {
				t.Errorf("outbox: %+v", q)
			}
		})
		t.Run("in a thread", func(t *testing.T) {
			o := mailtest.Open(t, false, false, "", "")
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test"})
			first, second := hello, hello
			first.Thread = mail.Thread{ID: "ticket-1.a"}
			second.Thread = mail.Thread{ID: "ticket-1.c", Answers: []string{"ticket-1.a", "ticket-1.b"}}
			if err := errors.Join(m.Send(ctx, first), m.Send(ctx, second)); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 2)
			for i, want := range [][3]string{{"<ticket-1.a@farm.test>", "", ""}, {"<ticket-1.c@farm.test>", "<ticket-1.b@farm.test>", "<ticket-1.a@farm.test> <ticket-1.b@farm.test>"}} {
				msg, err := netmail.ReadMessage(bytes.NewReader(o.Got()[i].Raw))
				if err != nil {
					t.Fatal(err)
				}
				if got := [3]string{msg.Header.Get("Message-Id"), msg.Header.Get("In-Reply-To"), msg.Header.Get("References")}; got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
			for _, bad := range []mail.Thread{{ID: "a b"}, {ID: "a>"}, {ID: "a", Answers: []string{"x@y"}}, {Answers: make([]string, 11)}} {
				msg := hello
				msg.Thread = bad
				if err := m.Send(ctx, msg); !fault.Is(err, fault.Invalid) {
					t.Errorf("%+v: %v", bad, err)
				}
			}
		})
		t.Run("by smtps", func(t *testing.T) {
			o := mailtest.Open(t, false, true, "paddock", "pw")
			m := mailer(t, db, mail.Config{SMTPURL: "smtps://paddock:pw@" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA})
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 1)
			if got := o.Got(); len(got) != 1 || !got[0].Authed {
				t.Fatalf("got %+v", got)
			}
		})
		t.Run("in the clear when the server has no TLS and none is required", func(t *testing.T) {
			o := mailtest.Open(t, false, false, "", "")
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test"})
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 1)
			if got := o.Got(); len(got) != 1 || got[0].TLS {
				t.Fatalf("got %+v", got)
			}
		})
		t.Run("never to a server without TLS when it is required, nor to one with a foreign certificate", func(t *testing.T) {
			plain := mailtest.Open(t, false, false, "", "")
			foreign := mailtest.Open(t, true, false, "", "")
			for _, o := range []*mailtest.PostOffice{plain, foreign} {
				m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr + "?starttls=required", From: "no-reply@farm.test"})
				if err := m.Send(ctx, hello); err != nil {
					t.Fatal(err)
				}
				deliver(t, m, 0)
				q := outbox(t, m)
				if len(q) != 1 || q[0].Attempts != 1 || q[0].LastError == "" || q[0].Refused || len(o.Got()) != 0 {
					t.Errorf("outbox %+v, got %v", q, o.Got())
				}
				if err := m.Discard(ctx, q[0].ID); err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run("failures are tried again after growing pauses", func(t *testing.T) {
			clk := clock.NewManual(time.Now())
			o := mailtest.Open(t, true, false, "", "")
			o.Refuse(&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try later"})
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA, Clock: clk})
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			for i, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
				deliver(t, m, 0)
				q := outbox(t, m)
				if len(q) != 1 || q[0].Attempts != int64(i+1) || !strings.Contains(q[0].LastError, "try later") ||
					clock.Millis(q[0].NextAt) != clock.Millis(clk.Now().Add(pause)) {
					t.Fatalf("attempt %d: %+v", i+1, q)
				}
				clk.Advance(pause - time.Second)
				deliver(t, m, 0)
				if q := outbox(t, m); q[0].Attempts != int64(i+1) {
					t.Fatal("tried too early")
				}
				clk.Advance(time.Second)
			}
			o.Refuse(nil)
			deliver(t, m, 1)
			if len(o.Got()) != 1 {
				t.Errorf("got %v", o.Got())
			}
		})
		t.Run("a recipient refused for good is tried no more", func(t *testing.T) {
			clk := clock.NewManual(time.Now())
			o := mailtest.Open(t, true, false, "", "")
			o.Refuse(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"})
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA, Clock: clk})
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			deliver(t, m, 0)
			clk.Advance(2 * time.Hour)
			deliver(t, m, 0)
			q := outbox(t, m)
			if len(q) != 1 || !q[0].Refused || q[0].Attempts != 1 {
				t.Fatalf("%+v", q)
			}
			if err := m.Discard(ctx, q[0].ID); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("two nodes send a message once", func(t *testing.T) {
			o := mailtest.Open(t, true, false, "", "")
			cfg := mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA}
			a, b := mailer(t, db, cfg), mailer(t, db, cfg)
			for range 10 {
				if err := a.Send(ctx, hello); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			for _, m := range []*mail.Mailer{a, b} {
				wg.Go(func() {
					if _, err := m.Deliver(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := len(o.Got()); n != 10 {
				t.Errorf("%d of 10 arrived", n)
			}
		})
		t.Run("the loop delivers as soon as the transaction commits, and Stop ends it", func(t *testing.T) {
			o := mailtest.Open(t, true, false, "", "")
			m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA})
			m.Start(ctx)
			defer m.Stop()
			time.Sleep(50 * time.Millisecond) // past the pass at start
			began := time.Now()
			if err := db.Tx(ctx, func(ctx context.Context) error { return m.Send(ctx, hello) }); err != nil {
				t.Fatal(err)
			}
			for len(o.Got()) == 0 {
				if time.Since(began) > 4*time.Second {
					t.Fatal("not woken by the commit")
				}
				time.Sleep(5 * time.Millisecond)
			}
			m.Stop()
			if err := m.Send(ctx, hello); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			if len(o.Got()) != 1 {
				t.Error("delivered after Stop")
			}
		})
	})
}

func TestHeaderInjection(t *testing.T) {
	db := sqldbtest.Open(t, sqldb.SQLite, mail.Migrations())
	o := mailtest.Open(t, true, false, "", "")
	m := mailer(t, db, mail.Config{SMTPURL: "smtp://" + o.Addr, From: "no-reply@farm.test", RootCAs: o.CA, Name: "Farm\r\nBcc: eve@evil.test"})
	evil := "Hi\r\nBcc: eve@evil.test\r\n\r\nbody\u2028X: y \x00 " + strings.Repeat("long ", 100)
	letter, err := mail.Letter{Subject: evil, Greeting: "Hello <script>" + evil, Action: "Go", URL: "https://x.test/?a=\"><script>"}.Message("bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	deliver(t, m, 1)
	got := o.Got()
	if len(got) != 1 || got[0].To != "bob@example.com" {
		t.Fatalf("got %+v", got)
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(got[0].Raw))
	if err != nil {
		t.Fatal(err)
	}
	for name := range msg.Header {
		switch name {
		case "Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To":
		default:
			t.Errorf("a header %q came in", name)
		}
	}
	if strings.Contains(letter.HTML, "<script>") {
		t.Error("the letter's HTML is not escaped")
	}
}

func TestConfig(t *testing.T) {
	db := sqldbtest.Open(t, sqldb.SQLite, mail.Migrations())
	t.Run("a malformed or half-set configuration is refused without showing the password", func(t *testing.T) {
		for url, want := range map[string]string{
			"mail.test:25":                       "must begin with",
			"http://mail.test":                   "must begin with",
			"smtp://":                            "names no host",
			"smtp://u:hunter2@mail.test:99999":   "port",
			"smtp://hunter2@mail.test":           "both a user and a password",
			"smtp://u:hun/ter2@mail.test":        "smtp url",
			"smtp://u:hunter2%zz@mail.test":      "does not parse",
			"smtp://mail.test/path":              "path",
			"smtp://mail.test?tls=no":            "unknown option",
			"smtp://mail.test?starttls=maybe":    "starttls must be",
			"smtps://mail.test?starttls=require": "unknown option",
		} {
			_, err := mail.New(db, mail.Config{SMTPURL: url, From: "a@b.test"})
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want %q", url, err, want)
			}
		}
		for _, from := range []string{"", "nobody", "Farm <a@b.test>"} {
			if _, err := mail.New(db, mail.Config{SMTPURL: "smtp://mail.test", From: from}); err == nil {
				t.Errorf("from %q accepted", from)
			}
		}
	})
	t.Run("it is described without its password", func(t *testing.T) {
		for url, want := range map[string]string{
			"smtp://u:p@mail.test":    "smtp://mail.test:587",
			"smtps://u:p@mail.test":   "smtps://mail.test:465",
			"smtp://u:p@[::1]:25":     "smtp://[::1]:25",
			"smtp://relay.test:2525/": "smtp://relay.test:2525",
		} {
			if got := mailer(t, db, mail.Config{SMTPURL: url, From: "a@b.test"}).Describe(); got != want {
				t.Errorf("%s: %s", url, got)
			}
		}
	})
}
