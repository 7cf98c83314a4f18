package account

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
)

// How long a session lives unless Config says otherwise.
const (
	DefaultSessionIdle = 3 * time.Hour  // without a request
	DefaultSessionMax  = 24 * time.Hour // in any case

	maxSessions = 50 // of one account; the oldest make room
	maxAgent    = 300
	flushRows   = 500
)

// liveSession is a session with what its account decides about it.
type liveSession struct {
	Session
	operator bool
	barred   bool // the account is blocked or not confirmed
}

const liveColumns = `SELECT s.id, s.account_id, s.addr, s.agent, s.created_at, s.last_used_at, a.operator, a.blocked, a.active
	FROM session s JOIN account a ON a.id = s.account_id`

func (s *Service) scanLive(r sqldb.Scanner) (l liveSession, err error) {
	var created, used int64
	var blocked, active bool
	err = r.Scan(&l.ID, &l.Account, &l.Addr, &l.Agent, &created, &used, &l.operator, &blocked, &active)
	l.barred = blocked || !active
	l.CreatedAt, l.LastUsedAt = clock.FromMillis(created), clock.FromMillis(used)
	l.ExpiresAt = l.CreatedAt.Add(s.cfg.SessionMax)
	return l, err
}

func (s *Service) loadSession(ctx context.Context, hash string) (liveSession, error) {
	l, ok, err := sqldb.One(ctx, s.db, s.scanLive, liveColumns+" WHERE s.hash = $1", hash)
	if err != nil {
		return l, fmt.Errorf("read a session: %w", err)
	}
	if !ok {
		return l, auth.Denied()
	}
	return l, nil
}

// StartSession signs a browser in and returns the value of its cookie. The caller has checked the password.
func (s *Service) StartSession(ctx context.Context, a Account, addr, agent string) (cookie string, _ Session, err error) {
	cookie = seal.Secret()
	now := s.clock.Now().UTC().Truncate(time.Millisecond)
	agent, lineErr := checkLine("agent", agent, maxAgent)
	if lineErr != nil {
		agent = ""
	}
	session := Session{ID: id.New[id.Session](), Account: a.ID, Addr: addr, Agent: agent, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(s.cfg.SessionMax)}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.makeRoom(ctx, a.ID); err != nil {
			return err
		}
		const q = `INSERT INTO session (hash, id, account_id, addr, agent, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
		if _, err := s.db.Exec(ctx, q, seal.Hash(cookie), string(session.ID), string(a.ID), addr, agent, clock.Millis(now), clock.Millis(now)); err != nil {
			return fmt.Errorf("store a session: %w", err)
		}
		return s.noteLogin(ctx, &a, addr)
	})
	return cookie, session, err
}

// makeRoom ends the oldest sessions of an account that has too many.
func (s *Service) makeRoom(ctx context.Context, a id.Account) error {
	old, err := sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT hash FROM session WHERE account_id = $1 ORDER BY created_at DESC, hash LIMIT 1000 OFFSET $2",
		string(a), int64(maxSessions-1))
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	return s.dropSessions(ctx, old)
}

// Session returns who presents a cookie, and notes the use. The caller's profile is not set here. It returns
// unauthorized for a cookie that is unknown, ended, idle for too long or too old, or of a blocked account.
func (s *Service) Session(ctx context.Context, cookie string) (auth.Caller, error) {
	if cookie == "" || len(cookie) > 2*seal.SecretChars {
		return auth.Caller{}, auth.Denied()
	}
	hash := seal.Hash(cookie)
	l, err := s.sessions.Get(ctx, hash)
	if err != nil {
		return auth.Caller{}, err
	}
	now := s.clock.Now()
	if l.barred || !now.Before(l.ExpiresAt) {
		return auth.Caller{}, auth.Denied()
	}
	if s.idle(hash, l.LastUsedAt, now) {
		// Another node may have seen it since.
		if l, err = s.loadSession(ctx, hash); err != nil {
			return auth.Caller{}, err
		}
		if s.idle(hash, l.LastUsedAt, now) {
			return auth.Caller{}, auth.Denied()
		}
	}
	s.touch(hash, now)
	return auth.Caller{Kind: auth.Session, AccountID: l.Account, SessionID: l.ID, Permission: auth.Full, Reach: auth.ReachAccount, Operator: l.operator}, nil
}

func (s *Service) idle(hash string, stored, now time.Time) bool {
	s.usedMu.Lock()
	defer s.usedMu.Unlock()
	last := max(clock.Millis(stored), s.used[hash])
	return clock.Millis(now)-last >= s.cfg.SessionIdle.Milliseconds()
}

func (s *Service) touch(hash string, now time.Time) {
	s.usedMu.Lock()
	defer s.usedMu.Unlock()
	s.used[hash] = clock.Millis(now)
	s.unsaved[hash] = true
}

// Flush writes when sessions were last used; call it every half minute and before the end. What it could not
// write it keeps for the next time.
func (s *Service) Flush(ctx context.Context) error {
	s.usedMu.Lock()
	now := clock.Millis(s.clock.Now())
	for hash, at := range s.used {
		if now-at >= s.cfg.SessionIdle.Milliseconds() && !s.unsaved[hash] {
			delete(s.used, hash)
		}
	}
	todo := make([]any, 0, 2*len(s.unsaved))
	for hash := range s.unsaved {
		todo = append(todo, hash, s.used[hash])
	}
	s.unsaved = map[string]bool{}
	s.usedMu.Unlock()
	for len(todo) > 0 {
		part := todo[:min(2*flushRows, len(todo))]
		q := "UPDATE session SET last_used_at = v.column2 FROM (VALUES " + sqldb.RowsOf(1, len(part)/2, "TEXT", "BIGINT") +
			") AS v WHERE session.hash = v.column1 AND session.last_used_at < v.column2"
		if _, err := s.db.Exec(ctx, q, part...); err != nil {
			s.usedMu.Lock()
			for i := 0; i < len(todo); i += 2 {
				s.unsaved[todo[i].(string)] = true
			}
			s.usedMu.Unlock()
			return fmt.Errorf("write the use of sessions: %w", err)
		}
		todo = todo[len(part):]
	}
	return nil
}

// Sessions lists the living sessions of the caller's account, the last used first.
func (s *Service) Sessions(ctx context.Context, who auth.Caller) ([]Session, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	return s.SessionsOf(ctx, who.AccountID)
}

// SessionsOf lists the living sessions of an account, the last used first, as far as their use has been written. The
// caller decides what of it to show to whom.
func (s *Service) SessionsOf(ctx context.Context, a id.Account) ([]Session, error) {
	now := s.clock.Now()
	live, err := sqldb.All(ctx, s.db, s.scanLive, liveColumns+" WHERE s.account_id = $1 AND s.created_at > $2 AND s.last_used_at > $3 ORDER BY s.last_used_at DESC, s.id",
		string(a), clock.Millis(now.Add(-s.cfg.SessionMax)), clock.Millis(now.Add(-s.cfg.SessionIdle)))
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	out := make([]Session, len(live))
	for i, l := range live {
		out[i] = l.Session
	}
	return out, nil
}

// EndSession ends one session of the caller's account, or returns not_found.
func (s *Service) EndSession(ctx context.Context, who auth.Caller, session id.Session) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		hash, ok, err := sqldb.One(ctx, s.db, sqldb.Value[string], "SELECT hash FROM session WHERE account_id = $1 AND id = $2", string(who.AccountID), string(session))
		if err != nil {
			return fmt.Errorf("read a session: %w", err)
		}
		if !ok {
			return fault.New(fault.NotFound, "Session Not Found")
		}
		if err := s.dropSessions(ctx, []string{hash}); err != nil {
			return err
		}
		message := "Session ended"
		if session == who.SessionID {
			message = "Signed out"
		}
		return s.record(ctx, who, who.AccountID, message, nil, nil)
	})
}

// EndOthers ends every session of the caller's account but the calling one.
func (s *Service) EndOthers(ctx context.Context, who auth.Caller) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.endSessions(ctx, who.AccountID, who.SessionID); err != nil {
			return err
		}
		return s.record(ctx, who, who.AccountID, "Other sessions ended", nil, nil)
	})
}

func (s *Service) endSessions(ctx context.Context, a id.Account, keep id.Session) error {
	hashes, err := sqldb.All(ctx, s.db, sqldb.Value[string], "SELECT hash FROM session WHERE account_id = $1 AND id <> $2", string(a), string(keep))
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	return s.dropSessions(ctx, hashes)
}

func (s *Service) dropSessions(ctx context.Context, hashes []string) error {
	for len(hashes) > 0 {
		part := hashes[:min(flushRows, len(hashes))]
		hashes = hashes[len(part):]
		args := make([]any, len(part))
		for i, h := range part {
			args[i] = h
		}
		if _, err := s.db.Exec(ctx, "DELETE FROM session WHERE hash IN ("+sqldb.Marks(1, len(part))+")", args...); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if err := s.db.Changed(ctx, SessionKind, part...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) sessionByID(ctx context.Context, a id.Account, session id.Session) (Session, error) {
	l, ok, err := sqldb.One(ctx, s.db, s.scanLive, liveColumns+" WHERE s.account_id = $1 AND s.id = $2", string(a), string(session))
	if err != nil {
		return Session{}, fmt.Errorf("read a session: %w", err)
	}
	if !ok {
		return Session{}, fault.New(fault.NotFound, "Session Not Found")
	}
	return l.Session, nil
}

// EndEverySession signs everybody out and takes back the links that were mailed, but those that confirm an e-mail: a
// database restored from a backup holds sessions that have ended since, and links that were used.
func (s *Service) EndEverySession(ctx context.Context) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, "DELETE FROM session"); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if _, err := s.db.Exec(ctx, "DELETE FROM account_link WHERE kind <> $1", string(linkConfirm)); err != nil {
			return fmt.Errorf("take links back: %w", err)
		}
		return nil
	})
}
