package account_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
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
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
)

const pw = "correct horse"

var sealer = func() *seal.Sealer {
	s, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		panic(err)
	}
	return s
}()

var quiet = slog.New(slog.DiscardHandler)

// room is the room on a database of its own, with mail to a server that nobody runs: letters stay in the outbox.
type room struct {
	*account.Service
	db    *sqldb.DB
	clock *clock.Manual
	mail  *mail.Mailer
	audit *audit.Log
	log   *slog.Logger
}

var sources = []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations()}

type setup struct {
	account.Config
	noMail bool
}

func newRoom(t *testing.T, db *sqldb.DB, c setup) *room {
	t.Helper()
	r := &room{db: db, clock: clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)), log: quiet}
	mc := mail.Config{Clock: r.clock, Log: quiet}
	if !c.noMail {
		mc.SMTPURL, mc.From = "smtp://127.0.0.1:1", "no-reply@farm.test"
	}
	var err error
	if r.mail, err = mail.New(db, mc); err != nil {
		t.Fatal(err)
	}
	r.audit = audit.New(db, r.clock)
	files, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	c.Config.PublicURL, c.Config.Log, c.Config.Files = "https://farm.test", quiet, files
	if c.Config.Plan == nil {
		c.Config.Plan = func(name string) (string, bool) {
			if name == "house" {
				return "scale", true
			}
			return name, name == "free" || name == "starter"
		}
	}
	if c.Config.Sealer == nil {
		c.Config.Sealer = sealer
	}
	r.Service = account.New(db, r.audit, r.mail, c.Config, r.clock)
	return r
}

// each runs f on a fresh room of either engine.
func each(t *testing.T, c setup, f func(t *testing.T, r *room)) {
	t.Helper()
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) { f(t, newRoom(t, db, c)) })
}

var system = auth.SystemCaller()

func stranger(addr string) auth.Caller { return auth.Caller{Kind: auth.Anonymous, Addr: addr} }

func token(a account.Account) auth.Caller {
	return auth.Caller{Kind: auth.Profile, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount, Addr: "192.0.2.1"}
}

// person makes an account on the command line.
func (r *room) person(t *testing.T, name string) account.Account {
	t.Helper()
	a, err := r.Create(t.Context(), system, account.CreateInput{Name: name, Email: strings.ToLower(name) + "@example.com", Password: pw})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// letters are the undelivered mails to an address, oldest first.
func (r *room) letters(t *testing.T, to string) []mail.Queued {
	t.Helper()
	all, err := r.mail.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []mail.Queued
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To == to {
			out = append(out, all[i])
		}
	}
	return out
}

var linkRE = regexp.MustCompile(`https://farm\.test/console/([a-z-]+)/([A-Za-z0-9_-]{43})`)

// link finds the token of the one letter to an address that leads to a page.
func (r *room) link(t *testing.T, to, page string) string {
	t.Helper()
	found := ""
	for _, l := range r.letters(t, to) {
		if m := linkRE.FindStringSubmatch(l.Text); m != nil && m[1] == page {
			if found != "" && found != m[2] {
				t.Fatalf("two letters to %s lead to %s", to, page)
			}
			found = m[2]
		}
	}
	if found == "" {
		t.Fatalf("no letter to %s leads to %s: %v", to, page, r.letters(t, to))
	}
	return found
}

// events are the messages of an account's audit log.
func (r *room) events(t *testing.T, a id.Account) string {
	t.Helper()
	list, err := r.audit.ListAccount(t.Context(), a, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Message)
	}
	return strings.Join(out, ", ")
}

func wantFault(t *testing.T, err error, code fault.Code, part string) {
	t.Helper()
	if !fault.Is(err, code) || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		t.Run("the first account of the command line is operator, the next is not", func(t *testing.T) {
			ada, bob := r.person(t, "Ada"), r.person(t, "Bob")
			if !ada.Operator || bob.Operator || !ada.Active || !bob.Active || ada.Plan != "house" || ada.Timezone != "UTC" || ada.Language != "en" {
				t.Errorf("%+v\n%+v", ada, bob)
			}
			got, err := r.ByEmail(ctx, " ADA@example.com ")
			if err != nil || got.ID != ada.ID {
				t.Errorf("%+v, %v", got, err)
			}
			if e := r.events(t, ada.ID); e != "Account created" {
				t.Errorf("audit: %s", e)
			}
			list, err := r.List(ctx)
			if err != nil || len(list) != 2 || list[0].ID != ada.ID && list[1].ID != ada.ID {
				t.Errorf("%v, %v", list, err)
			}
			if letters := r.letters(t, ada.Email); len(letters) != 0 {
				t.Errorf("letters: %v", letters)
			}
		})
		t.Run("an e-mail has one account, in any case of letters", func(t *testing.T) {
			_, err := r.Create(ctx, system, account.CreateInput{Name: "Ada", Email: "ADA@Example.com", Password: pw})
			if !errors.Is(err, account.ErrTaken) {
				t.Error(err)
			}
		})
		t.Run("of many at once one gets the e-mail", func(t *testing.T) {
			var made atomic.Int32
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					_, err := r.Create(ctx, system, account.CreateInput{Name: "Race", Email: "race@example.com", Password: pw})
					if err == nil {
						made.Add(1)
					} else if !errors.Is(err, account.ErrTaken) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if made.Load() != 1 {
				t.Errorf("%d made", made.Load())
			}
		})
		t.Run("bad input names its field and makes nothing", func(t *testing.T) {
			good := account.CreateInput{Name: "Cy", Email: "cy@example.com", Password: pw}
			for want, spoil := range map[string]func(in *account.CreateInput){
				"name: must not be empty":        func(in *account.CreateInput) { in.Name = " \t" },
				"name: must have at most 100":    func(in *account.CreateInput) { in.Name = strings.Repeat("ä", 101) },
				"name: must not contain line":    func(in *account.CreateInput) { in.Name = "Cy\r\nBcc: eve@evil.test" },
				"name: must be UTF-8":            func(in *account.CreateInput) { in.Name = "\xff" },
				"email: must not be empty":       func(in *account.CreateInput) { in.Email = "" },
				"email: is not":                  func(in *account.CreateInput) { in.Email = "cy" },
				"email: must have at most":       func(in *account.CreateInput) { in.Email = strings.Repeat("x", 300) + "@example.com" },
				"password: must have at least 8": func(in *account.CreateInput) { in.Password = "1234567" },
				"password: must have at most":    func(in *account.CreateInput) { in.Password = strings.Repeat("x", 257) },
				"password: must be text":         func(in *account.CreateInput) { in.Password = "\xff\xfe12345678" },
				"password: must not be the e":    func(in *account.CreateInput) { in.Password = "CY@example.com" },
				"cpassword: is not the same":     func(in *account.CreateInput) { in.Confirm = pw + "x" },
				"timezone: must be a zone":       func(in *account.CreateInput) { in.Timezone = "Mars/Olympus" },
				"timezone: must be":              func(in *account.CreateInput) { in.Timezone = "Local" },
				"timezone: must":                 func(in *account.CreateInput) { in.Timezone = "../../etc/passwd" },
				"language: must be":              func(in *account.CreateInput) { in.Language = "klingon please" },
				"phone: must be":                 func(in *account.CreateInput) { in.Phone = "call me" },
				"company: must have at most":     func(in *account.CreateInput) { in.Company = strings.Repeat("x", 101) },
				`plan: there is no plan "gold"`:  func(in *account.CreateInput) { in.Plan = "gold" },
			} {
				in := good
				spoil(&in)
				_, err := r.Create(ctx, system, in)
				wantFault(t, err, fault.Invalid, want)
			}
			if _, err := r.ByEmail(ctx, good.Email); !fault.Is(err, fault.NotFound) {
				t.Errorf("made: %v", err)
			}
		})
		t.Run("an account goes with its transaction", func(t *testing.T) {
			boom := errors.New("boom")
			in, err := r.Prepare(ctx, system, account.CreateInput{Name: "Dee", Email: "dee@example.com", Password: pw})
			must(t, err)
			err = r.db.Tx(ctx, func(ctx context.Context) error {
				if _, err := r.Create(ctx, system, in); err != nil {
					return err
				}
				return boom
			})
			if _, gone := r.ByEmail(ctx, "dee@example.com"); !errors.Is(err, boom) || !fault.Is(gone, fault.NotFound) {
				t.Errorf("%v, %v", err, gone)
			}
		})
	})
}

func TestSetupLink(t *testing.T) {
	t.Parallel()
	each(t, setup{Config: account.Config{Signup: account.Open}}, func(t *testing.T, r *room) {
		ctx := t.Context()
		in := account.CreateInput{Name: "Ada", Email: "ada@example.com", Password: pw, Plan: "free"}
		t.Run("nobody can sign up before it is used", func(t *testing.T) {
			_, err := r.Create(ctx, stranger("192.0.2.9"), in)
			wantFault(t, err, fault.Forbidden, "has not been set up")
		})
		t.Run("a made-up token does nothing", func(t *testing.T) {
			_, err := r.UseSetup(ctx, stranger("192.0.2.9"), "guess", in)
			wantFault(t, err, fault.Invalid, "token:")
			wantFault(t, r.CheckSetup(ctx, "guess"), fault.Invalid, "token:")
		})
		t.Run("of many who use it at once one becomes operator", func(t *testing.T) {
			first, err := r.SetupToken(ctx)
			must(t, err)
			second, err := r.SetupToken(ctx) // an earlier one keeps working
			must(t, err)
			must(t, r.CheckSetup(ctx, first))
			var made atomic.Int32
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() {
					in := in
					in.Email = fmt.Sprintf("ada%d@example.com", i)
					a, err := r.UseSetup(ctx, stranger("192.0.2.9"), []string{first, second}[i%2], in)
					switch {
					case err == nil:
						made.Add(1)
						if !a.Operator || !a.Active || a.Plan != "house" {
							t.Errorf("%+v", a)
						}
					case !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if all, err := r.List(ctx); made.Load() != 1 || err != nil || len(all) != 1 {
				t.Errorf("%d made, %v, %v", made.Load(), all, err)
			}
			for _, tok := range []string{first, second} {
				_, err := r.UseSetup(ctx, stranger("192.0.2.9"), tok, in)
				wantFault(t, err, fault.Conflict, "set up already")
				wantFault(t, r.CheckSetup(ctx, tok), fault.Conflict, "set up already")
			}
			_, err = r.SetupToken(ctx)
			wantFault(t, err, fault.Conflict, "set up already")
		})
	})
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, account.Account) error { return nil }
	in := account.CreateInput{Name: "Bob", Email: "bob@example.com", Password: pw, Plan: "free"}

	t.Run("with mail", func(t *testing.T) {
		each(t, setup{Config: account.Config{Signup: account.Open}}, func(t *testing.T, r *room) {
			ctx := t.Context()
			r.person(t, "Ada")
			bob := stranger("192.0.2.9")
			answer, err := r.SignUp(ctx, bob, in, nothing)
			must(t, err)
			t.Run("nobody signs in before confirming", func(t *testing.T) {
				_, err := r.Login(ctx, "bob@example.com", account.Proof{Password: pw, Addr: bob.Addr})
				wantFault(t, err, fault.Forbidden, "Confirm your e-mail")
				_, err = r.Login(ctx, "bob@example.com", account.Proof{Password: "wrong password", Addr: bob.Addr})
				wantFault(t, err, fault.Unauthorized, "Invalid credentials")
			})
			t.Run("a taken e-mail gets the same answer and changes nothing, its mailbox is told", func(t *testing.T) {
				other := in
				other.Email, other.Name = "ADA@example.com", "Eve"
				again, err := r.SignUp(ctx, bob, other, func(context.Context, account.Account) error {
					t.Error("a profile was made")
					return nil
				})
				if err != nil || again != answer {
					t.Errorf("%q, %v; want %q", again, err, answer)
				}
				ada, err := r.ByEmail(ctx, "ada@example.com")
				if letters := r.letters(t, ada.Email); err != nil || ada.Name != "Ada" || len(letters) != 1 || !strings.Contains(letters[0].Subject, "account already") {
					t.Errorf("%+v, %v, %v", ada, err, letters)
				}
			})
			t.Run("of many clicks on the link one confirms", func(t *testing.T) {
				tok := r.link(t, "bob@example.com", "confirm")
				var done atomic.Int32
				var wg sync.WaitGroup
				for range 6 {
					wg.Go(func() {
						err := r.Confirm(ctx, bob, tok)
						if err == nil {
							done.Add(1)
						} else {
							wantFault(t, err, fault.Invalid, "token:")
						}
					})
				}
				wg.Wait()
				if done.Load() != 1 {
					t.Errorf("%d confirmed", done.Load())
				}
				a, err := r.Login(ctx, "bob@example.com", account.Proof{Password: pw, Addr: bob.Addr})
				if err != nil || a.Plan != "house" || a.Operator || a.LastLogin == nil {
					t.Errorf("%+v, %v", a, err)
				}
				if e := r.events(t, a.ID); e != "Account created, E-mail confirmed, Signed in" {
					t.Errorf("audit: %s", e)
				}
			})
			t.Run("when the profile cannot be made neither is the account", func(t *testing.T) {
				boom := errors.New("boom")
				other := in
				other.Email = "cy@example.com"
				_, err := r.SignUp(ctx, bob, other, func(context.Context, account.Account) error { return boom })
				if _, gone := r.ByEmail(ctx, other.Email); !errors.Is(err, boom) || !fault.Is(gone, fault.NotFound) || len(r.letters(t, other.Email)) != 0 {
					t.Errorf("%v, %v", err, gone)
				}
			})
			t.Run("an account that nobody confirms goes by itself, with what hooks remove", func(t *testing.T) {
				other := in
				other.Email = "dee@example.com"
				if _, err := r.SignUp(ctx, bob, other, nothing); err != nil {
					t.Fatal(err)
				}
				var hooked []id.Account
				r.OnDelete(func(_ context.Context, _ auth.Caller, a id.Account) error { hooked = append(hooked, a); return nil })
				must(t, r.Tidy(ctx))
				dee, err := r.ByEmail(ctx, other.Email)
				must(t, err)
				r.clock.Advance(9 * 24 * time.Hour)
				must(t, r.Tidy(ctx))
				if _, err := r.ByEmail(ctx, other.Email); !fault.Is(err, fault.NotFound) || len(hooked) != 1 || hooked[0] != dee.ID {
					t.Errorf("%v, hooks %v", err, hooked)
				}
				if all, _ := r.List(ctx); len(all) != 2 {
					t.Errorf("left: %v", all)
				}
			})
		})
	})
	t.Run("without mail accounts work at once and a taken e-mail is said", func(t *testing.T) {
		each(t, setup{Config: account.Config{Signup: account.Open}, noMail: true}, func(t *testing.T, r *room) {
			r.person(t, "Ada")
			if _, err := r.SignUp(t.Context(), stranger("192.0.2.9"), in, nothing); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Login(t.Context(), "bob@example.com", account.Proof{Password: pw, Addr: "192.0.2.9"}); err != nil {
				t.Error(err)
			}
			if _, err := r.SignUp(t.Context(), stranger("192.0.2.9"), in, nothing); !errors.Is(err, account.ErrTaken) {
				t.Error(err)
			}
		})
	})
	t.Run("by mode", func(t *testing.T) {
		each(t, setup{}, func(t *testing.T, r *room) {
			r.person(t, "Ada")
			_, err := r.SignUp(t.Context(), stranger("192.0.2.9"), in, nothing)
			wantFault(t, err, fault.Forbidden, "invitation")
			r.Invited(func(_ context.Context, email string) (bool, error) { return email == "bob@example.com", nil })
			if _, err := r.SignUp(t.Context(), stranger("192.0.2.9"), in, nothing); err != nil {
				t.Error(err)
			}
			closed := newRoom(t, r.db, setup{Config: account.Config{Signup: account.Closed}})
			_, err = closed.SignUp(t.Context(), stranger("192.0.2.9"), in, nothing)
			wantFault(t, err, fault.Forbidden, "closed")
		})
	})
}

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		a := r.person(t, "Ada")
		var hash string
		must(t, r.db.QueryRow(ctx, "SELECT password_hash FROM account WHERE id = $1", string(a.ID)).Scan(&hash))
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, pw) {
			t.Errorf("stored as %s", hash)
		}
		t.Run("however a keyboard composes it", func(t *testing.T) {
			if _, err := r.SetPassword(ctx, system, a.Email, "fo\u0308hrenwald"); err != nil {
				t.Fatal(err)
			}
			if _, err := r.CheckPassword(ctx, a.Email, "f\u00f6hrenwald", ""); err != nil {
				t.Error(err)
			}
		})
		t.Run("a hash of lower cost is renewed when its owner signs in", func(t *testing.T) {
			weak := "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + weakHash(pw)
			if _, err := r.db.Exec(ctx, "UPDATE account SET password_hash = $1 WHERE id = $2", weak, string(a.ID)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.CheckPassword(ctx, a.Email, "wrong password", ""); !fault.Is(err, fault.Unauthorized) {
				t.Error(err)
			}
			if _, err := r.CheckPassword(ctx, a.Email, pw, ""); err != nil {
				t.Fatal(err)
			}
			must(t, r.db.QueryRow(ctx, "SELECT password_hash FROM account WHERE id = $1", string(a.ID)).Scan(&hash))
			if !strings.Contains(hash, "m=19456") {
				t.Errorf("still %s", hash)
			}
			if _, err := r.CheckPassword(ctx, a.Email, pw, ""); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	wrongly := func(t *testing.T, r *room, email, addr string) error {
		t.Helper()
		_, err := r.CheckPassword(t.Context(), email, "wrong password", addr)
		return err
	}
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		r.person(t, "Ada")
		for _, who := range []string{"ada@example.com", "nobody@example.com"} {
			t.Run("after five wrong passwords "+who+" is locked, twice as long each time", func(t *testing.T) {
				for range 5 {
					wantFault(t, wrongly(t, r, who, "192.0.2.1"), fault.Unauthorized, "Invalid credentials")
				}
				for _, lock := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
					err := wrongly(t, r, who, "198.51.100.1") // another address does not help
					wantFault(t, err, fault.TooMany, fmt.Sprintf("try again in %d seconds", int(lock.Seconds())))
					if fault.Of(err).RetryAfter != lock {
						t.Errorf("Retry-After %v", fault.Of(err).RetryAfter)
					}
					_, err = r.CheckPassword(ctx, who, pw, "198.51.100.1")
					wantFault(t, err, fault.TooMany, "try again")
					r.clock.Advance(lock)
					wantFault(t, wrongly(t, r, who, "198.51.100.2"), fault.Unauthorized, "Invalid credentials")
				}
			})
		}
		t.Run("a restart does not forget", func(t *testing.T) {
			wantFault(t, wrongly(t, r, "ada@example.com", ""), fault.Unauthorized, "Invalid credentials")
			again := newRoom(t, r.db, setup{})
			again.clock.Set(r.clock.Now())
			_, err := again.CheckPassword(ctx, "ada@example.com", pw, "203.0.113.1")
			wantFault(t, err, fault.TooMany, "try again")
		})
		t.Run("an operator unlocks", func(t *testing.T) {
			tried, err := r.Unlock(ctx, system, "ada@example.com")
			if err != nil || !tried {
				t.Fatal(tried, err)
			}
			a, err := r.CheckPassword(ctx, "ada@example.com", pw, "203.0.113.1")
			must(t, err)
			if e := r.events(t, a.ID); !strings.HasSuffix(e, "Unlocked") {
				t.Errorf("audit: %s", e)
			}
		})
		t.Run("the right password forgets the wrong ones before it", func(t *testing.T) {
			for range 3 {
				for range 4 {
					wantFault(t, wrongly(t, r, "ada@example.com", ""), fault.Unauthorized, "Invalid credentials")
				}
				if _, err := r.CheckPassword(ctx, "ada@example.com", pw, ""); err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run("so does an hour", func(t *testing.T) {
			for range 3 {
				for range 4 {
					wantFault(t, wrongly(t, r, "ada@example.com", ""), fault.Unauthorized, "Invalid credentials")
				}
				r.clock.Advance(time.Hour + time.Second)
			}
		})
		t.Run("one address that tries many accounts is locked, its neighbours in IPv6 with it", func(t *testing.T) {
			for i := range 50 {
				wantFault(t, wrongly(t, r, fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("2001:db8::%x", i)), fault.Unauthorized, "Invalid credentials")
			}
			_, err := r.CheckPassword(ctx, "ada@example.com", pw, "2001:db8::ffff")
			wantFault(t, err, fault.TooMany, "try again")
			if _, err := r.CheckPassword(ctx, "ada@example.com", pw, "2001:db8:0:1::1"); err != nil {
				t.Error(err)
			}
		})
		t.Run("guesses sent at once are judged one after the other", func(t *testing.T) {
			r.clock.Advance(2 * time.Hour)
			var refused, judged atomic.Int32
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					switch err := wrongly(t, r, "ada@example.com", ""); {
					case fault.Is(err, fault.TooMany):
						refused.Add(1)
					case fault.Is(err, fault.Unauthorized):
						judged.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if judged.Load() != 5 || refused.Load() != 15 {
				t.Errorf("%d judged, %d refused", judged.Load(), refused.Load())
			}
		})
		t.Run("who hangs up early does not guess for free", func(t *testing.T) {
			r.clock.Advance(2 * time.Hour)
			for i := range 500 { // who hangs up before it is judged has not guessed, so a busy machine needs more time
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Duration(3+i/4)*time.Millisecond, cancel) // mostly in the middle of the hash
				_, err := r.CheckPassword(ctx, "ada@example.com", "wrong password", "")
				cancel()
				if fault.Is(err, fault.TooMany) {
					return
				}
			}
			t.Error("500 guesses were free")
		})
		t.Run("what is forgotten is removed", func(t *testing.T) {
			r.clock.Advance(3 * time.Hour)
			must(t, r.Tidy(ctx))
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM account_lock").Scan(&n))
			if n != 0 {
				t.Errorf("%d locks are left", n)
			}
		})
	})
}

func TestEnumeration(t *testing.T) {
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		r.person(t, "Ada")
		r.withFactor(t, r.person(t, "Sue"))
		hashes := account.CountHashes(r.Service)
		// Time itself would only say how busy the machine is. Nearly all of it goes into hashes of passwords, so the same
		// number of them is the same time.
		work := func(email string, f func(email string)) int64 {
			before := hashes.Load()
			f(email)
			return hashes.Load() - before
		}
		t.Run("sign-in, whether there is an account, and a second factor", func(t *testing.T) {
			r.clock.Advance(2 * time.Hour)
			for _, email := range []string{"ada@example.com", "sue@example.com", "eve@example.com"} {
				n := work(email, func(email string) {
					_, err := r.ProveByEmail(ctx, email, account.Proof{Password: "wrong password", Code: "123456"})
					if f := fault.Of(err); f.Code != fault.Unauthorized || f.Message != "Invalid credentials" {
						t.Errorf("%s: %v", email, err)
					}
				})
				if n != 1 {
					t.Errorf("%s: %d hashes", email, n)
				}
			}
		})
		t.Run("sign-up", func(t *testing.T) {
			open := newRoom(t, r.db, setup{Config: account.Config{Signup: account.Open}})
			open.clock.Set(r.clock.Now())
			hashes = account.CountHashes(open.Service)
			answers := map[string]bool{}
			for _, email := range []string{"ada@example.com", "new@example.com"} {
				n := work(email, func(email string) {
					said, err := open.SignUp(ctx, stranger("192.0.2.50"), account.CreateInput{Name: "N", Email: email, Password: pw}, func(context.Context, account.Account) error { return nil })
					must(t, err)
					answers[said] = true
				})
				if n != 1 {
					t.Errorf("%s: %d hashes", email, n)
				}
			}
			if len(answers) != 1 {
				t.Errorf("%v", answers)
			}
			hashes = account.CountHashes(r.Service)
		})
		t.Run("a made-up link is refused without work, and is no other kind of link", func(t *testing.T) {
			must(t, r.Recover(ctx, stranger(""), "ada@example.com"))
			reset := r.link(t, "ada@example.com", "reset")
			for _, tok := range []string{"", "x", strings.Repeat("A", 43), reset[:42], reset + "A", strings.ToLower(reset), strings.Repeat("A", 100_000)} {
				if n := work("", func(string) {
					wantFault(t, r.ResetPassword(ctx, stranger("192.0.2.9"), tok, "another password"), fault.Invalid, "token:")
				}); n != 0 {
					t.Errorf("%.50q: %d hashes", tok, n)
				}
			}
			wantFault(t, r.Confirm(ctx, stranger(""), reset), fault.Invalid, "token:")
			wantFault(t, r.ConfirmEmail(ctx, stranger(""), reset), fault.Invalid, "token:")
			wantFault(t, r.ConfirmDelete(ctx, stranger(""), reset, ""), fault.Invalid, "token:")
			must(t, r.ResetPassword(ctx, stranger("192.0.2.9"), reset, pw)) // none of that used it up
		})
		for name, ask := range map[string]func(ctx context.Context, who auth.Caller, email string) error{"recovery": r.Recover, "resending": r.ResendConfirmation} {
			t.Run(name, func(t *testing.T) {
				for _, email := range []string{"ada@example.com", "eve@example.com"} {
					r.clock.Advance(10 * time.Minute)
					if n := work(email, func(email string) { must(t, ask(ctx, stranger(""), email)) }); n != 0 {
						t.Errorf("%s: %d hashes", email, n)
					}
				}
				if got := r.letters(t, "eve@example.com"); len(got) != 0 {
					t.Errorf("letters to nobody: %v", got)
				}
				wantFault(t, r.Recover(ctx, stranger(""), "not an address"), fault.Invalid, "email:")
			})
		}
		t.Run("one address asks for so many letters an hour, one mailbox gets one in two minutes", func(t *testing.T) {
			r.clock.Advance(time.Hour)
			who := stranger("192.0.2.77")
			for _, email := range []string{"ada@example.com", "ada@example.com", "eve@example.com"} {
				must(t, r.Recover(ctx, who, email))
			}
			fresh := 0
			for _, l := range r.letters(t, "ada@example.com") {
				if l.CreatedAt.Equal(r.clock.Now()) {
					fresh++
				}
			}
			if fresh != 1 {
				t.Errorf("%d letters", fresh)
			}
			var wg sync.WaitGroup
			var refused atomic.Int32
			for i := range 40 {
				wg.Go(func() {
					if err := r.Recover(ctx, who, fmt.Sprintf("user%d@example.com", i)); fault.Is(err, fault.TooMany) {
						refused.Add(1)
					} else if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if refused.Load() != 13 {
				t.Errorf("%d of 43 refused", refused.Load())
			}
			r.clock.Advance(time.Hour)
			if err := r.Recover(ctx, who, "ada@example.com"); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		who := stranger("192.0.2.9")
		cookie, _, err := r.StartSession(ctx, ada, "192.0.2.1", "browser")
		must(t, err)
		for range 5 {
			r.CheckPassword(ctx, ada.Email, "wrong password", "")
		}
		must(t, r.Recover(ctx, who, "ADA@example.com"))
		tok := r.link(t, ada.Email, "reset")

		t.Run("a password that is refused does not use the link up", func(t *testing.T) {
			wantFault(t, r.ResetPassword(ctx, who, tok, "short"), fault.Invalid, "password:")
			wantFault(t, r.ResetPassword(ctx, who, tok, "ada@example.com"), fault.Invalid, "password:")
			wantFault(t, r.ResetPassword(ctx, who, tok[1:]+"x", "new password"), fault.Invalid, "token:")
			wantFault(t, r.Confirm(ctx, who, tok), fault.Invalid, "token:") // of another kind
		})
		t.Run("of two who use it one sets the password; sessions and locks end", func(t *testing.T) {
			var wg sync.WaitGroup
			var won atomic.Int32
			for i := range 2 {
				wg.Go(func() {
					if err := r.ResetPassword(ctx, who, tok, fmt.Sprintf("new password %d", i)); err == nil {
						won.Store(int32(i) + 10)
					} else {
						wantFault(t, err, fault.Invalid, "token:")
					}
				})
			}
			wg.Wait()
			if won.Load() == 0 {
				t.Fatal("none did")
			}
			if _, err := r.CheckPassword(ctx, ada.Email, fmt.Sprintf("new password %d", won.Load()-10), "192.0.2.1"); err != nil {
				t.Error(err)
			}
			if _, err := r.Session(ctx, cookie); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("the session: %v", err)
			}
			last := r.letters(t, ada.Email)
			if !strings.Contains(last[len(last)-1].Subject, "password was changed") {
				t.Errorf("%v", last)
			}
		})
		t.Run("a link dies after two hours, and with any change of the password", func(t *testing.T) {
			for name, end := range map[string]func(){
				"time":   func() { r.clock.Advance(2 * time.Hour) },
				"change": func() { _, err := r.SetPassword(ctx, system, ada.Email, pw); must(t, err) },
			} {
				for _, l := range r.letters(t, ada.Email) {
					must(t, r.mail.Discard(ctx, l.ID))
				}
				r.clock.Advance(5 * time.Minute)
				must(t, r.Recover(ctx, who, ada.Email))
				tok := r.link(t, ada.Email, "reset")
				end()
				if err := r.ResetPassword(ctx, who, tok, "new password"); !fault.Is(err, fault.Invalid) {
					t.Errorf("after %s: %v", name, err)
				}
			}
		})
		t.Run("a blocked account recovers nothing", func(t *testing.T) {
			bob := r.person(t, "Bob")
			_, err := r.SetBlocked(ctx, system, bob.Email, true)
			must(t, err)
			must(t, r.Recover(ctx, who, bob.Email))
			if n := len(r.letters(t, bob.Email)); n != 0 {
				t.Errorf("%d letters", n)
			}
		})
	})
}

func TestResendConfirmation(t *testing.T) {
	t.Parallel()
	each(t, setup{Config: account.Config{Signup: account.Open}}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		who := stranger("192.0.2.9")
		_, err := r.SignUp(ctx, who, account.CreateInput{Name: "Bob", Email: "bob@example.com", Password: pw}, func(context.Context, account.Account) error { return nil })
		must(t, err)
		must(t, r.ResendConfirmation(ctx, who, "bob@example.com"))
		must(t, r.ResendConfirmation(ctx, who, ada.Email))
		if n := len(r.letters(t, "bob@example.com")); n != 2 {
			t.Errorf("%d letters to Bob", n)
		}
		if n := len(r.letters(t, ada.Email)); n != 0 {
			t.Errorf("%d letters to Ada, who is confirmed", n)
		}
		for i, l := range r.letters(t, "bob@example.com") { // either link works, once
			err := r.Confirm(ctx, who, linkRE.FindStringSubmatch(l.Text)[2])
			if i == 0 && err != nil {
				t.Error(err)
			}
		}
		if _, err := r.CheckPassword(ctx, "bob@example.com", pw, ""); err != nil {
			t.Error(err)
		}
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	str := func(s string) *string { return &s }
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		who := token(ada)
		t.Run("what is given changes, options are merged", func(t *testing.T) {
			yes := true
			_, err := r.Update(ctx, who, account.Update{Company: web.Some("Example Ltd"), Phone: web.Some("+49 30 1234"), Timezone: str("Europe/Berlin"), Newsletter: &yes,
				Language: str("pt_BR"), Options: account.OptionsUpdate{DecimalSeparator: str(","), ThousandSeparator: str(".")}})
			must(t, err)
			_, err = r.Update(ctx, who, account.Update{Name: str(" Ada L. "), Phone: web.Opt[string]{Set: true, Null: true}, Options: account.OptionsUpdate{TimeFormat: str("12")}})
			must(t, err)
			a, err := r.Get(ctx, ada.ID)
			must(t, err)
			if a.Name != "Ada L." || *a.Company != "Example Ltd" || a.Phone != nil || a.Timezone != "Europe/Berlin" || !a.Newsletter || a.Language != "pt-br" ||
				a.Options.DecimalSeparator != "," || a.Options.ThousandSeparator != "." || a.Options.TimeFormat != "12" || a.Options.DateFormat != "YYYY-MM-DD" {
				t.Errorf("%+v", a)
			}
			if a.Location().String() != "Europe/Berlin" {
				t.Error(a.Location())
			}
			list, err := r.audit.ListAccount(ctx, ada.ID, audit.Filter{Find: "edited"})
			if err != nil || len(list) != 2 || !strings.Contains(string(list[1].Before), `"Ada"`) || !strings.Contains(string(list[1].After), `"Ada L."`) || strings.Contains(string(list[1].After), "argon2") {
				t.Errorf("%v, %+v", err, list)
			}
		})
		t.Run("an edit does not write back what an operator replaced meanwhile", func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if _, err := r.Update(ctx, who, account.Update{Language: str("en")}); err != nil {
						t.Error(err)
					}
				})
				wg.Go(func() {
					var err error
					if i%2 == 0 {
						_, err = r.SetPlan(ctx, system, ada.Email, "starter")
					} else {
						_, err = r.SetOperator(ctx, system, ada.Email, true)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if a, err := r.Get(ctx, ada.ID); err != nil || a.Plan != "starter" {
				t.Errorf("%+v, %v", a, err)
			}
		})
		t.Run("bad values name their field and change nothing", func(t *testing.T) {
			before, err := r.Get(ctx, ada.ID)
			must(t, err)
			for want, u := range map[string]account.Update{
				"name: must not be empty":                {Name: str("")},
				"company: must have at most":             {Company: web.Some(strings.Repeat("x", 101))},
				"phone: must be":                         {Phone: web.Some("0x12")},
				"language: must be":                      {Language: str("")},
				"timezone: must be":                      {Timezone: str("")},
				"options.decimal_separator: must be one": {Options: account.OptionsUpdate{DecimalSeparator: str(";")}},
				"options.thousand_separator: must diff":  {Options: account.OptionsUpdate{ThousandSeparator: str(",")}},
				"options.time_format: must be one":       {Options: account.OptionsUpdate{TimeFormat: str("25")}},
				"options.date_format: must be made":      {Options: account.OptionsUpdate{DateFormat: str("<script>")}},
				"options.show_last_updated_at: must":     {Options: account.OptionsUpdate{ShowLastUpdatedAt: str(strings.Repeat("x", 33))}},
				"options.last_whats_new: must":           {Options: account.OptionsUpdate{LastWhatsNew: web.Some("a\nb")}},
			} {
				_, err := r.Update(ctx, who, u)
				wantFault(t, err, fault.Invalid, want)
			}
			after, err := r.Get(ctx, ada.ID)
			if err != nil || after.UpdatedAt != before.UpdatedAt {
				t.Error("changed")
			}
		})
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		mine, _, err := r.StartSession(ctx, ada, "192.0.2.1", "mine")
		must(t, err)
		other, _, err := r.StartSession(ctx, ada, "192.0.2.2", "other")
		must(t, err)
		who, err := r.Session(ctx, mine)
		must(t, err)
		if _, err := r.Session(ctx, other); err != nil { // it is in the cache
			t.Fatal(err)
		}

		t.Run("a session must know the current one", func(t *testing.T) {
			wantFault(t, r.ChangePassword(ctx, who, "new password", ""), fault.Invalid, "current_password")
			wantFault(t, r.ChangePassword(ctx, who, "new password", "wrong password"), fault.Unauthorized, "Invalid password")
			wantFault(t, r.ChangePassword(ctx, who, "short", pw), fault.Invalid, "password: must have at least 8")
			if _, err := r.CheckPassword(ctx, ada.Email, pw, ""); err != nil {
				t.Error(err)
			}
		})
		t.Run("it ends the other sessions at once", func(t *testing.T) {
			must(t, r.ChangePassword(ctx, who, "new password", pw))
			if _, err := r.Session(ctx, mine); err != nil {
				t.Error(err)
			}
			if _, err := r.Session(ctx, other); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("the other: %v", err)
			}
			if _, err := r.CheckPassword(ctx, ada.Email, pw, ""); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("the old password: %v", err)
			}
		})
		t.Run("a token need not", func(t *testing.T) {
			must(t, r.ChangePassword(ctx, token(ada), "newer password", ""))
			wantFault(t, r.VerifyPassword(ctx, ada.ID, "new password", ""), fault.Unauthorized, "Invalid password")
			must(t, r.VerifyPassword(ctx, ada.ID, "newer password", ""))
			if _, err := r.Session(ctx, mine); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("sessions: %v", err)
			}
			if e := r.events(t, ada.ID); !strings.HasSuffix(e, "Password changed, Password changed") {
				t.Errorf("audit: %s", e)
			}
		})
	})
}

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada, bob := r.person(t, "Ada"), r.person(t, "Bob")
		who := token(ada)
		wantFault(t, r.ChangeEmail(ctx, who, "new@example.com", "wrong password"), fault.Unauthorized, "Invalid password")
		wantFault(t, r.ChangeEmail(ctx, who, "new", pw), fault.Invalid, "email:")
		wantFault(t, r.ChangeEmail(ctx, who, "ADA@example.com", pw), fault.Invalid, "is your address already")

		t.Run("an address with an account gets a notice and no link", func(t *testing.T) {
			must(t, r.ChangeEmail(ctx, who, bob.Email, pw))
			l := r.letters(t, bob.Email)
			if len(l) != 1 || linkRE.MatchString(l[0].Text) || len(r.letters(t, ada.Email)) != 0 {
				t.Errorf("%v", l)
			}
		})
		t.Run("nothing changes before the link, everything after it", func(t *testing.T) {
			must(t, r.ChangeEmail(ctx, who, "New@example.com", pw))
			if a, err := r.Get(ctx, ada.ID); err != nil || a.Email != ada.Email {
				t.Errorf("%+v, %v", a, err)
			}
			if l := r.letters(t, ada.Email); len(l) != 1 || !strings.Contains(l[0].Text, "new@example.com") || linkRE.MatchString(l[0].Text) {
				t.Errorf("the notice: %v", l)
			}
			tok := r.link(t, "new@example.com", "email")
			must(t, r.ConfirmEmail(ctx, stranger("192.0.2.9"), tok))
			wantFault(t, r.ConfirmEmail(ctx, stranger("192.0.2.9"), tok), fault.Invalid, "token:")
			if a, err := r.Get(ctx, ada.ID); err != nil || a.Email != "new@example.com" {
				t.Errorf("%+v, %v", a, err)
			}
			if _, err := r.CheckPassword(ctx, "new@example.com", pw, ""); err != nil {
				t.Error(err)
			}
			if _, err := r.CheckPassword(ctx, ada.Email, pw, ""); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("by the old address: %v", err)
			}
			if l := r.letters(t, ada.Email); len(l) != 2 || !strings.Contains(l[1].Subject, "was changed") {
				t.Errorf("%v", l)
			}
		})
		t.Run("an address that got an account meanwhile is refused", func(t *testing.T) {
			must(t, r.ChangeEmail(ctx, token(bob), "cy@example.com", pw))
			tok := r.link(t, "cy@example.com", "email")
			r.person(t, "Cy")
			if err := r.ConfirmEmail(ctx, stranger(""), tok); !errors.Is(err, account.ErrTaken) {
				t.Error(err)
			}
			if a, err := r.ByEmail(ctx, bob.Email); err != nil || a.ID != bob.ID {
				t.Errorf("%v", err)
			}
		})
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada, bob, cy := r.person(t, "Ada"), r.person(t, "Bob"), r.person(t, "Cy")
		var hooked []id.Account
		var refuse error
		r.OnDelete(func(ctx context.Context, _ auth.Caller, a id.Account) error {
			hooked = append(hooked, a)
			return refuse
		})
		cookie, _, err := r.StartSession(ctx, bob, "", "")
		must(t, err)

		t.Run("the last operator must stay", func(t *testing.T) {
			_, err := r.Delete(ctx, token(ada), account.Proof{Password: pw})
			wantFault(t, err, fault.Conflict, "last operator")
			_, err = r.Delete(ctx, token(ada), account.Proof{})
			wantFault(t, err, fault.Conflict, "last operator")
			_, err = r.SetOperator(ctx, system, ada.Email, false)
			wantFault(t, err, fault.Conflict, "last operator")
			_, err = r.SetBlocked(ctx, system, ada.Email, true)
			wantFault(t, err, fault.Conflict, "last operator")
		})
		t.Run("a wrong password deletes nothing", func(t *testing.T) {
			_, err := r.Delete(ctx, token(bob), account.Proof{Password: "wrong password"})
			wantFault(t, err, fault.Unauthorized, "Invalid password")
		})
		t.Run("what a hook refuses stays whole", func(t *testing.T) {
			refuse = errors.New("no")
			if _, err := r.Delete(ctx, token(bob), account.Proof{Password: pw}); !errors.Is(err, refuse) {
				t.Error(err)
			}
			refuse = nil
			if _, err := r.Session(ctx, cookie); err != nil {
				t.Errorf("the session: %v", err)
			}
		})
		t.Run("without a password a link is mailed, and only the link deletes", func(t *testing.T) {
			hooked = nil
			deleted, err := r.Delete(ctx, token(bob), account.Proof{})
			if err != nil || deleted || len(hooked) != 0 {
				t.Fatal(deleted, err)
			}
			tok := r.link(t, bob.Email, "delete-account")
			must(t, r.ConfirmDelete(ctx, stranger("192.0.2.9"), tok, ""))
			wantFault(t, r.ConfirmDelete(ctx, stranger("192.0.2.9"), tok, ""), fault.Invalid, "token:")
			if _, err := r.Get(ctx, bob.ID); !fault.Is(err, fault.NotFound) || len(hooked) != 1 || hooked[0] != bob.ID {
				t.Errorf("%v, hooks %v", err, hooked)
			}
			if _, err := r.Session(ctx, cookie); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("the session: %v", err)
			}
			if _, err := r.CheckPassword(ctx, bob.Email, pw, ""); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("sign-in: %v", err)
			}
			l := r.letters(t, bob.Email)
			if !strings.Contains(l[len(l)-1].Subject, "was deleted") {
				t.Errorf("%v", l)
			}
			if e := r.events(t, bob.ID); !strings.HasSuffix(e, "Deletion asked for, Account deleted") {
				t.Errorf("audit: %s", e)
			}
		})
		t.Run("with the password it is deleted, and the e-mail is free again", func(t *testing.T) {
			deleted, err := r.Delete(ctx, token(cy), account.Proof{Password: pw})
			if err != nil || !deleted {
				t.Fatal(deleted, err)
			}
			if again := r.person(t, "Cy"); again.ID == cy.ID {
				t.Error("the same account")
			}
		})
		t.Run("of two operators who leave at once one stays", func(t *testing.T) {
			dee := r.person(t, "Dee")
			_, err := r.SetOperator(ctx, system, dee.Email, true)
			must(t, err)
			var wg sync.WaitGroup
			var left atomic.Int32
			for _, a := range []account.Account{ada, dee} {
				wg.Go(func() {
					if ok, err := r.Delete(ctx, token(a), account.Proof{Password: pw}); ok {
						left.Add(1)
					} else {
						wantFault(t, err, fault.Conflict, "last operator")
					}
				})
			}
			wg.Wait()
			if left.Load() != 1 {
				t.Errorf("%d left", left.Load())
			}
		})
	})
}

func TestSession(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada, bob := r.person(t, "Ada"), r.person(t, "Bob")
		start := func(t *testing.T, a account.Account) string {
			t.Helper()
			c, s, err := r.StartSession(ctx, a, "192.0.2.1", "Firefox\r\nX: y")
			must(t, err)
			if s.Agent != "" || s.Account != a.ID || s.ExpiresAt != r.clock.Now().Add(24*time.Hour) {
				t.Errorf("%+v", s)
			}
			return c
		}
		dead := func(t *testing.T, r *room, cookie string) {
			t.Helper()
			if _, err := r.Session(ctx, cookie); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("alive: %v", err)
			}
		}
		t.Run("it names its account and no profile", func(t *testing.T) {
			who, err := r.Session(ctx, start(t, ada))
			if err != nil || who.Kind != auth.Session || who.AccountID != ada.ID || who.ProfileID != "" || !who.Operator || who.Permission != auth.Full || who.Reach != auth.ReachAccount || who.SessionID == "" {
				t.Errorf("%+v, %v", who, err)
			}
			for _, c := range []string{"", "x", strings.Repeat("x", 43), strings.Repeat("x", 10_000)} {
				dead(t, r, c)
			}
		})
		t.Run("it ends after three idle hours", func(t *testing.T) {
			c := start(t, ada)
			for range 3 {
				r.clock.Advance(3*time.Hour - time.Second)
				if _, err := r.Session(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			r.clock.Advance(3 * time.Hour)
			dead(t, r, c)
		})
		t.Run("it ends after 24 hours in any case", func(t *testing.T) {
			c := start(t, ada)
			for range 23 {
				r.clock.Advance(time.Hour)
				if _, err := r.Session(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			r.clock.Advance(time.Hour)
			dead(t, r, c)
		})
		t.Run("a use on one node counts on another, and after a restart", func(t *testing.T) {
			c := start(t, ada)
			node := newRoom(t, r.db, setup{})
			node.clock.Set(r.clock.Now())
			if _, err := node.Session(ctx, c); err != nil { // cached there, with its first use
				t.Fatal(err)
			}
			both := func(d time.Duration) { r.clock.Advance(d); node.clock.Set(r.clock.Now()) }
			both(2 * time.Hour)
			if _, err := r.Session(ctx, c); err != nil {
				t.Fatal(err)
			}
			must(t, r.Flush(ctx))
			both(2 * time.Hour)
			if _, err := node.Session(ctx, c); err != nil {
				t.Error(err)
			}
			both(4 * time.Hour)
			dead(t, node, c)
			dead(t, r, c)
		})
		t.Run("it is listed and ended by its account only", func(t *testing.T) {
			r.clock.Advance(48 * time.Hour)
			a, b, c := start(t, ada), start(t, ada), start(t, bob)
			who, err := r.Session(ctx, a)
			must(t, err)
			other, err := r.Session(ctx, b)
			must(t, err)
			his, err := r.Session(ctx, c)
			must(t, err)
			list, err := r.Sessions(ctx, who)
			if err != nil || len(list) != 2 {
				t.Fatalf("%v, %v", list, err)
			}
			wantFault(t, r.EndSession(ctx, who, his.SessionID), fault.NotFound, "Session Not Found")
			must(t, r.EndSession(ctx, who, other.SessionID))
			dead(t, r, b)
			start(t, ada)
			must(t, r.EndOthers(ctx, who))
			if list, err := r.Sessions(ctx, who); err != nil || len(list) != 1 || list[0].ID != who.SessionID {
				t.Errorf("%v, %v", list, err)
			}
			if _, err := r.Session(ctx, c); err != nil {
				t.Errorf("Bob's: %v", err)
			}
		})
		t.Run("a blocked account's end at once, a new operator's know it at once", func(t *testing.T) {
			c := start(t, bob)
			if who, err := r.Session(ctx, c); err != nil || who.Operator {
				t.Fatal(who, err)
			}
			_, err := r.SetOperator(ctx, system, bob.Email, true)
			must(t, err)
			if who, err := r.Session(ctx, c); err != nil || !who.Operator {
				t.Error(who, err)
			}
			_, err = r.SetBlocked(ctx, system, bob.Email, true)
			must(t, err)
			dead(t, r, c)
			_, err = r.CheckPassword(ctx, bob.Email, pw, "")
			wantFault(t, err, fault.Forbidden, "blocked")
			_, err = r.SetBlocked(ctx, system, bob.Email, false)
			must(t, err)
			if _, err = r.CheckPassword(ctx, bob.Email, pw, ""); err != nil {
				t.Error(err)
			}
		})
		t.Run("an account has fifty at most", func(t *testing.T) {
			first := start(t, bob)
			for range 50 {
				r.clock.Advance(time.Second)
				start(t, bob)
			}
			dead(t, r, first)
		})
		t.Run("the dead are removed", func(t *testing.T) {
			r.clock.Advance(25 * time.Hour)
			must(t, r.Tidy(ctx))
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM session").Scan(&n))
			if n != 0 {
				t.Errorf("%d are left", n)
			}
			must(t, r.Flush(ctx))
		})
		t.Run("cookies are stored as hashes only", func(t *testing.T) {
			c := start(t, ada)
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM session WHERE hash = $1 OR id = $2", c, c).Scan(&n))
			if n != 0 {
				t.Error("found by the cookie itself")
			}
		})
	})
}

func TestOperatorVerbs(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		var hooked int
		var refuse error
		r.OnPlan(func(_ context.Context, _ auth.Caller, a id.Account) error {
			hooked++
			return refuse
		})
		t.Run("a plan is set, its hooks run in the transaction", func(t *testing.T) {
			_, err := r.SetPlan(ctx, system, ada.Email, "gold")
			wantFault(t, err, fault.Invalid, "plan:")
			if a, err := r.SetPlan(ctx, system, ada.Email, "starter"); err != nil || a.Plan != "starter" || hooked != 1 {
				t.Errorf("%+v, %v, %d hooks", a, err, hooked)
			}
			if _, err := r.SetPlan(ctx, system, ada.Email, "starter"); err != nil || hooked != 1 {
				t.Errorf("again: %v, %d hooks", err, hooked)
			}
			refuse = errors.New("no")
			if _, err := r.SetPlan(ctx, system, ada.Email, "free"); !errors.Is(err, refuse) {
				t.Error(err)
			}
			if a, err := r.Get(ctx, ada.ID); err != nil || a.Plan != "starter" {
				t.Errorf("%+v, %v", a, err)
			}
		})
		t.Run("a password is set", func(t *testing.T) {
			_, err := r.SetPassword(ctx, system, ada.Email, "short")
			wantFault(t, err, fault.Invalid, "password:")
			_, err = r.SetPassword(ctx, system, ada.Email, "set by operator")
			must(t, err)
			if _, err := r.CheckPassword(ctx, ada.Email, "set by operator", ""); err != nil {
				t.Error(err)
			}
		})
		t.Run("nobody is not found", func(t *testing.T) {
			_, e1 := r.SetPlan(ctx, system, "eve@example.com", "free")
			_, e2 := r.SetPassword(ctx, system, "eve@example.com", pw)
			_, e3 := r.Unlock(ctx, system, "eve@example.com")
			_, e4 := r.SetOperator(ctx, system, "eve@example.com", true)
			_, e5 := r.SetBlocked(ctx, system, "eve@example.com", true)
			for _, err := range []error{e1, e2, e3, e4, e5} {
				wantFault(t, err, fault.NotFound, "Account Not Found")
			}
		})
		t.Run("everything left an event", func(t *testing.T) {
			if e := r.events(t, ada.ID); e != "Account created, Plan set to starter, Password set by an operator" {
				t.Errorf("audit: %s", e)
			}
		})
	})
}
