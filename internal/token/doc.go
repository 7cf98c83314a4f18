// Package token makes, finds and ends the secrets that programs present: profile tokens (p-…) and device
// tokens (a bare UUID). It turns what a request presents into an auth.Caller.
//
// # A token
//
// The raw part is a version 4 UUID, 122 random bits. The database keeps its SHA-256: with that much
// randomness a plain hash cannot be searched, needs no salt and no slow function, and since the lookup is by
// the hash, the time it takes tells nothing about any token that exists. Tokens are accepted with and without
// the prefix of their kind. A profile token is shown once; lists return its handle (prefix + id), which
// deletes it and never authenticates, and its last four characters. Device tokens are also kept sealed,
// because the ecosystem's scripts read them back.
//
// A read-only profile token is shown device tokens that may do no more than itself; of the others it sees the
// handle. Otherwise reading would be a way to write.
//
// # What it may do
//
// Permission (full, read, write, deny) and reach (profile, account) are on the token. The ceiling is judged
// at each use: a profile token works as long as its profile lives and the person who made it may act there
// (profile.Access, cached); a device token as long as profile and device live and the device is active (the
// device room registers GateDevice). Nobody has to clean up tokens when a profile goes or a person leaves.
//
// A token that a new owner of its profile has taken over (HandOver) keeps a ceiling of its own: what its maker could do, at
// most what a developer may, and never the reach account. Whoever made it may still know the secret, and must not let
// themselves in again by it.
//
// # Expiry
//
// expire_time takes "never", a date, or a relative text such as "3 month". Left out, a profile token lives
// one month: it opens everything, so living for ever is something to ask for, and the answer says when it
// ends. A device token left without one never expires: hardware in the field cannot be handed a new one.
// An expired token stays in its list, with its date, for 90 days: that is how people find out why calls
// stopped. A revoked one leaves the list at once and stays as a tombstone for 90 days, so that requests which
// still bring it can be shown to its profile (Trace).
//
// # Bounds
//
// 1,000 live tokens per profile and per device, and one serial number per device within a profile.
//
// # Last use
//
// Authenticate notes the instant in memory; a loop writes what changed every ten seconds, in a few
// statements, and once more when it stops.
package token
