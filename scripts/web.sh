#!/usr/bin/env bash
# The console: scripts/web.sh build puts it into web/dist, scripts/web.sh check looks at its types.
# Quiet when all is well; npm installs only when web/package-lock.json changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_node
npm_ci "$root/web" || die "npm ci in web failed"
cd "$root/web"
case "${1:-}" in
  build) ./node_modules/.bin/vite build --logLevel warn ;;
  check) npm run --silent --loglevel=error lint ;;
  *) die "usage: scripts/web.sh build|check" ;;
esac
