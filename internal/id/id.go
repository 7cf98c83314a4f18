// Package id holds the identifiers of Paddock: 24 lower-case hex characters, the first eight of which are
// the second of creation, so that lists sort by age and the official client takes them for ids.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

type (
	Account   string // a person or firm that signs in
	Profile   string // a tenant: one application or customer
	Device    string // a thing that sends data; its bucket has the same id
	Token     string // the row of a token, never the secret itself
	Param     string // a configuration parameter of a device
	Session   string // a signed-in browser
	Dashboard string // a page of widgets
	Widget    string // one picture of a dashboard
	Alert     string // something that people of a profile should know
	Rule      string // how often a device, or those of a tag, should be heard
)

// New makes a fresh id. The last 64 bits are random.
func New[T ~string]() T {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:4], uint32(time.Now().Unix()))
	rand.Read(b[4:])
	return T(hex.EncodeToString(b[:]))
}

// Valid reports whether s has the shape of an id.
func Valid(s string) bool {
	if len(s) != 24 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
