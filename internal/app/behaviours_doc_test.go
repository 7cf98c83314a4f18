package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestBehavioursDocument holds docs/behaviours.md to the truth: all eighty, in order, each with tests that exist
// or the room it waits for.
func TestBehavioursDocument(t *testing.T) {
	tests := map[string]bool{}
	fn := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range fn.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/behaviours.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`(Test\\w+)`")
	want := 1
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 5 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue
		}
		if n != want {
			t.Errorf("behaviour %d stands where %d is expected", n, want)
		}
		want = n + 1
		named := name.FindAllStringSubmatch(cells[2], -1)
		for _, m := range named {
			if !tests[m[1]] {
				t.Errorf("behaviour %d names %s, which does not exist", n, m[1])
			}
		}
		waits := strings.Contains(cells[4], "waits: ")
		if (len(named) == 0) != waits {
			t.Errorf("behaviour %d has %d tests and waits: %v", n, len(named), waits)
		}
		if len(named) > 0 && strings.TrimSpace(cells[3]) != "both" {
			t.Errorf("behaviour %d is shown on %q", n, cells[3])
		}
	}
	if want != 81 {
		t.Errorf("the last behaviour is %d, want 80", want-1)
	}
}
