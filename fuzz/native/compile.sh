#!/bin/sh
# Compiles the fuzzer of frames: `fuzz/native/compile.sh OUTPUT`. Needs gcc with its sanitizers.
set -eu
cd "$(dirname "$0")"
native=../../native
gcc -g -O1 -DHOSTED -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function -fno-strict-aliasing \
  -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
  frames.c $native/text.c $native/exec.c $native/frames.c $native/handover.c $native/control.c -o "$1"
