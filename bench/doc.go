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
package main
