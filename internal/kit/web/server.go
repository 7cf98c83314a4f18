package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"paddock/internal/auth"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/gate"
)

// Config is what a Server needs from outside. Log, Clock and Authenticate must be given.
type Config struct {
	Log            *slog.Logger
	Clock          clock.Clock
	TrustedProxies []netip.Prefix        // peers whose X-Forwarded-* are believed
	PublicURL      string                // where people reach us, "https://iot.example.com"; "" means where they asked
	Authenticate   Authenticator         // judges credentials
	Admit          Admission             // judges rates, after the rule; nil admits everybody
	Metrics        prometheus.Registerer // nil measures nothing
	BodyBudget     int64                 // bytes of bodies in memory at once; 0 means 256 MB
	BodyWait       time.Duration         // how long a body waits for memory before it is refused; 0 means 10 s
	LogAll         bool                  // logs every request; else those that failed or took slow or longer
	Dev            bool                  // accepts the console's development server as our own origin
	Version        string                // shown as the metric build_info

	CredentialKey func(c Credential) string // names what a stream presented to Judge; nil names nothing
}

// Admission is asked once for every request that a route's rule has let through, before its body is read.
// The error it returns is the answer.
type Admission func(ctx context.Context, a Attempt) error

// Attempt is a request that asks for admission. It is valid during the call only.
type Attempt struct {
	Route  *Route
	Caller auth.Caller
	Header http.Header // of the answer; Admission may set headers such as RateLimit

	x *exchange
}

// Path is a parameter of the path, "" when the pattern has none of that name.
func (a Attempt) Path(name string) string {
	v, err := a.x.pathValue(name)
	if err != nil {
		return ""
	}
	return v
}

// Query is one value of the query, "" when it is absent or the query does not parse.
func (a Attempt) Query(name string) string {
	if a.x.r.URL.RawQuery == "" {
		return ""
	}
	q, err := a.x.queryTree()
	if err != nil {
		return ""
	}
	return q.Get(name)
}

// Server answers HTTP for a list of routes. Mount and Observe are for before the first request.
type Server struct {
	cfg       Config
	origin    string // of PublicURL
	routes    []Route
	mux       *chi.Mux                     // finds the pattern of a path: static before parameter
	table     map[string]map[string]*entry // method → pattern → route
	mounts    []mount
	observers []func(Outcome)
	metrics   *metrics
	unmatched *routeMetrics
	bodies    *gate.Gate   // memory for bodies, in bytes
	slots     *gate.Gate   // requests in flight
	open      atomic.Int64 // requests in progress, without streams
	holds     holds
	listening listenings
	pool      sync.Pool
	idPrefix  string
	idNext    atomic.Uint64
	draining  chan struct{} // closed by Drain
	drainOnce sync.Once
}

// entry is a route with what is kept beside it.
type entry struct {
	route   *Route
	anon    bool // its rule admits callers without a credential
	metrics *routeMetrics
}

type mount struct {
	prefix  string
	handler http.Handler
	entry   *entry // for its metrics
}

// Outcome is what became of a request, told to observers after the answer is sent.
type Outcome struct {
	Route      *Route
	Method     string
	Pattern    string
	Path       map[string]string // path parameters by name
	Status     int
	Message    string // of a refusal or a warning; "" for a plain success
	Caller     auth.Caller
	Credential Credential
	Body       []byte       // its first 2 kB; valid during the call only
	BodySize   int          // of the whole body as read
	Read       []byte       // the body as far as it was read; valid during the call only
	Partial    bool         // there was more of it: the request was refused first
	Limit      *fault.Limit // of a refusal at a limit, else nil
	Addr       string
	RequestID  string
	Time       time.Time // when the request came
	Duration   time.Duration
}

// OutcomeBody is how many bytes of a body an Outcome shows.
const OutcomeBody = 2 << 10

// NewServer makes a server for routes. It panics when two routes would answer the same request, a rule
// admits nobody, or no authenticator is given: bugs that any test finds.
func NewServer(cfg Config, routes []Route) *Server {
	if cfg.Authenticate == nil || cfg.Log == nil || cfg.Clock == nil {
		panic("web: Config needs Log, Clock and Authenticate")
	}
	if cfg.BodyBudget == 0 {
		cfg.BodyBudget = defaultBodyBudget
	}
	if cfg.BodyWait == 0 {
		cfg.BodyWait = defaultBodyWait
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	s := &Server{cfg: cfg, mux: chi.NewRouter(), table: map[string]map[string]*entry{}, draining: make(chan struct{}), holds: holds{by: map[string]*held{}}}
	s.bodies = gate.New(gate.Config{Total: int(cfg.BodyBudget), Each: bodyEach})
	s.slots = gate.New(gate.Config{Each: slotsEach, Alone: slotsAlone, Least: slotsLeast})
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Host != "" {
		s.origin = u.Scheme + "://" + u.Host
	}
	s.pool.New = func() any { return new(exchange) }
	var prefix [5]byte
	rand.Read(prefix[:])
	s.idPrefix = hex.EncodeToString(prefix[:]) + "-"
	s.metrics = newMetrics(cfg.Metrics, cfg.Version)
	s.unmatched = s.metrics.route("", "unmatched")
	s.routes = slices.Clone(routes)
	shapes := map[string]string{}
	for i := range s.routes {
		r := &s.routes[i]
		if r.run == nil {
			panic(fmt.Sprintf("web: route %s %s was not made by Handle", r.Method, r.Pattern))
		}
		if len(r.Rule.Kinds) == 0 {
			panic(fmt.Sprintf("web: the rule of %s %s admits nobody", r.Method, r.Pattern))
		}
		shape := r.Method + " " + shapeOf(r.Pattern)
		if other, ok := shapes[shape]; ok {
			panic(fmt.Sprintf("web: %s %s and %s answer the same requests", r.Method, r.Pattern, other))
		}
		shapes[shape] = r.Pattern
		s.mux.MethodFunc(r.Method, r.Pattern, func(http.ResponseWriter, *http.Request) {})
		if s.table[r.Method] == nil {
			s.table[r.Method] = map[string]*entry{}
		}
		s.table[r.Method][r.Pattern] = &entry{
			route: r, anon: slices.Contains(r.Rule.Kinds, auth.Anonymous), metrics: s.metrics.route(r.Method, r.Pattern),
		}
	}
	return s
}

// shapeOf is a pattern without the names of its parameters.
func shapeOf(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// Routes are the routes served, in the order given.
func (s *Server) Routes() []Route { return s.routes }

// Handler is the server as an http.Handler.
func (s *Server) Handler() http.Handler { return s }

// Mount hands everything at prefix and below it to h, which answers for itself, without envelope. The
// headers against sniffing and framing are set before it is called and it may change them. Requests are
// logged and counted under prefix/*.
func (s *Server) Mount(prefix string, h http.Handler) {
	prefix = strings.TrimSuffix(prefix, "/")
	s.mounts = append(s.mounts, mount{prefix, h, &entry{metrics: s.metrics.route("", prefix+"/*")}})
}

// Observe calls fn after every request that matched a route. fn must be quick and must not keep Body.
func (s *Server) Observe(fn func(Outcome)) { s.observers = append(s.observers, fn) }

// exchange is one request and its answer. It is reused; nothing of it outlives the request but what
// request() copies.
type exchange struct {
	s *Server
	w http.ResponseWriter
	r *http.Request

	start time.Time
	id    string
	seen
	entry   *entry
	route   *Route
	pattern string // for the log: a pattern, never a path
	rctx    chi.Context
	escaped bool // path values still hold %2F or %25
	cred    Credential
	who     auth.Caller

	buf     *[]byte
	body    []byte
	partial bool
	memory  gate.Pass
	upload  *upload // the body, on a route that reads it itself
	text    bool

	query   Query
	queried bool
	copied  *Request

	out     bytes.Buffer
	status  int
	bytes   int64
	wrote   bool
	abort   bool
	message string
	limit   *fault.Limit
	cause   error
	stack   []byte
}

// ServeHTTP walks a request through the steps that doc.go tells.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.pool.Get().(*exchange)
	x.s, x.w, x.r, x.start = s, w, r, time.Now()
	x.id = s.requestID(r)
	x.seen = look(r, s.cfg.TrustedProxies)
	x.pattern = "unmatched"
	s.metrics.begin()
	s.open.Add(1)
	defer x.finish()
	x.serve()
}

func (x *exchange) serve() {
	path, err := x.routePath()
	if err == nil {
		for i := range x.s.mounts {
			m := &x.s.mounts[i]
			if strings.HasPrefix(path, m.prefix) && (len(path) == len(m.prefix) || path[len(m.prefix)] == '/') {
				x.mounted(m)
				return
			}
		}
	}
	x.baseHeaders(true)
	if err != nil {
		x.fail(err)
		return
	}
	method := x.r.Method
	switch method {
	case http.MethodHead:
		method = http.MethodGet
	case http.MethodOptions:
		x.options(path)
		return
	}
	if x.entry = x.find(method, path); x.entry == nil {
		x.unmatched(path)
		return
	}
	x.route = x.entry.route
	x.pattern = x.route.Pattern
	for _, v := range x.rctx.URLParams.Values {
		if v == "" {
			x.fail(fault.New(fault.NotFound, "Not Found"))
			return
		}
	}
	out, err := x.handle()
	if err != nil {
		x.holdBack(fault.Of(err))
		x.fail(err)
		return
	}
	x.respond(out)
}

// handle judges the caller and runs the route.
func (x *exchange) handle() (any, error) {
	ctx := x.r.Context()
	route := x.route
	err := x.authenticate(ctx)
	if err == nil {
		x.who.Act = route.Rule.ActionFor(route.Method)
		err = route.Rule.Check(route.Method, x.who)
	}
	if err == nil && x.s.cfg.Admit != nil {
		err = x.s.cfg.Admit(ctx, Attempt{Route: route, Caller: x.who, Header: x.w.Header(), x: x})
	}
	if err != nil {
		x.peekBody(err)
		return nil, err
	}
	if err := x.takeBody(); err != nil {
		return nil, err
	}
	slot, err := x.s.slots.Enter(ctx, x.tenant(), 1+len(x.body)/slotBytes)
	if err != nil {
		return nil, err
	}
	defer slot.Leave()
	if x.upload != nil {
		defer x.upload.close()
	}
	return route.run(ctx, x)
}

// takeBody reads the body if the route wants one.
func (x *exchange) takeBody() error {
	if x.route.Upload {
		return x.openUpload(x.route.MaxBody)
	}
	if x.route.Form {
		if err := x.checkType(true); err != nil {
			return err
		}
		return x.readForm(x.route.MaxBody)
	}
	if x.route.plan.body == bodyNone && len(x.route.plan.request) == 0 {
		if x.r.ContentLength > x.route.MaxBody {
			x.discard()
			return tooLarge(x.route.MaxBody)
		}
		return nil
	}
	if x.route.plan.body != bodyNone {
		if err := x.checkType(false); err != nil {
			return err
		}
	}
	return x.readBody(x.route.MaxBody)
}

// authenticate finds out who calls. On a route that admits anybody a bad credential counts as none.
func (x *exchange) authenticate(ctx context.Context) error {
	x.who = auth.Caller{Kind: auth.Anonymous, Addr: x.addr}
	x.cred = x.credential()
	if x.cred.IsZero() {
		if x.entry.anon {
			return nil
		}
		return auth.Denied()
	}
	who, err := x.judge(ctx)
	if err != nil {
		if f := fault.Of(err); x.entry.anon && (f.Code == fault.Unauthorized || f == errCrossSite) {
			return nil
		}
		return err
	}
	if x.entry.anon && !slices.Contains(x.route.Rule.Kinds, who.Kind) {
		return nil
	}
	who.Addr = x.addr
	x.who = who
	return nil
}

func (x *exchange) judge(ctx context.Context) (auth.Caller, error) {
	if x.cred.Token == "" {
		switch x.r.Method {
		case http.MethodGet, http.MethodHead:
			if x.route.Out == streamType { // each holds a place of the profile's
				if err := x.sameOrigin(false); err != nil {
					return auth.Caller{}, err
				}
			}
		default:
			if err := x.sameOrigin(true); err != nil {
				return auth.Caller{}, err
			}
		}
	}
	const longest = 512
	if len(x.cred.Token) > longest || len(x.cred.Cookie) > longest {
		return auth.Caller{}, auth.Denied()
	}
	return x.s.cfg.Authenticate(ctx, x.cred)
}

// routePath is the path to route by: percent-escapes decoded once but for %2F and %25, which would change
// the meaning of the path, one trailing slash cut. "+" stays as it is.
func (x *exchange) routePath() (string, error) {
	u := x.r.URL
	p := u.Path
	if u.RawPath != "" {
		p = decodePath(u.RawPath)
		x.escaped = true
	}
	if !utf8.ValidString(u.Path) || strings.IndexByte(u.Path, 0) >= 0 {
		return "", fault.Field("path", "must be UTF-8 text without the character NUL")
	}
	if len(p) > 1 && p[len(p)-1] == '/' {
		p = p[:len(p)-1]
	}
	if p == "" {
		p = "/"
	}
	return p, nil
}

// decodePath undoes the percent-escapes of a path but those of "/" and "%", which it writes in upper case.
// net/http has checked that the escapes are complete.
func decodePath(raw string) string {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' || i+2 >= len(raw) {
			b = append(b, raw[i])
			continue
		}
		switch c := unhex(raw[i+1])<<4 | unhex(raw[i+2]); c {
		case '/':
			b = append(b, "%2F"...)
		case '%':
			b = append(b, "%25"...)
		default:
			b = append(b, c)
		}
		i += 2
	}
	return string(b)
}

// pathValue is a parameter of the path.
func (x *exchange) pathValue(name string) (string, error) {
	p := &x.rctx.URLParams
	for i, k := range p.Keys {
		if k == name && i < len(p.Values) {
			v := p.Values[i]
			if x.escaped && strings.IndexByte(v, '%') >= 0 {
				return url.PathUnescape(v)
			}
			return v, nil
		}
	}
	return "", fmt.Errorf("web: pattern %s has no parameter %s", x.pattern, name)
}

// queryTree decodes the query once.
func (x *exchange) queryTree() (Query, error) {
	if x.queried {
		return x.query, nil
	}
	q, err := ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return q, err
	}
	x.query, x.queried = q, true
	return q, nil
}

// request is the Request of this exchange.
func (x *exchange) request() *Request {
	if x.copied == nil {
		x.copied = &Request{
			HTTP: x.r, Route: x.route, ID: x.id, Addr: x.addr, Host: x.host, Secure: x.secure,
			Public: x.s.cfg.PublicURL, Body: x.body, Form: x.r.MultipartForm, s: x.s,
		}
		if x.copied.Public == "" {
			x.copied.Public = x.scheme() + "://" + x.host
		}
	}
	return x.copied
}

// find is the route for a method and a path, nil when there is none. It leaves the parameters in x.rctx.
func (x *exchange) find(method, path string) *entry {
	x.rctx.Reset()
	patterns := x.s.table[method]
	if patterns == nil || path[0] != '/' {
		return nil
	}
	return patterns[x.s.mux.Find(&x.rctx, method, path)]
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// allowed lists the methods that a path answers.
func (x *exchange) allowed(path string) []string {
	var out []string
	for _, m := range methods {
		if x.find(m, path) == nil {
			continue
		}
		out = append(out, m)
		if m == "GET" {
			out = append(out, "HEAD")
		}
	}
	return out
}

// unmatched answers a request that no route takes: 405 when another method would do, else 404.
func (x *exchange) unmatched(path string) {
	if allow := x.allowed(path); len(allow) > 0 {
		x.w.Header()["Allow"] = []string{strings.Join(append(allow, "OPTIONS"), ", ")}
		x.fail(fault.New(fault.MethodNotAllowed, "Method Not Allowed"))
		return
	}
	x.fail(fault.New(fault.NotFound, "Not Found"))
}

// options answers a preflight: anybody may call from anywhere, with tokens and never with cookies.
func (x *exchange) options(path string) {
	h := x.w.Header()
	h["Access-Control-Allow-Methods"] = hMethods
	h["Access-Control-Allow-Headers"] = hAllowThem
	h["Access-Control-Max-Age"] = hMaxAge
	if path != "*" {
		if allow := x.allowed(path); len(allow) > 0 {
			h["Allow"] = []string{strings.Join(append(allow, "OPTIONS"), ", ")}
		}
	}
	x.begin(http.StatusNoContent, 0)
}

// mounted passes the request to a handler that is not a route.
func (x *exchange) mounted(m *mount) {
	x.baseHeaders(false)
	x.entry = m.entry
	x.pattern = m.prefix + "/*"
	w := &statusWriter{ResponseWriter: x.w, x: x}
	m.handler.ServeHTTP(w, x.r)
	if x.status == 0 {
		x.status = http.StatusOK
	}
}

// statusWriter remembers what a mounted handler answered.
type statusWriter struct {
	http.ResponseWriter
	x *exchange
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.x.wrote && status >= 200 {
		w.x.status, w.x.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.x.wrote {
		w.x.status, w.x.wrote = http.StatusOK, true
	}
	n, err := w.ResponseWriter.Write(b)
	w.x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestID takes the client's id when it is harmless, else makes one.
func (s *Server) requestID(r *http.Request) string {
	if v := r.Header["X-Request-Id"]; len(v) > 0 && harmless(v[0]) {
		return v[0]
	}
	b := make([]byte, 0, 24)
	b = append(b, s.idPrefix...)
	return string(strconv.AppendUint(b, s.idNext.Add(1), 36))
}

func harmless(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// finish catches a panic, logs, counts, tells observers and puts the exchange away.
func (x *exchange) finish() {
	abort := false
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			abort = true
		} else {
			x.stack = debug.Stack()
			x.panicked(fmt.Errorf("panic: %v", p))
		}
	}
	took := time.Since(x.start)
	m := x.s.unmatched
	if x.entry != nil {
		m = x.entry.metrics
	}
	m.end(x.status, took)
	x.log(took)
	if x.route != nil && len(x.s.observers) > 0 {
		x.observe(took)
	}
	if x.r.MultipartForm != nil {
		_ = x.r.MultipartForm.RemoveAll()
	}
	abort = abort || x.abort
	x.s.open.Add(-1)
	x.release()
	x.reset()
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// panicked answers 500 if nothing was sent yet, else ends the connection.
func (x *exchange) panicked(err error) {
	x.cause = err
	if x.wrote {
		x.abort = true
		x.status = http.StatusInternalServerError
		return
	}
	x.out.Reset()
	x.w.Header().Del("Content-Length")
	x.fail(fault.New(fault.Internal, "An internal error has occurred").Because(err))
}

// reset empties x and keeps its buffers.
func (x *exchange) reset() {
	s, rctx, out := x.s, x.rctx, x.out
	if out.Cap() > 1<<20 {
		out = bytes.Buffer{}
	}
	out.Reset()
	rctx.Reset()
	*x = exchange{}
	x.rctx, x.out = rctx, out
	s.pool.Put(x)
}

// slow is how long a request takes that is worth a line in the log although it succeeded.
const slow = time.Second

// log writes the line of the request: patterns, never paths; kinds and ids, never secrets.
func (x *exchange) log(took time.Duration) {
	if !x.s.cfg.LogAll && x.status < 400 && x.cause == nil && took < slow {
		return
	}
	level := slog.LevelInfo
	switch {
	case x.cause != nil && x.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case x.cause != nil && x.status != statusClientGone:
		level = slog.LevelError
	}
	ctx := context.Background()
	if !x.s.cfg.Log.Enabled(ctx, level) {
		return
	}
	var attrs [11]slog.Attr
	a := append(attrs[:0],
		slog.String("method", x.r.Method),
		slog.String("route", x.pattern),
		slog.Int("status", x.status),
		slog.String("kind", string(x.who.Kind)),
		slog.String("profile", string(x.who.ProfileID)),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", x.bytes),
		slog.String("addr", x.addr),
		slog.String("request_id", x.id),
	)
	if x.cause != nil {
		a = append(a, slog.String("error", x.cause.Error()))
	}
	if x.stack != nil {
		a = append(a, slog.String("stack", string(x.stack)))
	}
	x.s.cfg.Log.LogAttrs(ctx, level, "request", a...)
}

// observe tells the observers.
func (x *exchange) observe(took time.Duration) {
	o := Outcome{
		Route: x.route, Method: x.r.Method, Pattern: x.route.Pattern, Status: x.status, Message: x.message,
		Caller: x.who, Credential: x.cred, Body: x.body[:min(len(x.body), OutcomeBody)], BodySize: len(x.body),
		Read: x.body, Partial: x.partial, Limit: x.limit,
		Addr: x.addr, RequestID: x.id, Time: x.s.cfg.Clock.Now(), Duration: took,
	}
	if keys := x.rctx.URLParams.Keys; len(keys) > 0 {
		o.Path = make(map[string]string, len(keys))
		for _, k := range keys {
			o.Path[k], _ = x.pathValue(k)
		}
	}
	for _, fn := range x.s.observers {
		fn(o)
	}
}

func toValid(s string) string { return strings.ToValidUTF8(s, "�") }
