package usage_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// booked is what the ledger has of a profile: rows, and the sum of input.
func (h *house) booked(p id.Profile) (rows, input int64) {
	h.t.Helper()
	if err := h.db.QueryRow(context.Background(), `SELECT COUNT(*), CAST(COALESCE(SUM(input), 0) AS BIGINT) FROM ledger WHERE profile_id = $1`, string(p)).Scan(&rows, &input); err != nil {
		h.t.Fatal(err)
	}
	return rows, input
}

func TestTheQuarterThatRunsIsBookedWhenItIsOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.profile(h.account("scale", "UTC"))
		send := func(n int64) {
			t.Helper()
			if ok, err := h.ingest(p, n); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		want := func(what string, rows, input int64) {
			t.Helper()
			if r, i := h.booked(p); r != rows || i != input {
				t.Errorf("%s: the ledger has %d rows and %d of input, want %d and %d", what, r, i, rows, input)
			}
			h.clean()
		}
		day := func(hour string, input, records int64) {
			t.Helper()
			for _, x := range h.statistics(p, params{Date: "2026-03-20"}) {
				if x["time"].(web.Time).String()[11:16] == hour {
					if fmt.Sprint(x["input"], x["data_records"]) != fmt.Sprint(input, records) {
						t.Errorf("at %s: %v, want %v of input and %v stored", hour, x, input, records)
					}
					return
				}
			}
			t.Errorf("no sample of %s", hour)
		}
		at := func(hour, minute int) { h.clock.Set(time.Date(2026, 3, 20, hour, minute, 0, 0, time.UTC)) }

		at(9, 50)
		send(5)
		send(2)
		want("within a quarter", 0, 0)
		at(10, 1)
		send(3)
		want("in the next", 1, 7)
		if err := h.usage.Release(ctx, p, plan.DataRecords, 4); err != nil {
			t.Fatal(err)
		}
		send(1)
		want("after points were deleted and sent", 2, 7)
		at(9, 59) // the clock steps back: what comes counts where the ledger is
		send(1)
		want("after the clock stepped back", 2, 7)
		at(10, 20)
		if err := h.usage.Release(ctx, p, plan.DataRecords, 1); err != nil {
			t.Fatal(err)
		}
		want("after a deletion in the next", 3, 12)
		at(10, 40)
		send(9)
		at(11, 30)
		if err := h.usage.Fold(ctx); err != nil {
			t.Fatal(err)
		}
		want("of who sends no more, before an hour is over", 3, 12)
		at(11, 46)
		if err := h.usage.Fold(ctx); err != nil {
			t.Fatal(err)
		}
		want("and after", 4, 21)
		send(1)
		day("10:00", 7, 7)
		day("11:00", 21, 16)
		day("11:46", 22, 17)

		h.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
		send(2)
		want("when the cycle turns", 5, 22)
		if n := h.used(p).Used; n.Of(plan.Input) != 2 || n.Of(plan.DataRecords) != 19 {
			t.Errorf("the new cycle has %v", n)
		}
	})
}
