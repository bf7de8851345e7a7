#!/bin/sh
# Installs what the tests of `svc-super import` and `svc-super export` compare with (test/convert/oracles): compose-go and Podman's
# quadlet code, compiled by Go 1.26; honcho, kubernetes-validate and hadolint in a Python environment. Does nothing if they
# are up to date. It does not install the Debian packages (supervisor, s6, shfmt, slurm, shellcheck): .ci/run does.
set -eu
cd "$(dirname "$0")/.."
sources=test/convert/oracles
target=.cache/oracles
digest=$(cat "$sources"/requirements.txt "$sources"/*/go.mod "$sources"/*/main.go | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/digest" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi
command -v go >/dev/null || { echo "install Go 1.26 first" >&2; exit 1; }
echo "installing what imports and exports are compared with ..." >&2
rm -rf "$target"
mkdir -p "$target"
python3 -m venv "$target/python"
"$target/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$sources/requirements.txt"
for program in compose quadlet; do
  (cd "$sources/$program" && go build -mod=readonly -o "../../../../$target/$program" .)
done
echo "$digest" >"$target/digest"
