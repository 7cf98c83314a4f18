package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// origin of a request, seen through the proxies that are trusted.
type seen struct {
	addr   string // of the client, without port
	host   string // that the client asked for, with port if it gave one
	secure bool   // the client speaks https
}

// look tells who a request comes from. What X-Forwarded-* say is believed only when the connection comes
// from a trusted proxy: the client is then the rightmost address that no trusted proxy has.
func look(r *http.Request, trusted []netip.Prefix) seen {
	s := seen{addr: hostOnly(r.RemoteAddr), host: r.Host, secure: r.TLS != nil}
	if len(trusted) == 0 {
		return s
	}
	h := r.Header
	forwarded, proto, host := h["X-Forwarded-For"], h["X-Forwarded-Proto"], h["X-Forwarded-Host"]
	if len(forwarded) == 0 && len(proto) == 0 && len(host) == 0 {
		return s
	}
	if !isTrusted(s.addr, trusted) {
		return s
	}
hops:
	for i := len(forwarded) - 1; i >= 0; i-- {
		rest := forwarded[i]
		for rest != "" {
			var hop string
			if j := strings.LastIndexByte(rest, ','); j >= 0 {
				rest, hop = rest[:j], rest[j+1:]
			} else {
				rest, hop = "", rest
			}
			ip, err := netip.ParseAddr(hostOnly(strings.TrimSpace(hop)))
			if err != nil {
				break hops // nobody we trust wrote this; the last good one stands
			}
			s.addr = ip.Unmap().WithZone("").String()
			if !isTrusted(s.addr, trusted) {
				break hops
			}
		}
	}
	if p := lastOf(proto); p != "" {
		s.secure = strings.EqualFold(p, "https")
	}
	if n := lastOf(host); n != "" && validHost(n) {
		s.host = n
	}
	return s
}

func isTrusted(addr string, trusted []netip.Prefix) bool {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	for _, p := range trusted {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// hostOnly cuts the port from an address: 10.0.0.1:80, [::1]:80, ::1.
func hostOnly(s string) string {
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 {
			return s[1:i]
		}
		return s
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.IndexByte(s, ':') == i {
		return s[:i]
	}
	return s
}

func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	if i := strings.LastIndexByte(v, ','); i >= 0 {
		v = v[i+1:]
	}
	return strings.TrimSpace(v)
}

// validHost keeps text out of links that is not a host name with an optional port.
func validHost(s string) bool {
	if len(s) > 255 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_':
		default:
			return false
		}
	}
	return s != ""
}
