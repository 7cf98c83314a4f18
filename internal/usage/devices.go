package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// DeviceInput is the part that a device has in an IngestTake of its profile.
type DeviceInput struct {
	Profile id.Profile
	Device  id.Device
	Input   int64
}

// deviceHour is a device in a whole hour of UTC.
type deviceHour struct {
	device id.Device
	hour   int64
}

// deviceUse is a row to be added to the device ledger.
type deviceUse struct {
	profile id.Profile
	deviceHour
	used plan.Amounts
}

// byDevice are the services that are counted by device.
var byDevice = []plan.Service{plan.Input, plan.Output, plan.DashboardOutput}

// keepDevices is how long hours of devices are kept.
const keepDevices = 62 * day

// deviceSQL adds rows to the device ledger; those without a device only fill the statement up.
var deviceSQL = sqldb.BySize(func(n int) string {
	return `INSERT INTO device_ledger (profile_id, hour, device_id, input, output, dashboard_output)
			SELECT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6
			FROM (VALUES ` + sqldb.RowsOf(1, n, "TEXT", "BIGINT", "TEXT", "BIGINT", "BIGINT", "BIGINT") + `) AS v WHERE v.column3 <> ''
			ON CONFLICT (profile_id, hour, device_id) DO UPDATE SET input = device_ledger.input + excluded.input,
				output = device_ledger.output + excluded.output, dashboard_output = device_ledger.dashboard_output + excluded.dashboard_output`
})

// bookDevices adds to the device ledger, in the transaction that adds the same to the profile's. A device may be
// in uses more than once.
func (s *Service) bookDevices(ctx context.Context, uses []deviceUse) error {
	if len(uses) == 0 {
		return nil
	}
	slices.SortFunc(uses, func(a, b deviceUse) int {
		return cmp.Or(cmp.Compare(a.profile, b.profile), cmp.Compare(a.hour, b.hour), cmp.Compare(a.device, b.device))
	})
	sum := uses[:1]
	for _, u := range uses[1:] {
		last := &sum[len(sum)-1]
		if last.profile != u.profile || last.deviceHour != u.deviceHour {
			sum = append(sum, u)
			continue
		}
		for i := range u.used {
			last.used[i] += u.used[i]
		}
	}
	for part := range slices.Chunk(sum, sqldb.MaxSize) {
		n := sqldb.SizeFor(len(part))
		args := make([]any, 0, 6*n)
		for _, u := range part {
			args = append(args, string(u.profile), u.hour, string(u.device), u.used.Of(plan.Input), u.used.Of(plan.Output), u.used.Of(plan.DashboardOutput))
		}
		for range n - len(part) {
			args = append(args, "", int64(0), "", int64(0), int64(0), int64(0))
		}
		if _, err := s.db.Exec(ctx, deviceSQL[n], args...); err != nil {
			return wrap("write the device ledger", err)
		}
	}
	return nil
}

// forgetDevices deletes hours of devices that are too old, some at a time.
func (s *Service) forgetDevices(ctx context.Context, p id.Profile) error {
	for {
		n, err := s.db.Exec(sqldb.Cost(sqldb.As(ctx, p), 500), `DELETE FROM device_ledger WHERE profile_id = $1 AND (hour, device_id) IN
			(SELECT hour, device_id FROM device_ledger WHERE profile_id = $2 AND hour < $3 ORDER BY hour, device_id LIMIT 2000)`,
			string(p), string(p), s.now()-keepDevices)
		if n == 0 || err != nil {
			return wrap("forget hours of devices", err)
		}
	}
}

// DeviceUsage is what a device used of a service on a day.
type DeviceUsage struct {
	Device id.Device   `json:"device"`
	Name   string      `json:"name,omitempty" description:"absent for a device that was deleted"`
	Used   int64       `json:"used"`
	Hours  []HourUsage `json:"hours"` // in which it used something, ascending
}

// HourUsage is what was used in an hour.
type HourUsage struct {
	Time web.Time `json:"time"` // its end, or now
	Used int64    `json:"used"`
}

type devicesInput struct {
	ID       string `path:"id"`
	Date     string `query:"date" description:"a day; the present one when not given"`
	Timezone string `query:"timezone" description:"IANA name or offset in which the date is meant; UTC when not given"`
	Service  string `query:"service" enum:"input,output,dashboard_output" description:"input when not given"`
	Amount   *int   `query:"amount" description:"most devices in the answer, 1 to 1,000; 100 when not given"`
}

type devicesResult struct {
	From    web.Time      `json:"from"`
	To      web.Time      `json:"to"`
	Service plan.Service  `json:"service"`
	Used    int64         `json:"used"`    // by all devices
	Devices []DeviceUsage `json:"devices"` // that used most, most first; of those that the caller may see
	Others  int64         `json:"others"`  // how many further devices of the profile used some
}

// SeeDevices registers how the room of devices says in statements which of them a caller may see: a condition on the
// column with a device's id, with a ? for each argument, "" for all. Before the server starts.
func (s *Service) SeeDevices(f func(who auth.Caller, p id.Profile, column string) (cond string, args []any)) {
	s.seeDevices = f
}

// NameDevices registers how the room of devices tells their names; ids that are no devices of the profile any more have none.
// Before the server starts.
func (s *Service) NameDevices(f func(ctx context.Context, p id.Profile, ids []id.Device) (map[id.Device]string, error)) {
	s.nameDevices = f
}

// deviceStatistics divides a day into hours and devices. Hours are whole in UTC: where a zone's are not, one
// belongs to the day that it begins in.
func (s *Service) deviceStatistics(ctx context.Context, who auth.Caller, in devicesInput) (devicesResult, error) {
	none := devicesResult{}
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return none, err
	}
	now := s.now()
	sp, err := spanInput{Date: in.Date, Timezone: in.Timezone}.span(s.clock.Now(), time.UTC)
	if err != nil {
		return none, err
	}
	if now-sp.To > keepDevices {
		return none, fault.Field("date", "what devices used is kept for 62 days")
	}
	svc := plan.Input
	if in.Service != "" {
		svc = plan.Service(in.Service)
	}
	if !slices.Contains(byDevice, svc) {
		return none, fault.Field("service", "must be input, output or dashboard_output")
	}
	amount := 100
	if in.Amount != nil {
		if amount = *in.Amount; amount < 1 || amount > 1000 {
			return none, fault.Field("amount", "must be 1 to 1000")
		}
	}
	out := devicesResult{From: web.Millis(sp.From), To: web.Millis(min(sp.To+1, max(now, sp.From))), Service: svc, Devices: []DeviceUsage{}}
	err = s.db.Snapshot(ctx, func(ctx context.Context) error {
		var devices int64
		// Sums are of the whole profile; devices that the caller may not see are among the others.
		seen := sqldb.NewWhere(fmt.Sprintf("profile_id = ? AND hour >= ? AND hour <= ? AND %s > 0", svc), string(p.ID), sp.From, sp.To)
		if cond, args := s.seeDevices(who, p.ID, "device_id"); cond != "" {
			seen.And(cond, args...)
		}
		most := seen.Arg(amount)
		if err := s.db.QueryRow(ctx, fmt.Sprintf(`SELECT CAST(COALESCE(SUM(%[1]s), 0) AS BIGINT), COUNT(DISTINCT device_id) FROM device_ledger
			WHERE profile_id = $1 AND hour >= $2 AND hour <= $3 AND %[1]s > 0`, svc), string(p.ID), sp.From, sp.To).Scan(&out.Used, &devices); err != nil {
			return wrap("sum what devices used", err)
		}
		if out.Devices, err = sqldb.All(ctx, s.db, func(r sqldb.Scanner) (d DeviceUsage, err error) { return d, r.Scan(&d.Device, &d.Used) },
			fmt.Sprintf(`SELECT device_id, CAST(SUM(%s) AS BIGINT) AS used FROM device_ledger`, svc)+seen.SQL()+
				` GROUP BY device_id ORDER BY used DESC, device_id LIMIT `+most, seen.Args()...); err != nil {
			return wrap("find the devices that used most", err)
		}
		out.Others = devices - int64(len(out.Devices))
		at := make(map[id.Device]int, len(out.Devices))
		ids := make([]id.Device, len(out.Devices))
		for i, d := range out.Devices {
			at[d.Device], ids[i] = i, d.Device
			out.Devices[i].Hours = []HourUsage{}
		}
		names, err := s.nameDevices(ctx, p.ID, ids)
		if err != nil {
			return wrap("read the names of devices", err)
		}
		for i, d := range ids {
			out.Devices[i].Name = names[d]
		}
		for part := range slices.Chunk(out.Devices, sqldb.MaxSize) {
			n := sqldb.SizeFor(len(part))
			args := []any{string(p.ID), sp.From, sp.To}
			for i := range n {
				if i < len(part) {
					args = append(args, string(part[i].Device))
				} else {
					args = append(args, "")
				}
			}
			type row struct {
				device id.Device
				hour   int64
				used   int64
			}
			rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.device, &x.hour, &x.used) },
				fmt.Sprintf(`SELECT device_id, hour, %[1]s FROM device_ledger WHERE profile_id = $1 AND hour >= $2 AND hour <= $3 AND %[1]s > 0
					AND device_id IN (`, svc)+sqldb.Marks(4, n)+`) ORDER BY hour`, args...)
			if err != nil {
				return wrap("read what devices used", err)
			}
			for _, r := range rows {
				d := &out.Devices[at[r.device]]
				d.Hours = append(d.Hours, HourUsage{web.Millis(min(r.hour+hour, now)), r.used})
			}
		}
		return nil
	})
	return out, err
}
