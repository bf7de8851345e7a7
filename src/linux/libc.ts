// Determines the C library of the runtime of this process. Reads /proc/self/maps, and loads no library.
import { readLatin1 } from './files.ts';

/**
 * The C library in a table of mapped files, by the names of its loader and of the library itself (ld.so(8)); null if there is
 * none. On Debian, musl's loader is a link to `libc.so`.
 */
export function libcOf(maps: string): 'glibc' | 'musl' | null {
  if (/\/(ld-musl-[^/\n]*|libc(\.musl-[^/\n]*)?)\.so(\.1)?$/m.test(maps)) return 'musl';
  return /\/(ld-linux[^/\n]*\.so\.\d|libc\.so\.6|(libc|ld)-2\.\d+\.so)$/m.test(maps) ? 'glibc' : null;
}

/** Null if it is not known: the runtime is static, or /proc cannot be read. */
export function readLibc(): 'glibc' | 'musl' | null {
  try {
    return libcOf(readLatin1('/proc/self/maps'));
  } catch {
    return null;
  }
}
