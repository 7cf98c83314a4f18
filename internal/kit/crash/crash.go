//go:build !fault

// Package crash marks the places where a crash could hurt: between two steps that belong together, or between
// something that is done and somebody who is told of it. There the tests of e2e/histories end the process as a
// power cut would, and look at what is left.
//
// In the ordinary binary At is empty and costs nothing. In one built with -tags fault it watches a page of
// memory that the test shares with the process, the file that PADDOCK_FAULTS names; see crash_fault.go for
// its layout. The same page holds the clock of that binary (package clock), so that a test can turn cycles.
package crash

// At marks a place by a name, which is constant and unique.
func At(name string) {}
