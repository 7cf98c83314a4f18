package app_test

import (
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
)

// The demo of a day holds what the one of five weeks does.
func TestDemo(t *testing.T) {
	for _, engine := range sqldbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			settings := app.Settings{Store: app.Store{Data: t.TempDir()}, Listen: "127.0.0.1:0", Name: "Paddock", Signup: "invite", Log: "text", Migrate: true}
			if engine == sqldb.Postgres {
				settings.Database = sqldbtest.URL(t, engine)
				settings.SecretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
			}
			clk := clock.NewManual(now.Add(-20 * time.Hour))
			a, err := app.Open(t.Context(), settings, app.Options{Clock: clk})
			if err != nil {
				t.Fatal(err)
			}
			signIns, err := a.Demo(t.Context(), clk, now)
			if err != nil {
				t.Fatal(err)
			}
			if len(signIns) != 3 || !strings.Contains(signIns[0], "integrator@example.com") {
				t.Errorf("%q", signIns)
			}
			if _, err := a.Demo(t.Context(), clk, now); err == nil || !strings.Contains(err.Error(), "accounts already") {
				t.Errorf("again: %v", err)
			}
			findings, checked, err := a.Verify(t.Context())
			if err != nil || len(findings) > 0 || !strings.Contains(checked, "profiles") {
				t.Errorf("%v, %v, %s", err, findings, checked)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
