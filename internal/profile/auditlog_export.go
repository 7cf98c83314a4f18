package profile

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"sync"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// LogFormat is the form of a download of the audit log.
type LogFormat string

// The two forms.
const (
	LogCSV  LogFormat = "csv"  // a table with a head, safe to open in a spreadsheet
	LogJSON LogFormat = "json" // an array of events as GET /profile/{id}/auditlog shows them
)

// exportStep is how many events a download reads at once.
const exportStep = 500

// ExportLog returns all that a filter finds as a file that is read from the database while it is sent: memory is
// bounded however long the log is. Limit 0 is everything. The faults are those of AuditLog. Close it.
func (s *Service) ExportLog(ctx context.Context, who auth.Caller, ref string, f LogFilter, form LogFormat) (io.ReadCloser, error) {
	if form != LogCSV && form != LogJSON {
		return nil, fault.Field("format", "must be csv or json")
	}
	v, err := s.logView(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	q, err := s.question(v, f)
	if err != nil {
		return nil, err
	}
	s.log.mu.Lock()
	err = s.log.enter(v.profile)
	s.log.mu.Unlock()
	if err != nil {
		return nil, err
	}
	x := &logFile{ctx: ctx, s: s, v: v, f: q.filter(), left: f.Limit, unlimited: f.Limit == 0, form: form, names: s.naming(v)}
	x.table = csv.NewWriter(&x.buf)
	x.begin()
	return x, nil
}

// logFile is a download under way.
type logFile struct {
	ctx       context.Context // of the request that it answers
	s         *Service
	v         view
	f         audit.Filter
	left      int
	unlimited bool
	form      LogFormat
	names     *naming
	buf       bytes.Buffer
	table     *csv.Writer
	sent      int // events
	done      bool
	closed    sync.Once
}

var logHead = []string{"date", "who", "name", "kind", "token", "addr", "resourceName", "resourceID", "message", "before", "after", "id"}

func (x *logFile) begin() {
	if x.form == LogCSV {
		_ = x.table.Write(logHead)
		x.table.Flush()
	} else {
		x.buf.WriteString("[")
	}
}

// Read gives what was read, and reads the next events when that is gone.
func (x *logFile) Read(b []byte) (int, error) {
	for x.buf.Len() == 0 {
		if x.done {
			return 0, io.EOF
		}
		if err := x.more(); err != nil {
			return 0, err
		}
	}
	return x.buf.Read(b)
}

// Close lets the profile begin another search.
func (x *logFile) Close() error {
	x.closed.Do(func() {
		x.s.log.mu.Lock()
		defer x.s.log.mu.Unlock()
		x.s.log.leave(x.v.profile)
	})
	return nil
}

func (x *logFile) more() error {
	most := exportStep
	if !x.unlimited {
		most = min(most, x.left)
	}
	part, err := x.s.audit.Step(x.ctx, x.v.profile, x.f, most)
	if err != nil {
		return err
	}
	for _, e := range part.Entries {
		if err := x.write(e); err != nil {
			return err
		}
	}
	x.left -= len(part.Entries)
	x.f.After = part.Last
	if part.Done || !x.unlimited && x.left == 0 {
		x.done = true
		if x.form == LogJSON {
			x.buf.WriteString("\n]\n")
		}
	}
	return nil
}

func (x *logFile) write(e audit.Entry) error {
	ev, err := x.names.event(x.ctx, e)
	if err != nil {
		return err
	}
	w := ev.wire()
	if x.form == LogCSV {
		row := []string{w.Date.String(), w.Who, w.Name, string(w.Kind), ev.TokenName, ev.Addr, w.ResourceName, w.ResourceID, w.Message, string(w.Before), string(w.After), w.ID}
		for i, c := range row {
			row[i] = web.Cell(c)
		}
		_ = x.table.Write(row) // into memory
		x.table.Flush()
		return nil
	}
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if x.sent++; x.sent > 1 {
		x.buf.WriteByte(',')
	}
	x.buf.WriteByte('\n')
	x.buf.Write(text)
	return nil
}
