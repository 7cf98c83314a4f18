#!/usr/bin/env bash
# Measures bin/paddock and writes docs/benchmarks.md. Flags go to the runner: see bench/main.go.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_go
need_wrk
cd "$root"
tools=$(mktemp -d "${TMPDIR:-/tmp}/paddock-bench.XXXXXX")
trap 'rm -rf "$tools"' EXIT
CGO_ENABLED=0 go build -o "$tools/" ./bench ./bench/empty
"$tools/bench" --paddock bin/paddock --empty "$tools/empty" --catalogue bench/catalogue.yaml --out docs/benchmarks.md "$@"
