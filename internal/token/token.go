package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

const (
	maxLive   = 1000                // live tokens of a profile, and of a device
	keepEnded = 90 * 24 * time.Hour // how long ended and expired ones are remembered
	maxText   = 100                 // characters of a name, serial number or verification code
	maxRaw    = 200                 // bytes of a presented token that are looked at
	prefix    = "p-"                // of profile tokens; device tokens have none
)

// Token is one row: everything about a token but the secret.
type Token struct {
	ID               id.Token
	Kind             auth.Kind // auth.Profile or auth.Device
	Profile          id.Profile
	Device           id.Device  // "" unless Kind is auth.Device
	CreatedBy        id.Account // "" when Paddock made it
	Name             string
	Permission       auth.Permission
	Reach            auth.Reach
	Serial           string // "" when it has none
	VerificationCode string // "" when it has none
	Tail             string // last four characters of the secret
	ExpiresAt        int64  // UTC milliseconds; 0 never
	LastUse          int64  // 0 not yet
	LastAddr         string // from where; "" when that is not known
	CreatedAt        int64
	EndedAt          int64    // 0 until revoked
	Ceiling          *Ceiling // of a token that a new owner of the profile took over; nil for none

	hash, sealed string
}

// Handle names the token in lists and deletes it; it never authenticates.
func (t Token) Handle() string {
	if t.Kind == auth.Profile {
		return prefix + string(t.ID)
	}
	return string(t.ID)
}

// Minted is a fresh token, the only time its secret is at hand.
type Minted struct {
	ID         id.Token
	Token      string // as presented: with the prefix of its kind
	Name       string
	Permission auth.Permission
	Reach      auth.Reach
	ExpiresAt  int64 // UTC milliseconds; 0 never
}

// MintInput asks for a profile token. Permission Full and reach profile when left empty.
type MintInput struct {
	Profile    id.Profile
	Account    id.Account // whose ceiling it has; "" is the profile's owner
	Name       string
	Permission auth.Permission
	Reach      auth.Reach
	Expires    *time.Time // nil never
	Serial     string
	Code       string // verification code
}

// DeviceInput asks for a device token. Permission Full when left empty.
type DeviceInput struct {
	Name       string
	Permission auth.Permission
	Expires    *time.Time // nil never
	Serial     string
	Code       string // verification code
}

func validate(name string, p auth.Permission, serial, code string) error {
	if err := text("name", name, 1); err != nil {
		return err
	}
	if !auth.ValidPermission(p) {
		return fault.Field("permission", "must be full, read, write or deny")
	}
	if err := text("serie_number", serial, 0); err != nil {
		return err
	}
	return text("verification_code", code, 0)
}

// text bounds a short string: least to maxText characters, no control characters.
func text(field, s string, least int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return fault.Field(field, "is not valid text")
	case n < least || least > 0 && strings.TrimSpace(s) == "":
		return fault.Field(field, "is required")
	case n > maxText:
		return fault.Field(field, "must have at most %d characters, has %d", maxText, n)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return fault.Field(field, "must not contain control characters")
		}
	}
	return nil
}

// newRaw makes the raw part of a token: a version 4 UUID.
func newRaw() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Raw is what is left of a presented token without the prefix of its kind. No UUID begins like a prefix.
func Raw(presented string) string {
	s := strings.TrimSpace(presented)
	if len(s) > 2 && s[1] == '-' && strings.IndexByte("paun", s[0]) >= 0 {
		return s[2:]
	}
	if len(s) > 2 && s[:2] == "at" {
		return s[2:]
	}
	return s
}

// Hash is the key under which a presented token is found: SHA-256 of its raw part, hex.
func Hash(presented string) string {
	sum := sha256.Sum256([]byte(Raw(presented)))
	return hex.EncodeToString(sum[:])
}

// Tail is the last four characters of a presented token, "" for one too short to be shown in part.
func Tail(presented string) string {
	if len(presented) < 12 {
		return ""
	}
	return presented[len(presented)-4:]
}
