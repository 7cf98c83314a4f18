#!/usr/bin/env bash
# Runs the tests, all of them or the stages named: scripts/test.sh [STAGE…]
#
#   lint      gofmt, go vet, staticcheck, the API document is the one the code makes
#   go        every Go package on SQLite and PostgreSQL, with the race detector (of the whole server: on SQLite)
#   fuzz      every fuzz target for a few seconds (FUZZ_SECONDS, default 5)
#   cli       the command line, scripted, on the real binary
#   load      kill -9 under load, verify and its seeded errors, on the real binary
#   histories random histories with kills and clock jumps against a model, for a minute (HISTORY_SECONDS, 30 for each engine)
#   sdk       the official client from npm against the real binary
#   browser   the console in a headless Chromium against the real binary
#
# Without names: all but lint. PostgreSQL is started for the run in a temporary folder, unless
# TEST_POSTGRES is already a superuser's URL. What is missing is installed when root, else named.
# The end shows the seconds of each stage and the line "N passed, N failed".
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

work=$(mktemp -d "${TMPDIR:-/tmp}/paddock-test.XXXXXX")
cluster=
passed=0
failed=0
times=()

finish() {
  [ -z "$cluster" ] || scripts/postgres.sh stop "$cluster"
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# count PASSED FAILED
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
}

# check WHAT COMMAND…: one thing that passes or fails; its output is shown when it fails.
check() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    count 1 0
  else
    cat "$work/out"
    say "FAIL: $what"
    count 0 1
  fi
}

# go_test ARGUMENTS…: go test, counted test by test.
go_test() {
  rm -f "$work/counts"
  go test -json "$@" 2>&1 | "$work/tally" "$work/counts"
  if [ -s "$work/counts" ]; then
    # shellcheck disable=SC2046
    count $(cat "$work/counts")
  else
    say "FAIL: go test $* did not end"
    count 0 1
  fi
}

# summed FILE PASS-WORD FAIL-WORD: adds the numbers a node runner printed; none at all is a failure.
summed() {
  local file=$1 ok bad
  ok=$(sed -nE "s/$2/\1/p" "$file" | tail -1)
  bad=$(sed -nE "s/$3/\1/p" "$file" | tail -1)
  if [ "${ok:-0}" = 0 ] && [ "${bad:-0}" = 0 ]; then
    say "FAIL: no test ran"
    bad=1
  fi
  count "${ok:-0}" "${bad:-0}"
}

# ---- what a stage needs ----

with_tally() { [ -x "$work/tally" ] || go build -o "$work/tally" ./scripts/tally; }

with_postgres() {
  [ -z "${TEST_POSTGRES:-}" ] || return 0
  local line in=${TMPDIR:-/tmp}
  # In memory where there is room: making a database for each test is mostly making files.
  if [ "$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -1)" -ge 4000 ] 2>/dev/null && [ -w /dev/shm ]; then
    in=/dev/shm
  fi
  line=$(TMPDIR=$in scripts/postgres.sh start) || die "PostgreSQL could not be started"
  line=$(tail -1 <<<"$line")
  cluster=${line%% *}
  export TEST_POSTGRES=${line#* }
}

# with_binary builds bin/paddock, console included: what the end-to-end stages run.
with_binary() {
  [ -z "${PADDOCK_BIN:-}" ] || return 0
  make --no-print-directory bin/paddock >"$work/out" 2>&1 || { cat "$work/out"; die "the build failed"; }
  export PADDOCK_BIN="$root/bin/paddock"
}

# ---- the stages ----

stage_lint() {
  need_node
  local unformatted
  unformatted=$(gofmt -l cmd internal e2e scripts bench web/*.go 2>/dev/null)
  check "gofmt -l: $unformatted" test -z "$unformatted"
  check "go vet" go vet ./...
  check "staticcheck" make --no-print-directory staticcheck
  check "api/openapi.json is not what the code makes: run make api and commit it" make --no-print-directory api-check
  check "the console's types" make --no-print-directory web-check
}

stage_go() {
  need_gcc
  need_wrk # bench tests what it sends
  with_tally
  with_postgres
  # SQLite comes as C turned into Go: watching its own memory finds nothing of ours and costs three quarters of the time; so it is with
  # passwords and with what packs archives.
  # Without debugging tables linking takes a third less.
  local each=(-trimpath -count=1 -timeout 20m -ldflags=-w) watched=(-race) quiet whole=paddock/internal/app
  for quiet in modernc.org/sqlite/lib modernc.org/libc golang.org/x/crypto/argon2 golang.org/x/crypto/scrypt compress/flate; do
    watched+=("-gcflags=$quiet=-race=false")
  done
  # The tests of the whole server are half of all: they are watched on SQLite, and run as people run it on PostgreSQL.
  # shellcheck disable=SC2046
  go_test "${each[@]}" "${watched[@]}" -parallel 4 -skip '/^postgres$' "$whole"
  go_test "${each[@]}" -parallel 8 -run '/^postgres$' "$whole"
  go_test "${each[@]}" "${watched[@]}" -parallel 4 $(go list ./... | grep -v -e "/e2e/" -e "^$whole\$")
}

stage_fuzz() {
  local file target
  while IFS=: read -r file target; do
    check "$target in $(dirname "$file")" \
      go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZ_SECONDS:-5}s"
  done < <(grep -rEo --include='*_test.go' 'func Fuzz[A-Za-z0-9_]+' cmd internal | sed 's/func //' | sort)
}

stage_cli() {
  with_tally
  with_postgres
  with_binary
  go_test -count=1 -timeout 10m ./e2e/cli/...
}

stage_load() {
  with_tally
  with_postgres
  with_binary
  go_test -count=1 -timeout 15m ./e2e/load/...
}

stage_histories() {
  with_tally
  with_postgres
  # The same histories each time: what is new is looked for by make soak, whose failures are nobody's change of today.
  HISTORY_SEED=${HISTORY_SEED:-1} go_test -count=1 -timeout 0 ./e2e/histories/...
}

stage_sdk() {
  need_node
  with_postgres
  with_binary
  npm_ci e2e/sdk || die "npm ci in e2e/sdk failed"
  mkdir -p "$work/sdk-logs"
  (cd e2e/sdk && E2E_LOGS="$work/sdk-logs" node --test --test-reporter=spec) >"$work/sdk" 2>&1
  # The spec reporter says everything; a green run only needs its totals.
  if grep -qE '^ℹ fail 0$' "$work/sdk"; then tail -8 "$work/sdk"; else cat "$work/sdk"; fi
  summed "$work/sdk" '^ℹ pass ([0-9]+)$' '^ℹ fail ([0-9]+)$'
  check "no secret in the servers' logs" scripts/secrets.sh "$work/sdk-logs"
}

stage_browser() {
  need_node
  need_chromium
  with_postgres
  with_binary
  npm_ci e2e/browser || die "npm ci in e2e/browser failed"
  mkdir -p "$work/browser-logs"
  (cd e2e/browser && E2E_LOGS="$work/browser-logs" PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 ./node_modules/.bin/playwright test --reporter=list) 2>&1 | tee "$work/browser"
  summed "$work/browser" '^ *([0-9]+) passed.*' '^ *([0-9]+) failed.*'
  check "no secret in the servers' logs" scripts/secrets.sh "$work/browser-logs"
}

need_go
[ $# -gt 0 ] || set -- go fuzz cli load histories sdk browser
for stage in "$@"; do
  [ "$(type -t "stage_$stage")" = function ] || die "no stage called $stage (see scripts/test.sh)"
done
for stage in "$@"; do
  say "== $stage"
  began=$SECONDS
  stage_"$stage"
  times+=("$(printf '%-9s %4d s' "$stage" $((SECONDS - began)))")
done
say "=="
printf '%s\n' "${times[@]}"
say "$passed passed, $failed failed"
[ "$failed" = 0 ]
