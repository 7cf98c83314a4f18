package notify_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"paddock/internal/notify"
)

// TestConsoleOffersEveryKind compares the kinds that one can choose by in the console with those that there are.
func TestConsoleOffersEveryKind(t *testing.T) {
	page, err := os.ReadFile("../../web/src/rooms/notify/AlertSettings.tsx")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^const kinds = \[(.*)\] as const;$`).FindSubmatch(page)
	if list == nil {
		t.Fatal("the page has no list of kinds")
	}
	var has, want []string
	for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(list[1], -1) {
		has = append(has, string(m[1]))
	}
	for _, k := range notify.Kinds {
		want = append(want, string(k))
	}
	slices.Sort(has)
	slices.Sort(want)
	if !slices.Equal(has, want) {
		t.Errorf("the console offers %v, there are %v", has, want)
	}
}
