package dashboard_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// These tests speak to the whole server over HTTP, on both engines.

type row = map[string]any

const absent = "0123456789abcdef01234567"

func makeDashboard(t *testing.T, s *apptest.Server, who apptest.Who, in row) string {
	t.Helper()
	var made struct{ Dashboard string }
	s.Call(t, "POST", "/dashboard", who.Token, in).Want(t, 201).Into(t, &made)
	return made.Dashboard
}

func makeWidget(t *testing.T, s *apptest.Server, who apptest.Who, dashboard string, in row) string {
	t.Helper()
	w := row{"label": "Chart", "type": "line_chart", "display": row{}}
	maps.Copy(w, in)
	var made struct{ Widget string }
	s.Call(t, "POST", "/dashboard/"+dashboard+"/widget", who.Token, w).Want(t, 201).Into(t, &made)
	return made.Widget
}

func get(t *testing.T, s *apptest.Server, who apptest.Who, path string) row {
	t.Helper()
	var out row
	s.Call(t, "GET", path, who.Token, nil).Want(t, 200).Into(t, &out)
	return out
}

func list(t *testing.T, s *apptest.Server, who apptest.Who, path string) []row {
	t.Helper()
	out := []row{}
	s.Call(t, "GET", path, who.Token, nil).Want(t, 200).Into(t, &out)
	if out == nil {
		t.Fatalf("%s answers null", path)
	}
	return out
}

func labels(rows []row) string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = fmt.Sprint(r["label"])
	}
	return strings.Join(out, " ")
}

func keys(r row) string { return strings.Join(slices.Sorted(maps.Keys(r)), " ") }

// same compares two values as JSON.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	var gv, wv any
	json.Unmarshal(g, &gv)
	json.Unmarshal(w, &wv)
	if !reflect.DeepEqual(gv, wv) {
		t.Errorf("%s is %s, want %s", what, g, w)
	}
}

// place is a row of an arrangement with one member changed.
func place(member string, v any) []row {
	p := row{"widget_id": absent, "x": 0, "y": 0, "width": 1, "height": 1}
	if v == nil {
		delete(p, member)
	} else {
		p[member] = v
	}
	return []row{p}
}

func many(n int, of any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = of
	}
	return out
}

// bad is what neither a new dashboard nor an edited one may have.
var bad = []struct {
	in      row
	message string
}{
	{row{"label": " "}, "label: is required"},
	{row{"label": 7}, "label: must be a string"},
	{row{"label": strings.Repeat("x", 101)}, "label: must have at most 100 characters, has 101"},
	{row{"label": "a\u0007"}, "label: must not contain control characters"},
	{row{"type": "page"}, "type: must be dashboard or blueprint"},
	{row{"type": 1}, "type: must be a string"},
	{row{"visible": "yes"}, "visible: must be true or false"},
	{row{"tags": row{"k": "v"}}, "tags: must be a list"},
	{row{"tags": many(31, row{"key": "k", "value": "v"})}, "tags: a dashboard holds at most 30 tags, got 31"},
	{row{"tags": []row{{"key": "", "value": "v"}}}, "tags[0].key: is required"},
	{row{"tags": []row{{"key": "k", "value": strings.Repeat("x", 1001)}}}, "tags[0].value: must have at most 1000"},
	{row{"arrangement": row{}}, "arrangement: must be a list"},
	{row{"arrangement": many(201, place("x", 0)[0])}, "arrangement: holds at most 200 places, got 201"},
	{row{"arrangement": place("widget_id", "x")}, "arrangement[0].widget_id: must be the id of a widget"},
	{row{"arrangement": place("widget_id", 7)}, "arrangement[0].widget_id: must be a string"},
	{row{"arrangement": place("x", -1)}, "arrangement[0].x: must not be negative"},
	{row{"arrangement": place("y", "1")}, "arrangement[0].y: must be a number"},
	{row{"arrangement": place("y", nil)}, "arrangement[0].y: is required"},
	{row{"arrangement": place("y", 100_001)}, "arrangement[0].y: must be at most 100000"},
	{row{"arrangement": place("width", 0)}, "arrangement[0].width: must be above 0"},
	{row{"arrangement": place("height", -2)}, "arrangement[0].height: must be above 0"},
	{row{"arrangement": place("tab", strings.Repeat("x", 101))}, "arrangement[0].tab: must have at most 100"},
	{row{"arrangement": place("tab", 5)}, "arrangement[0].tab: must be a string"},
	{row{"tabs": row{}}, "tabs: must be a list"},
	{row{"tabs": []any{row{}, 1}}, "tabs[1]: must be an object"},
	{row{"group_by": "x"}, "group_by: must be a list"},
	{row{"group_by": many(101, "x")}, "group_by: holds at most 100 items, got 101"},
	{row{"icon": "star"}, "icon: must be an object"},
	{row{"blueprint_devices": many(51, row{})}, "blueprint_devices: holds at most 50 items, got 51"},
	{row{"blueprint_devices": []any{"x"}}, "blueprint_devices[0]: must be an object"},
	{row{"blueprint_device_behavior": "never"}, "blueprint_device_behavior: must be more_than_one or always"},
	{row{"blueprint_selector_behavior": "ajar"}, "blueprint_selector_behavior: must be open"},
	{row{"theme": strings.Repeat("x", 64_000)}, "theme: makes the dashboard too large"},
}

// look is a dashboard with everything.
var look = row{
	"type": "blueprint", "visible": false, "tags": []row{{"key": "b", "value": "2"}, {"key": "a", "value": "1"}},
	"arrangement": []row{{"widget_id": absent, "x": 0.5, "y": 1, "width": 2, "height": 3, "tab": "t1"}, {"widget_id": absent, "x": 0, "y": 0, "width": 1, "height": 1, "tab": nil}},
	"tabs":        []row{{"key": "t1", "value": "First <tab>", "hidden": false}}, "group_by": []any{"x"}, "icon": row{"url": "https://example.test/i.svg", "color": "#fff"},
	"background": row{"color": "red"}, "setup": row{"config": []row{{"id": "s", "type": "device"}}}, "theme": row{"color": row{"primary": "#000"}},
	"blueprint_devices": []row{{"id": absent, "name": "room", "label": "Room", "conditions": []row{{"key": "type", "value": "room"}}}}, "blueprint_device_behavior": "more_than_one",
	"blueprint_selector_behavior": "always_open",
}

const allKeys = "arrangement background blueprint_device_behavior blueprint_devices blueprint_selector_behavior created_at group_by icon id label last_access profile setup tabs tags theme type updated_at visible"

func TestCreateDashboard(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		t.Run("what does not fit is refused by name and makes nothing", func(t *testing.T) {
			for _, c := range bad {
				in := row{"label": "Main"}
				maps.Copy(in, c.in)
				if x := s.Call(t, "POST", "/dashboard", a.Token, in).Want(t, 400); !strings.HasPrefix(x.Message, c.message) {
					t.Errorf("%v: %q, want %q", c.in, x.Message, c.message)
				}
			}
			for body, message := range map[string]string{
				`{}`: "label: is required", `[]`: "body: must be an object", ``: "label: is required", `{"label":"a","label":"b"}`: "label: is given twice", `{"label":`: "body: is not valid JSON",
				`{"label":"a","theme":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: "body: is nested deeper than 32 levels",
				`{"label":"a\u0000"}`: "body: must not contain the character NUL",
			} {
				if x := s.Call(t, "POST", "/dashboard", a.Token, body).Want(t, 400); !strings.HasPrefix(x.Message, message) {
					t.Errorf("%s: %q, want %q", body, x.Message, message)
				}
			}
			s.Call(t, "POST", "/dashboard", a.Token, row{"label": "a", "x": strings.Repeat("x", 200_000)}).Want(t, 413)
			if got := list(t, s, a, "/dashboard"); len(got) != 0 {
				t.Errorf("made %v", got)
			}
			if n := s.Summary(t, a).Amount["dashboard"]; n != 0 {
				t.Errorf("%v are held", n)
			}
		})
		t.Run("a label is enough, and every key is there", func(t *testing.T) {
			d := get(t, s, a, "/dashboard/"+makeDashboard(t, s, a, row{"label": "Main", "arrangement": nil, "tags": nil, "icon": nil}))
			if keys(d) != allKeys {
				t.Error(keys(d))
			}
			for _, k := range []string{"arrangement", "tags", "tabs", "group_by", "blueprint_devices"} {
				same(t, k, d[k], []any{})
			}
			for _, k := range []string{"icon", "background", "setup", "theme", "blueprint_device_behavior", "blueprint_selector_behavior", "last_access"} {
				same(t, k, d[k], nil)
			}
			if d["label"] != "Main" || d["type"] != "dashboard" || d["visible"] != true || d["profile"] != a.Profile {
				t.Error(d)
			}
		})
		t.Run("all it was given comes back", func(t *testing.T) {
			in := row{"label": strings.Repeat("ü", 100)}
			maps.Copy(in, look)
			d := get(t, s, a, "/dashboard/"+makeDashboard(t, s, a, in))
			for k, v := range in {
				same(t, k, d[k], v)
			}
		})
	})
}

func TestEditDashboard(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		path := "/dashboard/" + makeDashboard(t, s, a, row{"label": "Main"})
		before := get(t, s, a, path)
		for _, c := range bad {
			if x := s.Call(t, "PUT", path, a.Token, c.in).Want(t, 400); !strings.HasPrefix(x.Message, c.message) {
				t.Errorf("%v: %q, want %q", c.in, x.Message, c.message)
			}
		}
		s.Call(t, "PUT", path, a.Token, row{"theme": strings.Repeat("x", 40_000)}).Want(t, 200)
		if x := s.Call(t, "PUT", path, a.Token, row{"setup": strings.Repeat("x", 40_000)}).Want(t, 400); !strings.Contains(x.Message, "too large") {
			t.Error("members that are too large only together:", x.Message)
		}
		s.Call(t, "PUT", path, a.Token, row{"theme": nil}).Want(t, 200)
		after := get(t, s, a, path)
		delete(before, "last_access")
		delete(after, "last_access")
		same(t, "a refused edit", after, before)

		s.Clock.Advance(time.Minute)
		if x := s.Call(t, "PUT", path, a.Token, look).Want(t, 200); x.Text(t) != "Successfully Updated" {
			t.Error(x.Text(t))
		}
		d := get(t, s, a, path)
		for k, v := range look {
			same(t, k, d[k], v)
		}
		if d["label"] != "Main" || d["created_at"] != before["created_at"] || d["updated_at"] != "2026-11-22T09:01:00.000Z" {
			t.Error(d)
		}
		// What is absent stays; the whole object as it was read may be sent back; null clears.
		s.Call(t, "PUT", path, a.Token, row{"label": "Other"}).Want(t, 200)
		s.Call(t, "PUT", path, a.Token, d).Want(t, 200)
		again := get(t, s, a, path)
		delete(again, "last_access")
		delete(d, "last_access")
		same(t, "a round trip", again, d)
		s.Call(t, "PUT", path, a.Token, row{"icon": nil, "tabs": nil, "tags": nil, "arrangement": nil, "blueprint_device_behavior": nil, "blueprint_selector_behavior": ""}).Want(t, 200)
		d = get(t, s, a, path)
		for k, v := range (row{"icon": nil, "tabs": []any{}, "tags": []any{}, "arrangement": []any{}, "blueprint_device_behavior": nil, "blueprint_selector_behavior": nil, "theme": look["theme"]}) {
			same(t, k, d[k], v)
		}
	}, apptest.AtTime(now))
}

func TestListDashboards(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		if got := list(t, s, a, "/dashboard"); len(got) != 0 {
			t.Error(got)
		}
		var ids []string
		for _, in := range []row{
			{"label": "beta", "tags": []row{{"key": "site", "value": "North 1"}, {"key": "kind", "value": "x"}}},
			{"label": "Alpha", "tags": []row{{"key": "site", "value": "north 2"}}, "visible": false},
			{"label": "Ünder_100%", "type": "blueprint", "arrangement": place("x", 0)},
		} {
			ids = append(ids, makeDashboard(t, s, a, in))
			s.Clock.Advance(time.Hour)
		}
		for query, want := range map[string]string{
			"": "Alpha beta Ünder_100%", "orderBy=label,desc": "Ünder_100% beta Alpha", "orderBy=name,asc": "Alpha beta Ünder_100%", "orderBy=created_at,desc": "Ünder_100% Alpha beta",
			"amount=2": "Alpha beta", "amount=2&page=2": "Ünder_100%", "page=9": "",
			"filter[label]=alpha": "Alpha", "filter[name]=*ET*": "beta", "filter[label]=alph": "", "filter[label]=ü*": "Ünder_100%", "filter[label]=*%25": "Ünder_100%", "filter[label]=_lpha": "",
			"filter[type]=blueprint": "Ünder_100%", "filter[visible]=false": "Alpha", "filter[visible]=1": "beta Ünder_100%",
			"filter[id]=" + ids[0]: "beta", "filter[id][0]=" + ids[0] + "&filter[id][1]=" + ids[1]: "Alpha beta",
			"filter[tags][0][key]=site": "Alpha beta", "filter[tags][0][value]=north*": "Alpha beta", "filter[tags][0][key]=site&filter[tags][0][value]=NORTH 1": "beta",
			"filter[tags][0][key]=site&filter[tags][1][key]=kind": "beta", "filter[tags][0][key]=kind&filter[tags][0][value]=North 1": "",
			"filter[created_at]=90 minute": "Ünder_100%", "filter[last_access]=": "Alpha beta Ünder_100%",
		} {
			if got := labels(list(t, s, a, "/dashboard?"+strings.ReplaceAll(query, " ", "%20"))); got != want {
				t.Errorf("%s lists %q, want %q", query, got, want)
			}
		}
		for query, message := range map[string]string{
			"orderBy=color,asc": "orderBy: cannot order by", "orderBy=label,up": "orderBy", "filter[color]=red": "filter[color]: is not a known filter", "filter[visible]=maybe": "filter[visible]",
			"filter[tags]=x": "filter[tags]: must be a list", "filter[tags][0][color]=x": "filter[tags][0][color]: must be key or value", "filter[created_at]=soon": "filter[created_at]",
			"filter[label]=" + strings.Repeat("x", 201): "filter[label]: must have at most", "amount=-1": "amount", "page=x": "page",
		} {
			if x := s.Call(t, "GET", "/dashboard?"+query, a.Token, nil).Want(t, 400); !strings.HasPrefix(x.Message, message) {
				t.Errorf("%s: %q, want %q", query, x.Message, message)
			}
		}
		if got := keys(list(t, s, a, "/dashboard?fields[0]=id&fields[1]=name")[0]); got != "id label tags" {
			t.Error("as the client asks:", got)
		}
		if got := keys(list(t, s, a, "/dashboard?fields[]=visible&fields[]=icon")[0]); got != "icon id label tags visible" {
			t.Error(got)
		}
		if got := keys(list(t, s, a, "/dashboard")[0]); got != "created_at id label last_access profile tags type updated_at visible" {
			t.Error("by itself a list is light:", got)
		}
		same(t, "arrangement", list(t, s, a, "/dashboard?fields[]=arrangement&filter[type]=blueprint")[0]["arrangement"], place("x", 0))

		// What is shown next is when it was shown before.
		shown := get(t, s, a, "/dashboard/"+ids[0])
		if shown["last_access"] != nil {
			t.Error(shown["last_access"])
		}
		if again := get(t, s, a, "/dashboard/"+ids[0]); again["last_access"] != "2026-11-22T12:00:00.000Z" || again["updated_at"] != shown["updated_at"] {
			t.Error(again["last_access"], again["updated_at"])
		}
	}, apptest.AtTime(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)))
}

func TestDeleteDashboard(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		w := makeWidget(t, s, a, d, nil)
		for _, c := range []struct{ key, value, message string }{
			{"_delete_protection_", "Ask Ada first", "Ask Ada first"}, {"_delete_protection_", "100%s", "100%s"},
			{"_delete_protection_", "", "This dashboard is protected by its tag _delete_protection_"}, {"_deletion_protection", "x", "This dashboard is protected by its tag _deletion_protection"},
		} {
			s.Call(t, "PUT", "/dashboard/"+d, a.Token, row{"tags": []row{{"key": "a", "value": "b"}, {"key": c.key, "value": c.value}}}).Want(t, 200)
			if x := s.Call(t, "DELETE", "/dashboard/"+d, a.Token, nil).Want(t, 403); !strings.HasPrefix(x.Message, c.message) {
				t.Errorf("%q, want %q", x.Message, c.message)
			}
			s.Call(t, "GET", "/dashboard/"+d+"/widget/"+w, a.Token, nil).Want(t, 200)
		}
		s.Call(t, "PUT", "/dashboard/"+d, a.Token, row{"tags": []row{}}).Want(t, 200)
		if x := s.Call(t, "DELETE", "/dashboard/"+d, a.Token, nil).Want(t, 200); x.Text(t) != "Successfully Removed" {
			t.Error(x.Text(t))
		}
		for _, path := range []string{"/dashboard/" + d, "/dashboard/" + d + "/widget/" + w, "/dashboard/" + d + "/devices", "/dashboard/" + d + "/analysis"} {
			s.Call(t, "GET", path, a.Token, nil).Want(t, 404)
		}
		s.Call(t, "DELETE", "/dashboard/"+d, a.Token, nil).Want(t, 404)
	})
}

func TestDuplicate(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		one := makeWidget(t, s, a, d, row{"label": "One", "data": []row{{"origin": absent}}})
		two := makeWidget(t, s, a, d, row{"label": "Two", "display": row{"beside": one, "page": d, "text": "see " + one}})
		at := func(w string, x int) row { return row{"widget_id": w, "x": x, "y": 0, "width": 1, "height": 1} }
		in := maps.Clone(look)
		in["arrangement"], in["group_by"] = []row{at(two, 1), at(absent, 2), at(one, 3)}, []string{one}
		s.Call(t, "PUT", "/dashboard/"+d, a.Token, in).Want(t, 200)
		before := get(t, s, a, "/dashboard/"+d)

		var made struct {
			ID      string `json:"dashboard_id"`
			Message string
		}
		s.Call(t, "POST", "/dashboard/"+d+"/duplicate", a.Token, row{}).Want(t, 201).Into(t, &made)
		if made.Message == "" || made.ID == d {
			t.Fatal(made)
		}
		c := get(t, s, a, "/dashboard/"+made.ID)
		if c["label"] != "Copy of Main" || c["last_access"] != nil {
			t.Error(c["label"], c["last_access"])
		}
		for _, k := range []string{"type", "visible", "tags", "tabs", "icon", "background", "setup", "theme", "blueprint_devices", "blueprint_device_behavior"} {
			same(t, k, c[k], before[k])
		}
		places := c["arrangement"].([]any)
		if len(places) != 2 {
			t.Fatal("the place of a widget that is not there was copied:", places)
		}
		newTwo, newOne := places[0].(row)["widget_id"].(string), places[1].(row)["widget_id"].(string)
		same(t, "arrangement", places, []row{at(newTwo, 1), at(newOne, 3)})
		same(t, "group_by", c["group_by"], []string{newOne})
		if newOne == one || newTwo == two || newOne == newTwo {
			t.Fatal("the copy shares widgets with the original")
		}
		w := get(t, s, a, "/dashboard/"+made.ID+"/widget/"+newTwo)
		same(t, "display", w["display"], row{"beside": newOne, "page": made.ID, "text": "see " + one})
		if w["label"] != "Two" || w["dashboard"] != made.ID {
			t.Error(w)
		}
		same(t, "data", get(t, s, a, "/dashboard/"+made.ID+"/widget/"+newOne)["data"], []row{{"origin": absent}})

		// The two live apart.
		s.Call(t, "DELETE", "/dashboard/"+made.ID+"/widget/"+newOne, a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/dashboard/"+d+"/widget/"+one, a.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/dashboard/"+d+"/widget/"+newTwo, a.Token, nil).Want(t, 404)
		after := get(t, s, a, "/dashboard/"+d)
		delete(before, "last_access")
		delete(after, "last_access")
		same(t, "the original", after, before)

		s.Call(t, "POST", "/dashboard/"+d+"/duplicate", a.Token, row{"new_label": "Second", "setup": row{"a": 1}}).Want(t, 201).Into(t, &made)
		c = get(t, s, a, "/dashboard/"+made.ID)
		if c["label"] != "Second" {
			t.Error(c["label"])
		}
		same(t, "setup", c["setup"], row{"a": 1})
		s.Call(t, "POST", "/dashboard/"+d+"/duplicate", a.Token, nil).Want(t, 201)
		long := makeDashboard(t, s, a, row{"label": strings.Repeat("ü", 100)})
		s.Call(t, "POST", "/dashboard/"+long+"/duplicate", a.Token, nil).Want(t, 201).Into(t, &made)
		if got := get(t, s, a, "/dashboard/"+made.ID)["label"]; got != "Copy of "+strings.Repeat("ü", 92) {
			t.Error(got)
		}
		for _, c := range []struct {
			in      row
			message string
		}{{row{"new_label": ""}, "new_label: is required"}, {row{"new_label": strings.Repeat("x", 101)}, "new_label: must have"}, {row{"new_label": 1}, "new_label: must be a string"},
			{row{"setup": strings.Repeat("x", 64_000)}, "setup: makes the dashboard too large"}} {
			if x := s.Call(t, "POST", "/dashboard/"+d+"/duplicate", a.Token, c.in).Want(t, 400); !strings.HasPrefix(x.Message, c.message) {
				t.Errorf("%q, want %q", x.Message, c.message)
			}
		}
		s.Call(t, "POST", "/dashboard/"+absent+"/duplicate", a.Token, nil).Want(t, 404)
		if n := len(list(t, s, a, "/dashboard?amount=100")); float64(n) != s.Summary(t, a).Amount["dashboard"] || n != 6 {
			t.Error(n, s.Summary(t, a).Amount["dashboard"])
		}
	})
}

func TestWidgets(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		path := "/dashboard/" + d + "/widget/"
		full := row{"label": "Chart", "type": "line_chart", "display": row{"title": "<b>&</b>", "n": 1.5e300}, "data": []row{{"origin": absent, "variables": []string{"t"}, "qty": 1}},
			"resource": []row{{"type": "device", "view": "name"}}, "realtime": true, "analysis_run": absent, "html": "x", "version": 2}
		id := makeWidget(t, s, a, d, full)
		same(t, "arrangement", get(t, s, a, "/dashboard/"+d)["arrangement"], []any{})
		w := get(t, s, a, path+id)
		for k, v := range full {
			same(t, k, w[k], v)
		}
		if w["id"] != id || w["dashboard"] != d || w["profile"] != a.Profile || w["created_at"] == nil || w["updated_at"] == nil {
			t.Error(w)
		}
		bare := get(t, s, a, path+makeWidget(t, s, a, d, nil))
		same(t, "realtime", bare["realtime"], nil)
		same(t, "analysis_run", bare["analysis_run"], nil)

		// Each member given is replaced whole; without analysis_run it is detached.
		if x := s.Call(t, "PUT", path+id, a.Token, row{"display": row{"b": 1}, "analysis_run": absent}).Want(t, 200); x.Text(t) != "Successfully Updated" {
			t.Error(x.Text(t))
		}
		w = get(t, s, a, path+id)
		same(t, "display", w["display"], row{"b": 1})
		same(t, "analysis_run", w["analysis_run"], absent)
		same(t, "data", w["data"], full["data"])
		s.Call(t, "PUT", path+id, a.Token, w).Want(t, 200) // as it was read
		again := get(t, s, a, path+id)
		delete(w, "updated_at")
		delete(again, "updated_at")
		same(t, "a round trip", again, w)
		s.Call(t, "PUT", path+id, a.Token, row{"label": "New", "id": absent, "dashboard": absent}).Want(t, 200)
		w = get(t, s, a, path+id)
		same(t, "analysis_run", w["analysis_run"], nil)
		if w["label"] != "New" || w["id"] != id || w["dashboard"] != d || w["type"] != "line_chart" {
			t.Error(w)
		}
		s.Call(t, "PUT", path+id, a.Token, row{"data": nil, "resource": nil}).Want(t, 200)

		// What does not fit.
		for _, c := range []struct {
			in      any
			message string
		}{
			{row{"label": ""}, "label: is required"}, {row{"label": nil}, "label: must be a string"}, {row{"label": 1}, "label: must be a string"}, {row{"label": strings.Repeat("x", 101)}, "label: must have at most 100"},
			{row{"label": "a\u0007"}, "label: must not contain control"}, {row{"type": ""}, "type: is required"}, {row{"type": []any{}}, "type: must be a string"},
			{row{"display": nil}, "display: must be an object"}, {row{"display": "x"}, "display: must be an object"}, {row{"data": row{}}, "data: must be a list"}, {row{"data": []any{"x"}}, "data[0]: must be an object"},
			{row{"data": many(101, row{})}, "data: holds at most 100 items, got 101"}, {row{"resource": "x"}, "resource: must be a list"}, {row{"resource": []any{row{}, 3}}, "resource[1]: must be an object"},
			{row{"realtime": "yes"}, "realtime: must be true"}, {row{"analysis_run": "x"}, "analysis_run: must be an id or null"}, {row{"analysis_run": 5}, "analysis_run: must be an id or null"},
			{row{"": 1}, "body: has a member whose name"}, {row{strings.Repeat("x", 101): 1}, "body: has a member whose name"}, {row{"html": strings.Repeat("x", 64_000)}, "body: a widget has at most 64000 bytes"},
			{[]any{row{"variable": "v"}}, "body: must be an object"}, {`null`, "body: must be an object"}, {`"x"`, "body: must be an object"}, {``, "body: must not be empty"}, {`{"a":1,"a":2}`, "a: is given twice"},
			{`{"display":` + strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat("}", 33), "body: is nested deeper than 32 levels"},
		} {
			in := c.in
			if r, ok := c.in.(row); ok {
				r2 := row{"label": "Chart", "type": "x", "display": row{}}
				maps.Copy(r2, r)
				in = r2
			}
			for _, x := range []apptest.Answer{s.Call(t, "POST", path, a.Token, in), s.Call(t, "PUT", path+id, a.Token, c.in)} {
				if x.Status != 400 || !strings.HasPrefix(x.Message, c.message) {
					t.Errorf("%s %.100v: %d %q, want %q", x.Method, c.in, x.Status, x.Message, c.message)
				}
			}
		}
		for _, missing := range []string{"label", "type", "display"} {
			in := row{"label": "Chart", "type": "x", "display": row{}}
			delete(in, missing)
			if x := s.Call(t, "POST", path, a.Token, in).Want(t, 400); !strings.HasPrefix(x.Message, missing+": is required") {
				t.Error(x.Message)
			}
		}
		members := row{}
		for i := range 48 {
			members[fmt.Sprint("m", i)] = i
		}
		wide := row{"label": "Chart", "type": "x", "display": row{}}
		maps.Copy(wide, members)
		if x := s.Call(t, "POST", path, a.Token, wide).Want(t, 400); !strings.HasPrefix(x.Message, "body: a widget has at most 50 members, this one 51") {
			t.Error(x.Message)
		}
		if x := s.Call(t, "PUT", path+id, a.Token, members).Want(t, 400); !strings.HasPrefix(x.Message, "body: a widget has at most 50 members") {
			t.Error(x.Message)
		}

		// A deleted widget leaves its place.
		stands := []row{{"widget_id": id, "x": 0, "y": 0, "width": 1, "height": 1}}
		s.Call(t, "PUT", "/dashboard/"+d, a.Token, row{"arrangement": stands}).Want(t, 200)
		if x := s.Call(t, "DELETE", path+id, a.Token, nil).Want(t, 200); x.Text(t) != "Successfully Removed" {
			t.Error(x.Text(t))
		}
		same(t, "arrangement", get(t, s, a, "/dashboard/"+d)["arrangement"], stands)
		for _, m := range []string{"GET", "PUT", "DELETE"} {
			for _, w := range []string{id, absent, "x"} {
				s.Call(t, m, path+w, a.Token, map[string]any{"GET": nil, "DELETE": nil, "PUT": row{"label": "x"}}[m]).Want(t, 404)
			}
			other := makeDashboard(t, s, a, row{"label": "Other"})
			s.Call(t, m, "/dashboard/"+other+"/widget/"+fmt.Sprint(bare["id"]), a.Token, map[string]any{"GET": nil, "DELETE": nil, "PUT": row{"label": "x"}}[m]).Want(t, 404)
		}
		s.Call(t, "GET", path+fmt.Sprint(bare["id"]), a.Token, nil).Want(t, 200)
	})
}

// TestWidgetBounds fills a dashboard from many sides at once: neither one widget nor one byte too many.
func TestWidgetBounds(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		var mu sync.Mutex
		answers := map[int]int{}
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				for range 10 {
					x := s.Call(t, "POST", "/dashboard/"+d+"/widget", a.Token, row{"label": "W", "type": "x", "display": row{}})
					mu.Lock()
					answers[x.Status]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if answers[201] != 100 || answers[400] != 20 {
			t.Errorf("answers %v, want 100 widgets and 20 refusals", answers)
		}
		s.Call(t, "POST", "/dashboard/"+d+"/duplicate", a.Token, nil).Want(t, 201)

		big := makeDashboard(t, s, a, row{"label": "Big"})
		var last string
		made := 0
		for range 20 {
			x := s.Call(t, "POST", "/dashboard/"+big+"/widget", a.Token, row{"label": "W", "type": "x", "display": row{}, "html": strings.Repeat("x", 63_000)})
			if x.Status == 201 {
				made++
				var m struct{ Widget string }
				x.Into(t, &m)
				last = m.Widget
			} else if !strings.HasPrefix(x.Want(t, 400).Message, "widget: the widgets of a dashboard have together at most 1000000 bytes") {
				t.Error(x.Message)
			}
		}
		if made != 15 {
			t.Errorf("%d widgets of 63 kB fit into 1 MB", made)
		}
		s.Call(t, "PUT", "/dashboard/"+big+"/widget/"+last, a.Token, row{"html": ""}).Want(t, 200)
		makeWidget(t, s, a, big, row{"html": strings.Repeat("x", 63_000)})
		s.Call(t, "PUT", "/dashboard/"+big+"/widget/"+last, a.Token, row{"html": strings.Repeat("x", 63_000)}).Want(t, 400)
	})
}

func TestRelated(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		barn, _ := s.Device(t, a, "barn")
		attic, _ := s.Device(t, a, "Attic")
		unused, _ := s.Device(t, a, "Unused")
		gone, _ := s.Device(t, a, "Gone")
		foreign, _ := s.Device(t, b, "Foreign")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		if got := list(t, s, a, "/dashboard/"+d+"/devices"); len(got) != 0 {
			t.Error(got)
		}
		makeWidget(t, s, a, d, row{"data": []row{{"origin": barn, "variables": []string{"\"" + unused, "x\\"}}, {"origin": foreign}, {"origin": absent}, {"origin": gone}}, "display": row{"device": unused}})
		makeWidget(t, s, a, d, row{"data": []row{{"origin": barn}}, "resource": []row{{"type": "device", "filter": row{"id": attic}}}})
		s.Call(t, "DELETE", "/device/"+gone, a.Token, nil).Want(t, 200)
		same(t, "devices", list(t, s, a, "/dashboard/"+d+"/devices"), []row{{"id": attic, "name": "Attic", "bucket": attic}, {"id": barn, "name": "barn", "bucket": barn}})
		if got := list(t, s, a, "/dashboard/"+d+"/analysis"); len(got) != 0 {
			t.Error(got)
		}
		s.Call(t, "GET", "/dashboard/"+absent+"/devices", a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/dashboard/"+absent+"/analysis", a.Token, nil).Want(t, 404)
	})
}

func TestTagKeys(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		b := s.Profile(t, a, "B")
		makeDashboard(t, s, b, row{"label": "x", "tags": []row{{"key": "foreign", "value": "1"}}})
		for _, kind := range []string{"device", "bucket", "dashboard"} {
			if got := s.Call(t, "GET", "/tags/keys/"+kind, a.Token, nil).Want(t, 200); string(got.Result) != "[]" {
				t.Errorf("%s: %s", kind, got.Body)
			}
		}
		for _, tags := range [][]row{{{"key": "site", "value": "1"}, {"key": "Zone", "value": "1"}}, {{"key": "site", "value": "2"}}, {{"key": "Area", "value": ""}}} {
			makeDashboard(t, s, a, row{"label": "x", "tags": tags})
			s.Call(t, "POST", "/device", a.Token, row{"name": "x", "tags": append(tags, row{"key": "dev", "value": "1"})}).Want(t, 201)
		}
		for kind, want := range map[string]string{"dashboard": `["Area","Zone","site"]`, "device": `["Area","Zone","dev","site"]`, "bucket": `["Area","Zone","dev","site"]`} {
			if got := s.Call(t, "GET", "/tags/keys/"+kind, a.Token, nil).Want(t, 200); string(got.Result) != want {
				t.Errorf("%s: %s", kind, got.Result)
			}
		}
		s.Call(t, "GET", "/tags/keys/action", a.Token, nil).Want(t, 404)
		s.Call(t, "GET", "/tags/keys/colour", a.Token, nil).Want(t, 400)
	})
}

// TestStatuses has one row for each status that dashboards answer with.
func TestStatuses(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "free")
		_, device := s.Device(t, a, "D")
		d := makeDashboard(t, s, a, row{"label": "Main"})
		kept := makeDashboard(t, s, a, row{"label": "Kept", "tags": []row{{"key": "_delete_protection_", "value": "Keep me"}}})
		for range 3 {
			makeDashboard(t, s, a, row{"label": "x"})
		}
		token := func(permission string) string {
			var made struct{ Token string }
			s.Call(t, "POST", "/profile/"+a.Profile+"/token", a.Token, row{"name": permission, "permission": permission, "email": a.Email, "password": apptest.Password}).Want(t, 200, 201).Into(t, &made)
			return made.Token
		}
		reader, writer := token("read"), token("write")
		for _, c := range []struct {
			status              int
			method, path, token string
			body                any
			message             string
		}{
			{200, "GET", "/dashboard/" + d, reader, nil, ""},
			{201, "POST", "/dashboard/" + d + "/widget/", writer, row{"label": "W", "type": "x", "display": row{}}, ""},
			{400, "POST", "/dashboard", a.Token, row{"label": ""}, "label: is required"},
			{401, "GET", "/dashboard/" + d, "", nil, "Authorization Denied"},
			{401, "GET", "/dashboard/" + d, device, nil, "Authorization Denied"},
			{401, "GET", "/dashboard/" + d, writer, nil, "Authorization Denied"},
			{401, "PUT", "/dashboard/" + d, reader, row{"label": "x"}, "Authorization Denied"},
			{401, "DELETE", "/dashboard/" + d, writer, nil, "Authorization Denied"},
			{401, "DELETE", "/dashboard/" + d + "/widget/" + absent, writer, nil, "Authorization Denied"},
			{402, "POST", "/dashboard", a.Token, row{"label": "sixth"}, "You have exceeded the maximum limit of dashboards (5)"},
			{402, "POST", "/dashboard/" + d + "/duplicate", a.Token, nil, "You have exceeded the maximum limit of dashboards (5)"},
			{403, "DELETE", "/dashboard/" + kept, a.Token, nil, "Keep me"},
			{404, "GET", "/dashboard/" + absent, a.Token, nil, "Dashboard Not Found"},
			{404, "PUT", "/dashboard/x", a.Token, row{}, "Dashboard Not Found"},
			{404, "GET", "/dashboard/" + d + "/widget/" + absent, a.Token, nil, "Widget Not Found"},
			{404, "GET", "/dashboard/" + d + "/share/public", a.Token, nil, "Not available yet"},
			{404, "GET", "/dashboard/" + d + "/widget/" + absent + "/token", a.Token, nil, "Not available yet"},
			{404, "GET", "/data/" + d + "/" + absent, a.Token, nil, "Not available yet"},
			{405, "PATCH", "/dashboard/" + d, a.Token, nil, ""},
			{413, "POST", "/dashboard", a.Token, `{"label":"` + strings.Repeat("x", 200_000) + `"}`, ""},
		} {
			x := s.Call(t, c.method, c.path, c.token, c.body)
			if x.Status != c.status || !strings.HasPrefix(x.Message, c.message) || x.OK != (c.status < 300) {
				t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, x.Status, x.Message, c.status, c.message)
			}
		}
		q, _ := http.NewRequest("POST", s.URL+"/dashboard", strings.NewReader("label=x"))
		q.Header.Set("token", a.Token)
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if x := s.Do(t, q); x.Status < 400 || x.Status >= 500 {
			t.Errorf("a form is answered %d", x.Status)
		}
	})
}
