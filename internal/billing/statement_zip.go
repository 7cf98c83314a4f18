package billing

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"io"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
)

// archive is the ZIP of a month's statements, made while it is sent: in memory are some statements at a time, however many there are.
type archive struct {
	ctx     context.Context // of the request that it answers
	s       *Service
	account id.Account
	month   string
	only    []id.Profile // empty for all
	upTo    int64        // what is issued meanwhile is not in it

	buf   bytes.Buffer
	zip   *zip.Writer
	after int64 // the number it has come to
	table *csv.Writer
	begun bool
	done  bool
}

// zipStep is how many statements are read at once.
const zipStep = 20

// Archive is a ZIP of the statements of a month that the account issued, of some profiles or, when none is named, of all: a summary, then each as
// CSV and as page. It returns not_found when there are none, and for a profile that never was the account's.
func (s *Service) Archive(ctx context.Context, a id.Account, month string, profiles []id.Profile) (io.Reader, error) {
	m, err := parseMonth(month)
	if err != nil {
		return nil, err
	}
	if len(profiles) > 0 {
		if _, err := s.named(ctx, a, profiles); err != nil {
			return nil, err
		}
	}
	x := &archive{ctx: ctx, s: s, account: a, month: m.Format("2006-01"), only: profiles}
	x.zip = zip.NewWriter(&x.buf)
	w := statementsOf(a, x.month, profiles)
	if err := s.db.QueryRow(ctx, `SELECT COALESCE(MAX(number), 0) FROM statement`+w.SQL(), w.Args()...).Scan(&x.upTo); err != nil {
		return nil, err
	}
	if x.upTo == 0 {
		return nil, fault.New(fault.NotFound, "No statement of %s has been issued", x.month)
	}
	return x, nil
}

// Read gives what was made, and makes more when that is gone.
func (x *archive) Read(b []byte) (int, error) {
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

func (x *archive) more() error {
	if !x.begun {
		x.begun = true
		file, err := x.file("summary.csv", x.s.now())
		if err != nil {
			return err
		}
		x.table = csv.NewWriter(file)
		return x.table.Write(summaryHead)
	}
	sts, err := x.s.pageAfter(x.ctx, x.account, x.month, x.only, x.after, x.upTo, zipStep)
	if err != nil {
		return err
	}
	if len(sts) == 0 {
		if x.table != nil { // the summary is complete: from the beginning once more
			x.table, x.after = nil, 0
			return nil
		}
		x.done = true
		return x.zip.Close()
	}
	x.after = sts[len(sts)-1].Number
	if x.table != nil {
		for _, st := range sts {
			if err := x.table.Write(st.summary()); err != nil {
				return err
			}
		}
		x.table.Flush()
		return x.table.Error()
	}
	for _, st := range sts {
		file, err := x.file(st.file("csv"), st.IssuedAt)
		if err != nil {
			return err
		}
		if err := st.table(file); err != nil {
			return err
		}
		if file, err = x.file(st.file("html"), st.IssuedAt); err != nil {
			return err
		}
		if err := x.s.page(x.ctx, file, st); err != nil {
			return err
		}
	}
	return nil
}

func (x *archive) file(name string, at int64) (io.Writer, error) {
	return x.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: clock.FromMillis(at).UTC()})
}
