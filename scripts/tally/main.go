// Tally reads `go test -json` on its input, prints what `go test` itself would have printed, and
// appends one line "passed failed" to the file named by its argument.
//
// Every test and every subtest counts as one. A package that fails without a failing test (it does
// not build, it panics outside a test) counts as one failure, and so does a skipped test: a test
// that cannot run has not passed.
//
//	go test -json ./... | tally counts.txt
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action, Package, ImportPath, Test, Output string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json … | tally FILE")
		os.Exit(2)
	}
	passed, failed := tally(bufio.NewScanner(os.Stdin))
	f, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, passed, failed)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// tally prints the output of failed tests and the last line of every package, and counts.
func tally(in *bufio.Scanner) (passed, failed int) {
	in.Buffer(nil, 64<<20)
	output := map[string][]string{} // of tests that have not ended, by package and test
	blamed := map[string]bool{}     // packages in which a test failed
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // not from a test: the go command itself complains
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			output[key] = append(output[key], e.Output)
		case "build-output":
			fmt.Print(e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				if e.Action == "fail" {
					unended(output, key)
				}
				last(output[key], e.Action == "fail" && !blamed[e.Package])
				if e.Action == "fail" && !blamed[e.Package] {
					failed++
				}
			} else if e.Action == "pass" {
				passed++
			} else {
				failed++
				blamed[e.Package] = true
				if e.Action == "skip" {
					fmt.Print("a skipped test counts as failed:\n")
				}
				fmt.Print(strings.Join(output[key], ""))
			}
			delete(output, key)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println("tally:", err)
		failed++
	}
	return passed, failed
}

// unended prints and forgets what the tests of a package said that never ended: a panic is said by one of them.
func unended(output map[string][]string, pkg string) {
	for _, key := range slices.Sorted(maps.Keys(output)) {
		if key != pkg && strings.HasPrefix(key, pkg) {
			fmt.Print(strings.Join(output[key], ""))
			delete(output, key)
		}
	}
}

// last prints a package's last line ("ok paddock/x 1.2s"), or all of its output when nothing else
// explains why it failed. Packages without tests are not worth a line.
func last(lines []string, all bool) {
	if !all && len(lines) > 0 {
		lines = lines[len(lines)-1:]
	}
	for _, line := range lines {
		if !strings.Contains(line, "[no test files]") {
			fmt.Print(line)
		}
	}
}
