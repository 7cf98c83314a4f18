// Package api carries the OpenAPI document of the HTTP API. openapi.json is generated: `make api` writes it from
// the routes, and a test fails when it differs from them.
package api

import _ "embed"

// Document is the OpenAPI 3.1 document, as JSON.
//
//go:embed openapi.json
var Document []byte
