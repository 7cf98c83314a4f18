package app

import (
	"strings"

	"paddock/internal/account"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/token"
)

// credentialKey names a credential as the changes of tokens and sessions do.
func credentialKey(c web.Credential) string {
	if c.Token != "" {
		return token.Hash(c.Token)
	}
	return seal.Hash(c.Cookie)
}

// judgeStreams makes streams of events end with the right to listen: whoever is concerned by a change of what they may do is
// judged again before the next event, here when that commits, on other nodes when they read of it. It comes after all rooms
// were made, so that what they cache is dropped first.
func (a *App) judgeStreams() {
	judge := func(kind string, match func(key string) func(l *web.Listening) bool) {
		a.db.OnChange(kind, func(key string) { a.server.Judge(match(key)) })
	}
	judge(token.CacheKind, func(key string) func(*web.Listening) bool {
		return func(l *web.Listening) bool { return l.Credential == key }
	})
	judge(account.SessionKind, func(key string) func(*web.Listening) bool {
		return func(l *web.Listening) bool { return l.Credential == key }
	})
	judge(account.CacheKind, func(key string) func(*web.Listening) bool {
		return func(l *web.Listening) bool { return l.Caller.AccountID == id.Account(key) }
	})
	judge(profile.CacheKind, func(key string) func(*web.Listening) bool {
		return func(l *web.Listening) bool { return l.Caller.ProfileID == id.Profile(key) }
	})
	judge(team.MemberKind, func(key string) func(*web.Listening) bool {
		p, acc, _ := strings.Cut(key, "/")
		return func(l *web.Listening) bool {
			return l.Caller.ProfileID == id.Profile(p) && l.Caller.AccountID == id.Account(acc)
		}
	})
	judge(team.StaffKind, func(key string) func(*web.Listening) bool {
		_, acc, _ := strings.Cut(key, "/")
		return func(l *web.Listening) bool { return l.Caller.AccountID == id.Account(acc) }
	})
	judge(device.CacheKind, func(key string) func(*web.Listening) bool {
		p, _, _ := strings.Cut(key, "/")
		return func(l *web.Listening) bool { return l.Caller.ProfileID == id.Profile(p) }
	})
}
