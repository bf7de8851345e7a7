#!/bin/sh
# Installs svc-super from a release: downloads the archive for this machine, compares its SHA-256, tries it, and only then
# moves the files into place. Changes nothing if a step fails. `sh install.sh --help` shows the options.
set -eu
version=@VERSION@
url=https://github.com/OWNER/svc-super/releases/download
to=/usr/local

usage() {
  echo "usage: install.sh [--version VERSION] [--to FOLDER] [--url URL]
  --version VERSION  the release to install ($version)
  --to FOLDER        installs FOLDER/bin/svc-super, FOLDER/bin/svc-super-supervisor, FOLDER/share/svc-super ($to)
  --url URL          downloads URL/vVERSION/FILE ($url)"
}
fail() { echo "install.sh: $*" >&2; exit 1; }
fetch() { # URL FILE
  if command -v curl >/dev/null; then curl -fsSL -o "$2" "$1" || fail "cannot download $1: curl failed with exit code $?"
  elif command -v wget >/dev/null; then wget -qO "$2" "$1" || fail "cannot download $1: wget failed with exit code $?"
  else fail 'curl and wget are missing: install one of them'; fi
}
platform() {
  case $(uname -sm) in
    'Linux x86_64') arch=x64 ;;
    'Linux aarch64') arch=arm64 ;;
    *) fail "there is no svc-super for $(uname -sm): it needs Linux on x86_64 or aarch64" ;;
  esac
  # A glibc system may have musl's loader too: the C library of /bin/sh decides.
  case $(ldd /bin/sh 2>&1 || ls /lib/ld-musl-* 2>&1) in */ld-musl-*) echo "linux-$arch-musl" ;; *) echo "linux-$arch" ;; esac
}
main() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --version | --to | --url) [ $# -gt 1 ] || fail "$1 needs a value: see --help" ;;
      *) fail "there is no option $1: see --help" ;;
    esac
    case $1 in --version) version=${2#v} ;; --to) to=$2 ;; --url) url=${2%/} ;; esac
    shift 2
  done
  name=svc-super-$version-$(platform).tar.gz
  mkdir -p "$to/bin" "$to/share" 2>/dev/null || fail "cannot write to $to: run as root, or choose a folder with --to"
  # In the destination: a rename within one file system replaces a file at once, or not at all.
  folder=$(mktemp -d "$to/.svc-super.XXXXXX" 2>/dev/null) || fail "cannot write to $to: run as root, or choose a folder with --to"
  trap 'rm -rf "$folder"' EXIT
  trap 'exit 1' HUP INT TERM
  fetch "$url/v$version/SHA256SUMS" "$folder/SHA256SUMS"
  fetch "$url/v$version/$name" "$folder/$name"
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\$/\1/p" "$folder/SHA256SUMS")
  actual=$(sha256sum <"$folder/$name" | cut -d' ' -f1)
  [ "$expected" = "$actual" ] || fail "$name has the SHA-256 $actual, SHA256SUMS has ${expected:-no such file}: nothing is installed"
  tar -xzf "$folder/$name" -C "$folder" --no-same-owner || fail "cannot unpack $name: tar failed"
  "$folder/usr/local/bin/svc-super" version >/dev/null || fail "svc-super does not run here: nothing is installed. On Alpine: apk add libstdc++"
  mv -f "$folder/usr/local/bin/svc-super-supervisor" "$folder/usr/local/bin/svc-super" "$to/bin/"
  rm -rf "$to/share/svc-super" && mv "$folder/usr/local/share/svc-super" "$to/share/"
  echo "installed svc-super $version: $to/bin/svc-super"
}
main "$@"
