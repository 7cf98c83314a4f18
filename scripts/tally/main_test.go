package main

import (
	"bufio"
	"strings"
	"testing"
)

// TestTally counts the kinds of ending a test can have.
func TestTally(t *testing.T) {
	cases := []struct {
		name           string
		lines          []string
		passed, failed int
	}{
		{"a passing package", []string{
			`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
			`{"Action":"pass","Package":"p","Test":"TestA"}`,
			`{"Action":"pass","Package":"p"}`}, 2, 0},
		{"a failing test is counted once, its package is not", []string{
			`{"Action":"pass","Package":"p","Test":"TestA"}`,
			`{"Action":"fail","Package":"p","Test":"TestB"}`,
			`{"Action":"fail","Package":"p"}`}, 1, 1},
		{"a package that does not build is a failure", []string{
			`{"ImportPath":"p","Action":"build-output","Output":"syntax error\n"}`,
			`{"ImportPath":"p","Action":"build-fail"}`,
			`{"Action":"fail","Package":"p","FailedBuild":"p"}`}, 0, 1},
		{"a skipped test is a failure", []string{
			`{"Action":"skip","Package":"p","Test":"TestA"}`,
			`{"Action":"pass","Package":"p"}`}, 0, 1},
		{"a package without tests is neither", []string{
			`{"Action":"skip","Package":"p"}`}, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			passed, failed := tally(bufio.NewScanner(strings.NewReader(strings.Join(c.lines, "\n"))))
			if passed != c.passed || failed != c.failed {
				t.Fatalf("got %d passed, %d failed; want %d and %d", passed, failed, c.passed, c.failed)
			}
		})
	}
}
