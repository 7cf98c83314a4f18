package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// How much guessing is borne. Every wrong password past the free ones locks for twice as long as the one
// before. The owner of a locked account gets in by recovering the password, or by an operator.
const (
	freeByAccount = 5  // wrong passwords in a row
	freeByAddr    = 50 // from one address, whatever the account
	firstLock     = time.Minute
	longestLock   = 15 * time.Minute
	forgetAfter   = time.Hour // without a wrong password

	freeGuesses = 20 // secrets of links that exist nowhere, from one address

	mailsByAddr   = 30 // requested letters an hour from one address
	signupsByAddr = 100
	mailSpacing   = 2 * time.Minute // between two letters of a kind to one mailbox
	window        = time.Hour
)

// accountKey counts by e-mail, so that an unknown one locks like a known one. It is hashed: a table of what
// people mistyped is nobody's business.
func accountKey(email string) string { return "account/" + short(email) }

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// addrKey counts IPv6 by its first 64 bits: a household or server has that many addresses to itself.
func addrKey(kind, addr string) string {
	if a, err := netip.ParseAddr(addr); err == nil {
		a = a.Unmap().WithZone("")
		if a.Is6() {
			if p, err := a.Prefix(64); err == nil {
				return kind + "/" + p.Masked().String()
			}
		}
		addr = a.String()
	}
	return kind + "/" + addr
}

// keysOf are what a wrong password counts against. Without an address (the command line) only the account.
func keysOf(email, addr string) []string {
	keys := []string{accountKey(email)}
	if addr != "" {
		keys = append(keys, addrKey("addr", addr))
	}
	return keys
}

type lock struct {
	count, until, updated int64
}

func scanLock(r sqldb.Scanner) (l lock, err error) {
	return l, r.Scan(&l.count, &l.until, &l.updated)
}

func (s *Service) lock(ctx context.Context, key string) (lock, bool, error) {
	l, ok, err := sqldb.One(ctx, s.db, scanLock, "SELECT count, until, updated_at FROM account_lock WHERE key = $1", key)
	if err != nil {
		return l, false, fmt.Errorf("read a lock: %w", err)
	}
	return l, ok, nil
}

// locked returns TooMany, saying of what there were too many, while one of the keys is locked, and whether the first has wrong passwords behind it.
func (s *Service) locked(ctx context.Context, keys []string, what string) (tried bool, err error) {
	now := s.clock.Now()
	for i, key := range keys {
		l, ok, err := s.lock(ctx, key)
		if err != nil {
			return false, err
		}
		tried = tried || i == 0 && ok
		if wait := clock.FromMillis(l.until).Sub(now); ok && wait > 0 {
			wait = max(wait.Round(time.Second), time.Second)
			return false, fault.New(fault.TooMany, "Too many wrong %s; try again in %d seconds", what, int(wait.Seconds())).After(wait)
		}
	}
	return tried, nil
}

// wrong counts a wrong password or code, of an account ("" for an e-mail that has none), against the keys and locks those
// that had too many. It is counted even when the caller has hung up: who does so early must not guess for free.
func (s *Service) wrong(ctx context.Context, keys []string, a id.Account, addr, kind string) error {
	ctx = context.WithoutCancel(ctx)
	now := s.clock.Now()
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		for i, key := range keys {
			free := int64(freeByAccount)
			if i > 0 {
				free = freeByAddr
			}
			if err := s.miss(ctx, key, free, now); err != nil {
				return err
			}
		}
		return s.noteFailure(ctx, a, addr, kind)
	})
	if err != nil {
		return fmt.Errorf("count a wrong password: %w", err)
	}
	return nil
}

// forgiveKey forgets what was counted by a key.
func (s *Service) forgiveKey(ctx context.Context, key string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM account_lock WHERE key = $1", key); err != nil {
		return fmt.Errorf("forgive: %w", err)
	}
	return nil
}

// miss counts one more miss against a key and locks it when the free ones are used up. It needs a transaction.
func (s *Service) miss(ctx context.Context, key string, free int64, now time.Time) error {
	const q = `INSERT INTO account_lock (key, count, until, updated_at) VALUES ($1, 1, 0, $2)
		ON CONFLICT (key) DO UPDATE SET count = CASE WHEN account_lock.updated_at < $3 THEN 1 ELSE account_lock.count + 1 END, updated_at = $4
		RETURNING count`
	count, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], q, key, clock.Millis(now), clock.Millis(now.Add(-forgetAfter)), clock.Millis(now))
	if err != nil || count < free {
		return err
	}
	until := clock.Millis(now.Add(min(firstLock<<min(count-free, 10), longestLock)))
	_, err = s.db.Exec(ctx, "UPDATE account_lock SET until = $1 WHERE key = $2", until, key)
	return err
}

// MayGuess returns TooMany while an address is barred that has presented too many secrets of a kind that exist nowhere;
// see Guessed.
func (s *Service) MayGuess(ctx context.Context, kind, addr string) error {
	if addr == "" {
		return nil
	}
	l, ok, err := s.lock(ctx, addrKey("guess/"+kind, addr))
	if err != nil {
		return err
	}
	if wait := clock.FromMillis(l.until).Sub(s.clock.Now()); ok && wait > 0 {
		wait = max(wait.Round(time.Second), time.Second)
		return fault.New(fault.TooMany, "Too many links that do not exist; try again in %d seconds", int(wait.Seconds())).After(wait)
	}
	return nil
}

// Guessed counts a secret of a kind that exists nowhere against the address that presented it, whether or not the
// caller waits for the answer.
func (s *Service) Guessed(ctx context.Context, kind, addr string) error {
	if addr == "" {
		return nil
	}
	return s.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return s.miss(ctx, addrKey("guess/"+kind, addr), freeGuesses, s.clock.Now())
	})
}

// Allow counts a use of something in an hour that begins with the first, under a key of the caller's choice, and
// returns TooMany with the message past most. It needs a transaction, whose end by that fault takes the count back.
func (s *Service) Allow(ctx context.Context, kind, key string, most int64, message string) error {
	return s.allow(ctx, kind+"/"+short(key), most, message)
}

// forgive forgets the wrong passwords of an e-mail, not those of an address: its owner may have many.
func (s *Service) forgive(ctx context.Context, email string) (bool, error) {
	n, err := s.db.Exec(ctx, "DELETE FROM account_lock WHERE key = $1", accountKey(email))
	if err != nil {
		return false, fmt.Errorf("forget wrong passwords: %w", err)
	}
	return n > 0, nil
}

// allow counts a use in an hour that begins with the first, and returns TooMany past most. It needs a
// transaction, whose end by that fault takes the count back.
func (s *Service) allow(ctx context.Context, key string, most int64, message string) error {
	now := s.clock.Now()
	ms, end := clock.Millis(now), clock.Millis(now.Add(window))
	const q = `INSERT INTO account_lock (key, count, until, updated_at) VALUES ($1, 1, $2, $3)
		ON CONFLICT (key) DO UPDATE SET count = CASE WHEN account_lock.until <= $4 THEN 1 ELSE account_lock.count + 1 END,
			until = CASE WHEN account_lock.until <= $5 THEN $6 ELSE account_lock.until END, updated_at = $7
		RETURNING count, until, updated_at`
	l, _, err := sqldb.One(ctx, s.db, scanLock, q, key, end, ms, ms, ms, end, ms)
	if err != nil {
		return fmt.Errorf("count a use: %w", err)
	}
	if l.count > most {
		return fault.New(fault.TooMany, "%s", message).After(clock.FromMillis(l.until).Sub(now))
	}
	return nil
}

// mayMail counts a letter that somebody asked for without proof of who they are: by address, with TooMany past
// its share, and by mailbox and kind, with false when one has just gone out. It writes in either case, so that
// both take the same time. It needs a transaction.
func (s *Service) mayMail(ctx context.Context, kind, email, addr string) (bool, error) {
	if addr != "" {
		if err := s.allow(ctx, addrKey("mails", addr), mailsByAddr, "Too many letters were asked for from this address; try again later"); err != nil {
			return false, err
		}
	}
	key := "mailbox/" + kind + "/" + short(email)
	l, ok, err := s.lock(ctx, key)
	if err != nil {
		return false, err
	}
	now := s.clock.Now()
	if ok && clock.FromMillis(l.updated).Add(mailSpacing).After(now) {
		_, err := s.db.Exec(ctx, "UPDATE account_lock SET count = count + 1 WHERE key = $1", key)
		return false, err
	}
	const q = `INSERT INTO account_lock (key, count, until, updated_at) VALUES ($1, 1, 0, $2)
		ON CONFLICT (key) DO UPDATE SET count = 1, updated_at = $3`
	_, err = s.db.Exec(ctx, q, key, clock.Millis(now), clock.Millis(now))
	return true, err
}

// turns lets one caller at a time try the password of an account, so that many guesses sent at once are
// judged one after the other.
type turns struct {
	mu sync.Mutex
	m  map[string]*turn
}

type turn struct {
	busy  chan struct{} // holds one token
	users int
}

const maxTurns = 32 // in line for one account

func (t *turns) take(ctx context.Context, key string) (release func(), err error) {
	t.mu.Lock()
	if t.m == nil {
		t.m = map[string]*turn{}
	}
	u := t.m[key]
	if u == nil {
		u = &turn{busy: make(chan struct{}, 1)}
		t.m[key] = u
	}
	if u.users >= maxTurns {
		t.mu.Unlock()
		return nil, fault.New(fault.TooMany, "Too many sign-ins to one account at once; try again").After(time.Second)
	}
	u.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if u.users--; u.users == 0 {
			delete(t.m, key)
		}
	}
	select {
	case u.busy <- struct{}{}:
		return func() { <-u.busy; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
