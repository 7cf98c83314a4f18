package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
)

// docsStyle is the whole style of the page; its hash is in DocsCSP.
const docsStyle = `
:root{color-scheme:light dark;--line:#8884;--dim:#777;--get:#1971c2;--post:#2b8a3e;--put:#e67700;--delete:#c92a2a}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1rem;font:16px/1.5 system-ui,sans-serif}
h1{margin:.5rem 0}
h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}
nav{columns:10rem;margin:1rem 0}
nav a{display:block}
details{border-bottom:1px solid var(--line);padding:.35rem 0}
summary{cursor:pointer;display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline}
summary b{width:4.5rem;font-family:ui-monospace,monospace}
.GET{color:var(--get)}.POST{color:var(--post)}.PUT,.PATCH{color:var(--put)}.DELETE{color:var(--delete)}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
summary span,.dim{color:var(--dim)}
.in{margin:.5rem 0 1rem 5.25rem}
@media(max-width:40rem){.in{margin-left:0}}
table{border-collapse:collapse;width:100%;font-size:.92em}
td{border-top:1px solid var(--line);padding:.25rem .75rem .25rem 0;vertical-align:top}
h3{font-size:1em;margin:.75rem 0 .25rem}
`

// DocsCSP is the Content-Security-Policy that DocsPage needs: its style and nothing else.
var DocsCSP = func() string {
	sum := sha256.Sum256([]byte(docsStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// DocsRoutes serve a document made by OpenAPI: GET /openapi.json as it is and GET /docs/api as a page. Both are made when
// somebody first asks for one. An error of document is Unavailable.
func DocsRoutes(document func() ([]byte, error)) []Route {
	spec := sync.OnceValues(document)
	page := sync.OnceValues(func() ([]byte, error) {
		text, err := spec()
		if err != nil {
			return nil, err
		}
		return DocsPage(text), nil
	})
	raw := func(body func() ([]byte, error), kind string, header http.Header) func(context.Context, auth.Caller, struct{}) (Raw, error) {
		return func(context.Context, auth.Caller, struct{}) (Raw, error) {
			text, err := body()
			if err != nil {
				return Raw{}, fault.New(fault.Unavailable, "The document could not be made").Because(err)
			}
			return Raw{Type: kind, Body: text, Header: header}, nil
		}
	}
	return []Route{
		Handle("GET /openapi.json", "The OpenAPI document of this server", auth.Anyone, raw(spec, "application/json; charset=utf-8", nil)),
		Handle("GET /docs/api", "The same document as a page", auth.Anyone,
			raw(page, "text/html; charset=utf-8", http.Header{"Content-Security-Policy": {DocsCSP}})),
	}
}

// DocsPage renders a document made by OpenAPI as one HTML page that loads nothing and runs nothing: routes by
// chapter, with who may call them, what they take and what they give. It panics when spec is not JSON.
func DocsPage(spec []byte) []byte {
	var d docSpec
	if err := json.Unmarshal(spec, &d); err != nil {
		panic("web: DocsPage: " + err.Error())
	}
	var out bytes.Buffer
	if err := docsTemplate.Execute(&out, d.view()); err != nil {
		panic("web: DocsPage: " + err.Error())
	}
	return out.Bytes()
}

// docSpec is the part of an OpenAPI document that the page shows.
type docSpec struct {
	Info struct {
		Title, Version, Description string
	}
	Paths      map[string]map[string]docOperation
	Components struct {
		Schemas map[string]docSchema
	}
}

type docOperation struct {
	Tags                 []string
	Summary, Description string
	Callers              string `json:"x-callers"`
	Parameters           []struct {
		Name, In, Description string
		Required              bool
		Schema                docSchema
	}
	RequestBody struct {
		Content map[string]struct{ Schema docSchema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema docSchema }
	}
}

type docSchema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Description string
	Enum        []any
	Const       any
	Items       *docSchema
	Properties  map[string]docSchema
	Required    []string
	AnyOf       []docSchema
	Additional  json.RawMessage `json:"additionalProperties"`
}

type docsView struct {
	Title, Version, Description string
	Style                       template.CSS
	Chapters                    []docsChapter
}

type docsChapter struct {
	Name   string
	Routes []docsRoute
}

type docsRoute struct {
	Method, Path, Summary, Description, Callers string
	Parameters, Body, Result                    []docsField
	BodyMedia, BodyType, BodyDoc                string
	Status, ResultType                          string
}

type docsField struct{ Name, Type, Doc string }

func (d *docSpec) view() docsView {
	v := docsView{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description, Style: docsStyle}
	chapters := map[string][]docsRoute{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			r := docsRoute{Method: strings.ToUpper(method), Path: path, Summary: op.Summary, Description: op.Description, Callers: op.Callers}
			for _, p := range op.Parameters {
				f := docsField{p.Name, p.In + ", " + d.typeName(p.Schema), p.Description}
				r.Parameters = append(r.Parameters, f)
			}
			for media, c := range op.RequestBody.Content {
				r.BodyMedia, r.BodyType, r.BodyDoc, r.Body = media, d.typeName(c.Schema), c.Schema.Description, d.fields(c.Schema)
			}
			for status, res := range op.Responses {
				if status == "default" {
					continue
				}
				r.Status, r.ResultType = status, res.Description
				if c, ok := res.Content["application/json"]; ok {
					r.ResultType = "no result"
					if result, ok := c.Schema.Properties["result"]; ok {
						r.ResultType, r.Result = d.typeName(result), d.fields(result)
					}
				}
			}
			tag := "server"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			chapters[tag] = append(chapters[tag], r)
		}
	}
	for name, routes := range chapters {
		sort.Slice(routes, func(i, j int) bool {
			if routes[i].Path != routes[j].Path {
				return routes[i].Path < routes[j].Path
			}
			return slices.Index(methods, routes[i].Method) < slices.Index(methods, routes[j].Method)
		})
		v.Chapters = append(v.Chapters, docsChapter{name, routes})
	}
	sort.Slice(v.Chapters, func(i, j int) bool { return v.Chapters[i].Name < v.Chapters[j].Name })
	return v
}

func (d *docSpec) resolve(s docSchema) docSchema {
	if s.Ref != "" {
		return d.Components.Schemas[strings.TrimPrefix(s.Ref, schemaPrefix)]
	}
	return s
}

// fields lists the members of an object or of the items of a list.
func (d *docSpec) fields(s docSchema) []docsField {
	s = d.resolve(s)
	if s.Items != nil {
		s = d.resolve(*s.Items)
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []docsField
	for _, name := range names {
		p := s.Properties[name]
		doc := p.Description
		if doc == "" {
			doc = d.resolve(p).Description
		}
		f := docsField{name, d.typeName(p), doc}
		if slices.Contains(s.Required, name) {
			f.Type += ", required"
		}
		out = append(out, f)
	}
	return out
}

// typeName says in words what a schema takes.
func (d *docSpec) typeName(s docSchema) string {
	if s.Ref != "" {
		return strings.TrimPrefix(s.Ref, schemaPrefix)
	}
	if s.Const != nil {
		return fmt.Sprint(s.Const)
	}
	if len(s.AnyOf) > 0 {
		var parts []string
		for _, a := range s.AnyOf {
			parts = append(parts, d.typeName(a))
		}
		return strings.Join(parts, " or ")
	}
	var types []string
	switch t := s.Type.(type) {
	case string:
		types = []string{t}
	case []any:
		for _, x := range t {
			types = append(types, fmt.Sprint(x))
		}
	}
	for i, t := range types {
		switch {
		case t == "array" && s.Items != nil:
			types[i] = "list of " + d.typeName(*s.Items)
		case t == "string" && s.Format == "date-time":
			types[i] = "date"
		}
	}
	name := strings.Join(types, " or ")
	if name == "" {
		name = "any value"
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, e := range s.Enum {
			values = append(values, fmt.Sprint(e))
		}
		name += " (" + strings.Join(values, ", ") + ")"
	}
	return name
}

var docsTemplate = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} API</title>
<style>{{.Style}}</style>
</head>
<body>
<h1>{{.Title}} API</h1>
<p class="dim">Version {{.Version}} · <a href="/openapi.json">openapi.json</a></p>
{{with .Description}}<p>{{.}}</p>{{end}}
<nav aria-label="Chapters">{{range .Chapters}}<a href="#{{.Name}}">{{.Name}}</a>{{end}}</nav>
<main>
{{range .Chapters}}<section>
<h2 id="{{.Name}}">{{.Name}}</h2>
{{range .Routes}}<details>
<summary><b class="{{.Method}}">{{.Method}}</b><code>{{.Path}}</code><span>{{.Summary}}</span></summary>
<div class="in">
{{with .Description}}<p>{{.}}</p>{{end}}
<p>Who may call: {{.Callers}}.</p>
{{if .Parameters}}<h3>Parameters</h3>{{template "fields" .Parameters}}{{end}}
{{if .BodyMedia}}<h3>Body <span class="dim">{{.BodyMedia}}, {{.BodyType}}</span></h3>{{with .BodyDoc}}<p>{{.}}</p>{{end}}{{template "fields" .Body}}{{end}}
<h3>Result <span class="dim">{{.Status}}, {{.ResultType}}</span></h3>{{template "fields" .Result}}
</div>
</details>
{{end}}</section>
{{end}}</main>
</body>
</html>
{{define "fields"}}{{if .}}<table>{{range .}}<tr><td><code>{{.Name}}</code></td><td class="dim">{{.Type}}</td><td>{{.Doc}}</td></tr>{{end}}</table>{{end}}{{end}}`))
