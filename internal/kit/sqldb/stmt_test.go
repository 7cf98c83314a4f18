package sqldb

import "testing"

func TestPlain(t *testing.T) {
	for _, c := range [][2]string{
		{"SELECT 1", "SELECT 1"},
		{"INSERT INTO a VALUES ($1,$2),($3,$4)", "INSERT INTO a VALUES (?,?),(?,?)"},
		{"SELECT $1", "SELECT ?"},
		{"VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)", "VALUES (?,?,?,?,?,?,?,?,?,?,?)"},
		{"SELECT '$1', \"$2\", $1", "SELECT '$1', \"$2\", ?"},
		{"SELECT 'it''s $1' WHERE a = $1", "SELECT 'it''s $1' WHERE a = ?"},
		{"SELECT $1, $1", "SELECT $1, $1"},
		{"SELECT $2, $1", "SELECT $2, $1"},
		{"SELECT $1, $3", "SELECT $1, $3"},
		{"SELECT ?, $1", "SELECT ?, $1"},
		{"SELECT $1 -- $2", "SELECT $1 -- $2"},
		{"SELECT $1 /* $2 */", "SELECT $1 /* $2 */"},
		{"SELECT 'open, $1", "SELECT 'open, $1"},
		{"SELECT $1 - $2 / $3", "SELECT ? - ? / ?"},
	} {
		if got := plain(c[0]); got != c[1] {
			t.Errorf("%s became %s, want %s", c[0], got, c[1])
		}
	}
}

func TestForSQLite(t *testing.T) {
	for _, c := range [][2]string{
		{"SELECT a FROM b WHERE c = $1 LIMIT $2 OFFSET $3", "SELECT a FROM b WHERE c = ? LIMIT 0+? OFFSET ?"},
		{"SELECT a FROM b LIMIT 5", "SELECT a FROM b LIMIT 5"},
		{"SELECT a FROM b WHERE c = $1 OR d = $1 limit $2", "SELECT a FROM b WHERE c = $1 OR d = $1 limit 0+$2"},
	} {
		if got := forSQLite(c[0]); got != c[1] {
			t.Errorf("%s became %s, want %s", c[0], got, c[1])
		}
	}
}
