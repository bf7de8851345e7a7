#!/bin/sh
# Compiles the native program: `native/compile.sh x64|arm64 OUTPUT` creates the file that is shipped, and `native/compile.sh
# hosted OUTPUT` a file that is linked to libc with its sanitizers, for tests. Needs gcc; for arm64, gcc-aarch64-linux-gnu.
set -eu
cd "$(dirname "$0")"
sources="svc-super.c text.c exec.c init.c supervise.c loop.c runs.c requests.c reports.c checkpoint.c successor.c alone.c spawn.c frames.c handover.c control.c
  terminal.c screen.c"
common="-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -fno-strict-aliasing -fno-builtin-malloc"
small="-Os -ffreestanding -fpie -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables -fcf-protection=none
  -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections -fno-ident -fmerge-all-constants"
link="-nostdlib -static-pie -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,--hash-style=gnu
  -Wl,-z,max-page-size=65536 -Wl,-z,noexecstack -s"
case $1 in
  x64) gcc -m64 -march=x86-64 $common $small $sources $link -o "$2" && strip -s -R .comment "$2" ;;
  arm64) aarch64-linux-gnu-gcc -march=armv8-a -mno-outline-atomics $common $small $sources $link -o "$2" &&
    aarch64-linux-gnu-strip -s -R .comment "$2" ;;
  hosted) gcc -g -O1 -DHOSTED $common -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all $sources -o "$2" ;;
  *) echo "usage: compile.sh x64|arm64|hosted OUTPUT" >&2; exit 64 ;;
esac
