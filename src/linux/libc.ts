// Which C library the runtime of this process uses. Reads /proc/self/maps, loads nothing.
import { readFileSync } from 'node:fs';

/** By the file names of loader and library (ld.so(8)); on Debian, musl's loader is a link to `libc.so`. Null if none is mapped. */
export function libcOf(maps: string): 'glibc' | 'musl' | null {
  if (/\/(ld-musl-[^/\n]*|libc(\.musl-[^/\n]*)?)\.so(\.1)?$/m.test(maps)) return 'musl';
  return /\/(ld-linux[^/\n]*\.so\.\d|libc\.so\.6|(libc|ld)-2\.\d+\.so)$/m.test(maps) ? 'glibc' : null;
}

export function readLibc(): 'glibc' | 'musl' | null {
  try {
    return libcOf(readFileSync('/proc/self/maps', 'latin1'));
  } catch {
    return null;
  }
}
