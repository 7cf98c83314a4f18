package alert

import (
	"context"
	"fmt"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

const columns = `id, kind, service, threshold, used, allowed, cycle_start, device_id, every_ms, last_input, of_alert,
	created_at, ended_at, acknowledged_at, acknowledged_by`

func scan(r sqldb.Scanner) (a Alert, err error) {
	return a, r.Scan(&a.Profile, &a.ID, &a.Kind, &a.Service, &a.Threshold, &a.Used, &a.Allowed, &a.CycleStart, &a.Device, &a.Every, &a.LastInput, &a.Of,
		&a.At, &a.Ended, &a.Acknowledged, &a.AcknowledgedBy)
}

func (s *Service) insert(ctx context.Context, alerts []Alert) error {
	args := make([]any, 0, 16*len(alerts))
	for _, a := range alerts {
		args = append(args, string(a.Profile), string(a.ID), string(a.Kind), string(a.Service), a.Threshold, a.Used, a.Allowed, a.CycleStart,
			string(a.Device), a.Every, a.LastInput, string(a.Of), a.At, a.Ended, a.Acknowledged, string(a.AcknowledgedBy))
	}
	_, err := s.db.Exec(ctx, `INSERT INTO alert (profile_id, `+columns+`) VALUES `+sqldb.Rows(1, len(alerts), 16), args...)
	return wrap("write alerts", err)
}

// listFilter says which alerts to list; zero values ask for all.
type listFilter struct {
	from, to     int64
	kind         Kind
	service      string
	device       id.Device
	open         *bool
	acknowledged *bool
}

// seen narrows a statement to alerts that a caller may see: of services, and of devices that the caller may see.
func (s *Service) seen(w *sqldb.Where, who auth.Caller, p id.Profile) {
	if cond, args := s.devices.Within(who, p, "device_id"); cond != "" {
		w.And("device_id = '' OR "+cond, args...)
	}
}

// list reads a page of the alerts of a profile that the caller may see, the latest first.
func (s *Service) list(ctx context.Context, who auth.Caller, p id.Profile, f listFilter, limit, skip int64) ([]Alert, error) {
	w := sqldb.NewWhere("profile_id = ?", string(p))
	s.seen(w, who, p)
	if f.from > 0 {
		w.And("created_at >= ?", f.from)
	}
	if f.to > 0 {
		w.And("created_at <= ?", f.to)
	}
	if f.kind != "" {
		w.And("kind = ?", string(f.kind))
	}
	if f.service != "" {
		w.And("service = ?", f.service)
	}
	if f.device != "" {
		w.And("device_id = ?", string(f.device))
	}
	if f.open != nil {
		if *f.open {
			w.And("kind = ? AND ended_at = 0", string(Silent))
		} else {
			w.And("kind = ? AND ended_at > 0", string(Silent))
		}
	}
	if f.acknowledged != nil {
		if *f.acknowledged {
			w.And("acknowledged_at > 0")
		} else {
			w.And("acknowledged_at = 0")
		}
	}
	limitAt := w.Arg(limit)
	skipAt := w.Arg(skip)
	as, err := sqldb.All(ctx, s.db, scan, `SELECT profile_id, `+columns+` FROM alert`+w.SQL()+` ORDER BY created_at DESC, id DESC LIMIT `+limitAt+` OFFSET `+skipAt, w.Args()...)
	return as, wrap("list alerts", err)
}

// acknowledge sets who has seen an alert; at 0 takes it back. What was acknowledged stays as it was.
func (s *Service) acknowledge(ctx context.Context, who auth.Caller, p id.Profile, a id.Alert, at int64, by id.Account) (there, changed bool, err error) {
	w := sqldb.NewWhere("profile_id = ? AND id = ?", string(p), string(a))
	s.seen(w, who, p)
	was, there, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT acknowledged_at FROM alert`+w.SQL(), w.Args()...)
	if err != nil || !there || (was > 0) == (at > 0) {
		return there, false, wrap("read an alert", err)
	}
	n, err := s.db.Exec(ctx, `UPDATE alert SET acknowledged_at = $1, acknowledged_by = $2 WHERE profile_id = $3 AND id = $4`, at, string(by), string(p), string(a))
	return true, n > 0, wrap("acknowledge an alert", err)
}

func (s *Service) acknowledgeAll(ctx context.Context, who auth.Caller, p id.Profile, at int64, by id.Account) (int64, error) {
	w := &sqldb.Where{}
	atArg, byArg, of := w.Arg(at), w.Arg(string(by)), w.Arg(string(p))
	w.And("profile_id = ? AND acknowledged_at = 0", string(p))
	s.seen(w, who, p)
	n, err := s.db.Exec(ctx, `UPDATE alert SET acknowledged_at = `+atArg+`, acknowledged_by = `+byArg+` WHERE profile_id = `+of+` AND acknowledged_at = 0 AND id IN (
		SELECT id FROM alert`+w.SQL()+` ORDER BY created_at DESC LIMIT 5000)`, w.Args()...)
	return n, wrap("acknowledge alerts", err)
}

// told reads which thresholds profiles were told of.
func (s *Service) told(ctx context.Context, ps []id.Profile) (map[id.Profile]map[mark]told, error) {
	args := make([]any, len(ps))
	for i, p := range ps {
		args[i] = string(p)
	}
	type row struct {
		profile id.Profile
		mark
		told
	}
	rows, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (x row, err error) {
		return x, r.Scan(&x.profile, &x.cycle, &x.service, &x.threshold, &x.allowed, &x.armed, &x.at)
	}, `SELECT profile_id, cycle_start, service, threshold, allowed, armed, at FROM alert_level WHERE profile_id IN (`+sqldb.Marks(1, len(args))+`)`, args...)
	if err != nil {
		return nil, wrap("read what was told", err)
	}
	out := map[id.Profile]map[mark]told{}
	for _, r := range rows {
		if out[r.profile] == nil {
			out[r.profile] = map[mark]told{}
		}
		out[r.profile][r.mark] = r.told
	}
	return out, nil
}

// toldProfiles are the next profiles after one that were told of something, across profiles.
func (s *Service) toldProfiles(ctx context.Context, after id.Profile, n int) ([]id.Profile, error) {
	ps, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT DISTINCT profile_id FROM alert_level WHERE profile_id > $1 ORDER BY profile_id LIMIT $2`, string(after), n)
	return ps, wrap("find who was told", err)
}

// tell writes that thresholds are told, and says which this transaction is the first to tell.
func (s *Service) tell(ctx context.Context, p id.Profile, fresh []Alert, now int64) (map[mark]bool, error) {
	sorted := slices.Clone(fresh)
	slices.SortFunc(sorted, func(a, b Alert) int { return a.mark().compare(b.mark()) })
	args := make([]any, 0, 7*len(sorted))
	for _, a := range sorted {
		args = append(args, string(p), a.CycleStart, string(a.Service), a.Threshold, a.Allowed, false, now)
	}
	first, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (m mark, err error) {
		return m, r.Scan(&m.cycle, &m.service, &m.threshold, &m.allowed)
	}, `INSERT INTO alert_level (profile_id, cycle_start, service, threshold, allowed, armed, at) VALUES `+sqldb.Rows(1, len(sorted), 7)+`
		ON CONFLICT (profile_id, cycle_start, service, threshold, allowed) DO UPDATE SET armed = excluded.armed, at = excluded.at
		WHERE alert_level.armed RETURNING cycle_start, service, threshold, allowed`, args...)
	out := map[mark]bool{}
	for _, m := range first {
		out[m] = true
	}
	return out, wrap("write what is told", err)
}

// arm lets thresholds be told again that were told before an instant.
func (s *Service) arm(ctx context.Context, p id.Profile, marks []mark, before int64) error {
	slices.SortFunc(marks, mark.compare)
	for _, m := range marks {
		if _, err := s.db.Exec(ctx, `UPDATE alert_level SET armed = $1 WHERE profile_id = $2 AND cycle_start = $3 AND service = $4 AND threshold = $5
			AND allowed = $6 AND at <= $7`, true, string(p), m.cycle, string(m.service), m.threshold, m.allowed, before); err != nil {
			return wrap("arm an alert", err)
		}
	}
	return nil
}

const ruleColumns = `r.profile_id, r.id, r.device_id, r.tag_key, r.tag_value, r.every_ms, r.set_at, r.created_at, COALESCE(p.at, 0)`

func scanRule(r sqldb.Scanner) (x Rule, err error) {
	return x, r.Scan(&x.Profile, &x.ID, &x.Device, &x.Tag.Key, &x.Tag.Value, &x.Every, &x.SetAt, &x.Created, &x.resumed)
}

// ofRules begins a reading of rules with when their profile was resumed.
const ofRules = `SELECT ` + ruleColumns + ` FROM silence_rule r LEFT JOIN silence_resume p ON p.profile_id = r.profile_id `

// rules are the next rules after one, across profiles, that expect a device at least every most milliseconds; the
// shortest first.
func (s *Service) rules(ctx context.Context, after Rule, most int64, n int) ([]Rule, error) {
	rs, err := sqldb.All(ctx, s.db, scanRule, ofRules+`WHERE r.every_ms <= $1 AND (r.every_ms, r.profile_id, r.id) > ($2, $3, $4)
		ORDER BY r.every_ms, r.profile_id, r.id LIMIT $5`, most, after.Every, string(after.Profile), string(after.ID), n)
	return rs, wrap("read rules", err)
}

// rulesOf reads a page of the rules of a profile that the caller may see: of devices, and of tags that make the part of
// the devices which the caller sees.
func (s *Service) rulesOf(ctx context.Context, who auth.Caller, p id.Profile, limit, skip int64) ([]Rule, error) {
	w := sqldb.NewWhere("r.profile_id = ?", string(p))
	s.seenRules(w, who, p)
	limitAt := w.Arg(limit)
	skipAt := w.Arg(skip)
	rs, err := sqldb.All(ctx, s.db, scanRule, ofRules+w.SQL()+` ORDER BY r.created_at, r.id LIMIT `+limitAt+` OFFSET `+skipAt, w.Args()...)
	return rs, wrap("list rules", err)
}

// rulesFor are the rule of a device and all rules for tags.
func (s *Service) rulesFor(ctx context.Context, p id.Profile, d id.Device) ([]Rule, error) {
	rs, err := sqldb.All(ctx, s.db, scanRule, ofRules+`WHERE r.profile_id = $1 AND (r.device_id = $2 OR r.device_id = '')`, string(p), string(d))
	return rs, wrap("read rules", err)
}

func (s *Service) seenRules(w *sqldb.Where, who auth.Caller, p id.Profile) {
	byID, ids := s.devices.Within(who, p, "r.device_id")
	if byID == "" {
		return
	}
	byTag, tags := s.devices.OfTags(who, "r.tag_key", "r.tag_value")
	w.And("r.device_id <> '' AND "+byID+" OR r.device_id = '' AND "+byTag, append(ids, tags...)...)
}

// rule reads a rule that the caller may see.
func (s *Service) rule(ctx context.Context, who auth.Caller, p id.Profile, r id.Rule) (Rule, bool, error) {
	w := sqldb.NewWhere("r.profile_id = ? AND r.id = ?", string(p), string(r))
	s.seenRules(w, who, p)
	x, found, err := sqldb.One(ctx, s.db, scanRule, ofRules+w.SQL(), w.Args()...)
	return x, found, wrap("read a rule", err)
}

func (s *Service) countByTag(ctx context.Context, p id.Profile) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM silence_rule WHERE profile_id = $1 AND device_id = ''`, string(p)).Scan(&n)
	return n, wrap("count rules", err)
}

func (s *Service) insertRule(ctx context.Context, r Rule) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO silence_rule (profile_id, id, device_id, tag_key, tag_value, every_ms, set_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (profile_id, device_id, tag_key, tag_value) DO NOTHING`,
		string(r.Profile), string(r.ID), string(r.Device), r.Tag.Key, r.Tag.Value, r.Every, r.SetAt, r.Created)
	return n == 1, wrap("write a rule", err)
}

func (s *Service) updateRule(ctx context.Context, r Rule) error {
	_, err := s.db.Exec(ctx, `UPDATE silence_rule SET every_ms = $1, set_at = $2 WHERE profile_id = $3 AND id = $4`, r.Every, r.SetAt, string(r.Profile), string(r.ID))
	return wrap("change a rule", err)
}

func (s *Service) deleteRule(ctx context.Context, p id.Profile, r id.Rule) error {
	_, err := s.db.Exec(ctx, `DELETE FROM silence_rule WHERE profile_id = $1 AND id = $2`, string(p), string(r))
	return wrap("delete a rule", err)
}

// keepRule reports whether a rule is as it was read and makes sure that it stays so until the transaction ends.
func (s *Service) keepRule(ctx context.Context, r Rule) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE silence_rule SET set_at = set_at + 0 WHERE profile_id = $1 AND id = $2 AND every_ms = $3 AND set_at = $4`,
		string(r.Profile), string(r.ID), r.Every, r.SetAt)
	return n == 1, wrap("keep a rule", err)
}

// withRules are those of some devices that have a rule of their own.
func (s *Service) withRules(ctx context.Context, p id.Profile, ds []id.Device) (map[id.Device]bool, error) {
	own, err := sqldb.All(ctx, s.db, sqldb.Value[id.Device], `SELECT device_id FROM silence_rule WHERE profile_id = $1 AND device_id IN (`+sqldb.Marks(2, len(ds))+`)`, named(p, ds)...)
	out := map[id.Device]bool{}
	for _, d := range own {
		out[d] = true
	}
	return out, wrap("read the rules of devices", err)
}

func named(p id.Profile, ds []id.Device) []any {
	args := []any{string(p)}
	for _, d := range ds {
		args = append(args, string(d))
	}
	return args
}

const waitColumns = `profile_id, device_id, from_at, alert_id, rule_id, every_ms, last_input`

func scanWait(r sqldb.Scanner) (w wait, err error) {
	return w, r.Scan(&w.profile, &w.device, &w.from, &w.alert, &w.rule, &w.every, &w.lastInput)
}

func (s *Service) waits(ctx context.Context, p id.Profile, ds []id.Device) (map[id.Device]wait, error) {
	ws, err := sqldb.All(ctx, s.db, scanWait, `SELECT `+waitColumns+` FROM silence WHERE profile_id = $1 AND device_id IN (`+sqldb.Marks(2, len(ds))+`)`, named(p, ds)...)
	out := make(map[id.Device]wait, len(ws))
	for _, w := range ws {
		out[w.device] = w
	}
	return out, wrap("read silent devices", err)
}

// waitOf reads the row of a device; open says that it is silent.
func (s *Service) waitOf(ctx context.Context, p id.Profile, d id.Device) (w wait, open bool, err error) {
	ws, err := s.waits(ctx, p, []id.Device{d})
	w = ws[d]
	return w, w.alert != "", err
}

// waitAnew begins the waiting for a device that is not silent.
func (s *Service) waitAnew(ctx context.Context, p id.Profile, d id.Device, now int64) error {
	_, err := s.db.Exec(ctx, `INSERT INTO silence (`+waitColumns+`) VALUES ($1, $2, $3, '', '', 0, 0)
		ON CONFLICT (profile_id, device_id) DO UPDATE SET from_at = excluded.from_at WHERE silence.alert_id = ''`, string(p), string(d), now)
	return wrap("wait for a device", err)
}

// openSilence writes that devices are silent, and says which were not before.
func (s *Service) openSilence(ctx context.Context, ws []wait) (map[id.Device]bool, error) {
	args := make([]any, 0, 7*len(ws))
	for _, w := range ws {
		args = append(args, string(w.profile), string(w.device), w.from, string(w.alert), string(w.rule), w.every, w.lastInput)
	}
	first, err := sqldb.All(ctx, s.db, sqldb.Value[id.Device], `INSERT INTO silence (`+waitColumns+`) VALUES `+sqldb.Rows(1, len(ws), 7)+`
		ON CONFLICT (profile_id, device_id) DO UPDATE SET alert_id = excluded.alert_id, rule_id = excluded.rule_id, every_ms = excluded.every_ms,
			last_input = excluded.last_input
		WHERE silence.alert_id = '' AND silence.from_at = excluded.from_at RETURNING device_id`, args...)
	out := map[id.Device]bool{}
	for _, d := range first {
		out[d] = true
	}
	return out, wrap("write silent devices", err)
}

// openWait is a silent device with what its rule expects now, 0 when the rule is gone.
type openWait struct {
	wait
	now int64
}

// openWaits are the next silent devices after one, across profiles in order.
func (s *Service) openWaits(ctx context.Context, after wait, n int) ([]openWait, error) {
	ws, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (w openWait, err error) {
		return w, r.Scan(&w.profile, &w.device, &w.from, &w.alert, &w.rule, &w.every, &w.lastInput, &w.now)
	}, `SELECT w.profile_id, w.device_id, w.from_at, w.alert_id, w.rule_id, w.every_ms, w.last_input, COALESCE(r.every_ms, 0)
		FROM silence w LEFT JOIN silence_rule r ON r.profile_id = w.profile_id AND r.id = w.rule_id
		WHERE w.alert_id <> '' AND (w.profile_id, w.device_id) > ($1, $2) ORDER BY w.profile_id, w.device_id LIMIT $3`, string(after.profile), string(after.device), n)
	return ws, wrap("read silent devices", err)
}

// end ends the silence of a device; false when somebody did before.
func (s *Service) end(ctx context.Context, w wait, now int64) (bool, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM silence WHERE profile_id = $1 AND device_id = $2 AND alert_id = $3`, string(w.profile), string(w.device), string(w.alert))
	if err != nil || n == 0 {
		return false, wrap("end a silence", err)
	}
	_, err = s.db.Exec(ctx, `UPDATE alert SET ended_at = $1 WHERE profile_id = $2 AND id = $3`, now, string(w.profile), string(w.alert))
	return true, wrap("end an alert", err)
}

// adopt gives the silence of a device to another rule.
func (s *Service) adopt(ctx context.Context, p id.Profile, d id.Device, r id.Rule) error {
	_, err := s.db.Exec(ctx, `UPDATE silence SET rule_id = $1 WHERE profile_id = $2 AND device_id = $3 AND alert_id <> ''`, string(r), string(p), string(d))
	return wrap("adopt a silence", err)
}

func (s *Service) setResumed(ctx context.Context, p id.Profile, now int64) error {
	_, err := s.db.Exec(ctx, `INSERT INTO silence_resume (profile_id, at) VALUES ($1, $2)
		ON CONFLICT (profile_id) DO UPDATE SET at = excluded.at`, string(p), now)
	return wrap("begin to wait anew", err)
}

// forgetDevice deletes everything of a device.
func (s *Service) forgetDevice(ctx context.Context, p id.Profile, d id.Device) error {
	for _, q := range []string{
		`DELETE FROM silence WHERE profile_id = $1 AND device_id = $2`,
		`DELETE FROM silence_rule WHERE profile_id = $1 AND device_id = $2`,
		`DELETE FROM alert WHERE profile_id = $1 AND device_id = $2 AND device_id <> ''`,
	} {
		if _, err := s.db.Exec(ctx, q, string(p), string(d)); err != nil {
			return wrap("forget a device", err)
		}
	}
	return nil
}

// lastLook reads when somebody last looked at all rules, 0 for never, and the last span in which no server ran.
func (s *Service) lastLook(ctx context.Context) (looked int64, gap span, err error) {
	type row struct {
		looked int64
		gap    span
	}
	x, _, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x row, err error) { return x, r.Scan(&x.looked, &x.gap.from, &x.gap.to) },
		`SELECT looked_at, gap_from, gap_to FROM silence_look WHERE id = $1`, int64(1))
	return x.looked, x.gap, wrap("read the last look", err)
}

func (s *Service) looked(ctx context.Context, now int64) error {
	_, err := s.db.Exec(sqldb.As(ctx, tenant), `INSERT INTO silence_look (id, looked_at, gap_from, gap_to) VALUES ($1, $2, 0, 0)
		ON CONFLICT (id) DO UPDATE SET looked_at = excluded.looked_at`, int64(1), now)
	return wrap("write the last look", err)
}

func (s *Service) setGap(ctx context.Context, g span) error {
	_, err := s.db.Exec(sqldb.As(ctx, tenant), `UPDATE silence_look SET gap_from = $1, gap_to = $2 WHERE id = $3 AND gap_to < $4`, g.from, g.to, int64(1), g.to)
	return wrap("write a gap", err)
}

// deleteOld deletes a slice of the alerts from before an instant, across profiles.
func (s *Service) deleteOld(ctx context.Context, before int64) (int64, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM alert WHERE (profile_id, id) IN (SELECT profile_id, id FROM alert WHERE created_at < $1 ORDER BY created_at LIMIT 500)`, before)
	return n, wrap("delete old alerts", err)
}

// deleteOldLevels deletes a slice of what was told before an instant, across profiles.
func (s *Service) deleteOldLevels(ctx context.Context, before int64) (int64, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM alert_level WHERE at < $1 AND (profile_id, cycle_start, service, threshold, allowed) IN (
		SELECT profile_id, cycle_start, service, threshold, allowed FROM alert_level WHERE at < $2 ORDER BY at LIMIT 500)`, before, before)
	return n, wrap("delete what was told", err)
}

// deleteOldWaits deletes a slice of the rows of devices whose waiting was begun anew before an instant, across
// profiles.
func (s *Service) deleteOldWaits(ctx context.Context, before int64) (int64, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM silence WHERE alert_id = '' AND (profile_id, device_id) IN (
		SELECT profile_id, device_id FROM silence WHERE alert_id = '' AND from_at < $1 LIMIT 500)`, before)
	return n, wrap("delete old waits", err)
}

// crowded are the profiles that have more than so many alerts, across profiles.
func (s *Service) crowded(ctx context.Context, most int64) ([]id.Profile, error) {
	ps, err := sqldb.All(ctx, s.db, sqldb.Value[id.Profile], `SELECT profile_id FROM alert GROUP BY profile_id HAVING COUNT(*) > $1`, most)
	return ps, wrap("count alerts", err)
}

// trim deletes a slice of the alerts of a profile beyond the latest most.
func (s *Service) trim(ctx context.Context, p id.Profile, most int64) (int64, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM alert WHERE profile_id = $1 AND id IN (
		SELECT id FROM alert WHERE profile_id = $2 ORDER BY created_at DESC, id DESC LIMIT 500 OFFSET $3)`, string(p), string(p), most)
	return n, wrap("delete the oldest alerts", err)
}

// deleteOf deletes a slice of everything of a profile and says how many rows.
func (s *Service) deleteOf(ctx context.Context, p id.Profile) (sum int64, err error) {
	for _, q := range []string{
		`DELETE FROM alert WHERE profile_id = $1 AND id IN (SELECT id FROM alert WHERE profile_id = $2 LIMIT 500)`,
		`DELETE FROM silence WHERE profile_id = $1 AND device_id IN (SELECT device_id FROM silence WHERE profile_id = $2 LIMIT 500)`,
		`DELETE FROM silence_rule WHERE profile_id = $1 AND id IN (SELECT id FROM silence_rule WHERE profile_id = $2 LIMIT 500)`,
		`DELETE FROM alert_level WHERE profile_id = $1 AND profile_id = $2`,
		`DELETE FROM silence_resume WHERE profile_id = $1 AND profile_id = $2`,
	} {
		n, err := s.db.Exec(ctx, q, string(p), string(p))
		if err != nil {
			return sum, wrap("delete the alerts of a profile", err)
		}
		sum += n
	}
	return sum, nil
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
