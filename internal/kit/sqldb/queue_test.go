package sqldb

import (
	"context"
	"fmt"
	"testing"
)

// TestNobodyStarves has tenants that always come with nothing in the queue, more of them than fit into a round, beside
// one that is behind with its work.
func TestNobodyStarves(t *testing.T) {
	for _, cost := range []int{quantum, 1000} {
		t.Run(fmt.Sprintf("behind with jobs of %d", cost), func(t *testing.T) {
			q := newQueue()
			put := func(tenant string, cost int) {
				if err := q.put(&job{tenant: tenant, cost: cost, ctx: context.Background(), done: make(chan struct{})}); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 {
				put("behind", cost)
			}
			for i := range 2 * maxRound / quantum {
				put(fmt.Sprint("fresh ", i), quantum)
			}
			served := map[string]int{}
			const rounds = 60
			for range rounds {
				round, lines := q.draw()
				q.release(lines, 0)
				for _, j := range round {
					served[j.tenant] += j.cost
					if j.tenant != "behind" {
						put(j.tenant, j.cost) // its answer came; it asks again
					}
				}
			}
			// Eleven tenants share the rounds.
			if fair := rounds * maxRound / 11; served["behind"] < min(fair, 20*cost)/3 {
				t.Errorf("in %d rounds the one behind had %d points, a fair part is %d; served: %v", rounds, served["behind"], fair, served)
			}
		})
	}
}
