package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// View is a row of a list.
type View struct {
	ID      id.Device         `json:"id"`
	Name    string            `json:"name" description:"What people call it."`
	Tags    []tag             `json:"tags"`
	Params  map[string]string `json:"params"`
	Last    *web.Time         `json:"last_input"`
	Created web.Time          `json:"created_at"`
	Extra   json.RawMessage   `json:"extra"`
	Any     any               `json:"any"`
	Parent  *View             `json:"parent"`
	Others  []*View           `json:"others"`
	Limit   web.Opt[float64]  `json:"limit"`
}

func localTypes() []web.Route {
	type in struct {
		A string `json:"a"`
	}
	type out struct {
		X int `json:"x"`
	}
	a := web.Handle("POST /local/a", "A", auth.Anyone, func(context.Context, auth.Caller, in) ([]out, error) { return nil, nil })
	return append(otherLocalTypes(), a)
}

func otherLocalTypes() []web.Route {
	type in struct {
		B int `json:"b"`
	}
	type out struct {
		Y int `json:"y"`
	}
	return []web.Route{web.Handle("POST /local/b", "B", auth.Anyone, func(context.Context, auth.Caller, in) ([]out, error) { return nil, nil })}
}

func documented() []web.Route {
	return append(localTypes(),
		web.Handle("GET /device", "List the devices of the profile", auth.InProfile, func(context.Context, auth.Caller, struct {
			web.List
			Extra bool `query:"extra" description:"Also the rest."`
		}) ([]View, error) {
			return nil, nil
		}),
		web.Handle("POST /device", "Create a device", auth.InProfile, func(context.Context, auth.Caller, createInput) (View, error) { return View{}, nil }, web.Status(201)),
		web.Handle("PUT /device/{id}", "Edit a device", auth.InProfile, func(context.Context, auth.Caller, editIn) (string, error) { return "", nil }),
		web.Handle("DELETE /device/{id}", "Delete a device", auth.InProfile.By(auth.Owner), echoID),
		web.Handle("GET /device/{id}/data", "Data of a device", auth.InProfile, func(context.Context, auth.Caller, struct {
			ID     id.Device `path:"id"`
			Filter web.Query `query:"filter"`
			All    web.Query `query:"*"`
			Qty    *int      `query:"qty"`
		}) (any, error) {
			return nil, nil
		}),
		web.Handle("POST /data", "Send data", auth.OfDevice, func(context.Context, auth.Caller, struct {
			Body []byte `body:"json" description:"One point or a list of them."`
		}) (web.Reply, error) {
			return web.Reply{}, nil
		}, web.Group("data")),
		web.Handle("POST /profile/{id}/logo", "Upload a logo", auth.OfAccount, func(context.Context, auth.Caller, struct{ R *web.Request }) (web.None, error) {
			return web.None{}, nil
		}, web.Multipart(1000)),
		web.Handle("GET /file", "A file", auth.Anyone, give(web.Raw{}, nil)),
		web.Handle("GET /message", "A type of another package", auth.Anyone, give(fault.Error{}, nil)),
		web.Handle("GET /message2", "A type of this one with that name", auth.Anyone, give(Error{}, nil)),
	)
}

// Error has the name of a type of kit/fault.
type Error struct {
	Mine string `json:"mine"`
}

func TestOpenAPI(t *testing.T) {
	info := web.Info{Title: "Paddock", Version: "1", Description: "Profiles <for> IoT"}
	spec, err := web.OpenAPI(info, documented())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		routes := documented()
		slices.Reverse(routes)
		again, err := web.OpenAPI(info, routes)
		if err != nil || !bytes.Equal(again, spec) {
			t.Fatalf("not the same twice: %v", err)
		}
	}
	var d map[string]any
	if err := json.Unmarshal(spec, &d); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) any {
		var v any = d
		for _, p := range path {
			switch m := v.(type) {
			case map[string]any:
				v = m[p]
			case []any:
				if len(m) == 0 {
					return nil
				}
				v = m[0]
			default:
				return nil
			}
		}
		return v
	}
	text := func(path ...string) string {
		b, _ := json.Marshal(at(path...))
		return string(b)
	}
	for _, c := range []struct {
		path []string
		want string
	}{
		{[]string{"openapi"}, `"3.1.0"`},
		{[]string{"info", "title"}, `"Paddock"`},
		{[]string{"paths", "/device/{id}/data", "get", "operationId"}, `"getDeviceByIdData"`},
		{[]string{"paths", "/device/{id}/data", "get", "tags"}, `["device"]`},
		{[]string{"paths", "/device", "get", "operationId"}, `"getDevice"`},
		{[]string{"paths", "/device", "get", "security"}, `[{"token":[]},{"session":[]}]`},
		{[]string{"paths", "/file", "get", "security"}, `[{"token":[]},{"session":[]},{}]`},
		{[]string{"paths", "/device", "get", "x-callers"}, `"a session, a profile token that may read; from the role viewer on"`},
		{[]string{"paths", "/device/{id}", "delete", "x-callers"}, `"a session, a profile token with permission full; only the profile's owner"`},
		{[]string{"paths", "/data", "post", "x-rate-group"}, `"data"`},
		{[]string{"paths", "/data", "post", "requestBody", "content", "application/json", "schema", "description"}, `"One point or a list of them."`},
		{[]string{"paths", "/device", "post", "responses", "201", "content", "application/json", "schema", "properties", "status", "const"}, `true`},
		{[]string{"paths", "/device", "post", "responses", "default", "$ref"}, `"#/components/responses/Error"`},
		{[]string{"paths", "/device", "get", "responses", "200", "content", "application/json", "schema", "properties", "result", "type"}, `"array"`},
		{[]string{"paths", "/device", "get", "responses", "200", "content", "application/json", "schema", "properties", "result", "items", "$ref"}, `"#/components/schemas/WebTestView"`},
		{[]string{"paths", "/device", "post", "requestBody", "content", "application/json", "schema", "$ref"}, `"#/components/schemas/WebTestCreateInput"`},
		{[]string{"paths", "/device/{id}", "put", "requestBody", "content", "application/json", "schema", "$ref"}, `"#/components/schemas/WebTestCreateInput"`},
		{[]string{"paths", "/profile/{id}/logo", "post", "requestBody", "content", "multipart/form-data", "schema", "type"}, `"object"`},
		{[]string{"components", "schemas", "WebTestView", "properties", "created_at"}, `{"format":"date-time","type":"string"}`},
		{[]string{"components", "schemas", "WebTestView", "properties", "last_input"}, `{"format":"date-time","type":["null","string"]}`},
		{[]string{"components", "schemas", "WebTestView", "properties", "limit"}, `{"type":["number","null"]}`},
		{[]string{"components", "schemas", "WebTestView", "properties", "tags", "type"}, `"array"`},
		{[]string{"components", "schemas", "WebTestView", "properties", "params", "type"}, `"object"`},
		{[]string{"components", "schemas", "WebTestView", "properties", "extra"}, `{}`},
		{[]string{"components", "schemas", "WebTestView", "properties", "any"}, `{}`},
		{[]string{"components", "schemas", "WebTestView", "properties", "name", "description"}, `"What people call it."`},
		{[]string{"components", "schemas", "WebTestView", "properties", "others", "items", "$ref"}, `"#/components/schemas/WebTestView"`},
		{[]string{"components", "securitySchemes", "token", "in"}, `"header"`},
		{[]string{"components", "securitySchemes", "session", "in"}, `"cookie"`},
	} {
		if got := text(c.path...); got != c.want {
			t.Errorf("%s is %s, want %s", strings.Join(c.path, " › "), got, c.want)
		}
	}
	params := map[string]map[string]any{}
	for _, p := range append(at("paths", "/device", "get", "parameters").([]any), at("paths", "/device/{id}/data", "get", "parameters").([]any)...) {
		m := p.(map[string]any)
		params[m["name"].(string)] = m
	}
	for _, name := range []string{"page", "amount", "fields", "filter", "orderBy", "extra", "Profile-Id", "id", "qty"} {
		if params[name] == nil {
			t.Errorf("no parameter %s", name)
		}
	}
	if params["*"] != nil || params["filter"]["style"] != "deepObject" || params["id"]["required"] != true || params["id"]["in"] != "path" {
		t.Errorf("%v", params)
	}
	if b, _ := json.Marshal(params["qty"]["schema"]); string(b) != `{"type":"integer"}` {
		t.Errorf("qty is %s", b)
	}
	t.Run("types of one name stay apart", func(t *testing.T) {
		a := text("paths", "/local/a", "post", "requestBody", "content", "application/json", "schema", "$ref")
		b := text("paths", "/local/b", "post", "requestBody", "content", "application/json", "schema", "$ref")
		if a == b || a == "null" {
			t.Errorf("%s and %s", a, b)
		}
		x := at("components", "schemas", strings.Trim(strings.TrimPrefix(a, `"#/components/schemas/`), `"`), "properties", "a")
		y := at("components", "schemas", strings.Trim(strings.TrimPrefix(b, `"#/components/schemas/`), `"`), "properties", "b")
		if x == nil || y == nil {
			t.Errorf("%s: %v, %s: %v", a, x, b, y)
		}
		m := text("paths", "/message", "get", "responses", "200", "content", "application/json", "schema", "properties", "result", "$ref")
		m2 := text("paths", "/message2", "get", "responses", "200", "content", "application/json", "schema", "properties", "result", "$ref")
		if m == m2 {
			t.Errorf("%s", m)
		}
	})
	t.Run("every reference leads somewhere", func(t *testing.T) {
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				if ref, ok := v["$ref"].(string); ok && at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
				for _, x := range v {
					walk(x)
				}
			case []any:
				for _, x := range v {
					walk(x)
				}
			}
		}
		walk(d)
	})
	t.Run("operation ids are unique", func(t *testing.T) {
		seen := map[string]bool{}
		for path, methods := range d["paths"].(map[string]any) {
			for method, op := range methods.(map[string]any) {
				id := op.(map[string]any)["operationId"].(string)
				if seen[id] {
					t.Errorf("%s %s: %s is taken", method, path, id)
				}
				seen[id] = true
			}
		}
	})
}

func TestDocsPage(t *testing.T) {
	spec, err := web.OpenAPI(web.Info{Title: "Paddock", Version: "1", Description: "Profiles <for> IoT"}, documented())
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, web.Config{}, web.DocsRoutes(func() ([]byte, error) { return spec, nil }))
	if a := s.call("GET", "/openapi.json", ""); a.Status != 200 || a.Body != string(spec) || a.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	a := s.call("GET", "/docs/api", "")
	if a.Status != 200 || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	for _, want := range []string{
		"Profiles &lt;for&gt; IoT", `<h2 id="device">device</h2>`, "<code>/device/{id}/data</code>", "List the devices of the profile",
		"a profile token that may read", "orderBy", "list of WebTestView", "One point or a list of them.", "WebTestCreateInput", "last_input", "null or date",
	} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	_, style, _ := strings.Cut(a.Body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(a.Header.Get("Content-Security-Policy"), want) {
		t.Errorf("the policy %q lacks the hash of the style", a.Header.Get("Content-Security-Policy"))
	}
	for _, bad := range []string{"<script", " style=", "onclick", "src=", "http://", "https://", "ZgotmplZ"} {
		if strings.Contains(a.Body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
