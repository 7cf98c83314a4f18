package account

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of accounts, sessions, links and locks.
func Migrations() sqldb.Source { return sqldb.Source{Room: "account", FS: migrations} }

// Signup says who may make an account by themselves.
type Signup string

const (
	Invite Signup = "invite" // who was invited; see Service.Invited
	Open   Signup = "open"   // everybody
	Closed Signup = "closed" // nobody: accounts are made on the command line
)

// Config is what the room must know of the installation.
type Config struct {
	Signup      Signup        // Invite when empty
	PublicURL   string        // where links in mails lead, "https://paddock.example.com"; no slash at the end
	Name        string        // of the installation, in mails; "Paddock" when empty
	DefaultPlan func() string // of a new account; "house" when nil
	// Plan looks a plan up in the catalogue, which lies to the left of this room: the word that clients of
	// TagoIO are told, and false for a plan that does not exist. When nil every plan exists and is told as it is.
	Plan func(name string) (reported string, ok bool)
	// TermsUntil reads when terms change by themselves next after an instant, both in UTC milliseconds: 0 for never. It
	// returns an error for terms that cannot be read. When nil they never do.
	TermsUntil func(terms string, now int64) (int64, error)
	Log        *slog.Logger // slog.Default() when nil
	Files      blob.Store   // where pictures are kept; must not be nil where people upload some
	// SessionIdle and SessionMax are how long a session lives without a request and in any case; DefaultSessionIdle
	// and DefaultSessionMax when 0.
	SessionIdle, SessionMax time.Duration
	Sealer                  *seal.Sealer // of second factors, which are not offered when nil
	// HashMemory is what a hash of a password takes, in KiB: 19 MiB when 0. Only tests, which make hundreds of accounts, take less.
	HashMemory uint32
}

// Hook is called inside the transaction that changes an account; its error undoes the change.
type Hook func(ctx context.Context, who auth.Caller, a id.Account) error

// CacheKind and SessionKind name changes of accounts and sessions, for whoever keeps what they may do; the keys are the
// account's id and seal.Hash of the cookie.
const (
	CacheKind   = "account"
	SessionKind = "session"
)

// Service keeps accounts. It is safe for concurrent use once the hooks are registered.
type Service struct {
	db     *sqldb.DB
	audit  *audit.Log
	mail   *mail.Mailer
	cfg    Config
	clock  clock.Clock
	hasher *hasher
	sealer *seal.Sealer
	turns  turns

	accounts *sqldb.Cache[Account]     // by id
	sessions *sqldb.Cache[liveSession] // by hash of the cookie
	usedMu   sync.Mutex
	used     map[string]int64 // hash → last use as far as this process knows
	unsaved  map[string]bool  // those of used that Flush must write

	onDelete, onPlan []Hook
	holdings         func(ctx context.Context, a id.Account) ([]Holding, error)
	invited          func(ctx context.Context, email string) (bool, error)
}

// New makes the room.
func New(db *sqldb.DB, log *audit.Log, mailer *mail.Mailer, cfg Config, clk clock.Clock) *Service {
	if cfg.Signup == "" {
		cfg.Signup = Invite
	}
	if cfg.Name == "" {
		cfg.Name = "Paddock"
	}
	if cfg.DefaultPlan == nil {
		cfg.DefaultPlan = func() string { return "house" }
	}
	if cfg.Plan == nil {
		cfg.Plan = func(name string) (string, bool) { return name, true }
	}
	if cfg.TermsUntil == nil {
		cfg.TermsUntil = func(string, int64) (int64, error) { return 0, nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.SessionIdle == 0 {
		cfg.SessionIdle = DefaultSessionIdle
	}
	if cfg.SessionMax == 0 {
		cfg.SessionMax = DefaultSessionMax
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Service{db: db, audit: log, mail: mailer, cfg: cfg, clock: clk, hasher: newHasher(cmp.Or(cfg.HashMemory, hashMemory)), sealer: cfg.Sealer, used: map[string]int64{}, unsaved: map[string]bool{}}
	s.accounts = sqldb.NewCache(db, CacheKind, 20_000, func(ctx context.Context, key string) (Account, error) {
		a, ok, err := s.byID(ctx, id.Account(key))
		if err == nil && !ok {
			err = notFound
		}
		return a, err
	})
	s.sessions = sqldb.NewCache(db, SessionKind, 20_000, s.loadSession)
	return s
}

// OnDelete registers a hook of a later room for the deletion of an account; before the server starts.
func (s *Service) OnDelete(h Hook) { s.onDelete = append(s.onDelete, h) }

// OnPlan registers a hook of a later room for an account's change of plan; before the server starts.
func (s *Service) OnPlan(h Hook) { s.onPlan = append(s.onPlan, h) }

// Invited registers who knows the invitations that let people sign up in the mode Invite; any of those registered will do.
func (s *Service) Invited(f func(ctx context.Context, email string) (bool, error)) {
	earlier := s.invited
	s.invited = func(ctx context.Context, email string) (bool, error) {
		if earlier != nil {
			if yes, err := earlier(ctx, email); yes || err != nil {
				return yes, err
			}
		}
		return f(ctx, email)
	}
}

var (
	notFound           = fault.New(fault.NotFound, "Account Not Found")
	invalidCredentials = fault.New(fault.Unauthorized, "Invalid credentials")
	invalidPassword    = fault.New(fault.Unauthorized, "Invalid password")
	unconfirmed        = fault.New(fault.Forbidden, "Confirm your e-mail first: we sent you a letter with a link")
	blocked            = fault.New(fault.Forbidden, "This account is blocked; ask whoever runs this server")
	badLink            = fault.Field("token", "this link is not valid; it was used already or has expired")
	signUpClosed       = fault.New(fault.Forbidden, "Signing up is closed; ask whoever runs this server for an account")
	lastOperator       = fault.New(fault.Conflict, "The last operator of this server must stay; make another account operator first")
)

// ErrTaken is a conflict: the e-mail has an account. Sign-ups of strangers must not show it, see SignUp.
var ErrTaken = fault.New(fault.Conflict, "email: there is an account with this e-mail already")

// Get returns an account, mostly from memory, or not_found.
func (s *Service) Get(ctx context.Context, a id.Account) (Account, error) {
	return s.accounts.Get(ctx, string(a))
}

// ByEmail returns the account of an e-mail in any case of letters, or not_found.
func (s *Service) ByEmail(ctx context.Context, email string) (Account, error) {
	a, ok, err := s.byEmail(ctx, strings.ToLower(strings.TrimSpace(email)))
	if err == nil && !ok {
		err = notFound
	}
	return a, err
}

// Empty reports whether there is no account at all: the server waits to be set up.
func (s *Service) Empty(ctx context.Context) (bool, error) {
	n, err := s.count(ctx, 1)
	return n == 0, err
}

// Signup is the mode of sign-up.
func (s *Service) Signup() Signup { return s.cfg.Signup }

// Prepare validates the input and hashes its password, outside of any transaction, for Create or UseSetup.
func (s *Service) Prepare(ctx context.Context, who auth.Caller, in CreateInput) (CreateInput, error) {
	if err := in.Validate(); err != nil {
		return in, err
	}
	if in.Plan != "" {
		if _, ok := s.cfg.Plan(in.Plan); !ok {
			return in, fault.Field("plan", "there is no plan %q", in.Plan)
		}
	}
	hash, err := s.hasher.hash(ctx, who.Addr, in.Password)
	in.hash = hash
	return in, err
}

// Create makes an account. Paddock itself (the command line) may always, and its first one is operator; such
// accounts need no confirmation. Anybody else is subject to the mode of sign-up, gets the default plan, and
// with a mail server configured must confirm the e-mail before signing in; the letter is queued here.
//
// It returns invalid naming the field, forbidden when the mode does not allow it, or ErrTaken. Call Prepare
// first when a transaction is open.
func (s *Service) Create(ctx context.Context, who auth.Caller, in CreateInput) (Account, error) {
	if in.hash == "" {
		var err error
		if in, err = s.Prepare(ctx, who, in); err != nil {
			return Account{}, err
		}
	}
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		empty, err := s.Empty(ctx)
		if err != nil {
			return err
		}
		own := who.Kind == auth.System
		if !own {
			if err := s.maySignUp(ctx, in.Email, empty); err != nil {
				return err
			}
			in.Plan = ""
		}
		a, err = s.create(ctx, who, in, own && empty, own || !s.mail.Configured())
		return err
	})
	return a, err
}

// Join makes an account for a person whom somebody invited and whose address is proven, or need not be. It needs no
// confirmation and gets the default plan. It returns invalid naming the field, forbidden where sign-up is closed, or
// ErrTaken. Call Prepare first: it belongs into the transaction that uses up the invitation.
func (s *Service) Join(ctx context.Context, who auth.Caller, in CreateInput) (Account, error) {
	if s.cfg.Signup == Closed {
		return Account{}, signUpClosed
	}
	in.Plan = ""
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) (err error) {
		a, err = s.create(ctx, who, in, false, true)
		return err
	})
	return a, err
}

// MailProves reports whether letters leave by a mail server, so that who holds the link of one has read the mailbox.
// Without, they wait for an operator, and addresses count as they are given.
func (s *Service) MailProves() bool { return s.mail.Configured() }

func (s *Service) maySignUp(ctx context.Context, email string, empty bool) error {
	if empty {
		return fault.New(fault.Forbidden, "This server has not been set up; open the setup link that it printed when it started")
	}
	switch s.cfg.Signup {
	case Open:
	case Invite:
		invited := false
		if s.invited != nil {
			var err error
			if invited, err = s.invited(ctx, email); err != nil {
				return err
			}
		}
		if !invited {
			return fault.New(fault.Forbidden, "Signing up here takes an invitation; ask whoever runs this server")
		}
	default:
		return signUpClosed
	}
	return nil
}

func (s *Service) create(ctx context.Context, who auth.Caller, in CreateInput, operator, active bool) (Account, error) {
	now := s.clock.Now().UTC().Truncate(time.Millisecond)
	a := Account{ID: id.New[id.Account](), Name: in.Name, Email: in.Email, Company: text(in.Company), Phone: text(in.Phone), Language: in.Language,
		Timezone: in.Timezone, Newsletter: in.Newsletter, Developer: in.Developer, Options: defaultOptions(), Plan: in.Plan,
		Operator: operator, Active: active, CreatedAt: now, UpdatedAt: now}
	if a.Plan == "" {
		a.Plan = s.cfg.DefaultPlan()
	}
	fresh, err := s.insert(ctx, a, in.hash)
	if err != nil {
		return a, err
	}
	if !fresh {
		return a, ErrTaken
	}
	if !active {
		if err := s.sendConfirmation(ctx, a); err != nil {
			return a, err
		}
	}
	return a, s.record(ctx, who, a.ID, "Account created", nil, view(a))
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// SignUp is the whole of POST /account: it prepares, creates and calls then, which makes the first profile, in
// one transaction. When new accounts have to be confirmed by mail, an e-mail that has an account gets the same
// answer as a new one and a letter that says so; otherwise ErrTaken. The answer is a sentence for the person.
// TooMany refuses an address that signs up again and again.
func (s *Service) SignUp(ctx context.Context, who auth.Caller, in CreateInput, then func(ctx context.Context, a Account) error) (string, error) {
	began := time.Now()
	if err := in.Validate(); err != nil {
		return "", err
	}
	if who.Addr != "" {
		err := s.db.Tx(ctx, func(ctx context.Context) error {
			return s.allow(ctx, addrKey("signup", who.Addr), signupsByAddr, "Too many sign-ups from this address; try again later")
		})
		if err != nil {
			return "", err
		}
	}
	in, err := s.Prepare(ctx, who, in)
	if err != nil {
		return "", err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		a, err := s.Create(ctx, who, in)
		if err != nil {
			return err
		}
		return then(ctx, a)
	})
	if !s.mail.Configured() {
		if err != nil {
			return "", err
		}
		return "Account Successfully Created", nil
	}
	if errors.Is(err, ErrTaken) {
		err = s.tellTaken(ctx, who, in.Email)
	}
	if err != nil {
		return "", err
	}
	evenly(ctx, began)
	return "Account Successfully Created. Confirm it by the link in the letter that we sent you", nil
}

// SetupToken makes a token for the link that makes the first account. It works until one of them is used; at
// most ten are kept. It returns conflict when there is an account.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	var token string
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.mustBeEmpty(ctx); err != nil {
			return err
		}
		var err error
		if token, err = s.newLink(ctx, linkSetup, "", "", 100*365*24*time.Hour); err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `DELETE FROM account_link WHERE kind = $1 AND hash NOT IN
			(SELECT hash FROM account_link WHERE kind = $2 ORDER BY created_at DESC, hash LIMIT 10)`, string(linkSetup), string(linkSetup))
		return err
	})
	return token, err
}

var alreadySetUp = fault.New(fault.Conflict, "This server has been set up already; sign in instead")

func (s *Service) mustBeEmpty(ctx context.Context) error {
	empty, err := s.Empty(ctx)
	if err == nil && !empty {
		return alreadySetUp
	}
	return err
}

// CheckSetup returns nil when token is a setup link that works, else the fault that UseSetup would return.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	if err := s.mustBeEmpty(ctx); err != nil {
		return err
	}
	_, ok, err := sqldb.One(ctx, s.db, sqldb.Value[string], "SELECT hash FROM account_link WHERE hash = $1 AND kind = $2", seal.Hash(token), string(linkSetup))
	if err == nil && !ok {
		return badLink
	}
	return err
}

// UseSetup makes the first account, an operator, with a token of SetupToken. It returns invalid for a token
// that does not work, conflict when there is an account. Of two that come at once one gets it. Call Prepare
// first when a transaction is open.
func (s *Service) UseSetup(ctx context.Context, who auth.Caller, token string, in CreateInput) (Account, error) {
	if in.hash == "" {
		var err error
		if in, err = s.Prepare(ctx, who, in); err != nil {
			return Account{}, err
		}
	}
	in.Plan = ""
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.mustBeEmpty(ctx); err != nil {
			return err
		}
		if _, err := s.takeLink(ctx, linkSetup, token); err != nil {
			return err
		}
		// Taking all links of the kind makes a second use of another one wait for this transaction and fail.
		if _, err := s.db.Exec(ctx, "DELETE FROM account_link WHERE kind = $1", string(linkSetup)); err != nil {
			return err
		}
		var err error
		a, err = s.create(ctx, who, in, true, true)
		return err
	})
	return a, err
}

// CheckPassword returns the account of an e-mail and its password. It returns unauthorized "Invalid credentials"
// when they do not fit, TooMany after too many wrong ones, and forbidden (only for the right password) when
// the account is blocked or not confirmed. Unknown e-mails take as long and lock like known ones. It does not ask for
// the code of a second factor: what lets somebody in calls ProveByEmail.
func (s *Service) CheckPassword(ctx context.Context, email, password, addr string) (Account, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return Account{}, fault.Field("email", "must not be empty")
	}
	a, err := s.check(ctx, email, password, addr, func(ctx context.Context) (withHash, bool, error) { return s.hashByEmail(ctx, email) }, invalidCredentials)
	if err != nil {
		return Account{}, err
	}
	if a.Blocked {
		return Account{}, blocked
	}
	if !a.Active {
		return Account{}, unconfirmed
	}
	return a, nil
}

// VerifyPassword returns nil when password is the account's. Otherwise unauthorized "Invalid password", or
// TooMany after too many wrong ones. It does not ask for the code of a second factor: see Prove.
func (s *Service) VerifyPassword(ctx context.Context, a id.Account, password, addr string) error {
	_, err := s.verifyPassword(ctx, a, password, addr)
	return err
}

// verifyPassword is VerifyPassword that returns the account as the database has it.
func (s *Service) verifyPassword(ctx context.Context, a id.Account, password, addr string) (Account, error) {
	acc, err := s.Get(ctx, a)
	if err != nil {
		return Account{}, err
	}
	return s.check(ctx, acc.Email, password, addr, func(ctx context.Context) (withHash, bool, error) { return s.hashByEmail(ctx, acc.Email) }, invalidPassword)
}

func (s *Service) check(ctx context.Context, email, password, addr string, load func(context.Context) (withHash, bool, error), wrong *fault.Error) (Account, error) {
	if password == "" {
		return Account{}, fault.Field("password", "must not be empty")
	}
	if len(password) > 4*MaxPassword || len(email) > 320 {
		return Account{}, wrong
	}
	keys := keysOf(email, addr)
	release, err := s.turns.take(ctx, keys[0])
	if err != nil {
		return Account{}, err
	}
	defer release()
	tried, err := s.locked(ctx, keys, "passwords")
	if err != nil {
		return Account{}, err
	}
	w, found, err := load(ctx)
	if err != nil {
		return Account{}, err
	}
	stored := s.hasher.nobody()
	if found {
		stored = w.hash
	}
	ok, stale, err := s.hasher.verify(ctx, addr, password, stored)
	if err != nil {
		return Account{}, err
	}
	if !ok || !found {
		if err := s.wrong(ctx, keys, w.ID, addr, wrongPassword); err != nil {
			return Account{}, err
		}
		return Account{}, wrong
	}
	if tried {
		if _, err := s.forgive(ctx, email); err != nil {
			return Account{}, err
		}
	}
	if stale {
		s.rehash(ctx, w, password, addr)
	}
	return w.Account, nil
}

// rehash renews a hash made at another cost. It is a favour: its failure costs nothing.
func (s *Service) rehash(ctx context.Context, w withHash, password, addr string) {
	hash, err := s.hasher.hash(ctx, addr, password)
	if err == nil {
		_, err = s.db.Exec(ctx, "UPDATE account SET password_hash = $1 WHERE id = $2 AND password_hash = $3", hash, string(w.ID), w.hash)
	}
	if err != nil {
		s.cfg.Log.Warn("account", "at", "renewing a password hash", "account", w.ID, "error", err)
	}
}

// Login is ProveByEmail for a person who signs in: it also notes the time and leaves an audit event.
func (s *Service) Login(ctx context.Context, email string, p Proof) (Account, error) {
	a, err := s.ProveByEmail(ctx, email, p)
	if err != nil {
		return a, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error { return s.noteLogin(ctx, &a, p.Addr) })
	return a, err
}

func (s *Service) noteLogin(ctx context.Context, a *Account, addr string) error {
	now := s.clock.Now().UTC().Truncate(time.Millisecond)
	if _, err := s.db.Exec(ctx, "UPDATE account SET last_login = $1 WHERE id = $2", clock.Millis(now), string(a.ID)); err != nil {
		return fmt.Errorf("note a login: %w", err)
	}
	a.LastLogin = &now
	if err := s.db.Changed(ctx, CacheKind, string(a.ID)); err != nil {
		return err
	}
	return s.record(ctx, auth.Caller{Kind: auth.Session, AccountID: a.ID, Addr: addr}, a.ID, "Signed in", nil, nil)
}

// Update changes the account of the caller. It returns invalid naming the field.
func (s *Service) Update(ctx context.Context, who auth.Caller, u Update) (Account, error) {
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		var ok bool
		var err error
		if a, ok, err = s.hold(ctx, who.AccountID); err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		before := view(a)
		if err := u.apply(&a); err != nil {
			return err
		}
		a.UpdatedAt = s.clock.Now().UTC().Truncate(time.Millisecond)
		if err := s.save(ctx, a); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, "Account edited", before, view(a))
	})
	return a, err
}

// ChangePassword sets the caller's password, ends the other sessions, voids outstanding links and tells the
// owner by mail. A session must give the current password; a token may. It returns invalid for a password
// that is too short, unauthorized "Invalid password" for a wrong current one.
func (s *Service) ChangePassword(ctx context.Context, who auth.Caller, password, current string) error {
	a, err := s.Get(ctx, who.AccountID)
	if err != nil {
		return err
	}
	if err := checkPassword("password", password, a.Email); err != nil {
		return err
	}
	if current != "" || who.Kind == auth.Session {
		if current == "" {
			return fault.Field("current_password", "must not be empty")
		}
		if err := s.VerifyPassword(ctx, who.AccountID, current, who.Addr); err != nil {
			return err
		}
	}
	return s.setPassword(ctx, who, a, password, who.SessionID, "Password changed")
}

// setPassword hashes outside and writes inside a transaction. keep is the session that stays.
func (s *Service) setPassword(ctx context.Context, who auth.Caller, a Account, password string, keep id.Session, message string) error {
	hash, err := s.hasher.hash(ctx, who.Addr, password)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error { return s.replacePassword(ctx, who, a, hash, keep, message) })
}

func (s *Service) replacePassword(ctx context.Context, who auth.Caller, a Account, hash string, keep id.Session, message string) error {
	if err := s.setHash(ctx, a.ID, hash, s.clock.Now()); err != nil {
		return err
	}
	if err := s.endSessions(ctx, a.ID, keep); err != nil {
		return err
	}
	if err := s.dropLinks(ctx, a.ID); err != nil {
		return err
	}
	if _, err := s.forgive(ctx, a.Email); err != nil {
		return err
	}
	if err := s.tellPassword(ctx, a, who.Addr); err != nil {
		return err
	}
	return s.record(ctx, who, a.ID, message, nil, nil)
}

// Delete removes the caller's account with everything that hooks remove, if the proof is right. Without a
// password it deletes nothing and mails a link that asks for confirmation; it then returns false. It returns
// conflict for the last operator, and the faults of Prove.
func (s *Service) Delete(ctx context.Context, who auth.Caller, p Proof) (deleted bool, err error) {
	a, err := s.Get(ctx, who.AccountID)
	if err != nil {
		return false, err
	}
	if p.Password == "" {
		return false, s.askDelete(ctx, who, a)
	}
	if err := s.Prove(ctx, a.ID, p); err != nil {
		return false, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error { return s.remove(ctx, who, a.ID, true) })
	return err == nil, err
}

// remove deletes an account inside a transaction. The audit log keeps its id only.
func (s *Service) remove(ctx context.Context, who auth.Caller, account id.Account, tell bool) error {
	a, ok, err := s.hold(ctx, account)
	if err != nil {
		return err
	}
	if !ok {
		return notFound
	}
	if a.Operator {
		if err := s.notLastOperator(ctx, a.ID); err != nil {
			return err
		}
	}
	var gone []Holding // counted before it goes, for the letter
	if tell {
		if gone, err = s.Holdings(ctx, a.ID); err != nil {
			return err
		}
	}
	for _, h := range s.onDelete {
		if err := h(ctx, who, a.ID); err != nil {
			return err
		}
	}
	if _, err := s.dropFactor(ctx, a.ID); err != nil {
		return err
	}
	if err := s.endSessions(ctx, a.ID, ""); err != nil {
		return err
	}
	if err := s.dropLinks(ctx, a.ID); err != nil {
		return err
	}
	if _, err := s.forgive(ctx, a.Email); err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, "DELETE FROM account_failure WHERE account = $1", string(a.ID)); err != nil {
		return fmt.Errorf("forget failed sign-ins: %w", err)
	}
	s.dropPicture(ctx, a)
	if _, err := s.db.Exec(ctx, "DELETE FROM account WHERE id = $1", string(a.ID)); err != nil {
		return fmt.Errorf("delete an account: %w", err)
	}
	if err := s.db.Changed(ctx, CacheKind, string(a.ID)); err != nil {
		return err
	}
	if tell {
		if err := s.tellDeleted(ctx, a, gone); err != nil {
			return err
		}
	}
	return s.record(ctx, who, a.ID, "Account deleted", nil, nil)
}

// notLastOperator returns conflict when there is no other operator. It touches the rows of all operators, so
// that on PostgreSQL two who leave at once come one after the other.
func (s *Service) notLastOperator(ctx context.Context, a id.Account) error {
	n, err := s.db.Exec(ctx, "UPDATE account SET operator = $1 WHERE operator = $2", true, true)
	if err != nil {
		return fmt.Errorf("count operators: %w", err)
	}
	if n < 2 {
		return lastOperator
	}
	return nil
}

// otherOperators reports whether somebody else is operator.
func (s *Service) otherOperators(ctx context.Context, a id.Account) (bool, error) {
	_, ok, err := sqldb.One(ctx, s.db, sqldb.Value[string], "SELECT id FROM account WHERE operator = $1 AND id <> $2 LIMIT 1", true, string(a))
	if err != nil {
		return false, fmt.Errorf("read operators: %w", err)
	}
	return ok, nil
}

// record leaves an audit event about an account.
func (s *Service) record(ctx context.Context, who auth.Caller, a id.Account, message string, before, after any) error {
	return s.audit.Write(ctx, who, audit.Event{Account: a, Resource: "account", ResourceID: string(a), Message: message, Before: before, After: after})
}

// view is what the audit log keeps of an account.
func view(a Account) map[string]any {
	return map[string]any{"name": a.Name, "email": a.Email, "company": a.Company, "phone": a.Phone, "language": a.Language, "timezone": a.Timezone,
		"newsletter": a.Newsletter, "options": a.Options, "plan": a.Plan, "operator": a.Operator, "active": a.Active, "blocked": a.Blocked}
}
