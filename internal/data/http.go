package data

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/web"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /data", "A device reads its data.", auth.OfDevice, s.ownQuery),
		web.Handle("POST /data", "A device sends data: one point or a list.", auth.OfDevice, s.ownStore),
		web.Handle("PUT /data", "A device edits its data by id.", auth.OfDevice, s.ownEdit),
		web.Handle("DELETE /data", "A device deletes the data that a query finds.", auth.OfDevice, s.ownDelete),
		web.Handle("GET /device/{id}/data", "Read the data of a device.", auth.InProfile, s.queryRoute),
		web.Handle("POST /device/{id}/data", "Send data for a device: one point or a list.", auth.InProfile, s.storeRoute),
		web.Handle("PUT /device/{id}/data", "Edit data of a device by id.", auth.InProfile, s.editRoute),
		web.Handle("DELETE /device/{id}/data", "Delete the data of a device that a query finds.", auth.InProfile, s.deleteRoute),
		web.Handle("GET /device/{id}/data_amount", "How many points a device holds.", auth.InProfile, s.amountRoute),
		web.Handle("POST /device/{id}/empty", "Delete all data of a device.", auth.InProfile.Deleting(), s.emptyRoute),
		web.Handle("GET /device/{id}/chunk", "List the chunks of an immutable device.", auth.InProfile, s.chunksRoute),
		web.Handle("DELETE /device/{id}/chunk/{chunk}", "Delete a chunk of an immutable device.", auth.InProfile, s.deleteChunkRoute),
		web.Handle("GET /bucket/{id}/data_amount", "How many points a bucket holds: its device's, by its older name.", auth.InProfile, s.amountRoute),
		web.Handle("GET /bucket/{id}/variable", "List the variables of a bucket.", auth.InProfile, s.variablesRoute),
	}
}

// Answer is what a data query gives: rows, or a bare number for count, sum and avg.
type Answer struct{ json jsontext.Value }

// JSON is the answer as it goes out.
func (a Answer) JSON() []byte { return a.json }

// JSONSchemaOneOf tells the API document what an answer may be.
func (Answer) JSONSchemaOneOf() []any { return []any{[]Row{}, float64(0)} }

// Row is a point on the wire. What a point does not have is left out; rows of an aggregate have time, value
// and variable only.
type Row struct {
	ID        string    `json:"id,omitempty" description:"24 hex characters, opaque"`
	Device    id.Device `json:"device,omitempty"`
	Variable  string    `json:"variable"`
	Value     any       `json:"value,omitempty" description:"a text, a number or a boolean"`
	Unit      string    `json:"unit,omitempty"`
	Group     string    `json:"group,omitempty"`
	Location  *Location `json:"location,omitempty"`
	Metadata  any       `json:"metadata,omitempty" description:"an object or an array"`
	Time      web.Time  `json:"time"`
	CreatedAt *web.Time `json:"created_at,omitempty" description:"with details=true only"`
}

// Location is a GeoJSON point.
type Location struct {
	Type        string    `json:"type"`
	Coordinates []float64 `json:"coordinates" description:"[lng, lat]"`
}

// find are the parameters of a data query. They are read together, since the meaning of one depends on others.
type find struct {
	Query web.Query `query:"*" description:"variables, groups, ids, values, start_date, end_date, timezone, qty, skip, ordination, details, query, interval, function, value"`
}

type findIn struct {
	ID id.Device `path:"id"`
	find
}

type body struct {
	Body    []byte `body:"json" description:"one point or a list: {variable, value?, unit?, group?, time?, location?, metadata?}"`
	Request *web.Request
}

type bodyIn struct {
	ID id.Device `path:"id"`
	body
}

type deviceIn struct {
	ID id.Device `path:"id"`
}

type chunkIn struct {
	ID    id.Device `path:"id"`
	Chunk string    `path:"chunk" description:"<unix seconds>_<unix seconds>"`
}

func (s *Service) ownQuery(ctx context.Context, who auth.Caller, in find) (Answer, error) {
	return s.query(ctx, who, who.DeviceID, in)
}

func (s *Service) queryRoute(ctx context.Context, who auth.Caller, in findIn) (Answer, error) {
	return s.query(ctx, who, in.ID, in.find)
}

func (s *Service) query(ctx context.Context, who auth.Caller, d id.Device, in find) (Answer, error) {
	q, err := parseQuery(in.Query, s.clock.Now())
	if err != nil {
		return Answer{}, err
	}
	return s.Query(ctx, who, who.ProfileID, d, q)
}

func (s *Service) ownStore(ctx context.Context, who auth.Caller, in body) (string, error) {
	return s.send(ctx, who, who.DeviceID, in)
}

func (s *Service) storeRoute(ctx context.Context, who auth.Caller, in bodyIn) (string, error) {
	return s.send(ctx, who, in.ID, in.body)
}

func (s *Service) send(ctx context.Context, who auth.Caller, d id.Device, in body) (string, error) {
	n, err := s.Store(ctx, who, who.ProfileID, d, in.Body, in.Request.HTTP.Header.Get("Idempotency-Key"))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d Data Added", n), nil
}

func (s *Service) ownEdit(ctx context.Context, who auth.Caller, in body) (string, error) {
	return s.change(ctx, who, who.DeviceID, in)
}

func (s *Service) editRoute(ctx context.Context, who auth.Caller, in bodyIn) (string, error) {
	return s.change(ctx, who, in.ID, in.body)
}

func (s *Service) change(ctx context.Context, who auth.Caller, d id.Device, in body) (string, error) {
	n, err := s.Edit(ctx, who, who.ProfileID, d, in.Body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d item(s) updated", n), nil
}

func (s *Service) ownDelete(ctx context.Context, who auth.Caller, in find) (string, error) {
	return s.erase(ctx, who, who.DeviceID, in)
}

func (s *Service) deleteRoute(ctx context.Context, who auth.Caller, in findIn) (string, error) {
	return s.erase(ctx, who, in.ID, in.find)
}

func (s *Service) erase(ctx context.Context, who auth.Caller, d id.Device, in find) (string, error) {
	q, err := parseQuery(in.Query, s.clock.Now())
	if err != nil {
		return "", err
	}
	n, err := s.Delete(ctx, who, who.ProfileID, d, q)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d Data Removed", n), nil
}

func (s *Service) amountRoute(ctx context.Context, who auth.Caller, in deviceIn) (int64, error) {
	return s.Amount(ctx, who, who.ProfileID, in.ID)
}

func (s *Service) emptyRoute(ctx context.Context, who auth.Caller, in deviceIn) (string, error) {
	if err := s.Empty(ctx, who, who.ProfileID, in.ID); err != nil {
		return "", err
	}
	return "Data Successfully Removed", nil
}

// ChunkRow is a chunk on the wire.
type ChunkRow struct {
	ID     string   `json:"id" description:"<unix seconds>_<unix seconds>"`
	From   web.Time `json:"from"`
	To     web.Time `json:"to"`
	Amount int64    `json:"amount"`
}

func (s *Service) chunksRoute(ctx context.Context, who auth.Caller, in deviceIn) ([]ChunkRow, error) {
	list, err := s.Chunks(ctx, who, who.ProfileID, in.ID)
	out := make([]ChunkRow, len(list))
	for i, c := range list {
		out[i] = ChunkRow{ID: c.ID, From: web.Time(c.From), To: web.Time(c.To), Amount: c.Amount}
	}
	return out, err
}

func (s *Service) deleteChunkRoute(ctx context.Context, who auth.Caller, in chunkIn) (string, error) {
	if err := s.DeleteChunk(ctx, who, who.ProfileID, in.ID, in.Chunk); err != nil {
		return "", err
	}
	return fmt.Sprintf("Chunk %s deleted", in.Chunk), nil
}

type variablesIn struct {
	ID         id.Device `path:"id"`
	Amount     bool      `query:"amount" description:"count the points of each"`
	OriginName bool      `query:"resolveOriginName" description:"add the device's name"`
}

// VariableRow is a variable of a bucket on the wire; origin is the device.
type VariableRow struct {
	Variable   string    `json:"variable"`
	Origin     id.Device `json:"origin"`
	OriginName *string   `json:"origin_name,omitempty"`
	Amount     *int64    `json:"amount,omitempty"`
}

func (s *Service) variablesRoute(ctx context.Context, who auth.Caller, in variablesIn) ([]VariableRow, error) {
	list, err := s.Variables(ctx, who, who.ProfileID, in.ID, in.Amount)
	if err != nil {
		return nil, err
	}
	var name *string
	if in.OriginName {
		d, err := s.devices.Get(ctx, who, who.ProfileID, in.ID)
		if err != nil {
			return nil, err
		}
		name = &d.Name
	}
	out := make([]VariableRow, len(list))
	for i, v := range list {
		out[i] = VariableRow{Variable: v.Name, Origin: in.ID, OriginName: name}
		if in.Amount {
			out[i].Amount = &v.Points
		}
	}
	return out, nil
}
