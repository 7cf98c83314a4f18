package device

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// Bounds of what is done with many devices at once.
const (
	maxBulk   = 1000 // devices of a request
	bulkTx    = 20   // of a transaction
	bulkShare = 40   // of a round that one device takes
)

// What can be done with many devices.
const (
	bulkActivate   = "activate"
	bulkDeactivate = "deactivate"
	bulkTag        = "tag"   // adds a tag that is not there
	bulkUntag      = "untag" // removes tags, by key or by key and value
	bulkEmpty      = "empty"
	bulkDelete     = "delete"
)

type bulkIn struct {
	List   web.List // the filter of GET /device
	Serial string   `query:"serial"`
	Action string   `json:"action" enum:"activate,deactivate,tag,untag,empty,delete" required:"true"`
	IDs    []string `json:"ids" description:"at most 1,000; instead of a filter in the address"`
	All    bool     `json:"all" description:"every device, instead of ids and a filter"`
	Key    string   `json:"key" description:"of the tag"`
	Value  *string  `json:"value" description:"of the tag; untag without one removes all tags of the key"`
	After  string   `json:"after" description:"go on behind this device: next of the answer before"`
	Amount int      `json:"amount" description:"most devices of this request, 1 to 1,000; 100 when not given"`
	DryRun bool     `json:"dry_run" description:"only say which devices and points are meant"`
}

// BulkRow is what became of one device.
type BulkRow struct {
	ID     id.Device `json:"id"`
	Name   string    `json:"name"`
	Done   bool      `json:"done"`
	Reason *string   `json:"reason"` // why not
}

// BulkResult is what became of the devices of a request. Those that failed are as they were.
type BulkResult struct {
	Matched *int64     `json:"matched"` // devices that are meant; of the first request and of a dry run
	Points  *int64     `json:"points"`  // that they hold; of a dry run, when they are at most 1,000
	Devices []BulkRow  `json:"devices"` // of this request, in the order of their ids
	Next    *id.Device `json:"next"`    // where to go on; null when all are done
}

// Validate checks the shape of the request.
func (in bulkIn) Validate() error {
	ways := 0
	for _, given := range []bool{len(in.IDs) > 0, in.All, len(in.List.Filter.Keys()) > 0 || in.Serial != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return fault.Field("ids", "say which devices: ids, a filter in the address as for GET /device, or all")
	case ways > 1:
		return fault.Field("ids", "ids, a filter and all exclude each other")
	case len(in.IDs) > maxBulk:
		return fault.Field("ids", "must have at most %d entries, has %d", maxBulk, len(in.IDs))
	case in.Amount < 0 || in.Amount > maxBulk:
		return fault.Field("amount", "must be 1 to %d", maxBulk)
	case in.After != "" && !id.Valid(in.After):
		return fault.Field("after", "must be an id: 24 lower-case hex characters")
	}
	for i, d := range in.IDs {
		if !id.Valid(d) {
			return fault.Field(fmt.Sprintf("ids[%d]", i), "must be an id: 24 lower-case hex characters")
		}
	}
	switch in.Action {
	case bulkActivate, bulkDeactivate, bulkEmpty, bulkDelete:
	case bulkTag, bulkUntag:
		if err := check.Line("key", in.Key, 1, 100); err != nil {
			return err
		}
		return check.Prose("value", value(in.Value), 1000)
	default:
		return fault.Field("action", "must be activate, deactivate, tag, untag, empty or delete")
	}
	return nil
}

// bulkRoute does one thing with many devices, as the route for one of them does it: each either whole or not at all, with
// its own event in the audit log.
func (s *Service) bulkRoute(ctx context.Context, who auth.Caller, in bulkIn) (BulkResult, error) {
	none := BulkResult{}
	if in.Action == bulkEmpty || in.Action == bulkDelete {
		if has := who.May(); has != auth.Full {
			return none, auth.LacksPermission(has, auth.Full)
		}
	}
	p := who.ProfileID
	amount := in.Amount
	if amount == 0 {
		amount = 100
	}
	ids := slices.Clone(in.IDs)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	where := func() (*sqldb.Where, error) {
		w := sqldb.NewWhere("profile_id = ?", p)
		if err := s.filter(ctx, w, who, in.List.Filter, in.Serial); err != nil {
			return nil, err
		}
		if len(ids) > 0 {
			sqldb.In(w, "id", ids)
		}
		return w, nil
	}
	out := BulkResult{Devices: []BulkRow{}}
	if in.After == "" {
		w, err := where()
		if err != nil {
			return none, err
		}
		var n int64
		if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM device`+w.SQL(), w.Args()...).Scan(&n); err != nil {
			return none, fmt.Errorf("count devices: %w", err)
		}
		out.Matched = &n
		if in.DryRun {
			amount = maxBulk
		}
	}
	w, err := where()
	if err != nil {
		return none, err
	}
	if in.After != "" {
		w.And("id > ?", in.After)
	}
	limit := w.Arg(int64(amount) + 1)
	named, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (n Named, err error) { return n, r.Scan(&n.ID, &n.Name) },
		`SELECT id, name FROM device`+w.SQL()+` ORDER BY id LIMIT `+limit, w.Args()...)
	if err != nil {
		return none, fmt.Errorf("find the devices that are meant: %w", err)
	}
	if len(named) > amount {
		named = named[:amount]
		out.Next = &named[amount-1].ID
	}
	if in.DryRun {
		if out.Next == nil && in.After == "" {
			all := make([]id.Device, len(named))
			for i, n := range named {
				all[i] = n.ID
			}
			points, err := s.points(ctx, p, all)
			if err != nil {
				return none, err
			}
			out.Points = &points
		}
		out.Next = nil
		return out, nil
	}
	for part := range slices.Chunk(named, bulkTx) {
		if err := ctx.Err(); err != nil {
			return none, err
		}
		rows, err := s.bulkPart(ctx, who, in, part)
		if err != nil {
			return none, err
		}
		out.Devices = append(out.Devices, rows...)
	}
	if len(ids) > 0 && in.After == "" && out.Next == nil { // also those that are not there
		found := make(map[string]bool, len(named))
		for _, n := range named {
			found[string(n.ID)] = true
		}
		for _, d := range ids {
			if !found[d] {
				out.Devices = append(out.Devices, BulkRow{ID: id.Device(d), Reason: maybe(errNotFound.Message)})
			}
		}
	}
	return out, nil
}

// bulkPart does it with a few devices in one transaction, and one by one when something stands against it.
func (s *Service) bulkPart(ctx context.Context, who auth.Caller, in bulkIn, part []Named) ([]BulkRow, error) {
	rows := make([]BulkRow, len(part))
	err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, who.ProfileID), bulkShare*len(part)), func(ctx context.Context) error {
		for i, n := range part {
			rows[i] = BulkRow{ID: n.ID, Name: n.Name, Done: true}
			if err := s.bulkOne(ctx, who, in, n.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return rows, nil
	}
	if f := fault.Of(err); f.Status() >= 500 {
		return nil, err
	}
	if len(part) == 1 {
		rows[0].Done, rows[0].Reason = false, &fault.Of(err).Message
		return rows, nil
	}
	rows = rows[:0]
	for i := range part {
		one, err := s.bulkPart(ctx, who, in, part[i:i+1])
		if err != nil {
			return nil, err
		}
		rows = append(rows, one...)
	}
	return rows, nil
}

// bulkOne does it with one device, in the transaction of ctx. What is so already is left alone.
func (s *Service) bulkOne(ctx context.Context, who auth.Caller, in bulkIn, d id.Device) error {
	p := who.ProfileID
	switch in.Action {
	case bulkDelete:
		return s.Delete(ctx, who, p, d)
	case bulkEmpty:
		return s.empty(ctx, who, p, d)
	}
	dev, err := s.Get(ctx, who, p, d)
	if err != nil {
		return err
	}
	var u Update
	switch in.Action {
	case bulkActivate, bulkDeactivate:
		if on := in.Action == bulkActivate; dev.Active != on {
			u.Active = &on
		}
	case bulkTag:
		if t := (Tag{Key: in.Key, Value: value(in.Value)}); !slices.Contains(dev.Tags, t) {
			tags := append(dev.Tags, t)
			u.Tags = &tags
		}
	case bulkUntag:
		tags := slices.DeleteFunc(slices.Clone(dev.Tags), func(t Tag) bool {
			return t.Key == in.Key && (in.Value == nil || t.Value == *in.Value)
		})
		if len(tags) < len(dev.Tags) {
			u.Tags = &tags
		}
	}
	if u.Active == nil && u.Tags == nil {
		return nil
	}
	return s.Update(ctx, who, p, d, u)
}
