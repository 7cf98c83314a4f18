package data

import (
	"context"
	"fmt"
	"math"
	"slices"

	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/sqldb"
)

// lock makes this transaction the only one that changes a chunk. It returns how many points it holds; false
// when it is not there.
func (s *store) lock(ctx context.Context, k chunkKey) (points int64, ok bool, err error) {
	return sqldb.One(ctx, s.db, sqldb.Value[int64], `UPDATE chunk SET points = points
		WHERE profile_id = $1 AND device_id = $2 AND start = $3 RETURNING points`, k.profile, k.device, k.start)
}

// edit overwrites a point of a locked chunk. Number and series stay.
func (s *store) edit(ctx context.Context, profileNo int64, p *Point) error {
	_, err := s.db.Exec(ctx, `UPDATE point SET time = $1, kind = $2, num = $3, txt = $4, unit = $5, grp = $6, lat = $7, lng = $8, metadata = $9
		WHERE profile_no = $10 AND no = $11`,
		p.Time, int64(p.Kind), p.num(), p.txt(), orNull(p.Unit), orNull(p.Group), p.lat(), p.lng(), orNull(p.Metadata), profileNo, p.no)
	return err
}

// remove deletes points of a locked chunk by their numbers, lowers its counter and returns how many there
// were. Points of other chunks, and of series that ended meanwhile, are left alone. Series that lose their
// last point end.
func (s *store) remove(ctx context.Context, k chunkKey, profileNo int64, nos []int64) (int64, error) {
	alive := map[int64]bool{}
	list, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM series WHERE profile_id = $1 AND device_id = $2 AND chunk = $3`, k.profile, k.device, k.start)
	if err != nil {
		return 0, err
	}
	for _, no := range list {
		alive[no] = true
	}
	var total int64
	touched := map[int64]bool{}
	for part := range slices.Chunk(nos, 256) {
		found, err := s.byNo(ctx, profileNo, part)
		if err != nil {
			return 0, err
		}
		here := make([]int64, 0, len(found))
		for _, p := range found {
			if alive[p.series] {
				here = append(here, p.no)
				touched[p.series] = true
			}
		}
		if len(here) == 0 {
			continue
		}
		n, err := s.deletePoints(ctx, profileNo, here)
		if err != nil {
			return 0, err
		}
		total += n
	}
	if total == 0 {
		return 0, nil
	}
	if err := s.room(ctx, []*want{{chunkKey: k, n: -total, most: math.MaxInt64}}, nil); err != nil {
		return 0, err
	}
	return total, s.endEmpty(ctx, k, profileNo, touched)
}

func (s *store) deletePoints(ctx context.Context, profileNo int64, nos []int64) (int64, error) {
	size, args := numberArgs(profileNo, nos)
	return s.db.Exec(ctx, `DELETE FROM point WHERE (profile_no, no) IN (VALUES `+sqldb.RowsOf(1, size, "BIGINT", "BIGINT")+`)`, args...)
}

// endEmpty deletes those of the series that have no point left.
func (s *store) endEmpty(ctx context.Context, k chunkKey, profileNo int64, series map[int64]bool) error {
	ended := false
	for no := range series {
		_, some, _, err := s.ends(ctx, profileNo, all(no), false, 1)
		if err != nil {
			return err
		}
		if some {
			continue
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM series WHERE profile_id = $1 AND no = $2`, k.profile, no); err != nil {
			return err
		}
		ended = true
	}
	if !ended {
		return nil
	}
	_, err := s.db.Exec(ctx, `UPDATE chunk SET epoch = $1 WHERE profile_id = $2 AND device_id = $3 AND start = $4`, s.numbers.take(1), k.profile, k.device, k.start)
	return err
}

// detach takes chunks off a device, all of them when starts is nil, and returns how many points they held. What waits to
// be inserted into them goes too.
// Whoever stores into one of them waits for this transaction and then finds it gone.
func (s *store) detach(ctx context.Context, p id.Profile, d id.Device, starts []int64) (int64, error) {
	w := sqldb.NewWhere("profile_id = ?", p).And("device_id = ?", d)
	if starts != nil {
		sqldb.In(w, "start", starts)
	}
	type gone struct{ start, points, profileNo int64 }
	chunks, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (g gone, err error) { return g, r.Scan(&g.start, &g.points, &g.profileNo) },
		`DELETE FROM chunk`+w.SQL()+` RETURNING start, points, profile_no`, w.Args()...)
	if err != nil {
		return 0, fmt.Errorf("detach chunks: %w", err)
	}
	var total int64
	for part := range slices.Chunk(chunks, 256) {
		ended := make([]int64, len(part))
		for i, c := range part {
			ended[i] = c.start
			total += c.points
		}
		w := &sqldb.Where{}
		no := w.Arg(part[0].profileNo)
		w.And("profile_id = ?", p).And("device_id = ?", d)
		sqldb.In(w, "chunk", ended)
		if _, err := s.db.Exec(ctx, `INSERT INTO series_purge (profile_id, series, profile_no)
			SELECT profile_id, no, CAST(`+no+` AS BIGINT) FROM series`+w.SQL(), w.Args()...); err != nil {
			return 0, fmt.Errorf("detach series: %w", err)
		}
		w = sqldb.NewWhere("profile_id = ?", p).And("device_id = ?", d)
		sqldb.In(w, "chunk", ended)
		if _, err := s.db.Exec(ctx, `DELETE FROM series`+w.SQL(), w.Args()...); err != nil {
			return 0, fmt.Errorf("detach series: %w", err)
		}
		w = sqldb.NewWhere("profile_id = ?", p).And("device_id = ?", d)
		sqldb.In(w, "start", ended)
		if _, err := s.db.Exec(ctx, `DELETE FROM piece`+w.SQL(), w.Args()...); err != nil {
			return 0, fmt.Errorf("drop what waits for chunks: %w", err)
		}
	}
	return total, nil
}

// purgeSlice is how many points one purge deletes: small, so that whoever writes next hardly waits.
const purgeSlice = 64

// purge deletes some points of detached series, across profiles, in a transaction of its own. It returns how
// many, and whether more is left to do.
func (s *store) purge(ctx context.Context) (n int64, more bool, err error) {
	type item struct {
		profile   id.Profile
		series    int64
		profileNo int64
	}
	list, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (i item, err error) {
		return i, r.Scan(&i.profile, &i.series, &i.profileNo)
	}, `SELECT profile_id, series, profile_no FROM series_purge ORDER BY profile_id, series LIMIT 64`)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	of := list[0]
	var nos, ended []int64
	for _, i := range list {
		if i.profile != of.profile || len(nos) == purgeSlice {
			break
		}
		// In the order of the index, so that neither engine looks anywhere else.
		some, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM point WHERE profile_no = $1 AND series = $2 ORDER BY time, no LIMIT $3`,
			i.profileNo, i.series, int64(purgeSlice-len(nos)))
		if err != nil {
			return 0, false, err
		}
		nos = append(nos, some...)
		if len(nos) < purgeSlice {
			ended = append(ended, i.series)
		}
	}
	crash.At("purge before a slice")
	err = s.db.Tx(sqldb.Cost(ctx, len(nos)+len(ended)), func(ctx context.Context) (err error) {
		n = 0
		if len(nos) > 0 {
			if n, err = s.deletePoints(ctx, of.profileNo, nos); err != nil {
				return err
			}
		}
		crash.At("purge between points and series")
		if len(ended) == 0 {
			return nil
		}
		w := sqldb.NewWhere("profile_id = ?", of.profile)
		sqldb.In(w, "series", ended)
		_, err = s.db.Exec(ctx, `DELETE FROM series_purge`+w.SQL(), w.Args()...)
		return err
	})
	return n, err == nil, err
}

// wipe deletes a slice of all that a profile holds, in a transaction of its own, and says whether nothing is left.
func (s *store) wipe(ctx context.Context, p id.Profile, profileNo int64) (done bool, err error) {
	nos, err := sqldb.All(ctx, s.db, sqldb.Value[int64], `SELECT no FROM point WHERE profile_no = $1 ORDER BY series, time, no LIMIT $2`, profileNo, int64(purgeSlice))
	if err != nil {
		return false, err
	}
	if len(nos) > 0 {
		err = s.db.Tx(sqldb.Cost(ctx, len(nos)), func(ctx context.Context) error {
			_, err := s.deletePoints(ctx, profileNo, nos)
			return err
		})
		crash.At("profile purge after a slice of points")
		return false, err
	}
	var n int64
	err = s.db.Tx(sqldb.Cost(ctx, 200), func(ctx context.Context) error {
		n = 0
		for _, q := range []string{
			`DELETE FROM series WHERE profile_id = $1 AND no IN (SELECT no FROM series WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM chunk WHERE profile_id = $1 AND (device_id, start) IN (SELECT device_id, start FROM chunk WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM piece WHERE profile_id = $1 AND (device_id, start, no) IN (SELECT device_id, start, no FROM piece WHERE profile_id = $2 LIMIT 100)`,
			`DELETE FROM series_purge WHERE profile_id = $1 AND series IN (SELECT series FROM series_purge WHERE profile_id = $2 LIMIT 500)`,
			`DELETE FROM idempotency WHERE profile_id = $1 AND (device_id, key) IN (SELECT device_id, key FROM idempotency WHERE profile_id = $2 LIMIT 500)`,
		} {
			k, err := s.db.Exec(ctx, q, p, p)
			if err != nil {
				return err
			}
			n += k
		}
		if n > 0 {
			return nil
		}
		_, err := s.db.Exec(ctx, `DELETE FROM series_number WHERE profile_id = $1`, p)
		return err
	})
	return n == 0, err
}
