package profile

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
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
}

const (
	maxName   = 100
	maxReason = 200
	maxURL    = 2000
)

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
