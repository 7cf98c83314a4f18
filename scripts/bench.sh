#!/usr/bin/env bash
# Measures bin/paddock and writes docs/benchmarks.md: scripts/bench.sh [isolation] [FLAG…]
# With the word isolation: a quiet profile beside floods, and only that section of the page. Flags go to the
# runner: see bench/main.go and bench/isolation.go.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_go
need_wrk
cd "$root"
what=()
if [ "${1:-}" = isolation ]; then
  what=(isolation)
  shift
fi
tools=$(mktemp -d "${TMPDIR:-/tmp}/paddock-bench.XXXXXX")
trap 'rm -rf "$tools"' EXIT
CGO_ENABLED=0 go build -o "$tools/" ./bench ./bench/empty
"$tools/bench" "${what[@]}" --paddock bin/paddock --empty "$tools/empty" --catalogue bench/catalogue.yaml --out docs/benchmarks.md "$@"
