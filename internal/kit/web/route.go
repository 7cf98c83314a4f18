package web

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"

	"paddock/internal/auth"
)

// Route is one line of the API as a value: what it matches, who may call it, what it takes and gives. The
// same list of routes feeds the router, the OpenAPI document and the tests. Make one with Handle.
type Route struct {
	Method  string    // GET, POST, PUT, DELETE or PATCH; HEAD is answered by the GET route
	Pattern string    // "/device/{id}/data": no trailing slash; "/" for the root
	Doc     string    // one sentence for people
	Tags    []string  // chapters of the document; the first path segment when not given
	Rule    auth.Rule // who may call
	Group   string    // name of the rate group it belongs to; "" when none
	Status  int       // of a success; 200 unless given
	MaxBody int64     // bytes of body accepted
	Form    bool      // takes multipart/form-data instead of JSON
	Upload  bool      // takes a body of any kind, read by the handler

	In, Out reflect.Type // as given to Handle

	plan *plan
	run  func(context.Context, *exchange) (any, error)
}

// DefaultMaxBody is how many bytes of body a route takes unless it says otherwise: 200 kB.
const DefaultMaxBody = 200_000

// Option changes a Route while Handle makes it.
type Option func(*Route)

// Status is the HTTP status of a success.
func Status(code int) Option { return func(r *Route) { r.Status = code } }

// MaxBody is how many bytes of body the route takes; more is answered 413.
func MaxBody(n int64) Option { return func(r *Route) { r.MaxBody = n } }

// Group names the rate group whose counter the route shares.
func Group(name string) Option { return func(r *Route) { r.Group = name } }

// Tags are the chapters of the API document that show the route.
func Tags(tags ...string) Option { return func(r *Route) { r.Tags = tags } }

// Multipart makes the route take a multipart/form-data body of at most max bytes; a *Request in the input
// carries the parsed form, whose files are removed when the handler returns.
func Multipart(max int64) Option {
	return func(r *Route) { r.Form, r.MaxBody = true, max }
}

// Upload makes the route take a body of any media type and at most max bytes that nobody keeps in memory: the handler reads
// it as it comes from the HTTP.Body of its *Request, whose faults are those of other bodies.
func Upload(max int64) Option {
	return func(r *Route) { r.Upload, r.MaxBody = true, max }
}

// NoProfile lets a session call without naming a profile, on a route whose rule would ask for one.
func NoProfile(r *Route) { r.Rule.Profile = false }

// Handle makes a Route from a pattern such as "POST /device/{id}/data", a sentence, a rule and a function.
//
// In is a struct. Its fields are filled by their tags:
//
//	path:"id"      the path parameter, percent-escapes decoded once, never empty
//	query:"name"   one value of the query: string, bool, int, float, a pointer to these (nil when absent
//	               or empty), a type with UnmarshalText, []string, or Query for the tree below that name
//	query:"*"      with type Query: the whole tree
//	json:"name"    a member of the JSON object in the body; an absent body is an empty object
//	body:"json"    the whole JSON body, of any type. []byte and json.RawMessage take it as it came: []byte is
//	               valid until the function returns, json.RawMessage is a checked copy. A pointer or raw
//	               type is nil when there is no body, for others that is a fault
//
// and by their types: List takes the parameters common to lists, *Request the request itself. Embedded
// structs are walked. Unknown members and parameters are ignored. If In has a method Validate() error it is
// called last. Tags description, example, enum, format and required are shown in the API document.
//
// Out becomes the result of the envelope. Reply, Raw, File, Stream and None are treated as their comments say. Handle
// panics when pattern or In cannot work: routes are made at start, so that is a bug found by any test.
func Handle[In, Out any](pattern, doc string, rule auth.Rule, fn func(ctx context.Context, who auth.Caller, in In) (Out, error), opts ...Option) Route {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		panic(fmt.Sprintf("web: pattern %q is not \"METHOD /path\"", pattern))
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	r := Route{
		Method: method, Pattern: path, Doc: doc, Rule: rule, Status: http.StatusOK, MaxBody: DefaultMaxBody,
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
	}
	for _, o := range opts {
		o(&r)
	}
	p, err := newPlan(&r)
	if err != nil {
		panic(fmt.Sprintf("web: %s: %v", pattern, err))
	}
	r.plan = p
	r.run = func(ctx context.Context, x *exchange) (any, error) {
		in := new(In)
		if err := p.decode(x, reflect.ValueOf(in)); err != nil {
			return nil, err
		}
		if v, ok := any(in).(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return nil, err
			}
		}
		return fn(ctx, x.who, *in)
	}
	return r
}

// Reply is an Out for answers that need more than a result.
type Reply struct {
	Status  int         // 0: the route's
	Result  any         // left out of the envelope when nil
	Message string      // stands beside the result: a warning; "" when none
	Header  http.Header // added to the answer
	Cookies []*http.Cookie
}

// Raw is an Out for answers without envelope: files, pages, metrics. Body is sent, or From when it is not
// nil (and closed if it is an io.Closer). Headers given here replace the defaults, Cache-Control included.
type Raw struct {
	Status int    // 0: the route's
	Type   string // the Content-Type
	Body   []byte
	From   io.Reader
	Header http.Header
}

// None is an Out for an envelope without a result.
type None struct{}

// Request is the HTTP request behind an input, for handlers that need more than its parts.
type Request struct {
	HTTP   *http.Request   // its Body is read already, except on routes made with Upload
	Route  *Route          // the route that matched
	ID     string          // request id, also sent back as X-Request-Id
	Addr   string          // address of the client, after trusted proxies
	Host   string          // host and port the client asked, after trusted proxies
	Secure bool            // the client speaks https to us or to a trusted proxy
	Public string          // address to build links with, no trailing slash: --public-url or what the client asked
	Body   []byte          // body as it came; valid until the handler returns; nil for forms and uploads
	Form   *multipart.Form // for routes made with Multipart

	s *Server
}
