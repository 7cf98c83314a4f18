package data

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// rig is the rooms up to this one on a real database, with a clock that stands still.
type rig struct {
	*Service
	t        testing.TB
	accounts *account.Service
	now      *clock.Manual
}

var sources = []sqldb.Source{
	audit.Migrations(), mail.Migrations(), account.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(), device.Migrations(), Migrations(),
}

// noon is when tests begin: a Saturday in the middle of a quarter.
var noon = time.Date(2026, 5, 16, 12, 0, 0, 0, time.UTC)

// onBoth runs f on both engines.
func onBoth(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) { f(t, newRig(t, db, clock.NewManual(noon))) })
}

// newRig makes the rooms, as a process that shares the database with others would.
func newRig(t testing.TB, db *sqldb.DB, now *clock.Manual) *rig {
	t.Helper()
	mailer, err := mail.New(db, mail.Config{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	files, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(db, now)
	accounts := account.New(db, log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, now)
	profiles := profile.New(db, accounts, plan.Builtin(), log, files, now)
	tokens := token.New(db, accounts, profiles, log, sealer, now)
	use := usage.New(db, profiles, accounts, log, now)
	devices := device.New(db, profiles, tokens, use, log, now)
	s := New(db, profiles, use, devices, log, now)
	profiles.OnPurge(s.PurgeProfile)
	profiles.OnPurge(devices.PurgeProfile)
	return &rig{Service: s, t: t, accounts: accounts, now: now}
}

var people atomic.Int64

// profile makes an account with a profile on the plan house.
func (r *rig) profile() id.Profile {
	r.t.Helper()
	a, err := r.accounts.Create(context.Background(), auth.SystemCaller(), account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", people.Add(1)), Password: "correct horse battery", Plan: "house",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := r.profiles.Create(context.Background(), auth.SystemCaller(), profile.CreateInput{Name: "App", Account: a.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	return p.ID
}

// tank is a device of a profile.
type tank struct {
	*rig
	p id.Profile
	d id.Device
}

func (r *rig) device(p id.Profile, in device.CreateInput) tank {
	r.t.Helper()
	in.Name = "Tank"
	made, err := r.devices.Create(context.Background(), auth.SystemCaller(), p, in)
	if err != nil {
		r.t.Fatal(err)
	}
	return tank{r, p, made.ID}
}

func (r *rig) mutable(p id.Profile) tank {
	return r.device(p, device.CreateInput{Type: device.Mutable})
}

func (r *rig) immutable(p id.Profile, period device.Period, retention int64) tank {
	return r.device(p, device.CreateInput{Type: device.Immutable, ChunkPeriod: &period, ChunkRetention: &retention})
}

// allow sets what a profile may use of a service, past allocation.
func (r *rig) allow(p id.Profile, s plan.Service, n int64) {
	r.t.Helper()
	if _, err := r.db.Exec(context.Background(), `UPDATE counter SET `+string(s)+`_allowed = $1 WHERE profile_id = $2`, n, p); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) used(p id.Profile, s plan.Service) int64 {
	r.t.Helper()
	c, err := r.usage.Used(context.Background(), p)
	if err != nil {
		r.t.Fatal(err)
	}
	return c.Used.Of(s)
}

// clean fails the test when a figure does not agree with another.
func (r *rig) clean() {
	r.t.Helper()
	findings, _, err := r.Verify(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range findings {
		r.t.Error(f)
	}
}

func (k tank) who() auth.Caller {
	return auth.Caller{Kind: auth.Device, ProfileID: k.p, DeviceID: k.d, Permission: auth.Full}
}

func (k tank) try(body string) (int, error) {
	return k.Store(context.Background(), auth.SystemCaller(), k.p, k.d, []byte(body), "")
}

// send stores points, which must be accepted.
func (k tank) send(body string) {
	k.t.Helper()
	if _, err := k.try(body); err != nil {
		k.t.Fatal(err)
	}
}

// n is a body of n points of one variable.
func n(n int, variable string) string {
	one := fmt.Sprintf(`{"variable":%q,"value":1}`, variable)
	return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]"
}

func parse(t testing.TB, raw string, now time.Time) (query, error) {
	t.Helper()
	q, err := web.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return parseQuery(q, now)
}

func (k tank) ask(raw string) (string, error) {
	k.t.Helper()
	q, err := parse(k.t, raw, k.now.Now())
	if err != nil {
		return "", err
	}
	a, err := k.Query(context.Background(), k.who(), k.p, k.d, q)
	return string(a.json), err
}

// answer is the JSON of a query that must be answered.
func (k tank) answer(raw string) string {
	k.t.Helper()
	s, err := k.ask(raw)
	if err != nil {
		k.t.Fatalf("%s: %v", raw, err)
	}
	return s
}

// rows are the rows of an answer.
func (k tank) rows(raw string) []map[string]any {
	k.t.Helper()
	var out []map[string]any
	if err := json.Unmarshal([]byte(k.answer(raw)), &out); err != nil {
		k.t.Fatalf("%s: %v", raw, err)
	}
	return out
}

// values are the values of an answer's rows.
func (k tank) values(raw string) string {
	k.t.Helper()
	var out []string
	for _, r := range k.rows(raw) {
		out = append(out, fmt.Sprint(r["value"]))
	}
	return strings.Join(out, " ")
}

func (k tank) delete(raw string) (int64, error) {
	k.t.Helper()
	q, err := parse(k.t, raw, k.now.Now())
	if err != nil {
		return 0, err
	}
	return k.Delete(context.Background(), k.who(), k.p, k.d, q)
}

func (k tank) amount() int64 {
	k.t.Helper()
	n, err := k.Amount(context.Background(), auth.SystemCaller(), k.p, k.d)
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// refused fails the test unless err is a fault of the code whose message has the words.
func refused(t testing.TB, err error, code fault.Code, words string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("error is %v, want %s", err, code)
	}
	if m := fault.Of(err).Message; !strings.Contains(m, words) {
		t.Fatalf("message is %q, want it to say %q", m, words)
	}
}

func esc(s string) string { return url.QueryEscape(s) }

func profileOf(a id.Account) profile.CreateInput {
	return profile.CreateInput{Name: "Other", Account: a}
}
