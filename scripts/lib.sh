# Shared by the scripts beside it (source it, do not run it).
#
# The scripts need Go, Node and a few Debian packages. Go and Node must be there; the rest is
# installed with apt-get when we are root, and otherwise named so that a person can install it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# install PACKAGE…: with apt-get when we may, else say what is missing and stop.
install() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing $*"
    if [ -z "${apt_updated:-}" ]; then
      apt-get update -qq >/dev/null || die "apt-get update failed"
      apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
      die "apt-get install $* failed"
  else
    die "missing: please install $* (Debian's names) and run this again"
  fi
}

# need_go: the toolchain that go.mod asks for (an older one from 1.21 on fetches it by itself).
need_go() {
  command -v go >/dev/null || die "missing: please install Go 1.26 or newer (https://go.dev/dl)"
}

# need_node: Node 20 with npm; Debian 12's own is too old, so it is never installed for you.
need_node() {
  command -v npm >/dev/null || die "missing: please install Node.js 20 or newer with npm (https://nodejs.org)"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js 20 or newer is needed, this is $(node --version)"
}

# need_gcc: the race detector links with cgo.
need_gcc() { command -v gcc >/dev/null || install gcc libc6-dev; }

# need_wrk: the benchmarks send with it.
need_wrk() { command -v wrk >/dev/null || install wrk; }

# need_chromium sets CHROMIUM to a browser. Its headless build does the same without a window system, in three quarters of the time.
need_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium-headless-shell chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      CHROMIUM=$(command -v "$name")
      export CHROMIUM
      return
    fi
  done
  install chromium-headless-shell
  CHROMIUM=$(command -v chromium-headless-shell) || die "chromium-headless-shell was installed but is not on the path"
  export CHROMIUM
}

# npm_ci DIR: install what the lock file names, only when it changed since the last time.
npm_ci() {
  local mark="$1/node_modules/.locked"
  if ! cmp -s "$1/package-lock.json" "$mark"; then
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error >/dev/null) || return 1
    cp "$1/package-lock.json" "$mark"
  fi
}
