#!/usr/bin/env bash
# Lets random histories happen to the real server for hours, at low priority: see e2e/histories.
#
#   HOURS=8 ENGINE=sqlite scripts/soak.sh      (make soak HOURS=8 ENGINE=sqlite)
#
# HOURS may be a fraction (default 1). Without ENGINE both engines run side by side, each in a process of its own. HISTORY_SEED,
# HISTORY and the other variables of e2e/histories are passed on: HISTORY=file repeats one history that failed.
# The end says for each engine how many histories, requests, points and kills there were; a failure ends its
# engine, says the smallest history it found and how to see it again. TMPDIR is where the databases lie.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
need_go

work=$(mktemp -d "${TMPDIR:-/tmp}/paddock-soak.XXXXXX")
cluster=
running=()
finish() {
  [ ${#running[@]} = 0 ] || kill "${running[@]}" 2>/dev/null
  [ -z "$cluster" ] || scripts/postgres.sh stop "$cluster"
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

engines=${ENGINE:-sqlite postgres}
case "$engines" in
  *postgres*)
    if [ -z "${TEST_POSTGRES:-}" ]; then
      line=$(scripts/postgres.sh start) || die "PostgreSQL could not be started"
      line=$(tail -1 <<<"$line")
      cluster=${line%% *}
      export TEST_POSTGRES=${line#* }
    fi
    ;;
esac

go build -tags fault -o "$work/paddock" ./cmd/paddock || die "the build failed"
go test -c -o "$work/histories" ./e2e/histories || die "the build failed"
export PADDOCK_FAULT_BIN="$work/paddock"
HISTORY_SECONDS=$(awk -v hours="${HOURS:-1}" 'BEGIN { print int(hours * 3600) }')
export HISTORY_SECONDS
for engine in $engines; do
  (cd e2e/histories && HISTORY_ENGINE=$engine exec nice -n 19 "$work/histories" -test.timeout 0) & # they read the source
  running+=($!)
done
failed=0
for pid in "${running[@]}"; do
  wait "$pid" || failed=1
done
running=()
exit $failed
