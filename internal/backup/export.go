package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"paddock/internal/alert"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/dashboard"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/token"
)

// ExportOptions say what an archive holds beside the profile's resources.
type ExportOptions struct {
	Data     bool                    // points
	Tokens   bool                    // the secrets of devices' tokens: then the archive should be encrypted
	Progress func(done, total int64) // of points, now and then; nil for nobody. The total is an estimate
}

// Summary is what Export wrote.
type Summary struct {
	Header Header
	Counts Counts
	Bytes  int64 // of the archive, before it is encrypted
}

// Export writes the archive of a profile to w while it reads; see the package comment for what it is as of. Memory does
// not grow with the profile. Points take turns with whoever else reads long, and nothing is charged.
func (s *Service) Export(ctx context.Context, p profile.Profile, o ExportOptions, w io.Writer) (Summary, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	sum := Summary{Header: Header{Format: formatName, Version: formatVersion, Release: s.cfg.Release, CreatedAt: web.Millis(clock.Millis(s.clock.Now())),
		Profile: Source{p.ID, p.Name}, Data: o.Data, Tokens: o.Tokens}}
	var horizon int64
	if o.Data {
		var err error
		if horizon, err = s.data.Horizon(ctx); err != nil {
			return sum, fmt.Errorf("begin an export: %w", err)
		}
	}
	x := newWriter(w)
	has := listed{devices: map[id.Device]device.Type{}, boards: map[id.Dashboard]bool{}}
	if err := s.exportResources(ctx, p, o, x, has, &sum); err != nil {
		return sum, err
	}
	if err := s.exportPictures(ctx, p, x); err != nil {
		return sum, err
	}
	if o.Data {
		if err := s.exportPoints(ctx, p, horizon, o.Progress, x, has, &sum); err != nil {
			return sum, err
		}
	}
	if err := x.close(); err != nil {
		return sum, err
	}
	sum.Bytes = x.out.n
	return sum, nil
}

// listed is what an archive has records of. What is made while it is written is not in it, and neither is what hangs on that.
type listed struct {
	devices map[id.Device]device.Type
	boards  map[id.Dashboard]bool
}

// exportResources writes everything but pictures and points.
func (s *Service) exportResources(ctx context.Context, p profile.Profile, o ExportOptions, x *writer, has listed, sum *Summary) error {
	type entry struct {
		name    string
		records func(add func(any) error) error
	}
	entries := []entry{
		{headerEntry, func(add func(any) error) error { return add(sum.Header) }},
		{settingsEntry, func(add func(any) error) error { return add(settingsOf(p)) }},
		{allocationEntry, func(add func(any) error) error { return s.exportAllocation(ctx, p, add) }},
		{teamEntry, func(add func(any) error) error {
			people, err := s.teams.People(ctx, auth.SystemCaller(), string(p.ID))
			for _, m := range people {
				if err == nil && !m.Pending {
					err = add(person{m.Name, m.Email, string(m.Role)})
				}
			}
			return err
		}},
		{webhookEntry, func(add func(any) error) error {
			h, ok, err := s.notify.Export(ctx, p.ID)
			if err == nil && ok {
				err = add(h)
			}
			return err
		}},
		{devicesEntry, func(add func(any) error) error {
			return s.devices.Export(ctx, p.ID, func(r device.Record) error {
				sum.Counts.Devices++
				has.devices[r.ID] = r.Type
				return add(r)
			})
		}},
	}
	if o.Tokens {
		entries = append(entries, entry{tokensEntry, func(add func(any) error) error {
			return s.tokens.Export(ctx, p.ID, func(r token.Record) error {
				if has.devices[r.Device] == "" {
					return nil
				}
				sum.Counts.Tokens++
				return add(r)
			})
		}})
	}
	entries = append(entries,
		entry{dashboardsEntry, func(add func(any) error) error {
			return s.boards.Export(ctx, p.ID, func(r dashboard.Record) error {
				sum.Counts.Dashboards++
				has.boards[r.ID] = true
				return add(r)
			})
		}},
		entry{widgetsEntry, func(add func(any) error) error {
			return s.boards.ExportWidgets(ctx, p.ID, func(r dashboard.WidgetRecord) error {
				if !has.boards[r.Dashboard] {
					return nil
				}
				sum.Counts.Widgets++
				return add(r)
			})
		}},
		entry{rulesEntry, func(add func(any) error) error {
			return s.alerts.Export(ctx, p.ID, func(r alert.Record) error {
				if r.Device != "" && has.devices[r.Device] == "" {
					return nil
				}
				sum.Counts.Rules++
				return add(r)
			})
		}})
	for _, e := range entries {
		if err := x.entry(e.name, e.records); err != nil {
			return fmt.Errorf("write %s: %w", e.name, err)
		}
	}
	return nil
}

func settingsOf(p profile.Profile) settings {
	r := settings{ID: p.ID, Name: p.Name, RPM: profile.RPMOf(p.RPMInput, p.RPMOutput), Color: p.Color, Reference: p.Reference, Tags: p.Tags, CreatedAt: web.Time(p.CreatedAt)}
	for _, u := range []struct {
		from *string
		to   *string
	}{{p.LogoURL, &r.LogoURL}, {p.BannerURL, &r.BannerURL}} {
		if u.from != nil && !profile.Uploaded(u.from) {
			*u.to = *u.from
		}
	}
	return r
}

func (s *Service) exportAllocation(ctx context.Context, p profile.Profile, add func(any) error) error {
	c, err := s.usage.Current(ctx, p.ID)
	if err != nil {
		return err
	}
	policies, err := s.usage.PoliciesOf(ctx, p.ID)
	if err != nil {
		return err
	}
	for i, svc := range plan.Services {
		r := allocation{Service: string(svc), Used: plan.Wire(svc, c.Used[i]), Policy: policies[i]}
		if c.Allowed[i] < plan.Unlimited {
			n := plan.Wire(svc, c.Allowed[i])
			r.Allocated = &n
		}
		if err := add(r); err != nil {
			return err
		}
	}
	return nil
}

// exportPictures writes the pictures that were uploaded.
func (s *Service) exportPictures(ctx context.Context, p profile.Profile, x *writer) error {
	for name, kind := range map[string]profile.Picture{logoEntry: profile.Logo, bannerEntry: profile.Banner} {
		file, err := s.profiles.PictureFile(ctx, p, kind)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		err = x.begin(name)
		if err == nil {
			x.cur.Records = 1
			_, err = io.Copy(x, io.LimitReader(file, maxPicture))
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := x.end(); err != nil {
			return err
		}
	}
	return nil
}

// progressEvery is after how many points progress is told.
const progressEvery = 10_000

// pointFiles writes points into files that end when they are large enough.
type pointFiles struct {
	x     *writer
	files int
	open  bool
}

func (f *pointFiles) line(b []byte) error {
	if f.open && f.x.cur.Bytes >= pointsBytes {
		if err := f.x.end(); err != nil {
			return err
		}
		f.open = false
	}
	if !f.open {
		if err := f.next(); err != nil {
			return err
		}
	}
	return f.x.line(b)
}

func (f *pointFiles) next() error {
	f.files++
	f.open = true
	return f.x.begin(pointsEntry(f.files))
}

// exportPoints writes the points of every device. Those of a mutable device are put aside while its snapshot is held, so
// that however slowly the archive is taken, nothing of the database waits for it.
func (s *Service) exportPoints(ctx context.Context, p profile.Profile, horizon int64, progress func(done, total int64), x *writer, has listed, sum *Summary) error {
	total, err := s.data.Held(ctx, p.ID)
	if err != nil {
		return err
	}
	aside, err := s.spool()
	if err != nil {
		return err
	}
	defer aside.close()
	out := &pointFiles{x: x}
	if err := out.next(); err != nil { // there is one, if only an empty one
		return err
	}
	add := func(line []byte) error {
		if sum.Counts.Points++; sum.Counts.Points%progressEvery == 0 {
			progress(sum.Counts.Points, max(total, sum.Counts.Points))
		}
		return out.line(line)
	}
	progress(0, total)
	err = s.devices.Export(ctx, p.ID, func(d device.Record) error {
		switch {
		case has.devices[d.ID] != d.Type: // made, or converted, meanwhile
			return nil
		case d.Type == device.Immutable:
			return s.data.Export(ctx, p, d, horizon, add)
		}
		if err := aside.begin(); err != nil {
			return err
		}
		if err := s.data.Export(ctx, p, d, horizon, aside.line); err != nil {
			return err
		}
		return aside.each(add)
	})
	if err != nil {
		return fmt.Errorf("write points: %w", err)
	}
	progress(sum.Counts.Points, sum.Counts.Points)
	return x.end()
}

// spool is a file that lines are put aside in.
type spool struct {
	file *os.File
	out  *bufio.Writer
	n    int64
}

func (s *Service) spool() (*spool, error) {
	f, err := s.temp("export-*")
	if err != nil {
		return nil, err
	}
	return &spool{file: f, out: bufio.NewWriterSize(f, 64<<10)}, nil
}

// temp makes a file that has no name any more: it is gone with the process.
func (s *Service) temp(pattern string) (*os.File, error) {
	if err := os.MkdirAll(s.cfg.Temp, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for files under way: %w", err)
	}
	f, err := os.CreateTemp(s.cfg.Temp, pattern)
	if err != nil {
		return nil, fmt.Errorf("make a file under way: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (p *spool) begin() error {
	p.n = 0
	p.out.Reset(p.file)
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

func (p *spool) line(b []byte) error {
	n, err := p.out.Write(append(b, '\n'))
	p.n += int64(n)
	return err
}

func (p *spool) each(f func(line []byte) error) error {
	if p.n == 0 {
		return nil
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	_, err := eachLine("points", io.NewSectionReader(p.file, 0, p.n), f)
	return err
}

func (p *spool) close() { p.file.Close() }

// ExportTo is Export to whoever has a passphrase; "" encrypts nothing. The bytes of the summary are those that were written.
func (s *Service) ExportTo(ctx context.Context, p profile.Profile, o ExportOptions, passphrase string, w io.Writer) (Summary, error) {
	out := &counting{w: w}
	if passphrase == "" {
		return s.Export(ctx, p, o, out)
	}
	sealed, err := Encrypt(out, passphrase)
	if err != nil {
		return Summary{}, err
	}
	sum, err := s.Export(ctx, p, o, sealed)
	if err == nil {
		err = sealed.Close()
	}
	sum.Bytes = out.n
	return sum, err
}

// Exported writes into the audit log that a profile has left the house.
func (s *Service) Exported(ctx context.Context, who auth.Caller, p profile.Profile, sum Summary) error {
	return s.audit.Write(ctx, who, audit.Event{Profile: p.ID, Account: p.Account, Resource: "profile", ResourceID: string(p.ID), Message: "Profile exported",
		After: map[string]any{"data": sum.Header.Data, "tokens": sum.Header.Tokens, "counts": sum.Counts}})
}
