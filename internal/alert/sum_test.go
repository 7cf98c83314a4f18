package alert

import (
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/plan"
)

func TestSumsForAnOverview(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		d := h.fleet(nil, "A", "B")
		for _, name := range []string{"A", "B"} {
			h.expect(RuleInput{Device: d[name], Interval: 600})
		}
		h.hear(d["A"])
		must(t, h.devices.Flush(ctx))
		h.clk.Advance(20 * time.Minute)
		h.want("both are silent", "silent A", "silent B")

		part := h.who
		part.Within = &auth.Within{Devices: &auth.Part{IDs: []string{string(d["B"])}}}
		for _, c := range []struct {
			who  auth.Caller
			want int64
		}{{h.who, 2}, {part, 1}} {
			sums, err := h.SilentSums(ctx, []auth.Caller{c.who})
			must(t, err)
			list, err := h.SilentDevices(ctx, c.who, h.p, 10)
			must(t, err)
			if sums[h.p] != c.want || len(list) != int(c.want) || list[0].Device != d["B"] || list[0].Every != 600_000 || list[0].LastInput != 0 {
				t.Errorf("want %d silent devices, got %d and %+v", c.want, sums[h.p], list)
			}
		}

		h.store(100)
		h.want("the records are full", "data_records 80/100", "data_records 90/100", "data_records 100/100")
		at := h.now()
		h.clk.Advance(time.Minute)
		c, err := h.usage.Current(ctx, h.p)
		must(t, err)
		full, err := h.FullSince(ctx, map[id.Profile]int64{h.p: c.CycleStart})
		must(t, err)
		f := full[h.p][plan.DataRecords]
		if f.Reached(100) != at || f.Reached(200) != 0 || len(full[h.p]) != 1 {
			t.Errorf("full since %+v, want %d", full, at)
		}
	})
}
