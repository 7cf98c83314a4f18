package device

import (
	"slices"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// TestParts shows that devices are judged alike one by one, in a list that begins at the tags and in one that begins at
// the devices.
func TestParts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		h.person(t, "house")
		made := map[string]id.Device{}
		for name, tags := range map[string][]Tag{
			"plain": {}, "a": {{Key: "site", Value: "A"}}, "a twice": {{Key: "site", Value: "A"}, {Key: "x", Value: "y"}, {Key: "site", Value: "A"}},
			"other letters": {{Key: "Site", Value: "a"}}, "b": {{Key: "site", Value: "B"}}, "swapped": {{Key: "A", Value: "site"}},
			"odd": {{Key: "it's", Value: `50% \ "?" _ $1`}}, "ä": {{Key: "Ä", Value: "ß"}}, "empty": {{Key: "site", Value: ""}},
		} {
			c, err := h.Create(t.Context(), p.Caller, p.ProfileID, CreateInput{Name: name, Tags: tags})
			must(t, err)
			made[name] = c.ID
		}
		tags := func(pairs ...string) *auth.Part {
			part := &auth.Part{}
			for i := 0; i < len(pairs); i += 2 {
				part.Tags = append(part.Tags, auth.Tag{Key: pairs[i], Value: pairs[i+1]})
			}
			return part
		}
		ids := func(part *auth.Part, names ...string) *auth.Part {
			for _, n := range names {
				part.IDs = append(part.IDs, string(made[n]))
			}
			return part
		}
		for _, c := range []struct {
			part *auth.Part
			want []string
		}{
			{nil, []string{"a", "a twice", "b", "empty", "odd", "other letters", "plain", "swapped", "ä"}},
			{&auth.Part{}, nil},
			{tags("site", "A"), []string{"a", "a twice"}},
			{tags("site", ""), []string{"empty"}},
			{tags("it's", `50% \ "?" _ $1`), []string{"odd"}},
			{tags("Ä", "ß"), []string{"ä"}},
			{tags("ä", "ß"), nil},
			{tags("site", "A", "site", "B", "none", "none"), []string{"a", "a twice", "b"}},
			{ids(tags(), "plain", "b"), []string{"b", "plain"}},
			{ids(tags("site", "A"), "plain", "a"), []string{"a", "a twice", "plain"}},
			{ids(&auth.Part{IDs: []string{"ffffffffffffffffffffffff"}}), nil},
		} {
			who := p.Caller
			who.Within = &auth.Within{Devices: c.part}
			for _, few := range []int{fewDevices, 0} {
				h.few = few
				w := sqldb.NewWhere("profile_id = ?", p.ProfileID)
				must(t, h.filter(t.Context(), w, who, web.Query{}, ""))
				ds, err := h.list(t.Context(), w, p.ProfileID, "name_key ASC", false, 100, 0)
				must(t, err)
				var got []string
				for _, d := range ds {
					got = append(got, d.Name)
				}
				slices.Sort(got)
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v lists %v, want %v", c.part, got, c.want)
				}
			}
			for name, d := range made {
				_, err := h.Get(t.Context(), who, p.ProfileID, d)
				if may := slices.Contains(c.want, name); may != (err == nil) {
					t.Errorf("%+v and %q: %v", c.part, name, err)
				}
			}
		}
	})
}
