package device

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

// Record is a device as a profile's archive keeps it (docs/archive.md): everything but its points, its tokens and what it
// asked lately.
type Record struct {
	ID             id.Device `json:"id"`
	Name           string    `json:"name"`
	Description    string    `json:"description,omitzero"`
	Type           Type      `json:"type"`
	ChunkPeriod    Period    `json:"chunk_period,omitzero"`
	ChunkRetention int64     `json:"chunk_retention,omitzero"`
	Connector      string    `json:"connector,omitzero"`
	Network        string    `json:"network,omitzero"`
	Active         bool      `json:"active"`
	Visible        bool      `json:"visible"`
	PayloadDecoder string    `json:"payload_decoder,omitzero"`
	RPM            *RPM      `json:"rpm,omitzero"`
	Tags           []Tag     `json:"tags"`
	Params         []Param   `json:"params"` // in the order they were made
	LastInput      *web.Time `json:"last_input,omitzero"`
	LastOutput     *web.Time `json:"last_output,omitzero"`
	CreatedAt      web.Time  `json:"created_at"`
	UpdatedAt      web.Time  `json:"updated_at"`
}

// Check returns Invalid for a record that could not be a device here.
func (r Record) Check() error {
	if !id.Valid(string(r.ID)) {
		return fault.Field("id", "must be an id: 24 lower-case hex characters")
	}
	if r.Type != Mutable && r.Type != Immutable {
		return fault.Field("type", "must be mutable or immutable")
	}
	in := CreateInput{Name: r.Name, Description: &r.Description, Type: r.Type, ChunkPeriod: &r.ChunkPeriod, ChunkRetention: &r.ChunkRetention,
		Connector: &r.Connector, Network: &r.Network, Tags: r.Tags, PayloadDecoder: &r.PayloadDecoder, RPM: r.RPM}
	seen := map[id.Param]bool{}
	for i, p := range r.Params {
		if !id.Valid(string(p.ID)) || seen[p.ID] {
			return fault.Field("params"+index(i)+".id", "must be an id that no other parameter of the device has")
		}
		seen[p.ID] = true
		in.Params = append(in.Params, ParamInput{ID: p.ID, Key: &p.Key, Value: &p.Value, Sent: &p.Sent})
	}
	return in.Validate()
}

// exportPage is how many devices are read at once: payload decoders and parameters can make one 400 kB.
const exportPage = 20

// Export yields every device of a profile by id, a page at a time; yield's error ends it. Each page is what the
// database holds when it is read.
func (s *Service) Export(ctx context.Context, p id.Profile, yield func(Record) error) error {
	type row struct {
		device id.Device
		param  Param
	}
	var after id.Device
	for {
		w := sqldb.NewWhere("profile_id = ?", p).And("id > ?", after)
		ds, err := s.list(ctx, w, p, "profile_id", true, exportPage, 0)
		if err != nil {
			return fmt.Errorf("read devices: %w", err)
		}
		if len(ds) == 0 {
			return nil
		}
		after = ds[len(ds)-1].ID
		w = sqldb.NewWhere("profile_id = ?", p)
		ids := make([]id.Device, len(ds))
		for i := range ds {
			ids[i] = ds[i].ID
		}
		sqldb.In(w, "device_id", ids)
		rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
			return x, r.Scan(&x.device, &x.param.ID, &x.param.Key, &x.param.Value, &x.param.Sent)
		}, `SELECT device_id, `+paramColumns+` FROM device_param`+w.SQL()+` ORDER BY device_id, pos, id`, w.Args()...)
		if err != nil {
			return fmt.Errorf("read parameters: %w", err)
		}
		params := map[id.Device][]Param{}
		for _, r := range rows {
			params[r.device] = append(params[r.device], r.param)
		}
		for i := range ds {
			s.touched.over(&ds[i])
			if err := yield(recordOf(ds[i], params[ds[i].ID])); err != nil {
				return err
			}
		}
	}
}

func recordOf(d Device, params []Param) Record {
	r := Record{ID: d.ID, Name: d.Name, Description: d.Description, Type: d.Type, ChunkPeriod: d.ChunkPeriod, ChunkRetention: d.ChunkRetention,
		Connector: d.Connector, Network: d.Network, Active: d.Active, Visible: d.Visible, PayloadDecoder: d.PayloadDecoder, RPM: profile.RPMOf(d.RPMInput, d.RPMOutput),
		Tags: d.Tags, Params: params, CreatedAt: web.Millis(d.CreatedAt), UpdatedAt: web.Millis(d.UpdatedAt)}
	for _, t := range []struct {
		at int64
		to **web.Time
	}{{d.LastInput, &r.LastInput}, {d.LastOutput, &r.LastOutput}} {
		if t.at != 0 {
			v := web.Millis(t.at)
			*t.to = &v
		}
	}
	return r
}

// Import stores devices with their tags and parameters in a profile in the making, in the transaction of ctx; whoever
// publishes the profile counts them. The records have passed Check.
func (s *Service) Import(ctx context.Context, p id.Profile, rs []Record) error {
	for _, r := range rs {
		d := Device{Profile: p, ID: r.ID, Name: r.Name, Description: r.Description, Type: r.Type, ChunkPeriod: r.ChunkPeriod, ChunkRetention: r.ChunkRetention,
			Connector: r.Connector, Network: r.Network, Active: r.Active, Visible: r.Visible, PayloadDecoder: r.PayloadDecoder, Tags: r.Tags,
			LastInput: millis(r.LastInput), LastOutput: millis(r.LastOutput), CreatedAt: millis(&r.CreatedAt), UpdatedAt: millis(&r.UpdatedAt)}
		d.RPMInput, d.RPMOutput = r.RPM.Values()
		if err := s.insert(ctx, d); err != nil {
			return fmt.Errorf("insert a device: %w", err)
		}
		if err := s.insertParams(ctx, p, d.ID, 0, r.Params); err != nil {
			return fmt.Errorf("insert parameters: %w", err)
		}
	}
	return nil
}

func millis(t *web.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Time().UnixMilli()
}
