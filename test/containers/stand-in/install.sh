#!/bin/sh
# Called by the names of the programs that a Dockerfile installs with.
set -eu
for last; do :; done
# An empty script: `svc-super check --build` requires that the programs of services exist and are executable.
program() { : >>"$1" && chmod 755 "$1"; }
case "$(basename "$0") $1" in
  'uv venv') mkdir -p "$last/bin" && program "$last/bin/python" ;;
  'uv pip') test -d "$4/bin" && program "$4/bin/$last" ;; # uv pip install --python FOLDER NAME
  'python -m') mkdir -p "$last/bin" && ln -s /usr/local/bin/install-stand-in "$last/bin/pip" ;; # python -m venv FOLDER
  'pip install') test -r "$last" ;;
  'git clone') mkdir -p "$last" && touch "$last/requirements.txt" ;;
  'nginx -t') test -r "$last" ;;
  'npm run') ;; # the stage of Dockerfile.example that builds svc-super: no other stage uses it
  'apt-get update' | 'apt-get install') ;;
  *) echo "the stand-in knows no $0 $*" >&2 && exit 1 ;;
esac
