package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"paddock/internal/kit/sqldb"
)

var (
	createTable = regexp.MustCompile(`(?is)CREATE TABLE (?:IF NOT EXISTS )?(\w+)\s*\((.*?)\n\)`)
	primaryKey  = regexp.MustCompile(`(?i)PRIMARY KEY\s*\(\s*(\w+)`)
	inlineKey   = regexp.MustCompile(`(?i)^\s*(\w+)\s[^,]*PRIMARY KEY`)
	touches     = regexp.MustCompile(`(?i)\b(?:FROM|INTO|UPDATE|JOIN)\s+(\w+)`)
	uniqueIndex = regexp.MustCompile(`(?i)CREATE UNIQUE INDEX \w+ ON (\w+)\s*\(\s*(\w+)`)
	foreignKey  = regexp.MustCompile(`(?i)FOREIGN KEY\s*\(\s*(\w+)`)
)

// tenantTables learns from the migrations which tables belong to a profile: those whose primary key begins
// with profile_id, and point, which is keyed by the profile's number. Its value is the column to be named.
func tenantTables(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"point": "profile_no"}
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.Postgres} {
		all, err := sqldb.Migrations(engine, Sources()...)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			for _, table := range createTable.FindAllStringSubmatch(m.SQL, -1) {
				name, body := table[1], table[2]
				first := ""
				if k := primaryKey.FindStringSubmatch(body); k != nil {
					first = k[1]
				} else if k := inlineKey.FindStringSubmatch(strings.TrimSpace(body)); k != nil {
					first = k[1]
				}
				hasProfile := regexp.MustCompile(`(?m)^\s*profile_id\s`).MatchString(body)
				switch {
				case first == "profile_id":
					out[name] = "profile_id"
				case hasProfile && !globalTables[name]:
					t.Errorf("table %s (%s) carries profile_id, which is not first in its primary key", name, m.Name)
				}
				for _, fk := range foreignKey.FindAllStringSubmatch(body, -1) {
					if out[name] == "profile_id" && fk[1] != "profile_id" {
						t.Errorf("table %s (%s): a foreign key does not begin with profile_id", name, m.Name)
					}
				}
			}
			for _, u := range uniqueIndex.FindAllStringSubmatch(m.SQL, -1) {
				if out[u[1]] == "profile_id" && u[2] != "profile_id" {
					t.Errorf("%s: a unique index of %s does not begin with profile_id", m.Name, u[1])
				}
			}
		}
	}
	return out
}

// globalTables name a profile without belonging to one: they are looked up by something else or summed over
// an account (docs/architecture.md).
var globalTables = map[string]bool{"token": true, "profile": true, "allocation": true, "ownership": true}

// TestTenantStatements reads every SQL literal of every room and fails on one that touches a tenant table
// without naming its profile. A statement whose condition is built with sqldb.NewWhere("profile_id = ?", …)
// in the same function names it; one that must see all tenants stands in a function whose comment says
// "across profiles".
func TestTenantStatements(t *testing.T) {
	tables := tenantTables(t)
	if len(tables) < 5 {
		t.Fatalf("only %d tenant tables found: the test has lost its way", len(tables))
	}
	checked := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			doc := ""
			switch d := decl.(type) {
			case *ast.FuncDecl:
				doc = d.Doc.Text()
			case *ast.GenDecl:
				doc = d.Doc.Text()
			}
			if strings.Contains(doc, "across profiles") {
				continue
			}
			var texts []string // of the whole declaration: a Where built beside the statement counts
			ast.Inspect(decl, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					s, _ := strconv.Unquote(lit.Value)
					texts = append(texts, s)
				}
				return true
			})
			whole := strings.Join(texts, "\n")
			ast.Inspect(decl, func(n ast.Node) bool {
				expr, ok := n.(ast.Expr)
				if !ok {
					return true
				}
				text, built, ok := concatenated(expr)
				if !ok {
					return true
				}
				for _, m := range touches.FindAllStringSubmatch(text, -1) {
					column, tenant := tables[strings.ToLower(m[1])]
					if !tenant {
						continue
					}
					checked++
					if strings.Contains(text, column) || (built && strings.Contains(whole, column+" = ")) {
						continue
					}
					t.Errorf("%s: a statement touches %s without naming %s:\n%s", fset.Position(n.Pos()), m[1], column, text)
				}
				return false
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 20 {
		t.Fatalf("only %d statements checked: the test has lost its way", checked)
	}
}

// concatenated joins the string literals of a + b + c; built says that something else is among them.
func concatenated(e ast.Expr) (text string, built, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false, false
		}
		s, err := strconv.Unquote(e.Value)
		return s, false, err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false, false
		}
		a, builtA, okA := concatenated(e.X)
		b, builtB, okB := concatenated(e.Y)
		if !okA && !okB {
			return "", false, false
		}
		return a + b, builtA || builtB || !okA || !okB, true
	}
	return "", true, false
}
