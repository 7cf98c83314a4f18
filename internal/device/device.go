package device

import (
	"encoding/base64"

	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// Type is how a device stores its data.
type Type string

const (
	Mutable   Type = "mutable"   // points can be edited; at most 50,000
	Immutable Type = "immutable" // append only, in chunks
)

// Period is the length of a chunk of an immutable device.
type Period string

const (
	Day     Period = "day"
	Week    Period = "week"
	Month   Period = "month"
	Quarter Period = "quarter"
)

// retentions are the most whole periods that can be kept besides the current one.
var retentions = map[Period]int64{Day: 31, Week: 26, Month: 36, Quarter: 36}

// Bounds of a device.
const (
	MaxTags    = tag.Max
	MaxParams  = 60
	maxName    = 100    // characters
	maxText    = 1000   // characters of a description
	maxKey     = 100    // characters of a key
	maxValue   = 6000   // bytes of a parameter's value
	maxDecoder = 64_000 // bytes of a payload decoder, as sent
)

// Tag is a word pair that people and access rules find devices by.
type Tag = tag.Tag

// Param is a configuration parameter, read by the device or its network.
type Param struct {
	ID    id.Param `json:"id"`
	Key   string   `json:"key"`
	Value string   `json:"value"`
	Sent  bool     `json:"sent"`
}

// ParamInput makes a parameter, or changes the one of that id; nil leaves a member as it is.
type ParamInput struct {
	ID    id.Param `json:"id"`
	Key   *string  `json:"key"`
	Value *string  `json:"value"`
	Sent  *bool    `json:"sent"`
}

// RPM are soft limits on a device's requests per minute, which take the place of the profile's.
type RPM = profile.RPM

// Device is one device. Times are UTC milliseconds, 0 for none; texts are "" for none.
type Device struct {
	Profile        id.Profile
	ID             id.Device
	Name           string
	Description    string
	Type           Type
	ChunkPeriod    Period // immutable
	ChunkRetention int64  // immutable: whole periods kept besides the current one
	Connector      string
	Network        string
	Active         bool
	Visible        bool
	PayloadDecoder string // base64, as sent
	RPMInput       int64  // 0 for none
	RPMOutput      int64
	Tags           []Tag
	LastInput      int64
	LastOutput     int64
	CreatedAt      int64
	UpdatedAt      int64
}

// CreateInput makes a device. Only a name is required.
type CreateInput struct {
	Name           string       `json:"name"`
	Description    *string      `json:"description"`
	Type           Type         `json:"type"`
	ChunkPeriod    *Period      `json:"chunk_period"`
	ChunkRetention *int64       `json:"chunk_retention"`
	Connector      *string      `json:"connector"`
	Network        *string      `json:"network"`
	Active         *bool        `json:"active"`
	Visible        *bool        `json:"visible"`
	Tags           []Tag        `json:"tags"`
	Params         []ParamInput `json:"configuration_params"`
	Serial         *string      `json:"serie_number"`
	PayloadDecoder *string      `json:"payload_decoder"`
	RPM            *RPM         `json:"rpm"`
}

// Validate checks the shape of the input.
func (in CreateInput) Validate() error {
	if err := check.Line("name", in.Name, 1, maxName); err != nil {
		return err
	}
	if err := check.Prose("description", value(in.Description), maxText); err != nil {
		return err
	}
	if _, _, _, err := storage(in.Type, in.ChunkPeriod, in.ChunkRetention); err != nil {
		return err
	}
	if err := hexID("connector", value(in.Connector)); err != nil {
		return err
	}
	if err := hexID("network", value(in.Network)); err != nil {
		return err
	}
	if err := tag.Check("device", in.Tags); err != nil {
		return err
	}
	if len(in.Params) > MaxParams {
		return fault.Field("configuration_params", "a device holds at most %d parameters, got %d", MaxParams, len(in.Params))
	}
	for i, p := range in.Params {
		if err := p.check("configuration_params"+index(i), true); err != nil {
			return err
		}
	}
	if err := check.Line("serie_number", value(in.Serial), 0, maxName); err != nil {
		return err
	}
	if err := decoder(value(in.PayloadDecoder)); err != nil {
		return err
	}
	return in.RPM.Check()
}

// storage settles type, period and retention, or says what does not fit.
func storage(t Type, period *Period, retention *int64) (Type, Period, int64, error) {
	switch t {
	case "", Mutable:
		if period != nil && *period != "" {
			return "", "", 0, fault.Field("chunk_period", "is for immutable devices")
		}
		if retention != nil && *retention != 0 {
			return "", "", 0, fault.Field("chunk_retention", "is for immutable devices")
		}
		return Mutable, "", 0, nil
	case Immutable:
		if period == nil || *period == "" {
			return "", "", 0, fault.Field("chunk_period", "is required for an immutable device: day, week, month or quarter")
		}
		most, ok := retentions[*period]
		if !ok {
			return "", "", 0, fault.Field("chunk_period", "must be day, week, month or quarter")
		}
		if retention == nil {
			return "", "", 0, fault.Field("chunk_retention", "is required for an immutable device: 0 to %d periods of a %s", most, *period)
		}
		if *retention < 0 || *retention > most {
			return "", "", 0, fault.Field("chunk_retention", "must be 0 to %d for chunks of a %s", most, *period)
		}
		return Immutable, *period, *retention, nil
	case "hybrid", "legacy":
		return "", "", 0, fault.Field("type", "%q is not available here: choose mutable (editable, up to 50,000 points) or immutable (chunks with retention)", t)
	}
	return "", "", 0, fault.Field("type", "must be mutable or immutable")
}

// Update is a change of a device; what is absent stays as it is.
type Update struct {
	Name           *string         `json:"name"`
	Description    web.Opt[string] `json:"description"`
	Type           *Type           `json:"type"`
	ChunkPeriod    *Period         `json:"chunk_period"`
	ChunkRetention *int64          `json:"chunk_retention"`
	Connector      web.Opt[string] `json:"connector"`
	Network        web.Opt[string] `json:"network"`
	Active         *bool           `json:"active"`
	Visible        *bool           `json:"visible"`
	Tags           *[]Tag          `json:"tags"`
	PayloadDecoder web.Opt[string] `json:"payload_decoder"`
	RPM            web.Opt[RPM]    `json:"rpm"`
}

// Validate checks the shape of the change.
func (u Update) Validate() error {
	if u.Name != nil {
		if err := check.Line("name", *u.Name, 1, maxName); err != nil {
			return err
		}
	}
	if err := check.Prose("description", u.Description.Value, maxText); err != nil {
		return err
	}
	if u.Connector.Set != u.Network.Set {
		lone := "connector"
		if u.Network.Set {
			lone = "network"
		}
		return fault.Field(lone, "connector and network are changed together only")
	}
	if err := hexID("connector", u.Connector.Value); err != nil {
		return err
	}
	if err := hexID("network", u.Network.Value); err != nil {
		return err
	}
	if u.Tags != nil {
		if err := tag.Check("device", *u.Tags); err != nil {
			return err
		}
	}
	if err := decoder(u.PayloadDecoder.Value); err != nil {
		return err
	}
	return u.RPM.Ptr().Check()
}

// apply changes d, or says which change a device does not allow.
func (u Update) apply(d *Device) error {
	if u.Type != nil && *u.Type != d.Type {
		return fault.Field("type", "cannot be edited; POST /device/{id}/convert changes it while the device is inactive and empty")
	}
	if u.ChunkPeriod != nil && *u.ChunkPeriod != d.ChunkPeriod {
		return fault.Field("chunk_period", "cannot be edited; POST /device/{id}/convert changes it while the device is inactive and empty")
	}
	if u.ChunkRetention != nil {
		if d.Type == Mutable && *u.ChunkRetention != 0 {
			return fault.Field("chunk_retention", "is for immutable devices")
		}
		if d.Type == Immutable {
			if _, _, _, err := storage(d.Type, &d.ChunkPeriod, u.ChunkRetention); err != nil {
				return err
			}
			d.ChunkRetention = *u.ChunkRetention
		}
	}
	set(&d.Name, u.Name)
	set(&d.Active, u.Active)
	set(&d.Visible, u.Visible)
	setText(&d.Description, u.Description)
	setText(&d.Connector, u.Connector)
	setText(&d.Network, u.Network)
	setText(&d.PayloadDecoder, u.PayloadDecoder)
	if u.Tags != nil {
		d.Tags = *u.Tags
	}
	if u.RPM.Set {
		d.RPMInput, d.RPMOutput = u.RPM.Ptr().Values()
	}
	return nil
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

func setText(to *string, v web.Opt[string]) {
	if v.Set {
		*to = v.Or("")
	}
}

// check judges a parameter; a new one needs a key and a value.
func (p ParamInput) check(at string, fresh bool) error {
	if fresh || p.Key != nil {
		if err := check.Line(at+".key", value(p.Key), 1, maxKey); err != nil {
			return err
		}
	}
	if fresh && p.Value == nil {
		return fault.Field(at+".value", "is required")
	}
	v := value(p.Value)
	if len(v) > maxValue {
		return fault.Field(at+".value", "must have at most %d bytes, has %d", maxValue, len(v))
	}
	return check.Clean(at+".value", v)
}

func index(i int) string {
	if i < 10 {
		return "[" + string(rune('0'+i)) + "]"
	}
	return "[" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "]"
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func hexID(field, s string) error {
	if s != "" && !id.Valid(s) {
		return fault.Field(field, "must be an id: 24 lower-case hex characters")
	}
	return nil
}

func decoder(s string) error {
	if len(s) > maxDecoder {
		return fault.Field("payload_decoder", "must have at most %d bytes, has %d", maxDecoder, len(s))
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return fault.Field("payload_decoder", "must be base64")
	}
	return nil
}
