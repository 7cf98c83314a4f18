package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go/openapi31"

	"paddock/internal/auth"
)

// Info is the head of the API document.
type Info struct {
	Title       string
	Version     string
	Description string
	Server      string // base address shown in the document; "" leaves it out
}

// OpenAPI is the OpenAPI 3.1 document of routes, as indented JSON that ends in a newline. Equal routes give
// equal bytes, whatever their order. It returns an error for a type that no JSON schema can describe.
func OpenAPI(info Info, routes []Route) ([]byte, error) {
	routes = slices.Clone(routes)
	sort.Slice(routes, func(i, j int) bool {
		if routes[i].Pattern != routes[j].Pattern {
			return routes[i].Pattern < routes[j].Pattern
		}
		return routes[i].Method < routes[j].Method
	})
	d := newDocument(info)
	for i := range routes {
		if err := d.add(&routes[i]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", routes[i].Method, routes[i].Pattern, err)
		}
	}
	return d.bytes()
}

// document collects the operations and the schemas they share.
type document struct {
	spec   openapi31.Spec
	schema jsonschema.Reflector
	tags   map[string]bool
	ids    map[string]int
}

type object = map[string]any

const schemaPrefix = "#/components/schemas/"

func newDocument(info Info) *document {
	d := &document{tags: map[string]bool{}, ids: map[string]int{}}
	d.spec.Openapi = "3.1.0"
	d.spec.SetTitle(info.Title)
	d.spec.SetVersion(info.Version)
	if info.Description != "" {
		d.spec.SetDescription(info.Description)
	}
	if info.Server != "" {
		d.spec.Servers = []openapi31.Server{{URL: info.Server}}
	}
	c := d.spec.ComponentsEns()
	c.WithSecuritySchemesItem("token", openapi31.SecuritySchemeOrReference{SecurityScheme: (&openapi31.SecurityScheme{}).
		WithDescription("A profile or device token. Also taken from the headers authorization, profile-token and device-token.").
		WithAPIKey(openapi31.SecuritySchemeAPIKey{Name: "token", In: openapi31.SecuritySchemeAPIKeyInHeader})})
	c.WithSecuritySchemesItem("session", openapi31.SecuritySchemeOrReference{SecurityScheme: (&openapi31.SecurityScheme{}).
		WithDescription("A signed-in browser. Over https the cookie is called " + secureCookieName + ". The header Profile-Id names the profile.").
		WithAPIKey(openapi31.SecuritySchemeAPIKey{Name: cookieName, In: openapi31.SecuritySchemeAPIKeyInCookie})})
	c.WithSchemasItem("Error", object{
		"type":     "object",
		"required": []string{"status", "message", "code", "request_id"},
		"properties": object{
			"status":     object{"const": false},
			"message":    object{"type": "string", "description": "One sentence for people."},
			"code":       object{"type": "string", "description": "The kind of refusal: invalid, unauthorized, limit_reached, …"},
			"field":      object{"type": "string", "description": "The part of the input at fault."},
			"error":      object{"description": "Details, where the sentence does not say all."},
			"request_id": object{"type": "string", "description": "Also in the header X-Request-Id and in the server's log."},
		},
	})
	c.WithResponsesItem("Error", openapi31.ResponseOrReference{Response: (&openapi31.Response{Description: "A refusal or a failure."}).
		WithContentItem("application/json", openapi31.MediaType{Schema: object{"$ref": schemaPrefix + "Error"}})})
	d.schema.DefaultOptions = []func(*jsonschema.ReflectContext){
		jsonschema.DefinitionsPrefix(schemaPrefix),
		jsonschema.CollectDefinitions(func(name string, s jsonschema.Schema) {
			if m, err := s.ToSchemaOrBool().ToSimpleMap(); err == nil {
				c.WithSchemasItem(name, m)
			}
		}),
		jsonschema.RootRef,
		jsonschema.SkipUnsupportedProperties,
		func(rc *jsonschema.ReflectContext) { rc.EnvelopNullability = true },
		jsonschema.InterceptDefName(schemaName),
		jsonschema.InterceptSchema(d.special),
		jsonschema.InterceptNullability(func(p jsonschema.InterceptNullabilityParams) {
			if k := p.Type.Kind(); k != reflect.Slice && k != reflect.Map {
				return
			}
			// Lists and maps are never null on our wire.
			*p.Schema = p.OrigSchema
			p.Schema.RemoveType(jsonschema.Null)
		}),
	}
	return d
}

// schemaName is the name of a type in the document: the type's own with its package before it, but
// device.Device is Device.
func schemaName(t reflect.Type, _ string) string {
	name := t.Name()
	if i := strings.IndexByte(name, '['); i >= 0 { // a generic type: the arguments lose their paths
		args := strings.Split(strings.TrimSuffix(name[i+1:], "]"), ",")
		name = name[:i]
		for _, a := range args {
			name += camel(path.Base(a))
		}
	}
	pkg := camel(path.Base(t.PkgPath()))
	if name = camel(name); strings.HasPrefix(name, pkg) {
		return name
	}
	return pkg + name
}

// camel joins words and raises their first letters.
func camel(s string) string {
	var b strings.Builder
	up := true
	for _, r := range s {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = true
		case up:
			b.WriteRune(unicode.ToUpper(r))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// special describes the types whose JSON is not what their Go shape says.
func (d *document) special(p jsonschema.InterceptSchemaParams) (bool, error) {
	if p.Processed || !p.Value.IsValid() {
		return false, nil
	}
	v := p.Value
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
	}
	switch v.Type() {
	case reflect.TypeFor[Time]():
		d.schema.InlineDefinition(Time{})
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithFormat("date-time")
		return true, nil
	case queryType:
		d.schema.InlineDefinition(Query{})
		p.Schema.AddType(jsonschema.Object)
		return true, nil
	case rawType, valueType:
		d.schema.InlineDefinition(v.Interface())
		return true, nil
	}
	if o, ok := v.Interface().(interface{ optional() any }); ok {
		inner, err := d.schema.Reflect(o.optional(), jsonschema.InlineRefs)
		if err != nil {
			return true, err
		}
		d.schema.InlineDefinition(v.Interface())
		inner.ReflectType, inner.Parent = p.Schema.ReflectType, p.Schema.Parent
		*p.Schema = inner
		if p.Schema.Type != nil {
			p.Schema.AddType(jsonschema.Null)
		}
		return true, nil
	}
	return false, nil
}

// schemaOf is the schema of a type: a reference for a named one.
func (d *document) schemaOf(t reflect.Type) (object, error) {
	if t.Kind() == reflect.Interface {
		return object{}, nil
	}
	s, err := d.schema.Reflect(reflect.New(t).Elem().Interface())
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		s.RemoveType(jsonschema.Null)
	}
	return s.ToSchemaOrBool().ToSimpleMap()
}

func (d *document) add(r *Route) error {
	op := openapi31.Operation{}
	op.WithID(d.id(r)).WithSummary(r.Doc)
	op.Tags = r.Tags
	if len(op.Tags) == 0 {
		op.Tags = []string{firstSegment(r.Pattern)}
	}
	for _, t := range op.Tags {
		d.tags[t] = true
	}
	if err := d.parameters(r, &op); err != nil {
		return err
	}
	if err := d.body(r, &op); err != nil {
		return err
	}
	if err := d.responses(r, &op); err != nil {
		return err
	}
	d.callers(r, &op)
	return d.spec.AddOperation(r.Method, r.Pattern, op)
}

func firstSegment(pattern string) string {
	s, _, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/")
	if s == "" {
		return "server"
	}
	return s
}

// id is getDeviceByIdData for GET /device/{id}/data.
func (d *document) id(r *Route) string {
	b := strings.ToLower(r.Method)
	for _, s := range strings.Split(strings.Trim(r.Pattern, "/"), "/") {
		if strings.HasPrefix(s, "{") {
			b += "By"
		}
		b += camel(s)
	}
	if d.ids[b]++; d.ids[b] > 1 {
		b += strconv.Itoa(d.ids[b])
	}
	return b
}

func (d *document) parameters(r *Route, op *openapi31.Operation) error {
	yes := true
	put := func(p openapi31.Parameter) {
		op.Parameters = append(op.Parameters, p.ToParameterOrRef())
	}
	for _, name := range patternNames(r.Pattern) {
		p := openapi31.Parameter{Name: name, In: openapi31.ParameterInPath, Required: &yes, Schema: object{"type": "string"}}
		for _, s := range r.plan.path {
			if s.name == name {
				schema, err := d.schemaOf(s.typ)
				if err != nil {
					return err
				}
				p.Schema = schema
				describe(&p, s.field)
			}
		}
		put(p)
	}
	deep := openapi31.ParameterStyleDeepObject
	if len(r.plan.list) > 0 {
		text := func(name string, schema object, doc string) {
			put(*(&openapi31.Parameter{Name: name, In: openapi31.ParameterInQuery, Schema: schema}).WithDescription(doc))
		}
		text("page", object{"type": "integer", "minimum": 1, "default": 1}, "Page of the list, from 1.")
		text("amount", object{"type": "integer", "minimum": 1, "maximum": MaxAmount, "default": DefaultAmount}, "Rows of a page.")
		text("fields", object{"type": "array", "items": object{"type": "string"}}, "Members wanted; also as fields[0]=…")
		put(*(&openapi31.Parameter{Name: "filter", In: openapi31.ParameterInQuery, Schema: object{"type": "object"}, Style: &deep, Explode: &yes}).
			WithDescription("Filters by member, as in filter[name]=*text*."))
		text("orderBy", object{"type": "string"}, "Member and direction, as in name,asc.")
	}
	for _, s := range r.plan.query {
		if s.name == "*" {
			continue
		}
		schema, err := d.schemaOf(s.typ)
		if err != nil {
			return err
		}
		p := openapi31.Parameter{Name: s.name, In: openapi31.ParameterInQuery, Schema: withoutNull(schema)}
		if s.typ == queryType {
			p.Style, p.Explode = &deep, &yes
		}
		describe(&p, s.field)
		put(p)
	}
	if r.Rule.Profile && slices.Contains(r.Rule.Kinds, auth.Session) {
		put(*(&openapi31.Parameter{Name: "Profile-Id", In: openapi31.ParameterIn("header"), Schema: object{"type": "string"}}).
			WithDescription("The profile to act in; needed with a session, ignored with a token."))
	}
	return nil
}

func patternNames(pattern string) []string {
	var out []string
	for _, s := range strings.Split(pattern, "/") {
		if strings.HasPrefix(s, "{") {
			out = append(out, strings.Trim(s, "{}"))
		}
	}
	return out
}

// describe adds what the tags of the field tell.
func describe(p *openapi31.Parameter, f reflect.StructField) {
	if s := f.Tag.Get("description"); s != "" {
		p.WithDescription(s)
	}
	if s := f.Tag.Get("enum"); s != "" {
		p.Schema["enum"] = strings.Split(s, ",")
	}
	if f.Tag.Get("required") == "true" {
		p.WithRequired(true)
	}
}

// withoutNull is a schema without the type null: a parameter that is null is absent.
func withoutNull(schema object) object {
	types, ok := schema["type"].([]any)
	if !ok {
		return schema
	}
	types = slices.DeleteFunc(slices.Clone(types), func(t any) bool { return t == "null" })
	if len(types) == 1 {
		schema["type"] = types[0]
	} else {
		schema["type"] = types
	}
	return schema
}

func (d *document) body(r *Route, op *openapi31.Operation) error {
	var schema object
	var err error
	media, required := "application/json", false
	switch {
	case r.Form:
		media, schema, required = "multipart/form-data", object{"type": "object"}, true
	case r.Upload:
		media, schema, required = "application/octet-stream", object{"type": "string", "format": "binary"}, true
	case r.plan.body == bodyNone:
		return nil
	case r.plan.body == bodyMembers:
		schema, err = d.schemaOf(membersType(r.In))
	case r.plan.body == bodyWhole:
		schema, err = d.schemaOf(r.plan.wholeT)
		required = r.plan.wholeT.Kind() != reflect.Pointer
	default:
		schema = object{}
		if f := r.In.FieldByIndex(r.plan.whole).Tag.Get("description"); f != "" {
			schema["description"] = f
		}
	}
	if err != nil {
		return err
	}
	b := openapi31.RequestBody{Content: map[string]openapi31.MediaType{media: {Schema: schema}}}
	if required {
		b.WithRequired(true)
	}
	op.WithRequestBody(openapi31.RequestBodyOrReference{RequestBody: &b})
	return nil
}

// membersType is a type with just the JSON members of an In: the In itself, the only struct embedded in it,
// or one made for the purpose.
func membersType(t reflect.Type) reflect.Type {
	own, others := 0, 0
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case isJSONMember(f):
			own++
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != listType:
			embedded = append(embedded, f.Type)
		default:
			others++
		}
	}
	if own == 0 && len(embedded) == 1 {
		return membersType(embedded[0])
	}
	if others == 0 && len(embedded) == 0 {
		return t
	}
	var fields []reflect.StructField
	seen := map[string]bool{}
	var collect func(reflect.Type)
	collect = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			switch {
			case isJSONMember(f):
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if !seen[name] {
					seen[name] = true
					fields = append(fields, reflect.StructField{Name: "F" + strconv.Itoa(len(fields)), Type: f.Type, Tag: f.Tag})
				}
			case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != listType:
				collect(f.Type)
			}
		}
	}
	collect(t)
	return reflect.StructOf(fields)
}

func (d *document) responses(r *Route, op *openapi31.Operation) error {
	ok := openapi31.Response{Description: "Success."}
	switch r.Out {
	case reflect.TypeFor[Raw](), reflect.TypeFor[File]():
		ok.Description = "The content itself, without envelope."
		ok.WithContentItem("*/*", openapi31.MediaType{})
	case streamType:
		ok.Description = "Server-sent events, until the client closes."
		ok.WithContentItem("text/event-stream", openapi31.MediaType{Schema: object{"type": "string"}})
	default:
		envelope := object{"type": "object", "required": []string{"status"}, "properties": object{"status": object{"const": true}}}
		if r.Out != reflect.TypeFor[None]() {
			result := object{}
			if r.Out != reflect.TypeFor[Reply]() {
				var err error
				if result, err = d.schemaOf(r.Out); err != nil {
					return err
				}
			}
			if result == nil {
				result = object{}
			}
			envelope["properties"].(object)["result"] = result
			envelope["required"] = []string{"status", "result"}
		}
		ok.WithContentItem("application/json", openapi31.MediaType{Schema: envelope})
	}
	rs := openapi31.Responses{}
	rs.WithMapOfResponseOrReferenceValuesItem(strconv.Itoa(r.Status), openapi31.ResponseOrReference{Response: &ok})
	rs.WithDefault(openapi31.ResponseOrReference{Reference: &openapi31.Reference{Ref: "#/components/responses/Error"}})
	op.WithResponses(rs)
	return nil
}

// callers tells who may call: as security for machines, as x-callers for people.
func (d *document) callers(r *Route, op *openapi31.Operation) {
	has := func(k auth.Kind) bool { return slices.Contains(r.Rule.Kinds, k) }
	op.Security = []map[string][]string{}
	if has(auth.Profile) || has(auth.Device) {
		op.Security = append(op.Security, map[string][]string{"token": {}})
	}
	if has(auth.Session) {
		op.Security = append(op.Security, map[string][]string{"session": {}})
	}
	if has(auth.Anonymous) {
		op.Security = append(op.Security, map[string][]string{})
	}
	op.WithMapOfAnythingItem("x-callers", whoMay(r))
	if r.Group != "" {
		op.WithMapOfAnythingItem("x-rate-group", r.Group)
	}
}

// whoMay says in words who may call a route.
func whoMay(r *Route) string {
	var who []string
	action := r.Rule.ActionFor(r.Method)
	for _, k := range r.Rule.Kinds {
		switch k {
		case auth.Anonymous:
			return "anybody"
		case auth.Session:
			who = append(who, "a session")
		case auth.Profile, auth.Device:
			s := "a " + string(k) + " token"
			if action != auth.ActAny {
				s += map[auth.Action]string{auth.ActRead: " that may read", auth.ActWrite: " that may write", auth.ActDelete: " with permission full"}[action]
			}
			if r.Rule.Account && k == auth.Profile {
				s += " of reach account"
			}
			who = append(who, s)
		default:
			who = append(who, string(k))
		}
	}
	s := strings.Join(who, ", ")
	if role := r.Rule.RoleFor(r.Method); role == auth.Owner {
		s += "; only the profile's owner"
	} else if role != "" {
		s += "; from the role " + string(role) + " on"
	}
	return s
}

func (d *document) bytes() ([]byte, error) {
	for t := range d.tags {
		d.spec.Tags = append(d.spec.Tags, openapi31.Tag{Name: t})
	}
	sort.Slice(d.spec.Tags, func(i, j int) bool { return d.spec.Tags[i].Name < d.spec.Tags[j].Name })
	b, err := json.Marshal(d.spec)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
