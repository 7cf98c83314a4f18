package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
	"paddock/internal/kit/sqldb"
)

// TestCatalogueMustHoldThePlansInUse refuses to start with a catalogue in which an account's plan is missing.
func TestCatalogueMustHoldThePlansInUse(t *testing.T) {
	s := apptest.Start(t, sqldb.SQLite)
	s.Account(t, "starter")
	bench, err := os.ReadFile("../../bench/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(bench), "starter") {
		t.Fatal("bench/catalogue.yaml holds the plan this test needs to be missing")
	}
	file := filepath.Join(t.TempDir(), "catalogue.yaml")
	if err := os.WriteFile(file, bench, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = app.Open(t.Context(), app.Settings{Store: app.Store{Data: s.Data}, Listen: "127.0.0.1:0", Signup: "open", Log: "text", Catalogue: file}, app.Options{})
	if err == nil || !strings.Contains(err.Error(), "starter") {
		t.Fatalf("opened with %v", err)
	}
}
