package token

import (
	"context"
	"fmt"
	"strings"
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
	"paddock/internal/plan"
	"paddock/internal/profile"
)

const (
	keyA = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	keyB = "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// house is the rooms up to this one on a real database.
type house struct {
	*Service
	db       *sqldb.DB
	clk      *clock.Manual
	accounts *account.Service
	profiles *profile.Service
	log      *audit.Log
	people   int
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &house{db: db, clk: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
		h.log = audit.New(db, h.clk)
		mailer, err := mail.New(db, mail.Config{Clock: h.clk})
		must(t, err)
		h.accounts = account.New(db, h.log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, h.clk)
		files, err := blob.OpenFolder(t.TempDir())
		must(t, err)
		h.profiles = profile.New(db, h.accounts, plan.Builtin(), h.log, files, h.clk)
		h.Service = New(db, h.accounts, h.profiles, h.log, sealer(t, keyA), h.clk)
		f(t, h)
	})
}

func sealer(t *testing.T, keys string) *seal.Sealer {
	t.Helper()
	s, err := seal.Parse(keys)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, code fault.Code, part string) {
	t.Helper()
	if !fault.Is(err, code) || !strings.Contains(err.Error(), part) {
		t.Fatalf("got %v, want %s with %q", err, code, part)
	}
}

// person makes an account with a profile and returns a caller that speaks for it.
func (h *house) person(t *testing.T) auth.Caller {
	t.Helper()
	h.people++
	a, err := h.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", h.people), Password: "correct horse battery"})
	must(t, err)
	who := auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount}
	who.ProfileID = h.profile(t, who)
	return who
}

func (h *house) profile(t *testing.T, who auth.Caller) id.Profile {
	t.Helper()
	p, err := h.profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Main", Account: who.AccountID})
	must(t, err)
	return p.ID
}

func (h *house) mint(t *testing.T, who auth.Caller, in MintInput) Minted {
	t.Helper()
	in.Profile = who.ProfileID
	if in.Name == "" {
		in.Name = "ci"
	}
	m, err := h.Mint(t.Context(), who, in)
	must(t, err)
	return m
}

func (h *house) deviceToken(t *testing.T, who auth.Caller, d id.Device, in DeviceInput) Minted {
	t.Helper()
	in.Name = "Default"
	m, err := h.CreateDevice(t.Context(), who, who.ProfileID, d, in)
	must(t, err)
	return m
}

func TestAuthenticate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := h.person(t)
		m := h.mint(t, who, MintInput{Permission: auth.Read})
		t.Run("a token is known with and without its prefix, and with any other", func(t *testing.T) {
			raw := strings.TrimPrefix(m.Token, "p-")
			for _, s := range []string{m.Token, raw, "a-" + raw, "u-" + raw, "n-" + raw, " " + m.Token + " "} {
				c, err := h.Authenticate(t.Context(), s, "192.0.2.1")
				must(t, err)
				if c.Kind != auth.Profile || c.ProfileID != who.ProfileID || c.AccountID != who.AccountID || !c.IsOwner() ||
					c.Permission != auth.Read || c.Reach != auth.ReachProfile || c.TokenID != m.ID || c.TokenTail != raw[len(raw)-4:] || c.Addr != "192.0.2.1" {
					t.Fatalf("%q: %+v", s, c)
				}
			}
		})
		t.Run("a profile token has the prefix p-, a device token is a bare UUID v4", func(t *testing.T) {
			d := h.deviceToken(t, who, id.New[id.Device](), DeviceInput{})
			if !strings.HasPrefix(m.Token, "p-") || len(m.Token) != 38 || len(d.Token) != 36 || d.Token[14] != '4' {
				t.Fatal(m.Token, d.Token)
			}
		})
		t.Run("handles, ids, hashes and strangers are refused with the same words", func(t *testing.T) {
			for _, s := range []string{"", "p-" + string(m.ID), string(m.ID), Hash(m.Token), newRaw(), "p-", "\x00", "'; --", strings.Repeat("x", 5000), m.Token + "0"} {
				_, err := h.Authenticate(t.Context(), s, "")
				want(t, err, fault.Unauthorized, "Authorization Denied")
			}
		})
		t.Run("an expired token is refused", func(t *testing.T) {
			at := h.clk.Now().Add(time.Hour)
			e := h.mint(t, who, MintInput{Expires: &at})
			_, err := h.Authenticate(t.Context(), e.Token, "")
			must(t, err)
			h.clk.Advance(time.Hour)
			_, err = h.Authenticate(t.Context(), e.Token, "")
			want(t, err, fault.Unauthorized, "Token expired")
		})
		t.Run("a deleted token is refused at once and its neighbours work on", func(t *testing.T) {
			a, b := h.mint(t, who, MintInput{}), h.mint(t, who, MintInput{})
			_, err := h.Authenticate(t.Context(), a.Token, "")
			must(t, err)
			must(t, h.DeleteProfileToken(t.Context(), who, who.ProfileID, a.Token))
			_, err = h.Authenticate(t.Context(), a.Token, "")
			want(t, err, fault.Unauthorized, "Authorization Denied")
			_, err = h.Authenticate(t.Context(), b.Token, "")
			must(t, err)
			want(t, h.DeleteProfileToken(t.Context(), who, who.ProfileID, a.Token), fault.NotFound, "Token Not Found")
		})
		t.Run("the gate of devices is asked at each use", func(t *testing.T) {
			d := h.deviceToken(t, who, id.New[id.Device](), DeviceInput{})
			c, err := h.Authenticate(t.Context(), d.Token, "")
			must(t, err)
			if c.Kind != auth.Device || c.DeviceID == "" || c.AccountID != "" || c.OwnerID != who.AccountID {
				t.Fatalf("%+v", c)
			}
			h.GateDevice(func(context.Context, id.Profile, id.Device) error { return fault.New(fault.Forbidden, "off") })
			_, err = h.Authenticate(t.Context(), d.Token, "")
			want(t, err, fault.Forbidden, "off")
			h.GateDevice(nil)
		})
	})
}

func TestCeiling(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		t.Run("a token of a deleted profile does nothing", func(t *testing.T) {
			who := h.person(t)
			h.profile(t, who)
			m, d := h.mint(t, who, MintInput{}), h.deviceToken(t, who, id.New[id.Device](), DeviceInput{})
			_, err := h.Authenticate(t.Context(), m.Token, "")
			must(t, err)
			_, err = h.Authenticate(t.Context(), d.Token, "")
			must(t, err)
			must(t, h.profiles.Delete(t.Context(), who, string(who.ProfileID), "correct horse battery"))
			for _, s := range []string{m.Token, d.Token} {
				_, err = h.Authenticate(t.Context(), s, "")
				want(t, err, fault.Unauthorized, "Authorization Denied")
				if _, ok := h.Trace(t.Context(), s); ok {
					t.Error("the token of a deleted profile is traced")
				}
			}
			for {
				done, err := h.PurgeProfile(t.Context(), profile.Profile{ID: who.ProfileID})
				must(t, err)
				if done {
					break
				}
			}
			if _, ok, err := h.byHash(t.Context(), Hash(m.Token)); ok || err != nil {
				t.Error("the token was not purged", err)
			}
		})
		t.Run("a token of somebody who may not act in the profile does nothing and says withdrawn", func(t *testing.T) {
			who, other := h.person(t), h.person(t)
			if _, err := h.Mint(t.Context(), who, MintInput{Profile: who.ProfileID, Account: other.AccountID, Name: "x"}); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			m := h.mint(t, who, MintInput{})
			_, err := h.db.Exec(t.Context(), `UPDATE token SET created_by = $1 WHERE id = $2`, other.AccountID, m.ID) // as after a transfer
			must(t, err)
			_, err = h.Authenticate(t.Context(), m.Token, "")
			want(t, err, fault.Unauthorized, "Authorization Denied")
			if tr, ok := h.Trace(t.Context(), m.Token); !ok || tr.Dead != "withdrawn" {
				t.Errorf("%+v %v", tr, ok)
			}
		})
		t.Run("a token of a blocked account does nothing until it is unblocked", func(t *testing.T) {
			h.person(t)
			who := h.person(t)
			m := h.mint(t, who, MintInput{})
			a, err := h.accounts.Get(t.Context(), who.AccountID)
			must(t, err)
			_, err = h.accounts.SetBlocked(t.Context(), auth.SystemCaller(), a.Email, true)
			must(t, err)
			_, err = h.Authenticate(t.Context(), m.Token, "")
			want(t, err, fault.Unauthorized, "Authorization Denied")
			_, err = h.accounts.SetBlocked(t.Context(), auth.SystemCaller(), a.Email, false)
			must(t, err)
			_, err = h.Authenticate(t.Context(), m.Token, "")
			must(t, err)
		})
	})
}

func TestMint(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := h.person(t)
		past := h.clk.Now()
		for name, c := range map[string]struct {
			in   MintInput
			code fault.Code
			part string
		}{
			"without a name":                 {MintInput{}, fault.Invalid, "name: is required"},
			"with a blank name":              {MintInput{Name: "  "}, fault.Invalid, "name: is required"},
			"with a name that is too long":   {MintInput{Name: strings.Repeat("é", 101)}, fault.Invalid, "name: must have at most 100 characters, has 101"},
			"with a control character":       {MintInput{Name: "a\x07"}, fault.Invalid, "name: must not contain control characters"},
			"with broken text":               {MintInput{Name: "a\xff"}, fault.Invalid, "name: is not valid text"},
			"with an unknown permission":     {MintInput{Name: "a", Permission: "root"}, fault.Invalid, "permission: must be"},
			"with an unknown reach":          {MintInput{Name: "a", Reach: "world"}, fault.Invalid, "reach: must be"},
			"with a past expiry":             {MintInput{Name: "a", Expires: &past}, fault.Invalid, "expire_time: must be in the future"},
			"with a serial that is too long": {MintInput{Name: "a", Serial: strings.Repeat("9", 101)}, fault.Invalid, "serie_number: must have at most"},
		} {
			t.Run(name+" is refused", func(t *testing.T) {
				c.in.Profile = who.ProfileID
				_, err := h.Mint(t.Context(), who, c.in)
				want(t, err, c.code, c.part)
			})
		}
		t.Run("the audit log tells of it without the secret", func(t *testing.T) {
			m := h.mint(t, who, MintInput{Name: "audited", Reach: auth.ReachAccount})
			es, err := h.log.List(t.Context(), who.ProfileID, audit.Filter{ResourceID: string(m.ID)})
			must(t, err)
			if len(es) != 1 || !strings.Contains(es[0].Message, "audited") || !strings.Contains(string(es[0].After), `"reach":"account"`) ||
				strings.Contains(string(es[0].After), strings.TrimPrefix(m.Token, "p-")) {
				t.Fatalf("%+v", es)
			}
		})
		t.Run("at 1,000 live tokens another is refused, expired ones do not count", func(t *testing.T) {
			at := h.clk.Now().Add(time.Minute)
			h.mint(t, who, MintInput{Expires: &at})
			h.clk.Advance(time.Hour)
			have, err := h.countLive(t.Context(), who.ProfileID, auth.Profile, "", h.now())
			must(t, err)
			for range 10 - have%10 {
				h.mint(t, who, MintInput{})
				have++
			}
			var rows []any
			for i := range maxLive - have {
				tok := Token{ID: id.New[id.Token](), hash: Hash(newRaw()), Kind: auth.Profile, Profile: who.ProfileID, Name: fmt.Sprint(i), CreatedAt: 1}
				rows = append(rows, tok.ID, tok.hash, tok.Kind, tok.Profile)
			}
			const cols, most = 4, 10
			for i := 0; i < len(rows); i += cols * most {
				part := rows[i : i+cols*most]
				q := `INSERT INTO token (id, hash, kind, profile_id, tail, device_id, created_by, name, permission, reach, serial, verification_code, sealed, expires_at, last_use, created_at, ended_at)
					SELECT column1, column2, column3, column4, '', '', '', 'x', 'full', 'profile', '', '', '', 0, 0, 1, 0 FROM (VALUES ` + sqldb.Rows(1, most, cols) + `) AS v`
				_, err := h.db.Exec(t.Context(), q, part...)
				must(t, err)
			}
			tok, err := h.list(t.Context(), sqldb.NewWhere("profile_id = ? AND kind = ? AND ended_at = 0 AND expires_at = 0", who.ProfileID, auth.Profile), "id", 1, 0)
			must(t, err)
			last := tok[0]
			_, err = h.Mint(t.Context(), who, MintInput{Profile: who.ProfileID, Name: "one too many"})
			want(t, err, fault.LimitReached, "You have exceeded the maximum limit of tokens (1000)")
			h.deviceToken(t, who, id.New[id.Device](), DeviceInput{}) // devices count on their own
			must(t, h.DeleteProfileToken(t.Context(), who, who.ProfileID, string(last.ID)))
			h.mint(t, who, MintInput{})
		})
	})
}

func TestSerial(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t), h.person(t)
		d := id.New[id.Device]()
		m := h.deviceToken(t, a, d, DeviceInput{Serial: "SN-1"})
		t.Run("it is unique within a profile, and the refusal names it", func(t *testing.T) {
			_, err := h.CreateDevice(t.Context(), a, a.ProfileID, id.New[id.Device](), DeviceInput{Name: "x", Serial: "SN-1"})
			want(t, err, fault.Conflict, `serie_number: "SN-1"`)
		})
		t.Run("another profile may use it", func(t *testing.T) {
			h.deviceToken(t, b, id.New[id.Device](), DeviceInput{Serial: "SN-1"})
		})
		t.Run("it finds its device, in its profile only", func(t *testing.T) {
			for like, n := range map[string]int{"SN-1": 1, "sn-%": 1, "SN_1": 1, "x": 0} {
				ds, err := h.DevicesBySerial(t.Context(), a.ProfileID, like)
				must(t, err)
				if len(ds) != n || n == 1 && ds[0] != d {
					t.Errorf("%s: %v", like, ds)
				}
			}
		})
		t.Run("it is free again when its token ends or expires", func(t *testing.T) {
			_, err := h.DeleteDeviceToken(t.Context(), a, a.ProfileID, m.Token)
			must(t, err)
			at := h.clk.Now().Add(time.Minute)
			h.deviceToken(t, a, d, DeviceInput{Serial: "SN-1", Expires: &at})
			h.clk.Advance(time.Hour)
			h.deviceToken(t, a, d, DeviceInput{Serial: "SN-1"})
		})
	})
}

func TestIsolation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t), h.person(t)
		m, d := h.mint(t, a, MintInput{}), h.deviceToken(t, a, id.New[id.Device](), DeviceInput{})
		for _, ref := range []string{m.Token, "p-" + string(m.ID), string(m.ID), d.Token, string(d.ID)} {
			want(t, h.DeleteProfileToken(t.Context(), b, b.ProfileID, ref), fault.NotFound, "Token Not Found")
			_, err := h.DeleteDeviceToken(t.Context(), b, b.ProfileID, ref)
			want(t, err, fault.NotFound, "Token Not Found")
			_, err = h.Get(t.Context(), b.ProfileID, auth.Profile, id.Token(ref))
			want(t, err, fault.NotFound, "Token Not Found")
		}
		want(t, h.DeleteProfileToken(t.Context(), a, a.ProfileID, d.Token), fault.NotFound, "Token Not Found")
		for _, s := range []string{m.Token, d.Token} {
			_, err := h.Authenticate(t.Context(), s, "")
			must(t, err)
		}
	})
}

func TestSwitch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t), h.person(t)
		second := h.profile(t, a)
		m := h.mint(t, a, MintInput{Reach: auth.ReachAccount, Serial: "S"})
		c, err := h.Authenticate(t.Context(), m.Token, "")
		must(t, err)
		t.Run("to a profile of somebody else is not found, whether or not it exists", func(t *testing.T) {
			want(t, h.Switch(t.Context(), c, b.ProfileID), fault.NotFound, "Profile Not Found")
			want(t, h.Switch(t.Context(), c, id.New[id.Profile]()), fault.NotFound, "Profile Not Found")
			want(t, h.Switch(t.Context(), c, "nonsense"), fault.NotFound, "Profile Not Found")
		})
		t.Run("a token of reach profile is denied", func(t *testing.T) {
			narrow, err := h.Authenticate(t.Context(), h.mint(t, a, MintInput{}).Token, "")
			must(t, err)
			want(t, h.Switch(t.Context(), narrow, second), fault.Unauthorized, "Authorization Denied")
		})
		t.Run("a session is told what to do instead", func(t *testing.T) {
			want(t, h.Switch(t.Context(), a, second), fault.Invalid, "Profile-Id")
		})
		t.Run("the token acts in the target from the next request on, and in the former profile no more", func(t *testing.T) {
			other := a
			other.ProfileID = second
			_, err := h.Mint(t.Context(), a, MintInput{Profile: second, Name: "same serial", Serial: "S"})
			must(t, err)
			must(t, h.Switch(t.Context(), c, second))
			c, err := h.Authenticate(t.Context(), m.Token, "")
			must(t, err)
			if c.ProfileID != second {
				t.Fatal(c)
			}
			want(t, h.DeleteProfileToken(t.Context(), a, a.ProfileID, m.Token), fault.NotFound, "Token Not Found")
			tok, err := h.Get(t.Context(), second, auth.Profile, m.ID)
			must(t, err)
			if tok.Serial != "" {
				t.Error("the serial number came along although it was in use there")
			}
			for _, p := range []id.Profile{a.ProfileID, second} {
				es, err := h.log.List(t.Context(), p, audit.Filter{ResourceID: string(m.ID), Find: "another profile"})
				must(t, err)
				if len(es) != 1 {
					t.Errorf("%s has %d audit entries of the switch", p, len(es))
				}
			}
		})
	})
}

func TestLastAddress(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		buyer := h.person(t)
		m := h.token(t, h.owner, "script", MintInput{})
		address := func(who auth.Caller) string {
			t.Helper()
			tok, err := h.Get(t.Context(), h.owner.ProfileID, auth.Profile, m.ID)
			must(t, err)
			r, err := h.row(who, tok)
			must(t, err)
			return deref(r.LastAddr)
		}
		t.Run("is known at once, and after it was written", func(t *testing.T) {
			if got := address(h.owner); got != "" {
				t.Error(got)
			}
			_, err := h.Authenticate(t.Context(), m.Token, "192.0.2.7")
			must(t, err)
			if got := address(h.owner); got != "192.0.2.7" {
				t.Error(got)
			}
			must(t, h.Flush(t.Context()))
			if got := address(h.owner); got != "192.0.2.7" {
				t.Error(got)
			}
		})
		t.Run("is not told to viewers", func(t *testing.T) {
			viewer := h.person(t)
			if viewer.Role = auth.Viewer; address(viewer) != "" {
				t.Error(address(viewer))
			}
		})
		t.Run("is not told to a new owner who takes the token over, not even when it is written afterwards", func(t *testing.T) {
			h.clk.Advance(time.Second)
			_, err := h.Authenticate(t.Context(), m.Token, "192.0.2.8")
			must(t, err)
			_, _, err = h.pass(t, buyer.AccountID, nil, map[id.Token]Fate{m.ID: Adopt})
			must(t, err)
			if got := address(buyer); got != "" {
				t.Error(got)
			}
			must(t, h.Flush(t.Context()))
			if got := address(buyer); got != "" {
				t.Error(got)
			}
			h.clk.Advance(time.Second)
			_, err = h.Authenticate(t.Context(), m.Token, "192.0.2.9")
			must(t, err)
			buyer.Role = auth.Owner
			if got := address(buyer); got != "192.0.2.9" {
				t.Error(got)
			}
		})
	})
}

func TestLastUse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := h.person(t)
		tokens := make([]Minted, 3)
		for i := range tokens {
			tokens[i] = h.mint(t, who, MintInput{})
		}
		stored := func(i int) int64 {
			tok, ok, err := h.byHash(t.Context(), Hash(tokens[i].Token))
			must(t, err)
			if !ok {
				t.Fatal("gone")
			}
			return tok.LastUse
		}
		for i := range 2 {
			h.clk.Advance(time.Second)
			_, err := h.Authenticate(t.Context(), tokens[i].Token, "")
			must(t, err)
		}
		if stored(0) != 0 {
			t.Error("a use was written on the way of the request")
		}
		tok, err := h.Get(t.Context(), who.ProfileID, auth.Profile, tokens[1].ID)
		must(t, err)
		if tok.LastUse != clock.Millis(h.clk.Now()) {
			t.Error("the use in memory is not shown")
		}
		must(t, h.Flush(t.Context()))
		if now := clock.Millis(h.clk.Now()); stored(0) != now-1000 || stored(1) != now || stored(2) != 0 {
			t.Error(stored(0), stored(1), stored(2))
		}
		t.Run("an older use that arrives late moves nothing back", func(t *testing.T) {
			must(t, h.writeUse(t.Context(), []use{{id: tokens[1].ID, at: 5}}))
			if stored(1) == 5 {
				t.Error("moved back")
			}
		})
		must(t, h.Flush(t.Context()))
	})
}

func TestTrace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := h.person(t)
		at := h.clk.Now().Add(time.Hour)
		live, revoked, old := h.mint(t, who, MintInput{}), h.mint(t, who, MintInput{}), h.mint(t, who, MintInput{Expires: &at})
		d := id.New[id.Device]()
		dev := h.deviceToken(t, who, d, DeviceInput{})
		must(t, h.DeleteProfileToken(t.Context(), who, who.ProfileID, revoked.Token))
		must(t, h.EndDevice(t.Context(), who.ProfileID, d))
		h.clk.Advance(time.Hour)
		for _, c := range []struct {
			token, dead string
			device      id.Device
		}{{live.Token, "", ""}, {revoked.Token, "revoked", ""}, {old.Token, "expired", ""}, {dev.Token, "revoked", d}} {
			tr, ok := h.Trace(t.Context(), c.token)
			if !ok || tr.Dead != c.dead || tr.Profile != who.ProfileID || tr.Device != c.device || tr.Tail != Tail(c.token) {
				t.Errorf("%+v, want %s", tr, c.dead)
			}
		}
		stranger := newRaw()
		h.Authenticate(t.Context(), stranger, "")
		if _, ok := h.Trace(t.Context(), stranger); ok || !h.strange.has(Hash(stranger)) {
			t.Error("a stranger is traced")
		}
		t.Run("after 90 days tombstones are forgotten, live tokens stay", func(t *testing.T) {
			h.clk.Advance(keepEnded - time.Hour)
			_, err := h.Purge(t.Context())
			must(t, err)
			if _, ok, _ := h.byHash(t.Context(), Hash(old.Token)); !ok {
				t.Error("forgotten too early")
			}
			h.clk.Advance(2 * time.Hour)
			for done := false; !done; {
				var err error
				done, err = h.Purge(t.Context())
				must(t, err)
			}
			for s, want := range map[string]bool{live.Token: true, revoked.Token: false, old.Token: false, dev.Token: false} {
				if _, ok, err := h.byHash(t.Context(), Hash(s)); ok != want || err != nil {
					t.Errorf("%s is there: %v %v", s, ok, err)
				}
			}
		})
	})
}

func TestSecrets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := h.person(t)
		d := id.New[id.Device]()
		full, read := h.deviceToken(t, who, d, DeviceInput{}), h.deviceToken(t, who, d, DeviceInput{Permission: auth.Read})
		shown := func(caller auth.Permission, m Minted) string {
			t.Helper()
			tok, err := h.Get(t.Context(), who.ProfileID, auth.Device, m.ID)
			must(t, err)
			c := who
			c.Permission = caller
			s, err := h.secret(c, tok)
			must(t, err)
			return s
		}
		t.Run("a device token comes back to a caller that may do as much", func(t *testing.T) {
			if shown(auth.Full, full) != full.Token || shown(auth.Full, read) != read.Token || shown(auth.Read, read) != read.Token {
				t.Error("the secret was not shown")
			}
		})
		t.Run("a reading caller is given the handle of a token that may write", func(t *testing.T) {
			if shown(auth.Read, full) != string(full.ID) {
				t.Error("reading became a way to write")
			}
		})
		t.Run("the database holds no secret in the clear", func(t *testing.T) {
			p := h.mint(t, who, MintInput{})
			rows, err := sqldb.All(t.Context(), h.db, func(r sqldb.Scanner) (s string, err error) {
				var a, b, c string
				err = r.Scan(&a, &b, &c)
				return a + b + c, err
			}, `SELECT hash, sealed, tail FROM token`)
			must(t, err)
			for _, r := range rows {
				for _, m := range []Minted{full, read, p} {
					if strings.Contains(r, Raw(m.Token)) {
						t.Error("found", r)
					}
				}
			}
		})
		t.Run("resealing moves everything to the new key", func(t *testing.T) {
			next := New(h.db, h.accounts, h.profiles, h.log, sealer(t, keyB+","+keyA), h.clk)
			n, err := next.Reseal(t.Context())
			must(t, err)
			if n != 2 {
				t.Error(n)
			}
			h.sealer = sealer(t, keyB)
			if shown(auth.Full, full) != full.Token {
				t.Error("not readable with the new key alone")
			}
		})
	})
}

func TestTail(t *testing.T) {
	for in, want := range map[string]string{"": "", "short": "", "p-3f0e1c2d-aaaa-4bbb-8ccc-0123456789ab": "89ab"} {
		if got := Tail(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
