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

	Notification string // a line in a person's list
	Event        string // something told: the same in every mail, notification and webhook that tells it
	Delivery     string // the telling of an event to one address

	Invitation string // that asks a person into a team

	Charge     string // a line of an invoice
	Invoice    string // what an account is asked to pay
	Card       string // the prices by which an owner bills customers
	Statement  string // what a customer is told of a month
	Correction string // what puts a statement right
	Budget     string // what an owner means to spend

	Backup  string // an archive of a profile that the server keeps
	Import  string // of a profile's archive
	Ticket  string // a conversation with whoever runs the server
	Message string // one of it
	Look    string // an operator's stay in somebody else's profile

	Transfer string // the handing of a profile to another account
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
