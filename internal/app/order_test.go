package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// order is the architecture: a room imports only rooms that stand after it. (docs/architecture.md)
var order = []string{"app", "operator", "overview", "search", "live", "transfer", "support", "backup", "billing", "dashboard", "alert", "limit", "data", "device", "usage", "token", "team", "notify", "profile", "plan", "account", "audit", "tag", "auth", "id"}

// TestImportOrder reads every import of every room and of kit.
func TestImportOrder(t *testing.T) {
	const module = "paddock/internal/"
	root := filepath.Join("..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		room, rest, _ := strings.Cut(filepath.ToSlash(rel), "/")
		seen[room] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range file.Imports {
			target, _ := strconv.Unquote(imp.Path.Value)
			if target == "paddock/web" {
				if room != "app" {
					t.Errorf("%s imports the console: only app may", rel)
				}
				continue
			}
			if !strings.HasPrefix(target, module) {
				continue
			}
			target = strings.TrimPrefix(target, module)
			other, _, _ := strings.Cut(target, "/")
			switch {
			case room == "kit":
				// kit knows no room; web alone knows the vocabulary of "who".
				words := other == "auth" || other == "id"
				if other != "kit" && !(words && strings.HasPrefix(rest, "web/")) {
					t.Errorf("%s imports %s: kit knows no noun of the product", rel, target)
				}
			case other == "kit" || other == room:
			case slices.Index(order, other) < 0:
				t.Errorf("%s imports %s, which has no place in the order", rel, target)
			case slices.Index(order, other) < slices.Index(order, room):
				t.Errorf("%s imports %s: a step to the left", rel, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range seen {
		if room != "kit" && !slices.Contains(order, room) {
			t.Errorf("room %s has no place in the order", room)
		}
	}
	for _, room := range order {
		if !seen[room] {
			t.Errorf("the order names %s, which does not exist", room)
		}
	}
}
