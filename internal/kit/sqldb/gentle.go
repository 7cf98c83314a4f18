package sqldb

import (
	"context"
	"time"
)

// mostRest bounds how long gentle reading rests at a time.
const mostRest = time.Second

type gentleKey struct{}

// Gently is ctx for long reading that nobody waits for: after every statement of All and One it rests for as long as the
// statement took, a second at most, so that others find processor and disk free half of the time. A single statement is
// not interrupted.
func Gently(ctx context.Context) context.Context {
	return context.WithValue(ctx, gentleKey{}, true)
}

// rest waits, in a gentle ctx, as long as has passed since began, or until ctx ends.
func rest(ctx context.Context, began time.Time) {
	if gentle, _ := ctx.Value(gentleKey{}).(bool); !gentle {
		return
	}
	t := time.NewTimer(min(time.Since(began), mostRest))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
