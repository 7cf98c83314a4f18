package device

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/tag"
	"paddock/internal/token"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	table := web.Handle("POST /device/import", "Create devices from a table (CSV), all or none, or say what is wrong with it.", auth.InProfile, s.importRoute, web.Upload(maxImport))
	table.Out = reflect.TypeFor[ImportReport]()
	return []web.Route{
		web.Handle("GET /device", "List the devices of the profile.", auth.InProfile, s.listRoute),
		web.Handle("POST /device", "Create a device with its first token.", auth.InProfile, s.createRoute, web.Status(201)),
		web.Handle("POST /device/bulk", "Do one thing with many devices: activate, deactivate, tag, untag, empty or delete them.", auth.InProfile, s.bulkRoute),
		table,
		web.Handle("GET /device/{id}", "Show a device.", auth.InProfile, s.getRoute),
		web.Handle("PUT /device/{id}", "Edit a device; what is absent stays as it is.", auth.InProfile, s.updateRoute),
		web.Handle("DELETE /device/{id}", "Delete a device with its tokens and data.", auth.InProfile, s.deleteRoute),
		web.Handle("POST /device/{id}/convert", "Change the type of a device that is inactive and empty.", auth.InProfile, s.convertRoute),
		web.Handle("GET /device/{id}/params", "List a device's configuration parameters.", auth.InProfile, s.paramsRoute),
		web.Handle("POST /device/{id}/params", "Make configuration parameters, or change those given by id.", auth.InProfile, s.setParamsRoute),
		web.Handle("DELETE /device/{id}/params/{param}", "Delete a configuration parameter.", auth.InProfile, s.deleteParamRoute),
		web.Handle("GET /device/{id}/requests", "List the last requests a device made, refused ones included.", auth.InProfile, s.requestsRoute),
		web.Handle("GET /profile/{id}/refused", "List the last requests that came with revoked or expired tokens of a profile.", auth.InProfile, s.refusedRoute),
		web.Handle("GET /device/token/{id}", "List the tokens of a device.", auth.InProfile, s.tokensRoute),
		web.Handle("POST /device/token", "Make another token of a device.", auth.InProfile, s.createTokenRoute, web.Status(201)),
		web.Handle("DELETE /device/token/{token}", "Revoke a device token.", auth.InProfile, s.deleteTokenRoute),
		web.Handle("GET /device/params", "A device lists its own configuration parameters.", auth.OfDevice, s.ownParamsRoute),
		web.Handle("PUT /device/params/{id}", "A device marks one of its configuration parameters.", auth.OfDevice, s.setOwnParamRoute),
		web.Handle("GET /bucket", "List the buckets of the profile: its devices, by their older name.", auth.InProfile, s.bucketsRoute),
		web.Handle("GET /bucket/{id}", "Show a bucket.", auth.InProfile, s.bucketRoute),
		web.Handle("GET /bucket/{id}/device", "List the device of a bucket.", auth.InProfile, s.bucketDevicesRoute),
	}
}

// nameRef names a bucket, or whatever else has an id and a name.
type nameRef struct {
	ID   id.Device `json:"id"`
	Name string    `json:"name"`
}

// wireRPM is rpm on the wire; null when neither is limited.
type wireRPM struct {
	Input  *int64 `json:"data_input"`
	Output *int64 `json:"data_output"`
}

// Common is what every form of a device on the wire has.
type Common struct {
	ID             id.Device  `json:"id"`
	Profile        id.Profile `json:"profile"`
	Name           string     `json:"name"`
	Description    *string    `json:"description"`
	Active         bool       `json:"active"`
	Visible        bool       `json:"visible"`
	Type           Type       `json:"type"`
	Connector      *string    `json:"connector"`
	Network        *string    `json:"network"`
	Tags           []Tag      `json:"tags"`
	PayloadDecoder *string    `json:"payload_decoder"`
	CreatedAt      web.Time   `json:"created_at"`
	UpdatedAt      web.Time   `json:"updated_at"`
	LastInput      *web.Time  `json:"last_input"`
}

// Chunks are the members that immutable devices have besides.
type Chunks struct {
	Period    *Period `json:"chunk_period,omitempty"`
	Retention *int64  `json:"chunk_retention,omitempty"`
}

// Info is a device as GET /device/{id} shows it.
type Info struct {
	Common
	Bucket nameRef  `json:"bucket"`
	RPM    *wireRPM `json:"rpm"`
	Chunks
}

// row is a device in a list; bucket is an id, or {id, name} with resolveBucketName.
type row struct {
	Common
	Bucket     any       `json:"bucket"`
	LastOutput *web.Time `json:"last_output"`
	RPM        *wireRPM  `json:"rpm"`
	Chunks
}

// self is what a device token is told by GET /info.
type self struct {
	Common
	Bucket      nameRef   `json:"bucket"`
	LastOutput  *web.Time `json:"last_output"`
	InspectedAt *web.Time `json:"inspected_at"`
	Chunks
}

func commonOf(d Device) Common {
	return Common{ID: d.ID, Profile: d.Profile, Name: d.Name, Description: maybe(d.Description), Active: d.Active, Visible: d.Visible, Type: d.Type,
		Connector: maybe(d.Connector), Network: maybe(d.Network), Tags: d.Tags, PayloadDecoder: maybe(d.PayloadDecoder),
		CreatedAt: web.Millis(d.CreatedAt), UpdatedAt: web.Millis(d.UpdatedAt), LastInput: token.Maybe(d.LastInput)}
}

func chunksOf(d Device) Chunks {
	if d.Type != Immutable {
		return Chunks{}
	}
	return Chunks{&d.ChunkPeriod, &d.ChunkRetention}
}

func rpmOf(d Device) *wireRPM {
	if d.RPMInput == 0 && d.RPMOutput == 0 {
		return nil
	}
	return &wireRPM{maybe(d.RPMInput), maybe(d.RPMOutput)}
}

// maybe is null for the zero value.
func maybe[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

type listIn struct {
	List          web.List
	Serial        string `query:"serial"`
	TagoCore      string `query:"tcore"`
	BucketName    bool   `query:"resolveBucketName"`
	ConnectorName bool   `query:"resolveConnectorName"` // connectors have no names here: the id stays
}

var orders = map[string]string{"name": "name_key", "id": "id", "active": "active", "visible": "visible", "type": "type", "connector": "connector",
	"network": "network", "last_input": "last_input", "last_output": "last_output", "created_at": "created_at", "updated_at": "updated_at"}

const maxDecoders = 200

func (s *Service) listRoute(ctx context.Context, who auth.Caller, in listIn) ([]map[string]any, error) {
	order, err := in.List.Order(orders, "name_key ASC")
	if err != nil {
		return nil, err
	}
	w := sqldb.NewWhere("profile_id = ?", who.ProfileID)
	if err := s.filter(ctx, w, who, in.List.Filter, in.Serial); err != nil {
		return nil, err
	}
	out := []map[string]any{}
	if in.TagoCore != "" { // devices of an edge server: none here
		return out, nil
	}
	l := in.List
	decoder := slices.Contains(l.Fields, "payload_decoder")
	if decoder {
		l.Cap(maxDecoders)
	}
	if asksMore(l.Fields) {
		l.Cap(maxMore)
	}
	ds, err := s.list(ctx, w, who.ProfileID, order, decoder, l.Limit(), l.Offset())
	if err != nil {
		return nil, err
	}
	more, err := s.more(ctx, who, l.Fields, ds)
	if err != nil {
		return nil, err
	}
	for i := range ds {
		d := &ds[i]
		s.touched.over(d)
		r := row{Common: commonOf(*d), Bucket: d.ID, LastOutput: token.Maybe(d.LastOutput), RPM: rpmOf(*d), Chunks: chunksOf(*d)}
		if in.BucketName {
			r.Bucket = nameRef{d.ID, d.Name}
		}
		m := web.Pick(l.Fields, []string{"id", "tags"}, r)
		if !decoder {
			delete(m, "payload_decoder")
		}
		more.over(d.ID, m)
		out = append(out, m)
	}
	return out, nil
}

const maxFilter = 200 // bytes of a filter's value

// filter adds the conditions of a list to those of a statement that names the caller's profile. An unknown filter is refused, see
// the package comment.
func (s *Service) filter(ctx context.Context, w *sqldb.Where, who auth.Caller, q web.Query, serial string) error {
	p := who.ProfileID
	if err := s.narrow(ctx, w, who, p); err != nil {
		return err
	}
	for _, key := range q.Keys() {
		switch key {
		case "tags":
			if err := tag.Filter(w, q, tagsOf, p); err != nil {
				return err
			}
			continue
		case "id", "bucket":
			ids := q.Strings(key)
			if ids == nil {
				return fault.Field(q.Child(key).Path(), "must be an id or a list of ids")
			}
			sqldb.In(w, "id", ids)
			continue
		case "active", "visible":
			b, err := q.Bool(key)
			if err != nil {
				return err
			}
			if b != nil {
				w.And(key+" = ?", *b)
			}
			continue
		}
		path := q.Child(key).Path()
		v, err := q.Text(key)
		if err != nil {
			return err
		}
		if len(v) > maxFilter {
			return fault.Field(path, "must have at most %d bytes", maxFilter)
		}
		switch key {
		case "name":
			if v != "" {
				w.And(`name_key LIKE ? ESCAPE '\'`, web.Like(strings.ToLower(v)))
			}
		case "search":
			if v != "" {
				s.search(w, p, v)
			}
		case "description":
			w.And(`lower(description) LIKE lower(?) ESCAPE '\'`, web.Like(v))
		case "type":
			w.And(`type LIKE ? ESCAPE '\'`, web.Like(strings.ToLower(v)))
		case "connector", "network":
			w.And(key+` LIKE ? ESCAPE '\'`, web.Like(strings.ToLower(v)))
		case "profile":
			w.And("profile_id = ?", v)
		case "created_at", "updated_at", "last_input", "last_output":
			if err := token.Since(w, key, path, v, s.clk.Now()); err != nil {
				return err
			}
		default:
			return fault.Field(path, "is not a known filter; known are id, name, search, description, active, visible, type, connector, network, bucket, profile, tags, created_at, updated_at, last_input, last_output")
		}
	}
	if serial != "" {
		if len(serial) > maxFilter {
			return fault.Field("serial", "must have at most %d bytes", maxFilter)
		}
		ids, err := s.tokens.DevicesBySerial(ctx, p, web.Like(serial))
		if err != nil {
			return err
		}
		sqldb.In(w, "id", ids)
	}
	return nil
}

func (s *Service) createRoute(ctx context.Context, who auth.Caller, in CreateInput) (map[string]any, error) {
	c, err := s.Create(ctx, who, who.ProfileID, in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"device_id": c.ID, "deviceID": c.ID, "bucket_id": c.ID, "token": c.Token}, nil
}

// Ref is a device named in the path.
type Ref struct {
	ID id.Device `path:"id"`
}

func (s *Service) getRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	TagoCore string `query:"tcore"`
}) (Info, error) {
	if in.TagoCore != "" {
		return Info{}, errNotFound
	}
	d, err := s.Get(ctx, who, who.ProfileID, in.ID)
	if err != nil {
		return Info{}, err
	}
	return Info{Common: commonOf(d), Bucket: nameRef{d.ID, d.Name}, RPM: rpmOf(d), Chunks: chunksOf(d)}, nil
}

// info answers GET /info for a device token.
func (s *Service) info(ctx context.Context, who auth.Caller) (any, error) {
	d, err := s.Get(ctx, who, who.ProfileID, who.DeviceID)
	if err != nil {
		return nil, err
	}
	return self{Common: commonOf(d), Bucket: nameRef{d.ID, d.Name}, LastOutput: token.Maybe(d.LastOutput), Chunks: chunksOf(d)}, nil
}

func (s *Service) updateRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Update
}) (string, error) {
	if err := s.Update(ctx, who, who.ProfileID, in.ID, in.Update); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

func (s *Service) deleteRoute(ctx context.Context, who auth.Caller, in Ref) (string, error) {
	if err := s.Delete(ctx, who, who.ProfileID, in.ID); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

func (s *Service) convertRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Type      Type    `json:"type"`
	Period    *Period `json:"chunk_period"`
	Retention *int64  `json:"chunk_retention"`
}) (string, error) {
	if err := s.Convert(ctx, who, who.ProfileID, in.ID, in.Type, in.Period, in.Retention); err != nil {
		return "", err
	}
	return "Device type/chunk was converted", nil
}

func (s *Service) paramsRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Sent *bool `query:"sent_status"`
}) ([]Param, error) {
	return s.Params(ctx, who, who.ProfileID, in.ID, in.Sent)
}

// paramList is one parameter or a list of them.
type paramList []ParamInput

// UnmarshalJSONFrom reads an object or an array of them.
func (l *paramList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]ParamInput)(l))
	}
	var one ParamInput
	if err := json.UnmarshalDecode(dec, &one); err != nil {
		return err
	}
	*l = paramList{one}
	return nil
}

func (s *Service) setParamsRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Params paramList `body:"json"`
}) (string, error) {
	if err := s.SetParams(ctx, who, who.ProfileID, in.ID, in.Params); err != nil {
		return "", err
	}
	return "Params Successfully Updated", nil
}

func (s *Service) deleteParamRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	Param id.Param `path:"param"`
}) (string, error) {
	if err := s.DeleteParam(ctx, who, who.ProfileID, in.ID, in.Param); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

func (s *Service) ownParamsRoute(ctx context.Context, who auth.Caller, in struct {
	Sent *bool `query:"sent_status"`
}) ([]Param, error) {
	return s.Params(ctx, who, who.ProfileID, who.DeviceID, in.Sent)
}

func (s *Service) setOwnParamRoute(ctx context.Context, who auth.Caller, in struct {
	Param id.Param `path:"id"`
	Sent  *bool    `json:"sent"`
}) (string, error) {
	if in.Sent == nil {
		return "", fault.Field("sent", "is required: true or false")
	}
	if err := s.SetParams(ctx, who, who.ProfileID, who.DeviceID, []ParamInput{{ID: in.Param, Sent: in.Sent}}); err != nil {
		return "", err
	}
	return "Params Successfully Updated", nil
}

// requestRow is a request in a list.
type requestRow struct {
	Time      web.Time   `json:"time"`
	Method    string     `json:"method"`
	Path      string     `json:"path"`
	Address   string     `json:"address"`
	Device    *id.Device `json:"device"`
	Token     string     `json:"token"` // last four characters
	TokenName string     `json:"token_name"`
	TokenDead *string    `json:"token_state"` // revoked, expired or withdrawn; null while it lives
	Verdict   string     `json:"verdict"`     // accepted, refused
	Status    int        `json:"status"`
	Reason    *string    `json:"reason"`
	Body      string     `json:"body"` // first 2 kB
	Size      int64      `json:"size"` // bytes of the whole body
}

func requestRows(rs []Request) []requestRow {
	out := make([]requestRow, 0, len(rs))
	for _, r := range rs {
		v := requestRow{Time: web.Millis(r.At), Method: r.Method, Path: r.Path, Address: r.Addr, Device: maybe(r.device), Token: r.Tail, TokenName: r.TokenName,
			TokenDead: maybe(r.Dead), Verdict: "accepted", Status: r.Status, Reason: maybe(r.Reason), Body: r.Body, Size: r.Size}
		if r.Refused() {
			v.Verdict = "refused"
		}
		out = append(out, v)
	}
	return out
}

func (s *Service) requestsRoute(ctx context.Context, who auth.Caller, in Ref) ([]requestRow, error) {
	rs, err := s.Requests(ctx, who, who.ProfileID, in.ID)
	if err != nil {
		return nil, err
	}
	return requestRows(rs), nil
}

func (s *Service) refusedRoute(ctx context.Context, who auth.Caller, in struct {
	Profile string `path:"id"`
}) ([]requestRow, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.Profile, auth.Viewer)
	if err != nil {
		return nil, err
	}
	rs, err := s.Refused(ctx, who, p.ID)
	if err != nil {
		return nil, err
	}
	return requestRows(rs), nil
}

func (s *Service) tokensRoute(ctx context.Context, who auth.Caller, in struct {
	Ref
	List web.List
}) ([]map[string]any, error) {
	if _, err := s.View(ctx, who, who.ProfileID, in.ID); err != nil {
		return nil, err
	}
	return s.tokens.ListDevice(ctx, who, who.ProfileID, in.ID, in.List)
}

func (s *Service) createTokenRoute(ctx context.Context, who auth.Caller, in struct {
	Device     id.Device       `json:"device"`
	Name       string          `json:"name"`
	Permission auth.Permission `json:"permission"`
	Expire     web.Opt[string] `json:"expire_time"`
	Serial     *string         `json:"serie_number"`
	Code       *string         `json:"verification_code"`
}) (map[string]any, error) {
	if in.Device == "" {
		return nil, fault.Field("device", "is required")
	}
	if in.Permission == "" {
		return nil, fault.Field("permission", "is required: full, read, write or deny")
	}
	expires, err := token.Expiry(in.Expire, s.clk.Now(), nil)
	if err != nil {
		return nil, err
	}
	var t token.Minted
	err = s.db.Tx(sqldb.As(ctx, who.ProfileID), func(ctx context.Context) error {
		if _, err := s.locked(ctx, who, who.ProfileID, in.Device); err != nil {
			return err
		}
		var err error
		t, err = s.tokens.CreateDevice(ctx, who, who.ProfileID, in.Device, token.DeviceInput{Name: in.Name, Permission: in.Permission,
			Expires: expires, Serial: value(in.Serial), Code: value(in.Code)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"token": t.Token, "name": t.Name, "permission": t.Permission,
		"expire_date": token.Expires(t.ExpiresAt), "expire_time": token.Expires(t.ExpiresAt)}, nil
}

func (s *Service) deleteTokenRoute(ctx context.Context, who auth.Caller, in struct {
	Token string `path:"token"`
}) (string, error) {
	err := s.db.Tx(sqldb.As(ctx, who.ProfileID), func(ctx context.Context) error {
		t, err := s.tokens.DeleteDeviceToken(ctx, who, who.ProfileID, in.Token)
		if err != nil {
			return err
		}
		if err := s.May(ctx, who, who.ProfileID, t.Device); fault.Is(err, fault.NotFound) {
			return token.NotFound // and undone
		} else if err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return "Token Successfully Removed", nil
}

// bucket is a device by its older name.
type bucket struct {
	ID            id.Device  `json:"id"`
	Name          string     `json:"name"`
	Description   *string    `json:"description"`
	Profile       id.Profile `json:"profile"`
	Visible       bool       `json:"visible"`
	Type          Type       `json:"type"`
	Tags          []Tag      `json:"tags"`
	Retention     string     `json:"data_retention"`
	LastRetention *web.Time  `json:"last_retention"`
	CreatedAt     web.Time   `json:"created_at"`
	UpdatedAt     web.Time   `json:"updated_at"`
	Chunks
}

func bucketOf(d Device) bucket {
	b := bucket{ID: d.ID, Name: d.Name, Description: maybe(d.Description), Profile: d.Profile, Visible: d.Visible, Type: d.Type, Tags: d.Tags,
		Retention: "forever", CreatedAt: web.Millis(d.CreatedAt), UpdatedAt: web.Millis(d.UpdatedAt), Chunks: chunksOf(d)}
	if d.Type == Immutable {
		b.Retention = fmt.Sprintf("%d %s", d.ChunkRetention, d.ChunkPeriod)
	}
	return b
}

func (s *Service) bucketsRoute(ctx context.Context, who auth.Caller, in struct{ List web.List }) ([]map[string]any, error) {
	order, err := in.List.Order(orders, "name_key ASC")
	if err != nil {
		return nil, err
	}
	w := sqldb.NewWhere("profile_id = ?", who.ProfileID)
	if err := s.filter(ctx, w, who, in.List.Filter, ""); err != nil {
		return nil, err
	}
	ds, err := s.list(ctx, w, who.ProfileID, order, false, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(ds))
	for _, d := range ds {
		out = append(out, web.Pick(in.List.Fields, []string{"id", "tags"}, bucketOf(d)))
	}
	return out, nil
}

func (s *Service) bucketRoute(ctx context.Context, who auth.Caller, in Ref) (bucket, error) {
	d, err := s.Get(ctx, who, who.ProfileID, in.ID)
	return bucketOf(d), err
}

func (s *Service) bucketDevicesRoute(ctx context.Context, who auth.Caller, in Ref) ([]nameRef, error) {
	d, err := s.Get(ctx, who, who.ProfileID, in.ID)
	if err != nil {
		return nil, err
	}
	return []nameRef{{d.ID, d.Name}}, nil
}
