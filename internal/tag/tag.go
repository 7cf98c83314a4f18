// Package tag is the word pairs by which people and access rules find things of any kind: their bounds, the
// filter of lists that asks for them, and the two keys that forbid a deletion. Each room keeps the tags of its
// things in a table of its own.
package tag

import (
	"fmt"
	"strings"

	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Bounds of tags.
const (
	Max      = 30   // of one thing
	maxKey   = 100  // characters
	maxValue = 1000 // characters
)

// Tag is one word pair.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Check judges the tags of a thing; what names it in refusals: "device".
func Check(what string, tags []Tag) error {
	if len(tags) > Max {
		return fault.Field("tags", "a %s holds at most %d tags, got %d", what, Max, len(tags))
	}
	for i, t := range tags {
		if err := check.Line(fmt.Sprintf("tags[%d].key", i), t.Key, 1, maxKey); err != nil {
			return err
		}
		if err := check.Prose(fmt.Sprintf("tags[%d].value", i), t.Value, maxValue); err != nil {
			return err
		}
	}
	return nil
}

// Protected is the refusal to delete a thing whose tags forbid it, nil when none does. The value of
// _delete_protection_ is the answer in the owner's own words.
func Protected(what string, tags []Tag) error {
	for _, t := range tags {
		switch t.Key {
		case "_delete_protection_":
			if t.Value != "" {
				return fault.New(fault.Forbidden, "%s", t.Value)
			}
			return protected(what, t.Key)
		case "_deletion_protection":
			return protected(what, t.Key)
		}
	}
	return nil
}

func protected(what, key string) error {
	return fault.New(fault.Forbidden, "This %s is protected by its tag %s: remove the tag to delete it", what, key)
}

// Filter asks a list for things that have a tag for each entry of filter[tags], by key, by value or by both; *
// stands for any text. of begins the search for the tags of a row, with a ? for each of its arguments and the
// table named t: "SELECT 1 FROM device_tag t WHERE t.profile_id = ? AND t.device_id = device.id".
func Filter(w *sqldb.Where, filter web.Query, of string, args ...any) error {
	path := filter.Child("tags").Path()
	entries := filter.List("tags")
	if entries == nil {
		return fault.Field(path, "must be a list of {key, value}, as in filter[tags][0][key]=type")
	}
	if len(entries) > Max {
		return fault.Field(path, "must have at most %d entries", Max)
	}
	for _, e := range entries {
		cond, all := of, append([]any(nil), args...)
		for _, k := range e.Keys() {
			v, err := e.Text(k)
			if err != nil {
				return err
			}
			if k != "key" && k != "value" {
				return fault.Field(e.Child(k).Path(), "must be key or value")
			}
			if len(v) > maxValue {
				return fault.Field(e.Child(k).Path(), "must have at most %d bytes", maxValue)
			}
			if strings.Contains(v, "*") {
				cond, all = cond+` AND lower(t.`+k+`) LIKE lower(?) ESCAPE '\'`, append(all, web.Like(v))
			} else {
				cond, all = cond+` AND lower(t.`+k+`) = lower(?)`, append(all, v)
			}
		}
		if len(e.Keys()) == 0 {
			return fault.Field(e.Path(), "must have a key, a value or both")
		}
		w.And(`EXISTS (`+cond+`)`, all...)
	}
	return nil
}
