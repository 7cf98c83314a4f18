#!/usr/bin/env bash
# Fails when a log in a folder holds a secret: scripts/secrets.sh FOLDER
#
# The logs are those of servers that the end-to-end tests ran, which makes every kind of secret: tokens (UUIDs), cookies and the
# secrets of links (43 characters), passwords of people and of databases. The set-up link is printed to be used, and left out.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -n "$(find "$1" -name '*.log' -size +0 2>/dev/null)" ] || die "no log in $1"
secrets='[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'        # tokens
secrets+='|(^|[^A-Za-z0-9_-])[A-Za-z0-9_-]{43}=?([^A-Za-z0-9_=-]|$)'                 # cookies, links, keys
secrets+='|correct horse|horse battery|battery horse|pass of [A-Z]|a long password' # what people in the tests choose
secrets+='|://[^/ :@"]+:[^/ @"]+@'                                                  # URLs with a password
if grep -rnE --include='*.log' "$secrets" "$1" | grep -v '/console/setup/' | grep .; then
  die "the logs hold secrets"
fi
