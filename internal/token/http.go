package token

import (
	"context"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Routes are the routes of this room. Those of device tokens are the device room's, which knows devices.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("POST /profile/{id}/token", "Make a profile token. Its secret is shown in this answer only.", auth.InProfile.By(auth.Viewer), s.createRoute),
		web.Handle("GET /profile/{id}/token", "List a profile's tokens by handle and last four characters.", auth.InProfile, s.listRoute),
		web.Handle("DELETE /profile/{id}/token/{token}", "Revoke a profile token, named by handle or secret. A viewer revokes the own ones only.", auth.InProfile.By(auth.Viewer), s.deleteRoute),
		web.Handle("POST /account/profile/token", "Make a profile token from an e-mail address and a password alone.", auth.Anyone, s.createFromCredentials),
		web.Handle("PUT /profile/switch/{id}", "Bind the calling token to another profile of its maker.", auth.InProfile.By(auth.Viewer), s.switchRoute, web.NoProfile),
		web.Handle("GET /info", "Tell a token about itself: a device token gets its device, others their own row.", auth.AnyToken, s.infoRoute),
	}
}

// Expiry reads expire_time of a request: absent (or empty) is def, null and "never" are for ever.
func Expiry(in web.Opt[string], now time.Time, def func(time.Time) time.Time) (*time.Time, error) {
	if !in.Set || !in.Null && strings.TrimSpace(in.Value) == "" {
		if def == nil {
			return nil, nil
		}
		t := def(now)
		return &t, nil
	}
	if in.Null {
		return nil, nil
	}
	t, err := web.ParseExpire(in.Value, now)
	if err != nil {
		return nil, fault.Field("expire_time", "%v", err)
	}
	return t, nil
}

// OneMonth is how long a profile token lives when nobody said.
func OneMonth(now time.Time) time.Time { return now.AddDate(0, 1, 0) }

// Expires is an expiry in the answers that create tokens: a date, or the word "never".
func Expires(ms int64) any {
	if ms == 0 {
		return "never"
	}
	return web.Millis(ms)
}

// Maybe is a time that may be missing: null for 0.
func Maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	t := web.Millis(ms)
	return &t
}

// maybeText is null for "".
func maybeText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type createIn struct {
	Profile    string          `path:"id"`
	Name       string          `json:"name"`
	Permission auth.Permission `json:"permission"`
	Reach      auth.Reach      `json:"reach"`
	Expire     web.Opt[string] `json:"expire_time"`
	Serial     *string         `json:"serie_number"`
	Code       *string         `json:"verification_code"`
	Email      string          `json:"email"`
	Password   string          `json:"password"`
	PinCode    string          `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType    string          `json:"otp_type" description:"authenticator, when given"`
}

// createOut is the answer of both ways to make a profile token.
type createOut struct {
	Token      string          `json:"token"`
	Name       string          `json:"name"`
	Permission auth.Permission `json:"permission"`
	Reach      auth.Reach      `json:"reach"`
	Profile    id.Profile      `json:"profile"`
	CreatedBy  id.Account      `json:"created_by"`
	ExpireDate any             `json:"expire_date"`
	ExpireTime any             `json:"expire_time"`
}

func (s *Service) createRoute(ctx context.Context, who auth.Caller, in createIn) (createOut, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.Profile, auth.Viewer)
	if err != nil {
		return createOut{}, err
	}
	m := MintInput{Profile: p.ID, Name: in.Name, Permission: in.Permission, Reach: in.Reach, Serial: deref(in.Serial), Code: deref(in.Code)}
	if m.Permission == "" {
		return createOut{}, fault.Field("permission", "is required: full, read, write or deny")
	}
	if err := validate(m.Name, m.Permission, m.Serial, m.Code); err != nil {
		return createOut{}, err
	}
	if m.Expires, err = Expiry(in.Expire, s.clk.Now(), OneMonth); err != nil {
		return createOut{}, err
	}
	if in.Password == "" {
		return createOut{}, fault.Field("password", "is required")
	}
	if m.Account, err = s.person(ctx, who, in.Email, account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: who.Addr}); err != nil {
		return createOut{}, err
	}
	return s.mintOut(ctx, who, m)
}

// person is who has proved to be somebody: the token will act under that account's ceiling. Without an e-mail
// address it is the caller; a session cannot speak for another account.
func (s *Service) person(ctx context.Context, who auth.Caller, email string, proof account.Proof) (id.Account, error) {
	if email == "" {
		return who.AccountID, s.accounts.Prove(ctx, who.AccountID, proof)
	}
	a, err := s.accounts.ProveByEmail(ctx, email, proof)
	if err != nil {
		return "", err
	}
	if who.Kind == auth.Session && a.ID != who.AccountID {
		return "", fault.New(fault.Unauthorized, "Invalid credentials")
	}
	return a.ID, nil
}

func (s *Service) mintOut(ctx context.Context, who auth.Caller, m MintInput) (createOut, error) {
	t, err := s.Mint(ctx, who, m)
	if err != nil {
		return createOut{}, err
	}
	return createOut{Token: t.Token, Name: t.Name, Permission: t.Permission, Reach: t.Reach, Profile: m.Profile, CreatedBy: m.Account,
		ExpireDate: Expires(t.ExpiresAt), ExpireTime: Expires(t.ExpiresAt)}, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type credentialsIn struct {
	Profile  string          `json:"profile_id"`
	Email    string          `json:"email"`
	Password string          `json:"password"`
	Name     string          `json:"name"`
	Expire   web.Opt[string] `json:"expire_time"`
	PinCode  string          `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string          `json:"otp_type" description:"authenticator, when given"`
	Request  *web.Request
}

func (in credentialsIn) Validate() error {
	for _, f := range [][2]string{{"profile_id", in.Profile}, {"email", in.Email}, {"password", in.Password}} {
		if f[1] == "" {
			return fault.Field(f[0], "is required")
		}
	}
	return text("name", in.Name, 1)
}

func (s *Service) createFromCredentials(ctx context.Context, _ auth.Caller, in credentialsIn) (createOut, error) {
	expires, err := Expiry(in.Expire, s.clk.Now(), OneMonth)
	if err != nil {
		return createOut{}, err
	}
	a, err := s.accounts.ProveByEmail(ctx, in.Email, account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: in.Request.Addr})
	if err != nil {
		return createOut{}, err
	}
	p := id.Profile(in.Profile)
	g, err := s.access(ctx, a.ID, p)
	if err != nil {
		return createOut{}, err
	}
	// The person has proved who they are; whatever credential came with the request says nothing more.
	who := auth.Caller{Kind: auth.Session, AccountID: a.ID, Permission: auth.Full, Reach: auth.ReachAccount, Addr: in.Request.Addr}.In(p, g)
	return s.mintOut(ctx, who, MintInput{Profile: p, Account: a.ID, Name: in.Name, Permission: auth.Full,
		Reach: auth.ReachAccount, Expires: expires})
}

// Row is a token in a list. token is the handle of a profile token, and of a device token its secret.
type Row struct {
	ID         id.Token        `json:"id"`
	Token      string          `json:"token"`
	Tail       string          `json:"tail"`
	Name       string          `json:"name"`
	Type       auth.Kind       `json:"type"`
	Permission auth.Permission `json:"permission"`
	Reach      auth.Reach      `json:"reach"`
	DeviceID   *id.Device      `json:"device_id,omitempty"`
	Serial     *string         `json:"serie_number"`
	Code       *string         `json:"verification_code"`
	LastUse    *web.Time       `json:"last_authorization"`
	LastAddr   *string         `json:"last_address" description:"from where it was last used; null for viewers, unless they made it"`
	ExpireTime *web.Time       `json:"expire_time"`
	RefID      string          `json:"ref_id"`
	CreatedAt  web.Time        `json:"created_at"`
	CreatedBy  *id.Account     `json:"created_by"`
	MadeBy     string          `json:"created_by_name,omitempty" description:"in the list of a profile's tokens"`
}

func (s *Service) row(who auth.Caller, t Token) (Row, error) {
	secret, err := s.secret(who, t)
	if err != nil {
		return Row{}, err
	}
	r := Row{ID: t.ID, Token: secret, Tail: t.Tail, Name: t.Name, Type: t.Kind, Permission: t.Permission, Reach: t.Reach,
		Serial: maybeText(t.Serial), Code: maybeText(t.VerificationCode), LastUse: Maybe(t.LastUse), ExpireTime: Maybe(t.ExpiresAt),
		RefID: string(t.Profile), CreatedAt: web.Millis(t.CreatedAt)}
	if t.Kind == auth.Device {
		r.DeviceID, r.RefID = &t.Device, string(t.Device)
	}
	if t.CreatedBy != "" {
		r.CreatedBy = &t.CreatedBy
	}
	if who.Role.AtLeast(auth.Developer) || t.CreatedBy == who.AccountID {
		r.LastAddr = maybeText(t.LastAddr)
	}
	return r, nil
}

type listIn struct {
	Profile string `path:"id"`
	List    web.List
}

func (s *Service) listRoute(ctx context.Context, who auth.Caller, in listIn) ([]map[string]any, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.Profile, auth.Viewer)
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, who, sqldb.NewWhere("profile_id = ? AND kind = ? AND ended_at = 0", p.ID, auth.Profile), in.List)
}

// ListDevice lists the tokens of a device as rows of the wire, filtered, ordered and projected.
func (s *Service) ListDevice(ctx context.Context, who auth.Caller, p id.Profile, d id.Device, l web.List) ([]map[string]any, error) {
	return s.rows(ctx, who, sqldb.NewWhere("profile_id = ? AND kind = ? AND device_id = ? AND ended_at = 0", p, auth.Device, d), l)
}

var orders = map[string]string{"name": "lower(name)", "permission": "permission", "created_at": "created_at", "last_authorization": "last_use",
	"expire_time": "expires_at", "serie_number": "serial", "id": "id"}

func (s *Service) rows(ctx context.Context, who auth.Caller, w *sqldb.Where, l web.List) ([]map[string]any, error) {
	order, err := l.Order(orders, "created_at DESC")
	if err != nil {
		return nil, err
	}
	if err := s.filter(w, l.Filter); err != nil {
		return nil, err
	}
	ts, err := s.list(ctx, w, order, l.Limit(), l.Offset())
	if err != nil {
		return nil, err
	}
	rows := make([]map[string]any, 0, len(ts))
	names := map[id.Account]string{}
	for i := range ts {
		s.fresh(&ts[i])
		r, err := s.row(who, ts[i])
		if err != nil {
			return nil, err
		}
		if ts[i].Kind == auth.Profile {
			if r.MadeBy, err = s.nameOf(ctx, ts[i].CreatedBy, names); err != nil {
				return nil, err
			}
		}
		rows = append(rows, web.Pick(l.Fields, []string{"token", "tail"}, r))
	}
	return rows, nil
}

// nameOf is the name of an account, "" for one that is gone; known keeps those that were asked for.
func (s *Service) nameOf(ctx context.Context, a id.Account, known map[id.Account]string) (string, error) {
	name, ok := known[a]
	if ok {
		return name, nil
	}
	acc, err := s.accounts.Get(ctx, a)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	known[a] = acc.Name
	return acc.Name, nil
}

// filter adds the conditions of a list query. A filter that is not known is refused rather than ignored: a
// script that deletes what a list answers must not be given more than it asked for.
func (s *Service) filter(w *sqldb.Where, q web.Query) error {
	for _, key := range q.Keys() {
		path := q.Child(key).Path()
		v, err := q.Text(key)
		if err != nil {
			return err
		}
		if len(v) > maxRaw {
			return fault.Field(path, "must have at most %d bytes", maxRaw)
		}
		switch key {
		case "token":
			w.And("(hash = ? OR id = ?)", Hash(v), Raw(v))
		case "id":
			w.And("id = ?", v)
		case "name":
			if v != "" {
				w.And(`lower(name) LIKE lower(?) ESCAPE '\'`, web.Like(v))
			}
		case "serie_number":
			if v == "" {
				w.And("serial = ''")
			} else {
				w.And(`lower(serial) LIKE lower(?) ESCAPE '\'`, web.Like(v))
			}
		case "verification_code":
			w.And("verification_code = ?", v)
		case "permission":
			if !auth.ValidPermission(auth.Permission(v)) {
				return fault.Field(path, "must be full, read, write or deny")
			}
			w.And("permission = ?", v)
		case "reach":
			w.And("reach = ?", v)
		case "type":
			w.And("kind = ?", v)
		case "created_by":
			w.And("created_by = ?", v)
		case "created_at", "last_authorization", "expire_time":
			if err := Since(w, map[string]string{"created_at": "created_at", "last_authorization": "last_use", "expire_time": "expires_at"}[key],
				path, v, s.clk.Now()); err != nil {
				return err
			}
		default:
			return fault.Field(path, "is not a known filter; known are token, id, name, permission, reach, type, serie_number, verification_code, created_by, created_at, last_authorization, expire_time")
		}
	}
	return nil
}

// Since adds a time filter to w: at or after the instant given (a date, or an age such as "1 day"), or before
// it when the value begins with "<". An empty value asks for rows that have no time there.
func Since(w *sqldb.Where, column, path, v string, now time.Time) error {
	if v == "" || v == "null" || v == "never" {
		w.And(column + " = 0")
		return nil
	}
	rest, before := strings.CutPrefix(v, "<")
	t, err := web.ParseTime(rest, now, nil)
	if err != nil {
		return fault.Field(path, "%v", err)
	}
	if before {
		w.And(column+" < ?", t.UnixMilli())
	} else {
		w.And(column+" >= ?", t.UnixMilli())
	}
	return nil
}

type refIn struct {
	Profile string `path:"id"`
	Token   string `path:"token"`
}

func (s *Service) deleteRoute(ctx context.Context, who auth.Caller, in refIn) (string, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.Profile, auth.Viewer)
	if err != nil {
		return "", err
	}
	if err := s.DeleteProfileToken(ctx, who, p.ID, in.Token); err != nil {
		return "", err
	}
	return "Token Successfully Removed", nil
}

type switchIn struct {
	Profile id.Profile `path:"id"`
}

func (s *Service) switchRoute(ctx context.Context, who auth.Caller, in switchIn) (string, error) {
	if err := s.Switch(ctx, who, in.Profile); err != nil {
		return "", err
	}
	return "Token Successfully Transferred", nil
}

// sessionInfo is GET /info for a browser session.
type sessionInfo struct {
	Type       auth.Kind       `json:"type"`
	Name       string          `json:"name"`
	Permission auth.Permission `json:"permission"`
	RefID      *id.Profile     `json:"ref_id"`
	CreatedBy  id.Account      `json:"created_by"`
}

func (s *Service) infoRoute(ctx context.Context, who auth.Caller, _ struct{}) (any, error) {
	if f := s.info[who.Kind]; f != nil {
		return f(ctx, who)
	}
	if who.Kind == auth.Session {
		out := sessionInfo{Type: auth.Session, Name: "session", Permission: who.Permission, CreatedBy: who.AccountID}
		if who.ProfileID != "" {
			out.RefID = &who.ProfileID
		}
		return out, nil
	}
	t, err := s.Get(ctx, who.ProfileID, who.Kind, who.TokenID)
	if err != nil {
		return nil, err
	}
	r, err := s.row(who, t)
	if err != nil {
		return nil, err
	}
	return struct {
		Row
		Profile id.Profile `json:"profile"`
	}{r, t.Profile}, nil
}
