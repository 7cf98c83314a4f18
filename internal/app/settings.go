package app

import (
	"fmt"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"paddock/internal/operator"
)

// Where the value of a setting comes from, besides a variable or flag, which go by their names.
const (
	byDefault = "default"
	byEnv     = "env"
	byFlag    = "flag"
	byFile    = "file"
)

// sourcesOf tells where the value of each flag comes from: a variable's name, the flag with its dashes, or byDefault.
func sourcesOf(k *kong.Context) map[string]string {
	out := map[string]string{}
	for _, f := range k.Flags() {
		if len(f.Envs) == 0 {
			continue
		}
		out[f.Name] = byDefault
		for _, e := range f.Envs {
			if _, ok := os.LookupEnv(e); ok {
				out[f.Name] = e
			}
		}
	}
	for _, p := range k.Path {
		if p.Flag == nil {
			continue
		}
		if _, ok := out[p.Flag.Name]; ok {
			out[p.Flag.Name] = "--" + p.Flag.Name
		}
	}
	return out
}

// rows describe every setting of serve as it is in force, for operators. They are read off the tags that the command line is made
// of, so that none can be missing. No secret is in them.
func (s Settings) rows() ([]operator.Setting, error) {
	var grammar struct {
		Settings `embed:""`
	}
	grammar.Settings = s
	parser, err := kong.New(&grammar, kong.Name("paddock"), kong.NoDefaultHelp())
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	out := []operator.Setting{}
	for _, f := range parser.Model.Flags {
		row := operator.Setting{Name: f.Name, Default: f.Default, Source: byDefault, Secret: secretFlags[f.Name], Meaning: f.Help}
		if len(f.Envs) > 0 {
			row.Env = f.Envs[0]
		}
		value := valueText(f.Target.Interface())
		switch from, ok := s.Sources[f.Name]; {
		case !ok && f.Target.IsZero() && f.Target.Kind() != reflect.Bool: // not by the command line: the default is put in where it is used
			value = f.Default
		case !ok && value != f.Default && !f.Target.IsZero():
			row.Source = byFlag
		case strings.HasPrefix(from, "--"):
			row.Source = byFlag
		case ok && from != byDefault:
			row.Source = byEnv
		}
		row.Value, row.Set = hide(f.Name, value), value != ""
		if f.Name == "secret-key" && value == "" {
			row.Source, row.Set = byFile, true
		}
		shown := row.Value
		if row.Secret {
			row.Value, shown = "", ""
		}
		if row.Env != "" {
			row.Line = row.Env + "=" + quoted(shown)
		}
		out = append(out, row)
	}
	return out, nil
}

var plainValue = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// quoted is a value as a shell reads it.
func quoted(v string) string {
	if plainValue.MatchString(v) {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}

// secretFlags are never printed.
var secretFlags = map[string]bool{"secret-key": true, "s3-secret-key": true}

var secretPart = regexp.MustCompile(`(?i)pass|secret|token|key`)

// hide removes what must not be printed from a setting's value: all of a secret, and passwords in an address.
func hide(name, value string) string {
	if value == "" {
		return ""
	}
	if secretFlags[name] {
		return "(set)"
	}
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil { // it could hold anything
		return "(set)"
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "(set)"
	}
	for part := range q {
		if secretPart.MatchString(part) {
			q.Set(part, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	if u.User == nil && u.RawQuery == "" {
		return value
	}
	return u.Redacted()
}
