// Bench measures the real binary and writes docs/benchmarks.md.
//
// Everything runs on one machine: the server, a bare HTTP server that answers {} to compare with (bench/empty),
// and wrk, which sends. A figure that depends on the machine is therefore also given as a ratio to the bare
// server's, and the runs of one round follow each other so that both see the same machine; the table has the
// median of the rounds.
//
// The server runs with bench/catalogue.yaml: every check is made, with numbers too large to be reached. A
// request that is not answered 2xx fails the measurement.
//
//	go run ./bench --paddock bin/paddock --empty EMPTY --catalogue bench/catalogue.yaml --out docs/benchmarks.md
//
// `make bench` builds the programs and does that. Which profiles there are and how they are made is in
// seed.go, the traffic in wrk.go, the measurements in main.go, the page in report.go.
//
// `go run ./bench backup` prints what the same traffic feels of `paddock backup` beside the server (backup.go).
//
// # Isolation
//
// `make bench isolation` measures what a quiet profile feels of another's floods, and writes the section of
// that name only. isolation.go orders the phases: the quiet profile beside a flood of the bare server (the
// floor), the same beside a flood of Paddock, and the flood alone. flood.go prepares the six floods; wrk sends
// those that it can, and ask.go, churn.go and drip.go the others. quiet.go is the quiet client. Whatever sends
// is a process of its own: this program again, with the name of the client as its first word. isolation_report.go
// writes the section.
package main
