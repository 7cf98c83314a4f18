package check

import (
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string // "" for none
	}{
		{"a line", Line("f", "Süd 1", 1, 5), ""},
		{"an empty line that may be", Line("f", "", 0, 5), ""},
		{"characters are counted, not bytes", Line("f", strings.Repeat("ü", 6), 1, 5), "f: must have at most 5 characters, has 6"},
		{"spaces alone", Line("f", " \t", 1, 5), "f: is required"},
		{"a line end in a line", Line("f", "a\nb", 1, 5), "f: must not contain control characters"},
		{"a line end in prose", Prose("f", "a\n\tb", 5), ""},
		{"prose that is too long", Prose("f", "abcdef", 5), "f: must have at most 5 characters, has 6"},
		{"a bell in prose", Prose("f", "a\ab", 5), "f: must not contain control characters"},
		{"delete", Clean("f", "\x7f"), "f: must not contain control characters"},
		{"what is not UTF-8", Clean("f", "\xff"), "f: is not valid text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if c.err != nil {
				got = c.err.Error()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestShallow(t *testing.T) {
	for _, c := range []struct {
		text  string
		level int
		want  bool
	}{
		{`{"a":[1]}`, 0, true},
		{`{"a":[{}]}`, 0, false},
		{`{"a":[1]}`, 1, false},
		{`["[[[","\"[[[","\\",[1],[2]]`, 0, true},
		{`["\\\\",[[`, 0, false},
		{`]]]]`, 0, true},
		{``, 0, true},
	} {
		if got := Shallow([]byte(c.text), c.level, 2); got != c.want {
			t.Errorf("%s from %d: %v", c.text, c.level, got)
		}
	}
}
