// Errors of system calls: their names and their meaning, errno(3). Numbers are the same on x86-64 and arm64. Pure.

/** The errors that users are likely to see. */
const ERRNO: Readonly<Record<number, readonly [code: string, words: string]>> = {
  1: ['EPERM', 'operation not permitted'],
  2: ['ENOENT', 'no such file or directory'],
  3: ['ESRCH', 'no such process'],
  5: ['EIO', 'input/output error'],
  7: ['E2BIG', 'argument list too long'],
  8: ['ENOEXEC', 'exec format error'],
  9: ['EBADF', 'bad file descriptor'],
  11: ['EAGAIN', 'resource temporarily unavailable'],
  12: ['ENOMEM', 'out of memory'],
  13: ['EACCES', 'permission denied'],
  16: ['EBUSY', 'device or resource busy'],
  17: ['EEXIST', 'file exists'],
  20: ['ENOTDIR', 'not a directory'],
  21: ['EISDIR', 'is a directory'],
  22: ['EINVAL', 'invalid argument'],
  23: ['ENFILE', 'too many open files in the system'],
  24: ['EMFILE', 'too many open files'],
  25: ['ENOTTY', 'not a terminal'],
  26: ['ETXTBSY', 'text file busy'],
  28: ['ENOSPC', 'no space left on the device'],
  30: ['EROFS', 'read-only file system'],
  36: ['ENAMETOOLONG', 'file name too long'],
  38: ['ENOSYS', 'not offered by this kernel'],
  40: ['ELOOP', 'too many symbolic links'],
  80: ['ELIBBAD', 'damaged shared library'],
  98: ['EADDRINUSE', 'address already in use'],
  111: ['ECONNREFUSED', 'connection refused'],
};

/** The `code` of an error that a system call caused, such as `ENOENT`; empty for any other error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

export function errnoCode(errno: number): string {
  return ERRNO[errno]?.[0] ?? `errno ${errno}`;
}

/** `permission denied (EACCES)`. */
export function describeErrno(errno: number): string {
  const [code, words] = ERRNO[errno] ?? [`errno ${errno}`, 'unknown error'];
  return `${words} (${code})`;
}
