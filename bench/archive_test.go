package main

import (
	"testing"

	"paddock/e2e/server"
)

// TestArchives is `bench archive` with a hundredth of the points: also an archive that was written by the page which describes
// the format goes in, and comes out as it was.
func TestArchives(t *testing.T) {
	binary, remove, err := server.Binary()
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	figures, err := archives(binary, t.TempDir(), archiveBytes/100)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.met() {
			t.Errorf("%s: %v %s", f.name, f.values, f.unit)
		}
	}
}
