package profile

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/tag"
)

// Profile is one tenant.
type Profile struct {
	ID          id.Profile
	No          int64      // its number, given once
	Account     id.Account // the owner
	Name        string
	LogoURL     *string // as given, or the path of an upload; nil for none. See Absolute
	BannerURL   *string
	Paused      bool
	PauseReason string // "" unless paused
	ByOperator  bool   // paused by an operator, who alone can resume it
	RPMInput    int64  // soft limits on requests a minute that send and read data; 0 for none
	RPMOutput   int64
	Color       string    // "#rrggbb" in small letters, by which people know it; "" for none
	Reference   string    // what the owner's books call the customer it is for; "" for none
	Tags        []tag.Tag // by which people are given several profiles at once; never nil
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// CreateInput is what a new profile is made from.
type CreateInput struct {
	Name         string
	Account      id.Account // the owner; "" means the caller's account
	AllocateFree bool       // give it all that is unallocated of every service
	Like         id.Profile // give it what this profile of the same account has; "" for an equal share
}

// Update is a change of a profile; nil leaves things as they are.
type Update struct {
	Name   *string
	Logo   *string // an address; "" removes it
	Banner *string
	RPM    *RPM       // both limits: one that is nil in it is removed
	Tags   *[]tag.Tag // all of them: what is not in it goes

	Color     *string // "#rrggbb"; "" removes it
	Reference *string // "" removes it
}

// RPM are soft limits on requests a minute, of a profile or of a device; nil means none.
type RPM struct {
	Input  *int64 `json:"data_input" description:"requests a minute that send data"`
	Output *int64 `json:"data_output" description:"requests a minute that read data"`
}

const maxRPM = 1_000_000

// Check returns Invalid for a limit out of bounds. A nil RPM is fine.
func (r *RPM) Check() error {
	if r == nil {
		return nil
	}
	for _, f := range []struct {
		name string
		v    *int64
	}{{"rpm.data_input", r.Input}, {"rpm.data_output", r.Output}} {
		if f.v != nil && (*f.v < 1 || *f.v > maxRPM) {
			return fault.Field(f.name, "must be 1 to %d requests a minute, or null", maxRPM)
		}
	}
	return nil
}

// Values are the two limits as they are stored, 0 for none.
func (r *RPM) Values() (input, output int64) {
	if r != nil && r.Input != nil {
		input = *r.Input
	}
	if r != nil && r.Output != nil {
		output = *r.Output
	}
	return input, output
}

// RPMOf is the inverse of Values; nil when there is no limit.
func RPMOf(input, output int64) *RPM {
	if input == 0 && output == 0 {
		return nil
	}
	r := RPM{&input, &output}
	if input == 0 {
		r.Input = nil
	}
	if output == 0 {
		r.Output = nil
	}
	return &r
}

const (
	maxName   = 100
	maxReason = 200
	maxRef    = 100 // characters of a reference
	maxURL    = 2000
)

var hexColor = regexp.MustCompile(`^#[0-9a-f]{6}$`)

// CleanColor is a colour as it is kept: in small letters, or "" for none. Anything but "#rrggbb" is Invalid.
func CleanColor(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s != "" && !hexColor.MatchString(s) {
		return "", fault.Field("color", "must be \"#rrggbb\" in hexadecimal digits, or null")
	}
	return s, nil
}

// CleanReference is a customer's reference as it is kept: trimmed, or "" for none. It returns Invalid for more than a line of
// 100 characters.
func CleanReference(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", nil
	}
	return cleanLine("reference", s, maxRef)
}

// Maybe is a text that may be left out, as it is shown: nil for "".
func Maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// cleanLine trims s and checks that it is one line of 1 to most characters.
func cleanLine(field, s string, most int) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", fault.Field(field, "must not be empty")
	}
	if !utf8.ValidString(s) {
		return "", fault.Field(field, "must be UTF-8")
	}
	if utf8.RuneCountInString(s) > most {
		return "", fault.Field(field, "must have at most %d characters", most)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return "", fault.Field(field, "must not contain control characters")
		}
	}
	return s, nil
}

// NotFound is the one answer to a profile that is not there and to one that is not the caller's.
var NotFound error = fault.New(fault.NotFound, "Profile Not Found")
