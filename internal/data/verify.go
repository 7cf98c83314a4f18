package data

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// Counts is what Verify looked at.
type Counts struct{ Points, Devices, Profiles int64 }

// Verify recounts every point and compares, for each chunk and each profile, what is stored with what chunks
// and usage say. It reads one instant, so it may run beside a live server; it reads every point, so it takes
// its time. Findings are never nil.
func (s *Service) Verify(ctx context.Context) ([]usage.Finding, Counts, error) {
	return s.VerifyTold(ctx, func(done, total int) {})
}

// VerifyTold is Verify that tells how many profiles it has recounted, of how many.
func (s *Service) VerifyTold(ctx context.Context, told func(done, total int)) ([]usage.Finding, Counts, error) {
	out, counts := []usage.Finding{}, Counts{}
	err := s.db.Snapshot(ctx, func(ctx context.Context) error {
		held, err := s.usage.Stocks(ctx, plan.DataRecords)
		if err != nil {
			return err
		}
		numbers, err := s.store.owners(ctx)
		if err != nil {
			return err
		}
		for p := range held {
			if _, ok := numbers[p]; !ok {
				numbers[p] = 0
			}
		}
		all := make([]id.Profile, 0, len(numbers))
		for p := range numbers {
			all = append(all, p)
		}
		slices.Sort(all)
		for i, p := range all {
			told(i, len(all))
			h, known := held[p]
			if !known {
				continue // deleted, and waiting for the purge
			}
			findings, err := s.store.recount(ctx, p, numbers[p], h, &counts)
			if err != nil {
				return err
			}
			counts.Profiles++
			out = append(out, findings...)
		}
		return nil
	})
	if err != nil {
		return nil, counts, fmt.Errorf("verify data: %w", err)
	}
	return out, counts, nil
}

// owners are the profiles that have chunks, with their numbers, across profiles.
func (s *store) owners(ctx context.Context) (map[id.Profile]int64, error) {
	type row struct {
		p  id.Profile
		no int64
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.p, &x.no) },
		`SELECT profile_id, profile_no FROM chunk GROUP BY profile_id, profile_no
		UNION SELECT profile_id, profile_no FROM series_purge GROUP BY profile_id, profile_no`)
	out := make(map[id.Profile]int64, len(rows))
	for _, r := range rows {
		out[r.p] = r.no
	}
	return out, err
}

// recount compares what a profile stores with the counters of its chunks and with data_records.
func (s *store) recount(ctx context.Context, p id.Profile, no, records int64, counts *Counts) ([]usage.Finding, error) {
	var out []usage.Finding
	found := func(format string, args ...any) {
		out = append(out, usage.Finding{Profile: p, What: fmt.Sprintf(format, args...)})
	}
	type pair struct{ series, n int64 }
	stored := map[int64]int64{}
	pairs, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x pair, err error) { return x, r.Scan(&x.series, &x.n) },
		`SELECT series, COUNT(*) FROM point WHERE profile_no = $1 GROUP BY series`, no)
	if err != nil {
		return nil, err
	}
	for _, x := range pairs {
		stored[x.series] = x.n
		counts.Points += x.n
	}
	gone, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT series FROM series_purge WHERE profile_id = $1`, p)
	if err != nil {
		return nil, err
	}
	for _, series := range gone {
		counts.Points -= stored[series]
		delete(stored, series)
	}
	type place struct {
		chunkKey
		series int64
	}
	live, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x place, err error) {
		x.profile = p
		return x, r.Scan(&x.device, &x.start, &x.series)
	}, `SELECT device_id, chunk, no FROM series WHERE profile_id = $1`, p)
	if err != nil {
		return nil, err
	}
	sums := map[chunkKey]int64{}
	for _, x := range live {
		sums[x.chunkKey] += stored[x.series]
		delete(stored, x.series)
	}
	for series, n := range stored {
		found("%d points lie in series %d, which belongs to no device", n, series)
	}
	type counter struct {
		chunkKey
		points int64
	}
	counters, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x counter, err error) {
		x.profile = p
		return x, r.Scan(&x.device, &x.start, &x.points)
	}, `SELECT device_id, start, points FROM chunk WHERE profile_id = $1 ORDER BY device_id, start`, p)
	if err != nil {
		return nil, err
	}
	waiting, err := s.waits(ctx, p)
	if err != nil {
		return nil, err
	}
	var total int64
	var last id.Device
	for _, c := range counters {
		if c.device != last {
			counts.Devices++
			last = c.device
		}
		total += c.points
		n, w := sums[c.chunkKey], waiting[c.chunkKey]
		switch {
		case n+w == c.points:
		case w == 0:
			found("device %s chunk %d: its counter says %d points, %d are stored", c.device, c.start, c.points, n)
		default:
			found("device %s chunk %d: its counter says %d points, %d are stored and %d wait to be", c.device, c.start, c.points, n, w)
		}
		delete(sums, c.chunkKey)
		delete(waiting, c.chunkKey)
	}
	for k, n := range waiting {
		found("device %s chunk %d: %d points wait for it, and it has no counter", k.device, k.start, n)
	}
	for k, n := range sums {
		found("device %s chunk %d: it has series with %d points, and no counter", k.device, k.start, n)
	}
	if total != records {
		found("data_records says %d, the counters of its devices %d", records, total)
	}
	slices.SortFunc(out, func(a, b usage.Finding) int { return strings.Compare(a.What, b.What) })
	return out, nil
}
