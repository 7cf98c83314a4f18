package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

// Credential is what a request presented, before anybody judged it. It never prints its secrets.
type Credential struct {
	Token         string // from a header or the query; "" when none. Wins over Cookie
	Cookie        string // value of the session cookie; "" when none or when a token was sent
	ProfileHeader string // Profile-Id, by which a session names its profile; for streams also from the query
	Addr          string // address of the client, after trusted proxies
}

// Authenticator judges a credential that is not empty. It returns an Unauthorized fault for a bad one;
// other errors are passed to the client as they are.
type Authenticator func(ctx context.Context, c Credential) (auth.Caller, error)

// IsZero reports whether nothing was presented.
func (c Credential) IsZero() bool { return c.Token == "" && c.Cookie == "" }

// Kind is "token", "session" or "none".
func (c Credential) Kind() string {
	switch {
	case c.Token != "":
		return "token"
	case c.Cookie != "":
		return "session"
	}
	return "none"
}

// Tail is the last four characters of the token, "" when there is none or it is too short to hide any.
func (c Credential) Tail() string {
	if len(c.Token) < 16 {
		return ""
	}
	return c.Token[len(c.Token)-4:]
}

// Hash is the SHA-256 of the token as presented, in hex; "" when there is none.
func (c Credential) Hash() string {
	if c.Token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(c.Token))
	return hex.EncodeToString(sum[:])
}

// String tells the kind and the tail, never more.
func (c Credential) String() string { return c.Kind() + " …" + c.Tail() }

// GoString is String, for %#v.
func (c Credential) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Names of the session cookie. A browser keeps the second only over https and only for this very host.
const (
	cookieName       = "paddock_session"
	secureCookieName = "__Host-paddock_session"
)

// The headers that may carry a token, in canonical form, best first. Authorization is judged apart.
var tokenHeaders = []string{
	"Token", "Device-Token", "Profile-Token", "Account-Token", "Analysis-Token", "Network-Token", "Public-Token", "Authorized",
}

// credential reads what the request presents. A token in a header wins over one in the query, any token
// over the cookie.
func (x *exchange) credential() Credential {
	c := Credential{Addr: x.addr}
	h := x.r.Header
	if v := h["Profile-Id"]; len(v) > 0 {
		c.ProfileHeader = v[0]
	}
	for _, name := range tokenHeaders {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			c.Token = v[0]
			return c
		}
	}
	if v := h["Authorization"]; len(v) > 0 && v[0] != "" {
		if c.Token = authorizationToken(v[0]); c.Token != "" {
			return c
		}
	}
	if x.r.URL.RawQuery != "" {
		if c.Token = queryToken(x.r.URL.RawQuery); c.Token != "" {
			return c
		}
	}
	if len(h["Cookie"]) > 0 {
		name := cookieName
		if x.secureCookies() {
			name = secureCookieName
		}
		if k, err := x.r.Cookie(name); err == nil {
			c.Cookie = k.Value
		}
		if c.ProfileHeader == "" && x.route != nil && x.route.Out == streamType {
			if q, err := x.queryTree(); err == nil {
				c.ProfileHeader = q.Get("profile")
			}
		}
	}
	return c
}

// authorizationToken is the token of an Authorization header: raw, as TagoIO's tools send it, or after
// "Bearer". Another scheme belongs to somebody else, such as a proxy that asks for a password.
func authorizationToken(v string) string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(v), " ")
	if !ok {
		return scheme
	}
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(rest)
	}
	return ""
}

// queryToken finds a token in a raw query without decoding the rest of it.
func queryToken(raw string) string {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		k, v, _ := strings.Cut(pair, "=")
		switch k {
		case "token", "authorization", "account_token", "device_token":
			if t, err := url.PathUnescape(v); err == nil && t != "" {
				return t
			}
		}
	}
	return ""
}

// secureCookies reports whether the session cookie is the one browsers keep over https only: always but on
// plain http to a loopback name.
func (x *exchange) secureCookies() bool {
	return x.secure || !isLoopback(x.host)
}

func isLoopback(hostport string) bool {
	host := hostport
	if u, err := url.Parse("//" + hostport); err == nil {
		host = u.Hostname()
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

var (
	errCrossSite = fault.New(fault.Forbidden, "This request did not come from the console's own pages; call the API with a token instead of a cookie")
	errNoHTTPS   = fault.New(fault.Forbidden, "Signing in from a browser needs https, or http to this machine itself (localhost): browsers do not keep the session otherwise")
)

// sameOrigin refuses a request that a page of another site may have made the browser send. A request that
// carries neither Sec-Fetch-Site nor Origin tells nothing about where it came from; strict refuses it too.
func (x *exchange) sameOrigin(strict bool) error {
	h := x.r.Header
	site, origin := h.Get("Sec-Fetch-Site"), h.Get("Origin")
	if site == "" && origin == "" && strict {
		return errCrossSite
	}
	if site != "" && site != "same-origin" {
		return errCrossSite
	}
	if origin != "" && !x.ownOrigin(origin) {
		return errCrossSite
	}
	return nil
}

func (x *exchange) ownOrigin(origin string) bool {
	if strings.EqualFold(origin, x.scheme()+"://"+x.host) || x.s.origin != "" && strings.EqualFold(origin, x.s.origin) {
		return true
	}
	if x.s.cfg.Dev { // the console's development server stands before us under another port
		u, err := url.Parse(origin)
		return err == nil && isLoopback(u.Host)
	}
	return false
}

func (x *exchange) scheme() string {
	if x.secure {
		return "https"
	}
	return "http"
}

// SessionCookie is the cookie that keeps a browser signed in until maxAge seconds from now; an empty value
// signs it out. It returns a Forbidden fault when the request comes from another site's page, or when the
// browser would not keep the cookie: plain http to a name that is not this machine.
func (r *Request) SessionCookie(value string, maxAge int) (*http.Cookie, error) {
	x := exchange{s: r.s, r: r.HTTP, seen: seen{host: r.Host, secure: r.Secure}}
	if err := x.sameOrigin(false); err != nil {
		return nil, err
	}
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: maxAge}
	if x.secureCookies() {
		if !r.Secure {
			return nil, errNoHTTPS
		}
		c.Name, c.Secure = secureCookieName, true
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c, nil
}
