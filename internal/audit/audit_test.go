package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

func TestLog(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Source{audit.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		clk := clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
		log := audit.New(db, clk)
		a, b := id.New[id.Profile](), id.New[id.Profile]()
		ada := auth.Caller{Kind: auth.Profile, AccountID: id.New[id.Account](), ProfileID: a, TokenID: id.New[id.Token](), TokenName: "ci", Addr: "192.0.2.7"}

		t.Run("an event carries who, with what, from where, and the thing before and after", func(t *testing.T) {
			err := log.Write(ctx, ada, audit.Event{Profile: a, Resource: "device", ResourceID: "d1", Message: `Device "Barn" renamed`,
				Before: map[string]string{"name": "Shed"}, After: map[string]string{"name": "Barn"}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := log.List(ctx, a, audit.Filter{})
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			e := got[0]
			if e.Who != ada.AccountID || e.Kind != auth.Profile || e.TokenID != ada.TokenID || e.TokenName != "ci" || e.Addr != "192.0.2.7" ||
				e.Profile != a || e.Resource != "device" || e.ResourceID != "d1" || e.Message != `Device "Barn" renamed` ||
				string(e.Before) != `{"name":"Shed"}` || string(e.After) != `{"name":"Barn"}` || !e.Time.Equal(clk.Now()) {
				t.Errorf("%+v", e)
			}
		})
		t.Run("another profile sees nothing of it", func(t *testing.T) {
			got, err := log.List(ctx, b, audit.Filter{})
			if err != nil || got == nil || len(got) != 0 {
				t.Errorf("%v, %v", got, err)
			}
		})
		t.Run("an event goes with its transaction", func(t *testing.T) {
			boom := errors.New("boom")
			err := db.Tx(ctx, func(ctx context.Context) error {
				if err := log.Write(ctx, ada, audit.Event{Profile: b, Resource: "device", Message: "x"}); err != nil {
					return err
				}
				return boom
			})
			if got, _ := log.List(ctx, b, audit.Filter{}); !errors.Is(err, boom) || len(got) != 0 {
				t.Errorf("%v, %v", err, got)
			}
		})
		t.Run("what is too large is noted by its size, what the database cannot hold is mended", func(t *testing.T) {
			err := log.Write(ctx, ada, audit.Event{Profile: b, Resource: "x", Message: "a\x00b\xff" + strings.Repeat("ä", 1000),
				After: strings.Repeat("x", audit.MaxJSON), Before: (*int)(nil)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := log.List(ctx, b, audit.Filter{Resource: "x"})
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			if string(got[0].After) != `{"omitted_bytes":16386}` || got[0].Before != nil || len(got[0].Message) > 1100 || !strings.HasPrefix(got[0].Message, "ab\uFFFDä") {
				t.Errorf("%+v", got[0])
			}
		})
		t.Run("lists are filtered, oldest first", func(t *testing.T) {
			p := id.New[id.Profile]()
			for i, m := range []string{"Device created", "Token 100% deleted", "device DELETED"} {
				clk.Advance(time.Minute)
				if err := log.Write(ctx, ada, audit.Event{Profile: p, Resource: []string{"device", "token", "device"}[i], ResourceID: string(rune('a' + i)), Message: m}); err != nil {
					t.Fatal(err)
				}
			}
			for name, c := range map[string]struct {
				f    audit.Filter
				want string
			}{
				"all":                  {audit.Filter{}, "abc"},
				"by resource":          {audit.Filter{Resource: "device"}, "ac"},
				"by id":                {audit.Filter{ResourceID: "b"}, "b"},
				"by person":            {audit.Filter{Who: ada.AccountID}, "abc"},
				"by somebody else":     {audit.Filter{Who: "x"}, ""},
				"by text in any case":  {audit.Filter{Find: "deleted"}, "bc"},
				"by text with percent": {audit.Filter{Find: "0% d"}, "b"},
				"by time":              {audit.Filter{From: clk.Now().Add(-time.Minute), To: clk.Now()}, "b"},
				"limited":              {audit.Filter{Limit: 2}, "ab"},
			} {
				got, err := log.List(ctx, p, c.f)
				ids := ""
				for _, e := range got {
					ids += e.ResourceID
				}
				if err != nil || ids != c.want {
					t.Errorf("%s: %q, %v", name, ids, err)
				}
			}
		})
		t.Run("what concerns an account only is kept apart", func(t *testing.T) {
			session := auth.Caller{Kind: auth.Session, AccountID: ada.AccountID}
			bob := id.New[id.Account]()
			for _, e := range []audit.Event{{Resource: "account", Message: "Password changed"}, {Account: bob, Resource: "account", Message: "Plan set"}} {
				if err := log.Write(ctx, session, e); err != nil {
					t.Fatal(err)
				}
			}
			own, err := log.ListAccount(ctx, ada.AccountID, audit.Filter{})
			if err != nil || len(own) != 1 || own[0].Message != "Password changed" || own[0].Account != ada.AccountID {
				t.Errorf("%+v, %v", own, err)
			}
			his, err := log.ListAccount(ctx, bob, audit.Filter{})
			if err != nil || len(his) != 1 || his[0].Who != ada.AccountID {
				t.Errorf("%+v, %v", his, err)
			}
		})
	})
}
