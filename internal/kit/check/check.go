// Package check bounds the texts that people and programs send.
package check

import (
	"strings"
	"unicode/utf8"

	"paddock/internal/kit/fault"
)

// Line bounds a text of one line: at most most characters, none of them control characters, and, with least
// above 0, not blank. It returns an Invalid fault that names the field.
func Line(field, s string, least, most int) error {
	if least > 0 && strings.TrimSpace(s) == "" {
		return fault.Field(field, "is required")
	}
	if n := utf8.RuneCountInString(s); n > most {
		return fault.Field(field, "must have at most %d characters, has %d", most, n)
	}
	return clean(field, s, false)
}

// Prose bounds a text that may have several lines, in characters. It returns an Invalid fault that names the
// field.
func Prose(field, s string, most int) error {
	if n := utf8.RuneCountInString(s); n > most {
		return fault.Field(field, "must have at most %d characters, has %d", most, n)
	}
	return Clean(field, s)
}

// Clean refuses what is not text and control characters other than line ends and tabs.
func Clean(field, s string) error { return clean(field, s, true) }

func clean(field, s string, lines bool) error {
	if !utf8.ValidString(s) {
		return fault.Field(field, "is not valid text")
	}
	for _, r := range s {
		if r == 0x7f || r < ' ' && !(lines && (r == '\n' || r == '\r' || r == '\t')) {
			return fault.Field(field, "must not contain control characters")
		}
	}
	return nil
}

// Shallow reports whether JSON text nests at most so many levels, counted from the level it stands at; it need not be valid. It looks
// before anything recursive does.
func Shallow(text []byte, level, most int) bool {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if level++; level > most {
				return false
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return true
}
