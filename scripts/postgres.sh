#!/usr/bin/env bash
# A PostgreSQL cluster of one's own, for the tests.
#
#   scripts/postgres.sh start        makes and starts a cluster in a new temporary folder;
#                                    prints one line: the folder, a space, its superuser's URL
#   scripts/postgres.sh stop DIR     stops it and removes the folder
#
# The programs are those of `pg_config --bindir` (PostgreSQL 15 or newer). PostgreSQL refuses to run
# as root, so root runs it as `postgres` or `nobody`. It listens on a free port of 127.0.0.1 alone,
# trusts whoever asks and does not fsync: nothing in it is worth keeping.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# find_programs sets bin to the folder that has initdb and pg_ctl; false when there is none.
find_programs() {
  local dir
  for dir in "$(pg_config --bindir 2>/dev/null || true)" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
      bin=$dir
      return 0
    fi
  done
  return 1
}

# as_user COMMAND…: as somebody PostgreSQL accepts.
as_user() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif id postgres >/dev/null 2>&1; then
    runuser -u postgres -- "$@"
  else
    runuser -u nobody -- "$@"
  fi
}

start() {
  local dir port
  if ! find_programs; then
    # Debian would start a cluster of its own for the machine; these tests do not want one.
    if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      mkdir -p /etc/postgresql-common
      echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    install postgresql-15 postgresql-client-15 libpq-dev >&2
    find_programs || die "PostgreSQL was installed but pg_config --bindir has no initdb"
  fi
  dir=$(mktemp -d "${TMPDIR:-/tmp}/paddock-postgres.XXXXXX")
  mkdir "$dir/run" "$dir/data"
  if [ "$(id -u)" = 0 ]; then
    chown "$(as_user id -u)" "$dir" "$dir/run" "$dir/data"
  fi
  cd "$dir"
  as_user "$bin/initdb" -D "$dir/data" -U paddock -A trust -E UTF8 --locale=C -N >"$dir/run/initdb.log" 2>&1 ||
    { cat "$dir/run/initdb.log" >&2; die "initdb failed"; }
  # A free port may be taken between asking and binding: try again, with another.
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    if as_user "$bin/pg_ctl" -D "$dir/data" -s -w -t 60 -l "$dir/run/log" start \
      -o "-k $dir/run -h 127.0.0.1 -p $port -c max_connections=400 -c shared_buffers=128MB -c fsync=off -c full_page_writes=off" >/dev/null 2>&1; then
      echo "$dir postgres://paddock@127.0.0.1:$port/postgres?sslmode=disable"
      return
    fi
  done
  tail -20 "$dir/run/log" >&2
  die "PostgreSQL did not start"
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

stop() {
  local dir=$1
  find_programs || die "PostgreSQL's programs are gone"
  cd /
  if [ -f "$dir/data/postmaster.pid" ]; then
    as_user "$bin/pg_ctl" -D "$dir/data" -s -m immediate stop
  fi
  rm -rf "$dir"
}

case "${1:-}" in
  start) start ;;
  stop) stop "${2:?folder}" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
