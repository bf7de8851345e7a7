#!/bin/sh
# Installs what checks the output of `svc-super export` (test/convert/export): compose-go and Podman's quadlet code, compiled by
# Go, and two programs of Python. Does nothing where they are there already.
set -eu
cd "$(dirname "$0")/.."
sources=test/convert/validators
target=.cache/validators
digest=$(cat "$sources"/requirements.txt "$sources"/*/go.mod "$sources"/*/main.go | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/digest" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi
echo "installing the validators of exports ..." >&2
rm -rf "$target"
mkdir -p "$target"
python3 -m venv "$target/python"
"$target/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$sources/requirements.txt"
for program in compose quadlet; do
  (cd "$sources/$program" && go build -mod=readonly -o "../../../../$target/$program" .)
done
echo "$digest" >"$target/digest"
