#!/bin/sh
# Installs the packages of package-lock.json if they are missing, so that `npm start` and `npm test` need no other command
# before them. Node runs only npm; everything else runs on the pinned Bun.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.installed
if [ -f "$stamp" ] && cmp -s package-lock.json "$stamp"; then exit 0; fi
echo "installing packages (npm ci) ..." >&2
npm ci --no-audit --no-fund --loglevel=error >&2
# If npm does not run install scripts, the stub of the bun package is replaced here by its binary.
if ! node_modules/.bin/bun --version >/dev/null 2>&1; then
  for candidate in node_modules/@oven/bun-linux-*/bin/bun; do
    if "$candidate" --version >/dev/null 2>&1; then
      ln -sf "../../$candidate" node_modules/.bin/bun
      break
    fi
  done
fi
node_modules/.bin/bun --version >/dev/null || {
  echo "cannot run bun from node_modules: this machine needs Linux on x86-64 or arm64, glibc or musl" >&2
  exit 1
}
cp package-lock.json "$stamp"
