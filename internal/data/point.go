package data

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/id"
)

// Kind is the JSON type of a point's value.
type Kind int8

const (
	None   Kind = iota // the point has no value, only a location or a moment
	Number             // in Point.Num
	Text               // in Point.Text
	Bool               // in Point.Num, 1 or 0
)

// Point is one measurement: a variable at a moment, with what belongs to it.
type Point struct {
	Variable string
	Time     int64 // UTC milliseconds
	Kind     Kind
	Num      float64
	Text     string
	Unit     string // "" for none
	Group    string // never empty once stored
	Located  bool
	Lat, Lng float64
	Metadata string // compact JSON of an object or array, "" for none

	no     int64 // given when stored; see numbers
	series int64
}

// ID is the point's public name, 24 hex characters: 16 of its number and 8 of its series'. It is opaque to
// clients; two points never share one, and a point keeps its own through every edit.
func (p *Point) ID() string { return string(appendID(nil, p.no, p.series)) }

// CreatedAt is when the point was stored.
func (p *Point) CreatedAt() time.Time { return time.UnixMilli(millisOf(p.no)).UTC() }

func appendID(b []byte, no, series int64) []byte {
	var raw [12]byte
	for i := range 8 {
		raw[i] = byte(uint64(no) >> (56 - 8*i))
	}
	for i := range 4 {
		raw[8+i] = byte(uint32(series) >> (24 - 8*i))
	}
	return hex.AppendEncode(b, raw[:])
}

// parseID takes a point's id apart. ok is false for what no point can be called.
func parseID(s string) (no int64, series uint32, ok bool) {
	if !id.Valid(s) {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(s[:16], 16, 64)
	if err != nil || n > math.MaxInt64 {
		return 0, 0, false
	}
	v, err := strconv.ParseUint(s[16:], 16, 32)
	return int64(n), uint32(v), err == nil
}

// AppendRow appends a stored point as rows of data look on the wire.
func AppendRow(b []byte, p *Point, d id.Device) []byte { return appendPoint(b, p, d, false) }

// appendPoint writes a row of an answer. What a point does not have is left out.
func appendPoint(b []byte, p *Point, device id.Device, details bool) []byte {
	b = append(b, `{"id":"`...)
	b = appendID(b, p.no, p.series)
	b = append(b, `","device":"`...)
	b = append(b, device...)
	b = append(b, `","variable":`...)
	b = appendString(b, p.Variable)
	if p.Kind != None {
		b = append(b, `,"value":`...)
		b = appendValue(b, p)
	}
	if p.Unit != "" {
		b = append(b, `,"unit":`...)
		b = appendString(b, p.Unit)
	}
	if p.Group != "" {
		b = append(b, `,"group":`...)
		b = appendString(b, p.Group)
	}
	if p.Located {
		b = append(b, `,"location":{"type":"Point","coordinates":[`...)
		b = appendNumber(b, p.Lng)
		b = append(b, ',')
		b = appendNumber(b, p.Lat)
		b = append(b, "]}"...)
	}
	if p.Metadata != "" {
		b = append(b, `,"metadata":`...)
		b = append(b, p.Metadata...)
	}
	b = append(b, `,"time":`...)
	b = appendTime(b, p.Time)
	if details {
		b = append(b, `,"created_at":`...)
		b = appendTime(b, millisOf(p.no))
	}
	return append(b, '}')
}

func appendValue(b []byte, p *Point) []byte {
	switch p.Kind {
	case Number:
		return appendNumber(b, p.Num)
	case Text:
		return appendString(b, p.Text)
	case Bool:
		return strconv.AppendBool(b, p.Num != 0)
	}
	return append(b, "null"...)
}

func appendString(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil { // invalid UTF-8, which the decoder let nobody store; it is shown as U+FFFD
		return b
	}
	return b
}

// appendNumber writes f as every JSON writer of the web does: the shortest digits that read back as f,
// whole numbers without a point, an exponent only where the digits would be long.
func appendNumber(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0') // -0 too
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-07 is e-7
		b = b[:n-1]
	}
	return b
}

func appendTime(b []byte, ms int64) []byte {
	b = append(b, '"')
	b = time.UnixMilli(ms).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '"')
}
