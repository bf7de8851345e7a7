// Which C library the runtime of this process uses. Reads /proc/self/maps, loads nothing.
import { readFileSync } from 'node:fs';

/** By the names of the dynamic linkers (ld.so(8); musl: `ld-musl-ARCH.so.1`). Null if neither is mapped. */
export function libcOf(maps: string): 'glibc' | 'musl' | null {
  if (/\/(ld-musl-|libc\.musl-)[^/\n]*\.so/.test(maps)) return 'musl';
  return /\/(ld-linux[^/\n]*|ld64|ld|libc)(-[\d.]+)?\.so/.test(maps) ? 'glibc' : null;
}

export function readLibc(): 'glibc' | 'musl' | null {
  try {
    return libcOf(readFileSync('/proc/self/maps', 'latin1'));
  } catch {
    return null;
  }
}
