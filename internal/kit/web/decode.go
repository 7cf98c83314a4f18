package web

import (
	"encoding"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/kit/fault"
)

// plan is how an In type is filled. It is made once, when the route is made, so that a request costs no
// search through tags.
type plan struct {
	path    []slot
	query   []slot
	list    [][]int
	request [][]int

	body    bodyKind
	members int          // number of JSON members, for bodyMembers
	shadow  reflect.Type // for bodyMembers: In with every other field hidden from JSON
	whole   []int        // for the other kinds: the field that takes the body
	wholeT  reflect.Type
}

type bodyKind int

const (
	bodyNone    bodyKind = iota
	bodyMembers          // an object whose members are fields of In
	bodyWhole            // one field takes everything
	bodyBytes            // … as []byte, unchecked but for depth and NUL
	bodyRaw              // … as a raw JSON value
)

// slot is a field filled from text.
type slot struct {
	name  string
	index []int
	set   func(field reflect.Value, q Query, text string) error
	typ   reflect.Type
	field reflect.StructField
}

var (
	queryType   = reflect.TypeFor[Query]()
	listType    = reflect.TypeFor[List]()
	requestType = reflect.TypeFor[*Request]()
	textType    = reflect.TypeFor[encoding.TextUnmarshaler]()
	bytesType   = reflect.TypeFor[[]byte]()
	rawType     = reflect.TypeFor[stdjson.RawMessage]()
	valueType   = reflect.TypeFor[jsontext.Value]()
)

// newPlan reads the tags of a route's In and reports what cannot work.
func newPlan(r *Route) (*plan, error) {
	if r.In.Kind() != reflect.Struct {
		return nil, fmt.Errorf("its In must be a struct, not %s", r.In)
	}
	p := &plan{}
	if err := p.walk(r.In, nil); err != nil {
		return nil, err
	}
	if p.members > 0 {
		if p.body != bodyNone {
			return nil, errors.New("its In has both json members and a whole body")
		}
		p.body = bodyMembers
		p.shadow = shadow(r.In)
		if p.shadow.Size() != r.In.Size() {
			return nil, errors.New("its In has a layout that cannot be shadowed")
		}
	}
	if p.body != bodyNone && (r.Method == "GET" || r.Form || r.Upload) {
		return nil, errors.New("a GET, a form or an upload takes no JSON body")
	}
	for _, s := range p.path {
		if !strings.Contains(r.Pattern, "{"+s.name+"}") {
			return nil, fmt.Errorf("the pattern has no {%s}", s.name)
		}
	}
	return p, nil
}

// walk collects the fields of t; prefix is the way to t from In.
func (p *plan) walk(t reflect.Type, prefix []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), prefix...), i)
		embedded := f.Anonymous && f.Type.Kind() == reflect.Struct
		if !f.IsExported() && !embedded {
			return fmt.Errorf("field %s must be exported", f.Name)
		}
		switch {
		case f.Type == listType:
			p.list = append(p.list, index)
		case f.Type == requestType:
			p.request = append(p.request, index)
		case f.Tag.Get("path") != "":
			set, err := setter(f.Type)
			if err != nil {
				return fmt.Errorf("field %s: %w", f.Name, err)
			}
			p.path = append(p.path, slot{f.Tag.Get("path"), index, set, f.Type, f})
		case f.Tag.Get("query") != "":
			set, err := setter(f.Type)
			if err != nil {
				return fmt.Errorf("field %s: %w", f.Name, err)
			}
			p.query = append(p.query, slot{f.Tag.Get("query"), index, set, f.Type, f})
		case f.Tag.Get("body") == "json":
			if p.body != bodyNone {
				return fmt.Errorf("field %s: the body is taken already", f.Name)
			}
			p.whole, p.wholeT = index, f.Type
			switch f.Type {
			case bytesType:
				p.body = bodyBytes
			case rawType, valueType:
				p.body = bodyRaw
			default:
				p.body = bodyWhole
			}
		case isJSONMember(f):
			p.members++
		case embedded:
			if err := p.walk(f.Type, index); err != nil {
				return err
			}
		case f.Tag.Get("json") == "-":
		default:
			return fmt.Errorf("field %s has no path, query, json or body tag", f.Name)
		}
	}
	return nil
}

func isJSONMember(f reflect.StructField) bool {
	tag := f.Tag.Get("json")
	return tag != "" && tag != "-" && f.Type != listType && f.Type != requestType &&
		f.Tag.Get("path") == "" && f.Tag.Get("query") == "" && f.Tag.Get("body") == ""
}

// shadow is a struct type of the same layout as t in which only the JSON members are visible to JSON, so
// that a body can never fill a field that belongs to the path or the query.
func shadow(t reflect.Type) reflect.Type {
	fields := make([]reflect.StructField, t.NumField())
	for i := range fields {
		f := t.Field(i)
		s := reflect.StructField{Name: f.Name, Type: f.Type, Tag: `json:"-"`}
		switch {
		case isJSONMember(f):
			s.Tag = f.Tag
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != listType:
			s.Name = "Embedded" + strconv.Itoa(i) // exported, whatever the type is
			s.Type = shadow(f.Type)
			s.Tag = `json:",embed"`
		}
		fields[i] = s
	}
	return reflect.StructOf(fields)
}

// decode fills in, a pointer to an In, from the request.
func (p *plan) decode(x *exchange, in reflect.Value) error {
	v := in.Elem()
	if err := p.decodeBody(x, in); err != nil {
		return err
	}
	for i := range p.path {
		s := &p.path[i]
		text, err := x.pathValue(s.name)
		if err != nil {
			return err
		}
		if err := s.set(v.FieldByIndex(s.index), Query{}, text); err != nil {
			return fault.Field(s.name, "%v", err)
		}
	}
	if len(p.query) > 0 || len(p.list) > 0 {
		q, err := x.queryTree()
		if err != nil {
			return err
		}
		for i := range p.query {
			if err := p.query[i].fromQuery(v, q); err != nil {
				return err
			}
		}
		for _, index := range p.list {
			l, err := ParseList(q)
			if err != nil {
				return err
			}
			v.FieldByIndex(index).Set(reflect.ValueOf(l))
		}
	}
	for _, index := range p.request {
		v.FieldByIndex(index).Set(reflect.ValueOf(x.request()))
	}
	return nil
}

func (s *slot) fromQuery(v reflect.Value, q Query) error {
	if s.name != "*" {
		q = q.Child(s.name)
	}
	if q.n == nil {
		return nil
	}
	field := v.FieldByIndex(s.index)
	if s.typ == queryType {
		field.Set(reflect.ValueOf(q))
		return nil
	}
	if s.typ.Kind() == reflect.Slice {
		texts := q.Strings()
		if texts == nil {
			return fault.Field(printable(q.n.path), "must be a value or a list of values")
		}
		list := reflect.MakeSlice(s.typ, len(texts), len(texts))
		for i, t := range texts {
			list.Index(i).SetString(t)
		}
		field.Set(list)
		return nil
	}
	text, err := q.Text()
	if err != nil || text == "" { // the client sends null as an empty value
		return err
	}
	if err := s.set(field, q, text); err != nil {
		return fault.Field(s.name, "%v", err)
	}
	return nil
}

// setter is how text becomes a value of t. The errors of the function it returns are reasons for people.
func setter(t reflect.Type) (func(reflect.Value, Query, string) error, error) {
	if reflect.PointerTo(t).Implements(textType) {
		return func(v reflect.Value, _ Query, s string) error {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner, err := setter(t.Elem())
		if err != nil {
			return nil, err
		}
		return func(v reflect.Value, q Query, s string) error {
			e := reflect.New(t.Elem())
			if err := inner(e.Elem(), q, s); err != nil {
				return err
			}
			v.Set(e)
			return nil
		}, nil
	case reflect.String:
		return func(v reflect.Value, _ Query, s string) error {
			v.SetString(s)
			return nil
		}, nil
	case reflect.Bool:
		return func(v reflect.Value, _ Query, s string) error {
			b, err := parseBool(s)
			v.SetBool(b)
			return err
		}, nil
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		bits := t.Bits()
		return func(v reflect.Value, _ Query, s string) error {
			n, err := strconv.ParseInt(s, 10, bits)
			if err != nil {
				return errors.New("must be a whole number")
			}
			v.SetInt(n)
			return nil
		}, nil
	case reflect.Float64:
		return func(v reflect.Value, _ Query, s string) error {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil || n-n != 0 { // not a number, or infinite
				return errors.New("must be a number")
			}
			v.SetFloat(n)
			return nil
		}, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return nil, nil
		}
	case reflect.Struct:
		if t == queryType {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("type %s cannot be filled from text", t)
}

// maxDepth is how deep a JSON body may nest.
const maxDepth = 32

// decodeBody fills the fields that come from the body. The decoder's defaults are what we want: names match
// exactly, a repeated name is an error, unknown ones are ignored because the client library sends some.
func (p *plan) decodeBody(x *exchange, in reflect.Value) error {
	if p.body == bodyNone {
		return nil
	}
	body := x.body
	blank := isBlank(body)
	switch p.body {
	case bodyBytes:
		if len(body) > 0 {
			if !x.isText() {
				if err := checkNesting(body); err != nil {
					return err
				}
			}
			in.Elem().FieldByIndex(p.whole).SetBytes(body)
		}
		return nil
	case bodyRaw:
		if blank {
			return nil
		}
	case bodyWhole:
		if blank {
			if p.wholeT.Kind() == reflect.Pointer {
				return nil
			}
			return fault.Field("body", "must not be empty")
		}
	case bodyMembers:
		if blank {
			return nil
		}
	}
	if err := checkNesting(body); err != nil {
		return err
	}
	var to any
	if p.body == bodyMembers {
		if k := jsontext.Value(body).Kind(); k != '{' && k != 0 {
			return fault.Field("body", "must be an object")
		}
		// The shadow has the layout of In, checked by newPlan; only tags differ.
		to = reflect.NewAt(p.shadow, unsafe.Pointer(in.Pointer())).Interface()
	} else {
		to = in.Elem().FieldByIndex(p.whole).Addr().Interface()
	}
	if p.body == bodyRaw {
		var raw jsontext.Value
		if err := json.Unmarshal(body, &raw); err != nil {
			return jsonFault(err)
		}
		in.Elem().FieldByIndex(p.whole).SetBytes(raw)
		return nil
	}
	if err := json.Unmarshal(body, to); err != nil {
		return jsonFault(err)
	}
	return nil
}

func isBlank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// checkNesting refuses JSON that nests too deep or holds the character NUL, which PostgreSQL cannot store
// as text. It looks at brackets and strings only; the decoder judges the rest.
func checkNesting(b []byte) error {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return fault.Field("body", "is nested deeper than %d levels", maxDepth)
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
					if i+4 < len(b) && b[i] == 'u' && string(b[i+1:i+5]) == "0000" {
						return fault.Field("body", "must not contain the character NUL")
					}
				}
			}
		}
	}
	return nil
}

// DecodeJSON reads a JSON text into a value by the rules and with the faults of a body: repeated names,
// wrong types and excessive depth are Invalid faults that name the member, [3].variable.
func DecodeJSON(b []byte, to any) error {
	if err := checkNesting(b); err != nil {
		return err
	}
	if err := json.Unmarshal(b, to); err != nil {
		return jsonFault(err)
	}
	return nil
}

// jsonFault turns an error of the JSON decoder into a fault that names the member.
func jsonFault(err error) error {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic):
		path := memberPath(semantic.JSONPointer)
		var f *fault.Error
		if errors.As(semantic.Err, &f) {
			return nestedFault(path, f)
		}
		if errors.As(semantic.Err, &syntax) {
			return syntaxFault(syntax)
		}
		return fault.Field(orBody(path), "%s", wanted(semantic)).Because(err)
	case errors.As(err, &syntax):
		return syntaxFault(syntax)
	}
	return fault.Field("body", "must be JSON").Because(err)
}

// nestedFault puts the path before the fault of a type that checks itself while it is decoded.
func nestedFault(path string, f *fault.Error) error {
	c := *f
	reason := f.Message
	if f.Field != "" {
		reason = strings.TrimPrefix(reason, f.Field+": ")
		if path != "" && !strings.HasPrefix(f.Field, "[") {
			path += "."
		}
		path += f.Field
	}
	path = orBody(path)
	c.Field, c.Message = path, path+": "+reason
	return &c
}

func syntaxFault(e *jsontext.SyntacticError) error {
	path := memberPath(e.JSONPointer)
	if errors.Is(e.Err, jsontext.ErrDuplicateName) {
		return fault.Field(orBody(path), "is given twice").Because(e)
	}
	if path == "" {
		return fault.Field("body", "is not valid JSON at byte %d", e.ByteOffset).Because(e)
	}
	return fault.Field("body", "is not valid JSON at byte %d, near %s", e.ByteOffset, path).Because(e)
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// memberPath writes a JSON pointer the way people write members: /3/tags/0/key is [3].tags[0].key.
func memberPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case isIndex(token):
			b.WriteString("[" + token + "]")
		case b.Len() == 0:
			b.WriteString(printable(token))
		default:
			b.WriteString("." + printable(token))
		}
	}
	return b.String()
}

// wanted says what a member must be.
func wanted(e *json.SemanticError) string {
	t := e.GoType
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "has a value of the wrong type"
	}
	if t == reflect.TypeFor[Time]() {
		return "must be an ISO date"
	}
	if _, ok := reflect.Zero(t).Interface().(interface{ optional() any }); ok {
		t = t.Field(2).Type
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "must be a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "must be a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "must be a string in base64"
		}
		return "must be a list"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	}
	return "has a value of the wrong type"
}
