package histories

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paddock/e2e/server"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// planSize is a plan of the test's catalogue: small, so that every history comes to its limits.
type planSize struct {
	name                   string
	input, output, records int64
	profiles, devices      int64
	posts, gets            int64 // requests a minute to /data; 0 for no limit
}

var plans = []planSize{
	{"p20", 20, 20, 15, 2, 3, 0, 0},
	{"p60", 60, 40, 50, 3, 3, 0, 0},
	{"p200", 200, 150, 120, 3, 4, 0, 0},
	{"p1000", 1000, 1000, 1000, 4, 5, 0, 0},
	{"rated", 300, 300, 300, 3, 4, 12, 8},
}

// catalogue is the test's catalogue file.
func catalogue() string {
	var b strings.Builder
	row := func(name string, value func(p planSize) any) {
		fmt.Fprintf(&b, "  %s: {", name)
		for i, p := range plans {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s: %v", p.name, value(p))
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "default: %s\nplans:\n", plans[0].name)
	for _, p := range plans {
		fmt.Fprintf(&b, "  - {name: %s, report_as: scale, price: 0, transfer: true, audit_filter: true, message_otp: true, run_sso: true}\n", p.name)
	}
	b.WriteString("pool:\n")
	row("input", func(p planSize) any { return p.input })
	row("output", func(p planSize) any { return p.output })
	row("data_records", func(p planSize) any { return p.records })
	for _, s := range []string{"analysis", "sms", "email", "run_users", "push_notification", "file_storage"} {
		row(s, func(planSize) any { return 10 })
	}
	b.WriteString("per_profile:\n")
	row("dashboard_output", func(planSize) any { return 1000 })
	b.WriteString("caps:\n")
	row("device", func(p planSize) any { return p.devices })
	row("profile", func(p planSize) any { return p.profiles })
	for _, c := range []string{"action", "analysis", "dashboard", "entity", "team", "tcore", "tcore_cluster", "connector", "network", "service_authorization", "am", "dictionary", "backup"} {
		row(c, func(planSize) any { return 5 })
	}
	b.WriteString("rates:\n")
	rates := func(group, route string, value func(p planSize) int64) {
		fmt.Fprintf(&b, "  - group: %s\n    routes: [%s]\n    per_minute: {", group, route)
		first := true
		for _, p := range plans {
			if n := value(p); n > 0 {
				if !first {
					b.WriteString(", ")
				}
				first = false
				fmt.Fprintf(&b, "%s: %d", p.name, n)
			}
		}
		b.WriteString("}\n")
	}
	rates("send", "POST /data", func(p planSize) int64 { return p.posts })
	rates("read", "GET /data", func(p planSize) int64 { return p.gets })
	b.WriteString("prices:\n  addons: []\n  services:\n")
	for _, s := range []string{"input", "output", "analysis", "data_records", "sms", "email", "run_users", "push_notification", "file_storage"} {
		fmt.Fprintf(&b, "    %s: []\n", s)
	}
	return b.String()
}

// world is an installation in which histories happen one after the other.
type world struct {
	engine string
	home   *server.Home
	page   *page
	server *server.Server
	eyes   *sql.DB // looks at the database beside the server
	drop   func()
	age    int // histories so far
	logAt  int // where in the log the present history begins
}

// newWorld makes an installation with a running server.
func newWorld(engine, binary string) (w *world, err error) {
	return newWorldWith(engine, binary, catalogue())
}

// newWorldWith is newWorld with a catalogue of its own, that of the binary when it is "", and more variables of the environment.
func newWorldWith(engine, binary, catalogue string, env ...string) (w *world, err error) {
	dir, err := os.MkdirTemp("", "histories-")
	if err != nil {
		return nil, err
	}
	w = &world{engine: engine, drop: func() {}}
	defer func() {
		if err != nil {
			w.close()
			os.RemoveAll(dir)
		}
	}()
	url := ""
	if engine == "postgres" {
		var drop func() error
		if url, drop, err = server.NewDatabase(context.Background(), os.Getenv("TEST_POSTGRES")); err != nil {
			return nil, err
		}
		w.drop = func() { drop() }
	}
	if catalogue != "" {
		file := filepath.Join(dir, "catalogue.yaml")
		if err = os.WriteFile(file, []byte(catalogue), 0o600); err != nil {
			return nil, err
		}
		env = append(env, "PADDOCK_CATALOGUE="+file)
	}
	var faults string
	if w.page, faults, err = newPage(dir, time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)); err != nil {
		return nil, err
	}
	if w.home, err = server.NewHome(binary, dir, url); err != nil {
		return nil, err
	}
	w.home.Env = append(append(w.home.Env, "PADDOCK_FAULTS="+faults), env...)
	if w.server, err = w.home.Serve(); err != nil {
		return nil, err
	}
	driver, source := "pgx", url
	if url == "" {
		driver, source = "sqlite", "file:"+filepath.Join(dir, "data", "paddock.db")+"?_pragma=query_only(1)&_pragma=busy_timeout(10000)&_pragma=wal_autocheckpoint(0)"
	}
	if w.eyes, err = sql.Open(driver, source); err != nil {
		return nil, err
	}
	w.eyes.SetMaxOpenConns(1)
	return w, nil
}

// close ends the installation; its folder stays.
func (w *world) close() {
	if w.server != nil {
		w.server.Kill()
	}
	if w.eyes != nil {
		w.eyes.Close()
	}
	if w.page != nil {
		w.page.close()
	}
	w.drop()
}

// end ends the installation and removes it.
func (w *world) end() {
	w.close()
	os.RemoveAll(w.home.Dir)
}

// restart starts the server again after it has ended, at once, and returns when it is ready and nothing of its
// predecessor runs in the database any more.
func (w *world) restart() error {
	w.page.disarm()
	var old []int64
	if w.engine == "postgres" {
		var err error
		if old, err = w.backends(); err != nil {
			return err
		}
	}
	s, err := w.home.Serve()
	if err != nil {
		return err
	}
	w.server = s
	for range 2000 {
		if len(old) == 0 {
			return nil
		}
		now, err := w.backends()
		if err != nil {
			return err
		}
		old = slices.DeleteFunc(old, func(pid int64) bool { return !slices.Contains(now, pid) })
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("connections of the dead server live on in the database: %v", old)
}

func (w *world) backends() ([]int64, error) {
	rows, err := w.eyes.Query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var pid int64
		if err := rows.Scan(&pid); err != nil {
			return nil, err
		}
		out = append(out, pid)
	}
	return out, rows.Err()
}

// sight is what the database says about an account at one instant.
type sight struct {
	profiles map[string]*row
	departed map[string]int64 // by service, of cycles that run
}

// row is a profile in the database.
type row struct {
	id, name string
	no       int64
	deleted  bool
	purged   bool
	alloc    map[string]int64    // nil without an allocation
	auto     bool                // nobody has posted it
	cycle    *cycle              // the counter; nil without one
	past     []cycle             // the history
	leased   int64               // Σ lease.taken of output
	devices  map[string]string   // id → name
	held     int64               // devices, as counted by held
	chunks   map[string]int64    // Σ chunk.points by device
	points   map[string][]string // texts of the points of each device, those in sight only
}

type cycle struct {
	start, end    int64
	used, allowed map[string]int64 // allowed by the allocation
	over          map[string]int64 // the part of used that was accepted beyond it, and marked
}

// regular is what was used of the account's pool.
func (c *cycle) regular(svc string) int64 { return c.used[svc] - c.over[svc] }

var services = []string{"input", "output", "data_records"}

// look reads everything about an account in one snapshot.
func (w *world) look(account string) (*sight, error) {
	ctx := context.Background()
	opt := &sql.TxOptions{ReadOnly: true}
	if w.engine == "postgres" {
		opt.Isolation = sql.LevelRepeatableRead
	}
	tx, err := w.eyes.BeginTx(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	s := &sight{profiles: map[string]*row{}, departed: map[string]int64{}}
	each := func(query string, arg any, take func(scan func(...any) error) error) {
		if err != nil {
			return
		}
		rows, qerr := tx.Query(query, arg)
		if qerr != nil {
			err = fmt.Errorf("%s: %w", query, qerr)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if err = take(rows.Scan); err != nil {
				return
			}
		}
		err = rows.Err()
	}
	each("SELECT id, no, name, deleted_at IS NOT NULL, purged_at IS NOT NULL FROM profile WHERE account = $1", account, func(scan func(...any) error) error {
		p := &row{devices: map[string]string{}, chunks: map[string]int64{}, points: map[string][]string{}}
		if err := scan(&p.id, &p.no, &p.name, &p.deleted, &p.purged); err != nil {
			return err
		}
		s.profiles[p.id] = p
		return nil
	})
	each("SELECT profile, automatic, input, output, data_records FROM allocation WHERE account = $1", account, func(scan func(...any) error) error {
		var id string
		var auto bool
		var n [3]int64
		if err := scan(&id, &auto, &n[0], &n[1], &n[2]); err != nil {
			return err
		}
		if p := s.profiles[id]; p != nil {
			p.auto, p.alloc = auto, map[string]int64{"input": n[0], "output": n[1], "data_records": n[2]}
		}
		return nil
	})
	now := w.page.now().UnixMilli()
	each("SELECT cycle_end, input, output FROM departed WHERE account = $1", account, func(scan func(...any) error) error {
		var end, in, out int64
		if err := scan(&end, &in, &out); err != nil {
			return err
		}
		if end > now {
			s.departed["input"] += in
			s.departed["output"] += out
		}
		return nil
	})
	const columns = "cycle_start, cycle_end, input_used, output_used, data_records_used, input_allowed, output_allowed, data_records_allowed, input_over, output_over, data_records_over"
	scanCycle := func(scan func(...any) error) (c cycle, err error) {
		var u, a, o [3]int64
		err = scan(&c.start, &c.end, &u[0], &u[1], &u[2], &a[0], &a[1], &a[2], &o[0], &o[1], &o[2])
		c.used, c.allowed, c.over = map[string]int64{}, map[string]int64{}, map[string]int64{}
		for i, svc := range services {
			c.used[svc], c.allowed[svc], c.over[svc] = u[i], a[i]-o[i], o[i]
		}
		return c, err
	}
	for _, p := range s.profiles {
		each("SELECT "+columns+" FROM counter WHERE profile_id = $1", p.id, func(scan func(...any) error) error {
			c, err := scanCycle(scan)
			p.cycle = &c
			return err
		})
		each("SELECT "+columns+" FROM counter_history WHERE profile_id = $1", p.id, func(scan func(...any) error) error {
			c, err := scanCycle(scan)
			p.past = append(p.past, c)
			return err
		})
		each("SELECT taken FROM lease WHERE profile_id = $1 AND service = 'output'", p.id, func(scan func(...any) error) error {
			var n int64
			err := scan(&n)
			p.leased += n
			return err
		})
		if p.deleted {
			continue
		}
		each("SELECT id, name FROM device WHERE profile_id = $1", p.id, func(scan func(...any) error) error {
			var id, name string
			err := scan(&id, &name)
			p.devices[id] = name
			return err
		})
		each("SELECT used FROM held WHERE profile_id = $1 AND resource = 'device'", p.id, func(scan func(...any) error) error {
			return scan(&p.held)
		})
		each("SELECT device_id, points FROM chunk WHERE profile_id = $1", p.id, func(scan func(...any) error) error {
			var d string
			var n int64
			err := scan(&d, &n)
			p.chunks[d] += n
			return err
		})
		// The number comes from our own look above, the texts from the points themselves.
		each(fmt.Sprintf(`SELECT s.device_id, p.txt FROM series s JOIN point p ON p.profile_no = %d AND p.series = s.no
			WHERE s.profile_id = $1`, p.no), p.id, func(scan func(...any) error) error {
			var d, text string
			err := scan(&d, &text)
			p.points[d] = append(p.points[d], text)
			return err
		})
	}
	return s, err
}

// verify runs `paddock verify` beside whatever runs.
func (w *world) verify() error {
	_, err := w.home.Run("", "verify")
	return err
}

// log is what the servers have printed since the history began.
func (w *world) log() string {
	all := w.home.Log()
	return all[min(w.logAt, len(all)):]
}

// mark begins a history in the log.
func (w *world) mark() {
	if info, err := os.Stat(filepath.Join(w.home.Dir, "log")); err == nil {
		w.logAt = int(info.Size())
	}
}
