#!/bin/sh
# Installs what the tests of `svc-super import` compare it with (test/convert/import): compose-go, compiled by Go, and honcho in
# a Python environment. Does nothing where they are there already.
set -eu
cd "$(dirname "$0")/.."
sources=test/convert/import/oracles
target=.cache/oracles
digest=$(cat "$sources"/requirements.txt "$sources"/compose/go.mod "$sources"/compose/main.go | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/digest" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi
echo "installing what imports are compared with ..." >&2
rm -rf "$target"
mkdir -p "$target"
python3 -m venv "$target/python"
"$target/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$sources/requirements.txt"
(cd "$sources/compose" && go build -mod=readonly -o "../../../../../$target/compose" .)
echo "$digest" >"$target/digest"
