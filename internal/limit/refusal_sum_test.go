package limit

import (
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
)

func TestSums(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, clk *clock.Manual) {
		s := node(db, clk)
		a, b, other := id.New[id.Profile](), id.New[id.Profile](), id.New[id.Profile]()
		d, e := id.New[id.Device](), id.New[id.Device]()
		tell := func() {
			t.Helper()
			if err := s.TellRefusals(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Observe(outcome(clk, a, d, 402, `{"v":1}`)) // too long ago
		tell()
		clk.Advance(2 * time.Hour)
		first := clk.Now()
		s.Observe(outcome(clk, a, d, 402, `[{"v":1},{"v":2}]`))
		s.Observe(outcome(clk, b, d, 402, `{"v":3}`))
		s.Observe(outcome(clk, other, d, 402, `{"v":3}`))
		clk.Advance(10 * time.Minute)
		s.Observe(outcome(clk, a, e, 402, `{"v":4}`))
		s.Observe(outcome(clk, a, d, 200, `[{"v":1},{"v":2}]`)) // came again
		tell()
		sums, err := s.Sums(t.Context(), []auth.Caller{
			{Kind: auth.Session, ProfileID: a},
			{Kind: auth.Session, ProfileID: b, Within: &auth.Within{Devices: &auth.Part{IDs: []string{string(e)}}}},
		}, clock.Millis(clk.Now().Add(-time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		if len(sums[a]) != 1 || sums[a][0] != (Sum{Name: "input", Scope: "profile", Status: 402, Requests: 2, Lost: 1, First: clock.Millis(first), Last: clock.Millis(clk.Now())}) {
			t.Errorf("the sums of one who sees all are %+v", sums[a])
		}
		if len(sums[b]) != 0 || len(sums[other]) != 0 {
			t.Errorf("one who sees another device, and nobody, are told %+v and %+v", sums[b], sums[other])
		}
	})
}
