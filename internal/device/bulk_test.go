package device

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"paddock/internal/auth"
	"paddock/internal/id"
)

type ctx = context.Context

func TestBulk(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var emptied []id.Device
		h.KeepsData(func(_ ctx, _ auth.Caller, _ id.Profile, d id.Device) error { emptied = append(emptied, d); return nil },
			func(_ ctx, _ id.Profile, ds []id.Device) (int64, error) { return int64(10 * len(ds)), nil })
		p, other := h.person(t, "house"), h.person(t, "house")
		var ids []string
		for i := range 30 {
			in := CreateInput{Name: fmt.Sprintf("D%02d", i)}
			if i == 7 {
				in.Tags = []Tag{{Key: "_delete_protection_", Value: "Not this one"}}
			}
			ids = append(ids, string(h.device(t, p, in).ID))
		}
		foreign := string(h.device(t, other, CreateInput{}).ID)
		bulk := func(query, token string, body map[string]any) answer {
			t.Helper()
			return h.call(t, "POST", "/device/bulk"+query, token, body)
		}
		failed := func(a answer) (n int, reasons []string) {
			for _, v := range a.row()["devices"].([]any) {
				m := v.(map[string]any)
				if n++; m["done"] != true {
					reasons = append(reasons, fmt.Sprint(m["id"], " ", m["reason"]))
				}
			}
			return n, reasons
		}
		count := func(filter string) int {
			return len(h.call(t, "GET", "/device?amount=100&"+filter, p.token, nil).rows(t))
		}
		t.Run("by ids: those of others are not there, and nothing happens to them", func(t *testing.T) {
			a := bulk("", p.token, map[string]any{"action": "deactivate", "ids": append(slices.Clone(ids[:3]), foreign, ids[0])}).want(t, 200, "")
			if n, why := failed(a); n != 4 || len(why) != 1 || why[0] != foreign+" Device Not Found" || a.row()["matched"] != 3.0 {
				t.Errorf("%s", a.raw)
			}
			if d := h.call(t, "GET", "/device/"+foreign, other.token, nil).row(); d["active"] != true || count("filter[active]=false") != 3 {
				t.Error("it went beyond")
			}
		})
		t.Run("by a filter, in pieces", func(t *testing.T) {
			pieces, after, n := 0, "", 0
			for {
				a := bulk("?filter[name]=D1*", p.token, map[string]any{"action": "tag", "key": "site", "value": "north", "amount": 4, "after": after}).want(t, 200, "")
				got, why := failed(a)
				if len(why) > 0 || (a.row()["matched"] != nil) != (pieces == 0) {
					t.Fatalf("%s", a.raw)
				}
				pieces, n = pieces+1, n+got
				if a.row()["next"] == nil {
					break
				}
				after = a.text("next")
			}
			if n != 10 || pieces != 3 || count("filter[tags][0][key]=site&filter[tags][0][value]=north") != 10 {
				t.Errorf("%d devices in %d pieces", n, pieces)
			}
			bulk("?filter[name]=D1*", p.token, map[string]any{"action": "untag", "key": "site", "value": "south"}).want(t, 200, "")
			if count("filter[tags][0][key]=site") != 10 {
				t.Error("another value went")
			}
			bulk("?filter[name]=D10", p.token, map[string]any{"action": "untag", "key": "site"}).want(t, 200, "")
			if count("filter[tags][0][key]=site") != 9 {
				t.Error("the tag stayed")
			}
		})
		t.Run("a dry run counts what would be lost", func(t *testing.T) {
			a := bulk("", p.token, map[string]any{"action": "delete", "all": true, "dry_run": true}).want(t, 200, "").row()
			if a["matched"] != 30.0 || a["points"] != 300.0 || len(a["devices"].([]any)) != 0 || count("") != 30 {
				t.Errorf("%v", a)
			}
		})
		t.Run("one that is protected stays, the others around it go", func(t *testing.T) {
			a := bulk("", p.token, map[string]any{"action": "delete", "ids": ids[5:10]}).want(t, 200, "")
			if _, why := failed(a); len(why) != 1 || why[0] != ids[7]+" Not this one" || count("") != 26 {
				t.Errorf("%s", a.raw)
			}
			used, _, err := h.usage.Room(t.Context(), p.ProfileID, "device")
			if must(t, err); used != 26 {
				t.Errorf("%d are held", used)
			}
		})
		t.Run("emptying asks the room of data", func(t *testing.T) {
			bulk("", p.token, map[string]any{"action": "empty", "ids": ids[20:22]}).want(t, 200, "")
			if len(emptied) != 2 {
				t.Errorf("%v", emptied)
			}
		})
		t.Run("a token that may not delete does neither this way", func(t *testing.T) {
			w := h.mint(t, p, auth.Write)
			bulk("", w, map[string]any{"action": "delete", "ids": ids[20:22]}).want(t, 401, "")
			bulk("", w, map[string]any{"action": "empty", "ids": ids[20:22]}).want(t, 401, "")
			bulk("", w, map[string]any{"action": "activate", "ids": ids[20:22]}).want(t, 200, "")
		})
		t.Run("a member who sees some does it with those", func(t *testing.T) {
			part := p.Caller
			part.Role, part.Within = auth.Developer, &auth.Within{Devices: &auth.Part{Tags: []auth.Tag{{Key: "site", Value: "north"}}}}
			x, err := h.bulkRoute(t.Context(), part, bulkIn{Action: "deactivate", All: true})
			if must(t, err); *x.Matched != 9 || len(x.Devices) != 9 {
				t.Errorf("%d", *x.Matched)
			}
			x, err = h.bulkRoute(t.Context(), part, bulkIn{Action: "untag", Key: "site", All: true})
			if must(t, err); slices.ContainsFunc(x.Devices, func(r BulkRow) bool { return r.Done }) {
				t.Error("they left what the member sees")
			}
		})
		t.Run("each is in the audit log", func(t *testing.T) {
			var n int
			must(t, h.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM audit_entry WHERE profile_id = $1 AND resource = 'device' AND message LIKE 'Device %deleted'`, p.ProfileID).Scan(&n))
			if n != 4 {
				t.Errorf("%d", n)
			}
		})
		for body, reason := range map[string]string{
			`{"action":"delete"}`: "say which devices", `{"action":"delete","all":true,"ids":["x"]}`: "exclude each other",
			`{"action":"explode","all":true}`: "action", `{"action":"tag","all":true}`: "key", `{"action":"delete","ids":["x"]}`: "ids[0]",
			`{"action":"delete","all":true,"amount":1001}`: "amount", `{"action":"delete","all":true,"after":"x"}`: "after",
			`{"action":"delete","ids":[` + strings.Repeat(`"`+foreign+`",`, 1000) + `"x"]}`: "at most 1000",
		} {
			h.call(t, "POST", "/device/bulk", p.token, body).want(t, 400, reason)
		}
		bulk("?filter[nme]=x", p.token, map[string]any{"action": "delete"}).want(t, 400, "not a known filter")
	})
}
