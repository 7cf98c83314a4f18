package web

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Opt is a member of a JSON object that may be absent, null or a value, where the three mean different
// things: leave as it is, clear, set.
type Opt[T any] struct {
	Set   bool // the member is there
	Null  bool // it is null
	Value T    // what it holds when Set and not Null
}

// Some is an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{Set: true, Value: v} }

// Get is the value, and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.Set && !o.Null }

// Or is the value, or def when there is none.
func (o Opt[T]) Or(def T) T {
	if o.Set && !o.Null {
		return o.Value
	}
	return def
}

// Ptr is the value, or nil when there is none.
func (o Opt[T]) Ptr() *T {
	if o.Set && !o.Null {
		return &o.Value
	}
	return nil
}

// IsZero reports whether the member is absent; with the tag omitzero it is then left out.
func (o Opt[T]) IsZero() bool { return !o.Set }

// UnmarshalJSONFrom reads the member; null is kept apart from a value.
func (o *Opt[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*o = Opt[T]{Set: true}
	if dec.PeekKind() == 'n' {
		o.Null = true
		return dec.SkipValue()
	}
	return json.UnmarshalDecode(dec, &o.Value)
}

// UnmarshalJSON is UnmarshalJSONFrom for encoding/json.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	*o = Opt[T]{Set: true}
	if string(b) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// MarshalJSONTo writes the value, or null.
func (o Opt[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if v, ok := o.Get(); ok {
		return json.MarshalEncode(enc, v)
	}
	return enc.WriteToken(jsontext.Null)
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if v, ok := o.Get(); ok {
		return json.Marshal(v, outOptions)
	}
	return []byte("null"), nil
}

// optional lets the API document look into an Opt.
func (o Opt[T]) optional() any { return o.Value }
