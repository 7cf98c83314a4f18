// Package web is the HTTP layer: routes as values, the envelope, nested queries, and the API document made
// from the same Go types.
//
// One request walks so:
//
//  1. It gets an id (the client's X-Request-Id when harmless), and its client's address, host and scheme are
//     found through the trusted proxies (proxy.go).
//  2. One trailing slash is cut and percent-escapes are decoded once; nothing is ever redirected. Under a
//     mounted prefix (the console) another handler takes over here. OPTIONS is answered here too.
//  3. chi finds the pattern, static words before parameters; HEAD takes the GET route. Without one the answer
//     is 404, or 405 with Allow.
//  4. A token is taken from a header or the query, else the session cookie, whose state-changing requests must
//     come from our own pages (credential.go). The Authenticator makes a Caller of it; a route that admits
//     anybody ignores a bad one.
//  5. The route's Rule judges the caller, then Admit its rates. A refusal costs no more than this.
//  6. The body is read into a pooled buffer: bounded in size, in speed and in the sum over the requests of a tenant
//     and of all; who finds no memory waits (body.go). Then the request waits for a slot of its tenant.
//  7. The plan that Handle made from the tags of In fills it (decode.go), Validate checks it, the route's
//     function is called. Nothing of this looks at tags again.
//  8. What it returns is written in the envelope, {"status":true,"result":…}; an error becomes
//     {"status":false,"message":…,"code":…,"field":…,"error":…,"request_id":…} with the status of its fault
//     (respond.go). A Stream goes on until somebody ends it (stream.go). A panic is a 500 that tells nothing; a client that went away is a 499 in the log.
//  9. The request is logged and counted by its pattern, never its path, and observers hear of it.
//
// What net/http refuses before a handler runs, a malformed request line or a header above 64 kB, is answered
// by it in plain text.
package web
