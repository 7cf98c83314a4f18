package operator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

const (
	keepSamples = 60 * 24 * time.Hour
	growthOver  = 7 * 24 * time.Hour // the growth a day is that of the last week
	growthLeast = 6 * time.Hour      // below which it says nothing yet
)

// unknown stands for a size that cannot be known.
const unknown = -1

// sample is how full the disk was at an instant, in bytes.
type sample struct {
	at, database, files, free, total int64
}

func scanSample(r sqldb.Scanner) (x sample, err error) {
	return x, r.Scan(&x.at, &x.database, &x.files, &x.free, &x.total)
}

// Sample notes how full the disk is, and forgets what is too old.
func (s *Service) Sample(ctx context.Context) error {
	x, err := s.measure(ctx, true)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `INSERT INTO disk_sample (at, database_bytes, files_bytes, free_bytes, total_bytes) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (at) DO NOTHING`,
			x.at, x.database, x.files, x.free, x.total); err != nil {
			return fmt.Errorf("note how full the disk is: %w", err)
		}
		_, err := s.db.Exec(ctx, `DELETE FROM disk_sample WHERE at < $1`, x.at-keepSamples.Milliseconds())
		return err
	})
}

// measure looks at the disk; at every file only for a sample, since there may be many.
func (s *Service) measure(ctx context.Context, files bool) (sample, error) {
	x := sample{at: s.now(), files: unknown, free: unknown, total: unknown}
	var err error
	if x.database, err = s.db.Size(ctx); err != nil {
		return x, err
	}
	if total, free, err := sqldb.Disk(s.cfg.Data); err == nil {
		x.total, x.free = total, free
	}
	if files && s.cfg.Files != "" {
		if x.files, err = sizeOf(ctx, s.cfg.Files); err != nil {
			return x, fmt.Errorf("size of the files: %w", err)
		}
	}
	return x, nil
}

// sizeOf adds up the files of a folder; what is deleted meanwhile does not count.
func sizeOf(ctx context.Context, dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += st.Size()
		}
		return err
	})
	return n, err
}

// samples are those since an instant, oldest first.
func (s *Service) samples(ctx context.Context, since int64) ([]sample, error) {
	out, err := sqldb.All(ctx, s.db, scanSample, `SELECT at, database_bytes, files_bytes, free_bytes, total_bytes FROM disk_sample WHERE at >= $1 ORDER BY at`, since)
	if err != nil {
		return nil, fmt.Errorf("read how full the disk was: %w", err)
	}
	return out, nil
}

// growth is how many bytes a day are added, by the line that fits samples best; false when they reach back too little.
func growth(xs []sample, size func(sample) int64) (int64, bool) {
	const day = float64(24 * 60 * 60 * 1000)
	if len(xs) < 3 || xs[len(xs)-1].at-xs[0].at < growthLeast.Milliseconds() {
		return 0, false
	}
	var n, t, b, tt, tb float64
	for _, x := range xs {
		at, bytes := float64(x.at-xs[0].at)/day, float64(size(x)-size(xs[0]))
		n, t, b, tt, tb = n+1, t+at, b+bytes, tt+at*at, tb+at*bytes
	}
	below := n*tt - t*t
	if below == 0 {
		return 0, false
	}
	return int64((n*tb - t*b) / below), true
}

// DiskResult is how full the disk is.
type DiskResult struct {
	Folder   string      `json:"folder" description:"the data folder"`
	Total    *int64      `json:"total" description:"bytes of the disk that the data folder is on; null when it does not say"`
	Free     *int64      `json:"free"`
	Database int64       `json:"database" description:"bytes"`
	Here     bool        `json:"database_here" description:"the database lies on this disk; that of PostgreSQL lies on a disk whose free room cannot be known from here"`
	Files    *int64      `json:"files" description:"bytes, as of the last sample; null when they lie in S3 or there is none yet"`
	Place    *string     `json:"files_place" description:"where files lie when it is not in the data folder"`
	Growth   *int64      `json:"growth" description:"bytes a day that database and files grew by in the last week; null before there are six hours of samples"`
	DaysLeft *float64    `json:"days_left" description:"how long the free room lasts by that growth; null when it does not grow, or cannot be known"`
	Samples  []DiskPoint `json:"samples" description:"of the last week, at most one in six hours"`
}

// DiskPoint is a sample.
type DiskPoint struct {
	At   web.Time `json:"at"`
	Used int64    `json:"used" description:"bytes of database and files"`
	Free *int64   `json:"free"`
}

func known(n int64) *int64 {
	if n == unknown {
		return nil
	}
	return &n
}

// disk tells how full the disk is and how long it lasts.
func (s *Service) disk(ctx context.Context) (DiskResult, error) {
	now, err := s.measure(ctx, false)
	if err != nil {
		return DiskResult{}, err
	}
	xs, err := s.samples(ctx, now.at-growthOver.Milliseconds())
	if err != nil {
		return DiskResult{}, err
	}
	out := DiskResult{Folder: s.cfg.Data, Total: known(now.total), Free: known(now.free), Database: now.database, Here: s.db.Engine() == sqldb.SQLite, Samples: []DiskPoint{}}
	if s.cfg.Files == "" {
		out.Place = &s.cfg.Place
	} else if len(xs) > 0 {
		out.Files = known(xs[len(xs)-1].files)
	}
	used := func(x sample) int64 { return x.database + max(x.files, 0) }
	if g, ok := growth(xs, used); ok {
		out.Growth = &g
	}
	here := func(x sample) int64 { // what lies on this disk
		n := max(x.files, 0)
		if out.Here {
			n += x.database
		}
		return n
	}
	if g, ok := growth(xs, here); ok && g > 0 && out.Free != nil {
		days := float64(*out.Free) / float64(g)
		out.DaysLeft = &days
	}
	var last int64
	for i, x := range xs {
		if i == 0 || i == len(xs)-1 || x.at-last >= 6*60*60*1000 {
			out.Samples = append(out.Samples, DiskPoint{At: web.Millis(x.at), Used: used(x), Free: known(x.free)})
			last = x.at
		}
	}
	return out, nil
}
