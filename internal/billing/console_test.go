package billing

import (
	"os"
	"strings"
	"testing"
)

// TestNoticesLeadToPages reads the console's routes: the button of a notice must not lead nowhere.
func TestNoticesLeadToPages(t *testing.T) {
	routes, err := os.ReadFile("../../web/src/router.tsx")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{costPage, invoicePage, subscriptionPage} {
		if !strings.Contains(string(routes), `path: "`+page+`"`) {
			t.Errorf("the console has no page %s", page)
		}
	}
}
