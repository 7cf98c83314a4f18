package account_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
)

// code is what the app shows that many steps from now.
func (r *room) code(t *testing.T, secret string, steps int) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, r.clock.Now().Add(time.Duration(steps)*30*time.Second))
	must(t, err)
	return c
}

// wrongCodeFor is a code that the app shows at no time near now.
func (r *room) wrongCodeFor(t *testing.T, secret string) string {
	t.Helper()
	for n := range 10 {
		c := fmt.Sprintf("%06d", n)
		if c != r.code(t, secret, -1) && c != r.code(t, secret, 0) && c != r.code(t, secret, 1) {
			return c
		}
	}
	panic("ten codes near now")
}

func proof(code string) account.Proof {
	return account.Proof{Password: pw, Code: code, Addr: "192.0.2.1"}
}

// withFactor turns the second factor of an account on and moves the clock past the code used for it.
func (r *room) withFactor(t *testing.T, a account.Account) (secret string, recovery []string) {
	t.Helper()
	f, err := r.EnableFactor(t.Context(), token(a), a.Email, proof(""))
	must(t, err)
	recovery, err = r.ConfirmFactor(t.Context(), token(a), r.code(t, f.Secret, 0))
	must(t, err)
	r.clock.Advance(2 * time.Minute)
	return f.Secret, recovery
}

const needed = `{"otp_enabled":["authenticator"],"otp_autosend":"authenticator"}`

func TestFactor(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada, bob := r.person(t, "Ada"), r.person(t, "Bob")
		on := func(t *testing.T, want bool) {
			t.Helper()
			a, err := r.Get(ctx, ada.ID)
			must(t, err)
			f, err := r.Factor(ctx, ada.ID)
			if err != nil || a.Factor != want || f.On != want || r.Info(a).OTP.Authenticator != want {
				t.Errorf("on: %v, %+v, %v; want %v", a.Factor, f, err, want)
			}
		}
		t.Run("the setup says all that an app needs, in text and as a picture", func(t *testing.T) {
			f, err := r.EnableFactor(ctx, token(ada), "ADA@example.com", proof(""))
			must(t, err)
			key, err := otp.NewKeyFromURL(f.URL)
			must(t, err)
			u, err := url.Parse(f.URL)
			must(t, err)
			if key.Issuer() != "Paddock" || key.AccountName() != "ada@example.com" || key.Secret() != f.Secret || u.Scheme != "otpauth" || u.Host != "totp" || len(f.Secret) != 32 {
				t.Errorf("%+v", f)
			}
			if !f.Expires.Equal(r.clock.Now().Add(15 * time.Minute)) {
				t.Errorf("expires %v", f.Expires)
			}
			sameModules(t, f.QR, f.URL)
		})
		t.Run("it needs the password of the account, and its e-mail when one is given", func(t *testing.T) {
			_, err := r.EnableFactor(ctx, token(ada), "", account.Proof{Password: "wrong password"})
			wantFault(t, err, fault.Unauthorized, "Invalid password")
			_, err = r.EnableFactor(ctx, token(ada), bob.Email, proof(""))
			wantFault(t, err, fault.Unauthorized, "Invalid credentials")
			_, err = r.EnableFactor(ctx, token(ada), "", account.Proof{})
			wantFault(t, err, fault.Invalid, "password:")
		})
		t.Run("what nobody confirmed binds nothing and expires", func(t *testing.T) {
			_, err := r.ConfirmFactor(ctx, token(bob), "123456")
			wantFault(t, err, fault.Conflict, "begin again")
			f, err := r.EnableFactor(ctx, token(ada), "", proof(""))
			must(t, err)
			on(t, false)
			must(t, r.Prove(ctx, ada.ID, proof("")))
			r.clock.Advance(15 * time.Minute)
			_, err = r.ConfirmFactor(ctx, token(ada), r.code(t, f.Secret, 0))
			wantFault(t, err, fault.Conflict, "begin again")
			must(t, r.Tidy(ctx))
			_, err = r.ConfirmFactor(ctx, token(ada), r.code(t, f.Secret, 0))
			wantFault(t, err, fault.Conflict, "begin again")
		})
		t.Run("a second setup voids the first", func(t *testing.T) {
			first, err := r.EnableFactor(ctx, token(ada), "", proof(""))
			must(t, err)
			second, err := r.EnableFactor(ctx, token(ada), "", proof(""))
			must(t, err)
			if first.Secret == second.Secret {
				t.Fatal("the same secret")
			}
			_, err = r.ConfirmFactor(ctx, token(ada), r.code(t, first.Secret, 0))
			wantFault(t, err, fault.Unauthorized, "Invalid pin code")
			on(t, false)
		})
		var secret string
		var recovery []string
		t.Run("a code of the app turns it on: other sessions end, the owner is told", func(t *testing.T) {
			mine, x, err := r.StartSession(ctx, ada, "", "")
			must(t, err)
			other, _, err := r.StartSession(ctx, ada, "", "")
			must(t, err)
			who, err := r.Session(ctx, mine)
			must(t, err)
			f, err := r.EnableFactor(ctx, who, "", proof(""))
			must(t, err)
			secret = f.Secret
			_, err = r.ConfirmFactor(ctx, who, "")
			wantFault(t, err, fault.Invalid, "pin_code:")
			_, err = r.ConfirmFactor(ctx, who, r.wrongCodeFor(t, secret))
			wantFault(t, err, fault.Unauthorized, "Invalid pin code")
			recovery, err = r.ConfirmFactor(ctx, who, r.code(t, secret, 0))
			must(t, err)
			on(t, true)
			if again, err := r.Session(ctx, mine); err != nil || again.SessionID != x.ID {
				t.Errorf("the own session: %v", err)
			}
			if _, err := r.Session(ctx, other); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("the other session: %v", err)
			}
			l := r.letters(t, ada.Email)
			if !strings.Contains(l[len(l)-1].Subject, "second factor was changed") {
				t.Errorf("%v", l)
			}
			if e := r.events(t, ada.ID); !strings.HasSuffix(e, "Second factor enabled") {
				t.Errorf("audit: %s", e)
			}
			seen := map[string]bool{}
			for _, c := range recovery {
				if seen[c] || !regexp.MustCompile(`^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$`).MatchString(c) {
					t.Errorf("recovery code %q", c)
				}
				seen[c] = true
			}
			if len(recovery) != 10 {
				t.Errorf("%d recovery codes", len(recovery))
			}
			_, err = r.EnableFactor(ctx, who, "", proof(""))
			wantFault(t, err, fault.Conflict, "on already")
			_, err = r.ConfirmFactor(ctx, who, r.code(t, secret, 1))
			wantFault(t, err, fault.Conflict, "on already")
		})
		t.Run("the password is judged first, then the code", func(t *testing.T) {
			r.clock.Advance(time.Minute)
			wantFault(t, r.Prove(ctx, ada.ID, account.Proof{Password: "wrong password", Code: r.code(t, secret, 0)}), fault.Unauthorized, "Invalid password")
			err := r.Prove(ctx, ada.ID, proof(" "))
			if f := fault.Of(err); f.Code != fault.Unauthorized || f.Message != needed {
				t.Errorf("%v", err)
			}
			_, err = r.ProveByEmail(ctx, ada.Email, account.Proof{Password: "wrong password"})
			wantFault(t, err, fault.Unauthorized, "Invalid credentials")
			_, err = r.Login(ctx, ada.Email, proof(""))
			wantFault(t, err, fault.Unauthorized, needed)
			wantFault(t, r.Prove(ctx, ada.ID, account.Proof{Password: pw, Code: "123456", Kind: "sms"}), fault.Invalid, "otp_type: codes by sms are not offered")
			// The code that came with the wrong password is not used up.
			a, err := r.Login(ctx, ada.Email, proof(r.code(t, secret, 0)))
			if err != nil || a.ID != ada.ID {
				t.Error(err)
			}
			must(t, r.Prove(ctx, bob.ID, proof("000000"))) // who has no factor is not asked
		})
		t.Run("a code works once, and one step early or late", func(t *testing.T) {
			wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))), fault.Unauthorized, "has been used")
			wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, -1))), fault.Unauthorized, "has been used")
			must(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 1))))
			r.clock.Advance(30 * time.Second)
			wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))), fault.Unauthorized, "has been used")
			r.clock.Advance(time.Minute)
			wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, -2))), fault.Unauthorized, "Invalid pin code")
			late := r.code(t, secret, -1)
			must(t, r.Prove(ctx, ada.ID, proof(late[:3]+" "+late[3:])))
			wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 2))), fault.Unauthorized, "Invalid pin code")
			must(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))))
		})
		t.Run("of many who present the same code at once one gets in", func(t *testing.T) {
			r.clock.Advance(time.Minute)
			for _, c := range []string{r.code(t, secret, 0), recovery[9]} {
				must(t, r.forget(t, ada))
				var in atomic.Int32
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						switch err := r.Prove(ctx, ada.ID, proof(c)); {
						case err == nil:
							in.Add(1)
						case !fault.Is(err, fault.Unauthorized):
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if in.Load() != 1 {
					t.Errorf("%d got in", in.Load())
				}
			}
		})
		t.Run("recovery codes stand in for a code, each once, in any spelling", func(t *testing.T) {
			must(t, r.forget(t, ada))
			must(t, r.Prove(ctx, ada.ID, proof(recovery[0])))
			wantFault(t, r.Prove(ctx, ada.ID, proof(recovery[0])), fault.Unauthorized, "Invalid pin code")
			must(t, r.Prove(ctx, ada.ID, proof(strings.ToLower(strings.ReplaceAll(recovery[1], "-", " ")))))
			wantFault(t, r.Prove(ctx, bob.ID, account.Proof{Password: "wrong password", Code: recovery[2]}), fault.Unauthorized, "Invalid password")
			f, err := r.Factor(ctx, ada.ID)
			if err != nil || f.Recovery != 7 {
				t.Errorf("%+v, %v", f, err)
			}
			l := r.letters(t, ada.Email)
			if last := l[len(l)-1]; !strings.Contains(last.Subject, "recovery code was used") || !strings.Contains(last.Text, "7 of them are left") {
				t.Errorf("%v", last)
			}
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM account_recovery WHERE hash = $1", recovery[2]).Scan(&n))
			var sealed string
			must(t, r.db.QueryRow(ctx, "SELECT secret FROM account_factor WHERE account_id = $1", string(ada.ID)).Scan(&sealed))
			if n != 0 || strings.Contains(sealed, secret) {
				t.Error("a secret is stored as it is")
			}
		})
		t.Run("new recovery codes void the old ones", func(t *testing.T) {
			_, err := r.RenewRecovery(ctx, token(bob), proof(""))
			wantFault(t, err, fault.Conflict, "not on")
			_, err = r.RenewRecovery(ctx, token(ada), proof(""))
			wantFault(t, err, fault.Unauthorized, needed)
			fresh, err := r.RenewRecovery(ctx, token(ada), proof(recovery[2]))
			if err != nil || len(fresh) != 10 {
				t.Fatal(fresh, err)
			}
			wantFault(t, r.Prove(ctx, ada.ID, proof(recovery[3])), fault.Unauthorized, "Invalid pin code")
			recovery = fresh
		})
		t.Run("a key that is rotated away takes nothing with it", func(t *testing.T) {
			both, err := seal.Parse("Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=,AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
			must(t, err)
			node := newRoom(t, r.db, setup{Config: account.Config{Sealer: both}})
			if n, err := node.Reseal(ctx); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			if n, err := node.Reseal(ctx); err != nil || n != 0 {
				t.Fatal(n, err)
			}
			only, err := seal.Parse("Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=")
			must(t, err)
			r = newRoom(t, r.db, setup{Config: account.Config{Sealer: only}})
			r.clock.Set(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))
			must(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))))
		})
		t.Run("it is turned off with password and code", func(t *testing.T) {
			r.clock.Advance(time.Minute)
			wantFault(t, r.DisableFactor(ctx, token(bob), "", proof("")), fault.Conflict, "not on")
			wantFault(t, r.DisableFactor(ctx, token(ada), "", account.Proof{Password: "wrong password", Code: recovery[0]}), fault.Unauthorized, "Invalid password")
			wantFault(t, r.DisableFactor(ctx, token(ada), "", proof("")), fault.Unauthorized, needed)
			wantFault(t, r.DisableFactor(ctx, token(ada), "", proof(r.wrongCodeFor(t, secret))), fault.Unauthorized, "Invalid pin code")
			on(t, true)
			cookie, _, err := r.StartSession(ctx, ada, "", "")
			must(t, err)
			must(t, r.DisableFactor(ctx, token(ada), ada.Email, proof(r.code(t, secret, 0))))
			on(t, false)
			if _, err := r.Session(ctx, cookie); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("a session: %v", err)
			}
			must(t, r.Prove(ctx, ada.ID, proof("")))
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM account_recovery").Scan(&n))
			if n != 0 {
				t.Errorf("%d recovery codes are left", n)
			}
		})
		t.Run("an operator takes it off", func(t *testing.T) {
			r.withFactor(t, ada)
			cookie, _, err := r.StartSession(ctx, ada, "", "")
			must(t, err)
			had, err := r.ResetFactor(ctx, system, "ADA@example.com")
			if err != nil || !had {
				t.Fatal(had, err)
			}
			on(t, false)
			if _, err := r.Session(ctx, cookie); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("a session: %v", err)
			}
			if e := r.events(t, ada.ID); !strings.HasSuffix(e, "Second factor removed by an operator") {
				t.Errorf("audit: %s", e)
			}
			l := r.letters(t, ada.Email)
			if !strings.Contains(l[len(l)-1].Text, "removed by whoever runs the server") {
				t.Errorf("%v", l)
			}
			had, err = r.ResetFactor(ctx, system, ada.Email)
			if err != nil || had {
				t.Error(had, err)
			}
			_, err = r.ResetFactor(ctx, system, "eve@example.com")
			wantFault(t, err, fault.NotFound, "Account Not Found")
		})
		t.Run("deleting the account asks for the code, by password and by link", func(t *testing.T) {
			secret, recovery := r.withFactor(t, bob)
			_, err := r.Delete(ctx, token(bob), proof(""))
			wantFault(t, err, fault.Unauthorized, needed)
			_, err = r.Delete(ctx, token(bob), proof(r.wrongCodeFor(t, secret)))
			wantFault(t, err, fault.Unauthorized, "Invalid pin code")
			_, err = r.Delete(ctx, token(bob), account.Proof{})
			must(t, err)
			link := r.link(t, bob.Email, "delete-account")
			wantFault(t, r.ConfirmDelete(ctx, stranger("192.0.2.9"), link, ""), fault.Unauthorized, needed)
			must(t, r.ConfirmDelete(ctx, stranger("192.0.2.9"), link, recovery[0]))
			var n int
			must(t, r.db.QueryRow(ctx, "SELECT COUNT(*) FROM account_factor WHERE account_id = $1", string(bob.ID)).Scan(&n))
			if n != 0 {
				t.Error("its factor is left")
			}
		})
	})
}

// forget unlocks a person whose wrong codes a test has counted.
func (r *room) forget(t *testing.T, a account.Account) error {
	t.Helper()
	_, err := r.Unlock(t.Context(), system, a.Email)
	return err
}

// sameModules draws an SVG's path and compares it, without its frame, with the QR code of text.
func sameModules(t *testing.T, svg, text string) {
	t.Helper()
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
	}
	must(t, xml.NewDecoder(bytes.NewBufferString(svg)).Decode(&doc))
	want, err := qr.Encode(text, qr.M, qr.Auto)
	must(t, err)
	n := want.Bounds().Dx()
	if doc.ViewBox != fmt.Sprintf("0 0 %d %d", n+8, n+8) || len(doc.Paths) != 2 || doc.Paths[0].Fill != "#fff" {
		t.Fatalf("%.200s", svg)
	}
	got := image.NewGray(image.Rect(0, 0, n+8, n+8))
	for _, m := range regexp.MustCompile(`M\d+ \d+h\d+`).FindAllString(doc.Paths[1].D, -1) {
		var x, y, w int
		if _, err := fmt.Sscanf(m, "M%d %dh%d", &x, &y, &w); err != nil {
			t.Fatal(err)
		}
		for i := range w {
			got.Pix[got.PixOffset(x+i, y)] = 1
		}
	}
	for y := range n + 8 {
		for x := range n + 8 {
			dark := false
			if x >= 4 && y >= 4 && x < n+4 && y < n+4 {
				r, _, _, _ := want.At(x-4, y-4).RGBA()
				dark = r == 0
			}
			if (got.GrayAt(x, y).Y == 1) != dark {
				t.Fatalf("module %d, %d is %v", x, y, !dark)
			}
		}
	}
}

func TestFactorGuessing(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		secret, recovery := r.withFactor(t, ada)
		guess := func(addr string) error {
			return r.Prove(ctx, ada.ID, account.Proof{Password: pw, Code: r.wrongCodeFor(t, secret), Addr: addr})
		}
		t.Run("five wrong codes lock the code, from any address, whatever comes next", func(t *testing.T) {
			for i := range 5 {
				// The right password in between, which forgives wrong passwords, forgives no wrong code.
				wantFault(t, guess(fmt.Sprintf("198.51.100.%d", i)), fault.Unauthorized, "Invalid pin code")
				wantFault(t, r.Prove(ctx, ada.ID, proof("")), fault.Unauthorized, needed)
			}
			for _, lock := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
				wantFault(t, guess("203.0.113.1"), fault.TooMany, fmt.Sprintf("Too many wrong codes; try again in %d seconds", int(lock.Seconds())))
				wantFault(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))), fault.TooMany, "try again")
				wantFault(t, r.Prove(ctx, ada.ID, proof(recovery[0])), fault.TooMany, "try again")
				r.clock.Advance(lock)
				wantFault(t, guess("203.0.113.2"), fault.Unauthorized, "Invalid pin code")
			}
		})
		t.Run("the owner is told once that somebody has the password", func(t *testing.T) {
			n := 0
			for _, l := range r.letters(t, ada.Email) {
				if strings.Contains(l.Subject, "wrong codes") {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d letters", n)
			}
		})
		t.Run("another node and a restart know it", func(t *testing.T) {
			node := newRoom(t, r.db, setup{})
			node.clock.Set(r.clock.Now())
			wantFault(t, node.Prove(ctx, ada.ID, proof(recovery[0])), fault.TooMany, "try again")
		})
		t.Run("an operator unlocks; the right code forgets the wrong ones", func(t *testing.T) {
			must(t, r.forget(t, ada))
			for range 2 {
				for range 4 {
					wantFault(t, guess(""), fault.Unauthorized, "Invalid pin code")
				}
				must(t, r.Prove(ctx, ada.ID, proof(r.code(t, secret, 0))))
				r.clock.Advance(time.Minute)
			}
		})
		t.Run("guesses sent at once are judged one after the other, also on two nodes", func(t *testing.T) {
			must(t, r.forget(t, ada))
			node := newRoom(t, r.db, setup{})
			node.clock.Set(r.clock.Now())
			bad := r.wrongCodeFor(t, secret)
			var judged, refused atomic.Int32
			var wg sync.WaitGroup
			for i := range 12 {
				s := []*room{r, node}[i%2]
				wg.Go(func() {
					switch err := s.Prove(ctx, ada.ID, account.Proof{Password: pw, Code: bad}); {
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
			if judged.Load() != 5 || refused.Load() != 7 {
				t.Errorf("%d judged, %d refused", judged.Load(), refused.Load())
			}
		})
		t.Run("replays count as guesses, nonsense too", func(t *testing.T) {
			must(t, r.forget(t, ada))
			r.clock.Advance(time.Minute)
			c := r.code(t, secret, 0)
			must(t, r.Prove(ctx, ada.ID, proof(c)))
			for _, bad := range []string{c, strings.Repeat("1", 10_000), "' OR 1=1 --", "\x00\xff", "١٢٣٤٥٦"} {
				wantFault(t, r.Prove(ctx, ada.ID, account.Proof{Password: pw, Code: bad}), fault.Unauthorized, "Invalid pin code")
			}
			wantFault(t, guess(""), fault.TooMany, "try again")
		})
	})
}

// TestSessionLife shows that the lengths of sessions are those of the configuration.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	each(t, setup{Config: account.Config{SessionIdle: 10 * time.Minute, SessionMax: time.Hour}}, func(t *testing.T, r *room) {
		ctx := t.Context()
		ada := r.person(t, "Ada")
		start := func() string {
			c, s, err := r.StartSession(ctx, ada, "", "")
			if err != nil || !s.ExpiresAt.Equal(r.clock.Now().Add(time.Hour)) {
				t.Fatal(s, err)
			}
			return c
		}
		idle := start()
		r.clock.Advance(10 * time.Minute)
		if _, err := r.Session(ctx, idle); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("after ten idle minutes: %v", err)
		}
		busy := start()
		var who auth.Caller
		for range 6 {
			var err error
			if who, err = r.Session(ctx, busy); err != nil {
				t.Fatal(err)
			}
			r.clock.Advance(10*time.Minute - time.Second)
		}
		list, err := r.Sessions(ctx, who)
		if err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
		r.clock.Advance(time.Minute)
		if _, err := r.Session(ctx, busy); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("after an hour: %v", err)
		}
		must(t, r.Tidy(ctx))
	})
}
