package data

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
)

// The bounds of a point, from TagoIO's documentation.
const (
	maxVariable = 100    // characters
	maxUnit     = 25     // characters
	maxGroup    = 100    // characters
	maxText     = 6_000  // bytes of a text value
	maxMetadata = 10_000 // bytes, written compactly
	maxDepth    = 32     // nesting of the body
)

// forbidden are the characters that a variable's name must not have, besides blanks and control characters.
const forbidden = "*?!<>.-=$"

// draft is a point as the client wrote it, and which members it wrote.
type draft struct {
	Point
	id     string
	device string // in archives
	has    member
}

type member uint16

const (
	hasID member = 1 << iota
	hasVariable
	hasValue
	hasUnit
	hasGroup
	hasSerie
	hasTime
	hasLocation
	hasMetadata
	hasDevice
)

// decoder reads one body. It is the hottest reader of the house: written out by hand, pooled, and checked by
// a fuzz test against encoding/json.
type decoder struct {
	json   *jsontext.Decoder
	buf    *bytes.Buffer
	now    int64
	many   bool
	filed  bool // it is a line of an archive: which says all itself, and nothing else
	i      int
	intern [64]string
}

var decoders = sync.Pool{New: func() any {
	return &decoder{json: jsontext.NewDecoder(bytes.NewBuffer(nil)), buf: &bytes.Buffer{}}
}}

// decodePoints reads the body of a POST: a point or a list of points. Points without a time get now (UTC
// milliseconds); those without a group share a fresh one. It returns an Invalid fault that names the point
// and its member: "[3].unit: …", or "unit: …" when the body is a single object.
func decodePoints(body []byte, now int64) ([]Point, error) {
	drafts, err := decodeDrafts(body, now, false)
	if err != nil {
		return nil, err
	}
	group := ""
	points := make([]Point, len(drafts))
	for i := range drafts {
		points[i] = drafts[i].Point
		if points[i].Group == "" {
			if group == "" {
				group = newGroup()
			}
			points[i].Group = group
		}
	}
	return points, nil
}

// newGroup is a fresh id written backwards, which tells a group from a thing's id at a glance.
func newGroup() string {
	b := []byte(id.New[string]())
	slices.Reverse(b)
	return string(b)
}

// decodeDrafts reads a body of points to store, or of changes when edit is set: then every member is
// optional but the id, and null clears what it names.
func decodeDrafts(body []byte, now int64, edit bool) ([]draft, error) {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	*d.buf = *bytes.NewBuffer(body)
	d.json.Reset(d.buf)
	d.now, d.many, d.filed, d.i = now, false, false, 0

	var out []draft
	switch d.json.PeekKind() {
	case '{':
		out = make([]draft, 1)
		if err := d.point(&out[0], edit); err != nil {
			return nil, err
		}
	case '[':
		d.many = true
		if _, err := d.json.ReadToken(); err != nil {
			return nil, d.broken(err)
		}
		out = make([]draft, 0, min(bytes.Count(body, []byte{'{'}), 4096))
		for d.json.PeekKind() != ']' {
			switch k := d.json.PeekKind(); k {
			case '{':
			case 0:
				_, err := d.json.ReadToken()
				return nil, d.broken(err)
			default:
				if _, err := d.json.ReadValue(); err != nil {
					return nil, d.broken(err)
				}
				return nil, fault.Field("["+strconv.Itoa(d.i)+"]", "must be an object")
			}
			out = append(out, draft{})
			if err := d.point(&out[len(out)-1], edit); err != nil {
				return nil, err
			}
			d.i++
		}
		if _, err := d.json.ReadToken(); err != nil {
			return nil, d.broken(err)
		}
		if len(out) == 0 {
			return nil, fault.Field("body", "must hold at least one point")
		}
	case 0:
		if len(bytes.TrimSpace(body)) == 0 {
			return nil, fault.Field("body", "must be an object or an array of objects, and is empty")
		}
		_, err := d.json.ReadToken()
		return nil, d.broken(err)
	default:
		if _, err := d.json.ReadValue(); err != nil {
			return nil, d.broken(err)
		}
		return nil, fault.Field("body", "must be an object or an array of objects")
	}
	if _, err := d.json.ReadToken(); err != io.EOF {
		if err == nil {
			return nil, fault.Field("body", "has more after its end")
		}
		return nil, d.broken(err)
	}
	return out, nil
}

// point reads one object. The decoder stands before its brace.
func (d *decoder) point(p *draft, edit bool) error {
	if _, err := d.json.ReadToken(); err != nil {
		return d.broken(err)
	}
	p.Time = d.now
	serie := ""
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadValue()
		if err != nil {
			return d.broken(err)
		}
		var m member
		key := name[1 : len(name)-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			if key, err = jsontext.AppendUnquote(nil, name); err != nil {
				return d.broken(err)
			}
		}
		switch string(key) {
		case "variable":
			m, err = hasVariable, d.variable(p)
		case "value":
			m, err = hasValue, d.value(p)
		case "unit":
			m = hasUnit
			p.Unit, err = d.text("unit", maxUnit, false)
		case "group":
			m = hasGroup
			p.Group, err = d.text("group", maxGroup, false)
		case "serie":
			m = hasSerie
			serie, err = d.text("serie", maxGroup, true)
		case "time":
			if d.json.PeekKind() != 'n' { // a point always has a time: null changes nothing
				m = hasTime
			}
			err = d.time(p)
		case "location":
			m, err = hasLocation, d.location(p)
		case "metadata":
			m, err = hasMetadata, d.metadata(p)
		case "id":
			if edit {
				m = hasID
				p.id, err = d.text("id", 0, false)
				break
			}
			err = d.skip()
		default:
			switch {
			case !d.filed:
				err = d.skip()
			case string(key) == "device":
				m = hasDevice
				p.device, err = d.text("device", 0, false)
			default:
				err = d.wrong(short(string(key)), "is no member of a point")
			}
		}
		if err != nil {
			return err
		}
		p.has |= m
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.broken(err)
	}
	if p.has&hasSerie != 0 && p.Group == "" {
		p.Group = serie
		p.has |= hasGroup
	}
	if edit {
		if p.id == "" {
			return d.wrong("id", "is required")
		}
	} else if p.Variable == "" {
		return d.wrong("variable", "is required")
	}
	return nil
}

// skip reads a value that nobody asked for; it must be JSON all the same.
func (d *decoder) skip() error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	return d.shallow(raw)
}

// shallow refuses a value that nests too deep, counted from the body's own level.
func (d *decoder) shallow(raw jsontext.Value) error {
	if raw.Kind() != '{' && raw.Kind() != '[' {
		return nil
	}
	if !check.Shallow(raw, d.json.StackDepth(), maxDepth) {
		return fault.Field("body", "is nested more than %d levels deep", maxDepth)
	}
	return nil
}

func (d *decoder) variable(p *draft) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	if raw.Kind() != '"' {
		if raw.Kind() == 'n' {
			return nil // absent: point says whether that is allowed
		}
		return d.wrong("variable", "must be a text")
	}
	s, err := d.unquote("variable", raw)
	if err != nil {
		return err
	}
	lower := s
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			lower = strings.ToLower(s)
			break
		}
	}
	n := 0
	for _, r := range lower {
		if r < utf8.RuneSelf {
			if r <= ' ' || r == 0x7f || strings.IndexByte(forbidden, byte(r)) >= 0 {
				return d.wrong("variable", "must have no blanks and none of * ? ! < > . - = $")
			}
		} else if unicode.IsSpace(r) || unicode.IsControl(r) {
			return d.wrong("variable", "must have no blanks and none of * ? ! < > . - = $")
		}
		n++
	}
	if n == 0 {
		return d.wrong("variable", "must not be empty")
	}
	if n > maxVariable {
		return d.wrong("variable", "has %d characters; at most %d are allowed", n, maxVariable)
	}
	p.Variable = lower
	return nil
}

func (d *decoder) value(p *draft) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	p.Kind, p.Num, p.Text = None, 0, ""
	switch raw.Kind() {
	case 'n':
	case 't':
		p.Kind, p.Num = Bool, 1
	case 'f':
		p.Kind = Bool
	case '"':
		p.Kind = Text
		if p.Text, err = d.unquote("value", raw); err != nil {
			return err
		}
		if len(p.Text) > maxText {
			return d.wrong("value", "has %d bytes; at most %d are allowed", len(p.Text), maxText)
		}
	case '0':
		p.Kind = Number
		if p.Num, err = d.number("value", raw); err != nil {
			return err
		}
	default:
		return d.wrong("value", "must be a text, a number or a boolean")
	}
	return nil
}

// number reads a JSON number. Those that are too large for 64-bit floating point are refused, not bent.
func (d *decoder) number(field string, raw jsontext.Value) (float64, error) {
	if n := len(raw); n <= 15 { // most are short whole numbers
		v, neg := int64(0), false
		for i, c := range raw {
			if c == '-' && i == 0 {
				neg = true
				continue
			}
			if c < '0' || c > '9' {
				v = -1
				break
			}
			v = v*10 + int64(c-'0')
		}
		if v >= 0 {
			if neg {
				v = -v
			}
			return float64(v), nil
		}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, d.wrong(field, "is a number out of range")
	}
	if f == 0 {
		f = 0 // never -0
	}
	return f, nil
}

// text reads a text of at most most characters (0 means any), or null as "". numbers tells whether a number
// is taken for its digits.
func (d *decoder) text(field string, most int, numbers bool) (string, error) {
	raw, err := d.json.ReadValue()
	if err != nil {
		return "", d.broken(err)
	}
	var s string
	switch k := raw.Kind(); {
	case k == 'n':
		return "", nil
	case k == '"':
		if s, err = d.unquote(field, raw); err != nil {
			return "", err
		}
	case k == '0' && numbers:
		s = string(raw)
	default:
		return "", d.wrong(field, "must be a text")
	}
	if most > 0 && len(s) > most {
		if n := utf8.RuneCountInString(s); n > most {
			return "", d.wrong(field, "has %d characters; at most %d are allowed", n, most)
		}
	}
	return s, nil
}

// unquote is the text of a JSON string. Short texts of one body are kept once: names, units and groups
// repeat from point to point.
func (d *decoder) unquote(field string, raw jsontext.Value) (string, error) {
	in := raw[1 : len(raw)-1]
	if bytes.IndexByte(in, '\\') < 0 {
		if n := len(in); n > 0 && n <= 32 {
			slot := &d.intern[(uint(n)*7+uint(in[0])*3+uint(in[n-1]))%uint(len(d.intern))]
			if *slot != string(in) {
				*slot = string(in)
			}
			return *slot, nil
		}
		return string(in), nil
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", d.wrong(field, "is not a valid text")
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "", d.wrong(field, "must not have the character U+0000")
	}
	return string(b), nil
}

func (d *decoder) time(p *draft) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	switch raw.Kind() {
	case 'n':
		return nil
	case '0':
		f, err := d.number("time", raw)
		if err != nil {
			return err
		}
		if f < firstMoment || f > lastMoment {
			return d.wrong("time", "must lie in the years 1 to 9999")
		}
		p.Time = int64(math.Floor(f))
		return nil
	case '"':
		in := []byte(raw[1 : len(raw)-1])
		if bytes.IndexByte(in, '\\') >= 0 {
			s, err := d.unquote("time", raw)
			if err != nil {
				return err
			}
			in = []byte(s)
		}
		if m, ok := parseMoment(in); ok {
			p.Time = m.in(utc)
			if p.Time < firstMoment || p.Time > lastMoment {
				return d.wrong("time", "must lie in the years 1 to 9999")
			}
			return nil
		}
		if ms, err := strconv.ParseInt(string(in), 10, 64); err == nil && len(in) > 8 && ms >= firstMoment && ms <= lastMoment {
			p.Time = ms
			return nil
		}
	}
	return d.wrong("time", "must be an ISO 8601 date and time, YYYY-MM-DD HH:mm:ss, or Unix milliseconds")
}

// location reads {lat,lng} or a GeoJSON point.
func (d *decoder) location(p *draft) error {
	switch d.json.PeekKind() {
	case 'n':
		p.Located, p.Lat, p.Lng = false, 0, 0
		return d.skip()
	case '{':
	default:
		if err := d.skip(); err != nil {
			return err
		}
		return d.wrong("location", "must be {lat, lng}, a GeoJSON point or null")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.broken(err)
	}
	var lat, lng float64
	var hasLat, hasLng, hasPair bool
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadToken()
		if err != nil {
			return d.broken(err)
		}
		switch name.String() {
		case "lat":
			if hasLat, err = true, d.coordinate("location.lat", 90, &lat, hasPair); err != nil {
				return err
			}
		case "lng":
			if hasLng, err = true, d.coordinate("location.lng", 180, &lng, hasPair); err != nil {
				return err
			}
		case "type":
			raw, err := d.json.ReadValue()
			if err != nil {
				return d.broken(err)
			}
			if string(raw) != `"Point"` && raw.Kind() != 'n' {
				return d.wrong("location.type", `must be "Point"`)
			}
		case "coordinates":
			if d.json.PeekKind() != '[' {
				if err := d.skip(); err != nil {
					return err
				}
				return d.wrong("location.coordinates", "must be [lng, lat]")
			}
			if _, err := d.json.ReadToken(); err != nil {
				return d.broken(err)
			}
			n := 0
			for ; d.json.PeekKind() != ']'; n++ {
				var altitude float64
				switch n {
				case 0:
					err = d.coordinate("location.coordinates[0]", 180, &lng, false)
				case 1:
					err = d.coordinate("location.coordinates[1]", 90, &lat, false)
				case 2: // GeoJSON allows an altitude; there is no place to keep it
					err = d.coordinate("location.coordinates[2]", math.MaxFloat64, &altitude, false)
				default:
					err = d.skip()
				}
				if err != nil {
					return err
				}
			}
			if _, err := d.json.ReadToken(); err != nil {
				return d.broken(err)
			}
			if n < 2 || n > 3 {
				return d.wrong("location.coordinates", "must be [lng, lat]")
			}
			hasPair = true
		default:
			if err := d.skip(); err != nil {
				return err
			}
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.broken(err)
	}
	switch {
	case hasPair || hasLat && hasLng:
		p.Located, p.Lat, p.Lng = true, lat, lng
		return nil
	case hasLat:
		return d.wrong("location.lng", "is required")
	case hasLng:
		return d.wrong("location.lat", "is required")
	}
	return d.wrong("location", "must be {lat, lng}, a GeoJSON point or null")
}

// coordinate reads a number between -most and most into to, unless keep says that coordinates came first.
func (d *decoder) coordinate(field string, most float64, to *float64, keep bool) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	if raw.Kind() != '0' {
		return d.wrong(field, "must be a number")
	}
	f, err := d.number(field, raw)
	if err != nil {
		return err
	}
	if f < -most || f > most {
		return d.wrong(field, "must lie between %g and %g", -most, most)
	}
	if !keep {
		*to = f
	}
	return nil
}

// metadata keeps the value as it was written, without its blanks.
func (d *decoder) metadata(p *draft) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return d.broken(err)
	}
	switch raw.Kind() {
	case 'n':
		p.Metadata = ""
		return nil
	case '{', '[':
	default:
		return d.wrong("metadata", "must be an object or an array")
	}
	if err := d.shallow(raw); err != nil {
		return err
	}
	v := raw.Clone()
	if err := v.Compact(); err != nil {
		return d.wrong("metadata", "is not valid JSON")
	}
	if len(v) > maxMetadata {
		return d.wrong("metadata", "has %d bytes; at most %d are allowed", len(v), maxMetadata)
	}
	p.Metadata = string(v)
	return nil
}

// wrong is a fault about a member of the point being read.
func (d *decoder) wrong(field, format string, args ...any) error {
	if d.many {
		field = "[" + strconv.Itoa(d.i) + "]." + field
	}
	return fault.Field(field, format, args...)
}

// broken is a fault about JSON that cannot be read, at the place where it breaks.
func (d *decoder) broken(err error) error {
	var s *jsontext.SyntacticError
	if !errors.As(err, &s) {
		return fault.Field("body", "the JSON ends too early").Because(err)
	}
	field := "body"
	if s.JSONPointer != "" {
		var b strings.Builder
		for t := range s.JSONPointer.Tokens() {
			if _, err := strconv.Atoi(t); err == nil {
				b.WriteString("[" + t + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(short(t))
		}
		field = b.String()
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.Field(field, "appears twice").Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Field("body", "the JSON ends too early").Because(err)
	}
	return fault.Field(field, "invalid JSON at byte %d: %s", s.ByteOffset, strings.TrimPrefix(s.Err.Error(), "jsontext: ")).Because(err)
}
