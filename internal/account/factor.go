package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

// Authenticator is the one kind of second factor there is: an app that shows a code for each half minute.
const Authenticator = "authenticator"

const (
	setupLife     = 15 * time.Minute // of a second factor that nobody confirmed
	stepSeconds   = 30               // how long the app shows a code
	skew          = 1                // steps that the clocks of app and server may differ by
	recoveryCodes = 10
	recoveryBytes = 10 // 80 random bits: as a plain hash nobody can search for them
	recoveryGroup = 4  // characters between two dashes
	maxCode       = 64
	maxIssuer     = 64
)

// Proof is what a person shows to prove who they are.
type Proof struct {
	Password string
	Code     string // of the app, or a recovery code; only judged when the account has a second factor
	Kind     string // of the second factor that Code belongs to; "" for the one that is on
	Addr     string // where the request comes from; "" for the command line
}

// codeNeeded answers the right password without the code. Clients of TagoIO parse the sentence.
var codeNeeded = fault.New(fault.Unauthorized, `{"otp_enabled":["`+Authenticator+`"],"otp_autosend":"`+Authenticator+`"}`)

var (
	badCode  = fault.New(fault.Unauthorized, "Invalid pin code")
	usedCode = fault.New(fault.Unauthorized, "Invalid pin code: this one has been used; wait for the next")

	factorOn      = fault.New(fault.Conflict, "The second factor is on already; disable it first")
	factorOff     = fault.New(fault.Conflict, "The second factor is not on")
	factorPending = fault.New(fault.Conflict, "There is no second factor to confirm, or its setup has expired; begin again")
)

// Prove returns nil when p is the account's password and, if the account has a second factor, a code of it. The
// password is judged first; its faults are those of VerifyPassword. Then unauthorized: without a code the
// sentence is a JSON object that names the factors, for a wrong or used one "Invalid pin code". TooMany after
// too many wrong ones. A code counts as used from here on, so this comes last before the act itself, and outside
// of any transaction.
func (s *Service) Prove(ctx context.Context, a id.Account, p Proof) error {
	acc, err := s.verifyPassword(ctx, a, p.Password, p.Addr)
	if err != nil {
		return err
	}
	return s.judge(ctx, acc, p)
}

// ProveByEmail is Prove for whoever is not signed in: it returns the account, and the faults of CheckPassword
// before those of the code.
func (s *Service) ProveByEmail(ctx context.Context, email string, p Proof) (Account, error) {
	a, err := s.CheckPassword(ctx, email, p.Password, p.Addr)
	if err != nil {
		return Account{}, err
	}
	if err := s.judge(ctx, a, p); err != nil {
		return Account{}, err
	}
	return a, nil
}

// judge judges the code of a proof whose password was right.
func (s *Service) judge(ctx context.Context, a Account, p Proof) error {
	switch {
	case !a.Factor:
		return nil
	case strings.TrimSpace(p.Code) == "":
		return codeNeeded
	case p.Kind != "" && p.Kind != Authenticator:
		return notOffered("otp_type", p.Kind)
	}
	err := s.try(ctx, a, p.Code, p.Addr, func(f factor) error {
		if f.confirmed == 0 {
			return errGone
		}
		return nil
	}, nil)
	if errors.Is(err, errGone) { // disabled since the account was read: the password was enough
		return nil
	}
	return err
}

// errGone ends a try whose factor is not there any more.
var errGone = errors.New("no such factor")

// notOffered is the answer to kinds of TagoIO that are not built here.
func notOffered(field, kind string) error {
	if kind == "sms" || kind == "email" {
		return fault.Field(field, "codes by %s are not offered here; use an authenticator app", kind)
	}
	return fault.Field(field, "must be %s", Authenticator)
}

func checkKind(field, kind string) error {
	if kind != Authenticator {
		return notOffered(field, kind)
	}
	return nil
}

type factor struct {
	account           id.Account
	sealed            string
	last              int64 // time step
	confirmed, expiry int64
}

func scanFactor(r sqldb.Scanner) (f factor, err error) {
	return f, r.Scan(&f.account, &f.sealed, &f.last, &f.confirmed, &f.expiry)
}

// holdFactor reads a factor for a transaction that judges a code of it: whoever else does waits until the end.
func (s *Service) holdFactor(ctx context.Context, a id.Account) (factor, bool, error) {
	if _, err := s.db.Exec(ctx, "UPDATE account_factor SET last_step = last_step WHERE account_id = $1 AND kind = $2", string(a), Authenticator); err != nil {
		return factor{}, false, fmt.Errorf("hold a second factor: %w", err)
	}
	f, ok, err := sqldb.One(ctx, s.db, scanFactor, "SELECT account_id, secret, last_step, confirmed_at, expires_at FROM account_factor WHERE account_id = $1 AND kind = $2",
		string(a), Authenticator)
	if err != nil {
		return f, false, fmt.Errorf("read a second factor: %w", err)
	}
	return f, ok, nil
}

// factorKey counts wrong codes. It is not the key of the password: whoever guesses codes knows that, and would
// be forgiven before each guess.
func factorKey(a id.Account) string { return "factor/" + string(a) }

// try judges a code against the factor of an account, once admit lets the factor pass, and does then in the same
// transaction. A wrong code is counted, also when the caller has hung up.
func (s *Service) try(ctx context.Context, a Account, code, addr string, admit func(f factor) error, then func(ctx context.Context) error) error {
	keys := []string{factorKey(a.ID)}
	if addr != "" {
		keys = append(keys, addrKey("addr", addr))
	}
	release, err := s.turns.take(ctx, keys[0])
	if err != nil {
		return err
	}
	defer release()
	var refused error
	err = s.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		refused = nil
		f, ok, err := s.holdFactor(ctx, a.ID)
		if err != nil {
			return err
		}
		if !ok {
			return errGone
		}
		if err := admit(f); err != nil {
			return err
		}
		tried, err := s.locked(ctx, keys, "codes")
		if err != nil {
			return err
		}
		if refused, err = s.spend(ctx, a, f, code, addr); err != nil {
			return err
		}
		if refused != nil {
			return s.wrongCode(ctx, a, keys, addr)
		}
		if tried {
			if err := s.forgiveKey(ctx, keys[0]); err != nil {
				return err
			}
		}
		if then != nil {
			return then(ctx)
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return err
}

// spend uses a code up, or says why it is refused.
func (s *Service) spend(ctx context.Context, a Account, f factor, code, addr string) (refused, err error) {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if len(code) > maxCode {
		return badCode, nil
	}
	if len(code) != otp.DigitsSix.Length() {
		return s.spendRecovery(ctx, a, f, code, addr)
	}
	secret, err := s.sealer.Open(f.sealed, aboutFactor(a.ID))
	if err != nil {
		return nil, fmt.Errorf("open a second factor: %w", err)
	}
	now := s.clock.Now().Unix() / stepSeconds
	hit := int64(-1)
	for step := now + skew; step >= now-skew; step-- { // all of them, found or not: equal work
		ok, err := hotp.ValidateCustom(code, uint64(max(step, 0)), secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return nil, fmt.Errorf("check a code: %w", err)
		}
		if ok && hit < 0 {
			hit = step
		}
	}
	if hit < 0 {
		return badCode, nil
	}
	n, err := s.db.Exec(ctx, "UPDATE account_factor SET last_step = $1 WHERE account_id = $2 AND kind = $3 AND last_step < $4", hit, string(a.ID), Authenticator, hit)
	if err != nil {
		return nil, fmt.Errorf("use a code: %w", err)
	}
	if n == 0 {
		return usedCode, nil
	}
	return nil, nil
}

// spendRecovery uses a recovery code up and tells the owner how many are left.
func (s *Service) spendRecovery(ctx context.Context, a Account, f factor, code, addr string) (refused, err error) {
	if f.confirmed == 0 {
		return badCode, nil // its codes do not exist yet
	}
	n, err := s.db.Exec(ctx, "DELETE FROM account_recovery WHERE account_id = $1 AND hash = $2", string(a.ID), recoveryHash(a.ID, code))
	if err != nil {
		return nil, fmt.Errorf("use a recovery code: %w", err)
	}
	if n == 0 {
		return badCode, nil
	}
	left, err := s.recoveryLeft(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, a.Email, mail.Letter{
		Subject: "a recovery code was used", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{fmt.Sprintf("somebody who knows your password used a recovery code of your account at %s in place of your authenticator app. %d of them are left.", s.cfg.Name, left)},
		After:      []string{"If it was not you, set a new password on the sign-in page at once and make new recovery codes."},
	})
	if err != nil {
		return nil, err
	}
	return nil, s.record(ctx, auth.Caller{Kind: auth.Session, AccountID: a.ID, Addr: addr}, a.ID, "Recovery code used", nil, map[string]any{"left": left})
}

// wrongCode counts a wrong code. Who tries many knows the password: the owner is told when the first lock falls.
func (s *Service) wrongCode(ctx context.Context, a Account, keys []string, addr string) error {
	if err := s.wrong(ctx, keys, a.ID, addr, wrongFactor); err != nil {
		return err
	}
	l, ok, err := s.lock(ctx, keys[0])
	if err != nil || !ok || l.count != freeByAccount {
		return err
	}
	from := ""
	if addr != "" {
		from = " from the address " + addr
	}
	return s.write(ctx, a.Email, mail.Letter{
		Subject: "wrong codes of your second factor", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{fmt.Sprintf("somebody%s gave the password of your account at %s and %d wrong codes of your second factor. They were not let in.", from, s.cfg.Name, freeByAccount)},
		After:      []string{"If it was not you, your password is known to somebody: set a new one on the sign-in page at once."},
	})
}

func aboutFactor(a id.Account) string { return "factor/" + string(a) }

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// newRecoveryCode is 80 random bits as "ABCD-EFGH-IJKL-MNOP".
func newRecoveryCode() string {
	b := make([]byte, recoveryBytes)
	rand.Read(b)
	code := base32Text.EncodeToString(b)
	var groups []string
	for ; code != ""; code = code[recoveryGroup:] {
		groups = append(groups, code[:recoveryGroup])
	}
	return strings.Join(groups, "-")
}

// recoveryHash is what is stored of a recovery code, given without dashes.
func recoveryHash(a id.Account, code string) string {
	return seal.Hash("recovery/" + string(a) + "/" + strings.ReplaceAll(code, "-", ""))
}

func (s *Service) recoveryLeft(ctx context.Context, a id.Account) (int64, error) {
	n, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], "SELECT COUNT(*) FROM account_recovery WHERE account_id = $1", string(a))
	if err != nil {
		return 0, fmt.Errorf("count recovery codes: %w", err)
	}
	return n, nil
}

// newRecovery replaces the recovery codes of an account in the transaction of ctx.
func (s *Service) newRecovery(ctx context.Context, a id.Account) ([]string, error) {
	if _, err := s.db.Exec(ctx, "DELETE FROM account_recovery WHERE account_id = $1", string(a)); err != nil {
		return nil, fmt.Errorf("void recovery codes: %w", err)
	}
	codes := make([]string, recoveryCodes)
	for i := range codes {
		codes[i] = newRecoveryCode()
		if _, err := s.db.Exec(ctx, "INSERT INTO account_recovery (account_id, hash) VALUES ($1, $2)", string(a), recoveryHash(a, codes[i])); err != nil {
			return nil, fmt.Errorf("store a recovery code: %w", err)
		}
	}
	return codes, nil
}

// FactorSetup is what an authenticator app is given. Nothing is asked of the account until it is confirmed.
type FactorSetup struct {
	Secret  string // base32, to type
	URL     string // otpauth://…
	QR      string // the same as an SVG picture
	Expires time.Time
}

// EnableFactor begins to give the caller's account a second factor, against the password. A setup that was begun
// before is void. It returns unauthorized for a wrong password or another account's e-mail, conflict when a factor
// is on.
func (s *Service) EnableFactor(ctx context.Context, who auth.Caller, email string, p Proof) (FactorSetup, error) {
	if s.sealer == nil {
		return FactorSetup{}, fault.New(fault.Forbidden, "Second factors are not offered here: the server has no key")
	}
	a, err := s.own(ctx, who, email, p)
	if err != nil {
		return FactorSetup{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer(s.cfg.Name), AccountName: a.Email, Period: stepSeconds, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return FactorSetup{}, fmt.Errorf("make a second factor: %w", err)
	}
	picture, err := qrSVG(key.URL())
	if err != nil {
		return FactorSetup{}, err
	}
	out := FactorSetup{Secret: key.Secret(), URL: key.URL(), QR: picture, Expires: s.clock.Now().Add(setupLife)}
	return out, s.db.Tx(ctx, func(ctx context.Context) error {
		const q = `INSERT INTO account_factor (account_id, kind, secret, last_step, confirmed_at, expires_at) VALUES ($1, $2, $3, 0, 0, $4)
			ON CONFLICT (account_id, kind) DO UPDATE SET secret = $5, last_step = 0, expires_at = $6 WHERE account_factor.confirmed_at = 0`
		sealed, expires := s.sealer.Seal(key.Secret(), aboutFactor(a.ID)), clock.Millis(out.Expires)
		n, err := s.db.Exec(ctx, q, string(a.ID), Authenticator, sealed, expires, sealed, expires)
		if err != nil {
			return fmt.Errorf("store a second factor: %w", err)
		}
		if n == 0 {
			return factorOn
		}
		return s.record(ctx, who, a.ID, "Second factor begun", nil, nil)
	})
}

// own judges the password of the caller's account, and its e-mail when one is given.
func (s *Service) own(ctx context.Context, who auth.Caller, email string, p Proof) (Account, error) {
	a, err := s.verifyPassword(ctx, who.AccountID, p.Password, p.Addr)
	if err != nil {
		return a, err
	}
	if email = strings.TrimSpace(email); email != "" && !strings.EqualFold(email, a.Email) {
		return a, invalidCredentials
	}
	return a, nil
}

// issuer is what an app shows above the code. A colon would end it.
func issuer(name string) string {
	name = strings.TrimSpace(strings.ReplaceAll(name, ":", " "))
	if r := []rune(name); len(r) > maxIssuer {
		name = string(r[:maxIssuer])
	}
	if name == "" {
		return "Paddock"
	}
	return name
}

// ConfirmFactor turns the second factor on that EnableFactor began, against a code of the app. It ends the other
// sessions, tells the owner by mail and returns the recovery codes, which cannot be read again. It returns conflict
// when nothing waits to be confirmed, unauthorized for a wrong code, TooMany after too many.
func (s *Service) ConfirmFactor(ctx context.Context, who auth.Caller, code string) ([]string, error) {
	a, err := s.Get(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(code) == "" {
		return nil, fault.Field("pin_code", "must not be empty")
	}
	var codes []string
	err = s.try(ctx, a, code, who.Addr, func(f factor) error {
		if f.confirmed > 0 {
			return factorOn
		}
		if f.expiry <= clock.Millis(s.clock.Now()) {
			return factorPending
		}
		return nil
	}, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, "UPDATE account_factor SET confirmed_at = $1, expires_at = 0 WHERE account_id = $2 AND kind = $3",
			clock.Millis(s.clock.Now()), string(a.ID), Authenticator); err != nil {
			return fmt.Errorf("confirm a second factor: %w", err)
		}
		var err error
		if codes, err = s.newRecovery(ctx, a.ID); err != nil {
			return err
		}
		return s.factorChanged(ctx, who, a, "Second factor enabled", "was turned on: signing in, making tokens and deleting now ask for a code of your authenticator app")
	})
	if errors.Is(err, errGone) {
		err = factorPending
	}
	return codes, err
}

// factorChanged ends the other sessions, tells the owner and leaves an audit event, in the transaction of ctx.
func (s *Service) factorChanged(ctx context.Context, who auth.Caller, a Account, message, what string) error {
	if err := s.endSessions(ctx, a.ID, who.SessionID); err != nil {
		return err
	}
	if err := s.changed(ctx, a.ID); err != nil {
		return err
	}
	from := ""
	if who.Addr != "" {
		from = " This was done from the address " + who.Addr + "."
	}
	err := s.write(ctx, a.Email, mail.Letter{
		Subject: "your second factor was changed", Greeting: "Hello " + a.Name + ",",
		Paragraphs: []string{"the second factor of your account at " + s.cfg.Name + " " + what + "." + from + " Other browsers are not signed in any more."},
		After:      []string{"If it was not you, set a new password on the sign-in page at once, look through your tokens, and ask whoever runs the server."},
	})
	if err != nil {
		return err
	}
	return s.record(ctx, who, a.ID, message, nil, nil)
}

// DisableFactor takes the second factor off the caller's account, against password and code. It ends the other
// sessions and tells the owner by mail. It returns conflict when none is on, else the faults of Prove.
func (s *Service) DisableFactor(ctx context.Context, who auth.Caller, email string, p Proof) error {
	a, err := s.own(ctx, who, email, p)
	if err != nil {
		return err
	}
	if !a.Factor {
		return factorOff
	}
	if err := s.judge(ctx, a, p); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		had, err := s.dropFactor(ctx, a.ID)
		if err != nil {
			return err
		}
		if !had {
			return factorOff
		}
		return s.factorChanged(ctx, who, a, "Second factor disabled", "was turned off: the password alone signs in")
	})
}

// RenewRecovery replaces the recovery codes, against password and code. It returns conflict without a second
// factor, else the faults of Prove.
func (s *Service) RenewRecovery(ctx context.Context, who auth.Caller, p Proof) ([]string, error) {
	a, err := s.own(ctx, who, "", p)
	if err != nil {
		return nil, err
	}
	if !a.Factor {
		return nil, factorOff
	}
	if err := s.judge(ctx, a, p); err != nil {
		return nil, err
	}
	var codes []string
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		f, ok, err := s.holdFactor(ctx, a.ID)
		if err != nil {
			return err
		}
		if !ok || f.confirmed == 0 { // disabled a moment ago
			return factorOff
		}
		if codes, err = s.newRecovery(ctx, a.ID); err != nil {
			return err
		}
		return s.factorChanged(ctx, who, a, "Recovery codes renewed", "has new recovery codes; the old ones do not work any more")
	})
	return codes, err
}

// FactorState is what an account's owner sees of the second factor.
type FactorState struct {
	On       bool
	Since    time.Time // zero when off
	Recovery int64     // codes left
}

// Factor tells the state of an account's second factor.
func (s *Service) Factor(ctx context.Context, a id.Account) (FactorState, error) {
	at, on, err := sqldb.One(ctx, s.db, sqldb.Value[int64], "SELECT confirmed_at FROM account_factor WHERE account_id = $1 AND kind = $2 AND confirmed_at > 0", string(a), Authenticator)
	if err != nil {
		return FactorState{}, fmt.Errorf("read a second factor: %w", err)
	}
	if !on {
		return FactorState{}, nil
	}
	left, err := s.recoveryLeft(ctx, a)
	return FactorState{On: true, Since: clock.FromMillis(at), Recovery: left}, err
}

// ResetFactor takes the second factor off an account whose owner lost the app and the recovery codes. It ends all
// sessions and tells the owner by mail. It returns whether there was one, or not_found.
func (s *Service) ResetFactor(ctx context.Context, who auth.Caller, email string) (had bool, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		a, err := s.ByEmail(ctx, email)
		if err != nil {
			return err
		}
		if had, err = s.dropFactor(ctx, a.ID); err != nil || !had {
			return err
		}
		return s.factorChanged(ctx, who, a, "Second factor removed by an operator", "was removed by whoever runs the server: the password alone signs in")
	})
	return had, err
}

// dropFactor removes all that is kept of an account's second factor, and says whether one was on.
func (s *Service) dropFactor(ctx context.Context, a id.Account) (bool, error) {
	f, ok, err := s.holdFactor(ctx, a)
	if err != nil {
		return false, err
	}
	for _, q := range []string{"DELETE FROM account_factor WHERE account_id = $1", "DELETE FROM account_recovery WHERE account_id = $1"} {
		if _, err := s.db.Exec(ctx, q, string(a)); err != nil {
			return false, fmt.Errorf("remove a second factor: %w", err)
		}
	}
	return ok && f.confirmed > 0, s.forgiveKey(ctx, factorKey(a))
}

// Reseal seals with the first key what another key sealed, and returns how many secrets that were.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	changed := 0
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		changed = 0
		all, err := sqldb.All(ctx, s.db, scanFactor, "SELECT account_id, secret, last_step, confirmed_at, expires_at FROM account_factor")
		if err != nil {
			return fmt.Errorf("read second factors: %w", err)
		}
		for _, f := range all {
			if !s.sealer.Stale(f.sealed) {
				continue
			}
			secret, err := s.sealer.Open(f.sealed, aboutFactor(f.account))
			if err != nil {
				return fmt.Errorf("second factor of account %s: %w", f.account, err)
			}
			// Only what was read is replaced: a setup may have begun meanwhile, with the new key.
			if _, err := s.db.Exec(ctx, "UPDATE account_factor SET secret = $1 WHERE account_id = $2 AND secret = $3", s.sealer.Seal(secret, aboutFactor(f.account)), string(f.account), f.sealed); err != nil {
				return fmt.Errorf("seal a second factor: %w", err)
			}
			changed++
		}
		return nil
	})
	return changed, err
}
