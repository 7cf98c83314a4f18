package device

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
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

// house is the rooms up to this one on a real database, behind a real server.
type house struct {
	*Service
	t        *testing.T
	db       *sqldb.DB
	clk      *clock.Manual
	log      *audit.Log
	accounts *account.Service
	url      string
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), token.Migrations(), usage.Migrations(), Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &house{t: t, db: db, clk: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
		h.log = audit.New(db, h.clk)
		mailer, err := mail.New(db, mail.Config{Clock: h.clk})
		must(t, err)
		h.accounts = account.New(db, h.log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, h.clk)
		files, err := blob.OpenFolder(t.TempDir())
		must(t, err)
		t.Cleanup(func() { files.Close() })
		profiles := profile.New(db, h.accounts, plan.Builtin(), h.log, files, h.clk)
		sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
		must(t, err)
		tokens := token.New(db, h.accounts, profiles, h.log, sealer, h.clk)
		h.Service = New(db, profiles, tokens, usage.New(db, profiles, h.accounts, h.log, h.clk), h.log, h.clk)
		h.serve()
		f(t, h)
	})
}

// serve starts a server in front of the room; again, as after a restart, when there was one.
func (h *house) serve() {
	s := web.NewServer(web.Config{Log: slog.New(slog.DiscardHandler), Clock: h.clk,
		Authenticate: func(ctx context.Context, c web.Credential) (auth.Caller, error) {
			return h.tokens.Authenticate(ctx, c.Token, c.Addr)
		}}, append(h.tokens.Routes(), h.Routes()...))
	s.Observe(h.Observe)
	srv := httptest.NewServer(s.Handler())
	h.t.Cleanup(srv.Close)
	h.url = srv.URL
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, code fault.Code, part string) {
	t.Helper()
	if !fault.Is(err, code) || !strings.Contains(err.Error(), part) {
		t.Fatalf("got %v, want %s with %q", err, code, part)
	}
}

// person is an account with one profile and a token that reaches the account.
type person struct {
	auth.Caller
	token string
}

var people int

func (h *house) person(t *testing.T, plan string) person {
	t.Helper()
	people++
	a, err := h.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{
		Name: "Ada", Email: fmt.Sprintf("ada%d@example.test", people), Password: "correct horse battery", Plan: plan})
	must(t, err)
	p := person{Caller: auth.Caller{Kind: auth.Session, AccountID: a.ID, OwnerID: a.ID, Role: auth.Owner, Permission: auth.Full, Reach: auth.ReachAccount}}
	return h.in(t, p, h.profile(t, p))
}

func (h *house) profile(t *testing.T, p person) id.Profile {
	t.Helper()
	made, err := h.profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Main", Account: p.AccountID})
	must(t, err)
	return made.ID
}

// in is p acting in another profile.
func (h *house) in(t *testing.T, p person, in id.Profile) person {
	t.Helper()
	p.ProfileID = in
	p.token = h.mint(t, p, auth.Full)
	return p
}

func (h *house) mint(t *testing.T, p person, perm auth.Permission) string {
	t.Helper()
	m, err := h.tokens.Mint(t.Context(), p.Caller, token.MintInput{Profile: p.ProfileID, Account: p.AccountID, Name: "test", Permission: perm, Reach: auth.ReachAccount})
	must(t, err)
	return m.Token
}

func (h *house) device(t *testing.T, p person, in CreateInput) Created {
	t.Helper()
	if in.Name == "" {
		in.Name = "Barn"
	}
	c, err := h.Create(t.Context(), p.Caller, p.ProfileID, in)
	must(t, err)
	return c
}

type answer struct {
	status  int
	raw     json.RawMessage
	Result  any
	Message string
}

func (h *house) call(t *testing.T, method, path, token string, body any) answer {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		text, err := json.Marshal(body)
		must(t, err)
		r = bytes.NewReader(text)
	}
	q, err := http.NewRequest(method, h.url+path, r)
	must(t, err)
	q.Header.Set("token", token)
	p, err := http.DefaultClient.Do(q)
	must(t, err)
	defer p.Body.Close()
	a := answer{status: p.StatusCode}
	a.raw, err = io.ReadAll(p.Body)
	must(t, err)
	if err := json.Unmarshal(a.raw, &a); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a.raw)
	}
	return a
}

func (a answer) want(t *testing.T, status int, message string) answer {
	t.Helper()
	got := a.Message
	if s, ok := a.Result.(string); ok {
		got = s
	}
	if a.status != status || !strings.Contains(got, message) {
		t.Fatalf("got %d %s, want %d %q", a.status, a.raw, status, message)
	}
	return a
}

func (a answer) row() map[string]any { m, _ := a.Result.(map[string]any); return m }
func (a answer) text(key string) string {
	s, _ := a.row()[key].(string)
	return s
}

func (a answer) rows(t *testing.T) []map[string]any {
	t.Helper()
	l, ok := a.Result.([]any)
	if !ok {
		t.Fatalf("not a list: %s", a.raw)
	}
	out := make([]map[string]any, len(l))
	for i, v := range l {
		out[i] = v.(map[string]any)
	}
	return out
}

func keys(m map[string]any) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func ptr[T any](v T) *T { return &v }

func TestCreateDevice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		long := strings.Repeat("x", 101)
		many := func(n int, of map[string]any) []map[string]any {
			out := make([]map[string]any, n)
			for i := range out {
				out[i] = of
			}
			return out
		}
		t.Run("what does not fit is refused by name and makes nothing", func(t *testing.T) {
			for _, c := range []struct{ body, message string }{
				{`{}`, "name: is required"},
				{`{"name":"  "}`, "name: is required"},
				{`{"name":7}`, "name"},
				{`{"name":"` + long + `"}`, "name: must have at most 100 characters, has 101"},
				{`{"name":"a\u0007"}`, "name: must not contain control characters"},
				{`{"name":"a","type":"hybrid"}`, `type: "hybrid" is not available here`},
				{`{"name":"a","type":"legacy"}`, `type: "legacy" is not available here`},
				{`{"name":"a","type":"x"}`, "type: must be mutable or immutable"},
				{`{"name":"a","type":"mutable","chunk_period":"day"}`, "chunk_period: is for immutable devices"},
				{`{"name":"a","chunk_retention":3}`, "chunk_retention: is for immutable devices"},
				{`{"name":"a","type":"immutable"}`, "chunk_period: is required"},
				{`{"name":"a","type":"immutable","chunk_period":"hour","chunk_retention":1}`, "chunk_period: must be day"},
				{`{"name":"a","type":"immutable","chunk_period":"day"}`, "chunk_retention: is required"},
				{`{"name":"a","type":"immutable","chunk_period":"day","chunk_retention":32}`, "chunk_retention: must be 0 to 31"},
				{`{"name":"a","type":"immutable","chunk_period":"week","chunk_retention":27}`, "chunk_retention: must be 0 to 26"},
				{`{"name":"a","type":"immutable","chunk_period":"month","chunk_retention":37}`, "chunk_retention: must be 0 to 36"},
				{`{"name":"a","type":"immutable","chunk_period":"quarter","chunk_retention":37}`, "chunk_retention: must be 0 to 36"},
				{`{"name":"a","type":"immutable","chunk_period":"day","chunk_retention":-1}`, "chunk_retention: must be 0 to 31"},
				{`{"name":"a","type":"immutable","chunk_period":"day","chunk_retention":1.5}`, "chunk_retention"},
				{`{"name":"a","connector":"xyz"}`, "connector: must be an id"},
				{`{"name":"a","network":"5F0C0FFEE0000000000A0001"}`, "network: must be an id"},
				{`{"name":"a","description":"` + strings.Repeat("x", 1001) + `"}`, "description: must have at most 1000"},
				{`{"name":"a","tags":[{"key":"","value":"v"}]}`, "tags[0].key: is required"},
				{`{"name":"a","tags":[{"key":"k","value":"v"},{"key":"` + long + `"}]}`, "tags[1].key: must have at most"},
				{`{"name":"a","tags":{"k":"v"}}`, "tags"},
				{`{"name":"a","configuration_params":[{"key":"k"}]}`, "configuration_params[0].value: is required"},
				{`{"name":"a","configuration_params":[{"value":"v"}]}`, "configuration_params[0].key: is required"},
				{`{"name":"a","configuration_params":[{"key":"k","value":"` + strings.Repeat("x", 6001) + `"}]}`, "configuration_params[0].value: must have at most 6000"},
				{`{"name":"a","payload_decoder":"%%%"}`, "payload_decoder: must be base64"},
				{`{"name":"a","rpm":{"data_input":0}}`, "rpm.data_input: must be 1 to"},
				{`{"name":"a","serie_number":"` + long + `"}`, "serie_number: must have at most"},
				{`[]`, "body: must be an object"},
				{`{"name":"a","name":"b"}`, "name"},
			} {
				h.call(t, "POST", "/device", p.token, c.body).want(t, 400, c.message)
			}
			h.call(t, "POST", "/device", p.token, map[string]any{"name": "a", "tags": many(31, map[string]any{"key": "k", "value": "v"})}).
				want(t, 400, "tags: a device holds at most 30 tags, got 31")
			h.call(t, "POST", "/device", p.token, map[string]any{"name": "a", "configuration_params": many(61, map[string]any{"key": "k", "value": "v"})}).
				want(t, 400, "configuration_params: a device holds at most 60 parameters, got 61")
			if l := h.call(t, "GET", "/device", p.token, nil).rows(t); len(l) != 0 {
				t.Errorf("%d devices were made", len(l))
			}
			if n, err := h.count(t.Context(), p.ProfileID); n != 0 || err != nil {
				t.Error(n, err)
			}
		})
		t.Run("a mutable device shows every key, nulls included", func(t *testing.T) {
			r := h.call(t, "POST", "/device", p.token, map[string]any{"name": "Barn"}).want(t, 201, "")
			if !id.Valid(r.text("device_id")) || r.text("bucket_id") != r.text("device_id") || r.text("deviceID") != r.text("device_id") || len(r.text("token")) != 36 {
				t.Fatal(r.Result)
			}
			d := h.call(t, "GET", "/device/"+r.text("device_id"), p.token, nil).want(t, 200, "").row()
			if got := keys(d); got != "active bucket connector created_at description id last_input name network payload_decoder profile rpm tags type updated_at visible" {
				t.Error(got)
			}
			for _, k := range []string{"connector", "network", "description", "last_input", "payload_decoder", "rpm"} {
				if d[k] != nil {
					t.Errorf("%s is %v", k, d[k])
				}
			}
			if d["type"] != "mutable" || d["active"] != true || d["visible"] != true || d["profile"] != string(p.ProfileID) ||
				d["created_at"] != "2026-11-22T09:00:00.000Z" || fmt.Sprint(d["bucket"]) != fmt.Sprint(map[string]any{"id": r.text("device_id"), "name": "Barn"}) {
				t.Error(d)
			}
			if tags, ok := d["tags"].([]any); !ok || len(tags) != 0 {
				t.Error("tags are not []")
			}
		})
		t.Run("an immutable device keeps all it was given", func(t *testing.T) {
			r := h.call(t, "POST", "/device", p.token, map[string]any{"name": "Süd", "type": "immutable", "chunk_period": "quarter", "chunk_retention": 36,
				"connector": "65f0c0ffee0000000000c001", "network": "65f0c0ffee0000000000d001", "description": "line\nline", "active": false, "visible": false,
				"tags": []Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}, "configuration_params": []map[string]any{{"key": "k", "value": "", "sent": true}},
				"payload_decoder": "YQ==", "rpm": map[string]any{"data_input": 5}, "serie_number": "SN"}).want(t, 201, "")
			d := h.call(t, "GET", "/device/"+r.text("device_id"), p.token, nil).want(t, 200, "").row()
			if d["type"] != "immutable" || d["chunk_period"] != "quarter" || d["chunk_retention"] != 36.0 || d["connector"] != "65f0c0ffee0000000000c001" ||
				d["network"] != "65f0c0ffee0000000000d001" || d["description"] != "line\nline" || d["active"] != false || d["visible"] != false || d["payload_decoder"] != "YQ==" ||
				fmt.Sprint(d["rpm"]) != "map[data_input:5 data_output:<nil>]" || fmt.Sprint(d["tags"]) != "[map[key:b value:2] map[key:a value:1]]" {
				t.Error(d)
			}
			l := h.call(t, "GET", "/device/"+r.text("device_id")+"/params", p.token, nil).rows(t)
			if len(l) != 1 || l[0]["key"] != "k" || l[0]["value"] != "" || l[0]["sent"] != true || !id.Valid(l[0]["id"].(string)) {
				t.Error(l)
			}
			l = h.call(t, "GET", "/device/token/"+r.text("device_id"), p.token, nil).rows(t)
			if len(l) != 1 || l[0]["token"] != r.text("token") || l[0]["serie_number"] != "SN" || l[0]["device_id"] != r.text("device_id") || l[0]["permission"] != "full" {
				t.Error(l)
			}
		})
		t.Run("a serial number is unique in its profile only", func(t *testing.T) {
			h.call(t, "POST", "/device", p.token, map[string]any{"name": "again", "serie_number": "SN"}).want(t, 409, `serie_number: "SN"`)
			q := h.person(t, "house")
			h.call(t, "POST", "/device", q.token, map[string]any{"name": "again", "serie_number": "SN"}).want(t, 201, "")
			second := h.in(t, p, h.profile(t, p))
			h.call(t, "POST", "/device", second.token, map[string]any{"name": "again", "serie_number": "SN"}).want(t, 201, "")
		})
		t.Run("the first token reaches its device and is never expired", func(t *testing.T) {
			c := h.device(t, p, CreateInput{})
			r := h.call(t, "GET", "/info", c.Token, nil).want(t, 200, "").row()
			if got := keys(r); r["id"] != string(c.ID) ||
				got != "active bucket connector created_at description id inspected_at last_input last_output name network payload_decoder profile tags type updated_at visible" {
				t.Error(got)
			}
			h.call(t, "GET", "/device", c.Token, nil).want(t, 401, "Authorization Denied")
		})
	})
}

func TestDeviceCap(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "free")
		made := []Created{}
		for range 5 {
			made = append(made, h.device(t, p, CreateInput{}))
		}
		h.call(t, "POST", "/device", p.token, map[string]any{"name": "sixth"}).want(t, 402, "You have exceeded the maximum limit of devices (5)")
		if l := h.call(t, "GET", "/device", p.token, nil).rows(t); len(l) != 5 {
			t.Errorf("%d devices", len(l))
		}
		h.call(t, "DELETE", "/device/"+string(made[0].ID), p.token, nil).want(t, 200, "Successfully Removed")
		h.call(t, "POST", "/device", p.token, map[string]any{"name": "sixth"}).want(t, 201, "")
		h.call(t, "POST", "/device", p.token, map[string]any{"name": "seventh"}).want(t, 402, "You have exceeded the maximum limit of devices (5)")
	})
}

func TestListDevices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		other := h.in(t, p, h.profile(t, p))
		h.device(t, other, CreateInput{Name: "Alpha of another profile", Serial: ptr("S-1"), Tags: []Tag{{Key: "type", Value: "sensor"}}})
		ids := map[string]id.Device{}
		for _, in := range []CreateInput{
			{Name: "Alpha", Tags: []Tag{{Key: "type", Value: "sensor"}, {Key: "site", Value: "North 1"}}, Serial: ptr("S-1")},
			{Name: "beta", Tags: []Tag{{Key: "type", Value: "gateway"}, {Key: "site", Value: "north 2"}}, Active: ptr(false), Description: ptr("In the yard")},
			{Name: "Gamma_1", Type: Immutable, ChunkPeriod: ptr(Day), ChunkRetention: ptr(int64(0)), Visible: ptr(false), PayloadDecoder: ptr("YQ==")},
			{Name: "ÄRGER 100%", Connector: ptr("65f0c0ffee0000000000c001"), Network: ptr("65f0c0ffee0000000000d001")},
		} {
			ids[in.Name] = h.device(t, p, in).ID
			h.clk.Advance(time.Hour)
		}
		h.Touch(p.ProfileID, ids["beta"], true, false)
		must(t, h.Flush(t.Context()))
		h.clk.Advance(time.Minute)
		names := func(q string) string {
			t.Helper()
			var out []string
			for _, r := range h.call(t, "GET", "/device?"+q, p.token, nil).want(t, 200, "").rows(t) {
				out = append(out, r["name"].(string))
			}
			return strings.Join(out, ",")
		}
		for q, want := range map[string]string{
			"fields[0]=id&fields[1]=name&fields[2]=tags&page=1&amount=20&orderBy=name,asc&resolveBucketName=false&resolveConnectorName=false": "Alpha,beta,Gamma_1,ÄRGER 100%",
			"orderBy=name,desc&filter[visible]=true":  "ÄRGER 100%,beta,Alpha",
			"orderBy=created_at,desc&amount=2":        "ÄRGER 100%,Gamma_1",
			"orderBy=created_at,desc&amount=2&page=2": "beta,Alpha",
			"page=0":                            "Alpha,beta,Gamma_1,ÄRGER 100%",
			"filter[name]=*A*":                  "Alpha,beta,Gamma_1",
			"filter[name]=ALPHA":                "Alpha",
			"filter[name]=Alph":                 "",
			"filter[name]=%C3%A4rger%20100%25":  "ÄRGER 100%",
			"filter[name]=gamma_*":              "Gamma_1",
			"filter[name]=gamm_*":               "",
			"filter[name]=%25":                  "",
			"filter[name]=":                     "Alpha,beta,Gamma_1,ÄRGER 100%",
			"filter[active]=false":              "beta",
			"filter[active]=0":                  "beta",
			"filter[visible]=false":             "Gamma_1",
			"filter[type]=immutable":            "Gamma_1",
			"filter[id]=" + string(ids["beta"]): "beta",
			"filter[id][0]=" + string(ids["beta"]) + "&filter[id][1]=" + string(ids["Alpha"]): "Alpha,beta",
			"filter[bucket]=" + string(ids["beta"]):                                           "beta",
			"filter[id]=":                                                                     "",
			"filter[connector]=65f0c0ffee0000000000c001":                                      "ÄRGER 100%",
			"filter[network]=65f0c0ffee0000000000d001":                                        "ÄRGER 100%",
			"filter[connector]=":                                                              "Alpha,beta,Gamma_1",
			"filter[description]=*YARD":                                                       "beta",
			"filter[profile]=" + string(other.ProfileID):                                      "",
			"filter[tags][0][key]=type":                                                       "Alpha,beta",
			"filter[tags][0][key]=type&filter[tags][0][value]=sensor":                         "Alpha",
			"filter[tags][0][value]=north*":                                                   "Alpha,beta",
			"filter[tags][0][key]=t*&filter[tags][1][value]=north%202":                        "beta",
			"filter[tags][0][key]=type&filter[tags][0][value]=north%201":                      "",
			"filter[tags][0][key]=nope":                                                       "",
			"serial=S-1":                                                                      "Alpha",
			"serial=s*":                                                                       "Alpha",
			"serial=nope":                                                                     "",
			"filter[last_input]=1%20hour":                                                     "beta",
			"filter[last_input]=":                                                             "Alpha,Gamma_1,ÄRGER 100%",
			"filter[created_at]=2026-11-22T11:00:00.000Z":                                     "Gamma_1,ÄRGER 100%",
			"filter[created_at]=%3C2026-11-22T11:00:00.000Z":                                  "Alpha,beta",
			"filter[created_at]=90%20minutes":                                                 "ÄRGER 100%",
			"filter[updated_at]=90%20minutes":                                                 "ÄRGER 100%",
			"tcore=65f0c0ffee0000000000c001":                                                  "",
		} {
			if got := names(q); got != want {
				t.Errorf("%s: %q, want %q", q, got, want)
			}
		}
		for q, message := range map[string]string{
			"filter[color]=red":                        "filter[color]: is not a known filter",
			"orderBy=color,asc":                        "orderBy: cannot order",
			"orderBy=name,up":                          "orderBy: direction",
			"filter[active]=maybe":                     "filter[active]: must be true or false",
			"filter[tags]=x":                           "filter[tags]: must be a list",
			"filter[tags][0][color]=x":                 "filter[tags][0][color]: must be key or value",
			"filter[tags][0]=x":                        "filter[tags][0]",
			"filter[created_at]=soon":                  "filter[created_at]: must be a date",
			"filter[id][x]=1":                          "filter[id]: must be an id or a list",
			"filter[name]=" + strings.Repeat("x", 201): "filter[name]: must have at most 200",
			"serial=" + strings.Repeat("x", 201):       "serial: must have at most 200",
			"page=x":                                   "page: must be a whole number",
		} {
			h.call(t, "GET", "/device?"+q, p.token, nil).want(t, 400, message)
		}
		t.Run("fields choose the members; id and tags are always there", func(t *testing.T) {
			row := h.call(t, "GET", "/device?fields[0]=name&filter[name]=alpha", p.token, nil).rows(t)[0]
			if keys(row) != "id name tags" {
				t.Error(keys(row))
			}
			row = h.call(t, "GET", "/device?fields[0]=bucket&fields[1]=nonsense&filter[name]=alpha", p.token, nil).rows(t)[0]
			if keys(row) != "bucket id tags" || row["bucket"] != row["id"] {
				t.Error(row)
			}
			row = h.call(t, "GET", "/device?fields[0]=bucket&filter[name]=alpha&resolveBucketName=true", p.token, nil).rows(t)[0]
			if b, _ := row["bucket"].(map[string]any); b["name"] != "Alpha" {
				t.Error(row)
			}
			row = h.call(t, "GET", "/device?fields[0]=payload_decoder&filter[name]=gamma*", p.token, nil).rows(t)[0]
			if row["payload_decoder"] != "YQ==" {
				t.Error(row)
			}
			row = h.call(t, "GET", "/device?filter[name]=gamma*", p.token, nil).rows(t)[0]
			if _, ok := row["payload_decoder"]; ok || row["chunk_period"] != "day" || row["chunk_retention"] != 0.0 {
				t.Error(row)
			}
		})
	})
}

func TestListMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		const n = 1203
		must(t, h.db.Tx(t.Context(), func(ctx context.Context) error {
			for i := range n {
				d := Device{Profile: p.ProfileID, ID: id.New[id.Device](), Name: fmt.Sprintf("d%04d", i), Type: Mutable, Tags: []Tag{{Key: "n", Value: fmt.Sprint(i)}}}
				if err := h.insert(ctx, d); err != nil {
					return err
				}
			}
			return nil
		}))
		seen := 0
		for page := 1; page <= 2; page++ {
			for _, r := range h.call(t, "GET", fmt.Sprintf("/device?amount=1000&page=%d&orderBy=name,asc", page), p.token, nil).rows(t) {
				if want := fmt.Sprintf("[map[key:n value:%d]]", seen); fmt.Sprint(r["tags"]) != want || r["name"] != fmt.Sprintf("d%04d", seen) {
					t.Fatalf("%v has tags %v, want %s", r["name"], r["tags"], want)
				}
				seen++
			}
		}
		if seen != n {
			t.Error(seen)
		}
		if l := h.call(t, "GET", "/device?amount=10000", p.token, nil).rows(t); len(l) != n {
			t.Error(len(l))
		}
		t.Run("a deleted profile is purged in slices", func(t *testing.T) {
			must(t, h.insertRefusals(t.Context(), []Request{{profile: p.ProfileID, device: "", ID: "r", Dead: "revoked"}}))
			rounds := 0
			for done := false; !done; rounds++ {
				var err error
				done, err = h.PurgeProfile(t.Context(), profile.Profile{ID: p.ProfileID})
				must(t, err)
			}
			for _, table := range []string{"device", "device_tag", "device_refusal"} {
				var left int
				must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE profile_id = $1`, p.ProfileID).Scan(&left))
				if left != 0 {
					t.Errorf("%d rows of %s are left", left, table)
				}
			}
			if rounds < n/purgeRows {
				t.Errorf("only %d slices", rounds)
			}
		})
	})
}

func TestEditDevice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{Tags: []Tag{{Key: "a", Value: "1"}}, Description: ptr("x"), Connector: ptr("65f0c0ffee0000000000c001")})
		path := "/device/" + string(c.ID)
		get := func() map[string]any { return h.call(t, "GET", path, p.token, nil).want(t, 200, "").row() }
		t.Run("only what is sent changes", func(t *testing.T) {
			h.clk.Advance(time.Minute)
			h.call(t, "PUT", path, p.token, map[string]any{"name": "Stall"}).want(t, 200, "Successfully Updated")
			d := get()
			if d["name"] != "Stall" || d["description"] != "x" || d["connector"] != "65f0c0ffee0000000000c001" || fmt.Sprint(d["tags"]) != "[map[key:a value:1]]" ||
				d["updated_at"] != "2026-11-22T09:01:00.000Z" || d["created_at"] != "2026-11-22T09:00:00.000Z" {
				t.Error(d)
			}
			if got := h.call(t, "GET", "/device?filter[name]=stall", p.token, nil).rows(t); len(got) != 1 {
				t.Error("the new name is not found")
			}
		})
		t.Run("what was read can be sent back", func(t *testing.T) {
			d := get()
			h.call(t, "PUT", path, p.token, d).want(t, 200, "Successfully Updated")
			after := get()
			delete(d, "updated_at")
			delete(after, "updated_at")
			if fmt.Sprint(d) != fmt.Sprint(after) {
				t.Error(d, after)
			}
		})
		t.Run("null clears, tags are replaced as a whole", func(t *testing.T) {
			h.call(t, "PUT", path, p.token, `{"description":null,"connector":null,"network":null,"tags":[{"key":"b","value":""}],"rpm":{"data_output":9}}`).want(t, 200, "")
			d := get()
			if d["description"] != nil || d["connector"] != nil || fmt.Sprint(d["tags"]) != "[map[key:b value:]]" || fmt.Sprint(d["rpm"]) != "map[data_input:<nil> data_output:9]" {
				t.Error(d)
			}
			h.call(t, "PUT", path, p.token, `{"tags":[],"rpm":null}`).want(t, 200, "")
			if d := get(); fmt.Sprint(d["tags"]) != "[]" || d["rpm"] != nil {
				t.Error(d)
			}
		})
		t.Run("what does not fit is refused by name and changes nothing", func(t *testing.T) {
			before := get()
			for body, message := range map[string]string{
				`{"name":""}`: "name: is required",
				`{"connector":"65f0c0ffee0000000000c001"}`:            "connector: connector and network are changed together only",
				`{"network":"65f0c0ffee0000000000c001"}`:              "network: connector and network are changed together only",
				`{"connector":"x","network":"x"}`:                     "connector: must be an id",
				`{"type":"immutable"}`:                                "type: cannot be edited",
				`{"chunk_period":"day"}`:                              "chunk_period: cannot be edited",
				`{"chunk_retention":5}`:                               "chunk_retention: is for immutable devices",
				`{"active":"yes"}`:                                    "active",
				`{"tags":[{"key":""}]}`:                               "tags[0].key: is required",
				`{"rpm":{"data_input":-1}}`:                           "rpm.data_input: must be",
				`{"payload_decoder":"%"}`:                             "payload_decoder: must be base64",
				`{"description":"` + strings.Repeat("x", 1001) + `"}`: "description: must have",
			} {
				h.call(t, "PUT", path, p.token, body).want(t, 400, message)
			}
			if after := get(); fmt.Sprint(before) != fmt.Sprint(after) {
				t.Error(before, after)
			}
		})
		t.Run("a switched-off device is refused everything, at once, and back when on", func(t *testing.T) {
			h.call(t, "GET", "/device/params", c.Token, nil).want(t, 200, "")
			h.call(t, "PUT", path, p.token, `{"active":false}`).want(t, 200, "")
			for _, r := range []string{"/info", "/device/params"} {
				h.call(t, "GET", r, c.Token, nil).want(t, 403, "Device not found or inactive")
			}
			_, err := h.Ingest(t.Context(), p.ProfileID, c.ID)
			want(t, err, fault.Forbidden, "Device not found or inactive")
			v, err := h.View(t.Context(), p.Caller, p.ProfileID, c.ID)
			must(t, err)
			if v.Active || v.Type != Mutable || v.ProfileNo == 0 {
				t.Errorf("%+v", v)
			}
			h.call(t, "PUT", path, p.token, `{"active":true}`).want(t, 200, "")
			h.call(t, "GET", "/info", c.Token, nil).want(t, 200, "")
		})
		t.Run("the retention of an immutable device can be edited, its period cannot", func(t *testing.T) {
			c := h.device(t, p, CreateInput{Type: Immutable, ChunkPeriod: ptr(Week), ChunkRetention: ptr(int64(1))})
			path := "/device/" + string(c.ID)
			h.call(t, "PUT", path, p.token, `{"chunk_retention":26}`).want(t, 200, "")
			if v, err := h.View(t.Context(), p.Caller, p.ProfileID, c.ID); err != nil || v.ChunkRetention != 26 || v.ChunkPeriod != Week {
				t.Errorf("%+v %v", v, err)
			}
			h.call(t, "PUT", path, p.token, `{"chunk_retention":27}`).want(t, 400, "chunk_retention: must be 0 to 26")
			h.call(t, "PUT", path, p.token, `{"chunk_period":"day"}`).want(t, 400, "chunk_period: cannot be edited")
		})
		t.Run("each change has its audit entry", func(t *testing.T) {
			es, err := h.log.List(t.Context(), p.ProfileID, audit.Filter{Resource: "device", ResourceID: string(c.ID)})
			must(t, err)
			var edits int
			for _, e := range es {
				if strings.Contains(e.Message, "edited") {
					edits++
				}
			}
			if edits != 6 {
				t.Error(edits)
			}
		})
	})
}

func TestConvert(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{})
		path := "/device/" + string(c.ID)
		full := true
		h.OnConvert(func(context.Context, id.Profile, id.Device) error {
			if full {
				return fault.New(fault.Conflict, "The device must be empty")
			}
			return nil
		})
		body := `{"type":"immutable","chunk_period":"day","chunk_retention":3}`
		h.call(t, "POST", path+"/convert", p.token, `{}`).want(t, 400, "type: is required")
		h.call(t, "POST", path+"/convert", p.token, `{"type":"immutable"}`).want(t, 400, "chunk_period: is required")
		h.call(t, "POST", path+"/convert", p.token, body).want(t, 409, "must be inactive")
		h.call(t, "PUT", path, p.token, `{"active":false}`).want(t, 200, "")
		h.call(t, "POST", path+"/convert", p.token, body).want(t, 409, "must be empty")
		full = false
		h.call(t, "POST", path+"/convert", p.token, body).want(t, 200, "Device type/chunk was converted")
		if v, err := h.View(t.Context(), p.Caller, p.ProfileID, c.ID); err != nil || v.Type != Immutable || v.ChunkPeriod != Day || v.ChunkRetention != 3 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

func TestDeleteDevice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		t.Run("a protected device stays, and the tag's value is the answer", func(t *testing.T) {
			for _, c := range []struct {
				tag     Tag
				message string
			}{{Tag{Key: "_delete_protection_", Value: "Ask Ada first"}, "Ask Ada first"}, {Tag{Key: "_delete_protection_", Value: ""}, "_delete_protection_"},
				{Tag{Key: "_deletion_protection", Value: "x"}, "_deletion_protection"}, {Tag{Key: "_delete_protection_", Value: "100%s"}, "100%s"}} {
				d := h.device(t, p, CreateInput{Tags: []Tag{{Key: "a", Value: "b"}, c.tag}})
				path := "/device/" + string(d.ID)
				h.call(t, "DELETE", path, p.token, nil).want(t, 403, c.message)
				h.call(t, "GET", path, p.token, nil).want(t, 200, "")
				h.call(t, "GET", "/info", d.Token, nil).want(t, 200, "")
				h.call(t, "PUT", path, p.token, `{"tags":[]}`).want(t, 200, "")
				h.call(t, "DELETE", path, p.token, nil).want(t, 200, "Successfully Removed")
			}
		})
		t.Run("its tokens, parameters and tags end with it; a hook's refusal keeps all", func(t *testing.T) {
			d := h.device(t, p, CreateInput{Tags: []Tag{{Key: "a", Value: "b"}}, Params: []ParamInput{{Key: ptr("k"), Value: ptr("v")}}, Serial: ptr("SN")})
			more, err := h.tokens.CreateDevice(t.Context(), p.Caller, p.ProfileID, d.ID, token.DeviceInput{Name: "second"})
			must(t, err)
			path := "/device/" + string(d.ID)
			refuse, called := true, 0
			h.OnDelete(func(_ context.Context, of id.Profile, dev id.Device) error {
				if called++; of != p.ProfileID || dev != d.ID {
					t.Error(of, dev)
				}
				if refuse {
					return fault.New(fault.Conflict, "not now")
				}
				return nil
			})
			h.call(t, "GET", "/info", d.Token, nil).want(t, 200, "")
			h.call(t, "DELETE", path, p.token, nil).want(t, 409, "not now")
			h.call(t, "GET", "/info", d.Token, nil).want(t, 200, "")
			refuse = false
			h.call(t, "DELETE", path, p.token, nil).want(t, 200, "Successfully Removed")
			if called != 2 {
				t.Error(called)
			}
			for _, s := range []string{d.Token, more.Token} {
				h.call(t, "GET", "/info", s, nil).want(t, 401, "Authorization Denied")
			}
			h.call(t, "GET", path, p.token, nil).want(t, 404, "Device Not Found")
			h.call(t, "DELETE", path, p.token, nil).want(t, 404, "Device Not Found")
			for _, table := range []string{"device_tag", "device_param"} {
				var left int
				must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE profile_id = $1 AND device_id = $2`, p.ProfileID, d.ID).Scan(&left))
				if left != 0 {
					t.Errorf("%d rows of %s are left", left, table)
				}
			}
			h.device(t, p, CreateInput{Serial: ptr("SN")})
		})
	})
}

func TestParams(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{})
		path := "/device/" + string(c.ID) + "/params"
		list := func(q string) string {
			t.Helper()
			var out []string
			for _, r := range h.call(t, "GET", path+q, p.token, nil).want(t, 200, "").rows(t) {
				out = append(out, fmt.Sprintf("%v=%v/%v", r["key"], r["value"], r["sent"]))
			}
			return strings.Join(out, " ")
		}
		if l := h.call(t, "GET", path, p.token, nil).rows(t); l == nil || len(l) != 0 {
			t.Error("no parameters are not []")
		}
		h.call(t, "POST", path, p.token, `{"key":"a","value":"1","sent":false}`).want(t, 200, "Params Successfully Updated")
		h.call(t, "POST", path, p.token, `[{"key":"b","value":"2","sent":true},{"key":"c","value":"3"}]`).want(t, 200, "Params Successfully Updated")
		if got := list(""); got != "a=1/false b=2/true c=3/false" {
			t.Error(got)
		}
		if got := list("?sent_status=true"); got != "b=2/true" {
			t.Error(got)
		}
		if got := list("?sent_status=false"); got != "a=1/false c=3/false" {
			t.Error(got)
		}
		rows := h.call(t, "GET", path, p.token, nil).rows(t)
		first := rows[0]["id"].(string)
		h.call(t, "POST", path, p.token, map[string]any{"id": first, "key": "a", "value": "9", "sent": true}).want(t, 200, "Params Successfully Updated")
		if got := list(""); got != "a=9/true b=2/true c=3/false" {
			t.Error(got)
		}
		t.Run("what does not fit is refused by name and changes nothing", func(t *testing.T) {
			full := make([]map[string]any, 61)
			for i := range full {
				full[i] = map[string]any{"key": "k", "value": "v"}
			}
			for _, c := range []struct {
				body    any
				status  int
				message string
			}{
				{`{}`, 400, "params[0].key: is required"},
				{`[]`, 400, "params: needs at least one"},
				{`null`, 400, ""},
				{``, 400, ""},
				{`"x"`, 400, ""},
				{`{"key":"k"}`, 400, "params[0].value: is required"},
				{`{"key":"k","value":7}`, 400, "value"},
				{`[{"key":"k","value":"v"},{"id":"` + string(id.New[id.Param]()) + `","value":"v"}]`, 404, "Parameter Not Found"},
				{`{"id":"x","value":"v"}`, 404, "Parameter Not Found"},
				{full, 400, "params: a device holds at most 60 parameters, got 61"},
				{full[:58], 400, "params: a device holds at most 60 parameters; it has 3"},
			} {
				h.call(t, "POST", path, p.token, c.body).want(t, c.status, c.message)
			}
			h.call(t, "GET", path+"?sent_status=maybe", p.token, nil).want(t, 400, "sent_status: must be true or false")
			if got := list(""); got != "a=9/true b=2/true c=3/false" {
				t.Error(got)
			}
			h.call(t, "POST", path, p.token, full[:57]).want(t, 200, "")
			h.call(t, "POST", path, p.token, full[:1]).want(t, 400, "it has 60")
		})
		t.Run("a device reads and marks its own only", func(t *testing.T) {
			d := h.device(t, p, CreateInput{Params: []ParamInput{{Key: ptr("k"), Value: ptr("v")}}})
			l := h.call(t, "GET", "/device/params?sent_status=false", d.Token, nil).want(t, 200, "").rows(t)
			if len(l) != 1 || l[0]["key"] != "k" {
				t.Fatal(l)
			}
			h.call(t, "PUT", "/device/params/"+l[0]["id"].(string), d.Token, `{"sent":true}`).want(t, 200, "Params Successfully Updated")
			if l := h.call(t, "GET", "/device/params?sent_status=false", d.Token, nil).rows(t); len(l) != 0 {
				t.Error(l)
			}
			h.call(t, "PUT", "/device/params/"+first, d.Token, `{"sent":false}`).want(t, 404, "Parameter Not Found")
			h.call(t, "PUT", "/device/params/%00", d.Token, `{"sent":false}`)
			h.call(t, "PUT", "/device/params/"+first, d.Token, `{}`).want(t, 400, "sent: is required")
			h.call(t, "GET", "/device/params", p.token, nil).want(t, 401, "Authorization Denied")
		})
		h.call(t, "DELETE", path+"/"+first, p.token, nil).want(t, 200, "Successfully Removed")
		h.call(t, "DELETE", path+"/"+first, p.token, nil).want(t, 404, "Parameter Not Found")
	})
}

func TestDeviceTokens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{})
		t.Run("what does not fit is refused by name", func(t *testing.T) {
			for body, message := range map[string]string{
				`{"name":"a","permission":"full"}`:                                                      "device: is required",
				`{"device":"` + string(c.ID) + `","permission":"full"}`:                                 "name: is required",
				`{"device":"` + string(c.ID) + `","name":"a"}`:                                          "permission: is required",
				`{"device":"` + string(c.ID) + `","name":"a","permission":"x"}`:                         "permission: must be",
				`{"device":"` + string(c.ID) + `","name":"a","permission":"full","expire_time":"soon"}`: "expire_time: must be",
			} {
				h.call(t, "POST", "/device/token", p.token, body).want(t, 400, message)
			}
			h.call(t, "POST", "/device/token", p.token, map[string]any{"device": id.New[id.Device](), "name": "a", "permission": "full"}).want(t, 404, "Device Not Found")
		})
		r := h.call(t, "POST", "/device/token", p.token, map[string]any{"device": c.ID, "name": "read", "permission": "read", "expire_time": "1 day", "serie_number": "X"}).want(t, 201, "")
		if r.text("expire_date") != "2026-11-23T09:00:00.000Z" || r.text("expire_time") != r.text("expire_date") || len(r.text("token")) != 36 || r.text("permission") != "read" {
			t.Fatal(r.Result)
		}
		never := h.call(t, "POST", "/device/token", p.token, map[string]any{"device": c.ID, "name": "deny", "permission": "deny"}).want(t, 201, "")
		if never.text("expire_date") != "never" {
			t.Fatal(never.Result)
		}
		t.Run("the list gives the tokens back", func(t *testing.T) {
			l := h.call(t, "GET", "/device/token/"+string(c.ID)+"?page=1&fields[0]=name&fields[1]=token&fields[2]=permission&amount=20&orderBy=name,asc", p.token, nil).want(t, 200, "").rows(t)
			if len(l) != 3 || l[0]["token"] != c.Token || l[1]["token"] != never.text("token") || l[2]["token"] != r.text("token") {
				t.Fatal(l)
			}
			l = h.call(t, "GET", "/device/token/"+string(c.ID)+"?filter[serie_number]=x", h.mint(t, p, auth.Read), nil).rows(t)
			if len(l) != 1 || l[0]["expire_time"] != "2026-11-23T09:00:00.000Z" || l[0]["device_id"] != string(c.ID) || l[0]["type"] != "device" || l[0]["token"] != r.text("token") {
				t.Fatal(l)
			}
			l = h.call(t, "GET", "/device/token/"+string(c.ID)+"?filter[name]=Default", h.mint(t, p, auth.Read), nil).rows(t)
			if len(l) != 1 || l[0]["token"] == c.Token || !id.Valid(l[0]["token"].(string)) {
				t.Fatal("a reading caller was given a token that may write", l)
			}
		})
		t.Run("permissions hold on the device's own routes", func(t *testing.T) {
			h.call(t, "GET", "/device/params", r.text("token"), nil).want(t, 200, "")
			h.call(t, "PUT", "/device/params/x", r.text("token"), `{"sent":true}`).want(t, 401, "Authorization Denied")
			h.call(t, "GET", "/device/params", never.text("token"), nil).want(t, 401, "Authorization Denied")
			h.call(t, "GET", "/info", never.text("token"), nil).want(t, 200, "")
		})
		t.Run("deleting one leaves the others", func(t *testing.T) {
			h.call(t, "DELETE", "/device/token/"+r.text("token"), p.token, nil).want(t, 200, "Token Successfully Removed")
			h.call(t, "GET", "/info", r.text("token"), nil).want(t, 401, "Authorization Denied")
			h.call(t, "GET", "/info", c.Token, nil).want(t, 200, "")
			h.call(t, "DELETE", "/device/token/"+r.text("token"), p.token, nil).want(t, 404, "Token Not Found")
		})
	})
}

func TestDeviceIsolation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.person(t, "house")
		sibling := h.in(t, a, h.profile(t, a)) // same owner
		c := h.device(t, a, CreateInput{Params: []ParamInput{{Key: ptr("k"), Value: ptr("v")}}, Tags: []Tag{{Key: "k", Value: "v"}}})
		param, err := h.Params(t.Context(), a.Caller, a.ProfileID, c.ID, nil)
		must(t, err)
		path := "/device/" + string(c.ID)
		for _, b := range []person{h.person(t, "house"), sibling} {
			own := h.device(t, b, CreateInput{})
			for _, r := range []struct{ method, path, body string }{
				{"GET", path, ""}, {"PUT", path, `{"name":"x"}`}, {"DELETE", path, ""}, {"GET", path + "/params", ""},
				{"POST", path + "/params", `{"key":"k","value":"v"}`}, {"DELETE", path + "/params/" + string(param[0].ID), ""},
				{"POST", path + "/convert", `{"type":"mutable"}`}, {"GET", path + "/requests", ""}, {"GET", "/device/token/" + string(c.ID), ""},
				{"POST", "/device/token", `{"device":"` + string(c.ID) + `","name":"x","permission":"full"}`}, {"DELETE", "/device/token/" + c.Token, ""},
				{"GET", "/bucket/" + string(c.ID), ""}, {"GET", "/bucket/" + string(c.ID) + "/device", ""},
				{"DELETE", "/device/" + string(own.ID) + "/params/" + string(param[0].ID), ""},
				{"GET", "/device/x", ""}, {"GET", "/device/" + strings.Repeat("f", 24), ""}, {"PUT", "/device/%27", `{}`},
			} {
				var body any
				if r.body != "" {
					body = r.body
				}
				h.call(t, r.method, r.path, b.token, body).want(t, 404, "Not Found")
			}
			for _, q := range []string{"/device?filter[id]=" + string(c.ID), "/device?filter[tags][0][key]=k", "/bucket?filter[id]=" + string(c.ID), "/device?filter[profile]=" + string(a.ProfileID)} {
				if l := h.call(t, "GET", q, b.token, nil).rows(t); len(l) != 0 {
					t.Errorf("%s shows %v", q, l)
				}
			}
			if l := h.call(t, "GET", "/device", b.token, nil).rows(t); len(l) != 1 || l[0]["id"] != string(own.ID) {
				t.Error(l)
			}
		}
		stranger := h.person(t, "house")
		h.call(t, "GET", "/profile/"+string(a.ProfileID)+"/refused", stranger.token, nil).want(t, 404, "Profile Not Found")
		h.call(t, "GET", "/info", c.Token, nil).want(t, 200, "")
	})
}

func TestBuckets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person(t, "house")
		c := h.device(t, p, CreateInput{Name: "Barn"})
		i := h.device(t, p, CreateInput{Name: "Chunked", Type: Immutable, ChunkPeriod: ptr(Month), ChunkRetention: ptr(int64(3))})
		l := h.call(t, "GET", "/bucket?fields[0]=name", p.token, nil).want(t, 200, "").rows(t)
		if len(l) != 2 || l[0]["id"] != string(c.ID) || keys(l[0]) != "id name tags" {
			t.Error(l)
		}
		if b := h.call(t, "GET", "/bucket/"+string(i.ID), p.token, nil).want(t, 200, "").row(); b["name"] != "Chunked" || b["data_retention"] != "3 month" || b["chunk_period"] != "month" {
			t.Error(b)
		}
		if l := h.call(t, "GET", "/bucket/"+string(c.ID)+"/device", p.token, nil).want(t, 200, "").rows(t); len(l) != 1 || l[0]["id"] != string(c.ID) || l[0]["name"] != "Barn" {
			t.Error(l)
		}
	})
}

func TestTouch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.person(t, "house"), h.person(t, "house")
		ca, cb := h.device(t, a, CreateInput{}), h.device(t, b, CreateInput{})
		stored := func(p person, c Created) (in, out int64) {
			t.Helper()
			must(t, h.db.QueryRow(t.Context(), `SELECT last_input, last_output FROM device WHERE profile_id = $1 AND id = $2`, p.ProfileID, c.ID).Scan(&in, &out))
			return in, out
		}
		now := h.now()
		h.Touch(a.ProfileID, ca.ID, true, false)
		h.Touch(a.ProfileID, ca.ID, false, true)
		h.Touch(b.ProfileID, cb.ID, true, false)
		h.Touch(b.ProfileID, ca.ID, true, true) // not b's: touches nothing
		if in, out := stored(a, ca); in != 0 || out != 0 {
			t.Error("written on the way of the request")
		}
		if d, err := h.Get(t.Context(), a.Caller, a.ProfileID, ca.ID); err != nil || d.LastInput != now || d.LastOutput != now {
			t.Error("memory is not shown", d, err)
		}
		being := h.touched.take()
		if d, err := h.Get(t.Context(), a.Caller, a.ProfileID, ca.ID); err != nil || d.LastInput != now || d.LastOutput != now {
			t.Error("what is being written is not shown", d, err)
		}
		if ds, err := h.Heard(t.Context(), a.ProfileID, []id.Device{ca.ID}); err != nil || len(ds) != 1 || ds[0].LastInput != now {
			t.Error("what is being written is not heard", ds, err)
		}
		for _, v := range being {
			h.touched.note(v)
		}
		must(t, h.Flush(t.Context()))
		if in, out := stored(a, ca); in != now || out != now {
			t.Error(in, out)
		}
		if in, out := stored(b, cb); in != now || out != 0 {
			t.Error(in, out)
		}
		must(t, h.writeTouches(t.Context(), []touch{{a.ProfileID, ca.ID, 5, 5}}))
		if in, out := stored(a, ca); in != now || out != now {
			t.Error("moved back", in, out)
		}
		must(t, h.Flush(t.Context()))
	})
}
