// Package tag is the word pairs by which people and access rules find things of any kind: their bounds, the
// filter of lists that asks for them, and the two keys that forbid a deletion. Each room keeps the tags of its
// things in a table of its own.
package tag

import (
	"fmt"
	"slices"
	"strings"

	"paddock/internal/auth"
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
type Tag = auth.Tag

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

// protection are the tags that forbid a deletion.
func protection(tags []Tag) []Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool { return t.Key != "_delete_protection_" && t.Key != "_deletion_protection" })
}

// In reports whether a thing with an id and tags is in a part of its profile. It judges as Within does.
func In(part *auth.Part, id string, tags []Tag) bool {
	return part.HasID(id) || slices.ContainsFunc(tags, func(t Tag) bool { return part.HasTag(t.Key, t.Value) })
}

// Within is the condition that the thing in column is in a part of its profile, with a ? for each argument; "" for all
// things. of begins the search for things by a tag, with a ? for each of its arguments and the table named t:
// "SELECT t.device_id FROM device_tag t WHERE t.profile_id = ?".
//
// Each tag is looked up in the index of lower case first. The condition is one IN over all of them, which finds few things
// among very many from the tags. See Each for the other way.
func Within(part *auth.Part, column, of string, args ...any) (cond string, all []any) {
	if part == nil {
		return "", nil
	}
	var from []string
	for _, t := range part.Tags {
		from = append(from, of+` AND lower(t.key) = lower(?) AND lower(t.value) = lower(?) AND t.key = ? AND t.value = ?`)
		all = append(append(all, args...), t.Key, t.Value, t.Key, t.Value)
	}
	if len(part.IDs) > 0 {
		from = append(from, `VALUES (CAST(? AS TEXT))`+strings.Repeat(`, (?)`, len(part.IDs)-1))
		for _, id := range part.IDs {
			all = append(all, id)
		}
	}
	if len(from) == 0 {
		return "1 = 0", nil
	}
	return column + ` IN (` + strings.Join(from, " UNION ALL ") + `)`, all
}

// Each is Within the other way round: the tags of each thing are looked at as it comes, which is for lists that are read in
// their own order until a page is full, where a large share of the things is in the part. of begins the search for the
// tags of a row, as in Filter.
func Each(part *auth.Part, column, of string, args ...any) (cond string, all []any) {
	if part == nil {
		return "", nil
	}
	cond = "1 = 0"
	if len(part.IDs) > 0 {
		cond = column + ` IN (?` + strings.Repeat(`, ?`, len(part.IDs)-1) + `)`
		for _, id := range part.IDs {
			all = append(all, id)
		}
	}
	if len(part.Tags) > 0 {
		cond, all = cond+` OR EXISTS (`+of+` AND (1 = 0`, append(all, args...)
		for _, t := range part.Tags {
			cond, all = cond+` OR t.key = ? AND t.value = ?`, append(all, t.Key, t.Value)
		}
		cond += `))`
	}
	return "(" + cond + ")", all
}

// Made judges the tags of a thing that is being made by somebody who sees a part of the profile's things only: one of them
// must be of that part, or its maker would not see it, and none may forbid the deletion, which is for those who see
// everything to say.
func Made(part *auth.Part, what string, tags []Tag) error {
	switch {
	case part == nil:
	case len(part.Tags) == 0:
		return auth.Outside(what, ", and none by a tag, so you cannot make another")
	case !In(part, "", tags):
		return auth.Outside(what, ": a new one must have one of the tags "+words(part.Tags))
	case len(protection(tags)) > 0:
		return auth.Outside(what, " and may not protect one from deletion")
	}
	return nil
}

// Changed judges a change of the tags of a thing by somebody who sees a part of the profile's things only: the thing must
// stay in that part, and what protects it from deletion must stay as it is.
func Changed(part *auth.Part, what, id string, before, after []Tag) error {
	switch {
	case part == nil:
	case !In(part, id, after):
		return auth.Outside(what, ": this one must keep one of the tags "+words(part.Tags))
	case !slices.Equal(protection(before), protection(after)):
		return auth.Outside(what, " and may not change what protects one from deletion")
	}
	return nil
}

func words(tags []auth.Tag) string {
	var b strings.Builder
	for i, t := range tags {
		if i == 10 {
			return b.String() + " …"
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Key + "=" + t.Value)
	}
	return b.String()
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
