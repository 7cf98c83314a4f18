package device

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/tag"
	"paddock/internal/token"
)

// Bounds of a table of devices.
const (
	maxImport     = 4 << 20 // bytes
	maxRows       = 1000    // devices: they are made in one transaction
	maxColumns    = 120
	maxComplaints = 200 // that are told; the rest is counted
	previewRows   = 20
)

type importIn struct {
	DryRun  bool   `query:"dry_run" description:"only say what would be made and what is wrong"`
	Format  string `query:"format" enum:"json,csv" description:"csv: the devices that were made as a table with their tokens; a dry run is always answered as json"`
	Request *web.Request
}

// ImportError is one thing that is wrong with a table. Nothing is made while there is any.
type ImportError struct {
	Row    int    `json:"row"`    // line of the file, the header being 1; 0 for the whole
	Column string `json:"column"` // "" for the whole row
	Reason string `json:"reason"`
}

// ImportPreview is a device as it would be made.
type ImportPreview struct {
	Row    int    `json:"row"`
	Name   string `json:"name"`
	Serial string `json:"serial"`
	Type   Type   `json:"type"`
	Active bool   `json:"active"`
	Tags   []Tag  `json:"tags"`
	Params int    `json:"params"`
}

// ImportReport says what a table would make.
type ImportReport struct {
	Rows       int              `json:"rows"`
	Columns    []string         `json:"columns"`
	Errors     []ImportError    `json:"errors"`
	ErrorCount int              `json:"error_count"` // with those that are not told one by one
	Preview    []ImportPreview  `json:"preview"`
	Used       int64            `json:"used"`    // devices of the profile now
	Allowed    int64            `json:"allowed"` // most devices of the profile
	Devices    []ImportedDevice `json:"devices"` // that were made; none in a dry run
}

// ImportedDevice is a device that was made, with its token.
type ImportedDevice struct {
	ID     id.Device `json:"id"`
	Name   string    `json:"name"`
	Serial string    `json:"serial"`
	Token  string    `json:"token"`
}

// importRoute makes devices from a table: all or none. The answer has their tokens, as a table when that is asked for.
func (s *Service) importRoute(ctx context.Context, who auth.Caller, in importIn) (any, error) {
	if in.Format != "" && in.Format != "json" && in.Format != "csv" {
		return nil, fault.Field("format", "must be json or csv")
	}
	text, err := io.ReadAll(in.Request.HTTP.Body)
	if err != nil {
		return nil, err
	}
	t, err := s.readTable(ctx, who, text)
	if err != nil || in.DryRun {
		return t.ImportReport, err
	}
	if t.ErrorCount > 0 {
		e := t.Errors[0]
		at := "body"
		if e.Row > 0 {
			at = fmt.Sprintf("row %d", e.Row)
		}
		if e.Column != "" {
			at += ", " + e.Column
		}
		more := ""
		if t.ErrorCount > 1 {
			more = fmt.Sprintf(", and %d more things are wrong", t.ErrorCount-1)
		}
		return nil, fault.Field(at, "%s%s. No device was made", e.Reason, more).With(t.ImportReport)
	}
	made, err := s.CreateAll(ctx, who, who.ProfileID, t.devices)
	if err != nil {
		return nil, err
	}
	for i, c := range made {
		t.Devices = append(t.Devices, ImportedDevice{ID: c.ID, Name: t.devices[i].Name, Serial: value(t.devices[i].Serial), Token: c.Token})
	}
	if in.Format == "csv" {
		return web.Raw{Status: http.StatusCreated, Type: "text/csv; charset=utf-8", Body: tokenTable(t.Devices), Header: http.Header{
			"Content-Disposition": {`attachment; filename="devices.csv"`}, "Cache-Control": {"no-store"}}}, nil
	}
	return web.Reply{Status: http.StatusCreated, Result: t.ImportReport, Header: http.Header{"Cache-Control": {"no-store"}}}, nil
}

// tokenTable is what was made as a table: id, name, serial, token.
func tokenTable(ds []ImportedDevice) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"id", "name", "serial", "token"}) // a buffer takes everything
	for _, d := range ds {
		w.Write([]string{string(d.ID), web.Cell(d.Name), web.Cell(d.Serial), d.Token})
	}
	w.Flush()
	return b.Bytes()
}

// CreateAll makes devices as Create does, all or none, in one transaction.
func (s *Service) CreateAll(ctx context.Context, who auth.Caller, p id.Profile, ins []CreateInput) ([]Created, error) {
	ds := make([]Device, len(ins))
	params := make([][]Param, len(ins))
	firsts := make([]token.First, len(ins))
	events := make([]audit.Event, len(ins))
	for i, in := range ins {
		var err error
		if ds[i], params[i], err = s.fresh(who, p, in); err != nil {
			return nil, err
		}
		firsts[i] = token.First{Device: ds[i].ID, Serial: value(in.Serial)}
		events[i] = event(ds[i], fmt.Sprintf("Device %q created", ds[i].Name), nil, record(ds[i]))
	}
	out := make([]Created, len(ins))
	err := s.db.Tx(sqldb.Cost(sqldb.As(ctx, p), 10*len(ins)), func(ctx context.Context) error {
		if err := s.usage.Hold(ctx, p, plan.Devices, int64(len(ins))); err != nil {
			return err
		}
		if err := s.insert(ctx, ds...); err != nil {
			return fmt.Errorf("insert devices: %w", err)
		}
		for i, d := range ds {
			if err := s.insertParams(ctx, p, d.ID, 0, params[i]); err != nil {
				return fmt.Errorf("insert parameters: %w", err)
			}
		}
		ts, err := s.tokens.CreateFirst(ctx, who, p, firsts)
		if err != nil {
			return err
		}
		for i, t := range ts {
			out[i] = Created{ID: ds[i].ID, Token: t.Token}
		}
		return s.audit.WriteAll(ctx, who, p, events)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// table is a table of devices as it was read.
type table struct {
	ImportReport
	devices []CreateInput
	lines   []int // of the devices
	serials []serialAt
}

// serialAt is a serial number that stands in a line, whatever else is wrong with that.
type serialAt struct {
	line   int
	serial string
}

func (t *table) wrong(row int, column, format string, args ...any) {
	if t.ErrorCount++; len(t.Errors) < maxComplaints {
		t.Errors = append(t.Errors, ImportError{row, column, fmt.Sprintf(format, args...)})
	}
}

// readTable reads a table and finds everything that stands against making its devices now.
func (s *Service) readTable(ctx context.Context, who auth.Caller, text []byte) (*table, error) {
	t := &table{ImportReport: ImportReport{Columns: []string{}, Errors: []ImportError{}, Preview: []ImportPreview{}, Devices: []ImportedDevice{}}}
	p := who.ProfileID
	var err error
	if t.Used, t.Allowed, err = s.usage.Room(ctx, p, plan.Devices); err != nil {
		return t, err
	}
	t.parse(text)
	for i, in := range t.devices {
		if err := tag.Made(who.Devices(), "device", in.Tags); err != nil {
			t.wrong(t.lines[i], "tags", "%s", fault.Of(err).Message)
		}
	}
	var serials []string
	first := map[string]int{} // line that has a serial number
	for _, x := range t.serials {
		if line, twice := first[x.serial]; twice {
			t.wrong(x.line, "serial", "%q stands in row %d already", shorten(x.serial), line)
			continue
		}
		first[x.serial] = x.line
		serials = append(serials, x.serial)
	}
	taken, err := s.tokens.Taken(ctx, p, serials)
	if err != nil {
		return t, err
	}
	for _, serial := range serials {
		if _, ok := taken[serial]; ok {
			t.wrong(first[serial], "serial", "%q is already used in this profile", shorten(serial))
		}
	}
	if free := t.Allowed - t.Used; int64(t.Rows) > free {
		t.wrong(0, "", "the profile has %d devices of %d: there is room for %d more, and the table has %d", t.Used, t.Allowed, max(free, 0), t.Rows)
	}
	slices.SortStableFunc(t.Errors, func(a, b ImportError) int { return cmp.Compare(a.Row, b.Row) })
	return t, nil
}

// parse reads lines into devices, and says of each that is none why.
func (t *table) parse(text []byte) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		t.wrong(0, "", "the table is empty: it begins with a line of column names, name being one of them")
		return
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		t.wrong(0, "", "the table is written in UTF-16: save it as CSV UTF-8")
		return
	case bytes.IndexByte(text, 0) >= 0:
		t.wrong(0, "", "this is no table of text: save it as CSV UTF-8")
		return
	case !utf8.Valid(text):
		t.wrong(firstBroken(text), "", "has characters that are not UTF-8: save the table as CSV UTF-8")
		return
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator(text), -1, true
	r.TrimLeadingSpace = r.Comma != '\t'
	head, err := r.Read()
	if err != nil {
		t.broken(err)
		return
	}
	columns := make([]string, len(head))
	for i, name := range head {
		columns[i] = columnOf(name)
	}
	if !t.header(head, columns) {
		return
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.broken(err)
			return
		}
		line, _ := r.FieldPos(0)
		if len(cells) == 1 && strings.TrimSpace(cells[0]) == "" {
			continue
		}
		if t.Rows++; t.Rows > maxRows {
			continue // counted only
		}
		t.row(line, columns, cells)
	}
	switch {
	case t.Rows == 0:
		t.wrong(0, "", "the table has no row below its column names")
	case t.Rows > maxRows:
		t.wrong(0, "", "the table has %d rows: at most %d devices can be made at a time, so cut it into pieces", t.Rows, maxRows)
	}
}

func (t *table) broken(err error) {
	line := 0
	var at *csv.ParseError
	if errors.As(err, &at) {
		line, err = at.Line, at.Err
	}
	switch {
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		t.wrong(line, "", "has a quotation mark that does not open or close a cell: write two of them for one")
	default:
		t.wrong(line, "", "cannot be read: %v", err)
	}
}

// header judges the names of the columns.
func (t *table) header(head, columns []string) bool {
	if len(head) > maxColumns {
		t.wrong(1, "", "has %d columns: at most %d can be read", len(head), maxColumns)
		return false
	}
	seen := map[string]bool{}
	for i, c := range columns {
		kind, key, _ := strings.Cut(c, ":")
		switch {
		case c == "":
			if strings.TrimSpace(head[i]) != "" {
				t.wrong(1, shorten(head[i]), "is no column of devices; known are name, serial, type, chunk_period, chunk_retention, description, active, visible, connector, network, tags, tag:KEY and param:KEY")
			}
			continue
		case seen[c]:
			t.wrong(1, shorten(head[i]), "stands twice")
		case (kind == "tag" || kind == "param") && key == "":
			t.wrong(1, shorten(head[i]), "names no key: write it behind the colon")
		}
		seen[c] = true
		t.Columns = append(t.Columns, c)
	}
	if !seen["name"] {
		t.wrong(1, "name", "is missing: the first line holds the names of the columns, and name is one of them")
	}
	return t.ErrorCount == 0
}

// columnOf is the column that a name in the header means, "" for none.
func columnOf(name string) string {
	name = strings.TrimSpace(name)
	if kind, key, ok := strings.Cut(name, ":"); ok {
		if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "tag" || kind == "param" {
			return kind + ":" + strings.TrimSpace(key)
		}
		return ""
	}
	switch low := strings.ToLower(strings.ReplaceAll(name, " ", "_")); low {
	case "name", "serial", "type", "chunk_period", "chunk_retention", "description", "active", "visible", "connector", "network", "tags":
		return low
	case "serial_number", "serie_number":
		return "serial"
	}
	return ""
}

// row makes a device of a line.
func (t *table) row(line int, columns, cells []string) {
	before := t.ErrorCount
	in := CreateInput{}
	for i, cell := range cells {
		cell = strings.Clone(strings.TrimSpace(cell))
		if i >= len(columns) || columns[i] == "" {
			if cell != "" {
				t.wrong(line, "", "has more cells than there are columns: %q", shorten(cell))
				break
			}
			continue
		}
		if cell == "" && columns[i] != "name" {
			continue
		}
		if reason := in.set(columns[i], cell); reason != "" {
			t.wrong(line, columns[i], "%s", reason)
		}
	}
	if serial := value(in.Serial); serial != "" {
		t.serials = append(t.serials, serialAt{line, serial})
	}
	if t.ErrorCount == before {
		if err := in.Validate(); err != nil {
			f := fault.Of(err)
			t.wrong(line, columnOfField(f.Field), "%s", strings.TrimPrefix(f.Message, f.Field+": "))
		}
	}
	if t.ErrorCount > before {
		return
	}
	if t.devices, t.lines = append(t.devices, in), append(t.lines, line); len(t.Preview) < previewRows {
		kind, _, _, _ := storage(in.Type, in.ChunkPeriod, in.ChunkRetention)
		tags := in.Tags
		if tags == nil {
			tags = []Tag{}
		}
		t.Preview = append(t.Preview, ImportPreview{Row: line, Name: in.Name, Serial: value(in.Serial), Type: kind, Active: in.Active == nil || *in.Active, Tags: tags, Params: len(in.Params)})
	}
}

// set fills a member from a cell, or says why it cannot.
func (in *CreateInput) set(column, cell string) (reason string) {
	switch column {
	case "name":
		in.Name = cell
	case "serial":
		in.Serial = &cell
	case "type":
		in.Type = Type(strings.ToLower(cell))
	case "chunk_period":
		p := Period(strings.ToLower(cell))
		in.ChunkPeriod = &p
	case "chunk_retention":
		n, err := strconv.ParseInt(cell, 10, 32)
		if err != nil {
			return fmt.Sprintf("%q is not a whole number", shorten(cell))
		}
		in.ChunkRetention = &n
	case "description":
		in.Description = &cell
	case "connector":
		in.Connector = &cell
	case "network":
		in.Network = &cell
	case "active", "visible":
		var on bool
		switch strings.ToLower(cell) {
		case "true", "yes", "1":
			on = true
		case "false", "no", "0":
		default:
			return fmt.Sprintf("%q is neither true nor false", shorten(cell))
		}
		if column == "active" {
			in.Active = &on
		} else {
			in.Visible = &on
		}
	case "tags":
		for pair := range strings.SplitSeq(cell, ";") {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			key, val, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Sprintf("%q is no tag: write key=value, and ; between two of them", shorten(strings.TrimSpace(pair)))
			}
			in.Tags = append(in.Tags, Tag{Key: strings.TrimSpace(key), Value: strings.TrimSpace(val)})
		}
	default:
		kind, key, _ := strings.Cut(column, ":")
		if kind == "tag" {
			in.Tags = append(in.Tags, Tag{Key: key, Value: cell})
		} else {
			in.Params = append(in.Params, ParamInput{Key: &key, Value: &cell})
		}
	}
	return ""
}

// columnOfField is the column in which the cause of a refusal stands.
func columnOfField(field string) string {
	field, _, _ = strings.Cut(field, "[")
	switch field {
	case "serie_number":
		return "serial"
	case "configuration_params":
		return "param"
	}
	return field
}

// separator is what parts the cells: the one of comma, semicolon and tab that the first line has most of, outside of
// quotation marks.
func separator(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	n := map[byte]int{}
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			n[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if n[c] > n[best] {
			best = c
		}
	}
	return rune(best)
}

// firstBroken is the line of the first byte that is no UTF-8.
func firstBroken(text []byte) int {
	line := 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		text = text[n:]
	}
	return line
}

// shorten bounds a cell that is repeated in a message.
func shorten(s string) string {
	if rs := []rune(s); len(rs) > 40 {
		return string(rs[:40]) + "…"
	}
	return s
}
