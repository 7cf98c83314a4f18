package data

import (
	"encoding/binary"
	"errors"
	"math"
)

// packing is the first byte of packed points: another way of packing takes another number.
const packing = 1

// What a packed point begins with: its kind in the lowest two bits, and what need not be said.
const (
	packKind     = 3
	packLocated  = 1 << 2
	sameVariable = 1 << 3 // as the point before; the first stands behind an empty one
	sameTime     = 1 << 4
	sameUnit     = 1 << 5
	sameGroup    = 1 << 6
	sameMetadata = 1 << 7
)

// pack writes points down so that unpack makes the same of them: all but their numbers and series, which they have not
// got yet.
func pack(points []*Point) []byte {
	b := make([]byte, 0, 64+16*len(points))
	b = append(b, packing)
	b = binary.AppendUvarint(b, uint64(len(points)))
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	float := func(f float64) { b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f)) }
	before := &Point{}
	for _, p := range points {
		flags := byte(p.Kind) & packKind
		set := func(flag byte, is bool) {
			if is {
				flags |= flag
			}
		}
		set(packLocated, p.Located)
		set(sameVariable, p.Variable == before.Variable)
		set(sameTime, p.Time == before.Time)
		set(sameUnit, p.Unit == before.Unit)
		set(sameGroup, p.Group == before.Group)
		set(sameMetadata, p.Metadata == before.Metadata)
		b = append(b, flags)
		if flags&sameVariable == 0 {
			text(p.Variable)
		}
		if flags&sameTime == 0 {
			b = binary.AppendVarint(b, p.Time-before.Time)
		}
		switch p.Kind {
		case Number, Bool:
			float(p.Num)
		case Text:
			text(p.Text)
		}
		if flags&sameUnit == 0 {
			text(p.Unit)
		}
		if flags&sameGroup == 0 {
			text(p.Group)
		}
		if p.Located {
			float(p.Lat)
			float(p.Lng)
		}
		if flags&sameMetadata == 0 {
			text(p.Metadata)
		}
		before = p
	}
	return b
}

var errPacked = errors.New("packed points cannot be read")

// unpack reads what pack wrote. It fails on anything else.
func unpack(b []byte) ([]Point, error) {
	bad := false
	need := func(n uint64) bool {
		bad = bad || n > uint64(len(b))
		return !bad
	}
	number := func() uint64 {
		n, used := binary.Uvarint(b)
		if bad = bad || used <= 0; bad {
			return 0
		}
		b = b[used:]
		return n
	}
	text := func() string {
		n := number()
		if !need(n) {
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	float := func() float64 {
		if !need(8) {
			return 0
		}
		f := math.Float64frombits(binary.LittleEndian.Uint64(b))
		b = b[8:]
		return f
	}
	if len(b) == 0 || b[0] != packing {
		return nil, errPacked
	}
	b = b[1:]
	n := number()
	if !need(n) { // each has a byte at least
		return nil, errPacked
	}
	points := make([]Point, n)
	before := Point{}
	for i := range points {
		if !need(1) {
			return nil, errPacked
		}
		flags := b[0]
		b = b[1:]
		p := Point{Variable: before.Variable, Time: before.Time, Kind: Kind(flags & packKind), Unit: before.Unit, Group: before.Group,
			Located: flags&packLocated != 0, Metadata: before.Metadata}
		if flags&sameVariable == 0 {
			p.Variable = text()
		}
		if flags&sameTime == 0 {
			delta, used := binary.Varint(b)
			if bad = bad || used <= 0; bad {
				return nil, errPacked
			}
			b = b[used:]
			p.Time += delta
		}
		switch p.Kind {
		case Number, Bool:
			p.Num = float()
		case Text:
			p.Text = text()
		}
		if flags&sameUnit == 0 {
			p.Unit = text()
		}
		if flags&sameGroup == 0 {
			p.Group = text()
		}
		if p.Located {
			p.Lat, p.Lng = float(), float()
		}
		if flags&sameMetadata == 0 {
			p.Metadata = text()
		}
		points[i], before = p, p
	}
	if bad || len(b) > 0 {
		return nil, errPacked
	}
	return points, nil
}
