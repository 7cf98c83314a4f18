package token

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
	"paddock/internal/team"
)

const (
	flushEvery  = 10 * time.Second
	flushRows   = 500
	purgeRows   = 500
	cacheTokens = 100_000
)

// CacheKind names changes of tokens, for whoever keeps what they may do; the key is Hash.
const CacheKind = "token"

// Service mints, finds and ends tokens. It is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	audit    *audit.Log
	sealer   *seal.Sealer
	clk      clock.Clock
	notify   *notify.Service // see TellExpiry

	cache *sqldb.Cache[Token] // by hash
	gate  func(ctx context.Context, p id.Profile, d id.Device) error
	info  map[auth.Kind]InfoFunc
	teams *team.Service // nil: owners only

	mu      sync.Mutex
	used    map[id.Token]use // last uses not written yet
	strange strangers
}

// InfoFunc answers GET /info for one kind of caller.
type InfoFunc func(ctx context.Context, who auth.Caller) (any, error)

// New makes the room. Jobs, GateDevice and Info come before serving.
func New(db *sqldb.DB, accounts *account.Service, profiles *profile.Service, log *audit.Log, sealer *seal.Sealer, clk clock.Clock) *Service {
	s := &Service{db: db, accounts: accounts, profiles: profiles, audit: log, sealer: sealer, clk: clk,
		info: map[auth.Kind]InfoFunc{}, used: map[id.Token]use{}}
	s.cache = sqldb.NewCache(db, CacheKind, cacheTokens, func(ctx context.Context, hash string) (Token, error) {
		t, ok, err := s.byHash(ctx, hash)
		if err == nil && !ok {
			err = auth.Denied()
		}
		return t, err
	})
	profiles.OnRestore(s.restored)
	return s
}

// GateDevice registers what a device token must pass at each use besides being alive: the device room refuses
// devices that are gone or switched off.
func (s *Service) GateDevice(f func(ctx context.Context, p id.Profile, d id.Device) error) {
	s.gate = f
}

// Info registers who answers GET /info for a kind of caller.
func (s *Service) Info(kind auth.Kind, f InfoFunc) { s.info[kind] = f }

// Jobs names the periodic work of this room: writing last uses, forgetting old tombstones. Call Flush once
// more when the server stops.
func (s *Service) Jobs(r *job.Runner) {
	r.EachNode("token last use", flushEvery, s.Flush)
	if s.notify != nil {
		r.Every("tokens that expire", time.Minute, s.Warn)
	}
	r.Every("token purge", time.Hour, func(ctx context.Context) error {
		for {
			if done, err := s.Purge(ctx); done || err != nil {
				return err
			}
		}
	})
}

// Flush writes the last uses noted so far. What could not be written is kept for the next time.
func (s *Service) Flush(ctx context.Context) error {
	s.mu.Lock()
	used := s.used
	s.used = make(map[id.Token]use, len(used))
	s.mu.Unlock()
	uses := make([]use, 0, len(used))
	for _, u := range used {
		uses = append(uses, u)
	}
	slices.SortFunc(uses, func(a, b use) int { return strings.Compare(string(a.id), string(b.id)) })
	crash.At("uses of tokens taken, not written")
	for len(uses) > 0 {
		n := min(flushRows, len(uses))
		if err := s.writeUse(sqldb.As(ctx, ""), uses[:n]); err != nil {
			s.mu.Lock()
			for _, u := range uses {
				if s.used[u.id].at < u.at {
					s.used[u.id] = u
				}
			}
			s.mu.Unlock()
			return err
		}
		uses = uses[n:]
	}
	return nil
}

func (s *Service) now() int64 { return clock.Millis(s.clk.Now()) }

var errExpired = fault.New(fault.Unauthorized, "Token expired")

// Authenticate says who presents a token. It refuses with Unauthorized "Authorization Denied" what is
// unknown or revoked and what may not act in its profile any more, with "Token expired" what is too old, and
// with the answer of the device's gate what comes from a device that is switched off.
func (s *Service) Authenticate(ctx context.Context, presented, addr string) (auth.Caller, error) {
	if presented == "" || len(presented) > maxRaw {
		return auth.Caller{}, auth.Denied()
	}
	hash := Hash(presented)
	now := s.now()
	t, err := s.cache.Get(ctx, hash)
	switch {
	case err != nil:
		if fault.Is(err, fault.Unauthorized) {
			s.strange.add(hash)
		}
		return auth.Caller{}, err
	case t.EndedAt > 0:
		return auth.Caller{}, auth.Denied()
	case t.ExpiresAt > 0 && t.ExpiresAt <= now:
		return auth.Caller{}, errExpired
	}
	grant, err := s.alive(ctx, t)
	if err != nil {
		return auth.Caller{}, err
	}
	c := auth.Caller{Kind: t.Kind, AccountID: t.CreatedBy, DeviceID: t.Device, TokenID: t.ID, TokenName: t.Name,
		TokenTail: t.Tail, Permission: t.Permission, Reach: t.Reach, Adopted: t.Ceiling != nil, Addr: addr}.In(t.Profile, grant)
	if t.Kind == auth.Device {
		c.AccountID = ""
		if s.gate != nil {
			if err := s.gate(ctx, t.Profile, t.Device); err != nil {
				return auth.Caller{}, err
			}
		}
	}
	s.mu.Lock()
	s.used[t.ID] = use{t.ID, now, addr, t.CreatedBy}
	s.mu.Unlock()
	return c, nil
}

// alive is the ceiling: the profile is there, and whoever made a profile token is not blocked and may still
// act in it, with what was granted there.
func (s *Service) alive(ctx context.Context, t Token) (g auth.Grant, err error) {
	if t.Kind == auth.Profile {
		g, ok, err := s.profiles.Access(ctx, t.CreatedBy, t.Profile)
		if err != nil || !ok {
			return g, cmp.Or(err, auth.Denied())
		}
		a, err := s.accounts.Get(ctx, t.CreatedBy)
		if fault.Is(err, fault.NotFound) || err == nil && a.Blocked {
			err = auth.Denied()
		}
		if err == nil && t.Ceiling != nil {
			g, err = t.Ceiling.lower(g)
		}
		return g, err
	}
	p, err := s.profiles.Get(ctx, t.Profile)
	if fault.Is(err, fault.NotFound) {
		err = auth.Denied()
	}
	return auth.Grant{Owner: p.Account}, err
}

// access returns what an account may do in a profile, or not_found.
func (s *Service) access(ctx context.Context, a id.Account, p id.Profile) (auth.Grant, error) {
	g, ok, err := s.profiles.Access(ctx, a, p)
	if err == nil && !ok {
		err = profile.NotFound
	}
	return g, err
}

// Trace is what is known of a token that a request presented, whether or not it was let in.
type Trace struct {
	Kind    auth.Kind
	Profile id.Profile
	Device  id.Device // for device tokens
	Token   id.Token
	Name    string
	Tail    string
	Dead    string // "revoked", "expired", "withdrawn" (its maker lost access), or "" while the token lives
}

// Trace tells whose token a request presented, for the lists of refused requests. It answers from the cache
// that Authenticate filled, and false for a token that is not known or whose profile is gone.
func (s *Service) Trace(ctx context.Context, presented string) (Trace, bool) {
	if presented == "" || len(presented) > maxRaw {
		return Trace{}, false
	}
	hash := Hash(presented)
	if s.strange.has(hash) {
		return Trace{}, false
	}
	t, err := s.cache.Get(ctx, hash)
	if err != nil {
		return Trace{}, false
	}
	if _, err := s.profiles.Get(ctx, t.Profile); err != nil {
		return Trace{}, false
	}
	tr := Trace{Kind: t.Kind, Profile: t.Profile, Device: t.Device, Token: t.ID, Name: t.Name, Tail: t.Tail}
	switch {
	case t.EndedAt > 0:
		tr.Dead = "revoked"
	case t.ExpiresAt > 0 && t.ExpiresAt <= s.now():
		tr.Dead = "expired"
	default:
		if _, err := s.alive(ctx, t); fault.Is(err, fault.Unauthorized) {
			tr.Dead = "withdrawn"
		}
	}
	return tr, true
}

// strangers remembers hashes that were lately found to belong to no token, so that tracing a refused request
// does not ask the database a second time. It decides nothing about who is let in.
type strangers struct {
	mu    sync.Mutex
	slots [1024]string
}

func (s *strangers) slot(hash string) *string {
	var n uint32
	for i := range 8 {
		n = n*31 + uint32(hash[i])
	}
	return &s.slots[n%uint32(len(s.slots))]
}

func (s *strangers) add(hash string) {
	s.mu.Lock()
	*s.slot(hash) = hash
	s.mu.Unlock()
}

func (s *strangers) has(hash string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.slot(hash) == hash
}

// Mint makes a profile token, as the Tokens tab and `paddock token create` do. It checks no password. It
// returns not_found when the profile is gone or its maker may not act there, limit_reached at 1,000 live
// tokens and conflict for a serial number in use.
func (s *Service) Mint(ctx context.Context, who auth.Caller, in MintInput) (Minted, error) {
	if in.Permission == "" {
		in.Permission = auth.Full
	}
	if in.Reach == "" {
		in.Reach = auth.ReachProfile
	}
	if err := validate(in.Name, in.Permission, in.Serial, in.Code); err != nil {
		return Minted{}, err
	}
	if in.Reach != auth.ReachProfile && in.Reach != auth.ReachAccount {
		return Minted{}, fault.Field("reach", "must be profile or account")
	}
	raw := newRaw()
	t := Token{ID: id.New[id.Token](), Kind: auth.Profile, Profile: in.Profile, CreatedBy: in.Account, Name: in.Name,
		Permission: in.Permission, Reach: in.Reach, Serial: in.Serial, VerificationCode: in.Code}
	if err := s.expires(&t, in.Expires); err != nil {
		return Minted{}, err
	}
	err := s.db.Tx(sqldb.As(ctx, in.Profile), func(ctx context.Context) error {
		if t.CreatedBy == "" {
			p, err := s.profiles.Get(ctx, in.Profile)
			if err != nil {
				return err
			}
			t.CreatedBy = p.Account
		} else if _, err := s.access(ctx, t.CreatedBy, in.Profile); err != nil {
			return err
		}
		return s.store(ctx, who, t, raw)
	})
	return minted(t, raw), err
}

// CreateDevice makes a device token; the device room has checked that the device is there. Its faults are
// those of Mint.
func (s *Service) CreateDevice(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, in DeviceInput) (Minted, error) {
	if in.Permission == "" {
		in.Permission = auth.Full
	}
	if err := validate(in.Name, in.Permission, in.Serial, in.Code); err != nil {
		return Minted{}, err
	}
	raw := newRaw()
	t := Token{ID: id.New[id.Token](), Kind: auth.Device, Profile: p, Device: d, CreatedBy: who.AccountID, Name: in.Name,
		Permission: in.Permission, Reach: auth.ReachProfile, Serial: in.Serial, VerificationCode: in.Code}
	t.sealed = s.sealer.Seal(raw, about(t.ID))
	if err := s.expires(&t, in.Expires); err != nil {
		return Minted{}, err
	}
	err := s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error { return s.store(ctx, who, t, raw) })
	return minted(t, raw), err
}

func minted(t Token, raw string) Minted {
	if t.Kind == auth.Profile {
		raw = prefix + raw
	}
	return Minted{ID: t.ID, Token: raw, Name: t.Name, Permission: t.Permission, Reach: t.Reach, ExpiresAt: t.ExpiresAt}
}

// about binds a sealed token to its row.
func about(t id.Token) string { return "token/" + string(t) }

func (s *Service) expires(t *Token, at *time.Time) error {
	if at == nil {
		return nil
	}
	t.ExpiresAt = clock.Millis(*at)
	if t.ExpiresAt <= s.now() {
		return fault.Field("expire_time", "must be in the future")
	}
	return nil
}

// tooMany is the detail of a refusal at maxLive.
var tooMany = fault.Limit{Limit: "token", Scope: "profile", Used: maxLive, Allowed: maxLive, Hint: "Delete tokens that are not needed."}

// store counts, inserts and writes the audit entry, inside the caller's transaction.
func (s *Service) store(ctx context.Context, who auth.Caller, t Token, raw string) error {
	t.hash, t.Tail, t.CreatedAt = Hash(raw), Tail(raw), s.now()
	n, err := s.countLive(ctx, t.Profile, t.Kind, t.Device, t.CreatedAt)
	if err != nil {
		return err
	}
	if n >= maxLive {
		return fault.New(fault.LimitReached, "You have exceeded the maximum limit of tokens (%d). Delete one that is not needed", maxLive).With(tooMany)
	}
	if t.Serial != "" {
		if err := s.freeSerial(ctx, t.Profile, t.Serial, t.CreatedAt); err != nil {
			return err
		}
	}
	ok, err := s.insert(ctx, t)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Conflict, "serie_number: %q is already used in this profile", t.Serial)
	}
	return s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q created", t.Name), nil, record(t)))
}

// event is an audit entry about a token: of its profile, or of its device.
func event(t Token, message string, before, after any) audit.Event {
	e := audit.Event{Profile: t.Profile, Resource: "token", ResourceID: string(t.ID), Message: message, Before: before, After: after}
	if t.Kind == auth.Device {
		e.Resource, e.ResourceID = "device", string(t.Device)
	}
	return e
}

// record is what the audit log keeps of a token: all but the secret.
func record(t Token) map[string]any {
	m := map[string]any{"id": t.ID, "type": t.Kind, "name": t.Name, "permission": t.Permission, "reach": t.Reach, "tail": t.Tail,
		"serie_number": t.Serial, "expire_time": t.ExpiresAt}
	if t.Kind == auth.Device {
		m["device"] = t.Device
	}
	return m
}

// DeleteProfileToken revokes a profile token, named by its handle, id or secret. It works from the next
// request on. It returns not_found for what is not a live row of that profile.
func (s *Service) DeleteProfileToken(ctx context.Context, who auth.Caller, p id.Profile, ref string) error {
	_, err := s.delete(ctx, who, p, auth.Profile, ref)
	return err
}

// DeleteDeviceToken revokes a device token of a profile, named by its secret or id, and returns what it was.
func (s *Service) DeleteDeviceToken(ctx context.Context, who auth.Caller, p id.Profile, ref string) (Token, error) {
	return s.delete(ctx, who, p, auth.Device, ref)
}

// NotFound is the answer to a token that is not there, and to one that is not the caller's.
var NotFound error = fault.New(fault.NotFound, "Token Not Found")

func (s *Service) delete(ctx context.Context, who auth.Caller, p id.Profile, kind auth.Kind, ref string) (Token, error) {
	if len(ref) > maxRaw {
		return Token{}, NotFound
	}
	var t Token
	err := s.db.Tx(sqldb.As(ctx, p), func(ctx context.Context) error {
		var ok bool
		var err error
		if t, ok, err = s.byRef(ctx, p, kind, ref); err != nil {
			return err
		}
		if ok && kind == auth.Profile && t.CreatedBy != who.AccountID && who.Kind != auth.System && !who.Role.AtLeast(auth.Developer) {
			return auth.LacksRole(who.Role, auth.Developer)
		}
		if ok {
			ok, err = s.end(ctx, t.ID, s.now())
		}
		if err != nil {
			return err
		}
		if !ok {
			return NotFound
		}
		if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
			return err
		}
		return s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q deleted", t.Name), record(t), nil))
	})
	return t, err
}

// MadeBy lists the living profile tokens that a person made in a profile. It is part of team.Tokens.
func (s *Service) MadeBy(ctx context.Context, p id.Profile, a id.Account) ([]team.MadeToken, error) {
	ts, err := s.madeBy(ctx, p, a, s.now())
	if err != nil {
		return nil, err
	}
	out := make([]team.MadeToken, len(ts))
	for i, t := range ts {
		s.fresh(&t)
		out[i] = team.MadeToken{Profile: t.Profile, Name: t.Name, Tail: t.Tail, Permission: t.Permission, LastUse: t.LastUse, CreatedAt: t.CreatedAt}
	}
	return out, nil
}

// EndMadeBy revokes them, in the caller's transaction. It is part of team.Tokens.
func (s *Service) EndMadeBy(ctx context.Context, who auth.Caller, p id.Profile, a id.Account) error {
	ts, err := s.madeBy(ctx, p, a, s.now())
	if err != nil {
		return err
	}
	for _, t := range ts {
		ok, err := s.end(ctx, t.ID, s.now())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
			return err
		}
		if err := s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q ended with the membership of who made it", t.Name), record(t), nil)); err != nil {
			return err
		}
	}
	return nil
}

// EndDevice revokes every token of a device that is being deleted, inside the caller's transaction.
func (s *Service) EndDevice(ctx context.Context, p id.Profile, d id.Device) error {
	hashes, err := s.endDevice(ctx, p, d, s.now())
	if err != nil {
		return err
	}
	return s.db.Changed(ctx, CacheKind, hashes...)
}

// Switch binds the calling profile token to another profile, which its maker must be allowed to act in.
// It refuses a token of reach "profile" with Unauthorized, and a target that is not the caller's with
// not_found. The former profile knows the token no more from the next request on.
func (s *Service) Switch(ctx context.Context, who auth.Caller, target id.Profile) error {
	if who.Kind != auth.Profile {
		return fault.New(fault.Invalid, "Only a token can be switched: a session names its profile by the header Profile-Id")
	}
	if who.Reach != auth.ReachAccount {
		return auth.LacksReach(who.Reach)
	}
	return s.db.Tx(sqldb.As(ctx, target), func(ctx context.Context) error {
		if _, err := s.access(ctx, who.AccountID, target); err != nil {
			return err
		}
		t, ok, err := s.byRef(ctx, who.ProfileID, auth.Profile, string(who.TokenID))
		if err != nil {
			return err
		}
		if !ok {
			return auth.Denied() // revoked a moment ago
		}
		if target == t.Profile {
			return nil
		}
		n, err := s.countLive(ctx, target, auth.Profile, "", s.now())
		if err != nil {
			return err
		}
		if n >= maxLive {
			return fault.New(fault.LimitReached, "You have exceeded the maximum limit of tokens (%d) of that profile", maxLive).With(tooMany)
		}
		from := t.Profile
		if ok, err = s.rebind(ctx, t.ID, from, target); err != nil {
			return err
		}
		if !ok {
			return auth.Denied()
		}
		if err := s.db.Changed(ctx, CacheKind, t.hash); err != nil {
			return err
		}
		before, after := map[string]any{"profile": from}, map[string]any{"profile": target}
		if err := s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q left for another profile", t.Name), before, after)); err != nil {
			return err
		}
		t.Profile = target
		return s.audit.Write(ctx, who, event(t, fmt.Sprintf("Token %q came from another profile", t.Name), before, after))
	})
}

// Get returns one token of a profile by id.
func (s *Service) Get(ctx context.Context, p id.Profile, kind auth.Kind, t id.Token) (Token, error) {
	found, ok, err := s.byRef(ctx, p, kind, string(t))
	if err == nil && !ok {
		err = NotFound
	}
	s.fresh(&found)
	return found, err
}

// fresh puts the last use from memory over the one from the database.
func (s *Service) fresh(ts ...*Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range ts {
		u := s.used[t.ID]
		if u.at <= t.LastUse {
			continue
		}
		if t.LastUse, t.LastAddr = u.at, u.addr; u.by != t.CreatedBy {
			t.LastAddr = ""
		}
	}
}

// DevicesBySerial lists the devices of a profile whose tokens carry a serial number like the pattern (LIKE,
// escaped by a backslash), at most 10,000.
func (s *Service) DevicesBySerial(ctx context.Context, p id.Profile, like string) ([]id.Device, error) {
	return s.devicesBySerial(ctx, p, like, s.now(), 10_000)
}

// secret is what a list shows of a device token: the secret itself, or the handle to a caller that may do
// less than the token (see the package comment).
func (s *Service) secret(who auth.Caller, t Token) (string, error) {
	if t.sealed == "" {
		return t.Handle(), nil
	}
	if may := who.May(); may != auth.Full && t.Permission != auth.Deny && t.Permission != may {
		return t.Handle(), nil
	}
	return s.sealer.Open(t.sealed, about(t.ID))
}

// Purge forgets a slice of the tokens that ended or expired 90 days ago; done says that none is left.
func (s *Service) Purge(ctx context.Context) (done bool, err error) {
	n, err := s.deleteOld(sqldb.As(ctx, ""), s.now()-keepEnded.Milliseconds(), purgeRows)
	return n == 0, err
}

// PurgeProfile deletes a slice of the tokens of a deleted profile, which stopped working when it was marked;
// done says that none is left. It is a profile.PurgeHook.
func (s *Service) PurgeProfile(ctx context.Context, p profile.Profile) (done bool, err error) {
	n, err := s.deleteOf(sqldb.As(ctx, p.ID), p.ID, purgeRows)
	return n < purgeRows, err
}

// Reseal seals with the first key what another key sealed, in slices, and returns how many tokens that were.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	const slice = 200
	changed := 0
	var after id.Token
	for {
		ts, err := s.sealedAfter(ctx, after, slice)
		if err != nil || len(ts) == 0 {
			return changed, err
		}
		after = ts[len(ts)-1].ID
		err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
			for _, t := range ts {
				if !s.sealer.Stale(t.sealed) {
					continue
				}
				raw, err := s.sealer.Open(t.sealed, about(t.ID))
				if err != nil {
					return fmt.Errorf("token %s: %w", t.ID, err)
				}
				if err := s.writeSealed(ctx, t.ID, s.sealer.Seal(raw, about(t.ID))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return changed, err
		}
		for _, t := range ts {
			if s.sealer.Stale(t.sealed) {
				changed++
			}
		}
	}
}
